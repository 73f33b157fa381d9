//! Who is in scope: filters by where an entry stands, what it is, what it belongs to (R-036).

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{AccountState, Entry, EntryKind, Reference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Object, ObjectId};

/// A text with `*` for anything; letters in either case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// Does this text look like that?
    pub fn fits(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.to_lowercase(), text.to_lowercase());
        let mut parts = pattern.split('*');
        let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// A filter with a name. An entry fits when it fits every condition that is given; a condition fits when one of its values
/// does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Its name: what an excluded entry cites.
    pub name: String,
    /// What the entry stands for: `person`, `shared`, `room`, `equipment`, `system`, `list`, `contact`.
    #[schemars(with = "Vec<String>")]
    pub kinds: Vec<EntryKind>,
    /// Whether its account can be used: `active`, `disabled`, `expired`, `locked`, `inactive`.
    #[schemars(with = "Vec<String>")]
    pub states: Vec<AccountState>,
    /// Where it stands: at or below one of these places.
    pub places: Vec<String>,
    /// It is in one of these groups, or in a group in them: by place, address or name.
    pub groups: Vec<String>,
    /// Its department.
    pub departments: Vec<Pattern>,
    /// One of its mail addresses.
    pub mail: Vec<Pattern>,
    /// Other attributes, by their own names.
    pub attributes: BTreeMap<String, Vec<Pattern>>,
    /// Nobody has logged in for so many days. An entry whose last logon its directory does not tell fits no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_days: Option<u32>,
}

/// Where an entry goes that does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// Nowhere.
    Excluded,
    /// Its mail goes to the archive alone.
    Archived,
}

const DAY_SECONDS: i64 = 86_400;

/// Which entries are in scope: those that one of `include` fits (all, where there is none) and none of `exclude`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Who is in.
    pub include: Vec<Filter>,
    /// Who of those is out.
    pub exclude: Vec<Filter>,
    /// Whose mail, of those that are left, goes to the archive alone.
    pub archive: Vec<Filter>,
}

/// The name that an entry cites that no filter of `include` fits.
pub(crate) const NOT_INCLUDED: &str = "not-included";

impl Scope {
    /// For each object that does not move, as it is at this moment (seconds since 1970): where it goes, and the filter that says so.
    pub fn set_aside(&self, objects: &[Object], at: i64) -> HashMap<ObjectId, (Aside, String)> {
        let all = self.include.iter().chain(&self.exclude).chain(&self.archive);
        let groups: HashMap<&str, HashSet<&ObjectId>> =
            all.flat_map(|filter| &filter.groups).map(|group| (group.as_str(), in_group(group, objects))).collect();
        let fits = |filter: &Filter, object: &Object| {
            filter.fits(&object.entry, at)
                && (filter.groups.is_empty()
                    || filter.groups.iter().any(|group| groups[group.as_str()].contains(&object.id)))
        };
        let why = |object: &Object| {
            if !self.include.is_empty() && !self.include.iter().any(|filter| fits(filter, object)) {
                return Some((Aside::Excluded, NOT_INCLUDED.to_owned()));
            }
            let first = |filters: &[Filter]| {
                filters.iter().find(|filter| fits(filter, object)).map(|filter| filter.name.clone())
            };
            let archived = || first(&self.archive).filter(|_| object.entry.kind.holds_mail());
            let excluded = first(&self.exclude).map(|filter| (Aside::Excluded, filter));
            excluded.or_else(|| archived().map(|filter| (Aside::Archived, filter)))
        };
        objects.iter().filter_map(|object| Some((object.id.clone(), why(object)?))).collect()
    }
}

impl Filter {
    /// Do all conditions but that of the groups fit?
    fn fits(&self, entry: &Entry, at: i64) -> bool {
        let any = |values: &[Pattern], texts: &[&str]| {
            values.is_empty() || values.iter().any(|value| texts.iter().any(|text| value.fits(text)))
        };
        let mail = entry.mail_keys();
        let mail: Vec<&str> = mail.iter().map(String::as_str).collect();
        (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && (self.states.is_empty() || self.states.contains(&entry.state))
            && (self.places.is_empty() || self.places.iter().any(|place| is_at_or_below(entry, place)))
            && any(&self.departments, entry.department.as_deref().as_slice())
            && any(&self.mail, &mail)
            && self.attributes.iter().all(|(name, values)| any(values, &attribute(entry, name)))
            && self
                .idle_days
                .is_none_or(|days| entry.last_logon.is_some_and(|last| last < at - i64::from(days) * DAY_SECONDS))
    }
}

fn attribute<'e>(entry: &'e Entry, name: &str) -> Vec<&'e str> {
    let own = entry.other.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    own.flat_map(|(_, values)| values.iter().map(String::as_str)).collect()
}

