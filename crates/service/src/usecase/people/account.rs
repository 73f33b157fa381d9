//! `people accept`, `export` and `activation`: what becomes of accounts once they are made (R-033, R-034, R-066 to R-070,
//!

use std::collections::BTreeMap;

use connector::{Change, ChangeOutcome, OpenDoor, PlannedChange};
use model::{AccountState, Entry};
use people::{Class, ObjectId};
use report::{Cell, Column, Document, Kind, Table};
use serde::Serialize;
use serde_json::json;
use store::AccountRow;

use super::password::Safe;
use super::{PeopleProject, UploadLine};
use crate::Error;

/// Accounts accepted at once on the platform.
pub(super) const PORTION: usize = 100;
const DAY_MS: i64 = 86_400_000;

/// What was accepted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AcceptReport {
    /// Accounts that are live now.
    pub live: Vec<String>,
    /// Those that are not: which, why.
    pub refused: Vec<(String, String)>,
    /// Those whose reason is recorded, and that somebody has to accept in the platform's portal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_accept: Vec<String>,
    /// Those that are live as soon as the platform's portal has made them: the reason is recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_make: Vec<String>,
    /// Accounts whose forwarder to the source was put on and read back, before they went live or right after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forwarded: Vec<String>,
    /// Accounts that are live and whose forwarder is not on: which, why. It is put on by the next turn of their mailbox that can.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<(String, String)>,
    /// Accounts that were live before.
    pub were_live: usize,
    /// Why they may be live without a forwarder; empty where each has one.
    pub exemption: String,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// An account that was made, and how far its person has come.
#[derive(Clone, Debug, Serialize)]
pub struct ActivationLine {
    /// The object it was made for.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// What the platform says it is.
    pub state: &'static str,
    /// When it was made (seconds since 1970).
    pub made: i64,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<i64>,
    /// When it was last unlocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<i64>,
    /// Its person has activated it: as the platform says, else by having logged in.
    pub activated: bool,
    /// Days until it locks; below nothing once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i64>,
    /// What somebody has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<&'static str>,
}

/// How far everybody has come.
#[derive(Clone, Debug, Serialize)]
pub struct ActivationReport {
    /// How many accounts there are in each state.
    pub states: BTreeMap<&'static str, usize>,
    /// Accounts that are not activated, those with the fewest days left first.
    pub waiting: Vec<ActivationLine>,
    /// How many are.
    pub activated: usize,
    /// The file for the platform's portal that has no result yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<UploadLine>,
}

/// The details of new accounts, for mail merge.
pub struct Details {
    /// A row for each.
    pub document: Document,
    /// How many there are.
    pub accounts: usize,
    /// Those whose details are not given: which, why.
    pub withheld: Vec<(String, String)>,
    objects: Vec<ObjectId>,
}

/// Why an account that was made for an object is not known to be its own now; none: it is.
pub(super) fn not_theirs(known: &super::Known, id: &ObjectId, row: &AccountRow) -> Option<String> {
    let has_left = known.object(id).is_some_and(|object| people::has_left(&object.entry));
    match known.reconciliation.row(id).map(|row| &row.class) {
        Some(Class::Existing { .. }) if has_left => Some("it is switched off at the source".to_owned()),
        Some(Class::Existing { account }) if *account == row.made.account => None,
        Some(Class::Existing { account }) => Some(format!("its account is {account}, not {}", row.made.account)),
        Some(class) if known.account(&row.made.account).is_none() => {
            Some(format!("its account is gone from the platform, and it is {}", class.name()))
        }
        Some(class) => Some(format!("it is {}: people show {id}", class.name())),
        None => Some("it is gone from its directory".to_owned()),
    }
}

impl PeopleProject {
    /// Refused where the project is governed and its stage makes no accounts.
    pub(super) async fn refuse_ungated(&self) -> Result<(), Error> {
        let live = programme::Live::ProvisionAccounts { new_already: 0, asked: 0, others: 0 };
        crate::usecase::governed::refuse(&self.config, &self.store, self.key, live).await
    }

