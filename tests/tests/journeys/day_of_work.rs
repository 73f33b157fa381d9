//! An undo after a day of work on the target leaves both sides whole, and a second switch doubles nothing: two real
//! sites, a client on each side that is none of the program's, and the independent judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use conformance::talk::Talk;
use journeys::{
    estate::{Estate, Origin, Sent, Side, Writer, new, old},
    judge::{Judge, Verdict},
    project::Project,
};
use rehearsal::Chance;
use serde_json::Value;

const PEOPLE: usize = 2;
/// Who works.
const ANN: usize = 1;
/// How long mail may take to be where it belongs, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const SWITCH: &str = "drain_quiet_seconds = 1\nretry_seconds = 1";

fn done(project: &Project, arguments: &[&str]) -> Value {
    let (code, report) = project.json(arguments);
    assert_eq!(code, 0, "{arguments:?}: {report:#}");
    report
}

/// The mark of a message that a client puts somewhere by itself.
fn own(number: u32) -> String {
    format!("mark-{number:016x}-")
}

/// What is done by somebody's mail program.
struct Client {
    talk: Talk,
    separator: char,
}

impl Client {
    fn start(estate: &Estate, side: Side) -> Self {
        let mut talk = estate.client(ANN, side);
        let listed = talk.ok("LIST \"\" \"\"").text();
        let separator = listed.split('"').nth(1).and_then(|text| text.chars().next()).expect("it has one");
        Self { talk, separator }
    }

    fn append(&mut self, folder: &str, options: &str, number: u32) {
        let mark = own(number);
        let message = format!(
            "From: <{}>\r\nSubject: {mark}\r\nMessage-ID: <{mark}@clients.test>\r\n\
             Date: Mon, 02 Nov 2026 09:00:00 +0000\r\n\r\n{mark}\r\n",
            old(ANN)
        );
        assert!(self.talk.append(folder, options, message.as_bytes()).is_ok());
    }

    /// Opens a folder and finds the message of this mark there.
    fn find(&mut self, folder: &str, mark: &str) -> Option<u32> {
        self.talk.ok(&format!("SELECT \"{folder}\""));
        let found = self.talk.ok(&format!("UID SEARCH HEADER SUBJECT \"{mark}\""));
        let numbers = found.of("SEARCH").next().unwrap_or_default().trim_start_matches("SEARCH").trim().to_owned();
        numbers.split(' ').next().and_then(|number| number.parse().ok())
    }

    /// Does this to a message, which is there.
    fn to(&mut self, folder: &str, mark: &str, command: &str, what: &str) {
        let uid = self.find(folder, mark).unwrap_or_else(|| panic!("{mark} is not in {folder}"));
        self.talk.ok(&format!("UID {command} {uid} {what}"));
    }

    fn expunge(&mut self, folder: &str, mark: &str) {
        self.to(folder, mark, "STORE", "+FLAGS.SILENT (\\Deleted)");
        self.talk.ok("EXPUNGE");
    }

    fn flags(&mut self, folder: &str, mark: &str) -> String {
        let uid = self.find(folder, mark).unwrap_or_else(|| panic!("{mark} is not in {folder}"));
        self.talk.ok(&format!("UID FETCH {uid} (FLAGS)")).of("FETCH").next().unwrap_or_default().to_owned()
    }

    /// The name of a folder below another.
    fn below(&self, folder: &str, name: &str) -> String {
        format!("{folder}{}{name}", self.separator)
    }
}

struct World<'e> {
    estate: &'e Estate,
    project: Project,
    writer: Writer<'e>,
    chance: Chance,
    /// Marks of messages that somebody has removed since.
    gone: BTreeSet<String>,
}

