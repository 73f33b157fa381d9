//! Which folders there are: LIST, with what it tells besides where LIST-EXTENDED, LIST-STATUS and SPECIAL-USE are offered,
//! else with LSUB and STATUS.

use std::collections::HashMap;

use connector::{Error, Folder, FolderState};
use model::{Cause, FolderPath, INBOX, ItemKind, Scope, SpecialUse};

use crate::map::refusal::{self, Doing};
use crate::map::{is_view, special_use, state_of};
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::mailbox::{ListEntry, StatusItems};
use crate::wire::response::Response;

/// Offered where a message has labels, and folders are what has one of them (Gmail).
const LABELS: &str = "X-GM-EXT-1";

/// What LIST and its company said.
#[derive(Default)]
struct Listed {
    entries: Vec<ListEntry>,
    subscribed: Vec<Vec<u8>>,
    states: HashMap<Vec<u8>, FolderState>,
    sizes: HashMap<Vec<u8>, u64>,
}

impl Session {
    /// The folders of the person.
    pub(crate) async fn list_folders(&mut self) -> Result<Vec<Folder>, Error> {
        self.leave_folder().await?;
        let is_extended = self.capabilities.has("LIST-EXTENDED");
        let has_status = is_extended && self.capabilities.has("LIST-STATUS");
        let mut listed = self.list(is_extended, has_status).await?;
        let names: Vec<Option<FolderPath>> = listed.entries.iter().map(|entry| self.names.learn(entry)).collect();
        self.names.is_listed = true;
        if !has_status {
            self.ask_states(&mut listed, &names).await?;
        }
        let has_labels = self.capabilities.has(LABELS);
        let mut folders: Vec<Folder> = Vec::with_capacity(names.len());
        for (entry, path) in listed.entries.iter().zip(names) {
            let Some(path) = path else { continue };
            if is_left_out(entry, has_labels) {
                tracing::info!(folder = %path, "left out: a view of items that lie in other folders");
                continue;
            }
            let use_of = special_use(entry);
            let holds_items = holds_items(entry);
            let is_subscribed = |name: &Vec<u8>| {
                *name == entry.name || (path.is_inbox() && name.eq_ignore_ascii_case(INBOX.as_bytes()))
            };
            folders.push(Folder {
                kind: ItemKind::Message,
                holds_items,
                special_use: use_of,
                subscribed: entry.has("\\Subscribed") || listed.subscribed.iter().any(is_subscribed),
                state: listed.states.get(&entry.name).copied().filter(|_| holds_items),
                size_bytes: listed.sizes.get(&entry.name).copied().filter(|_| holds_items),
                path,
            });
        }
        folders.sort_by(|a, b| a.path.cmp(&b.path));
        folders.dedup_by(|later, earlier| {
            let is_same = later.path == earlier.path;
            if is_same {
                earlier.subscribed |= later.subscribed;
                earlier.state = earlier.state.or(later.state);
            }
            is_same
        });
        Ok(folders)
    }

    /// Learns the names of all folders, and nothing else.
    pub(crate) async fn learn_names(&mut self) -> Result<(), Error> {
        let listed = self.list_plainly().await?;
        for entry in &listed.entries {
            self.names.learn(entry);
        }
        self.names.is_listed = true;
        Ok(())
    }

    /// Closes the folder that is open without removing anything from it, so that STATUS may be asked of all.
    async fn leave_folder(&mut self) -> Result<(), Error> {
        if self.selected.is_some() && self.capabilities.has("UNSELECT") {
            self.run(&Command::new("UNSELECT"), |_| {}).await?;
            self.selected = None;
        }
        Ok(())
    }

    /// The patterns that take in the person's own namespaces.
    fn patterns(&self) -> Vec<Vec<u8>> {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        if self.names.prefixes().all(|prefix| !prefix.is_empty()) {
            patterns.push(INBOX.into());
        }
        patterns.extend(self.names.prefixes().map(|prefix| [prefix, b"*"].concat()));
        patterns
    }

    async fn list(&mut self, is_extended: bool, has_status: bool) -> Result<Listed, Error> {
        if !is_extended {
            return self.list_plainly().await;
        }
        let mut returns = vec!["SUBSCRIBED".to_owned(), "CHILDREN".to_owned()];
        if self.capabilities.has("SPECIAL-USE") {
            returns.push("SPECIAL-USE".to_owned());
        }
        if has_status {
            returns.push(format!("STATUS ({})", self.status_items()));
        }
        let returns = format!("RETURN ({})", returns.join(" "));
        let command = |pattern: &Vec<u8>| Command::new("LIST").quoted(b"").quoted(pattern).words(&returns);
        let commands: Vec<Command> = self.patterns().iter().map(command).collect();
        self.collect(&commands).await
    }

