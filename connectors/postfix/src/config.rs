//! Where our lookup table lies, and what else of the site is looked into. The doc comments here are the reference manual.
//!
//! These types are read from the project's `whimbrel.toml` by the service; passwords never stand in them as text, they are
//! resolved elsewhere (from the environment or a file) and put in as a [`Secret`].

use std::path::PathBuf;
use std::time::Duration;

use connector::Secret;
use connector::router::SenderMode;
use serde::Deserialize;

/// How long a program may take, a rebuild of a table or a reload included.
pub const COMMAND_WAIT_MAX: Duration = Duration::from_mins(2);

/// How long to wait for another writer of the table, and for a connection to a database.
pub const LOCK_WAIT_MAX: Duration = Duration::from_mins(1);

/// The table's name in a database, unless the project says otherwise.
pub const TABLE: &str = "whimbrel_redirect";

/// A site whose mail server is Postfix.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Our own lookup table. The site's Postfix must ask it first in `virtual_alias_maps`.
    pub table: Table,
    /// How `main.cf` names our table: `pgsql:/etc/postfix/whimbrel.cf`. For a table in a file it is the map's type and the file, and is
    /// left out.
    #[serde(default)]
    pub map: Option<String>,
    /// The folder of the `main.cf` that the site's Postfix runs with, if it is on this machine. With it, it is looked at each call whether
    /// Postfix asks our table first, and finds in it what was written; who the site knows; and what its other maps say.
    #[serde(default)]
    pub config_directory: Option<PathBuf>,
    /// Maps that name those whom the site takes mail for, as `main.cf` would name them. When left out they are taken from `main.cf`;
    /// without either, everybody is taken for known.
    #[serde(default)]
    pub recipient_maps: Vec<String>,
    /// The site's own maps, to tell who sends mail on. What `main.cf` names in `virtual_alias_maps` and `alias_maps` is asked for one
    /// person in any case; to list a whole map it must stand here.
    #[serde(default)]
    pub maps: Vec<SiteMap>,
    /// Where people's own forwarding files are (`local(8)`, `forward_path`): `/home/{local}/.forward`. `{local}` is what stands before the @ of an
    /// address or of the account's name.
    #[serde(default)]
    pub forward_files: Vec<String>,
    /// What becomes of the sender of mail that the site sends on: `kept`, `srs` (a rewriter such as postsrsd is at work) or `trusted-relay`.
    /// Only who runs the site knows.
    #[serde(default)]
    pub sender: SenderMode,
    /// The target takes mail to `ann+anything@` as Ann's. It matters where the site's Postfix has a `recipient_delimiter` and hands such an
    /// extension on (`propagate_unmatched_extensions`): without this setting, redirects are refused there.
    #[serde(default)]
    pub target_takes_extensions: bool,
    /// The programs of Postfix.
    #[serde(default)]
    pub programs: Programs,
    /// How long a program may take.
    #[serde(skip, default = "command_wait_max")]
    pub command_wait_max: Duration,
    /// How long to wait for another writer, and for a connection.
    #[serde(skip, default = "lock_wait_max")]
    pub lock_wait_max: Duration,
}

/// Our lookup table.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Table {
    /// A text file, perhaps with a compiled one beside it.
    File(FileTable),
    /// A table in PostgreSQL.
    Postgresql(SqlTable),
    /// A table in a file of SQLite.
    Sqlite(SqlTable),
}

/// A table in a text file, in the form of `postmap(1)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    /// The text file. It must be there, and be no link. Beside it `.lock` and, during a call, `.pending` are written.
    pub path: PathBuf,
    /// What kind of map it is.
    #[serde(default)]
    pub map_type: MapType,
    /// A program and its arguments, run without a shell once the table has changed: what makes all that use it read it anew, or brings
    /// it to other machines. `texthash` needs one: `["postfix", "reload"]`.
    #[serde(default)]
    pub reload: Vec<String>,
}

/// The kinds of maps that are made of a text file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapType {
    /// Compiled, `.db`; Debian's default before version 13.
    #[default]
    Hash,
    /// Compiled, `.db`.
    Btree,
    /// Compiled, `.lmdb`.
    Lmdb,
    /// Compiled, `.cdb`.
    Cdb,
    /// The text file itself, which Postfix reads when one of its processes starts.
    Texthash,
}

