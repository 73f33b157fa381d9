//! `people plan`: what is to be made on the platform, to be approved as it stands (R-039, R-045, R-062).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{AccountState, Digest, EntryKind};
use people::{Line, Member, ObjectId, Plan, Planned, Planning};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{ChangeState, NewChange, PeopleLease, PlanRow};

use super::import::Wanted;
use super::limits;
use super::{Known, PeopleProject};
use crate::Error;

/// A change, for people.
#[derive(Clone, Debug, Serialize)]
pub struct PlanLine {
    /// For which object.
    pub id: String,
    /// `create`, `update`, `disable`, `enable` or `leave`.
    pub does: &'static str,
    /// What it stands for.
    pub kind: &'static str,
    /// What it is called on the platform.
    pub name: String,
    /// Its address there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// What changes, or how many members are put in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub what: Vec<String>,
}

/// What a plan comes to, as it is kept with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) cost: people::Cost,
    pub(super) conflicts: Vec<people::Conflict>,
    #[serde(default)]
    pub(super) by_hand: Vec<people::Conflict>,
    pub(super) unmapped: Vec<people::Unmapped>,
}

/// A plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    /// Its number; none: nothing is to be done, or it was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<i64>,
    /// Of all its changes and what it comes to: what is approved.
    pub digest: String,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Each change, in its order.
    pub lines: Vec<PlanLine>,
    /// How many of what are made, by kind.
    pub created: BTreeMap<String, usize>,
    /// Accounts that change.
    pub updated: usize,
    /// Of these: accounts that are switched off, since they are at the source.
    pub disabled: usize,
    /// Of these: accounts that are switched on again, since they are at the source.
    pub enabled: usize,
    /// Accounts whose person has left.
    pub left: usize,
    /// Accounts that the platform counts as registered.
    pub registrations: usize,
    /// How many were used before.
    pub registrations_used: u32,
    /// How many there may be; none: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registrations_max: Option<u32>,
    /// Days that it takes until so many can be made (R-064).
    pub lead_days: u32,
    /// The platform is not told that a first password has to be changed (R-068).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_passwords: bool,
    /// Objects for which nothing can be planned: which, why.
    pub conflicts: Vec<(String, String)>,
    /// What a person has to do on the platform, since it takes it in no other way: for which object, what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<(String, String)>,
    /// Members and owners who are nobody on the platform: of which object, what stands there, why.
    pub unmapped: Vec<(String, String, String)>,
    /// Changes that were not chosen, or that need somebody who was not.
    pub later: usize,
    /// People who came after the cut-off date and are not planned: people tasks.
    pub joiners: usize,
    /// When the portal's report of users was written that the plan rests on (seconds since 1970), where the platform has only a portal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<i64>,
    /// How many objects each class has.
    pub classes: BTreeMap<&'static str, usize>,
}

/// A plan that was withdrawn.
#[derive(Clone, Debug, Serialize)]
pub struct WithdrawReport {
    /// Its number.
    pub plan: i64,
    /// Who withdrew it.
    pub by: String,
    /// Changes that were made before.
    pub done: usize,
    /// Changes that are not made.
    pub not_done: usize,
    /// Nothing was recorded.
    pub dry_run: bool,
}

/// What a plan is to be about: everything, where nothing is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOf {
    /// Only these, by mail address, account, local id or key.
    pub who: Vec<String>,
    /// Only so many of the accounts that count as registered, in the plan's order (R-062, R-065).
    pub first: Option<usize>,
}

