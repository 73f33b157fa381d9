//! Adding messages: APPEND, one command for a whole batch where MULTIAPPEND is offered, else one for each message, sent
//! ahead of each other's answers where LITERAL+ lets them.
//!
//! What must hold: nothing takes effect before the batch's intent is durable and the door has let it pass. A command takes
//! effect with its line end, so everything else goes before, the line end goes alone, and where it may not go the
//! connection is broken without it. With MULTIAPPEND a command that is broken off leaves nothing (Dovecot and Cyrus keep to
//! that, as RFC 3502 says). What became of a message whose answer did not come is in doubt.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use connector::{Batch, BatchItem, Body, Effect, Error, ItemOutcome, Outcome};
use model::{Cause, FolderPath, ItemId, Scope};

use crate::map::flag_list;
use crate::map::refusal::{self, Doing, in_doubt};
use crate::session::{Session, internal};
use crate::wire::command::Command;
use crate::wire::connection::{Bodies, Tag};
use crate::wire::date;
use crate::wire::response::{Completion, Response};
use crate::wire::set::{UidSet, number};

/// Batches on their way at once: enough that the server always has the next one while it writes one to disk.
pub(crate) const BATCHES_IN_FLIGHT_MAX: usize = 4;

/// A literal up to this size needs no leave with LITERAL- (RFC 7888).
const LITERAL_MINUS_BYTES_MAX: u64 = 4096;

/// Bytes queued before they are written: more gains nothing.
const QUEUE_BYTES: usize = 256 * 1024;

/// The line end of a message goes out together with the next message, where that is no larger than this: one call to the
/// system in place of two. With a larger one it would wait behind it.
const WITH_NEXT_BYTES_MAX: u64 = 64 * 1024;

/// How long to listen for a server's last words after it stopped taking ours.
const LAST_WORDS_WAIT_MAX: Duration = Duration::from_secs(1);

/// The header of a message is looked through for UTF-8 up to this many bytes.
const HEADER_BYTES_MAX: usize = 256 * 1024;

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Flight {
    folder: FolderPath,
    /// Commands that have not ended: the tag, the first of their messages, and how many they have.
    commands: VecDeque<(Tag, usize, usize)>,
    items: Vec<Option<ItemOutcome>>,
    validity: Option<u64>,
}

/// How a literal is announced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// It follows at once.
    NotNeeded,
    /// It waits for the server's leave.
    Needed,
}

