//! Files as programs and accidents leave them: dialects, what is noted in messages, hostile bytes, files that change.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::writer::read::{all, open, read};
use crate::writer::{Written, mboxrd};
use mbox::Dialect;
use model::{Cause, Flags, FolderPath};
use proptest::prelude::*;

const DATE: &str = "Fri Feb 22 17:06:23 2008";

struct File(tempfile::TempDir);

impl File {
    fn of(bytes: impl AsRef<[u8]>) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("mail")
    }

    async fn texts(&self, dialect: Dialect) -> Vec<String> {
        all(&self.path(), dialect).await.iter().map(crate::writer::read::Got::text).collect()
    }
}

fn from(minute: u8) -> String {
    format!("From a@b Fri Feb 22 17:{minute:02}:23 2008\n")
}

#[tokio::test]
async fn each_dialect_is_read_as_it_is_meant() {
    let text = format!("{}A: 1\n\n>From x\n>>From y\n\n{}A: 2\n\nb\n\n", from(1), from(2));
    let file = File::of(text);
    for dialect in [Dialect::Auto, Dialect::Mboxo, Dialect::Mboxcl, Dialect::Mboxcl2] {
        assert_eq!(file.texts(dialect).await, ["A: 1\r\n\r\n>From x\r\n>>From y\r\n", "A: 2\r\n\r\nb\r\n"]);
    }
    assert_eq!(file.texts(Dialect::Mboxrd).await[0], "A: 1\r\n\r\nFrom x\r\n>From y\r\n");

    // With a length, what looks like a message in a body is text.
    let body = format!("one\n\n{}B: 1\n\ntwo\n", from(9));
    let file = File::of(format!(
        "{}A: 1\nContent-Length: {}\n\n{body}\n{}A: 2\nContent-Length: 1\n\nb",
        from(1),
        body.len(),
        from(2)
    ));
    for dialect in [Dialect::Auto, Dialect::Mboxcl2] {
        let texts = file.texts(dialect).await;
        assert_eq!(texts, [format!("A: 1\n\n{body}").replace('\n', "\r\n"), "A: 2\r\n\r\nb".to_owned()]);
    }
    assert_eq!(file.texts(Dialect::Mboxrd).await.len(), 3, "mboxrd knows no length");
}

#[tokio::test]
async fn a_length_that_lies_is_not_obeyed_and_travels() {
    for length in ["0", "3", "5", "7", "4000", "18446744073709551615", "99999999999999999999999", "-1", "4 "] {
        let file = File::of(format!("{}A: 1\nContent-Length: {length}\n\nbody\n\n{}A: 2\n\nc\n", from(1), from(2)));
        let texts = file.texts(Dialect::Auto).await;
        assert_eq!(texts.len(), 2, "{length}: {texts:?}");
        let kept = if length == "5" { String::new() } else { format!("Content-Length: {length}\r\n") };
        assert_eq!(texts[0], format!("A: 1\r\n{kept}\r\nbody\r\n"));
    }
}

#[tokio::test]
async fn text_that_looks_like_a_message_is_told_from_one() {
    let body = "A: 1\n\nwhat he said:\n\nFrom here on it rained.\nFrom me to you Fri Feb 22 17:06:23 2008\n\nFrom bob\nhello\n";
    let file = File::of(format!("{}{body}\nFrom -\nA: 2\n\nb\n\nFrom \nA: 3\n\nc\n", from(1)));
    let texts = file.texts(Dialect::Auto).await;
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts.contains(&body.replace('\n', "\r\n")));
    // Where each such line is quoted, each one that is not begins a message.
    assert_eq!(file.texts(Dialect::Mboxrd).await.len(), 5);
}

