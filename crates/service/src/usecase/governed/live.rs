//! What is done live asks the programme first, in a project that is governed.
//!
//! The record is read afresh each time, so that a no counts at once. What the database knows besides is asked again after a while only: a
//! switch of thousands asks thousands of times.

use std::time::{Duration, Instant};

use model::{Actor, Role};
use programme::{Facts, Live, Record, allows};
use store::{ProjectKey, Store};
use tokio::sync::Mutex;

use super::{Governed, programme_of, record_of, refused};
use crate::Error;
use crate::config::Config;

/// What the database knows is asked again after this.
const FACTS_LAST: Duration = Duration::from_secs(30);

/// The gates of a project, for whatever is done live in it.
pub(crate) struct Gates {
    config: Config,
    actor: Actor,
    facts: Mutex<Option<(Instant, Facts)>>,
}

impl Gates {
    /// The gates of the project of this file.
    pub(crate) fn of(config: &Config) -> Self {
        let organisation = config.code.to_string();
        let actor =
            Actor { name: "whimbrel".to_owned(), role: Role::System, organisation, known_by: "process".to_owned() };
        Self { config: config.clone(), actor, facts: Mutex::default() }
    }

    /// Why a mailbox may not be switched now; none: it may, or the project is not governed.
    pub(crate) async fn against_switch(
        &self,
        store: &Store,
        key: ProjectKey,
        name: &str,
    ) -> Result<Option<Error>, Error> {
        let record = record_of(store, key).await?;
        let live = if record.is_pilot(name) { Live::SwitchPilot } else { Live::Switch };
        self.by(store, key, live, record).await
    }

    /// Why this may not be done now; none: it may, or the project is not governed.
    pub(crate) async fn against(&self, store: &Store, key: ProjectKey, live: Live) -> Result<Option<Error>, Error> {
        let record = record_of(store, key).await?;
        self.by(store, key, live, record).await
    }

    async fn by(&self, store: &Store, key: ProjectKey, live: Live, record: Record) -> Result<Option<Error>, Error> {
        if record.seq == 0 {
            // Another database, code or project name would be a way around every gate.
            let is_lost = self.config.file.programme.governed;
            return Ok(is_lost.then(|| {
                Error::refused(
                    "R-250",
                    format!("cannot {live}: the project is governed, and this database has no record of it"),
                )
                .advise("give it back its database; or begin its record: whimbrel project adopt")
            }));
        }
        let programme = programme_of(&self.config)?;
        let (config, actor) = (self.config.clone(), self.actor.clone());
        let governed = Governed { config, store: store.clone(), key, actor, programme, record };
        let today = governed.moment().await?.today;
        let mut known = self.facts.lock().await;
        let facts = match known.take().filter(|(at, _)| at.elapsed() < FACTS_LAST) {
            Some(known) => known,
            None => (Instant::now(), governed.facts().await?),
        };
        let refusal = allows(&governed.programme, &governed.record, &facts.1, today, live).err();
        *known = Some(facts);
        Ok(refusal.map(|refusal| refused(&refusal)))
    }
}

/// Refused where the project is governed and its record does not allow it yet.
pub(crate) async fn refuse(config: &Config, store: &Store, key: ProjectKey, live: Live) -> Result<(), Error> {
    let gates = Box::new(Gates::of(config));
    Box::pin(gates.against(store, key, live)).await?.map_or(Ok(()), Err)
}
