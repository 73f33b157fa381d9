//! Sites whose mail server is a real Postfix, with our table in each of its forms.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use conformance::post::{SmtpSink, send};
use conformance::router_suite::{Delivered, OwnRules, RouterWorld};
use conformance::servers::{PostfixSite, PostfixSiteBuilder, Postgres};
use connector::{Account, Recipient, Router, Secret};
use postfix::{Config, FileTable, MapType, PostfixRouter, SiteMap, SqlTable, Syntax, Table, Tls};

pub(crate) const ANN: &str = "ann@site.test";
pub(crate) const BOB: &str = "bob@site.test";
pub(crate) const NEW: &str = "ann@new.test";

/// What makes the table in either database.
const DDL: &str =
    "CREATE TABLE whimbrel_redirect (address TEXT PRIMARY KEY, destination TEXT NOT NULL, origin TEXT NOT NULL)";
/// What is in a table of ours and is not ours.
pub(crate) const FOREIGN: &str =
    "# Kept by the site, ünd by hand.\r\nteam@site.test\r\n  x@home.test,\n\ty@home.test\n# end";

/// Where our table lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    File(MapType),
    Postgresql,
    Sqlite,
}

/// A site on a real Postfix.
pub(crate) struct World {
    pub(crate) site: PostfixSite,
    sink: SmtpSink,
    form: Form,
    pub(crate) config: Config,
    database: Option<String>,
    _folder: tempfile::TempDir,
    handed_in: AtomicUsize,
}

/// Somebody with two addresses.
pub(crate) fn person(account: &str) -> Recipient {
    let (local, domain) = account.split_once('@').unwrap();
    let addresses = vec![account.to_owned(), format!("{local}.two@{domain}")];
    Recipient::at(Account::named(account), addresses)
}

fn boxes(ann: &str, bob: &str) -> String {
    format!("{ANN} {ann}\nann.two@site.test {ann}\n{BOB} {bob}\nbob.two@site.test {bob}\n")
}

impl World {
    pub(crate) fn start(form: Form) -> Option<Self> {
        Self::start_with(form, |builder| builder)
    }

    pub(crate) fn start_with(form: Form, more: impl FnOnce(PostfixSiteBuilder) -> PostfixSiteBuilder) -> Option<Self> {
        let sink = SmtpSink::start();
        let mut builder = PostfixSite::builder("site.test", sink.port())
            .map("hash", "boxes", &boxes("ann/INBOX/", "bob/INBOX/"))
            .map("hash", "virtual", "list@site.test a@home.test, b@home.test\n")
            .settings("virtual_mailbox_domains = site.test\nvirtual_mailbox_maps = hash:{etc}/boxes");
        let mut database = None;
        // Postfix is another user.
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let ours = match form {
            Form::File(kind) => {
                builder = match kind {
                    MapType::Lmdb => builder.needs("postfix-lmdb"),
                    MapType::Cdb => builder.needs("postfix-cdb"),
                    _ => builder,
                };
                builder = match kind {
                    MapType::Texthash => builder.file("whimbrel", FOREIGN),
                    _ => builder.map(kind.name(), "whimbrel", FOREIGN),
                };
                format!("{}:{{etc}}/whimbrel", kind.name())
            }
            Form::Postgresql => {
                let server = Postgres::shared()?;
                let url = server.fresh_database();
                server.superuser_query(&url, DDL);
                server.superuser_query(&url, "ALTER TABLE whimbrel_redirect OWNER TO whimbrel");
                let name = url.rsplit('/').next().unwrap();
                builder = builder.needs("postfix-pgsql").file(
                    "whimbrel.cf",
                    &format!(
                        "hosts = 127.0.0.1:{}\nuser = whimbrel\npassword = x\ndbname = {name}\n\
                         query = SELECT destination FROM whimbrel_redirect WHERE address = '%s'\n",
                        server.port()
                    ),
                );
                database = Some(url);
                "pgsql:{etc}/whimbrel.cf".to_owned()
            }
            Form::Sqlite => {
                let path = folder.path().join("whimbrel.sqlite");
                sqlite(&path, DDL);
                let query = "SELECT destination FROM whimbrel_redirect WHERE address = '%s'";
                let text = format!("dbpath = {}\nquery = {query}\n", path.display());
                builder = builder.needs("postfix-sqlite").file("whimbrel.cf", &text);
                database = Some(format!("sqlite:{}", path.display()));
                "sqlite:{etc}/whimbrel.cf".to_owned()
            }
        };
        let builder = builder.settings(&format!("virtual_alias_maps = {ours}, hash:{{etc}}/virtual"));
        let site = more(builder).start()?;
        let mut config = match form {
            Form::File(kind) => {
                let mut table = FileTable::new(site.path("whimbrel"), kind);
                if kind == MapType::Texthash {
                    let folder = site.config_directory().display().to_string();
                    table.reload = ["postfix", "-c", &folder, "reload"].map(str::to_owned).to_vec();
                }
                Config::new(Table::File(table))
            }
            Form::Postgresql | Form::Sqlite => {
                let mut table = SqlTable::new(Secret::new(database.clone().unwrap()));
                table.database.tls = Tls::Off;
                let of = if form == Form::Sqlite { Table::Sqlite } else { Table::Postgresql };
                Config {
                    map: Some(ours.replace("{etc}", &site.path("").display().to_string()).replace("//", "/")),
                    ..Config::new(of(table))
                }
            }
        };
        config.config_directory = Some(site.config_directory());
        config.maps = vec![text_map(Syntax::Virtual, &site.path("virtual"))];
        Some(Self { site, sink, form, config, database, _folder: folder, handed_in: AtomicUsize::new(0) })
    }

