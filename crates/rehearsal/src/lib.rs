//! Makes organisations, people and mail from a seed: the same seed, the same bytes. For rehearsals, the demo and
//! the tests; everything in it is invented.

mod chance;
mod mail;
mod organisation;
pub mod roster;

pub use chance::Chance;
pub use mail::{Trait, message, parts};
pub use organisation::{Folder, Item, Person, organisation};
