//! Queries of real databases as directories: read only, every type as text, what changed.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in which a failure is a panic")]

use conformance::certificates::{Certificates, Flaw};
use conformance::servers::{MariaDb, Postgres};
use connector::{Directory, DirectoryCursor, DirectoryRead, EntryEvent, Error};
use model::{Cause, Entry, EntryKind};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use table::{ColumnMap, Field, SqlConfig, SqlDirectory, Tls};

/// People of every kind of name: non-Latin, apostrophe, hyphen, double-barrelled, title, namesakes.
const NAMES: [(&str, &str, &str); 6] = [
    ("Dr", "Zoë", "O'Neil-Søren"),
    ("", "明", "李"),
    ("", "John", "Smith"),
    ("", "John", "Smith"),
    ("Sister", "María José", "García Márquez"),
    ("", "Олександр", "Коваленко-Д’яченко"),
];

fn inserts() -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let rows: Vec<String> = NAMES
        .iter()
        .enumerate()
        .map(|(at, (title, given, surname))| {
            let title = if title.is_empty() { "NULL".to_owned() } else { quoted(title) };
            format!("('0010{at}', {title}, {}, {}, 'p{at}@trust.example')", quoted(given), quoted(surname))
        })
        .collect();
    format!("INSERT INTO people (staff_number, title, given, surname, mail) VALUES {}", rows.join(", "))
}

const CREATE: &str = "CREATE TABLE people (staff_number VARCHAR(20) PRIMARY KEY, title VARCHAR(20), given VARCHAR(60), \
    surname VARCHAR(60), mail VARCHAR(100))";
const QUERY: &str = "SELECT staff_number, title, given, surname, mail FROM people ORDER BY staff_number";

fn config(url: &str, query: &str) -> SqlConfig {
    let mut config = SqlConfig::new(url, query);
    config.tls = Tls::Off;
    config
}

async fn told(config: SqlConfig, since: Option<&DirectoryCursor>) -> Result<(Vec<EntryEvent>, DirectoryRead), Error> {
    let mut events = Vec::new();
    let read = SqlDirectory::new(config).read(since, &mut events).await?;
    Ok((events, read))
}

fn seen(events: Vec<EntryEvent>) -> Vec<Entry> {
    let seen = |event| if let EntryEvent::Seen(entry) = event { *entry } else { panic!("{event:?}") };
    events.into_iter().map(seen).collect()
}

/// A database of any kind, and a way to run statements on it.
struct Database<'d> {
    url: String,
    run: Box<dyn Fn(&str) + 'd>,
}