/// Distinguished names are compared part by part, without case and spaces around the commas.
fn is_at_or_below(entry: &Entry, place: &str) -> bool {
    let parts = |text: &str| -> Vec<String> { place_parts(text) };
    let Some(own) = entry.place.as_deref() else { return false };
    parts(own).ends_with(&parts(place))
}

/// The parts of a distinguished name (RFC 4514), in the form in which they are compared.
pub(crate) fn place_parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for letter in text.chars() {
        match letter {
            ',' if !escaped => parts.push(String::new()),
            _ => parts.last_mut().into_iter().for_each(|part| part.extend(letter.to_lowercase())),
        }
        escaped = letter == '\\' && !escaped;
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// Who is in a group, and in the groups in it; circles are walked once.
fn in_group<'o>(group: &str, objects: &'o [Object]) -> HashSet<&'o ObjectId> {
    let index = Index::of(objects);
    let mut waiting: Vec<&Object> = objects
        .iter()
        .filter(|object| {
            let entry = &object.entry;
            let is_place = entry.place.as_deref().is_some_and(|place| place_parts(place) == place_parts(group));
            entry.kind == EntryKind::List
                && (is_place || names(entry).into_iter().any(|name| name.eq_ignore_ascii_case(group)))
        })
        .collect();
    let (mut inside, mut seen) = (HashSet::new(), HashSet::new());
    while let Some(list) = waiting.pop() {
        if !seen.insert(&list.id) {
            continue;
        }
        for member in list.entry.members.iter().filter_map(|member| index.find(&list.id.directory, member)) {
            inside.insert(&member.id);
            if member.entry.kind == EntryKind::List {
                waiting.push(member);
            }
        }
    }
    inside
}

fn names(entry: &Entry) -> Vec<&str> {
    let own = [entry.mail.as_deref(), entry.account.as_deref(), entry.names.display.as_deref()];
    own.into_iter().flatten().collect()
}

/// Finds the entry of the platform that another one names.
pub struct Accounts<'o>(Index<'o>, Option<&'o str>);

impl<'o> Accounts<'o> {
    /// Among these entries, which are all of one directory.
    pub fn of(objects: &'o [Object]) -> Self {
        Self(Index::of(objects), objects.first().map(|object| object.id.directory.as_str()))
    }

    /// The key of the entry that is named; none where there is none, or several.
    pub fn key(&self, reference: &Reference) -> Option<&'o str> {
        self.0.find(self.1?, reference).map(|object| object.id.key.as_str())
    }
}

