//! What servers say of mailboxes: LIST, LSUB, STATUS, NAMESPACE, QUOTA, METADATA, MYRIGHTS.

use super::token::{Token, Tokens, text_of};

/// A line of LIST or LSUB (RFC 9051 section 7.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Its attributes, as sent.
    pub attributes: Vec<String>,
    /// The character between the names of its path; none when there is no hierarchy.
    pub separator: Option<u8>,
    /// Its name as it stands on the wire.
    pub name: Vec<u8>,
}

impl ListEntry {
    /// Reads what follows `* LIST`.
    pub fn parse(mut tokens: Tokens<'_>) -> Option<Self> {
        let attributes = tokens.list().into_iter().filter_map(Token::text).collect();
        let separator = tokens.next()?.bytes().and_then(|text| text.first().copied());
        // A mailbox may be called NIL, without quotes.
        let name = match tokens.next()? {
            Token::Atom(name) => name.to_vec(),
            other => other.bytes()?.into_owned(),
        };
        Some(Self { attributes, separator, name })
    }

    /// Has it this attribute, in any case?
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|known| known.eq_ignore_ascii_case(attribute))
    }
}

/// What STATUS says of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusItems {
    /// How many messages.
    pub messages: Option<u32>,
    /// The next UID.
    pub uid_next: Option<u32>,
    /// Its UIDVALIDITY.
    pub uid_validity: Option<u32>,
    /// Its HIGHESTMODSEQ; 0 when it has none.
    pub highest_modseq: Option<u64>,
    /// How many bytes (STATUS=SIZE, RFC 8438).
    pub size: Option<u64>,
    /// Its MAILBOXID (OBJECTID, RFC 8474).
    pub mailbox_id: Option<String>,
    /// Its GUID (Dovecot's own X-GUID).
    pub guid: Option<String>,
    /// The largest message it takes (APPENDLIMIT, RFC 7889).
    pub append_limit: Option<u64>,
}

impl StatusItems {
    /// Reads what follows `* STATUS`: the name on the wire, and the items.
    pub fn parse(mut tokens: Tokens<'_>) -> Option<(Vec<u8>, Self)> {
        let name = match tokens.next()? {
            Token::Atom(name) => name.to_vec(),
            other => other.bytes()?.into_owned(),
        };
        let mut items = Self::default();
        if tokens.next()? != Token::Open {
            return None;
        }
        while let Some(Token::Atom(item)) = tokens.next() {
            let is = |known: &str| item.eq_ignore_ascii_case(known.as_bytes());
            if is("MAILBOXID") {
                items.mailbox_id = tokens.list().first().copied().and_then(Token::text).filter(|id| is_object_id(id));
                continue;
            }
            let mut ahead = tokens.clone();
            let value = ahead.next();
            let number = value.and_then(Token::number);
            tokens.pass_over_value();
            let small = number.and_then(|number| u32::try_from(number).ok());
            if is("X-GUID") {
                items.guid = value.and_then(Token::text).filter(|id| is_object_id(id));
            } else if is("MESSAGES") {
                items.messages = small;
            } else if is("UIDNEXT") {
                items.uid_next = small;
            } else if is("UIDVALIDITY") {
                items.uid_validity = small;
            } else if is("HIGHESTMODSEQ") {
                items.highest_modseq = number;
            } else if is("SIZE") {
                items.size = number;
            } else if is("APPENDLIMIT") {
                items.append_limit = number;
            }
        }
        Some((name, items))
    }
}

/// Is it an id as RFC 8474 has them? Cyrus 3.6.1 answers freed memory when MAILBOXID is asked for together with other
/// items: to be asked for alone, and looked at before it is believed.
fn is_object_id(id: &str) -> bool {
    (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// One namespace (RFC 2342): a prefix of names and the separator below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// What its names begin with.
    pub prefix: Vec<u8>,
    /// The separator of its names.
    pub separator: Option<u8>,
}

/// The namespaces of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// The person's own; the first is where new folders go.
    pub personal: Vec<Namespace>,
    /// Other people's.
    pub other: Vec<Namespace>,
    /// Everyone's.
    pub shared: Vec<Namespace>,
}

impl Namespaces {
    /// Reads what follows `* NAMESPACE`.
    pub fn parse(mut tokens: Tokens<'_>) -> Self {
        Self { personal: class(&mut tokens), other: class(&mut tokens), shared: class(&mut tokens) }
    }
}

