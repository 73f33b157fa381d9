//! A platform that has only a portal, opened: its report of users is read like any directory that is a file, and files leave to it in
//! one of two ways. What is in them, and when one may leave, is decided elsewhere.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use connector::{
    Directory, DirectoryCursor, DirectoryDeclaration, DirectoryRead, Door, Effect, EntrySink, Error, Finding, Topic,
};
use mailer::{Enclosure, Letter, Mailer};
use model::{Cause, Digest, Scope};
use rustix::fs::{CWD, RenameFlags};
use store::NewUpload;
use table::{FileConfig, FileDirectory};

use crate::config::PortalEntry;

/// How files get to the portal.
pub(crate) enum Way {
    /// Somebody uploads them from this folder.
    Folder(PathBuf),
    /// They are mailed.
    Mail {
        /// To the platform's address for them.
        to: String,
        /// By whom.
        from: String,
        /// The connector's key: the whole subject.
        key: String,
        /// Who sends them.
        mailer: Arc<dyn Mailer>,
    },
}

/// A platform that has only a portal.
pub(crate) struct Portal {
    pub(crate) entry: PortalEntry,
    report: FileDirectory,
    report_path: PathBuf,
    way: Way,
}

impl Portal {
    /// The portal of a project in this folder.
    pub(crate) fn new(entry: PortalEntry, folder: &Path, way: Way) -> Self {
        let report = FileConfig {
            path: entry.report.clone(),
            form: entry.form.clone(),
            map: entry.map.clone(),
            strict: entry.strict,
            may_be_empty: entry.may_be_empty,
            base: folder.to_owned(),
        };
        let report_path = folder.join(&entry.report);
        Self { entry, report: FileDirectory::new(report), report_path, way }
    }

    /// When the report was written (milliseconds since 1970), as far as its file says.
    pub(crate) fn as_of(&self) -> Option<i64> {
        let written = std::fs::metadata(&self.report_path).and_then(|data| data.modified()).ok()?;
        i64::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    }

    /// Where a file of this number goes, and the Message-ID of its letter. The digest is in both, so that no file ever has the name
    /// of another one.
    pub(crate) fn destination(&self, upload: i64, digest: Digest) -> (String, Option<String>) {
        match &self.way {
            Way::Folder(_) => (file_name(&self.entry.connector, upload, digest), None),
            Way::Mail { to, from, .. } => {
                let domain = from.rsplit('@').next().unwrap_or_default();
                (to.clone(), Some(format!("whimbrel.upload.{upload}.{digest}@{domain}")))
            }
        }
    }

    /// Where a file is, for people.
    pub(crate) fn shown(&self, of: &NewUpload) -> String {
        match &self.way {
            Way::Folder(folder) if of.message_id.is_none() => folder.join(&of.sent_to).display().to_string(),
            Way::Folder(_) | Way::Mail { .. } => of.sent_to.clone(),
        }
    }

    /// Lets a file leave that is on record. Done again it is the same file, in the same place or under the same Message-ID.
    pub(crate) async fn deliver(&self, of: &NewUpload, file: Vec<u8>, at: i64, door: &dyn Door) -> Result<(), Error> {
        let effect = if of.message_id.is_none() { Effect::FileRename } else { Effect::CreateEntry };
        door.before(effect)?;
        match (&self.way, &of.message_id) {
            (Way::Folder(folder), None) => write_once(folder, &of.sent_to, &file)?,
            (Way::Mail { to, from, key, mailer }, Some(message_id)) if *to == of.sent_to => {
                let letter = Letter {
                    from: from.clone(),
                    to: to.clone(),
                    subject: key.clone(),
                    message_id: message_id.clone(),
                    is_automatic: false,
                    in_reply_to: None,
                    at: at / 1000,
                    text: format!("Submission {} of the connector {}.\n", of.upload, self.entry.connector),
                    enclosures: vec![Enclosure {
                        name: file_name(&self.entry.connector, of.upload, of.digest),
                        mime: "text/csv; charset=utf-8",
                        bytes: file,
                    }],
                };
                mailer.send(&letter).await?;
            }
            _ => {
                let what = format!(
                    "submission {} was begun in another way, to {}: set [directories] back until it has its result",
                    of.upload, of.sent_to
                );
                return Err(Error::new(Cause::Unsupported, Scope::Run, what));
            }
        }
        door.after(effect);
        Ok(())
    }
}

fn file_name(connector: &str, upload: i64, digest: Digest) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let connector: String = connector.chars().map(plain).take(40).collect();
    format!("{connector}-{upload:04}-{}.csv", &digest.to_string()[..8])
}

/// Writes a file that nobody else may read, whole or not at all, and never in the place of another one. What a sudden end left half
/// written has a name of its own, which the next run uses again.
fn write_once(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, part) = (folder.join(name), folder.join(format!(".{name}.part")));
    let write = || {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        remove_if_there(&part)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let written = rename_once(&part, &path)? || std::fs::read(&path)? == bytes;
        remove_if_there(&part)?;
        File::open(folder)?.sync_all()?;
        Ok::<_, std::io::Error>(written)
    };
    let failed = |what: String| Error::new(Cause::LocalFile, Scope::Run, what);
    match write() {
        Ok(true) => Ok(()),
        Ok(false) => Err(failed(format!("{} is there already and is another file: move it away", path.display()))),
        Err(error) => Err(failed(format!("{} cannot be written: {error}", path.display()))),
    }
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives a file another name. False: something has that already.
fn rename_once(from: &Path, to: &Path) -> std::io::Result<bool> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // A filesystem that knows no such rename. Nobody else writes such names here.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if !to.try_exists()? => {
            std::fs::rename(from, to).map(|()| true)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl Directory for Portal {
    fn declaration(&self) -> DirectoryDeclaration {
        let makes_live = self.entry.makes_live();
        DirectoryDeclaration {
            platform: "portal",
            writes: false,
            tells_changes: true,
            makes_live,
            // It gives them itself.
            changes_first_passwords: true,
        }
    }

    async fn read(&self, since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        self.report.read(since, sink).await
    }

    async fn check(&self) -> Vec<Finding> {
        let mut findings = self.report.check().await;
        findings.push(Finding::well(
            Topic::Capabilities,
            match &self.way {
                Way::Folder(folder) => format!("files for somebody to upload are written to {}", folder.display()),
                Way::Mail { to, .. } => format!("files are mailed to {to}"),
            },
        ));
        findings
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_written_once_for_its_owner_alone_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = folder.path().join("a/uploads");
        std::fs::create_dir_all(folder.path().join("a")).unwrap();
        DirBuilder::new().mode(0o700).create(&uploads).unwrap();
        std::fs::write(uploads.join(".x.csv.part"), b"on").unwrap();
        write_once(&uploads, "x.csv", b"one").unwrap();
        write_once(&uploads, "x.csv", b"one").unwrap();
        assert!(write_once(&uploads, "x.csv", b"two").unwrap_err().to_string().contains("another file"));
        assert_eq!(std::fs::read(uploads.join("x.csv")).unwrap(), b"one");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&uploads.join("x.csv")), mode(&uploads)), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(&uploads).unwrap().count(), 1, "nothing half written is left");
    }
}
