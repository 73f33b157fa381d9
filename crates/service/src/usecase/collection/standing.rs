//! Where collections stand: all that is known of a project's mailboxes and lists, read once, and what follows of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use connector::Usage;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{Condition, EntryKind, Phase};
use movement::Pace;
use serde::{Deserialize, Serialize};
use store::{CollectionRow, MailboxFacts, MailboxRow, MemberRow, Object, RateRow, SwitchHow, VipRow};

use super::forecast::{Basis, Done, Expected, HOUR_MS, Left, Outlook, SEEN_HOURS, Speed, expected, outlook, speed};
use super::wait::{Asked, Wait, wait};
use crate::usecase::people::PeopleProject;
use crate::{Error, Project, when};

/// A distribution list of the people's plane.
#[derive(Clone, Debug)]
pub(crate) struct ListFacts {
    /// What people know it by.
    pub name: String,
    /// Its address.
    pub mail: Option<String>,
    /// Its class.
    pub class: &'static str,
    /// It moves: it is not left out.
    pub moves: bool,
}

/// What was last predicted of a mailbox.
#[derive(Clone, Copy, Debug, Default)]
struct Predicted {
    to_copy: Usage,
    time: Option<(u64, u64)>,
    is_begun: bool,
    at: i64,
}

/// How fast something went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// Items copied in a second.
    pub items_per_second: f64,
    /// Gigabytes (of a thousand million bytes) copied in an hour.
    pub gigabytes_per_hour: f64,
    /// Mailboxes that got in step for the first time in a day.
    pub users_per_day: f64,
}

/// Where a collection stands, or the whole project. Times are seconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionStatus {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// From when its mailboxes are kept in step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// How they come to switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<SwitchHow>,
    /// Its date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<i64>,
    /// Mailboxes in it.
    pub mailboxes: u64,
    /// Distribution lists in it.
    pub lists: u64,
    /// Of the mailboxes: in step, or further.
    pub in_step: u64,
    /// Begun, and not in step.
    pub copying: u64,
    /// Not begun.
    pub planned: u64,
    /// Those that wait for something in their way.
    pub waiting: u64,
    /// Those that stand still until a person acts.
    pub parked: u64,
    /// Those that a person has left for the mop-up, or said not to move.
    pub set_aside: u64,
    /// Those of VIPs.
    pub vips: u64,
    /// Items that failed without anybody's word.
    pub failed_items: u64,
    /// How much is done, in hundredths of a percent.
    pub done_hundredths: u32,
    /// Items that were copied.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How fast it went in the last hour.
    pub last_hour: Rate,
    /// And in the last day.
    pub last_day: Rate,
    /// When it will be in step.
    pub expected: Expected,
    /// That, for people.
    pub expected_text: String,
    /// Whether that is before its date; none where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlook: Option<Outlook>,
    /// That, for people, with by how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlook_text: Option<String>,
    /// When it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<i64>,
    /// When the last of it was first in step; none before all of it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_in_step: Option<i64>,
    /// What was planned beside what came of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub planned_and_actual: Vec<String>,
}

/// All that is known of a project's collections.
pub(crate) struct Standing {
    pub now: Timestamp,
    pub zone: TimeZone,
    pub collections: Vec<CollectionRow>,
    pub members: HashMap<Object, MemberRow>,
    /// The mailboxes of the roster.
    pub mailboxes: Vec<MailboxRow>,
    pub facts: HashMap<i64, MailboxFacts>,
    pub vips: HashMap<i64, VipRow>,
    /// The lists of the people's plane.
    pub lists: BTreeMap<Object, ListFacts>,
    /// Why mailboxes that are on the roster may not be copied.
    pub withheld: HashMap<i64, String>,
    /// Items that failed without anybody's word, by mailbox.
    pub failed: HashMap<i64, u64>,
    predicted: HashMap<i64, Predicted>,
    rates: Vec<RateRow>,
    usual: Option<u64>,
    at_once: u64,
    /// What was read by collection: places in `mailboxes`.
    by_collection: HashMap<Option<i64>, Vec<usize>>,
}

#[derive(Deserialize)]
struct Detail {
    numbers: DetailNumbers,
    time: Option<DetailTime>,
}

#[derive(Deserialize)]
struct DetailNumbers {
    to_copy: Usage,
}

