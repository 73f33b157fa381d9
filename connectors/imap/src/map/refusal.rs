//! What a server's refusal means: a class, how far it reaches, and whether to try again (RFC 5530, RFC 9051 section 7.1,
//! and the words of servers that know no codes).

use std::time::Duration;

use connector::{Error, Retry};
use model::{Cause, Scope};

use crate::wire::response::{Completion, Status};

/// What was being done when the server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Logging in.
    Login,
    /// Something with a folder as a whole.
    Folder,
    /// Reading messages.
    Fetch,
    /// Adding a message.
    Append,
    /// Making a folder.
    Create,
    /// Changing flags or removing messages.
    Change,
}

/// The failure that a refusal is. `what` says what was tried, on what, and that it failed.
pub(crate) fn refused(what: impl Into<String>, completion: &Completion, doing: Doing) -> Error {
    let text = completion.text.to_ascii_lowercase();
    let scope = match doing {
        Doing::Login => Scope::Mailbox,
        Doing::Folder | Doing::Fetch | Doing::Create | Doing::Change => Scope::Folder,
        Doing::Append => Scope::Item,
    };
    if let Some(retry) = throttled(&completion.code, &text, doing) {
        return Error::new(Cause::Throttled, Scope::Mailbox, what).retry(retry).said(&completion.text);
    }
    let (cause, retry) = class(completion, &text, doing);
    // Exchange says this when its back end is away: nothing more will work on this connection.
    let scope = if text.contains("authenticated but not connected") { Scope::Connection } else { scope };
    let error = Error::new(cause, scope, what).said(&completion.text);
    retry.map_or(error.clone(), |retry| error.retry(retry))
}

/// Does the server ask to go slower? Then when to try again.
fn throttled(code: &str, text: &str, doing: Doing) -> Option<Retry> {
    const WORDS: [&str; 6] = [
        "throttl",
        "rate limit",
        "bandwidth limit",
        "too many simultaneous",
        "too many connections",
        "maximum number of connections",
    ];
    if let Some(wait) = backoff(text) {
        return Some(Retry::Later(Some(wait)));
    }
    let is_code = code == "THROTTLED" || (code == "LIMIT" && doing != Doing::Append);
    (is_code || WORDS.iter().any(|word| text.contains(word))).then_some(Retry::Later(None))
}

/// How long the server wants us to wait: Exchange's "Suggested Backoff Time: 299961 milliseconds", and what others write,
/// such as "try again in 5 minutes". A number without a unit is one of seconds.
fn backoff(text: &str) -> Option<Duration> {
    const WORDS: [&str; 5] = ["suggested backoff time:", "try again in", "retry in", "retry after", "please wait"];
    WORDS.iter().find_map(|words| {
        let (_, after) = text.split_once(words)?;
        let after = after.trim_start();
        let unit = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = after[..after.len() - unit.len()].parse().ok()?;
        let unit: String = unit.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        let millis = match unit.as_str() {
            "ms" | "msec" | "millisecond" | "milliseconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            _ => 1_000,
        };
        Some(Duration::from_millis(number.checked_mul(millis)?))
    })
}

