//! `addressbook sync` and `diff`: everybody in scope stands exactly once in each address book.

use std::collections::HashSet;
use std::sync::Arc;

use connector::{Change, ChangeOutcome, DirectoryTarget, OpenDoor, PlannedChange};
use model::Entry;
use people::{Book, BookChange, Books, Difference};
use serde::Serialize;
use serde_json::json;
use store::PeopleLease;

use super::{Opened, PeopleProject, read_entry};
use crate::Error;
use crate::usecase::governed::Gates;

/// Changes sent at once.
const PORTION: usize = 100;
/// Cycles in a run, at most: what is read after a change may show a further one.
const CYCLES: usize = 3;

/// One address book.
#[derive(Clone, Debug, Serialize)]
pub struct BookReport {
    /// Which: `source` or `platform`.
    pub book: &'static str,
    /// The directory.
    pub directory: String,
    /// People who stand there once, as they should.
    pub in_place: usize,
    /// Contacts written, changed and removed by this run, or that would be.
    pub added: usize,
    /// Changed.
    pub changed: usize,
    /// Removed.
    pub removed: usize,
    /// Changes that are still to be made: none, once both are in step.
    pub to_do: usize,
    /// What nobody but a person can cure: who, what.
    pub faults: Vec<(String, String)>,
    /// Changes that were refused: who, why.
    pub refused: Vec<(String, String)>,
}

/// Both address books.
#[derive(Clone, Debug, Serialize)]
pub struct AddressBookReport {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Each of them.
    pub books: Vec<BookReport>,
}

impl AddressBookReport {
    /// Is there nothing left to do, and nothing wrong?
    pub fn is_in_step(&self) -> bool {
        self.books.iter().all(|book| book.to_do + book.faults.len() + book.refused.len() == 0)
    }
}

/// Who stands where.
pub(crate) struct BothBooks {
    pub(crate) source: Difference,
    pub(crate) platform: Difference,
}

/// A portal takes no contacts from here.
fn by_hand(of: &mut BookReport) {
    let changes = of.added + of.changed + of.removed;
    (of.added, of.changed, of.removed) = (0, 0, 0);
    if changes > 0 {
        let what = format!("{changes} contacts are to be entered, changed or removed in the portal by hand");
        of.refused.push((of.directory.clone(), what));
    }
}

impl PeopleProject {
    /// What both address books lack, by what was last read.
    pub async fn book_difference(&self) -> Result<AddressBookReport, Error> {
        let both = self.both_books().await?;
        let books = [(Book::Source, &both.source), (Book::Platform, &both.platform)];
        let reports =
            books.iter().map(|(book, difference)| self.book_report(*book, difference)).collect::<Result<_, _>>()?;
        Ok(AddressBookReport { dry_run: true, books: reports })
    }

    /// Brings both address books into step: reads both sides, writes contacts, reads again. With `accept_removals` also where many
    /// contacts would go at once.
    pub async fn book_sync(&self, accept_removals: bool) -> Result<AddressBookReport, Error> {
        self.may_change()?;
        let lease = self.hold().await?;
        let work = self.while_held(&lease, self.book_cycles(&lease, accept_removals)).await;
        self.leave(&lease, work).await
    }

    async fn book_cycles(&self, lease: &PeopleLease, accept_removals: bool) -> Result<AddressBookReport, Error> {
        let gates = Gates::of(&self.config);
        let mut total: Option<AddressBookReport> = None;
        let mut is_behind = false;
        for _ in 0..CYCLES {
            // A no counts from the next cycle on.
            if let Some(against) = Box::pin(gates.against_books(&self.store, self.key)).await? {
                return Err(against);
            }
            self.read_books(lease, is_behind).await?;
            let both = self.both_books().await?;
            let mut report = AddressBookReport { dry_run: false, books: Vec::new() };
            let mut made = 0;
            is_behind = false;
            if !accept_removals {
                self.refuse_many_removals(&both).await?;
            }
            for (book, difference) in [(Book::Source, &both.source), (Book::Platform, &both.platform)] {
                let mut of = self.book_report(book, difference)?;
                if book == Book::Platform && self.portal().is_some() {
                    by_hand(&mut of);
                } else if !difference.changes.is_empty() {
                    let (name, target) = self.book_target(book)?;
                    let detail = json!({ "directory": name, "add": of.added, "change": of.changed,
                        "remove": of.removed, "removals_accepted": accept_removals });
                    self.store.audit(self.key, &self.actor, "addressbook.written", &detail).await?;
                    let (written, was_gone) = self.write_book(target.as_ref(), difference, &mut of).await?;
                    (made, is_behind) = (made + written, is_behind || was_gone);
                }
                report.books.push(of);
            }
            total = Some(match total {
                None => report,
                Some(before) => add(before, report),
            });
            if made == 0 && !is_behind {
                break;
            }
        }
        let mut report = total.ok_or_else(|| super::damaged("the address books"))?;
        self.read_books(lease, is_behind).await?;
        let both = self.both_books().await?;
        for (of, difference) in report.books.iter_mut().zip([&both.source, &both.platform]) {
            of.to_do = difference.changes.len();
            of.in_place = difference.in_place;
        }
        let changes: usize = report.books.iter().map(|book| book.added + book.changed + book.removed).sum();
        if changes > 0 {
            let detail = json!({ "changes": changes, "in_step": report.is_in_step() });
            self.store.audit(self.key, &self.actor, "addressbook.synced", &detail).await?;
        }
        Ok(report)
    }

