//! A stream that is held back as the endpoint's pace says.
//!
//! What was spent is paid before more is taken. A short write never waits: it may be the end of a command that the door has let
//! pass, and must follow at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use connector::Pace;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Io;

/// Bytes after which they are paid for.
const BYTES: u64 = 16 * 1024;

/// A write of so few bytes may be the end of a command.
const SHORT: usize = 256;

type Payment = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A stream with a pace.
pub struct Paced {
    inner: Box<dyn Io>,
    pace: Arc<dyn Pace>,
    requests: Arc<AtomicU64>,
    bytes: u64,
    payment: Option<Payment>,
}

impl Paced {
    /// This stream at this pace. Requests are counted by whoever sends them.
    pub fn new(inner: Box<dyn Io>, pace: Arc<dyn Pace>, requests: Arc<AtomicU64>) -> Self {
        Self { inner, pace, requests, bytes: 0, payment: None }
    }

    fn poll_pay(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.payment.is_none() {
            let requests = self.requests.swap(0, Ordering::Relaxed);
            if requests == 0 && self.bytes < BYTES {
                return Poll::Ready(());
            }
            let (pace, bytes) = (self.pace.clone(), std::mem::take(&mut self.bytes));
            self.payment = Some(Box::pin(async move { pace.spend(requests, bytes).await }));
        }
        if let Some(payment) = &mut self.payment {
            ready!(payment.as_mut().poll(cx));
            self.payment = None;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pay(cx));
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        self.bytes += (buf.filled().len() - before) as u64;
        Poll::Ready(read)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.len() > SHORT {
            ready!(self.poll_pay(cx));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.bytes += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().map(|buf| buf.len()).sum::<usize>() > SHORT {
            ready!(self.poll_pay(cx));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.bytes += written as u64;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    use super::*;

    #[derive(Debug)]
    struct Slow {
        requests: AtomicU64,
        bytes: AtomicU64,
        allowed: Semaphore,
    }

    #[async_trait]
    impl Pace for Slow {
        async fn spend(&self, requests: u64, bytes: u64) {
            self.requests.fetch_add(requests, Ordering::SeqCst);
            self.bytes.fetch_add(bytes, Ordering::SeqCst);
            self.allowed.acquire().await.unwrap().forget();
        }
    }

    #[tokio::test]
    async fn what_was_spent_is_paid_before_more_is_taken_and_the_end_of_a_command_never_waits() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let pace = Arc::new(Slow { requests: 0.into(), bytes: 0.into(), allowed: Semaphore::new(0) });
        let requests = Arc::new(AtomicU64::new(0));
        let mut paced = Paced::new(Box::new(ours), pace.clone(), requests.clone());
        requests.store(2, Ordering::SeqCst);
        paced.write_all(b"a0 NOOP\r\n").await.unwrap();
        theirs.write_all(&vec![b'x'; 40_000]).await.unwrap();
        let mut read = vec![0; 40_000];
        let reading = tokio::spawn(async move {
            paced.read_exact(&mut read).await.unwrap();
            paced.write_all(b"\r\n").await.unwrap();
            paced.write_all(&[b'y'; 1000]).await.unwrap();
        });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(!reading.is_finished(), "two requests are not paid");
        assert_eq!(pace.requests.load(Ordering::SeqCst), 2);
        pace.allowed.add_permits(1);
        let mut sent = vec![0; 11];
        theirs.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, b"a0 NOOP\r\n\r\n", "the end of a command follows at once");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(!reading.is_finished(), "40,000 bytes are not paid");
        pace.allowed.add_permits(9);
        reading.await.unwrap();
        assert!(pace.bytes.load(Ordering::SeqCst) >= 40_000);
    }
}
