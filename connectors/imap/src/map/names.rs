//! Names of folders: between paths of Unicode names and the bytes on the wire (RFC 9051 section 5.1, RFC 3501 section
//! 5.1.3 for modified UTF-7, RFC 2342 for namespaces).
//!
//! Only the person's own namespaces are seen, and the prefix of the first of them is taken away: `INBOX.Sent` is the
//! folder `Sent`. What must hold: two mailboxes never become one path, and a path that was read leads back to the very
//! bytes that were read, even when they are no proper name at all. So the wire names read in a session are kept.

use std::collections::HashMap;

use connector::{Error, mutf7};
use model::{Cause, FolderPath, INBOX, Scope};

use crate::wire::command::is_quotable;
use crate::wire::mailbox::{ListEntry, Namespace, Namespaces};
use crate::wire::token::text_of;

/// The names of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Names are UTF-8, not modified UTF-7.
    pub(crate) utf8: bool,
    /// All folders were listed, so every name that is not plain is known.
    pub(crate) is_listed: bool,
    namespaces: Namespaces,
    wire_of: HashMap<FolderPath, Vec<u8>>,
    path_of: HashMap<Vec<u8>, FolderPath>,
}

impl Names {
    /// Names in these namespaces; one without a prefix is the person's own when the server says nothing.
    pub(crate) fn new(mut namespaces: Namespaces, separator: Option<u8>, utf8: bool) -> Self {
        if namespaces.personal.is_empty() {
            namespaces.personal.push(Namespace { prefix: Vec::new(), separator });
        }
        Self { utf8, namespaces, ..Self::default() }
    }

