//! SEARCH, in its old form and in that of RFC 4731, and sets of messages, which may be the result of one.

use super::{
    date::day_of_header,
    fetch::gmail_number,
    mime,
    offer::Offer,
    parse::{Bad, NumberSet, Words, write_set},
    select::Selected,
    session::{Done, Fail, Session},
    store::Message,
};

/// Keys within keys are read so deep.
const DEPTH_MAX: u32 = 100;

/// The messages a command is for.
pub(super) enum MessageSet {
    Given(NumberSet),
    /// `$`, the result of the last SEARCH that was kept.
    Saved,
}

impl MessageSet {
    /// Their UIDs.
    pub(super) fn of(&self, selected: &Selected, by_uid: bool) -> Result<Vec<u32>, Bad> {
        match self {
            Self::Given(set) => selected.chosen(set, by_uid),
            Self::Saved => Ok(selected.saved.clone()),
        }
    }
}

enum Key {
    All,
    Flag(String, bool),
    Recent,
    Before(i64),
    On(i64),
    Since(i64),
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    Header(String, String),
    Body(String),
    Text(String),
    Larger(u64),
    Smaller(u64),
    Numbers(NumberSet),
    Uids(NumberSet),
    Saved,
    Modseq(u64),
    EmailId(String),
    ThreadId(String),
    GmNumber(u64),
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Vec<Key>),
}

impl Session {
    /// A set of messages as the client writes it.
    pub(super) fn message_set(&self, words: &mut Words<'_>) -> Result<MessageSet, Fail> {
        if self.offers(Offer::SearchRes) && words.take(b'$') {
            return Ok(MessageSet::Saved);
        }
        Ok(MessageSet::Given(words.set()?))
    }

    pub(super) fn search(&mut self, words: &mut Words<'_>, by_uid: bool) -> Done {
        words.space()?;
        let mut results: Option<Vec<String>> = None;
        if words.starts_with("RETURN ") {
            words.keyword()?;
            words.space()?;
            let wanted = words.list(Words::keyword)?;
            words.space()?;
            if !self.offers(Offer::Esearch) {
                return Err(Fail::Bad("ESEARCH is not offered".to_owned()));
            }
            results = Some(if wanted.is_empty() { vec!["ALL".to_owned()] } else { wanted });
        }
        if words.starts_with("CHARSET ") {
            words.keyword()?;
            words.space()?;
            let charset = String::from_utf8_lossy(&words.astring()?).to_ascii_uppercase();
            words.space()?;
            if !matches!(charset.as_str(), "US-ASCII" | "UTF-8") {
                return Err(Fail::No("[BADCHARSET (US-ASCII UTF-8)] Unknown charset".to_owned()));
            }
        }
        let mut keys = vec![self.key(words, 0)?];
        while words.take(b' ') {
            keys.push(self.key(words, 0)?);
        }
        words.end()?;
        let with_modseq = keys.iter().any(Key::asks_for_modseq);
        self.enabled.condstore |= with_modseq;

        let Some(mut selected) = self.selected.take() else { return Err(Fail::Bad("Nothing is selected".to_owned())) };
        let found = self.found(&mut selected, &Key::And(keys));
        let answer = found.and_then(|found| self.search_answer(&mut selected, &found, results, by_uid, with_modseq));
        self.selected = Some(selected);
        let answer = answer?;
        if !answer.is_empty() {
            self.line(answer);
        }
        Ok("That is all".to_owned())
    }

    /// UIDs and change numbers of the messages that the key means.
    fn found(&self, selected: &mut Selected, key: &Key) -> Result<Vec<(u32, u64)>, Fail> {
        let account = self.account();
        let mut store = account.store();
        let folder = selected.folder(&mut store)?;
        let mut found = Vec::new();
        for (number, uid) in (1..).zip(&selected.uids) {
            if let Some(message) = folder.message(*uid)
                && key.means(message, number, selected)
            {
                found.push((*uid, message.modseq));
            }
        }
        Ok(found)
    }

