//! Dovecot, from a configuration of the harness's own. As root it runs as its package's users, else wholly as the one who
//! tests.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use super::{
    free_port,
    instance::{Ending, Instance, greets},
    is_root, program, run, runs_as,
};
use crate::certificates::{Certificates, Flaw};

const PACKAGE: &str = "dovecot-imapd";
const SIEVE_PACKAGES: [(&str, &str); 3] = [
    ("/usr/lib/dovecot/modules/lib90_sieve_plugin.so", "dovecot-sieve"),
    ("/usr/lib/dovecot/managesieve", "dovecot-managesieved"),
    ("/usr/lib/dovecot/lmtp", "dovecot-lmtpd"),
];

/// How a Dovecot keeps mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A file a message, in Maildir++ folders.
    #[default]
    Maildir,
    /// Files of many messages.
    Mdbox,
    /// A file a message, with an index that counts.
    Sdbox,
    /// A file a folder, in which one message follows the other.
    Mbox,
}

/// Access control lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acl {
    /// No such plugin.
    #[default]
    Off,
    /// Rights are those of the mailbox's owner, whoever logged in for them.
    OfOwner,
    /// Rights are those of who logged in: a master user meets an empty INBOX that can't be opened. Many real sites are
    /// like this.
    OfLogin,
}

/// What becomes of a login in another's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authzid {
    /// The master user gets into the mailbox asked for.
    #[default]
    Honoured,
    /// The master user gets into its own mailbox, whatever name was asked for, even one that nobody has.
    Ignored,
    /// The same, but a name that nobody has is refused.
    IgnoredIfKnown,
}

/// How an account is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// Refused as a wrong password is.
    Denied,
    /// Refused with a code and a reason.
    NoLogin,
}

/// A Dovecot to be.
#[must_use]
pub struct DovecotBuilder {
    format: Format,
    users: Vec<(String, String)>,
    locked: Vec<(String, String, Locked)>,
    masters: Vec<(String, String)>,
    authzid: Authzid,
    acl: Acl,
    capability: Option<String>,
    quota_rule: Option<String>,
    metadata: bool,
    tls: Option<Flaw>,
    mechanisms: String,
    fsync: String,
    separator: char,
    prefix: String,
    list_escape: Option<char>,
    shares: bool,
    special_uses: Vec<(String, String)>,
    submission_port: Option<u16>,
    denies_by: Option<PathBuf>,
    extra: String,
}

/// The ports of a Dovecot that runs people's scripts.
#[derive(Clone, Copy, Debug)]
struct SievePorts {
    sieve: u16,
    lmtp: u16,
}

/// A Dovecot that runs until this value goes.
pub struct Dovecot {
    instance: Instance,
    format: Format,
    port: u16,
    tls_port: Option<u16>,
    sieve_ports: Option<SievePorts>,
    certificates: Option<Certificates>,
    program: PathBuf,
    greeting: String,
}