    pub(crate) fn postfix_router(&self) -> PostfixRouter {
        PostfixRouter::new(self.config.clone()).unwrap()
    }

    /// The text table.
    pub(crate) fn table(&self) -> PathBuf {
        self.site.path("whimbrel")
    }

    /// Runs SQL in the table's database; the rows.
    pub(crate) fn sql(&self, statement: &str) -> String {
        let url = self.database.as_ref().unwrap();
        match url.strip_prefix("sqlite:") {
            Some(path) => sqlite(Path::new(path), statement),
            None => Postgres::shared().unwrap().superuser_query(url, statement),
        }
    }

    /// Hands in a message for this address, and waits for what becomes of it.
    pub(crate) fn hand_in(&self, address: &str, mailbox: &str) -> Delivered {
        let mark = format!("mark-{}-", self.handed_in.fetch_add(1, Ordering::Relaxed));
        let message = format!(
            "From: sender@outside.test\r\nTo: {address}\r\nSubject: {mark}\r\nMessage-ID: <{mark}@outside.test>\r\n\r\nHello"
        );
        send(self.site.port(), "sender@outside.test", address, &message);
        self.site.wait_until_delivered();
        let posted = self.sink.posted().into_iter().filter(|posted| posted.message.contains(&mark));
        let mut sent_to: Vec<String> = posted.flat_map(|posted| posted.to).collect();
        sent_to.sort();
        Delivered { kept_in: self.site.kept_in(mailbox, &mark), sent_to }
    }

    /// The senders of what was sent to this address.
    pub(crate) fn senders_to(&self, address: &str) -> Vec<String> {
        let posted = self.sink.posted().into_iter().filter(|posted| posted.to.iter().any(|to| to == address));
        posted.map(|posted| posted.from).collect()
    }

    /// What is in our table, byte for byte, and what Postfix finds in it.
    pub(crate) fn dumped(&self) -> String {
        let Form::File(kind) = self.form else {
            return self.sql("SELECT * FROM whimbrel_redirect ORDER BY 1, 2, 3");
        };
        let mut all = String::from_utf8_lossy(&std::fs::read(self.table()).unwrap()).into_owned();
        let mut files: Vec<String> = std::fs::read_dir(self.site.config_directory())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            // The lock stays once it was made.
            .filter(|name| name != "whimbrel.lock")
            .collect();
        files.sort();
        let _ = writeln!(all, "\nfiles: {files:?}");
        if kind != MapType::Texthash {
            all.push_str("compiled:\n");
            // cdb can't be listed.
            let keys = [ANN, "ann.two@site.test", BOB, "bob.two@site.test", "team@site.test"];
            for key in keys {
                let map = self.config.map_name().unwrap();
                let words =
                    ["-c", &self.site.config_directory().display().to_string(), "-q", key, &map].map(str::to_owned);
                let output = Command::new("postmap").args(words).output().unwrap();
                assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
                let value = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                let _ = writeln!(all, "{key} {value}");
            }
        }
        all
    }
}

