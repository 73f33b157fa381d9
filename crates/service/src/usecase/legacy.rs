//! `mx arrivals`: who still writes to legacy addresses, as the logs of local servers tell; and when those took mail last.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use maillog::{Place, Postfix};
use model::Side;
use mx::plan::LocalMail;
use serde::{Deserialize, Serialize};
use store::{LegacyArrival, LogRead};

use super::switch::addresses::Addressing;
use crate::config::{FILE, MxSettings};
use crate::serve::machine;
use crate::{Error, Project, when};

const DAY_MS: i64 = 86_400_000;
/// A sender that the log did not tell.
const NOT_TOLD: &str = "?";
/// A log that was read within so many milliseconds tells how things stand now.
const IS_NEW_MS: i64 = 3_600_000;
/// One without a line for so many milliseconds may not be written any more: that it tells of no mail proves nothing.
const IS_ALIVE_MS: i64 = 2 * DAY_MS;
/// A machine that has not read a log for so many milliseconds does not read it any more.
const IS_READER_MS: i64 = DAY_MS;
/// So much of a log is read and kept at a time.
const PORTION_BYTES: u64 = 4 << 20;
/// Addresses are kept up to so many bytes: no mailbox has a longer one (RFC 5321 section 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 320;

/// Who still writes to legacy addresses.
#[derive(Clone, Debug, Serialize)]
pub struct LegacyReport {
    /// From this day on.
    pub since: String,
    /// The logs that tell.
    pub logs: Vec<LegacyLog>,
    /// By address and sender, those with most messages first.
    pub arrivals: Vec<LegacySender>,
}

/// The log of a local server.
#[derive(Clone, Debug, Serialize)]
pub struct LegacyLog {
    /// Its path.
    pub log: String,
    /// Since when it was followed without a gap, for people; left out: it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_since: Option<String>,
    /// When it was read last, for people; left out: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    /// Why it could not be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A sender who writes to a legacy address.
#[derive(Clone, Debug, Serialize)]
pub struct LegacySender {
    /// The legacy address.
    pub address: String,
    /// Whose it is: the mailbox's name at the source. Left out: nobody's on the roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// The sender of the envelope; empty for bounces, `?` where the log does not tell.
    pub sender: String,
    /// How many messages.
    pub messages: u64,
    /// The day of the last one.
    pub last: String,
}

/// Where reading a log goes on.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    place: Place,
    postfix: Postfix,
    /// The machine that reads it: another one may have a log of the same name.
    machine: String,
    /// When its last line was written (milliseconds since 1970).
    last_line: Option<i64>,
}

impl Kept {
    fn of(read: Option<&LogRead>) -> Self {
        read.and_then(|read| serde_json::from_str(&read.place).ok()).unwrap_or_default()
    }
}

impl Project {
    /// Reads on in the logs of local servers. Of each that could not be read, why.
    pub(crate) async fn read_logs(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut problems = BTreeMap::new();
        let Some(settings) = self.config.file.mx.as_deref() else { return Ok(problems) };
        let known = self.store.log_reads(self.key).await?;
        for entry in &settings.logs {
            let path = self.config.path(entry);
            let name = entry.display().to_string();
            let mut before = known.iter().find(|read| read.log == name).cloned();
            let now = self.store.now().await?;
            let is_others = before
                .as_ref()
                .is_some_and(|read| Kept::of(Some(read)).machine != machine() && now - read.read_at <= IS_READER_MS);
            if is_others {
                continue;
            }
            loop {
                match self.read_log(settings, &path, name.clone(), before.as_ref()).await {
                    Ok(Some(read)) => before = Some(read),
                    Ok(None) => break,
                    Err(error) => {
                        problems.insert(name, error.what);
                        break;
                    }
                }
            }
        }
        Ok(problems)
    }

