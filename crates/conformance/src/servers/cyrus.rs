//! Cyrus. It runs as its package's user `cyrus` when the tests run as root, else as the one who tests.
//!
//! Debian's `cyrus-imapd` conflicts with `dovecot-imapd`, so its three programs are not installed but unpacked beside, into
//! the build's target folder; the rest is in `cyrus-common`, which installs beside Dovecot.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    cache_folder, free_port,
    instance::{Ending, Instance, as_user, greets},
    is_root, left_out, program, run, runs_as,
};
use crate::certificates::{Certificates, Flaw};

const PACKAGES: &str = "cyrus-common sasl2-bin libsasl2-modules";
const USER: &str = "cyrus";
const GROUP: &str = "mail";
/// Where the package puts its programs.
const PROGRAMS: &str = "/usr/lib/cyrus/bin";

/// A Cyrus to be.
#[must_use]
pub struct CyrusBuilder {
    users: Vec<(String, String)>,
    admin: Option<(String, String)>,
    alt_namespace: bool,
    unix_separator: bool,
    tls: Option<Flaw>,
    mechanisms: String,
    suppressed: String,
    quota_kib: Option<u64>,
    submission_port: Option<u16>,
    extra: String,
}

/// The ports of a Cyrus that runs people's scripts.
#[derive(Clone, Copy, Debug)]
struct SievePorts {
    sieve: u16,
    lmtp: u16,
}

/// A Cyrus that runs until this value goes.
pub struct Cyrus {
    instance: Instance,
    port: u16,
    tls_port: Option<u16>,
    sieve_ports: Option<SievePorts>,
    certificates: Option<Certificates>,
    greeting: String,
}

