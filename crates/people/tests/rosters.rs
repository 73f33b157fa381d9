//! Rosters, with the truth about them in a file that is read once everything is decided: nobody gets a stranger's account, nobody
//! a second one, and what is certain is matched; with what people say about the rest, and once more after changes (R-051 to
//!

#![allow(clippy::unwrap_used, reason = "a test fails by what goes wrong in it")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{AccountState, Address, Digest, Entry, EntryKind};
use people::{
    Class, Filter, MatchRules, Object, ObjectId, Outcome, PeopleRules, Planned, Planning, Reconciliation, Scope,
    Settings, Word, Words, facts, reconcile,
};
use proptest::prelude::*;
use rehearsal::Chance;
use rehearsal::roster::{CODE, MAIN, Mix, Truth, read_truth, roster};
use tempfile::NamedTempFile;

/// An organisation and its platform, as they are by now.
struct Sides {
    objects: Vec<Object>,
    accounts: Vec<Entry>,
    /// What the platform told of once.
    gone: Vec<Entry>,
    words: Words,
    truth: NamedTempFile,
}

/// What was made of them.
struct Decided {
    reconciliation: Reconciliation,
    /// Addresses of what would be made, by whom it is for.
    created: BTreeMap<ObjectId, String>,
    /// For whom something would be made or changed.
    planned: BTreeSet<ObjectId>,
}

type Truths = BTreeMap<ObjectId, Truth>;

impl Sides {
    fn of(seed: u64, mix: Mix) -> Self {
        let truth = NamedTempFile::new().unwrap();
        let roster = roster(seed, mix, truth.path()).unwrap();
        let object = |(directory, entry): (&str, Entry)| Object { id: ObjectId::new(directory, &entry.key), entry };
        let objects = roster.objects.into_iter().map(object).collect();
        Self { objects, accounts: roster.accounts, gone: Vec::new(), words: Words::default(), truth }
    }

    fn truths(&self) -> Truths {
        let all = read_truth(self.truth.path()).unwrap();
        all.into_iter().map(|((directory, key), truth)| (ObjectId::new(&directory, &key), truth)).collect()
    }

    fn decide(&self) -> Decided {
        self.decide_in(&Scope::default(), 0)
    }

    /// What is made of them at this moment.
    fn decide_in(&self, scope: &Scope, at: i64) -> Decided {
        let rules = PeopleRules::default();
        let match_rules = MatchRules { certain: rules.certain.clone() };
        let settings = Settings {
            organisation: CODE,
            project: "main",
            gone: &self.gone,
            made: &HashMap::new(),
            ours_alone: false,
            scope,
            rules: &match_rules,
            words: &self.words,
            required: &rules.required,
            makes_disabled: false,
            at,
            switched_off: &HashMap::new(),
        };
        let reconciliation = reconcile(&self.objects, &self.accounts, settings);
        let planning = Planning {
            objects: &self.objects,
            reconciliation: &reconciliation,
            accounts: &self.accounts,
            gone: &[],
            made: &HashMap::new(),
            switched_off: &HashMap::new(),
            put_in: &HashMap::new(),
            joiners: &[],
            rules: &rules,
            organisation: "Hill Trust",
            code: CODE,
            project: "main",
            short_name: "hill",
            domain: "national.example",
            reserved: &[],
            makes_live: false,
            live: &[],
            registrations_used: 0,
        };
        let plan = planning.plan();
        // Nothing but mailboxes of nobody in particular whose owners wait, or do not move.
        let is_ownerless = |conflict: &people::Conflict| conflict.why.contains("nobody who answers for it");
        assert!(plan.conflicts.iter().all(is_ownerless), "{:?}", plan.conflicts);
        let created = plan.lines.iter().filter_map(|line| match &line.planned {
            Planned::Create { entry, .. } => Some((line.object.clone(), entry.mail.clone()?)),
            _ => None,
        });
        let created = created.collect();
        let planned = plan.lines.iter().map(|line| line.object.clone()).collect();
        Decided { reconciliation, created, planned }
    }

    fn object(&self, id: &ObjectId) -> &Object {
        self.objects.iter().find(|object| object.id == *id).unwrap()
    }

