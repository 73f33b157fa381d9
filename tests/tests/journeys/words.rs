//! What waits for a person's word, the words, and the sums of `status`: by the command line.

use conformance::servers::Format;
use journeys::{
    mail::{Folder, Message, numbered},
    pair::{put, remove},
    project::{Project, Run},
    store::Store,
};
use serde_json::Value;

/// Seven items of INBOX: two that the target can't hold, one that may be there already, four that travel. And two in Work.
struct Waiting {
    source: Store,
    target: Store,
    project: Project,
}

fn waiting(top: &str, in_use: &str) -> Option<Waiting> {
    let source = Store::maildir();
    let target = Store::dovecot(Format::Maildir, &["alice"])?;
    let with = |number: usize, text: &[u8]| {
        let mut message = numbered(number);
        message.bytes.extend_from_slice(text);
        message
    };
    let folder = |name: &str, messages: Vec<Message>| Folder { path: vec![name.to_owned()], messages };
    let mut inbox: Vec<Message> = (0..5).map(numbered).collect();
    inbox.extend([with(5, b"nul \0\r\n"), with(6, b"nul \0\r\n")]);
    source.fill("alice", &[folder("INBOX", inbox), folder("Work", [20, 21].map(numbered).to_vec())]);
    target.fill("alice", &[folder("INBOX", vec![with(4, b"another body\r\n")])]);
    let project = Project::new(source.endpoint(), target.endpoint()).with(top);
    let project = project.people(&format!("source,target,target_in_use\nalice,alice,{in_use}\n"));
    let (code, synced) = project.json(&["sync"]);
    let fates = [&synced["copied"], &synced["failed"], &synced["held"]];
    assert_eq!((code, fates), (1, [&Value::from(6), &2.into(), &1.into()]), "{synced:#}");
    Some(Waiting { source, target, project })
}

impl Waiting {
    /// Removes items from the source's INBOX, by their numbers.
    fn remove_here(&self, numbers: &[usize]) {
        for number in numbers {
            let files = std::fs::read_dir(self.source.maildir_of("alice").join("cur")).unwrap();
            let text = format!("body number {number};");
            let holds =
                |path: &std::path::PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(&text);
            let file = files.map(|file| file.unwrap().path()).find(holds).unwrap();
            std::fs::remove_file(file).unwrap();
        }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.project.run(arguments)
    }

    /// What a list holds, as JSON, of this rule or cause.
    fn list(&self, name: &str, class: &str) -> Vec<Value> {
        let (code, list) = self.project.json(&[name, "list"]);
        assert_eq!((code, &list["schema"]), (0, &format!("whimbrel.{name}/1").into()), "{list:#}");
        let lines = list[name].as_array().unwrap();
        let key = if name == "held" { "rule" } else { "cause" };
        lines.iter().filter(|line| line[key] == class).cloned().collect()
    }

    fn there(&self) -> usize {
        self.target.uids("alice", "INBOX").len()
    }
}

fn reference(line: &Value) -> &str {
    line["reference"].as_str().unwrap()
}

/// Nothing is removed without a word.
const CAREFUL: &str = "[policy]\nremovals_free = 0\nremovals_max = 0";

