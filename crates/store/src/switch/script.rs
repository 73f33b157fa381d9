//! Scripts that a person runs at a site: what is asked of each account, which script asks it, who signed it, what was supplied.
//!
//! Of an account at most one thing is asked at a time. While a signed script may change the mailbox nothing else is asked of it; once that can't
//! be told any more, what was read before counts no longer. All that changes a script or an ask is done by one at a time in a database.

use model::Digest;

use crate::sql::{Alone, Durability, Row, Tx, values};
use crate::{Error, ProjectKey, Store};

/// How far the clock of whoever runs a script may be off, in milliseconds.
const CLOCKS_MS: i64 = 600_000;

/// A script. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptRow {
    /// Its number.
    pub script: i64,
    /// Whose router it is for.
    pub endpoint: i64,
    /// That router's name then.
    pub router: String,
    /// What it is for.
    pub step: String,
    /// How many it is about.
    pub people: i64,
    /// Whom it is about, as JSON.
    pub accounts: String,
    /// What tells its read-back from others.
    pub nonce: String,
    /// The text.
    pub text: String,
    /// Its digest.
    pub digest: Option<Digest>,
    /// When it was written.
    pub written_at: i64,
    /// By whom.
    pub written_by: String,
    /// Its action is not run after this.
    pub lapses_at: i64,
    /// When it was signed, in whose name, and who recorded that.
    pub signed: Option<(i64, String, String)>,
    /// When it was closed, how, by whom and why.
    pub closed: Option<(i64, String, String, String)>,
    /// Of how many nothing was supplied yet.
    pub left: i64,
    /// What the clock says now.
    pub now: i64,
}

impl ScriptRow {
    /// May its action still be begun somewhere? Clocks differ.
    pub fn is_over(&self) -> bool {
        self.now > self.lapses_at.saturating_add(CLOCKS_MS)
    }

    /// How far a clock may be off, in milliseconds.
    pub fn clocks_ms() -> i64 {
        CLOCKS_MS
    }
}

/// What is known of an account of a router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptPerson {
    /// Whose router.
    pub endpoint: i64,
    /// The account.
    pub account: String,
    /// What is asked for, as JSON.
    pub ask: Option<String>,
    /// The script that asks it.
    pub script: Option<i64>,
    /// It was signed, and may have been run.
    pub is_signed: bool,
    /// What was last read, as JSON.
    pub seen: Option<String>,
    /// What a script has read that was signed before this does not count.
    pub doubt: i64,
    /// What the last change came to, as JSON.
    pub told: Option<String>,
}

/// A script to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewScript<'n> {
    /// Whose router.
    pub endpoint: i64,
    /// That router's name.
    pub router: &'n str,
    /// What it is for.
    pub step: &'n str,
    /// Who is meant; none: everybody.
    pub accounts: Option<&'n [String]>,
    /// How many at most.
    pub people_max: usize,
    /// What tells its read-back from others.
    pub nonce: &'n str,
    /// Its action is not run later than this after now, in milliseconds.
    pub lasts_ms: i64,
    /// Who writes it.
    pub by: &'n str,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskOutcome {
    /// It is asked for.
    Asked,
    /// A signed script may change the mailbox: nothing else is asked until that is known.
    InDoubt,
}

/// What came of signing a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOutcome {
    /// It is signed.
    Signed,
    /// It can't be signed any more: it was closed, was signed, or is over.
    Not,
}

/// What was supplied of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The account.
    pub account: String,
    /// What was read, as JSON.
    pub seen: String,
    /// What its change came to, as JSON.
    pub told: Option<String>,
    /// Is that the answer to what was asked?
    pub settles: bool,
    /// What was read before is not to be believed: this may have changed it since.
    pub doubts: bool,
}

macro_rules! scripts {
    ($rest:literal) => {
        concat!(
            "SELECT script, endpoint, router, step, people, accounts, nonce, text, digest, written_at, written_by, lapses_at, ",
            "signed_at, signed_by, recorded_by, closed_at, closed_as, closed_by, reason, ",
            "(SELECT count(*) FROM script_person p WHERE p.organisation = one.organisation AND p.project = one.project ",
            "AND p.script = one.script AND p.step IS NOT NULL), {now} ",
            "FROM script AS one WHERE organisation = $1 AND project = $2 ",
            $rest
        )
    };
}

fn script_row(row: &Row) -> ScriptRow {
    let text = |column| row.text_or_null(column).unwrap_or_default();
    ScriptRow {
        script: row.int(0),
        endpoint: row.int(1),
        router: row.text(2),
        step: row.text(3),
        people: row.int(4),
        accounts: row.text(5),
        nonce: row.text(6),
        text: row.text(7),
        digest: Digest::from_bytes(row.blob(8)),
        written_at: row.int(9),
        written_by: row.text(10),
        lapses_at: row.int(11),
        signed: row.int_or_null(12).map(|at| (at, text(13), text(14))),
        closed: row.int_or_null(15).map(|at| (at, text(16), text(17), text(18))),
        left: row.int(19),
        now: row.int(20),
    }
}

