//! Messages: plain ones, and one of every trait that real mail has been seen with.

use std::fmt::Write;

use crate::Chance;

/// What is special about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trait {
    /// Nothing.
    Plain,
    /// Text and HTML, and a file.
    Attachment,
    /// No Message-ID.
    NoMessageId,
    /// A Message-ID that is none.
    BadMessageId,
    /// No Date.
    NoDate,
    /// A Date that is none.
    BadDate,
    /// No From.
    NoFrom,
    /// No header at all.
    NoHeader,
    /// A header and no body.
    HeaderOnly,
    /// A header field twice.
    DuplicateHeader,
    /// Bytes above 127 in the header.
    EightBitHeader,
    /// Bytes above 127 in the body.
    EightBitBody,
    /// Another charset than UTF-8.
    OtherCharset,
    /// Parts whose boundary never comes.
    BrokenMime,
    /// An mbox line at the beginning.
    MboxFrom,
    /// A message within the message.
    NestedMessage,
    /// Parts within parts, deeper than anyone would.
    Deep,
    /// A calendar part.
    Calendar,
    /// A delivery report.
    DeliveryReport,
    /// Signed by S/MIME.
    Smime,
    /// Signed by PGP.
    Pgp,
    /// A winmail.dat.
    Tnef,
    /// A uuencoded file in the text.
    Uuencode,
    /// A part of a message.
    Partial,
    /// A file whose name ends in .exe.
    ExecutableName,
    /// A file that begins as a program does.
    ExecutableBytes,
    /// A line longer than SMTP allows.
    LongLine,
    /// Spaces at the ends of lines and empty lines at the end.
    TrailingSpace,
    /// The last line does not end.
    NoLastLineEnd,
    /// A NUL byte.
    Nul,
    /// A CR without LF.
    BareCr,
    /// Lines that end in LF, among others that end in CRLF.
    MixedLineEnds,
    /// Nothing but an empty line.
    Empty,
}

impl Trait {
    /// Every trait.
    pub const EVERY: [Self; 33] = [
        Self::Plain,
        Self::Attachment,
        Self::NoMessageId,
        Self::BadMessageId,
        Self::NoDate,
        Self::BadDate,
        Self::NoFrom,
        Self::NoHeader,
        Self::HeaderOnly,
        Self::DuplicateHeader,
        Self::EightBitHeader,
        Self::EightBitBody,
        Self::OtherCharset,
        Self::BrokenMime,
        Self::MboxFrom,
        Self::NestedMessage,
        Self::Deep,
        Self::Calendar,
        Self::DeliveryReport,
        Self::Smime,
        Self::Pgp,
        Self::Tnef,
        Self::Uuencode,
        Self::Partial,
        Self::ExecutableName,
        Self::ExecutableBytes,
        Self::LongLine,
        Self::TrailingSpace,
        Self::NoLastLineEnd,
        Self::Nul,
        Self::BareCr,
        Self::MixedLineEnds,
        Self::Empty,
    ];

    /// Can no wire and few stores carry it as it is?
    pub fn is_unfit(self) -> bool {
        matches!(self, Self::Nul | Self::BareCr | Self::MixedLineEnds)
    }
}

const WORDS: [&str; 40] = [
    "ward",
    "clinic",
    "rota",
    "referral",
    "discharge",
    "theatre",
    "bleep",
    "handover",
    "triage",
    "formulary",
    "outpatient",
    "pathology",
    "imaging",
    "consent",
    "audit",
    "safeguarding",
    "matron",
    "registrar",
    "porter",
    "pharmacy",
    "bed",
    "shift",
    "meeting",
    "minutes",
    "agenda",
    "training",
    "policy",
    "budget",
    "invoice",
    "holiday",
    "parking",
    "canteen",
    "estates",
    "library",
    "research",
    "trial",
    "results",
    "letter",
    "appointment",
    "review",
];

fn text(chance: &mut Chance, bytes: usize) -> String {
    let (mut text, mut line) = (String::with_capacity(bytes + 80), 0);
    while text.len() < bytes {
        let word = chance.pick(&WORDS);
        text.push_str(word);
        line += word.len() + 1;
        if line > 64 {
            text.push_str("\r\n");
            line = 0;
        } else {
            text.push(' ');
        }
    }
    text.push_str("\r\n");
    text
}

