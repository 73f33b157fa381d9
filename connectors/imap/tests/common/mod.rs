//! A server in the test: it hears commands as they stand on the wire and answers as the test says.
//!
//! [`Talk`] is one connection. What a test does not care about is answered as a plain server would ([`Talk::until`]), so a
//! test tells only its own story.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unnecessary_wraps,
    reason = "a test's helper, not the product"
)]

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use connector::{
    Account, Body, Connector, Cursor, Door, Effect, Error, Event, Holds, HoldsLimits, Known, OpenDoor, ReadFolder,
    Reading, Secret, Source, Target,
};
use imap::{Config, ImapConnector, Impersonate, Login, Tls};
use model::{Cause, FolderPath, ItemId, Scope};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a server that offers everything announces.
pub const RICH: &str = "IMAP4rev1 SASL-IR ID ENABLE LITERAL+ UIDPLUS MULTIAPPEND CONDSTORE QRESYNC ESEARCH LIST-EXTENDED \
    LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE NAMESPACE UNSELECT AUTH=PLAIN";

/// What a server that offers nothing announces.
pub const POOR: &str = "IMAP4rev1";

/// INBOX as [`Talk::opened`] opens it.
pub fn inbox() -> Known<'static> {
    static INBOX: LazyLock<FolderPath> = LazyLock::new(FolderPath::inbox);
    Known { path: &INBOX, validity: 7 }
}

/// A command as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its tag.
    pub tag: String,
    /// Its text; literals stand as `{n}` with their bytes beside.
    pub text: String,
    /// Its literals.
    pub literals: Vec<Vec<u8>>,
    /// It came with its line end.
    pub is_whole: bool,
}

impl Asked {
    pub fn is(&self, beginning: &str) -> bool {
        self.text.to_ascii_uppercase().starts_with(&beginning.to_ascii_uppercase())
    }
}

/// Everything that was heard, on all connections.
pub type Heard = Arc<Mutex<Vec<String>>>;

/// One connection, from the server's side.
pub struct Talk {
    stream: BufReader<TcpStream>,
    pub heard: Heard,
    pub capabilities: String,
    /// The number of the connection, from 0.
    pub number: usize,
    enabled: bool,
}

impl Talk {
    pub async fn say(&mut self, text: impl AsRef<str>) {
        self.say_bytes(text.as_ref().as_bytes()).await;
    }

    /// Says lines, each with its end.
    pub async fn lines(&mut self, lines: &[&str]) {
        for line in lines {
            self.say(format!("{line}\r\n")).await;
        }
    }

    pub async fn say_bytes(&mut self, bytes: &[u8]) {
        // Whether somebody still listens is the test's to find out.
        let _ = self.stream.get_mut().write_all(bytes).await;
    }

    pub async fn done(&mut self, asked: &Asked) {
        self.say(format!("{} OK done\r\n", asked.tag)).await;
    }

    pub async fn end(&mut self, asked: &Asked, how: &str) {
        self.say(format!("{} {how}\r\n", asked.tag)).await;
    }

    pub async fn greet(&mut self) {
        let greeting = format!("* OK [CAPABILITY {}] ready\r\n", self.capabilities);
        self.say(greeting).await;
    }

