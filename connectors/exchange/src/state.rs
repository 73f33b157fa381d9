//! What a mailbox says of where its mail goes: as it is, as it would be without ours, as it is with it. Pure.

use connector::router::{Destination, Evidence, Force, Forwarder, ForwarderOwner, LocalCopy, OurRedirect};
use serde::{Deserialize, Serialize};

use crate::logins::Logins;

/// What the marker begins with.
const MARK: &str = "whimbrel-redirect ";
/// The room for it.
const MARKER_MAX: usize = 1024;

/// Where a mailbox's mail goes, as its own attributes say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The mailbox's `Guid`.
    pub guid: String,
    /// `ForwardingSmtpAddress`, as it is shown: `smtp:ann@new.example`. Empty: none.
    pub smtp: String,
    /// The `Guid` of the recipient that `ForwardingAddress` names. Empty: none.
    pub recipient: String,
    /// That recipient's address.
    pub recipient_address: String,
    /// `DeliverToMailboxAndForward`.
    pub keeps: bool,
    /// The attribute of the marker.
    pub marker: String,
    /// By which ways its person gets in, where that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins: Option<Logins>,
}

/// What lies at the mailbox to say that a redirect is ours, and what was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marker {
    /// Where ours leads.
    pub(crate) to: String,
    /// The mailbox that it was put on: a copy of the attribute is told by that.
    pub(crate) of: String,
    pub(crate) smtp: String,
    pub(crate) recipient: String,
    pub(crate) address: String,
    pub(crate) keeps: bool,
}

/// Whose the marker's attribute is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is empty.
    None,
    /// It holds something of others'.
    Foreign,
    /// It begins as ours do, and can't be read.
    Broken,
    Ours(Marker),
}

impl State {
    pub(crate) fn mark(&self) -> Mark {
        match self.marker.strip_prefix(MARK) {
            None if self.marker.is_empty() => Mark::None,
            None => Mark::Foreign,
            Some(text) => serde_json::from_str(text).map_or(Mark::Broken, Mark::Ours),
        }
    }

