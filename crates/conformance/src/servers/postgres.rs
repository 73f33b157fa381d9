//! PostgreSQL. It never runs as root: then it becomes the package's own user `postgres`.
//!
//! One server for each test process, because that leaves nothing behind and lets a test stop or break it. Making a cluster
//! takes a second, so it is made once per machine and copied: copy and start together take 160 ms, on a busy machine 230,
//! where making one more database on a server that runs already takes 100.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    cache_folder, free_port,
    instance::{Ending, Instance, as_user},
    is_root, program, run,
};

const PACKAGE: &str = "postgresql-15";
const USER: &str = "postgres";
/// The role that may do anything; it makes databases and nothing else, since row-level security does not bind it.
const SUPERUSER: &str = "kit";
/// The role that tests work as: it owns its databases and may make roles, but is bound by row-level security.
const OWNER: &str = "whimbrel";

/// A PostgreSQL server.
pub struct Postgres {
    instance: Mutex<Instance>,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts one. None when the package is missing.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same, with settings that take the place of the kit's own: `max_connections=300`.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        let programs = programs()?;
        let template = template(&programs);
        // QUIT is an immediate end, as after a crash; the leader ends its children, which have groups of their own.
        let instance = Instance::new(Ending::Leader("QUIT"));
        run(Command::new("cp").args(["-R", "--reflink=auto"]).arg(&template).arg(instance.path("data")));
        give_to_postgres(instance.folder());
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let server = Self::of(instance, programs, settings);
        server.restart();
        Some(server)
    }

    /// A second server that follows this one a moment behind, to take over with [`Self::promote`].
    #[must_use]
    pub fn standby(&self) -> Self {
        let instance = Instance::new(Ending::Leader("QUIT"));
        let mut backup = Command::new(self.programs.join("pg_basebackup"));
        backup.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            SUPERUSER,
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "-D",
        ]);
        run(backup.arg(instance.path("data")));
        give_to_postgres(instance.folder());
        let server = Self::of(instance, self.programs.clone(), self.settings.clone());
        server.restart();
        server
    }

    fn of(instance: Instance, programs: PathBuf, settings: Vec<String>) -> Self {
        let (instance, databases) = (Mutex::new(instance), AtomicU32::new(0));
        Self { instance, programs, port: free_port(), settings, databases }
    }

    /// Receives nothing more from the server that it follows.
    pub fn hear_no_more(&self) {
        self.query("template1", "ALTER SYSTEM SET primary_conninfo = ''");
        self.query("template1", "SELECT pg_reload_conf()");
    }

    /// Takes over: what it has not received by now is lost.
    pub fn promote(&self) {
        self.query("template1", "SELECT pg_promote(true, 60)");
    }

    /// One for all tests of this process, started when the first asks. It goes when the process ends.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// The address of a new, empty database that the ordinary role of [`Self::start`]'s server owns.
    pub fn fresh_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("fresh_{number}");
        // The first one came with the cluster. The others are copied from a database that nobody may be connected to
        // meanwhile, which the lock sees to.
        if number > 0 {
            let _one_at_a_time = self.instance();
            self.query("template1", &format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template1"));
        }
        format!("postgres://{OWNER}@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL as superuser in the database of this address, for what no ordinary role may do or see. Gives the rows,
    /// a line each, with `|` between columns.
    pub fn superuser_query(&self, url: &str, sql: &str) -> String {
        self.query(url.rsplit('/').next().unwrap_or_default(), sql)
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server cleanly. Its data stay, for [`Self::restart`].
    pub fn stop(&self) {
        self.instance().stop_by("INT");
    }

    /// Ends the server as a power cut would.
    pub fn crash(&self) {
        self.instance().crash();
    }

    /// Starts the server again, on the same port with the same data.
    pub fn restart(&self) {
        let mut instance = self.instance();
        let data = instance.path("data").display().to_string();
        let port = self.port.to_string();
        let server = self.programs.join("postgres").display().to_string();
        let mut command: Vec<String> = as_user(USER, USER);
        command.extend([server, "-D".into(), data.clone(), "-p".into(), port]);
        // What waits for the disk only slows tests: it guards against the machine's own end, not against the server's.
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=100",
            "shared_buffers=32MB",
        ] {
            command.extend(["-c".into(), setting.into()]);
        }
        // Of two values of one setting the last counts.
        for setting in &self.settings {
            command.extend(["-c".into(), setting.clone()]);
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let pid_file = Path::new(&data).join("postmaster.pid");
        let ready = || {
            fs::read_to_string(&pid_file)
                .is_ok_and(|text| text.lines().nth(7).is_some_and(|l| ["ready", "standby"].contains(&l.trim())))
        };
        let started = (0..3).any(|_| {
            // A pid file left by a crash still says ready.
            let _ = fs::remove_file(&pid_file);
            instance.start(&command, ready)
        });
        assert!(started, "postgres does not start\n{}", instance.said());
    }

    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn query(&self, database: &str, sql: &str) -> String {
        let port = self.port.to_string();
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-U", SUPERUSER]);
        run(psql.args(["-d", database, "-c", sql]))
    }
}

/// The folder of the package's programs.
fn programs() -> Option<PathBuf> {
    let newest = ["17", "16", "15"].map(|version| format!("/usr/lib/postgresql/{version}/bin/postgres"));
    let newest: Vec<&str> = newest.iter().rev().map(String::as_str).collect();
    Some(program(&newest, PACKAGE)?.parent()?.to_owned())
}

/// A cluster to copy, made if it is not there yet.
fn template(programs: &Path) -> PathBuf {
    let version = run(Command::new(programs.join("postgres")).arg("--version"));
    let name: String =
        version.trim().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let cache = cache_folder();
    let lock = fs::File::create(cache.join("postgres.lock")).expect("the cache folder is ours");
    lock.lock().expect("a file of ours can be locked");
    let template = cache.join(format!("{name}.cluster-1"));
    if template.exists() {
        return template;
    }
    let folder = Instance::new(Ending::Leader("QUIT"));
    give_to_postgres(folder.folder());
    let data = folder.path("data");
    let as_postgres = |tool: &str| {
        let mut words = as_user(USER, USER);
        words.push(programs.join(tool).display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(folder.folder()).env("HOME", folder.folder());
        command
    };
    let options =
        ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions", "--wal-segsize=1"];
    run(as_postgres("initdb").arg("-D").arg(&data).args(["-U", SUPERUSER]).args(options));
    // Each database is a third of the files to copy, so only two stay: one to make others from, and the first one to give
    // away. It takes a server in single-user mode to rename the one that everybody connects to.
    let statements = format!(
        "CREATE ROLE {OWNER} LOGIN CREATEROLE\n\
         ALTER DATABASE template0 IS_TEMPLATE false\n\
         DROP DATABASE template0\n\
         ALTER DATABASE postgres RENAME TO fresh_0\n\
         ALTER DATABASE fresh_0 OWNER TO {OWNER}\n"
    );
    let script = folder.write("statements", &statements);
    let input = fs::File::open(script).expect("it was written above");
    run(as_postgres("postgres")
        .args(["--single", "-D"])
        .arg(&data)
        .args(["-c", "fsync=off", "template1"])
        .stdin(input));
    let half_made = cache.join(format!("{name}.half-made"));
    let _ = fs::remove_dir_all(&half_made);
    run(Command::new("cp").arg("-R").arg(&data).arg(&half_made));
    fs::rename(&half_made, &template).expect("both are in the cache folder");
    template
}

fn give_to_postgres(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg(format!("{USER}:{USER}")).arg(folder));
    }
}
