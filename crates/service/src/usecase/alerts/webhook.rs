//! An address that is told of alerts: one POST of JSON each, signed, over TLS that is verified.
//!
//! It is told at least once: who is stopped before the answer tells again, under the same id.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use connector::{Error, Secret};
use http::{Answer, Base, Limits, NoAnswer, Reach};
use model::{Cause, Scope};
use ring::hmac;

/// How long is waited for a connection, and for an answer.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// The largest answer that is taken; nothing of it is used.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Is told of alerts.
#[async_trait]
pub(crate) trait Hook: Send + Sync {
    /// What it is called: never its whole address, which may hold a secret.
    fn name(&self) -> String;
    /// Tells it something under this id.
    async fn tell(&self, id: &str, body: &str, at: i64) -> Result<(), Error>;
}

/// An address on a web server.
pub(crate) struct Webhook {
    base: Base,
    /// The path, and what follows it.
    target: String,
    secret: Secret,
    ca_file: Option<PathBuf>,
}

impl Webhook {
    /// The one at this address; or what is wrong with it.
    pub(crate) fn new(url: &str, secret: Secret, ca_file: Option<PathBuf>) -> Result<Self, String> {
        let (base, target) = place(url)?;
        Ok(Self { base, target, secret, ca_file })
    }

    fn request(&self, id: &str, body: &str, at: i64) -> String {
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nAccept-Encoding: identity\r\n\
             User-Agent: whimbrel\r\nWhimbrel-Id: {id}\r\nWhimbrel-Signature: t={at},sha256={}\r\nConnection: close\r\n\r\n{body}",
            self.target,
            self.base.address(),
            body.len(),
            signature(&self.secret, body, at)
        )
    }

    async fn exchange(&self, request: &str) -> Result<Answer, Error> {
        let reach = Reach { connect_wait_max: WAIT_MAX, unacknowledged_max: WAIT_MAX };
        let trust = async || trust::trust(self.ca_file.clone(), None).await;
        let mut stream = http::connect(&self.base, reach, trust).await?;
        let limits = Limits { silence_max: WAIT_MAX, content_bytes_max: ANSWER_BYTES_MAX };
        http::exchange(&mut *stream, request.as_bytes(), None, limits).await.map_err(|why| match why {
            NoAnswer::Unsent(why) | NoAnswer::Lost(why) => Error::new(Cause::Connection, Scope::Connection, why),
            NoAnswer::Shut(error) => error,
        })
    }
}

/// Where an address is, and what is asked for there.
pub(crate) fn place(url: &str) -> Result<(Base, String), String> {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    if let Some(odd) = query.and_then(|query| query.chars().find(|c| !c.is_ascii_graphic() || *c == '#')) {
        return Err(format!("it holds the character {odd:?}"));
    }
    let base = Base::parse(address)?;
    let rest = address.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok((base, format!("{path}{query}")))
}

/// The signature of a body that is told at this time (seconds since 1970): HMAC-SHA256 of both with a full stop between them, in
/// hexadecimal.
pub(crate) fn signature(secret: &Secret, body: &str, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Hook for Webhook {
    fn name(&self) -> String {
        self.base.address()
    }

    async fn tell(&self, id: &str, body: &str, at: i64) -> Result<(), Error> {
        let failed = |cause, why: String| {
            Error::new(cause, Scope::Run, format!("cannot tell {} of an alert: {why}", self.base.address()))
        };
        let answer = self.exchange(&self.request(id, body, at)).await;
        match answer.map_err(|error| failed(error.cause, error.to_string()))?.status {
            200..=299 => Ok(()),
            status @ (429 | 500..) => Err(failed(Cause::Unavailable, format!("it answered {status}"))),
            status => Err(failed(Cause::Refused, format!("it answered {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_path_and_what_follows_it() {
        let target = |url: &str| place(url).map(|(base, target)| (base.address(), target));
        assert_eq!(target("https://x.example").unwrap(), ("x.example".to_owned(), "/".to_owned()));
        let odd = "https://x.example:8443/a/b/?sig=%2Fs&v=1";
        assert_eq!(target(odd).unwrap(), ("x.example:8443".to_owned(), "/a/b/?sig=%2Fs&v=1".to_owned()));
        for wrong in
            ["x.example", "https://", "https://u:p@x/", "https://x/?a b", "https://x/?a#b", "https://x/\r\nA: b"]
        {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_signature_is_what_others_compute() {
        // printf '%s' '1795690923.{"a":1}' | openssl dgst -sha256 -hmac key
        let found = signature(&Secret::new("key"), "{\"a\":1}", 1_795_690_923);
        assert_eq!(found, "949676c707d89b0e9ed030dde6ebdee90b17cfeaca654ff732ae2ad0bf8563b5");
    }

    #[test]
    fn a_request_is_whole_and_names_no_secret() {
        let hook = Webhook::new("http://127.0.0.1:81/hook", Secret::new("sesame"), None).unwrap();
        let request = hook.request("RX1/3/raised", "{}", 5);
        assert!(request.starts_with("POST /hook HTTP/1.1\r\nHost: 127.0.0.1:81\r\n"), "{request}");
        assert!(request.ends_with("\r\nConnection: close\r\n\r\n{}") && !request.contains("sesame"));
    }
}
