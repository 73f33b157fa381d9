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
use crate::secret::Files;

mod alerts;
mod archive;
mod confirmation;
mod files;
mod import;
mod issues;
mod keeping;
pub(crate) mod kinds;
mod mx;
mod named;
mod people;
mod portal;
mod reports;
mod service;
mod switching;

pub(crate) use alerts::{AlertsEntry, WebhookEntry};
pub(crate) use archive::ArchiveEntry;
pub(crate) use confirmation::{ConfirmationEntry, Proof};
pub(crate) use files::{EmlEntry, MaildirEntry, MboxEntry};
pub(crate) use import::{ImportEntry, MailedEntry, PostEntry, SmtpEntry, Trust};
pub(crate) use issues::IssuesEntry;
pub(crate) use keeping::{MalwareEntry, ManifestEntry, QuarantineEntry};
pub(crate) use mx::MxSettings;
pub(crate) use people::{MailboxName, PeopleEntry, RequireEntry};
pub(crate) use portal::{PortalEntry, ResultsEntry};
pub use reports::ReportKind;
pub(crate) use reports::{MailEntry, ReportsEntry};
pub(crate) use service::ServiceEntry;
pub(crate) use switching::{MxEntry, RoutingEntry, SiteEntry, SwitchEntry};

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
    /// Where people's mail comes from. A project without mail has neither this nor `target`, but `[people]`.
    #[serde(default)]
    pub source: Option<SourceEntry>,
    /// Where it goes.
    #[serde(default)]
    pub target: Option<TargetEntry>,
    /// Where the mail of those goes who don't move and whose mail is kept.
    #[serde(default)]
    pub archive: Option<ArchiveEntry>,
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
    /// Directories of people, by a name of your choice. Each has a `kind`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, crate::directories::DirectoryEntry>")]
    pub directories: BTreeMap<String, toml::Table>,
    /// Who there is, and who that is on the platform.
    #[serde(default)]
    pub people: Option<PeopleEntry>,
    /// What has to be so before a mailbox is copied.
    #[serde(default)]
    pub require: RequireEntry,
    /// How `whimbrel serve` keeps the project in step.
    #[serde(default)]
    pub service: ServiceEntry,
    /// When a failure becomes an issue.
    #[serde(default)]
    pub issues: IssuesEntry,
    /// How letters are sent: daily reports and alerts.
    #[serde(default)]
    pub mail: Option<MailEntry>,
    /// Reports that are sent every day.
    #[serde(default)]
    pub reports: Option<ReportsEntry>,
    /// Who is told when something needs a person.
    #[serde(default)]
    pub alerts: Option<AlertsEntry>,
    /// What sends people's mail elsewhere, by a name of your choice. Each has a `kind`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, crate::routers::RouterEntry>")]
    pub routers: BTreeMap<String, toml::Table>,
    /// What closes people's mailboxes at the source to them after the switch, by a name of your choice. Each has a `kind`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, crate::access::AccessEntry>")]
    pub access: BTreeMap<String, toml::Table>,
    /// Where mail goes on both sides.
    #[serde(default)]
    pub routing: Option<Box<RoutingEntry>>,
    /// How people are switched.
    #[serde(default)]
    pub switch: Box<SwitchEntry>,
    /// Legacy domains whose MX records move at the end.
    #[serde(default)]
    pub mx: Option<Box<MxSettings>>,
    /// What the programme of a governed project is to know.
    #[serde(default)]
    pub programme: ProgrammeEntry,
}

/// What the programme of a governed project is to know.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProgrammeEntry {
    /// The project is governed: without its record nothing is done live. `project new` writes it.
    pub governed: bool,
    /// The collections whose people `whimbrel pilot name` names, where nobody else is named.
    pub pilot: Vec<String>,
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

/// Whose project it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationEntry {
    /// The organisation's name.
    pub name: String,
    /// Its code: 1 to 9 letters and digits, such as an ODS code.
    #[serde(default)]
    pub code: String,
    /// The time zone in which its dates and hours are given and shown, by its IANA name.
    #[serde(default = "time_zone")]
    pub time_zone: String,
}

