//! `report`: what can be handed to a board. One struct each for *overall*, *failed* and *schedule*, shown in every form.
//!
//! Every number can be followed down: overall to people, failed items to their references, and those to `failed`, `held` and
//! `rules`. Subjects of items stand in a report only for those who may see them, and the audit log says who asked.

pub(crate) mod daily;
pub(crate) mod hours;
mod letter;
mod schedule;
mod schedule_shown;
pub(crate) mod shown;
mod subjects;

use std::collections::{BTreeMap, HashSet};

use connector::{Clock, SystemClock};
use model::{Cause, Owner, Phase, Tally};
use profile::Policy;
use serde::Serialize;
use store::{How, MailboxRow, ProjectKey, RemovalState, Store, TreatmentRow};

pub use daily::{SentLetter, SentReport, SentReports};
pub use letter::{Letter, LetterItem};
pub use schedule::{
    Activation, BehindLine, CollectionSchedule, DayLine, Expected, RunRate, ScheduleReport, ScheduleVerdict,
};

use super::rules::RuleCount;
use super::words::reference;
use crate::secret::Environment;
use crate::{Error, Project, Selection};

/// All of something, in hundredths of a percent.
const WHOLE: u32 = 10_000;

/// What a report is about.
#[derive(Clone, Debug, Serialize)]
pub struct Heading {
    /// The organisation.
    pub organisation: String,
    /// Its code.
    pub code: String,
    /// The project.
    pub project: String,
    /// When the report was made (seconds since 1970).
    pub at: i64,
    /// The policy in force, as fates cite it.
    pub policy: String,
    /// What was chosen, when not everybody was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
}

/// Where everybody stands.
#[derive(Clone, Debug, Serialize)]
pub struct OverallReport {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// The people, as `people.csv` has them.
    pub people: Vec<PersonLine>,
    /// All together.
    pub all: Counts,
    /// How many items failed, against what is expected.
    pub failures: FailureRate,
    /// The same for each collection, and for those who are in none.
    pub collections: Vec<CollectionLine>,
    /// What rules made of items.
    pub rules: Vec<RuleCount>,
    /// Exceptions that were still so at the last pass.
    pub exceptions: Vec<ExceptionLine>,
    /// Mailboxes that go to the archive alone, which are among none of these but the exceptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveLine>,
}

/// Where the mailboxes stand that go to the archive alone.
#[derive(Clone, Debug, Serialize)]
pub struct ArchiveLine {
    /// Each.
    pub mailboxes: Vec<PersonLine>,
    /// All together.
    #[serde(flatten)]
    pub all: Counts,
}

/// Where somebody stands.
#[derive(Clone, Debug, Serialize)]
pub struct PersonLine {
    /// What people call them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their mailbox, by its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// The collection it moves with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// How far it is.
    pub phase: Phase,
    /// Running, waiting or parked.
    pub condition: String,
    /// What it waits for, or why it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was last read in full (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read: Option<i64>,
    /// Its numbers.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What there is and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Folders at the source.
    pub folders: u64,
    /// Of these: read to their end at least once. The items of the others are not among those of the source yet.
    pub folders_read: u64,
    /// Items that are known of: those of the source in folders read to their end, and in others those that have a fate.
    pub known: u64,
    /// Items by fate.
    #[serde(flatten)]
    pub items: Tally,
    /// Of those on the target: with a note in place of what a rule bans.
    pub replaced: u64,
    /// Of those on the target: written so that the target can hold them.
    pub repaired: u64,
    /// Of those that failed: somebody has accepted their loss.
    pub accepted: u64,
    /// Removals at the source that wait for a word.
    pub removals_held: u64,
    /// Items without a fate, or with more than one, in folders read to their end: the sums do not hold.
    pub unaccounted: u64,
    /// How much is done, in hundredths of a percent; see [`Counts::done`].
    pub done_hundredths: u32,
}

impl Counts {
    /// How much is done: the smaller of two shares, that of the folders read to their end, and that of the items with an
    /// outcome that asks nothing of anybody any more. Nothing before a folder was listed; all of it only when nothing is left.
    fn done(&self) -> u32 {
        let items = &self.items;
        let settled = items.on_target() + items.excluded + items.withdrawn + self.accepted;
        if self.folders == 0 { 0 } else { share(self.folders_read, self.folders).min(share(settled, self.known)) }
    }

