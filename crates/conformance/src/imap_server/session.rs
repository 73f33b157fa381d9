//! One connection: reads commands, finds out what is to become of them, answers. What each command does is in the files
//! named after them; all share [`Session`].

use std::{io, sync::Arc};

use bytes::Bytes;
use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::TlsAcceptor;

use super::{
    Account, Person, World, names,
    odd::Act,
    offer::{Offer, Offers},
    parse::{Bad, Piece, Words, write_string},
    select::Selected,
    store::No,
    wire::Wire,
};

/// Literals before login, and all but messages after it, may have so many bytes.
const SMALL_LITERAL_BYTES_MAX: u64 = 1024 * 1024;
/// What LITERAL- lets pass without waiting (RFC 7888).
const LITERAL_MINUS_BYTES_MAX: u64 = 4096;

/// How a command ends when it doesn't succeed.
pub(super) enum Fail {
    /// The client broke the protocol.
    Bad(String),
    /// With what follows NO.
    No(String),
    /// The client took back what it had begun, as it may.
    GivenUp,
    /// The command was answered already.
    Answered,
    /// The connection ends after this text.
    Bye(String),
    /// The connection has ended.
    Over,
}

impl From<Bad> for Fail {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad.0)
    }
}

impl From<No> for Fail {
    fn from(No(code, text): No) -> Self {
        Self::No(format!("[{code}] {text}"))
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData { Self::Bye(error.to_string()) } else { Self::Over }
    }
}

/// What follows OK.
pub(super) type Done = Result<String, Fail>;

/// What the client switched on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Enabled {
    pub(super) condstore: bool,
    pub(super) qresync: bool,
    pub(super) utf8: bool,
    pub(super) rev2: bool,
}

/// A command as it came.
pub(super) struct Command {
    pub(super) tag: String,
    /// In upper case, `UID` and what follows it together.
    pub(super) verb: String,
    /// What follows the verb.
    pub(super) pieces: Vec<Piece>,
    act: Option<Act>,
}

pub(super) struct Session {
    pub(super) world: Arc<World>,
    pub(super) number: u64,
    pub(super) wire: Wire,
    pub(super) in_tls: bool,
    pub(super) compressed: bool,
    pub(super) account: Option<Arc<Account>>,
    pub(super) changes: Option<watch::Receiver<u64>>,
    pub(super) selected: Option<Selected>,
    pub(super) enabled: Enabled,
    /// The tag of the command that is carried out.
    pub(super) tag: String,
    /// How many answers were put in a turning order.
    pub(super) turns: usize,
}

impl Session {
    pub(super) fn new(world: Arc<World>, number: u64, stream: TcpStream) -> Self {
        let wire = Wire::new(stream, world.config.odd.piece_bytes);
        // A server of IMAP4rev2 alone speaks it from the start.
        let rev2 = world.config.offers.has(Offer::Imap4Rev2) && !world.config.offers.has(Offer::Imap4Rev1);
        Self {
            world,
            number,
            wire,
            in_tls: false,
            compressed: false,
            account: None,
            changes: None,
            selected: None,
            enabled: Enabled { rev2, utf8: rev2, ..Enabled::default() },
            tag: String::new(),
            turns: 0,
        }
    }

    /// Talks until either side has had enough.
    pub(super) async fn run(mut self, acceptor: Option<TlsAcceptor>, tls_first: bool) {
        if tls_first && let Some(acceptor) = &acceptor {
            if self.wire.start_tls(acceptor).await.is_err() {
                return;
            }
            self.in_tls = true;
        }
        let code = if self.world.config.capability_in_greeting {
            format!("[CAPABILITY {}] ", self.capability())
        } else {
            String::new()
        };
        self.line(format!("* OK {code}{}", self.world.config.greeting));
        if self.wire.send().await.is_err() {
            return;
        }
        while self.step(acceptor.as_ref()).await.is_ok() {}
        self.wire.close().await;
    }

