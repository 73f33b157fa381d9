//! An entry as a server sends it, as an entry of the model.

use std::collections::{BTreeMap, BTreeSet};

use model::{AccountState, Address, AddressKind, Entry, Grant, Reference, Right, mail_key};

use super::attributes::{Attributes, Field};
use super::fields::NO_SURNAME;
use super::kinds::{self, Rule};
use super::{rights, states};
use crate::config::{Config, Kind};
use crate::wire::entry::RawEntry;
use crate::wire::time::{from_filetime, from_generalized};
use crate::wire::{guid, sid};

/// nTSecurityDescriptor: who may do what with the object.
pub(crate) const DESCRIPTOR: &str = "nTSecurityDescriptor";

/// msExchMailboxSecurityDescriptor: who may do what with the mailbox.
const MAILBOX_DESCRIPTOR: &str = "msExchMailboxSecurityDescriptor";

/// Attributes that Active Directory needs to be read besides those that stand for fields.
const OF_ACTIVE_DIRECTORY: [&str; 5] =
    [kinds::RECIPIENT_TYPE, "userAccountControl", "accountExpires", DESCRIPTOR, MAILBOX_DESCRIPTOR];

/// Exchange's own attributes for what an organisation wants: read for filters, though no field stands for them.
const EXTENSIONS: usize = 15;

/// Fields that name who has a right.
pub(crate) const GRANTED: [(Field, Right); 3] =
    [(Field::Delegates, Right::SendOnBehalf), (Field::SendAs, Right::SendAs), (Field::FullAccess, Right::FullAccess)];

/// Attributes whose values are a GUID.
const GUIDS: [&str; 5] =
    ["objectguid", "msexchmailboxguid", "msexcharchiveguid", "ms-ds-consistencyguid", "msds-sourceobjectguid"];

/// Attributes whose values are a SID.
const SIDS: [&str; 3] = ["objectsid", "sidhistory", "msexchmasteraccountsid"];

/// Why an entry can't be read as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its key, where known.
    pub(crate) key: Option<String>,
    /// What is wrong and how to cure it.
    pub(crate) what: String,
}

/// What makes entries of what a server sends.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub(crate) of: Kind,
    pub(crate) attributes: Attributes,
    pub(crate) rules: Vec<Rule>,
    pub(crate) states: BTreeMap<AccountState, String>,
    /// The attribute for members by their mail address, to write.
    pub(crate) mail_members: Option<String>,
    other: Vec<String>,
    /// Of everybody of whom no attribute says it.
    pub(crate) organisation: Option<String>,
}

impl Map {
    /// As these settings say.
    pub(crate) fn of(config: &Config) -> Self {
        let mut other = config.other.clone();
        if config.kind == Kind::ActiveDirectory {
            other.extend((1..=EXTENSIONS).map(|number| format!("extensionAttribute{number}")));
            other.extend(["mailNickname", "userPrincipalName"].map(str::to_owned));
        }
        Self {
            of: config.kind,
            attributes: Attributes::of(config),
            rules: kinds::rules(config),
            states: states::values(config),
            mail_members: config.write.as_ref().and_then(|write| write.mail_members.clone()),
            other,
            organisation: config.organisation.clone(),
        }
    }

