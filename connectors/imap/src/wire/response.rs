//! Responses: what the framer cut out, seen as what the protocol says it is.
//!
//! A view borrows the response and types only what we use; anything else is [`Response::Data`] with a word that nobody
//! asks for, so an unknown response is never an error.

use super::framer::Framed;
use super::set::{UidSet, number};
use super::token::{Token, Tokens, text_of};

/// How a command ended, or what an untagged status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done.
    Ok,
    /// It was refused.
    No,
    /// It was not understood.
    Bad,
    /// The server is about to close the connection.
    Bye,
    /// The connection is logged in from the start.
    Preauth,
}

impl Status {
    fn of(word: &[u8]) -> Option<Self> {
        const WORDS: [(&[u8], Status); 5] = [
            (b"OK", Status::Ok),
            (b"NO", Status::No),
            (b"BAD", Status::Bad),
            (b"BYE", Status::Bye),
            (b"PREAUTH", Status::Preauth),
        ];
        WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, status)| *status)
    }
}

/// The code in brackets at the beginning of a status text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code<'a> {
    /// Its name, as sent.
    pub name: &'a [u8],
    /// What follows the name.
    pub arguments: &'a [u8],
}

impl<'a> Code<'a> {
    /// Is it this code, in any case?
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The tokens of its arguments.
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens::of_text(self.arguments)
    }
}

/// What a status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusText<'a> {
    /// Its code, if it has one.
    pub code: Option<Code<'a>>,
    /// Its text for people.
    pub text: &'a [u8],
}

impl<'a> StatusText<'a> {
    /// Reads `[CODE arguments] text`.
    pub fn of(text: &'a [u8]) -> Self {
        let text = text.trim_ascii();
        let plain = Self { code: None, text };
        let Some(inner) = text.strip_prefix(b"[") else { return plain };
        let Some(end) = code_end(inner) else { return plain };
        let (code, rest) = (inner[..end].trim_ascii(), inner[end + 1..].trim_ascii());
        let name_end = code.iter().position(|byte| matches!(byte, b' ' | b'(')).unwrap_or(code.len());
        let (name, arguments) = code.split_at(name_end);
        Self { code: Some(Code { name, arguments: arguments.trim_ascii() }), text: rest }
    }

    /// The code, if it is this one.
    pub fn code(&self, name: &str) -> Option<Code<'a>> {
        self.code.filter(|code| code.is(name))
    }
}

/// Where a code ends: at the first bracket that stands neither in quotes nor in parentheses (PERMANENTFLAGS may list
/// `[Gmail]`), or at the first bracket of all when that finds none.
fn code_end(inner: &[u8]) -> Option<usize> {
    let (mut quoted, mut depth) = (false, 0usize);
    let mut place = 0;
    while place < inner.len() {
        match inner[place] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => place += 1,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b']' if !quoted && depth == 0 => return Some(place),
            _ => {}
        }
        place += 1;
    }
    inner.iter().position(|byte| *byte == b']')
}

/// A response of a server.
#[derive(Clone, Debug)]
pub enum Response<'a> {
    /// `+`: the server waits for more.
    Continue(&'a [u8]),
    /// A command ended.
    Tagged {
        /// The command's tag.
        tag: &'a [u8],
        /// How.
        status: Status,
        /// What it says.
        text: StatusText<'a>,
    },
    /// A status that belongs to no command.
    Status {
        /// Which.
        status: Status,
        /// What it says.
        text: StatusText<'a>,
    },
    /// Data that begins with a number: `5 EXISTS`, `5 FETCH (...)`.
    Numbered {
        /// The number.
        number: u32,
        /// What it is.
        word: &'a [u8],
        /// What follows.
        rest: Tokens<'a>,
    },
    /// Other data: `LIST (...)`.
    Data {
        /// What it is.
        word: &'a [u8],
        /// What follows.
        rest: Tokens<'a>,
    },
    /// Nothing that the protocol knows.
    Unknown,
}

impl<'a> Response<'a> {
    /// The view of a response.
    pub fn of(framed: &'a Framed) -> Self {
        let text = framed.text.as_slice();
        if let Some(rest) = text.strip_prefix(b"+") {
            return Self::Continue(rest.trim_ascii());
        }
        let mut tokens = Tokens::of(framed);
        let Some(Token::Atom(first)) = tokens.next() else { return Self::Unknown };
        let after_first = tokens.rest();
        let Some(Token::Atom(word)) = tokens.next() else { return Self::Unknown };
        let status = Status::of(word);
        if first != b"*" {
            let Some(status) = status else { return Self::Unknown };
            return Self::Tagged { tag: first, status, text: StatusText::of(&after_first[word.len()..]) };
        }
        if let Some(status) = status {
            return Self::Status { status, text: StatusText::of(&after_first[word.len()..]) };
        }
        match number(word) {
            Some(number) => match tokens.next() {
                Some(Token::Atom(word)) => Self::Numbered { number, word, rest: tokens },
                _ => Self::Unknown,
            },
            None => Self::Data { word, rest: tokens },
        }
    }

