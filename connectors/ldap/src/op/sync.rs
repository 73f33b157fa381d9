//! Content synchronisation (RFC 4533), refresh only: a server tells what changed since a cookie, and either what is gone (the
//! delete phase) or what did not change (the present phase), after which what was not told is gone.
//!
//! A server says nothing of what stands below an entry that was renamed or moved, so the containers are synchronised, too, as a
//! content of their own.

use std::collections::{BTreeMap, BTreeSet};

use connector::Error;
use ldap3::{LdapResult, Scope as Within};
use model::{Cause, Scope};

use super::dirsync::Answer;
use super::tell::Reading;
use crate::map::attributes::Field;
use crate::map::cursor::{Feed, Synced};
use crate::wire::connection::{Received, Search};
use crate::wire::controls::{self, SyncInfo, SyncState};
use crate::wire::dn::Dn;
use crate::wire::guid::uuid_text;
use crate::wire::{filter, result};

/// The numbers of changes in a cookie of OpenLDAP (`rid=000,csn=…;…`), one of each server that takes changes.
fn change_numbers(cookie: &[u8]) -> Vec<&str> {
    let text = str::from_utf8(cookie).unwrap_or_default();
    let numbers = text.split(',').find_map(|part| part.strip_prefix("csn=")).unwrap_or_default();
    let is_number = |text: &&str| {
        text.len() > 20 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b'Z' | b'#'))
    };
    numbers.split(';').filter(is_number).collect()
}

/// What is said of a server that tells what is gone by other identifiers than those by which entries are known: 389 Directory
/// Server, whose own are its nsUniqueIds.
const OTHER_IDENTIFIERS: &str = "its identifiers in a synchronisation are not its entryUUIDs";

/// What is synchronised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// What is in scope.
    Entries,
    /// What entries stand in: of those below one that moved a server says nothing, though their names are others.
    Containers,
}

/// What a synchronisation told.
#[derive(Debug, Default)]
struct Changed {
    /// What may be gone.
    gone: BTreeSet<String>,
    /// Containers that are new or changed: where they stand, by key.
    containers: BTreeMap<String, String>,
}

/// What became of the containers.
#[derive(Debug, Default)]
struct Moved {
    /// Where those stand now that are new or stood elsewhere.
    places: Vec<String>,
    /// One is not under its base any more: it is not known what stood below it.
    has_left: bool,
}

/// The cookie of the base of this name and number.
fn cookie<'c>(name: &str, base: usize, since: Option<&'c [(String, Vec<u8>)]>) -> Result<Option<&'c [u8]>, Error> {
    match since.map(|cookies| cookies.get(base)) {
        None => Ok(None),
        Some(Some((of, cookie))) if of == name => Ok(Some(cookie)),
        Some(_) => Err(Error::new(Cause::Internal, Scope::Run, "a cursor of another scope")),
    }
}

/// The condition that an entry is newer than these cookies say. After changes at the same time OpenLDAP may stand behind what
/// it holds, until somebody changes something again: it leaves out what is newer than its cookie says.
fn newer(cookies: &[(String, Vec<u8>)]) -> Option<String> {
    let latest = cookies.iter().flat_map(|(_, cookie)| change_numbers(cookie)).max()?;
    Some(format!("(&(entryCSN>={latest})(!(entryCSN={latest})))"))
}

