//! A mailbox that rules are looked at for: held, or only asked about.

use connector::Account;
use model::Side;
use movement::{Held, Person};
use store::{MailboxRow, ProjectKey, Store};

/// A mailbox, with what is known of it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'s> {
    pub(crate) store: &'s Store,
    pub(crate) key: ProjectKey,
    pub(crate) row: &'s MailboxRow,
    pub(crate) person: Option<&'s Person>,
}

impl<'s> Subject<'s> {
    /// One that is held.
    pub(crate) fn of(held: &'s Held<'_>) -> Self {
        Self { store: held.store(), key: held.key(), row: held.row(), person: held.person() }
    }

    /// Its account on a side.
    pub(crate) fn account(&self, side: Side) -> Option<&'s Account> {
        self.person.map(|person| if side == Side::Source { &person.source } else { &person.target })
    }
}
