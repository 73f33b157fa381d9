//! The form of an item's file, version 1. `docs/quarantine.md` says the same for whoever reads one without Whimbrel.
//!
//! ```text
//! 8 bytes   "WHIMQUAR"
//! 1 byte    version, 1
//! 32 bytes  salt, random for each file
//! then frames, each of 65,536 bytes of the original (the last one of fewer or as many; of none if the original is
//! empty), sealed with ChaCha20-Poly1305: as many bytes, and 16 more
//! ```
//!
//! A frame is sealed under the key of the file (HKDF-SHA-256 of the master key with the file's salt), its number as nonce
//! (from 0, big-endian, 12 bytes), and with 33 bytes of associated data: the item's name, and whether it is the last.
//! So a frame opens only in its file, at its place, under its name; a file opens only in its full length. The name is the
//! HMAC of the original's digest and binds it. The digest itself is nowhere in the file, so `check` needs no list of what
//! is kept: what it reads gives a digest, the digest gives a name, and that must be the file's.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use model::Digest;
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};

use crate::key::{Keys, Name};

const MAGIC: [u8; 8] = *b"WHIMQUAR";
const VERSION: u8 = 1;
pub(crate) const SALT_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + 1 + SALT_BYTES;
/// How many bytes of the original a frame holds.
const FRAME_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
const SEALED_BYTES: u64 = (FRAME_BYTES + TAG_BYTES) as u64;

/// Why a file gives no original.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// It could not be read.
    Io(io::Error),
    /// It does not begin as such a file does.
    NotOurs,
    /// It has a form of another version.
    Version(u8),
    /// It is too short or too long by some bytes.
    Length,
    /// This frame does not open: it was altered or moved, frames are missing, or the key is another one.
    Frame(u64),
    /// All frames open, and the original has another digest than the name says.
    Digest,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotOurs => f.write_str("it does not begin as a file of the quarantine"),
            Self::Version(version) => write!(f, "its form has version {version}, and this program knows {VERSION}"),
            Self::Length => f.write_str("it has a length that no whole file has"),
            Self::Frame(number) => write!(f, "block {number} is not what was written there"),
            Self::Digest => f.write_str("what it holds has another digest than was written down for it"),
        }
    }
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn nonce(frame: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&frame.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn associated(name: &Name, is_last: bool) -> Aad<[u8; 33]> {
    let mut bytes = [u8::from(is_last); 33];
    bytes[..32].copy_from_slice(name.as_bytes());
    Aad::from(bytes)
}

fn digest_of(context: Context) -> Digest {
    let Some(digest) = Digest::from_bytes(context.finish().as_ref()) else { unreachable!("a SHA-256 has 32 bytes") };
    digest
}

/// A file being written.
pub(crate) struct Sealing<W> {
    out: W,
    key: LessSafeKey,
    name: Name,
    /// What the next frame will hold. A full one waits until it is known whether it is the last.
    frame: Vec<u8>,
    number: u64,
    digest: Context,
}

impl<W: Write> Sealing<W> {
    /// Begins the file of the item with this name.
    pub(crate) fn begin(mut out: W, keys: &Keys, name: Name) -> io::Result<Self> {
        let mut salt = [0; SALT_BYTES];
        let random = SystemRandom::new().fill(&mut salt);
        random.map_err(|_| io::Error::other("the system gives no random bytes"))?;
        out.write_all(&MAGIC)?;
        out.write_all(&[VERSION])?;
        out.write_all(&salt)?;
        let frame = Vec::with_capacity(FRAME_BYTES + TAG_BYTES);
        Ok(Self { out, key: keys.of_item(&salt), name, frame, number: 0, digest: Context::new(&SHA256) })
    }

    /// Takes the next bytes of the original.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        while !bytes.is_empty() {
            if self.frame.len() == FRAME_BYTES {
                self.seal(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_BYTES - self.frame.len()));
            self.frame.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// The original is complete: where it was written to, and its digest.
    pub(crate) fn finish(mut self) -> io::Result<(W, Digest)> {
        self.seal(true)?;
        Ok((self.out, digest_of(self.digest)))
    }

    fn seal(&mut self, is_last: bool) -> io::Result<()> {
        let associated = associated(&self.name, is_last);
        let sealed = self.key.seal_in_place_append_tag(nonce(self.number), associated, &mut self.frame);
        assert!(sealed.is_ok(), "a frame is shorter than ChaCha20 allows");
        self.out.write_all(&self.frame)?;
        self.frame.clear();
        self.number += 1;
        Ok(())
    }
}

/// A file being read.
pub(crate) struct Opened {
    file: File,
    key: LessSafeKey,
    name: Name,
    frames: u64,
    last_bytes: usize,
}

impl Opened {
    /// Opens the file of the item with this name. Nothing but its header was looked at.
    pub(crate) fn open(path: &Path, keys: &Keys, name: Name) -> Result<Self, Flaw> {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len().checked_sub(HEADER_BYTES as u64).ok_or(Flaw::Length)?;
        let (mut magic, mut version, mut salt) = ([0; MAGIC.len()], [0], [0; SALT_BYTES]);
        file.read_exact(&mut magic)?;
        file.read_exact(&mut version)?;
        file.read_exact(&mut salt)?;
        if magic != MAGIC {
            return Err(Flaw::NotOurs);
        }
        if version != [VERSION] {
            return Err(Flaw::Version(version[0]));
        }
        let frames = bytes.div_ceil(SEALED_BYTES).max(1);
        let last_bytes = (bytes - (frames - 1) * SEALED_BYTES) as usize;
        if last_bytes < TAG_BYTES {
            return Err(Flaw::Length);
        }
        Ok(Self { file, key: keys.of_item(&salt), name, frames, last_bytes })
    }

    /// How many frames; there is at least one.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// What a frame holds, once it is proved to be what was written.
    pub(crate) fn frame(&self, number: u64) -> Result<Vec<u8>, Flaw> {
        let is_last = number + 1 == self.frames;
        let mut frame = vec![0; if is_last { self.last_bytes } else { SEALED_BYTES as usize }];
        self.file.read_exact_at(&mut frame, HEADER_BYTES as u64 + number * SEALED_BYTES)?;
        let opened = self.key.open_in_place(nonce(number), associated(&self.name, is_last), &mut frame);
        let bytes = opened.map_err(|_| Flaw::Frame(number))?.len();
        frame.truncate(bytes);
        Ok(frame)
    }

    /// Proves cheaply that key, name, salt and length are right: all of them are needed to open the last frame.
    pub(crate) fn prove_end(&self) -> Result<(), Flaw> {
        self.frame(self.frames - 1).map(drop)
    }

    /// Proves that all of it is what was written, and that the original has the digest that its name says.
    pub(crate) fn prove_all(&self, keys: &Keys) -> Result<(), Flaw> {
        let mut digest = Context::new(&SHA256);
        for number in 0..self.frames {
            digest.update(&self.frame(number)?);
        }
        if keys.name(&digest_of(digest)) == self.name { Ok(()) } else { Err(Flaw::Digest) }
    }
}