    fn add(&mut self, other: &Self) {
        self.folders += other.folders;
        self.folders_read += other.folders_read;
        self.known += other.known;
        self.items += other.items;
        self.replaced += other.replaced;
        self.repaired += other.repaired;
        self.accepted += other.accepted;
        self.removals_held += other.removals_held;
        self.unaccounted += other.unaccounted;
    }

    /// All people together. What is done is the mean over people: of those not begun nobody knows how many items they have.
    fn of(people: &[&PersonLine]) -> Self {
        let mut all = Self::default();
        for person in people {
            all.add(&person.counts);
        }
        let done: u64 = people.iter().map(|person| u64::from(person.counts.done_hundredths)).sum();
        all.done_hundredths = done.checked_div(people.len() as u64).unwrap_or_default() as u32;
        all
    }
}

/// A share in hundredths of a percent, rounded down: whole only when nothing is missing.
fn share(part: u64, of: u64) -> u32 {
    let hundredths = (u128::from(part) * u128::from(WHOLE)).checked_div(u128::from(of));
    hundredths.map_or(WHOLE, |share| share.min(u128::from(WHOLE)) as u32)
}

/// How many items failed, against what the policy expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FailureRate {
    /// Items that failed, accepted ones included.
    pub failed: u64,
    /// Items that have an outcome.
    pub of: u64,
    /// So many of a million, rounded up; none as long as no item has an outcome.
    pub per_million: Option<u64>,
    /// So many of a million are expected.
    pub expected_per_million: u32,
    /// More than so many of a million are an alert.
    pub alert_per_million: u32,
    /// What that means.
    pub verdict: RateVerdict,
}

/// What a failure rate means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateVerdict {
    /// No item has an outcome yet.
    Unknown,
    /// Not more than is expected.
    Expected,
    /// More than is expected.
    MoreThanExpected,
    /// So many more that somebody must act.
    Alert,
}

impl FailureRate {
    /// The rate of this tally under this policy.
    pub fn new(items: &Tally, policy: &Policy) -> Self {
        let (failed, of) = (items.failed, items.accounted());
        let (expected, alert) = (policy.failures_per_million_expected, policy.failures_per_million_alert);
        // Rounded up, a rate is above a limit exactly when the true one is.
        let per_million = (of > 0).then(|| (u128::from(failed) * 1_000_000).div_ceil(u128::from(of)) as u64);
        let verdict = match per_million {
            None => RateVerdict::Unknown,
            Some(rate) if rate > u64::from(alert) => RateVerdict::Alert,
            Some(rate) if rate > u64::from(expected) => RateVerdict::MoreThanExpected,
            Some(_) => RateVerdict::Expected,
        };
        Self { failed, of, per_million, expected_per_million: expected, alert_per_million: alert, verdict }
    }
}

/// Where a collection stands.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionLine {
    /// Its name; none for those who are in none.
    pub collection: Option<String>,
    /// How many people.
    pub people: u64,
    /// Of these: in step with the source, or turned over.
    pub in_step: u64,
    /// Its numbers.
    #[serde(flatten)]
    pub counts: Counts,
    /// How many items failed, against what is expected.
    pub failures: FailureRate,
}

/// Something that no one may overlook.
#[derive(Clone, Debug, Serialize)]
pub struct ExceptionLine {
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// What its person is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The folder at the source.
    pub folder: String,
    /// The class.
    pub cause: Cause,
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Everything that failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedItemsReport {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// How many items failed, against what is expected.
    pub failures: FailureRate,
    /// By class, the most frequent first.
    pub classes: Vec<ClassLine>,
    /// Item by item.
    pub items: Vec<FailedItem>,
    /// Subjects were asked for: the mailboxes whose source could not be asked, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subjects_missing: Option<Vec<String>>,
}

/// How many items failed for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassLine {
    /// The class.
    pub cause: Cause,
    /// How many items.
    pub items: u64,
    /// Of these: somebody has accepted their loss.
    pub accepted: u64,
    /// Who has to act.
    pub owner: Owner,
    /// What to do about it.
    pub advice: &'static str,
}

