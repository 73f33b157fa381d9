//! The IMAP server in memory, asked by a client that others wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

use std::{path::Path, process::Command};

use conformance::{
    certificates::Flaw,
    imap_server::{ImapServer, ImapServerBuilder, Mechanism, Tls},
    servers::left_out,
};

fn builder() -> ImapServerBuilder {
    let mechanisms = [Mechanism::Plain, Mechanism::ScramSha256];
    ImapServer::builder().user("alice", "secret").admin("migrator", "m").mechanisms(&mechanisms)
}

#[test]
fn pythons_imaplib_finds_nothing_wrong_with_it() {
    let server = builder().tls(Tls::ByCommand, Flaw::None).start();
    let in_tls = builder().tls(Tls::FromTheStart, Flaw::None).start();
    // Two servers have two mailboxes: the second shows what the script left in the first one's folder.
    in_tls.person("alice").create("Work");
    in_tls.person("alice").deliver("Work", "Subject: one\r\n\r\n");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("imaplib_check.py");
    // One file with both authorities, since each server has its own.
    let authorities = tempfile::NamedTempFile::new().unwrap();
    let both = [server.ca_file(), in_tls.ca_file()].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    std::fs::write(authorities.path(), both).unwrap();
    let ports = [server.port(), in_tls.port()].map(|port| port.to_string());
    let Ok(output) = Command::new("python3").arg(script).args(ports).arg(authorities.path()).output() else {
        return left_out("python3 is not here: apt-get install --no-install-recommends python3");
    };
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!([server.violations(), in_tls.violations()].concat(), Vec::<String>::new());
}
