//! The key that a manifest is signed with, the salts, and the public key that others check by.
//!
//! One secret of 32 bytes, and from it by HKDF a key for each of two purposes. Salts are derived from what they salt, not
//! drawn: the same ledger gives the same lines and roots, so that two manifests can be compared, nothing has to be kept
//! beside the file, and a poor source of random bytes harms nothing. A changed line has another salt, so that what was
//! revealed of it once helps nobody to guess what it became.

use std::path::Path;

use keyfile::Key;
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::line::{Hex, Item, Line, SALT_BYTES, Who, flags_hash};

const OF: &str = "manifest";
/// What the derived keys are for: HKDF's `info`.
const FOR_SIGNING: &[u8] = b"whimbrel manifest 1 signing";
const FOR_SALTS: &[u8] = b"whimbrel manifest 1 salts";
/// What stands before the two lines that are signed: no other message is ever signed with this key.
const SIGNED: &[u8] = b"whimbrel manifest 1\n";

/// The key of a project's manifests.
pub struct Signer {
    pair: Ed25519KeyPair,
    salts: hmac::Key,
    public: PublicKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub Hex<32>);

impl PublicKey {
    /// The key that is written so; upper case and spaces around it are let pass, as people copy it.
    pub fn parse(text: &str) -> Option<Self> {
        Hex::parse(&text.trim().to_ascii_lowercase()).map(Self)
    }

    /// Is this the signature under these two lines, by this key?
    pub fn has_signed(&self, head: &[u8], project: &[u8], signature: &Hex<64>) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0.0).verify(&signed(head, project), &signature.0).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Signer {
    /// The signer with the key in this file; none if there is no file.
    pub fn read(path: &Path) -> Result<Option<Self>, keyfile::Error> {
        Ok(Key::read(OF, path)?.as_ref().map(Self::new))
    }

    /// Makes the file with a new key. One that is there by now stays, and is the key.
    pub fn make(path: &Path) -> Result<Self, keyfile::Error> {
        Key::make(OF, path).as_ref().map(Self::new).map_err(Clone::clone)
    }

    /// The signer with this key.
    pub fn new(key: &Key) -> Self {
        let Seed(seed) = key.derived(&[], FOR_SIGNING, SeedBytes);
        let salts = key.derived(&[], FOR_SALTS, ring::hkdf::HKDF_SHA256.hmac_algorithm());
        let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(&seed) else { unreachable!("any 32 bytes are a seed") };
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Self { pair, salts, public: PublicKey(Hex(public)) }
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The signature under these two lines.
    pub fn sign(&self, head: &[u8], project: &[u8]) -> Hex<64> {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(&signed(head, project)).as_ref());
        Hex(bytes)
    }

    /// The line with its salt; what it has for one is passed over.
    pub fn salted_who(&self, who: Who, project: &str) -> Who {
        let unsalted = Line::Who(Who { salt: Hex([0; SALT_BYTES]), ..who.clone() });
        Who { salt: self.salt(&[project.as_bytes(), &unsalted.written()]), ..who }
    }

    /// The item of this mailbox with its salt, and with its flags hashed: those at the source, and those on the target where
    /// they are others.
    pub fn salted_item(&self, who: &Who, unsalted: Item, flags: &str, flags_there: Option<&str>) -> Item {
        let there = flags_there.unwrap_or(flags);
        let unsalted = Line::Item(Item { salt: Hex([0; SALT_BYTES]), ..unsalted });
        let line = unsalted.written();
        let Line::Item(mut item) = unsalted else { unreachable!("it was just made") };
        item.salt = self.salt(&[&who.salt.0, &line, flags.as_bytes(), there.as_bytes()]);
        item.source.flags = Some(flags_hash(&item.salt, flags));
        if let (Some(target), Some(flags)) = (&mut item.target, flags_there) {
            target.flags = Some(flags_hash(&item.salt, flags));
        }
        item
    }

    fn salt(&self, parts: &[&[u8]]) -> Hex<SALT_BYTES> {
        let mut context = hmac::Context::with_key(&self.salts);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; SALT_BYTES];
        bytes.copy_from_slice(&context.sign().as_ref()[..SALT_BYTES]);
        Hex(bytes)
    }
}

fn signed(head: &[u8], project: &[u8]) -> Vec<u8> {
    [SIGNED, head, b"\n", project, b"\n"].concat()
}

struct SeedBytes;

impl ring::hkdf::KeyType for SeedBytes {
    fn len(&self) -> usize {
        32
    }
}

struct Seed([u8; 32]);

impl From<ring::hkdf::Okm<'_, SeedBytes>> for Seed {
    fn from(okm: ring::hkdf::Okm<'_, SeedBytes>) -> Self {
        let mut seed = [0; 32];
        let filled = okm.fill(&mut seed);
        assert!(filled.is_ok(), "the seed is as long as was asked for");
        Self(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(byte: u8) -> Signer {
        Signer::new(&Key::of([byte; keyfile::KEY_BYTES]))
    }

    #[test]
    fn a_signature_is_of_these_two_lines_by_this_key() {
        let (one, other) = (signer(1), signer(2));
        let signature = one.sign(b"head", b"project");
        assert!(one.public().has_signed(b"head", b"project", &signature));
        assert!(!other.public().has_signed(b"head", b"project", &signature));
        assert!(!one.public().has_signed(b"headp", b"roject", &signature));
        assert!(!one.public().has_signed(b"head", b"other", &signature));
        assert_eq!(signer(1).public(), one.public(), "the same secret is the same key");
        assert_eq!(PublicKey::parse(&format!(" {}\n", one.public().to_string().to_uppercase())), Some(one.public()));
        assert_eq!(PublicKey::parse("12"), None);
        assert_eq!(format!("{one:?}"), "(secret)");
    }
}
