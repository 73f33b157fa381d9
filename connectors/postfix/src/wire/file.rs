//! Files, replaced whole: written beside, made durable, and renamed. One writer at a time.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use connector::{Error, Retry};
use model::{Cause, Scope};
use tempfile::TempPath;

/// The largest table that is read and written: a hundred thousand people have some 10 MB.
pub(crate) const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often a lock that another has is tried.
const LOCK_TRIED_EVERY: Duration = Duration::from_millis(25);

/// What went wrong with a file.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    use io::ErrorKind as Kind;
    let cause = match error.kind() {
        Kind::NotFound => Cause::Missing,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Cause::Permission,
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Cause::OverQuota,
        _ => Cause::Unavailable,
    };
    Error::new(cause, Scope::Run, format!("{what} {}: {error}", path.display()))
}

/// Runs what waits for a disk elsewhere. It goes on when whoever waits is gone.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let stopped = |_| Error::new(Cause::Internal, Scope::Run, "work on a file was stopped");
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

/// A file's bytes, of a plain file that is not larger than that.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    bytes(path, bytes_max, rustix::fs::OFlags::NONBLOCK, |_| Ok(())).map(|(bytes, _)| bytes)
}

/// The bytes of a file that is a person's, and the person's number. We may read more than they: so it must be no link, and theirs, or one that
/// everybody may read. Theirs is what belongs to the owner of its folder, and whatever is in a folder of root's.
pub(crate) fn read_theirs(path: &Path, bytes_max: u64) -> Result<(Vec<u8>, u32), Error> {
    let wrong = |error: &io::Error| failed("cannot look at", folder(path), error);
    let owner = fs::metadata(folder(path)).map_err(|error| wrong(&error))?.uid();
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let (bytes, metadata) =
        bytes(path, bytes_max, flags, |metadata| if owner == 0 { Ok(()) } else { may_read(path, metadata, owner) })?;
    Ok((bytes, if owner == 0 { metadata.uid() } else { owner }))
}

/// The bytes of a file that the person of this number has named.
pub(crate) fn read_for(path: &Path, bytes_max: u64, owner: u32) -> Result<Vec<u8>, Error> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    bytes(path, bytes_max, flags, |metadata| may_read(path, metadata, owner)).map(|(bytes, _)| bytes)
}

fn may_read(path: &Path, metadata: &Metadata, owner: u32) -> Result<(), Error> {
    if metadata.uid() == owner || metadata.mode() & 0o004 != 0 {
        return Ok(());
    }
    let what = format!("{} is somebody else's, so it is not read", path.display());
    Err(Error::new(Cause::Permission, Scope::Mailbox, what))
}

fn bytes(
    path: &Path,
    bytes_max: u64,
    flags: rustix::fs::OFlags,
    may_read: impl FnOnce(&Metadata) -> Result<(), Error>,
) -> Result<(Vec<u8>, Metadata), Error> {
    let wrong = |error: &io::Error| failed("cannot read", path, error);
    // Opened without waiting: a pipe in its place would hold us up for ever.
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), flags.bits().cast_signed());
    let file = options.open(path).map_err(|error| wrong(&error))?;
    let metadata = file.metadata().map_err(|error| wrong(&error))?;
    if !metadata.is_file() {
        let what = format!("{} is no plain file", path.display());
        return Err(Error::new(Cause::Unsupported, Scope::Run, what));
    }
    may_read(&metadata)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > bytes_max {
        let what = format!("{} has more than {bytes_max} bytes", path.display());
        return Err(Error::new(Cause::TooLarge, Scope::Run, what));
    }
    Ok((bytes, metadata))
}

/// Refuses what is no file of its own: through a link a rename would put the table elsewhere than where Postfix reads it.
pub(crate) fn plain(path: &Path) -> Result<Metadata, Error> {
    let metadata = fs::symlink_metadata(path).map_err(|error| failed("cannot look at", path, &error))?;
    if metadata.is_file() && metadata.nlink() == 1 {
        return Ok(metadata);
    }
    let what = format!("{} is a link, or no plain file: name the file itself, here and in main.cf", path.display());
    Err(Error::new(Cause::Unsupported, Scope::Run, what))
}

