//! A person's client on a real server, speaking IMAP by hand.

use std::collections::BTreeSet;

use model::{Flags, FolderPath};

use super::client::{Client, Lying, Shelf, View, place};
use super::step::{Op, Which};
use crate::imap_server::{Date, names};
use crate::talk::Talk;

/// A client of a server whose names have `/` between them.
pub struct ImapClient {
    talk: Talk,
}

/// A message with its UID.
struct Found {
    uid: u32,
    lying: Lying,
}

fn quoted(path: &FolderPath) -> String {
    format!("\"{}\"", names::encode(&path.names().join("/")))
}

/// The path in a line of LIST or LSUB; none for a name that holds nothing.
fn listed(line: &str) -> Option<FolderPath> {
    let (attributes, rest) = line.split_once('(')?.1.split_once(')')?;
    let attributes = attributes.to_ascii_lowercase();
    if attributes.contains("\\noselect") || attributes.contains("\\nonexistent") {
        return None;
    }
    // The separator, then the name: in quotes, as a literal, or bare.
    let name = rest.trim_start().split_once(' ')?.1;
    let name = name.rsplit_once("\r\n").map_or(name, |(_, literal)| literal);
    let name = names::decode(name.trim_matches('"').as_bytes())?;
    Some(FolderPath::new(name.split('/')))
}

/// The text between two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let begin = text.find(before)? + before.len();
    let end = text[begin..].find(after)? + begin;
    Some(&text[begin..end])
}

/// The message in a FETCH response.
fn fetched(line: &str) -> Option<Found> {
    let open = line.find('{')?;
    let (size, rest) = line[open + 1..].split_once("}\r\n")?;
    let size: usize = size.parse().ok()?;
    let body = rest.get(..size)?;
    let words = format!("{} {}", &line[..open], &rest[size..]);
    let uid = words.split_once("UID ")?.1;
    let uid = uid.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let flags = Flags::of(between(&words, "FLAGS (", ")")?.split_ascii_whitespace());
    let received = Date::parse(between(&words, "INTERNALDATE \"", "\"")?)?.unix_seconds;
    Some(Found { uid, lying: Lying::of(body.as_bytes(), received, flags) })
}

impl ImapClient {
    /// A client that has logged in.
    pub fn new(talk: Talk) -> Self {
        Self { talk }
    }

    /// The messages of a folder that is open now.
    fn messages(&mut self) -> Vec<Found> {
        // A client sees what came meanwhile when it asks.
        self.talk.command("NOOP");
        let answer = self.talk.command("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])");
        let mut found: Vec<Found> = answer.of("FETCH").filter_map(fetched).collect();
        found.sort_by_key(|found| found.uid);
        found.dedup_by_key(|found| found.uid);
        found
    }

    fn open(&mut self, command: &str, path: &FolderPath) -> bool {
        let answer = self.talk.command(&format!("{command} {}", quoted(path)));
        answer.is_ok()
    }

    fn shut(&mut self) {
        self.talk.command("UNSELECT");
    }

    /// Does this to a message: the command, with the UID where `@` stands.
    fn on_message(&mut self, folder: &FolderPath, which: Which, commands: &[String]) -> bool {
        if !self.open("SELECT", folder) {
            return false;
        }
        let found = self.messages();
        let place = place(found.iter().map(|found| found.lying.serial), which);
        let done = place.is_some_and(|place| {
            let uid = found[place].uid.to_string();
            commands.iter().all(|command| self.talk.command(&command.replacen('@', &uid, 1)).is_ok())
        });
        self.shut();
        done
    }

    fn is_there(&mut self, folder: &FolderPath) -> bool {
        self.paths("LIST").contains(folder)
    }

    fn paths(&mut self, command: &str) -> BTreeSet<FolderPath> {
        let answer = self.talk.ok(&format!("{command} \"\" \"*\""));
        answer.of(command).filter_map(listed).collect()
    }
}

impl Client for ImapClient {
    fn folder(&mut self, path: &FolderPath) -> Option<Vec<Lying>> {
        if !self.open("EXAMINE", path) {
            return None;
        }
        let found = self.messages();
        self.shut();
        Some(found.into_iter().map(|found| found.lying).collect())
    }

