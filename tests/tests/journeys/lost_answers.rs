//! Answers to commands with an effect are lost while changes are followed: afterwards both sides are the same, and nothing
//! is left to do.

use std::sync::Mutex;

use conformance::{
    proxy::{After, Point, Proxy, Trap},
    servers::{Dovecot, Format},
};
use journeys::{
    pair::{Pair, act, put, remove},
    project::Endpoint,
    store::{MIGRATOR, PASSWORD, Store},
};

/// Without MULTIAPPEND.
const ONE_BY_ONE: &str = "IMAP4rev1 LITERAL+ ENABLE NAMESPACE UIDPLUS MOVE CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS";
/// How many cases are tried at a time: each waits most of the time.
const AT_ONCE: usize = 4;

/// A command whose answer is lost.
struct Lost {
    command: &'static str,
    /// What is in it.
    containing: &'static str,
    /// What the target announces; everything when left out.
    capability: Option<&'static str>,
}

const fn lost(command: &'static str, containing: &'static str) -> Lost {
    Lost { command, containing, capability: None }
}

const EVERY: [Lost; 9] = [
    Lost { capability: Some(ONE_BY_ONE), ..lost("APPEND", "INBOX") },
    lost("APPEND", "INBOX"),
    lost("UID MOVE", ""),
    lost("UID STORE", "\\Deleted"),
    lost("UID STORE", "\\Flagged"),
    lost("UID EXPUNGE", ""),
    lost("CREATE", "New"),
    lost("DELETE", "Old"),
    lost("SUBSCRIBE", ""),
];

/// Changes at the source that need every one of these commands.
fn live_a_day(source: &Store) {
    act(source, "INBOX", &[1, 4, 5], "UID STORE # +FLAGS (\\Flagged)");
    remove(source, "INBOX", &[2, 6]);
    act(source, "INBOX", &[3, 7], "UID MOVE # Work");
    put(source, "INBOX", 20..26);
    // Twins.
    put(source, "INBOX", [20, 21]);
    put(source, "New", [400, 401]);
    let mut talk = source.talk("alice");
    talk.ok("SUBSCRIBE New");
    talk.ok("DELETE Old");
}

fn loses(lost: &Lost, point: Point) {
    let case = format!("{} {} {point:?}", lost.command, lost.containing);
    let builder = Dovecot::builder().format(Format::Sdbox);
    let builder = if let Some(capability) = lost.capability { builder.capability(capability) } else { builder };
    let (source, target) = (Store::dovecot(Format::Mdbox, &["alice"]), Store::dovecot_with(builder, &["alice"]));
    let (Some(source), Some(target)) = (source, target) else { return };
    let proxy = Proxy::to(target.port()).imap().start();
    let endpoint = Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
    let pair = Pair::through(source, target, endpoint, "Work");
    put(&pair.source, "Old", [300]);
    pair.does([1, 0, 0, 0]);
    live_a_day(&pair.source);
    proxy.set(Trap::on(lost.command, point).containing(lost.containing), || After::Cut);
    let (code, synced) = pair.project.json(&["sync"]);
    assert_eq!(proxy.traps_left(), 0, "{case}: no such command: {:?}", proxy.commands());
    assert!(code <= 1, "{case}: {synced:#}");
    // Whatever the broken one did not come to; a vanished folder is followed in the second pass.
    for _ in 0..2 {
        pair.sync();
    }
    println!("{case}");
    pair.is_the_same();
    assert_eq!(pair.held(), Vec::<String>::new(), "{case}");
}

#[test]
fn a_lost_answer_costs_nothing_while_changes_are_followed() {
    let cases = EVERY.iter().flat_map(|lost| [Point::Sent, Point::Answered].map(|point| (lost, point)));
    let cases = Mutex::new(cases);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let case = cases.lock().unwrap().next();
                    let Some((lost, point)) = case else { return };
                    loses(lost, point);
                }
            });
        }
    });
}
