//! Everything a server may do that its users would rather it didn't: oddities that are always on, and rules for single
//! commands.

use std::{fmt, sync::Arc, time::Duration};

use super::Person;

/// The order of the items in a FETCH or STATUS answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As asked for.
    #[default]
    AsAsked,
    /// The last first.
    Reversed,
    /// Turned round by one more with each answer.
    Turning,
}

/// Does something to the person's mailbox; see [`Oddities::meanwhile`].
pub type Meanwhile = Arc<dyn Fn(&Person, u32) + Send + Sync>;

/// What a server does oddly, all the time. All of it is allowed, or seen on real servers.
#[derive(Clone, Default)]
pub struct Oddities {
    /// The order of items in answers.
    pub order: Order,
    /// Two spaces between the items of an answer, and one before the closing parenthesis.
    pub extra_spaces: bool,
    /// Responses and response codes that nobody knows, among those that were asked for.
    pub unknown_responses: bool,
    /// Flags of messages that nobody asked for, among the answers to FETCH.
    pub unsolicited_flags: bool,
    /// `\Recent` in the flags of every message that is fetched.
    pub always_recent: bool,
    /// Tells what has changed between the answers to UID FETCH, not after them.
    pub updates_during_fetch: bool,
    /// UIDs whose bodies come as NIL.
    pub nil_bodies: Vec<u32>,
    /// UIDs whose bodies come as an empty string.
    pub empty_bodies: Vec<u32>,
    /// Bodies that can be are sent as quoted strings.
    pub quoted_bodies: bool,
    /// Added to what RFC822.SIZE says.
    pub size_error: i64,
    /// Items that are left out of FETCH answers, as the client names them: `INTERNALDATE`, `BODY[]`.
    pub missing_items: Vec<String>,
    /// UIDs that FETCH leaves out altogether, though SEARCH knows them.
    pub missing_messages: Vec<u32>,
    /// Days below ten in INTERNALDATE are not padded.
    pub unpadded_days: bool,
    /// The attributes of RFC 6154 come in lower case.
    pub lower_case_attributes: bool,
    /// Folder names come as literals.
    pub literal_names: bool,
    /// Folder names come as they are, in UTF-8, though nobody asked for that.
    pub unencoded_names: bool,
    /// Names among the flags of every message that are no flags that can be set: `[Gmail]`, `\*`.
    pub strange_flags: Vec<String>,
    /// Lines end in LF alone, those that announce a literal too.
    pub bare_line_ends: bool,
    /// Tagged answers have no text.
    pub no_text: bool,
    /// Answers come in pieces of this many bytes.
    pub piece_bytes: Option<usize>,
    /// The UIDs of messages that were appended, copied or moved are not told.
    pub no_append_uid: bool,
    /// The UIDs of messages that were moved are told with the end of the command, not before the old ones vanish.
    pub copy_uid_last: bool,
    /// No removal is remembered: every UID that doesn't exist counts as vanished, those that never existed too.
    pub forgets_removals: bool,
    /// LIST leaves out parents that are no folders themselves.
    pub hides_parents: bool,
    /// LIST names these as folders, which don't exist, as Dovecot may for good.
    pub names_alone: Vec<String>,
    /// Called after each message that FETCH sends, with its UID, so that a test can change the mailbox while it is read.
    pub meanwhile: Option<Meanwhile>,
}

impl fmt::Debug for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Oddities")
    }
}

/// What becomes of a command that a rule is for.
#[derive(Clone)]
pub enum Act {
    /// It is not carried out; this is the tagged answer, without the tag: `NO [OVERQUOTA] Full`. An APPEND is refused after
    /// its literals were read.
    Answer(String),
    /// The same, but an APPEND is refused in place of the continuation of its first literal.
    AnswerAtLiteral(String),
    /// It is not carried out; the server says BYE with this text and ends the connection.
    Bye(String),
    /// It is not carried out; the connection ends without a word.
    Drop,
    /// It is carried out; the connection ends before any answer.
    LoseAnswer,
    /// It is carried out and answered; then the server says BYE and ends the connection.
    ByeAfter(String),
    /// It is carried out this much later.
    Delay(Duration),
    /// It is not carried out, and nothing is said any more on this connection, which stays open.
    Stall,
    /// These bytes are said first, as they are, then it is carried out.
    Say(Vec<u8>),
    /// It is not carried out; these bytes are said in place of its answer, as they are, and the connection goes on.
    SayInstead(Vec<u8>),
    /// This is done to the mailbox first; then it is carried out.
    Meanwhile(Meanwhile),
}

/// Something that happens once, or a few times, to commands of a kind.
#[derive(Clone)]
pub struct Rule {
    pub(super) verb: String,
    pub(super) containing: Option<String>,
    pub(super) person: Option<String>,
    pub(super) first: u32,
    pub(super) times: u32,
    pub(super) act: Act,
    /// How many commands it was for so far.
    pub(super) met: u32,
}

impl Rule {
    /// A rule for the first command of this name: `APPEND`, `UID FETCH`, or `*` for every one.
    pub fn on(command: &str, act: Act) -> Self {
        let verb = command.to_ascii_uppercase();
        Self { verb, containing: None, person: None, first: 1, times: 1, act, met: 0 }
    }

    /// For the n-th such command, counted from 1, over all connections.
    #[must_use]
    pub fn nth(mut self, n: u32) -> Self {
        self.first = n;
        self
    }

    /// For this many such commands one after the other.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// For every such command from the first on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u32::MAX)
    }

    /// Only for commands whose line, without literals, holds this text.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.containing = Some(text.to_owned());
        self
    }

    /// Only for commands of this person's connections.
    #[must_use]
    pub fn of_person(mut self, name: &str) -> Self {
        self.person = Some(name.to_owned());
        self
    }

    /// Is it for this command? Counts it if so.
    pub(super) fn meets(&mut self, verb: &str, line: &str, person: Option<&str>) -> bool {
        let is_for = (self.verb == "*" || self.verb == verb)
            && self.containing.as_ref().is_none_or(|text| line.contains(text.as_str()))
            && self.person.as_ref().is_none_or(|name| person == Some(name));
        self.met += u32::from(is_for);
        is_for && self.met >= self.first && self.met - self.first < self.times
    }
}

/// What APPEND refuses, after the message was read but for its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which messages.
    pub of: Refused,
    /// The tagged answer: `NO [TOOBIG] Message is too big`.
    pub answer: String,
}

/// Messages that a server may not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Larger than this; refused before the literal is sent, where the client waits for that.
    LargerThan(u64),
    /// With a NUL byte.
    Nul,
    /// With a CR that no LF follows, or a LF that follows no CR.
    BareLineEnd,
    /// With a byte above 127 in the header.
    EightBitHeader,
    /// With this text in it.
    Containing(String),
}

impl Refused {
    pub(super) fn meets(&self, body: &[u8]) -> bool {
        match self {
            Self::LargerThan(bytes) => body.len() as u64 > *bytes,
            Self::Nul => memchr::memchr(0, body).is_some(),
            Self::BareLineEnd => memchr::memchr2_iter(b'\r', b'\n', body).any(|at| match body[at] {
                b'\r' => body.get(at + 1) != Some(&b'\n'),
                _ => at == 0 || body[at - 1] != b'\r',
            }),
            Self::EightBitHeader => super::mime::header_of(body).iter().any(|byte| *byte > 127),
            Self::Containing(text) => memchr::memmem::find(body, text.as_bytes()).is_some(),
        }
    }
}
