//! What in a script sends mail on: every redirect at any depth, and every script that it includes.
//!
//! It is no interpreter: what stands in a condition may happen, what stands in none does. A redirect whose address only delivery
//! can tell is told as such, and so is a program that mail is piped into. Notifications (RFC 5435) are no mail that is sent on,
//! and are not told.

use connector::router::Destination;

use super::lexer::{Lexer, Token};

/// The most redirects of a script that are told one by one; servers allow a handful.
const REDIRECTS_MAX: usize = 1_000;
/// How much of an argument that is no address is shown.
const SHOWN_CHARS_MAX: usize = 320;

/// A redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) to: Destination,
    /// With `:copy` (RFC 3894): it does not cancel the copy that stays.
    pub(crate) copies: bool,
    /// No condition stands before it.
    pub(crate) always: bool,
    pub(crate) line: usize,
}

/// Another script that is made part of this one (RFC 6609).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Include {
    /// Its name; none where only delivery can tell.
    pub(crate) name: Option<String>,
    /// It is the site's, not the person's.
    pub(crate) global: bool,
    pub(crate) always: bool,
    pub(crate) line: usize,
}

/// What a script does with mail, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) includes: Vec<Include>,
    /// Something in it keeps mail by its own words.
    pub(crate) keeps: bool,
    /// Something in it cancels the copy that stays by itself.
    pub(crate) cancels: bool,
    /// From this line on it can't be read.
    pub(crate) unread_from: Option<usize>,
}

/// A command with its arguments.
#[derive(Default)]
struct Statement<'t> {
    name: &'t [u8],
    line: usize,
    tags: Vec<&'t [u8]>,
    texts: Vec<Vec<u8>>,
}

impl Statement<'_> {
    fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own.eq_ignore_ascii_case(tag.as_bytes()))
    }
}

/// Looks through a script.
pub(crate) fn scan(text: &[u8]) -> Scan {
    let mut scan = Scan::default();
    let mut lexer = Lexer::new(text);
    let mut statement = Statement::default();
    let mut depth = 0usize;
    // Something before may have ended it, so that what follows is not reached by all mail.
    let mut may_be_over = false;
    loop {
        let Ok(token) = lexer.next() else {
            scan.unread_from = Some(lexer.line());
            return scan;
        };
        let Some(token) = token else { break };
        match token {
            Token::Identifier(name) if statement.name.is_empty() => {
                statement = Statement { name, line: lexer.line(), ..Statement::default() };
            }
            Token::Tag(tag) => statement.tags.push(tag),
            Token::Text(text) => statement.texts.push(text.into_owned()),
            Token::Sign(b';') => {
                let ended = std::mem::take(&mut statement);
                scan.add(&ended, depth == 0 && !may_be_over);
                may_be_over |= ended.is(&["stop", "return", "include"]);
            }
            Token::Sign(b'{') => {
                statement = Statement::default();
                depth += 1;
            }
            Token::Sign(b'}') => {
                statement = Statement::default();
                depth = depth.saturating_sub(1);
            }
            Token::Identifier(_) | Token::Number | Token::Sign(_) => {}
        }
    }
    if !statement.name.is_empty() || depth > 0 {
        scan.unread_from = Some(lexer.line());
    }
    scan
}

impl Scan {
    fn add(&mut self, statement: &Statement<'_>, always: bool) {
        let copies = statement.has("copy");
        let line = statement.line;
        if statement.is(&["keep"]) {
            self.keeps = true;
        } else if statement.is(&["fileinto"]) {
            self.keeps = true;
            self.cancels |= !copies;
        } else if statement.is(&["discard", "reject", "ereject"]) {
            self.cancels = true;
        } else if statement.is(&["redirect"]) {
            self.cancels |= !copies;
            let is_list = statement.has("list");
            // What stands before the address belongs to tags, such as those of RFC 6009.
            match statement.texts.last() {
                Some(text) => self.redirect(destination(text, is_list), copies, always, line),
                None => self.redirect(Destination::Unknown("no address".to_owned()), copies, always, line),
            }
        } else if statement.is(&["pipe"]) {
            self.cancels |= !copies;
            let program = statement.texts.first().map_or("", |text| std::str::from_utf8(text).unwrap_or(""));
            let to = Destination::Unknown(format!("the program {:?}", shown(program)));
            self.redirect(to, copies, always, line);
        } else if statement.is(&["include"]) {
            let name = statement.texts.last().and_then(|text| String::from_utf8(text.clone()).ok());
            let name = name.filter(|name| !name.contains("${"));
            self.includes.push(Include { name, global: statement.has("global"), always, line });
        }
    }

