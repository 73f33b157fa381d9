//! Reading folders: first readings straight through, later ones by what changed.
//!
//! A mailbox of many folders over a slow link must not cost a round trip for each step in each folder. So a folder that
//! was never read is opened and asked for everything in one go, ahead of the answers for the folders before it. What must
//! hold all the same: an item is never taken for one of another folder. Answers come in the order of the commands, so what
//! comes after the end of a folder's EXAMINE and up to the end of its FETCH is that folder's; after an EXAMINE that was
//! refused everything is thrown away up to the end of the FETCH behind it. Where something is wrong in a folder, all that
//! was sent ahead behind it is read and thrown away, and the folder is opened again and read with care.

use connector::{Error, Event, FolderState, Holds, ReadFolder, Reading};
use model::{Cause, FolderPath, ItemId, Scope};

use super::fetch::{Cursors, ITEMS, Order, Sink, Taken};
use super::outlet::{Made, Outlet};
use super::select::{self, Mode, Opened};
use crate::map::cursor::Place;
use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::connection::{Bodies, Tag};
use crate::wire::response::Completion;

/// Folders opened ahead of the one being read, at most. Each costs two short commands; together they fill less of a
/// connection than one answer.
const FOLDERS_AHEAD_MAX: usize = 24;

/// A folder of the plan.
struct Planned {
    path: FolderPath,
    /// Its name on the wire, or why it has none.
    name: Result<Vec<u8>, Error>,
    /// How far it was read before.
    since: Option<Place>,
    /// The EXAMINE that was sent for it.
    examine: Option<Tag>,
    /// The FETCH of everything that was sent for it.
    everything: Option<Tag>,
}

/// Reads the folders of a plan.
struct Reader<'s> {
    session: &'s mut Session,
    holds: Holds,
    out: Outlet,
    plan: Vec<Planned>,
    /// The first of the plan for which nothing was sent.
    next_to_send: usize,
    /// What is sent last is not final: nothing may be sent behind it.
    is_held_back: bool,
}

/// The folder being read.
pub(crate) struct Current {
    pub(super) path: FolderPath,
    pub(super) opened: Opened,
    pub(super) since: Option<Place>,
    /// The Flags events list all that the cursor covers.
    pub(super) listed_all: bool,
}

impl Session {
    /// Reads folders.
    pub(crate) async fn read_folders<'s>(
        &'s mut self,
        plan: Vec<ReadFolder>,
        holds: &Holds,
    ) -> Result<Box<dyn Reading + 's>, Error> {
        self.ready().await?;
        if plan.iter().any(|folder| self.names.needs_listing(&folder.path)) {
            self.learn_names().await?;
        }
        let planned = |folder: ReadFolder| Planned {
            name: self.names.wire(&folder.path),
            since: folder.since.as_ref().and_then(Place::of),
            path: folder.path,
            examine: None,
            everything: None,
        };
        let plan: Vec<Planned> = plan.into_iter().map(planned).collect();
        let holds = holds.clone();
        Ok(Made::boxed(move |out| async move {
            let mut reader = Reader { session: self, holds, out, plan, next_to_send: 0, is_held_back: false };
            reader.run().await
        }))
    }

    /// Reads these items of a folder.
    pub(crate) async fn read_items<'s>(
        &'s mut self,
        path: &FolderPath,
        ids: &[ItemId],
        holds: &Holds,
    ) -> Result<Box<dyn Reading + 's>, Error> {
        let opened = self.select(path, Mode::Read).await?;
        let mut uids: Vec<u32> = ids.iter().filter_map(ItemId::as_u32).collect();
        uids.sort_unstable();
        uids.dedup();
        let (path, holds) = (path.clone(), holds.clone());
        Ok(Made::boxed(move |out| async move {
            let mut sink = sink(&out, &holds, &path, &opened, 1);
            self.read_carefully(&uids, &mut sink).await
        }))
    }
}

/// Where the items of an opened folder go, without cursors.
fn sink<'o>(out: &'o Outlet, holds: &'o Holds, folder: &'o FolderPath, opened: &Opened, from: u32) -> Sink<'o> {
    Sink {
        out,
        holds,
        folder,
        validity: opened.validity,
        from,
        cursors: None,
        removed: 0,
        last_uid: 0,
        next_at_begin: opened.next,
        came_later: 0,
    }
}

/// The server counts more messages than it lists, whichever way it is asked.
pub(super) fn lists_too_few(place: &str) -> Error {
    let what = format!(
        "the server counts more messages in {place} than it lists, by FETCH and by SEARCH: what it listed was read, the \
         rest is not known"
    );
    Error::new(Cause::Protocol, Scope::Folder, what)
}

/// An error that ends the reading of a folder, or of all.
pub(super) fn of_folder(error: Error) -> Result<Error, Error> {
    if error.ends_session() { Err(error) } else { Ok(error) }
}

