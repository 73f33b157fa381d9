//! An invented organisation in Active Directory, OpenLDAP as the platform, and a project that moves its people.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use conformance::servers::{Ldif, Record, SambaAd, Slapd};
use serde_json::Value;
use tempfile::TempDir;

use crate::project::{Endpoint, Run, program};

/// Where the platform's people are.
pub const PLATFORM: &str = "ou=people,dc=example,dc=test";

/// Changes handed to a directory's tool at once.
const PORTION: usize = 1_000;

/// How many of what there are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// People.
    pub people: usize,
    /// Groups: the first three go in a circle.
    pub groups: usize,
    /// Shared mailboxes, with two owners each.
    pub shared: usize,
    /// Rooms.
    pub rooms: usize,
    /// Accounts that the platform has already, of people who are in no directory here.
    pub strangers: usize,
}

/// An organisation, its platform, and the project.
pub struct Organisation {
    /// Its directory.
    pub ad: SambaAd,
    /// The platform's.
    pub platform: Slapd,
    folder: TempDir,
}

/// The name of the person of this number.
pub fn person_dn(number: usize) -> String {
    format!("CN=Person {number},{}", SambaAd::STAFF)
}

/// The person of this number hides the mobile number.
pub fn hides_mobile(number: usize) -> bool {
    number.is_multiple_of(5)
}

fn person(changes: Ldif, number: usize) -> Ldif {
    let (given, surname) = names(number);
    let texts = [
        ("objectClass", "user".to_owned()),
        ("userAccountControl", "544".to_owned()),
        ("sAMAccountName", format!("p{number}")),
        ("givenName", given.clone()),
        ("sn", surname.clone()),
        ("displayName", format!("{surname}, {given}")),
        ("mail", format!("p{number}@trust.test")),
        ("proxyAddresses", format!("SMTP:p{number}@trust.test")),
        ("proxyAddresses", format!("smtp:also.p{number}@trust.test")),
        ("legacyExchangeDN", legacy_dn(number)),
        ("employeeID", format!("{number:06}")),
        ("department", format!("Ward {}", number % 40)),
        ("title", "Nurse, Band 6".to_owned()),
        ("telephoneNumber", format!("+44 20 {number:06}")),
        ("mobile", format!("+44 7700 {number:06}")),
        ("extensionAttribute12", if hides_mobile(number) { "TRUE" } else { "FALSE" }.to_owned()),
    ];
    let values: Vec<(&str, &[u8])> = texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    changes.add(&person_dn(number), &values)
}

fn mailbox(changes: Ldif, kind: &str, recipient: &str, number: usize, people: usize) -> Ldif {
    let owners = [person_dn(number % people), person_dn((number + 1) % people)];
    let texts = [
        ("objectClass", "user".to_owned()),
        ("sAMAccountName", format!("{kind}{number}")),
        ("displayName", format!("{kind} {number}")),
        ("mail", format!("{kind}{number}@trust.test")),
        ("proxyAddresses", format!("SMTP:{kind}{number}@trust.test")),
        ("legacyExchangeDN", format!("/o=Trust/ou=First/cn=Recipients/cn={kind}{number}")),
        ("msExchRecipientTypeDetails", recipient.to_owned()),
        ("msExchCoManagedByLink", owners[0].clone()),
        ("msExchCoManagedByLink", owners[1].clone()),
    ];
    let values: Vec<(&str, &[u8])> = texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    changes.add(&format!("CN={kind} {number},{}", SambaAd::STAFF), &values)
}

/// The name of the group of this number.
pub fn group_dn(number: usize) -> String {
    format!("CN=Group {number},{}", SambaAd::STAFF)
}

fn group(changes: Ldif, number: usize, people: usize) -> Ldif {
    let mut texts = vec![
        ("objectClass", "group".to_owned()),
        ("groupType", "8".to_owned()),
        ("sAMAccountName", format!("g{number}")),
        ("displayName", format!("Group {number}")),
        ("mail", format!("group{number}@trust.test")),
        ("proxyAddresses", format!("SMTP:group{number}@trust.test")),
        ("managedBy", person_dn(number % people)),
    ];
    let members: std::collections::BTreeSet<usize> = (0..12).map(|nth| (number * 31 + nth * 7) % people).collect();
    texts.extend(members.into_iter().map(|member| ("member", person_dn(member))));
    let values: Vec<(&str, &[u8])> = texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    changes.add(&group_dn(number), &values)
}

/// The name of the stranger of this number on the platform.
pub fn stranger_dn(number: usize) -> String {
    format!("mail=stranger{number}@national.test,{PLATFORM}")
}

