//! The service: projects kept in step by themselves, by one process and by many.

use std::{
    fs,
    io::Write as _,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use conformance::{
    proxy::{Direction, Proxy, Shape},
    servers::{Format, Postgres},
};
use journeys::{
    judge::Judge,
    mail::{Folder, Message, numbered, small},
    project::{Endpoint, Project, Run, program},
    service::{Process, until},
    store::{MIGRATOR, PASSWORD, Store},
};

/// Short, so that what comes by itself comes while somebody waits for it.
const SHORT: &str = "service = { cycle_seconds = 1, turn_seconds = 1, parked_retry_seconds = 2 }";
const PEOPLE: [&str; 4] = ["ann", "bob", "cyd", "dan"];

/// The line of `whimbrel.toml` for each kind of database.
fn databases() -> Vec<String> {
    let mut databases = vec!["database = \"sqlite:whimbrel.db\"".to_owned()];
    databases.extend(Postgres::shared().map(|server| format!("database = {:?}", server.fresh_database())));
    databases
}

/// Two servers with these people, who have mail on the first.
fn two_servers(people: &[&str]) -> Option<(Store, Store)> {
    let source = Store::dovecot(Format::Maildir, people)?;
    for name in people {
        source.fill(name, &small(name));
    }
    Some((source, Store::dovecot(Format::Mdbox, people)?))
}

fn project(source: Endpoint, target: Endpoint, people: &[&str], database: &str) -> Project {
    let project = Project::new(source, target).with(database).with(SHORT).with("limits = { lease_seconds = 4 }");
    people.iter().fold(project, |project, name| project.person(name))
}

fn is_equal(source: &Store, target: &Store, people: &[&str]) -> bool {
    let judge =
        people.iter().fold(Judge::new(), |judge, name| judge.person(name, source.side(name), target.side(name)));
    judge.compare().expect("Python is here").is_equal()
}

fn deliver(store: &Store, person: &str, number: usize) {
    let message = numbered(number);
    assert!(store.talk(person).append("INBOX", "", &message.bytes).is_ok());
}

#[test]
fn people_are_kept_in_step_without_a_command() {
    for database in databases() {
        let Some((source, target)) = two_servers(&PEOPLE) else { return };
        let project = project(source.endpoint(), target.endpoint(), &PEOPLE, &database);
        let mut service = Process::serve(&project, &[]);
        until("all are in step", || project.is_in_step());
        assert!(is_equal(&source, &target, &PEOPLE), "{}", service.log());
        // What people do at the source arrives by itself.
        deliver(&source, "ann", 1);
        source.talk("bob").ok("SELECT INBOX");
        let mut bob = source.talk("bob");
        bob.ok("SELECT INBOX");
        bob.ok("STORE 1 +FLAGS (\\Flagged)");
        let mut cyd = source.talk("cyd");
        cyd.ok("SELECT INBOX");
        cyd.ok("STORE 1 +FLAGS (\\Deleted)");
        cyd.ok("EXPUNGE");
        until("the changes arrive", || is_equal(&source, &target, &PEOPLE));
        let stopped = service.stop();
        assert_eq!(stopped.code, 0, "{stopped:?}");
        // Nothing is held by a process that ended, and the command finds nothing left to do.
        let (code, synced) = project.json(&["sync"]);
        assert_eq!((code, &synced["copied"], &synced["failed"]), (0, &0.into(), &0.into()), "{synced:#}");
        let (_, processes) = project.json(&["processes"]);
        assert_eq!(processes["processes"].as_array().map(Vec::len), Some(0), "{processes:#}");
        for secret in [PASSWORD, "Subject"] {
            assert!(!stopped.err.contains(secret), "{stopped:?}");
        }
    }
}

#[test]
fn a_change_arrives_at_once_where_the_server_tells_of_it() {
    let Some((source, target)) = two_servers(&["ann"]) else { return };
    let hours = "service = { cycle_seconds = 36000 }";
    for watches in [true, false] {
        let max = format!("watch_connections_max = {}", if watches { 4 } else { 0 });
        let from = Endpoint::imap(source.port()).with(&max).login(MIGRATOR, PASSWORD, "authzid");
        let project = Project::new(from, target.endpoint()).with(hours).person("ann");
        let service = Process::serve(&project, &[]);
        until("all are in step", || project.is_in_step());
        if watches {
            // It is watched from a few seconds after it is in step on; its cycle is hours away.
            for number in 1..4 {
                deliver(&source, "ann", number);
                source.talk("ann").ok(&format!("CREATE Made{number}"));
                until("the change arrives", || is_equal(&source, &target, &["ann"]));
            }
        } else {
            deliver(&source, "ann", 9);
            std::thread::sleep(Duration::from_secs(20));
            assert!(!is_equal(&source, &target, &["ann"]), "nobody waits there: {}", service.log());
        }
    }
}

#[test]
fn workers_are_told_a_database_and_a_key_and_nothing_else() {
    let Some(server) = Postgres::shared() else { return };
    let Some((source, target)) = two_servers(&PEOPLE) else { return };
    let url = server.fresh_database();
    let project = project(source.endpoint(), target.endpoint(), &PEOPLE, &format!("database = {url:?}"));
    // It answers for the project and leaves the work to others.
    let mut service = Process::serve(&project, &["--at-once", "0"]);
    until("the key is made", || project.service_key().exists());
    let other_key = project.path().join("other.key");
    fs::write(&other_key, [7; 32]).unwrap();
    fs::set_permissions(&other_key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let stranger = Process::worker(&url, &other_key, &[]);
    until("the stranger says that it can't", || stranger.log().contains("sealed with another key"));
    assert!(project.standing().iter().all(|(_, phase, ..)| phase == "planned"), "{}", stranger.log());
    let mut workers: Vec<Process> =
        (0..2).map(|_| Process::worker(&url, &project.service_key(), &["--at-once", "2"])).collect();
    until("all are in step", || project.is_in_step());
    assert!(is_equal(&source, &target, &PEOPLE), "{}", workers[0].log());
    let (_, processes) = project.json(&["processes"]);
    assert_eq!(processes["processes"].as_array().map(Vec::len), Some(4), "{processes:#}");
    // The service may be away; workers go on.
    assert_eq!(service.stop().code, 0);
    deliver(&source, "ann", 1);
    until("the change arrives", || is_equal(&source, &target, &PEOPLE));
    // One after the other is asked to finish and end.
    let ids: Vec<String> =
        processes["processes"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(project.run(&["drain", "--process", "nobody"]).code, 2);
    for id in &ids {
        project.run(&["drain", "--process", id]);
    }
    for worker in &mut workers {
        // With a code of its own, so that whoever begins processes again leaves it at that.
        until("the worker ends", || worker.has_ended() == Some(76));
    }
    // What is in the database tells nobody a password who has no key.
    let dump = server.superuser_query(&url, "SELECT encode(sealed, 'escape') FROM served");
    assert!(!dump.contains(PASSWORD) && !dump.contains("ann"), "it is sealed");
}

#[test]
fn what_is_wrong_with_the_project_is_said_and_the_last_good_one_goes_on() {
    let Some((source, target)) = two_servers(&PEOPLE) else { return };
    let sqlite = "database = \"sqlite:whimbrel.db\"";
    let project = project(source.endpoint(), target.endpoint(), &PEOPLE[..2], sqlite);
    let service = Process::serve(&project, &[]);
    until("both are in step", || project.is_in_step());
    // Somebody is added.
    let people = project.path().join("people.csv");
    let mut file = fs::File::options().append(true).open(&people).unwrap();
    file.write_all(b"cyd,cyd\n").unwrap();
    until("the third is in step, too", || project.standing().len() == 3 && project.is_in_step());
    // A mistake.
    let toml = project.path().join("whimbrel.toml");
    let good = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, good.replace("cycle_seconds", "cycle_secs")).unwrap();
    until("the mistake is said", || service.log().contains("cycle_secs"));
    deliver(&source, "ann", 1);
    until("work goes on", || is_equal(&source, &target, &PEOPLE[..3]));
    fs::write(&toml, good).unwrap();
    file.write_all(b"dan,dan\n").unwrap();
    until("the fourth is in step, too", || project.standing().len() == 4 && project.is_in_step());
    assert!(is_equal(&source, &target, &PEOPLE), "{}", service.log());
}

#[test]
fn what_is_paused_stands_still_until_somebody_says_so() {
    for database in databases() {
        let Some((source, target)) = two_servers(&PEOPLE) else { return };
        let project = project(source.endpoint(), target.endpoint(), &PEOPLE, &database);
        let _service = Process::serve(&project, &[]);
        until("all are in step", || project.is_in_step());
        assert_eq!(project.run(&["pause"]).code, 2, "others will ask why");
        assert_eq!(project.run(&["pause", "--mailbox", "nobody", "--reason", "x"]).code, 2);
        assert_eq!(project.run(&["resume"]).code, 2, "nothing is paused");
        assert_eq!(project.run(&["pause", "--mailbox", "ann", "--reason", "she says so"]).code, 0);
        deliver(&source, "ann", 1);
        deliver(&source, "bob", 1);
        until("bob's arrives", || is_equal(&source, &target, &["bob"]));
        std::thread::sleep(Duration::from_secs(3));
        assert!(!is_equal(&source, &target, &["ann"]));
        let (_, processes) = project.json(&["processes"]);
        assert_eq!(processes["paused"][0]["what"], "the mailbox ann", "{processes:#}");
        let (code, left) = project.json(&["sync", "--mailbox", "ann"]);
        assert_eq!((code, &left["paused"][0]), (1, &"ann".into()), "it was not done: {left:#}");
        assert_eq!(project.run(&["pause", "--reason", "a freeze"]).code, 0);
        assert_eq!(project.run(&["resume", "--mailbox", "ann"]).code, 0);
        let refused = project.run(&["sync"]);
        assert!(refused.code == 3 && refused.err.contains("a freeze"), "{refused:?}");
        std::thread::sleep(Duration::from_secs(3));
        assert!(!is_equal(&source, &target, &["ann"]));
        assert_eq!(project.run(&["resume"]).code, 0);
        until("ann's arrives", || is_equal(&source, &target, &PEOPLE));
    }
}

#[test]
fn a_very_large_mailbox_holds_up_nobody() {
    let people = ["large", "ann", "bob", "cyd"];
    let Some(source) = Store::dovecot(Format::Maildir, &people) else { return };
    let Some(target) = Store::dovecot(Format::Mdbox, &people) else { return };
    let inbox = |messages| vec![Folder { path: vec!["INBOX".to_owned()], messages }];
    let large = |n| {
        let mut message = numbered(n);
        message.bytes.extend(b"a line of a text that is very long\r\n".repeat(6_000));
        message
    };
    source.fill("large", &inbox((0..300).map(large).collect()));
    for person in &people[1..] {
        source.fill(person, &inbox((0..3).map(numbered).collect()));
    }
    // So slow that the large one takes many turns, and several times what may be on its way.
    let proxy = Proxy::to(target.port()).up(Shape { bytes_per_second: Some(2_000_000), ..Shape::default() }).start();
    let to = Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
    let project = project(source.endpoint(), to, &people, "database = \"sqlite:whimbrel.db\"");
    let service = Process::serve(&project, &["--at-once", "1"]);
    let phase = |name: &str| project.standing().into_iter().find(|row| row.0 == name).map(|row| row.1).unwrap();
    until("the small ones are in step", || people[1..].iter().all(|name| phase(name) == "in-step"));
    assert_eq!(phase("large"), "copying", "{}", service.log());
    proxy.set_shape(Direction::Up, Shape::default());
    until("the large one is in step, too", || project.is_in_step());
    assert!(is_equal(&source, &target, &people));
}

#[test]
fn organisations_see_nothing_of_each_other_in_the_numbers() {
    let Some((source, target)) = two_servers(&PEOPLE) else { return };
    let database = tempfile::tempdir().unwrap();
    let shared = format!("database = \"sqlite:{}/both.db\"", database.path().display());
    let one = project(source.endpoint(), target.endpoint(), &PEOPLE[..2], &shared);
    let two = project(source.endpoint(), target.endpoint(), &PEOPLE[2..], &shared);
    let toml = two.path().join("whimbrel.toml");
    fs::write(&toml, fs::read_to_string(&toml).unwrap().replace("RX1", "RX2").replace("Example Trust", "Other Trust"))
        .unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let mut service = Process::serve(&one, &[two.path().to_str().unwrap(), "--listen", &listen]);
    until("both are in step", || one.is_in_step() && two.is_in_step());
    assert!(is_equal(&source, &target, &PEOPLE), "{}", service.log());
    assert_eq!(one.standing().len() + two.standing().len(), 4, "each sees its own");
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(&listen).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        answer
    };
    assert!(get("/healthz").starts_with("HTTP/1.1 200") && get("/readyz").starts_with("HTTP/1.1 200"));
    let all = get("/metrics");
    for line in [
        "whimbrel_mailboxes{organisation=\"RX1\",project=\"migration\",phase=\"in-step\",condition=\"running\"} 2",
        "whimbrel_mailboxes{organisation=\"RX2\",project=\"migration\",phase=\"in-step\",condition=\"running\"} 2",
        "whimbrel_processes{kind=\"serve\"} 1",
    ] {
        assert!(all.contains(line), "{line} in {all}");
    }
    let own = get("/metrics/RX2");
    assert!(own.contains("RX2") && !own.contains("RX1"), "{own}");
    assert!(get("/metrics/RX3").starts_with("HTTP/1.1 404"));
    assert!(!all.contains("ann") && !all.contains(PASSWORD), "{all}");
    assert_eq!(service.stop().code, 0);
}

#[test]
fn all_workers_together_keep_to_what_a_server_may_be_asked() {
    let Some(server) = Postgres::shared() else { return };
    let people: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let Some((source, target)) = two_servers(&people) else { return };
    let proxies = [&source, &target].map(|store| Proxy::to(store.port()).start());
    let end = |proxy: &Proxy, max: usize| {
        let caps = format!("connections_max = {max}\nwatch_connections_max = 0");
        Endpoint::imap(proxy.port()).with(&caps).login(MIGRATOR, PASSWORD, "authzid")
    };
    let url = server.fresh_database();
    let project = project(end(&proxies[0], 3), end(&proxies[1], 2), &people, &format!("database = {url:?}"));
    let _service = Process::serve(&project, &["--at-once", "0"]);
    until("the key is made", || project.service_key().exists());
    let workers: Vec<Process> =
        (0..3).map(|_| Process::worker(&url, &project.service_key(), &["--at-once", "8"])).collect();
    let mut most = [0, 0];
    until("all are in step", || {
        for _ in 0..50 {
            for (most, proxy) in most.iter_mut().zip(&proxies) {
                *most = proxy.open_connections().max(*most);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        project.is_in_step()
    });
    assert!(most[0] <= 3 && most[1] <= 2, "{most:?} were open: {}", workers[0].log());
    assert!(is_equal(&source, &target, &people));
}

#[test]
fn a_server_is_asked_no_more_in_a_second_than_it_may_be() {
    let Some((source, target)) = two_servers(&["ann"]) else { return };
    let messages = (0..40).map(|number| Message { bytes: vec![b'x'; 20_000], ..numbered(number) }).collect();
    source.fill("ann", &[Folder { path: vec!["Large".to_owned()], messages }]);
    let proxy = Proxy::to(source.port()).start();
    let from = Endpoint::imap(proxy.port()).with("bytes_a_second = 100000\nwatch_connections_max = 0");
    let from = from.login(MIGRATOR, PASSWORD, "authzid");
    let project = project(from, target.endpoint(), &["ann"], "database = \"sqlite:whimbrel.db\"");
    let _service = Process::serve(&project, &[]);
    let begun = Instant::now();
    until("ann is in step", || project.is_in_step());
    // What is on its way comes at once and is paid for afterwards, so only the whole tells.
    let (bytes, seconds) = (proxy.bytes(Direction::Down) + proxy.bytes(Direction::Up), begun.elapsed().as_secs_f64());
    assert!(bytes > 800_000 && seconds >= bytes as f64 / 100_000.0 - 1.0, "{bytes} bytes in {seconds} s");
    assert!(is_equal(&source, &target, &["ann"]));
}

#[test]
fn nothing_is_begun_out_of_hours_and_what_is_under_way_stops() {
    let Some((source, target)) = two_servers(&["ann"]) else { return };
    // A day that is not today, nor the night to it.
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let today = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400 + 3) as usize % 7;
    let other_day = days[(today + 3) % 7];
    let hours = format!("service = {{ cycle_seconds = 1, windows = [\"{other_day}\"] }}");
    let project = Project::new(source.endpoint(), target.endpoint()).with(&hours).person("ann");
    let mut service = Process::serve(&project, &[]);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(project.standing()[0].1, "planned", "{}", service.log());
    // The hours are changed while it runs.
    let toml = project.path().join("whimbrel.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace(other_day, "mon-sun")).unwrap();
    until("ann is in step", || project.is_in_step());
    fs::write(&toml, text.replace(&format!("windows = [\"{other_day}\"]"), "blackout = [\"mon-sun\"]")).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    deliver(&source, "ann", 1);
    std::thread::sleep(Duration::from_secs(4));
    assert!(!is_equal(&source, &target, &["ann"]), "{}", service.log());
    assert_eq!(service.stop().code, 0);
}

#[test]
fn a_project_has_one_service() {
    let Some((source, target)) = two_servers(&["ann"]) else { return };
    let project = project(source.endpoint(), target.endpoint(), &["ann"], "database = \"sqlite:whimbrel.db\"");
    let mut first = Process::serve(&project, &[]);
    until("ann is in step", || project.is_in_step());
    let second = Run::of(Command::new(program()).arg("serve").arg(project.path()).current_dir("/"));
    assert!(second.code == 75 && second.err.contains("another service"), "{second:?}");
    deliver(&source, "ann", 1);
    until("the first goes on", || is_equal(&source, &target, &["ann"]));
    // One that comes to a sudden end is followed at once.
    first.kill();
    deliver(&source, "ann", 2);
    let _third = Process::serve(&project, &[]);
    until("another goes on", || is_equal(&source, &target, &["ann"]));
}

#[test]
fn a_worker_leaves_alone_what_lies_in_folders_of_its_own() {
    let Some(server) = Postgres::shared() else { return };
    let Some(source) = Store::dovecot(Format::Maildir, &["ann"]) else { return };
    source.fill("ann", &small("ann"));
    let folders = tempfile::tempdir().unwrap();
    let there = folders.path().join("there");
    fs::create_dir(&there).unwrap();
    let url = server.fresh_database();
    let to = Endpoint::maildir(&format!("{}/{{target}}", there.display()));
    let project = project(source.endpoint(), to, &["ann"], &format!("database = {url:?}"));
    let service = Process::serve(&project, &["--at-once", "0"]);
    until("the project is served", || service.log().contains("serving"));
    // As on a machine that has not mounted it: a folder of this path, and another one.
    fs::rename(&there, folders.path().join("elsewhere")).unwrap();
    fs::create_dir(&there).unwrap();
    let worker = Process::worker(&url, &project.service_key(), &[]);
    until("the worker says so", || worker.log().contains("is not the one that whimbrel serve has there"));
    assert_eq!(fs::read_dir(&there).unwrap().count(), 0, "nothing is written there");
    // Once it is mounted the worker goes on by itself.
    fs::remove_dir(&there).unwrap();
    fs::rename(folders.path().join("elsewhere"), &there).unwrap();
    until("ann is in step", || project.is_in_step());
}

/// A reading of the project that finds another folder where the copies lie is not taken: what was mounted there has gone.
#[test]
fn a_service_does_not_take_another_folder_for_the_one_it_knows() {
    let Some(source) = Store::dovecot(Format::Maildir, &["ann"]) else { return };
    source.fill("ann", &small("ann"));
    let folders = tempfile::tempdir().unwrap();
    let there = folders.path().join("there");
    fs::create_dir(&there).unwrap();
    let to = Endpoint::maildir(&format!("{}/{{target}}", there.display()));
    let project = project(source.endpoint(), to, &["ann"], "database = \"sqlite:whimbrel.db\"");
    let service = Process::serve(&project, &["--at-once", "0"]);
    until("the project is served", || service.log().contains("serving"));
    fs::rename(&there, folders.path().join("elsewhere")).unwrap();
    fs::create_dir(&there).unwrap();
    project.append("# Read it again.\n");
    until("the service says so", || service.log().contains("not the folder any more that it was"));
    fs::remove_dir(&there).unwrap();
    fs::rename(folders.path().join("elsewhere"), &there).unwrap();
    until("it goes on", || service.log().contains("the project can be read again"));
}
