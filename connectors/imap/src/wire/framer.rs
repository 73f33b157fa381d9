//! The framer: cuts what a server sends into responses, without understanding them.
//!
//! A response is text up to the end of a line, with literals in it. It is gathered in a [`Framed`]: the text without its
//! literals and without line ends, and the literals by the place in the text where they stood. Bodies (the literal of
//! `BODY[]` in a FETCH) are not gathered: the framer stops at them and whoever drives it takes their bytes, so that a
//! body of any size costs no memory here.
//!
//! Invariants: bounded memory whatever comes; the same responses however the bytes are split; a response whose last byte
//! has not come is never handed out. It does no I/O and knows no command.

use bytes::{Bytes, BytesMut};

use super::set::large_number;

/// How long the text of one response may be: a SEARCH that lists a million UIDs of seven digits fits.
pub const TEXT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How large a literal other than a body may be, and all of one response together: names, header fields and metadata are
/// far smaller. The bytes of a larger one are passed over.
pub const LITERAL_BYTES_MAX: u64 = 1024 * 1024;

/// How many literals one response may have: a FETCH as we ask for it has one, a LIST two.
pub const LITERALS_MAX: usize = 1000;

/// A literal in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Its bytes.
    Inline(Bytes),
    /// The body of this size, which went another way.
    Body(u64),
    /// It was larger than [`LITERAL_BYTES_MAX`] and was passed over.
    PassedOver(u64),
}

/// A response, cut out but not understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Framed {
    /// Its text, without literals and their announcements.
    pub text: Vec<u8>,
    /// Its literals, each with its place in the text.
    pub literals: Vec<(usize, Literal)>,
}

/// How far the framer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// It needs more bytes.
    More,
    /// A body stands here, of which this many bytes are still to come: to be taken from the input by whoever drives.
    Body(u64),
    /// The response is complete.
    Done,
}

/// What no response may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Its text is longer than [`TEXT_BYTES_MAX`].
    TextTooLong,
    /// It has more than [`LITERALS_MAX`] literals.
    TooManyLiterals,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TextTooLong => write!(f, "a response is longer than {TEXT_BYTES_MAX} bytes"),
            Self::TooManyLiterals => write!(f, "a response has more than {LITERALS_MAX} literals"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Line,
    /// Gathering a literal of this size.
    Inline(usize),
    /// Passing over what is left of a literal.
    PassOver(u64),
    /// A body of this size, of which this much is left; whether the driver was told of it.
    Body {
        size: u64,
        left: u64,
        is_told: bool,
    },
    Done,
}

/// Cuts responses out of a stream of bytes.
#[derive(Debug)]
pub struct Framer {
    state: State,
    framed: Framed,
    /// Bytes of the input that were searched for a line's end already.
    searched: usize,
    inline_bytes: u64,
}

impl Default for Framer {
    fn default() -> Self {
        let framed = Framed::default();
        Self { state: State::Line, framed, searched: 0, inline_bytes: 0 }
    }
}

impl Framer {
    /// The response that is complete, or the beginning of the one that is coming.
    pub fn framed(&self) -> &Framed {
        &self.framed
    }

    /// Is the framer between two responses?
    pub fn is_idle(&self) -> bool {
        self.state == State::Done || (self.state == State::Line && self.framed.text.is_empty())
    }

    /// Did no byte of the body that stands here come yet?
    pub fn body_is_untouched(&self) -> bool {
        matches!(self.state, State::Body { size, left, .. } if size == left)
    }

    /// So many bytes of the body that stands here were taken from the input.
    pub fn body_taken(&mut self, bytes: u64) {
        if let State::Body { left, .. } = &mut self.state {
            *left = left.saturating_sub(bytes);
        }
    }

