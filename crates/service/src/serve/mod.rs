//! The service: projects kept in step by themselves, by one process or by many.
//!
//! `whimbrel serve` answers for projects: it reads their folders, puts what workers need into the database (sealed), does what is to be
//! done at times, and works itself. `whimbrel worker` is hands alone: it knows a database and a key. Nothing is held by a process that
//! another can't take over: what is due stands in the mailboxes' rows, and a lease that runs out frees what a dead process held.

mod bundle;
mod chores;
mod hours;
mod http;
mod loaded;
mod numbers;
mod pace;
mod publish;
mod seal;
mod watch;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use movement::Holder;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch as channel;

pub(crate) use hours::{Gate, Hours, Opening};
pub(crate) use pace::EndpointPace;
pub(crate) use worker::machine;

use crate::project::random_text;
use crate::secret::Environment;
use crate::{Error, Exit, Project};
use numbers::Numbers;
use publish::Published;
use seal::Seal;
use worker::Worker;

/// How often a service looks at the folders of its projects and at what is to be done.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// The file of the key in the first project's folder, where nothing else is said.
const KEY_FILE: &str = "service.key";
/// The environment variable that holds the address of a worker's database.
const DATABASE_VARIABLE: &str = "WHIMBREL_DATABASE";

/// What `whimbrel serve` is told.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The folders of the projects; the first says which database.
    pub projects: Vec<PathBuf>,
    /// The file of the key; made where it is not there. `service.key` in the first project's folder, when nothing is said.
    pub key: Option<PathBuf>,
    /// Mailboxes that this process works on at once; 0: none, workers do that.
    pub at_once: usize,
    /// Where metrics and health are answered.
    pub listen: Option<SocketAddr>,
}

/// What `whimbrel worker` is told.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The address of the database; the environment's `WHIMBREL_DATABASE` when nothing is said.
    pub database: Option<String>,
    /// The file of the key; the environment's `WHIMBREL_KEY` when nothing is said.
    pub key: Option<PathBuf>,
    /// Mailboxes at once.
    pub at_once: usize,
    /// Where metrics and health are answered.
    pub listen: Option<SocketAddr>,
}

/// Keeps projects in step until it is told to stop. Whether somebody asked this process to finish and end is in its exit code.
pub async fn serve(
    options: &ServeOptions,
    environment: Environment<'_>,
    stop: channel::Receiver<bool>,
) -> Result<Exit, Error> {
    let Some(first) = options.projects.first() else {
        return Err(Error::usage("no project to serve").advise("name its folder with --project"));
    };
    let in_folder = first.join(KEY_FILE);
    let key_file = match &options.key {
        Some(file) => Some(file.as_path()),
        None if environment(seal::KEY_VARIABLE).is_some() => None,
        None => Some(in_folder.as_path()),
    };
    // A folder that is no project is said to be none before anything is made in it.
    for folder in &options.projects {
        crate::Config::read(folder)?;
    }
    let seal = Seal::open(key_file, environment, true)?;
    let listener = listen(options.listen).await?;
    let unique = random_text()?;
    let holder = Holder::this_process(&unique);
    let (mut published, mut store) = (Vec::<Published>::new(), None);
    for folder in &options.projects {
        let begun = Published::begin(folder, store.as_ref(), &seal, environment, &holder);
        let (project, opened) = Box::pin(begun).await?;
        if published.iter().any(|other| other.key() == project.key()) {
            let what = format!("{} is a project that was named already", folder.display());
            return Err(Error::usage(what).advise("give each project its organisation's code, or a name of its own"));
        }
        published.push(project);
        store = Some(opened);
    }
    let Some((_, store)) = store else { unreachable!("there is a first project") };
    let numbers = Arc::new(Numbers::default());
    let answering = listener.map(|listener| tokio::spawn(http::answer(listener, numbers.clone(), store.clone())));
    let worker = Worker {
        store: store.clone(),
        seal: Seal::open(key_file, environment, false)?,
        kind: worker::SERVE,
        unique: unique.clone(),
        slots: options.at_once,
        numbers,
        stop: stop.clone(),
    };
    let (over, work) = channel::channel(());
    let working = tokio::spawn(async move {
        let _over = over;
        worker.run().await
    });
    let projects: Projects = Mutex::new(published.iter().map(|published| published.project.clone()).collect());
    let publishing = publish(&mut published, &projects, &seal, environment, (stop.clone(), &work), &holder);
    let tending = tend(&projects, environment, (stop, &work), &unique);
    Box::pin(async { tokio::join!(publishing, tending) }).await;
    let ended = working.await.map_err(|error| Error {
        exit: Exit::Internal,
        rule: None,
        what: format!("the work came to a sudden end: {error}"),
        advice: None,
    });
    if let Some(answering) = answering {
        answering.abort();
    }
    for project in &published {
        if let Err(error) = project.end(&holder).await {
            tracing::warn!(error = error.what, "the end of the service could not be written down");
        }
    }
    store.close().await;
    ended
}