    fn act(&mut self, op: &Op) -> bool {
        let command = match op {
            Op::Deliver(serial, folder, flags) => {
                let name = names::encode(&folder.names().join("/"));
                let options = format!("({flags}) \"{}\"", Date::utc(serial.received()).internal());
                return self.talk.append(&name, &options, &serial.bytes()).is_ok();
            }
            Op::Flag(which, folder, add, take) => {
                let mut commands = Vec::new();
                for (sign, flags) in [('+', add), ('-', take)] {
                    if !flags.is_empty() {
                        commands.push(format!("UID STORE @ {sign}FLAGS.SILENT ({flags})"));
                    }
                }
                return self.on_message(folder, *which, &commands);
            }
            Op::Move(which, from, to) => {
                return self.on_message(from, *which, &[format!("UID MOVE @ {}", quoted(to))]);
            }
            Op::Copy(which, from, to) => {
                return self.on_message(from, *which, &[format!("UID COPY @ {}", quoted(to))]);
            }
            Op::Expunge(which, folder) => {
                let commands = ["UID STORE @ +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE @"].map(str::to_owned);
                return self.on_message(folder, *which, &commands);
            }
            Op::Create(folder) => format!("CREATE {}", quoted(folder)),
            Op::Rename(from, to) => format!("RENAME {} {}", quoted(from), quoted(to)),
            Op::Delete(folder) => format!("DELETE {}", quoted(folder)),
            Op::Subscribe(folder, _) if !self.is_there(folder) => return false,
            Op::Subscribe(folder, true) => format!("SUBSCRIBE {}", quoted(folder)),
            Op::Subscribe(folder, false) => format!("UNSUBSCRIBE {}", quoted(folder)),
        };
        // Whatever the server says to it, what counts is what the person has then.
        let is_new = matches!(op, Op::Create(folder) if !self.is_there(folder));
        let answer = self.talk.command(&command);
        match op {
            Op::Create(folder) if is_new && !answer.is_ok() && self.is_there(folder) => {
                println!("refused, and there: {command}: {answer:?}");
                true
            }
            _ => answer.is_ok(),
        }
    }

    fn view(&mut self) -> View {
        let followed = self.paths("LSUB");
        let paths = self.paths("LIST");
        let mut view = View::new();
        for path in paths {
            let items = self.folder(&path).unwrap_or_default();
            let subscribed = followed.contains(&path);
            view.insert(path, Shelf { items, subscribed });
        }
        view
    }

    fn stands(&mut self) -> String {
        let mut stands = format!("{:?}\n", self.paths("LSUB"));
        for path in self.paths("LIST") {
            let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)", quoted(&path));
            let answer = self.talk.command(&command);
            answer.of("STATUS").for_each(|line| stands.extend([line, "\n"]));
        }
        stands
    }
}

#[cfg(test)]
mod tests {
    use super::super::step::{Serial, path};
    use super::*;

    #[test]
    fn a_line_of_list_is_a_path() {
        for (line, expected) in [
            ("LIST (\\HasNoChildren) \"/\" Work", Some("Work")),
            ("LIST () \"/\" \"Work/2019\"", Some("Work/2019")),
            ("LIST (\\HasChildren \\UnMarked) \"/\" \"Gr&APYA3w-e\"", Some("Größe")),
            ("LSUB () \"/\" {4}\r\nSent", Some("Sent")),
            ("LIST (\\NonExistent \\HasChildren) \"/\" Work", None),
            ("LIST (\\Noselect \\HasChildren) \"/\" Work", None),
        ] {
            assert_eq!(listed(line), expected.map(path), "{line}");
        }
    }

    #[test]
    fn a_fetched_message_is_read() {
        let serial = Serial { own: false, number: 3 };
        let body = String::from_utf8(serial.bytes()).unwrap();
        let date = Date::utc(serial.received()).internal();
        let line = format!(
            "4 FETCH (UID 17 FLAGS (\\Seen Work) INTERNALDATE \"{date}\" BODY[] {{{}}}\r\n{body} MODSEQ (7))",
            body.len()
        );
        let found = fetched(&line).unwrap();
        assert_eq!(found.uid, 17);
        let flags = Flags::of(["\\Seen", "Work"]);
        assert_eq!(found.lying, Lying { serial: Some(serial), whole: true, received: serial.received(), flags });
    }
}
