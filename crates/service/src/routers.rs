//! The registry of routers: which connector a table of `[routers]` is. One line a kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use connector::{Router, Secret};
use schemars::JsonSchema;

use crate::Error;
use crate::config::{Config, FILE, SecretEntry, kinds};
use crate::secret::{self, Environment};

/// The kinds of routers there are.
const KINDS: [&str; 5] = ["sieve", "postfix", "active-directory", "ldap", "exchange-script"];
const ADVICE: &str = "correct it; docs/routing.md shows what each kind takes";

/// A router: what sends the mail of an endpoint's people elsewhere. What each kind takes besides stands on the page of routing.
#[derive(Clone, Debug, JsonSchema)]
pub struct RouterEntry {
    /// What it is: `sieve`, `postfix`, `active-directory`, `ldap` or `exchange-script`.
    #[expect(dead_code, reason = "the schema's word for what the kind below says")]
    kind: String,
    /// The endpoint whose people's mail it sends elsewhere.
    pub(crate) endpoint: String,
    /// It is only read, for what sends people's mail on, beside the router that changes where mail goes: any number for an endpoint.
    #[schemars(default)]
    pub(crate) inventory: bool,
    #[schemars(skip)]
    of: Kind,
}

/// What a router is, and where its secrets are.
#[derive(Clone, Debug)]
enum Kind {
    /// People's Sieve scripts, with the password of whoever logs in for everybody.
    Sieve(Box<sieve::Config>, Option<SecretEntry>),
    /// A lookup table of Postfix: the address of its database, and those of the site's own maps.
    Postfix(Box<postfix::Config>, Option<SecretEntry>, Vec<Option<SecretEntry>>),
    /// Attributes of a directory, with its password.
    Ldap(Box<ldap::router::config::RouterConfig>, Option<SecretEntry>),
    /// Exchange, by scripts that a person runs.
    Exchange(Box<exchange::Config>),
}

/// Reads a table of `[routers]`.
pub(crate) fn entry(text: &str, name: &str, table: &toml::Table) -> Result<RouterEntry, Error> {
    let place = kinds::place(text, &format!("[routers.{name}]"));
    let mut own = table.clone();
    let word = |key: &str| own.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let missing = |key: &str, advice: String| Error::usage(format!("{place}: {key} is missing")).advise(advice);
    let kind = word("kind").ok_or_else(|| missing("kind", format!("write kind = one of {}", KINDS.join(", "))))?;
    let endpoint =
        word("endpoint").ok_or_else(|| missing("endpoint", "name the endpoint whose people it is for".into()))?;
    own.remove("endpoint");
    let inventory = match own.remove("inventory") {
        None => false,
        Some(toml::Value::Boolean(inventory)) => inventory,
        Some(_) => return Err(Error::usage(format!("{place}: inventory is true or false")).advise(ADVICE)),
    };
    let wrong = |error: toml::de::Error| Error::usage(format!("{place}: {}", error.message().trim())).advise(ADVICE);
    let of = match kind.as_str() {
        "sieve" => {
            own.remove("kind");
            let password = match own.get_mut("login").and_then(toml::Value::as_table_mut) {
                Some(login) => secret(login, "password", &place)?,
                None => None,
            };
            Kind::Sieve(Box::new(own.try_into().map_err(wrong)?), password)
        }
        "postfix" => {
            own.remove("kind");
            let address = match own.get_mut("table").and_then(toml::Value::as_table_mut) {
                Some(table) => database(table, &place)?,
                None => None,
            };
            let mut of_maps = Vec::new();
            for map in own.get_mut("maps").and_then(toml::Value::as_array_mut).into_iter().flatten() {
                of_maps.push(match map.as_table_mut() {
                    Some(map) => database(map, &place)?,
                    None => None,
                });
            }
            Kind::Postfix(Box::new(own.try_into().map_err(wrong)?), address, of_maps)
        }
        "active-directory" | "ldap" => {
            let password = secret(&mut own, "password", &place)?;
            Kind::Ldap(Box::new(own.try_into().map_err(wrong)?), password)
        }
        "exchange-script" => {
            own.remove("kind");
            let config: exchange::Config = own.try_into().map_err(wrong)?;
            if let Some(mistake) = config.mistake() {
                return Err(Error::usage(format!("{place}: {mistake}")).advise(ADVICE));
            }
            Kind::Exchange(Box::new(config))
        }
        other => return Err(kinds::not_known(&place, other, &KINDS)),
    };
    Ok(RouterEntry { kind, endpoint, inventory, of })
}

