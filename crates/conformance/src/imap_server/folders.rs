//! Folders: LIST and its kin, STATUS, CREATE, DELETE, RENAME, SUBSCRIBE, NAMESPACE.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    names,
    odd::Order,
    offer::Offer,
    parse::{Bad, Words, write_string},
    select::has_children_attribute,
    session::{Done, Fail, Session},
    store::{Folder, Store},
};

/// What a LIST asks for beyond names.
#[derive(Default)]
struct ListOptions {
    /// Parentheses or RETURN were used, so it is a LIST of RFC 5258.
    extended: bool,
    only_subscribed: bool,
    only_special_use: bool,
    recursive: bool,
    show_subscribed: bool,
    show_children: bool,
    show_special_use: bool,
    status: Vec<String>,
}

impl Session {
    pub(super) fn namespace(&mut self, words: &Words<'_>) -> Done {
        words.end()?;
        let config = &self.world.config;
        let write = |namespaces: &[(String, Option<char>)]| {
            if namespaces.is_empty() {
                return "NIL".to_owned();
            }
            let each = namespaces.iter().map(|(prefix, separator)| {
                let prefix = String::from_utf8_lossy(&self.write_name(prefix)).into_owned();
                format!("({prefix} {})", write_separator(*separator))
            });
            format!("({})", each.collect::<String>())
        };
        let personal = write(&[(config.personal_prefix.clone(), config.separator)]);
        let line =
            format!("* NAMESPACE {personal} {} {}", write(&config.others_namespaces), write(&config.shared_namespaces));
        self.line(line);
        Ok("Those are all".to_owned())
    }

    pub(super) fn list(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let mut options = ListOptions::default();
        if words.peek() == Some(b'(') {
            options.extended = true;
            words.list(|words| self.selection_option(words, &mut options))?;
            words.space()?;
        }
        let reference = words.folder()?;
        words.space()?;
        let patterns = if words.peek() == Some(b'(') {
            options.extended = true;
            words.list(Words::pattern)?
        } else {
            vec![words.pattern()?]
        };
        if words.take(b' ') {
            options.extended = true;
            if words.keyword()? != "RETURN" {
                return Err(Fail::Bad("Expected RETURN".to_owned()));
            }
            words.space()?;
            words.list(|words| self.return_option(words, &mut options))?;
        }
        words.end()?;
        if options.extended && !self.offers(Offer::ListExtended) && !self.may_extend(&options) {
            return Err(Fail::Bad("LIST-EXTENDED is not offered".to_owned()));
        }
        if patterns == [""] && !options.extended {
            let line = self.list_line("LIST", &["\\Noselect".to_owned()], self.world.config.separator, "");
            self.line(line);
            return Ok("That is the separator".to_owned());
        }
        let patterns: Vec<String> = patterns.iter().map(|pattern| format!("{reference}{pattern}")).collect();
        let account = self.account();
        let lines = {
            let store = account.store();
            self.list_lines(&store, &patterns, &options)?
        };
        for line in lines {
            self.line(line);
        }
        Ok("Those are all".to_owned())
    }

    /// RETURN (SPECIAL-USE) and RETURN (STATUS …) may be offered without the rest of RFC 5258.
    fn may_extend(&self, options: &ListOptions) -> bool {
        let special = options.only_special_use || options.show_special_use;
        let other = options.only_subscribed || options.recursive || options.show_subscribed || options.show_children;
        let special_is_fine = !special || self.offers(Offer::SpecialUse);
        let status_is_fine = options.status.is_empty() || self.offers(Offer::ListStatus);
        !other && special_is_fine && status_is_fine && (special || !options.status.is_empty())
    }

    fn selection_option(&self, words: &mut Words<'_>, options: &mut ListOptions) -> Result<(), Bad> {
        match words.keyword()?.as_str() {
            "SUBSCRIBED" => {
                options.only_subscribed = true;
                options.show_subscribed = true;
            }
            "REMOTE" => {}
            "RECURSIVEMATCH" => options.recursive = true,
            "SPECIAL-USE" if self.offers(Offer::SpecialUse) => {
                options.only_special_use = true;
                options.show_special_use = true;
            }
            other => return Err(Bad(format!("Unknown selection option {other}"))),
        }
        Ok(())
    }

