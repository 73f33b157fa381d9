//! The selected mailbox: SELECT and EXAMINE with their extensions, and telling the client what has changed in it.

use super::{
    names,
    offer::Offer,
    parse::{Bad, NumberSet, Words, write_set},
    session::{Done, Fail, Session},
    store::{Folder, Store},
};

/// What the client was told of the mailbox it selected.
pub(super) struct Selected {
    name: String,
    folder_id: u64,
    uid_validity: u32,
    pub(super) read_only: bool,
    /// The UIDs of its messages, in the order of their message numbers.
    pub(super) uids: Vec<u32>,
    /// The first UID that it was not told of.
    uid_next: u32,
    /// How many removals it was told of.
    removals: u64,
    /// The last change that it was told of.
    modseq: u64,
    /// The UIDs of messages that are \Recent here: no session was told of them before this one.
    recent: Vec<u32>,
    /// The result of the last SEARCH that was to be kept (RFC 5182), as UIDs.
    pub(super) saved: Vec<u32>,
}

impl Selected {
    /// The message number of a UID.
    pub(super) fn number(&self, uid: u32) -> Option<usize> {
        self.uids.binary_search(&uid).ok().map(|place| place + 1)
    }

    pub(super) fn is_recent(&self, uid: u32) -> bool {
        self.recent.binary_search(&uid).is_ok()
    }

    /// Nothing selected; stands in while the selected mailbox is lent to somebody.
    pub(super) fn none() -> Self {
        Self {
            name: String::new(),
            folder_id: 0,
            uid_validity: 0,
            read_only: true,
            uids: Vec::new(),
            uid_next: 1,
            removals: 0,
            modseq: 0,
            recent: Vec::new(),
            saved: Vec::new(),
        }
    }

    /// Was the client told of all changes but removals?
    pub(super) fn knows(&self, folder: &Folder) -> bool {
        self.modseq == folder.modseq
    }

    /// Those of its UIDs that a set of UIDs or of message numbers names. A message number that no message has is the
    /// client's mistake, a UID is not.
    pub(super) fn chosen(&self, set: &NumberSet, by_uid: bool) -> Result<Vec<u32>, Bad> {
        if by_uid {
            return Ok(set.of(&self.uids, self.uids.last().copied().unwrap_or(0)));
        }
        let most = self.uids.len() as u32;
        if set.ranges(most).any(|(low, high)| low == 0 || high > most) {
            return Err(Bad::new("No message has that number"));
        }
        let numbers: Vec<u32> = (1..=most).collect();
        Ok(set.of(&numbers, most).into_iter().map(|number| self.uids[number as usize - 1]).collect())
    }

    /// The folder, under whatever name it has now.
    pub(super) fn folder<'s>(&mut self, store: &'s mut Store) -> Result<&'s mut Folder, Fail> {
        let is_here = |folder: &Folder| folder.id == self.folder_id;
        if !store.folders.get(&self.name).is_some_and(is_here) {
            let gone = || Fail::Bye("The selected mailbox was deleted".to_owned());
            store.name_of(self.folder_id).ok_or_else(gone)?.clone_into(&mut self.name);
        }
        let folder = store.folders.get_mut(&self.name).filter(|folder| folder.uid_validity == self.uid_validity);
        folder.ok_or_else(|| Fail::Bye("The selected mailbox has a new UIDVALIDITY".to_owned()))
    }

    /// The folder's name now.
    pub(super) fn name(&mut self, store: &mut Store) -> Result<String, Fail> {
        self.folder(store)?;
        Ok(self.name.clone())
    }

    /// The client was told all that has happened so far, but for removals.
    pub(super) fn knows_changes(&mut self, folder: &Folder) {
        self.modseq = folder.modseq;
    }
}

/// The words after SELECT or EXAMINE.
#[derive(Default)]
struct Parameters {
    condstore: bool,
    qresync: Option<(u32, u64, Option<NumberSet>)>,
}

