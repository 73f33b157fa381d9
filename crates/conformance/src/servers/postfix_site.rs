//! Postfix as the mail server of a whole site: its own mailboxes as Maildirs, virtual aliases of whatever kind, and all mail for elsewhere sent to
//! one port. Its build needs root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use super::{
    free_port,
    instance::{Ending, Instance, greets},
    is_root, left_out,
    postfix::{INNER_SERVICES, PACKAGE, PROGRAMS, make_queue},
    program,
    resolver::resolving_by,
    run,
};

/// How long mail may take through the queue, on a busy machine.
const QUEUE_SECONDS_MAX: u64 = 120;
/// Who owns the mailboxes.
const MAIL_USER: &str = "mail";

/// Options for a [`PostfixSite`].
pub struct PostfixSiteBuilder {
    domain: String,
    files: Vec<(String, String)>,
    maps: Vec<String>,
    settings: String,
    services: String,
    relay_port: u16,
    packages: Vec<&'static str>,
    programs: Vec<(&'static str, &'static str)>,
    resolver: Option<String>,
}

/// A Postfix that is a site's mail server.
pub struct PostfixSite {
    instance: Instance,
    port: u16,
}

impl PostfixSite {
    /// One for this domain, which sends all mail for elsewhere to this port of loopback.
    pub fn builder(domain: &str, relay_port: u16) -> PostfixSiteBuilder {
        PostfixSiteBuilder {
            domain: domain.to_owned(),
            files: Vec::new(),
            maps: Vec::new(),
            settings: String::new(),
            services: String::new(),
            relay_port,
            packages: Vec::new(),
            programs: Vec::new(),
            resolver: None,
        }
    }

    /// The port that anybody hands mail in on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its `main.cf`.
    pub fn config_directory(&self) -> PathBuf {
        self.instance.path("etc")
    }

