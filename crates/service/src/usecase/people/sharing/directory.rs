//! The rights that the platform's directory keeps, as they are to be.

use std::collections::{BTreeMap, HashMap};

use connector::{Change, ChangeOutcome, DirectoryTarget, Door, PlannedChange};
use model::{Entry, Grant, Reference, Right};
use people::Accounts;

use super::mail::{Became, worse};

/// What the platform's directory is called among objects.
pub(super) const PLATFORM: &str = "platform";

/// Entries that are asked for and changed at once.
const PORTION: usize = 100;

/// What one row needs of an entry.
#[derive(Clone, Debug)]
pub(super) struct Need {
    /// The number of the row.
    pub row: usize,
    /// Which right.
    pub right: Right,
    /// Whose, by the key of their entry.
    pub grantee: String,
}

/// Does an entry give this right to this account?
fn gives(entry: &Entry, need: &Need, accounts: &Accounts<'_>, is_denied: bool) -> bool {
    entry.grants.iter().any(|grant| {
        grant.right == need.right
            && grant.is_denied == is_denied
            && accounts.key(&grant.to) == Some(need.grantee.as_str())
    })
}

/// Adds what is missing to these entries, by their keys, and reads it back. Where nothing is to be changed, what would become of
/// each row.
pub(super) async fn give(
    target: &dyn DirectoryTarget,
    needs: &BTreeMap<String, Vec<Need>>,
    accounts: &Accounts<'_>,
    door: Option<&dyn Door>,
    became: &mut HashMap<usize, Became>,
) -> Result<usize, connector::Error> {
    let mut added = 0;
    let keys: Vec<String> = needs.keys().cloned().collect();
    for portion in keys.chunks(PORTION) {
        let entries = by_key(target.entries(portion).await?);
        let mut changes = Vec::new();
        for key in portion {
            let Some(before) = entries.get(key) else {
                let why = format!("the platform has no entry {key} any more");
                for need in &needs[key] {
                    worse(became, need.row, Became::Failed(why.clone()));
                }
                continue;
            };
            let mut after = before.clone();
            for need in &needs[key] {
                if gives(before, need, accounts, true) {
                    worse(became, need.row, Became::Failed("it is denied to them on the platform".to_owned()));
                } else if gives(before, need, accounts, false) {
                    worse(became, need.row, Became::WasThere);
                } else {
                    worse(became, need.row, Became::Given);
                    if !gives(&after, need, accounts, false) {
                        added += 1;
                        after.grants.push(Grant::of(Reference::Key(need.grantee.clone()), need.right.clone()));
                    }
                }
            }
            if after.grants != before.grants {
                let change = Change::Update { before: Box::new(before.clone()), after: Box::new(after) };
                changes.push((key, PlannedChange { id: format!("sharing {key}"), change }));
            }
        }
        if let Some(door) = door {
            carry_out(target, &changes, needs, accounts, door, became).await?;
        }
    }
    Ok(added)
}

async fn carry_out(
    target: &dyn DirectoryTarget,
    changes: &[(&String, PlannedChange)],
    needs: &BTreeMap<String, Vec<Need>>,
    accounts: &Accounts<'_>,
    door: &dyn Door,
    became: &mut HashMap<usize, Became>,
) -> Result<(), connector::Error> {
    let planned: Vec<PlannedChange> = changes.iter().map(|(_, change)| change.clone()).collect();
    let outcomes = target.apply(&planned, door).await?;
    let keys: Vec<String> = changes.iter().map(|(key, _)| (*key).clone()).collect();
    let after = by_key(target.entries(&keys).await?);
    for ((key, _), outcome) in changes.iter().zip(outcomes) {
        let refused = match outcome {
            ChangeOutcome::Done { .. } | ChangeOutcome::Unchanged { .. } => None,
            ChangeOutcome::Submitted { submission } => {
                Some(Became::Waits(format!("it was handed over as {submission}; the answer comes later")))
            }
            ChangeOutcome::Refused(error) => Some(Became::Failed(error.to_string())),
            ChangeOutcome::Conflict(what) => Some(Became::Failed(format!("{what}: run it again"))),
            ChangeOutcome::InDoubt(error) => {
                Some(Became::Failed(format!("it is not known whether it was given ({error}): run it again")))
            }
        };
        let is_new = |need: &&Need| became.get(&need.row) == Some(&Became::Given);
        let new: Vec<&Need> = needs[*key].iter().filter(is_new).collect();
        for need in new {
            let is_there = after.get(*key).is_some_and(|entry| gives(entry, need, accounts, false));
            let one = match &refused {
                Some(refused) => refused.clone(),
                None if is_there => continue,
                None => Became::ByHand("the platform's directory does not keep it".to_owned()),
            };
            worse(became, need.row, one);
        }
    }
    Ok(())
}

fn by_key(entries: Vec<Entry>) -> HashMap<String, Entry> {
    entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect()
}