    /// One command. An error ends the connection.
    async fn step(&mut self, acceptor: Option<&TlsAcceptor>) -> Result<(), ()> {
        let read = self.read().await;
        let command = match read {
            Ok(Some(command)) => command,
            Ok(None) => return Ok(()),
            Err(fail) => return self.end(fail).await,
        };
        if command.act.is_some() || !self.world.config.latency.is_zero() {
            // What becomes of this command must not become of those before it.
            self.wire.send().await.map_err(drop)?;
        }
        match command.act.clone() {
            None | Some(Act::LoseAnswer | Act::ByeAfter(_)) => {}
            Some(Act::Answer(text) | Act::AnswerAtLiteral(text)) => {
                self.line(format!("{} {text}", command.tag));
                return self.wire.send().await.map_err(drop);
            }
            Some(Act::Bye(text)) => return self.end(Fail::Bye(text)).await,
            Some(Act::Drop) => return Err(()),
            Some(Act::Stall) => {
                while self.wire.line(usize::MAX).await.is_ok_and(|line| line.is_some()) {}
                return Err(());
            }
            Some(Act::Delay(time)) => tokio::time::sleep(time).await,
            Some(Act::Say(bytes)) => self.wire.put(&bytes),
            Some(Act::SayInstead(bytes)) => {
                self.wire.put(&bytes);
                return self.wire.send().await.map_err(drop);
            }
            Some(Act::Meanwhile(deed)) => {
                if let Some(person) = self.person() {
                    deed(&person, 0);
                }
            }
        }
        if !self.world.config.latency.is_zero() {
            tokio::time::sleep(self.world.config.latency).await;
        }
        let done = self.carry_out(&command, acceptor).await;
        if matches!(command.act, Some(Act::LoseAnswer)) {
            self.wire.drop_unsent();
            return Err(());
        }
        self.finish(&command, done).await?;
        match command.act {
            Some(Act::ByeAfter(text)) => self.end(Fail::Bye(text)).await,
            _ if command.verb == "LOGOUT" => Err(()),
            _ => Ok(()),
        }
    }

    /// Says how the command ended.
    async fn finish(&mut self, command: &Command, done: Done) -> Result<(), ()> {
        let text = match done {
            Ok(text) => {
                // A message number must mean the same at both ends while a command that uses them runs.
                let numbers_stand = matches!(command.verb.as_str(), "FETCH" | "STORE" | "SEARCH");
                if let Err(fail) = self.tell_changes(!numbers_stand) {
                    return self.end(fail).await;
                }
                format!("OK {text}")
            }
            Err(Fail::No(text)) => format!("NO {text}"),
            Err(Fail::Bad(text)) => {
                self.violation(&format!("{}: {text}", command.verb));
                format!("BAD {text}")
            }
            Err(Fail::GivenUp) => "BAD Given up".to_owned(),
            Err(Fail::Answered) => return Ok(()),
            Err(fail) => return self.end(fail).await,
        };
        if self.world.config.odd.unknown_responses {
            self.line("* XODD (a \"b)\" (NIL) {3}\r\n]\r\n) 7");
            self.line("* 23 XWHAT");
            self.line("* OK [XCODE (1 \"]\") 2] Nobody knows this");
        }
        let bare = self.world.config.odd.no_text && !text.contains('[');
        let text = if bare { text.split(' ').next().unwrap_or_default() } else { &text };
        self.line(format!("{} {text}", command.tag));
        if command.verb == "COMPRESS" && text.starts_with("OK") {
            self.wire.send().await.map_err(drop)?;
            self.wire.start_compression();
            self.compressed = true;
        }
        // What was pipelined is answered before anything is sent, as far as it is here already.
        self.wire.send_unless_more_came().await.map_err(drop)
    }

    async fn end(&mut self, fail: Fail) -> Result<(), ()> {
        if let Fail::Bye(text) = fail {
            self.line(format!("* BYE {text}"));
            // Whether it still arrives is up to the other side.
            let _ = self.wire.send().await;
        }
        Err(())
    }