    async fn list_plainly(&mut self) -> Result<Listed, Error> {
        let mut commands = Vec::new();
        for verb in ["LIST", "LSUB"] {
            commands.extend(self.patterns().iter().map(|pattern| Command::new(verb).quoted(b"").quoted(pattern)));
        }
        // IMAP4rev2 has no LSUB any more; a server that speaks nothing else has LIST-EXTENDED.
        if self.capabilities.has_utf8_names() {
            commands.truncate(commands.len() / 2);
        }
        self.collect(&commands).await
    }

    async fn collect(&mut self, commands: &[Command]) -> Result<Listed, Error> {
        let mut listed = Listed::default();
        let on = |_: usize, response: &Response<'_>| {
            if let Some(entry) = response.data("LIST").and_then(ListEntry::parse) {
                listed.entries.push(entry);
            } else if let Some(entry) = response.data("LSUB").and_then(ListEntry::parse) {
                listed.subscribed.push(entry.name);
            } else if let Some((name, items)) = response.data("STATUS").and_then(StatusItems::parse) {
                listed.sizes.extend(items.size.map(|size| (name.clone(), size)));
                listed.states.extend(state_of(&items).map(|state| (name, state)));
            }
        };
        let completions = self.run_all(commands, on).await?;
        // Without LSUB we know less; without LIST nothing.
        let mut lists = completions.iter().take(self.patterns().len());
        if let Some(refused) = lists.find(|completion| !completion.is_ok()) {
            let what = format!("cannot list the folders of {} at {}", self.account, self.endpoint.config.address());
            return Err(refusal::refused(what, refused, Doing::Folder).reaching(Scope::Mailbox));
        }
        if listed.entries.is_empty() {
            let what = format!(
                "the server lists no folder at all for {} at {}, not even INBOX",
                self.account,
                self.endpoint.config.address()
            );
            return Err(Error::new(Cause::Protocol, Scope::Mailbox, what));
        }
        // In one order whatever the server's, so that names that are spelt twice come out the same every time.
        listed.entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Asks each folder where it stands, sent ahead of each other's answers.
    async fn ask_states(&mut self, listed: &mut Listed, names: &[Option<FolderPath>]) -> Result<(), Error> {
        let has_labels = self.capabilities.has(LABELS);
        let open = self.selected.as_ref().map(|(path, _)| path);
        let is_asked = |entry: &ListEntry, path: &Option<FolderPath>| {
            path.is_some() && path.as_ref() != open && holds_items(entry) && !is_left_out(entry, has_labels)
        };
        let wanted: Vec<Vec<u8>> = listed
            .entries
            .iter()
            .zip(names)
            .filter(|(entry, path)| is_asked(entry, path))
            .map(|(entry, _)| entry.name.clone())
            .filter(|name| crate::wire::command::is_quotable(name))
            .collect();
        let commands: Vec<Command> = wanted.iter().map(|name| self.status_command(name)).collect();
        let (states, sizes) = (&mut listed.states, &mut listed.sizes);
        let on = |index: usize, response: &Response<'_>| {
            if let Some((_, items)) = response.data("STATUS").and_then(StatusItems::parse) {
                sizes.extend(items.size.map(|size| (wanted[index].clone(), size)));
                states.extend(state_of(&items).map(|state| (wanted[index].clone(), state)));
            }
        };
        // A folder whose STATUS is refused has no state here; why, is said when it is read.
        self.run_all(&commands, on).await?;
        Ok(())
    }
}

/// Can the name hold messages, or is it only a place for others below it?
fn holds_items(entry: &ListEntry) -> bool {
    !entry.has("\\Noselect") && !entry.has("\\NonExistent")
}

/// Is it a view, whose items lie elsewhere too? Where messages have labels, those that were archived lie only among all
/// messages, which are then no view. What is said to be important may be a place (RFC 8457), as on Cyrus; it is a view where
/// messages have labels.
fn is_left_out(entry: &ListEntry, has_labels: bool) -> bool {
    match special_use(entry) {
        Some(SpecialUse::All) => !has_labels,
        Some(SpecialUse::Important) => has_labels,
        use_of => is_view(use_of),
    }
}
