//! Scripts that a person runs at a site: what the router asks is kept in the database, written into scripts, and taken back from what they print.

use std::sync::Arc;

use async_trait::async_trait;
use exchange::read_back::{Mode, ReadBack, parse};
use exchange::{Ask, Board, Known, Open, Outcome, Reading, Step, Told};
use model::{Cause, Scope};
use store::{Answer, AskOutcome, NewScript, ProjectKey, ScriptRow, Store};

use crate::Error;

/// How many people a script is about at most.
const PEOPLE_MAX: usize = 500;
/// How much of Exchange's own words is kept.
const WORDS_MAX: usize = 300;
const HOUR_MS: i64 = 3_600_000;

/// The board of a router, in the database.
pub(crate) struct ScriptBoard {
    store: Store,
    key: ProjectKey,
    endpoint: i64,
}

impl ScriptBoard {
    /// That of the router of this endpoint.
    pub(crate) fn of(store: &Store, key: ProjectKey, endpoint: i64) -> Arc<dyn Board> {
        Arc::new(Self { store: store.clone(), key, endpoint })
    }
}

fn database(error: &impl ToString) -> connector::Error {
    connector::Error::new(Cause::Database, Scope::Mailbox, error.to_string())
}

fn read<T: serde::de::DeserializeOwned>(text: Option<&String>) -> Result<Option<T>, connector::Error> {
    text.map(|text| serde_json::from_str(text)).transpose().map_err(|error| database(&error))
}

fn written(value: &impl serde::Serialize) -> String {
    serde_json::json!(value).to_string()
}

#[async_trait]
impl Board for ScriptBoard {
    async fn known(&self, account: &str) -> Result<Known, connector::Error> {
        let person = self.store.script_person(self.key, self.endpoint, account).await;
        let (person, now) = person.map_err(|error| database(&error))?;
        let ask: Option<Ask> = read(person.ask.as_ref())?;
        let open = ask.map(|ask| Open { ask, script: person.script, is_signed: person.is_signed });
        let (reading, told) = (read(person.seen.as_ref())?, read(person.told.as_ref())?);
        Ok(Known { now, reading, doubt: person.doubt, open, told })
    }

    async fn ask(&self, account: &str, ask: Option<&Ask>) -> Result<bool, connector::Error> {
        let text = ask.map(written);
        let ask = ask.zip(text.as_deref()).map(|(ask, text)| (ask.step.name(), text));
        let asked = self.store.ask_script(self.key, self.endpoint, account, ask).await;
        Ok(asked.map_err(|error| database(&error))? == AskOutcome::Asked)
    }

    async fn was_told(&self, account: &str, told: &Told) -> Result<(), connector::Error> {
        let told = self.store.script_was_told(self.key, self.endpoint, account, &written(told)).await;
        told.map_err(|error| database(&error))
    }
}

/// Who writes scripts of a router, and takes back what they print.
pub(crate) struct Desk<'d> {
    pub(crate) store: &'d Store,
    pub(crate) key: ProjectKey,
    /// Whose router it is.
    pub(crate) endpoint: i64,
    /// The router's name, and the project's.
    pub(crate) router: &'d str,
    pub(crate) project: &'d str,
    pub(crate) config: &'d exchange::Config,
}

/// What came of taking in what a script printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Supplied {
    /// Whose standing changed.
    pub(crate) changed: Vec<String>,
    /// What is not as it was to be: account, and what.
    pub(crate) notes: Vec<(String, String)>,
}

