//! `[people]`: who there is, and who that is on the platform.

use std::collections::BTreeMap;
use std::path::PathBuf;

use people::{Filter, PeopleRules, Scope};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Error;
use crate::config::{ConfirmationEntry, EndpointEntry, FILE, ImportEntry, MailedEntry};

/// Who there is, and who that is on the platform.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeopleEntry {
    /// The directories that say who there is, by their names in `[directories]`.
    pub sources: Vec<String>,
    /// The platform's directory. Left out: everybody counts as new.
    #[serde(default)]
    pub platform: Option<String>,
    /// The platform is the organisation's alone: an account under no organisation's code is its own. Without it such an account
    /// waits for a person, and its number is no evidence.
    #[serde(default)]
    pub platform_is_ours_alone: bool,
    /// The directory that is the organisation's address book, where contacts for people of the platform are written; the first
    /// of `sources` when left out.
    #[serde(default)]
    pub address_book: Option<String>,
    /// The personnel system, as a directory: it makes joiners, movers and leavers known.
    #[serde(default)]
    pub staff: Option<String>,
    /// The cut-off date for new accounts, as 2026-12-01: whoever is first seen from that day on is a joiner and has a queue of
    /// their own.
    #[serde(default)]
    pub cut_off: Option<String>,
    /// The domain of the platform's addresses.
    #[serde(default)]
    pub domain: String,
    /// What the addresses of the organisation's shared mailboxes and lists begin with; its code in small letters when left
    /// out.
    #[serde(default)]
    pub short_name: Option<String>,
    /// Who is in scope: those that one of these filters fits; everybody when there is none.
    #[serde(default)]
    pub include: Vec<Filter>,
    /// Who of those is not, by filters with a name.
    #[serde(default)]
    pub exclude: Vec<Filter>,
    /// Whoever is disabled, expired or a leaver at the source and has no account gets one all the same. Without it they are
    /// excluded, as `switched-off-at-the-source`.
    #[serde(default)]
    pub makes_disabled: bool,
    /// Why accounts may be live without a forwarder to the source, where the platform makes them live at once: recorded with each.
    #[serde(default)]
    pub exemption: Option<String>,
    /// Whose mail, of those that are left, goes to the archive alone, by filters with a name: they get no account.
    #[serde(default)]
    pub archive: Vec<Filter>,
    /// Rules of names, matching and limits: over the profile's, by the same names.
    #[serde(default)]
    #[schemars(with = "PeopleRules")]
    pub rules: toml::Table,
    /// So many entries may be gone from a directory at once without a person's word.
    #[serde(default = "gone_free")]
    pub gone_free: u64,
    /// Of more entries than that, so many of a hundred may be gone at once without a person's word.
    #[serde(default = "gone_share_max")]
    pub gone_share_max: u8,
    /// The file with the key under which first passwords are kept, which nobody else may read; made when it is first needed.
    #[serde(default = "key_file")]
    pub key_file: PathBuf,
    /// What a person is called at the source of their mail: `mail`, the address they send from, or `account`, the name they
    /// log in with.
    #[serde(default)]
    pub source_name: MailboxName,
    /// What they are called on the target.
    #[serde(default)]
    pub target_name: MailboxName,
    /// Files of people that are handed in.
    #[serde(default)]
    pub import: Option<ImportEntry>,
    /// The mailbox that such files are sent to.
    #[serde(default)]
    pub mailed: Option<Box<MailedEntry>>,
    /// How people are asked by mail whose an account under another organisation's code is.
    #[serde(default)]
    pub confirmation: Option<Box<ConfirmationEntry>>,
    /// At which endpoint of `source.mail` the mailboxes of a directory are; needed for each where there are several.
    #[serde(default)]
    pub mail: BTreeMap<String, String>,
}

impl PeopleEntry {
    /// The endpoint at which the mailboxes of a directory are, of these sources; none where nobody says which of several.
    pub(crate) fn mail_endpoint(&self, directory: &str, sources: &[String]) -> Option<String> {
        match (self.mail.get(directory), sources) {
            (Some(endpoint), _) => Some(endpoint.clone()),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }
}

/// What a person's mailbox is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailboxName {
    /// By the address that mail is sent from.
    #[default]
    Mail,
    /// By the name of the account.
    Account,
}

impl MailboxName {
    /// What this entry's mailbox is called.
    pub(crate) fn of(self, entry: &model::Entry) -> Option<&str> {
        match self {
            Self::Mail => entry.mail.as_deref(),
            Self::Account => entry.account.as_deref(),
        }
    }
}

