//! Postfix, from a configuration of the harness's own: mail of one domain goes into the Maildirs of a Dovecot. Its build needs root.
//!
//! It has two ports, as servers of organisations do. On one, who sends has been authenticated – here by being there – and it writes so
//! into Authentication-Results under its own name. On the other anybody may hand in mail, and what such mail says in that name is
//! removed.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::PathBuf, process::Command};

use super::{
    Dovecot, free_port,
    instance::{Ending, Instance, greets},
    is_root, left_out, program, run,
};
use crate::certificates::{Certificates, Flaw};

pub(super) const PACKAGE: &str = "postfix";
pub(super) const PROGRAMS: &str = "/usr/lib/postfix/sbin";

/// A Postfix.
pub struct Postfix {
    instance: Instance,
    certificates: Certificates,
    domain: String,
    port: u16,
    submission_port: u16,
}

impl Postfix {
    /// Starts one of this domain that puts mail for these accounts of this Dovecot, of whatever domain, into their Maildirs. They are
    /// called by their whole addresses. None when the package is missing, or the tests don't run as root.
    pub fn start(domain: &str, keeper: &Dovecot, accounts: &[&str]) -> Option<Self> {
        Self::start_with(domain, keeper, accounts, "")
    }

    /// The same, with these lines at the end of its main.cf.
    pub fn start_with(domain: &str, keeper: &Dovecot, accounts: &[&str], settings: &str) -> Option<Self> {
        let master = program(&["/usr/lib/postfix/sbin/master"], PACKAGE)?;
        if !is_root() {
            left_out("postfix runs only where the tests run as root");
            return None;
        }
        let mut instance = Instance::new(Ending::Leader("TERM"));
        for folder in ["etc", "queue", "data"] {
            instance.make_folder(folder);
        }
        make_queue(&instance);
        let certificates = Certificates::new(Flaw::None);
        let greeting = format!("ready-{}", instance.folder().file_name()?.display());
        for _ in 0..5 {
            let (port, submission_port) = (free_port(), free_port());
            let main = main_configuration(&instance, &certificates, domain, (keeper, accounts), &greeting);
            instance.write("etc/main.cf", &format!("{main}{settings}"));
            instance.write("etc/master.cf", &services(port, submission_port));
            let etc = instance.path("etc").display().to_string();
            let command = [&*master.display().to_string(), "-c", &etc, "-d"];
            if instance.start(&command, || greets(port, &greeting)) {
                return Some(Self { instance, certificates, domain: domain.to_owned(), port, submission_port });
            }
        }
        panic!("postfix does not start\n{}", instance.said());
    }

    /// The port that anybody hands mail in on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of those who were authenticated. It offers STARTTLS.
    pub fn submission_port(&self) -> u16 {
        self.submission_port
    }

    /// The name that it writes into Authentication-Results.
    pub fn authserv_id(&self) -> String {
        format!("mx.{}", self.domain)
    }

    /// The authority that its certificate is to be checked against.
    pub fn ca_file(&self) -> PathBuf {
        self.certificates.ca_file()
    }

    /// How many messages wait in this queue: `incoming`, `active`, `deferred`, `maildrop`.
    pub fn queued(&self, queue: &str) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let Ok(entries) = fs::read_dir(folder) else { return 0 };
            entries.flatten().map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
        }
        count(&self.instance.path("queue").join(queue))
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.instance.said()
    }
}

/// What `postfix check` would make.
pub(super) fn make_queue(instance: &Instance) {
    let queue = instance.path("queue");
    let own =
        ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"];
    for name in own.iter().chain(&["maildrop", "pid", "public"]) {
        fs::create_dir_all(queue.join(name)).expect("the folder is ours");
    }
    for name in own {
        run(Command::new("chown").arg("postfix").arg(queue.join(name)));
        run(Command::new("chmod").arg("700").arg(queue.join(name)));
    }
    for (name, mode) in [("maildrop", "1730"), ("public", "710")] {
        run(Command::new("chown").arg("postfix:postdrop").arg(queue.join(name)));
        run(Command::new("chmod").arg(mode).arg(queue.join(name)));
    }
    run(Command::new("chown").arg("postfix").arg(instance.path("data")));
}

