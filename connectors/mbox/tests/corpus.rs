//! Every mbox of the corpus beside Python's `mailbox`: as many messages, with the same bytes.
//!
//! Where the two differ by design: Python takes each line that begins with `From ` for the beginning of a message; here it
//! must look like one. Python keeps what programs noted (Status and so on) in the message; here it is taken off, so it is
//! taken off Python's, too. Both drop one empty line before the next message and at the end; Python only where it is an LF
//! alone, so the CRLF is dropped from Python's, too. Messages that stand for themselves and begin with a `From ` line are
//! read as well.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::writer::read::{open, read};
use mbox::Dialect;

/// Prints each message in hexadecimal, a line each, behind a line for each file.
const PYTHON: &str = r#"
import mailbox, sys, re
noted = re.compile(rb"(?i)^(status|x-status|x-keywords|x-uid|x-imapbase|x-mozilla-(status2?|keys)):")
for file in sys.argv[1:]:
    box = mailbox.mbox(file, create=False)
    print("file")
    for key in box.keys():
        lines, header, drops = [], True, False
        mozilla = box.get_bytes(key, from_=True).startswith(b"From - ")
        for line in re.findall(rb"[^\n]*\n|[^\n]+", box.get_bytes(key)):
            if header and line in (b"\n", b"\r\n"):
                header = False
            if header and not line.startswith((b" ", b"\t")):
                drops = bool(noted.match(line)) and (mozilla or not line.lower().startswith(b"x-mozilla"))
            elif header:
                drops = False
            if not (header and drops):
                lines.append(line)
        message = b"".join(lines)
        message = message[:-2] if message.endswith(b"\r\n\r\n") else message
        if b"\r\n" not in message:
            message = message.replace(b"\n", b"\r\n")
        print("-" + message.hex())
"#;

fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("WHIMBREL_CORPUS").map_or(beside, PathBuf::from);
    if !folder.join("mbox").is_dir() {
        conformance::servers::left_out("the corpus is not here (WHIMBREL_CORPUS)");
        return None;
    }
    Some(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn every_mbox_of_the_corpus_is_read_as_python_reads_it() {
    let Some(corpus) = corpus() else { return };
    let (mut count, mut messages, mut foreign, mut text) = (0, 0, 0, 0);
    let begins = |file: &PathBuf| std::fs::read(file).unwrap().starts_with(b"From ");
    let single = files(&corpus.join("mail")).into_iter().filter(begins);
    let all: Vec<PathBuf> = files(&corpus.join("mbox")).into_iter().chain(single).collect();
    let python = Command::new("python3").args(["-c", PYTHON]).args(&all).output();
    let Ok(python) = python else { return conformance::servers::left_out("python3 is not here") };
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let python = String::from_utf8(python.stdout).unwrap();
    for (file, theirs) in all.iter().zip(python.split("file\n").skip(1)) {
        let mut source = open(file, Dialect::Auto).await;
        let ours = read(source.as_mut(), &model::FolderPath::inbox(), None).await;
        let mut theirs: Vec<&str> = theirs.lines().map(|line| &line[1..]).collect();
        if ours.skipped.is_some() {
            // A message without a `From ` line: to Python an mbox without messages, to us a file to be named.
            assert!(theirs.is_empty(), "{}", file.display());
            foreign += 1;
            continue;
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut ours: Vec<String> = ours.got.iter().map(|got| hex(&got.bytes)).collect();
        if theirs.len() > ours.len() {
            // A header with a field `From  :`, which to Python begins a message.
            assert!(file.ends_with("spamassassin/spam/008"), "{}", file.display());
            text += theirs.len() - ours.len();
            continue;
        }
        ours.sort();
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{}", file.display());
        count += 1;
        messages += ours.len();
    }
    println!(
        "{count} files with {messages} messages as Python reads them; {foreign} that are no mbox; {text} line of text"
    );
    assert!(count > 80 && messages > 200 && foreign == 5 && text == 1, "{count} {messages} {foreign} {text}");
}
