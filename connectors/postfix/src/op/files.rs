//! Our table as a text file, perhaps compiled beside it.
//!
//! The text is replaced whole, then the compiled file, then whoever reads them is told to read them anew. The text says what is wanted, the
//! compiled file what Postfix goes by; where Postfix must be told, what it may not know yet stands in a third file meanwhile. So a
//! call that was cut at any point can be told from one that came to its end, and the next one finishes it.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use connector::Error;
use model::{Cause, Scope};
use tempfile::TempPath;

use super::pending::Pending;
use super::steps::Steps;
use super::table::{Found, same};
use crate::config::{Config, FileTable};
use crate::text::address::Person;
use crate::text::mark::{self, Row, parse};
use crate::text::plan::{Change, plan};
use crate::text::table::Text;
use crate::wire::command::run;
use crate::wire::file::{self, blocking};
use crate::wire::programs::Programs;

/// What a program that makes Postfix read anew may say; it is not looked at.
const RELOAD_OUTPUT_MAX: usize = 1024 * 1024;

pub(crate) struct Files<'c> {
    pub(crate) config: &'c Config,
    pub(crate) table: &'c FileTable,
}

/// The files as they were found.
struct State {
    text: Text,
    metadata: Metadata,
    pending: Option<Pending>,
}

/// Files that are written and not in their places yet.
struct Prepared {
    text: Option<TempPath>,
    compiled: Option<(TempPath, PathBuf)>,
}

