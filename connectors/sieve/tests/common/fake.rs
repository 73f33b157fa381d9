//! A ManageSieve server that answers from memory, and otherwise if a test wants it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance::router_suite::{OwnRules, RouterWorld};
use connector::{Account, Recipient, Router, Secret};
use sieve::SieveRouter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{ANN, BOB, config, script};

/// What is said in place of the usual.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// These bytes.
    Say(Vec<u8>),
    /// These bytes, after the command was carried out.
    DoAndSay(Vec<u8>),
    /// Nothing: the connection ends. The command was carried out.
    DoAndHangUp,
    /// Nothing, ever.
    Silence,
}

/// Looks at a command, the name of whose script and whose text are between quotes, and says what to answer.
type Oddity = Arc<dyn Fn(&str) -> Option<Reply> + Send + Sync>;

/// One person's scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scripts {
    pub(crate) texts: BTreeMap<String, Vec<u8>>,
    pub(crate) active: String,
}

#[derive(Default)]
struct State {
    people: BTreeMap<String, Scripts>,
    heard: Vec<String>,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

pub(crate) const GREETING: &str = "\"IMPLEMENTATION\" \"fake\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"fileinto copy\"\r\n\
    \"VERSION\" \"1.0\"\r\nOK \"ready\"\r\n";

impl Fake {
    /// One that does as it should.
    pub(crate) async fn start() -> Self {
        Self::odd(|_| None).await
    }

    /// One with oddities. The greeting is asked for as the command `GREETING`.
    pub(crate) async fn odd(oddity: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let people = [ANN, BOB].map(|name| (name.to_owned(), Scripts::default()));
        let state = State { people: people.into(), heard: Vec::new() };
        let fake = Self { port: listener.local_addr().unwrap().port(), state: Arc::new(Mutex::new(state)) };
        let oddity: Oddity = Arc::new(oddity);
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, oddity) = (serving.clone(), oddity.clone());
                // Who hangs up has heard enough.
                tokio::spawn(async move { serving.serve(stream, &oddity).await });
            }
        });
        fake
    }

    pub(crate) fn router(&self) -> SieveRouter {
        SieveRouter::new(config(self.port)).unwrap()
    }

    pub(crate) fn person(name: &str) -> Recipient {
        let mut account = Account::named(name);
        account.password = Some(Secret::new("pw-of-theirs"));
        Recipient::new(account, name)
    }

    pub(crate) fn scripts(&self, name: &str) -> Scripts {
        self.state.lock().unwrap().people[name].clone()
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Scripts)) {
        change(self.state.lock().unwrap().people.get_mut(name).unwrap());
    }

    /// The commands that came, without those of the login.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.state.lock().unwrap().heard.clone()
    }

    async fn serve(&self, mut stream: TcpStream, oddity: &Oddity) -> Option<()> {
        let mut held = Vec::new();
        let mut person = String::new();
        let mut command = "GREETING".to_owned();
        loop {
            let mut usual = || self.carry_out(&command, &mut person);
            let said = match oddity(&command) {
                None => usual(),
                Some(Reply::Say(bytes)) => bytes,
                Some(Reply::DoAndSay(bytes)) => {
                    usual();
                    bytes
                }
                Some(Reply::DoAndHangUp) => {
                    usual();
                    return None;
                }
                Some(Reply::Silence) => std::future::pending().await,
            };
            stream.write_all(&said).await.ok()?;
            command = hear(&mut stream, &mut held).await?;
            self.state.lock().unwrap().heard.push(command.clone());
        }
    }

    fn carry_out(&self, command: &str, person: &mut String) -> Vec<u8> {
        let mut words = command.splitn(2, ' ');
        let verb = words.next().unwrap();
        let strings: Vec<&str> = words.next().unwrap_or_default().split('"').skip(1).step_by(2).collect();
        let first = strings.first().copied().unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        let refuse = |code: &str| format!("NO ({code}) \"not so\"\r\n").into_bytes();
        let ok = b"OK\r\n".to_vec();
        if verb == "GREETING" || verb == "CAPABILITY" {
            return GREETING.as_bytes().to_vec();
        }
        if verb == "AUTHENTICATE" {
            // Names are told by the base64 of "\0name\0": a server that knows two people.
            let found = [ANN, BOB].into_iter().find(|name| strings[1].starts_with(&name_in_base64(name)));
            let Some(name) = found else { return b"NO \"who?\"\r\n".to_vec() };
            name.clone_into(person);
            return ok;
        }
        let Some(scripts) = state.people.get_mut(person) else { return b"OK\r\n".to_vec() };
        match verb {
            "LISTSCRIPTS" => {
                let line = |name: &String| {
                    let active = if *name == scripts.active { " ACTIVE" } else { "" };
                    format!("\"{name}\"{active}\r\n")
                };
                scripts.texts.keys().map(line).chain(["OK\r\n".to_owned()]).collect::<String>().into_bytes()
            }
            "GETSCRIPT" => match scripts.texts.get(&first) {
                None => refuse("NONEXISTENT"),
                Some(text) => [format!("{{{}}}\r\n", text.len()).as_bytes(), text, b"\r\nOK\r\n"].concat(),
            },
            "PUTSCRIPT" => {
                // The text is all that follows the name.
                let text = command.splitn(3, '"').nth(2).unwrap_or_default();
                let text = text.trim_start().trim_start_matches('\u{1}');
                scripts.texts.insert(first, text.as_bytes().to_vec());
                ok
            }
            "SETACTIVE" if first.is_empty() || scripts.texts.contains_key(&first) => {
                scripts.active = first;
                ok
            }
            "SETACTIVE" => refuse("NONEXISTENT"),
            "DELETESCRIPT" if scripts.active == first => refuse("ACTIVE"),
            "DELETESCRIPT" => match scripts.texts.remove(&first) {
                Some(_) => ok,
                None => refuse("NONEXISTENT"),
            },
            _ => ok,
        }
    }
}

