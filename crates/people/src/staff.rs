//! Joiners, movers and leavers: what the personnel system says, held against the directories.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{AccountState, Entry};
use serde::{Deserialize, Serialize};

use crate::matching::{local_id, without_zeros};
use crate::{Object, ObjectId};

/// What has to be done about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaffTask {
    /// They have joined: an account is to be asked for.
    Joiner,
    /// They have moved: department, job or organisation is another.
    Mover,
    /// They have left: their account is to be marked.
    Leaver,
}

impl StaffTask {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Joiner => "joiner",
            Self::Mover => "mover",
            Self::Leaver => "leaver",
        }
    }
}

/// A task about somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What.
    pub task: StaffTask,
    /// The number that the organisation tells them apart by.
    pub local_id: String,
    /// What they are called.
    pub name: String,
    /// Their object, where there is one.
    pub object: Option<ObjectId>,
    /// Why, in words.
    pub why: String,
}

/// The tasks that come of what the personnel system says: in the order of the numbers.
///
/// Only the number tells who is who: names change, and are shared. Whom the personnel system does not know is left alone: a
/// list of staff seldom has everybody.
pub fn staff_tasks(staff: &[Entry], objects: &[Object]) -> Vec<Task> {
    let mut of: HashMap<String, Vec<&Object>> = HashMap::new();
    for object in objects {
        if let Some(number) = staff_number(&object.entry) {
            of.entry(number).or_default().push(object);
        }
    }
    // Of a number with a record of somebody who is there, one that has ended is of an earlier post.
    let left = left(staff);
    let mut tasks = BTreeMap::new();
    for member in staff {
        let Some(id) = staff_number(member) else { continue };
        let found = of.get(&id).map(Vec::as_slice).unwrap_or_default();
        let has_left = left.contains(&id);
        if !has_left && is_over(member) {
            continue;
        }
        // Who is active comes first: a number may have an entry that is switched off besides.
        let mut found = found.to_vec();
        found.sort_by_key(|object| (object.entry.state != AccountState::Active, object.id.clone()));
        let several = found.iter().filter(|object| object.entry.state == AccountState::Active).count() > 1;
        let several = if several { "; several entries have this number" } else { "" };
        let of_object = |task, object: &Object, why: String| Task {
            task,
            local_id: member.local_id.clone().unwrap_or_default(),
            name: object.entry.label().to_owned(),
            object: Some(object.id.clone()),
            why,
        };
        let task = match found.as_slice() {
            [] if has_left => None,
            [] => Some(Task {
                task: StaffTask::Joiner,
                local_id: member.local_id.clone().unwrap_or_default(),
                name: member.label().to_owned(),
                object: None,
                why: "the personnel system has them, and no directory does".to_owned(),
            }),
            [object, ..] if has_left && object.entry.state == AccountState::Active => Some(of_object(
                StaffTask::Leaver,
                object,
                format!("the personnel system says {}, and the directory says active{several}", member.state.name()),
            )),
            [object, ..] => {
                moved(member, object).filter(|_| !has_left).map(|why| of_object(StaffTask::Mover, object, why))
            }
        };
        tasks.extend(task.map(|task| (id.clone(), task)));
    }
    tasks.into_values().collect()
}

/// The numbers of those who have left, by what the personnel system says, in the form in which numbers are compared. A number
/// that it has twice, once of somebody who is there, is nobody's.
pub fn left(staff: &[Entry]) -> HashSet<String> {
    let numbers = |left: bool| -> HashSet<String> {
        staff.iter().filter(|entry| is_over(entry) == left).filter_map(staff_number).collect()
    };
    let there = numbers(false);
    numbers(true).into_iter().filter(|number| !there.contains(number)).collect()
}

/// The number that the organisation tells somebody apart by, in the form in which numbers are compared.
pub fn staff_number(entry: &Entry) -> Option<String> {
    local_id(entry).map(|id| without_zeros(&id).to_owned()).filter(|number| !number.is_empty())
}

/// Does the personnel system say that it is over?
fn is_over(entry: &Entry) -> bool {
    matches!(entry.state, AccountState::Leaver | AccountState::Disabled | AccountState::Expired)
}

/// What of somebody's place differs.
fn moved(member: &Entry, object: &Object) -> Option<String> {
    let own = &object.entry;
    let fields = [
        ("department", &member.department, &own.department),
        ("job title", &member.job_title, &own.job_title),
        ("organisation", &member.organisation, &own.organisation),
    ];
    let differs = |there: &Option<String>, here: &Option<String>| match (there, here) {
        (Some(there), Some(here)) => !there.trim().eq_ignore_ascii_case(here.trim()),
        _ => false,
    };
    let changed: Vec<String> = fields
        .into_iter()
        .filter(|(_, there, here)| differs(there, here))
        .map(|(name, there, here)| {
            format!("{name}: {} in place of {}", there.as_deref().unwrap_or(""), here.as_deref().unwrap_or(""))
        })
        .collect();
    (!changed.is_empty()).then(|| changed.join("; "))
}

#[cfg(test)]
mod tests {
    use model::EntryKind;

    use super::*;

    fn member(id: &str, state: AccountState, department: &str) -> Entry {
        let mut entry = Entry::new(format!("hr{id}"), EntryKind::Person);
        (entry.local_id, entry.state) = (Some(id.into()), state);
        entry.department = Some(department.into());
        entry.names.display = Some(format!("Member {id}"));
        entry
    }

    fn object(id: &str, department: &str) -> Object {
        let mut entry = member(id, AccountState::Active, department);
        entry.key = format!("k{id}");
        Object { id: ObjectId::new("ad", format!("k{id}")), entry }
    }

    #[test]
    fn the_personnel_system_makes_tasks_of_joiners_movers_and_leavers() {
        let staff = [
            member("1", AccountState::Active, "Ward 7"),
            member("2", AccountState::Leaver, "Ward 7"),
            member("3", AccountState::Active, "Ward 8"),
            member("4", AccountState::Active, "Ward 7"),
            member("5", AccountState::Leaver, "Ward 7"),
        ];
        let objects = [object("1", "ward 7"), object("2", "Ward 7"), object("3", "Ward 7"), object("6", "Ward 9")];
        let tasks = staff_tasks(&staff, &objects);
        let told: Vec<(&str, &str)> = tasks.iter().map(|task| (task.local_id.as_str(), task.task.name())).collect();
        assert_eq!(told, [("2", "leaver"), ("3", "mover"), ("4", "joiner")]);
        assert!(tasks[1].why.contains("Ward 8 in place of Ward 7"), "{tasks:?}");
    }

    #[test]
    fn an_earlier_post_that_has_ended_and_a_number_of_nobody_make_no_leaver() {
        let staff = [
            member("7", AccountState::Leaver, "Ward 7"),
            member("007", AccountState::Active, "Ward 7"),
            member("000", AccountState::Leaver, "Ward 7"),
        ];
        let objects = [object("7", "Ward 7"), object("0", "Ward 7"), object("00", "Ward 7")];
        assert_eq!(staff_tasks(&staff, &objects), []);
        assert_eq!(left(&staff), HashSet::new());
    }
}