    /// Makes accounts live that wait to be accepted, these or all, for a recorded reason why they may be live without a forwarder to
    /// the source.
    pub async fn accept(&self, wanted: &[String], exemption: &str) -> Result<AcceptReport, Error> {
        self.may_change()?;
        let exemption = exemption.trim();
        if exemption.is_empty() {
            return Err(Error::refused(
                "R-073",
                "an account goes live with a forwarder to the source, or with a recorded reason",
            )
            .advise("give the reason: --exemption TEXT"));
        }
        self.refuse_ungated().await?;
        if self.portal().is_some() {
            return self.accept_in_portal(wanted, exemption).await;
        }
        let target = self.platform_to_write()?;
        let known = self.known().await?;
        let made = self.made().await?;
        let bare = self.without_forwarder().await?;
        let (rows, mut report) = self.waiting(&known, &made, wanted, &bare)?;
        exemption.clone_into(&mut report.exemption);
        if self.is_rehearsed {
            report.live = rows.iter().map(|(id, _)| id.to_string()).collect();
            return Ok(report);
        }
        let lease = self.hold().await?;
        let done = async {
            for portion in rows.chunks(PORTION) {
                // The reason is on record before an account is live.
                let reason = format!("{} (recorded by {})", report.exemption, self.actor.name);
                let ids: Vec<String> = portion.iter().map(|(id, _)| id.to_string()).collect();
                let detail = json!({ "accounts": ids, "exemption": report.exemption });
                self.store.audit(self.key, &self.actor, "people.accepted", &detail).await?;
                let mut tx = self.store.write_people(&lease).await?;
                for (id, _) in portion {
                    tx.exempt(&id.directory, &id.key, &reason).await?;
                }
                tx.commit().await?;
                self.call_off_forwarders(&known, portion).await?;
                self.activate(&lease, target.as_ref(), portion, &mut report).await?;
            }
            if rows.is_empty() { Ok(()) } else { self.read_platform(&lease).await }
        };
        let done = self.while_held(&lease, done).await;
        self.leave(&lease, done).await.map(|()| report)
    }

