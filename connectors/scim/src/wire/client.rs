//! Requests to one server: connected, made private, logged in; waiting where it asks for that.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connector::{Door, Effect, Error, Retry, Secret};
use http::{Answer, Base, Limits, NoAnswer, Reach, Stream};
use model::{Cause, Scope};
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::answer;
use crate::config::{Config, Tls};

/// How often a request that the server asks to wait with is made in all.
pub(crate) const TRIES_MAX: u32 = 6;
/// The first wait where the server says none; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_millis(500);

/// What is said of a connection without TLS.
pub(crate) const NOT_ENCRYPTED: &str =
    "NOT ENCRYPTED: tokens, passwords and people's data can be read on the way (tls = \"none\")";

/// A request.
pub(crate) struct Request<'r> {
    pub(crate) method: &'static str,
    /// What follows the address of the server, such as `Users/7`.
    pub(crate) path: &'r str,
    /// The form that must be there still (RFC 7644 section 3.14).
    pub(crate) if_match: Option<&'r str>,
    pub(crate) content: Option<&'r Value>,
}

impl<'r> Request<'r> {
    pub(crate) fn get(path: &'r str) -> Self {
        Self { method: "GET", path, if_match: None, content: None }
    }
}

/// What became of a request with an effect.
pub(crate) enum Sent {
    /// The server answered.
    Answered(Answer),
    /// It did not leave whole, so it has no effect. Where the door was shut, with what it said.
    Unsent(Error),
    /// Nobody knows.
    InDoubt(Error),
}

/// Waits between tries, within bounds.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    tries: u32,
    waited: Duration,
}

impl Patience {
    /// Waits as long as the answer asks for. False: that is too long, or was too often.
    pub(crate) async fn wait(&mut self, answer: &Answer, waits_max: Duration) -> bool {
        self.tries += 1;
        let wait = answer::wait(answer).unwrap_or(WAIT_FIRST * 2u32.pow(self.tries.min(10) - 1));
        if self.tries >= TRIES_MAX || self.waited.saturating_add(wait) > waits_max {
            return false;
        }
        tokio::time::sleep(wait).await;
        self.waited += wait;
        true
    }
}

/// Requests to one server. One at a time: what comes after a lost answer must not overtake it.
pub(crate) struct Client {
    config: Config,
    base: Base,
    trust: OnceCell<Arc<rustls::ClientConfig>>,
    idle: Mutex<Option<Box<dyn Stream>>>,
}

