//! Scripts of every shape on real servers: what we put in is taken, what we take out leaves the person's bytes, and every redirect in it is
//! found.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use conformance::router_suite::RouterWorld;
use connector::OpenDoor;
use connector::router::{Destination, Force};

use crate::common::{ANN, Way, World};

const NEW: &str = "ann@new.test";

/// A generator of numbers, the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    fn of<'t>(&mut self, words: &[&'t str]) -> &'t str {
        words[self.below(words.len())]
    }
}

/// A script that a server takes, and the addresses that it redirects to, in order. Cyrus takes words in small letters only.
fn script(chance: &mut Chance, takes_capitals: bool) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut addresses = Vec::new();
    let gaps = [
        "",
        " ",
        "\r\n",
        "\r\n\r\n",
        "\t",
        " # a note; redirect \"no@x.test\";\r\n",
        "/* redirect \"no@x.test\"; { */",
        "\r\n# [whimbrel: end]\r\n",
    ];
    text.push_str(chance.of(&gaps));
    match chance.below(4) {
        0 => {
            text.push_str("require \"fileinto\";");
            text.push_str(chance.of(&gaps));
            text.push_str("Require [\"copy\",\r\n \"vacation\", \"envelope\"];");
        }
        1 => text.push_str("require [\"fileinto\", \"copy\", \"vacation\", \"envelope\" ] ;"),
        _ => text.push_str("require[\"fileinto\",/* all */\"copy\",\"vacation\",\"envelope\"];"),
    }
    for _ in 0..chance.below(6) {
        text.push_str(chance.of(&gaps));
        command(chance, &mut text, &mut addresses, 0);
    }
    text.push_str(chance.of(&gaps));
    if !takes_capitals {
        text = text.replace("REDIRECT", "redirect").replace(":COPY", ":copy").replace("Require", "require");
    }
    (text, addresses)
}

fn command(chance: &mut Chance, text: &mut String, addresses: &mut Vec<String>, depth: usize) {
    let kinds = if depth < 3 { 9 } else { 6 };
    match chance.below(kinds) {
        // Servers allow four redirects a message.
        0 | 1 if addresses.len() < 3 => {
            let address = format!("to{}@x{depth}.test", addresses.len());
            let tag = chance.of(&["", " :copy", "\r\n:COPY"]);
            let form = chance.of(&["quoted", "lines"]);
            if form == "quoted" {
                let _ = write!(text, "redirect{tag} \"{address}\" ;");
            } else {
                let _ = write!(text, "REDIRECT{tag} text: # where\r\n{address}\r\n.\r\n;");
            }
            addresses.push(address);
        }
        2 => text.push_str("keep;"),
        3 => text.push_str("fileinto \"A \\\"quoted\\\" {name}; redirect \";"),
        4 if !text.contains("vacation :days") => {
            text.push_str("vacation :days 7 :subject \"Away;\" text:\r\nredirect \"no@x.test\";\r\n..\r\n\"\r\n.\r\n;");
        }
        6..=8 => {
            let condition = chance.of(&[
                "true",
                "header :contains [\"Subject\", \"X-A\"] \"}{;\"",
                "not anyof (size :over 100K, envelope :is \"from\" \"a@b.test\")",
            ]);
            let _ = write!(text, "if {condition} {{");
            for _ in 0..=chance.below(2) {
                command(chance, text, addresses, depth + 1);
            }
            text.push('}');
            if chance.below(2) == 0 {
                text.push_str("\r\nelse {");
                command(chance, text, addresses, depth + 1);
                text.push('}');
            }
        }
        _ => text.push_str("keep;"),
    }
}

