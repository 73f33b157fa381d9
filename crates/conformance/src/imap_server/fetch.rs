//! FETCH.

use std::collections::HashMap;

use bytes::Bytes;

use super::{
    mime::{self, Decoded, Section, SectionText},
    offer::Offer,
    parse::{Bad, Words, write_set, write_string},
    search::MessageSet,
    select::Selected,
    session::{Done, Fail, Session},
    store::{FlagChange, Flags, Message, Store},
};

/// Messages that are looked at together, so that a mailbox is not held for the whole of a long answer.
const BATCH: usize = 64;

/// What a FETCH asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    Modseq,
    Envelope,
    Body,
    BodyStructure,
    Rfc822,
    Rfc822Header,
    Rfc822Text,
    Section { name: String, section: Section, partial: Option<(u64, u64)>, peek: bool },
    Binary { name: String, path: Vec<u32>, partial: Option<(u64, u64)>, peek: bool },
    BinarySize { name: String, path: Vec<u32> },
    EmailId,
    ThreadId,
    SaveDate,
    GmMsgId,
    GmThrId,
    GmLabels,
}

impl Item {
    /// Is the message read by this?
    fn reads(&self) -> bool {
        match self {
            Self::Rfc822 | Self::Rfc822Text => true,
            Self::Section { peek, .. } | Self::Binary { peek, .. } => !peek,
            _ => false,
        }
    }

    /// As the client names it, for leaving it out.
    fn name(&self) -> &str {
        match self {
            Self::Uid => "UID",
            Self::Flags => "FLAGS",
            Self::InternalDate => "INTERNALDATE",
            Self::Size => "RFC822.SIZE",
            Self::Modseq => "MODSEQ",
            Self::Envelope => "ENVELOPE",
            Self::Body => "BODY",
            Self::BodyStructure => "BODYSTRUCTURE",
            Self::Rfc822 => "RFC822",
            Self::Rfc822Header => "RFC822.HEADER",
            Self::Rfc822Text => "RFC822.TEXT",
            Self::Section { name, .. } | Self::Binary { name, .. } | Self::BinarySize { name, .. } => name,
            Self::EmailId => "EMAILID",
            Self::ThreadId => "THREADID",
            Self::SaveDate => "SAVEDATE",
            Self::GmMsgId => "X-GM-MSGID",
            Self::GmThrId => "X-GM-THRID",
            Self::GmLabels => "X-GM-LABELS",
        }
    }
}

/// A value of an answer: text, or text and a body that is sent from where it lies.
enum Value {
    Text(Vec<u8>),
    Literal { head: Vec<u8>, body: Bytes },
}

/// The labels that Gmail would show for a message, by the number that all its copies share.
type Labels = HashMap<u64, Vec<Vec<u8>>>;

impl Session {
    pub(super) async fn fetch(&mut self, words: &mut Words<'_>, by_uid: bool) -> Done {
        words.space()?;
        let set = self.message_set(words)?;
        words.space()?;
        let mut items = self.fetch_items(words)?;
        let mut changed_since = None;
        let mut vanished = false;
        if words.take(b' ') {
            words.list(|words| {
                match words.keyword()?.as_str() {
                    "CHANGEDSINCE" => {
                        words.space()?;
                        changed_since = Some(words.number()?);
                    }
                    "VANISHED" => vanished = true,
                    _ => return Err(Bad::new("Unknown modifier")),
                }
                Ok(())
            })?;
        }
        words.end()?;
        if changed_since.is_some() || items.contains(&Item::Modseq) {
            if !self.offers(Offer::Condstore) {
                return Err(Fail::Bad("CONDSTORE is not offered".to_owned()));
            }
            self.enabled.condstore = true;
        }
        if vanished && !(by_uid && changed_since.is_some() && self.enabled.qresync) {
            return Err(Fail::Bad("VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC".to_owned()));
        }
        if by_uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        if changed_since.is_some() && !items.contains(&Item::Modseq) {
            items.push(Item::Modseq);
        }
        let Some(mut selected) = self.selected.take() else { return Err(Fail::Bad("Nothing is selected".to_owned())) };
        let done = self.fetch_from(&mut selected, &set, &items, by_uid, changed_since, vanished).await;
        self.selected = Some(selected);
        done
    }

