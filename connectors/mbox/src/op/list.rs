//! Listing folders: which file or directory stands for which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use connector::mutf7;
use model::FolderPath;

use crate::config::Layout;

/// Files that programs keep beside mail, by the end of their names.
const BESIDE: [&str; 10] = [".msf", ".dat", ".html", ".json", ".sqlite", ".lock", ".plist", ".toc", ".idx", ".log"];
/// The file that Dovecot lists followed folders in.
const SUBSCRIPTIONS: &str = ".subscriptions";
/// Apple Mail's file of a folder.
const APPLE_FILE: &str = "mbox";
/// Directories within directories.
const DEPTH_MAX: usize = 64;

/// What there is: each folder with its file; none for one that only has folders below it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) folders: BTreeMap<FolderPath, Option<PathBuf>>,
    /// Which are followed; none where the files don't say: then programs show all of them.
    pub(super) followed: Option<BTreeSet<FolderPath>>,
}

impl Tree {
    pub(super) fn is_followed(&self, path: &FolderPath) -> bool {
        self.followed.as_ref().is_none_or(|followed| followed.contains(path))
    }

    fn add(&mut self, names: &[String], file: Option<PathBuf>) -> io::Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let path = FolderPath::new(names.iter().cloned());
        if let (Some(Some(known)), Some(file)) = (self.folders.get(&path), &file) {
            let what = format!("{} and {} are one and the same folder: rename one", known.display(), file.display());
            return Err(io::Error::other(what));
        }
        let place = self.folders.entry(path).or_default();
        if file.is_some() {
            *place = file;
        }
        Ok(())
    }
}

/// How to look at a tree.
pub(super) struct Walk<'w> {
    pub(super) layout: Layout,
    pub(super) leave_out: &'w [String],
    decodes: bool,
}

/// The folders of a person's file or directory, and of the INBOX that lies elsewhere. None when there is nothing.
pub(super) fn tree(root: &Path, inbox: Option<&Path>, layout: Layout, leave_out: &[String]) -> io::Result<Tree> {
    let mut tree = Tree::default();
    if let Some(inbox) = inbox.filter(|inbox| inbox.is_file()) {
        tree.add(&["INBOX".to_owned()], Some(inbox.to_owned()))?;
    }
    let facts = match std::fs::metadata(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(tree),
        facts => facts?,
    };
    if facts.is_file() {
        tree.add(&["INBOX".to_owned()], Some(root.to_owned()))?;
        return Ok(tree);
    }
    if layout == Layout::File {
        return Err(io::Error::other(format!("{} is a directory, and layout = \"file\"", root.display())));
    }
    let subscriptions = std::fs::read(root.join(SUBSCRIPTIONS)).ok();
    let is_dovecots = subscriptions.is_some() || root.join(".imap").is_dir();
    let decodes = layout == Layout::Dovecot || (layout == Layout::Auto && is_dovecots);
    let walk = Walk { layout, leave_out, decodes };
    walk.directory(root, &mut Vec::new(), &mut tree)?;
    if let (true, Some(text)) = (decodes, subscriptions) {
        let text = String::from_utf8_lossy(&text).into_owned();
        let path = |line: &str| FolderPath::new(line.split('/').map(|name| walk.name(name)));
        tree.followed = Some(text.lines().filter(|line| !line.is_empty()).map(path).collect());
    }
    Ok(tree)
}

