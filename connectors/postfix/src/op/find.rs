//! Who else sends a person's mail on: what Postfix would do with it if our entries of that person were not there.
//!
//! An address is looked up in the virtual alias maps, each result again (`virtual(5)`). What stays and is delivered by this machine is looked
//! up in the aliases (`aliases(5)`), and what stays then in the person's own forwarding file (`local(8)`). A copy stays if one of the ways ends
//! at the person.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;

use connector::Error;
use connector::router::{Destination, Force, Forwarder, ForwarderOwner, LocalCopy};

use super::maps::{covers, entries, forward_file, included, place, query, shown};
use super::setup::{Setup, takes_whole_keys_only};
use super::table::Store;
use crate::config::{Config, SiteMap, Syntax};
use crate::text::address::{Person, folded, local_part};
use crate::text::targets::{Target, targets};
use crate::wire::programs::Programs;

/// The most steps that are made for one person. Lists of more members are told as not looked into.
const STEPS_MAX: usize = 2_000;

/// One of the site's maps.
enum Source<'c> {
    /// Our own table, for all that is not this person's.
    Ours,
    Text {
        name: String,
        entries: HashMap<String, Vec<(String, usize)>>,
    },
    Query(&'c SiteMap),
    /// One that Postfix is asked about.
    Asked(String),
}

/// How something came to be sent on.
#[derive(Clone)]
struct Via {
    place: String,
    owner: ForwarderOwner,
    /// The user of this machine whose file it stands in; none for the administrator's.
    user: Option<u32>,
}

impl Via {
    fn administrator(place: String) -> Self {
        Self { place, owner: ForwarderOwner::Administrator, user: None }
    }
}

/// Where ways end.
#[derive(Default)]
struct Ends {
    /// At the person.
    stays: bool,
    /// At a program, which may keep the mail as well.
    programs: bool,
    to: Vec<(Destination, Via)>,
}

/// Finds who sends one person's mail on.
pub(crate) struct Finder<'c> {
    config: &'c Config,
    setup: &'c Setup,
    store: &'c Store<'c>,
    person: &'c Person,
    virtuals: Vec<Source<'c>>,
    aliases: Vec<Source<'c>>,
    steps: usize,
    /// What could not be looked into.
    pub(crate) unread: Vec<String>,
    /// All that mail of the person was found to go to, on its way or in the end.
    pub(crate) reached: BTreeSet<String>,
}

type Walk<'w> = Pin<Box<dyn Future<Output = ()> + Send + 'w>>;

