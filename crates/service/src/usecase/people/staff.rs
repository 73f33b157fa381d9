//! `people tasks`: joiners, movers and leavers, each in its queue.

use std::collections::{HashMap, HashSet};

use model::{AccountState, Entry, EntryKind};
use people::{Class, Object, ObjectId, StaffTask, staff_tasks};
use serde::Serialize;

use super::{Known, PeopleProject, read_entry};
use crate::Error;

/// A task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskLine {
    /// `joiner`, `mover`, `leaver`; `request` for what is to be asked of the platform.
    pub task: &'static str,
    /// Whom it is about.
    pub name: String,
    /// The object, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The number that their organisation tells them apart by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_id: Option<String>,
    /// Why.
    pub why: String,
    /// What somebody has to do.
    pub next: &'static str,
}

/// What is to be done about joiners, movers and leavers.
#[derive(Clone, Debug, Serialize)]
pub struct TasksReport {
    /// After it, whoever is new has a queue of their own (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<i64>,
    /// The tasks.
    pub tasks: Vec<TaskLine>,
}

impl PeopleProject {
    /// Joiners, movers and leavers, by the personnel system and by the directories.
    pub async fn tasks(&self) -> Result<TasksReport, Error> {
        let known = self.known().await?;
        let mut tasks = Vec::new();
        let names_others = |object: &Object| !matches!(object.entry.kind, EntryKind::Person | EntryKind::Contact);
        if self.entry.short_name.is_none() && known.objects.iter().any(names_others) {
            tasks.push(TaskLine {
                task: "request",
                name: self.config.file.organisation.name.clone(),
                id: None,
                local_id: None,
                why: "its shared mailboxes and lists begin with its code: people.short_name is left out".to_owned(),
                next: "ask the platform for a short name, then write it into [people], before they are made",
            });
        }
        for id in self.joiners(&known)? {
            let Some(object) = known.object(&id) else { continue };
            tasks.push(TaskLine {
                task: StaffTask::Joiner.name(),
                name: object.entry.label().to_owned(),
                id: Some(id.to_string()),
                local_id: object.entry.local_id.clone(),
                why: "first seen after the cut-off date".to_owned(),
                next: "let them in with people admit WHO, or leave them to the joiners' process",
            });
        }
        tasks.extend(self.leavers(&known).await?);
        for task in staff_tasks(&self.staff().await?, &known.objects) {
            tasks.push(TaskLine {
                task: task.task.name(),
                name: task.name,
                id: task.object.map(|id| id.to_string()),
                local_id: Some(task.local_id),
                why: task.why,
                next: match task.task {
                    StaffTask::Joiner => "have them made in the directory, or ask why the personnel system has them",
                    StaffTask::Mover => "correct the directory, then people sync",
                    StaffTask::Leaver => {
                        "have the account in the directory disabled; leave them out with people exclude"
                    }
                },
            });
        }
        Ok(TasksReport { cut_off: self.entry.cut_off()?, tasks })
    }

    /// Whoever has left their directory, is switched off there, or was left out, and still has an account that can be used.
    async fn leavers(&self, known: &Known) -> Result<Vec<TaskLine>, Error> {
        let made = self.made().await?;
        let theirs = Accounts::of(known);
        let mut tasks = Vec::new();
        for object in known.objects.iter().chain(&known.gone) {
            let row = known.reconciliation.row(&object.id);
            let (has_left, own) = (people::has_left(&object.entry), made.get(&object.id));
            let why = match row.map(|row| &row.class) {
                None => "gone from the directory; out of the roster",
                Some(class) if class.stays_behind() && has_left => "switched off at the source, and left out",
                Some(class) if class.stays_behind() && own.is_some() => {
                    "left out, and the account that was made for it can be used"
                }
                Some(Class::Existing { .. } | Class::Unresolved(_)) if has_left => {
                    "switched off at the source; out of the roster"
                }
                Some(_) => continue,
            };
            let account = match (row.and_then(|row| row.matched.account()), own) {
                (Some(account), _) => known.account(account),
                (None, Some(own)) => known.account(&own.made.account),
                (None, None) if row.is_none() => theirs.of_gone(object, self),
                (None, None) => None,
            };
            let Some(account) = account else { continue };
            // A plan marks what a plan had switched off.
            let is_off_by_us = known.switched_off.contains_key(&object.id)
                && !matches!(row.map(|row| &row.class), Some(Class::Existing { .. }));
            let can_be_used = !matches!(account.state, AccountState::Leaver | AccountState::Disabled);
            let is_anothers = theirs.is_anothers(account, &object.id);
            if !(can_be_used || is_off_by_us && account.state == AccountState::Disabled)
                || (is_anothers == Holds::Owns)
                || (own.is_none() && is_anothers != Holds::Nothing)
            {
                continue;
            }
            let next = match (own.is_some(), has_left || row.is_none()) {
                (true, _) if is_anothers == Holds::MayBe || row.is_some_and(|row| row.class.name() == "unresolved") => {
                    "its account may be another one's: decide whose it is, people match"
                }
                (true, true) => "mark the account: people plan, approve, people apply",
                (true, false) => "have it disabled in the directory if they have left, else take them in again",
                (false, _) => "tell the platform: their account was there before, and is not this program's to change",
            };
            tasks.push(TaskLine {
                task: StaffTask::Leaver.name(),
                name: object.entry.label().to_owned(),
                id: Some(object.id.to_string()),
                local_id: object.entry.local_id.clone(),
                why: why.to_owned(),
                next,
            });
        }
        Ok(tasks)
    }