/// Finds the object that another one names.
pub(crate) struct Index<'o> {
    places: HashMap<(&'o str, Vec<String>), &'o Object>,
    keys: HashMap<(&'o str, &'o str), &'o Object>,
    sids: HashMap<&'o str, &'o Object>,
    mail: HashMap<String, Vec<&'o Object>>,
    accounts: HashMap<(&'o str, String), Vec<&'o Object>>,
}

impl<'o> Index<'o> {
    pub(crate) fn of(objects: &'o [Object]) -> Self {
        let mut index = Self {
            places: HashMap::new(),
            keys: HashMap::new(),
            sids: HashMap::new(),
            mail: HashMap::new(),
            accounts: HashMap::new(),
        };
        for object in objects {
            let directory = object.id.directory.as_str();
            if let Some(place) = &object.entry.place {
                index.places.insert((directory, place_parts(place)), object);
            }
            index.keys.insert((directory, object.id.key.as_str()), object);
            if let Some(sid) = &object.entry.sid {
                index.sids.insert(sid, object);
            }
            for mail in object.entry.mail_keys() {
                index.mail.entry(mail).or_default().push(object);
            }
            if let Some(account) = &object.entry.account {
                index.accounts.entry((directory, account.to_lowercase())).or_default().push(object);
            }
        }
        index
    }

    /// Do several objects have this address? Then it names none of them, and nobody outside.
    pub(crate) fn is_of_several(&self, mail: &str) -> bool {
        self.mail.get(&model::mail_key(mail)).is_some_and(|holders| holders.len() > 1)
    }

    /// The object that an entry of this directory names; none where there is none, or several.
    pub(crate) fn find(&self, directory: &str, reference: &Reference) -> Option<&'o Object> {
        let only = |found: Option<&Vec<&'o Object>>| match found.map(Vec::as_slice) {
            Some([one]) => Some(*one),
            _ => None,
        };
        match reference {
            Reference::Key(key) => self.keys.get(&(directory, key.as_str())).copied(),
            Reference::Place(place) => self.places.get(&(directory, place_parts(place))).copied(),
            Reference::Sid(sid) => self.sids.get(sid.as_str()).copied(),
            Reference::Mail(mail) => only(self.mail.get(&model::mail_key(mail))),
            Reference::Name(name) => only(self.accounts.get(&(directory, name.to_lowercase())))
                .or_else(|| only(self.mail.get(&model::mail_key(name)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, kind: EntryKind, place: &str) -> Object {
        let mut entry = Entry::new(key, kind);
        entry.place = Some(place.into());
        Object { id: ObjectId::new("ad", key), entry }
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("Ward*", "ward 7", true),
            ("*7", "Ward 7", true),
            ("W*r*7", "Ward 7", true),
            ("Ward", "Ward 7", false),
            ("*ward*", "A Ward B", true),
            ("a*a", "a", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Pattern(pattern.into()).fits(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_place_is_below_another_part_by_part() {
        let ann = object("1", EntryKind::Person, r"CN=Lee\, Ann,OU=Staff, DC=Corp,DC=Test");
        assert!(is_at_or_below(&ann.entry, "ou=staff,dc=corp,dc=test"));
        assert!(!is_at_or_below(&ann.entry, "OU=Other Staff,DC=corp,DC=test"));
        assert!(!is_at_or_below(&ann.entry, "taff,dc=corp,dc=test"));
    }

    #[test]
    fn groups_count_with_those_in_them_and_circles_end() {
        let mut staff = object("g1", EntryKind::List, "CN=Staff,DC=x");
        let mut wards = object("g2", EntryKind::List, "CN=Wards,DC=x");
        staff.entry.members = vec![Reference::Place("cn=wards,dc=x".into())];
        wards.entry.members = vec![Reference::Place("CN=Staff,DC=x".into()), Reference::Place("CN=Ann,DC=x".into())];
        let ann = object("1", EntryKind::Person, "CN=Ann,DC=x");
        let bob = object("2", EntryKind::Person, "CN=Bob,DC=x");
        let include = vec![Filter { name: "staff".into(), groups: vec!["CN=Staff,DC=x".into()], ..Filter::default() }];
        let excluded = Scope { include, ..Scope::default() }.set_aside(&[staff, wards, ann, bob], 0);
        assert_eq!(excluded.keys().map(|id| id.key.as_str()).collect::<Vec<_>>(), ["2"]);
        assert_eq!(excluded[&ObjectId::new("ad", "2")], (Aside::Excluded, NOT_INCLUDED.to_owned()));
    }

    #[test]
    fn an_excluded_entry_cites_its_filter() {
        let mut ann = object("1", EntryKind::Person, "CN=Ann,DC=x");
        ann.entry.department = Some("Contractors North".into());
        let filter = Filter {
            name: "contractors".into(),
            departments: vec![Pattern("contractors*".into())],
            ..Filter::default()
        };
        let scope = Scope { exclude: vec![filter.clone()], archive: vec![filter.clone()], ..Scope::default() };
        let id = ObjectId::new("ad", "1");
        assert_eq!(scope.set_aside(std::slice::from_ref(&ann), 0)[&id], (Aside::Excluded, "contractors".to_owned()));
        let scope = Scope { archive: vec![filter], ..Scope::default() };
        assert_eq!(scope.set_aside(&[ann], 0)[&id], (Aside::Archived, "contractors".to_owned()));
    }

    #[test]
    fn who_has_not_logged_in_for_long_is_archived_and_who_is_not_known_to_have_is_not() {
        let idle = Filter { name: "idle".into(), idle_days: Some(365), ..Filter::default() };
        let scope = Scope { archive: vec![idle], ..Scope::default() };
        let at = 2_000_000_000;
        let mut people = Vec::new();
        for (key, kind, last_logon) in [
            ("long-ago", EntryKind::Person, Some(at - 366 * DAY_SECONDS)),
            ("a-year-ago", EntryKind::Person, Some(at - 365 * DAY_SECONDS)),
            ("not-told", EntryKind::Person, None),
            ("list", EntryKind::List, Some(0)),
        ] {
            let mut one = object(key, kind, "DC=x");
            one.entry.last_logon = last_logon;
            people.push(one);
        }
        let aside = scope.set_aside(&people, at);
        assert_eq!(aside.keys().map(|id| id.key.as_str()).collect::<Vec<_>>(), ["long-ago"]);
    }
}
