//! Forty people, some of whom can't be moved: the others are, and each of the rest says why, on which side, and what to do
//! . And the few of them that a command is asked for.

use std::{collections::BTreeMap, fmt::Write};

use conformance::servers::{Dovecot, Format, Locked};
use journeys::{
    judge::Judge,
    mail::{SMALL, small},
    project::{Endpoint, Project},
    store::{MIGRATOR, PASSWORD, Store, assert_same_state},
};
use serde_json::Value;

/// Where somebody has an account.
#[derive(Clone, Copy, PartialEq)]
enum Has {
    Account,
    Locked(Locked),
    None,
}

/// Somebody who can't be moved.
struct Trouble {
    name: &'static str,
    /// What they have on the source and on the target.
    has: [Has; 2],
    /// Their own passwords on both sides, as people.csv gives them.
    passwords: &'static str,
    side: &'static str,
    /// What the reason tells.
    tells: &'static str,
}

const fn trouble(name: &'static str, has: [Has; 2], side: &'static str, tells: &'static str) -> Trouble {
    Trouble { name, has, passwords: ",", side, tells }
}

const THERE: Has = Has::Account;

/// All of them for a login that is refused.
const TROUBLES: [Trouble; 9] = [
    trouble("locked1", [Has::Locked(Locked::Denied), THERE], "source", "the store of locked1"),
    trouble("locked2", [Has::Locked(Locked::NoLogin), THERE], "source", "Account_is_locked"),
    trouble("locked3", [THERE, Has::Locked(Locked::Denied)], "target", "the store of locked3"),
    trouble("locked4", [THERE, Has::Locked(Locked::NoLogin)], "target", "Account_is_locked"),
    trouble("absent1", [Has::None, THERE], "source", "there is none of that name"),
    trouble("absent2", [THERE, Has::None], "target", "there is none of that name"),
    Trouble {
        passwords: "wrong-raspberry,",
        ..trouble("wrong1", [THERE, THERE], "source", "refuses the login of wrong1")
    },
    Trouble {
        passwords: ",wrong-raspberry",
        ..trouble("wrong2", [THERE, THERE], "target", "refuses the login of wrong2")
    },
    Trouble {
        passwords: "env:NOBODY_SET_THIS,",
        ..trouble("unset1", [THERE, THERE], "source", "NOBODY_SET_THIS is not set")
    },
];

/// Two rows of people.csv that reach one store, since the target does not look at domains.
const TWINS: [(&str, &str); 2] = [("twin1", "team"), ("twin2", "team@example.test")];

/// The mailboxes of a report by their name on the target.
fn by_target(report: &Value) -> BTreeMap<String, Value> {
    let mailboxes = report["mailboxes"].as_array().unwrap();
    mailboxes.iter().map(|mailbox| (mailbox["target"].as_str().unwrap().to_owned(), mailbox.clone())).collect()
}

fn start(accounts: &[(&str, Has)], format: Format, lines: &str) -> Option<Store> {
    let with = |builder: conformance::servers::DovecotBuilder, (name, has): &(&str, Has)| match has {
        Has::Account => builder.user(name, PASSWORD),
        Has::Locked(how) => builder.locked_user(name, PASSWORD, *how),
        Has::None => builder,
    };
    let builder = Dovecot::builder().format(format).extra(lines).master(MIGRATOR, PASSWORD);
    accounts.iter().fold(builder, with).start().map(Store::Dovecot)
}

