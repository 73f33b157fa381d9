//! Removing messages, exactly those named: UID STORE of `\Deleted`, then UID EXPUNGE (UIDPLUS). Without UIDPLUS there is no
//! way to remove one message without removing whatever else is marked: they stay, with the mark.

use std::collections::BTreeSet;

use connector::{Effect, Error, Known, Removal};
use model::{FolderPath, ItemId, SystemFlag};

use super::select::Mode;
use super::store::uids_of;
use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::response::Completion;
use crate::wire::set::{UidSet, write_sets};

impl Session {
    /// Removes messages.
    pub(crate) async fn expunge(
        &mut self,
        folder: Known<'_>,
        ids: &[ItemId],
        unchanged_since: Option<u64>,
    ) -> Result<Vec<Removal>, Error> {
        let (uids, path) = (uids_of(ids), folder.path);
        let opened = self.select_known(folder, Mode::Write).await?;
        // Marks that were there already are not ours to take off, should the removal be refused.
        let before = self.flags_of(&uids).await?;
        let unmarked: Vec<u32> =
            before.iter().filter(|(_, flags)| !flags.has(SystemFlag::Deleted)).map(|(uid, _)| *uid).collect();
        let there: Vec<u32> = before.into_keys().collect();
        let condition = unchanged_since.filter(|_| opened.change != 0);
        if !self.capabilities.has("UIDPLUS") {
            let changed = self.mark(path, &unmarked, condition).await?;
            let outcome = |id: &ItemId| match id.as_u32() {
                Some(uid) if changed.contains(&uid) => Removal::Changed,
                Some(uid) if there.binary_search(&uid).is_ok() => Removal::Unsupported,
                _ => Removal::Gone,
            };
            return Ok(ids.iter().map(outcome).collect());
        }
        let changed = self.mark(path, &there, condition).await?;
        let marked: Vec<u32> = there.iter().copied().filter(|uid| !changed.contains(uid)).collect();
        let commands: Vec<(Command, Effect)> = write_sets(&marked)
            .into_iter()
            .map(|set| (Command::new("UID EXPUNGE").words(set), Effect::Remove))
            .collect();
        let completions = self.run_effects(&commands, |_, _| {}).await?;
        if let Some(refused) = completions.iter().find(|completion| !completion.is_ok()) {
            let what = format!("cannot remove messages from {}", self.place(path));
            let error = refusal::refused(what, refused, Doing::Change);
            let ours: Vec<u32> = marked.into_iter().filter(|uid| unmarked.contains(uid)).collect();
            self.unmark(&ours).await?;
            return Err(error);
        }
        let left: BTreeSet<u32> = self.flags_of(&uids).await?.into_keys().collect();
        let outcome = |id: &ItemId| match id.as_u32() {
            // Changed since, or marked anew by somebody between our two commands.
            Some(uid) if left.contains(&uid) => Removal::Changed,
            _ => Removal::Gone,
        };
        Ok(ids.iter().map(outcome).collect())
    }

    /// Marks messages as deleted, only those unchanged since if that is given; those that were changed.
    async fn mark(
        &mut self,
        path: &FolderPath,
        uids: &[u32],
        unchanged_since: Option<u64>,
    ) -> Result<BTreeSet<u32>, Error> {
        let condition = unchanged_since.map(|change| format!(" (UNCHANGEDSINCE {change})")).unwrap_or_default();
        let command = |set: String| {
            let words = format!("{set}{condition} +FLAGS.SILENT (\\Deleted)");
            (Command::new("UID STORE").words(words), Effect::Flags)
        };
        let commands: Vec<(Command, Effect)> = write_sets(uids).into_iter().map(command).collect();
        let completions = self.run_effects(&commands, |_, _| {}).await?;
        let mut changed = BTreeSet::new();
        for completion in &completions {
            changed.extend(modified(completion, uids));
            // Some servers say NO when all of them were changed (RFC 7162 section 3.1.3).
            if !completion.is_ok() && !completion.has("MODIFIED") {
                let what = format!("cannot mark messages to be removed from {}", self.place(path));
                return Err(refusal::refused(what, completion, Doing::Change));
            }
        }
        Ok(changed)
    }

    async fn unmark(&mut self, uids: &[u32]) -> Result<(), Error> {
        let command =
            |set: String| (Command::new("UID STORE").words(format!("{set} -FLAGS.SILENT (\\Deleted)")), Effect::Flags);
        let commands: Vec<(Command, Effect)> = write_sets(uids).into_iter().map(command).collect();
        self.run_effects(&commands, |_, _| {}).await.map(|_| ())
    }
}

/// Those of these UIDs that a conditional STORE found changed.
fn modified(completion: &Completion, uids: &[u32]) -> Vec<u32> {
    if !completion.has("MODIFIED") {
        return Vec::new();
    }
    match UidSet::parse(completion.arguments.trim().as_bytes()) {
        Some(set) => uids.iter().copied().filter(|uid| set.contains(*uid)).collect(),
        // Which ones, can't be told: none is removed.
        None => uids.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::response::{Status, StatusText};

    #[test]
    fn changed_messages_are_those_the_server_names() {
        let read = |text: &str| modified(&Completion::of(Status::Ok, &StatusText::of(text.as_bytes())), &[5, 7, 9]);
        assert_eq!(read("[MODIFIED 7,9] done"), [7, 9]);
        assert_eq!(read("[MODIFIED 1:5]"), [5]);
        assert_eq!(read("done"), Vec::<u32>::new());
        assert_eq!(read("[MODIFIED what]"), [5, 7, 9]);
    }
}