fn person(row: &Row) -> ScriptPerson {
    ScriptPerson {
        endpoint: row.int(0),
        account: row.text(1),
        ask: row.text_or_null(2),
        script: row.int_or_null(3),
        is_signed: false,
        seen: row.text_or_null(4),
        doubt: row.int(5),
        told: row.text_or_null(6),
    }
}

const PERSON: &str = "SELECT endpoint, account, ask, script, seen, doubt, told FROM script_person \
    WHERE organisation = $1 AND project = $2 AND endpoint = $3 AND account = $4";
const ONE: &str = scripts!("AND script = $3");

/// A person, with the script that asks something of them taken into account.
fn with_script(person: ScriptPerson, script: Option<&ScriptRow>) -> ScriptPerson {
    let Some(script) = script.filter(|_| person.ask.is_some()) else { return person };
    // Nobody points to a script that is closed: where it is, it was closed between two readings.
    let is_signed = script.signed.is_some();
    if script.step != "read" && script.signed.is_none() && script.now > script.lapses_at {
        // Nobody can sign it any more: another one is to be written.
        return ScriptPerson { script: None, ..person };
    }
    if is_signed && script.closed.is_none() && script.step != "read" && script.is_over() {
        // It was run in time or not at all. Which, only a reading tells that came after.
        let doubt = person.doubt.max(script.lapses_at.saturating_add(CLOCKS_MS));
        return ScriptPerson { ask: None, script: None, doubt, ..person };
    }
    ScriptPerson { is_signed, ..person }
}

async fn script_in(tx: &mut Tx<'_>, key: ProjectKey, script: i64) -> Result<Option<ScriptRow>, Error> {
    let rows = tx.query(ONE, values![key.organisation, key.project, script]).await?;
    Ok(rows.first().map(script_row))
}

async fn person_in(tx: &mut Tx<'_>, key: ProjectKey, endpoint: i64, account: &str) -> Result<ScriptPerson, Error> {
    let rows = tx.query(PERSON, values![key.organisation, key.project, endpoint, account]).await?;
    let found = rows.first().map(person);
    let found =
        found.unwrap_or_else(|| ScriptPerson { endpoint, account: account.to_owned(), ..ScriptPerson::default() });
    let script = match found.script {
        Some(script) => script_in(tx, key, script).await?,
        None => None,
    };
    Ok(with_script(found, script.as_ref()))
}

/// A script that nobody has signed is asked for anew: who is in it is to be written again.
async fn void(tx: &mut Tx<'_>, key: ProjectKey, script: i64, by: &str, reason: &str) -> Result<(), Error> {
    let free = "UPDATE script_person SET script = NULL WHERE organisation = $1 AND project = $2 AND script = $3";
    tx.execute(free, values![key.organisation, key.project, script]).await?;
    let close = "UPDATE script SET closed_at = {now}, closed_as = 'void', closed_by = $4, reason = $5 \
        WHERE organisation = $1 AND project = $2 AND script = $3 AND closed_at IS NULL";
    tx.execute(close, values![key.organisation, key.project, script, by, reason]).await.map(|_| ())
}

