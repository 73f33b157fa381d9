//! First passwords: made by the platform's rule, kept encrypted until they are handed over.

use std::path::Path;

use keyfile::Key;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{Error, Exit};

const OF: &str = "first passwords";
const PURPOSE: &[u8] = b"whimbrel first passwords 1";
/// Letters and digits that are not taken for one another when read aloud or from paper.
const CLASSES: [&[u8]; 4] = [b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"abcdefghijkmnpqrstuvwxyz", b"23456789", b"+-=%#!"];

/// The key of this in this file; made when there is none and it may be.
pub(super) fn key(of: &str, path: &Path, may_make: bool, without: &str) -> Result<Key, Error> {
    let usage = |error: keyfile::Error| Error::usage(error.to_string());
    if let Some(key) = Key::read(of, path).map_err(usage)? {
        return Ok(key);
    }
    if may_make {
        return Key::make(of, path).map_err(usage);
    }
    let what = format!("the key of the {of}, {}, is not there", path.display());
    Err(Error::usage(what).advise(format!("put it back from its copy: without it {without}")))
}

/// What first passwords are kept under.
pub(super) struct Safe(LessSafeKey);

impl Safe {
    /// The key in this file; made when there is none and nothing is locked by it yet.
    pub(super) fn open(path: &Path, may_make: bool) -> Result<Self, Error> {
        let key = key(OF, path, may_make, "no first password can be read")?;
        Ok(Self(LessSafeKey::new(key.derived::<_, UnboundKey>(b"", PURPOSE, &CHACHA20_POLY1305))))
    }

    /// A password, encrypted; what it is for cannot be exchanged.
    pub(super) fn seal(&self, password: &str, of: &str) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = password.as_bytes().to_vec();
        let (key, aad) = (&self.0, Aad::from(of.as_bytes()));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).map_err(|_| internal())?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// The password that was encrypted for this.
    pub(super) fn open_sealed(&self, sealed: &[u8], of: &str) -> Result<String, Error> {
        let damaged = || {
            Error::usage(format!("the first password of {of} can't be read with this key"))
                .advise("put back the key file that was there when the account was made")
        };
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut rest = rest.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(of.as_bytes()), &mut rest).map_err(|_| damaged())?;
        String::from_utf8(plain.to_vec()).map_err(|_| damaged())
    }
}

/// A new password of so many characters, some of each class. It begins with a letter: a spreadsheet takes what begins with a
/// sign for a formula, and a file for one is guarded against that.
pub(super) fn generate(length: usize) -> Result<String, Error> {
    let length = length.max(CLASSES.len());
    let all = CLASSES.concat();
    loop {
        let mut password = String::new();
        for _ in 0..length {
            password.push(char::from(all[below(all.len())?]));
        }
        let begins_well = password.starts_with(|first: char| first.is_ascii_alphabetic());
        if begins_well && CLASSES.iter().all(|class| password.bytes().any(|byte| class.contains(&byte))) {
            return Ok(password);
        }
    }
}

/// A random number below this one, each as likely.
fn below(max: usize) -> Result<usize, Error> {
    let limit = 256 - 256 % max;
    loop {
        let [byte]: [u8; 1] = random()?;
        if usize::from(byte) < limit {
            return Ok(usize::from(byte) % max);
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| internal())?;
    Ok(bytes)
}

pub(super) fn internal() -> Error {
    Error { exit: Exit::Internal, rule: None, what: "the system gives no random numbers".to_owned(), advice: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_back_for_whom_it_was_made_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.key");
        assert!(Safe::open(&path, false).is_err());
        let safe = Safe::open(&path, true).unwrap();
        let sealed = safe.seal("secret", "ad:1").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let again = Safe::open(&path, false).unwrap();
        assert_eq!(again.open_sealed(&sealed, "ad:1").as_deref(), Ok("secret"));
        assert!(again.open_sealed(&sealed, "ad:2").is_err());
    }

    #[test]
    fn no_password_is_taken_for_a_formula() {
        for _ in 0..10_000 {
            let password = generate(8).unwrap();
            assert!(!report::begins_formula(&password) && password.as_bytes()[0].is_ascii_alphabetic(), "{password}");
        }
    }

    #[test]
    fn passwords_hold_every_class_and_differ() {
        let passwords: Vec<String> = (0..50).map(|_| generate(12).unwrap()).collect();
        for password in &passwords {
            assert_eq!(password.len(), 12);
            assert!(CLASSES.iter().all(|class| password.bytes().any(|byte| class.contains(&byte))), "{password}");
        }
        assert_eq!(passwords.iter().collect::<std::collections::HashSet<_>>().len(), 50);
    }
}
