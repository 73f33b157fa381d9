//! The registry of directories: which connector a table of `[directories]` is. One line a kind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Error;
use crate::config::{Config, EndpointEntry, FILE, PortalEntry, SecretEntry, SmtpEntry, TlsEntry, kinds};
use crate::portal::{Portal, Way};
use crate::secret::{self, Environment};
use crate::usecase::people::Opened;

/// The kinds of directories there are.
const KINDS: [&str; 8] = ["active-directory", "ldap", "csv", "xlsx", "sql", "scim", "portal", "rehearsal"];
/// Under which keys, at any depth, a secret is.
const SECRETS: [&str; 4] = ["password", "address", "token", "key"];

/// A directory of people. What each kind takes besides stands on the page of people.
#[derive(Clone, Debug, JsonSchema)]
pub struct DirectoryEntry {
    /// What it is: `active-directory`, `ldap`, `csv`, `xlsx`, `sql`, `scim`, `portal` or `rehearsal`.
    #[expect(dead_code, reason = "the schema's word for what the kind below says")]
    kind: String,
    #[schemars(skip)]
    of: Kind,
}

/// What a directory is.
#[derive(Clone, Debug)]
enum Kind {
    /// A server that speaks LDAP, and where its password is.
    Ldap(Box<ldap::config::Config>, Option<SecretEntry>),
    /// A file of CSV, or a workbook.
    File(Box<table::FileConfig>),
    /// A query of a database.
    Sql(Box<SqlEntry>),
    /// A platform that speaks SCIM, and where its token and its password are.
    Scim(Box<scim::config::Config>, Option<SecretEntry>, Option<SecretEntry>),
    /// A platform that has only a portal.
    Portal(Box<PortalEntry>),
    /// A file that stands for a platform in rehearsals.
    Rehearsal(RehearsalEntry),
}

/// A file that stands for a platform in rehearsals.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RehearsalEntry {
    #[serde(rename = "kind")]
    _kind: String,
    path: PathBuf,
}

/// A query of a database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlEntry {
    #[serde(rename = "kind")]
    _kind: String,
    address: SecretEntry,
    query: String,
    #[serde(default)]
    map: table::ColumnMap,
    #[serde(default)]
    tls: table::Tls,
    ca_file: Option<PathBuf>,
    #[serde(default = "yes")]
    strict: bool,
    #[serde(default)]
    may_be_empty: bool,
}

fn yes() -> bool {
    true
}

/// Does what a directory says of quotas count for the platform? Only where the project's file names the attribute or the
/// column: what a local mail server allows by default was not bought on the platform.
pub(crate) fn tells_quota(config: &Config, name: &str) -> bool {
    let Some(table) = config.file.directories.get(name) else { return true };
    let is_ldap = matches!(table.get("kind").and_then(toml::Value::as_str), Some("active-directory" | "ldap"));
    let names_it = || {
        let attributes = table.get("attributes").and_then(toml::Value::as_table);
        attributes.is_some_and(|attributes| attributes.contains_key("quota"))
    };
    !is_ldap || names_it()
}

