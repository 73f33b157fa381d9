//! Sites whose mail servers read a directory, on real servers, changed by OpenLDAP's own tools; and a Postfix that reads one of them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use conformance::post::SmtpSink;
use conformance::router_suite::{Delivered, OwnRules, RouterWorld};
use conformance::servers::{Directory389, Dovecot, Ldif, Postfix, Record, SambaAd, Slapd};
use connector::router::SenderMode;
use connector::{Account, Recipient, Router, Secret};
use ldap::LdapRouter;
use ldap::config::{Kind, Tls};
use ldap::router::config::{CopyAttribute, RouterConfig, Way};

use super::Server;

pub(crate) const NEW: &str = "ann@new.test";
pub(crate) const OTHER: &str = "ann.other@new.test";
pub(crate) const HOME: &str = "ann@home.test";

/// Attributes that send mail on, as directories of Netscape's line, of qmail-ldap and of Postfix have them.
const SCHEMA: &str = "\
attributetype ( 2.16.840.1.113730.3.1.17 NAME 'mailForwardingAddress' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 2.16.840.1.113730.3.1.16 NAME 'mailDeliveryOption' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.4203.666.900.101 NAME ( 'maildrop' 'mailRoute' ) EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.4203.666.901.101 NAME 'mailForwarder' SUP top AUXILIARY MAY ( mailForwardingAddress $ mailDeliveryOption $ maildrop $ proxyAddresses ) )
";

/// How mail is sent on at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// By addresses; with one of the person's own among them a copy stays.
    Addresses,
    /// By addresses, and an attribute that says whether a copy stays.
    Option,
    /// As Exchange does; ours by an address.
    Target,
    /// As Exchange does; ours by a contact that the site has.
    Alternate,
    /// As Exchange does; ours by a contact that is made for it.
    Made,
}

/// A site.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) shape: Shape,
    pub(crate) config: RouterConfig,
    post: OnceLock<Post>,
}

impl Site {
    pub(crate) fn slapd(shape: Shape) -> Option<Self> {
        Self::slapd_with(shape, "index mailForwardingAddress pres,eq")
    }

    pub(crate) fn slapd_with(shape: Shape, settings: &str) -> Option<Self> {
        let slapd = Slapd::start_with_schema(SCHEMA, settings)?;
        let password = Secret::new(Slapd::ADMIN_PASSWORD);
        let mut config = RouterConfig::new(Kind::Ldap, "localhost", Slapd::ADMIN, password);
        (config.port, config.ca_file) = (Some(slapd.tls_port()), Some(slapd.ca_file()));
        if shape == Shape::Option {
            config.forwarding.copy = Some(CopyAttribute {
                attribute: "mailDeliveryOption".to_owned(),
                kept_with: Some("mailbox".to_owned()),
                not_kept_with: None,
                forwards_with: Some("forward".to_owned()),
            });
        }
        Some(Self::of(Server::Slapd(slapd), shape, config))
    }

    pub(crate) fn directory_389(shape: Shape) -> Option<Self> {
        let server = Directory389::start()?;
        let password = Secret::new(Directory389::ADMIN_PASSWORD);
        let mut config = RouterConfig::new(Kind::Ldap, "localhost", Directory389::ADMIN, password);
        (config.port, config.tls) = (Some(server.port()), Tls::None);
        Some(Self::of(Server::Directory389(server), shape, config))
    }

    pub(crate) fn samba(shape: Shape) -> Option<Self> {
        let samba = SambaAd::start()?;
        let password = Secret::new(SambaAd::ADMIN_PASSWORD);
        let mut config = RouterConfig::new(Kind::ActiveDirectory, samba.host(), SambaAd::ADMIN, password);
        config.ca_file = Some(samba.ca_file());
        if shape != Shape::Target {
            config.exchange.way = Way::AlternateRecipient;
        }
        if shape == Shape::Made {
            config.exchange.contacts = Some(SambaAd::ELSEWHERE.to_owned());
        }
        let site = Self::of(Server::Samba(samba), shape, config);
        for address in [HOME].into_iter().chain([NEW, OTHER].into_iter().filter(|_| shape == Shape::Alternate)) {
            site.contact(address);
        }
        Some(site)
    }