impl Reading<'_> {
    /// Tells everything in scope, or what changed since these cookies. Gives what may be gone, and the cookies to go on from.
    pub(crate) async fn sync(&mut self, since: Option<&Synced>) -> Result<Answer<(BTreeSet<String>, Feed)>, Error> {
        let mut next = Synced::default();
        // Before the entries: a container that moves after this is told the next time, and what is below it is read again then.
        let moved = match self.sync_containers(since, &mut next).await? {
            Ok(moved) => moved,
            Err(answer) => return Ok(Err(answer)),
        };
        let mut changed = Changed::default();
        for base in 0..self.scope.bases.len() {
            let cookie = cookie(&self.scope.bases[base].0, base, since.map(|since| &since.entries[..]))?;
            match self.sync_base((What::Entries, base), (cookie, None), &mut changed).await? {
                Ok(cookie) => next.entries.push((self.scope.bases[base].0.clone(), cookie)),
                Err(answer) => return Ok(Err(answer)),
            }
        }
        if let Some(newer) = newer(&next.entries) {
            self.take_by_filter(&filter::all([self.scope.filter.clone(), newer])).await?;
        }
        // After what the server told, for whatever is told twice is taken as it was told first.
        let mut gone = changed.gone;
        if since.is_some() && moved.has_left {
            gone.extend(self.compare_keys().await?);
        } else if since.is_some() {
            gone.extend(self.take_below(moved.places).await?);
        }
        Ok(Ok((gone, Feed::Sync(next))))
    }

    /// Which containers moved since these cookies.
    async fn sync_containers(&mut self, since: Option<&Synced>, next: &mut Synced) -> Result<Answer<Moved>, Error> {
        let (mut moved, mut changed) = (Moved::default(), Vec::new());
        for base in 0..self.scope.bases.len() {
            let cookie = cookie(&self.scope.bases[base].0, base, since.map(|since| &since.containers[..]))?;
            let mut of = Changed::default();
            let known = since.and_then(|since| since.places.get(base));
            match self.sync_base((What::Containers, base), (cookie, known), &mut of).await? {
                Ok(cookie) => next.containers.push((self.scope.bases[base].0.clone(), cookie)),
                Err(answer) => return Ok(Err(answer)),
            }
            next.places.push(known.cloned().unwrap_or_default());
            changed.push(of);
        }
        if let Some(newer) = newer(&next.containers) {
            let filter = filter::all([self.scope.containers.to_owned(), newer]);
            for (base, changed) in changed.iter_mut().enumerate() {
                changed.containers.extend(self.names(&self.scope.bases[base].0.clone(), &filter).await?);
            }
        }
        for (places, changed) in next.places.iter_mut().zip(changed) {
            for key in changed.gone.iter().filter(|key| !changed.containers.contains_key(*key)) {
                moved.has_left |= places.remove(key).is_some();
            }
            for (key, name) in changed.containers {
                let place = Dn::parse(&name).map_or(0, |dn| dn.digest());
                if places.insert(key, place) != Some(place) {
                    moved.places.push(name);
                }
            }
        }
        Ok(Ok(moved))
    }

    async fn sync_base(
        &mut self,
        (what, base): (What, usize),
        (cookie, known): (Option<&[u8]>, Option<&BTreeMap<String, u64>>),
        changed: &mut Changed,
    ) -> Result<Answer<Vec<u8>>, Error> {
        let name = self.scope.bases[base].0.clone();
        let (attributes, filter) = match what {
            What::Entries => (self.asked.clone(), self.scope.filter.clone()),
            What::Containers => (self.map.attributes.of_field(Field::Key).to_vec(), self.scope.containers.to_owned()),
        };
        let search = Search { base: &name, within: Within::Subtree, filter: &filter, attributes: &attributes };
        let mut stream = self.connection.search(search, vec![controls::sync_request(cookie)]).await?;
        // What is known to be in scope still, in a present phase.
        let mut present = BTreeSet::new();
        let mut is_odd = false;
        while let Some(received) = self.next(&mut stream).await? {
            match received {
                Received::Entry(entry, with) => {
                    let odd = || Error::new(Cause::Protocol, Scope::Run, "an entry came without its state (RFC 4533)");
                    let (state, uuid) = controls::sync_state(&with).ok_or_else(odd)?;
                    let key = uuid_text(uuid);
                    is_odd |= state == SyncState::Here && self.map.key(&entry).is_some_and(|own| own != key);
                    match state {
                        _ if is_odd => {}
                        SyncState::Present => drop(present.insert(key)),
                        SyncState::Gone => drop(changed.gone.insert(key)),
                        SyncState::Here if what == What::Containers => {
                            present.insert(key.clone());
                            changed.containers.insert(key, entry.dn);
                        }
                        SyncState::Here => {
                            present.insert(key.clone());
                            // It may have left the scope group, and been told.
                            if self.take(entry, base).await?.is_none() {
                                changed.gone.insert(key);
                            }
                        }
                    }
                }
                Received::Info(SyncInfo::Present(uuids)) => present.extend(uuids.into_iter().map(uuid_text)),
                Received::Info(SyncInfo::Gone(uuids)) => changed.gone.extend(uuids.into_iter().map(uuid_text)),
                Received::Info(SyncInfo::Note) => {}
            }
        }
        let answer = stream.finish().await;
        match answer.rc {
            0 if is_odd => return Ok(Err(LdapResult { text: OTHER_IDENTIFIERS.to_owned(), ..answer })),
            0 => {}
            result::BUSY | result::UNAVAILABLE | result::TIME_LIMIT_EXCEEDED | result::NO_SUCH_OBJECT => {
                return Err(result::refusal(format!("cannot read all of {name:?}"), &answer));
            }
            _ => return Ok(Err(answer)),
        }
        let Some((next, tells_gone)) = controls::sync_done(&answer.ctrls) else { return Ok(Err(answer)) };
        if !tells_gone && cookie.is_some() {
            let known: Vec<&String> = match what {
                What::Entries => {
                    let here = self.told.iter().filter(|(_, told)| usize::from(told.base) == base);
                    here.map(|(key, _)| key).collect()
                }
                What::Containers => known.iter().flat_map(|places| places.keys()).collect(),
            };
            changed.gone.extend(known.into_iter().filter(|key| !present.contains(*key)).cloned());
        }
        match next.or_else(|| cookie.map(<[u8]>::to_vec)) {
            Some(cookie) => Ok(Ok(cookie)),
            None => Ok(Err(answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_changes_are_read_out_of_a_cookie() {
        let one = "20261126115054.675228Z#000000#000#000000";
        assert_eq!(change_numbers(format!("rid=000,csn={one};{one}").as_bytes()), [one, one]);
        for other in [&b"rid=000"[..], b"ldap.x:389#cn=x#42", b"csn=)(uid=*", b"\xff", b""] {
            assert!(change_numbers(other).is_empty(), "{other:?}");
        }
    }
}