#[tokio::test]
async fn without_a_date_the_header_says_it_and_else_the_file() {
    let file = File::of(
        "From -\nReceived: by x; Thu, 1 Jan 1970 00:00:05 +0000\nDate: Thu, 1 Jan 1970 00:00:09 +0000\n\na\n\nFrom -\n\
        Date: Thu, 1 Jan 1970 00:00:07 +0000\n\nb\n\nFrom -\nA: 1\n\nc\n",
    );
    let mut dates: Vec<i64> = all(&file.path(), Dialect::Auto).await.iter().map(|got| got.received).collect();
    dates.sort_unstable();
    assert_eq!(dates[..2], [5, 7]);
    assert!(dates[2] > 1_600_000_000);
}

#[tokio::test]
async fn what_thunderbird_notes_becomes_flags_and_what_it_expunged_is_left_out() {
    let file = File::of(format!(
        "From - {DATE}\r\nX-Mozilla-Status: 0005\r\nX-Mozilla-Status2: 00000000\r\nX-Mozilla-Keys: $label1          \r\n\
        A: 1\r\n\r\na\r\n\r\nFrom - {DATE}\r\nX-Mozilla-Status: 0009\r\nX-Mozilla-Status2: 00000000\r\nA: 2\r\n\r\nb\r\n\r\n"
    ));
    let got = all(&file.path(), Dialect::Auto).await;
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].text(), "A: 1\r\n\r\na\r\n");
    assert_eq!(got[0].flags, Flags::of(["\\Seen", "\\Flagged", "$label1"]));
}

#[tokio::test]
async fn the_note_of_a_mail_server_is_no_message() {
    let note = "From MAILER-DAEMON Fri Feb 22 17:06:23 2008\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n\
        X-IMAP: 1203699983 0000000002\nStatus: RO\n\nThis text is part of the internal format of your mail folder.\n\n";
    let file = File::of(format!("{note}{}X-IMAPbase: 1 2\nX-UID: 1\nStatus: RO\nA: 1\n\na\n", from(1)));
    assert_eq!(file.texts(Dialect::Auto).await, ["A: 1\r\n\r\na\r\n"]);
    let sent = File::of(note.replace("MAILER-DAEMON", "a@b"));
    assert_eq!(sent.texts(Dialect::Auto).await.len(), 1, "a sender can't make a note of a message");
}

#[tokio::test]
async fn line_ends_are_converted_where_they_are_all_alike() {
    let text = format!("{}A: 1\r\n\r\nb\r\n\r\n{}A: 2\n\nb\r\nc\n\n{}A: 3\n\nb\n\n", from(1), from(2), from(3));
    let texts = File::of(text).texts(Dialect::Auto).await;
    assert_eq!(texts, ["A: 1\r\n\r\nb\r\n", "A: 2\n\nb\r\nc\n", "A: 3\r\n\r\nb\r\n"]);
}

#[tokio::test]
async fn hostile_files_end_well() {
    // No message at all, or something else.
    assert!(File::of("").texts(Dialect::Auto).await.is_empty());
    assert!(File::of("\n\n\r\n").texts(Dialect::Auto).await.is_empty());
    for bytes in [&b"Subject: an eml\n\nx"[..], b"\0\0\0\0", b"PK\x03\x04", b"from a@b\n"] {
        let file = File::of(bytes);
        let mut source = open(&file.path(), Dialect::Auto).await;
        let read = read(source.as_mut(), &FolderPath::inbox(), None).await;
        assert_eq!(read.skipped, Some(Cause::Unreadable));
        assert!(source.folders().await.unwrap()[0].holds_items, "it is named, not passed over");
    }
    // Cut off anywhere, all that is there comes, and nothing panics.
    let whole =
        format!("{}A: 1\nContent-Length: 5\nStatus: R\n\na\0b\n\n\n{}B: 2\r\n\r\n>From c\r\n\r\n", from(1), from(2));
    for length in 5..whole.len() {
        let texts = File::of(&whole[..length]).texts(Dialect::Mboxrd).await;
        assert!(texts.len() <= 2, "{length}");
    }
    let texts = File::of(&whole).texts(Dialect::Auto).await;
    assert_eq!(texts, ["A: 1\r\n\r\na\0b\r\n\r\n", "B: 2\r\n\r\n>From c\r\n"]);
    // A line without end, in the header and in the body; a body above what is held in memory.
    for line in ["x".repeat(9_000_000), format!("{}\n", "y".repeat(100)).repeat(90_000)] {
        let file = File::of(format!("{}X-Long: {}\n\n{line}\n\n", from(1), "z".repeat(200_000)));
        let texts = file.texts(Dialect::Auto).await;
        assert!(texts[0].replace("\r\n", "\n").ends_with(&format!("zz\n\n{line}\n")));
    }
}