impl PeopleProject {
    /// Reads the platform, makes a plan of what is known then, and keeps it. A dry run plans by what was last read, and neither
    /// reads nor keeps anything.
    pub async fn plan(&self, dry_run: bool, of: &PlanOf) -> Result<PlanReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        self.platform_to_change()?;
        if self.entry.domain.trim().is_empty() {
            return Err(Error::usage("people.domain is empty: new addresses have no domain")
                .advise("write domain = \"…\" into [people]"));
        }
        if dry_run {
            let known = self.known().await?;
            let (plan, later) = self.make_part(&known, of).await?;
            return Ok(PlanReport { later, ..self.report(&plan, &known) });
        }
        self.refuse_open_plan().await?;
        let lease = self.hold().await?;
        let drafted = self.while_held(&lease, self.draft(&lease, of)).await;
        self.leave(&lease, drafted).await
    }

    async fn refuse_open_plan(&self) -> Result<(), Error> {
        let Some(open) = self.open_plan().await? else { return Ok(()) };
        let what = format!("plan {} is approved and not carried out to its end", open.plan);
        let advice = format!("carry it out first: people apply; or withdraw it: people plan --withdraw {}", open.plan);
        Err(Error::refused("R-039", what).advise(advice))
    }

    /// A plan of what the platform is now: what is not there may have been made since it was last read.
    async fn draft(&self, lease: &PeopleLease, of: &PlanOf) -> Result<PlanReport, Error> {
        self.refuse_open_plan().await?;
        self.read_platform(lease).await?;
        let known = self.known().await?;
        let (plan, later) = self.make_part(&known, of).await?;
        let mut report = PlanReport { later, ..self.report(&plan, &known) };
        if plan.lines.is_empty() {
            return Ok(report);
        }
        let number = self.keep_draft(&plan, &known).await?;
        report.plan = Some(number);
        Ok(report)
    }

    /// Keeps a plan, to be approved as it stands; its number.
    pub(super) async fn keep_draft(&self, plan: &Plan, known: &Known) -> Result<i64, Error> {
        let changes = plan.lines.iter().map(|line| new_change(line, known)).collect::<Result<Vec<_>, Error>>()?;
        let summary = Summary {
            cost: plan.cost.clone(),
            conflicts: plan.conflicts.clone(),
            by_hand: plan.by_hand.clone(),
            unmapped: plan.unmapped.clone(),
        };
        let text = serde_json::to_string(&summary).map_err(|_| super::damaged("a plan"))?;
        let number = self.store.add_plan(self.key, plan.digest(), &text, &self.actor.name, &changes).await?;
        let detail = json!({ "plan": number, "digest": plan.digest().to_string(), "changes": changes.len() });
        self.store.audit(self.key, &self.actor, "people.planned", &detail).await?;
        Ok(number)
    }

    /// Records that somebody approves a plan, by its number and what its digest begins with.
    pub async fn approve(&self, number: i64, digest: &str, by: &str) -> Result<PlanReport, Error> {
        self.may_change()?;
        if by.trim().is_empty() {
            return Err(Error::usage("an approval needs a name").advise("give it with --by NAME"));
        }
        if self.is_rehearsed {
            return self.approve_held(number, digest, by.trim(), None).await;
        }
        let lease = self.hold().await?;
        let approved = self.approve_held(number, digest, by.trim(), None).await;
        self.leave(&lease, approved).await
    }

    pub(super) async fn approve_held(
        &self,
        number: i64,
        digest: &str,
        by: &str,
        evidence: Option<&serde_json::Value>,
    ) -> Result<PlanReport, Error> {
        self.refuse_open_plan().await?;
        let row = self.plan_row(number).await?;
        let own = row.digest.to_string();
        if digest.len() < 8 || !own.starts_with(&digest.to_ascii_lowercase()) {
            return Err(Error::refused("R-039", format!("plan {number} is not the one with the digest {digest}"))
                .advise(format!("look at it again: its digest is {own}")));
        }
        let plan = self.stored_plan(&row).await?;
        // As the limit and what is used of it are now.
        let cost = people::Cost {
            registrations_max: self.rules_now().await?.registrations,
            registrations_used: self.registrations_used().await?,
            ..plan.cost.clone()
        };
        if !cost.fits() {
            return Err(over_limit(&cost));
        }
        self.refuse_live_without_reason(&plan.lines)?;
        let mut detail = json!({ "plan": number, "digest": own, "by": by });
        if let Some(evidence) = evidence {
            detail["evidence"] = evidence.clone();
        }
        if self.is_rehearsed {
            let mut report = self.report(&plan, &self.known().await?);
            report.plan = Some(number);
            return Ok(report);
        }
        self.store.audit(self.key, &self.actor, "people.plan-approved", &detail).await?;
        if !self.store.approve_plan(self.key, number, row.digest, by).await? {
            return Err(Error::refused(
                "R-039",
                format!("plan {number} can't be approved: it was approved, or a later one took its place"),
            )
            .advise("make a new one: people plan"));
        }
        let known = self.known().await?;
        let mut report = self.report(&plan, &known);
        (report.plan, report.approved_by) = (Some(number), Some(by.to_owned()));
        Ok(report)
    }

    /// Withdraws a plan: what of it is not made yet is not made.
    pub async fn withdraw(&self, number: i64, by: &str) -> Result<WithdrawReport, Error> {
        self.may_change()?;
        let by = by.trim();
        if by.is_empty() {
            return Err(Error::usage("who withdraws a plan has a name").advise("give it with --by NAME"));
        }
        if self.is_rehearsed {
            return self.withdraw_held(number, by).await;
        }
        let lease = self.hold().await?;
        let withdrawn = self.withdraw_held(number, by).await;
        self.leave(&lease, withdrawn).await
    }

    async fn withdraw_held(&self, number: i64, by: &str) -> Result<WithdrawReport, Error> {
        let row = self.plan_row(number).await?;
        let refused = |what: String| Error::refused("R-039", what);
        if row.ended_at.is_some() {
            return Err(refused(format!("plan {number} was carried out, withdrawn, or put aside before")));
        }
        let changes = self.store.changes(self.key, number).await?;
        let count = |state: ChangeState| changes.iter().filter(|change| change.state == state).count();
        if count(ChangeState::Doing) > 0 {
            let what = format!("what became of {} changes of plan {number} is not known", count(ChangeState::Doing));
            return Err(refused(what).advise("run people apply first: it looks for them"));
        }
        if count(ChangeState::Submitted) > 0 {
            let what = format!("{} changes of plan {number} have no result yet", count(ChangeState::Submitted));
            return Err(refused(what).advise(
                "read it back first: people results FILE; or, where the portal never took the file, \
                people results --lost NUMBER",
            ));
        }
        let (done, not_done) = (count(ChangeState::Done), count(ChangeState::Todo));
        let detail = json!({ "plan": number, "by": by, "done": done, "not_done": not_done });
        if self.is_rehearsed {
            return Ok(WithdrawReport { plan: number, by: by.to_owned(), done, not_done, dry_run: true });
        }
        self.store.audit(self.key, &self.actor, "people.plan-withdrawn", &detail).await?;
        if !self.store.withdraw_plan(self.key, number, by).await? {
            return Err(refused(format!("plan {number} has just ended")));
        }
        Ok(WithdrawReport { plan: number, by: by.to_owned(), done, not_done, dry_run: false })
    }

    pub(super) async fn plan_row(&self, number: i64) -> Result<PlanRow, Error> {
        let plans = self.store.plans(self.key).await?;
        plans
            .into_iter()
            .find(|row| row.plan == number)
            .ok_or_else(|| Error::usage(format!("there is no plan {number}")).advise("make one: people plan"))
    }

    /// The plan that is approved and not carried out to its end.
    pub(super) async fn open_plan(&self) -> Result<Option<PlanRow>, Error> {
        let plans = self.store.plans(self.key).await?;
        Ok(plans.into_iter().rev().find(|row| row.approved.is_some() && row.ended_at.is_none()))
    }

    /// A plan as it is kept. Fails where it is not as it was drafted.
    pub(super) async fn stored_plan(&self, row: &PlanRow) -> Result<Plan, Error> {
        let summary: Summary = serde_json::from_str(&row.summary).map_err(|_| super::damaged("a plan"))?;
        let changes = self.store.changes(self.key, row.plan).await?;
        let line = |change: &store::ChangeRow| {
            let planned: Planned =
                serde_json::from_str(&change.what).map_err(|_| super::damaged("a planned change"))?;
            Ok::<_, Error>(Line { object: ObjectId::new(&change.directory, &change.key), planned })
        };
        let lines = changes.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        let Summary { cost, conflicts, by_hand, unmapped } = summary;
        let plan = Plan { lines, conflicts, by_hand, unmapped, cost };
        if plan.digest() != row.digest {
            return Err(Error::refused("R-039", format!("plan {} is not as it was drafted", row.plan))
                .advise("somebody changed it in the database; make a new one: people plan"));
        }
        Ok(plan)
    }

    /// Of the plan of what is known, what is chosen; and how many changes are not.
    async fn make_part(&self, known: &Known, of: &PlanOf) -> Result<(Plan, usize), Error> {
        let mut who = HashSet::new();
        for wanted in &of.who {
            who.insert(known.find(wanted)?.id.clone());
        }
        let mut plan = self.make_plan(known, None).await?;
        if who.is_empty() && of.first.is_none() {
            return Ok((plan, 0));
        }
        let all: HashSet<ObjectId> = plan.lines.iter().map(|line| line.object.clone()).collect();
        let is_chosen = |id: &ObjectId| who.is_empty() || who.contains(id);
        plan.conflicts.retain(|conflict| is_chosen(&conflict.object));
        plan.by_hand.retain(|by_hand| is_chosen(&by_hand.object));
        plan.unmapped.retain(|unmapped| is_chosen(&unmapped.object));
        let mut left = of.first.unwrap_or(usize::MAX);
        plan.keep(|line| {
            let is_registered = matches!(&line.planned, Planned::Create { entry, .. } if entry.kind.is_registered());
            let is_kept = is_chosen(&line.object) && (!is_registered || left > 0);
            left -= usize::from(is_kept && is_registered);
            is_kept
        });
        let kept: HashSet<&ObjectId> = plan.lines.iter().map(|line| &line.object).collect();
        plan.by_hand.retain(|by_hand| kept.contains(&by_hand.object) || !all.contains(&by_hand.object));
        let later = all.len() - kept.len();
        Ok((plan, later))
    }

    /// The plan of what is known; or, of it, what is wanted.
    pub(super) async fn make_plan(&self, known: &Known, wanted: Option<&Wanted>) -> Result<Plan, Error> {
        let made = self.made().await?;
        let registrations_used = self.registrations_used().await?;
        let gone: Vec<ObjectId> =
            known.gone.iter().map(|object| object.id.clone()).filter(|id| made.contains_key(id)).collect();
        let keys_of = |made: &HashMap<ObjectId, store::AccountRow>| -> HashMap<ObjectId, String> {
            made.iter().map(|(id, row)| (id.clone(), row.made.account.clone())).collect()
        };
        let joiners = self.joiners(known)?;
        let code = self.config.code.as_str();
        let short_name = self.entry.short_name.clone().unwrap_or_else(|| code.to_ascii_lowercase());
        let makes_live =
            self.platform.as_ref().is_some_and(|(_, platform)| platform.directory().declaration().makes_live);
        // What is mailed to a portal waits to be accepted there, whoever handed it in (R-033).
        let live = if self.portal().is_some() { Vec::new() } else { self.live_at_once(known) };
        let (rules, switched_off) = (self.rules_now().await?, self.switched_off().await?);
        let planning = Planning {
            objects: &known.objects,
            reconciliation: &known.reconciliation,
            accounts: &known.accounts,
            gone: &gone,
            made: &keys_of(&made),
            switched_off: &switched_off,
            put_in: &self.put_in(&made).await?,
            joiners: &joiners,
            rules: &rules,
            organisation: &self.config.file.organisation.name,
            code,
            project: &self.config.file.project,
            short_name: &short_name,
            domain: &self.entry.domain,
            reserved: &known.reserved,
            makes_live,
            live: &live,
            registrations_used,
        };
        let plan = self.fitted(planning.plan(), known).await?;
        Ok(match wanted {
            None => planning.part(plan, |_| true, &|_| true),
            Some(wanted) => planning.part(plan, |line| wanted.takes(line), &|id| wanted.is_about(id)),
        })
    }

    /// Objects whose accounts a plan has switched off and that nobody has switched on since, with what they were before. What is
    /// switched on by others is noted when the platform is read.
    pub(super) async fn switched_off(&self) -> Result<HashMap<ObjectId, AccountState>, Error> {
        Ok(self.switched_off_at().await?.into_iter().map(|(id, (_, was))| (id, was)).collect())
    }

    /// The same, with when (milliseconds since 1970).
    async fn switched_off_at(&self) -> Result<HashMap<ObjectId, (i64, AccountState)>, Error> {
        let mut events: Vec<(i64, ObjectId, Option<AccountState>)> = Vec::new();
        for row in self.store.plans(self.key).await?.iter().filter(|row| row.approved.is_some()) {
            let changes = self.store.changes(self.key, row.plan).await?;
            let is_made = |change: &&store::ChangeRow| {
                change.state == ChangeState::Done
                    && change.said.as_deref() != Some(super::apply::SO_ALREADY)
                    && change.what.starts_with(r#"{"do":"update""#)
            };
            for change in changes.iter().filter(is_made) {
                let planned: Planned =
                    serde_json::from_str(&change.what).map_err(|_| super::damaged("a planned change"))?;
                let Planned::Update { before, after, .. } = planned else { continue };
                if before.state != after.state {
                    let was = (after.state == AccountState::Disabled).then_some(before.state);
                    events.push((change.at.unwrap_or_default(), ObjectId::new(&change.directory, &change.key), was));
                }
            }
        }
        if events.is_empty() {
            return Ok(HashMap::new());
        }
        let words = self.store.words(self.key).await?.into_iter().filter(|row| row.what == limits::SWITCHED_ON);
        events.extend(words.map(|row| (row.at, ObjectId::new(row.directory, row.key), None)));
        events.sort_by_key(|(at, _, _)| *at);
        let mut off = HashMap::new();
        for (at, id, was) in events {
            match was {
                Some(was) => drop(off.insert(id, (at, was))),
                None => drop(off.remove(&id)),
            }
        }
        Ok(off)
    }

    /// Notes which of the accounts that a plan has switched off can be used again, or are no more: others have done that.
    pub(super) async fn note_switched_on(&self) -> Result<(), Error> {
        let off = self.switched_off_at().await?;
        if off.is_empty() {
            return Ok(());
        }
        let (known, made) = (self.known().await?, self.made().await?);
        for (id, (at, _)) in &off {
            // A portal's report may be older than what it was sent.
            if known.as_of.is_some_and(|as_of| as_of <= *at) {
                continue;
            }
            let account = made.get(id).and_then(|row| known.account(&row.made.account));
            if account.is_some_and(|account| account.state == AccountState::Disabled) {
                continue;
            }
            let row = store::WordRow {
                directory: id.directory.clone(),
                key: id.key.clone(),
                what: limits::SWITCHED_ON.to_owned(),
                evidence: "the platform says so".to_owned(),
                said_by: self.actor.name.clone(),
                at: 0,
            };
            self.store.audit(self.key, &self.actor, "people.switched-on", &json!({ "object": id.to_string() })).await?;
            self.store.add_word(self.key, &row).await?;
        }
        Ok(())
    }

    /// Keys of accounts that plans have put into lists and shared mailboxes, by whose these are.
    async fn put_in(
        &self,
        made: &HashMap<ObjectId, store::AccountRow>,
    ) -> Result<HashMap<ObjectId, BTreeSet<String>>, Error> {
        let mut put_in: HashMap<ObjectId, BTreeSet<String>> = HashMap::new();
        for row in self.store.plans(self.key).await?.iter().filter(|row| row.approved.is_some()) {
            let changes = self.store.changes(self.key, row.plan).await?;
            for change in changes.iter().filter(|change| change.state == ChangeState::Done) {
                let planned: Planned =
                    serde_json::from_str(&change.what).map_err(|_| super::damaged("a planned change"))?;
                let (Planned::Create { members, .. } | Planned::Update { members, .. }) = planned else { continue };
                let keys = members.into_iter().filter_map(|member| match member {
                    Member::Account(key) => Some(key),
                    Member::Object(id) => made.get(&id).map(|row| row.made.account.clone()),
                    Member::Outside(_) => None,
                });
                put_in.entry(ObjectId::new(&change.directory, &change.key)).or_default().extend(keys);
            }
        }
        Ok(put_in)
    }

    /// Registrations that the organisation has used, in all its projects. Those of accounts that are gone count, too: the
    /// platform counts them.
    pub(super) async fn registrations_used(&self) -> Result<u32, Error> {
        let kinds = [EntryKind::Person.name(), EntryKind::System.name()];
        let used = self.store.accounts_of_kinds(self.key, kinds).await?;
        Ok(u32::try_from(used).unwrap_or(u32::MAX))
    }

    /// Does the platform have a first password changed at the first login (R-068)?
    fn changes_first_passwords(&self) -> bool {
        self.platform.as_ref().is_some_and(|(_, platform)| platform.directory().declaration().changes_first_passwords)
    }

    fn report(&self, plan: &Plan, known: &Known) -> PlanReport {
        let label =
            |id: &ObjectId| known.object(id).map_or_else(|| id.to_string(), |object| object.entry.label().to_owned());
        let unmapped = plan
            .unmapped
            .iter()
            .map(|unmapped| (label(&unmapped.object), unmapped.reference.text().to_owned(), unmapped.why.clone()));
        PlanReport {
            plan: None,
            digest: plan.digest().to_string(),
            approved_by: None,
            lines: plan.lines.iter().map(plan_line).collect(),
            created: plan.cost.created.clone(),
            updated: plan.cost.updated,
            disabled: plan.cost.disabled,
            enabled: plan.lines.iter().map(plan_line).filter(|line| line.does == "enable").count(),
            left: plan.cost.left,
            registrations: plan.cost.registrations,
            registrations_used: plan.cost.registrations_used,
            registrations_max: plan.cost.registrations_max,
            lead_days: self.rules.lead_days(plan.cost.registrations),
            keeps_passwords: plan.cost.registrations > 0 && !self.changes_first_passwords(),
            conflicts: plan.conflicts.iter().map(|conflict| (label(&conflict.object), conflict.why.clone())).collect(),
            by_hand: plan.by_hand.iter().map(|by_hand| (label(&by_hand.object), by_hand.why.clone())).collect(),
            unmapped: unmapped.collect(),
            later: 0,
            joiners: self.joiners(known).map_or(0, |joiners| joiners.len()),
            as_of: known.as_of.map(|at| at / 1000),
            classes: super::counts(&known.reconciliation),
        }
    }
}

