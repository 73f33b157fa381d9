//! `people apply`: an approved plan is carried out, change by change, as it was approved.
//!
//! Before a portion of changes is sent it is recorded that it is about to be; afterwards what became of each. After a sudden
//! end between the two, what was about to be made is looked for on the platform by its mark before anything is made again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connector::{Change, ChangeOutcome, DirectoryTarget, Door, Effect, PlannedChange, Secret};
use model::{AccountState, Cause, Entry, EntryKind, Reference, Scope};
use people::{Class, Line, Member, ObjectId, Planned};
use serde::Serialize;
use serde_json::json;
use store::{ChangeRow, ChangeState, MadeAccount, PeopleLease, PeopleTx};

use super::gated::name_in;
use super::password::{Safe, generate};
use super::{LEASE_MS, Opened, PeopleProject, UploadLine};
use crate::usecase::governed::{self, Gates};
use crate::{Error, Exit};

/// Changes sent at once.
const PORTION: usize = 100;

/// A change that was not made.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeLine {
    /// For which object.
    pub id: String,
    /// What was to be made, in words.
    pub what: String,
    /// `refused`, `conflict`, `submitted`, `doing`, or `todo`.
    pub state: &'static str,
    /// What was said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// How far a plan has come.
#[derive(Clone, Debug, Serialize)]
pub struct ApplyReport {
    /// Its number.
    pub plan: i64,
    /// Who approved it.
    pub approved_by: String,
    /// Changes made, by this run and before.
    pub done: usize,
    /// Of these, by this run.
    pub done_now: usize,
    /// All changes of the plan.
    pub changes: usize,
    /// Those that were not made.
    pub not_done: Vec<ChangeLine>,
    /// Those that were made, but without somebody who has no account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<ChangeLine>,
    /// Nothing of it is left to do.
    pub ended: bool,
    /// Nothing was changed by this run.
    pub dry_run: bool,
    /// The file for the platform's portal that has no result yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<UploadLine>,
    /// It left by this run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub submitted_now: bool,
    /// Live new accounts with neither a forwarder to the source that is on nor a recorded reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<crate::MissingForwarder>,
}

impl ApplyReport {
    /// Did this run do what it could, so that nobody but the portal is waited for?
    pub fn is_well(&self) -> bool {
        let waits = |line: &ChangeLine| {
            self.submitted_now
                && (line.state == ChangeState::Submitted.name() || line.state == ChangeState::Todo.name())
        };
        self.without.is_empty() && self.missing.is_empty() && self.not_done.iter().all(waits)
    }
}

/// Lets effects pass as long as the hold on the people lasts.
pub(super) struct Held {
    until: std::sync::Mutex<std::time::Instant>,
}

impl Held {
    pub(super) fn new() -> Self {
        Self { until: std::sync::Mutex::new(until()) }
    }

    fn renewed(&self) {
        *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = until();
    }
}

fn until() -> std::time::Instant {
    // A quarter is left for the last bytes.
    std::time::Instant::now() + std::time::Duration::from_millis(LEASE_MS as u64 / 4 * 3)
}

impl Door for Held {
    fn before(&self, effect: Effect) -> Result<(), connector::Error> {
        let until = *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if std::time::Instant::now() < until {
            return Ok(());
        }
        let what = format!("the hold on the people of the project has lapsed before {}", effect.name());
        Err(connector::Error::new(Cause::LeaseLapsed, Scope::Run, what))
    }

    fn after(&self, _: Effect) {}
}

impl PeopleProject {
    /// The platform, where it can be written.
    pub(super) fn platform_to_write(&self) -> Result<Arc<dyn DirectoryTarget>, Error> {
        match &self.platform {
            Some((_, Opened::Written(target))) => Ok(target.clone()),
            Some((name, Opened::Portal(_))) => {
                Err(Error::usage(format!("the platform {name} has only a portal: it can't be written from here"))
                    .advise("enter it in the portal"))
            }
            Some((name, Opened::Read(_))) => {
                Err(Error::usage(format!("the platform's directory {name} can't be written"))
                    .advise("name a directory that can: kind = \"scim\", \"ldap\", \"active-directory\" or \"portal\""))
            }
            None => {
                Err(Error::usage("people.platform names no directory").advise("write platform = \"…\" into [people]"))
            }
        }
    }

