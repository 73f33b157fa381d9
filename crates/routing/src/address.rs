//! Mail addresses, domains and people, in the form in which they are compared. Cheap to clone: a list of thousands of
//! members holds no text twice.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use model::mail_key;

/// A mail address: `local-part@domain` (RFC 5321, section 4.1.2), as a site compares it.
///
/// Two are the same when they are so letter by letter without their case. RFC 5321 (section 2.4) leaves the case of the
/// local part to the receiving site; both platforms ignore it. Nothing else is changed: a detail after a plus stays, so
/// where a site delivers `ann+x@…` to `ann@…`, the directory says so with an alias. Domains with other letters than ASCII
/// are to be given in one form everywhere, best as A-labels (RFC 5890), since that is how DNS has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailAddress(Arc<str>);

/// A text that is no mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnAddress(
    /// The text.
    pub String,
);

impl fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no mail address: it must be name@domain, without spaces; correct it in its directory",
            self.0
        )
    }
}

impl std::error::Error for NotAnAddress {}

impl MailAddress {
    /// Reads an address as directories, maps and scripts write it: spaces around it, `smtp:` before it, angle brackets and a
    /// dot at the end are taken off.
    ///
    /// Fails where there is no `@` with something on both sides, or a space or a control character in it.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let refused = || NotAnAddress(text.to_owned());
        let bare = text.trim();
        let bare = bare.strip_prefix('<').and_then(|bare| bare.strip_suffix('>')).unwrap_or(bare);
        let key = mail_key(bare);
        let key = key.trim_end_matches('.');
        let (local, domain) = key.rsplit_once('@').ok_or_else(refused)?;
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        if local.is_empty() || domain.is_empty() || key.contains(is_odd) {
            return Err(refused());
        }
        Ok(Self(Arc::from(key)))
    }

    /// Any address of this domain of which no site has an entry, also one with a detail after a plus (RFC 5233). It has a space
    /// in it, so it is no address that anybody has.
    pub fn any_other(domain: &Domain) -> Self {
        Self(Arc::from(format!("{ANY_OTHER}@{domain}")))
    }

    /// Does it stand for all addresses of its domain without an entry?
    pub fn is_any_other(&self) -> bool {
        self.0.rsplit_once('@').is_some_and(|(local, _)| local == ANY_OTHER)
    }

    /// The same local part in another domain.
    #[must_use]
    pub fn moved_to(&self, domain: &Domain) -> Self {
        let local = self.0.rsplit_once('@').map_or("", |(local, _)| local);
        Self(Arc::from(format!("{local}@{domain}")))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands after the last `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// The local part of [`MailAddress::any_other`].
const ANY_OTHER: &str = "(any other)";

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The domain of mail addresses, without the case of letters and without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

impl Domain {
    /// The domain of this name.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name.trim().trim_end_matches('.').to_lowercase()))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whoever has mailboxes: a person, a shared mailbox, a room. Which text tells them apart is up to who fills the directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonId(Arc<str>);

impl PersonId {
    /// The one of this name.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_whole_and_without_case() {
        let read = |text: &str| MailAddress::parse(text).map(|address| address.to_string());
        for text in ["ann@x.example", " SMTP:Ann@X.Example ", "<ann@x.example>", "ann@x.example."] {
            assert_eq!(read(text).unwrap(), "ann@x.example");
        }
        assert_eq!(read("Ann+Lists@x.example").unwrap(), "ann+lists@x.example");
        assert_eq!(MailAddress::parse("\"a@b\"@x.example").unwrap().domain(), "x.example");
        for text in ["", "ann", "@x.example", "ann@", "an n@x.example", "ann@x.example\r\n.y"] {
            assert_eq!(read(text), Err(NotAnAddress(text.to_owned())));
        }
    }

    #[test]
    fn domains_are_compared_without_case_and_final_dot() {
        assert_eq!(Domain::new("X.Example."), Domain::new(" x.example"));
    }
}
