//! A resource with the differences between two forms of an entry. What the platform can't hold is named, all of it, and then
//! nothing is changed: no field is dropped in silence.

use model::{Address, AddressKind, Entry, EntryKind, Reference, mail_key, x500_key};
use serde_json::{Value, json};

use super::fields::{Field, Holder, Map, Path, Type, can_log_in};
use super::read::{MAIL_PREFIX, has_mailbox, phone_at};
use crate::wire::answer::{get, text};

/// Says whether the platform has what holds a field; else why not, in words.
pub(crate) type Can<'c> = &'c dyn Fn(&Holder) -> Result<(), String>;

/// What differs between two forms of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// A field that an attribute may hold. Mail goes with the addresses.
    Of(Field),
    /// Something that nothing holds, by its name.
    Unheld(&'static str),
}

impl Difference {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Of(field) => field.name(),
            Self::Unheld(name) => name,
        }
    }

    /// Is what was to come by a change not there? Of addresses and references each one counts.
    pub(crate) fn is_lost(self, before: &Entry, after: &Entry, there: &Entry) -> bool {
        let came = |old: &[Reference], new: &[Reference], there: &[Reference]| {
            new.iter().any(|reference| !old.contains(reference) && !there.contains(reference))
        };
        match self {
            Self::Of(Field::Addresses) => {
                let (old, new, there) = (addresses(before), addresses(after), addresses(there));
                let is_new_mail = |mail: &String| !old.1.contains(mail) && !there.1.contains(mail);
                let is_new = |own: &(AddressKind, String)| !old.2.contains(own) && !there.2.contains(own);
                new.1.iter().any(is_new_mail) || new.2.iter().any(is_new) || there == old
            }
            Self::Of(Field::Owners) => came(&before.owners, &after.owners, &there.owners) || self.agrees(before, there),
            Self::Of(Field::Members) => {
                came(&before.members, &after.members, &there.members) || self.agrees(before, there)
            }
            Self::Of(_) => self.agrees(before, there),
            Self::Unheld(_) => false,
        }
    }

    /// Do these agree in it?
    pub(crate) fn agrees(self, one: &Entry, other: &Entry) -> bool {
        match self {
            Self::Of(field) => is_same(field, one, other),
            Self::Unheld(_) => false,
        }
    }
}

/// What differs between these.
pub(crate) fn differences(before: &Entry, after: &Entry) -> Vec<Difference> {
    let fields = Field::EVERY.iter().copied().filter(|field| !is_same(*field, before, after)).map(Difference::Of);
    let mut all: Vec<Difference> = fields.collect();
    let unheld = [
        ("last_logon", before.last_logon != after.last_logon),
        ("activated", before.is_activated != after.is_activated),
        ("place", before.place != after.place),
        ("sid", before.sid != after.sid),
        ("grants", before.grants != after.grants),
        ("origin", before.origin != after.origin),
        ("other", before.other != after.other),
        ("has_mailbox", before.has_mailbox != after.has_mailbox && after.has_mailbox != has_mailbox(after)),
    ];
    all.extend(unheld.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| Difference::Unheld(name)));
    all
}

fn is_same(field: Field, one: &Entry, other: &Entry) -> bool {
    match field {
        Field::Addresses => addresses(one) == addresses(other),
        Field::HidesMobile => one.hides_mobile == other.hides_mobile,
        Field::Hidden => one.is_hidden == other.is_hidden,
        Field::Quota => one.quota_bytes == other.quota_bytes,
        Field::Owners => sorted(&one.owners) == sorted(&other.owners),
        Field::Members => sorted(&one.members) == sorted(&other.members),
        Field::State => one.state == other.state,
        Field::Kind => one.kind == other.kind,
        // It is never written, so it differs apart.
        Field::LastLogon | Field::Activated => true,
        field => text_of(one, field) == text_of(other, field),
    }
}

fn sorted(references: &[Reference]) -> Vec<&Reference> {
    let mut sorted: Vec<&Reference> = references.iter().collect();
    sorted.sort();
    sorted.dedup();
    sorted
}

/// The address sent from, and all others, in the form in which they are compared.
fn addresses(entry: &Entry) -> (Option<String>, Vec<String>, Vec<(AddressKind, String)>) {
    let mut mails = entry.mail_keys();
    mails.sort();
    let rest = entry.addresses.iter().filter(|address| address.kind != AddressKind::Smtp);
    let mut rest: Vec<(AddressKind, String)> = rest.map(key_of).collect();
    rest.sort();
    rest.dedup();
    (entry.mail.as_deref().map(mail_key), mails, rest)
}