/// Reads a table of `[directories]`.
pub(crate) fn entry(text: &str, name: &str, table: &toml::Table) -> Result<DirectoryEntry, Error> {
    let place = kinds::place(text, &format!("[directories.{name}]"));
    let kind = table.get("kind").and_then(toml::Value::as_str).ok_or_else(|| {
        Error::usage(format!("{place}: kind is missing")).advise(format!("write kind = one of {}", KINDS.join(", ")))
    })?;
    if let Some(key) = written_out(table) {
        return Err(Error::usage(format!("{place}: {key} is not written out here"))
            .advise(format!("put it into a file: {key} = {{ file = \"PATH\" }}, or {{ env = \"NAME\" }}")));
    }
    let wrong = |error: toml::de::Error| {
        Error::usage(format!("{place}: {}", error.message().trim()))
            .advise("correct it; docs/people.md shows a whole file")
    };
    let of = match kind {
        "active-directory" | "ldap" => {
            let mut own = table.clone();
            let password =
                own.remove("password").map(toml::Value::try_into::<SecretEntry>).transpose().map_err(wrong)?;
            Kind::Ldap(Box::new(own.try_into().map_err(wrong)?), password)
        }
        "csv" | "xlsx" => {
            let mut own = table.clone();
            own.remove("kind");
            let mut form = match own.remove("form") {
                Some(toml::Value::Table(form)) => form,
                _ => toml::Table::new(),
            };
            form.insert("format".to_owned(), kind.into());
            own.insert("form".to_owned(), form.into());
            Kind::File(Box::new(own.try_into().map_err(wrong)?))
        }
        "portal" => {
            let portal: PortalEntry = table.clone().try_into().map_err(wrong)?;
            portal.check().map_err(|what| {
                Error::usage(format!("{place}: {what}")).advise("correct it; docs/people.md shows a whole file")
            })?;
            Kind::Portal(Box::new(portal))
        }
        "rehearsal" => Kind::Rehearsal(table.clone().try_into().map_err(wrong)?),
        "sql" => Kind::Sql(Box::new(table.clone().try_into().map_err(wrong)?)),
        "scim" => {
            let mut own = table.clone();
            own.remove("kind");
            let mut secret =
                |key: &str| own.remove(key).map(toml::Value::try_into::<SecretEntry>).transpose().map_err(wrong);
            let (token, password) = (secret("token")?, secret("password")?);
            Kind::Scim(Box::new(own.try_into().map_err(wrong)?), token, password)
        }
        other => return Err(kinds::not_known(&place, other, &KINDS)),
    };
    Ok(DirectoryEntry { kind: kind.to_owned(), of })
}

/// The key of a secret that is written out where only its place may stand. What is written there is likely the secret itself, so no
/// message may show it.
fn written_out(table: &toml::Table) -> Option<&'static str> {
    let own = |table: &toml::Table, keys: &[&'static str]| {
        keys.iter().copied().find(|key| table.get(*key).is_some_and(toml::Value::is_str))
    };
    let below =
        |path: &[&str]| path.iter().try_fold(table, |table, key| table.get(*key).and_then(toml::Value::as_table));
    own(table, &SECRETS)
        .or_else(|| own(below(&["push"])?, &SECRETS))
        .or_else(|| own(below(&["push", "smtp"])?, &SECRETS))
        .or_else(|| own(below(&["results"])?, &SECRETS))
}

/// A server that takes letters, with its password.
pub(crate) fn smtp(
    config: &Config,
    entry: &SmtpEntry,
    whose: &str,
    environment: Environment<'_>,
) -> Result<mailer::SmtpConfig, Error> {
    let login = match (&entry.user, &entry.password) {
        (Some(user), Some(password)) => {
            let whose = format!("{whose}.password");
            Some((user.clone(), reveal(config, password, &whose, environment)?))
        }
        _ => None,
    };
    Ok(mailer::SmtpConfig {
        host: entry.host.clone(),
        port: entry.port,
        tls: match entry.tls {
            None | Some(TlsEntry::Implicit) => mailer::Tls::Implicit,
            Some(TlsEntry::Starttls) => mailer::Tls::Starttls,
            Some(TlsEntry::None) => mailer::Tls::None,
        },
        ca_file: entry.ca_file.as_ref().map(|path| config.path(path)),
        login,
    })
}

/// A secret that something of a project's file names.
pub(crate) fn reveal(
    config: &Config,
    entry: &SecretEntry,
    whose: &str,
    environment: Environment<'_>,
) -> Result<connector::Secret, Error> {
    match entry {
        SecretEntry::Env(name) => secret::from_environment(name, whose, environment),
        SecretEntry::File(path) => config.files.secret(&config.path(path), whose),
    }
}

impl DirectoryEntry {
    /// Where the secrets are of a directory that the switch may write to.
    pub(crate) fn secrets(&self) -> Vec<&SecretEntry> {
        match &self.of {
            Kind::Ldap(_, password) => password.iter().collect(),
            Kind::Scim(_, token, password) => token.iter().chain(password).collect(),
            _ => Vec::new(),
        }
    }

