//! What was seen, what was seen not to be there, and what could not be seen.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// What a server says of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen<T> {
    /// This, for so long.
    Known {
        /// What.
        value: T,
        /// How long it may be kept.
        ttl_seconds: u32,
    },
    /// That it is not there.
    Absent {
        /// How long that may be kept, where it was said.
        ttl_seconds: Option<u32>,
    },
    /// The server could not be asked, or could not say.
    Unknown(String),
}

impl<T> Seen<T> {
    /// What is there.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Could the server say?
    pub fn is_told(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// How long it may be kept, or that it is not there.
    pub fn ttl_seconds(&self) -> Option<u32> {
        match self {
            Self::Known { ttl_seconds, .. } => Some(*ttl_seconds),
            Self::Absent { ttl_seconds } => *ttl_seconds,
            Self::Unknown(_) => None,
        }
    }
}

impl<T: Display> Seen<T> {
    pub(super) fn text(&self) -> Result<String, String> {
        match self {
            Self::Known { value, .. } => Ok(value.to_string()),
            Self::Absent { .. } => Ok("none".to_owned()),
            Self::Unknown(why) => Err(why.clone()),
        }
    }
}
