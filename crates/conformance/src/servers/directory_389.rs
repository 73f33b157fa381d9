//! 389 Directory Server, with content synchronisation and the attributes of [`Slapd`](super::Slapd). Its database takes seconds to
//! make, so it is made once per machine and copied.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    cache_folder, free_port,
    instance::{Ending, Instance},
    ldif::{Ldif, Record, Tools},
    program, run, runs_as, slapd,
};

const PACKAGE: &str = "389-ds-base ldap-utils";

/// Which form the database to copy has: raised when what is made changes.
const FORM: u32 = 1;

/// Where the package keeps what a server is made of.
const SHARE: &str = "/usr/share/dirsrv";

/// A 389 Directory Server.
pub struct Directory389 {
    instance: Mutex<Instance>,
    port: u16,
}

impl Directory389 {
    /// What it holds.
    pub const SUFFIX: &str = "dc=example,dc=test";
    /// Who may do anything.
    pub const ADMIN: &str = "cn=admin";
    /// The password of whoever may do anything.
    pub const ADMIN_PASSWORD: &str = "admin";

    /// Starts one. None when the package is missing.
    pub fn start() -> Option<Self> {
        let program = program(&["/usr/sbin/ns-slapd"], PACKAGE)?;
        super::program(&["/usr/bin/ldapmodify"], PACKAGE)?;
        let golden = golden(&program);
        // It takes seconds to end in good order, and nobody reads what it leaves.
        let instance = Instance::new(Ending::Leader("KILL"));
        for folder in ["config", "db"] {
            run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(golden.join(folder)).arg(instance.path(folder)));
        }
        Some(Self::launched(instance, &program, golden.to_string_lossy().as_ref()))
    }

    /// Starts a server in this folder, whose settings name another one by now.
    fn launched(mut instance: Instance, program: &Path, named: &str) -> Self {
        for folder in ["lock", "run", "log", "ldif", "bak"] {
            instance.make_folder(folder);
        }
        let folder = instance.folder().display().to_string();
        let settings = fs::read_to_string(instance.path("config/dse.ldif")).expect("the settings were written");
        let settings: String = settings.replace(named, &folder);
        let (config, file) = (instance.path("config").display().to_string(), instance.path("run/pid"));
        let command = [&program.display().to_string(), "-D", &config, "-i", &file.display().to_string(), "-d", "0"];
        let (user, group) = runs_as("dirsrv", "dirsrv");
        // It ends at once where another has taken its port.
        for _ in 0..5 {
            let port = free_port();
            let is_port = |line: &str| line.to_lowercase().starts_with("nsslapd-port:");
            let own = format!("nsslapd-port: {port}");
            let lines = settings.lines().map(|line| if is_port(line) { own.as_str() } else { line });
            instance.write("config/dse.ldif", &(lines.collect::<Vec<_>>().join("\n") + "\n"));
            run(Command::new("chown").args(["-R", &format!("{user}:{group}")]).arg(instance.folder()));
            if instance.start(&command, || TcpStream::connect(("127.0.0.1", port)).is_ok()) {
                return Self { instance: Mutex::new(instance), port };
            }
        }
        panic!("ns-slapd does not start\n{}", instance.said());
    }

    /// Its port. It has none for TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes changes by OpenLDAP's own tools, as whoever may do anything.
    ///
    /// # Panics
    /// When the server refuses one.
    pub fn apply(&self, changes: &Ldif) {
        self.tools().apply(changes.text());
    }

    /// What OpenLDAP's own tool finds.
    pub fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> Vec<Record> {
        self.tools().search(base, filter, attributes)
    }

    fn tools(&self) -> Tools {
        Tools {
            url: format!("ldap://127.0.0.1:{}", self.port),
            ca_file: PathBuf::from("/dev/null"),
            user: Self::ADMIN.to_owned(),
            password: Self::ADMIN_PASSWORD.to_owned(),
        }
    }

    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server to copy, made if it is not there yet.
