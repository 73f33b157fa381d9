//! `preflight`: what a run would make of each mailbox, said before anything moves and kept, so that it can be scored afterwards
//!
//!
//! Both sides are only read. Each check says pass, fail or unknown, with the rows that it is about. No subject of any item
//! stands in it. All but the times comes out the same each time, as long as the mailboxes and the policy are the same.

mod score;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connector::Usage;
use model::Cause;
use movement::{Becomes, Forecast, Pace, Progress, QuotaVerdict, rates};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{ForecastItem, ForecastRow, MailboxRow};
use tokio::sync::watch;

pub use self::score::{ItemScore, PersonScore, RuleScore, ScoreReport};
use super::each::each;
use super::report::Heading;
use crate::error::Exit;
use crate::secret::Environment;
use crate::{Error, Project, Selection};

/// A sample tells how fast a source is read, and nothing of how fast the target takes what is written: in nine of ten cases it
/// should take no longer than so many times as long.
const UNKNOWN_WRITING: u64 = 3;
/// Of fewer mailboxes than this the slowest says little of the next one.
const RATES_MIN: usize = 5;
/// Then nine of ten should take no longer than so many times the usual.
const FEW_RATES: u64 = 2;

/// What was predicted.
#[derive(Clone, Debug, Serialize)]
pub struct PreflightReport {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// Every item was read and inspected.
    pub read: bool,
    /// The checks.
    pub checks: Vec<Check>,
    /// Mailbox by mailbox.
    pub people: Vec<PersonForecast>,
    /// All together.
    pub all: Numbers,
    /// What does not simply travel, by what becomes of it and by rule.
    pub rules: Vec<RuleForecast>,
    /// Item by item.
    pub items: Vec<KeptItem>,
    /// How long all of it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeForecast>,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Both sides of each mailbox can be opened.
    Reach,
    /// Every folder can be opened.
    Folders,
    /// Each mailbox fits into its quota.
    Quota,
    /// No item is larger than the rules or the target allow.
    ItemSize,
    /// No attachment is banned.
    Attachments,
    /// The target can hold every item as it is.
    Content,
    /// No item is infected.
    Malware,
}

impl Subject {
    const EVERY: [Self; 7] =
        [Self::Reach, Self::Folders, Self::Quota, Self::ItemSize, Self::Attachments, Self::Content, Self::Malware];

    /// The check that an item fails of which this becomes by this rule; none where the project itself has chosen so.
    fn of(becomes: Becomes, rule: &str) -> Option<Self> {
        match (becomes, rule) {
            // It travels.
            (Becomes::Repaired, _) => None,
            (_, "item-size" | "too-large") => Some(Self::ItemSize),
            (_, "infected" | "not-scanned") => Some(Self::Malware),
            (Becomes::Fails, _) => Some(Self::Content),
            (_, "folder-only" | "folder-left" | "deleted-items" | "marked-deleted") => None,
            (_, "received-from" | "received-before") => None,
            (Becomes::Left | Becomes::Replaced, _) => Some(Self::Attachments),
        }
    }
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is in the way.
    Pass,
    /// Something is.
    Fail,
    /// It can't be told: without `--read`, or of everybody.
    Unknown,
}

/// A check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What it is about.
    pub check: Subject,
    /// How it came out.
    pub verdict: Verdict,
    /// How many mailboxes it is about.
    pub mailboxes: u64,
    /// How many items, or folders.
    pub rows: u64,
}

/// Numbers of a mailbox, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Folders at the source.
    pub folders: u64,
    /// What lies at the source.
    pub source: Usage,
    /// What is to be on the target in the end.
    pub travels: Usage,
    /// Of that: what is there already.
    pub already: Usage,
    /// What is to be copied.
    pub to_copy: Usage,
    /// What rules leave behind.
    pub left: Usage,
    /// What travels with notes in place of something.
    pub replaced: Usage,
    /// What travels written so that the target can hold it.
    pub repaired: Usage,
    /// What can't be copied.
    pub fails: Usage,
}

