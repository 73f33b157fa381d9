//! The file, replaced whole: written beside, made durable, and renamed. One writer at a time.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use connector::{Door, Effect, Error, Retry};
use model::{Cause, Scope};

/// The largest file that is read: a hundred thousand people have some 4 MB.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often a lock that another has is tried.
const LOCK_TRIED_EVERY: Duration = Duration::from_millis(25);

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    use io::ErrorKind as Kind;
    let cause = match error.kind() {
        Kind::NotFound => Cause::Missing,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Cause::Permission,
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Cause::OverQuota,
        _ => Cause::Unavailable,
    };
    Error::new(cause, Scope::Mailbox, format!("{what} {}: {error}", path.display()))
}

/// Runs what waits for a disk elsewhere. It goes on when whoever waits is gone.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let stopped = |_| Error::new(Cause::Internal, Scope::Run, "work on a file was stopped");
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

/// Refuses what is no file of its own: through a link a rename would put it elsewhere than where Dovecot reads it.
fn plain(path: &Path) -> Result<Metadata, Error> {
    let metadata = fs::symlink_metadata(path).map_err(|error| failed("cannot look at", path, &error))?;
    if metadata.is_file() && metadata.nlink() == 1 {
        return Ok(metadata);
    }
    let what =
        format!("{} is a link, or no plain file: name the file itself, here and in Dovecot's settings", path.display());
    Err(Error::new(Cause::Unsupported, Scope::Run, what))
}

/// The file's bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    plain(path).map_err(|mut error| {
        if error.cause == Cause::Missing {
            error.what = format!("{}; make it, empty, and have Dovecot deny by it", error.what);
        }
        error
    })?;
    let wrong = |error: &io::Error| failed("cannot read", path, error);
    let file = File::open(path).map_err(|error| wrong(&error))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > BYTES_MAX {
        let what = format!("{} has more than {BYTES_MAX} bytes", path.display());
        return Err(Error::new(Cause::TooLarge, Scope::Run, what));
    }
    Ok(bytes)
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// That nobody else writes the file.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Waits until nobody else writes this file.
pub(crate) async fn lock(path: &Path, wait_max: Duration) -> Result<Lock, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let file = blocking({
        let lock = lock.clone();
        move || {
            let mut options = File::options();
            options.create(true).truncate(false).write(true).mode(0o600);
            options.open(&lock).map_err(|error| failed("cannot lock by", &lock, &error))
        }
    })
    .await?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(fs::TryLockError::Error(error)) => return Err(failed("cannot lock", &lock, &error)),
            Err(fs::TryLockError::WouldBlock) if began.elapsed() < wait_max => {}
            Err(fs::TryLockError::WouldBlock) => {
                let what = format!("somebody else has had {} locked for {} s", lock.display(), wait_max.as_secs());
                return Err(Error::new(Cause::Unavailable, Scope::Mailbox, what));
            }
        }
        tokio::time::sleep(LOCK_TRIED_EVERY).await;
    }
}

/// Puts these bytes in the place of those, if the file still holds them.
pub(crate) async fn replace(path: &Path, old: Vec<u8>, new: Vec<u8>, door: &dyn Door) -> Result<(), Error> {
    let place = path.to_owned();
    let prepared = blocking({
        let path = place.clone();
        move || prepare(&path, &new)
    })
    .await?;
    // Whoever edits it without our lock is told before anything is changed.
    blocking({
        let path = place.clone();
        move || if read(&path)? == old { Ok(()) } else { Err(changed(&path)) }
    })
    .await?;
    door.before(Effect::Access)?;
    let renamed = blocking(move || {
        prepared.persist(&place).map_err(|error| failed("cannot replace", &place, &error.error))?;
        let synced = File::open(folder(&place)).and_then(|folder| folder.sync_all());
        synced.map_err(|error| failed("cannot make durable", folder(&place), &error))
    })
    .await;
    door.after(Effect::Access);
    renamed.map_err(|error| Error { cause: Cause::InDoubt, retry: Retry::Now, ..error })
}

fn changed(path: &Path) -> Error {
    let what = format!("somebody else has changed {} just now: theirs stays", path.display());
    Error::new(Cause::Unavailable, Scope::Mailbox, what).retry(Retry::Now)
}

/// Writes a file beside this one, with its owner and mode, and makes it durable.
fn prepare(path: &Path, bytes: &[u8]) -> Result<tempfile::TempPath, Error> {
    let like = plain(path)?;
    let write = || {
        let prefix = format!(".{}.whimbrel-", path.file_name().unwrap_or_default().to_string_lossy());
        let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder(path))?;
        file.write_all(bytes)?;
        let own = file.as_file().metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(file.as_file(), Some(like.uid()), Some(like.gid()))?;
        }
        file.as_file().set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
        // Dovecot sees a change by size and whole seconds.
        let after = like.modified()? + Duration::from_secs(1);
        file.as_file().set_modified(after.max(SystemTime::now()))?;
        file.as_file().sync_all()?;
        Ok(file.into_temp_path())
    };
    write().map_err(|error| failed("cannot write beside", path, &error))
}

/// May a file be replaced in this one's folder?
pub(crate) fn may_write(path: &Path) -> Result<(), Error> {
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(folder(path), access).map_err(|error| failed("cannot write to", folder(path), &error.into()))
}
