//! Our block: the lines that send all mail on, put into a copy of the person's script, found again and taken out.
//!
//! RFC 5228 section 3.2 wants `require` before all else, so the block stands behind the person's `require`s and before everything
//! they do. It needs no extension itself: `redirect` without `:copy` cancels the copy that stays (section 4.2), and `stop` keeps all
//! of the person's rules from running, their vacation message as well. What is before and behind the block stays byte for byte.
//!
//! The block says in its comments which script was active before, and what the person's text was (by its digest), so that who
//! releases needs nothing but the site.

use ring::digest;

use super::lexer::{Lexer, Token};

/// What every comment of ours begins with that marks the block.
const MARK: &str = "# [whimbrel: ";
/// Says of a script with our name that what it begins with is the person's, though it looks like ours.
const THEIRS: &str = "# [whimbrel: released] This script is yours; nothing in it is ours.";
const BEGIN: &str = "# [whimbrel: begin] Your mail goes to your new mailbox. Please leave these lines as they are.\r\n";
const FORMER: &str = "# former-script: ";
const DIGEST: &str = "# text-sha256: ";
const END: &str = "stop;\r\n# [whimbrel: end]\r\n";
/// Stands for the name of a former script where there was none.
const NO_SCRIPT: &str = "-";

/// What the block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where all mail goes.
    pub(crate) to: String,
    /// The script that was active before, if one was.
    pub(crate) former: Option<String>,
    /// The digest of the person's text as it was then.
    pub(crate) digest: String,
}

/// How what is ours was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The block, whole.
    Whole,
    /// Its two commands, as an editor prints them that keeps no comments: which script was active before is not known any more.
    Printed,
    /// In the active script, which bears another name than ours: copied there, or renamed.
    Elsewhere,
}

/// A text of ours, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) kind: Kind,
    pub(crate) block: Block,
    /// The person's text around the block.
    pub(crate) text: Vec<u8>,
}

impl Marked {
    /// The person's text is what it was when the block was put in.
    pub(crate) fn is_untouched(&self) -> bool {
        self.block.digest == digest(&self.text)
    }
}