impl Database<'_> {
    /// The same story on each: names, changes, what is gone, and that nothing is ever written.
    async fn tells_its_story(&self) {
        (self.run)(CREATE);
        (self.run)(&inserts());
        let (events, first) = told(config(&self.url, QUERY), None).await.unwrap();
        let entries = seen(events);
        for (at, ((title, given, surname), entry)) in NAMES.iter().zip(&entries).enumerate() {
            assert_eq!(entry.key, format!("0010{at}"));
            assert_eq!(entry.names.title.as_deref().unwrap_or_default(), *title);
            assert_eq!((entry.names.given.as_deref(), entry.names.surname.as_deref()), (Some(*given), Some(*surname)));
        }
        assert_eq!((entries.len(), first.is_whole, first.entries_received), (6, true, 12));

        let (events, same) = told(config(&self.url, QUERY), Some(&first.cursor)).await.unwrap();
        assert_eq!((events.len(), same.is_whole, same.entries_received), (0, false, 6));
        assert_eq!(same.cursor, first.cursor);

        (self.run)("UPDATE people SET surname = 'Smith-Jones' WHERE staff_number = '00102'");
        (self.run)("DELETE FROM people WHERE staff_number = '00104'");
        let (events, second) = told(config(&self.url, QUERY), Some(&first.cursor)).await.unwrap();
        assert!(matches!(&events[0], EntryEvent::Seen(entry) if entry.names.surname.as_deref() == Some("Smith-Jones")));
        assert_eq!(events[1..], [EntryEvent::Gone("00104".into())]);

        for query in [
            "DELETE FROM people",
            "UPDATE people SET surname = 'x'",
            "INSERT INTO people (staff_number) VALUES ('9')",
            "DELETE FROM people RETURNING staff_number",
            "INSERT INTO people (staff_number, surname) VALUES ('9', 'x') RETURNING staff_number, surname",
            "DROP TABLE people",
            "CREATE TABLE others (a INTEGER)",
            "SELECT staff_number, surname FROM people; DELETE FROM people",
            "SELECT staff_number, surname FROM people; COMMIT; DELETE FROM people",
            "COMMIT",
        ] {
            let error = told(config(&self.url, query), None).await;
            // SQLite runs the first of several statements and then refuses the others.
            assert!(error.is_err(), "{query}");
            let (events, after) = told(config(&self.url, QUERY), Some(&second.cursor)).await.unwrap();
            assert_eq!((events.len(), after.cursor == second.cursor), (0, true), "{query}");
        }
        let error = told(config(&self.url, "DELETE FROM people RETURNING staff_number, surname"), None).await;
        assert_eq!(error.unwrap_err().cause, Cause::Permission);

        let error = told(config(&self.url, "SELECT nothing FROM people"), None).await.unwrap_err();
        assert_eq!(error.cause, Cause::Refused, "{error}");
        let findings = SqlDirectory::new(config(&self.url, QUERY)).check().await;
        assert!(findings.iter().all(|finding| finding.wrong.is_none()), "{findings:?}");

        // A mistake: strict tells nothing, otherwise the row is named.
        (self.run)("UPDATE people SET mail = 'none' WHERE staff_number = '00101'");
        let mut events = Vec::new();
        let error = SqlDirectory::new(config(&self.url, QUERY)).read(None, &mut events).await.unwrap_err();
        assert_eq!(events.len(), 0);
        assert!(error.what.contains("row 2, column E (5) \"mail\": \"none\" is no mail address"), "{error}");
        let mut lenient = config(&self.url, QUERY);
        lenient.strict = false;
        let (events, _) = told(lenient, Some(&second.cursor)).await.unwrap();
        assert!(matches!(&events[..], [EntryEvent::Faulty { key: Some(key), .. }] if key == "00101"), "{events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_tells_its_people_and_is_never_written() {
    let Some(server) = Postgres::shared() else { return };
    let url = server.fresh_database();
    // As the account that reads: it is nothing but the transaction that keeps it from writing.
    let run = |sql: &str| {
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        here(async {
            let mut connection = options.connect().await.unwrap();
            connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await.unwrap();
            connection.close().await.unwrap();
        });
    };
    Database { url: url.clone(), run: Box::new(run) }.tells_its_story().await;
}

/// Waits for something in the middle of a test.
fn here<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_tells_its_people_and_is_never_written() {
    let Some(server) = MariaDb::start() else { return };
    let url = server.fresh_database();
    let run = |sql: &str| drop(server.superuser_query(&url, sql));
    Database { url: url.clone(), run: Box::new(run) }.tells_its_story().await;
    // A file on the server is something written, too, and this account could.
    server.superuser_query("mysql", "GRANT FILE ON *.* TO 'whimbrel'@'127.0.0.1'");
    let query = "SELECT staff_number, surname FROM people INTO OUTFILE '/tmp/whimbrel-must-not-be'";
    assert!(told(config(&url, query), None).await.is_err());
    assert!(!std::path::Path::new("/tmp/whimbrel-must-not-be").exists());
}

async fn sqlite(path: &std::path::Path, sql: &[&str]) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    for sql in sql {
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe((*sql).to_owned()))).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_tells_its_people_and_is_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    let run = |sql: &str| here(sqlite(&path, &[sql]));
    let url = format!("sqlite:{}", path.display());
    Database { url: url.clone(), run: Box::new(run) }.tells_its_story().await;
    let elsewhere = folder.path().join("elsewhere.db");
    for query in [
        format!("ATTACH '{}' AS other", elsewhere.display()),
        format!("VACUUM INTO '{}'", elsewhere.display()),
        format!("SELECT 1 AS \"key\", 'x' AS surname; VACUUM INTO '{}'", elsewhere.display()),
        format!("SELECT 1 AS \"key\", 'x' AS surname; ATTACH '{}' AS other", elsewhere.display()),
    ] {
        let _ = told(config(&url, &query), None).await;
        assert!(!elsewhere.exists(), "{query}");
    }
    let mut config = config("sqlite:people.db", QUERY);
    folder.path().clone_into(&mut config.base);
    config.strict = false;
    assert_eq!(told(config.clone(), None).await.unwrap().0.len(), 5);
    config.address = connector::Secret::new("sqlite:nobody.db");
    assert_eq!(told(config, None).await.unwrap_err().cause, Cause::Missing);
    assert!(!folder.path().join("nobody.db").exists());
}

