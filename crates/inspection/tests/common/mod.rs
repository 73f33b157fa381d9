//! Rules, messages, archives and winmail.dats for the tests.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses some of it; tests may fail by panicking")]

pub(crate) mod repairs;

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use inspection::{
    Ban, Banned, Disposition, Inspection, Kind, Limits, ReadAt, Rules, SealedDisposition, Unseen, Verdict, apply,
    edits, inspect, size_with,
};

/// A ban of each sort.
pub(crate) fn rules() -> Rules {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let ban = |id: &str, what| Ban { id: id.to_owned(), what };
    Rules {
        bans: vec![
            ban("extension", Banned::Extensions(texts(&["exe", "scr", "js", "docm", "{clsid}"]))),
            ban("type", Banned::Types(texts(&["application/x-msdownload", "video/*"]))),
            ban(
                "content",
                Banned::Kinds([Kind::WindowsProgram, Kind::ElfProgram, Kind::Script, Kind::OfficeMacro].into()),
            ),
            ban("size", Banned::LargerThan(1_000_000)),
        ],
        disposition: Disposition::Replace,
        sealed: SealedDisposition::Travel,
        note: "This attachment was not copied.".to_owned(),
    }
}

/// The same, and all that can't be seen is banned.
pub(crate) fn strict() -> Rules {
    let mut rules = rules();
    rules.bans.push(Ban { id: "unseen".to_owned(), what: Banned::Unseen(Unseen::EVERY.iter().copied().collect()) });
    rules
}

/// Inspects a message, and if it is to be rewritten checks what must hold of the rewritten one, which it gives too.
pub(crate) fn check(message: &[u8], rules: &Rules) -> (Inspection, Vec<u8>) {
    let found = inspect(&message, rules, &Limits::default()).unwrap();
    for finding in &found.findings {
        assert!(finding.bytes.start <= finding.bytes.end && finding.bytes.end <= message.len() as u64, "{finding:?}");
    }
    match found.verdict(rules) {
        Verdict::Replace => {}
        _ => return (found, message.to_vec()),
    }
    let rewritten = rewrite(message, &found, rules);
    assert_eq!(rewrite(message, &found, rules), rewritten, "rewriting twice gives the same bytes");
    let again = inspect(&rewritten.as_slice(), rules, &Limits::default()).unwrap();
    assert_eq!(again.binding(rules).count(), 0, "{again:?}\n{}", String::from_utf8_lossy(&rewritten));
    (found, rewritten)
}

pub(crate) fn rewrite(message: &[u8], found: &Inspection, rules: &Rules) -> Vec<u8> {
    let edits = edits(&message, found, rules).unwrap();
    let mut rewritten = Vec::new();
    apply(&message, &edits, &mut rewritten).unwrap();
    assert_eq!(size_with(message.len() as u64, &edits), rewritten.len() as u64);
    rewritten
}

/// Places of what is banned: part, and what it lies in within it.
pub(crate) fn places(found: &Inspection) -> Vec<String> {
    let banned = found.findings.iter().filter(|finding| finding.rule.is_some());
    banned.map(|finding| [vec![finding.part.clone()], finding.inside.clone()].concat().join(" > ")).collect()
}

/// What could not be seen, whether it is banned or not.
pub(crate) fn unseen(found: &Inspection) -> Vec<Unseen> {
    let unseen = |finding: &inspection::Finding| match finding.why {
        inspection::Why::Unseen(unseen) => Some(unseen),
        _ => None,
    };
    found.findings.iter().filter_map(unseen).collect()
}

/// Base64 in lines.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    text.as_bytes().chunks(76).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect()
}

/// A message of two parts: a text, and a part with this header (without the encoding) and content.
pub(crate) fn with_part(header: &str, content: &[u8]) -> Vec<u8> {
    format!(
        "From: a@x.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n\r\npreamble\r\n--b1\r\n\
         Content-Type: text/plain\r\n\r\nDear all,\r\n\r\n--b1\r\n{header}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--b1--\r\n",
        base64(content)
    )
    .into_bytes()
}

/// A message with a file of this name.
pub(crate) fn with_file(name: &str, content: &[u8]) -> Vec<u8> {
    with_part(&format!("Content-Type: application/octet-stream; name=\"{name}\""), content)
}

/// A zip archive of stored or deflated files.
pub(crate) fn zip(files: &[(&str, &[u8])], is_deflated: bool) -> Vec<u8> {
    zip_with(files, is_deflated, 0, str::to_owned)
}

