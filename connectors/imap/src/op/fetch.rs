//! Bodies: what a FETCH answers, taken item by item, with an eye on what is missing.
//!
//! A server may leave a message out of its answer without a word: because it can't read it, because it was removed
//! meanwhile, or by mistake. The first must be reported, the second not, and the third found out. So items are taken only
//! in the order in which they must come (by sequence number when all are asked for, by UID when some are) and taking stops
//! at the first gap; [`super::careful`] then looks at what is in the gap.

use connector::{Cursor, Error, Event, Holds, Item};
use model::{Flags, FolderPath, ItemId, ItemKind, ReceivedAt};

use super::outlet::Outlet;
use crate::map::cursor::Place;
use crate::session::Session;
use crate::wire::connection::{Bodies, Tag};
use crate::wire::fetch::{self, FetchedBody};
use crate::wire::response::Completion;
use crate::wire::set::UidSet;

/// What is asked of each message.
pub(crate) const ITEMS: &str = "(UID FLAGS INTERNALDATE BODY.PEEK[])";

/// What Exchange hands out in place of a message that it can't convert: a message of its own making, which must not be
/// taken for the person's. Both lines stand near its beginning.
const STAND_IN: [&[u8]; 2] = [
    b"Retrieval using the IMAP4 protocol failed for the following message",
    b"couldn't retrieve the following message",
];

/// How far into a message a stand-in's lines are looked for.
const STAND_IN_BYTES: usize = 8 * 1024;

/// In which order items must come.
#[derive(Debug)]
pub(crate) enum Order {
    /// Every message, so their sequence numbers leave no number out.
    Consecutive {
        /// The next sequence number.
        next: u32,
        /// The last UID that was passed.
        last_uid: u32,
    },
    /// The messages of these UIDs, in ascending order.
    Listed {
        uids: Vec<u32>,
        /// How many of them were passed.
        passed: usize,
    },
}

impl Order {
    /// Is it this item's turn? None when it was passed already.
    fn is_next(&self, sequence_number: u32, uid: u32) -> Option<bool> {
        match self {
            Self::Consecutive { last_uid, .. } if uid <= *last_uid => None,
            Self::Consecutive { next, .. } => Some(*next == sequence_number),
            Self::Listed { uids, passed } => match uids[*passed..].first() {
                Some(next) if uid < *next => None,
                Some(next) => Some(uid == *next),
                None => None,
            },
        }
    }

    fn pass(&mut self, uid: u32) {
        match self {
            Self::Consecutive { next, last_uid } => {
                *next = next.saturating_add(1);
                *last_uid = uid;
            }
            Self::Listed { passed, .. } => *passed += 1,
        }
    }

    /// A message of this sequence number was removed: later ones move up.
    fn expunged(&mut self, sequence_number: u32) {
        if let Self::Consecutive { next, .. } = self
            && sequence_number < *next
        {
            *next -= 1;
        }
    }

    /// Messages of these UIDs were removed.
    fn vanished(&mut self, uids: &UidSet) {
        if let Self::Consecutive { next, last_uid } = self {
            let before = uids.below(last_uid.saturating_add(1)).len();
            *next = next.saturating_sub(u32::try_from(before).unwrap_or(u32::MAX)).max(1);
        }
    }

    /// The UID that must come next, where that is known.
    pub(crate) fn next_uid(&self) -> Option<u32> {
        match self {
            Self::Consecutive { .. } => None,
            Self::Listed { uids, passed } => uids.get(*passed).copied(),
        }
    }
}

/// Makes the cursors that come with items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursors {
    /// The place before the next item.
    pub(crate) place: Place,
}

impl Cursors {
    /// The cursor once this item and all before it have a fate.
    pub(crate) fn then(&mut self, uid: u32) -> Cursor {
        self.place.next = u64::from(uid) + 1;
        self.place.count = self.place.count.saturating_add(1);
        self.place.cursor()
    }
}