    fn return_option(&self, words: &mut Words<'_>, options: &mut ListOptions) -> Result<(), Bad> {
        match words.keyword()?.as_str() {
            "SUBSCRIBED" => options.show_subscribed = true,
            "CHILDREN" => options.show_children = true,
            "SPECIAL-USE" if self.offers(Offer::SpecialUse) => options.show_special_use = true,
            "STATUS" if self.offers(Offer::ListStatus) => {
                words.space()?;
                options.status = words.list(Words::keyword)?;
            }
            other => return Err(Bad(format!("Unknown return option {other}"))),
        }
        Ok(())
    }

    fn list_lines(&mut self, store: &Store, patterns: &[String], options: &ListOptions) -> Result<Vec<Vec<u8>>, Fail> {
        let means = |name: &str| patterns.iter().any(|pattern| names::matches(pattern, name, store.separator));
        let bare_parents = if self.world.config.odd.hides_parents { BTreeSet::new() } else { store.bare_parents() };
        // Every name that may be shown, with its folder if it is one.
        let mut all: BTreeMap<&str, Option<&Folder>> = BTreeMap::new();
        all.extend(bare_parents.iter().map(|name| (name.as_str(), None)));
        if options.only_subscribed {
            all.extend(store.subscriptions.iter().map(|name| (name.as_str(), None)));
        }
        let names_alone = self.world.config.odd.names_alone.clone();
        all.extend(names_alone.iter().map(|name| (name.as_str(), None)));
        all.extend(store.folders.iter().map(|(name, folder)| (name.as_str(), Some(folder))));
        let below = |name: &str| store.separator.map(|separator| format!("{name}{separator}"));
        let mut lines = Vec::new();
        for (name, folder) in all.into_iter().filter(|(name, _)| means(name)) {
            let subscribed = store.subscriptions.contains(name);
            let child_is = options.recursive
                && below(name).is_some_and(|below| store.subscriptions.iter().any(|other| other.starts_with(&below)));
            let special = folder.map(|folder| folder.special_use.as_slice()).unwrap_or_default();
            if options.only_subscribed && !subscribed && !child_is || options.only_special_use && special.is_empty() {
                continue;
            }
            let attributes = self.attributes(store, name, folder, subscribed, options);
            let mut line = self.list_line("LIST", &attributes, store.separator, name);
            if options.only_subscribed && child_is {
                line.extend_from_slice(b" (CHILDINFO (\"SUBSCRIBED\"))");
            }
            lines.push(line);
            if let (Some(folder), false) = (folder, options.status.is_empty()) {
                lines.push(self.status_line(store, name, folder, &options.status)?);
            }
        }
        Ok(lines)
    }

    fn attributes(
        &self,
        store: &Store,
        name: &str,
        folder: Option<&Folder>,
        subscribed: bool,
        options: &ListOptions,
    ) -> Vec<String> {
        let mut attributes = Vec::new();
        if folder.is_none() && !self.world.config.odd.names_alone.iter().any(|alone| alone == name) {
            if self.offers(Offer::ListExtended) {
                attributes.push("\\NonExistent".to_owned());
            }
            attributes.push("\\Noselect".to_owned());
        }
        if store.separator.is_none() {
            attributes.push("\\Noinferiors".to_owned());
        } else if options.show_children || self.offers(Offer::Children) {
            attributes.push(has_children_attribute(store.has_children(name)));
        }
        if subscribed && options.show_subscribed {
            attributes.push("\\Subscribed".to_owned());
        }
        if let Some(folder) = folder.filter(|_| self.offers(Offer::SpecialUse)) {
            let lower = self.world.config.odd.lower_case_attributes;
            let written = |name: &String| if lower { name.to_ascii_lowercase() } else { name.clone() };
            attributes.extend(folder.special_use.iter().map(written));
        }
        attributes
    }