    fn account(&self, key: &str) -> &Entry {
        self.accounts.iter().find(|account| account.key == *key).unwrap()
    }

    /// Whoever knows the truth says of everybody who waits what it is, having seen what there is to see.
    fn say(&mut self, decided: &Decided, truths: &Truths) {
        for row in decided.reconciliation.rows.iter().filter(|row| row.class.name() == "unresolved") {
            let id = &row.matched.object;
            let word = match &truths[id] {
                Truth::Doubtful(Some(theirs)) | Truth::Certain(theirs) => {
                    let (object, account) = (self.object(id), self.account(theirs));
                    if account.organisation.as_deref().is_some_and(|code| code != CODE) {
                        Word::confirmed(object, account, CODE, Outcome::Stays, None)
                    } else {
                        Word::Same { account: theirs.clone(), facts: facts(object, account) }
                    }
                }
                Truth::Twice => Word::Excluded { reason: "until the directories are corrected".to_owned() },
                Truth::Doubtful(None) | Truth::None | Truth::Stands => {
                    let looked_at = row.matched.candidates.iter().map(people::Candidate::looked).collect();
                    Word::NoAccount { looked_at }
                }
            };
            self.words.add(id.clone(), word);
        }
    }
}

impl Decided {
    fn waiting(&self) -> BTreeSet<&ObjectId> {
        let waits = self.reconciliation.rows.iter().filter(|row| row.class.name() == "unresolved");
        waits.map(|row| &row.matched.object).collect()
    }

    /// Whose account is whose, where that is decided.
    fn accounts(&self) -> BTreeMap<&ObjectId, (&str, Digest)> {
        let rows = self.reconciliation.rows.iter();
        let account = rows.filter_map(|row| match &row.class {
            Class::Existing { account } => Some((&row.matched.object, (account.as_str(), row.facts))),
            _ => None,
        });
        account.collect()
    }

    /// Nobody has a stranger's account, nobody an account of two, and no second one is made: of those who have one only of
    /// whom somebody said that they have none.
    fn is_right(&self, truths: &Truths, said: bool, what: &str) {
        let mut given = HashSet::new();
        for (id, (account, _)) in self.accounts() {
            assert!(given.insert(account), "{what}: {account} is two people's");
            let is_theirs = match &truths[id] {
                Truth::Certain(theirs) => theirs == account,
                Truth::Doubtful(Some(theirs)) => said && theirs == account,
                _ => false,
            };
            assert!(is_theirs, "{what}: {id} has {account}, and the truth is {:?}", truths[id]);
        }
        for id in self.created.keys() {
            let may = match &truths[id] {
                Truth::None => true,
                Truth::Doubtful(None) => said,
                Truth::Certain(_) | Truth::Doubtful(Some(_)) | Truth::Twice | Truth::Stands => false,
            };
            assert!(may, "{what}: {id} gets a second account; the truth is {:?}", truths[id]);
        }
    }
}

/// The first round, by rules alone.
fn first_round(sides: &Sides, what: &str) -> (Decided, Truths) {
    let decided = sides.decide();
    let truths = sides.truths();
    decided.is_right(&truths, false, what);
    let planted: BTreeSet<&ObjectId> = truths
        .iter()
        .filter(|(_, truth)| matches!(truth, Truth::Doubtful(_) | Truth::Twice))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(decided.waiting(), planted, "{what}: only what was planted is doubtful");
    let certain = truths.values().filter(|truth| matches!(truth, Truth::Certain(_))).count();
    assert!(decided.accounts().len() * 100 >= certain * 98, "{what}: {} of {certain}", decided.accounts().len());
    let stands = |id: &ObjectId| decided.reconciliation.row(id).unwrap().class.name() == "excluded";
    assert!(truths.iter().all(|(id, truth)| (*truth == Truth::Stands) == stands(id)), "{what}");
    let each: HashSet<&String> = decided.created.values().collect();
    assert_eq!(each.len(), decided.created.len(), "{what}: an address is given twice");
    let taken: HashSet<String> = sides.accounts.iter().flat_map(Entry::mail_keys).collect();
    assert!(each.iter().all(|address| !taken.contains(*address)), "{what}: a taken address");
    (decided, truths)
}

