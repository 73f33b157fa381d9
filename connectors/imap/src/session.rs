//! An opened mailbox: one connection, logged in, whose store it is known to be. The operations stand in `op`.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use connector::{
    Account, Batch, Door, Effect, Error, FlagChange, Folder, FolderState, Holds, Known, ListedItem, Moved, NewFolder,
    Offers, Outcome, Quota, ReadFolder, Reading, Removal, Source, StoreProof, Target,
};
use model::{Cause, Flags, FolderPath, ItemId};

use crate::endpoint::Endpoint;
use crate::map::names::Names;
use crate::map::refusal::{self, in_doubt};
use crate::op::append::{BATCHES_IN_FLIGHT_MAX, Flight};
use crate::op::identity::Reached;
use crate::wire::capability::Capabilities;
use crate::wire::command::Command;
use crate::wire::connection::Connection;
use crate::wire::exchange::COMMANDS_AHEAD_MAX;
use crate::wire::response::{Completion, Response};

/// A person's mailbox on an IMAP server.
pub(crate) struct Session {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) account: String,
    pub(crate) connection: Connection,
    pub(crate) capabilities: Capabilities,
    /// The server's name and version, as it says itself; empty where it does not.
    pub(crate) server: String,
    pub(crate) names: Names,
    /// QRESYNC is switched on, so what vanished is told by UID.
    pub(crate) tells_vanished: bool,
    /// UTF8=ACCEPT is switched on, so messages with UTF-8 headers are appended as such.
    pub(crate) utf8_appends: bool,
    /// The server is one of Microsoft's, which hand out stand-ins for messages they can't convert.
    pub(crate) is_exchange: bool,
    /// The folder that is open, and whether for writing.
    pub(crate) selected: Option<(FolderPath, bool)>,
    /// Batches on their way, oldest first.
    pub(crate) flights: VecDeque<Flight>,
    pub(crate) door: Arc<dyn Door>,
    /// Why nothing more may be done: an effect was cut off half way.
    pub(crate) over: Option<Error>,
    pub(crate) offers: Offers,
    proof: StoreProof,
}

impl Session {
    pub(crate) fn new(endpoint: Arc<Endpoint>, account: &Account, reached: Reached, door: Arc<dyn Door>) -> Self {
        let Reached { line, introduction, proof } = reached;
        let has = |capability: &str| line.capabilities.has(capability);
        let on = |extension: &str| introduction.enabled.iter().any(|enabled| enabled == extension);
        let offers = Offers {
            item_bytes_max: introduction.append_limit.or_else(|| line.capabilities.number("APPENDLIMIT")),
            ids_on_append: has("UIDPLUS"),
            batches_whole: has("MULTIAPPEND"),
            special_use: has("CREATE-SPECIAL-USE"),
            removes_exactly: has("UIDPLUS"),
            moves: has("MOVE") && has("UIDPLUS"),
            numbers_rise: true,
            tells_changes: has("CONDSTORE") || has("QRESYNC"),
        };
        let server = introduction.server.unwrap_or_default();
        let about = format!("{} {server}", line.greeting);
        Self {
            endpoint,
            account: account.name.clone(),
            tells_vanished: on("QRESYNC"),
            utf8_appends: on("UTF8=ACCEPT"),
            is_exchange: about.contains("Exchange"),
            names: introduction.names,
            capabilities: line.capabilities,
            server,
            connection: line.connection,
            selected: None,
            flights: VecDeque::new(),
            door,
            over: None,
            offers,
            proof,
        }
    }

    /// The folder, for messages: `"Sent" of alice at mail.example:993`.
    pub(crate) fn place(&self, path: &FolderPath) -> String {
        format!("{:?} of {} at {}", path.to_string(), self.account, self.endpoint.config.address())
    }

