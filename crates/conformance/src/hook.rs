//! A web server that is told things: it answers with the statuses that it is given, in their order, and keeps every request.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long a client may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its first line.
    pub line: String,
    /// Its fields, by name in lower case.
    pub fields: Vec<(String, String)>,
    /// Its content.
    pub body: String,
}

impl Told {
    /// The field of this name, in lower case; empty without one.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

#[derive(Debug, Default)]
struct State {
    told: Vec<Told>,
    statuses: VecDeque<u16>,
}

/// The server. It ends with the process.
#[derive(Clone, Debug)]
pub struct HookServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl HookServer {
    /// Starts one; over TLS where it is given a certificate. It answers with these statuses, and then with 204.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub fn start(tls: Option<Arc<ServerConfig>>, statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
        let port = listener.local_addr().expect("it has one").port();
        let state = Arc::new(Mutex::new(State { statuses: statuses.iter().copied().collect(), ..State::default() }));
        let server = Self { port, state };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that gives up, or does not trust the certificate, is none of our business.
                let _ = serving.serve(stream, tls.clone());
            }
        });
        server
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it was told, whatever it answered.
    pub fn told(&self) -> Vec<Told> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).told.clone()
    }

    fn serve(&self, stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        match tls {
            None => self.answer(stream),
            Some(config) => {
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                self.answer(StreamOwned::new(connection, stream))
            }
        }
    }

    fn answer(&self, mut stream: impl Read + Write) -> io::Result<()> {
        let told = read(&mut stream)?;
        let status = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.told.push(told);
            state.statuses.pop_front().unwrap_or(204)
        };
        write!(stream, "HTTP/1.1 {status} As told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        stream.flush()
    }
}

fn read(stream: &mut impl Read) -> io::Result<Told> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut piece)?;
        bytes.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap_or_default().to_owned();
            let fields = lines.filter_map(|line| line.split_once(": "));
            let fields = fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
            let told = Told { line, fields, body: body.to_owned() };
            if told.body.len() >= told.field("content-length").parse().unwrap_or(0) {
                return Ok(told);
            }
        }
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
