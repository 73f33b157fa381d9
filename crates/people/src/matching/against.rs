//! What speaks against an account being somebody's.

use model::{Entry, EntryKind};
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, local_id, without_zeros};
use super::{Matching, Rule};
use crate::{PersonName, names, share_a_given_name, share_a_name};

/// What speaks against a pair whose evidence is certain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contradiction {
    /// One is a person, the other is not.
    Kind,
    /// Both have a number from the same organisation, and it differs.
    LocalId,
    /// Their names don't agree, or one has none where the evidence alone does not suffice.
    Names,
    /// The account bears the mark that it was made for another.
    MadeFor {
        /// For whom, as the mark has it.
        whom: String,
    },
}

/// Does this say that two are certainly two?
pub(super) fn are_told_apart(against: &[Contradiction]) -> bool {
    against.iter().any(|against| matches!(against, Contradiction::Kind | Contradiction::LocalId))
}

/// What speaks against an object and an account being one.
pub(super) fn contradictions(
    object: &Entry,
    account: &Entry,
    matching: &Matching<'_>,
    evidence: &[Evidence],
) -> Vec<Contradiction> {
    let mut against = Vec::new();
    let is_person = |entry: &Entry| entry.kind == EntryKind::Person;
    let one_is_list = (object.kind == EntryKind::List) != (account.kind == EntryKind::List);
    if is_person(object) != is_person(account) || one_is_list {
        against.push(Contradiction::Kind);
    }
    if local_ids_differ(object, account, matching) {
        against.push(Contradiction::LocalId);
    }
    if is_person(object) == is_person(account) && !names_agree(object, account, evidence) {
        against.push(Contradiction::Names);
    }
    against
}

/// Do the names agree as far as the evidence needs it?
///
/// A legacyExchangeDN is never given again, so any name in common is enough. A number or a directory's key is given to the
/// next, but who bears it keeps their first name. An address is given to the next who asks for it, often one of the same
/// last name or first letter: there both names have to agree.
fn names_agree(object: &Entry, account: &Entry, evidence: &[Evidence]) -> bool {
    let speaks = |rule: Rule| evidence.iter().any(|evidence| evidence.rule == rule);
    let only_mail =
        speaks(Rule::Mail) && !speaks(Rule::LegacyDn) && !speaks(Rule::LocalId) && !speaks(Rule::MadeForThem);
    if object.kind != EntryKind::Person || account.kind != EntryKind::Person {
        return !only_mail || object.kind == EntryKind::Contact || names::show_the_same(object, account);
    }
    let both = PersonName::of(object).zip(PersonName::of(account));
    if speaks(Rule::LegacyDn) {
        return both.is_none_or(|(own, other)| share_a_name(&own, &other));
    }
    match both {
        Some((own, other)) if only_mail => own.is_certainly(&other),
        Some((own, other)) if speaks(Rule::LocalId) || speaks(Rule::MadeForThem) => share_a_given_name(&own, &other),
        Some((own, other)) => share_a_name(&own, &other),
        None if only_mail => false,
        None => names::all_words(object).iter().any(|word| names::all_words(account).contains(word)),
    }
}

/// Has the organisation told the two apart itself? Zeros in front of a number don't.
fn local_ids_differ(object: &Entry, account: &Entry, matching: &Matching<'_>) -> bool {
    match (local_id(object), local_id(account)) {
        (Some(own), Some(other)) => matching.is_ours(account) && without_zeros(&own) != without_zeros(&other),
        _ => false,
    }
}