fn key_of(address: &Address) -> (AddressKind, String) {
    let key = if address.kind == AddressKind::X500 { x500_key(&address.text) } else { address.text.to_lowercase() };
    (address.kind.clone(), key)
}

fn text_of(entry: &Entry, field: Field) -> Option<&str> {
    let text = match field {
        Field::Account => &entry.account,
        Field::Title => &entry.names.title,
        Field::Given => &entry.names.given,
        Field::Initials => &entry.names.initials,
        Field::Surname => &entry.names.surname,
        Field::Display => &entry.names.display,
        Field::LegacyDn => &entry.legacy_dn,
        Field::RoutedTo => &entry.routed_to,
        Field::Organisation => &entry.organisation,
        Field::LocalId => &entry.local_id,
        Field::JobTitle => &entry.job_title,
        Field::Department => &entry.department,
        Field::Telephone => &entry.telephone,
        Field::Mobile => &entry.mobile,
        _ => return None,
    };
    // An empty text is none: SCIM does not tell the two apart.
    text.as_deref().filter(|text| !text.is_empty())
}

/// The resource that a new entry is to be.
pub(crate) fn created(map: &Map, entry: &Entry, can: Can<'_>) -> Result<Value, Vec<String>> {
    let of = Type::of(entry.kind);
    let mut resource = json!({ "schemas": [of.schema()] });
    if let Some(origin) = &entry.origin {
        resource["externalId"] = origin.as_str().into();
    }
    let mut empty = Entry::new("", entry.kind);
    empty.origin.clone_from(&entry.origin);
    let mut cannot = Vec::new();
    match of {
        // Both must have a name; who has none is called by the address.
        Type::User => {
            let name = entry.account.as_ref().or(entry.mail.as_ref()).or(entry.origin.as_ref());
            resource["userName"] = name.cloned().into();
            resource["active"] = can_log_in(entry.state).into();
            if let Some(value) = map.kind_value(entry.kind)
                && let Err(why) = put(map, of, Field::Kind, Some(value.into()), &mut resource, can)
            {
                cannot.push(why);
            }
        }
        Type::Group => {
            let name = entry.names.display.as_ref().or(entry.mail.as_ref()).or(entry.origin.as_ref());
            resource["displayName"] = name.cloned().into();
        }
    }
    if let Err(why) = edited(map, &mut resource, &empty, entry, can) {
        cannot.extend(why);
    }
    if cannot.is_empty() { Ok(resource) } else { Err(cannot) }
}

/// Makes of a resource, in which the entry is as it was before, one in which it is as it is to be after. Gives all that can't
/// be held.
pub(crate) fn edited(
    map: &Map,
    resource: &mut Value,
    before: &Entry,
    after: &Entry,
    can: Can<'_>,
) -> Result<(), Vec<String>> {
    let of = Type::of(before.kind);
    if of != Type::of(after.kind) {
        return Err(vec![format!("that a {} becomes a {}", before.kind.name(), after.kind.name())]);
    }
    let mut cannot = Vec::new();
    for difference in differences(before, after) {
        let done = match difference {
            Difference::Unheld(name) => Err(format!("{name} (no attribute holds it)")),
            Difference::Of(field) => one(map, of, field, (before, after), resource, can),
        };
        cannot.extend(done.err());
    }
    if cannot.is_empty() { Ok(()) } else { Err(cannot) }
}

fn one(
    map: &Map,
    of: Type,
    field: Field,
    (before, after): (&Entry, &Entry),
    resource: &mut Value,
    can: Can<'_>,
) -> Result<(), String> {
    let mut put = |field: Field, value: Option<Value>| put(map, of, field, value, resource, can);
    match field {
        Field::HidesMobile => put(field, after.hides_mobile.then(|| true.into())),
        Field::Hidden => put(field, after.is_hidden.then(|| true.into())),
        Field::Quota => put(field, after.quota_bytes.map(Into::into)),
        Field::Kind => put(field, map.kind_value(after.kind).map(Into::into)),
        Field::State if of == Type::Group => Err("state (a group has none)".to_owned()),
        Field::State => {
            let value = map.state_value(after.state);
            let was = map.path(of, field).is_some_and(|path| path.get(resource).is_some());
            if value.is_some() || was {
                put_state(map, value, resource, can)?;
            }
            resource["active"] = can_log_in(after.state).into();
            Ok(())
        }
        Field::Addresses => put_addresses(map, of, after, resource, can),
        Field::Owners => {
            let texts = texts(&after.owners)?;
            put(field, (!texts.is_empty()).then(|| texts.into()))
        }
        Field::Members if of == Type::Group => put_members(map, (before, after), resource, can),
        Field::Members => {
            let texts = texts(&after.members)?;
            put(field, (!texts.is_empty()).then(|| texts.into()))
        }
        Field::Organisation => {
            let value = text_of(after, field);
            let done = put(field, value.map(Into::into));
            // Everybody is of this organisation where nothing says otherwise.
            let is_implied = value.is_some() && value == map.organisation.as_deref();
            let says_otherwise = map.path(of, field).is_some_and(|path| path.get(resource).is_some());
            if is_implied && !says_otherwise { Ok(()) } else { done }
        }
        field => put(field, text_of(after, field).map(Into::into)),
    }
}

