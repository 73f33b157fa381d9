//! Following folders: SUBSCRIBE and UNSUBSCRIBE.

use connector::{Effect, Error, NewFolder};
use model::FolderPath;

use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;

impl Session {
    /// Follows a folder, or no longer.
    pub(crate) async fn follow(&mut self, path: &FolderPath, subscribed: bool) -> Result<(), Error> {
        let name = self.wire_name(path).await?;
        let verb = if subscribed { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
        let command = Command::new(verb).quoted(&name);
        let completions = self.run_effects(&[(command, Effect::Subscribe)], |_, _| {}).await?;
        let Some(refused) = completions.iter().find(|completion| !completion.is_ok()) else { return Ok(()) };
        let verb = verb.to_ascii_lowercase();
        let error = refusal::refused(format!("cannot {verb} to {}", self.place(path)), refused, Doing::Folder);
        // A server may refuse what is so already.
        let there = self.list_folders().await?.into_iter().find(|folder| folder.path == *path);
        let is_so = there.map_or(!subscribed, |folder| folder.subscribed == subscribed);
        if is_so { Ok(()) } else { Err(error) }
    }

    /// Follows new folders that are to be followed. A refusal leaves the folder as it is: its messages matter more.
    pub(crate) async fn follow_new(
        &mut self,
        folders: &[NewFolder],
        names: &[Vec<u8>],
        results: &[Result<(), Error>],
    ) -> Result<(), Error> {
        let wanted: Vec<usize> =
            (0..folders.len()).filter(|index| folders[*index].subscribe && results[*index].is_ok()).collect();
        let commands: Vec<(Command, Effect)> =
            wanted.iter().map(|index| (Command::new("SUBSCRIBE").quoted(&names[*index]), Effect::Subscribe)).collect();
        let completions = self.run_effects(&commands, |_, _| {}).await?;
        for (index, completion) in wanted.into_iter().zip(completions) {
            if !completion.is_ok() {
                let folder = self.place(&folders[index].path);
                tracing::warn!(folder, server = %completion.text, "the folder was made but is not followed");
            }
        }
        Ok(())
    }
}
