//! Which servers are asked.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

const PORT: u16 = 53;
const SYSTEM: &str = "/etc/resolv.conf";

/// Why no servers to ask are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAServer {
    /// A text that is no address.
    #[error(
        "{0:?} is not a DNS server: give its address, with a port behind it where it is not 53, as in 192.0.2.1:5353 or [2001:db8::1]:5353"
    )]
    Text(String),
    /// The system names none.
    #[error("{path} names no DNS server ({why}): give the addresses of some")]
    System {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A server as people write it: its address, with a port or without.
pub fn server(text: &str) -> Result<SocketAddr, NotAServer> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = |address: IpAddr| SocketAddr::new(address, PORT);
    text.parse().or_else(|_| bare.parse().map(with_port)).map_err(|_| NotAServer::Text(text.to_owned()))
}

/// The servers that the system asks.
pub fn system_servers() -> Result<Vec<SocketAddr>, NotAServer> {
    from_resolv_conf(Path::new(SYSTEM))
}

/// The servers of a file with the form of resolv.conf(5). Those of a scope (`fe80::1%eth0`) are left out.
pub fn from_resolv_conf(path: &Path) -> Result<Vec<SocketAddr>, NotAServer> {
    let unknown = |why: String| NotAServer::System { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|error| unknown(error.to_string()))?;
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some("nameserver") {
            servers.extend(words.next().and_then(|word| server(word).ok()).filter(|found| !servers.contains(found)));
        }
    }
    if servers.is_empty() { Err(unknown("it has no usable line `nameserver`".to_owned())) } else { Ok(servers) }
}
