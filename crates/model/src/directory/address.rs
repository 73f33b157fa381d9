//! Addresses as directories keep them: `SMTP:ann@trust.example`, `X500:/o=Trust/…`.

use serde::{Deserialize, Serialize};

/// What an address is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressKind {
    /// Mail (RFC 5321).
    Smtp,
    /// A distinguished name of Exchange: what an old reply is sent to.
    X500,
    /// Another, by its prefix in lower case: sip, eum, x400.
    Other(String),
}

/// An address with its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// What it is for.
    pub kind: AddressKind,
    /// Is it the one of its kind that is shown and sent from?
    #[serde(default)]
    pub is_primary: bool,
    /// The address itself, as written, without its prefix.
    pub text: String,
}

impl Address {
    /// A mail address that is not the one sent from.
    pub fn smtp(text: impl Into<String>) -> Self {
        Self { kind: AddressKind::Smtp, is_primary: false, text: text.into() }
    }

    /// A distinguished name of Exchange.
    pub fn x500(text: impl Into<String>) -> Self {
        Self { kind: AddressKind::X500, is_primary: false, text: text.into() }
    }

    /// Reads one value of proxyAddresses. A prefix in capitals marks the primary one; a value without a prefix is mail.
    pub fn parse(value: &str) -> Self {
        let value = value.trim();
        let prefix = value
            .split_once(':')
            .filter(|(prefix, _)| !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_alphanumeric()));
        let Some((prefix, text)) = prefix else { return Self::smtp(value) };
        let kind = match prefix.to_ascii_lowercase().as_str() {
            "smtp" => AddressKind::Smtp,
            "x500" => AddressKind::X500,
            other => AddressKind::Other(other.to_owned()),
        };
        let is_primary =
            prefix.bytes().any(|b| b.is_ascii_alphabetic()) && !prefix.bytes().any(|b| b.is_ascii_lowercase());
        Self { is_primary: is_primary && kind != AddressKind::X500, kind, text: text.trim().to_owned() }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = match (&self.kind, self.is_primary) {
            (AddressKind::Smtp, true) => "SMTP",
            (AddressKind::Smtp, false) => "smtp",
            (AddressKind::X500, _) => "X500",
            (AddressKind::Other(prefix), true) => return write!(f, "{}:{}", prefix.to_ascii_uppercase(), self.text),
            (AddressKind::Other(prefix), false) => prefix,
        };
        write!(f, "{prefix}:{}", self.text)
    }
}

/// A mail address in the form in which addresses are compared: without `smtp:`, spaces around it, and the case of letters.
/// Servers of directories compare the part before the @ without its case, too.
pub fn mail_key(text: &str) -> String {
    let text = text.trim();
    let bare = match text.split_once(':') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("smtp") => rest.trim(),
        _ => text,
    };
    bare.to_lowercase()
}

/// A distinguished name of Exchange in the form in which they are compared: without `X500:`, spaces around it, and the
/// case of letters.
pub fn x500_key(text: &str) -> String {
    let text = text.trim();
    let bare = match text.split_once(':') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("x500") => rest.trim(),
        _ => text,
    };
    bare.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_proxy_addresses_come_back_as_they_were() {
        for value in ["SMTP:Ann@x.example", "smtp:a@x.example", "X500:/o=A/ou=B/cn=C:d", "SIP:ann@x", "sip:ann@x"] {
            assert_eq!(Address::parse(value).to_string(), value);
        }
        assert!(Address::parse("SMTP:a@x").is_primary);
        assert!(!Address::parse("smtp:a@x").is_primary);
        assert_eq!(Address::parse("a@x").kind, AddressKind::Smtp);
        assert_eq!(Address::parse("x500:/O=a").to_string(), "X500:/O=a");
    }

    #[test]
    fn addresses_are_compared_without_case_and_prefix() {
        assert_eq!(mail_key(" SMTP:Ann.O'Neil@Trust.Example "), "ann.o'neil@trust.example");
        assert_eq!(x500_key("x500:/O=Trust/CN=Ann"), x500_key("/o=trust/cn=ANN "));
    }
}