    /// Reads both sides: whole where what was read of changes is known to be behind.
    async fn read_books(&self, lease: &PeopleLease, whole: bool) -> Result<(), Error> {
        if whole { self.read_both_whole(lease).await } else { self.read_both(lease).await }
    }

    /// Where many contacts would go at once, somebody looks first: a directory that was read in part looks like that.
    /// Contacts whose person stands in the book by themselves now are not missed.
    async fn refuse_many_removals(&self, both: &BothBooks) -> Result<(), Error> {
        let known = self.known().await?;
        let accounts: HashSet<&str> =
            known.reconciliation.rows.iter().filter_map(|row| row.matched.account()).collect();
        let platform = self.entry.platform.clone().unwrap_or_default();
        for (name, difference) in [(self.book_directory()?, &both.source), (platform, &both.platform)] {
            let is_missed = |entry: &Entry| {
                let mark = entry.origin.as_deref().unwrap_or_default();
                let mut ends = mark.match_indices(':').map(|(at, _)| &mark[at + 1..]);
                let stands = |end: &str| {
                    difference.there.contains(end)
                        || end.strip_prefix("platform:").is_some_and(|key| accounts.contains(key))
                };
                !ends.any(stands)
            };
            let removed = |change: &&BookChange| matches!(change, BookChange::Remove { before } if is_missed(before));
            let gone = difference.changes.iter().filter(removed).count() as u64;
            let mark = format!("{}{}:", people::BOOK_MARK, self.config.code.as_str());
            let is_ours = |entry: &&Entry| entry.origin.as_deref().is_some_and(|origin| origin.starts_with(&mark));
            let of = self.stored(&name).await?.iter().filter(is_ours).count() as u64;
            if self.is_many(gone, of) {
                let what = format!("{name}: {gone} of {of} contacts would be removed at once; nothing was changed");
                return Err(Error::refused("R-036", what).advise(
                    "look at addressbook diff and at what the directories lack; if they have gone, add --accept-removals",
                ));
            }
        }
        Ok(())
    }

    /// How many changes were made, and whether something that was to be removed had gone already: then what was read is behind what
    /// is there.
    async fn write_book(
        &self,
        target: &dyn DirectoryTarget,
        difference: &Difference,
        report: &mut BookReport,
    ) -> Result<(usize, bool), Error> {
        let (mut made, mut was_gone) = (0, false);
        (report.added, report.changed, report.removed) = (0, 0, 0);
        for portion in difference.changes.chunks(PORTION) {
            let planned: Vec<PlannedChange> = portion.iter().enumerate().map(planned).collect();
            let outcomes = target.apply(&planned, &OpenDoor).await.map_err(|error| failed(&error))?;
            for (change, outcome) in portion.iter().zip(outcomes) {
                let count = match change {
                    BookChange::Add { .. } => &mut report.added,
                    BookChange::Change { .. } => &mut report.changed,
                    BookChange::Remove { .. } => &mut report.removed,
                };
                match outcome {
                    ChangeOutcome::Done { .. } | ChangeOutcome::Submitted { .. } => {
                        (*count, made) = (*count + 1, made + 1);
                    }
                    ChangeOutcome::Unchanged { .. } => was_gone |= matches!(change, BookChange::Remove { .. }),
                    ChangeOutcome::Refused(error) => report.refused.push((who(change), error.to_string())),
                    ChangeOutcome::Conflict(what) => report.refused.push((who(change), what)),
                    // What became of it is seen when the directory is read again.
                    ChangeOutcome::InDoubt(error) => return Err(failed(&error)),
                }
            }
        }
        Ok((made, was_gone))
    }