/// An item that failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedItem {
    /// What to call it in `failed retry` and `failed accept`.
    pub reference: String,
    /// The mailbox, by its name at the source.
    pub mailbox: String,
    /// What its person is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The collection it moves with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// The folder at the source.
    pub folder: String,
    /// When it was received (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<i64>,
    /// The class.
    pub cause: Cause,
    /// What it is about, where that was asked for and the source tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How many bytes.
    pub size_bytes: u64,
    /// How often it was tried.
    pub tries: u64,
    /// Who has to act.
    pub owner: Owner,
    /// What was tried and why it failed.
    pub what: String,
    /// The server's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What to do about it.
    pub advice: &'static str,
    /// Who has accepted its loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_why: Option<String>,
}

impl ClassLine {
    /// The classes of these items.
    pub fn of(items: &[FailedItem]) -> Vec<Self> {
        let mut classes = BTreeMap::<Cause, Self>::new();
        for item in items {
            let (cause, owner, advice) = (item.cause, item.owner, item.advice);
            let class = classes.entry(cause).or_insert(Self { cause, items: 0, accepted: 0, owner, advice });
            class.items += 1;
            class.accepted += u64::from(item.accepted_by.is_some());
        }
        let mut classes: Vec<Self> = classes.into_values().collect();
        classes.sort_by_key(|class| std::cmp::Reverse(class.items));
        classes
    }
}

impl OverallReport {
    /// Adds up what is known of the people.
    pub fn of(heading: Heading, people: Vec<PersonLine>, exceptions: Vec<ExceptionLine>, policy: &Policy) -> Self {
        let mut members = BTreeMap::<(bool, Option<&str>), Vec<&PersonLine>>::new();
        for person in &people {
            let name = person.collection.as_deref();
            members.entry((name.is_none(), name)).or_default().push(person);
        }
        let line = |((_, name), members): (&(bool, Option<&str>), &Vec<&PersonLine>)| {
            let counts = Counts::of(members);
            CollectionLine {
                collection: name.map(str::to_owned),
                people: members.len() as u64,
                in_step: members.iter().filter(|person| person.is_in_step()).count() as u64,
                counts,
                failures: FailureRate::new(&counts.items, policy),
            }
        };
        let collections = members.iter().map(line).collect();
        let all = Counts::of(&people.iter().collect::<Vec<_>>());
        let failures = FailureRate::new(&all.items, policy);
        Self { heading, people, all, failures, collections, rules: Vec::new(), exceptions, archive: None }
    }
}

impl FailedItemsReport {
    /// The report of these items, which are among so many.
    pub fn of(heading: Heading, all: &Tally, items: Vec<FailedItem>, policy: &Policy) -> Self {
        let (failures, classes) = (FailureRate::new(all, policy), ClassLine::of(&items));
        Self { heading, failures, classes, items, subjects_missing: None }
    }
}

impl PersonLine {
    fn is_in_step(&self) -> bool {
        self.phase >= Phase::InStep
    }
}

impl Project {
    /// Where everybody chosen stands.
    pub async fn report_overall(&self, selection: &Selection) -> Result<OverallReport, Error> {
        let (archived, rows) = self.select(selection).await?.into_iter().partition(|row| self.is_archived(row));
        let report = |rows| overall(&self.store, self.key, rows, self.report_heading(selection), &self.config.policy);
        let (mut all, archived) = (report(rows).await?, report(archived).await?);
        if !archived.people.is_empty() {
            all.exceptions.extend(archived.exceptions);
            all.archive = Some(ArchiveLine { mailboxes: archived.people, all: archived.all });
        }
        Ok(all)
    }

    /// What failed of everybody chosen; with their subjects, if whoever asks may see them, read at the source now.
    pub async fn report_failed(
        &self,
        selection: &Selection,
        subjects: Option<Environment<'_>>,
    ) -> Result<FailedItemsReport, Error> {
        if subjects.is_some() {
            self.may_see_subjects()?;
        }
        let (mut failed, mut tally) = (Vec::new(), Tally::default());
        for row in self.select(selection).await? {
            let treated = self.store.treatments(self.key, row.mailbox).await?;
            // What the policy expects to fail, it expects of the target.
            if !self.is_archived(&row) {
                tally += counts(&self.store, self.key, &row, &treated).await?.items;
            }
            let items = failed_items(&self.store, self.key, &row).await?;
            failed.push((row, items));
        }
        let mut subjects_missing = None;
        if let Some(environment) = subjects {
            let of = failed.iter().filter(|(_, items)| !items.is_empty());
            let mailboxes: Vec<&str> = of.map(|(row, _)| row.roster.source_name.as_str()).collect();
            let count = failed.iter().map(|(_, items)| items.len() as u64).sum();
            self.audit_subjects("report.subjects", &mailboxes, count).await?;
            subjects_missing = Some(self.add_subjects(&mut failed, environment).await?);
        }
        let items: Vec<FailedItem> = failed.into_iter().flat_map(|(_, items)| items).map(|(_, item)| item).collect();
        let report = FailedItemsReport::of(self.report_heading(selection), &tally, items, &self.config.policy);
        Ok(FailedItemsReport { subjects_missing, ..report })
    }