    /// Reads a command with its literals. None when what came was answered already.
    async fn read(&mut self) -> Result<Option<Command>, Fail> {
        let bytes_max = self.world.config.line_bytes_max;
        let Some((line, proper)) = self.wire.line(bytes_max).await? else { return Err(Fail::Over) };
        let text = String::from_utf8_lossy(&line).into_owned();
        self.world.record(self.number, self.account.as_deref(), &text);
        let mut words = text.splitn(3, ' ');
        let (tag, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !proper || tag.is_empty() || verb.is_empty() || tag.contains(['+', '"', '(', ')', '{', '*', '%', '\\']) {
            self.violation(&format!("not a command: {text}"));
            self.line("* BAD That is not a command");
            self.wire.send().await?;
            return Ok(None);
        }
        let mut verb = verb.to_ascii_uppercase();
        let mut rest = tag.len() + 1 + verb.len();
        if verb == "UID"
            && let Some(second) = words.next().and_then(|rest| rest.split(' ').next())
        {
            rest += 1 + second.len();
            verb = format!("UID {}", second.to_ascii_uppercase());
        }
        let act = self.world.rule_for(&verb, &text, self.account.as_deref().map(|account| account.name.as_str()));
        let tag = tag.to_owned();
        let mut command = Command { tag, verb, pieces: Vec::new(), act };
        let mut line = line[rest.min(line.len())..].to_vec();
        while let Some(literal) = Literal::announced(&line) {
            line.truncate(literal.text_length);
            command.pieces.push(Piece::Text(line));
            if !self.take_literal(&mut command, &literal).await? {
                return Ok(None);
            }
            let Some((next, _)) = self.wire.line(bytes_max).await? else { return Err(Fail::Over) };
            line = next;
        }
        command.pieces.push(Piece::Text(line));
        Ok(Some(command))
    }

    /// Reads a literal, or refuses it: then the command is answered and false is given.
    async fn take_literal(&mut self, command: &mut Command, literal: &Literal) -> Result<bool, Fail> {
        let Literal { length, waits, binary, .. } = *literal;
        let offers = &self.world.config.offers;
        let may_not_wait =
            offers.has(Offer::LiteralPlus) || offers.has(Offer::LiteralMinus) && length <= LITERAL_MINUS_BYTES_MAX;
        if !waits && !may_not_wait {
            self.violation(&format!("{}: a literal of {length} bytes that doesn't wait", command.verb));
            return Err(Fail::Bye("Such literals were not offered".to_owned()));
        }
        let is_append = command.verb == "APPEND" && self.account.is_some();
        let refusal = match &command.act {
            Some(Act::AnswerAtLiteral(text)) => Some(text.clone()),
            _ if is_append => self.refuses_size(length),
            _ if length > SMALL_LITERAL_BYTES_MAX => Some("BAD Literal is too large".to_owned()),
            _ => None,
        };
        if let Some(text) = refusal {
            if !waits {
                self.skip_to_end(length).await?;
            }
            self.line(format!("{} {text}", command.tag));
            self.wire.send().await?;
            return Ok(false);
        }
        if waits {
            self.line("+ Go on");
            self.wire.send().await?;
        }
        let length = usize::try_from(length).map_err(|_| Fail::Bye("Literal is too large".to_owned()))?;
        let bytes: Bytes = self.wire.literal(length).await?;
        command.pieces.push(Piece::Literal { bytes, binary });
        Ok(true)
    }

    /// Reads the rest of a command that was refused at a literal which didn't wait.
    async fn skip_to_end(&mut self, mut length: u64) -> Result<(), Fail> {
        loop {
            self.wire.skip(length).await?;
            let Some((line, _)) = self.wire.line(self.world.config.line_bytes_max).await? else {
                return Err(Fail::Over);
            };
            match Literal::announced(&line) {
                // One that waits is not sent without a continuation.
                Some(literal) if !literal.waits => length = literal.length,
                _ => return Ok(()),
            }
        }
    }

    async fn carry_out(&mut self, command: &Command, acceptor: Option<&TlsAcceptor>) -> Done {
        let mut words = Words::new(&command.pieces, self.enabled.utf8);
        let words = &mut words;
        self.tag.clone_from(&command.tag);
        match command.verb.as_str() {
            "CAPABILITY" => {
                words.end()?;
                self.line(format!("* CAPABILITY {}", self.capability()));
                Ok("Those are all".to_owned())
            }
            "NOOP" => words.end().map(|()| "Nothing done".to_owned()).map_err(Fail::from),
            "LOGOUT" => {
                words.end()?;
                self.line("* BYE Logging out");
                Ok("Logged out".to_owned())
            }
            "ID" if self.offers(Offer::Id) => self.id(words),
            "STARTTLS" | "LOGIN" | "AUTHENTICATE" if self.account.is_some() => {
                Err(Fail::Bad("Logged in already".into()))
            }
            "STARTTLS" => self.start_tls(words, acceptor).await,
            "LOGIN" => self.login(words),
            "AUTHENTICATE" => self.authenticate(words).await,
            verb if self.account.is_none() => Err(Fail::Bad(format!("{verb} is not for before login"))),
            _ => self.carry_out_logged_in(&command.verb, words).await,
        }
    }

    async fn carry_out_logged_in(&mut self, verb: &str, words: &mut Words<'_>) -> Done {
        match verb {
            "ENABLE" if self.offers(Offer::Enable) => self.enable(words),
            "NAMESPACE" if self.offers(Offer::Namespace) => self.namespace(words),
            "SELECT" => self.select(words, false),
            "EXAMINE" => self.select(words, true),
            "CREATE" => self.create(words),
            "DELETE" => self.delete(words),
            "RENAME" => self.rename(words),
            "SUBSCRIBE" => self.subscribe(words, true),
            "UNSUBSCRIBE" => self.subscribe(words, false),
            "LIST" => self.list(words),
            "LSUB" if !self.enabled.rev2 => self.lsub(words),
            "STATUS" => self.status(words),
            "APPEND" => self.append(words),
            "IDLE" if self.offers(Offer::Idle) => self.idle(words).await,
            "COMPRESS" if self.offers(Offer::CompressDeflate) => self.compress(words),
            "GETMETADATA" if self.offers(Offer::Metadata) || self.offers(Offer::MetadataServer) => {
                self.get_metadata(words)
            }
            "SETMETADATA" if self.offers(Offer::Metadata) || self.offers(Offer::MetadataServer) => {
                self.set_metadata(words)
            }
            "GETQUOTA" if self.offers(Offer::Quota) => self.get_quota(words),
            "GETQUOTAROOT" if self.offers(Offer::Quota) => self.get_quota_root(words),
            "SETQUOTA" if self.offers(Offer::Quota) => {
                Err(Fail::No("[NOPERM] Only an administrator may do that".into()))
            }
            verb if self.selected.is_none() => {
                Err(Fail::Bad(format!("{verb} is unknown, or needs a selected mailbox")))
            }
            "CHECK" if !self.enabled.rev2 => words.end().map(|()| "Checked".to_owned()).map_err(Fail::from),
            "CLOSE" => self.close(words, true),
            "UNSELECT" if self.offers(Offer::Unselect) => self.close(words, false),
            "EXPUNGE" => self.expunge(words, false),
            "UID EXPUNGE" if self.offers(Offer::UidPlus) => self.expunge(words, true),
            "SEARCH" => self.search(words, false),
            "UID SEARCH" => self.search(words, true),
            "FETCH" => self.fetch(words, false).await,
            "UID FETCH" => self.fetch(words, true).await,
            "STORE" => self.store_flags(words, false),
            "UID STORE" => self.store_flags(words, true),
            "COPY" => self.copy(words, false, false),
            "UID COPY" => self.copy(words, true, false),
            "MOVE" if self.offers(Offer::Move) => self.copy(words, false, true),
            "UID MOVE" if self.offers(Offer::Move) => self.copy(words, true, true),
            verb => Err(Fail::Bad(format!("{verb} is not offered"))),
        }
    }

    /// What is offered on this connection as it is now.
    pub(super) fn offers(&self, offer: Offer) -> bool {
        self.world.config.offers.has(offer)
    }

    /// The words after CAPABILITY.
    pub(super) fn capability(&self) -> String {
        let config = &self.world.config;
        let early: Offers;
        let offers = if self.account.is_some() {
            &config.offers
        } else {
            early = config.offers_before_login.clone().unwrap_or_else(|| config.offers.for_all());
            &early
        };
        let mut all: Vec<String> = offers.names().map(str::to_owned).collect();
        if self.account.is_none() {
            if config.tls_by_command && !self.in_tls {
                all.push("STARTTLS".to_owned());
            }
            if !self.may_send_password() || !config.login_command {
                all.push("LOGINDISABLED".to_owned());
            }
            if self.may_send_password() {
                all.extend(config.mechanisms.iter().map(|mechanism| format!("AUTH={}", mechanism.name())));
            }
        } else {
            if offers.has(Offer::AppendLimit)
                && let Some(bytes) = config.append_limit
            {
                all.retain(|name| name != "APPENDLIMIT");
                all.push(format!("APPENDLIMIT={bytes}"));
            }
            if offers.has(Offer::Quota) {
                all.extend(["QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"].map(str::to_owned));
            }
        }
        all.join(" ")
    }

    /// May a password pass on this connection?
    pub(super) fn may_send_password(&self) -> bool {
        self.in_tls || !self.world.config.tls_before_login
    }

    /// Adds a line to the answer.
    pub(super) fn line(&mut self, line: impl AsRef<[u8]>) {
        self.wire.put(line.as_ref());
        self.wire.put(self.line_end());
    }

    pub(super) fn line_end(&self) -> &'static [u8] {
        if self.world.config.odd.bare_line_ends { b"\n" } else { b"\r\n" }
    }

