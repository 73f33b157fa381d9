//! Connecting: TCP, the greeting, TLS, the capabilities.

use std::sync::atomic::Ordering;
use std::time::Duration;

use connector::{Error, Retry};
use http::{Base, Reach};
use model::{Cause, Scope};
use tokio::sync::OwnedSemaphorePermit;

use crate::config::Tls;
use crate::endpoint::Endpoint;
use crate::refusal;
use crate::wire::capability::Capabilities;
use crate::wire::command::Command;
use crate::wire::connection::Connection;

/// What is said of a connection to another machine without TLS.
pub(crate) const NOT_ENCRYPTED: &str = "tls = \"none\": THE CONNECTION IS NOT ENCRYPTED: passwords and scripts can be read and \
    changed on the way; use \"starttls\" or \"implicit\"";

/// A connection that is ready for a login, or has one.
pub(crate) struct Line {
    pub(crate) connection: Connection,
    pub(crate) capabilities: Capabilities,
    _permit: OwnedSemaphorePermit,
}

impl Endpoint {
    /// Connects.
    pub(crate) async fn connect(&self) -> Result<Line, Error> {
        let permit = self.place().await?;
        let config = &self.config;
        let is_local =
            config.host == "localhost" || config.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if config.tls == Tls::None && !is_local && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = %config.address(), "{NOT_ENCRYPTED}");
        }
        let is_tls = config.tls == Tls::Implicit;
        let base = Base { is_tls, host: config.host.clone(), port: config.port(), path: String::new() };
        let reach = Reach { connect_wait_max: config.connect_wait_max, unacknowledged_max: config.unacknowledged_max };
        let stream = http::connect(&base, reach, async || self.trust().await).await?;
        let mut connection =
            Connection::new(stream, config.answer_wait_max, config.unacknowledged_max, config.address());
        let mut capabilities = self.greeting(&mut connection).await?;
        if config.tls == Tls::Starttls {
            (connection, capabilities) = self.start_tls(connection, &capabilities).await?;
        }
        Ok(Line { connection, capabilities, _permit: permit })
    }

    /// Hears the greeting, which tells the capabilities (RFC 5804 section 1.7).
    async fn greeting(&self, connection: &mut Connection) -> Result<Capabilities, Error> {
        let place = self.config.address();
        let answer =
            connection.answer_within(self.config.connect_wait_max).await.map_err(|error| match error.cause {
                Cause::Connection if self.config.tls != Tls::Implicit => Error {
                    what: format!("{}: is this port for TLS from the first byte (tls = \"implicit\")?", error.what),
                    ..error
                },
                _ => error,
            })?;
        if !answer.is_ok() {
            return Err(refusal::refused(format!("{place} refuses the connection"), &answer, Cause::Unavailable));
        }
        let capabilities = Capabilities::of(&answer);
        if !capabilities.are_those_of_sieve() {
            let what = format!("{place} does not speak ManageSieve: its greeting is of another kind");
            return Err(Error::new(Cause::Protocol, Scope::Connection, what).retry(Retry::AfterPerson));
        }
        Ok(capabilities)
    }

    async fn start_tls(
        &self,
        mut plain: Connection,
        capabilities: &Capabilities,
    ) -> Result<(Connection, Capabilities), Error> {
        let place = self.config.address();
        let refuse = || {
            let what = format!(
                "{place} offers no STARTTLS, so passwords and scripts would travel in the clear: have it switched on, or use \
                 tls = \"implicit\" with a port for that"
            );
            Error::new(Cause::Tls, Scope::Run, what)
        };
        if !capabilities.has("STARTTLS") {
            return Err(refuse());
        }
        plain.send(&Command::new("STARTTLS").bytes()).await?;
        let answer = plain.answer().await?;
        if !answer.is_ok() {
            return Err(refuse().said(answer.text));
        }
        let wait: Duration = self.config.connect_wait_max;
        let mut connection = plain.start_tls(self.trust().await?, &self.config.host, wait).await?;
        // The server tells its capabilities anew (section 2.2); what was told in the clear counts for nothing.
        let capabilities = self.greeting(&mut connection).await?;
        Ok((connection, capabilities))
    }
}