#[derive(Deserialize)]
struct DetailTime {
    p50_seconds: u64,
    p90_seconds: u64,
}

impl Project {
    /// The distribution lists that the directories tell of.
    pub(crate) async fn lists(&self) -> Result<BTreeMap<Object, ListFacts>, Error> {
        let Some(entry) = &self.config.file.people else { return Ok(BTreeMap::new()) };
        let (config, store, actor) = (self.config.clone(), self.store.clone(), self.actor.clone());
        let plane = PeopleProject::of(config, entry.clone(), store, self.key, actor)?;
        let known = plane.known().await?;
        let mut lists = BTreeMap::new();
        for row in &known.reconciliation.rows {
            let id = &row.matched.object;
            let Some(object) = known.object(id).filter(|object| object.entry.kind == EntryKind::List) else { continue };
            let facts = ListFacts {
                name: object.entry.label().to_owned(),
                mail: object.entry.mail.clone(),
                class: row.class.name(),
                moves: !row.class.stays_behind(),
            };
            lists.insert(Object::List(id.directory.clone(), id.key.clone()), facts);
        }
        Ok(lists)
    }

    /// All that is known of the project's collections; without its distribution lists, where nobody asks for them.
    pub(crate) async fn standing(&self, with_lists: bool) -> Result<Standing, Error> {
        let (store, key) = (&self.store, self.key);
        let now_ms = store.now().await?;
        let mut mailboxes = store.mailboxes(key).await?;
        mailboxes.retain(|row| row.listed);
        let facts = store.mailbox_facts(key).await?;
        let mut by_collection: HashMap<Option<i64>, Vec<usize>> = HashMap::new();
        for (place, row) in mailboxes.iter().enumerate() {
            let member_of = facts.get(&row.mailbox).and_then(|facts| facts.member_of);
            by_collection.entry(member_of).or_default().push(place);
        }
        let predicted = store.predictions(key).await?.into_iter().filter_map(|(mailbox, row)| {
            let detail: Detail = serde_json::from_str(&row.detail).ok()?;
            let time = detail.time.map(|time| (time.p50_seconds, time.p90_seconds));
            Some((mailbox, Predicted { to_copy: detail.numbers.to_copy, time, is_begun: row.is_begun, at: row.at }))
        });
        let mut names: HashSet<String> = HashSet::new();
        names.extend(self.withheld.iter().map(|withheld| withheld.source.to_lowercase()));
        let mut withheld = HashMap::new();
        for row in mailboxes.iter().filter(|row| names.contains(&row.roster.source_name.to_lowercase())) {
            if let Some(found) = self.withheld(row) {
                withheld.insert(row.mailbox, found.why.clone());
            }
        }
        let costs: Vec<u64> = mailboxes
            .iter()
            .filter(|row| row.state.phase >= Phase::InStep)
            .filter_map(|row| facts.get(&row.mailbox))
            .filter(|facts| facts.worked_items > 0)
            .map(cost)
            .collect();
        let usual = (!costs.is_empty()).then(|| costs.iter().sum::<u64>() / costs.len() as u64);
        Ok(Standing {
            now: timestamp(now_ms),
            zone: self.config.time_zone(),
            collections: store.collections(key).await?,
            members: store.collection_members(key).await?.into_iter().map(|row| (row.object.clone(), row)).collect(),
            vips: store.vips(key).await?.into_iter().map(|row| (row.mailbox, row)).collect(),
            lists: if with_lists { self.lists().await? } else { BTreeMap::new() },
            withheld,
            failed: store.failed_counts(key).await?.into_iter().map(|(mailbox, (open, _))| (mailbox, open)).collect(),
            predicted: predicted.collect(),
            rates: store.rates(key, now_ms / HOUR_MS - SEEN_HOURS).await?,
            usual,
            at_once: self.config.file.people_at_once as u64,
            mailboxes,
            facts,
            by_collection,
        })
    }
}

/// A moment in milliseconds since 1970; one that no calendar has is none of ours.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn cost(facts: &MailboxFacts) -> u64 {
    Pace::cost(Usage { bytes: facts.worked_bytes, items: facts.worked_items })
}

impl Standing {
    pub(crate) fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// A moment of this project, for people.
    pub(crate) fn shown(&self, ms: i64) -> String {
        when::shown(ms, &self.zone)
    }