#[test]
fn what_waits_is_listed_and_done_as_somebody_says() {
    let Some(waiting) = waiting(CAREFUL, "") else { return };
    waiting.remove_here(&[0, 1, 2]);
    let (_, synced) = waiting.project.json(&["sync"]);
    assert_eq!((&synced["removed"], &synced["removals_held"]), (&0.into(), &3.into()), "{synced:#}");
    let removals = waiting.list("held", "mass-disappearance");
    let [first, second, third] = &removals[..] else { panic!("{removals:#?}") };
    assert_eq!(
        (&first["waits"], &first["folder"], &first["mailbox"]),
        (&"removal".into(), &"INBOX".into(), &"alice".into())
    );
    let ambiguous = waiting.list("held", "ambiguous");
    assert_eq!((ambiguous.len(), &ambiguous[0]["waits"]), (1, &"item".into()));
    let text = waiting.run(&["held", "list"]).out;
    for line in removals.iter().chain(&ambiguous) {
        assert!(text.contains(reference(line)), "{text}");
    }
    assert!(text.contains("4 wait for a word") && text.contains("approve"), "{text}");

    // Words about nothing, or about what is not there, change nothing.
    for (arguments, tells) in [
        (&["held", "approve"][..], "nothing is chosen"),
        (&["held", "approve", "999/1"], "\"999/1\" is not in the list"),
        (&["held", "reject", reference(first), "nonsense"], "\"nonsense\" is not in the list"),
        (&["held", "list", "--mailbox", "alcie"], "did you mean \"alice\"?"),
    ] {
        let run = waiting.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?} {run:?}");
        assert!(run.err.contains(tells), "{arguments:?} {run:?}");
    }
    assert_eq!(waiting.list("held", "mass-disappearance"), removals);

    let (code, said) = waiting.project.json(&["held", "approve", reference(first), reference(second)]);
    assert_eq!((code, &said["said_of"], &said["word"]), (0, &2.into(), &"approve".into()), "{said:#}");
    let run = waiting.run(&["held", "reject", reference(third), "--by", "Kim", "--reason", "she wants to keep it"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("Said of 1 thing: reject"), "{run:?}");
    assert_eq!(waiting.run(&["held", "approve", "--rule", "ambiguous"]).code, 0);
    assert!(waiting.run(&["held", "list"]).out.contains("approved"));

    let before = waiting.there();
    let (_, synced) = waiting.project.json(&["sync"]);
    assert_eq!((&synced["removed"], &synced["copied"]), (&2.into(), &1.into()), "{synced:#}");
    assert_eq!(waiting.there(), before - 1);
    assert_eq!(waiting.run(&["held", "list"]).out.trim(), "Nothing waits for a word.");
    let (_, again) = waiting.project.json(&["sync"]);
    assert_eq!((&again["removed"], &again["copied"]), (&0.into(), &0.into()), "{again:#}");
}

#[test]
fn what_failed_is_listed_tried_again_and_its_loss_accepted_by_a_named_person() {
    let Some(waiting) = waiting("", "") else { return };
    let failed = waiting.list("failed", "nul");
    let [first, second] = &failed[..] else { panic!("{failed:#?}") };
    let run = waiting.run(&["failed", "list", "--cause", "nul"]);
    assert!(run.out.contains(reference(first)) && run.out.contains("2 items failed"), "{run:?}");

    for arguments in [
        &["failed", "accept", "--all"][..],
        &["failed", "accept", reference(first), "--by", "Kim"],
        &["failed", "accept", reference(first), "--reason", "an old joke"],
        &["failed", "accept", reference(first), "--by", " ", "--reason", " "],
    ] {
        let run = waiting.run(arguments);
        assert_eq!(run.code, 3, "{arguments:?} {run:?}");
        assert!(run.err.contains("R-008") && run.err.contains("--by NAME and --reason TEXT"), "{run:?}");
        let (code, error) = waiting.project.json(arguments);
        assert_eq!((code, &error["rule"], &error["exit"]), (3, &"R-008".into(), &3.into()), "{error:#}");
    }
    for (arguments, tells) in [
        (&["failed", "retry"][..], "nothing is chosen"),
        (&["failed", "retry", "1/999"], "\"1/999\" is not in the list"),
        (&["failed", "list", "--cause", "null"], "did you mean \"nul\"?"),
        (&["failed", "accept", "1/999", "--by", "Kim", "--reason", "x"], "\"1/999\" is not in the list"),
    ] {
        let run = waiting.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?} {run:?}");
        assert!(run.err.contains(tells), "{arguments:?} {run:?}");
    }
    assert_eq!(waiting.list("failed", "nul"), failed, "nothing was changed");

    let accept = ["failed", "accept", reference(first), "--by", "Kim Example", "--reason", "an old joke"];
    assert_eq!(waiting.project.json(&accept).1["said_of"], 1);
    let retry = ["failed", "retry", reference(second)];
    assert_eq!(waiting.project.json(&retry).1["said_of"], 1);
    let (code, synced) = waiting.project.json(&["sync"]);
    assert_eq!((code, &synced["copied"]), (1, &0.into()), "{synced:#}");
    let now = waiting.list("failed", "nul");
    let line = |wanted: &Value| now.iter().find(|line| line["reference"] == wanted["reference"]).unwrap();
    assert_eq!(
        (&line(first)["accepted_by"], &line(first)["accepted_why"]),
        (&"Kim Example".into(), &"an old joke".into())
    );
    assert!(line(second)["tries"].as_i64() > second["tries"].as_i64(), "{now:#?}");
    assert!(waiting.run(&["failed", "list"]).out.contains("accepted by Kim Example: an old joke"));

    // Once all is accepted or decided, the mailbox is in step and the copy is exact, what is left behind counted apart.
    let accept = ["failed", "accept", "--cause", "nul", "--by", "Kim Example", "--reason", "old jokes"];
    assert_eq!(waiting.run(&accept).code, 0);
    assert_eq!(waiting.run(&["held", "approve", "--all"]).code, 0);
    let (code, synced) = waiting.project.json(&["sync"]);
    assert_eq!((code, &synced["mailboxes"][0]["phase"]), (0, &"in-step".into()), "{synced:#}");
    let (code, verified) = waiting.project.json(&["verify"]);
    assert_eq!((code, &verified["all"]["accepted"]["nul"]), (0, &2.into()), "{verified:#}");
    assert_eq!(waiting.run(&["doctor"]).code, 0, "the audit log is whole");
}

