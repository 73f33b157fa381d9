//! What a server's certificate says, for people. Nothing is decided here: verification is TLS's own.
//!
//! A reader of just enough DER (X.690) and X.509 (RFC 5280) to name who a certificate is for and who issued it. It gives
//! up silently on anything unusual.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The object identifiers of `commonName`, `organizationName` and `subjectAltName`.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Names shown of a certificate for many.
const NAMES_SHOWN_MAX: usize = 3;

/// A certificate, as far as people care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for: names and addresses.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: String,
}

impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.names.len().min(NAMES_SHOWN_MAX);
        write!(f, "certificate for {}", self.names[..shown].join(", "))?;
        if self.names.len() > shown {
            write!(f, " and {} more", self.names.len() - shown)?;
        }
        write!(f, ", issued by {}", self.issuer)
    }
}

/// A value of DER: its tag and its contents.
struct Value<'a> {
    tag: u8,
    contents: &'a [u8],
}

/// Takes the first value off.
fn take<'a>(der: &mut &'a [u8]) -> Option<Value<'a>> {
    let [tag, length, rest @ ..] = *der else { return None };
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some(Value { tag: *tag, contents })
}

fn take_tagged<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    take(der).filter(|value| value.tag == tag).map(|value| value.contents)
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;

impl Certificate {
    /// Reads a certificate; none when it is not as expected.
    pub fn read(mut der: &[u8]) -> Option<Self> {
        let mut certificate = take_tagged(&mut der, SEQUENCE)?;
        let mut signed = take_tagged(&mut certificate, SEQUENCE)?;
        let mut ahead = signed;
        if take(&mut ahead)?.tag == 0xa0 {
            signed = ahead;
        }
        let _serial = take(&mut signed)?;
        let _algorithm = take(&mut signed)?;
        let issuer = name(take_tagged(&mut signed, SEQUENCE)?).unwrap_or_else(|| "an issuer without a name".to_owned());
        let _validity = take(&mut signed)?;
        let subject = name(take_tagged(&mut signed, SEQUENCE)?);
        let _key = take(&mut signed)?;
        let mut names = Vec::new();
        while let Some(value) = take(&mut signed) {
            if value.tag == 0xa3 {
                names = alternative_names(value.contents).unwrap_or_default();
            }
        }
        if names.is_empty() {
            names.extend(subject);
        }
        (!names.is_empty()).then_some(Self { names, issuer })
    }
}

/// The common name of a distinguished name, or else its organisation.
fn name(mut parts: &[u8]) -> Option<String> {
    let mut organisation = None;
    while let Some(mut set) = take_tagged(&mut parts, SET) {
        while let Some(mut pair) = take_tagged(&mut set, SEQUENCE) {
            let kind = take_tagged(&mut pair, OBJECT_IDENTIFIER)?;
            let text = presentable(take(&mut pair)?.contents);
            if kind == COMMON_NAME {
                return Some(text);
            }
            if kind == ORGANISATION {
                organisation = Some(text);
            }
        }
    }
    organisation
}

fn alternative_names(mut extensions: &[u8]) -> Option<Vec<String>> {
    let mut list = take_tagged(&mut extensions, SEQUENCE)?;
    while let Some(mut extension) = take_tagged(&mut list, SEQUENCE) {
        if take_tagged(&mut extension, OBJECT_IDENTIFIER)? != SUBJECT_ALT_NAME {
            continue;
        }
        let mut value = take(&mut extension)?;
        if value.tag != OCTET_STRING {
            value = take(&mut extension)?;
        }
        let mut contents = value.contents;
        let mut general_names = take_tagged(&mut contents, SEQUENCE)?;
        let mut names = Vec::new();
        while let Some(value) = take(&mut general_names) {
            match (value.tag, value.contents) {
                (0x82, name) => names.push(presentable(name)),
                (0x87, &[a, b, c, d]) => names.push(Ipv4Addr::new(a, b, c, d).to_string()),
                (0x87, address) => {
                    let address: Option<[u8; 16]> = address.try_into().ok();
                    names.extend(address.map(|address| Ipv6Addr::from(address).to_string()));
                }
                _ => {}
            }
        }
        return Some(names);
    }
    None
}

fn presentable(text: &[u8]) -> String {
    super::response::presentable(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name = DistinguishedName::new();
        ca.distinguished_name.push(DnType::OrganizationName, "Example Trust");
        ca.distinguished_name.push(DnType::CommonName, "Example CA");
        let issuer = Issuer::new(ca, KeyPair::generate().unwrap());
        let names = ["mail.example", "127.0.0.1", "::1", "imap.example"].map(str::to_owned).to_vec();
        let key = KeyPair::generate().unwrap();
        CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap().der().to_vec()
    }

    #[test]
    fn whom_it_is_for_and_who_issued_it() {
        let read = Certificate::read(&certificate()).unwrap();
        assert_eq!(read.names, ["mail.example", "127.0.0.1", "::1", "imap.example"]);
        assert_eq!(read.to_string(), "certificate for mail.example, 127.0.0.1, ::1 and 1 more, issued by Example CA");
    }

    #[test]
    fn half_a_certificate_is_none() {
        let whole = certificate();
        for length in 0..whole.len() {
            let _ = Certificate::read(&whole[..length]);
        }
        assert_eq!(Certificate::read(&[]), None);
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_causes_no_harm(place in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut der = certificate();
            let place = place.index(der.len());
            der[place] = byte;
            let _ = Certificate::read(&der);
        }
    }
}
