//! What became of every item, signed: checked by the program, by another one that knows only the page, against both sides, and
//! item by item; and what somebody has done to a message since is named (R-008, R-009).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use conformance::servers::Format;
use journeys::{
    mail::{Folder, Message, numbered, small},
    pair::{put, remove},
    project::{Project, Run},
    store::Store,
};
use serde_json::Value;

/// A check by another program, written from docs/manifest.md.
fn by_python(arguments: &[&str]) -> Run {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifest_check.py");
    Run::of(Command::new("python3").arg(script).args(arguments))
}

/// The program that docs/manifest.md shows.
fn by_the_page(file: &str) -> Run {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifest.md")).unwrap();
    let (_, script) = page.split_once("```python\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    assert!(script.lines().count() <= 35, "{}", script.lines().count());
    Run::of(Command::new("python3").arg("-c").arg(script).arg(file))
}

/// A message with an attachment of this name.
fn with_attachment(number: usize, name: &str) -> Message {
    let text = format!(
        "From: a{number}@example.test\r\nMessage-ID: <p{number}@example.test>\r\nMIME-Version: 1.0\r\nSubject: Hidden-zebra\r\n\
         Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\n\r\ntext\r\n--edge\r\n\
         Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAE\r\n--edge--\r\n"
    );
    Message { bytes: text.into_bytes(), ..numbered(number) }
}

fn folder(name: &str, messages: Vec<Message>) -> Folder {
    Folder { path: vec![name.to_owned()], messages }
}

/// Files of a maildir's folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let both = ["cur", "new"].map(|part| folder.join(part));
    let mut files: Vec<PathBuf> =
        both.iter().filter_map(|part| fs::read_dir(part).ok()).flatten().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn file_with(folder: &Path, text: &str) -> PathBuf {
    let holds = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(text);
    files(folder).into_iter().find(holds).unwrap_or_else(|| panic!("{text:?} is in no file of {}", folder.display()))
}

struct Signed {
    source: Store,
    target: Store,
    project: Project,
    whole: String,
    roots: String,
    key: String,
}

const RULES: &str =
    "[policy]\nbanned_extensions = [\"exe\"]\nbanned_attachment = \"replace\"\nfolders_left = [\"Junk\"]";

/// Two people, with what travels as it is, what is replaced, and what is left behind; copied, and signed.
fn signed() -> Signed {
    let (source, target) = (Store::maildir(), Store::maildir());
    let inbox = (0..5).map(numbered).chain([with_attachment(50, "run.exe"), with_attachment(51, "letter.pdf")]);
    let runs =
        Folder { path: ["Läufe", "2019"].map(str::to_owned).to_vec(), messages: vec![numbered(9), numbered(9)] };
    let junk = folder("Junk", (20..23).map(numbered).collect());
    source.fill("alice", &[folder("INBOX", inbox.collect()), runs, junk]);
    source.fill("bob", &small("bob"));
    let rows = "source,target,collection\nalice,alice,wave-1\nbob,bob,\n";
    let project = Project::new(source.endpoint(), target.endpoint()).with(RULES).people(rows);
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"], &synced["left_behind"]), (0, &15.into(), &3.into()), "{synced:#}");
    let file = |name: &str| project.path().join(name).display().to_string();
    let (whole, roots) = (file("whole.manifest"), file("public.manifest"));
    let (code, exported) = project.json(&["manifest", "export", "--to", &whole, "--roots", &roots]);
    assert_eq!((code, &exported["is_key_new"], &exported["mailboxes"]), (0, &true.into(), &2.into()), "{exported:#}");
    let counts = ["source", "copied", "adopted", "excluded", "failed"].map(|name| exported[name].as_u64().unwrap());
    assert_eq!(counts, [18, 15, 0, 3, 0], "{exported:#}");
    let key = exported["key"].as_str().unwrap().to_owned();
    Signed { source, target, project, whole, roots, key }
}

/// Alters what the ledger says.
fn in_the_ledger(project: &Project, script: &str) {
    let python =
        "import sqlite3, sys; base = sqlite3.connect(sys.argv[1]); base.executescript(sys.argv[2]); base.commit()";
    let base = project.path().join("whimbrel.db");
    let run = Run::of(Command::new("python3").args(["-c", python]).arg(base).arg(script));
    assert_eq!(run.code, 0, "{run:?}");
}

/// The program, without any project.
fn alone(arguments: &[&str]) -> (i32, Value) {
    let nowhere = tempfile::tempdir().unwrap();
    let run =
        Run::of(Command::new(journeys::project::program()).current_dir(nowhere.path()).args(arguments).arg("--json"));
    (run.code, serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}")))
}

#[test]
fn a_manifest_is_checked_by_this_program_and_another_and_by_the_page() {
    let signed = signed();
    let Signed { project, whole, roots, key, .. } = &signed;
    assert_eq!(fs::metadata(whole).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(project.path().join("manifest.key")).unwrap().permissions().mode() & 0o777, 0o600);
    for (file, form) in [(whole, "whole"), (roots, "roots")] {
        let (code, report) = alone(&["manifest", "check", file, "--key", key]);
        assert_eq!((code, &report["form"]), (0, &form.into()), "{report:#}");
        assert_eq!((&report["is_sound"], &report["is_key_known"]), (&true.into(), &true.into()), "{report:#}");
        assert_eq!((&report["counts"]["source"], &report["counts"]["excluded"]), (&18.into(), &3.into()), "{report:#}");
        for run in [by_python(&[file, "--key", key]), by_the_page(file)] {
            assert_eq!(run.code, 0, "{run:?}");
            assert!(run.out.contains(key.as_str()), "{run:?}");
        }
        assert!(by_python(&[file]).out.starts_with(&format!("{form}: 18 items of 2 mailboxes")));
        // Whatever byte is altered, the other program finds it as well; this one does in its own tests.
        let run = by_python(&[file, "--alter", "12"]);
        assert!(run.code == 0 && run.out.contains("altered bytes found"), "{run:?}");
    }
    let (_, report) = alone(&["manifest", "check", whole]);
    let rules =
        report["rules"].as_array().unwrap().iter().map(|rule| {
            format!("{} {} {}", rule["items"], rule["how"].as_str().unwrap(), rule["rule"].as_str().unwrap())
        });
    assert_eq!(rules.collect::<Vec<_>>(), ["3 left folder-left", "1 replaced banned-extension"], "{report:#}");
    // Without a key that was told, it is said whose key that is: the file's.
    let run = project.run(&["manifest", "check", whole]);
    assert!(run.code == 0 && run.out.contains("THE FILE ITSELF BRINGS"), "{run:?}");
    let run = project.run(&["manifest", "check", whole, "--key", &key.to_uppercase()]);
    assert!(run.code == 0 && !run.out.contains("ITSELF") && run.out.contains("by the key that you gave"), "{run:?}");

    // The roots name nobody and no folder, and are the whole file without what does.
    let public = fs::read_to_string(roots).unwrap();
    assert!(!public.contains("alice") && !public.contains("INBOX") && public.contains("wave-1"), "{public}");
    let all = fs::read_to_string(whole).unwrap();
    let kept = |line: &&str| !line.starts_with("{\"item\"") && !line.starts_with("{\"who\"");
    assert_eq!(all.split_inclusive('\n').filter(kept).collect::<String>(), public);
    assert!(!all.contains("zebra") && !all.contains("run.exe"), "no subject and no name of a file");

    // The same ledger gives the same lines, but for the time.
    let again = project.path().join("again.manifest").display().to_string();
    let (code, exported) = project.json(&["manifest", "export", "--to", &again]);
    assert_eq!((code, &exported["is_key_new"], &exported["key"]), (0, &false.into(), &key.as_str().into()));
    let lines =
        |text: &str| text.lines().filter(|line| line.contains("\"salt\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&fs::read_to_string(&again).unwrap()), lines(&all));
}

#[test]
fn what_was_done_to_a_manifest_is_named_by_both_programs() {
    let signed = signed();
    let Signed { project, whole, key, .. } = &signed;
    let text = fs::read_to_string(whole).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let place = |kind: &str| lines.iter().position(|line| line.starts_with(&format!("{{\"{kind}\""))).unwrap();
    let (item, who) = (place("item"), place("who"));
    let exchanged = |one: usize, other: usize| {
        let mut lines = lines.clone();
        lines.swap(one, other);
        lines.concat()
    };
    let flipped = |line: usize| {
        let altered = lines[line].replacen("\"sha256\":\"", "\"sha256\":\"0", 1);
        let at = altered.find("\"sha256\":\"0").unwrap() + 10;
        let altered = format!("{}{}", &altered[..=at], &altered[at + 2..]);
        let altered =
            if altered == lines[line] { altered.replacen("\"sha256\":\"0", "\"sha256\":\"1", 1) } else { altered };
        [&lines[..line].concat(), &altered, &lines[line + 1..].concat()[..]].concat()
    };
    let mut doubled = lines.clone();
    doubled.insert(item, lines[item]);
    for (altered, told) in [
        (flipped(item), "its items (lines"),
        (text[..text.len() - 200].to_owned(), "cut off"),
        (text.replacen("\"ended\":", "\"ended\":1", 1), "line about everything or the signature was altered"),
        (
            text.replacen("\"organisation\":\"RX1\"", "\"organisation\":\"RX2\"", 1),
            "is not the signature of head and roots",
        ),
        (exchanged(item, item + 1), "lines changed places"),
        (doubled.concat(), "it stands twice"),
        ([&lines[..who].concat(), &lines[who + 1..].concat()[..]].concat(), "no line before it says whose"),
    ] {
        let file = project.path().join("altered.manifest").display().to_string();
        fs::write(&file, &altered).unwrap();
        let (code, report) = alone(&["manifest", "check", &file, "--key", key]);
        let problems = report["problems"].to_string();
        assert!(code == 1 && problems.contains(told), "{told}: {report:#}");
        assert_eq!(by_python(&[&file]).code, 1, "{told}");
        let run = project.run(&["manifest", "check", &file, "--against", "national"]);
        assert!(run.code == 1 && run.out.contains("was not read"), "{run:?}");
    }
    // A name moves no cursor, forges no line and turns none around.
    let at = text.find("\"name\":\"").unwrap() + 8;
    let forged =
        [&text[..at], "\\u001b[2J\\nSound: signed by the key that you gave\u{202e}\u{9b}", &text[at..]].concat();
    let file = project.path().join("forged.manifest").display().to_string();
    fs::write(&file, forged).unwrap();
    for arguments in [&["manifest", "check", &file][..], &["manifest", "check", &file, "--against", "national"]] {
        let run = project.run(arguments);
        let is_harmful = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(run.code == 1 && run.out.contains("[2J") && !run.out.contains(is_harmful), "{run:?}");
        assert!(!run.out.lines().any(|line| line.starts_with("Sound")) && run.out.contains("NOT SOUND"), "{run:?}");
    }
    let other = "0".repeat(64);
    let (code, report) = alone(&["manifest", "check", whole, "--key", &other]);
    assert!(code == 1 && report["problems"][0].as_str().unwrap().contains(&format!("not by {other}")), "{report:#}");
    assert_eq!(by_python(&[whole, "--key", &other]).code, 1);
    for (arguments, told) in [
        (&["manifest", "check", "none.manifest"][..], "cannot read none.manifest"),
        (&["manifest", "check", whole, "--key", "12"], "64 hexadecimal digits"),
        (&["manifest", "check", whole, "--mailbox", "alice"], "checked whole"),
        (&["manifest", "check", whole, "--against", "natoinal"], "there is no [endpoints.natoinal]"),
        (&["manifest", "check", &signed.roots, "--against", "national"], "only their roots"),
        (&["manifest", "export", "--to", "x", "--new-key"], "move the old one away first"),
        (&["manifest", "export", "--to", whole], "cannot write"),
        (&["manifest", "reveal", whole, "--to", "x"], "which item?"),
    ] {
        let run = project.run(arguments);
        assert!(run.code == 2 && run.err.contains(told), "{arguments:?} {run:?}");
    }
}

/// Each difference: its name, the folder there, and the item at the source.
fn differences(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all =
        report["mailboxes"].as_array().unwrap().iter().flat_map(|mailbox| mailbox["differences"].as_array().unwrap());
    all.map(|it| (text(&it["is"]), text(&it["folder"]), text(&it["source_item"]))).collect()
}

#[test]
fn what_somebody_did_to_the_target_is_named_and_nothing_else() {
    let signed = signed();
    let Signed { source, target, project, whole, .. } = &signed;
    for (endpoint, expected) in [("national", 15), ("local", 18)] {
        let (code, report) = project.json(&["manifest", "check", whole, "--against", endpoint, "--flags"]);
        let numbers = ["expected", "same", "different", "failed"].map(|name| report[name].as_u64().unwrap());
        assert_eq!((code, numbers), (0, [expected, expected, 0, 0]), "{report:#}");
    }
    let root = target.maildir_of("alice");
    // One is altered in its place, one is removed, one comes by hand, one has another date, and one is read.
    let altered = file_with(&root, "body number 1;");
    let time = fs::metadata(&altered).unwrap().modified().unwrap();
    let text = String::from_utf8(fs::read(&altered).unwrap()).unwrap();
    fs::write(&altered, text.replace("body number 1;", "body number 7;")).unwrap();
    fs::File::options().write(true).open(&altered).unwrap().set_modified(time).unwrap();
    fs::remove_file(file_with(&root, "body number 2;")).unwrap();
    fs::write(root.join("cur/1700000000.M1P1.hand:2,S"), "Subject: Hidden-zebra\n\nby hand\n").unwrap();
    let dated = file_with(&root, "body number 3;");
    fs::File::options()
        .write(true)
        .open(&dated)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5))
        .unwrap();
    let read = file_with(&root, "body number 4;");
    let flagged = read.display().to_string().replace(":2,", ":2,F");
    fs::rename(&read, flagged).unwrap();

    let (code, report) = project.json(&["manifest", "check", whole, "--against", "national"]);
    assert_eq!(code, 1, "{report:#}");
    let mut found = differences(&report);
    found.sort();
    let kinds: Vec<&str> = found.iter().map(|(is, ..)| is.as_str()).collect();
    assert_eq!(kinds, ["changed", "changed-date", "extra", "missing"], "{report:#}");
    assert!(found.iter().all(|(_, folder, _)| folder == "INBOX"), "{found:?}");
    let of = |number: usize| {
        let path = file_with(&source.maildir_of("alice"), &format!("body number {number};"));
        path.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned()
    };
    assert_eq!((&found[0].2, &found[1].2, &found[3].2), (&of(1), &of(3), &of(2)), "{report:#}");
    assert_eq!(found[2].2, "");
    let (_, with_flags) = project.json(&["manifest", "check", whole, "--against", "national", "--flags"]);
    assert_eq!((&with_flags["different"], &report["different"]), (&5.into(), &4.into()), "{with_flags:#}");
    let run = project.run(&["manifest", "check", whole, "--against", "national"]);
    assert!(run.code == 1 && run.out.contains("missing in INBOX: item"), "{run:?}");
    assert!(run.out.contains("alice → alice: 1 missing, 1 changed, 1 changed-date, 1 extra"), "{run:?}");
    assert!(!run.out.contains("zebra") && !report.to_string().contains("zebra"), "no subject is told");
    // The source, and the others, are as they were.
    assert_eq!(project.json(&["manifest", "check", whole, "--against", "local"]).0, 0);
    let (code, report) = project.json(&["manifest", "check", whole, "--against", "national", "--collection", "wave-1"]);
    assert_eq!((code, report["mailboxes"].as_array().unwrap().len()), (1, 1), "{report:#}");
    let (code, _) = project.json(&["manifest", "check", whole, "--against", "national", "--mailbox", "bob"]);
    assert_eq!(code, 0);
    // A whole folder is gone.
    fs::remove_dir_all(target.maildir_of("bob").join(".Sent")).unwrap();
    let (_, report) = project.json(&["manifest", "check", whole, "--against", "national", "--mailbox", "bob"]);
    let gone = differences(&report);
    assert!(gone.len() == 2 && gone.iter().all(|(is, folder, _)| is == "missing" && folder == "Sent"), "{report:#}");
}

#[test]
fn one_item_is_proved_to_somebody_who_sees_no_other() {
    let signed = signed();
    let Signed { source, target, project, whole, roots, key } = &signed;
    let proof = |name: &str, arguments: &[&str]| {
        let to = project.path().join(name).display().to_string();
        let mut all = vec!["manifest", "reveal", whole, "--to", &to];
        all.extend(arguments);
        let (code, report) = project.json(&all);
        assert_eq!(code, 0, "{report:#}");
        (to, report)
    };
    // As it travelled: found by its bytes, whose file has LF alone.
    let message = file_with(&source.maildir_of("alice"), "body number 2;").display().to_string();
    let (one, revealed) = proof("one.proof", &["--message", &message]);
    assert_eq!((&revealed["folder"], &revealed["fate"]), (&"INBOX".into(), &"copied".into()));
    let (code, report) = alone(&["manifest", "check", &one, "--key", key, "--message", &message]);
    assert_eq!(
        (code, &report["form"], &report["item"]["message"]["source"]),
        (0, &"item".into(), &"the same".into()),
        "{report:#}"
    );
    let run = by_python(&[&one, "--key", key, "--message", &message]);
    assert!(run.code == 0 && run.out.contains("copied") && run.out.contains("the message is it"), "{run:?}");
    assert!(by_python(&[&one, "--alter", "40"]).code == 0);
    let (code, report) = alone(&["manifest", "check", roots, "--item", &one, "--key", key]);
    assert_eq!((code, &report["item"]["fate"]), (0, &"copied".into()), "{report:#}");
    let text = fs::read_to_string(&one).unwrap();
    assert!(!text.contains("bob") && text.matches("\"salt\"").count() == 2, "{text}");

    // Replaced: both what the source holds and what travelled are proved, under their rule.
    let original = file_with(&source.maildir_of("alice"), "run.exe").display().to_string();
    let (replaced, _) = proof("replaced.proof", &["--message", &original]);
    let (code, report) = alone(&["manifest", "check", &replaced, "--key", key, "--message", &original]);
    let item = &report["item"];
    assert_eq!((code, &item["how"], &item["rule"]), (0, &"replaced".into(), &"banned-extension".into()), "{report:#}");
    assert_eq!((&item["message"]["source"], &item["message"]["sent"]), (&"the same".into(), &"other bytes".into()));
    let copies = files(&target.maildir_of("alice"));
    let is_copy = |path: &&PathBuf| {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        text.contains("p50@example.test")
    };
    let copy = copies.iter().find(is_copy).unwrap().display().to_string();
    let (code, report) = alone(&["manifest", "check", &replaced, "--key", key, "--message", &copy]);
    let message_is = &report["item"]["message"];
    assert_eq!(
        (code, &message_is["source"], &message_is["sent"]),
        (0, &"other bytes".into(), &"the same".into()),
        "{report:#}"
    );

    // Left behind: that it was, and by which rule.
    let left = file_with(&source.maildir_of("alice").join(".Junk"), "body number 21;").display().to_string();
    let (excluded, _) = proof("excluded.proof", &["--message", &left]);
    let (code, report) = alone(&["manifest", "check", &excluded, "--key", key]);
    let item = &report["item"];
    assert_eq!(
        (code, &item["fate"], &item["how"], &item["rule"]),
        (0, &"excluded".into(), &"left".into(), &"folder-left".into())
    );
    assert!(item["target"].is_null(), "{report:#}");

    // Two that are alike are told apart by their places.
    let twin = file_with(&source.maildir_of("alice").join(".L&AOQ-ufe.2019"), "body number 9;").display().to_string();
    let to = project.path().join("twin.proof").display().to_string();
    let run = project.run(&["manifest", "reveal", whole, "--to", &to, "--message", &twin]);
    assert!(run.code == 2 && run.err.contains("2 items of the manifest are this one"), "{run:?}");
    let id = Path::new(&twin).file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned();
    let (twin_proof, _) = proof("twin.proof", &["--message", &twin, "--id", &id, "--mailbox", "alice"]);
    assert_eq!(alone(&["manifest", "check", &twin_proof]).0, 0);

    // Another message is not it; and a proof is of its own manifest only.
    let (code, report) = alone(&["manifest", "check", &one, "--message", &twin]);
    assert_eq!((code, &report["item"]["message"]["source"]), (1, &"other bytes".into()), "{report:#}");
    assert_eq!(by_python(&[&one, "--message", &twin]).code, 1);
    let other = self::signed();
    let (code, report) = alone(&["manifest", "check", &other.roots, "--item", &one]);
    assert!(code == 1 && report["problems"].to_string().contains("of another manifest"), "{report:#}");
    let run = project.run(&["manifest", "reveal", whole, "--to", "none", "--message", &copy, "--id", "none"]);
    assert!(run.code == 2 && run.err.contains("no item of the manifest is this one"), "{run:?}");
}

#[test]
fn a_key_that_is_missing_is_not_made_anew_unsaid_and_readers_sign_nothing() {
    let signed = signed();
    let Signed { project, key, .. } = &signed;
    assert_eq!(project.run(&["manifest", "key"]).out.trim(), key);
    let file = project.path().join("manifest.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let run = project.run(&["manifest", "key"]);
    assert!(run.code == 2 && run.err.contains("chmod 600"), "{run:?}");
    // Another file in its place signs nothing without a word.
    let other = self::signed();
    fs::remove_file(&file).unwrap();
    fs::copy(other.project.path().join("manifest.key"), &file).unwrap();
    let to = project.path().join("more.manifest").display().to_string();
    let run = project.run(&["manifest", "export", "--to", &to]);
    assert!(run.code == 2 && run.err.contains("is not the one that this project signed with"), "{run:?}");
    // By whoever signs with another key: `--against` knows the project's own.
    let run = project.run(&["manifest", "check", &other.whole, "--against", "national"]);
    assert!(run.code == 1 && run.out.contains("somebody else has signed this file"), "{run:?}");
    fs::remove_file(&file).unwrap();
    for arguments in [&["manifest", "key"][..], &["manifest", "export", "--to", &to]] {
        let run = project.run(arguments);
        assert!(run.code == 2 && run.err.contains("is missing") && run.err.contains(key), "{run:?}");
        assert!(!file.exists() && !Path::new(&to).exists());
    }
    let (code, exported) = project.json(&["manifest", "export", "--to", &to, "--new-key"]);
    assert_eq!((code, &exported["is_key_new"]), (0, &true.into()), "{exported:#}");
    assert_ne!(exported["key"], key.as_str());
    // A key is in the audit log from when it is made: none is made in its place unsaid, though it has signed nothing.
    let new = Project::new(signed.source.endpoint(), signed.target.endpoint()).person("alice");
    let made = new.run(&["manifest", "key"]).out.trim().to_owned();
    fs::remove_file(new.path().join("manifest.key")).unwrap();
    let run = new.run(&["manifest", "key"]);
    assert!(run.code == 2 && run.err.contains("is missing") && run.err.contains(&made), "{run:?}");
    // While somebody works on a mailbox its numbers change: nothing is written.
    let during = project.path().join("during.manifest").display().to_string();
    let hold = |until: &str| {
        in_the_ledger(project, &format!("UPDATE mailbox SET lease_until = {until} WHERE source_name = 'bob'"));
    };
    hold("9000000000000");
    let run = project.run(&["manifest", "export", "--to", &during]);
    assert!(run.code == 75 && run.err.contains("bob is being worked on") && !Path::new(&during).exists(), "{run:?}");
    assert_eq!(project.run(&["manifest", "export", "--to", &during, "--mailbox", "alice"]).code, 0);
    let (_, report) = alone(&["manifest", "check", &during]);
    assert_eq!((&report["only"][0], &report["mailboxes"]), (&"1 chosen mailbox".into(), &1.into()), "{report:#}");
    hold("NULL");

    let me = Run::of(Command::new("id").arg("-un")).out;
    let settings = project.path().join("whimbrel.toml");
    let roles = format!("[roles]\nengineer = [\"somebody-else\"]\nreader = [{:?}]\n", me.trim());
    fs::write(&settings, fs::read_to_string(&settings).unwrap() + &roles).unwrap();
    let refused = project.path().join("refused.manifest").display().to_string();
    let run = project.run(&["manifest", "export", "--to", &refused]);
    assert!(run.code == 3 && run.err.contains("R-347") && !Path::new(&refused).exists(), "{run:?}");
    assert_eq!(project.run(&["manifest", "check", &to, "--against", "national"]).code, 0);
    let other = fs::read_to_string(&settings).unwrap().replace("RX1", "RX2");
    fs::write(&settings, other).unwrap();
    let run = project.run(&["manifest", "check", &to, "--against", "national"]);
    assert!(run.code == 2 && run.err.contains("is of RX1, project migration"), "{run:?}");
}

#[test]
fn what_failed_waits_or_is_left_over_is_in_it_with_its_reason() {
    let source = Store::maildir();
    let Some(target) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let with = |number: usize, text: &[u8]| {
        let mut message = numbered(number);
        message.bytes.extend_from_slice(text);
        message
    };
    // Two that the target can't hold, and one of which it has another form: that may be the same.
    let inbox = (0..5).map(numbered).chain([with(5, b"nul \0\r\n"), with(6, b"nul \0\r\n")]);
    source.fill("alice", &[folder("INBOX", inbox.collect())]);
    target.fill("alice", &[folder("INBOX", vec![with(4, b"another body\r\n")])]);
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let project = project.with("[policy]\nremovals_free = 0\nremovals_max = 0");
    assert_eq!(project.run(&["sync"]).code, 1);
    let (_, failed) = project.json(&["failed", "list"]);
    let first = failed["failed"][0]["reference"].as_str().unwrap();
    let accept = ["failed", "accept", first, "--by", "Kim", "--reason", "an old joke"];
    assert_eq!(project.run(&accept).code, 0);
    // One goes from the source, and stays on the target until somebody says a word.
    fs::remove_file(file_with(&source.maildir_of("alice"), "body number 0;")).unwrap();
    assert_eq!(project.json(&["sync"]).1["removals_held"], 1);

    let whole = project.path().join("whole.manifest").display().to_string();
    let (code, exported) = project.json(&["manifest", "export", "--to", &whole]);
    let names = ["source", "copied", "adopted", "excluded", "failed", "held", "withdrawn", "leftover"];
    let counts = names.map(|name| exported[name].as_u64().unwrap());
    assert_eq!((code, counts), (0, [6, 3, 0, 0, 2, 1, 0, 1]), "{exported:#}");
    let (code, report) = alone(&["manifest", "check", &whole]);
    let rules =
        report["rules"].as_array().unwrap().iter().map(|rule| {
            format!("{} {} {}", rule["items"], rule["how"].as_str().unwrap(), rule["rule"].as_str().unwrap())
        });
    let expected = ["2 failed nul", "1 held ambiguous", "1 leftover mass-disappearance"];
    assert_eq!((code, rules.collect::<Vec<_>>()), (0, expected.map(str::to_owned).to_vec()), "{report:#}");
    assert_eq!(by_python(&[&whole]).code, 0);
    let text = fs::read_to_string(&whole).unwrap();
    assert_eq!((text.matches("\"accepted\":true").count(), text.contains("Kim")), (1, false), "{text}");
    // On the target is what was copied and what is left over; what an item waits for is somebody's own.
    let (code, report) = project.json(&["manifest", "check", &whole, "--against", "national", "--flags"]);
    let numbers = ["expected", "same", "different", "others"].map(|name| report[name].as_u64().unwrap());
    assert_eq!((code, numbers), (0, [4, 4, 0, 1]), "{report:#}");
    let (code, report) = project.json(&["manifest", "check", &whole, "--against", "local"]);
    assert_eq!((code, &report["same"]), (0, &6.into()), "{report:#}");
    // A copy that the target altered stays where its item failed: it is neither copied nor anybody's.
    put(&target, "INBOX", [300]);
    let against = |name: &str| {
        let to = project.path().join(name).display().to_string();
        assert_eq!(project.run(&["manifest", "export", "--to", &to]).code, 0);
        let (code, report) = project.json(&["manifest", "check", &to, "--against", "national"]);
        let numbers = ["expected", "different", "others"].map(|name| report[name].as_u64().unwrap());
        (code, numbers, to)
    };
    assert_eq!(against("by-hand.manifest").1, [4, 1, 1]);
    let uid = target.uids("alice", "INBOX").into_iter().find(|(number, _)| *number == 300).unwrap().1;
    in_the_ledger(
        &project,
        &format!(
            "INSERT INTO exception SELECT f.organisation, f.project, f.mailbox, 900, 'altered', f.path, x.source_id, x'{uid:08x}', \
             'it was altered', 0, 1 FROM failure x JOIN folder f ON f.folder = x.folder LIMIT 1"
        ),
    );
    let (code, numbers, _) = against("altered-copy.manifest");
    assert_eq!((code, numbers), (0, [4, 0, 2]));
    // What was being removed may be there or not; and what the target holds otherwise is proved by its bytes.
    in_the_ledger(
        &project,
        "UPDATE removal SET state = 'doing'; UPDATE item SET read_back = \
         x'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb' \
         WHERE source_id = (SELECT min(source_id) FROM item WHERE fate = 1)",
    );
    let (_, numbers, held) = against("under-way.manifest");
    assert_eq!(numbers, [3, 1, 3], "one has other bytes there than the ledger says");
    let text = fs::read_to_string(&held).unwrap();
    let line = text.lines().find(|line| line.contains("removal-under-way")).unwrap();
    assert!(line.contains("\"source\":{\"flags\"") && line.contains("\"sent\":{\"size\""), "{line}");
    let (message, proof) = (project.path().join("a"), project.path().join("a.proof").display().to_string());
    fs::write(&message, "a").unwrap();
    let message = message.display().to_string();
    assert_eq!(project.run(&["manifest", "reveal", &held, "--to", &proof, "--message", &message]).code, 0);
    let (code, report) = alone(&["manifest", "check", &proof, "--message", &message]);
    assert_eq!((code, &report["item"]["message"]["target"]), (0, &"the same".into()), "{report:#}");
    assert_eq!(by_python(&[&proof, "--message", &message]).code, 0);
    in_the_ledger(
        &project,
        "UPDATE removal SET state = 'held'; UPDATE item SET read_back = NULL; DELETE FROM exception",
    );
    remove(&target, "INBOX", &[300]);
    // What is repaired has both digests: what the source holds, and what travelled and is there.
    let project = project.with("repair_nul = \"make\"");
    let (_, synced) = project.json(&["sync"]);
    assert_eq!(synced["repaired"], 2, "{synced:#}");
    let repaired = project.path().join("repaired.manifest").display().to_string();
    assert_eq!(project.run(&["manifest", "export", "--to", &repaired]).code, 0);
    let (_, report) = alone(&["manifest", "check", &repaired]);
    let is_repaired = |rule: &Value| rule["how"] == "repaired" && rule["items"] == 2;
    assert!(report["rules"].as_array().unwrap().iter().any(is_repaired), "{report:#}");
    for endpoint in ["national", "local"] {
        let (code, report) = project.json(&["manifest", "check", &repaired, "--against", endpoint]);
        assert_eq!((code, &report["different"]), (0, &0.into()), "{report:#}");
    }
    // Before a mailbox was read nothing of it has a fate, and that is told.
    let begun = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let early = begun.path().join("early.manifest").display().to_string();
    let run = begun.run(&["manifest", "export", "--to", &early]);
    assert!(run.code == 0 && run.out.contains("1 mailbox not read to the end yet"), "{run:?}");
    assert_eq!(by_python(&[&early]).code, 0);
}

#[test]
fn between_two_servers_what_changed_at_the_target_is_named() {
    let Some(source) = Store::dovecot(Format::Sdbox, &["alice"]) else { return };
    let Some(target) = Store::cyrus(&["alice"]) else { return };
    put(&source, "INBOX", 0..10);
    put(&source, "Work", 100..105);
    // What another tool put there before, of the same bytes with another date, and what the person has there.
    let mut talk = target.talk("alice");
    assert!(talk.append("INBOX", "() \"01-Jan-2001 00:00:00 +0000\"", &numbered(3).bytes).is_ok());
    assert!(talk.append("INBOX", "() \"01-Jan-2002 00:00:00 +0000\"", &numbered(77).bytes).is_ok());
    drop(talk);
    let row = format!("{},{}", source.name("alice"), target.name("alice"));
    let project = Project::new(source.endpoint(), target.endpoint()).row(&row);
    let (code, synced) = project.json(&["sync"]);
    assert_eq!((code, &synced["copied"], &synced["adopted"]), (0, &14.into(), &1.into()), "{synced:#}");
    let whole = project.path().join("whole.manifest").display().to_string();
    assert_eq!(project.run(&["manifest", "export", "--to", &whole]).code, 0);
    assert_eq!(by_python(&[&whole]).code, 0);
    let against = || project.json(&["manifest", "check", &whole, "--against", "national"]).1;
    let of = |report: &Value| {
        let all = report["mailboxes"][0]["differences"].as_array().unwrap().clone();
        all.iter()
            .map(|it| format!("{} {} {}", it["is"].as_str().unwrap(), it["folder"].as_str().unwrap(), it["item"]))
            .collect::<Vec<_>>()
    };
    let uid = |number: usize, folder: &str| {
        target.uids("alice", folder).into_iter().find(|(known, _)| *known == number).unwrap().1
    };
    let own = format!("extra INBOX \"{}\"", uid(77, "INBOX"));
    let report = against();
    assert_eq!((of(&report), &report["same"]), (vec![own.clone()], &15.into()), "{report:#}");
    assert_eq!(project.json(&["manifest", "check", &whole, "--against", "local", "--flags"]).0, 0);
    // One is removed, and one comes in another folder.
    let gone = uid(101, "Work");
    remove(&target, "Work", &[101]);
    put(&target, "New", [200]);
    let report = against();
    let expected = [own, format!("extra New \"{}\"", uid(200, "New")), format!("missing Work \"{gone}\"")];
    assert_eq!(of(&report), expected, "{report:#}");
    // Where the person works there already, what is there besides is theirs.
    let rows = format!("source,target,target_in_use\n{row},yes\n");
    let in_use = project.people(&rows);
    let again = in_use.path().join("again.manifest").display().to_string();
    assert_eq!(in_use.run(&["sync"]).code, 0);
    assert_eq!(in_use.run(&["manifest", "export", "--to", &again]).code, 0);
    let (code, report) = in_use.json(&["manifest", "check", &again, "--against", "national"]);
    assert_eq!((code, &report["others"], &report["different"]), (0, &2.into(), &0.into()), "{report:#}");
    assert_eq!(report["manifest"]["counts"]["withdrawn"], 1, "{report:#}");
}

#[test]
fn a_reading_broken_off_later_leaves_a_manifest_that_is_sound() {
    let signed = signed();
    let Signed { project, .. } = &signed;
    let export = |name: &str| {
        let to = project.path().join(name).display().to_string();
        let (code, exported) = project.json(&["manifest", "export", "--to", &to]);
        (to, code, exported)
    };
    // Two of its seven were copied after the folder was last read to its end; the pass was broken off, or its program died.
    let inbox = "path = '[\"INBOX\"]' AND mailbox = (SELECT mailbox FROM mailbox WHERE source_name = 'alice')";
    for (number, how) in
        ["phase = 'copying', condition = 'waiting', reason = 'stopped', cause = 'stopped'", "holder = 'dead'"]
            .into_iter()
            .enumerate()
    {
        in_the_ledger(
            project,
            &format!(
                "UPDATE folder SET source_count = 5 WHERE {inbox};
                UPDATE mailbox SET {how} WHERE source_name = 'alice'"
            ),
        );
        let (to, code, exported) = export(&format!("broken-off-{number}.manifest"));
        assert_eq!((code, &exported["unaccounted"], &exported["not_read"]), (0, &0.into(), &1.into()), "{exported:#}");
        assert_eq!(exported["source"], 18, "{exported:#}");
        let (code, report) = alone(&["manifest", "check", &to]);
        assert_eq!((code, &report["is_sound"]), (0, &true.into()), "{report:#}");
        assert_eq!(by_python(&[&to]).code, 0);
        assert_eq!(project.json(&["manifest", "check", &to, "--against", "national"]).0, 0);
        let back =
            "UPDATE mailbox SET phase = 'in-step', condition = 'running', reason = NULL, cause = NULL, holder = NULL";
        in_the_ledger(project, back);
    }
    // After a complete one that is an item too many: it is told, signed so, and no sign that anything was altered.
    let (to, code, exported) = export("too-many.manifest");
    assert_eq!((code, &exported["unaccounted"]), (1, &2.into()), "{exported:#}");
    let (code, report) = alone(&["manifest", "check", &to]);
    assert_eq!((code, &report["is_sound"], &report["sum_count"]), (1, &true.into(), &1.into()), "{report:#}");
    let run = project.run(&["manifest", "check", &to]);
    assert!(run.out.contains("Nothing was altered") && !run.out.contains("not what was signed"), "{run:?}");
    let run = by_python(&[&to]);
    assert!(run.code == 1 && run.out.contains("it was signed so"), "{run:?}");
    let (code, report) = project.json(&["manifest", "check", &to, "--against", "national"]);
    assert_eq!((code, &report["same"]), (1, &15.into()), "{report:#}");
    let proof = project.path().join("too-many.proof").display().to_string();
    let message = file_with(&signed.source.maildir_of("alice"), "body number 2;").display().to_string();
    assert_eq!(project.run(&["manifest", "reveal", &to, "--to", &proof, "--message", &message]).code, 0);
}

/// What another tool put there is other bytes than the source held: that is known of it also when the source has it no more.
#[test]
fn what_was_adopted_and_is_left_over_is_known_by_its_own_bytes() {
    let source = Store::maildir();
    let Some(target) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    source.fill("alice", &[folder("INBOX", (0..3).map(numbered).collect())]);
    let marked = |number: usize| {
        let mut message = numbered(number);
        message.bytes.splice(0..0, *b"X-TUID: abcdefghijkl\r\n");
        message
    };
    target.fill("alice", &[folder("INBOX", (0..2).map(marked).collect())]);
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let project = project.with("[policy]\nremovals_free = 0\nremovals_max = 0\nadopted = \"follow\"");
    assert_eq!(project.json(&["sync"]).1["adopted"], 2);
    fs::remove_file(file_with(&source.maildir_of("alice"), "body number 0;")).unwrap();
    assert_eq!(project.json(&["sync"]).1["removals_held"], 1);
    let whole = project.path().join("whole.manifest").display().to_string();
    let (_, exported) = project.json(&["manifest", "export", "--to", &whole]);
    assert_eq!(exported["leftover"], 1, "{exported:#}");
    let (code, report) = project.json(&["manifest", "check", &whole, "--against", "national"]);
    assert_eq!((code, &report["same"], &report["different"]), (0, &3.into(), &0.into()), "{report:#}");
    assert_eq!(by_python(&[&whole]).code, 0);
}

#[test]
fn a_folder_that_is_not_listed_and_a_person_no_longer_named_leave_a_trace() {
    let signed = signed();
    let Signed { source, project, .. } = &signed;
    let export = |name: &str| {
        let to = project.path().join(name).display().to_string();
        let (code, exported) = project.json(&["manifest", "export", "--to", &to]);
        assert_eq!(code, 0, "{exported:#}");
        (to, exported)
    };
    // The source does not list two folders any more: one was copied, of the other a rule left everything behind.
    for folder in [".L&AOQ-ufe.2019", ".Junk"] {
        fs::rename(source.maildir_of("alice").join(folder), project.path().join(folder)).unwrap();
    }
    project.run(&["sync"]);
    let (to, exported) = export("not-listed.manifest");
    let counts = ["source", "copied", "excluded", "leftover", "unaccounted", "not_read"];
    assert_eq!(counts.map(|name| exported[name].as_u64().unwrap()), [16, 13, 3, 2, 0, 1], "{exported:#}");
    let (code, report) = alone(&["manifest", "check", &to]);
    let is_rule = |rule: &Value| rule["rule"] == "folder-not-listed" && rule["items"] == 2 && rule["how"] == "leftover";
    assert!(code == 0 && report["rules"].as_array().unwrap().iter().any(is_rule), "{report:#}");
    assert_eq!(by_python(&[&to]).code, 0);
    let (code, report) = project.json(&["manifest", "check", &to, "--against", "national"]);
    assert_eq!((code, &report["same"], &report["different"]), (0, &15.into(), &0.into()), "{report:#}");
    fs::rename(project.path().join(".Junk"), source.maildir_of("alice").join(".Junk")).unwrap();
    fs::rename(project.path().join(".L&AOQ-ufe.2019"), source.maildir_of("alice").join(".L&AOQ-ufe.2019")).unwrap();
    assert_eq!(project.run(&["sync"]).code, 0);
    let (_, exported) = export("back.manifest");
    assert_eq!(counts.map(|name| exported[name].as_u64().unwrap()), [18, 15, 3, 0, 0, 0], "{exported:#}");
    // A person whose row is gone is missing, and that is told.
    fs::write(project.path().join("people.csv"), "source,target,collection\nbob,bob,\n").unwrap();
    project.run(&["sync"]);
    let (to, exported) = export("fewer.manifest");
    assert_eq!(exported["mailboxes"], 1, "{exported:#}");
    let (_, report) = alone(&["manifest", "check", &to]);
    assert_eq!(report["only"][0], "without 1 mailbox that is no longer in people.csv", "{report:#}");
}

#[test]
fn nothing_compared_is_no_success_and_another_name_at_the_target_is_no_difference() {
    let signed = signed();
    let Signed { project, roots, .. } = &signed;
    let export = |name: &str, arguments: &[&str]| {
        let to = project.path().join(name).display().to_string();
        let mut all = vec!["manifest", "export", "--to", &to];
        all.extend(arguments);
        assert_eq!(project.run(&all).code, 0);
        to
    };
    // Bob was chosen, and is in no part of it.
    let alice = export("alice.manifest", &["--mailbox", "alice"]);
    let (code, report) = project.json(&["manifest", "check", &alice, "--against", "national", "--mailbox", "bob"]);
    assert_eq!((code, &report["failed"], &report["expected"]), (1, &1.into(), &0.into()), "{report:#}");
    let run = project.run(&["manifest", "check", &alice, "--against", "national", "--mailbox", "bob"]);
    assert!(run.out.contains("is not in the manifest") && run.out.contains("NOTHING WAS COMPARED"), "{run:?}");
    let run = project.run(&["manifest", "check", roots, "--against", "national"]);
    assert!(run.code == 2 && run.err.contains("only their roots"), "{run:?}");
    // What has no digest and is there by its id is counted, and is no success.
    in_the_ledger(
        project,
        "UPDATE item SET exact = NULL, canonical = NULL WHERE source_id = (SELECT min(source_id) FROM item WHERE fate = 1)",
    );
    let unknown = export("unknown.manifest", &[]);
    let (code, report) = project.json(&["manifest", "check", &unknown, "--against", "national"]);
    assert_eq!((code, &report["unknown"], &report["different"]), (1, &1.into(), &0.into()), "{report:#}");
    let run = project.run(&["manifest", "check", &unknown, "--against", "national"]);
    assert!(run.out.contains("1 item could not be told from others"), "{run:?}");
    // Alice is somebody else at the target by now: her items are not looked for there.
    fs::write(project.path().join("people.csv"), "source,target\nalice,alison\nbob,bob\n").unwrap();
    in_the_ledger(project, "UPDATE mailbox SET target_name = 'alison' WHERE source_name = 'alice'");
    let (code, report) = project.json(&["manifest", "check", &alice, "--against", "national"]);
    assert_eq!((code, &report["failed"], &report["different"]), (1, &1.into(), &0.into()), "{report:#}");
    assert!(report["mailboxes"][0]["error"].as_str().unwrap().contains("alison at the target"), "{report:#}");
}
