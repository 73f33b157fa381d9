//! Finds what a platform bans in a message, and replaces it byte by byte.
//!
//! A platform that takes over people's mail refuses some attachments: by the end of their name, by their type, by what
//! they are, by their size. [`inspect`] finds them wherever they lie: in a part under any of its readings, in messages
//! within messages, among the lines of a text, in a winmail.dat, in zip archives within each other. [`edits`] takes them
//! out, a note comes in their place, and [`apply`] writes the message with every other byte as it was.
//!
//! Nothing here does I/O but reading the message and writing the new one. Memory is bounded however large a message is,
//! and so is the time per byte: each limit has a name ([`Limits`]), and what lies beyond is a finding of its own, as is
//! whatever could not be looked into ([`Unseen`]). A finding without a rule is let through, but it is never silent.
//!
//! The rules are data of a profile ([`Rules`]). Nothing here knows a platform.
//!
//! Readers of mail differ about broken mail, so an attachment is looked for in every reading that is known of one of
//! them; where readers see different parts, that is told ([`Unseen::Ambiguous`]). Why the walk through a message is our
//! own: the parsers there are hold the whole message in memory, which may be two gigabytes.

pub mod archive;
mod attached;
mod charset;
mod decode;
mod finding;
mod header;
mod inline;
mod inspector;
mod kind;
mod name;
mod read;
mod repair;
mod rewrite;
mod rules;
mod subject;
mod tnef;
mod walk;
mod zip;

use std::io;

pub use attached::{Attached, Attachment, attached};
pub use finding::{File, Finding, Inspection, Verdict};
pub use kind::Kind;
pub use read::ReadAt;
pub use repair::{Done, How, Impossible, RepairRule, Repaired, Repairs, WhyNot, repair};
pub use rewrite::{Edit, apply, edits, size_with};
pub use rules::{Ban, Banned, Disposition, Limits, Rules, Seal, SealedDisposition, Unseen, Why};
pub use subject::subject;

/// Finds what the rules ban in a message, and what could not be looked into.
pub fn inspect(message: &dyn ReadAt, rules: &Rules, limits: &Limits) -> io::Result<Inspection> {
    inspector::Inspector::new(message, rules, limits).run()
}