    /// Refuses a platform that takes no changes in any way.
    pub(super) fn platform_to_change(&self) -> Result<(), Error> {
        if self.portal().is_some() { Ok(()) } else { self.platform_to_write().map(|_| ()) }
    }

    /// Carries out the plan that is approved, or goes on with it. A dry run says how far it has come.
    pub async fn apply(&self, number: Option<i64>) -> Result<ApplyReport, Error> {
        if !self.is_rehearsed {
            self.may_change()?;
        }
        self.platform_to_change()?;
        let row = match number {
            Some(number) => self.plan_row(number).await?,
            None => self.open_plan().await?.ok_or_else(|| {
                Error::refused("R-039", "no plan is approved").advise("people plan, then people plan --approve NUMBER")
            })?,
        };
        if let Some(by) = &row.withdrawn_by {
            return Err(Error::refused("R-039", format!("plan {} was withdrawn by {by}", row.plan))
                .advise("make a new one: people plan"));
        }
        let Some((approved_by, _)) = row.approved.clone() else {
            return Err(Error::refused("R-039", format!("plan {} is not approved", row.plan))
                .advise("people plan --approve NUMBER --digest DIGEST --by NAME"));
        };
        let plan = self.stored_plan(&row).await?;
        if row.ended_at.is_none() && !self.is_rehearsed {
            self.refuse_live_without_reason(&plan.lines)?;
        }
        let before = self.done(row.plan).await?;
        let mut submitted_now = false;
        if row.ended_at.is_none() && !self.is_rehearsed {
            let lease = self.hold().await?;
            let detail = json!({ "plan": row.plan, "done": before });
            self.store.audit(self.key, &self.actor, "people.applied", &detail).await?;
            let door = Held::new();
            let work = async {
                // It may have ended, or have been withdrawn, since it was looked at.
                if self.plan_row(row.plan).await?.ended_at.is_some() {
                    return Err(Error::refused("R-039", format!("plan {} has just ended", row.plan)));
                }
                self.carry_on(&lease, &door, row.plan, &plan.lines).await
            };
            let carried = self.while_open(&lease, &door, work).await;
            submitted_now = self.leave(&lease, carried).await?;
        }
        let mut report = self.apply_report(row.plan, approved_by, before).await?;
        (report.submission, report.submitted_now) = (self.awaited_upload().await?, submitted_now);
        Ok(report)
    }

    /// Goes on with a plan in the way that the platform has. True: a file left to its portal.
    pub(super) async fn carry_on(
        &self,
        lease: &PeopleLease,
        door: &Held,
        plan: i64,
        lines: &[Line],
    ) -> Result<bool, Error> {
        if let Some(portal) = self.portal() {
            return self.submit(lease, portal, door, plan, lines).await;
        }
        let target = self.platform_to_write()?;
        self.carry_out(lease, target.as_ref(), door, plan, lines).await?;
        self.read_platform(lease).await?;
        Ok(false)
    }

    async fn done(&self, plan: i64) -> Result<usize, Error> {
        let changes = self.store.changes(self.key, plan).await?;
        Ok(changes.iter().filter(|change| change.state == ChangeState::Done).count())
    }