    async fn fetch_from(
        &mut self,
        selected: &mut Selected,
        set: &MessageSet,
        items: &[Item],
        by_uid: bool,
        changed_since: Option<u64>,
        vanished: bool,
    ) -> Done {
        let account = self.account();
        let (mut uids, labels, gone) = {
            let mut store = account.store();
            let mut uids = set.of(selected, by_uid)?;
            let labels = if items.contains(&Item::GmLabels) { labels_of(&store) } else { Labels::new() };
            let folder = selected.folder(&mut store)?;
            let gone = match (changed_since, set) {
                (Some(modseq), MessageSet::Given(set)) if vanished => self.gone_since(folder, modseq, Some(set)),
                _ => Vec::new(),
            };
            if let Some(modseq) = changed_since {
                uids.retain(|uid| folder.message(*uid).is_some_and(|message| message.modseq > modseq));
            }
            (uids, labels, gone)
        };
        if !gone.is_empty() {
            self.line(format!("* VANISHED (EARLIER) {}", write_set(&gone)));
        }
        uids.retain(|uid| !self.world.config.odd.missing_messages.contains(uid));
        let mut missed = false;
        let one_by_one = self.world.config.odd.meanwhile.is_some() || self.world.config.odd.updates_during_fetch;
        for batch in uids.chunks(if one_by_one { 1 } else { BATCH }) {
            let (answers, all_there) = self.answers(selected, batch, items, &labels, by_uid)?;
            missed |= !all_there;
            for values in answers {
                self.send_values(values).await?;
            }
            if one_by_one {
                self.let_things_happen(selected, batch[0], by_uid)?;
            }
        }
        // A message that another session removed has a number here still, but no content (RFC 2180).
        if missed && !by_uid {
            return Err(Fail::No("[EXPUNGEISSUED] Some of the messages are gone".to_owned()));
        }
        Ok("That is all".to_owned())
    }

    /// The answers for the messages that are there, and whether all are, marking them as read where that was asked for.
    fn answers(
        &mut self,
        selected: &mut Selected,
        uids: &[u32],
        items: &[Item],
        labels: &Labels,
        by_uid: bool,
    ) -> Result<(Vec<Vec<Value>>, bool), Fail> {
        let account = self.account();
        let reads = items.iter().any(Item::reads) && !selected.read_only;
        let mut answers = Vec::with_capacity(uids.len());
        let (mut any_read, mut all_there) = (false, true);
        let mut store = account.store();
        let folder = selected.folder(&mut store)?;
        for uid in uids {
            let (Some(number), true) = (selected.number(*uid), folder.message(*uid).is_some()) else {
                all_there = false;
                continue;
            };
            let up_to_date = selected.knows(folder);
            let newly_read = reads && folder.change_flags(*uid, FlagChange::Add, &Flags::of(&["\\Seen"]));
            any_read |= newly_read;
            let Some(message) = folder.message(*uid) else { continue };
            let mut values: Vec<(&str, Value)> = Vec::new();
            for item in items {
                values.push((item.name(), self.value(item, message, selected, labels)?));
            }
            // What reading changed is told with what was read.
            if newly_read && !items.contains(&Item::Flags) {
                values.push(("FLAGS", self.value(&Item::Flags, message, selected, labels)?));
            }
            if newly_read && self.enabled.condstore && !items.contains(&Item::Modseq) {
                values.push(("MODSEQ", self.value(&Item::Modseq, message, selected, labels)?));
            }
            if up_to_date {
                selected.knows_changes(folder);
            }
            let missing = &self.world.config.odd.missing_items;
            values.retain(|(name, _)| !missing.iter().any(|item| item.eq_ignore_ascii_case(name)));
            let mut values: Vec<Value> = values.into_iter().map(|(_, value)| value).collect();
            self.put_in_order(&mut values);
            values.insert(0, Value::Text(format!("* {number} FETCH (").into_bytes()));
            answers.push(values);
            if self.world.config.odd.unsolicited_flags {
                let flags = self.value(&Item::Flags, message, selected, labels)?;
                let uid = Value::Text(format!("UID {uid}").into_bytes());
                let head = Value::Text(format!("* {number} FETCH (").into_bytes());
                answers.push(if by_uid { vec![head, uid, flags] } else { vec![head, flags] });
            }
        }
        drop(store);
        if any_read {
            account.changed();
        }
        Ok((answers, all_there))
    }

