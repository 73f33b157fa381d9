//! Tables in databases: whose rows are whose, what is missing, and a connection that breaks.
#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::router_suite::RouterWorld;
use conformance::servers::Postgres;
use connector::{Door, Effect, Error, OpenDoor, Router, Secret};
use model::Cause;
use postfix::{Config, PostfixRouter, SqlTable, Table, Tls};

use crate::common::{ANN, Form, NEW, World, person};

async fn error_of(config: &Config) -> Error {
    PostfixRouter::new(config.clone()).unwrap().redirect(&person(ANN), NEW, &OpenDoor).await.unwrap_err()
}

fn sql_table(config: &mut Config) -> &mut SqlTable {
    match &mut config.table {
        Table::Postgresql(table) | Table::Sqlite(table) => table,
        Table::File(_) => panic!(),
    }
}

async fn rows_of_others_are_left_alone(world: World) {
    let insert = |address: &str, origin: &str| {
        world.sql("DELETE FROM whimbrel_redirect");
        world.sql(&format!("INSERT INTO whimbrel_redirect VALUES ('{address}', '{NEW}', '{origin}')"));
    };
    for (address, origin) in [
        ("ann@site.test", "hand"),
        ("ANN.two@site.test", ""),
        ("ann@site.test", "whimbrel:bob@site.test"),
        ("ann@site.test", "whimbrel"),
    ] {
        insert(address, origin);
        let dumped = world.dumped();
        assert_eq!(error_of(&world.config).await.cause, Cause::Refused, "{address} {origin}");
        let released = world.router().release(&person(ANN), &OpenDoor).await.unwrap();
        assert!(!released.changed && released.notes.len() == 1, "{released:?}");
        assert_eq!(world.router().read(&person(ANN)).await.unwrap().ours, None);
        assert_eq!(world.dumped(), dumped);
    }
    // Ours in part, and at an address that is theirs no more.
    insert("ann.old@site.test", "whimbrel:ann@site.test");
    let ours = world.router().read(&person(ANN)).await.unwrap().ours.unwrap();
    assert!(ours.to == NEW && ours.ineffective.unwrap().contains("not at ann@site.test"));
    assert!(world.router().redirect(&person(ANN), NEW, &OpenDoor).await.unwrap().changed);
    assert_eq!(world.router().read(&person(ANN)).await.unwrap().redirected_to(), Some(NEW));
    let addresses = world.sql("SELECT address FROM whimbrel_redirect ORDER BY 1");
    assert!(
        addresses.lines().count() == 2 && !addresses.contains("old"),
        "it may be somebody else's by now: {addresses}"
    );
    assert!(world.router().release(&person(ANN), &OpenDoor).await.unwrap().changed);
    assert_eq!(world.dumped().trim(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_others_in_postgresql() {
    let Some(world) = World::start(Form::Postgresql) else { return };
    rows_of_others_are_left_alone(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_others_in_sqlite() {
    let Some(world) = World::start(Form::Sqlite) else { return };
    rows_of_others_are_left_alone(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_not_as_it_must_be_is_named() {
    for form in [Form::Postgresql, Form::Sqlite] {
        let Some(world) = World::start(form) else { return };
        let wrong = async |change: &dyn Fn(&mut SqlTable), words: &str| {
            let mut config = world.config.clone();
            change(sql_table(&mut config));
            let error = error_of(&config).await;
            assert!(error.to_string().contains(words), "{form:?}: {error}");
            let check = PostfixRouter::new(config).unwrap().check(None).await;
            assert_eq!(check.last().unwrap().wrong, Some(error.cause), "{check:?}");
            error.cause
        };
        assert_eq!(wrong(&|t| t.table = "no_table".into(), "docs/routing.md").await, Cause::Missing);
        assert_eq!(wrong(&|t| t.origin_column = "no_column".into(), "docs/routing.md").await, Cause::Missing);
        world.sql("CREATE TABLE loose (address TEXT, destination TEXT, origin TEXT)");
        if form == Form::Postgresql {
            world.sql("ALTER TABLE loose OWNER TO whimbrel");
        }
        assert_eq!(wrong(&|t| t.table = "loose".into(), "primary key").await, Cause::Unsupported);
        // Postfix reads another table than we write.
        world.sql("CREATE TABLE other (address TEXT PRIMARY KEY, destination TEXT, origin TEXT)");
        if form == Form::Postgresql {
            assert_eq!(wrong(&|t| t.table = "other".into(), "permission denied").await, Cause::Permission);
            world.sql("ALTER TABLE other OWNER TO whimbrel");
        }
        let mut config = world.config.clone();
        sql_table(&mut config).table = "other".into();
        let error = error_of(&config).await;
        assert!(error.cause == Cause::InDoubt && error.what.contains("Postfix does not find it"), "{error}");
        let router = PostfixRouter::new(config).unwrap();
        assert_eq!(router.read(&person(ANN)).await.unwrap().redirected_to(), None);
        assert!(router.release(&person(ANN), &OpenDoor).await.unwrap().changed);
    }
}

/// Ends all connections of ours to the database right before the words that commit leave.
struct Breaking<'w>(&'w World);

impl Door for Breaking<'_> {
    fn before(&self, _: Effect) -> Result<(), Error> {
        self.0.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'whimbrel'");
        Ok(())
    }

    fn after(&self, _: Effect) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_in_doubt_and_the_same_again_settles_it() {
    let Some(world) = World::start(Form::Postgresql) else { return };
    let (router, ann) = (world.router(), person(ANN));
    let error = router.redirect(&ann, NEW, &Breaking(&world)).await.unwrap_err();
    assert_eq!(error.cause, Cause::InDoubt, "{error}");
    assert_eq!(router.read(&ann).await.unwrap().ours, None);
    assert!(router.redirect(&ann, NEW, &OpenDoor).await.unwrap().changed);
    let error = router.release(&ann, &Breaking(&world)).await.unwrap_err();
    assert_eq!(error.cause, Cause::InDoubt, "{error}");
    assert_eq!(router.read(&ann).await.unwrap().redirected_to(), Some(NEW));
    assert!(router.release(&ann, &OpenDoor).await.unwrap().changed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_reached_in_private_unless_told_otherwise() {
    let Some(server) = Postgres::shared() else { return };
    let address = server.fresh_database().replace("whimbrel@", "whimbrel:secret-word@");
    let mut table = SqlTable::new(Secret::new(address));
    assert_eq!(table.database.tls, Tls::Verified);
    let error = error_of(&Config::new(Table::Postgresql(table.clone()))).await;
    assert!(error.cause == Cause::Tls && !error.to_string().contains("secret-word"), "{error}");
    table.database.address = Some(Secret::new("postgres://whimbrel:secret-word@127.0.0.1:1/x"));
    table.database.tls = Tls::Off;
    let error = error_of(&Config::new(Table::Postgresql(table))).await;
    assert!(error.cause == Cause::Connection && !error.to_string().contains("secret-word"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_sqlite_that_postfix_may_not_be_able_to_read_is_named() {
    let Some(world) = World::start(Form::Sqlite) else { return };
    world.sql("PRAGMA journal_mode = WAL");
    let check = world.router().check(None).await;
    assert!(check.last().unwrap().sentence.contains("journal_mode"), "{check:?}");
}
