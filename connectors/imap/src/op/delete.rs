//! Removing a folder that holds nothing: DELETE, once LIST shows no folder below it and STATUS no message in it.
//!
//! IMAP knows no DELETE on condition: a message that arrives between the answer to STATUS and the DELETE goes with the
//! folder. So nothing is asked in between, and whatever the answers leave open keeps the folder.

use connector::{Effect, Error};
use model::{Cause, FolderPath};

use super::select::Mode;
use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::mailbox::{ListEntry, StatusItems};

/// What LIST says of a folder that is to be removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// It is not there.
    Missing,
    /// It is there, and no folder is below it.
    Alone,
    /// It has folders below it, or is no more than a place for them.
    Above,
}

/// What STATUS says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    /// It is not there.
    Missing,
    /// So many messages; none when it does not say.
    Messages(Option<u32>),
}

impl Session {
    /// Removes a folder that holds nothing; false where it may hold something.
    pub(crate) async fn delete_folder(&mut self, path: &FolderPath) -> Result<bool, Error> {
        if path.is_inbox() {
            return Ok(false);
        }
        let name = self.wire_name(path).await?;
        // A folder that is open is not to be deleted. Opening another closes it without removing anything, on servers
        // without UNSELECT too, and even where we don't know which one is open.
        self.select(&FolderPath::inbox(), Mode::Read).await?;
        let listed = self.listed(path, &name).await?;
        if listed == Listed::Above {
            return Ok(false);
        }
        match (listed, self.contents(path, &name).await?) {
            (Listed::Alone, Contents::Messages(Some(0))) => {
                if !self.delete(path, &name).await? {
                    return Ok(false);
                }
            }
            (Listed::Missing, Contents::Missing) => {}
            _ => return Ok(false),
        }
        let command = Command::new("UNSUBSCRIBE").quoted(&name);
        let completions = self.run_effects(&[(command, Effect::Subscribe)], |_, _| {}).await?;
        if let Some(refused) = completions.iter().find(|completion| !completion.is_ok()) {
            // Some say so when there was no subscription.
            tracing::info!(folder = self.place(path), server = %refused.text, "no subscription was taken away");
        }
        Ok(true)
    }

    async fn listed(&mut self, path: &FolderPath, name: &[u8]) -> Result<Listed, Error> {
        let entries = self.list_matching(path, name).await?;
        let entry = entries.iter().find(|entry| entry.name == name && !entry.has("\\NonExistent"));
        let Some(entry) = entry else { return Ok(Listed::Missing) };
        if entry.has("\\Noselect") || entry.has("\\HasChildren") {
            return Ok(Listed::Above);
        }
        let Some(separator) = entry.separator else { return Ok(Listed::Alone) };
        let above = [name, &[separator]].concat();
        let entries = self.list_matching(path, &[above.as_slice(), b"*"].concat()).await?;
        // A `%` or `*` in the name stands for other folders too.
        let has_below = entries.iter().any(|entry| entry.name.starts_with(&above));
        Ok(if has_below { Listed::Above } else { Listed::Alone })
    }

    async fn list_matching(&mut self, path: &FolderPath, pattern: &[u8]) -> Result<Vec<ListEntry>, Error> {
        let mut entries = Vec::new();
        let command = Command::new("LIST").quoted(b"").quoted(pattern);
        let completion =
            self.run(&command, |response| entries.extend(response.data("LIST").and_then(ListEntry::parse))).await?;
        if !completion.is_ok() {
            let what = format!("cannot list what is below {}", self.place(path));
            return Err(refusal::refused(what, &completion, Doing::Folder));
        }
        Ok(entries)
    }

    async fn contents(&mut self, path: &FolderPath, name: &[u8]) -> Result<Contents, Error> {
        let mut messages = None;
        let command = Command::new("STATUS").quoted(name).words("(MESSAGES)");
        let completion = self
            .run(&command, |response| {
                if let Some((of, items)) = response.data("STATUS").and_then(StatusItems::parse)
                    && of == name
                {
                    messages = items.messages;
                }
            })
            .await?;
        if completion.is_ok() {
            return Ok(Contents::Messages(messages));
        }
        let what = format!("cannot ask how many messages are in {}", self.place(path));
        match refusal::refused(what, &completion, Doing::Folder) {
            error if error.cause == Cause::Missing => Ok(Contents::Missing),
            error => Err(error),
        }
    }

    /// Deletes the folder; false where the server finds one below it after all.
    async fn delete(&mut self, path: &FolderPath, name: &[u8]) -> Result<bool, Error> {
        let command = Command::new("DELETE").quoted(name);
        let completions = self.run_effects(&[(command, Effect::RemoveFolder)], |_, _| {}).await?;
        match completions.first() {
            Some(completion) if completion.has("HASCHILDREN") => Ok(false),
            Some(completion) if !completion.is_ok() && !completion.has("NONEXISTENT") => {
                let what = format!("cannot remove the folder {}", self.place(path));
                Err(refusal::refused(what, completion, Doing::Change))
            }
            _ => Ok(true),
        }
    }
}
