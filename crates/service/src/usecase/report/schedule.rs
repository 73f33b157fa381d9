//! `report schedule`: what was planned and what came, how fast it goes, who is late, and who has not activated their account (R-218;
//! ruling A-02: the third of the daily reports, which the governing documents leave unnamed).

use std::collections::{BTreeMap, HashMap};

use connector::{Clock, SystemClock};
use jiff::Timestamp;
use model::{Condition, Phase};
use serde::Serialize;
use store::{DayRow, Figures, MailboxRow, Worked};

use super::Heading;
use crate::usecase::collection::{Basis, CollectionStatus, Expected as End, Standing, timestamp};
use crate::usecase::people::{ActivationLine, PeopleProject};
use crate::{Error, Project, Selection};

/// So many days are told of.
const DAYS_MAX: u32 = 14;

/// What was planned and what came.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleReport {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// Each collection, and those who are in none.
    pub collections: Vec<CollectionSchedule>,
    /// All together; without a date.
    pub all: CollectionSchedule,
    /// Who is late, waits, or needs a person.
    pub behind: Vec<BehindLine>,
    /// What each of the last days did, the oldest first; and today, so far.
    pub days: Vec<DayLine>,
    /// Who has not activated their account. None: this project makes no accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

/// A collection: where it stands, and how that agrees with its date.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CollectionSchedule {
    /// Its name; none for those who are in none.
    pub collection: Option<String>,
    /// The day by which it is to be in step, as 2026-11-26; none where none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// How many mailboxes.
    pub mailboxes: u64,
    /// Of these: nothing was copied yet.
    pub not_begun: u64,
    /// Being copied, or not in step any more.
    pub copying: u64,
    /// In step with the source.
    pub in_step: u64,
    /// Turned over, or being so.
    pub turned_over: u64,
    /// Among those not in step: waiting for something that passes.
    pub waiting: u64,
    /// Among those not in step: waiting for a person.
    pub parked: u64,
    /// Among those not in step: left for the mop-up, or not moving, by somebody's word.
    #[serde(skip_serializing_if = "is_none")]
    pub set_aside: u64,
    /// Not in step although the date has passed.
    pub late: u64,
    /// How fast it was copied.
    pub rate: RunRate,
    /// When it should be in step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// What that means.
    pub verdict: ScheduleVerdict,
}

/// How fast mailboxes were copied, while they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunRate {
    /// Items.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Milliseconds of work, of all workers together.
    pub worked_ms: u64,
}

impl RunRate {
    /// Items that one worker copies in an hour.
    pub fn items_an_hour(&self) -> Option<u64> {
        self.an_hour(self.items)
    }

    /// Bytes that one worker copies in an hour.
    pub fn bytes_an_hour(&self) -> Option<u64> {
        self.an_hour(self.bytes)
    }

    fn an_hour(&self, number: u64) -> Option<u64> {
        let hourly = u128::from(number) * 3_600_000;
        hourly.checked_div(self.worked_ms.into()).map(|number| number.min(u64::MAX.into()) as u64)
    }

    fn add(&mut self, worked: &Worked) {
        self.items += worked.items;
        self.bytes += worked.bytes;
        self.worked_ms += worked.ms;
    }
}

/// When something should be in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// In half of all cases not later (seconds since 1970).
    pub likely: i64,
    /// In nine of ten cases not later.
    pub latest: i64,
}

/// How a collection agrees with its date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleVerdict {
    /// All of it is in step, or turned over.
    Done,
    /// It has no date.
    #[default]
    NoDate,
    /// It has a date, and nothing is known of how long it takes.
    NotPredicted,
    /// It should be in step by its date.
    OnTime,
    /// It may be late.
    AtRisk,
    /// It should be late, unless something is done.
    WillBeLate,
    /// Its date has passed.
    Late,
}

