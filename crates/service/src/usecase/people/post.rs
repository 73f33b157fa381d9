//! A mailbox that messages to this program come to, and who answers: files of people, and answers of people.
//!
//! It is looked into once. Every message is known by its place in the mailbox: what was decided about it is durable before it is
//! marked, so a mark that was not set, or was taken off, changes nothing. Nothing is ever removed.

mod sender;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use connector::{
    Account, Connector, Event, FlagChange, Holds, HoldsLimits, Known as KnownFolder, OpenDoor, ReadFolder, SystemClock,
    Target,
};
use mailer::{Mailer, Smtp};
use model::{Flags, FolderPath, ItemId};

pub(super) use self::sender::{Sender, Unfit, sender};
use crate::Error;
use crate::config::{Config, FILE, PostEntry, SecretEntry};
use crate::registry::{self, Means};
use crate::secret::Environment;

/// A message larger than this is refused unread.
pub(super) const MESSAGE_BYTES_MAX: u64 = 48 << 20;
/// Letters of a text that others wrote, as it is kept.
const KEPT_LENGTH_MAX: usize = 200;
/// What marks messages that were dealt with, and those that nothing was done about.
pub(super) const DONE: &str = "$WhimbrelDone";
pub(super) const REFUSED: &str = "$WhimbrelRefused";

/// The mailbox, and who answers.
pub(super) struct Post {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) account: Account,
    pub(super) mailer: Arc<dyn Mailer>,
}

/// A message of the mailbox.
pub(super) struct Found {
    id: ItemId,
    /// What it is known by.
    pub(super) place: String,
    size_bytes: u64,
    /// When it came, in seconds since 1970, where the server says so.
    pub(super) received_at: Option<i64>,
}

/// A message, as far as it can be read.
pub(super) enum Message {
    /// Its bytes.
    Read(Vec<u8>),
    /// It is larger than a message to this program is.
    TooLarge,
    /// It can't be read this time.
    Unreadable(connector::Error),
    /// It is gone by now.
    Gone,
}

/// What becomes of a message in the mailbox once it was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Something came of it, or nothing had to.
    Done,
    /// A person may look at it.
    Refused,
}

impl Post {
    /// The mailbox of this table of the project's file.
    pub(super) fn of(config: &Config, entry: &PostEntry<'_>, environment: Environment<'_>) -> Result<Self, Error> {
        let read = |secret: &SecretEntry, key: &str| read_secret(config, entry, (secret, key), environment);
        let means = Means {
            clock: Arc::new(SystemClock),
            environment,
            unique: crate::project::random_text()?,
            unacknowledged_max: Duration::from_secs(30),
            pace: None,
        };
        let endpoint = &config.endpoints[entry.endpoint];
        let mut account = Account::named(entry.account);
        account.password = entry.password.map(|secret| read(secret, "password")).transpose()?;
        let smtp = crate::directories::smtp(config, entry.smtp, &format!("{FILE}: {}.smtp", entry.table), environment)?;
        Ok(Self {
            connector: registry::connector(config, entry.endpoint, endpoint, &means)?,
            account,
            mailer: Arc::new(Smtp::new(smtp)),
        })
    }

    pub(super) async fn open(&self, entry: &PostEntry<'_>) -> Result<Box<dyn Target>, Error> {
        self.connector.target(&self.account, Arc::new(OpenDoor)).await.map_err(|error| mailbox_error(entry, &error))
    }

    /// The messages that are there, the oldest first.
    pub(super) async fn listed(&self, entry: &PostEntry<'_>, mailbox: &mut dyn Target) -> Result<Vec<Found>, Error> {
        let folder = FolderPath::new([entry.folder]);
        let state = mailbox.state(&folder).await.map_err(|error| mailbox_error(entry, &error))?;
        let listed = mailbox.sizes(&ReadFolder { path: folder, since: None }).await;
        let listed = listed.map_err(|error| mailbox_error(entry, &error))?;
        let found = listed.into_iter().map(|item| Found {
            place: place(entry, state.validity, &item.id),
            size_bytes: item.size_bytes,
            received_at: item.received.map(|received| received.unix_seconds),
            id: item.id,
        });
        Ok(found.collect())
    }

