//! Whether an account can be used: by the attribute for states first, then by what Active Directory keeps.

use std::collections::BTreeMap;

use model::{AccountState, EntryKind};

use crate::config::{Config, Kind};
use crate::wire::entry::RawEntry;
use crate::wire::time::from_filetime;

/// ADS_UF_ACCOUNTDISABLE (MS-ADTS section 2.2.16).
pub(crate) const ACCOUNT_DISABLED: u32 = 0x2;

/// The value for each state.
pub(crate) fn values(config: &Config) -> BTreeMap<AccountState, String> {
    let mut values: BTreeMap<AccountState, String> =
        AccountState::EVERY.into_iter().map(|state| (state, state.name().to_owned())).collect();
    values.remove(&AccountState::Active);
    values.extend(config.states.iter().map(|(state, value)| (*state, value.clone())));
    values
}

/// The state of an entry of this kind, whatever the time. A mailbox that is nobody's own has an account that is switched off by
/// nature, so of those that says nothing.
pub(crate) fn state(
    raw: &RawEntry,
    of: Kind,
    kind: EntryKind,
    attributes: &[String],
    values: &BTreeMap<AccountState, String>,
) -> AccountState {
    if let Some(state) = said(raw, attributes, values) {
        return state;
    }
    if of == Kind::ActiveDirectory && !kind.needs_owner() {
        let control: u32 = raw.text("userAccountControl").and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        if control & ACCOUNT_DISABLED != 0 {
            return AccountState::Disabled;
        }
    }
    AccountState::Active
}

/// The state that one of these attributes says.
fn said(raw: &RawEntry, attributes: &[String], values: &BTreeMap<AccountState, String>) -> Option<AccountState> {
    let of = |attribute: &String| values.iter().find(|(_, value)| raw.has(attribute, value)).map(|(state, _)| *state);
    attributes.iter().find_map(of)
}

/// When the account of an entry of this kind expires; never where an attribute says its state.
pub(crate) fn expires_at(
    raw: &RawEntry,
    of: Kind,
    kind: EntryKind,
    attributes: &[String],
    values: &BTreeMap<AccountState, String>,
) -> Option<i64> {
    let says = of == Kind::ActiveDirectory && !kind.needs_owner() && said(raw, attributes, values).is_none();
    raw.text("accountExpires").filter(|_| says).and_then(from_filetime)
}
