//! Bodies: an item's bytes on their way, in bounded memory.
//!
//! A small body is held in memory, as long as the budget has room; a larger one in a temporary file that has no name (so
//! nothing is left behind by a stop), readable by this user only. The budget is one for all that is under way to a
//! mailbox: whoever reads waits until whoever writes has let go.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use model::{Cause, Scope};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// Spool space is counted in blocks of this size.
const SPOOL_BLOCK_BYTES: u64 = 64 * 1024;
/// A spooled body is written and read in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;

/// Limits of what is held.
#[derive(Clone, Debug)]
pub struct HoldsLimits {
    /// Bytes of bodies in memory at once.
    pub memory_bytes: u64,
    /// A body larger than this goes to a temporary file; at most half of `memory_bytes`.
    pub body_in_memory_bytes_max: u64,
    /// Bytes of bodies in temporary files at once.
    pub spool_bytes: u64,
    /// Where temporary files are made.
    pub spool_folder: PathBuf,
}

impl Default for HoldsLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            memory_bytes: 16 * MIB,
            body_in_memory_bytes_max: 8 * MIB,
            spool_bytes: 8 * 1024 * MIB,
            spool_folder: std::env::temp_dir(),
        }
    }
}

/// Where bodies are held. Clones share one budget.
#[derive(Clone, Debug)]
pub struct Holds(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: HoldsLimits,
    memory: Arc<Semaphore>,
    spool: Arc<Semaphore>,
}

impl Holds {
    /// Holds with these limits.
    pub fn new(limits: HoldsLimits) -> Self {
        assert!(limits.body_in_memory_bytes_max * 2 <= limits.memory_bytes, "a body is at most half of the budget");
        let memory = Arc::new(Semaphore::new(limits.memory_bytes as usize));
        let spool = Arc::new(Semaphore::new((limits.spool_bytes / SPOOL_BLOCK_BYTES) as usize));
        Self(Arc::new(Shared { limits, memory, spool }))
    }

    /// Room for a body of this size: waits until there is some.
    pub async fn reserve(&self, size_bytes: u64) -> Result<Holding, Error> {
        let closed = |_| Error::new(Cause::Internal, Scope::Run, "the room for held items is closed");
        if size_bytes <= self.0.limits.body_in_memory_bytes_max {
            let room = self.0.memory.clone().acquire_many_owned(size_bytes as u32).await.map_err(closed)?;
            return Ok(Holding(Held::Memory { bytes: BytesMut::new(), room, size_bytes: size_bytes as usize }));
        }
        if size_bytes > self.0.limits.spool_bytes {
            let what = format!(
                "the item is {size_bytes} bytes, but at most {} bytes can be held on the way",
                self.0.limits.spool_bytes
            );
            return Err(Error::new(Cause::NoRoomToHold, Scope::Item, what));
        }
        let blocks = size_bytes.div_ceil(SPOOL_BLOCK_BYTES) as u32;
        let room = self.0.spool.clone().acquire_many_owned(blocks).await.map_err(closed)?;
        let file = tempfile::tempfile_in(&self.0.limits.spool_folder).map_err(|error| self.spool_error(&error))?;
        Ok(Holding(Held::Spool {
            file: Arc::new(file),
            room,
            written: 0,
            piece: BytesMut::with_capacity(PIECE_BYTES),
            size_bytes,
            holds: self.clone(),
        }))
    }

    /// Another form of a body, of so many bytes: written by this, in memory or in a file as the body is. It shares the body's
    /// room, so that making it never waits; the body is to be let go.
    pub async fn rewritten(
        &self,
        body: &Body,
        size_bytes: u64,
        write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()> + Send + 'static,
    ) -> Result<Body, Error> {
        let limits = self.0.limits.clone();
        match body {
            Body::Memory { room, .. } if size_bytes <= limits.body_in_memory_bytes_max => {
                let mut bytes = Vec::with_capacity(size_bytes as usize);
                write(&mut bytes).map_err(|error| self.spool_error(&error))?;
                Ok(Body::Memory { bytes: bytes.into(), room: room.clone() })
            }
            Body::Memory { room, .. } | Body::Spooled { room, .. } => {
                let made = blocking(move || {
                    let file = tempfile::tempfile_in(&limits.spool_folder)?;
                    let mut out = std::io::BufWriter::with_capacity(PIECE_BYTES, file);
                    write(&mut out)?;
                    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
                    let size_bytes = file.metadata()?.len();
                    Ok((file, size_bytes))
                });
                let (file, size_bytes) = made.await.map_err(|error| self.spool_error(&error))?;
                Ok(Body::Spooled { file: Arc::new(file), size_bytes, room: room.clone() })
            }
        }
    }

