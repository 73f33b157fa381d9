//! A reading as it goes: what was told before, what is told now, in bounded portions.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use connector::{Clock, EntryEvent, EntrySink, Error};
use ldap3::Scope as Within;
use model::{Entry, Reference};

use super::root::Root;
use super::scope::Scope;
use super::{group, ranges};
use crate::config::{Config, Kind};
use crate::map::attributes::Field;
use crate::map::cursor::{Movers, Told};
use crate::map::entry::{GRANTED, Map};
use crate::wire::connection::{Connection, Received, Search};
use crate::wire::dn::Dn;
use crate::wire::entry::RawEntry;
use crate::wire::time::from_generalized;
use crate::wire::{controls, filter, guid, result};

/// Events told at once.
const PORTION: usize = 500;

/// Entries asked for in one search by their keys or names: what fits well into a message, and into the filters that servers
/// take.
const AT_ONCE: usize = 50;

/// A reading.
pub(crate) struct Reading<'r> {
    pub(crate) connection: Connection,
    pub(crate) config: &'r Config,
    pub(crate) map: &'r Map,
    pub(crate) root: Root,
    pub(crate) scope: Scope,
    /// The attributes that are asked for.
    pub(crate) asked: Vec<String>,
    /// The attribute with the time of the last change, where that is how changes are learnt.
    pub(crate) timestamp: &'static str,
    /// What the engine knows by now.
    pub(crate) told: BTreeMap<String, Told>,
    /// What was told in this reading.
    pub(crate) seen: HashSet<String>,
    /// Who is called otherwise, gone or, where it goes on from what was told, new in this reading.
    pub(crate) movers: Movers,
    /// The same of the reading before.
    pub(crate) earlier: Movers,
    /// It goes on from what was told.
    pub(crate) follows: bool,
    /// Something may be gone that was not told: lists may have named it.
    pub(crate) strangers_left: bool,
    /// The latest change that was seen.
    pub(crate) latest: i64,
    pub(crate) clock: &'r dyn Clock,
    /// When it began, by the time since the machine started.
    pub(crate) began: Duration,
    sink: &'r mut dyn EntrySink,
    portion: Vec<EntryEvent>,
}

impl<'r> Reading<'r> {
    pub(crate) fn new(
        (connection, config, map): (Connection, &'r Config, &'r Map),
        (root, scope): (Root, Scope),
        clock: &'r dyn Clock,
        sink: &'r mut dyn EntrySink,
    ) -> Self {
        let timestamp = match config.kind {
            Kind::ActiveDirectory => "whenChanged",
            Kind::Ldap => "modifyTimestamp",
        };
        let mut asked = asked(map, config);
        asked.push(timestamp.to_owned());
        Self {
            connection,
            config,
            map,
            root,
            scope,
            asked,
            timestamp,
            told: BTreeMap::new(),
            seen: HashSet::new(),
            movers: Movers::default(),
            earlier: Movers::default(),
            follows: false,
            strangers_left: false,
            latest: 0,
            clock,
            began: clock.since_boot(),
            sink,
            portion: Vec::new(),
        }
    }

    async fn event(&mut self, event: EntryEvent) -> Result<(), Error> {
        self.portion.push(event);
        if self.portion.len() >= PORTION { self.flush().await } else { Ok(()) }
    }

