//! Changing messages that are there: STORE, EXPUNGE, COPY, MOVE.

use super::{
    names,
    offer::Offer,
    parse::{Words, write_set},
    search::MessageSet,
    session::{Done, Fail, Session},
    store::FlagChange,
};

impl Session {
    pub(super) fn store_flags(&mut self, words: &mut Words<'_>, by_uid: bool) -> Done {
        words.space()?;
        let set = self.message_set(words)?;
        words.space()?;
        let mut unchanged_since = None;
        if words.take(b'(') {
            if words.keyword()? != "UNCHANGEDSINCE" || !self.offers(Offer::Condstore) {
                return Err(Fail::Bad("Unknown modifier, or not offered".to_owned()));
            }
            words.space()?;
            unchanged_since = Some(words.number()?);
            words.expect(b')')?;
            words.space()?;
            self.enabled.condstore = true;
        }
        let how = if words.take(b'+') {
            FlagChange::Add
        } else if words.take(b'-') {
            FlagChange::Take
        } else {
            FlagChange::Replace
        };
        let silent = match words.keyword()?.as_str() {
            "FLAGS" => false,
            "FLAGS.SILENT" => true,
            _ => return Err(Fail::Bad("Expected FLAGS".to_owned())),
        };
        words.space()?;
        let flags = if words.peek() == Some(b'(') {
            words.list(Words::flag)?
        } else {
            let mut flags = vec![words.flag()?];
            while words.take(b' ') {
                flags.push(words.flag()?);
            }
            flags
        };
        words.end()?;
        let flags = self.kept(&flags);
        // What others did is told first, so that what this command did is all that is new after it.
        self.tell_changes(false)?;

        let Some(mut selected) = self.selected.take() else { return Err(Fail::Bad("Nothing is selected".to_owned())) };
        let account = self.account();
        let mut lines = Vec::new();
        let mut modified = Vec::new();
        let done = (|| {
            if selected.read_only {
                return Err(Fail::No("[READ-ONLY] The mailbox is open for reading only".to_owned()));
            }
            let uids = set.of(&selected, by_uid)?;
            let mut store = account.store();
            let folder = selected.folder(&mut store)?;
            if unchanged_since.is_some() && folder.no_modseq {
                return Err(Fail::No("[NOMODSEQ] Changes are not counted here".to_owned()));
            }
            let mut missed = false;
            for uid in uids {
                let (Some(number), Some(message)) = (selected.number(uid), folder.message(uid)) else {
                    missed = true;
                    continue;
                };
                if unchanged_since.is_some_and(|modseq| message.modseq > modseq) {
                    modified.push(if by_uid { uid } else { number as u32 });
                    continue;
                }
                folder.change_flags(uid, how, &flags);
                if let Some(message) = folder.message(uid) {
                    if !silent {
                        lines.push(self.flags_line(number, message, &selected));
                    } else if self.enabled.condstore {
                        let items =
                            [format!("UID {uid}").into_bytes(), format!("MODSEQ ({})", message.modseq).into_bytes()];
                        lines.push([format!("* {number} FETCH ").as_bytes(), &self.spaced(&items)].concat());
                    }
                }
            }
            selected.knows_changes(folder);
            if missed && !by_uid {
                return Err(Fail::No("[EXPUNGEISSUED] Some of the messages are gone".to_owned()));
            }
            Ok(())
        })();
        self.selected = Some(selected);
        for line in lines {
            self.line(line);
        }
        account.changed();
        done?;
        Ok(match modified.as_slice() {
            [] => "Stored".to_owned(),
            modified => format!("[MODIFIED {}] Some were changed since", write_set(modified)),
        })
    }

    pub(super) fn expunge(&mut self, words: &mut Words<'_>, by_uid: bool) -> Done {
        let set = if by_uid {
            words.space()?;
            Some(self.message_set(words)?)
        } else {
            None
        };
        words.end()?;
        let Some(mut selected) = self.selected.take() else { return Err(Fail::Bad("Nothing is selected".to_owned())) };
        let account = self.account();
        let done = (|| {
            if selected.read_only {
                return Err(Fail::No("[READ-ONLY] The mailbox is open for reading only".to_owned()));
            }
            let mut store = account.store();
            let name = selected.name(&mut store)?;
            // Only what this session knows of: a message that came since is not removed unseen.
            let uids = match &set {
                Some(set) => set.of(&selected, true)?,
                None => selected.uids.clone(),
            };
            store.expunge(&name, |message| message.flags.has("\\Deleted") && uids.binary_search(&message.uid).is_ok());
            let folder = selected.folder(&mut store)?;
            Ok((folder.modseq, folder.no_modseq))
        })();
        self.selected = Some(selected);
        account.changed();
        let (modseq, no_modseq) = done?;
        // The EXPUNGE responses are those of any other removal.
        self.tell_changes(true)?;
        if self.enabled.condstore && !no_modseq {
            return Ok(format!("[HIGHESTMODSEQ {modseq}] Expunged"));
        }
        Ok("Expunged".to_owned())
    }

    pub(super) fn copy(&mut self, words: &mut Words<'_>, by_uid: bool, remove: bool) -> Done {
        words.space()?;
        let set: MessageSet = self.message_set(words)?;
        words.space()?;
        let target = words.folder()?;
        words.end()?;
        let Some(mut selected) = self.selected.take() else { return Err(Fail::Bad("Nothing is selected".to_owned())) };
        let account = self.account();
        let now = self.world.now();
        let done = (|| {
            if remove && selected.read_only {
                return Err(Fail::No("[READ-ONLY] The mailbox is open for reading only".to_owned()));
            }
            let uids = set.of(&selected, by_uid)?;
            let mut store = account.store();
            let target = names::normal(&target, store.separator);
            let source = selected.name(&mut store)?;
            let pairs = store.copy(&source, &uids, &target, now)?;
            if remove {
                let moved: Vec<u32> = pairs.iter().map(|(uid, _)| *uid).collect();
                store.expunge(&source, |message| moved.binary_search(&message.uid).is_ok());
            }
            Ok((store.folders.get(&target).map_or(0, |folder| folder.uid_validity), pairs))
        })();
        self.selected = Some(selected);
        account.changed();
        let (uid_validity, pairs) = done?;
        let (from, to): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
        let code = if self.offers(Offer::UidPlus) && !from.is_empty() && !self.world.config.odd.no_append_uid {
            format!("[COPYUID {uid_validity} {} {}] ", write_set(&from), write_set(&to))
        } else {
            String::new()
        };
        if !remove {
            return Ok(format!("{code}Copied"));
        }
        // RFC 6851: the client should learn the new UIDs before it hears that the old ones are gone.
        let tells_last = self.world.config.odd.copy_uid_last;
        if !code.is_empty() && !tells_last {
            self.line(format!("* OK {code}Moved"));
        }
        self.tell_changes(true)?;
        Ok(if tells_last { format!("{code}Moved") } else { "Moved".to_owned() })
    }
}