    /// A LIST or LSUB response.
    pub(super) fn list_line(&self, kind: &str, attributes: &[String], separator: Option<char>, name: &str) -> Vec<u8> {
        let items: Vec<Vec<u8>> = attributes.iter().map(|name| name.clone().into_bytes()).collect();
        let space = if self.world.config.odd.extra_spaces { "  " } else { " " };
        let separator = write_separator(separator);
        let head = [format!("* {kind} ").into_bytes(), self.spaced(&items)].concat();
        [head, format!("{space}{separator} ").into_bytes(), self.write_name(name)].concat()
    }

    pub(super) fn lsub(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let reference = words.folder()?;
        words.space()?;
        let pattern = format!("{reference}{}", words.pattern()?);
        words.end()?;
        let account = self.account();
        let mut found: BTreeMap<String, bool> = BTreeMap::new();
        let separator = {
            let store = account.store();
            for name in &store.subscriptions {
                if names::matches(&pattern, name, store.separator) {
                    found.insert(name.clone(), true);
                }
                // With % a parent stands for what is subscribed below it (RFC 3501 section 6.3.9).
                for (end, _) in store.separator.iter().flat_map(|separator| name.match_indices(*separator)) {
                    if pattern.contains('%') && names::matches(&pattern, &name[..end], store.separator) {
                        found.entry(name[..end].to_owned()).or_insert(false);
                    }
                }
            }
            store.separator
        };
        for (name, subscribed) in found {
            let attributes = if subscribed { Vec::new() } else { vec!["\\Noselect".to_owned()] };
            let line = self.list_line("LSUB", &attributes, separator, &name);
            self.line(line);
        }
        Ok("Those are all".to_owned())
    }

    pub(super) fn status(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.folder()?;
        words.space()?;
        let items = words.list(Words::keyword)?;
        words.end()?;
        let account = self.account();
        let line = {
            let store = account.store();
            let name = names::normal(&name, store.separator);
            let folder = store.folders.get(&name).ok_or(Fail::No("[NONEXISTENT] Mailbox doesn't exist".to_owned()))?;
            self.status_line(&store, &name, folder, &items)?
        };
        self.line(line);
        Ok("That is its status".to_owned())
    }

    fn status_line(&mut self, store: &Store, name: &str, folder: &Folder, items: &[String]) -> Result<Vec<u8>, Fail> {
        let mut values = Vec::new();
        for item in items {
            let count = |flag: &str| folder.messages.iter().filter(|message| message.flags.has(flag)).count();
            let value = match item.as_str() {
                "MESSAGES" => folder.messages.len().to_string(),
                "RECENT" if !self.enabled.rev2 => {
                    folder.messages.iter().filter(|message| message.uid >= folder.recent_from).count().to_string()
                }
                "UIDNEXT" => folder.uid_next.to_string(),
                "UIDVALIDITY" => folder.uid_validity.to_string(),
                "UNSEEN" => (folder.messages.len() - count("\\Seen")).to_string(),
                "DELETED" if self.offers(Offer::Imap4Rev2) || self.offers(Offer::Quota) => {
                    count("\\Deleted").to_string()
                }
                "DELETED-STORAGE" if self.offers(Offer::Quota) => {
                    let deleted = folder.messages.iter().filter(|message| message.flags.has("\\Deleted"));
                    deleted.map(|message| message.body.len()).sum::<usize>().to_string()
                }
                "SIZE" if self.offers(Offer::StatusSize) => folder.bytes().to_string(),
                "HIGHESTMODSEQ" if self.offers(Offer::Condstore) => {
                    self.enabled.condstore = true;
                    if folder.no_modseq { "0".to_owned() } else { folder.modseq.to_string() }
                }
                "MAILBOXID" if self.offers(Offer::ObjectId) => format!("({})", self.account().mailbox_id(folder)),
                "APPENDLIMIT" if self.offers(Offer::AppendLimit) => {
                    self.world.config.append_limit.map_or("NIL".to_owned(), |bytes| bytes.to_string())
                }
                other => return Err(Fail::Bad(format!("Unknown status item {other}"))),
            };
            values.push(format!("{item} {value}").into_bytes());
        }
        self.put_in_order(&mut values);
        debug_assert!(store.folders.contains_key(name), "the folder is one of this mailbox");
        Ok([b"* STATUS ", self.write_name(name).as_slice(), b" ", &self.spaced(&values)].concat())
    }