/// Where items go.
pub(crate) struct Sink<'o> {
    pub(crate) out: &'o Outlet,
    pub(crate) holds: &'o Holds,
    pub(crate) folder: &'o FolderPath,
    pub(crate) validity: u32,
    /// Items below this UID are not wanted, even if they come.
    pub(crate) from: u32,
    /// None when items come without cursors.
    pub(crate) cursors: Option<Cursors>,
    /// Messages that were removed while this was read.
    pub(crate) removed: u64,
    /// The last UID that was put out.
    pub(crate) last_uid: u32,
    /// UIDNEXT when the folder was opened; and how many items were put out that came after.
    pub(crate) next_at_begin: u32,
    pub(crate) came_later: u32,
}

impl Sink<'_> {
    fn passed(&mut self, uid: u32) -> Option<Cursor> {
        self.last_uid = self.last_uid.max(uid);
        self.came_later += u32::from(self.next_at_begin > 0 && uid >= self.next_at_begin);
        self.cursors.as_mut().map(|cursors| cursors.then(uid))
    }

    pub(crate) async fn item(&mut self, uid: u32, flags: Flags, received: Option<ReceivedAt>, body: connector::Body) {
        let then = self.passed(uid);
        let id = ItemId::from_u32(uid);
        self.out.put(Event::Item(Item { id, kind: ItemKind::Message, flags, received, body, then })).await;
    }

    pub(crate) async fn unreadable(&mut self, uid: u32, error: Error) {
        // The cursor of the next item covers this one, too: it has its fate in this event.
        self.passed(uid);
        self.out.put(Event::Unreadable { id: ItemId::from_u32(uid), error }).await;
    }
}

/// What came of taking the answer to a FETCH.
#[derive(Debug)]
pub(crate) struct Taken {
    /// How the command ended.
    pub(crate) completion: Completion,
    /// Everything that came was in order.
    pub(crate) is_in_order: bool,
}

/// What to do with one FETCH response.
enum Step {
    Pass,
    Gap,
    Take { uid: u32, flags: Flags, received: Option<ReceivedAt>, quoted: Option<Vec<u8>> },
}

impl Session {
    /// Takes the answer to a FETCH of [`ITEMS`] that was sent, up to its end.
    pub(crate) async fn take_bodies(
        &mut self,
        tag: Tag,
        order: &mut Order,
        sink: &mut Sink<'_>,
    ) -> Result<Taken, Error> {
        let mut is_in_order = true;
        loop {
            let wanted = Bodies::Hold { holds: sink.holds, from: sink.from };
            let bodies = if is_in_order { wanted } else { Bodies::Discard };
            if let Err(error) = self.connection.receive(bodies).await {
                let uid = self.connection.uid_of_body_under_way().or(order.next_uid());
                return Err(self.lost_at(error, sink, uid));
            }
            let ended = self.connection.ended();
            if let Some((ended, completion)) = ended.map_err(|error| self.lost(error))? {
                if ended == tag {
                    return Ok(Taken { completion, is_in_order });
                }
                continue;
            }
            match self.step(order, sink) {
                Step::Pass => {}
                Step::Gap => is_in_order = false,
                Step::Take { .. } if !is_in_order => {}
                Step::Take { uid, flags, received, quoted } => {
                    let held = match quoted {
                        None => self.connection.body(),
                        Some(bytes) => Some(hold(sink.holds, &bytes).await),
                    };
                    match held {
                        Some(Ok(body)) if body.size_bytes() > 0 => {
                            order.pass(uid);
                            match self.stand_in(&body) {
                                None => sink.item(uid, flags, received, body).await,
                                Some(error) => sink.unreadable(uid, error).await,
                            }
                        }
                        Some(Err(error)) => {
                            order.pass(uid);
                            sink.unreadable(uid, error).await;
                        }
                        // A message of no bytes may be one that the server can't read: to be looked at closely.
                        Some(Ok(_)) | None => is_in_order = false,
                    }
                }
            }
        }
    }

