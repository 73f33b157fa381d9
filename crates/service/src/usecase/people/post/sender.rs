//! Whose message is this, and how is that known?
//!
//! From is written by whoever sends a message. So the organisation's own mail server has to have found that the sender is who they say
//! they are, and to have written so: in Authentication-Results under its own name (RFC 8601), which it must remove from what comes
//! from elsewhere, or in a field of its own. What may be read in two ways is refused.

use crate::config::Trust;

/// A header longer than this is looked at no further.
const HEADER_BYTES_MAX: usize = 1 << 20;
/// Fields of a header that are looked at.
const FIELDS_MAX: usize = 2000;

/// Whose a message is, as far as that is known for certain.
pub(crate) struct Sender {
    /// The address of its sender.
    pub(crate) address: String,
    /// Its Message-ID, with its angle brackets.
    pub(crate) message_id: Option<String>,
    /// How it is known whose it is, in words.
    pub(crate) known_by: String,
    header: Header,
}

/// A message that nothing is done about: why, and what is known of whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) why: String,
    pub(crate) from: Option<String>,
    pub(crate) message_id: Option<String>,
    /// A program sent it by itself.
    pub(crate) is_automatic: bool,
}

impl Unfit {
    /// A message that was not looked into.
    pub(crate) fn unread(why: &str) -> Self {
        Self { why: why.to_owned(), from: None, message_id: None, is_automatic: false }
    }
}

/// Why nothing is done about what a program sent by itself.
const AUTOMATIC: &str = "a program sent it by itself";

/// Looks whose message it is. What a program sent by itself is nobody's.
pub(crate) fn sender(message: &[u8], trust: Trust<'_>) -> Result<Sender, Unfit> {
    let header = Header::of(message);
    let message_id = header.as_ref().and_then(|header| header.only("message-id")).map(str::to_owned);
    let from = header.as_ref().and_then(|header| header.only("from")).and_then(address);
    let is_automatic = header
        .as_ref()
        .is_some_and(|header| !trust.takes_automatic && header.is_automatic() || !trust.takes_bulk && header.is_bulk());
    let unfit = |why: &str| {
        Err(Unfit { why: why.to_owned(), from: from.clone(), message_id: message_id.clone(), is_automatic })
    };
    let Some(header) = header else { return unfit("its header is too long, or has no end") };
    // Programs answer programs for ever.
    if is_automatic {
        return unfit(AUTOMATIC);
    }
    let Some(address) = from.clone() else { return unfit("it has not exactly one sender in From") };
    if header.all("sender").any(|text| self::address(text).is_none_or(|other| !other.eq_ignore_ascii_case(&address))) {
        return unfit("somebody else sent it in the name of From");
    }
    let Some(known_by) = known_by(&header, trust, &address) else {
        return unfit("nothing shows that it is its sender's: From alone is easily forged");
    };
    Ok(Sender { address, message_id, known_by, header })
}

impl Sender {
    /// A message of theirs that nothing is done about.
    pub(crate) fn unfit(&self, why: impl Into<String>) -> Unfit {
        let (from, message_id) = (Some(self.address.clone()), self.message_id.clone());
        Unfit { why: why.into(), from, message_id, is_automatic: false }
    }

    /// The messages that it says to answer.
    pub(crate) fn answers(&self) -> Vec<String> {
        let fields = ["in-reply-to", "references"].into_iter().flat_map(|name| self.header.all(name));
        fields.flat_map(str::split_whitespace).map(str::to_owned).collect()
    }

    /// Does the header have exactly one field of this name, in small letters?
    pub(crate) fn has_one(&self, name: &str) -> bool {
        self.header.only(name).is_some()
    }
}

/// A method, the properties that say whom it is about, and whether that is the sender.
type Proof<'p> = (&'p str, &'p [&'p str], &'p dyn Fn(&str) -> bool);

