//! Collections on real servers: who moves at the same time, how fast, what waits for what; and the issues of who fails (R-112, R-130,
//!

use std::fs;

use conformance::servers::Format;
use journeys::{
    mail::{Folder, Message, SMALL, numbered, small},
    project::{Project, Run},
    store::Store,
};
use serde_json::{Value, json};

const PEOPLE: [(&str, &str, &str); 4] =
    [("1", "ann", "Ward 7"), ("2", "ben", "Ward 8"), ("3", "cyd", "Finance"), ("4", "dee", "Finance")];

/// A project whose people and lists stand in directories.
fn project(source: &Store, target: &Store) -> Project {
    let lines = "[directories.ad]\nkind = \"rehearsal\"\npath = \"ad.json\"\n\
         [directories.platform]\nkind = \"rehearsal\"\npath = \"platform.json\"\n\
         [people]\nsources = [\"ad\"]\nplatform = \"platform\"\ndomain = \"national.example\"\n\
         source_name = \"account\"\ntarget_name = \"account\"\n";
    let project = Project::new(source.endpoint(), target.endpoint()).with(lines);
    fs::remove_file(project.path().join("people.csv")).unwrap();
    let write = |name: &str, entries: Value| fs::write(project.path().join(name), entries.to_string()).unwrap();
    let person = |(key, name, department): &(&str, &str, &str)| {
        json!({ "key": key, "kind": "person", "names": { "given": name, "surname": "Lee", "display": format!("{name} Lee") },
            "account": name, "mail": format!("{name}@trust.example"), "local_id": key, "has_mailbox": true,
            "legacy_dn": format!("/o=Trust/cn={key}"), "department": department })
    };
    let mut entries: Vec<Value> = PEOPLE.iter().map(person).collect();
    entries
        .push(json!({ "key": "g", "kind": "list", "names": { "display": "Ward 7" }, "mail": "ward7@trust.example" }));
    write("ad.json", entries.into());
    let account = |(key, name, _): &(&str, &str, &str)| {
        json!({ "key": format!("p{key}"), "kind": "person", "names": { "given": name, "surname": "Lee" }, "organisation": "RX1",
            "mail": format!("{name}@national.example"), "account": name,
            "addresses": [{ "kind": "x500", "text": format!("/o=Trust/cn={key}") }] })
    };
    write("platform.json", PEOPLE.iter().map(account).collect());
    assert_eq!(project.run(&["people", "sync"]).code, 0);
    project
}

fn refused(run: &Run, rule: &str, what: &str) {
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains(rule) && run.err.contains(what) && run.err.contains("what to do"), "{run:?}");
}

fn members<'r>(shown: &'r Value, of: &str) -> Vec<&'r str> {
    shown["members"].as_array().unwrap().iter().map(|member| member[of].as_str().unwrap_or_default()).collect()
}

