//! A secret key: 32 random bytes in a file that only its owner may read, and the keys derived from it.
//!
//! A file is made once and never replaced: with another key, what was locked or signed before would be lost or disowned.
//! Whether a new one may be made is for the caller to know. The bytes are shown nowhere.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};

/// How many bytes a key has.
pub const KEY_BYTES: usize = 32;
/// The bits of a mode that let others than the owner do anything.
const OTHERS_MAY: u32 = 0o077;
/// How the name of a file begins that is being written.
const UNFINISHED: &str = ".keeping-";

/// Why there is no key: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// A key's bytes, in one place of the memory, overwritten when they are no longer needed.
pub struct Key(Box<[u8; KEY_BYTES]>);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.fill(0);
        // Or the compiler would leave out writes that nobody reads.
        std::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Key {
    /// The key of these bytes.
    pub fn of(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Box::new(bytes))
    }

    /// The key of something (`quarantine`, say) in this file; none if there is no file.
    pub fn read(of: &str, path: &Path) -> Result<Option<Self>, Error> {
        let shown = path.display();
        let unreadable = |error| Error(format!("the key of the {of}, {shown}, cannot be read: {error}"));
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let facts = file.metadata().map_err(unreadable)?;
        if facts.mode() & OTHERS_MAY != 0 {
            return Err(Error(format!(
                "the key of the {of}, {shown}, is open to other users of this machine: nothing was read. Do: chmod 600 {shown}"
            )));
        }
        if !facts.is_file() || facts.len() != KEY_BYTES as u64 {
            return Err(Error(format!(
                "{shown} is not the key of a {of}, which is a file of {KEY_BYTES} bytes: give the right file, or bring it \
                 back from a backup"
            )));
        }
        let mut key = Self::of([0; KEY_BYTES]);
        file.read_exact(&mut key.0[..]).map_err(unreadable)?;
        Ok(Some(key))
    }

    /// Makes the file with a new key. One that is there by now stays, and is the key.
    pub fn make(of: &str, path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let mut key = Self::of([0; KEY_BYTES]);
        if SystemRandom::new().fill(&mut key.0[..]).is_err() {
            return Err(Error(format!("the system gives no random bytes: no key was made for the {of}")));
        }
        let is_new = make_once(path, &key.0[..])
            .map_err(|error| Error(format!("the key of the {of} cannot be written to {shown}: {error}")))?;
        if is_new {
            return Ok(key);
        }
        Self::read(of, path)?.ok_or_else(|| Error(format!("the key of the {of}, {shown}, was taken away just now")))
    }

    /// The key for one purpose, by HKDF-SHA-256. It goes straight from HKDF to the one who uses it.
    pub fn derived<L: hkdf::KeyType, K>(&self, salt: &[u8], purpose: &[u8], kind: L) -> K
    where
        K: for<'a> From<hkdf::Okm<'a, L>>,
    {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&self.0[..]);
        let purposes = [purpose];
        let Ok(key) = extracted.expand(&purposes, kind) else { unreachable!("a key is shorter than 255 blocks") };
        K::from(key)
    }
}

/// Makes a file that only its owner may read: whole, durable, and only if there is none. Was there none?
pub fn make_once(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let folder = folder_of(path);
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => File::open(folder)?.sync_all().map(|()| true),
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by what goes wrong in it")]

    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        assert!(Key::read("test", &path).unwrap().is_none());
        let made = Key::make("test", &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(*Key::make("test", &path).unwrap().0, *made.0, "one that is there stays");
        assert_eq!(*Key::read("test", &path).unwrap().unwrap().0, *made.0);
        assert_eq!(format!("{made:?}"), "(secret)");
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        Key::make("test", &path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(Key::read("test", &path).unwrap_err().0.contains("chmod 600"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, [1; 31]).unwrap();
        assert!(Key::read("test", &path).unwrap_err().0.contains("is not the key of a test"));
    }
}