    async fn send_values(&mut self, values: Vec<Value>) -> Result<(), Fail> {
        let extra = self.world.config.odd.extra_spaces;
        for (place, value) in values.into_iter().enumerate() {
            if place > 1 {
                self.wire.put(if extra { b"  " } else { b" " });
            }
            match value {
                Value::Text(text) => self.wire.put(&text),
                Value::Literal { head, body } => {
                    self.wire.put(&head);
                    self.wire.body(&body).await?;
                }
            }
        }
        self.wire.put(if extra { b" )" } else { b")" });
        self.wire.put(self.line_end());
        Ok(self.wire.send_if_much().await?)
    }

    /// Lets the test change the mailbox, and tells of it at once where this server does.
    fn let_things_happen(&mut self, selected: &mut Selected, uid: u32, by_uid: bool) -> Result<(), Fail> {
        if let (Some(deed), Some(person)) = (self.world.config.odd.meanwhile.clone(), self.person()) {
            deed(&person, uid);
        }
        if self.world.config.odd.updates_during_fetch {
            // The usual way reads it from the session, where it is not while it is being fetched from.
            let taken = std::mem::replace(selected, Selected::none());
            self.selected = Some(taken);
            let told = self.tell_changes(by_uid);
            if let Some(taken) = self.selected.take() {
                *selected = taken;
            }
            told?;
        }
        Ok(())
    }

    fn value(&self, item: &Item, message: &Message, selected: &Selected, labels: &Labels) -> Result<Value, Fail> {
        let body = &message.body;
        let named = |value: &[u8]| Value::Text([item.name().as_bytes(), b" ", value].concat());
        Ok(match item {
            Item::Uid => named(message.uid.to_string().as_bytes()),
            Item::Flags => named(&self.write_flags(message, selected.is_recent(message.uid))),
            Item::InternalDate => {
                let date = message.date.internal();
                let date = if self.world.config.odd.unpadded_days { date.trim_start() } else { &date };
                named(format!("\"{date}\"").as_bytes())
            }
            Item::Size => named((body.len() as i64 + self.world.config.odd.size_error).max(0).to_string().as_bytes()),
            Item::Modseq => named(format!("({})", message.modseq).as_bytes()),
            Item::Envelope => named(&mime::envelope(mime::header_of(body))),
            Item::Body => named(&mime::structure(body, false)),
            Item::BodyStructure => named(&mime::structure(body, true)),
            Item::Rfc822 => self.body_value("RFC822", message, Some(body.clone()), None),
            Item::Rfc822Header => {
                self.body_value("RFC822.HEADER", message, Some(body.slice_ref(mime::header_of(body))), None)
            }
            Item::Rfc822Text => {
                let text = body.slice(mime::header_of(body).len()..);
                self.body_value("RFC822.TEXT", message, Some(text), None)
            }
            Item::Section { name, section, partial, .. } => {
                let bytes = match mime::section(body, section) {
                    Some(std::borrow::Cow::Borrowed(part)) => Some(body.slice_ref(part)),
                    Some(std::borrow::Cow::Owned(part)) => Some(Bytes::from(part)),
                    None => None,
                };
                self.body_value(name, message, bytes, *partial)
            }
            Item::Binary { name, path, partial, .. } => {
                let bytes = match mime::decoded(body, path) {
                    Decoded::Bytes(bytes) => Some(Bytes::from(bytes)),
                    Decoded::NoPart => None,
                    Decoded::Unknown => return Err(Fail::No("[UNKNOWN-CTE] That encoding is not known".to_owned())),
                };
                self.body_value(name, message, bytes, *partial)
            }
            Item::BinarySize { path, .. } => {
                let bytes = match mime::decoded(body, path) {
                    Decoded::Bytes(bytes) => bytes.len(),
                    Decoded::NoPart | Decoded::Unknown => 0,
                };
                named(bytes.to_string().as_bytes())
            }
            Item::EmailId => named(format!("(M{})", message.email_id).as_bytes()),
            Item::ThreadId => named(format!("(T{})", message.email_id).as_bytes()),
            Item::SaveDate => named(format!("\"{}\"", super::date::Date::utc(message.saved).internal()).as_bytes()),
            Item::GmMsgId | Item::GmThrId => named(gmail_number(message.email_id).to_string().as_bytes()),
            Item::GmLabels => named(&self.spaced(labels.get(&message.email_id).map_or(&[], Vec::as_slice))),
        })
    }

