//! Single steps of the work on a mailbox that is held already, for whoever turns its person over: one pass, one carrying back.
//! Where the mailbox stands is theirs to say; nothing here changes it.

use std::sync::Arc;

use connector::{Door, Error, Retry};
use model::{Cause, Phase, Scope, Side};
use store::Lease;
use tokio::sync::watch;

use crate::back::{self, CarriedBack};
use crate::failure::Failure;
use crate::hold::CommitWatch;
use crate::report::Report;
use crate::run::{Engine, Turn};
use crate::turnover::Held;

impl Turn {
    /// The lease under which it is held: whatever is written about it is written under this.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// What every effect for it has to pass: it says no once the lease has run out.
    pub fn door(&self) -> Arc<dyn Door> {
        self.keeper.door.clone()
    }

    /// The mailbox for whoever does something for it that is no pass; [`Engine::give_back`] ends it.
    pub fn held<'h>(&'h self, engine: &'h Engine, stop: &'h watch::Receiver<bool>) -> Held<'h> {
        Held { engine, store: &engine.store, turn: self, stop, row: self.row.clone(), report: None }
    }
}

impl Engine {
    /// Gives back a mailbox that was taken for something else than passes: it stands as it stood, and is due when it was.
    pub async fn give_back(&self, turn: Turn) -> Result<(), Failure> {
        match self.store.give_back(&turn.lease).await {
            // Somebody else has it by now, and says how it stands.
            Ok(()) | Err(store::Error::Fenced) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes one pass over a mailbox that is held, as it stands in the database now: what it did, and why it could not go on, if so.
    /// [`Report::is_nothing_new`] tells whether the source had anything new.
    ///
    /// The first pass of a mailbox in *switching* writes down how its target stands: it has to end well before anything that
    /// leads mail there changes.
    pub async fn follow_once(&self, turn: &Turn, stop: &watch::Receiver<bool>) -> (Report, Result<(), Failure>) {
        let store = self.store.watched(Arc::new(CommitWatch(self.probe.clone())));
        let row = match self.row_again(turn.row.clone()).await {
            Ok(row) => row,
            Err(failure) => return (Report::default(), Err(failure)),
        };
        let began = self.clock.since_boot();
        let (report, ended) = self.one_pass(&store, &turn.lease, &row, &turn.keeper, stop, true).await;
        self.record(&store, &turn.lease, &report, self.clock.since_boot() - began).await;
        (report, ended)
    }

    /// Carries back to the source what a person got or made on the target since their switch began: one pass, forward first so that
    /// the ledger knows all that went the other way. Only in *switching*. Again until [`CarriedBack::is_nothing_new`].
    ///
    /// Nothing is written on the target but what the pass before copies there, and nothing is ever removed at the source.
    pub async fn carry_back(&self, turn: &Turn, stop: &watch::Receiver<bool>) -> Result<CarriedBack, Failure> {
        let row = self.row_again(turn.row.clone()).await?;
        if row.state.phase != Phase::Switching || self.dry_run {
            return Err(Failure::internal("only what is being switched is carried back"));
        }
        let sides = self.sides(&row)?;
        let (source_is, target_is) = sides.declarations();
        if !source_is.writes {
            let what = format!("{} can't be written, so nothing can be carried back there", source_is.platform);
            let error = Error { retry: Retry::Never, ..Error::new(Cause::Unsupported, Scope::Mailbox, what) };
            return Err(Failure { side: Some(Side::Source), error });
        }
        let (forward, ended) = self.follow_once(turn, stop).await;
        if let Err(failure) = ended
            && !is_only_of_target_room(&failure)
        {
            return Err(failure);
        }
        // What the pass found out about the mailbox itself.
        let row = self.row_again(row).await?;
        let store = self.store.watched(Arc::new(CommitWatch(self.probe.clone())));
        let dates = self.dates(row.mailbox).await?;
        let (source, target, _seats) = sides.open_to_carry_back(turn.door()).await?;
        let work = self.work_of(&store, &turn.lease, &row, stop, false, dates, (&source_is, &target_is));
        back::carry_back(&work, &source_is.kinds, source, target, forward).await
    }
}

/// The target takes no more: no reason not to give back what it holds.
fn is_only_of_target_room(failure: &Failure) -> bool {
    failure.side == Some(Side::Target) && failure.error.cause == Cause::OverQuota
}