impl Session {
    /// Sends a batch.
    pub(crate) async fn append(&mut self, batch: Batch) -> Result<(), Error> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        if self.names.needs_listing(&batch.folder) {
            self.learn_names().await?;
        }
        let name = self.names.wire(&batch.folder)?;
        let command = Command::new("APPEND").quoted(&name);
        let flight = Flight {
            folder: batch.folder.clone(),
            commands: VecDeque::new(),
            items: batch.items.iter().map(|_| None).collect(),
            validity: None,
        };
        if batch.items.is_empty() {
            self.flights.push_back(flight);
            return Ok(());
        }
        self.flights.push_back(flight);
        // Should this be broken off from outside, the connection is in the middle of a command and of no more use.
        self.over = Some(refusal::closed());
        let sent = if self.capabilities.has("MULTIAPPEND") {
            self.append_whole(&command, batch).await
        } else {
            self.append_singly(&command, batch).await
        };
        let Err(error) = sent else {
            self.over = None;
            return Ok(());
        };
        let error = self.last_words(error).await;
        self.connection.cut();
        self.over = Some(error.clone());
        // The server may have answered all of the batch before it closed; else this error is the batch's outcome. Batches
        // before it may be asked for either way.
        if self.flights.back().is_some_and(|flight| flight.items.iter().all(Option::is_some)) {
            return Ok(());
        }
        self.flights.pop_back();
        Err(error)
    }

    fn flight(&mut self) -> Result<&mut Flight, Error> {
        self.flights.back_mut().ok_or_else(|| internal("no batch is on its way"))
    }

    /// All messages in one command: they are added together or not at all.
    async fn append_whole(&mut self, command: &Command, mut batch: Batch) -> Result<(), Error> {
        let count = batch.items.len();
        self.door.before(Effect::Literal)?;
        let tag = self.connection.queue_open(command)?;
        self.flight()?.commands.push_back((tag, 0, count));
        for item in &batch.items {
            if !self.literal(tag, item).await? {
                // Refused before it was complete: the answer is recorded, nothing takes effect.
                self.door.after(Effect::Literal);
                return Ok(());
            }
        }
        self.connection.flush().await?;
        self.door.after(Effect::Literal);
        batch.ready.wait().await?;
        self.end_append().await
    }

    /// One command for each message.
    async fn append_singly(&mut self, command: &Command, mut batch: Batch) -> Result<(), Error> {
        // The message before has all but its line end.
        let mut owes_end = false;
        for (index, item) in batch.items.iter().enumerate() {
            let goes_along =
                owes_end && item.body.size_bytes() <= WITH_NEXT_BYTES_MAX && item.body.in_memory().is_some();
            if owes_end && !goes_along {
                self.end_append().await?;
            }
            if goes_along {
                self.door.before(Effect::Append)?;
                self.connection.queue_end();
            }
            self.door.before(Effect::Literal)?;
            let tag = self.connection.queue_open(command)?;
            self.flight()?.commands.push_back((tag, index, 1));
            let is_open = match self.literal(tag, item).await {
                Ok(is_open) => is_open,
                Err(error) if goes_along => return Err(in_doubt(error)),
                Err(error) => return Err(doubt_after(index, error)),
            };
            let flushed = self.flush_end(goes_along).await;
            flushed.map_err(|error| doubt_after(index, error))?;
            if goes_along {
                self.door.after(Effect::Append);
            }
            self.door.after(Effect::Literal);
            if index == 0 {
                batch.ready.wait().await?;
            }
            owes_end = is_open;
        }
        if owes_end { self.end_append().await } else { Ok(()) }
    }

    /// Flushes; within the time that an effect may take if one is among what is flushed.
    async fn flush_end(&mut self, has_effect: bool) -> Result<(), Error> {
        if !has_effect {
            return self.connection.flush().await;
        }
        let wait = self.endpoint.config.unacknowledged_max;
        let flushed = tokio::time::timeout(wait, self.connection.flush()).await;
        flushed.unwrap_or_else(|_| Err(refusal::closed())).map_err(in_doubt)
    }

    /// The line end of the command that is open, alone.
    async fn end_append(&mut self) -> Result<(), Error> {
        self.door.before(Effect::Append)?;
        self.connection.queue_end();
        self.flush_end(true).await?;
        self.door.after(Effect::Append);
        Ok(())
    }

    /// Must a literal of this size wait for leave?
    fn leave_for(&self, size: u64) -> Leave {
        let is_small = size <= LITERAL_MINUS_BYTES_MAX;
        if self.capabilities.has("LITERAL+") || (self.capabilities.has("LITERAL-") && is_small) {
            Leave::NotNeeded
        } else {
            Leave::Needed
        }
    }

    /// Queues a message: flags, date and literal. False when the server has refused the command meanwhile.
    async fn literal(&mut self, tag: Tag, item: &BatchItem) -> Result<bool, Error> {
        let size = item.body.size_bytes();
        let leave = self.leave_for(size);
        let is_utf8 = self.utf8_appends && has_utf8_header(&item.body).await?;
        let mut head = Vec::with_capacity(64);
        let flags = flag_list(&item.flags);
        if !flags.is_empty() {
            head.extend_from_slice(b" (");
            head.extend_from_slice(flags.as_bytes());
            head.push(b')');
        }
        if let Some(received) = item.received.and_then(date::write) {
            head.extend_from_slice(format!(" \"{received}\"").as_bytes());
        }
        let plus = if leave == Leave::NotNeeded { "+" } else { "" };
        let (before, after) = if is_utf8 { (" UTF8 (~", ")") } else { (" ", "") };
        head.extend_from_slice(format!("{before}{{{size}{plus}}}\r\n").as_bytes());
        self.connection.queue_text(&head);
        if leave == Leave::Needed {
            self.connection.flush().await?;
            if !self.leave(tag).await? {
                return Ok(false);
            }
        }
        if let Some(bytes) = item.body.in_memory() {
            self.queue_body(bytes.clone()).await?;
        } else {
            let mut reader = item.body.reader();
            let mut left = size;
            while let Some(piece) = reader.next().await.map_err(|error| error.reaching(Scope::Connection))? {
                left = left.saturating_sub(piece.len() as u64);
                self.queue_body(piece).await?;
            }
            if left > 0 {
                return Err(internal("a body is shorter than its size"));
            }
        }
        self.connection.queue_text(after.as_bytes());
        Ok(true)
    }

    async fn queue_body(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.connection.queue_literal(bytes);
        if self.connection.queued_bytes() >= QUEUE_BYTES { self.connection.flush().await } else { Ok(()) }
    }

    /// Waits for the server's leave to send a literal. False when it refused the command.
    async fn leave(&mut self, tag: Tag) -> Result<bool, Error> {
        loop {
            self.connection.receive(Bodies::Discard).await?;
            if let Response::Continue(_) = self.connection.response() {
                return Ok(true);
            }
            if let Some((ended, completion)) = self.connection.ended()? {
                self.record(ended, &completion);
                if ended == tag {
                    return Ok(false);
                }
            }
        }
    }

    /// Records how a command ended.
    fn record(&mut self, tag: Tag, completion: &Completion) {
        let position = |flight: &Flight| flight.commands.iter().position(|(t, ..)| *t == tag);
        let found = self.flights.iter().enumerate().find_map(|(at, flight)| Some((at, position(flight)?)));
        let Some((at, position)) = found else { return };
        let Some((_, first, count)) = self.flights[at].commands.remove(position) else { return };
        let outcomes: Vec<ItemOutcome> = if completion.is_ok() {
            let (validity, ids) = append_uid(completion, count);
            if validity.is_some() {
                self.flights[at].validity = validity;
            }
            ids.into_iter().map(ItemOutcome::Stored).collect()
        } else {
            let place = self.place(&self.flights[at].folder);
            let what = if count == 1 {
                format!("cannot add a message to {place}")
            } else {
                format!("cannot add {count} messages to {place}: the server refused them together")
            };
            let error = refusal::refused(what, completion, Doing::Append);
            vec![ItemOutcome::Refused(error); count]
        };
        for (place, outcome) in self.flights[at].items[first..].iter_mut().zip(outcomes) {
            *place = Some(outcome);
        }
    }

    /// What became of the oldest batch.
    pub(crate) async fn oldest_outcome(&mut self) -> Result<Outcome, Error> {
        if self.flights.is_empty() {
            return Err(internal("no batch is on its way"));
        }
        let lost = self.collect_oldest().await;
        let Some(flight) = self.flights.pop_front() else { return Err(internal("no batch is on its way")) };
        let doubt = lost.map_or_else(|| in_doubt(refusal::closed()), in_doubt);
        let outcome = |item: Option<ItemOutcome>| item.unwrap_or_else(|| ItemOutcome::InDoubt(doubt.clone()));
        Ok(Outcome { items: flight.items.into_iter().map(outcome).collect(), validity: flight.validity })
    }

    /// Reads answers until the oldest batch has all of its own; why that can't be, if it can't.
    async fn collect_oldest(&mut self) -> Option<Error> {
        while self.flights.front().is_some_and(|flight| !flight.commands.is_empty()) {
            let received = self.connection.receive(Bodies::Discard).await;
            match received.and_then(|()| self.connection.ended()) {
                Ok(Some((tag, completion))) => self.record(tag, &completion),
                Ok(None) => {}
                Err(error) => {
                    let error = self.lost(error);
                    let error = self.over.get_or_insert(error).clone();
                    return Some(error);
                }
            }
        }
        None
    }

    /// Reads all answers to batches that are on their way.
    pub(crate) async fn collect_all(&mut self) {
        let waiting = |session: &Self| session.flights.iter().any(|flight| !flight.commands.is_empty());
        while waiting(self) {
            let received = self.connection.receive(Bodies::Discard).await;
            match received.and_then(|()| self.connection.ended()) {
                Ok(Some((tag, completion))) => self.record(tag, &completion),
                Ok(None) => {}
                Err(error) => {
                    let error = self.lost(error);
                    self.over.get_or_insert(error);
                    return;
                }
            }
        }
    }

    /// What the server still says after it stopped taking what we send: answers to earlier batches, and its reason.
    async fn last_words(&mut self, error: Error) -> Error {
        if !matches!(error.cause, Cause::Connection | Cause::InDoubt) || self.connection.is_cut() {
            return error;
        }
        let listen = async {
            while let Ok(()) = self.connection.receive(Bodies::Discard).await {
                if let Ok(Some((tag, completion))) = self.connection.ended() {
                    self.record(tag, &completion);
                }
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS_WAIT_MAX, listen).await;
        match self.connection.bye() {
            Some(bye) if error.server.is_none() => refusal::broken(error.said(bye)),
            _ => refusal::broken(error),
        }
    }
}