impl CyrusBuilder {
    /// Adds an account; its name has a domain.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        assert!(name.contains('@'), "{name}: the accounts of this Cyrus are addresses");
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Adds accounts.
    pub fn users<'a>(self, users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        users.into_iter().fold(self, |builder, (name, password)| builder.user(name, password))
    }

    /// The administrator, who may log in for anyone with SASL PLAIN and an authorisation identity.
    pub fn admin(mut self, name: &str, password: &str) -> Self {
        self.admin = Some((name.to_owned(), password.to_owned()));
        self.user(name, password)
    }

    /// Whether folders stand beside INBOX (yes unless said otherwise) or below it.
    pub fn alt_namespace(mut self, yes: bool) -> Self {
        self.alt_namespace = yes;
        self
    }

    /// Whether `/` stands between names (yes unless said otherwise) or `.`.
    pub fn unix_separator(mut self, yes: bool) -> Self {
        self.unix_separator = yes;
        self
    }

    /// Offers STARTTLS, and TLS from the start on [`Cyrus::tls_port`], with a certificate of the tests' own authority.
    pub fn tls(mut self, flaw: Flaw) -> Self {
        self.tls = Some(flaw);
        self
    }

    /// SASL mechanisms, `PLAIN LOGIN` unless said otherwise.
    pub fn mechanisms(mut self, mechanisms: &str) -> Self {
        mechanisms.clone_into(&mut self.mechanisms);
        self
    }

    /// Capabilities that are not announced.
    pub fn suppress(mut self, capabilities: &str) -> Self {
        capabilities.clone_into(&mut self.suppressed);
        self
    }

    /// A quota for everybody.
    pub fn quota_kib(mut self, kib: u64) -> Self {
        self.quota_kib = Some(kib);
        self
    }

    /// Takes mail by LMTP and delivers it as people's Sieve scripts say, which they change by ManageSieve. What is sent on goes to the
    /// SMTP server on this port of loopback.
    pub fn sieve(mut self, submission_port: u16) -> Self {
        self.submission_port = Some(submission_port);
        self
    }

    /// Adds lines to the end of `imapd.conf`.
    pub fn extra(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self.extra.push('\n');
        self
    }

    /// Starts it. None when a package is missing.
    pub fn start(self) -> Option<Cyrus> {
        let master = program(&[&format!("{PROGRAMS}/master")], PACKAGES)?;
        let saslpasswd = program(&["/usr/sbin/saslpasswd2"], PACKAGES)?;
        let imapd = imapd_folder()?;
        let mut instance = Instance::new(Ending::Group("TERM"));
        for folder in ["spool", "sieve", "search", "proc", "lock", "programs"] {
            instance.make_folder(folder);
        }
        for folder in ["db", "socket", "log", "msg", "quota", "user", "ptclient", "sync"] {
            instance.make_folder(&format!("conf/{folder}"));
        }
        // Copied, because the user that Cyrus runs as may not get at the folder where they were unpacked.
        for name in ["imapd", "idled"] {
            let copy = instance.path("programs").join(name);
            fs::copy(imapd.join(name), &copy)
                .and_then(|_| fs::set_permissions(copy, PermissionsExt::from_mode(0o755)))
                .expect("the programs can be copied");
        }
        let certificates = self.tls.map(Certificates::new);
        if let Some(certificates) = &certificates {
            for file in [certificates.ca_file(), certificates.cert_file(), certificates.key_file()] {
                fs::copy(&file, instance.path("conf").join(file.file_name()?)).expect("the files can be copied");
            }
        }
        for (name, password) in &self.users {
            add_user(&saslpasswd, &instance.path("sasldb2"), name, password);
        }
        let greeting = instance.folder().file_name()?.display().to_string();
        instance.write("imapd.conf", &self.imapd_conf(&instance, &greeting));
        for _ in 0..5 {
            let (port, tls_port) = (free_port(), self.tls.map(|_| free_port()));
            let sieve_ports = self.submission_port.map(|_| SievePorts { sieve: free_port(), lmtp: free_port() });
            instance.write("cyrus.conf", &cyrus_conf(&instance, port, tls_port, sieve_ports));
            if is_root() {
                run(Command::new("chown").arg("-R").arg(format!("{USER}:{GROUP}")).arg(instance.folder()));
            }
            let command = master_command(&master, &instance);
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            if instance.start(&command, || greets(port, &greeting)) {
                if sieve_greets(sieve_ports) {
                    return Some(Cyrus { instance, port, tls_port, sieve_ports, certificates, greeting });
                }
                // Another took that port: Cyrus goes on without it.
                instance.stop();
            }
        }
        panic!("cyrus does not start\n{}", instance.said());
    }

    fn imapd_conf(&self, instance: &Instance, greeting: &str) -> String {
        let folder = instance.folder().display();
        let yes_or_no = |yes| if yes { "yes" } else { "no" };
        let (user, group) = runs_as(USER, GROUP);
        let mut text = format!(
            "servername: {greeting}\n\
             configdirectory: {folder}/conf\n\
             defaultpartition: default\n\
             partition-default: {folder}/spool\n\
             sievedir: {folder}/sieve\n\
             proc_path: {folder}/proc\n\
             mboxname_lockpath: {folder}/lock\n\
             idlesocket: {folder}/conf/socket/idle\n\
             notifysocket: {folder}/conf/socket/notify\n\
             lmtpsocket: {folder}/conf/socket/lmtp\n\
             cyrus_user: {user}\n\
             cyrus_group: {group}\n\
             virtdomains: userid\n\
             defaultdomain: internal.invalid\n\
             altnamespace: {alt}\n\
             unixhierarchysep: {unix}\n\
             allowplaintext: yes\n\
             failedloginpause: 0\n\
             sasl_mech_list: {mechanisms}\n\
             sasl_pwcheck_method: auxprop\n\
             sasl_auxprop_plugin: sasldb\n\
             sasl_sasldb_path: {folder}/sasldb2\n\
             autocreate_quota: {quota}\n\
             annotation_allow_undefined: yes\n\
             conversations: yes\n\
             delete_mode: delayed\n\
             expunge_mode: delayed\n\
             duplicatesuppression: no\n\
             reverseacls: yes\n\
             skiplist_unsafe: yes\n",
            alt = yes_or_no(self.alt_namespace),
            unix = yes_or_no(self.unix_separator),
            mechanisms = self.mechanisms,
            // 0 makes an INBOX at the first login and sets no limit.
            quota = self.quota_kib.unwrap_or(0),
        );
        if let Some((admin, _)) = &self.admin {
            let _ = writeln!(text, "admins: {admin}\nproxyservers: {admin}");
        }
        if self.tls.is_some() {
            let _ = writeln!(
                text,
                "tls_server_cert: {folder}/conf/cert.pem\ntls_server_key: {folder}/conf/key.pem\n\
                 tls_client_ca_file: {folder}/conf/ca.pem"
            );
        }
        if let Some(port) = self.submission_port {
            let _ = writeln!(text, "smtp_backend: host\nsmtp_host: 127.0.0.1:{port}/noauth");
        }
        if !self.suppressed.is_empty() {
            let _ = writeln!(text, "suppress_capabilities: {}", self.suppressed);
        }
        text + &self.extra
    }
}

