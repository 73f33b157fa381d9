//! Which attributes send mail on, how those of a scheme belong together, and what they say: where to, with or without a copy. Pure.

use connector::router::{Destination, Force, Forwarder, ForwarderOwner, LocalCopy};

use super::config::CopyAttribute;
use super::marker::Value;
use super::values::Values;
use crate::wire::dn::Dn;

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Addresses.
    Address,
    /// Names of entries, in Active Directory with their keys before them.
    Entry,
    /// Words that say how mail is sent on.
    Word,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name, as the server writes it.
    pub(crate) name: String,
    pub(crate) sort: Sort,
}

impl Field {
    /// Do these two values mean the same?
    pub(crate) fn is_same(&self, a: &[u8], b: &[u8]) -> bool {
        if a == b {
            return true;
        }
        let (Ok(a), Ok(b)) = (str::from_utf8(a), str::from_utf8(b)) else { return false };
        match self.sort {
            Sort::Address => plain(a) == plain(b),
            Sort::Word => a.eq_ignore_ascii_case(b),
            Sort::Entry => match (Keyed::of(a), Keyed::of(b)) {
                (Keyed { key: Some(a), .. }, Keyed { key: Some(b), .. }) => a.eq_ignore_ascii_case(b),
                (a, b) => Dn::parse(a.dn).is_some_and(|a| Dn::parse(b.dn) == Some(a)),
            },
        }
    }
}

/// The name of an entry with its key, as `<GUID=…>;CN=…`: a name changes, and what led there leads there still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keyed<'v> {
    pub(crate) key: Option<&'v str>,
    pub(crate) dn: &'v str,
}

impl<'v> Keyed<'v> {
    pub(crate) fn of(value: &'v str) -> Self {
        let keyed = value.strip_prefix("<GUID=").and_then(|rest| rest.split_once(">;"));
        keyed.map_or(Self { key: None, dn: value }, |(key, dn)| Self { key: Some(key), dn })
    }

    pub(crate) fn value(self) -> Value {
        match self.key {
            Some(key) => format!("<GUID={key}>;{}", self.dn).into_bytes(),
            None => self.dn.as_bytes().to_vec(),
        }
    }
}

/// An address as addresses are compared: without `smtp:`, in small letters.
pub(crate) fn plain(address: &str) -> String {
    let address = address.trim();
    let is_smtp = address.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("smtp:"));
    address[if is_smtp { 5 } else { 0 }..].trim().to_lowercase()
}

/// Is it an address that every mail server reads in the same way, and nothing more?
pub(crate) fn is_plain_address(address: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "\"\\<>(),;:${}[]|".contains(c);
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    !local.is_empty() && !domain.is_empty() && address.len() <= 320 && !address.contains(is_odd) && !local.contains('@')
}

/// The attributes of a scheme that this server's schema has.
#[derive(Clone, Debug)]
pub(crate) enum Attributes {
    /// Those of Exchange.
    Exchange { target: Field, alternate: Option<Field>, address: Option<Field>, keeps: Option<Field> },
    /// Addresses, and whether a copy stays.
    Forwarding { address: Field, copy: Option<(Field, CopyAttribute)> },
}

/// What of an entry the sense of its values depends on, beside the values.
pub(crate) struct Around<'e> {
    /// The entry's name, for people.
    pub(crate) dn: &'e str,
    /// Addresses of its own, and names of its account, in small letters.
    pub(crate) own: &'e [String],
    /// It is no mailbox: mail for it goes to an address of its own elsewhere.
    pub(crate) is_contact: bool,
    /// Where the entries lead that values name.
    pub(crate) leads: &'e dyn Fn(&[u8]) -> Option<String>,
}

impl Around<'_> {
    fn told(&self, field: &Field, to: Destination, copy: LocalCopy, force: Force) -> Forwarder {
        let place = format!("{} of {}", field.name, self.dn);
        Forwarder { to, copy, force, owner: ForwarderOwner::Administrator, place }
    }
}