    /// Notes that the client broke the protocol.
    pub(super) fn violation(&self, what: &str) {
        self.world.violation(self.number, what);
    }

    /// The mailbox of whom this connection is for.
    ///
    /// # Panics
    /// Before login; no command that needs it gets so far.
    pub(super) fn account(&self) -> Arc<Account> {
        Arc::clone(self.account.as_ref().expect("commands before login don't ask for it"))
    }

    /// What a test's own code may do to this mailbox.
    pub(super) fn person(&self) -> Option<Person> {
        Some(Person::new(Arc::clone(&self.world), Arc::clone(self.account.as_ref()?)))
    }

    /// A folder's name as this client reads it.
    pub(super) fn write_name(&self, name: &str) -> Vec<u8> {
        let unencoded = self.enabled.utf8 || self.world.config.odd.unencoded_names;
        let wire = if unencoded { name.to_owned() } else { names::encode(name) };
        if self.world.config.odd.literal_names {
            return format!("{{{}}}\r\n{wire}", wire.len()).into_bytes();
        }
        write_string(wire.as_bytes(), unencoded)
    }

    /// A list in parentheses, spaced as this server does.
    pub(super) fn spaced(&self, items: &[Vec<u8>]) -> Vec<u8> {
        let (between, last): (&[u8], &[u8]) =
            if self.world.config.odd.extra_spaces { (b"  ", b" )") } else { (b" ", b")") };
        [b"(", items.join(between).as_slice(), last].concat()
    }
}

/// A literal that a line ends by announcing.
struct Literal {
    /// How much of the line comes before the announcement.
    text_length: usize,
    length: u64,
    waits: bool,
    binary: bool,
}

impl Literal {
    fn announced(line: &[u8]) -> Option<Self> {
        let inner = line.strip_suffix(b"}")?;
        let open = memchr::memrchr(b'{', inner)?;
        let digits = &inner[open + 1..];
        let (digits, waits) = digits.strip_suffix(b"+").map_or((digits, true), |digits| (digits, false));
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let binary = open > 0 && line[open - 1] == b'~';
        Some(Self { text_length: open - usize::from(binary), length, waits, binary })
    }
}
