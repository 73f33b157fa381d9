//! `pause`, `drain`, `resume`, `processes`: what a service is not to begin, until somebody says so; and who works.

use serde::Serialize;
use serde_json::json;
use store::PauseRow;

use crate::usecase::collection::timestamp;
use crate::usecase::words::Said;
use crate::{Error, Project, Selection, when};

/// What is paused: all of the project, when nothing is chosen.
#[derive(Clone, Debug, Default)]
pub struct PauseScope {
    /// Mailboxes and a collection.
    pub selection: Selection,
    /// Endpoints, by name.
    pub endpoints: Vec<String>,
}

/// What is paused now.
#[derive(Clone, Debug, Serialize)]
pub struct PauseReport {
    /// What was asked for, as it is called.
    pub changed: Vec<String>,
    /// All that is paused.
    pub paused: Vec<Paused>,
}

/// Something that is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// What: `the project`, `the mailbox alice`, `the collection first`, `the endpoint local`.
    pub what: String,
    /// What is under way goes on to its end.
    pub drains: bool,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when (milliseconds since 1970).
    pub since: i64,
    /// That, for people: `since 19:02 (14 min)`.
    pub since_text: String,
}

/// The processes that work in the project's database.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessesReport {
    /// Each of them.
    pub processes: Vec<Process>,
    /// What is paused in this project.
    pub paused: Vec<Paused>,
}

/// A process that works.
#[derive(Clone, Debug, Serialize)]
pub struct Process {
    /// What it is called for `drain --process`.
    pub id: String,
    /// `serve` or `worker`.
    pub kind: String,
    /// The machine's name.
    pub machine: String,
    /// The program's version.
    pub program: String,
    /// Mailboxes that it may work on at once.
    pub slots: i64,
    /// Mailboxes that it works on, of every project.
    pub running: i64,
    /// When it began (milliseconds since 1970).
    pub begun_at: i64,
    /// For how long it has been there, for people.
    pub age: String,
    /// How many seconds ago it last said that it lives.
    pub seen_seconds_ago: i64,
    /// Who asked it to finish and end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained_by: Option<String>,
}

impl Project {
    /// Nothing more is begun there. What is under way stops where it is safe; or, if it drains, goes on to its end.
    pub async fn pause(&self, scope: &PauseScope, drains: bool, said: &Said) -> Result<PauseReport, Error> {
        self.may_migrate()?;
        let reason =
            said.reason.clone().filter(|reason| !reason.trim().is_empty()).ok_or_else(|| {
                Error::usage("a pause needs a reason: others will ask").advise("give it with --reason")
            })?;
        let said_by = said.by.clone().unwrap_or_else(|| self.actor.name.clone());
        let scopes = self.scopes(scope).await?;
        let action = if drains { "service.drained" } else { "service.paused" };
        let detail = json!({ "scopes": scopes, "by": said_by, "reason": reason });
        self.store.audit(self.key, &self.actor, action, &detail).await?;
        for scope in &scopes {
            let (scope, said_by, reason) = (scope.clone(), said_by.clone(), reason.clone());
            self.store.pause(self.key, &PauseRow { scope, drains, said_by, reason, at: 0 }).await?;
        }
        self.pause_report(scopes).await
    }

    /// It may go on there.
    pub async fn resume(&self, scope: &PauseScope) -> Result<PauseReport, Error> {
        self.may_migrate()?;
        let scopes = self.scopes(scope).await?;
        let paused = self.store.pauses(self.key).await?;
        if let Some(missing) = scopes.iter().find(|scope| !paused.iter().any(|pause| pause.scope == **scope)) {
            let what = format!("{} is not paused; nothing was changed", self.in_words(missing).await?);
            let known = self.paused().await?.into_iter().map(|pause| pause.what).collect::<Vec<_>>().join(", ");
            let advice = if known.is_empty() { "nothing is paused".to_owned() } else { format!("paused are: {known}") };
            return Err(Error::usage(what).advise(advice));
        }
        self.store.audit(self.key, &self.actor, "service.resumed", &json!({ "scopes": scopes })).await?;
        for scope in &scopes {
            self.store.resume(self.key, scope).await?;
        }
        self.pause_report(scopes).await
    }

    /// Who works, and what is paused.
    pub async fn processes(&self) -> Result<ProcessesReport, Error> {
        let now = self.store.now().await?;
        let processes = self.store.processes().await?;
        let process = |row: store::ProcessRow| Process {
            id: short(&row.holder).to_owned(),
            kind: row.kind,
            machine: row.machine,
            program: row.program,
            slots: row.slots,
            running: row.running,
            begun_at: row.begun_at,
            age: when::span(now - row.begun_at),
            seen_seconds_ago: (now - row.seen_at) / 1000,
            drained_by: row.drained_by,
        };
        Ok(ProcessesReport { processes: processes.into_iter().map(process).collect(), paused: self.paused().await? })
    }