/// What happens to one whose account is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    /// Something that tells nobody from anybody.
    Nothing,
    /// They are called otherwise.
    Marries,
    /// Their account gets another number.
    Renumbered,
    /// Their account is disabled.
    Disabled,
    /// Their account is gone.
    Gone,
}

/// What a plan adds to accounts that are there: the name that is never given again.
fn apply(sides: &mut Sides, decided: &Decided) {
    for (id, (key, _)) in decided.accounts() {
        let Some(legacy_dn) = sides.object(id).entry.legacy_dn.clone() else { continue };
        let account = sides.accounts.iter_mut().find(|account| account.key == key).unwrap();
        if !account.x500_keys().contains(&model::x500_key(&legacy_dn)) {
            account.addresses.push(Address::x500(legacy_dn));
        }
    }
}

/// Things happen on both sides after the list was signed: what, to whom.
fn happen(sides: &mut Sides, decided: &Decided, chance: &mut Chance) -> BTreeMap<ObjectId, Happens> {
    let mut happened = BTreeMap::new();
    for (id, (key, _)) in decided.accounts() {
        let kind = sides.object(id).entry.kind;
        let all = [Happens::Nothing, Happens::Marries, Happens::Renumbered, Happens::Disabled, Happens::Gone];
        let what = if kind == EntryKind::Person { *chance.pick(&all) } else { Happens::Nothing };
        if chance.in_thousand(600) {
            continue;
        }
        let at = sides.accounts.iter().position(|account| account.key == key).unwrap();
        let object = sides.objects.iter_mut().find(|object| object.id == *id).unwrap();
        let account = &mut sides.accounts[at];
        match what {
            Happens::Nothing => {
                object.entry.telephone = Some("+44 1".to_owned());
                account.addresses.push(Address::smtp(format!("further.{key}@national.example")));
            }
            Happens::Marries => object.entry.names.surname = Some(format!("Wed{key}")),
            Happens::Renumbered => account.local_id = Some(format!("7{key}")),
            Happens::Disabled => account.state = AccountState::Disabled,
            Happens::Gone => {
                let account = sides.accounts.remove(at);
                sides.gone.push(account);
            }
        }
        happened.insert(id.clone(), what);
    }
    happened
}

/// Everybody who waits is decided by a person, the list is signed, things happen, and it is looked at again.
fn further_rounds(sides: &mut Sides, first: &Decided, truths: &Truths, chance: &mut Chance, what: &str) {
    sides.say(first, truths);
    let signed = sides.decide();
    signed.is_right(truths, true, what);
    let waiting = signed.waiting();
    assert!(waiting.is_empty(), "{what}: what persons said decides the rest: {waiting:?}");
    let known = |truth: &Truth| matches!(truth, Truth::Certain(_) | Truth::Doubtful(Some(_)));
    assert_eq!(signed.accounts().len(), truths.values().filter(|truth| known(truth)).count(), "{what}");

    apply(sides, &signed);
    let happened = happen(sides, &signed, chance);
    let again = sides.decide();
    again.is_right(truths, true, what);
    let (before, after, waiting) = (signed.accounts(), again.accounts(), again.waiting());
    for (id, (account, facts)) in &before {
        let now = after.get(id).copied();
        match happened.get(*id) {
            // The signature of everybody else holds.
            None | Some(Happens::Nothing) => assert_eq!(now, Some((*account, *facts)), "{what}: {id}"),
            Some(Happens::Gone | Happens::Disabled) => {
                assert_eq!(now, None, "{what}: {id} still has {account}");
                assert!(!again.created.contains_key(*id), "{what}: {id} gets a second account");
            }
            Some(Happens::Marries | Happens::Renumbered) => {
                assert!(now.is_none_or(|(_, now)| now != *facts), "{what}: the signature of {id} is void");
                assert!(!again.created.contains_key(*id), "{what}: {id} gets a second account");
            }
        }
    }

    // Said once more, of those whose account is there.
    let there: HashSet<&str> = sides.accounts.iter().map(|account| account.key.as_str()).collect();
    let is_there = |truth: &Truth| match truth {
        Truth::Certain(key) | Truth::Doubtful(Some(key)) => there.contains(key.as_str()),
        _ => true,
    };
    let (mut asked, gone): (Truths, Truths) = truths.clone().into_iter().partition(|(_, truth)| is_there(truth));
    asked.retain(|id, _| waiting.contains(id));
    let rows = again.reconciliation.rows.iter().filter(|row| asked.contains_key(&row.matched.object)).cloned();
    let decided = Decided {
        reconciliation: Reconciliation { rows: rows.collect() },
        created: BTreeMap::new(),
        planned: BTreeSet::new(),
    };
    sides.say(&decided, truths);
    let last = sides.decide();
    last.is_right(truths, true, what);
    let left = last.waiting();
    assert!(left.iter().all(|id| gone.contains_key(*id)), "{what}: {left:?}");
}

