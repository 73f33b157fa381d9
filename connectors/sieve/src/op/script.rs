//! A person's scripts on the server (RFC 5804 section 2): listed, read, written, activated, removed.

use std::time::Duration;

use connector::{Account, Door, Effect, Error};
use model::{Cause, Scope};

use super::connect::Line;
use crate::endpoint::Endpoint;
use crate::refusal::{in_doubt, refused, script_refused};
use crate::text::block::{Kind, Marked, digest, take, take_elsewhere, take_printed};
use crate::wire::answer::{Answer, Word};
use crate::wire::command::Command;
use crate::wire::connection::SCRIPT_BYTES_MAX;

/// The most scripts of one person that are read; people have a handful, servers allow some dozens.
const SCRIPTS_READ_MAX: usize = 100;
/// How long a goodbye may take.
const LOGOUT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Numbers behind the name of our script, where a person has one of that name.
const NUMBERS: std::ops::RangeInclusive<u8> = 2..=9;

/// A script as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) active: bool,
    /// Its text; none where it could not be read, or there are too many to read all.
    pub(crate) text: Option<Vec<u8>>,
    /// Why the server does not let it be read.
    pub(crate) refused: Option<Error>,
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

    /// What is ours, the active one first: scripts that bear our name and hold our block, whole or as an editor has printed it anew;
    /// and the active one whatever its name, if our block is in it.
    pub(crate) fn ours(&self, base: &str) -> Vec<(&Script, Marked)> {
        let names = our_names(base);
        let marked = |script: &Script| {
            let text = script.text.as_deref()?;
            if names.contains(&script.name) {
                take(text).or_else(|| take_printed(text))
            } else if script.active {
                take_elsewhere(text)
            } else {
                None
            }
        };
        let mut ours: Vec<(&Script, Marked)> =
            self.scripts.iter().filter_map(|script| Some((script, marked(script)?))).collect();
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
    /// Something has taken effect, or may have.
    has_effect: bool,
    /// The door did not let an effect pass.
    is_shut: bool,
}

impl<'e> Session<'e> {
    pub(crate) async fn open(endpoint: &'e Endpoint, account: &Account) -> Result<Self, Error> {
        let line = endpoint.open(account).await?;
        Ok(Self { endpoint, line, person: account.name.clone(), has_effect: false, is_shut: false })
    }

    pub(crate) fn capability(&self, name: &str) -> Option<&str> {
        self.line.capabilities.value(name)
    }

    /// Has anything taken effect, or may it have?
    pub(crate) fn has_effect(&self) -> bool {
        self.has_effect
    }

