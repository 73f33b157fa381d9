//! The reading side of a pass: a task that reads the source and examines every item, ahead of whoever writes.
//!
//! How far ahead is bounded by the room for bodies, not by the number of items.

use connector::{Error, Event, Holds, Item, ReadFolder, Reading, Source};
use model::{Examiner, Findings, FolderPath, ItemId};
use tokio::sync::mpsc;

/// Lists of events that may wait for the writer.
const EVENTS_AHEAD: usize = 8;

/// An item with what its bytes showed.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) item: Item,
    pub(crate) found: Findings,
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
    pub(crate) fn start(mut source: Box<dyn Source>, task: Task, holds: Holds) -> Self {
        let (sender, arrivals) = mpsc::channel(EVENTS_AHEAD);
        let work = tokio::spawn(async move {
            let result = read(source.as_mut(), task, &holds, &sender).await;
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
    sender: &mpsc::Sender<Vec<Arrival>>,
) -> Result<(), Error> {
    let mut reading = match task {
        Task::Folders(plan) => source.read(plan, holds).await?,
        Task::Items(folder, ids) => source.items(&folder, &ids, holds).await?,
    };
    loop {
        let arrivals = next(reading.as_mut()).await?;
        if arrivals.is_empty() || sender.send(arrivals).await.is_err() {
            return Ok(());
        }
    }
}

/// The next events, items examined; empty at the end.
pub(crate) async fn next(reading: &mut dyn Reading) -> Result<Vec<Arrival>, Error> {
    let mut arrivals = Vec::new();
    for event in reading.next().await? {
        arrivals.push(match event {
            Event::Item(item) => match examine(&item).await {
                Ok(found) => Arrival::Item(Box::new(Examined { item, found })),
                Err(error) => Arrival::Event(Event::Unreadable { id: item.id, error }),
            },
            other => Arrival::Event(other),
        });
    }
    Ok(arrivals)
}

/// What an item's bytes show.
pub(crate) async fn examine(item: &Item) -> Result<Findings, Error> {
    let mut examiner = Examiner::new(item.kind);
    let mut reader = item.body.reader();
    while let Some(piece) = reader.next().await? {
        examiner.feed(&piece);
    }
    Ok(examiner.finish())
}
