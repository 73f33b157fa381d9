//! The line that begins a message: `From `, who sent it, and when it was delivered.

use connector::maildate;
use model::ReceivedAt;

/// What it begins with.
pub(crate) const FROM: &[u8] = b"From ";

/// When it says the message was delivered. None where it says nothing that is a date.
pub(crate) fn date(line: &[u8]) -> Option<ReceivedAt> {
    maildate::find(line.strip_prefix(FROM)?)
}

/// Is this a bare one, as some programs write it: `From `, `From -` or `From name`, and nothing more?
pub(crate) fn is_bare(line: &[u8]) -> bool {
    line.strip_prefix(FROM)
        .is_some_and(|rest| rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count() <= 1)
}

/// Could this be the first line of a header, or of a message without one?
pub(crate) fn begins_message(line: &[u8]) -> bool {
    let name = line.iter().take_while(|byte| matches!(byte, b'!'..=b'9' | b';'..=b'~')).count();
    is_empty(line) || line.starts_with(b">From ") || (name > 0 && line.get(name) == Some(&b':'))
}

/// Nothing, or a line end alone.
pub(crate) fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"" | b"\n" | b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_from_text() {
        assert!(date(b"From a@b Fri Feb 22 17:06:23 2008\n").is_some());
        assert!(date(b"From here on it rained\n").is_none() && !is_bare(b"From here on it rained\n"));
        assert!(is_bare(b"From -\r\n") && is_bare(b"From \n") && is_bare(b"From nobody\n") && !is_bare(b"from \n"));
        assert!(begins_message(b"Subject: x\n") && begins_message(b"\r\n") && begins_message(b"X-A:\n"));
        assert!(!begins_message(b"no header\n") && !begins_message(b": x\n"));
    }
}