    /// The attributes to ask for, each once.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked: Vec<String> = vec!["objectClass".to_owned()];
        asked.extend(self.attributes.every().cloned());
        asked.extend(self.rules.iter().map(|rule| rule.attribute.clone()));
        asked.extend(self.other.iter().cloned());
        if self.of == Kind::ActiveDirectory {
            asked.extend(OF_ACTIVE_DIRECTORY.map(str::to_owned));
        }
        let mut seen = BTreeSet::new();
        asked.retain(|name| seen.insert(name.to_ascii_lowercase()));
        asked
    }

    /// The key of an entry, where it has just one.
    pub(crate) fn key(&self, raw: &RawEntry) -> Option<String> {
        let attribute = self.attributes.of_field(Field::Key).iter().find(|name| !raw.values(name).is_empty())?;
        let [value] = raw.values(attribute) else { return None };
        let text = if self.of == Kind::ActiveDirectory {
            guid::text(value)?
        } else {
            str::from_utf8(value).ok()?.trim().to_lowercase()
        };
        (!text.is_empty()).then_some(text)
    }

    /// Makes an entry, as it is at this time.
    pub(crate) fn entry_at(&self, raw: &RawEntry, now: i64) -> Result<Entry, Fault> {
        self.entry(raw).map(|entry| entry.at(now))
    }

    /// Makes an entry, the same at any time: whoever uses it sees whether its account has expired.
    pub(crate) fn entry(&self, raw: &RawEntry) -> Result<Entry, Fault> {
        let key = self.key(raw).ok_or_else(|| {
            let names = self.attributes.of_field(Field::Key).join(", ");
            Fault {
                key: None,
                what: format!("there is not one value of {names} to know it by: see to it that there is"),
            }
        })?;
        let faulty = |what: String| Fault { key: Some(key.clone()), what };
        let kind = kinds::kind(raw, &self.rules).ok_or_else(|| {
            let classes = raw.texts("objectClass").collect::<Vec<_>>().join(", ");
            faulty(format!("nothing tells what it stands for (its classes are {classes}): name it under kinds, or leave it out by a filter"))
        })?;
        let mut entry = Entry::new(key.clone(), kind);
        entry.place = Some(raw.dn.clone());
        let text = |field: Field| self.text(raw, field).map_err(&faulty);
        let texts = |field: Field| self.texts(raw, field).map_err(&faulty);
        entry.names.title = text(Field::Title)?;
        entry.names.given = text(Field::Given)?;
        entry.names.initials = text(Field::Initials)?;
        // People must have one in some classes, and not all do.
        let is_none = |text: &String| self.of == Kind::Ldap && text == NO_SURNAME;
        entry.names.surname = text(Field::Surname)?.filter(|text| !is_none(text));
        entry.names.display = text(Field::Display)?;
        entry.legacy_dn = text(Field::LegacyDn)?;
        entry.routed_to = text(Field::RoutedTo)?.map(|value| without_smtp(&value).to_owned());
        entry.account = text(Field::Account)?;
        entry.organisation = text(Field::Organisation)?.or_else(|| self.organisation.clone());
        entry.local_id = text(Field::LocalId)?;
        entry.job_title = text(Field::JobTitle)?;
        entry.department = text(Field::Department)?;
        entry.telephone = text(Field::Telephone)?;
        entry.mobile = text(Field::Mobile)?;
        entry.origin = text(Field::Origin)?;
        entry.hides_mobile = is_yes(text(Field::HidesMobile)?.as_deref());
        entry.is_hidden = is_yes(text(Field::Hidden)?.as_deref());
        let has = |field: Field| self.attributes.of_field(field).iter().any(|name| !raw.values(name).is_empty());
        entry.has_mailbox = kind.holds_mail() && has(Field::Mailbox);
        entry.last_logon = text(Field::LastLogon)?.and_then(|value| from_filetime(&value).or(from_generalized(&value)));
        entry.is_activated = text(Field::Activated)?.map(|value| is_yes(Some(&value)));
        entry.quota_bytes = text(Field::Quota)?.and_then(|value| self.quota(&value));
        entry.sid = self.sid(raw);
        let places = |values: Vec<String>| values.into_iter().map(reference).collect::<Vec<_>>();
        entry.owners = places(texts(Field::Owners)?);
        entry.members = places(texts(Field::Members)?);
        for (field, right) in GRANTED {
            entry.grants.extend(places(texts(field)?).into_iter().map(|to| Grant::of(to, right.clone())));
        }
        entry.grants.extend(self.described(raw).map_err(&faulty)?);
        put_addresses(&mut entry, &texts(Field::Mail)?, &texts(Field::Addresses)?);
        let attributes = self.attributes.of_field(Field::State);
        entry.state = states::state(raw, self.of, kind, attributes, &self.states);
        entry.expires_at = states::expires_at(raw, self.of, kind, attributes, &self.states);
        self.others(raw, &mut entry);
        Ok(entry)
    }

    /// The first attribute of a field that has a value, as text.
    fn text(&self, raw: &RawEntry, field: Field) -> Result<Option<String>, String> {
        for name in self.attributes.of_field(field) {
            if let Some(value) = raw.values(name).first() {
                let text = as_text(name, value)?.trim().to_owned();
                if !text.is_empty() {
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }

    /// The values of all attributes of a field, each once.
    fn texts(&self, raw: &RawEntry, field: Field) -> Result<Vec<String>, String> {
        let mut texts: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for name in self.attributes.of_field(field) {
            for value in raw.values(name) {
                let text = as_text(name, value)?.trim();
                if !text.is_empty() && seen.insert(text.to_owned()) {
                    texts.push(text.to_owned());
                }
            }
        }
        Ok(texts)
    }

    fn sid(&self, raw: &RawEntry) -> Option<String> {
        let value = self.attributes.of_field(Field::Sid).iter().find_map(|name| raw.values(name).first())?;
        sid::text(value).or_else(|| String::from_utf8(value.clone()).ok())
    }

    /// Exchange counts in KiB, others in bytes with letters after them.
    fn quota(&self, value: &str) -> Option<u64> {
        let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
        let count: u64 = digits.parse().ok()?;
        if self.of == Kind::ActiveDirectory { count.checked_mul(1024) } else { Some(count) }
    }

    /// The rights that descriptors tell of.
    fn described(&self, raw: &RawEntry) -> Result<Vec<Grant>, String> {
        let mut grants = Vec::new();
        if self.of == Kind::ActiveDirectory {
            let wrong = |name: &str| {
                format!("its {name} can't be read, so who may open or send is not known: have it written anew")
            };
            if let Some(value) = raw.values(DESCRIPTOR).first() {
                grants.extend(rights::send_as(value).ok_or_else(|| wrong(DESCRIPTOR))?);
            }
            if let Some(value) = raw.values(MAILBOX_DESCRIPTOR).first() {
                grants.extend(rights::full_access(value).ok_or_else(|| wrong(MAILBOX_DESCRIPTOR))?);
            }
        }
        Ok(grants)
    }

    fn others(&self, raw: &RawEntry, entry: &mut Entry) {
        for name in &self.other {
            let values = raw.values(name);
            if !values.is_empty() {
                let lower = name.to_ascii_lowercase();
                let values = values.iter().map(|value| shown(&lower, value)).collect();
                entry.other.insert(name.clone(), values);
            }
        }
    }
}

/// Puts all addresses there, each once; the one that mail is sent from is marked, and among them.
fn put_addresses(entry: &mut Entry, mails: &[String], values: &[String]) {
    let mut addresses: Vec<Address> = values.iter().map(|value| Address::parse(value)).collect();
    let primary = addresses.iter().find(|address| is_smtp_primary(address)).map(|address| address.text.clone());
    entry.mail = mails.first().map(|mail| without_smtp(mail).to_owned()).or(primary);
    let own = entry.mail.as_deref().map(mail_key);
    for mail in mails {
        let key = mail_key(mail);
        let is_it = |address: &Address| address.kind == AddressKind::Smtp && mail_key(&address.text) == key;
        if !addresses.iter().any(is_it) {
            let is_primary = own.as_ref() == Some(&key) && !addresses.iter().any(is_smtp_primary);
            addresses.push(Address { is_primary, ..Address::smtp(without_smtp(mail)) });
        }
    }
    entry.addresses = addresses;
}

fn is_smtp_primary(address: &Address) -> bool {
    address.kind == AddressKind::Smtp && address.is_primary
}

fn as_text<'v>(name: &str, value: &'v [u8]) -> Result<&'v str, String> {
    str::from_utf8(value).map_err(|_| format!("a value of {name} is no text (UTF-8): correct it in the directory"))
}

