//! Real mail: what Python's `email` finds is found, nothing else is, and all other parts stay byte for byte.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, helpers included")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{check, rules, unseen, with_part};
use conformance::servers::left_out;
use inspection::{Ban, Banned, Disposition, Inspection, Kind, Rules, SealedDisposition, Unseen, Verdict};
use model::Digest;
use serde_json::{Value, json};

/// Where the shared corpus is; says so when it isn't there.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("WHIMBREL_CORPUS").map_or(beside, PathBuf::from);
    if folder.join("MANIFEST.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no corpus at {} (WHIMBREL_CORPUS)", folder.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn rules_of(extensions: &[&str], types: &[&str]) -> Rules {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<String>>();
    Rules {
        bans: vec![
            Ban { id: "extension".to_owned(), what: Banned::Extensions(texts(extensions)) },
            Ban { id: "type".to_owned(), what: Banned::Types(texts(types)) },
            Ban { id: "content".to_owned(), what: Banned::Kinds([Kind::WindowsProgram, Kind::ElfProgram].into()) },
        ],
        disposition: Disposition::Replace,
        sealed: SealedDisposition::Replace,
        note: "Left behind.".to_owned(),
    }
}

/// A key for each banned attachment: the digest of its content, as the other side has it.
fn keys(found: &Inspection) -> Vec<String> {
    let mut places = BTreeSet::new();
    let mut keys = Vec::new();
    for finding in found.findings.iter().filter(|finding| finding.rule.is_some()) {
        let file = finding.attachment.as_ref().unwrap_or(&finding.file);
        if places.insert((finding.bytes.start, finding.bytes.end)) {
            let is_message = file.mime.starts_with("message/");
            keys.push(if is_message {
                "message".to_owned()
            } else {
                file.sha256.map(|d| d.to_string()).unwrap_or_default()
            });
        }
    }
    keys.sort();
    keys
}

struct Compared {
    messages: usize,
    banned: usize,
    rewritten: usize,
    /// Messages in which more was found, and that are said to be read in different ways.
    differing: usize,
}

/// Compares every message with what Python finds.
fn compare(messages: &[PathBuf], rules: &Rules, extensions: &[&str], types: &[&str]) -> Option<Compared> {
    let folder = tempfile::tempdir().unwrap();
    let (mut pairs, mut ours, mut banned, mut rewritten_count) = (Vec::new(), Vec::new(), 0, 0);
    for (index, path) in messages.iter().enumerate() {
        let message = fs::read(path).unwrap();
        let (found, rewritten) = check(&message, rules);
        let mut after = Value::Null;
        if found.verdict(rules) == Verdict::Replace {
            let file = folder.path().join(index.to_string());
            fs::write(&file, rewritten).unwrap();
            after = json!(file);
            rewritten_count += 1;
        }
        pairs.push(json!([path, after]));
        banned += keys(&found).len();
        // Python ends a header at the first line that is none; others, such as IMAP servers, go on.
        let differs = unseen(&found).contains(&Unseen::Ambiguous);
        ours.push((keys(&found), differs));
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent.py");
    let child = Command::new("python3").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        left_out("python3 is not here: apt-get install --no-install-recommends python3");
        return None;
    };
    let asked = json!({ "extensions": extensions, "types": types, "pairs": pairs });
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the independent walk failed");
    let theirs: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(theirs.len(), messages.len());
    let (mut wrong, mut differing) = (Vec::new(), 0);
    for ((path, (ours, differs)), theirs) in messages.iter().zip(ours).zip(theirs) {
        let name = path.file_name().unwrap().to_string_lossy();
        if differs && theirs["banned"] != json!(ours) {
            let ours_has = |key: &Value| ours.iter().any(|ours| key == ours);
            assert!(theirs["banned"].as_array().unwrap().iter().all(ours_has), "{name}: {ours:?} {theirs}");
            differing += 1;
            continue;
        }
        if theirs["banned"] != json!(ours) {
            wrong.push(format!("{name}: found {ours:?}, Python {}", theirs["banned"]));
        }
        if theirs["left"] != json!([]) || theirs["differs"] != json!([]) {
            wrong.push(format!("{name}: left {}, differs {}", theirs["left"], theirs["differs"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), messages.len(), wrong.join("\n"));
    Some(Compared { messages: messages.len(), banned, rewritten: rewritten_count, differing })
}

#[test]
fn what_platforms_ban_is_found_in_real_mail_and_nothing_else() {
    let Some(corpus) = corpus() else { return };
    let messages = files(&corpus.join("mail"));
    let extensions =
        ["exe", "com", "bat", "cmd", "scr", "js", "jse", "vbs", "msi", "mp3", "avi", "docm", "jar", "lnk", "url"];
    let types = ["application/x-msdownload", "audio/mpeg", "application/hta"];
    let Some(compared) = compare(&messages, &rules_of(&extensions, &types), &extensions, &types) else { return };
    println!("{} messages, {} banned, {} rewritten", compared.messages, compared.banned, compared.rewritten);
    assert!(compared.banned > 0 && compared.differing == 0);
}

#[test]
fn hundreds_of_replacements_leave_all_else_as_it_was() {
    let Some(corpus) = corpus() else { return };
    let messages = files(&corpus.join("mail"));
    let extensions = [
        "png", "gif", "jpg", "jpeg", "pdf", "ics", "html", "doc", "odt", "csv", "rb", "eml", "p7s", "asc", "exe",
        "msi", "mp3", "rar", "gz", "bin", "001",
    ];
    let types = ["image/*", "audio/*", "video/*", "application/pdf", "application/pgp-signature", "text/calendar"];
    let Some(compared) = compare(&messages, &rules_of(&extensions, &types), &extensions, &types) else { return };
    println!("{} messages, {} banned, {} rewritten", compared.messages, compared.banned, compared.rewritten);
    assert!(compared.rewritten > 100 && compared.differing <= 5, "{} differ", compared.differing);
}

#[test]
fn real_mail_with_random_damage_is_dealt_with() {
    let Some(corpus) = corpus() else { return };
    let rules = rules_of(&["png", "gif", "jpg", "pdf", "ics", "html", "doc", "eml", "txt"], &["image/*"]);
    let mut chance = 20_261_125u64;
    let mut below = |max: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as usize % max.max(1)
    };
    for path in files(&corpus.join("mail")) {
        let mut message = fs::read(path).unwrap();
        message.truncate(20_000);
        for _ in 0..4 {
            let (at, other) = (below(message.len()), below(message.len()));
            match below(4) {
                0 => message.truncate(at),
                1 => message.iter_mut().skip(at).take(1).for_each(|byte| *byte = b"\r\n;\"=-:\0("[other % 9]),
                2 => {
                    let lines = message[at.min(other)..at.max(other)].to_vec();
                    message.extend_from_slice(&lines[..lines.len().min(2_000)]);
                }
                _ => drop(message.drain(at.min(other)..at.max(other).min(at.min(other) + 40))),
            }
        }
        check(&message, &rules);
    }
}

#[test]
fn real_winmail_is_looked_into() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("tnef/poi/hmef");
    let mut rules = rules();
    rules.bans = vec![Ban {
        id: "extension".to_owned(),
        what: Banned::Extensions(["doc", "html", "pdf", "txt", "xml"].map(str::to_owned).into()),
    }];
    for path in files(&folder).iter().filter(|path| path.parent() == Some(&folder)) {
        let content = fs::read(path).unwrap();
        let message = with_part("Content-Type: application/ms-tnef; name=winmail.dat", &content);
        let (found, _) = check(&message, &rules);
        println!(
            "{}: {:?} {:?}",
            path.display(),
            found.findings.iter().map(|f| &f.file.name).collect::<Vec<_>>(),
            unseen(&found)
        );
        if path.ends_with("quick-winmail.dat") {
            for name in ["quick.doc", "quick.html", "quick.pdf", "quick.txt", "quick.xml"] {
                let content = fs::read(folder.join("quick-contents").join(name)).unwrap();
                let finding = found.findings.iter().find(|finding| finding.file.name == name);
                let file = &finding.unwrap_or_else(|| panic!("{name} is not found")).file;
                assert_eq!(file.sha256, Some(Digest::of(&content)), "{name}");
            }
        }
    }
}