/// Refused, with limit, used and requested (R-062).
pub(super) fn over_limit(cost: &people::Cost) -> Error {
    let max = cost.registrations_max.unwrap_or(u32::MAX);
    let what = format!(
        "the platform allows {max} registrations, {} are used, {} are requested",
        cost.registrations_used, cost.registrations
    );
    Error::refused("R-062", what)
        .advise(
            "have the limit raised and record it: people registrations --raise NUMBER --by NAME --evidence TEXT; or plan fewer: people plan \
             --first NUMBER",
        )
}

fn new_change(line: &Line, known: &Known) -> Result<NewChange, Error> {
    let what = serde_json::to_string(&line.planned).map_err(|_| super::damaged("a planned change"))?;
    let facts = facts_of(line, known);
    Ok(NewChange { directory: line.object.directory.clone(), key: line.object.key.clone(), what, facts })
}

/// What the object of a line is now; of one that is gone, nothing.
pub(super) fn facts_of(line: &Line, known: &Known) -> Digest {
    known.reconciliation.row(&line.object).map_or_else(|| Digest::of(b"gone"), |row| row.facts)
}

fn plan_line(line: &Line) -> PlanLine {
    let (does, entry, what) = match &line.planned {
        Planned::Create { entry, members, owners } => {
            let people = [(members.len(), "members"), (owners.len(), "owners")];
            let what = people.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
            ("create", entry, what.collect())
        }
        Planned::Update { before, after, fields, .. } => {
            let does = match after.state {
                state if state == before.state => "update",
                AccountState::Disabled => "disable",
                _ => "enable",
            };
            (does, after, fields.clone())
        }
        Planned::Leave { after, .. } => ("leave", after, vec!["marked as a leaver".to_owned()]),
    };
    PlanLine {
        id: line.object.to_string(),
        does,
        kind: entry.kind.name(),
        name: entry.label().to_owned(),
        mail: entry.mail.clone(),
        what,
    }
}
