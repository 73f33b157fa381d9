//! The words of a command. As strict as the grammar of RFC 9051 section 9: what a lenient server would let pass, this one
//! tells the client, and the test.

use bytes::Bytes;

use super::{date::Date, names};

/// A command as it was sent: text, and the literals between.
pub(super) enum Piece {
    Text(Vec<u8>),
    Literal { bytes: Bytes, binary: bool },
}

/// What is wrong with a command.
#[derive(Debug)]
pub(super) struct Bad(pub(super) String);

impl Bad {
    pub(super) fn new(what: &str) -> Self {
        Self(what.to_owned())
    }
}

/// A set of message numbers or UIDs as it was written; 0, which is neither, stands for `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NumberSet(pub(super) Vec<(u32, u32)>);

impl NumberSet {
    /// Reads `1:3,5,7:*`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let number = |text: &str| match text {
            "*" => Some(0),
            digits if digits.starts_with(|c: char| ('1'..='9').contains(&c)) => digits.parse().ok(),
            _ => None,
        };
        let range = |text: &str| match text.split_once(':') {
            Some((from, to)) => Some((number(from)?, number(to)?)),
            None => number(text).map(|only| (only, only)),
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self)
    }

    /// The ranges, each with its lower end first, where `*` is this number.
    pub(super) fn ranges(&self, most: u32) -> impl Iterator<Item = (u32, u32)> {
        let real = move |number| if number == 0 { most } else { number };
        self.0.iter().map(move |(a, b)| (real(*a).min(real(*b)), real(*a).max(real(*b))))
    }

    /// Those of these sorted numbers that are in the set.
    pub(super) fn of(&self, sorted: &[u32], most: u32) -> Vec<u32> {
        let mut chosen: Vec<u32> = Vec::new();
        for (low, high) in self.ranges(most) {
            let (from, to) = (sorted.partition_point(|n| *n < low), sorted.partition_point(|n| *n <= high));
            chosen.extend_from_slice(&sorted[from..to]);
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

/// Numbers in the shortest form: `1:3,5`.
pub(super) fn write_set(numbers: &[u32]) -> String {
    let mut ranges = Vec::new();
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let length = rest.iter().zip(*first..).take_while(|(a, b)| **a == *b).count();
        ranges.push(match length {
            1 => first.to_string(),
            _ => format!("{first}:{}", rest[length - 1]),
        });
        rest = &rest[length..];
    }
    ranges.join(",")
}

/// Reads a command from its beginning on.
pub(super) struct Words<'c> {
    pieces: &'c [Piece],
    /// The text that is being read, up to the next literal.
    text: &'c [u8],
    /// Folder names and quoted strings are UTF-8, not modified UTF-7 and ASCII.
    pub(super) utf8: bool,
}

impl<'c> Words<'c> {
    pub(super) fn new(pieces: &'c [Piece], utf8: bool) -> Self {
        let mut words = Self { pieces, text: b"", utf8 };
        words.next_text();
        words
    }

    fn next_text(&mut self) {
        if let [Piece::Text(text), rest @ ..] = self.pieces {
            self.text = text;
            self.pieces = rest;
        }
    }

