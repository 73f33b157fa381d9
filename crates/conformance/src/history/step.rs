//! What happens in a history, step by step, and how a step is written: one line each, so that a history that once failed
//! can be kept as text.

use std::fmt;
use std::str::FromStr;

use model::{Flags, FolderPath};

/// The number of a message: in its body, and nowhere twice but in copies of it. All else of it follows from the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial {
    /// The person's own on the target; else it came to them at the source.
    pub own: bool,
    /// Counted on either side.
    pub number: u32,
}

impl Serial {
    /// The bytes of the message. Some share a Message-ID with the one before.
    pub fn bytes(self) -> Vec<u8> {
        let id = if self.number % 5 == 4 { self.number - 1 } else { self.number };
        let mark = if self.own { "o" } else { "s" };
        let more = "more of it ".repeat(self.number as usize * 7 % 40);
        format!(
            "From: {mark}@example.test\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <{mark}{id}@example.test>\r\n\
             Subject: of {mark}\r\n\r\nserial {self}\r\n{more}\r\n"
        )
        .into_bytes()
    }

    /// When it was received: no two at the same time.
    pub fn received(self) -> i64 {
        1_000_000_000 + i64::from(self.number) * 86_400 + if self.own { 43_200 } else { 0 }
    }

    /// The number in the body of a message.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        text.lines().find_map(|line| line.strip_prefix("serial "))?.parse().ok()
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.own { 'o' } else { 's' }, self.number)
    }
}

impl FromStr for Serial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no message");
        let (mark, number) = text.split_at_checked(1).ok_or_else(wrong)?;
        let own = match mark {
            "o" => true,
            "s" => false,
            _ => return Err(wrong()),
        };
        Ok(Self { own, number: number.parse().map_err(|_| wrong())? })
    }
}

/// One message of a folder: `s3` the first of this number there, `s3#1` the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// Its number.
    pub serial: Serial,
    /// How many of the same number stand before it.
    pub nth: usize,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.serial)?;
        if self.nth > 0 { write!(f, "#{}", self.nth) } else { Ok(()) }
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (serial, nth) = text.split_once('#').unwrap_or((text, "0"));
        Ok(Self { serial: serial.parse()?, nth: nth.parse().map_err(|_| format!("{text:?} is no message"))? })
    }
}

/// What a person's client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A message comes.
    Deliver(Serial, FolderPath, Flags),
    /// Flags are added and taken.
    Flag(Which, FolderPath, Flags, Flags),
    /// A message is moved.
    Move(Which, FolderPath, FolderPath),
    /// A message is copied.
    Copy(Which, FolderPath, FolderPath),
    /// A message is removed.
    Expunge(Which, FolderPath),
    /// A folder is made.
    Create(FolderPath),
    /// A folder, and those below it, get another name.
    Rename(FolderPath, FolderPath),
    /// A folder is removed with all in it; those below it stay.
    Delete(FolderPath),
    /// A folder is followed, or no longer.
    Subscribe(FolderPath, bool),
}

/// Flags as `+\Seen +Work -\Draft`.
fn write_flags(f: &mut fmt::Formatter<'_>, sign: char, flags: &Flags) -> fmt::Result {
    flags.names().try_for_each(|name| write!(f, " {sign}{name}"))
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(serial, folder, flags) => {
                write!(f, "deliver {serial} {folder}")?;
                write_flags(f, '+', flags)
            }
            Self::Flag(which, folder, add, take) => {
                write!(f, "flag {which} {folder}")?;
                write_flags(f, '+', add)?;
                write_flags(f, '-', take)
            }
            Self::Move(which, from, to) => write!(f, "move {which} {from} {to}"),
            Self::Copy(which, from, to) => write!(f, "copy {which} {from} {to}"),
            Self::Expunge(which, folder) => write!(f, "expunge {which} {folder}"),
            Self::Create(folder) => write!(f, "create {folder}"),
            Self::Rename(from, to) => write!(f, "rename {from} {to}"),
            Self::Delete(folder) => write!(f, "delete {folder}"),
            Self::Subscribe(folder, true) => write!(f, "subscribe {folder}"),
            Self::Subscribe(folder, false) => write!(f, "unsubscribe {folder}"),
        }
    }
}

/// A path as a step writes it: names with `/` between. Names of histories hold neither `/` nor spaces.
pub fn path(text: &str) -> FolderPath {
    FolderPath::new(text.split('/'))
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let flags = |words: &[&str], sign: char| {
            Flags::of(words.iter().copied().filter_map(|word: &str| word.strip_prefix(sign)))
        };
        Ok(match words[..] {
            ["deliver", serial, folder, ref rest @ ..] => {
                Self::Deliver(serial.parse()?, path(folder), flags(rest, '+'))
            }
            ["flag", which, folder, ref rest @ ..] => {
                Self::Flag(which.parse()?, path(folder), flags(rest, '+'), flags(rest, '-'))
            }
            ["move", which, from, to] => Self::Move(which.parse()?, path(from), path(to)),
            ["copy", which, from, to] => Self::Copy(which.parse()?, path(from), path(to)),
            ["expunge", which, folder] => Self::Expunge(which.parse()?, path(folder)),
            ["create", folder] => Self::Create(path(folder)),
            ["rename", from, to] => Self::Rename(path(from), path(to)),
            ["delete", folder] => Self::Delete(path(folder)),
            ["subscribe", folder] => Self::Subscribe(path(folder), true),
            ["unsubscribe", folder] => Self::Subscribe(path(folder), false),
            _ => return Err(format!("{text:?} is nothing that a client does")),
        })
    }
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where people come from.
    Source,
    /// Where they go.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

impl FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "source" => Ok(Self::Source),
            "target" => Ok(Self::Target),
            _ => Err(format!("{text:?} is no side")),
        }
    }
}