    /// Hands over what is told and not yet handed over.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        let portion = std::mem::take(&mut self.portion);
        if portion.is_empty() { Ok(()) } else { self.sink.take(portion).await }
    }

    /// Tells an entry, once, if it is in scope as far as the group goes; found under the base of this number. Its key, if it
    /// is in scope and has one.
    pub(crate) async fn take(&mut self, mut raw: RawEntry, base: usize) -> Result<Option<String>, Error> {
        let place = Dn::parse(&raw.dn).map_or(0, |dn| dn.digest());
        if !self.scope.has_member(place) {
            return Ok(None);
        }
        // A replica's clock may be wrong: of what comes after now nothing was seen.
        let ahead = self.clock.unix_seconds().saturating_add_unsigned(self.config.overlap.as_secs());
        if let Some(time) = raw.text(self.timestamp).and_then(from_generalized).filter(|time| *time <= ahead) {
            self.latest = self.latest.max(time);
        }
        let members = self.map.attributes.of_field(Field::Members);
        self.connection.complete(&mut raw, self.config.kind, members, self.config.range_values).await?;
        let (key, names, event) = match self.map.entry(&raw) {
            Ok(entry) => (Some(entry.key.clone()), Self::names_in(&entry), EntryEvent::Seen(Box::new(entry))),
            Err(fault) => {
                let event = EntryEvent::Faulty { key: fault.key.clone(), place: raw.dn.clone(), what: fault.what };
                (fault.key, Box::default(), event)
            }
        };
        if let Some(key) = &key {
            if !self.seen.insert(key.clone()) {
                return Ok(Some(key.clone()));
            }
            match self.told.insert(key.clone(), Told { place, base: base as u8, names }) {
                Some(before) if before.place != place => drop(self.movers.left.insert(before.place)),
                None if self.follows => self.movers.newcomers.push(raw.dn),
                _ => {}
            }
        }
        self.event(event).await?;
        Ok(key)
    }

    /// What tells from others the names of an entry's members, owners and delegates. In Active Directory these follow whoever is
    /// called otherwise, in OpenLDAP with slapo-refint a little later, and nothing tells that they did.
    fn names_in(entry: &Entry) -> Box<[u64]> {
        let grants = entry.grants.iter().map(|grant| &grant.to);
        let names = entry.members.iter().chain(&entry.owners).chain(grants).filter_map(|of| match of {
            Reference::Place(name) => Dn::parse(name).map(|dn| dn.digest()),
            _ => None,
        });
        names.collect()
    }

    /// Tells those entries again that have a name for somebody which is theirs no more, though they were just told: that may have
    /// been before it was another. Elsewhere than in Active Directory it may be after this reading: the next one tells them, too.
    /// Who came into the scope may have been named by a name that nobody had told.
    pub(crate) async fn tell_who_names_them(&mut self) -> Result<(), Error> {
        let earlier = std::mem::take(&mut self.earlier);
        let has_left = |name: &u64| self.movers.left.contains(name) || earlier.left.contains(name);
        let places: HashSet<u64> = self.told.values().map(|told| told.place).collect();
        let having = |is_it: &dyn Fn(&u64) -> bool| -> BTreeSet<String> {
            let having = self.told.iter().filter(|(_, told)| told.names.iter().any(is_it));
            having.map(|(key, _)| key.clone()).collect()
        };
        let (mut stale, unknown) = (having(&has_left), having(&|name| !places.contains(name)));
        if self.strangers_left {
            stale.extend(unknown);
        } else if !unknown.is_empty() {
            let newcomers = [&self.movers.newcomers[..], &earlier.newcomers].concat();
            stale.extend(self.who_names(&newcomers).await?.into_iter().filter(|key| unknown.contains(key)));
        }
        self.seen.retain(|key| !stale.contains(key));
        self.take_by_keys(&stale).await
    }

    /// The keys of those that have one of these names for somebody.
    async fn who_names(&mut self, all: &[String]) -> Result<Vec<String>, Error> {
        let granted = GRANTED.iter().map(|(field, _)| *field);
        let fields = [Field::Members, Field::Owners].into_iter().chain(granted);
        let attributes: Vec<String> = fields.flat_map(|field| self.map.attributes.of_field(field)).cloned().collect();
        let mut keys = Vec::new();
        for names in all.chunks(AT_ONCE) {
            let of_name = |name: &String| filter::any(attributes.iter().map(|of| filter::equals(of, name.as_bytes())));
            let filter = filter::all([self.scope.filter.clone(), filter::any(names.iter().map(of_name))]);
            for base in 0..self.scope.bases.len() {
                let name = self.scope.bases[base].0.clone();
                keys.extend(self.names(&name, &filter).await?.into_iter().map(|(key, _)| key));
            }
        }
        Ok(keys)
    }

    /// Tells those of these entries that are in scope now.
    pub(crate) async fn take_by_keys(&mut self, keys: &BTreeSet<String>) -> Result<(), Error> {
        let names = self.map.attributes.of_field(Field::Key).to_vec();
        let conditions: Vec<String> = keys.iter().map(|key| by_key(self.config.kind, &names, key)).collect();
        self.take_by(&conditions).await
    }

    /// Tells those of the entries with these names that are in scope now.
    pub(crate) async fn take_by_places(&mut self, places: &[String]) -> Result<(), Error> {
        let name = place_attribute(self.config.kind);
        let conditions: Vec<String> = places.iter().map(|place| filter::equals(name, place.as_bytes())).collect();
        self.take_by(&conditions).await
    }

    async fn take_by(&mut self, conditions: &[String]) -> Result<(), Error> {
        for conditions in conditions.chunks(AT_ONCE) {
            let filter = filter::all([self.scope.filter.clone(), filter::any(conditions)]);
            self.take_by_filter(&filter).await?;
        }
        Ok(())
    }

    /// Tells what this filter finds under the bases, page by page.
    pub(crate) async fn take_by_filter(&mut self, filter: &str) -> Result<(), Error> {
        for base in 0..self.scope.bases.len() {
            let name = self.scope.bases[base].0.clone();
            self.take_under(&name, base, filter).await?;
        }
        Ok(())
    }

    /// Tells what this filter finds at and below this name, which is under the base of this number, page by page.
    pub(crate) async fn take_under(&mut self, name: &str, base: usize, filter: &str) -> Result<(), Error> {
        let attributes = self.asked.clone();
        let search = Search { base: name, within: Within::Subtree, filter, attributes: &attributes };
        let mut pages = Pages::default();
        while let Some(entries) = self.page(search, &mut pages).await? {
            for entry in entries {
                self.take(entry, base).await?;
            }
        }
        Ok(())
    }

    /// The keys and names of what this filter finds under this name, page by page.
    pub(crate) async fn names(&mut self, base: &str, filter: &str) -> Result<Vec<(String, String)>, Error> {
        let attributes = self.map.attributes.of_field(Field::Key).to_vec();
        let search = Search { base, within: Within::Subtree, filter, attributes: &attributes };
        let (mut names, mut pages) = (Vec::new(), Pages::default());
        while let Some(entries) = self.page(search, &mut pages).await? {
            names.extend(entries.into_iter().filter_map(|entry| Some((self.map.key(&entry)?, entry.dn))));
        }
        Ok(names)
    }

    /// The next page of a search; none after the last.
    pub(crate) async fn page(&mut self, search: Search<'_>, pages: &mut Pages) -> Result<Option<Vec<RawEntry>>, Error> {
        let Some(cookie) = pages.next.take() else { return Ok(None) };
        let is_paged = self.root.has_control(controls::PAGED);
        let mut with = Vec::new();
        if is_paged {
            with.push(controls::paged(self.config.page_entries, &cookie));
        }
        if self.config.kind == Kind::ActiveDirectory {
            with.push(controls::dacl_only());
        }
        let (entries, answer) = self.connection.entries(search, with).await?;
        // Whatever is not a success may have left something out, so nothing may be concluded from it.
        if answer.rc != 0 {
            let what = format!("cannot read all of {:?} on {}", search.base, self.config.address());
            return Err(result::refusal(what, &answer));
        }
        pages.next = controls::next_page(&answer.ctrls).filter(|cookie| is_paged && !cookie.is_empty());
        Ok(Some(entries))
    }

    /// Tells that these are gone, of those that were told before: each is looked for first, for what is there is not gone.
    pub(crate) async fn tell_gone(&mut self, keys: BTreeSet<String>) -> Result<(), Error> {
        let was_told = |key: &String| self.told.contains_key(key) && !self.seen.contains(key);
        let keys: BTreeSet<String> = keys.into_iter().filter(was_told).collect();
        // Who is called otherwise since the group was read is in it by another name.
        if let Some(group) = self.config.scope_group.as_ref().filter(|_| !keys.is_empty()) {
            let of = (self.config, self.map, &self.root);
            self.scope.members = Some(group::members(&mut self.connection, of, group).await?);
        }
        self.take_by_keys(&keys).await?;
        for key in keys {
            if !self.seen.contains(&key) {
                self.movers.left.extend(self.told.remove(&key).map(|before| before.place));
                self.event(EntryEvent::Gone(key)).await?;
            }
        }
        Ok(())
    }

    /// What comes next of a search.
    pub(crate) async fn next(
        &mut self,
        stream: &mut crate::wire::connection::Stream,
    ) -> Result<Option<Received>, Error> {
        self.connection.next(stream).await
    }
}