    /// A letter to one person about their own items that failed.
    pub async fn letter(
        &self,
        mailbox: &str,
        contact: Option<&str>,
        subjects: Option<Environment<'_>>,
    ) -> Result<Letter, Error> {
        let with_subjects = subjects.is_some();
        if with_subjects {
            self.may_see_subjects()?;
        }
        let selection = Selection { mailboxes: vec![mailbox.to_owned()], collection: None };
        let rows = self.select(&selection).await?;
        let [row] = rows.as_slice() else {
            let names: Vec<&str> = rows.iter().map(|row| row.roster.source_name.as_str()).collect();
            let error = Error::usage(format!("{mailbox:?} is the name of {} mailboxes", names.len()));
            return Err(error.advise(format!("give the name at the source: one of {}", names.join(", "))));
        };
        let treated = self.store.treatments(self.key, row.mailbox).await?;
        let counts = counts(&self.store, self.key, row, &treated).await?;
        let mut failed = vec![(row.clone(), failed_items(&self.store, self.key, row).await?)];
        if let Some(environment) = subjects {
            let count = failed[0].1.len() as u64;
            self.audit_subjects("letter.subjects", &[row.roster.source_name.as_str()], count).await?;
            if let Some(why) = self.add_subjects(&mut failed, environment).await?.pop() {
                let error = Error::usage(format!("the subjects cannot be read at the source: {why}"));
                return Err(error.advise("correct that, or leave --subjects out"));
            }
        }
        let items = failed.into_iter().flat_map(|(_, items)| items);
        Ok(Letter {
            heading: self.report_heading(&selection),
            name: row.roster.name.clone(),
            mailbox: row.roster.source_name.clone(),
            contact: contact.map(str::to_owned),
            items: counts.items,
            replaced: counts.replaced,
            repaired: counts.repaired,
            failed: items.map(|(_, item)| LetterItem::of(item)).collect(),
            subjects: with_subjects,
        })
    }

    pub(crate) fn report_heading(&self, selection: &Selection) -> Heading {
        let file = &self.config.file;
        let mut only: Vec<String> = selection.mailboxes.clone();
        only.extend(selection.collection.iter().map(|name| format!("collection {name}")));
        Heading {
            organisation: file.organisation.name.clone(),
            code: self.config.code.to_string(),
            project: file.project.clone(),
            at: SystemClock.unix_seconds(),
            policy: self.config.policy.citation.clone(),
            only: (!only.is_empty()).then(|| only.join(", ")),
        }
    }
}

/// Where these mailboxes stand.
pub(crate) async fn overall(
    store: &Store,
    key: ProjectKey,
    rows: Vec<MailboxRow>,
    heading: Heading,
    policy: &Policy,
) -> Result<OverallReport, Error> {
    let (mut people, mut exceptions, mut rules) = (Vec::new(), Vec::new(), Vec::new());
    let open: Vec<_> = store.exceptions(key).await?.into_iter().filter(|exception| exception.is_open).collect();
    for row in rows {
        let treated = store.treatments(key, row.mailbox).await?;
        let counts = counts(store, key, &row, &treated).await?;
        let roster = &row.roster;
        for made in treated {
            RuleCount::add(&mut rules, &made.treatment);
        }
        for found in open.iter().filter(|found| found.mailbox == row.mailbox) {
            exceptions.push(ExceptionLine {
                mailbox: roster.source_name.clone(),
                name: roster.name.clone(),
                folder: found.exception.path.to_string(),
                cause: found.exception.class,
                what: found.exception.what.clone(),
                advice: found.exception.class.advice(),
            });
        }
        people.push(PersonLine {
            name: roster.name.clone(),
            source: roster.source_name.clone(),
            target: roster.target_name.clone(),
            collection: roster.collection.clone(),
            phase: row.state.phase,
            condition: row.state.condition.name().to_owned(),
            reason: row.state.condition.reason().map(str::to_owned),
            last_read: row.pass.map(|(_, ended)| ended / 1000),
            counts,
        });
    }
    RuleCount::sort(&mut rules);
    Ok(OverallReport { rules, ..OverallReport::of(heading, people, exceptions, policy) })
}