/// The digest of a text: SHA-256, in hexadecimal.
pub(crate) fn digest(text: &[u8]) -> String {
    digest::digest(&digest::SHA256, text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Can an address stand in our block? What is not plain might be read as something else by the server.
pub(crate) fn is_plain_address(address: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "\"\\<>(),;:${}[]".contains(c);
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    !local.is_empty() && !domain.is_empty() && address.len() <= 320 && !address.contains(is_odd) && !local.contains('@')
}

/// The person's text with the block in it.
pub(crate) fn put(text: &[u8], block: &Block) -> Vec<u8> {
    let at = place(text);
    let former = block.former.as_deref().map_or_else(|| NO_SCRIPT.to_owned(), |name| format!("\"{}\"", encoded(name)));
    let line_end = if at > 0 { "\r\n" } else { "" };
    let Block { to, digest, .. } = block;
    let lines =
        format!("{line_end}{BEGIN}{FORMER}{former}\r\n{DIGEST}{digest}\r\nredirect \"{to}\";\r\n{END}").into_bytes();
    [&text[..at], &lines, &text[at..]].concat()
}

/// The block and the person's text, if there is a block of ours, whole, where ours stand.
pub(crate) fn take(text: &[u8]) -> Option<Marked> {
    let at = place(text);
    let rest = if at > 0 { text[at..].strip_prefix(b"\r\n")? } else { text };
    let rest = rest.strip_prefix(BEGIN.as_bytes())?;
    let (former, rest) = line(rest.strip_prefix(FORMER.as_bytes())?)?;
    let former = match former {
        NO_SCRIPT => None,
        name => Some(decoded(name.strip_prefix('"')?.strip_suffix('"')?)?),
    };
    let (digest, rest) = line(rest.strip_prefix(DIGEST.as_bytes())?)?;
    let (redirect, rest) = line(rest)?;
    let to = redirect.strip_prefix("redirect \"")?.strip_suffix("\";")?;
    let rest = rest.strip_prefix(END.as_bytes())?;
    if !is_plain_address(to) {
        return None;
    }
    let block = Block { to: to.to_owned(), former, digest: digest.to_owned() };
    Some(Marked { kind: Kind::Whole, block, text: [&text[..at], rest].concat() })
}

/// The two commands of our block where all else of it is gone, and the text without them: behind what must come first, and the variables
/// that some editors set there, the script sends all mail to one address and stops. Webmails that take a script apart into rules and
/// print them anew leave that of our block.
pub(crate) fn take_printed(text: &[u8]) -> Option<Marked> {
    let mut lexer = Lexer::new(text);
    let word = |lexer: &mut Lexer<'_>| lexer.next().ok().flatten().map(Word::of);
    let before = ["require", "global", "import", "export", "set"];
    let name = loop {
        let Word::Name(name) = word(&mut lexer)? else { return None };
        if !before.contains(&name.as_str()) {
            break name;
        }
        loop {
            match word(&mut lexer)? {
                Word::Sign(b';') => break,
                Word::Text(_) | Word::Tag | Word::Sign(b'[' | b']' | b',') => {}
                Word::Name(_) | Word::Sign(_) => return None,
            }
        }
    };
    let start = lexer.start();
    let (Word::Text(to), Word::Sign(b';')) = (word(&mut lexer)?, word(&mut lexer)?) else { return None };
    let is_stop = matches!(word(&mut lexer)?, Word::Name(name) if name == "stop");
    let head = &text[..start];
    if name != "redirect" || !is_stop || word(&mut lexer)? != Word::Sign(b';') || begins_with_line(head, THEIRS) {
        return None;
    }
    let to = String::from_utf8(to).ok()?.trim().to_owned();
    if !is_plain_address(&to) {
        return None;
    }
    let is_ours = |line: &[u8]| [MARK, FORMER, DIGEST].iter().any(|mark| line.starts_with(mark.as_bytes()));
    let mut left: Vec<u8> =
        head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_ours(line)).flatten().copied().collect();
    let rest = without_line_end(&text[lexer.position()..]);
    let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
    left.extend_from_slice(if is_ours(rest) { &rest[end..] } else { rest });
    // No text has this digest: what the person's was is not known.
    let block = Block { to, former: None, digest: "unknown".to_owned() };
    Some(Marked { kind: Kind::Printed, block, text: left })
}

/// What is ours in the active script though it bears another name: the block, whole, or with its marks and other line ends.
pub(crate) fn take_elsewhere(text: &[u8]) -> Option<Marked> {
    let begin = BEGIN.trim_end().as_bytes();
    let printed = || take_printed(text).filter(|_| text.windows(begin.len()).any(|window| window == begin));
    Some(Marked { kind: Kind::Elsewhere, ..take(text).or_else(printed)? })
}

/// A text that is left to the person in a script with our name: nobody is to take it for ours, even if it begins like it.
pub(crate) fn left_to_them(text: &[u8]) -> Vec<u8> {
    match take_printed(text) {
        Some(_) => [THEIRS.as_bytes(), b"\r\n", text].concat(),
        None => text.to_vec(),
    }
}

/// A text to copy into a script of ours: without the line that would say of the copy that nothing in it is ours.
pub(crate) fn to_copy(text: &[u8]) -> &[u8] {
    if begins_with_line(text, THEIRS) { without_line_end(&text[THEIRS.len()..]) } else { text }
}

/// A word as far as it matters here.
#[derive(PartialEq, Eq)]
enum Word {
    Name(String),
    Text(Vec<u8>),
    Tag,
    Sign(u8),
}

impl Word {
    fn of(token: Token<'_>) -> Self {
        match token {
            Token::Identifier(name) => Self::Name(String::from_utf8_lossy(name).to_ascii_lowercase()),
            Token::Text(text) => Self::Text(text.into_owned()),
            Token::Tag(_) | Token::Number => Self::Tag,
            Token::Sign(sign) => Self::Sign(sign),
        }
    }
}

fn begins_with_line(text: &[u8], line: &str) -> bool {
    text.strip_prefix(line.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|byte| b"\r\n".contains(byte)))
}

/// The text without the line end that it begins with, if there is nothing else before it.
fn without_line_end(text: &[u8]) -> &[u8] {
    let trimmed = text.trim_ascii_start();
    let passed = &text[..text.len() - trimmed.len()];
    passed.iter().position(|byte| *byte == b'\n').map_or(text, |end| &text[end + 1..])
}

/// The line that a text begins with, and what follows it.
fn line(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.windows(2).position(|two| two == b"\r\n")?;
    Some((std::str::from_utf8(&text[..end]).ok()?, &text[end + 2..]))
}

/// Where the block stands: behind the commands that must come first. Those are `require`, and of RFC 6609 and its drafts `global`,
/// `import` and `export`, which servers want before all others.
fn place(text: &[u8]) -> usize {
    let first = [&b"require"[..], b"global", b"import", b"export"];
    let mut lexer = Lexer::new(text);
    let mut at = lexer.position();
    loop {
        let Ok(Some(Token::Identifier(name))) = lexer.next() else { return at };
        if !first.iter().any(|word| name.eq_ignore_ascii_case(word)) {
            return at;
        }
        loop {
            match lexer.next() {
                Ok(Some(Token::Sign(b';'))) => break,
                Ok(Some(Token::Text(_) | Token::Sign(b'[' | b']' | b','))) => {}
                // It is none of these commands after all.
                _ => return at,
            }
        }
        at = lexer.position();
    }
}