/// How it is known that a message is its sender's; none: it is not.
fn known_by(header: &Header, trust: Trust<'_>, sender: &str) -> Option<String> {
    if trust.believes_from {
        return Some("From, which the project trusts (trust_from)".to_owned());
    }
    if let Some(name) = trust.verified_header {
        let verified = address(header.only(&name.to_lowercase())?)?;
        return verified.eq_ignore_ascii_case(sender).then(|| format!("{name}: {verified}"));
    }
    let own = trust.authserv_id?;
    let domain = sender.rsplit('@').next()?;
    let results: Vec<Verdict> = header
        .all("authentication-results")
        .filter_map(verdicts)
        .filter(|(id, _)| id.eq_ignore_ascii_case(own))
        .flat_map(|(_, verdicts)| verdicts)
        .collect();
    // Of each method the uppermost result counts: whatever was added later stands above.
    let first = |method: &str| results.iter().find(|verdict| verdict.method == method);
    if first("dmarc").is_some_and(|verdict| verdict.result == "fail") {
        return None;
    }
    let is_domain = |text: &str| text.rsplit('@').next().unwrap_or_default().eq_ignore_ascii_case(domain);
    let is_sender = |text: &str| text.eq_ignore_ascii_case(sender);
    let proofs: [Proof<'_>; 4] = [
        ("dmarc", &["header.from"], &is_domain),
        ("dkim", &["header.d", "header.i"], &is_domain),
        ("spf", &["smtp.mailfrom"], &is_domain),
        ("auth", &["smtp.auth"], &is_sender),
    ];
    proofs.iter().find_map(|(method, properties, is_theirs)| {
        let verdict = first(method).filter(|verdict| verdict.result == "pass")?;
        let property = verdict.properties.iter().find(|(name, _)| properties.contains(&name.as_str()))?;
        is_theirs(&property.1).then(|| format!("{own}: {method}=pass {}={}", property.0, property.1))
    })
}

/// The fields of a header, in their order, each on one line.
struct Header(Vec<(String, String)>);

impl Header {
    fn of(message: &[u8]) -> Option<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut at = 0;
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            let text = line.trim_ascii_end();
            if text.is_empty() {
                return Some(Self(fields));
            }
            if at > HEADER_BYTES_MAX || fields.len() > FIELDS_MAX {
                return None;
            }
            let text = String::from_utf8_lossy(text);
            if text.starts_with([' ', '\t']) {
                let (_, value) = fields.last_mut()?;
                value.push(' ');
                value.push_str(text.trim());
                continue;
            }
            let (name, value) = text.split_once(':')?;
            if name.is_empty() || !name.trim_end().bytes().all(|byte| byte.is_ascii_graphic()) {
                return None;
            }
            fields.push((name.trim_end().to_lowercase(), value.trim().to_owned()));
        }
        None
    }

    fn all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h str> {
        let name = name.to_owned();
        self.0.iter().filter(move |(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// Did a program send it by itself, as it says (RFC 3834)?
    fn is_automatic(&self) -> bool {
        self.all("auto-submitted").any(|text| !text.trim().eq_ignore_ascii_case("no"))
    }

    /// Is it what programs send to people: an absence notice, a bounce, mail to a list?
    fn is_bulk(&self) -> bool {
        let has = |name: &str, values: &[&str]| {
            self.all(name).any(|text| values.iter().any(|value| text.trim().eq_ignore_ascii_case(value)))
        };
        has("precedence", &["bulk", "junk", "list", "auto_reply"])
            || has("return-path", &["<>"])
            || ["x-autoreply", "x-autorespond", "list-id"].iter().any(|name| self.all(name).next().is_some())
            || self.all("content-type").any(|text| text.to_lowercase().starts_with("multipart/report"))
    }

    /// The value of a field that stands there once.
    fn only(&self, name: &str) -> Option<&str> {
        let mut all = self.all(name);
        all.next().filter(|_| all.next().is_none())
    }
}

/// The one address of a field: `hr@trust.example` or `Any Name <hr@trust.example>`. Anything else is none.
fn address(text: &str) -> Option<String> {
    let bare = without_comments(text, true)?;
    let inner = match bare.split_once('<') {
        None => bare.trim(),
        Some((before, rest)) => {
            let (inner, after) = rest.split_once('>')?;
            if before.contains(['@', ',', ';', ':', '>']) || !after.trim().is_empty() {
                return None;
            }
            inner.trim()
        }
    };
    mailer::is_address(inner).then(|| inner.to_owned())
}

/// A field's value without its comments; with `without_quoted` without what stands between quotes, too. None where one has no end.
fn without_comments(text: &str, without_quoted: bool) -> Option<String> {
    let (mut out, mut depth, mut is_quoted) = (String::new(), 0u32, false);
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' if is_quoted || depth > 0 => {
                let escaped = letters.next()?;
                if is_quoted && depth == 0 && !without_quoted {
                    out.push(escaped);
                }
            }
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.checked_sub(1)?,
            _ if depth > 0 || (is_quoted && without_quoted) => {}
            // A quoted text is a word: what parts words and results stands for itself in it, and is in none that is looked for.
            c if is_quoted && (c.is_whitespace() || c == ';' || c == '=') => out.push('_'),
            c => out.push(c),
        }
    }
    (depth == 0 && !is_quoted).then_some(out)
}