#[tokio::test]
async fn a_hundred_thousand_messages_are_all_there() {
    let text = |number: u32| format!("{}N: {number}\n\nb\n\n", from((number % 60) as u8));
    let file = File::of((0..100_000).map(text).collect::<String>());
    let got = all(&file.path(), Dialect::Auto).await;
    assert_eq!(got.len(), 100_000);
    assert!(got.windows(2).all(|two| two[0].id < two[1].id));
}

#[tokio::test]
async fn ids_stay_while_mail_comes_goes_and_is_read() {
    let message = |number: u8, noted: &str| format!("{}{noted}A: {number}\n\nbody\n\n", from(number));
    let file = File::of(message(1, "") + &message(2, "") + &message(2, "") + &message(4, ""));
    let mut source = open(&file.path(), Dialect::Auto).await;
    let inbox = FolderPath::inbox();
    let first = read(source.as_mut(), &inbox, None).await;
    let ids: Vec<_> = first.got.iter().map(|got| got.id.clone()).collect();
    // The first one is gone, one of two equal ones, too; another was read; an old one came and a new one.
    std::fs::write(
        file.path(),
        message(2, "X-UID: 9\n") + &message(4, "Status: RO\n") + &message(3, "") + &message(5, ""),
    )
    .unwrap();
    let second = read(source.as_mut(), &inbox, first.cursor).await;
    assert_eq!(second.got.iter().map(crate::writer::read::Got::text).collect::<Vec<_>>(), ["A: 5\r\n\r\nbody\r\n"]);
    let listed: Vec<_> = second.listed.iter().map(|(id, flags)| (id.clone(), flags.clone())).collect();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[0], (ids[1].clone(), Flags::NONE));
    assert!(!ids.contains(&listed[1].0), "what came with an older date is listed, and so found");
    assert_eq!(listed[2], (ids[3].clone(), Flags::of(["\\Seen"])));
}

#[tokio::test]
async fn a_file_written_anew_while_it_is_read_gives_every_message_once() {
    let message = |number: usize| Written {
        bytes: format!("N: {number}\r\n\r\n{}\r\n", "x".repeat(2000)).into_bytes(),
        flags: Flags::NONE,
        received: 1_000_000_000 + number as i64,
    };
    let messages: Vec<Written> = (0..3000).map(message).collect();
    let file = File::of(mboxrd(&messages));
    let mut source = open(&file.path(), Dialect::Mboxrd).await;
    let holds = connector::Holds::new(connector::HoldsLimits::default());
    let plan = vec![connector::ReadFolder { path: FolderPath::inbox(), since: None }];
    let mut reading = source.read(plan, &holds).await.unwrap();
    let (mut got, mut count) = (Vec::new(), 0);
    loop {
        let events = reading.next().await.unwrap();
        if events.is_empty() {
            break;
        }
        for event in events {
            if let connector::Event::Item(item) = event {
                got.push(item.body.to_vec().await.unwrap());
            }
        }
        count += 1;
        if count == 3 {
            // The first thousand are expunged in place; one of those had been read.
            std::fs::write(file.path(), mboxrd(&messages[1000..])).unwrap();
        }
    }
    drop(reading);
    let before = got.iter().filter(|bytes| messages[..1000].iter().any(|known| known.bytes == **bytes)).count();
    assert!(before > 0 && before < 1000);
    let after: Vec<&[u8]> = got[before..].iter().map(Vec::as_slice).collect();
    assert_eq!(after, messages[1000..].iter().map(|known| known.bytes.as_slice()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_is_locked_is_waited_for() {
    let file = File::of(format!("{}A: 1\n\na\n", from(1)));
    let mut source = open(&file.path(), Dialect::Auto).await;
    // By the lock on the file, which is another process's.
    let program = "import fcntl, sys\nf = open(sys.argv[1], 'r+')\nfcntl.lockf(f, fcntl.LOCK_EX)\n\
        print('locked', flush=True)\nsys.stdin.readline()";
    let mut python = Command::new("python3");
    python.args(["-c", program]).arg(file.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut python) = python.spawn() else {
        conformance::servers::left_out("python3 is not here");
        return;
    };
    let mut line = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "locked\n");
    let inbox = FolderPath::inbox();
    let late = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        writeln!(python.stdin.take().unwrap()).unwrap();
        python.wait().unwrap();
    });
    let began = std::time::Instant::now();
    assert_eq!(read(source.as_mut(), &inbox, None).await.got.len(), 1);
    assert!(began.elapsed().as_millis() >= 250, "it waited");
    late.join().unwrap();
    // By the file beside it: not for ever, and not one that was left long ago.
    let lock = file.path().with_file_name("mail.lock");
    std::fs::write(&lock, "1").unwrap();
    std::fs::write(file.path(), format!("{}A: 22\n\na\n", from(1))).unwrap();
    assert_eq!(read(source.as_mut(), &inbox, None).await.skipped, Some(Cause::Unavailable));
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(read(source.as_mut(), &inbox, None).await.got.len(), 1);
    assert!(lock.exists());
}