pub(crate) fn text_map(syntax: Syntax, path: &Path) -> SiteMap {
    SiteMap { syntax, path: Some(path.to_owned()), query: None, database: postfix::Database::default(), map: None }
}

/// Runs SQL in a file of SQLite by its own means, as Python has it.
fn sqlite(path: &Path, statement: &str) -> String {
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=60)\n\
                  r = c.execute(sys.argv[2]).fetchall()\nc.commit()\n[print('|'.join(map(str, x))) for x in r]";
    let output = Command::new("python3").args(["-c", script]).arg(path).arg(statement).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[async_trait]
impl RouterWorld for World {
    fn router(&self) -> Arc<dyn Router> {
        Arc::new(self.postfix_router())
    }

    fn people(&self) -> [Recipient; 2] {
        [person(ANN), person(BOB)]
    }

    async fn dump(&self, who: &Recipient) -> Vec<u8> {
        let other = if who.account.name == ANN { "bob" } else { "ann" };
        let own = who.account.name.split('@').next().unwrap();
        let read = |name: &str| std::fs::read_to_string(self.site.path(name)).unwrap();
        let all = [self.dumped(), read("virtual"), read("boxes")].concat();
        // Lines of the other are not this person's, and neither are the names of either.
        let is_theirs = |line: &&str| {
            !line.starts_with(&format!("{other}@site")) && !line.starts_with(&format!("{other}.two@site"))
        };
        let mut text: String = all.split_inclusive('\n').filter(is_theirs).collect();
        for (from, to) in [("@site.test", "X@site.test"), (".two@site.test", "X.two@site.test"), ("/", "X/")] {
            text = text.replace(&format!("{own}{from}"), to);
        }
        text.into_bytes()
    }

    async fn set_own(&self, who: &Recipient, rules: &OwnRules) -> bool {
        // Each line that is the person's is taken out of the site's maps, and put back as the rules want it.
        let (virtuals, homes) = (self.site.path("virtual"), self.site.path("boxes"));
        let without = |path: &Path| -> String {
            let text = std::fs::read_to_string(path).unwrap();
            let is_theirs = |line: &&str| who.addresses.iter().any(|address| line.starts_with(&format!("{address} ")));
            text.split_inclusive('\n').filter(|line| !is_theirs(line)).collect()
        };
        let local = who.account.name.split('@').next().unwrap();
        let (mut virtual_text, mut box_text) = (without(&virtuals), without(&homes));
        for address in &who.addresses {
            let folder = match rules {
                OwnRules::Files(folder) => folder,
                _ => "INBOX",
            };
            let _ = writeln!(box_text, "{address} {local}/{folder}/");
            match rules {
                OwnRules::Forwards(to) => drop(writeln!(virtual_text, "{address} {to}")),
                OwnRules::Copies(to) => drop(writeln!(virtual_text, "{address} {address}, {to}")),
                OwnRules::None | OwnRules::Files(_) => {}
            }
        }
        self.site.write_map("virtual", &virtual_text);
        self.site.write_map("boxes", &box_text);
        true
    }

    async fn deliver(&self, who: &Recipient) -> Option<Delivered> {
        let turn = self.handed_in.load(Ordering::Relaxed) % who.addresses.len();
        let local = who.account.name.split('@').next().unwrap();
        Some(self.hand_in(&who.addresses[turn], local))
    }

    fn stranger(&self) -> Recipient {
        person("nobody@site.test")
    }

    /// A site whose Postfix does not ask our table, so that all mail would stay.
    async fn copying(&self) -> Option<(Arc<dyn Router>, Recipient)> {
        let mut config = self.config.clone();
        match &mut config.table {
            Table::File(file) => {
                let path = self.site.path("not-asked");
                self.site.write("not-asked", "");
                if file.map_type != MapType::Texthash {
                    self.site.postmap(&[&format!("{}:{}", file.map_type.name(), path.display())]);
                }
                file.path = path;
            }
            _ => config.map = Some("static:not-asked".to_owned()),
        }
        Some((Arc::new(PostfixRouter::new(config).unwrap()), person(ANN)))
    }
}