    /// The prefixes of the person's own namespaces.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.namespaces.personal.iter().map(|namespace| namespace.prefix.as_slice())
    }

    fn home(&self) -> &Namespace {
        // `new` makes sure that there is one.
        &self.namespaces.personal[0]
    }

    /// Does the name belong to the person? The longest prefix that fits decides; INBOX always does.
    fn is_personal(&self, name: &[u8]) -> bool {
        if name.eq_ignore_ascii_case(INBOX.as_bytes()) {
            return true;
        }
        let longest = |namespaces: &[Namespace]| {
            namespaces
                .iter()
                .filter(|namespace| is_below(name, namespace))
                .map(|namespace| namespace.prefix.len())
                .max()
        };
        let foreign = longest(&self.namespaces.other).max(longest(&self.namespaces.shared));
        longest(&self.namespaces.personal).is_some_and(|personal| foreign.is_none_or(|foreign| personal >= foreign))
    }

    /// Takes note of a listed name; its path, if it is the person's own.
    pub(crate) fn learn(&mut self, entry: &ListEntry) -> Option<FolderPath> {
        if let Some(path) = self.path_of.get(&entry.name) {
            return Some(path.clone());
        }
        if !self.is_personal(&entry.name) {
            return None;
        }
        let path = self.free_path(entry);
        self.keep(path.clone(), entry.name.clone());
        Some(path)
    }

    /// Takes note that a path is this name.
    pub(crate) fn keep(&mut self, path: FolderPath, name: Vec<u8>) {
        self.path_of.insert(name.clone(), path.clone());
        self.wire_of.insert(path, name);
    }

    /// A path for the name that no other name has.
    fn free_path(&self, entry: &ListEntry) -> FolderPath {
        if entry.name.eq_ignore_ascii_case(INBOX.as_bytes()) {
            return FolderPath::inbox();
        }
        let is_free = |path: &FolderPath| !path.is_inbox() && !self.wire_of.contains_key(path);
        let mut stripped = strip(&entry.name, &self.home().prefix);
        // Some servers end the name of a folder that only has others below it with the separator.
        if let (Some((last, rest)), Some(separator)) = (stripped.split_last(), entry.separator)
            && *last == separator
            && !rest.is_empty()
        {
            stripped = rest;
        }
        let split = |name: &[u8], read: &dyn Fn(&[u8]) -> String| -> FolderPath {
            match entry.separator {
                Some(separator) => FolderPath::new(name.split(|byte| *byte == separator).map(read)),
                None => FolderPath::new([read(name)]),
            }
        };
        let decoded = split(stripped, &|name| self.decode(name));
        if is_free(&decoded) {
            return decoded;
        }
        // The name is another's already: `INBOX.INBOX` below a prefix, or two spellings of one name. As it stands, then.
        let literal = split(&entry.name, &text_of);
        let mut path = literal.clone();
        let mut number = 1u64;
        while !is_free(&path) {
            number += 1;
            let name = format!("{} ({number})", literal.name());
            path = literal.parent().map_or_else(|| FolderPath::new([&name]), |parent| parent.child(&name));
        }
        path
    }

    fn decode(&self, name: &[u8]) -> String {
        let decoded = if self.utf8 { None } else { std::str::from_utf8(name).ok().and_then(mutf7::decode) };
        decoded.unwrap_or_else(|| text_of(name))
    }

    /// Must the folders be listed before this path's name is known for sure? Names that are not plain may stand on the
    /// wire in another spelling than ours.
    pub(crate) fn needs_listing(&self, path: &FolderPath) -> bool {
        let is_plain =
            path.names().iter().all(|name| name.bytes().all(|byte| (0x20..=0x7e).contains(&byte) && byte != b'&'));
        !(self.is_listed || is_plain || self.wire_of.contains_key(path))
    }

    /// The name of a path on the wire: as it was read, or as it would be made.
    pub(crate) fn wire(&self, path: &FolderPath) -> Result<Vec<u8>, Error> {
        if path.is_inbox() {
            return Ok(INBOX.into());
        }
        let name = match self.wire_of.get(path) {
            Some(name) => name.clone(),
            None => self.encode(path)?,
        };
        if !is_quotable(&name) {
            return Err(refused(path, "its name holds a line end or NUL"));
        }
        Ok(name)
    }

    fn encode(&self, path: &FolderPath) -> Result<Vec<u8>, Error> {
        let home = self.home();
        let mut name = home.prefix.clone();
        for (position, part) in path.names().iter().enumerate() {
            if position > 0 {
                let separator =
                    home.separator.ok_or_else(|| refused(path, "the server has no folders below folders"))?;
                name.push(separator);
            }
            if part.is_empty() {
                return Err(refused(path, "a part of its name is empty"));
            }
            if home.separator.is_some_and(|separator| part.as_bytes().contains(&separator)) {
                let separator = home.separator.map_or(' ', char::from);
                return Err(refused(
                    path,
                    &format!("a part of its name holds {separator:?}, which separates names there"),
                ));
            }
            if self.utf8 {
                name.extend_from_slice(part.as_bytes());
            } else {
                name.extend_from_slice(mutf7::encode(part, |_| false).as_bytes());
            }
        }
        if self.path_of.get(&name).is_some_and(|taken| taken != path) {
            let what = format!("the folder {:?} would be the same mailbox as another folder", path.to_string());
            return Err(Error::new(Cause::FolderCollision, Scope::Folder, what));
        }
        Ok(name)
    }
}

fn refused(path: &FolderPath, why: &str) -> Error {
    let what = format!("the folder {:?} can't be named on the server: {why}", path.to_string());
    Error::new(Cause::FolderRefused, Scope::Folder, what)
}

/// Does the name lie in the namespace, or is it the namespace's own root?
fn is_below(name: &[u8], namespace: &Namespace) -> bool {
    let prefix = namespace.prefix.as_slice();
    let root = match (prefix.split_last(), namespace.separator) {
        (Some((last, root)), Some(separator)) if *last == separator => root,
        _ => prefix,
    };
    begins_with(name, prefix) || name == root
}

/// Does the name begin so? INBOX is the same in any case.
fn begins_with(name: &[u8], prefix: &[u8]) -> bool {
    let Some(beginning) = name.get(..prefix.len()) else { return false };
    let inbox = INBOX.len().min(prefix.len());
    let is_inbox = inbox == INBOX.len() && prefix[..inbox].eq_ignore_ascii_case(INBOX.as_bytes());
    if is_inbox {
        beginning[..inbox].eq_ignore_ascii_case(&prefix[..inbox]) && beginning[inbox..] == prefix[inbox..]
    } else {
        beginning == prefix
    }
}

