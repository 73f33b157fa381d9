//! Being told of changes: NOTIFY (RFC 5465) for all folders of a person, else IDLE (RFC 2177) for INBOX.

use std::time::Duration;

use async_trait::async_trait;
use connector::{Error, Source, Watcher};
use model::{Cause, FolderPath, Scope};

use super::select::{Mode, command};
use crate::map::refusal;
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::connection::{Bodies, Tag};
use crate::wire::response::{Response, Status};

/// How long nothing is heard before the server is shown that somebody is there: it may end a session after 30 minutes (RFC 9051,
/// section 5.4; RFC 2177).
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_mins(24);

/// What is asked of NOTIFY, the most first. Changes of flags outside of the open folder are told only with CONDSTORE.
const ASKED: [&str; 2] = [
    "NOTIFY SET (personal (MailboxName MessageNew MessageExpunge FlagChange))",
    "NOTIFY SET (personal (MailboxName MessageNew MessageExpunge))",
];

/// A mailbox that is watched.
pub(crate) struct Watch {
    session: Session,
    /// The IDLE that is under way; none with NOTIFY.
    idle: Option<Tag>,
    notifies: bool,
}

impl Watch {
    /// Begins to watch; none where the server tells nobody.
    pub(crate) async fn begin(mut session: Session) -> Result<Option<Self>, Error> {
        // Longer than a sign of life takes: that the other side is gone is for the system to find out.
        session.connection.wait_for_answers(SIGN_OF_LIFE_EVERY * 2);
        if session.capabilities.has("NOTIFY") {
            for asked in ASKED {
                if session.run(&Command::new(asked), |_| {}).await?.is_ok() {
                    return Ok(Some(Self { session, idle: None, notifies: true }));
                }
            }
        }
        if !session.capabilities.has("IDLE") {
            Source::close(&mut session).await;
            return Ok(None);
        }
        let name = session.wire_name(&FolderPath::inbox()).await?;
        let opened = session.run(&command(Mode::Read, &name), |_| {}).await?;
        if !opened.is_ok() {
            let error =
                Error::new(Cause::Unsupported, Scope::Mailbox, "INBOX can't be opened, so nobody can wait there");
            return Err(error.said(opened.text));
        }
        let mut watch = Self { session, idle: None, notifies: false };
        watch.idle().await?;
        Ok(Some(watch))
    }

    async fn idle(&mut self) -> Result<(), Error> {
        let connection = &mut self.session.connection;
        let tag = connection.queue(&Command::new("IDLE"))?;
        connection.flush().await?;
        match connection.leave_to_go_on(tag).await? {
            None => {
                self.idle = Some(tag);
                Ok(())
            }
            Some(refused) => {
                let error = Error::new(Cause::Unsupported, Scope::Mailbox, "the server lets nobody wait (IDLE)");
                Err(error.said(refused.text))
            }
        }
    }

    /// Shows that somebody is there. Did something change meanwhile?
    async fn live(&mut self) -> Result<bool, Error> {
        let mut changed = false;
        let connection = &mut self.session.connection;
        let completion = match self.idle.take() {
            Some(tag) => {
                connection.reply(b"DONE").await?;
                connection.wait_for(tag, &mut |response| changed |= tells_of_change(response)).await?
            }
            None => connection.run(&Command::new("NOOP"), |response| changed |= tells_of_change(response)).await?,
        };
        if !completion.is_ok() {
            let error = Error::new(Cause::Protocol, Scope::Connection, "the server ended the waiting");
            return Err(error.said(completion.text));
        }
        if !self.notifies {
            self.idle().await?;
        }
        Ok(changed)
    }

    async fn next(&mut self) -> Result<(), Error> {
        loop {
            let received =
                tokio::time::timeout(SIGN_OF_LIFE_EVERY, self.session.connection.receive(Bodies::Discard)).await;
            match received {
                Err(_) => {
                    if self.live().await? {
                        return Ok(());
                    }
                }
                Ok(received) => {
                    received?;
                    let response = self.session.connection.response();
                    if let Response::Status { status: Status::Bye, .. } = response {
                        let error = Error::new(Cause::Connection, Scope::Connection, "the server ended the connection");
                        let said = self.session.connection.bye().unwrap_or_default().to_owned();
                        return Err(error.said(said));
                    }
                    // The server may give up telling us (RFC 5465, section 5.8): then all may have changed.
                    if tells_of_change(&response) || response.code("NOTIFICATIONOVERFLOW").is_some() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Is this what a server says without being asked when something changed?
fn tells_of_change(response: &Response<'_>) -> bool {
    ["EXISTS", "EXPUNGE", "FETCH", "RECENT"].iter().any(|word| response.numbered(word).is_some())
        || ["VANISHED", "STATUS", "LIST"].iter().any(|word| response.data(word).is_some())
}

#[async_trait]
impl Watcher for Watch {
    async fn changed(&mut self) -> Result<(), Error> {
        self.next().await.map_err(refusal::broken)
    }

    async fn close(&mut self) {
        if self.idle.take().is_some() {
            let _ = self.session.connection.reply(b"DONE").await;
        }
        Source::close(&mut self.session).await;
    }
}
