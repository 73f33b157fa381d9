//! Where mail lies in a journey: a real server or a folder of files, with the same few questions to each.

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use conformance::{
    imap_server::{ImapServer, ImapServerBuilder},
    servers::{Cyrus, CyrusBuilder, Dovecot, DovecotBuilder, Format},
    talk::Talk,
};
use tempfile::TempDir;

use crate::{
    judge::Side,
    mail::{Filled, Folder, fill, fill_eml, fill_maildir, fill_mbox},
    project::Endpoint,
};

/// The password of everybody.
pub const PASSWORD: &str = "of-everybody";
/// Who may log in for everybody.
pub const MIGRATOR: &str = "migrator";

/// Where mail lies.
pub enum Store {
    /// A Dovecot.
    Dovecot(Dovecot),
    /// A Cyrus, where names have a domain.
    Cyrus(Cyrus),
    /// Maildirs.
    Maildir(TempDir),
    /// mbox files.
    Mbox(TempDir),
    /// Trees of `.eml` files.
    Eml(TempDir),
    /// The IMAP server in memory.
    Memory(ImapServer),
}

impl Store {
    /// A Dovecot with these people and a migrator.
    pub fn dovecot(format: Format, people: &[&str]) -> Option<Self> {
        Self::dovecot_with(Dovecot::builder().format(format), people)
    }

    /// The same, made by this builder.
    pub fn dovecot_with(builder: DovecotBuilder, people: &[&str]) -> Option<Self> {
        let builder = builder.users(people.iter().map(|name| (*name, PASSWORD)));
        builder.master(MIGRATOR, PASSWORD).start().map(Self::Dovecot)
    }

    /// A Cyrus with these people and a migrator.
    pub fn cyrus(people: &[&str]) -> Option<Self> {
        Self::cyrus_with(Cyrus::builder(), people)
    }

    /// The same, made by this builder.
    pub fn cyrus_with(builder: CyrusBuilder, people: &[&str]) -> Option<Self> {
        let names: Vec<String> = people.iter().map(|name| address(name)).collect();
        let builder = builder.users(names.iter().map(|name| (name.as_str(), PASSWORD)));
        builder.admin(&address(MIGRATOR), PASSWORD).start().map(Self::Cyrus)
    }

    /// An IMAP server in memory with these people and a migrator, made by this builder.
    pub fn memory(builder: ImapServerBuilder, people: &[&str]) -> Self {
        let builder = people.iter().fold(builder, |builder, name| builder.user(name, PASSWORD));
        Self::Memory(builder.admin(MIGRATOR, PASSWORD).start())
    }

    /// A folder of maildirs.
    pub fn maildir() -> Self {
        Self::Maildir(tempfile::tempdir().expect("the temporary folder can be written to"))
    }

    /// A folder of mbox files (mboxrd, in Thunderbird's layout).
    pub fn mbox() -> Self {
        Self::Mbox(tempfile::tempdir().expect("the temporary folder can be written to"))
    }

    /// A folder of trees of `.eml` files.
    pub fn eml() -> Self {
        Self::Eml(tempfile::tempdir().expect("the temporary folder can be written to"))
    }

    /// The kind and the folder of a store that is files.
    fn files(&self) -> Option<(&'static str, &Path)> {
        match self {
            Self::Maildir(folder) => Some(("maildir", folder.path())),
            Self::Mbox(folder) => Some(("mbox", folder.path())),
            Self::Eml(folder) => Some(("eml", folder.path())),
            _ => None,
        }
    }

    /// What a person is called here.
    pub fn name(&self, person: &str) -> String {
        match self {
            Self::Cyrus(_) => address(person),
            _ => person.to_owned(),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Dovecot(dovecot) => dovecot.port(),
            Self::Cyrus(cyrus) => cyrus.port(),
            Self::Memory(server) => server.port(),
            _ => panic!("files have no port"),
        }
    }

    /// The folder of a person's maildir, or other files.
    pub fn maildir_of(&self, person: &str) -> PathBuf {
        self.files().expect("a server keeps its mail to itself").1.join(person)
    }

    /// As an endpoint of a project, with the migrator's login.
    pub fn endpoint(&self) -> Endpoint {
        match self.files() {
            Some((kind, folder)) => {
                let endpoint = Endpoint::files(kind, &format!("{}/{{source}}", folder.display()));
                if kind == "mbox" { endpoint.with("dialect = \"mboxrd\"") } else { endpoint }
            }
            None => Endpoint::imap(self.port()).login(&self.name(MIGRATOR), PASSWORD, "authzid"),
        }
    }

    /// As a side for the judge.
    pub fn side(&self, person: &str) -> Side {
        match self.files() {
            Some((kind, folder)) => Side::files(kind, &folder.join(person)),
            None => Side::imap(self.port(), &self.name(person), PASSWORD),
        }
    }