    /// Is the same said of where mail goes, and of who may log in?
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |state: &Self| (state.smtp.clone(), state.recipient.clone(), state.keeps, state.marker.clone());
        self.guid == other.guid && of(self) == of(other) && self.logins == other.logins
    }

    /// The address that it sends mail on to by `ForwardingSmtpAddress`.
    fn leads(&self) -> &str {
        let is_prefixed = self.smtp.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("smtp:"));
        if is_prefixed { &self.smtp[5..] } else { &self.smtp }
    }

    /// Our redirect, if it is there.
    pub(crate) fn ours(&self) -> Option<OurRedirect> {
        let marker = match self.mark() {
            Mark::None | Mark::Foreign => return None,
            Mark::Broken => {
                let why = "its marker can't be read: put both right by hand".to_owned();
                return Some(OurRedirect { to: self.leads().to_owned(), ineffective: Some(why) });
            }
            Mark::Ours(marker) => marker,
        };
        let ineffective = if !self.leads().eq_ignore_ascii_case(&marker.to) {
            Some("ForwardingSmtpAddress has another value")
        } else if !self.recipient.is_empty() {
            Some("ForwardingAddress names a recipient, which goes before it")
        } else if self.keeps {
            Some("DeliverToMailboxAndForward keeps a copy")
        } else {
            None
        };
        Some(OurRedirect { to: marker.to, ineffective: ineffective.map(str::to_owned) })
    }

    /// What would be there without ours, and what a person should know of it.
    pub(crate) fn without(&self, marker: &Marker) -> (Self, Vec<String>) {
        let mut notes = Vec::new();
        let mut then = Self { marker: String::new(), ..self.clone() };
        if !self.leads().eq_ignore_ascii_case(&marker.to) {
            notes.push("somebody has changed ForwardingSmtpAddress since: what they made of it stays".to_owned());
            return (then, notes);
        }
        then.smtp.clone_from(&marker.smtp);
        if self.recipient.is_empty() {
            then.recipient.clone_from(&marker.recipient);
            then.recipient_address.clone_from(&marker.address);
        } else {
            notes.push("somebody has set ForwardingAddress since: it stays".to_owned());
        }
        if self.keeps {
            notes.push("somebody has had a copy kept since: that stays".to_owned());
        } else {
            then.keeps = marker.keeps;
        }
        (then, notes)
    }

    /// With ours alone, over what is there without it. None: there is no room for the marker.
    pub(crate) fn with(&self, to: &str) -> Option<Self> {
        let marker = Marker {
            to: to.to_owned(),
            of: self.guid.clone(),
            smtp: self.smtp.clone(),
            recipient: self.recipient.clone(),
            address: self.recipient_address.clone(),
            keeps: self.keeps,
        };
        let marker = format!("{MARK}{}", serde_json::to_string(&marker).ok()?);
        (marker.encode_utf16().count() <= MARKER_MAX).then(|| Self {
            guid: self.guid.clone(),
            smtp: format!("smtp:{to}"),
            recipient: String::new(),
            recipient_address: String::new(),
            keeps: false,
            marker,
            logins: None,
        })
    }

    /// What the site itself sends on by attributes of this mailbox, ours left out.
    pub(crate) fn others(&self) -> Vec<Forwarder> {
        let theirs = match self.mark() {
            Mark::Ours(marker) => self.without(&marker).0,
            // What is ours, and can't be told from theirs, is told as theirs.
            Mark::None | Mark::Foreign | Mark::Broken => self.clone(),
        };
        let copy = if theirs.keeps { LocalCopy::Kept } else { LocalCopy::NotKept };
        let mut all = Vec::new();
        let mut add = |to: Destination, force, place: &str| {
            let owner = ForwarderOwner::Administrator;
            all.push(Forwarder { to, copy, force, owner, place: place.to_owned() });
        };
        if !theirs.recipient.is_empty() {
            let to = if theirs.recipient_address.is_empty() {
                Destination::Unknown(format!("the recipient {}", theirs.recipient))
            } else {
                Destination::Address(theirs.recipient_address.clone())
            };
            add(to, Force::Always, "the mailbox's ForwardingAddress");
        }
        if !theirs.smtp.is_empty() {
            // Exchange looks at it only where ForwardingAddress is empty.
            let force = if theirs.recipient.is_empty() { Force::Always } else { Force::Dormant };
            add(Destination::Address(theirs.leads().to_owned()), force, "the mailbox's ForwardingSmtpAddress");
        }
        all
    }

    /// What stands there, for the audit.
    pub(crate) fn evidence(&self) -> Evidence {
        let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        let mark = match self.mark() {
            Mark::None => "none".to_owned(),
            Mark::Foreign => format!("{} characters that are not ours", self.marker.chars().count()),
            Mark::Broken => "can't be read".to_owned(),
            Mark::Ours(marker) => {
                let recipient = or_none(&marker.recipient);
                format!("to {}; before: {}, {recipient}, copy {}", marker.to, or_none(&marker.smtp), marker.keeps)
            }
        };
        Evidence(vec![
            format!("mailbox {}", self.guid),
            format!("ForwardingSmtpAddress: {}", or_none(&self.smtp)),
            format!("ForwardingAddress: {} {}", or_none(&self.recipient), self.recipient_address).trim().to_owned(),
            format!("DeliverToMailboxAndForward: {}", self.keeps),
            format!("marker: {mark}"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> State {
        State { guid: "g1".to_owned(), ..State::default() }
    }

    fn before() -> [State; 5] {
        let smtp = || "smtp:x@home.test".to_owned();
        let recipient =
            |state| State { recipient: "g7".to_owned(), recipient_address: "r@home.test".to_owned(), ..state };
        [
            plain(),
            State { smtp: smtp(), ..plain() },
            State { smtp: smtp(), keeps: true, ..plain() },
            recipient(State { keeps: true, ..plain() }),
            recipient(State { smtp: smtp(), ..plain() }),
        ]
    }

    fn back(on: &State) -> (State, Vec<String>) {
        let Mark::Ours(marker) = on.mark() else { panic!("{on:?}") };
        on.without(&marker)
    }

    #[test]
    fn what_was_there_comes_back_as_it_was() {
        for was in before() {
            let on = was.with("ann@new.test").unwrap();
            let ours = on.ours().unwrap();
            assert_eq!((ours.to.as_str(), ours.ineffective), ("ann@new.test", None));
            assert_eq!(on.others(), was.others(), "what would be in force without ours is told");
            assert_eq!(back(&on), (was, Vec::new()));
        }
    }

    #[test]
    fn what_somebody_changed_since_stays() {
        for was in before() {
            let on = was.with("ann@new.test").unwrap();
            let theirs = State { smtp: "smtp:y@home.test".to_owned(), ..on.clone() };
            assert!(theirs.ours().unwrap().ineffective.is_some());
            let (then, notes) = back(&theirs);
            assert_eq!((then.smtp.as_str(), then.marker.as_str(), notes.len()), ("smtp:y@home.test", "", 1));
            let copied = State { keeps: true, ..on.clone() };
            assert!(copied.ours().unwrap().ineffective.is_some());
            assert!(back(&copied).0.keeps);
            let led = State { recipient: "g9".to_owned(), ..on.clone() };
            assert!(led.ours().unwrap().ineffective.is_some());
            assert_eq!(back(&led).0.recipient, "g9");
            let capitals = State { smtp: "SMTP:Ann@NEW.test".to_owned(), ..on };
            assert_eq!(capitals.ours().unwrap().ineffective, None);
        }
    }

    #[test]
    fn what_is_not_ours_is_not_taken_for_ours() {
        let same = State { smtp: "smtp:ann@new.test".to_owned(), ..plain() };
        assert_eq!((same.ours(), same.others().len()), (None, 1));
        let foreign = State { marker: "payroll 17".to_owned(), ..plain() };
        assert_eq!((foreign.ours(), foreign.mark()), (None, Mark::Foreign));
        assert!(!foreign.evidence().0.iter().any(|line| line.contains("payroll")));
        let broken = State { marker: format!("{MARK}{{"), ..same };
        assert!(broken.ours().unwrap().ineffective.is_some());
        assert!(plain().with(&format!("{}@new.test", "a".repeat(1000))).is_none());
    }
}