impl DovecotBuilder {
    /// How mail is kept.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Adds an account.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        assert!(!name.contains([':', '/']) && !password.contains(':'), "the user file can't hold these");
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Adds accounts.
    pub fn users<'a>(self, users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        users.into_iter().fold(self, |builder, (name, password)| builder.user(name, password))
    }

    /// Adds an account that nobody gets into, not even a master user.
    pub fn locked_user(mut self, name: &str, password: &str, how: Locked) -> Self {
        self.locked.push((name.to_owned(), password.to_owned(), how));
        self
    }

    /// Adds a master user: who logs in as `person*master`, or with SASL PLAIN and the person as authorisation identity.
    pub fn master(mut self, name: &str, password: &str) -> Self {
        self.masters.push((name.to_owned(), password.to_owned()));
        self
    }

    /// What becomes of a login in another's name.
    pub fn authzid(mut self, authzid: Authzid) -> Self {
        self.authzid = authzid;
        self
    }

    /// Access control lists.
    pub fn acl(mut self, acl: Acl) -> Self {
        self.acl = acl;
        self
    }

    /// What is announced after login, in full. The commands left out still work, so this shows whether a client obeys.
    pub fn capability(mut self, announced: &str) -> Self {
        self.capability = Some(announced.to_owned());
        self
    }

    /// A quota for everybody, as `quota_rule` has it: `*:storage=1M`, `*:messages=10`.
    pub fn quota(mut self, rule: &str) -> Self {
        self.quota_rule = Some(rule.to_owned());
        self
    }

    /// Offers METADATA.
    pub fn metadata(mut self) -> Self {
        self.metadata = true;
        self
    }

    /// Offers STARTTLS, and TLS from the start on [`Dovecot::tls_port`], with a certificate of the tests' own authority.
    pub fn tls(mut self, flaw: Flaw) -> Self {
        self.tls = Some(flaw);
        self
    }

    /// SASL mechanisms, `plain login` unless said otherwise; `scram-sha-256` is another.
    pub fn mechanisms(mut self, mechanisms: &str) -> Self {
        mechanisms.clone_into(&mut self.mechanisms);
        self
    }

    /// When Dovecot waits for the disk: `never` unless said otherwise, `optimized`, `always`.
    pub fn fsync(mut self, when: &str) -> Self {
        when.clone_into(&mut self.fsync);
        self
    }

    /// The person's own namespace: what stands between names, `/` unless said otherwise, and before them, nothing unless
    /// said otherwise.
    pub fn namespace(mut self, separator: char, prefix: &str) -> Self {
        self.separator = separator;
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Lets folder names hold the separator, behind this character.
    pub fn list_escape(mut self, escape: char) -> Self {
        self.list_escape = Some(escape);
        self
    }

    /// Shows people below `shared/NAME/` what others let them open. Needs access control lists: with [`Acl::OfOwner`].
    pub fn shared(mut self) -> Self {
        self.shares = true;
        self
    }

    /// Says what a folder is for; it is not made by that.
    pub fn special_use(mut self, folder: &str, attribute: &str) -> Self {
        self.special_uses.push((folder.to_owned(), attribute.to_owned()));
        self
    }

    /// Takes mail by LMTP and delivers it as people's Sieve scripts say, which they change by ManageSieve. What is sent on goes to the
    /// SMTP server on this port of loopback.
    pub fn sieve(mut self, submission_port: u16) -> Self {
        self.submission_port = Some(submission_port);
        self
    }

    /// Denies whom this file names, but for master users: an empty file is made, in a folder that is there.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn denies_by(mut self, file: &Path) -> Self {
        std::fs::write(file, "").expect("its folder is there");
        self.denies_by = Some(file.to_owned());
        self
    }

    /// Adds lines to the configuration's end.
    pub fn extra(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self.extra.push('\n');
        self
    }

    /// Starts it. None when the package is missing.
    pub fn start(self) -> Option<Dovecot> {
        let program = program(&["/usr/sbin/dovecot"], PACKAGE)?;
        if self.submission_port.is_some() {
            for (part, package) in SIEVE_PACKAGES {
                super::program(&[part], package)?;
            }
        }
        let mut instance = Instance::new(Ending::Group("TERM"));
        for folder in ["run", "state", "mail"] {
            instance.make_folder(folder);
        }
        if is_root() {
            run(Command::new("chown").arg("mail:mail").arg(instance.path("mail")));
        }
        let certificates = self.tls.map(Certificates::new);
        self.write_users(&instance);
        let greeting = format!("ready {}", instance.folder().file_name()?.display());
        // Another process may listen on the port before Dovecot does: then it ends and tries another.
        for _ in 0..5 {
            let (port, tls_port) = (free_port(), self.tls.map(|_| free_port()));
            let sieve_ports = self.submission_port.map(|_| SievePorts { sieve: free_port(), lmtp: free_port() });
            let mut config = self.configuration(&instance, port, tls_port, certificates.as_ref(), &greeting);
            if let (Some(ports), Some(submission_port)) = (sieve_ports, self.submission_port) {
                add_sieve(&mut config, ports, submission_port);
            }
            config.push_str(&self.extra);
            let config = instance.write("dovecot.conf", &config).display().to_string();
            if instance.start(&[&program.display().to_string(), "-F", "-c", &config], || greets(port, &greeting)) {
                let format = self.format;
                return Some(Dovecot {
                    instance,
                    format,
                    port,
                    tls_port,
                    sieve_ports,
                    certificates,
                    program,
                    greeting,
                });
            }
        }
        panic!("dovecot does not start\n{}", instance.said());
    }

    /// The files that accounts and master users are looked up in.
    fn write_users(&self, instance: &Instance) {
        let mail = instance.path("mail").display().to_string();
        let mut users = String::new();
        let mut denied = String::new();
        let locked = self.locked.iter().map(|(name, password, how)| (name, password, Some(*how)));
        let open = self.users.iter().map(|(name, password)| (name, password, None));
        // A master user has a mailbox of its own too, which is where an ignored authorisation identity leads.
        let masters = self.masters.iter().map(|(name, password)| (name, password, None));
        for (name, password, how) in open.chain(locked).chain(masters) {
            let no_login = if how == Some(Locked::NoLogin) { "nologin=y reason=Account_is_locked" } else { "" };
            let _ = writeln!(users, "{name}:{{PLAIN}}{password}::::{mail}/{name}::{no_login}");
            if how == Some(Locked::Denied) {
                let _ = writeln!(denied, "{name}");
            }
        }
        instance.write("users", &users);
        instance.write("denied", &denied);
        let masters = self.masters.iter().fold(String::new(), |mut text, (name, password)| {
            let _ = writeln!(text, "{name}:{{PLAIN}}{password}");
            text
        });
        instance.write("masters", &masters);
    }

    fn configuration(
        &self,
        instance: &Instance,
        port: u16,
        tls_port: Option<u16>,
        certificates: Option<&Certificates>,
        greeting: &str,
    ) -> String {
        let at = |name: &str| instance.path(name).display().to_string();
        let location = self.format.location();
        let (mail_user, mail_group) = runs_as("mail", "mail");
        let mut text = format!(
            "base_dir = {run}\n\
             state_dir = {state}\n\
             instance_name = {name}\n\
             log_path = {log}\n\
             protocols = imap\n\
             listen = 127.0.0.1\n\
             login_greeting = {greeting}\n\
             disable_plaintext_auth = no\n\
             auth_mechanisms = {mechanisms}\n\
             auth_master_user_separator = *\n\
             auth_username_chars =\n\
             auth_failure_delay = 0\n\
             first_valid_uid = 1\n\
             first_valid_gid = 1\n\
             mail_uid = {mail_user}\n\
             mail_gid = {mail_group}\n\
             mail_location = {location}\n\
             mail_fsync = {fsync}\n\
             mail_max_userip_connections = 0\n\
             default_process_limit = 1000\n\
             default_client_limit = 4000\n\
             default_vsz_limit = 0\n\
             ssl = {ssl}\n",
            run = at("run"),
            state = at("state"),
            name = instance.folder().file_name().unwrap_or_default().display(),
            log = at("log"),
            mechanisms = self.mechanisms,
            fsync = self.fsync,
            ssl = if certificates.is_some() { "yes" } else { "no" },
        );
        if let Some(certificates) = certificates {
            let (cert, key) = (certificates.cert_file(), certificates.key_file());
            let _ = writeln!(text, "ssl_cert = <{}\nssl_key = <{}", cert.display(), key.display());
        }
        self.add_login(&mut text, instance);
        self.add_plugins(&mut text, instance);
        self.add_namespace(&mut text);
        add_services(&mut text, port, tls_port);
        text
    }

    /// Who gets in, and into what.
    fn add_login(&self, text: &mut String, instance: &Instance) {
        let at = |name: &str| instance.path(name).display().to_string();
        let _ = writeln!(text, "passdb {{\n  driver = passwd-file\n  deny = yes\n  args = {}\n}}", at("denied"));
        if let Some(file) = &self.denies_by {
            // As docs/switch.md says.
            let file = file.display();
            let _ = writeln!(
                text,
                "passdb {{\n  driver = passwd-file\n  deny = yes\n  skip = authenticated\n  args = {file}\n}}"
            );
        }
        // Without `continue` the master user's word is enough: the name asked for need not exist.
        let result = if self.authzid == Authzid::Ignored { "return-ok" } else { "continue" };
        let _ = writeln!(
            text,
            "passdb {{\n  driver = passwd-file\n  master = yes\n  args = {}\n  result_success = {result}\n}}",
            at("masters")
        );
        let lookup = format!("username_format=%u {}", at("users"));
        let _ = writeln!(text, "passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN {lookup}\n}}");
        let who_logged_in = format!("user=%{{auth_user}} home={}/%{{auth_user}}", at("mail"));
        let _ = match self.authzid {
            Authzid::Honoured => writeln!(text, "userdb {{\n  driver = passwd-file\n  args = {lookup}\n}}"),
            Authzid::Ignored => {
                writeln!(text, "userdb {{\n  driver = static\n  args = {who_logged_in} allow_all_users=yes\n}}")
            }
            Authzid::IgnoredIfKnown => writeln!(
                text,
                "userdb {{\n  driver = passwd-file\n  args = {lookup}\n  override_fields = {who_logged_in}\n}}"
            ),
        };
    }

    fn add_plugins(&self, text: &mut String, instance: &Instance) {
        let mut plugins = String::from("$mail_plugins");
        let mut imap_plugins = String::from("$mail_plugins");
        let mut settings = String::new();
        if self.acl != Acl::Off {
            plugins.push_str(" acl");
            imap_plugins.push_str(" imap_acl");
            settings.push_str("  acl = vfile\n");
        }
        if self.acl == Acl::OfOwner {
            settings.push_str("  acl_user = %u\n");
        }
        if self.shares {
            let _ = writeln!(settings, "  acl_shared_dict = file:{}", instance.path("mail/shared.db").display());
        }
        if let Some(rule) = &self.quota_rule {
            plugins.push_str(" quota");
            imap_plugins.push_str(" imap_quota");
            let _ = writeln!(settings, "  quota = count:User quota\n  quota_vsizes = yes\n  quota_rule = {rule}");
        }
        if let Some(escape) = self.list_escape {
            plugins.push_str(" listescape");
            let _ = writeln!(settings, "  listescape_char = \"{}{escape}\"", if escape == '\\' { "\\" } else { "" });
        }
        if self.metadata {
            text.push_str("mail_attribute_dict = file:%h/dovecot-attributes\n");
        }
        let _ = writeln!(text, "mail_plugins = {plugins}\nprotocol imap {{\n  mail_plugins = {imap_plugins} imap_zlib");
        if self.metadata {
            text.push_str("  imap_metadata = yes\n");
        }
        if let Some(capability) = &self.capability {
            let _ = writeln!(text, "  imap_capability = {capability}");
        }
        let _ = writeln!(text, "}}\nplugin {{\n{settings}}}");
    }

    fn add_namespace(&self, text: &mut String) {
        let (separator, prefix) = (self.separator, &self.prefix);
        let _ = writeln!(text, "namespace inbox {{\n  inbox = yes\n  separator = {separator}\n  prefix = {prefix}");
        for (folder, attribute) in &self.special_uses {
            let _ = writeln!(text, "  mailbox \"{folder}\" {{\n    special_use = {attribute}\n  }}");
        }
        text.push_str("}\n");
        if self.shares {
            let (kind, folder) = self.format.location_below("%%h");
            let _ = writeln!(
                text,
                "namespace shared {{\n  type = shared\n  separator = {separator}\n  \
                 prefix = shared{separator}%%u{separator}\n  location = {kind}:{folder}\n  \
                 list = children\n  subscriptions = no\n}}"
            );
            // Where somebody's home is may be asked by the process of whoever was let into their folders.
            text.push_str("service auth {\n  unix_listener auth-userdb {\n    mode = 0777\n  }\n}\n");
        }
    }
}

