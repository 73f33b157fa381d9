//! A connection: what is sent, what comes, within limits of size and time.

use std::sync::Arc;
use std::time::Duration;

use connector::{Error, Retry};
use http::Stream;
use model::{Cause, Scope};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::answer::{Answer, Word};

/// The largest script that is taken. Dovecot's own limit is 1 MiB, that of Cyrus 32 KiB, where nobody has raised it.
pub(crate) const SCRIPT_BYTES_MAX: usize = 2 << 20;
/// All that an answer may have besides one script.
const OTHER_BYTES_MAX: usize = 512 << 10;
/// The most words of an answer: two for each script of a list of thousands.
const WORDS_MAX: usize = 20_000;
/// The longest word that is no string.
const ATOM_BYTES_MAX: usize = 256;

/// How much is taken at once.
const PIECE_BYTES: usize = 16 << 10;

/// A connection to a server.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    /// What came and was not read yet, from `at` on.
    held: Vec<u8>,
    at: usize,
    /// Bytes of literals, other bytes and words of the answer that is being read.
    literal_bytes: usize,
    bytes: usize,
    words: usize,
    answer_wait_max: Duration,
    /// How long bytes may wait to be taken.
    write_wait_max: Duration,
    /// The server, for people.
    place: String,
}

impl Connection {
    pub(crate) fn new(
        stream: Box<dyn Stream>,
        answer_wait_max: Duration,
        write_wait_max: Duration,
        place: String,
    ) -> Self {
        Self {
            stream,
            held: Vec::new(),
            at: 0,
            literal_bytes: 0,
            bytes: 0,
            words: 0,
            answer_wait_max,
            write_wait_max,
            place,
        }
    }

    fn lost(&self, why: &str) -> Error {
        Error::new(Cause::Connection, Scope::Connection, format!("the connection to {} broke: {why}", self.place))
            .retry(Retry::Later(None))
    }

    fn odd(&self, why: &str) -> Error {
        Error::new(Cause::Protocol, Scope::Connection, format!("{} does not keep to ManageSieve: {why}", self.place))
    }