    pub(crate) fn collection(&self, number: i64) -> Option<&CollectionRow> {
        self.collections.iter().find(|row| row.collection == number)
    }

    /// The mailboxes of a collection; of none, those in no collection.
    pub(crate) fn mailboxes_of(&self, collection: Option<i64>) -> impl Iterator<Item = &MailboxRow> {
        self.by_collection.get(&collection).into_iter().flatten().map(|place| &self.mailboxes[*place])
    }

    pub(crate) fn facts(&self, mailbox: i64) -> MailboxFacts {
        self.facts.get(&mailbox).cloned().unwrap_or_default()
    }

    /// Is its person a VIP?
    pub(crate) fn is_vip(&self, mailbox: i64) -> bool {
        self.vips.contains_key(&mailbox)
    }

    /// The date of a mailbox: its own, or its collection's.
    pub(crate) fn date(&self, mailbox: i64) -> Option<i64> {
        let member = self.members.get(&Object::Mailbox(mailbox))?;
        member.switch_at.or(self.collection(member.collection)?.is.switch_at)
    }

    /// What a mailbox waits for.
    pub(crate) fn wait(&self, row: &MailboxRow) -> Option<Wait> {
        let member = self.members.get(&Object::Mailbox(row.mailbox));
        let asked = Asked {
            row,
            facts: &self.facts(row.mailbox),
            collection: member.and_then(|member| self.collection(member.collection)),
            added_at: member.map(|member| member.added_at),
            has_collections: !self.collections.is_empty(),
            date: self.date(row.mailbox),
            withheld: self.withheld.get(&row.mailbox).map(String::as_str),
        };
        wait(&asked, self.now, &self.zone)
    }

    /// Where a collection stands.
    pub(crate) fn status(&self, collection: &CollectionRow) -> CollectionStatus {
        let rows: Vec<&MailboxRow> = self.mailboxes_of(Some(collection.collection)).collect();
        self.status_of(&rows, Some(collection))
    }

    /// Where the whole project stands.
    pub(crate) fn status_of_all(&self, name: &str) -> CollectionStatus {
        let rows: Vec<&MailboxRow> = self.mailboxes.iter().collect();
        CollectionStatus { name: name.to_owned(), ..self.status_of(&rows, None) }
    }

    fn status_of(&self, rows: &[&MailboxRow], collection: Option<&CollectionRow>) -> CollectionStatus {
        let is = collection.map(|row| &row.is);
        let counted = self.count(rows);
        let first_ms = rows.iter().filter_map(|row| self.facts.get(&row.mailbox)?.begun_at).min();
        let last_ms = rows.iter().filter_map(|row| self.facts.get(&row.mailbox)?.in_step_at).max();
        let is_done = counted.moving > 0 && counted.in_step == counted.moving;
        let (expected, stuck) = self.expected(rows, collection, first_ms);
        let date = is.and_then(|is| is.switch_at);
        let by_date = date.map(|date| match last_ms.filter(|_| is_done) {
            // What is in step was so in time, or not.
            Some(at) if at > date => (Outlook::WillMiss, at - date),
            _ => outlook(&expected, date, self.now_ms(), stuck),
        });
        let lists = collection.map_or_else(
            || self.members.keys().filter(|object| matches!(object, Object::List(..))).count(),
            |row| {
                let is_list = |member: &&MemberRow| {
                    member.collection == row.collection && matches!(member.object, Object::List(..))
                };
                self.members.values().filter(is_list).count()
            },
        );
        let actual =
            self.planned_and_actual(is.and_then(|is| is.start_at), date, first_ms, last_ms.filter(|_| is_done));
        CollectionStatus {
            name: is.map(|is| is.name.clone()).unwrap_or_default(),
            description: is.map(|is| is.description.clone()).unwrap_or_default(),
            start: is.and_then(|is| is.start_at).map(|ms| ms / 1000),
            switch: is.map(|is| is.switch),
            date: date.map(|ms| ms / 1000),
            mailboxes: rows.len() as u64,
            lists: lists as u64,
            last_hour: self.rate(collection.map(|row| row.collection), 1, first_ms),
            last_day: self.rate(collection.map(|row| row.collection), 24, first_ms),
            expected_text: self.expected_text(&expected, stuck),
            expected,
            outlook: by_date.map(|(outlook, _)| outlook),
            outlook_text: by_date.map(|(outlook, by)| outlook_text(outlook, by, is_done)),
            begun: first_ms.map(|ms| ms / 1000),
            all_in_step: last_ms.filter(|_| is_done).map(|ms| ms / 1000),
            planned_and_actual: actual,
            ..counted.status
        }
    }

