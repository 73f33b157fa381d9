//! Forwarders from the target to the source (F1): asked for, allowed on accounts that were there before, and put on at once where an account
//! goes live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::{Cause, Digest, Phase, Scope, Side};
use movement::{Engine, Failure, Holder, Progress, Taken};
use programme::Live;
use serde::Serialize;
use serde_json::json;
use store::{FoundRouting, MailboxRow, NewForwarder, RuleWord, SwitchHow};
use switch::Rule;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::driver::Switcher;
use super::live::{BareAccount, why_missing};
use super::look::Looks;
use super::routes::{ForwardersReport, no_routing};
use super::rules::word_of;
use super::signed::digest_of;
use crate::config::RoutingEntry;
use crate::secret::Environment;
use crate::usecase::governed;
use crate::{Error, Project, Selection};

/// Accounts whose forwarders are put on at once.
const AT_ONCE: usize = 8;
/// Forwarders that are to come, and those that are on, are looked after for so long each at a time.
const TENDS_MAX: Duration = Duration::from_secs(25);
/// So many are looked after before it is seen whether a server is away.
const PORTION: usize = 64;
/// For so long a mailbox is waited for that another process works on, where somebody waits for what comes of it.
pub(crate) const HELD_WAIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it is free.
const HELD_AGAIN: Duration = Duration::from_millis(300);
const DAY_MS: i64 = 86_400_000;

/// Who allowed a forwarder on an account that was there before.
#[derive(Clone, Debug, Default)]
pub struct GuardianWord {
    /// The Caldicott guardian.
    pub guardian: Option<String>,
    /// The date of their word.
    pub on: Option<String>,
    /// A file with it, of which the digest is kept; or where it is to be found, in words.
    pub evidence: Option<String>,
}

/// A new account that is live with neither a forwarder to the source that is on nor a recorded reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingForwarder {
    /// The object that it was made for.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its mailbox, by its name at the source; none: it is not on the roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// Why it has none.
    pub why: String,
}

/// What came of putting a forwarder on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// It is on, and was read back.
    On,
    /// It is not: why. `is_absent`: the target does not know the account yet, as one that waits to be accepted may not be known. `is_away`: a
    /// server can't be reached.
    Not { why: String, is_absent: bool, is_away: bool },
}

impl Forwarded {
    fn not(why: impl Into<String>) -> Self {
        Self::Not { why: why.into(), is_absent: false, is_away: false }
    }

    fn is_away(&self) -> bool {
        matches!(self, Self::Not { is_away: true, .. })
    }
}

/// A word that was given for accounts that were there before, each part of it if it has one.
pub(super) type Given = [Option<String>; 3];

impl Project {
    /// Has new accounts forward to the source from now on, until their people are switched.
    pub async fn add_forwarders(
        &self,
        selection: &Selection,
        word: &GuardianWord,
        environment: Environment<'_>,
    ) -> Result<ForwardersReport, Error> {
        self.may_migrate()?;
        governed::refuse(&self.config, &self.store, self.key, Live::ForwardersOn).await?;
        self.switcher(environment)?;
        let rows = self.select(selection).await?;
        let given = self.given(word).await?;
        let words = self.store.rule_words(self.key).await?;
        let mut news = Vec::new();
        for row in &rows {
            news.push(self.new_forwarder(row, &given, &words).await?);
        }
        self.ask_forwarders(&rows, &news).await?;
        let mailboxes: Vec<i64> = rows.iter().map(|row| row.mailbox).collect();
        self.store.hasten(self.key, &mailboxes).await?;
        self.forwarders(selection).await
    }