    pub(crate) async fn both_books(&self) -> Result<BothBooks, Error> {
        let known = self.known().await?;
        let directory = self.book_directory()?;
        let (source, platform) = (
            self.stored(&directory).await?,
            match &self.entry.platform {
                Some(name) => self.stored(name).await?,
                None => Vec::new(),
            },
        );
        let books = Books {
            code: self.config.code.as_str(),
            project: &self.config.file.project,
            ours_alone: self.entry.platform_is_ours_alone,
            directory: &directory,
            objects: &known.objects,
            reconciliation: &known.reconciliation,
            source: &source,
            platform: &platform,
        };
        Ok(BothBooks { source: books.difference(Book::Source), platform: books.difference(Book::Platform) })
    }

    async fn stored(&self, name: &str) -> Result<Vec<Entry>, Error> {
        let directories = self.store.directories(self.key).await?;
        let Some(row) = directories.iter().find(|row| row.name == name) else { return Ok(Vec::new()) };
        self.store.directory_entries(self.key, row.directory, false).await?.iter().map(read_entry).collect()
    }

    /// The directory that the organisation's address book is.
    fn book_directory(&self) -> Result<String, Error> {
        let name = self.entry.address_book.clone().or_else(|| self.entry.sources.first().cloned());
        name.ok_or_else(|| Error::usage("people.sources names no directory"))
    }

    fn book_target(&self, book: Book) -> Result<(String, Arc<dyn DirectoryTarget>), Error> {
        let name = match book {
            Book::Platform => return Ok((self.entry.platform.clone().unwrap_or_default(), self.platform_to_write()?)),
            Book::Source => self.book_directory()?,
        };
        let opened = self.sources.iter().find(|(known, _)| *known == name).map(|(_, opened)| opened);
        match opened {
            Some(Opened::Written(target)) => Ok((name, target.clone())),
            _ => Err(Error::usage(format!("the organisation's address book {name} can't be written"))
                .advise("name a directory that can in people.address_book, with its table [directories.NAME.write]")),
        }
    }

    fn book_report(&self, book: Book, difference: &Difference) -> Result<BookReport, Error> {
        let count = |is: fn(&BookChange) -> bool| difference.changes.iter().filter(|change| is(change)).count();
        let (name, directory) = match book {
            Book::Source => ("source", self.book_directory()?),
            Book::Platform => ("platform", self.entry.platform.clone().unwrap_or_default()),
        };
        Ok(BookReport {
            book: name,
            directory,
            in_place: difference.in_place,
            added: count(|change| matches!(change, BookChange::Add { .. })),
            changed: count(|change| matches!(change, BookChange::Change { .. })),
            removed: count(|change| matches!(change, BookChange::Remove { .. })),
            to_do: difference.changes.len(),
            faults: difference.faults.iter().map(|fault| (fault.who.clone(), fault.what.clone())).collect(),
            refused: Vec::new(),
        })
    }
}

fn planned((number, change): (usize, &BookChange)) -> PlannedChange {
    let change = match change.clone() {
        BookChange::Add { entry } => Change::Create { entry, password: None },
        BookChange::Change { before, after } => Change::Update { before, after },
        BookChange::Remove { before } => Change::Remove { before },
    };
    PlannedChange { id: format!("addressbook {number}"), change }
}

fn who(change: &BookChange) -> String {
    let (BookChange::Add { entry } | BookChange::Change { after: entry, .. } | BookChange::Remove { before: entry }) =
        change;
    entry.label().to_owned()
}

fn failed(error: &connector::Error) -> Error {
    let advice = "run addressbook sync again: both sides are read first, and nothing is written twice";
    Error {
        exit: crate::error::exit_of(error.cause),
        rule: None,
        what: error.to_string(),
        advice: Some(advice.to_owned()),
    }
}

/// What a later cycle did, with what was done before.
fn add(before: AddressBookReport, mut after: AddressBookReport) -> AddressBookReport {
    for (before, after) in before.books.into_iter().zip(&mut after.books) {
        after.added += before.added;
        after.changed += before.changed;
        after.removed += before.removed;
    }
    after
}