    fn spool_error(&self, error: &std::io::Error) -> Error {
        let folder = self.0.limits.spool_folder.display();
        Error::new(Cause::NoRoomToHold, Scope::Item, format!("cannot hold a large item in {folder}: {error}"))
    }
}

/// Room for a body that is coming in.
#[derive(Debug)]
pub struct Holding(Held);

#[derive(Debug)]
enum Held {
    Memory { bytes: BytesMut, room: OwnedSemaphorePermit, size_bytes: usize },
    Spool { file: Arc<File>, room: OwnedSemaphorePermit, written: u64, piece: BytesMut, size_bytes: u64, holds: Holds },
}

impl Holding {
    /// Is it held in memory?
    pub fn in_memory(&self) -> bool {
        matches!(self.0, Held::Memory { .. })
    }

    /// The body is these bytes, which are in memory already. Only for one [`Self::in_memory`].
    pub fn whole(self, bytes: Bytes) -> Body {
        match self.0 {
            Held::Memory { room, size_bytes, .. } => {
                assert!(bytes.len() <= size_bytes, "a body larger than its room");
                Body::Memory { bytes, room: Arc::new(room) }
            }
            Held::Spool { .. } => unreachable!("a spooled body comes in pieces"),
        }
    }

    /// Takes the next piece.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.0 {
            Held::Memory { bytes: held, size_bytes, .. } => {
                assert!(held.len() + bytes.len() <= *size_bytes, "a body larger than its room");
                if held.capacity() == 0 {
                    held.reserve(*size_bytes);
                }
                held.extend_from_slice(bytes);
                Ok(())
            }
            Held::Spool { piece, size_bytes, written, .. } => {
                assert!(*written + (piece.len() + bytes.len()) as u64 <= *size_bytes, "a body larger than its room");
                piece.extend_from_slice(bytes);
                if piece.len() >= PIECE_BYTES { self.flush().await } else { Ok(()) }
            }
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let Held::Spool { file, written, piece, holds, .. } = &mut self.0 else { return Ok(()) };
        let (file, offset, bytes) = (file.clone(), *written, piece.split().freeze());
        *written += bytes.len() as u64;
        blocking(move || file.write_all_at(&bytes, offset)).await.map_err(|error| holds.spool_error(&error))
    }

    /// The body is complete.
    pub async fn finish(mut self) -> Result<Body, Error> {
        self.flush().await?;
        Ok(match self.0 {
            Held::Memory { bytes, room, .. } => Body::Memory { bytes: bytes.freeze(), room: Arc::new(room) },
            Held::Spool { file, room, written, .. } => {
                Body::Spooled { file, size_bytes: written, room: Arc::new(room) }
            }
        })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(std::io::Error::other("the file task was stopped")))
}

/// An item's bytes. Clones share them; their room is free again when the last one is gone.
#[derive(Clone, Debug)]
pub enum Body {
    /// In memory.
    Memory {
        /// The bytes.
        bytes: Bytes,
        /// Their room.
        room: Arc<OwnedSemaphorePermit>,
    },
    /// In a temporary file.
    Spooled {
        /// The file, which has no name any more.
        file: Arc<File>,
        /// How many bytes.
        size_bytes: u64,
        /// Their room.
        room: Arc<OwnedSemaphorePermit>,
    },
}

