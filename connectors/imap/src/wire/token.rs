//! The tokenizer: reads the words, strings, lists and literals of a response, one after the other.
//!
//! It borrows the response, keeps no list and has no depth, so neither nesting nor length costs memory. It refuses
//! nothing: what it can't place is an atom.

use std::borrow::Cow;

use super::framer::{Framed, Literal};

/// A piece of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// A word, number or flag; also `BODY[HEADER.FIELDS (A B)]` with what is in its brackets.
    Atom(&'a [u8]),
    /// What stands between two quotes, backslashes included.
    Quoted(&'a [u8]),
    /// A literal.
    Literal(&'a Literal),
}

impl<'a> Token<'a> {
    /// Is it NIL? A quoted "NIL" is not.
    pub fn is_nil(self) -> bool {
        matches!(self, Self::Atom(word) if word.eq_ignore_ascii_case(b"NIL"))
    }

    /// Its bytes, when it is a string of any form. None for NIL, lists and literals whose bytes are not here.
    pub fn bytes(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Atom(_) if self.is_nil() => None,
            Self::Atom(word) => Some(Cow::Borrowed(word)),
            Self::Quoted(text) => Some(unquote(text)),
            Self::Literal(Literal::Inline(bytes)) => Some(Cow::Borrowed(bytes)),
            Self::Open | Self::Close | Self::Literal(_) => None,
        }
    }

    /// Its bytes as text, for people or for comparison.
    pub fn text(self) -> Option<String> {
        self.bytes().map(|bytes| text_of(&bytes))
    }

    /// The atom's number.
    pub fn number(self) -> Option<u64> {
        self.bytes().and_then(|bytes| super::set::large_number(&bytes))
    }

    /// Is it this word, in any case?
    pub fn is(self, word: &str) -> bool {
        matches!(self, Self::Atom(atom) if atom.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// Bytes as text: UTF-8, or else Latin-1, which older servers send.
pub fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        let byte = if *byte == b'\\' { rest.next().unwrap_or(byte) } else { byte };
        bytes.push(*byte);
    }
    Cow::Owned(bytes)
}

/// The tokens of a response, or of a part of one.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    text: &'a [u8],
    literals: &'a [(usize, Literal)],
    place: usize,
    next_literal: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of a response.
    pub fn of(framed: &'a Framed) -> Self {
        Self { text: &framed.text, literals: &framed.literals, place: 0, next_literal: 0 }
    }

    /// The tokens of a text without literals.
    pub fn of_text(text: &'a [u8]) -> Self {
        Self { text, literals: &[], place: 0, next_literal: 0 }
    }

    /// The text from here on, without its literals.
    pub fn rest(&self) -> &'a [u8] {
        self.text[self.place..].trim_ascii_start()
    }

    /// Passes over one value: a word, a string or a whole list.
    pub fn pass_over_value(&mut self) {
        if self.next() == Some(Token::Open) {
            self.pass_over_list();
        }
    }

    /// Passes over the rest of the list that is open here, its closing parenthesis included.
    pub fn pass_over_list(&mut self) {
        let mut depth = 1u64;
        while depth > 0 {
            match self.next() {
                Some(Token::Open) => depth += 1,
                Some(Token::Close) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    /// The words of the list that begins here; lists in it are passed over. Empty for a value that is no list, which is
    /// passed over too.
    pub fn list(&mut self) -> Vec<Token<'a>> {
        let mut words = Vec::new();
        if self.next() != Some(Token::Open) {
            return words;
        }
        loop {
            match self.next() {
                Some(Token::Open) => self.pass_over_list(),
                Some(Token::Close) | None => return words,
                Some(word) => words.push(word),
            }
        }
    }

    fn literal_here(&self) -> Option<&'a Literal> {
        let (place, literal) = self.literals.get(self.next_literal)?;
        (*place == self.place).then_some(literal)
    }

    /// Where text ends at the latest: at the next literal.
    fn text_end(&self) -> usize {
        self.literals.get(self.next_literal).map_or(self.text.len(), |(place, _)| *place)
    }

    fn quoted(&mut self) -> Token<'a> {
        let start = self.place + 1;
        let limit = self.text_end();
        let mut end = start;
        while end < limit && self.text[end] != b'"' {
            end += if self.text[end] == b'\\' && end + 1 < limit { 2 } else { 1 };
        }
        self.place = (end + 1).min(limit);
        Token::Quoted(&self.text[start..end])
    }

    fn atom(&mut self) -> Token<'a> {
        let start = self.place;
        let limit = self.text_end();
        let mut end = start;
        while end < limit && !matches!(self.text[end], b' ' | b'(' | b')' | b'\t') {
            let has_section = self.text[end] == b'[' && is_section(&self.text[start..end]);
            end = if has_section { section_end(&self.text[..limit], end) } else { end + 1 };
        }
        self.place = end;
        Token::Atom(&self.text[start..end])
    }
}

