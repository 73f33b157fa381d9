//! The in-memory platform served over a local socket: it lives in the test's process and outlives the process under
//! test, as a server does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use connector::Error;
use connector::memory::{Dial, Platform, Request, Response, Session, Wire};
use model::{Cause, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A platform that listens on a socket.
pub struct RemoteServer {
    open: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl RemoteServer {
    /// Serves a platform at this path.
    pub fn start(platform: Platform, path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let open = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn({
            let open = open.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    open.fetch_add(1, Ordering::SeqCst);
                    let (platform, open) = (platform.clone(), open.clone());
                    tokio::spawn(async move {
                        serve(platform, stream).await;
                        open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Self { open, accepting }
    }

    /// Waits until everything that was sent has been obeyed and every connection is over.
    pub async fn quiet(&self) {
        loop {
            // A connection that was made right before its process ended may not be accepted yet.
            tokio::time::sleep(Duration::from_millis(2)).await;
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
        }
    }
}

impl Drop for RemoteServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(platform: Platform, mut stream: UnixStream) {
    let mut session = Session::new(platform);
    while let Ok(request) = receive::<Request>(&mut stream).await {
        let answer = session.answer(request);
        if send(&mut stream, &answer).await.is_err() {
            return;
        }
    }
}

async fn send<T: serde::Serialize>(stream: &mut UnixStream, value: &T) -> std::io::Result<()> {
    let bytes = postcard::to_stdvec(value).map_err(std::io::Error::other)?;
    // One write: a process that is stopped has sent a request whole or not at all.
    let mut frame = (bytes.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&bytes);
    stream.write_all(&frame).await
}

async fn receive<T: serde::de::DeserializeOwned>(stream: &mut UnixStream) -> std::io::Result<T> {
    let size = stream.read_u32().await?;
    let mut bytes = vec![0; size as usize];
    stream.read_exact(&mut bytes).await?;
    postcard::from_bytes(&bytes).map_err(std::io::Error::other)
}

/// Dials a platform that listens on a socket.
pub struct SocketDial(pub PathBuf);

struct SocketWire(UnixStream);

fn broken(error: &std::io::Error) -> Error {
    Error::new(Cause::Connection, Scope::Connection, format!("the connection to the platform broke: {error}"))
}

#[async_trait]
impl Dial for SocketDial {
    async fn dial(&self) -> Result<Box<dyn Wire>, Error> {
        let stream = UnixStream::connect(&self.0).await.map_err(|error| broken(&error))?;
        Ok(Box::new(SocketWire(stream)))
    }
}

#[async_trait]
impl Wire for SocketWire {
    async fn send(&mut self, request: Request) -> Result<(), Error> {
        send(&mut self.0, &request).await.map_err(|error| broken(&error))
    }

    async fn receive(&mut self) -> Result<Response, Error> {
        receive(&mut self.0).await.map_err(|error| broken(&error))
    }
}
