//! People are switched whose site lets nobody in: somebody runs scripts there, and supplies what they print.

use std::fs;
use std::path::PathBuf;

use conformance::exchange::{Organisation, Ran, run};
use journeys::{
    project::Project,
    sites::{LOCAL, Sites, at_source, at_target},
};
use serde_json::Value;

const PEOPLE: [&str; 2] = ["ann", "ben"];
const SITE: &str = "Hill Trust";

struct World {
    sites: Sites,
    project: Project,
    organisation: Organisation,
}

fn world() -> Option<World> {
    let sites = Sites::start(&PEOPLE)?;
    let project = sites.project(&PEOPLE, "", "drain_quiet_seconds = 1\nretry_seconds = 1\nreverse_after_seconds = 1");
    let file = project.path().join("whimbrel.toml");
    let text = fs::read_to_string(&file).unwrap();
    let (from, to) = (text.find("[routers.local]").unwrap(), text.find("[routers.national]").unwrap());
    let router = format!(
        "[routers.local]\nkind = \"exchange-script\"\nendpoint = \"local\"\nplatform = \"exchange\"\norganisation = \"{SITE}\"\n\
         domains = [\"{LOCAL}\"]\nsender = \"trusted-relay\"\n"
    );
    fs::write(&file, format!("{}{router}{}", &text[..from], &text[to..])).unwrap();
    let addresses = PEOPLE.map(at_source);
    let organisation = Organisation::of(SITE, LOCAL, &addresses.each_ref().map(String::as_str));
    Some(World { sites, project, organisation })
}

impl World {
    fn done(&self, arguments: &[&str]) -> Value {
        let (code, report) = self.project.json(arguments);
        assert_eq!(code, 0, "{arguments:?}: {report:#}");
        report
    }

    /// Writes the one script that is waited for. Its number.
    fn written(&self, step: &str, people: u64) -> String {
        let report = self.done(&["switch", "script", "write"]);
        let scripts = report["scripts"].as_array().unwrap();
        assert_eq!((scripts.len(), &scripts[0]["step"], &scripts[0]["people"]), (1, &step.into(), &people.into()));
        scripts[0]["script"].to_string()
    }

    /// Has it signed, and saves it.
    fn saved(&self, number: &str) -> PathBuf {
        let path = self.project.path().join(format!("whimbrel-{number}.ps1"));
        let to = path.display().to_string();
        let early = self.project.run(&["switch", "script", "save", number, "--to", &to]);
        assert!(early.code == 3 && !path.exists(), "what nobody has signed is not handed out: {early:?}");
        let shown = self.done(&["switch", "script", "show", number]);
        let digest = shown["scripts"][0]["digest"].as_str().unwrap().to_owned();
        assert!(shown["scripts"][0]["lines"].as_array().is_some_and(|lines| lines.len() > 100));
        let other =
            self.project.run(&["switch", "script", "sign", number, "--digest", &"0".repeat(64), "--by", "Sue Roe"]);
        assert_eq!(other.code, 3, "{other:?}");
        self.done(&["switch", "script", "sign", number, "--digest", &digest[..16], "--by", "Sue Roe"]);
        self.done(&["switch", "script", "save", number, "--to", &to]);
        path
    }

