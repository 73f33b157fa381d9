//! Changing flags: UID STORE, only ever adding and taking single flags, and reading back what came of it; and reading
//! them alone.

use std::collections::BTreeMap;

use connector::{Effect, Error, FlagChange, Known};
use model::{Flags, ItemId};

use super::select::Mode;
use crate::map::flag_list;
use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::fetch;
use crate::wire::response::Response;
use crate::wire::set::write_sets;

impl Session {
    /// Changes flags; the flags of each item as they are now, none where it is gone.
    pub(crate) async fn store_flags(
        &mut self,
        folder: Known<'_>,
        changes: &[FlagChange],
    ) -> Result<Vec<Option<Flags>>, Error> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.select_known(folder, Mode::Write).await?;
        // One command for all items with the same change.
        let mut groups: BTreeMap<(char, String), Vec<u32>> = BTreeMap::new();
        for change in changes {
            let Some(uid) = change.id.as_u32() else { continue };
            for (sign, flags) in [('+', flag_list(&change.add)), ('-', flag_list(&change.take))] {
                if !flags.is_empty() {
                    groups.entry((sign, flags)).or_default().push(uid);
                }
            }
        }
        let mut commands = Vec::new();
        for ((sign, flags), uids) in &mut groups {
            uids.sort_unstable();
            uids.dedup();
            for set in write_sets(uids) {
                let command = Command::new("UID STORE").words(format!("{set} {sign}FLAGS ({flags})"));
                commands.push((command, Effect::Flags));
            }
        }
        let completions = self.run_effects(&commands, |_, _| {}).await?;
        if let Some(refused) = completions.iter().find(|completion| !completion.is_ok()) {
            let what = format!("cannot change flags in {}", self.place(folder.path));
            return Err(refusal::refused(what, refused, Doing::Change));
        }
        // Servers differ in what they tell after a STORE: only changed ones, only MODSEQ, or before a later STORE of the
        // same flight. What is asked for now is what is there.
        let flags = self.flags_of(&uids_of(changes.iter().map(|change| &change.id))).await?;
        let of = |change: &FlagChange| change.id.as_u32().and_then(|uid| flags.get(&uid).cloned());
        Ok(changes.iter().map(of).collect())
    }

    /// The flags of messages as they are now, none where one is gone. The folder is opened anew, so that nothing is said
    /// from memory.
    pub(crate) async fn read_flags(&mut self, folder: Known<'_>, ids: &[ItemId]) -> Result<Vec<Option<Flags>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.select_known(folder, Mode::Read).await?;
        let flags = self.flags_of(&uids_of(ids)).await?;
        Ok(ids.iter().map(|id| id.as_u32().and_then(|uid| flags.get(&uid).cloned())).collect())
    }

    /// The flags of messages of the open folder, as far as they are there.
    pub(crate) async fn flags_of(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, Flags>, Error> {
        let command = |set: String| Command::new("UID FETCH").words(format!("{set} (UID FLAGS)"));
        let commands: Vec<Command> = write_sets(uids).into_iter().map(command).collect();
        let mut found = BTreeMap::new();
        let on = |_: usize, response: &Response<'_>| {
            if let Some((_, rest)) = response.numbered("FETCH") {
                let fetched = fetch::parse(rest);
                if let (Some(uid), Some(flags)) = (fetched.uid, fetched.flags) {
                    found.insert(uid, flags);
                }
            }
        };
        let completions = self.run_all(&commands, on).await?;
        if let Some(refused) = completions.iter().find(|completion| !completion.is_ok()) {
            let what = format!("cannot read flags of {} at {} back", self.account, self.endpoint.config.address());
            return Err(refusal::refused(what, refused, Doing::Folder));
        }
        Ok(found)
    }
}

/// The UIDs of these ids, in ascending order, each once.
pub(crate) fn uids_of<'i>(ids: impl IntoIterator<Item = &'i ItemId>) -> Vec<u32> {
    let mut uids: Vec<u32> = ids.into_iter().filter_map(ItemId::as_u32).collect();
    uids.sort_unstable();
    uids.dedup();
    uids
}
