//! Which file Dovecot denies by, and how people are called in it. The doc comments here are the reference manual.

use std::path::PathBuf;
use std::time::Duration;

use connector::{Account, Error};
use model::{Cause, Scope};
use serde::Deserialize;

/// How long another may have the file locked.
pub(crate) const LOCK_WAIT_MAX: Duration = Duration::from_secs(20);

/// A list of whom Dovecot denies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file: `args` of a `passdb` with `driver = passwd-file` and `deny = yes`. The site makes it, empty; the folder must be writable, since
    /// the file is replaced whole. Named itself, not by a link. Relative to the project's folder.
    pub path: PathBuf,
    /// By which names a person may log in: `{account}` is their account's name at the source, `{local}` what stands of it before the at sign.
    /// Left out: the account's name alone.
    #[serde(default = "names")]
    pub names: Vec<String>,
    /// Capitals in names stay. Left out: names are written in small letters, as Dovecot asks for them unless `auth_username_format` says
    /// otherwise (`%Lu`).
    #[serde(default)]
    pub keeps_case: bool,
    /// Programs with their arguments that are run after each change, without a shell; in an argument `{name}` stands for each name of the
    /// person: `["doveadm", "auth", "cache", "flush", "{name}"]` where Dovecot caches logins, `["doveadm", "kick", "{name}"]` to end what
    /// is open. What such a program does not do is told, and holds up nothing.
    #[serde(default)]
    pub after: Vec<Vec<String>>,
}

fn names() -> Vec<String> {
    vec!["{account}".to_owned()]
}

impl Config {
    /// A file with everything else as when left out of the project.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), names: names(), keeps_case: false, after: Vec::new() }
    }

    /// What is wrong with these settings, if anything.
    pub fn mistake(&self) -> Option<String> {
        if self.path.as_os_str().is_empty() {
            return Some("path is empty: name the file that Dovecot denies by".to_owned());
        }
        if self.names.is_empty() {
            return Some("names is empty: nobody would be found in the file".to_owned());
        }
        let odd = self.names.iter().find(|name| !name.contains("{account}") && !name.contains("{local}"));
        if let Some(odd) = odd {
            return Some(format!("names: {odd:?} is the same for everybody: write {{account}} or {{local}} in it"));
        }
        let is_odd =
            |command: &&Vec<String>| command.first().is_none_or(|program| program.is_empty() || program.contains('{'));
        self.after.iter().find(is_odd).map(|_| "after: a program has no name of its own".to_owned())
    }

    /// The names by which this person may log in, each once.
    pub(crate) fn names_of(&self, account: &Account) -> Result<Vec<String>, Error> {
        let name = account.name.trim();
        let local = name.rsplit_once('@').map_or(name, |(local, _)| local);
        let mut all = Vec::new();
        for form in &self.names {
            let text = form.replace("{account}", name).replace("{local}", local);
            let text = if self.keeps_case { text } else { text.to_lowercase() };
            // A field of the file, and an argument of programs.
            let is_odd = |sign: char| sign == ':' || sign.is_control() || sign.is_whitespace();
            if text.is_empty() || text.starts_with(['#', '-']) || text.contains(is_odd) {
                let what = format!("{text:?} can't stand in {}: such a name can't be kept out", self.path.display());
                return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
            }
            if !all.contains(&text) {
                all.push(text);
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_dovecot_asks_for() {
        let mut config = Config::new("closed");
        let account = Account::named("Ann@Hill.test");
        assert_eq!(config.names_of(&account).unwrap(), ["ann@hill.test"]);
        config.names = vec!["{account}".to_owned(), "{local}".to_owned(), "{local}@hill.test".to_owned()];
        assert_eq!(config.names_of(&account).unwrap(), ["ann@hill.test", "ann"]);
        config.keeps_case = true;
        assert_eq!(config.names_of(&account).unwrap(), ["Ann@Hill.test", "Ann", "Ann@hill.test"]);
        for odd in ["a:b", "#a", "-a", "a b", "a\nb", ""] {
            assert_eq!(
                Config::new("x").names_of(&Account::named(odd)).unwrap_err().cause,
                Cause::Unsupported,
                "{odd:?}"
            );
        }
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let wrong = |change: &dyn Fn(&mut Config), words: &str| {
            let mut config = Config::new("closed");
            change(&mut config);
            assert!(config.mistake().is_some_and(|mistake| mistake.contains(words)), "{config:?}");
        };
        assert_eq!(Config::new("closed").mistake(), None);
        wrong(&|config| config.path = PathBuf::new(), "path is empty");
        wrong(&|config| config.names.clear(), "names is empty");
        wrong(&|config| config.names = vec!["everybody".to_owned()], "the same for everybody");
        wrong(&|config| config.after = vec![vec![]], "no name");
    }
}