    fn count(&self, rows: &[&MailboxRow]) -> Counted {
        let mut status = CollectionStatus {
            name: String::new(),
            description: String::new(),
            start: None,
            switch: None,
            date: None,
            mailboxes: 0,
            lists: 0,
            in_step: 0,
            copying: 0,
            planned: 0,
            waiting: 0,
            parked: 0,
            set_aside: 0,
            vips: 0,
            failed_items: 0,
            done_hundredths: 0,
            items: 0,
            bytes: 0,
            last_hour: Rate::default(),
            last_day: Rate::default(),
            expected: Expected::Done,
            expected_text: String::new(),
            outlook: None,
            outlook_text: None,
            begun: None,
            all_in_step: None,
            planned_and_actual: Vec::new(),
        };
        let (mut moving, mut in_step, mut done) = (0_u64, 0_u64, 0_u64);
        for row in rows {
            let facts = self.facts(row.mailbox);
            status.items += facts.worked_items;
            status.bytes += facts.worked_bytes;
            status.failed_items += self.failed.get(&row.mailbox).copied().unwrap_or_default();
            status.vips += u64::from(self.vips.contains_key(&row.mailbox));
            match row.state.phase {
                Phase::Planned => status.planned += 1,
                Phase::Copying => status.copying += 1,
                _ => status.in_step += 1,
            }
            if facts.set_aside.is_some() {
                status.set_aside += 1;
                continue;
            }
            match row.state.condition {
                Condition::Parked(_) => status.parked += 1,
                Condition::Waiting(_) => status.waiting += 1,
                Condition::Running => {}
            }
            moving += 1;
            let is_in_step = row.state.phase >= Phase::InStep;
            in_step += u64::from(is_in_step);
            done += if is_in_step { 10_000 } else { self.share(row.mailbox, &facts) };
        }
        status.done_hundredths = u32::try_from(done.checked_div(moving).unwrap_or_default()).unwrap_or(10_000);
        Counted { status, moving, in_step }
    }

    /// How much of a mailbox that is not in step is done, in hundredths of a percent, by what was predicted of it.
    fn share(&self, mailbox: i64, facts: &MailboxFacts) -> u64 {
        let Some(predicted) = self.predicted.get(&mailbox).filter(|predicted| !predicted.is_begun) else { return 0 };
        let all = Pace::cost(predicted.to_copy).max(1);
        // It is whole only once it is in step.
        (u128::from(cost(facts)) * 10_000 / u128::from(all)).min(9_900) as u64
    }

    /// How much work a mailbox still is; none where nobody knows.
    fn left(&self, row: &MailboxRow, facts: &MailboxFacts) -> Option<u64> {
        let predicted = self.predicted.get(&row.mailbox)?;
        let all = Pace::cost(predicted.to_copy);
        Some(match (predicted.is_begun, row.pass) {
            (false, _) => all.saturating_sub(cost(facts)),
            (true, Some((_, ended))) if ended >= predicted.at => 0,
            (true, _) => all,
        })
    }