impl MapType {
    /// As Postfix calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Btree => "btree",
            Self::Lmdb => "lmdb",
            Self::Cdb => "cdb",
            Self::Texthash => "texthash",
        }
    }

    /// What the compiled file's name ends in.
    pub(crate) fn compiled(self) -> Option<&'static str> {
        match self {
            Self::Hash | Self::Btree => Some("db"),
            Self::Lmdb => Some("lmdb"),
            Self::Cdb => Some("cdb"),
            Self::Texthash => None,
        }
    }
}

/// A table in a database. `docs/routing.md` has the statement that makes it, and the file that Postfix reads it by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlTable {
    /// The database.
    #[serde(default)]
    pub database: Database,
    /// The table, perhaps with its schema: `mail.whimbrel_redirect`.
    #[serde(default = "table")]
    pub table: String,
    /// The column of the address that mail comes to; it must be unique.
    #[serde(default = "address_column")]
    pub address_column: String,
    /// The column of the address that mail goes to.
    #[serde(default = "destination_column")]
    pub destination_column: String,
    /// The column that says whose a row is: `whimbrel:ACCOUNT` is ours. Every other row is left alone.
    #[serde(default = "origin_column")]
    pub origin_column: String,
}

/// A database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `postgres://USER:PASSWORD@HOST/NAME` or `sqlite:PATH`. Not read from here: it may hold a password, so whoever reads the project
    /// resolves it and puts it in.
    #[serde(skip)]
    pub address: Option<Secret>,
    /// How the connection is kept private.
    #[serde(default)]
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// How the connection to a database is kept private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS, with the server's certificate checked. A server on a socket of this machine needs none.
    #[default]
    Verified,
    /// Nothing: for a server on this machine or on a network of its own.
    Off,
}

/// One of the site's own maps. It is only read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteMap {
    /// Which of Postfix's maps it is.
    pub syntax: Syntax,
    /// The text file that it is made of. Either this or a query.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// One SELECT with the columns `address` and `destination`; an address may have several rows, and a destination may hold several
    /// addresses with commas between.
    #[serde(default)]
    pub query: Option<String>,
    /// The database that the query is for. Without an address of its own it is the one that our table is in.
    #[serde(default)]
    pub database: Database,
    /// How `main.cf` names it, so that it is not asked a second time there.
    #[serde(default)]
    pub map: Option<String>,
}

/// Which of Postfix's maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Syntax {
    /// `virtual_alias_maps` (`virtual(5)`).
    Virtual,
    /// `alias_maps` (`aliases(5)`), whose keys are names of this machine's users.
    Aliases,
}

/// The programs of Postfix: words that are put before their arguments, run without a shell. `["sudo", "-n", "postqueue"]` is one of the ways.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Programs {
    /// `postmap(1)`.
    pub postmap: Vec<String>,
    /// `postconf(1)`.
    pub postconf: Vec<String>,
    /// `postqueue(1)`, of Postfix 3.1 or later.
    pub postqueue: Vec<String>,
}

impl Default for Programs {
    fn default() -> Self {
        let program = |name: &str| vec![name.to_owned()];
        Self { postmap: program("postmap"), postconf: program("postconf"), postqueue: program("postqueue") }
    }
}

fn command_wait_max() -> Duration {
    COMMAND_WAIT_MAX
}

fn lock_wait_max() -> Duration {
    LOCK_WAIT_MAX
}

fn table() -> String {
    TABLE.to_owned()
}

fn address_column() -> String {
    "address".to_owned()
}

fn destination_column() -> String {
    "destination".to_owned()
}

fn origin_column() -> String {
    "origin".to_owned()
}

impl FileTable {
    /// This file as this kind of map.
    pub fn new(path: impl Into<PathBuf>, map_type: MapType) -> Self {
        Self { path: path.into(), map_type, reload: Vec::new() }
    }
}

