//! What changed among the items that were read before: by QRESYNC, by CONDSTORE, or by comparing all flags.

use std::collections::BTreeMap;

use connector::{Error, Event, FolderState};
use model::{Flags, ItemId};

use super::careful::removed_by;
use super::outlet::Outlet;
use super::read::{Current, lists_too_few, refused};
use super::select::{Mode, Opened};
use crate::map::cursor::Place;
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::connection::{Bodies, Tag};
use crate::wire::fetch;
use crate::wire::set::UidSet;

/// Items in one event, at most.
const FLAGS_AT_ONCE: usize = 1000;

/// Vanished UIDs taken one by one, at most. A server that has forgotten may say that everything up to some UID vanished,
/// thousands of millions; then what is there is compared instead.
const VANISHED_MAX: u64 = 1_000_000;

/// What a listing of flags found.
#[derive(Debug, Default)]
struct Compared {
    /// How many messages it listed.
    listed: u32,
    /// It left no sequence number out.
    is_consecutive: bool,
    removed: u64,
    vanished: Vec<UidSet>,
}

impl Session {
    /// Reads what changed among the items below `from`, and puts it out. The sequence number of the first item that is
    /// not among them, if there may be one.
    pub(crate) async fn read_changes(
        &mut self,
        current: &mut Current,
        from: u32,
        out: &Outlet,
    ) -> Result<Option<u32>, Error> {
        let Some(since) = current.since else { return Ok(Some(1)) };
        let state = current.opened.state();
        let may_have_new = state.next == 0 || state.next > u64::from(from);
        let exists = current.opened.exists.unwrap_or(0);
        if from == 1 {
            return Ok((exists > 0 || may_have_new).then_some(1));
        }
        let tells_changes = since.change != 0 && state.change != 0 && !since.is_ahead_of(&state);
        if tells_changes {
            let mut gone = 0;
            // With QRESYNC a removal counts as a change, too, so an equal number means that there was none.
            if !(self.tells_vanished && since.change == state.change) {
                match self.changed_since(&since, from, current, out).await? {
                    Some(vanished) => gone = vanished,
                    None => return self.compare_all(current, from, may_have_new, out).await,
                }
            }
            let first = if may_have_new { self.uids_from(from, None).await?.first_number } else { None };
            // How many known items there are now, and how many there should be if all that is gone was told.
            let now = first.map_or(exists, |number| number - 1);
            let is_told = u64::from(since.count) == u64::from(now) + gone;
            if is_told {
                return Ok(first);
            }
        }
        self.compare_all(current, from, may_have_new, out).await
    }

    /// Asks for what changed, and puts it out. How many items vanished; none when that can't be told.
    async fn changed_since(
        &mut self,
        since: &Place,
        from: u32,
        current: &Current,
        out: &Outlet,
    ) -> Result<Option<u64>, Error> {
        let vanished = if self.tells_vanished { " VANISHED" } else { "" };
        let (last, change) = (from - 1, since.change);
        let command =
            Command::new("UID FETCH").words(format!("1:{last} (UID FLAGS) (CHANGEDSINCE {change}{vanished})"));
        let tag = self.send(&command).await?;
        let compared = self.take_flags(tag, current, from, out).await?;
        let gone: u64 = compared.vanished.iter().map(UidSet::len).sum();
        if gone > VANISHED_MAX {
            return Ok(None);
        }
        if gone > 0 {
            let mut uids: Vec<u32> = compared.vanished.iter().flat_map(UidSet::iter).collect();
            uids.sort_unstable();
            uids.dedup();
            let gone = uids.len() as u64;
            out.put(Event::Gone(uids.into_iter().map(ItemId::from_u32).collect())).await;
            return Ok(Some(gone));
        }
        Ok(Some(0))
    }

    /// Lists the flags of all known items, and puts them out.
    async fn compare_all(
        &mut self,
        current: &mut Current,
        from: u32,
        may_have_new: bool,
        out: &Outlet,
    ) -> Result<Option<u32>, Error> {
        let last = from - 1;
        let tag = self.send(&Command::new("UID FETCH").words(format!("1:{last} (UID FLAGS)"))).await?;
        let compared = self.take_flags(tag, current, from, out).await?;
        let first = if may_have_new { self.uids_from(from, None).await?.first_number } else { None };
        let there_are = match first {
            Some(number) => u64::from(number - 1),
            None => u64::from(current.opened.exists.unwrap_or(0)).saturating_sub(compared.removed),
        };
        // An item that this list leaves out would be taken for removed. So it must be complete, or it is none.
        if !compared.is_consecutive || u64::from(compared.listed) < there_are {
            return Err(lists_too_few(&self.place(&current.path)));
        }
        current.listed_all = true;
        Ok(first)
    }