/// What a server found about a message by one method.
#[derive(Debug)]
struct Verdict {
    method: String,
    result: String,
    properties: Vec<(String, String)>,
}

/// The server that found it, and what it found (RFC 8601, section 2.2).
fn verdicts(text: &str) -> Option<(String, Vec<Verdict>)> {
    let text = without_comments(text, false)?;
    let mut pieces = text.split(';');
    let id = pieces.next()?.split_whitespace().next()?.to_owned();
    let verdict = |piece: &str| {
        // Spaces may stand around an equals sign.
        let piece = piece.replace(" =", "=").replace("= ", "=");
        let mut words = piece.split_whitespace().filter_map(|word| word.split_once('='));
        let (method, result) = words.next()?;
        let method = method.split('/').next().unwrap_or_default().to_lowercase();
        let properties = words.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Some(Verdict { method, result: result.to_lowercase(), properties })
    };
    Some((id, pieces.filter_map(verdict).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MailedEntry;

    fn mailed(more: &str) -> MailedEntry {
        let text = format!(
            "endpoint = 'post'\naccount = 'import'\nkey = {{ env = 'KEY' }}\nsenders = ['hr@trust.example']\n\
             from = 'import@trust.example'\n{more}\n[smtp]\nhost = 'localhost'\n"
        );
        toml::from_str(&text).unwrap()
    }

    fn judged(more: &str, fields: &str) -> Result<String, String> {
        let message = format!("{fields}\n\nbody\n").replace('\n', "\r\n").into_bytes();
        sender(&message, mailed(more).post().trust()).map(|sender| sender.known_by).map_err(|unfit| unfit.why)
    }

    /// The same, where no program is to write.
    fn by_a_person(fields: &str) -> Result<String, String> {
        let (message, mailed) = (format!("{fields}\r\n\r\n").into_bytes(), mailed("trust_from = true"));
        let post = mailed.post();
        let trust = Trust { takes_bulk: false, ..post.trust() };
        sender(&message, trust).map(|sender| sender.address).map_err(|unfit| unfit.why)
    }

    const OWN: &str = "authserv_id = 'mx.trust.example'";

    #[test]
    fn a_sender_is_known_by_what_the_own_server_found() {
        for (results, known) in [
            ("mx.trust.example; dmarc=pass (p=none) header.from=trust.example", true),
            ("mx.trust.example 1; spf=pass smtp.mailfrom=hr@trust.example; dkim=none", true),
            ("MX.trust.example;\n\tdkim=pass reason=\"a; b=c\"\n header.d=trust.example header.s=x", true),
            ("mx.trust.example; auth=pass smtp.auth=HR@trust.example", true),
            ("mx.trust.example; auth=pass smtp.auth=it@trust.example", false),
            ("mx.trust.example; dkim=pass header.d=elsewhere.example", false),
            ("mx.trust.example; dkim=pass header.d=not-trust.example", false),
            ("mx.trust.example; spf=fail smtp.mailfrom=trust.example", false),
            ("mx.trust.example; spf=pass smtp.mailfrom=trust.example; dmarc=fail header.from=trust.example", false),
            ("mx.trust.example; none", false),
            ("mx.elsewhere.example; dmarc=pass header.from=trust.example", false),
            ("mx.trust.example (; dmarc=pass header.from=trust.example)", false),
            ("mx.trust.example; spf=none (\"; dmarc=pass header.from=trust.example", false),
            ("mx.trust.example; spf=none reason=\"x; dmarc=pass header.from=trust.example\"", false),
        ] {
            let fields = format!("Authentication-Results: {results}\nFrom: HR <hr@trust.example>");
            assert_eq!(judged(OWN, &fields).is_ok(), known, "{results}: {:?}", judged(OWN, &fields));
        }
        // What was added later stands above, and counts.
        let forged = "Authentication-Results: mx.trust.example; dmarc=fail header.from=trust.example\n\
            Authentication-Results: mx.trust.example; dmarc=pass header.from=trust.example\nFrom: hr@trust.example";
        assert!(judged(OWN, forged).is_err());
        assert!(judged(OWN, "From: hr@trust.example").unwrap_err().contains("easily forged"));
        assert!(judged("trust_from = true", "From: hr@trust.example").unwrap().contains("trust_from"));
    }

    #[test]
    fn a_field_of_the_own_server_names_the_sender() {
        let own = "verified_header = 'X-Verified'";
        assert!(judged(own, "X-Verified: hr@trust.example\nFrom: hr@trust.example").is_ok());
        for fields in [
            "From: hr@trust.example",
            "X-Verified: it@trust.example\nFrom: hr@trust.example",
            "X-Verified: hr@trust.example\nX-Verified: hr@trust.example\nFrom: hr@trust.example",
        ] {
            assert!(judged(own, fields).is_err(), "{fields}");
        }
    }

    #[test]
    fn from_names_one_address_and_nothing_that_looks_like_another() {
        for (text, found) in [
            ("hr@trust.example", Some("hr@trust.example")),
            ("\"HR <it@x.example>, all\" <hr@trust.example>", Some("hr@trust.example")),
            ("HR (it@x.example) <hr@trust.example>", Some("hr@trust.example")),
            ("hr@trust.example <it@x.example>", None),
            ("hr@trust.example, it@x.example", None),
            ("<hr@trust.example> <it@x.example>", None),
            ("<it@x.example> hr@trust.example", None),
            ("team: hr@trust.example;", None),
            ("\"hr@trust.example", None),
            ("", None),
        ] {
            assert_eq!(address(text).as_deref(), found, "{text}");
        }
        let trusting = "trust_from = true";
        assert!(judged(trusting, "From: hr@trust.example\nFrom: it@x.example").is_err());
        assert!(judged(trusting, "From: hr@trust.example\nSender: it@x.example").is_err());
        assert!(judged(trusting, "From: hr@trust.example\nAuto-Submitted: auto-replied").is_err());
    }

    #[test]
    fn what_a_program_sent_by_itself_is_nobodys() {
        for field in [
            "Auto-Submitted: auto-generated",
            "Precedence: bulk",
            "Return-Path: <>",
            "X-Autoreply: yes",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        ] {
            let fields = format!("From: hr@trust.example\r\n{field}");
            assert_eq!(by_a_person(&fields), Err(AUTOMATIC.to_owned()), "{field}");
            // A personnel system writes in bulk.
            assert_eq!(judged("trust_from = true", &fields).is_ok(), !field.starts_with("Auto"), "{field}");
        }
        let by_hand = "From: hr@trust.example\r\nAuto-Submitted: no\r\nReturn-Path: <hr@trust.example>";
        assert!(by_a_person(by_hand).is_ok());
    }
}
