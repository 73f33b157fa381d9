//! No blackout: sixty people of a Postfix and Dovecot with Active Directory go to a Postfix and Cyrus with OpenLDAP in
//! three collections, some of them back and over again, while everybody writes to them all the time, and at the end the MX records
//! follow, once the plan says that they may. Nothing is lost, doubled, sent in a circle or sent back.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
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
/// Says another number of people, for faults that show with few: `tests/faults`.
const PEOPLE_VARIABLE: &str = "WHIMBREL_ESTATE_PEOPLE";
const COLLECTIONS: [&str; 3] = ["first", "second", "third"];
/// Who is taken back and turned over again, as far as they are in the first collection.
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

/// What is planned for the source's domain, and the state of the step that leads its mail to the target.
fn planned(project: &Project) -> (Value, String) {
    let plan = project.json(&["mx", "plan", LOCAL]).1["domains"][0].clone();
    let steps = plan["steps"].as_array().expect("it has steps");
    let change = steps.iter().find(|step| step["what"] == "change the MX records").expect("it is one of them");
    let state = change["state"].as_str().unwrap_or_default().to_owned();
    (plan, state)
}

/// The MX records of the source's domain are asked about, and moved once nothing at all stands against it.
fn move_mx(estate: &Estate, project: &Project) {
    let (plan, state) = planned(project);
    let gaps = plan["gaps"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(gaps.len() == 2 && gaps[0].to_string().contains("no approved request"), "{plan:#}");
    // The list is of the source alone: mail for it would be refused.
    assert!(gaps[1].to_string().contains("(1): ward@hill.test"), "{plan:#}");
    assert_eq!(state, "refused", "{plan:#}");
    estate.take_over_list();
    let record = ["mx", "record", LOCAL, "--approved", "2026-12-05", "--by", "Sue Roe", "--reference", "RFC-4711"];
    done(project, &record);
    let (plan, state) = planned(project);
    assert!(plan["gaps"].is_null() && plan["alarms"].is_null(), "{plan:#}");
    assert_eq!(state, "may", "{plan:#}");
    estate.take_over_domain();
    estate.move_mx();
    let looked = done(project, &["mx", "check", LOCAL]);
    assert!(looked["domains"][0]["says"][0]["lines"].to_string().contains("mx.nation.test"), "{looked:#}");
    let (plan, state) = planned(project);
    assert!(plan["gaps"].is_null() && plan["alarms"].is_null() && state == "done", "{plan:#}");
    // The redirects stay until old answers are gone and nothing comes to the old server any more.
    let last = plan["steps"].as_array().and_then(|steps| steps.last()).expect("it has steps");
    assert_eq!(last["state"], "waits", "{plan:#}");
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
    let people = std::env::var(PEOPLE_VARIABLE).map_or(PEOPLE, |people| people.parse().unwrap());
    let each = people / COLLECTIONS.len();
    let back: Vec<usize> = BACK.into_iter().filter(|number| *number <= each).collect();
    let at = |what: &str| println!("{:>6.1} s: {what}", begun.elapsed().as_secs_f32());
    let Some(estate) = Estate::start(people) else { return };
    let project = estate.project(TOP, SWITCH);
    at("both sites are there");
    forgeries_are_refused(&estate);
    done(&project, &["people", "sync"]);
    for rule in ["go", "sharing-in-place", "address-books", "account-activated", "match-signed-off"] {
        done(&project, &["signoff", "record", rule, "--by", "Sue Roe", "--evidence", "the minutes of Monday"]);
    }
    let collections: Vec<(&str, Vec<usize>)> = COLLECTIONS
        .iter()
        .enumerate()
        .map(|(number, name)| (*name, (number * each + 1..=(number + 1) * each).collect()))
        .collect();
    for (name, who) in &collections {
        done(&project, &["collection", "create", name, "--start", "now", "--switch", "by-hand"]);
        let (code, report) = named(&project, &["collection", "add", name], who, &[]);
        assert_eq!(code, 0, "{report:#}");
    }
    done(&project, &["forwarder", "add"]);
    let everybody: Vec<usize> = (1..=people).collect();
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
            lines.iter().filter(|line| line["state"] == "on").count() == people
        };
        until_every(PAUSE, "everybody's new account forwards", forwards, told);
        at("new addresses are given out");
        writer.is_live.store(true, Ordering::SeqCst);
        until_every(PAUSE, "everybody is in step", || are_all(&project, &everybody, &["in-step"]), told);
        at("everybody is in step");
        judge(&estate, &writer, &|_| Side::Source, &told);
        let (mut switched, mut chance) = (BTreeSet::new(), Chance::new(99));
        for (name, who) in &collections {
            // Old addresses were looked up for these before they led elsewhere: they come to the source when it has been left.
            for number in &who[..LATE.min(each)] {
                writer.write_late(*number, &mut chance);
            }
            done(&project, &["switch", "schedule", "--collection", name, "--at", "now", "--by", "Sue Roe"]);
            until_every(PAUSE, "a collection is switched", || are_all(&project, who, &["switched"]), told);
            writer.turned(who);
            switched.extend(who.iter().copied());
            at("a collection is switched");
            if *name == "first" {
                let (code, undone) =
                    named(&project, &["switch", "undo"], &back, &["--reason", "the diary does not open"]);
                assert!([0, 1].contains(&code), "{undone:#}");
                until_every(PAUSE, "some are back", || are_all(&project, &back, &["copying", "in-step"]), told);
                writer.turned(&back);
                switched.retain(|number| !back.contains(number));
                at("some are back");
            }
            // Old addresses are on the accounts of whoever is over, and an undo has taken them off.
            assert_eq!(estate.with_old_address(), switched, "{}", told());
            estate.let_go();
            let side = |number| if switched.contains(&number) { Side::Target } else { Side::Source };
            judge(&estate, &writer, &side, &told);
            if *name == "second" {
                let refused = project.json(&["mx", "plan", LOCAL]);
                assert!(refused.0 == 3 && refused.1.to_string().contains("not switched"), "{refused:?}");
                let (code, report) = named(&project, &["switch", "schedule"], &back, &["--at", "now"]);
                assert_eq!(code, 0, "{report:#}");
                until_every(PAUSE, "they are switched again", || are_all(&project, &back, &["switched"]), told);
                writer.turned(&back);
                switched.extend(&back);
                at("they are switched again");
            }
        }
        done(&project, &["routing", "check"]);
        move_mx(&estate, &project);
        writer.is_moved.store(true, Ordering::SeqCst);
        at("the MX records are moved");
        for number in 1..=people {
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
    assert!(sent.iter().any(|one| one.after_move) && sent.len() > 10 * people, "{}", sent.len());
    assert_eq!(estate.astray(), []);
    assert_eq!(estate.bounced(), Vec::<String>::new());
}

/// `tests/faults/show` puts faults into the program and requires that the test above fails: they are to fit the program as it is.
#[test]
fn the_faults_that_are_to_be_found_fit_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files = fs::read_dir(root.join("tests/faults")).unwrap().map(|entry| entry.unwrap().path());
    let patches: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "patch")).collect();
    assert!(patches.len() >= 4, "{patches:?}");
    for patch in patches {
        let mut apply = Command::new("git");
        let Ok(output) = apply.args(["apply", "--check"]).arg(&patch).current_dir(root).output() else {
            conformance::servers::left_out("git is not here: apt-get install --no-install-recommends git");
            return;
        };
        assert!(output.status.success(), "{patch:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Ends those who write.
struct Over<'w>(&'w Writer<'w>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}
