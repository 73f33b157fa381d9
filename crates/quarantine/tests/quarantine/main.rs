//! The quarantine by its own functions, on real files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod another_reader;
mod damage;
mod keeping;
mod keys;

use std::path::{Path, PathBuf};

use connector::{Body, Holds, HoldsLimits};
use model::Digest;
use quarantine::Quarantine;
use tempfile::TempDir;

/// The places of one quarantine.
struct Place {
    place: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("below").join("originals")
    }

    fn key(&self) -> PathBuf {
        self.place.path().join("quarantine.key")
    }

    async fn open(&self) -> Quarantine {
        Quarantine::open(&self.folder(), &self.key()).await.unwrap()
    }

    /// What opening fails with.
    async fn refusal(&self) -> connector::Error {
        Quarantine::open(&self.folder(), &self.key()).await.unwrap_err()
    }

    /// All files below the folder, but the one that says which key it has.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("key-id") {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    /// The one file that is kept.
    fn only_file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }
}

/// Bytes that repeat nowhere nearby.
fn bytes(size: usize) -> Vec<u8> {
    let mut state = size as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A body in memory, or in a file if it is larger than 1 MiB.
async fn body(bytes: &[u8]) -> Body {
    let limits = HoldsLimits { memory_bytes: 2 << 20, body_in_memory_bytes_max: 1 << 20, ..HoldsLimits::default() };
    let mut holding = Holds::new(limits).reserve(bytes.len() as u64).await.unwrap();
    for piece in bytes.chunks(100_000) {
        holding.write(piece).await.unwrap();
    }
    holding.finish().await.unwrap()
}

async fn keep(quarantine: &Quarantine, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    assert!(quarantine.keep(digest, &body(bytes).await).await.unwrap());
    digest
}

/// An export that must fail, with nothing written.
async fn no_export(quarantine: &Quarantine, digest: &Digest) -> connector::Error {
    let mut out = Vec::new();
    let error = quarantine.export(digest, &mut out).await.expect_err("it must not be exported");
    assert_eq!(out, b"", "nothing is written of what is not whole");
    error
}

async fn export(quarantine: &Quarantine, digest: &Digest) -> Vec<u8> {
    let mut out = Vec::new();
    quarantine.export(digest, &mut out).await.unwrap();
    out
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().mode() & 0o777
}
