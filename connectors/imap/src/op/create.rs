//! Making folders: CREATE where they are not there, with what they are for where CREATE-SPECIAL-USE is offered.

use std::collections::BTreeSet;

use connector::{Effect, Error, NewFolder};
use model::{Cause, FolderPath, ItemKind, Scope};

use crate::map::is_view;
use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::mailbox::ListEntry;
use crate::wire::response::{Completion, Response};

impl Session {
    /// Makes the folders that are not there, each with its own result.
    pub(crate) async fn create_folders(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<(), Error>>, Error> {
        let there = self.list_folders().await?;
        let there: BTreeSet<&FolderPath> = there.iter().filter(|f| f.holds_items).map(|f| &f.path).collect();
        let mut results: Vec<Result<(), Error>> = Vec::with_capacity(folders.len());
        let mut names: Vec<Vec<u8>> = Vec::with_capacity(folders.len());
        for folder in folders {
            let name = match folder.kind {
                ItemKind::Message => self.names.wire(&folder.path),
                kind => {
                    let what = format!("an IMAP server holds no folder of {}s", kind.name());
                    Err(Error::new(Cause::Unsupported, Scope::Folder, what))
                }
            };
            names.push(name.clone().unwrap_or_default());
            results.push(name.map(|_| ()));
        }
        let is_missing = |index: usize, results: &[Result<(), Error>]| {
            results[index].is_ok() && !folders[index].path.is_inbox() && !there.contains(&folders[index].path)
        };
        let mut missing: Vec<usize> = (0..folders.len()).filter(|index| is_missing(*index, &results)).collect();
        // Parents before their children, so that a server which makes none by itself is content.
        missing.sort_by_key(|index| folders[*index].path.names().len());
        let commands: Vec<(Command, Effect)> = missing
            .iter()
            .map(|index| (self.create_command(&folders[*index], &names[*index]), Effect::Create))
            .collect();
        let completions = self.run_effects(&commands, |_, _| {}).await?;
        for (index, completion) in missing.iter().copied().zip(completions) {
            let folder = &folders[index];
            if !is_made(&completion) {
                results[index] = self.create_alone(folder, &names[index], &completion).await?;
            }
            if results[index].is_ok() {
                self.names.keep(folder.path.clone(), names[index].clone());
            }
        }
        self.follow_new(folders, &names, &results).await?;
        Ok(results)
    }

    fn create_command(&self, folder: &NewFolder, name: &[u8]) -> Command {
        let command = Command::new("CREATE").quoted(name);
        let use_of = folder.special_use.filter(|use_of| !is_view(Some(*use_of)));
        match use_of.filter(|_| self.capabilities.has("CREATE-SPECIAL-USE")) {
            Some(use_of) => command.words(format!("(USE ({}))", use_of.attribute())),
            None => command,
        }
    }

    /// A folder that was refused, once more without what it is for, and after its parents.
    async fn create_alone(
        &mut self,
        folder: &NewFolder,
        name: &[u8],
        refused: &Completion,
    ) -> Result<Result<(), Error>, Error> {
        if self.is_there(name).await? {
            return Ok(Ok(()));
        }
        let mut paths: Vec<FolderPath> = Vec::new();
        let mut above = folder.path.parent();
        while let Some(path) = above {
            above = path.parent();
            if !path.is_inbox() {
                paths.push(path);
            }
        }
        let mut last = refused.clone();
        for path in paths.iter().rev().chain([&folder.path]) {
            let name = match self.names.wire(path) {
                Ok(name) => name,
                Err(error) => return Ok(Err(error)),
            };
            let command = Command::new("CREATE").quoted(&name);
            let mut completions = self.run_effects(&[(command, Effect::Create)], |_, _| {}).await?;
            last = completions.pop().unwrap_or(last);
        }
        if is_made(&last) || self.is_there(name).await? {
            return Ok(Ok(()));
        }
        let what = format!("cannot make the folder {}", self.place(&folder.path));
        Ok(Err(refusal::refused(what, &last, Doing::Create)))
    }

    /// Does the server list this name as a folder for messages?
    async fn is_there(&mut self, name: &[u8]) -> Result<bool, Error> {
        // `%` and `*` in the name would stand for others.
        if name.iter().any(|byte| matches!(byte, b'%' | b'*')) {
            return Ok(false);
        }
        let mut is_there = false;
        let on = |response: &Response<'_>| {
            let entry = response.data("LIST").and_then(ListEntry::parse);
            is_there |= entry
                .is_some_and(|entry| entry.name == name && !entry.has("\\Noselect") && !entry.has("\\NonExistent"));
        };
        self.run(&Command::new("LIST").quoted(b"").quoted(name), on).await?;
        Ok(is_there)
    }
}

/// Is the folder there after this answer?
fn is_made(completion: &Completion) -> bool {
    completion.is_ok() || completion.has("ALREADYEXISTS")
}