impl Cyrus {
    /// A Cyrus with folders beside INBOX, `/` between names, no TLS, no extras.
    pub fn builder() -> CyrusBuilder {
        CyrusBuilder {
            users: Vec::new(),
            admin: None,
            alt_namespace: true,
            unix_separator: true,
            tls: None,
            mechanisms: "PLAIN LOGIN".to_owned(),
            suppressed: String::new(),
            quota_kib: None,
            submission_port: None,
            extra: String::new(),
        }
    }

    /// Its IMAP port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port for TLS from the start.
    ///
    /// # Panics
    /// When it was not built with TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("built with .tls()")
    }

    /// Its port for ManageSieve.
    ///
    /// # Panics
    /// When it was not built with Sieve.
    pub fn sieve_port(&self) -> u16 {
        self.sieve_ports.expect("built with .sieve()").sieve
    }

    /// Its port for LMTP.
    ///
    /// # Panics
    /// When it was not built with Sieve.
    pub fn lmtp_port(&self) -> u16 {
        self.sieve_ports.expect("built with .sieve()").lmtp
    }

    /// The authority that its certificate is to be checked against.
    ///
    /// # Panics
    /// When it was not built with TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.certificates.as_ref().expect("built with .tls()").ca_file()
    }

    /// One of the package's tools (`quota`, `mbexamine`, `reconstruct`) on this instance, run as the user that Cyrus runs
    /// as. Its arguments are still to be added.
    pub fn tool(&self, name: &str) -> Command {
        let mut words = as_user(USER, GROUP);
        words.push(format!("{PROGRAMS}/{name}"));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("-C").arg(self.instance.path("imapd.conf")).current_dir(self.instance.folder());
        command
    }

    /// Ends it; the mail stays, for [`Self::restart`].
    pub fn stop(&mut self) {
        self.instance.stop();
    }

    /// Ends it as a power cut would.
    pub fn crash(&mut self) {
        self.instance.crash();
    }

    /// Starts it again on the same ports, after [`Self::stop`] or [`Self::crash`].
    pub fn restart(&mut self) {
        let command = master_command(&Path::new(PROGRAMS).join("master"), &self.instance);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let (port, greeting) = (self.port, self.greeting.clone());
        let started = (0..5).any(|_| self.instance.start(&command, || greets(port, &greeting)));
        assert!(started, "cyrus does not start again\n{}", self.instance.said());
    }
}

/// Does the server for ManageSieve answer, where there is to be one?
fn sieve_greets(ports: Option<SievePorts>) -> bool {
    ports.is_none_or(|ports| (0..3).any(|_| greets(ports.sieve, "IMPLEMENTATION")))
}

fn master_command(master: &Path, instance: &Instance) -> Vec<String> {
    let mut command = as_user(USER, GROUP);
    command.push(master.display().to_string());
    for (option, file) in [("-C", "imapd.conf"), ("-M", "cyrus.conf"), ("-p", "conf/master.pid")] {
        command.extend([option.to_owned(), instance.path(file).display().to_string()]);
    }
    command
}