/// The projects as they were read last, for what is done beside the reading.
type Projects = Mutex<Vec<Arc<Project>>>;

/// Reads the projects anew as they change, and makes due what is to be kept in step, until the work ends.
async fn publish(
    published: &mut [Published],
    projects: &Projects,
    seal: &Seal,
    environment: Environment<'_>,
    (mut stop, work): (channel::Receiver<bool>, &channel::Receiver<()>),
    holder: &Holder,
) {
    let mut is_ours = vec![true; published.len()];
    while !*stop.borrow() && goes_on(work) {
        for (place, project) in published.iter_mut().enumerate() {
            let tended = async {
                let was_ours = std::mem::replace(&mut is_ours[place], project.hold_on(holder).await?);
                if !is_ours[place] {
                    if was_ours {
                        let code = &project.project.config.code;
                        tracing::error!(organisation = %code, "another service answers for this project by now");
                    }
                    return Ok::<(), store::Error>(());
                }
                Box::pin(project.tend(seal, environment)).await?;
                lock(projects)[place] = project.project.clone();
                project.project.store.make_due(project.key()).await.map(drop)
            };
            if let Err(error) = Box::pin(tended).await {
                tracing::warn!(%error, "the database failed; the projects are tended again when it answers");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TEND_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Does what is to be done at times, until the work ends. What one project has to wait for is nothing to the reading of another.
async fn tend(
    projects: &Projects,
    environment: Environment<'_>,
    (mut stop, work): (channel::Receiver<bool>, &channel::Receiver<()>),
    holder: &str,
) {
    while !*stop.borrow() && goes_on(work) {
        let now = lock(projects).clone();
        for project in now {
            if let Err(error) = chores::tend(&project, holder, environment).await {
                tracing::warn!(%error, "the database failed; what is to be done is done when it answers");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TEND_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Does the work go on? Its end is seen however it comes: with it the other end of the channel is gone.
fn goes_on(work: &channel::Receiver<()>) -> bool {
    work.has_changed().is_ok()
}

fn lock(projects: &Projects) -> MutexGuard<'_, Vec<Arc<Project>>> {
    projects.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works for the services of a database until it is told to stop, or to finish and end.
pub async fn work(
    options: &WorkerOptions,
    environment: Environment<'_>,
    stop: channel::Receiver<bool>,
) -> Result<Exit, Error> {
    let address = options.database.clone().or_else(|| environment(DATABASE_VARIABLE)).ok_or_else(|| {
        Error::usage("a worker needs the address of a database")
            .advise(format!("give it with --database, or in {DATABASE_VARIABLE}, where other users can't see it"))
    })?;
    if address.starts_with("sqlite:") {
        return Err(Error::usage("workers share a PostgreSQL; a SQLite file is for one process")
            .advise("let whimbrel serve alone work on it, with --at-once, or move the projects to PostgreSQL"));
    }
    let seal = Seal::open(options.key.as_deref(), environment, false)?;
    let listener = listen(options.listen).await?;
    let store = Store::open(&address).await?;
    let numbers = Arc::new(Numbers::default());
    let answering = listener.map(|listener| tokio::spawn(http::answer(listener, numbers.clone(), store.clone())));
    let slots = options.at_once;
    let worker = Worker { store: store.clone(), seal, kind: "worker", unique: random_text()?, slots, numbers, stop };
    let exit = worker.run().await;
    if let Some(answering) = answering {
        answering.abort();
    }
    store.close().await;
    Ok(exit)
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    let Some(address) = address else { return Ok(None) };
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "numbers of every organisation are answered there without a login: let nobody else reach it");
    }
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| {
        Error::usage(format!("nothing can be answered at {address}: {error}")).advise("give another port with --listen")
    })?;
    Ok(Some(listener))
}