    /// Reads on by a portion, and keeps what it tells. What was kept, if there is more to read.
    async fn read_log(
        &self,
        settings: &MxSettings,
        path: &Path,
        log: String,
        before: Option<&LogRead>,
    ) -> Result<Option<LogRead>, Error> {
        let mut kept = Kept::of(before);
        let kept_last_line = kept.last_line;
        let (zone, now) = (self.config.time_zone(), Timestamp::now());
        let domains: Vec<String> =
            settings.domains.keys().map(|domain| format!("@{}", domain.to_lowercase())).collect();
        let path = path.to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let (mut postfix, mut first, mut newest) = (std::mem::take(&mut kept.postfix), None, None);
            let mut arrivals: BTreeMap<(String, String, String), (u64, i64)> = BTreeMap::new();
            let last = (!kept.place.first.is_empty()).then_some(&kept.place);
            let followed = maillog::follow(&path, last, PORTION_BYTES, |line| {
                let (at, taken) = postfix.line(line, &zone, now);
                first = first.or(at);
                newest = newest.max(at);
                let Some(taken) = taken else { return };
                let is_legacy = |address: &str| domains.iter().any(|domain| address.ends_with(domain));
                // What was written without a domain on the server itself may be for anybody there.
                let address = match (is_legacy(&taken.to), is_legacy(&taken.became)) {
                    (false, true) => taken.became,
                    (false, false) if taken.to.contains('@') => return,
                    _ => taken.to,
                };
                let day = taken.at.to_zoned(zone.clone()).date().to_string();
                let sender = taken.from.unwrap_or_else(|| NOT_TOLD.to_owned());
                let count = arrivals.entry((short(address), short(sender), day)).or_insert((0, i64::MIN));
                *count = (count.0 + 1, count.1.max(taken.at.as_millisecond()));
            })
            .map_err(|error| Error::usage(format!("{}: {error}", path.display())).advise("see mx.logs"))?;
            Ok::<_, Error>((followed, postfix, first, newest, arrivals))
        });
        let (followed, postfix, first, newest, arrivals) =
            reading.await.map_err(|error| Error::usage(format!("{log}: reading it ended: {error}")))??;
        let since = before.and_then(|read| read.watched_since).filter(|_| !followed.has_gap);
        let watched_since = since.or_else(|| first.map(Timestamp::as_millisecond));
        let last_line = newest.map(Timestamp::as_millisecond).max(kept_last_line);
        let kept = Kept { place: followed.place, postfix, machine: machine(), last_line };
        let place = serde_json::to_string(&kept).unwrap_or_default();
        let number = before.map_or(1, |read| read.number + 1);
        let read = LogRead { log, place, watched_since, read_at: 0, number };
        let arrivals: Vec<LegacyArrival> = arrivals
            .into_iter()
            .map(|((address, sender, day), (messages, last_at))| LegacyArrival {
                address,
                sender,
                day,
                messages,
                last_at,
            })
            .collect();
        let forget = now.as_millisecond().saturating_sub(i64::from(settings.arrivals_kept_days) * DAY_MS);
        // Where somebody else has read it meanwhile, they have counted the same.
        let is_kept = self.store.add_log_read(self.key, &read, &arrivals, forget).await?;
        if followed.has_gap {
            tracing::warn!(log = read.log, "a log was rotated and could not be read to its end: watching begins anew");
        }
        Ok((followed.is_more && is_kept).then_some(read))
    }

    /// What local servers took for a domain: known only where each of the logs was followed until now. Why it is not, else.
    pub(crate) async fn local_mail(
        &self,
        settings: &MxSettings,
        domain: &str,
        problems: &BTreeMap<String, String>,
    ) -> Result<(LocalMail, Vec<String>), Error> {
        let nothing = |why: Vec<String>| Ok((LocalMail::default(), why));
        if settings.logs.is_empty() {
            return nothing(vec!["no log of a local server is named in mx.logs".to_owned()]);
        }
        let mut unknown = Vec::new();
        let (reads, now) = (self.store.log_reads(self.key).await?, self.store.now().await?);
        let mut since = Some(i64::MIN);
        for entry in &settings.logs {
            let name = entry.display().to_string();
            match reads.iter().find(|read| read.log == name) {
                _ if problems.contains_key(&name) => unknown.push(problems[&name].clone()),
                None => unknown.push(format!("{name} was never read")),
                Some(read) if now - read.read_at > IS_NEW_MS => {
                    let at = when::shown(read.read_at, &self.config.time_zone());
                    unknown.push(format!("{name} was read last on {at}"));
                }
                Some(read) if Kept::of(Some(read)).last_line.is_none_or(|at| now - at > IS_ALIVE_MS) => {
                    unknown.push(format!("{name} has no line of the last two days: is it still written?"));
                }
                Some(read) => since = since.zip(read.watched_since).map(|(since, own)| since.max(own)),
            }
        }
        if !unknown.is_empty() {
            return nothing(unknown);
        }
        let ending = format!("@{}", domain.to_lowercase());
        let whose = self.legacy_addresses().await?;
        let is_of_domain = |address: &str| {
            address.ends_with(&ending) || !address.contains('@') && whose.contains_key(&format!("{address}{ending}"))
        };
        let last = self.store.last_arrivals(self.key).await?;
        let last = last.into_iter().filter(|(address, _)| is_of_domain(address)).map(|(_, at)| at).max();
        let at = |ms: i64| Timestamp::from_millisecond(ms).ok();
        Ok((LocalMail { watched_since: since.and_then(at), last: last.and_then(at) }, Vec::new()))
    }

    /// Who has written to legacy addresses in so many days, of all domains or of this one.
    pub async fn legacy_arrivals(&self, domain: Option<&str>, days: u16) -> Result<LegacyReport, Error> {
        let settings = self.config.file.mx.as_deref().ok_or_else(|| {
            Error::usage(format!("{FILE} has no [mx]: no legacy domain is named")).advise("docs/mx.md shows how")
        })?;
        if settings.logs.is_empty() {
            return Err(Error::usage(format!("{FILE}: mx.logs names no log of a local server"))
                .advise("name those that tell which mail it takes: docs/mx.md shows how"));
        }
        let is_known = |domain: &str| settings.domains.keys().any(|known| known.eq_ignore_ascii_case(domain));
        if let Some(unknown) = domain.filter(|domain| !is_known(domain)) {
            let names: Vec<&str> = settings.domains.keys().map(String::as_str).collect();
            return Err(Error::usage(format!("{FILE} has no [mx.domains.{unknown:?}]"))
                .advise(format!("domains are {}", names.join(", "))));
        }
        let problems = if self.actor.role.may_migrate() { self.read_logs().await? } else { BTreeMap::new() };
        let zone = self.config.time_zone();
        let back = Timestamp::now().as_millisecond().saturating_sub(i64::from(days) * DAY_MS);
        let since: String = when::shown(back, &zone).chars().take(10).collect();
        let reads = self.store.log_reads(self.key).await?;
        let logs = settings.logs.iter().map(|entry| {
            let log = entry.display().to_string();
            let read = reads.iter().find(|read| read.log == log);
            LegacyLog {
                watched_since: read.and_then(|read| read.watched_since).map(|at| when::shown(at, &zone)),
                read_at: read.map(|read| when::shown(read.read_at, &zone)),
                problem: problems.get(&log).cloned(),
                log,
            }
        });
        let mut report = LegacyReport { since: since.clone(), logs: logs.collect(), arrivals: Vec::new() };
        let whose = self.legacy_addresses().await?;
        let ending = domain.map(|domain| format!("@{}", domain.to_lowercase()));
        let mut senders: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
        for one in self.store.legacy_arrivals(self.key, &since).await? {
            if ending.as_ref().is_some_and(|ending| one.address.contains('@') && !one.address.ends_with(ending)) {
                continue;
            }
            let sum = senders.entry((one.address, one.sender)).or_default();
            *sum = (sum.0 + one.messages, one.day.max(std::mem::take(&mut sum.1)));
        }
        report.arrivals.extend(senders.into_iter().map(|((address, sender), (messages, last))| LegacySender {
            mailbox: whose.get(&address).cloned(),
            address,
            sender,
            messages,
            last,
        }));
        report.arrivals.sort_by(|one, other| other.messages.cmp(&one.messages).then(one.address.cmp(&other.address)));
        Ok(report)
    }

    /// Whose each address at the source is: by `[routing]`, and by the source's directories.
    async fn legacy_addresses(&self) -> Result<BTreeMap<String, String>, Error> {
        let Some(routing) = &self.config.file.routing else { return Ok(BTreeMap::new()) };
        let addressing = Addressing::new(&self.config, &self.endpoints);
        let further = addressing.further(&self.store, self.key).await?;
        let rows = self.store.mailboxes(self.key).await?;
        let of = |row: &store::MailboxRow| {
            let (source, target) = (&row.roster.source_name, &row.roster.target_name);
            let mut addresses = routing.source.addresses(Side::Source, source, target);
            addresses.extend(further.get(&addressing.whose(&row.roster)).into_iter().flatten().cloned());
            addresses.into_iter().map(|address| (model::mail_key(&address), source.clone())).collect::<Vec<_>>()
        };
        Ok(rows.iter().filter(|row| row.listed).flat_map(of).collect())
    }
}

/// No more of an address than one may have.
fn short(mut address: String) -> String {
    address.truncate(address.floor_char_boundary(ADDRESS_BYTES_MAX));
    address
}
