//! What a mail server asks about messages: OpenDKIM, which signs and checks signatures, and OpenDMARC, which refuses what the domain of
//! the sender does not vouch for. Both ask a name server of the test's.

use std::{fs, net::TcpStream, os::unix::fs::PermissionsExt, process::Command};

use super::{
    free_port,
    instance::{Ending, Instance},
    program,
    resolver::resolving_by,
    run,
};

/// The selector of signatures.
const SELECTOR: &str = "tests";

/// Something that a Postfix asks. OpenDKIM falls over now and then; as in service, it is started again by itself, and meanwhile Postfix
/// asks senders to come again.
struct Milter {
    _instance: Instance,
    port: u16,
}

/// An OpenDKIM.
pub struct OpenDkim(Milter);

/// An OpenDMARC.
pub struct OpenDmarc(Milter);

/// A key that mail is signed with.
pub struct DkimKey {
    private: String,
    public: String,
}

impl DkimKey {
    /// Makes one. None when the package is missing.
    pub fn make() -> Option<Self> {
        let openssl = program(&["/usr/bin/openssl"], "openssl")?;
        let folder = tempfile::tempdir().expect("the temporary folder can be written to");
        let file = folder.path().join("key");
        run(Command::new(&openssl).args(["genrsa", "-out"]).arg(&file).arg("2048"));
        let public = run(Command::new(&openssl).args(["rsa", "-pubout", "-in"]).arg(&file));
        let public = public.lines().filter(|line| !line.starts_with("--")).collect();
        Some(Self { private: fs::read_to_string(file).expect("it was written"), public })
    }

    /// Its record in a zone, for this domain.
    pub fn record(&self, domain: &str) -> String {
        let (first, rest) = self.public.split_at(200);
        format!("{SELECTOR}._domainkey.{domain}. 60 IN TXT \"v=DKIM1; k=rsa; p={first}\" \"{rest}\"\n")
    }
}

impl Milter {
    fn start(
        (name, option): (&str, &str),
        resolver: &str,
        options: &[(&str, &str)],
        files: &[(&str, &str)],
    ) -> Option<Self> {
        let program = program(&[&format!("/usr/sbin/{name}")], name)?;
        let mut instance = Instance::new(Ending::Group("TERM"));
        let mut command = resolving_by(&instance, resolver)?;
        for (name, text) in files {
            let text = text.replace("{folder}", &instance.folder().display().to_string());
            let file = instance.write(name, &text);
            fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("the file is ours");
        }
        let config = instance.path("settings");
        let (program, config) = (program.display().to_string(), config.display().to_string());
        command.extend([program, "-f".to_owned(), option.to_owned(), config]);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        for _ in 0..5 {
            let port = free_port();
            let folder = instance.folder().display().to_string();
            let lines: String = options.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
            let text = format!("Socket inet:{port}@127.0.0.1\nSyslog no\nAutoRestart yes\n{lines}")
                .replace("{folder}", &folder);
            instance.write("settings", &text);
            if instance.start(&command, || TcpStream::connect(("127.0.0.1", port)).is_ok()) {
                return Some(Self { _instance: instance, port });
            }
        }
        panic!("{name} does not start\n{}", instance.said());
    }

    fn name(&self) -> String {
        format!("inet:127.0.0.1:{}", self.port)
    }
}

impl OpenDkim {
    /// Starts one that signs mail of these domains with this key, and touches no other.
    pub fn signer(resolver: &str, key: &DkimKey, domains: &[&str]) -> Option<Self> {
        let signing: String = domains.iter().map(|domain| format!("{domain} {domain}\n")).collect();
        let keys: String =
            domains.iter().map(|domain| format!("{domain} {domain}:{SELECTOR}:{{folder}}/key\n")).collect();
        let options = [
            ("Mode", "s"),
            ("InternalHosts", "127.0.0.1"),
            ("SigningTable", "file:{folder}/signing"),
            ("KeyTable", "file:{folder}/keys"),
            ("Canonicalization", "relaxed/relaxed"),
            // It minds that anybody may write to the folder of temporary files.
            ("RequireSafeKeys", "no"),
        ];
        let files = [("key", key.private.as_str()), ("signing", &signing), ("keys", &keys)];
        Milter::start(("opendkim", "-x"), resolver, &options, &files).map(Self)
    }

    /// Starts one that checks the signatures of all mail, and writes what it finds under this name.
    pub fn checker(resolver: &str, authserv_id: &str) -> Option<Self> {
        // By itself it trusts this machine, which all servers of a test are.
        let options = [
            ("Mode", "v"),
            ("InternalHosts", "192.0.2.1"),
            ("AuthservID", authserv_id),
            ("AlwaysAddARHeader", "yes"),
            ("ResolverConfiguration", "{folder}/unbound"),
        ];
        // By itself its library asks nobody on this machine, and nobody about `test` (RFC 6761); and for a quarter of an hour nobody who was once
        // too slow to answer, as on a busy machine.
        let unbound = format!(
            "server:\n  do-not-query-localhost: no\n  infra-host-ttl: 1\n  local-zone: \"test.\" nodefault\nforward-zone:\n  name: \".\"\n  forward-addr: {resolver}\n"
        );
        Milter::start(("opendkim", "-x"), resolver, &options, &[("unbound", &unbound)]).map(Self)
    }

    /// As Postfix names it.
    pub fn name(&self) -> String {
        self.0.name()
    }
}

impl OpenDmarc {
    /// Starts one that goes by what was found before under this name, and refuses what fails unless it comes from one of these addresses.
    pub fn start(resolver: &str, authserv_id: &str, trusted: &[&str]) -> Option<Self> {
        let options = [
            ("AuthservID", authserv_id),
            ("TrustedAuthservIDs", authserv_id),
            ("RejectFailures", "true"),
            ("IgnoreHosts", "{folder}/trusted"),
            ("PidFile", "{folder}/pid"),
        ];
        Milter::start(("opendmarc", "-c"), resolver, &options, &[("trusted", &(trusted.join("\n") + "\n"))]).map(Self)
    }

    /// As Postfix names it.
    pub fn name(&self) -> String {
        self.0.name()
    }
}
