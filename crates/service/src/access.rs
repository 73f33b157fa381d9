//! The registry of accesses: which connector a table of `[access]` is. One line a kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use connector::{Access, Secret};
use schemars::JsonSchema;

use crate::Error;
use crate::config::{Config, FILE, SecretEntry, kinds};
use crate::routers;
use crate::secret::Environment;

/// The kinds of accesses there are.
const KINDS: [&str; 3] = ["active-directory", "dovecot", "ldap"];
const ADVICE: &str = "correct it; docs/switch.md shows what each kind takes";

/// What closes the mailboxes of an endpoint's people to them after the switch. What each kind takes besides stands on the page of the
/// switch.
#[derive(Clone, Debug, JsonSchema)]
pub struct AccessEntry {
    /// What it is: `active-directory`, `dovecot` or `ldap`.
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
    /// An attribute of people's entries in a directory, with its password.
    Ldap(Box<ldap::access::AccessConfig>, Option<SecretEntry>),
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
    let wrong = |error: toml::de::Error| Error::usage(format!("{place}: {}", error.message().trim())).advise(ADVICE);
    let of = match kind.as_str() {
        "dovecot" => Kind::Dovecot(Box::new(own.try_into().map_err(wrong)?)),
        "active-directory" | "ldap" => {
            let password = routers::secret(&mut own, "password", &place)?;
            own.insert("kind".to_owned(), toml::Value::String(kind.clone()));
            let config: ldap::access::AccessConfig = own.try_into().map_err(wrong)?;
            // The password is put in later.
            let given = ldap::access::AccessConfig { password: Some(Secret::new("given later")), ..config.clone() };
            if password.is_none() {
                let what = format!("{place}: {} has no password", config.user);
                return Err(Error::usage(what).advise("write password = { file = \"PATH\" }, or { env = \"NAME\" }"));
            }
            if let Some(mistake) = given.mistake() {
                return Err(Error::usage(format!("{place}: {mistake}")).advise(ADVICE));
            }
            Kind::Ldap(Box::new(config), password)
        }
        other => return Err(kinds::not_known(&place, other, &KINDS)),
    };
    Ok(AccessEntry { kind, endpoint, of })
}

impl AccessEntry {
    /// Where its secrets are.
    pub(crate) fn secrets(&self) -> Vec<&SecretEntry> {
        match &self.of {
            Kind::Dovecot(_) => Vec::new(),
            Kind::Ldap(_, secret) => secret.iter().collect(),
        }
    }

    /// The files of its CAs.
    pub(crate) fn ca_files(&self) -> Vec<&PathBuf> {
        match &self.of {
            Kind::Dovecot(_) => Vec::new(),
            Kind::Ldap(config, _) => config.ca_file.iter().collect(),
        }
    }
}

/// The access of this name.
pub(crate) fn open(
    config: &Config,
    name: &str,
    entry: &AccessEntry,
    unacknowledged_max: Duration,
    environment: Environment<'_>,
) -> Result<Arc<dyn Access>, Error> {
    let at = |path: &Path| config.path(path);
    let whose = format!("{FILE}: [access.{name}]");
    let wrong = |error: connector::Error| Error::usage(format!("{whose}: {}", error.what)).advise(ADVICE);
    Ok(match &entry.of {
        Kind::Dovecot(site) => {
            let mut site = (**site).clone();
            site.path = at(&site.path);
            Arc::new(dovecot::DovecotAccess::new(site).map_err(wrong)?)
        }
        Kind::Ldap(server, password) => {
            let mut server = (**server).clone();
            server.password = routers::reveal(config, password.as_ref(), &whose, environment)?;
            server.ca_file = server.ca_file.as_deref().map(at);
            server.unacknowledged_max = unacknowledged_max;
            Arc::new(ldap::LdapAccess::new(&server).map_err(wrong)?)
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
        let ldap = "kind = \"ldap\"\nendpoint = \"mail\"\nhost = \"x\"\nuser = \"cn=x\"\npassword = { env = \"P\" }\n";
        let good = read(&format!("{ldap}attribute = \"employeeType\"\nclosed_with = \"no mail\"")).unwrap();
        assert_eq!((good.endpoint.as_str(), good.secrets().len()), ("mail", 1));
        for (text, words) in [
            ("endpoint = \"mail\"", "kind is missing"),
            ("kind = \"dovecot\"", "endpoint is missing"),
            ("kind = \"dovecoat\"\nendpoint = \"mail\"", "not known"),
            ("kind = \"dovecot\"\nendpoint = \"mail\"\npaht = \"x\"", "paht"),
            ("kind = \"dovecot\"\nendpoint = \"mail\"", "path"),
            (ldap, "attribute"),
            (&format!("{ldap}attribute = \"a\"\nclosed_with = \"\""), "closed_with"),
            (&format!("{ldap}attribute = \"description\"\nclosed_with = \"x\""), "named twice"),
            (
                "kind = \"ldap\"\nendpoint = \"mail\"\nhost = \"x\"\nuser = \"cn=x\"\nattribute = \"a\"\nclosed_with = \"b\"",
                "no password",
            ),
            ("kind = \"ldap\"\nendpoint = \"mail\"\npassword = \"x\"", "not written out"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.what.contains(words), "{error}");
        }
    }
}