fn strip<'a>(name: &'a [u8], prefix: &[u8]) -> &'a [u8] {
    if begins_with(name, prefix) && name.len() > prefix.len() { &name[prefix.len()..] } else { name }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(name: &[u8], separator: Option<u8>) -> ListEntry {
        ListEntry { attributes: Vec::new(), separator, name: name.to_vec() }
    }

    fn namespace(prefix: &str) -> Namespace {
        Namespace { prefix: prefix.into(), separator: Some(prefix.bytes().last().unwrap_or(b'/')) }
    }

    fn names(personal: &[&str], other: &[&str], shared: &[&str]) -> Names {
        let list = |prefixes: &[&str]| prefixes.iter().map(|prefix| namespace(prefix)).collect();
        let namespaces = Namespaces { personal: list(personal), other: list(other), shared: list(shared) };
        Names::new(namespaces, Some(b'/'), false)
    }

    fn learn(names: &mut Names, name: &str) -> Option<String> {
        let separator = names.home().separator;
        names.learn(&entry(name.as_bytes(), separator)).map(|path| path.names().join("|"))
    }

    #[test]
    fn names_are_decoded_after_they_are_split() {
        let mut names = names(&[""], &[], &[]);
        assert_eq!(learn(&mut names, "Entw&APw-rfe/Tom &- Jerry").unwrap(), "Entwürfe|Tom & Jerry");
        assert_eq!(learn(&mut names, "a//b").unwrap(), "a||b");
        assert_eq!(learn(&mut names, "mail/").unwrap(), "mail");
        assert_eq!(learn(&mut names, "inbox").unwrap(), "INBOX");
        assert_eq!(learn(&mut names, "INBOX/x").unwrap(), "INBOX|x");
        assert_eq!(names.wire(&FolderPath::new(["Entwürfe", "Tom & Jerry"])).unwrap(), b"Entw&APw-rfe/Tom &- Jerry");
        assert_eq!(names.wire(&FolderPath::new(["neu", "ü"])).unwrap(), b"neu/&APw-");
        assert_eq!(names.wire(&FolderPath::inbox()).unwrap(), b"INBOX");
    }

    #[test]
    fn the_prefix_of_the_own_namespace_is_taken_away_and_put_back() {
        let mut names = names(&["INBOX."], &["user."], &["shared."]);
        assert_eq!(learn(&mut names, "INBOX").unwrap(), "INBOX");
        assert_eq!(learn(&mut names, "INBOX.Sent.2020").unwrap(), "Sent|2020");
        assert_eq!(learn(&mut names, "Inbox.a").unwrap(), "a");
        assert_eq!(learn(&mut names, "INBOX.INBOX").unwrap(), "INBOX|INBOX", "never the inbox itself");
        assert_eq!(learn(&mut names, "user.bob"), None);
        assert_eq!(learn(&mut names, "shared"), None);
        assert_eq!(names.wire(&FolderPath::new(["Sent", "2020"])).unwrap(), b"INBOX.Sent.2020");
        assert_eq!(names.wire(&FolderPath::new(["new"])).unwrap(), b"INBOX.new");
        assert_eq!(names.wire(&FolderPath::new(["INBOX", "child"])).unwrap(), b"INBOX.INBOX.child");
        assert_eq!(names.wire(&FolderPath::new(["INBOX", "INBOX"])).unwrap(), b"INBOX.INBOX");
    }

    #[test]
    fn other_peoples_and_everyones_folders_are_left_out() {
        let mut names = names(&["", "archive/"], &["Other Users/"], &["Public/", "a/b/"]);
        assert_eq!(learn(&mut names, "Other Users/bob/x"), None);
        assert_eq!(learn(&mut names, "Other Users"), None);
        assert_eq!(learn(&mut names, "Public/news"), None);
        assert_eq!(learn(&mut names, "Publicity").unwrap(), "Publicity");
        assert_eq!(learn(&mut names, "a/c").unwrap(), "a|c");
        assert_eq!(learn(&mut names, "archive/2019").unwrap(), "archive|2019");
        let mut cyrus = self::names(&["INBOX."], &["user."], &[""]);
        assert_eq!(learn(&mut cyrus, "bulletins"), None, "a shared namespace without a prefix holds all else");
        assert_eq!(learn(&mut cyrus, "INBOX.x").unwrap(), "x");
    }

    #[test]
    fn two_mailboxes_never_become_one_folder() {
        let mut names = names(&[""], &[], &[]);
        assert_eq!(learn(&mut names, "Tom &- Jerry").unwrap(), "Tom & Jerry");
        assert_eq!(learn(&mut names, "Tom & Jerry").unwrap(), "Tom & Jerry (2)", "no proper name, kept as it is");
        assert_eq!(learn(&mut names, "&AGE-").unwrap(), "a");
        assert_eq!(learn(&mut names, "a").unwrap(), "a (2)");
        assert_eq!(names.wire(&FolderPath::new(["Tom & Jerry (2)"])).unwrap(), b"Tom & Jerry");
        assert_eq!(names.wire(&FolderPath::new(["a"])).unwrap(), b"&AGE-");
        assert_eq!(names.wire(&FolderPath::new(["a (2)"])).unwrap(), b"a");
        assert_eq!(learn(&mut names, "a").unwrap(), "a (2)", "the same again");
    }

    #[test]
    fn a_new_folder_that_would_be_another_is_refused() {
        let mut names = names(&[""], &[], &[]);
        learn(&mut names, "&AGE-");
        names.keep(FolderPath::new(["x"]), b"a".to_vec());
        let error = names.wire(&FolderPath::new(["y"])).map(|_| ());
        assert_eq!(error, Ok(()));
        names.keep(FolderPath::new(["z"]), b"&APw-".to_vec());
        assert_eq!(names.wire(&FolderPath::new(["ü"])).unwrap_err().cause, Cause::FolderCollision);
    }

    #[test]
    fn bytes_that_are_no_name_lead_back_to_themselves() {
        let mut names = names(&[""], &[], &[]);
        for wire in [&b"caf\xe9"[..], "café".as_bytes(), b"bad &xyz", b"tab\tname"] {
            let path = names.learn(&entry(wire, Some(b'/'))).unwrap();
            assert_eq!(names.wire(&path).unwrap(), wire);
        }
        let path = names.learn(&entry(b"line\nend", Some(b'/'))).unwrap();
        assert_eq!(names.wire(&path).unwrap_err().cause, Cause::FolderRefused);
    }

    #[test]
    fn what_the_server_cannot_name_is_refused() {
        let slash = names(&[""], &[], &[]);
        for path in [vec!["a/b"], vec!["a", ""], vec!["a", "b/c"]] {
            assert_eq!(slash.wire(&FolderPath::new(path)).unwrap_err().cause, Cause::FolderRefused);
        }
        let flat = Names::new(Namespaces::default(), None, false);
        assert_eq!(flat.wire(&FolderPath::new(["a/b"])).unwrap(), b"a/b");
        assert_eq!(flat.wire(&FolderPath::new(["a", "b"])).unwrap_err().cause, Cause::FolderRefused);
        assert_eq!(flat.wire(&FolderPath::new(["line\nend"])).unwrap(), b"line&AAo-end");
    }

    #[test]
    fn with_utf_8_names_stand_as_they_are() {
        let mut names = Names::new(Namespaces::default(), Some(b'/'), true);
        assert_eq!(learn(&mut names, "Entwürfe/R&D").unwrap(), "Entwürfe|R&D");
        assert_eq!(names.wire(&FolderPath::new(["ü", "&"])).unwrap(), "ü/&".as_bytes());
    }

    #[test]
    fn only_names_that_may_be_spelt_otherwise_need_a_listing() {
        let mut names = names(&[""], &[], &[]);
        assert!(!names.needs_listing(&FolderPath::new(["Sent Items"])));
        assert!(names.needs_listing(&FolderPath::new(["R&D"])) && names.needs_listing(&FolderPath::new(["ü"])));
        learn(&mut names, "&APw-");
        assert!(!names.needs_listing(&FolderPath::new(["ü"])));
        names.is_listed = true;
        assert!(!names.needs_listing(&FolderPath::new(["R&D"])));
    }

    proptest! {
        #[test]
        fn a_path_that_can_be_named_reads_back(parts in proptest::collection::vec("[^/\0\r\n]{1,12}", 1..4)) {
            for prefix in ["", "INBOX/", "mail/"] {
                let mut names = names(&[prefix], &[], &[]);
                let path = FolderPath::new(parts.clone());
                let wire = names.wire(&path).unwrap();
                let back = names.learn(&entry(&wire, Some(b'/'))).unwrap();
                if path.is_inbox() || path.names()[0] != INBOX {
                    prop_assert_eq!(back, path);
                }
            }
        }
    }
}
