//! The list of who has which account, beside what the platform says of its users: which of these accounts it does not know,
//! has under another organisation's code, or does not let be used. What is signed is the list with these flags.

use model::{AccountState, Digest};
use people::{Doubt, Reconciled, Standing};

use super::Known;

/// The platform does not tell of the account.
const UNKNOWN: &str = "unknown";
/// The account is under another organisation's code.
const MOVED: &str = "moved";

impl Known {
    /// What the platform says of an object's account that somebody should look at.
    pub(crate) fn flags(&self, row: &Reconciled) -> Vec<&'static str> {
        let account = row.matched.account().and_then(|key| self.account(key));
        if let Some(account) = account {
            let is_elsewhere = |code: &String| !code.eq_ignore_ascii_case(&self.code);
            let moved = account.organisation.as_ref().is_some_and(is_elsewhere).then_some(MOVED);
            return moved.into_iter().chain(of_state(account.state)).collect();
        }
        match &row.matched.standing {
            Standing::Waits(Doubt::Unusable { state }) => of_state(*state).into_iter().collect(),
            Standing::Waits(Doubt::OtherOrganisation { .. }) => vec![MOVED],
            Standing::Waits(Doubt::GoneFromPlatform { account }) if self.awaited.contains(account) => Vec::new(),
            Standing::Waits(Doubt::GoneFromPlatform { .. } | Doubt::AccountGone) => vec![UNKNOWN],
            _ => Vec::new(),
        }
    }

    /// What a signature of an object's row is about: both entries, and the flags.
    pub(crate) fn to_be_signed(&self, row: &Reconciled) -> Digest {
        let flags = self.flags(row);
        if flags.is_empty() { row.facts } else { Digest::of(format!("{} {}", row.facts, flags.join(" ")).as_bytes()) }
    }
}

fn of_state(state: AccountState) -> Option<&'static str> {
    match state {
        AccountState::Active | AccountState::Pending => None,
        state => Some(state.name()),
    }
}
