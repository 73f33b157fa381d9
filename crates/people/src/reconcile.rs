//! The reconciliation: every object of the organisation is in exactly one class.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{AccountState, Digest, Entry, EntryKind};
use serde_json::json;

use crate::matching::{local_id, without_zeros};
use crate::plan::has_left;
use crate::{Aside, Doubt, Match, MatchRules, Matching, Object, ObjectId, PersonName, Scope, Standing, Words, facts};

/// What an object lacks, or has too much of, so that no account can be made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// A field that an account needs is empty: given name, surname, local id, display name.
    Lacks(&'static str),
    /// It is nobody in particular, and nobody answers for it.
    NoOwner,
    /// Another object of the organisation has the same: the same field of it, and which object.
    Twice {
        /// Which field: mail address, legacyExchangeDN, local id.
        field: &'static str,
        /// The first other object.
        other: ObjectId,
    },
}

/// The class of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// It has no account; one is to be made.
    New,
    /// It has this account.
    Existing {
        /// The account's key.
        account: String,
    },
    /// It is left out.
    Excluded {
        /// By the filter of this name; none: by a person.
        filter: Option<String>,
        /// Why, where a person did.
        reason: Option<String>,
    },
    /// It gets no account, and its mail goes to the archive alone.
    Archived {
        /// By the filter of this name; none: by a person.
        filter: Option<String>,
        /// Why, where a person did.
        reason: Option<String>,
    },
    /// A person has to decide whose account is whose.
    Unresolved(Doubt),
    /// Its own directory has to be corrected first.
    Incomplete(Vec<Incomplete>),
}

impl Class {
    /// The names of all classes, in the order in which they are told: the four of R-044, and that of R-043.
    pub const NAMES: [&'static str; 5] = ["new", "existing", "excluded", "archive-only", "unresolved"];

    /// The class's name, as lists and reports write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Existing { .. } => "existing",
            Self::Excluded { .. } => "excluded",
            Self::Archived { .. } => "archive-only",
            Self::Unresolved(_) | Self::Incomplete(_) => "unresolved",
        }
    }

    /// Does it stay behind: nothing of it is made on the platform, and nothing goes there?
    pub fn stays_behind(&self) -> bool {
        matches!(self, Self::Excluded { .. } | Self::Archived { .. })
    }
}

/// An object with its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// Its match: candidates, evidence, standing.
    pub matched: Match,
    /// Its class.
    pub class: Class,
    /// What the object and its account were when this was computed: what a sign-off is about. Changes when they do.
    pub facts: Digest,
}

/// All objects of an organisation, each in one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// In the order of their ids.
    pub rows: Vec<Reconciled>,
}

/// What a reconciliation rests on besides what the directories say.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'s> {
    /// Code of the organisation.
    pub organisation: &'s str,
    /// Name of the project.
    pub project: &'s str,
    /// Accounts that the platform told of and does not any more.
    pub gone: &'s [Entry],
    /// Keys of accounts that this program recorded as made, by the object they were made for.
    pub made: &'s HashMap<ObjectId, String>,
    /// Objects whose accounts a plan has switched off and that nobody has switched on since, with what they were before.
    pub switched_off: &'s HashMap<ObjectId, AccountState>,
    /// Accounts under no organisation's code are the organisation's own.
    pub ours_alone: bool,
    /// Who is in scope.
    pub scope: &'s Scope,
    /// Which rules speak.
    pub rules: &'s MatchRules,
    /// What people have decided.
    pub words: &'s Words,
    /// Fields that a new account needs, for people: some of `given`, `surname`, `local-id`, `mail`.
    pub required: &'s [String],
    /// Whoever is switched off at the source and has no account is to get one all the same.
    pub makes_disabled: bool,
    /// When it is, in seconds since 1970.
    pub at: i64,
}