    /// A body, or the part of it that was asked for, in the way this server sends bodies.
    fn body_value(&self, name: &str, message: &Message, bytes: Option<Bytes>, partial: Option<(u64, u64)>) -> Value {
        let odd = &self.world.config.odd;
        let origin = partial.map_or(String::new(), |(from, _)| format!("<{from}>"));
        let text = |value: &[u8]| Value::Text([name.as_bytes(), origin.as_bytes(), b" ", value].concat());
        let Some(bytes) = bytes.filter(|_| !odd.nil_bodies.contains(&message.uid)) else { return text(b"NIL") };
        if odd.empty_bodies.contains(&message.uid) {
            return text(b"\"\"");
        }
        let bytes = match partial {
            None => bytes,
            Some((from, length)) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
                bytes.slice(from..to)
            }
        };
        if odd.quoted_bodies {
            let quoted = write_string(&bytes, false);
            if quoted.starts_with(b"\"") {
                return text(&quoted);
            }
        }
        // NUL can't be in an ordinary literal (RFC 3516).
        let binary = if memchr::memchr(0, &bytes).is_some() && name.starts_with("BINARY") { "~" } else { "" };
        let head = format!("{name}{origin} {binary}{{{}}}", bytes.len());
        let head = [head.as_bytes(), self.line_end()].concat();
        Value::Literal { head, body: bytes }
    }

    /// The flags of a message as FLAGS has them.
    pub(super) fn write_flags(&self, message: &Message, recent: bool) -> Vec<u8> {
        let mut flags: Vec<Vec<u8>> = message.flags.names().map(|name| name.as_bytes().to_vec()).collect();
        if self.world.config.odd.always_recent || recent && !self.enabled.rev2 {
            flags.push(b"\\Recent".to_vec());
        }
        flags.extend(self.world.config.odd.strange_flags.iter().map(|name| name.clone().into_bytes()));
        self.spaced(&flags)
    }

    /// A FETCH that tells a message's flags, because they changed.
    pub(super) fn flags_line(&self, number: usize, message: &Message, selected: &Selected) -> Vec<u8> {
        let flags = self.write_flags(message, selected.is_recent(message.uid));
        let mut items = vec![[b"FLAGS ", flags.as_slice()].concat()];
        // RFC 7162: with QRESYNC the UID is always told, with CONDSTORE the number of the change.
        if self.enabled.qresync || self.offers(Offer::UidPlus) {
            items.insert(0, format!("UID {}", message.uid).into_bytes());
        }
        if self.enabled.condstore {
            items.push(format!("MODSEQ ({})", message.modseq).into_bytes());
        }
        [format!("* {number} FETCH ").into_bytes(), self.spaced(&items)].concat()
    }

    fn fetch_items(&self, words: &mut Words<'_>) -> Result<Vec<Item>, Fail> {
        if words.peek() == Some(b'(') {
            let lists = words.list(|words| self.fetch_item(words))?;
            return Ok(lists.into_iter().flatten().collect());
        }
        Ok(self.fetch_item(words)?)
    }

    /// One item, or those that a macro stands for.
    fn fetch_item(&self, words: &mut Words<'_>) -> Result<Vec<Item>, Bad> {
        let name = words.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))?;
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        let offered = |offer| if self.offers(offer) { Ok(()) } else { Err(Bad(format!("{name} is not offered"))) };
        let rev1 = || if self.enabled.rev2 { Err(Bad(format!("{name} is not of IMAP4rev2"))) } else { Ok(()) };
        Ok(vec![match name.as_str() {
            "ALL" => return Ok(vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope]),
            "FAST" => return Ok(vec![Item::Flags, Item::InternalDate, Item::Size]),
            "FULL" => return Ok(vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope, Item::Body]),
            "UID" => Item::Uid,
            "FLAGS" => Item::Flags,
            "INTERNALDATE" => Item::InternalDate,
            "RFC822.SIZE" => Item::Size,
            "ENVELOPE" => Item::Envelope,
            "BODYSTRUCTURE" => Item::BodyStructure,
            "RFC822" => rev1().map(|()| Item::Rfc822)?,
            "RFC822.HEADER" => rev1().map(|()| Item::Rfc822Header)?,
            "RFC822.TEXT" => rev1().map(|()| Item::Rfc822Text)?,
            "MODSEQ" => offered(Offer::Condstore).map(|()| Item::Modseq)?,
            "EMAILID" => offered(Offer::ObjectId).map(|()| Item::EmailId)?,
            "THREADID" => offered(Offer::ObjectId).map(|()| Item::ThreadId)?,
            "SAVEDATE" => offered(Offer::SaveDate).map(|()| Item::SaveDate)?,
            "X-GM-MSGID" => offered(Offer::GmExt1).map(|()| Item::GmMsgId)?,
            "X-GM-THRID" => offered(Offer::GmExt1).map(|()| Item::GmThrId)?,
            "X-GM-LABELS" => offered(Offer::GmExt1).map(|()| Item::GmLabels)?,
            "BODY" if words.peek() != Some(b'[') => Item::Body,
            "BODY" | "BODY.PEEK" => {
                let (written, section) = section(words)?;
                let peek = name == "BODY.PEEK";
                Item::Section { name: format!("BODY[{written}]"), section, partial: partial(words)?, peek }
            }
            "BINARY" | "BINARY.PEEK" | "BINARY.SIZE" => {
                offered(Offer::Binary)?;
                let (path_name, section) = section(words)?;
                if section.text != SectionText::All {
                    return Err(Bad::new("BINARY takes part numbers only"));
                }
                let path = section.path;
                if name == "BINARY.SIZE" {
                    Item::BinarySize { name: format!("BINARY.SIZE[{path_name}]"), path }
                } else {
                    let peek = name == "BINARY.PEEK";
                    Item::Binary { name: format!("BINARY[{path_name}]"), path, partial: partial(words)?, peek }
                }
            }
            _ => return Err(Bad(format!("Unknown item {name}"))),
        }])
    }
}

