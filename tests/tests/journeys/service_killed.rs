//! The service under everything that may befall it: processes killed and frozen, a database that restarts and one that takes over,
//! networks that break and crawl. In the end everything is as if nothing had happened.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use conformance::{
    proxy::{Direction, Proxy, Shape},
    servers::{Format, Postgres},
    whole,
};
use journeys::{
    judge::{Judge, Verdict},
    mail::{Folder, numbered, small},
    project::{Endpoint, Project},
    service::{Process, until, until_or},
    store::{MIGRATOR, PASSWORD, Store},
};
use rehearsal::Chance;

const PEOPLE: [&str; 6] = ["p1", "p2", "p3", "p4", "p5", "p6"];
/// So many removals may wait because a late writer's mark looks like its person's.
const LATE_MAX: usize = 2;

/// Everything there is: servers behind proxies, a service that answers for the project, and workers.
struct World {
    source: Store,
    target: Store,
    project: Project,
    proxies: Vec<Proxy>,
    processes: Vec<Process>,
}

impl World {
    fn begin(database: Proxy, url: &str) -> Option<Self> {
        let source = Store::dovecot(Format::Maildir, &PEOPLE)?;
        for name in PEOPLE {
            source.fill(name, &small(name));
            // People remove and move the oldest. What a database forgets and what they remove are never the same messages: of a copy
            // that is forgotten and whose original is gone nobody can tell whose it is, and it stays (docs/reliability.md).
            let old = (0..40).map(numbered).collect();
            source.fill(name, &[Folder { path: vec!["INBOX".to_owned()], messages: old }]);
        }
        let target = Store::dovecot(Format::Mdbox, &PEOPLE)?;
        let url = through(url, &database);
        let mut proxies: Vec<Proxy> = [&source, &target].map(|store| Proxy::to(store.port()).start()).into();
        proxies.push(database);
        let end = |proxy: &Proxy| Endpoint::imap(proxy.port()).login(MIGRATOR, PASSWORD, "authzid");
        let project = Project::new(end(&proxies[0]), end(&proxies[1]))
            .with(&format!("database = {url:?}"))
            .with("service = { cycle_seconds = 1, turn_seconds = 2, parked_retry_seconds = 2 }")
            // Nobody is to say a word, however much people remove while nobody could look.
            .with("policy = { removals_free = 100000, removals_a_day_max = 100000 }")
            .with("limits = { lease_seconds = 2 }");
        let project = PEOPLE.iter().fold(project, |project, name| project.person(name));
        let mut processes = vec![Process::serve(&project, &["--at-once", "2"])];
        until("the key is made", || project.service_key().exists());
        processes.extend((0..3).map(|_| Process::worker(&url, &project.service_key(), &["--at-once", "2"])));
        Some(Self { source, target, project, proxies, processes })
    }

    fn verdict(&self) -> Verdict {
        let judge = PEOPLE
            .iter()
            .fold(Judge::new(), |judge, name| judge.person(name, self.source.side(name), self.target.side(name)));
        judge.compare().expect("Python is here")
    }

    fn is_equal(&self) -> bool {
        self.verdict().is_equal()
    }

    /// What is known of where everything stands, for whoever looks at a failure.
    fn all(&self) -> String {
        let said = [&["status"][..], &["held", "list"], &["failed", "list"], &["report", "overall"]];
        let said: Vec<String> = said.iter().map(|command| self.project.run(command).out).collect();
        format!("{:#?}\n{}\n{}", self.verdict(), said.join("\n"), self.processes[0].log())
    }

    /// Approves the removals that wait because somebody changed the item on the target: nobody does. How many there were.
    fn say_it_was_us(&self) -> usize {
        let (_, list) = self.project.json(&["held", "list"]);
        let held = list["held"].as_array().expect("a list of what waits");
        let waits = |line: &&serde_json::Value| line["rule"] == "changed-on-target" && line["word"].is_null();
        let waiting = held.iter().filter(waits).count();
        if waiting > 0 {
            let said = ["held", "approve", "--rule", "changed-on-target", "--by", "a tester", "--reason", "it was us"];
            let said = self.project.run(&said);
            // 2: a worker has looked meanwhile, and it waits no more.
            assert!([0, 2].contains(&said.code), "{list:#} {said:?}");
        }
        waiting
    }

    /// Leaves everything in peace, and requires that it comes to be as if nothing had happened.
    ///
    /// Where the database forgot what was done last (`forgot`), removals of what was changed there wait for somebody's word: nobody
    /// knows any more that it was not its person who changed it. The same is so of a mark that a frozen worker's last bytes made after
    /// its successor had looked: the window that remains (docs/reliability.md, *Late writers*). Such removals are few, and counted.
    fn ends_well(&mut self, forgot: bool) {
        for proxy in &self.proxies {
            proxy.refuse(false);
            for way in [Direction::Up, Direction::Down] {
                proxy.set_shape(way, Shape::default());
            }
        }
        for process in &mut self.processes {
            if process.has_ended().is_some() {
                process.again();
            }
        }
        until_or("all are in step", || self.project.is_in_step(), || self.all());
        let mut late = 0;
        let is_equal = || {
            late += self.say_it_was_us();
            self.is_equal()
        };
        until_or("both sides are equal", is_equal, || self.all());
        println!("{late} removals waited for a word");
        assert!(forgot || late <= LATE_MAX, "{late} removals waited for a word");
        // Once everything has come to rest it stays so, and everybody agrees.
        until("all are in step", || self.project.is_in_step());
        for process in &mut self.processes {
            let stopped = process.stop();
            assert_eq!(stopped.code, 0, "{stopped:?}");
        }
        let (code, synced) = self.project.json(&["sync"]);
        assert_eq!((code, &synced["copied"], &synced["failed"]), (0, &0.into(), &0.into()), "{synced:#}");
        assert!(self.is_equal(), "nothing is lost and nothing is there twice");
        assert_eq!(self.project.run(&["verify"]).code, 0);
        for process in &self.processes {
            assert!(!process.log().contains("panicked"), "{}", process.log());
        }
    }
}

