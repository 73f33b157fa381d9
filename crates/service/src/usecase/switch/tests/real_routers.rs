//! The same with routers of the product, on real servers: people's scripts on Dovecot, a table that a Postfix asks first, in each of its
//! forms, and attributes in OpenLDAP and Active Directory. A switch and its undo are stopped right before and right after each change of
//! these; each call of the router fails, on either way, and so does the reverse of what failed. What lies in mailboxes is in memory.

use std::process::Command;
use std::time::Duration;

use conformance::post::{SmtpSink, hand_in};
use conformance::servers::{Dovecot, Format, Ldif, PostfixSite, Postgres, SambaAd, Slapd};
use conformance::whole;
use connector::{Account, OpenDoor, Secret};
use ldap::LdapRouter;
use ldap::config::Kind;
use ldap::router::config::RouterConfig;
use postfix::{FileTable, MapType, PostfixRouter, SqlTable, Table, Tls as SqlTls};
use sieve::{Impersonate, Login, SieveRouter, Tls};

use super::addresses::with_platform;
use super::stops::{Stop, Stopped, ann};
use super::*;

const MASTER: &str = "migrator";
const PASSWORD: &str = "secret";
/// A further address that ann has at the source.
const OLDER: &str = "ann@older.test";

/// A server that says where the mail of both sides goes.
pub(super) trait Site: Send + Sync {
    /// Where a message that is delivered now goes on to, if it does.
    fn leads(&self, at: &str) -> Option<String>;

    fn router(&self) -> Arc<dyn Router>;
}

/// A Dovecot that has the scripts of both sides, and what takes all that it sends on.
struct Scripts {
    dovecot: Dovecot,
    sink: SmtpSink,
}

impl Scripts {
    fn start() -> Option<Self> {
        let sink = SmtpSink::start();
        let builder = Dovecot::builder().format(Format::Maildir).master(MASTER, PASSWORD).sieve(sink.port());
        let dovecot = builder.users(ANN.map(|name| (name, PASSWORD))).start()?;
        Some(Self { dovecot, sink })
    }

    /// How many messages lie in a mailbox.
    fn stayed(&self, at: &str) -> usize {
        let maildir = self.dovecot.maildir(at);
        let files = |folder: &str| std::fs::read_dir(maildir.join(folder)).map_or(0, Iterator::count);
        files("new") + files("cur")
    }
}

impl Site for Scripts {
    /// One that is sent on must not stay as well.
    fn leads(&self, at: &str) -> Option<String> {
        let (before, stayed) = (self.sink.posted().len(), self.stayed(at));
        hand_in(self.dovecot.lmtp_port(), "someone@out.test", at, "Subject: where to?\r\n\r\nwhere to?\r\n");
        let sent_on: Vec<String> = self.sink.posted()[before..].iter().flat_map(|posted| posted.to.clone()).collect();
        assert_eq!(sent_on.len() + self.stayed(at) - stayed, 1, "it goes to one place: {at}: {sent_on:?}");
        sent_on.into_iter().next()
    }

    fn router(&self) -> Arc<dyn Router> {
        let mut config = sieve::Config::new("127.0.0.1");
        config.port = Some(self.dovecot.sieve_port());
        config.tls = Tls::None;
        config.sender = SenderMode::TrustedRelay;
        config.login = Some(Login {
            user: MASTER.to_owned(),
            password: Some(Secret::new(PASSWORD)),
            impersonate: Impersonate::Master("*".to_owned()),
        });
        Arc::new(SieveRouter::new(config).unwrap())
    }
}