impl World<'_> {
    /// Somebody writes to both addresses, from everywhere. The marks.
    fn post(&mut self) -> Vec<String> {
        let before = self.writer.sent().len();
        for origin in [Origin::Outside, Origin::Local, Origin::National] {
            for to in [old(ANN), new(ANN)] {
                self.writer.write(origin, &to, &mut self.chance);
            }
        }
        self.writer.sent()[before..].iter().map(|sent| sent.mark.clone()).collect()
    }

    /// All that was posted is where it belongs, and nothing was sent elsewhere or back.
    fn arrives(&self, side: Side) {
        let side_of = |number| if number == ANN { side } else { Side::Source };
        let is_left = |sent: &Sent| !self.gone.contains(&sent.mark);
        let sent: Vec<Sent> = self.writer.sent().into_iter().filter(is_left).collect();
        let begun = Instant::now();
        loop {
            let wrong = self.estate.wrong(&sent, &self.writer.turns(), &side_of);
            if wrong.is_empty() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{wrong:#?}\n{}", self.estate.state());
            thread::sleep(Duration::from_millis(500));
            done(&self.project, &["sync"]);
        }
        assert_eq!(self.estate.astray(), []);
        assert_eq!(self.estate.bounced(), Vec::<String>::new());
    }

    fn switch(&self) {
        done(&self.project, &["switch", "now", "--mailbox", &old(ANN), "--by", "Sue Roe"]);
        assert_eq!(self.estate.with_old_address(), [ANN].into());
        self.writer.turned(&[ANN]);
    }

    /// What the judge says of this side, if the other one is to hold all that it does.
    fn judge(&self, all_of: Side, is_in: Side) -> Verdict {
        let [all, held] = [all_of, is_in].map(|side| self.estate.judged(ANN, side));
        Judge::new().only_source_subset().person("ann", all, held).compare().expect("Python is here")
    }

    /// How often each message lies on a side, in whatever folders.
    fn counts(&self, side: Side) -> BTreeMap<String, usize> {
        self.estate.found(ANN, side).marks.into_iter().map(|(mark, routes)| (mark, routes.len())).collect()
    }
}

/// What the judge names of a person's folders that one side holds more.
fn allowed(verdict: &Verdict) -> Vec<String> {
    let one = |value: &&Value| format!("{} {}", value["kind"].as_str().unwrap_or_default(), value["folder"]);
    let mut all: Vec<String> = verdict.allowed("ann").iter().map(one).collect();
    all.sort();
    all
}

