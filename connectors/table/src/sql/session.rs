//! A connection to a database that only reads: opened, held to reading, and its rows as text.

use std::future::poll_fn;
use std::path::PathBuf;

use async_trait::async_trait;
use connector::Error;
use futures_core::stream::BoxStream;
use model::{Cause, Scope};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _, TypeInfo as _, ValueRef as _,
};

use super::{ANSWER_WAIT, BUSY_WAIT, CONNECT_WAIT, SqlConfig, Tls};

/// Takes rows: their numbers from 1, and a cell for each heading.
#[async_trait]
pub(super) trait Visit: Send {
    async fn row(&mut self, number: u64, cells: Vec<String>) -> Result<(), Error>;
}

enum Connection {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// A connection in a transaction that reads one state of the database.
pub(super) struct Session {
    connection: Connection,
    headings: Vec<String>,
    name: String,
}

impl Session {
    /// Connects, begins to read, and looks that the query is one that reads.
    pub(super) async fn open(config: &SqlConfig) -> Result<Self, Error> {
        let address = config.address.reveal();
        let scheme = address.split(':').next().unwrap_or_default();
        let (connection, name) = match scheme {
            "postgres" | "postgresql" => postgres(config, address).await?,
            "mysql" | "mariadb" => mysql(config, address).await?,
            "sqlite" => sqlite(config, address).await?,
            _ => {
                let what = "the database's address is none: it begins with postgres://, mysql:// or sqlite:";
                return Err(Error::new(Cause::Unsupported, Scope::Run, what));
            }
        };
        let mut session = Self { connection, headings: Vec::new(), name };
        session.headings = session.prepare(&config.query).await?;
        if session.headings.is_empty() {
            let what = "the query gives no columns, so it was not run: it must be one SELECT";
            return Err(Error::new(Cause::Permission, Scope::Run, what));
        }
        Ok(session)
    }

    /// The names of the query's columns.
    pub(super) fn headings(&self) -> &[String] {
        &self.headings
    }

    /// The database, for people: without a password.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Has the server read the query, which refuses more than one statement, without running it.
    async fn prepare(&mut self, query: &str) -> Result<Vec<String>, Error> {
        let sql = AssertSqlSafe(query.to_owned()).into_sql_str();
        macro_rules! names {
            ($connection:expr) => {{
                let statement = waited(ANSWER_WAIT, $connection.prepare(sql)).await;
                statement.map(|statement| statement.columns().iter().map(|c| c.name().to_owned()).collect())
            }};
        }
        let names = match &mut self.connection {
            Connection::Postgres(connection) => names!(connection),
            Connection::MySql(connection) => names!(connection),
            Connection::Sqlite(connection) => names!(connection),
        };
        names.map_err(|error| failed("the query cannot be prepared", &error))
    }

    /// Runs the query and shows each row as it comes.
    pub(super) async fn rows(&mut self, query: &str, visit: &mut dyn Visit) -> Result<(), Error> {
        // The server itself writes every value as text when a statement is not a prepared one.
        let sql = || sqlx::raw_sql(AssertSqlSafe(query.to_owned()));
        let width = self.headings.len();
        match &mut self.connection {
            Connection::Postgres(connection) => each(sql().fetch(connection), width, postgres_cells, visit).await,
            Connection::MySql(connection) => each(sql().fetch(connection), width, mysql_cells, visit).await,
            Connection::Sqlite(connection) => each(sql().fetch(connection), width, sqlite_cells, visit).await,
        }
    }

