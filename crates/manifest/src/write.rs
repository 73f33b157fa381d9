//! Writes a manifest, line by line. The file with roots only is the same file without the lines of items and of whose they
//! are, under the same signature.

use std::io::{self, Write};

use crate::key::Signer;
use crate::line::{
    Collection, Counts, Digest32, Head, Item, LINE_BYTES_MAX, Line, Mailbox, NAME_BYTES_MAX, Project, Who, place,
};
use crate::tree::{Tree, leaf};

/// A manifest being written. In this order: each mailbox of a collection, `who`, `item` of each item and `mailbox`; then
/// `collection`; at the end `finish`.
pub struct Writer<'s, W> {
    signer: &'s Signer,
    full: W,
    roots: Option<W>,
    head: Vec<u8>,
    mailbox: Level,
    collection: Level,
    project: Level,
    mailboxes: u64,
    who: Option<Digest32>,
    last: Option<Item>,
}

/// What has come of one level: its tree and its counts.
#[derive(Default)]
struct Level {
    tree: Tree,
    counts: Counts,
}

impl Level {
    fn end(&mut self) -> (u64, Counts, Digest32) {
        let Self { tree, counts } = std::mem::take(self);
        (tree.size(), counts, Digest32(tree.finish().0))
    }
}

/// What is known of a mailbox besides its items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxFacts {
    /// When it was last read in full (seconds since 1970).
    pub read: Option<i64>,
    /// Folders at the source.
    pub folders: u64,
    /// Of these: read to their end.
    pub folders_read: u64,
    /// Items that the source holds.
    pub source: u64,
}

impl<'s, W: Write> Writer<'s, W> {
    /// Begins a manifest; with a second file, also the one with roots only.
    pub fn begin(signer: &'s Signer, head: Head, full: W, roots: Option<W>) -> io::Result<Self> {
        let head = written(&Line::Manifest(Head { key: signer.public().0, ..head }))?;
        let levels = (Level::default(), Level::default(), Level::default());
        let mut writer = Self {
            signer,
            full,
            roots,
            head: head.clone(),
            mailbox: levels.0,
            collection: levels.1,
            project: levels.2,
            mailboxes: 0,
            who: None,
            last: None,
        };
        writer.write(&head, true)?;
        Ok(writer)
    }

    /// Begins a mailbox.
    pub fn who(&mut self, who: &Who) -> io::Result<()> {
        assert!(self.who.is_none(), "a mailbox begins once the one before it has ended");
        let line = written(&Line::Who(who.clone()))?;
        self.who = Some(Digest32(leaf(&line)));
        self.last = None;
        self.write(&line, false)
    }

    /// Adds an item of the mailbox. In the order of [`place`].
    pub fn item(&mut self, item: Item) -> io::Result<()> {
        let is_in_order = self.last.as_ref().is_none_or(|last| place(last) < place(&item));
        assert!(self.who.is_some() && is_in_order, "an item comes in its mailbox, each once, in its order");
        self.mailbox.counts.count(item.fate);
        let item = Line::Item(item);
        let line = written(&item)?;
        self.mailbox.tree.push(leaf(&line));
        if let Line::Item(item) = item {
            self.last = Some(item);
        }
        self.write(&line, false)
    }

    /// Ends the mailbox.
    pub fn mailbox(&mut self, facts: MailboxFacts) -> io::Result<Counts> {
        let Some(who) = self.who.take() else { unreachable!("a mailbox ends after it has begun") };
        let (_, counts, root) = self.mailbox.end();
        let counts = Counts { source: facts.source, ..counts };
        let MailboxFacts { read, folders, folders_read, .. } = facts;
        let line = Line::Mailbox(Mailbox { who, read, folders, folders_read, counts, root }).written();
        self.collection.tree.push(leaf(&line));
        self.collection.counts.add(&counts);
        self.mailboxes += 1;
        self.write(&line, true)?;
        Ok(counts)
    }

    /// Ends a collection: the mailboxes since the one before. In the order of names, those without a name first.
    pub fn collection(&mut self, name: Option<String>) -> io::Result<()> {
        let (mailboxes, counts, root) = self.collection.end();
        let line = written(&Line::Collection(Collection { name, mailboxes, counts, root }))?;
        self.project.tree.push(leaf(&line));
        self.project.counts.add(&counts);
        self.write(&line, true)
    }

    /// Ends the manifest and signs it.
    pub fn finish(mut self, ended: i64) -> io::Result<(Project, W, Option<W>)> {
        let (collections, counts, root) = self.project.end();
        let project = Project { collections, mailboxes: self.mailboxes, counts, ended, root };
        let line = Line::Project(project.clone()).written();
        self.write(&line, true)?;
        let signature = Line::Signature(self.signer.sign(&self.head, &line)).written();
        self.write(&signature, true)?;
        self.full.flush()?;
        if let Some(roots) = &mut self.roots {
            roots.flush()?;
        }
        Ok((project, self.full, self.roots))
    }

    fn write(&mut self, line: &[u8], is_public: bool) -> io::Result<()> {
        let files = [Some(&mut self.full), self.roots.as_mut().filter(|_| is_public)];
        for file in files.into_iter().flatten() {
            file.write_all(line)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// A line, unless nobody would read it.
fn written(line: &Line) -> io::Result<Vec<u8>> {
    let kind = line.kind();
    let written = line.written();
    if line.is_in_bounds() && written.len() <= LINE_BYTES_MAX {
        return Ok(written);
    }
    Err(io::Error::other(format!(
        "a name in a line {kind:?} is longer than any in a manifest ({NAME_BYTES_MAX} bytes)"
    )))
}
