//! A person's scripts on the server (RFC 5804 section 2): listed, read, written, activated, removed.

use connector::{Account, Door, Effect, Error};
use model::{Cause, Scope};

use super::connect::Line;
use crate::endpoint::Endpoint;
use crate::refusal::{in_doubt, refused, script_refused};
use crate::text::block::{Marked, digest, take};
use crate::wire::answer::{Answer, Word};
use crate::wire::command::Command;
use crate::wire::connection::SCRIPT_BYTES_MAX;

/// The most scripts of one person that are read; people have a handful, servers allow some dozens.
const SCRIPTS_READ_MAX: usize = 100;
/// Numbers behind the name of our script, where a person has one of that name.
const NUMBERS: std::ops::RangeInclusive<u8> = 2..=9;

/// A script as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) active: bool,
    /// Its text; none where there are too many to read all.
    pub(crate) text: Option<Vec<u8>>,
}

/// A person's scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) scripts: Vec<Script>,
}

impl Site {
    pub(crate) fn script(&self, name: &str) -> Option<&Script> {
        self.scripts.iter().find(|script| script.name == name)
    }

    pub(crate) fn active(&self) -> Option<&Script> {
        self.scripts.iter().find(|script| script.active)
    }

    /// What is ours, the active one first: scripts that bear our name and hold our block, whole.
    pub(crate) fn ours(&self, base: &str) -> Vec<(&Script, Marked)> {
        let names = our_names(base);
        let marked = |script: &&Script| names.contains(&script.name);
        let mut ours: Vec<(&Script, Marked)> = self
            .scripts
            .iter()
            .filter(marked)
            .filter_map(|script| Some((script, take(script.text.as_deref()?)?)))
            .collect();
        ours.sort_by_key(|(script, _)| !script.active);
        ours
    }
}

/// The names that our script may have.
pub(crate) fn our_names(base: &str) -> Vec<String> {
    std::iter::once(base.to_owned()).chain(NUMBERS.map(|number| format!("{base}-{number}"))).collect()
}

/// The scripts of one person, opened.
pub(crate) struct Session<'e> {
    pub(crate) endpoint: &'e Endpoint,
    line: Line,
    person: String,
}

impl<'e> Session<'e> {
    pub(crate) async fn open(endpoint: &'e Endpoint, account: &Account) -> Result<Self, Error> {
        let line = endpoint.open(account).await?;
        Ok(Self { endpoint, line, person: account.name.clone() })
    }

    pub(crate) fn capability(&self, name: &str) -> Option<&str> {
        self.line.capabilities.value(name)
    }

    /// For messages: `script "a" of ann at mail.example:4190`.
    fn place(&self, name: &str) -> String {
        format!("script {name:?} of {} at {}", self.person, self.endpoint.config.address())
    }

    async fn run(&mut self, command: Command) -> Result<Answer, Error> {
        self.line.connection.send(&command.bytes()).await?;
        self.line.connection.answer().await
    }

    /// Runs a command that has an effect: nothing of it leaves before the door has let it pass.
    async fn run_effect(&mut self, command: Command, door: &dyn Door) -> Result<Answer, Error> {
        door.before(Effect::Route)?;
        let sent = self.line.connection.send(&command.bytes()).await;
        door.after(Effect::Route);
        sent.map_err(in_doubt)?;
        let answer = self.line.connection.answer().await.map_err(in_doubt)?;
        if answer.status == crate::wire::answer::Status::Bye {
            let what = format!("{} ended the connection", self.endpoint.config.address());
            return Err(in_doubt(refused(what, &answer, Cause::Connection)));
        }
        Ok(answer)
    }