fn class(completion: &Completion, text: &str, doing: Doing) -> (Cause, Option<Retry>) {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let usual = match doing {
        Doing::Login => Cause::Login,
        Doing::Folder => Cause::Unavailable,
        Doing::Fetch => Cause::Unreadable,
        Doing::Append | Doing::Change => Cause::Refused,
        Doing::Create => Cause::FolderRefused,
    };
    let cause = match completion.code.as_str() {
        // A mistake of the server's may be gone the next time, or never.
        "SERVERBUG" if doing == Doing::Append => return (Cause::Refused, Some(Retry::Later(None))),
        // Dovecot says so of a message that it can't read: the next one may be well.
        "SERVERBUG" if doing == Doing::Fetch => Cause::Unreadable,
        "UNAVAILABLE" | "INUSE" | "SERVERBUG" => Cause::Unavailable,
        "CORRUPTION" => Cause::Unreadable,
        "NOPERM" => Cause::Permission,
        "AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED" => Cause::Login,
        "PRIVACYREQUIRED" => Cause::Tls,
        "NONEXISTENT" | "TRYCREATE" => Cause::Missing,
        "OVERQUOTA" => Cause::OverQuota,
        "TOOBIG" => Cause::TooLarge,
        "LIMIT" if doing == Doing::Append => Cause::TooLarge,
        _ if says(&["authenticated but not connected"]) => Cause::Unavailable,
        _ if doing == Doing::Login && says(&["unavailable", "temporar", "try again", "internal error"]) => {
            Cause::Unavailable
        }
        _ if doing == Doing::Append && says(&["over quota", "quota exceeded", "quota limit", "out of quota"]) => {
            Cause::OverQuota
        }
        _ if doing == Doing::Append
            && says(&["too large", "too big", "size limit", "exceeds maximum", "maximum size"]) =>
        {
            Cause::TooLarge
        }
        _ if matches!(doing, Doing::Folder | Doing::Append)
            && says(&[
                "doesn't exist",
                "does not exist",
                "no such mailbox",
                "nonexistent",
                "unknown mailbox",
                "not found",
            ]) =>
        {
            Cause::Missing
        }
        _ if doing != Doing::Login
            && says(&["permission denied", "access denied", "not permitted", "no permission"]) =>
        {
            Cause::Permission
        }
        _ if completion.status == Status::Bad && matches!(doing, Doing::Folder | Doing::Fetch | Doing::Change) => {
            Cause::Protocol
        }
        _ => usual,
    };
    (cause, None)
}

/// A connection that broke, with its cause made right if the server's last words say why.
pub(crate) fn broken(error: Error) -> Error {
    let Some(said) = &error.server else { return error };
    if error.cause != Cause::Connection {
        return error;
    }
    let text = said.to_ascii_lowercase();
    match throttled("", &text, Doing::Login) {
        Some(retry) => Error { cause: Cause::Throttled, scope: Scope::Mailbox, retry, ..error },
        None if text.contains("[unavailable]") => Error { retry: Retry::Later(None), ..error },
        None => error,
    }
}

/// The server has closed the connection.
pub(crate) fn closed() -> Error {
    Error::new(Cause::Connection, Scope::Connection, "the server closed the connection")
}

