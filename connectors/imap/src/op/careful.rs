//! Reading with care: in small parts of listed UIDs, and message by message where something is wrong.
//!
//! Used where a straight reading met a gap, a refusal or a broken connection before. Every UID that is listed comes out as
//! an item, as unreadable with the server's words, or is gone from the folder by now; never as nothing.

use connector::Error;
use model::{Cause, Flags, ReceivedAt, Scope};

use super::fetch::{ITEMS, Order, Sink, hold};
use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::connection::{Bodies, Tag};
use crate::wire::fetch::{self, FetchedBody};
use crate::wire::response::{Completion, Response};
use crate::wire::set::{UidSet, write_sets};
use crate::wire::token::Token;

/// Messages asked for at once: a gap costs reading at most so many again. One set of them fits into one command.
const PART_MAX: usize = 200;

/// What a listing came to.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The UIDs, in ascending order.
    pub(crate) uids: Vec<u32>,
    /// The sequence number of the first.
    pub(crate) first_number: Option<u32>,
    /// There should be more of them, but neither FETCH nor SEARCH lists more.
    pub(crate) is_short: bool,
}

/// One message, as far as its answers told.
#[derive(Default)]
struct Found {
    flags: Option<Flags>,
    received: Option<ReceivedAt>,
    size: Option<u64>,
    body: Option<Result<connector::Body, Error>>,
    was_nil: bool,
}

impl Session {
    /// The UIDs of the open folder from this one up, by FETCH; and by SEARCH besides, when FETCH lists fewer messages than
    /// are expected.
    pub(crate) async fn uids_from(&mut self, from: u32, expected: Option<u32>) -> Result<Listing, Error> {
        let mut listing = Listing::default();
        let mut removed = 0u64;
        let command = Command::new("UID FETCH").words(format!("{from}:* (UID)"));
        let on = |response: &Response<'_>| {
            removed += removed_by(response);
            if let Some((number, rest)) = response.numbered("FETCH")
                && let Some(uid) = fetch::parse(rest).uid
                && uid >= from
            {
                listing.first_number = listing.first_number.or(Some(number));
                listing.uids.push(uid);
            }
        };
        let completion = self.run(&command, on).await?;
        listing.uids.sort_unstable();
        listing.uids.dedup();
        let is_short = |listing: &Listing, removed: u64| {
            expected.is_some_and(|expected| (listing.uids.len() as u64).saturating_add(removed) < u64::from(expected))
        };
        if completion.is_ok() && !is_short(&listing, removed) {
            return Ok(listing);
        }
        let found = self.search_from(from).await?;
        match found {
            Ok(uids) => listing.uids.extend(uids),
            Err(refused) if completion.is_ok() => {
                tracing::debug!(server = %refused.text, "UID SEARCH was refused");
            }
            Err(_) => {
                let what = format!("cannot list the messages of a folder of {}", self.account);
                return Err(refusal::refused(what, &completion, Doing::Folder));
            }
        }
        listing.uids.sort_unstable();
        listing.uids.dedup();
        listing.is_short = is_short(&listing, removed);
        Ok(listing)
    }

    async fn search_from(&mut self, from: u32) -> Result<Result<Vec<u32>, Completion>, Error> {
        let returns = if self.capabilities.has("ESEARCH") { "RETURN (ALL) " } else { "" };
        let mut uids = Vec::new();
        let on = |response: &Response<'_>| {
            if let Some(tokens) = response.data("SEARCH") {
                uids.extend(tokens.filter_map(Token::number).filter_map(|uid| u32::try_from(uid).ok()));
            } else if let Some(mut tokens) = response.data("ESEARCH") {
                while let Some(token) = tokens.next() {
                    if token == Token::Open {
                        tokens.pass_over_list();
                    } else if token.is("ALL") {
                        let set = tokens.next().and_then(Token::bytes).and_then(|text| UidSet::parse(&text));
                        // A set is as long as the folder is large, or a lie.
                        uids.extend(set.iter().filter(|set| set.len() < 1 << 24).flat_map(UidSet::iter));
                    }
                }
            }
        };
        let command = Command::new("UID SEARCH").words(format!("{returns}UID {from}:*"));
        let completion = self.run(&command, on).await?;
        if !completion.is_ok() {
            return Ok(Err(completion));
        }
        uids.retain(|uid| *uid >= from);
        Ok(Ok(uids))
    }

    /// Reads these messages of the open folder; none is passed over in silence.
    pub(crate) async fn read_carefully(&mut self, uids: &[u32], sink: &mut Sink<'_>) -> Result<(), Error> {
        let breakers = self.endpoint.breakers(&self.account, sink.folder, sink.validity);
        let mut part = PART_MAX;
        let mut rest = uids;
        while let [first, ..] = rest {
            if breakers.contains(first) {
                let error = unreadable("the connection broke each time it was read; it is left out until the next run");
                sink.unreadable(*first, error).await;
                rest = &rest[1..];
                continue;
            }
            if part == 1 {
                self.read_one(*first, sink).await?;
                rest = &rest[1..];
                part = 2;
                continue;
            }
            let until_breaker = rest.iter().take_while(|uid| !breakers.contains(uid)).count();
            let here = rest[..part.min(until_breaker)].to_vec();
            let wanted = here.len();
            let set = write_sets(&here).join(",");
            let command = Command::new("UID FETCH").words(format!("{set} {ITEMS}"));
            let tag = self.send(&command).await?;
            let mut order = Order::Listed { uids: here, passed: 0 };
            let taken = self.take_bodies(tag, &mut order, sink).await?;
            let Order::Listed { passed, .. } = order else { return Ok(()) };
            rest = &rest[passed..];
            if passed == wanted {
                part = (part * 2).min(PART_MAX);
                continue;
            }
            if !taken.completion.is_ok() {
                self.stop_if_not_the_messages_fault(&taken.completion, sink)?;
            }
            part = (wanted / 4).max(1);
        }
        Ok(())
    }

    /// Sends a command whose answer is awaited elsewhere.
    pub(crate) async fn send(&mut self, command: &Command) -> Result<Tag, Error> {
        let tag = self.connection.queue(command)?;
        let flushed = self.connection.flush().await;
        flushed.map_err(|error| self.lost(error))?;
        Ok(tag)
    }

    /// A refusal that has nothing to do with what was asked for ends the reading: else every message that follows would be
    /// taken for unreadable.
    pub(crate) fn stop_if_not_the_messages_fault(
        &mut self,
        completion: &Completion,
        sink: &Sink<'_>,
    ) -> Result<(), Error> {
        let what = format!("cannot read on in {}", self.place(sink.folder));
        let error = refusal::refused(what, completion, Doing::Fetch);
        match error.cause {
            Cause::Unreadable | Cause::Protocol | Cause::Missing => Ok(()),
            _ => Err(error),
        }
    }

    /// Reads one message, and says what is the matter with it if it can't be read.
    async fn read_one(&mut self, uid: u32, sink: &mut Sink<'_>) -> Result<(), Error> {
        let (mut found, completion) =
            self.ask_for_one(uid, "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])", sink).await?;
        if !completion.is_ok() {
            self.stop_if_not_the_messages_fault(&completion, sink)?;
        }
        let refused = (!completion.is_ok()).then(|| completion.text.clone());
        let wrong = match (found.body.take(), found.flags.take()) {
            (Some(Ok(body)), Some(flags)) => {
                if body.size_bytes() == 0 && found.size.is_some_and(|size| size > 0) {
                    unreadable("the server gives no byte of it, and says that it has some")
                } else if let Some(error) = self.stand_in(&body) {
                    error
                } else {
                    sink.item(uid, flags, found.received, body).await;
                    return Ok(());
                }
            }
            (Some(Err(error)), _) => error,
            (Some(Ok(_)), None) => unreadable("the server does not tell its flags"),
            (None, _) if found.was_nil => unreadable("the server answers that it has no body (NIL)"),
            (None, _) if refused.is_some() => unreadable("the server refuses to give it"),
            (None, _) => unreadable("the server lists it and does not give it"),
        };
        let wrong = match refused {
            Some(refused) if wrong.server.is_none() => wrong.said(refused),
            _ => wrong,
        };
        // Is it still there? Messages are removed while a folder is read.
        let (still, completion) = self.ask_for_one(uid, "(UID FLAGS)", sink).await?;
        if completion.is_ok() && still.flags.is_none() {
            return Ok(());
        }
        sink.unreadable(uid, wrong).await;
        Ok(())
    }

    /// What the server says of one message, put together from however many answers.
    async fn ask_for_one(&mut self, uid: u32, items: &str, sink: &Sink<'_>) -> Result<(Found, Completion), Error> {
        let tag = self.send(&Command::new("UID FETCH").words(format!("{uid} {items}"))).await?;
        let mut found = Found::default();
        loop {
            let received = self.connection.receive(Bodies::Hold { holds: sink.holds, from: uid }).await;
            if let Err(error) = received {
                return Err(self.lost_at(error, sink, Some(uid)));
            }
            if let Some((ended, completion)) = self.connection.ended().map_err(|error| self.lost(error))? {
                if ended == tag {
                    return Ok((found, completion));
                }
                continue;
            }
            let quoted = found.take(uid, &self.connection.response());
            let held = match quoted {
                Some(Quoted::Bytes(bytes)) => Some(hold(sink.holds, &bytes).await),
                Some(Quoted::Literal) => self.connection.body(),
                None => continue,
            };
            if found.body.is_none() {
                found.body = held;
            }
        }
    }
}