fn time_zone() -> String {
    "Europe/London".to_owned()
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
    /// Of these, who may see every governed project of the database.
    #[serde(default)]
    pub programme: Vec<String>,
    /// Of these, which side of a governed project each stands on, and in which roles of the profile.
    #[serde(default)]
    pub people: BTreeMap<String, PersonOfProject>,
}

/// Where somebody stands in a governed project.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PersonOfProject {
    /// The side: `organisation`, `provider`, `authority` or `supplier`.
    #[schemars(with = "Option<String>")]
    pub side: Option<programme::Side>,
    /// Roles of the profile.
    pub roles: Vec<String>,
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
    /// Connections to this server at once, all people and all workers together; 8 when left out.
    pub connections_max: Option<usize>,
    /// Connections besides these on which `whimbrel serve` waits to be told of changes at a source (NOTIFY, else IDLE); 16 when left
    /// out, 0 for none.
    pub watch_connections_max: Option<u64>,
    /// Requests that this server is sent a second, by all workers together; as many as it takes when left out.
    pub requests_a_second: Option<u64>,
    /// Bytes that go to and come from this server a second, by all workers together.
    pub bytes_a_second: Option<u64>,
    /// Mailboxes are opened here only in these hours of `organisation.time_zone`, as in `service.windows`.
    #[serde(default)]
    pub windows: Vec<String>,
    /// And not in these.
    #[serde(default)]
    pub blackout: Vec<String>,
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
    /// The directories by name.
    pub directories: BTreeMap<String, crate::directories::DirectoryEntry>,
    /// The routers by name.
    pub routers: BTreeMap<String, crate::routers::RouterEntry>,
    /// What closes mailboxes, by name.
    pub accesses: BTreeMap<String, crate::access::AccessEntry>,
    /// What the profile says of people.
    pub people_rules: toml::Table,
    /// The project's folder.
    pub folder: PathBuf,
    /// Where files that the project names are read.
    pub files: Files,
    /// The text of the file.
    pub text: String,
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
        let mut file: ProjectFile = toml::from_str(text).map_err(|error| {
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
        let profile = Profile::shipped(&file.profile);
        let people_rules = profile.as_ref().map(|profile| profile.people.clone()).unwrap_or_default();
        let switching = profile.as_ref().map(|profile| profile.switch.clone()).unwrap_or_default();
        file.switch.complete(&switching, !file.access.is_empty());
        file.routing.iter_mut().for_each(|routing| routing.complete(&switching));
        file.mx.iter_mut().for_each(|mx| mx.complete(&switching));
        let policy = profile.and_then(|profile| profile.policy(&file.policy));
        let policy = policy.map_err(|error| Error::usage(format!("{FILE}: {}", error.message)).advise(error.advice))?;
        let mut endpoints = BTreeMap::new();
        for (name, table) in &file.endpoints {
            endpoints.insert(name.clone(), endpoint(text, name, table)?);
        }
        let mut directories = BTreeMap::new();
        for (name, table) in &file.directories {
            directories.insert(name.clone(), crate::directories::entry(text, name, table)?);
        }
        let mut routers = BTreeMap::new();
        for (name, table) in &file.routers {
            routers.insert(name.clone(), crate::routers::entry(text, name, table)?);
        }
        let mut accesses = BTreeMap::new();
        for (name, table) in &file.access {
            accesses.insert(name.clone(), crate::access::entry(text, name, table)?);
        }
        let (folder, files, text) = (folder.to_owned(), Files::default(), text.to_owned());
        let config =
            Self { file, code, policy, endpoints, directories, routers, accesses, people_rules, folder, files, text };
        config.check_time_zone()?;
        config.check_names()?;
        config.check_archive()?;
        config.check_service()?;
        config.check_reports()?;
        config.check_alerts()?;
        config.check_switching()?;
        config.check_mx()?;
        for (name, directory) in &config.directories {
            directory.check(name, &config.endpoints)?;
        }
        if let Some(people) = &config.file.people {
            let names: Vec<&str> = config.directories.keys().map(String::as_str).collect();
            people.check(&names)?;
            people.check_post(&config.endpoints)?;
            people.rules(&config.people_rules)?;
        }
        Ok(config)
    }

    /// The time zone of the organisation. It was found when the file was read.
    pub(crate) fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.file.organisation.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    fn check_time_zone(&self) -> Result<(), Error> {
        let name = &self.file.organisation.time_zone;
        if jiff::tz::TimeZone::get(name).is_ok() {
            return Ok(());
        }
        let error = Error::usage(format!("{FILE}: organisation.time_zone = {name:?} is no time zone"));
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        Err(match alike(name, known.iter().map(String::as_str)) {
            Some(meant) => error.advise(format!("did you mean {meant:?}?")),
            None => error.advise("write a name of the IANA database, such as Europe/London"),
        })
    }

    /// The endpoints that people's mail comes from.
    pub(crate) fn sources(&self) -> Vec<String> {
        self.file.source.as_ref().map(|source| source.mail.all()).unwrap_or_default()
    }

    /// The endpoint that people's mail goes to; of a project without mail, no name at all.
    pub(crate) fn target(&self) -> &str {
        self.file.target.as_ref().map_or("", |target| &target.mail)
    }

    /// What is about mail needs to know from where to where.
    pub(crate) fn refuse_without_mail(&self) -> Result<(), Error> {
        if self.file.source.is_some() {
            return Ok(());
        }
        Err(Error::usage(format!("{FILE} has no [source] and no [target]: this project moves no mail"))
            .advise("write [endpoints.NAME], source.mail and target.mail; or use the commands that need no server, such as people and project"))
    }

    fn check_names(&self) -> Result<(), Error> {
        let sources = self.sources();
        let lacks = |key: &str| Error::usage(format!("{FILE}: missing field `{key}`"));
        match (&self.file.source, &self.file.target) {
            (Some(_), Some(_)) if sources.is_empty() => {
                let error = Error::usage(format!("{FILE}: source.mail names no endpoint"));
                return Err(error.advise("write the name of one"));
            }
            (Some(_), Some(_)) => {}
            // A governed project begins before there is any server.
            (None, None) if self.file.people.is_some() || self.endpoints.is_empty() => {}
            (None, _) => return Err(lacks("source").advise("say where mail comes from: source = { mail = \"NAME\" }")),
            (_, None) => return Err(lacks("target").advise("say where mail goes: target = { mail = \"NAME\" }")),
        }
        let target = self.file.target.iter().map(|target| ("target.mail", &target.mail));
        for (key, name) in sources.iter().map(|name| ("source.mail", name)).chain(target) {
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
        let target = &self.target().to_owned();
        if let Some(EndpointEntry::Mbox(_)) = self.endpoints.get(target) {
            let what = format!("{FILE}: target.mail = {target:?}, but mbox files are only read");
            return Err(
                Error::usage(what).advise("put the mail into maildirs or eml files: kind = \"maildir\" or \"eml\"")
            );
        }
        if sources.contains(target)
            && let Some(EndpointEntry::Imap(ImapEntry { connections_max: Some(max @ 0..=1), .. })) =
                self.endpoints.get(target)
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

    /// The folders that endpoints of files lie in, by the endpoints' names: their paths, up to where people's names stand.
    pub(crate) fn file_folders(&self) -> Vec<(String, PathBuf)> {
        let folder = |(name, entry): (&String, &EndpointEntry)| {
            let path = entry.files()?;
            let fixed = path.split('{').next().unwrap_or_default();
            let fixed = if fixed.len() == path.len() || fixed.ends_with('/') {
                Path::new(fixed)
            } else {
                Path::new(fixed).parent().unwrap_or(Path::new(""))
            };
            Some((name.clone(), self.path(fixed)))
        };
        self.endpoints.iter().filter_map(folder).collect()
    }

    /// The files that the project's file names for its endpoints and routers.
    pub(crate) fn named_files(&self) -> Vec<PathBuf> {
        let of_secret = |(_, secret): (String, &SecretEntry)| match secret {
            SecretEntry::File(path) => Some(self.path(path)),
            SecretEntry::Env(_) => None,
        };
        let ca_files = self.ca_files().into_iter().map(|(_, path)| self.path(path));
        ca_files.chain(self.secrets().into_iter().filter_map(of_secret)).collect()
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
mod tests;