    /// Reads a message.
    pub(super) async fn read(
        &self,
        entry: &PostEntry<'_>,
        mailbox: &mut dyn Target,
        found: &Found,
    ) -> Result<Message, Error> {
        if found.size_bytes > MESSAGE_BYTES_MAX {
            return Ok(Message::TooLarge);
        }
        match read_message(mailbox, &FolderPath::new([entry.folder]), &found.id).await {
            Ok(Some(bytes)) => Ok(Message::Read(bytes)),
            Ok(None) => Ok(Message::Gone),
            Err(error) if error.ends_session() => Err(mailbox_error(entry, &error)),
            Err(error) => Ok(Message::Unreadable(error)),
        }
    }

    /// Marks the messages that were dealt with, by their places. On a connection of its own: dealing with them may have taken long.
    /// What was decided is durable without a mark, so one that can't be set is only told.
    pub(super) async fn mark(
        &self,
        entry: &PostEntry<'_>,
        marks: &HashMap<String, Mark>,
        notes: &mut Vec<String>,
    ) -> Result<(), Error> {
        let mut mailbox = self.open(entry).await?;
        let marked = mark_in(entry, mailbox.as_mut(), marks).await;
        mailbox.close().await;
        if let Err(error) = marked {
            notes.push(format!("messages that were dealt with could not be marked: {error}"));
        }
        Ok(())
    }
}

async fn mark_in(
    entry: &PostEntry<'_>,
    mailbox: &mut dyn Target,
    marks: &HashMap<String, Mark>,
) -> Result<(), connector::Error> {
    let folder = FolderPath::new([entry.folder]);
    let state = mailbox.state(&folder).await?;
    let mut changes = Vec::new();
    for (id, flags) in mailbox.list(&folder).await? {
        let Some(mark) = marks.get(&place(entry, state.validity, &id)) else { continue };
        let mark = if *mark == Mark::Refused { REFUSED } else { DONE };
        let add = Flags::of(["\\Seen", mark]);
        if !add.without(&flags).is_empty() {
            changes.push(FlagChange { id, add, take: Flags::NONE });
        }
    }
    if !changes.is_empty() {
        mailbox.change_flags(KnownFolder::at(&folder, &state), &changes).await?;
    }
    Ok(())
}

fn place(entry: &PostEntry<'_>, validity: u64, id: &ItemId) -> String {
    format!("{} {} {} {validity} {id:?}", entry.endpoint, entry.account, entry.folder)
}

/// A secret of the table.
pub(super) fn read_secret(
    config: &Config,
    entry: &PostEntry<'_>,
    (secret, key): (&SecretEntry, &str),
    environment: Environment<'_>,
) -> Result<connector::Secret, Error> {
    crate::directories::reveal(config, secret, &format!("{FILE}: {}.{key}", entry.table), environment)
}

/// A text that others wrote, as it is kept: short, and without what no text holds.
pub(super) fn kept(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(KEPT_LENGTH_MAX).collect()
}

/// A message's bytes; none where it is gone.
pub(super) async fn read_message(
    mailbox: &mut dyn Target,
    folder: &FolderPath,
    id: &ItemId,
) -> Result<Option<Vec<u8>>, connector::Error> {
    let holds = Holds::new(HoldsLimits::default());
    let mut reading = mailbox.items(folder, std::slice::from_ref(id), &holds).await?;
    let mut found = None;
    loop {
        let events = reading.next().await?;
        if events.is_empty() {
            return Ok(found);
        }
        for event in events {
            match event {
                Event::Item(item) => found = Some(item.body.to_vec().await?),
                Event::Unreadable { error, .. } | Event::Skipped { error } => return Err(error),
                _ => {}
            }
        }
    }
}

fn mailbox_error(entry: &PostEntry<'_>, error: &connector::Error) -> Error {
    let exit = crate::error::exit_of(error.cause);
    let what = format!("the mailbox of {}: {error}", entry.table);
    Error { exit, rule: None, what, advice: Some(error.cause.advice().to_owned()) }
}