/// A name beside a file's own: with this behind it.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// What the names of our temporary files begin with.
fn temporary(path: &Path) -> String {
    format!(".{}.whimbrel-", path.file_name().unwrap_or_default().to_string_lossy())
}

/// That nobody else writes the table.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Waits until nobody else writes this table. What others left half written is removed then.
pub(crate) async fn lock(path: &Path, wait_max: Duration) -> Result<Lock, Error> {
    let lock = beside(path, ".lock");
    let file = blocking({
        let lock = lock.clone();
        move || {
            let options = || File::options().create(true).truncate(false).write(true).open(&lock);
            options().map_err(|error| failed("cannot lock by", &lock, &error))
        }
    })
    .await?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(fs::TryLockError::Error(error)) => return Err(failed("cannot lock", &lock, &error)),
            Err(fs::TryLockError::WouldBlock) if began.elapsed() < wait_max => {}
            Err(fs::TryLockError::WouldBlock) => {
                let what = format!("somebody else has had {} locked for {} s", lock.display(), wait_max.as_secs());
                return Err(Error::new(Cause::Unavailable, Scope::Run, what));
            }
        }
        tokio::time::sleep(LOCK_TRIED_EVERY).await;
    }
    let path = path.to_owned();
    blocking(move || {
        let prefix = temporary(&path);
        let entries = fs::read_dir(folder(&path)).map_err(|error| failed("cannot list", folder(&path), &error))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // One that stays does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(Lock { _file: file })
    })
    .await
}

/// Writes a file beside this one, with the rights of that one, and makes it durable.
pub(crate) fn prepare(path: &Path, bytes: &[u8], like: &Metadata) -> Result<TempPath, Error> {
    let wrong = |error: &io::Error| failed("cannot write beside", path, error);
    let write = || {
        let mut file = tempfile::Builder::new().prefix(&temporary(path)).tempfile_in(folder(path))?;
        file.write_all(bytes)?;
        give(file.as_file(), like)?;
        file.as_file().sync_all()?;
        Ok(file.into_temp_path())
    };
    write().map_err(|error| wrong(&error))
}

/// Gives a file the owner and the mode of another.
fn give(file: &File, like: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))
}

/// The same for a file that another program has written.
pub(crate) fn adopt(path: &Path, like: &Path) -> Result<TempPath, Error> {
    let settle = || {
        let temp = TempPath::try_from_path(path)?;
        let file = File::open(path)?;
        if let Ok(metadata) = fs::symlink_metadata(like) {
            give(&file, &metadata)?;
        }
        file.sync_all()?;
        Ok(temp)
    };
    settle().map_err(|error| failed("cannot make durable", path, &error))
}

/// Does a file hold these bytes?
pub(crate) fn is_still(path: &Path, before: &[u8]) -> Result<(), Error> {
    if read(path, BYTES_MAX)? == before {
        return Ok(());
    }
    let what = format!("somebody else has changed {} just now: theirs stays", path.display());
    Err(Error::new(Cause::Unavailable, Scope::Mailbox, what).retry(Retry::Now))
}

/// Puts a prepared file in the place of another, if that still holds these bytes.
pub(crate) fn replace(temp: TempPath, path: &Path, before: Option<&[u8]>) -> Result<(), Error> {
    if let Some(before) = before {
        is_still(path, before)?;
    }
    temp.persist(path).map_err(|error| failed("cannot replace", path, &error.error))?;
    durable(path)
}

/// Removes a file, and makes that durable. One that is not there is gone.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("cannot remove", path, &error)),
        _ => durable(path),
    }
}

fn durable(path: &Path) -> Result<(), Error> {
    let folder = folder(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed("cannot make durable", folder, &error))
}

/// May this folder be written to, and this file be replaced in it?
pub(crate) fn may_write(path: &Path) -> Result<(), Error> {
    let folder = folder(path);
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(folder, access).map_err(|error| failed("cannot write to", folder, &error.into()))
}