/// The same with these flags, and with other names in the headers before the files.
pub(crate) fn zip_with(
    files: &[(&str, &[u8])],
    is_deflated: bool,
    flags: u16,
    local_name: impl Fn(&str) -> String,
) -> Vec<u8> {
    let (mut archive, mut central) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let packed = if is_deflated { deflate(content) } else { content.to_vec() };
        let method: u16 = if is_deflated { 8 } else { 0 };
        let middle = |name: &str| {
            let mut middle = Vec::new();
            for number in [20, flags, method, 0, 0, 0, 0] {
                middle.extend_from_slice(&number.to_le_bytes());
            }
            for number in [packed.len() as u32, content.len() as u32] {
                middle.extend_from_slice(&number.to_le_bytes());
            }
            middle.extend_from_slice(&(name.len() as u16).to_le_bytes());
            middle
        };
        let at = archive.len() as u32;
        let local = local_name(name);
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&middle(&local));
        archive.extend_from_slice(&[0, 0]);
        archive.extend_from_slice(local.as_bytes());
        archive.extend_from_slice(&packed);
        central.extend_from_slice(b"PK\x01\x02\x14\0");
        central.extend_from_slice(&middle(name));
        central.extend_from_slice(&[0; 12]);
        central.extend_from_slice(&at.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
    }
    let (at, size) = (archive.len() as u32, central.len() as u32);
    archive.extend_from_slice(&central);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        archive.extend_from_slice(&(files.len() as u16).to_le_bytes());
    }
    archive.extend_from_slice(&size.to_le_bytes());
    archive.extend_from_slice(&at.to_le_bytes());
    archive.extend_from_slice(&[0, 0]);
    archive
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A winmail.dat with these attachments; long names are properties in UTF-16.
pub(crate) fn winmail(files: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut all = vec![0x78, 0x9f, 0x3e, 0x22, 1, 0];
    let mut add = |level: u8, id: u16, kind: u16, data: &[u8]| {
        all.push(level);
        all.extend_from_slice(&id.to_le_bytes());
        all.extend_from_slice(&kind.to_le_bytes());
        all.extend_from_slice(&(data.len() as u32).to_le_bytes());
        all.extend_from_slice(data);
        let sum = data.iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        all.extend_from_slice(&sum.to_le_bytes());
    };
    add(1, 0x8006, 8, &[0, 0, 1, 0]);
    for (name, long_name, content) in files {
        add(2, 0x9002, 6, &[0; 14]);
        add(2, 0x800f, 6, content);
        add(2, 0x8010, 1, format!("{name}\0").as_bytes());
        if let Some(long_name) = long_name {
            let text: Vec<u8> = long_name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            let mut properties = 2u32.to_le_bytes().to_vec();
            properties.extend_from_slice(&[3, 0, 0x05, 0x37, 1, 0, 0, 0]); // attach method
            properties.extend_from_slice(&[0x1f, 0, 0x07, 0x37, 1, 0, 0, 0]); // attach long filename
            properties.extend_from_slice(&(text.len() as u32).to_le_bytes());
            properties.extend_from_slice(&text);
            properties.resize(properties.len().next_multiple_of(4), 0);
            add(2, 0x9005, 6, &properties);
        }
    }
    all
}

/// Uuencode in lines.
pub(crate) fn uuencode(name: &str, content: &[u8]) -> String {
    let letter = |bits: u8| {
        char::from(match bits & 63 {
            0 => b'`',
            bits => bits + b' ',
        })
    };
    let mut text = format!("begin 644 {name}\r\n");
    for line in content.chunks(45) {
        text.push(letter(line.len() as u8));
        for group in line.chunks(3) {
            let [a, b, c] = [0, 1, 2].map(|at| group.get(at).copied().unwrap_or(0));
            text.extend([a >> 2, a << 4 | b >> 4, b << 2 | c >> 6, c].map(letter));
        }
        text.push_str("\r\n");
    }
    text + "`\r\nend\r\n"
}

/// A file of zeros that has the given beginning; nothing of it is in memory.
pub(crate) struct Endless {
    pub begin: Vec<u8>,
    pub size_bytes: u64,
    pub filler: &'static [u8],
}

impl ReadAt for Endless {
    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min((self.size_bytes - at.min(self.size_bytes)) as usize);
        let mut done = 0;
        while done < count {
            let at = at as usize + done;
            let rest = match self.begin.get(at..) {
                Some(rest) if !rest.is_empty() => rest,
                _ => &self.filler[(at - self.begin.len()) % self.filler.len()..],
            };
            let size = rest.len().min(count - done);
            into[done..done + size].copy_from_slice(&rest[..size]);
            done += size;
        }
        Ok(count)
    }

    fn size_bytes(&self) -> std::io::Result<u64> {
        Ok(self.size_bytes)
    }
}
