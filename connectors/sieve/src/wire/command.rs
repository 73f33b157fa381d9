//! Commands, as bytes (RFC 5804 section 2).

/// How long a string may be that is written between quotes; longer ones and odd ones go as literals.
const QUOTED_BYTES_MAX: usize = 1_000;

/// A command that is put together.
#[derive(Clone, Debug)]
pub(crate) struct Command(Vec<u8>);

impl Command {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.as_bytes().to_vec())
    }

    /// With a string. Literals of clients wait for no leave (section 1.2).
    pub(crate) fn string(mut self, text: &[u8]) -> Self {
        if !self.0.is_empty() {
            self.0.push(b' ');
        }
        if text.len() <= QUOTED_BYTES_MAX && !text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            self.0.push(b'"');
            for byte in text {
                if matches!(byte, b'"' | b'\\') {
                    self.0.push(b'\\');
                }
                self.0.push(*byte);
            }
            self.0.push(b'"');
        } else {
            self.0.extend_from_slice(format!("{{{}+}}\r\n", text.len()).as_bytes());
            self.0.extend_from_slice(text);
        }
        self
    }

    pub(crate) fn number(mut self, number: usize) -> Self {
        self.0.extend_from_slice(format!(" {number}").as_bytes());
        self
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"\r\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_or_sent_as_literals() {
        let bytes = |text: &[u8]| String::from_utf8(Command::new("GETSCRIPT").string(text).bytes()).unwrap();
        assert_eq!(bytes(b"a b"), "GETSCRIPT \"a b\"\r\n");
        assert_eq!(bytes(b"a\"b\\"), "GETSCRIPT \"a\\\"b\\\\\"\r\n");
        assert_eq!(bytes(b"a\r\nLOGOUT"), "GETSCRIPT {9+}\r\na\r\nLOGOUT\r\n");
        assert!(bytes(&[b'x'; 1_001]).starts_with("GETSCRIPT {1001+}\r\n"));
        assert_eq!(Command::new("HAVESPACE").string(b"x").number(7).bytes(), b"HAVESPACE \"x\" 7\r\n");
        assert_eq!(Command::new("").string(b"x").bytes(), b"\"x\"\r\n");
    }
}