    /// The numbers of those who have left, by what the personnel system says.
    pub(crate) async fn left_by_staff(&self) -> Result<HashSet<String>, Error> {
        Ok(people::left(&self.staff().await?))
    }

    /// Objects without an account that were first seen after the cut-off date and that nobody has let in.
    pub(super) fn joiners(&self, known: &Known) -> Result<Vec<ObjectId>, Error> {
        let Some(cut_off) = self.entry.cut_off()? else { return Ok(Vec::new()) };
        let is_joiner = |row: &&people::Reconciled| {
            let id = &row.matched.object;
            let holds_mail = known.object(id).is_some_and(|object| object.entry.kind.holds_mail());
            row.class == Class::New
                && holds_mail
                && known.first_at.get(id).is_some_and(|at| at / 1000 >= cut_off)
                && !known.words.is_admitted(id)
        };
        Ok(known.reconciliation.rows.iter().filter(is_joiner).map(|row| row.matched.object.clone()).collect())
    }

    /// What the personnel system says, as it was last read.
    async fn staff(&self) -> Result<Vec<Entry>, Error> {
        let Some(name) = &self.entry.staff else { return Ok(Vec::new()) };
        let directories = self.store.directories(self.key).await?;
        let Some(row) = directories.iter().find(|row| row.name == *name) else { return Ok(Vec::new()) };
        let entries = self.store.directory_entries(self.key, row.directory, false).await?;
        let entries: Vec<Entry> = entries.iter().map(read_entry).collect::<Result<_, _>>()?;
        let now = self.store.now().await? / 1000;
        let people = entries.into_iter().filter(|entry| entry.kind == EntryKind::Person);
        Ok(people.map(|entry| entry.at(now)).collect())
    }
}

/// Whether others than the one asked about have an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// Nobody has it.
    Nothing,
    /// Something speaks for somebody.
    MayBe,
    /// It is somebody's.
    Owns,
}

/// The platform's accounts by what those who are gone are known by, and whose they are.
struct Accounts<'k> {
    known: &'k Known,
    by_dn: HashMap<String, Vec<&'k Entry>>,
    by_mail: HashMap<String, Vec<&'k Entry>>,
    /// Whose an account is, or may be.
    holders: HashMap<&'k str, Vec<(&'k ObjectId, Holds)>>,
}

impl<'k> Accounts<'k> {
    fn of(known: &'k Known) -> Self {
        let (mut by_dn, mut by_mail) = (HashMap::new(), HashMap::new());
        for account in &known.accounts {
            account.x500_keys().into_iter().for_each(|dn| by_dn.entry(dn).or_insert_with(Vec::new).push(account));
            account.mail_keys().into_iter().for_each(|mail| by_mail.entry(mail).or_insert_with(Vec::new).push(account));
        }
        let mut holders: HashMap<&str, Vec<(&ObjectId, Holds)>> = HashMap::new();
        for matched in known.reconciliation.rows.iter().map(|row| &row.matched) {
            for candidate in &matched.candidates {
                holders.entry(&candidate.account).or_default().push((&matched.object, Holds::MayBe));
            }
            if let Some(account) = matched.account() {
                holders.entry(account).or_default().push((&matched.object, Holds::Owns));
            }
        }
        Self { known, by_dn, by_mail, holders }
    }

    /// Do others than this object have it?
    fn is_anothers(&self, account: &Entry, id: &ObjectId) -> Holds {
        let others = self.holders.get(account.key.as_str()).into_iter().flatten().filter(|(other, _)| *other != id);
        let holds: Vec<Holds> = others.map(|(_, holds)| *holds).collect();
        [Holds::Owns, Holds::MayBe].into_iter().find(|most| holds.contains(most)).unwrap_or(Holds::Nothing)
    }

    /// The only account of the organisation that the legacyExchangeDN, else the addresses, of a person who is gone lead to, unless
    /// somebody has said that it is not theirs.
    fn of_gone(&self, gone: &Object, people: &PeopleProject) -> Option<&'k Entry> {
        if !matches!(gone.entry.kind, EntryKind::Person | EntryKind::System) {
            return None;
        }
        let only = |found: &[&'k Entry]| match found {
            [first, others @ ..] if others.iter().all(|other| other.key == first.key) => Some(*first),
            _ => None,
        };
        let dn = gone.entry.legacy_dn.as_deref().map(model::x500_key).filter(|dn| !dn.is_empty());
        let by_dn = dn.and_then(|dn| only(self.by_dn.get(&dn)?));
        let by_mail = || {
            let found: Vec<&Entry> =
                gone.entry.mail_keys().iter().filter_map(|mail| self.by_mail.get(mail)).flatten().copied().collect();
            only(&found)
        };
        let is_ours = |account: &&Entry| match account.organisation.as_deref() {
            Some(code) => code.eq_ignore_ascii_case(people.config.code.as_str()),
            None => people.entry.platform_is_ours_alone,
        };
        by_dn
            .or_else(by_mail)
            .filter(|account| account.kind == gone.entry.kind)
            .filter(is_ours)
            .filter(|account| !self.known.words.speak_against(&gone.id, &account.key))
    }
}