    /// The file of its CA.
    pub(crate) fn ca_files(&self) -> Vec<&PathBuf> {
        match &self.of {
            Kind::Ldap(server, _) => server.ca_file.iter().collect(),
            Kind::Scim(server, ..) => server.ca_file.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The platform that has only a portal, where it is one.
    pub(crate) fn portal(&self) -> Option<&PortalEntry> {
        match &self.of {
            Kind::Portal(portal) => Some(portal),
            _ => None,
        }
    }

    /// What has to hold of it and the endpoints.
    pub(crate) fn check(&self, name: &str, endpoints: &BTreeMap<String, EndpointEntry>) -> Result<(), Error> {
        let Kind::Portal(portal) = &self.of else { return Ok(()) };
        portal.check_results(endpoints).map_err(|what| {
            Error::usage(format!("{FILE}: [directories.{name}]: {what}")).advise("name one of [endpoints]")
        })
    }
}

/// The directory of this name.
pub(crate) fn open(config: &Config, name: &str, environment: Environment<'_>) -> Result<Opened, Error> {
    open_for(config, name, environment, None)
}

/// The directory of this name, for what is done under a lease: bytes that stay unacknowledged for longer than this are given up.
pub(crate) fn open_for(
    config: &Config,
    name: &str,
    environment: Environment<'_>,
    unacknowledged_max: Option<Duration>,
) -> Result<Opened, Error> {
    let whose = format!("{FILE}: [directories.{name}]");
    let entry = config.directories.get(name).ok_or_else(|| Error::usage(format!("{whose} is not there")))?;
    let secret = |entry: &SecretEntry| reveal(config, entry, &whose, environment);
    Ok(match &entry.of {
        Kind::Ldap(server, password) => {
            let mut server = (**server).clone();
            server.password = password.as_ref().map(secret).transpose()?;
            server.ca_file = server.ca_file.as_ref().map(|path| config.path(path));
            server.unacknowledged_max = unacknowledged_max.unwrap_or(server.unacknowledged_max);
            if let Some(mistake) = server.mistake() {
                return Err(
                    Error::usage(format!("{whose}: {mistake}")).advise("correct it; docs/people.md shows a whole file")
                );
            }
            let is_written = server.write.is_some();
            let directory = Arc::new(ldap::LdapDirectory::new(server, Arc::new(connector::SystemClock)));
            if is_written { Opened::Written(directory) } else { Opened::Read(directory) }
        }
        Kind::Scim(server, token, password) => {
            let mut server = (**server).clone();
            server.token = token.as_ref().map(secret).transpose()?;
            server.password = password.as_ref().map(secret).transpose()?;
            server.ca_file = server.ca_file.as_ref().map(|path| config.path(path));
            server.unacknowledged_max = unacknowledged_max.unwrap_or(server.unacknowledged_max);
            if let Some(mistake) = server.mistake() {
                return Err(
                    Error::usage(format!("{whose}: {mistake}")).advise("correct it; docs/people.md shows a whole file")
                );
            }
            Opened::Written(Arc::new(scim::ScimDirectory::new(server)))
        }
        Kind::File(file) => {
            let mut file = (**file).clone();
            file.base.clone_from(&config.folder);
            Opened::Read(Arc::new(table::FileDirectory::new(file)))
        }
        Kind::Portal(entry) => {
            let way = match &entry.push {
                Some(push) => Way::Mail {
                    to: push.to.clone(),
                    from: push.from.clone(),
                    key: secret(&push.key)?.reveal().trim().to_owned(),
                    mailer: Arc::new(mailer::Smtp::new(smtp(
                        config,
                        &push.smtp,
                        &format!("{whose} push.smtp"),
                        environment,
                    )?)),
                },
                None => Way::Folder(config.path(entry.folder.as_deref().unwrap_or_else(|| Path::new("uploads")))),
            };
            Opened::Portal(Arc::new(Portal::new((**entry).clone(), &config.folder, way)))
        }
        Kind::Rehearsal(entry) => {
            Opened::Written(Arc::new(crate::rehearsed::RehearsedDirectory::new(config.path(&entry.path))))
        }
        Kind::Sql(sql) => {
            let mut of = table::SqlConfig::new(secret(&sql.address)?.reveal(), &sql.query);
            of.map = sql.map.clone();
            of.tls = sql.tls;
            of.ca_file = sql.ca_file.as_ref().map(|path| config.path(path));
            (of.strict, of.may_be_empty) = (sql.strict, sql.may_be_empty);
            of.base.clone_from(&config.folder);
            Opened::Read(Arc::new(table::SqlDirectory::new(of)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(scim: &str) -> Result<Config, Error> {
        parse_kind("scim", scim)
    }

    fn parse_kind(kind: &str, table: &str) -> Result<Config, Error> {
        let text = format!(
            "version = 1\norganisation = {{ name = \"Example Trust\", code = \"RX1\" }}\n[directories.national]\nkind = \"{kind}\"\n\
             {table}\n[people]\nplatform = \"national\"\nsources = [\"ad\"]\n[directories.ad]\nkind = \"ldap\"\nhost = \"h\"\n\
             [endpoints.a]\nkind = \"maildir\"\npath = \"m/{{source}}\"\n[source]\nmail = \"a\"\n[target]\nmail = \"a\"\n"
        );
        Config::parse(&text, Path::new("/nonexistent"))
    }

    #[test]
    fn a_platform_of_scim_is_opened_to_write_and_its_token_is_shown_nowhere() {
        let url = "url = \"https://scim.example/v2\"\n";
        let config = parse(&format!("{url}token = {{ env = \"TOKEN\" }}")).unwrap();
        let environment = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        assert!(matches!(open(&config, "national", &environment), Ok(Opened::Written(_))));
        assert!(!format!("{config:?}").contains("hunter2"));
        for (wrong, words) in [
            (format!("{url}token = \"hunter2\""), "token is not written out"),
            (format!("{url}nonsense = 1"), "nonsense"),
            ("user = \"u\"".to_owned(), "url"),
        ] {
            let error = parse(&wrong).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
        let config = parse("url = \"http://scim.example\"").unwrap();
        let error = open(&config, "national", &environment).err().unwrap();
        assert!(error.to_string().contains("do not go together"), "{error}");
    }

    #[test]
    fn a_portal_says_how_files_leave_and_its_key_is_shown_nowhere() {
        let portal = |table: &str| parse_kind("portal", &format!("report = \"users.csv\"\nconnector = \"c\"\n{table}"));
        let push = "push = { to = \"a@b.example\", from = \"c@b.example\", smtp = { host = \"h\" }, key = ";
        let config = portal(&format!("{push}{{ env = \"KEY\" }} }}")).unwrap();
        let environment = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
        let Ok(Opened::Portal(opened)) = open(&config, "national", &environment) else { panic!() };
        assert!(!opened.entry.makes_live(), "what is mailed waits to be accepted (R-033)");
        let folder = portal("folder = \"uploads\"").unwrap();
        assert!(folder.directories["national"].portal().unwrap().makes_live(), "what is uploaded is live (R-034)");
        for (wrong, words) in [
            (String::new(), "nothing says how files leave"),
            (format!("folder = \"x\"\n{push}{{ env = \"KEY\" }} }}"), "not both"),
            (format!("{push}\"hunter2\" }}"), "key is not written out"),
            ("folder = \"x\"\nrows_max = 0".to_owned(), "rows_max"),
            (
                "folder = \"x\"\nresults = { endpoint = \"a\", account = \"b\", senders = [\"a@b\"] }".to_owned(),
                "easily forged",
            ),
            (
                "folder = \"x\"\nresults = { endpoint = \"a\", account = \"b\", senders = [\"a@b\"], trust_from = true }"
                    .to_owned(),
                "no IMAP server",
            ),
            (
                "folder = \"x\"\nupload = { columns = [{ heading = \"N\", value = \"surnam\" }] }".to_owned(),
                "did you mean",
            ),
        ] {
            let error = portal(&wrong).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
    }
}
