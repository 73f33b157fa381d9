//! Tables in files: whatever may be in their place, whoever else writes them, and wherever a call fails.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use conformance::router_suite::RouterWorld;
use connector::{Account, Door, Effect, Error, OpenDoor, Recipient, Retry, Router};
use model::Cause;
use postfix::{Config, FileTable, MapType, PostfixRouter, Table};

use crate::common::{ANN, BOB, FOREIGN, Form, NEW, World, person};

/// A table in a folder of its own that nothing but a command reads.
struct Bare {
    folder: tempfile::TempDir,
    config: Config,
}

impl Bare {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        std::fs::write(&path, text).unwrap();
        let mut table = FileTable::new(path, MapType::Texthash);
        table.reload = vec!["true".to_owned()];
        Self { folder, config: Config::new(Table::File(table)) }
    }

    fn table(&mut self) -> &mut FileTable {
        let Table::File(table) = &mut self.config.table else { panic!() };
        table
    }

    fn router(&self) -> PostfixRouter {
        PostfixRouter::new(self.config.clone()).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(std::fs::read(self.folder.path().join("table")).unwrap()).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    async fn redirect(&self) -> Result<bool, Error> {
        self.router().redirect(&person(ANN), NEW, &OpenDoor).await.map(|rerouted| rerouted.changed)
    }
}

#[tokio::test]
async fn texts_of_every_kind_stay_as_they_are() {
    for text in
        ["", "# c", "a@b c@d\r\n\r\n# end\r\n", FOREIGN, "\n\n\n", "a@b c@d\n  e@f\n", "ANN.OTHER@site.test x@y"]
    {
        let bare = Bare::new(text);
        assert!(bare.redirect().await.unwrap());
        assert!(bare.text().ends_with(text), "{text:?}");
        assert!(bare.router().release(&person(ANN), &OpenDoor).await.unwrap().changed);
        assert_eq!(bare.text(), text);
        assert_eq!(bare.files(), ["table", "table.lock"]);
    }
}

#[tokio::test]
async fn what_has_our_keys_and_is_not_ours_is_never_overwritten() {
    for text in [
        "ann@site.test x@home.test\n",
        "ANN.two@Site.test ann@new.test\n",
        "ann@site.test ann@new.test (whimbrel: bob@site.test)\n",
        "ann@site.test ann@new.test (other: ann@site.test)\n",
        "ann@site.test ann@new.test, x@y (whimbrel: ann@site.test)\n",
        "ann@site.test ann@new.test (whimbrel: ann@site.test)\n  x@y\n",
    ] {
        let bare = Bare::new(text);
        let error = bare.redirect().await.unwrap_err();
        assert!(error.cause == Cause::Refused && error.what.contains("line 1"), "{text:?}: {error}");
        assert_eq!(bare.text(), text);
        assert_eq!(bare.router().read(&person(ANN)).await.unwrap().redirected_to(), None);
    }
    let bare = Bare::new("ann@site.test x@home.test\n");
    let released = bare.router().release(&person(ANN), &OpenDoor).await.unwrap();
    assert!(!released.changed && released.notes[0].contains("not ours"), "{released:?}");
    let others = bare.router().read(&person(ANN)).await.unwrap().others;
    assert_eq!(others[0].to.to_string(), "x@home.test");
}

#[tokio::test]
async fn ours_are_taken_off_wherever_somebody_has_put_them() {
    let bare = Bare::new(FOREIGN);
    bare.redirect().await.unwrap();
    let lines: Vec<String> = bare.text().split_inclusive('\n').map(str::to_owned).collect();
    // Sorted, copied, and an address that is theirs no more.
    let moved = format!("{}\n# {}{}ann.old@site.test {}", lines[2..].concat(), lines[0], lines[1], &lines[0][14..]);
    std::fs::write(bare.folder.path().join("table"), &moved).unwrap();
    let read = bare.router().read(&person(ANN)).await.unwrap();
    let ours = read.ours.unwrap();
    assert!(ours.ineffective.as_ref().unwrap().contains("only at ann.two@site.test, not at ann@site.test"), "{ours:?}");
    assert!(bare.redirect().await.unwrap());
    assert_eq!(bare.router().read(&person(ANN)).await.unwrap().redirected_to(), Some(NEW));
    assert_eq!(bare.router().redirect(&person(ANN), "a@b.test", &OpenDoor).await.unwrap().notes, Vec::<String>::new());
    assert_eq!(
        bare.text().matches(" a@b.test (whimbrel").count(),
        2,
        "what may be another's by now is gone: {}",
        bare.text()
    );
    bare.router().release(&person(ANN), &OpenDoor).await.unwrap();
    let commented = format!("{}\n# {}", lines[2..].concat(), lines[0]);
    assert_eq!(bare.text(), commented, "what is a comment is nobody's");
}