async fn whatever_the_script(world: &World, takes_capitals: bool, seeds: std::ops::Range<u64>) {
    let router = world.router();
    let who = world.person(ANN);
    let mut talk = world.talk(ANN);
    for seed in seeds {
        let (text, addresses) = script(&mut Chance(seed), takes_capitals);
        let said = talk.put("rules", text.as_bytes());
        assert!(said.starts_with("OK"), "seed {seed}: {said}\n{text}");
        talk.activate("rules");
        let dumped = world.dump(&who).await;
        let found = router.read(&who).await.unwrap();
        // Lines end in CRLF within a string of several lines; what is shown of an address has none.
        let told: Vec<String> = found.others.iter().map(|forwarder| forwarder.to.to_string()).collect();
        assert_eq!(told, addresses, "seed {seed}:\n{text}");
        assert!(
            found.unread.is_empty() && found.others.iter().all(|f| f.force != Force::Dormant),
            "seed {seed}: {found:?}"
        );
        router.redirect(&who, NEW, &OpenDoor).await.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let on = router.read(&who).await.unwrap();
        assert_eq!((on.redirected_to(), &on.others), (Some(NEW), &found.others), "seed {seed}");
        router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(world.dump(&who).await, dumped, "seed {seed}:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_script_on_dovecot() {
    let Some(world) = World::dovecot(Way::ForEveryone) else { return };
    whatever_the_script(&world, true, 0..60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_script_on_cyrus() {
    let Some(world) = World::cyrus(Way::ForEveryone) else { return };
    whatever_the_script(&world, false, 1_000..1_040).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn included_scripts_and_computed_addresses_are_told() {
    let Some(world) = World::dovecot(Way::ForEveryone) else { return };
    let (router, who) = (world.router(), world.person(ANN));
    let mut talk = world.talk(ANN);
    for (name, text) in [
        ("inner", "redirect \"inner@x.test\";"),
        ("old", "redirect \"old@x.test\";"),
        (
            "rules",
            "require [\"include\", \"variables\"];\r\nglobal \"to\";\r\nset \"to\" \"a@x.test\";\r\nif true {\r\n  \
             include :personal \"inner\";\r\n}\r\nredirect \"${to}\";\r\n",
        ),
    ] {
        let said = talk.put(name, text.as_bytes());
        assert!(said.starts_with("OK"), "{said}");
    }
    talk.activate("rules");
    let dumped = world.dump(&who).await;
    router.redirect(&who, NEW, &OpenDoor).await.unwrap();
    let found = router.read(&who).await.unwrap();
    let told: Vec<_> = found.others.iter().map(|f| (f.to.to_string(), f.force, f.place.clone())).collect();
    let place = |name: &str, line: u8| format!("script {name:?}, line {line}");
    assert_eq!(
        told,
        [
            ("an address that is computed from \"${to}\"".to_owned(), Force::Sometimes, place("rules", 7)),
            ("inner@x.test".to_owned(), Force::Sometimes, place("inner", 1)),
            ("old@x.test".to_owned(), Force::Dormant, place("old", 1)),
        ]
    );
    assert!(matches!(found.others[0].to, Destination::Unknown(_)));
    router.release(&who, &OpenDoor).await.unwrap();
    assert_eq!(world.dump(&who).await, dumped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_into_our_script_is_carried_over() {
    for world in [World::dovecot(Way::ForEveryone), World::cyrus(Way::ForEveryone)] {
        let Some(world) = world else { continue };
        let (router, who) = (world.router(), world.person(ANN));
        // Cyrus shows an open session nothing that another has stored, so each step has its own.
        let talk = || world.talk(ANN);
        let rules = "require \"fileinto\";\r\n# mine\r\nfileinto \"A\";\r\n";
        assert!(talk().put("my rules", rules.as_bytes()).starts_with("OK"));
        talk().activate("my rules");
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        // A webmail shows the active script, and writes it with what the person changes.
        let shown = String::from_utf8(talk().get("whimbrel")).unwrap();
        assert!(shown.ends_with("# mine\r\nfileinto \"A\";\r\n"), "{shown}");
        let edited = shown.replace("fileinto \"A\"", "fileinto \"B\"");
        assert!(talk().put("whimbrel", edited.as_bytes()).starts_with("OK"));
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
        let released = router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(released.notes.len(), 1, "{released:?}");
        assert_eq!(talk().list(), [("my rules".to_owned(), true)]);
        assert_eq!(String::from_utf8(talk().get("my rules")).unwrap(), rules.replace("\"A\"", "\"B\""));
        // Another script is activated: ours is told to be there and not in force, and is put on anew or removed.
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        assert!(talk().put("holiday", b"keep;").starts_with("OK"));
        talk().activate("holiday");
        let found = router.read(&who).await.unwrap();
        assert_eq!(found.redirected_to(), None);
        assert!(found.ours.unwrap().ineffective.unwrap().contains("\"holiday\" is active"));
        router.redirect(&who, NEW, &OpenDoor).await.unwrap();
        assert_eq!(router.read(&who).await.unwrap().redirected_to(), Some(NEW));
        router.release(&who, &OpenDoor).await.unwrap();
        assert_eq!(talk().list(), [("holiday".to_owned(), true), ("my rules".to_owned(), false)]);
    }
}
