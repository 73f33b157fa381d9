//! One way to speak to both databases: statements with `$1` parameters, values and rows without a dialect.
//!
//! What differs is written in the statement as a word in braces and filled in here: `{now}` (milliseconds since 1970 on
//! the *database's* clock), `{share}` (lock the row until the commit), `{skip}` (pass over locked rows).

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::ItemId;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions as _, Connection as _, Postgres, Row as _, Sqlite, Transaction, TypeInfo,
    ValueRef,
};

use crate::{Error, Watch};

/// How long a statement waits for another process that is writing to the same SQLite file.
const SQLITE_BUSY_WAIT: Duration = Duration::from_secs(30);
/// How soon a SQLite file that another process is making is opened again.
const SQLITE_OPEN_AGAIN: Duration = Duration::from_millis(20);
/// Connections that only read a SQLite file.
const SQLITE_READERS_MAX: u32 = 4;
/// Connections to PostgreSQL: each worker task uses one at a time, and briefly.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// Of these, besides: for claims and decisions, which are written through to the disk.
const POSTGRES_FULL_MAX: u32 = 4;
/// How long to wait for a connection before the database counts as unavailable.
const CONNECTION_WAIT: Duration = Duration::from_secs(30);

/// Ids in one statement: enough that round trips cost little, few enough that its text and plan stay small.
const IDS: usize = 256;

/// Begins a transaction that will write: nobody else can come between its first read and its first write.
const IMMEDIATE: &str = "BEGIN IMMEDIATE";

/// A value on its way in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($from:ty => $variant:ident($convert:expr);)+) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(($convert)(value))
            }
        })+
    };
}

value_from! {
    i64 => Int(Some);
    Option<i64> => Int(|v| v);
    bool => Int(|v: bool| Some(i64::from(v)));
    &str => Text(|v: &str| Some(v.to_owned()));
    String => Text(Some);
    Option<String> => Text(|v| v);
    Option<&str> => Text(|v: Option<&str>| v.map(str::to_owned));
    Vec<u8> => Blob(Some);
    &[u8] => Blob(|v: &[u8]| Some(v.to_vec()));
    Option<Vec<u8>> => Blob(|v| v);
}

/// Values for the parameters `$1`, `$2`, … of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Value::from($value)),*] };
}
pub(crate) use values;

/// A row of a result. Reading a column as another type than it has is our own mistake.
#[derive(Clone, Debug)]
pub(crate) struct Row(Vec<Value>);

impl Row {
    /// The row without its first column.
    pub(crate) fn without_first(&self) -> Self {
        Self(self.0[1..].to_vec())
    }

    pub(crate) fn int(&self, column: usize) -> i64 {
        self.int_or_null(column).unwrap_or_default()
    }

    pub(crate) fn int_or_null(&self, column: usize) -> Option<i64> {
        match &self.0[column] {
            Value::Int(value) => *value,
            Value::Text(None) | Value::Blob(None) => None,
            other => panic!("column {column} is not a number: {other:?}"),
        }
    }

    pub(crate) fn bool(&self, column: usize) -> bool {
        self.int(column) != 0
    }

    pub(crate) fn text(&self, column: usize) -> String {
        self.text_or_null(column).unwrap_or_default()
    }

    pub(crate) fn text_or_null(&self, column: usize) -> Option<String> {
        match &self.0[column] {
            Value::Text(value) => value.clone(),
            Value::Int(None) | Value::Blob(None) => None,
            other => panic!("column {column} is not a text: {other:?}"),
        }
    }

    pub(crate) fn blob(&self, column: usize) -> &[u8] {
        self.blob_or_null(column).unwrap_or_default()
    }

    pub(crate) fn blob_or_null(&self, column: usize) -> Option<&[u8]> {
        match &self.0[column] {
            Value::Blob(value) => value.as_deref(),
            Value::Int(None) | Value::Text(None) => None,
            other => panic!("column {column} is not bytes: {other:?}"),
        }
    }
}

/// How durable a commit is once it has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Survives the process; a power cut may take the last ones, never the whole. For the ledger, which looks for what it
    /// may have lost.
    Relaxed,
    /// Survives a power cut. For decisions and the audit log.
    Full,
}

