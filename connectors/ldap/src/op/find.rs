//! Looking for entries by their keys, marks, addresses and names, wherever in the directory they stand.

use std::collections::{BTreeMap, BTreeSet};

use connector::Error;
use ldap3::Scope as Within;
use model::{Address, Entry, EntryKind, Reference, mail_key};

use super::pages;
use super::root::Root;
use super::scope::Scope;
use super::tell::by_key;
use crate::config::{Config, Kind, Write};
use crate::map::attributes::Field;
use crate::map::entry::Map;
use crate::map::fields::Places;
use crate::wire::connection::{Connection, Search};
use crate::wire::dn::Dn;
use crate::wire::entry::RawEntry;
use crate::wire::filter;

/// Conditions of one search: what fits well into a message, and into the filters that servers take.
const AT_ONCE: usize = 50;

/// A directory that entries are looked for in.
pub(crate) struct Finder<'d> {
    pub(crate) connection: Connection,
    pub(crate) config: &'d Config,
    pub(crate) map: &'d Map,
    pub(crate) root: Root,
    /// Where is looked: contexts of the server.
    contexts: Vec<String>,
}

impl<'d> Finder<'d> {
    /// Connects and logs in.
    pub(crate) async fn reach(config: &'d Config, map: &'d Map) -> Result<Self, Error> {
        let mut connection = Connection::reach(config).await?;
        connection.bind().await?;
        let root = Root::read(&mut connection).await?;
        let scope = Scope::of(config, &root)?;
        let mut contexts = scope.contexts(&root);
        for base in config.write.iter().flat_map(bases) {
            let context = Dn::parse(base).and_then(|dn| root.context_of(&dn)).unwrap_or(base).to_owned();
            if !contexts.contains(&context) {
                contexts.push(context);
            }
        }
        Ok(Self { connection, config, map, root, contexts })
    }

    /// What these conditions find, with these attributes.
    async fn find(&mut self, conditions: &[String], attributes: &[String]) -> Result<Vec<RawEntry>, Error> {
        let mut found = Vec::new();
        for conditions in conditions.chunks(AT_ONCE) {
            let filter = filter::any(conditions);
            for context in self.contexts.clone() {
                let search = Search { base: &context, within: Within::Subtree, filter: &filter, attributes };
                found.extend(pages::all(&mut self.connection, (self.config, &self.root), search).await?);
            }
        }
        Ok(found)
    }

    /// Everything that is read and written of an entry.
    fn asked(&self) -> Vec<String> {
        let mut asked = self.map.asked();
        if self.config.kind == Kind::Ldap && !asked.iter().any(|name| name.eq_ignore_ascii_case("cn")) {
            asked.push("cn".to_owned());
        }
        asked
    }

    async fn complete(&mut self, mut found: Vec<RawEntry>) -> Result<Vec<RawEntry>, Error> {
        let members = self.map.attributes.of_field(Field::Members);
        for raw in &mut found {
            self.connection.complete(raw, self.config.kind, members, self.config.range_values).await?;
        }
        Ok(found)
    }

