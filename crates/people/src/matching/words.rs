//! What people have decided, each about two entries as they were then.

use std::collections::BTreeMap;

use model::{AccountState, Digest, Entry};
use serde::{Deserialize, Serialize};

use super::{Candidate, Rule};
use crate::{Aside, Object, ObjectId, facts};

/// What somebody confirmed about an account under another organisation's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is theirs, and stays under that organisation.
    Stays,
    /// It is theirs; they left there and joined here.
    Transferred,
    /// It is somebody else's.
    SomebodyElse,
}

/// What somebody had before them who looked at an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The account's key.
    pub account: String,
    /// What both were.
    pub facts: Digest,
    /// What spoke for it.
    pub evidence: Vec<(Rule, String)>,
}

impl Looked {
    /// Was all of this looked at?
    fn covers(&self, candidate: &Candidate) -> bool {
        let is_known = |rule: Rule, what: &str| self.evidence.iter().any(|known| known.0 == rule && known.1 == what);
        self.account == candidate.account
            && self.facts == candidate.facts
            && candidate.evidence.iter().all(|evidence| is_known(evidence.rule, &evidence.what))
    }
}

/// A decision about an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "word")]
pub enum Word {
    /// This account is theirs.
    Same {
        /// Its key.
        account: String,
        /// What both were.
        facts: Digest,
    },
    /// This account is not theirs.
    Different(Looked),
    /// They have no account, whatever the evidence: these were looked at.
    NoAccount {
        /// The accounts that were candidates then.
        looked_at: Vec<Looked>,
    },
    /// Its person confirmed whose the account under another organisation's code is.
    Confirmed {
        /// Its key.
        account: String,
        /// What both were.
        facts: Digest,
        /// What was confirmed.
        outcome: Outcome,
        /// What both are once the transfer that was confirmed has happened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transferred: Option<Digest>,
        /// What spoke for it.
        #[serde(default)]
        evidence: Vec<(Rule, String)>,
    },
    /// They joined after the cut-off date, and get an account all the same.
    Admitted,
    /// Their account may be live once it is made, without a forwarder to the source, for this reason.
    Exempted {
        /// Why.
        reason: String,
    },
    /// They do not move, for this reason.
    Excluded {
        /// Why.
        reason: String,
    },
    /// Their mail goes to the archive alone, for this reason.
    Archived {
        /// Why.
        reason: String,
    },
}

impl Word {
    /// What its person confirmed about an account. A transfer changes the account's code, and its state on the way: it is
    /// confirmed for as long as nothing else changes.
    pub fn confirmed(
        object: &Object,
        account: &Entry,
        organisation: &str,
        outcome: Outcome,
        looked: Option<Looked>,
    ) -> Self {
        let (facts, transferred) = match outcome {
            Outcome::Transferred => {
                let moved = Entry { organisation: Some(organisation.to_owned()), ..account.clone() };
                (whatever_its_state(object, account), Some(whatever_its_state(object, &moved)))
            }
            Outcome::Stays | Outcome::SomebodyElse => (facts(object, account), None),
        };
        let evidence = looked.map(|looked| looked.evidence).unwrap_or_default();
        Self::Confirmed { account: account.key.clone(), facts, outcome, transferred, evidence }
    }
}

fn whatever_its_state(object: &Object, account: &Entry) -> Digest {
    facts(object, &Entry { state: AccountState::Active, ..account.clone() })
}

/// The account that a person gave an object.
pub(super) struct Given<'w> {
    pub(super) account: &'w str,
    word: &'w Word,
}

impl Given<'_> {
    /// Are both still what they were?
    pub(super) fn holds(&self, object: &Object, account: &Entry) -> bool {
        match self.word {
            Word::Same { facts: decided, .. } => facts(object, account) == *decided,
            Word::Confirmed { facts: decided, outcome: Outcome::Transferred, transferred, .. } => {
                let now = whatever_its_state(object, account);
                now == *decided || Some(now) == *transferred
            }
            Word::Confirmed { facts: decided, .. } => facts(object, account) == *decided,
            _ => false,
        }
    }

    /// Did the account's own person say so?
    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.word, Word::Confirmed { .. })
    }
}

/// The decisions in force: for each object, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(BTreeMap<ObjectId, Vec<Word>>);

