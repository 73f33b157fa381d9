//! `[quarantine]`, `[malware]`, `[manifest]`: what is kept, looked into and signed beside the mail itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where the originals of what does not travel as it is are kept: encrypted, each once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuarantineEntry {
    /// The folder, relative to the project's.
    pub folder: PathBuf,
    /// The file with the key, which nobody else may read; made when it is first needed. Without it nothing that is kept can be
    /// read again: keep a copy elsewhere.
    pub key_file: PathBuf,
}

impl Default for QuarantineEntry {
    fn default() -> Self {
        Self { folder: "quarantine".into(), key_file: "quarantine.key".into() }
    }
}

/// A ClamAV daemon that is asked about each item that is about to travel. What it finds something in is not copied, and fails as
/// `infected`; while it can't be asked, mailboxes wait.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MalwareEntry {
    /// Where the daemon listens: the path of its socket, or host and port as in `127.0.0.1:3310`.
    pub clamd: String,
    /// Seconds an answer is waited for.
    #[serde(default = "scan_seconds")]
    pub scan_seconds: u64,
}

fn scan_seconds() -> u64 {
    120
}

/// How manifests are signed: what became of every item, for others to check.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManifestEntry {
    /// The file with the secret key, which nobody else may read; made when it is first needed. Whoever has it can sign in the
    /// organisation's name: keep a copy of it elsewhere, and give out the public key that is printed.
    pub key_file: PathBuf,
}

impl Default for ManifestEntry {
    fn default() -> Self {
        Self { key_file: "manifest.key".into() }
    }
}