    /// A line as it comes, without its end; none when the other side has closed.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await.ok()?;
        if line.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        Some(text)
    }

    /// The next command, whole; literals that wait for leave get it. None when the other side has closed.
    pub async fn hear(&mut self) -> Option<Asked> {
        self.hear_with(true).await
    }

    /// The next command; leave is given only if said so.
    pub async fn hear_with(&mut self, gives_leave: bool) -> Option<Asked> {
        let mut text = String::new();
        let mut literals = Vec::new();
        let mut is_whole = true;
        loop {
            let Some(line) = self.line().await else {
                is_whole = false;
                break;
            };
            if !line.ends_with("\r\n") {
                is_whole = false;
                text.push_str(&line);
                break;
            }
            let line = line.trim_end_matches("\r\n");
            text.push_str(line);
            let Some((size, waits)) = announced(line) else { break };
            if waits {
                if !gives_leave {
                    break;
                }
                self.say("+ go on\r\n").await;
            }
            let mut literal = vec![0; size];
            if self.stream.read_exact(&mut literal).await.is_err() {
                is_whole = false;
                break;
            }
            literals.push(literal);
        }
        if text.is_empty() {
            return None;
        }
        let (tag, text) =
            text.split_once(' ').map_or((text.clone(), String::new()), |(a, b)| (a.to_owned(), b.to_owned()));
        self.heard.lock().unwrap().push(format!("{}{text}", if is_whole { "" } else { "CUT OFF: " }));
        Some(Asked { tag, text, literals, is_whole })
    }

    /// Answers as a plain server would, up to a command that begins so.
    pub async fn until(&mut self, beginning: &str) -> Asked {
        self.until_any(&[beginning]).await.unwrap_or_else(|| panic!("no {beginning} came"))
    }

    /// Answers as a plain server would, up to a command that begins with one of these; none when the other side closes.
    pub async fn until_any(&mut self, beginnings: &[&str]) -> Option<Asked> {
        loop {
            let asked = self.hear().await?;
            if beginnings.iter().any(|beginning| asked.is(beginning)) {
                return Some(asked);
            }
            self.answer(&asked).await;
        }
    }

    /// Answers as a plain server would, until the other side closes.
    pub async fn go_on(&mut self) {
        self.until_any(&[]).await;
    }

    /// The answer of a plain server with an empty INBOX.
    pub async fn answer(&mut self, asked: &Asked) {
        let capabilities = self.capabilities.clone();
        let words: Vec<&str> = asked.text.split(' ').collect();
        match words[0].to_ascii_uppercase().as_str() {
            "CAPABILITY" => self.say(format!("* CAPABILITY {capabilities}\r\n")).await,
            "LOGIN" | "AUTHENTICATE" => {
                let said = format!("{} OK [CAPABILITY {capabilities}] in\r\n", asked.tag);
                return self.say(said).await;
            }
            "ENABLE" => {
                self.enabled = true;
                self.say(format!("* ENABLED {}\r\n", words[1..].join(" "))).await;
            }
            "ID" => self.say("* ID (\"name\" \"Test\")\r\n").await,
            "NAMESPACE" => self.say("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n").await,
            "LIST" if asked.text.ends_with("\"\" \"\"") => self.say("* LIST (\\Noselect) \"/\" \"\"\r\n").await,
            "LIST" => self.say("* LIST () \"/\" INBOX\r\n").await,
            "STATUS" => self.say("* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)\r\n").await,
            "EXAMINE" | "SELECT" => {
                self.lines(&["* 0 EXISTS", "* OK [UIDVALIDITY 7]", "* OK [UIDNEXT 1]", "* OK [HIGHESTMODSEQ 1]"]).await;
            }
            "LOGOUT" => self.say("* BYE bye\r\n").await,
            _ => {}
        }
        self.done(asked).await;
    }

    /// Opens the folder of this EXAMINE or SELECT: so many messages, the next UID, the HIGHESTMODSEQ.
    pub async fn opened(&mut self, asked: &Asked, exists: u32, next: u32, change: u64) {
        self.say(format!(
            "* {exists} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT {next}] ok\r\n* OK [HIGHESTMODSEQ {change}] ok\r\n"
        ))
        .await;
        self.done(asked).await;
    }

    /// A message as FETCH gives it.
    pub async fn message(&mut self, number: u32, uid: u32, body: &str) {
        let size = body.len();
        self.say(format!(
            "* {number} FETCH (UID {uid} FLAGS (\\Seen) INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {{{size}}}\r\n{body})\r\n"
        ))
        .await;
    }

    /// Closes the connection.
    pub async fn close(mut self) {
        let _ = self.stream.get_mut().shutdown().await;
    }
}

fn announced(line: &str) -> Option<(usize, bool)> {
    let inner = line.strip_suffix('}')?;
    let (_, size) = inner.rsplit_once('{')?;
    match size.strip_suffix('+') {
        Some(size) => Some((size.parse().ok()?, false)),
        None => Some((size.parse().ok()?, true)),
    }
}

/// A server that answers by a script; each connection is a call of it.
pub struct Server {
    pub port: u16,
    pub heard: Heard,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// A server with these capabilities and this script.
    pub async fn start<F, Fut>(capabilities: &str, script: F) -> Self
    where
        F: Fn(Talk) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Heard::default();
        let capabilities = capabilities.to_owned();
        let task = tokio::spawn({
            let heard = heard.clone();
            async move {
                for number in 0.. {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    stream.set_nodelay(true).unwrap();
                    let stream = BufReader::new(stream);
                    let (heard, capabilities) = (heard.clone(), capabilities.clone());
                    tokio::spawn(script(Talk { stream, heard, capabilities, number, enabled: false }));
                }
            }
        });
        Self { port, heard, task }
    }

    /// What was heard so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Was a command heard that begins so?
    pub fn has_heard(&self, beginning: &str) -> bool {
        self.heard().iter().any(|line| line.to_ascii_uppercase().starts_with(&beginning.to_ascii_uppercase()))
    }

    pub fn config(&self) -> Config {
        let mut config = Config::new("127.0.0.1");
        config.port = Some(self.port);
        config.tls = Tls::None;
        config.answer_wait_max = Duration::from_secs(5);
        config.connect_wait_max = Duration::from_secs(5);
        config
    }

    pub fn connector(&self) -> ImapConnector {
        ImapConnector::new(self.config()).unwrap()
    }

    pub async fn source(&self) -> Box<dyn Source> {
        self.connector().source(&alice()).await.unwrap()
    }

    pub async fn target(&self) -> Box<dyn Target> {
        self.connector().target(&alice(), Arc::new(OpenDoor)).await.unwrap()
    }
}