    fn of(server: Server, shape: Shape, config: RouterConfig) -> Self {
        let site = Self { server, shape, config, post: OnceLock::new() };
        for name in ["ann", "bob"] {
            site.enter(name, &[]);
        }
        site
    }

    pub(crate) fn router(&self) -> LdapRouter {
        LdapRouter::new(self.config.clone()).unwrap()
    }

    /// The router with other settings.
    pub(crate) fn router_with(&self, change: impl FnOnce(&mut RouterConfig)) -> LdapRouter {
        let mut config = self.config.clone();
        change(&mut config);
        LdapRouter::new(config).unwrap()
    }

    /// The router by a port of loopback that leads to the server's port without TLS.
    pub(crate) fn router_by(&self, port: u16) -> LdapRouter {
        self.router_with(|config| {
            (config.host, config.port, config.tls) = ("127.0.0.1".to_owned(), Some(port), Tls::None);
        })
    }

    /// Where it answers without TLS.
    pub(crate) fn in_clear(&self) -> String {
        match &self.server {
            Server::Slapd(slapd) => format!("127.0.0.1:{}", slapd.port()),
            Server::Samba(samba) => format!("{}:389", samba.host()),
            Server::Directory389(server) => format!("127.0.0.1:{}", server.port()),
        }
    }

    pub(crate) fn is_ad(&self) -> bool {
        matches!(self.server, Server::Samba(_))
    }

    pub(crate) fn who(name: &str) -> Recipient {
        Recipient::new(Account::named(name), format!("{name}@site.test"))
    }

    pub(crate) fn dn(&self, name: &str) -> String {
        let attribute = if self.is_ad() { "CN" } else { "uid" };
        format!("{attribute}={name},{}", self.server.people())
    }

    /// Makes a person's entry.
    pub(crate) fn enter(&self, name: &str, more: &[(&str, &[u8])]) {
        let mail = format!("{name}@site.test");
        let smtp = format!("SMTP:{mail}");
        let mut values: Vec<(&str, &[u8])> = vec![("mail", mail.as_bytes())];
        if self.is_ad() {
            values.extend([("objectClass", &b"user"[..]), ("sAMAccountName", name.as_bytes())]);
            values.push(("proxyAddresses", smtp.as_bytes()));
        } else {
            let is_389 = matches!(self.server, Server::Directory389(_));
            let class: &[u8] = if is_389 { b"mailRecipient" } else { b"mailForwarder" };
            values.extend([("objectClass", &b"inetOrgPerson"[..]), ("objectClass", class)]);
            values.extend([("uid", name.as_bytes()), ("cn", name.as_bytes()), ("sn", name.as_bytes())]);
        }
        values.extend(more);
        self.server.apply(&Ldif::new().add(&self.dn(name), &values));
    }

    /// The name of a contact with this address, made if it is not there.
    pub(crate) fn contact(&self, address: &str) -> String {
        let dn = format!("CN=contact {address},{}", self.server.elsewhere());
        let there = self.server.search(self.server.elsewhere(), &format!("(cn=contact {address})"), &["cn"]);
        if there.iter().all(|record| record.dn.is_empty()) {
            let smtp = format!("SMTP:{address}");
            let values = [
                ("objectClass", &b"contact"[..]),
                ("targetAddress", smtp.as_bytes()),
                ("proxyAddresses", smtp.as_bytes()),
                ("mail", address.as_bytes()),
            ];
            self.server.apply(&Ldif::new().add(&dn, &values));
        }
        dn
    }

    /// Gives an attribute of a person these values and no others.
    pub(crate) fn set(&self, name: &str, attribute: &str, values: &[&str]) {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        self.server.apply(&Ldif::new().replace(&self.dn(name), attribute, &values));
    }