fn cyrus_conf(instance: &Instance, port: u16, tls_port: Option<u16>, sieve_ports: Option<SievePorts>) -> String {
    let folder = instance.folder().display();
    let imapd = format!("{folder}/programs/imapd");
    let tls = tls_port.map_or_else(String::new, |port| {
        format!("  imaps cmd=\"{imapd} -s -C {folder}/imapd.conf\" listen=\"127.0.0.1:{port}\" prefork=0\n")
    });
    let sieve = sieve_ports.map_or_else(String::new, |SievePorts { sieve, lmtp }| {
        format!(
            "  sieve cmd=\"timsieved -C {folder}/imapd.conf\" listen=\"127.0.0.1:{sieve}\" prefork=0\n  \
             lmtp cmd=\"lmtpd -a -C {folder}/imapd.conf\" listen=\"127.0.0.1:{lmtp}\" prefork=0\n"
        )
    });
    format!(
        "START {{\n  recover cmd=\"ctl_cyrusdb -C {folder}/imapd.conf -r\"\n}}\n\
         SERVICES {{\n  imap cmd=\"{imapd} -C {folder}/imapd.conf\" listen=\"127.0.0.1:{port}\" prefork=1\n{tls}{sieve}}}\n\
         EVENTS {{\n}}\n\
         DAEMON {{\n  idled cmd=\"{folder}/programs/idled -C {folder}/imapd.conf\"\n}}\n"
    )
}

fn add_user(saslpasswd: &Path, database: &Path, name: &str, password: &str) {
    use std::io::Write as _;
    let (user, realm) = name.rsplit_once('@').expect("checked when it was added");
    let mut command = Command::new(saslpasswd);
    command.args(["-p", "-c", "-f"]).arg(database).args(["-u", realm, user]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("it was found above");
    child.stdin.take().expect("it is piped").write_all(password.as_bytes()).expect("saslpasswd2 reads the password");
    assert!(child.wait().expect("it is our child").success(), "saslpasswd2 refused {name}");
}

/// The folder that holds `imapd` and `idled`: where the package would put them, where `WHIMBREL_CYRUS_IMAPD` says, or
/// unpacked from the package, once, into the cache.
fn imapd_folder() -> Option<PathBuf> {
    let named = std::env::var_os("WHIMBREL_CYRUS_IMAPD").map(PathBuf::from);
    if let Some(folder) = named.into_iter().chain([PathBuf::from(PROGRAMS)]).find(|f| f.join("imapd").exists()) {
        return Some(folder);
    }
    let cache = cache_folder();
    let lock = fs::File::create(cache.join("cyrus-imapd.lock")).expect("the cache folder is ours");
    lock.lock().expect("a file of ours can be locked");
    let unpacked = cache.join("cyrus-imapd");
    let folder = unpacked.join("usr/lib/cyrus/bin");
    if folder.join("imapd").exists() {
        return Some(folder);
    }
    if let Err(why) = unpack_imapd(&cache, &unpacked) {
        left_out(&format!("cyrus-imapd can't be fetched to unpack it beside Dovecot: {why}"));
        return None;
    }
    Some(folder)
}

fn unpack_imapd(cache: &Path, unpacked: &Path) -> Result<(), String> {
    let download = tempfile::tempdir_in(cache).map_err(|error| error.to_string())?;
    let done = |command: &mut Command| {
        let output = command.current_dir(download.path()).output().map_err(|error| format!("{command:?}: {error}"))?;
        let complained = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(complained) }
    };
    done(Command::new("apt-get").args(["-q", "download", "cyrus-imapd"]))?;
    let mut files = fs::read_dir(download.path()).map_err(|error| error.to_string())?.filter_map(Result::ok);
    let package = files.find(|file| file.path().extension().is_some_and(|e| e == "deb")).ok_or("no package came")?;
    let half = download.path().join("unpacked");
    done(Command::new("dpkg-deb").arg("-x").arg(package.path()).arg(&half))?;
    let _ = fs::remove_dir_all(unpacked);
    fs::rename(half, unpacked).map_err(|error| error.to_string())
}
