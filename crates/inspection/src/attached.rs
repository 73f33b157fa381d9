//! The files that are attached to a message, with their bytes: for the few messages that are meant for this program.
//!
//! Here a message that readers may understand in different ways is told as such, and whoever asked does nothing with it: which
//! file was meant is not to be guessed.

use std::io;

use crate::decode::{Decoded, Encoding};
use crate::read::{ReadAt, Slice, bytes};
use crate::rules::{Limits, Seal, Unseen};
use crate::walk::{Holds, Part, Visitor, walk};

/// A file that is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name as its sender gave it; empty where it has none.
    pub name: String,
    /// Its media type, in small letters.
    pub mime: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What is attached to a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// The files, in their order.
    pub files: Vec<Attachment>,
    /// What could not be read, or may be read in different ways.
    pub unseen: Vec<Unseen>,
}

/// The files attached to a message whose name or type is `wanted`; those of messages within it are not. Of a message larger than fits
/// into memory this is not to be asked.
pub fn attached(message: &dyn ReadAt, wanted: &dyn Fn(&str, &str) -> bool) -> io::Result<Attached> {
    let mut visitor = Gather { wanted, opened: Vec::new(), found: Attached::default() };
    walk(message, &Limits::default(), &mut visitor)?;
    Ok(visitor.found)
}

struct Gather<'w> {
    wanted: &'w dyn Fn(&str, &str) -> bool,
    /// What is open around the place that is read.
    opened: Vec<Holds>,
    found: Attached,
}

impl Visitor for Gather<'_> {
    fn part(&mut self, message: &dyn ReadAt, part: &Part) -> io::Result<()> {
        if self.opened.contains(&Holds::Message) {
            return Ok(());
        }
        let content = &part.content;
        let name = content.names.first().cloned().unwrap_or_default();
        if !content.names.iter().chain([&name]).any(|name| (self.wanted)(name, &content.mime)) {
            return Ok(());
        }
        if content.is_unknown_encoding || content.is_ambiguous {
            return Ok(()); // Told already.
        }
        if content.names.len() > 1 && !are_alike(&content.names) {
            self.found.unseen.push(Unseen::Ambiguous);
            return Ok(());
        }
        let encoded = Slice::new(message, part.place.body.clone());
        let size_bytes = encoded.size_bytes()? as usize;
        let bytes = if content.encoding == Encoding::Identity {
            bytes(&encoded, 0, size_bytes)?
        } else {
            // What is decoded is never longer.
            bytes(&Decoded::new(&encoded, content.encoding), 0, size_bytes)?
        };
        self.found.files.push(Attachment { name, mime: content.mime.clone(), bytes });
        Ok(())
    }

    fn seal(&mut self, _part: &Part, seal: Seal) {
        self.found.unseen.extend(seal.unseen());
    }

    fn unseen(&mut self, _part: Option<&Part>, what: Unseen) {
        self.found.unseen.push(what);
    }

    fn opened(&mut self, _part: &Part, holds: Holds) -> io::Result<()> {
        self.opened.push(holds);
        Ok(())
    }

    fn closed(&mut self, _end: u64) -> io::Result<()> {
        self.opened.pop();
        Ok(())
    }
}

/// Readings of a name that end alike are no doubt about what the file is.
fn are_alike(names: &[String]) -> bool {
    let ending = |name: &String| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    names.iter().all(|name| ending(name) == ending(&names[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_table(name: &str, mime: &str) -> bool {
        name.to_lowercase().ends_with(".csv") || mime == "text/csv"
    }

    fn of(message: &str) -> Attached {
        attached(&message.replace('\n', "\r\n").into_bytes().as_slice(), &is_table).unwrap()
    }

    #[test]
    fn a_file_comes_with_its_name_and_its_bytes() {
        let found = of(
            "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n\
            --b\nContent-Type: application/octet-stream; name=\"New people.CSV\"\n\
            Content-Transfer-Encoding: base64\n\na2V5LG5hbWUK\n--b\nContent-Type: image/png; name=logo.png\n\nx\n--b--\n",
        );
        assert_eq!(found.unseen, []);
        let [file] = &found.files[..] else { panic!("{found:?}") };
        assert_eq!((file.name.as_str(), file.bytes.as_slice()), ("New people.CSV", &b"key,name\n"[..]));
    }

    #[test]
    fn a_message_that_is_the_file_has_it_attached() {
        let found = of("Content-Type: text/csv\nContent-Transfer-Encoding: quoted-printable\n\nkey,=41\n");
        assert_eq!(found.files[0].bytes, b"key,A\r\n");
    }

    #[test]
    fn files_in_a_forwarded_message_are_not_attached_to_this_one() {
        let found = of("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\
            Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/csv; name=a.csv\n\nkey\n--c--\n--b--\n");
        assert_eq!(found.files, [], "whoever forwards it attaches it");
    }

    #[test]
    fn what_may_be_read_in_two_ways_is_told() {
        let found = of("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/csv; name=a.csv\n\
            Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 8bit\n\na2V5\n--b--\n");
        assert_eq!((found.files.len(), found.unseen.as_slice()), (0, &[Unseen::Ambiguous][..]));
    }
}
