//! Lines that real servers send, and what we make of each. Published readers refuse a third to a half of them; here every
//! one is split into words, and what we use of it is read right.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a test, helpers included")]

use bytes::BytesMut;
use imap::wire::capability::Capabilities;
use imap::wire::fetch::{self, FetchedBody};
use imap::wire::framer::{Advance, Framed, Framer};
use imap::wire::mailbox::{self, ListEntry, Namespaces, StatusItems};
use imap::wire::response::{Response, Status};
use imap::wire::token::{Token, Tokens};

/// The lines, each with what must be seen in it; `-` where it only must not be lost or cause harm.
const LINES: [(&[u8], &str); 62] = [
    // Greetings, statuses, codes.
    (b"* OK [CAPABILITY IMAP4rev1 UIDPLUS] Dovecot ready.\r\n", "status OK CAPABILITY: Dovecot ready."),
    (b"* OK The Microsoft Exchange IMAP4 service is ready. [TQBXAEgA]\r\n", "status OK: The Microsoft Exchange IMAP4 service is ready. [TQBXAEgA]"),
    (b"A1 OK\r\n", "tagged A1 OK"),
    (b"A1 OK \r\n", "tagged A1 OK"),
    (b"A1 NO [OVERQUOTA] Quota exceeded\r\n", "tagged A1 NO OVERQUOTA: Quota exceeded"),
    (b"A1 OK [APPENDUID 38505 3955:3957] done\r\n", "tagged A1 OK APPENDUID: done"),
    (b"A1 OK [COPYUID 38505 304,319:320 3956:3958] Done\r\n", "tagged A1 OK COPYUID: Done"),
    (b"* OK [PERMANENTFLAGS (\\Answered [Gmail] \\*)] Flags permitted.\r\n", "status OK PERMANENTFLAGS: Flags permitted."),
    (b"* OK [HIGHESTMODSEQ 1706092971947030001]\r\n", "status OK HIGHESTMODSEQ:"),
    (b"* OK [UNSEEN 8]\r\n", "status OK UNSEEN:"),
    (b"* NO [ALERT] Mailbox is at 98% of quota {5}\r\n", "status NO ALERT: Mailbox is at 98% of quota {5}"),
    (b"* BYE [UNAVAILABLE] Shutting down\n", "status BYE UNAVAILABLE: Shutting down"),
    (b"+ \r\n", "continue"),
    (b"+\r\n", "continue"),
    (b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", "continue"),
    (b"* PREAUTH [CAPABILITY IMAP4rev1]\r\n", "status PREAUTH CAPABILITY:"),
    (b"* CAPABILITY IMAP4rev1  UIDPLUS APPENDLIMIT=35651584 XYMHIGHESTMODSEQ\r\n", "capability 4"),
    // FETCH.
    (b"* 1 FETCH (UID 3 FLAGS (\\Seen) BODY[] {3}\r\nabc)\r\n", "fetch 3 \\Seen literal"),
    (b"* 1 FETCH (BODY[] {3}\r\nabc UID 3 FLAGS (\\Seen))\r\n", "fetch 3 \\Seen literal"),
    (b"* 1 FETCH (UID 3 BODY[] ~{4}\r\na\x00\r\n)\r\n", "fetch 3 - literal"),
    (b"* 1 FETCH (UID 3 BODY[] NIL)\r\n", "fetch 3 - nil"),
    (b"* 1 FETCH (UID 3 BODY[] \"\")\r\n", "fetch 3 - quoted"),
    (b"* 1 FETCH (UID 3 BODY[] \"short\")\r\n", "fetch 3 - quoted"),
    (b"* 1 FETCH (UID 3 BODY[] )\r\n", "fetch 3 - nil"),
    (b"* 1 FETCH (UID 3 RFC822.SIZE 99999999999)\r\n", "fetch 3 - missing size 99999999999"),
    (b"* 1 FETCH (UID 3 INTERNALDATE \" 1-Jan-2020 00:00:00 +0000\")\r\n", "fetch 3 - missing date 1577836800"),
    (b"* 1 FETCH (UID 3 INTERNALDATE \"1-Jan-2020 00:00:00 +0000\")\r\n", "fetch 3 - missing date 1577836800"),
    (b"* 1 FETCH (FLAGS (\\Seen \\Recent \\* [Gmail]) UID 3 )\r\n", "fetch 3 \\Seen [Gmail] missing"),
    (b"* 1 FETCH  (UID  3  FLAGS  (\\Seen  $Work) )\r\n", "fetch 3 \\Seen $Work missing"),
    (b"* 1 FETCH (FLAGS (\\Seen))\r\n", "fetch - \\Seen missing"),
    (b"* 1 FETCH (UID 3 MODSEQ (12121231777))\r\n", "fetch 3 - missing"),
    (b"* 1 FETCH (MODSEQ (0) FLAGS (\\Seen) UID 3)\r\n", "fetch 3 \\Seen missing"),
    (b"* 1 FETCH (UID 3 X-GM-MSGID 1278455344230334865 X-GM-THRID 1 X-GM-LABELS (\\Inbox \"a b\"))\r\n", "fetch 3 - missing"),
    (b"* 1 FETCH (UID 3 EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9))\r\n", "fetch 3 - missing"),
    (b"* 1 FETCH (UID 3 THREADID NIL EMAILID (M1) FLAGS (\\Draft))\r\n", "fetch 3 \\Draft missing"),
    (b"* 1 FETCH (UID 3 SAVEDATE \"01-Jan-2020 00:00:00 +0000\" FLAGS ())\r\n", "fetch 3  missing"),
    (b"* 1 FETCH (UID 3 PREVIEW {5}\r\na)b\"c FLAGS (\\Seen))\r\n", "fetch 3 \\Seen missing"),
    (b"* 1 FETCH (UID 3 ENVELOPE (NIL \"caf\xe9\" () NIL NIL NIL NIL NIL NIL \"<a@b>\") FLAGS (\\Seen))\r\n", "fetch 3 \\Seen missing"),
    (b"* 1 FETCH (UID 3 BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)(\"a\" \"b\") \"mixed\") FLAGS ())\r\n", "fetch 3  missing"),
    (b"* 1 FETCH (UID 3 BODY[HEADER.FIELDS (\"A\" B)] {2}\r\n\r\n FLAGS (\\Seen))\r\n", "fetch 3 \\Seen missing"),
    (b"* 1 FETCH (UID 3 BODY[]<0> {2}\r\nab FLAGS (\\Seen))\r\n", "fetch 3 \\Seen missing"),
    (b"* 1 FETCH (UID 3 BINARY.SIZE[1] 50 BINARY[1] ~{1}\r\n\x00 FLAGS (\\Seen))\r\n", "fetch 3 \\Seen missing"),
    (b"* 25 UIDFETCH (FLAGS (\\Seen))\r\n", "numbered 25 UIDFETCH"),
    // Numbers of messages.
    (b"* 23 EXISTS\r\n", "numbered 23 EXISTS"),
    (b"* 5 EXPUNGE\n", "numbered 5 EXPUNGE"),
    (b"* VANISHED (EARLIER) 41,43:116,118,120:211,214:540\r\n", "vanished 495"),
    // Mailboxes.
    (b"* LIST (\\HasNoChildren \\UnMarked) \"/\" \"Sent Items\"\r\n", "list Sent Items"),
    (b"* LIST (\\NonExistent) NIL INBOX (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n", "list INBOX"),
    (b"* LIST () \"/\" new (\"OLDNAME\" (\"old\"))\r\n", "list new"),
    (b"* LIST () \"/\" \"caf\xc3\xa9\"\r\n", "list caf\u{e9}"),
    (b"* LIST () \"/\" \"caf\xe9\"\r\n", "list caf\u{e9}"),
    (b"* LIST () \"/\" {3}\r\na\"b\r\n", "list a\"b"),
    (b"* XLIST (\\Noinferiors \\Drafts) \"/\" \"Entw&APw-rfe\"\r\n", "data XLIST"),
    (b"* STATUS \"a\" (MESSAGES 1 SIZE 99999999999 MAILBOXID (F1) UIDNEXT 2 UIDVALIDITY 3)\r\n", "status of a: 1 2 3"),
    (b"* STATUS a (APPENDLIMIT 257890 UIDNEXT 2 MESSAGES 1 UIDVALIDITY 3 )\r\n", "status of a: 1 2 3"),
    (b"* NAMESPACE ((\"\" \"/\")) NIL ((\"Public/\" \"/\" \"TRANSLATION\" (\"x\")))\r\n", "namespace 1 0 1"),
    (b"* ESEARCH (TAG \"A282\") UID MIN 2 ALL 2,10:15\r\n", "data ESEARCH"),
    (b"* SEARCH\r\n", "data SEARCH"),
    // Quota, rights, metadata, and what nobody knows.
    (b"* QUOTA \"\" ()\r\n", "quota  0"),
    (b"* QUOTA storage=0 (STORAGE 28257 256000)\r\n", "quota storage=0 1"),
    (b"* MYRIGHTS INBOX lrswipkxtecda\r\n", "rights lrswipkxtecda"),
    (b"* X-SOMETHING-NEW (a (b {2}\r\nxy) ) \"c\" [d]\r\n", "data X-SOMETHING-NEW"),
];

fn framed(bytes: &[u8]) -> Vec<Framed> {
    let mut framer = Framer::default();
    let mut input = BytesMut::from(bytes);
    let mut all = Vec::new();
    loop {
        match framer.advance(&mut input).unwrap() {
            Advance::More => return all,
            Advance::Done => all.push(framer.framed().clone()),
            Advance::Body(left) => {
                let here = left.min(input.len() as u64);
                let _ = input.split_to(here as usize);
                framer.body_taken(here);
            }
        }
    }
}

fn see(framed: &Framed) -> String {
    let response = Response::of(framed);
    if let Some(tokens) = response.data("CAPABILITY") {
        assert!(Capabilities::parse(tokens.clone()).has("UIDPLUS"));
        return format!("capability {}", tokens.count());
    }
    if let Some((_, rest)) = response.numbered("FETCH") {
        let fetched = fetch::parse(rest);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let body = match fetched.body {
            FetchedBody::Missing => "missing",
            FetchedBody::Nil => "nil",
            FetchedBody::Quoted(_) => "quoted",
            FetchedBody::Literal(_) => "literal",
            FetchedBody::Several => "several",
        };
        let mut seen = format!(
            "fetch {} {} {body}",
            or_none(fetched.uid.map(|uid| uid.to_string())),
            or_none(fetched.flags.map(|flags| flags.to_string()))
        );
        if let Some(size) = fetched.size {
            seen.push_str(&format!(" size {size}"));
        }
        if let Some(date) = fetched.internal_date {
            seen.push_str(&format!(" date {}", date.unix_seconds));
        }
        return seen;
    }
    if let Some((uids, _)) = response.vanished() {
        return format!("vanished {}", uids.len());
    }
    if let Some(entry) = response.data("LIST").and_then(ListEntry::parse) {
        return format!("list {}", imap::wire::token::text_of(&entry.name));
    }
    if let Some((name, items)) = response.data("STATUS").and_then(StatusItems::parse) {
        let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let name = String::from_utf8(name).unwrap();
        let (messages, next) = (number(items.messages), number(items.uid_next));
        return format!("status of {name}: {messages} {next} {}", number(items.uid_validity));
    }
    if let Some(tokens) = response.data("NAMESPACE") {
        let namespaces = Namespaces::parse(tokens);
        let (other, shared) = (namespaces.other.len(), namespaces.shared.len());
        return format!("namespace {} {other} {shared}", namespaces.personal.len());
    }
    if let Some((root, resources)) = response.data("QUOTA").and_then(mailbox::quota) {
        return format!("quota {root} {}", resources.len());
    }
    if let Some(rights) = response.data("MYRIGHTS").and_then(mailbox::rights) {
        return format!("rights {rights}");
    }
    let words = |status: Status, text: &imap::wire::response::StatusText<'_>| {
        let code = text.code.map_or(String::new(), |code| format!(" {}", String::from_utf8_lossy(code.name)));
        let shown = String::from_utf8_lossy(text.text).into_owned();
        let colon = if code.is_empty() && shown.is_empty() { "" } else { ":" };
        let space = if shown.is_empty() { "" } else { " " };
        format!("{}{code}{colon}{space}{shown}", format!("{status:?}").to_uppercase())
    };
    match response {
        Response::Continue(_) => "continue".to_owned(),
        Response::Tagged { tag, status, text } => {
            format!("tagged {} {}", String::from_utf8_lossy(tag), words(status, &text))
        }
        Response::Status { status, text } => format!("status {}", words(status, &text)),
        Response::Numbered { number, word, .. } => format!("numbered {number} {}", String::from_utf8_lossy(word)),
        Response::Data { word, .. } => format!("data {}", String::from_utf8_lossy(word)),
        Response::Unknown => "unknown".to_owned(),
    }
}