const MIX: Mix = Mix {
    people: 1000,
    existing: 120,
    namesakes: 30,
    elsewhere: 10,
    clashes: 5,
    twice: 3,
    claimed: 4,
    traps: 40,
    annex: 60,
    doubles: 12,
    contacts: 30,
    shared: 40,
    stale: 15,
};

#[test]
fn a_thousand_people_are_told_apart() {
    for seed in 0..20 {
        let mut sides = Sides::of(seed, MIX);
        assert_eq!(sides.objects.len(), 1000);
        let in_main = sides.objects.iter().filter(|object| object.id.directory == MAIN).count();
        assert!((900..1000).contains(&in_main));
        let what = format!("seed {seed}");
        let (decided, truths) = first_round(&sides, &what);
        // These take four times as long; small rosters go through them each time.
        if seed % 4 == 0 {
            further_rounds(&mut sides, &decided, &truths, &mut Chance::new(seed), &what);
        }
    }
}

prop_compose! {
    fn mixes()(
        existing in 0..40usize, namesakes in 0..20usize, elsewhere in 0..8usize, clashes in 0..8usize,
        twice in 0..8usize, claimed in 0..8usize, traps in 0..20usize,
    )(
        annex in 0..20usize, doubles in 0..6usize, contacts in 0..10usize, shared in 0..12usize, stale in 0..9usize,
        existing in Just(existing), namesakes in Just(namesakes), elsewhere in Just(elsewhere),
        clashes in Just(clashes), twice in Just(twice), claimed in Just(claimed), traps in Just(traps),
    ) -> Mix {
        Mix {
            people: 120, existing, namesakes, elsewhere, clashes, twice, claimed, traps, annex, doubles, contacts, shared,
            stale,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn who_is_left_to_the_archive_gets_no_account_and_none_of_theirs_is_changed_r_043(
        seed in any::<u64>(), mix in mixes(), every in 1..7usize,
    ) {
        let mut sides = Sides::of(seed, mix);
        let mut archived = HashSet::new();
        let people = sides.objects.iter_mut().enumerate().filter(|(_, object)| object.entry.kind == EntryKind::Person);
        for (number, object) in people.filter(|(number, _)| number % every == 0) {
            // By a person's word, or by when they last logged in.
            if number % 2 == 0 {
                sides.words.add(object.id.clone(), Word::Archived { reason: "left".to_owned() });
            } else {
                object.entry.last_logon = Some(0);
            }
            archived.insert(object.id.clone());
        }
        let idle = Filter { name: "idle".to_owned(), idle_days: Some(365), ..Filter::default() };
        let scope = Scope { archive: vec![idle], ..Scope::default() };
        let decided = sides.decide_in(&scope, 400 * 86_400);
        for row in &decided.reconciliation.rows {
            let is_archived = archived.contains(&row.matched.object);
            prop_assert_eq!(row.class.name() == "archive-only", is_archived, "{:?}", row);
        }
        prop_assert!(decided.planned.iter().all(|id| !archived.contains(id)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_mix_nobody_gets_a_strangers_account_or_a_second_one(seed in any::<u64>(), mix in mixes()) {
        let mut sides = Sides::of(seed, mix);
        let (decided, truths) = first_round(&sides, "a mix");
        further_rounds(&mut sides, &decided, &truths, &mut Chance::new(seed), "a mix");
    }
}
