//! Closes mailboxes to their people on sites whose mail server is Dovecot.
//!
//! # What is followed
//!
//! Dovecot's authentication as its manual has it: a `passdb` with `deny = yes` refuses everybody whom it finds, before any other is asked;
//! one of the driver `passwd-file` finds those whose names stand in a file. Tested with Dovecot 2.3.
//!
//! # What is done
//!
//! The file is ours and the site's: a line for each name, and ours bear a mark in a field that a `passwd-file` does not use. A line is added
//! or taken out by replacing the file whole ([`file`]); which lines is decided without any file (`text`). Mail is delivered by the
//! `userdb`, which asks no `passdb`, so it goes where it went. A master user is let in where the site says that whoever is authenticated
//! already is not asked about (`skip = authenticated`).
//!
//! # Known limits and oddities
//!
//! * Dovecot looks once a second whether the file has changed, by its size and its time of change in whole seconds. So each new file is a
//!   second younger than the one before at least, and a change is in force within a second.
//! * Whoever has logged in stays so. Where Dovecot caches logins (`auth_cache_size`) they may log in again until it forgets. For both there is
//!   [`Config::after`].

pub mod config;
mod file;
mod program;
mod text;

use std::time::Duration;

use async_trait::async_trait;
use connector::access::{Access, AccessChanged, LoginState};
use connector::{Door, Error, Finding, Recipient, Topic};
use model::{Cause, Scope};

pub use self::config::Config;
use self::text::{List, Whose};

/// Closes mailboxes by a file that Dovecot denies by.
#[derive(Clone, Debug)]
pub struct DovecotAccess {
    config: Config,
}

impl DovecotAccess {
    /// With these settings. Fails on those that no server could make right.
    pub fn new(config: Config) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { config }),
        }
    }

    async fn list(&self) -> Result<List, Error> {
        let path = self.config.path.clone();
        file::blocking(move || Ok(List::new(&file::read(&path)?))).await
    }

    /// Makes the file say this of these names. Whether it did not.
    async fn set(&self, who: &Recipient, is_closed: bool, door: &dyn Door) -> Result<AccessChanged, Error> {
        let names = self.config.names_of(&who.account)?;
        let lock = file::lock(&self.config.path, config::LOCK_WAIT_MAX).await?;
        let path = self.config.path.clone();
        let old = file::blocking(move || file::read(&path)).await?;
        let new = List::new(&old).with(&names, is_closed);
        let changed = new != old;
        let mut notes = Vec::new();
        if changed {
            file::replace(&self.config.path, old, new, door).await?;
        }
        drop(lock);
        // A call that was cut may have left this undone, so it is done in any case.
        for command in &self.config.after {
            notes.extend(program::run(command, &names).await);
        }
        Ok(AccessChanged { changed, notes })
    }
}

#[async_trait]
impl Access for DovecotAccess {
    fn platform(&self) -> &'static str {
        "dovecot"
    }

    async fn read(&self, who: &Recipient) -> Result<LoginState, Error> {
        let names = self.config.names_of(&who.account)?;
        let list = self.list().await?;
        let mut state = LoginState::default();
        let place = self.config.path.display();
        for name in &names {
            for (whose, line) in list.of(name) {
                state.evidence.0.push(format!("{place}, line {line}: {name}"));
                match whose {
                    Whose::Ours => state.closed_by_us = true,
                    Whose::Site => {
                        let by = format!("{place}, line {line}, by whoever runs the site");
                        state.closed_by_others.get_or_insert(by);
                    }
                }
            }
        }
        let is_open = |name: &&String| list.of(name).next().is_none();
        if let Some(name) = names.iter().find(is_open).filter(|_| state.closed_by_us) {
            state.ineffective = Some(format!("{name} does not stand in {place}"));
        }
        Ok(state)
    }

    async fn close(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        self.set(who, true, door).await
    }

    fn in_force_after(&self) -> Duration {
        // It looks once a second, and may have looked just before.
        Duration::from_secs(2)
    }

    async fn open(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        self.set(who, false, door).await
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        let path = self.config.path.clone();
        let mut findings = Vec::new();
        match file::blocking(move || file::read(&path)).await {
            Ok(bytes) => {
                let sentence = format!("{} has {} names", self.config.path.display(), List::new(&bytes).count());
                findings.push(Finding::well(Topic::Reach, sentence));
            }
            Err(error) => return vec![Finding::wrong(Topic::Reach, &error)],
        }
        if let Some(who) = who {
            match self.config.names_of(&who.account) {
                Ok(names) => findings.push(Finding::well(Topic::Store, format!("they log in as {}", names.join(", ")))),
                Err(error) => {
                    findings.push(Finding::wrong(Topic::Store, &error));
                    return findings;
                }
            }
        }
        let path = self.config.path.clone();
        findings.push(match file::blocking(move || file::may_write(&path)).await {
            Ok(()) => Finding::well(Topic::Rights, "its folder can be written to"),
            Err(error) => Finding::wrong(Topic::Rights, &error),
        });
        findings
    }
}
