//! What speaks for which account being whose.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{AccountState, Digest, Entry, EntryKind};
use serde::{Deserialize, Serialize};

use super::against::{Contradiction, are_told_apart, contradictions};
use super::{Looked, Matching, Rule};
use crate::object::mark_of;
use crate::{Object, ObjectId, PersonName, facts};

/// How every mark of this program on an account begins.
const MARK: &str = "whimbrel:";

/// One thing that speaks for a pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// By which rule.
    pub rule: Rule,
    /// What both have: the address, the number, the name.
    pub what: String,
    /// Other objects, or other accounts, have it too: it proves nothing about any of them.
    pub is_shared: bool,
    /// It is enough by itself where it is not shared and nothing speaks against it.
    pub is_certain: bool,
}

/// An account that something speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The account's key.
    pub account: String,
    /// What speaks for it, the weightiest first.
    pub evidence: Vec<Evidence>,
    /// What speaks against it.
    pub against: Vec<Contradiction>,
    /// Some of the evidence is certain.
    pub is_certain: bool,
    /// Some of the evidence would be certain if it were theirs alone.
    pub is_shared_evidence: bool,
    /// The account is gone from the platform.
    pub is_gone: bool,
    /// What both are now.
    pub facts: Digest,
}

impl Candidate {
    /// What somebody sees who looks at the account now.
    pub fn looked(&self) -> Looked {
        let evidence = self.evidence.iter().map(|evidence| (evidence.rule, evidence.what.clone())).collect();
        Looked { account: self.account.clone(), facts: self.facts, evidence }
    }
}

/// Who has what, by rule and by what it is.
type Holders = HashMap<(Rule, String), Vec<usize>>;

/// What of one side is found by.
type Keys = Vec<(Rule, String)>;

/// Both sides, ready to be compared.
pub(super) struct Gathering<'g> {
    matching: &'g Matching<'g>,
    /// Every account, those that are gone last.
    accounts: Vec<&'g Entry>,
    /// What each is called.
    names: Vec<Option<PersonName>>,
    /// How many of them are there.
    there: usize,
    holders: Holders,
    /// Where accounts are that have a number or a name that is nearly the same.
    near: Holders,
    own: Vec<Keys>,
    owners: HashMap<(Rule, String), usize>,
    /// Where accounts stand that this program made, by the object they were made for.
    made: HashMap<&'g ObjectId, usize>,
    /// Objects that are there, by the mark that is theirs.
    marks: HashMap<String, &'g ObjectId>,
}

impl<'g> Gathering<'g> {
    pub(super) fn of(matching: &'g Matching<'g>, stubs: &'g [Entry]) -> Self {
        let there: HashSet<&str> = matching.accounts.iter().map(|entry| entry.key.as_str()).collect();
        let gone = matching.gone.iter().chain(stubs).filter(|entry| !there.contains(entry.key.as_str()));
        let accounts: Vec<&Entry> = matching.accounts.iter().chain(gone).collect();
        let names: Vec<Option<PersonName>> = accounts.iter().map(|entry| name(entry)).collect();
        let (mut holders, mut near) = (Holders::new(), Holders::new());
        for (at, account) in accounts.iter().enumerate() {
            for what in of_account(account, matching) {
                holders.entry(what).or_default().push(at);
            }
            let number = if matching.is_ours(account) { local_id(account) } else { None };
            let keys = near_keys(number, names[at].as_ref(), false);
            for what in keys {
                near.entry(what).or_default().push(at);
            }
        }
        let own: Vec<Keys> = matching.objects.iter().map(|object| of_object(object, matching)).collect();
        let mut owners: HashMap<(Rule, String), usize> = HashMap::new();
        own.iter().flatten().for_each(|what| *owners.entry(what.clone()).or_default() += 1);
        let at: HashMap<&str, usize> =
            accounts.iter().enumerate().map(|(at, entry)| (entry.key.as_str(), at)).collect();
        let made = matching.made.iter().filter_map(|(id, key)| Some((id, *at.get(key.as_str())?))).collect();
        let mark = |object: &'g Object| (origin(matching.organisation, matching.project, &object.id), &object.id);
        let marks = matching.objects.iter().map(mark).collect();
        Self { matching, there: matching.accounts.len(), accounts, names, holders, near, own, owners, made, marks }
    }

