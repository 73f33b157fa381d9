//! Who sends a person's mail on: what is told, beside what becomes of a message.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_trait::async_trait;
use conformance::router_suite::RouterWorld;
use conformance::servers::PostfixSiteBuilder;
use connector::router::{Forwarder, ForwarderSink, LocalCopy};
use connector::{Account, Error, OpenDoor, Recipient, Router};
use model::Cause;
use postfix::{Config, MapType, PostfixRouter, SiteMap, Syntax};

use crate::common::{ANN, Form, World, person, text_map};

/// A user that every Debian has.
const USER: &str = "games";
/// Its number.
const GAMES: u32 = 5;

/// A site whose mail is delivered to users of the machine, as `local(8)` does.
fn with_users() -> Option<World> {
    let make = |builder: PostfixSiteBuilder| {
        builder
            .settings(
                "mydestination = users.test\nmail_spool_directory = {base}/mail/box/\nforward_path = {base}/home/$user/.forward\n\
                 alias_maps = hash:{etc}/aliases\nlocal_recipient_maps = unix:passwd.byname $alias_maps\nmyorigin = users.test",
            )
            .map("hash", "aliases", "")
            .file("list", "x@home.test, y@home.test\n")
    };
    let mut world = World::start_with(Form::File(MapType::Hash), make)?;
    for folder in ["mail/box", "home/games"] {
        let path = world.site.config_directory().with_file_name(folder);
        fs::create_dir_all(&path).unwrap();
        if folder == "home/games" {
            std::os::unix::fs::chown(&path, Some(GAMES), Some(60)).unwrap();
        }
        fs::set_permissions(
            &path,
            std::os::unix::fs::PermissionsExt::from_mode(if folder == "mail/box" { 0o1777 } else { 0o755 }),
        )
        .unwrap();
    }
    let home = world.site.config_directory().with_file_name("home");
    world.config.forward_files = vec![format!("{}/{{local}}/.forward", home.display())];
    world.config.maps.push(text_map(Syntax::Aliases, &world.site.path("aliases")));
    Some(world)
}

fn games() -> Recipient {
    Recipient::new(Account::named(USER), "games@users.test")
}

