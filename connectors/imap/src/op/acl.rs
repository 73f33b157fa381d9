//! Rights of folders (RFC 4314): GETACL of every folder, SETACL that adds.
//!
//! Identifiers are each server's own. Dovecot writes groups as `$name` and `!$name`, what its global file says with `#` before
//! it, and the owner as `owner` or by name. Cyrus writes `group:name`. A `-` before any of them denies.

use std::collections::HashMap;

use async_trait::async_trait;
use connector::{Effect, Error, FolderRight, Granted, Holder, NewRight, Rights, RightsRead};
use model::{Cause, FolderPath, Letters, Scope};

use crate::map::refusal::{self, Doing};
use crate::session::Session;
use crate::wire::command::{Command, is_quotable};
use crate::wire::mailbox::access_list;
use crate::wire::response::Response;

/// Rights that every server tells apart; the others are announced (`RIGHTS=`, RFC 4314 section 2.2).
const COMMON: &str = "lrswipa";

/// What a server takes for others than the account of this name.
const NOT_ACCOUNTS: [&str; 6] = ["anyone", "anonymous", "authenticated", "owner", "nobody", "administrators"];
const NOT_ACCOUNTS_BEGIN: [&str; 8] = ["-", "$", "!", "#", "group:", "group=", "user=", "group-override="];

/// The rights of an opened mailbox.
pub(crate) struct Access {
    session: Session,
    writes: bool,
    /// The rights that the server tells apart.
    letters: Letters,
    /// It knows no letters but those of RFC 2086.
    is_old: bool,
    /// Rights of several entries add up (Cyrus). Elsewhere an account's own entry takes the place of what a group or everybody
    /// may do.
    adds_up: bool,
}

/// An entry of a folder's list.
struct Entry {
    /// Whose. None: the owner's own, or that of who logs in for everybody.
    to: Option<Holder>,
    /// The owner's name, where it is theirs.
    owner: Option<String>,
    letters: Letters,
    unknown: String,
    is_denied: bool,
    is_inherited: bool,
}

impl Access {
    /// The rights of this mailbox; none where the server keeps no such lists.
    pub(crate) fn of(session: Session, writes: bool) -> Option<Self> {
        if !session.capabilities.has("ACL") {
            return None;
        }
        let announced = session.capabilities.value("RIGHTS").map(str::to_ascii_lowercase);
        let letters = match &announced {
            Some(rights) => Letters::known(COMMON).and(Letters::known(rights)),
            None => Letters::ALL,
        };
        let adds_up = session.server.starts_with("Cyrus");
        Some(Self { session, writes, letters, is_old: announced.is_none(), adds_up })
    }

    /// An entry of a list.
    fn entry(&self, identifier: &str, rights: &str) -> Entry {
        let (letters, unknown) = Letters::parse(rights);
        let (bare, is_denied) = match identifier.strip_prefix('-') {
            Some(bare) => (bare, true),
            None => (identifier, false),
        };
        let (bare, is_inherited) = match bare.strip_prefix('#') {
            Some(bare) => (bare, true),
            None => (bare, false),
        };
        let to = holder(bare);
        let login = self.session.endpoint.config.login.as_ref().map(|login| login.user.as_str());
        let owner = match &to {
            Holder::Account(name) if name.eq_ignore_ascii_case(&self.session.account) => Some(name.clone()),
            _ => None,
        };
        let is_migrators = |name: &str| login.is_some_and(|login| name.eq_ignore_ascii_case(login));
        let is_left_out = owner.is_some()
            || bare.eq_ignore_ascii_case("owner")
            || matches!(&to, Holder::Account(name) if is_migrators(name));
        Entry { to: (!is_left_out).then_some(to), owner, letters, unknown, is_denied, is_inherited }
    }