    /// Makes sure that nothing is under way any more: answers to batches are kept, what else comes is forgotten.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        self.collect_all().await;
        if self.connection.commands_under_way() > 0 {
            // A reading was broken off; which folder is open after it is not known.
            self.selected = None;
        }
        let settled = self.connection.settle().await;
        settled.map_err(|error| self.lost(error))
    }

    /// The connection is of no more use, for this reason.
    pub(crate) fn lost(&mut self, error: Error) -> Error {
        if error.ends_session() {
            self.connection.cut();
            self.selected = None;
        }
        refusal::broken(error)
    }

    /// Runs a command without an effect.
    pub(crate) async fn run(&mut self, command: &Command, on: impl FnMut(&Response<'_>)) -> Result<Completion, Error> {
        self.ready().await?;
        let ran = self.connection.run(command, on).await;
        ran.map_err(|error| self.lost(error))
    }

    /// Runs commands without effects, sent ahead of each other's answers.
    pub(crate) async fn run_all(
        &mut self,
        commands: &[Command],
        on: impl FnMut(usize, &Response<'_>),
    ) -> Result<Vec<Completion>, Error> {
        self.ready().await?;
        let ran = self.connection.run_all(commands, on).await;
        ran.map_err(|error| self.lost(error))
    }

    /// Runs commands with effects, sent ahead of each other's answers; each passes the door right before it leaves, and
    /// nothing of it leaves before: Dovecot acts at the closing quote of a last word, not at the line end. Once one may have
    /// left, a lost connection leaves all in doubt.
    pub(crate) async fn run_effects(
        &mut self,
        commands: &[(Command, Effect)],
        mut on: impl FnMut(usize, &Response<'_>),
    ) -> Result<Vec<Completion>, Error> {
        self.ready().await?;
        let mut tags = Vec::with_capacity(commands.len());
        let mut completions: Vec<Completion> = Vec::with_capacity(commands.len());
        while completions.len() < commands.len() {
            while tags.len() < commands.len() && tags.len() < completions.len() + COMMANDS_AHEAD_MAX {
                let (command, effect) = &commands[tags.len()];
                tags.push(self.connection.queue_open(command)?);
                self.pass_door(*effect).await?;
            }
            let current = completions.len();
            let waited = self.connection.wait_for(tags[current], &mut |response| on(current, response)).await;
            completions.push(waited.map_err(|error| in_doubt(self.lost(error)))?);
        }
        Ok(completions)
    }

    /// Sends the end of the command that is open, if the door lets it; else breaks the connection without it.
    pub(crate) async fn pass_door(&mut self, effect: Effect) -> Result<(), Error> {
        if let Err(error) = self.door.before(effect) {
            self.connection.cut();
            self.over = Some(error.clone());
            return Err(error);
        }
        // Until this is over the command may or may not have its end. Should we be stopped here, nobody may go on.
        self.over = Some(in_doubt(refusal::closed()));
        self.connection.queue_end();
        let sent = tokio::time::timeout(self.endpoint.config.unacknowledged_max, self.connection.flush()).await;
        let sent = sent.unwrap_or_else(|_| Err(refusal::closed()));
        if let Err(error) = sent {
            let error = in_doubt(self.lost(error));
            self.over = Some(error.clone());
            return Err(error);
        }
        self.over = None;
        self.door.after(effect);
        Ok(())
    }
}

#[async_trait]
impl Source for Session {
    fn offers(&self) -> &Offers {
        &self.offers
    }

    fn proof(&self) -> &StoreProof {
        &self.proof
    }

    async fn folders(&mut self) -> Result<Vec<Folder>, Error> {
        self.list_folders().await
    }

    async fn read<'s>(&'s mut self, plan: Vec<ReadFolder>, holds: &Holds) -> Result<Box<dyn Reading + 's>, Error> {
        self.read_folders(plan, holds).await
    }

    async fn items<'s>(
        &'s mut self,
        folder: &FolderPath,
        ids: &[ItemId],
        holds: &Holds,
    ) -> Result<Box<dyn Reading + 's>, Error> {
        self.read_items(folder, ids, holds).await
    }

    async fn state(&mut self, folder: &FolderPath) -> Result<FolderState, Error> {
        self.folder_state(folder).await
    }

    async fn list(&mut self, folder: &FolderPath) -> Result<Vec<(ItemId, Flags)>, Error> {
        self.list_items(folder).await
    }

    async fn sizes(&mut self, folder: &ReadFolder) -> Result<Vec<ListedItem>, Error> {
        self.list_sizes(folder).await
    }

    async fn quota(&mut self) -> Result<Quota, Error> {
        self.ask_quota().await
    }

    async fn close(&mut self) {
        // Answers that are still on their way are lost with the connection; whoever cares has asked for them.
        if self.connection.commands_under_way() == 0 && !self.connection.is_cut() {
            self.connection.log_out().await;
        }
        self.connection.cut();
    }
}

#[async_trait]
impl Target for Session {
    async fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<(), Error>>, Error> {
        self.create_folders(folders).await
    }

    async fn submit(&mut self, batch: Batch) -> Result<(), Error> {
        self.append(batch).await
    }

    async fn outcome(&mut self) -> Result<Outcome, Error> {
        self.oldest_outcome().await
    }

    fn batches_in_flight_max(&self) -> usize {
        // Without LITERAL+ each literal waits for the server's leave, which comes after its answers to all before.
        if self.capabilities.has("LITERAL+") { BATCHES_IN_FLIGHT_MAX } else { 1 }
    }

    async fn since(&mut self, folder: &FolderPath, mark: &FolderState) -> Result<Vec<(ItemId, Flags)>, Error> {
        self.list_since(folder, mark).await
    }

    async fn change_flags(&mut self, folder: Known<'_>, changes: &[FlagChange]) -> Result<Vec<Option<Flags>>, Error> {
        self.store_flags(folder, changes).await
    }

    async fn flags(&mut self, folder: Known<'_>, ids: &[ItemId]) -> Result<Vec<Option<Flags>>, Error> {
        self.read_flags(folder, ids).await
    }

    async fn move_items(&mut self, from: Known<'_>, to: &FolderPath, ids: &[ItemId]) -> Result<Vec<Moved>, Error> {
        self.move_messages(from, to, ids).await
    }

    async fn subscribe(&mut self, folder: &FolderPath, subscribed: bool) -> Result<(), Error> {
        self.follow(folder, subscribed).await
    }

    async fn remove_folder(&mut self, folder: &FolderPath) -> Result<bool, Error> {
        self.delete_folder(folder).await
    }

    async fn remove(
        &mut self,
        folder: Known<'_>,
        ids: &[ItemId],
        unchanged_since: Option<u64>,
    ) -> Result<Vec<Removal>, Error> {
        self.expunge(folder, ids, unchanged_since).await
    }
}

/// A mistake of this crate's own, as an error.
pub(crate) fn internal(what: &str) -> Error {
    Error::new(Cause::Internal, model::Scope::Mailbox, what)
}
