//! What a platform asks of accounts, lists and their names: data of its profile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Rule;

/// What the platform asks of accounts, lists and their names, and how people are matched to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeopleRules {
    /// The address of a person's new account. In braces: `given`, `surname`, `initial`, `organisation` (its short name), and
    /// `number`, which is left out for the first who has the name.
    pub address: String,
    /// The address of a new shared mailbox, room or system: `name` is what its organisation calls it.
    pub shared_address: String,
    /// The address of a new list.
    pub list_address: String,
    /// The number given to the second of a name.
    pub number_from: u32,
    /// How many characters may stand before the @ (RFC 5321 allows 64).
    pub local_part_max: usize,
    /// The name that is shown of a person: `title`, `given`, `surname`, `organisation`. With the organisation in it namesakes
    /// can be told apart.
    pub display_name: String,
    /// The name that is shown of everything else: `name`, `organisation`.
    pub shared_display_name: String,
    /// How many characters the shown name of a shared mailbox may have.
    pub shared_display_max: usize,
    /// Which characters may stand in it besides letters, digits and spaces.
    pub shared_display_signs: String,
    /// How many characters the name of a list may have, before its short code is put to it.
    pub list_name_max: usize,
    /// How many owners a shared mailbox or list may have.
    pub owners_max: usize,
    /// How many members a shared mailbox may have.
    pub members_max: usize,
    /// Which fields a person's new account needs: some of `given`, `surname`, `local-id`, `mail`.
    pub required: Vec<String>,
    /// Rules of matching that accept by themselves, in their order: `legacy-dn`, `mail`, `local-id`, `names`.
    pub certain: Vec<Rule>,
    /// Rules of matching that only raise a doubt. Every rule that is not certain does, written here or not.
    pub weak: Vec<Rule>,
    /// How many accounts may be made before more are approved; none: no limit.
    pub registrations: Option<u32>,
    /// More new accounts than so many have to be asked for beforehand; none: however many there are.
    pub bulk_over: Option<u32>,
    /// Days that it takes until so many can be made.
    pub bulk_days: u32,
    /// Days from the making of an account until it locks, unless its person has activated it; none: it never does.
    pub activation_days: Option<u32>,
    /// Hours after which an account that still waits is named in reports.
    pub pending_hours_max: u32,
    /// Characters of a first password.
    pub password_length: usize,
}

impl PeopleRules {
    /// Days that it takes until so many new accounts can be made.
    pub fn lead_days(&self, accounts: usize) -> u32 {
        let is_bulk = self.bulk_over.is_some_and(|over| accounts > over as usize);
        if is_bulk { self.bulk_days } else { 0 }
    }

    /// What of the rules makes no sense, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.certain.contains(&Rule::Names) {
            return Err("certain: names never are: two people have one name".to_owned());
        }
        match self.certain.iter().find(|rule| self.weak.contains(rule)) {
            Some(rule) => Err(format!("{} is in certain and in weak", rule.name())),
            None => Ok(()),
        }
    }
}

impl Default for PeopleRules {
    fn default() -> Self {
        Self {
            address: "{given}.{surname}{number}@{domain}".to_owned(),
            shared_address: "{organisation}.{name}{number}@{domain}".to_owned(),
            list_address: "{organisation}.{name}{number}@{domain}".to_owned(),
            number_from: 2,
            local_part_max: 64,
            display_name: "{surname}, {given} ({organisation})".to_owned(),
            shared_display_name: "{name} ({organisation})".to_owned(),
            shared_display_max: 249,
            shared_display_signs: "-,;.()&[]'".to_owned(),
            list_name_max: 49,
            owners_max: 100,
            members_max: 250,
            required: ["given", "surname", "local-id"].map(str::to_owned).to_vec(),
            certain: vec![Rule::LegacyDn, Rule::Mail, Rule::LocalId],
            weak: vec![Rule::Names],
            registrations: None,
            bulk_over: None,
            bulk_days: 0,
            activation_days: None,
            pending_hours_max: 24,
            password_length: 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_five_hundred_new_accounts_take_fourteen_days_longer_r_064() {
        let rules = PeopleRules { bulk_over: Some(500), bulk_days: 14, ..PeopleRules::default() };
        assert_eq!((rules.lead_days(500), rules.lead_days(501)), (0, 14));
        assert_eq!(PeopleRules::default().lead_days(10_000), 0);
    }

    #[test]
    fn names_are_never_certain_and_no_rule_is_both() {
        let of = |certain: &[Rule], weak: &[Rule]| {
            PeopleRules { certain: certain.to_vec(), weak: weak.to_vec(), ..PeopleRules::default() }.check()
        };
        assert_eq!(PeopleRules::default().check(), Ok(()));
        assert_eq!(of(&[Rule::LegacyDn], &[]), Ok(()));
        assert!(of(&[Rule::Mail, Rule::Names], &[]).is_err());
        assert!(of(&[Rule::Mail], &[Rule::Mail]).is_err());
    }
}
