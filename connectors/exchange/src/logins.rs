//! By which ways a person gets into a mailbox: as it is, as it would be without ours, as it is with it. Pure.

use std::collections::BTreeMap;

use connector::router::Evidence;
use serde::{Deserialize, Serialize};

/// What the marker begins with.
const MARK: &str = "whimbrel-closed ";

/// A way into a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WayIn {
    /// Phones: `ActiveSyncEnabled`.
    ActiveSync,
    /// Outlook for Mac, and other programs: `EwsEnabled`. Empty, it is as the organisation has it.
    Ews,
    /// `ImapEnabled`.
    Imap,
    /// Outlook: `MAPIEnabled`.
    Mapi,
    /// A browser: `OWAEnabled`.
    Owa,
    /// `PopEnabled`.
    Pop,
}

impl WayIn {
    /// Every way.
    pub const EVERY: [Self; 6] = [Self::ActiveSync, Self::Ews, Self::Imap, Self::Mapi, Self::Owa, Self::Pop];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveSync => "activesync",
            Self::Ews => "ews",
            Self::Imap => "imap",
            Self::Mapi => "mapi",
            Self::Owa => "owa",
            Self::Pop => "pop",
        }
    }
}

/// By which ways a person gets in, as `Get-CASMailbox` tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logins {
    /// By way: `true`, `false`, or empty.
    pub ways: BTreeMap<WayIn, String>,
    /// The attribute of the marker.
    pub marker: String,
}

/// What lies at the mailbox to say that it was closed by us, and what was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    /// The mailbox that it was closed at: a copy of the attribute is told by that.
    of: String,
    was: BTreeMap<WayIn, String>,
}

/// Whose the marker's attribute is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It is empty.
    No,
    /// It can't be ours, or can't be read: why.
    Odd(&'static str),
    /// Ours.
    ByUs,
}

impl Logins {
    fn marker(&self, guid: &str) -> Result<Option<Marker>, &'static str> {
        let Some(text) = self.marker.strip_prefix(MARK) else {
            return if self.marker.is_empty() { Ok(None) } else { Err("its attribute holds something of others'") };
        };
        let marker: Marker = serde_json::from_str(text).map_err(|_| "it can't be read")?;
        if marker.of == guid { Ok(Some(marker)) } else { Err("it is that of another mailbox") }
    }

    /// Did we close it?
    pub(crate) fn closed(&self, guid: &str) -> Closed {
        match self.marker(guid) {
            Ok(None) => Closed::No,
            Ok(Some(_)) => Closed::ByUs,
            Err(why) => Closed::Odd(why),
        }
    }

    /// The ways of these that are open still.
    pub(crate) fn open(&self, ways: &[WayIn]) -> Vec<&'static str> {
        let is_open = |way: &&WayIn| self.ways.get(way).is_none_or(|is| is != "false");
        ways.iter().filter(is_open).map(|way| way.name()).collect()
    }

    /// With these ways closed by us. None: there is no room for the marker, or it is not ours.
    pub(crate) fn with(&self, guid: &str, ways: &[WayIn]) -> Option<Self> {
        let marker = self.marker(guid).ok()?;
        let mut marker = marker.unwrap_or_else(|| Marker { of: guid.to_owned(), was: BTreeMap::new() });
        let mut then = self.clone();
        for way in ways {
            let is = then.ways.insert(*way, "false".to_owned()).unwrap_or_default();
            marker.was.entry(*way).or_insert(is);
        }
        let marker = serde_json::to_string(&marker).ok()?;
        then.marker = format!("{MARK}{marker}");
        (then.marker.encode_utf16().count() <= 1024).then_some(then)
    }

    /// Without ours: a way that somebody has opened since stays open. None: nothing is ours.
    pub(crate) fn without(&self, guid: &str) -> Option<Self> {
        let marker = self.marker(guid).ok()??;
        let mut then = Self { marker: String::new(), ..self.clone() };
        for (way, was) in marker.was {
            let is = then.ways.entry(way).or_default();
            if is == "false" {
                *is = was;
            }
        }
        Some(then)
    }

    /// What stands there, for the audit.
    pub(crate) fn evidence(&self) -> Evidence {
        let way =
            |(way, is): (&WayIn, &String)| format!("{}: {}", way.name(), if is.is_empty() { "unset" } else { is });
        Evidence(self.ways.iter().map(way).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: [WayIn; 3] = [WayIn::Ews, WayIn::Mapi, WayIn::Owa];

    fn plain() -> Logins {
        let is = |way| if way == WayIn::Ews { String::new() } else { "true".to_owned() };
        Logins { ways: WayIn::EVERY.into_iter().map(|way| (way, is(way))).collect(), marker: String::new() }
    }

    #[test]
    fn what_was_there_comes_back_as_it_was() {
        let mut off = plain();
        off.ways.insert(WayIn::Owa, "false".to_owned());
        for was in [plain(), off] {
            let on = was.with("g", &CLOSED).unwrap();
            assert_eq!((on.closed("g"), on.open(&CLOSED).len()), (Closed::ByUs, 0));
            assert_eq!(on.ways[&WayIn::Imap], "true", "what is not named stays");
            assert_eq!(on.with("g", &CLOSED), Some(on.clone()));
            assert_eq!(on.without("g"), Some(was));
        }
    }

    #[test]
    fn what_somebody_changed_since_stays_and_what_is_half_done_is_gone_on_with() {
        let on = plain().with("g", &CLOSED).unwrap();
        let mut opened = on.clone();
        opened.ways.insert(WayIn::Owa, "true".to_owned());
        assert_eq!(opened.open(&CLOSED), ["owa"]);
        assert_eq!(opened.without("g").unwrap().ways, plain().ways);
        // The marker came, and the rest did not.
        let half = Logins { ways: plain().ways, marker: on.marker.clone() };
        assert_eq!(half.with("g", &CLOSED), Some(on.clone()));
        assert_eq!(half.without("g"), Some(plain()));
    }

    #[test]
    fn what_is_not_ours_is_not_taken_for_ours() {
        let on = plain().with("g", &CLOSED).unwrap();
        assert!(matches!(on.closed("other"), Closed::Odd(_)));
        assert_eq!((on.without("other"), on.with("other", &CLOSED)), (None, None));
        for marker in ["payroll 17", "whimbrel-closed {"] {
            let odd = Logins { marker: marker.to_owned(), ..plain() };
            assert!(matches!(odd.closed("g"), Closed::Odd(_)));
            assert_eq!((odd.without("g"), odd.with("g", &CLOSED)), (None, None));
        }
    }
}
