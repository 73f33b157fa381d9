//! The projects that a service answers for: read from their folders, and put into the database for whoever works on them. What
//! changes in a folder, or is decided by a command, is put there anew; what is wrong is said, and the last good one stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use movement::Holder;
use serde_json::json;
use store::{ProjectKey, Store};

use super::bundle::{Bundle, Folders};
use super::seal::Seal;
use crate::people::People;
use crate::secret::Environment;
use crate::{Config, Error, Exit, PEOPLE_FILE, PROJECT_FILE, Project};

/// How long a service answers for a project without a sign of life.
const HELD: Duration = Duration::from_secs(30);
/// A project is read anew after this long, whether something is seen to have changed or not.
const AFRESH_EVERY: Duration = Duration::from_secs(600);
/// One that could not be read is tried again after this long: it may have been the database.
const FAILED_AGAIN: Duration = Duration::from_secs(10);

/// A project's folder, and what of it was put into the database.
pub(crate) struct Published {
    folder: PathBuf,
    pub(crate) project: Arc<Project>,
    /// What the files looked like, and the last decision, when it was read.
    seen: Seen,
    /// When it is read again, whether something is seen to have changed or not.
    again_at: Instant,
    /// The version that was put last.
    version: Option<i64>,
    /// What was wrong when it was read last: said once.
    wrong: Option<String>,
    /// Where its endpoints of files lie.
    folders: Folders,
}

impl Published {
    /// Reads a project and puts it into the database. The store is opened by the first; all others must be in the same.
    pub(crate) async fn begin(
        folder: &Path,
        store: Option<&(String, Store)>,
        seal: &Seal,
        environment: Environment<'_>,
        holder: &Holder,
    ) -> Result<(Self, (String, Store)), Error> {
        let folder = std::path::absolute(folder)
            .map_err(|error| Error::usage(format!("{} is no path of a folder: {error}", folder.display())))?;
        let config = Project::read_to_work(&folder, environment)?;
        let files = look(&folder, &config, &People::default());
        let (address, store) = open_store(&folder, &config, store, environment).await?;
        // Before anything of it is written: what another service has of it may be newer.
        Self::hold(&store, Project::key_of(&store, &config).await?, holder).await?;
        let project = Box::pin(Project::open_in(store.clone(), config)).await?;
        project.may_migrate()?;
        let detail = json!({ "share": project.config.file.service.share });
        project.store.audit(project.key, &project.actor, "service.began", &detail).await?;
        // The first look finds what was decided meanwhile.
        let (project, seen) = (Arc::new(project), (files, -1));
        let mut published = Self {
            folder,
            project,
            seen: seen.clone(),
            again_at: Instant::now(),
            version: None,
            wrong: None,
            folders: Folders::new(),
        };
        published.put(seal, environment, seen).await?;
        Ok((published, (address, store)))
    }