impl Numbers {
    fn of(forecast: &Forecast) -> Self {
        let kept = |wanted: Becomes| {
            let mut sum = Usage::default();
            for ((becomes, _), usage) in &forecast.kept {
                if *becomes == wanted {
                    add(&mut sum, *usage);
                }
            }
            sum
        };
        let (travels, already) = (forecast.travels, forecast.already);
        Self {
            folders: forecast.folders,
            source: forecast.source,
            travels,
            already,
            to_copy: Usage {
                bytes: travels.bytes.saturating_sub(already.bytes),
                items: travels.items.saturating_sub(already.items),
            },
            left: kept(Becomes::Left),
            replaced: kept(Becomes::Replaced),
            repaired: kept(Becomes::Repaired),
            fails: kept(Becomes::Fails),
        }
    }

    fn add(&mut self, other: &Self) {
        self.folders += other.folders;
        for (sum, more) in [
            (&mut self.source, other.source),
            (&mut self.travels, other.travels),
            (&mut self.already, other.already),
            (&mut self.to_copy, other.to_copy),
            (&mut self.left, other.left),
            (&mut self.replaced, other.replaced),
            (&mut self.repaired, other.repaired),
            (&mut self.fails, other.fails),
        ] {
            add(sum, more);
        }
    }
}

fn add(sum: &mut Usage, more: Usage) {
    sum.add(more.bytes, more.items);
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeForecast {
    /// In half of all cases no longer than so many seconds.
    pub p50_seconds: u64,
    /// In nine of ten cases no longer.
    pub p90_seconds: u64,
    /// How that is known.
    pub from: RatesFrom,
    /// Of how many mailboxes.
    pub measured: u64,
}

/// How it is known how fast mailboxes are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatesFrom {
    /// From mailboxes of this project that were copied.
    Copies,
    /// From reading the mailboxes, or samples of them.
    Reading,
}

/// What was predicted of a mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct PersonForecast {
    /// What people call its person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// The collection it moves with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Its numbers.
    pub numbers: Numbers,
    /// The quota that leaves it the least room, and whether it fits; none where there is no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaVerdict>,
    /// A folder of the target could not be opened: whether it fits is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quota_unknown: bool,
    /// Folders that could not be opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
    /// How long it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeForecast>,
    /// Why it could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The class of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What does not simply travel, by one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleForecast {
    /// What becomes of it.
    pub becomes: Becomes,
    /// The rule, or the cause.
    pub rule: String,
    /// How many items.
    pub items: u64,
    /// How many bytes, at the source.
    pub bytes: u64,
}

/// An item that does not simply travel.
#[derive(Clone, Debug, Serialize)]
pub struct KeptItem {
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// The folder.
    pub folder: String,
    /// When it was received (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// How many bytes.
    pub size_bytes: u64,
    /// What becomes of it.
    pub becomes: Becomes,
    /// By which rule, or for which cause.
    pub rule: String,
    /// The files that it is about: name, type, size, SHA-256 and rule of each.
    pub files: serde_json::Value,
}

impl PreflightReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.checks.iter().any(|check| check.verdict == Verdict::Fail) { Exit::WithFailures } else { Exit::Done }
    }
}

/// What is kept of a prediction besides its items.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Recorded {
    numbers: Numbers,
    rules: Vec<RuleForecast>,
    /// Whether it fits into its quota, where it has one.
    fits: Option<bool>,
    time: Option<TimeForecast>,
}

