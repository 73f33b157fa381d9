//! `whimbrel.toml`: what a project is. The doc comments here are its reference manual; the JSON Schema is made of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::OrganisationCode;
use profile::{Policy, Profile, Settings};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Error;

mod files;

pub(crate) use files::{EmlEntry, MaildirEntry, MboxEntry};

/// The name of the file in a project's folder.
pub const FILE: &str = "whimbrel.toml";
/// The version of the file's form that this program reads.
const VERSION: u32 = 1;
/// The profile without rules of a platform.
const PLAIN: &str = "plain";
/// How alike a word must be to be offered in place of an unknown one.
const ALIKE: f64 = 0.7;

/// A project: an organisation's move from its own mail servers to another platform.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectFile {
    /// Version of this file's form: 1.
    pub version: u32,
    /// Whose project it is.
    pub organisation: OrganisationEntry,
    /// The rules of the platform moved to: `plain`, `nhsmail` or `nhsmail@2017`; `whimbrel profile show` prints them.
    #[serde(default = "plain")]
    pub profile: String,
    /// Where the project's state is kept: `sqlite:FILE` (relative to the project's folder) or `postgres://…`; or
    /// `{ env = "NAME" }`, an environment variable that holds one of these.
    #[serde(default)]
    pub database: DatabaseEntry,
    /// The project's name, where one organisation has several in one database.
    #[serde(default = "project_name")]
    pub project: String,
    /// How many people are worked on at a time.
    #[serde(default = "people_at_once")]
    pub people_at_once: usize,
    /// Servers and folders of files, by a name of your choice. Each has a `kind`: `imap`, `maildir`, `mbox`
    /// or `eml`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, EndpointEntry>")]
    pub endpoints: BTreeMap<String, toml::Table>,
    /// Where people's data comes from.
    pub source: SourceEntry,
    /// Where it goes.
    pub target: TargetEntry,
    /// Who may do what on this machine, by the operating system's user names. Left out: whoever runs the program may do
    /// everything.
    #[serde(default)]
    pub roles: Option<Roles>,
    /// Limits of this program on this machine.
    #[serde(default)]
    pub limits: Limits,
    /// What travels, and what may happen without a person's word: over the profile, by the same names.
    #[serde(default)]
    pub policy: Settings,
    /// Where originals are kept.
    #[serde(default)]
    pub quarantine: QuarantineEntry,
    /// Whether items are scanned for malware before they travel.
    #[serde(default)]
    pub malware: Option<MalwareEntry>,
    /// How manifests are signed.
    #[serde(default)]
    pub manifest: ManifestEntry,
}

fn plain() -> String {
    PLAIN.to_owned()
}

fn project_name() -> String {
    "migration".to_owned()
}

fn people_at_once() -> usize {
    4
}

/// Whose project it is (R-002).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationEntry {
    /// The organisation's name.
    pub name: String,
    /// Its code: 1 to 9 letters and digits, such as an ODS code.
    #[serde(default)]
    pub code: String,
}

/// An address of a database, or where it is found.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DatabaseEntry {
    /// `sqlite:FILE` or `postgres://…`.
    Address(String),
    /// In an environment variable.
    From(FromEnvironment),
}

impl Default for DatabaseEntry {
    fn default() -> Self {
        Self::Address("sqlite:whimbrel.db".to_owned())
    }
}

/// The name of an environment variable.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromEnvironment {
    /// Its name.
    pub env: String,
}

/// One name or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// All of them.
    pub fn all(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::More(more) => more.clone(),
        }
    }
}

/// Where people's data comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// The endpoint of their mail; or several, and then each row of people.csv needs a `source_endpoint`.
    pub mail: OneOrMore,
}

/// Where people's data goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetEntry {
    /// The endpoint of their mail.
    pub mail: String,
}

/// Who may do what, by the operating system's user names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// May do everything.
    #[serde(default)]
    pub engineer: Vec<String>,
    /// May look.
    #[serde(default)]
    pub reader: Vec<String>,
    /// Of these, who may see the subjects of items that failed.
    #[serde(default)]
    pub subjects: Vec<String>,
}