fn put_state(map: &Map, value: Option<&str>, resource: &mut Value, can: Can<'_>) -> Result<(), String> {
    put(map, Type::User, Field::State, value.map(Into::into), resource, can)
}

/// Puts a value where its field is held.
fn put(
    map: &Map,
    of: Type,
    field: Field,
    value: Option<Value>,
    resource: &mut Value,
    can: Can<'_>,
) -> Result<(), String> {
    let name = field.name();
    let holder = map.holder(of, field).ok_or_else(|| format!("{name} (no attribute of a {} holds it)", of.name()))?;
    can(holder).map_err(|why| format!("{name} ({why})"))?;
    match holder {
        Holder::Attribute { path, .. } => path.set(resource, value),
        Holder::Phone(kind) => put_phone(resource, kind, value)?,
    }
    Ok(())
}

fn put_phone(resource: &mut Value, kind: &str, value: Option<Value>) -> Result<(), String> {
    let at = phone_at(resource, kind)?;
    let path = Path { urn: None, name: "phoneNumbers".to_owned(), sub: None };
    let mut phones = path.get(resource).and_then(Value::as_array).cloned().unwrap_or_default();
    match (at, value) {
        (Some(at), Some(value)) => phones[at]["value"] = value,
        (Some(at), None) => drop(phones.remove(at)),
        (None, Some(value)) => phones.push(json!({ "type": kind, "value": value })),
        (None, None) => {}
    }
    path.set(resource, (!phones.is_empty()).then(|| phones.into()));
    Ok(())
}

/// Keys and addresses, as our extension has them.
fn texts(references: &[Reference]) -> Result<Vec<String>, String> {
    let text = |reference: &&Reference| match reference {
        Reference::Key(key) => Ok(key.clone()),
        Reference::Mail(mail) => Ok(format!("{MAIL_PREFIX}{mail}")),
        other => Err(format!("{other:?} as owner or member (it is neither of the platform nor an address)")),
    };
    sorted(references).iter().map(text).collect()
}

/// Members of a group: those of the platform in its own attribute, addresses elsewhere in ours.
fn put_members(map: &Map, (before, after): (&Entry, &Entry), resource: &mut Value, can: Can<'_>) -> Result<(), String> {
    let split = |entry: &Entry| -> (Vec<Reference>, Vec<Reference>) {
        entry.members.iter().cloned().partition(|member| matches!(member, Reference::Key(_)))
    };
    let ((keys_before, rest_before), (keys, rest)) = (split(before), split(after));
    if sorted(&rest_before) != sorted(&rest) {
        let texts = texts(&rest)?;
        put(map, Type::Group, Field::Members, (!texts.is_empty()).then(|| texts.into()), resource, can)?;
    }
    let path = Path { urn: None, name: "members".to_owned(), sub: None };
    if sorted(&keys_before) != sorted(&keys) {
        can(&Holder::Attribute { path: path.clone(), is_ours: false }).map_err(|why| format!("members ({why})"))?;
        let wanted = sorted(&keys);
        let wanted: std::collections::HashSet<&str> = wanted
            .iter()
            .filter_map(|member| if let Reference::Key(key) = member { Some(key.as_str()) } else { None })
            .collect();
        let mut members = path.get(resource).and_then(Value::as_array).cloned().unwrap_or_default();
        members.retain(|member| text(member, "value").is_some_and(|own| wanted.contains(own)));
        let known: std::collections::HashSet<String> =
            members.iter().filter_map(|member| text(member, "value")).map(str::to_owned).collect();
        let mut new: Vec<&str> = wanted.into_iter().filter(|key| !known.contains(*key)).collect();
        new.sort_unstable();
        members.extend(new.into_iter().map(|key| json!({ "value": key })));
        path.set(resource, (!members.is_empty()).then(|| members.into()));
    }
    Ok(())
}

