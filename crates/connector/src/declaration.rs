//! What a platform declares, what an opened mailbox offers, and what a pair of platforms loses.

use model::{Cause, ItemKind, Loss, LossTable};
use serde::{Deserialize, Serialize};

/// What a platform can hold and do, known without asking a server.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The platform's name, for people.
    pub platform: &'static str,
    /// Kinds of items it holds.
    pub kinds: Vec<ItemKind>,
    /// Whether it can be a target.
    pub writes: bool,
    /// What it can't hold as a target; of one that is only read, what it does not give.
    pub losses: Vec<Loss>,
}

/// What the pair of a source and a target loses.
pub fn losses_between(source: &Declaration, target: &Declaration) -> LossTable {
    let mut losses = target.losses.clone();
    if !source.writes {
        losses.extend_from_slice(&source.losses);
    }
    if source.kinds.iter().any(|kind| !target.kinds.contains(kind)) {
        losses.push(Loss::OtherKinds);
    }
    LossTable::new(losses)
}

/// What an opened mailbox offers. Leave false what is not proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    /// Largest item it takes, if it says.
    pub item_bytes_max: Option<u64>,
    /// It says which ids the items of a batch were given.
    pub ids_on_append: bool,
    /// A batch of several items takes effect as a whole or not at all.
    pub batches_whole: bool,
    /// A folder can be made with a special use.
    pub special_use: bool,
    /// Single items can be removed without touching others marked for removal.
    pub removes_exactly: bool,
    /// Items can be moved from folder to folder.
    pub moves: bool,
    /// The numbers of a folder's state only ever rise, unless a backup was restored.
    pub numbers_rise: bool,
    /// Changes since a cursor are told without reading the whole folder.
    pub tells_changes: bool,
}

/// What a platform lets a mailbox hold, as far as it says. Several may apply to one mailbox, and some count what others hold,
/// too: each with what it counts itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// In bytes.
    pub bytes: Vec<Allowance>,
    /// In items.
    pub items: Vec<Allowance>,
}

/// How much of something there may be, and how much there is by the platform's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub max: u64,
    /// It counts in units of so many.
    pub unit: u64,
}

impl Allowance {
    /// How much more there may be.
    pub fn free(&self) -> u64 {
        self.max.saturating_sub(self.used)
    }
}

/// How it is known whose store was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreProof {
    /// The proof, in a sentence.
    pub evidence: String,
    /// What tells this store from every other store of the endpoint, where the platform has such a thing.
    pub store_id: Option<String>,
}

/// What `check` looks at, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Is it there?
    Reach,
    /// Is the connection private, and is it who it says?
    Tls,
    /// Does it let us in?
    Login,
    /// Whose store do we reach?
    Store,
    /// What does it offer?
    Capabilities,
    /// May we do what we must?
    Rights,
}

/// One finding of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub topic: Topic,
    /// None: it is well. Else the class of what is wrong.
    pub wrong: Option<Cause>,
    /// What was found, in a sentence.
    pub sentence: String,
}

impl Finding {
    /// It is well.
    pub fn well(topic: Topic, sentence: impl Into<String>) -> Self {
        Self { topic, wrong: None, sentence: sentence.into() }
    }

    /// Something is wrong.
    pub fn wrong(topic: Topic, error: &crate::Error) -> Self {
        Self { topic, wrong: Some(error.cause), sentence: error.to_string() }
    }
}