/// One of the three lists: `NIL` or `(("INBOX." ".")("#mh/" "/" "X-PARAM" ("a" "b")))`.
fn class(tokens: &mut Tokens<'_>) -> Vec<Namespace> {
    let mut namespaces = Vec::new();
    if tokens.next() != Some(Token::Open) {
        return namespaces;
    }
    loop {
        match tokens.next() {
            Some(Token::Open) => {
                let prefix = tokens.next().and_then(Token::bytes).map(std::borrow::Cow::into_owned);
                let separator = tokens.next().and_then(Token::bytes).and_then(|text| text.first().copied());
                tokens.pass_over_list();
                if let Some(prefix) = prefix {
                    namespaces.push(Namespace { prefix, separator });
                }
            }
            Some(Token::Close) | None => return namespaces,
            Some(_) => {}
        }
    }
}

/// A resource of a quota root (RFC 9208).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaResource {
    /// STORAGE (in units of 1024 bytes), MESSAGE and others.
    pub name: String,
    /// How much is used.
    pub usage: u64,
    /// How much there may be.
    pub limit: u64,
}

/// Reads what follows `* QUOTA`: the root's name, and its resources.
pub fn quota(mut tokens: Tokens<'_>) -> Option<(String, Vec<QuotaResource>)> {
    let root = tokens.next()?.text()?;
    let words = tokens.list();
    let resources = words.chunks_exact(3).filter_map(|three| {
        Some(QuotaResource { name: three[0].text()?, usage: three[1].number()?, limit: three[2].number()? })
    });
    Some((root, resources.collect()))
}

/// Reads what follows `* QUOTAROOT`: the names of the roots of the mailbox.
pub fn quota_roots(mut tokens: Tokens<'_>) -> Vec<String> {
    let _mailbox = tokens.next();
    tokens.filter_map(Token::text).collect()
}

/// Reads what follows `* METADATA` (RFC 5464): entries with values.
pub fn metadata(mut tokens: Tokens<'_>) -> Vec<(String, String)> {
    let _mailbox = tokens.next();
    let words = tokens.list();
    words.chunks_exact(2).filter_map(|pair| Some((pair[0].text()?, pair[1].text()?))).collect()
}

/// Reads what follows `* ACL` (RFC 4314): identifiers with their rights, a letter each.
pub fn access_list(mut tokens: Tokens<'_>) -> Vec<(String, String)> {
    let _mailbox = tokens.next();
    let words: Vec<Token<'_>> = tokens.collect();
    // NIL is a name here like any other.
    let text = |token: Token<'_>| match token {
        Token::Atom(word) => Some(text_of(word)),
        other => other.text(),
    };
    words.chunks_exact(2).filter_map(|pair| Some((text(pair[0])?, text(pair[1])?))).collect()
}

