//! The TLS handshake, and what people may know of it.

use std::sync::Arc;
use std::time::Duration;

use connector::{Error, Retry};
use model::{Cause, Scope};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion};
use tokio_rustls::TlsConnector;

use super::certificate::Certificate;
use super::transport::Io;

/// What a port may be for that speaks no TLS.
const HINT: &str = ": is it one for STARTTLS (tls = \"starttls\")?";

/// A stream with TLS on it, and what people may know of it.
pub async fn shake_hands<S: Io + 'static>(
    stream: S,
    trusted: Arc<ClientConfig>,
    host: &str,
    port: u16,
    wait_max: Duration,
) -> Result<(Box<dyn Io>, String), Error> {
    let place = format!("{host}:{port}");
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let what = format!("{host:?} is neither a host name nor an address, so no certificate can be checked for it");
        Error::new(Cause::Tls, Scope::Connection, what)
    })?;
    let shaken = tokio::time::timeout(wait_max, TlsConnector::from(trusted).connect(name, stream)).await;
    match shaken {
        Ok(Ok(stream)) => {
            let (_, connection) = stream.get_ref();
            let version = match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            };
            let certificate = connection.peer_certificates().and_then(|chain| Certificate::read(chain.first()?));
            let sentence = match certificate {
                Some(certificate) => format!("{version}, {certificate}"),
                None => format!("{version}, certificate verified"),
            };
            Ok((Box::new(stream), sentence))
        }
        Ok(Err(error)) => Err(trust::refusal(&error, host, &place, HINT)),
        Err(_) => {
            let what = format!(
                "the TLS handshake with {place} did not end within {} s: is this port for TLS from the first byte \
                 (tls = \"implicit\")?",
                wait_max.as_secs()
            );
            Err(Error::new(Cause::Tls, Scope::Connection, what).retry(Retry::Later(None)))
        }
    }
}