    /// A connection that the person themselves has logged in on.
    pub fn talk(&self, person: &str) -> Talk {
        Talk::login(self.port(), &self.name(person), PASSWORD)
    }

    /// Puts a mailbox there.
    pub fn fill(&self, person: &str, mailbox: &[Folder]) -> Filled {
        match self.files() {
            Some((kind, folder)) => {
                let fill = match kind {
                    "maildir" => fill_maildir,
                    "mbox" => fill_mbox,
                    _ => fill_eml,
                };
                fill(&folder.join(person), mailbox);
                let messages = mailbox.iter().map(|folder| folder.messages.len()).sum();
                Filled { folders: mailbox.len(), messages, ..Filled::default() }
            }
            None => fill(&mut self.talk(person), mailbox),
        }
    }

    /// The messages of [`crate::mail::numbered`] in a folder, by its name on the wire: the number and the UID of each, in
    /// the order of UIDs. Of a folder that is not there, none.
    pub fn uids(&self, person: &str, folder: &str) -> Vec<(usize, u32)> {
        let mut talk = self.talk(person);
        if !talk.command(&format!("EXAMINE \"{folder}\"")).is_ok() {
            return Vec::new();
        }
        let answer = talk.ok("UID FETCH 1:* (UID BODY.PEEK[TEXT])");
        let after = |line: &str, word: &str| {
            let (_, rest) = line.split_once(word)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
        };
        let pair = |line: &str| Some((after(line, "body number ")? as usize, after(line, "UID ")?));
        answer.of("FETCH").filter_map(pair).collect()
    }

    /// All that a reader of the mailbox must leave as it is, and a second run too: of each folder its UIDVALIDITY, UIDNEXT
    /// and HIGHESTMODSEQ, of each item its UID, flags and date, and which folders are followed; of files their names, times
    /// and sizes.
    pub fn state(&self, person: &str) -> String {
        match self.files() {
            Some((_, folder)) => state_of_files(&folder.join(person)),
            None => state_on_server(&mut self.talk(person)),
        }
    }
}

/// Two states that are to be the same.
///
/// # Panics
/// With the lines that differ.
pub fn assert_same_state(now: &str, before: &str) {
    let lines = |state: &str| state.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (now, before) = (lines(now), lines(before));
    let few = |set: &BTreeSet<String>, other| set.difference(other).take(20).cloned().collect::<Vec<_>>();
    let (added, gone) = (few(&now, &before), few(&before, &now));
    assert!(added.is_empty() && gone.is_empty(), "what was: {gone:#?}\nbecame: {added:#?}");
}

/// A name with a domain.
fn address(name: &str) -> String {
    format!("{name}@example.test")
}

fn state_on_server(talk: &mut Talk) -> String {
    let mut state = String::new();
    let mut folders: Vec<String> = talk.ok("LIST \"\" \"*\"").of("LIST").map(str::to_owned).collect();
    folders.sort();
    for folder in folders {
        // Whether mail has come lately is each client's own affair.
        let attributes = folder.replace(" \\Marked", "").replace(" \\UnMarked", "");
        let _ = writeln!(state, "{attributes}");
        if folder.contains("\\Noselect") || folder.contains("\\NonExistent") {
            continue;
        }
        // The name is last, in quotes when it has to be.
        let name = match folder.strip_suffix('"') {
            Some(_) => &folder[quoted_from(&folder)..],
            None => folder.rsplit(' ').next().expect("a folder has a name"),
        };
        for line in talk.ok(&format!("STATUS {name} (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)")).untagged {
            let _ = writeln!(state, "  {line}");
        }
        talk.ok(&format!("EXAMINE {name}"));
        for line in talk.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)").untagged {
            let _ = writeln!(state, "  {}", line.replace("\\Recent", "").replace("( ", "(").replace(" )", ")"));
        }
    }
    let mut followed: Vec<String> = talk.ok("LSUB \"\" \"*\"").of("LSUB").map(str::to_owned).collect();
    followed.sort();
    state + &followed.join("\n")
}

/// Where the quoted string begins that ends the line.
fn quoted_from(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mut at = bytes.len() - 1;
    loop {
        at = line[..at].rfind('"').expect("quotes come in pairs");
        let backslashes = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return at;
        }
    }
}

fn state_of_files(folder: &Path) -> String {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("files can be listed").path()).collect();
    entries.sort();
    entries.iter().fold(String::new(), |mut state, path| {
        let about = fs::symlink_metadata(path).expect("files can be looked at");
        if about.is_dir() {
            let _ = writeln!(state, "{}\n{}", path.display(), state_of_files(path));
        } else {
            let _ = writeln!(state, "{} {} {}", path.display(), about.mtime(), about.size());
        }
        state
    })
}
