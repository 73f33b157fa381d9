//! What a new entry is made of, and in which attributes an entry is to change. Pure: what is decided here is sent elsewhere.
//!
//! Everything is checked before it is sent: the attributes as they would be are read as any reading would read them, and what
//! does not come back as it was wanted is refused with the names of its fields. So nothing that an entry says is lost in
//! silence for want of an attribute.

use std::collections::BTreeSet;

use connector::Secret;
use model::{Entry, EntryKind};

use super::attributes::Field;
use super::fields::{Places, written};
use super::kinds::{self, RECIPIENT_TYPE};
use crate::config::{Kind, Passwords, Template, Tls, Write};
use crate::map::entry::Map;
use crate::wire::connection::{Effect, Part};
use crate::wire::dn;
use crate::wire::entry::RawEntry;

/// The most characters of a common name in Active Directory.
const NAME_MAX: usize = 64;

/// Classes of lists that must have a member: the empty name stands there for none.
const NEVER_EMPTY: [(&str, &str); 2] = [("groupOfNames", "member"), ("groupOfUniqueNames", "uniqueMember")];

/// A new entry.
#[derive(Clone, Debug)]
pub(crate) struct New {
    base: String,
    attribute: String,
    /// What it may be called: the second where the first is taken.
    names: Vec<String>,
    raw: RawEntry,
    of: Kind,
}

impl New {
    /// What it may be called: distinguished names.
    pub(crate) fn places(&self) -> Vec<String> {
        self.names.iter().map(|name| format!("{},{}", dn::relative(&self.attribute, name), self.base)).collect()
    }

    /// Its making, by the name of this number.
    pub(crate) fn effect(&self, number: usize) -> Effect {
        let mut raw = self.raw.clone();
        let name = self.names[number].as_bytes().to_vec();
        if self.of == Kind::Ldap && !raw.values(&self.attribute).contains(&name) {
            raw.add(&self.attribute, vec![name]);
        }
        let attributes = raw.every().map(|(name, values)| (name.to_owned(), values.to_vec())).collect();
        Effect::Add { dn: self.places().swap_remove(number), attributes }
    }
}

/// Another form of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) parts: Vec<Part>,
    pub(crate) rename: Option<Rename>,
}

/// Another name for an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rename {
    /// Relative names: the second where the first is taken.
    pub(crate) relatives: Vec<String>,
    /// What it is called now.
    pub(crate) old: String,
    /// A field says it: where no name is to be had, the change is not made. Else the entry stays where it is.
    pub(crate) is_needed: bool,
}

/// What is to be done about a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is so.
    Unchanged,
    /// It is not as it was.
    Conflict(String),
    /// It can't be written.
    Refused(String),
    /// This makes it so.
    Write(Revision),
}

impl Map {
    /// A new entry, of what it is to say. Refused in words where something of it can't be written.
    pub(crate) fn new_entry(&self, write: &Write, entry: &Entry, places: &Places) -> Result<New, String> {
        let template = write.kinds.get(&entry.kind).cloned().unwrap_or_default();
        let base = template
            .base
            .clone()
            .or_else(|| write.base.clone())
            .ok_or_else(|| format!("there is no place for a {}: give write.base", entry.kind.name()))?;
        let mut raw = RawEntry::named("");
        let classes = template.object_classes.clone().unwrap_or_else(|| self.usual_classes(entry.kind));
        raw.set("objectClass", classes.into_iter().map(String::into_bytes).collect());
        for (name, values) in &template.attributes {
            raw.set(name, values.iter().map(|value| value.clone().into_bytes()).collect());
        }
        if self.of == Kind::ActiveDirectory && entry.kind == EntryKind::List && raw.values("groupType").is_empty() {
            // A distribution list that every domain of the forest may use (MS-ADTS section 2.2.12).
            raw.set("groupType", vec![b"8".to_vec()]);
        }
        self.tell_kind(&mut raw, entry.kind);
        let nobody = Entry::new("", entry.kind);
        for field in written() {
            if self.said(field, entry, places) != self.said(field, &nobody, places)
                || matches!(field, Field::State | Field::Surname)
            {
                self.put(&mut raw, field, (&nobody, entry), places, 0);
            }
        }
        let names = names(self.of, entry);
        if self.of == Kind::Ldap && raw.values("cn").is_empty() {
            raw.set("cn", names.first().map(|name| name.clone().into_bytes()).into_iter().collect());
        }
        fill_lists(&mut raw);
        if let (Some(domain), Some(account)) = (&write.user_principal_domain, &entry.account)
            && self.of == Kind::ActiveDirectory
            && matches!(entry.kind, EntryKind::Person | EntryKind::System)
        {
            raw.set("userPrincipalName", vec![format!("{account}@{domain}").into_bytes()]);
        }
        self.check_new(&raw, entry, places)?;
        let (attribute, names) = self.naming(&template, &raw, entry, names)?;
        Ok(New { base, attribute, names, raw, of: self.of })
    }