    /// A file in the folder of `main.cf`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.instance.path("etc").join(name)
    }

    /// The folder that the mailboxes are in.
    pub fn mail(&self) -> PathBuf {
        self.instance.path("mail")
    }

    /// Writes a file of the site's in the folder of `main.cf`, as who runs it would.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        self.instance.write(&format!("etc/{name}"), text)
    }

    /// The same, and compiles it as a `hash`. The compiled file is renamed into its place: of one that is written over within a second of
    /// when a process has opened it, that process notices nothing.
    pub fn write_map(&self, name: &str, text: &str) {
        let new = self.write(&format!("{name}.new"), text);
        self.postmap(&[&format!("hash:{}", new.display())]);
        fs::rename(new, self.path(name)).expect("the folder is ours");
        fs::rename(self.path(&format!("{name}.new.db")), self.path(&format!("{name}.db"))).expect("the folder is ours");
    }

    /// Runs `postmap`; what it says.
    pub fn postmap(&self, arguments: &[&str]) -> String {
        run(Command::new("postmap").arg("-c").arg(self.config_directory()).args(arguments))
    }

    /// What the queue holds: a line of JSON for each message.
    pub fn queue(&self) -> Vec<String> {
        let text = run(Command::new("postqueue").arg("-c").arg(self.config_directory()).arg("-j"));
        text.lines().map(str::to_owned).collect()
    }

    /// Lets go what it has on hold.
    pub fn let_go(&self) {
        run(Command::new("postsuper").arg("-c").arg(self.config_directory()).args(["-H", "ALL"]));
    }

    /// Waits until all mail has been delivered or sent on.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_until_delivered(&self) {
        let began = Instant::now();
        while !self.queue().is_empty() {
            let waited = began.elapsed();
            assert!(waited < Duration::from_secs(QUEUE_SECONDS_MAX), "{:?}\n{}", self.queue(), self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The folders of this mailbox that hold a message with this text in it, once for each.
    pub fn kept_in(&self, mailbox: &str, mark: &str) -> Vec<String> {
        let list = |folder: &Path| -> Vec<PathBuf> {
            let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
            entries.map(|entry| entry.expect("it is readable").path()).collect()
        };
        let mut kept = Vec::new();
        for folder in list(&self.mail().join(mailbox)) {
            for file in list(&folder.join("new")) {
                let text = fs::read(&file).unwrap_or_default();
                if String::from_utf8_lossy(&text).contains(mark) {
                    kept.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
                }
            }
        }
        kept.sort();
        kept
    }

    /// The lines of its log that hold this.
    pub fn logged(&self, words: &str) -> Vec<String> {
        let log = fs::read(self.instance.path("log")).unwrap_or_default();
        let lines = String::from_utf8_lossy(&log).lines().map(str::to_owned).collect::<Vec<_>>();
        lines.into_iter().filter(|line| line.contains(words)).collect()
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.instance.said()
    }
}

impl PostfixSiteBuilder {
    /// A file in the folder of `main.cf`. In its text, as in settings, `{etc}` is that folder and `{base}` the one above it.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The same, compiled as this kind of map.
    #[must_use]
    pub fn map(mut self, kind: &str, name: &str, text: &str) -> Self {
        self.maps.push(format!("{kind}:{{etc}}/{name}"));
        self.file(name, text)
    }

    /// Lines of `main.cf`.
    #[must_use]
    pub fn settings(mut self, lines: &str) -> Self {
        self.settings.push_str(lines);
        self.settings.push('\n');
        self
    }

    /// Lines of `master.cf`.
    #[must_use]
    pub fn services(mut self, lines: &str) -> Self {
        self.services.push_str(lines);
        self.services.push('\n');
        self
    }

    /// A package of Debian that its maps need: `postfix-sqlite`.
    #[must_use]
    pub fn needs(mut self, package: &'static str) -> Self {
        self.packages.push(package);
        self
    }

    /// A program that it starts, and the package of Debian that brings it.
    #[must_use]
    pub fn needs_program(mut self, path: &'static str, package: &'static str) -> Self {
        self.programs.push((path, package));
        self
    }

    /// It sends mail where this name server says, by MX records, and whatever it starts asks that server, too.
    #[must_use]
    pub fn resolver(mut self, address: &str) -> Self {
        self.resolver = Some(address.to_owned());
        self.settings("relayhost =\nsmtp_host_lookup = dns\nsmtp_dns_support_level = enabled")
    }

    /// Starts it. None when a package is missing, or the tests don't run as root.
    pub fn start(self) -> Option<PostfixSite> {
        let master = program(&["/usr/lib/postfix/sbin/master"], PACKAGE)?;
        for package in &self.packages {
            program(&[&format!("/usr/lib/postfix/{package}.so")], package)?;
        }
        for (path, package) in &self.programs {
            program(&[path], package)?;
        }
        if !is_root() {
            left_out("postfix runs only where the tests run as root");
            return None;
        }
        let mut instance = Instance::new(Ending::Leader("TERM"));
        let resolving = match &self.resolver {
            Some(address) => resolving_by(&instance, address)?,
            None => Vec::new(),
        };
        for folder in ["etc", "queue", "data", "mail"] {
            instance.make_folder(folder);
        }
        make_queue(&instance);
        run(Command::new("chown").arg(MAIL_USER).arg(instance.path("mail")));
        // What kinds of maps there are.
        fs::copy("/etc/postfix/dynamicmaps.cf", instance.path("etc/dynamicmaps.cf")).expect("the package brings it");
        let (etc, base) = (instance.path("etc").display().to_string(), instance.folder().display().to_string());
        let placed = |text: &str| text.replace("{etc}", &etc).replace("{base}", &base);
        for (name, text) in &self.files {
            instance.write(&format!("etc/{name}"), &placed(text));
        }
        let greeting = format!("ready-{}", instance.folder().file_name()?.display());
        let id = |option: &str| run(Command::new("id").args([option, MAIL_USER])).trim().to_owned();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {base}/queue\ndata_directory = {base}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = {PROGRAMS}\nmeta_directory = {etc}\n\
             maillog_file = {base}/log\nmaillog_file_prefixes = {base}\nmyhostname = mx.{domain}\nmyorigin = {domain}\n\
             smtpd_banner = {greeting} ESMTP\nmydestination =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             mynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\nlocal_recipient_maps =\n\
             virtual_mailbox_base = {base}/mail\nvirtual_uid_maps = static:{user}\nvirtual_gid_maps = static:{group}\n\
             virtual_minimum_uid = 1\nvirtual_mailbox_limit = 0\nmailbox_size_limit = 0\nin_flow_delay = 0\n\
             smtp_host_lookup = native\nsmtp_dns_support_level = disabled\nrelayhost = [127.0.0.1]:{relay}\n\
             smtpd_recipient_restrictions = permit_mynetworks, reject\n\
             minimal_backoff_time = 1s\nmaximal_backoff_time = 5s\nqueue_run_delay = 1s\n{settings}",
            domain = self.domain,
            user = id("-u"),
            group = id("-g"),
            relay = self.relay_port,
            settings = placed(&self.settings),
        );
        instance.write("etc/main.cf", &last_of_each(&main));
        instance.write("etc/master.cf", "");
        for map in &self.maps {
            run(Command::new("postmap").arg("-c").arg(&etc).arg(placed(map)));
        }
        for _ in 0..5 {
            let port = free_port();
            let services = format!(
                "127.0.0.1:{port} inet n - n - - smtpd\n{INNER_SERVICES}local     unix  - n n - - local\n{}",
                placed(&self.services)
            );
            instance.write("etc/master.cf", &services);
            let own = [&*master.display().to_string(), "-c", &etc, "-d"];
            let command: Vec<&str> = resolving.iter().map(String::as_str).chain(own).collect();
            if instance.start(&command, || greets(port, &greeting)) {
                return Some(PostfixSite { instance, port });
            }
        }
        panic!("postfix does not start\n{}", instance.said());
    }
}

/// The last line of each name: Postfix warns of the others.
fn last_of_each(lines: &str) -> String {
    let lines: Vec<&str> = lines.lines().collect();
    let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let is_last = |at: &usize| !lines[at + 1..].iter().any(|later| name(later) == name(lines[*at]));
    (0..lines.len()).filter(is_last).map(|at| format!("{}\n", lines[at])).collect()
}