    pub(crate) fn marker(&self) -> &str {
        self.config.marker()
    }

    pub(crate) fn record(&self, name: &str, attributes: &[&str]) -> Record {
        let filter = if self.is_ad() { format!("(cn={name})") } else { format!("(uid={name})") };
        let mut records = self.server.search(self.server.people(), &filter, attributes);
        records.retain(|record| !record.dn.is_empty());
        assert_eq!(records.len(), 1, "{name}");
        records.remove(0)
    }

    /// The values of an attribute of a person.
    pub(crate) fn values(&self, name: &str, attribute: &str) -> Vec<String> {
        self.record(name, &[attribute]).texts(attribute)
    }

    /// The marker that lies on a person's entry.
    pub(crate) fn marked(&self, name: &str) -> Option<String> {
        self.values(name, self.marker()).into_iter().find(|value| value.starts_with("whimbrel-redirect:"))
    }

    fn attributes(&self) -> Vec<&str> {
        let mut names = vec![self.marker(), "description", "info", "maildrop", "employeeNumber"];
        names.extend(["mailForwardingAddress", "mailDeliveryOption"]);
        names.extend(["targetAddress", "altRecipient", "deliverAndRedirect", "msExchGenericForwardingAddress"]);
        names.dedup();
        names
    }

    pub(crate) fn dump_of(&self, name: &str) -> String {
        let record = self.record(name, &self.attributes());
        let mut names: Vec<&str> = self.attributes();
        names.sort_unstable();
        names.dedup();
        let mut dump = String::new();
        for name in names {
            let mut values = record.values(name);
            values.sort_unstable();
            for value in values {
                writeln!(dump, "{name}: {}", value.escape_ascii()).unwrap();
            }
        }
        if self.shape == Shape::Made {
            // A contact that is made anew has another key.
            let mut pieces = dump.split("<GUID=").map(str::to_owned).collect::<Vec<_>>();
            for piece in pieces.iter_mut().skip(1) {
                *piece = piece.split_once('>').unwrap().1.to_owned();
            }
            dump = pieces.join("<key>");
            let asked = ["targetAddress", "proxyAddresses", "mail", "adminDescription"];
            let mut records = self.server.search(self.server.elsewhere(), "(cn=whimbrel-*)", &asked);
            let key = self.server.key(&self.record(name, &["objectGUID"]));
            let is_theirs = |record: &Record| record.texts("adminDescription")[0].contains(&format!("key={key} "));
            records.retain(|record| !record.dn.is_empty() && is_theirs(record));
            records.sort_by_key(|record| record.dn.clone());
            for record in records {
                writeln!(dump, "{}: {:?}", record.dn, asked.map(|name| record.texts(name))).unwrap();
            }
        }
        dump
    }

    /// What these rules are in attributes.
    fn rules(&self, who: &str, rules: &OwnRules) -> Option<Vec<(&'static str, Vec<String>)>> {
        let own = format!("{who}@site.test");
        Some(match (self.shape, rules) {
            (_, OwnRules::Files(_)) => return None,
            (Shape::Addresses, OwnRules::None) => vec![("mailForwardingAddress", vec![])],
            (Shape::Addresses, OwnRules::Forwards(to)) => vec![("mailForwardingAddress", vec![to.clone()])],
            (Shape::Addresses, OwnRules::Copies(to)) => vec![("mailForwardingAddress", vec![own, to.clone()])],
            (Shape::Option, OwnRules::None) => {
                vec![("mailForwardingAddress", vec![]), ("mailDeliveryOption", vec!["mailbox".to_owned()])]
            }
            (Shape::Option, OwnRules::Forwards(to)) => {
                vec![("mailForwardingAddress", vec![to.clone()]), ("mailDeliveryOption", vec!["forward".to_owned()])]
            }
            (Shape::Option, OwnRules::Copies(to)) => {
                let both = ["mailbox", "forward"].map(str::to_owned).to_vec();
                vec![("mailForwardingAddress", vec![to.clone()]), ("mailDeliveryOption", both)]
            }
            (_, OwnRules::None) => {
                vec![("targetAddress", vec![]), ("altRecipient", vec![]), ("deliverAndRedirect", vec![])]
            }
            (Shape::Target, OwnRules::Forwards(to)) => {
                let target = vec![format!("SMTP:{to}")];
                vec![("targetAddress", target), ("altRecipient", vec![]), ("deliverAndRedirect", vec![])]
            }
            (_, OwnRules::Forwards(to) | OwnRules::Copies(to)) => {
                let copy = if matches!(rules, OwnRules::Copies(_)) { "TRUE" } else { "FALSE" };
                let alternate = vec![self.contact(to)];
                vec![
                    ("targetAddress", vec![]),
                    ("altRecipient", alternate),
                    ("deliverAndRedirect", vec![copy.to_owned()]),
                ]
            }
        })
    }
}

