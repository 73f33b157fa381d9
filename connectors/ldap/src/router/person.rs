//! A person's entry, as it was read at one moment: what of it says where mail goes, and what that comes to.

use std::collections::BTreeMap;

use connector::Routing;
use connector::router::{Evidence, Forwarder, OurRedirect};

use super::attributes::{Around, Attributes, Keyed, Sort, plain, shown};
use super::marker::{Marker, Value};
use super::schema::Resolved;
use super::values::{Values, lead, leads, without};

/// What of ours lies on an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ours {
    /// Nothing.
    #[default]
    Nothing,
    /// A marker that can't be made use of, and why.
    Unreadable(String),
    /// A marker.
    Marked(Marked),
}

/// A marker of ours on an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) marker: Marker,
    /// As it stands there.
    pub(crate) raw: Value,
    /// It was put on another entry, from which this one was copied.
    pub(crate) is_anothers: bool,
    /// Why what was there before is not known, though where ours leads is.
    pub(crate) broken: Option<String>,
}

/// An entry that a value names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// What it is called now. None: it is gone.
    pub(crate) dn: Option<String>,
    /// Where mail for it goes.
    pub(crate) address: Option<String>,
}

/// A person's entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) dn: String,
    pub(crate) key: String,
    /// The address that it is known by.
    pub(crate) primary: String,
    /// The addresses of its own, in small letters.
    pub(crate) own: Vec<String>,
    /// The names of its account, in small letters.
    pub(crate) accounts: Vec<String>,
    /// Its classes.
    pub(crate) classes: Vec<String>,
    /// It is a contact, or the like: no mailbox.
    pub(crate) is_contact: bool,
    /// Addresses of the person that this entry does not have.
    pub(crate) elsewhere: Vec<String>,
    pub(crate) now: Values,
    pub(crate) ours: Ours,
    /// Values of the marker's attribute, those of others among them.
    pub(crate) marks: Vec<Value>,
    /// Names of attributes with options that send mail on, perhaps.
    pub(crate) odd: Vec<String>,
    /// What its values name.
    pub(crate) named: BTreeMap<Value, Named>,
    /// The number of its last change, where the server gives one that can be asserted.
    pub(crate) csn: Option<String>,
}

impl Person {
    /// The marker of ours, if it can be read.
    pub(crate) fn marked(&self) -> Option<&Marked> {
        match &self.ours {
            Ours::Marked(marked) => Some(marked),
            Ours::Nothing | Ours::Unreadable(_) => None,
        }
    }

    /// The addresses of its own, and the names of its account: mail to one of these stays.
    fn names(&self) -> Vec<String> {
        self.own.iter().chain(&self.accounts).cloned().collect()
    }

    /// Does our value still stand where ours leads by?
    pub(crate) fn is_led(&self, attributes: &Attributes) -> bool {
        self.marked().is_some_and(|marked| leads(attributes, &self.now, &marked.marker))
    }

    /// What would be there without ours.
    pub(crate) fn without(&self, attributes: &Attributes) -> Values {
        match self.marked() {
            Some(marked) => without(attributes, &self.now, &marked.marker),
            None => self.now.clone(),
        }
    }

    /// These values as they are to be written now: entries by the names that they have now, and those that are gone left out, as the
    /// directory would have done; with a sentence about each of those.
    pub(crate) fn refreshed(&self, attributes: &Attributes, mut values: Values) -> (Values, Vec<String>) {
        let mut notes = Vec::new();
        for field in attributes.fields().into_iter().filter(|field| field.sort == Sort::Entry) {
            let mut fresh = Vec::new();
            for value in values.of(&field.name) {
                let text = str::from_utf8(value).unwrap_or_default();
                match self.named.get(value) {
                    Some(Named { dn: Some(dn), .. }) => fresh.push(Keyed { dn, ..Keyed::of(text) }.value()),
                    Some(_) => notes.push(format!(
                        "{} led to {:?}, which the directory does not have any more: it stays empty",
                        field.name,
                        Keyed::of(text).dn
                    )),
                    None => fresh.push(value.clone()),
                }
            }
            values.set(&field.name, fresh);
        }
        (values, notes)
    }