pub(crate) enum Database {
    /// `ahead_ms`: how much its clock is ahead of the machine's; 0 but in tests.
    Sqlite {
        relaxed: SqlitePool,
        full: SqlitePool,
        read: SqlitePool,
        ahead_ms: AtomicI64,
    },
    Postgres {
        relaxed: PgPool,
        full: PgPool,
        identity: Arc<Identity>,
    },
}

/// Which server a database is on, and since which promotion: asked on every new connection, since a pool makes them silently.
#[derive(Default)]
pub(crate) struct Identity {
    now: Mutex<String>,
    is_new: AtomicBool,
}

/// The server by its number, its timeline (a server that takes over begins another one), and the database by its number.
const IDENTITY: &str = "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' \
     || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' \
     || (SELECT oid FROM pg_database WHERE datname = current_database())";

impl Identity {
    fn seen(&self, identity: String) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if *now != identity {
            *now = identity;
            self.is_new.store(true, Ordering::SeqCst);
        }
    }
}

impl Database {
    /// Opens a database by its address: `sqlite:PATH` or `postgres://…`.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .foreign_keys(false)
                .busy_timeout(SQLITE_BUSY_WAIT);
            // One writing connection each: SQLite has one writer at a time anyway. Readers don't wait for writers.
            let open = async |synchronous, connections| {
                let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(CONNECTION_WAIT);
                let begun = Instant::now();
                loop {
                    match pool.clone().connect_with(options.clone().synchronous(synchronous)).await {
                        // Whoever turns a new file into a database with a write-ahead log keeps others out, and SQLite does
                        // not let them wait for that.
                        Err(error) if is_busy(&error) && begun.elapsed() < SQLITE_BUSY_WAIT => {
                            tokio::time::sleep(SQLITE_OPEN_AGAIN).await;
                        }
                        opened => return opened,
                    }
                }
            };
            let failed = |error| Error::unavailable(url, &error);
            let relaxed = open(SqliteSynchronous::Normal, 1).await.map_err(failed)?;
            let full = open(SqliteSynchronous::Full, 1).await.map_err(failed)?;
            let read = open(SqliteSynchronous::Normal, SQLITE_READERS_MAX).await.map_err(failed)?;
            return Ok(Self::Sqlite { relaxed, full, read, ahead_ms: AtomicI64::new(0) });
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options: PgConnectOptions = url.parse().map_err(|e: sqlx::Error| Error::unavailable(url, &e))?;
            let options = options.application_name("whimbrel");
            // A pool tries a server that refuses again and again, and then says only that it took too long.
            let first = tokio::time::timeout(CONNECTION_WAIT, options.connect());
            let first = first.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            first
                .map_err(|error| Error::unavailable(url, &error))?
                .close()
                .await
                .map_err(|e| Error::unavailable(url, &e))?;
            let identity = Arc::new(Identity::default());
            let open = |synchronous_commit, connections| {
                let identity = identity.clone();
                let pool = PgPoolOptions::new()
                    .max_connections(connections)
                    .acquire_timeout(CONNECTION_WAIT)
                    .after_connect(move |connection, _| {
                        let identity = identity.clone();
                        Box::pin(async move {
                            identity.seen(sqlx::query_scalar(IDENTITY).fetch_one(connection).await?);
                            Ok(())
                        })
                    });
                pool.connect_with(options.clone().options([("synchronous_commit", synchronous_commit)]))
            };
            let relaxed = open("off", POSTGRES_CONNECTIONS_MAX).await.map_err(|e| Error::unavailable(url, &e))?;
            let full = open("on", POSTGRES_FULL_MAX).await.map_err(|e| Error::unavailable(url, &e))?;
            return Ok(Self::Postgres { relaxed, full, identity });
        }
        Err(Error::Address(redacted(url)))
    }

    fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Sets the clock so much ahead of the machine's, for tests. PostgreSQL's is its server's.
    #[cfg(any(test, feature = "suite"))]
    pub(crate) fn set_clock_ahead(&self, ms: i64) {
        if let Self::Sqlite { ahead_ms, .. } = self {
            ahead_ms.store(ms, Ordering::SeqCst);
        }
    }

    /// The identity of the database, if it is another one than when this last gave it.
    pub(crate) fn new_identity(&self) -> Option<String> {
        let Self::Postgres { identity, .. } = self else { return None };
        let is_new = identity.is_new.swap(false, Ordering::SeqCst);
        is_new.then(|| identity.now.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// What the new identity is for could not be done.
    pub(crate) fn identity_again(&self) {
        if let Self::Postgres { identity, .. } = self {
            identity.is_new.store(true, Ordering::SeqCst);
        }
    }

    fn in_dialect(&self, statement: &'static str) -> String {
        let (now, share, skip) = match self {
            Self::Postgres { .. } => (
                "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)".to_owned(),
                "FOR SHARE",
                "FOR UPDATE SKIP LOCKED",
            ),
            Self::Sqlite { ahead_ms, .. } => {
                (format!("CAST(unixepoch('subsec') * 1000 + {} AS INTEGER)", ahead_ms.load(Ordering::SeqCst)), "", "")
            }
        };
        statement.replace("{now}", &now).replace("{share}", share).replace("{skip}", skip)
    }

    /// Begins a transaction that will write.
    pub(crate) async fn begin(&self, durability: Durability, watch: Arc<dyn Watch>) -> Result<Tx<'_>, Error> {
        let inner = match self {
            Self::Sqlite { relaxed, full, .. } => {
                let pool = if durability == Durability::Full { full } else { relaxed };
                let begun = match pool.begin_with(IMMEDIATE).await {
                    // SQLite itself rolled back what did not fit on the disk, and the connection still counts it as open.
                    Err(sqlx::Error::InvalidSavePointStatement) => {
                        pool.acquire().await?.close().await?;
                        pool.begin_with(IMMEDIATE).await
                    }
                    begun => begun,
                };
                Inner::Sqlite(begun?)
            }
            Self::Postgres { relaxed, full, .. } => {
                let pool = if durability == Durability::Full { full } else { relaxed };
                Inner::Postgres(pool.begin().await?)
            }
        };
        Ok(Tx { database: self, inner, watch })
    }

    /// Reads rows, outside any transaction of ours.
    pub(crate) async fn query(&self, statement: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.query_text(AssertSqlSafe(self.in_dialect(statement)), values).await
    }

    async fn query_text(&self, statement: AssertSqlSafe<String>, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Self::Sqlite { read, .. } => {
                let mut query = sqlx::query::<Sqlite>(statement);
                for value in values {
                    query = bind_sqlite(query, value);
                }
                query.fetch_all(read).await?.iter().map(sqlite_row).collect()
            }
            Self::Postgres { relaxed, .. } => {
                let mut query = sqlx::query::<Postgres>(statement);
                for value in values {
                    query = bind_postgres(query, value);
                }
                query.fetch_all(relaxed).await?.iter().map(postgres_row).collect()
            }
        }
    }

    /// Reads rows by many ids: see [`Tx::execute_for`].
    pub(crate) async fn query_for(
        &self,
        statement: &'static str,
        values: &[Value],
        ids: &[ItemId],
    ) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        for ids in ids.chunks(IDS) {
            let (ids, all) = with_ids(values, ids);
            let statement = AssertSqlSafe(self.in_dialect(statement).replace("{ids}", &ids));
            rows.extend(self.query_text(statement, all).await?);
        }
        Ok(rows)
    }

    /// Ends every connection.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { relaxed, full, read, .. } => {
                read.close().await;
                relaxed.close().await;
                full.close().await;
            }
            Self::Postgres { relaxed, full, .. } => {
                relaxed.close().await;
                full.close().await;
            }
        }
    }
}