    /// Goes on with these bytes; what it has used is gone from them.
    pub fn advance(&mut self, input: &mut BytesMut) -> Result<Advance, FrameError> {
        loop {
            match self.state {
                State::Done => {
                    self.framed.text.clear();
                    self.framed.literals.clear();
                    self.inline_bytes = 0;
                    self.state = State::Line;
                }
                State::Line => match self.line(input)? {
                    Some(state) => self.state = state,
                    None => return Ok(Advance::More),
                },
                State::Inline(size) => {
                    if input.len() < size {
                        return Ok(Advance::More);
                    }
                    let bytes = input.split_to(size).freeze();
                    self.literal(Literal::Inline(bytes))?;
                    self.state = State::Line;
                }
                State::PassOver(left) => {
                    let here = left.min(input.len() as u64);
                    let _ = input.split_to(here as usize);
                    self.state = State::PassOver(left - here);
                    if left > here {
                        return Ok(Advance::More);
                    }
                    self.state = State::Line;
                }
                State::Body { left: 0, is_told: true, .. } => self.state = State::Line,
                State::Body { size, left, .. } => {
                    self.state = State::Body { size, left, is_told: true };
                    return Ok(Advance::Body(left));
                }
            }
            if self.state == State::Done {
                return Ok(Advance::Done);
            }
        }
    }

    fn literal(&mut self, literal: Literal) -> Result<(), FrameError> {
        if self.framed.literals.len() == LITERALS_MAX {
            return Err(FrameError::TooManyLiterals);
        }
        self.framed.literals.push((self.framed.text.len(), literal));
        Ok(())
    }

    /// Takes text up to the end of a line; says what comes after it. None: the line's end has not come.
    fn line(&mut self, input: &mut BytesMut) -> Result<Option<State>, FrameError> {
        let Some(end) = memchr::memchr(b'\n', &input[self.searched..]) else {
            self.searched = input.len();
            if self.framed.text.len() + input.len() > TEXT_BYTES_MAX {
                return Err(FrameError::TextTooLong);
            }
            return Ok(None);
        };
        let end = self.searched + end;
        self.searched = 0;
        if self.framed.text.len() + end > TEXT_BYTES_MAX {
            return Err(FrameError::TextTooLong);
        }
        let line = input.split_to(end + 1);
        let mut line = &line[..end];
        while let Some((b'\r', rest)) = line.split_last() {
            line = rest;
        }
        if line.is_empty() && self.framed.text.is_empty() && self.framed.literals.is_empty() {
            return Ok(Some(State::Line));
        }
        let before = self.framed.text.len();
        self.framed.text.extend_from_slice(line);
        let Some((announcement_bytes, size)) = announcement(line) else { return Ok(Some(State::Done)) };
        if !may_have_literals(&self.framed.text) || ends_inside_quotes(&self.framed.text) {
            return Ok(Some(State::Done));
        }
        self.framed.text.truncate(before + line.len() - announcement_bytes);
        if announces_body(&self.framed.text) {
            self.literal(Literal::Body(size))?;
            return Ok(Some(State::Body { size, left: size, is_told: false }));
        }
        self.inline_bytes = self.inline_bytes.saturating_add(size);
        if self.inline_bytes > LITERAL_BYTES_MAX {
            self.inline_bytes -= size;
            self.literal(Literal::PassedOver(size))?;
            return Ok(Some(State::PassOver(size)));
        }
        Ok(Some(State::Inline(size as usize)))
    }
}

/// The literal that a line announces at its end (`{12}`, `{12+}`, `~{12}`): the announcement's length, and the size.
fn announcement(line: &[u8]) -> Option<(usize, u64)> {
    let inner = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', inner)?;
    let digits = inner[open + 1..].strip_suffix(b"+").unwrap_or(&inner[open + 1..]);
    let size = large_number(digits)?;
    let is_binary = open > 0 && inner[open - 1] == b'~';
    Some((line.len() - open + usize::from(is_binary), size))
}

/// Literals stand only in untagged data. A tagged answer, a continuation and `* OK` and its like end in text for people,
/// which may well end in `{5}`.
fn may_have_literals(text: &[u8]) -> bool {
    let Some(data) = text.strip_prefix(b"* ") else { return false };
    let data = data.trim_ascii_start();
    let word = data.split(|byte| *byte == b' ').next().unwrap_or_default();
    ![&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|status| status.eq_ignore_ascii_case(word))
}

fn ends_inside_quotes(text: &[u8]) -> bool {
    let mut inside = false;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => inside = !inside,
            b'\\' if inside => {
                bytes.next();
            }
            _ => {}
        }
    }
    inside
}

