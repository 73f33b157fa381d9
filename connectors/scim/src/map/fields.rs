//! Which attribute of a resource holds which field of an entry.

use std::collections::BTreeMap;

use model::{AccountState, EntryKind};
use serde_json::{Map as Object, Value};

use crate::config::Config;
use crate::wire::answer::get;

/// The core schemas.
pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The extension for people of an enterprise (RFC 7643 section 4.3).
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Our own extension, of users and of groups, where the platform has it.
pub const EXTENSION: &str = "urn:whimbrel:params:scim:schemas:extension:2.0:Entry";

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    User,
    Group,
}

impl Type {
    pub(crate) const EVERY: [Self; 2] = [Self::User, Self::Group];

    /// The type that an entry of this kind is.
    pub(crate) fn of(kind: EntryKind) -> Self {
        if kind == EntryKind::List { Self::Group } else { Self::User }
    }

    pub(crate) fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

macro_rules! fields {
    ($($variant:ident $name:literal $user:expr, $group:expr;)+) => {
        /// A field of an entry that one attribute holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Field { $($variant,)+ }

        impl Field {
            pub(crate) const EVERY: &[Self] = &[$(Self::$variant,)+];

            /// Its name in settings.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What usually holds it.
            fn usual(self, of: Type) -> &'static str {
                match (self, of) { $((Self::$variant, Type::User) => $user, (Self::$variant, Type::Group) => $group,)+ }
            }
        }
    };
}

// `ext:` is our extension, `ent:` that for enterprises, `phone:` a number of that type; nothing: it is not held.
fields! {
    Account "account" "userName", "";
    Title "title" "name.honorificPrefix", "";
    Given "given" "name.givenName", "";
    Initials "initials" "ext:initials", "";
    Surname "surname" "name.familyName", "";
    Display "display" "displayName", "displayName";
    Addresses "addresses" "ext:addresses", "ext:addresses";
    LegacyDn "legacy_dn" "ext:legacyExchangeDN", "ext:legacyExchangeDN";
    RoutedTo "routed_to" "ext:routedTo", "ext:routedTo";
    Organisation "organisation" "ent:organization", "ext:organisation";
    LocalId "local_id" "ent:employeeNumber", "ext:localId";
    JobTitle "job_title" "title", "";
    Department "department" "ent:department", "ext:department";
    Telephone "telephone" "phone:work", "ext:telephone";
    Mobile "mobile" "phone:mobile", "";
    HidesMobile "hides_mobile" "ext:hidesMobile", "";
    Hidden "hidden" "ext:hidden", "ext:hidden";
    LastLogon "last_logon" "ext:lastLogon", "";
    Activated "activated" "ext:activated", "";
    Quota "quota" "ext:quotaBytes", "";
    Owners "owners" "ext:owners", "ext:owners";
    Members "members" "ext:members", "ext:members";
    State "state" "ext:state", "";
    Kind "kind" "userType", "";
}

impl Field {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.iter().copied().find(|field| field.name() == name)
    }
}

/// Where an attribute is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The extension that it belongs to.
    pub(crate) urn: Option<String>,
    pub(crate) name: String,
    pub(crate) sub: Option<String>,
}

impl Path {
    /// Reads one as RFC 7644 writes it, without a filter in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_".contains(&byte))
        };
        let (urn, rest) = match text.rsplit_once(':') {
            Some((urn, rest)) if urn.starts_with("urn:") && urn.bytes().all(|byte| byte.is_ascii_graphic()) => {
                (Some(urn.to_owned()), rest)
            }
            Some(_) => return None,
            None => (None, text),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        let is_good = is_name(name) && sub.is_none_or(is_name);
        is_good.then(|| Self { urn, name: name.to_owned(), sub: sub.map(str::to_owned) })
    }

    /// What stands there.
    pub(crate) fn get<'v>(&self, resource: &'v Value) -> Option<&'v Value> {
        let resource = match &self.urn {
            Some(urn) => get(resource, urn)?,
            None => resource,
        };
        let value = get(resource, &self.name)?;
        match &self.sub {
            Some(sub) => get(value, sub),
            None => Some(value),
        }
    }

    /// Puts something there, or takes away what is there, with what gets empty by that.
    pub(crate) fn set(&self, resource: &mut Value, value: Option<Value>) {
        let names = self.urn.iter().chain([&self.name]).chain(&self.sub);
        let names: Vec<&str> = names.map(String::as_str).collect();
        set(resource, &names, value);
        if let Some(urn) = &self.urn
            && get(resource, urn).is_some()
        {
            add_schema(resource, urn);
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.name)?;
        self.sub.iter().try_for_each(|sub| write!(f, ".{sub}"))
    }
}

