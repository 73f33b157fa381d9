//! Reads what a script printed. What is not exactly that is refused, with its line.

use serde::Deserialize;

use crate::board::{InboxRule, Outcome};
use crate::state::State;

/// How large a read-back may be: a thousand mailboxes with many rules are far below.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;

/// How a script was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Its action.
    Do,
    /// Its reverse.
    Reverse,
    /// It only read.
    Read,
}

/// What a script printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBack {
    /// Its number.
    pub script: i64,
    /// What tells it from all others.
    pub nonce: String,
    /// The SHA-256 of the file that was run, in hexadecimal digits.
    pub digest: String,
    /// How it was run.
    pub mode: Mode,
    /// Was its action run, now or before, on that machine?
    pub acted: bool,
    /// Where.
    pub organisation: String,
    /// When it began, by that machine's clock (milliseconds since 1970).
    pub at: i64,
    /// Each mailbox.
    pub mailboxes: Vec<Told>,
}

/// A line about a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The account.
    pub account: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub why: String,
    /// When it was read.
    pub at: i64,
    /// What it says, or why it could not be read and whether there is none.
    pub state: Result<State, (String, bool)>,
    /// Its addresses, the prefix `smtp:` left out.
    pub addresses: Vec<String>,
    /// Its rules that send mail on.
    pub rules: Vec<InboxRule>,
    /// Why they could not be read.
    pub rules_unread: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "whimbrel", rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    Begin {
        nonce: String,
        script: i64,
        digest: String,
        mode: Mode,
        acted: bool,
        organisation: String,
        at: String,
    },
    Mailbox(Box<MailboxLine>),
    End {
        nonce: String,
        mailboxes: usize,
        #[serde(rename = "at")]
        _at: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailboxLine {
    nonce: String,
    account: String,
    outcome: Outcome,
    why: String,
    at: String,
    state: Option<State>,
    failed: Option<String>,
    missing: Option<bool>,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    rules: Vec<InboxRule>,
    rules_unread: Option<String>,
}

/// What is wrong with a read-back, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1; 0: the whole file.
    pub line: usize,
    /// What.
    pub what: String,
}

fn wrong(line: usize, what: impl Into<String>) -> Wrong {
    Wrong { line, what: what.into() }
}

/// The text of a file, in any of the encodings in which PowerShell writes one.
fn decoded(bytes: &[u8]) -> Result<String, Wrong> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| -> Option<String> {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        (bytes.len().is_multiple_of(2)).then(|| String::from_utf16(&units).ok()).flatten()
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => str::from_utf8(rest).ok().map(str::to_owned),
        all => str::from_utf8(all).ok().map(str::to_owned),
    }
    .ok_or_else(|| wrong(0, "it is neither UTF-8 nor UTF-16"))
}

fn moment(line: usize, text: &str) -> Result<i64, Wrong> {
    format!("{text}Z")
        .parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_millisecond)
        .map_err(|_| wrong(line, format!("{text:?} is no moment such as 2026-11-27T20:08:10")))
}

/// What a script printed, of the file that it was written to. It may be cut: what is not there was not told.
pub fn parse(bytes: &[u8]) -> Result<ReadBack, Wrong> {
    if bytes.len() > BYTES_MAX {
        return Err(wrong(0, format!("it has {} bytes, more than {BYTES_MAX}", bytes.len())));
    }
    let text = decoded(bytes)?;
    let mut read: Option<ReadBack> = None;
    let mut is_over = false;
    for (number, text) in text.lines().enumerate().map(|(index, text)| (index + 1, text.trim())) {
        if text.is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(text)
            .map_err(|error| wrong(number, format!("it is no line that a script prints: {}", without_place(&error))))?;
        if is_over {
            return Err(wrong(number, "something follows the last line of the read-back"));
        }
        match (line, read.as_mut()) {
            (Line::Begin { nonce, script, digest, mode, acted, organisation, at }, None) => {
                let at = moment(number, &at)?;
                let mailboxes = Vec::new();
                read = Some(ReadBack { script, nonce, digest, mode, acted, organisation, at, mailboxes });
            }
            (Line::Begin { .. }, Some(_)) => return Err(wrong(number, "a second read-back begins here")),
            (_, None) => return Err(wrong(number, "the first line of the read-back is missing")),
            (Line::Mailbox(line), Some(read)) => {
                of_same(number, &line.nonce, read)?;
                if read.mailboxes.iter().any(|told| told.account == line.account) {
                    return Err(wrong(number, format!("{:?} is told a second time", line.account)));
                }
                read.mailboxes.push(told(number, *line)?);
            }
            (Line::End { nonce, mailboxes, .. }, Some(read)) => {
                of_same(number, &nonce, read)?;
                if mailboxes != read.mailboxes.len() {
                    let what = format!("{mailboxes} mailboxes were told, and {} are here", read.mailboxes.len());
                    return Err(wrong(number, what));
                }
                is_over = true;
            }
        }
    }
    read.ok_or_else(|| wrong(0, "it holds no read-back"))
}