    /// Answers for the project from now on: one service does. Waits as long as one that came to a sudden end may still count.
    async fn hold(store: &Store, key: ProjectKey, holder: &Holder) -> Result<(), Error> {
        let until = Instant::now() + HELD + Duration::from_secs(5);
        loop {
            let other = store.hold_service(key, holder.as_str(), HELD.as_millis() as i64, Holder::is_dead);
            let Some(other) = other.await? else { return Ok(()) };
            if Instant::now() >= until {
                let what = format!(
                    "another service answers for this project: process {}",
                    crate::usecase::pause::short(&other)
                );
                return Err(Error {
                    exit: Exit::Busy,
                    rule: None,
                    what,
                    advice: Some("stop that one first; whimbrel processes lists them".to_owned()),
                });
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Goes on answering for it. Does it?
    pub(crate) async fn hold_on(&self, holder: &Holder) -> Result<bool, store::Error> {
        let project = &self.project;
        let other = project.store.hold_service(project.key, holder.as_str(), HELD.as_millis() as i64, Holder::is_dead);
        Ok(other.await?.is_none())
    }

    /// Its project.
    pub(crate) fn key(&self) -> ProjectKey {
        self.project.key
    }

    /// Puts the project into the database as it was read. `seen` is what its folder and the decisions were like before it was read:
    /// whatever has come since is read the next time.
    async fn put(&mut self, seal: &Seal, environment: Environment<'_>, seen: Seen) -> Result<(), Error> {
        let project = &self.project;
        let bundle = Bundle::of(project, environment).await?;
        bundle.refuse_moved_folders(&self.folders, &project.config)?;
        let folders = bundle.folders().clone();
        let bundle = bundle.bytes();
        let digest = seal.digest(&bundle);
        let share = i64::from(project.config.file.service.share);
        let listed = project.store.mailboxes(project.key).await?;
        let withheld: Vec<i64> = listed
            .iter()
            .filter(|row| row.listed && (project.withheld(row).is_some() || !project.rows.contains_key(&row.mailbox)))
            .map(|row| row.mailbox)
            .collect();
        project.store.withhold(project.key, &withheld).await?;
        let names = (project.config.code.to_string(), project.config.file.project.clone());
        let sealed = seal.seal(&names, bundle)?;
        let version = project.store.serve(project.key, &digest, &sealed, share).await?;
        if self.version != Some(version) {
            // What mailboxes wait for may have been put right.
            project.store.try_parked(project.key).await?;
        }
        self.version = Some(version);
        (self.folders, self.seen, self.again_at) = (folders, seen, Instant::now() + AFRESH_EVERY);
        Ok(())
    }

    /// Reads it anew if something has changed.
    pub(crate) async fn tend(&mut self, seal: &Seal, environment: Environment<'_>) -> Result<(), store::Error> {
        let now = (
            look(&self.folder, &self.project.config, &self.project.people),
            self.project.store.last_decision(self.project.key).await?,
        );
        if now == self.seen && Instant::now() < self.again_at {
            return Ok(());
        }
        let known = (self.address(environment), self.project.store.clone());
        let read = async {
            let config = Project::read_to_work(&self.folder, environment)?;
            let is = &self.project.config;
            if (&config.code, &config.file.project) != (&is.code, &is.file.project) {
                let what = format!("{PROJECT_FILE}: the organisation's code and the project's name stay as they are");
                return Err(Error::usage(what).advise("stop the service and begin it anew to serve another project"));
            }
            let (_, store) = open_store(&self.folder, &config, Some(&known), environment).await?;
            let project = Box::pin(Project::open_in(store, config)).await?;
            self.project = Arc::new(project);
            self.put(seal, environment, now.clone()).await
        };
        let read = Box::pin(read).await;
        let code = self.project.config.code.to_string();
        match read {
            Ok(()) => {
                if self.wrong.take().is_some() {
                    tracing::info!(organisation = code, "the project can be read again");
                }
            }
            Err(error) => {
                if self.wrong.as_ref() != Some(&error.what) {
                    tracing::error!(
                        organisation = code,
                        error = error.what,
                        "the last good project goes on being served"
                    );
                }
                self.wrong = Some(error.what);
                (self.seen, self.again_at) = (now, Instant::now() + FAILED_AGAIN);
            }
        }
        Ok(())
    }

    /// Ends the serving of it.
    pub(crate) async fn end(&self, holder: &Holder) -> Result<(), Error> {
        let project = &self.project;
        project.store.let_go_service(project.key, holder.as_str()).await?;
        project.store.audit(project.key, &project.actor, "service.ended", &json!({})).await?;
        Ok(())
    }

    fn address(&self, environment: Environment<'_>) -> String {
        crate::project::database(&self.project.config, environment).unwrap_or_default()
    }
}

/// What a project's files look like from outside, and the last decision about it.
type Seen = (Vec<Option<(SystemTime, u64)>>, i64);

fn look(folder: &Path, config: &Config, people: &People) -> Vec<Option<(SystemTime, u64)>> {
    let mut files = vec![folder.join(PROJECT_FILE), folder.join(PEOPLE_FILE)];
    files.extend(config.named_files());
    files.extend(people.named_files().map(|file| folder.join(file)));
    let look = |path: &PathBuf| {
        let facts = std::fs::metadata(path).ok()?;
        Some((facts.modified().ok()?, facts.len()))
    };
    files.iter().map(look).collect()
}

/// The database of a project, with its address: the one that is open, which has to be the same, or opened now.
async fn open_store(
    folder: &Path,
    config: &Config,
    open: Option<&(String, Store)>,
    environment: Environment<'_>,
) -> Result<(String, Store), Error> {
    let address = crate::project::database(config, environment)?;
    match open {
        Some((known, store)) if *known == address => Ok((address, store.clone())),
        Some((known, _)) => {
            let what = format!(
                "{}: its database is {}, and the first project's is {}",
                folder.join(PROJECT_FILE).display(),
                store::shown_address(&address),
                store::shown_address(known)
            );
            Err(Error::usage(what).advise("put the projects into one database, or serve each by a process of its own"))
        }
        None => {
            let store = Store::open(&address).await?;
            Ok((address, store))
        }
    }
}
