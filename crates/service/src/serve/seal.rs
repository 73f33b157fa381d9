//! What a service tells its workers through the database, sealed: whoever reads the database alone learns nothing of it.

use std::path::Path;

use keyfile::{KEY_BYTES, Key};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};

use crate::secret::Environment;
use crate::{Error, Exit};

/// The environment variable that holds the key: 64 hexadecimal digits.
pub(crate) const KEY_VARIABLE: &str = "WHIMBREL_KEY";
const OF: &str = "service";
const FOR_SEALING: &[u8] = b"whimbrel served project 1";
const FOR_DIGESTS: &[u8] = b"whimbrel served digest 1";

/// Seals and opens.
pub(crate) struct Seal {
    sealing: LessSafeKey,
    digests: hmac::Key,
}

impl Seal {
    /// With the key of this file or of the environment. Made where it is not there, if `may_make`.
    pub(crate) fn open(file: Option<&Path>, environment: Environment<'_>, may_make: bool) -> Result<Self, Error> {
        let unusable = |error: keyfile::Error| Error::usage(error.0);
        if let Some(file) = file {
            let key = match Key::read(OF, file).map_err(unusable)? {
                Some(key) => key,
                None if may_make => Key::make(OF, file).map_err(unusable)?,
                None => {
                    let what = format!("there is no key at {}", file.display());
                    return Err(
                        Error::usage(what).advise("copy the file that whimbrel serve uses, readable by you alone")
                    );
                }
            };
            return Ok(Self::with(&key));
        }
        let Some(text) = environment(KEY_VARIABLE) else {
            return Err(Error::usage("a worker needs the service's key")
                .advise(format!("give its file with --key, or its 64 hexadecimal digits in {KEY_VARIABLE}")));
        };
        let digits = text.trim();
        let byte = |place: usize| u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..KEY_BYTES).map(byte).collect();
        match bytes.and_then(|bytes| bytes.try_into().ok()).filter(|_| digits.len() == 2 * KEY_BYTES) {
            Some(bytes) => Ok(Self::with(&Key::of(bytes))),
            None => Err(Error::usage(format!("{KEY_VARIABLE} does not hold 64 hexadecimal digits"))
                .advise("write the key's bytes as xxd -p prints them, on one line")),
        }
    }

    fn with(key: &Key) -> Self {
        Self {
            sealing: LessSafeKey::new(key.derived::<_, UnboundKey>(&[], FOR_SEALING, &CHACHA20_POLY1305)),
            digests: key.derived(&[], FOR_DIGESTS, hkdf::HKDF_SHA256.hmac_algorithm()),
        }
    }

    /// Tells one text from another, and nothing else, to whoever has no key.
    pub(crate) fn digest(&self, plain: &[u8]) -> Vec<u8> {
        hmac::sign(&self.digests, plain).as_ref().to_vec()
    }

    /// Seals a text about the project of these names: its organisation's code, and its own.
    pub(crate) fn seal(&self, names: &(String, String), mut plain: Vec<u8>) -> Result<Vec<u8>, Error> {
        let failed = |what: &str| Error { exit: Exit::Internal, rule: None, what: what.to_owned(), advice: None };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| failed("the system gives no random numbers"))?;
        let sealed = self.sealing.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about(names)),
            &mut plain,
        );
        sealed.map_err(|_| failed("a project is too large to be sealed"))?;
        Ok([&nonce[..], &plain].concat())
    }

    /// Opens what was sealed about this project; none where it was sealed with another key, or is damaged.
    pub(crate) fn open_sealed(&self, names: &(String, String), sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.sealing.open_in_place(nonce, Aad::from(about(names)), &mut rest).ok()?.len();
        rest.truncate(plain);
        Some(rest)
    }
}

fn about((code, name): &(String, String)) -> Vec<u8> {
    format!("{code}\n{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_for_the_same_project_only() {
        let seal = |byte| Seal::with(&Key::of([byte; KEY_BYTES]));
        let names = |code: &str| (code.to_owned(), "migration".to_owned());
        let (mine, other) = (&names("RX1"), &names("RX2"));
        let sealed = seal(1).seal(mine, b"secret".to_vec()).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(seal(1).open_sealed(mine, &sealed).unwrap(), b"secret");
        assert!(seal(2).open_sealed(mine, &sealed).is_none());
        assert!(seal(1).open_sealed(other, &sealed).is_none());
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(seal(1).open_sealed(mine, &altered).is_none() && seal(1).open_sealed(mine, b"").is_none());
        assert_ne!(seal(1).digest(b"a"), seal(2).digest(b"a"));
    }

    #[test]
    fn a_key_of_the_environment_has_64_digits() {
        let with = |text: &'static str| Seal::open(None, &move |_: &str| Some(text.to_owned()), false);
        assert!(with("0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF\n").is_ok());
        for wrong in ["", "01", "zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
        assert!(Seal::open(None, &|_: &str| None, false).is_err());
    }
}