/// Who may only look may list, and say nothing.
#[test]
fn a_reader_lists_and_is_refused_every_word() {
    let me = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let Some(waiting) = waiting("", "") else { return };
    let file = waiting.project.path().join("whimbrel.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let roles = format!("[roles]\nengineer = [\"somebody-else\"]\nreader = [{:?}]\n", me.trim());
    std::fs::write(&file, text + &roles).unwrap();
    let failed = waiting.list("failed", "nul");
    assert_eq!((failed.len(), waiting.list("held", "ambiguous").len()), (2, 1));
    for arguments in [
        &["held", "approve", "--all"][..],
        &["held", "reject", "--all"],
        &["failed", "retry", "--all"],
        &["failed", "accept", "--all", "--by", "Kim", "--reason", "because"],
        &["sync"],
    ] {
        let (code, error) = waiting.project.json(arguments);
        assert_eq!((code, &error["rule"]), (3, &"R-347".into()), "{arguments:?} {error:#}");
    }
    assert_eq!(waiting.list("failed", "nul"), failed);
}

/// The fates that a row of `status` counts, in the order of its columns.
const FATES: [&str; 6] = ["copied", "adopted", "excluded", "failed", "held", "withdrawn"];

#[test]
fn in_every_folder_of_status_the_source_is_the_sum_of_all_fates() {
    let Some(waiting) = waiting("", "yes") else { return };
    // One was there, one is withdrawn.
    put(&waiting.target, "INBOX", [9]);
    waiting
        .source
        .fill("alice", &[Folder { path: vec!["Later".to_owned()], messages: vec![numbered(9), numbered(10)] }]);
    put(&waiting.target, "Later", [10]);
    remove(&waiting.target, "Work", &[20]);
    let (code, synced) = waiting.project.json(&["sync"]);
    assert_eq!((code, &synced["withdrawn"], &synced["adopted"]), (1, &1.into(), &1.into()), "{synced:#}");

    let (code, status) = waiting.project.json(&["status"]);
    assert_eq!((code, &status["unaccounted"]), (0, &0.into()), "{status:#}");
    let mailbox = &status["mailboxes"][0];
    let sums = |tally: &Value| -> (u64, u64) {
        (tally["source"].as_u64().unwrap(), FATES.iter().map(|fate| tally[*fate].as_u64().unwrap()).sum())
    };
    let folders = mailbox["folders"].as_array().unwrap();
    assert_eq!(folders.len(), 3);
    let tallies = folders.iter().map(|folder| &folder["items"]).chain([&mailbox["items"], &status["all"]]);
    for tally in tallies.clone() {
        let (source, fates) = sums(tally);
        assert_eq!(source, fates, "{status:#}");
    }
    for fate in FATES.iter().filter(|fate| **fate != "excluded") {
        assert!(status["all"][fate].as_u64().unwrap() > 0, "{fate}: {status:#}");
    }

    // The text shows the same numbers: of the mailbox, then of each folder.
    let text = waiting.run(&["status", "-v"]).out;
    let row = |name: &str| -> Vec<u64> {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().filter_map(|word| word.replace(',', "").parse().ok()).take(7).collect()
    };
    for (name, tally) in folders
        .iter()
        .map(|folder| (folder["path"].as_str().unwrap(), &folder["items"]))
        .chain([("alice", &mailbox["items"])])
    {
        let numbers = row(name);
        assert_eq!((numbers[0], numbers[1..].iter().sum()), sums(tally), "{text}");
    }
    let all = &status["all"];
    let sentence = format!("{} of {} items have a fate: {} copied", all["source"], all["source"], all["copied"]);
    assert!(text.contains(&sentence), "{text}");
}