/// The services: one login process for all connections, which is the fastest, and no penalty for wrong passwords.
fn add_services(text: &mut String, port: u16, tls_port: Option<u16>) {
    let tls_port = tls_port.unwrap_or(0);
    let _ = writeln!(
        text,
        "service imap-login {{\n  process_min_avail = 1\n  service_count = 0\n  \
         inet_listener imap {{\n    port = {port}\n  }}\n  \
         inet_listener imaps {{\n    port = {tls_port}\n    ssl = yes\n  }}\n}}\n\
         service imap {{\n  process_limit = 2000\n}}\n\
         service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}"
    );
    if !is_root() {
        let (user, group) = runs_as("", "");
        let _ = writeln!(text, "default_internal_user = {user}\ndefault_internal_group = {group}");
        let _ = writeln!(text, "default_login_user = {user}");
        for service in ["imap-login", "anvil", "stats"] {
            let _ = writeln!(text, "service {service} {{\n  chroot =\n}}");
        }
    }
}

/// Delivery by people's scripts, and the scripts themselves.
fn add_sieve(text: &mut String, ports: SievePorts, submission_port: u16) {
    let SievePorts { sieve, lmtp } = ports;
    let _ = writeln!(
        text,
        "protocols = imap lmtp sieve\nsubmission_host = 127.0.0.1:{submission_port}\nlda_mailbox_autocreate = yes\n\
         postmaster_address = postmaster@site.test\n\
         service managesieve-login {{\n  inet_listener sieve {{\n    port = {sieve}\n  }}\n}}\n\
         service lmtp {{\n  inet_listener lmtp {{\n    port = {lmtp}\n  }}\n}}\n\
         protocol lmtp {{\n  mail_plugins = $mail_plugins sieve\n}}\n\
         plugin {{\n  sieve = file:~/sieve;active=~/.dovecot.sieve\n}}"
    );
    if !is_root() {
        text.push_str("service managesieve-login {\n  chroot =\n}\n");
    }
}