/// All but printable ASCII, and `%`, as `%` and two digits: written anew, so that the form is tested.
fn encoded(value: &str) -> String {
    let one = |byte: u8| match byte {
        b'%' | 0..=32 | 127.. => format!("%{byte:02x}"),
        plain => char::from(plain).to_string(),
    };
    value.bytes().map(one).collect()
}

#[async_trait]
impl RouterWorld for Site {
    fn router(&self) -> Arc<dyn Router> {
        Arc::new(Self::router(self))
    }

    fn people(&self) -> [Recipient; 2] {
        ["ann", "bob"].map(Self::who)
    }

    async fn dump(&self, who: &Recipient) -> Vec<u8> {
        self.dump_of(&who.account.name).into_bytes()
    }

    async fn set_own(&self, who: &Recipient, rules: &OwnRules) -> bool {
        let name = &who.account.name;
        let Some(rules) = self.rules(name, rules) else { return false };
        let Some(marker) = self.marked(name) else {
            for (attribute, values) in rules {
                self.set(name, attribute, &values.iter().map(String::as_str).collect::<Vec<_>>());
            }
            return true;
        };
        // What comes back is what the marker says: who runs the site writes it there.
        let mut tokens: Vec<String> = marker.split(' ').map(str::to_owned).filter(|t| !t.starts_with("was:")).collect();
        for (attribute, values) in rules {
            tokens.extend(values.iter().map(|value| format!("was:{attribute}={}", encoded(value))));
        }
        let marker_of = self.marker().to_owned();
        self.set(name, &marker_of, &[&tokens.join(" ")]);
        true
    }

    async fn deliver(&self, who: &Recipient) -> Option<Delivered> {
        if !matches!(self.server, Server::Slapd(_)) {
            return None;
        }
        let post = match self.post.get() {
            Some(post) => post,
            None => {
                let _ = self.post.set(Post::start(self)?);
                self.post.get()?
            }
        };
        Some(post.deliver(&who.addresses[0]))
    }

    async fn copying(&self) -> Option<(Arc<dyn Router>, Recipient)> {
        if self.is_ad() {
            return None;
        }
        let router = self.router_with(|config| config.forwarding.keeps_copy = true);
        assert!(!router.offers().keeps_no_copy && router.offers().sender == SenderMode::Kept);
        Some((Arc::new(router), Self::who("ann")))
    }
}

/// A Postfix that asks the directory where mail goes.
struct Post {
    postfix: Postfix,
    keeper: Dovecot,
    sink: SmtpSink,
    handed_in: AtomicUsize,
    _folder: tempfile::TempDir,
}

