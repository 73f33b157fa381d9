//! MariaDB. It never runs as root: then it becomes the package's own user `mysql`.
//!
//! Making the folder of a server takes seconds, so it is made once per machine and copied.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{
    cache_folder, free_port,
    instance::{Ending, Instance, as_user},
    is_root, program, run,
};

const PACKAGE: &str = "mariadb-server";
const USER: &str = "mysql";
/// The account that may do anything.
const SUPERUSER: &str = "root";
/// The account of tests, with its password: it may do anything in its databases.
const OWNER: &str = "whimbrel";
const PASSWORD: &str = "kit-password";
/// Sizes that keep the folder small; the same when it is made and when it is used.
const SIZES: [&str; 3] = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--aria-log-file-size=8M"];

/// How a MariaDB server is to be.
#[derive(Debug, Default)]
pub struct MariaDbBuilder {
    tls: Option<(PathBuf, PathBuf)>,
}

/// A MariaDB server.
pub struct MariaDb {
    instance: Instance,
    port: u16,
    databases: AtomicU32,
}

impl MariaDbBuilder {
    /// With this certificate and key.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificate.into(), key.into()));
        self
    }

    /// Starts it. None when the package is missing.
    pub fn start(self) -> Option<MariaDb> {
        let server = program(&["/usr/sbin/mariadbd"], PACKAGE)?;
        let template = template(&server);
        // What lies in the folder goes with it, so that it needs no orderly end.
        let mut instance = Instance::new(Ending::Leader("KILL"));
        run(Command::new("cp").args(["-R", "--reflink=auto"]).arg(&template).arg(instance.path("data")));
        let mut options = Vec::new();
        if let Some((certificate, key)) = &self.tls {
            for (option, file, name) in [("--ssl-cert", certificate, "cert.pem"), ("--ssl-key", key, "key.pem")] {
                let own = instance.path(name);
                fs::copy(file, &own).expect("the certificate's files are there");
                options.push(format!("{option}={}", own.display()));
            }
        }
        give_to_mariadb(instance.folder());
        let started = (0..3).find_map(|_| {
            let port = free_port();
            let (data, socket) = (instance.path("data"), instance.path("socket"));
            let mut command: Vec<String> = as_user(USER, USER);
            command.extend([server.display().to_string(), "--no-defaults".into()]);
            command.extend(SIZES.map(str::to_owned));
            command.extend([
                format!("--datadir={}", data.display()),
                format!("--socket={}", socket.display()),
                format!("--pid-file={}", instance.path("pid").display()),
                format!("--port={port}"),
                "--bind-address=127.0.0.1".into(),
                "--skip-name-resolve".into(),
                "--innodb-flush-log-at-trx-commit=0".into(),
                "--innodb-doublewrite=OFF".into(),
            ]);
            command.extend(options.iter().cloned());
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            let answers = || socket.exists() && query(&socket, "SELECT 1").is_some();
            instance.start(&command, answers).then_some(port)
        });
        let port = started.unwrap_or_else(|| panic!("mariadbd does not start\n{}", instance.said()));
        Some(MariaDb { instance, port, databases: AtomicU32::new(0) })
    }
}

impl MariaDb {
    /// Starts one without certificate. None when the package is missing.
    pub fn start() -> Option<Self> {
        MariaDbBuilder::default().start()
    }

    /// One that is to be otherwise.
    pub fn builder() -> MariaDbBuilder {
        MariaDbBuilder::default()
    }

    /// The address of a new, empty database, with the account that it belongs to.
    pub fn fresh_database(&self) -> String {
        let name = format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.superuser_query("mysql", &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        self.superuser_query(
            "mysql",
            &format!("GRANT ALL ON {name}.* TO '{OWNER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"),
        );
        format!("mysql://{OWNER}:{PASSWORD}@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL as superuser in the database of this address or name. Gives the rows, a line each, with tabulators between
    /// columns.
    ///
    /// # Panics
    /// When it fails.
    pub fn superuser_query(&self, url: &str, sql: &str) -> String {
        let database = url.rsplit('/').next().unwrap_or_default();
        let sql = format!("USE {database}; {sql}");
        query(&self.instance.path("socket"), &sql).unwrap_or_else(|| panic!("{sql}\n{}", self.instance.said()))
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn query(socket: &Path, sql: &str) -> Option<String> {
    let mut client = Command::new("/usr/bin/mariadb");
    client.args(["--no-defaults", "-N", "-B", "--default-character-set=utf8mb4", "-u", SUPERUSER]);
    let output = client.arg(format!("--socket={}", socket.display())).args(["-e", sql]).output();
    let output = output.expect("the package has its client");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folder of a server to copy, made if it is not there yet.
fn template(server: &Path) -> PathBuf {
    let version = run(Command::new(server).arg("--version"));
    let version = version.split_ascii_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let name: String =
        version.unwrap_or("unknown").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let cache = cache_folder();
    let lock = fs::File::create(cache.join("mariadb.lock")).expect("the cache folder is ours");
    lock.lock().expect("a file of ours can be locked");
    let template = cache.join(format!("mariadb-{name}.data-1"));
    if template.exists() {
        return template;
    }
    let folder = Instance::new(Ending::Leader("KILL"));
    give_to_mariadb(folder.folder());
    let data = folder.path("data");
    let mut words = as_user(USER, USER);
    words.push("/usr/bin/mariadb-install-db".into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    command.args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
    run(command.args(SIZES).current_dir(folder.folder()).env("HOME", folder.folder()));
    let half_made = cache.join(format!("mariadb-{name}.half-made"));
    let _ = fs::remove_dir_all(&half_made);
    run(Command::new("cp").arg("-R").arg(&data).arg(&half_made));
    fs::rename(&half_made, &template).expect("both are in the cache folder");
    template
}

fn give_to_mariadb(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg(format!("{USER}:{USER}")).arg(folder));
    }
}
