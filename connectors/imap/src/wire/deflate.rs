//! COMPRESS=DEFLATE (RFC 4978) as a layer between the connection and what is below it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Io;

/// Compressed bytes are read and written in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// A stream whose bytes are compressed in both directions.
pub struct Deflate {
    inner: Box<dyn Io>,
    compress: Compress,
    decompress: Decompress,
    /// Compressed bytes that have come.
    incoming: BytesMut,
    /// The decompressor may hold bytes that did not fit into what was asked for last.
    has_more: bool,
    /// Compressed bytes that are to go.
    outgoing: BytesMut,
    /// Bytes were compressed since the last flush.
    needs_flush: bool,
}

impl Deflate {
    /// Compression over this stream, of which these bytes have come already.
    pub fn new(inner: Box<dyn Io>, incoming: BytesMut) -> Self {
        Self {
            inner,
            // Mail compresses well at any level; the fastest keeps one core from being the limit.
            compress: Compress::new(Compression::fast(), false),
            decompress: Decompress::new(false),
            has_more: !incoming.is_empty(),
            incoming,
            outgoing: BytesMut::new(),
            needs_flush: false,
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Compresses some of these bytes; says how many it took, and whether it has nothing left to give.
    fn compress(&mut self, bytes: &[u8], flush: FlushCompress) -> io::Result<(usize, bool)> {
        let mut piece = [0; PIECE_BYTES];
        let (in_before, out_before) = (self.compress.total_in(), self.compress.total_out());
        self.compress.compress(bytes, &mut piece, flush).map_err(io::Error::other)?;
        let taken = (self.compress.total_in() - in_before) as usize;
        let given = (self.compress.total_out() - out_before) as usize;
        self.outgoing.extend_from_slice(&piece[..given]);
        Ok((taken, given < piece.len()))
    }
}

impl AsyncRead for Deflate {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.has_more {
                let (in_before, out_before) = (this.decompress.total_in(), this.decompress.total_out());
                let space = buffer.initialize_unfilled();
                let room = space.len();
                let status = this.decompress.decompress(&this.incoming, space, FlushDecompress::None);
                let status = status.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                let given = (this.decompress.total_out() - out_before) as usize;
                this.incoming.advance((this.decompress.total_in() - in_before) as usize);
                // A full buffer may mean that more is waiting inside.
                this.has_more = given == room || (given > 0 && !this.incoming.is_empty());
                if given > 0 {
                    buffer.advance(given);
                    return Poll::Ready(Ok(()));
                }
                if status == Status::StreamEnd {
                    return Poll::Ready(Ok(()));
                }
            }
            let mut piece = [0; PIECE_BYTES];
            let mut read = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.incoming.extend_from_slice(read.filled());
            this.has_more = true;
        }
    }
}

impl AsyncWrite for Deflate {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            if this.outgoing.len() >= PIECE_BYTES {
                ready!(this.poll_drain(cx))?;
            }
            let (taken, _) = this.compress(bytes, FlushCompress::None)?;
            this.needs_flush |= taken > 0;
            if taken > 0 || bytes.is_empty() {
                return Poll::Ready(Ok(taken));
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.needs_flush {
            ready!(this.poll_drain(cx))?;
            let (_, is_empty) = this.compress(&[], FlushCompress::Sync)?;
            this.needs_flush = !is_empty;
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_written_and_flushed_arrives_the_same() {
        let (ours, theirs) = tokio::io::duplex(1000);
        let mut ours = Deflate::new(Box::new(ours), BytesMut::new());
        let mut theirs = Deflate::new(Box::new(theirs), BytesMut::new());
        // Bytes that do and don't compress, of sizes around those of the pieces.
        let mut state = 1u32;
        let mut noise = |size: usize| -> Vec<u8> {
            (0..size)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect()
        };
        let messages: Vec<Vec<u8>> = vec![
            b"a".to_vec(),
            vec![b'x'; 500_000],
            noise(PIECE_BYTES - 1),
            noise(PIECE_BYTES),
            noise(PIECE_BYTES * 3 + 1),
            b"\r\n".to_vec(),
        ];
        let expected = messages.clone();
        let writer = tokio::spawn(async move {
            for message in messages {
                ours.write_all(&message).await.unwrap();
                ours.flush().await.unwrap();
            }
            ours
        });
        for message in expected {
            let mut read = vec![0; message.len()];
            theirs.read_exact(&mut read).await.unwrap();
            assert!(read == message, "{} bytes differ", message.len());
        }
        drop(writer.await.unwrap());
        assert_eq!(theirs.read(&mut [0; 10]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn bytes_that_came_before_the_layer_are_not_lost() {
        let (mut ours, theirs) = tokio::io::duplex(1000);
        let mut compress = Compress::new(Compression::fast(), false);
        let mut bytes = Vec::with_capacity(1000);
        compress.compress_vec(b"* OK early\r\n", &mut bytes, FlushCompress::Sync).unwrap();
        let early = BytesMut::from(&bytes[..5]);
        ours.write_all(&bytes[5..]).await.unwrap();
        let mut layer = Deflate::new(Box::new(theirs), early);
        let mut read = [0; 12];
        layer.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"* OK early\r\n");
    }

    #[tokio::test]
    async fn bytes_that_are_not_compressed_are_an_error() {
        let (mut ours, theirs) = tokio::io::duplex(1000);
        ours.write_all(&[0xff; 100]).await.unwrap();
        let mut layer = Deflate::new(Box::new(theirs), BytesMut::new());
        assert!(layer.read(&mut [0; 10]).await.is_err());
    }
}