    /// The candidates of each object, in their order.
    pub(super) fn candidates(&self) -> Vec<Vec<Candidate>> {
        self.matching.objects.iter().zip(&self.own).map(|(object, own)| self.of_one(object, own)).collect()
    }

    fn of_one(&self, object: &Object, own: &Keys) -> Vec<Candidate> {
        let mut found: BTreeMap<usize, Vec<Evidence>> = BTreeMap::new();
        let recorded = self.made.get(&object.id).copied();
        let has_left = has_left(&object.entry);
        for what in own {
            let is_shared = self.owners[what] > 1;
            for &at in self.holders.get(what).into_iter().flatten() {
                // A mark can be copied: it is certain only where it is on the account that was recorded.
                let is_certain = match what.0 {
                    Rule::MadeForThem => recorded == Some(at),
                    // The address of whoever has left may have been given to the next since.
                    Rule::Mail if has_left => false,
                    rule => self.matching.rules.is_certain(rule),
                };
                let evidence = Evidence { rule: what.0, what: what.1.clone(), is_shared, is_certain };
                found.entry(at).or_default().push(evidence);
            }
        }
        if let Some(at) = recorded {
            let known = found.entry(at).or_default();
            if !known.iter().any(|evidence| evidence.rule == Rule::MadeForThem) {
                known.push(weak(Rule::MadeForThem, self.accounts[at].key.clone()));
            }
        }
        let own_name = name(&object.entry);
        for what in near_keys(local_id(&object.entry), own_name.as_ref(), true) {
            for &at in self.near.get(&what).into_iter().flatten() {
                if found.get(&at).into_iter().flatten().any(|evidence| evidence.rule == what.0) {
                    continue;
                }
                let told = match (what.0, &own_name, &self.names[at]) {
                    (Rule::Names, Some(own), Some(other)) => own.may_be(other).then(|| other.key()),
                    (rule, ..) => (rule != Rule::Names).then(|| what.1.clone()),
                };
                if let Some(told) = told {
                    found.entry(at).or_default().push(weak(what.0, told));
                }
            }
        }
        let mut candidates: Vec<Candidate> =
            found.into_iter().filter_map(|(at, evidence)| self.candidate(object, at, evidence)).collect();
        candidates.sort_by(|a, b| {
            let of = |one: &Candidate| (!one.is_certain, one.evidence.clone(), one.account.clone());
            of(a).cmp(&of(b))
        });
        candidates
    }

    fn candidate(&self, object: &Object, at: usize, mut evidence: Vec<Evidence>) -> Option<Candidate> {
        let account = self.accounts[at];
        // A contact that others wrote into the platform's address book is nobody's account.
        if (account.kind == EntryKind::Contact) != (object.entry.kind == EntryKind::Contact) {
            return None;
        }
        evidence.sort();
        evidence.dedup();
        let is_certain = evidence.iter().any(|evidence| evidence.is_certain && !evidence.is_shared);
        let is_shared_evidence = !is_certain && evidence.iter().any(|evidence| evidence.is_certain);
        let mut against = contradictions(&object.entry, account, self.matching, &evidence);
        let other = account.origin.as_deref().filter(|mark| mark.starts_with(MARK));
        let other = other.filter(|mark| self.marks.get(*mark) != Some(&&object.id));
        against.extend(other.map(|mark| Contradiction::MadeFor { whom: mark[MARK.len()..].to_owned() }));
        // Namesakes that are certainly two people are no candidates.
        let is_anothers = other.is_some_and(|mark| self.marks.get(mark).and_then(|id| self.made.get(*id)) == Some(&at));
        let is_recorded = evidence.iter().any(|evidence| evidence.rule == Rule::MadeForThem);
        // Their mailbox may have been made one of many since they left.
        let is_left_mailbox = has_left(&object.entry)
            && evidence.iter().any(|evidence| evidence.rule == Rule::Mail)
            && !against.contains(&Contradiction::LocalId);
        let has_more = is_certain || is_shared_evidence || is_recorded || is_left_mailbox;
        if !has_more && (is_anothers || are_told_apart(&against)) {
            return None;
        }
        let is_gone = at >= self.there;
        let facts = facts(object, account);
        Some(Candidate {
            account: account.key.clone(),
            evidence,
            against,
            is_certain,
            is_shared_evidence,
            is_gone,
            facts,
        })
    }
}

