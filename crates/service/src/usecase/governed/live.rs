//! What is done live asks the programme first, in a project that is governed.
//!
//! The record is read afresh each time, so that a no counts at once. What the database knows besides is asked again after a while only: a
//! switch of thousands asks thousands of times.

use std::time::{Duration, Instant};

use model::{Actor, Role};
use programme::{Facts, Live, allows};
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

/// What the programme of a governed project says of its switches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Governs {
    /// Calendars are shared during the migration.
    pub(crate) coexists: bool,
}

impl Gates {
    /// The gates of the project of this file.
    pub(crate) fn of(config: &Config) -> Self {
        let organisation = config.code.to_string();
        let actor =
            Actor { name: "whimbrel".to_owned(), role: Role::System, organisation, known_by: "process".to_owned() };
        Self { config: config.clone(), actor, facts: Mutex::default() }
    }

    /// Are these people of the pilot?
    pub(crate) fn is_pilot(&self, collection: Option<&str>) -> bool {
        collection.is_some_and(|name| self.config.file.programme.pilot.iter().any(|known| known == name))
    }

    /// What the programme says of switches in it; none: the project is not governed.
    pub(crate) async fn governs(&self, store: &Store, key: ProjectKey) -> Result<Option<Governs>, Error> {
        let record = record_of(store, key).await?;
        if record.seq == 0 && !self.config.file.programme.governed {
            return Ok(None);
        }
        let programme = programme_of(&self.config)?;
        let kind = programme.types.iter().find(|kind| Some(kind.id.as_str()) == record.project_type());
        // Of a type that is not known nobody can say that it needs none.
        Ok(Some(Governs { coexists: kind.is_none_or(|kind| kind.coexists) }))
    }

    /// Why this may not be done now; none: it may, or the project is not governed.
    pub(crate) async fn against(&self, store: &Store, key: ProjectKey, live: Live) -> Result<Option<Error>, Error> {
        let record = record_of(store, key).await?;
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