/// An account of somebody who is in no directory here.
pub fn stranger(changes: Ldif, number: usize) -> Ldif {
    let texts = [
        ("objectClass", "inetOrgPerson".to_owned()),
        ("objectClass", "mailRecipientOfTests".to_owned()),
        ("cn", format!("Stranger, No. {number}")),
        ("displayName", format!("Stranger, No. {number}")),
        ("givenName", "No.".to_owned()),
        ("sn", "Stranger".to_owned()),
        ("mail", format!("stranger{number}@national.test")),
        ("proxyAddresses", format!("SMTP:stranger{number}@national.test")),
        ("organisationCode", "RX1".to_owned()),
        ("mobile", format!("+44 7000 {number:06}")),
    ];
    let values: Vec<(&str, &[u8])> = texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    changes.add(&stranger_dn(number), &values)
}

/// An account of the person of this number, with their legacyExchangeDN and local id.
pub fn account_of(changes: Ldif, number: usize) -> Ldif {
    let (given, surname) = names(number);
    let texts = [
        ("objectClass", "inetOrgPerson".to_owned()),
        ("objectClass", "mailRecipientOfTests".to_owned()),
        ("cn", format!("{surname}, {given}")),
        ("displayName", format!("{surname}, {given}")),
        ("givenName", given),
        ("sn", surname),
        ("mail", format!("account{number}@national.test")),
        ("proxyAddresses", format!("SMTP:account{number}@national.test")),
        ("proxyAddresses", format!("X500:{}", legacy_dn(number))),
        ("organisationCode", "RX1".to_owned()),
        ("employeeNumber", format!("{number:06}")),
    ];
    let values: Vec<(&str, &[u8])> = texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    changes.add(&account_dn(number), &values)
}

/// The name of that account.
pub fn account_dn(number: usize) -> String {
    format!("mail=account{number}@national.test,{PLATFORM}")
}

/// The legacyExchangeDN of the person of this number.
pub fn legacy_dn(number: usize) -> String {
    format!("/o=Trust/ou=First/cn=Recipients/cn=p{number}")
}

/// First and last name of the person of this number. A few bear the same.
fn names(number: usize) -> (String, String) {
    (format!("Given{}", number % 997), format!("O'Neill-{}", number % 389))
}

impl Organisation {
    /// Starts both servers and fills them. None when one of them can't be started.
    pub fn start(size: Size) -> Option<Self> {
        let (ad, platform) = (SambaAd::start()?, Slapd::start()?);
        let in_portions = |count: usize, one: &dyn Fn(Ldif, usize) -> Ldif| {
            for from in (0..count).step_by(PORTION) {
                ad.apply(&(from..count.min(from + PORTION)).fold(Ldif::new(), one));
            }
        };
        in_portions(size.people, &person);
        in_portions(size.shared, &|changes, number| mailbox(changes, "Team", "4", number, size.people));
        in_portions(size.rooms, &|changes, number| mailbox(changes, "Room", "16", number, size.people));
        in_portions(size.groups, &|changes, number| group(changes, number, size.people));
        if size.groups > 3 {
            let circle = [(0, 1), (1, 2), (2, 0), (3, 0)];
            let nested = circle.iter().fold(Ldif::new(), |changes, (outer, inner)| {
                changes.add_values(&group_dn(*outer), "member", &[group_dn(*inner).as_bytes()])
            });
            ad.apply(&nested);
        }
        if size.strangers > 0 {
            platform.apply(&(0..size.strangers).fold(Ldif::new(), stranger));
        }
        let folder = tempfile::tempdir().expect("the temporary folder can be written to");
        let organisation = Self { ad, platform, folder };
        let port = organisation.platform.port();
        organisation.write(port);
        Some(organisation)
    }

    /// Adds people of these numbers to the directory.
    pub fn join(&self, numbers: std::ops::Range<usize>) {
        self.ad.apply(&numbers.fold(Ldif::new(), person));
    }

    /// Writes the project, with the platform at this port of loopback and the directory at its own.
    pub fn write(&self, platform_port: u16) {
        self.write_with(
            platform_port,
            &format!("host = {:?}\nca_file = \"{}\"", self.ad.host(), self.ad.ca_file().display()),
        );
    }

    /// Writes the project, with the directory at a port of loopback without TLS.
    pub fn write_by_relay(&self, ad_port: u16) {
        self.write_with(self.platform.port(), &format!("host = \"127.0.0.1\"\nport = {ad_port}\ntls = \"none\""));
    }

    fn write_with(&self, platform_port: u16, ad: &str) {
        let text = format!("{PROJECT}{SIDES}")
            .replace("{ad}", ad)
            .replace("{staff}", SambaAd::STAFF)
            .replace("{ad_user}", SambaAd::ADMIN)
            .replace("{port}", &platform_port.to_string())
            .replace("{platform}", PLATFORM)
            .replace("{platform_user}", Slapd::ADMIN);
        let write = |name: &str, text: &str| {
            let path = self.path().join(name);
            fs::write(&path, text).expect("the project can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the project can be written");
        };
        write("whimbrel.toml", &text);
        write("ad.password", SambaAd::ADMIN_PASSWORD);
        write("platform.password", Slapd::ADMIN_PASSWORD);
        write("people.csv", "source,target\n");
    }

