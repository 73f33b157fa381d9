//! People are turned over and taken back, and their mail follows them.

use journeys::{
    mail::small,
    project::Project,
    sites::{Sites, at_source, at_target},
};
use serde_json::Value;

const PEOPLE: [&str; 2] = ["ann", "ben"];
const FAST: &str = "drain_quiet_seconds = 1\nretry_seconds = 1";

fn done(project: &Project, arguments: &[&str]) -> Value {
    let (code, report) = project.json(arguments);
    assert_eq!(code, 0, "{arguments:?}: {report:#}");
    report
}

/// Everything that a person has to sign for.
fn sign(project: &Project) {
    for rule in ["go", "sharing-in-place", "address-books", "account-activated"] {
        done(project, &["signoff", "record", rule, "--by", "Sue Roe", "--evidence", "the minutes of Monday"]);
    }
}

fn phase(report: &Value, name: &str) -> String {
    let lines = report["mailboxes"].as_array().unwrap();
    let line = lines.iter().find(|line| line["source"] == at_source(name)).unwrap();
    line["phase"].as_str().unwrap().to_owned()
}

fn world() -> Option<(Sites, Project)> {
    let sites = Sites::start(&PEOPLE)?;
    let project = sites.project(&PEOPLE, FAST);
    Some((sites, project))
}

#[test]
fn mail_follows_whoever_is_switched_and_whoever_is_taken_back() {
    let Some((sites, project)) = world() else { return };
    let to_ann = [at_source("ann"), at_target("ann")];
    let before = sites.send(&to_ann[0]);
    // A new account forwards from the moment it is live.
    done(&project, &["forwarder", "add"]);
    done(&project, &["sync"]);
    let forwarded = sites.send(&to_ann[1]);
    sites.settle();
    assert_eq!(sites.copies("ann", &forwarded), [1, 0], "{:?}", project.run(&["forwarder", "list"]));
    done(&project, &["sync"]);
    assert_eq!(sites.copies("ann", &forwarded), [1, 1]);
    assert_eq!(sites.copies("ann", &before), [1, 1]);

    let refused = project.run(&["switch", "now", "--mailbox", &to_ann[0]]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.out.contains("account-activated") && refused.out.contains("signoff record"), "{refused:?}");
    let shown = project.run(&["switch", "list"]);
    assert!(!shown.out.contains("switching"), "{shown:?}");
    sign(&project);
    done(&project, &["switch", "check", "--mailbox", &to_ann[0]]);
    let switched = done(&project, &["switch", "now", "--mailbox", &to_ann[0], "--by", "Sue Roe"]);
    assert_eq!(phase(&switched, "ann"), "switched");

    let [old, new] = [sites.send(&to_ann[0]), sites.send(&to_ann[1])];
    sites.settle();
    assert_eq!(sites.copies("ann", &old), [0, 1], "{}", project.run(&["switch", "show"]).out);
    assert_eq!(sites.copies("ann", &new), [0, 1]);
    // Nobody else is touched by it.
    let [old, new] = [sites.send(&at_source("ben")), sites.send(&at_target("ben"))];
    sites.settle();
    assert_eq!([sites.copies("ben", &old), sites.copies("ben", &new)], [[1, 0], [1, 0]]);
    done(&project, &["routing", "check"]);
    let marks = done(&project, &["switch", "mark", "list"]);
    assert_eq!((marks["marks"][0]["is_marked"].as_bool(), marks["marks"].as_array().unwrap().len()), (Some(true), 1));

    let undone = done(&project, &["switch", "undo", "--mailbox", &to_ann[0], "--reason", "she can't open it"]);
    assert_ne!(phase(&undone, "ann"), "switched");
    let [old, new] = [sites.send(&to_ann[0]), sites.send(&to_ann[1])];
    sites.settle();
    assert_eq!([sites.copies("ann", &old), sites.copies("ann", &new)], [[1, 0], [1, 0]]);
    done(&project, &["sync"]);
    let again = done(&project, &["switch", "now", "--mailbox", &to_ann[0]]);
    assert_eq!(phase(&again, "ann"), "switched");
    for mark in [&before, &forwarded, &old, &new] {
        assert_eq!(sites.copies("ann", mark), [1, 1], "{mark}");
    }
    assert_eq!(sites.astray(), []);
    let _ = small("x");
}
