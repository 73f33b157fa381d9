//! The manifest: what became of every item, as a signed file that others can check without Whimbrel, and without any mail.
//!
//! A file of lines (`line.rs`). Items are the leaves of a tree for each mailbox, mailboxes those of a tree for each
//! collection, collections those of one tree (`tree.rs`), whose root is signed (`key.rs`). Invariants:
//! * A line is written in one way only, and hashed as it stands: one altered byte is found, and by which line.
//! * What is hashed and could be guessed has a salt. The file without items, or the proof of one item, tells nothing of
//!   another.
//! * Nothing grows with the file: neither to write it, nor to check it, nor to prove one item of it.
//! * Whoever made the file may be an enemy: no line makes a check panic, or hold more than one line.
//!
//! `docs/manifest.md` has the form to the byte. This crate knows neither the ledger nor any platform.

mod check;
mod key;
mod line;
mod read;
mod reveal;
mod tree;
mod write;

pub use check::{Checked, Chosen, Problems, check};
pub use key::{PublicKey, Signer};
pub use line::{
    Account, Canonical, Collection, Counts, Digest32, Head, Held, Hex, Id, Item, LINE_BYTES_MAX, Line, Mailbox,
    NAME_BYTES_MAX, Outcome, PathEntry, Paths, Project, SALT_BYTES, There, UNDER_WAY, VERSION, Who, flags_hash,
    flags_text, place,
};
pub use read::{Lines, Raw, Section, Sections};
pub use reveal::{Bytes, Found, Likeness, Proved, check_proof, is_proof};
pub use tree::{Path, Tree, leaf};
pub use write::{MailboxFacts, Writer};