    /// The list of each of these folders, or why it can't be read.
    async fn lists(&mut self, folders: &[FolderPath]) -> Result<Vec<Result<Vec<Entry>, Error>>, Error> {
        let mut commands = Vec::with_capacity(folders.len());
        for folder in folders {
            let name = self.session.wire_name(folder).await?;
            commands.push(Command::new("GETACL").quoted(&name));
        }
        let mut told: Vec<Vec<(String, String)>> = vec![Vec::new(); folders.len()];
        let on = |index: usize, response: &Response<'_>| {
            if let Some(tokens) = response.data("ACL") {
                told[index].extend(access_list(tokens));
            }
        };
        let completions = self.session.run_all(&commands, on).await?;
        let lists = folders.iter().zip(completions).zip(told).map(|((folder, completion), told)| {
            if !completion.is_ok() {
                let what = format!("cannot read the rights of {}", self.session.place(folder));
                return Err(refusal::refused(what, &completion, Doing::Folder));
            }
            Ok(told.iter().map(|(identifier, rights)| self.entry(identifier, rights)).collect())
        });
        Ok(lists.collect())
    }

    /// What of this right is missing, as the server takes it; none: the account has it all.
    fn missing(&self, right: &NewRight, list: &[Entry]) -> Result<Option<String>, Error> {
        let refuse = |why: &str| {
            let (account, place) = (&right.account, self.session.place(&right.folder));
            let what = format!("cannot give {account:?} the rights {:?} to {place}: {why}", right.letters.to_string());
            Err(Error::new(Cause::Refused, Scope::Folder, what))
        };
        if is_not_an_account(&right.account) || !is_quotable(right.account.as_bytes()) {
            return refuse("the server would take the name for somebody else's");
        }
        let is_theirs = |entry: &&Entry| matches!(&entry.to, Some(Holder::Account(name)) if name.eq_ignore_ascii_case(&right.account));
        let own: Vec<&Entry> = list.iter().filter(is_theirs).collect();
        if own.iter().any(|entry| entry.is_denied && !entry.letters.both(right.letters).is_empty()) {
            return refuse("they are denied there");
        }
        let has = own.iter().filter(|entry| !entry.is_denied).fold(Letters::NONE, |all, entry| all.and(entry.letters));
        let missing = right.letters.both(self.letters).without(has);
        if missing.is_empty() {
            return Ok(None);
        }
        let others = list.iter().filter(|entry| matches!(&entry.to, Some(Holder::Group(_) | Holder::Everybody(_))));
        let lowers = |entry: &Entry| !entry.is_denied && !right.letters.has(entry.letters);
        if has.is_empty() && !self.adds_up && others.into_iter().any(lowers) {
            return refuse(
                "everybody or a group may do more there, and an entry of their own would take its place: give it by hand",
            );
        }
        let text = if self.is_old { missing.in_old_letters() } else { missing.to_string() };
        if text.is_empty() {
            return refuse("the server can't tell these rights from further ones");
        }
        Ok(Some(text))
    }
}

#[async_trait]
impl Rights for Access {
    fn letters(&self) -> Letters {
        self.letters
    }

    async fn rights(&mut self) -> Result<RightsRead, Error> {
        let folders = self.session.list_folders().await?;
        let folders: Vec<FolderPath> = folders.into_iter().filter(|f| f.holds_items).map(|f| f.path).collect();
        let mut read = RightsRead::default();
        for (folder, list) in folders.iter().zip(self.lists(&folders).await?) {
            match list {
                Err(error) => read.unread.push((folder.clone(), error)),
                Ok(entries) => {
                    for Entry { to, owner, letters, unknown, is_denied, is_inherited } in entries {
                        match to {
                            None => {
                                read.left_out += 1;
                                read.owner = read.owner.take().or(owner);
                            }
                            Some(to) => {
                                let folder = folder.clone();
                                read.rights.push(FolderRight { folder, to, letters, unknown, is_denied, is_inherited });
                            }
                        }
                    }
                }
            }
        }
        read.folders = folders;
        Ok(read)
    }

