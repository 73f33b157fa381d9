//! What a server says: resources, lists of them, and its errors in its own words (RFC 7644 section 3.12).

use std::time::Duration;

use connector::{Error, Retry, Secret};
use http::Answer;
use model::{Cause, Scope};
use serde_json::Value;

/// The most of a server's words that is passed on.
const WORDS_MAX: usize = 300;

/// The attribute of this name: names differ in case between servers (RFC 7643 section 2.1).
pub(crate) fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    let found = object.get(name);
    let found = found.or_else(|| object.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// The attribute of this name as a text.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    get(value, name).and_then(Value::as_str)
}

/// A page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// How many there are in all.
    pub(crate) total: usize,
    /// Where it begins, if it says so.
    pub(crate) start: Option<usize>,
    /// What it has.
    pub(crate) resources: Vec<Value>,
}

impl Page {
    /// Reads one; else says what is wrong.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, String> {
        let mut value: Value = serde_json::from_slice(content).map_err(|error| format!("it is no JSON ({error})"))?;
        let number = |name: &str| get(&value, name).and_then(Value::as_u64).map(|number| number as usize);
        let total = number("totalResults").ok_or("it does not say how many there are (totalResults)")?;
        let start = number("startIndex");
        let resources = match value.as_object_mut().and_then(|object| {
            let name = object.keys().find(|name| name.eq_ignore_ascii_case("Resources")).cloned()?;
            object.remove(&name)
        }) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(resources)) => resources,
            Some(_) => return Err("its Resources are no list".to_owned()),
        };
        Ok(Self { total, start, resources })
    }
}

/// What a server says of itself, made fit to be shown: without these secrets, control characters and more than a few lines.
pub(crate) fn words(answer: &Answer, secrets: &[&Secret]) -> String {
    let value: Value = serde_json::from_slice(&answer.content).unwrap_or_default();
    let kind = text(&value, "scimType").map(|kind| format!(" {kind}")).unwrap_or_default();
    let detail = text(&value, "detail").map(|detail| format!(": {detail}")).unwrap_or_default();
    let mut words = format!("{}{kind}{detail}", answer.status);
    for secret in secrets.iter().filter(|secret| secret.reveal().len() > 3) {
        words = words.replace(secret.reveal(), "(secret)");
    }
    let clean = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(WORDS_MAX).collect::<String>().trim().to_owned()
}

/// The error that an answer is, with the server's words.
pub(crate) fn refusal(what: String, answer: &Answer, secrets: &[&Secret]) -> Error {
    let (cause, scope) = match answer.status {
        300..=399 => (Cause::Protocol, Scope::Run),
        401 => (Cause::Login, Scope::Run),
        403 => (Cause::Permission, Scope::Item),
        404 => (Cause::Missing, Scope::Item),
        413 => (Cause::TooLarge, Scope::Item),
        429 => (Cause::Throttled, Scope::Run),
        405 | 501 => (Cause::Unsupported, Scope::Item),
        500.. => (Cause::Unavailable, Scope::Run),
        _ => (Cause::Refused, Scope::Item),
    };
    let what = match answer.status {
        300..=399 => {
            let host = answer.field("location").unwrap_or("elsewhere").split(['?', '#']).next().unwrap_or_default();
            let host: String = host.chars().filter(char::is_ascii_graphic).take(WORDS_MAX).collect();
            format!(
                "{what}: the server sends us on to {host}, which is not followed; if that is right, write it as url"
            )
        }
        _ => what,
    };
    let error = Error::new(cause, scope, what).said(words(answer, secrets));
    if matches!(answer.status, 429 | 503) { error.retry(Retry::Later(wait(answer))) } else { error }
}

/// How long the server wants us to wait: seconds, or until a time by its own clock (RFC 9110 section 10.2.3).
pub(crate) fn wait(answer: &Answer) -> Option<Duration> {
    let text = answer.field("retry-after")?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (seconds_of(text)?, seconds_of(answer.field("date")?)?);
    Some(Duration::from_secs(until.saturating_sub(now).max(0).unsigned_abs()))
}

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_of(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(", ")?.1.split([' ', ':']);
    let mut number = |max: i64| parts.next()?.parse::<i64>().ok().filter(|number| (0..=max).contains(number));
    let day = number(31)?;
    let month = {
        let name = parts.next()?;
        MONTHS.iter().position(|month| *month == name)? as i64
    };
    let mut number = |max: i64| parts.next()?.parse::<i64>().ok().filter(|number| (0..=max).contains(number));
    let (year, hour, minute, second) = (number(9999)?, number(23)?, number(59)?, number(60)?);
    // Days since 1970, with March as the first month of a year (proleptic Gregorian).
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, fields: &[(&str, &str)], content: &str) -> Answer {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status, fields, content: content.into(), closes: false }
    }

    #[test]
    fn the_servers_words_are_passed_on_without_secrets() {
        let content = r#"{"status":"400","scimType":"invalidValue","detail":"password Hunter-2!\nis too short"}"#;
        let error = refusal("cannot create".into(), &answer(400, &[], content), &[&Secret::new("Hunter-2!")]);
        assert_eq!(
            error.to_string(),
            "cannot create (the server said: 400 invalidValue: password (secret) is too short)"
        );
        assert_eq!(error.cause, Cause::Refused);
        let html = answer(502, &[], "<html>");
        assert_eq!(refusal("x".into(), &html, &[]).server.as_deref(), Some("502"));
    }

    #[test]
    fn waits_are_seconds_or_times() {
        assert_eq!(wait(&answer(429, &[("retry-after", "7")], "")), Some(Duration::from_secs(7)));
        let fields = [("retry-after", "Wed, 01 Mar 2000 00:00:05 GMT"), ("date", "Tue, 29 Feb 2000 23:59:55 GMT")];
        assert_eq!(wait(&answer(503, &fields, "")), Some(Duration::from_secs(10)));
        assert_eq!(wait(&answer(503, &[("retry-after", "soon")], "")), None);
        assert_eq!(seconds_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn lists_are_read_whatever_the_case_of_names() {
        let page = Page::parse(br#"{"totalresults":3,"startIndex":1,"resources":[{"id":"1"}]}"#).unwrap();
        assert_eq!((page.total, page.start, page.resources.len()), (3, Some(1), 1));
        assert_eq!(Page::parse(br#"{"totalResults":0}"#).unwrap().resources.len(), 0);
        for odd in ["[]", "{", r#"{"Resources":[]}"#, r#"{"totalResults":1,"Resources":{}}"#] {
            assert!(Page::parse(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
