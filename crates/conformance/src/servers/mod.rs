//! Real servers for the tests: each instance in a temporary folder of its own, on loopback, on ports of its own.
//!
//! Any number run side by side. None reads `/etc`, none runs as a service, and all end with the value that started them,
//! or with the test process if that dies first: a small shell script (`keeper.sh`) waits on a pipe whose other end only
//! the test process holds. That works for `kill -9` too, and unlike a parent-death signal it doesn't depend on which
//! thread started the server.
//!
//! Everything here blocks, for a tenth of a second or less, and can be called from async tests as well.
//!
//! Where a package is missing, starting returns none after saying so on standard error; the test then returns early and
//! counts as passed. With `WHIMBREL_REQUIRE_SERVERS=1`, as in CI, it fails instead. `WHIMBREL_LEFT_OUT` may name a file
//! that collects these lines, for a summary at the end.

mod clamd;
mod cyrus;
mod directory_389;
mod dovecot;
mod instance;
mod knot;
mod ldif;
mod mariadb;
mod milters;
mod postfix;
mod postfix_site;
mod postgres;
mod resolver;
mod samba_ad;
mod scim;
mod slapd;

use std::{
    fs,
    io::Write,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
};

pub use clamd::{Clamd, MALWARE};
pub use cyrus::{Cyrus, CyrusBuilder};
pub use directory_389::Directory389;
pub use dovecot::{Acl, Authzid, Dovecot, DovecotBuilder, Format, Locked};
pub use knot::Knot;
pub use ldif::{Ldif, Record};
pub use mariadb::{MariaDb, MariaDbBuilder};
pub use milters::{DkimKey, OpenDkim, OpenDmarc};
pub use postfix::Postfix;
pub use postfix_site::{PostfixSite, PostfixSiteBuilder};
pub use postgres::Postgres;
pub use samba_ad::SambaAd;
pub use scim::{Scim, ScimBuilder};
pub use slapd::Slapd;

/// Says that a test is left out because something is missing on this machine, or fails if nothing may be left out.
///
/// # Panics
/// With `WHIMBREL_REQUIRE_SERVERS=1`.
pub fn left_out(missing: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("left out: {test}: {missing}");
    assert!(std::env::var_os("WHIMBREL_REQUIRE_SERVERS").is_none_or(|v| v != "1"), "{line}");
    eprintln!("{line}");
    if let Some(file) = std::env::var_os("WHIMBREL_LEFT_OUT") {
        let file = fs::OpenOptions::new().create(true).append(true).open(file);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("WHIMBREL_LEFT_OUT must name a file to write");
    }
}

/// The program of this name, looked for where Debian puts it; when absent, says which package brings it.
fn program(paths: &[&str], package: &str) -> Option<PathBuf> {
    let found = paths.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        left_out(&format!("{} is not here: apt-get install --no-install-recommends {package}", paths[0]));
    }
    found
}

/// Do the tests run as root? Then the servers run as the users their packages made, else all as the one who tests.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user and the group that a server runs as: its package's when the tests run as root, else those who test.
fn runs_as(user: &str, group: &str) -> (String, String) {
    let own = |option: &str| run(Command::new("id").arg(option)).trim().to_owned();
    if is_root() { (user.to_owned(), group.to_owned()) } else { (own("-un"), own("-gn")) }
}

/// Where to keep what is costly to make and the same for every run: below the build's target folder, which is known by
/// what `./test` put there before the first build, or by Cargo's own mark.
fn cache_folder() -> PathBuf {
    let program = std::env::current_exe().expect("the test program has a path");
    let is_target = |folder: &&Path| ["test-kit", "CACHEDIR.TAG"].iter().any(|name| folder.join(name).exists());
    let target = program.ancestors().find(is_target);
    let folder = target.map_or_else(std::env::temp_dir, Path::to_owned).join("test-kit");
    fs::create_dir_all(&folder).expect("the target folder can be written to");
    folder
}

/// A port of loopback that nobody listens on.
///
/// The kernel gives ports from the range that outgoing connections use too, so one it names may be taken again before
/// the server listens. A port below that range can only be lost to another test in the same blink; whoever starts a
/// server checks that it is the right one that answers, and tries again if not.
pub fn free_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let outgoing = range.split_ascii_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(32_768u16);
    let low = 10_000u16.min(outgoing / 2);
    loop {
        let mut bytes = [0; 2];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
            .expect("the system has randomness");
        let port = low + u16::from_be_bytes(bytes) % (outgoing - low);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Three parts of addresses of loopback, as in `127.77.8`, at which nobody answers for mail or names: for servers whose ports can't be
/// chosen. Those ports need root.
pub fn free_network() -> String {
    loop {
        let mut bytes = [0; 2];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
            .expect("the system has randomness");
        // Below 64, where the domain controllers are not.
        let network = format!("127.{}.{}", 1 + bytes[0] % 63, bytes[1]);
        let is_free = |last: u8| {
            let at = |port| (format!("{network}.{last}"), port);
            let is_ours = |port| TcpListener::bind(at(port)).is_ok();
            is_ours(25) && is_ours(53) && UdpSocket::bind(at(53)).is_ok()
        };
        if network != "127.0.0" && (1..16).all(is_free) {
            return network;
        }
    }
}

/// Runs a command to its end and gives its standard output.
///
/// # Panics
/// When it fails, with all it said.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}{complained}", output.status);
    said.into_owned()
}