    fn usual_classes(&self, kind: EntryKind) -> Vec<String> {
        let labels = self.attributes.of_field(Field::Origin).first().is_some_and(|name| name == "labeledURI");
        let classes: &[&str] = match (self.of, kind) {
            (Kind::ActiveDirectory, EntryKind::List) => &["group"],
            (Kind::ActiveDirectory, EntryKind::Contact) => &["contact"],
            (Kind::ActiveDirectory, _) => &["user"],
            (Kind::Ldap, EntryKind::List) if labels => &["groupOfNames", "labeledURIObject"],
            (Kind::Ldap, EntryKind::List) => &["groupOfNames"],
            (Kind::Ldap, _) => &["inetOrgPerson"],
        };
        classes.iter().map(|class| (*class).to_owned()).collect()
    }

    /// Sees to it that a reading tells this kind: by the rule for it, else by what Exchange calls it.
    fn tell_kind(&self, raw: &mut RawEntry, kind: EntryKind) {
        if kinds::kind(raw, &self.rules) == Some(kind) {
            return;
        }
        let exchange = match kind {
            EntryKind::Shared => Some("4"),
            EntryKind::Room => Some("16"),
            EntryKind::Equipment => Some("32"),
            _ => None,
        };
        if let Some(rule) = self.rules.iter().find(|rule| rule.kind == kind) {
            raw.add(&rule.attribute, vec![rule.value.clone().into_bytes()]);
        } else if let (Kind::ActiveDirectory, Some(value)) = (self.of, exchange) {
            raw.set(RECIPIENT_TYPE, vec![value.as_bytes().to_vec()]);
        }
    }

    /// Would a reading tell what was wanted?
    fn check_new(&self, raw: &RawEntry, entry: &Entry, places: &Places) -> Result<(), String> {
        let mut read = raw.clone();
        let key = if self.of == Kind::ActiveDirectory { vec![1; 16] } else { b"new".to_vec() };
        read.set(self.attributes.of_field(Field::Key).first().map_or("", String::as_str), vec![key]);
        let read = self.entry(&read).map_err(|fault| fault.what)?;
        if read.kind != entry.kind {
            let (wanted, is) = (entry.kind.name(), read.kind.name());
            return Err(format!(
                "it would be read as a {is}: give a rule for {wanted} under kinds, such as employeeType={wanted}"
            ));
        }
        let odd = self.differences(written(), &read, entry, places);
        if odd.is_empty() { Ok(()) } else { Err(unwritable(self.of, &odd, entry, places)) }
    }

