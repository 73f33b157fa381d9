//! Which account of the platform is whose.
//!
//! Evidence is gathered for every pair of an object and an account that has any. A pair is accepted by rule only when its
//! evidence is certain, points to nobody else on either side, and nothing contradicts it. Everything else waits for a named
//! person, with the reason.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{AccountState, Entry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::has_left;
use crate::{Object, ObjectId};

mod against;
mod evidence;
mod words;

pub use against::Contradiction;
pub use evidence::{Candidate, Evidence, origin};
pub(crate) use evidence::{local_id, without_zeros};
use words::Given;
pub use words::{Looked, Outcome, Word, Words};

/// A way to know that an account is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// It bears the mark that this program made it for them.
    MadeForThem,
    /// Its X500 addresses hold their legacyExchangeDN.
    LegacyDn,
    /// It has one of their mail addresses.
    Mail,
    /// It has the number that their organisation tells its people apart by, under the same organisation.
    LocalId,
    /// It has their first and last name.
    Names,
}

impl Rule {
    /// Every rule, in the order of their weight.
    pub const EVERY: [Self; 5] = [Self::MadeForThem, Self::LegacyDn, Self::Mail, Self::LocalId, Self::Names];

    /// The rule's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::MadeForThem => "made-for-them",
            Self::LegacyDn => "legacy-dn",
            Self::Mail => "mail",
            Self::LocalId => "local-id",
            Self::Names => "names",
        }
    }
}

/// Which rules are certain; every other one only raises a doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchRules {
    /// Rules that accept by themselves, in the order in which they are cited.
    pub certain: Vec<Rule>,
}

impl Default for MatchRules {
    fn default() -> Self {
        Self { certain: vec![Rule::LegacyDn, Rule::Mail, Rule::LocalId] }
    }
}

impl MatchRules {
    /// Names never are, whatever is written.
    fn is_certain(&self, rule: Rule) -> bool {
        rule != Rule::Names && self.certain.contains(&rule)
    }

    /// The weightiest certain rule that speaks for a candidate.
    fn first_of(&self, candidate: &Candidate) -> Option<Rule> {
        let speaks = |rule: &Rule| {
            candidate
                .evidence
                .iter()
                .any(|evidence| evidence.rule == *rule && evidence.is_certain && !evidence.is_shared)
        };
        let in_order = std::iter::once(Rule::MadeForThem).chain(self.certain.iter().copied());
        in_order.into_iter().find(speaks)
    }
}

/// Why a person has to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "doubt")]
pub enum Doubt {
    /// There is nothing but weak evidence.
    Weak,
    /// Certain evidence points to several accounts.
    SeveralAccounts,
    /// Certain evidence points from this account to several objects.
    ClaimedByOthers {
        /// The others.
        others: Vec<ObjectId>,
    },
    /// A person has given the account to somebody else.
    Taken {
        /// To whom.
        by: ObjectId,
    },
    /// Something speaks against it.
    Contradicted {
        /// What.
        by: Vec<Contradiction>,
    },
    /// What the evidence rests on, others have too: a shared address, a number given twice.
    NotTheirsAlone,
    /// The account can't be used as it is.
    Unusable {
        /// What it is.
        state: AccountState,
    },
    /// The account is under another organisation's code: its person has to confirm.
    OtherOrganisation {
        /// Which.
        organisation: String,
    },
    /// The platform tells organisations apart, and of this account it does not say which.
    NoOrganisation,
    /// A person decided, and what they decided about has changed since.
    ChangedSince,
    /// A person gave it an account that is not there any more.
    AccountGone,
    /// What speaks for it speaks for an account that is gone from the platform.
    GoneFromPlatform {
        /// Its key.
        account: String,
    },
}

/// Where an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has this account.
    Accepted {
        /// The account's key.
        account: String,
        /// The rule that accepted it; none: a person did.
        rule: Option<Rule>,
    },
    /// A person has to decide.
    Waits(Doubt),
    /// It has none.
    NoAccount {
        /// A person said so, against what evidence there is.
        said: bool,
    },
}

/// An object with its candidates, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which object.
    pub object: ObjectId,
    /// Accounts that something speaks for, the weightiest first.
    pub candidates: Vec<Candidate>,
    /// Where it stands.
    pub standing: Standing,
}

