//! Which lines of a header are fields, and which of them tell that the header goes on behind a line that is none.
//!
//! Any line of a text may have a colon: `Follow-up: 2 weeks`, `Status: stable`, `To: be seen`. A field that is shown as text
//! harms nobody, but text that is hidden in a header may harm a patient. So only fields tell it that are known and look
//! like it, and those of a message that the text quotes do not.

use super::lines;

/// Fields that say something about a message of which a text does not speak so.
const KNOWN: [&[u8]; 66] = [
    b"accept-language",
    b"alternate-recipient",
    b"apparently-to",
    b"archived-at",
    b"auto-submitted",
    b"autocrypt",
    b"bounces-to",
    b"cancel-key",
    b"cancel-lock",
    b"conversion-with-loss",
    b"disclose-recipients",
    b"disposition-notification-options",
    b"disposition-notification-to",
    b"dl-expansion-history",
    b"eesst-version",
    b"envelope-from",
    b"envelope-to",
    b"errors-to",
    b"feedback-id",
    b"followup-to",
    b"generate-delivery-report",
    b"hp-outer",
    b"incomplete-copy",
    b"injection-date",
    b"injection-info",
    b"jabber-id",
    b"list-archive",
    b"list-help",
    b"list-id",
    b"list-owner",
    b"list-post",
    b"list-subscribe",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"mail-followup-to",
    b"mail-reply-to",
    b"mailing-list",
    b"message-context",
    b"mime-version",
    b"nntp-posting-date",
    b"nntp-posting-host",
    b"old-return-path",
    b"original-authentication-results",
    b"original-encoded-information-types",
    b"original-from",
    b"original-message-id",
    b"original-recipient",
    b"original-sender",
    b"original-subject",
    b"originator-return-address",
    b"pics-label",
    b"posted-to",
    b"prevent-nondelivery-report",
    b"read-receipt-to",
    b"require-recipient-valid-since",
    b"return-receipt-requested",
    b"return-receipt-to",
    b"sio-label",
    b"sio-label-history",
    b"suggested-attachment-session-id",
    b"thread-index",
    b"thread-topic",
    b"tls-required",
    b"user-agent",
    b"vbr-info",
    b"xref",
];
/// How the names of more such fields begin.
const FAMILIES: [&[u8]; 10] = [
    b"bimi-",
    b"content-",
    b"discarded-x400-",
    b"downgraded-",
    b"ediint-",
    b"mmhs-",
    b"resent-",
    b"tls-report-",
    b"x-",
    b"x400-",
];
/// Words that begin as these do, but stand in texts.
const WORDS: [&[u8]; 10] = [
    b"x-axis",
    b"x-chromosome",
    b"x-clamp",
    b"x-factor",
    b"x-linked",
    b"x-match",
    b"x-over",
    b"x-ray",
    b"x-rays",
    b"x-ref",
];
/// Fields that a message has once; a second one behind a line that is no field begins a message in a text.
const ONCE: [&[u8]; 11] = [
    b"bcc",
    b"cc",
    b"date",
    b"from",
    b"in-reply-to",
    b"message-id",
    b"references",
    b"reply-to",
    b"sender",
    b"subject",
    b"to",
];
/// Fields that servers put above those that a sender writes.
const TRACES: [&[u8]; 5] = [b"authentication-results", b"delivered-to", b"received", b"received-spf", b"return-path"];
/// How the names of more such fields begin.
const TRACE_FAMILIES: [&[u8]; 4] = [b"arc-", b"authentication-results-", b"dkim-", b"domainkey-"];

/// Fields whose names are words of any text.
const PLAIN: [&[u8]; 13] = [
    b"comments",
    b"encrypted",
    b"expires",
    b"importance",
    b"keywords",
    b"lines",
    b"newsgroups",
    b"organization",
    b"path",
    b"precedence",
    b"priority",
    b"sensitivity",
    b"status",
];

/// Is the line a header field, its continuation, or the line that mbox puts before a message? As [`model::Examiner`]
/// sees it.
pub(super) fn is_field(line: &[u8]) -> bool {
    let name = &line[..memchr::memchr(b':', line).unwrap_or(line.len())];
    let is_name = name.len() < line.len() && !name.is_empty() && name.iter().all(|byte| *byte > b' ');
    is_continuation(line) || line.starts_with(b"From ") || is_name
}