    /// Makes accounts live on the platform, and records that they are.
    pub(super) async fn activate(
        &self,
        lease: &store::PeopleLease,
        target: &dyn connector::DirectoryTarget,
        portion: &[(&ObjectId, &AccountRow)],
        report: &mut AcceptReport,
    ) -> Result<(), Error> {
        let failed = |error: connector::Error| Error::usage(format!("the platform: {error}"));
        let keys: Vec<String> = portion.iter().map(|(_, row)| row.made.account.clone()).collect();
        let there: Vec<Entry> = target.entries(&keys).await.map_err(failed)?;
        let (mut changes, mut of) = (Vec::new(), Vec::new());
        for (id, row) in portion {
            let Some(before) = there.iter().find(|entry| entry.key == row.made.account) else {
                report.refused.push((id.to_string(), "its account is gone from the platform".to_owned()));
                continue;
            };
            if !matches!(before.state, AccountState::Pending | AccountState::Active) {
                let state = before.state.name();
                report.refused.push((id.to_string(), format!("its account is {state}, not pending")));
                continue;
            }
            let mut after = before.clone();
            after.state = AccountState::Active;
            let change = Change::Update { before: Box::new(before.clone()), after: Box::new(after) };
            changes.push(PlannedChange { id: format!("accept {id}"), change });
            of.push(*id);
        }
        let outcomes = target.apply(&changes, &OpenDoor).await.map_err(failed)?;
        let mut tx = self.store.write_people(lease).await?;
        for (id, outcome) in of.into_iter().zip(outcomes) {
            match outcome {
                ChangeOutcome::Done { .. } | ChangeOutcome::Unchanged { .. } => {
                    tx.set_live(&id.directory, &id.key).await?;
                    report.live.push(id.to_string());
                }
                ChangeOutcome::Submitted { submission } => {
                    report.refused.push((id.to_string(), format!("submitted as {submission}; the answer comes later")));
                }
                ChangeOutcome::Refused(error) | ChangeOutcome::InDoubt(error) => {
                    report.refused.push((id.to_string(), error.to_string()));
                }
                ChangeOutcome::Conflict(what) => report.refused.push((id.to_string(), what)),
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The details of accounts that this program made and that have not been handed over, with their first passwords. Never of
    /// an account that was there before.
    pub async fn details(&self) -> Result<Details, Error> {
        self.may_change()?;
        let known = self.known().await?;
        let mut rows: Vec<(ObjectId, AccountRow)> =
            self.made().await?.into_iter().filter(|(_, row)| row.made.password.is_some()).collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut withheld = Vec::new();
        rows.retain(|(id, row)| match not_theirs(&known, id, row) {
            None => true,
            Some(why) => {
                withheld.push((id.to_string(), why));
                false
            }
        });
        let mut cells = Vec::new();
        if !rows.is_empty() && !self.is_rehearsed {
            let safe = Safe::open(&self.config.path(&self.entry.key_file), false)?;
            for (id, row) in &rows {
                cells.push(Self::detail(&known, &safe, id, row)?);
            }
        }
        let ids: Vec<String> = rows.iter().map(|(id, _)| id.to_string()).collect();
        let detail = json!({ "accounts": ids.len(), "of": ids });
        if !self.is_rehearsed {
            self.store.audit(self.key, &self.actor, "people.details-exported", &detail).await?;
        }
        let headings = [
            "Title",
            "FirstName",
            "LastName",
            "DisplayName",
            "Email",
            "OldEmail",
            "LocalId",
            "Department",
            "JobTitle",
            "FirstPassword",
        ];
        let table = Table {
            name: "accounts",
            title: "New accounts".to_owned(),
            columns: headings.iter().map(|heading| Column::new(heading, Kind::Text)).collect(),
            rows: cells,
            total: None,
            empty: "no account waits for its details to be handed over",
        };
        let document = Document {
            title: "Details of new accounts".to_owned(),
            tables: vec![table],
            main: "accounts",
            ..Document::default()
        };
        Ok(Details { document, accounts: rows.len(), withheld, objects: rows.into_iter().map(|(id, _)| id).collect() })
    }

    fn detail(known: &super::Known, safe: &Safe, id: &ObjectId, row: &AccountRow) -> Result<Vec<Cell>, Error> {
        let own = known.object(id).map(|object| &object.entry);
        let account = known.account(&row.made.account);
        let of = |text: Option<&String>| Cell::Text(text.cloned().unwrap_or_default());
        let names = own.map(|own| &own.names);
        let sealed = row.made.password.as_deref().unwrap_or_default();
        Ok(vec![
            of(names.and_then(|names| names.title.as_ref())),
            of(names.and_then(|names| names.given.as_ref())),
            of(names.and_then(|names| names.surname.as_ref())),
            of(account.and_then(|account| account.names.display.as_ref())),
            of(account.and_then(|account| account.mail.as_ref())),
            of(own.and_then(|own| own.mail.as_ref())),
            of(own.and_then(|own| own.local_id.as_ref())),
            of(own.and_then(|own| own.department.as_ref())),
            of(own.and_then(|own| own.job_title.as_ref())),
            Cell::Text(safe.open_sealed(sealed, &id.to_string())?),
        ])
    }

    /// Records that these details were handed over: their first passwords are forgotten.
    pub async fn hand_over(&self, details: &Details) -> Result<(), Error> {
        self.may_change()?;
        let lease = self.hold().await?;
        let done = async {
            let mut tx = self.store.write_people(&lease).await?;
            for id in &details.objects {
                tx.handed_over(&id.directory, &id.key).await?;
            }
            tx.commit().await?;
            let detail = json!({ "accounts": details.objects.len() });
            self.store.audit(self.key, &self.actor, "people.details-handed-over", &detail).await?;
            Ok(())
        };
        let done = done.await;
        self.leave(&lease, done).await
    }

    /// How far the people whose accounts were made have come, by what the platform last said; `now` in milliseconds since 1970.
    pub async fn activation(&self, now: Option<i64>) -> Result<ActivationReport, Error> {
        let now = match now {
            Some(now) => now,
            None => self.store.now().await?,
        };
        let known = self.known().await?;
        let mut made: Vec<(ObjectId, AccountRow)> = self.made().await?.into_iter().collect();
        made.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (unlocked, bare) = (self.unlocked().await?, self.without_forwarder().await?);
        let line = |(id, row): &(ObjectId, AccountRow)| {
            let mut line = self.activation_line(&known, id, (row, unlocked.get(id).copied()), now);
            if bare.contains_key(&line.id) && line.state != AccountState::Locked.name() {
                line.next = Some(
                    "it is live without a forwarder to the source and without a reason on record: people accept puts it on, or people accept \
                     WHO --exemption TEXT records the reason",
                );
            }
            line
        };
        let lines = made.iter().map(line);
        let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
        let (mut waiting, mut activated) = (Vec::new(), 0);
        for line in lines {
            *states.entry(line.state).or_default() += 1;
            if line.activated { activated += 1 } else { waiting.push(line) }
        }
        waiting.sort_by_key(|line| line.days_left.unwrap_or(i64::MAX));
        Ok(ActivationReport { states, waiting, activated, submission: self.awaited_upload().await? })
    }

    fn activation_line(
        &self,
        known: &super::Known,
        id: &ObjectId,
        (row, unlocked): (&AccountRow, Option<i64>),
        now: i64,
    ) -> ActivationLine {
        let account = known.account(&row.made.account);
        // A login alone is no activation where the platform tells which accounts are activated.
        let is_activated = |account: &Entry| account.is_activated.unwrap_or(account.last_logon.is_some());
        let activated = account.is_some_and(|account| account.state == AccountState::Active && is_activated(account));
        let since = row.live_at.unwrap_or(row.made_at).max(unlocked.unwrap_or(i64::MIN));
        let days_left = self
            .rules
            .activation_days
            .filter(|_| !activated)
            .map(|days| i64::from(days) - (now - since).div_euclid(DAY_MS));
        let is_over = days_left.is_some_and(|left| left < 0);
        let is_awaited = known.awaited.contains(&row.made.account);
        let state = match account.map(|account| account.state) {
            None if is_awaited => "awaited",
            None => "gone",
            Some(AccountState::Active) if is_over => AccountState::Locked.name(),
            Some(state) => state.name(),
        };
        let waits_long = now - row.made_at > i64::from(self.rules.pending_hours_max) * 3_600_000;
        let next = match (account.map(|account| account.state), is_over) {
            (None, _) if is_awaited && waits_long => {
                Some("fetch the portal's report of users again, then people sync: it should be there by now")
            }
            (None, _) if is_awaited => Some("it is in the portal's next report of users: fetch it, then people sync"),
            (None, _) => Some("look for it on the platform: it is not there any more"),
            (Some(AccountState::Pending), _) if row.live_at.is_some() || waits_long => {
                Some("it has been pending for too long: accept it, or have it made again")
            }
            (Some(AccountState::Pending), _) => Some("accept it: people accept"),
            (Some(AccountState::Locked), _) | (_, true) => {
                Some("have the help desk unlock it, then record it: people unlock")
            }
            _ if activated => None,
            _ => Some("remind its person to log in"),
        };
        ActivationLine {
            id: id.to_string(),
            name: account.map_or_else(|| id.to_string(), |account| account.label().to_owned()),
            mail: account.and_then(|account| account.mail.clone()),
            state,
            made: row.made_at / 1000,
            live: row.live_at.map(|at| at / 1000),
            unlocked: unlocked.map(|at| at / 1000),
            activated,
            days_left,
            next,
        }
    }
}