    /// Asks processes to finish and end; all of them, when none is named.
    pub async fn drain_processes(&self, ids: &[String], said: &Said) -> Result<ProcessesReport, Error> {
        self.may_migrate()?;
        let known = self.store.processes().await?;
        for id in ids {
            if !known.iter().any(|process| short(&process.holder) == id) {
                return Err(Error::usage(format!("there is no process {id:?}; nothing was changed"))
                    .advise("whimbrel processes lists them"));
            }
        }
        let by = said.by.clone().unwrap_or_else(|| self.actor.name.clone());
        let chosen = known.iter().filter(|row| ids.is_empty() || ids.iter().any(|id| short(&row.holder) == id));
        let chosen: Vec<&store::ProcessRow> = chosen.collect();
        let ids: Vec<&str> = chosen.iter().map(|row| short(&row.holder)).collect();
        let detail = json!({ "processes": ids, "by": by, "reason": said.reason });
        self.store.audit(self.key, &self.actor, "service.processes-drained", &detail).await?;
        for row in chosen {
            self.store.drain_process(&row.holder, &by).await?;
        }
        self.processes().await
    }

    /// What is paused.
    pub(crate) async fn paused(&self) -> Result<Vec<Paused>, Error> {
        let (mut paused, zone) = (Vec::new(), self.config.time_zone());
        let now = timestamp(self.store.now().await?);
        for row in self.store.pauses(self.key).await? {
            let (what, since_text) = (self.in_words(&row.scope).await?, when::since(row.at, now, &zone));
            let (drains, by, reason) = (row.drains, row.said_by, row.reason);
            paused.push(Paused { what, drains, by, reason, since: row.at, since_text });
        }
        Ok(paused)
    }

    /// Refuses to begin anything while all of the project is paused.
    pub(crate) async fn refuse_paused(&self) -> Result<(), Error> {
        let pauses = self.store.pauses(self.key).await?;
        let Some(pause) = pauses.iter().find(|pause| pause.scope == "all") else { return Ok(()) };
        let what = format!("the project is paused by {}: {}; nothing was begun", pause.said_by, pause.reason);
        Err(Error::refused("R-156", what).advise("whimbrel resume lets it go on"))
    }

    async fn pause_report(&self, scopes: Vec<String>) -> Result<PauseReport, Error> {
        let mut changed = Vec::new();
        for scope in &scopes {
            changed.push(self.in_words(scope).await?);
        }
        Ok(PauseReport { changed, paused: self.paused().await? })
    }

    async fn scopes(&self, scope: &PauseScope) -> Result<Vec<String>, Error> {
        let mut scopes = Vec::new();
        for name in &scope.endpoints {
            if !self.config.endpoints.contains_key(name) {
                let error = Error::usage(format!("there is no endpoint {name:?}; nothing was changed"));
                let known = self.config.endpoints.keys().map(String::as_str);
                return Err(match crate::config::alike(name, known) {
                    Some(meant) => error.advise(format!("did you mean {meant:?}?")),
                    None => error.advise("give the name that it has in whimbrel.toml"),
                });
            }
            scopes.push(format!("endpoint/{name}"));
        }
        let selection = &scope.selection;
        if !selection.mailboxes.is_empty() {
            let chosen = self.select(selection).await?;
            scopes.extend(chosen.iter().map(|row| format!("mailbox/{}", row.mailbox)));
        } else if let Some(collection) = &selection.collection {
            self.select(selection).await?;
            scopes.push(format!("collection/{collection}"));
        }
        if scopes.is_empty() {
            scopes.push("all".to_owned());
        }
        Ok(scopes)
    }

    async fn in_words(&self, scope: &str) -> Result<String, Error> {
        Ok(match scope.split_once('/') {
            Some(("mailbox", number)) => {
                let row = match number.parse() {
                    Ok(number) => self.store.mailbox(self.key, number).await?,
                    Err(_) => None,
                };
                format!("the mailbox {}", row.map_or_else(|| number.to_owned(), |row| row.roster.source_name))
            }
            Some((kind, name)) => format!("the {kind} {name}"),
            None => "the project".to_owned(),
        })
    }
}

/// What a process is called: the beginning of its random text.
pub(crate) fn short(holder: &str) -> &str {
    let random = holder.rsplit('/').next().unwrap_or_default();
    random.get(..8).unwrap_or(random)
}
