//! The files beside items: what a `.eml` file does not hold. Each is lines of JSON, one object a line, in UTF-8.
//!
//! `.whimbrel-items.jsonl`, in each folder's directory, a line for each item and a further one at each change of its flags;
//! of several lines about one file the last one counts:
//!
//! ```json
//! {"file":"1057049557.M000000P1_x.eml","received":1057049557,"zone":120,"flags":["\\Seen"],"keywords":["Work"],"wire":true}
//! ```
//!
//! `received` is in seconds since 1970 in UTC, `zone` in minutes east of it as the source wrote the date. `wire`: the file's
//! bytes are the item's own, to be read as they are. A line about a file that is not there says nothing.
//!
//! `.whimbrel-folders.jsonl`, in the person's directory, a line for each folder that is for something or is followed:
//!
//! ```json
//! {"path":["Projects","2019"],"special_use":"\\Archive","subscribed":true}
//! ```
//!
//! A line that can't be read, such as one that was being written when the machine stopped, is passed over.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use model::{Flags, FolderPath, ReceivedAt, SpecialUse};
use serde::{Deserialize, Serialize};

/// The file of a folder's items.
pub(crate) const ITEMS: &str = ".whimbrel-items.jsonl";
/// The file of a person's folders.
pub(crate) const FOLDERS: &str = ".whimbrel-folders.jsonl";

/// What is known of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ItemLine {
    pub(crate) file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) received: Option<i64>,
    #[serde(default)]
    pub(crate) zone: i16,
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    #[serde(default)]
    pub(crate) keywords: Vec<String>,
    #[serde(default)]
    pub(crate) wire: bool,
}

impl ItemLine {
    pub(crate) fn new(file: &str, received: Option<ReceivedAt>, flags: &Flags, wire: bool) -> Self {
        let keywords = flags.keywords().to_vec();
        let flags = flags.names().filter(|name| name.starts_with('\\')).map(str::to_owned).collect();
        let (seconds, zone) = (received.map(|at| at.unix_seconds), received.map_or(0, |at| at.offset_minutes));
        Self { file: file.to_owned(), received: seconds, zone, flags, keywords, wire }
    }

    pub(crate) fn all_flags(&self) -> Flags {
        Flags::of(self.flags.iter().chain(&self.keywords).map(String::as_str))
    }

    pub(crate) fn received_at(&self) -> Option<ReceivedAt> {
        self.received.map(|unix_seconds| ReceivedAt { unix_seconds, offset_minutes: self.zone })
    }
}

/// What is known of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FolderLine {
    path: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    special_use: Option<String>,
    #[serde(default)]
    subscribed: bool,
}

/// What is known of a folder, without its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) special_use: Option<SpecialUse>,
    pub(crate) subscribed: bool,
}

/// The lines about the items of a folder, and how many lines there are in all.
pub(crate) fn items(directory: &Path) -> io::Result<(HashMap<String, ItemLine>, usize)> {
    let text = text(&directory.join(ITEMS))?.unwrap_or_default();
    let (mut items, mut count) = (HashMap::new(), 0);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        count += 1;
        if let Ok(line) = serde_json::from_slice::<ItemLine>(line) {
            items.insert(line.file.clone(), line);
        }
    }
    Ok((items, count))
}

/// What is known of folders; none where nobody has written it down: then programs show all of them.
pub(crate) fn folders(root: &Path) -> io::Result<Option<BTreeMap<FolderPath, About>>> {
    let Some(text) = text(&root.join(FOLDERS))? else { return Ok(None) };
    let mut folders = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<FolderLine>(line) else { continue };
        if line.path.is_empty() {
            continue;
        }
        let special_use = line.special_use.as_deref().and_then(SpecialUse::from_attribute);
        folders.insert(FolderPath::new(line.path), About { special_use, subscribed: line.subscribed });
    }
    Ok(Some(folders))
}

fn text(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lines of JSON.
pub(crate) fn lines<L: Serialize>(lines: impl IntoIterator<Item = L>) -> io::Result<String> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    Ok(text)
}

/// The text of a file of folders.
pub(crate) fn folders_text(folders: &BTreeMap<FolderPath, About>) -> io::Result<String> {
    lines(folders.iter().filter(|(_, about)| **about != About::default()).map(|(path, about)| FolderLine {
        path: path.names().to_vec(),
        special_use: about.special_use.map(|special_use| special_use.attribute().to_owned()),
        subscribed: about.subscribed,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code")]

    use super::*;

    #[test]
    fn the_last_line_counts_and_broken_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(items(folder.path()).unwrap().0.is_empty());
        let at = ReceivedAt { unix_seconds: -5, offset_minutes: -210 };
        let one = |flags: &[&str]| ItemLine::new("a.eml", Some(at), &Flags::of(flags.iter().copied()), true);
        let text = lines([one(&["\\Seen"]), one(&["\\Flagged", "Work \"x\""])]).unwrap();
        std::fs::write(folder.path().join(ITEMS), format!("{text}\n{{\"file\":\"a.eml\",\"flags\":[\"\\\\Se")).unwrap();
        let (items, count) = items(folder.path()).unwrap();
        assert_eq!(count, 3);
        assert_eq!(items["a.eml"].all_flags(), Flags::of(["\\Flagged", "Work \"x\""]));
        assert_eq!(items["a.eml"].received_at().map(|at| (at.unix_seconds, at.offset_minutes)), Some((-5, -210)));
        assert!(items["a.eml"].wire);
        std::fs::write(folder.path().join(ITEMS), "{\"file\":\"b.eml\"}").unwrap();
        assert_eq!(super::items(folder.path()).unwrap().0["b.eml"].received_at(), None);
    }

    #[test]
    fn folders_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(folders(folder.path()).unwrap(), None);
        let about = About { special_use: Some(SpecialUse::Archive), subscribed: true };
        let known = BTreeMap::from([(FolderPath::new(["a", "b/c"]), about)]);
        std::fs::write(folder.path().join(FOLDERS), folders_text(&known).unwrap()).unwrap();
        assert_eq!(folders(folder.path()).unwrap(), Some(known));
    }
}
