//! One question to one server, until it is answered or the patience is over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::wire::{Flaw, Message, Question, decode, encode};
use super::{Name, RecordType};

const FORMERR: u8 = 1;
const NOTIMP: u8 = 4;

/// How long a server is waited for, and how often it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For each try. The second waits twice as long, the third three times.
    pub wait: Duration,
    /// How often in all.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { wait: Duration::from_secs(2), tries: 3 }
    }
}

/// Why a server's answer is not known. None of these says anything about the domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing came.
    #[error("{server} did not answer for {name} {kind} in {tries} tries: is it a DNS server, and does the firewall let UDP and TCP port {} through?", server.port())]
    Silent {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        name: Name,
        /// What was asked.
        kind: RecordType,
        /// How often.
        tries: u32,
    },
    /// Something came that was no answer to the question.
    #[error(
        "{server} did not answer for {name} {kind}; what came from it was {why}, {count} times: something on the way may be forging answers"
    )]
    Unusable {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        name: Name,
        /// What was asked.
        kind: RecordType,
        /// What the last of it was.
        why: String,
        /// How often.
        count: u32,
    },
    /// The system could not reach it.
    #[error("{server} can't be reached for {name} {kind}: {why}")]
    Unreachable {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        name: Name,
        /// What was asked.
        kind: RecordType,
        /// What the system says.
        why: String,
    },
    /// It says that it can't, or does not want to.
    #[error("{server} answers {} for {name} {kind}", code_name(*code))]
    Refused {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        name: Name,
        /// What was asked.
        kind: RecordType,
        /// The response code (RFC 1035 §4.1.1).
        code: u8,
    },
    /// It points to other servers: it does not look names up for others, or does not have the zone.
    #[error(
        "{server} does not answer for {name} {kind} itself, it points to other servers: ask one that looks names up for you"
    )]
    Referral {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        name: Name,
        /// What was asked.
        kind: RecordType,
    },
    /// A chain of aliases that closes or does not end.
    #[error("{server} says that {name} is an alias of an alias, in a chain that does not end")]
    Aliases {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        name: Name,
    },
}

fn code_name(code: u8) -> String {
    match code {
        1 => "FORMERR (it could not read the question)".to_owned(),
        2 => "SERVFAIL (it could not find out)".to_owned(),
        4 => "NOTIMP (it does not know how)".to_owned(),
        5 => "REFUSED (it does not answer us)".to_owned(),
        other => format!("response code {other}"),
    }
}

/// Asks until there is an answer.
pub(super) async fn ask(
    server: SocketAddr,
    question: &Question,
    recursion: bool,
    patience: Patience,
) -> Result<Message, Failure> {
    let (name, kind) = (question.name.clone(), question.kind);
    let mut edns = true;
    let mut worst = Worst::default();
    let mut tried = 0;
    while tried < patience.tries.max(1) {
        tried += 1;
        let talk = Talk { server, question, recursion, edns, wait: patience.wait * tried };
        match talk.by_udp(&mut worst).await {
            // RFC 6891 §6.2.2: a server that does not know EDNS is asked without it, which is no try more.
            Ok(Some(message)) if edns && matches!(message.code, FORMERR | NOTIMP) => {
                edns = false;
                tried -= 1;
            }
            Ok(Some(message)) if message.truncated => match talk.by_tcp(&mut worst).await {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) => worst.error = Some(format!("by TCP: {error}")),
            },
            Ok(Some(message)) => return Ok(message),
            Ok(None) => {}
            Err(error) => worst.error = Some(error.to_string()),
        }
    }
    Err(match worst {
        Worst { flaw: Some((why, count)), .. } => Failure::Unusable { server, name, kind, why, count },
        Worst { error: Some(why), .. } => Failure::Unreachable { server, name, kind, why },
        _ => Failure::Silent { server, name, kind, tries: tried },
    })
}

/// What went wrong so far.
#[derive(Default)]
struct Worst {
    flaw: Option<(String, u32)>,
    error: Option<String>,
}

impl Worst {
    fn note(&mut self, flaw: Flaw) {
        let why = match flaw {
            Flaw::NotOurs(why) => why.to_owned(),
            Flaw::Malformed(why) => format!("malformed ({why})"),
        };
        let count = self.flaw.as_ref().map_or(0, |(_, count)| *count);
        self.flaw = Some((why, count.saturating_add(1)));
    }
}

struct Talk<'a> {
    server: SocketAddr,
    question: &'a Question,
    recursion: bool,
    edns: bool,
    wait: Duration,
}

impl Talk<'_> {
    /// A try over UDP, from a port of its own. None when the time ran out.
    async fn by_udp(&self, worst: &mut Worst) -> io::Result<Option<Message>> {
        let any: IpAddr =
            if self.server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // The kernel chooses the port at random, and lets nothing in from other addresses.
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(self.server).await?;
        let id = random_id()?;
        socket.send(&encode(self.question, id, self.recursion, self.edns)).await?;
        let end = Instant::now() + self.wait;
        let mut bytes = vec![0; usize::from(u16::MAX)];
        loop {
            let Ok(received) = timeout_at(end, socket.recv(&mut bytes)).await else { return Ok(None) };
            match decode(&bytes[..received?], self.question, id) {
                Ok(message) => return Ok(Some(message)),
                Err(flaw) => worst.note(flaw),
            }
        }
    }

    /// A try over TCP, where the length stands before the message (RFC 1035 §4.2.2). None when the time ran out or what came was
    /// no answer.
    async fn by_tcp(&self, worst: &mut Worst) -> io::Result<Option<Message>> {
        let id = random_id()?;
        let question = encode(self.question, id, self.recursion, self.edns);
        let whole = async {
            let mut line = TcpStream::connect(self.server).await?;
            let mut request = (question.len() as u16).to_be_bytes().to_vec();
            request.extend(&question);
            // One write, so that one segment has both (RFC 7766 §8).
            line.write_all(&request).await?;
            let length = line.read_u16().await?;
            let mut bytes = vec![0; usize::from(length)];
            line.read_exact(&mut bytes).await?;
            Ok::<_, io::Error>(bytes)
        };
        let Ok(bytes) = timeout(self.wait, whole).await else { return Ok(None) };
        match decode(&bytes?, self.question, id) {
            Ok(message) if message.truncated => {
                worst.note(Flaw::Malformed("cut over TCP, too"));
                Ok(None)
            }
            Ok(message) => Ok(Some(message)),
            Err(flaw) => {
                worst.note(flaw);
                Ok(None)
            }
        }
    }
}

fn random_id() -> io::Result<u16> {
    let mut bytes = [0; 2];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(u16::from_be_bytes(bytes))
}
