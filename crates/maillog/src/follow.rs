//! Reads on in a log, from where it was last read to.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A line longer than this is passed over: no mail server writes one.
const LINE_MAX: u64 = 64 * 1024;

/// How far a log was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The digest of the file's first line, by which it is known again when it was rotated. Empty: it had none yet.
    pub first: String,
    /// So many bytes of it.
    pub bytes: u64,
}

/// What reading on came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// How far it is read now.
    pub place: Place,
    /// May something have been written since the last time that nobody can read any more? The first reading goes on from nothing, and has no gap.
    pub has_gap: bool,
    /// There is more to read at once.
    pub is_more: bool,
}

/// Reads the whole lines that were written to a log since it was read to this place, oldest first, and stops after about so many bytes. A
/// log that was rotated is found by its first line beside the new one, as `mail.log.1` or `mail.log-20261127`; compressed ones can't be read.
///
/// A line that is not whole yet is left for the next time.
pub fn follow(path: &Path, last: Option<&Place>, bytes_max: u64, mut line: impl FnMut(&str)) -> io::Result<Followed> {
    let mut now = File::open(path)?;
    let first = first_line(&mut now)?;
    let known = last.filter(|last| !last.first.is_empty());
    let (mut files, mut has_gap) = (Vec::new(), false);
    match known {
        None => files.push((now, 0)),
        Some(last) if first == last.first && now.metadata()?.len() >= last.bytes => files.push((now, last.bytes)),
        Some(last) => {
            files.extend(
                rotated(path, last)?.into_iter().map(|(file, is_it)| (file, if is_it { last.bytes } else { 0 })),
            );
            has_gap = files.is_empty();
            files.push((now, 0));
        }
    }
    let (mut place, mut left) = (last.cloned().unwrap_or_default(), bytes_max);
    let count = files.len();
    for (number, (mut file, from)) in files.into_iter().enumerate() {
        let first = first_line(&mut file)?;
        if first.is_empty() {
            // Nothing whole stands in it yet, by which it would be known again: the one before is where reading goes on.
            continue;
        }
        let (bytes, is_end) = lines(file, from, left, &mut line)?;
        left = left.saturating_sub(bytes - from);
        place = Place { first, bytes };
        if !is_end || (left == 0 && number + 1 < count) {
            return Ok(Followed { place, has_gap, is_more: true });
        }
    }
    Ok(Followed { place, has_gap, is_more: false })
}

/// The rotated files from the one that was read last on, oldest first; whether it is that one. None, if that one is not there.
fn rotated(path: &Path, last: &Place) -> io::Result<Vec<(File, bool)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut beside: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_rotated = entry.file_name().to_str().is_some_and(|other| {
            other.len() > name.len()
                && other.starts_with(name)
                && other[name.len()..].starts_with(['.', '-'])
                && ![".gz", ".xz", ".bz2", ".zst"].iter().any(|ending| other.ends_with(ending))
        });
        if is_rotated && entry.file_type()?.is_file() {
            beside.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    beside.sort();
    let mut found = Vec::new();
    for (_, path) in beside {
        let mut file = File::open(path)?;
        let is_it = found.is_empty() && first_line(&mut file)? == last.first && file.metadata()?.len() >= last.bytes;
        if is_it || !found.is_empty() {
            found.push((file, is_it));
        }
    }
    Ok(found)
}