#[test]
fn an_undo_after_a_day_of_work_leaves_both_sides_whole() {
    let Some(estate) = Estate::start(PEOPLE) else { return };
    let project = estate.project("", SWITCH);
    let writer = Writer::new(&estate);
    let mut world = World { estate: &estate, project, writer, chance: Chance::new(184), gone: BTreeSet::new() };
    world.writer.is_live.store(true, Ordering::SeqCst);
    let mut laptop = Client::start(&estate, Side::Source);
    for folder in ["Projects", "Sent", "Drafts"] {
        laptop.talk.ok(&format!("CREATE \"{folder}\""));
    }
    for number in 1..=8 {
        laptop.append("INBOX", if number % 2 == 0 { "(\\Seen)" } else { "" }, number);
    }
    for number in 11..=14 {
        laptop.append("Projects", "(\\Seen $work) \"02-Nov-2025 09:00:00 +0000\"", number);
    }
    laptop.append("Sent", "(\\Seen)", 21);
    done(&world.project, &["people", "sync"]);
    for rule in ["go", "sharing-in-place", "address-books", "account-activated", "match-signed-off"] {
        done(&world.project, &["signoff", "record", rule, "--by", "Sue Roe", "--evidence", "the minutes of Monday"]);
    }
    done(&world.project, &["forwarder", "add"]);
    done(&world.project, &["sync"]);
    world.post();
    world.arrives(Side::Source);
    done(&world.project, &["sync"]);
    world.switch();

    // A laptop that was away brings to the source what was done on it: what is new comes over, flags and removals do not.
    laptop.talk.ok("CREATE \"Laptop\"");
    laptop.append("INBOX", "", 31);
    laptop.append("Laptop", "(\\Seen)", 32);
    laptop.to("INBOX", &own(2), "STORE", "+FLAGS.SILENT (\\Flagged)");
    laptop.expunge("INBOX", &own(3));
    done(&world.project, &["sync"]);
    let at_target = world.counts(Side::Target);
    for number in [3, 31, 32] {
        assert_eq!(at_target.get(&own(number)), Some(&1), "{number}: {}", world.project.run(&["switch", "show"]).out);
    }
    let mut client = Client::start(&estate, Side::Target);
    assert!(!client.flags("INBOX", &own(2)).contains("\\Flagged"));

    morning(&mut world, &mut client);
    done(&world.project, &["sync"]);
    afternoon(&mut world, &mut client);
    done(&world.project, &["switch", "undo", "--mailbox", &old(ANN), "--reason", "the diary does not open"]);
    world.writer.turned(&[ANN]);
    assert_eq!(estate.with_old_address(), BTreeSet::new());

    // All that is on the target is at the source, each once; only what was removed on either side is on the other one alone.
    let verdict = world.judge(Side::Target, Side::Source);
    assert_eq!(verdict.kinds("ann"), ["missing INBOX"], "removed by the laptop, which nobody follows: {verdict:?}");
    assert_eq!(allowed(&verdict), ["extra [\"INBOX\"]"], "removed by her on the target: {verdict:?}");
    assert!(laptop.flags("INBOX", &own(2)).contains("\\Flagged"), "what was done at the source is there");
    world.post();
    world.arrives(Side::Source);

    // The source rules again, and what it has lost while it was left waits for a word.
    done(&world.project, &["sync"]);
    done(&world.project, &["held", "approve", "--all"]);
    done(&world.project, &["sync"]);
    let verdict = world.judge(Side::Target, Side::Source);
    assert!(verdict.is_equal(), "{verdict:?}");
    let at_source = world.counts(Side::Source);
    world.switch();
    let marks = world.post();
    world.arrives(Side::Target);
    let verdict = world.judge(Side::Source, Side::Target);
    assert_eq!(verdict.kinds("ann"), ["missing INBOX"], "removed by her on the target: {verdict:?}");
    let mut expected = at_source;
    expected.remove(&own(6));
    expected.extend(marks.into_iter().map(|mark| (mark, 1)));
    assert_eq!(world.counts(Side::Target), expected, "nothing is doubled and nothing lost");
    done(&world.project, &["routing", "check"]);
}

/// She files, flags, removes and writes, and mail comes.
fn morning(world: &mut World<'_>, client: &mut Client) {
    let posted = world.post();
    world.arrives(Side::Target);
    let year = client.below("Rota", "2026");
    client.talk.ok("CREATE Rota");
    client.talk.ok(&format!("CREATE \"{year}\""));
    client.append("Sent", "(\\Seen)", 41);
    client.append(&year, "(\\Seen $urgent) \"01-Dec-2025 10:00:00 +0100\"", 42);
    // A draft, and the next version of it.
    client.append("Drafts", "(\\Draft \\Seen)", 43);
    client.append("Drafts", "(\\Draft \\Seen)", 44);
    client.expunge("Drafts", &own(43));
    client.to("INBOX", &own(1), "STORE", "+FLAGS.SILENT (\\Flagged \\Answered)");
    client.to("INBOX", &own(4), "STORE", "-FLAGS.SILENT (\\Seen)");
    client.to("INBOX", &own(5), "MOVE", "Rota");
    client.to("INBOX", &posted[0], "MOVE", "Projects");
    client.to("INBOX", &posted[1], "STORE", "+FLAGS.SILENT (\\Seen $later)");
    client.expunge("INBOX", &own(6));
    client.expunge("INBOX", &posted[2]);
    world.gone.insert(posted[2].clone());
}

/// And goes on, after the program has looked.
fn afternoon(world: &mut World<'_>, client: &mut Client) {
    let posted = world.post();
    world.arrives(Side::Target);
    client.to("INBOX", &own(7), "COPY", "Rota");
    client.to("INBOX", &posted[3], "MOVE", "Rota");
    client.to("Projects", &own(11), "MOVE", "INBOX");
    client.to("Projects", &own(12), "STORE", "+FLAGS.SILENT (\\Flagged)");
    client.append("Drafts", "(\\Draft)", 45);
    client.append("INBOX", "", 46);
    client.expunge("INBOX", &posted[4]);
    world.gone.insert(posted[4].clone());
}
