//! What is asked right after a login, all in one flight: who the server is, which extensions to switch on, where the
//! person's folders are, and everything that may tell whose store this is.

use connector::Error;

use super::connect::Line;
use super::identity::Marks;
use crate::map::names::Names;
use crate::map::refusal;
use crate::wire::command::Command;
use crate::wire::mailbox::{ListEntry, Namespaces, StatusItems, metadata, quota_roots, rights};
use crate::wire::response::{Completion, Response};
use crate::wire::token::{Token, text_of};

/// The name of Cyrus's annotation that tells a mailbox from every other.
const UNIQUE_ID: &str = "/shared/vendor/cmu/cyrus-imapd/uniqueid";

/// What was learnt after a login.
pub(crate) struct Introduction {
    /// The server's name and version, as it says itself (ID).
    pub(crate) server: Option<String>,
    /// Extensions that are switched on.
    pub(crate) enabled: Vec<String>,
    pub(crate) names: Names,
    /// Whether INBOX is there; if not, what the server says.
    pub(crate) inbox: Result<(), Completion>,
    /// The largest message that INBOX takes.
    pub(crate) append_limit: Option<u64>,
    pub(crate) marks: Marks,
    /// The rights to INBOX (ACL, RFC 4314).
    pub(crate) rights: Option<String>,
}

/// What a command of the flight asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Id,
    Enable,
    Namespace,
    Separator,
    Inbox,
    MailboxId,
    AppendLimit,
    UniqueId,
    Quota,
    Rights,
}

/// The commands, as far as the server offers what they ask for.
fn flight(line: &Line) -> Vec<(Asked, Command)> {
    let has = |capability: &str| line.capabilities.has(capability);
    let mut flight = Vec::new();
    if has("ID") {
        let version = env!("CARGO_PKG_VERSION");
        let words = format!("(\"name\" \"whimbrel\" \"version\" \"{version}\")");
        flight.push((Asked::Id, Command::new("ID").words(words)));
    }
    if has("ENABLE") {
        let mut extensions = Vec::new();
        if has("QRESYNC") {
            extensions.push("QRESYNC");
        } else if has("CONDSTORE") {
            extensions.push("CONDSTORE");
        }
        // With UTF8=ACCEPT a server hands out messages with UTF-8 in their headers as they are; without it, it may hand
        // out a rewritten stand-in (RFC 6855 section 7), and must refuse to take them (section 4).
        if has("UTF8=ACCEPT") || has("UTF8=ONLY") {
            extensions.push("UTF8=ACCEPT");
        }
        if !extensions.is_empty() {
            flight.push((Asked::Enable, Command::new("ENABLE").words(extensions.join(" "))));
        }
    }
    if has("NAMESPACE") {
        flight.push((Asked::Namespace, Command::new("NAMESPACE")));
    } else {
        flight.push((Asked::Separator, Command::new("LIST").quoted(b"").quoted(b"")));
    }
    let status = |items: &str| Command::new("STATUS INBOX").words(format!("({items})"));
    flight.push((Asked::Inbox, status("MESSAGES UIDNEXT UIDVALIDITY")));
    // Each alone: a server that does not know one of them refuses the whole command, and Cyrus mixes them up.
    if has("OBJECTID") {
        flight.push((Asked::MailboxId, status("MAILBOXID")));
    }
    if has("APPENDLIMIT") {
        flight.push((Asked::AppendLimit, status("APPENDLIMIT")));
    }
    if has("METADATA") {
        flight.push((Asked::UniqueId, Command::new("GETMETADATA INBOX").words(UNIQUE_ID)));
    }
    if has("QUOTA") {
        flight.push((Asked::Quota, Command::new("GETQUOTAROOT INBOX")));
    }
    if has("ACL") {
        flight.push((Asked::Rights, Command::new("MYRIGHTS INBOX")));
    }
    flight
}