impl Session {
    pub(super) fn select(&mut self, words: &mut Words<'_>, read_only: bool) -> Done {
        words.space()?;
        let name = words.folder()?;
        let parameters = if words.take(b' ') { self.select_parameters(words)? } else { Parameters::default() };
        words.end()?;
        if self.selected.take().is_some() && (self.enabled.qresync || self.enabled.rev2) {
            self.line("* OK [CLOSED] The mailbox selected before is closed");
        }
        self.enabled.condstore |= parameters.condstore;

        let account = self.account();
        let mut store = account.store();
        let name = names::normal(&name, store.separator);
        let has_children = store.has_children(&name);
        let separator = store.separator;
        let folder = store.folders.get_mut(&name).ok_or(Fail::No("[NONEXISTENT] Mailbox doesn't exist".to_owned()))?;
        let selected = Selected {
            name: name.clone(),
            folder_id: folder.id,
            uid_validity: folder.uid_validity,
            read_only,
            uids: folder.messages.iter().map(|message| message.uid).collect(),
            uid_next: folder.uid_next,
            removals: folder.removals,
            modseq: folder.modseq,
            recent: folder.recent(1),
            saved: Vec::new(),
        };
        if !read_only {
            folder.recent_from = folder.uid_next;
        }
        let mut lines = self.mailbox_flags(folder, read_only);
        lines.push(format!("* {} EXISTS", folder.messages.len()));
        if !self.enabled.rev2 {
            lines.push(format!("* {} RECENT", selected.recent.len()));
            let unseen = folder.messages.iter().position(|message| !message.flags.has("\\Seen"));
            lines.extend(unseen.map(|place| format!("* OK [UNSEEN {}] The first unread one", place + 1)));
        }
        lines.push(format!("* OK [UIDVALIDITY {}] UIDs are valid", folder.uid_validity));
        lines.push(format!("* OK [UIDNEXT {}] The next UID", folder.uid_next));
        if self.offers(Offer::Condstore) {
            lines.push(if folder.no_modseq {
                "* OK [NOMODSEQ] Changes are not counted".to_owned()
            } else {
                format!("* OK [HIGHESTMODSEQ {}] The last change", folder.modseq)
            });
        }
        if self.offers(Offer::ObjectId) {
            lines.push(format!("* OK [MAILBOXID ({})] The mailbox's own", account.mailbox_id(folder)));
        }
        let resync = parameters.qresync.map(|known| self.resync(folder, known)).unwrap_or_default();
        drop(store);
        for line in lines {
            self.line(line);
        }
        if self.enabled.rev2 {
            let line = self.list_line("LIST", &[has_children_attribute(has_children)], separator, &name);
            self.line(line);
        }
        self.selected = Some(selected);
        for line in resync {
            self.line(line);
        }
        Ok(if read_only { "[READ-ONLY] Selected".to_owned() } else { "[READ-WRITE] Selected".to_owned() })
    }

    fn select_parameters(&self, words: &mut Words<'_>) -> Result<Parameters, Fail> {
        let mut parameters = Parameters::default();
        let enabled = self.enabled;
        let read = words.list(|words| {
            match words.keyword()?.as_str() {
                "CONDSTORE" => parameters.condstore = true,
                "QRESYNC" if enabled.qresync => parameters.qresync = Some(qresync_parameters(words)?),
                "QRESYNC" => return Err(Bad::new("QRESYNC must be enabled first")),
                _ => return Err(Bad::new("Unknown parameter")),
            }
            Ok(())
        });
        read?;
        if (parameters.condstore || parameters.qresync.is_some()) && !self.offers(Offer::Condstore) {
            return Err(Fail::Bad("That parameter is not offered".to_owned()));
        }
        Ok(parameters)
    }

    /// FLAGS and PERMANENTFLAGS.
    fn mailbox_flags(&self, folder: &Folder, read_only: bool) -> Vec<String> {
        let system = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
        let kept = self.world.config.keywords_kept.as_ref();
        let mut keywords = kept.cloned().unwrap_or_default();
        for name in folder.keywords() {
            if !keywords.contains(&name) {
                keywords.push(name);
            }
        }
        let all = format!("{system} {}", keywords.join(" "));
        let all = all.trim_end();
        let permanent = match (read_only, kept) {
            (true, _) => String::new(),
            (false, None) => format!("{all} \\*"),
            (false, Some(kept)) => format!("{system} {}", kept.join(" ")).trim_end().to_owned(),
        };
        vec![format!("* FLAGS ({all})"), format!("* OK [PERMANENTFLAGS ({permanent})] These can be changed for good")]
    }

    /// What has happened since the client was last here (RFC 7162 section 3.2.5).
    fn resync(&self, folder: &Folder, (uid_validity, modseq, known): (u32, u64, Option<NumberSet>)) -> Vec<Vec<u8>> {
        if uid_validity != folder.uid_validity || folder.no_modseq {
            return Vec::new();
        }
        let most = folder.uid_next - 1;
        let in_scope = |uid: &u32| known.as_ref().is_none_or(|set| !set.of(&[*uid], most).is_empty());
        let gone = self.gone_since(folder, modseq, known.as_ref());
        let mut lines = Vec::new();
        if !gone.is_empty() {
            lines.push(format!("* VANISHED (EARLIER) {}", write_set(&gone)).into_bytes());
        }
        for uid in folder.changed_since(modseq).iter().filter(|uid| in_scope(uid)) {
            if let (Ok(place), Some(message)) =
                (folder.messages.binary_search_by_key(uid, |message| message.uid), folder.message(*uid))
            {
                let flags = self.write_flags(message, false);
                let modseq = format!("MODSEQ ({})", message.modseq).into_bytes();
                let items = [format!("UID {uid}").into_bytes(), [b"FLAGS ".as_slice(), &flags].concat(), modseq];
                lines.push([format!("* {} FETCH ", place + 1).as_bytes(), &self.spaced(&items)].concat());
            }
        }
        lines
    }

