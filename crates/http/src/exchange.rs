//! HTTP/1.1 (RFC 9110, 9112), as far as its clients here need it: one request, one answer, everything within limits.
//!
//! It is ours, with only the reading of the head taken from elsewhere, because of one byte: the last one of a request waits
//! for the [`Door`], with everything before it on its way.

use std::time::Duration;

use connector::{Door, Effect, Error};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// The largest head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// The most fields of a head.
const FIELDS_MAX: usize = 128;
/// The most interim answers (1xx) before the answer.
const INTERIM_MAX: usize = 8;
/// How much longer than one silence a whole answer may take.
const SILENCES_MAX: u32 = 5;

/// What a connection is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its fields, by name in lower case.
    pub fields: Vec<(String, String)>,
    /// Its content.
    pub content: Vec<u8>,
    /// No more requests go over this connection.
    pub closes: bool,
}

impl Answer {
    /// The field of this name, in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The last byte of the request did not leave.
    Unsent(String),
    /// The door did not let the last byte pass.
    Shut(Error),
    /// The request left, and what came back is no answer.
    Lost(String),
}

/// Limits of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the other side may be silent.
    pub silence_max: Duration,
    /// The most bytes of content.
    pub content_bytes_max: usize,
}

/// Sends a request and hears the answer. With an effect, its last byte waits for the door; where it has no content, all of it
/// does: there are servers that take the end of a connection for the end of a head, and would delete at half a request.
pub async fn exchange(
    stream: &mut dyn Stream,
    request: &[u8],
    effect: Option<(&dyn Door, Effect)>,
    limits: Limits,
) -> Result<Answer, NoAnswer> {
    let has_content = !request.ends_with(b"\r\n\r\n");
    let (before, last) = request.split_at(if has_content { request.len().saturating_sub(1) } else { 0 });
    let until = Instant::now() + limits.silence_max;
    let unsent = |why: std::io::Error| NoAnswer::Unsent(why.to_string());
    let slow = |_| NoAnswer::Unsent(format!("it took nothing for {} s", limits.silence_max.as_secs()));
    timeout_at(until, write(stream, before)).await.map_err(slow)?.map_err(unsent)?;
    if let Some((door, effect)) = effect {
        door.before(effect).map_err(NoAnswer::Shut)?;
    }
    let written = timeout_at(until, write(stream, last)).await;
    if let Some((door, effect)) = effect {
        door.after(effect);
    }
    match written {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return Err(NoAnswer::Lost(why.to_string())),
        Err(_) => return Err(NoAnswer::Lost("the end of the request was not taken".to_owned())),
    }
    Reader::new(stream, limits).answer().await.map_err(NoAnswer::Lost)
}

async fn write(stream: &mut dyn Stream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Has the other side said something, or ended the connection, while nothing was asked?
pub async fn is_spent(stream: &mut dyn Stream) -> bool {
    let mut byte = [0];
    // Ready means bytes nobody asked for, an end, or an error.
    tokio::time::timeout(Duration::ZERO, stream.read(&mut byte)).await.is_ok()
}

/// How long the content is.
enum Framing {
    Nothing,
    Length(usize),
    Chunks,
    UntilEnd,
}

struct Reader<'s> {
    stream: &'s mut dyn Stream,
    limits: Limits,
    until: Instant,
    /// What was read and not used yet.
    held: Vec<u8>,
}

impl<'s> Reader<'s> {
    fn new(stream: &'s mut dyn Stream, limits: Limits) -> Self {
        let until = Instant::now() + limits.silence_max * SILENCES_MAX;
        Self { stream, limits, until, held: Vec::new() }
    }

    /// Reads on; false at the end.
    async fn more(&mut self) -> Result<bool, String> {
        let until = self.until.min(Instant::now() + self.limits.silence_max);
        let mut piece = vec![0; 16 << 10];
        match timeout_at(until, self.stream.read(&mut piece)).await {
            Err(_) => Err(format!("no answer within {} s", self.limits.silence_max.as_secs())),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(length)) => {
                self.held.extend_from_slice(&piece[..length]);
                Ok(length > 0)
            }
        }
    }

    async fn answer(mut self) -> Result<Answer, String> {
        for _ in 0..INTERIM_MAX {
            let mut answer = self.head().await?;
            if (100..200).contains(&answer.status) && answer.status != 101 {
                continue;
            }
            let framing = framing(&answer)?;
            answer.closes |= matches!(framing, Framing::UntilEnd);
            answer.content = match framing {
                Framing::Nothing => Vec::new(),
                Framing::Length(length) => self.length(length).await?,
                Framing::Chunks => self.chunks().await?,
                Framing::UntilEnd => {
                    while self.more().await? {
                        self.fits(self.held.len())?;
                    }
                    std::mem::take(&mut self.held)
                }
            };
            // What comes after an answer was not asked for.
            answer.closes |= !self.held.is_empty();
            return Ok(answer);
        }
        Err("it does not come to its answer".to_owned())
    }

    fn fits(&self, bytes: usize) -> Result<(), String> {
        let max = self.limits.content_bytes_max;
        if bytes <= max { Ok(()) } else { Err(format!("the answer is larger than {max} bytes")) }
    }

    async fn head(&mut self) -> Result<Answer, String> {
        loop {
            if let Some((length, answer)) = parse_head(&self.held)? {
                self.held.drain(..length);
                return Ok(answer);
            }
            if self.held.len() > HEAD_BYTES_MAX {
                return Err("the head of the answer is too large".to_owned());
            }
            if !self.more().await? {
                return Err(match self.held.len() {
                    0 => "the connection ended before an answer".to_owned(),
                    _ => "the connection ended within the head of the answer".to_owned(),
                });
            }
        }
    }

    async fn length(&mut self, length: usize) -> Result<Vec<u8>, String> {
        self.fits(length)?;
        while self.held.len() < length {
            if !self.more().await? {
                return Err(format!("the connection ended after {} of {length} bytes", self.held.len()));
            }
        }
        let rest = self.held.split_off(length);
        Ok(std::mem::replace(&mut self.held, rest))
    }

    async fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim().to_owned());
            }
            if self.held.len() > HEAD_BYTES_MAX {
                return Err("a line of the answer is too long".to_owned());
            }
            if !self.more().await? {
                return Err("the connection ended within the answer".to_owned());
            }
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = match size.len() {
                1..=8 => usize::from_str_radix(size, 16).map_err(|_| format!("{size:?} is no size of a chunk"))?,
                _ => return Err("a chunk of the answer has no size".to_owned()),
            };
            if size == 0 {
                // What follows the last chunk is of no use here, but ends with an empty line.
                for _ in 0..FIELDS_MAX {
                    if self.line().await?.is_empty() {
                        return Ok(content);
                    }
                }
                return Err("the answer does not end".to_owned());
            }
            self.fits(content.len().saturating_add(size))?;
            let mut piece = self.length(size + 2).await?;
            if piece.split_off(size) != b"\r\n" {
                return Err("a chunk of the answer does not end where it should".to_owned());
            }
            content.append(&mut piece);
        }
    }
}