    fn supply(&self, number: &str, ran: &Ran) -> journeys::project::Run {
        let file = self.project.path().join(format!("whimbrel-{number}.jsonl"));
        // As Windows PowerShell writes what is sent into a file.
        let bytes: Vec<u8> =
            std::iter::once(0xFEFF).chain(ran.printed.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        fs::write(&file, bytes).unwrap();
        self.project.run(&["switch", "script", "supply", number, "--file", &file.display().to_string()])
    }

    /// All of it.
    fn served(&mut self, step: &str, people: u64) {
        let number = self.written(step, people);
        let path = self.saved(&number);
        let ran = run(&mut self.organisation, &path, &[]);
        assert_eq!(ran.stopped, None);
        let supplied = self.supply(&number, &ran);
        assert_eq!(supplied.code, 0, "{supplied:?}");
    }

    /// Sends a message to somebody's old address, as the organisation's transport treats it.
    fn send(&mut self, name: &str) -> String {
        let to = at_source(name);
        let leads = self.organisation.deliver(&to).sent_to.pop().unwrap_or(to);
        self.sites.send(&leads)
    }

    fn standing(&self, name: &str) -> (String, String) {
        let report = self.done(&["switch", "list"]);
        let lines = report["mailboxes"].as_array().unwrap();
        let line = lines.iter().find(|line| line["source"] == at_source(name)).unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        (text("phase"), text("waits"))
    }
}

#[test]
fn people_are_switched_and_taken_back_by_scripts_that_somebody_runs() {
    let Some(mut world) = world() else { return };
    let [ann, ben] = PEOPLE.map(at_source);
    for rule in ["go", "sharing-in-place", "address-books", "account-activated"] {
        world.done(&["signoff", "record", rule, "--by", "Sue Roe", "--evidence", "the minutes of Monday"]);
    }
    world.done(&["forwarder", "add"]);
    // Nothing is copied before it is known what sends people's mail on already.
    let early = world.project.run(&["sync"]);
    assert!(early.code == 1 && early.out.contains("switch script write"), "{early:?}");
    assert_eq!(world.standing("ann").0, "planned");
    world.served("read", 2);
    world.done(&["sync"]);
    let forwarded = world.sites.send(&at_target("ann"));
    world.sites.settle();
    assert_eq!(world.sites.copies("ann", &forwarded), [1, 0], "her new account forwards, once it is known that it may");

    // Both wait at one step, and are in one script.
    let now = ["switch", "now", "--mailbox", &ann, "--mailbox", &ben];
    let waiting = world.project.run(&now);
    assert_eq!(waiting.code, 1, "{waiting:?}");
    let (phase, waits) = world.standing("ann");
    assert!(phase == "switching" && waits.contains("switch script write"), "{phase}: {waits}");
    let before = world.send("ann");
    let number = world.written("redirect", 2);
    let path = world.saved(&number);
    let ran = run(&mut world.organisation, &path, &[]);
    assert_eq!(ran.stopped, None);
    let after = world.send("ann");
    // Nothing advances before it is supplied, and what is another script's is refused.
    assert_eq!(world.project.run(&now).code, 1);
    assert_eq!(world.standing("ben").0, "switching");
    let wrong = world.supply("1", &ran);
    assert!(wrong.code == 3 && wrong.err.contains(&format!("script {number} printed")), "{wrong:?}");
    assert_eq!(world.standing("ben").0, "switching");
    let supplied = world.supply(&number, &ran);
    assert_eq!(supplied.code, 0, "{supplied:?}");
    world.done(&now[..]);
    for name in PEOPLE {
        assert_eq!(world.standing(name).0, "switched");
    }
    world.sites.settle();
    assert_eq!(world.sites.copies("ann", &after), [0, 1]);
    assert_eq!(world.sites.copies("ann", &before), [1, 1], "what came to the source before came over");
    world.done(&["routing", "check"]);

    // And back.
    let undo = ["switch", "undo", "--mailbox", &ann, "--reason", "her diary does not open"];
    assert_eq!(world.project.run(&undo).code, 1);
    assert!(world.standing("ann").1.contains("switch script write"));
    let between = world.send("ann");
    world.served("release", 1);
    world.done(&undo);
    let back = world.send("ann");
    world.sites.settle();
    assert_eq!(world.sites.copies("ann", &between), [1, 1], "what came meanwhile is on both sides");
    assert_eq!(world.sites.copies("ann", &back), [1, 0]);
    let to_ben = world.send("ben");
    world.sites.settle();
    assert_eq!(world.sites.copies("ben", &to_ben), [0, 1], "nobody else is touched");
    assert_eq!(world.sites.astray(), []);
    let list = world.project.run(&["switch", "script", "list"]);
    assert!(list.out.contains("supplied") && list.out.contains("Sue Roe"), "{list:?}");
}
