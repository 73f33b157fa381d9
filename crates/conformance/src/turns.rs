//! The turns of a switch in a world, as whoever turns people over makes them: where a mailbox stands is written under its lease,
//! single passes and carrying back are made while it is held.

use model::Phase;
use movement::state::{Happened, turn};
use movement::{CarriedBack, Engine, Failure, Holder, MailboxOutcome, Report, Taken, Turn};
use store::{Again, MailboxState};

use crate::world::World;

/// Takes a mailbox, which nobody else holds.
///
/// # Panics
/// When it is held, or not on the roster.
pub async fn take(engine: &Engine, mailbox: i64) -> Turn {
    // Whoever held it may have been stopped.
    engine.store.void_leases(Holder::is_dead).await.unwrap();
    engine.store.mark_due(engine.key, &[mailbox]).await.unwrap();
    match engine.take(Some(&[mailbox]), &[]).await.unwrap() {
        Taken::Turn(turn) => *turn,
        _ => panic!("the mailbox {mailbox} is not free"),
    }
}

/// Gives it back as it stands.
pub async fn give_back(engine: &Engine, held: Turn, state: &MailboxState) -> Result<(), Failure> {
    Ok(engine.store.release(held.lease(), state, Again::default()).await?)
}

/// This happens to a mailbox that is held. Where it stands then.
pub async fn happen(engine: &Engine, held: &Turn, happened: &Happened) -> Result<MailboxState, Failure> {
    let now = engine.store.mailbox(engine.key, held.row().mailbox).await?.expect("it is on the roster").state;
    let state = turn(&now, happened).unwrap_or_else(|refused| panic!("{happened:?}: {refused}"));
    let mut tx = engine.store.write(held.lease()).await?;
    tx.set_state(&state).await?;
    tx.commit().await?;
    Ok(state)
}

/// Carries back until there is nothing more. What all of it did, one after the other.
pub async fn carry_all_back(engine: &Engine, held: &Turn) -> Result<Vec<CarriedBack>, Failure> {
    let mut all = Vec::new();
    for _ in 0..10 {
        let carried = engine.carry_back(held, &engine.stop).await?;
        let is_over = carried.is_nothing_new();
        all.push(carried);
        if is_over {
            return Ok(all);
        }
    }
    panic!("there is more and more to carry back: {all:?}");
}

/// Brings a mailbox to where a switch has begun, or is done: from wherever it stands, as far as it has not got there.
pub async fn switch(engine: &Engine, mailbox: i64, to: Phase) -> Result<Vec<Report>, Failure> {
    let held = take(engine, mailbox).await;
    let mut state = held.row().state.clone();
    let mut reports = Vec::new();
    if state.phase == Phase::InStep {
        state = happen(engine, &held, &Happened::SwitchBegun).await?;
    }
    let (report, ended) = engine.follow_once(&held, &engine.stop).await;
    ended?;
    reports.push(report);
    if state.phase == Phase::Switching && to > Phase::Switching {
        state = happen(engine, &held, &Happened::Switched).await?;
    }
    if state.phase == Phase::Switched && to > Phase::Switched {
        state = happen(engine, &held, &Happened::Settled).await?;
    }
    give_back(engine, held, &state).await?;
    Ok(reports)
}

/// Undoes a switch: carries back until there is nothing more, from wherever it had got to or a former undo was broken off.
pub async fn undo(engine: &Engine, mailbox: i64) -> Result<Vec<CarriedBack>, Failure> {
    let held = take(engine, mailbox).await;
    if held.row().state.phase < Phase::Switching {
        let state = held.row().state.clone();
        give_back(engine, held, &state).await?;
        return Ok(Vec::new());
    }
    happen(engine, &held, &Happened::UndoBegun).await?;
    let carried = carry_all_back(engine, &held).await?;
    let state = happen(engine, &held, &Happened::Undone).await?;
    give_back(engine, held, &state).await?;
    Ok(carried)
}

impl World {
    /// Turns everybody over as far as this.
    ///
    /// # Panics
    /// When anything is in the way.
    pub async fn switch(&self, to: Phase) -> Vec<Report> {
        let (engine, mailboxes) = self.engine().await;
        let mut reports = Vec::new();
        for mailbox in mailboxes {
            reports.extend(switch(&engine, mailbox, to).await.unwrap());
        }
        engine.store.close().await;
        reports
    }

    /// Undoes everybody's switch.
    ///
    /// # Panics
    /// When anything is in the way.
    pub async fn undo(&self) -> Vec<CarriedBack> {
        let (engine, mailboxes) = self.engine().await;
        let mut carried = Vec::new();
        for mailbox in mailboxes {
            carried.extend(undo(&engine, mailbox).await.unwrap());
        }
        engine.store.close().await;
        carried
    }

    /// How everybody stands after one more run.
    ///
    /// # Panics
    /// When nobody is on the roster.
    pub async fn sync_one(&self) -> MailboxOutcome {
        self.sync_well().await.outcomes.remove(0)
    }

    /// Removals that wait for a word may all be made.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn approve_all(&self) -> u64 {
        let (engine, mailboxes) = self.engine().await;
        let mut approved = 0;
        for mailbox in mailboxes {
            let held = engine.store.held_removals(engine.key, mailbox).await.unwrap();
            let items: Vec<_> = held.into_iter().map(|held| (held.folder, held.source_id)).collect();
            approved += engine.store.answer_removals(engine.key, &items, true).await.unwrap();
        }
        engine.store.close().await;
        approved
    }
}