    fn search_answer(
        &self,
        selected: &mut Selected,
        found: &[(u32, u64)],
        results: Option<Vec<String>>,
        by_uid: bool,
        with_modseq: bool,
    ) -> Result<String, Fail> {
        let uids: Vec<u32> = found.iter().map(|(uid, _)| *uid).collect();
        let number = |uid: &u32| if by_uid { Some(*uid) } else { selected.number(*uid).map(|number| number as u32) };
        let numbers: Vec<u32> = uids.iter().filter_map(number).collect();
        let highest = found.iter().map(|(_, modseq)| *modseq).max().filter(|_| with_modseq);
        // RFC 9051 section 6.4.4: IMAP4rev2 always answers in the new form.
        let results = results.or_else(|| self.enabled.rev2.then(|| vec!["ALL".to_owned()]));
        let Some(results) = results else {
            let list: Vec<String> = numbers.iter().map(u32::to_string).collect();
            let list = if list.is_empty() { String::new() } else { format!(" {}", list.join(" ")) };
            let modseq = highest.map_or(String::new(), |modseq| format!(" (MODSEQ {modseq})"));
            return Ok(format!("* SEARCH{list}{modseq}"));
        };
        let mut words = vec![format!("* ESEARCH (TAG \"{}\"){}", self.tag, if by_uid { " UID" } else { "" })];
        for result in &results {
            match (result.as_str(), numbers.first(), numbers.last()) {
                ("MIN", Some(first), _) => words.push(format!("MIN {first}")),
                ("MAX", _, Some(last)) => words.push(format!("MAX {last}")),
                ("ALL", Some(_), _) => words.push(format!("ALL {}", write_set(&numbers))),
                ("COUNT", ..) => words.push(format!("COUNT {}", numbers.len())),
                ("SAVE", ..) if self.offers(Offer::SearchRes) => selected.saved = kept_by_save(&uids, &results),
                ("MIN" | "MAX" | "ALL", ..) => {}
                _ => return Err(Fail::Bad(format!("Unknown result option {result}"))),
            }
        }
        words.extend(highest.map(|modseq| format!("MODSEQ {modseq}")));
        // RFC 5182: what is only kept is not told.
        Ok(if results == ["SAVE"] { String::new() } else { words.join(" ") })
    }

    fn key(&self, words: &mut Words<'_>, depth: u32) -> Result<Key, Fail> {
        if depth > DEPTH_MAX {
            return Err(Fail::Bad("Keys are nested too deep".to_owned()));
        }
        match words.peek() {
            Some(b'(') => {
                words.expect(b'(')?;
                let mut keys = vec![self.key(words, depth + 1)?];
                while words.take(b' ') {
                    keys.push(self.key(words, depth + 1)?);
                }
                words.expect(b')')?;
                return Ok(Key::And(keys));
            }
            Some(b'$') if self.offers(Offer::SearchRes) => {
                words.expect(b'$')?;
                return Ok(Key::Saved);
            }
            Some(b'0'..=b'9' | b'*') => return Ok(Key::Numbers(words.set()?)),
            _ => {}
        }
        let name = words.keyword()?;
        let flag = |name: &str, set| Ok(Key::Flag(format!("\\{name}"), set));
        match name.as_str() {
            "ALL" => return Ok(Key::All),
            "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "SEEN" => return flag(&name, true),
            "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => return flag(&name[2..], false),
            "RECENT" if !self.enabled.rev2 => return Ok(Key::Recent),
            "OLD" if !self.enabled.rev2 => return Ok(Key::Not(Box::new(Key::Recent))),
            "NEW" if !self.enabled.rev2 => {
                return Ok(Key::And(vec![Key::Recent, Key::Flag("\\Seen".to_owned(), false)]));
            }
            _ => {}
        }
        words.space()?;
        let text = |words: &mut Words<'_>| Ok::<_, Bad>(String::from_utf8_lossy(&words.astring()?).to_lowercase());
        Ok(match name.as_str() {
            "KEYWORD" => Key::Flag(words.atom()?.to_owned(), true),
            "UNKEYWORD" => Key::Flag(words.atom()?.to_owned(), false),
            "BEFORE" => Key::Before(words.day()?),
            "ON" => Key::On(words.day()?),
            "SINCE" => Key::Since(words.day()?),
            "SENTBEFORE" => Key::SentBefore(words.day()?),
            "SENTON" => Key::SentOn(words.day()?),
            "SENTSINCE" => Key::SentSince(words.day()?),
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => Key::Header(name, text(words)?),
            "HEADER" => {
                let field = text(words)?;
                words.space()?;
                Key::Header(field, text(words)?)
            }
            "BODY" => Key::Body(text(words)?),
            "TEXT" => Key::Text(text(words)?),
            "LARGER" => Key::Larger(words.number()?),
            "SMALLER" => Key::Smaller(words.number()?),
            "UID" => match self.message_set(words)? {
                MessageSet::Given(set) => Key::Uids(set),
                MessageSet::Saved => Key::Saved,
            },
            "NOT" => Key::Not(Box::new(self.key(words, depth + 1)?)),
            "OR" => {
                let one = self.key(words, depth + 1)?;
                words.space()?;
                Key::Or(Box::new(one), Box::new(self.key(words, depth + 1)?))
            }
            "MODSEQ" if self.offers(Offer::Condstore) => {
                // An entry's name and kind may stand before the number; all flags share one number here.
                if words.peek() == Some(b'"') {
                    words.quoted()?;
                    words.space()?;
                    words.keyword()?;
                    words.space()?;
                }
                Key::Modseq(words.number()?)
            }
            "EMAILID" if self.offers(Offer::ObjectId) => Key::EmailId(words.atom()?.to_owned()),
            "THREADID" if self.offers(Offer::ObjectId) => Key::ThreadId(words.atom()?.to_owned()),
            "X-GM-MSGID" | "X-GM-THRID" if self.offers(Offer::GmExt1) => Key::GmNumber(words.number()?),
            _ => return Err(Fail::Bad(format!("Unknown search key {name}"))),
        })
    }
}