/// Takes the address of a database out of a table that has one.
fn database(table: &mut toml::Table, place: &str) -> Result<Option<SecretEntry>, Error> {
    match table.get_mut("database").and_then(toml::Value::as_table_mut) {
        Some(database) => secret(database, "address", place),
        None => Ok(None),
    }
}

/// Takes where a secret is out of a table. One that is written out is refused, and shown nowhere.
pub(crate) fn secret(table: &mut toml::Table, key: &str, place: &str) -> Result<Option<SecretEntry>, Error> {
    let Some(value) = table.remove(key) else { return Ok(None) };
    if value.is_str() {
        return Err(Error::usage(format!("{place}: {key} is not written out here"))
            .advise(format!("put it into a file: {key} = {{ file = \"PATH\" }}, or {{ env = \"NAME\" }}")));
    }
    value.try_into().map(Some).map_err(|error: toml::de::Error| {
        Error::usage(format!("{place}: {key}: {}", error.message().trim())).advise(ADVICE)
    })
}

impl RouterEntry {
    /// The settings, where a person runs its scripts.
    pub(crate) fn exchange(&self) -> Option<&exchange::Config> {
        match &self.of {
            Kind::Exchange(config) => Some(config),
            _ => None,
        }
    }

    /// Where its secrets are.
    pub(crate) fn secrets(&self) -> Vec<&SecretEntry> {
        match &self.of {
            Kind::Sieve(_, secret) | Kind::Ldap(_, secret) => secret.iter().collect(),
            Kind::Exchange(_) => Vec::new(),
            Kind::Postfix(_, secret, of_maps) => secret.iter().chain(of_maps.iter().flatten()).collect(),
        }
    }

    /// The files of its CAs.
    pub(crate) fn ca_files(&self) -> Vec<&PathBuf> {
        match &self.of {
            Kind::Sieve(config, _) => config.ca_file.iter().collect(),
            Kind::Ldap(config, _) => config.ca_file.iter().collect(),
            Kind::Exchange(_) => Vec::new(),
            Kind::Postfix(config, ..) => {
                let own = match &config.table {
                    postfix::Table::File(_) => None,
                    postfix::Table::Postgresql(sql) | postfix::Table::Sqlite(sql) => sql.database.ca_file.as_ref(),
                };
                own.into_iter().chain(config.maps.iter().filter_map(|map| map.database.ca_file.as_ref())).collect()
            }
        }
    }
}

/// A secret of whose table this is, if it has one.
pub(crate) fn reveal(
    config: &Config,
    entry: Option<&SecretEntry>,
    whose: &str,
    environment: Environment<'_>,
) -> Result<Option<Secret>, Error> {
    match entry {
        None => Ok(None),
        Some(SecretEntry::Env(name)) => secret::from_environment(name, whose, environment).map(Some),
        Some(SecretEntry::File(path)) => config.files.secret(&config.path(path), whose).map(Some),
    }
}

