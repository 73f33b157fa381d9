//! Result codes (RFC 4511 appendix A, with those of the documents it does not name) as classes of failures.

use connector::Error;
use ldap3::{LdapError, LdapResult};
use model::{Cause, Scope};

/// Codes by their names in RFC 4511.
pub(crate) const TIME_LIMIT_EXCEEDED: u32 = 3;
pub(crate) const REFERRAL: u32 = 10;
pub(crate) const NO_SUCH_ATTRIBUTE: u32 = 16;
pub(crate) const CONSTRAINT_VIOLATION: u32 = 19;
pub(crate) const ATTRIBUTE_OR_VALUE_EXISTS: u32 = 20;
pub(crate) const NO_SUCH_OBJECT: u32 = 32;
pub(crate) const INVALID_CREDENTIALS: u32 = 49;
pub(crate) const INSUFFICIENT_ACCESS: u32 = 50;
pub(crate) const BUSY: u32 = 51;
pub(crate) const UNAVAILABLE: u32 = 52;
pub(crate) const ENTRY_ALREADY_EXISTS: u32 = 68;
pub(crate) const ASSERTION_FAILED: u32 = 122;

/// What a server said, on one line: Active Directory ends its texts with NUL.
pub(crate) fn cleaned(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The code's name and the server's words.
pub(crate) fn words(result: &LdapResult) -> String {
    let name = match result.rc {
        1 => "operationsError",
        2 => "protocolError",
        TIME_LIMIT_EXCEEDED => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        8 => "strongerAuthRequired",
        REFERRAL => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        NO_SUCH_ATTRIBUTE => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        CONSTRAINT_VIOLATION => "constraintViolation",
        ATTRIBUTE_OR_VALUE_EXISTS => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        NO_SUCH_OBJECT => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        INVALID_CREDENTIALS => "invalidCredentials",
        INSUFFICIENT_ACCESS => "insufficientAccessRights",
        BUSY => "busy",
        UNAVAILABLE => "unavailable",
        53 => "unwillingToPerform",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        67 => "notAllowedOnRDN",
        ENTRY_ALREADY_EXISTS => "entryAlreadyExists",
        69 => "objectClassModsProhibited",
        80 => "other",
        ASSERTION_FAILED => "assertionFailed",
        4096 => "e-syncRefreshRequired",
        _ => "result",
    };
    let text = cleaned(&result.text);
    if text.is_empty() { format!("{name} ({})", result.rc) } else { format!("{name} ({}): {text}", result.rc) }
}

/// What did not work, as an error.
pub(crate) fn refusal(what: impl Into<String>, result: &LdapResult) -> Error {
    let (cause, scope) = match result.rc {
        INVALID_CREDENTIALS | 48 => (Cause::Login, Scope::Run),
        INSUFFICIENT_ACCESS => (Cause::Permission, Scope::Run),
        BUSY | UNAVAILABLE | TIME_LIMIT_EXCEEDED => (Cause::Unavailable, Scope::Connection),
        NO_SUCH_OBJECT | REFERRAL => (Cause::Missing, Scope::Run),
        8 | 13 => (Cause::Tls, Scope::Run),
        12 => (Cause::Unsupported, Scope::Run),
        _ => (Cause::Refused, Scope::Run),
    };
    Error::new(cause, scope, what).said(words(result))
}

/// What broke the connection, as an error.
pub(crate) fn broken(what: impl Into<String>, error: &LdapError) -> Error {
    let what = what.into();
    let cause = match error {
        LdapError::FilterParsing => return Error::new(Cause::Internal, Scope::Run, format!("{what}: a bad filter")),
        LdapError::Timeout { .. } => {
            return Error::new(Cause::Connection, Scope::Connection, format!("{what}: no answer"));
        }
        LdapError::Io { source } => source.to_string(),
        LdapError::EndOfStream | LdapError::ResultRecv { .. } => "the connection broke off".to_owned(),
        other => other.to_string(),
    };
    Error::new(Cause::Connection, Scope::Connection, format!("{what}: {cause}"))
}
