//! A letter, and how it is written (RFC 5322, 2045 to 2047, 2231, 3834).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::Error;
use model::{Cause, Scope};

/// Letters of a line of base64.
const LINE_LENGTH: usize = 76;
/// The longest address of SMTP (RFC 5321, 4.5.3.1.3).
const ADDRESS_LENGTH_MAX: usize = 254;
/// Bytes of text in one encoded word, whose 75 letters hold more than that.
const WORD_BYTES: usize = 42;

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Who sends it.
    pub from: String,
    /// Who gets it.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What tells it from every other letter, without angle brackets.
    pub message_id: String,
    /// It says that a program sent it by itself, so that nobody's program answers it (RFC 3834).
    pub is_automatic: bool,
    /// The Message-ID of the message that it answers, with its angle brackets.
    pub in_reply_to: Option<String>,
    /// When it is sent, in seconds since 1970.
    pub at: i64,
    /// The text.
    pub text: String,
    /// What is enclosed.
    pub enclosures: Vec<Enclosure>,
}

/// A file in a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosure {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Is this an address that can stand in a header and an envelope as it is: a dot-atom on both sides of one `@`?
pub fn is_address(text: &str) -> bool {
    let is_atom = |text: &str, more: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && !text.ends_with('.')
            && !text.contains("..")
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
    };
    let Some((local, domain)) = text.split_once('@') else { return false };
    text.len() <= ADDRESS_LENGTH_MAX && is_atom(local, "!#$%&'*+-/=?^_`{|}~.") && is_atom(domain, "-.")
}

