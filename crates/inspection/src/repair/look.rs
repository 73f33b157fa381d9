//! Looking ahead for the charset of a message's text: what its header says is most likely in the same one.

use std::io;

use super::Repairs;
use super::head::{Head, Spliced};
use super::plan::Spaced;
use crate::read::{Lines, ReadAt, Slice};
use crate::rules::{Limits, Seal, Unseen};
use crate::walk::{Holds, Part, Visitor, walk_lines};

/// So many bytes behind the header are looked at.
const AHEAD_BYTES_MAX: u64 = 64 << 10;

/// The charset that the message's first text in parts names, but for US-ASCII.
pub(super) fn charset_of_text(
    message: &dyn ReadAt,
    head: &Head,
    wanted: &Repairs,
    limits: &Limits,
) -> io::Result<Option<String>> {
    let spliced = Spliced::new(message, head);
    let size = spliced.size_bytes()?.min(head.text.len() as u64 + AHEAD_BYTES_MAX);
    let slice = Slice::new(&spliced, 0..size);
    let spaced = Spaced { message: &slice };
    let view: &dyn ReadAt = if wanted.nul { &spaced } else { &slice };
    let lines = if wanted.bare_cr { Lines::joining_crs(view, 0) } else { Lines::new(view, 0) };
    let mut finder = Finder { size, messages: Vec::new(), charset: None };
    walk_lines(view, lines, limits, &mut finder)?;
    Ok(finder.charset)
}

struct Finder {
    size: u64,
    /// For all that is open: is it in a message in the message?
    messages: Vec<bool>,
    charset: Option<String>,
}

impl Visitor for Finder {
    fn part(&mut self, _: &dyn ReadAt, _: &Part) -> io::Result<()> {
        Ok(())
    }

    fn seal(&mut self, _: &Part, _: Seal) {}

    fn unseen(&mut self, _: Option<&Part>, _: Unseen) {}

    fn opened(&mut self, part: &Part, holds: Holds) -> io::Result<()> {
        let is_within = self.messages.last().is_some_and(|is_message| *is_message);
        self.messages.push(is_within || holds == Holds::Message);
        let content = &part.content;
        // A header that is cut where the look ends may say less than it does.
        let is_whole = part.place.body.start < self.size;
        let is_text = holds == Holds::Content && content.mime.starts_with("text/") && !content.is_file();
        if self.charset.is_none() && is_whole && is_text && !is_within {
            let named = content.charset.clone();
            self.charset = named.filter(|label| !super::words::is_ascii(label));
        }
        Ok(())
    }

    fn closed(&mut self, _: u64) -> io::Result<()> {
        self.messages.pop();
        Ok(())
    }
}