    /// A guardian's word, as it is kept: the date is one that has come, and of evidence that is a file the digest is kept.
    async fn given(&self, word: &GuardianWord) -> Result<Given, Error> {
        let [guardian, on, evidence] = [&word.guardian, &word.on, &word.evidence]
            .map(|part| part.as_deref().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
        if let Some(on) = &on {
            let day: jiff::civil::Date =
                on.parse().map_err(|_| Error::usage(format!("{on:?} is no date")).advise("write it as 2026-12-05"))?;
            let today = self.day(self.store.now().await?);
            if day > today {
                let what = format!("nobody has signed on {on}: today is {today}");
                return Err(Error::refused("R-078", what).advise("give the date of the guardian's word"));
            }
        }
        let evidence = match &evidence {
            Some(text) => Some(match digest_of(text, &self.config.folder)? {
                Some(digest) => of_file(text, digest),
                None => format!("{text} (in words, no file)"),
            }),
            None => None,
        };
        Ok([guardian, on, evidence])
    }

    /// The forwarder of a mailbox's account, with until when it is likely to be on; or why it may have none.
    async fn new_forwarder(
        &self,
        row: &MailboxRow,
        given: &Given,
        words: &[RuleWord],
    ) -> Result<(NewForwarder, String), Error> {
        let routing = self.config.file.routing.as_deref().ok_or_else(no_routing)?;
        let name = &row.roster.source_name;
        self.refuse_direction(routing, row, words)?;
        if self.is_archived(row) {
            return Err(Error::refused("R-043", format!("{name} goes to the archive, which forwards nothing")));
        }
        if row.state.phase >= Phase::Switching {
            return Err(Error::refused("R-081", format!("{name} is {}", row.state.phase.name()))
                .advise("who is switched has no forwarder to the source"));
        }
        if !self.config.forwards_at(self.endpoint_name(row.roster.target_endpoint)) {
            return Err(Error::usage(format!("the target of {name} has no router"))
                .advise("add one under [routers] with its endpoint"));
        }
        let ends = self.day(self.forwarded_until(row).await?.0).to_string();
        let allowed = match (!row.roster.new_account, given) {
            (false, _) => None,
            (true, [Some(guardian), Some(on), Some(evidence)]) => {
                Some([guardian.clone(), on.clone(), evidence.clone(), ends.clone()])
            }
            (true, _) => {
                let what =
                    format!("{name} has had its account on the target before: all mail in it would go elsewhere");
                return Err(Error::refused("R-078", what).advise(format!(
                    "the Caldicott guardian signs for it, until {ends} by schedule: whimbrel forwarder form --mailbox {name} prints what; \
                     then --guardian NAME --date DATE --evidence FILE"
                )));
            }
        };
        let leads_to = routing.source.addresses(Side::Source, name, &row.roster.target_name).swap_remove(0);
        let (mailbox, said_by) = (row.mailbox, self.actor.name.clone());
        Ok((NewForwarder { mailbox, leads_to, allowed, said_by }, ends))
    }

    /// Mail is forwarded to the source where the profile and the project allow it, and where that is to be decided, once somebody has signed
    /// for it (R-086, ruling A-20).
    fn refuse_direction(&self, routing: &RoutingEntry, row: &MailboxRow, words: &[RuleWord]) -> Result<(), Error> {
        if !routing.target_to_source {
            let (who, advice) = if routing.target_to_source_of_profile == Some(profile::Forwarding::Forbidden) {
                (
                    format!("the profile {}", self.config.file.profile),
                    "no project can allow it: people accept --exemption TEXT",
                )
            } else {
                ("the project".to_owned(), "see routing.target_to_source")
            };
            let what = format!("{who} does not allow mail to be forwarded from target to source");
            return Err(Error::refused("R-086", what).advise(advice));
        }
        let is_to_be_decided = routing.target_to_source_of_profile == Some(profile::Forwarding::Decided);
        let word = word_of(words, Rule::ForwardingDecided, row.mailbox, row.roster.collection.as_deref());
        if is_to_be_decided && word.is_none() {
            let what = format!(
                "the profile {} leaves it to information governance whether mail is forwarded from target to source, and nobody has signed for it",
                self.config.file.profile
            );
            let name = Rule::ForwardingDecided.name();
            return Err(Error::refused("R-086", what)
                .advise(format!("whimbrel signoff record {name} --by NAME --evidence FILE")));
        }
        Ok(())
    }

    /// Puts forwarders on record that are to come.
    async fn ask_forwarders(&self, rows: &[MailboxRow], news: &[(NewForwarder, String)]) -> Result<(), Error> {
        let names: Vec<_> = rows
            .iter()
            .zip(news)
            .map(|(row, (new, ends))| json!([row.roster.source_name, new.leads_to, ends, new.allowed]))
            .collect();
        self.store.audit(self.key, &self.actor, "forwarder.asked", &json!({ "mailboxes": names })).await?;
        for (row, (new, _)) in rows.iter().zip(news) {
            let is_added = self.store.add_forwarder(self.key, new).await?;
            let is_there = || async { self.store.forwarder(self.key, row.mailbox).await };
            if !is_added && !is_there().await?.is_some_and(|there| there.is_on()) {
                let what = format!("{}: its switch began meanwhile", row.roster.source_name);
                return Err(Error::refused("R-081", what).advise("who is switched has no forwarder to the source"));
            }
        }
        Ok(())
    }

    /// Until when a mailbox is forwarded (milliseconds since 1970), and whether that is its date: else so many weeks from now as the profile
    /// says.
    pub(super) async fn forwarded_until(&self, row: &MailboxRow) -> Result<(i64, bool), Error> {
        let plan = self.store.switch_plan(self.key, row.mailbox).await?;
        Ok(match plan {
            Some((SwitchHow::At | SwitchHow::Auto | SwitchHow::ByHand, Some(at), _)) => (at, true),
            _ => {
                let weeks = i64::from(self.config.file.switch.forwarded_weeks());
                (self.store.now().await?.saturating_add(weeks * 7 * DAY_MS), false)
            }
        })
    }

    /// The day of a moment, in the organisation's time zone.
    pub(crate) fn day(&self, at: i64) -> jiff::civil::Date {
        Timestamp::from_millisecond(at).unwrap_or_default().to_zoned(self.config.time_zone()).date()
    }

    /// Has these accounts forward, puts that on at once, and reads it back. What came of each, by its mailbox.
    pub(crate) async fn forward_accounts(
        &self,
        rows: &[MailboxRow],
        environment: Environment<'_>,
    ) -> Result<BTreeMap<i64, Forwarded>, Error> {
        let words = self.store.rule_words(self.key).await?;
        let (mut done, mut asked, mut news) = (BTreeMap::new(), Vec::new(), Vec::new());
        for row in rows {
            match self.new_forwarder(row, &Given::default(), &words).await {
                Ok(new) => {
                    asked.push(row.clone());
                    news.push(new);
                }
                Err(error) => drop(done.insert(row.mailbox, Forwarded::not(told(&error)))),
            }
        }
        if asked.is_empty() {
            return Ok(done);
        }
        self.ask_forwarders(&asked, &news).await?;
        let mailboxes: Vec<i64> = asked.iter().map(|row| row.mailbox).collect();
        done.extend(self.forward_now(&mailboxes, HELD_WAIT, environment).await?);
        Ok(done)
    }

    /// Puts forwarders on that are on record, several at a time, each under its mailbox's lease. One that another process works on is waited
    /// for so long.
    pub(crate) async fn forward_now(
        &self,
        mailboxes: &[i64],
        wait: Duration,
        environment: Environment<'_>,
    ) -> Result<BTreeMap<i64, Forwarded>, Error> {
        self.forward_until(mailboxes, wait, None, environment).await
    }

    /// The same, and none is begun any more after this.
    async fn forward_until(
        &self,
        mailboxes: &[i64],
        wait: Duration,
        no_later: Option<Instant>,
        environment: Environment<'_>,
    ) -> Result<BTreeMap<i64, Forwarded>, Error> {
        self.refuse_paused().await?;
        let switcher = Arc::new(self.switcher(environment)?);
        let (begun, stop) = watch::channel(false);
        let engine = self.engine(environment, Arc::new(Progress::default()), stop.clone(), false)?;
        self.store.void_leases(Holder::is_dead).await?;
        let until = Instant::now() + wait;
        let mut asking = AtWork(JoinSet::new());
        let (mut waiting, mut done) = (mailboxes.iter().copied(), BTreeMap::new());
        loop {
            while asking.0.len() < AT_ONCE
                && no_later.is_none_or(|no_later| Instant::now() < no_later)
                && let Some(mailbox) = waiting.next()
            {
                let (engine, switcher, stop) = (engine.clone(), switcher.clone(), stop.clone());
                asking.0.spawn(async move {
                    let forwarded = Box::pin(forward_one(&engine, &switcher, &stop, mailbox, until)).await;
                    (mailbox, forwarded)
                });
            }
            let Some(asked) = asking.0.join_next().await else { break };
            let (mailbox, forwarded) =
                asked.map_err(|error| Failure::internal(&format!("putting a forwarder on broke off: {error}")))?;
            done.insert(mailbox, forwarded?);
        }
        drop(begun);
        Ok(done)
    }

    /// New accounts that are live with neither a forwarder that is on nor a recorded reason.
    pub(crate) async fn missing_forwarders(&self) -> Result<Vec<MissingForwarder>, Error> {
        Ok(self.missing().await?.into_iter().map(|(missing, _)| missing).collect())
    }

    /// The same, each with its mailbox.
    async fn missing(&self) -> Result<Vec<(MissingForwarder, Option<MailboxRow>)>, Error> {
        let Some(accounts) = &self.accounts else { return Ok(Vec::new()) };
        let rows = self.store.mailboxes(self.key).await?;
        let target = self.endpoints.iter().find(|(_, (name, _))| name == self.config.target());
        let target = target.map_or(0, |(number, _)| *number);
        let bare = accounts.bare(&self.store, self.key, target, &rows).await?;
        if bare.is_empty() {
            return Ok(Vec::new());
        }
        let by_number: BTreeMap<i64, &MailboxRow> = rows.iter().map(|row| (row.mailbox, row)).collect();
        let forwarders = self.store.forwarders(self.key).await?.into_iter().map(|row| (row.is.mailbox, row)).collect();
        let missing = |account: BareAccount| {
            let why = why_missing(&account, &by_number, &forwarders)?;
            let row = account.mailbox.and_then(|mailbox| by_number.get(&mailbox)).map(|row| (*row).clone());
            let mailbox = row.as_ref().map(|row| row.roster.source_name.clone());
            Some((MissingForwarder { id: account.id, name: account.name, mailbox, why }, row))
        };
        Ok(bare.into_iter().filter_map(missing).collect())
    }

    /// Puts the forwarders on record of live new accounts for which none was asked for, as after a sudden end: the next turn of each
    /// mailbox puts it on. Those of which one may not be.
    pub(crate) async fn ask_missing_forwarders(&self) -> Result<Vec<MissingForwarder>, Error> {
        if !self.actor.role.may_migrate() || self.config.lacks_forwarding().is_some() {
            return Ok(Vec::new());
        }
        governed::refuse(&self.config, &self.store, self.key, Live::ForwardersOn).await?;
        let (mut asked, mut news, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let words = self.store.rule_words(self.key).await?;
        for (missing, row) in self.missing().await? {
            let Some(row) = row.filter(|row| row.listed) else { continue };
            if self.store.forwarder(self.key, row.mailbox).await?.is_some() {
                continue;
            }
            // To whom the account belongs is not settled: its mail goes nowhere else.
            if let Some(withheld) = self.unsettled(&row) {
                refused.push(MissingForwarder { why: withheld.why.clone(), ..missing });
                continue;
            }
            match self.new_forwarder(&row, &Given::default(), &words).await {
                Ok(new) => {
                    asked.push(row);
                    news.push(new);
                }
                Err(error) => refused.push(MissingForwarder { why: told(&error), ..missing }),
            }
        }
        if !asked.is_empty() {
            self.ask_forwarders(&asked, &news).await?;
            let mailboxes: Vec<i64> = asked.iter().map(|row| row.mailbox).collect();
            self.store.hasten(self.key, &mailboxes).await?;
        }
        Ok(refused)
    }

    /// Asks for the forwarders of live new accounts, and puts those on whose mailboxes nobody works on yet.
    pub(crate) async fn tend_forwarders(&self, environment: Environment<'_>) -> Result<(), Error> {
        self.ask_missing_forwarders().await?;
        self.forward_at_rest(environment).await
    }

    /// Puts those forwarders on, now, whose mailboxes nobody works on yet: their collection begins later, or not at all. Those of the others
    /// come with their next turn. Forwarders that are on there are looked after as well, every hour.
    ///
    /// It takes no more than a while, and begins at another place each time, so that whom nobody can help holds up nobody else.
    pub(crate) async fn forward_at_rest(&self, environment: Environment<'_>) -> Result<(), Error> {
        let is_paused = self.store.pauses(self.key).await?.iter().any(|pause| pause.scope == "all");
        if self.config.lacks_forwarding().is_some() || is_paused {
            return Ok(());
        }
        let now = self.store.now().await?;
        for mut mailboxes in self.forwarders_at_rest(now).await? {
            let until = Instant::now() + TENDS_MAX;
            if !mailboxes.is_empty() {
                let begin = usize::try_from(now / 1000).unwrap_or_default().wrapping_mul(PORTION) % mailboxes.len();
                mailboxes.rotate_left(begin);
            }
            for portion in mailboxes.chunks(PORTION).take_while(|_| Instant::now() < until) {
                let done = self.forward_until(portion, Duration::ZERO, Some(until), environment).await?;
                // Where a server is away for all of them the others wait for the next time.
                if !done.is_empty() && done.values().all(Forwarded::is_away) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Of mailboxes at rest, those whose forwarder is to come, and those where it is to be looked after.
    async fn forwarders_at_rest(&self, now: i64) -> Result<[Vec<i64>; 2], Error> {
        let rows = self.store.mailboxes(self.key).await?;
        let unsettled: BTreeSet<i64> =
            rows.iter().filter(|row| self.unsettled(row).is_some()).map(|row| row.mailbox).collect();
        // Where no router tells of the source by itself, the target alone is looked at.
        let tells = |row: &&MailboxRow| {
            let endpoint = self.endpoint_name(row.roster.source_endpoint);
            self.config.routers.values().any(|router| router.endpoint == endpoint && router.exchange().is_none())
        };
        let told: BTreeSet<i64> = rows.iter().filter(tells).map(|row| row.mailbox).collect();
        let at_rest = self.store.at_rest(self.key).await?;
        let rest: BTreeSet<i64> = at_rest.into_iter().filter(|mailbox| !unsettled.contains(mailbox)).collect();
        let before = now.saturating_sub(Looks::default().again_ms);
        let looks = self.store.found_routings(self.key).await?;
        let is_fresh = |look: &&FoundRouting| {
            let side = if told.contains(&look.mailbox) { Side::Source } else { Side::Target };
            look.side == side && look.seen_at > before
        };
        let mut fresh: BTreeSet<i64> = looks.iter().filter(is_fresh).map(|look| look.mailbox).collect();
        // Of whose target was seen without ours after it was put on, it is put on again.
        let bare: BTreeMap<i64, i64> = looks
            .iter()
            .filter(|look| look.side == Side::Target && look.redirected_to.is_none())
            .map(|look| (look.mailbox, look.seen_at))
            .collect();
        // Where something was found it is looked at until it is gone.
        for found in self.store.found_forwarders(self.key).await?.iter().filter(|found| found.side == Side::Source) {
            fresh.remove(&found.mailbox);
        }
        let (mut to_come, mut to_look) = (Vec::new(), Vec::new());
        for row in self.store.forwarders(self.key).await?.into_iter().filter(|row| row.off_at.is_none()) {
            let mailbox = row.is.mailbox;
            match row.on_at {
                _ if !rest.contains(&mailbox) => {}
                None => to_come.push(mailbox),
                Some(at) if !fresh.contains(&mailbox) || bare.get(&mailbox).is_some_and(|seen| *seen > at) => {
                    to_look.push(mailbox);
                }
                Some(_) => {}
            }
        }
        Ok([to_come, to_look])
    }

    /// Puts the forwarders of live new accounts on that lack theirs, at once. Those that lack one afterwards, each with why.
    pub(crate) async fn forward_missing(&self, environment: Environment<'_>) -> Result<Vec<MissingForwarder>, Error> {
        let missing = self.missing().await?;
        if missing.is_empty() || self.config.lacks_forwarding().is_some() {
            return Ok(missing.into_iter().map(|(missing, _)| missing).collect());
        }
        let mut rows = Vec::new();
        let is_settled = |row: &&MailboxRow| row.listed && self.unsettled(row).is_none();
        for row in missing.iter().filter_map(|(_, row)| row.as_ref()).filter(is_settled) {
            // What somebody has taken off stays off.
            if self.store.forwarder(self.key, row.mailbox).await?.is_none_or(|there| there.off_at.is_none()) {
                rows.push(row.clone());
            }
        }
        let done = if rows.is_empty() { BTreeMap::new() } else { self.forward_accounts(&rows, environment).await? };
        let mut left = Vec::new();
        for (missing, row) in self.missing().await? {
            let said = row.and_then(|row| match done.get(&row.mailbox) {
                Some(Forwarded::Not { why, .. }) => Some(why.clone()),
                _ => None,
            });
            left.push(MissingForwarder { why: said.unwrap_or(missing.why), ..missing });
        }
        Ok(left)
    }
}

/// Those that are at work. Whoever asked for it may be gone: each comes to its end all the same, and gives its mailbox back.
struct AtWork(JoinSet<(i64, Result<Forwarded, Failure>)>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.detach_all();
    }
}

/// Puts the forwarder of a mailbox's account on that is on record, and reads it back; or looks after one that is on.
async fn forward_one(
    engine: &Engine,
    switcher: &Switcher,
    stop: &watch::Receiver<bool>,
    mailbox: i64,
    until: Instant,
) -> Result<Forwarded, Failure> {
    loop {
        if let Taken::Turn(turn) = engine.take_one(mailbox).await? {
            let is_on = async || {
                let row = engine.store.forwarder(engine.key, mailbox).await;
                row.map(|row| row.is_some_and(|row| row.is_on()))
            };
            let was_on = is_on().await;
            let forwarded = switcher.tend_forwarder(&mut turn.held(engine, stop)).await;
            engine.give_back(*turn).await?;
            let (was_on, is_on) = (was_on?, is_on().await?);
            return Ok(match forwarded {
                Ok(None) if is_on => Forwarded::On,
                // What failed after it was seen to be on undoes nothing of it.
                Err(_) if is_on && !was_on => Forwarded::On,
                Ok(why) => Forwarded::not(why.unwrap_or_else(|| "it is not to be on".to_owned())),
                Err(failure) => {
                    let is_of_account = failure.side == Some(Side::Target) && failure.error.scope == Scope::Mailbox;
                    let is_absent = is_of_account && matches!(failure.error.cause, Cause::Missing | Cause::Login);
                    let is_away = matches!(failure.error.cause, Cause::Connection | Cause::Tls | Cause::Unavailable);
                    Forwarded::Not { why: failure.to_string(), is_absent, is_away }
                }
            });
        }
        if Instant::now() >= until {
            return Ok(Forwarded::not(
                "another process works on its mailbox, or it is paused: the forwarder comes with the mailbox's next turn",
            ));
        }
        tokio::time::sleep(HELD_AGAIN).await;
    }
}

fn of_file(name: &str, digest: Digest) -> String {
    format!("{name} (SHA-256 {digest})")
}

/// An error in one sentence, with what to do.
fn told(error: &Error) -> String {
    let rule = error.rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
    let advice = error.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("{}{rule}{advice}", error.what)
}