/// Reads what follows `* MYRIGHTS` (RFC 4314): the rights, a letter each.
pub fn rights(mut tokens: Tokens<'_>) -> Option<String> {
    let _mailbox = tokens.next();
    tokens.next()?.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Tokens<'_> {
        Tokens::of_text(text.as_bytes())
    }

    #[test]
    fn list_lines_as_servers_write_them() {
        for (text, separator, name, attributes) in [
            (r#"(\HasNoChildren) "/" INBOX"#, Some(b'/'), "INBOX", 1),
            (r#"() "." "INBOX.a \"b\"""#, Some(b'.'), "INBOX.a \"b\"", 0),
            (r"(\Noselect) NIL #news.x", None, "#news.x", 1),
            (r#"(\HasNoChildren) "" "Folder2""#, None, "Folder2", 1),
            (r#"() "\\" a\b"#, Some(b'\\'), "a\\b", 0),
            (r#"(\NonExistent \Subscribed) "/" x ("CHILDINFO" ("SUBSCRIBED"))"#, Some(b'/'), "x", 2),
            (r#"()  "/"  NIL"#, Some(b'/'), "NIL", 0),
        ] {
            let entry = ListEntry::parse(tokens(text)).unwrap();
            assert_eq!((entry.separator, entry.name.as_slice()), (separator, name.as_bytes()), "{text}");
            assert_eq!(entry.attributes.len(), attributes, "{text}");
        }
        assert!(ListEntry::parse(tokens("(\\subscribed) \"/\" x")).unwrap().has("\\Subscribed"));
        assert_eq!(ListEntry::parse(tokens("() \"/\"")), None);
    }

    #[test]
    fn status_items_in_any_order() {
        let text = "\"a b\" (UIDNEXT 5 MESSAGES 3 SIZE 99999999999 MAILBOXID (F1) HIGHESTMODSEQ 7 X (a (b)) UIDVALIDITY 2 \
            APPENDLIMIT NIL)";
        let (name, items) = StatusItems::parse(tokens(text)).unwrap();
        assert_eq!(name, b"a b");
        assert_eq!((items.messages, items.uid_next, items.uid_validity), (Some(3), Some(5), Some(2)));
        assert_eq!(
            (items.highest_modseq, items.mailbox_id.as_deref(), items.append_limit),
            (Some(7), Some("F1"), None)
        );
        let (_, items) = StatusItems::parse(tokens("INBOX (MAILBOXID (x\u{2}V\"))")).unwrap();
        assert_eq!(items.mailbox_id, None, "freed memory is no id");
        let (_, items) = StatusItems::parse(tokens("INBOX (APPENDLIMIT 100 )")).unwrap();
        assert_eq!(items.append_limit, Some(100));
        let (_, items) =
            StatusItems::parse(tokens("INBOX (X-GUID 12345678901234567890123456789012 UIDNEXT 2)")).unwrap();
        assert_eq!((items.guid.as_deref(), items.uid_next), (Some("12345678901234567890123456789012"), Some(2)));
        assert_eq!(StatusItems::parse(tokens("INBOX")), None);
    }

    #[test]
    fn namespaces_with_extensions_and_without() {
        let text = "((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"FLAG1\" \"FLAG2\"))) NIL \
            ((\"Public Folders/\" \"/\")(\"x\" NIL))";
        let namespaces = Namespaces::parse(tokens(text));
        let prefixes = |list: &[Namespace]| list.iter().map(|n| n.prefix.clone()).collect::<Vec<_>>();
        assert_eq!(prefixes(&namespaces.personal), [&b""[..], b"#mh/"]);
        assert!(namespaces.other.is_empty());
        assert_eq!(prefixes(&namespaces.shared), [&b"Public Folders/"[..], b"x"]);
        assert_eq!(namespaces.shared[1].separator, None);
        assert_eq!(Namespaces::parse(tokens("NIL NIL NIL")), Namespaces::default());
        assert_eq!(Namespaces::parse(tokens("")), Namespaces::default());
    }

    #[test]
    fn quotas_with_and_without_resources() {
        let (root, resources) = quota(tokens("\"User quota\" (STORAGE 10 512 MESSAGE 20 100)")).unwrap();
        assert_eq!((root.as_str(), resources.len(), resources[0].limit), ("User quota", 2, 512));
        assert_eq!(quota(tokens("\"\" ()")), Some((String::new(), vec![])));
        assert_eq!(quota_roots(tokens("INBOX \"\" b")), ["", "b"]);
        assert_eq!(quota_roots(tokens("INBOX")), Vec::<String>::new());
    }

    #[test]
    fn metadata_without_a_value_is_none() {
        assert_eq!(metadata(tokens("INBOX (/a \"1\")")), [("/a".to_owned(), "1".to_owned())]);
        assert_eq!(metadata(tokens("\"\" (/a NIL)")), []);
        assert_eq!(metadata(tokens("\"\" /a")), []);
        assert_eq!(rights(tokens("INBOX lrswipkxtecda")).unwrap(), "lrswipkxtecda");
    }

    #[test]
    fn access_lists_are_pairs() {
        let pairs = |text: &str| access_list(tokens(text));
        let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned())).collect()
        };
        assert_eq!(
            pairs("\"a b\" bob lrs \"o \\\"x\\\"\" \"\" -carl w"),
            of(&[("bob", "lrs"), ("o \"x\"", ""), ("-carl", "w")])
        );
        assert_eq!(pairs("INBOX"), []);
        assert_eq!(pairs("INBOX bob"), [], "half a pair is none");
        assert_eq!(pairs("INBOX nil lr carl l"), of(&[("nil", "lr"), ("carl", "l")]));
    }
}