impl Client {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let wrong = |what: String| Error::new(Cause::Unsupported, Scope::Run, what);
        if let Some(mistake) = config.mistake() {
            return Err(wrong(mistake));
        }
        let base = Base::parse(&config.url).map_err(wrong)?;
        Ok(Self { config: config.clone(), base, trust: OnceCell::new(), idle: Mutex::new(None) })
    }

    /// The server's name, for people.
    pub(crate) fn address(&self) -> String {
        self.base.address()
    }

    /// How private connections are, for people.
    pub(crate) fn privacy(&self) -> &'static str {
        match self.config.tls {
            Tls::None => NOT_ENCRYPTED,
            Tls::Implicit => "TLS from the first byte, certificate verified",
        }
    }

    /// What the server must not repeat.
    pub(crate) fn secrets(&self) -> Vec<&Secret> {
        self.config.token.iter().chain(&self.config.password).collect()
    }

    fn limits(&self) -> Limits {
        Limits { silence_max: self.config.answer_wait_max, content_bytes_max: self.config.answer_bytes_max }
    }

    /// Reads something. Waits where the server asks for that, and tries again where the connection breaks.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Error> {
        let mut patience = Patience::default();
        let mut broken = 0;
        let bytes = self.bytes(&Request::get(path));
        loop {
            let mut held = self.idle.lock().await;
            let mut stream = self.stream(&mut held).await?;
            match http::exchange(&mut *stream, &bytes, None, self.limits()).await {
                Ok(answer) => {
                    if !answer.closes {
                        *held = Some(stream);
                    }
                    drop(held);
                    let asks_to_wait = matches!(answer.status, 429 | 502..=504);
                    if asks_to_wait && patience.wait(&answer, self.config.throttle_wait_max).await {
                        continue;
                    }
                    return Ok(answer);
                }
                Err(NoAnswer::Unsent(why) | NoAnswer::Lost(why)) => {
                    broken += 1;
                    // Nothing was changed, so it may be asked again.
                    if broken > 1 {
                        return Err(self.broken(path, &why));
                    }
                }
                Err(NoAnswer::Shut(error)) => return Err(error),
            }
        }
    }

    fn broken(&self, path: &str, why: &str) -> Error {
        let path = path.split('?').next().unwrap_or_default();
        let what = format!("cannot read {path} on {}: {why}", self.address());
        Error::new(Cause::Connection, Scope::Connection, what).retry(Retry::Later(None))
    }

    /// Makes a request with an effect, once. Its last byte waits for the door.
    pub(crate) async fn send(&self, request: &Request<'_>, door: &dyn Door, effect: Effect) -> Sent {
        let bytes = self.bytes(request);
        let mut held = self.idle.lock().await;
        let mut stream = match self.stream(&mut held).await {
            Ok(stream) => stream,
            Err(error) => return Sent::Unsent(error),
        };
        let what = |why: &str| format!("{} of {} on {}: {why}", request.method, request.path, self.address());
        match http::exchange(&mut *stream, &bytes, Some((door, effect)), self.limits()).await {
            Ok(answer) => {
                if !answer.closes {
                    *held = Some(stream);
                }
                Sent::Answered(answer)
            }
            Err(NoAnswer::Shut(error)) => Sent::Unsent(error),
            Err(NoAnswer::Unsent(why)) => {
                Sent::Unsent(Error::new(Cause::Connection, Scope::Connection, what(&why)).retry(Retry::Later(None)))
            }
            Err(NoAnswer::Lost(why)) => Sent::InDoubt(Error::new(Cause::InDoubt, Scope::Item, what(&why))),
        }
    }

    fn bytes(&self, request: &Request<'_>) -> Vec<u8> {
        let content = request.content.map(Value::to_string);
        let mut lines = vec![
            format!("{} {}/{} HTTP/1.1", request.method, self.base.path, request.path),
            format!("Host: {}", self.base.address()),
            "Accept: application/scim+json, application/json".to_owned(),
            "Accept-Encoding: identity".to_owned(),
            "User-Agent: whimbrel".to_owned(),
        ];
        match (&self.config.token, &self.config.user, &self.config.password) {
            (Some(token), _, _) => lines.push(format!("Authorization: Bearer {}", token.reveal())),
            (None, Some(user), Some(password)) => {
                let both = STANDARD.encode(format!("{user}:{}", password.reveal()));
                lines.push(format!("Authorization: Basic {both}"));
            }
            _ => {}
        }
        lines.extend(request.if_match.map(|etag| format!("If-Match: {etag}")));
        if let Some(content) = &content {
            lines.push("Content-Type: application/scim+json".to_owned());
            lines.push(format!("Content-Length: {}", content.len()));
        }
        let head = lines.join("\r\n") + "\r\n\r\n";
        (head + content.as_deref().unwrap_or_default()).into_bytes()
    }

    /// The connection that is open still, or a new one.
    async fn stream(&self, idle: &mut Option<Box<dyn Stream>>) -> Result<Box<dyn Stream>, Error> {
        if let Some(mut stream) = idle.take()
            && !http::is_spent(&mut *stream).await
        {
            return Ok(stream);
        }
        self.reach().await
    }

    async fn reach(&self) -> Result<Box<dyn Stream>, Error> {
        let reach = Reach {
            connect_wait_max: self.config.connect_wait_max,
            unacknowledged_max: self.config.unacknowledged_max,
        };
        let read = || trust::trust(self.config.ca_file.clone(), None);
        let trust = async || Ok(self.trust.get_or_try_init(read).await?.clone());
        http::connect(&self.base, reach, trust).await
    }
}