    /// Sends bytes, all of them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let stream = &mut self.stream;
        let sending = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        match timeout(self.write_wait_max, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(&error.to_string())),
            Err(_) => Err(self.lost(&format!("it took no bytes for {} s", self.write_wait_max.as_secs()))),
        }
    }

    /// The whole answer to a command.
    pub(crate) async fn answer(&mut self) -> Result<Answer, Error> {
        self.answer_within(self.answer_wait_max).await
    }

    /// The whole answer, if it comes within this time.
    pub(crate) async fn answer_within(&mut self, wait: Duration) -> Result<Answer, Error> {
        match timeout(wait, self.read_answer()).await {
            Ok(answer) => answer,
            Err(_) => Err(self.lost(&format!("no whole answer came within {} s", wait.as_secs()))),
        }
    }

    async fn read_answer(&mut self) -> Result<Answer, Error> {
        (self.literal_bytes, self.bytes, self.words) = (0, 0, 0);
        let mut data = Vec::new();
        loop {
            let line = self.read_line().await?;
            if let Some(answer) = Answer::end(&line) {
                return Ok(Answer { data, ..answer });
            }
            if !line.is_empty() {
                data.push(line);
            }
        }
    }

    /// In a login: the next question of the server, or the end of the command.
    pub(crate) async fn question(&mut self) -> Result<Result<Vec<u8>, Answer>, Error> {
        (self.literal_bytes, self.bytes, self.words) = (0, 0, 0);
        let line = match timeout(self.answer_wait_max, self.read_line()).await {
            Ok(line) => line?,
            Err(_) => return Err(self.lost("it did not go on with the login")),
        };
        match (Answer::end(&line), line.as_slice()) {
            (Some(answer), _) => Ok(Err(answer)),
            (None, [Word::Text(text)]) => Ok(Ok(text.clone())),
            _ => Err(self.odd("its part of the login is no string")),
        }
    }

    async fn read_line(&mut self) -> Result<Vec<Word>, Error> {
        let mut line = Vec::new();
        loop {
            let word = match self.byte().await? {
                b' ' => continue,
                b'\r' => match self.byte().await? {
                    b'\n' => return Ok(line),
                    _ => return Err(self.odd("a line ends oddly")),
                },
                b'\n' => return Ok(line),
                b'(' => Word::Open,
                b')' => Word::Close,
                b'"' => Word::Text(self.quoted().await?),
                b'{' => Word::Text(self.literal().await?),
                first => Word::Atom(self.atom(first).await?),
            };
            self.words += 1;
            if self.words > WORDS_MAX {
                return Err(self.odd("an answer has no end"));
            }
            line.push(word);
        }
    }

    async fn quoted(&mut self) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        loop {
            match self.byte().await? {
                b'"' => return Ok(text),
                b'\\' => text.push(self.byte().await?),
                b'\r' | b'\n' | 0 => return Err(self.odd("a string between quotes has no end")),
                byte => text.push(byte),
            }
        }
    }

    async fn literal(&mut self) -> Result<Vec<u8>, Error> {
        let mut length = 0usize;
        let mut digits = 0;
        loop {
            match self.byte().await? {
                digit @ b'0'..=b'9' if digits < 10 => {
                    digits += 1;
                    length = length * 10 + usize::from(digit - b'0');
                }
                b'+' if digits > 0 => {}
                b'}' if digits > 0 => break,
                _ => return Err(self.odd("a literal has no length")),
            }
        }
        if (self.byte().await?, self.byte().await?) != (b'\r', b'\n') {
            return Err(self.odd("a literal's length has no line end"));
        }
        if length > SCRIPT_BYTES_MAX {
            let what = format!("{} holds a script of {length} bytes; up to {SCRIPT_BYTES_MAX} are read", self.place);
            return Err(Error::new(Cause::TooLarge, Scope::Mailbox, what));
        }
        self.literal_bytes += length;
        if self.literal_bytes > SCRIPT_BYTES_MAX {
            return Err(self.odd("an answer has no end"));
        }
        while self.held.len() - self.at < length {
            self.fill().await?;
        }
        let text = self.held[self.at..self.at + length].to_vec();
        self.at += length;
        Ok(text)
    }

    async fn atom(&mut self, first: u8) -> Result<String, Error> {
        let mut atom = vec![first];
        loop {
            if self.at == self.held.len() {
                self.fill().await?;
            }
            match self.held[self.at] {
                b' ' | b'\r' | b'\n' | b'(' | b')' | b'"' => return Ok(String::from_utf8_lossy(&atom).into_owned()),
                _ if atom.len() >= ATOM_BYTES_MAX => return Err(self.odd("a word has no end")),
                _ => atom.push(self.byte().await?),
            }
        }
    }

    async fn byte(&mut self) -> Result<u8, Error> {
        if self.at == self.held.len() {
            self.fill().await?;
        }
        self.bytes += 1;
        if self.bytes > OTHER_BYTES_MAX {
            return Err(self.odd("an answer has no end"));
        }
        let byte = self.held[self.at];
        self.at += 1;
        Ok(byte)
    }

    /// Takes what comes next.
    async fn fill(&mut self) -> Result<(), Error> {
        self.held.drain(..self.at);
        self.at = 0;
        self.held.reserve(PIECE_BYTES);
        match self.stream.read_buf(&mut self.held).await {
            Ok(0) => Err(self.lost("the server closed it")),
            Ok(_) => Ok(()),
            Err(error) => Err(self.lost(&error.to_string())),
        }
    }

    /// The same connection with TLS on it. What came before the handshake is refused: anybody may have put it there.
    pub(crate) async fn start_tls(self, trusted: Arc<ClientConfig>, host: &str, wait: Duration) -> Result<Self, Error> {
        if self.at < self.held.len() {
            let what = format!("{} said something between STARTTLS and TLS, which may be another's words", self.place);
            return Err(Error::new(Cause::Tls, Scope::Connection, what));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let what =
                format!("{host:?} is neither a host name nor an address, so no certificate can be checked for it");
            Error::new(Cause::Tls, Scope::Connection, what)
        })?;
        let shaken = timeout(wait, tokio_rustls::TlsConnector::from(trusted).connect(name, self.stream)).await;
        match shaken {
            Ok(Ok(stream)) => Ok(Self::new(Box::new(stream), self.answer_wait_max, self.write_wait_max, self.place)),
            Ok(Err(error)) => Err(trust::refusal(&error, host, &self.place, "")),
            Err(_) => {
                let why = format!("the handshake did not end within {} s", wait.as_secs());
                Err(trust::broken(&why, &self.place))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer_to(said: Vec<u8>) -> Result<Answer, Error> {
        let (mut theirs, ours) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            // Who has heard enough hangs up.
            let _ = theirs.write_all(&said).await;
        });
        let wait = Duration::from_secs(20);
        Connection::new(Box::new(ours), wait, wait, "sieve.test:4190".to_owned()).answer().await
    }

    #[tokio::test]
    async fn strings_of_either_form_are_read() {
        let said =
            b"\"a \\\"b\\\\\" ACTIVE\r\n{5}\r\na\r\n\"x ACTIVE\r\n{0+}\r\n\r\nOK (WARNINGS) {4}\r\nline \"more\"\r\n";
        let answer = answer_to(said.to_vec()).await.unwrap();
        assert!(answer.is_ok() && answer.has_code("WARNINGS"));
        let texts: Vec<&[u8]> = answer.data.iter().map(|line| line[0].text().unwrap()).collect();
        assert_eq!(texts, [&b"a \"b\\"[..], b"a\r\n\"x", b""]);
        assert_eq!(answer.data[1][1], Word::Atom("ACTIVE".to_owned()));
        assert_eq!(answer.data[2].len(), 1);
    }

    #[tokio::test]
    async fn what_has_no_end_or_no_sense_is_refused() {
        let endless = |piece: &str, times: usize| piece.repeat(times).into_bytes();
        for (said, cause) in [
            (endless("x", 5_000_000), Cause::Protocol),
            ([b"\"".to_vec(), endless("x", 5_000_000)].concat(), Cause::Protocol),
            (endless("\"a\"\r\n", 100_000), Cause::Protocol),
            (endless("\r\n", 5_000_000), Cause::Protocol),
            (b"{99999999}\r\n".to_vec(), Cause::TooLarge),
            (b"{99999999999999999999}\r\n".to_vec(), Cause::Protocol),
            (b"{}\r\n".to_vec(), Cause::Protocol),
            (b"{5}xy".to_vec(), Cause::Protocol),
            (b"{5}\r\nabc".to_vec(), Cause::Connection),
            (b"\"abc\r\nOK\r\n".to_vec(), Cause::Protocol),
            (b"OK \"no line end\"".to_vec(), Cause::Connection),
            (
                endless("{2000000}\r\n", 1)
                    .into_iter()
                    .chain(vec![b'x'; 2_000_000])
                    .chain(endless("{2000000}\r\n", 1))
                    .collect(),
                Cause::Protocol,
            ),
            (Vec::new(), Cause::Connection),
        ] {
            let error = answer_to(said.clone()).await.unwrap_err();
            assert_eq!(error.cause, cause, "{error} {:?}", String::from_utf8_lossy(&said[..said.len().min(30)]));
        }
    }
}