/// The same database, by way of a proxy.
fn through(url: &str, proxy: &Proxy) -> String {
    let (before, after) = url.split_once("127.0.0.1:").expect("it is on loopback");
    let (_, name) = after.split_once('/').expect("it has a name");
    format!("{before}127.0.0.1:{}/{name}", proxy.port())
}

/// What people do at the source, until they are told to stop.
fn busy_people(source: &Store, is_over: &AtomicBool) {
    let (mut chance, mut number) = (Chance::new(7), 1000);
    while !is_over.load(Ordering::SeqCst) {
        let mut talk = source.talk(chance.pick::<&str>(&PEOPLE));
        talk.ok("SELECT INBOX");
        match chance.below(6) {
            0..=2 => {
                number += 1;
                talk.append("INBOX", "", &numbered(number).bytes);
            }
            3 => drop(talk.command("STORE 1 +FLAGS (\\Flagged)")),
            4 => {
                talk.command("STORE 1 +FLAGS (\\Deleted)");
                talk.command("EXPUNGE");
            }
            _ => {
                talk.command("CREATE Moved");
                talk.command("MOVE 1 Moved");
            }
        }
        std::thread::sleep(Duration::from_millis(chance.below(150)));
    }
}

#[test]
fn killed_again_and_again_with_everything_else_that_may_happen() {
    let Some(server) = Postgres::start() else { return };
    let url = server.fresh_database();
    let Some(mut world) = World::begin(Proxy::to(server.port()).start(), &url) else { return };
    let is_over = AtomicBool::new(false);
    let source = world.source.port();
    std::thread::scope(|scope| {
        let people = scope.spawn({
            let (is_over, source) = (&is_over, &world.source);
            move || busy_people(source, is_over)
        });
        let mut chance = Chance::new(source.into());
        let (proxies, processes) = (&world.proxies, &mut world.processes);
        let mut kills = 0;
        while kills < whole::amount(60, 200) {
            let which = chance.below(processes.len() as u64) as usize;
            let proxy = chance.pick(proxies);
            match chance.below(100) {
                0..70 => {
                    processes[which].kill();
                    processes[which].again();
                    kills += 1;
                }
                70..76 => {
                    // Past its lease, and on.
                    processes[which].signal("-STOP");
                    std::thread::sleep(Duration::from_millis(2_700 + chance.below(1000)));
                    processes[which].signal("-CONT");
                }
                76..86 => proxy.reset(),
                86..90 => proxy.cut(),
                90..96 => {
                    let slow = Shape { latency: Duration::from_millis(30), bytes_per_second: Some(200_000) };
                    let shape = if chance.in_thousand(500) { slow } else { Shape::default() };
                    proxy.set_shape(if chance.in_thousand(500) { Direction::Up } else { Direction::Down }, shape);
                }
                96..98 => {
                    proxy.refuse(true);
                    std::thread::sleep(Duration::from_millis(chance.below(800)));
                    proxy.refuse(false);
                }
                _ => {
                    if chance.in_thousand(500) {
                        server.crash();
                    } else {
                        server.stop();
                    }
                    std::thread::sleep(Duration::from_millis(chance.below(600)));
                    server.restart();
                }
            }
            std::thread::sleep(Duration::from_millis(chance.below(250)));
        }
        is_over.store(true, Ordering::SeqCst);
        people.join().expect("people do what they do");
    });
    world.ends_well(false);
}

#[test]
fn a_database_that_takes_over_may_have_lost_the_last_claims_and_commits() {
    let Some(first) = Postgres::start() else { return };
    let url = first.fresh_database();
    let proxy = Proxy::to(first.port()).start();
    let Some(mut world) = World::begin(proxy, &url) else { return };
    let is_over = AtomicBool::new(false);
    let mut servers = vec![first];
    std::thread::scope(|scope| {
        let people = scope.spawn({
            let (is_over, source) = (&is_over, &world.source);
            move || busy_people(source, is_over)
        });
        for _ in 0..2 {
            let standby = servers[servers.len() - 1].standby();
            std::thread::sleep(Duration::from_secs(4));
            // What is committed from now on is lost.
            standby.hear_no_more();
            std::thread::sleep(Duration::from_millis(1500));
            servers[servers.len() - 1].crash();
            standby.promote();
            let database = &world.proxies[2];
            database.lead_to(standby.port());
            database.reset();
            servers.push(standby);
            std::thread::sleep(Duration::from_secs(5));
        }
        is_over.store(true, Ordering::SeqCst);
        people.join().expect("people do what they do");
    });
    world.ends_well(true);
}
