//! Whom the connectors' connections trust, and why one was refused, in words. TLS is always verified.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector::{Error, Retry};
use model::{Cause, Scope};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// What is trusted: the system's roots and, if given, the certificates of a private CA. Those are read from its file, unless its bytes are
/// known already.
pub async fn trust(ca_file: Option<PathBuf>, ca: Option<Vec<u8>>) -> Result<Arc<ClientConfig>, Error> {
    let read = tokio::task::spawn_blocking(move || read(ca_file.as_deref(), ca.as_deref())).await;
    read.map_err(|_| Error::new(Cause::Internal, Scope::Run, "reading the trusted certificates was stopped"))?
}

fn read(ca_file: Option<&Path>, ca: Option<&[u8]>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    // A system without roots, or with one that can't be read, is no reason to stop: a private CA may be all there is.
    for root in rustls_native_certs::load_native_certs().certs {
        let _ = roots.add(root);
    }
    if let Some(path) = ca_file {
        let shown = path.display();
        let failed =
            |why: String| Error::new(Cause::LocalFile, Scope::Run, format!("cannot use ca_file {shown}: {why}"));
        let read = match ca {
            Some(ca) => CertificateDer::pem_slice_iter(ca).collect::<Vec<_>>(),
            None => CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?.collect(),
        };
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

/// What of a failure is TLS's own, where it came through a stream.
pub fn within(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Why a stream to this host, shown as this place, got no TLS, and what to do. A hint is for a port that speaks something
/// else.
pub fn refusal(error: &io::Error, host: &str, place: &str, hint: &str) -> Error {
    match within(error) {
        Some(tls) => refused(tls, host, place, hint),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            broken("it closed the connection during the handshake", place)
        }
        None => broken(&error.to_string(), place),
    }
}

/// The same, where TLS itself says why.
pub fn refused(error: &rustls::Error, host: &str, place: &str, hint: &str) -> Error {
    let why = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
                "its certificate is not for {host}: give the name that the certificate is for, or have it renewed"
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
        rustls::Error::InvalidMessage(_) => format!("it does not speak TLS on this port{hint}"),
        other => other.to_string(),
    };
    no_tls(&why, place)
}

/// The same, where the connection came to an end: that may mend by itself, a certificate doesn't.
pub fn broken(why: &str, place: &str) -> Error {
    no_tls(why, place).retry(Retry::Later(None))
}

fn no_tls(why: &str, place: &str) -> Error {
    Error::new(Cause::Tls, Scope::Connection, format!("cannot agree on TLS with {place}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_is_none_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.pem");
        let error = read(Some(&missing), None).unwrap_err();
        assert_eq!(error.cause, Cause::LocalFile);
        assert!(error.what.contains("missing.pem"), "{error}");
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing here").unwrap();
        assert!(read(Some(&empty), None).unwrap_err().what.contains("no certificate"));
        assert!(read(None, None).is_ok());
    }
}