    /// Ends the connection, and with it the transaction.
    pub(super) async fn close(self) {
        // A connection that does not end in order ends all the same.
        let _ = match self.connection {
            Connection::Postgres(connection) => waited(CONNECT_WAIT, connection.close()).await,
            Connection::MySql(connection) => waited(CONNECT_WAIT, connection.close()).await,
            Connection::Sqlite(connection) => waited(CONNECT_WAIT, connection.close()).await,
        };
    }
}

async fn each<R>(
    mut rows: BoxStream<'_, Result<R, sqlx::Error>>,
    width: usize,
    cells: fn(&R) -> Result<Vec<String>, sqlx::Error>,
    visit: &mut dyn Visit,
) -> Result<(), Error> {
    let mut number = 0;
    loop {
        let next = tokio::time::timeout(ANSWER_WAIT, poll_fn(|context| rows.as_mut().poll_next(context))).await;
        let row = match next {
            Err(_) => return Err(failed("the query was not answered", &sqlx::Error::PoolTimedOut)),
            Ok(None) => return Ok(()),
            Ok(Some(row)) => row.and_then(|row| cells(&row)).map_err(|error| failed("the query failed", &error))?,
        };
        number += 1;
        if row.len() != width {
            let what = "the query gives rows of several kinds: it must be one SELECT";
            return Err(Error::new(Cause::Unsupported, Scope::Run, what));
        }
        visit.row(number, row).await?;
    }
}

async fn waited<T>(
    wait: std::time::Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(wait, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn bad_address(_: sqlx::Error) -> Error {
    // Its own words might hold the password.
    Error::new(Cause::Unsupported, Scope::Run, "the database's address cannot be read: check its form")
}

fn ca_file(config: &SqlConfig) -> Option<PathBuf> {
    config.ca_file.as_ref().map(|file| config.base.join(file))
}

async fn postgres(config: &SqlConfig, address: &str) -> Result<(Connection, String), Error> {
    let mut options: PgConnectOptions = address.parse().map_err(bad_address)?;
    let is_local = options.get_socket().is_some() || options.get_host().starts_with('/');
    let mode = if is_local || config.tls == Tls::Off { PgSslMode::Disable } else { PgSslMode::VerifyFull };
    options = options.ssl_mode(mode).application_name("whimbrel");
    if let Some(file) = ca_file(config) {
        options = options.ssl_root_cert(file);
    }
    let name = format!("PostgreSQL at {}:{}", options.get_host(), options.get_port());
    let mut connection = waited(CONNECT_WAIT, options.connect())
        .await
        .map_err(|error| failed(&format!("{name} cannot be read"), &error))?;
    // A scan that joins another one's would give the rows in another order the second time.
    for statement in ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL synchronize_seqscans = off"] {
        let done = waited(ANSWER_WAIT, connection.execute(statement)).await;
        done.map_err(|error| failed(&format!("{name} cannot be read"), &error))?;
    }
    Ok((Connection::Postgres(connection), name))
}

async fn mysql(config: &SqlConfig, address: &str) -> Result<(Connection, String), Error> {
    let mut options: MySqlConnectOptions = address.parse().map_err(bad_address)?;
    let is_local = options.get_socket().is_some();
    let mode = if is_local || config.tls == Tls::Off { MySqlSslMode::Disabled } else { MySqlSslMode::VerifyIdentity };
    options = options.ssl_mode(mode);
    if let Some(file) = ca_file(config) {
        options = options.ssl_ca(file);
    }
    let name = format!("MariaDB or MySQL at {}:{}", options.get_host(), options.get_port());
    let mut connection = waited(CONNECT_WAIT, options.connect())
        .await
        .map_err(|error| failed(&format!("{name} cannot be read"), &error))?;
    for statement in [
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ] {
        let done = waited(ANSWER_WAIT, connection.execute(sqlx::raw_sql(statement))).await;
        done.map_err(|error| failed(&format!("{name} cannot be read"), &error))?;
    }
    Ok((Connection::MySql(connection), name))
}

async fn sqlite(config: &SqlConfig, address: &str) -> Result<(Connection, String), Error> {
    let path = address.strip_prefix("sqlite:").unwrap_or(address);
    let path = config.base.join(path.strip_prefix("//").unwrap_or(path));
    let name = format!("SQLite's {}", path.display());
    if !path.is_file() {
        return Err(Error::new(Cause::Missing, Scope::Run, format!("{name} is not there")));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .pragma("query_only", "ON")
        .busy_timeout(BUSY_WAIT);
    let mut connection = waited(CONNECT_WAIT, options.connect())
        .await
        .map_err(|error| failed(&format!("{name} cannot be read"), &error))?;
    let begun = waited(ANSWER_WAIT, connection.execute("BEGIN")).await;
    begun.map_err(|error| failed(&format!("{name} cannot be read"), &error))?;
    Ok((Connection::Sqlite(connection), name))
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
            let number = error
                .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
                .map(sqlx::mysql::MySqlDatabaseError::number);
            let cause = match (number, &*code) {
                (Some(1044 | 1142 | 1143 | 1370 | 1792 | 1290), _) => Cause::Permission,
                (Some(1040 | 1205 | 1213), _) => Cause::Unavailable,
                (Some(1049), _) => Cause::Missing,
                (_, code) if code.starts_with("28") => Cause::Login,
                // PostgreSQL: a transaction that may only read; no right; no such database. SQLite: 8 is read-only.
                (_, "25006" | "42501" | "8") => Cause::Permission,
                (_, "3D000" | "14") => Cause::Missing,
                (_, "5" | "6") => Cause::Unavailable,
                (_, code) if ["53", "57", "40"].iter().any(|class| code.starts_with(class)) => Cause::Unavailable,
                _ => Cause::Refused,
            };
            (cause, format!("{} {}", code, error.message()).trim().to_owned())
        }
        other => (Cause::Protocol, other.to_string()),
    };
    Error::new(cause, Scope::Run, what).said(said)
}

/// Bytes as hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn postgres_cells(row: &PgRow) -> Result<Vec<String>, sqlx::Error> {
    let cell = |at| {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(String::new());
        }
        let text = value.as_str().map_err(sqlx::Error::Decode)?;
        let info = value.type_info();
        let kind = info.name();
        Ok(match kind {
            "BOOL" => if text == "t" { "true" } else { "false" }.to_owned(),
            "BYTEA" => text.strip_prefix("\\x").unwrap_or(text).to_owned(),
            _ if kind.ends_with("[]") || kind.starts_with('_') => several(text),
            _ => text.to_owned(),
        })
    };
    (0..row.len()).map(cell).collect()
}