/// What Postfix finds in a map, by its own program.
fn looked_up(config_directory: &std::path::Path, map: &str, at: &str) -> Option<String> {
    loop {
        let mut command = Command::new("postmap");
        let output = command.arg("-c").arg(config_directory).args(["-q", at, map]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("database is locked") {
            // Mail is tried again, too: whoever has written to it is done in a moment.
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        assert!(said.is_empty(), "{said}");
        // A text table has whose it is behind the address.
        return String::from_utf8(output.stdout).unwrap().split_whitespace().next().map(str::to_owned);
    }
}

/// A Postfix that asks a table of ours first.
struct Tables {
    postfix: PostfixSite,
    map: String,
    config: postfix::Config,
    _folder: tempfile::TempDir,
    _sink: SmtpSink,
}

/// Where the table lies.
#[derive(Clone, Copy, Debug)]
enum Form {
    File,
    Sqlite,
    Postgresql,
}

impl Tables {
    fn start(form: Form) -> Option<Self> {
        const DDL: &str = "CREATE TABLE whimbrel_redirect (address TEXT PRIMARY KEY, destination TEXT NOT NULL, origin TEXT NOT NULL)";
        const QUERY: &str = "query = SELECT destination FROM whimbrel_redirect WHERE address = '%s'\n";
        let sink = SmtpSink::start();
        let boxes = [ANN[0], ANN[1], OLDER].map(|at| format!("{at} {at}/\n")).concat();
        let mut builder = PostfixSite::builder("hill.test", sink.port()).map("hash", "boxes", &boxes).settings(
            "virtual_mailbox_domains = hill.test, nation.test, older.test\nvirtual_mailbox_maps = hash:{etc}/boxes",
        );
        // Postfix is another user.
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let (ours, database) = match form {
            Form::File => {
                builder = builder.map("hash", "whimbrel", "# Kept by the site.\n");
                ("hash:{etc}/whimbrel", None)
            }
            Form::Sqlite => {
                let path = folder.path().join("whimbrel.sqlite");
                let mut sqlite = Command::new("python3");
                sqlite.args(["-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])"]);
                assert!(sqlite.arg(&path).arg(DDL).status().unwrap().success());
                let text = format!("dbpath = {}\n{QUERY}", path.display());
                builder = builder.needs("postfix-sqlite").file("whimbrel.cf", &text);
                ("sqlite:{etc}/whimbrel.cf", Some(format!("sqlite:{}", path.display())))
            }
            Form::Postgresql => {
                let server = Postgres::shared()?;
                let url = server.fresh_database();
                server.superuser_query(&url, DDL);
                server.superuser_query(&url, "ALTER TABLE whimbrel_redirect OWNER TO whimbrel");
                let (port, name) = (server.port(), url.rsplit('/').next().unwrap());
                let place = format!("hosts = 127.0.0.1:{port}\nuser = whimbrel\npassword = x\ndbname = {name}\n");
                builder = builder.needs("postfix-pgsql").file("whimbrel.cf", &format!("{place}{QUERY}"));
                ("pgsql:{etc}/whimbrel.cf", Some(url))
            }
        };
        let postfix = builder.settings(&format!("virtual_alias_maps = {ours}")).start()?;
        let map = ours.replace("{etc}", &postfix.config_directory().display().to_string());
        let table = |url: Option<String>| {
            let mut table = SqlTable::new(Secret::new(url.unwrap_or_default()));
            table.database.tls = SqlTls::Off;
            table
        };
        let table = match form {
            Form::File => Table::File(FileTable::new(postfix.path("whimbrel"), MapType::Hash)),
            Form::Sqlite => Table::Sqlite(table(database)),
            Form::Postgresql => Table::Postgresql(table(database)),
        };
        let mut config = postfix::Config::new(table);
        config.map = database_map(form, &map);
        config.config_directory = Some(postfix.config_directory());
        config.sender = SenderMode::TrustedRelay;
        Some(Self { postfix, map, config, _folder: folder, _sink: sink })
    }
}

/// How `main.cf` names a table in a database; of one in a file that is known.
fn database_map(form: Form, map: &str) -> Option<String> {
    (!matches!(form, Form::File)).then(|| map.to_owned())
}

impl Site for Tables {
    fn leads(&self, at: &str) -> Option<String> {
        looked_up(&self.postfix.config_directory(), &self.map, at)
    }

    fn router(&self) -> Arc<dyn Router> {
        Arc::new(PostfixRouter::new(self.config.clone()).unwrap())
    }
}

/// An OpenLDAP that a Postfix asks where mail goes.
struct Attributes {
    _server: Slapd,
    config: RouterConfig,
    folder: tempfile::TempDir,
}

impl Attributes {
    fn start() -> Option<Self> {
        const SCHEMA: &str = "\
            attributetype ( 2.16.840.1.113730.3.1.17 NAME 'mailForwardingAddress' EQUALITY caseIgnoreIA5Match \
            SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )\n\
            objectclass ( 1.3.6.1.4.1.4203.666.901.101 NAME 'mailForwarder' SUP top AUXILIARY MAY mailForwardingAddress )\n";
        let server = Slapd::start_with_schema(SCHEMA, "")?;
        for at in ANN {
            let values = ["inetOrgPerson", "mailForwarder"].map(|class| ("objectClass", class.as_bytes()));
            let names = ["uid", "cn", "sn", "mail"].map(|name| (name, at.as_bytes()));
            let older = [("mail", OLDER.as_bytes())];
            let older = if at == ANN[0] { &older[..] } else { &[] };
            let values = [&values[..], &names[..], older].concat();
            server.apply(&Ldif::new().add(&format!("uid={at},{}", Slapd::SUFFIX), &values));
        }
        let password = Secret::new(Slapd::ADMIN_PASSWORD);
        let mut config = RouterConfig::new(Kind::Ldap, "localhost", Slapd::ADMIN, password);
        (config.port, config.ca_file) = (Some(server.tls_port()), Some(server.ca_file()));
        config.sender = SenderMode::TrustedRelay;
        let folder = tempfile::tempdir().unwrap();
        let map = format!(
            "server_host = ldap://127.0.0.1:{}\nversion = 3\nbind = no\nsearch_base = {}\nscope = sub\n\
             query_filter = (mail=%s)\nresult_attribute = mailForwardingAddress\n",
            server.port(),
            Slapd::SUFFIX
        );
        if !std::path::Path::new("/usr/lib/postfix/postfix-ldap.so").exists() {
            conformance::servers::left_out("Postfix does not read directories: apt-get install postfix-ldap");
            return None;
        }
        std::fs::write(folder.path().join("forwards.cf"), map).unwrap();
        std::fs::write(folder.path().join("main.cf"), "compatibility_level = 3.6\n").unwrap();
        std::fs::copy("/etc/postfix/dynamicmaps.cf", folder.path().join("dynamicmaps.cf")).unwrap();
        Some(Self { _server: server, config, folder })
    }
}

impl Site for Attributes {
    fn leads(&self, at: &str) -> Option<String> {
        let map = format!("ldap:{}", self.folder.path().join("forwards.cf").display());
        looked_up(self.folder.path(), &map, at)
    }

    fn router(&self) -> Arc<dyn Router> {
        Arc::new(LdapRouter::new(self.config.clone()).unwrap())
    }
}

/// A domain controller with the attributes of Exchange.
struct ActiveDirectory {
    server: SambaAd,
    config: RouterConfig,
}

impl ActiveDirectory {
    fn start() -> Option<Self> {
        let server = SambaAd::start()?;
        for (name, at) in ["ann", "ann.new"].into_iter().zip(ANN) {
            let (smtp, older) = (format!("SMTP:{at}"), format!("smtp:{OLDER}"));
            let mut values = vec![
                ("objectClass", &b"user"[..]),
                ("sAMAccountName", name.as_bytes()),
                ("userPrincipalName", at.as_bytes()),
                ("mail", at.as_bytes()),
                ("proxyAddresses", smtp.as_bytes()),
            ];
            values.extend((at == ANN[0]).then_some(("proxyAddresses", older.as_bytes())));
            server.apply(&Ldif::new().add(&format!("CN={name},{}", SambaAd::STAFF), &values));
        }
        let password = Secret::new(SambaAd::ADMIN_PASSWORD);
        let mut config = RouterConfig::new(Kind::ActiveDirectory, server.host(), SambaAd::ADMIN, password);
        config.ca_file = Some(server.ca_file());
        config.sender = SenderMode::TrustedRelay;
        Some(Self { server, config })
    }
}

impl Site for ActiveDirectory {
    fn leads(&self, at: &str) -> Option<String> {
        let found = self.server.search(SambaAd::STAFF, &format!("(userPrincipalName={at})"), &["targetAddress"]);
        let found = found.iter().flat_map(|record| record.texts("targetAddress")).next()?;
        found.strip_prefix("SMTP:").map(str::to_owned)
    }

    fn router(&self) -> Arc<dyn Router> {
        Arc::new(LdapRouter::new(self.config.clone()).unwrap())
    }
}

/// A router whose calls fail as they are told to; else those of a real one.
pub(super) struct FailingRouter {
    pub(super) sites: Sites,
    pub(super) router: Arc<dyn Router>,
}

impl FailingRouter {
    fn begin(&self) -> Result<Option<How>, Error> {
        match self.sites.mail().begin() {
            Some(How::Never) => Err(unavailable(Cause::Refused)),
            Some(How::Before) => Err(unavailable(Cause::Unavailable)),
            other => Ok(other),
        }
    }

    /// What came of a change, unless the answer is lost.
    fn answered(how: Option<How>, answer: Result<Rerouted, Error>) -> Result<Rerouted, Error> {
        if how.is_some() { Err(unavailable(Cause::InDoubt)) } else { answer }
    }
}

#[async_trait]
impl Router for FailingRouter {
    fn offers(&self) -> RouterOffers {
        self.router.offers()
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        match self.begin()? {
            Some(_) => Err(unavailable(Cause::Unavailable)),
            None => self.router.read(who).await,
        }
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        let how = self.begin()?;
        Self::answered(how, self.router.redirect(who, to, door).await)
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        let how = self.begin()?;
        Self::answered(how, self.router.release(who, door).await)
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        self.router.check(who).await
    }
}

/// Ann, in step, between these two sites, with her forwarder on.
async fn project_at(site: &Arc<dyn Site>) -> Project {
    for name in ANN {
        let who = Recipient::new(Account::named(name), name);
        site.router().release(&who, &OpenDoor).await.unwrap();
    }
    let project = Project::at(&[], Some(site.clone())).await;
    project.forward().await;
    project.turn().await;
    assert_eq!(site.leads(ANN[1]).as_deref(), Some(ANN[0]), "it is on at once");
    project
}

/// The same, or switched; it is stopped at changes of where mail goes.
async fn ann_at(site: &Arc<dyn Site>, is_switched: bool) -> Stopped {
    let (project, flaky) = with_platform(project_at(site).await, vec![ann()]);
    Stopped::of(project, flaky, Stop::at_each(Effect::Route), is_switched).await
}

/// Stopped right before and right after each change, on either way.
async fn stopped_everywhere(site: &Arc<dyn Site>) {
    for is_back in [false, true] {
        let count = ann_at(site, is_back).await.goes(is_back, 0, "counting").await;
        println!("back: {is_back}: {count} moments, two a change");
        assert!(count >= 4, "{count}");
        for moment in whole::moments(count as u64, 5) {
            let what = format!("back: {is_back}, stopped at {moment} of {count}");
            ann_at(site, is_back).await.goes(is_back, moment as usize, &what).await;
        }
    }
}

/// Each call fails in each way, once and for a while, on either way.
async fn fails_everywhere(site: &Arc<dyn Site>) {
    const WAYS: [(How, usize); 6] =
        [(How::Before, 1), (How::Before, 3), (How::After, 1), (How::After, 2), (How::Never, 1), (How::Never, 4)];
    for is_back in [false, true] {
        let project = project_at(site).await;
        stops::order(&project, is_back).await;
        let before = project.sites.mail().calls;
        project.until_it_ends("counting").await;
        let count = project.sites.mail().calls - before;
        assert!(count >= 6, "{count}");
        println!("back: {is_back}: {count} calls");
        for number in whole::moments((count * WAYS.len()) as u64, 211) {
            let (first, (how, lasts)) =
                (1 + (number as usize - 1) / WAYS.len(), WAYS[(number as usize - 1) % WAYS.len()]);
            let what = format!("back: {is_back}, call {first} of {count}, {lasts} times {how:?}");
            let project = project_at(site).await;
            let mut sent = stops::order(&project, is_back).await;
            project.sites.mail().fail(first, lasts, how);
            sent.extend(project.until_it_ends(&what).await);
            project.sites.mail().failing.clear();
            project.judge(&sent, &what).await;
            stops::has_ended(&project, &what).await;
        }
    }
}

/// A call fails for good, and one of the reverse fails as well.
async fn reverse_fails_everywhere(site: &Arc<dyn Site>) {
    let project = project_at(site).await;
    stops::order(&project, false).await;
    let before = project.sites.mail().calls;
    project.until_it_ends("counting").await;
    let count = project.sites.mail().calls - before;
    for number in whole::moments(stops::reverses(count), 601) {
        stops::fails_on_both_ways(&project_at(site).await, count, number).await;
    }
}

macro_rules! on_real_servers {
    ($($name:ident: $site:expr;)+) => {
        $(mod $name {
            use super::*;

            #[tokio::test]
            async fn stopped_at_every_change_every_message_comes_once() {
                let Some(site) = $site else { return };
                let site: Arc<dyn Site> = Arc::new(site);
                stopped_everywhere(&site).await;
            }

            #[tokio::test]
            async fn wherever_a_call_fails_every_message_comes_once() {
                let Some(site) = $site else { return };
                let site: Arc<dyn Site> = Arc::new(site);
                fails_everywhere(&site).await;
            }

            #[tokio::test]
            async fn wherever_the_reverse_fails_too_every_message_comes_once() {
                let Some(site) = $site else { return };
                let site: Arc<dyn Site> = Arc::new(site);
                reverse_fails_everywhere(&site).await;
            }
        })+
    };
}

on_real_servers! {
    scripts: Scripts::start();
    postfix_file: Tables::start(Form::File);
    postfix_sqlite: Tables::start(Form::Sqlite);
    postfix_postgresql: Tables::start(Form::Postgresql);
    openldap: Attributes::start();
    active_directory: ActiveDirectory::start();
}
