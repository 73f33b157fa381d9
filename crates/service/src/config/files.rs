//! Endpoints that are files: the tables of `whimbrel.toml` for them, and what connectors are made with.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

/// A folder of maildirs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaildirEntry {
    /// `maildir`.
    #[schemars(skip)] // the enum of endpoints has it already, as its tag
    pub kind: String,
    /// Where each person's maildir is: a path in which `{source}` or `{target}` stands for the person's name on that
    /// side. Relative to the project's folder.
    pub path: String,
    /// How keywords are written: `dovecot` (the default) or `courier`.
    pub keywords: Option<KeywordsEntry>,
}

/// How keywords are written to a maildir.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeywordsEntry {
    /// As Dovecot does.
    Dovecot,
    /// As Courier does.
    Courier,
}

/// mbox files: a source only.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MboxEntry {
    /// `mbox`.
    #[schemars(skip)] // the enum of endpoints has it already, as its tag
    pub kind: String,
    /// Where each person's mail is, a file (the INBOX) or a directory of files: a path in which `{source}` stands for the
    /// person's name there. Relative to the project's folder.
    pub path: String,
    /// The file of the INBOX where it lies elsewhere, such as `/var/mail/{source}`.
    pub inbox: Option<String>,
    /// How messages are told apart: `auto` (the default), `mboxo`, `mboxrd`, `mboxcl` or `mboxcl2`. Only with `mboxrd` are
    /// lines that begin with `>From ` given back as they were: no file shows by itself that it is one.
    pub dialect: Option<DialectEntry>,
    /// How files and directories stand for folders: `auto` (the default: each directory by what is in it), `file`, `tree`,
    /// `thunderbird`, `apple` or `dovecot`.
    pub layout: Option<LayoutEntry>,
    /// Names of files and directories that are no mail; `*` at the beginning stands for anything.
    #[serde(default)]
    pub leave_out: Vec<String>,
}

/// How messages are told apart in mbox files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DialectEntry {
    /// Each message by what it says; lines of `>From ` as they stand.
    Auto,
    /// By `From ` lines; lines of `>From ` as they stand.
    Mboxo,
    /// By `From ` lines; one `>` is taken off lines of `>From `, `>>From ` and so on.
    Mboxrd,
    /// By Content-Length; lines of `>From ` as they stand.
    Mboxcl,
    /// By Content-Length; nothing was quoted.
    Mboxcl2,
}

/// How files and directories stand for folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutEntry {
    /// Each directory by what is in it.
    Auto,
    /// One file for each person.
    File,
    /// Each file is a folder, a directory holds those below.
    Tree,
    /// The folders below `NAME` lie in `NAME.sbd`.
    Thunderbird,
    /// `NAME.mbox` is a directory with a file `mbox`.
    Apple,
    /// A tree with names in modified UTF-7, and `.subscriptions`; also of UW.
    Dovecot,
}

/// Trees of `.eml` files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmlEntry {
    /// `eml`.
    #[schemars(skip)] // the enum of endpoints has it already, as its tag
    pub kind: String,
    /// Where each person's tree is: a path in which `{source}` or `{target}` stands for the person's name on that side.
    /// Relative to the project's folder.
    pub path: String,
}

impl MaildirEntry {
    /// What the connector calls how keywords are written.
    pub(crate) fn dialect(&self) -> maildir::Keywords {
        match self.keywords {
            None | Some(KeywordsEntry::Dovecot) => maildir::Keywords::Dovecot,
            Some(KeywordsEntry::Courier) => maildir::Keywords::Courier,
        }
    }

    pub(crate) fn settings(&self, base: &Path) -> maildir::MaildirConfig {
        maildir::MaildirConfig { path: self.path.clone(), keywords: self.dialect(), base: base.to_owned() }
    }
}

impl MboxEntry {
    /// What the connector calls it.
    pub(crate) fn dialect(&self) -> mbox::Dialect {
        match self.dialect {
            None | Some(DialectEntry::Auto) => mbox::Dialect::Auto,
            Some(DialectEntry::Mboxo) => mbox::Dialect::Mboxo,
            Some(DialectEntry::Mboxrd) => mbox::Dialect::Mboxrd,
            Some(DialectEntry::Mboxcl) => mbox::Dialect::Mboxcl,
            Some(DialectEntry::Mboxcl2) => mbox::Dialect::Mboxcl2,
        }
    }

    pub(crate) fn settings(&self, base: &Path) -> mbox::MboxConfig {
        let layout = match self.layout {
            None | Some(LayoutEntry::Auto) => mbox::Layout::Auto,
            Some(LayoutEntry::File) => mbox::Layout::File,
            Some(LayoutEntry::Tree) => mbox::Layout::Tree,
            Some(LayoutEntry::Thunderbird) => mbox::Layout::Thunderbird,
            Some(LayoutEntry::Apple) => mbox::Layout::Apple,
            Some(LayoutEntry::Dovecot) => mbox::Layout::Dovecot,
        };
        mbox::MboxConfig {
            path: self.path.clone(),
            inbox: self.inbox.clone(),
            dialect: self.dialect(),
            layout,
            leave_out: self.leave_out.clone(),
            base: base.to_owned(),
        }
    }
}

impl EmlEntry {
    pub(crate) fn settings(&self, base: &Path) -> eml::EmlConfig {
        eml::EmlConfig { path: self.path.clone(), base: base.to_owned() }
    }
}