fn main_configuration(
    instance: &Instance,
    certificates: &Certificates,
    domain: &str,
    (keeper, accounts): (&Dovecot, &[&str]),
    greeting: &str,
) -> String {
    let at = |name: &str| instance.path(name).display().to_string();
    let mail = keeper.home("x").parent().expect("a home is in a folder").to_owned();
    let owner = fs::metadata(&mail).expect("the folder is there");
    let boxes: String = accounts.iter().map(|account| format!("{account} {account}/Maildir/\n")).collect();
    let of = |account: &&str| account.rsplit('@').next().unwrap_or(domain).to_owned();
    let domains: BTreeSet<String> = accounts.iter().map(of).chain([domain.to_owned()]).collect();
    let domains = Vec::from_iter(domains).join(" ");
    let senders = format!("/^(.+)$/ PREPEND Authentication-Results: mx.{domain}; auth=pass smtp.auth=$1\n");
    let foreign = format!("/^Authentication-Results:\\s*mx\\.{}/ IGNORE\n", domain.replace('.', "\\."));
    format!(
        "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {data}\ncommand_directory = /usr/sbin\n\
         daemon_directory = {PROGRAMS}\nmaillog_file = {log}\nmaillog_file_prefixes = {folder}\n\
         myhostname = mx.{domain}\nsmtpd_banner = {greeting} ESMTP\nmydestination =\ninet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\nlocal_recipient_maps =\n\
         virtual_mailbox_domains = {domains}\nvirtual_mailbox_base = {mail}\nvirtual_mailbox_maps = texthash:{boxes}\n\
         virtual_uid_maps = static:{user}\nvirtual_gid_maps = static:{group}\nvirtual_minimum_uid = 1\nvirtual_mailbox_limit = 0\n\
         smtp_host_lookup = native\nsmtp_dns_support_level = disabled\n\
         smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\nsmtpd_tls_security_level = may\n\
         smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n\
         inside_restrictions = check_sender_access regexp:{senders}, permit_mynetworks, reject\nforeign = regexp:{foreign}\n\
         message_size_limit = 102400000\nin_flow_delay = 0\nminimal_backoff_time = 1s\nmaximal_backoff_time = 5s\nqueue_run_delay = 1s\n",
        queue = at("queue"),
        data = at("data"),
        log = at("log"),
        folder = instance.folder().display(),
        cert = certificates.cert_file().display(),
        key = certificates.key_file().display(),
        mail = mail.display(),
        boxes = instance.write("etc/boxes", &boxes).display(),
        user = owner.uid(),
        group = owner.gid(),
        senders = instance.write("etc/senders", &senders).display(),
        foreign = instance.write("etc/foreign", &foreign).display(),
    )
}

fn services(port: u16, submission_port: u16) -> String {
    format!(
        "127.0.0.1:{port} inet n - n - - smtpd\n  -o cleanup_service_name=cleanup-of-others\n\
         127.0.0.1:{submission_port} inet n - n - - smtpd\n  -o smtpd_recipient_restrictions=$inside_restrictions\n\
         cleanup-of-others unix n - n - 0 cleanup\n  -o header_checks=$foreign\n{INNER_SERVICES}"
    )
}

/// The services behind those that take mail in.
pub(super) const INNER_SERVICES: &str = "cleanup   unix  n - n - 0 cleanup\n\
     pickup    unix  n - n 60 1 pickup\nqmgr      unix  n - n 300 1 qmgr\ntlsmgr    unix  - - n 1000? 1 tlsmgr\n\
     rewrite   unix  - - n - - trivial-rewrite\nbounce    unix  - - n - 0 bounce\ndefer     unix  - - n - 0 bounce\n\
     trace     unix  - - n - 0 bounce\nverify    unix  - - n - 1 verify\nflush     unix  n - n 1000? 0 flush\n\
     proxymap  unix  - - n - - proxymap\nproxywrite unix - - n - 1 proxymap\nsmtp      unix  - - n - - smtp\n\
     relay     unix  - - n - - smtp\nlmtp      unix  - - n - - lmtp\nshowq     unix  n - n - - showq\nerror     unix  - - n - - error\n\
     retry     unix  - - n - - error\ndiscard   unix  - - n - - discard\nvirtual   unix  - n n - - virtual\n\
     anvil     unix  - - n - 1 anvil\nscache    unix  - - n - 1 scache\npostlog   unix-dgram n - n - 1 postlogd\n";