/// Puts every object into its class. Objects come in any order, and no id comes twice.
pub fn reconcile(objects: &[Object], accounts: &[Entry], settings: Settings<'_>) -> Reconciliation {
    let Settings { organisation, project, gone, made, switched_off, ours_alone, scope, rules, words, .. } = settings;
    let set_aside = scope.set_aside(objects, settings.at);
    let matches =
        Matching { objects, accounts, gone, made, switched_off, organisation, project, ours_alone, rules, words }
            .decide();
    let by_key: HashMap<&str, &Entry> = accounts.iter().map(|account| (account.key.as_str(), account)).collect();
    let in_scope = |object: &&Object| !set_aside.contains_key(&object.id) && words.set_aside(&object.id).is_none();
    let twice = Twice::among(objects.iter().filter(in_scope));
    let namesakes = Namesakes::among(objects.iter().filter(in_scope));
    let holders: HashSet<String> =
        accounts.iter().filter(|account| account.kind != EntryKind::Contact).flat_map(Entry::mail_keys).collect();
    let class = |object: &Object, matched: &Match| {
        // A person's word goes before filters.
        let said = words.set_aside(&object.id).map(|(aside, reason)| (aside, None, Some(reason.to_owned())));
        let by_filter = || set_aside.get(&object.id).map(|(aside, filter)| (*aside, Some(filter.clone()), None));
        match said.or_else(by_filter) {
            Some((Aside::Excluded, filter, reason)) => return Class::Excluded { filter, reason },
            Some((Aside::Archived, filter, reason)) => return Class::Archived { filter, reason },
            None => {}
        }
        match &matched.standing {
            Standing::Accepted { account, .. } => Class::Existing { account: account.clone() },
            Standing::Waits(doubt) => Class::Unresolved(doubt.clone()),
            Standing::NoAccount { .. } if stands_there(object, &holders) => {
                Class::Excluded { filter: Some(STANDS_THERE.to_owned()), reason: None }
            }
            Standing::NoAccount { said: false } if !settings.makes_disabled && has_left(&object.entry) => {
                Class::Excluded { filter: Some(SWITCHED_OFF.to_owned()), reason: None }
            }
            Standing::NoAccount { said } => {
                let mut incomplete = incomplete(object, settings.required, &twice);
                // Who says that one has no account has seen that there is another of the name.
                incomplete.extend(namesakes.of(object).filter(|_| !said));
                if incomplete.is_empty() { Class::New } else { Class::Incomplete(incomplete) }
            }
        }
    };
    let mut rows: Vec<Reconciled> = objects
        .iter()
        .zip(matches)
        .map(|(object, matched)| {
            let class = class(object, &matched);
            let account = matched.account().and_then(|key| by_key.get(key));
            let facts = account.map_or_else(|| alone(object), |account| facts(object, account));
            Reconciled { matched, class, facts }
        })
        .collect();
    rows.sort_by(|a, b| a.matched.object.cmp(&b.matched.object));
    Reconciliation { rows }
}

impl Reconciliation {
    /// How many objects each class has, by its name.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts: BTreeMap<&'static str, usize> = Class::NAMES.into_iter().map(|name| (name, 0)).collect();
        for row in &self.rows {
            *counts.entry(row.class.name()).or_default() += 1;
        }
        counts
    }

    /// The row of an object.
    pub fn row(&self, object: &ObjectId) -> Option<&Reconciled> {
        let at = self.rows.binary_search_by(|row| row.matched.object.cmp(object)).ok()?;
        Some(&self.rows[at])
    }
}

/// What an object without an account was.
fn alone(object: &Object) -> Digest {
    let entry = &object.entry;
    let facts = json!([
        object.id.directory,
        entry.key,
        entry.kind,
        entry.legacy_dn,
        entry.mail_keys(),
        entry.account,
        entry.local_id,
        entry.names,
    ]);
    Digest::of(facts.to_string().as_bytes())
}

