//! A connection to a database, PostgreSQL or SQLite: rows of text, and transactions.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use connector::Error;
use model::{Cause, Scope};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ColumnIndex, ConnectOptions as _, Connection as _, Decode, Row, Type};

use crate::config::{Database, Tls};

/// How long a database may take to answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_mins(1);
/// How long SQLite waits for another program that has the file.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(30);

enum Line {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// A connection.
pub(crate) struct Connection {
    line: Line,
    /// The database, for people: without a password.
    pub(crate) name: String,
}

impl Connection {
    /// Connects; to read only where nothing is to be written.
    pub(crate) async fn open(database: &Database, is_to_write: bool, wait_max: Duration) -> Result<Self, Error> {
        let address = database.address.as_ref().map(connector::Secret::reveal).unwrap_or_default();
        if let Some(path) = address.strip_prefix("sqlite:") {
            return sqlite(Path::new(path.strip_prefix("//").unwrap_or(path)), is_to_write, wait_max).await;
        }
        if !address.starts_with("postgres") {
            let what = "the database's address is none: it begins with postgres:// or sqlite:";
            return Err(Error::new(Cause::Unsupported, Scope::Run, what));
        }
        postgres(database, address, is_to_write, wait_max).await
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.line, Line::Postgres(_))
    }

    /// What stands for values in a statement, the first of which has this number, counted from 1: `$1, $2`.
    pub(crate) fn values(&self, first: usize, count: usize) -> String {
        let sign = if self.is_postgres() { '$' } else { '?' };
        let all: Vec<String> = (first..first + count).map(|number| format!("{sign}{number}")).collect();
        all.join(", ")
    }

    /// A name of a table or a column, in a statement. What SQLite does not know it takes for a text, if it stands between double quotes.
    pub(crate) fn quoted(&self, name: &str) -> String {
        let sign = if self.is_postgres() { '"' } else { '`' };
        let parts: Vec<String> = name.split('.').map(|part| format!("{sign}{part}{sign}")).collect();
        parts.join(".")
    }

    /// The rows of a query, whose columns are text; NULL is an empty text.
    pub(crate) async fn rows(&mut self, sql: &str, values: &[&str]) -> Result<Vec<Vec<String>>, Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        let rows = match &mut self.line {
            Line::Postgres(line) => {
                let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind((*value).to_owned()));
                let rows = waited(ANSWER_WAIT_MAX, query.fetch_all(line)).await;
                rows.and_then(|rows| rows.iter().map(cells).collect())
            }
            Line::Sqlite(line) => {
                let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind((*value).to_owned()));
                let rows = waited(ANSWER_WAIT_MAX, query.fetch_all(line)).await;
                rows.and_then(|rows| rows.iter().map(cells).collect())
            }
        };
        rows.map_err(|error| failed(&format!("{} cannot be read", self.name), &error))
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str, values: &[&str]) -> Result<u64, Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        let rows = match &mut self.line {
            Line::Postgres(line) => {
                let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind((*value).to_owned()));
                waited(ANSWER_WAIT_MAX, query.execute(line)).await.map(|done| done.rows_affected())
            }
            Line::Sqlite(line) => {
                let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind((*value).to_owned()));
                waited(ANSWER_WAIT_MAX, query.execute(line)).await.map(|done| done.rows_affected())
            }
        };
        rows.map_err(|error| failed(&format!("{} cannot be written", self.name), &error))
    }

    /// Begins a transaction that writes. What it has not committed is gone when the connection is.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        if !self.is_postgres() {
            return self.execute("BEGIN IMMEDIATE", &[]).await.map(drop);
        }
        self.execute("BEGIN", &[]).await?;
        // What is answered is to have been written, whatever the server does for others.
        let setting = self.rows("SELECT current_setting('synchronous_commit')", &[]).await?;
        if setting.first().and_then(|row| row.first()).is_some_and(|value| value == "off") {
            self.execute("SET LOCAL synchronous_commit = on", &[]).await?;
        }
        Ok(())
    }

    /// Commits. `sent` is called once the words have left, before anything is heard of them.
    pub(crate) async fn commit(&mut self, sent: impl FnOnce()) -> Result<(), Error> {
        let mut commit = pin!(self.execute("COMMIT", &[]));
        let mut sent = Some(sent);
        let done = poll_fn(|context| {
            let polled = commit.as_mut().poll(context);
            if let Some(sent) = sent.take() {
                sent();
            }
            polled
        });
        done.await.map(drop)
    }

    /// Ends the connection.
    pub(crate) async fn close(self) {
        // One that does not end in order ends all the same.
        let _ = match self.line {
            Line::Postgres(line) => waited(ANSWER_WAIT_MAX, line.close()).await,
            Line::Sqlite(line) => waited(ANSWER_WAIT_MAX, line.close()).await,
        };
    }
}

