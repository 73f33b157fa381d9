//! Queries of a database as directories: PostgreSQL, MariaDB and MySQL, SQLite.
//!
//! **Nothing is written.** A query is first prepared, which a server does with one statement only, and is not run unless it gives
//! columns; it then runs in a transaction that the server itself holds to reading, SQLite in a file opened to read. That guards
//! against mistakes in a query; an account that may read one view and nothing else guards against everything.
//!
//! **Two passes.** The query runs twice in one snapshot: the first time every row is looked at and only digests are kept, the
//! second time what changed is told. So nothing is told of a table that turns out to have mistakes, and the memory needed does
//! not grow with what rows hold. Where nothing changed there is no second pass.
//!
//! **Text.** PostgreSQL, MariaDB and MySQL write values as text themselves: numbers with all their digits, days and times (UTC) as
//! 2026-04-13 09:30:00, UUIDs with hyphens. Bytes are hexadecimal digits, an array is several values, NULL is an empty cell.
//!
//! **TLS** is asked for and the server's name is checked, unless [`Tls::Off`] is said or the server is on a socket of this machine.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use connector::{
    Directory, DirectoryCursor, DirectoryDeclaration, DirectoryRead, EntrySink, Error, Finding, Secret, Topic,
};
use model::{Cause, Scope};
use serde::Deserialize;

use crate::file::{Portions, empty};
use crate::map::{ColumnMap, Columns};
use crate::mistake::{Mistakes, Unit};
use crate::row::{self, Fault, Row};
use crate::survey::{Before, Digest, Survey, Telling, digest, refused};

mod session;

use session::{Session, Visit};

/// How long a database may be silent while it owes a row.
const ANSWER_WAIT: Duration = Duration::from_mins(5);
/// How long to wait for a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(30);
/// How long SQLite waits for another program that writes to the file.
const BUSY_WAIT: Duration = Duration::from_secs(30);
/// Rows that a query may give.
const ROWS_MAX: u64 = 2_000_000;
/// Mistakes kept of a query, whose rows nobody sees in a file.
const MISTAKES_KEPT: u64 = 10_000;

/// How the connection is kept private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// TLS, with the server's certificate checked.
    #[default]
    Verified,
    /// Nothing: for a server on this machine or on a network of its own.
    Off,
}

/// A query that is a directory.
#[derive(Clone, Debug)]
pub struct SqlConfig {
    /// The database: `postgres://…`, `mysql://…` (`mariadb://…`) or `sqlite:PATH`, the path relative to the project's folder. It may
    /// hold a password, so it comes from the environment or a file that only its owner may read.
    pub address: Secret,
    /// The query: one SELECT. Its columns have the names that the map knows, or the usual ones.
    pub query: String,
    /// Which column is which field.
    pub map: ColumnMap,
    /// How the connection is kept private.
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA.
    pub ca_file: Option<PathBuf>,
    /// A row with a mistake ends the reading with an error that lists them all. Otherwise such rows are told as faulty.
    pub strict: bool,
    /// A query without any row is what it says; otherwise it is an error.
    pub may_be_empty: bool,
    /// The project's folder.
    pub base: PathBuf,
}

impl SqlConfig {
    /// This query of this database, with everything else as when left out.
    pub fn new(address: impl Into<String>, query: impl Into<String>) -> Self {
        Self {
            address: Secret::new(address),
            query: query.into(),
            map: ColumnMap::default(),
            tls: Tls::Verified,
            ca_file: None,
            strict: true,
            may_be_empty: false,
            base: PathBuf::new(),
        }
    }
}

/// A query, read as a directory. It tells what changed by the digests of its rows.
pub struct SqlDirectory {
    config: SqlConfig,
    settings: Digest,
}

impl SqlDirectory {
    /// A directory of this query.
    pub fn new(config: SqlConfig) -> Self {
        let settings = digest(format!("{}\n{:?}", config.query, config.map).as_bytes());
        Self { config, settings }
    }

    fn columns<'m>(&'m self, headings: &[String]) -> Result<Columns<'m>, Error> {
        Columns::find(&self.config.map, Unit::Row, 0, headings).map_err(|list| {
            let mut mistakes = Mistakes::default();
            mistakes.extend(list);
            refused(NAME, &mistakes)
        })
    }

    async fn survey(&self, session: &mut Session, columns: &Columns<'_>) -> Result<Survey, Error> {
        let mut first = First { columns, survey: Survey::default() };
        session.rows(&self.config.query, &mut first).await?;
        let survey = first.survey.finish();
        if self.config.strict && !survey.mistakes.is_empty() {
            return Err(refused(NAME, &survey.mistakes));
        }
        if survey.rows == 0 && !self.config.may_be_empty {
            return Err(empty(NAME));
        }
        Ok(survey)
    }
}

