//! A directory for rehearsals: entries in a file of JSON, which this program alone writes. Nothing of it reaches a platform.

use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use connector::{
    ChangeOutcome, Directory, DirectoryCursor, DirectoryDeclaration, DirectoryInMemory, DirectoryRead, DirectoryTarget,
    Door, EntrySink, Error, Finding, PlannedChange, Topic,
};
use model::{Cause, Entry, Scope};

/// A directory in a file. Each change is in the file before it counts as made.
pub(crate) struct RehearsedDirectory {
    path: PathBuf,
}

impl RehearsedDirectory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn load(&self) -> Result<DirectoryInMemory, Error> {
        let wrong = |what: String| {
            Error::new(Cause::LocalFile, Scope::Run, format!("{} cannot be read: {what}", self.path.display()))
        };
        let entries: Vec<Entry> = match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(wrong(error.to_string())),
        };
        Ok(DirectoryInMemory::with(entries))
    }

    fn save(&self, entries: &[Entry]) -> Result<(), Error> {
        let write = || {
            let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec_pretty(entries)?)?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok::<_, std::io::Error>(())
        };
        write().map_err(|error| {
            Error::new(Cause::LocalFile, Scope::Run, format!("{} cannot be written: {error}", self.path.display()))
        })
    }
}

#[async_trait]
impl Directory for RehearsedDirectory {
    fn declaration(&self) -> DirectoryDeclaration {
        DirectoryDeclaration {
            platform: "rehearsal",
            writes: true,
            tells_changes: false,
            makes_live: false,
            changes_first_passwords: true,
        }
    }

    async fn read(&self, _since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        self.load()?.read(None, sink).await
    }

    async fn check(&self) -> Vec<Finding> {
        match self.load() {
            Ok(_) => vec![Finding::well(Topic::Reach, "a file for rehearsals: nothing of it reaches a platform")],
            Err(error) => vec![Finding::wrong(Topic::Reach, &error)],
        }
    }
}

#[async_trait]
impl DirectoryTarget for RehearsedDirectory {
    async fn apply(&self, changes: &[PlannedChange], door: &dyn Door) -> Result<Vec<ChangeOutcome>, Error> {
        let directory = self.load()?;
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.extend(directory.apply(std::slice::from_ref(change), door).await?);
            self.save(&directory.all())?;
        }
        Ok(outcomes)
    }

    async fn find_origin(&self, origin: &str) -> Result<Vec<Entry>, Error> {
        self.load()?.find_origin(origin).await
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Entry>, Error> {
        self.load()?.entries(keys).await
    }

    async fn holders(&self, addresses: &[String]) -> Result<Vec<Entry>, Error> {
        self.load()?.holders(addresses).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector::{Change, OpenDoor};
    use model::EntryKind;

    #[tokio::test]
    async fn what_was_made_is_there_for_the_next_run_and_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.json");
        let make = async |mail: &str| {
            let mut entry = Entry::new("", EntryKind::Person);
            (entry.mail, entry.origin) = (Some(mail.to_owned()), Some(format!("for {mail}")));
            let change = Change::Create { entry: Box::new(entry), password: None };
            let change = PlannedChange { id: mail.to_owned(), change };
            RehearsedDirectory::new(path.clone()).apply(&[change], &OpenDoor).await.unwrap()
        };
        make("a@x.example").await;
        make("b@x.example").await;
        let again = make("a@x.example").await;
        assert_eq!(
            again,
            [ChangeOutcome::Unchanged { key: "made-1".to_owned() }],
            "its mark is known, so it is made once"
        );
        let directory = RehearsedDirectory::new(path.clone());
        let keys: Vec<String> = directory.load().unwrap().all().into_iter().map(|entry| entry.key).collect();
        assert_eq!(keys, ["made-1", "made-2"]);
        assert_eq!(directory.find_origin("for b@x.example").await.unwrap()[0].key, "made-2");
        std::fs::write(&path, "nonsense").unwrap();
        assert!(directory.entries(&[]).await.is_err());
    }
}