/// The head at the beginning of these bytes with its length, if it is there whole.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Answer)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("what came is not HTTP ({error})")),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
    let fields: Vec<(String, String)> =
        head.headers.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect();
    let mut answer = Answer { status: head.code.unwrap_or_default(), fields, ..Answer::default() };
    let connection = answer.field("connection").unwrap_or_default().to_ascii_lowercase();
    let says = |word: &str| connection.split(',').any(|own| own.trim() == word);
    answer.closes = says("close") || (head.version == Some(0) && !says("keep-alive"));
    Ok(Some((length, answer)))
}

fn framing(answer: &Answer) -> Result<Framing, String> {
    if let Some(encoding) =
        answer.field("content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    {
        return Err(format!("the answer is encoded as {encoding:?}, which was not asked for"));
    }
    if matches!(answer.status, 204 | 304) {
        return Ok(Framing::Nothing);
    }
    let mut lengths = answer.fields.iter().filter(|(name, _)| name == "content-length").map(|(_, value)| value);
    let length = lengths.next();
    if length.is_some_and(|length| lengths.any(|other| other != length)) {
        return Err("the answer has two lengths".to_owned());
    }
    match (answer.field("transfer-encoding"), length) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunks),
        (Some(coding), _) => Err(format!("the answer comes as {coding:?}, which was not asked for")),
        // A sign before a number is taken by the language, not by HTTP.
        (None, Some(length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| "the answer has a length that is no number".to_owned())
        }
        (None, Some(_)) => Err("the answer has a length that is no number".to_owned()),
        (None, None) => Ok(Framing::UntilEnd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn hear(bytes: &[u8]) -> Result<Answer, String> {
        let limits = Limits { silence_max: Duration::from_secs(5), content_bytes_max: 1000 };
        let mut stream = tokio::io::join(bytes, tokio::io::sink());
        Reader::new(&mut stream, limits).answer().await
    }

    #[tokio::test]
    async fn answers_of_every_form_are_read() {
        let table: [(&[u8], u16, &[u8], bool); 6] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", false),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 \r\nContent-Length: 0\r\n\r\n", 201, b"", false),
            (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", 204, b"", true),
            (b"HTTP/1.0 200 OK\r\n\r\nabc", 200, b"abc", true),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nA: b\r\n\r\n",
                200,
                b"{}",
                false,
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200", 200, b"{}", true),
        ];
        for (bytes, status, content, closes) in table {
            let answer = hear(bytes).await.unwrap();
            assert_eq!((answer.status, &answer.content[..], answer.closes), (status, content, closes));
        }
    }

    #[tokio::test]
    async fn half_and_odd_answers_are_none() {
        let table: [(&[u8], &str); 11] = [
            (b"", "before an answer"),
            (b"HTTP/1.1 200 OK\r\nContent", "within the head"),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", "2 of 5"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "two lengths"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", "no number"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", "larger than"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", "larger than"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx", "does not end"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "not asked for"),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", "not asked for"),
        ];
        for (bytes, words) in table {
            let why = hear(bytes).await.unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    #[tokio::test]
    async fn a_shut_door_keeps_the_last_byte_and_a_head_without_content() {
        let limits = Limits { silence_max: Duration::from_secs(5), content_bytes_max: 1000 };
        let door = connector::ShutDoor;
        for (request, left) in [("POST /x HTTP/1.1\r\n\r\n{}", 21), ("DELETE /x HTTP/1.1\r\n\r\n", 0)] {
            let (mut ours, mut theirs) = tokio::io::duplex(1000);
            let sent = exchange(&mut ours, request.as_bytes(), Some((&door, Effect::RemoveEntry)), limits).await;
            assert!(matches!(sent, Err(NoAnswer::Shut(_))));
            drop(ours);
            let mut heard = Vec::new();
            theirs.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, request.as_bytes()[..left]);
        }
    }
}
