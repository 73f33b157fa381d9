//! DMARC records (RFC 7489 §6.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::dkim::tags;
use crate::Name;

/// What receivers are asked to do with mail that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DmarcPolicy {
    /// Nothing.
    None,
    /// To treat it as suspicious.
    Quarantine,
    /// To refuse it.
    Reject,
}

/// How closely the domain that was proved has to be that of the author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alignment {
    /// Of the same organisation.
    Relaxed,
    /// The same.
    Strict,
}

/// What a domain asks of receivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dmarc {
    /// Where the record stands: at the domain, or at one above it.
    pub found_at: Name,
    /// What is asked for this domain: of a record above, what that says about the domains below it.
    pub policy: DmarcPolicy,
    /// Of how many of a hundred messages.
    pub percent: u8,
    /// For SPF.
    pub spf_alignment: Alignment,
    /// For DKIM.
    pub dkim_alignment: Alignment,
}

impl Dmarc {
    /// Reads the texts at `_dmarc` of a domain. None without exactly one record that says what it asks (§6.6.3).
    pub fn parse(texts: &[Vec<u8>], found_at: &Name, is_above: bool) -> Option<Self> {
        let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
        let records: Vec<String> =
            texts.filter(|text| tags(text).first().is_some_and(|tag| *tag == ("v", "DMARC1"))).collect();
        let [record] = records.as_slice() else { return None };
        let tags = tags(record);
        let tag =
            |wanted: &str| tags.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_ascii_lowercase());
        let policy = |text: String| match text.as_str() {
            "none" => Some(DmarcPolicy::None),
            "quarantine" => Some(DmarcPolicy::Quarantine),
            "reject" => Some(DmarcPolicy::Reject),
            _ => None,
        };
        // §6.6.3: a record without a valid policy that asks for reports counts as `none`.
        let own = tag("p").and_then(policy).or_else(|| tag("rua").map(|_| DmarcPolicy::None))?;
        let below = tag("sp").and_then(policy).unwrap_or(own);
        let alignment = |name| if tag(name).as_deref() == Some("s") { Alignment::Strict } else { Alignment::Relaxed };
        let percent = tag("pct").and_then(|text| text.parse().ok()).filter(|percent| *percent <= 100).unwrap_or(100);
        Some(Self {
            found_at: found_at.clone(),
            policy: if is_above { below } else { own },
            percent,
            spf_alignment: alignment("aspf"),
            dkim_alignment: alignment("adkim"),
        })
    }

    /// Does it ask receivers to hold back or refuse what fails?
    pub fn enforces(&self) -> bool {
        self.policy != DmarcPolicy::None && self.percent > 0
    }
}

impl fmt::Display for Dmarc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.policy {
            DmarcPolicy::None => "none",
            DmarcPolicy::Quarantine => "quarantine",
            DmarcPolicy::Reject => "reject",
        };
        let word = |alignment| if alignment == Alignment::Strict { "strict" } else { "relaxed" };
        write!(
            f,
            "{policy} ({} %, SPF {}, DKIM {}, at {})",
            self.percent,
            word(self.spf_alignment),
            word(self.dkim_alignment),
            self.found_at
        )
    }
}
