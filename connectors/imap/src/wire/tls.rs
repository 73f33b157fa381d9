//! TLS: always verified, with the system's roots and a private CA besides.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connector::{Error, Retry};
use model::{Cause, Scope};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ProtocolVersion, RootCertStore};
use tokio_rustls::TlsConnector;

use super::certificate::Certificate;
use super::transport::Io;

/// What is trusted: the system's roots and, if given, the certificates of a private CA.
pub fn trust(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    // A system without roots, or with one that can't be read, is no reason to stop: a private CA may be all there is.
    for root in rustls_native_certs::load_native_certs().certs {
        let _ = roots.add(root);
    }
    if let Some(path) = ca_file {
        let shown = path.display();
        let failed =
            |why: String| Error::new(Cause::LocalFile, Scope::Run, format!("cannot use ca_file {shown}: {why}"));
        let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
        let mut count = 0;
        for certificate in read {
            let certificate = certificate.map_err(|error| failed(error.to_string()))?;
            roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(failed("it holds no certificate (PEM)".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Cause::Internal, Scope::Run, format!("cannot set up TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A stream with TLS on it, and what people may know of it.
pub async fn shake_hands<S: Io + 'static>(
    stream: S,
    trust: Arc<ClientConfig>,
    host: &str,
    port: u16,
    wait_max: Duration,
) -> Result<(Box<dyn Io>, String), Error> {
    let place = format!("{host}:{port}");
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let what = format!("{host:?} is neither a host name nor an address, so no certificate can be checked for it");
        Error::new(Cause::Tls, Scope::Connection, what)
    })?;
    let shaken = tokio::time::timeout(wait_max, TlsConnector::from(trust).connect(name, stream)).await;
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
        Ok(Err(error)) => Err(refusal(&error, host, &place)),
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

/// Why a handshake failed, and what to do.
fn refusal(error: &io::Error, host: &str, place: &str) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match inner {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
                "its certificate is not for {host}: give the name that the certificate is for as host, or have it renewed"
            ),
            CertificateError::UnknownIssuer => {
                "its certificate was issued by an authority that is not trusted here: for a private CA, give its \
                 certificate with ca_file"
                    .to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired: have it renewed, and check this machine's clock".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet: check this machine's clock".to_owned()
            }
            CertificateError::Revoked => "its certificate was revoked".to_owned(),
            other => format!("its certificate is not accepted ({other})"),
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            "it does not speak TLS on this port: is it one for STARTTLS (tls = \"starttls\")?".to_owned()
        }
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it closed the connection during the handshake".to_owned()
        }
        None => error.to_string(),
    };
    let error = Error::new(Cause::Tls, Scope::Connection, format!("cannot agree on TLS with {place}: {why}"));
    // A broken connection may mend by itself; a certificate doesn't.
    if inner.is_none() { error.retry(Retry::Later(None)) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_is_none_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.pem");
        let error = trust(Some(&missing)).unwrap_err();
        assert_eq!(error.cause, Cause::LocalFile);
        assert!(error.what.contains("missing.pem"), "{error}");
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing here").unwrap();
        assert!(trust(Some(&empty)).unwrap_err().what.contains("no certificate"));
        assert!(trust(None).is_ok());
    }
}