impl Attributes {
    /// Attributes that say one thing together, with the ones that lead somewhere first.
    pub(crate) fn groups(&self) -> Vec<Vec<&Field>> {
        match self {
            Self::Exchange { target, alternate, address, keeps, .. } => {
                let rest = [alternate, address, keeps].into_iter().flatten().collect();
                vec![vec![target], rest]
            }
            Self::Forwarding { address, copy } => {
                vec![std::iter::once(address).chain(copy.as_ref().map(|(field, _)| field)).collect()]
            }
        }
    }

    /// Every one of them.
    pub(crate) fn fields(&self) -> Vec<&Field> {
        self.groups().concat()
    }

    /// The one of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields().into_iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// What ours sets, so that all mail goes to this address, or to the contact that stands for it.
    pub(crate) fn set(&self, to: &str, contact: Option<Value>) -> Vec<(String, Value)> {
        match self {
            Self::Exchange { target, alternate, keeps, .. } => match contact {
                Some(contact) => {
                    let keeps = keeps.iter().map(|field| (field.name.clone(), b"FALSE".to_vec()));
                    alternate.iter().map(|field| (field.name.clone(), contact.clone())).chain(keeps).collect()
                }
                None => vec![(target.name.clone(), format!("SMTP:{to}").into_bytes())],
            },
            Self::Forwarding { address, copy } => {
                let mut set = vec![(address.name.clone(), to.as_bytes().to_vec())];
                if let Some((field, copy)) = copy {
                    let words = copy.forwards_with.iter().chain(&copy.not_kept_with);
                    set.extend(words.map(|word| (field.name.clone(), word.as_bytes().to_vec())));
                }
                set
            }
        }
    }

    /// Why mail does not all go where this one value of this attribute leads, if it does not.
    pub(crate) fn obstacle(&self, values: &Values, lead: &Field, own: &[String]) -> Option<String> {
        for field in self.fields() {
            let is_other = field.name != lead.name;
            if field.sort != Sort::Word && values.of(&field.name).len() > usize::from(!is_other) {
                let what = if is_other { "is there, too" } else { "has another value beside ours" };
                return Some(format!("{} {what}", field.name));
            }
        }
        match self {
            Self::Exchange { keeps, .. } => {
                let keeps = keeps.as_ref().filter(|field| !values.of(&field.name).is_empty());
                let is_no =
                    |field: &&Field| values.of(&field.name).iter().all(|word| word.eq_ignore_ascii_case(b"FALSE"));
                keeps.filter(|field| !is_no(field)).map(|field| format!("{} says that a copy stays", field.name))
            }
            Self::Forwarding { address, copy } => {
                let (copies, force) = self.how(values, own);
                let says = copy.as_ref().map_or(&address.name, |(field, _)| &field.name);
                if force == Force::Dormant {
                    return Some(format!("{says} says that nothing is sent on"));
                }
                (copies != LocalCopy::NotKept).then(|| format!("{says} says that a copy stays, or does not tell"))
            }
        }
    }

    /// Of the scheme `forwarding`: whether a copy stays, and whether anything is sent on.
    fn how(&self, values: &Values, own: &[String]) -> (LocalCopy, Force) {
        let Self::Forwarding { address, copy } = self else { return (LocalCopy::Perhaps, Force::Always) };
        let Some((field, copy)) = copy else {
            let is_own = |value: &Value| str::from_utf8(value).is_ok_and(|text| own.contains(&plain(text)));
            let is_kept = values.of(&address.name).iter().any(is_own);
            return (if is_kept { LocalCopy::Kept } else { LocalCopy::NotKept }, Force::Always);
        };
        let has = |word: &Option<String>| {
            word.as_ref()
                .map(|word| values.of(&field.name).iter().any(|value| value.eq_ignore_ascii_case(word.as_bytes())))
        };
        let copies = match (has(&copy.kept_with), has(&copy.not_kept_with)) {
            (Some(true), Some(true)) => LocalCopy::Perhaps,
            (Some(true), _) | (None, Some(false)) => LocalCopy::Kept,
            (_, Some(true)) | (Some(false), None) => LocalCopy::NotKept,
            (Some(false), Some(false)) | (None, None) => LocalCopy::Perhaps,
        };
        (copies, if has(&copy.forwards_with) == Some(false) { Force::Dormant } else { Force::Always })
    }