impl Match {
    /// The account it has, if that is certain.
    pub fn account(&self) -> Option<&str> {
        match &self.standing {
            Standing::Accepted { account, .. } => Some(account),
            Standing::Waits(_) | Standing::NoAccount { .. } => None,
        }
    }
}

/// What is matched.
#[derive(Clone, Copy, Debug)]
pub struct Matching<'m> {
    /// Every object of the organisation, those that are out of scope, too: their claims count.
    pub objects: &'m [Object],
    /// Every account that the platform tells of.
    pub accounts: &'m [Entry],
    /// Accounts that it told of and does not any more: whose they were has none only when a person says so.
    pub gone: &'m [Entry],
    /// Keys of accounts that this program recorded as made, by the object they were made for.
    pub made: &'m HashMap<ObjectId, String>,
    /// Objects whose accounts a plan has switched off and that nobody has switched on since, with what they were before.
    pub switched_off: &'m HashMap<ObjectId, AccountState>,
    /// Code of the organisation.
    pub organisation: &'m str,
    /// Name of the project.
    pub project: &'m str,
    /// Accounts under no organisation's code are the organisation's own.
    pub ours_alone: bool,
    /// Which rules speak.
    pub rules: &'m MatchRules,
    /// What people have decided.
    pub words: &'m Words,
}

impl Matching<'_> {
    /// Where each object stands, in their order.
    pub fn decide(&self) -> Vec<Match> {
        let stubs = self.stubs();
        let mut candidates = evidence::Gathering::of(self, &stubs).candidates();
        for (object, candidates) in self.objects.iter().zip(&mut candidates) {
            candidates.retain(|candidate| !self.words.are_different(&object.id, candidate));
        }
        let accounts: HashMap<&str, &Entry> = self.accounts.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        let taken = self.taken(&accounts);
        let mut claims: BTreeMap<&str, BTreeSet<&ObjectId>> = BTreeMap::new();
        for (object, candidates) in self.objects.iter().zip(&candidates) {
            let is_decided = self.words.given(&object.id).is_some() || self.words.has_none(&object.id, candidates);
            for candidate in candidates.iter().filter(|candidate| candidate.is_certain && !is_decided) {
                claims.entry(&candidate.account).or_default().insert(&object.id);
            }
        }
        let deciding = Deciding { matching: self, accounts: &accounts, taken: &taken, claims: &claims };
        let standings: Vec<Standing> = self
            .objects
            .iter()
            .zip(&candidates)
            .map(|(object, candidates)| deciding.standing(object, candidates))
            .collect();
        let matches = self.objects.iter().zip(candidates).zip(standings);
        matches
            .map(|((object, candidates), standing)| Match { object: object.id.clone(), candidates, standing })
            .collect()
    }

    /// Is the account under the organisation's own code?
    fn is_ours(&self, account: &Entry) -> bool {
        match &account.organisation {
            Some(code) => code.eq_ignore_ascii_case(self.organisation),
            None => self.ours_alone,
        }
    }

    /// Accounts that were made and that the platform has never told of: nothing is known of them but whose they are.
    fn stubs(&self) -> Vec<Entry> {
        let known: HashSet<&str> = self.accounts.iter().chain(self.gone).map(|entry| entry.key.as_str()).collect();
        let made = self.objects.iter().filter_map(|object| Some((object, self.made.get(&object.id)?)));
        let unknown = made.filter(|(_, key)| !known.contains(key.as_str()));
        unknown.map(|(object, key)| Entry::new(key.as_str(), object.entry.kind)).collect()
    }

    /// Accounts that people have given to an object, with the object; none of two objects that were given the same.
    fn taken(&self, accounts: &HashMap<&str, &Entry>) -> HashMap<String, ObjectId> {
        let mut taken: HashMap<String, ObjectId> = HashMap::new();
        for object in self.objects {
            let Some(given) = self.words.given(&object.id) else { continue };
            if accounts.contains_key(given.account) {
                taken.entry(given.account.to_owned()).or_insert_with(|| object.id.clone());
            }
        }
        taken
    }
}

struct Deciding<'d> {
    matching: &'d Matching<'d>,
    accounts: &'d HashMap<&'d str, &'d Entry>,
    taken: &'d HashMap<String, ObjectId>,
    claims: &'d BTreeMap<&'d str, BTreeSet<&'d ObjectId>>,
}