fn is_continuation(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// The name of what is a field but for white space before the colon.
pub(super) fn spaced_name(line: &[u8]) -> Option<&[u8]> {
    let name = line[..memchr::memchr(b':', line)?].trim_ascii_end();
    (!name.is_empty() && name.iter().all(|byte| *byte > b' ')).then_some(name)
}

/// May the message's text begin with this line, if no empty line is before it?
pub(super) fn may_be_text(line: &[u8], number: usize) -> bool {
    !is_field(line) || (number > 0 && line.starts_with(b"From "))
}

/// The last line that tells that the header goes on.
pub(super) fn last_telling(header: &[u8]) -> Option<usize> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    // What was seen, and the last line that told it, before the last line that is no field.
    let (mut seen_before, mut last_before) = (0, None);
    let (mut has_junk, mut last) = (false, None);
    for (number, line) in lines(header).enumerate() {
        if is_continuation(line.text) {
            continue;
        }
        let name = spaced_name(line.text).unwrap_or_default().to_ascii_lowercase();
        let once = ONCE.contains(&name.as_slice());
        let is_again = once && has(&seen, &name);
        if has_junk && is_again && has(&seen[..seen_before], &name) {
            return last_before;
        }
        let value = memchr::memchr(b':', line.text).map_or(&b""[..], |colon| line.text[colon + 1..].trim_ascii());
        let behind = Behind { has_junk, from: has(&seen, b"from"), subject: has(&seen, b"subject") };
        if !is_again && tells(line.text, &name, value, behind) {
            last = Some(number);
        } else if may_be_text(line.text, number) {
            (seen_before, last_before, has_junk) = (seen.len(), last, true);
        }
        if once && !is_again {
            seen.push(name);
        }
    }
    last
}

fn has(names: &[Vec<u8>], name: &[u8]) -> bool {
    names.iter().any(|known| known == name)
}

/// What stands before a field.
#[derive(Clone, Copy)]
struct Behind {
    /// A line that is no field.
    has_junk: bool,
    from: bool,
    subject: bool,
}

/// Does a field of this name with such a value tell it? Behind a line that is no field, what is also a word of texts has to
/// look like a field's value.
fn tells(line: &[u8], name: &[u8], value: &[u8], behind: Behind) -> bool {
    let has = |byte: u8| memchr::memchr(byte, value).is_some();
    let is_any_of = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    let is_free = !behind.has_junk;
    match name {
        b"subject" => true,
        b"from" => is_free || has(b'@'),
        // A letter may say at its end who gets a copy.
        b"to" | b"cc" | b"bcc" | b"sender" | b"reply-to" => {
            is_free || (!(behind.from && behind.subject) && (has(b'@') || value.ends_with(b";")))
        }
        b"date" => is_free || has(b':'),
        b"references" | b"in-reply-to" | b"message-id" => is_free || has(b'<') || has(b'@'),
        b"received" => !behind.from && [&b"from "[..], b"by ", b"("].iter().any(|begin| value.starts_with(begin)),
        b"status" => !value.is_empty() && value.iter().all(|byte| b"RONUDTAF".contains(byte)),
        b"precedence" => is_any_of(&["bulk", "list", "junk", "first-class", "special-delivery"]),
        b"importance" => is_any_of(&["high", "normal", "low"]),
        b"sensitivity" => is_any_of(&["personal", "private", "company-confidential"]),
        b"newsgroups" => has(b'.') && !has(b' '),
        _ if is_trace(name) => !behind.from,
        // A word with an X before it, as of other words only the first letter is a capital one.
        _ if line.starts_with(b"X-") && line.get(2).is_some_and(u8::is_ascii_lowercase) => false,
        _ => name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) && is_known(name),
    }
}

fn is_trace(name: &[u8]) -> bool {
    TRACES.contains(&name) || is_of(name, &TRACE_FAMILIES)
}

fn is_known(name: &[u8]) -> bool {
    !WORDS.contains(&name) && (KNOWN.contains(&name) || is_of(name, &FAMILIES))
}

fn is_of(name: &[u8], families: &[&[u8]]) -> bool {
    families.iter().any(|family| name.starts_with(family) && name != *family)
}

/// Where a text begins of which this line is the first that is no field: lines before it that nobody knows as fields
/// (`Patient: A`) are in it, too, if known ones stand before them.
pub(super) fn with_unknown(header: &[u8], begin: usize, last_telling: Option<usize>) -> usize {
    let Some(last_telling) = last_telling else { return begin };
    let mut first = None;
    for (number, line) in lines(header).enumerate().take(begin).skip(last_telling + 1) {
        if is_continuation(line.text) {
            continue;
        }
        let name = spaced_name(line.text).unwrap_or_default().to_ascii_lowercase();
        let name = name.as_slice();
        let is_named = is_trace(name) || is_known(name) || ONCE.contains(&name) || PLAIN.contains(&name);
        first = if is_named || may_be_text(line.text, number) { None } else { first.or(Some(number)) };
    }
    first.unwrap_or(begin)
}
