//! Bytes: lines and literals in, answers out, through TLS and compression where they were begun.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

/// How much is read at a time, and how much of an answer is gathered before it is sent.
const CHUNK_BYTES: usize = 64 * 1024;
/// Bodies up to this size are copied among the other bytes; larger ones are sent from where they are.
const COPY_BYTES_MAX: usize = 16 * 1024;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection.
pub(super) struct Wire {
    stream: Option<Box<dyn Stream>>,
    input: BytesMut,
    /// How far the input holds no line end.
    scanned: usize,
    output: Vec<u8>,
    compression: Option<Compression>,
    /// Everything is sent in pieces of this many bytes.
    piece_bytes: Option<usize>,
}

struct Compression {
    inflate: Decompress,
    deflate: Compress,
    /// What has come and is still compressed.
    came: BytesMut,
    /// The last call filled its room: there may be more without any new input.
    more: bool,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, piece_bytes: Option<usize>) -> Self {
        let (input, output) = (BytesMut::with_capacity(CHUNK_BYTES), Vec::new());
        Self { stream: Some(Box::new(stream)), input, scanned: 0, output, compression: None, piece_bytes }
    }

    /// Goes on in TLS. What was sent in clear before is forgotten, so that nobody slips commands in.
    pub(super) async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        self.input.clear();
        self.scanned = 0;
        self.stream = Some(Box::new(acceptor.accept(stream).await?));
        Ok(())
    }

    /// Goes on compressed (RFC 4978). What has come already is the beginning of the compressed stream.
    pub(super) fn start_compression(&mut self) {
        let came = std::mem::take(&mut self.input);
        self.scanned = 0;
        let deflate = Compress::new(flate2::Compression::fast(), false);
        self.compression = Some(Compression { inflate: Decompress::new(false), deflate, came, more: false });
    }

    /// The next line without its end, and whether that was CRLF as it should be. None at the connection's end. Can be
    /// dropped while it waits; nothing is lost.
    pub(super) async fn line(&mut self, bytes_max: usize) -> io::Result<Option<(Vec<u8>, bool)>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input[self.scanned..]) {
                let mut line = self.input.split_to(self.scanned + end + 1).to_vec();
                self.scanned = 0;
                line.pop();
                let proper = line.last() == Some(&b'\r');
                if proper {
                    line.pop();
                }
                return Ok(Some((line, proper)));
            }
            self.scanned = self.input.len();
            if self.scanned > bytes_max {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "Line too long"));
            }
            if self.fill(CHUNK_BYTES).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next bytes, whatever they are, in memory of their own and no more of it than they need.
    pub(super) async fn literal(&mut self, length: usize) -> io::Result<Bytes> {
        self.scanned = 0;
        let here = self.input.len().min(length);
        let mut bytes = BytesMut::with_capacity(length);
        bytes.extend_from_slice(&self.input[..here]);
        self.input.advance(here);
        while bytes.len() < length {
            let missing = length - bytes.len();
            if self.compression.is_none() {
                let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
                if stream.read_buf(&mut (&mut bytes).limit(missing)).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            if self.fill(CHUNK_BYTES).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = self.input.len().min(missing);
            bytes.extend_from_slice(&self.input[..now]);
            self.input.advance(now);
        }
        Ok(bytes.freeze())
    }

    /// Reads bytes and forgets them.
    pub(super) async fn skip(&mut self, mut length: u64) -> io::Result<()> {
        while length > 0 {
            if self.input.is_empty() && self.fill(CHUNK_BYTES).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = self.input.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            self.input.advance(now);
            length -= now as u64;
        }
        self.scanned = 0;
        Ok(())
    }

    async fn fill(&mut self, room: usize) -> io::Result<usize> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let Some(Compression { inflate, came, more, .. }) = &mut self.compression else {
            self.input.reserve(room);
            return stream.read_buf(&mut self.input).await;
        };
        loop {
            if *more || !came.is_empty() {
                let mut plain = Vec::with_capacity(CHUNK_BYTES);
                let before = inflate.total_in();
                let status = inflate.decompress_vec(came, &mut plain, FlushDecompress::Sync);
                let status = status.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "Not a deflate stream"))?;
                came.advance((inflate.total_in() - before) as usize);
                *more = plain.len() == plain.capacity();
                self.input.extend_from_slice(&plain);
                if !plain.is_empty() || status == Status::StreamEnd {
                    return Ok(plain.len());
                }
            }
            came.reserve(CHUNK_BYTES);
            if stream.read_buf(came).await? == 0 {
                return Ok(0);
            }
        }
    }

    /// Adds to what will be sent.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Sends a body after all that was added before, without copying a large one.
    pub(super) async fn body(&mut self, body: &Bytes) -> io::Result<()> {
        if body.len() <= COPY_BYTES_MAX || self.compression.is_some() || self.piece_bytes.is_some() {
            self.put(body);
            return self.send_if_much().await;
        }
        self.send().await?;
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(body).await
    }

    /// Sends what was added once it is much.
    pub(super) async fn send_if_much(&mut self) -> io::Result<()> {
        if self.output.len() >= CHUNK_BYTES { self.send().await } else { Ok(()) }
    }

    /// Sends what was added.
    pub(super) async fn send(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        if let Some(Compression { deflate, .. }) = &mut self.compression {
            let mut packed = Vec::with_capacity(self.output.len() / 2 + 1024);
            let mut done = 0;
            loop {
                let before = deflate.total_in();
                packed.reserve(CHUNK_BYTES);
                let packed_before = packed.len();
                let status = deflate.compress_vec(&self.output[done..], &mut packed, FlushCompress::Sync);
                status.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                done += (deflate.total_in() - before) as usize;
                // A flush is over when it leaves room in the buffer.
                if done == self.output.len() && packed.len() < packed.capacity() || packed.len() == packed_before {
                    break;
                }
            }
            self.output = packed;
        }
        for piece in self.output.chunks(self.piece_bytes.unwrap_or(usize::MAX)) {
            stream.write_all(piece).await?;
            stream.flush().await?;
        }
        self.output.clear();
        Ok(())
    }

    /// Sends what was added, unless the client's next line is here already: then its answer goes with this one.
    pub(super) async fn send_unless_more_came(&mut self) -> io::Result<()> {
        let next_is_here = memchr::memchr(b'\n', &self.input).is_some();
        if next_is_here { self.send_if_much().await } else { self.send().await }
    }

    /// Forgets what was added and not sent.
    pub(super) fn drop_unsent(&mut self) {
        self.output.clear();
    }

    /// Says that no more will be sent.
    pub(super) async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // The other side may be gone already.
            let _ = stream.shutdown().await;
        }
    }
}