    /// What follows the word, if the response is data of this word.
    pub fn data(&self, name: &str) -> Option<Tokens<'a>> {
        match self {
            Self::Data { word, rest } if word.eq_ignore_ascii_case(name.as_bytes()) => Some(rest.clone()),
            _ => None,
        }
    }

    /// The number and what follows, if the response is numbered data of this word.
    pub fn numbered(&self, name: &str) -> Option<(u32, Tokens<'a>)> {
        match self {
            Self::Numbered { number, word, rest } if word.eq_ignore_ascii_case(name.as_bytes()) => {
                Some((*number, rest.clone()))
            }
            _ => None,
        }
    }

    /// The code of an untagged status, if it is this one.
    pub fn code(&self, name: &str) -> Option<Code<'a>> {
        match self {
            Self::Status { text, .. } => text.code(name),
            _ => None,
        }
    }

    /// What vanished (RFC 7162): the UIDs, and whether that was before the command (EARLIER).
    pub fn vanished(&self) -> Option<(UidSet, bool)> {
        let mut rest = self.data("VANISHED")?;
        let mut token = rest.next()?;
        let earlier = token == Token::Open;
        if earlier {
            rest.pass_over_list();
            token = rest.next()?;
        }
        Some((UidSet::parse(&token.bytes()?)?, earlier))
    }
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// How it ended.
    pub status: Status,
    /// The code's name in upper case, empty when there is none.
    pub code: String,
    /// The code's arguments.
    pub arguments: String,
    /// The whole text, code included, for people.
    pub text: String,
}

/// How much of a server's text is kept, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// A server's text as people may see it: one line, without control characters, not too long.
pub fn presentable(text: &[u8]) -> String {
    let text = text_of(text.trim_ascii());
    let mut shown: String = text.chars().take(TEXT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

impl Completion {
    /// What a tagged status says.
    pub fn of(status: Status, text: &StatusText<'_>) -> Self {
        let word = match status {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bad => "BAD",
            Status::Bye => "BYE",
            Status::Preauth => "PREAUTH",
        };
        let (mut code, mut arguments) = (String::new(), String::new());
        let mut shown = word.to_owned();
        if let Some(found) = &text.code {
            code = text_of(found.name).to_ascii_uppercase();
            arguments = text_of(found.arguments);
            let space: &[u8] = if found.arguments.is_empty() { b"" } else { b" " };
            shown.push_str(" [");
            shown.push_str(&presentable(&[found.name, space, found.arguments].concat()));
            shown.push(']');
        }
        if !text.text.is_empty() {
            shown.push(' ');
            shown.push_str(&presentable(text.text));
        }
        Self { status, code, arguments, text: shown }
    }

    /// Was it done?
    pub fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// Has it this code?
    pub fn has(&self, code: &str) -> bool {
        self.code == code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(text: &str) -> Framed {
        Framed { text: text.as_bytes().to_vec(), literals: Vec::new() }
    }

    #[test]
    fn codes_end_where_they_end() {
        for (text, name, arguments, rest) in [
            ("[UIDVALIDITY 1] ok", "UIDVALIDITY", "1", "ok"),
            ("[PERMANENTFLAGS (\\Seen [Gmail] \\*)] limited", "PERMANENTFLAGS", "(\\Seen [Gmail] \\*)", "limited"),
            ("[BADCHARSET (\"a]\")]", "BADCHARSET", "(\"a]\")", ""),
            ("[PERMANENTFLAGS (a] broken", "PERMANENTFLAGS", "(a", "broken"),
            ("[READ-ONLY]", "READ-ONLY", "", ""),
            ("[X(1)] y", "X", "(1)", "y"),
        ] {
            let status = StatusText::of(text.as_bytes());
            let code = status.code.unwrap();
            assert_eq!(
                (text_of(code.name), text_of(code.arguments), text_of(status.text)),
                (name.to_owned(), arguments.to_owned(), rest.to_owned()),
                "{text}"
            );
        }
        assert_eq!(StatusText::of(b"[no end").code, None);
        assert_eq!(StatusText::of(b"").text, b"");
    }

    #[test]
    fn completions_without_text_are_completions() {
        let framed = framed("W1 OK");
        let Response::Tagged { tag: b"W1", status: Status::Ok, text } = Response::of(&framed) else { panic!() };
        assert_eq!(Completion::of(Status::Ok, &text).text, "OK");
    }

    #[test]
    fn what_vanished_is_read() {
        let read = |text: &str| Response::of(&framed(text)).vanished().map(|(set, earlier)| (set.len(), earlier));
        assert_eq!(read("* VANISHED (EARLIER) 41,43:116"), Some((75, true)));
        assert_eq!(read("* VANISHED 5"), Some((1, false)));
        assert_eq!(read("* VANISHED (EARLIER) "), None);
        assert_eq!(read("* EXISTS"), None);
    }

    #[test]
    fn what_is_not_known_is_no_error() {
        for text in ["", "*", "* ", "* (", "x", "* 5", "* 5 (", "W1 WHAT", "* 99999999999 EXISTS", "\u{1}\u{2}"] {
            let _ = Response::of(&framed(text));
        }
        assert!(matches!(Response::of(&framed("* XLIST (\\Inbox) \"/\" x")), Response::Data { word: b"XLIST", .. }));
    }

    #[test]
    fn a_servers_text_is_made_presentable() {
        assert_eq!(presentable(b" a\tb\x1b[31m "), "a b [31m");
        assert_eq!(presentable(&[b'x'; 1000]).chars().count(), 301);
    }
}
