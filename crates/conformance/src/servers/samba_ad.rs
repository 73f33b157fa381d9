//! Samba as a domain controller of Active Directory, with the attributes that Exchange adds to the schema.
//!
//! Its ports can't be chosen, so each instance has an address of its own in 127/8; that needs root. Making a domain takes ten
//! seconds, so it is made once per machine and copied: copy and start together take a second.

use std::{
    fmt::Write as _,
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    cache_folder,
    instance::{Ending, Instance},
    is_root,
    ldif::{Ldif, Record, Tools},
    left_out, program, run,
};
use crate::certificates::Certificates;

const PACKAGE: &str = "samba-ad-dc samba-ad-provision ldap-utils";

/// Which form the domain to copy has: raised when what is made changes.
const FORM: u32 = 3;

/// A domain controller.
pub struct SambaAd {
    instance: Mutex<Instance>,
    certificates: Certificates,
    program: PathBuf,
    address: String,
}

impl SambaAd {
    /// The domain.
    pub const DOMAIN: &str = "DC=corp,DC=example,DC=test";
    /// Where people are.
    pub const STAFF: &str = "OU=Staff,DC=corp,DC=example,DC=test";
    /// Where others are.
    pub const ELSEWHERE: &str = "OU=Elsewhere,DC=corp,DC=example,DC=test";
    /// Who may do anything.
    pub const ADMIN: &str = "administrator@corp.example.test";
    /// The password of whoever may do anything.
    pub const ADMIN_PASSWORD: &str = "Passw0rd.AD1";

    /// Starts one. None when the package is missing, or the tests don't run as root.
    pub fn start() -> Option<Self> {
        let program = program(&["/usr/sbin/samba"], PACKAGE)?;
        super::program(&["/usr/share/samba/setup/provision.ldif"], PACKAGE)?;
        super::program(&["/usr/bin/ldapmodify"], PACKAGE)?;
        if !is_root() {
            left_out("a domain controller has ports below 1024, which only root may have");
            return None;
        }
        let golden = golden(&program);
        let instance = Instance::new(Ending::Group("TERM"));
        run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(&golden).arg(instance.path("dc")));
        Some(Self::launched(instance, program))
    }

    /// Starts Samba on the domain in this folder, at an address that nobody has.
    fn launched(mut instance: Instance, program: PathBuf) -> Self {
        for _ in 0..5 {
            let address = free_address();
            let certificates = Certificates::also_for(&[&address, "dc1.corp.example.test"]);
            lay_out(&instance, &certificates, &address);
            let answers = || [389, 636].iter().all(|port| TcpStream::connect((address.as_str(), *port)).is_ok());
            let config = instance.path("dc/etc/smb.conf").display().to_string();
            let command = [&program.display().to_string(), "-F", "-M", "single", "--no-process-group", "-s", &config];
            if instance.start(&command, answers) {
                return Self { instance: Mutex::new(instance), certificates, program, address };
            }
        }
        panic!("samba does not start\n{}", instance.said());
    }

    /// Its address on loopback. Its certificate is for it.
    pub fn host(&self) -> &str {
        &self.address
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

    /// Gives an object one more entry of its DACL, in the words of SDDL (MS-DTYP section 2.5.1), by Samba's own tool.
    ///
    /// # Panics
    /// When the tool does not make it.
    pub fn grant(&self, dn: &str, ace: &str) {
        let folder = self.instance().path("dc/private/sam.ldb");
        let mut tool = Command::new("/usr/bin/samba-tool");
        tool.args(["dsacl", "set", "--action=allow", &format!("--objectdn={dn}"), &format!("--sddl={ace}"), "-H"]);
        run(tool.arg(folder).arg("-s").arg(self.instance().path("dc/etc/smb.conf")));
    }

    /// Ends it.
    pub fn stop(&self) {
        self.instance().stop();
    }

    /// Starts it again, at the same address with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        let mut instance = self.instance();
        let config = instance.path("dc/etc/smb.conf").display().to_string();
        let answers = || TcpStream::connect((self.address.as_str(), 389)).is_ok();
        let program = self.program.display().to_string();
        let started = instance.start(&[&program, "-F", "-M", "single", "--no-process-group", "-s", &config], answers);
        assert!(started, "samba does not start\n{}", instance.said());
    }

    fn tools(&self) -> Tools {
        Tools {
            url: format!("ldaps://{}", self.address),
            ca_file: self.ca_file(),
            user: Self::ADMIN.to_owned(),
            password: Self::ADMIN_PASSWORD.to_owned(),
        }
    }

    fn instance(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address of 127/8 at which nobody answers for a directory.
fn free_address() -> String {
    loop {
        let mut bytes = [0; 3];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
            .expect("the system has randomness");
        let address = format!("127.{}.{}.{}", 64 + bytes[0] % 128, bytes[1], 1 + bytes[2] % 254);
        if TcpListener::bind((address.as_str(), 389)).is_ok() {
            return address;
        }
    }
}

/// Everything beside the domain itself: folders, certificate, settings.
fn lay_out(instance: &Instance, certificates: &Certificates, address: &str) {
    use std::os::unix::fs::PermissionsExt;
    for folder in ["dc/etc", "dc/cache", "run/ncalrpc", "run/winbindd", "run/ntp", "tls"] {
        instance.make_folder(folder);
    }
    let private = |path: PathBuf, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the file is ours");
    };
    private(instance.path("run/ntp"), 0o700);
    let key = fs::read_to_string(certificates.key_file()).expect("the key was written");
    private(instance.write("tls/key.pem", &key), 0o600);
    let folder = instance.folder().display().to_string();
    let config = CONFIG
        .replace("{folder}", &folder)
        .replace("{address}", address)
        .replace("{cert}", &certificates.cert_file().display().to_string())
        .replace("{ca}", &certificates.ca_file().display().to_string());
    instance.write("dc/etc/smb.conf", &config);
}