    /// Takes a line out of the project's file.
    ///
    /// # Panics
    /// When it is not there.
    pub fn without(&self, line: &str) {
        let file = self.path().join("whimbrel.toml");
        let text = fs::read_to_string(&file).expect("the project was written");
        assert!(text.contains(line), "{line}");
        fs::write(&file, text.replacen(line, "", 1)).expect("the project can be written");
    }

    /// Its mail lies here and goes there, in place of files.
    pub fn with_mail(&self, source: &Endpoint, target: &Endpoint) {
        let file = self.path().join("whimbrel.toml");
        let text = fs::read_to_string(&file).expect("the project was written");
        let (rest, _) = text.split_once("[endpoints.local]").expect("the project has endpoints");
        let mut text = rest.to_owned();
        for (name, endpoint) in [("local", source), ("national", target)] {
            text.push_str(&endpoint.text(name, self.path()));
        }
        text.push_str(SIDES);
        fs::write(&file, text).expect("the project can be written");
    }

    /// The project's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these arguments, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--project").arg(self.path()).args(arguments);
        command
    }

    /// Runs the program to its end and gives its code and its JSON.
    ///
    /// # Panics
    /// When it gives none.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let run = Run::of(self.command(arguments).arg("--json"));
        let value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        (run.code, value)
    }

    /// Makes a plan and approves it; none when there is nothing to do.
    ///
    /// # Panics
    /// When it can't be approved.
    pub fn plan(&self) -> Option<Value> {
        let (_, plan) = self.json(&["people", "plan"]);
        let number = plan["plan"].as_i64()?.to_string();
        let digest = plan["digest"].as_str().expect("a plan has a digest");
        let approved = ["people", "plan", "--approve", &number, "--digest", digest, "--by", "The board"];
        let run = Run::of(&mut self.command(&approved));
        assert!(matches!(run.code, 0 | 1), "{run:?}");
        Some(plan)
    }

    /// What the platform holds, by OpenLDAP's own tool.
    pub fn on_platform(&self, filter: &str, attributes: &[&str]) -> Vec<Record> {
        self.platform.search(PLATFORM, filter, attributes)
    }

    /// How often each mark stands on the platform.
    pub fn marks(&self) -> BTreeMap<String, usize> {
        let mut marks = BTreeMap::new();
        for record in self.on_platform("(migrationOrigin=*)", &["migrationOrigin"]) {
            for mark in record.texts("migrationOrigin") {
                *marks.entry(mark).or_default() += 1;
            }
        }
        marks
    }
}

const PROJECT: &str = r#"version = 1
organisation = { name = "Example Trust", code = "RX1" }

[directories.ad]
kind = "active-directory"
{ad}
user = "{ad_user}"
password = { file = "ad.password" }
bases = ["{staff}"]
organisation = "RX1"
[directories.ad.attributes]
hides_mobile = ["extensionAttribute12"]
full_access = ["msExchDelegateListLink"]
[directories.ad.write]
base = "{staff}"

[directories.platform]
kind = "ldap"
host = "127.0.0.1"
port = {port}
tls = "none"
user = "{platform_user}"
password = { file = "platform.password" }
bases = ["{platform}"]
[directories.platform.attributes]
organisation = ["organisationCode"]
origin = ["migrationOrigin"]
hidden = ["hiddenFromLists"]
hides_mobile = ["hidesMobile"]
members = ["member", "memberByMail"]
delegates = ["publicDelegates"]
send_as = ["maySendAs"]
full_access = ["mayOpen"]
[directories.platform.write]
base = "{platform}"
mail_members = "memberByMail"
[directories.platform.write.kinds]
person = { object_classes = ["inetOrgPerson", "mailRecipientOfTests"] }
contact = { object_classes = ["inetOrgPerson", "mailRecipientOfTests"] }
shared = { object_classes = ["inetOrgPerson", "mailRecipientOfTests"] }
room = { object_classes = ["inetOrgPerson", "mailRecipientOfTests"] }
list = { object_classes = ["groupOfNames", "mailRecipientOfTests"] }

[people]
sources = ["ad"]
platform = "platform"
address_book = "ad"
domain = "national.test"
short_name = "extrust"
gone_free = 100

[endpoints.local]
kind = "maildir"
path = "mail/{source}"
[endpoints.national]
kind = "maildir"
path = "target/{target}"
"#;

const SIDES: &str = r#"[source]
mail = "local"
[target]
mail = "national"
"#;