/// Is a SQLite file in another process's hands? The last byte of the code says that it is SQLITE_BUSY, of whichever kind.
fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// Work that only one transaction at a time may do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alone {
    /// Bringing the schema forward.
    Upgrading,
    /// Giving the next number to an organisation, project, endpoint or mailbox.
    Numbering,
    /// Giving the next number to a folder.
    NumberingFolders,
    /// Appending to the audit log.
    Auditing,
    /// Recording which stores a mailbox reaches.
    Stores,
    /// Giving the next number to a decision, a plan or a sign-off about people.
    People,
    /// Saying which projects are served, or which database this is.
    Serving,
    /// Taking on to be told of changes.
    Watching,
    /// Putting objects into collections.
    Collections,
    /// Giving the next number to an issue, or changing what it is.
    Issues,
    /// Giving the next number to a report or an alert.
    Telling = 70,
}

/// A transaction. Rolled back when dropped.
pub(crate) struct Tx<'d> {
    database: &'d Database,
    inner: Inner,
    watch: Arc<dyn Watch>,
}

enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx<'_> {
    pub(crate) fn is_postgres(&self) -> bool {
        self.database.is_postgres()
    }

    /// Waits until no other transaction does this work, and keeps others from it until the end of this one. SQLite has
    /// one writer anyway.
    pub(crate) async fn alone(&mut self, work: Alone) -> Result<(), Error> {
        if self.is_postgres() {
            self.execute("SELECT pg_advisory_xact_lock(7747, CAST($1 AS INT))", values![work as i64]).await?;
        }
        Ok(())
    }

    /// Runs a statement; how many rows it touched.
    pub(crate) async fn execute(&mut self, statement: &'static str, values: Vec<Value>) -> Result<u64, Error> {
        let statement = self.database.in_dialect(statement);
        self.execute_text(statement, values).await
    }

    /// Runs a statement for many ids, in few round trips: `{ids}` in it becomes their parameters, after those of the values.
    pub(crate) async fn execute_for(
        &mut self,
        statement: &'static str,
        values: &[Value],
        ids: &[ItemId],
    ) -> Result<(), Error> {
        for ids in ids.chunks(IDS) {
            let (ids, all) = with_ids(values, ids);
            let statement = self.database.in_dialect(statement).replace("{ids}", &ids);
            self.execute_text(statement, all).await?;
        }
        Ok(())
    }

    /// The same, where the statement returns rows.
    pub(crate) async fn query_for(
        &mut self,
        statement: &'static str,
        values: &[Value],
        ids: &[ItemId],
    ) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        for ids in ids.chunks(IDS) {
            let (ids, all) = with_ids(values, ids);
            let statement = self.database.in_dialect(statement).replace("{ids}", &ids);
            rows.extend(self.query_text(AssertSqlSafe(statement), all).await?);
        }
        Ok(rows)
    }

    pub(crate) async fn execute_text(&mut self, statement: String, values: Vec<Value>) -> Result<u64, Error> {
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => {
                let mut query = sqlx::query::<Sqlite>(AssertSqlSafe(statement));
                for value in values {
                    query = bind_sqlite(query, value);
                }
                query.execute(&mut **tx).await?.rows_affected()
            }
            Inner::Postgres(tx) => {
                let mut query = sqlx::query::<Postgres>(AssertSqlSafe(statement));
                for value in values {
                    query = bind_postgres(query, value);
                }
                query.execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// Reads rows.
    pub(crate) async fn query(&mut self, statement: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.query_text(AssertSqlSafe(self.database.in_dialect(statement)), values).await
    }

    async fn query_text(&mut self, statement: AssertSqlSafe<String>, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let mut query = sqlx::query::<Sqlite>(statement);
                for value in values {
                    query = bind_sqlite(query, value);
                }
                query.fetch_all(&mut **tx).await?.iter().map(sqlite_row).collect()
            }
            Inner::Postgres(tx) => {
                let mut query = sqlx::query::<Postgres>(statement);
                for value in values {
                    query = bind_postgres(query, value);
                }
                query.fetch_all(&mut **tx).await?.iter().map(postgres_row).collect()
            }
        }
    }

    /// Inserts rows, many at a time: `insert` ends in `VALUES`, `conflict` follows the rows. The number of parameters of
    /// the large statements is the same each time, so that they are prepared once.
    pub(crate) async fn insert_many(
        &mut self,
        insert: &'static str,
        conflict: &'static str,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), Error> {
        /// Rows of one statement: 14 columns of them stay below SQLite's 32,766 parameters and keep one statement's text
        /// and plan small.
        const ROWS: usize = 64;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Vec<Value>> = rows.by_ref().take(ROWS).collect();
            // A chunk that is not full goes in powers of two, so that few statements are ever prepared.
            let mut chunk = chunk.into_iter();
            while chunk.len() > 0 {
                let size = if chunk.len() == ROWS { ROWS } else { 1 << chunk.len().ilog2() };
                let part: Vec<Vec<Value>> = chunk.by_ref().take(size).collect();
                let width = part[0].len();
                let mut statement = String::from(insert);
                let mut parameter = 0;
                for row in 0..size {
                    statement.push_str(if row == 0 { " (" } else { ", (" });
                    for column in 0..width {
                        parameter += 1;
                        statement.push_str(if column == 0 { "$" } else { ", $" });
                        statement.push_str(&parameter.to_string());
                    }
                    statement.push(')');
                }
                statement.push(' ');
                statement.push_str(conflict);
                self.execute_text(statement, part.into_iter().flatten().collect()).await?;
            }
        }
        Ok(())
    }

    /// Runs a script of statements without parameters.
    pub(crate) async fn script(&mut self, script: &'static str) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Sqlite(tx) => sqlx::raw_sql(script).execute(&mut **tx).await.map(|_| ())?,
            Inner::Postgres(tx) => sqlx::raw_sql(script).execute(&mut **tx).await.map(|_| ())?,
        }
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.watch.before_commit()?;
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => tx.commit().await?,
        }
        self.watch.after_commit();
        Ok(())
    }
}