    /// The next byte, without taking it. None at the end and before a literal.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.first().copied()
    }

    /// Takes this byte if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.text = &self.text[1..];
        }
        is_next
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Bad> {
        let found = String::from_utf8_lossy(&self.text[..self.text.len().min(20)]).into_owned();
        if self.take(byte) { Ok(()) } else { Err(Bad(format!("Expected '{}' before '{found}'", char::from(byte)))) }
    }

    /// Does the text go on with this, in any case?
    pub(super) fn starts_with(&self, start: &str) -> bool {
        self.text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
    }

    pub(super) fn space(&mut self) -> Result<(), Bad> {
        self.expect(b' ')
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Bad> {
        if self.text.is_empty() && self.pieces.is_empty() {
            return Ok(());
        }
        Err(Bad(format!("Unexpected '{}' at the end", String::from_utf8_lossy(&self.text[..self.text.len().min(20)]))))
    }

    /// Bytes for as long as this holds, at least one.
    pub(super) fn run(&mut self, holds: impl Fn(u8) -> bool) -> Result<&'c [u8], Bad> {
        let length = self.text.iter().position(|byte| !holds(*byte)).unwrap_or(self.text.len());
        let (run, rest) = self.text.split_at(length);
        self.text = rest;
        if run.is_empty() { Err(Bad::new("A word is missing")) } else { Ok(run) }
    }

    /// An atom, in upper case: a command, an item, a keyword of the grammar.
    pub(super) fn keyword(&mut self) -> Result<String, Bad> {
        Ok(String::from_utf8_lossy(self.run(is_atom)?).to_ascii_uppercase())
    }

    pub(super) fn atom(&mut self) -> Result<&'c str, Bad> {
        std::str::from_utf8(self.run(is_atom)?).map_err(|_| Bad::new("An atom must be ASCII"))
    }

    pub(super) fn number(&mut self) -> Result<u64, Bad> {
        let digits = self.run(|byte| byte.is_ascii_digit())?;
        std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Bad::new("A number is too large"))
    }

    pub(super) fn set(&mut self) -> Result<NumberSet, Bad> {
        let text = self.run(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b',' | b'*'))?;
        NumberSet::parse(text).ok_or(Bad::new("Invalid set of numbers"))
    }

    /// A quoted string or a literal.
    pub(super) fn string(&mut self) -> Result<Vec<u8>, Bad> {
        if self.peek() == Some(b'"') { self.quoted() } else { Ok(self.literal()?.0.to_vec()) }
    }

    pub(super) fn quoted(&mut self) -> Result<Vec<u8>, Bad> {
        self.expect(b'"')?;
        let mut string = Vec::new();
        loop {
            let byte = self.peek().ok_or(Bad::new("A quoted string has no end"))?;
            self.text = &self.text[1..];
            match byte {
                b'"' => return Ok(string),
                b'\\' => {
                    let escaped = self.peek().filter(|byte| matches!(byte, b'"' | b'\\'));
                    string.push(escaped.ok_or(Bad::new("Only \" and \\ are escaped in a quoted string"))?);
                    self.text = &self.text[1..];
                }
                0 | b'\r' => return Err(Bad::new("A quoted string can't hold that")),
                128.. if !self.utf8 => return Err(Bad::new("A quoted string must be ASCII here")),
                _ => string.push(byte),
            }
        }
    }

    /// A literal, and whether it was announced as binary.
    pub(super) fn literal(&mut self) -> Result<(Bytes, bool), Bad> {
        match self.pieces {
            [Piece::Literal { bytes, binary }, rest @ ..] if self.text.is_empty() => {
                self.pieces = rest;
                self.next_text();
                Ok((bytes.clone(), *binary))
            }
            _ => Err(Bad::new("A string is missing")),
        }
    }

    /// Is a literal next?
    pub(super) fn at_literal(&self) -> bool {
        self.text.is_empty() && matches!(self.pieces, [Piece::Literal { .. }, ..])
    }

    pub(super) fn astring(&mut self) -> Result<Vec<u8>, Bad> {
        match self.peek() {
            Some(b'"') | None => self.string(),
            Some(_) => Ok(self.run(|byte| is_atom(byte) || byte == b']')?.to_vec()),
        }
    }

    /// A string, or none for NIL.
    pub(super) fn nstring(&mut self) -> Result<Option<Vec<u8>>, Bad> {
        if matches!(self.peek(), Some(b'"') | None) {
            return self.string().map(Some);
        }
        if self.keyword()? == "NIL" { Ok(None) } else { Err(Bad::new("Expected a string or NIL")) }
    }

    /// A folder's name in Unicode.
    pub(super) fn folder(&mut self) -> Result<String, Bad> {
        let bytes = self.astring()?;
        self.name(&bytes)
    }

    /// A name or a pattern of names, as a LIST has it.
    pub(super) fn pattern(&mut self) -> Result<String, Bad> {
        let bytes = match self.peek() {
            Some(b'"') | None => self.string()?,
            Some(_) => self.run(|byte| is_atom(byte) || matches!(byte, b']' | b'%' | b'*'))?.to_vec(),
        };
        self.name(&bytes)
    }

    fn name(&self, bytes: &[u8]) -> Result<String, Bad> {
        let name = if self.utf8 { String::from_utf8(bytes.to_vec()).ok() } else { names::decode(bytes) };
        name.ok_or_else(|| Bad(format!("Not a well written mailbox name: {}", String::from_utf8_lossy(bytes))))
    }

    /// `(a b c)`, each read by this.
    pub(super) fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, Bad>) -> Result<Vec<T>, Bad> {
        self.expect(b'(')?;
        let mut all = Vec::new();
        if self.take(b')') {
            return Ok(all);
        }
        loop {
            all.push(one(self)?);
            if self.take(b')') {
                return Ok(all);
            }
            self.space()?;
        }
    }

    /// A flag: a keyword, or a backslash and an atom.
    pub(super) fn flag(&mut self) -> Result<String, Bad> {
        let backslash = self.take(b'\\');
        let name = self.atom()?;
        Ok(format!("{}{name}", if backslash { "\\" } else { "" }))
    }

    /// The date and time of an APPEND.
    pub(super) fn date_time(&mut self) -> Result<Date, Bad> {
        let text = self.quoted()?;
        std::str::from_utf8(&text).ok().and_then(Date::parse).ok_or(Bad::new("Invalid date-time"))
    }

    /// The date of a SEARCH, as days since 1970.
    pub(super) fn day(&mut self) -> Result<i64, Bad> {
        let text = if self.peek() == Some(b'"') { self.quoted()? } else { self.run(is_atom)?.to_vec() };
        std::str::from_utf8(&text).ok().and_then(Date::parse_day).ok_or(Bad::new("Invalid date"))
    }
}