impl Letter {
    /// The letter as it travels.
    pub fn compose(&self) -> Result<Vec<u8>, Error> {
        for address in [&self.from, &self.to] {
            if !is_address(address) {
                let what = format!("{address:?} is no mail address that a letter can be sent to or from");
                return Err(Error::new(Cause::Unsupported, Scope::Item, what));
            }
        }
        // No line of base64 begins so; RFC 2046 allows 70 characters.
        let boundary: String =
            format!("=_{}", self.message_id.split('@').next().unwrap_or_default()).chars().take(70).collect();
        let mut text = String::new();
        let _ = write!(
            text,
            "From: <{}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}>\r\n",
            self.from,
            self.to,
            header_text(&self.subject),
            date(self.at),
            self.message_id
        );
        if let Some(id) = self.in_reply_to.as_deref().filter(|id| is_message_id(id)) {
            let _ = write!(text, "In-Reply-To: {id}\r\nReferences: {id}\r\n");
        }
        if self.is_automatic {
            let by_itself = if self.in_reply_to.is_some() { "auto-replied" } else { "auto-generated" };
            let _ = write!(text, "Auto-Submitted: {by_itself}\r\nX-Auto-Response-Suppress: All\r\n");
        }
        text.push_str("MIME-Version: 1.0\r\n");
        let _ = write!(text, "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n");
        text.push_str("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        push_base64(&mut text, self.text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes());
        for Enclosure { name, mime, bytes } in &self.enclosures {
            let _ = write!(
                text,
                "--{boundary}\r\nContent-Type: {mime}\r\nContent-Disposition: attachment; {}\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n",
                parameter("filename", name)
            );
            push_base64(&mut text, bytes);
        }
        let _ = write!(text, "--{boundary}--\r\n");
        Ok(text.into_bytes())
    }
}

/// Is this a Message-ID that can stand in a header as it is?
fn is_message_id(text: &str) -> bool {
    text.len() <= 900
        && text.starts_with('<')
        && text.ends_with('>')
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.matches('<').count() == 1
}

fn push_base64(text: &mut String, bytes: &[u8]) {
    for line in bytes.chunks(LINE_LENGTH / 4 * 3) {
        STANDARD.encode_string(line, text);
        text.push_str("\r\n");
    }
}

/// A text in a header: as it is where it is plain, else in encoded words.
fn header_text(text: &str) -> String {
    let is_plain = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain(text) && text.len() <= LINE_LENGTH - 10 && !text.contains("=?") {
        return text.to_owned();
    }
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in text.chars() {
        if word.len() + c.len_utf8() > WORD_BYTES {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

/// A parameter with this value: quoted where it is plain, else as RFC 2231 has it.
fn parameter(name: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._-()+,".contains(c);
    if value.chars().all(is_plain) {
        return format!("{name}=\"{value}\"");
    }
    let escaped = value.bytes().map(|byte| {
        let is_kept = byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if is_kept { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    format!("{name}*=utf-8''{}", escaped.collect::<String>())
}

/// A moment as a header has it: `Thu, 26 Nov 2026 11:02:03 +0000`.
fn date(at: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    let day = report::day(at);
    let mut parts = day.split('-');
    let mut next = || parts.next().and_then(|part| part.parse::<usize>().ok()).unwrap_or(1);
    let (year, month, of_month) = (next(), next(), next());
    format!(
        "{}, {of_month:02} {} {year:04} {:02}:{:02}:{:02} +0000",
        DAYS[days.rem_euclid(7) as usize],
        MONTHS[(month - 1).min(11)],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "import@trust.example".into(),
            to: "hr@trust.example".into(),
            subject: "Result of your file".into(),
            message_id: "whimbrel.1@trust.example".into(),
            is_automatic: true,
            in_reply_to: Some("<a@b>".into()),
            at: 1_795_690_923,
            text: "Dear Zoë\nall is well".into(),
            enclosures: vec![Enclosure { name: "new.csv".into(), mime: "text/csv", bytes: vec![b'x'; 1000] }],
        }
    }

    #[test]
    fn a_letter_holds_what_it_was_made_of() {
        let bytes = letter().compose().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            text.starts_with(
                "From: <import@trust.example>\r\nTo: <hr@trust.example>\r\nSubject: Result of your file\r\n"
            )
        );
        assert!(text.contains("\r\nDate: Thu, 26 Nov 2026 11:02:03 +0000\r\n"), "{text}");
        assert!(text.contains("\r\nIn-Reply-To: <a@b>\r\n") && text.contains("\r\nAuto-Submitted: auto-replied\r\n"));
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 78));
        let found = inspection::attached(&bytes.as_slice(), &|name, _| name == "new.csv").unwrap();
        assert_eq!((found.files[0].bytes.len(), found.unseen.len()), (1000, 0));
    }

    #[test]
    fn a_letter_that_answers_nobody_may_be_answered() {
        let bytes = Letter { is_automatic: false, in_reply_to: None, ..letter() }.compose().unwrap();
        assert!(!String::from_utf8(bytes).unwrap().contains("Auto-"));
    }

    #[test]
    fn nothing_in_a_header_forges_another_one() {
        let mut forged = letter();
        forged.subject = "x\r\nBcc: all@trust.example".into();
        forged.in_reply_to = Some("<a@b>\r\nBcc: all@trust.example".into());
        forged.enclosures[0].name = "a\"\r\nX: y.csv".into();
        let text = String::from_utf8(forged.compose().unwrap()).unwrap();
        assert!(!text.contains("\nBcc") && !text.contains("\nX: y"), "{text}");
        assert_eq!(inspection::subject(&text.as_bytes()).unwrap().unwrap(), "x Bcc: all@trust.example");
        forged.to = "hr@trust.example>\r\nBcc: <all@trust.example".into();
        assert!(forged.compose().is_err());
    }

    #[test]
    fn a_long_subject_of_any_letters_comes_back_as_it_was() {
        let mut long = letter();
        long.subject = "Résultat de votre fichier – 结果 ".repeat(4).trim().to_owned();
        let bytes = long.compose().unwrap();
        assert_eq!(inspection::subject(&bytes.as_slice()).unwrap().unwrap(), long.subject);
    }

    #[test]
    fn addresses_are_dot_atoms() {
        for good in ["a@b", "o'brien+x@trust.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b@c", "a@b..c", "\"a\"@b", "a@b\r\n", "<a@b>", "é@b"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