/// The same failure of something with an effect: whether it took effect is not known.
pub(crate) fn in_doubt(error: Error) -> Error {
    if error.ends_session() && !matches!(error.cause, Cause::LeaseLapsed | Cause::Database | Cause::Internal) {
        return Error { cause: Cause::InDoubt, ..error };
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::response::StatusText;

    fn class_of(status: Status, text: &str, doing: Doing) -> (Cause, Scope) {
        let error = error_of(status, text, doing);
        (error.cause, error.scope)
    }

    fn error_of(status: Status, text: &str, doing: Doing) -> Error {
        refused("cannot do it", &Completion::of(status, &StatusText::of(text.as_bytes())), doing)
    }

    #[test]
    fn a_server_says_how_long_to_wait() {
        for (text, seconds) in [
            ("request is throttled. suggested backoff time: 299961 milliseconds", Some(299.961)),
            ("too many connections, try again in 5 minutes.", Some(300.0)),
            ("slow down; retry after 30", Some(30.0)),
            ("retry in 2 hours", Some(7200.0)),
            ("please wait 10s", Some(10.0)),
            ("please wait a while", None),
            ("try again in 99999999999999999999 hours", None),
            ("over quota", None),
        ] {
            assert_eq!(backoff(text).map(|wait| wait.as_secs_f64()), seconds, "{text}");
        }
    }

    #[test]
    fn refusals_have_a_class() {
        use Doing::{Append, Change, Create, Fetch, Folder, Login};
        use Status::{Bad, No};
        for (status, text, doing, cause, scope) in [
            (No, "[AUTHENTICATIONFAILED] Authentication failed.", Login, Cause::Login, Scope::Mailbox),
            (No, "[AUTHORIZATIONFAILED] may not", Login, Cause::Login, Scope::Mailbox),
            (No, "LOGIN failed.", Login, Cause::Login, Scope::Mailbox),
            (No, "[UNAVAILABLE] Temporary authentication failure.", Login, Cause::Unavailable, Scope::Mailbox),
            (No, "Temporary system problem", Login, Cause::Unavailable, Scope::Mailbox),
            (No, "[LIMIT] Rate limit hit", Login, Cause::Throttled, Scope::Mailbox),
            (No, "[ALERT] Maximum number of connections exceeded", Login, Cause::Throttled, Scope::Mailbox),
            (No, "[OVERQUOTA] Account exceeded command or bandwidth limits.", Fetch, Cause::Throttled, Scope::Mailbox),
            (No, "[NONEXISTENT] Mailbox doesn't exist: x", Folder, Cause::Missing, Scope::Folder),
            (No, "Mailbox does not exist", Folder, Cause::Missing, Scope::Folder),
            (No, "[NOPERM] no", Folder, Cause::Permission, Scope::Folder),
            (No, "Permission denied", Folder, Cause::Permission, Scope::Folder),
            (No, "something", Folder, Cause::Unavailable, Scope::Folder),
            (Bad, "what?", Folder, Cause::Protocol, Scope::Folder),
            (Bad, "User is authenticated but not connected.", Folder, Cause::Unavailable, Scope::Connection),
            (No, "[SERVERBUG] Internal error occurred.", Fetch, Cause::Unreadable, Scope::Folder),
            (No, "[UNAVAILABLE] Backend is away", Fetch, Cause::Unavailable, Scope::Folder),
            (No, "Some of the messages could not be read", Fetch, Cause::Unreadable, Scope::Folder),
            (No, "[OVERQUOTA] full", Append, Cause::OverQuota, Scope::Item),
            (No, "[TRYCREATE] no such", Append, Cause::Missing, Scope::Item),
            (No, "[TOOBIG] no", Append, Cause::TooLarge, Scope::Item),
            (No, "[LIMIT] no", Append, Cause::TooLarge, Scope::Item),
            (No, "Message too large", Append, Cause::TooLarge, Scope::Item),
            (Bad, "Command Argument Error. 11", Append, Cause::Refused, Scope::Item),
            (No, "[CANNOT] bad name", Create, Cause::FolderRefused, Scope::Folder),
            (No, "[NOPERM] no", Create, Cause::Permission, Scope::Folder),
            (No, "[READ-ONLY] no", Change, Cause::Refused, Scope::Folder),
        ] {
            assert_eq!(class_of(status, text, doing), (cause, scope), "{doing:?} {text}");
        }
        let error = error_of(No, "[SERVERBUG] oops", Append);
        assert_eq!((error.cause, error.retry), (Cause::Refused, Retry::Later(None)));
    }

    #[test]
    fn exchange_says_how_long_to_wait() {
        let text = "Request is throttled. Suggested Backoff Time: 299961 milliseconds";
        for doing in [Doing::Login, Doing::Folder, Doing::Append, Doing::Fetch] {
            let error = error_of(Status::Bad, text, doing);
            assert_eq!(error.cause, Cause::Throttled);
            assert_eq!(error.retry, Retry::Later(Some(Duration::from_millis(299_961))));
        }
        let broken = broken(Error::new(Cause::Connection, Scope::Connection, "it broke").said(format!("BYE {text}")));
        assert_eq!(broken.retry, Retry::Later(Some(Duration::from_millis(299_961))));
        assert_eq!(broken.cause, Cause::Throttled);
    }

    #[test]
    fn a_broken_connection_leaves_an_effect_in_doubt_but_a_lapsed_lease_does_not() {
        let broken = Error::new(Cause::Connection, Scope::Connection, "it broke");
        assert_eq!(in_doubt(broken).cause, Cause::InDoubt);
        let lapsed = Error::new(Cause::LeaseLapsed, Scope::Mailbox, "over");
        assert_eq!(in_doubt(lapsed.clone()), lapsed);
        let refused = Error::new(Cause::Refused, Scope::Item, "no");
        assert_eq!(in_doubt(refused.clone()), refused);
    }
}