/// Messages with what mbox files have trouble with.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        "[a-z ]{0,20}".prop_map(String::into_bytes),
        "(>){0,3}From [a-z]{0,5}".prop_map(String::into_bytes),
        Just(format!("From a@b {DATE}").into_bytes()),
        Just(b"Status: R".to_vec()),
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>().prop_filter("line ends", |byte| !b"\r\n".contains(byte)), 0..20),
    ];
    let header = "[A-Z][a-z]{0,6}: [a-z>]{0,9}".prop_map(String::into_bytes);
    let header = proptest::collection::vec(header, 1..4);
    (header, proptest::collection::vec(line, 1..9)).prop_map(|(header, lines)| {
        let mut bytes = Vec::new();
        for line in header.iter().chain([&Vec::new()]).chain(&lines) {
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    })
}

fn flags() -> impl Strategy<Value = Flags> {
    let names = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded", "Work"];
    proptest::sample::subsequence(names.to_vec(), 0..7).prop_map(Flags::of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_as_mboxrd_reads_back_equal(
        messages in proptest::collection::vec((message(), flags(), 0..2_000_000_000i64), 0..8),
    ) {
        let mut written: Vec<Written> =
            messages.into_iter().map(|(bytes, flags, received)| Written { bytes, flags, received }).collect();
        let file = File::of(mboxrd(&written));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let got = runtime.block_on(all(&file.path(), Dialect::Mboxrd));
        let mut got: Vec<_> = got.into_iter().map(|got| (got.received, got.bytes, got.flags)).collect();
        written.sort_by(|a, b| (a.received, &a.bytes).cmp(&(b.received, &b.bytes)));
        got.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let written: Vec<_> = written.into_iter().map(|one| (one.received, one.bytes, one.flags)).collect();
        prop_assert_eq!(got, written);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600), lines in 0..9usize) {
        let mut text = from(1).into_bytes();
        for piece in bytes.chunks(600 / (lines + 1)) {
            text.extend_from_slice(piece);
            text.extend_from_slice(b"\n\nFrom x Fri Feb 22 17:06:23 2008\nContent-Length: 30\nX-Mozilla-Status: 0001\n\n");
        }
        let file = File::of(&text);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for dialect in [Dialect::Auto, Dialect::Mboxrd] {
            let got = runtime.block_on(all(&file.path(), dialect));
            prop_assert!(!got.is_empty());
        }
    }
}