#[tokio::test]
async fn what_is_no_table_is_refused() {
    let mut bare = Bare::new("");
    let path = bare.folder.path().to_owned();
    let make = |name: &str, at: &Path| match name {
        "link" => symlink(path.join("table"), at).unwrap(),
        "hard" => std::fs::hard_link(path.join("table"), at).unwrap(),
        "folder" => std::fs::create_dir(at).unwrap(),
        "pipe" => assert!(Command::new("mkfifo").arg(at).status().unwrap().success()),
        _ => symlink("/no/such/file", at).unwrap(),
    };
    for name in ["link", "hard", "folder", "pipe", "dangling"] {
        let at = path.join(name);
        make(name, &at);
        bare.table().path = at;
        for error in [bare.redirect().await.unwrap_err(), bare.router().read(&person(ANN)).await.unwrap_err()] {
            assert_eq!(error.cause, Cause::Unsupported, "{name}: {error}");
        }
        assert_eq!(bare.router().check(None).await.last().unwrap().wrong, Some(Cause::Unsupported), "{name}");
    }
    bare.table().path = path.join("missing");
    let error = bare.redirect().await.unwrap_err();
    assert!(error.cause == Cause::Missing && error.what.contains("touch"), "{error}");
    let huge = path.join("huge");
    std::fs::File::create(&huge).unwrap().set_len(65 * 1024 * 1024).unwrap();
    bare.table().path = huge;
    assert_eq!(bare.redirect().await.unwrap_err().cause, Cause::TooLarge);
}

#[tokio::test]
async fn a_text_that_begins_inside_an_entry_is_not_written_to() {
    let bare = Bare::new("# c\n  x@y\nb@c d@e\n");
    let error = bare.redirect().await.unwrap_err();
    assert!(error.cause == Cause::Refused && error.what.contains("blank"), "{error}");
    assert_eq!(bare.text(), "# c\n  x@y\nb@c d@e\n");
}

#[tokio::test]
async fn owner_and_mode_stay() {
    let bare = Bare::new("");
    let path = bare.folder.path().join("table");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    // Only root gives files away.
    let gives = std::os::unix::fs::chown(&path, Some(8), Some(12)).is_ok();
    bare.redirect().await.unwrap();
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(after.mode() & 0o7777, 0o640);
    assert!(!gives || (after.uid(), after.gid()) == (8, 12));
}

/// Does something at the effect of this number, right before it.
struct Meddling<F: Fn() + Send + Sync> {
    at: usize,
    meddle: F,
    count: Mutex<usize>,
}

impl<F: Fn() + Send + Sync> Door for Meddling<F> {
    fn before(&self, _: Effect) -> Result<(), Error> {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        if *count == self.at {
            (self.meddle)();
        }
        Ok(())
    }

    fn after(&self, _: Effect) {}
}

#[tokio::test]
async fn what_somebody_else_writes_in_between_stays() {
    let bare = Bare::new("a@b c@d\n");
    let path = bare.folder.path().join("table");
    // The second effect is the rename of the text.
    let meddle = || std::fs::write(&path, "a@b c@d\nnew@b c@d\n").unwrap();
    let door = Meddling { at: 2, meddle, count: Mutex::new(0) };
    let error = bare.router().redirect(&person(ANN), NEW, &door).await.unwrap_err();
    assert!(error.cause == Cause::InDoubt && error.retry == Retry::Now, "{error}");
    assert_eq!(bare.text(), "a@b c@d\nnew@b c@d\n");
    assert_eq!(bare.router().read(&person(ANN)).await.unwrap().ours, None);
    assert!(bare.redirect().await.unwrap());
    assert!(bare.text().ends_with("a@b c@d\nnew@b c@d\n"));
    assert_eq!(bare.files(), ["table", "table.lock"]);
}