/// A domain to copy, made if it is not there yet.
fn golden(program: &Path) -> PathBuf {
    let version = run(Command::new(program).arg("--version"));
    let name: String =
        version.trim().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let cache = cache_folder();
    let lock = fs::File::create(cache.join("samba.lock")).expect("the cache folder is ours");
    lock.lock().expect("a file of ours can be locked");
    let golden = cache.join(format!("{name}.domain-{FORM}"));
    if golden.exists() {
        return golden;
    }
    let instance = Instance::new(Ending::Group("TERM"));
    // The system's own settings would leak into the result.
    let empty = instance.write("empty.conf", "");
    let address = free_address();
    let mut provision = Command::new("/usr/bin/samba-tool");
    provision.args(["domain", "provision", "-s"]).arg(empty);
    provision.arg(format!("--targetdir={}", instance.path("dc").display()));
    provision.args(["--realm=CORP.EXAMPLE.TEST", "--domain=CORP", "--server-role=dc", "--dns-backend=NONE"]);
    provision.arg(format!("--adminpass={}", SambaAd::ADMIN_PASSWORD));
    provision.args(["--host-name=dc1", &format!("--host-ip={address}"), "--use-rfc2307"]);
    provision.args([format!("--option=interfaces={address}/8"), "--option=bind interfaces only=yes".to_owned()]);
    run(&mut provision);
    let server = SambaAd::launched(instance, program.to_owned());
    server.tools().apply(&schema());
    server.apply(
        &Ldif::new()
            .add(SambaAd::STAFF, &[("objectClass", b"organizationalUnit")])
            .add(SambaAd::ELSEWHERE, &[("objectClass", b"organizationalUnit")]),
    );
    server.stop();
    let half_made = cache.join(format!("{name}.domain-half-made"));
    let _ = fs::remove_dir_all(&half_made);
    run(Command::new("cp").arg("-a").arg(server.instance().path("dc")).arg(&half_made));
    fs::rename(&half_made, &golden).expect("both are in the cache folder");
    golden
}

