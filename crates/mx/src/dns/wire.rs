//! Messages as they travel (RFC 1035 §4). Whatever the bytes are, reading ends, and soon.

use super::{Data, Name, Record, RecordType};

/// What is said to be room for over UDP: fits a packet of any network without being cut (DNS flag day 2020).
pub(super) const UDP_BYTES_MAX: u16 = 1232;
const CLASS_IN: u16 = 1;
const OPT: u16 = 41;
/// A name has at most 127 labels; more jumps than that are no compression.
const JUMPS_MAX: usize = 127;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: RecordType,
}

/// An answer, as far as it is used.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) authoritative: bool,
    pub(super) truncated: bool,
    /// Does the server look names up for others (RA)?
    pub(super) recursion: bool,
    pub(super) code: u8,
    pub(super) answers: Vec<Record>,
    pub(super) authority: Vec<Record>,
}

/// What is wrong with bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They answer something else: another id, or another question.
    NotOurs(&'static str),
    /// They can't be read.
    Malformed(&'static str),
}

/// The bytes of a question.
pub(super) fn encode(question: &Question, id: u16, recursion: bool, edns: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    let flags: u16 = if recursion { 0x0100 } else { 0 };
    for word in [id, flags, 1, 0, 0, u16::from(edns)] {
        bytes.extend(word.to_be_bytes());
    }
    for label in question.name.labels() {
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
    bytes.extend(question.kind.code().to_be_bytes());
    bytes.extend(CLASS_IN.to_be_bytes());
    if edns {
        // RFC 6891 §6.1.2: the root, OPT, the room, no flags, no options.
        bytes.push(0);
        bytes.extend(OPT.to_be_bytes());
        bytes.extend(UDP_BYTES_MAX.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

/// Reads the answer to a question that was asked under this id.
pub(super) fn decode(bytes: &[u8], question: &Question, id: u16) -> Result<Message, Flaw> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.word()? != id {
        return Err(Flaw::NotOurs("another id"));
    }
    let flags = reader.word()?;
    if flags & 0x8000 == 0 {
        return Err(Flaw::NotOurs("a question, not an answer"));
    }
    if flags & 0x7800 != 0 {
        return Err(Flaw::NotOurs("the answer to another kind of request"));
    }
    let (questions, answers, authority) = (reader.word()?, reader.word()?, reader.word()?);
    reader.word()?;
    let code = (flags & 0x000f) as u8;
    let mut message = Message {
        authoritative: flags & 0x0400 != 0,
        truncated: flags & 0x0200 != 0,
        recursion: flags & 0x0080 != 0,
        code,
        ..Message::default()
    };
    // A server that could not read the question may leave it out.
    if questions == 0 && code == 1 {
        return Ok(message);
    }
    if questions != 1 {
        return Err(Flaw::NotOurs("not one question"));
    }
    let name = reader.name()?;
    if name != question.name || reader.word()? != question.kind.code() || reader.word()? != CLASS_IN {
        return Err(Flaw::NotOurs("another question"));
    }
    // What is cut is asked for again over TCP; what is left of it counts for nothing.
    if !message.truncated {
        message.answers = reader.records(answers)?;
        message.authority = reader.records(authority)?;
    }
    Ok(message)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Flaw> {
        let piece = self.bytes.get(self.at..self.at + count).ok_or(Flaw::Malformed("it ends too early"))?;
        self.at += count;
        Ok(piece)
    }

    fn byte(&mut self) -> Result<u8, Flaw> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Result<u16, Flaw> {
        let piece = self.take(2)?;
        Ok(u16::from_be_bytes([piece[0], piece[1]]))
    }

    fn long(&mut self) -> Result<u32, Flaw> {
        Ok(u32::from(self.word()?) << 16 | u32::from(self.word()?))
    }

    /// A name, whose end may stand earlier in the message (§4.1.4). Each jump must lead further back than the one before, so that
    /// no chain of them closes.
    fn name(&mut self) -> Result<Name, Flaw> {
        let mut labels = Vec::new();
        let (mut bytes, mut jumps) = (1, 0);
        let mut back_of = self.at;
        let mut after = None;
        loop {
            let length = self.byte()?;
            match length {
                0 => break,
                1..=63 => {
                    bytes += usize::from(length) + 1;
                    if bytes > 255 {
                        return Err(Flaw::Malformed("a name is too long"));
                    }
                    labels.push(self.take(usize::from(length))?.to_vec());
                }
                192.. => {
                    let to = usize::from(length & 0x3f) << 8 | usize::from(self.byte()?);
                    jumps += 1;
                    if to >= back_of || jumps > JUMPS_MAX {
                        return Err(Flaw::Malformed("a compressed name leads nowhere"));
                    }
                    after.get_or_insert(self.at);
                    (back_of, self.at) = (to, to);
                }
                _ => return Err(Flaw::Malformed("a label of an unknown form")),
            }
        }
        if let Some(after) = after {
            self.at = after;
        }
        Name::of_labels(labels).ok_or(Flaw::Malformed("a name is too long"))
    }

    fn records(&mut self, count: u16) -> Result<Vec<Record>, Flaw> {
        let mut records = Vec::new();
        for _ in 0..count {
            records.extend(self.record()?);
        }
        Ok(records)
    }

    /// A record; none, if it is of another class.
    fn record(&mut self) -> Result<Option<Record>, Flaw> {
        let owner = self.name()?;
        let (code, class) = (self.word()?, self.word()?);
        // RFC 2181 §8: a time to live with its first bit set is zero.
        let ttl_seconds = Some(self.long()?).filter(|ttl| ttl >> 31 == 0).unwrap_or(0);
        let length = usize::from(self.word()?);
        let end = self.at + length;
        if end > self.bytes.len() {
            return Err(Flaw::Malformed("it ends too early"));
        }
        let data = self.data(code, length)?;
        if self.at != end {
            return Err(Flaw::Malformed("a record is longer or shorter than it says"));
        }
        Ok((class == CLASS_IN).then_some(Record { owner, ttl_seconds, data }))
    }

    fn data(&mut self, code: u16, length: usize) -> Result<Data, Flaw> {
        Ok(match code {
            1 if length == 4 => {
                let [a, b, c, d] = self.long()?.to_be_bytes();
                Data::A([a, b, c, d].into())
            }
            28 if length == 16 => {
                let mut octets = [0; 16];
                octets.copy_from_slice(self.take(16)?);
                Data::Aaaa(octets.into())
            }
            1 | 28 => return Err(Flaw::Malformed("an address of another length")),
            2 => Data::Ns(self.name()?),
            5 => Data::Cname(self.name()?),
            15 => Data::Mx { preference: self.word()?, exchange: self.name()? },
            33 => Data::Srv { priority: self.word()?, weight: self.word()?, port: self.word()?, target: self.name()? },
            6 => {
                let primary = self.name()?;
                self.name()?;
                let serial = self.long()?;
                self.take(12)?;
                Data::Soa { primary, serial, minimum_seconds: self.long()? }
            }
            16 => Data::Txt(self.strings(length)?),
            other => {
                self.take(length)?;
                Data::Other(other)
            }
        })
    }

    fn strings(&mut self, length: usize) -> Result<Vec<u8>, Flaw> {
        let end = self.at + length;
        let mut all = Vec::with_capacity(length);
        while self.at < end {
            let count = usize::from(self.byte()?);
            all.extend(self.take(count)?);
        }
        Ok(all)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
