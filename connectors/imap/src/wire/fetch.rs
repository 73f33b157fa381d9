//! FETCH responses (RFC 9051 section 7.5.2): items in any order, unknown ones passed over.

use std::borrow::Cow;

use model::{Flags, ReceivedAt};

use super::date;
use super::framer::Literal;
use super::token::{Token, Tokens};

/// What a FETCH response says of one message.
#[derive(Clone, Debug, Default)]
pub struct Fetch<'a> {
    /// Its UID.
    pub uid: Option<u32>,
    /// Its flags.
    pub flags: Option<Flags>,
    /// When it was received; none when it is missing or no date.
    pub internal_date: Option<ReceivedAt>,
    /// Its size as the server says, which may be wrong.
    pub size: Option<u64>,
    /// Its MODSEQ.
    pub modseq: Option<u64>,
    /// Its body.
    pub body: FetchedBody<'a>,
    /// What never changes over copies and moves (OBJECTID, RFC 8474).
    pub email_id: Option<String>,
    /// Gmail's number of the message (X-GM-MSGID).
    pub gmail_id: Option<u64>,
    /// Gmail's labels (X-GM-LABELS).
    pub gmail_labels: Vec<String>,
}

/// The body in a FETCH response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FetchedBody<'a> {
    /// The response has none.
    #[default]
    Missing,
    /// NIL, or something else that is no body.
    Nil,
    /// As a string between quotes.
    Quoted(Cow<'a, [u8]>),
    /// As a literal of this size, whose bytes went another way.
    Literal(u64),
    /// More than one body: no telling which is right.
    Several,
}

/// Reads what follows `* 5 FETCH`.
pub fn parse(mut tokens: Tokens<'_>) -> Fetch<'_> {
    let mut fetch = Fetch::default();
    if tokens.next() != Some(Token::Open) {
        return fetch;
    }
    loop {
        let name = match tokens.next() {
            Some(Token::Atom(name)) => name,
            Some(Token::Close) | None => return fetch,
            // A value where a name should be: passed over.
            Some(Token::Open) => {
                tokens.pass_over_list();
                continue;
            }
            Some(_) => continue,
        };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // `BODY[] )`: a name whose value was forgotten.
        let mut ahead = tokens.clone();
        if matches!(ahead.next(), Some(Token::Close) | None) {
            if is("BODY[]") {
                fetch.body = FetchedBody::Nil;
            }
            return fetch;
        }
        if is("UID") {
            fetch.uid = value(&mut tokens).and_then(Token::number).and_then(|uid| uid.try_into().ok());
        } else if is("FLAGS") {
            fetch.flags = Some(flags(&mut tokens));
        } else if is("INTERNALDATE") {
            fetch.internal_date = value(&mut tokens).and_then(Token::bytes).and_then(|text| date::parse(&text));
        } else if is("RFC822.SIZE") {
            fetch.size = value(&mut tokens).and_then(Token::number);
        } else if is("MODSEQ") {
            fetch.modseq = tokens.list().first().copied().and_then(Token::number);
        } else if is("BODY[]") || is("BINARY[]") || is("RFC822") {
            let body = body(&mut tokens);
            fetch.body = if fetch.body == FetchedBody::Missing { body } else { FetchedBody::Several };
        } else if is("EMAILID") {
            fetch.email_id = tokens.list().first().copied().and_then(Token::text);
        } else if is("X-GM-MSGID") {
            fetch.gmail_id = value(&mut tokens).and_then(Token::number);
        } else if is("X-GM-LABELS") {
            fetch.gmail_labels = tokens.list().into_iter().filter_map(Token::text).collect();
        } else {
            tokens.pass_over_value();
        }
    }
}

/// The next value, if it is no list; a list is passed over.
fn value<'a>(tokens: &mut Tokens<'a>) -> Option<Token<'a>> {
    match tokens.next()? {
        Token::Open => {
            tokens.pass_over_list();
            None
        }
        token => Some(token),
    }
}

/// The flags in a list.
pub fn flags(tokens: &mut Tokens<'_>) -> Flags {
    let mut flags = Flags::NONE;
    for flag in tokens.list() {
        if let Some(name) = flag.text() {
            flags.insert(&name);
        }
    }
    flags
}

fn body<'a>(tokens: &mut Tokens<'a>) -> FetchedBody<'a> {
    match value(tokens) {
        Some(Token::Literal(Literal::Body(size))) => FetchedBody::Literal(*size),
        Some(Token::Literal(Literal::Inline(bytes))) => FetchedBody::Quoted(Cow::Borrowed(bytes)),
        Some(token @ Token::Quoted(_)) => token.bytes().map_or(FetchedBody::Nil, FetchedBody::Quoted),
        _ => FetchedBody::Nil,
    }
}