impl Store {
    /// What is known of an account of a router, and what the clock says.
    pub async fn script_person(
        &self,
        key: ProjectKey,
        endpoint: i64,
        account: &str,
    ) -> Result<(ScriptPerson, i64), Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let person = person_in(&mut tx, key, endpoint, account).await?;
        let now = tx.query("SELECT {now}", Vec::new()).await?[0].int(0);
        tx.commit().await?;
        Ok((person, now))
    }

    /// Asks this of an account, in place of what was asked before; none: nothing. A script that asks something else, and was not signed, is void.
    pub async fn ask_script(
        &self,
        key: ProjectKey,
        endpoint: i64,
        account: &str,
        ask: Option<(&str, &str)>,
    ) -> Result<AskOutcome, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let person = person_in(&mut tx, key, endpoint, account).await?;
        if let Some(number) = person.script
            && let Some(script) = script_in(&mut tx, key, number).await?
        {
            if person.is_signed && script.step != "read" {
                return Ok(AskOutcome::InDoubt);
            }
            if !person.is_signed {
                void(&mut tx, key, number, "", "something else is asked of one of its people").await?;
            }
        }
        let (step, ask) = (ask.map(|(step, _)| step.to_owned()), ask.map(|(_, ask)| ask.to_owned()));
        let upsert = "INSERT INTO script_person (organisation, project, endpoint, account, step, ask, doubt) \
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (organisation, project, endpoint, account) DO UPDATE SET \
            step = excluded.step, ask = excluded.ask, script = NULL, doubt = excluded.doubt";
        tx.execute(upsert, values![key.organisation, key.project, endpoint, account, step, ask, person.doubt]).await?;
        tx.commit().await?;
        Ok(AskOutcome::Asked)
    }

    /// What the last change of an account came to was told, if it still is this.
    pub async fn script_was_told(
        &self,
        key: ProjectKey,
        endpoint: i64,
        account: &str,
        told: &str,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE script_person SET told = NULL WHERE organisation = $1 AND project = $2 AND endpoint = $3 \
            AND account = $4 AND told = $5";
        tx.execute(update, values![key.organisation, key.project, endpoint, account, told]).await?;
        tx.commit().await
    }

    /// How many people wait to be in a script, by router and step.
    pub async fn unwritten_scripts(&self, key: ProjectKey) -> Result<Vec<(i64, String, i64)>, Error> {
        let select = "SELECT endpoint, step, count(*) FROM script_person WHERE organisation = $1 AND project = $2 \
            AND step IS NOT NULL AND script IS NULL GROUP BY endpoint, step ORDER BY endpoint, step";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(|row| (row.int(0), row.text(1), row.int(2))).collect())
    }

    /// Whose mail a signed script may change at any time: router and account.
    pub async fn asked_changes(&self, key: ProjectKey) -> Result<Vec<(i64, String)>, Error> {
        let select = "SELECT endpoint, account FROM script_person p WHERE organisation = $1 AND project = $2 \
            AND step IS NOT NULL AND EXISTS (SELECT 1 FROM script s WHERE s.organisation = p.organisation \
            AND s.project = p.project AND s.script = p.script AND s.step IN ('redirect', 'release') AND s.signed_at IS NOT NULL \
            AND s.closed_at IS NULL AND s.lapses_at + $3 >= {now}) ORDER BY endpoint, account";
        let rows = self.database.query(select, values![key.organisation, key.project, CLOCKS_MS]).await?;
        Ok(rows.iter().map(|row| (row.int(0), row.text(1))).collect())
    }

    /// Writes a script for those who wait for one: `compose` makes its text of its number, of when it lapses, and of whom and what. None:
    /// nobody waits.
    pub async fn write_script(
        &self,
        key: ProjectKey,
        new: &NewScript<'_>,
        compose: impl FnOnce(i64, i64, &[(String, String)]) -> Result<String, Error> + Send,
    ) -> Result<Option<i64>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let select = "SELECT account, ask FROM script_person WHERE organisation = $1 AND project = $2 AND endpoint = $3 \
            AND step = $4 AND script IS NULL ORDER BY account";
        let rows = tx.query(select, values![key.organisation, key.project, new.endpoint, new.step]).await?;
        let is_meant = |account: &String| new.accounts.is_none_or(|accounts| accounts.contains(account));
        let asks: Vec<(String, String)> = rows
            .iter()
            .map(|row| (row.text(0), row.text(1)))
            .filter(|(account, _)| is_meant(account))
            .take(new.people_max)
            .collect();
        if asks.is_empty() {
            return Ok(None);
        }
        let max = "SELECT max(script) FROM script WHERE organisation = $1 AND project = $2";
        let number = crate::project::next(&mut tx, max, values![key.organisation, key.project]).await?;
        let now = tx.query("SELECT {now}", Vec::new()).await?[0].int(0);
        let lapses_at = now.saturating_add(new.lasts_ms);
        let text = compose(number, lapses_at, &asks)?;
        let accounts: Vec<&String> = asks.iter().map(|(account, _)| account).collect();
        let insert = "INSERT INTO script (organisation, project, script, endpoint, router, step, people, accounts, nonce, text, \
            digest, written_at, written_by, lapses_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let row = values![
            key.organisation,
            key.project,
            number,
            new.endpoint,
            new.router,
            new.step,
            asks.len() as i64,
            serde_json::json!(accounts).to_string(),
            new.nonce,
            text.as_str(),
            Digest::of(text.as_bytes()).as_bytes().to_vec(),
            now,
            new.by,
            lapses_at
        ];
        tx.execute(insert, row).await?;
        let update = "UPDATE script_person SET script = $5 WHERE organisation = $1 AND project = $2 AND endpoint = $3 \
            AND account = $4";
        for account in accounts {
            let row = values![key.organisation, key.project, new.endpoint, account.as_str(), number];
            tx.execute(update, row).await?;
        }
        tx.commit().await?;
        Ok(Some(number))
    }

    /// Every script, in order.
    pub async fn scripts(&self, key: ProjectKey) -> Result<Vec<ScriptRow>, Error> {
        let select = scripts!("ORDER BY script");
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(script_row).collect())
    }

    /// The script of this number.
    pub async fn script(&self, key: ProjectKey, script: i64) -> Result<Option<ScriptRow>, Error> {
        let rows = self.database.query(ONE, values![key.organisation, key.project, script]).await?;
        Ok(rows.first().map(script_row))
    }

    /// Records that somebody has signed a script: from now on it may be run.
    pub async fn sign_script(
        &self,
        key: ProjectKey,
        script: i64,
        by: &str,
        recorded_by: &str,
    ) -> Result<SignOutcome, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let update = "UPDATE script SET signed_at = {now}, signed_by = $4, recorded_by = $5 WHERE organisation = $1 \
            AND project = $2 AND script = $3 AND signed_at IS NULL AND closed_at IS NULL \
            AND (step = 'read' OR lapses_at > {now})";
        let signed = tx.execute(update, values![key.organisation, key.project, script, by, recorded_by]).await?;
        tx.commit().await?;
        Ok(if signed == 1 { SignOutcome::Signed } else { SignOutcome::Not })
    }

    /// Closes a script that is not to be run: who is in it is asked anew, once it was read where their mail goes. False: it was closed before.
    pub async fn withdraw_script(&self, key: ProjectKey, script: i64, by: &str, reason: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let Some(row) = script_in(&mut tx, key, script).await?.filter(|row| row.closed.is_none()) else {
            return Ok(false);
        };
        if row.signed.is_none() {
            void(&mut tx, key, script, by, reason).await?;
            tx.commit().await?;
            return Ok(true);
        }
        let doubt = if row.step == "read" { 0 } else { row.now };
        let free = "UPDATE script_person SET step = NULL, ask = NULL, script = NULL, \
            doubt = CASE WHEN doubt < $4 THEN $4 ELSE doubt END WHERE organisation = $1 AND project = $2 AND script = $3";
        tx.execute(free, values![key.organisation, key.project, script, doubt]).await?;
        let close = "UPDATE script SET closed_at = {now}, closed_as = 'withdrawn', closed_by = $4, reason = $5 \
            WHERE organisation = $1 AND project = $2 AND script = $3";
        tx.execute(close, values![key.organisation, key.project, script, by, reason]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes in what a script printed. Of whom a script of a higher number was read, nothing changes. The accounts whose standing changed.
    ///
    /// What a script did that was closed, and not by what it printed, makes what was read before it was supplied count no more.
    pub async fn supply_script(
        &self,
        key: ProjectKey,
        script: i64,
        answers: &[Answer],
        acted: bool,
        by: &str,
    ) -> Result<Vec<String>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let Some(row) = script_in(&mut tx, key, script).await? else { return Ok(Vec::new()) };
        let is_late = acted && row.step != "read" && row.closed.as_ref().is_some_and(|closed| closed.1 != "supplied");
        let mut changed = Vec::new();
        let settle = "UPDATE script_person SET step = NULL, ask = NULL, script = NULL, told = coalesce($6, told) WHERE organisation = $1 \
            AND project = $2 AND endpoint = $3 AND account = $4 AND script = $5";
        let see = "UPDATE script_person SET seen = $6, seen_script = $5 WHERE organisation = $1 AND project = $2 \
            AND endpoint = $3 AND account = $4 AND (seen_script IS NULL OR seen_script <= $5)";
        let doubt = "UPDATE script_person SET doubt = {now} WHERE organisation = $1 AND project = $2 AND endpoint = $3 \
            AND account = $4";
        for answer in answers {
            let account = answer.account.as_str();
            let seen = values![key.organisation, key.project, row.endpoint, account, script, answer.seen.as_str()];
            let mut is_changed = tx.execute(see, seen).await? > 0;
            if answer.settles {
                let told = values![key.organisation, key.project, row.endpoint, account, script, answer.told.clone()];
                is_changed |= tx.execute(settle, told).await? > 0;
            }
            if is_late || answer.doubts {
                is_changed |=
                    tx.execute(doubt, values![key.organisation, key.project, row.endpoint, account]).await? > 0;
            }
            if is_changed {
                changed.push(answer.account.clone());
            }
        }
        let close = "UPDATE script SET closed_at = {now}, closed_as = 'supplied', closed_by = $4 WHERE organisation = $1 \
            AND project = $2 AND script = $3 AND closed_at IS NULL AND NOT EXISTS (SELECT 1 FROM script_person p \
            WHERE p.organisation = script.organisation AND p.project = script.project AND p.script = script.script \
            AND p.step IS NOT NULL)";
        tx.execute(close, values![key.organisation, key.project, script, by]).await?;
        tx.commit().await?;
        Ok(changed)
    }
}