/// The values of an array as PostgreSQL writes it, a line each.
fn several(text: &str) -> String {
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else { return text.to_owned() };
    let (mut values, mut value, mut is_quoted, mut was_quoted) = (Vec::new(), String::new(), false, false);
    let mut characters = inner.chars();
    let mut end = |value: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(value);
        if *was_quoted || (!text.is_empty() && text != "NULL") {
            values.push(text);
        }
        *was_quoted = false;
    };
    while let Some(c) = characters.next() {
        match c {
            '\\' => value.extend(characters.next()),
            '"' => {
                is_quoted = !is_quoted;
                was_quoted = true;
            }
            ',' if !is_quoted => end(&mut value, &mut was_quoted),
            c => value.push(c),
        }
    }
    end(&mut value, &mut was_quoted);
    values.join("\n")
}

fn mysql_cells(row: &MySqlRow) -> Result<Vec<String>, sqlx::Error> {
    let cell = |at: usize| {
        let kind = row.column(at).type_info().name();
        let Some(bytes) = row.try_get_unchecked::<Option<&[u8]>, _>(at)? else { return Ok(String::new()) };
        Ok(match kind {
            // Text that is compared byte by byte, and a UUID, are told as bytes, too.
            "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
                match std::str::from_utf8(bytes) {
                    Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
                    _ => hexadecimal(bytes),
                }
            }
            "GEOMETRY" => hexadecimal(bytes),
            "BIT" => bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)).to_string(),
            // What MySQL writes where there is no day.
            "DATE" | "DATETIME" | "TIMESTAMP" if bytes.starts_with(b"0000-00-00") => String::new(),
            _ => String::from_utf8_lossy(bytes).into_owned(),
        })
    };
    (0..row.len()).map(cell).collect()
}

fn sqlite_cells(row: &SqliteRow) -> Result<Vec<String>, sqlx::Error> {
    let cell = |at: usize| {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(String::new());
        }
        let info = value.type_info();
        Ok(match info.name() {
            "INTEGER" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(at)?.to_string(),
            "REAL" => row.try_get_unchecked::<f64, _>(at)?.to_string(),
            "BLOB" => hexadecimal(row.try_get_unchecked::<&[u8], _>(at)?),
            _ => String::from_utf8_lossy(row.try_get_unchecked::<&[u8], _>(at)?).into_owned(),
        })
    };
    (0..row.len()).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_several_values() {
        for (text, expected) in [
            ("{a,b}", "a\nb"),
            ("{}", ""),
            ("{\"X500:/o=A/cn=B, \\\"C\\\"\",NULL,\"NULL\",a\\\\b}", "X500:/o=A/cn=B, \"C\"\nNULL\na\\b"),
            ("no array", "no array"),
        ] {
            assert_eq!(several(text), expected);
        }
    }

    #[test]
    fn a_password_is_in_no_error() {
        let error = bad_address(sqlx::Error::Configuration("postgres://a:secret@x".into()));
        assert!(!error.to_string().contains("secret"));
        let error = failed("x", &sqlx::Error::Configuration("postgres://a:secret@x".into()));
        assert!(!error.to_string().contains("secret"));
    }
}
