//! Connecting: TCP, TLS, the greeting, the capabilities.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use connector::{Error, Retry};
use model::{Cause, Scope};
use tokio::sync::OwnedSemaphorePermit;

use crate::config::{Compress, Tls};
use crate::endpoint::Endpoint;
use crate::map::refusal;
use crate::wire::capability::Capabilities;
use crate::wire::command::{Command, Role};
use crate::wire::connection::{Bodies, Connection};
use crate::wire::paced::Paced;
use crate::wire::response::{Completion, Response, Status};
use crate::wire::transport::Io;
use crate::wire::{tls, transport};

/// What is said of a connection to another machine without TLS.
pub(crate) const NOT_ENCRYPTED: &str = "tls = \"none\": THE CONNECTION IS NOT ENCRYPTED: passwords and mail can be read and \
    changed on the way; use \"implicit\" or \"starttls\"";

/// A connection that is ready for a login, or has one.
pub(crate) struct Line {
    pub(crate) connection: Connection,
    pub(crate) capabilities: Capabilities,
    /// The server's greeting, for people.
    pub(crate) greeting: String,
    /// What is known of the TLS on it; none without TLS.
    pub(crate) tls: Option<String>,
    pub(crate) is_local: bool,
}

impl Endpoint {
    /// Connects.
    pub(crate) async fn connect(&self, role: Role) -> Result<Line, Error> {
        let permit = self.place().await?;
        let unacknowledged_max = (role == Role::Writes).then_some(self.config.unacknowledged_max);
        let (host, port) = (self.config.host.as_str(), self.config.port());
        let (stream, address) =
            transport::connect(host, port, self.config.connect_wait_max, unacknowledged_max).await?;
        let requests = self.config.pace.as_ref().map(|_| Arc::new(AtomicU64::new(0)));
        let stream: Box<dyn Io> = match (&self.config.pace, &requests) {
            (Some(pace), Some(requests)) => Box::new(Paced::new(Box::new(stream), pace.clone(), requests.clone())),
            _ => Box::new(stream),
        };
        let mut line = self.private(stream, role, address, permit).await?;
        line.connection.count_requests(requests);
        Ok(line)
    }