impl Project {
    /// Predicts what a run would make of the mailboxes chosen, and keeps that. Writes nothing on either side.
    pub async fn preflight(
        &self,
        selection: &Selection,
        read: bool,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<PreflightReport, Error> {
        self.may_migrate()?;
        let engine = self.engine(environment, Arc::new(Progress::default()), stop.clone(), true)?;
        // What a run makes of the target is asked; the archive takes what comes as it is.
        let mut chosen = self.select(selection).await?;
        chosen.retain(|row| !self.is_archived(row));
        let copies = self.copied_so_far().await?;
        let sample = copies.is_empty();
        let look = |row: MailboxRow| {
            let engine = engine.clone();
            async move { engine.forecast(&row, read, sample).await }
        };
        let forecasts = each(engine.people_at_once, chosen.clone(), &stop, look).await?;
        let (paces, from) = if copies.is_empty() {
            (forecasts.iter().flatten().filter_map(|forecast| forecast.pace).collect(), RatesFrom::Reading)
        } else {
            (copies, RatesFrom::Copies)
        };
        let clock = Clockwork { rates: rates(paces.iter()), from };
        let report = self.preflight_report(selection, read, &chosen, forecasts, &clock);
        let detail = json!({ "mailboxes": chosen.len(), "read": read, "policy": self.config.policy.citation });
        for (row, forecast, recorded) in report.1 {
            self.keep_forecast(&row, read, forecast, &recorded).await?;
        }
        self.store.audit(self.key, &self.actor, "preflight.made", &detail).await?;
        Ok(report.0)
    }

    /// How fast mailboxes of the project were copied.
    async fn copied_so_far(&self) -> Result<Vec<Pace>, Error> {
        let worked = self.store.worked(self.key).await?;
        let pace = |worked: &store::Worked| Pace {
            took: Duration::from_millis(worked.ms),
            read: Usage { bytes: worked.bytes, items: worked.items },
        };
        Ok(worked.iter().map(pace).collect())
    }

    fn preflight_report(
        &self,
        selection: &Selection,
        read: bool,
        chosen: &[MailboxRow],
        forecasts: Vec<Result<Forecast, movement::Failure>>,
        clock: &Clockwork,
    ) -> (PreflightReport, Vec<(MailboxRow, Forecast, Recorded)>) {
        let (mut people, mut items, mut all, mut kept) = (Vec::new(), Vec::new(), Numbers::default(), Vec::new());
        let mut by_rule: BTreeMap<(Becomes, String), Usage> = BTreeMap::new();
        for (row, forecast) in chosen.iter().zip(forecasts) {
            let roster = &row.roster;
            let mut person = PersonForecast {
                name: roster.name.clone(),
                source: roster.source_name.clone(),
                target: roster.target_name.clone(),
                collection: roster.collection.clone(),
                numbers: Numbers::default(),
                quota: None,
                quota_unknown: false,
                closed: Vec::new(),
                time: None,
                error: None,
                cause: None,
            };
            match forecast {
                Err(failure) => {
                    person.error = Some(failure.to_string());
                    person.cause = Some(failure.error.cause);
                }
                Ok(mut forecast) => {
                    person.numbers = Numbers::of(&forecast);
                    person.quota = forecast.quota;
                    person.quota_unknown = forecast.quota_unknown;
                    person.closed = forecast.closed.iter().map(|(path, _)| path.to_string()).collect();
                    person.time = clock.time(person.numbers.to_copy);
                    all.add(&person.numbers);
                    for (key, usage) in &forecast.kept {
                        add(by_rule.entry(key.clone()).or_default(), *usage);
                    }
                    forecast.items.sort_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
                    items.extend(forecast.items.iter().map(|item| KeptItem {
                        mailbox: roster.source_name.clone(),
                        folder: item.path.to_string(),
                        received: item.received,
                        size_bytes: item.size_bytes,
                        becomes: item.becomes,
                        rule: item.rule.clone(),
                        files: serde_json::from_str(&item.files).unwrap_or_default(),
                    }));
                    let recorded = Recorded {
                        numbers: person.numbers,
                        rules: rules(&forecast.kept),
                        fits: forecast.quota.filter(|_| !forecast.quota_unknown).map(|quota| quota.fits),
                        time: person.time,
                    };
                    kept.push((row.clone(), forecast, recorded));
                }
            }
            people.push(person);
        }
        let time = clock.time(all.to_copy).map(|time| {
            let at_once = (self.config.file.people_at_once.min(people.len()).max(1)) as u64;
            // No sooner than the largest of them.
            let longest = |of: fn(&TimeForecast) -> u64| {
                people.iter().filter_map(|person| person.time.as_ref().map(of)).max().unwrap_or_default()
            };
            TimeForecast {
                p50_seconds: time.p50_seconds.div_ceil(at_once).max(longest(|time| time.p50_seconds)),
                p90_seconds: time.p90_seconds.div_ceil(at_once).max(longest(|time| time.p90_seconds)),
                ..time
            }
        });
        let heading = self.report_heading(selection);
        let scans = self.config.scanner().is_some();
        let bans = !self.config.policy.inspection.bans_nothing();
        let checks = checks(&people, &items, Known { read, scans, bans });
        let report = PreflightReport { heading, read, checks, people, all, rules: rules(&by_rule), items, time };
        (report, kept)
    }

    async fn keep_forecast(
        &self,
        row: &MailboxRow,
        read: bool,
        forecast: Forecast,
        recorded: &Recorded,
    ) -> Result<(), Error> {
        let tallies = self.store.tallies(self.key, row.mailbox).await?;
        let item = |item: movement::Kept| ForecastItem {
            path: item.path,
            source_id: item.id,
            how: item.becomes.name().to_owned(),
            rule: item.rule,
        };
        let detail = serde_json::to_string(recorded).map_err(|error| Error {
            exit: Exit::Internal,
            rule: None,
            what: format!("a prediction can't be written down: {error}"),
            advice: None,
        })?;
        let forecast = ForecastRow {
            at: 0,
            policy: self.config.policy.citation.clone(),
            is_read: read,
            is_begun: tallies.iter().any(|(_, tally)| tally.accounted() > 0),
            detail,
            items: forecast.items.into_iter().map(item).collect(),
        };
        Ok(self.store.add_forecast(self.key, row.mailbox, &forecast).await?)
    }
}

fn rules(kept: &BTreeMap<(Becomes, String), Usage>) -> Vec<RuleForecast> {
    let one = |((becomes, rule), usage): (&(Becomes, String), &Usage)| RuleForecast {
        becomes: *becomes,
        rule: rule.clone(),
        items: usage.items,
        bytes: usage.bytes,
    };
    kept.iter().map(one).collect()
}

/// What can be told at all.
#[derive(Clone, Copy)]
struct Known {
    read: bool,
    scans: bool,
    bans: bool,
}

/// The checks, each with how many rows it is about.
fn checks(people: &[PersonForecast], items: &[KeptItem], known: Known) -> Vec<Check> {
    let mut checks = Vec::new();
    // Where there is no scanner nobody asks for malware.
    for check in Subject::EVERY.into_iter().filter(|check| known.scans || *check != Subject::Malware) {
        let of_people = |is: &dyn Fn(&PersonForecast) -> bool| people.iter().filter(|p| is(p)).count() as u64;
        let (mailboxes, rows) = match check {
            Subject::Reach => (of_people(&|person| person.error.is_some()), 0),
            Subject::Folders => (
                of_people(&|person| !person.closed.is_empty()),
                people.iter().map(|person| person.closed.len() as u64).sum(),
            ),
            Subject::Quota => (of_people(&|person| person.quota.is_some_and(|quota| !quota.fits)), 0),
            _ => {
                let is_of = |item: &&KeptItem| Subject::of(item.becomes, &item.rule) == Some(check);
                let mut mailboxes: Vec<&str> = items.iter().filter(is_of).map(|item| item.mailbox.as_str()).collect();
                let rows = mailboxes.len() as u64;
                mailboxes.dedup();
                (mailboxes.len() as u64, rows)
            }
        };
        let unknown = match check {
            Subject::Attachments => known.bans && !known.read,
            Subject::Content | Subject::Malware => !known.read,
            Subject::Quota => people.iter().any(|person| person.quota_unknown),
            _ => false,
        };
        let unknown = unknown || (check != Subject::Reach && people.iter().any(|person| person.error.is_some()));
        let verdict = match (mailboxes, unknown) {
            (1.., _) => Verdict::Fail,
            (0, true) => Verdict::Unknown,
            (0, false) => Verdict::Pass,
        };
        checks.push(Check { check, verdict, mailboxes, rows });
    }
    checks
}

/// What is known of how fast mailboxes are copied: the slowest rate first.
struct Clockwork {
    rates: Vec<u64>,
    from: RatesFrom,
}

impl Clockwork {
    /// How long it takes to copy so much; none where nothing is known.
    fn time(&self, usage: Usage) -> Option<TimeForecast> {
        let count = self.rates.len();
        let (usual, slow) = (*self.rates.get(count / 2)?, *self.rates.get(count / 10)?);
        let cost = Pace::cost(usage);
        let p50 = cost.div_ceil(usual);
        let p90 = cost.div_ceil(slow);
        let p90 = match self.from {
            RatesFrom::Reading => p90.max(p50.saturating_mul(UNKNOWN_WRITING)),
            RatesFrom::Copies if count < RATES_MIN => p90.max(p50.saturating_mul(FEW_RATES)),
            RatesFrom::Copies => p90,
        };
        Some(TimeForecast { p50_seconds: p50, p90_seconds: p90, from: self.from, measured: count as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_from_the_usual_and_the_slow() {
        let usage = |bytes| Usage { bytes, items: 0 };
        let clock = |rates: &[u64], from| Clockwork { rates: rates.to_vec(), from };
        let p = |clock: Clockwork, bytes| clock.time(usage(bytes)).map(|time| (time.p50_seconds, time.p90_seconds));
        assert_eq!(p(clock(&[], RatesFrom::Copies), 100), None);
        assert_eq!(p(clock(&[10], RatesFrom::Copies), 100), Some((10, 20)), "one says little");
        assert_eq!(p(clock(&[10], RatesFrom::Reading), 100), Some((10, 30)), "nothing was written");
        let many: Vec<u64> = (1..=20).collect();
        assert_eq!(p(clock(&many, RatesFrom::Copies), 33), Some((3, 11)));
        assert_eq!(p(clock(&many, RatesFrom::Copies), 0), Some((0, 0)));
    }

    #[test]
    fn each_refusal_belongs_to_one_check_and_choices_to_none() {
        for (becomes, rule, check) in [
            (Becomes::Left, "item-size", Some(Subject::ItemSize)),
            (Becomes::Fails, "too-large", Some(Subject::ItemSize)),
            (Becomes::Replaced, "banned-extension", Some(Subject::Attachments)),
            (Becomes::Left, "banned-content", Some(Subject::Attachments)),
            (Becomes::Fails, "nul", Some(Subject::Content)),
            (Becomes::Repaired, "nul", None),
            (Becomes::Fails, "infected", Some(Subject::Malware)),
            (Becomes::Left, "received-from", None),
            (Becomes::Left, "folder-left", None),
        ] {
            assert_eq!(Subject::of(becomes, rule), check, "{rule}");
        }
    }

    #[test]
    fn nothing_passes_for_whom_nobody_could_look_at() {
        let person = |error: Option<&str>| PersonForecast {
            name: None,
            source: "ann".to_owned(),
            target: "ann".to_owned(),
            collection: None,
            numbers: Numbers::default(),
            quota: None,
            quota_unknown: false,
            closed: Vec::new(),
            time: None,
            error: error.map(str::to_owned),
            cause: None,
        };
        let verdicts = |people: &[PersonForecast], known| {
            checks(people, &[], known).into_iter().map(|check| check.verdict).collect::<Vec<_>>()
        };
        let known = Known { read: true, scans: false, bans: true };
        assert_eq!(verdicts(&[person(None)], known), [Verdict::Pass; 6]);
        let some = verdicts(&[person(None), person(Some("away"))], known);
        assert_eq!(some[0], Verdict::Fail);
        assert!(some[1..].iter().all(|verdict| *verdict == Verdict::Unknown), "{some:?}");
        let closed = PersonForecast { quota_unknown: true, ..person(None) };
        assert_eq!(verdicts(&[person(None), closed], known)[2], Verdict::Unknown, "a folder of the target was closed");
        let listed = verdicts(&[person(None)], Known { read: false, scans: true, bans: true });
        let [pass, unknown] = [Verdict::Pass, Verdict::Unknown];
        assert_eq!(listed, [pass, pass, pass, pass, unknown, unknown, unknown]);
    }
}
