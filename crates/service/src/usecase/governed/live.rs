//! What is done live asks the programme first, in a project that is governed.
//!
//! Each time it is looked whether anything was recorded since, so that a no counts at once. The record is read again only then, and what
//! the database knows besides after a while: a switch of thousands asks thousands of times.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use connector::Retry;
use jiff::civil::Date;
use model::{Actor, Cause, Role, Scope};
use movement::{Consent, Failure};
use programme::{Facts, Live, Programme, Record, Refusal, Rule, allows, allows_books, allows_update};
use store::{MailboxRow, ProjectKey, Store};
use tokio::sync::Mutex;

use super::{Governed, PilotNames, programme_of, record_of, refused};
use crate::Error;
use crate::config::Config;

/// What the database knows is asked again after this.
const FACTS_LAST: Duration = Duration::from_secs(30);
/// So many are named who are not of the pilot.
const OTHERS_MAX: usize = 10;

/// What somebody asks whether it may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asked {
    /// This.
    Live(Live),
    /// Accounts that are there are changed.
    Update,
    /// Contacts are written to the address books.
    Books,
}

/// The gates of a project, for whatever is done live in it.
pub(crate) struct Gates {
    config: Config,
    actor: Actor,
    known: Mutex<Option<Known>>,
}

/// What was last read, and what was answered by it.
struct Known {
    /// The number of the record's last change.
    end: i64,
    record: Record,
    programme: Programme,
    seen: Option<Seen>,
    answers: HashMap<Asked, Option<Refusal>>,
}

/// What the programme of a governed project says of its switches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Governs {
    /// Calendars are shared during the migration.
    pub(crate) coexists: bool,
}

/// What the database knew besides, and the day that it was.
struct Seen {
    at: Instant,
    facts: Facts,
    today: Date,
}

impl Gates {
    /// The gates of the project of this file.
    pub(crate) fn of(config: &Config) -> Self {
        let organisation = config.code.to_string();
        let actor =
            Actor { name: "whimbrel".to_owned(), role: Role::System, organisation, known_by: "process".to_owned() };
        Self { config: config.clone(), actor, known: Mutex::default() }
    }

    /// Why a mailbox may not be switched now; none: it may, or the project is not governed.
    pub(crate) async fn against_switch(
        &self,
        store: &Store,
        key: ProjectKey,
        name: &str,
    ) -> Result<Option<Error>, Error> {
        let names = self.names(store, key).await?;
        // Of mailboxes of one name at several sources each has to be of the pilot: else it is asked what everybody is asked.
        let mut called = vec![name.to_owned()];
        if names.are_several() {
            let rows = store.mailboxes(key).await?;
            let is_so = |row: &&MailboxRow| row.listed && row.roster.source_name == name;
            called = rows.iter().filter(is_so).map(|row| names.of_row(row)).collect();
        }
        let is_pilot = move |record: &Record| !called.is_empty() && called.iter().all(|name| record.is_pilot(name));
        self.ask(store, key, |record| Asked::Live(if is_pilot(record) { Live::SwitchPilot } else { Live::Switch }))
            .await
    }

    /// Why nothing of a mailbox may be copied now; none: it may, or the project is not governed.
    async fn against_copy(&self, store: &Store, key: ProjectKey, row: &MailboxRow) -> Result<Option<Error>, Error> {
        let name = self.names(store, key).await?.of_row(row);
        self.ask(store, key, |record| {
            Asked::Live(if record.is_pilot(&name) { Live::SyncPilot } else { Live::SyncBulk })
        })
        .await
    }

    async fn names(&self, store: &Store, key: ProjectKey) -> Result<PilotNames, Error> {
        Ok(PilotNames::of(store, key, &self.config).await?)
    }

    /// Why nothing that is there on the platform may be changed now. It waits for the first stage that makes accounts, and goes on after the
    /// last one, unless the project is given up.
    pub(crate) async fn against_update(&self, store: &Store, key: ProjectKey) -> Result<Option<Error>, Error> {
        self.ask(store, key, |_| Asked::Update).await
    }

    /// Why nothing may be written to the address books now: they come before everybody's mail, and go on after it.
    pub(crate) async fn against_books(&self, store: &Store, key: ProjectKey) -> Result<Option<Error>, Error> {
        self.ask(store, key, |_| Asked::Books).await
    }

