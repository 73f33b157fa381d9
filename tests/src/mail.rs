//! Mail for the journeys: the shared corpus, where it is, and a message of every trait from the project's own generator,
//! spread over folders with names that people really have, and some they had better not.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use conformance::talk::Talk;
use rehearsal::{Chance, Trait};

/// A folder and what lies in it.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The names from the top down.
    pub path: Vec<String>,
    /// Its messages.
    pub messages: Vec<Message>,
}

/// A message and what a store keeps beside it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its flags and keywords.
    pub flags: Vec<&'static str>,
    /// When it was received (seconds since 1970).
    pub received: i64,
}

/// Where the shared corpus is, if it is.
pub fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = std::env::var_os("WHIMBREL_CORPUS").map_or(beside, PathBuf::from);
    folder.join("MANIFEST.tsv").is_file().then_some(folder)
}

/// Files below a folder, in a fixed order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("the corpus can be read").path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Every message of the corpus, none when it is not here, two of each trait from the generator, and one of 100,000 parts.
/// In wire form: LF alone only where other lines of the message end in CRLF.
pub fn every_message() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    if let Some(corpus) = corpus() {
        all.extend(files(&corpus.join("mail")).iter().map(|file| fs::read(file).expect("the corpus can be read")));
        for file in files(&corpus.join("mbox")) {
            all.extend(messages_of_mbox(&fs::read(file).expect("the corpus can be read")));
        }
        all.retain(|message| !message.is_empty());
    }
    let mut chance = Chance::new(20_261_121);
    for kind in Trait::EVERY {
        all.push(rehearsal::message(&mut chance, kind, 900));
        all.push(rehearsal::message(&mut chance, kind, 60_000));
    }
    all.push(rehearsal::parts(&mut chance, 100_000));
    all.into_iter().map(wire).collect()
}

/// The messages between the lines of an mbox that begin with `From `.
fn messages_of_mbox(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match messages.last_mut() {
            _ if line.starts_with(b"From ") => messages.push(Vec::new()),
            Some(message) => message.extend_from_slice(line),
            None => {}
        }
    }
    messages
}

/// The wire form of a message whose lines all end in LF.
fn wire(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.windows(2).any(|two| two == b"\r\n") {
        return bytes;
    }
    bytes.split_inclusive(|byte| *byte == b'\n').fold(Vec::with_capacity(bytes.len() + 64), |mut wire, line| {
        match line.strip_suffix(b"\n") {
            Some(line) => wire.extend_from_slice(&[line, b"\r\n"].concat()),
            None => wire.extend_from_slice(line),
        }
        wire
    })
}

/// Names of folders, from the top down, that people have given.
const FOLDERS: [&[&str]; 24] = [
    &["INBOX"],
    &["Sent"],
    &["Trash"],
    &["Empty"],
    &["Empty", "Empty below"],
    &["Entwürfe"],
    &["Projekte", "2019", "Übergabe"],
    &["Projekte", "2019"],
    &["日本語", "受信"],
    &["Ελληνικά"],
    &["مرحبا"],
    &["🏥 ward 😀"],
    &["R&D"],
    &["&amp;"],
    &["Patients \"A to K\""],
    &["back\\slash"],
    &["100% done"],
    &["star*"],
    &["(brackets) [and] {braces}"],
    &["trailing space "],
    &["UID"],
    &["NIL"],
    &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
    &[
        "a folder with a name as long as some people make them when nobody stops them, and then a little longer, so that it \
       has more than two hundred characters in all, which is less than the two hundred and fifty-five",
    ],
];

/// Sets of flags that are seen on mail.
const FLAGS: [&[&str]; 10] = [
    &[],
    &["\\Seen"],
    &["\\Seen", "\\Answered"],
    &["\\Flagged"],
    &["\\Seen", "$Forwarded"],
    &["\\Draft"],
    &["\\Seen", "Work", "NonJunk"],
    &["\\Deleted", "\\Seen"],
    &["$MDNSent", "\\Seen", "\\Flagged"],
    &["$label1", "Theatre-3"],
];

/// Times at which mail was received: some old, some odd.
const TIMES: [i64; 8] = [
    1_732_147_200, // 2024
    820_454_400,   // 1996
    1_711_846_800, // in the night when British Summer Time began
    1_729_990_800, // and when it ended
    86_400,        // the second day of all
    951_782_399,   // the end of a 28th of February that had a next day
    1_483_228_800, // after a leap second
    1_600_000_000,
];

/// A mailbox: these messages spread over all the folders, with flags and dates of every kind.
pub fn spread(messages: Vec<Vec<u8>>) -> Vec<Folder> {
    let mut folders: Vec<Folder> = FOLDERS
        .iter()
        .map(|names| Folder { path: names.iter().map(|name| (*name).to_owned()).collect(), messages: Vec::new() })
        .collect();
    let filled: Vec<usize> =
        (0..folders.len()).filter(|place| !folders[*place].path.iter().any(|name| name.contains("Empty"))).collect();
    for (number, bytes) in messages.into_iter().enumerate() {
        let folder = filled[number * 7 % filled.len()];
        let flags = FLAGS[number % FLAGS.len()].to_vec();
        let received = TIMES[number % TIMES.len()] + (number as i64) * 60;
        folders[folder].messages.push(Message { bytes, flags, received });
    }
    folders
}

