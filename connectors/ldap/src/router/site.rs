//! The directory of a site, for one call: connected, its schema known; people's entries found and read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use connector::{Error, Recipient, Retry};
use ldap3::{LdapResult, Scope as Within};
use model::{Cause, Scope};

use super::attributes::{Keyed, Sort, plain};
use super::config::{RouterConfig, Scheme};
use super::marker::{self, Marker, Value};
use super::person::{Marked, Named, Ours, Person};
use super::schema::Resolved;
use super::values::{Values, lead, leads};
use crate::config::{Config, Kind};
use crate::op::pages;
use crate::op::root::Root;
use crate::wire::connection::{Connection, Search};
use crate::wire::dn::Dn;
use crate::wire::entry::RawEntry;
use crate::wire::{filter, guid, result};

/// The assertion control (RFC 4528).
const ASSERTION: &str = "1.3.6.1.1.12";
/// Conditions of one search: what servers take well. A person with many addresses has several hundred.
const CONDITIONS_MAX: usize = 60;
/// The number of an entry's last change in OpenLDAP.
const CSN: &str = "entryCSN";

/// What all calls have in common.
pub(crate) struct Endpoint {
    pub(crate) config: RouterConfig,
    pub(crate) connection: Config,
    /// The schema, once it was found to have what is needed.
    resolved: Mutex<Option<Arc<Resolved>>>,
}

impl Endpoint {
    pub(crate) fn new(config: RouterConfig) -> Self {
        let connection = config.connection();
        Self { config, connection, resolved: Mutex::default() }
    }
}

/// The site, for one call.
pub(crate) struct Site<'e> {
    pub(crate) endpoint: &'e Endpoint,
    pub(crate) connection: Connection,
    pub(crate) root: Root,
    pub(crate) resolved: Arc<Resolved>,
    /// Where people are: no base is within another.
    pub(crate) bases: Vec<String>,
    /// The filter of what mail servers look at.
    pub(crate) objects: String,
}

impl<'e> Site<'e> {
    /// Connects and logs in.
    pub(crate) async fn open(endpoint: &'e Endpoint) -> Result<Self, Error> {
        let mut connection = Connection::reach(&endpoint.connection).await?;
        connection.bind().await?;
        Self::of(endpoint, connection).await
    }

    /// The site at the other end of a connection that is logged in.
    pub(crate) async fn of(endpoint: &'e Endpoint, mut connection: Connection) -> Result<Self, Error> {
        let root = Root::read(&mut connection).await?;
        let known = endpoint.resolved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let resolved = match known {
            Some(resolved) => resolved,
            None => {
                let resolved = Arc::new(Resolved::read(&mut connection, &root, &endpoint.config).await?);
                *endpoint.resolved.lock().unwrap_or_else(PoisonError::into_inner) = Some(resolved.clone());
                resolved
            }
        };
        let names = match &endpoint.config.bases[..] {
            [] => vec![root.own_context()?],
            bases => bases.to_vec(),
        };
        let mut bases: Vec<(String, Dn)> = Vec::new();
        for (name, dn) in names.into_iter().filter_map(|name| Dn::parse(&name).map(|dn| (name, dn))) {
            if !bases.iter().any(|(_, base)| dn.is_within(base)) {
                bases.retain(|(_, base)| !base.is_within(&dn));
                bases.push((name, dn));
            }
        }
        let bases = bases.into_iter().map(|(name, _)| name).collect();
        let objects = endpoint.config.objects.clone().unwrap_or_default();
        Ok(Self { endpoint, connection, root, resolved, bases, objects })
    }

    pub(crate) fn is_active_directory(&self) -> bool {
        self.endpoint.config.kind == Kind::ActiveDirectory
    }