impl Format {
    fn location(self) -> &'static str {
        match self {
            Self::Maildir => "maildir:~/Maildir",
            Self::Mdbox => "mdbox:~/mdbox",
            Self::Sdbox => "sdbox:~/sdbox",
            Self::Mbox => "mbox:~/mbox:INBOX=~/mbox/INBOX",
        }
    }

    /// The same below another's home.
    fn location_below(self, home: &str) -> (&'static str, String) {
        match self.location().split_once(':') {
            Some((kind, folder)) => (kind, folder.replace('~', home)),
            None => unreachable!("a location has a kind"),
        }
    }
}

impl Dovecot {
    /// A Dovecot with a maildir for each user, no TLS, no extras.
    pub fn builder() -> DovecotBuilder {
        DovecotBuilder {
            format: Format::default(),
            users: Vec::new(),
            locked: Vec::new(),
            masters: Vec::new(),
            authzid: Authzid::default(),
            acl: Acl::default(),
            capability: None,
            quota_rule: None,
            metadata: false,
            tls: None,
            mechanisms: "plain login".to_owned(),
            fsync: "never".to_owned(),
            separator: '/',
            prefix: String::new(),
            list_escape: None,
            shares: false,
            special_uses: Vec::new(),
            submission_port: None,
            denies_by: None,
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

    /// A user's home folder.
    pub fn home(&self, user: &str) -> PathBuf {
        self.instance.path("mail").join(user)
    }

    /// A user's Maildir, for tests that plant or read files behind Dovecot's back.
    ///
    /// # Panics
    /// When the format is another.
    pub fn maildir(&self, user: &str) -> PathBuf {
        assert_eq!(self.format, Format::Maildir, "only that format has one");
        self.home(user).join("Maildir")
    }

    /// Makes a file or folder below a user's home the mail user's, with all in it; needed for what a test run by root
    /// planted.
    pub fn give_to_mail_user(&self, path: &Path) {
        if is_root() {
            run(Command::new("chown").arg("-R").arg("mail:mail").arg(path));
        }
    }

    /// Runs `doveadm` on this instance and gives what it says.
    ///
    /// # Panics
    /// When it fails.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        run(&mut self.doveadm_command(arguments))
    }

    /// `doveadm` on this instance, for a test to run as it likes.
    pub fn doveadm_command(&self, arguments: &[&str]) -> Command {
        let mut doveadm = Command::new("doveadm");
        doveadm.arg("-c").arg(self.instance.path("dovecot.conf")).args(arguments);
        doveadm
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.instance.said()
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
        let config = self.instance.path("dovecot.conf").display().to_string();
        let command = [&*self.program.display().to_string(), "-F", "-c", &config];
        let (port, greeting) = (self.port, self.greeting.clone());
        let started = (0..5).any(|_| self.instance.start(&command, || greets(port, &greeting)));
        assert!(started, "dovecot does not start again\n{}", self.instance.said());
    }

    /// Lets it stand still: connections stay open and nothing is answered.
    pub fn freeze(&self) {
        self.instance.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.instance.signal(Signal::CONT);
    }
}