/// A message that can be told from others by its number, which its body holds; [`crate::store::Store::uids`] reads it.
pub fn numbered(number: usize) -> Message {
    let text = format!(
        "Message-ID: <{number}@example.test>\r\nFrom: a@example.test\r\nDate: Tue, 1 Jul 2003 10:52:37 +0200\r\n\
         Subject: of a number\r\n\r\nbody number {number};\r\n"
    );
    Message { bytes: text.into_bytes(), flags: Vec::new(), received: 1_000_000_000 + 60 * number as i64 }
}

/// How many messages [`small`] makes.
pub const SMALL: u64 = 6;

/// A mailbox of a few messages that nobody else has, for journeys about people.
pub fn small(person: &str) -> Vec<Folder> {
    let message = |number: usize| Message {
        bytes: format!("Message-ID: <{number}@{person}>\r\nSubject: {SUBJECT} {number}\r\n\r\n{BODY} of {person}\r\n")
            .into(),
        flags: FLAGS[number].to_vec(),
        received: TIMES[number],
    };
    let folder = |names: &[&str], numbers: std::ops::Range<usize>| Folder {
        path: names.iter().map(|name| (*name).to_owned()).collect(),
        messages: numbers.map(message).collect(),
    };
    vec![folder(&["INBOX"], 0..3), folder(&["Sent"], 3..5), folder(&["Projekte", "2019"], 5..6)]
}

/// What is in the subjects and the bodies that [`small`] makes, and in nothing else.
pub const SUBJECT: &str = "Quarterly-zebra";
/// The same of the bodies.
pub const BODY: &str = "confidential-okapi";

/// What a server took of a mailbox, and what it didn't.
#[derive(Debug, Default)]
pub struct Filled {
    /// Folders made.
    pub folders: usize,
    /// Folders whose names it refused; their messages lie in INBOX.
    pub refused_folders: Vec<Vec<String>>,
    /// Messages stored.
    pub messages: usize,
    /// Messages it refused.
    pub refused_messages: usize,
}

/// The name of a folder as IMAP writes it between quotes.
pub fn imap_name(path: &[String]) -> String {
    let names =
        path.iter().map(|name| connector::mutf7::encode(name, |_| false).replace('\\', "\\\\").replace('"', "\\\""));
    names.collect::<Vec<_>>().join("/")
}

/// A date as IMAP writes it.
pub fn imap_date(seconds: i64, offset_minutes: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let local = seconds + offset_minutes * 60;
    let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    // Civil from days, as Howard Hinnant writes it.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (sign, offset) = (if offset_minutes < 0 { '-' } else { '+' }, offset_minutes.abs());
    format!(
        "{day:02}-{}-{year:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        MONTHS[month as usize - 1],
        second / 3600,
        second / 60 % 60,
        second % 60,
        offset / 60,
        offset % 60
    )
}

/// Puts a mailbox onto a server, over a connection whose person is logged in.
pub fn fill(talk: &mut Talk, mailbox: &[Folder]) -> Filled {
    const OFFSETS: [i64; 4] = [0, 60, -480, 345];
    let mut filled = Filled::default();
    for folder in mailbox {
        let mut name = imap_name(&folder.path);
        let is_there =
            name == "INBOX" || !talk.command(&format!("STATUS \"{name}\" (MESSAGES)")).tagged.starts_with("NO");
        if is_there || talk.command(&format!("CREATE \"{name}\"")).is_ok() {
            filled.folders += 1;
        } else {
            filled.refused_folders.push(folder.path.clone());
            "INBOX".clone_into(&mut name);
        }
        for (number, message) in folder.messages.iter().enumerate() {
            let date = imap_date(message.received, OFFSETS[number % OFFSETS.len()]);
            let options = format!("({}) \"{date}\"", message.flags.join(" "));
            if talk.append(&name, &options, &message.bytes).is_ok() {
                filled.messages += 1;
            } else {
                filled.refused_messages += 1;
            }
        }
    }
    let subscribed = mailbox.iter().filter(|folder| !filled.refused_folders.contains(&folder.path)).step_by(2);
    for folder in subscribed {
        talk.command(&format!("SUBSCRIBE \"{}\"", imap_name(&folder.path)));
    }
    filled
}