/// What failed of a mailbox, and where the ledger has it.
pub(crate) async fn failed_items(
    store: &Store,
    key: ProjectKey,
    row: &MailboxRow,
) -> Result<Vec<subjects::Placed>, Error> {
    let failures = store.failures(key, Some(row.mailbox)).await?;
    let placed = failures.into_iter().map(|failure| {
        let item = FailedItem {
            reference: reference(failure.folder, &failure.source_id),
            mailbox: row.roster.source_name.clone(),
            name: row.roster.name.clone(),
            collection: row.roster.collection.clone(),
            folder: failure.path.to_string(),
            received: failure.received,
            subject: None,
            cause: failure.cause,
            size_bytes: failure.size_bytes,
            tries: failure.tries.unsigned_abs(),
            owner: failure.cause.owner(),
            what: failure.what,
            server: failure.server,
            advice: failure.cause.advice(),
            accepted_by: failure.accepted_by,
            accepted_why: failure.accepted_why,
        };
        ((failure.folder, failure.source_id), item)
    });
    Ok(placed.collect())
}

/// What there is of a mailbox, and what became of it.
pub(crate) async fn counts(
    store: &Store,
    key: ProjectKey,
    row: &MailboxRow,
    treated: &[TreatmentRow],
) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let mut listed = HashSet::new();
    for (folder, tally) in store.tallies(key, row.mailbox).await? {
        if folder.is_gone() {
            continue;
        }
        listed.insert(folder.folder);
        counts.folders += 1;
        counts.known += if folder.source.is_some() { tally.source } else { tally.accounted() };
        if folder.source.is_some() {
            counts.folders_read += 1;
            counts.unaccounted += tally.source.abs_diff(tally.accounted());
        }
        counts.items += tally;
    }
    let treated_so = |how| treated.iter().filter(|row| row.treatment.how == how).count() as u64;
    counts.replaced = treated_so(How::Replaced);
    counts.repaired = treated_so(How::Repaired);
    let failures = store.failures(key, Some(row.mailbox)).await?;
    let is_accepted = |row: &&store::FailureRow| row.accepted_by.is_some() && listed.contains(&row.folder);
    counts.accepted = failures.iter().filter(is_accepted).count() as u64;
    let removals = store.held_removals(key, row.mailbox).await?;
    counts.removals_held = removals.iter().filter(|removal| removal.state == RemovalState::Held).count() as u64;
    counts.done_hundredths = counts.done();
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_above_a_limit_exactly_when_the_true_one_is() {
        let policy = Policy::plain();
        for (failed, copied, rate, verdict) in [
            (0, 0, None, RateVerdict::Unknown),
            (0, 1, Some(0), RateVerdict::Expected),
            (1, 9_999, Some(100), RateVerdict::Expected),
            (1, 9_998, Some(101), RateVerdict::MoreThanExpected),
            (1, 999, Some(1_000), RateVerdict::MoreThanExpected),
            (1, 998, Some(1_002), RateVerdict::Alert),
            (u64::MAX / 2, u64::MAX / 2, Some(500_000), RateVerdict::Alert),
        ] {
            let found = FailureRate::new(&Tally { failed, copied, ..Tally::default() }, &policy);
            assert_eq!((found.per_million, found.verdict), (rate, verdict), "{failed} beside {copied}");
        }
    }

    #[test]
    fn done_is_whole_only_when_nothing_is_left() {
        let counts = |folders, folders_read, source, copied, failed, accepted| {
            let items = Tally { source, copied, failed, ..Tally::default() };
            Counts { folders, folders_read, known: source.max(items.accounted()), items, accepted, ..Counts::default() }
                .done()
        };
        assert_eq!(counts(0, 0, 0, 0, 0, 0), 0, "not begun");
        assert_eq!(counts(1, 1, 0, 0, 0, 0), WHOLE, "an empty mailbox");
        assert_eq!(counts(2, 1, 10, 500, 0, 0), 5_000, "half of the folders");
        assert_eq!(counts(2, 2, 1_000_000, 999_999, 1, 0), 9_999, "one failed");
        assert_eq!(counts(2, 2, 1_000_000, 999_999, 1, 1), WHOLE, "and was accepted");
    }
}