/// What `$` stands for after a SEARCH: with MIN or MAX only those, unless all or their number was asked for too (RFC 5182
/// section 2.4).
fn kept_by_save(uids: &[u32], results: &[String]) -> Vec<u32> {
    let asks = |name: &str| results.iter().any(|result| result == name);
    if asks("ALL") || asks("COUNT") || !(asks("MIN") || asks("MAX")) {
        return uids.to_vec();
    }
    let min = uids.first().filter(|_| asks("MIN"));
    let max = uids.last().filter(|_| asks("MAX"));
    let mut kept: Vec<u32> = min.into_iter().chain(max).copied().collect();
    kept.dedup();
    kept
}

impl Key {
    fn asks_for_modseq(&self) -> bool {
        match self {
            Self::Modseq(_) => true,
            Self::Not(key) => key.asks_for_modseq(),
            Self::Or(one, other) => one.asks_for_modseq() || other.asks_for_modseq(),
            Self::And(keys) => keys.iter().any(Self::asks_for_modseq),
            _ => false,
        }
    }

    fn means(&self, message: &Message, number: u32, selected: &Selected) -> bool {
        let sent_on = || {
            mime::field(mime::header_of(&message.body), "Date")
                .and_then(|date| day_of_header(&String::from_utf8_lossy(&date)))
        };
        let holds = |bytes: &[u8], text: &str| String::from_utf8_lossy(bytes).to_lowercase().contains(text);
        match self {
            Self::All => true,
            Self::Flag(name, set) => message.flags.has(name) == *set,
            Self::Recent => selected.is_recent(message.uid),
            Self::Before(day) => message.date.day() < *day,
            Self::On(day) => message.date.day() == *day,
            Self::Since(day) => message.date.day() >= *day,
            Self::SentBefore(day) => sent_on().is_some_and(|sent| sent < *day),
            Self::SentOn(day) => sent_on().is_some_and(|sent| sent == *day),
            Self::SentSince(day) => sent_on().is_some_and(|sent| sent >= *day),
            Self::Header(name, text) => {
                mime::all_fields(mime::header_of(&message.body), name).iter().any(|value| holds(value, text))
            }
            Self::Body(text) => holds(&message.body[mime::header_of(&message.body).len()..], text),
            Self::Text(text) => holds(&message.body, text),
            Self::Larger(bytes) => message.body.len() as u64 > *bytes,
            Self::Smaller(bytes) => (message.body.len() as u64) < *bytes,
            Self::Numbers(set) => !set.of(&[number], selected.uids.len() as u32).is_empty(),
            Self::Uids(set) => !set.of(&[message.uid], selected.uids.last().copied().unwrap_or(0)).is_empty(),
            Self::Saved => selected.saved.binary_search(&message.uid).is_ok(),
            Self::Modseq(least) => message.modseq >= *least,
            Self::EmailId(id) => *id == format!("M{}", message.email_id),
            Self::ThreadId(id) => *id == format!("T{}", message.email_id),
            Self::GmNumber(number) => gmail_number(message.email_id) == *number,
            Self::Not(key) => !key.means(message, number, selected),
            Self::Or(one, other) => one.means(message, number, selected) || other.means(message, number, selected),
            Self::And(keys) => keys.iter().all(|key| key.means(message, number, selected)),
        }
    }
}
