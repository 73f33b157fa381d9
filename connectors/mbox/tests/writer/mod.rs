//! Writes mbox files as Dovecot and mboxrd do, for the tests.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod read;

use std::fmt::Write;

use model::{Flags, SystemFlag};

/// A message to be written: in wire form.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: Flags,
    pub(crate) received: i64,
}

/// asctime, in UTC.
pub(crate) fn asctime(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (mut year, mut left) = (1970, days);
    let length = |year: i64| 365 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    while left < 0 {
        year -= 1;
        left += length(year);
    }
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let months = [31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= months[month] {
        left -= months[month];
        month += 1;
    }
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month];
    let day = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days.rem_euclid(7) as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day} {month} {:2} {hour:02}:{minute:02}:{second:02} {year}", left + 1)
}

/// What Dovecot notes in a message.
pub(crate) fn status(flags: &Flags) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Status: {}O", if flags.has(SystemFlag::Seen) { "R" } else { "" });
    let letters =
        [(SystemFlag::Answered, 'A'), (SystemFlag::Flagged, 'F'), (SystemFlag::Draft, 'T'), (SystemFlag::Deleted, 'D')];
    let letters: String = letters.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, letter)| *letter).collect();
    let _ = writeln!(text, "X-Status: {letters}\nX-Keywords: {}          ", flags.keywords().join(" "));
    text
}

/// A file of mboxrd: line ends LF where the message's are CRLF, what is noted first.
pub(crate) fn mboxrd(messages: &[Written]) -> Vec<u8> {
    let mut file = Vec::new();
    for message in messages {
        file.extend_from_slice(format!("From somebody@example.test {}\n", asctime(message.received)).as_bytes());
        let is_crlf = message.bytes.windows(2).any(|two| two == b"\r\n");
        let noted = status(&message.flags);
        file.extend_from_slice(if is_crlf { noted } else { noted.replace('\n', "\r\n") }.as_bytes());
        for line in message.bytes.split_inclusive(|byte| *byte == b'\n') {
            let quotes = line.iter().take_while(|byte| **byte == b'>').count();
            if line[quotes..].starts_with(b"From ") {
                file.push(b'>');
            }
            match line.strip_suffix(b"\r\n") {
                Some(line) => file.extend_from_slice(&[line, b"\n"].concat()),
                None => file.extend_from_slice(line),
            }
        }
        file.extend_from_slice(if message.bytes.ends_with(b"\n") { b"\n" } else { b"\n\n" });
    }
    file
}