impl Deciding<'_> {
    fn standing(&self, object: &Object, candidates: &[Candidate]) -> Standing {
        let words = self.matching.words;
        if let Some(given) = words.given(&object.id) {
            return self.given(object, candidates, &given);
        }
        if words.has_none(&object.id, candidates) {
            return Standing::NoAccount { said: true };
        }
        self.by_rule(object, candidates)
    }

    fn by_rule(&self, object: &Object, candidates: &[Candidate]) -> Standing {
        let gone =
            |candidate: &Candidate| Standing::Waits(Doubt::GoneFromPlatform { account: candidate.account.clone() });
        let certain: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.is_certain).collect();
        match certain.as_slice() {
            [] if candidates.is_empty() => Standing::NoAccount { said: false },
            [] if candidates.iter().all(|candidate| candidate.is_gone) => gone(&candidates[0]),
            [] if candidates.iter().any(|candidate| candidate.is_shared_evidence) => {
                Standing::Waits(Doubt::NotTheirsAlone)
            }
            [] => Standing::Waits(Doubt::Weak),
            [one, ..] if certain.iter().all(|candidate| candidate.is_gone) => gone(one),
            [one] => self.single(object, one),
            _ => Standing::Waits(Doubt::SeveralAccounts),
        }
    }

    /// The only account that certain evidence points to.
    fn single(&self, object: &Object, candidate: &Candidate) -> Standing {
        let account = self.accounts[candidate.account.as_str()];
        match self.doubt(object, account, candidate) {
            Some(doubt) => Standing::Waits(doubt),
            None => Standing::Accepted { account: account.key.clone(), rule: self.matching.rules.first_of(candidate) },
        }
    }

    fn doubt(&self, object: &Object, account: &Entry, candidate: &Candidate) -> Option<Doubt> {
        if let Some(by) = self.taken.get(&account.key).filter(|by| **by != object.id) {
            return Some(Doubt::Taken { by: by.clone() });
        }
        let others: Vec<ObjectId> = self
            .claims
            .get(account.key.as_str())
            .into_iter()
            .flatten()
            .filter(|id| ***id != object.id)
            .map(|id| (*id).clone())
            .collect();
        if !others.is_empty() {
            return Some(Doubt::ClaimedByOthers { others });
        }
        if !candidate.against.is_empty() {
            return Some(Doubt::Contradicted { by: candidate.against.clone() });
        }
        self.elsewhere(account).or_else(|| unusable(account).filter(|_| !self.is_off_by_us(object, account)))
    }

    /// Is this the account that was made for the object, switched off because it is, or was, at the source?
    fn is_off_by_us(&self, object: &Object, account: &Entry) -> bool {
        let is_its_own = self.matching.made.get(&object.id) == Some(&account.key);
        let may_be_off = has_left(&object.entry) || self.matching.switched_off.contains_key(&object.id);
        account.state == AccountState::Disabled && is_its_own && may_be_off
    }

    /// Is the account under another organisation's code, or may it be?
    fn elsewhere(&self, account: &Entry) -> Option<Doubt> {
        match &account.organisation {
            _ if self.matching.is_ours(account) => None,
            Some(code) => Some(Doubt::OtherOrganisation { organisation: code.clone() }),
            None => Some(Doubt::NoOrganisation),
        }
    }

    /// The account that a person has given to the object.
    fn given(&self, object: &Object, candidates: &[Candidate], given: &Given<'_>) -> Standing {
        let Some(account) = self.accounts.get(given.account) else { return Standing::Waits(Doubt::AccountGone) };
        if let Some(by) = self.taken.get(given.account).filter(|by| **by != object.id) {
            return Standing::Waits(Doubt::Taken { by: by.clone() });
        }
        if !given.holds(object, account) {
            // What a rule finds by itself needs no word.
            let by_rule = self.by_rule(object, candidates);
            let is_same = matches!(&by_rule, Standing::Accepted { account, .. } if account == given.account);
            return if is_same { by_rule } else { Standing::Waits(Doubt::ChangedSince) };
        }
        if let Some(doubt @ Doubt::OtherOrganisation { .. }) = self.elsewhere(account)
            && !given.is_confirmed()
        {
            return Standing::Waits(doubt);
        }
        Standing::Accepted { account: account.key.clone(), rule: None }
    }
}

fn unusable(account: &Entry) -> Option<Doubt> {
    match account.state {
        AccountState::Active | AccountState::Pending | AccountState::Locked => None,
        state => Some(Doubt::Unusable { state }),
    }
}

#[cfg(test)]
mod tests;