    /// Takes flags of items below `from` as they come, and puts them out.
    async fn take_flags(&mut self, tag: Tag, current: &Current, from: u32, out: &Outlet) -> Result<Compared, Error> {
        let mut compared = Compared { is_consecutive: true, ..Compared::default() };
        let mut listed: Vec<(ItemId, Flags)> = Vec::new();
        let (mut last_uid, mut next_number) = (0, 1);
        loop {
            let received = self.connection.receive(Bodies::Discard).await;
            let ended = received.and_then(|()| self.connection.ended());
            match ended.map_err(|error| self.lost(error))? {
                Some((ended, completion)) if ended == tag => {
                    if !completion.is_ok() && current.opened.exists != Some(0) {
                        return Err(refused(self, &current.path, &completion));
                    }
                    break;
                }
                Some(_) => continue,
                None => {}
            }
            let response = self.connection.response();
            if let Some((uids, _)) = response.vanished() {
                let uids = uids.below(from);
                if !uids.is_empty() {
                    compared.vanished.push(uids);
                }
            }
            compared.removed = compared.removed.saturating_add(removed_by(&response));
            let Some((number, rest)) = response.numbered("FETCH") else { continue };
            let fetched = fetch::parse(rest);
            let (Some(uid), Some(flags)) = (fetched.uid, fetched.flags) else { continue };
            if uid >= from {
                continue;
            }
            if uid > last_uid {
                compared.listed += 1;
                compared.is_consecutive &= number <= next_number;
                next_number = number.saturating_add(1);
                last_uid = uid;
            }
            listed.push((ItemId::from_u32(uid), flags));
            if listed.len() >= FLAGS_AT_ONCE {
                listed.sort_by(|a, b| a.0.cmp(&b.0));
                out.put(Event::Flags(std::mem::take(&mut listed))).await;
            }
        }
        if !listed.is_empty() {
            listed.sort_by(|a, b| a.0.cmp(&b.0));
            out.put(Event::Flags(listed)).await;
        }
        Ok(compared)
    }

    /// Every item of a folder with its flags.
    pub(crate) async fn list_items(&mut self, path: &model::FolderPath) -> Result<Vec<(ItemId, Flags)>, Error> {
        self.list_from(path, |_| 1).await
    }

    /// The items that may have appeared in a folder since it stood at this mark.
    pub(crate) async fn list_since(
        &mut self,
        path: &model::FolderPath,
        mark: &FolderState,
    ) -> Result<Vec<(ItemId, Flags)>, Error> {
        let from = |opened: &Opened| {
            // UIDs that were given out anew say nothing about what appeared: everything may have.
            let is_same = u64::from(opened.validity) == mark.validity;
            let is_lower = opened.next != 0 && u64::from(opened.next) < mark.next;
            if is_same && !is_lower { u32::try_from(mark.next.max(1)).unwrap_or(u32::MAX) } else { 1 }
        };
        self.list_from(path, from).await
    }

    async fn list_from(
        &mut self,
        path: &model::FolderPath,
        from: impl Fn(&Opened) -> u32,
    ) -> Result<Vec<(ItemId, Flags)>, Error> {
        let opened = self.select(path, Mode::Read).await?;
        let from = from(&opened);
        if opened.next != 0 && opened.next <= from {
            return Ok(Vec::new());
        }
        let mut items: BTreeMap<u32, Flags> = BTreeMap::new();
        let mut removed: Vec<UidSet> = Vec::new();
        let mut expunged = 0u64;
        let on = |response: &crate::wire::response::Response<'_>| {
            expunged += u64::from(response.numbered("EXPUNGE").is_some());
            removed.extend(response.vanished().map(|(uids, _)| uids));
            if let Some((_, rest)) = response.numbered("FETCH") {
                let fetched = fetch::parse(rest);
                if let Some(uid) = fetched.uid {
                    let known = items.entry(uid).or_default();
                    // An item is there whether or not its flags are told. Later news replace earlier ones.
                    *known = fetched.flags.unwrap_or_else(|| std::mem::take(known));
                }
            }
        };
        let fetch = Command::new("UID FETCH").words(format!("{from}:* (UID FLAGS)"));
        let completion = self.run(&fetch, on).await?;
        let exists = opened.exists.unwrap_or(0);
        if !completion.is_ok() && exists > 0 {
            return Err(refused(self, path, &completion));
        }
        let gone = expunged + removed.iter().map(UidSet::len).sum::<u64>();
        // `n:*` also gives the last message below n.
        items.retain(|uid, _| *uid >= from);
        if from == 1 && (items.len() as u64).saturating_add(gone) < u64::from(exists) {
            return Err(lists_too_few(&self.place(path)));
        }
        items.retain(|uid, _| !removed.iter().any(|uids| uids.contains(*uid)));
        Ok(items.into_iter().map(|(uid, flags)| (ItemId::from_u32(uid), flags)).collect())
    }
}
