//! Letters sent over SMTP (RFC 5321), by a submission server (RFC 6409) or a relay.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use connector::{Error, Secret};
use lettre::address::{Address, Envelope};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as Secured, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use model::{Cause, Scope};

use crate::{Letter, Mailer};

/// How long an answer is waited for.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);

/// How the connection is kept private. The certificate is always verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// TLS after the command STARTTLS; refused when the server does not offer it.
    Starttls,
    /// None: for loopback and networks that are private by other means.
    None,
}

/// A server that takes letters.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// Its name. Its certificate must be for this name.
    pub host: String,
    /// Its port; 465 with TLS from the first byte, 587 with STARTTLS, else 25, when left out.
    pub port: Option<u16>,
    /// How the connection is kept private.
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA, trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The account that sends, with its password.
    pub login: Option<(String, Secret)>,
}

impl SmtpConfig {
    fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::Implicit => 465,
            Tls::Starttls => 587,
            Tls::None => 25,
        })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port())
    }
}

/// Sends letters over SMTP.
#[derive(Clone, Debug)]
pub struct Smtp {
    config: SmtpConfig,
}

impl Smtp {
    /// Sends by this server.
    pub fn new(config: SmtpConfig) -> Self {
        Self { config }
    }

    fn secured(&self) -> Result<Secured, Error> {
        let failed = |what: String| Error::new(Cause::Tls, Scope::Run, what);
        if self.config.tls == Tls::None {
            return Ok(Secured::None);
        }
        let mut parameters = TlsParameters::builder(self.config.host.clone());
        if let Some(path) = &self.config.ca_file {
            let shown = path.display();
            let pem = std::fs::read(path).map_err(|error| failed(format!("{shown} cannot be read: {error}")))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|error| failed(format!("{shown} holds no certificates: {}", told(&error))))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = parameters.build().map_err(|error| failed(told(&error)))?;
        Ok(match self.config.tls {
            Tls::Starttls => Secured::Required(parameters),
            Tls::Implicit | Tls::None => Secured::Wrapper(parameters),
        })
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, letter: &Letter) -> Result<(), Error> {
        let bytes = letter.compose()?;
        let address = |text: &str| {
            text.parse::<Address>()
                .map_err(|_| Error::new(Cause::Unsupported, Scope::Item, format!("{text:?} is no mail address")))
        };
        let envelope = Envelope::new(Some(address(&letter.from)?), vec![address(&letter.to)?])
            .map_err(|_| Error::new(Cause::Internal, Scope::Item, "a letter to nobody"))?;
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.config.host)
            .port(self.config.port())
            .timeout(Some(ANSWER_WAIT_MAX))
            .tls(self.secured()?);
        if let Some((user, password)) = &self.config.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        let sent = transport.build().send_raw(&envelope, &bytes).await;
        sent.map(|_| ()).map_err(|error| self.error(&error, &letter.to))
    }
}

impl Smtp {
    fn error(&self, error: &lettre::transport::smtp::Error, to: &str) -> Error {
        let code = error.status().map(u16::from);
        let cause = match code {
            _ if error.is_tls() => Cause::Tls,
            Some(530 | 534 | 535 | 538) => Cause::Login,
            Some(_) if error.is_transient() => Cause::Unavailable,
            Some(_) => Cause::Refused,
            None => Cause::Connection,
        };
        let what = format!("cannot send a letter to {to} by {}: {}", self.config.address(), told(error));
        Error::new(cause, Scope::Item, what)
    }
}

/// An error with what it rests on.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