impl Body {
    /// How many bytes.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Memory { bytes, .. } => bytes.len() as u64,
            Self::Spooled { size_bytes, .. } => *size_bytes,
        }
    }

    /// The bytes, when they are in memory.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match self {
            Self::Memory { bytes, .. } => Some(bytes),
            Self::Spooled { .. } => None,
        }
    }

    /// Reads some bytes from this place on; 0 only at the end. Waits for the file, where there is one.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<usize> {
        let left = self.size_bytes().saturating_sub(at).min(into.len() as u64) as usize;
        match self {
            Self::Memory { bytes, .. } if left > 0 => {
                into[..left].copy_from_slice(&bytes[at as usize..at as usize + left]);
                Ok(left)
            }
            Self::Memory { .. } => Ok(0),
            Self::Spooled { file, .. } => file.read_at(&mut into[..left], at),
        }
    }

    /// Reads the bytes in pieces.
    pub fn reader(&self) -> BodyReader {
        BodyReader { body: self.clone(), offset: 0 }
    }

    /// All bytes at once: only where the body is known to be small, as in tests.
    pub async fn to_vec(&self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        let mut reader = self.reader();
        while let Some(piece) = reader.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

/// Reads a body in pieces.
#[derive(Debug)]
pub struct BodyReader {
    body: Body,
    offset: u64,
}

impl BodyReader {
    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let left = self.body.size_bytes() - self.offset;
        if left == 0 {
            return Ok(None);
        }
        let piece = match &self.body {
            Body::Memory { bytes, .. } => bytes.clone(),
            Body::Spooled { file, .. } => {
                let (file, offset) = (file.clone(), self.offset);
                let size = left.min(PIECE_BYTES as u64) as usize;
                let read = blocking(move || {
                    let mut piece = vec![0; size];
                    file.read_exact_at(&mut piece, offset).map(|()| piece)
                });
                Bytes::from(read.await.map_err(|error| {
                    Error::new(Cause::LocalFile, Scope::Item, format!("cannot read a held item back: {error}"))
                })?)
            }
        };
        self.offset += piece.len() as u64;
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(memory_bytes: u64, body: u64, spool_bytes: u64) -> Holds {
        Holds::new(HoldsLimits { memory_bytes, body_in_memory_bytes_max: body, spool_bytes, ..HoldsLimits::default() })
    }

    async fn hold(holds: &Holds, bytes: &[u8]) -> Body {
        let mut holding = holds.reserve(bytes.len() as u64).await.unwrap();
        for piece in bytes.chunks(1000) {
            holding.write(piece).await.unwrap();
        }
        holding.finish().await.unwrap()
    }

    #[tokio::test]
    async fn a_large_body_goes_to_a_file_and_reads_back_the_same() {
        let holds = holds(64, 32, 10 * 1024 * 1024);
        let bytes: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let body = hold(&holds, &bytes).await;
        assert!(body.in_memory().is_none());
        assert_eq!(body.to_vec().await.unwrap(), bytes);
        let small = hold(&holds, b"small").await;
        assert_eq!(small.in_memory().unwrap(), "small");
        assert_eq!(hold(&holds, b"").await.to_vec().await.unwrap(), b"");
    }

    #[tokio::test]
    async fn whoever_reads_waits_until_there_is_room() {
        let holds = holds(64, 32, 0);
        let (a, b) = (hold(&holds, &[1; 32]).await, hold(&holds, &[2; 32]).await);
        let third = tokio::spawn({
            let holds = holds.clone();
            async move { hold(&holds, &[3; 32]).await }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        drop(a.clone());
        tokio::task::yield_now().await;
        assert!(!third.is_finished(), "a clone going does not make room");
        drop(a);
        assert_eq!(third.await.unwrap().size_bytes(), 32);
        drop(b);
    }

    #[tokio::test]
    async fn an_item_larger_than_all_room_is_refused_not_waited_for() {
        let error = holds(64, 32, 1024 * 1024).reserve(1024 * 1024 + 1).await.unwrap_err();
        assert_eq!((error.cause, error.scope), (Cause::NoRoomToHold, Scope::Item));
    }
}