impl Reader<'_> {
    async fn run(&mut self) -> Result<(), Error> {
        for index in 0..self.plan.len() {
            if let Err(error) = self.folder(index).await {
                let error = of_folder(error)?;
                // Whatever was asked of this folder is answered first; then the next one goes on.
                self.start_over_behind(index).await?;
                self.out.put(Event::Skipped { error }).await;
            }
        }
        Ok(())
    }

    /// Reads what is still to come of what was sent, and forgets it; the folders behind this one are sent for anew.
    async fn start_over_behind(&mut self, index: usize) -> Result<(), Error> {
        let settled = self.session.connection.settle().await;
        settled.map_err(|error| self.session.lost(error))?;
        for planned in &mut self.plan[index + 1..] {
            (planned.examine, planned.everything) = (None, None);
        }
        self.next_to_send = index + 1;
        self.is_held_back = false;
        Ok(())
    }

    fn is_careful(&self, index: usize) -> bool {
        self.session.endpoint.is_careful(&self.session.account, &self.plan[index].path)
    }

    /// Sends for folders as far ahead as may be. A folder that was read before is only opened: what to ask then depends on
    /// how it stands.
    async fn send_ahead(&mut self, index: usize) -> Result<(), Error> {
        while !self.is_held_back && self.next_to_send < self.plan.len().min(index + FOLDERS_AHEAD_MAX) {
            let number = self.next_to_send;
            self.next_to_send += 1;
            let is_straight = self.plan[number].since.is_none() && !self.is_careful(number);
            let planned = &mut self.plan[number];
            let Ok(name) = &planned.name else { continue };
            let connection = &mut self.session.connection;
            planned.examine = Some(connection.queue(&select::command(Mode::Read, name))?);
            if is_straight {
                planned.everything = Some(connection.queue(&Command::new("UID FETCH 1:*").words(ITEMS))?);
            } else {
                self.is_held_back = true;
            }
        }
        let flushed = self.session.connection.flush().await;
        flushed.map_err(|error| self.session.lost(error))
    }

    /// All that this folder needs has been sent: those behind it may be sent for.
    async fn send_on(&mut self, index: usize) -> Result<(), Error> {
        self.is_held_back = false;
        self.send_ahead(index).await
    }

    async fn folder(&mut self, index: usize) -> Result<(), Error> {
        self.send_ahead(index).await?;
        let path = self.plan[index].path.clone();
        let nowhere = Event::Begin { folder: index, state: FolderState::default() };
        if let Err(error) = &self.plan[index].name {
            let error = error.clone();
            self.out.put(nowhere).await;
            self.out.put(Event::Skipped { error }).await;
            return Ok(());
        }
        let Some(examine) = self.plan[index].examine else {
            return Err(crate::session::internal("a folder was not opened"));
        };
        let (opened, completion) = self.opened(examine).await?;
        if let Err(error) = self.session.selected_or_refused(&path, Mode::Read, &opened, &completion) {
            self.out.put(nowhere).await;
            let error = of_folder(error)?;
            if let Some(everything) = self.plan[index].everything {
                self.forget(everything).await?;
            } else {
                self.send_on(index).await?;
            }
            self.out.put(Event::Skipped { error }).await;
            return Ok(());
        }
        self.out.put(Event::Begin { folder: index, state: opened.state() }).await;
        let since = self.plan[index].since.filter(|since| since.validity == opened.validity);
        let mut current = Current { path, opened, since, listed_all: false };
        match self.plan[index].everything {
            Some(everything) => self.straight(index, everything, &mut current).await,
            None => self.by_what_changed(index, &mut current).await,
        }
    }

    /// How the folder stands that this EXAMINE opens.
    async fn opened(&mut self, examine: Tag) -> Result<(Opened, Completion), Error> {
        let mut opened = Opened::default();
        let waited = self.session.connection.wait_for(examine, &mut |response| opened.take(response)).await;
        let completion = waited.map_err(|error| self.session.lost(error))?;
        Ok((opened, completion))
    }

    /// Reads up to the end of a command and forgets what comes.
    async fn forget(&mut self, tag: Tag) -> Result<(), Error> {
        loop {
            let received = self.session.connection.receive(Bodies::Discard).await;
            let ended = received.and_then(|()| self.session.connection.ended());
            match ended.map_err(|error| self.session.lost(error))? {
                Some((ended, _)) if ended == tag => return Ok(()),
                _ => {}
            }
        }
    }

    /// A first reading: everything was asked for, and comes.
    async fn straight(&mut self, index: usize, everything: Tag, current: &mut Current) -> Result<(), Error> {
        let (out, holds) = (self.out.clone(), self.holds.clone());
        let path = current.path.clone();
        let mut sink = sink(&out, &holds, &path, &current.opened, 1);
        sink.cursors = Some(Cursors { place: current.beginning() });
        let mut order = Order::Consecutive { next: 1, last_uid: 0 };
        let taken = self.session.take_bodies(everything, &mut order, &mut sink).await?;
        self.go_on_after(index, &taken, &order, current, &mut sink).await
    }

    /// A later reading: what changed among the items known, then the new ones.
    async fn by_what_changed(&mut self, index: usize, current: &mut Current) -> Result<(), Error> {
        let (out, holds) = (self.out.clone(), self.holds.clone());
        let path = current.path.clone();
        let from = current.since.map_or(1, |since| u32::try_from(since.next).unwrap_or(u32::MAX));
        let first_number = match current.since {
            Some(_) => self.session.read_changes(current, from, &out).await?,
            None => (current.opened.exists != Some(0)).then_some(1),
        };
        let mut sink = sink(&out, &holds, &path, &current.opened, from);
        sink.cursors = Some(Cursors { place: current.beginning() });
        let Some(first_number) = first_number else {
            self.send_on(index).await?;
            return self.end(current, &sink).await;
        };
        if self.is_careful(index) {
            return self.with_care(index, from, None, current, &mut sink).await;
        }
        let tag = self.session.send(&Command::new("UID FETCH").words(format!("{from}:* {ITEMS}"))).await?;
        self.send_on(index).await?;
        let mut order = Order::Consecutive { next: first_number, last_uid: from - 1 };
        let taken = self.session.take_bodies(tag, &mut order, &mut sink).await?;
        self.go_on_after(index, &taken, &order, current, &mut sink).await
    }

    /// After a straight reading: its end, if nothing is missing; else the rest with care.
    async fn go_on_after(
        &mut self,
        index: usize,
        taken: &Taken,
        order: &Order,
        current: &mut Current,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let there_were = u64::from(current.opened.exists.unwrap_or(0)).saturating_sub(sink.removed);
        let passed = match order {
            Order::Consecutive { next, .. } => u64::from(*next) - 1,
            Order::Listed { .. } => 0,
        };
        let is_whole = taken.is_in_order && passed >= there_were;
        if !taken.completion.is_ok() && !is_whole {
            self.session.stop_if_not_the_messages_fault(&taken.completion, sink)?;
        }
        if is_whole {
            return self.end(current, sink).await;
        }
        self.session.endpoint.be_careful(&self.session.account, &current.path);
        let from = (sink.last_uid + 1).max(sink.from);
        self.with_care(index, from, Some(passed), current, sink).await
    }

    /// Reads from a UID on with care. `passed` is how many messages lie before it, where that is known.
    async fn with_care(
        &mut self,
        index: usize,
        from: u32,
        passed: Option<u64>,
        current: &mut Current,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        self.start_over_behind(index).await?;
        let again = self.session.select(&current.path, Mode::Read).await?;
        if again.validity != current.opened.validity {
            let what = format!("{} was made anew while it was read", self.session.place(&current.path));
            return Err(Error::new(Cause::Missing, Scope::Folder, what));
        }
        // How many there must be from here on is known at the beginning of the folder, or from what was passed.
        let passed = if from == 1 { Some(0) } else { passed };
        let expected = passed.zip(again.exists).map(|(passed, exists)| u64::from(exists).saturating_sub(passed));
        let expected = expected.and_then(|expected| u32::try_from(expected).ok());
        let listing = self.session.uids_from(from, expected).await?;
        sink.from = from;
        self.session.read_carefully(&listing.uids, sink).await?;
        if listing.is_short {
            return Err(lists_too_few(&self.session.place(&current.path)));
        }
        self.end(current, sink).await
    }

    async fn end(&mut self, current: &Current, sink: &Sink<'_>) -> Result<(), Error> {
        let opened = &current.opened;
        // As it was opened, or behind what came later. Where the server gave no UIDNEXT, behind what was read.
        let known = if opened.next == 0 { sink.from } else { opened.next };
        let next = u64::from(known).max(u64::from(sink.last_uid) + 1);
        let count = opened.exists.unwrap_or(0).saturating_add(sink.came_later);
        let place = Place { validity: opened.validity, next, change: opened.change, count };
        let state = FolderState { next, count: u64::from(count), ..opened.state() };
        self.out.put(Event::End { cursor: place.cursor(), state, listed_all: current.listed_all }).await;
        Ok(())
    }
}

impl Current {
    /// The place before the first item of this reading. In a later reading flags keep counting from before it: should it be
    /// broken off, what changed is told again.
    fn beginning(&self) -> Place {
        self.since.unwrap_or(Place { validity: self.opened.validity, next: 1, change: self.opened.change, count: 0 })
    }
}

/// A refusal of something that was asked of a folder.
pub(super) fn refused(session: &Session, path: &FolderPath, completion: &Completion) -> Error {
    refusal::refused(format!("cannot read {}", session.place(path)), completion, Doing::Folder)
}
