//! A connection to a server, made private where its address says so.

use std::sync::Arc;
use std::time::Duration;

use connector::{Error, Retry};
use model::{Cause, Scope};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Base, Stream};

/// How long is waited for a server.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// For a TCP connection and for the TLS handshake, each.
    pub connect_wait_max: Duration,
    /// How long bytes written may stay unacknowledged before the connection is given up.
    pub unacknowledged_max: Duration,
}

/// A new connection. Whom it trusts is asked only where the address is one of TLS.
pub async fn connect(
    base: &Base,
    reach: Reach,
    trust: impl AsyncFnOnce() -> Result<Arc<ClientConfig>, Error>,
) -> Result<Box<dyn Stream>, Error> {
    let place = format!("{}:{}", base.host, base.port);
    let wait = reach.connect_wait_max;
    let failed = |why: String| {
        let what = format!("cannot connect to {place}: {why}");
        Error::new(Cause::Connection, Scope::Connection, what).retry(Retry::Later(None))
    };
    let stream = timeout(wait, TcpStream::connect((base.host.as_str(), base.port))).await;
    let stream = stream.map_err(|_| failed(format!("no answer within {} s", wait.as_secs())))?;
    let stream = stream.map_err(|error| failed(error.to_string()))?;
    let socket = socket2::SockRef::from(&stream);
    // A socket that does not know one of these is as good as before.
    let _ = socket.set_tcp_user_timeout(Some(reach.unacknowledged_max));
    let _ = socket.set_keepalive(true);
    let _ = socket.set_tcp_nodelay(true);
    if !base.is_tls {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(base.host.clone())
        .map_err(|_| failed(format!("{:?} is no name that a certificate can be for", base.host)))?;
    let handshake = tokio_rustls::TlsConnector::from(trust().await?).connect(name, stream);
    match timeout(wait, handshake).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(trust::refusal(&error, &base.host, &place, "")),
        Err(_) => {
            let what = format!("cannot agree on TLS with {place} within {} s", wait.as_secs());
            Err(Error::new(Cause::Tls, Scope::Connection, what).retry(Retry::Later(None)))
        }
    }
}
