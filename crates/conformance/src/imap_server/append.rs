//! APPEND, of one message or of many (RFC 3502).

use super::{
    date::Date,
    names,
    odd::Refused,
    offer::Offer,
    parse::{Words, write_set},
    session::{Done, Fail, Session},
    store::{Flags, NewMessage},
};

impl Session {
    /// Why a message of this size is not taken, told before it is sent where the client waits for that. The tagged answer.
    pub(super) fn refuses_size(&self, bytes: u64) -> Option<String> {
        let config = &self.world.config;
        if self.offers(Offer::AppendLimit) && config.append_limit.is_some_and(|most| bytes > most) {
            return Some("NO [TOOBIG] Message is larger than APPENDLIMIT".to_owned());
        }
        if let Some(account) = &self.account
            && !account.store().has_room(bytes, 1)
        {
            return Some("NO [OVERQUOTA] Quota exceeded".to_owned());
        }
        let refusal = |refused: &Refused| matches!(refused, Refused::LargerThan(most) if bytes > *most);
        config.refusals.iter().find(|refused| refusal(&refused.of)).map(|refused| refused.answer.clone())
    }

    pub(super) fn append(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.folder()?;
        let mut messages = Vec::new();
        loop {
            words.space()?;
            messages.push(self.new_message(words)?);
            if words.peek().is_none() {
                break;
            }
        }
        words.end()?;
        if messages.len() > 1 && !self.offers(Offer::MultiAppend) {
            return Err(Fail::Bad("MULTIAPPEND is not offered".to_owned()));
        }
        if messages.iter().any(|message| message.body.is_empty()) {
            // RFC 3502: so a client takes back what it has begun.
            return Err(Fail::No("Nothing is appended when a message is empty".to_owned()));
        }
        let refused = |message: &NewMessage| {
            let mut refusals = self.world.config.refusals.iter();
            refusals.find(|refusal| refusal.of.meets(&message.body)).map(|refusal| refusal.answer.clone())
        };
        if let Some(answer) = messages.iter().find_map(refused) {
            return Err(match answer.strip_prefix("NO ") {
                Some(text) => Fail::No(text.to_owned()),
                None => Fail::No(answer),
            });
        }
        let account = self.account();
        let now = self.world.now();
        let (uid_validity, uids) = {
            let mut store = account.store();
            let name = names::normal(&name, store.separator);
            let uids = store.append(&name, messages, now)?;
            (store.folders.get(&name).map_or(0, |folder| folder.uid_validity), uids)
        };
        account.changed();
        if self.offers(Offer::UidPlus) && !self.world.config.odd.no_append_uid {
            return Ok(format!("[APPENDUID {uid_validity} {}] Appended", write_set(&uids)));
        }
        Ok("Appended".to_owned())
    }

    fn new_message(&self, words: &mut Words<'_>) -> Result<NewMessage, Fail> {
        let mut flags = Vec::new();
        if words.peek() == Some(b'(') {
            flags = words.list(Words::flag)?;
            words.space()?;
        }
        let mut date = Date::utc(self.world.now());
        if words.peek() == Some(b'"') {
            date = words.date_time()?;
            words.space()?;
        }
        let in_utf8 = !words.at_literal();
        if in_utf8 {
            // RFC 6855: UTF8 (~{n} …)
            if words.keyword()? != "UTF8" || !self.enabled.utf8 {
                return Err(Fail::Bad("Expected a message".to_owned()));
            }
            words.space()?;
            words.expect(b'(')?;
        }
        let (body, binary) = words.literal()?;
        if in_utf8 {
            words.expect(b')')?;
        }
        if in_utf8 && !binary || binary && !in_utf8 && !self.offers(Offer::Binary) {
            return Err(Fail::Bad("Not the kind of literal that this takes".to_owned()));
        }
        if !binary && memchr::memchr(0, &body).is_some() {
            return Err(Fail::Bad("NUL is for binary literals".to_owned()));
        }
        Ok(NewMessage { flags: self.kept(&flags), date, body })
    }

    /// The flags that this server keeps; others are dropped without a word.
    pub(super) fn kept(&self, flags: &[String]) -> Flags {
        let is_kept = |name: &&String| {
            let kept = self.world.config.keywords_kept.as_ref();
            name.starts_with('\\') || kept.is_none_or(|kept| kept.iter().any(|known| known.eq_ignore_ascii_case(name)))
        };
        Flags::of(&flags.iter().filter(is_kept).collect::<Vec<_>>())
    }
}
