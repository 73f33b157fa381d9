//! No blackout: sixty people of a Postfix and Dovecot with Active Directory go to a Postfix and Cyrus with OpenLDAP in
//! three collections, some of them back and over again, while everybody writes to them all the time, and at the end the MX records
//! follow. Nothing is lost, doubled, sent in a circle or sent back.

use std::{
    collections::BTreeSet,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use journeys::{
    estate::{Estate, LOCAL, OUTSIDE, Origin, Side, Writer, new, old},
    project::Project,
    service::{Process, until_every},
};
use rehearsal::Chance;
use serde_json::Value;

const PEOPLE: usize = 60;
const COLLECTIONS: [(&str, std::ops::RangeInclusive<usize>); 3] =
    [("first", 1..=20), ("second", 21..=40), ("third", 41..=60)];
/// Who is taken back and turned over again.
const BACK: [usize; 5] = [1, 4, 7, 12, 20];
/// How many of each collection get a message late.
const LATE: usize = 4;
/// How long all mail may take to be where it belongs, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at all sixty.
const PAUSE: Duration = Duration::from_secs(1);
const TOP: &str = "people_at_once = 8\nservice = { cycle_seconds = 4, turn_seconds = 5, parked_retry_seconds = 2 }";
const SWITCH: &str = "drain_quiet_seconds = 1\nretry_seconds = 1";

fn done(project: &Project, arguments: &[&str]) -> Value {
    let (code, report) = project.json(arguments);
    assert_eq!(code, 0, "{arguments:?}: {report:#}");
    report
}

/// The same words about many mailboxes.
fn named(project: &Project, words: &[&str], numbers: &[usize], more: &[&str]) -> (i32, Value) {
    let names: Vec<String> = numbers.iter().map(|number| old(*number)).collect();
    let chosen = names.iter().flat_map(|name| ["--mailbox", name.as_str()]);
    let arguments: Vec<&str> = words.iter().copied().chain(chosen).chain(more.iter().copied()).collect();
    project.json(&arguments)
}

fn are_all(project: &Project, numbers: &[usize], phases: &[&str]) -> bool {
    let standing = project.standing();
    let phase = |name: &str| standing.iter().find(|(who, ..)| who == name).map(|(_, phase, ..)| phase.clone());
    numbers.iter().all(|number| phase(&old(*number)).is_some_and(|phase| phases.contains(&phase.as_str())))
}

/// Waits until every message is where its person looks, for each that was sent before.
fn judge(estate: &Estate, writer: &Writer<'_>, side_of: &dyn Fn(usize) -> Side, more: &dyn Fn() -> String) {
    let sent = writer.sent();
    let begun = Instant::now();
    loop {
        let wrong = estate.wrong(&sent, &writer.turns(), side_of);
        if wrong.is_empty() {
            println!("{} messages were judged", sent.len());
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{} things are wrong with {} messages: {:#?}\n{}\n{}",
            wrong.len(),
            sent.len(),
            &wrong[..wrong.len().min(20)],
            estate.state(),
            more()
        );
        thread::sleep(PAUSE * 2);
    }
}

/// The MX records of the source's domain are asked about, and moved once nothing stands against it but time.
fn move_mx(estate: &Estate, project: &Project) {
    let plan = || project.json(&["mx", "plan", LOCAL]).1["domains"][0].clone();
    let found = plan()["gaps"].to_string();
    assert!(
        found.contains("no approved request") && !found.contains("not switched") && !found.contains("F1"),
        "{found}"
    );
    let record = ["mx", "record", LOCAL, "--approved", "2026-12-05", "--by", "Sue Roe", "--reference", "RFC-4711"];
    done(project, &record);
    assert!(!plan()["gaps"].to_string().contains("no approved request"));
    estate.take_over_domain();
    estate.move_mx();
    let looked = done(project, &["mx", "check", LOCAL]);
    assert!(looked["domains"][0]["says"][0]["lines"].to_string().contains("mx.nation.test"), "{looked:#}");
}

/// A message from each domain that has something to say against it is refused when it comes past the route.
fn forgeries_are_refused(estate: &Estate) {
    for outsider in OUTSIDE {
        let own = format!("someone@{}", outsider.domain);
        if outsider.has_spf {
            let said = estate.past_the_route(&own, &own, &new(1)).unwrap_err();
            assert!(said.starts_with("550 5.7.23"), "{}: {said}", outsider.domain);
        }
        if outsider.has_dmarc {
            let said = estate.past_the_route("someone@plain.test", &own, &new(1)).unwrap_err();
            assert!(said.starts_with("550 5.7.1"), "{}: {said}", outsider.domain);
        }
    }
}

#[test]
fn nobody_misses_a_message_between_two_real_sites() {
    let begun = Instant::now();
    let at = |what: &str| println!("{:>6.1} s: {what}", begun.elapsed().as_secs_f32());
    let Some(estate) = Estate::start(PEOPLE) else { return };
    let project = estate.project(TOP, SWITCH);
    at("both sites are there");
    forgeries_are_refused(&estate);
    for rule in ["go", "sharing-in-place", "address-books", "account-activated"] {
        done(&project, &["signoff", "record", rule, "--by", "Sue Roe", "--evidence", "the minutes of Monday"]);
    }
    for (name, who) in &COLLECTIONS {
        done(&project, &["collection", "create", name, "--start", "now", "--switch", "by-hand"]);
        let (code, report) = named(&project, &["collection", "add", name], &who.clone().collect::<Vec<_>>(), &[]);
        assert_eq!(code, 0, "{report:#}");
    }
    done(&project, &["forwarder", "add"]);
    let everybody: Vec<usize> = (1..=PEOPLE).collect();
    let writer = Writer::new(&estate);
    thread::scope(|scope| {
        let writers = [(Origin::Outside, 200), (Origin::Local, 400), (Origin::National, 400)];
        let mut threads = Vec::new();
        for (seed, (origin, pause)) in writers.into_iter().enumerate() {
            let writer = &writer;
            threads.push(scope.spawn(move || writer.write_from(origin, seed as u64, Duration::from_millis(pause))));
        }
        // Whatever fails below, those who write come to an end.
        let _over = Over(&writer);
        let mut service = Process::serve(&project, &[]);
        let told = || format!("{}\n{}", project.run(&["switch", "show"]).out, service.log());
        let forwards = || {
            let (_, list) = project.json(&["forwarder", "list"]);
            let lines = list["ours"].as_array().map(Vec::as_slice).unwrap_or_default();
            lines.iter().filter(|line| line["state"] == "on").count() == PEOPLE
        };
        until_every(PAUSE, "everybody's new account forwards", forwards, told);
        at("new addresses are given out");
        writer.is_live.store(true, Ordering::SeqCst);
        until_every(PAUSE, "everybody is in step", || are_all(&project, &everybody, &["in-step"]), told);
        at("everybody is in step");
        judge(&estate, &writer, &|_| Side::Source, &told);
        let (mut switched, mut chance) = (BTreeSet::new(), Chance::new(99));
        for (name, who) in &COLLECTIONS {
            let who: Vec<usize> = who.clone().collect();
            // Old addresses were looked up for these before they led elsewhere: they come to the source when it has been left.
            for number in &who[..LATE] {
                writer.write_late(*number, &mut chance);
            }
            done(&project, &["switch", "schedule", "--collection", name, "--at", "now", "--by", "Sue Roe"]);
            until_every(PAUSE, "a collection is switched", || are_all(&project, &who, &["switched"]), told);
            writer.turned(&who);
            switched.extend(who);
            at("a collection is switched");
            if *name == "first" {
                let (code, undone) =
                    named(&project, &["switch", "undo"], &BACK, &["--reason", "the diary does not open"]);
                assert!([0, 1].contains(&code), "{undone:#}");
                until_every(PAUSE, "some are back", || are_all(&project, &BACK, &["copying", "in-step"]), told);
                writer.turned(&BACK);
                switched.retain(|number| !BACK.contains(number));
                at("some are back");
            }
            estate.let_go();
            let side = |number| if switched.contains(&number) { Side::Target } else { Side::Source };
            judge(&estate, &writer, &side, &told);
            if *name == "second" {
                let refused = project.json(&["mx", "plan", LOCAL]);
                assert!(refused.0 == 3 && refused.1.to_string().contains("not switched"), "{refused:?}");
                let (code, report) = named(&project, &["switch", "schedule"], &BACK, &["--at", "now"]);
                assert_eq!(code, 0, "{report:#}");
                until_every(PAUSE, "they are switched again", || are_all(&project, &BACK, &["switched"]), told);
                writer.turned(&BACK);
                switched.extend(BACK);
                at("they are switched again");
            }
        }
        done(&project, &["routing", "check"]);
        move_mx(&estate, &project);
        writer.is_moved.store(true, Ordering::SeqCst);
        at("the MX records are moved");
        for number in 1..=PEOPLE {
            writer.write(Origin::Outside, &old(number), &mut chance);
        }
        writer.is_over.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().unwrap();
        }
        judge(&estate, &writer, &|_| Side::Target, &told);
        at("all is where it belongs");
        forgeries_are_refused(&estate);
        let stopped = service.stop();
        assert_eq!(stopped.code, 0, "{stopped:?}");
    });
    let sent = writer.sent();
    assert!(sent.iter().any(|one| one.after_move) && sent.len() > 10 * PEOPLE, "{}", sent.len());
    assert_eq!(estate.astray(), []);
    assert_eq!(estate.bounced(), Vec::<String>::new());
}

/// Ends those who write.
struct Over<'w>(&'w Writer<'w>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}
