//! Talking IMAP by hand: commands as text, answers as text. For tests that check a server, or that do as the person's own
//! program would. It understands no more than where an answer ends.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// How long an answer may take before a test is taken to hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to an IMAP server.
pub struct Talk {
    stream: BufReader<TcpStream>,
    commands: u32,
    greeting: String,
}

/// What a server said to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The untagged responses, each with its literals and without its last line end. Bytes that are not UTF-8 are shown
    /// one by one as the characters of those numbers.
    pub untagged: Vec<String>,
    /// The tagged response without its tag.
    pub tagged: String,
}

impl Answer {
    /// Did the command succeed?
    pub fn is_ok(&self) -> bool {
        self.tagged.starts_with("OK")
    }

    /// The untagged responses that begin with this word, the number before it left out of account.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.untagged.iter().map(String::as_str).filter(move |line| {
            let line = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
            line.split([' ', '\r']).next().is_some_and(|word| word.eq_ignore_ascii_case(kind))
        })
    }

    /// All that was said, for looking whether something is in it.
    pub fn text(&self) -> String {
        let mut text = self.untagged.join("\n");
        text.push('\n');
        text + &self.tagged
    }
}

impl Talk {
    /// Connects to a port of loopback and reads the greeting.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_nodelay(true)).expect("a socket has options");
        let mut talk = Self { stream: BufReader::new(stream), commands: 0, greeting: String::new() };
        talk.greeting = talk.response().expect("the server greets");
        talk
    }

    /// Connects and logs in.
    pub fn login(port: u16, name: &str, password: &str) -> Self {
        let mut talk = Self::connect(port);
        let answer = talk.command(&format!("LOGIN \"{name}\" \"{password}\""));
        assert!(answer.is_ok(), "{name} can't log in: {}", answer.tagged);
        talk
    }

    /// Connects and logs in with SASL PLAIN in another's name; gives what the server said to it.
    pub fn login_for(port: u16, person: &str, admin: &str, password: &str) -> (Self, Answer) {
        let mut talk = Self::connect(port);
        let words = crate::base64::encode(format!("{person}\0{admin}\0{password}").as_bytes());
        let answer = talk.command(&format!("AUTHENTICATE PLAIN {words}"));
        (talk, answer)
    }

    /// The greeting.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Sends a command and reads all that is said to it.
    ///
    /// # Panics
    /// When the connection ends before the tagged answer.
    pub fn command(&mut self, command: &str) -> Answer {
        self.try_command(command).unwrap_or_else(|| panic!("the connection ended after: {command}"))
    }

    /// Sends a command and reads all that is said to it; none when the connection ends first.
    pub fn try_command(&mut self, command: &str) -> Option<Answer> {
        let tag = self.next_tag();
        self.send(format!("{tag} {command}\r\n").as_bytes());
        self.answer(&tag)
    }

    /// Sends a command that succeeds.
    ///
    /// # Panics
    /// When it doesn't.
    pub fn ok(&mut self, command: &str) -> Answer {
        let answer = self.command(command);
        assert!(answer.is_ok(), "{command}: {}", answer.text());
        answer
    }

    /// Appends a message; `options` stand between the folder and the literal: `(\Seen) "date"`.
    pub fn append(&mut self, folder: &str, options: &str, body: &[u8]) -> Answer {
        let tag = self.next_tag();
        let space = if options.is_empty() { "" } else { " " };
        self.send(format!("{tag} APPEND \"{folder}\" {options}{space}{{{}}}\r\n", body.len()).as_bytes());
        let mut untagged = Vec::new();
        loop {
            let line = self.response().expect("the server answers");
            if line.starts_with('+') {
                break;
            }
            if let Some(tagged) = line.strip_prefix(&format!("{tag} ")) {
                return Answer { untagged, tagged: tagged.to_owned() };
            }
            untagged.push(line.trim_start_matches("* ").to_owned());
        }
        self.send(body);
        self.send(b"\r\n");
        let mut answer = self.answer(&tag).expect("the server answers");
        answer.untagged.splice(0..0, untagged);
        answer
    }

    /// Sends bytes as they are. A server that has gone is noticed when its answer is missed.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// A new tag, for commands sent by hand.
    pub fn next_tag(&mut self) -> String {
        self.commands += 1;
        format!("t{}", self.commands)
    }

    /// Reads until the tagged answer to this tag; none when the connection ends first.
    pub fn answer(&mut self, tag: &str) -> Option<Answer> {
        let mut untagged = Vec::new();
        loop {
            let line = self.response()?;
            if let Some(tagged) = line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                return Some(Answer { untagged, tagged: tagged.to_owned() });
            }
            untagged.push(line.strip_prefix("* ").unwrap_or(&line).to_owned());
        }
    }

    /// The next response with its literals, without its last line end; none when the connection ends.
    pub fn response(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            let begin = bytes.len();
            self.stream.read_until(b'\n', &mut bytes).ok().filter(|length| *length > 0)?;
            let Some(length) = literal_length(&bytes[begin..]) else { break };
            let begin = bytes.len();
            bytes.resize(begin + length, 0);
            self.stream.read_exact(&mut bytes[begin..]).ok()?;
        }
        let end = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n"))?;
        Some(String::from_utf8(end.to_vec()).unwrap_or_else(|_| end.iter().map(|byte| char::from(*byte)).collect()))
    }
}

/// The length of the literal that a line ends by announcing.
fn literal_length(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', line)?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}