    /// Reads all that the person has.
    pub(crate) async fn site(&mut self) -> Result<Site, Error> {
        let mut scripts = self.list().await?;
        // What matters most is read first, where there are too many.
        let ours = our_names(&self.endpoint.config.script);
        scripts.sort_by_key(|script| (!script.active, !ours.contains(&script.name)));
        for script in scripts.iter_mut().take(SCRIPTS_READ_MAX) {
            script.text = self.get(&script.name).await?;
        }
        scripts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Site { scripts })
    }

    /// LISTSCRIPTS (section 2.7).
    async fn list(&mut self) -> Result<Vec<Script>, Error> {
        let answer = self.run(Command::new("LISTSCRIPTS")).await?;
        let place = self.endpoint.config.address();
        if !answer.is_ok() {
            return Err(refused(
                format!("{place} does not list the scripts of {}", self.person),
                &answer,
                Cause::Permission,
            ));
        }
        let script = |line: &Vec<Word>| {
            let name = String::from_utf8(line.first()?.text()?.to_vec()).ok()?;
            let active =
                line.iter().any(|word| matches!(word, Word::Atom(atom) if atom.eq_ignore_ascii_case("ACTIVE")));
            Some(Script { name, active, text: None })
        };
        let scripts: Option<Vec<Script>> = answer.data.iter().map(script).collect();
        let odd =
            || Error::new(Cause::Protocol, Scope::Mailbox, format!("{place} lists scripts in a way that is not known"));
        let scripts = scripts.ok_or_else(odd)?;
        // Two active ones would leave open which rules are in force.
        if scripts.iter().filter(|script| script.active).count() > 1 {
            return Err(odd());
        }
        Ok(scripts)
    }

    /// GETSCRIPT (section 2.9); none where it is not there.
    async fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.run(Command::new("GETSCRIPT").string(name.as_bytes())).await?;
        if answer.is_ok() {
            return match answer.data.as_slice() {
                [line] if line.len() == 1 && line[0].text().is_some() => Ok(line[0].text().map(<[u8]>::to_vec)),
                _ => {
                    let what = format!("what came is not one text: {}", self.place(name));
                    Err(Error::new(Cause::Protocol, Scope::Mailbox, what))
                }
            };
        }
        if answer.has_code("NONEXISTENT") {
            return Ok(None);
        }
        Err(refused(format!("cannot read {}", self.place(name)), &answer, Cause::Unreadable))
    }

    /// HAVESPACE (section 2.5): is there room for a script of this name and size?
    pub(crate) async fn has_space(&mut self, name: &str, bytes: usize) -> Result<(), Error> {
        if bytes > SCRIPT_BYTES_MAX {
            let what = format!("{} would have {bytes} bytes; up to {SCRIPT_BYTES_MAX} are written", self.place(name));
            return Err(Error::new(Cause::TooLarge, Scope::Mailbox, what));
        }
        let answer = self.run(Command::new("HAVESPACE").string(name.as_bytes()).number(bytes)).await?;
        // Another refusal says nothing about room; PUTSCRIPT will tell.
        if !answer.is_ok() && answer.has_code("QUOTA") {
            let what = format!("there is no room for {} ({bytes} bytes)", self.place(name));
            return Err(refused(what, &answer, Cause::OverQuota));
        }
        Ok(())
    }

    /// CHECKSCRIPT (section 2.12): would the server take this text? Servers before RFC 5804 can't say.
    pub(crate) async fn check(&mut self, text: &[u8]) -> Result<(), Error> {
        let answer = self.run(Command::new("CHECKSCRIPT").string(text)).await?;
        if answer.is_ok() {
            return Ok(());
        }
        let what = format!("{} would not take our script", self.endpoint.config.address());
        Err(script_refused(what, &answer))
    }

    /// PUTSCRIPT (section 2.6): the server takes the whole text in place of what it had under that name, or leaves all as it was.
    pub(crate) async fn put(&mut self, name: &str, text: &[u8], door: &dyn Door) -> Result<(), Error> {
        let answer = self.run_effect(Command::new("PUTSCRIPT").string(name.as_bytes()).string(text), door).await?;
        if answer.is_ok() {
            return Ok(());
        }
        Err(script_refused(format!("cannot store {}", self.place(name)), &answer))
    }

    /// SETACTIVE (section 2.8): this script and no other is in force, or none where no name is given.
    pub(crate) async fn set_active(&mut self, name: Option<&str>, door: &dyn Door) -> Result<(), Error> {
        let command = Command::new("SETACTIVE").string(name.unwrap_or_default().as_bytes());
        let answer = self.run_effect(command, door).await?;
        if answer.is_ok() {
            return Ok(());
        }
        let what = match name {
            Some(name) => format!("cannot activate {}", self.place(name)),
            None => format!("cannot take {} out of force", self.place("whatever is active")),
        };
        Err(script_refused(what, &answer))
    }

    /// DELETESCRIPT (section 2.10). One that is not there is gone.
    pub(crate) async fn delete(&mut self, name: &str, door: &dyn Door) -> Result<(), Error> {
        let answer = self.run_effect(Command::new("DELETESCRIPT").string(name.as_bytes()), door).await?;
        if answer.is_ok() || answer.has_code("NONEXISTENT") {
            return Ok(());
        }
        Err(refused(format!("cannot remove {}", self.place(name)), &answer, Cause::Permission))
    }

    /// LOGOUT (section 2.3). What comes of it is nobody's concern.
    pub(crate) async fn log_out(mut self) {
        let _ = self.run(Command::new("LOGOUT")).await;
    }
}

/// What was found, for the audit: no texts, but what tells whether they are the same.
pub(crate) fn evidence(site: &Site, base: &str) -> connector::router::Evidence {
    let ours = site.ours(base);
    let line = |script: &Script| {
        let active = if script.active { ", active" } else { "" };
        let text = match &script.text {
            Some(text) => format!("{} bytes, SHA-256 {}", text.len(), digest(text)),
            None => "not read".to_owned(),
        };
        let redirect = ours.iter().find(|(own, _)| own.name == script.name).map_or_else(String::new, |(_, marked)| {
            let former = marked.block.former.as_ref().map_or_else(|| "none".to_owned(), |name| format!("{name:?}"));
            format!(", our redirect to {}; active before: {former}", marked.block.to)
        });
        format!("script {:?}{active}: {text}{redirect}", script.name)
    };
    let mut lines: Vec<String> = site.scripts.iter().map(line).collect();
    if site.active().is_none() {
        lines.push("no script is active".to_owned());
    }
    connector::router::Evidence(lines)
}
