//! Both reports about three people, one of whom has an item that can't be moved: the same sums in every form, and those of `status` and
//! `failed list` (R-171, R-216, R-217, R-219).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use conformance::servers::Format;
use journeys::{
    mail::{Folder, numbered, small},
    project::{Project, Run},
    store::Store,
};
use serde_json::Value;

/// Adds up a column of a CSV.
fn column(csv: &str, heading: &str) -> u64 {
    // What stands at even places lies outside of quotes; a comma within is no separator.
    let cells = |line: &str| {
        let parts = line.split('"').enumerate();
        let marked: String =
            parts.map(|(place, part)| if place % 2 == 0 { part.replace(',', "\0") } else { part.to_owned() }).collect();
        marked.split('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let mut lines = csv.split("\r\n").filter(|line| !line.is_empty());
    let place = cells(lines.next().unwrap()).iter().position(|name| name == heading).unwrap();
    lines.map(|line| cells(line)[place].parse::<u64>().unwrap()).sum()
}

/// The rows of a sheet, as Python reads them.
fn sheet(workbook: &std::path::Path, name: &str) -> Vec<Vec<String>> {
    const READER: &str = r"
import json, sys, zipfile, xml.etree.ElementTree as tree
M = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
book = zipfile.ZipFile(sys.argv[1])
names = [sheet.get('name') for sheet in tree.fromstring(book.read('xl/workbook.xml')).iter(M + 'sheet')]
sheet = tree.fromstring(book.read(f'xl/worksheets/sheet{names.index(sys.argv[2]) + 1}.xml'))
print(json.dumps([[''.join(cell.itertext()) for cell in row.iter(M + 'c')] for row in sheet.iter(M + 'row')]))
";
    let python: Output = Command::new("python3").args(["-c", READER]).arg(workbook).arg(name).output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    serde_json::from_slice(&python.stdout).unwrap()
}

#[test]
fn a_board_gets_both_reports_in_every_form_and_the_sums_agree() {
    let names = ["ann", "bob", "cyd"];
    let source = Store::maildir();
    let Some(target) = Store::dovecot(Format::Maildir, &names) else { return };
    for name in names {
        source.fill(name, &small(name));
    }
    // Dovecot takes no NUL.
    let mut nul = numbered(7);
    nul.bytes.extend_from_slice(b"nul \0\r\n");
    let received = nul.received;
    source.fill("bob", &[Folder { path: vec!["=1+1".to_owned()], messages: vec![nul, numbered(8)] }]);
    let rows = "source,target,name,collection\nann,ann,Ann,one\nbob,bob,Bob <b>,one\ncyd,cyd,Cyd,\n";
    let project = Project::new(source.endpoint(), target.endpoint()).people(rows);

    // Before anything was done a report can be had too.
    let (code, before) = project.json(&["report", "overall"]);
    assert_eq!((code, &before["failures"]["verdict"]), (0, &"unknown".into()), "{before:#}");
    assert!(project.run(&["report", "failed"]).out.contains("No item has failed."));

    assert_eq!(project.run(&["sync"]).code, 1);
    let (_, status) = project.json(&["status"]);
    let (_, listed) = project.json(&["failed", "list"]);
    let (code, overall) = project.json(&["report", "overall"]);
    assert_eq!((code, &overall["schema"]), (0, &"whimbrel.report-overall/1".into()), "{overall:#}");
    for key in ["source", "copied", "adopted", "excluded", "failed", "held", "withdrawn", "bytes"] {
        assert_eq!(overall["all"][key], status["all"][key], "{key}");
    }
    assert_eq!((&overall["all"]["failed"], &overall["all"]["unaccounted"]), (&1.into(), &0.into()), "{overall:#}");
    assert_eq!(overall["all"]["known"], status["all"]["source"], "every folder was read");
    assert_eq!(overall["failures"]["verdict"], "alert", "one of so few: {overall:#}");
    let stands = |person: usize| {
        let [line, known] = [&overall["people"][person], &status["mailboxes"][person]];
        assert_eq!((&line["phase"], &line["reason"]), (&known["phase"], &known["reason"]), "{line:#}");
        line["done_hundredths"].as_u64().unwrap()
    };
    assert_eq!((stands(0), stands(2)), (10_000, 10_000));
    assert!(stands(1) < 10_000);
    let collections: Vec<&Value> = overall["collections"].as_array().unwrap().iter().map(|c| &c["people"]).collect();
    assert_eq!(collections, [2, 1]);

    let (_, failed) = project.json(&["report", "failed"]);
    let (item, known) = (&failed["items"][0], &listed["failed"][0]);
    for key in ["reference", "mailbox", "folder", "cause", "what", "size_bytes", "tries", "advice"] {
        assert_eq!(item[key], known[key], "{key}");
    }
    assert_eq!((&item["received"], &item["owner"]), (&received.into(), &"source".into()), "{item:#}");
    assert_eq!(failed["failures"], overall["failures"]);

    // Every form, to a file that nobody else may read, and that is never overwritten.
    let known = |key: &str| status["all"][key].as_u64().unwrap();
    let file = |name: &str| project.path().join(name);
    for which in ["overall", "failed"] {
        for format in ["text", "csv", "xlsx", "html", "json"] {
            let path = file(&format!("{which}.{format}"));
            let to = path.to_str().unwrap().to_owned();
            let arguments = ["report", which, "--format", format, "--to", &to];
            let run = project.run(&arguments);
            assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let again = project.run(&arguments);
            assert_eq!(again.code, 2, "{again:?}");
            assert!(again.err.contains("file that is not there yet"), "{again:?}");
        }
    }
    let read = |name: &str| fs::read_to_string(file(name)).unwrap();
    let csv = read("overall.csv");
    for (heading, key) in [("Items", "source"), ("Copied", "copied"), ("Failed", "failed"), ("Size (bytes)", "bytes")] {
        assert_eq!(column(&csv, heading), known(key), "{csv}");
        let rows = sheet(&file("overall.xlsx"), "People");
        let place = rows[0].iter().position(|name| name == heading).unwrap();
        assert_eq!(rows.last().unwrap()[place], known(key).to_string(), "{rows:?}");
        let page = read("overall.html");
        let total = page.rsplit("<tfoot>").find(|part| part.contains("</tfoot>")).unwrap();
        assert!(total.contains(&format!("<data value=\"{}\">", known(key))), "{total}");
    }
    assert!(read("overall.text").contains("ALERT") && read("overall.text").contains("The sums hold"));
    assert!(read("failed.csv").contains("\"'=1+1\""), "no folder's name is a formula: {}", read("failed.csv"));
    assert!(read("failed.html").contains("Bob &lt;b&gt;") && !read("failed.html").contains("Bob <b>"));
    let items = sheet(&file("failed.xlsx"), "Items");
    assert!(items[1].contains(&"=1+1".to_owned()) && items.len() == 2, "{items:?}");
    // Subjects stand nowhere.
    for name in ["failed.text", "failed.csv", "failed.html", "failed.json"] {
        assert!(!read(name).contains("Subject:"), "{name}");
    }

    // Standard output, other tables, selections, and what is asked for wrongly.
    let out = project.run(&["report", "overall", "--format", "csv", "--table", "summary"]);
    assert!(out.out.contains("\"Copied\",") && out.code == 0, "{out:?}");
    let (_, some) = project.json(&["report", "overall", "--collection", "one"]);
    assert_eq!((some["people"].as_array().unwrap().len(), &some["only"]), (2, &"collection one".into()), "{some:#}");
    let (_, some) = project.json(&["report", "failed", "--mailbox", "ann"]);
    assert_eq!(some["items"], serde_json::json!([]), "{some:#}");
    for (arguments, tells) in [
        (
            &["report", "overall", "--format", "csv", "--table", "peeple"][..],
            "summary, collections, people, exceptions",
        ),
        (&["report", "failed", "--table", "items"], "--format csv"),
        (&["report", "failed", "--format", "docx"], "possible values"),
        (&["report", "failed", "--to", "/nowhere/report.txt"], "cannot write"),
    ] {
        let run: Run = project.run(arguments);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.contains(tells), "{run:?}");
    }

    // An accepted loss is told, and by whom.
    let accept = ["failed", "accept", "--all", "--by", "Kim Hughes", "--reason", "an empty message"];
    assert_eq!(project.run(&accept).code, 0);
    assert_eq!(project.run(&["sync"]).code, 0);
    let (_, overall) = project.json(&["report", "overall"]);
    assert_eq!([&overall["all"]["accepted"], &overall["all"]["done_hundredths"]], [1, 10_000], "{overall:#}");
    assert!(project.run(&["report", "failed"]).out.contains("Accepted by: Kim Hughes"));
}

#[test]
fn subjects_are_for_those_who_may_see_them_and_a_letter_tells_one_person() {
    let source = Store::maildir();
    let Some(target) = Store::dovecot(Format::Maildir, &["bob", "cyd"]) else { return };
    let mut nul = numbered(7);
    nul.bytes = b"From: a@example.test\r\nSubject: =?utf-8?Q?Ward_=C3=98ster?=\r\n\r\nnul \0\r\n".to_vec();
    source.fill("bob", &small("bob"));
    source.fill("bob", &[Folder { path: vec!["Work".to_owned()], messages: vec![nul, numbered(8)] }]);
    source.fill("cyd", &small("cyd"));
    let project = Project::new(source.endpoint(), target.endpoint()).row("bob,bob").row("cyd,cyd");
    assert_eq!(project.run(&["sync"]).code, 1);

    // Without roles whoever runs the program may; where there are some, only those named.
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let roles = |subjects: &str| format!("roles = {{ engineer = [{:?}], subjects = [{subjects}] }}", user.trim());
    let (name, nobody) = (format!("{:?}", user.trim()), roles(""));
    let strict = project.with(&nobody);
    for arguments in [&["report", "failed", "--subjects"][..], &["report", "letter", "bob", "--subjects"]] {
        let run = strict.run(arguments);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.err.contains("roles.subjects") && !run.out.contains("Ward"), "{run:?}");
    }
    let project = strict.without(&nobody).with(&roles(&name));
    let (code, failed) = project.json(&["report", "failed", "--subjects"]);
    assert_eq!((code, &failed["items"][0]["subject"]), (0, &"Ward Øster".into()), "{failed:#}");
    let csv = project.run(&["report", "failed", "--subjects", "--format", "csv"]).out;
    assert!(csv.contains("\"Subject\"") && csv.contains("Ward Øster"), "{csv}");
    let plain = project.run(&["report", "failed", "--format", "csv"]).out;
    assert!(!plain.contains("Subject\"") && !plain.contains("Ward"), "{plain}");

    let letter = project.run(&["report", "letter", "bob", "--contact", "the help desk, 0123", "--subjects"]);
    for tells in ["items are there so far", "One item could not be copied", "Ward Øster", "Work", "the help desk, 0123"]
    {
        assert!(letter.code == 0 && letter.out.contains(tells), "{tells}: {letter:?}");
    }
    assert!(!letter.out.contains("NUL") && !letter.out.contains("whimbrel"), "in its reader's words: {letter:?}");
    let well = project.run(&["report", "letter", "cyd"]);
    assert!(well.code == 0 && well.out.contains("You need do nothing."), "{well:?}");
    let unknown = project.run(&["report", "letter", "bop"]);
    assert!(unknown.code == 2 && unknown.err.contains("did you mean"), "{unknown:?}");

    // Who asked is on record, and what they were told is not.
    let database = fs::read(project.path().join("whimbrel.db")).unwrap();
    let holds = |what: &[u8]| database.windows(what.len()).any(|piece| piece == what);
    assert!(holds(b"report.subjects") && holds(b"letter.subjects"));
    assert!(!holds("Øster".as_bytes()) && !holds(b"=C3=98ster"));
}