/// A connection that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// On this side.
    pub side: Side,
    /// At this moment of the pass, two a request.
    pub at: u64,
    /// Nobody gets through to that side any more in this pass.
    pub for_good: bool,
}

/// A pass of the engine, and what happens in the middle of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// The engine is stopped at this moment, three an effect.
    pub stop: Option<u64>,
    /// A connection breaks.
    pub fault: Option<Fault>,
    /// What clients do at moments of the pass.
    pub during: Vec<(u64, Side, Op)>,
}

/// What a server, or the machine that the engine runs on, does by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A folder gets another validity and its messages other ids.
    Renumber(Side, FolderPath),
    /// The source is backed up.
    BackUp,
    /// The source is as it was when it was backed up last.
    Restore,
    /// The ledger is lost.
    LedgerLost,
    /// The ledger is put by.
    LedgerKept,
    /// The ledger is as it was when it was put by last.
    LedgerRestored,
}

/// A step of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A client does something.
    Client(Side, Op),
    /// The engine makes a pass.
    Pass(Pass),
    /// Something happens to a server or to the ledger.
    Event(Event),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(side, op) => write!(f, "{side} {op}"),
            Self::Pass(pass) => {
                f.write_str("pass")?;
                if let Some(at) = pass.stop {
                    write!(f, " stop {at}")?;
                }
                if let Some(fault) = &pass.fault {
                    let how = if fault.for_good { "break-for-good" } else { "break" };
                    write!(f, " {how} {} {}", fault.side, fault.at)?;
                }
                pass.during.iter().try_for_each(|(at, side, op)| write!(f, " ; at {at} {side} {op}"))
            }
            Self::Event(Event::Renumber(side, folder)) => write!(f, "renumber {side} {folder}"),
            Self::Event(Event::BackUp) => f.write_str("back-up"),
            Self::Event(Event::Restore) => f.write_str("restore"),
            Self::Event(Event::LedgerLost) => f.write_str("ledger-lost"),
            Self::Event(Event::LedgerKept) => f.write_str("ledger-kept"),
            Self::Event(Event::LedgerRestored) => f.write_str("ledger-restored"),
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn pass(text: &str) -> Result<Pass, String> {
    let mut parts = text.split(" ; at ");
    let mut pass = Pass::default();
    let words: Vec<&str> = parts.next().unwrap_or_default().split_ascii_whitespace().collect();
    let mut words = &words[..];
    loop {
        words = match words {
            [] => break,
            ["stop", at, rest @ ..] => {
                pass.stop = Some(number(at)?);
                rest
            }
            [how @ ("break" | "break-for-good"), side, at, rest @ ..] => {
                pass.fault = Some(Fault { side: side.parse()?, at: number(at)?, for_good: *how != "break" });
                rest
            }
            _ => return Err(format!("{text:?} is no pass")),
        };
    }
    for part in parts {
        let (at, rest) = part.split_once(' ').ok_or_else(|| format!("{part:?} is no part of a pass"))?;
        let (side, op) = rest.split_once(' ').ok_or_else(|| format!("{part:?} is no part of a pass"))?;
        pass.during.push((number(at)?, side.parse()?, op.parse()?));
    }
    Ok(pass)
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        Ok(match first {
            "source" | "target" => Self::Client(first.parse()?, rest.parse()?),
            "pass" => Self::Pass(pass(&text["pass".len()..])?),
            "renumber" => {
                let (side, folder) = rest.split_once(' ').ok_or_else(|| format!("{text:?} names no folder"))?;
                Self::Event(Event::Renumber(side.parse()?, path(folder)))
            }
            "back-up" => Self::Event(Event::BackUp),
            "restore" => Self::Event(Event::Restore),
            "ledger-lost" => Self::Event(Event::LedgerLost),
            "ledger-kept" => Self::Event(Event::LedgerKept),
            "ledger-restored" => Self::Event(Event::LedgerRestored),
            _ => return Err(format!("{text:?} is no step")),
        })
    }
}

/// The steps of a text, one a line.
///
/// # Panics
/// When a line is none.
pub fn steps(text: &str) -> Vec<Step> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.parse().unwrap_or_else(|error| panic!("{error}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_as_it_is_written() {
        for line in [
            "source deliver s3 INBOX",
            "source deliver s3 Work/Größe +\\Seen +Work",
            "target deliver o1 Mine",
            "source flag s3#1 INBOX +\\Seen -Work",
            "source move s3 INBOX Work/2019",
            "source copy s3 INBOX Work",
            "target expunge s3 INBOX",
            "source create work",
            "source rename Work work",
            "source delete Work",
            "source subscribe Work",
            "target unsubscribe Work",
            "pass",
            "pass stop 14",
            "pass stop 14 break-for-good target 7 ; at 5 source expunge s3 INBOX ; at 6 target flag s4 INBOX +Mine",
            "pass break source 3",
            "pass ; at 5 source delete Work",
            "renumber source INBOX",
            "back-up",
            "restore",
            "ledger-lost",
            "ledger-kept",
            "ledger-restored",
        ] {
            let step: Step = line.parse().unwrap();
            assert_eq!(step.to_string(), line);
        }
        for line in
            ["", "source", "source sing", "pass stop", "pass 3", "target move s3 INBOX", "source expunge x3 INBOX"]
        {
            assert!(line.parse::<Step>().is_err(), "{line}");
        }
    }

    #[test]
    fn a_message_tells_its_number() {
        for serial in ["s0", "s17", "o4"] {
            let serial: Serial = serial.parse().unwrap();
            assert_eq!(Serial::of(&serial.bytes()), Some(serial));
        }
        assert_eq!(Serial::of(b"a: b\r\n\r\nno number\r\n"), None);
    }
}
