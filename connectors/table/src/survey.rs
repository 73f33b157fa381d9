//! What is known of a whole table before anything of it is told: its mistakes, what is claimed twice, and a digest of every row. From
//! that, what a reading from a cursor tells.
//!
//! A cursor is the digest of each row by its key, with that of the whole file and that of the settings. Other settings make another
//! table of the same file, so they lead to a whole reading. As long as there is a row whose key can't be read, nobody knows which
//! entry it is, and nothing counts as gone.

use std::collections::{BTreeMap, HashMap, HashSet};

use connector::{DirectoryCursor, EntryEvent, Error};
use model::{Cause, Scope};

use crate::map::Columns;
use crate::mistake::{Mistake, Mistakes, Unit, shown};
use crate::row::{Claim, Fault, Row, claims};

/// The beginning of a SHA-256.
pub(crate) type Digest = [u8; 16];

/// What no row has as its digest: that of a row that was told as faulty.
const FAULTY: Digest = [0; 16];
const VERSION: &[u8; 4] = b"tab1";

/// The digest of these bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    let whole = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut digest = [0; 16];
    digest.copy_from_slice(&whole.as_ref()[..16]);
    digest
}

/// The digest of what a row tells.
fn digest_of(row: &Row) -> Digest {
    // An entry is plain values, which can all be written.
    let text = serde_json::to_vec(&(&row.entry, row.action, row.starts_on, row.leaves_on)).unwrap_or_default();
    digest(&text)
}

/// What is known of a table, gathered row by row.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Everything that is wrong.
    pub(crate) mistakes: Mistakes,
    /// Rows that were looked at.
    pub(crate) rows: u64,
    /// Digests of rows that are well, by key.
    digests: BTreeMap<String, Digest>,
    /// Keys of rows that are not.
    faulty: HashSet<String>,
    /// There is a row whose key is not known.
    has_keyless: bool,
    /// Who claimed what first: its line and its row's digest.
    claimed: HashMap<Digest, (u64, Digest)>,
    /// Rows that share with another what no two may share, by their digests: what to say of them.
    clashes: HashMap<Digest, String>,
}

impl Survey {
    /// Takes a row into account.
    pub(crate) fn take(&mut self, columns: &Columns<'_>, read: &Result<Row, Fault>) {
        self.rows += 1;
        match read {
            Ok(row) => self.take_row(columns, row),
            Err(fault) => {
                self.mistakes.extend(fault.mistakes.iter().cloned());
                match &fault.key {
                    Some(key) => drop(self.faulty.insert(key.clone())),
                    None => self.has_keyless = true,
                }
            }
        }
    }

    /// Takes into account what is no row.
    pub(crate) fn take_broken(&mut self, broken: &Mistakes) {
        self.mistakes.extend(broken.list.iter().cloned());
        self.rows += broken.count;
        self.has_keyless |= !broken.is_empty();
    }

    fn take_row(&mut self, columns: &Columns<'_>, row: &Row) {
        let own = digest_of(row);
        let mut told = HashSet::new();
        for Claim { what, field, text, within } in claims(&row.entry) {
            let claim = digest(format!("{what}\0{within}\0{text}").as_bytes());
            let (first, digest_of_first) = *self.claimed.entry(claim).or_insert((row.line, own));
            if first == row.line {
                continue;
            }
            let column = columns.place_of(field);
            let said = format!("the {what} {}", shown(&text));
            self.clashes.entry(digest_of_first).or_insert_with(|| format!("{said} stands in another row, too"));
            self.clashes.entry(own).or_insert_with(|| format!("{said} stands in another row, too"));
            // A key that is the local id is one mistake, not two.
            if told.insert(column.as_ref().map(|column| column.number)) {
                let unit = columns.unit;
                let what = format!("{said} is in {} already", unit.place(first));
                let cure = "correct or remove one of the two".to_owned();
                self.mistakes.push(Mistake { unit, line: row.line, column, what, cure });
            }
        }
        self.digests.insert(row.entry.key.clone(), own);
    }

    /// Ends the gathering.
    pub(crate) fn finish(mut self) -> Self {
        self.mistakes.sort();
        self
    }

    /// What to say of a row that is well in itself.
    fn clash(&self, digest: &Digest) -> Option<&str> {
        self.clashes.get(digest).map(String::as_str)
    }
}

/// What a table was when it was last read.
#[derive(Debug, Default)]
pub(crate) struct Before {
    content: Digest,
    rows: BTreeMap<String, Digest>,
}