    /// What a call came to: once anything has taken effect, an error does not tell how things stand now, and is in doubt. A door that is shut says
    /// so itself.
    pub(crate) fn settled<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let is_plain = !self.has_effect || self.is_shut;
        result.map_err(|error| if is_plain || error.cause == Cause::InDoubt { error } else { in_doubt(error) })
    }

    /// May scripts redirect at all? MAXREDIRECTS (RFC 5804 section 1.7) says how often. Pigeonhole leaves it out where that is not at all –
    /// and then takes scripts with a redirect all the same, and keeps the mail.
    pub(crate) fn may_redirect(&self) -> bool {
        match self.capability("MAXREDIRECTS") {
            Some(max) => max.trim() != "0",
            None => !self.is_pigeonhole(),
        }
    }

    pub(crate) fn is_pigeonhole(&self) -> bool {
        self.capability("IMPLEMENTATION").is_some_and(|name| name.contains("Pigeonhole"))
    }

    /// What is said where no script may redirect.
    pub(crate) fn no_redirects(&self) -> String {
        let place = self.endpoint.config.address();
        format!(
            "{place} lets no script redirect, so mail would stay: have redirects allowed there (in Dovecot: sieve_max_redirects)"
        )
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
        if let Err(error) = door.before(Effect::Route) {
            self.is_shut = true;
            return Err(error);
        }
        let sent = self.line.connection.send(&command.bytes()).await;
        door.after(Effect::Route);
        let had_effect = std::mem::replace(&mut self.has_effect, true);
        sent.map_err(in_doubt)?;
        let answer = self.line.connection.answer().await.map_err(in_doubt)?;
        if answer.status == crate::wire::answer::Status::No {
            self.has_effect = had_effect;
        }
        if answer.status == crate::wire::answer::Status::Bye {
            let what = format!("{} ended the connection", self.endpoint.config.address());
            return Err(in_doubt(refused(what, &answer, Cause::Connection)));
        }
        Ok(answer)
    }

    /// Reads all that the person has. The active script, what bears our name and what was active before must be readable.
    pub(crate) async fn site(&mut self) -> Result<Site, Error> {
        let mut scripts = self.list().await?;
        // What matters most is read first, where there are too many.
        let ours = our_names(&self.endpoint.config.script);
        scripts.sort_by_key(|script| (!script.active, !ours.contains(&script.name)));
        for script in scripts.iter_mut().take(SCRIPTS_READ_MAX) {
            match self.get(&script.name).await? {
                Ok(text) => script.text = text,
                Err(error) => script.refused = Some(error),
            }
        }
        scripts.sort_by(|a, b| a.name.cmp(&b.name));
        let site = Site { scripts };
        let marked = site.ours(&self.endpoint.config.script).into_iter().filter_map(|(_, marked)| marked.block.former);
        let needed: Vec<String> = ours.into_iter().chain(marked).collect();
        let is_needed = |script: &&Script| script.active || needed.contains(&script.name);
        match site.scripts.iter().filter(is_needed).find_map(|script| script.refused.clone()) {
            Some(error) => Err(error),
            None => Ok(site),
        }
    }

    /// Makes sure that a script is what was stored: nobody else has written it since.
    pub(crate) async fn verify(&mut self, name: &str, text: &[u8]) -> Result<(), Error> {
        if self.get(name).await??.as_deref() == Some(text) {
            return Ok(());
        }
        let what = format!("{} is not what was stored a moment ago, so it is not activated", self.place(name));
        Err(Error::new(Cause::Refused, Scope::Mailbox, what))
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
            Some(Script { name, active, text: None, refused: None })
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

    /// GETSCRIPT (section 2.9); none where it is not there, and within the result what the server refuses.
    async fn get(&mut self, name: &str) -> Result<Result<Option<Vec<u8>>, Error>, Error> {
        let answer = self.run(Command::new("GETSCRIPT").string(name.as_bytes())).await?;
        if answer.is_ok() {
            return match answer.data.as_slice() {
                [line] if line.len() == 1 && line[0].text().is_some() => Ok(Ok(line[0].text().map(<[u8]>::to_vec))),
                _ => {
                    let what = format!("what came is not one text: {}", self.place(name));
                    Err(Error::new(Cause::Protocol, Scope::Mailbox, what))
                }
            };
        }
        if answer.has_code("NONEXISTENT") {
            return Ok(Ok(None));
        }
        let error = refused(format!("cannot read {}", self.place(name)), &answer, Cause::Unreadable);
        if answer.status == crate::wire::answer::Status::Bye { Err(error) } else { Ok(Err(error)) }
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

    /// DELETESCRIPT (section 2.10). One that is not there is gone. Within the result is what the server refuses.
    pub(crate) async fn delete(&mut self, name: &str, door: &dyn Door) -> Result<Result<(), Error>, Error> {
        let answer = self.run_effect(Command::new("DELETESCRIPT").string(name.as_bytes()), door).await?;
        if answer.is_ok() || answer.has_code("NONEXISTENT") {
            return Ok(Ok(()));
        }
        Ok(Err(refused(format!("cannot remove {}", self.place(name)), &answer, Cause::Permission)))
    }

    /// LOGOUT (section 2.3). What comes of it is nobody's concern.
    pub(crate) async fn log_out(mut self) {
        let _ = tokio::time::timeout(LOGOUT_WAIT_MAX, self.run(Command::new("LOGOUT"))).await;
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
            let former = match (marked.kind, &marked.block.former) {
                (Kind::Printed, _) => "not known, as an editor has rewritten it".to_owned(),
                (_, Some(name)) if site.script(name).is_some() => format!("{name:?}"),
                (_, Some(name)) => format!("none, or {name:?}, which is not there"),
                (_, None) => "none".to_owned(),
            };
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