/// A person with a password.
pub fn alice() -> Account {
    Account { password: Some(Secret::new("secret")), ..Account::named("alice") }
}

/// The account that logs in for everyone.
pub fn migrator(impersonate: Impersonate) -> Option<Login> {
    Some(Login { user: "migrator".to_owned(), password: Some(Secret::new("migpw")), token: None, impersonate })
}

pub fn holds() -> Holds {
    Holds::new(HoldsLimits { memory_bytes: 1 << 20, body_in_memory_bytes_max: 1 << 19, ..HoldsLimits::default() })
}

pub async fn body(bytes: &[u8]) -> Body {
    let mut holding = holds().reserve(bytes.len() as u64).await.unwrap();
    holding.write(bytes).await.unwrap();
    holding.finish().await.unwrap()
}

/// Events in short: `begin 0`, `item 7 text`, `unreadable 8`, `flags 1:\Seen 2:`, `gone 3`, `end`, `end all`, `skipped cause`.
pub async fn shorten(event: &Event) -> String {
    match event {
        Event::Begin { folder, .. } => format!("begin {folder}"),
        Event::Item(item) => {
            format!("item {} {}", item.id, String::from_utf8_lossy(&item.body.to_vec().await.unwrap()))
        }
        Event::Unreadable { id, .. } => format!("unreadable {id}"),
        Event::Flags(flags) => {
            let list: Vec<String> = flags.iter().map(|(id, flags)| format!("{id}:{flags}")).collect();
            format!("flags {}", list.join(" "))
        }
        Event::Gone(ids) => format!("gone {}", ids.iter().map(ItemId::to_string).collect::<Vec<_>>().join(" ")),
        Event::End { listed_all: true, .. } => "end all".to_owned(),
        Event::End { .. } => "end".to_owned(),
        Event::Skipped { error } => format!("skipped {}", error.cause),
    }
}

/// All events of a reading, and how it ended.
pub async fn read_out(mut reading: Box<dyn Reading + '_>) -> (Vec<Event>, Option<Error>) {
    let mut all = Vec::new();
    loop {
        match reading.next().await {
            Ok(events) if events.is_empty() => return (all, None),
            Ok(events) => all.extend(events),
            Err(error) => return (all, Some(error)),
        }
    }
}

pub async fn short(events: &[Event]) -> Vec<String> {
    let mut all = Vec::new();
    for event in events {
        all.push(shorten(event).await);
    }
    all
}

/// The cursor of the last `End`.
pub fn last_cursor(events: &[Event]) -> Cursor {
    let ends = events.iter().filter_map(|event| match event {
        Event::End { cursor, .. } => Some(cursor.clone()),
        _ => None,
    });
    ends.last().expect("an end")
}

/// A door that notes what passes, and may be shut for an effect.
#[derive(Default)]
pub struct NotingDoor {
    pub notes: Mutex<Vec<String>>,
    pub shut: Mutex<Option<Effect>>,
}

impl NotingDoor {
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }

    pub fn shut(&self, effect: Effect) {
        *self.shut.lock().unwrap() = Some(effect);
    }
}

impl Door for NotingDoor {
    fn before(&self, effect: Effect) -> Result<(), Error> {
        if *self.shut.lock().unwrap() == Some(effect) {
            return Err(Error::new(Cause::LeaseLapsed, Scope::Mailbox, "the lease is over"));
        }
        self.notes.lock().unwrap().push(format!("before {}", effect.name()));
        Ok(())
    }

    fn after(&self, effect: Effect) {
        self.notes.lock().unwrap().push(format!("after {}", effect.name()));
    }
}

/// These folders, from their beginning.
pub fn plan(names: &[&str]) -> Vec<ReadFolder> {
    names.iter().map(|name| ReadFolder { path: FolderPath::new([*name]), since: None }).collect()
}

/// This folder, from a cursor on.
pub fn since(name: &str, cursor: &Cursor) -> Vec<ReadFolder> {
    vec![ReadFolder { path: FolderPath::new([name]), since: Some(cursor.clone()) }]
}

/// What a reading of these folders gives, in a session of its own.
pub async fn read(server: &Server, plan: Vec<ReadFolder>) -> (Vec<Event>, Option<Error>) {
    let mut source = server.source().await;
    let reading = source.read(plan, &holds()).await.unwrap();
    read_out(reading).await
}
