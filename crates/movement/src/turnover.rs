//! What turns people over, told when a mailbox is held and how it stands; and what it may do with it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connector::{Account, Door};
use store::{LedgerTx, MailboxRow, MailboxState, ProjectKey, Store};
use tokio::sync::watch;

use crate::Engine;
use crate::back::CarriedBack;
use crate::failure::Failure;
use crate::report::Report;
use crate::run::{Person, Turn, add};
use crate::state::{Happened, after, counted};

/// What a mailbox is ready for, before its passes.
#[derive(Debug)]
pub enum Ready {
    /// They may begin.
    Passes,
    /// There is something to do for it now that no pass may hold up.
    Urgent,
    /// None may begin: why not.
    Not(Failure),
}

/// What switches mailboxes. The engine asks it, under the mailbox's lease, each time that a mailbox is in step, being switched, or
/// switched and followed.
#[async_trait]
pub trait Turnover: Send + Sync {
    /// Does what there is to do before passes of a mailbox that is not being switched, and says what it is ready for.
    async fn prepare(&self, held: &mut Held<'_>) -> Result<Ready, Failure>;

    /// Asked about a mailbox that is not in step after its passes: why it counts as one that never catches up, if it does.
    async fn gives_up(&self, held: &Held<'_>) -> Result<Option<String>, Failure>;

    /// Does what there is to do now, as far as it can be done now. When the mailbox is to be looked at again because of it; none:
    /// when it would be anyway.
    async fn tend(&self, held: &mut Held<'_>) -> Result<Option<Duration>, Failure>;
}

/// A mailbox that is held: its lease, its sides, its row.
pub struct Held<'h> {
    pub(crate) engine: &'h Engine,
    pub(crate) store: &'h Store,
    pub(crate) turn: &'h Turn,
    pub(crate) stop: &'h watch::Receiver<bool>,
    pub(crate) row: MailboxRow,
    /// What passes did while it was held.
    pub(crate) report: Option<Report>,
}

impl Held<'_> {
    /// The mailbox, as it stands.
    pub fn row(&self) -> &MailboxRow {
        &self.row
    }

    /// Its accounts on both sides, where they are known.
    pub fn person(&self) -> Option<&Person> {
        self.engine.people.get(&self.row.mailbox)
    }

    /// The account at the source.
    pub fn source(&self) -> Option<&Account> {
        self.person().map(|person| &person.source)
    }

    /// The account on the target.
    pub fn target(&self) -> Option<&Account> {
        self.person().map(|person| &person.target)
    }

    /// The database.
    pub fn store(&self) -> &Store {
        self.store
    }

    /// The project.
    pub fn key(&self) -> ProjectKey {
        self.engine.key
    }

    /// Every effect passes it.
    pub fn door(&self) -> Arc<dyn Door> {
        self.turn.door()
    }

    /// Is the turn over?
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Begins a change that is on the disk for good when it is committed.
    pub async fn write(&self) -> Result<LedgerTx<'_>, Failure> {
        Ok(self.store.write_for_good(&self.turn.lease).await?)
    }

    /// How the mailbox would stand after this.
    pub fn after(&self, happened: &Happened) -> MailboxState {
        after(&self.row.state, happened)
    }

    /// The mailbox stands so: as was just committed.
    pub fn set(&mut self, state: MailboxState) {
        self.row.state = state;
    }

    /// One pass from the source to the target: once the switch has begun, additions only.
    pub async fn pass(&mut self) -> Result<Report, Failure> {
        let (report, ended) = self.engine.follow_once(self.turn, self.stop).await;
        self.row = self.engine.row_again(self.row.clone()).await?;
        let all = self.report.get_or_insert_default();
        add(all, report.clone());
        ended.map(|()| report)
    }

    /// Lies nothing of it on the target, nor may anything?
    pub async fn is_untouched(&self) -> Result<bool, Failure> {
        self.engine.is_untouched(self.row.mailbox).await
    }

    /// Why one more message, of the largest that may come, would find no room on the target, if so: as the target says now.
    pub async fn no_room(&self) -> Result<Option<String>, Failure> {
        self.engine.no_room(&self.row, self.turn.door()).await
    }

    /// Why a mailbox over which a pass was made is not whole, if so: something failed that nobody has accepted, or the outcome of
    /// something is not known.
    pub async fn not_whole(&self, report: &Report) -> Result<Option<String>, Failure> {
        if let Some((_, _, what)) = &report.in_the_way {
            return Ok(Some(what.clone()));
        }
        if !report.complete {
            return Ok(Some("it changes faster than it can be read".to_owned()));
        }
        if let Some(why) = waits_for_a_word(self.store, self.key(), self.row.mailbox).await? {
            return Ok(Some(why));
        }
        let (undisposed, open) = self.engine.undone(self.row.mailbox).await?;
        Ok(match (undisposed, open) {
            (0, 0) => None,
            (0, _) => Some(format!("the outcome of {} is not known", counted(open, "batch"))),
            (..) => Some(format!("{} failed, and nobody has said anything about it", counted(undisposed, "item"))),
        })
    }

    /// Makes the source hold what the person got and did on the target since the switch began: one pass.
    pub async fn carry_back(&mut self) -> Result<CarriedBack, Failure> {
        let carried = self.engine.carry_back(self.turn, self.stop).await?;
        self.row = self.engine.row_again(self.row.clone()).await?;
        add(self.report.get_or_insert_default(), carried.forward.clone());
        Ok(carried)
    }
}

/// Items of a mailbox that were not copied since one like them is there, and nobody has said yet whether it is another: why it is not
/// whole, if there are any.
pub async fn waits_for_a_word(store: &Store, key: ProjectKey, mailbox: i64) -> Result<Option<String>, store::Error> {
    let held = store.held_items(key, mailbox).await?;
    let waiting = held.iter().filter(|held| held.is_another.is_none()).count() as u64;
    let what =
        || format!("{} not copied, since what lies there may be it: whimbrel held list", counted(waiting, "item"));
    Ok((waiting > 0).then(what))
}
