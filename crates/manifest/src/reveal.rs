//! One item proved without the rest: its line and whose it is, and the hashes that lead from there to the signed root.

use std::io::{self, Read};

use model::{Digest, Examiner, ItemKind};
use ring::digest::{Context, SHA256};

use crate::check::{Problems, signed};
use crate::key::PublicKey;
use crate::line::{Collection, Digest32, Head, Held, Item, Line, Mailbox, PathEntry, Paths, Project, VERSION, Who};
use crate::read::{Lines, Raw};
use crate::tree::{Path, leaf};

/// An item that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of its line.
    pub number: u64,
    /// Whose it is.
    pub who: Who,
    /// The item.
    pub item: Item,
    pub(crate) mailbox: Vec<u8>,
    pub(crate) collection: Vec<u8>,
    pub(crate) head: Vec<u8>,
    pub(crate) project: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) paths: [Option<Path>; 3],
}

impl Found {
    pub(crate) fn new(number: u64, who: Who, item: Item) -> Self {
        let nothing = Vec::new;
        let (mailbox, collection, head, project) = (nothing(), nothing(), nothing(), nothing());
        let paths = [None, None, None];
        Self { number, who, item, mailbox, collection, head, project, signature: nothing(), paths }
    }

    /// The proof of the item, as a file; none where its path was not kept, or the manifest is not whole.
    pub fn proof(&self) -> Option<Vec<u8>> {
        let [item, mailbox, collection] = self.paths.clone().map(|path| path.map(PathEntry::from));
        let paths = Paths { version: VERSION, item: item?, mailbox: mailbox?, collection: collection? };
        let lines = [
            &Line::Proof(paths).written(),
            &self.head,
            &Line::Who(self.who.clone()).written(),
            &Line::Item(self.item.clone()).written(),
            &self.mailbox,
            &self.collection,
            &self.project,
            &self.signature,
        ];
        (!self.signature.is_empty()).then(|| lines.into_iter().flat_map(|line| [&line[..], b"\n"].concat()).collect())
    }
}

/// What the check of a proof found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proved {
    /// The manifest's first line.
    pub head: Option<Head>,
    /// Whose the item is.
    pub who: Option<Who>,
    /// The item.
    pub item: Option<Item>,
    /// Its mailbox.
    pub mailbox: Option<Mailbox>,
    /// The collection that its mailbox is in.
    pub collection: Option<Collection>,
    /// The manifest's line about everything.
    pub project: Option<Project>,
    /// What is wrong.
    pub problems: Problems,
}

/// The lines of a proof, in their order.
const LINES: [&str; 8] = ["proof", "manifest", "who", "item", "mailbox", "collection", "project", "signature"];

/// Does a file with this beginning hold a proof?
pub fn is_proof(beginning: &[u8]) -> bool {
    beginning.starts_with(b"{\"proof\"")
}

/// Checks the proof of one item. `pinned` is the key that must have signed it, where that is known.
pub fn check_proof(reader: impl Read, pinned: Option<PublicKey>) -> io::Result<Proved> {
    let mut lines = Lines::new(reader);
    let mut proved = Proved::default();
    let (mut raw, mut read) = (Vec::new(), Vec::new());
    for (place, kind) in LINES.into_iter().enumerate() {
        let number = place + 1;
        let line = match lines.next_line()? {
            Some(Raw::Line(line)) => line.to_vec(),
            Some(Raw::TooLong) => {
                proved.problems.add(format!("line {number} is longer than any line of a manifest"));
                return Ok(proved);
            }
            Some(Raw::CutOff) | None => {
                proved
                    .problems
                    .add(format!("line {number} ({kind:?}) is missing or does not end: the file was cut off"));
                return Ok(proved);
            }
        };
        match Line::read(&line) {
            Some(found) if found.kind() == kind => read.push(found),
            _ => {
                let what = "as it was written: it was altered, or lines were left out, added or moved";
                proved.problems.add(format!("line {number} is not the line {kind:?} of a proof {what}"));
                return Ok(proved);
            }
        }
        raw.push(line);
    }
    if lines.next_line()?.is_some() {
        proved.problems.add("there is more after the signature, which is signed by nobody");
    }
    let Ok(read) = <[Line; 8]>::try_from(read) else { return Ok(proved) };
    if let [
        Line::Proof(paths),
        Line::Manifest(head),
        Line::Who(who),
        Line::Item(item),
        Line::Mailbox(mailbox),
        Line::Collection(collection),
        Line::Project(project),
        Line::Signature(signature),
    ] = read
    {
        for version in [paths.version, head.version] {
            if version != VERSION {
                let what = format!("this is of version {version}; this program knows version {VERSION}");
                proved.problems.add(what);
            }
        }
        lead(&mut proved.problems, &raw, &paths, &mailbox, &collection, &project);
        if let Some(problem) = signed(Some(&head), pinned, [&raw[1], &raw[6]], &signature) {
            proved.problems.add(format!("line 8 {problem}"));
        }
        let (head, who, item) = (Some(head), Some(who), Some(item));
        let (mailbox, collection, project) = (Some(mailbox), Some(collection), Some(project));
        proved = Proved { head, who, item, mailbox, collection, project, problems: proved.problems };
    }
    Ok(proved)
}

