//! SPF records (RFC 7208), as far as a change of them needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Name;

/// RFC 7208 §4.6.4: terms that need a look-up, in all. More, and receivers take the record for broken.
pub(crate) const LOOKUPS_MAX: usize = 10;

/// What a domain says about who may send for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spf {
    /// One record.
    One {
        /// As it stands there.
        text: String,
        /// Its mechanisms and modifiers, in order.
        terms: Vec<SpfTerm>,
    },
    /// Several, which is the same as a broken one to whoever receives (§4.5).
    Several(Vec<String>),
}

/// A mechanism, or a modifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfTerm {
    /// `+`, `-`, `~` or `?`; none for a modifier.
    pub qualifier: Option<char>,
    /// In lower case, as `include`.
    pub name: String,
    /// What stands behind its name: `:spf.example`, `/24`, `=other.example`.
    pub value: String,
}

impl SpfTerm {
    pub(crate) fn parse(text: &str) -> Self {
        let (qualifier, rest) = match text.chars().next() {
            Some(sign @ ('+' | '-' | '~' | '?')) => (Some(sign), &text[1..]),
            _ => (None, text),
        };
        let end = rest.find([':', '/', '=']).unwrap_or(rest.len());
        let (name, value) = rest.split_at(end);
        // A modifier has a `=` behind its name, and no qualifier (§4.6.1).
        let qualifier = if value.starts_with('=') { qualifier } else { qualifier.or(Some('+')) };
        Self { qualifier, name: name.to_ascii_lowercase(), value: value.to_owned() }
    }

    /// Does it need a look-up of those that are counted (§4.6.4)?
    pub(crate) fn looks_up(&self) -> bool {
        matches!(self.name.as_str(), "include" | "a" | "mx" | "ptr" | "exists" | "redirect")
    }

    /// The domain whose record is read in its place. None as well where that depends on the message (§7).
    pub(crate) fn leads_to(&self) -> Option<Name> {
        match self.name.as_str() {
            "include" => self.value.strip_prefix(':')?.parse().ok(),
            "redirect" => self.value.strip_prefix('=')?.parse().ok(),
            _ => None,
        }
    }

    /// Do both let the same hosts send? The whole of an address is its own range.
    fn same_hosts(&self, other: &Self) -> bool {
        let whole = match self.name.as_str() {
            "ip4" => "/32",
            "ip6" => "/128",
            _ => "",
        };
        let value = |term: &Self| {
            let value = term.value.to_ascii_lowercase();
            value.strip_suffix(whole).filter(|_| !whole.is_empty()).map_or(value.clone(), str::to_owned)
        };
        self.name == other.name && value(self).trim_end_matches('.') == value(other).trim_end_matches('.')
    }
}

impl Spf {
    /// Reads the texts at a domain. None when none of them is an SPF record.
    pub fn parse(texts: &[Vec<u8>]) -> Option<Self> {
        let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
        let mut records: Vec<String> = texts.filter(|text| is_spf(text)).collect();
        records.sort();
        if records.len() > 1 {
            return Some(Self::Several(records));
        }
        let text = records.pop()?;
        let terms = text.split(' ').skip(1).filter(|term| !term.is_empty()).map(SpfTerm::parse).collect();
        Some(Self::One { text, terms })
    }

    /// Those of the wanted terms that are not in force: not there, not as a pass, or behind `all`.
    pub fn missing<'a>(&self, wanted: &'a [String]) -> Vec<&'a str> {
        let Self::One { terms, .. } = self else { return wanted.iter().map(String::as_str).collect() };
        let read = terms.iter().take_while(|term| term.name != "all");
        let passes: Vec<_> = read.filter(|term| term.qualifier == Some('+')).collect();
        let there = |text: &str| {
            let term = SpfTerm::parse(text);
            passes.iter().any(|pass| pass.same_hosts(&term))
        };
        wanted.iter().map(String::as_str).filter(|text| !there(text)).collect()
    }

    /// The record with what is missing, before what ends it. None when there are several.
    pub fn with(&self, wanted: &[String]) -> Option<String> {
        let Self::One { text, .. } = self else { return None };
        let missing = self.missing(wanted);
        let mut words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let ends = |word: &&str| matches!(SpfTerm::parse(word).name.as_str(), "all" | "redirect");
        let at = words.iter().position(ends).unwrap_or(words.len());
        words.splice(at..at, missing);
        Some(words.join(" "))
    }

    /// Its terms; none when there are several records.
    pub fn terms(&self) -> &[SpfTerm] {
        match self {
            Self::One { terms, .. } => terms,
            Self::Several(_) => &[],
        }
    }
}

/// §4.5: the version, and a space or nothing behind it.
fn is_spf(text: &str) -> bool {
    let version = text.split(' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1")
}

impl fmt::Display for Spf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One { text, .. } => f.write_str(text),
            Self::Several(texts) => write!(f, "{} SPF records: {}", texts.len(), texts.join(" | ")),
        }
    }
}