/// The attributes of Exchange that the schema of a bare domain lacks, and the classes that may have them. Of the identifiers
/// only that they are unique matters here.
fn schema() -> String {
    const STRING: (&str, &str, &str) = ("2.5.5.12", "64", "");
    const NAME: (&str, &str, &str) = ("2.5.5.1", "127", "oMObjectClass:: KwwCh3McAIVK\n");
    // Linked, so that it follows whoever is called otherwise, and goes with them.
    const LINK: (&str, &str, &str) = ("2.5.5.1", "127", "oMObjectClass:: KwwCh3McAIVK\nlinkID: 126\n");
    const BACK_LINK: (&str, &str, &str) = ("2.5.5.1", "127", "oMObjectClass:: KwwCh3McAIVK\nlinkID: 127\n");
    const BYTES: (&str, &str, &str) = ("2.5.5.10", "4", "");
    const BOOLEAN: (&str, &str, &str) = ("2.5.5.8", "1", "");
    const INTEGER: (&str, &str, &str) = ("2.5.5.9", "2", "");
    const LARGE: (&str, &str, &str) = ("2.5.5.16", "65", "");
    const DESCRIPTOR: (&str, &str, &str) = ("2.5.5.15", "66", "");
    let mut attributes = vec![
        ("mailNickname", STRING, true),
        ("targetAddress", STRING, true),
        ("homeMDB", NAME, true),
        ("msExchHomeServerName", STRING, true),
        ("msExchMailboxGuid", BYTES, true),
        ("msExchMasterAccountSid", ("2.5.5.17", "4", ""), true),
        ("msExchHideFromAddressLists", BOOLEAN, true),
        ("msExchRecipientTypeDetails", LARGE, true),
        ("msExchMailboxSecurityDescriptor", DESCRIPTOR, true),
        ("msExchCoManagedByLink", NAME, false),
        ("altRecipient", LINK, true),
        ("altRecipientBL", BACK_LINK, false),
        ("deliverAndRedirect", BOOLEAN, true),
        ("msExchGenericForwardingAddress", STRING, true),
        ("publicDelegates", NAME, false),
        ("msExchDelegateListLink", NAME, false),
        ("mDBOverHardQuotaLimit", INTEGER, true),
    ];
    let extensions: Vec<String> = (1..=15).map(|number| format!("extensionAttribute{number}")).collect();
    attributes.extend(extensions.iter().map(|name| (name.as_str(), STRING, true)));
    let update = "dn:\nchangetype: modify\nadd: schemaUpdateNow\nschemaUpdateNow: 1\n\n";
    let mut text = String::new();
    for (number, (name, (syntax, om_syntax, class), is_single)) in attributes.iter().enumerate() {
        let single = if *is_single { "TRUE" } else { "FALSE" };
        writeln!(
            text,
            "dn: CN=kit-{name},CN=Schema,CN=Configuration,{}\nchangetype: add\nobjectClass: attributeSchema\n\
             lDAPDisplayName: {name}\nadminDisplayName: kit-{name}\nattributeID: 1.2.840.113556.1.4.7000.102.9{number:04}\n\
             attributeSyntax: {syntax}\noMSyntax: {om_syntax}\nisSingleValued: {single}\nsearchFlags: 1\n{class}",
            SambaAd::DOMAIN
        )
        .expect("a text takes anything");
    }
    text.push_str(update);
    for class in ["User", "Group", "Contact"] {
        let may: String = attributes.iter().map(|(name, ..)| format!("mayContain: {name}\n")).collect();
        writeln!(
            text,
            "dn: CN={class},CN=Schema,CN=Configuration,{}\nchangetype: modify\nadd: mayContain\n{may}",
            SambaAd::DOMAIN
        )
        .expect("a text takes anything");
    }
    text.push_str(update);
    text
}

const CONFIG: &str = "\
[global]
netbios name = DC1
workgroup = CORP
realm = CORP.EXAMPLE.TEST
server role = active directory domain controller
server services = ldap, cldap
interfaces = {address}/8
bind interfaces only = Yes
disable netbios = yes
private dir = {folder}/dc/private
state directory = {folder}/dc/state
cache directory = {folder}/dc/cache
lock directory = {folder}/dc
binddns dir = {folder}/dc/bind-dns
pid directory = {folder}/run
ncalrpc dir = {folder}/run/ncalrpc
winbindd socket directory = {folder}/run/winbindd
ntp signd socket directory = {folder}/run/ntp
log file = {folder}/log
max log size = 0
tls enabled = yes
tls certfile = {cert}
tls keyfile = {folder}/tls/key.pem
tls cafile = {ca}
ldap server require strong auth = no
dsdb:schema update allowed = true
ldb:nosync = true
idmap_ldb:use rfc2307 = yes
[sysvol]
path = {folder}/dc/state/sysvol
read only = No
";
