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
    /// Was all read that was written since the last time? Else something may have been written that nobody can read any more. The first
    /// reading goes on from nothing, and has no gap.
    pub has_gap: bool,
}

/// Reads the whole lines that were written to a log since it was read to this place, oldest first. A log that was rotated is found by its
/// first line beside the new one, as `mail.log.1` or `mail.log-20261127`; compressed ones can't be read.
///
/// A line that is not whole yet is left for the next time.
pub fn follow(path: &Path, last: Option<&Place>, mut line: impl FnMut(&str)) -> io::Result<Followed> {
    let mut now = File::open(path)?;
    let first = first_line(&mut now)?;
    let known = last.filter(|last| !last.first.is_empty());
    let Some(last) = known else {
        let bytes = lines(now, 0, &mut line)?;
        return Ok(Followed { place: Place { first, bytes }, has_gap: false });
    };
    if first == last.first && now.metadata()?.len() >= last.bytes {
        let bytes = lines(now, last.bytes, &mut line)?;
        return Ok(Followed { place: Place { first, bytes }, has_gap: false });
    }
    let mut has_gap = true;
    for (older, is_it) in rotated(path, last)? {
        let from = if is_it { last.bytes } else { 0 };
        lines(older, from, &mut line)?;
        has_gap = false;
    }
    let bytes = lines(now, 0, &mut line)?;
    Ok(Followed { place: Place { first, bytes }, has_gap })
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

/// The digest of a file's first line; empty, as long as that is not whole.
fn first_line(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    BufReader::new(&mut *file).take(LINE_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.last() != Some(&b'\n') {
        return Ok(String::new());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    Ok(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Reads whole lines from here on. How far it is read then.
fn lines(mut file: File, from: u64, each: &mut impl FnMut(&str)) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let (mut reader, mut at, mut bytes) = (BufReader::new(file), from, Vec::new());
    loop {
        bytes.clear();
        let read = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes)? as u64;
        if bytes.last() != Some(&b'\n') {
            if read < LINE_MAX {
                return Ok(at);
            }
            let rest = pass_over(&mut reader)?;
            let Some(rest) = rest else { return Ok(at) };
            at += read + rest;
            continue;
        }
        at += read;
        each(String::from_utf8_lossy(&bytes).trim_end());
    }
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

        fn read(&mut self) -> (Vec<String>, bool) {
            let mut all = Vec::new();
            let followed =
                follow(&self.path("mail.log"), self.last.as_ref(), |line| all.push(line.to_owned())).unwrap();
            self.last = Some(followed.place);
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
