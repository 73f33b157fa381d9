//! The site's own maps, lists and forwarding files, read as they are.

use std::path::Path;

use connector::Error;
use connector::router::Destination;
use model::{Cause, Scope};

use crate::config::{Config, SiteMap, Syntax, Table};
use crate::text::address::{folded, is_plain};
use crate::text::aliases::alias;
use crate::text::table::Text;
use crate::text::targets::{Target, targets};
use crate::wire::database::Connection;
use crate::wire::file::{self, blocking};

/// The most of a forwarding file, or of a list in a file, that is read.
const FORWARD_BYTES_MAX: u64 = 1024 * 1024;

/// The entries of a text map: key, value, line.
pub(super) type Entries = Vec<(String, String, usize)>;

/// Is this the map that `main.cf` names so?
pub(super) fn covers(map: &SiteMap, name: &str) -> bool {
    let path = name.split_once(':').map_or(name, |(_, path)| path);
    map.map.as_deref() == Some(name) || map.path.as_deref().is_some_and(|own| own == Path::new(path))
}

/// Where something of this map stands, for people.
pub(super) fn place(map: &SiteMap) -> String {
    map.map.clone().unwrap_or_else(|| "the site's database".to_owned())
}

/// The entries of a text map.
pub(super) async fn entries(path: &Path, syntax: Syntax) -> Result<Entries, Error> {
    let path = path.to_owned();
    blocking(move || {
        let text = Text::new(file::read(&path, file::BYTES_MAX)?);
        let entries = text.entries().iter().filter_map(|entry| {
            let (key, value) = match syntax {
                Syntax::Virtual => (entry.key.clone(), entry.value.clone()),
                Syntax::Aliases => alias(entry)?,
            };
            Some((key, value, entry.line))
        });
        Ok(entries.collect())
    })
    .await
}

/// The rows of one of the site's queries for which something holds.
pub(super) async fn query(
    config: &Config,
    map: &SiteMap,
    condition: &(dyn Fn(&str) -> String + Sync),
    values: &[&str],
) -> Result<Vec<(String, String)>, Error> {
    let own = match &config.table {
        Table::Postgresql(sql) | Table::Sqlite(sql) => Some(&sql.database),
        Table::File(_) => None,
    };
    let database = if map.database.address.is_some() { &map.database } else { own.unwrap_or(&map.database) };
    let mut connection = Connection::open(database, false, config.lock_wait_max).await?;
    let text = map.query.as_deref().unwrap_or_default().trim().trim_end_matches(';');
    let sql = format!(
        "SELECT CAST(site.address AS TEXT), CAST(site.destination AS TEXT) FROM ({text}) AS site {}",
        condition(&connection.values(1, 1))
    );
    let rows = connection.rows(&sql, values).await;
    connection.close().await;
    let pair = |cells: Vec<String>| <[String; 2]>::try_from(cells).ok().map(|[key, value]| (folded(&key), value));
    Ok(rows?.into_iter().filter_map(pair).collect())
}

/// What a person's forwarding file sends to; none where there is no such file, or nothing in it.
pub(super) async fn forward_file(template: &str, name: &str) -> Result<Option<(String, Vec<Target>, u32)>, Error> {
    if name.contains(['/', '\0']) || name.starts_with('.') || !is_plain(&format!("{name}@x")) {
        let what = format!("{name:?} can't be part of a file's name, so no forwarding file of theirs was looked for");
        return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
    }
    let path = template.replace("{local}", name);
    let read = blocking({
        let path = Path::new(&path).to_owned();
        move || file::read_theirs(&path, FORWARD_BYTES_MAX)
    });
    match read.await {
        Ok((bytes, user)) => {
            let all = targets(&String::from_utf8_lossy(&bytes));
            Ok((!all.is_empty()).then_some((path, all, user)))
        }
        Err(error) if error.cause == Cause::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// The targets in a file that another names: one of this user's, or of the administrator's.
pub(super) async fn included(path: &str, user: Option<u32>) -> Result<Vec<Target>, Error> {
    let path = Path::new(path).to_owned();
    blocking(move || {
        let bytes = match user {
            None => file::read(&path, FORWARD_BYTES_MAX)?,
            Some(user) => file::read_for(&path, FORWARD_BYTES_MAX, user)?,
        };
        Ok(targets(&String::from_utf8_lossy(&bytes)))
    })
    .await
}

/// What is told of a place that mail goes to. What is no address may be anything, so its words are not shown.
pub(super) fn shown(text: String) -> Destination {
    let is_name = |c: char| c.is_alphanumeric() || "._+-=".contains(c);
    if is_plain(&folded(&text)) || (!text.is_empty() && text.len() <= 64 && text.chars().all(is_name)) {
        Destination::Address(text)
    } else {
        Destination::Unknown("an address that is not plain".to_owned())
    }
}
