//! The words of a script (RFC 5228 section 8.1), as far as it takes to find commands with their arguments.

use std::borrow::Cow;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// The name of a command or a test.
    Identifier(&'t [u8]),
    /// A tag, without its colon.
    Tag(&'t [u8]),
    /// A number.
    Number,
    /// A string, between quotes or of several lines, as it is meant.
    Text(Cow<'t, [u8]>),
    /// One of `; , ( ) [ ] { }`.
    Sign(u8),
}

/// A script that is read word by word; comments and white space are passed over.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    /// The line of the last word, and where in the text that was counted.
    line: usize,
    counted: usize,
}

/// Nothing can be told of the text from here on: it is no script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoScript;

/// A mark of UTF-8 that some editors begin a text with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { text, at, line: 1, counted: 0 }
    }

    /// Where the next word is looked for: right behind the last one.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Where the last word begins.
    pub(crate) fn start(&self) -> usize {
        self.counted
    }

    /// The line that the last word begins in, from 1.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// The next word; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Token<'t>>, NoScript> {
        self.pass_over()?;
        self.line += self.text[self.counted..self.at].split(|byte| *byte == b'\n').count() - 1;
        self.counted = self.at;
        let Some(byte) = self.peek(0) else { return Ok(None) };
        let start = self.at;
        let token = match byte {
            b';' | b',' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => {
                self.at += 1;
                Token::Sign(byte)
            }
            b'"' => self.quoted()?,
            b':' => {
                self.at += 1;
                self.word();
                Token::Tag(&self.text[start + 1..self.at])
            }
            b'0'..=b'9' => {
                self.word();
                Token::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.word();
                let word = &self.text[start..self.at];
                if word.eq_ignore_ascii_case(b"text") && self.peek(0) == Some(b':') {
                    self.at += 1;
                    self.lines()?
                } else {
                    Token::Identifier(word)
                }
            }
            _ => return Err(NoScript),
        };
        Ok(Some(token))
    }

    /// Passes over white space and comments.
    fn pass_over(&mut self) -> Result<(), NoScript> {
        loop {
            match self.peek(0) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'#') => self.skip_line(),
                Some(b'/') if self.peek(1) == Some(b'*') => {
                    let rest = &self.text[self.at + 2..];
                    let end = rest.windows(2).position(|two| two == b"*/").ok_or(NoScript)?;
                    self.at += 2 + end + 2;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Goes behind the next line end, or to the end.
    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
    }

    fn word(&mut self) {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
    }

    fn quoted(&mut self) -> Result<Token<'t>, NoScript> {
        self.at += 1;
        let start = self.at;
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            match self.peek(0).ok_or(NoScript)? {
                b'"' => {
                    let raw = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Token::Text(unescaped.map_or(Cow::Borrowed(raw), Cow::Owned)));
                }
                b'\\' => {
                    let before = &self.text[start..self.at];
                    let meant = self.peek(1).ok_or(NoScript)?;
                    unescaped.get_or_insert_with(|| before.to_vec()).push(meant);
                    self.at += 2;
                }
                byte => {
                    if let Some(text) = &mut unescaped {
                        text.push(byte);
                    }
                    self.at += 1;
                }
            }
        }
    }

    /// A string of several lines, from behind `text:` on.
    fn lines(&mut self) -> Result<Token<'t>, NoScript> {
        while matches!(self.peek(0), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let is_end = |byte| matches!(byte, Some(b'#' | b'\r' | b'\n'));
        if !is_end(self.peek(0)) {
            return Err(NoScript);
        }
        self.skip_line();
        let mut text = Vec::new();
        loop {
            if self.at >= self.text.len() {
                return Err(NoScript);
            }
            let start = self.at;
            self.skip_line();
            let line = &self.text[start..self.at];
            match line {
                b".\r\n" | b".\n" => return Ok(Token::Text(Cow::Owned(text))),
                [b'.', b'.', ..] => text.extend_from_slice(&line[1..]),
                _ => text.extend_from_slice(line),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<String>, NoScript> {
        let mut lexer = Lexer::new(text.as_bytes());
        let mut words = Vec::new();
        while let Some(token) = lexer.next()? {
            let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            words.push(match token {
                Token::Identifier(word) => show(word),
                Token::Tag(tag) => format!(":{}", show(tag)),
                Token::Number => "0".to_owned(),
                Token::Text(text) => format!("<{}>", show(&text)),
                Token::Sign(sign) => char::from(sign).to_string(),
            });
        }
        Ok(words)
    }

    #[test]
    fn words_are_told_apart() {
        let same = |text: &str, expected: &str| assert_eq!(words(text).unwrap().join(" "), expected, "{text:?}");
        same("", "");
        same("require [\"a\", \"b\"];", "require [ <a> , <b> ] ;");
        same("if size :over 100K{discard;}", "if size :over 0 { discard ; }");
        same("# redirect \"x\";\r\nkeep; # stop;", "keep ;");
        same("/* redirect \"x\"; */keep/**/;", "keep ;");
        same(r#"redirect "a\"b\\c\d";"#, r#"redirect <a"b\cd> ;"#);
        same("vacation text: # why\r\nHi;\r\n..dot\r\n.\r\n;", "vacation <Hi;\r\n.dot\r\n> ;");
        same("TEXT:\n.\nkeep;", "<> keep ;");
        same("\u{FEFF}keep;", "keep ;");
        same("text;", "text ;");
        same("\"# no comment\" \"/* nor */\"", "<# no comment> </* nor */>");
    }

    #[test]
    fn what_is_no_script_is_said_to_be_none() {
        for text in ["\"open", "/* open", "text:\r\nopen\r\n", "\"a\\", "keep; %", "text: x\r\n.\r\n", "{ é }", "/"] {
            assert_eq!(words(text), Err(NoScript), "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted() {
        let mut lexer = Lexer::new(b"\r\n# a\r\nkeep\n;\n\n\"x\ny\"\nstop");
        let mut lines = Vec::new();
        while lexer.next().unwrap().is_some() {
            lines.push(lexer.line());
        }
        assert_eq!(lines, [3, 4, 6, 8]);
    }
}
