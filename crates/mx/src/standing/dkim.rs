//! DKIM key records (RFC 6376 §3.6.1).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::WantedKey;

/// What stands at a selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DkimKey {
    /// A key.
    Key {
        /// Its kind: `rsa` where none is said.
        kind: String,
        /// The public key, without spaces.
        public: String,
        /// Is it said to be a test (`t=y`)?
        testing: bool,
    },
    /// A key that is no longer valid (`p=` with nothing behind it).
    Revoked,
    /// Something that is no key.
    NotAKey(String),
}

impl DkimKey {
    /// Reads the texts at a selector. None when there are none.
    pub fn parse(texts: &[Vec<u8>]) -> Option<Self> {
        let text = match texts {
            [] => return None,
            [text] => String::from_utf8_lossy(text),
            _ => return Some(Self::NotAKey("several texts, of which a receiver may take any".to_owned())),
        };
        let tags = tags(&text);
        // Where a version is said it is the first tag.
        let version = tags.iter().position(|(name, _)| *name == "v");
        if version.is_some_and(|at| at > 0 || tags[at].1 != "DKIM1") {
            return Some(Self::NotAKey("a version other than DKIM1, or not at the front".to_owned()));
        }
        let tag = |wanted: &str| tags.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let Some(public) = tag("p") else { return Some(Self::NotAKey("a text without a key (p=)".to_owned())) };
        let public: String = public.split_whitespace().collect();
        if public.is_empty() {
            return Some(Self::Revoked);
        }
        let testing = tag("t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y"));
        Some(Self::Key { kind: tag("k").unwrap_or("rsa").to_ascii_lowercase(), public, testing })
    }

    /// Is it what is wanted?
    pub fn is(&self, wanted: &WantedKey) -> bool {
        let Self::Key { public, .. } = self else { return false };
        let asked: Option<String> = wanted.key.as_ref().map(|key| key.split_whitespace().collect());
        asked.is_none_or(|asked| asked == *public)
    }
}

/// The tags of a list (RFC 6376 §3.2), which DMARC has, too.
pub(super) fn tags(text: &str) -> Vec<(&str, &str)> {
    text.split(';').filter_map(|tag| tag.split_once('=')).map(|(name, value)| (name.trim(), value.trim())).collect()
}

impl fmt::Display for DkimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { kind, public, testing } => {
                let (head, test) = (public.get(..12).unwrap_or(public), if *testing { ", a test" } else { "" });
                let tail = public.get(public.len().saturating_sub(8)..).filter(|_| public.len() > 20).unwrap_or("");
                write!(f, "{kind} key {head}…{tail} of {} characters{test}", public.len())
            }
            Self::Revoked => f.write_str("a revoked key"),
            Self::NotAKey(why) => f.write_str(why),
        }
    }
}
