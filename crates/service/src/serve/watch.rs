//! Being told of changes: sources that say when something happened are waited for, so that it arrives within seconds and not with
//! the next cycle only. Who watches whom is in the database, so that all processes together keep to an endpoint's connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connector::Connector;
use jiff::Timestamp;
use store::{MailboxRow, ProjectKey, Store};
use tokio::task::JoinHandle;

use super::loaded::Loaded;

/// How long a mailbox is watched without a sign of life of who watches it.
const LASTS: Duration = Duration::from_secs(60);
/// How often that sign is given, and more is taken on.
const TEND_EVERY: Duration = Duration::from_secs(15);
/// How long changes that follow each other are gathered.
const GATHERED: Duration = Duration::from_secs(1);

/// What a process watches.
pub(crate) struct Watches {
    store: Store,
    holder: String,
    watched: HashMap<(ProjectKey, i64), Watched>,
    tended: Option<Instant>,
}

struct Watched {
    version: i64,
    row: MailboxRow,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watches {
    pub(crate) fn new(store: Store, holder: &str) -> Self {
        Self { store, holder: holder.to_owned(), watched: HashMap::new(), tended: None }
    }

    /// Goes on with what is watched, ends what is not to be watched any more, and takes on what is, in these projects.
    pub(crate) async fn tend(&mut self, projects: &[Arc<Loaded>], now: Timestamp) {
        if self.tended.is_some_and(|at| at.elapsed() < TEND_EVERY) {
            return;
        }
        self.tended = Some(Instant::now());
        let is_current = |key: ProjectKey, version| projects.iter().any(|p| p.key == key && p.version == version);
        self.watched.retain(|(key, _), watched| is_current(*key, watched.version) && !watched.task.is_finished());
        for project in projects.iter().filter(|project| !project.watching.is_empty()) {
            // Without the database nobody is told anything, and what is watched is taken on anew once it is back.
            if let Err(error) = self.tend_project(project, now).await {
                tracing::debug!(organisation = project.code, %error, "watching could not be gone on with");
                self.watched.retain(|(key, _), _| *key != project.key);
            }
        }
    }

    async fn tend_project(&mut self, project: &Arc<Loaded>, now: Timestamp) -> Result<(), store::Error> {
        let (key, lasts_ms) = (project.key, LASTS.as_millis() as i64);
        // Nothing is open where nothing may be opened now.
        let pauses = self.store.pauses(key).await?;
        let mut closed = project.closed_endpoints(now);
        closed.extend(project.paused_endpoints(&pauses));
        self.watched.retain(|(of, _), watched| {
            *of != key
                || !(closed.contains(&watched.row.roster.source_endpoint)
                    || project.is_stopped_by(&pauses, &watched.row))
        });
        let renewed = self.store.renew_watches(key, &self.holder, lasts_ms).await?;
        self.watched.retain(|(of, mailbox), _| *of != key || renewed.contains(mailbox));
        for mailbox in renewed {
            if !self.watched.contains_key(&(key, mailbox)) {
                self.store.end_watch(key, mailbox, &self.holder).await?;
            }
        }
        for (endpoint, (connector, max)) in project.watching.iter().filter(|(endpoint, _)| !closed.contains(endpoint)) {
            for row in self.store.claim_watches(key, *endpoint, &self.holder, *max, lasts_ms).await? {
                if project.is_stopped_by(&pauses, &row) {
                    continue;
                }
                let watching = watch(self.store.clone(), project.clone(), connector.clone(), row.mailbox);
                let number = row.mailbox;
                let watched = Watched { version: project.version, row, task: tokio::spawn(watching) };
                self.watched.insert((key, number), watched);
            }
        }
        Ok(())
    }

    /// Ends all.
    pub(crate) fn end(&mut self) {
        self.watched.clear();
    }
}

/// Watches a mailbox until its source breaks off, or tells nobody.
async fn watch(store: Store, project: Arc<Loaded>, connector: Arc<dyn Connector>, mailbox: i64) {
    let key = project.key;
    let ended = async {
        let Some(mut watcher) =
            project.engine.watcher(mailbox, &*connector).await.map_err(|error| error.to_string())?
        else {
            // Nobody is told here: it stays taken until this process ends, so that it is not tried again and again.
            return std::future::pending::<Result<(), String>>().await;
        };
        // What happened since the last pass and before anybody waited.
        store.changed(key, mailbox).await.map_err(|error| error.to_string())?;
        loop {
            watcher.changed().await.map_err(|error| error.to_string())?;
            tokio::time::sleep(GATHERED).await;
            store.changed(key, mailbox).await.map_err(|error| error.to_string())?;
        }
    };
    if let Err(why) = ended.await {
        tracing::debug!(
            organisation = project.code,
            mailbox,
            why,
            "a watch ended; the mailbox is looked at in its cycle"
        );
    }
}