impl SqlTable {
    /// The table of the usual name and columns in this database.
    pub fn new(address: Secret) -> Self {
        Self {
            database: Database { address: Some(address), ..Database::default() },
            table: table(),
            address_column: address_column(),
            destination_column: destination_column(),
            origin_column: origin_column(),
        }
    }
}

impl Config {
    /// A site with this table and everything else as when left out of the project.
    pub fn new(table: Table) -> Self {
        Self {
            table,
            map: None,
            config_directory: None,
            recipient_maps: Vec::new(),
            maps: Vec::new(),
            forward_files: Vec::new(),
            sender: SenderMode::default(),
            target_takes_extensions: false,
            programs: Programs::default(),
            command_wait_max: COMMAND_WAIT_MAX,
            lock_wait_max: LOCK_WAIT_MAX,
        }
    }

    /// Our table as `main.cf` names it, if that is known.
    pub fn map_name(&self) -> Option<String> {
        match &self.table {
            Table::File(file) => Some(format!("{}:{}", file.map_type.name(), file.path.display())),
            Table::Postgresql(_) | Table::Sqlite(_) => self.map.clone(),
        }
    }

    /// Our table, for people.
    pub(crate) fn place(&self) -> String {
        match &self.table {
            Table::File(file) => file.path.display().to_string(),
            Table::Postgresql(sql) | Table::Sqlite(sql) => format!("table {}", sql.table),
        }
    }

    /// What is wrong with these settings, if anything: what no site could make right.
    pub fn mistake(&self) -> Option<String> {
        let table = match &self.table {
            Table::File(file) => file.mistake().or_else(|| {
                let is_other = self.map.is_some() && self.map != self.map_name();
                is_other.then(|| "map is not said for a table in a file: it is its type and its path".to_owned())
            }),
            Table::Postgresql(sql) => sql.mistake("postgres"),
            Table::Sqlite(sql) => sql.mistake("sqlite"),
        };
        let without_map = || {
            let what = "map is missing: with config_directory, say how main.cf names our table";
            (self.config_directory.is_some() && self.map_name().is_none()).then(|| what.to_owned())
        };
        let programs = [&self.programs.postmap, &self.programs.postconf, &self.programs.postqueue];
        let no_program = || {
            let is_empty = programs.iter().any(|words| words.first().is_none_or(String::is_empty));
            is_empty.then(|| "programs: each needs a program's name".to_owned())
        };
        let forward = || {
            let odd = self.forward_files.iter().find(|path| !path.starts_with('/') || !path.contains("{local}"))?;
            Some(format!("forward_files: {odd:?} is no whole path with {{local}} in it"))
        };
        let maps = || self.maps.iter().find_map(|map| map.mistake(&self.table));
        table.or_else(without_map).or_else(no_program).or_else(forward).or_else(maps)
    }
}

impl FileTable {
    fn mistake(&self) -> Option<String> {
        let path = self.path.to_str().filter(|path| !path.contains([' ', ',', '\t', '\n', '{', '}', '$']));
        if !self.path.is_absolute() || self.path.file_name().is_none() || path.is_none() {
            let what =
                "table.path must be a whole path, without blanks, commas, braces and dollar signs, as main.cf has it";
            return Some(what.to_owned());
        }
        if self.map_type == MapType::Texthash && self.reload.is_empty() {
            let what =
                "table.reload is missing: Postfix reads a texthash only as it starts; give [\"postfix\", \"reload\"]";
            return Some(what.to_owned());
        }
        let is_empty = self.reload.first().is_some_and(String::is_empty);
        is_empty.then(|| "table.reload names no program".to_owned())
    }
}