#[tokio::test]
async fn a_command_that_fails_is_in_doubt_and_the_same_again_settles_it() {
    let mut bare = Bare::new(FOREIGN);
    let fail =
        |bare: &mut Bare| bare.table().reload = ["sh", "-c", "echo secret >&2; exit 3"].map(str::to_owned).to_vec();
    let work = |bare: &mut Bare| bare.table().reload = vec!["true".to_owned()];
    fail(&mut bare);
    let error = bare.redirect().await.unwrap_err();
    assert!(error.cause == Cause::InDoubt && !error.to_string().contains("secret"), "{error}");
    let ours = bare.router().read(&person(ANN)).await.unwrap().ours.unwrap();
    assert!(ours.ineffective.unwrap().contains("has not been told"));
    // Somebody else's call tells Postfix of it as well.
    work(&mut bare);
    bare.router().redirect(&person(BOB), "bob@new.test", &OpenDoor).await.unwrap();
    assert_eq!(bare.router().read(&person(ANN)).await.unwrap().redirected_to(), Some(NEW));
    assert!(!bare.redirect().await.unwrap());
    fail(&mut bare);
    assert_eq!(bare.router().release(&person(ANN), &OpenDoor).await.unwrap_err().cause, Cause::InDoubt);
    let read = bare.router().read(&person(ANN)).await.unwrap();
    assert_eq!(read.redirected_to(), Some(NEW), "Postfix may still go by it");
    assert!(!bare.text().contains("ann@"));
    work(&mut bare);
    assert!(bare.router().release(&person(ANN), &OpenDoor).await.unwrap().changed);
    assert_eq!(bare.router().read(&person(ANN)).await.unwrap().ours, None);
    bare.table().reload = vec!["sleep".to_owned(), "600".to_owned()];
    bare.config.command_wait_max = Duration::from_millis(50);
    let error = bare.redirect().await.unwrap_err();
    assert!(error.cause == Cause::InDoubt && error.what.contains("did not end"), "{error}");
}