/// Does each line lead to the next root?
fn lead(
    problems: &mut Problems,
    raw: &[Vec<u8>],
    paths: &Paths,
    mailbox: &Mailbox,
    collection: &Collection,
    project: &Project,
) {
    if Digest32(leaf(&raw[2])) != mailbox.who {
        problems.add("line 3 says whose another mailbox is than that of line 5");
    }
    let levels = [
        (&paths.item, &raw[3], mailbox.counts.items, mailbox.root, "line 4, the item, is not in the mailbox of line 5"),
        (
            &paths.mailbox,
            &raw[4],
            collection.mailboxes,
            collection.root,
            "line 5, the mailbox, is not in the collection of line 6",
        ),
        (
            &paths.collection,
            &raw[5],
            project.collections,
            project.root,
            "line 6, the collection, is not in the project of line 7",
        ),
    ];
    for (path, line, size, root, what) in levels {
        if path.size != size || path.root(line).map(Digest32) != Some(root) {
            problems.add(format!("{what}, at the place and by the hashes of line 1: one of the three was altered"));
        }
    }
}

/// What an item's bytes at hand are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// How many.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: Digest,
    /// SHA-256 of their canonical form.
    pub canonical: Digest,
    /// SHA-256 of them with each LF written CRLF, if all their line ends are LF alone.
    pub with_crlf: Option<Digest>,
}

/// How the bytes at hand are those of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Byte for byte; or, of a file with LF alone, but for line ends.
    Exact,
    /// But for line ends.
    Canonical,
    /// They are others.
    Other,
}

impl Bytes {
    /// Reads them.
    pub fn read(mut reader: impl Read) -> io::Result<Self> {
        let mut examiner = Examiner::new(ItemKind::Message);
        let mut with_crlf = Some(Context::new(&SHA256));
        let mut piece = vec![0; 1 << 16];
        loop {
            let count = match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            examiner.feed(&piece[..count]);
            with_crlf = with_crlf.filter(|_| !piece[..count].contains(&b'\r'));
            if let Some(context) = &mut with_crlf {
                for line in piece[..count].split_inclusive(|byte| *byte == b'\n') {
                    match line.strip_suffix(b"\n") {
                        Some(line) => [line, b"\r\n"].into_iter().for_each(|part| context.update(part)),
                        None => context.update(line),
                    }
                }
            }
        }
        let found = examiner.finish();
        let with_crlf = with_crlf.and_then(|context| Digest::from_bytes(context.finish().as_ref()));
        Ok(Self { size: found.size_bytes, sha256: found.exact, canonical: found.canonical, with_crlf })
    }

    /// Are they these?
    pub fn are(&self, held: &Held) -> Likeness {
        let sha256 = held.sha256.map(|digest| digest.0);
        if sha256.is_some() && (sha256 == Some(self.sha256) || sha256 == self.with_crlf) {
            Likeness::Exact
        } else if held.canonical() == Some(self.canonical) {
            Likeness::Canonical
        } else {
            Likeness::Other
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by what goes wrong in it")]

    use super::*;
    use crate::line::Canonical;

    #[test]
    fn bytes_at_hand_are_told_from_others() {
        let wire = b"A: b\r\n\r\nc\r\n";
        let held = |bytes: &[u8]| {
            let found = Examiner::examine(ItemKind::Message, bytes);
            let canonical1 = Some(Canonical::of(found.exact, found.canonical));
            Held { size: None, sha256: Some(Digest32(found.exact)), canonical1, flags: None }
        };
        let unknown = Held { canonical1: None, ..held(wire) };
        for (bytes, of_known, of_unknown) in [
            (&wire[..], Likeness::Exact, Likeness::Exact),
            (b"A: b\n\nc\n", Likeness::Exact, Likeness::Exact),
            (b"A: b\n\r\nc\n", Likeness::Canonical, Likeness::Other),
            (b"A: b\n\nc", Likeness::Canonical, Likeness::Other),
            (b"A: b\n\nd\n", Likeness::Other, Likeness::Other),
            (b"", Likeness::Other, Likeness::Other),
        ] {
            let bytes = Bytes::read(bytes).unwrap();
            assert_eq!((bytes.are(&held(wire)), bytes.are(&unknown)), (of_known, of_unknown));
            assert_eq!(bytes.are(&Held::default()), Likeness::Other);
        }
    }
}
