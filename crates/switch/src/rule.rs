//! What must be so before a mailbox is switched: a registry of named rules, each with its evidence.

use serde::Serialize;

/// A rule that a mailbox has to meet before it is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Its copy is in step.
    InStep,
    /// Its person has logged in on the target, or somebody said that it switches all the same.
    AccountActivated,
    /// What is to come has room on the target.
    QuotaRoom,
    /// The target's mailbox opens.
    TargetOpens,
    /// Somebody of the organisation has signed who has which account.
    MatchSignedOff,
    /// Each address book has the person.
    AddressBooks,
    /// Who may open or send for whom is in place on the target.
    SharingInPlace,
    /// No other entry of the target's directory has one of the person's old addresses, or somebody said that they go without.
    AddressesFree,
    /// Nothing at the source that is not ours sends the person's mail on.
    ForwardersAbsent,
    /// Information governance has decided that mail is forwarded in this direction, where the profile asks for that (R-086, ruling A-20).
    ForwardingDecided,
    /// Calendars and public folders are in step, where the project's type shares them.
    CalendarCoexistence,
    /// The programme of a governed project is at a stage that allows it.
    ProgrammeAllows,
    /// No issue about the mailbox is open.
    NoOpenIssue,
    /// Somebody who may has said go.
    Go,
    /// With the redirect on, every address of the directory reaches one followed mailbox.
    RoutingClean,
}

impl Rule {
    /// Every rule, in the order in which they are looked at.
    pub const EVERY: [Self; 15] = [
        Self::InStep,
        Self::MatchSignedOff,
        Self::AccountActivated,
        Self::AddressBooks,
        Self::SharingInPlace,
        Self::CalendarCoexistence,
        Self::ForwardingDecided,
        Self::ProgrammeAllows,
        Self::NoOpenIssue,
        Self::Go,
        Self::TargetOpens,
        Self::QuotaRoom,
        Self::AddressesFree,
        Self::ForwardersAbsent,
        Self::RoutingClean,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InStep => "in-step",
            Self::AccountActivated => "account-activated",
            Self::QuotaRoom => "quota-room",
            Self::TargetOpens => "target-opens",
            Self::MatchSignedOff => "match-signed-off",
            Self::AddressBooks => "address-books",
            Self::SharingInPlace => "sharing-in-place",
            Self::AddressesFree => "addresses-free",
            Self::ForwardersAbsent => "forwarders-absent",
            Self::CalendarCoexistence => "calendar-coexistence",
            Self::ForwardingDecided => "forwarding-decided",
            Self::ProgrammeAllows => "programme-allows",
            Self::NoOpenIssue => "no-open-issue",
            Self::Go => "go",
            Self::RoutingClean => "routing-clean",
        }
    }

    /// The rule with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|rule| rule.name() == name)
    }

    /// The requirement that it comes from.
    pub fn requirement(self) -> &'static str {
        match self {
            Self::InStep => "R-178",
            Self::AccountActivated => "R-072",
            Self::QuotaRoom => "R-075",
            Self::TargetOpens => "R-180",
            Self::MatchSignedOff => "R-054",
            Self::AddressBooks => "R-042",
            Self::SharingInPlace => "R-201",
            Self::AddressesFree => "R-238",
            Self::ForwardersAbsent => "R-082",
            Self::CalendarCoexistence => "R-198",
            Self::ForwardingDecided => "R-086",
            Self::ProgrammeAllows => "R-150",
            Self::NoOpenIssue => "R-185",
            Self::Go => "R-179",
            Self::RoutingClean => "R-083",
        }
    }

    /// May a person's signed word take the place of what the program would look at? Not where mail could be lost by it.
    pub fn may_be_signed(self) -> bool {
        !matches!(
            self,
            Self::InStep
                | Self::TargetOpens
                | Self::QuotaRoom
                | Self::ForwardersAbsent
                | Self::ProgrammeAllows
                | Self::RoutingClean
        )
    }
}

/// What came of looking at a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The rule.
    pub rule: Rule,
    /// Is it met?
    pub is_met: bool,
    /// What was seen, or what is missing and what to do about it.
    pub evidence: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        for rule in Rule::EVERY {
            assert_eq!(Rule::from_name(rule.name()), Some(rule));
        }
        assert_eq!(Rule::from_name("weather"), None);
    }
}