    /// What to do with the response received last.
    fn step(&self, order: &mut Order, sink: &mut Sink<'_>) -> Step {
        let response = self.connection.response();
        if let Some((sequence_number, _)) = response.numbered("EXPUNGE") {
            order.expunged(sequence_number);
            sink.removed += 1;
            return Step::Pass;
        }
        if let Some((uids, false)) = response.vanished() {
            order.vanished(&uids);
            sink.removed = sink.removed.saturating_add(uids.len());
            return Step::Pass;
        }
        let Some((sequence_number, rest)) = response.numbered("FETCH") else { return Step::Pass };
        let fetched = fetch::parse(rest);
        if fetched.body == FetchedBody::Missing {
            // News of flags that nobody asked for. They are asked for again when it matters.
            return Step::Pass;
        }
        let Some(uid) = fetched.uid else { return Step::Gap };
        if uid < sink.from {
            return Step::Pass;
        }
        match order.is_next(sequence_number, uid) {
            None => return Step::Pass,
            Some(false) => return Step::Gap,
            Some(true) => {}
        }
        let quoted = match fetched.body {
            FetchedBody::Quoted(bytes) => Some(bytes.into_owned()),
            FetchedBody::Literal(_) => None,
            FetchedBody::Missing | FetchedBody::Nil | FetchedBody::Several => return Step::Gap,
        };
        match (fetched.flags, fetched.internal_date) {
            (Some(flags), Some(received)) => Step::Take { uid, flags, received: Some(received), quoted },
            _ => Step::Gap,
        }
    }

    /// Why this body is not the person's message, if it is Exchange's stand-in for one.
    pub(crate) fn stand_in(&self, body: &connector::Body) -> Option<Error> {
        if !self.is_exchange {
            return None;
        }
        let beginning = body.in_memory()?;
        let beginning = &beginning[..beginning.len().min(STAND_IN_BYTES)];
        let is_one = STAND_IN.iter().all(|line| memchr::memmem::find(beginning, line).is_some());
        is_one.then(|| super::careful::unreadable("Exchange can't convert it, and handed out a notice in its place"))
    }

    /// The connection was lost while this message was being read.
    pub(crate) fn lost_at(&mut self, error: Error, sink: &Sink<'_>, uid: Option<u32>) -> Error {
        if error.cause == model::Cause::Connection {
            // Dovecot says so of a message that it can't read, and goes.
            let is_said = error.server.as_ref().is_some_and(|said| said.to_ascii_lowercase().contains("fetch failed"));
            self.endpoint.broke_at(&self.account, sink.folder, sink.validity, uid, is_said);
        }
        self.lost(error)
    }
}

/// Holds bytes that are here already.
pub(crate) async fn hold(holds: &Holds, bytes: &[u8]) -> Result<connector::Body, Error> {
    let mut holding = holds.reserve(bytes.len() as u64).await?;
    holding.write(bytes).await?;
    holding.finish().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_items_leave_no_number_out() {
        let mut order = Order::Consecutive { next: 1, last_uid: 0 };
        assert_eq!(order.is_next(1, 10), Some(true));
        order.pass(10);
        assert_eq!(order.is_next(1, 10), None, "the same again");
        assert_eq!(order.is_next(3, 30), Some(false), "a gap");
        assert_eq!(order.is_next(2, 20), Some(true));
    }

    #[test]
    fn removed_messages_move_the_later_ones_up() {
        let mut order = Order::Consecutive { next: 5, last_uid: 40 };
        order.expunged(5);
        assert_eq!(order.is_next(5, 60), Some(true), "one behind was removed, and the next has its number");
        order.expunged(2);
        assert_eq!(order.is_next(4, 60), Some(true));
        order.vanished(&UidSet::parse(b"1,40,50").unwrap());
        assert_eq!(order.is_next(2, 60), Some(true), "two before and one behind");
        order.vanished(&UidSet::parse(b"1:4294967295").unwrap());
        assert_eq!(order.is_next(1, 60), Some(true));
    }

    #[test]
    fn listed_items_come_as_listed() {
        let mut order = Order::Listed { uids: vec![5, 7, 9], passed: 0 };
        assert_eq!(order.is_next(1, 5), Some(true));
        order.pass(5);
        assert_eq!((order.is_next(9, 9), order.is_next(9, 6), order.next_uid()), (Some(false), None, Some(7)));
        order.pass(7);
        order.pass(9);
        assert_eq!((order.is_next(9, 9), order.is_next(9, 11), order.next_uid()), (None, None, None));
    }
}