fn map() -> ColumnMap {
    ColumnMap::default().with(Field::Key, "id").with(Field::Quota, "room").with(Field::Addresses, "more")
}

fn other<'e>(entry: &'e Entry, column: &str) -> &'e str {
    entry.other.get(column).map_or("", |values| &values[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresqls_types_are_text() {
    let Some(server) = Postgres::shared() else { return };
    let query = "SELECT '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid AS id, 'Lee '::char(9) AS surname, true AS hide_mobile, \
        '\\x00ff10'::bytea AS photo, 26843545600::bigint AS room, 12345678901234567890.120::numeric AS number, 1.5::float8 AS share, \
        ARRAY['SMTP:a@x.example', 'X500:/o=A/cn=\"B, C\"']::text[] AS more, DATE '2026-12-31' AS leaves_on, \
        TIMESTAMPTZ '2026-04-13 11:30:00+02' AS last_logon, NULL::text AS ward, '2 days'::interval AS age, 'room'::text AS kind, 'R 1' AS display";
    let mut config = config(&server.fresh_database(), query);
    config.map = map();
    let entry = &seen(told(config, None).await.unwrap().0)[0];
    assert_eq!(entry.key, "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    assert_eq!((entry.kind, entry.names.surname.as_deref()), (EntryKind::Room, Some("Lee")));
    assert!(entry.hides_mobile);
    assert_eq!((entry.quota_bytes, entry.last_logon), (Some(25 << 30), Some(1_776_072_600)));
    assert_eq!(
        entry.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["SMTP:a@x.example", "X500:/o=A/cn=\"B, C\""]
    );
    let others = ["photo", "number", "share", "leaves_on", "ward"].map(|column| other(entry, column));
    assert_eq!(others, ["00ff10", "12345678901234567890.120", "1.5", "2026-12-31", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadbs_types_are_text() {
    let Some(server) = MariaDb::start() else { return };
    let url = server.fresh_database();
    server.superuser_query(
        &url,
        "CREATE TABLE t (id UUID, surname CHAR(9), hide_mobile BOOLEAN, photo VARBINARY(9), exact VARCHAR(20) COLLATE utf8mb4_bin, room BIGINT UNSIGNED, number DECIMAL(30,3), \
         share DOUBLE, leaves_on DATE, last_logon TIMESTAMP, ward TEXT, bits BIT(9), kind ENUM('room'), display TEXT, never DATETIME); \
         SET time_zone = '+02:00'; SET sql_mode = ''; \
         INSERT INTO t VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'Ли', 1, x'00ff10', 'Zoë', 26843545600, 12345678901234567890.120, 1.5, \
         '2026-12-31', '2026-04-13 11:30:00', NULL, b'100000001', 'room', 'R 1', '0000-00-00 00:00:00')",
    );
    let mut config = config(&url, "SELECT * FROM t");
    config.map = ColumnMap { columns: map().columns, ..ColumnMap::default() };
    config.map.columns.remove(&Field::Addresses);
    let entry = &seen(told(config, None).await.unwrap().0)[0];
    assert_eq!(entry.key, "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    assert_eq!((entry.kind, entry.names.surname.as_deref()), (EntryKind::Room, Some("Ли")));
    assert!(entry.hides_mobile);
    assert_eq!((entry.quota_bytes, entry.last_logon), (Some(25 << 30), Some(1_776_072_600)));
    let others =
        ["photo", "exact", "number", "share", "leaves_on", "ward", "bits", "never"].map(|column| other(entry, column));
    assert_eq!(others, ["00ff10", "Zoë", "12345678901234567890.120", "1.5", "2026-12-31", "", "257", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlites_types_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.db");
    sqlite(&path, &["CREATE TABLE t (a)"]).await;
    let query = "SELECT 12345678901234567 AS id, 'Lee' AS surname, 1 AS hide_mobile, x'00ff10' AS photo, 26843545600 AS room, 1.5 AS share, \
        7.0 AS whole, NULL AS ward, '2026-04-13 09:30:00' AS last_logon";
    let mut config = config(&format!("sqlite:{}", path.display()), query);
    config.map = map();
    config.map.columns.remove(&Field::Addresses);
    let entry = &seen(told(config, None).await.unwrap().0)[0];
    assert_eq!((entry.key.as_str(), entry.hides_mobile), ("12345678901234567", true));
    assert_eq!((entry.quota_bytes, entry.last_logon), (Some(25 << 30), Some(1_776_072_600)));
    assert_eq!(["photo", "share", "whole", "ward"].map(|column| other(entry, column)), ["00ff10", "1.5", "7", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_unless_it_is_said_otherwise() {
    let well = Certificates::new(Flaw::None);
    let Some(server) = MariaDb::builder().tls(well.cert_file(), well.key_file()).start() else { return };
    let url = server.fresh_database();
    server.superuser_query(&url, CREATE);
    server.superuser_query(&url, &inserts());
    let mut config = SqlConfig::new(url.as_str(), QUERY);
    let error = told(config.clone(), None).await.unwrap_err();
    assert_eq!(error.cause, Cause::Tls, "an authority that nobody knows: {error}");
    config.ca_file = Some(Certificates::new(Flaw::None).ca_file());
    let error = told(config.clone(), None).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Tls | Cause::Connection), "another authority: {error}");
    config.ca_file = Some(well.ca_file());
    assert_eq!(told(config, None).await.unwrap().0.len(), 6);
    let odd = Certificates::new(Flaw::WrongName);
    let Some(server) = MariaDb::builder().tls(odd.cert_file(), odd.key_file()).start() else { return };
    let mut config = SqlConfig::new(server.fresh_database(), QUERY);
    config.ca_file = Some(odd.ca_file());
    let error = told(config, None).await.unwrap_err();
    assert_eq!(error.cause, Cause::Tls, "another name: {error}");
    assert!(!error.to_string().contains("kit-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_or_with_another_password_is_refused() {
    let Some(server) = Postgres::shared() else { return };
    let error = told(SqlConfig::new(server.fresh_database(), QUERY), None).await.unwrap_err();
    assert_eq!(error.cause, Cause::Tls, "{error}");
    let Some(server) = MariaDb::start() else { return };
    let url = server.fresh_database();
    let error = told(SqlConfig::new(url.as_str(), QUERY), None).await.unwrap_err();
    assert_eq!(error.cause, Cause::Tls, "{error}");
    let error = told(config(&url.replace("kit-password", "opensesame"), QUERY), None).await.unwrap_err();
    assert_eq!(error.cause, Cause::Login, "{error}");
    assert!(!error.to_string().contains("opensesame"));
    let error = told(config("postgres://127.0.0.1:1/x", QUERY), None).await.unwrap_err();
    assert_eq!(error.cause, Cause::Connection, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_stream_in_little_memory() {
    let Some(server) = Postgres::shared() else { return };
    let query = "SELECT 'k' || n AS \"key\", 'Lee' AS surname, 'p' || n || '@trust.example' AS mail FROM generate_series(1, 30000) n";
    let config = config(&server.fresh_database(), query);
    let (events, first) = told(config.clone(), None).await.unwrap();
    assert_eq!((events.len(), first.entries_received), (30_000, 60_000));
    let (events, _) = told(config, Some(&first.cursor)).await.unwrap();
    assert!(events.is_empty());
}