    /// Why ours is not in force, though its marker is there.
    pub(crate) fn obstacle(&self, attributes: &Attributes) -> Option<String> {
        let marked = self.marked()?;
        let (field, ours) = lead(attributes, &marked.marker)?;
        if !leads(attributes, &self.now, &marked.marker) {
            return Some(format!("{} was changed since by somebody else, and what it says holds", field.name));
        }
        if let Some(address) = self.elsewhere.first() {
            return Some(format!("{} does not have the address {address}: where its mail goes is not known", self.dn));
        }
        if let Some(name) = self.odd.first() {
            return Some(format!("{name} is there, too"));
        }
        if field.sort == Sort::Entry {
            let value = self.now.of(&field.name).iter().find(|value| field.is_same(value, ours));
            let address = value.and_then(|value| self.named.get(value)).and_then(|named| named.address.as_deref());
            if address.is_none_or(|address| plain(address) != plain(&marked.marker.to)) {
                let address = address.unwrap_or("an address that can't be read");
                return Some(format!("the contact that {} names leads to {address}", field.name));
            }
        }
        attributes.obstacle(&self.now, field, &self.names())
    }

    /// Everything that is not ours and sends mail on.
    pub(crate) fn forwarders(&self, attributes: &Attributes) -> Vec<Forwarder> {
        let leads = |value: &[u8]| self.named.get(value).and_then(|named| named.address.clone());
        let around = Around { dn: &self.dn, own: &self.names(), is_contact: self.is_contact, leads: &leads };
        let (values, _) = self.refreshed(attributes, self.without(attributes));
        attributes.forwarders(&values, &around)
    }

    /// Where mail goes.
    pub(crate) fn routing(&self, resolved: &Resolved) -> Routing {
        let attributes = &resolved.attributes;
        let ours = self
            .marked()
            .map(|marked| OurRedirect { to: marked.marker.to.clone(), ineffective: self.obstacle(attributes) });
        let mut unread = attributes.unread(&self.without(attributes));
        let odd = self.odd.iter();
        unread.extend(odd.map(|name| format!("{name} of {} has an option: what it says is not known", self.dn)));
        let elsewhere = self.elsewhere.iter();
        unread.extend(elsewhere.map(|address| format!("{} does not have the address {address}", self.dn)));
        match &self.ours {
            Ours::Unreadable(why) => unread.push(format!(
                "whether what sends mail on is ours is not known: {} of {}: {why}",
                resolved.marker.name, self.dn
            )),
            Ours::Marked(Marked { broken: Some(why), .. }) => unread.push(format!(
                "what was there before ours is not known: {} of {}: {why}",
                resolved.marker.name, self.dn
            )),
            Ours::Marked(marked) if marked.is_anothers => unread.push(format!(
                "{} of {} was put on another entry, from which this one seems to be copied",
                resolved.marker.name, self.dn
            )),
            Ours::Marked(_) | Ours::Nothing => {}
        }
        Routing { ours, others: self.forwarders(attributes), unread, evidence: self.evidence(resolved) }
    }

    /// What is there, for the audit.
    pub(crate) fn evidence(&self, resolved: &Resolved) -> Evidence {
        let mut lines = vec![format!("entry {:?}", self.dn)];
        for field in resolved.attributes.fields() {
            for value in self.now.of(&field.name) {
                let text = str::from_utf8(value).ok().filter(|_| field.sort == Sort::Entry);
                let text = text.map_or_else(|| shown(value), |text| shown(Keyed::of(text).dn.as_bytes()));
                lines.push(format!("{}: {text}", field.name));
            }
        }
        let name = &resolved.marker.name;
        match &self.ours {
            Ours::Nothing => {}
            Ours::Unreadable(why) => lines.push(format!("{name}: a marker of ours, {why}")),
            Ours::Marked(Marked { marker, raw, .. }) => {
                let digest = ring::digest::digest(&ring::digest::SHA256, raw);
                let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                let to = shown(marker.to.as_bytes());
                lines.push(format!("{name}: a marker of ours, to {to}, {} bytes, sha256 {hex}", raw.len()));
            }
        }
        Evidence(lines)
    }
}