impl Post {
    fn start(site: &Site) -> Option<Self> {
        let Server::Slapd(slapd) = &site.server else { return None };
        if !Path::new("/usr/lib/postfix/postfix-ldap.so").exists() {
            conformance::servers::left_out(
                "Postfix does not read directories: apt-get install --no-install-recommends postfix-ldap",
            );
            return None;
        }
        let keeper = Dovecot::builder().users([("ann@site.test", "pw"), ("bob@site.test", "pw")]).start()?;
        let sink = SmtpSink::start();
        let folder = tempfile::Builder::new().prefix("kit-").tempdir().unwrap();
        let map = |name: &str, filter: &str, result: &str| {
            let path: PathBuf = folder.path().join(name);
            let text = format!(
                "server_host = ldap://127.0.0.1:{}\nversion = 3\nbind = no\nsearch_base = {}\nscope = sub\n\
                 query_filter = {filter}\nresult_attribute = {result}\n",
                slapd.port(),
                site.server.people()
            );
            std::fs::write(&path, text).unwrap();
            format!("ldap:{}", path.display())
        };
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let maps = match site.shape {
            Shape::Addresses => map("forwards", "(mail=%s)", "mailForwardingAddress"),
            _ => format!(
                "unionmap:{{{}, {}}}",
                map("forwards", "(&(mail=%s)(mailDeliveryOption=forward))", "mailForwardingAddress"),
                map("keeps", "(&(mail=%s)(mailDeliveryOption=mailbox))", "mail"),
            ),
        };
        let settings = format!("virtual_alias_maps = {maps}\ndefault_transport = smtp:[127.0.0.1]:{}\n", sink.port());
        let postfix = Postfix::start_with("site.test", &keeper, &["ann@site.test", "bob@site.test"], &settings)?;
        Some(Self { postfix, keeper, sink, handed_in: AtomicUsize::new(0), _folder: folder })
    }

    /// Hands a message in, and waits for what becomes of it: until all that it was sent to, or kept for, has been there for a while.
    fn deliver(&self, to: &str) -> Delivered {
        let mark = format!("mark-{}-", self.handed_in.fetch_add(1, Ordering::Relaxed));
        hand_in(self.postfix.port(), to, &format!("Subject: {mark}\r\nX-Mark: {mark}\r\n\r\nHello\r\n"));
        let began = Instant::now();
        loop {
            let log = self.postfix.log();
            let posted = self.sink.posted().into_iter().filter(|posted| posted.message.contains(&mark));
            let sent_to: Vec<String> = posted.flat_map(|posted| posted.to).collect();
            let kept_in = self.kept(to, &mark);
            // A message is done with once its queue is empty.
            let is_done = !(sent_to.is_empty() && kept_in.is_empty()) && self.is_idle();
            if is_done || began.elapsed() > Duration::from_secs(60) {
                assert!(is_done, "{log}");
                return Delivered { kept_in, sent_to };
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn is_idle(&self) -> bool {
        ["incoming", "active", "deferred", "maildrop"].into_iter().all(|queue| self.postfix.queued(queue) == 0)
    }

    fn kept(&self, account: &str, mark: &str) -> Vec<String> {
        let mut kept = Vec::new();
        for folder in ["new", "cur"] {
            let Ok(files) = std::fs::read_dir(self.keeper.home(account).join("Maildir").join(folder)) else { continue };
            for file in files.flatten() {
                if std::fs::read_to_string(file.path()).is_ok_and(|text| text.contains(mark)) {
                    kept.push("INBOX".to_owned());
                }
            }
        }
        kept
    }
}

/// Hands a message in by SMTP.
fn hand_in(port: u16, to: &str, message: &str) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut lines = BufReader::new(stream);
    let mut step = |words: &str, expected: char| {
        lines.get_mut().write_all(words.as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            assert!(line.starts_with(expected), "{words:?} was answered {line:?}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    };
    step("", '2');
    step("EHLO tests\r\n", '2');
    step("MAIL FROM:<sender@outside.test>\r\n", '2');
    step(&format!("RCPT TO:<{to}>\r\n"), '2');
    step("DATA\r\n", '3');
    step(&format!("{message}.\r\n"), '2');
    step("QUIT\r\n", '2');
}