    /// Words that are there and whose effect nobody has told, in sentences.
    pub(crate) fn unread(&self, values: &Values) -> Vec<String> {
        let Self::Forwarding { copy: Some((field, copy)), .. } = self else { return Vec::new() };
        let known = [&copy.kept_with, &copy.not_kept_with, &copy.forwards_with];
        let is_known =
            |value: &Value| known.into_iter().flatten().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
        let odd = values.of(&field.name).iter().filter(|value| !is_known(value));
        odd.map(|value| format!("{} has the value {:?}, which may do more", field.name, shown(value))).collect()
    }

    /// Everything that these values send on.
    pub(crate) fn forwarders(&self, values: &Values, around: &Around<'_>) -> Vec<Forwarder> {
        match self {
            Self::Exchange { .. } => self.of_exchange(values, around),
            Self::Forwarding { address, .. } => {
                let (copy, force) = self.how(values, around.own);
                let is_own = |value: &Value| {
                    let text = String::from_utf8_lossy(value).trim().to_lowercase();
                    around.own.contains(&plain(&text))
                };
                let leading = values.of(&address.name).iter().filter(|value| !is_own(value));
                leading.map(|value| around.told(address, destination(value), copy, force)).collect()
            }
        }
    }

    fn of_exchange(&self, values: &Values, around: &Around<'_>) -> Vec<Forwarder> {
        let Self::Exchange { target, alternate, address, keeps } = self else { return Vec::new() };
        let of = |field: &Option<Field>| field.as_ref().map_or(&[][..], |field| values.of(&field.name));
        let mut forwarders = Vec::new();
        let is_beside = !of(alternate).is_empty() || !of(address).is_empty();
        for value in values.of(&target.name) {
            let to = destination(value);
            // A contact's address elsewhere is its own: whoever writes to it is not sent on.
            if around.is_contact && matches!(&to, Destination::Address(to) if around.own.contains(&plain(to))) {
                continue;
            }
            let copy = if is_beside { LocalCopy::Perhaps } else { LocalCopy::NotKept };
            forwarders.push(around.told(target, to, copy, Force::Always));
        }
        let copy = match of(keeps).iter().any(|word| !word.eq_ignore_ascii_case(b"FALSE")) {
            true if !values.of(&target.name).is_empty() => LocalCopy::Perhaps,
            true => LocalCopy::Kept,
            false => LocalCopy::NotKept,
        };
        if let Some(field) = alternate {
            for value in values.of(&field.name) {
                let unknown = || {
                    let name = str::from_utf8(value).map_or("an unreadable name", |value| Keyed::of(value).dn);
                    Destination::Unknown(format!("{name}, whose address can't be read"))
                };
                let to = (around.leads)(value).map_or_else(unknown, Destination::Address);
                forwarders.push(around.told(field, to, copy, Force::Always));
            }
        }
        // Where there is another recipient this address is not looked at.
        let force = if of(alternate).is_empty() { Force::Always } else { Force::Dormant };
        if let Some(field) = address {
            let leading = values.of(&field.name).iter();
            forwarders.extend(leading.map(|value| around.told(field, destination(value), copy, force)));
        }
        forwarders
    }
}

/// Where a value leads.
fn destination(value: &[u8]) -> Destination {
    let text = str::from_utf8(value).unwrap_or_default().trim();
    let is_smtp = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("smtp:"));
    let address = &text[if is_smtp { 5 } else { 0 }..];
    if is_plain_address(address) {
        Destination::Address(address.to_owned())
    } else {
        Destination::Unknown(format!("{:?}, which is no plain address", shown(value)))
    }
}

/// A value for people: no control characters, and no more than fits on a line.
pub(crate) fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut plain: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(320).collect();
    if plain.len() < text.len() && text.chars().count() > 320 {
        plain.push('…');
    }
    plain
}