/// How far a paged search has come.
pub(crate) struct Pages {
    next: Option<Vec<u8>>,
}

impl Default for Pages {
    fn default() -> Self {
        Self { next: Some(Vec::new()) }
    }
}

/// The attributes to ask for; of those with many values so many at once as the settings say.
fn asked(map: &Map, config: &Config) -> Vec<String> {
    let mut asked = map.asked();
    if config.kind == Kind::ActiveDirectory && config.range_values.is_some() {
        let members = map.attributes.of_field(Field::Members);
        for name in asked.iter_mut().filter(|name| members.contains(name)) {
            *name = ranges::asked(name, 0, config.range_values);
        }
    }
    asked
}

/// The attribute that holds an entry's own name.
pub(crate) fn place_attribute(kind: Kind) -> &'static str {
    match kind {
        Kind::ActiveDirectory => "distinguishedName",
        // RFC 5020.
        Kind::Ldap => "entryDN",
    }
}

/// The condition that an entry has this key.
pub(crate) fn by_key(kind: Kind, names: &[String], key: &str) -> String {
    if kind == Kind::ActiveDirectory {
        return guid::bytes(key).map_or_else(|| filter::any([""]), |bytes| filter::equals("objectGUID", &bytes));
    }
    filter::any(names.iter().map(|name| filter::equals(name, key.as_bytes())))
}
