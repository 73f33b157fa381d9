//! Commands: how they are written, and which may be written at all.
//!
//! Every command of this crate passes [`may_send`] on its way out, in one place ([`super::connection`]). A connection that
//! reads may send nothing that could change a mailbox, not even by mistake; one that writes may send only what the
//! engine's promises cover: messages by UID only, a DELETE only of what was seen to hold nothing (`op::delete`), a SETACL only
//! that adds, and never a bare EXPUNGE or MOVE, CLOSE, RENAME, COPY or DELETEACL.

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It reads and changes nothing.
    Reads,
    /// It writes, too.
    Writes,
}

/// Commands that change nothing. EXAMINE, not SELECT; UNSELECT, not CLOSE, which removes what is marked.
const READING: &[&str] = &[
    "AUTHENTICATE",
    "CAPABILITY",
    "COMPRESS",
    "ENABLE",
    "EXAMINE",
    "GETACL",
    "GETMETADATA",
    "GETQUOTA",
    "GETQUOTAROOT",
    "ID",
    "IDLE",
    "LIST",
    "LOGIN",
    "LOGOUT",
    "LSUB",
    "MYRIGHTS",
    "NAMESPACE",
    "NOOP",
    "NOTIFY",
    "STARTTLS",
    "STATUS",
    "UID FETCH",
    "UID SEARCH",
    "UNSELECT",
];

/// Commands that only a connection that writes may send. SELECT has no lasting effect but to take `\Recent` away.
const WRITING: &[&str] = &[
    "APPEND",
    "CREATE",
    "DELETE",
    "SELECT",
    "SETACL",
    "SUBSCRIBE",
    "UID EXPUNGE",
    "UID MOVE",
    "UID STORE",
    "UNSUBSCRIBE",
];

/// Commands with an effect: they go through the door.
const WITH_EFFECT: &[&str] =
    &["APPEND", "CREATE", "DELETE", "SETACL", "SUBSCRIBE", "UID EXPUNGE", "UID MOVE", "UID STORE", "UNSUBSCRIBE"];

/// A command without its tag and line end.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    text: Vec<u8>,
    /// Strings that travel as literals, by their place in the text.
    literals: Vec<(usize, Vec<u8>)>,
}

impl Command {
    /// A command that begins so.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: text.as_ref().as_bytes().to_vec(), literals: Vec::new() }
    }

    /// With these words, as they are.
    #[must_use]
    pub fn words(mut self, words: impl AsRef<str>) -> Self {
        self.text.push(b' ');
        self.text.extend_from_slice(words.as_ref().as_bytes());
        self
    }

    /// With a string between quotes. It must have neither line ends nor NUL; see [`is_quotable`].
    #[must_use]
    pub fn quoted(mut self, string: &[u8]) -> Self {
        assert!(is_quotable(string), "a string that can't stand between quotes");
        self.text.push(b' ');
        self.text.push(b'"');
        for byte in string {
            if matches!(byte, b'"' | b'\\') {
                self.text.push(b'\\');
            }
            self.text.push(*byte);
        }
        self.text.push(b'"');
        self
    }

    /// With a string between quotes where it is plain ASCII, else as a literal. Only for commands that are not followed by
    /// others before their answer: a literal may have to wait for the server.
    #[must_use]
    pub fn string(mut self, string: &[u8]) -> Self {
        if string.is_ascii() && is_quotable(string) {
            return self.quoted(string);
        }
        self.text.push(b' ');
        self.literals.push((self.text.len(), string.to_vec()));
        self
    }

    /// Its text, without literals.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Its text and literals in the order in which they are sent: a text, the literal after it, and so on.
    pub fn pieces(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut from = 0;
        let literals = self.literals.iter().map(|(place, literal)| (*place, Some(literal.as_slice())));
        literals.chain([(self.text.len(), None)]).map(move |(place, literal)| {
            let text = &self.text[from..place];
            from = place;
            (text, literal)
        })
    }

    /// Has it literals?
    pub fn has_literals(&self) -> bool {
        !self.literals.is_empty()
    }
}

impl std::fmt::Debug for Command {
    /// Only its name: what follows may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({})", name(&self.text))
    }
}

/// May the string stand between quotes? Bytes of 8 bits may, although the standard wants them in literals: a name that a
/// server listed so is taken back so, and a literal would stop the commands behind it.
pub fn is_quotable(string: &[u8]) -> bool {
    !string.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// A command's name in upper case; two words where the first is UID.
fn name(text: &[u8]) -> String {
    let mut words = text.split(|byte| *byte == b' ').map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
    let first = words.next().unwrap_or_default();
    if first == "UID" { format!("UID {}", words.next().unwrap_or_default()) } else { first }
}

/// Has the command an effect, so that it must go through the door?
pub fn has_effect(text: &[u8]) -> bool {
    WITH_EFFECT.contains(&name(text).as_str())
}

/// May a connection of this role send this command? If not, why.
pub fn may_send(role: Role, text: &[u8]) -> Result<(), String> {
    let name = name(text);
    if text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(format!("{name} with a line end or NUL in it is never sent"));
    }
    let known = READING.contains(&name.as_str()) || (role == Role::Writes && WRITING.contains(&name.as_str()));
    if !known {
        let role = if role == Role::Reads { "reads" } else { "writes" };
        return Err(format!("{name} is not among the commands that a connection that {role} may send"));
    }
    if name == "SETACL" && !adds_rights(text) {
        return Err("SETACL that does not begin its rights with + would take away those that are there".to_owned());
    }
    if name == "UID FETCH" && marks_as_read(text) {
        return Err("UID FETCH of a body without PEEK would mark messages as read".to_owned());
    }
    Ok(())
}