impl<'c> Finder<'c> {
    pub(crate) async fn new(
        config: &'c Config,
        setup: &'c Setup,
        store: &'c Store<'c>,
        person: &'c Person,
    ) -> Finder<'c> {
        let mut finder = Self {
            config,
            setup,
            store,
            person,
            virtuals: vec![Source::Ours],
            aliases: Vec::new(),
            steps: 0,
            unread: Vec::new(),
            reached: BTreeSet::new(),
        };
        for (syntax, parameter) in [(Syntax::Virtual, "virtual_alias_maps"), (Syntax::Aliases, "alias_maps")] {
            let mut sources = Vec::new();
            let mut configured: Vec<&SiteMap> = config.maps.iter().filter(|map| map.syntax == syntax).collect();
            for name in setup.maps(parameter) {
                if config.map_name().as_ref() == Some(&name) {
                    continue;
                }
                match configured.iter().position(|map| covers(map, &name)) {
                    Some(at) => sources.extend(finder.source(configured.remove(at)).await),
                    None => sources.push(Source::Asked(name)),
                }
            }
            for map in configured {
                sources.extend(finder.source(map).await);
            }
            match syntax {
                Syntax::Virtual => finder.virtuals.extend(sources),
                Syntax::Aliases => finder.aliases = sources,
            }
        }
        finder
    }

    async fn source(&mut self, map: &'c SiteMap) -> Option<Source<'c>> {
        let Some(path) = &map.path else { return Some(Source::Query(map)) };
        match entries(path, map.syntax).await {
            Ok(all) => {
                let mut entries: HashMap<String, Vec<(String, usize)>> = HashMap::new();
                for (key, value, line) in all {
                    entries.entry(key).or_default().push((value, line));
                }
                Some(Source::Text { name: path.display().to_string(), entries })
            }
            Err(error) => {
                self.unread.push(error.to_string());
                None
            }
        }
    }

    /// All forwarders of the person.
    pub(crate) async fn forwarders(&mut self) -> Vec<Forwarder> {
        let mut all: Vec<Forwarder> = Vec::new();
        for address in &self.person.addresses {
            let mut ends = Ends::default();
            self.address(address.clone(), address.clone(), None, Vec::new(), &mut ends).await;
            let copy = match (ends.stays, ends.programs) {
                (true, _) => LocalCopy::Kept,
                (false, true) => LocalCopy::Perhaps,
                (false, false) => LocalCopy::NotKept,
            };
            for (to, via) in ends.to {
                join(&mut all, Forwarder { to, copy, force: Force::Always, owner: via.owner, place: via.place });
            }
        }
        for map in self.setup.maps("recipient_bcc_maps") {
            let whole = takes_whole_keys_only(&map);
            let keys = self.person.addresses.iter().flat_map(|address| keys(address, whole, false));
            match Programs(self.config).look_up(&map, &keys.collect::<Vec<String>>()).await {
                Ok(found) => found.into_iter().for_each(|(_, value)| {
                    let to = Destination::Address(value);
                    let (owner, place) = (ForwarderOwner::Administrator, format!("recipient_bcc_maps, {map}"));
                    join(&mut all, Forwarder { to, copy: LocalCopy::Kept, force: Force::Always, owner, place });
                }),
                Err(error) => self.unread.push(error.to_string()),
            }
        }
        self.unread.sort();
        self.unread.dedup();
        all
    }

    /// Where an address that mail is to be redirected to is sent on to here, if it is.
    pub(crate) async fn leads_on(&mut self, to: &str) -> Option<String> {
        let found = self.lookup(&folded(to), Syntax::Virtual).await?;
        let is_same =
            |(target, _): &(Target, String)| matches!(target, Target::Address(text) if folded(text) == folded(to));
        found.iter().find(|found| !is_same(found)).map(|(_, place)| place.clone())
    }

    fn is_too_far(&mut self) -> bool {
        self.steps += 1;
        if self.steps == STEPS_MAX {
            self.unread.push(format!("more than {STEPS_MAX} places that mail goes to: the rest was not looked into"));
        }
        self.steps >= STEPS_MAX
    }

    /// An address, looked up in the virtual alias maps.
    fn address<'w>(
        &'w mut self,
        address: String,
        written: String,
        via: Option<Via>,
        mut trail: Vec<String>,
        ends: &'w mut Ends,
    ) -> Walk<'w> {
        Box::pin(async move {
            if self.is_too_far() {
                return;
            }
            self.reached.insert(address.clone());
            let is_round = trail.contains(&address);
            let found = if is_round { None } else { self.lookup(&address, Syntax::Virtual).await };
            trail.push(address.clone());
            let Some(found) = found else {
                self.delivered(address, written, via, trail, ends).await;
                return;
            };
            for (target, place) in found {
                let via = Via::administrator(place);
                match target {
                    Target::Address(text) if text.contains('@') => {
                        self.address(folded(&text), text, Some(via), trail.clone(), ends).await;
                    }
                    Target::Address(text) => {
                        self.name(folded(&text), text, Some(via), trail.clone(), ends).await;
                    }
                    _ => ends.to.push((Destination::Unknown("no address".to_owned()), via)),
                }
            }
        })
    }

    /// An address that no virtual alias leads on from.
    fn delivered<'w>(
        &'w mut self,
        address: String,
        written: String,
        via: Option<Via>,
        trail: Vec<String>,
        ends: &'w mut Ends,
    ) -> Walk<'w> {
        Box::pin(async move {
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
            if !self.person.is(&address) {
                ends.to.extend(via.map(|via| (shown(written), via)));
            } else if self.setup.lists("virtual_mailbox_domains", domain) == Some(true) {
                // Delivered by others than local(8), which asks no aliases.
                ends.stays = true;
            } else {
                let name = local_part(&address).to_owned();
                self.name(name, written, via, trail, ends).await;
            }
        })
    }

    /// A user of this machine, or another name in the aliases.
    fn name<'w>(
        &'w mut self,
        name: String,
        written: String,
        via: Option<Via>,
        mut trail: Vec<String>,
        ends: &'w mut Ends,
    ) -> Walk<'w> {
        Box::pin(async move {
            if self.is_too_far() {
                return;
            }
            self.reached.insert(name.clone());
            let is_round = trail.contains(&name);
            let found = if is_round { None } else { self.lookup(&name, Syntax::Aliases).await };
            trail.push(name.clone());
            match found {
                Some(found) => {
                    let owned = |(target, place): (Target, String)| (target, Via::administrator(place));
                    self.each(found.into_iter().map(owned).collect(), trail, ends).await;
                }
                None if self.person.local_names().contains(&name) => self.own_file(trail, ends).await,
                None => ends.to.extend(via.map(|via| (shown(written), via))),
            }
        })
    }

    /// The person's own forwarding file.
    async fn own_file(&mut self, trail: Vec<String>, ends: &mut Ends) {
        const MARK: &str = "\0own file";
        if trail.iter().any(|step| step == MARK) {
            ends.stays = true;
            return;
        }
        let mut found = Vec::new();
        for template in &self.config.forward_files {
            for name in self.person.local_names() {
                match forward_file(template, &name).await {
                    Ok(Some((place, all, user))) => {
                        let via = Via { place, owner: ForwarderOwner::Person, user: Some(user) };
                        found.extend(all.into_iter().map(|target| (target, via.clone())));
                    }
                    Ok(None) => {}
                    Err(error) => self.unread.push(error.to_string()),
                }
            }
        }
        if found.is_empty() {
            ends.stays = true;
            return;
        }
        let trail = [trail, vec![MARK.to_owned()]].concat();
        self.each(found, trail, ends).await;
    }

    fn each<'w>(&'w mut self, all: Vec<(Target, Via)>, trail: Vec<String>, ends: &'w mut Ends) -> Walk<'w> {
        Box::pin(async move {
            for (target, via) in all {
                match target {
                    Target::Address(text) if text.contains('@') => {
                        self.address(folded(&text), text, Some(via), trail.clone(), ends).await;
                    }
                    Target::Address(text) => self.name(folded(&text), text, Some(via), trail.clone(), ends).await,
                    Target::Program => {
                        ends.programs = true;
                        ends.to.push((Destination::Unknown("a program".to_owned()), via));
                    }
                    Target::File => ends.stays = true,
                    Target::Nowhere => {}
                    Target::Include(path) => match included(&path, via.user).await {
                        Ok(more) if !self.is_too_far() && !trail.contains(&path) => {
                            let via = Via { place: path.clone(), ..via };
                            let more = more.into_iter().map(|target| (target, via.clone())).collect();
                            self.each(more, [trail.clone(), vec![path]].concat(), ends).await;
                        }
                        Ok(_) => {}
                        Err(error) => {
                            self.unread.push(format!("{}, which {} includes", error, via.place));
                            ends.to.push((Destination::Unknown("a list in a file".to_owned()), via));
                        }
                    },
                }
            }
        })
    }

    /// What the maps say of an address or a name: the first that has one of its keys decides.
    async fn lookup(&mut self, key: &str, syntax: Syntax) -> Option<Vec<(Target, String)>> {
        let (virtuals, aliases) = (std::mem::take(&mut self.virtuals), std::mem::take(&mut self.aliases));
        let sources = if syntax == Syntax::Virtual { &virtuals } else { &aliases };
        let domain = key.rsplit_once('@').map(|(_, domain)| domain.to_owned());
        let is_here = domain.is_none_or(|domain| {
            let is_in = |name| self.setup.lists(name, &domain) != Some(false);
            !self.setup.is_known || is_in("mydestination") || self.setup.value("myorigin").eq_ignore_ascii_case(&domain)
        });
        let mut found = None;
        'keys: for (number, form) in keys(key, false, is_here).into_iter().enumerate() {
            for source in sources {
                if number > 0 && matches!(source, Source::Asked(map) if takes_whole_keys_only(map)) {
                    continue;
                }
                match self.ask(source, &form).await {
                    Ok(values) if values.is_empty() => {}
                    Ok(values) => {
                        let each = |(value, place): (String, String)| {
                            targets(&value).into_iter().map(move |target| (target, place.clone())).collect::<Vec<_>>()
                        };
                        found = Some(values.into_iter().flat_map(each).collect());
                        break 'keys;
                    }
                    Err(error) => self.unread.push(error.to_string()),
                }
            }
        }
        (self.virtuals, self.aliases) = (virtuals, aliases);
        found
    }

    /// The values that one map has for one key, and where they stand.
    async fn ask(&self, source: &Source<'_>, key: &str) -> Result<Vec<(String, String)>, Error> {
        match source {
            Source::Ours => {
                let rows = self.store.at(&[key.to_owned()]).await?;
                let others = rows.into_iter().filter(|row| !row.is_of(&self.person.account));
                Ok(others.map(|row| (row.to, row.place)).collect())
            }
            Source::Text { name, entries } => {
                let values = entries.get(key).map_or(&[][..], Vec::as_slice);
                Ok(values.iter().map(|(value, line)| (value.clone(), format!("{name}, line {line}"))).collect())
            }
            Source::Asked(map) => {
                let found = Programs(self.config).look_up(map, &[key.to_owned()]).await?;
                Ok(found.into_iter().map(|(_, value)| (value, map.clone())).collect())
            }
            Source::Query(map) => {
                let condition = |sign: &str| format!("WHERE lower(CAST(site.address AS TEXT)) = {sign}");
                let rows = query(self.config, map, &condition, &[key]).await?;
                Ok(rows.into_iter().map(|(_, value)| (value, place(map))).collect())
            }
        }
    }
}

/// Adds a forwarder; one that differs only in where it stands is told once.
fn join(all: &mut Vec<Forwarder>, forwarder: Forwarder) {
    let is_same = |known: &&mut Forwarder| {
        (&known.to, known.copy, known.owner) == (&forwarder.to, forwarder.copy, forwarder.owner)
    };
    match all.iter_mut().find(is_same) {
        Some(known) if known.place.split("; ").any(|place| place == forwarder.place) => {}
        Some(known) => known.place = format!("{}; {}", known.place, forwarder.place),
        None => all.push(forwarder),
    }
}

/// The keys that an address is looked up by, in their order.
fn keys(address: &str, whole_only: bool, is_here: bool) -> Vec<String> {
    let Some((local, domain)) = address.rsplit_once('@').filter(|_| !whole_only) else {
        return vec![address.to_owned()];
    };
    let mut keys = vec![address.to_owned()];
    if is_here {
        keys.push(local.to_owned());
    }
    keys.push(format!("@{domain}"));
    keys
}