    /// The UIDs in a set that were removed since, as far as it is remembered; else all in it that are not there.
    pub(super) fn gone_since(&self, folder: &Folder, modseq: u64, known: Option<&NumberSet>) -> Vec<u32> {
        let most = folder.uid_next - 1;
        if most == 0 {
            return Vec::new();
        }
        let remembered = folder.removed_since(modseq).filter(|_| !self.world.config.odd.forgets_removals);
        if let Some(gone) = remembered {
            return gone.into_iter().filter(|uid| known.is_none_or(|set| !set.of(&[*uid], most).is_empty())).collect();
        }
        let whole = NumberSet(vec![(1, most)]);
        let mut gone = Vec::new();
        for (low, high) in known.unwrap_or(&whole).ranges(most) {
            gone.extend((low..=high.min(most)).filter(|uid| folder.message(*uid).is_none()));
        }
        gone.sort_unstable();
        gone.dedup();
        gone
    }

    /// Tells the client what has changed in the selected mailbox; removals only where it expects them.
    pub(super) fn tell_changes(&mut self, removals_too: bool) -> Result<(), Fail> {
        let Some(mut selected) = self.selected.take() else { return Ok(()) };
        let account = self.account();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        {
            let mut store = account.store();
            let folder = selected.folder(&mut store)?;
            if removals_too && folder.removals != selected.removals {
                lines.extend(self.removal_lines(folder, &mut selected));
                selected.removals = folder.removals;
            }
            let first_new = selected.uid_next;
            if folder.uid_next != first_new {
                let from = folder.messages.partition_point(|message| message.uid < first_new);
                let new = &folder.messages[from..];
                selected.uids.extend(new.iter().map(|message| message.uid));
                selected.recent.extend(folder.recent(first_new));
                selected.uid_next = folder.uid_next;
                if !selected.read_only {
                    folder.recent_from = folder.uid_next;
                }
                lines.push(format!("* {} EXISTS", selected.uids.len()).into_bytes());
                if !self.enabled.rev2 {
                    lines.push(format!("* {} RECENT", selected.recent.len()).into_bytes());
                }
            }
            if folder.modseq != selected.modseq {
                // Of a new message the client knows nothing yet that could have changed.
                for uid in folder.changed_since(selected.modseq).into_iter().filter(|uid| *uid < first_new) {
                    if let (Some(number), Some(message)) = (selected.number(uid), folder.message(uid)) {
                        lines.push(self.flags_line(number, message, &selected));
                    }
                }
                selected.knows_changes(folder);
            }
        }
        self.selected = Some(selected);
        for line in lines {
            self.line(line);
        }
        Ok(())
    }

    fn removal_lines(&self, folder: &Folder, selected: &mut Selected) -> Vec<Vec<u8>> {
        let mut gone = Vec::new();
        let mut lines = Vec::new();
        let mut kept = Vec::with_capacity(selected.uids.len());
        for uid in std::mem::take(&mut selected.uids) {
            if folder.message(uid).is_some() {
                kept.push(uid);
            } else {
                gone.push(uid);
                // Each number is that of the moment: those before it have moved up already.
                lines.push(format!("* {} EXPUNGE", kept.len() + 1).into_bytes());
            }
        }
        selected.uids = kept;
        selected.recent.retain(|uid| gone.binary_search(uid).is_err());
        selected.saved.retain(|uid| gone.binary_search(uid).is_err());
        if self.enabled.qresync && !gone.is_empty() {
            return vec![format!("* VANISHED {}", write_set(&gone)).into_bytes()];
        }
        lines
    }

    pub(super) fn close(&mut self, words: &Words<'_>, expunge: bool) -> Done {
        words.end()?;
        if let Some(mut selected) = self.selected.take()
            && expunge
            && !selected.read_only
        {
            let account = self.account();
            let mut store = account.store();
            let name = selected.name(&mut store)?;
            store.expunge(&name, |message| message.flags.has("\\Deleted"));
            drop(store);
            account.changed();
        }
        Ok("Closed".to_owned())
    }
}

pub(super) fn has_children_attribute(has_children: bool) -> String {
    if has_children { "\\HasChildren".to_owned() } else { "\\HasNoChildren".to_owned() }
}

/// `(UIDVALIDITY MODSEQ [known-uids [(numbers uids)]])`.
fn qresync_parameters(words: &mut Words<'_>) -> Result<(u32, u64, Option<NumberSet>), Bad> {
    words.space()?;
    words.expect(b'(')?;
    let uid_validity = u32::try_from(words.number()?).map_err(|_| Bad::new("Invalid UIDVALIDITY"))?;
    words.space()?;
    let modseq = words.number()?;
    let mut known = None;
    if words.take(b' ') && words.peek() != Some(b'(') {
        known = Some(words.set()?);
        words.take(b' ');
    }
    // Pairs of message numbers and UIDs help a server that has forgotten removals; this one needs no help.
    if words.take(b'(') {
        words.set()?;
        words.space()?;
        words.set()?;
        words.expect(b')')?;
    }
    words.expect(b')')?;
    Ok((uid_validity, modseq, known))
}