impl ScheduleVerdict {
    /// What this collection's numbers mean, beside its date (seconds since 1970).
    fn of(line: &CollectionSchedule, date: Option<i64>) -> Self {
        if line.in_step + line.turned_over + line.set_aside == line.mailboxes {
            return Self::Done;
        }
        match (date, line.expected) {
            (None, _) => Self::NoDate,
            (Some(_), _) if line.late > 0 => Self::Late,
            (Some(_), None) => Self::NotPredicted,
            (Some(date), Some(expected)) if expected.likely > date => Self::WillBeLate,
            (Some(date), Some(expected)) if expected.latest > date => Self::AtRisk,
            (Some(_), Some(_)) => Self::OnTime,
        }
    }
}

/// Somebody who is late, waits, or needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BehindLine {
    /// Their mailbox, by its name at the source.
    pub mailbox: String,
    /// What people call them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The collection it moves with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// The day by which it was to be in step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// That day has passed.
    pub is_late: bool,
    /// How far it is.
    pub phase: Phase,
    /// Running, waiting or parked.
    pub condition: String,
    /// Since when (seconds since 1970).
    pub since: i64,
    /// What it waits for, or why it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a day did, and where it left the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayLine {
    /// The day, as 2026-11-26; several where nobody counted in between.
    pub day: String,
    /// It is not over yet.
    pub is_today: bool,
    /// From when on it is counted (seconds since 1970); none: from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Until when.
    pub until: i64,
    /// Items copied.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Changes of the source that were made on the target.
    pub followed: u64,
    /// Mailboxes that came into step, less those that fell out of it.
    pub came_into_step: i64,
    /// Mailboxes that were turned over, less those that went back.
    pub turned_over: i64,
    /// Items that failed, less those that fail no more.
    pub failed: i64,
    /// Items that were failed at its end.
    pub failed_at_end: u64,
    /// Mailboxes in step, or turned over, at its end.
    pub in_step_at_end: u64,
    /// Mailboxes at its end.
    pub mailboxes_at_end: u64,
}

impl DayLine {
    fn between(before: Option<&DayRow>, row: &DayRow, is_today: bool) -> Self {
        let (now, was) = (row.figures, before.map(|row| row.figures).unwrap_or_default());
        let more = |now: u64, was: u64| now as i64 - was as i64;
        Self {
            day: row.day.clone(),
            is_today,
            from: before.map(|row| row.taken_at / 1000),
            until: row.taken_at / 1000,
            items: now.items.saturating_sub(was.items),
            bytes: now.bytes.saturating_sub(was.bytes),
            followed: now.followed.saturating_sub(was.followed),
            came_into_step: more(now.in_step, was.in_step),
            turned_over: more(now.turned_over, was.turned_over),
            failed: more(now.failed, was.failed),
            failed_at_end: now.failed,
            in_step_at_end: now.in_step,
            mailboxes_at_end: now.mailboxes,
        }
    }

    /// What the days did, of rows in their order; the first one is where they begin, unless the project began then.
    pub fn of(rows: &[DayRow], today: &DayRow) -> Vec<Self> {
        let all: Vec<&DayRow> = rows.iter().chain([today]).collect();
        let first = (rows.len() < DAYS_MAX as usize + 1).then(|| Self::between(None, all[0], rows.is_empty()));
        let rest = all.windows(2).enumerate().map(|(place, pair)| {
            let is_today = place + 2 == all.len();
            Self::between(Some(pair[0]), pair[1], is_today)
        });
        first.into_iter().chain(rest).collect()
    }
}

/// Who has not activated their account.
#[derive(Clone, Debug, Serialize)]
pub struct Activation {
    /// Accounts that were made and are activated.
    pub activated: u64,
    /// Those that are not, those with the fewest days left first.
    pub waiting: Vec<ActivationLine>,
}

/// What was planned for a collection, and when it should be in step. Moments are seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    /// By when it is to be in step.
    pub(crate) date: Option<i64>,
    /// When it should be.
    pub(crate) expected: Option<Expected>,
}

