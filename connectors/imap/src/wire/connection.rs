//! One connection: commands out, responses in, literals in their places, never waiting on itself.
//!
//! What must hold here:
//! * every command passes [`may_send`], and one with an effect can only be queued open-ended, so that its last bytes are
//!   sent apart, after the door was asked;
//! * while bytes are being written, what comes in is read, so that two sides that write at once never block each other;
//! * bodies wait for room before they are read, and are held as [`connector::Holds`] says; a body cut short is none.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use connector::{Body, Error, Holds};
use model::{Cause, Scope};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use super::command::{Command, Role, has_effect, may_send};
use super::deflate::Deflate;
use super::fetch;
use super::framer::{Advance, Framer};
use super::output::{Output, SLICES_MAX};
use super::response::{Completion, Response, Status, presentable};
use super::set::large_number;
use super::transport::Io;

/// Space made for each reading: what a server sends at once on a fast network.
const READ_BYTES: usize = 128 * 1024;

/// Less space than this is not worth a call to the system.
pub(super) const READ_BYTES_MIN: usize = 16 * 1024;

/// Bytes read while writing, at most: answers to commands that are on their way are small.
const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// What becomes of bodies.
#[derive(Clone, Copy, Debug)]
pub enum Bodies<'h> {
    /// They are read and forgotten.
    Discard,
    /// They are held here, except those known to belong to a UID below this one.
    Hold {
        /// Where.
        holds: &'h Holds,
        /// Lower ones are not wanted.
        from: u32,
    },
}

/// The number in a command's tag.
pub type Tag = u64;

/// What sending a command came to.
#[derive(Debug)]
pub enum Sent {
    /// It is sent whole, under this tag.
    Whole(Tag),
    /// The server ended it before it was sent whole.
    Ended(Completion),
}

