//! The fields of an entry that are written: what each says, in a form to compare, and how a raw entry is made to say it.

use std::collections::{BTreeMap, BTreeSet};

use model::{AccountState, Address, AddressKind, Entry, EntryKind, Grant, Reference, Right, mail_key};

use super::attributes::Field;
use super::entry::{GRANTED, Map, reference, without_smtp};
use super::states::ACCOUNT_DISABLED;
use crate::config::Kind;
use crate::wire::dn::Dn;
use crate::wire::entry::RawEntry;

/// Attributes that name an entry: they change by another name of it alone.
pub(crate) const NAMING: [&str; 2] = ["cn", "name"];

/// What stands for a last name where the class of people must have one and there is none.
pub(crate) const NO_SURNAME: &str = "-";

/// An account that logs in (ADS_UF_NORMAL_ACCOUNT, MS-ADTS section 2.2.16).
const NORMAL_ACCOUNT: u32 = 0x200;

/// Fields that are the directory's own to tell: they are not written, and not compared.
const TOLD: [Field; 5] = [Field::Key, Field::Sid, Field::Mailbox, Field::LastLogon, Field::Activated];

/// Every field that is written.
pub(crate) fn written() -> impl Iterator<Item = Field> {
    Field::EVERY.iter().copied().filter(|field| !TOLD.contains(field))
}

/// Who is who in the directory, as far as it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Distinguished names by key.
    pub(crate) by_key: BTreeMap<String, String>,
    /// Distinguished names by mail address, where a single entry has it.
    pub(crate) by_mail: BTreeMap<String, String>,
}

/// Somebody, in a form to compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Place(Dn),
    Mail(String),
    Other(String),
}

impl Places {
    fn who(&self, of: &Reference) -> Who {
        let place = |dn: &str| Dn::parse(dn).map_or_else(|| Who::Other(dn.to_owned()), Who::Place);
        match of {
            Reference::Key(key) => {
                self.by_key.get(key).map_or_else(|| Who::Other(format!("key {key}")), |dn| place(dn))
            }
            Reference::Place(dn) => place(dn),
            Reference::Mail(mail) => {
                let mail = mail_key(mail);
                self.by_mail.get(&mail).map_or_else(|| Who::Mail(mail.clone()), |dn| place(dn))
            }
            Reference::Sid(text) | Reference::Name(text) => Who::Other(text.clone()),
        }
    }

    /// Its distinguished name, where it has one.
    fn place<'p>(&'p self, of: &'p Reference) -> Option<&'p str> {
        match of {
            Reference::Key(key) => self.by_key.get(key).map(String::as_str),
            Reference::Place(dn) => Some(dn),
            Reference::Mail(mail) => self.by_mail.get(&mail_key(mail)).map(String::as_str),
            Reference::Sid(_) | Reference::Name(_) => None,
        }
    }
}

/// A field that is one text.
fn text_of(field: Field, entry: &Entry) -> Option<&str> {
    let names = &entry.names;
    let text = match field {
        Field::Account => &entry.account,
        Field::Title => &names.title,
        Field::Given => &names.given,
        Field::Initials => &names.initials,
        Field::Surname => &names.surname,
        Field::Display => &names.display,
        Field::Mail => &entry.mail,
        Field::LegacyDn => &entry.legacy_dn,
        Field::RoutedTo => &entry.routed_to,
        Field::Organisation => &entry.organisation,
        Field::LocalId => &entry.local_id,
        Field::JobTitle => &entry.job_title,
        Field::Department => &entry.department,
        Field::Telephone => &entry.telephone,
        Field::Mobile => &entry.mobile,
        Field::Origin => &entry.origin,
        _ => return None,
    };
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// All addresses, with the one that mail is sent from among them.
fn addresses(entry: &Entry) -> Vec<Address> {
    let mut addresses = entry.addresses.clone();
    if let Some(mail) = text_of(Field::Mail, entry) {
        let key = mail_key(mail);
        let is_smtp = |address: &&Address| address.kind == AddressKind::Smtp;
        if !addresses.iter().filter(is_smtp).any(|address| mail_key(&address.text) == key) {
            let is_primary = !addresses.iter().filter(is_smtp).any(|address| address.is_primary);
            addresses.push(Address { is_primary, ..Address::smtp(mail) });
        }
    }
    addresses
}

/// Is it a right of this kind that the entry itself gives?
fn gives(grant: &Grant, right: &Right) -> bool {
    grant.right == *right && !grant.is_inherited && !grant.is_denied
}

/// The right that a field names holders of.
fn right_of(field: Field) -> Option<&'static Right> {
    GRANTED.iter().find(|(of, _)| *of == field).map(|(_, right)| right)
}