/// The digest of a file's first line, or of as much of it as a line may have; empty, as long as that is not there.
fn first_line(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    BufReader::new(&mut *file).take(LINE_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.last() != Some(&b'\n') && (bytes.len() as u64) < LINE_MAX {
        return Ok(String::new());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    Ok(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Reads whole lines from here on, about so many bytes of them. How far it is read then, and whether that is its end for now.
fn lines(mut file: File, from: u64, bytes_max: u64, each: &mut impl FnMut(&str)) -> io::Result<(u64, bool)> {
    file.seek(SeekFrom::Start(from))?;
    let (mut reader, mut at, mut bytes) = (BufReader::new(file), from, Vec::new());
    while at - from < bytes_max {
        bytes.clear();
        let read = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes)? as u64;
        if bytes.last() != Some(&b'\n') {
            if read < LINE_MAX {
                return Ok((at, true));
            }
            let rest = pass_over(&mut reader)?;
            let Some(rest) = rest else { return Ok((at, true)) };
            at += read + rest;
            continue;
        }
        at += read;
        each(String::from_utf8_lossy(&bytes).trim_end());
    }
    Ok((at, reader.fill_buf()?.is_empty()))
}

/// Passes over the rest of a line: how many bytes; none, if it has no end yet.
fn pass_over(reader: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut passed = 0;
    loop {
        let (used, is_end) = {
            let bytes = reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (bytes.len(), false),
            }
        };
        reader.consume(used);
        passed += used as u64;
        if is_end {
            return Ok(Some(passed));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Log {
        folder: tempfile::TempDir,
        last: Option<Place>,
    }

    impl Log {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), last: None }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, text: &str) {
            let mut file = File::options().append(true).create(true).open(self.path("mail.log")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn portion(&mut self, bytes_max: u64, all: &mut Vec<String>) -> Followed {
            let path = self.path("mail.log");
            let followed = follow(&path, self.last.as_ref(), bytes_max, |line| all.push(line.to_owned())).unwrap();
            self.last = Some(followed.place.clone());
            followed
        }

        fn read(&mut self) -> (Vec<String>, bool) {
            let mut all = Vec::new();
            let followed = self.portion(u64::MAX, &mut all);
            assert!(!followed.is_more);
            (all, followed.has_gap)
        }

        fn rotate(&self, to: &str) {
            fs::rename(self.path("mail.log"), self.path(to)).unwrap();
            // Files are told apart by when they were written last.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    #[test]
    fn each_line_is_read_once() {
        let mut log = Log::new();
        log.write("");
        assert_eq!(log.read(), (vec![], false));
        log.write("one\ntw");
        assert_eq!(log.read(), (vec!["one".to_owned()], false));
        assert_eq!(log.read(), (vec![], false));
        log.write("o\nthree\n");
        assert_eq!(log.read(), (vec!["two".to_owned(), "three".to_owned()], false));
    }

    #[test]
    fn what_was_rotated_is_read_to_its_end_first() {
        let mut log = Log::new();
        log.write("one\n");
        log.read();
        log.write("two\n");
        log.rotate("mail.log.1");
        log.write("three\n");
        assert_eq!(log.read(), (vec!["two".to_owned(), "three".to_owned()], false));
        // Twice since it was last read.
        log.write("four\n");
        log.rotate("mail.log-20261127");
        log.write("five\n");
        log.rotate("mail.log-20261128");
        log.write("six\n");
        assert_eq!(log.read(), (["four", "five", "six"].map(str::to_owned).to_vec(), false));
    }

    #[test]
    fn a_gap_is_told() {
        let mut log = Log::new();
        log.write("one\n");
        log.read();
        log.write("two\n");
        log.rotate("mail.log.1.gz");
        log.write("three\n");
        assert_eq!(log.read(), (vec!["three".to_owned()], true));
        // One that was cut off and written anew.
        fs::write(log.path("mail.log"), "four\n").unwrap();
        assert_eq!(log.read(), (vec!["four".to_owned()], true));
    }

    /// Read while the new file is empty yet: what is still written to the old one, and what is rotated next, is read.
    #[test]
    fn an_empty_new_log_is_no_beginning() {
        let mut log = Log::new();
        log.write("one\n");
        log.read();
        log.rotate("mail.log.1");
        log.write("");
        assert_eq!(log.read(), (vec![], false));
        fs::write(log.path("mail.log.1"), "one\ntwo\n").unwrap();
        assert_eq!(log.read(), (vec!["two".to_owned()], false));
        log.write("three\n");
        fs::remove_file(log.path("mail.log.1")).unwrap();
        assert_eq!(log.read(), (vec!["three".to_owned()], true), "something may have been in it");
    }

    #[test]
    fn a_long_log_is_read_in_portions() {
        let mut log = Log::new();
        log.write("one\ntwo\nthree\n");
        let mut all = Vec::new();
        assert!(log.portion(5, &mut all).is_more);
        log.rotate("mail.log.1");
        log.write("four\n");
        let mut portions = 1;
        while log.portion(5, &mut all).is_more {
            portions += 1;
        }
        assert_eq!(all, ["one", "two", "three", "four"]);
        assert!(portions >= 2, "{portions}");
        let mut more = Vec::new();
        assert!(!log.portion(5, &mut more).is_more && more.is_empty());
    }

    #[test]
    fn an_endless_line_is_passed_over() {
        let mut log = Log::new();
        log.write("one\n");
        log.read();
        log.write(&"x".repeat(LINE_MAX as usize + 5));
        assert_eq!(log.read(), (vec![], false));
        log.write("\ntwo\n");
        assert_eq!(log.read(), (vec!["two".to_owned()], false));
    }
}