/// Does the text end where the whole body of a message follows?
fn announces_body(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    let ends = |name: &[u8]| {
        text.len() > name.len() && {
            let (before, end) = text.split_at(text.len() - name.len());
            end.eq_ignore_ascii_case(name) && matches!(before.last(), Some(b' ' | b'('))
        }
    };
    (ends(b"BODY[]") || ends(b"BINARY[]") || ends(b"RFC822")) && is_fetch(text)
}

fn is_fetch(text: &[u8]) -> bool {
    let mut words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (star, number, name) = (words.next(), words.next(), words.next());
    let is_number = number.is_some_and(|number| number.iter().all(u8::is_ascii_digit));
    let is_name = |name: &[u8]| [&b"FETCH"[..], b"UIDFETCH"].iter().any(|known| known.eq_ignore_ascii_case(name));
    star == Some(b"*") && is_number && name.is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes of these bytes when they come in these pieces: responses, with their bodies beside them.
    fn frame(pieces: &[&[u8]]) -> Vec<(Framed, Vec<u8>)> {
        let mut framer = Framer::default();
        let mut input = BytesMut::new();
        let mut responses = Vec::new();
        let mut body = Vec::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                match framer.advance(&mut input).unwrap() {
                    Advance::More => break,
                    Advance::Done => responses.push((framer.framed().clone(), std::mem::take(&mut body))),
                    Advance::Body(left) if left > 0 && input.is_empty() => break,
                    Advance::Body(left) => {
                        let here = input.split_to(left.min(input.len() as u64) as usize);
                        body.extend_from_slice(&here);
                        framer.body_taken(here.len() as u64);
                    }
                }
            }
        }
        responses
    }

    fn one(bytes: &[u8]) -> (String, Vec<(usize, Literal)>, Vec<u8>) {
        let mut responses = frame(&[bytes]);
        assert_eq!(responses.len(), 1, "{responses:?}");
        let (framed, body) = responses.remove(0);
        (String::from_utf8(framed.text).unwrap(), framed.literals, body)
    }

    #[test]
    fn a_line_is_a_response() {
        assert_eq!(one(b"* OK ready\r\n").0, "* OK ready");
        assert_eq!(one(b"* OK ready\n").0, "* OK ready");
        assert_eq!(one(b"\r\n\r\n* OK ready\r\r\n").0, "* OK ready");
        assert_eq!(frame(&[b"* OK no end"]).len(), 0);
    }

    #[test]
    fn literals_are_taken_out_of_the_text() {
        let (text, literals, _) = one(b"* LIST () \"/\" {6}\r\na\r\nb\"c\r\n");
        assert_eq!(text, "* LIST () \"/\" ");
        assert_eq!(literals, [(14, Literal::Inline(Bytes::from_static(b"a\r\nb\"c")))]);
        let (text, literals, _) = one(b"* STATUS {1+}\r\nx (MESSAGES {2}\r\n12)\r\n");
        assert_eq!(text, "* STATUS  (MESSAGES )");
        assert_eq!(literals.len(), 2);
    }

    #[test]
    fn a_body_goes_another_way() {
        for head in ["BODY[]", "body[]", "BINARY[]", "RFC822"] {
            for open in ["{5}", "~{5}", "{5+}"] {
                let bytes = format!("* 12 FETCH (UID 3 {head} {open}\r\na\r\nb) FLAGS (\\Seen))\r\n");
                let (text, literals, body) = one(bytes.as_bytes());
                assert_eq!(text, format!("* 12 FETCH (UID 3 {head}  FLAGS (\\Seen))"));
                assert_eq!((literals[0].1.clone(), body.as_slice()), (Literal::Body(5), &b"a\r\nb)"[..]));
            }
        }
        let (_, literals, body) = one(b"* 1 FETCH (BODY[] {0}\r\n UID 7)\r\n");
        assert_eq!((literals[0].1.clone(), body.len()), (Literal::Body(0), 0));
    }

    #[test]
    fn only_a_whole_body_of_a_fetch_is_a_body() {
        for bytes in [
            "* 1 FETCH (BODY[TEXT] {1}\r\nx)\r\n",
            "* 1 FETCH (BODY[]<0> {1}\r\nx)\r\n",
            "* 1 FETCH (RFC822.HEADER {1}\r\nx)\r\n",
            "* 1 FETCH (X-BODY[] {1}\r\nx)\r\n",
            "* LIST (BODY[] {1}\r\nx)\r\n",
            "* x FETCH (BODY[] {1}\r\nx)\r\n",
        ] {
            let (_, literals, _) = one(bytes.as_bytes());
            assert_eq!(literals[0].1, Literal::Inline(Bytes::from_static(b"x")), "{bytes}");
        }
    }

    #[test]
    fn text_for_people_that_ends_like_a_literal_is_text() {
        for line in
            ["* OK you have {5}", "A1 NO quota {12}", "+ go on {3}", "* BYE {1}", "* ok {1}", "* LIST () \"/\" \"a {5}"]
        {
            assert_eq!(one(format!("{line}\r\n").as_bytes()).0, line);
        }
    }

    #[test]
    fn a_large_literal_is_passed_over_and_the_rest_is_kept() {
        let size = LITERAL_BYTES_MAX + 1;
        let mut bytes = format!("* LIST () \"/\" {{{size}}}\r\n").into_bytes();
        bytes.extend(std::iter::repeat_n(b'x', size as usize));
        bytes.extend_from_slice(b" tail\r\n* OK next\r\n");
        let responses = frame(&bytes.chunks(100_000).collect::<Vec<_>>());
        assert_eq!(responses[0].0.literals, [(14, Literal::PassedOver(size))]);
        assert_eq!(responses[0].0.text, b"* LIST () \"/\"  tail");
        assert_eq!(responses[1].0.text, b"* OK next");
    }

    #[test]
    fn what_is_too_long_is_an_error_not_memory() {
        let mut framer = Framer::default();
        let mut input = BytesMut::from(&vec![b'x'; TEXT_BYTES_MAX + 1][..]);
        assert_eq!(framer.advance(&mut input), Err(FrameError::TextTooLong));
        let mut input = BytesMut::from(&b"* X "[..]);
        for _ in 0..=LITERALS_MAX {
            input.extend_from_slice(b"{0}\r\n ");
        }
        assert_eq!(Framer::default().advance(&mut input), Err(FrameError::TooManyLiterals));
    }

    #[test]
    fn a_body_cut_short_is_no_response() {
        let responses = frame(&[b"* 1 FETCH (UID 1 BODY[] {10}\r\nabc"]);
        assert!(responses.is_empty());
    }

    const CONVERSATION: &[u8] = b"* OK [CAPABILITY IMAP4rev1] hi {3}\r\n* LIST (\\Seen) \"/\" {3}\r\na\nb\r\n\
        * 1 FETCH (FLAGS (\\Seen) UID 7 BODY[] {9}\r\n)\r\n* 2 {1 INTERNALDATE \" 1-Jan-2020 00:00:00 +0000\")\r\n\
        * 2 FETCH (UID 8 BODY[] NIL)\n+ {2}\r\nW1 OK done\r\n* 3 FETCH (BODY[] {0}\r\n UID 9)\r\n";

    #[test]
    fn every_split_gives_the_same_responses() {
        let whole = frame(&[CONVERSATION]);
        assert_eq!(whole.len(), 7);
        assert_eq!(whole[2].1, b")\r\n* 2 {1");
        for first in 0..CONVERSATION.len() {
            for second in first..CONVERSATION.len() {
                let pieces = [&CONVERSATION[..first], &CONVERSATION[first..second], &CONVERSATION[second..]];
                assert_eq!(frame(&pieces), whole, "split at {first} and {second}");
            }
        }
        assert_eq!(frame(&CONVERSATION.chunks(1).collect::<Vec<_>>()), whole);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b"* 1 FETCH (BODY[] {3}\r\n".to_vec()), Just(b"{2}\r\n".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"\"".to_vec()), Just(b"* ".to_vec()), Just(b"\\".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..6),
            ], 0..20),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        ) {
            let bytes = bytes.concat();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(frame(&pieces), frame(&[&bytes]));
        }
    }
}