/// Limits of this program on this machine.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of items in memory at once, for each person being worked on; at least 2 MiB.
    pub memory_bytes: u64,
    /// Bytes of large items in temporary files at once, for each person being worked on.
    pub spool_bytes_max: u64,
    /// Where temporary files are made; the system's place for them when left out.
    pub spool_folder: Option<PathBuf>,
    /// Seconds a worker holds a mailbox without a sign of life.
    pub lease_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 16 << 20, spool_bytes_max: 8 << 30, spool_folder: None, lease_seconds: 60 }
    }
}

/// Where the originals of what does not travel as it is are kept (R-161): encrypted, each once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuarantineEntry {
    /// The folder, relative to the project's.
    pub folder: PathBuf,
    /// The file with the key, which nobody else may read; made when it is first needed. Without it nothing that is kept can be
    /// read again: keep a copy elsewhere.
    pub key_file: PathBuf,
}

impl Default for QuarantineEntry {
    fn default() -> Self {
        Self { folder: "quarantine".into(), key_file: "quarantine.key".into() }
    }
}

/// A ClamAV daemon that is asked about each item that is about to travel. What it finds something in is not copied, and fails as
/// `infected`; while it can't be asked, mailboxes wait.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MalwareEntry {
    /// Where the daemon listens: the path of its socket, or host and port as in `127.0.0.1:3310`.
    pub clamd: String,
    /// Seconds an answer is waited for.
    #[serde(default = "scan_seconds")]
    pub scan_seconds: u64,
}

fn scan_seconds() -> u64 {
    120
}

/// How manifests are signed: what became of every item, for others to check.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManifestEntry {
    /// The file with the secret key, which nobody else may read; made when it is first needed. Whoever has it can sign in the
    /// organisation's name: keep a copy of it elsewhere, and give out the public key that is printed.
    pub key_file: PathBuf,
}

impl Default for ManifestEntry {
    fn default() -> Self {
        Self { key_file: "manifest.key".into() }
    }
}

/// An endpoint: a server, or a folder of files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EndpointEntry {
    /// An IMAP server.
    Imap(ImapEntry),
    /// A folder of maildirs.
    Maildir(MaildirEntry),
    /// mbox files: a source only.
    Mbox(MboxEntry),
    /// Trees of `.eml` files.
    Eml(EmlEntry),
}

impl EndpointEntry {
    /// The path of an endpoint that is files.
    fn files(&self) -> Option<&str> {
        match self {
            Self::Imap(_) => None,
            Self::Maildir(entry) => Some(&entry.path),
            Self::Mbox(entry) => Some(&entry.path),
            Self::Eml(entry) => Some(&entry.path),
        }
    }
}

/// An IMAP server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImapEntry {
    /// `imap`.
    #[schemars(skip)] // the enum of endpoints has it already, as its tag
    pub kind: String,
    /// The server's name or address. Its certificate must be for this name.
    pub host: String,
    /// The port; 993 with `tls = "implicit"`, else 143, when left out.
    pub port: Option<u16>,
    /// How the connection is kept private: `implicit` (TLS from the first byte; the default), `starttls`, or `none`.
    pub tls: Option<TlsEntry>,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Connections to this server at once, all people together; 8 when left out.
    pub connections_max: Option<usize>,
    /// Whether to compress where the server offers it: `auto` (the default: not on this machine), `always`, `never`.
    pub compress: Option<CompressEntry>,
    /// The account that logs in for everyone. Left out: each person logs in with their own name and password.
    pub login: Option<LoginEntry>,
}

/// How a connection is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsEntry {
    /// TLS from the first byte.
    Implicit,
    /// TLS after STARTTLS.
    Starttls,
    /// None.
    None,
}

/// Whether to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CompressEntry {
    /// Where offered, but not on this machine.
    Auto,
    /// Where offered.
    Always,
    /// Never.
    Never,
}