impl Desk<'_> {
    /// Writes a script for all of these who wait at this step; none: for everybody. Its number; none: nobody waits.
    pub(crate) async fn write(
        &self,
        step: Step,
        accounts: Option<&[String]>,
        nonce: &str,
        by: &str,
    ) -> Result<Option<i64>, Error> {
        let new = NewScript {
            endpoint: self.endpoint,
            router: self.router,
            step: step.name(),
            accounts,
            people_max: PEOPLE_MAX,
            nonce,
            lasts_ms: i64::from(self.config.valid_hours) * HOUR_MS,
            by,
        };
        let compose = |number: i64, lapses_at: i64, asks: &[(String, String)]| {
            let people: Result<Vec<(String, Ask)>, _> =
                asks.iter().map(|(account, ask)| Ok((account.clone(), serde_json::from_str(ask)?))).collect();
            let people = people.map_err(|_: serde_json::Error| store::Error::damaged("what is asked of a script"))?;
            let (router, project) = (self.router, self.project);
            let script = exchange::script::Script { number, nonce, project, router, step, lapses_at, people: &people };
            Ok(exchange::script::write(self.config, &script))
        };
        Ok(self.store.write_script(self.key, &new, compose).await?)
    }

    /// Takes in what a script printed, once it is sure that it is of this script, as it was signed, run in this organisation and in time.
    pub(crate) async fn supply(&self, row: &ScriptRow, file: &str, bytes: &[u8], by: &str) -> Result<Supplied, Error> {
        let read_back = parse(bytes).map_err(|wrong| {
            let line = if wrong.line == 0 { String::new() } else { format!(", line {}", wrong.line) };
            Error::usage(format!("{file}{line}: {}", wrong.what))
                .advise("hand back exactly what the script printed; nothing was changed")
        })?;
        let signed_at = self.refuse(row, file, &read_back)?;
        let step = Step::from_name(&row.step).ok_or_else(|| store::Error::damaged("what a script is for"))?;
        let settles = step == Step::Read || read_back.mode != Mode::Read || read_back.acted;
        let mut supplied = Supplied::default();
        let mut answers = Vec::new();
        for told in read_back.mailboxes {
            let account = told.account.clone();
            let (person, now) = self.store.script_person(self.key, self.endpoint, &account).await?;
            let seen: Option<Reading> = read(person.seen.as_ref()).map_err(|_| store::Error::damaged("a reading"))?;
            let ask: Option<Ask> = read(person.ask.as_ref()).map_err(|_| store::Error::damaged("an ask"))?;
            let is_asked = person.script == Some(row.script);
            let change = ask.filter(|_| is_asked).and_then(|ask| ask.change);
            let outcome = told.outcome;
            let is_action = read_back.mode != Mode::Read;
            // Exchange may show for a while what was there before; and what was run after another script has read is not what that one read.
            let shows_other = read_back.mode == Mode::Do
                && matches!(outcome, Outcome::Changed | Outcome::Already)
                && change
                    .as_ref()
                    .zip(told.state.as_ref().ok())
                    .is_some_and(|((_, after), is)| !step.part(is).is_like(after));
            let was_read_before =
                |seen: &Reading| seen.script > row.script && told.at.saturating_add(ScriptRow::clocks_ms()) >= seen.at;
            let doubts = shows_other || is_action && seen.as_ref().is_some_and(was_read_before);
            if shows_other {
                let what = "Exchange said that it is changed, and shows it otherwise: it is to be read again";
                supplied.notes.push((account.clone(), what.to_owned()));
            }
            if seen.as_ref().is_some_and(|seen| seen.script > row.script) {
                let counts = if doubts { "when is not sure: it is to be read again" } else { "that counts" };
                supplied.notes.push((account.clone(), format!("another script has read it, too: {counts}")));
            }
            let last = change.filter(|_| settles && read_back.mode != Mode::Reverse).map(|(before, _)| Told {
                script: row.script,
                step,
                outcome,
                why: shortened(&told.why),
                before,
            });
            let what = match outcome {
                Outcome::Read | Outcome::Changed | Outcome::Already => None,
                Outcome::Left => Some(format!("left alone: {}", shortened(&told.why))),
                Outcome::Failed => Some(format!("Exchange refused it: {}", shortened(&told.why))),
                Outcome::NotTried => Some("not tried: the script had stopped before".to_owned()),
            };
            let unread = told.state.as_ref().err().map(|(why, _)| format!("could not be read: {}", shortened(why)));
            supplied.notes.extend(what.into_iter().chain(unread).map(|what| (account.clone(), what)));
            let failed = told.state.as_ref().err().map(|(why, is_missing)| (shortened(why), *is_missing));
            let reading = Reading {
                script: row.script,
                not_before: signed_at,
                at: told.at.min(now),
                state: told.state.ok(),
                failed,
                addresses: told.addresses,
                rules: told.rules,
                rules_unread: told.rules_unread.as_deref().map(shortened),
            };
            // Of two readings by one script the later one counts, whichever is supplied first; but what settles it counts before what does not,
            // since the clocks of two machines may differ.
            let is_answer = settles && is_asked;
            let is_later = |seen: &Reading| !is_answer && seen.script == row.script && seen.at > reading.at;
            let reading = seen.filter(is_later).unwrap_or(reading);
            let told = last.as_ref().map(written);
            answers.push(Answer { account, seen: written(&reading), told, settles, doubts });
        }
        supplied.changed = self.store.supply_script(self.key, row.script, &answers, read_back.acted, by).await?;
        if !settles {
            let what = "it was read only: what its action prints is awaited, or whimbrel switch script withdraw";
            supplied.notes.push((format!("script {}", row.script), what.to_owned()));
        }
        Ok(supplied)
    }

    /// Refuses what a script printed where that is not of this script as it was signed. When it was signed.
    fn refuse(&self, row: &ScriptRow, file: &str, read_back: &ReadBack) -> Result<i64, Error> {
        let number = row.script;
        let no = |what: String, advice: &str| {
            Err(Error::refused("R-181", format!("{file}: {what}")).advise(format!("{advice}; nothing was changed")))
        };
        if read_back.script != number {
            return no(format!("it is what script {} printed, not {number}", read_back.script), "name that number");
        }
        let Some((signed_at, ..)) = row.signed else {
            return no(format!("script {number} was never signed"), "find out what was run, and by whom");
        };
        if read_back.nonce != row.nonce {
            return no(format!("it is of another script {number}: of another project, perhaps"), "supply it there");
        }
        if row.digest.map(|digest| digest.to_string()) != Some(read_back.digest.to_ascii_lowercase()) {
            let what = format!("what was run is not the script {number} that was signed: its digest is another");
            return no(what, "have it withdrawn, and another one written and run as it is");
        }
        if read_back.organisation != self.config.organisation {
            let what = format!("it was run in the organisation {:?}", read_back.organisation);
            return no(what, "run it where routers.*.organisation says");
        }
        let (earliest, latest) = (signed_at - ScriptRow::clocks_ms(), row.now + ScriptRow::clocks_ms());
        let times = read_back.mailboxes.iter().map(|told| (told.line, told.at)).chain([(1, read_back.at)]);
        for (line, at) in times {
            if !(earliest..=latest).contains(&at) || at < read_back.at {
                let what = format!(
                    "line {line}: {} UTC is before it was signed, or still to come",
                    exchange::script::moment(at)
                );
                return no(what, "set the clock of the machine that runs scripts, and run it with -ReadOnly");
            }
        }
        let is_read = read_back.mode == Mode::Read;
        if (!is_read && (row.step == Step::Read.name() || !read_back.acted))
            || (read_back.mode == Mode::Do && read_back.at > row.lapses_at + ScriptRow::clocks_ms())
        {
            return no("no run of this script prints that".to_owned(), "hand back exactly what it printed");
        }
        let accounts: Vec<String> =
            serde_json::from_str(&row.accounts).map_err(|_| store::Error::damaged("whom a script is about"))?;
        for told in &read_back.mailboxes {
            let line = told.line;
            if !accounts.contains(&told.account) {
                return no(
                    format!("line {line}: script {number} is not about {:?}", told.account),
                    "supply it as it was printed",
                );
            }
            if (told.outcome == Outcome::Read) != is_read {
                return no(
                    format!("line {line}: no run of this script prints that"),
                    "hand back exactly what it printed",
                );
            }
        }
        Ok(signed_at)
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}