    /// Makes the stream private, as the endpoint's settings say, and hears the greeting.
    async fn private(
        &self,
        stream: Box<dyn Io>,
        role: Role,
        address: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) -> Result<Line, Error> {
        let (host, port) = (self.config.host.as_str(), self.config.port());
        match self.config.tls {
            Tls::None => {
                if !address.ip().is_loopback() && !self.warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(server = %self.config.address(), "{NOT_ENCRYPTED}");
                }
                self.greeted(stream, None, role, address, permit).await
            }
            Tls::Implicit => {
                let (io, tls) =
                    tls::shake_hands(stream, self.trust().await?, host, port, self.config.connect_wait_max).await?;
                self.greeted(io, Some(tls), role, address, permit).await
            }
            Tls::Starttls => self.start_tls(stream, role, address, permit).await,
        }
    }

    async fn greeted(
        &self,
        io: Box<dyn Io>,
        tls: Option<String>,
        role: Role,
        address: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) -> Result<Line, Error> {
        let wait = self.config.answer_wait_max;
        let mut connection = Connection::new(io, role, self.config.address(), wait, Some(permit));
        let (greeting, mut capabilities) = self.greeting(&mut connection).await?;
        if capabilities.is_empty() {
            capabilities = ask_capabilities(&mut connection).await?;
        }
        Ok(Line { connection, capabilities, greeting, tls, is_local: address.ip().is_loopback() })
    }

    /// Reads the greeting and the capabilities in it.
    async fn greeting(&self, connection: &mut Connection) -> Result<(String, Capabilities), Error> {
        let place = self.config.address();
        let received = tokio::time::timeout(self.config.connect_wait_max, connection.receive(Bodies::Discard)).await;
        let Ok(received) = received else {
            let seconds = self.config.connect_wait_max.as_secs();
            let mut what = format!("{place} took the connection but did not greet within {seconds} s");
            if self.config.tls != Tls::Implicit {
                what.push_str(": is this port for TLS from the first byte (tls = \"implicit\")?");
            }
            return Err(Error::new(Cause::Connection, Scope::Connection, what).retry(Retry::Later(None)));
        };
        received?;
        match connection.response() {
            Response::Status { status: Status::Ok, text } => {
                let capabilities =
                    text.code("CAPABILITY").map(|code| Capabilities::parse(code.tokens())).unwrap_or_default();
                Ok((crate::wire::response::presentable(text.text), capabilities))
            }
            Response::Status { status: Status::Preauth, .. } => {
                let what = format!(
                    "{place} logs everybody in by itself (PREAUTH), so there is no telling whose store that is, and no \
                     way to begin TLS"
                );
                Err(Error::new(Cause::NotTheirStore, Scope::Run, what))
            }
            Response::Status { status: Status::Bye, text } => {
                let completion = Completion::of(Status::Bye, &text);
                let what = format!("{place} refuses the connection");
                let error = Error::new(Cause::Connection, Scope::Connection, what).retry(Retry::Later(None));
                Err(refusal::broken(error.said(completion.text)))
            }
            _ => {
                let what = format!("{place} does not speak IMAP: its greeting is of another kind");
                Err(Error::new(Cause::Protocol, Scope::Connection, what).retry(Retry::AfterPerson))
            }
        }
    }

    async fn start_tls(
        &self,
        stream: Box<dyn Io>,
        role: Role,
        address: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) -> Result<Line, Error> {
        let (host, port, place) = (self.config.host.as_str(), self.config.port(), self.config.address());
        let wait = self.config.answer_wait_max;
        // The plain part is a connection of its own, which ends here but for its stream: whatever came in before the
        // handshake goes away with it, since anybody may have put it there.
        let stream = {
            let mut plain = Connection::new(stream, role, place.clone(), wait, None);
            let (_, mut capabilities) = self.greeting(&mut plain).await?;
            if capabilities.is_empty() {
                capabilities = ask_capabilities(&mut plain).await?;
            }
            let refused = |said: Option<String>| {
                let what = format!(
                    "{place} offers no STARTTLS, so passwords and mail would travel in the clear: use tls = \"implicit\" \
                     with its port, or have STARTTLS switched on"
                );
                let error = Error::new(Cause::Tls, Scope::Run, what);
                said.map_or(error.clone(), |said| error.said(said))
            };
            if !capabilities.has("STARTTLS") {
                return Err(refused(None));
            }
            let completion = plain.run(&Command::new("STARTTLS"), |_| {}).await?;
            if !completion.is_ok() {
                return Err(refused(Some(completion.text)));
            }
            plain.into_io()?
        };
        let (io, tls) = tls::shake_hands(stream, self.trust().await?, host, port, self.config.connect_wait_max).await?;
        let mut connection = Connection::new(io, role, place, wait, Some(permit));
        // What was announced in the clear counts for nothing.
        let capabilities = ask_capabilities(&mut connection).await?;
        let greeting = "TLS was begun with STARTTLS".to_owned();
        Ok(Line { connection, capabilities, greeting, tls: Some(tls), is_local: address.ip().is_loopback() })
    }

    /// Compresses the connection, where that is wished and offered.
    pub(crate) async fn compress(&self, line: &mut Line) -> Result<(), Error> {
        let is_wished = match self.config.compress {
            Compress::Auto => !line.is_local,
            Compress::Always => true,
            Compress::Never => false,
        };
        if !is_wished || !line.capabilities.has("COMPRESS=DEFLATE") {
            return Ok(());
        }
        // A refusal changes nothing: TLS may compress already.
        if line.connection.run(&Command::new("COMPRESS DEFLATE"), |_| {}).await?.is_ok() {
            line.connection.compress();
        }
        Ok(())
    }
}

/// Asks for the capabilities.
pub(crate) async fn ask_capabilities(connection: &mut Connection) -> Result<Capabilities, Error> {
    let mut capabilities = Capabilities::default();
    let on = |response: &Response<'_>| {
        if let Some(tokens) = response.data("CAPABILITY") {
            capabilities = Capabilities::parse(tokens);
        }
    };
    let completion = connection.run(&Command::new("CAPABILITY"), on).await?;
    if !completion.is_ok() {
        let error =
            Error::new(Cause::Protocol, Scope::Connection, "the server does not say what it can do (CAPABILITY)");
        return Err(error.said(completion.text));
    }
    Ok(capabilities)
}