/// The account that logs in for everyone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginEntry {
    /// Its name.
    pub user: String,
    /// Its password: `{ env = "NAME" }` or `{ file = "PATH" }`.
    pub password: Option<SecretEntry>,
    /// In place of a password, where an OAuth access token comes from: `{ command = ["PROGRAM", "ARGUMENT"] }` or
    /// `{ file = "PATH" }`; `{person}` in it is replaced by the person's name.
    pub token: Option<TokenEntry>,
    /// How it reaches each person's store: `authzid` (the default), `master:*` (any separator after the colon) or `none`.
    pub impersonate: Option<String>,
}

/// Where a password comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SecretEntry {
    /// An environment variable.
    Env(String),
    /// A file that only this user may read.
    File(PathBuf),
}

/// Where an access token comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TokenEntry {
    /// A program with its arguments, which prints the token.
    Command(Vec<String>),
    /// A file that holds the token and that only this user may read.
    File(PathBuf),
}

/// A project's file, read and found to make sense.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file.
    pub file: ProjectFile,
    /// The organisation's code.
    pub code: OrganisationCode,
    /// What travels.
    pub policy: Policy,
    /// The endpoints by name.
    pub endpoints: BTreeMap<String, EndpointEntry>,
    /// The project's folder.
    pub folder: PathBuf,
}