impl Map {
    /// What a field of an entry says, in a form to compare.
    pub(crate) fn said(&self, field: Field, entry: &Entry, places: &Places) -> BTreeSet<String> {
        let whos = |all: &[Reference]| all.iter().map(|of| format!("{:?}", places.who(of))).collect();
        match field {
            Field::Addresses => addresses(entry).iter().map(|address| format!("{address:?}")).collect(),
            Field::Owners => whos(&entry.owners),
            Field::Members => whos(&entry.members),
            Field::Delegates | Field::SendAs | Field::FullAccess => {
                let given = |grant: &&Grant| right_of(field).is_some_and(|right| gives(grant, right));
                let given = entry.grants.iter().filter(given).map(|grant| format!("{:?}", places.who(&grant.to)));
                // What no attribute says is compared once.
                let is_apart =
                    |grant: &&Grant| field == Field::Delegates && !GRANTED.iter().any(|(_, right)| gives(grant, right));
                given.chain(entry.grants.iter().filter(is_apart).map(|grant| format!("{grant:?}"))).collect()
            }
            Field::Hidden => BTreeSet::from([entry.is_hidden.to_string()]),
            Field::HidesMobile => BTreeSet::from([entry.hides_mobile.to_string()]),
            Field::Quota => entry.quota_bytes.map(|bytes| self.quota_text(bytes)).into_iter().collect(),
            Field::State => BTreeSet::from([entry.state.name().to_owned()]),
            // Where no attribute tells it everybody is of the same.
            Field::Organisation if self.attributes.of_field(field).is_empty() => {
                entry.organisation.as_ref().or(self.organisation.as_ref()).cloned().into_iter().collect()
            }
            _ => text_of(field, entry).map(str::to_owned).into_iter().collect(),
        }
    }

    /// Makes a raw entry, which says what `now` says, say in this field what `after` says at this time, as far as there are
    /// attributes.
    pub(crate) fn put(
        &self,
        raw: &mut RawEntry,
        field: Field,
        (now, after): (&Entry, &Entry),
        places: &Places,
        at: i64,
    ) {
        let attributes = self.attributes.of_field(field);
        match field {
            Field::Mail => set_text(raw, attributes, text_of(field, after)),
            Field::Addresses => self.put_addresses(raw, now, after),
            Field::Display => self.put_display(raw, now, after),
            Field::Surname if self.needs_surname(raw) => {
                set_text(raw, attributes, Some(text_of(field, after).unwrap_or(NO_SURNAME)));
            }
            Field::RoutedTo => {
                let text = text_of(field, after).map(without_smtp);
                let holder = holder(raw, attributes).or(attributes.first());
                let has_prefix = holder.is_some_and(|name| name.eq_ignore_ascii_case("targetAddress"));
                set_text(
                    raw,
                    attributes,
                    text.map(|text| if has_prefix { format!("SMTP:{text}") } else { text.to_owned() }).as_deref(),
                );
            }
            Field::Hidden => set_text(raw, attributes, after.is_hidden.then_some("TRUE")),
            Field::HidesMobile => set_text(raw, attributes, after.hides_mobile.then_some("TRUE")),
            Field::Quota => set_text(raw, attributes, after.quota_bytes.map(|bytes| self.quota_text(bytes)).as_deref()),
            Field::State => self.put_state(raw, now, after, at),
            Field::Owners => self.put_places(raw, attributes, &after.owners, places),
            Field::Members => self.put_places(raw, attributes, &after.members, places),
            // There descriptors say who may: a name beside them would open nothing.
            Field::SendAs | Field::FullAccess if self.of == Kind::ActiveDirectory => {}
            Field::Delegates | Field::SendAs | Field::FullAccess => {
                let given = |grant: &&Grant| right_of(field).is_some_and(|right| gives(grant, right));
                let to: Vec<Reference> = after.grants.iter().filter(given).map(|grant| grant.to.clone()).collect();
                self.put_places(raw, attributes, &to, places);
            }
            _ => set_text(raw, attributes, text_of(field, after)),
        }
    }