impl ScheduleReport {
    /// Adds up what is known.
    pub(crate) fn of(heading: Heading, facts: &Facts<'_>) -> Self {
        let mut lines = BTreeMap::<(bool, Option<&str>), CollectionSchedule>::new();
        let mut all = CollectionSchedule::default();
        let mut behind = Vec::new();
        let now = facts.now.as_second();
        let worked: BTreeMap<i64, &Worked> = facts.worked.iter().map(|worked| (worked.mailbox, worked)).collect();
        for row in facts.rows {
            let name = row.roster.collection.as_deref();
            let planned = facts.planned.get(&row.roster.collection).copied().unwrap_or_default();
            let of = facts.of.get(&row.mailbox).copied().unwrap_or_default();
            let due = of.date.or(planned.date);
            let is_late = row.state.phase < Phase::InStep && !of.is_set_aside && due.is_some_and(|due| due <= now);
            let date = due.map(|due| facts.day(due));
            let line = lines.entry((name.is_none(), name)).or_insert_with(|| CollectionSchedule {
                collection: name.map(str::to_owned),
                date: planned.date.map(|date| facts.day(date)),
                expected: planned.expected,
                ..CollectionSchedule::default()
            });
            for line in [line, &mut all] {
                line.count(row, is_late, of.is_set_aside);
                worked.get(&row.mailbox).iter().for_each(|worked| line.rate.add(worked));
            }
            let needs_something = row.state.phase < Phase::InStep && row.state.condition != Condition::Running;
            let is_behind = is_late || needs_something || matches!(row.state.condition, Condition::Parked(_));
            if is_behind && !of.is_set_aside {
                behind.push(BehindLine {
                    mailbox: row.roster.source_name.clone(),
                    name: row.roster.name.clone(),
                    collection: row.roster.collection.clone(),
                    date,
                    is_late,
                    phase: row.state.phase,
                    condition: row.state.condition.name().to_owned(),
                    since: row.since / 1000,
                    reason: row.state.condition.reason().map(str::to_owned),
                });
            }
        }
        let collections = lines.into_values().map(|mut line| {
            let date = facts.planned.get(&line.collection).and_then(|planned| planned.date);
            line.verdict = ScheduleVerdict::of(&line, date);
            line
        });
        let collections: Vec<CollectionSchedule> = collections.collect();
        all.verdict = ScheduleVerdict::of(&all, None);
        Self { heading, collections, all, behind, days: facts.days.clone(), activation: facts.activation.clone() }
    }
}

impl CollectionSchedule {
    fn count(&mut self, row: &MailboxRow, is_late: bool, is_set_aside: bool) {
        self.mailboxes += 1;
        self.set_aside += u64::from(is_set_aside && row.state.phase < Phase::InStep);
        self.late += u64::from(is_late);
        match row.state.phase {
            Phase::Planned => self.not_begun += 1,
            Phase::Copying => self.copying += 1,
            Phase::InStep | Phase::Switching => self.in_step += 1,
            Phase::Switched | Phase::Settled => self.turned_over += 1,
        }
        match row.state.condition {
            Condition::Waiting(_) if row.state.phase < Phase::InStep => self.waiting += 1,
            Condition::Parked(_) => self.parked += 1,
            _ => {}
        }
    }
}

/// What the report is made of.
pub(crate) struct Facts<'f> {
    pub(crate) rows: &'f [MailboxRow],
    pub(crate) worked: &'f [Worked],
    pub(crate) planned: BTreeMap<Option<String>, Planned>,
    pub(crate) of: HashMap<i64, OfMailbox>,
    pub(crate) days: Vec<DayLine>,
    pub(crate) activation: Option<Activation>,
    pub(crate) zone: &'f jiff::tz::TimeZone,
    pub(crate) now: Timestamp,
}

/// What is known of a mailbox besides its row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OfMailbox {
    /// By when it is to be in step, its own or its collection's (seconds since 1970).
    pub(crate) date: Option<i64>,
    /// It is left for the mop-up, or does not move.
    pub(crate) is_set_aside: bool,
}