/// A failure after the first message of a batch leaves those before it in doubt.
fn doubt_after(index: usize, error: Error) -> Error {
    if index == 0 { error } else { in_doubt(error) }
}

/// The UIDs in an APPENDUID (RFC 4315), one for each of `count` messages; none for each when it has none or another number.
fn append_uid(completion: &Completion, count: usize) -> (Option<u64>, Vec<Option<ItemId>>) {
    let none = || vec![None; count];
    if !completion.has("APPENDUID") {
        return (None, none());
    }
    let mut words = completion.arguments.split_ascii_whitespace();
    let validity = words.next().and_then(|word| number(word.as_bytes())).map(u64::from);
    let uids = words.next().and_then(|word| UidSet::parse(word.as_bytes())).and_then(|set| set.exactly(count));
    match (validity, uids) {
        (Some(validity), Some(uids)) if !uids.contains(&0) => {
            (Some(validity), uids.into_iter().map(|uid| Some(ItemId::from_u32(uid))).collect())
        }
        (validity, _) => (validity, none()),
    }
}

/// Has the message bytes of UTF-8 in its header? Other bytes of 8 bits are no reason to call it UTF-8.
async fn has_utf8_header(body: &Body) -> Result<bool, Error> {
    let mut reader = body.reader();
    let Some(beginning) = reader.next().await.map_err(|error| error.reaching(Scope::Connection))? else {
        return Ok(false);
    };
    let beginning = &beginning[..beginning.len().min(HEADER_BYTES_MAX)];
    let header = memchr::memmem::find(beginning, b"\r\n\r\n").map_or(beginning, |end| &beginning[..end]);
    Ok(!header.is_ascii() && std::str::from_utf8(header).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::response::{Status, StatusText};

    fn ids(text: &str, count: usize) -> (Option<u64>, Vec<Option<u32>>) {
        let completion = Completion::of(Status::Ok, &StatusText::of(text.as_bytes()));
        let (validity, ids) = append_uid(&completion, count);
        (validity, ids.into_iter().map(|id| id.and_then(|id| id.as_u32())).collect())
    }

    #[test]
    fn appenduid_gives_each_message_its_uid() {
        assert_eq!(ids("[APPENDUID 38505 3955] done", 1), (Some(38505), vec![Some(3955)]));
        assert_eq!(ids("[APPENDUID 1 3955:3957] done", 3), (Some(1), vec![Some(3955), Some(3956), Some(3957)]));
        assert_eq!(ids("[appenduid 1 3955,3957,3956] done", 3), (Some(1), vec![Some(3955), Some(3957), Some(3956)]));
        assert_eq!(ids("[APPENDUID 1 9:8] done", 2), (Some(1), vec![Some(8), Some(9)]));
    }

    #[test]
    fn an_appenduid_that_does_not_fit_gives_no_uid() {
        for text in ["done", "[APPENDUID 1 5:6] done", "[APPENDUID 1 1:4294967295]", "[APPENDUID 1 x]", "[APPENDUID 1]"]
        {
            assert_eq!(ids(text, 3).1, [None, None, None], "{text}");
        }
        assert_eq!(ids("[APPENDUID 1 0]", 1), (Some(1), vec![None]));
        assert_eq!(ids("[APPENDUID x 5]", 1), (None, vec![None]));
    }
}
