//! Where a server is (RFC 3986).

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Over TLS?
    pub is_tls: bool,
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What every path begins with, without the stroke at its end.
    pub path: String,
}

impl Base {
    /// Reads an address; else says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (is_tls, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err("it does not begin with https://".to_owned());
        };
        if let Some(odd) = rest.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!("it holds the character {odd:?}"));
        }
        if rest.contains(['?', '#']) {
            return Err("it goes on after the path, with ? or #".to_owned());
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("a name or password does not stand in it".to_owned());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| format!("{port:?} is no port"))?)
            }
            _ => (authority, if is_tls { 443 } else { 80 }),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("it names no host".to_owned());
        }
        Ok(Self { is_tls, host: host.to_owned(), port, path: path.trim_end_matches('/').to_owned() })
    }

    /// The server's name for people, and for the header Host.
    pub fn address(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.is_tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_named_as_wrong() {
        let base = Base::parse("https://scim.national.example/scim/v2/").unwrap();
        assert_eq!((base.address().as_str(), base.path.as_str()), ("scim.national.example", "/scim/v2"));
        let base = Base::parse("http://[::1]:8080").unwrap();
        assert_eq!((base.host.as_str(), base.address().as_str(), base.port), ("::1", "[::1]:8080", 8080));
        assert_eq!(Base::parse("https://[::1]/x").unwrap().port, 443);
        for odd in ["ftp://x", "https://", "https://u:p@x/", "https://x:y/", "https://x/?a", "https://x/\r\ny", "x"] {
            assert!(Base::parse(odd).is_err(), "{odd}");
        }
    }
}