fn incomplete(object: &Object, required: &[String], twice: &Twice<'_>) -> Vec<Incomplete> {
    let entry = &object.entry;
    let is_empty = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let mut incomplete = Vec::new();
    if entry.kind == EntryKind::Person {
        let fields = [
            ("given", "given name", is_empty(&entry.names.given)),
            ("surname", "surname", is_empty(&entry.names.surname)),
            ("local-id", "local id", is_empty(&entry.local_id)),
            ("mail", "mail address", is_empty(&entry.mail)),
        ];
        let lacks = fields.into_iter().filter(|(name, _, lacks)| *lacks && required.iter().any(|field| field == name));
        incomplete.extend(lacks.map(|(_, what, _)| Incomplete::Lacks(what)));
    } else if is_empty(&entry.names.display) {
        incomplete.push(Incomplete::Lacks("display name"));
    }
    if entry.kind.needs_owner() && entry.owners.is_empty() {
        incomplete.push(Incomplete::NoOwner);
    }
    incomplete.extend(twice.of(object));
    incomplete
}

/// What a contact cites that stands for somebody who has an account of their own.
const STANDS_THERE: &str = "stands-there-already";

/// What somebody cites who is disabled, expired or a leaver at the source and has no account.
const SWITCHED_OFF: &str = "switched-off-at-the-source";

/// Is this a contact whose address an account of the platform has? A second entry would be made for one person.
fn stands_there(object: &Object, holders: &HashSet<String>) -> bool {
    let entry = &object.entry;
    let routed = entry.routed_to.iter().map(|to| model::mail_key(&model::Address::parse(to).text));
    entry.kind == EntryKind::Contact && entry.mail_keys().into_iter().chain(routed).any(|mail| holders.contains(&mail))
}

/// People of several directories whose names may be one person's: whoever stands in two would get two accounts.
struct Namesakes<'o>(HashMap<String, Vec<(&'o ObjectId, PersonName)>>);

impl<'o> Namesakes<'o> {
    fn among(objects: impl Iterator<Item = &'o Object>) -> Self {
        let mut all: HashMap<String, Vec<(&ObjectId, PersonName)>> = HashMap::new();
        let people = objects.filter(|object| object.entry.kind == EntryKind::Person);
        for (object, name) in people.filter_map(|object| Some((object, PersonName::loosely(&object.entry)?))) {
            for key in name.near_keys(false) {
                all.entry(key).or_default().push((&object.id, name.clone()));
            }
        }
        // Within one directory namesakes are two people.
        all.retain(|_, people| people.iter().any(|(id, _)| id.directory != people[0].0.directory));
        Self(all)
    }

    fn of(&self, object: &Object) -> Option<Incomplete> {
        let own = PersonName::loosely(&object.entry).filter(|_| object.entry.kind == EntryKind::Person)?;
        let keys = own.near_keys(true);
        let mut others = keys.iter().flat_map(|key| self.0.get(key).into_iter().flatten());
        let (other, _) = others.find(|(id, name)| id.directory != object.id.directory && own.may_be(name))?;
        Some(Incomplete::Twice { field: "name, in another directory", other: (*other).clone() })
    }
}

/// What several objects have that only one should.
struct Twice<'o>(HashMap<(&'static str, String), Vec<&'o ObjectId>>);

impl<'o> Twice<'o> {
    fn among(objects: impl Iterator<Item = &'o Object>) -> Self {
        let mut holders: HashMap<(&'static str, String), Vec<&ObjectId>> = HashMap::new();
        for object in objects {
            for what in unique(&object.entry) {
                holders.entry(what).or_default().push(&object.id);
            }
        }
        holders.retain(|_, ids| ids.len() > 1);
        Self(holders)
    }

    fn of(&self, object: &Object) -> Vec<Incomplete> {
        let others = unique(&object.entry).into_iter().filter_map(|what| {
            let other = self.0.get(&what)?.iter().find(|id| ***id != object.id)?;
            Some(Incomplete::Twice { field: what.0, other: (*other).clone() })
        });
        others.collect()
    }
}

fn unique(entry: &Entry) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&'static str, String)> =
        entry.mail_keys().into_iter().map(|mail| ("mail address", mail)).collect();
    all.extend(entry.legacy_dn.as_deref().map(|dn| ("legacyExchangeDN", model::x500_key(dn))));
    if entry.kind == EntryKind::Person {
        all.extend(local_id(entry).map(|id| ("local id", without_zeros(&id).to_owned())));
    }
    all.retain(|(_, text)| !text.is_empty());
    all
}