#[test]
fn people_move_in_collections_and_who_fails_has_an_issue() {
    let Some(source) = Store::dovecot(Format::Maildir, &["ann", "ben", "cyd", "dee"]) else { return };
    // Nobody has made dee's account yet.
    let Some(target) = Store::dovecot(Format::Sdbox, &["ann", "ben", "cyd"]) else { return };
    for (_, name, _) in PEOPLE {
        source.fill(name, &small(name));
    }
    let project = project(&source, &target);
    let run = |arguments: &[&str]| project.run(arguments);
    let done = |arguments: &[&str]| {
        let (code, report) = project.json(arguments);
        assert_eq!(code, 0, "{report:#}");
        report
    };

    done(&[
        "collection",
        "create",
        "wards",
        "--start",
        "now",
        "--switch",
        "at=2036-12-05 19:00",
        "--description",
        "the wards",
    ]);
    done(&["collection", "create", "rest", "--switch", "auto"]);
    let again = run(&["collection", "create", "Wards"]);
    assert!(again.code == 2 && again.err.contains("already"), "{again:?}");
    let night = run(&["collection", "change", "rest", "--start", "2036-03-30 01:30"]);
    assert!(night.code == 2 && night.err.contains("go forward over it"), "{night:?}");

    // By department, by list, by file.
    let placed = done(&["collection", "add", "wards", "--department", "ward*", "--list", "WARD7@trust.example"]);
    assert_eq!(placed["placed"], 3, "{placed:#}");
    let listed = done(&["collection", "list"]);
    assert_eq!(listed["in_none"], json!(["cyd", "dee"]), "{listed:#}");
    let file = project.path().join("names.csv");
    fs::write(&file, "name;mailbox\nCyd;cyd\nDee;dee\nX;nobody\n").unwrap();
    let file = file.display().to_string();
    let mistaken = run(&["collection", "add", "rest", "--file", &file]);
    assert!(mistaken.code == 2 && mistaken.err.contains("line 4: \"nobody\" is nobody on the roster"), "{mistaken:?}");
    fs::write(&file, "name;mailbox\nCyd;cyd\nDee;dee\n").unwrap();
    assert_eq!(done(&["collection", "add", "rest", "--file", &file])["placed"], 2);

    // In one only; from one to another for a reason.
    refused(&run(&["collection", "add", "rest", "--mailbox", "ann"]), "R-155", "ann is in the collection \"wards\"");
    let to_rest = ["collection", "move", "--mailbox", "ben", "--from", "wards", "--to", "rest"];
    refused(&run(&to_rest), "R-155", "for a reason");
    let reasoned = [&to_rest[..], &["--reason", "on leave", "--by", "Change board"]].concat();
    assert_eq!(done(&reasoned)["placed"], 1);
    refused(&run(&reasoned), "R-155", "ben is in the collection \"rest\"");
    let shown = done(&["collection", "show", "rest"]);
    assert_eq!(
        (members(&shown, "member"), &shown["moves"][0]["by"]),
        (vec!["ben", "cyd", "dee"], &"Change board".into())
    );
    assert!(members(&shown, "state").iter().all(|state| *state == "planned"), "{shown:#}");
    assert_eq!(shown["members"][0]["waits"]["what"], "a start of rest: it has none", "{shown:#}");
    let wards = done(&["collection", "show", "wards"]);
    assert_eq!(
        (members(&wards, "member"), members(&wards, "kind")),
        (vec!["ann", "ward7@trust.example"], vec!["person", "list"])
    );
    assert_eq!(wards["collection"]["expected"]["is"], "unknown", "{wards:#}");

    // VIPs don't move first.
    assert_eq!(
        done(&["collection", "vip", "add", "cyd", "--reason", "chief executive", "--by", "Kim Hughes"])["count"],
        1
    );
    let first = ["collection", "move", "--mailbox", "cyd", "--from", "rest", "--to", "wards", "--reason", "she asks"];
    refused(&run(&first), "R-130", "cyd is a VIP");

    // A run: rates, states, and what each waits for.
    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 1, "{synced:#}");
    let wards = done(&["collection", "show", "wards"]);
    let status = &wards["collection"];
    assert_eq!((&status["done_hundredths"], &status["items"]), (&10_000.into(), &SMALL.into()), "{wards:#}");
    assert_eq!((&status["expected"]["is"], &status["outlook"]), (&"done".into(), &"on-time".into()), "{wards:#}");
    assert!(status["last_hour"]["items_per_second"].as_f64().unwrap() > 0.0, "{wards:#}");
    assert!(status["planned_and_actual"].as_array().unwrap().len() == 2, "{wards:#}");
    assert_eq!(wards["members"][0]["waits"]["what"], "its switch, 2036-12-05 19:00", "{wards:#}");
    let watched = run(&["status", "--watch", "-v"]);
    assert!(watched.out.contains("wards: 100 %, 6 items, "), "{watched:?}");
    assert!(watched.out.contains("dee: ") && watched.out.contains("is parked at the target: "), "{watched:?}");
    let vips = run(&["status", "--vip"]);
    assert!(vips.out.contains("chief executive") && vips.out.contains("in-step"), "{vips:?}");
    for form in ["text", "csv", "html"] {
        let table = run(&["collection", "list", "--format", form]);
        assert!(table.code == 0 && table.out.contains("wards"), "{table:?}");
    }

    // Who fails has an issue by itself; it is closed with a word, many with one.
    let issues = done(&["issue", "list", "--parked"]);
    let issue = &issues["issues"][0];
    assert_eq!((issues["issues"].as_array().unwrap().len(), &issue["mailbox"]), (1, &"dee".into()), "{issues:#}");
    assert_eq!((&issue["owner"], &issue["state"]), (&"provider".into(), &"open".into()), "{issues:#}");
    let cause = issue["type"].as_str().unwrap();
    let opened =
        ["issue", "open", "--type", cause, "--what", "cyd misses a folder", "--mailbox", "cyd", "--owner", "both"];
    assert_eq!(done(&opened)["issue"], 2);
    refused(&run(&["issue", "close", "1"]), "R-228", "without a resolution or a disposition");
    let all = [
        "issue",
        "close",
        "--cause",
        cause,
        "--all",
        "--disposition",
        "mop-up",
        "--by",
        "Kim Hughes",
        "--reason",
        "last week",
    ];
    let closed = done(&all);
    assert_eq!((&closed["closed"], &closed["issues"]), (&2.into(), &json!([1, 2])), "{closed:#}");
    assert_eq!(done(&["issue", "list"])["not_closed"], 0);
    let left = run(&["issue", "list", "--mop-up"]);
    assert!(left.out.contains("dee") && left.out.contains("mop-up: last week (Kim Hughes)"), "{left:?}");
    let rest = run(&["collection", "show", "rest"]);
    assert!(rest.out.contains("is parked for the mop-up"), "{rest:?}");
    let taken = run(&["issue", "take-up", "dee", "--reason", "her account is there"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
}

#[test]
fn items_that_fail_are_an_issue_and_its_disposition_is_their_word() {
    let source = Store::maildir();
    let Some(target) = Store::dovecot(Format::Maildir, &["alice"]) else { return };
    let mut inbox: Vec<Message> = (0..3).map(numbered).collect();
    inbox[2].bytes.extend_from_slice(b"nul \0\r\n");
    source.fill("alice", &[Folder { path: vec!["INBOX".to_owned()], messages: inbox }]);
    let project = Project::new(source.endpoint(), target.endpoint()).person("alice");
    let phase = || project.json(&["status"]).1["mailboxes"][0]["phase"].clone();
    assert_eq!((project.run(&["sync"]).code, phase()), (1, "copying".into()));
    let (_, listed) = project.json(&["issue", "list"]);
    let issue = &listed["issues"][0];
    assert_eq!((&issue["type"], &issue["owner"]), (&"nul".into(), &"organisation".into()), "{listed:#}");
    assert!(issue["what"].as_str().unwrap().starts_with("1 item failed: "), "{listed:#}");
    let close = ["issue", "close", "--cause", "nul", "--all", "--disposition", "mop-up"];
    refused(&project.run(&close), "R-228", "a named person's");
    let (code, closed) = project.json(&[&close[..], &["--by", "Kim Hughes", "--reason", "last week"]].concat());
    assert_eq!((code, &closed["items"]), (0, &1.into()), "{closed:#}");
    // Its mailbox goes on without it.
    assert_eq!((project.run(&["sync"]).code, phase()), (0, "in-step".into()));
    let (_, failed) = project.json(&["failed", "list"]);
    assert_eq!(failed["failed"][0]["accepted_why"], "left for the mop-up (issue 1): last week", "{failed:#}");
    let (_, left) = project.json(&["issue", "list", "--mop-up"]);
    assert_eq!((left["issues"].as_array().unwrap().len(), &left["not_closed"]), (1, &0.into()), "{left:#}");
    // In the mop-up it is tried again: as long as it fails, it is an issue again that cites the old one.
    assert_eq!(project.run(&["failed", "retry", "--all"]).code, 0);
    assert_eq!(project.run(&["sync"]).code, 1);
    let (_, listed) = project.json(&["issue", "list"]);
    assert_eq!((&listed["issues"][0]["issue"], &listed["issues"][0]["follows"]), (&2.into(), &1.into()), "{listed:#}");
    // Cured at the source, it closes by itself.
    for file in fs::read_dir(source.maildir_of("alice").join("cur")).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if bytes.contains(&0) {
            fs::remove_file(&path).unwrap();
        }
    }
    project.run(&["sync"]);
    let (_, all) = project.json(&["issue", "list", "--state", "all"]);
    let last = &all["issues"][1];
    assert_eq!((&last["state"], &last["closed_by"]), (&"closed".into(), &"whimbrel".into()), "{all:#}");
}
