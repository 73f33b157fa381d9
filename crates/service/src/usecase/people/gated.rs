//! What is done to accounts asks the gates of a governed project, portion by portion.

use std::collections::HashMap;

use model::EntryKind;
use people::{Line, ObjectId, Planned};
use store::ChangeRow;

use super::PeopleProject;
use super::apply::has_password;
use crate::Error;
use crate::usecase::governed::{Gates, names_of_objects};

impl PeopleProject {
    /// Each portion asks the gates of a governed project, so that a no counts while a plan is carried out: what is new by the
    /// stage and the number that is released, what is there already by the stage alone.
    pub(super) async fn refuse_portion(
        &self,
        gates: &Gates,
        portion: &[&ChangeRow],
        lines: &[Line],
        called: &HashMap<ObjectId, String>,
    ) -> Result<(), Error> {
        let of = |change: &&&ChangeRow| usize::try_from(change.change - 1).ok().and_then(|at| lines.get(at));
        let planned: Vec<&Line> = portion.iter().filter_map(|change| of(&change)).collect();
        let is_new = |line: &&&Line| matches!(line.planned, Planned::Create { .. });
        let against = if planned.iter().any(|line| is_new(&line)) {
            let is_account =
                |line: &&&Line| matches!(&line.planned, Planned::Create { entry, .. } if has_password(entry));
            let asked: Vec<String> =
                planned.iter().filter(is_account).map(|line| name_in(called, &line.object)).collect();
            let new_already = if asked.is_empty() { 0 } else { self.accounts_made().await? };
            Box::pin(gates.against_accounts(&self.store, self.key, new_already, &asked)).await?
        } else {
            Box::pin(gates.against_update(&self.store, self.key)).await?
        };
        against.map_or(Ok(()), Err)
    }

    /// Accounts of people and of systems that this project has made: what is released is a number of these, not of lists and shared mailboxes.
    pub(crate) async fn accounts_made(&self) -> Result<u64, Error> {
        let is_account = |kind: &str| [EntryKind::Person.name(), EntryKind::System.name()].contains(&kind);
        Ok(self.made().await?.values().filter(|row| is_account(&row.made.kind)).count() as u64)
    }

    /// What the record of a governed project calls whoever gets an account by these lines.
    pub(super) async fn called(&self, lines: &[Line]) -> Result<HashMap<ObjectId, String>, Error> {
        if !lines.iter().any(|line| matches!(line.planned, Planned::Create { .. })) {
            return Ok(HashMap::new());
        }
        Ok(names_of_objects(&self.config, &self.known().await?))
    }
}

/// What the record calls this object, or else its id, which is nobody's of the pilot.
pub(super) fn name_in(called: &HashMap<ObjectId, String>, id: &ObjectId) -> String {
    called.get(id).cloned().unwrap_or_else(|| id.to_string())
}