/// Is it somebody who can't use their account any more? The account behind a mailbox of many is disabled as a rule.
fn has_left(entry: &Entry) -> bool {
    let is_out = matches!(entry.state, AccountState::Disabled | AccountState::Expired | AccountState::Leaver);
    is_out && matches!(entry.kind, EntryKind::Person | EntryKind::System)
}

fn weak(rule: Rule, what: String) -> Evidence {
    Evidence { rule, what, is_shared: false, is_certain: false }
}

/// The mark of an entry that a project of this organisation makes for an object.
pub fn origin(organisation: &str, project: &str, object: &ObjectId) -> String {
    format!("{}{object}", mark_of(MARK, organisation, project))
}

fn of_object(object: &Object, matching: &Matching<'_>) -> Keys {
    let entry = &object.entry;
    let mut all = vec![(Rule::MadeForThem, origin(matching.organisation, matching.project, &object.id))];
    let legacy_dn = entry.legacy_dn.as_deref().map(model::x500_key).filter(|key| !key.is_empty());
    all.extend(legacy_dn.into_iter().chain(entry.x500_keys()).map(|dn| (Rule::LegacyDn, dn)));
    all.extend(entry.mail_keys().into_iter().map(|mail| (Rule::Mail, mail)));
    all.extend(local_id(entry).map(|id| (Rule::LocalId, id)));
    all.extend(shown(entry).map(|name| (Rule::Names, name)));
    each_once(all)
}

fn of_account(account: &Entry, matching: &Matching<'_>) -> Keys {
    let mut all: Keys = account.origin.iter().map(|mark| (Rule::MadeForThem, mark.clone())).collect();
    let own_dn = account.legacy_dn.as_deref().map(model::x500_key).filter(|key| !key.is_empty());
    all.extend(account.x500_keys().into_iter().chain(own_dn).map(|dn| (Rule::LegacyDn, dn)));
    all.extend(account.mail_keys().into_iter().map(|mail| (Rule::Mail, mail)));
    if matching.is_ours(account) {
        all.extend(local_id(account).map(|id| (Rule::LocalId, id)));
    }
    all.extend(shown(account).map(|name| (Rule::Names, name)));
    each_once(all)
}

/// What is only nearly the same: a number without its zeros, a name as it may be written otherwise. For doubts only.
fn near_keys(number: Option<String>, name: Option<&PersonName>, looks: bool) -> Keys {
    let number = number.map(|id| (Rule::LocalId, without_zeros(&id).to_owned()));
    let names = name.into_iter().flat_map(|name| name.near_keys(looks)).map(|key| (Rule::Names, key));
    each_once(number.into_iter().chain(names).collect())
}

fn name(entry: &Entry) -> Option<PersonName> {
    if entry.kind == EntryKind::Person { PersonName::loosely(entry) } else { None }
}

fn each_once(mut all: Keys) -> Keys {
    let mut seen = HashSet::new();
    all.retain(|what| seen.insert(what.clone()));
    all
}

pub(crate) fn local_id(entry: &Entry) -> Option<String> {
    entry.local_id.as_deref().map(|id| id.trim().to_lowercase()).filter(|id| !id.is_empty())
}

/// A number of digits without the zeros that it begins with: one directory writes them, another does not.
pub(crate) fn without_zeros(id: &str) -> &str {
    let is_number = id.chars().all(|digit| digit.is_ascii_digit());
    if is_number { id.trim_start_matches('0') } else { id }
}

/// Of what is nobody, the name that is shown.
fn shown(entry: &Entry) -> Option<String> {
    if entry.kind == EntryKind::Person {
        return None;
    }
    entry.names.display.as_deref().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty())
}