impl Config {
    /// Reads the file of the project in this folder.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let error = Error::usage(format!("{} cannot be read: {error}", path.display()));
            error.advise(
                "make a project with: whimbrel init DIR --code CODE --name NAME; or name its folder with --project",
            )
        })?;
        Self::parse(&text, folder)
    }

    /// Reads the text of a project's file.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Error> {
        let file: ProjectFile = toml::from_str(text).map_err(|error| {
            let Some(span) = error.span() else { return complain(FILE, error.message()) };
            let before = text.get(..span.start).unwrap_or(text);
            let line = before.rsplit('\n').next().unwrap_or_default();
            let number = before.matches('\n').count() + 1;
            let key = line.split_once('=').map(|(key, _)| format!("{}: ", key.trim())).unwrap_or_default();
            let place = format!("{FILE}, line {number}, column {}", line.chars().count() + 1);
            complain(&place, &format!("{key}{}", error.message()))
        })?;
        if file.version != VERSION {
            let what = format!("{FILE}: version = {} is not known; this program reads version {VERSION}", file.version);
            return Err(Error::usage(what).advise("use the program that wrote it, or write version = 1"));
        }
        let code = OrganisationCode::try_from(file.organisation.code.clone()).map_err(|error| {
            Error::refused("R-002", format!("{FILE}: {error}")).advise("write organisation = { name = …, code = … }")
        })?;
        let policy = Profile::shipped(&file.profile).and_then(|profile| profile.policy(&file.policy));
        let policy = policy.map_err(|error| Error::usage(format!("{FILE}: {}", error.message)).advise(error.advice))?;
        let mut endpoints = BTreeMap::new();
        for (name, table) in &file.endpoints {
            endpoints.insert(name.clone(), endpoint(text, name, table)?);
        }
        let config = Self { file, code, policy, endpoints, folder: folder.to_owned() };
        config.check_names()?;
        Ok(config)
    }

    fn check_names(&self) -> Result<(), Error> {
        let sources = self.file.source.mail.all();
        if sources.is_empty() {
            return Err(Error::usage(format!("{FILE}: source.mail names no endpoint")).advise("write the name of one"));
        }
        let named = sources.iter().map(|name| ("source.mail", name)).chain([("target.mail", &self.file.target.mail)]);
        for (key, name) in named {
            if !self.endpoints.contains_key(name) {
                let error = Error::usage(format!("{FILE}: {key} = {name:?}, but there is no [endpoints.{name}]"));
                return Err(match alike(name, self.endpoints.keys().map(String::as_str)) {
                    Some(known) => error.advise(format!("did you mean {known:?}?")),
                    None => error.advise(format!("add a table [endpoints.{name}]")),
                });
            }
        }
        for (name, entry) in &self.endpoints {
            let path_of_all = match entry {
                EndpointEntry::Mbox(MboxEntry { inbox: Some(inbox), .. }) if !inbox.contains("{source}") => Some(inbox),
                _ => None,
            };
            if let Some(path) = path_of_all {
                let what = format!("{FILE}: [endpoints.{name}]: inbox = {path:?} is one file for everybody");
                return Err(Error::usage(what).advise("write {source} where each person's name is to stand"));
            }
            if let Some(path) = entry.files()
                && !path.contains("{source}")
                && !path.contains("{target}")
            {
                let what = format!("{FILE}: [endpoints.{name}]: path = {path:?} is one place for everybody");
                return Err(
                    Error::usage(what).advise("write {source} or {target} where each person's name is to stand")
                );
            }
        }
        let target = &self.file.target.mail;
        if let EndpointEntry::Mbox(_) = self.endpoints[target] {
            let what = format!("{FILE}: target.mail = {target:?}, but mbox files are only read");
            return Err(
                Error::usage(what).advise("put the mail into maildirs or eml files: kind = \"maildir\" or \"eml\"")
            );
        }
        if sources.contains(target)
            && let EndpointEntry::Imap(ImapEntry { connections_max: Some(max @ 0..=1), .. }) = self.endpoints[target]
        {
            let what = format!(
                "{FILE}: endpoints.{target}.connections_max = {max}, but mail is read there and written there at the same time"
            );
            return Err(Error::usage(what).advise("write 2 or more"));
        }
        if self.file.people_at_once == 0 {
            return Err(Error::usage(format!("{FILE}: people_at_once = 0 works on nobody")).advise("write 1 or more"));
        }
        if self.file.limits.memory_bytes < 2 << 20 {
            let what = format!("{FILE}: limits.memory_bytes = {} is too little", self.file.limits.memory_bytes);
            return Err(Error::usage(what).advise("write 2097152 or more"));
        }
        if self.file.limits.lease_seconds < 2 {
            let what = format!("{FILE}: limits.lease_seconds = {} is too short", self.file.limits.lease_seconds);
            return Err(Error::usage(what).advise("write 2 or more; 60 is usual"));
        }
        Ok(())
    }

    /// The scanner, if items are to be scanned.
    pub(crate) fn scanner(&self) -> Option<Arc<dyn movement::Scanner>> {
        Some(Arc::new(crate::usecase::rules::Scan(self.clamd()?)))
    }

    /// The daemon that scans, if items are to be scanned.
    pub(crate) fn clamd(&self) -> Option<malware::Clamd> {
        let entry = self.file.malware.as_ref()?;
        Some(malware::Clamd::at(&entry.clamd, Duration::from_secs(entry.scan_seconds)))
    }

    /// Do these names at these endpoints mean one mailbox?
    pub(crate) fn is_one_mailbox(&self, source: (&str, &str), target: (&str, &str)) -> bool {
        match (self.endpoints.get(source.0), self.endpoints.get(target.0)) {
            (Some(EndpointEntry::Imap(from)), Some(EndpointEntry::Imap(to))) => {
                let port = |entry: &ImapEntry| match entry.tls {
                    None | Some(TlsEntry::Implicit) => entry.port.unwrap_or(993),
                    Some(_) => entry.port.unwrap_or(143),
                };
                let place = |entry: &ImapEntry| (entry.host.to_lowercase(), port(entry));
                place(from) == place(to) && source.1.eq_ignore_ascii_case(target.1)
            }
            (Some(from), Some(to)) => {
                let path = |path: &str| {
                    self.path(Path::new(&path.replace("{source}", source.1).replace("{target}", target.1)))
                };
                from.files().zip(to.files()).is_some_and(|(from, to)| path(from) == path(to))
            }
            _ => false,
        }
    }

    /// A path of the file, relative to the project's folder.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}