fn set(place: &mut Value, names: &[&str], value: Option<Value>) {
    let [name, rest @ ..] = names else { return };
    if !place.is_object() {
        *place = Value::Object(Object::new());
    }
    let Some(object) = place.as_object_mut() else { return };
    let own = object.keys().find(|own| own.eq_ignore_ascii_case(name)).cloned();
    let key = own.unwrap_or_else(|| (*name).to_owned());
    if rest.is_empty() {
        match value {
            Some(value) => drop(object.insert(key, value)),
            None => drop(object.remove(&key)),
        }
        return;
    }
    if value.is_none() && !object.contains_key(&key) {
        return;
    }
    let inner = object.entry(key.clone()).or_insert_with(|| Value::Object(Object::new()));
    set(inner, rest, value);
    if inner.as_object().is_some_and(Object::is_empty) {
        object.remove(&key);
    }
}

fn add_schema(resource: &mut Value, urn: &str) {
    let Some(object) = resource.as_object_mut() else { return };
    let schemas = object.entry("schemas").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(schemas) = schemas.as_array_mut()
        && !schemas.iter().any(|own| own.as_str().is_some_and(|own| own.eq_ignore_ascii_case(urn)))
    {
        schemas.push(urn.into());
    }
}

/// What holds a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// An attribute. It is our extension's, which a platform has only if it says so; or known to be there.
    Attribute { path: Path, is_ours: bool },
    /// The number of this type among phoneNumbers.
    Phone(&'static str),
}

/// Which attribute holds what, on one platform.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    user: BTreeMap<Field, Holder>,
    group: BTreeMap<Field, Holder>,
    /// Further attributes to read.
    pub(crate) other: Vec<Path>,
    /// The organisation of whoever has none.
    pub(crate) organisation: Option<String>,
    /// What says that a first password has to be changed.
    pub(crate) must_change: Option<Path>,
    kinds: BTreeMap<EntryKind, String>,
    states: BTreeMap<AccountState, String>,
}

impl Map {
    pub(crate) fn of(config: &Config) -> Self {
        let holders = |of: Type, own: &BTreeMap<String, String>| -> BTreeMap<Field, Holder> {
            let all = Field::EVERY.iter().filter_map(|field| {
                let holder = match own.get(field.name()) {
                    Some(path) => Holder::Attribute { path: Path::parse(path)?, is_ours: false },
                    None => usual(field.usual(of))?,
                };
                Some((*field, holder))
            });
            all.collect()
        };
        Self {
            user: holders(Type::User, &config.attributes),
            group: holders(Type::Group, &config.group_attributes),
            other: config.other.iter().filter_map(|path| Path::parse(path)).collect(),
            organisation: config.organisation.clone(),
            must_change: config.must_change.as_deref().and_then(Path::parse),
            kinds: config.kinds.clone(),
            states: config.states.clone(),
        }
    }

    pub(crate) fn holder(&self, of: Type, field: Field) -> Option<&Holder> {
        match of {
            Type::User => self.user.get(&field),
            Type::Group => self.group.get(&field),
        }
    }