    /// The entries of these keys, as the server has them.
    pub(crate) async fn by_keys(&mut self, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, RawEntry>, Error> {
        let asked = self.asked();
        let found = self.of_keys(keys, &asked).await?;
        let found = self.complete(found).await?;
        Ok(found.into_iter().filter_map(|raw| Some((self.map.key(&raw)?, raw))).collect())
    }

    async fn of_keys(&mut self, keys: &BTreeSet<&str>, asked: &[String]) -> Result<Vec<RawEntry>, Error> {
        let names = self.map.attributes.of_field(Field::Key);
        let conditions: Vec<String> = keys.iter().map(|key| by_key(self.config.kind, names, key)).collect();
        self.find(&conditions, asked).await
    }

    /// The entries that bear one of these marks.
    pub(crate) async fn by_origins(&mut self, origins: &BTreeSet<&str>) -> Result<Vec<RawEntry>, Error> {
        let names = self.map.attributes.of_field(Field::Origin);
        let mark = |origin: &&str| filter::any(names.iter().map(|name| filter::equals(name, origin.as_bytes())));
        let conditions: Vec<String> = origins.iter().map(mark).collect();
        let asked = self.asked();
        let found = self.find(&conditions, &asked).await?;
        self.complete(found).await
    }

    /// The entries that have one of these mail addresses, each once.
    pub(crate) async fn by_addresses(&mut self, addresses: &[String]) -> Result<Vec<RawEntry>, Error> {
        let wanted: BTreeSet<String> = addresses.iter().map(|address| mail_key(address)).collect();
        // As they were given as well: some schemas tell capitals from small letters.
        let given: BTreeSet<String> =
            addresses.iter().map(|text| text.trim().to_owned()).chain(wanted.clone()).collect();
        let names = self.address_names();
        let conditions: Vec<String> = given.iter().map(|mail| with_address(&names, mail)).collect();
        let asked = self.asked();
        let found = self.find(&conditions, &asked).await?;
        let has_one = |raw: &RawEntry| {
            let mut texts = names.iter().flat_map(|name| raw.texts(name));
            texts.any(|text| wanted.contains(&mail_key(text)))
        };
        // A context may lie within another.
        let by_name: BTreeMap<String, RawEntry> =
            found.into_iter().filter(has_one).map(|raw| (raw.dn.clone(), raw)).collect();
        self.complete(by_name.into_values().collect()).await
    }

    /// The attributes that hold mail addresses.
    fn address_names(&self) -> Vec<String> {
        let attributes = &self.map.attributes;
        attributes.of_field(Field::Mail).iter().chain(attributes.of_field(Field::Addresses)).cloned().collect()
    }

    /// As entries; what can't be read as one by its key, or place, and its addresses alone.
    pub(crate) fn read_all(&self, found: &[RawEntry], now: i64) -> Vec<Entry> {
        let names = self.address_names();
        let entry = |raw: &RawEntry| {
            self.map.entry_at(raw, now).unwrap_or_else(|fault| {
                let mut entry = Entry::new(fault.key.unwrap_or_else(|| raw.dn.clone()), EntryKind::System);
                entry.place = Some(raw.dn.clone());
                entry.addresses = names.iter().flat_map(|name| raw.texts(name)).map(Address::parse).collect();
                entry
            })
        };
        found.iter().map(entry).collect()
    }

    /// As entries; what can't be read as one is left out, with a word of warning.
    pub(crate) fn read(&self, found: &[RawEntry], now: i64) -> Vec<Entry> {
        let mut entries = Vec::new();
        for raw in found {
            match self.map.entry_at(raw, now) {
                Ok(entry) => entries.push(entry),
                Err(fault) => {
                    tracing::warn!(place = %raw.dn, what = %fault.what, "an entry can't be read");
                }
            }
        }
        entries
    }

    /// Where these stand: those that are named by keys, and those by addresses where there is no attribute for addresses.
    pub(crate) async fn places(&mut self, of: &[&Reference]) -> Result<Places, Error> {
        let mut places = Places::default();
        let keys = of.iter().filter_map(|of| if let Reference::Key(key) = of { Some(key.as_str()) } else { None });
        let asked = self.map.attributes.of_field(Field::Key).to_vec();
        for raw in self.of_keys(&keys.collect(), &asked).await? {
            places.by_key.extend(self.map.key(&raw).map(|key| (key, raw.dn.clone())));
        }
        if self.map.mail_members.is_some() {
            return Ok(places);
        }
        let mails = of.iter().filter_map(|of| if let Reference::Mail(mail) = of { Some(mail_key(mail)) } else { None });
        let mails: BTreeSet<String> = mails.collect();
        let asked = self.address_names();
        let conditions: Vec<String> = mails.iter().map(|mail| with_address(&asked, mail)).collect();
        let mut holders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for raw in self.find(&conditions, &asked).await? {
            for text in asked.iter().flat_map(|name| raw.texts(name)) {
                let mail = mail_key(text);
                if mails.contains(&mail) {
                    holders.entry(mail).or_default().insert(raw.dn.clone());
                }
            }
        }
        for (mail, names) in holders {
            // Two who have it are nobody in particular.
            if let (1, Some(name)) = (names.len(), names.into_iter().next()) {
                places.by_mail.insert(mail, name);
            }
        }
        Ok(places)
    }
}

/// The condition that one of these attributes has this address, with its prefix or without. The prefix in capitals marks the one to send from.
fn with_address(names: &[String], mail: &str) -> String {
    let each =
        |name: &String| ["", "smtp:", "SMTP:"].map(|prefix| filter::equals(name, format!("{prefix}{mail}").as_bytes()));
    filter::any(names.iter().flat_map(each))
}

/// Where entries are written.
pub(crate) fn bases(write: &Write) -> impl Iterator<Item = &str> {
    let own = write.kinds.values().filter_map(|template| template.base.as_deref());
    write.base.as_deref().into_iter().chain(own)
}