    fn quota_text(&self, bytes: u64) -> String {
        // Exchange counts in KiB: what is more is given, not less.
        if self.of == Kind::ActiveDirectory { bytes.div_ceil(1024).to_string() } else { bytes.to_string() }
    }

    fn needs_surname(&self, raw: &RawEntry) -> bool {
        let classes = ["person", "organizationalPerson", "inetOrgPerson"];
        self.of == Kind::Ldap && classes.iter().any(|class| raw.has("objectClass", class))
    }

    /// Outside Active Directory the common name, which must be there, follows the shown one; lists have no other.
    fn put_display(&self, raw: &mut RawEntry, now: &Entry, after: &Entry) {
        let attributes = self.attributes.of_field(Field::Display);
        let text = text_of(Field::Display, after);
        if self.of == Kind::ActiveDirectory {
            return set_text(raw, attributes, text);
        }
        let follows = text_of(Field::Display, now).is_none_or(|old| raw.has("cn", old));
        if let Some(text) = text.filter(|_| follows) {
            let mut values: Vec<Vec<u8>> = raw.values("cn").to_vec();
            if let Some(old) = text_of(Field::Display, now) {
                values.retain(|value| String::from_utf8_lossy(value).to_lowercase() != old.to_lowercase());
            }
            values.insert(0, text.as_bytes().to_vec());
            raw.set("cn", values);
        }
        let is_list = after.kind == EntryKind::List;
        let own: Vec<String> = attributes.iter().filter(|name| !is_naming(name)).cloned().collect();
        if !is_list
            || own.iter().any(|name| !raw.values(name).is_empty())
            || !attributes.iter().any(|name| is_naming(name))
        {
            set_text(raw, &own, text);
        }
    }

    fn put_addresses(&self, raw: &mut RawEntry, now: &Entry, after: &Entry) {
        let (names, mails) = (self.attributes.of_field(Field::Addresses), self.attributes.of_field(Field::Mail));
        let (old, new) = (addresses(now), addresses(after));
        let gone: Vec<&Address> = old.iter().filter(|address| !new.contains(address)).collect();
        let own = text_of(Field::Mail, after).map(mail_key);
        let same = |value: &[u8], address: &Address| {
            let Ok(text) = str::from_utf8(value) else { return false };
            let it = Address::parse(text);
            it.kind == address.kind
                && it.text == address.text
                && (it.is_primary == address.is_primary || !text.contains(':'))
        };
        for name in names {
            let keep = |value: &&Vec<u8>| !gone.iter().any(|address| same(value, address));
            let values: Vec<Vec<u8>> = raw.values(name).iter().filter(keep).cloned().collect();
            raw.set(name, values);
        }
        // Where further addresses stand beside the one that mail is sent from.
        for name in mails {
            let keep = |value: &&Vec<u8>| {
                let text = String::from_utf8_lossy(value);
                own.as_ref() == Some(&mail_key(&text))
                    || !gone.iter().any(|address| address.kind == AddressKind::Smtp && address.text == text)
            };
            let values: Vec<Vec<u8>> = raw.values(name).iter().filter(keep).cloned().collect();
            raw.set(name, values);
        }
        let Some(first) = names.first() else { return };
        let has_prefixes = first.eq_ignore_ascii_case("proxyAddresses");
        for address in new.iter().filter(|address| !old.contains(address)) {
            let is_own = address.kind == AddressKind::Smtp && own.as_ref() == Some(&mail_key(&address.text));
            let is_bare = !has_prefixes && address.kind == AddressKind::Smtp;
            if is_bare && is_own {
                continue;
            }
            let text = if is_bare { address.text.clone() } else { address.to_string() };
            raw.add(first, vec![text.into_bytes()]);
        }
    }

