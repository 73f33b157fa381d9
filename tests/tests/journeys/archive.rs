//! Mail that is only kept: from a real Dovecot into files of an archive, and never to the target.

use std::fs;

use conformance::servers::Format;
use journeys::{
    judge::{Judge, Side},
    mail::{Folder, Message, every_message, numbered, spread},
    project::Project,
    store::{Store, assert_same_state},
};
use serde_json::{Value, json};

/// What the platform would not take as it is.
const RULES: &str = "[policy]\nitem_bytes_max = 3000\n";

fn person(key: &str, given: &str, account: &str, last_logon: Option<i64>) -> Value {
    json!({ "key": key, "kind": "person", "names": { "given": given, "surname": "Lee", "display": format!("{given} Lee") },
        "account": account, "mail": format!("{account}@trust.example"), "local_id": key, "has_mailbox": true,
        "legacy_dn": format!("/o=Trust/cn={key}"), "last_logon": last_logon })
}

/// Alice moves; bob has not logged in for years, and is left to the archive.
fn project(source: &Store, target: &Store, archive: &str) -> Project {
    let lines = format!(
        "[endpoints.cold]\nkind = \"{archive}\"\npath = \"cold/{{target}}\"\n[archive]\nmail = \"cold\"\n\
         [directories.ad]\nkind = \"rehearsal\"\npath = \"ad.json\"\n\
         [directories.platform]\nkind = \"rehearsal\"\npath = \"platform.json\"\n\
         [people]\nsources = [\"ad\"]\nplatform = \"platform\"\ndomain = \"national.example\"\n\
         source_name = \"account\"\ntarget_name = \"account\"\n\
         [[people.archive]]\nname = \"inactive\"\nidle_days = 365\n{RULES}"
    );
    let project = Project::new(source.endpoint(), target.endpoint()).with(&lines);
    fs::remove_file(project.path().join("people.csv")).unwrap();
    let write = |name: &str, entries: Value| fs::write(project.path().join(name), entries.to_string()).unwrap();
    write(
        "ad.json",
        json!([person("1", "Ann", "alice", Some(4_000_000_000)), person("2", "Bob", "bob", Some(1_500_000_000))]),
    );
    let account = |key: &str, given: &str, account: &str, of: &str| {
        json!({ "key": key, "kind": "person", "names": { "given": given, "surname": "Lee" }, "organisation": "RX1",
            "mail": format!("{account}@national.example"), "account": account,
            "addresses": [{ "kind": "x500", "text": format!("/o=Trust/cn={of}") }] })
    };
    write("platform.json", json!([account("p1", "Ann", "alice", "1"), account("p2", "Bob", "bob", "2")]));
    assert_eq!(project.run(&["people", "sync"]).code, 0);
    project
}

#[test]
fn the_mail_of_who_is_left_to_the_archive_is_there_whole_and_signed_and_the_target_has_none_of_it() {
    for kind in ["eml", "maildir"] {
        let (Some(source), target) = (Store::dovecot(Format::Maildir, &["alice", "bob"]), Store::maildir()) else {
            return;
        };
        let inbox: Vec<Message> = (0..5).map(numbered).collect();
        source.fill("alice", &[Folder { path: vec!["INBOX".to_owned()], messages: inbox }]);
        let filled = source.fill("bob", &spread(every_message().into_iter().take(60).collect()));
        let before = source.state("bob");
        let project = project(&source, &target, kind);
        let (code, listed) = project.json(&["people", "list", "--class", "archive-only"]);
        assert_eq!((code, &listed["objects"][0]["why"]), (0, &"by the filter inactive".into()), "{listed:#}");

        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"], &synced["failed"]), (0, &5.into(), &0.into()), "{synced:#}");
        assert_eq!(synced["archived"].as_u64(), Some(filled.messages as u64), "{synced:#}");
        let cold = project.path().join("cold").join("bob");
        let judge = Judge::new().person("bob", source.side("bob"), Side::files(kind, &cold));
        let verdict = judge.compare().expect("Python is here");
        assert!(verdict.is_equal(), "{kind}: {verdict:?}");
        assert!(!target.maildir_of("bob").exists(), "nothing of it is on the target");
        assert_same_state(&source.state("bob"), &before);

        // It is counted apart, and compared and signed like everything else.
        let (code, verified) = project.json(&["verify"]);
        assert_eq!((code, &verified["all"]["on_target"]), (0, &5.into()), "{verified:#}");
        assert_eq!(verified["archive"]["on_target"].as_u64(), Some(filled.messages as u64), "{verified:#}");
        let (_, overall) = project.json(&["report", "overall"]);
        assert_eq!(
            (&overall["all"]["copied"], overall["people"].as_array().unwrap().len()),
            (&5.into(), 1),
            "{overall:#}"
        );
        assert_eq!(overall["archive"]["copied"].as_u64(), Some(filled.messages as u64), "{overall:#}");
        let (_, status) = project.json(&["status"]);
        assert_eq!(status["archive"]["copied"].as_u64(), Some(filled.messages as u64), "{status:#}");
        let manifest = project.path().join("cold.manifest").display().to_string();
        assert_eq!(project.json(&["manifest", "export", "--to", &manifest, "--mailbox", "bob"]).0, 0);
        assert_eq!(project.json(&["manifest", "check", &manifest]).0, 0);
        let against = ["manifest", "check", &manifest, "--against", "cold", "--flags", "--mailbox", "bob"];
        assert_eq!(project.json(&against).0, 0);

        // What goes at the source stays in the archive until somebody says so; nothing comes twice.
        let mut talk = source.talk("bob");
        talk.ok("SELECT INBOX");
        talk.ok("STORE 1 +FLAGS (\\Deleted)");
        talk.ok("EXPUNGE");
        drop(talk);
        let (_, synced) = project.json(&["sync"]);
        let counts = ["copied", "removed", "removals_held"].map(|name| synced[name].as_u64().unwrap());
        assert_eq!(counts, [0, 0, 1], "{synced:#}");
        assert!(synced["archived"].is_null(), "{synced:#}");

        // Once begun, it goes nowhere else.
        let run = project.run(&["people", "include", "bob", "--by", "Ivy", "--evidence", "x"]);
        assert!(run.code != 0 && run.err.contains("inactive"), "{run:?}");
        fs::write(project.path().join("people.csv"), "source,target\nbob,bob\n").unwrap();
        let run = project.run(&["sync", "--mailbox", "bob"]);
        assert!(run.code != 0 && run.err.contains("left to the archive"), "{run:?}");
        assert!(!target.maildir_of("bob").exists());
    }
}
