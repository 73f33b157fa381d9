//! The suite of accesses on a real Dovecot, and what else a site does with its file.

#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use conformance::access_suite::{AccessWorld, is_let_in};
use conformance::post::hand_in;
use conformance::servers::Dovecot;
use conformance::talk::Talk;
use connector::{Access, Account, OpenDoor, Recipient};
use dovecot::{Config, DovecotAccess};
use model::Cause;

const PASSWORD: &str = "first";
const PEOPLE: [&str; 2] = ["ann@site.test", "ben@site.test"];
const MIGRATOR: &str = "migrator";

struct World {
    server: Dovecot,
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl World {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        // Dovecot's own user looks into it.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = folder.path().join("closed");
        let server = Dovecot::builder()
            .users(PEOPLE.map(|name| (name, PASSWORD)))
            .master(MIGRATOR, PASSWORD)
            .denies_by(&path)
            .sieve(1)
            .start()?;
        std::fs::write(&path, "# whom we deny\nmallory\n").unwrap();
        Some(Self { server, _folder: folder, path })
    }

    fn config(&self) -> Config {
        Config::new(&self.path)
    }

    fn may_log_in(&self, name: &str) -> bool {
        Talk::connect(self.server.port()).command(&format!("LOGIN \"{name}\" \"{PASSWORD}\"")).is_ok()
    }
}

#[async_trait]
impl AccessWorld for World {
    fn access(&self) -> Arc<dyn Access> {
        Arc::new(DovecotAccess::new(self.config()).unwrap())
    }

    fn people(&self) -> [Recipient; 2] {
        PEOPLE.map(|name| Recipient::new(Account::named(name), name))
    }

    async fn dump(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    async fn close_by_site(&self, who: &Recipient, is_closed: bool) {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let name = &who.account.name;
        let text = if is_closed { format!("{text}{name}\n") } else { text.replace(&format!("{name}\n"), "") };
        // As an editor does, within a second of what was there before.
        std::fs::write(&self.path, text).unwrap();
    }

    async fn lets_in(&self, who: &Recipient) -> Option<bool> {
        Some(self.may_log_in(&who.account.name))
    }
}

conformance::access_suite!(World::start());

/// The person is out, whoever migrates gets in, and mail is delivered as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_user_gets_in_and_mail_is_delivered() {
    let Some(world) = World::start() else { return };
    let [ann, ben] = world.people();
    world.access().close(&ann, &OpenDoor).await.unwrap();
    is_let_in(&world, &ann, false).await;
    is_let_in(&world, &ben, true).await;
    hand_in(world.server.lmtp_port(), "x@outside.test", PEOPLE[0], "Subject: late\r\n\r\nlate\r\n");
    let mut talk = Talk::connect(world.server.port());
    assert!(talk.command(&format!("LOGIN \"{}*{MIGRATOR}\" \"{PASSWORD}\"", PEOPLE[0])).is_ok());
    assert!(talk.ok("SELECT INBOX").text().contains("1 EXISTS"));
    // With a wrong password it is refused as ever.
    let mut talk = Talk::connect(world.server.port());
    assert!(!talk.command(&format!("LOGIN \"{}*{MIGRATOR}\" \"wrong\"", PEOPLE[0])).is_ok());
}

/// Many changes within a second: Dovecot goes by the last of them, though the file has the size that it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_within_a_second_are_seen_each() {
    let Some(world) = World::start() else { return };
    let [ann, ben] = world.people();
    let access = world.access();
    access.close(&ann, &OpenDoor).await.unwrap();
    for _ in 0..5 {
        // The file has the same size each time.
        access.open(&ann, &OpenDoor).await.unwrap();
        access.close(&ben, &OpenDoor).await.unwrap();
        is_let_in(&world, &ann, true).await;
        is_let_in(&world, &ben, false).await;
        access.open(&ben, &OpenDoor).await.unwrap();
        access.close(&ann, &OpenDoor).await.unwrap();
        is_let_in(&world, &ann, false).await;
        is_let_in(&world, &ben, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_people_are_closed_out_at_once_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("closed");
    std::fs::write(&path, "").unwrap();
    let mut closing = tokio::task::JoinSet::new();
    for number in 0..20 {
        let access = DovecotAccess::new(Config::new(&path)).unwrap();
        closing.spawn(async move {
            let name = format!("p{number}@site.test");
            access.close(&Recipient::new(Account::named(&name), &name), &OpenDoor).await.map(|_| ())
        });
    }
    for closed in closing.join_all().await {
        closed.unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 20);
}

/// A file that is missing, or a link, is refused with what to do; nothing is made in its place.
#[tokio::test]
async fn a_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("closed");
    let who = Recipient::new(Account::named("ann"), "ann@site.test");
    let access = DovecotAccess::new(Config::new(&path)).unwrap();
    let error = access.close(&who, &OpenDoor).await.unwrap_err();
    assert!(error.cause == Cause::Missing && error.what.contains("make it"), "{error}");
    assert!(access.read(&who).await.is_err() && access.check(None).await[0].wrong.is_some());
    std::fs::write(folder.path().join("other"), "").unwrap();
    std::os::unix::fs::symlink(folder.path().join("other"), &path).unwrap();
    assert_eq!(access.close(&who, &OpenDoor).await.unwrap_err().cause, Cause::Unsupported);
}

/// Programs are run after a change, and when it was made before and they may not have been.
#[tokio::test]
async fn programs_follow_every_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("closed");
    std::fs::write(&path, "").unwrap();
    let mut config = Config::new(&path);
    let log = folder.path().join("log").display().to_string();
    config.after = vec![
        vec![
            "sh".to_owned(),
            "-c".to_owned(),
            "echo \"$1\" >> \"$2\"".to_owned(),
            "x".to_owned(),
            "{name}".to_owned(),
            log.clone(),
        ],
        vec!["false".to_owned()],
    ];
    let access = DovecotAccess::new(config).unwrap();
    let who = Recipient::new(Account::named("Ann@site.test"), "ann@site.test");
    for changed in [true, false] {
        let closed = access.close(&who, &OpenDoor).await.unwrap();
        assert_eq!((closed.changed, closed.notes.len()), (changed, 1), "{closed:?}");
    }
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "ann@site.test\nann@site.test\n");
}
