//! Endpoints, and the two sides of a mailbox opened together.

use std::cmp::Ordering;
use std::sync::Arc;

use connector::{Clock, Connector, Declaration, Door, Error, Source, Target};
use model::{Cause, Scope};
use store::MailboxRow;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::{Failure, OnSide};
use crate::reach::Reach;
use crate::run::{Engine, Person};

/// An endpoint with its name.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name in the project.
    pub name: String,
    /// What opens mailboxes there.
    pub connector: Arc<dyn Connector>,
    seats: Arc<Semaphore>,
    mailboxes_max: Option<usize>,
    pub(crate) reach: Reach,
}

impl Endpoint {
    /// The endpoint of this name. So many mailboxes may be open there at once; two at least where it is both source and
    /// target of a mailbox.
    pub fn new(name: impl Into<String>, connector: Arc<dyn Connector>, mailboxes_max: Option<usize>) -> Self {
        let max = mailboxes_max.unwrap_or(Semaphore::MAX_PERMITS).clamp(1, Semaphore::MAX_PERMITS);
        let seats = Arc::new(Semaphore::new(max));
        Self { name: name.into(), connector, seats, mailboxes_max, reach: Reach::default() }
    }

    /// How many mailboxes may be open there at once, by all workers together, where that is limited.
    pub fn mailboxes_max(&self) -> Option<usize> {
        self.mailboxes_max
    }

    pub(crate) async fn seats(&self, count: u32) -> Result<OwnedSemaphorePermit, Failure> {
        let closed = |_| Failure::internal("no more mailboxes are opened");
        self.seats.clone().acquire_many_owned(count).await.map_err(closed)
    }
}

/// What came of opening a side.
type Opened<T> = Result<T, Error>;

/// Seats at both endpoints of a mailbox; they are given back when this is dropped.
pub(crate) struct Seats {
    _taken: Vec<OwnedSemaphorePermit>,
}

/// The two sides of a mailbox.
pub(crate) struct Sides<'e> {
    from: &'e Endpoint,
    to: &'e Endpoint,
    numbers: (i64, i64),
    person: &'e Person,
    clock: &'e dyn Clock,
}

impl Engine {
    /// The two sides of this mailbox.
    pub(crate) fn sides(&self, row: &MailboxRow) -> Result<Sides<'_>, Failure> {
        let endpoint = |number: i64| {
            let named = self.endpoints.get(&number);
            named.ok_or_else(|| Failure::internal("a mailbox of an endpoint that the project does not have"))
        };
        let (source, target) = (row.roster.source_endpoint, row.roster.target_endpoint);
        let person = self.people.get(&row.mailbox);
        let person = person.ok_or_else(|| Failure::internal("a mailbox that is not on the roster"))?;
        self.refuse_elsewhere(row)?;
        match &person.problem {
            Some(problem) => Err(problem.clone()),
            None => Ok(Sides {
                from: endpoint(source)?,
                to: endpoint(target)?,
                numbers: (source, target),
                person,
                clock: &*self.clock,
            }),
        }
    }

    /// What is known of a person is of the moment when this run began; where their mail goes can have changed since, and with it what
    /// may travel.
    pub(crate) fn refuse_elsewhere(&self, row: &MailboxRow) -> Result<(), Failure> {
        let roster = &row.roster;
        // Where nobody is known who is called so, somebody came since, or it is somebody else's by now.
        let is_theirs = self.people.get(&row.mailbox).is_some_and(|person| {
            (roster.target_endpoint, &roster.target_name) == (person.target_endpoint, &person.target.target_name)
                && roster.source_name == person.source.source_name
        });
        if is_theirs {
            return Ok(());
        }
        let what = "it goes to another place, or is another's, since this run began; nothing was written, the next run goes there";
        Err(Failure { side: None, error: Error::new(Cause::Stopped, Scope::Mailbox, what) })
    }
}

impl Sides<'_> {
    /// What both platforms are.
    pub(crate) fn declarations(&self) -> (Declaration, Declaration) {
        (self.from.connector.declaration(), self.to.connector.declaration())
    }

    /// A seat at each endpoint, always in the same order: people never wait for each other in a circle. Whoever has both
    /// seats finds a connection free on both sides, so both can be opened at the same time.
    async fn seats(&self) -> Result<Seats, Failure> {
        let (source, target) = self.numbers;
        let taken = match source.cmp(&target) {
            Ordering::Equal => vec![self.from.seats(2).await?],
            Ordering::Less => vec![self.from.seats(1).await?, self.to.seats(1).await?],
            Ordering::Greater => vec![self.to.seats(1).await?, self.from.seats(1).await?],
        };
        Ok(Seats { _taken: taken })
    }

    /// Opens the source to read and the target to write.
    pub(crate) async fn open(&self, door: Arc<dyn Door>) -> Result<(Box<dyn Source>, Box<dyn Target>, Seats), Failure> {
        let seats = self.seats().await?;
        self.may_try()?;
        let (source, target) = tokio::join!(
            self.from.connector.source(&self.person.source),
            self.to.connector.target(&self.person.target, door)
        );
        let (source, target) = self.tried(source, target);
        Ok((source.on_source()?, target.on_target()?, seats))
    }

    /// Opens the source to write and the target to read: the one case in which anything is written at the source.
    pub(crate) async fn open_to_carry_back(
        &self,
        door: Arc<dyn Door>,
    ) -> Result<(Box<dyn Target>, Box<dyn Source>, Seats), Failure> {
        let seats = self.seats().await?;
        self.may_try()?;
        let (source, target) = tokio::join!(
            self.from.connector.target(&self.person.source, door),
            self.to.connector.source(&self.person.target)
        );
        let (source, target) = self.tried(source, target);
        Ok((source.on_source()?, target.on_target()?, seats))
    }

    /// Opens both to read only: what is done with them can write nothing anywhere.
    pub(crate) async fn open_to_read(&self) -> Result<(Box<dyn Source>, Box<dyn Source>, Seats), Failure> {
        let seats = self.seats().await?;
        self.may_try()?;
        let (source, target) = tokio::join!(
            self.from.connector.source(&self.person.source),
            self.to.connector.source(&self.person.target)
        );
        let (source, target) = self.tried(source, target);
        Ok((source.on_source()?, target.on_target()?, seats))
    }

    /// Opens the source alone.
    pub(crate) async fn open_source(&self) -> Result<(Box<dyn Source>, Seats), Failure> {
        let seats = Seats { _taken: vec![self.from.seats(1).await?] };
        let now = self.clock.since_boot();
        self.from.reach.may_try(&self.from.name, now).on_source()?;
        let source = self.from.connector.source(&self.person.source).await;
        Ok((self.from.reach.tried(source, self.clock.since_boot()).on_source()?, seats))
    }

    fn may_try(&self) -> Result<(), Failure> {
        let now = self.clock.since_boot();
        self.from.reach.may_try(&self.from.name, now).on_source()?;
        self.to.reach.may_try(&self.to.name, now).on_target()
    }

    fn tried<S, T>(&self, source: Opened<S>, target: Opened<T>) -> (Opened<S>, Opened<T>) {
        let now = self.clock.since_boot();
        (self.from.reach.tried(source, now), self.to.reach.tried(target, now))
    }
}