/// Where the body of a FETCH is.
enum Quoted {
    Bytes(Vec<u8>),
    Literal,
}

impl Found {
    /// Takes what a response says of this message; where its body is, if it came.
    fn take(&mut self, uid: u32, response: &Response<'_>) -> Option<Quoted> {
        let (_, rest) = response.numbered("FETCH")?;
        let fetched = fetch::parse(rest);
        if fetched.uid != Some(uid) {
            return None;
        }
        self.flags = fetched.flags.or(self.flags.take());
        self.received = fetched.internal_date.or(self.received);
        self.size = fetched.size.or(self.size);
        match fetched.body {
            FetchedBody::Quoted(bytes) => Some(Quoted::Bytes(bytes.into_owned())),
            FetchedBody::Literal(_) => Some(Quoted::Literal),
            FetchedBody::Missing => None,
            FetchedBody::Nil | FetchedBody::Several => {
                self.was_nil = true;
                None
            }
        }
    }
}

/// How many messages a response says were removed.
pub(crate) fn removed_by(response: &Response<'_>) -> u64 {
    match response.vanished() {
        Some((uids, false)) => uids.len(),
        _ => u64::from(response.numbered("EXPUNGE").is_some()),
    }
}

/// A message that can't be read, for this reason.
pub(crate) fn unreadable(why: &str) -> Error {
    Error::new(Cause::Unreadable, Scope::Item, format!("the message can't be read: {why}"))
}