/// Moves forty people from these sources.
fn forty_people(names_of_sources: &[&str]) {
    let good: Vec<String> = (0..40 - TROUBLES.len() - TWINS.len()).map(|number| format!("good{number}")).collect();
    // Whoever is on the source, with what they have there, their name on the target, and their passwords.
    let mut people: Vec<(&str, Has, &str, &str)> =
        good.iter().map(|name| (name.as_str(), THERE, name.as_str(), ",")).collect();
    for (number, trouble) in TROUBLES.iter().enumerate() {
        people.insert(number * 3, (trouble.name, trouble.has[0], trouble.name, trouble.passwords));
    }
    people.splice(7..7, TWINS.map(|(source, target)| (source, THERE, target, ",")));
    assert_eq!(people.len(), 40);

    let source_of = |place: usize| place % names_of_sources.len();
    let mut sources = Vec::new();
    for number in 0..names_of_sources.len() {
        let here = people.iter().enumerate().filter(|(place, _)| source_of(*place) == number);
        let accounts: Vec<(&str, Has)> = here.map(|(_, (name, has, ..))| (*name, *has)).collect();
        let Some(store) = start(&accounts, Format::Mdbox, "") else { return };
        for (name, _) in accounts.iter().filter(|(_, has)| *has == THERE) {
            store.fill(name, &small(name));
        }
        sources.push(store);
    }
    let mut accounts: Vec<(&str, Has)> = good.iter().map(|name| (name.as_str(), THERE)).collect();
    accounts.extend(TROUBLES.iter().map(|trouble| (trouble.name, trouble.has[1])));
    accounts.push(("team", THERE));
    let Some(target) = start(&accounts, Format::Maildir, "auth_username_format = %Ln") else { return };

    let endpoints = names_of_sources.iter().zip(&sources).map(|(name, store)| ((*name).to_owned(), store.endpoint()));
    let mut rows = "source,target,source_endpoint,source_password,target_password\n".to_owned();
    for (place, (name, _, on_target, passwords)) in people.iter().enumerate() {
        let _ = writeln!(rows, "{name},{on_target},{},{passwords}", names_of_sources[source_of(place)]);
    }
    let project = Project::of_several(endpoints.collect(), target.endpoint()).with("people_at_once = 4").people(&rows);

    // Those who are well are copied, and of the twins the one that came first.
    let (code, synced) = project.json(&["sync"]);
    assert_eq!(code, 1, "{synced:#}");
    let results = by_target(&synced);
    assert_eq!(results.len(), 40);
    for trouble in &TROUBLES {
        let result = &results[trouble.name];
        assert_eq!((&result["cause"], &result["side"]), (&"login".into(), &trouble.side.into()), "{result:#}");
        assert_eq!((&result["condition"], &result["copied"]), (&"parked".into(), &0.into()), "{result:#}");
        assert!(result["reason"].as_str().unwrap().contains(trouble.tells), "{result:#}");
        assert!(result["advice"].as_str().unwrap().contains("password"), "{result:#}");
    }
    let refused: Vec<_> = TWINS.iter().filter(|(_, name)| results[*name]["cause"] == "shared-store").collect();
    let [(refused, on_target)] = refused[..] else { panic!("one of two is refused: {synced:#}") };
    let reason = results[*on_target]["reason"].as_str().unwrap();
    let other = TWINS.iter().find(|(name, _)| name != refused).unwrap();
    assert!(reason.contains(other.1) && reason.contains(on_target), "{reason}");
    assert!(results[*on_target]["advice"].as_str().unwrap().contains("people.csv"), "{reason}");

    // The sums are right, in `sync` and in `status`.
    let done = (good.len() + 1) as u64;
    let expected = [("copied", done * SMALL), ("adopted", 0), ("failed", 0), ("mailboxes_failed", 40 - done)];
    for (sum, expected) in expected {
        assert_eq!(synced[sum], expected, "{sum}: {synced:#}");
    }
    let (code, status) = project.json(&["status"]);
    assert_eq!((code, &status["unaccounted"]), (0, &0.into()), "{status:#}");
    assert_eq!([&status["all"]["source"], &status["all"]["copied"]], [done * SMALL; 2], "{status:#}");
    let standing = by_target(&status);
    assert_eq!(standing.len(), 40);
    for (name, mailbox) in &standing {
        assert_eq!(mailbox["reason"], results[name]["reason"], "{mailbox:#}");
        let phase = if results[name]["cause"].is_null() { "in-step" } else { "copying" };
        assert_eq!(mailbox["phase"], phase, "{mailbox:#}");
    }

    // The judge finds them exact, each on their own side.
    let mut judge = Judge::new();
    for (place, (name, _, on_target, _)) in people.iter().enumerate() {
        if results[*on_target]["cause"].is_null() {
            let there = if on_target.starts_with("team") { "team" } else { on_target };
            judge = judge.person(name, sources[source_of(place)].side(name), target.side(there));
        }
    }
    let verdict = judge.compare().expect("Python is here");
    assert_eq!(verdict.sentence(), format!("{done} people, {} folders, {} items: equal.", done * 3, done * SMALL));

    // Again: the same are refused for the same reason, and nobody gets anything.
    let before: Vec<String> = good.iter().map(|name| target.state(name)).collect();
    let (code, again) = project.json(&["sync"]);
    assert_eq!((code, &again["copied"]), (1, &0.into()), "{again:#}");
    for (name, result) in by_target(&again) {
        assert_eq!(result["cause"], results[&name]["cause"], "{result:#}");
    }
    for (name, before) in good.iter().zip(before) {
        assert_same_state(&target.state(name), &before);
    }
}

#[test]
fn of_forty_people_the_good_ones_finish_and_the_others_say_why() {
    forty_people(&["local"]);
}

#[test]
fn of_forty_people_on_two_sources_the_good_ones_finish_and_the_others_say_why() {
    forty_people(&["local", "annex"]);
}

