//! A server in memory that does as a test tells it.

use std::sync::{Arc, Mutex};

use conformance::certificates::Certificates;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// A request that came whole.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    /// What follows `/v2/`.
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) content: Value,
}

impl Heard {
    /// The value of a field of the head.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// A number after the question mark.
    pub(crate) fn number(&self, name: &str) -> usize {
        let (_, rest) = self.path.split_once(&format!("{name}=")).unwrap();
        rest.split('&').next().unwrap().parse().unwrap()
    }
}

/// What is answered.
pub(crate) enum Reply {
    Json(u16, Vec<(&'static str, String)>, Value),
    /// These bytes, and the end.
    Bytes(String),
    /// Nothing, and the end.
    Ends,
}

pub(crate) fn json_of(status: u16, value: Value) -> Reply {
    Reply::Json(status, Vec::new(), value)
}

pub(crate) fn error(status: u16, kind: &str, detail: &str) -> Reply {
    json_of(status, json!({ "status": status.to_string(), "scimType": kind, "detail": detail }))
}

pub(crate) fn list(total: usize, resources: &[Value]) -> Reply {
    json_of(200, json!({ "totalResults": total, "Resources": resources }))
}

/// The part of a list that was asked for, at most so many.
pub(crate) fn page(heard: &Heard, all: &[Value], most: usize) -> Reply {
    let (start, count) = (heard.number("startIndex"), heard.number("count").min(most));
    let from = all.iter().skip(start - 1).take(count).cloned();
    json_of(200, json!({ "totalResults": all.len(), "startIndex": start, "Resources": from.collect::<Vec<_>>() }))
}

type Script = Box<dyn FnMut(&Heard) -> Option<Reply> + Send>;

/// A server.
pub(crate) struct Odd {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Odd {
    /// One that answers by this script. What it does not say is answered as by a server that has nothing and tells nothing.
    pub(crate) async fn start(script: impl FnMut(&Heard) -> Option<Reply> + Send + 'static) -> Self {
        Self::start_with(None, script).await
    }

    pub(crate) async fn start_with(
        tls: Option<&Certificates>,
        script: impl FnMut(&Heard) -> Option<Reply> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let acceptor = tls.map(|tls| tokio_rustls::TlsAcceptor::from(tls.server_config()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let log = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log, script) = (acceptor.clone(), log.clone(), script.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &log, &script).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &log, &script).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url: format!("{scheme}://localhost:{port}/v2"), heard }
    }

    /// What came whole.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The requests with an effect.
    pub(crate) fn effects(&self) -> Vec<Heard> {
        self.heard().into_iter().filter(|heard| heard.method != "GET").collect()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, log: &Mutex<Vec<Heard>>, script: &Mutex<Script>) {
    let mut held = Vec::new();
    while let Some(heard) = hear(&mut stream, &mut held).await {
        log.lock().unwrap().push(heard.clone());
        let reply = (script.lock().unwrap())(&heard).unwrap_or_else(|| usual(&heard));
        let bytes = match reply {
            Reply::Ends => return,
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(bytes.as_bytes()).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Json(status, fields, value) => {
                let content = if status == 204 { String::new() } else { value.to_string() };
                let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let length =
                    if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", content.len()) };
                format!("HTTP/1.1 {status} Said\r\n{fields}{length}\r\n{content}")
            }
        };
        if stream.write_all(bytes.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

fn usual(heard: &Heard) -> Reply {
    match heard.path.split(['?', '/']).next().unwrap() {
        "Users" | "Groups" if heard.method == "GET" && heard.path.contains('?') => list(0, &[]),
        _ => error(404, "", "there is none"),
    }
}

async fn hear(stream: &mut (impl AsyncRead + Unpin), kept: &mut Vec<u8>) -> Option<Heard> {
    let mut piece = vec![0; 65_536];
    loop {
        if let Some(end) = kept.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(kept[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
            let whole = end + 4 + length.parse::<usize>().unwrap();
            if kept.len() >= whole {
                let content = serde_json::from_slice(&kept[end + 4..whole]).unwrap_or_default();
                kept.drain(..whole);
                let (method, rest) = head.split_once(' ').unwrap();
                let path = rest.split(' ').next().unwrap().strip_prefix("/v2/").unwrap();
                return Some(Heard { method: method.into(), path: path.into(), content, head: head.clone() });
            }
        }
        let length = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        kept.extend_from_slice(&piece[..length]);
    }
}