fn told(all: &[Forwarder]) -> Vec<String> {
    let mut lines: Vec<String> = all.iter().map(|f| format!("{} {:?} {:?}", f.to, f.copy, f.owner)).collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_is_what_becomes_of_a_message() {
    let Some(world) = with_users() else { return };
    let base = world.site.config_directory().parent().unwrap().display().to_string();
    let forward = world.site.config_directory().with_file_name("home/games/.forward");
    let x = |copy: &str, owner: &str| vec![format!("x@home.test {copy} {owner}")];
    // What stands in the virtual aliases, in the aliases and in the person's file; then what is told.
    let cases = [
        ("", "", "", vec![]),
        ("", "", "# nothing in it\n", vec![]),
        ("", "", "x@home.test\n", x("NotKept", "Person")),
        ("", "", "\\games, x@home.test", x("Kept", "Person")),
        ("", "", "games, x@home.test\n", x("Kept", "Person")),
        ("", "", "games@users.test\nx@home.test", x("Kept", "Person")),
        ("", "", "{base}/mail/box/games/, x@home.test", x("Kept", "Person")),
        ("", "", "{base}/mail/box/games/", vec![]),
        ("", "", "|/bin/true", vec!["a program Perhaps Person".to_owned()]),
        ("", "", "\"|/bin/true a, b\", \\games", vec!["a program Kept Person".to_owned()]),
        ("", "games: x@home.test\n", "y@home.test", x("NotKept", "Administrator")),
        ("", "games: games, x@home.test\n", "", x("Kept", "Administrator")),
        // Postfix makes nothing of the backslash (`\name` in local(8) is as `name`), and goes on to the person's file.
        (
            "",
            "games: \\games,\n  x@home.test\n",
            "y@home.test",
            vec!["x@home.test NotKept Administrator".to_owned(), "y@home.test NotKept Person".to_owned()],
        ),
        ("", "games: other\nother: x@home.test\n", "", x("NotKept", "Administrator")),
        (
            "",
            "games: :include:{base}/etc/list\n",
            "",
            ["x", "y"].map(|name| format!("{name}@home.test NotKept Administrator")).to_vec(),
        ),
        ("games@users.test x@home.test\n", "games: y@home.test\n", "z@home.test", x("NotKept", "Administrator")),
        ("games@users.test games@users.test x@home.test\n", "", "", x("Kept", "Administrator")),
        ("games x@home.test\n", "", "", x("NotKept", "Administrator")),
        ("@users.test x@home.test\n", "", "", x("NotKept", "Administrator")),
        (
            "games@users.test a@users.test\na@users.test b@site.test\nb@site.test x@home.test\n",
            "",
            "",
            x("NotKept", "Administrator"),
        ),
    ];
    for (virtuals, aliases, own, expected) in cases {
        let placed = |text: &str| text.replace("{base}", &base);
        world.site.write_map("virtual", virtuals);
        let text = placed(aliases);
        world.site.write("aliases", &text);
        compile_aliases(&world);
        if own.is_empty() {
            let _ = fs::remove_file(&forward);
        } else {
            fs::write(&forward, placed(own)).unwrap();
            std::os::unix::fs::chown(&forward, Some(GAMES), Some(60)).unwrap();
        }
        let case = format!("{virtuals:?} {aliases:?} {own:?}");
        let read = world.router().read(&games()).await.unwrap();
        assert_eq!(told(&read.others), expected, "{case}");
        assert_eq!(read.unread, Vec::<String>::new(), "{case}");
        let delivered = world.hand_in("games@users.test", "box");
        let mut sent: Vec<String> =
            read.others.iter().map(|f| f.to.to_string()).filter(|to| to.contains('@')).collect();
        sent.sort();
        assert_eq!(delivered.sent_to, sent, "{case}");
        let keeps = read.others.is_empty() || read.others.iter().any(|f| f.copy == LocalCopy::Kept);
        assert_eq!(!delivered.kept_in.is_empty(), keeps, "{case}: {delivered:?}");
        // None of it matters while ours is on.
        world.router().redirect(&games(), "games@new.test", &OpenDoor).await.unwrap();
        let delivered = world.hand_in("games@users.test", "box");
        assert!(delivered.sent_to == ["games@new.test"] && delivered.kept_in.is_empty(), "{case}: {delivered:?}");
        assert_eq!(told(&world.router().read(&games()).await.unwrap().others), expected, "{case}");
        world.router().release(&games(), &OpenDoor).await.unwrap();
    }
}

fn compile_aliases(world: &World) {
    let new = world.site.path("aliases.new");
    fs::copy(world.site.path("aliases"), &new).unwrap();
    let mut command = std::process::Command::new("postalias");
    command.arg("-c").arg(world.site.config_directory()).arg(format!("hash:{}", new.display()));
    assert!(command.status().unwrap().success());
    fs::rename(world.site.path("aliases.new.db"), world.site.path("aliases.db")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_looked_into_is_named() {
    let Some(world) = with_users() else { return };
    world.site.write("aliases", "games: :include:/no/such/list, x@home.test\n");
    let read = world.router().read(&games()).await.unwrap();
    assert_eq!(told(&read.others), ["a list in a file NotKept Administrator", "x@home.test NotKept Administrator"]);
    assert!(read.unread.len() == 1 && read.unread[0].contains("/no/such/list"), "{:?}", read.unread);
    let mut config = world.config.clone();
    config.maps.push(text_map(Syntax::Virtual, &world.site.path("not-there")));
    config.forward_files = vec![format!("{}/{{local}}", world.site.config_directory().parent().unwrap().display())];
    let who = Recipient::new(Account::named("queue"), "games@users.test");
    let read = PostfixRouter::new(config.clone()).unwrap().read(&who).await.unwrap();
    assert!(read.unread.iter().any(|line| line.contains("not-there")), "{:?}", read.unread);
    // Who may send on in a way that is not known is not redirected without that.
    let error = PostfixRouter::new(config).unwrap().redirect(&who, "a@new.test", &OpenDoor).await.unwrap_err();
    assert!(error.cause == Cause::Unavailable && error.what.contains("not-there"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maps_of_the_site_that_only_postfix_can_read_are_asked() {
    let more = "virtual_alias_maps = hash:{etc}/whimbrel, regexp:{etc}/pattern, inline:{ ann.two@site.test=y@home.test }\n\
                recipient_bcc_maps = hash:{etc}/bcc";
    let make = |builder: PostfixSiteBuilder| {
        builder
            .file("pattern", "/^ann@site\\.test$/ x@home.test\n/^@site/ never@home.test\n")
            .map("hash", "bcc", "@site.test archive@site.test\n")
            .settings(more)
    };
    let Some(mut world) = World::start_with(Form::File(MapType::Hash), make) else { return };
    world.config.maps.clear();
    let read = world.router().read(&person(ANN)).await.unwrap();
    assert_eq!(
        told(&read.others),
        [
            "archive@site.test Kept Administrator",
            "x@home.test NotKept Administrator",
            "y@home.test NotKept Administrator"
        ]
    );
    assert!(read.others[0].place.starts_with("regexp:"), "{:?}", read.others);
    // What Postfix asks can't be listed.
    world.config.forward_files = vec!["/no/such/folder/{local}/.forward".to_owned()];
    let error = PostfixRouter::new(world.config.clone()).unwrap().list(&mut Listed::default()).await.unwrap_err();
    for words in ["pattern", "inline:", "/no/such/folder"] {
        assert!(error.what.contains(words), "{error}");
    }
}

#[derive(Default)]
struct Listed(Vec<String>);

#[async_trait]
impl ForwarderSink for Listed {
    async fn take(&mut self, forwarders: Vec<(String, Forwarder)>) -> Result<(), Error> {
        assert!(forwarders.len() <= 500);
        self.0.extend(forwarders.iter().map(|(whose, f)| format!("{whose}: {} {:?} {:?}", f.to, f.copy, f.owner)));
        Ok(())
    }
}

async fn listed(config: &Config) -> Vec<String> {
    let mut sink = Listed::default();
    PostfixRouter::new(config.clone()).unwrap().list(&mut sink).await.unwrap();
    sink.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_forwarders_of_the_site_are_listed() {
    let Some(world) = with_users() else { return };
    world.site.write("aliases", "root: games\nteam: a@home.test, |/bin/true\n");
    world.site.write("virtual", "old.test anything\na@old.test x@home.test\nb@old.test b@old.test, y@home.test\n");
    let home = world.site.config_directory().with_file_name("home");
    fs::write(home.join("games/.forward"), "\\games, z@home.test").unwrap();
    fs::create_dir(home.join("nobody")).unwrap();
    world.router().redirect(&games(), "games@new.test", &OpenDoor).await.unwrap();
    assert_eq!(
        listed(&world.config).await,
        [
            "a@old.test: x@home.test NotKept Administrator",
            "b@old.test: y@home.test Kept Administrator",
            "root: games NotKept Administrator",
            "team: a@home.test Perhaps Administrator",
            "team: a program Perhaps Administrator",
            "games: z@home.test Kept Person",
        ]
    );
    let many: String = (0..1_200).map(|number| format!("p{number}@old.test q{number}@home.test\n")).collect();
    world.site.write("virtual", &many);
    assert_eq!(listed(&world.config).await.len(), 1_204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maps_in_a_database_are_read_by_a_query() {
    for form in [Form::Postgresql, Form::Sqlite] {
        let Some(mut world) = World::start(form) else { return };
        world.sql("CREATE TABLE alias (mail TEXT, goto TEXT, active INTEGER)");
        if form == Form::Postgresql {
            world.sql("GRANT SELECT ON alias TO whimbrel");
        }
        world.sql(
            "INSERT INTO alias VALUES ('Ann@site.test', 'ann@site.test, x@home.test', 1), ('ann@site.test', 'y@home.test', 1), \
             ('ann@site.test', 'no@home.test', 0), ('c@site.test', 'd@home.test', 1)",
        );
        world.config.maps.push(SiteMap {
            syntax: Syntax::Virtual,
            path: None,
            query: Some("SELECT mail AS address, goto AS destination FROM alias WHERE active = 1;".to_owned()),
            database: postfix::Database::default(),
            map: None,
        });
        let read = world.router().read(&person(ANN)).await.unwrap();
        assert_eq!(
            told(&read.others),
            ["x@home.test Kept Administrator", "y@home.test Kept Administrator"],
            "{form:?}"
        );
        let all = listed(&world.config).await;
        assert!(all.contains(&"c@site.test: d@home.test NotKept Administrator".to_owned()), "{all:?}");
        // A query that would write is run where nothing can be written.
        let query = "SELECT address, destination FROM whimbrel_redirect) x; DELETE FROM alias; --";
        world.config.maps.last_mut().unwrap().query = Some(query.to_owned());
        let read = world.router().read(&person(ANN)).await.unwrap();
        assert_eq!(read.unread.len(), 1, "{form:?}: {:?}", read.unread);
        assert_eq!(world.sql("SELECT mail FROM alias").lines().count(), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_file_shows_nothing_that_they_may_not_read() {
    let Some(world) = with_users() else { return };
    let home = world.site.config_directory().with_file_name("home/games");
    let (secret, forward) = (world.site.path("secret"), home.join(".forward"));
    fs::write(&secret, "secret@word.test\n").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let own = |text: &str| {
        let _ = fs::remove_file(&forward);
        fs::write(&forward, text).unwrap();
        std::os::unix::fs::chown(&forward, Some(GAMES), Some(60)).unwrap();
    };
    let read = async || {
        let read = world.router().read(&games()).await.unwrap();
        assert!(!format!("{read:?}").contains("word.test"), "{read:?}");
        read
    };
    std::os::unix::fs::symlink(&secret, &forward).unwrap();
    assert_eq!(read().await.unread.len(), 1);
    fs::remove_file(&forward).unwrap();
    fs::hard_link(&secret, &forward).unwrap();
    assert_eq!(read().await.unread.len(), 1);
    own(&format!(":include:{}, x@home.test", secret.display()));
    let found = read().await;
    assert_eq!((found.unread.len(), found.others.len()), (1, 2), "{found:?}");
    own("Dear Mrs Jones: your results, $6$salt$word.test");
    let words = format!("{:?}", read().await);
    assert!(!words.contains("$6$") && !words.contains("Jones:"), "{words}");
    // A list that everybody may read is one that they may name.
    own(&format!(":include:{}", world.site.path("list").display()));
    assert_eq!(told(&read().await.others).len(), 2);
}
