//! Random messages, nested at random: what is banned in them is found where it is, and all else stays.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use std::fmt::Write;

use crate::common::{base64, check, places, rules};
use inspection::{Ban, Banned, Limits, Rules, inspect};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Node {
    File { is_banned: bool, is_encoded: bool, content: String },
    Parts { children: Vec<Node>, is_ended: bool, preamble: bool },
    Message(Box<Node>),
}

fn nodes() -> impl Strategy<Value = Node> {
    let file = (any::<bool>(), any::<bool>(), "[ -~\n]{0,60}").prop_map(|(is_banned, is_encoded, content)| {
        // A boundary, a file among lines and a script are other tests'.
        let content = content.replace("--", "__").replace("begin", "Begin").replace("#!", "##");
        Node::File { is_banned, is_encoded, content }
    });
    file.prop_recursive(6, 40, 4, |inner| {
        let parts = (prop::collection::vec(inner.clone(), 1..4), any::<bool>(), any::<bool>());
        prop_oneof![
            parts.prop_map(|(children, is_ended, preamble)| Node::Parts { children, is_ended, preamble }),
            inner.prop_map(|node| Node::Message(Box::new(node))),
        ]
    })
}

/// Writes the node as a header and a content; tells the numbers of banned parts.
struct Writer {
    text: String,
    boundaries: u32,
    banned: Vec<String>,
}

impl Writer {
    fn write(&mut self, node: &Node, number: &str, is_top: bool) {
        match node {
            Node::File { is_banned, is_encoded, content } => {
                let number = if is_top { join(number, 1) } else { number.to_owned() };
                if *is_banned {
                    self.banned.push(number);
                }
                let name = if *is_banned { "a.exe" } else { "a.txt" };
                let _ = write!(self.text, "X-Before: 1\nContent-Type: application/octet-stream;\n name=\"{name}\"\n");
                if *is_encoded {
                    self.text.push_str("Content-Transfer-Encoding: base64\n\n");
                    self.text.push_str(&base64(content.as_bytes()).replace("\r\n", "\n"));
                } else {
                    let _ = write!(self.text, "X-After: 2\n\n{content}");
                }
            }
            Node::Parts { children, is_ended, preamble } => {
                self.boundaries += 1;
                // Each is the beginning of others.
                let boundary = format!("b{}", self.boundaries);
                let _ = write!(self.text, "Content-Type: multipart/mixed; boundary=\"{boundary}\"\n\n");
                if *preamble {
                    self.text.push_str("This is a message in parts.\n");
                }
                for (index, child) in children.iter().enumerate() {
                    let _ = write!(self.text, "\n--{boundary}\n");
                    self.write(child, &join(number, index as u32 + 1), false);
                }
                if *is_ended {
                    let _ = write!(self.text, "\n--{boundary}--\nepilogue");
                }
            }
            Node::Message(inner) => {
                let number = if is_top { join(number, 1) } else { number.to_owned() };
                self.text.push_str("Content-Type: message/rfc822\n\nSubject: inner\n");
                self.write(inner, &number, true);
            }
        }
    }
}

fn join(number: &str, index: u32) -> String {
    if number.is_empty() { index.to_string() } else { format!("{number}.{index}") }
}

/// The digests of all files that are not banned, in order.
fn others(message: &[u8]) -> Vec<String> {
    let all = Rules {
        bans: vec![Ban { id: "all".to_owned(), what: Banned::Extensions(["txt".to_owned()].into()) }],
        ..rules()
    };
    let found = inspect(&message, &all, &Limits::default()).unwrap();
    found.findings.iter().map(|finding| format!("{} {:?}", finding.part, finding.file.sha256)).collect()
}

proptest! {
    #[test]
    fn what_is_banned_is_found_where_it_is(node in nodes(), is_crlf in any::<bool>()) {
        let mut writer = Writer { text: "Subject: outer\nMIME-Version: 1.0\n".to_owned(), boundaries: 0, banned: Vec::new() };
        writer.write(&node, "", true);
        let text = if is_crlf { writer.text.replace('\n', "\r\n") } else { writer.text };
        let (found, rewritten) = check(text.as_bytes(), &rules());
        prop_assert_eq!(places(&found), writer.banned);
        prop_assert_eq!(others(&rewritten), others(text.as_bytes()));
    }

    #[test]
    fn any_bytes_are_dealt_with(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes, &rules());
    }

    #[test]
    fn any_lines_are_dealt_with(lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..30)) {
        check(lines.concat().as_bytes(), &rules());
    }
}

/// Lines that messages are made of.
const LINES: [&str; 26] = [
    "\n",
    "\r\n",
    "\r",
    "Subject: x\n",
    "Content-Type: multipart/mixed; boundary=a\n",
    "--a\n",
    "--a--\n",
    "--b\r\n",
    "--b--\r\n",
    "Content-Type: multipart/alternative;\r\n boundary=\"b\"\r\n",
    "Content-Type: message/rfc822\n",
    "Content-Type: application/octet-stream; name=a.exe\n",
    "Content-Disposition: attachment;\n",
    " filename=a.exe\n",
    "Content-Transfer-Encoding: base64\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "YS5leGU=\n",
    "begin 644 a.exe\n",
    "#:&5L\n",
    "`\n",
    "end\n",
    "odd line\n",
    "From a@b\n",
    "Content-Type: text/plain\n",
    "=\n",
    "text",
];
