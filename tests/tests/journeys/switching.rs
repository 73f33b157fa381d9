//! People are turned over and taken back, and their mail follows them.

use journeys::{
    project::Project,
    service::{Process, until, until_or},
    sites::{Sites, at_source, at_target},
};
use rehearsal::Chance;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

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
    let project = sites.project(&PEOPLE, "", FAST);
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
}

const CROWD: [&str; 10] = ["ann", "ben", "cyd", "dee", "eva", "fay", "gus", "hal", "ivy", "jon"];
/// Who is never switched.
const STAY: [&str; 2] = ["ivy", "jon"];
const SHORT: &str = "service = { cycle_seconds = 1, turn_seconds = 1, parked_retry_seconds = 2 }";

/// Mail comes to the old and the new address of everybody all the time, while a service switches them in three groups, some are taken back
/// and switched again. Each message is there exactly once where its person looks.
#[test]
fn nobody_misses_a_message_while_all_are_switched() {
    let Some(sites) = Sites::start(&CROWD) else { return };
    let project = sites.project(&CROWD, SHORT, FAST);
    done(&project, &["forwarder", "add"]);
    sign(&project);
    let mut service = Process::serve(&project, &[]);
    until_or("all are in step", || project.is_in_step(), || service.log());
    let (is_over, sent) = (AtomicBool::new(false), Mutex::new(Vec::<(String, String)>::new()));
    let phases = || -> BTreeMap<String, String> {
        project.standing().into_iter().map(|(name, phase, ..)| (name, phase)).collect()
    };
    let all = |names: &[&str], phase: &str| {
        let phases = phases();
        names.iter().all(|name| phases[&at_source(name)] == phase)
    };
    let named = |command: &str, names: &[&str], more: &[&str]| {
        let mut arguments: Vec<String> = vec!["switch".to_owned(), command.to_owned()];
        arguments.extend(names.iter().flat_map(|name| ["--mailbox".to_owned(), at_source(name)]));
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        project.run(&arguments)
    };
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut chance = Chance::new(7);
            while !is_over.load(Ordering::Relaxed) {
                let name = CROWD[chance.below(CROWD.len() as u64) as usize];
                let to = if chance.below(2) == 0 { at_source(name) } else { at_target(name) };
                let mark = sites.send(&to);
                sent.lock().unwrap().push((name.to_owned(), mark));
                thread::sleep(Duration::from_millis(25));
            }
        });
        let schedule = |names: &[&str]| {
            let said = named("schedule", names, &["--at", "now"]);
            assert_eq!(said.code, 0, "{said:?}");
            until_or(
                "a group is switched",
                || all(names, "switched"),
                || format!("{}\n{}", project.run(&["switch", "show"]).out, service.log()),
            );
        };
        schedule(&["ann", "ben", "cyd"]);
        // The command line beside the service: whoever holds a mailbox goes on, the other one waits.
        let undone = named("undo", &["ann", "cyd"], &["--reason", "the diary does not open"]);
        assert!([0, 1].contains(&undone.code), "{undone:?}");
        until("they are back", || all(&["ann", "cyd"], "in-step"));
        schedule(&["dee", "eva", "fay"]);
        schedule(&["ann", "cyd", "gus", "hal"]);
        is_over.store(true, Ordering::Relaxed);
        writer.join().unwrap();
    });
    let sent = sent.into_inner().unwrap();
    assert!(sent.len() > 100, "{}", sent.len());
    sites.settle();
    let judge = || -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, mark) in &sent {
            let (copies, side) = (sites.copies(name, mark), usize::from(!STAY.contains(&name.as_str())));
            if copies[side] != 1 {
                wrong.push(format!("{name} {mark}: {copies:?}"));
            }
        }
        wrong
    };
    // What came to the source last is followed yet.
    let mut wrong = judge();
    for _ in 0..60 {
        if wrong.is_empty() {
            break;
        }
        thread::sleep(Duration::from_secs(1));
        wrong = judge();
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}\n{}",
        wrong.len(),
        sent.len(),
        project.run(&["switch", "show"]).out
    );
    assert_eq!(sites.astray(), []);
    let stopped = service.stop();
    assert_eq!(stopped.code, 0, "{stopped:?}");
    done(&project, &["routing", "check"]);
}