#[tokio::test]
async fn whoever_has_the_lock_is_waited_for() {
    let mut bare = Bare::new("");
    bare.config.lock_wait_max = Duration::from_millis(100);
    let lock = std::fs::File::create(bare.folder.path().join("table.lock")).unwrap();
    lock.lock().unwrap();
    let error = bare.redirect().await.unwrap_err();
    assert!(error.cause == Cause::Unavailable && error.what.contains("locked"), "{error}");
    assert_eq!(bare.router().read(&person(ANN)).await.unwrap().ours, None, "who only reads needs no lock");
    drop(lock);
    // What a process that was killed has left is removed.
    std::fs::write(bare.folder.path().join(".table.whimbrel-x"), "half").unwrap();
    assert!(bare.redirect().await.unwrap());
    assert_eq!(bare.files(), ["table", "table.lock"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_at_once_lose_nothing() {
    let bare = Bare::new(FOREIGN);
    let somebody = |number: usize| {
        let address = format!("p{number}@site.test");
        Recipient::new(Account::named(&address), address)
    };
    let mut tasks = Vec::new();
    for number in 0..40 {
        // Routers of their own, as in processes of their own.
        let router = bare.router();
        tasks.push(tokio::spawn(async move {
            router.redirect(&somebody(number), &format!("p{number}@new.test"), &OpenDoor).await.unwrap();
            if number % 2 == 0 {
                router.release(&somebody(number), &OpenDoor).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let text = bare.text();
    assert!(text.ends_with(FOREIGN));
    for number in 0..40 {
        let line = format!("p{number}@site.test p{number}@new.test (whimbrel: p{number}@site.test)\n");
        assert_eq!(text.contains(&line), number % 2 == 1, "{number}");
    }
    assert_eq!(bare.files(), ["table", "table.lock"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_at_once_compile_what_all_of_them_wrote() {
    let Some(world) = World::start(Form::File(MapType::Hash)) else { return };
    let mut config = world.config.clone();
    // So that nobody is asked whether the site knows them.
    config.config_directory = None;
    let address = |number: usize| format!("p{number}@site.test");
    let mut tasks = Vec::new();
    for number in 0..12 {
        let router = PostfixRouter::new(config.clone()).unwrap();
        let who = Recipient::new(Account::named(address(number)), address(number));
        tasks.push(tokio::spawn(async move {
            router.redirect(&who, &format!("p{number}@new.test"), &OpenDoor).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for number in [0, 5, 11] {
        assert_eq!(world.hand_in(&address(number), "none").sent_to, [format!("p{number}@new.test")]);
    }
    let map = world.config.map_name().unwrap();
    assert_eq!(world.site.postmap(&["-s", &map]).matches("@new.test (whimbrel: p").count(), 12);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_to_changes_nothing() {
    let bare = Bare::new("");
    let path = bare.folder.path().to_owned();
    // Root may write anywhere but where nobody may.
    let set =
        |sign: &str| Command::new("chattr").arg(format!("{sign}i")).arg(&path).status().is_ok_and(|s| s.success());
    if !set("+") {
        eprintln!("this file system has no folders that nobody may write to");
        return;
    }
    let (error, read) = (bare.redirect().await.unwrap_err(), bare.router().read(&person(ANN)).await);
    let check = bare.router().check(None).await;
    set("-");
    assert_eq!(error.cause, Cause::Permission, "{error}");
    assert_eq!(read.unwrap().ours, None);
    assert_eq!(check.last().unwrap().wrong, Some(Cause::Permission), "{check:?}");
    assert_eq!(bare.files(), ["table"]);
}

#[tokio::test]
async fn a_full_disk_changes_nothing() {
    let mut bare = Bare::new("");
    let disk = bare.folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("no small disk can be had here");
        return;
    }
    let table = disk.join("table");
    let text = "a@b c@d\n".repeat(1_000);
    std::fs::write(&table, &text).unwrap();
    bare.table().path.clone_from(&table);
    let error = bare.redirect().await.unwrap_err();
    let after = std::fs::read_to_string(&table).unwrap();
    let files = std::fs::read_dir(&disk).unwrap().count();
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    assert_eq!(error.cause, Cause::OverQuota, "{error}");
    assert!(after == text && files == 2, "the table and its lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_that_can_not_be_compiled_changes_nothing() {
    let Some(world) = World::start(Form::File(MapType::Hash)) else { return };
    let dumped = world.dump(&person(ANN)).await;
    let mut config = world.config.clone();
    // It answers, and compiles nothing.
    let script = "case \"$*\" in *-q*) exec postmap \"$@\";; *) echo 'postmap: fatal: no' >&2; exit 1;; esac";
    config.programs.postmap = ["sh", "-c", script, "postmap"].map(str::to_owned).to_vec();
    let error = PostfixRouter::new(config).unwrap().redirect(&person(ANN), NEW, &OpenDoor).await.unwrap_err();
    assert_eq!(error.cause, Cause::Unavailable, "{error}");
    assert_eq!(world.dump(&person(ANN)).await, dumped);
    // A text that was written and never compiled is not in force, and the same call compiles it.
    let text = std::fs::read_to_string(world.table()).unwrap();
    let ours = [ANN, "ann.two@site.test"].map(|address| format!("{address} {NEW} (whimbrel: {ANN})\n")).concat();
    std::fs::write(world.table(), format!("{ours}{text}")).unwrap();
    let read = world.router().read(&person(ANN)).await.unwrap();
    assert!(read.ours.unwrap().ineffective.unwrap().contains("not compiled"));
    assert!(world.router().redirect(&person(ANN), NEW, &OpenDoor).await.unwrap().changed);
    assert_eq!(world.hand_in("ann.two@site.test", "ann").sent_to, [NEW]);
    // One that was taken out and never compiled still is.
    std::fs::write(world.table(), &text).unwrap();
    assert_eq!(world.router().read(&person(ANN)).await.unwrap().redirected_to(), Some(NEW));
    assert!(world.router().release(&person(ANN), &OpenDoor).await.unwrap().changed);
    assert_eq!(world.dump(&person(ANN)).await, dumped);
}
