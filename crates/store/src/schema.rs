//! The schema and how it is brought forward.
//!
//! Each step stays usable by the program of the step before it, so that workers can be upgraded one by one; a database
//! two or more steps ahead of a program is refused by it.

use crate::sql::{Alone, Durability, values};
use crate::{Error, Store};

/// One step: its number is its place in the list, from 1.
struct Step {
    sqlite: &'static str,
    postgres: &'static str,
}

const STEPS: &[Step] = &[
    Step { sqlite: include_str!("schema/1.sqlite.sql"), postgres: include_str!("schema/1.postgres.sql") },
    Step { sqlite: include_str!("schema/2.sqlite.sql"), postgres: include_str!("schema/2.postgres.sql") },
    Step { sqlite: include_str!("schema/3.sqlite.sql"), postgres: include_str!("schema/3.postgres.sql") },
    Step { sqlite: include_str!("schema/4.sqlite.sql"), postgres: include_str!("schema/4.postgres.sql") },
    Step { sqlite: include_str!("schema/5.sqlite.sql"), postgres: include_str!("schema/5.postgres.sql") },
    Step { sqlite: include_str!("schema/6.sqlite.sql"), postgres: include_str!("schema/6.postgres.sql") },
    Step { sqlite: include_str!("schema/7.sqlite.sql"), postgres: include_str!("schema/7.postgres.sql") },
    Step { sqlite: include_str!("schema/8.sqlite.sql"), postgres: include_str!("schema/8.postgres.sql") },
    Step { sqlite: include_str!("schema/9.sqlite.sql"), postgres: include_str!("schema/9.postgres.sql") },
    Step { sqlite: include_str!("schema/10.sqlite.sql"), postgres: include_str!("schema/10.postgres.sql") },
    Step { sqlite: include_str!("schema/11.sqlite.sql"), postgres: include_str!("schema/11.postgres.sql") },
    Step { sqlite: include_str!("schema/12.sqlite.sql"), postgres: include_str!("schema/12.postgres.sql") },
    Step { sqlite: include_str!("schema/13.sqlite.sql"), postgres: include_str!("schema/13.postgres.sql") },
    Step { sqlite: include_str!("schema/14.sqlite.sql"), postgres: include_str!("schema/14.postgres.sql") },
    Step { sqlite: include_str!("schema/15.sqlite.sql"), postgres: include_str!("schema/15.postgres.sql") },
    Step { sqlite: include_str!("schema/16.sqlite.sql"), postgres: include_str!("schema/16.postgres.sql") },
    Step { sqlite: include_str!("schema/17.sqlite.sql"), postgres: include_str!("schema/17.postgres.sql") },
];

/// How many steps this program knows.
#[cfg(any(test, feature = "suite"))]
pub(crate) const KNOWN: usize = STEPS.len();

/// Makes the schema the one this program knows.
pub(crate) async fn bring_forward(store: &Store) -> Result<(), Error> {
    bring_to(store, STEPS.len()).await
}

/// Makes the schema that of this step, where it is of an earlier one.
pub(crate) async fn bring_to(store: &Store, step: usize) -> Result<(), Error> {
    let known = step as i64;
    let mut tx = store.begin(Durability::Full).await?;
    tx.alone(Alone::Upgrading).await?;
    tx.execute("CREATE TABLE IF NOT EXISTS whimbrel_schema (version BIGINT NOT NULL)", Vec::new()).await?;
    let rows = tx.query("SELECT max(version) FROM whimbrel_schema", Vec::new()).await?;
    let found = rows[0].int(0);
    if found > known + 1 {
        return Err(Error::Newer { found, known });
    }
    if found >= known {
        return Ok(());
    }
    for (index, step) in STEPS.iter().enumerate().take(step).skip(found as usize) {
        tx.script(if tx.is_postgres() { step.postgres } else { step.sqlite }).await?;
        tx.execute("INSERT INTO whimbrel_schema (version) VALUES ($1)", values![index as i64 + 1]).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_database_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/w.db", folder.path().display());
        let store = Store::open(&url).await.unwrap();
        let mut tx = store.begin(Durability::Full).await.unwrap();
        tx.execute("INSERT INTO whimbrel_schema (version) VALUES ($1)", values![STEPS.len() as i64 + 2]).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        assert!(matches!(Store::open(&url).await, Err(Error::Newer { .. })));
    }

    #[tokio::test]
    async fn one_step_ahead_is_still_served() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/w.db", folder.path().display());
        let store = Store::open(&url).await.unwrap();
        let mut tx = store.begin(Durability::Full).await.unwrap();
        tx.execute("INSERT INTO whimbrel_schema (version) VALUES ($1)", values![STEPS.len() as i64 + 1]).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        assert!(Store::open(&url).await.is_ok());
    }

    /// Two programs started at once on a new project.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_may_open_a_new_database_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}/w.db", folder.path().display());
            let mut opening = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let url = url.clone();
                opening.spawn(async move { Store::open(&url).await.map(|_| ()) });
            }
            for opened in opening.join_all().await {
                opened.unwrap();
            }
        }
    }
}