/// The router of this name.
pub(crate) fn open(
    config: &Config,
    name: &str,
    entry: &RouterEntry,
    unacknowledged_max: Duration,
    environment: Environment<'_>,
    board: impl FnOnce() -> Arc<dyn exchange::Board>,
) -> Result<Arc<dyn Router>, Error> {
    let whose = format!("{FILE}: [routers.{name}]");
    let reveal = |entry: &Option<SecretEntry>| reveal(config, entry.as_ref(), &whose, environment);
    let at = |path: &Path| config.path(path);
    let wrong = |error: connector::Error| Error::usage(format!("{whose}: {}", error.what)).advise(ADVICE);
    Ok(match &entry.of {
        Kind::Sieve(server, password) => {
            let mut server = (**server).clone();
            if let Some(login) = &mut server.login {
                login.password = reveal(password)?;
            }
            server.ca_file = server.ca_file.as_deref().map(at);
            server.ca = server.ca_file.as_ref().and_then(|path| config.files.bytes(path));
            server.unacknowledged_max = unacknowledged_max;
            Arc::new(sieve::SieveRouter::new(server).map_err(wrong)?)
        }
        Kind::Postfix(site, address, of_maps) => {
            let mut site = (**site).clone();
            match &mut site.table {
                postfix::Table::File(file) => file.path = at(&file.path),
                postfix::Table::Postgresql(sql) | postfix::Table::Sqlite(sql) => {
                    sql.database.address = reveal(address)?;
                    sql.database.ca_file = sql.database.ca_file.as_deref().map(at);
                }
            }
            for (map, address) in site.maps.iter_mut().zip(of_maps) {
                map.database.address = reveal(address)?;
                map.database.ca_file = map.database.ca_file.as_deref().map(at);
                map.path = map.path.as_deref().map(at);
            }
            site.config_directory = site.config_directory.as_deref().map(at);
            Arc::new(postfix::PostfixRouter::new(site).map_err(wrong)?)
        }
        Kind::Ldap(server, password) => {
            let mut server = (**server).clone();
            server.password = reveal(password)?;
            server.ca_file = server.ca_file.as_deref().map(at);
            server.unacknowledged_max = unacknowledged_max;
            Arc::new(ldap::LdapRouter::new(server).map_err(wrong)?)
        }
        Kind::Exchange(site) => Arc::new(exchange::ExchangeRouter::new((**site).clone(), board()).map_err(wrong)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    fn read(text: &str) -> Result<RouterEntry, Error> {
        let table: toml::Table = toml::from_str(text).unwrap();
        entry(text, "local", &table)
    }

    #[test]
    fn each_kind_is_read_and_its_secrets_are_shown_nowhere() {
        let postfix = "kind = \"postfix\"\nendpoint = \"mail\"\nmap = \"pgsql:/etc/postfix/w.cf\"\n\
            table = { kind = \"postgresql\", database = { address = { file = \"db.secret\" } } }\n\
            maps = [{ syntax = \"virtual\", query = \"SELECT 1\", database = { address = { env = \"MAPS\" } } }]";
        assert_eq!(read(postfix).unwrap().secrets().len(), 2);
        let sieve = "kind = \"sieve\"\nendpoint = \"mail\"\nhost = \"h\"\n\
            login = { user = \"m\", password = { file = \"p\" }, impersonate = \"master:*\" }";
        assert_eq!(read(sieve).unwrap().secrets().len(), 1);
        for kind in ["ldap", "active-directory"] {
            let ldap = format!(
                "kind = \"{kind}\"\nendpoint = \"mail\"\nhost = \"h\"\nuser = \"u\"\npassword = {{ env = \"P\" }}"
            );
            assert_eq!(read(&ldap).unwrap().secrets().len(), 1);
        }
        let written = "kind = \"ldap\"\nendpoint = \"mail\"\nhost = \"h\"\nuser = \"u\"\npassword = \"hush\"";
        let error = read(written).unwrap_err();
        assert!(error.exit == Exit::Usage && !error.what.contains("hush"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("endpoint = \"mail\"", "kind is missing"),
            ("kind = \"sieve\"", "endpoint is missing"),
            (
                "kind = \"exchange-script\"\nendpoint = \"mail\"\nplatform = \"exchange\"\norganisation = \"o\"\ndomains = []",
                "domains",
            ),
            ("kind = \"exchange-script\"\nendpoint = \"mail\"\nplatform = \"exchnge\"", "exchnge"),
            ("kind = \"seive\"\nendpoint = \"mail\"", "not known"),
            ("kind = \"sieve\"\nendpoint = \"mail\"\nhost = \"h\"\nprot = 1", "prot"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.what.contains(words), "{error}");
        }
    }
}