impl Before {
    /// Reads a cursor of a table with these settings; none when it is of another one, or can't be read.
    pub(crate) fn of(cursor: &DirectoryCursor, settings: &Digest) -> Option<Self> {
        let mut rest = cursor.0.strip_prefix(VERSION)?.strip_prefix(settings)?;
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at_checked(count)?;
            rest = left;
            Some(taken)
        };
        let content = take(16)?.try_into().ok()?;
        let count = u32::from_be_bytes(take(4)?.try_into().ok()?);
        let mut rows = BTreeMap::new();
        for _ in 0..count {
            let length = u32::from_be_bytes(take(4)?.try_into().ok()?);
            let key = std::str::from_utf8(take(length as usize)?).ok()?.to_owned();
            rows.insert(key, take(16)?.try_into().ok()?);
        }
        Some(Self { content, rows })
    }

    /// Is the content the same?
    pub(crate) fn is_same(&self, content: &Digest) -> bool {
        self.content == *content
    }
}

/// What is told of a table: what changed since it was last read, or all.
pub(crate) struct Telling {
    unit: Unit,
    survey: Survey,
    before: Option<Before>,
}

impl Telling {
    pub(crate) fn new(unit: Unit, survey: Survey, before: Option<Before>) -> Self {
        Self { unit, survey, before }
    }

    /// What a row tells; none when it is as it was.
    pub(crate) fn of_row(&self, read: Result<Row, Fault>) -> Option<EntryEvent> {
        match read {
            Ok(row) => {
                let own = digest_of(&row);
                if let Some(clash) = self.survey.clash(&own) {
                    let place = self.unit.place(row.line);
                    let what = format!("{clash}; correct or remove one of the two");
                    return Some(EntryEvent::Faulty { key: Some(row.entry.key), place, what });
                }
                let is_known = |before: &Before| before.rows.get(&row.entry.key) == Some(&own);
                (!self.before.as_ref().is_some_and(is_known)).then(|| EntryEvent::Seen(Box::new(row.into_told())))
            }
            Err(fault) => {
                let place = fault.mistakes.first().map(Mistake::place).unwrap_or_default();
                let what: Vec<String> = fault.mistakes.iter().map(Mistake::in_its_row).collect();
                Some(EntryEvent::Faulty { key: fault.key, place, what: what.join(" | ") })
            }
        }
    }

    /// What is told of rows that are none, and of entries that are gone.
    pub(crate) fn of_the_rest(&self, broken: &Mistakes) -> Vec<EntryEvent> {
        let faulty = broken.list.iter().map(|mistake| EntryEvent::Faulty {
            key: None,
            place: mistake.place(),
            what: mistake.in_its_row(),
        });
        faulty
            .chain(self.missing().filter(|_| !self.survey.has_keyless).map(|(key, _)| EntryEvent::Gone(key.clone())))
            .collect()
    }

    fn missing(&self) -> impl Iterator<Item = (&String, &Digest)> {
        let survey = &self.survey;
        let before = self.before.iter().flat_map(|before| &before.rows);
        before.filter(|(key, _)| !survey.digests.contains_key(*key) && !survey.faulty.contains(*key))
    }

    /// Is the content that of the last time?
    pub(crate) fn is_same(&self, content: &Digest) -> bool {
        self.before.as_ref().is_some_and(|before| before.is_same(content))
    }

    /// Was everything told, so that what was not is gone?
    pub(crate) fn is_whole(&self) -> bool {
        self.before.is_none() && !self.survey.has_keyless
    }

    /// The cursor after it.
    pub(crate) fn cursor(&self, settings: &Digest, content: &Digest) -> DirectoryCursor {
        let mut rows: BTreeMap<&str, Digest> = BTreeMap::new();
        if self.survey.has_keyless {
            rows.extend(self.missing().map(|(key, digest)| (key.as_str(), *digest)));
        }
        for (key, digest) in &self.survey.digests {
            let is_clash = self.survey.clash(digest).is_some();
            rows.insert(key, if is_clash { FAULTY } else { *digest });
        }
        rows.extend(self.survey.faulty.iter().map(|key| (key.as_str(), FAULTY)));
        let mut bytes = [VERSION.as_slice(), settings, content, &(rows.len() as u32).to_be_bytes()].concat();
        for (key, digest) in rows {
            bytes.extend((key.len() as u32).to_be_bytes());
            bytes.extend(key.as_bytes());
            bytes.extend(digest);
        }
        DirectoryCursor(bytes.into())
    }
}

/// The failure of a reading of a table that has mistakes.
pub(crate) fn refused(what: &str, mistakes: &Mistakes) -> Error {
    let count = mistakes.count;
    let word = if count == 1 { "mistake" } else { "mistakes" };
    Error::new(Cause::Unreadable, Scope::Run, format!("{what} has {count} {word}; nothing of it was used:\n{mistakes}"))
}