/// A name with all but letters, digits and a few signs written as `%` and two digits, byte by byte.
fn encoded(name: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let write = |byte: u8| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    name.bytes().map(write).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::scan::scan;

    fn block(text: &[u8], former: Option<&str>) -> Block {
        Block { to: "ann@new.test".to_owned(), former: former.map(str::to_owned), digest: digest(text) }
    }

    /// Puts the block in, checks what must hold of any text, and gives the whole.
    fn round_trip(text: &[u8], former: Option<&str>) -> Vec<u8> {
        let block = block(text, former);
        let whole = put(text, &block);
        let marked = take(&whole).unwrap_or_else(|| panic!("not found: {:?}", String::from_utf8_lossy(&whole)));
        assert_eq!(marked.text, text, "{:?}", String::from_utf8_lossy(text));
        assert_eq!(marked.block, block);
        assert!(marked.is_untouched());
        let again = put(&marked.text, &Block { to: "other@new.test".to_owned(), ..block });
        assert_eq!(take(&again).unwrap().text, text);
        whole
    }

    #[test]
    fn the_block_stands_behind_what_must_come_first() {
        let place_of = |text: &str| place(text.as_bytes());
        assert_eq!(place_of(""), 0);
        assert_eq!(place_of("keep;"), 0);
        assert_eq!(place_of("# note\r\nrequire [\"a\", \"b\"]; # note\r\nkeep;"), 27);
        assert_eq!(place_of("require \"a\";require \"b\"\n;\nkeep;"), 25);
        assert_eq!(place_of("require \"include\"; global [\"x\"]; keep;"), 32);
        assert_eq!(place_of("require \"a\"; require"), 12);
        assert_eq!(place_of("require \"a\"; \"odd"), 12);
        assert_eq!(place_of("\u{FEFF}keep;"), 3);
    }

    #[test]
    fn what_was_put_in_comes_out_again() {
        for text in [
            "",
            "keep;",
            "require \"fileinto\";\r\nfileinto \"A\";\r\n",
            "require \"fileinto\"; # why\nfileinto \"A\";",
            "\r\n\r\n",
            "/* stop; */ require /* x */ [\"a\"] ;",
            "\u{FEFF}require \"a\";",
            "no script at all \" {",
        ] {
            let whole = round_trip(text.as_bytes(), Some("my \"rules\" #1 \u{e9}\u{2028}-"));
            round_trip(text.as_bytes(), None);
            if !text.contains("all") {
                let first = scan(&whole).redirects;
                assert!(first[0].always && !first[0].copies, "{text:?}: {first:?}");
            }
        }
    }

    #[test]
    fn a_block_in_a_block_is_the_persons_own_text() {
        let inner = put(b"require \"a\";\r\nkeep;", &block(b"", Some("x")));
        let outer = round_trip(&inner, Some("y"));
        assert_eq!(take(&outer).unwrap().text, inner);
        round_trip(&[&b"/*"[..], &inner, b"*/ require \"b\"; keep;"].concat(), None);
    }

    #[test]
    fn what_is_not_whole_is_not_ours() {
        let whole = put(b"require \"a\";\r\nkeep;", &block(b"", Some("x")));
        let text = String::from_utf8(whole).unwrap();
        for (from, to) in [
            ("stop;\r\n", ""),
            ("redirect \"", "redirect :copy \""),
            ("ann@new.test", "ann@new.test\", \"eve@x.test"),
            ("[whimbrel: end]", "[end]"),
            ("former-script: \"x\"", "former-script: x"),
            ("\r\n", "\n"),
            ("require \"a\";\r\n#", "require \"a\"; keep;\r\n#"),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text);
            assert_eq!(take(other.as_bytes()), None, "{from:?} {to:?}");
        }
        assert!(take(text.replace("keep", "discard").as_bytes()).is_some_and(|marked| !marked.is_untouched()));
    }

    /// The block in these rules, as Roundcube prints it once it has taken the script apart.
    const PRINTED: &str = "require [\"fileinto\"];\nredirect \"ann@new.test\";\nstop;\n# rule:[Lists]\nif header :contains \"List-Id\" \"x\"\n{\n\tfileinto \"Lists\";\n}\n";

    #[test]
    fn the_commands_alone_are_found_where_an_editor_has_printed_them_anew() {
        assert_eq!(take(PRINTED.as_bytes()), None);
        let marked = take_printed(PRINTED.as_bytes()).unwrap();
        assert_eq!((marked.kind, marked.block.to.as_str()), (Kind::Printed, "ann@new.test"));
        assert!(!marked.is_untouched());
        let text = String::from_utf8(marked.text).unwrap();
        assert_eq!(text, PRINTED.replace("redirect \"ann@new.test\";\nstop;\n", ""));
        // With variables before it, and the comments before the first command kept.
        let kept = format!("{}\n{FORMER}\"x\"\n\nset \"a\" \"b\";\nredirect \"a@b.test\" ; stop ;", BEGIN.trim_end());
        let marked = take_printed(kept.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(marked.text).unwrap(), "\nset \"a\" \"b\";\n");
        assert_eq!(take_elsewhere(kept.as_bytes()).unwrap().kind, Kind::Elsewhere);
        assert_eq!(take_elsewhere(PRINTED.as_bytes()), None, "under another name that is anybody's");
        // Our own with other line ends is found by its commands.
        let whole = put(b"require \"a\";\r\nkeep;", &block(b"", Some("x")));
        let marked = take_printed(&String::from_utf8(whole).unwrap().replace("\r\n", "\n").into_bytes()).unwrap();
        assert_eq!(String::from_utf8(marked.text).unwrap(), "require \"a\";\n\nkeep;");
    }

    #[test]
    fn what_is_left_to_the_person_is_not_found_again() {
        let theirs = left_to_them(PRINTED.as_bytes());
        assert_eq!(take_printed(&theirs), None);
        assert_eq!(take_printed(String::from_utf8(theirs).unwrap().replace("\r\n", "\n").as_bytes()), None);
        assert_eq!(left_to_them(b"keep;"), b"keep;");
        // Copied into ours it is found again.
        let theirs = left_to_them(PRINTED.as_bytes());
        assert_eq!((to_copy(&theirs), to_copy(b"keep;")), (PRINTED.as_bytes(), &b"keep;"[..]));
    }

    #[test]
    fn other_commands_are_not_taken_for_ours() {
        for text in [
            "",
            "redirect \"a@b.test\";",
            "redirect \"a@b.test\"; keep; stop;",
            "redirect :copy \"a@b.test\"; stop;",
            "redirect \"${a}\"; stop;",
            "redirect [\"a@b.test\"]; stop;",
            "keep; redirect \"a@b.test\"; stop;",
            "if true { redirect \"a@b.test\"; stop; }",
            "redirect \"a@b.test\"; stop",
            "/* redirect \"a@b.test\"; stop; */",
        ] {
            assert_eq!(take_printed(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_plain_addresses_stand_in_the_block() {
        for plain in ["a@b.test", "first.last+tag@b.test", "o'neil@b.test", "\u{e9}@b.test", "a@xn--bcher-kva.test"] {
            assert!(is_plain_address(plain), "{plain}");
        }
        let long = format!("{}@b.test", "a".repeat(400));
        for odd in
            ["", "a", "@b", "a@", "a b@c", "a\"@b", "\"a\"@b", "a@b\r\n", "<a@b>", "a@b,c@d", "a@b@c", "${x}@b", &long]
        {
            assert!(!is_plain_address(odd), "{odd}");
        }
    }

    /// A generator of numbers, the same for the same seed (splitmix64).
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap_or(0)
        }
    }

    #[test]
    fn whatever_the_text_it_comes_out_again() {
        let pieces = [
            "require \"a\";",
            "require [\"a\", \"b\"];",
            "global \"x\";",
            "\r\n",
            "\n",
            " ",
            "# note\r\n",
            "# note",
            "/*",
            "*/",
            "\"",
            "\\",
            "text:\r\n",
            ".\r\n",
            "keep;",
            "redirect \"a@b.test\";",
            "stop;",
            "{",
            "}",
            "[",
            ";",
            "if true {",
            "\u{FEFF}",
            "\u{e9}",
            "\0",
            BEGIN,
            END,
            FORMER,
            DIGEST,
            "require",
            "%",
            ":copy",
        ];
        for seed in 0..20_000 {
            let mut chance = Chance(seed);
            let mut text = Vec::new();
            for _ in 0..chance.below(14) {
                match chance.below(12) {
                    0 => text.push(u8::try_from(chance.below(256)).unwrap()),
                    1 => text = put(&text, &block(&text, None)),
                    _ => text.extend_from_slice(pieces[chance.below(pieces.len())].as_bytes()),
                }
            }
            let whole = round_trip(&text, if seed % 2 == 0 { None } else { Some("rules") });
            // Whatever it is, it is looked through to the end.
            let _ = (scan(&text), scan(&whole), take_printed(&whole), left_to_them(&text));
        }
    }
}
