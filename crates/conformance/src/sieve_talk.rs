//! Talking ManageSieve by hand, as the person's own program would. It understands no more than where an answer ends, and is written
//! apart from the router.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::base64;

/// How long an answer may take before a test is taken to hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a server is asked that takes a connection and says nothing, and how long each time. Cyrus now and then leaves one lying.
const TRIES: usize = 6;
const GREETING_PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a ManageSieve server, logged in.
pub struct SieveTalk {
    stream: BufReader<TcpStream>,
}

/// What a server said: the lines before the last, each with its strings; and the last one.
type Said = (Vec<(Vec<Vec<u8>>, String)>, String);

/// A connection on which the server has begun to speak.
fn greeted(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(GREETING_PATIENCE)).expect("a socket has options");
    stream.peek(&mut [0]).ok().filter(|length| *length > 0)?;
    stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_nodelay(true)).expect("a socket has options");
    Some(stream)
}

impl SieveTalk {
    /// Connects to a port of loopback and logs in.
    ///
    /// # Panics
    /// When that is refused.
    pub fn log_in(port: u16, user: &str, password: &str) -> Self {
        let stream = (0..TRIES).find_map(|_| greeted(port)).expect("the server listens and greets");
        let mut talk = Self { stream: BufReader::new(stream) };
        talk.hear();
        let message = base64::encode(format!("\0{user}\0{password}").as_bytes());
        talk.ask(&[b"AUTHENTICATE \"PLAIN\" ", quoted(&message).as_bytes()].concat());
        talk
    }

    /// Runs a command, which has to succeed.
    fn ask(&mut self, command: &[u8]) -> Said {
        let said = self.try_to(command);
        assert!(said.1.starts_with("OK"), "{:?} was answered {:?}", String::from_utf8_lossy(command), said.1);
        said
    }

    fn try_to(&mut self, command: &[u8]) -> Said {
        self.stream.get_mut().write_all(&[command, b"\r\n"].concat()).expect("the server reads");
        self.hear()
    }

    fn hear(&mut self) -> Said {
        let mut lines = Vec::new();
        loop {
            let (strings, rest) = self.line();
            if ["OK", "NO", "BYE"].iter().any(|end| rest.starts_with(end)) {
                let words: Vec<_> = strings.iter().map(|string| String::from_utf8_lossy(string).into_owned()).collect();
                return (lines, format!("{rest} {}", words.join(" ")));
            }
            lines.push((strings, rest));
        }
    }

    /// A line: its strings, and what else stands in it.
    fn line(&mut self) -> (Vec<Vec<u8>>, String) {
        let (mut strings, mut rest) = (Vec::new(), String::new());
        loop {
            let mut bytes = Vec::new();
            self.stream.read_until(b'\n', &mut bytes).expect("the server answers");
            let text = String::from_utf8(bytes).expect("lines are UTF-8");
            let text = text.strip_suffix("\r\n").expect("a line has an end");
            let mut parts = text.split('"');
            rest.push_str(parts.next().unwrap_or_default());
            // Names with quotes in them are no concern of the tests.
            while let Some(string) = parts.next() {
                strings.push(string.as_bytes().to_vec());
                rest.push_str(parts.next().unwrap_or_default());
            }
            let length =
                text.strip_suffix('}').and_then(|text| text.rsplit_once('{')?.1.trim_end_matches('+').parse().ok());
            let Some(length) = length else { return (strings, rest.trim().to_owned()) };
            let mut literal = vec![0; length];
            self.stream.read_exact(&mut literal).expect("a literal comes whole");
            strings.push(literal);
            rest.truncate(rest.rfind('{').unwrap_or(0));
        }
    }

    /// The scripts, with whether each is active.
    pub fn list(&mut self) -> Vec<(String, bool)> {
        let (lines, _) = self.ask(b"LISTSCRIPTS");
        let script = |(strings, rest): (Vec<Vec<u8>>, String)| {
            (String::from_utf8(strings[0].clone()).expect("names are UTF-8"), rest == "ACTIVE")
        };
        let mut scripts: Vec<_> = lines.into_iter().map(script).collect();
        scripts.sort();
        scripts
    }

    /// The text of a script.
    pub fn get(&mut self, name: &str) -> Vec<u8> {
        let (mut lines, _) = self.ask(format!("GETSCRIPT {}", quoted(name)).as_bytes());
        lines.swap_remove(0).0.swap_remove(0)
    }

    /// Stores a script; what the server says.
    pub fn put(&mut self, name: &str, text: &[u8]) -> String {
        let head = format!("PUTSCRIPT {} {{{}+}}\r\n", quoted(name), text.len());
        self.try_to(&[head.as_bytes(), text].concat()).1
    }

    /// Puts a script in force, or none.
    pub fn activate(&mut self, name: &str) {
        self.ask(format!("SETACTIVE {}", quoted(name)).as_bytes());
    }

    /// Removes a script.
    pub fn delete(&mut self, name: &str) {
        self.ask(format!("DELETESCRIPT {}", quoted(name)).as_bytes());
    }

    /// Everything that there is: names, which is active, and texts, byte for byte.
    pub fn dump(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        for (name, is_active) in self.list() {
            all.extend_from_slice(format!("{name:?} active {is_active}:\n").as_bytes());
            all.extend(self.get(&name));
            all.extend_from_slice(b"\nend\n");
        }
        all
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
