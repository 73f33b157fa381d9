//! The registry of accesses: which connector a table of `[access]` is. One line a kind.

use std::path::Path;
use std::sync::Arc;

use connector::Access;
use schemars::JsonSchema;

use crate::Error;
use crate::config::{Config, FILE, kinds};

/// The kinds of accesses there are.
const KINDS: [&str; 1] = ["dovecot"];
const ADVICE: &str = "correct it; docs/switch.md shows what each kind takes";

/// What closes the mailboxes of an endpoint's people to them after the switch. What each kind takes besides stands on the page of the
/// switch.
#[derive(Clone, Debug, JsonSchema)]
pub struct AccessEntry {
    /// What it is: `dovecot`.
    #[expect(dead_code, reason = "the schema's word for what the kind below says")]
    kind: String,
    /// The endpoint whose mailboxes it closes: one of the source.
    pub(crate) endpoint: String,
    #[schemars(skip)]
    of: Kind,
}

/// What an access is.
#[derive(Clone, Debug)]
enum Kind {
    /// A file that Dovecot denies by.
    Dovecot(Box<dovecot::Config>),
}

/// Reads a table of `[access]`.
pub(crate) fn entry(text: &str, name: &str, table: &toml::Table) -> Result<AccessEntry, Error> {
    let place = kinds::place(text, &format!("[access.{name}]"));
    let mut own = table.clone();
    let mut word = |key: &str, advice: String| match own.remove(key) {
        Some(toml::Value::String(text)) => Ok(text),
        _ => Err(Error::usage(format!("{place}: {key} is missing")).advise(advice)),
    };
    let kind = word("kind", format!("write kind = one of {}", KINDS.join(", ")))?;
    let endpoint = word("endpoint", "name the endpoint whose mailboxes it closes".to_owned())?;
    let of = match kind.as_str() {
        "dovecot" => Kind::Dovecot(Box::new(own.try_into().map_err(|error: toml::de::Error| {
            Error::usage(format!("{place}: {}", error.message().trim())).advise(ADVICE)
        })?)),
        other => return Err(kinds::not_known(&place, other, &KINDS)),
    };
    Ok(AccessEntry { kind, endpoint, of })
}

/// The access of this name.
pub(crate) fn open(config: &Config, name: &str, entry: &AccessEntry) -> Result<Arc<dyn Access>, Error> {
    let at = |path: &Path| config.path(path);
    let wrong =
        |error: connector::Error| Error::usage(format!("{FILE}: [access.{name}]: {}", error.what)).advise(ADVICE);
    Ok(match &entry.of {
        Kind::Dovecot(site) => {
            let mut site = (**site).clone();
            site.path = at(&site.path);
            Arc::new(dovecot::DovecotAccess::new(site).map_err(wrong)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AccessEntry, Error> {
        entry(text, "local", &toml::from_str(text).unwrap())
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(read("kind = \"dovecot\"\nendpoint = \"mail\"\npath = \"closed\"").unwrap().endpoint, "mail");
        for (text, words) in [
            ("endpoint = \"mail\"", "kind is missing"),
            ("kind = \"dovecot\"", "endpoint is missing"),
            ("kind = \"dovecoat\"\nendpoint = \"mail\"", "not known"),
            ("kind = \"dovecot\"\nendpoint = \"mail\"\npaht = \"x\"", "paht"),
            ("kind = \"dovecot\"\nendpoint = \"mail\"", "path"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.what.contains(words), "{error}");
        }
    }
}