pub(crate) fn without_smtp(value: &str) -> &str {
    match value.split_once(':') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("smtp") => rest.trim(),
        _ => value,
    }
}

fn is_yes(value: Option<&str>) -> bool {
    value.is_some_and(|value| ["true", "yes", "y", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes)))
}

/// Somebody, as one entry names another: by a distinguished name, or in other directories by an address or a name.
pub(crate) fn reference(value: String) -> Reference {
    if value.contains('=') {
        Reference::Place(value)
    } else if value.contains('@') {
        Reference::Mail(value)
    } else {
        Reference::Name(value)
    }
}

/// A value of any attribute, as text: what is no text as what it is known to be, else as hexadecimal digits.
fn shown(lower_name: &str, value: &[u8]) -> String {
    let known = if GUIDS.contains(&lower_name) {
        guid::text(value)
    } else if SIDS.contains(&lower_name) {
        sid::text(value)
    } else {
        let is_plain = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
        str::from_utf8(value).ok().filter(|text| text.chars().all(is_plain)).map(str::to_owned)
    };
    known.unwrap_or_else(|| value.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use model::EntryKind;

    use super::*;
    use crate::map::fields::Places;
    use crate::map::written::Decision;

    fn raw(attributes: &[(&str, &[u8])]) -> RawEntry {
        let mut entry = RawEntry::named("CN=x,DC=t");
        entry.add("objectGUID", vec![(0..16).collect()]);
        entry.add("objectClass", vec![b"top".to_vec(), b"user".to_vec()]);
        for (name, value) in attributes {
            entry.add(name, vec![value.to_vec()]);
        }
        entry
    }

    fn map() -> Map {
        Map::of(&Config::new(Kind::ActiveDirectory, "x"))
    }

    /// A name in an attribute opens nothing there, so none is written.
    #[test]
    fn what_descriptors_say_is_read_beside_attributes_and_never_written() {
        let mut config = Config::new(Kind::ActiveDirectory, "x");
        let named = |field: &str, name: &str| (field.to_owned(), vec![name.to_owned()]);
        config.attributes.extend([named("full_access", "msExchDelegateListLink"), named("send_as", "info")]);
        let map = Map::of(&config);
        let raw = raw(&[("msExchRecipientTypeDetails", b"4"), ("msExchDelegateListLink", b"CN=Bo,DC=t")]);
        let entry = map.entry(&raw).unwrap();
        assert_eq!(entry.grants, [Grant::of(Reference::Place("CN=Bo,DC=t".into()), Right::FullAccess)]);
        for right in [Right::FullAccess, Right::SendAs] {
            let mut after = entry.clone();
            after.grants.push(Grant::of(Reference::Place("CN=Cy,DC=t".into()), right));
            let Decision::Refused(why) = map.revise(&raw, &entry, &after, &Places::default(), 0) else { panic!() };
            assert!(why.contains("by hand"), "{why}");
        }
    }

    #[test]
    fn a_user_of_exchange_is_read() {
        let entry = map()
            .entry(&raw(&[
                ("sAMAccountName", b"lee"),
                ("displayName", "Lee, Ann (Ärztin)".as_bytes()),
                ("mail", b"Ann.Lee@t.example"),
                ("proxyAddresses", b"SMTP:Ann.Lee@t.example"),
                ("proxyAddresses", b"smtp:al@t.example"),
                ("proxyAddresses", b"X500:/o=old/cn=al"),
                ("homeMDB", b"CN=db"),
                ("msExchRecipientTypeDetails", b"1"),
                ("msExchHideFromAddressLists", b"TRUE"),
                ("userAccountControl", b"512"),
                ("accountExpires", b"9223372036854775807"),
                ("lastLogonTimestamp", b"133000000000000000"),
                ("objectSid", &[1, 1, 0, 0, 0, 0, 0, 5, 7, 0, 0, 0]),
                ("targetAddress", b"SMTP:ann@elsewhere.example"),
                ("publicDelegates", b"CN=Bo,DC=t"),
                ("extensionAttribute3", b"ward 4"),
                ("mDBOverHardQuotaLimit", b"2048"),
            ]))
            .unwrap();
        assert_eq!((entry.kind, entry.state), (EntryKind::Person, AccountState::Active));
        assert_eq!(entry.key, "03020100-0504-0706-0809-0a0b0c0d0e0f");
        assert_eq!(entry.mail_keys(), ["ann.lee@t.example", "al@t.example"]);
        assert_eq!((entry.addresses.len(), entry.is_hidden, entry.has_mailbox), (3, true, true));
        assert_eq!(entry.last_logon, Some(1_655_526_400));
        assert_eq!(entry.sid.as_deref(), Some("S-1-5-7"));
        assert_eq!(entry.routed_to.as_deref(), Some("ann@elsewhere.example"));
        assert_eq!(entry.quota_bytes, Some(2_097_152));
        assert_eq!(entry.grants, [Grant::of(Reference::Place("CN=Bo,DC=t".into()), Right::SendOnBehalf)]);
        assert_eq!(entry.other["extensionAttribute3"], ["ward 4"]);
    }

    #[test]
    fn accounts_are_disabled_or_expired_and_shared_mailboxes_neither() {
        let state = |attributes: &[(&str, &[u8])]| map().entry_at(&raw(attributes), 2_000_000_000).unwrap().state;
        assert_eq!(state(&[("userAccountControl", b"514")]), AccountState::Disabled);
        assert_eq!(state(&[("accountExpires", b"133000000000000000")]), AccountState::Expired);
        let told = map().entry(&raw(&[("accountExpires", b"133000000000000000")])).unwrap();
        assert_eq!((told.state, told.expires_at), (AccountState::Active, Some(1_655_526_400)));
        for never in [&b"0"[..], b"9223372036854775807"] {
            assert_eq!(state(&[("accountExpires", never)]), AccountState::Active);
        }
        let said = [("employeeType", &b"leaver"[..]), ("accountExpires", b"133000000000000000")];
        assert_eq!(map().entry(&raw(&said)).unwrap().expires_at, None, "what an attribute says goes first");
        let shared: (&str, &[u8]) = ("msExchRecipientTypeDetails", b"4");
        assert_eq!(state(&[("userAccountControl", b"514"), shared]), AccountState::Active);
        assert_eq!(state(&[("employeeType", b"Pending"), ("userAccountControl", b"514")]), AccountState::Pending);
    }

    #[test]
    fn what_can_t_be_read_is_named_and_its_key_told() {
        let fault = map().entry(&raw(&[("displayName", b"\xff\xfe")])).unwrap_err();
        assert!(fault.what.contains("displayName") && fault.key.is_some(), "{fault:?}");
        let fault = map().entry(&raw(&[("nTSecurityDescriptor", b"x")])).unwrap_err();
        assert!(fault.what.contains("nTSecurityDescriptor"), "{fault:?}");
        let mut without = RawEntry::default();
        without.add("objectClass", vec![b"user".to_vec()]);
        assert_eq!(map().entry(&without).unwrap_err().key, None);
        let mut odd = raw(&[]);
        odd.add("objectGUID", vec![vec![1; 16]]);
        assert_eq!(map().entry(&odd).unwrap_err().key, None, "two keys are none");
    }

    #[test]
    fn binary_values_are_shown_as_what_they_are() {
        assert_eq!(shown("objectguid", &[0x41; 16]), "41414141-4141-4141-4141-414141414141");
        assert_eq!(shown("x", b"\xff\x00"), "ff00");
        assert_eq!(shown("x", b"\x01"), "01");
        assert_eq!(shown("x", b"text\n"), "text\n");
    }

    #[test]
    fn another_directory_is_read_by_its_own_attributes() {
        let mut config = Config::new(Kind::Ldap, "x");
        config.attributes.insert("local_id".into(), vec!["badge".into()]);
        config.organisation = Some("ABC".into());
        let mut raw = RawEntry::named("uid=a,dc=t");
        for (name, value) in [
            ("objectClass", "inetOrgPerson"),
            ("entryUUID", "AAAAAAAA-0000-1000-8000-000000000001"),
            ("cn", "Ann"),
            ("mail", "ann@t.example"),
            ("mail", "a.lee@t.example"),
            ("mailAlternateAddress", "old@t.example"),
            ("badge", "7"),
            ("employeeNumber", "8"),
            ("employeeType", "leaver"),
        ] {
            raw.add(name, vec![value.as_bytes().to_vec()]);
        }
        let entry = Map::of(&config).entry(&raw).unwrap();
        assert_eq!(entry.key, "aaaaaaaa-0000-1000-8000-000000000001");
        assert_eq!(entry.mail_keys(), ["ann@t.example", "old@t.example", "a.lee@t.example"]);
        assert_eq!((entry.local_id.as_deref(), entry.state), (Some("7"), AccountState::Leaver));
        assert_eq!((entry.organisation.as_deref(), entry.names.display.as_deref()), (Some("ABC"), Some("Ann")));
    }
}