/// The UID in a FETCH response whose end has not come yet, if it came before what is still coming.
pub fn uid_so_far(text: &[u8]) -> Option<u32> {
    let mut tokens = Tokens::of_text(text);
    for _ in 0..3 {
        tokens.next()?;
    }
    parse(tokens).uid
}

#[cfg(test)]
mod tests {
    use super::super::framer::Framed;
    use super::*;

    fn read(text: &str) -> Fetch<'_> {
        parse(Tokens::of_text(text.as_bytes()))
    }

    #[test]
    fn items_in_any_order() {
        for text in [
            "(UID 7 FLAGS (\\Seen $Work) INTERNALDATE \" 1-Jan-1970 00:00:01 +0000\" RFC822.SIZE 5 MODSEQ (9) BODY[] \"x\")",
            "(BODY[] \"x\" MODSEQ (9)  RFC822.SIZE 5 INTERNALDATE \"1-Jan-1970 00:00:01 +0000\" FLAGS (\\seen $Work ) UID 7 )",
            "(ENVELOPE (\"a\" (NIL) () NIL) BODYSTRUCTURE ((\"a\" (\"b\"))) uid 7 flags (\\Seen $Work) internaldate \"01-jan-1970 00:00:01 +0000\" rfc822.size 5 modseq (9) THREADID NIL body[] \"x\")",
        ] {
            let fetch = read(text);
            assert_eq!(fetch.uid, Some(7), "{text}");
            assert_eq!(fetch.flags, Some(Flags::of(["\\Seen", "$Work"])));
            assert_eq!(fetch.internal_date, Some(ReceivedAt::utc(1)));
            assert_eq!((fetch.size, fetch.modseq), (Some(5), Some(9)));
            assert_eq!(fetch.body, FetchedBody::Quoted(Cow::Borrowed(b"x")));
        }
    }

    #[test]
    fn bodies_that_are_none() {
        assert_eq!(read("(UID 7 BODY[] NIL)").body, FetchedBody::Nil);
        assert_eq!(read("(UID 7 BODY[] )").body, FetchedBody::Nil);
        assert_eq!(read("(UID 7 BODY[] (a b) FLAGS ())").body, FetchedBody::Nil);
        assert_eq!(read("(UID 7 FLAGS (\\Seen))").body, FetchedBody::Missing);
        assert_eq!(read("(UID 7 BODY[TEXT] \"x\")").body, FetchedBody::Missing);
        assert_eq!(read("(UID 7 BODY[] \"\")").body, FetchedBody::Quoted(Cow::Borrowed(b"")));
        assert_eq!(read("(UID 7 BODY[] \"a\" BODY[] \"b\")").body, FetchedBody::Several);
    }

    #[test]
    fn flags_that_are_none_are_left_out() {
        let fetch = read("(FLAGS (\\Recent \\* [Gmail] \\Flagged) UID 1)");
        assert_eq!(fetch.flags, Some(Flags::of(["\\Flagged", "[Gmail]"])));
        assert_eq!(read("(FLAGS () UID 1)").flags, Some(Flags::NONE));
        assert_eq!(read("(FLAGS NIL UID 1)").flags, Some(Flags::NONE));
    }

    #[test]
    fn gmail_and_object_ids_are_recognised() {
        let fetch =
            read("(X-GM-MSGID 1278455344230334865 X-GM-LABELS (\\Inbox \"Meu Mundo\" &APw-) EMAILID (M6d99) UID 2)");
        assert_eq!(fetch.gmail_id, Some(1_278_455_344_230_334_865));
        assert_eq!(fetch.gmail_labels, ["\\Inbox", "Meu Mundo", "&APw-"]);
        assert_eq!((fetch.email_id.as_deref(), fetch.uid), (Some("M6d99"), Some(2)));
    }

    #[test]
    fn numbers_that_are_too_large_are_none() {
        assert_eq!(read("(UID 4294967296)").uid, None);
        assert_eq!(read("(UID 1 RFC822.SIZE 99999999999)").size, Some(99_999_999_999));
        assert_eq!(read("(UID 1 MODSEQ (1706092971947030001))").modseq, Some(1_706_092_971_947_030_001));
        assert_eq!(read("(UID 1 MODSEQ (-1))").modseq, None);
    }

    #[test]
    fn the_uid_is_known_before_the_body_came() {
        assert_eq!(uid_so_far(b"* 5 FETCH (FLAGS (\\Seen) UID 77 BODY[] "), Some(77));
        assert_eq!(uid_so_far(b"* 5 FETCH (BODY[] "), None);
        assert_eq!(uid_so_far(b"* 5"), None);
    }

    #[test]
    fn what_is_no_list_is_nothing() {
        let framed = Framed { text: b"UID 5".to_vec(), literals: vec![] };
        assert_eq!(parse(Tokens::of(&framed)).uid, None);
        assert_eq!(read("(\"UID\" 5 (UID 6) UID 8").uid, Some(8));
    }
}