    /// When these mailboxes will be in step, and how many of them stand still until a person acts.
    fn expected(
        &self,
        rows: &[&MailboxRow],
        collection: Option<&CollectionRow>,
        first_ms: Option<i64>,
    ) -> (Expected, u64) {
        let (mut left, mut stuck) = (Left { usual: self.usual, ..Left::default() }, 0);
        let (mut half, mut nine, mut longest, mut timed) = (0, 0, (0, 0), 0);
        for row in rows.iter().filter(|row| row.state.phase < Phase::InStep) {
            let facts = self.facts(row.mailbox);
            if facts.set_aside.is_some() {
                continue;
            }
            if self.is_stuck(row) {
                stuck += 1;
                continue;
            }
            left.mailboxes += 1;
            match self.left(row, &facts) {
                Some(work) => left.work += work,
                None => left.unknown += 1,
            }
            if let Some((p50, p90)) = self.predicted.get(&row.mailbox).and_then(|predicted| predicted.time) {
                (half, nine, timed) = (half + p50, nine + p90, timed + 1);
                longest = (p50.max(longest.0), p90.max(longest.1));
            }
        }
        let at_once = self.at_once.min(left.mailboxes).max(1);
        // One mailbox is copied by one worker: it takes as long as it takes, however many there are.
        let shared = || ((half / at_once).max(longest.0), (nine / at_once).max(longest.1));
        left.predicted = (timed == left.mailboxes).then(shared);
        let begins = match collection.map(|row| row.is.start_at) {
            Some(None) if left.mailboxes > 0 && first_ms.is_none() => {
                let name = collection.map(|row| row.is.name.as_str()).unwrap_or_default();
                let why = format!("it has no start: whimbrel collection change {name:?} --start WHEN");
                return (Expected::Unknown { why }, stuck);
            }
            Some(Some(start)) => start.max(self.now_ms()),
            _ => self.now_ms(),
        };
        let own = self.speed(collection.map(|row| row.collection), first_ms);
        let (speed, shared_by) = match own {
            Some(speed) => (Some((speed, if collection.is_some() { Basis::Collection } else { Basis::Project })), 1),
            None => {
                let first_of_all = self.facts.values().filter_map(|facts| facts.begun_at).min();
                let of_all = self.speed(None, first_of_all).map(|speed| (speed, Basis::Project));
                (of_all, self.under_way(collection) + 1)
            }
        };
        (expected(&left, speed, begins, shared_by), stuck)
    }

    /// Does it stand still until a person acts?
    fn is_stuck(&self, row: &MailboxRow) -> bool {
        let waits_for_word = matches!(row.state.condition, Condition::Waiting(_)) && row.state.cause.is_none();
        let is_parked = matches!(row.state.condition, Condition::Parked(_));
        is_parked || (waits_for_word && row.pass.is_some()) || self.withheld.contains_key(&row.mailbox)
    }

    /// How many other collections are being worked on.
    fn under_way(&self, than: Option<&CollectionRow>) -> u64 {
        let is_other = |row: &&CollectionRow| than.is_none_or(|than| than.collection != row.collection);
        let works = |row: &&CollectionRow| {
            row.is.start_at.is_some_and(|start| start <= self.now_ms())
                && self.mailboxes_of(Some(row.collection)).any(|row| row.state.phase < Phase::InStep)
        };
        self.collections.iter().filter(is_other).filter(works).count() as u64
    }

    fn speed(&self, collection: Option<i64>, first_ms: Option<i64>) -> Option<Speed> {
        let of = self.rates.iter().filter(|row| collection.is_none_or(|number| row.collection == number));
        let done: Vec<Done> = of
            .map(|row| Done { hour: row.hour, work: Pace::cost(Usage { bytes: row.bytes, items: row.items }) })
            .collect();
        // What was done of somebody who has moved elsewhere since was done, too.
        let first_done = done.iter().find(|done| done.work > 0).map(|done| done.hour * HOUR_MS);
        let first = match (first_ms, first_done) {
            (Some(begun), Some(done)) if begun < done + HOUR_MS => begun,
            (_, done) => done?,
        };
        speed(&done, first, self.now_ms())
    }

    /// How fast it went in the last so many hours and in the one that is under way.
    fn rate(&self, collection: Option<i64>, hours: i64, first_ms: Option<i64>) -> Rate {
        let from = self.now_ms() / HOUR_MS - hours;
        let of = self.rates.iter().filter(|row| collection.is_none_or(|number| row.collection == number));
        let (mut items, mut bytes, mut in_step) = (0, 0, 0);
        for row in of.filter(|row| row.hour >= from) {
            (items, bytes, in_step) = (items + row.items, bytes + row.bytes, in_step + row.in_step);
        }
        let since = first_ms.map_or(from * HOUR_MS, |first| first.max(from * HOUR_MS));
        let seconds = ((self.now_ms() - since).max(1_000) as f64) / 1_000.0;
        let round = |number: f64| (number * 1_000.0).round() / 1_000.0;
        // What was seen for less than an hour is not drawn out to a day.
        let days = if seconds < 3_600.0 { 1.0 } else { (seconds / 86_400.0).min(1.0) };
        Rate {
            items_per_second: round(items as f64 / seconds),
            gigabytes_per_hour: round(bytes as f64 / 1e9 / (seconds / 3_600.0)),
            users_per_day: round(in_step as f64 / days),
        }
    }