/// Mail addresses of a user stand in emails, all others, and those of a group, in the attribute for addresses.
fn put_addresses(map: &Map, of: Type, after: &Entry, resource: &mut Value, can: Can<'_>) -> Result<(), String> {
    let primary = after.mail.as_deref().map(mail_key);
    let mut mails: Vec<(String, String)> = Vec::new();
    let all = after
        .mail
        .iter()
        .chain(after.addresses.iter().filter(|address| address.kind == AddressKind::Smtp).map(|address| &address.text));
    for mail in all {
        let mail = Address::parse(mail).text;
        let key = mail_key(&mail);
        if !key.is_empty() && !mails.iter().any(|(own, _)| *own == key) {
            mails.push((key, mail));
        }
    }
    if of == Type::User {
        let path = Path { urn: None, name: "emails".to_owned(), sub: None };
        let old = path.get(resource).and_then(Value::as_array).cloned().unwrap_or_default();
        let new = emails(&old, &mails, primary.as_deref());
        if new != old {
            can(&Holder::Attribute { path: path.clone(), is_ours: false }).map_err(|why| format!("mail ({why})"))?;
            path.set(resource, (!new.is_empty()).then(|| new.into()));
        }
    }
    let path = map.path(of, Field::Addresses);
    let old: Vec<String> = path
        .and_then(|path| path.get(resource))
        .and_then(Value::as_array)
        .map(|values| values.iter().filter_map(|value| value.as_str().or_else(|| text(value, "value"))).collect())
        .map(|values: Vec<&str>| values.into_iter().map(str::to_owned).collect())
        .unwrap_or_default();
    let new = listed(&old, after, &mails, primary.as_deref(), of);
    if new == old {
        return Ok(());
    }
    put(map, of, Field::Addresses, (!new.is_empty()).then(|| new.into()), resource, can)
}

/// The elements of emails: those that stay as they are, then what is new. The one that is sent from is the primary one.
fn emails(old: &[Value], mails: &[(String, String)], primary: Option<&str>) -> Vec<Value> {
    let key = |element: &Value| text(element, "value").map(mail_key).unwrap_or_default();
    let mut new: Vec<Value> =
        old.iter().filter(|element| mails.iter().any(|(own, _)| *own == key(element))).cloned().collect();
    for (own, mail) in mails {
        if !new.iter().any(|element| key(element) == *own) {
            let kind = if primary == Some(own.as_str()) { "work" } else { "other" };
            new.push(json!({ "type": kind, "value": mail }));
        }
    }
    for element in &mut new {
        let is_primary = primary == Some(key(element).as_str());
        let was = get(element, "primary").and_then(Value::as_bool).unwrap_or(false);
        if is_primary != was {
            let path = Path { urn: None, name: "primary".to_owned(), sub: None };
            path.set(element, Some(is_primary.into()));
        }
    }
    new
}

/// The values of the attribute for addresses: those that stay as they are, then what is new.
fn listed(old: &[String], after: &Entry, mails: &[(String, String)], primary: Option<&str>, of: Type) -> Vec<String> {
    let wanted: Vec<(AddressKind, String)> = after.addresses.iter().map(key_of).collect();
    let mut new: Vec<String> = Vec::new();
    let mut known: Vec<(AddressKind, String)> = Vec::new();
    for value in old {
        let address = Address::parse(value);
        let key = match address.kind {
            AddressKind::Smtp => (AddressKind::Smtp, mail_key(&address.text)),
            _ => key_of(&address),
        };
        let stays = match &key {
            (AddressKind::Smtp, key) => mails.iter().any(|(own, _)| own == key),
            key => wanted.contains(key),
        };
        if !stays || known.contains(&key) {
            continue;
        }
        let is_primary = primary == Some(key.1.as_str());
        let is_right = key.0 != AddressKind::Smtp || address.is_primary == is_primary;
        new.push(if is_right { value.clone() } else { Address { is_primary, ..address }.to_string() });
        known.push(key);
    }
    if of == Type::Group {
        for (key, mail) in mails {
            if !known.contains(&(AddressKind::Smtp, key.clone())) {
                let is_primary = primary == Some(key.as_str());
                let address = Address { kind: AddressKind::Smtp, is_primary, text: mail.clone() };
                new.push(address.to_string());
            }
        }
    }
    for address in after.addresses.iter().filter(|address| address.kind != AddressKind::Smtp) {
        let key = key_of(address);
        if !known.contains(&key) {
            new.push(address.to_string());
            known.push(key);
        }
    }
    new
}

/// Does a kind of entry become a user there?
pub(crate) fn is_user(kind: EntryKind) -> bool {
    Type::of(kind) == Type::User
}