fn golden(program: &Path) -> PathBuf {
    let version = run(Command::new("dpkg-query").args(["-W", "-f", "${Version}", "389-ds-base"]));
    let name: String = version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let cache = cache_folder();
    let lock = fs::File::create(cache.join("directory-389.lock")).expect("the cache folder is ours");
    lock.lock().expect("a file of ours can be locked");
    let golden = cache.join(format!("directory-389-{name}-{FORM}"));
    if golden.exists() {
        return golden;
    }
    let instance = Instance::new(Ending::Leader("TERM"));
    for folder in ["config/schema", "db"] {
        instance.make_folder(folder);
    }
    for (from, to) in
        [(format!("{SHARE}/schema"), "config"), ("/etc/dirsrv/config/slapd-collations.conf".to_owned(), "config")]
    {
        run(Command::new("cp").arg("-R").arg(from).arg(instance.path(to)));
    }
    let mut schema = String::from("dn: cn=schema\n");
    for line in slapd::SCHEMA.lines() {
        let line =
            line.replacen("attributetype ", "attributeTypes: ", 1).replacen("objectclass ", "objectClasses: ", 1);
        schema.push_str(&line);
        schema.push('\n');
    }
    instance.write("config/schema/98mail.ldif", &schema);
    instance.write("config/schema/99user.ldif", "dn: cn=schema\n");
    instance.write("config/dse.ldif", &settings(&instance.folder().display().to_string()));
    // What the server adds to its settings by itself, keys of entries among it, it uses from its second start on.
    let folder = instance.folder().display().to_string();
    let first = Directory389::launched(instance, program, &folder);
    first.instance().stop();
    let instance = first.instance.into_inner().unwrap_or_else(PoisonError::into_inner);
    let server = Directory389::launched(instance, program, &folder);
    server.tools().apply(BACKEND);
    let entries = slapd::INIT.lines().map(|line| match line {
        line if line.starts_with("dn: ") => format!("{line}\nchangetype: add\n"),
        line => format!("{line}\n"),
    });
    server.tools().apply(&entries.collect::<String>());
    server.instance().stop();
    let half_made = cache.join("directory-389-half-made");
    let _ = fs::remove_dir_all(&half_made);
    fs::create_dir(&half_made).expect("the cache folder is ours");
    for part in ["config", "db"] {
        run(Command::new("cp").arg("-a").arg(server.instance().path(part)).arg(&half_made));
    }
    let settings = half_made.join("config/dse.ldif");
    let text = fs::read_to_string(&settings).expect("the server wrote it");
    fs::write(&settings, text.replace(&folder, &golden.display().to_string())).expect("the file is ours");
    fs::rename(&half_made, &golden).expect("both are in the cache folder");
    golden
}

/// A server's settings, of the package's own template.
fn settings(folder: &str) -> String {
    let mut text = fs::read_to_string(format!("{SHARE}/data/template-dse.ldif")).expect("the package has it");
    let (user, _) = runs_as("dirsrv", "dirsrv");
    let within = |name: &str| format!("{folder}/{name}");
    for (name, value) in [
        ("schema_dir", within("config/schema")),
        ("lock_dir", within("lock")),
        ("tmp_dir", within("run")),
        ("cert_dir", within("config")),
        ("ldif_dir", within("ldif")),
        ("bak_dir", within("bak")),
        ("run_dir", within("run")),
        ("inst_dir", within("run")),
        ("log_dir", within("log")),
        ("config_dir", within("config")),
        ("db_dir", within("db")),
        ("db_home_dir", within("db")),
        ("db_lib", "bdb".to_owned()),
        ("fqdn", "localhost".to_owned()),
        ("ds_port", "389".to_owned()),
        ("ds_user", user),
        ("rootdn", Directory389::ADMIN.to_owned()),
        ("ds_passwd", format!("{{CLEAR}}{}", Directory389::ADMIN_PASSWORD)),
        ("ldapi_enabled", "off".to_owned()),
        ("ldapi_autobind", "off".to_owned()),
        ("ldapi", within("run/ldapi")),
        ("ds_suffix", Directory389::SUFFIX.to_owned()),
    ] {
        text = text.replace(&format!("%{name}%"), &value);
    }
    // A small database, and nothing written that nobody reads.
    text = text.replace(
        "nsslapd-subtree-rename-switch: on\n",
        "nsslapd-subtree-rename-switch: on\nnsslapd-cache-autosize: 0\nnsslapd-dbcachesize: 2000000\nnsslapd-db-durable-transaction: off\n",
    );
    text = text.replacen("cn: config\n", "cn: config\nnsslapd-accesslog-logging-enabled: off\n", 1);
    for plugin in ["Retro Changelog Plugin", "Content Synchronization"] {
        let start = text.find(&format!("dn: cn={plugin},")).expect("the template has it");
        let (before, after) = text.split_at(start);
        text = format!("{before}{}", after.replacen("pluginenabled: off", "pluginenabled: on", 1));
    }
    text
}

/// A place for entries.
const BACKEND: &str = r#"dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config
changetype: add
objectClass: top
objectClass: extensibleObject
objectClass: nsBackendInstance
cn: userRoot
nsslapd-suffix: dc=example,dc=test

dn: cn="dc=example,dc=test",cn=mapping tree,cn=config
changetype: add
objectClass: top
objectClass: extensibleObject
objectClass: nsMappingTree
cn: dc=example,dc=test
nsslapd-state: backend
nsslapd-backend: userRoot

"#;