impl Files<'_> {
    fn place(&self) -> String {
        self.config.place()
    }

    async fn state(&self) -> Result<State, Error> {
        let path = self.table.path.clone();
        blocking(move || {
            let metadata = file::plain(&path).map_err(|error| with_hint(error, &path))?;
            let text = Text::new(file::read(&path, file::BYTES_MAX)?);
            Ok(State { text, metadata, pending: Pending::read(&path)? })
        })
        .await
    }

    pub(crate) async fn look(&self, person: &Person) -> Result<Found, Error> {
        let state = self.state().await?;
        self.found(person, &state).await
    }

    pub(crate) async fn at(&self, addresses: &[String]) -> Result<Vec<Row>, Error> {
        let rows = self.state().await?.text.rows(&self.place());
        Ok(rows.into_iter().filter(|row| addresses.contains(&row.address)).collect())
    }

    /// What the files say of this person.
    async fn found(&self, person: &Person, state: &State) -> Result<Found, Error> {
        let is_theirs = |row: &Row| row.is_of(&person.account) || person.addresses.contains(&row.address);
        let rows: Vec<Row> = state.text.rows(&self.place()).into_iter().filter(is_theirs).collect();
        let pending = state.pending.clone().unwrap_or_default();
        let mut keys = person.addresses.clone();
        let more = rows.iter().map(|row| row.address.clone()).chain(pending.addresses_of(&person.account));
        for key in more {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut why = "the table is written, and not compiled yet: the same call again compiles it";
        let compiled = match self.table.map_type.compiled() {
            None => None,
            Some(_) => {
                let found = Programs(self.config).look_up(&self.map(&self.table.path), &keys).await;
                let found = found.map_err(|error| with_hint(error, &self.table.path))?;
                let row = |(address, value): (String, String)| {
                    let (to, whose) = parse(&value);
                    Row { address, to, whose, place: format!("the compiled {}", self.place()) }
                };
                Some(found.into_iter().map(row).collect::<Vec<Row>>())
            }
        };
        let mut loaded = compiled;
        if !self.table.reload.is_empty() && keys.iter().any(|key| pending.before.iter().any(|(known, _)| known == key))
        {
            why = "the table is written, and Postfix has not been told yet: the same call again tells it";
            let rows = loaded.get_or_insert_with(|| rows.clone());
            for (address, value) in pending.before.iter().filter(|(address, _)| keys.contains(address)) {
                rows.retain(|row| row.address != *address);
                if !value.is_empty() {
                    let (to, whose) = parse(value);
                    rows.push(Row { address: address.clone(), to, whose, place: "what Postfix goes by".to_owned() });
                }
            }
        }
        let loaded = loaded.map(|rows| {
            let theirs = rows.into_iter().filter(is_theirs).collect::<Vec<Row>>();
            (theirs, why.to_owned())
        });
        Ok(Found { rows, loaded })
    }

    fn map(&self, path: &Path) -> String {
        format!("{}:{}", self.table.map_type.name(), path.display())
    }

    pub(crate) async fn change(&self, person: &Person, to: Option<&str>, steps: &mut Steps<'_>) -> Result<bool, Error> {
        let path = self.table.path.clone();
        // What is so already needs no right to write.
        let state = self.state().await?;
        if !self.is_to_change(person, to, &state).await? {
            return Ok(false);
        }
        let lock = file::lock(&path, self.config.lock_wait_max).await?;
        let state = self.state().await?;
        if !self.is_to_change(person, to, &state).await? {
            return Ok(false);
        }
        if state.text.begins_inside {
            let what = format!(
                "the first line of text in {} begins with a blank, so it belongs to no entry: put that right first",
                path.display()
            );
            return Err(Error::new(Cause::Refused, Scope::Run, what));
        }
        let found = self.found(person, &state).await?;
        let changes = plan(person, &found.rows, to)?;
        let before = state.text.bytes().to_vec();
        let after = state.text.changed(&person.account, &changes);
        let prepared = self.prepare(&after, after != before, &state.metadata).await?;
        // To compile takes a while; who has edited the text meanwhile is told before anything is written.
        blocking({
            let (path, before) = (path.clone(), before.clone());
            move || file::is_still(&path, &before)
        })
        .await?;
        let follows = prepared.compiled.is_some() || !self.table.reload.is_empty();
        // Whoever is cut holds the lock until what is under way has come to its end.
        let lock = std::sync::Arc::new(lock);
        let held = |work: Box<dyn FnOnce() -> Result<(), Error> + Send>| {
            let lock = lock.clone();
            async move {
                blocking(move || {
                    let done = work();
                    drop(lock);
                    done
                })
                .await
            }
        };
        if follows {
            let mut pending = state.pending.clone().unwrap_or_default();
            for change in &changes {
                let (Change::Insert(address, _) | Change::Update(address, _) | Change::Delete(address)) = change;
                let loaded = found.loaded.as_ref().map_or(&found.rows, |(rows, _)| rows);
                let row = loaded.iter().find(|row| row.address == *address && row.is_of(&person.account));
                pending.add(address, row.map_or_else(String::new, |row| mark::value(&row.to, &person.account)));
            }
            let (path, bytes, like) = (path.clone(), pending.bytes(), state.metadata.clone());
            if state.pending.as_ref() != Some(&pending) {
                let temp = blocking({
                    let path = path.clone();
                    move || file::prepare(&path, &bytes, &like)
                })
                .await?;
                steps.before()?;
                held(Box::new(move || file::replace(temp, &Pending::path(&path), None))).await?;
                steps.after();
            }
        }
        if let Some(temp) = prepared.text {
            steps.before()?;
            let path = path.clone();
            held(Box::new(move || file::replace(temp, &path, Some(&before)))).await?;
            steps.after();
        }
        if let Some((temp, compiled)) = prepared.compiled {
            steps.before()?;
            held(Box::new(move || file::replace(temp, &compiled, None))).await?;
            steps.after();
        }
        if !self.table.reload.is_empty() {
            steps.before()?;
            self.reload().await?;
            steps.after();
        }
        if follows {
            steps.before()?;
            let path = path.clone();
            held(Box::new(move || file::remove(&Pending::path(&path)))).await?;
            steps.after();
        }
        Ok(true)
    }

    /// Is there anything to write, to compile, or to tell?
    async fn is_to_change(&self, person: &Person, to: Option<&str>, state: &State) -> Result<bool, Error> {
        let found = self.found(person, state).await?;
        let is_planned = !plan(person, &found.rows, to)?.is_empty();
        let pending = state.pending.as_ref().map_or(&[][..], |pending| &pending.before);
        let is_theirs = |address: &String| person.addresses.contains(address);
        let is_pending = pending
            .iter()
            .any(|(address, value)| is_theirs(address) || parse(value).1 == mark::Whose::Ours(person.account.clone()));
        let is_loaded = found.loaded.as_ref().is_none_or(|(rows, _)| same(rows, &found.rows));
        Ok(is_planned || is_pending || !is_loaded)
    }

    /// Writes the new files beside the old ones.
    async fn prepare(&self, text: &[u8], is_new: bool, like: &Metadata) -> Result<Prepared, Error> {
        if text.len() as u64 > file::BYTES_MAX {
            let what = format!("{} would have {} bytes: too many", self.place(), text.len());
            return Err(Error::new(Cause::TooLarge, Scope::Run, what));
        }
        let (path, text, like) = (self.table.path.clone(), text.to_vec(), like.clone());
        let temp = blocking(move || file::prepare(&path, &text, &like)).await?;
        let Some(ending) = self.table.map_type.compiled() else {
            return Ok(Prepared { text: is_new.then_some(temp), compiled: None });
        };
        let made = file::beside(&temp, &format!(".{ending}"));
        let compiled = Programs(self.config).compile(&self.map(&temp)).await;
        let place = file::beside(&self.table.path, &format!(".{ending}"));
        let like = place.clone();
        // What was begun is removed even if it did not come to its end.
        let made = blocking(move || file::adopt(&made, &like)).await;
        compiled?;
        Ok(Prepared { text: is_new.then_some(temp), compiled: Some((made?, place)) })
    }

    /// Makes whoever uses the table read it anew.
    async fn reload(&self) -> Result<(), Error> {
        let limits = (RELOAD_OUTPUT_MAX, self.config.command_wait_max);
        let ended = run(&self.table.reload, &[], b"", limits).await?;
        if ended.status.success() {
            return Ok(());
        }
        // What it said may hold anything, so it is not passed on.
        let program = self.table.reload.first().map_or("", String::as_str);
        let what = format!("{program}, which is to have the table read anew, ended with {}", ended.status);
        Err(Error::new(Cause::Unavailable, Scope::Run, what))
    }
}

/// How a table is made that is not there.
fn with_hint(mut error: Error, path: &Path) -> Error {
    if error.cause == Cause::Missing {
        error.what =
            format!("{}; make an empty table, and compile it: touch {} && postmap …", error.what, path.display());
        error.scope = Scope::Run;
    }
    error
}
