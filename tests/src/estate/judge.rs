//! Where mail has come, by a client that knows nothing of the program: every message by its mark, in every folder of everybody, and the
//! servers that each has passed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Estate, post::Sent};
use crate::sites::folders;

/// The servers that a message from outside to one address passes at most: that of its sender, those of both sites, and the store.
const ROUTE_MAX: usize = 4;

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where people come from.
    Source,
    /// Where they go.
    Target,
}

/// What somebody has on one side.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The routes of all messages with each mark: the servers that have received it, the last first.
    pub marks: BTreeMap<String, Vec<Vec<String>>>,
    /// Subjects without a mark.
    pub strangers: Vec<String>,
}

impl Estate {
    /// What the person of this number has on this side; 0 is somebody who has always been at the target.
    pub fn found(&self, number: usize, side: Side) -> Found {
        let mut talk = self.client(number, side);
        let mut found = Found::default();
        for folder in folders(&mut talk) {
            talk.ok(&format!("EXAMINE \"{folder}\""));
            let fetched = talk.ok("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT RECEIVED)])");
            for header in fetched.of("FETCH") {
                let mark = header.find("mark-").and_then(|at| header.get(at..at + 22));
                match mark {
                    Some(mark) => found.marks.entry(mark.to_owned()).or_default().push(route(header)),
                    None => found.strangers.push(header.to_owned()),
                }
            }
        }
        found
    }

    /// What is wrong with these messages, if everybody is on the side that this says: each is to be there once, and nowhere more than
    /// once, by no more servers than its route has; and nobody is to have anything else.
    pub fn wrong(&self, sent: &[Sent], turns: &[usize], side_of: &dyn Fn(usize) -> Side) -> Vec<String> {
        let mut wrong = Vec::new();
        let known: BTreeSet<&str> = sent.iter().map(|one| one.mark.as_str()).collect();
        for (number, turned) in turns.iter().enumerate().take(self.people + 1) {
            let side = if number == 0 { Side::Target } else { side_of(number) };
            let here = self.found(number, side);
            let other = if side == Side::Target { Side::Source } else { Side::Target };
            let there = if number == 0 { Found::default() } else { self.found(number, other) };
            for one in sent.iter().filter(|one| one.whom.contains(&number)) {
                let routes = here.marks.get(&one.mark).map(Vec::as_slice).unwrap_or_default();
                let copies = there.marks.get(&one.mark).map_or(0, Vec::len);
                // A list of the target's that has an address of the source's is one server more away; and whoever is turned over
                // while a message is under way has it pass one more.
                let is_by_list = usize::from(one.whom.len() > 1);
                let servers_max = ROUTE_MAX + is_by_list + turned - one.turns[number];
                if routes.len() != 1 || copies > 1 {
                    wrong.push(format!("{number}, {side:?}: {} here, {copies} there: {one:?}", routes.len()));
                } else if routes[0].len() > servers_max {
                    wrong.push(format!("{number}, {side:?}: more than {servers_max}: {routes:?}: {one:?}"));
                } else if one.after_move
                    && routes[0].iter().any(|by| by == "mail.hill.test")
                    && one.from.ends_with("Outside")
                {
                    wrong.push(format!("{number}, {side:?}: by the old server: {routes:?}: {one:?}"));
                }
            }
            for (side, found) in [("there", &here), ("on the other side", &there)] {
                wrong.extend(found.strangers.iter().map(|header| format!("{number}: {side} without a mark: {header}")));
                let ours = |mark: &&String| {
                    sent.iter().any(|one| one.mark == **mark && one.whom.contains(&number))
                        || !known.contains(mark.as_str())
                };
                wrong.extend(
                    found
                        .marks
                        .keys()
                        .filter(|mark| !ours(mark))
                        .map(|mark| format!("{number}: {side} is {mark}, which is another's")),
                );
            }
        }
        wrong
    }
}

/// The servers in a header's Received fields.
fn route(header: &str) -> Vec<String> {
    let by = |field: &str| {
        let words: Vec<&str> = field.split_ascii_whitespace().collect();
        let at = words.iter().position(|word| *word == "by")?;
        words.get(at + 1).map(|word| (*word).to_owned())
    };
    header.split("Received:").skip(1).filter_map(by).collect()
}