pub(super) fn is_atom(byte: u8) -> bool {
    !matches!(byte, 0..=b' ' | 127.. | b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// A string as an answer has it: quoted where that is possible, else as a literal. Quoted strings may hold UTF-8 only where
/// the client asked for it.
pub(super) fn write_string(bytes: &[u8], utf8: bool) -> Vec<u8> {
    let quotable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t') || utf8 && *byte > 127;
    if bytes.len() > 1000 || !bytes.iter().all(quotable) || utf8 && std::str::from_utf8(bytes).is_err() {
        return [format!("{{{}}}\r\n", bytes.len()).as_bytes(), bytes].concat();
    }
    let mut quoted = vec![b'"'];
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

/// The same, or NIL for none.
pub(super) fn write_nstring(bytes: Option<&[u8]>, utf8: bool) -> Vec<u8> {
    bytes.map_or_else(|| b"NIL".to_vec(), |bytes| write_string(bytes, utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        let set = NumberSet::parse(b"7,1:3,*:5").unwrap();
        assert_eq!(set.of(&[1, 2, 4, 5, 6, 9], 9), [1, 2, 5, 6, 9]);
        assert_eq!(NumberSet::parse(b"4:*").unwrap().of(&[1, 2], 2), [2]);
        // The largest number is a number, not the largest in use.
        assert_eq!(NumberSet::parse(b"4:4294967295").unwrap().of(&[1, 2], 2), [0; 0]);
        assert_eq!(write_set(&[1, 2, 3, 5, 7, 8]), "1:3,5,7:8");
        for wrong in ["0", "", "1,", "a", "1:", "01"] {
            assert_eq!(NumberSet::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn words_are_read_as_the_grammar_has_them() {
        let pieces = [
            Piece::Text(b"\"a \\\"b\\\\\" atom] (1 2) ".to_vec()),
            Piece::Literal { bytes: Bytes::from_static(b"l\r\n"), binary: false },
            Piece::Text(b" NIL".to_vec()),
        ];
        let mut words = Words::new(&pieces, false);
        assert_eq!(words.astring().unwrap(), b"a \"b\\");
        words.space().unwrap();
        assert_eq!(words.astring().unwrap(), b"atom]");
        words.space().unwrap();
        assert_eq!(words.list(Words::number).unwrap(), [1, 2]);
        words.space().unwrap();
        assert_eq!(words.nstring().unwrap(), Some(b"l\r\n".to_vec()));
        words.space().unwrap();
        assert_eq!(words.nstring().unwrap(), None);
        words.end().unwrap();
    }

    #[test]
    fn strings_that_cannot_be_quoted_become_literals() {
        assert_eq!(write_string(b"a\"b", false), b"\"a\\\"b\"");
        assert_eq!(write_string("é".as_bytes(), true), "\"é\"".as_bytes());
        assert_eq!(write_string("é".as_bytes(), false), "{2}\r\né".as_bytes());
        assert_eq!(write_string(b"a\r\nb", false), b"{4}\r\na\r\nb");
    }
}
