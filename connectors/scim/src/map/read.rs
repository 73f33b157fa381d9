//! An entry from a resource. What can't be read as one is named; nothing is guessed.

use model::{Address, AddressKind, Entry, EntryKind, Reference, mail_key};
use serde_json::Value;

use super::fields::{Field, Map, Path, Type};
use crate::wire::answer::{get, text};

/// How an address stands among owners and members of our extension.
pub(crate) const MAIL_PREFIX: &str = "mailto:";

/// The entry that a resource stands for.
pub(crate) fn entry(map: &Map, of: Type, resource: &Value) -> Result<Entry, String> {
    let id = text(resource, "id").filter(|id| !id.is_empty()).ok_or("it has no id")?;
    let from = Fields { map, of, resource };
    let kind = match of {
        Type::Group => EntryKind::List,
        Type::User => from.text(Field::Kind)?.map_or(EntryKind::Person, |value| map.kind(&value)),
    };
    let mut entry = Entry::new(id, kind);
    entry.origin = string(resource, &Path { urn: None, name: "externalId".to_owned(), sub: None })?;
    entry.account = from.text(Field::Account)?;
    entry.names.title = from.text(Field::Title)?;
    entry.names.given = from.text(Field::Given)?;
    entry.names.initials = from.text(Field::Initials)?;
    entry.names.surname = from.text(Field::Surname)?;
    entry.names.display = from.text(Field::Display)?;
    entry.legacy_dn = from.text(Field::LegacyDn)?;
    entry.routed_to = from.text(Field::RoutedTo)?;
    entry.organisation = from.text(Field::Organisation)?.or_else(|| map.organisation.clone());
    entry.local_id = from.text(Field::LocalId)?;
    entry.job_title = from.text(Field::JobTitle)?;
    entry.department = from.text(Field::Department)?;
    entry.telephone = from.phone(Field::Telephone)?;
    entry.mobile = from.phone(Field::Mobile)?;
    entry.hides_mobile = from.flag(Field::HidesMobile)?;
    entry.is_hidden = from.flag(Field::Hidden)?;
    entry.last_logon = from.number(Field::LastLogon)?;
    entry.is_activated = from.yes_or_no(Field::Activated)?;
    entry.quota_bytes = from.number(Field::Quota)?.map(i64::cast_unsigned);
    entry.owners = from.texts(Field::Owners)?.iter().map(|text| reference(text)).collect();
    if of == Type::Group {
        entry.members = members(resource)?;
    }
    entry.members.extend(from.texts(Field::Members)?.iter().map(|text| reference(text)));
    if of == Type::User {
        let is_active = match get(resource, "active") {
            None => true,
            Some(Value::Bool(is_active)) => *is_active,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
            Some(_) => return Err("active is neither true nor false".to_owned()),
        };
        entry.state = map.state(is_active, from.text(Field::State)?.as_deref());
    }
    (entry.mail, entry.addresses) = from.addresses()?;
    entry.has_mailbox = has_mailbox(&entry);
    for path in &map.other {
        let values = strings(resource, path)?;
        if !values.is_empty() {
            entry.other.insert(path.to_string(), values);
        }
    }
    Ok(entry)
}

/// The mail addresses of a resource that can't be read as an entry, as far as they can be told.
pub(crate) fn mails(map: &Map, of: Type, resource: &Value) -> Vec<String> {
    let emails = get(resource, "emails").and_then(Value::as_array).into_iter().flatten();
    let mut mails: Vec<String> = emails.filter_map(|email| text(email, "value")).map(str::to_owned).collect();
    let own = map.path(of, Field::Addresses).and_then(|path| strings(resource, path).ok()).unwrap_or_default();
    let own = own.iter().map(|text| Address::parse(text)).filter(|address| address.kind == AddressKind::Smtp);
    mails.extend(own.map(|address| address.text));
    mails
}

/// Whether it has a mailbox is not said by any attribute: it has one if it can have one and has an address.
pub(crate) fn has_mailbox(entry: &Entry) -> bool {
    entry.kind.holds_mail() && entry.mail.is_some()
}

/// The place of the element of phoneNumbers that is the number of a type. One without a type counts as that of work.
pub(crate) fn phone_at(resource: &Value, kind: &str) -> Result<Option<usize>, String> {
    let Some(phones) = get(resource, "phoneNumbers") else { return Ok(None) };
    let phones = phones.as_array().ok_or("phoneNumbers is no list")?;
    let of_type = |wanted: Option<&str>| {
        let is_it = |phone: &Value| match (text(phone, "type"), wanted) {
            (Some(own), Some(wanted)) => own.eq_ignore_ascii_case(wanted),
            (own, wanted) => own == wanted,
        };
        phones.iter().position(is_it)
    };
    Ok(of_type(Some(kind)).or_else(|| if kind == "work" { of_type(None) } else { None }))
}

