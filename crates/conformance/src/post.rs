//! Mail handed in and mail that leaves: a client of LMTP (RFC 2033) and SMTP, and a server of SMTP (RFC 5321) that takes everything and keeps
//! who wrote to whom. Neither knows more of its protocol than a test needs.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// How long the other side may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A message that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Who sent it, by the envelope.
    pub from: String,
    /// Whom it was for, by the envelope.
    pub to: Vec<String>,
    /// The message, with CRLF line ends.
    pub message: String,
}

/// A server that takes all mail and passes none on. It ends with the process.
#[derive(Clone, Debug)]
pub struct SmtpSink {
    port: u16,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl SmtpSink {
    /// Starts one.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1", 0)
    }

    /// Starts one at this address and port.
    ///
    /// # Panics
    /// When another has it.
    pub fn start_at(address: &str, port: u16) -> Self {
        let listener = TcpListener::bind((address, port)).expect("the port is free");
        let port = listener.local_addr().expect("it has one").port();
        let sink = Self { port, posted: Arc::default() };
        let posted = sink.posted.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let posted = posted.clone();
                // Who hangs up in the middle has sent nothing.
                thread::spawn(move || take(&stream, &posted));
            }
        });
        sink
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What came so far.
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn take(stream: &TcpStream, posted: &Mutex<Vec<Posted>>) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    let mut lines = BufReader::new(stream);
    let say = |words: &str| -> io::Result<()> {
        let mut stream = stream;
        stream.write_all(format!("{words}\r\n").as_bytes())
    };
    let path = |line: &str| line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    say("220 sink ESMTP")?;
    let mut letter = Posted::default();
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" | "HELO" | "LHLO" => say("250 sink")?,
            "MAIL" => {
                letter = Posted { from: path(&line), ..Posted::default() };
                say("250 2.1.0 Ok")?;
            }
            "RCPT" => {
                letter.to.push(path(&line));
                say("250 2.1.5 Ok")?;
            }
            "DATA" => {
                say("354 Go on")?;
                loop {
                    line.clear();
                    if lines.read_line(&mut line)? == 0 {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    letter.message.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                posted.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut letter));
                say("250 2.0.0 Taken")?;
            }
            "QUIT" => {
                say("221 2.0.0 Bye")?;
                return Ok(());
            }
            _ => say("250 2.0.0 Ok")?,
        }
        line.clear();
    }
    Ok(())
}

/// Hands a message in for somebody, over LMTP on a port of loopback.
///
/// # Panics
/// When it is not taken, with what the server said.
pub fn hand_in(port: u16, from: &str, to: &str, message: &str) {
    speak("LHLO", port, from, to, message);
}

/// The same over SMTP.
///
/// # Panics
/// When it is not taken, with what the server said.
pub fn send(port: u16, from: &str, to: &str, message: &str) {
    speak("EHLO", port, from, to, message);
}

fn speak(hello: &str, port: u16, from: &str, to: &str, message: &str) {
    if let Err(said) = offer(("127.0.0.1", port), hello, from, to, message) {
        panic!("{hello}, to {to}: {said}");
    }
}

/// Offers a message over SMTP to a server at this address. What the server said, if it does not take it.
pub fn try_send(server: (&str, u16), from: &str, to: &str, message: &str) -> Result<(), String> {
    offer(server, "EHLO", from, to, message)
}

fn offer(server: (&str, u16), hello: &str, from: &str, to: &str, message: &str) -> Result<(), String> {
    let stream = TcpStream::connect(server).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(SILENCE_MAX)).expect("a socket has options");
    let mut lines = BufReader::new(stream);
    let mut step = |words: String, expected: char| -> Result<(), String> {
        lines.get_mut().write_all(words.as_bytes()).map_err(|error| error.to_string())?;
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).map_err(|error| error.to_string())?;
            if !line.starts_with(expected) {
                return Err(line);
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    };
    step(String::new(), '2')?;
    step(format!("{hello} client.test\r\n"), '2')?;
    step(format!("MAIL FROM:<{from}>\r\n"), '2')?;
    step(format!("RCPT TO:<{to}>\r\n"), '2')?;
    step("DATA\r\n".to_owned(), '3')?;
    step(format!("{}\r\n.\r\n", message.replace("\r\n.", "\r\n..")), '2')?;
    step("QUIT\r\n".to_owned(), '2')
}
