//! METADATA, QUOTA and IDLE.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    names,
    offer::Offer,
    parse::{Bad, Words, write_nstring, write_string},
    session::{Done, Fail, Session},
    store::Store,
};

/// A value may have so many bytes.
const ANNOTATION_BYTES_MAX: usize = 64 * 1024;

impl Session {
    pub(super) fn get_metadata(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let (mut most, mut depth) = (None, 0u32);
        if words.peek() == Some(b'(') {
            words.list(|words| {
                match words.keyword()?.as_str() {
                    "MAXSIZE" => {
                        words.space()?;
                        most = Some(words.number()? as usize);
                    }
                    "DEPTH" => {
                        words.space()?;
                        depth = match words.keyword()?.as_str() {
                            "0" => 0,
                            "1" => 1,
                            "INFINITY" => u32::MAX,
                            _ => return Err(Bad::new("Unknown depth")),
                        };
                    }
                    _ => return Err(Bad::new("Unknown option")),
                }
                Ok(())
            })?;
            words.space()?;
        }
        let name = words.folder()?;
        words.space()?;
        let entries = if words.peek() == Some(b'(') { words.list(|words| entry(words))? } else { vec![entry(words)?] };
        words.end()?;
        let account = self.account();
        let mut values: Vec<Vec<u8>> = Vec::new();
        let mut longest = None;
        {
            let mut store = account.store();
            let known = self.annotations(&mut store, &name)?;
            for entry in entries {
                if depth == 0 && !known.contains_key(&entry) {
                    values.push([entry.as_bytes(), b" NIL"].concat());
                }
                let below = |name: &str| {
                    let rest = name.strip_prefix(entry.as_str())?;
                    Some(rest.matches('/').count() as u32).filter(|_| rest.is_empty() || rest.starts_with('/'))
                };
                for (name, value) in known.iter().filter(|(name, _)| below(name).is_some_and(|levels| levels <= depth))
                {
                    if most.is_some_and(|most| value.len() > most) {
                        longest = longest.max(Some(value.len()));
                        continue;
                    }
                    let value = write_string(value, false);
                    // A value may hold NUL, and then only a binary literal can.
                    let tilde: &[u8] = if value.contains(&0) { b" ~" } else { b" " };
                    values.push([name.as_bytes(), tilde, value.as_slice()].concat());
                }
            }
        }
        if !values.is_empty() {
            let line = [b"* METADATA ", self.write_name(&name).as_slice(), b" ", &self.spaced(&values)].concat();
            self.line(line);
        }
        Ok(longest
            .map_or("Those are all".to_owned(), |bytes| format!("[METADATA LONGENTRIES {bytes}] Some are longer")))
    }

    pub(super) fn set_metadata(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.folder()?;
        words.space()?;
        let pairs = words.list(|words| {
            let entry = entry(words)?;
            words.space()?;
            let value = if words.at_literal() { Some(words.literal()?.0.to_vec()) } else { words.nstring()? };
            Ok((entry, value))
        })?;
        words.end()?;
        if pairs.iter().any(|(_, value)| value.as_ref().is_some_and(|value| value.len() > ANNOTATION_BYTES_MAX)) {
            return Err(Fail::No(format!("[METADATA MAXSIZE {ANNOTATION_BYTES_MAX}] Too long")));
        }
        let account = self.account();
        let mut store = account.store();
        let known = self.annotations(&mut store, &name)?;
        for (entry, value) in pairs {
            match value {
                Some(value) => known.insert(entry, Bytes::from(value)),
                None => known.remove(&entry),
            };
        }
        Ok("Set".to_owned())
    }

    /// The annotations of a folder, or of the server for an empty name.
    fn annotations<'s>(&self, store: &'s mut Store, name: &str) -> Result<&'s mut BTreeMap<String, Bytes>, Fail> {
        if name.is_empty() {
            return Ok(&mut store.annotations);
        }
        if !self.offers(Offer::Metadata) {
            return Err(Fail::No("[CANNOT] Only the server has annotations".to_owned()));
        }
        let name = names::normal(name, store.separator);
        let folder = store.folders.get_mut(&name);
        folder.map(|folder| &mut folder.annotations).ok_or(Fail::No("[NONEXISTENT] Mailbox doesn't exist".to_owned()))
    }

    pub(super) fn get_quota(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let root = words.astring()?;
        words.end()?;
        let account = self.account();
        if root != self.quota_root(&account.name).into_bytes() {
            return Err(Fail::No("[NONEXISTENT] No such quota root".to_owned()));
        }
        let line = self.quota_line(&account.store(), &account.name);
        self.line(line);
        Ok("That is all".to_owned())
    }

    pub(super) fn get_quota_root(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.folder()?;
        words.end()?;
        let account = self.account();
        let quota = {
            let store = account.store();
            if !store.folders.contains_key(&names::normal(&name, store.separator)) {
                return Err(Fail::No("[NONEXISTENT] Mailbox doesn't exist".to_owned()));
            }
            self.quota_line(&store, &account.name)
        };
        let root = write_string(self.quota_root(&account.name).as_bytes(), false);
        let line = [b"* QUOTAROOT ", self.write_name(&name).as_slice(), b" ", &root].concat();
        self.line(line);
        self.line(quota);
        Ok("That is all".to_owned())
    }

    fn quota_root(&self, person: &str) -> String {
        if self.world.config.quota_root_names_person { person.to_owned() } else { String::new() }
    }

    fn quota_line(&self, store: &Store, person: &str) -> Vec<u8> {
        let mut resources = Vec::new();
        if let Some(most) = store.bytes_max {
            resources.push(format!("STORAGE {} {}", store.bytes.div_ceil(1024), most / 1024).into_bytes());
        }
        if let Some(most) = store.messages_max {
            resources.push(format!("MESSAGE {} {most}", store.messages).into_bytes());
        }
        let root = write_nstring(Some(self.quota_root(person).as_bytes()), false);
        [b"* QUOTA ", root.as_slice(), b" ", &self.spaced(&resources)].concat()
    }

    pub(super) async fn idle(&mut self, words: &Words<'_>) -> Done {
        words.end()?;
        self.line("+ Idling");
        loop {
            self.tell_changes(true)?;
            self.wire.send().await?;
            let Some(changes) = &mut self.changes else { return Err(Fail::Over) };
            let line = tokio::select! {
                line = self.wire.line(self.world.config.line_bytes_max) => line?,
                happened = changes.changed() => {
                    // An error means that the server is stopping.
                    happened.map_err(|_| Fail::Bye("The server stops".to_owned()))?;
                    continue;
                }
            };
            let Some((line, _)) = line else { return Err(Fail::Over) };
            if line.eq_ignore_ascii_case(b"DONE") {
                return Ok("Awake again".to_owned());
            }
            return Err(Fail::Bad("Only DONE ends IDLE".to_owned()));
        }
    }
}

/// The name of an annotation, in lower case as they compare without case.
fn entry(words: &mut Words<'_>) -> Result<String, Bad> {
    let name = String::from_utf8_lossy(&words.astring()?).to_ascii_lowercase();
    let is_good = ["/private/", "/shared/"].iter().any(|root| name.starts_with(root)) && !name.ends_with('/');
    if is_good { Ok(name) } else { Err(Bad::new("An entry begins with /private/ or /shared/")) }
}