    /// The attribute that holds a field, where it is one.
    pub(crate) fn path(&self, of: Type, field: Field) -> Option<&Path> {
        match self.holder(of, field)? {
            Holder::Attribute { path, .. } => Some(path),
            Holder::Phone(_) => None,
        }
    }

    /// The value by which a kind is told; none for a person, unless the settings have one.
    pub(crate) fn kind_value(&self, kind: EntryKind) -> Option<&str> {
        let usual = (kind != EntryKind::Person).then(|| kind.name());
        self.kinds.get(&kind).map(String::as_str).or(usual)
    }

    /// The kind of a value.
    pub(crate) fn kind(&self, value: &str) -> EntryKind {
        let mut kinds = EntryKind::EVERY.into_iter().filter(|kind| *kind != EntryKind::List);
        let is_it = |kind: &EntryKind| self.kind_value(*kind).is_some_and(|own| own.eq_ignore_ascii_case(value));
        kinds.find(is_it).unwrap_or(EntryKind::Person)
    }

    /// The value by which a state is told; none for those that `active` alone tells, unless the settings have one.
    pub(crate) fn state_value(&self, state: AccountState) -> Option<&str> {
        let usual = (!matches!(state, AccountState::Active | AccountState::Disabled)).then(|| state.name());
        self.states.get(&state).map(String::as_str).or(usual)
    }

    /// The state of these two.
    pub(crate) fn state(&self, is_active: bool, value: Option<&str>) -> AccountState {
        let mut states = AccountState::EVERY.into_iter().filter(|state| can_log_in(*state) == is_active);
        let is_it = |state: &AccountState| {
            self.state_value(*state).zip(value).is_some_and(|(own, value)| own.eq_ignore_ascii_case(value))
        };
        // Where the two do not go together, whether it can be used is what counts.
        states.find(is_it).unwrap_or(if is_active { AccountState::Active } else { AccountState::Disabled })
    }
}

/// Can an account in this state be used?
pub(crate) fn can_log_in(state: AccountState) -> bool {
    matches!(state, AccountState::Active | AccountState::Leaver | AccountState::Inactive)
}

fn usual(text: &'static str) -> Option<Holder> {
    if text.is_empty() {
        return None;
    }
    if let Some(kind) = text.strip_prefix("phone:") {
        return Some(Holder::Phone(kind));
    }
    let (path, is_ours) = match text.split_once(':') {
        Some(("ext", name)) => (Path { urn: Some(EXTENSION.to_owned()), name: name.to_owned(), sub: None }, true),
        Some((_, name)) => (Path { urn: Some(ENTERPRISE.to_owned()), name: name.to_owned(), sub: None }, false),
        None => (Path::parse(text)?, false),
    };
    Some(Holder::Attribute { path, is_ours })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        for text in ["title", "name.givenName", "urn:a:b:2.0:User:x", "urn:a:2.0:User:manager.value"] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a b", "emails[type eq \"work\"]", "a.b.c", "x:y", "urn:a:", "1a", "urn:a b:c"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_gets_empty_goes_and_names_keep_their_case() {
        let path = Path::parse("urn:a:b:x").unwrap();
        let mut resource = json!({ "schemas": [], "URN:A:B": { "X": 1 } });
        path.set(&mut resource, Some(2.into()));
        assert_eq!(resource, json!({ "schemas": ["urn:a:b"], "URN:A:B": { "X": 2 } }));
        path.set(&mut resource, None);
        assert_eq!(resource, json!({ "schemas": ["urn:a:b"] }));
    }

    #[test]
    fn a_state_is_what_goes_with_whether_it_can_be_used() {
        let map = Map::of(&Config::new("https://x"));
        assert_eq!(map.state(false, Some("pending")), AccountState::Pending);
        assert_eq!(map.state(true, Some("pending")), AccountState::Active);
        assert_eq!(map.state(true, Some("Leaver")), AccountState::Leaver);
        assert_eq!(map.state(false, Some("leaver")), AccountState::Disabled);
        assert_eq!(map.state(false, None), AccountState::Disabled);
    }
}