    /// Puts the items of an answer in this server's order.
    pub(super) fn put_in_order<T>(&mut self, items: &mut [T]) {
        match self.world.config.odd.order {
            Order::AsAsked => {}
            Order::Reversed => items.reverse(),
            Order::Turning => {
                self.turns += 1;
                let turns = self.turns % items.len().max(1);
                items.rotate_left(turns);
            }
        }
    }

    pub(super) fn create(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.folder()?;
        let mut special_use = Vec::new();
        if words.take(b' ') {
            words.expect(b'(')?;
            if words.keyword()? != "USE" || !self.offers(Offer::CreateSpecialUse) {
                return Err(Fail::Bad("Unknown parameter, or not offered".to_owned()));
            }
            words.space()?;
            special_use = words.list(Words::flag)?;
            words.expect(b')')?;
        }
        words.end()?;
        let account = self.account();
        let config = &self.world.config;
        // A separator at the end only says that there will be folders below.
        let name = config.separator.map_or(name.as_str(), |separator| name.trim_end_matches(separator));
        let name = names::normal(name, config.separator);
        if !name.starts_with(&config.personal_prefix) && !config.personal_prefix.is_empty() {
            return Err(Fail::No("[CANNOT] Mailboxes are made below the personal namespace only".to_owned()));
        }
        let taken = |use_: &String| config.special_uses_taken.iter().any(|known| known.eq_ignore_ascii_case(use_));
        if !special_use.iter().all(taken) {
            return Err(Fail::No("[USEATTR] That use is not supported".to_owned()));
        }
        if config.name_bytes_max.is_some_and(|most| name.len() > most)
            || config.name_refused.as_ref().is_some_and(|refused| name.contains(|c| refused.contains(c)))
        {
            return Err(Fail::No("[CANNOT] Mailbox name is not allowed".to_owned()));
        }
        let mut store = account.store();
        if config.folders_max.is_some_and(|most| store.folders.len() >= most) {
            return Err(Fail::No("[LIMIT] Too many mailboxes".to_owned()));
        }
        let folder = store.create(&name)?;
        folder.special_use = special_use;
        let id = account.mailbox_id(folder);
        drop(store);
        account.changed();
        Ok(if self.offers(Offer::ObjectId) { format!("[MAILBOXID ({id})] Created") } else { "Created".to_owned() })
    }

    pub(super) fn delete(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let name = words.folder()?;
        words.end()?;
        let account = self.account();
        account.store().delete(&name)?;
        account.changed();
        Ok("Deleted".to_owned())
    }

    pub(super) fn rename(&mut self, words: &mut Words<'_>) -> Done {
        words.space()?;
        let from = words.folder()?;
        words.space()?;
        let to = words.folder()?;
        words.end()?;
        let account = self.account();
        account.store().rename(&from, &to, self.world.now())?;
        account.changed();
        Ok("Renamed".to_owned())
    }

    pub(super) fn subscribe(&mut self, words: &mut Words<'_>, subscribe: bool) -> Done {
        words.space()?;
        let name = words.folder()?;
        words.end()?;
        let account = self.account();
        let mut store = account.store();
        let name = names::normal(&name, store.separator);
        if subscribe {
            if !store.folders.contains_key(&name) {
                return Err(Fail::No("[NONEXISTENT] Mailbox doesn't exist".to_owned()));
            }
            store.subscriptions.insert(name);
        } else {
            store.subscriptions.remove(&name);
        }
        Ok("Noted".to_owned())
    }
}

fn write_separator(separator: Option<char>) -> String {
    match separator {
        Some(separator) => String::from_utf8_lossy(&write_string(separator.to_string().as_bytes(), false)).into_owned(),
        None => "NIL".to_owned(),
    }
}