/// What a query is called in messages.
const NAME: &str = "the query";

/// The first pass: nothing is told.
struct First<'c> {
    columns: &'c Columns<'c>,
    survey: Survey,
}

/// The second pass.
struct Second<'c> {
    columns: &'c Columns<'c>,
    telling: &'c Telling,
    portions: Portions<'c>,
    rows: u64,
}

fn read(columns: &Columns<'_>, number: u64, cells: &[String]) -> Result<Row, Fault> {
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    row::read(columns, number, &cells)
}

#[async_trait]
impl Visit for First<'_> {
    async fn row(&mut self, number: u64, cells: Vec<String>) -> Result<(), Error> {
        let too_many = if number > ROWS_MAX {
            Some(format!("{NAME} gives more than {ROWS_MAX} rows"))
        } else if self.survey.mistakes.count > MISTAKES_KEPT {
            Some(format!("{NAME} has more than {MISTAKES_KEPT} mistakes; the first are:\n{}", self.survey.mistakes))
        } else {
            None
        };
        if let Some(what) = too_many {
            return Err(Error::new(Cause::Unreadable, Scope::Run, what));
        }
        self.survey.take(self.columns, &read(self.columns, number, &cells));
        Ok(())
    }
}

#[async_trait]
impl Visit for Second<'_> {
    async fn row(&mut self, number: u64, cells: Vec<String>) -> Result<(), Error> {
        self.rows = number;
        let event = self.telling.of_row(read(self.columns, number, &cells));
        self.portions.tell(event).await
    }
}

#[async_trait]
impl Directory for SqlDirectory {
    fn declaration(&self) -> DirectoryDeclaration {
        DirectoryDeclaration {
            platform: "sql",
            writes: false,
            tells_changes: true,
            makes_live: false,
            changes_first_passwords: false,
        }
    }

    async fn read(&self, since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        let mut session = Session::open(&self.config).await?;
        let columns = self.columns(session.headings())?;
        let survey = self.survey(&mut session, &columns).await?;
        let rows = survey.rows;
        let before = since.and_then(|cursor| Before::of(cursor, &self.settings));
        let is_well = survey.mistakes.is_empty();
        let telling = Telling::new(Unit::Row, survey, before);
        // The digest of what a query gives is that of the digests of its rows.
        let content = digest(&telling.cursor(&self.settings, &Digest::default()).0);
        let cursor = telling.cursor(&self.settings, &content);
        if is_well && telling.is_same(&content) {
            session.close().await;
            return Ok(DirectoryRead { cursor, is_whole: false, entries_received: rows });
        }
        let mut second = Second { columns: &columns, telling: &telling, portions: Portions::new(sink), rows: 0 };
        session.rows(&self.config.query, &mut second).await?;
        let Second { mut portions, rows: again, .. } = second;
        if again != rows {
            let what =
                format!("{NAME} gave {rows} rows at first and {again} then, though the database was to stand still");
            return Err(Error::new(Cause::Unavailable, Scope::Run, what));
        }
        portions.tell(telling.of_the_rest(&Mistakes::default())).await?;
        portions.finish().await?;
        session.close().await;
        Ok(DirectoryRead { cursor, is_whole: telling.is_whole(), entries_received: rows + again })
    }

    async fn check(&self) -> Vec<Finding> {
        let mut session = match Session::open(&self.config).await {
            Ok(session) => session,
            Err(error) => {
                let topic = match error.cause {
                    Cause::Tls => Topic::Tls,
                    Cause::Login => Topic::Login,
                    Cause::Permission => Topic::Rights,
                    Cause::Connection | Cause::Missing | Cause::Unavailable => Topic::Reach,
                    _ => Topic::Capabilities,
                };
                return vec![Finding::wrong(topic, &error)];
            }
        };
        let mut findings = vec![Finding::well(Topic::Reach, format!("{} answers", session.name()))];
        let looked = match self.columns(session.headings()) {
            Ok(columns) => self.survey(&mut session, &columns).await,
            Err(error) => Err(error),
        };
        findings.push(match looked {
            Ok(survey) if survey.mistakes.is_empty() => {
                Finding::well(Topic::Capabilities, format!("{} entries, all well", survey.rows))
            }
            Ok(survey) => Finding::wrong(Topic::Capabilities, &refused(NAME, &survey.mistakes)),
            Err(error) => Finding::wrong(Topic::Capabilities, &error),
        });
        session.close().await;
        findings
    }
}