impl Walk<'_> {
    fn is_left_out(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        name.starts_with('.')
            || BESIDE.iter().any(|end| lower.ends_with(end))
            || self.leave_out.iter().any(|known| match known.strip_prefix('*') {
                Some(end) => name.ends_with(end),
                None => name == known,
            })
    }

    fn name(&self, name: &str) -> String {
        let decoded = if self.decodes { mutf7::decode(name) } else { None };
        decoded.unwrap_or_else(|| name.to_owned())
    }

    fn directory(&self, directory: &Path, names: &mut Vec<String>, tree: &mut Tree) -> io::Result<()> {
        if names.len() > DEPTH_MAX {
            return Err(io::Error::other(format!("{} lies too deep, or a link leads back", directory.display())));
        }
        let is = |layout: Layout| self.layout == Layout::Auto || self.layout == layout;
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let (path, os_name) = (entry.path(), entry.file_name());
            let Some(name) = os_name.to_str() else {
                let what = format!("the name of {} is not UTF-8: rename it", path.display());
                return Err(io::Error::other(what));
            };
            if self.is_left_out(name) {
                continue;
            }
            let facts = match std::fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // a link that leads nowhere
                facts => facts?,
            };
            let without = |end: &str| name.strip_suffix(end).filter(|name| !name.is_empty());
            if facts.is_file() {
                // Inside Apple's directory this is the folder itself; see below.
                let is_apples = name == APPLE_FILE && directory.extension().is_some_and(|end| end == "mbox");
                if !(is(Layout::Apple) && is_apples) {
                    names.push(self.name(without(".mbox").unwrap_or(name)));
                    tree.add(names, Some(path))?;
                    names.pop();
                }
                continue;
            }
            if !facts.is_dir() {
                continue;
            }
            let apple = without(".mbox").filter(|_| is(Layout::Apple));
            let below = without(".sbd").filter(|_| is(Layout::Thunderbird));
            names.push(self.name(apple.or(below).unwrap_or(name)));
            let file = path.join(APPLE_FILE);
            tree.add(names, (apple.is_some() && file.is_file()).then_some(file))?;
            self.directory(&path, names, tree)?;
            names.pop();
        }
        Ok(())
    }
}

/// Does a file begin as an mbox does? An empty one does.
pub(crate) fn begins_as_mbox(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(1024).read_to_end(&mut begin)?;
    let begin = begin.trim_ascii_start();
    Ok(begin.is_empty() || begin.starts_with(b"From "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code")]

    use super::*;

    /// Makes files and directories (with a slash at the end); what they are as folders, those without a file in brackets.
    fn folders(there: &[&str], layout: Layout) -> io::Result<Vec<String>> {
        let root = tempfile::tempdir().unwrap();
        for name in there {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') {
                std::fs::create_dir_all(path).unwrap();
            } else {
                std::fs::write(path, "").unwrap();
            }
        }
        let tree = tree(root.path(), None, layout, &["notes.txt".to_owned(), "*.zip".to_owned()])?;
        let shown = |(path, file): (&FolderPath, &Option<PathBuf>)| match file {
            Some(_) => path.to_string(),
            None => format!("[{path}]"),
        };
        Ok(tree.folders.iter().map(shown).collect())
    }

    #[test]
    fn every_program_s_tree_is_read() {
        let thunderbird =
            ["Inbox", "Inbox.msf", "Sent", "Inbox.sbd/Work", "Inbox.sbd/Work.msf", "Old.sbd/2001", "filterlog.html"];
        assert_eq!(folders(&thunderbird, Layout::Auto).unwrap(), ["INBOX", "INBOX/Work", "[Old]", "Old/2001", "Sent"]);
        let apple = [
            "INBOX.mbox/mbox",
            "INBOX.mbox/table_of_contents.toc",
            "A.mbox/mbox",
            "A.mbox/B.mbox/mbox",
            "C/D.mbox/mbox",
        ];
        assert_eq!(folders(&apple, Layout::Auto).unwrap(), ["A", "A/B", "[C]", "C/D", "INBOX"]);
        let tree = ["Sent", "2001/Letters.mbox", "2001/notes.txt", "a.zip", ".imap/", "&AOQ-"];
        assert_eq!(folders(&tree, Layout::Auto).unwrap(), ["[2001]", "2001/Letters", "Sent", "ä"]);
        assert_eq!(folders(&tree, Layout::Tree).unwrap(), ["&AOQ-", "[2001]", "2001/Letters", "Sent"]);
        assert_eq!(folders(&["Inbox.sbd/Work"], Layout::Tree).unwrap(), ["[Inbox.sbd]", "Inbox.sbd/Work"]);
    }

    #[test]
    fn two_files_of_one_folder_are_named() {
        for there in [&["Sent", "Sent.mbox"][..], &["Inbox", "INBOX"], &["A", "A.mbox/mbox"]] {
            let what = folders(there, Layout::Auto).unwrap_err().to_string();
            assert!(what.contains("rename one"), "{what}");
        }
        assert!(folders(&["a"], Layout::File).is_err());
    }
}