impl SqlTable {
    fn mistake(&self, scheme: &str) -> Option<String> {
        let is_name = |name: &str| {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !name.is_empty() && name.chars().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        let columns = [&self.address_column, &self.destination_column, &self.origin_column];
        if let Some(odd) = self.table.split('.').chain(columns.map(String::as_str)).find(|name| !is_name(name)) {
            return Some(format!("{odd:?} is no name of a table or column: letters, digits and _ only"));
        }
        if (1..3).any(|at| columns[..at].contains(&columns[at])) {
            return Some("table: its three columns must be three".to_owned());
        }
        match &self.database.address {
            None => Some("table has no address of its database: give one".to_owned()),
            Some(address) if !address.reveal().starts_with(scheme) => {
                Some(format!("the address of the table's database must begin with {scheme}"))
            }
            Some(_) => None,
        }
    }
}

impl SiteMap {
    fn mistake(&self, table: &Table) -> Option<String> {
        if self.path.is_some() == self.query.is_some() {
            return Some("maps: each is either a path or a query".to_owned());
        }
        let has_database = self.database.address.is_some() || !matches!(table, Table::File(_));
        (self.query.is_some() && !has_database).then(|| "maps: a query needs the address of its database".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let file = |path: &str, kind| Config::new(Table::File(FileTable::new(path, kind)));
        let good = file("/etc/postfix/whimbrel", MapType::Hash);
        assert_eq!((good.mistake(), good.map_name().as_deref()), (None, Some("hash:/etc/postfix/whimbrel")));
        let wrong = |config: Config, words: &str| {
            let mistake = config.mistake().unwrap_or_default();
            assert!(mistake.contains(words), "{mistake:?} without {words:?}");
        };
        wrong(file("whimbrel", MapType::Hash), "whole path");
        wrong(file("/etc/a b", MapType::Hash), "without blanks");
        wrong(file("/etc/a", MapType::Texthash), "reload is missing");
        wrong(Config { map: Some("hash:/other".into()), ..good.clone() }, "map is not said");
        wrong(Config { forward_files: vec!["/home/ann/.forward".into()], ..good.clone() }, "{local}");
        let map = |path: Option<&str>, query: Option<&str>| SiteMap {
            syntax: Syntax::Virtual,
            path: path.map(PathBuf::from),
            query: query.map(str::to_owned),
            database: Database::default(),
            map: None,
        };
        wrong(Config { maps: vec![map(None, None)], ..good.clone() }, "either a path or a query");
        wrong(Config { maps: vec![map(None, Some("SELECT"))], ..good.clone() }, "address of its database");
        wrong(
            Config { programs: Programs { postmap: vec![], ..Programs::default() }, ..good.clone() },
            "program's name",
        );
        let sql = |change: &dyn Fn(&mut SqlTable)| {
            let mut table = SqlTable::new(Secret::new("postgres://u@h/d"));
            change(&mut table);
            Config::new(Table::Postgresql(table))
        };
        assert_eq!(sql(&|_| ()).mistake(), None);
        wrong(sql(&|t| t.table = "a; DROP".into()), "no name");
        wrong(sql(&|t| t.origin_column = "address".into()), "three");
        wrong(sql(&|t| t.database.address = None), "no address");
        wrong(sql(&|t| t.database.address = Some(Secret::new("sqlite:x"))), "begin with postgres");
        wrong(Config { config_directory: Some("/etc/postfix".into()), ..sql(&|_| ()) }, "map is missing");
    }

    #[test]
    fn settings_are_read_as_they_are_written() {
        let config: Config = toml::from_str(
            "config_directory = \"/etc/postfix\"\nsender = \"srs\"\nforward_files = [\"/home/{local}/.forward\"]\n\
             [table]\nkind = \"file\"\npath = \"/etc/postfix/whimbrel\"\nmap_type = \"texthash\"\nreload = [\"postfix\", \"reload\"]\n\
             [[maps]]\nsyntax = \"aliases\"\npath = \"/etc/aliases\"\n[programs]\npostqueue = [\"sudo\", \"-n\", \"postqueue\"]\n",
        )
        .unwrap();
        assert_eq!(config.mistake(), None);
        assert_eq!((config.sender, config.programs.postmap.len()), (SenderMode::Srs, 1));
        let config: Config =
            toml::from_str("[table]\nkind = \"sqlite\"\ntable = \"t\"\ndatabase.tls = \"off\"\n").unwrap();
        let Table::Sqlite(sql) = config.table else { panic!() };
        assert_eq!((sql.table.as_str(), sql.database.tls, sql.origin_column.as_str()), ("t", Tls::Off, "origin"));
        toml::from_str::<Config>("[table]\nkind = \"file\"\npath = \"/a\"\nmaptype = \"hash\"\n").unwrap_err();
    }
}
