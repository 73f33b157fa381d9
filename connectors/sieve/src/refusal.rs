//! What a server refuses, as errors: classes by its response codes (RFC 5804 section 1.3).

use connector::{Error, Retry, Secret};
use model::{Cause, Scope};

use crate::wire::answer::{Answer, Status};

/// The error of an answer that is not OK. `usual` is the class where the server names none.
pub(crate) fn refused(what: impl Into<String>, answer: &Answer, usual: Cause) -> Error {
    let what = what.into();
    if answer.has_code("REFERRAL") {
        let elsewhere = answer.code_text.as_deref().unwrap_or("another server");
        let what = format!("{what}: the server wants us to ask {elsewhere} instead; name that one as host");
        return Error::new(Cause::Unsupported, Scope::Mailbox, what).retry(Retry::AfterPerson);
    }
    let (cause, retry) = match answer.code.split('/').next().unwrap_or_default() {
        "QUOTA" => (Cause::OverQuota, None),
        "TRYLATER" => (Cause::Unavailable, Some(Retry::Later(None))),
        "NONEXISTENT" => (Cause::Missing, None),
        "AUTH-TOO-WEAK" | "TRANSITION-NEEDED" => (Cause::Login, None),
        "ENCRYPT-NEEDED" => (Cause::Tls, Some(Retry::AfterPerson)),
        "ACTIVE" | "ALREADYEXISTS" => (Cause::Refused, None),
        _ if answer.status == Status::Bye => (Cause::Unavailable, Some(Retry::Later(None))),
        _ => (usual, None),
    };
    let scope = if answer.status == Status::Bye { Scope::Connection } else { Scope::Mailbox };
    let mut error = Error::new(cause, scope, what).said(said(answer));
    if let Some(retry) = retry {
        error = error.retry(retry);
    }
    error
}

/// The error of a script that the server does not take. Its words may quote the script, which is the person's, so only the code and the
/// line are told.
pub(crate) fn script_refused(what: impl Into<String>, answer: &Answer) -> Error {
    let at = match line_of(&answer.text) {
        Some(line) => format!("it finds a mistake in line {line}"),
        None => "it does not take the script".to_owned(),
    };
    let code = if answer.code.is_empty() { String::new() } else { format!("{}: ", answer.code) };
    refused(what, answer, Cause::Refused).said(format!("{code}{at}"))
}

/// The line that a server complains of: what follows the word in `x: line 3: error: …`.
fn line_of(text: &str) -> Option<u32> {
    let (_, after) = text.split_once("line ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn said(answer: &Answer) -> String {
    match (answer.code.as_str(), answer.text.as_str()) {
        ("", "") => "no words".to_owned(),
        ("", text) => text.to_owned(),
        (code, "") => code.to_owned(),
        (code, text) => format!("{code}: {text}"),
    }
}

/// The error without a password that the server has repeated, or one of these texts that hold it.
pub(crate) fn without(mut error: Error, secret: &Secret, sent: &[String]) -> Error {
    if let Some(said) = &mut error.server {
        for text in sent.iter().map(String::as_str).chain([secret.reveal()]).filter(|text| !text.is_empty()) {
            *said = said.replace(text, "(secret)");
        }
    }
    error
}

/// An error after something was sent that has an effect: nobody knows whether it took place.
pub(crate) fn in_doubt(error: Error) -> Error {
    let what = format!("{}: whether it took effect is not known; the same again settles it", error.what);
    // What a server has refused, it refuses again until somebody has changed something.
    let is_lost = matches!(error.cause, Cause::Connection | Cause::Protocol | Cause::Unavailable | Cause::InDoubt);
    let retry = if is_lost { Retry::Now } else { error.retry };
    Error { cause: Cause::InDoubt, scope: Scope::Mailbox, retry, what, server: error.server }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: Status, code: &str, text: &str) -> Answer {
        Answer { data: Vec::new(), status, code: code.to_owned(), code_text: None, text: text.to_owned() }
    }

    #[test]
    fn classes_follow_the_response_codes() {
        for (code, cause) in [
            ("QUOTA/MAXSCRIPTS", Cause::OverQuota),
            ("QUOTA", Cause::OverQuota),
            ("TRYLATER", Cause::Unavailable),
            ("NONEXISTENT", Cause::Missing),
            ("ENCRYPT-NEEDED", Cause::Tls),
            ("ACTIVE", Cause::Refused),
            ("", Cause::Permission),
            ("NEW-CODE", Cause::Permission),
        ] {
            let error = refused("it", &answer(Status::No, code, "words"), Cause::Permission);
            assert_eq!((error.cause, error.scope), (cause, Scope::Mailbox), "{code}");
        }
        let error = refused("it", &answer(Status::Bye, "", "shutting down"), Cause::Permission);
        assert_eq!((error.cause, error.scope), (Cause::Unavailable, Scope::Connection));
        let referral = Answer { code_text: Some("sieve://b.test".into()), ..answer(Status::Bye, "REFERRAL", "") };
        let error = refused("it", &referral, Cause::Login);
        assert!(error.cause == Cause::Unsupported && error.what.contains("sieve://b.test"), "{error}");
    }

    #[test]
    fn words_about_a_script_are_not_passed_on() {
        let words = "rules: line 12: error: unknown command 'Dear Mrs Jones, your results' (only reported once)";
        let error = script_refused("cannot store it", &answer(Status::No, "", words));
        assert_eq!((error.cause, error.server.as_deref()), (Cause::Refused, Some("it finds a mistake in line 12")));
        assert!(!error.to_string().contains("Jones"));
        let error = script_refused("x", &answer(Status::No, "QUOTA/MAXSIZE", "big"));
        assert_eq!(
            (error.cause, error.server.as_deref()),
            (Cause::OverQuota, Some("QUOTA/MAXSIZE: it does not take the script"))
        );
    }
}
