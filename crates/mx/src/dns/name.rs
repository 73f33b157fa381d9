//! Names of the DNS, in lower case.

use std::fmt::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// RFC 1035 §2.3.4: a name's bytes as they travel, with the length of each label and the zero at the end.
const NAME_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: usize = 63;

/// A name. Two that differ in upper and lower case only are one (RFC 4343).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name {
    labels: Vec<Vec<u8>>,
}

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a name of the DNS: {why}")]
pub struct NotAName {
    text: String,
    why: &'static str,
}

impl Name {
    /// The name of these labels, if it is not too long.
    pub(super) fn of_labels(labels: Vec<Vec<u8>>) -> Option<Self> {
        let fits = labels.iter().all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()));
        let labels: Vec<_> = labels.into_iter().map(|label| label.to_ascii_lowercase()).collect();
        let bytes = 1 + labels.iter().map(|label| label.len() + 1).sum::<usize>();
        (fits && bytes <= NAME_BYTES_MAX).then_some(Self { labels })
    }

    pub(super) fn labels(&self) -> &[Vec<u8>] {
        &self.labels
    }

    /// Is it the root, `.`? As the exchange of an MX record it says that no mail is taken (RFC 7505).
    pub fn is_root(&self) -> bool {
        self.labels.is_empty()
    }

    /// How many labels it has.
    pub fn depth(&self) -> usize {
        self.labels.len()
    }

    /// The name without its first label. None for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.labels.split_first()?;
        Some(Self { labels: rest.to_vec() })
    }

    /// The name below this one, with these labels before its own.
    pub fn below(&self, labels: &str) -> Result<Self, NotAName> {
        let below = Self::from_str(labels)?;
        let all = below.labels.into_iter().chain(self.labels.iter().cloned()).collect();
        Self::of_labels(all).ok_or_else(|| NotAName { text: format!("{labels}.{self}"), why: "it is too long" })
    }
}

impl FromStr for Name {
    type Err = NotAName;

    /// Reads a name as people write it, with the dot at its end or without. Names in other letters are to be given as the DNS has
    /// them (`xn--…`, RFC 5891).
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let refused = |why| NotAName { text: text.chars().take(NAME_BYTES_MAX).collect(), why };
        if text == "." {
            return Ok(Self::default());
        }
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() {
            return Err(refused("it is empty"));
        }
        if !bare.is_ascii() {
            return Err(refused("write it as the DNS has it, with xn-- at the front of labels in other letters"));
        }
        if bare.bytes().any(|byte| !(byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))) {
            return Err(refused("it has a character that no name of a host or a service has"));
        }
        let labels: Vec<_> = bare.split('.').map(|label| label.as_bytes().to_vec()).collect();
        if labels.iter().any(Vec::is_empty) {
            return Err(refused("two dots follow each other, or one is at the front"));
        }
        Self::of_labels(labels).ok_or_else(|| refused("a label has more than 63 bytes, or all of it more than 255"))
    }
}

impl fmt::Display for Name {
    /// As a zone file has it (RFC 1035 §5.1), without the dot at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.labels.is_empty() {
            return f.write_char('.');
        }
        for (index, label) in self.labels.iter().enumerate() {
            if index > 0 {
                f.write_char('.')?;
            }
            for byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                    b'!'..=b'~' => f.write_char(char::from(*byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
        }
        Ok(())
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}