    /// A state is a value of its attribute; of accounts of Active Directory whether they can be used stands in their flags, too.
    fn put_state(&self, raw: &mut RawEntry, now: &Entry, after: &Entry, at: i64) {
        let attributes = self.attributes.of_field(Field::State);
        let is_value = |value: &[u8]| {
            let text = String::from_utf8_lossy(value).to_lowercase();
            self.states.values().any(|known| known.to_lowercase() == text)
        };
        for name in attributes {
            let values = raw.values(name).iter().filter(|value| !is_value(value)).cloned().collect();
            raw.set(name, values);
        }
        let is_account = self.of == Kind::ActiveDirectory && raw.has("objectClass", "user");
        let has_flags = is_account && !after.kind.needs_owner();
        // Disabled is what the flags say, and ceases when somebody changes them.
        let value = self.states.get(&after.state).filter(|_| !(has_flags && after.state == AccountState::Disabled));
        if let (Some(value), Some(name)) = (value, attributes.first()) {
            let mut values = raw.values(name).to_vec();
            values.insert(0, value.as_bytes().to_vec());
            raw.set(name, values);
        }
        if !is_account {
            return;
        }
        let flags = raw.text("userAccountControl").and_then(|text| text.trim().parse::<u32>().ok());
        if !has_flags && flags.is_some() {
            return;
        }
        let is_off = match after.kind {
            EntryKind::Person | EntryKind::System => {
                !matches!(after.state, AccountState::Active | AccountState::Leaver | AccountState::Inactive)
            }
            // Mailboxes of nobody in particular have accounts that nobody logs in with.
            _ => true,
        };
        let mut flags = flags.unwrap_or(NORMAL_ACCOUNT) & !ACCOUNT_DISABLED;
        if is_off {
            flags |= ACCOUNT_DISABLED;
        }
        raw.set("userAccountControl", vec![flags.to_string().into_bytes()]);
        // Its time begins anew only for somebody who is to use it: a leaver's that has expired stays so.
        if now.expires_at.is_some_and(|end| end <= at) && after.state == AccountState::Active {
            raw.set("accountExpires", vec![b"0".to_vec()]);
        }
    }

    fn put_places(&self, raw: &mut RawEntry, attributes: &[String], wanted: &[Reference], places: &Places) {
        let whos: Vec<Who> = wanted.iter().map(|of| places.who(of)).collect();
        let mut there: Vec<Who> = Vec::new();
        for name in attributes {
            let mut values = Vec::new();
            for value in raw.values(name) {
                let text = String::from_utf8_lossy(value).trim().to_owned();
                let who = places.who(&reference(text));
                if whos.contains(&who) && !there.contains(&who) {
                    there.push(who);
                    values.push(value.clone());
                }
            }
            raw.set(name, values);
        }
        for (of, who) in wanted.iter().zip(whos) {
            if there.contains(&who) {
                continue;
            }
            let text = places.place(of).map(str::to_owned).or_else(|| match &who {
                Who::Mail(_) => Some(of.text().to_owned()),
                _ => None,
            });
            let name = match &who {
                Who::Place(_) => self.name_for_place(raw, attributes),
                Who::Mail(_) => self.mail_members.as_ref().filter(|name| attributes.contains(name)),
                Who::Other(_) => None,
            };
            if let (Some(name), Some(text)) = (name, text) {
                raw.add(name, vec![text.into_bytes()]);
                there.push(who);
            }
        }
    }

    /// Which of these attributes takes one more distinguished name. managedBy is of groups, and takes one.
    fn name_for_place<'a>(&self, raw: &RawEntry, attributes: &'a [String]) -> Option<&'a String> {
        let is_group = raw.has("objectClass", "group");
        attributes
            .iter()
            .filter(|name| Some(*name) != self.mail_members.as_ref())
            .find(|name| !name.eq_ignore_ascii_case("managedBy") || (is_group && raw.values(name).is_empty()))
    }
}

fn is_naming(name: &str) -> bool {
    NAMING.iter().any(|naming| name.eq_ignore_ascii_case(naming))
}

/// The attribute that a text is read from.
fn holder<'a>(raw: &RawEntry, attributes: &'a [String]) -> Option<&'a String> {
    let has_text = |name: &&String| raw.values(name).first().is_some_and(|value| !value.trim_ascii().is_empty());
    attributes.iter().find(has_text)
}

/// Makes the first of these attributes that has a text have this one; without one, none of them has any.
fn set_text(raw: &mut RawEntry, attributes: &[String], text: Option<&str>) {
    let Some(text) = text else {
        for name in attributes.iter().filter(|name| !is_naming(name)) {
            raw.set(name, Vec::new());
        }
        return;
    };
    let holder = holder(raw, attributes).filter(|name| !is_naming(name));
    let Some(name) = holder.or_else(|| attributes.iter().find(|name| !is_naming(name))) else { return };
    let mut values = raw.values(name).to_vec();
    if !values.is_empty() {
        values.remove(0);
    }
    values.retain(|value| value != text.as_bytes());
    values.insert(0, text.as_bytes().to_vec());
    raw.set(name, values);
}