    fn key_attribute(&self) -> &'static str {
        if self.is_active_directory() { "objectGUID" } else { "entryUUID" }
    }

    /// Everything that is asked of an entry.
    pub(crate) fn asked(&self) -> Vec<String> {
        let resolved = &self.resolved;
        let fields = resolved.attributes.fields();
        let mut asked: Vec<String> = fields.into_iter().map(|field| field.name.clone()).collect();
        asked.extend(["objectClass", self.key_attribute()].map(str::to_owned));
        asked.push(resolved.marker.name.clone());
        asked.extend(resolved.addresses.iter().chain(&resolved.accounts).cloned());
        if self.root.has_control(ASSERTION) {
            asked.push(CSN.to_owned());
        }
        asked
    }

    /// All entries below these names that one of these conditions finds, each once.
    pub(crate) async fn find(
        &mut self,
        bases: &[String],
        (objects, conditions): (&str, &[String]),
        asked: &[String],
    ) -> Result<Vec<RawEntry>, Error> {
        let mut found: BTreeMap<String, RawEntry> = BTreeMap::new();
        for conditions in conditions.chunks(CONDITIONS_MAX) {
            let filter = filter::all([objects, &filter::any(conditions)]);
            for base in bases {
                let search = Search { base, within: Within::Subtree, filter: &filter, attributes: asked };
                let config = (&self.endpoint.connection, &self.root);
                let some = pages::all(&mut self.connection, config, search).await?;
                found.extend(some.into_iter().map(|raw| (raw.dn.clone(), raw)));
            }
        }
        Ok(found.into_values().collect())
    }

    /// The conditions by which entries with this address are found.
    pub(crate) fn with_address(&self, address: &str) -> Vec<String> {
        let names = self.resolved.addresses.iter();
        names
            .flat_map(|name| {
                ["", "smtp:", "SMTP:"].map(|prefix| filter::equals(name, format!("{prefix}{address}").as_bytes()))
            })
            .collect()
    }

    /// The person's entry. Fails unless there is exactly one.
    pub(crate) async fn person(&mut self, who: &Recipient) -> Result<Person, Error> {
        let account = who.account.name.rsplit('\\').next().unwrap_or_default().trim().to_lowercase();
        let addresses: Vec<String> = who.addresses.iter().map(|address| plain(address)).collect();
        // As they were given as well: some schemas tell capitals from small letters.
        let given = who.addresses.iter().map(|address| address.trim()).filter(|given| plain(given) != **given);
        let asked_for = addresses.iter().map(String::as_str).chain(given);
        let mut conditions: Vec<String> = asked_for.flat_map(|address| self.with_address(address)).collect();
        if !account.is_empty() {
            conditions.extend(self.resolved.accounts.iter().map(|name| filter::equals(name, account.as_bytes())));
        }
        let asked = self.asked();
        let (bases, objects) = (self.bases.clone(), self.objects.clone());
        let found = self.find(&bases, (&objects, &conditions), &asked).await?;
        let host = self.endpoint.connection.address();
        let listed =
            |entries: &[&Person]| entries.iter().map(|entry| format!("{:?}", entry.dn)).collect::<Vec<_>>().join(", ");
        let people: Vec<Person> = found.iter().map(|raw| self.read(raw)).collect();
        let (theirs, others): (Vec<&Person>, Vec<&Person>) =
            people.iter().partition(|person| addresses.iter().any(|address| person.own.contains(address)));
        let not_theirs = |what: String| Error::new(Cause::NotTheirStore, Scope::Mailbox, what);
        let at = who.addresses.join(", ");
        let mut person = match &theirs[..] {
            [] if others.is_empty() => {
                let what = format!(
                    "{host} has no entry with the address {at} (looked for in {})",
                    self.resolved.addresses.join(", ")
                );
                return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
            }
            [] => {
                let what = format!(
                    "the account {account:?} is that of {} on {host}, which does not have the address {at}",
                    listed(&others)
                );
                return Err(not_theirs(what));
            }
            [one] => (*one).clone(),
            several => {
                let what =
                    format!("several entries on {host} have the address {at}: {}. Leave it on one", listed(several));
                return Err(not_theirs(what));
            }
        };
        if !others.is_empty() && !person.accounts.contains(&account) {
            let what = format!(
                "on {host} the address {at} is that of {:?}, and the account {account:?} that of {}",
                person.dn,
                listed(&others)
            );
            return Err(not_theirs(what));
        }
        person.elsewhere =
            who.addresses.iter().filter(|address| !person.own.contains(&plain(address))).cloned().collect();
        let names = if account.contains('@') { &mut person.own } else { &mut person.accounts };
        names.push(account);
        self.complete(&mut person).await?;
        Ok(person)
    }

    /// What was read of an entry, but for what its values name.
    pub(crate) fn read(&self, raw: &RawEntry) -> Person {
        let resolved = &self.resolved;
        let mut now = Values::default();
        for field in resolved.attributes.fields() {
            now.set(&field.name, raw.values(&field.name).to_vec());
        }
        let needed = resolved.attributes.fields().into_iter().map(|field| field.name.to_lowercase());
        let needed: Vec<String> = needed.chain([resolved.marker.name.to_lowercase()]).collect();
        let has_option =
            |name: &str| name.split_once(';').is_some_and(|(name, _)| needed.iter().any(|one| one == name));
        let texts = |names: &[String]| -> Vec<String> {
            names.iter().flat_map(|name| raw.texts(name)).map(str::to_owned).collect()
        };
        let addresses = texts(&resolved.addresses);
        let key = raw.values(self.key_attribute()).first();
        let key = key.and_then(|value| {
            if self.is_active_directory() { guid::text(value) } else { String::from_utf8(value.clone()).ok() }
        });
        let is_user = ["user", "inetOrgPerson", "person"].iter().any(|class| raw.has("objectClass", class));
        let is_contact = raw.has("objectClass", "contact")
            || (self.endpoint.config.scheme() == Scheme::Exchange && self.is_active_directory() && !is_user);
        let mut person = Person {
            dn: raw.dn.clone(),
            key: key.unwrap_or_default(),
            primary: addresses
                .iter()
                .find(|address| address.starts_with("SMTP:"))
                .or(addresses.first())
                .map_or_else(|| raw.dn.clone(), |address| plain(address)),
            own: addresses.iter().map(|address| plain(address)).collect(),
            accounts: texts(&resolved.accounts).iter().map(|name| name.to_lowercase()).collect(),
            classes: raw.texts("objectClass").map(str::to_owned).collect(),
            is_contact,
            now,
            marks: raw.values(&resolved.marker.name).to_vec(),
            odd: raw.every().map(|(name, _)| name).filter(|name| has_option(name)).map(str::to_owned).collect(),
            csn: raw.text(CSN).map(str::to_owned),
            ..Person::default()
        };
        person.ours = self.ours(&person);
        person
    }

    fn ours(&self, person: &Person) -> Ours {
        let attributes = &self.resolved.attributes;
        let ours: Vec<&Value> = person.marks.iter().filter(|value| marker::is_ours(value)).collect();
        if ours.is_empty() {
            return Ours::Nothing;
        }
        let several = (ours.len() > 1).then(|| "there are several: leave the one that is right".to_owned());
        let read = |raw: &&Value| {
            let (marker, is_whole) = Marker::read(raw)?;
            let (field, value) = lead(attributes, &marker)?;
            // What it says must be where its value leads; of the name of an entry that is looked up.
            let is_there = str::from_utf8(value).is_ok_and(|value| plain(value) == plain(&marker.to));
            if field.sort == Sort::Address && !is_there {
                return None;
            }
            let mut names = marker.set.iter().chain(&marker.was).map(|(name, _)| name);
            let unnamed = names.find(|name| attributes.field(name).is_none());
            let unnamed =
                unnamed.map(|odd| format!("it is about {odd}, which the settings do not name: bring them back"));
            let broken = (!is_whole).then(|| "it was changed so that it can't be read: correct it".to_owned());
            let broken = several.clone().or(broken).or(unnamed);
            let is_anothers = !marker.is_of(&person.key, person.own.iter().cloned());
            Some(Marked { marker, raw: (*raw).clone(), is_anothers, broken })
        };
        let mut marked: Vec<Marked> = ours.iter().filter_map(read).collect();
        // Of several, the one by which mail goes; or any, if it goes by none.
        marked.sort_by_key(|marked| !leads(attributes, &person.now, &marked.marker));
        match marked.into_iter().next() {
            Some(marked) => Ours::Marked(marked),
            None => Ours::Unreadable(several.unwrap_or_else(|| {
                "it was changed so that it can't be read: correct it, or remove it and what it is about".to_owned()
            })),
        }
    }

    /// Reads what its values name, those that were there before among them.
    pub(crate) async fn complete(&mut self, person: &mut Person) -> Result<(), Error> {
        let resolved = self.resolved.clone();
        for field in resolved.attributes.fields().into_iter().filter(|field| field.sort == Sort::Entry) {
            let mut values = Vec::new();
            for value in person.now.of(&field.name).to_vec() {
                let (value, named) = self.named(value).await?;
                person.named.extend(named.map(|named| (value.clone(), named)));
                values.push(value);
            }
            person.now.set(&field.name, values);
            let marker = person.marked().map(|marked| marked.marker.clone()).unwrap_or_default();
            for (_, value) in marker.was.into_iter().filter(|(name, _)| field.name.eq_ignore_ascii_case(name)) {
                let (value, named) = self.kept(value).await?;
                let Some(named) = named else { continue };
                // By the name that it has now it is the same.
                let text = str::from_utf8(&value).unwrap_or_default();
                let now = named.dn.as_deref().map(|dn| Keyed { dn, ..Keyed::of(text) }.value());
                person.named.extend(now.into_iter().chain([value]).map(|value| (value, named.clone())));
            }
        }
        Ok(())
    }

    /// A value that names an entry, with the entry's key in Active Directory, where names follow whoever is called otherwise.
    async fn named(&mut self, value: Value) -> Result<(Value, Option<Named>), Error> {
        let Ok(dn) = str::from_utf8(&value).map(str::to_owned) else { return Ok((value, None)) };
        let Some(raw) = self.look(&dn).await? else { return Ok((value, None)) };
        let person = self.read(&raw);
        let key = (self.is_active_directory() && !person.key.is_empty()).then_some(person.key.as_str());
        let value = Keyed { key, dn: &dn }.value();
        Ok((value, Some(Named { dn: Some(dn.clone()), address: self.leads_to(&person) })))
    }

    /// A value that named an entry before ours was put on.
    async fn kept(&mut self, value: Value) -> Result<(Value, Option<Named>), Error> {
        let Ok(text) = String::from_utf8(value.clone()) else { return Ok((value, None)) };
        let keyed = Keyed::of(&text);
        let by_key = keyed.key.map(|key| format!("<GUID={key}>"));
        match self.look(by_key.as_deref().unwrap_or(keyed.dn)).await? {
            Some(raw) => {
                let address = self.leads_to(&self.read(&raw));
                // Without a key it comes back as it was written.
                let dn = if by_key.is_some() { raw.dn.clone() } else { text };
                Ok((value, Some(Named { dn: Some(dn), address })))
            }
            None if by_key.is_some() => Ok((value, Some(Named::default()))),
            None => Ok((value, None)),
        }
    }

    /// Where mail for an entry goes that a value names: to the address elsewhere that it has, else to its own.
    fn leads_to(&self, person: &Person) -> Option<String> {
        let target = match &self.resolved.attributes {
            super::attributes::Attributes::Exchange { target, .. } => person.now.of(&target.name).first(),
            super::attributes::Attributes::Forwarding { .. } => None,
        };
        let target = target.and_then(|value| str::from_utf8(value).ok()).map(|text| {
            let is_smtp = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("smtp:"));
            text[if is_smtp { 5 } else { 0 }..].to_owned()
        });
        target.or_else(|| person.primary.contains('@').then(|| person.primary.clone()))
    }

    /// The entry of this name. None where there is none, or it stands on another server, or may not be seen.
    async fn look(&mut self, dn: &str) -> Result<Option<RawEntry>, Error> {
        let asked = self.asked();
        match self.connection.entry(dn, &asked).await {
            Ok(found) => Ok(found),
            Err(error) if matches!(error.cause, Cause::Missing | Cause::Permission | Cause::Refused) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is known of whether these attributes of an entry may be written, without trying; an error where they may not.
    pub(crate) async fn may_write(&mut self, person: &Person, names: &[String]) -> Result<String, Error> {
        if self.is_active_directory() {
            let effective = "allowedAttributesEffective";
            let found = self.connection.entry(&person.dn, &[effective.to_owned()]).await?.unwrap_or_default();
            if let Some(name) = names.iter().find(|name| !found.has(effective, name)) {
                let what =
                    format!("the account may not write {name} of {:?}: give it the right Write {name}", person.dn);
                return Err(Error::new(Cause::Permission, Scope::Mailbox, what));
            }
            return Ok(format!("{} may be written", names.join(", ")));
        }
        if let Some(name) = self.resolved.forbidden(&person.classes, names.iter().map(String::as_str)) {
            let what = format!("{:?} may have no {name}: none of its object classes allows it", person.dn);
            return Err(Error::new(Cause::Refused, Scope::Mailbox, what));
        }
        Ok(format!(
            "{} may have {}; whether the account may write them is known only with the first change",
            person.dn,
            names.join(", ")
        ))
    }

    /// Can a change be made to depend on the entry's being as it was read?
    pub(crate) fn assertion(&self, person: &Person) -> Option<String> {
        let csn = person.csn.as_ref().filter(|_| self.root.has_control(ASSERTION))?;
        Some(filter::equals(CSN, csn.as_bytes()))
    }
}

/// What the server refused, as an error.
pub(crate) fn refused(what: impl Into<String>, answer: &LdapResult) -> Error {
    let what = what.into();
    if answer.rc == result::REFERRAL {
        let elsewhere = answer.refs.first().map_or("another server", String::as_str);
        let what = format!("{what}: the server wants us to ask {elsewhere} instead; name that one as host");
        return Error::new(Cause::Unsupported, Scope::Mailbox, what).retry(Retry::AfterPerson);
    }
    result::refusal(what, answer).reaching(Scope::Mailbox)
}