/// What base64 makes of the message of PLAIN, up to the end of the name, less what depends on what follows.
fn name_in_base64(name: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = [b"\0", name.as_bytes()].concat();
    let mut text = String::new();
    for three in bytes.chunks_exact(3) {
        let number = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for shift in [18, 12, 6, 0] {
            text.push(char::from(DIGITS[(number >> shift & 63) as usize]));
        }
    }
    text
}

/// The next command: its line, with a literal at its end put behind a mark.
async fn hear(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = held.windows(2).position(|two| two == b"\r\n") {
            let line = String::from_utf8_lossy(&held[..end]).into_owned();
            let literal = line.strip_suffix("+}").and_then(|line| line.rsplit_once('{'));
            let Some((before, length)) = literal else {
                held.drain(..end + 2);
                return Some(line);
            };
            let (length, start) = (length.parse::<usize>().unwrap(), end + 2);
            if held.len() >= start + length + 2 {
                let text = String::from_utf8_lossy(&held[start..start + length]).into_owned();
                let command = format!("{before}\u{1}{text}");
                held.drain(..start + length + 2);
                return Some(command);
            }
        }
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        held.extend_from_slice(&piece[..length]);
    }
}

#[async_trait]
impl RouterWorld for Fake {
    fn router(&self) -> Arc<dyn Router> {
        Arc::new(self.router())
    }

    fn people(&self) -> [Recipient; 2] {
        [Self::person(ANN), Self::person(BOB)]
    }

    async fn dump(&self, who: &Recipient) -> Vec<u8> {
        format!("{:?}", self.scripts(&who.account.name)).into_bytes()
    }

    async fn set_own(&self, who: &Recipient, rules: &OwnRules) -> bool {
        self.change(&who.account.name, |scripts| {
            let ours_is_on = scripts.active.starts_with("whimbrel");
            let own = script(rules);
            if !ours_is_on {
                scripts.active = if own.is_some() { "rules".to_owned() } else { String::new() };
            }
            scripts.texts.remove("rules");
            scripts.texts.extend(own.map(|text| ("rules".to_owned(), text.into_bytes())));
        });
        true
    }

    fn stranger(&self) -> Recipient {
        Self::person("nobody@site.test")
    }

    async fn copying(&self) -> Option<(Arc<dyn Router>, Recipient)> {
        let greeting = GREETING.replace("\"VERSION\"", "\"MAXREDIRECTS\" \"0\"\r\n\"VERSION\"");
        let fake = Fake::odd(move |command| {
            ["GREETING", "CAPABILITY"].contains(&command).then(|| Reply::Say(greeting.clone().into_bytes()))
        })
        .await;
        Some((Arc::new(fake.router()), Fake::person(ANN)))
    }
}