    async fn add(&mut self, rights: &[NewRight]) -> Result<Vec<Result<Granted, Error>>, Error> {
        if !self.writes {
            return Err(crate::session::internal("rights of a mailbox that was opened to read are not given"));
        }
        let mut folders: Vec<FolderPath> = rights.iter().map(|right| right.folder.clone()).collect();
        folders.sort();
        folders.dedup();
        let lists: HashMap<FolderPath, Result<Vec<Entry>, Error>> =
            folders.iter().cloned().zip(self.lists(&folders).await?).collect();
        let mut outcomes: Vec<Result<Granted, Error>> = Vec::with_capacity(rights.len());
        let (mut commands, mut asked) = (Vec::new(), Vec::new());
        for (place, right) in rights.iter().enumerate() {
            let missing = match &lists[&right.folder] {
                Ok(list) => self.missing(right, list),
                Err(error) => Err(error.clone()),
            };
            outcomes.push(match missing {
                Err(error) => Err(error),
                Ok(None) => Ok(Granted::WasThere),
                Ok(Some(letters)) => {
                    let name = self.session.wire_name(&right.folder).await?;
                    let command = Command::new("SETACL").quoted(&name).quoted(right.account.as_bytes());
                    commands.push((command.words(format!("+{letters}")), Effect::Grant));
                    asked.push(place);
                    Ok(Granted::Added)
                }
            });
        }
        let completions = self.session.run_effects(&commands, |_, _| {}).await?;
        for (place, completion) in asked.into_iter().zip(completions) {
            if !completion.is_ok() {
                let NewRight { folder, account, letters } = &rights[place];
                let place_of = self.session.place(folder);
                let what = format!("cannot give {account:?} the rights {:?} to {place_of}", letters.to_string());
                outcomes[place] = Err(refusal::refused(what, &completion, Doing::Change));
            }
        }
        Ok(outcomes)
    }

    async fn close(&mut self) {
        connector::Source::close(&mut self.session).await;
    }
}

/// Whom an identifier names, without what stands before it.
fn holder(identifier: &str) -> Holder {
    let lower = identifier.to_ascii_lowercase();
    if ["anyone", "anonymous", "authenticated"].contains(&lower.as_str()) {
        return Holder::Everybody(lower);
    }
    for prefix in ["group:", "group=", "group-override=", "!$", "$"] {
        if lower.starts_with(prefix) {
            return Holder::Group(identifier[prefix.len()..].to_owned());
        }
    }
    let name = if lower.starts_with("user=") { &identifier["user=".len()..] } else { identifier };
    Holder::Account(name.to_owned())
}

fn is_not_an_account(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.is_empty()
        || NOT_ACCOUNTS.contains(&lower.as_str())
        || NOT_ACCOUNTS_BEGIN.iter().any(|prefix| lower.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_both_servers_are_understood() {
        let account = |name: &str| Holder::Account(name.to_owned());
        let group = |name: &str| Holder::Group(name.to_owned());
        for (identifier, expected) in [
            ("bob", account("bob")),
            ("Bob@trust.example", account("Bob@trust.example")),
            ("user=bob", account("bob")),
            ("$staff", group("staff")),
            ("!$staff", group("staff")),
            ("group:Ward 7", group("Ward 7")),
            ("group=staff", group("staff")),
            ("group-override=staff", group("staff")),
            ("Anyone", Holder::Everybody("anyone".to_owned())),
            ("authenticated", Holder::Everybody("authenticated".to_owned())),
        ] {
            assert_eq!(holder(identifier), expected, "{identifier}");
        }
    }

    #[test]
    fn names_that_stand_for_others_are_no_accounts() {
        for name in ["anyone", "OWNER", "-bob", "$staff", "#bob", "group:x", "!$x", ""] {
            assert!(is_not_an_account(name), "{name}");
        }
        for name in ["bob", "o'neil@trust.example", "anyone@trust.example", "groups"] {
            assert!(!is_not_an_account(name), "{name}");
        }
    }
}