/// Asks all of it. What is refused is not known, and that is no failure.
pub(crate) async fn introduce(line: &mut Line) -> Result<Introduction, Error> {
    let (asked, commands): (Vec<Asked>, Vec<Command>) = flight(line).into_iter().unzip();
    let mut server = None;
    let mut enabled = Vec::new();
    let mut namespaces = Namespaces::default();
    let mut separator = None;
    let mut append_limit = None;
    let mut marks = Marks::default();
    let mut my_rights = None;
    let on = |_: usize, response: &Response<'_>| {
        if let Some(tokens) = response.data("ID") {
            server = server_name(tokens);
        } else if let Some(tokens) = response.data("ENABLED") {
            enabled.extend(tokens.filter_map(Token::text).map(|word| word.to_ascii_uppercase()));
        } else if let Some(tokens) = response.data("NAMESPACE") {
            namespaces = Namespaces::parse(tokens);
        } else if let Some(tokens) = response.data("LIST") {
            separator = ListEntry::parse(tokens).and_then(|entry| entry.separator).or(separator);
        } else if let Some(tokens) = response.data("STATUS") {
            if let Some((_, items)) = StatusItems::parse(tokens) {
                append_limit = items.append_limit.or(append_limit);
                marks.mailbox_id = items.mailbox_id.or(marks.mailbox_id.take());
            }
        } else if let Some(tokens) = response.data("METADATA") {
            let is_ours = |(name, _): &(String, String)| name.eq_ignore_ascii_case(UNIQUE_ID);
            marks.unique_id = metadata(tokens).into_iter().find(is_ours).map(|(_, value)| value);
        } else if let Some(tokens) = response.data("QUOTAROOT") {
            marks.quota_roots = quota_roots(tokens);
        } else if let Some(tokens) = response.data("MYRIGHTS") {
            my_rights = rights(tokens);
        }
    };
    let completions = line.connection.run_all(&commands, on).await.map_err(refusal::broken)?;
    let refused = |wanted: Asked| {
        let place = asked.iter().position(|asked| *asked == wanted);
        place.map(|place| &completions[place]).filter(|completion| !completion.is_ok())
    };
    let inbox = refused(Asked::Inbox).map_or(Ok(()), |completion| Err(completion.clone()));
    if marks.store_id().is_none() && server.as_ref().is_some_and(|server| server.starts_with("Dovecot")) {
        marks.guid = guid(line).await?;
    }
    let own = namespaces.personal.first();
    marks.home = own.map(|namespace| text_of(&namespace.prefix)).filter(|prefix| !prefix.is_empty());
    if let Some(own) = own {
        separator = own.separator;
    }
    let utf8 = enabled.iter().any(|word| word.starts_with("UTF8=")) || line.capabilities.has_utf8_names();
    let names = Names::new(namespaces, separator, utf8);
    Ok(Introduction { server, enabled, names, inbox, append_limit, marks, rights: my_rights })
}

/// The GUID of INBOX. Asked only of Dovecot, whose own word it is: it has no MAILBOXID before version 2.4.
async fn guid(line: &mut Line) -> Result<Option<String>, Error> {
    let mut guid = None;
    let on = |response: &Response<'_>| {
        if let Some((_, items)) = response.data("STATUS").and_then(StatusItems::parse) {
            guid = items.guid;
        }
    };
    line.connection.run(&Command::new("STATUS INBOX").words("(X-GUID)"), on).await.map_err(refusal::broken)?;
    Ok(guid)
}

/// Name and version out of what follows `* ID`.
fn server_name(mut tokens: crate::wire::token::Tokens<'_>) -> Option<String> {
    let words = tokens.list();
    let value = |wanted: &str| {
        let mut pairs = words.chunks_exact(2);
        pairs.find(|pair| pair[0].text().is_some_and(|name| name.eq_ignore_ascii_case(wanted)))?[1].text()
    };
    let name = value("name")?;
    Some(match value("version") {
        Some(version) => format!("{name} {version}"),
        None => name,
    })
}
