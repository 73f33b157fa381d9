//! Names of folders: `.Parent.Child`, each name in modified UTF-7.

use connector::mutf7;
use model::FolderPath;

/// Longest name of a directory on every file system in use.
const NAME_BYTES_MAX: usize = 255;

/// The directory of a folder below the root; none for INBOX, which is the root itself.
pub(crate) fn directory(path: &FolderPath) -> Result<Option<String>, &'static str> {
    if path.is_inbox() {
        return Ok(None);
    }
    let mut directory = String::new();
    for name in path.names() {
        if name.is_empty() {
            return Err("a name is empty");
        }
        directory.push('.');
        directory.push_str(&mutf7::encode(name, |c| c == '.' || c == '/'));
    }
    if directory.len() > NAME_BYTES_MAX {
        return Err("the names together are longer than a file system takes");
    }
    Ok(Some(directory))
}

/// The folder of a directory; none when it is not one.
pub(crate) fn folder(directory: &str) -> Option<FolderPath> {
    let names = directory.strip_prefix('.')?;
    if names.is_empty() || names.starts_with('.') {
        return None;
    }
    // A name that is not modified UTF-7 is taken as it is written.
    let names: Vec<String> =
        names.split('.').map(|name| mutf7::decode(name).unwrap_or_else(|| name.to_owned())).collect();
    (!names.iter().any(String::is_empty)).then(|| FolderPath::new(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for names in [&["Sent"][..], &["a", "b.c", "d/e"], &["Größe", "a&b"], &["INBOX", "below"], &["\t"]] {
            let path = FolderPath::new(names.iter().copied());
            let directory = directory(&path).unwrap().unwrap();
            assert_eq!(folder(&directory), Some(path), "{directory}");
        }
        assert_eq!(directory(&FolderPath::inbox()), Ok(None));
        assert_eq!(directory(&FolderPath::new(["a", "b"])).unwrap().unwrap(), ".a.b");
    }

    #[test]
    fn what_is_no_folder_is_left_out() {
        for name in ["cur", ".", "..", "..x", ".a..b", ".a."] {
            assert_eq!(folder(name), None, "{name}");
        }
        assert_eq!(folder(".a&b"), Some(FolderPath::new(["a&b"])));
        assert!(directory(&FolderPath::new(["x".repeat(255)])).is_err());
    }
}
