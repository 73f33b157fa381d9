//! Which lines of a header are fields, and which of them tell that the header goes on behind a line that is none.
//!
//! Any line of a text may have a colon: `Follow-up: 2 weeks`, `Status: stable`, `To: be seen`. A field that is shown as text
//! harms nobody, but text that is hidden in a header may harm a patient. So only fields tell it that are known and look
//! like it, and those of a message that the text quotes do not.

use super::lines;

/// Fields that say something about a message of which a text does not speak so.
const KNOWN: [&[u8]; 48] = [
    b"accept-language",
    b"apparently-to",
    b"archived-at",
    b"auto-submitted",
    b"autocrypt",
    b"bounces-to",
    b"disposition-notification-options",
    b"disposition-notification-to",
    b"envelope-from",
    b"envelope-to",
    b"errors-to",
    b"feedback-id",
    b"followup-to",
    b"injection-date",
    b"injection-info",
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
    b"original-encoded-information-types",
    b"original-from",
    b"original-message-id",
    b"original-recipient",
    b"original-subject",
    b"originator-return-address",
    b"pics-label",
    b"require-recipient-valid-since",
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
const WORDS: [&[u8]; 3] = [b"x-linked", b"x-ray", b"x-rays"];
/// Fields that a message has once; a second one behind a line that is no field begins a message in a text.
const ONCE: [&[u8]; 12] = [
    b"bcc",
    b"cc",
    b"date",
    b"from",
    b"importance",
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
const TRACE_FAMILIES: [&[u8]; 3] = [b"arc-", b"dkim-", b"domainkey-"];

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
        let is_again = once && seen.contains(&name);
        if has_junk && is_again && seen[..seen_before].contains(&name) {
            return last_before;
        }
        let value = memchr::memchr(b':', line.text).map_or(&b""[..], |colon| line.text[colon + 1..].trim_ascii());
        let is_below = seen.iter().any(|seen| seen == b"from");
        if !is_again && tells(&name, value, has_junk, is_below) {
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

/// Does a field of this name with such a value tell it? Behind a line that is no field what is also a word of texts has to
/// look like a field's value. `is_below`: the sender's fields have begun.
fn tells(name: &[u8], value: &[u8], has_junk: bool, is_below: bool) -> bool {
    let has = |byte: u8| memchr::memchr(byte, value).is_some();
    let is_any_of = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    let begins = |families: &[&[u8]]| families.iter().any(|family| name.starts_with(family) && name != *family);
    match name {
        b"subject" => true,
        b"from" | b"to" | b"cc" | b"bcc" | b"sender" | b"reply-to" => !has_junk || has(b'@') || value.ends_with(b";"),
        b"date" => !has_junk || has(b':'),
        b"references" | b"in-reply-to" | b"message-id" => !has_junk || has(b'<') || has(b'@'),
        b"received" => !is_below && [&b"from "[..], b"by ", b"("].iter().any(|begin| value.starts_with(begin)),
        b"status" => !value.is_empty() && value.iter().all(|byte| b"RONUDTAF".contains(byte)),
        b"precedence" => is_any_of(&["bulk", "list", "junk", "first-class", "special-delivery"]),
        b"importance" => is_any_of(&["high", "normal", "low"]),
        b"sensitivity" => is_any_of(&["personal", "private", "company-confidential"]),
        b"newsgroups" => has(b'.') && !has(b' '),
        _ if TRACES.contains(&name) || begins(&TRACE_FAMILIES) => !is_below,
        _ if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) => false,
        _ => !WORDS.contains(&name) && (KNOWN.contains(&name) || begins(&FAMILIES)),
    }
}
