//! Our table in a database. All entries of a person change in one transaction.

use connector::{Error, Finding, Topic};
use model::{Cause, Scope};

use super::steps::Steps;
use super::table::Found;
use crate::config::{Config, SqlTable};
use crate::text::address::Person;
use crate::text::mark::{Row, of_origin, origin};
use crate::text::plan::{Change, plan};
use crate::wire::database::Connection;

pub(crate) struct Sql<'c> {
    pub(crate) config: &'c Config,
    pub(crate) table: &'c SqlTable,
}

impl Sql<'_> {
    async fn open(&self) -> Result<Connection, Error> {
        Connection::open(&self.table.database, true, self.config.lock_wait_max).await
    }

    pub(crate) async fn look(&self, person: &Person) -> Result<Found, Error> {
        let mut connection = self.open().await?;
        let rows = self.rows(&mut connection, &person.addresses, Some(&person.account), false).await?;
        connection.close().await;
        Ok(Found { rows, loaded: None })
    }

    pub(crate) async fn at(&self, addresses: &[String]) -> Result<Vec<Row>, Error> {
        let mut connection = self.open().await?;
        let rows = self.rows(&mut connection, addresses, None, false).await?;
        connection.close().await;
        Ok(rows)
    }

    /// The rows of these addresses, and all that are ours for this account.
    async fn rows(
        &self,
        connection: &mut Connection,
        addresses: &[String],
        account: Option<&str>,
        is_locked: bool,
    ) -> Result<Vec<Row>, Error> {
        let SqlTable { table, address_column, destination_column, origin_column, .. } = self.table;
        let columns = [address_column, destination_column, origin_column].map(|name| connection.quoted(name));
        let [address, _, origin_is] = &columns;
        let texts: Vec<String> = columns.iter().map(|column| format!("CAST({column} AS TEXT)")).collect();
        let lock = if is_locked && connection.is_postgres() { " FOR UPDATE" } else { "" };
        let sql = format!(
            "SELECT {} FROM {} WHERE lower(CAST({address} AS TEXT)) IN ({}) OR {origin_is} = {}{lock}",
            texts.join(", "),
            connection.quoted(table),
            connection.values(1, addresses.len()),
            connection.values(addresses.len() + 1, 1),
        );
        // An origin that no row has, where all are asked for by their addresses.
        let own = account.map_or_else(|| " ".to_owned(), origin);
        let values: Vec<&str> = addresses.iter().map(String::as_str).chain([own.as_str()]).collect();
        let found = connection.rows(&sql, &values).await.map_err(|error| self.with_hint(error))?;
        let row = |cells: Vec<String>| {
            let [address, to, origin] = <[String; 3]>::try_from(cells).ok()?;
            let whose = of_origin(&origin, to.trim());
            Some(Row { address: address.to_lowercase(), to, whose, place: self.config.place() })
        };
        Ok(found.into_iter().filter_map(row).collect())
    }

    pub(crate) async fn change(&self, person: &Person, to: Option<&str>, steps: &mut Steps<'_>) -> Result<bool, Error> {
        let mut connection = self.open().await?;
        self.is_unique(&mut connection).await?;
        connection.begin().await?;
        let done = self.change_in(&mut connection, person, to, steps).await;
        if !matches!(done, Ok(true)) && !steps.has_effect() {
            // What was not committed is gone with the connection in any case.
            let _ = connection.execute("ROLLBACK", &[]).await;
        }
        connection.close().await;
        done
    }

    async fn change_in(
        &self,
        connection: &mut Connection,
        person: &Person,
        to: Option<&str>,
        steps: &mut Steps<'_>,
    ) -> Result<bool, Error> {
        let rows = self.rows(connection, &person.addresses, Some(&person.account), true).await?;
        let changes = plan(person, &rows, to)?;
        if changes.is_empty() {
            return Ok(false);
        }
        let SqlTable { table, address_column, destination_column, origin_column, .. } = self.table;
        let [table, address, destination, origin_is] =
            [table, address_column, destination_column, origin_column].map(|name| connection.quoted(name));
        let own = origin(&person.account);
        for change in &changes {
            let [first, second, third] = [1, 2, 3].map(|number| connection.values(number, 1));
            let ours = format!("lower(CAST({address} AS TEXT)) = {first} AND {origin_is} = {second}");
            let (sql, values, what) = match change {
                Change::Insert(key, to) => (
                    format!(
                        "INSERT INTO {table} ({address}, {origin_is}, {destination}) VALUES ({first}, {second}, {third})"
                    ),
                    vec![key.as_str(), own.as_str(), to.as_str()],
                    key,
                ),
                Change::Update(key, to) => (
                    format!("UPDATE {table} SET {destination} = {third} WHERE {ours}"),
                    vec![key.as_str(), own.as_str(), to.as_str()],
                    key,
                ),
                Change::Delete(key) => {
                    (format!("DELETE FROM {table} WHERE {ours}"), vec![key.as_str(), own.as_str()], key)
                }
            };
            let met = connection.execute(&sql, &values).await?;
            if met != 1 {
                let what =
                    format!("{}: {met} rows of ours were met for {what}: nothing is changed", self.config.place());
                return Err(Error::new(Cause::Refused, Scope::Mailbox, what));
            }
        }
        steps.before()?;
        connection.commit(|| steps.after()).await?;
        Ok(true)
    }

    /// Two rows of one address would send mail to both, so the database must see to it that there is one.
    async fn is_unique(&self, connection: &mut Connection) -> Result<(), Error> {
        let SqlTable { table, address_column, .. } = self.table;
        let sql = if connection.is_postgres() {
            "SELECT 'yes' FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
             WHERE i.indrelid = CAST($1 AS regclass) AND a.attname = $2 AND i.indisunique AND i.indisvalid \
             AND i.indnkeyatts = 1 AND i.indpred IS NULL LIMIT 1"
        } else {
            "SELECT 'yes' FROM pragma_index_list(?1) l WHERE l.\"unique\" AND NOT l.partial AND ?2 = \
             (SELECT group_concat(c.name) FROM pragma_index_info(l.name) c) LIMIT 1"
        };
        let last = table.rsplit('.').next().unwrap_or_default();
        let name = if connection.is_postgres() { connection.quoted(table) } else { last.to_owned() };
        let found = connection.rows(sql, &[&name, address_column]).await.map_err(|error| self.with_hint(error))?;
        if !found.is_empty() {
            return Ok(());
        }
        let what = format!("{}: nothing keeps {address_column} unique: make it the primary key", self.config.place());
        Err(Error::new(Cause::Unsupported, Scope::Run, what))
    }

    fn with_hint(&self, mut error: Error) -> Error {
        if error.cause == Cause::Missing {
            let place = self.config.place();
            error.what = format!("{}; {place} must be there with its three columns: see docs/routing.md", error.what);
        }
        error
    }

    /// What can be seen of the database without changing anything.
    pub(crate) async fn check(&self, findings: &mut Vec<Finding>) -> Result<(), Error> {
        let mut connection = self.open().await?;
        findings.push(Finding::well(Topic::Reach, format!("{} answers", connection.name)));
        let checked = self.check_in(&mut connection, findings).await;
        connection.close().await;
        checked
    }

    async fn check_in(&self, connection: &mut Connection, findings: &mut Vec<Finding>) -> Result<(), Error> {
        self.rows(connection, &[" ".to_owned()], None, false).await?;
        self.is_unique(connection).await?;
        let place = self.config.place();
        if connection.is_postgres() {
            let sql = "SELECT CAST(r AS TEXT) FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r \
                       WHERE NOT has_table_privilege(CAST($1 AS regclass), r)";
            let name = connection.quoted(&self.table.table);
            let missing = connection.rows(sql, &[&name]).await?;
            if !missing.is_empty() {
                let what = format!("{place}: the right to {} is missing", missing.concat().join(", "));
                return Err(Error::new(Cause::Permission, Scope::Run, what));
            }
            let standby = connection.rows("SELECT CAST(pg_is_in_recovery() AS TEXT)", &[]).await?;
            if standby.concat().first().is_some_and(|yes| yes == "true") {
                let what = format!("{} is a standby, which takes no changes: name the primary", connection.name);
                return Err(Error::new(Cause::Permission, Scope::Run, what));
            }
        } else {
            let mode = connection.rows("PRAGMA journal_mode", &[]).await?;
            if mode.concat().first().is_some_and(|mode| mode.eq_ignore_ascii_case("wal")) {
                let what = format!(
                    "{} keeps a write-ahead log, which Postfix, as another user, may be unable to read: \
                     PRAGMA journal_mode = DELETE",
                    connection.name
                );
                return Err(Error::new(Cause::Unsupported, Scope::Run, what));
            }
            // Asks for the right to write, and writes nothing.
            connection.begin().await?;
            connection.execute("ROLLBACK", &[]).await?;
        }
        findings.push(Finding::well(Topic::Rights, format!("{place} can be written to, and holds an address once")));
        Ok(())
    }
}