    async fn apply_report(&self, plan: i64, approved_by: String, before: usize) -> Result<ApplyReport, Error> {
        let changes = self.store.changes(self.key, plan).await?;
        let is_done = |change: &&ChangeRow| change.state == ChangeState::Done;
        let done = changes.iter().filter(is_done).count();
        let line = |change: &ChangeRow| ChangeLine {
            id: ObjectId::new(&change.directory, &change.key).to_string(),
            what: words(&change.what),
            state: change.state.name(),
            said: change.said.clone(),
        };
        Ok(ApplyReport {
            plan,
            approved_by,
            done,
            done_now: done - before,
            changes: changes.len(),
            not_done: changes.iter().filter(|change| !is_done(change)).map(line).collect(),
            without: changes.iter().filter(|change| is_done(change) && lacks(change)).map(line).collect(),
            ended: self.plan_row(plan).await?.ended_at.is_some(),
            dry_run: self.is_rehearsed,
            submission: None,
            submitted_now: false,
            missing: Vec::new(),
        })
    }

    pub(super) async fn carry_out(
        &self,
        lease: &PeopleLease,
        target: &dyn DirectoryTarget,
        door: &Held,
        plan: i64,
        lines: &[Line],
    ) -> Result<(), Error> {
        self.look(lease, target, plan, lines).await?;
        self.read_platform(lease).await?;
        self.put_aside_what_changed(lease, plan, lines).await?;
        let safe = self.safe_for(plan, lines).await?;
        let gates = Box::new(Gates::of(&self.config));
        let called = self.called(lines).await?;
        loop {
            let changes = self.store.changes(self.key, plan).await?;
            let todo: Vec<&ChangeRow> = changes.iter().filter(|change| change.state == ChangeState::Todo).collect();
            if todo.is_empty() {
                break;
            }
            let portion = next_portion(todo, lines);
            self.refuse_portion(&gates, &portion, lines, &called).await?;
            self.portion(lease, target, door, (plan, lines), &portion, safe.as_ref()).await?;
        }
        self.complete(lease, target, door, &gates, (plan, lines)).await?;
        self.end_if_done(lease, plan).await
    }