/// Whoever was there first stays, in whatever order people are looked at later.
#[test]
fn of_two_rows_that_reach_one_store_the_second_is_refused_for_good() {
    let Some(source) = Store::dovecot(Format::Maildir, &["twin1", "twin2"]) else { return };
    let Some(target) = start(&[("team", THERE)], Format::Mdbox, "auth_username_format = %Ln") else { return };
    for (name, _) in TWINS {
        source.fill(name, &small(name));
    }
    let project = Project::new(source.endpoint(), target.endpoint()).with("people_at_once = 1");
    let project = TWINS.iter().fold(project, |project, (name, there)| project.row(&format!("{name},{there}")));
    assert_eq!(project.run(&["sync", "--mailbox", "twin2"]).code, 0);
    for _ in 0..2 {
        let (code, synced) = project.json(&["sync"]);
        let results = by_target(&synced);
        assert_eq!((code, &synced["copied"]), (1, &0.into()), "{synced:#}");
        assert_eq!(results["team"]["cause"], "shared-store", "{synced:#}");
        assert_eq!(results["team@example.test"]["cause"], Value::Null, "{synced:#}");
    }
    let verdict = Judge::new().person("team", source.side("twin2"), target.side("team")).compare();
    let verdict = verdict.expect("Python is here");
    assert!(verdict.is_equal(), "{verdict:?}");
    // `check` sees it too.
    let (_, checked) = project.json(&["check", "--mailbox", "twin1", "--mailbox", "twin2"]);
    assert!(checked.to_string().contains("shared-store"), "{checked:#}");
}

/// The same name on two sources is two people.
#[test]
fn people_of_one_name_on_two_sources_are_two() {
    let stores = [(); 2].map(|()| Store::dovecot(Format::Maildir, &["ann"]));
    let ([Some(local), Some(annex)], Some(target)) = (stores, Store::dovecot(Format::Mdbox, &["ann1", "ann2"])) else {
        return;
    };
    local.fill("ann", &small("ann of local"));
    annex.fill("ann", &small("ann of annex"));
    let sources = vec![("local".to_owned(), local.endpoint()), ("annex".to_owned(), annex.endpoint())];
    let project = Project::of_several(sources, target.endpoint()).row("ann,ann1,local").row("ann,ann2,annex");
    assert_eq!(project.run(&["sync"]).code, 0);
    let judge = Judge::new().person("1", local.side("ann"), target.side("ann1"));
    let verdict = judge.person("2", annex.side("ann"), target.side("ann2")).compare().expect("Python is here");
    assert!(verdict.is_equal(), "{verdict:?}");
}

#[test]
fn only_the_mailboxes_and_the_collection_asked_for_are_worked_on() {
    let names = ["ann", "bob", "cyd", "dee"];
    let Some(source) = Store::dovecot(Format::Maildir, &names) else { return };
    for name in names {
        source.fill(name, &small(name));
    }
    let target = Store::maildir();
    let rows = "source,target,collection\nann,ann.new,first\nbob,bob.new,second\ncyd,cyd.new,second\ndee,dee.new,\n";
    let files = Endpoint::maildir(&format!("{}/{{target}}", target.maildir_of("").display()));
    let project = Project::new(source.endpoint(), files).people(rows);
    let worked_on = |arguments: &[&str]| {
        let (code, report) = project.json(arguments);
        assert_eq!(code, 0, "{report:#}");
        by_target(&report).into_keys().collect::<Vec<_>>()
    };
    // By the name on either side, in whatever case.
    assert_eq!(worked_on(&["sync", "--mailbox", "ann", "--mailbox", "CYD.new"]), ["ann.new", "cyd.new"]);
    assert_eq!(worked_on(&["sync", "--collection", "second"]), ["bob.new", "cyd.new"]);
    assert_eq!(worked_on(&["status", "--collection", "second"]), ["bob.new", "cyd.new"]);
    assert_eq!(worked_on(&["verify", "--collection", "second", "--mailbox", "bob"]), ["bob.new"]);
    assert_eq!(worked_on(&["discover", "--mailbox", "dee"]), ["dee.new"]);
    assert!(!target.maildir_of("dee.new").exists());

    for (arguments, advice) in [
        (["sync", "--mailbox", "anne"], "did you mean \"ann\"?"),
        (["verify", "--mailbox", "bob.nwe"], "did you mean \"bob.new\"?"),
        (["sync", "--mailbox", "zzz"], "column source or target"),
        (["status", "--collection", "secnd"], "did you mean \"second\"?"),
        (["sync", "--collection", "third place"], "known collections are first, second"),
    ] {
        let run = project.run(&arguments);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.contains(arguments[2]) && run.err.contains("people.csv"), "{run:?}");
        assert!(run.err.contains(advice), "{run:?}");
    }
}