fn endpoint(text: &str, name: &str, table: &toml::Table) -> Result<EndpointEntry, Error> {
    let place = format!("{FILE}: [endpoints.{name}]");
    let kinds = crate::registry::KINDS;
    let line = line_with(text, &format!("[endpoints.{name}]"));
    let entry = match table.get("kind").and_then(toml::Value::as_str) {
        Some("imap") => table.clone().try_into().map(EndpointEntry::Imap),
        Some("maildir") => table.clone().try_into().map(EndpointEntry::Maildir),
        Some("mbox") => table.clone().try_into().map(EndpointEntry::Mbox),
        Some("eml") => table.clone().try_into().map(EndpointEntry::Eml),
        Some(other) => {
            let error = Error::usage(format!("{place}: kind = {other:?} is not known; known are {}", kinds.join(", ")));
            return Err(match alike(other, kinds.into_iter()) {
                Some(known) => error.advise(format!("did you mean {known:?}?")),
                None => error.advise("write one of these"),
            });
        }
        None => {
            let error = Error::usage(format!("{place}: kind is missing"));
            return Err(error.advise(format!("write kind = one of {}", kinds.join(", "))));
        }
    };
    // A line of this endpoint's own tables.
    let line_of_key = |key: &str| {
        let begin = line?;
        let (mut lines, own) = (text.lines().enumerate().skip(begin), format!("[endpoints.{name}."));
        lines.by_ref().take_while(|(_, line)| !line.starts_with('[') || line.starts_with(&own)).find_map(
            |(index, line)| line.split('=').next().is_some_and(|word| word.trim() == key).then_some(index + 1),
        )
    };
    let at = |line: Option<usize>| line.map_or(place.clone(), |line| format!("{place}, line {line}"));
    for key in ["password", "token"] {
        // What is written out here is likely the secret itself, so the message must not show it.
        if table.get("login").and_then(|login| login.get(key)).is_some_and(toml::Value::is_str) {
            let what = format!("{}: login.{key} is not written out here", at(line_of_key(key)));
            return Err(Error::usage(what).advise(format!("put it into a file: {key} = {{ file = \"PATH\" }}")));
        }
    }
    entry.map_err(|error: toml::de::Error| {
        let message = error.message();
        let whole = error.to_string();
        let key = unknown_field(message).map(|(key, _)| key).or_else(|| {
            // Behind the message stands where it was: in `login.user`.
            let path = whole.rsplit_once("in `")?.1.split('`').next()?;
            path.rsplit('.').next().map(str::to_owned)
        });
        let shown = key.as_ref().filter(|key| !message.contains(key.as_str())).map(|key| format!("{key}: "));
        let place = at(key.as_deref().and_then(line_of_key).or(line));
        complain(&place, &format!("{}{message}", shown.unwrap_or_default()))
    })
}

/// An error at this place, and what was probably meant.
fn complain(place: &str, message: &str) -> Error {
    let message = message.trim();
    let error = Error::usage(format!("{place}: {message}"));
    match unknown_field(message) {
        Some((key, known)) => match alike(&key, known.iter().map(String::as_str)) {
            Some(meant) => error.advise(format!("did you mean {meant:?}?")),
            None => error.advise("remove it, or correct its name"),
        },
        None => error.advise("correct it; the README shows a whole file"),
    }
}

/// The unknown key and the known ones of serde's message.
fn unknown_field(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2).map(str::to_owned);
    let key = quoted.next()?;
    Some((key, quoted.collect()))
}