impl Words {
    /// Adds a decision, the latest.
    pub fn add(&mut self, object: ObjectId, word: Word) {
        self.0.entry(object).or_default().push(word);
    }

    /// The latest decision of an object that this finds something in.
    fn latest<'w, T>(&'w self, object: &ObjectId, found: impl Fn(&'w Word) -> Option<T>) -> Option<T> {
        self.0.get(object)?.iter().rev().find_map(found)
    }

    /// Where a person said that the object goes, since it does not move, and why, if one did.
    pub fn set_aside(&self, object: &ObjectId) -> Option<(Aside, &str)> {
        self.latest(object, |word| match word {
            Word::Excluded { reason } => Some((Aside::Excluded, reason.as_str())),
            Word::Archived { reason } => Some((Aside::Archived, reason.as_str())),
            _ => None,
        })
    }

    /// Did a person say that it gets an account although it came after the cut-off date?
    pub fn is_admitted(&self, object: &ObjectId) -> bool {
        self.latest(object, |word| matches!(word, Word::Admitted).then_some(())).is_some()
    }

    /// Has a person last said that this account is not theirs, or that they have none?
    pub fn speak_against(&self, object: &ObjectId, account: &str) -> bool {
        let latest = self.latest(object, |word| match word {
            Word::Different(looked) if looked.account == account => Some(true),
            Word::Confirmed { account: about, outcome, .. } if about == account => {
                Some(*outcome == Outcome::SomebodyElse)
            }
            Word::Same { account: about, .. } if about == account => Some(false),
            Word::NoAccount { .. } => Some(true),
            _ => None,
        });
        latest.unwrap_or_default()
    }

    /// Why its account may be live once it is made, if a person said so.
    pub fn exempted(&self, object: &ObjectId) -> Option<&str> {
        self.latest(object, |word| match word {
            Word::Exempted { reason } => Some(reason.as_str()),
            _ => None,
        })
    }

    /// The account that a person gave it. A confirmation that it is theirs gives it, too.
    pub(super) fn given(&self, object: &ObjectId) -> Option<Given<'_>> {
        let latest = self.latest(object, |word| match word {
            Word::Same { account, .. }
            | Word::Confirmed { account, outcome: Outcome::Stays | Outcome::Transferred, .. } => {
                Some(Some(Given { account, word }))
            }
            Word::NoAccount { .. } => Some(None),
            Word::Different(_)
            | Word::Confirmed { .. }
            | Word::Exempted { .. }
            | Word::Excluded { .. }
            | Word::Archived { .. }
            | Word::Admitted => None,
        });
        let given = latest.flatten()?;
        let taken_back = self.0.get(object)?.iter().rev().find_map(|word| match word {
            Word::Same { account, .. } if account == given.account => Some(false),
            Word::Confirmed { account, outcome, .. } if account == given.account => {
                Some(*outcome == Outcome::SomebodyElse)
            }
            Word::Different(looked) if looked.account == given.account => Some(true),
            _ => None,
        });
        (taken_back != Some(true)).then_some(given)
    }

    /// Did a person say that this account is not theirs, of both as they are and having seen all that speaks for it?
    pub(super) fn are_different(&self, object: &ObjectId, candidate: &Candidate) -> bool {
        let key = &candidate.account;
        let latest = self.latest(object, |word| match word {
            Word::Different(looked) if looked.account == *key => Some(Some(looked.clone())),
            Word::Confirmed { account, facts, outcome: Outcome::SomebodyElse, evidence, .. } if account == key => {
                Some(Some(Looked { account: account.clone(), facts: *facts, evidence: evidence.clone() }))
            }
            Word::Same { account, .. } | Word::Confirmed { account, .. } if account == key => Some(None),
            _ => None,
        });
        latest.flatten().is_some_and(|looked| looked.covers(candidate))
    }

    /// Did a person say that it has no account, having looked at all these as they are?
    pub(super) fn has_none(&self, object: &ObjectId, candidates: &[Candidate]) -> bool {
        let latest = self.latest(object, |word| match word {
            Word::NoAccount { looked_at } => Some(Some(looked_at)),
            Word::Same { .. } | Word::Confirmed { .. } => Some(None),
            _ => None,
        });
        let Some(Some(looked_at)) = latest else { return false };
        candidates.iter().all(|candidate| looked_at.iter().any(|looked| looked.covers(candidate)))
    }
}