/// Writes a mailbox as Maildir++ with Dovecot's keywords; each second message with LF alone, as local delivery does.
pub fn fill_maildir(root: &Path, mailbox: &[Folder]) {
    const LETTERS: [(&str, char); 6] = [
        ("\\Draft", 'D'),
        ("\\Flagged", 'F'),
        ("\\Answered", 'R'),
        ("\\Seen", 'S'),
        ("\\Deleted", 'T'),
        ("$Forwarded", 'P'),
    ];
    let mut number = 0;
    for folder in mailbox {
        let names: Vec<String> = folder.path.iter().map(|name| connector::mutf7::encode(name, |c| c == '.')).collect();
        let directory = if names == ["INBOX"] { root.to_owned() } else { root.join(format!(".{}", names.join("."))) };
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(directory.join(part)).expect("the maildir can be written");
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("the maildir can be written");
        let mut keywords: BTreeMap<&str, char> = BTreeMap::new();
        for message in &folder.messages {
            number += 1;
            let mut letters: Vec<char> = Vec::new();
            for flag in &message.flags {
                let next = char::from(b'a' + u8::try_from(keywords.len()).expect("there are few keywords"));
                let system = LETTERS.iter().find(|(name, _)| name == flag);
                letters.push(system.map_or_else(|| *keywords.entry(flag).or_insert(next), |(_, letter)| *letter));
            }
            letters.sort_unstable();
            let name = format!("{}.M{number}P1.source:2,{}", message.received, letters.iter().collect::<String>());
            let file = directory.join("cur").join(name);
            let text = if number % 2 == 0 { message.bytes.clone() } else { local(&message.bytes) };
            fs::write(&file, text).expect("the maildir can be written");
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(message.received.unsigned_abs());
            let opened = fs::File::options().write(true).open(&file).expect("the maildir can be written");
            opened.set_modified(time).expect("the maildir can be written");
        }
        let mut letters: Vec<_> = keywords.into_iter().map(|(keyword, letter)| (letter, keyword)).collect();
        letters.sort_unstable();
        let lines = letters.iter().enumerate().map(|(place, (_, keyword))| format!("{place} {keyword}\n"));
        fs::write(directory.join("dovecot-keywords"), lines.collect::<String>()).expect("the maildir can be written");
    }
}

/// Writes a mailbox as files of mboxrd in Thunderbird's layout, with what Dovecot notes in messages.
pub fn fill_mbox(root: &Path, mailbox: &[Folder]) {
    const LETTERS: [(&str, char); 4] = [("\\Answered", 'A'), ("\\Flagged", 'F'), ("\\Draft", 'T'), ("\\Deleted", 'D')];
    for folder in mailbox {
        let (name, above) = folder.path.split_last().expect("a folder has a name");
        let directory = above.iter().fold(root.to_owned(), |place, name| place.join(format!("{name}.sbd")));
        fs::create_dir_all(&directory).expect("files can be written");
        let mut file = Vec::new();
        for message in &folder.messages {
            let date = imap_date(message.received, 0).replace('-', " ");
            let has = |flag: &str| message.flags.contains(&flag);
            let letters: String = LETTERS.iter().filter(|(flag, _)| has(flag)).map(|(_, letter)| *letter).collect();
            let keywords: Vec<&str> = message.flags.iter().copied().filter(|flag| !flag.starts_with('\\')).collect();
            let seen = if has("\\Seen") { "R" } else { "" };
            let first = format!("From somebody@example.test {}\n", date.trim_start());
            let noted = format!("X-Keywords: {}\nStatus: {seen}O\nX-Status: {letters}\n", keywords.join(" "));
            file.extend_from_slice(&[first.as_bytes(), noted.as_bytes()].concat());
            for line in local(&message.bytes).split_inclusive(|byte| *byte == b'\n') {
                let quotes = line.iter().take_while(|byte| **byte == b'>').count();
                let mark: &[u8] = if line[quotes..].starts_with(b"From ") { b">" } else { b"" };
                file.extend_from_slice(&[mark, line].concat());
            }
            file.extend_from_slice(if message.bytes.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        }
        fs::write(directory.join(name), file).expect("files can be written");
    }
}

/// Writes a mailbox as a tree of `.eml` files with side files.
pub fn fill_eml(root: &Path, mailbox: &[Folder]) {
    let mut number = 0;
    for folder in mailbox {
        let escaped = |name: &String| {
            let escape = |c: char| if "%\\\"*".contains(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() };
            let name: String = name.chars().map(escape).collect();
            name.strip_suffix(' ').map_or(name.clone(), |begin| format!("{begin}%20"))
        };
        let directory = folder.path.iter().map(escaped).fold(root.to_owned(), |place, name| place.join(name));
        fs::create_dir_all(&directory).expect("files can be written");
        let mut lines = String::new();
        for message in &folder.messages {
            number += 1;
            let file = format!("{number:06}.eml");
            fs::write(directory.join(&file), &message.bytes).expect("files can be written");
            let (flags, keywords): (Vec<&str>, Vec<&str>) =
                message.flags.iter().partition(|flag| flag.starts_with('\\'));
            let line = serde_json::json!({
                "file": file, "received": message.received, "flags": flags, "keywords": keywords, "wire": true
            });
            let _ = writeln!(lines, "{line}");
        }
        fs::write(directory.join(".whimbrel-items.jsonl"), lines).expect("files can be written");
    }
}

/// With LF alone, if every line ends in CRLF.
fn local(bytes: &[u8]) -> Vec<u8> {
    let is_wire = bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'\n' => at > 0 && bytes[at - 1] == b'\r',
        b'\r' => bytes.get(at + 1) == Some(&b'\n'),
        _ => true,
    });
    if is_wire { bytes.iter().copied().filter(|byte| *byte != b'\r').collect() } else { bytes.to_vec() }
}