#[test]
fn every_line_is_kept_and_read_right() {
    for (line, expected) in LINES {
        let shown = String::from_utf8_lossy(line);
        let framed = framed(line);
        assert_eq!(framed.len(), 1, "{shown}");
        assert_eq!(see(&framed[0]), expected, "{shown}");
    }
}

#[test]
fn every_line_is_whole_words() {
    for (line, _) in LINES {
        for framed in framed(line) {
            let mut depth = 0i32;
            for token in Tokens::of(&framed) {
                match token {
                    Token::Open => depth += 1,
                    Token::Close => depth -= 1,
                    _ => {}
                }
            }
            let is_text = matches!(
                Response::of(&framed),
                Response::Continue(_) | Response::Status { .. } | Response::Tagged { .. }
            );
            assert!(is_text || depth == 0, "{}", String::from_utf8_lossy(line));
        }
    }
}

#[test]
fn every_line_is_the_same_however_it_is_split() {
    for (line, _) in LINES {
        let whole = framed(line);
        for cut in 0..=line.len() {
            let mut framer = Framer::default();
            let mut all = Vec::new();
            let mut input = BytesMut::new();
            for piece in [&line[..cut], &line[cut..]] {
                input.extend_from_slice(piece);
                loop {
                    match framer.advance(&mut input).unwrap() {
                        Advance::More => break,
                        Advance::Done => all.push(framer.framed().clone()),
                        Advance::Body(left) if left > 0 && input.is_empty() => break,
                        Advance::Body(left) => {
                            let here = left.min(input.len() as u64);
                            let _ = input.split_to(here as usize);
                            framer.body_taken(here);
                        }
                    }
                }
            }
            assert_eq!(all, whole, "{} at {cut}", String::from_utf8_lossy(line));
        }
    }
}

/// The conversations recorded by others, used in place: every line of them is framed, and none is unknown.
#[test]
fn recorded_conversations_are_understood() {
    let folder = std::env::var_os("WHIMBREL_CORPUS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        std::path::PathBuf::from,
    );
    let folder = folder.join("imap/mailkit/Imap");
    if !folder.is_dir() {
        println!("skipped: no corpus at {} (WHIMBREL_CORPUS)", folder.display());
        return;
    }
    let mut folders = vec![folder];
    let (mut files, mut responses) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "txt") {
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for framed in framed(&bytes) {
                responses += 1;
                let shown = format!("{}: {}", path.display(), String::from_utf8_lossy(&framed.text));
                // One server forgets the star before a COPYUID.
                let is_known_oddity = framed.text.starts_with(b"[COPYUID");
                assert!(is_known_oddity || !matches!(Response::of(&framed), Response::Unknown), "{shown}");
            }
        }
    }
    assert!(files > 100 && responses > 500, "{files} files, {responses} responses");
}
