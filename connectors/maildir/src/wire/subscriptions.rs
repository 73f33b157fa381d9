//! Which folders are followed: Dovecot's `subscriptions` (both versions) and Courier's `courierimapsubscribed`.

use std::collections::BTreeSet;
use std::path::Path;

use connector::mutf7;
use model::FolderPath;

/// The file that Dovecot keeps in the root, and that we write.
pub(crate) const FILE: &str = "subscriptions";
/// The file that Courier keeps in the root.
pub(crate) const COURIER_FILE: &str = "courierimapsubscribed";
/// What Dovecot's file of version 2 begins with: after it, a folder a line, its names with a tab between.
const VERSION_2: &str = "V\t2";

/// The folders that are followed.
pub(crate) fn read(root: &Path) -> BTreeSet<FolderPath> {
    let text = |file: &str| std::fs::read(root.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut followed = BTreeSet::new();
    if let Ok(text) = text(FILE) {
        followed.extend(dovecot(&text));
    }
    if let Ok(text) = text(COURIER_FILE) {
        followed.extend(text.lines().filter_map(courier));
    }
    followed
}

fn dovecot(text: &str) -> Vec<FolderPath> {
    let is_version_2 = text.lines().next() == Some(VERSION_2);
    let names = |line: &str| -> Vec<String> {
        let separator = if is_version_2 { '\t' } else { '.' };
        let decode = |name: &str| mutf7::decode(name).unwrap_or_else(|| name.to_owned());
        line.split(separator).map(decode).collect()
    };
    text.lines()
        .skip(usize::from(is_version_2))
        .filter(|line| !line.is_empty())
        .map(names)
        .filter(|names| !names.iter().any(String::is_empty))
        .map(FolderPath::new)
        .collect()
}

/// `INBOX` or `INBOX.Name.Name`.
fn courier(line: &str) -> Option<FolderPath> {
    if line.eq_ignore_ascii_case("INBOX") {
        return Some(FolderPath::inbox());
    }
    super::folder_name::folder(line.strip_prefix("INBOX")?)
}

/// The text of Courier's file without this folder; none where it is not in it.
pub(crate) fn courier_without(root: &Path, path: &FolderPath) -> Option<String> {
    let text = String::from_utf8_lossy(&std::fs::read(root.join(COURIER_FILE)).ok()?).into_owned();
    let kept: String =
        text.lines().filter(|line| courier(line).as_ref() != Some(path)).map(|line| format!("{line}\n")).collect();
    (kept.lines().count() < text.lines().count()).then_some(kept)
}

/// The text of Dovecot's file with these folders.
pub(crate) fn text(followed: &BTreeSet<FolderPath>) -> String {
    let mut text = format!("{VERSION_2}\n\n");
    for path in followed {
        let names: Vec<String> = path.names().iter().map(|name| mutf7::encode(name, |_| false)).collect();
        text.push_str(&names.join("\t"));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code")]

    use super::*;

    fn path(names: &[&str]) -> FolderPath {
        FolderPath::new(names.iter().copied())
    }

    #[test]
    fn our_text_reads_back() {
        let followed = BTreeSet::from([path(&["Sent"]), path(&["a", "b c"]), path(&["Größe"]), FolderPath::inbox()]);
        assert_eq!(dovecot(&text(&followed)).into_iter().collect::<BTreeSet<_>>(), followed);
    }

    #[test]
    fn older_and_other_files_are_read() {
        assert_eq!(dovecot("INBOX\nSent\na.b\n"), [FolderPath::inbox(), path(&["Sent"]), path(&["a", "b"])]);
        assert_eq!(courier("INBOX.Sent.2001"), Some(path(&["Sent", "2001"])));
        assert_eq!(courier("INBOX"), Some(FolderPath::inbox()));
        assert_eq!(courier("#shared.x"), None);
    }

    #[test]
    fn a_folder_is_taken_off_courier_s_file_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(courier_without(folder.path(), &path(&["a"])), None);
        std::fs::write(folder.path().join(COURIER_FILE), "INBOX\nINBOX.a\n#shared.x\nINBOX.a.b\n").unwrap();
        let without = courier_without(folder.path(), &path(&["a"]));
        assert_eq!(without.as_deref(), Some("INBOX\n#shared.x\nINBOX.a.b\n"));
        assert_eq!(courier_without(folder.path(), &path(&["b"])), None);
    }
}
