//! What became of each row of a submission, in words, and the result file that tells it.

use std::collections::BTreeMap;

use people::{Class, ObjectId, Planned};
use store::{ChangeRow, ChangeState, SubmissionRow};
use table::{Action, Mistakes};

use crate::Error;
use crate::usecase::people::list::reason;
use crate::usecase::people::plan::Summary;
use crate::usecase::people::{Known, PeopleProject};

/// What became of the rows of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes(BTreeMap<u64, (&'static str, String)>);

impl Outcomes {
    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.0.len()
    }

    /// How many rows each outcome has.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        self.0.values().for_each(|(outcome, _)| *counts.entry(*outcome).or_default() += 1);
        counts
    }

    /// What the column of results says, by line.
    pub(super) fn by_line(&self) -> BTreeMap<u64, String> {
        self.0.iter().map(|(line, (_, text))| (*line, text.clone())).collect()
    }
}

/// What stands beside each row of a file with mistakes: what is wrong with it, or that it waits for the others.
pub(super) fn of_mistakes(mistakes: &Mistakes, lines: impl Iterator<Item = u64>) -> BTreeMap<u64, String> {
    let mut by_line = mistakes.by_line();
    for line in lines {
        by_line.entry(line).or_insert_with(|| "well; not used, since other rows have mistakes".to_owned());
    }
    by_line
}

/// What a result file is called.
pub(super) fn result_name(file: &str) -> String {
    match file.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && !ending.contains('/') => format!("{stem}.result.{ending}"),
        _ => format!("{file}.result.csv"),
    }
}

impl PeopleProject {
    /// What became of each row of a submission that was taken.
    pub(super) async fn outcomes(&self, row: &SubmissionRow) -> Result<Outcomes, Error> {
        let rows = self.rows_of(row).await?;
        let known = self.known().await?;
        let joiners = self.joiners(&known)?;
        // Of each object the last change counts, of the plan of this submission and of later ones.
        let mut last: BTreeMap<ObjectId, (i64, ChangeRow)> = BTreeMap::new();
        let (mut conflicts, mut by_hand): (BTreeMap<ObjectId, String>, BTreeMap<ObjectId, String>) = Default::default();
        let plans = self.store.plans(self.key).await?;
        let since = row.of.plan.unwrap_or(i64::MAX);
        for plan in plans.iter().filter(|plan| plan.plan >= since) {
            let is_aside = plan.approved.is_none() && plan.ended_at.is_some();
            if is_aside {
                continue;
            }
            let summary: Summary =
                serde_json::from_str(&plan.summary).map_err(|_| crate::usecase::people::damaged("a plan"))?;
            conflicts.extend(summary.conflicts.into_iter().map(|conflict| (conflict.object, conflict.why)));
            by_hand.extend(summary.by_hand.into_iter().map(|by_hand| (by_hand.object, by_hand.why)));
            for change in self.store.changes(self.key, plan.plan).await? {
                if change.directory == row.of.connector {
                    last.insert(ObjectId::new(&change.directory, &change.key), (plan.plan, change));
                }
            }
        }
        if row.of.plan.is_none() {
            // Nothing was planned: what stands in the way, and what a person has to do, is as it is now.
            let wanted = super::Wanted::of(&rows, &row.of.connector);
            let plan = self.make_plan(&known, Some(&wanted)).await?;
            conflicts.extend(plan.conflicts.into_iter().map(|conflict| (conflict.object, conflict.why)));
            by_hand.extend(plan.by_hand.into_iter().map(|by_hand| (by_hand.object, by_hand.why)));
        }
        let outcome = |row_of: &table::Row| {
            let id = ObjectId::new(&row.of.connector, &row_of.entry.key);
            let outcome = match last.get(&id) {
                Some((plan, change)) => match by_hand.get(&id) {
                    None => of_change(*plan, change),
                    Some(what) => ("by-hand", format!("{}; by hand in the portal: {what}", of_change(*plan, change).1)),
                },
                None if by_hand.contains_key(&id) => ("by-hand", format!("by hand in the portal: {}", by_hand[&id])),
                None => match conflicts.get(&id) {
                    Some(why) => ("not-done", format!("not done: {why}")),
                    None => of_class(&known, &id, row_of.action, joiners.contains(&id)),
                },
            };
            (row_of.line, outcome)
        };
        Ok(Outcomes(rows.iter().map(outcome).collect()))
    }
}

fn of_change(plan: i64, change: &ChangeRow) -> (&'static str, String) {
    let planned = serde_json::from_str::<Planned>(&change.what).ok();
    let does = match &planned {
        Some(Planned::Create { entry, .. }) => ("created", entry.mail.clone().unwrap_or_default()),
        Some(Planned::Update { fields, .. }) => ("updated", fields.join(", ")),
        Some(Planned::Leave { .. }) => ("left", "the account is marked as a leaver's".to_owned()),
        None => ("unknown", String::new()),
    };
    let said = change.said.as_deref().unwrap_or_default();
    match change.state {
        ChangeState::Done if said.is_empty() => (does.0, format!("{}: {}", does.0, does.1)),
        ChangeState::Done => (does.0, format!("{}: {} ({said})", does.0, does.1)),
        ChangeState::Refused | ChangeState::Conflict => ("not-done", format!("not done: {said}")),
        ChangeState::Submitted => ("submitted", said.to_owned()),
        ChangeState::Todo | ChangeState::Doing => {
            ("waits", format!("waits for plan {plan}: to be {}: {}", does.0, does.1))
        }
    }
}

fn of_class(known: &Known, id: &ObjectId, action: Option<Action>, is_joiner: bool) -> (&'static str, String) {
    if action == Some(Action::Leave) {
        let text =
            "nothing to do: no account that was made for it is in use; mark one that was there before on the platform";
        return ("nothing", text.to_owned());
    }
    let Some(row) = known.reconciliation.row(id) else {
        return ("nothing", "nothing to do: it has left since".to_owned());
    };
    let (why, next) = reason(known, row);
    match &row.class {
        Class::Existing { account } => {
            let account = known.account(account);
            let name = account.map(|account| account.mail.clone().unwrap_or_else(|| account.key.clone()));
            ("nothing", format!("nothing to do: the account is {}", name.unwrap_or_default()))
        }
        Class::Excluded { .. } | Class::Archived { .. } => ("left-out", format!("left out {why}")),
        Class::Unresolved(_) | Class::Incomplete(_) => {
            let next = next.map(|next| format!("; {next}")).unwrap_or_default();
            ("waits", format!("waits for a person: {why}{next}"))
        }
        Class::New if is_joiner => {
            ("waits", "waits for a person: it came after the cut-off date; people admit WHO".to_owned())
        }
        Class::New => ("waits", "waits for the next plan".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_file_is_called_after_its_file() {
        for (file, result) in
            [("new.csv", "new.result.csv"), ("a/b.c.xlsx", "a/b.c.result.xlsx"), ("x", "x.result.csv")]
        {
            assert_eq!(result_name(file), result);
        }
    }
}
