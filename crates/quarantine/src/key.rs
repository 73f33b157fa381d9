//! The key of a quarantine: 32 random bytes in a file that only its owner may read, and what is derived from them.
//!
//! A key is made once and never replaced: with another key all that was kept would be lost.

use std::fmt;
use std::path::Path;

use connector::Error;
use keyfile::Key;
use model::{Cause, Digest, Scope};
use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::{hkdf, hmac};

use crate::form::SALT_BYTES;

/// Whose key it is, in errors.
const OF: &str = "quarantine";

/// What the derived keys are for: HKDF's `info`. No two purposes share a key.
const FOR_ITEM: &[u8] = b"whimbrel quarantine 1 item";
const FOR_NAMES: &[u8] = b"whimbrel quarantine 1 names";
/// What the key's id is the HMAC of.
const ID_OF: &[u8] = b"whimbrel quarantine 1 key-id";

/// The name of an item: the HMAC of its digest. It says nothing to whoever lacks the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; 32]);

impl Name {
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name written as 64 digits; none if this is no name.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> = text.bytes().map(hex_digit).collect();
        let bytes: Vec<u8> =
            digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        (text.len() == 64).then_some(())?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The value of a digit as we write it: upper case is not ours.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The key and what is derived from it. It is shown nowhere.
pub(crate) struct Keys {
    master: Key,
    names: hmac::Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Keys {
    fn new(master: Key) -> Self {
        let names = master.derived(&[], FOR_NAMES, hkdf::HKDF_SHA256.hmac_algorithm());
        Self { master, names }
    }

    /// The key of these bytes.
    pub(crate) fn of(bytes: [u8; keyfile::KEY_BYTES]) -> Self {
        Self::new(Key::of(bytes))
    }

    /// The key in this file; none if there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        Ok(Key::read(OF, path).map_err(refused)?.map(Self::new))
    }

    /// Makes the file with a new key. One that is there by now stays, and is the key.
    pub(crate) fn make(path: &Path) -> Result<Self, Error> {
        Key::make(OF, path).map(Self::new).map_err(refused)
    }

    /// What tells keys apart and gives nothing away.
    pub(crate) fn id(&self) -> String {
        hmac::sign(&self.names, ID_OF).as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The name of the item with this digest.
    pub(crate) fn name(&self, original: &Digest) -> Name {
        let mut name = [0; 32];
        name.copy_from_slice(hmac::sign(&self.names, original.as_bytes()).as_ref());
        Name(name)
    }

    /// The key of the item with this salt.
    pub(crate) fn of_item(&self, salt: &[u8; SALT_BYTES]) -> LessSafeKey {
        LessSafeKey::new(self.master.derived::<_, UnboundKey>(salt, FOR_ITEM, &CHACHA20_POLY1305))
    }
}

fn refused(error: keyfile::Error) -> Error {
    Error::new(Cause::LocalFile, Scope::Run, error.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::new(Key::of([byte; keyfile::KEY_BYTES]))
    }

    #[test]
    fn names_are_64_digits_and_read_back() {
        let name = keys(1).name(&Digest::of(b"a"));
        assert!(Name::from_hex(&name.to_string()) == Some(name));
        for wrong in
            ["", "ab", &name.to_string().to_uppercase(), &format!("{name}0"), &format!("{}é", &name.to_string()[2..])]
        {
            assert!(Name::from_hex(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn another_key_gives_other_names_and_another_id() {
        assert!(keys(1).name(&Digest::of(b"a")) != keys(2).name(&Digest::of(b"a")));
        assert_ne!(keys(1).id(), keys(2).id());
        assert!(!keys(1).name(&Digest::of(ID_OF)).to_string().starts_with(&keys(1).id()));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", keys(7)), "(secret)");
    }
}
