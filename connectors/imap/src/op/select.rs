//! Opening a folder (SELECT, EXAMINE) and asking where one stands (STATUS).

use connector::{Error, FolderState, Known};
use model::{Cause, FolderPath, Scope};

use crate::map::refusal::{self, Doing};
use crate::map::state_of;
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::mailbox::StatusItems;
use crate::wire::response::{Completion, Response};
use crate::wire::token::Token;

/// How a folder stood when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// UIDVALIDITY; 0 when the server gave none.
    pub(crate) validity: u32,
    /// UIDNEXT; 0 when the server gave none.
    pub(crate) next: u32,
    /// How many messages; none when the server did not say.
    pub(crate) exists: Option<u32>,
    /// HIGHESTMODSEQ; 0 when the server gave none.
    pub(crate) change: u64,
}

impl Opened {
    /// Takes what an answer to SELECT or EXAMINE says.
    pub(crate) fn take(&mut self, response: &Response<'_>) {
        let number = |name: &str| response.code(name).and_then(|code| code.tokens().next().and_then(Token::number));
        let small = |name: &str| number(name).and_then(|number| u32::try_from(number).ok());
        if let Some((exists, _)) = response.numbered("EXISTS") {
            self.exists = Some(exists);
        } else if let Some(validity) = small("UIDVALIDITY") {
            self.validity = validity;
        } else if let Some(next) = small("UIDNEXT") {
            self.next = next;
        } else if let Some(change) = number("HIGHESTMODSEQ") {
            self.change = change;
        } else if response.code("NOMODSEQ").is_some() {
            self.change = 0;
        }
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> FolderState {
        FolderState {
            validity: u64::from(self.validity),
            next: u64::from(self.next),
            count: u64::from(self.exists.unwrap_or(0)),
            change: self.change,
        }
    }

    /// Whether what was said is enough to work with the folder.
    pub(crate) fn check(&self, place: &str) -> Result<(), Error> {
        if self.validity == 0 {
            let what = format!(
                "the server gives no UIDVALIDITY for {place}, so its messages could not be known again another time"
            );
            return Err(Error::new(Cause::Unsupported, Scope::Folder, what));
        }
        if self.exists.is_none() {
            let what = format!("the server does not say how many messages are in {place}");
            return Err(Error::new(Cause::Protocol, Scope::Folder, what));
        }
        Ok(())
    }
}

/// How to open a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To read: EXAMINE.
    Read,
    /// To change: SELECT.
    Write,
}

/// The command that opens a folder of this name on the wire.
pub(crate) fn command(mode: Mode, name: &[u8]) -> Command {
    let verb = if mode == Mode::Read { "EXAMINE" } else { "SELECT" };
    Command::new(verb).quoted(name)
}

impl Session {
    /// The name of a folder on the wire. Lists the folders first where it could be spelt otherwise than we would.
    pub(crate) async fn wire_name(&mut self, path: &FolderPath) -> Result<Vec<u8>, Error> {
        if self.names.needs_listing(path) {
            self.learn_names().await?;
        }
        self.names.wire(path)
    }

    /// Opens a folder.
    pub(crate) async fn select(&mut self, path: &FolderPath, mode: Mode) -> Result<Opened, Error> {
        let name = self.wire_name(path).await?;
        let mut opened = Opened::default();
        let completion = self.run(&command(mode, &name), |response| opened.take(response)).await?;
        self.selected_or_refused(path, mode, &opened, &completion)?;
        Ok(opened)
    }

    /// Opens a folder of which ids are known; refuses where it was made anew since.
    pub(crate) async fn select_known(&mut self, folder: Known<'_>, mode: Mode) -> Result<Opened, Error> {
        let opened = self.select(folder.path, mode).await?;
        folder.require(u64::from(opened.validity))?;
        Ok(opened)
    }

    /// Takes note that a folder is open, or says why it is not.
    pub(crate) fn selected_or_refused(
        &mut self,
        path: &FolderPath,
        mode: Mode,
        opened: &Opened,
        completion: &Completion,
    ) -> Result<(), Error> {
        let place = self.place(path);
        self.selected = None;
        if !completion.is_ok() {
            return Err(refusal::refused(format!("cannot open {place}"), completion, Doing::Folder));
        }
        if mode == Mode::Write && completion.has("READ-ONLY") {
            let error = Error::new(Cause::Permission, Scope::Folder, format!("{place} can only be read"));
            return Err(error.said(&completion.text));
        }
        opened.check(&place)?;
        self.selected = Some((path.clone(), mode == Mode::Write));
        Ok(())
    }

    /// Where a folder stands now. STATUS is for folders that are not open (RFC 9051 section 6.3.11): one that is, is opened
    /// anew.
    pub(crate) async fn folder_state(&mut self, path: &FolderPath) -> Result<FolderState, Error> {
        if self.selected.as_ref().is_some_and(|(open, _)| open == path) {
            return Ok(self.select(path, Mode::Read).await?.state());
        }
        let name = self.wire_name(path).await?;
        let command = self.status_command(&name);
        let mut items = None;
        let on = |response: &Response<'_>| {
            if let Some((_, found)) = response.data("STATUS").and_then(StatusItems::parse) {
                items = state_of(&found).or(items);
            }
        };
        let completion = self.run(&command, on).await?;
        let place = self.place(path);
        if !completion.is_ok() {
            return Err(refusal::refused(format!("cannot ask where {place} stands"), &completion, Doing::Folder));
        }
        match items {
            Some(state) => Ok(state),
            // A server that leaves out what STATUS must say tells it when the folder is opened.
            None => Ok(self.select(path, Mode::Read).await?.state()),
        }
    }

    /// The command that asks where a folder stands.
    pub(crate) fn status_command(&self, name: &[u8]) -> Command {
        Command::new("STATUS").quoted(name).words(format!("({})", self.status_items()))
    }

    /// What we want to know of a folder.
    pub(crate) fn status_items(&self) -> String {
        let mut items = "MESSAGES UIDNEXT UIDVALIDITY".to_owned();
        if self.capabilities.has("CONDSTORE") || self.capabilities.has("QRESYNC") {
            items.push_str(" HIGHESTMODSEQ");
        }
        if self.capabilities.has("STATUS=SIZE") {
            items.push_str(" SIZE");
        }
        items
    }
}