/// `[…]`: as it is written in the answer, and what it means.
fn section(words: &mut Words<'_>) -> Result<(String, Section), Bad> {
    words.expect(b'[')?;
    let mut section = Section::default();
    let mut written = String::new();
    while words.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        let number = words.number()?;
        section.path.push(u32::try_from(number).ok().filter(|n| *n > 0).ok_or(Bad::new("Invalid part number"))?);
        written.push_str(&number.to_string());
        if words.take(b'.') {
            written.push('.');
        } else {
            break;
        }
    }
    if words.take(b']') {
        return Ok((written, section));
    }
    let text = words.keyword()?;
    written.push_str(&text);
    section.text = match text.as_str() {
        "HEADER" => SectionText::Header,
        "TEXT" => SectionText::Text,
        "MIME" if !section.path.is_empty() => SectionText::Mime,
        "HEADER.FIELDS" | "HEADER.FIELDS.NOT" => {
            words.space()?;
            let names = words.list(Words::astring)?;
            let names: Vec<String> = names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            written = format!("{written} ({})", names.join(" "));
            if text == "HEADER.FIELDS" { SectionText::Fields(names) } else { SectionText::FieldsNot(names) }
        }
        _ => return Err(Bad::new("Unknown section")),
    };
    words.expect(b']')?;
    Ok((written, section))
}

/// `<from.length>`.
fn partial(words: &mut Words<'_>) -> Result<Option<(u64, u64)>, Bad> {
    if !words.take(b'<') {
        return Ok(None);
    }
    let from = words.number()?;
    words.expect(b'.')?;
    let length = words.number()?;
    words.expect(b'>')?;
    if length == 0 { Err(Bad::new("A part of nothing")) } else { Ok(Some((from, length))) }
}

/// The labels of every message: the folders that its copies are in, as Gmail names them.
fn labels_of(store: &Store) -> Labels {
    let mut labels = Labels::new();
    for (name, folder) in &store.folders {
        let special = folder.special_use.iter().find(|use_| !use_.eq_ignore_ascii_case("\\All"));
        let is_all = folder.special_use.iter().any(|use_| use_.eq_ignore_ascii_case("\\All"));
        let label = match special {
            _ if is_all => continue,
            _ if name == "INBOX" => b"\\Inbox".to_vec(),
            Some(special) => special.clone().into_bytes(),
            None => write_string(super::names::encode(name).as_bytes(), false),
        };
        for message in &folder.messages {
            labels.entry(message.email_id).or_default().push(label.clone());
        }
    }
    labels
}

/// Gmail's numbers are of 64 bits and look it.
pub(super) fn gmail_number(email_id: u64) -> u64 {
    1_278_455_344_230_334_865 + email_id
}