/// Does this SETACL add to the rights that are there? Its last word then begins with `+`; without, it replaces them.
fn adds_rights(text: &[u8]) -> bool {
    let last = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    last.strip_prefix(b"+").is_some_and(|rights| !rights.is_empty() && rights.iter().all(u8::is_ascii_alphanumeric))
}

/// Would this FETCH mark messages as read? `BODY[` and `BINARY[` without PEEK do, and RFC822 and RFC822.TEXT.
fn marks_as_read(text: &[u8]) -> bool {
    let text = text.to_ascii_uppercase();
    let is_separator = |byte: &u8| matches!(byte, b' ' | b'(' | b')');
    text.split(is_separator).any(|word| {
        word.starts_with(b"BODY[")
            || word.starts_with(b"BINARY[")
            || (word.starts_with(b"RFC822") && word != b"RFC822.SIZE")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_connection_may_send_nothing_that_changes_anything() {
        for text in [
            "CAPABILITY",
            "ID NIL",
            "ENABLE QRESYNC",
            "LIST \"\" *",
            "STATUS INBOX (MESSAGES)",
            "EXAMINE INBOX",
            "UNSELECT",
            "GETACL x",
            "MYRIGHTS x",
            "UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])",
            "uid fetch 1 (RFC822.SIZE BINARY.PEEK[])",
            "UID SEARCH ALL",
            "UID FETCH 1 (BODY)",
            "NOOP",
            "LOGOUT",
        ] {
            assert_eq!(may_send(Role::Reads, text.as_bytes()), Ok(()), "{text}");
        }
        for text in [
            "SELECT INBOX",
            "CLOSE",
            "EXPUNGE",
            "DELETE x",
            "RENAME a b",
            "APPEND x",
            "CREATE x",
            "SUBSCRIBE x",
            "UID STORE 1 +FLAGS (\\Seen)",
            "STORE 1 FLAGS ()",
            "UID EXPUNGE 1",
            "UID MOVE 1 x",
            "UID COPY 1 x",
            "FETCH 1 BODY[]",
            "UID FETCH 1 (BODY[])",
            "UID FETCH 1 (UID body[TEXT])",
            "UID FETCH 1 RFC822",
            "UID FETCH 1 (RFC822.TEXT)",
            "UID FETCH 1 (BINARY[1])",
            "SETMETADATA x",
            "SETACL x",
            "SETACL x bob +l",
            "DELETEACL x bob",
            "UNSUBSCRIBE x",
            "NOOP\r\nW2 DELETE x",
            "XANYTHING",
            "",
        ] {
            assert!(may_send(Role::Reads, text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_writing_connection_may_never_remove_more_than_it_names() {
        for text in [
            "APPEND x",
            "CREATE x",
            "DELETE x",
            "SUBSCRIBE x",
            "UNSUBSCRIBE x",
            "SELECT x",
            "SETACL \"x\" \"bob\" +lr",
            "UID STORE 1 +FLAGS (\\Seen)",
            "UID EXPUNGE 1",
            "UID MOVE 1 x",
        ] {
            assert_eq!(may_send(Role::Writes, text.as_bytes()), Ok(()), "{text}");
            assert_eq!(has_effect(text.as_bytes()), text != "SELECT x");
        }
        for text in [
            "EXPUNGE",
            "CLOSE",
            "RENAME a b",
            "MOVE 1 x",
            "COPY 1 x",
            "UID COPY 1 x",
            "STORE 1 FLAGS ()",
            "UID FETCH 1 BODY[]",
            "SETACL x bob lr",
            "SETACL x bob -l",
            "SETACL x \"bob +l\"",
            "SETACL x bob +",
            "DELETEACL x bob",
        ] {
            assert!(may_send(Role::Writes, text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn strings_are_quoted_and_odd_ones_are_literals() {
        let command = Command::new("LOGIN").string(b"a \"b\" \\").string("é".as_bytes()).words("x");
        let pieces: Vec<_> = command.pieces().collect();
        assert_eq!(pieces[0], (&br#"LOGIN "a \"b\" \\" "#[..], Some("é".as_bytes())));
        assert_eq!(pieces[1], (&b" x"[..], None));
        assert_eq!(format!("{command:?}"), "Command(LOGIN)");
    }
}