    /// Ends a plan of which nothing is left to do.
    pub(super) async fn end_if_done(&self, lease: &PeopleLease, plan: i64) -> Result<(), Error> {
        let changes = self.store.changes(self.key, plan).await?;
        let is_open = |change: &ChangeRow| {
            matches!(change.state, ChangeState::Todo | ChangeState::Doing | ChangeState::Submitted)
        };
        if !changes.iter().any(is_open) {
            let mut tx = self.store.write_people(lease).await?;
            tx.end_plan(plan).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// What first passwords are kept under; none where nothing with a password is made.
    async fn safe_for(&self, plan: i64, lines: &[Line]) -> Result<Option<Safe>, Error> {
        let makes = |line: &Line| matches!(&line.planned, Planned::Create { entry, .. } if has_password(entry));
        if !lines.iter().any(makes) {
            return Ok(None);
        }
        // A key may be made as long as nothing is locked by one.
        let made = self.store.accounts_made(self.key).await?;
        let changes = self.store.changes(self.key, plan).await?;
        let may_make =
            made.iter().all(|row| row.made.password.is_none()) && changes.iter().all(|row| row.secret.is_none());
        Safe::open(&self.config.path(&self.entry.key_file), may_make).map(Some)
    }

    /// A change that was planned of what is not so any more is a conflict: an account was made in between, somebody was left
    /// out, a decision or a directory says otherwise.
    pub(super) async fn put_aside_what_changed(
        &self,
        lease: &PeopleLease,
        plan: i64,
        lines: &[Line],
    ) -> Result<(), Error> {
        let known = self.known().await?;
        let made = self.made().await?;
        let changes = self.store.changes(self.key, plan).await?;
        let accounts: HashSet<&str> = known.accounts.iter().map(|account| account.key.as_str()).collect();
        let holders: HashMap<&str, &ObjectId> = known
            .reconciliation
            .rows
            .iter()
            .filter_map(|row| Some((row.matched.account()?, &row.matched.object)))
            .collect();
        let called = governed::names_of_objects(&self.config, &known);
        let (mut states, mut registrations) = (Vec::new(), Vec::new());
        for row in changes.iter().filter(|change| change.state == ChangeState::Todo) {
            let line = &lines[row.change as usize - 1];
            let now = known.reconciliation.row(&line.object);
            let class = now.map_or("gone from its directory", |now| now.class.name());
            let why = match &line.planned {
                Planned::Create { .. } => match now {
                    Some(now) if now.class == Class::New && now.facts == row.facts => {
                        let own = made.get(&line.object).map(|row| row.made.account.as_str());
                        let has_one = own.is_some_and(|account| accounts.contains(account));
                        let has_left = known.object(&line.object).is_some_and(|object| people::has_left(&object.entry));
                        let is_live = super::import::is_live(line);
                        if has_one {
                            Some("an account was made for it already".to_owned())
                        } else {
                            (is_live && has_left)
                                .then(|| "it would be live, and is switched off at the source now".to_owned())
                        }
                    }
                    Some(now) if now.class == Class::New => Some("it changed since the plan was made".to_owned()),
                    _ => Some(format!("it was new when the plan was made, and is {class} now")),
                },
                Planned::Update { before, after, .. } => match now.map(|now| &now.class) {
                    Some(Class::Existing { account }) if *account == before.key => {
                        let has_left = known.object(&line.object).is_some_and(|object| people::has_left(&object.entry));
                        let is_off = after.state == AccountState::Disabled;
                        let is_ours = is_off || known.switched_off.contains_key(&line.object);
                        let is_stale = before.state != after.state && (has_left != is_off || !is_ours);
                        is_stale
                            .then(|| "its source says otherwise now, or others have switched it on or off".to_owned())
                    }
                    Some(Class::Existing { .. }) => Some("another account is its own now".to_owned()),
                    _ => Some(format!("this account was its own when the plan was made, and it is {class} now")),
                },
                Planned::Leave { before, .. } => {
                    let is_left_out = |now: &people::Reconciled| {
                        let object = known.object(&line.object);
                        now.class.stays_behind() && object.is_some_and(|object| people::has_left(&object.entry))
                    };
                    match (now, holders.get(before.key.as_str())) {
                        (Some(now), _) if !is_left_out(now) => Some("it is in its directory again".to_owned()),
                        (_, Some(holder)) if **holder != line.object => {
                            Some(format!("the account is that of {holder} now"))
                        }
                        _ => None,
                    }
                }
            };
            let is_registered = matches!(&line.planned, Planned::Create { entry, .. } if has_password(entry));
            match why {
                Some(why) => {
                    let why = format!("{why}: make a new plan");
                    states.push((row.change, ChangeState::Conflict, None, Some(why)));
                }
                None if is_registered => registrations.push(name_in(&called, &line.object)),
                None => {}
            }
        }
        if !states.is_empty() {
            let mut tx = self.store.write_people(lease).await?;
            tx.set_changes(plan, &states).await?;
            tx.commit().await?;
        }
        if !registrations.is_empty() {
            let already = self.accounts_made().await?;
            let gates = Box::new(Gates::of(&self.config));
            let against = gates.against_accounts(&self.store, self.key, already, &registrations);
            Box::pin(against).await?.map_or(Ok(()), Err)?;
        }
        let cost = people::Cost {
            registrations: registrations.len(),
            registrations_max: self.rules_now().await?.registrations,
            registrations_used: self.registrations_used().await?,
            ..people::Cost::default()
        };
        if cost.fits() { Ok(()) } else { Err(super::plan::over_limit(&cost)) }
    }

    /// Keeps the hold alive and the door open while something goes on.
    pub(super) fn while_open<'w, T: 'w>(
        &'w self,
        lease: &'w PeopleLease,
        door: &'w Held,
        work: impl Future<Output = Result<T, Error>> + 'w,
    ) -> impl Future<Output = Result<T, Error>> + 'w {
        let mut work = Box::pin(work);
        async move {
            let mut beat = tokio::time::interval(std::time::Duration::from_millis(LEASE_MS as u64 / 4));
            beat.tick().await;
            loop {
                tokio::select! {
                    done = &mut work => return done,
                    _ = beat.tick() => {
                        self.store.renew_people(lease, LEASE_MS).await?;
                        door.renewed();
                    }
                }
            }
        }
    }

    /// Sends a portion of changes and records what became of each.
    async fn portion(
        &self,
        lease: &PeopleLease,
        target: &dyn DirectoryTarget,
        door: &Held,
        (plan, lines): (i64, &[Line]),
        portion: &[&ChangeRow],
        safe: Option<&Safe>,
    ) -> Result<(), Error> {
        let made = self.made().await?;
        let (mut begun, mut planned, mut nobody) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sent, mut ownerless) = (Vec::new(), Vec::new());
        for row in portion {
            let line = &lines[row.change as usize - 1];
            let id = line.object.to_string();
            let (secret, password) = match (&line.planned, safe) {
                (Planned::Create { entry, .. }, Some(safe)) if has_password(entry) => {
                    let sealed = match row.secret.clone() {
                        Some(sealed) => sealed,
                        None => safe.seal(&generate(self.rules.password_length)?, &id)?,
                    };
                    let password = Secret::new(safe.open_sealed(&sealed, &id)?);
                    (Some(sealed), Some(password))
                }
                _ => (None, None),
            };
            let (change, missing) = change(line, password, &made);
            if let Change::Create { entry, .. } = &change
                && entry.kind.needs_owner()
                && entry.owners.is_empty()
            {
                let why = format!("nobody who answers for it has an account: {}; make a new plan", missing.join(", "));
                ownerless.push((row.change, ChangeState::Conflict, None, Some(why)));
                continue;
            }
            nobody.push(missing);
            begun.push((row.change, secret));
            planned.push(PlannedChange { id: format!("{plan}.{}", row.change), change });
            sent.push(*row);
        }
        let mut tx = self.store.write_people(lease).await?;
        tx.set_changes(plan, &ownerless).await?;
        tx.begin_changes(plan, &begun).await?;
        tx.commit().await?;
        let outcomes = target.apply(&planned, door).await.map_err(|error| platform_error(&error))?;
        let (mut states, mut accounts) = (Vec::new(), Vec::new());
        let (mut doubt, mut untried) = (None, None);
        for (((row, (_, secret)), outcome), missing) in sent.iter().zip(&begun).zip(outcomes).zip(nobody) {
            let line = &lines[row.change as usize - 1];
            let said = (!missing.is_empty()).then(|| format!("without {}", missing.join(", ")));
            let is_create = matches!(line.planned, Planned::Create { .. });
            let state = match outcome {
                // What bears the mark of an object was not made by this plan unless it began to: a copied mark, or a key that
                // was given again. And its first password is another one.
                ChangeOutcome::Unchanged { key } if is_create && row.at.is_none() => {
                    let what = format!("{key} on the platform bears its mark, and this plan did not make it");
                    (row.change, ChangeState::Conflict, None, Some(what))
                }
                // Others have switched it off: it is not this plan's to switch on again.
                ChangeOutcome::Unchanged { key } if row.at.is_none() && switches(&line.planned) => {
                    (row.change, ChangeState::Done, Some(key), Some(said.unwrap_or_else(|| SO_ALREADY.to_owned())))
                }
                ChangeOutcome::Done { key } | ChangeOutcome::Unchanged { key } => {
                    if is_create {
                        accounts.push(made_account(line, &key, secret.clone()));
                    }
                    (row.change, ChangeState::Done, Some(key), said)
                }
                ChangeOutcome::Submitted { submission } => {
                    (row.change, ChangeState::Submitted, None, Some(format!("submitted as {submission}")))
                }
                ChangeOutcome::Refused(error) => {
                    let is_untried = matches!(error.cause, Cause::Stopped | Cause::LeaseLapsed) || doubt.is_some();
                    let state = if is_untried { ChangeState::Todo } else { ChangeState::Refused };
                    if is_untried {
                        untried.get_or_insert(error.clone());
                    }
                    (row.change, state, None, Some(error.to_string()))
                }
                ChangeOutcome::Conflict(what) => (row.change, ChangeState::Conflict, None, Some(what)),
                ChangeOutcome::InDoubt(error) => {
                    doubt.get_or_insert_with(|| error.clone());
                    (row.change, ChangeState::Doing, None, Some(error.to_string()))
                }
            };
            states.push(state);
        }
        let live = self.made_live(lines, &accounts).await?;
        let mut tx = self.store.write_people(lease).await?;
        tx.set_changes(plan, &states).await?;
        tx.add_accounts(plan, &accounts).await?;
        set_live(&mut tx, &live).await?;
        tx.drop_secrets(plan).await?;
        tx.commit().await?;
        // What was not tried would not be the next time either.
        match doubt.or(untried) {
            None => Ok(()),
            Some(error) => Err(platform_error(&error)),
        }
    }

