//! People are turned over and taken back, and their mail follows them.

use conformance::{servers::Knot, sieve_talk::SieveTalk};
use journeys::{
    project::Project,
    service::{Process, until, until_or},
    sites::{Sites, at_source, at_target},
    store::PASSWORD,
};
use rehearsal::Chance;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
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

/// Of somebody whose mail the source sends on already nothing is copied: it would lie on the target twice.
#[test]
fn nothing_is_copied_of_somebody_whose_mail_is_sent_on_already() {
    let Some((sites, project)) = world() else { return };
    let before = sites.send(&at_source("ann"));
    let rule = "require [\"copy\"];\nredirect :copy \"ann@nation.test\";\n";
    let mut scripts = SieveTalk::log_in(sites.local.sieve_port(), &at_source("ann"), PASSWORD);
    scripts.put("own", rule.as_bytes());
    scripts.activate("own");
    let ran = project.run(&["sync"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let found = done(&project, &["forwarder", "list"]);
    assert_eq!((&found["others"][0]["to"], &found["others"][0]["owner"]), (&at_target("ann").into(), &"person".into()));
    let standing: BTreeMap<_, _> = project.standing().into_iter().map(|(name, phase, ..)| (name, phase)).collect();
    assert_eq!((&*standing[&at_source("ann")], &*standing[&at_source("ben")]), ("planned", "in-step"), "others go on");
    let shown = project.run(&["status"]);
    assert!(shown.out.contains("sent on by script"), "{shown:?}");
    assert_eq!(sites.copies("ann", &before), [1, 0]);
    scripts.put("own", b"keep;\n");
    done(&project, &["sync"]);
    assert_eq!(sites.copies("ann", &before), [1, 1]);
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
                let mut sent = sent.lock().unwrap();
                sent.push((name.to_owned(), mark));
                // On a slow machine it goes on for longer, with no more of it.
                let pause = if sent.len() < 400 { 25 } else { 250 };
                drop(sent);
                thread::sleep(Duration::from_millis(pause));
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
    // What the source answers by itself for who is switched leads to the new address; for the others nothing is answered.
    let answers = named("answer", &["ann", STAY[0]], &[]);
    assert_eq!(answers.code, 0, "{answers:?}");
    assert!(answers.out.contains(&format!("Please write to {}", at_target("ann"))), "{answers:?}");
    assert!(answers.out.contains(&format!("{}: not switched", at_source(STAY[0]))), "{answers:?}");
    sites.settle();
    let judge = || -> Vec<String> {
        let mut wrong = Vec::new();
        for name in CROWD {
            let (marks, side) = (sites.marks(name), usize::from(!STAY.contains(&name)));
            for (_, mark) in sent.iter().filter(|(whose, _)| whose == name) {
                let copies = marks.each_ref().map(|marks| marks.get(mark).copied().unwrap_or_default());
                if copies[side] != 1 {
                    wrong.push(format!("{name} {mark}: {copies:?}"));
                }
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

/// `switch now` and `switch undo` killed at any moment, and run again: each message comes once, and nobody stays in between.
#[test]
fn a_switch_that_is_killed_goes_on_where_it_was() {
    let Some((sites, project)) = world() else { return };
    let to_ann = [at_source("ann"), at_target("ann")];
    done(&project, &["forwarder", "add"]);
    sign(&project);
    done(&project, &["sync"]);
    let mut sent = Vec::new();
    let mut chance = Chance::new(11);
    for round in 0..2 {
        for way in [
            &["switch", "now", "--mailbox", &to_ann[0]][..],
            &["switch", "undo", "--mailbox", &to_ann[0], "--reason", "why"],
        ] {
            let is_back = way[1] == "undo";
            let mut kills = 0;
            loop {
                sent.extend(to_ann.iter().map(|address| sites.send(address)));
                let mut child = project.command(way).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                let patience = Duration::from_millis(30 + chance.below(900) + 400 * kills);
                let begun = Instant::now();
                let ended = loop {
                    if let Some(status) = child.try_wait().unwrap() {
                        break Some(status);
                    }
                    if begun.elapsed() > patience {
                        child.kill().unwrap();
                        child.wait().unwrap();
                        break None;
                    }
                    thread::sleep(Duration::from_millis(5));
                };
                kills += 1;
                let phase = phase(&done(&project, &["switch", "list"]), "ann");
                let is_there = if is_back { phase == "copying" || phase == "in-step" } else { phase == "switched" };
                if is_there {
                    break;
                }
                assert!(kills < 40, "{round}, {way:?}: {ended:?}, {phase}: {}", project.run(&["switch", "show"]).out);
                if is_back && ended.is_some() {
                    // Nothing is left to be taken back.
                    break;
                }
                // It goes on with what was broken off, too; nobody is switched who is not in step again.
                project.run(&["sync"]);
            }
            until("it is at rest", || project.run(&["sync"]).code == 0);
        }
    }
    done(&project, &["switch", "now", "--mailbox", &to_ann[0]]);
    sites.settle();
    done(&project, &["sync"]);
    let marks = sites.marks("ann");
    for mark in &sent {
        let copies = marks.each_ref().map(|marks| marks.get(mark).copied().unwrap_or_default());
        assert_eq!(copies[1], 1, "{mark}: {copies:?}");
        assert!(copies[0] <= 1, "{mark}: {copies:?}");
    }
    assert_eq!(sites.astray(), []);
    done(&project, &["routing", "check"]);
}

/// What the DNS says of a legacy domain is read, and nothing may change before what it needs is there.
#[test]
fn mx_records_stay_until_everybody_is_switched_and_the_change_is_approved() {
    const ZONE: &str = "@ 3600 IN SOA ns.hill.test. admin.hill.test. 1 3600 600 86400 300\n@ 3600 IN NS ns.hill.test.\n\
        ns 3600 IN A 127.0.0.1\n@ 3600 IN MX 10 mail.hill.test.\nmail 3600 IN A 127.0.0.1\n\
        @ 3600 IN TXT \"v=spf1 mx -all\"\n";
    let Some(dns) = Knot::start(&[("hill.test", ZONE)]) else { return };
    let Some((sites, project)) = world() else { return };
    let text = std::fs::read_to_string(project.path().join("whimbrel.toml")).unwrap();
    let mx = format!(
        "\n[mx]\nresolvers = [\"{}\"]\n[mx.domains.\"hill.test\"]\nmx = [\"10 mx.nation.test\"]\nlocal_hosts = [\"mail.hill.test\"]\n",
        dns.address()
    );
    std::fs::write(project.path().join("whimbrel.toml"), text + &mx).unwrap();
    let checked = done(&project, &["mx", "check"]);
    assert!(checked["domains"][0]["says"][0]["lines"].to_string().contains("mail.hill.test"), "{checked:#}");
    let plan = || project.json(&["mx", "plan", "hill.test"]);
    let gaps = |report: &Value| report["domains"][0]["gaps"].to_string();
    let (code, planned) = plan();
    assert_eq!(code, 3, "{planned:#}");
    let found = gaps(&planned);
    assert!(found.contains("no approved request") && found.contains("not switched"), "{found}");
    done(
        &project,
        &["mx", "record", "hill.test", "--approved", "2026-12-05", "--by", "Sue Roe", "--reference", "RFC-4711"],
    );
    assert!(!gaps(&plan().1).contains("no approved request"));
    let wrong = project.run(&["mx", "record", "hill.test", "--months", "24", "--by", "Sue", "--reference", "letter"]);
    assert_eq!(wrong.code, 3, "{wrong:?}");

    // A date stays where a switch at once is refused.
    let ann = at_source("ann");
    done(&project, &["sync"]);
    done(&project, &["switch", "schedule", "--at", "2040-01-02T20:00", "--mailbox", &ann]);
    assert_eq!(project.run(&["switch", "now", "--mailbox", &ann]).code, 3);
    let listed = done(&project, &["switch", "list"]);
    assert!(listed.to_string().contains("over, from 2040-01-02"), "{listed:#}");
    // Once mail for the old address comes to the target nobody is taken back: it would be refused there.
    sign(&project);
    done(&project, &["switch", "now", "--mailbox", &ann]);
    dns.replace(
        "hill.test",
        &ZONE.replace("MX 10 mail.hill.test.", "MX 10 mx.nation.test.").replace(" 1 3600", " 2 3600"),
    );
    let moved = || project.json(&["mx", "check"]).1["domains"][0]["says"][0]["lines"].to_string();
    until("the change is seen", || moved().contains("mx.nation.test"));
    let refused = project.run(&["switch", "undo", "--mailbox", &ann, "--reason", "she can't open it"]);
    assert!(refused.code == 3 && refused.err.contains("MX records") && refused.err.contains(&ann), "{refused:?}");
    assert_eq!(phase(&done(&project, &["switch", "list"]), "ann"), "switched");
    drop(sites);
}