    /// When a member will be in step: no sooner than its own rest takes, no later than its whole collection, of which so much work
    /// is left.
    pub(crate) fn outlook_of(&self, row: &MailboxRow, of: &Expected, left_of_all: u64) -> Option<(Outlook, i64)> {
        let date = self.date(row.mailbox)?;
        let facts = self.facts(row.mailbox);
        if row.state.phase >= Phase::InStep || facts.set_aside.is_some() {
            return None;
        }
        let expected = match of {
            Expected::Between { earliest_ms, latest_ms, basis } => {
                let whole = *earliest_ms - self.now_ms();
                let share = self.left(row, &facts).map_or(0.0, |own| own as f64 / left_of_all.max(1) as f64);
                let earliest_ms = self.now_ms() + (whole as f64 * share.min(1.0)) as i64;
                Expected::Between { earliest_ms, latest_ms: *latest_ms, basis: *basis }
            }
            other => other.clone(),
        };
        Some(outlook(&expected, date, self.now_ms(), u64::from(self.is_stuck(row))))
    }

    /// All the work that is left of a collection, as far as it is known.
    pub(crate) fn left_of(&self, collection: i64) -> u64 {
        let rows = self.mailboxes_of(Some(collection)).filter(|row| row.state.phase < Phase::InStep);
        rows.filter_map(|row| self.left(row, &self.facts(row.mailbox))).sum()
    }

    fn expected_text(&self, expected: &Expected, stuck: u64) -> String {
        let text = match expected {
            Expected::Done if stuck == 0 => "in step".to_owned(),
            Expected::Done => "all that can be copied is in step".to_owned(),
            Expected::Between { earliest_ms, latest_ms, basis } => {
                let basis = match basis {
                    Basis::Collection => "its own rate",
                    Basis::Project => "the project's rate",
                    Basis::Prediction => "what preflight predicted",
                };
                format!("between {} and {}, by {basis}", self.shown(*earliest_ms), self.shown(*latest_ms))
            }
            Expected::Unknown { why } => format!("not known: {why}"),
        };
        match stuck {
            0 => text,
            1 => format!("{text}; 1 mailbox waits for a person"),
            _ => format!("{text}; {} wait for a person", movement::state::counted(stuck, "mailbox")),
        }
    }

    fn planned_and_actual(
        &self,
        start: Option<i64>,
        date: Option<i64>,
        first_ms: Option<i64>,
        all_ms: Option<i64>,
    ) -> Vec<String> {
        let mut text = Vec::new();
        let than = |planned: i64, actual: i64| match actual - planned {
            late if late >= 60_000 => format!("{} late", when::span(late)),
            early if early <= -60_000 => format!("{} early", when::span(-early)),
            _ => "as planned".to_owned(),
        };
        match (start, first_ms) {
            (Some(start), Some(first)) => {
                let (planned, actual) = (self.shown(start), self.shown(first));
                text.push(format!("start: planned {planned}, begun {actual}, {}", than(start, first)));
            }
            (Some(start), None) if start < self.now_ms() => {
                let late = when::span(self.now_ms() - start);
                text.push(format!("start: planned {}, not begun, {late} late", self.shown(start)));
            }
            _ => {}
        }
        if let (Some(date), Some(all)) = (date, all_ms) {
            text.push(format!("in step: {}, date {}, {}", self.shown(all), self.shown(date), than(date, all)));
        }
        text
    }
}

struct Counted {
    status: CollectionStatus,
    moving: u64,
    in_step: u64,
}

pub(crate) fn outlook_text(outlook: Outlook, by_ms: i64, is_done: bool) -> String {
    let words = outlook.words();
    let by = when::span(by_ms.abs());
    match outlook {
        Outlook::OnTime if is_done => words.to_owned(),
        Outlook::OnTime => format!("{words}, {by} before its date at least"),
        Outlook::AtRisk if by_ms > 0 => format!("{words}, up to {by} late"),
        Outlook::WillMiss if is_done => format!("missed by {by}"),
        Outlook::WillMiss => format!("{words} its date by {by} at least"),
        _ => words.to_owned(),
    }
}