/// A connection to a server.
pub struct Connection {
    /// None once it was cut.
    pub(super) io: Option<Box<dyn Io>>,
    pub(super) input: BytesMut,
    pub(super) framer: Framer,
    /// The body of the response that is complete or coming.
    pub(super) body: Option<Result<Body, Error>>,
    output: Output,
    role: Role,
    place: String,
    last_tag: Tag,
    /// Commands that were queued and have not ended, in order.
    pub(super) under_way: VecDeque<Tag>,
    pub(super) answer_wait_max: Duration,
    bye: Option<String>,
    /// Where requests are counted, if the endpoint has a pace.
    requests: Option<Arc<AtomicU64>>,
    /// A place among the connections allowed to the server, free again when the connection ends.
    permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// A connection over this stream to the server at `place`.
    pub fn new(
        io: Box<dyn Io>,
        role: Role,
        place: String,
        answer_wait_max: Duration,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            io: Some(io),
            input: BytesMut::new(),
            framer: Framer::default(),
            body: None,
            output: Output::default(),
            role,
            place,
            last_tag: 0,
            under_way: VecDeque::new(),
            answer_wait_max,
            bye: None,
            requests: None,
            permit,
        }
    }

    /// Counts its requests here.
    pub fn count_requests(&mut self, requests: Option<Arc<AtomicU64>>) {
        self.requests = requests;
    }

    /// Waits so long for an answer from now on.
    pub fn wait_for_answers(&mut self, wait_max: Duration) {
        self.answer_wait_max = wait_max;
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The server's last words, if it said BYE.
    pub fn bye(&self) -> Option<&str> {
        self.bye.as_deref()
    }

    /// Commands that have not ended.
    pub fn commands_under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.output.len()
    }

    /// Breaks the connection: whatever was not written is never written.
    pub fn cut(&mut self) {
        self.io = None;
        self.permit = None;
        self.output = Output::default();
    }

    /// Was it broken off?
    pub fn is_cut(&self) -> bool {
        self.io.is_none()
    }

    /// The stream alone. What came in and was not asked for is thrown away.
    pub fn into_io(mut self) -> Result<Box<dyn Io>, Error> {
        self.io.take().ok_or_else(|| self.broken(Self::closed()))
    }

    /// Compresses from here on, in both directions. What came already is compressed, too.
    pub fn compress(&mut self) {
        let incoming = self.input.split();
        self.io = self.io.take().map(|io| Box::new(Deflate::new(io, incoming)) as Box<dyn Io>);
    }

    fn broken(&self, why: impl std::fmt::Display) -> Error {
        let what = format!("the connection to {} broke: {why}", self.place);
        let error = Error::new(Cause::Connection, Scope::Connection, what);
        match &self.bye {
            Some(bye) => error.said(bye.clone()),
            None => error,
        }
    }

    pub(super) fn closed() -> io::Error {
        io::Error::new(io::ErrorKind::NotConnected, "it was closed from this side")
    }

    // Commands out.

    fn begin(&mut self, command: &Command, effect: bool) -> Result<Tag, Error> {
        may_send(self.role, command.text()).map_err(|why| Error::new(Cause::Internal, Scope::Mailbox, why))?;
        if has_effect(command.text()) != effect {
            let what = format!("{command:?} must go through the door if, and only if, it has an effect");
            return Err(Error::new(Cause::Internal, Scope::Mailbox, what));
        }
        self.last_tag += 1;
        if let Some(requests) = &self.requests {
            requests.fetch_add(1, Ordering::Relaxed);
        }
        self.output.copy(format!("W{} ", self.last_tag).as_bytes());
        self.under_way.push_back(self.last_tag);
        Ok(self.last_tag)
    }

    /// Queues a command that has no effect.
    pub fn queue(&mut self, command: &Command) -> Result<Tag, Error> {
        assert!(!command.has_literals(), "a command with literals is sent, not queued");
        let tag = self.begin(command, false)?;
        self.output.copy(command.text());
        self.output.copy(b"\r\n");
        Ok(tag)
    }

    /// Queues a command with an effect, but not its end.
    pub fn queue_open(&mut self, command: &Command) -> Result<Tag, Error> {
        assert!(!command.has_literals(), "a command with literals is sent, not queued");
        let tag = self.begin(command, true)?;
        self.output.copy(command.text());
        Ok(tag)
    }

    /// Queues the end of a command: the two bytes that make it take effect.
    pub fn queue_end(&mut self) {
        self.output.copy(b"\r\n");
    }

    /// Queues text inside of a command that is open.
    pub fn queue_text(&mut self, text: &[u8]) {
        self.output.copy(text);
    }

    /// Queues bytes of a literal inside of a command that is open.
    pub fn queue_literal(&mut self, bytes: Bytes) {
        self.output.add(bytes);
    }

    /// Sends a command that may have literals, waiting for the server's leave before each of them unless it need not be
    /// waited for. Nothing else may be under way.
    pub async fn send(&mut self, command: &Command, waits_for_no_leave: bool) -> Result<Sent, Error> {
        let tag = self.begin(command, false)?;
        for (text, literal) in command.pieces() {
            self.output.copy(text);
            let Some(literal) = literal else { continue };
            let plus = if waits_for_no_leave { "+" } else { "" };
            self.output.copy(format!("{{{}{plus}}}\r\n", literal.len()).as_bytes());
            if !waits_for_no_leave {
                self.flush().await?;
                if let Some(completion) = self.leave_to_go_on(tag).await? {
                    return Ok(Sent::Ended(completion));
                }
            }
            self.output.copy(literal);
        }
        self.output.copy(b"\r\n");
        self.flush().await?;
        Ok(Sent::Whole(tag))
    }

    /// Waits for the server's leave to go on with this command; the completion, if it ended the command instead. Nothing
    /// else may be under way.
    pub async fn leave_to_go_on(&mut self, tag: Tag) -> Result<Option<Completion>, Error> {
        loop {
            self.receive(Bodies::Discard).await?;
            if let Response::Continue(_) = self.response() {
                return Ok(None);
            }
            if let Some((ended, completion)) = self.ended()?
                && ended == tag
            {
                return Ok(Some(completion));
            }
        }
    }

    /// Answers the server's question within a command.
    pub async fn reply(&mut self, text: &[u8]) -> Result<(), Error> {
        self.output.copy(text);
        self.output.copy(b"\r\n");
        self.flush().await
    }

    /// Writes all that is queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        while !self.output.is_empty() {
            self.progress(Self::poll_write).await?;
        }
        self.progress(Self::poll_flush).await
    }

    async fn progress(&mut self, step: fn(&mut Self, &mut Context<'_>) -> Poll<io::Result<()>>) -> Result<(), Error> {
        match tokio::time::timeout(self.answer_wait_max, poll_fn(|cx| step(self, cx))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(error)),
            Err(_) => Err(self.broken(format!("it took no byte for {} s", self.answer_wait_max.as_secs()))),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else { return Poll::Ready(Err(Self::closed())) };
        let mut slices: [IoSlice<'_>; SLICES_MAX] = std::array::from_fn(|_| IoSlice::new(&[]));
        let count = self.output.slices(&mut slices);
        match Pin::new(io).poll_write_vectored(cx, &slices[..count]) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => {
                self.output.written(written);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_read_meanwhile(cx),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else { return Poll::Ready(Err(Self::closed())) };
        match Pin::new(io).poll_flush(cx) {
            Poll::Pending => self.poll_read_meanwhile(cx),
            ready @ Poll::Ready(_) => ready,
        }
    }

    /// Reads while a write waits: a server that must get rid of its answers first would otherwise wait for us, and we for
    /// it.
    fn poll_read_meanwhile(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.input.len() < READ_AHEAD_BYTES_MAX {
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Poll::Pending
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(io) = &mut self.io else { return Poll::Ready(Err(Self::closed())) };
        if self.input.capacity() - self.input.len() < READ_BYTES_MIN {
            self.input.reserve(READ_BYTES);
        }
        pin!(io.read_buf(&mut self.input)).as_mut().poll(cx)
    }

    // Responses in.

    /// Reads more bytes, at least one.
    pub(super) async fn fill(&mut self) -> Result<(), Error> {
        let read = tokio::time::timeout(self.answer_wait_max, poll_fn(|cx| self.poll_read(cx))).await;
        self.judge_read(read).map(|_| ())
    }

    pub(super) fn judge_read(
        &self,
        read: Result<io::Result<usize>, tokio::time::error::Elapsed>,
    ) -> Result<usize, Error> {
        match read {
            Ok(Ok(0)) => Err(self.broken("the server closed it")),
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(self.broken(error)),
            Err(_) => Err(self.broken(format!("no answer for {} s", self.answer_wait_max.as_secs()))),
        }
    }

    /// Receives the next response. Bodies in it are held or not, as said.
    pub async fn receive(&mut self, bodies: Bodies<'_>) -> Result<(), Error> {
        if self.framer.is_idle() {
            self.body = None;
        }
        loop {
            let advance = self.framer.advance(&mut self.input).map_err(|error| {
                let what = format!("the server at {} sent what is no response: {error}", self.place);
                Error::new(Cause::Protocol, Scope::Connection, what)
            })?;
            match advance {
                Advance::More => self.fill().await?,
                Advance::Body(size) => self.take_body(size, bodies).await?,
                Advance::Done => break,
            }
        }
        let bye = match self.response() {
            Response::Status { status: Status::Bye, text } => Some(Completion::of(Status::Bye, &text).text),
            Response::Status { text, .. } if text.code("ALERT").is_some() => {
                tracing::warn!(server = %self.place, alert = %presentable(text.text), "the server alerts");
                None
            }
            _ => None,
        };
        if bye.is_some() {
            self.bye = bye;
        }
        Ok(())
    }

    /// The response received last.
    pub fn response(&self) -> Response<'_> {
        Response::of(self.framer.framed())
    }

    /// The body in the response received last, if it was held.
    pub fn body(&mut self) -> Option<Result<Body, Error>> {
        self.body.take()
    }

    /// Is a body coming in of which the UID is known already?
    pub fn uid_of_body_under_way(&self) -> Option<u32> {
        if self.framer.is_idle() { None } else { fetch::uid_so_far(&self.framer.framed().text) }
    }
}

/// The number in a tag, if it is one of ours.
pub fn tag_number(tag: &[u8]) -> Option<Tag> {
    large_number(tag.strip_prefix(b"W")?)
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({}, {:?}, tag {})", self.place, self.role, self.last_tag)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const WAIT: Duration = Duration::from_millis(300);

    fn pair(role: Role, room: usize) -> (Connection, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(room);
        (Connection::new(Box::new(ours), role, "server:143".to_owned(), WAIT, None), theirs)
    }

    #[tokio::test]
    async fn a_reading_connection_sends_no_command_that_is_not_on_its_list() {
        let (mut connection, mut server) = pair(Role::Reads, 1000);
        for text in ["SELECT INBOX", "UID STORE 1 +FLAGS (\\Seen)", "UID FETCH 1 (BODY[])", "EXPUNGE"] {
            assert_eq!(connection.queue(&Command::new(text)).unwrap_err().cause, Cause::Internal, "{text}");
            assert_eq!(connection.queue_open(&Command::new(text)).unwrap_err().cause, Cause::Internal, "{text}");
        }
        connection.queue(&Command::new("NOOP")).unwrap();
        connection.flush().await.unwrap();
        drop(connection);
        let mut sent = String::new();
        server.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "W1 NOOP\r\n");
    }

    #[tokio::test]
    async fn a_command_with_an_effect_cannot_be_queued_whole() {
        let (mut connection, _server) = pair(Role::Writes, 1000);
        assert_eq!(connection.queue(&Command::new("CREATE x")).unwrap_err().cause, Cause::Internal);
        assert!(connection.queue_open(&Command::new("CREATE x")).is_ok());
        assert_eq!(connection.queue_open(&Command::new("NOOP")).unwrap_err().cause, Cause::Internal);
    }

    #[tokio::test]
    async fn a_server_that_says_goodbye_is_quoted() {
        let (mut connection, mut server) = pair(Role::Reads, 1000);
        server.write_all(b"* BYE [UNAVAILABLE] going down\r\n").await.unwrap();
        drop(server);
        connection.receive(Bodies::Discard).await.unwrap();
        let error = connection.receive(Bodies::Discard).await.unwrap_err();
        assert_eq!(error.cause, Cause::Connection);
        assert!(error.to_string().contains("BYE [UNAVAILABLE] going down"), "{error}");
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up() {
        let (mut connection, _server) = pair(Role::Reads, 1000);
        let error = connection.receive(Bodies::Discard).await.unwrap_err();
        assert!(error.what.contains("no answer"), "{error}");
    }

    #[tokio::test]
    async fn both_sides_writing_at_once_do_not_block_each_other() {
        let (mut connection, mut server) = pair(Role::Writes, 1000);
        let serving = tokio::spawn(async move {
            // The server answers before it reads on, and its answers fill the pipe.
            for _ in 0..500 {
                server.write_all(b"* 1 EXISTS\r\n").await.unwrap();
            }
            let mut sent = vec![0; 100_000];
            server.read_exact(&mut sent).await.unwrap();
            server
        });
        connection.queue_open(&Command::new("APPEND x")).unwrap();
        connection.queue_literal(Bytes::from(vec![b'x'; 100_000]));
        connection.flush().await.unwrap();
        for _ in 0..500 {
            connection.receive(Bodies::Discard).await.unwrap();
        }
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn literals_wait_for_leave_unless_they_need_not() {
        let (mut connection, mut server) = pair(Role::Reads, 1000);
        let command = Command::new("LOGIN").string("é".as_bytes()).string(b"x");
        let serving = tokio::spawn(async move {
            let mut first = [0; 14];
            server.read_exact(&mut first).await.unwrap();
            server.write_all(b"* OK a moment\r\n+ go on\r\n").await.unwrap();
            let mut second = [0; 8];
            server.read_exact(&mut second).await.unwrap();
            ([&first[..], &second[..]].concat(), server)
        });
        let Sent::Whole(1) = connection.send(&command, false).await.unwrap() else { panic!() };
        let (sent, mut server) = serving.await.unwrap();
        assert_eq!(sent, "W1 LOGIN {2}\r\né \"x\"\r\n".as_bytes());
        connection.send(&command, true).await.unwrap();
        let mut sent = [0; 23];
        server.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, "W2 LOGIN {2+}\r\né \"x\"\r\n".as_bytes());
        server.write_all(b"W1 OK\r\nW2 OK\r\nW3 NO [LIMIT] no\r\n").await.unwrap();
        let Sent::Ended(completion) = connection.send(&command, false).await.unwrap() else { panic!() };
        assert_eq!(completion.text, "NO [LIMIT] no");
    }

    #[tokio::test]
    async fn what_is_cut_is_never_written() {
        let (mut connection, mut server) = pair(Role::Writes, 1000);
        connection.queue_open(&Command::new("APPEND x {1+}")).unwrap();
        connection.flush().await.unwrap();
        connection.queue_end();
        connection.cut();
        assert!(connection.flush().await.is_err() && connection.is_cut());
        let mut sent = String::new();
        server.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "W1 APPEND x {1+}");
    }
}