/// Is what stands before a bracket a FETCH item with a section?
fn is_section(name: &[u8]) -> bool {
    [&b"BODY"[..], b"BODY.PEEK", b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Where the section that opens here ends, its bracket included; only the bracket when it does not end.
fn section_end(text: &[u8], open: usize) -> usize {
    let mut quoted = false;
    let mut place = open + 1;
    while place < text.len() {
        match text[place] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => place += 1,
            b']' if !quoted => return place + 1,
            _ => {}
        }
        place += 1;
    }
    open + 1
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if let Some(literal) = self.literal_here() {
                self.next_literal += 1;
                return Some(Token::Literal(literal));
            }
            match self.text.get(self.place)? {
                b' ' | b'\t' => self.place += 1,
                b'(' => {
                    self.place += 1;
                    return Some(Token::Open);
                }
                b')' => {
                    self.place += 1;
                    return Some(Token::Close);
                }
                b'"' => return Some(self.quoted()),
                _ => return Some(self.atom()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn show(text: &str) -> String {
        let one = |token: Token<'_>| match token {
            Token::Open => "(".to_owned(),
            Token::Close => ")".to_owned(),
            Token::Atom(word) => format!("a:{}", text_of(word)),
            Token::Quoted(word) => format!("q:{}", text_of(&unquote(word))),
            Token::Literal(_) => "literal".to_owned(),
        };
        Tokens::of_text(text.as_bytes()).map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_strings_and_lists() {
        for (text, expected) in [
            ("* LIST (\\A \\B)  \"/\" INBOX ", "a:* a:LIST ( a:\\A a:\\B ) q:/ a:INBOX"),
            ("(a(b)c)", "( a:a ( a:b ) a:c )"),
            ("\"a\\\"b\\\\\" \"\" \"open", "q:a\"b\\ q: q:open"),
            ("FLAGS ([Gmail] \\*)", "a:FLAGS ( a:[Gmail] a:\\* )"),
            ("FLAGS (a[ b] c)", "a:FLAGS ( a:a[ a:b] a:c )"),
            ("BODY[HEADER.FIELDS (A \"]\" B)]<0> x", "a:BODY[HEADER.FIELDS (A \"]\" B)]<0> a:x"),
            ("BODY[ x)", "a:BODY[ a:x )"),
            ("", ""),
            (")", ")"),
            ("a\"b", "a:a\"b"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
    }

    #[test]
    fn literals_stand_where_they_stood() {
        let literal = |text: &'static str| Literal::Inline(Bytes::from_static(text.as_bytes()));
        let framed = Framed {
            text: b"x  \"open  y".to_vec(),
            literals: vec![(2, literal("one")), (8, literal("two")), (11, literal("three"))],
        };
        let found: Vec<Option<String>> = Tokens::of(&framed).map(Token::text).collect();
        let found: Vec<&str> = found.iter().map(|text| text.as_deref().unwrap()).collect();
        assert_eq!(found, ["x", "one", "open", "two", "y", "three"]);
    }

    #[test]
    fn nil_is_a_word_only() {
        assert!(Token::Atom(b"nil").is_nil() && Token::Atom(b"nil").bytes().is_none());
        assert_eq!(Token::Quoted(b"NIL").text().unwrap(), "NIL");
    }

    #[test]
    fn bytes_that_are_not_utf_8_stay_different() {
        assert_eq!(text_of(b"caf\xe9"), "café");
        assert_eq!(text_of("café".as_bytes()), "café");
        assert_ne!(text_of(b"\xe9"), text_of(b"\xe8"));
    }

    #[test]
    fn values_and_lists_are_passed_over_whole() {
        let mut tokens = Tokens::of_text(b"((a b) (c)) d (e (f) g)");
        tokens.pass_over_value();
        assert_eq!(tokens.next(), Some(Token::Atom(b"d")));
        assert_eq!(tokens.list(), [Token::Atom(b"e"), Token::Atom(b"g")]);
        assert_eq!(tokens.next(), None);
        let text = vec![b'('; 100_000];
        let mut deep = Tokens::of_text(&text);
        deep.pass_over_value();
        assert_eq!(deep.next(), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Tokens::of_text(&text).count() <= text.len());
        }
    }
}
