//! OpenLDAP's server, with content synchronisation and a few attributes like those of Exchange. It starts in a tenth of a second.

use std::{
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    free_port,
    instance::{Ending, Instance},
    ldif::{Ldif, Record, Tools},
    program, run,
};
use crate::certificates::Certificates;

const PACKAGE: &str = "slapd ldap-utils";

/// An OpenLDAP server.
pub struct Slapd {
    instance: Mutex<Instance>,
    certificates: Certificates,
    program: PathBuf,
    port: u16,
    tls_port: u16,
}

impl Slapd {
    /// What it holds.
    pub const SUFFIX: &str = "dc=example,dc=test";
    /// Who may do anything.
    pub const ADMIN: &str = "cn=admin,dc=example,dc=test";
    /// The password of whoever may do anything.
    pub const ADMIN_PASSWORD: &str = "admin";
    /// Who may read.
    pub const READER: &str = "cn=reader,dc=example,dc=test";
    /// The password of whoever may read.
    pub const READER_PASSWORD: &str = "reader";

    /// Starts one that offers content synchronisation (RFC 4533). None when the package is missing.
    pub fn start() -> Option<Self> {
        Self::start_with(true)
    }

    /// Starts one, with content synchronisation or without.
    pub fn start_with(syncs: bool) -> Option<Self> {
        Self::start_as(if syncs {
            ("", "moduleload syncprov", "overlay syncprov\nsyncprov-sessionlog 10000")
        } else {
            ("", "", "")
        })
    }

    /// Starts one that has these definitions in its schema, too, and these lines in the settings of its database.
    pub fn start_with_schema(schema: &str, settings: &str) -> Option<Self> {
        Self::start_as((schema, "", settings))
    }

    /// Starts one that keeps names of members, owners and who may open right by itself (slapo-refint).
    pub fn start_with_refint() -> Option<Self> {
        Self::start_as((
            "",
            "moduleload syncprov\nmoduleload refint",
            "overlay syncprov\nsyncprov-sessionlog 10000\noverlay refint\nrefint_attributes member owner mayOpen",
        ))
    }

    fn start_as((schema, module, overlay): (&str, &str, &str)) -> Option<Self> {
        let program = program(&["/usr/sbin/slapd"], PACKAGE)?;
        super::program(&["/usr/bin/ldapmodify"], PACKAGE)?;
        let instance = Instance::new(Ending::Leader("INT"));
        let certificates = Certificates::also_for(&[]);
        let folder = instance.folder().display().to_string();
        instance.make_folder("db");
        instance.write("mail.schema", &format!("{SCHEMA}{schema}"));
        let config = CONFIG
            .replace("{folder}", &folder)
            .replace("{module}", module)
            .replace("{overlay}", overlay)
            .replace("{cert}", &certificates.cert_file().display().to_string())
            .replace("{key}", &certificates.key_file().display().to_string())
            .replace("{ca}", &certificates.ca_file().display().to_string());
        let config = instance.write("slapd.conf", &config);
        let init = instance.write("init.ldif", INIT);
        run(Command::new(program.with_file_name("slapadd")).arg("-q").arg("-f").arg(config).arg("-l").arg(init));
        let server =
            Self { instance: Mutex::new(instance), certificates, program, port: free_port(), tls_port: free_port() };
        server.restart();
        Some(server)
    }

    /// Its port without TLS, and for StartTLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port for TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.certificates.ca_file()
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

    /// Ends it.
    pub fn stop(&self) {
        self.instance().stop();
    }

    /// Ends it and starts it again, on the same ports with the same data. What it kept in memory of changes is gone.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_after_stop(&self) {
        self.stop();
        self.restart();
    }

    /// Ends it and starts it again, with these lines more in the settings of its database.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_with(&self, settings: &str) {
        self.stop();
        {
            let instance = self.instance();
            let known = std::fs::read_to_string(instance.path("slapd.conf")).expect("the file is ours");
            instance.write("slapd.conf", &format!("{known}{settings}\n"));
        }
        self.restart();
    }

    /// Starts it, after it was ended.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        let mut instance = self.instance();
        let (program, config) = (self.program.display().to_string(), instance.path("slapd.conf").display().to_string());
        let urls = format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/", self.port, self.tls_port);
        let answers = || [self.port, self.tls_port].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok());
        let started = instance.start(&[&program, "-d", "none", "-f", &config, "-h", &urls], answers);
        assert!(started, "slapd does not start\n{}", instance.said());
    }

    fn tools(&self) -> Tools {
        Tools {
            url: format!("ldap://127.0.0.1:{}", self.port),
            ca_file: self.ca_file(),
            user: Self::ADMIN.to_owned(),
            password: Self::ADMIN_PASSWORD.to_owned(),
        }
    }

    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CONFIG: &str = r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/mail.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
{module}
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
TLSCACertificateFile {ca}
sizelimit size.soft=500 size.hard=500 size.prtotal=unlimited
database mdb
suffix "dc=example,dc=test"
rootdn "cn=admin,dc=example,dc=test"
rootpw admin
directory {folder}/db
maxsize 1073741824
dbnosync
index objectClass,entryUUID,entryCSN,modifyTimestamp,uid,mail,labeledURI,migrationOrigin eq
{overlay}
limits dn.exact="cn=reader,dc=example,dc=test" size.soft=unlimited size.hard=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"#;

/// A few attributes like those of Exchange, under the arc for experiments.
pub(super) const SCHEMA: &str = "\
attributetype ( 1.3.6.1.4.1.4203.666.900.1 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.900.3 NAME 'targetAddress' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.900.4 NAME 'legacyExchangeDN' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.900.5 NAME 'hiddenFromLists' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.900.6 NAME 'migrationOrigin' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.900.7 NAME 'organisationCode' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.900.8 NAME 'anyBytes' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
attributetype ( 1.3.6.1.4.1.4203.666.900.9 NAME 'hidesMobile' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.900.10 NAME 'mailQuotaSize' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.900.11 NAME 'publicDelegates' SUP distinguishedName )
attributetype ( 1.3.6.1.4.1.4203.666.900.12 NAME 'memberByMail' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.900.13 NAME 'mayOpen' SUP distinguishedName )
attributetype ( 1.3.6.1.4.1.4203.666.900.14 NAME 'maySendAs' SUP distinguishedName )
objectclass ( 1.3.6.1.4.1.4203.666.901.1 NAME 'mailRecipientOfTests' SUP top AUXILIARY MAY ( proxyAddresses $ targetAddress $ legacyExchangeDN $ hiddenFromLists $ migrationOrigin $ organisationCode $ anyBytes $ mail $ displayName $ employeeType $ departmentNumber $ telephoneNumber $ labeledURI $ hidesMobile $ mailQuotaSize $ publicDelegates $ mayOpen $ maySendAs $ memberByMail $ owner $ personalTitle $ uid $ employeeNumber ) )
";

pub(super) const INIT: &str = "\
dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=reader,dc=example,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reader

dn: ou=people,dc=example,dc=test
objectClass: organizationalUnit
ou: people

dn: ou=elsewhere,dc=example,dc=test
objectClass: organizationalUnit
ou: elsewhere

dn: ou=groups,dc=example,dc=test
objectClass: organizationalUnit
ou: groups
";
