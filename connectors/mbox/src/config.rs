//! Options of an mbox endpoint.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How messages are told apart in a file, and what was done to lines that begin with `From `.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Each message by what it says: its Content-Length where that leads to the next message or the end of the file, else
    /// by `From ` lines. Lines that begin with `>From ` travel as they stand, since no content proves that a `>` was added.
    #[default]
    Auto,
    /// `From ` got a `>` before it, `>From ` did not: which was which can't be told, so lines travel as they stand.
    Mboxo,
    /// Every `From ` with any number of `>` before it got one more: one is taken off.
    Mboxrd,
    /// Content-Length, and `>` as in mboxo.
    Mboxcl,
    /// Content-Length, and no `>`.
    Mboxcl2,
}

/// How files and directories stand for folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Each directory by what is in it: all of the layouts below at once.
    #[default]
    Auto,
    /// One file for each person: its INBOX.
    File,
    /// Each file is a folder, a directory holds those below.
    Tree,
    /// Thunderbird: the folders below `NAME` lie in `NAME.sbd`.
    Thunderbird,
    /// Apple Mail: `NAME.mbox` is a directory with a file `mbox`.
    Apple,
    /// Dovecot, UW: a tree with names in modified UTF-7, and `.subscriptions`.
    Dovecot,
}

/// An mbox endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MboxConfig {
    /// Where each person's mail is, a file or a directory: a path in which `{source}` stands for the person's name there.
    /// Relative to the project's folder.
    pub path: String,
    /// The file of the INBOX where it lies elsewhere (`/var/mail/{source}`).
    #[serde(default)]
    pub inbox: Option<String>,
    /// How messages are told apart.
    #[serde(default)]
    pub dialect: Dialect,
    /// How files stand for folders.
    #[serde(default)]
    pub layout: Layout,
    /// Names of files and directories that are no mail; `*` at the beginning stands for anything.
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// The project's folder.
    #[serde(skip)]
    pub base: PathBuf,
}

/// How one file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) dialect: Dialect,
    /// It is Thunderbird's: what stands in X-Mozilla-Status was noted by it. Elsewhere such a field came with a message, and
    /// must not make it seem read, or expunged; but for a message that begins `From - `, as only Mozilla's programs write.
    pub(crate) is_thunderbirds: bool,
}
