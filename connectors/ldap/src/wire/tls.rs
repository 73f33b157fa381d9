//! Why no private connection came about, as what speaks LDAP says it.

use connector::Error;
use ldap3::LdapError;

/// What a port may be for that speaks no TLS.
const HINT: &str = ": is it one for StartTLS (tls = \"starttls\")?";

/// Why no private connection came about, and what to do.
pub(crate) fn refusal(error: &LdapError, host: &str, place: &str) -> Error {
    match error {
        LdapError::Io { source } => trust::refusal(source, host, place, HINT),
        LdapError::Rustls { source } => trust::refused(source, host, place, HINT),
        LdapError::DNSName { .. } => trust::broken(
            &format!("{host:?} is neither a host name nor an address, so no certificate can be checked for it"),
            place,
        ),
        LdapError::LdapResult { result } => {
            let why = format!("it refuses StartTLS ({} {})", result.rc, super::result::cleaned(&result.text));
            trust::broken(&why, place)
        }
        other => trust::broken(&other.to_string(), place),
    }
}