    fn redirect(&mut self, to: Destination, copies: bool, always: bool, line: usize) {
        if self.redirects.len() < REDIRECTS_MAX {
            self.redirects.push(Redirect { to, copies, always, line });
        } else {
            self.unread_from.get_or_insert(line);
        }
    }
}

fn destination(text: &[u8], is_list: bool) -> Destination {
    let text = String::from_utf8_lossy(text);
    let text = shown(&text);
    if is_list {
        return Destination::Unknown(format!("the addresses of the list {text:?}"));
    }
    // Whether a variable (RFC 5229) or an encoded character (RFC 5228 section 2.4.2.4): it is not what it looks like.
    if text.contains("${") {
        return Destination::Unknown(format!("an address that is computed from {text:?}"));
    }
    Destination::Address(text)
}

/// A text without what could mislead whoever reads it, and not too long.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let scan = scan(text.as_bytes());
        let flag = |is: bool, word: &str| if is { format!(" {word}") } else { String::new() };
        let redirects = scan.redirects.iter().map(|redirect| {
            let flags = flag(redirect.copies, "copy") + &flag(redirect.always, "always");
            format!("{}: {}{flags}", redirect.line, redirect.to)
        });
        redirects.collect()
    }

    #[test]
    fn every_redirect_is_found() {
        assert_eq!(told("redirect \"a@x.test\";"), ["1: a@x.test always"]);
        assert_eq!(told("require \"copy\";\r\nREDIRECT :copy\r\n \"a@x.test\";"), ["2: a@x.test copy always"]);
        let nested = "if true {\nif anyof(true, not header :is \"x\" [\"a\", \"b;{\"]) {\nredirect \"a@x.test\"; } }\n\
            elsif false { redirect \"b@x.test\"; } else { redirect :copy \"c@x.test\"; }\nredirect \"d@x.test\";";
        let expected = ["3: a@x.test", "4: b@x.test", "4: c@x.test copy", "5: d@x.test always"];
        assert_eq!(told(nested), expected);
        assert_eq!(told("if true { stop; } redirect \"a@x.test\";"), ["1: a@x.test"], "not by all mail");
        assert_eq!(told("redirect text:\r\na@x.test\r\n.\r\n;"), ["1: a@x.test always"]);
        assert_eq!(told("redirect :notify \"FAILURE\" :bytimerelative 5 \"a@x.test\";"), ["1: a@x.test always"]);
    }

    #[test]
    fn what_is_no_redirect_is_not_found() {
        for text in [
            "# redirect \"a@x.test\";",
            "/* redirect \"a@x.test\"; */ keep;",
            "vacation \"redirect \\\"a@x.test\\\";\";",
            "vacation text:\r\nredirect \"a@x.test\";\r\n.\r\n;",
            "if header :is \"redirect\" \"a@x.test\" { keep; }",
        ] {
            assert_eq!(told(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn addresses_that_only_delivery_can_tell_are_said_to_be_so() {
        let computed = told("set \"to\" \"a@x.test\"; redirect \"${to}\";");
        assert_eq!(computed, ["1: an address that is computed from \"${to}\" always"]);
        assert_eq!(told("redirect :list \"tag:friends\";"), ["1: the addresses of the list \"tag:friends\" always"]);
        assert_eq!(told("pipe :copy \"forward\" [\"a\"];"), ["1: the program \"forward\" copy always"]);
    }

    #[test]
    fn includes_are_found() {
        let scan = scan(b"include \"a b\"; if true { include :global :once \"g\"; } include :personal \"${x}\";");
        let found: Vec<_> = scan.includes.iter().map(|i| (i.name.as_deref(), i.global, i.always)).collect();
        assert_eq!(found, [(Some("a b"), false, true), (Some("g"), true, false), (None, false, false)]);
    }

    #[test]
    fn what_keeps_and_what_cancels_is_told() {
        let of = |text: &str| {
            let scan = scan(text.as_bytes());
            (scan.keeps, scan.cancels)
        };
        assert_eq!(of("redirect :copy \"a@x.test\";"), (false, false));
        assert_eq!(of("redirect \"a@x.test\"; keep;"), (true, true));
        assert_eq!(of("fileinto :copy \"a\";"), (true, false));
        assert_eq!(of("discard;"), (false, true));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, line) in [("keep;\nredirect \"a@x.test", 2), ("if true {\n keep;", 2), ("keep; %", 1), ("keep", 1)] {
            assert_eq!(scan(text.as_bytes()).unread_from, Some(line), "{text:?}");
        }
        assert_eq!(scan(b"keep; # done").unread_from, None);
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("{}redirect \"a@x.test\";{}", "if true {".repeat(200_000), "}".repeat(200_000));
        assert_eq!(scan(deep.as_bytes()).redirects.len(), 1);
    }
}