/// The word that is most like this one, if one is.
pub(crate) fn alike<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_ascii_lowercase();
    known
        .map(|known| (strsim::jaro_winkler(&word, &known.to_ascii_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

fn line_with(text: &str, wanted: &str) -> Option<usize> {
    text.lines().position(|line| line.trim_start().starts_with(wanted)).map(|index| index + 1)
}

/// The JSON Schema of the file.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ProjectFile).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    const WHOLE: &str = r#"
version = 1
organisation = { name = "Example Trust", code = "RX1" }
profile  = "plain"
database = "sqlite:whimbrel.db"
people_at_once = 4

[endpoints.local]
kind = "imap"
host = "127.0.0.1"
port = 10143
tls  = "none"
ca_file = "ca.pem"
connections_max = 8
[endpoints.local.login]
user        = "migrator"
password    = { env = "LOCAL_PASSWORD" }
impersonate = "authzid"

[endpoints.archive]
kind = "maildir"
path = "archive/{target}"

[source]
mail = "local"
[target]
mail = "archive"
"#;

    fn parse(text: &str) -> Result<Config, Error> {
        Config::parse(text, Path::new("/project"))
    }

    fn complaint(from: &str, to: &str) -> Error {
        assert!(WHOLE.contains(from));
        parse(&WHOLE.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn one_server_on_both_sides_needs_two_connections() {
        let both = WHOLE.replace("mail = \"archive\"", "mail = \"local\"");
        parse(&both).unwrap();
        let error = parse(&both.replace("connections_max = 8", "connections_max = 1")).unwrap_err();
        assert!(error.what.contains("endpoints.local.connections_max = 1"), "{error}");
    }

    #[test]
    fn a_mailbox_is_told_from_others() {
        let config = parse(&WHOLE.replace("mail = \"archive\"", "mail = \"local\"")).unwrap();
        assert!(config.is_one_mailbox(("local", "Ann"), ("local", "ann")));
        assert!(!config.is_one_mailbox(("local", "ann"), ("local", "ben")));
        assert!(config.is_one_mailbox(("archive", "a"), ("archive", "a")));
        assert!(!config.is_one_mailbox(("archive", "a"), ("local", "a")));
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = parse(WHOLE).unwrap();
        assert_eq!(config.code.as_str(), "RX1");
        let EndpointEntry::Imap(local) = &config.endpoints["local"] else { panic!("not IMAP") };
        assert_eq!((local.port, local.tls), (Some(10143), Some(TlsEntry::None)));
        assert!(matches!(local.login.as_ref().unwrap().password, Some(SecretEntry::Env(_))));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_one_meant() {
        let error = complaint("people_at_once", "poeple_at_once");
        assert!(error.what.contains("line 6") && error.what.contains("poeple_at_once"), "{error}");
        assert_eq!(error.advice.as_deref(), Some("did you mean \"people_at_once\"?"));
        let error = complaint("connections_max", "conections_max");
        assert!(error.what.contains("[endpoints.local]") && error.what.contains("line 14"), "{error}");
        assert_eq!(error.advice.as_deref(), Some("did you mean \"connections_max\"?"));
        let error = complaint("impersonate", "impersonat");
        assert_eq!(error.advice.as_deref(), Some("did you mean \"impersonate\"?"));
        assert_eq!(error.exit, Exit::Usage);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (from, to, expected) in [
            ("port = 10143", "port = \"x\"", "[endpoints.local]"),
            ("kind = \"imap\"", "kind = \"imp\"", "kind = \"imp\""),
            ("mail = \"local\"", "mail = \"locl\"", "source.mail"),
            ("version = 1", "version = 2", "version = 2"),
            ("people_at_once = 4", "people_at_once = 0", "people_at_once"),
            ("[source]", "[source", "line"),
            ("host = \"127.0.0.1\"", "", "host"),
            ("profile  = \"plain\"", "profile = \"nhs\"", "profile"),
            ("kind = \"maildir\"", "kind = \"mbox\"", "only read"),
            ("path = \"archive/{target}\"", "path = \"archive\"", "for everybody"),
            ("kind = \"maildir\"", "kind = \"mbox\"\ninbox = \"x\"", "inbox"),
        ] {
            let error = complaint(from, to);
            assert!(error.what.contains(expected), "{error}");
            assert_eq!(error.exit, Exit::Usage);
        }
    }

    #[test]
    fn a_code_is_mandatory_and_of_the_right_form() {
        for to in ["code = \"\"", "code = \"R X\"", "code = \"TOOLONG1234\""] {
            let error = complaint("code = \"RX1\"", to);
            assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-002")), "{error}");
        }
        let error = complaint(", code = \"RX1\"", "");
        assert_eq!(error.rule, Some("R-002"));
    }

    #[test]
    fn the_schema_describes_every_key() {
        let text = schema().to_string();
        for key in ["people_at_once", "connections_max", "impersonate", "spool_bytes_max"] {
            assert!(text.contains(key), "{key}");
        }
    }
}