/// The parameters of ids after these values, and the values of both. The last id is repeated up to a power of four, so that few
/// statements are ever prepared.
fn with_ids(values: &[Value], ids: &[ItemId]) -> (String, Vec<Value>) {
    let (first, count) = (values.len() + 1, 1 << ids.len().next_power_of_two().ilog2().next_multiple_of(2));
    let parameters: Vec<String> = (first..first + count).map(|parameter| format!("${parameter}")).collect();
    let ids = ids.iter().chain(std::iter::repeat_n(&ids[ids.len() - 1], count - ids.len()));
    let values = values.iter().cloned().chain(ids.map(|id| id.as_bytes().into())).collect();
    (parameters.join(", "), values)
}

type Query<D> = sqlx::query::Query<'static, D, <D as sqlx::Database>::Arguments>;

fn bind_sqlite(query: Query<Sqlite>, value: Value) -> Query<Sqlite> {
    match value {
        Value::Int(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Blob(value) => query.bind(value),
    }
}

fn bind_postgres(query: Query<Postgres>, value: Value) -> Query<Postgres> {
    match value {
        Value::Int(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Blob(value) => query.bind(value),
    }
}

fn sqlite_row(row: &SqliteRow) -> Result<Row, Error> {
    let value = |index: usize| -> Result<Value, sqlx::Error> {
        let raw = row.try_get_raw(index)?;
        let kind = raw.type_info();
        Ok(match kind.name() {
            _ if raw.is_null() => Value::Int(None),
            "TEXT" => Value::Text(Some(row.try_get_unchecked(index)?)),
            "BLOB" => Value::Blob(Some(row.try_get_unchecked(index)?)),
            _ => Value::Int(Some(row.try_get_unchecked(index)?)),
        })
    };
    Ok(Row((0..row.len()).map(value).collect::<Result<_, _>>()?))
}

fn postgres_row(row: &PgRow) -> Result<Row, Error> {
    let value = |index: usize| -> Result<Value, sqlx::Error> {
        if row.try_get_raw(index)?.is_null() {
            return Ok(Value::Int(None));
        }
        Ok(match row.column(index).type_info().name() {
            "TEXT" | "VARCHAR" | "NAME" => Value::Text(Some(row.try_get(index)?)),
            "BYTEA" => Value::Blob(Some(row.try_get(index)?)),
            "INT2" => Value::Int(Some(i64::from(row.try_get::<i16, _>(index)?))),
            "INT4" => Value::Int(Some(i64::from(row.try_get::<i32, _>(index)?))),
            "BOOL" => Value::Int(Some(i64::from(row.try_get::<bool, _>(index)?))),
            _ => Value::Int(Some(row.try_get(index)?)),
        })
    };
    Ok(Row((0..row.len()).map(value).collect::<Result<_, _>>()?))
}

/// An address without its password.
pub(crate) fn redacted(url: &str) -> String {
    // Passwords stand before the last @ of the part before the path, or behind a question mark.
    let url = url.split('?').next().unwrap_or_default();
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let user = url[scheme + 3..at].split(':').next().unwrap_or_default();
            format!("{}{user}{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        assert_eq!(redacted("postgres://me:secret@host:5432/db"), "postgres://me@host:5432/db");
        assert_eq!(redacted("postgres://me:sec@ret@host/db?password=secret"), "postgres://me@host/db");
        assert_eq!(redacted("sqlite:whimbrel.db"), "sqlite:whimbrel.db");
    }
}
