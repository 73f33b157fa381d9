//! An object of the organisation: an entry of one of its directories.

use model::{AccountState, Digest, Entry};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What tells an object from all others of a project.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId {
    /// The directory it stands in, by its name in the project.
    pub directory: String,
    /// Its key there.
    pub key: String,
}

impl ObjectId {
    /// The object of this key in this directory.
    pub fn new(directory: impl Into<String>, key: impl Into<String>) -> Self {
        Self { directory: directory.into(), key: key.into() }
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.directory, self.key)
    }
}

/// How every mark of a project of an organisation begins, so that no mark of one is taken for another's: what stands in
/// the project's name is written so that it can't end it.
pub(crate) fn mark_of(begin: &str, organisation: &str, project: &str) -> String {
    let project = project.replace('%', "%25").replace(':', "%3A");
    format!("{begin}{}:{project}:", organisation.to_ascii_uppercase())
}

/// An object as its directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Which it is.
    pub id: ObjectId,
    /// What its directory says.
    pub entry: Entry,
}

/// What two entries were when somebody decided about them: as long as this stays the same, so does the decision.
///
/// Of the platform's entry it holds nothing that this program adds to it itself, such as further addresses, and of its state
/// only whether it can be used: an account that is accepted is the same account.
pub fn facts(object: &Object, account: &Entry) -> Digest {
    let own = &object.entry;
    let names = |entry: &Entry| json!([entry.names.given, entry.names.surname, entry.names.initials]);
    let facts = json!([
        [object.id.directory, own.key, own.kind, own.legacy_dn, own.mail_keys(), own.account, own.local_id, names(own)],
        [
            account.key,
            account.kind,
            account.organisation,
            account.local_id,
            account.mail,
            account.account,
            usable(account.state),
            names(account)
        ],
    ]);
    Digest::of(facts.to_string().as_bytes())
}

fn usable(state: AccountState) -> &'static str {
    match state {
        AccountState::Active | AccountState::Pending | AccountState::Locked => "usable",
        state => state.name(),
    }
}
