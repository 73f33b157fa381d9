//! A text table as `postmap(1)` reads it, and our entries in it. All that is not ours stays byte for byte.
//!
//! Ours are put at the top, since there nothing has to be known of how the text ends. A line that begins with a blank belongs to the entry
//! before it, comments in between do not end that: so an entry is a list of lines.

use std::ops::Range;

use super::mark::{self, Row, Whose};
use super::plan::Change;

/// A text, and the entries in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The first line of text begins with a blank, and belongs to no entry.
    pub(crate) begins_inside: bool,
}

/// An entry: its lines, what it is looked up by, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    lines: Vec<Range<usize>>,
    /// The number of its first line.
    pub(crate) line: usize,
    /// In small letters.
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Text {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let (mut entries, mut begins_inside): (Vec<(Entry, Vec<u8>)>, _) = (Vec::new(), false);
        let mut at = 0;
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let range = at..at + line.len();
            at = range.end;
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
            let begins = line.iter().find(|byte| !is_blank(byte));
            match begins {
                None | Some(b'#') => {}
                Some(_) if is_blank(&line[0]) => match entries.last_mut() {
                    Some((entry, text)) => {
                        entry.lines.push(range);
                        text.extend_from_slice(line);
                    }
                    None => begins_inside = true,
                },
                Some(_) => {
                    let entry =
                        Entry { lines: vec![range], line: number + 1, key: String::new(), value: String::new() };
                    entries.push((entry, line.to_vec()));
                }
            }
        }
        let entries = entries.into_iter().map(|(entry, text)| entry.read(&text)).collect();
        Self { bytes, entries, begins_inside }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries as rows of our table, which is called this.
    pub(crate) fn rows(&self, name: &str) -> Vec<Row> {
        let row = |entry: &Entry| {
            let (to, whose) = mark::parse(&entry.value);
            Row { address: entry.key.clone(), to, whose, place: format!("{name}, line {}", entry.line) }
        };
        self.entries.iter().map(row).collect()
    }

    /// The text with these changes made to the entries of this account.
    pub(crate) fn changed(&self, account: &str, changes: &[Change]) -> Vec<u8> {
        let line = |address: &str, to: &str| format!("{address} {}\n", mark::value(to, account)).into_bytes();
        let (mut top, mut gone) = (Vec::new(), Vec::<&Range<usize>>::new());
        let mut new = Vec::<(usize, Vec<u8>)>::new();
        let ours = |address: &str| -> Vec<&Entry> {
            let is_ours =
                |entry: &&Entry| entry.key == address && mark::parse(&entry.value).1 == Whose::Ours(account.to_owned());
            self.entries.iter().filter(is_ours).collect()
        };
        for change in changes {
            match change {
                Change::Insert(address, to) => top.extend(line(address, to)),
                Change::Update(address, to) => {
                    for (number, entry) in ours(address).into_iter().enumerate() {
                        gone.extend(&entry.lines);
                        if number == 0 {
                            new.push((entry.lines[0].start, line(address, to)));
                        }
                    }
                }
                Change::Delete(address) => ours(address).into_iter().for_each(|entry| gone.extend(&entry.lines)),
            }
        }
        gone.sort_by_key(|range| range.start);
        let (mut text, mut at) = (top, 0);
        for range in gone {
            text.extend_from_slice(&self.bytes[at..range.start]);
            if let Some((_, line)) = new.iter().find(|(start, _)| *start == range.start) {
                text.extend_from_slice(line);
            }
            at = range.end;
        }
        text.extend_from_slice(&self.bytes[at..]);
        text
    }
}

impl Entry {
    fn read(mut self, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let text: String = text.chars().filter(|c| *c != '\n').collect();
        let (key, value) = text.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((&text, ""));
        self.key = key.trim().to_lowercase();
        value.trim().clone_into(&mut self.value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(address: &str) -> Change {
        Change::Insert(address.to_owned(), "ann@new.test".to_owned())
    }

    #[test]
    fn entries_are_read_as_postmap_reads_them() {
        let text =
            Text::new(b"# top\r\n\r\nAnn@Site.test  a@b,\r\n # in between\r\n\tc@d\r\n  \nbob@site.test x@y".to_vec());
        let read: Vec<_> = text.entries().iter().map(|e| (e.line, e.key.as_str(), e.value.as_str())).collect();
        assert_eq!(read, [(3, "ann@site.test", "a@b,\r\tc@d"), (7, "bob@site.test", "x@y")]);
        assert!(!text.begins_inside && Text::new(b"# c\n  x y\na b\n".to_vec()).begins_inside);
    }

    #[test]
    fn what_is_not_ours_stays_byte_for_byte() {
        let texts: [&[u8]; 7] = [
            b"",
            b"# only a comment",
            b"bob@site.test x@y",
            b"bob@site.test x@y\r\n\r\n# end\r\n",
            b"\n\n# c\nbob@site.test x@y\n  z@y\n# c\n",
            b"\xff\xfe bytes\0\n",
            b"bob@site.test x@y\n ",
        ];
        for bytes in texts {
            let text = Text::new(bytes.to_vec());
            let on = Text::new(text.changed("ann", &[insert("ann@site.test"), insert("a2@site.test")]));
            assert!(on.bytes().ends_with(bytes));
            let rows = on.rows("t");
            let ours: Vec<_> = rows.iter().filter(|row| row.is_of("ann")).map(|row| row.address.as_str()).collect();
            assert_eq!(ours, ["ann@site.test", "a2@site.test"]);
            assert_eq!(rows.len(), text.entries().len() + 2);
            let update = Change::Update("ann@site.test".into(), "x@new.test".into());
            let updated = Text::new(on.changed("ann", &[update]));
            assert_eq!(
                (updated.rows("t")[0].to.as_str(), updated.rows("t")[1].to.as_str()),
                ("x@new.test", "ann@new.test")
            );
            let gone = [Change::Delete("ann@site.test".into()), Change::Delete("a2@site.test".into())];
            assert_eq!(updated.changed("ann", &gone), bytes);
            assert_eq!(updated.changed("bob", &gone), updated.bytes(), "another's are left alone");
        }
    }

    #[test]
    fn ours_are_found_wherever_they_were_put_and_whatever_lines_they_have() {
        let ours = "ann@site.test ann@new.test (whimbrel: ann)";
        let text = Text::new(
            format!("bob@site.test x@y\n# c\nANN@site.test\n # here\n  ann@new.test\n\t(whimbrel: ann)\n# d\n{ours}")
                .into(),
        );
        assert_eq!(text.rows("t").iter().filter(|row| row.is_of("ann")).count(), 2);
        let gone = text.changed("ann", &[Change::Delete("ann@site.test".into())]);
        assert_eq!(String::from_utf8(gone).unwrap(), "bob@site.test x@y\n# c\n # here\n# d\n");
        let update = Change::Update("ann@site.test".into(), "x@new.test".into());
        let one = Text::new(text.changed("ann", &[update]));
        assert_eq!(one.entries().len(), 2, "{}", String::from_utf8_lossy(one.bytes()));
    }
}