    /// Puts into lists that hold each other who was made after them.
    async fn complete(
        &self,
        lease: &PeopleLease,
        target: &dyn DirectoryTarget,
        door: &Held,
        gates: &Gates,
        (plan, lines): (i64, &[Line]),
    ) -> Result<(), Error> {
        let early = too_early(lines);
        if early.is_empty() {
            return Ok(());
        }
        self.read_platform(lease).await?;
        let (known, made) = (self.known().await?, self.made().await?);
        let rows = self.store.changes(self.key, plan).await?;
        let now = self.make_plan(&known, None).await?;
        let (mut changes, mut of) = (Vec::new(), Vec::new());
        for row in rows.iter().filter(|row| row.state == ChangeState::Done) {
            let object = &lines[row.change as usize - 1].object;
            let Some(later) = early.get(object) else { continue };
            let keys: HashSet<&str> = later.iter().filter_map(|id| Some(made.get(id)?.made.account.as_str())).collect();
            let needs = lines[row.change as usize - 1].planned.needs();
            let missing: Vec<String> = needs.filter(|id| !made.contains_key(*id)).map(ToString::to_string).collect();
            let said = (!missing.is_empty()).then(|| format!("without {}", missing.join(", ")));
            let line = now.lines.iter().find(|line| line.object == *object);
            let lacks = |wanted: &[Member]| -> Vec<Reference> {
                let key = |member: &Member| match member {
                    Member::Account(key) if keys.contains(key.as_str()) => Some(Reference::Key(key.clone())),
                    _ => None,
                };
                wanted.iter().filter_map(key).collect()
            };
            if let Some(Line { planned: Planned::Update { before, members, owners, .. }, .. }) = line {
                let mut after = before.clone();
                after.members.extend(lacks(members));
                after.owners.extend(lacks(owners));
                if after != *before {
                    let change = Change::Update { before: before.clone(), after };
                    changes.push(PlannedChange { id: format!("{plan}.{}.members", row.change), change });
                    of.push((row.change, row.account.clone(), said));
                    continue;
                }
            }
            if row.said != said {
                let state = (row.change, ChangeState::Done, row.account.clone(), said);
                let mut tx = self.store.write_people(lease).await?;
                tx.set_changes(plan, &[state]).await?;
                tx.commit().await?;
            }
        }
        for (changes, of) in changes.chunks(PORTION).zip(of.chunks(PORTION)) {
            // A no may have come since the last portion.
            Box::pin(gates.against_update(&self.store, self.key)).await?.map_or(Ok(()), Err)?;
            let outcomes = target.apply(changes, door).await.map_err(|error| platform_error(&error))?;
            let mut states = Vec::new();
            for ((change, account, said), outcome) in of.iter().cloned().zip(outcomes) {
                let said = match outcome {
                    ChangeOutcome::Done { .. } | ChangeOutcome::Unchanged { .. } => said,
                    ChangeOutcome::Submitted { submission } => {
                        Some(format!("its members are submitted as {submission}"))
                    }
                    ChangeOutcome::Refused(error) => Some(format!("without all of its members: {error}")),
                    ChangeOutcome::Conflict(what) => Some(format!("without all of its members: {what}")),
                    ChangeOutcome::InDoubt(error) => return Err(platform_error(&error)),
                };
                states.push((change, ChangeState::Done, account, said));
            }
            let mut tx = self.store.write_people(lease).await?;
            tx.set_changes(plan, &states).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Looks what became of changes that were about to be made when an earlier run ended.
    async fn look(
        &self,
        lease: &PeopleLease,
        target: &dyn DirectoryTarget,
        plan: i64,
        lines: &[Line],
    ) -> Result<(), Error> {
        let changes = self.store.changes(self.key, plan).await?;
        let doing: Vec<&ChangeRow> = changes.iter().filter(|change| change.state == ChangeState::Doing).collect();
        if let Some(last) = doing.iter().map(|row| row.at.unwrap_or_default()).max() {
            let since = self.store.now().await? - last;
            let settle = self.settle.saturating_sub(std::time::Duration::from_millis(since.max(0) as u64));
            tokio::time::sleep(settle).await;
        }
        for row in doing {
            let line = &lines[row.change as usize - 1];
            let found = match &line.planned {
                Planned::Create { entry, .. } => {
                    let origin = entry.origin.as_deref().unwrap_or_default();
                    let found = target.find_origin(origin).await.map_err(|error| platform_error(&error))?;
                    match found.as_slice() {
                        [] => None,
                        [one] => Some(one.key.clone()),
                        _ => {
                            let what = format!("the platform has {} entries for {}", found.len(), line.object);
                            return Err(Error::refused("R-057", what)
                                .advise("look at them on the platform, remove all but one, and run again"));
                        }
                    }
                }
                // An update sees by itself whether it was made.
                Planned::Update { .. } | Planned::Leave { .. } => None,
            };
            let made: Vec<MadeAccount> = found.iter().map(|key| made_account(line, key, row.secret.clone())).collect();
            let at_once = self.made_live(lines, &made).await?;
            let (_, missing) = change(line, None, &self.made().await?);
            let said = (!missing.is_empty()).then(|| format!("without {}", missing.join(", ")));
            let mut tx = self.store.write_people(lease).await?;
            match found {
                Some(key) => {
                    tx.set_changes(plan, &[(row.change, ChangeState::Done, Some(key), said)]).await?;
                    tx.add_accounts(plan, &made).await?;
                    set_live(&mut tx, &at_once).await?;
                    tx.drop_secrets(plan).await?;
                }
                None => tx.set_changes(plan, &[(row.change, ChangeState::Todo, None, None)]).await?,
            }
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Records of accounts that they are live since they were made, and why they may be. One without a reason is one whose forwarder is to be
/// put on.
pub(super) async fn set_live(tx: &mut PeopleTx<'_>, live: &[(ObjectId, Option<String>)]) -> Result<(), Error> {
    for (id, reason) in live {
        if let Some(reason) = reason {
            tx.exempt(&id.directory, &id.key, reason).await?;
        }
        tx.set_live(&id.directory, &id.key).await?;
    }
    Ok(())
}

/// What is said of an account that was switched off, or on, before a plan could do it.
pub(super) const SO_ALREADY: &str = "it was so already";

/// Does it switch an account off, or on again?
fn switches(planned: &Planned) -> bool {
    matches!(planned, Planned::Update { before, after, .. } if before.state != after.state)
}

/// Was it made without somebody?
fn lacks(change: &ChangeRow) -> bool {
    change.said.as_deref().is_some_and(|said| said != SO_ALREADY)
}

/// The next changes that are sent at once: up to the first that needs what one of them makes.
fn next_portion<'c>(todo: Vec<&'c ChangeRow>, lines: &[Line]) -> Vec<&'c ChangeRow> {
    let mut makes: HashSet<&ObjectId> = HashSet::new();
    let is_ready = |change: &&ChangeRow| {
        let line = &lines[change.change as usize - 1];
        let waits = line.planned.needs().any(|id| makes.contains(id));
        makes.insert(&line.object);
        !waits
    };
    todo.into_iter().take(PORTION).take_while(is_ready).collect()
}

/// The lines that may lack a member: one that is made after them, since lists hold each other.
fn too_early(lines: &[Line]) -> HashMap<&ObjectId, HashSet<&ObjectId>> {
    let at: HashMap<&ObjectId, usize> = lines.iter().enumerate().map(|(at, line)| (&line.object, at)).collect();
    let mut early = HashMap::new();
    for (own, line) in lines.iter().enumerate() {
        let later: HashSet<&ObjectId> =
            line.planned.needs().filter(|id| at.get(id).is_some_and(|made| *made > own)).collect();
        if !later.is_empty() {
            early.insert(&line.object, later);
        }
    }
    early
}

pub(super) fn is_list(line: &Line) -> bool {
    match &line.planned {
        Planned::Create { entry, .. } => entry.kind == EntryKind::List,
        Planned::Update { after, .. } | Planned::Leave { after, .. } => after.kind == EntryKind::List,
    }
}

pub(super) fn has_password(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Person | EntryKind::System)
}

pub(super) fn made_account(line: &Line, key: &str, password: Option<Vec<u8>>) -> MadeAccount {
    let ObjectId { directory, key: object } = line.object.clone();
    let kind = match &line.planned {
        Planned::Create { entry, .. } => entry.kind,
        Planned::Update { after, .. } | Planned::Leave { after, .. } => after.kind,
    };
    MadeAccount { directory, key: object, account: key.to_owned(), kind: kind.name().to_owned(), password }
}

/// A planned change with the keys that everybody has by now, and whom nobody is there for.
pub(super) fn change(
    line: &Line,
    password: Option<Secret>,
    made: &HashMap<ObjectId, store::AccountRow>,
) -> (Change, Vec<String>) {
    let mut missing = Vec::new();
    let mut resolve = |members: &[Member]| -> Vec<Reference> {
        let mut references = Vec::new();
        for member in members {
            match member {
                Member::Account(key) => references.push(Reference::Key(key.clone())),
                Member::Outside(mail) => references.push(Reference::Mail(mail.clone())),
                Member::Object(id) => match made.get(id) {
                    Some(row) => references.push(Reference::Key(row.made.account.clone())),
                    None => missing.push(id.to_string()),
                },
            }
        }
        references
    };
    let change = match &line.planned {
        Planned::Create { entry, members, owners } => {
            let mut entry = entry.clone();
            entry.members = resolve(members);
            entry.owners = resolve(owners);
            Change::Create { entry, password }
        }
        Planned::Update { before, after, members, owners, leaving, .. } => {
            let mut after = after.clone();
            after.members.retain(|member| !leaving.contains(member));
            after.members.extend(resolve(members));
            after.owners.extend(resolve(owners));
            Change::Update { before: before.clone(), after }
        }
        Planned::Leave { before, after } => Change::Update { before: before.clone(), after: after.clone() },
    };
    (change, missing)
}

/// What was to be made, in words.
pub(super) fn words(what: &str) -> String {
    match serde_json::from_str::<Planned>(what) {
        Ok(Planned::Create { entry, .. }) => format!("create {} {}", entry.kind.name(), entry.label()),
        Ok(Planned::Update { after, fields, .. }) => format!("update {}: {}", after.label(), fields.join(", ")),
        Ok(Planned::Leave { after, .. }) => format!("mark {} as a leaver", after.label()),
        Err(_) => "?".to_owned(),
    }
}

pub(super) fn platform_error(error: &connector::Error) -> Error {
    let exit = crate::error::exit_of(error.cause);
    let exit = if exit == Exit::Done { Exit::WithFailures } else { exit };
    let advice = match error.cause {
        Cause::InDoubt => "run people apply again: what is in doubt is looked for first",
        cause => cause.advice(),
    };
    Error { exit, rule: None, what: format!("the platform: {error}"), advice: Some(advice.to_owned()) }
}