    fn differences(
        &self,
        fields: impl Iterator<Item = Field>,
        a: &Entry,
        b: &Entry,
        places: &Places,
    ) -> Vec<&'static str> {
        fields.filter(|field| self.said(*field, a, places) != self.said(*field, b, places)).map(Field::name).collect()
    }

    /// The attribute it is named by, and what it may be called.
    fn naming(
        &self,
        template: &Template,
        raw: &RawEntry,
        entry: &Entry,
        names: Vec<String>,
    ) -> Result<(String, Vec<String>), String> {
        let by = template.named_by.clone();
        let usual = |field: Field| {
            let own = self.attributes.of_field(field).first();
            own.filter(|name| !raw.values(name).is_empty()).cloned()
        };
        let by = by.filter(|name| name.eq_ignore_ascii_case("cn") || !raw.values(name).is_empty()).or_else(|| {
            if self.of == Kind::ActiveDirectory || entry.kind == EntryKind::List {
                return None;
            }
            usual(Field::Account).or_else(|| usual(Field::Mail))
        });
        let attribute = by.unwrap_or_else(|| "cn".to_owned());
        let names = if attribute.eq_ignore_ascii_case("cn") {
            // Where the shown name is read from the name itself there is no other.
            let may_differ = self.of == Kind::ActiveDirectory || self.shows_apart(raw);
            if may_differ { names } else { names.into_iter().take(1).collect() }
        } else {
            raw.text(&attribute).map(str::to_owned).into_iter().collect()
        };
        if names.is_empty() {
            return Err(format!("it has nothing to be named by ({attribute}): give it a shown name or an address"));
        }
        Ok((attribute, names))
    }

    /// Does it tell the shown name elsewhere than in its own name?
    fn shows_apart(&self, raw: &RawEntry) -> bool {
        let display = self.attributes.of_field(Field::Display);
        display.iter().find(|name| !raw.values(name).is_empty()).is_some_and(|name| !name.eq_ignore_ascii_case("cn"))
    }

    /// What a first password is, in attributes.
    pub(crate) fn password(
        &self,
        write: &Write,
        tls: Tls,
        password: &Secret,
        salt: [u8; 8],
    ) -> Result<Vec<(String, Vec<u8>)>, String> {
        let text = password.reveal();
        if self.of == Kind::ActiveDirectory {
            if tls == Tls::None {
                return Err("a password is set over TLS only: write tls = \"implicit\" or \"starttls\"".to_owned());
            }
            // MS-ADTS section 3.1.1.3.1.5.1; to be changed at the first logon.
            let quoted = format!("\"{text}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
            return Ok(vec![("unicodePwd".to_owned(), quoted), ("pwdLastSet".to_owned(), b"0".to_vec())]);
        }
        let value = match write.passwords {
            Passwords::Plain => text.as_bytes().to_vec(),
            Passwords::Hashed => hashed(text, salt).into_bytes(),
        };
        let mut attributes = vec![("userPassword".to_owned(), value)];
        let mark = write.must_change.as_deref().and_then(|text| text.split_once('='));
        attributes.extend(mark.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
        Ok(attributes)
    }

    /// What makes an entry, which is this now, say what it is to say.
    pub(crate) fn revise(&self, raw: &RawEntry, before: &Entry, after: &Entry, places: &Places, now: i64) -> Decision {
        let current = match self.entry_at(raw, now) {
            Ok(current) => current,
            Err(fault) => return Decision::Conflict(fault.what),
        };
        if before.kind != after.kind {
            return Decision::Refused(format!("a {} can't be made a {}", before.kind.name(), after.kind.name()));
        }
        // Some of the other attributes are those of fields.
        let is_apart = |name: &str| !self.attributes.every().any(|known| known.eq_ignore_ascii_case(name));
        let apart = |entry: &Entry| {
            let mut other = entry.other.clone();
            other.retain(|name, _| is_apart(name));
            (other, entry.sid.clone(), entry.has_mailbox, entry.last_logon, entry.is_activated, entry.expires_at)
        };
        if apart(before) != apart(after) {
            return Decision::Refused(
                "other attributes, SID, mailbox, last logon, activation and the end of the account are read, and not written"
                    .to_owned(),
            );
        }
        if current.kind != before.kind {
            return Decision::Conflict(format!("{} is a {} now", after.label(), current.kind.name()));
        }
        let said = |field: Field, entry: &Entry| self.said(field, entry, places);
        let changed: BTreeSet<Field> = written().filter(|field| said(*field, before) != said(*field, after)).collect();
        let todo: Vec<Field> =
            changed.iter().copied().filter(|field| said(*field, &current) != said(*field, after)).collect();
        // It may have expired since, and that is no change of it.
        let before_now = before.clone().at(now);
        let moved: Vec<&str> = todo
            .iter()
            .filter(|field| said(**field, &current) != said(**field, &before_now))
            .map(|field| field.name())
            .collect();
        if !moved.is_empty() {
            return Decision::Conflict(format!("{} is not as it was: {}", after.label(), moved.join(", ")));
        }
        let mut new = raw.clone();
        for field in &todo {
            self.put(&mut new, *field, (&current, after), places, now);
        }
        fill_lists(&mut new);
        let Ok(read) = self.entry_at(&new, now) else {
            return Decision::Refused(format!("{} could not be read any more", after.label()));
        };
        let kept = self.differences(written().filter(|field| !changed.contains(field)), &read, &current, places);
        let odd = self.differences(changed.iter().copied(), &read, after, places);
        if !kept.is_empty() || !odd.is_empty() {
            return Decision::Refused(unwritable(self.of, &[kept, odd].concat(), after, places));
        }
        let rename = self.rename(raw, &new, (before, after), now, places);
        let mut parts = parts(raw, &new, rename.as_ref().and_then(|_| dn::first(&raw.dn)).as_ref());
        parts.sort_by_key(|part| matches!(part, Part::Add(..)));
        if parts.is_empty() && rename.is_none() {
            return Decision::Unchanged;
        }
        Decision::Write(Revision { parts, rename })
    }

    /// In what an entry, which is this now, is not what it was; in words.
    pub(crate) fn differs(&self, raw: &RawEntry, before: &Entry, places: &Places, now: i64) -> Option<String> {
        match self.entry_at(raw, now) {
            Err(fault) => Some(fault.what),
            Ok(current) => {
                let odd = self.differences(written(), &current, &before.clone().at(now), places);
                (!odd.is_empty()).then(|| format!("{} is not as it was: {}", before.label(), odd.join(", ")))
            }
        }
    }

    /// Another name, where it is named by what changes.
    fn rename(
        &self,
        raw: &RawEntry,
        new: &RawEntry,
        (before, after): (&Entry, &Entry),
        now: i64,
        places: &Places,
    ) -> Option<Rename> {
        let (attribute, value) = dn::first(&raw.dn)?;
        let is_there = |names: &[String]| names.iter().any(|name| name.to_lowercase() == value.to_lowercase());
        let old = dn::relative(&attribute, &value);
        if attribute.eq_ignore_ascii_case("cn") {
            let (was, is) = (names(self.of, before), names(self.of, after));
            if !is_there(&was) || is_there(&is) {
                return None;
            }
            let mut without = new.clone();
            without.set("cn", raw.values("cn").to_vec());
            let is_needed = self.of == Kind::Ldap
                && self
                    .entry_at(&without, now)
                    .is_ok_and(|read| !self.differences(written(), &read, after, places).is_empty());
            let count = if is_needed { 1 } else { 2 };
            let relatives = is.iter().take(count).map(|name| dn::relative(&attribute, name)).collect();
            return Some(Rename { relatives, old, is_needed });
        }
        if new.has(&attribute, &value) || !raw.has(&attribute, &value) {
            return None;
        }
        let relatives = new.text(&attribute).map(|name| dn::relative(&attribute, name)).into_iter().collect();
        Some(Rename { relatives, old, is_needed: true })
    }
}

/// What it may be called by its common name: as it is shown, then with its address.
fn names(of: Kind, entry: &Entry) -> Vec<String> {
    let cut = |text: &str, max: usize| text.trim().chars().take(max).collect::<String>().trim().to_owned();
    let max = if of == Kind::ActiveDirectory { NAME_MAX } else { usize::MAX };
    let shown = entry.names.display.as_deref().or(entry.mail.as_deref()).or(entry.account.as_deref());
    let mut names: Vec<String> = shown.map(|text| cut(text, max)).filter(|text| !text.is_empty()).into_iter().collect();
    if let (Some(first), Some(mail)) = (names.first(), &entry.mail) {
        let room = max.saturating_sub(mail.chars().count() + 3);
        let second = if room > 0 { format!("{} ({mail})", cut(first, room)) } else { cut(mail, max) };
        names.extend(Some(second).filter(|second| second != first));
    }
    names
}

/// Where a class must have a member, the empty name stands for none.
fn fill_lists(raw: &mut RawEntry) {
    for (class, name) in NEVER_EMPTY {
        if !raw.has("objectClass", class) {
            continue;
        }
        let mut values: Vec<Vec<u8>> = raw.values(name).iter().filter(|value| !value.is_empty()).cloned().collect();
        if values.is_empty() {
            values.push(Vec::new());
        }
        raw.set(name, values);
    }
}

/// What goes and what comes, attribute by attribute; without what a rename does by itself.
fn parts(old: &RawEntry, new: &RawEntry, renamed: Option<&(String, String)>) -> Vec<Part> {
    let names: BTreeSet<&str> = old.every().chain(new.every()).map(|(name, _)| name).collect();
    let mut parts = Vec::new();
    for name in names {
        let (was, is) = (old.values(name), new.values(name));
        if was == is {
            continue;
        }
        let own = renamed.filter(|(attribute, _)| attribute.eq_ignore_ascii_case(name));
        let is_own = |value: &[u8]| {
            own.is_some_and(|(_, text)| String::from_utf8_lossy(value).to_lowercase() == text.to_lowercase())
        };
        let known: BTreeSet<&[u8]> = is.iter().map(Vec::as_slice).collect();
        let had: BTreeSet<&[u8]> = was.iter().map(Vec::as_slice).collect();
        let gone: Vec<Vec<u8>> =
            was.iter().filter(|value| !known.contains(value.as_slice()) && !is_own(value)).cloned().collect();
        let mut come: Vec<Vec<u8>> = is.iter().filter(|value| !had.contains(value.as_slice())).cloned().collect();
        if own.is_some() {
            // The first is what the rename brings.
            come.retain(|value| Some(value) != is.first());
        } else if is.len() > 1
            && was.iter().find(|value| known.contains(value.as_slice())).or(come.first()) != is.first()
        {
            // Which is the first is what counts, so all come anew, in their order.
            if !was.is_empty() {
                parts.push(Part::Delete(name.to_owned(), was.to_vec()));
            }
            parts.extend(is.iter().map(|value| Part::Add(name.to_owned(), vec![value.clone()])));
            continue;
        }
        if !gone.is_empty() {
            parts.push(Part::Delete(name.to_owned(), gone));
        }
        if !come.is_empty() {
            parts.push(Part::Add(name.to_owned(), come));
        }
    }
    parts
}

fn unwritable(of: Kind, fields: &[&str], entry: &Entry, places: &Places) -> String {
    let is_described = |field: &&str| matches!(*field, "send_as" | "full_access");
    let cure = if of == Kind::ActiveDirectory && fields.iter().all(is_described) {
        "descriptors say it in Active Directory, and they are not written: give it there by hand"
    } else {
        "name an attribute for it under attributes"
    };
    let known = |of: &&model::Reference| match of {
        model::Reference::Key(key) => !places.by_key.contains_key(key),
        model::Reference::Mail(_) => true,
        _ => false,
    };
    let nobody: Vec<&str> =
        entry.members.iter().chain(&entry.owners).filter(known).map(model::Reference::text).collect();
    let who = if nobody.is_empty() || !fields.iter().any(|field| matches!(*field, "members" | "owners")) {
        String::new()
    } else {
        let shown: Vec<&str> = nobody.iter().take(5).copied().collect();
        format!("; not in this directory, as far as a single entry tells: {}", shown.join(", "))
    };
    format!("{} can't be written here as it is to be: {cure}{who}", fields.join(", "))
}

/// RFC 2307's form with a salt: SHA-1 of the password and the salt, and the salt.
fn hashed(text: &str, salt: [u8; 8]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(text.as_bytes());
    context.update(&salt);
    let bytes = [context.finish().as_ref(), &salt].concat();
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::from("{SSHA}");
    for group in bytes.chunks(3) {
        let all = group.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let sign = SIGNS[(all >> (18 - 6 * place)) as usize & 63];
            encoded.push(if place > group.len() { '=' } else { char::from(sign) });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use model::AccountState;

    use super::*;
    use crate::config::Config;

    /// An account expires by the passing of time: that is no change of it, and whoever marks it as a leaver's does not make it
    /// usable again.
    #[test]
    fn an_account_that_has_expired_since_is_no_other_and_stays_so_unless_it_is_to_be_used() {
        const END: i64 = 1_655_526_400;
        let mut raw = RawEntry::named("CN=x,DC=t");
        raw.add("objectGUID", vec![vec![1; 16]]);
        for (name, value) in
            [("objectClass", "user"), ("userAccountControl", "512"), ("accountExpires", "133000000000000000")]
        {
            raw.add(name, vec![value.as_bytes().to_vec()]);
        }
        let map = Map::of(&Config::new(Kind::ActiveDirectory, "x"));
        let written = |raw: &RawEntry, before: &Entry, state: AccountState| {
            let after = Entry { state, ..before.clone() };
            match map.revise(raw, before, &after, &Places::default(), END + 1) {
                Decision::Write(revision) => revision.parts,
                other => panic!("{other:?}"),
            }
        };
        let (then, now) = (map.entry_at(&raw, END - 1).unwrap(), map.entry_at(&raw, END).unwrap());
        assert_eq!((then.state, now.state), (AccountState::Active, AccountState::Expired));
        for before in [&then, &now] {
            let marked = [Part::Add("employeetype".to_owned(), vec![b"leaver".to_vec()])];
            assert_eq!(written(&raw, before, AccountState::Leaver), marked);
            assert_eq!(map.differs(&raw, before, &Places::default(), END + 1), None);
        }
        let begun = written(&raw, &now, AccountState::Active);
        assert!(begun.contains(&Part::Add("accountexpires".to_owned(), vec![b"0".to_vec()])), "{begun:?}");
        raw.set("userAccountControl", vec![b"514".to_vec()]);
        let off = map.entry_at(&raw, END).unwrap();
        assert_eq!(off.state, AccountState::Disabled);
        let begun = written(&raw, &off, AccountState::Active);
        assert!(begun.contains(&Part::Add("accountexpires".to_owned(), vec![b"0".to_vec()])), "{begun:?}");
    }
}
