//! The reading side of a pass: a task that reads the source and examines every item, ahead of whoever writes.
//!
//! How far ahead is bounded by the room for bodies, not by the number of items.

use connector::{Error, Event, Holds, Item, ReadFolder, Reading, Source};
use model::{Findings, FolderPath, ItemId};
use store::Treatment;
use tokio::sync::mpsc;

use crate::travel::{Travel, examine};

/// Lists of events that may wait for the writer.
const EVENTS_AHEAD: usize = 8;

/// An item as it travels, with what its bytes showed.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) item: Item,
    pub(crate) found: Findings,
    /// What the policy made of it, if anything special.
    pub(crate) treatment: Option<Treatment>,
    /// What the scanner found in it.
    pub(crate) malware: Option<String>,
    /// What the target was known to change or refuse when this was made of it.
    pub(crate) knew: u8,
    /// When the source says that it was received (seconds since 1970): it may travel with another date.
    pub(crate) source_received: Option<i64>,
}

/// What arrives from the source.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// An item, read and examined.
    Item(Box<Examined>),
    /// Anything else.
    Event(Event),
}

/// What the reader is to read.
pub(crate) enum Task {
    /// Folders, from their cursors on.
    Folders(Vec<ReadFolder>),
    /// Items of one folder.
    Items(FolderPath, Vec<ItemId>),
}

/// A reader at work. The source comes back when it is done.
pub(crate) struct Reader {
    pub(crate) arrivals: mpsc::Receiver<Vec<Arrival>>,
    work: tokio::task::JoinHandle<(Box<dyn Source>, Result<(), Error>)>,
}

impl Reader {
    /// Sets a source to read.
    pub(crate) fn start(mut source: Box<dyn Source>, task: Task, holds: Holds, travel: Travel) -> Self {
        let (sender, arrivals) = mpsc::channel(EVENTS_AHEAD);
        let work = tokio::spawn(async move {
            let result = read(source.as_mut(), task, &holds, &travel, &sender).await;
            (source, result)
        });
        Self { arrivals, work }
    }

    /// Breaks the reading off; its session with it.
    pub(crate) fn break_off(self) {
        self.work.abort();
    }

    /// The source, and how the reading ended. To be called when nothing arrives any more.
    pub(crate) async fn finish(self) -> (Option<Box<dyn Source>>, Result<(), Error>) {
        match self.work.await {
            Ok((source, result)) => (Some(source), result),
            Err(stopped) => {
                let what = format!("the reader ended: {stopped}");
                (None, Err(Error::new(model::Cause::Internal, model::Scope::Mailbox, what)))
            }
        }
    }
}

async fn read(
    source: &mut dyn Source,
    task: Task,
    holds: &Holds,
    travel: &Travel,
    sender: &mpsc::Sender<Vec<Arrival>>,
) -> Result<(), Error> {
    let mut reading = match task {
        Task::Folders(plan) => source.read(plan, holds).await?,
        Task::Items(folder, ids) => source.items(&folder, &ids, holds).await?,
    };
    loop {
        let arrivals = next(reading.as_mut(), Some((travel, holds))).await?;
        if arrivals.is_empty() || sender.send(arrivals).await.is_err() {
            return Ok(());
        }
    }
}

/// The next events, items examined; empty at the end. With a policy: items as they travel.
pub(crate) async fn next(reading: &mut dyn Reading, travel: Option<(&Travel, &Holds)>) -> Result<Vec<Arrival>, Error> {
    let mut arrivals = Vec::new();
    for event in reading.next().await? {
        arrivals.push(match event {
            Event::Item(item) => {
                let made = match travel {
                    Some((travel, holds)) => travel.make(item, holds).await,
                    None => match examine(item.kind, &item.body).await {
                        Ok(found) => {
                            let source_received = item.received.map(|at| at.unix_seconds);
                            Ok(Examined { item, found, treatment: None, malware: None, knew: 0, source_received })
                        }
                        Err(error) => Err((item, error)),
                    },
                };
                match made {
                    Ok(examined) => Arrival::Item(Box::new(examined)),
                    // It says nothing about the item: what comes after it would fare the same.
                    Err((_, error)) if error.ends_session() => return Err(error),
                    Err((item, error)) => Arrival::Event(Event::Unreadable { id: item.id, error }),
                }
            }
            other => Arrival::Event(other),
        });
    }
    Ok(arrivals)
}