fn members(resource: &Value) -> Result<Vec<Reference>, String> {
    let Some(members) = get(resource, "members") else { return Ok(Vec::new()) };
    let members = members.as_array().ok_or("members is no list")?;
    let key = |member: &Value| {
        let value = text(member, "value").filter(|value| !value.is_empty());
        value.map(|value| Reference::Key(value.to_owned())).ok_or_else(|| "a member has no value".to_owned())
    };
    members.iter().map(key).collect()
}

fn reference(text: &str) -> Reference {
    match text.strip_prefix(MAIL_PREFIX) {
        Some(mail) => Reference::Mail(mail.to_owned()),
        None => Reference::Key(text.to_owned()),
    }
}

struct Fields<'r> {
    map: &'r Map,
    of: Type,
    resource: &'r Value,
}

impl Fields<'_> {
    fn text(&self, field: Field) -> Result<Option<String>, String> {
        match self.map.path(self.of, field) {
            Some(path) => string(self.resource, path),
            None => Ok(None),
        }
    }

    fn texts(&self, field: Field) -> Result<Vec<String>, String> {
        match self.map.path(self.of, field) {
            Some(path) => strings(self.resource, path),
            None => Ok(Vec::new()),
        }
    }

    fn flag(&self, field: Field) -> Result<bool, String> {
        let Some(path) = self.map.path(self.of, field) else { return Ok(false) };
        match path.get(self.resource) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(format!("{path} is neither true nor false")),
        }
    }

    fn yes_or_no(&self, field: Field) -> Result<Option<bool>, String> {
        let is_there = self.map.path(self.of, field).is_some_and(|path| path.get(self.resource).is_some());
        if is_there { self.flag(field).map(Some) } else { Ok(None) }
    }

    fn number(&self, field: Field) -> Result<Option<i64>, String> {
        let Some(path) = self.map.path(self.of, field) else { return Ok(None) };
        match path.get(self.resource) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_i64().filter(|number| *number >= 0);
                number.map(Some).ok_or_else(|| format!("{path} is no whole number"))
            }
        }
    }

    fn phone(&self, field: Field) -> Result<Option<String>, String> {
        let Some(super::fields::Holder::Phone(kind)) = self.map.holder(self.of, field) else {
            return self.text(field);
        };
        let Some(at) = phone_at(self.resource, kind)? else { return Ok(None) };
        let phone = get(self.resource, "phoneNumbers").and_then(|phones| phones.get(at));
        let number = phone.and_then(|phone| text(phone, "value")).filter(|number| !number.is_empty());
        number.map(|number| Some(number.to_owned())).ok_or_else(|| "a number of phoneNumbers has no value".to_owned())
    }

    /// The address that mail is sent from, and all addresses.
    fn addresses(&self) -> Result<(Option<String>, Vec<Address>), String> {
        let mut all: Vec<Address> = Vec::new();
        let mut work = None;
        if let Some(emails) = get(self.resource, "emails") {
            for email in emails.as_array().ok_or("emails is no list")? {
                let value = text(email, "value").filter(|value| !value.trim().is_empty());
                let value = value.ok_or("an address of emails has no value")?;
                let is_primary = get(email, "primary").and_then(Value::as_bool).unwrap_or(false);
                if text(email, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("work")) {
                    work.get_or_insert(all.len());
                }
                all.push(Address { kind: AddressKind::Smtp, is_primary, text: value.to_owned() });
            }
        }
        for value in self.texts(Field::Addresses)? {
            let address = Address::parse(&value);
            let key = mail_key(&address.text);
            let is_known = |own: &Address| own.kind == AddressKind::Smtp && mail_key(&own.text) == key;
            if address.kind != AddressKind::Smtp || !all.iter().any(is_known) {
                all.push(address);
            }
        }
        let is_mail = |address: &&Address| address.kind == AddressKind::Smtp;
        let primary = all.iter().filter(is_mail).find(|address| address.is_primary);
        let mail = primary.or_else(|| work.and_then(|at| all.get(at))).or_else(|| all.iter().find(is_mail));
        Ok((mail.map(|address| address.text.clone()), all))
    }
}

fn string(resource: &Value, path: &Path) -> Result<Option<String>, String> {
    match path.get(resource) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("{path} is no text")),
    }
}

/// The texts of an attribute of several values, or the one of a single value.
fn strings(resource: &Value, path: &Path) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Object(_) => match get(value, "value") {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(format!("a value of {path} is no text")),
        },
        _ => Err(format!("a value of {path} is no text")),
    };
    match path.get(resource) {
        None => Ok(Vec::new()),
        Some(Value::Array(values)) => values.iter().map(one).collect(),
        Some(value) => Ok(vec![one(value)?]),
    }
}