fn cells<R: Row>(row: &R) -> Result<Vec<String>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    (0..row.len()).map(|at| Ok(row.try_get::<Option<String>, _>(at)?.unwrap_or_default())).collect()
}

async fn waited<T>(wait: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(wait, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

async fn postgres(
    database: &Database,
    address: &str,
    is_to_write: bool,
    wait_max: Duration,
) -> Result<Connection, Error> {
    let options: Result<PgConnectOptions, _> = address.parse();
    // Its own words might hold the password.
    let odd = |_| Error::new(Cause::Unsupported, Scope::Run, "the database's address cannot be read: check its form");
    let mut options = options.map_err(odd)?;
    let is_local = options.get_socket().is_some() || options.get_host().starts_with('/');
    let mode = if is_local || database.tls == Tls::Off { PgSslMode::Disable } else { PgSslMode::VerifyFull };
    options = options.ssl_mode(mode).application_name("whimbrel");
    if !is_to_write {
        options = options.options([("default_transaction_read_only", "on")]);
    }
    if let Some(file) = &database.ca_file {
        options = options.ssl_root_cert(file);
    }
    let name = format!("PostgreSQL at {}:{}", options.get_host(), options.get_port());
    let line = waited(wait_max, options.connect()).await;
    let line = line.map_err(|error| failed(&format!("{name} cannot be reached"), &error))?;
    Ok(Connection { line: Line::Postgres(line), name })
}

async fn sqlite(path: &Path, is_to_write: bool, wait_max: Duration) -> Result<Connection, Error> {
    let name = format!("SQLite's {}", path.display());
    if !path.is_file() {
        return Err(Error::new(Cause::Missing, Scope::Run, format!("{name} is not there")));
    }
    // A reader that may not write can't take back what a power cut has left half done, so only what shall never write is opened so.
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(!is_to_write)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_WAIT_MAX);
    let line = waited(wait_max, options.connect()).await;
    let line = line.map_err(|error| failed(&format!("{name} cannot be opened"), &error))?;
    Ok(Connection { line: Line::Sqlite(line), name })
}

/// What a failure of a database is. Its texts hold what the server says and nothing of the address.
fn failed(what: &str, error: &sqlx::Error) -> Error {
    let (cause, said) = match error {
        sqlx::Error::Io(error) => {
            let is_tls = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
            (if is_tls { Cause::Tls } else { Cause::Connection }, error.to_string())
        }
        sqlx::Error::Tls(error) => (Cause::Tls, error.to_string()),
        sqlx::Error::PoolTimedOut => (Cause::Unavailable, "no answer in time".to_owned()),
        sqlx::Error::Configuration(_) => (Cause::Unsupported, "the address is not understood".to_owned()),
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let cause = match &*code {
                code if code.starts_with("28") => Cause::Login,
                // PostgreSQL: a transaction that may only read; no right. SQLite: read-only, with all that it tells apart.
                "25006" | "42501" | "8" | "264" | "520" | "776" | "1032" | "1544" | "3" => Cause::Permission,
                // No such database, table or column. SQLite says 1 of every mistake in a statement.
                "3D000" | "42P01" | "42703" | "14" | "1" => Cause::Missing,
                "5" | "6" | "261" | "262" | "517" => Cause::Unavailable,
                // No room: PostgreSQL, SQLite.
                "53100" | "13" => Cause::OverQuota,
                code if ["53", "57", "40"].iter().any(|class| code.starts_with(class)) => Cause::Unavailable,
                _ => Cause::Refused,
            };
            (cause, format!("{} {}", code, error.message()).trim().to_owned())
        }
        other => (Cause::Protocol, other.to_string()),
    };
    Error::new(cause, Scope::Run, what).said(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_in_no_error() {
        let error = failed("x", &sqlx::Error::Configuration("postgres://a:secret@x".into()));
        assert!(!error.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused_without_its_words() {
        for (address, cause) in [
            ("postgres://a:secret@h:notaport/x", Cause::Unsupported),
            ("mysql://a:secret@h/x", Cause::Unsupported),
            ("sqlite:/no/such/secret-file", Cause::Missing),
        ] {
            let database = Database { address: Some(connector::Secret::new(address)), ..Database::default() };
            let error = Connection::open(&database, true, Duration::from_secs(5)).await.err().unwrap();
            assert_eq!(error.cause, cause, "{error}");
            assert!(cause == Cause::Missing || !error.to_string().contains("secret"), "{error}");
        }
    }
}