/// What is wrong with a line: its place in it, and nothing of what it says.
fn without_place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "a field is missing, unknown, or of another kind",
        serde_json::error::Category::Eof => "it is cut",
        _ => "it is no JSON",
    };
    format!("{what}, at column {}", error.column())
}

fn of_same(line: usize, nonce: &str, read: &ReadBack) -> Result<(), Wrong> {
    if nonce == read.nonce { Ok(()) } else { Err(wrong(line, "the line is of another script")) }
}

fn told(number: usize, line: MailboxLine) -> Result<Told, Wrong> {
    let state = match (line.state, line.failed) {
        (Some(state), None) if state.guid.is_empty() => return Err(wrong(number, "the mailbox has no Guid")),
        (Some(state), None) => Ok(state),
        (None, Some(why)) => Err((why, line.missing.unwrap_or_default())),
        _ => return Err(wrong(number, "it tells neither what the mailbox says nor why that could not be read")),
    };
    let is_smtp = |address: &String| address.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case("smtp:"));
    Ok(Told {
        line: number,
        account: line.account,
        outcome: line.outcome,
        why: line.why,
        at: moment(number, &line.at)?,
        state,
        addresses: line.addresses.into_iter().filter(is_smtp).map(|address| address[5..].to_owned()).collect(),
        rules: line.rules,
        rules_unread: line.rules_unread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "{\"whimbrel\":\"begin\",\"nonce\":\"n\",\"script\":1,\"digest\":\"d\",\"mode\":\"do\",\"acted\":true,\
        \"organisation\":\"o\",\"at\":\"2026-11-27T20:08:10\"}";
    const MAILBOX: &str = "{\"whimbrel\":\"mailbox\",\"nonce\":\"n\",\"account\":\"ann\",\"outcome\":\"changed\",\"why\":\"\",\
        \"at\":\"2026-11-27T20:08:11\",\"addresses\":[\"SMTP:ann@hill.test\",\"X500:/o=x\"],\"rules\":[],\
        \"state\":{\"guid\":\"g\",\"smtp\":\"\",\"recipient\":\"\",\"recipient_address\":\"\",\"keeps\":false,\"marker\":\"\"}}";
    const END: &str = "{\"whimbrel\":\"end\",\"nonce\":\"n\",\"mailboxes\":1,\"at\":\"2026-11-27T20:08:12\"}";

    #[test]
    fn it_is_read_in_every_encoding_that_powershell_writes() {
        let text = format!("{BEGIN}\r\n{MAILBOX}\r\n{END}\r\n");
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(
            (read.at, read.mailboxes[0].addresses.as_slice()),
            (1_795_810_090_000, &["ann@hill.test".to_owned()][..])
        );
        let marked = [&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat();
        let little: Vec<u8> = std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        for bytes in [marked, little, big] {
            assert_eq!(parse(&bytes), Ok(read.clone()));
        }
        // What is cut tells what it tells.
        assert_eq!(parse(format!("{BEGIN}\n{MAILBOX}\n").as_bytes()), Ok(read));
    }

    #[test]
    fn what_no_script_prints_is_refused_with_its_line() {
        let other = MAILBOX.replace("\"n\"", "\"m\"");
        let nothing = MAILBOX.replace("\"state\"", "\"stat\"");
        for (text, line, words) in [
            (String::new(), 0, "no read-back"),
            (MAILBOX.to_owned(), 1, "first line"),
            (format!("{BEGIN}\n{BEGIN}"), 2, "second read-back"),
            (format!("{BEGIN}\n\n{MAILBOX}\n{MAILBOX}"), 4, "second time"),
            (format!("{BEGIN}\nWARNING: x"), 2, "no JSON"),
            (format!("{BEGIN}\n{}", &MAILBOX[..50]), 2, "cut"),
            (format!("{BEGIN}\n{nothing}"), 2, "unknown"),
            (format!("{BEGIN}\n{other}"), 2, "another script"),
            (format!("{BEGIN}\n{END}"), 2, "0 are here"),
            (format!("{BEGIN}\n{MAILBOX}\n{END}\n{END}"), 4, "follows"),
            (BEGIN.replace("20:08:10", "25:08"), 1, "no moment"),
        ] {
            let wrong = parse(text.as_bytes()).unwrap_err();
            assert!(wrong.line == line && wrong.what.contains(words), "{text}: {wrong:?}");
        }
        assert_eq!(parse(&[0xFF, 0xFE, 0x00]).unwrap_err().line, 0);
        assert_eq!(parse(&[0x80]).unwrap_err().line, 0);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
