//! Certificates of an authority of the tests' own, good ones and every bad one that a client must refuse.

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: it is for `localhost` and `127.0.0.1`, and the authority vouches for it.
    #[default]
    None,
    /// It is for another host.
    WrongName,
    /// It has run out.
    Expired,
    /// It is from an authority that only calls itself as the one in the file does.
    WrongAuthority,
}

/// An authority and a server certificate, as PEM files in a temporary folder that goes with this value.
pub struct Certificates {
    folder: TempDir,
    chain: rcgen::Certificate,
    key: KeyPair,
}

impl Certificates {
    /// A new authority and a certificate with this flaw.
    pub fn new(flaw: Flaw) -> Self {
        Self::of(flaw, &[])
    }

    /// A new authority and a good certificate for these names or addresses too.
    pub fn also_for(names: &[&str]) -> Self {
        Self::of(Flaw::None, names)
    }

    fn of(flaw: Flaw, also: &[&str]) -> Self {
        let folder =
            tempfile::Builder::new().prefix("kit-tls-").tempdir().expect("the temporary folder can be written to");
        let authority = authority();
        fs::write(folder.path().join("ca.pem"), authority.0.pem()).expect("the folder is ours");
        let vouching = if flaw == Flaw::WrongAuthority { self::authority().1 } else { authority.1 };

        let names = match flaw {
            Flaw::WrongName => vec!["elsewhere.invalid".to_owned()],
            _ => ["localhost", "127.0.0.1", "::1"].iter().chain(also).map(|name| (*name).to_owned()).collect(),
        };
        let mut server = CertificateParams::new(names).expect("the names are valid");
        server.distinguished_name = named("Whimbrel test server");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        if flaw == Flaw::Expired {
            server.not_before = date_time_ymd(2001, 1, 1);
            server.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("keys can be made");
        let chain = server.signed_by(&key, &vouching).expect("the authority signs");
        fs::write(folder.path().join("cert.pem"), chain.pem()).expect("the folder is ours");
        fs::write(folder.path().join("key.pem"), key.serialize_pem()).expect("the folder is ours");
        Self { folder, chain, key }
    }

    /// The authority's certificate, for the client.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's certificate.
    pub fn cert_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The server's key.
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// The server's side of TLS with this certificate.
    pub fn server_config(&self) -> Arc<rustls::ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.chain.der().clone()], key)
            .expect("the certificate is for the key");
        Arc::new(config)
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::CommonName, name);
    full
}

fn authority() -> (rcgen::Certificate, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Whimbrel test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("keys can be made");
    let certificate = params.self_signed(&key).expect("it signs itself");
    (certificate, Issuer::new(params, key))
}
