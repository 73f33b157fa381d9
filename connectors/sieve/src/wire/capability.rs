//! What a server says it can do (RFC 5804 section 1.7).

use std::collections::BTreeMap;

use super::answer::{Answer, Word};

/// The capabilities, by name in capitals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities(BTreeMap<String, String>);

impl Capabilities {
    pub(crate) fn of(answer: &Answer) -> Self {
        let pair = |line: &Vec<Word>| {
            let text =
                |at: usize| line.get(at).and_then(Word::text).map(|text| String::from_utf8_lossy(text).into_owned());
            Some((text(0)?.to_ascii_uppercase(), text(1).unwrap_or_default()))
        };
        Self(answer.data.iter().filter_map(pair).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Is the word one of those that the capability lists?
    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        self.value(name).is_some_and(|value| value.split_ascii_whitespace().any(|own| own.eq_ignore_ascii_case(word)))
    }

    /// Is it a ManageSieve server that said this?
    pub(crate) fn are_those_of_sieve(&self) -> bool {
        self.has("SIEVE") && self.has("IMPLEMENTATION")
    }
}