/// What has to be so before a mailbox is copied.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequireEntry {
    /// Its match is signed off by a named person of the organisation, and has not changed since. Needs `[people]`.
    pub signed_match: bool,
    /// Its person stands in both address books. Needs `[people]`.
    pub address_book: bool,
}

fn gone_free() -> u64 {
    20
}

fn gone_share_max() -> u8 {
    10
}

fn key_file() -> PathBuf {
    "people.key".into()
}

impl PeopleEntry {
    /// Who is in scope.
    pub(crate) fn scope(&self) -> Scope {
        Scope { include: self.include.clone(), exclude: self.exclude.clone(), archive: self.archive.clone() }
    }

    /// The platform's rules with the project's over them.
    pub(crate) fn rules(&self, profile: &toml::Table) -> Result<PeopleRules, Error> {
        let mut table = profile.clone();
        table.extend(self.rules.clone());
        let refuse = |what: &str| Error::usage(format!("{FILE}: [people.rules]: {what}")).advise("correct it");
        let rules: PeopleRules = table.try_into().map_err(|error: toml::de::Error| refuse(error.message().trim()))?;
        rules.check().map_err(|what| refuse(&what))?;
        Ok(rules)
    }

    /// When the cut-off day begins, in seconds since 1970.
    pub(crate) fn cut_off(&self) -> Result<Option<i64>, Error> {
        let Some(text) = &self.cut_off else { return Ok(None) };
        let error = |error: profile::Error| Error::usage(format!("{FILE}: {}", error.message)).advise(error.advice);
        profile::moment("people.cut_off", text).map(Some).map_err(error)
    }

    fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.include.iter().chain(&self.exclude).chain(&self.archive)
    }

    /// Is this one of the directories that say who there is?
    pub(crate) fn is_source(&self, name: &str) -> bool {
        self.sources.iter().any(|source| source == name) || self.connector() == Some(name)
    }

    /// The directory of what was handed in.
    pub(crate) fn connector(&self) -> Option<&str> {
        self.import.as_ref().map(|import| import.connector.as_str())
    }

    /// What has to hold of the mailboxes that files and answers are sent to.
    pub(crate) fn check_post(&self, endpoints: &BTreeMap<String, EndpointEntry>) -> Result<(), Error> {
        if let Some(confirmation) = &self.confirmation {
            confirmation.check(endpoints, self.mailed.as_deref())?;
        }
        let Some(mailed) = &self.mailed else { return Ok(()) };
        if self.import.is_none() {
            return Err(Error::usage(format!("{FILE}: [people.mailed] needs [people.import]"))
                .advise("say what the files are: [people.import] with the connector's name"));
        }
        mailed.check(endpoints)
    }

    /// What has to hold of the table alone.
    pub(crate) fn check(&self, directories: &[&str]) -> Result<(), Error> {
        if self.sources.is_empty() && self.import.is_none() {
            return Err(Error::usage(format!("{FILE}: people.sources names no directory"))
                .advise("write the name of a table of [directories]"));
        }
        self.cut_off()?;
        if let Some(import) = &self.import {
            import.check(directories)?;
        }
        let named = self.sources.iter().map(|name| ("people.sources", name));
        let named = named.chain(self.platform.iter().map(|name| ("people.platform", name)));
        for (key, name) in named.chain(self.staff.iter().map(|name| ("people.staff", name))) {
            if !directories.contains(&name.as_str()) {
                let error = Error::usage(format!("{FILE}: {key} = {name:?}, but there is no [directories.{name}]"));
                return Err(match super::alike(name, directories.iter().copied()) {
                    Some(known) => error.advise(format!("did you mean {known:?}?")),
                    None => error.advise(format!("add a table [directories.{name}]")),
                });
            }
        }
        if let Some(book) = self.address_book.as_ref().filter(|name| !self.sources.contains(name)) {
            return Err(Error::usage(format!("{FILE}: people.address_book = {book:?} is none of people.sources"))
                .advise("name one of them"));
        }
        if let Some(platform) = self.platform.as_ref().filter(|name| self.sources.contains(name)) {
            return Err(Error::usage(format!("{FILE}: {platform:?} is a source and the platform"))
                .advise("name two different directories"));
        }
        if let Some(filter) = self.filters().find(|filter| filter.name.trim().is_empty()) {
            return Err(Error::usage(format!("{FILE}: a filter of [people] has no name: {filter:?}"))
                .advise("give it a name: what it leaves out cites it"));
        }
        Ok(())
    }
}