/// Base64 of `bytes` invented bytes that begin with these.
fn base64(chance: &mut Chance, begin: &[u8], bytes: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut raw = begin.to_vec();
    while raw.len() < bytes {
        raw.extend_from_slice(&chance.draw().to_le_bytes());
    }
    let mut out = String::with_capacity(raw.len() * 3 / 2);
    for line in raw.chunks(57) {
        for three in line.chunks(3) {
            let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for position in 0..4 {
                let letter = ALPHABET[(bits >> (18 - 6 * position) & 63) as usize];
                out.push(if position <= three.len() { char::from(letter) } else { '=' });
            }
        }
        out.push_str("\r\n");
    }
    out
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A header with everything in it but what the trait leaves out.
fn header(chance: &mut Chance, kind: Trait) -> String {
    let mut header = String::new();
    let number = chance.below(1_000_000);
    let words: Vec<&str> = (0..3 + chance.below(5)).map(|_| *chance.pick(&WORDS)).collect();
    if kind != Trait::NoFrom {
        let _ = write!(
            header,
            "From: \"{} {}\" <sender{number}@example.test>\r\n",
            chance.pick(&WORDS),
            chance.pick(&WORDS)
        );
    }
    let _ = write!(header, "To: recipient{}@example.test\r\n", chance.below(1000));
    let _ = write!(header, "Subject: {}\r\n", words.join(" "));
    match kind {
        Trait::NoDate => {}
        Trait::BadDate => header.push_str("Date: some time last week, 25:61\r\n"),
        _ => {
            let (day, month, year) = (chance.below(28) + 1, chance.pick(&MONTHS), 1998 + chance.below(28));
            let (hour, minute) = (chance.below(24), chance.below(60));
            let _ = write!(header, "Date: {day} {month} {year} {hour:02}:{minute:02}:00 +0100\r\n");
        }
    }
    match kind {
        Trait::NoMessageId => {}
        Trait::BadMessageId => header.push_str("Message-ID: <no at sign, two  spaces>\r\n"),
        _ => {
            let _ = write!(header, "Message-ID: <{:016x}@example.test>\r\n", chance.draw());
        }
    }
    header.push_str("MIME-Version: 1.0\r\n");
    header
}

fn attached(chance: &mut Chance, name: &str, mime: &str, begin: &[u8], size: usize) -> String {
    let letter = text(chance, 300);
    format!(
        "Content-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\nThis is a message in parts.\r\n--=_b\r\nContent-Type: \
         text/plain; charset=utf-8\r\n\r\n{letter}\r\n--=_b\r\nContent-Type: {mime}; name=\"{name}\"\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--=_b--\r\n",
        base64(chance, begin, size)
    )
}

/// A message with this trait, of about this size.
pub fn message(chance: &mut Chance, kind: Trait, size: usize) -> Vec<u8> {
    let head = header(chance, kind);
    let plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    let body = text(chance, size.max(40));
    let with = |rest: String| format!("{head}{rest}").into_bytes();
    match kind {
        Trait::Plain | Trait::NoMessageId | Trait::BadMessageId | Trait::NoDate | Trait::BadDate | Trait::NoFrom => {
            with(format!("{plain}{body}"))
        }
        Trait::Attachment => with(attached(chance, "rota.pdf", "application/pdf", b"%PDF-1.4", size * 3 / 4)),
        Trait::NoHeader => format!("\r\n{body}").into_bytes(),
        Trait::HeaderOnly => with("\r\n".to_owned()),
        Trait::DuplicateHeader => {
            with(format!("Subject: a second subject\r\nMessage-ID: <second@example.test>\r\n{plain}{body}"))
        }
        Trait::EightBitHeader => [b"Subject: caf\xe9 \xff\r\n".to_vec(), with(format!("{plain}{body}"))].concat(),
        Trait::EightBitBody => with(format!("{plain}Größe, naïve, 日本語, \u{1f426}\r\n{body}")),
        Trait::OtherCharset => {
            let mut bytes =
                with("Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".to_owned());
            bytes.extend_from_slice(b"\xf0\xd2\xc9\xd7\xc5\xd4\r\n");
            bytes
        }
        Trait::BrokenMime => {
            with(format!("Content-Type: multipart/mixed; boundary=never\r\n\r\n--neve\r\n{body}\r\n--never"))
        }
        Trait::MboxFrom => {
            [b"From sender@example.test Thu Jan  1 00:00:00 1998\r\n".to_vec(), with(format!("{plain}{body}"))].concat()
        }
        Trait::NestedMessage => {
            let inner = message(chance, Trait::Attachment, size / 2);
            let begin = with("Content-Type: message/rfc822\r\n\r\n".to_owned());
            [begin, inner].concat()
        }
        Trait::Deep => {
            let mut deep = String::new();
            for level in 0..60 {
                let _ = write!(deep, "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
            }
            let _ = write!(deep, "{plain}{body}");
            for level in (0..60).rev() {
                let _ = write!(deep, "\r\n--b{level}--\r\n");
            }
            with(deep)
        }
        Trait::Calendar => with(
            "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\n\
             METHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@example.test\r\nDTSTART:20010101T090000Z\r\nEND:VEVENT\r\n\
             END:VCALENDAR\r\n"
                .to_owned(),
        ),
        Trait::DeliveryReport => with(format!(
            "Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\n{body}\r\n--r\r\n\
             Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.test\r\n\r\nFinal-Recipient: \
             rfc822; gone@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--r--\r\n"
        )),
        Trait::Smime => with(format!(
            "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=s\r\n\r\n--s\r\n\r\n{body}\
             --s\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--s--\r\n",
            base64(chance, b"0", 500)
        )),
        Trait::Pgp => with(format!(
            "{plain}-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\n{body}-----BEGIN PGP SIGNATURE-----\r\n\r\n{}\
             -----END PGP SIGNATURE-----\r\n",
            base64(chance, b"", 120)
        )),
        Trait::Tnef => with(attached(chance, "winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22", size / 2)),
        Trait::Uuencode => with(format!("{plain}{body}begin 644 rota.txt\r\n#0V%T\r\n`\r\nend\r\n")),
        Trait::Partial => with(format!("Content-Type: message/partial; id=\"p\"; number=2; total=3\r\n\r\n{body}")),
        Trait::ExecutableName => {
            with(attached(chance, "rota.pdf.exe", "application/octet-stream", b"not a program", 500))
        }
        Trait::ExecutableBytes => with(attached(chance, "rota.txt", "text/plain", b"MZ\x90\0", 500)),
        Trait::LongLine => with(format!("{plain}{}\r\n", "x".repeat(12_000))),
        Trait::TrailingSpace => with(format!("X-Spaces:   \t \r\n{plain}two spaces  \r\n \r\n{body}\r\n\r\n\r\n")),
        Trait::NoLastLineEnd => with(format!("{plain}{body}the end")),
        Trait::Nul => with(format!("{plain}a NUL \0 here\r\n{body}")),
        Trait::BareCr => with(format!("{plain}a CR \r here\r\n{body}")),
        Trait::MixedLineEnds => with(format!("{plain}an LF \n here\r\n{body}")),
        Trait::Empty => b"\r\n".to_vec(),
    }
}

/// A message of so many parts.
pub fn parts(chance: &mut Chance, count: usize) -> Vec<u8> {
    let mut message = header(chance, Trait::Plain);
    message.push_str("Content-Type: multipart/mixed; boundary=p\r\n\r\n");
    for number in 0..count {
        let _ = write!(message, "--p\r\n\r\n{number}\r\n");
    }
    message.push_str("--p--\r\n");
    message.into_bytes()
}

#[cfg(test)]
mod tests {
    use model::{Examiner, ItemKind};

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_bytes() {
        for kind in Trait::EVERY {
            let make = || message(&mut Chance::new(7), kind, 2000);
            assert_eq!(make(), make());
        }
    }

    #[test]
    fn only_unfit_messages_hold_what_cannot_be_carried() {
        for kind in Trait::EVERY {
            for seed in 0..20 {
                let found = Examiner::examine(ItemKind::Message, &message(&mut Chance::new(seed), kind, 500));
                let unfit = found.nul || found.bare_cr || found.bare_lf;
                assert_eq!(unfit, kind.is_unfit(), "{kind:?}");
            }
        }
    }

    #[test]
    fn parts_are_as_many_as_asked_for() {
        let message = parts(&mut Chance::new(1), 1000);
        assert_eq!(memchr_count(&message, b"--p\r\n"), 1000);
    }

    fn memchr_count(text: &[u8], wanted: &[u8]) -> usize {
        text.windows(wanted.len()).filter(|window| *window == wanted).count()
    }
}