    /// Why accounts may not be made now for these, whom the record calls so; none: they may, or the project is not governed. Before the pilot
    /// succeeded they are those of its people, where the kind of project says so.
    pub(crate) async fn against_accounts(
        &self,
        store: &Store,
        key: ProjectKey,
        new_already: u64,
        asked: &[String],
    ) -> Result<Option<Error>, Error> {
        let mut others = Vec::new();
        let live = |record: &Record| {
            others.extend(asked.iter().filter(|name| !record.is_pilot(name)).map(String::as_str));
            let (asked, others) = (asked.len() as u64, others.len() as u64);
            Asked::Live(Live::ProvisionAccounts { new_already, asked, others })
        };
        let against = self.ask(store, key, live).await?;
        Ok(against.map(|mut error| {
            if error.rule == Rule::RegistrationLimit.requirement() && !others.is_empty() {
                let more = others.len().saturating_sub(OTHERS_MAX);
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                let shown = others.iter().take(OTHERS_MAX).copied().collect::<Vec<_>>().join(", ");
                error.what = format!("{}\n  not of the pilot: {shown}{more}", error.what);
            }
            error
        }))
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
        self.ask(store, key, |_| Asked::Live(live)).await
    }

    /// Why what is asked for, by the record as it is now, may not be done.
    async fn ask(
        &self,
        store: &Store,
        key: ProjectKey,
        asked: impl FnOnce(&Record) -> Asked + Send,
    ) -> Result<Option<Error>, Error> {
        let end = store.programme_end(key).await?;
        if end == 0 {
            // Another database, code or project name would be a way around every gate.
            let is_lost = self.config.file.programme.governed;
            return Ok(is_lost.then(|| {
                Error::refused("R-250", "the project is governed, and this database has no record of it")
                    .advise("give it back its database; or begin its record: whimbrel project adopt")
            }));
        }
        let mut kept = self.known.lock().await;
        let mut known = match kept.take().filter(|known| known.end == end) {
            Some(known) => known,
            None => Known {
                end,
                record: record_of(store, key).await?,
                programme: programme_of(&self.config)?,
                seen: None,
                answers: HashMap::new(),
            },
        };
        let asked = asked(&known.record);
        let answer = self.answer(store, key, &mut known, asked).await?;
        *kept = Some(known);
        Ok(answer.map(|refusal| refused(&refusal)))
    }

    async fn answer(
        &self,
        store: &Store,
        key: ProjectKey,
        known: &mut Known,
        asked: Asked,
    ) -> Result<Option<Refusal>, Error> {
        let seen = match known.seen.take().filter(|seen| seen.at.elapsed() < FACTS_LAST) {
            Some(seen) => seen,
            None => {
                let (config, actor) = (self.config.clone(), self.actor.clone());
                let (programme, record) = (known.programme.clone(), known.record.clone());
                let post = Ok(None);
                let governed = Governed { config, store: store.clone(), key, actor, programme, record, post };
                known.answers.clear();
                Seen { at: Instant::now(), facts: governed.facts().await?, today: governed.moment().await?.today }
            }
        };
        let Known { programme, record, answers, .. } = known;
        let allowed = || match asked {
            Asked::Live(live) => allows(programme, record, &seen.facts, seen.today, live),
            Asked::Update => allows_update(programme, record, &seen.facts, seen.today),
            Asked::Books => allows_books(programme, record, &seen.facts, seen.today),
        };
        let answer = answers.entry(asked).or_insert_with(|| allowed().err()).clone();
        known.seen = Some(seen);
        Ok(answer)
    }
}

#[async_trait]
impl Consent for Gates {
    async fn against(&self, store: &Store, key: ProjectKey, row: &MailboxRow) -> Result<Option<Failure>, Failure> {
        let against = Box::pin(self.against_copy(store, key, row)).await;
        // What could not be asked now is asked again: nothing is wrong with the mailbox.
        let unasked = |error: Error| {
            let what = format!("whether the programme allows it could not be asked: {}", error.what);
            let error = connector::Error::new(Cause::Gated, Scope::Mailbox, what).retry(Retry::Later(None));
            Failure { side: None, error }
        };
        let refused = against.map_err(unasked)?;
        Ok(refused.map(|error| {
            let advice = error.advice.unwrap_or_default();
            let what = format!("{}. {advice}", error.what.lines().next().unwrap_or_default());
            // It is looked again by itself: somebody may say yes.
            let error = connector::Error::new(Cause::Gated, Scope::Mailbox, what).retry(Retry::Later(None));
            Failure { side: None, error }
        }))
    }
}

/// Refused where the project is governed and its record does not allow it yet.
pub(crate) async fn refuse(config: &Config, store: &Store, key: ProjectKey, live: Live) -> Result<(), Error> {
    let gates = Box::new(Gates::of(config));
    Box::pin(gates.against(store, key, live)).await?.map_or(Ok(()), Err)
}