impl Facts<'_> {
    /// The local day of a moment in seconds since 1970.
    fn day(&self, at: i64) -> String {
        self.zone.to_datetime(timestamp(at * 1000)).date().to_string()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

impl Project {
    /// What was planned for everybody chosen, and what came.
    pub async fn report_schedule(&self, selection: &Selection) -> Result<ScheduleReport, Error> {
        let now = Timestamp::from_second(SystemClock.unix_seconds()).unwrap_or(Timestamp::UNIX_EPOCH);
        self.report_schedule_at(selection, now).await
    }

    pub(crate) async fn report_schedule_at(
        &self,
        selection: &Selection,
        now: Timestamp,
    ) -> Result<ScheduleReport, Error> {
        let mut rows = self.select(selection).await?;
        rows.retain(|row| !self.is_archived(row));
        let (standing, zone) = (self.standing(false).await?, self.config.time_zone());
        let of = rows.iter().map(|row| {
            let date = standing.date(row.mailbox).map(|ms| ms / 1000);
            (row.mailbox, OfMailbox { date, is_set_aside: standing.facts(row.mailbox).set_aside.is_some() })
        });
        let heading = Heading { at: now.as_second(), ..self.report_heading(selection) };
        // What days did, and who activated what, is known of the whole project only.
        let is_whole = *selection == Selection::default();
        let facts = Facts {
            planned: plans(&standing),
            of: of.collect(),
            worked: &self.store.worked(self.key).await?,
            rows: &rows,
            days: if is_whole { self.days(now).await? } else { Vec::new() },
            activation: if is_whole { self.activation_at(now).await? } else { None },
            zone: &zone,
            now,
        };
        Ok(ScheduleReport::of(heading, &facts))
    }

    async fn days(&self, now: Timestamp) -> Result<Vec<DayLine>, Error> {
        let rows = self.store.days(self.key, DAYS_MAX + 1).await?;
        let figures: Figures = self.store.figures(self.key).await?;
        let day = self.config.time_zone().to_datetime(now).date().to_string();
        Ok(DayLine::of(&rows, &DayRow { day, taken_at: now.as_millisecond(), figures }))
    }

    async fn activation_at(&self, now: Timestamp) -> Result<Option<Activation>, Error> {
        let Some(entry) = self.config.file.people.clone() else { return Ok(None) };
        let (config, store, actor) = (self.config.clone(), self.store.clone(), self.actor.clone());
        let people = PeopleProject::of(config, entry, store, self.key, actor)?;
        let report = people.activation(Some(now.as_millisecond())).await?;
        let any = report.activated + report.waiting.len() > 0;
        Ok(any.then_some(Activation { activated: report.activated as u64, waiting: report.waiting }))
    }
}

/// What was planned for each collection, and when it should be in step; without collections, of everybody.
fn plans(standing: &Standing) -> BTreeMap<Option<String>, Planned> {
    let plan = |status: CollectionStatus| {
        let expected = match status.expected {
            // Of half of all cases, and of nine in ten.
            End::Between { earliest_ms, latest_ms, basis: Basis::Prediction } => Some((earliest_ms, latest_ms)),
            // Of the fast times and of the slow ones.
            End::Between { earliest_ms, latest_ms, .. } => {
                Some((earliest_ms + (latest_ms - earliest_ms) / 2, latest_ms))
            }
            End::Done | End::Unknown { .. } => None,
        };
        let expected = expected.map(|(likely, latest)| Expected { likely: likely / 1000, latest: latest / 1000 });
        Planned { date: status.date, expected }
    };
    let mut planned: BTreeMap<Option<String>, Planned> =
        standing.collections.iter().map(|row| (Some(row.is.name.clone()), plan(standing.status(row)))).collect();
    if planned.is_empty() {
        planned.insert(None, plan(standing.status_of_all("")));
    }
    planned
}
