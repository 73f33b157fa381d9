//! The deadlines of a project: what has to be done by when, and how much room there is.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Calendar, days_between};
use crate::data::{Constant, Gate, MetBy, Programme};
use crate::gate::day_of;
use crate::record::{Record, Standing};
use crate::scope::Scope;

/// Names of the profile's constants that deadlines and staleness are computed from.
pub mod constant {
    /// Order form and purchase order are signed this long before implementation starts.
    pub const ORDER: &str = "order-deadline";
    /// Contracts are advised this long before the project starts.
    pub const CONTRACT: &str = "contract-advice";
    /// A request for change takes this long.
    pub const CHANGE_REQUEST: &str = "rfc-notice";
    /// Above this many new accounts approval takes longer.
    pub const ACCOUNTS_OVER: &str = "accounts-over";
    /// And this is how much longer.
    pub const ACCOUNTS_EXTRA: &str = "accounts-extra";
    /// How long the responsible owner has to sign the implementation plan.
    pub const SIGNATURE: &str = "plan-sign-off";
    /// How long the provider validates what was submitted.
    pub const VALIDATION: &str = "validation";
    /// How long after the migration the old servers go.
    pub const DECOMMISSION: &str = "decommission-after";
    /// The earliest that benefits are reported.
    pub const BENEFITS_FROM: &str = "benefits-after-least";
    /// The latest that benefits are reported.
    pub const BENEFITS_TO: &str = "benefits-after-most";
    /// How long old addresses keep receiving after the last switch.
    pub const LEGACY: &str = "legacy-addresses";
    /// A log that nobody touched for longer is stale.
    pub const STALE: &str = "log-stale";
    /// A progress call is held this often.
    pub const CALL: &str = "call-every";
    /// A board meets this often.
    pub const BOARD: &str = "board-every";
}

/// Something that has to be done by a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deadline {
    /// What it is, for example `order-form`.
    pub name: String,
    /// The last day that is in time.
    pub due: Date,
    /// Does something happen when it is missed? Otherwise it is advice.
    pub is_hard: bool,
    /// What has to be done and why then, for people.
    pub text: String,
}

impl Deadline {
    /// Days that are left on this day: 0 on the last one, below 0 when it is past.
    pub fn slack(&self, today: Date) -> i64 {
        days_between(today, self.due)
    }

    /// Is it too late on this day?
    pub fn is_missed(&self, today: Date) -> bool {
        today > self.due
    }
}

/// Why a deadline can't be told: the profile lacks something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadlineError {
    /// The profile has no constant of this name.
    NoConstant(String),
    /// A constant is no span of time.
    NotASpan {
        /// Its number.
        value: u64,
        /// Its unit.
        unit: String,
    },
}

impl fmt::Display for DeadlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConstant(name) => {
                write!(f, "the profile has no constant {name:?}. Add it to the profile's constants.")
            }
            Self::NotASpan { value, unit } => {
                write!(f, "{value} {unit} is no span of time. Use days, working-days, weeks or months in the profile.")
            }
        }
    }
}

impl std::error::Error for DeadlineError {}

/// Days of a project that deadlines hang on; those not known yet have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Milestones {
    /// The project starts.
    pub project: Option<Date>,
    /// Implementation starts.
    pub implementation: Option<Date>,
    /// The stage starts that needs the platform's request for change.
    pub change_needed: Option<Date>,
    /// The implementation plan was given out for signature.
    pub plan_issued: Option<Date>,
    /// The pre-requisites were submitted.
    pub submitted: Option<Date>,
    /// The last mailbox was switched.
    pub last_switch: Option<Date>,
    /// The project was closed.
    pub closed: Option<Date>,
    /// New accounts that the project needs.
    pub new_accounts: u64,
}

/// The date of the record on which the project began, where it isn't the day it was opened.
const PROJECT: &str = "project";
/// The date of the record on which the last mailbox was switched.
const LAST_SWITCH: &str = "last-switch";
/// The documents that the request for change and the plan for signature are.
const CHANGE_PACKAGE: &str = "rfc-package";
const PLAN: &str = "implementation-plan";

impl Milestones {
    /// What the record says of them. A stage begins on the date that has its id, or on the day it was entered:
    /// implementation is the first in which anything is live, and a request for change is needed by the one whose gate asks
    /// for it.
    pub fn of(programme: &Programme, record: &Record) -> Self {
        let Some(scope) = Scope::of(programme, record) else { return Self::default() };
        let given = |name: &str| record.date(name).map(|given| given.day);
        let entered = |id: &str| {
            let entry = record.stages.iter().find(|entry| entry.stage == id)?;
            Some(day_of(entry.said.at))
        };
        let begins = |id: &str| entered(id).or_else(|| given(id));
        let stages = scope.project_type.stages.iter();
        let is_live = |id: &&String| programme.stages.iter().any(|stage| stage.id == **id && !stage.allows.is_empty());
        let is_document = |id: &str, document: &str| {
            scope.deliverable(id).is_some_and(|known| known.document.as_deref() == Some(document))
        };
        let asks_for_change = |gate: &&Gate| {
            let mut criteria = scope.criteria(gate).into_iter();
            criteria.any(|one| matches!(&one.met_by, MetBy::Deliverable(id) if is_document(id, CHANGE_PACKAGE)))
        };
        let gate = scope.gates().into_iter().find(asks_for_change);
        let plan =
            record.deliverables.iter().find(|(id, _)| is_document(id, PLAN)).and_then(|(_, kept)| kept.current());
        let is_over = |standing: Standing| matches!(standing, Standing::Ended | Standing::Closed);
        let over = record.standings.iter().find(|(standing, _)| is_over(*standing));
        Self {
            project: given(PROJECT).or_else(|| record.standings.first().map(|(_, said)| day_of(said.at))),
            implementation: stages.clone().find(is_live).and_then(|id| begins(id)),
            change_needed: gate.and_then(|gate| gate.enters.as_deref()).and_then(begins),
            plan_issued: plan.map(|version| day_of(version.delivered.at)),
            submitted: submitted(&scope),
            last_switch: given(LAST_SWITCH),
            closed: over.map(|(_, said)| day_of(said.at)),
            new_accounts: record.numbers().map_or(0, |(_, numbers)| numbers.new),
        }
    }
}

/// The day on which the last of the pre-requisites was submitted for the first time, once all were.
fn submitted(scope: &Scope<'_>) -> Option<Date> {
    let tasks = scope.tasks().into_iter().filter(|task| task.is_prerequisite && !task.is_dropped());
    let first = tasks.map(|task| task.record.and_then(|record| record.rounds.first()).map(|round| round.submitted.at));
    let all: Option<Vec<_>> = first.collect();
    all?.into_iter().max().map(day_of)
}

/// How long before a stage the platform's side has to be asked: two rules, of which the longer is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeLead {
    /// By the working days that a request for change takes.
    pub request: Deadline,
    /// By the number of new accounts, where they are many.
    pub accounts: Option<Deadline>,
}

impl ChangeLead {
    /// The one that is planned: whichever is due first.
    pub fn planned(&self) -> &Deadline {
        match &self.accounts {
            Some(accounts) if accounts.due < self.request.due => accounts,
            _ => &self.request,
        }
    }
}

/// The rules of a programme's deadlines.
#[derive(Clone, Debug)]
pub struct Deadlines<'a> {
    programme: &'a Programme,
    calendar: Calendar,
}

impl<'a> Deadlines<'a> {
    /// Those of this programme.
    pub fn of(programme: &'a Programme) -> Self {
        Self { programme, calendar: Calendar::of(programme) }
    }

    /// The calendar they are computed with.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    fn constant(&self, name: &str) -> Result<&'a Constant, DeadlineError> {
        self.programme.constants.get(name).ok_or_else(|| DeadlineError::NoConstant(name.to_owned()))
    }

    fn before(
        &self,
        name: &str,
        day: Date,
        constant: &str,
        is_hard: bool,
        what: &str,
    ) -> Result<Deadline, DeadlineError> {
        let span = self.constant(constant)?;
        let due = self.calendar.before(day, span)?;
        let text = format!("{what} {} before {day}: by {due}.", spoken(span));
        Ok(Deadline { name: name.to_owned(), due, is_hard, text })
    }

    fn after(
        &self,
        name: &str,
        day: Date,
        constant: &str,
        is_hard: bool,
        what: &str,
    ) -> Result<Deadline, DeadlineError> {
        let span = self.constant(constant)?;
        let due = self.calendar.after(day, span)?;
        let text = format!("{what} {} after {day}: by {due}.", spoken(span));
        Ok(Deadline { name: name.to_owned(), due, is_hard, text })
    }

    /// The order form, signed; later than this the slot is released.
    pub fn order_form(&self, implementation: Date) -> Result<Deadline, DeadlineError> {
        self.before("order-form", implementation, constant::ORDER, true, "The order form is signed at the latest")
    }

    /// The purchase order, likewise.
    pub fn purchase_order(&self, implementation: Date) -> Result<Deadline, DeadlineError> {
        self.before(
            "purchase-order",
            implementation,
            constant::ORDER,
            true,
            "The purchase order is signed at the latest",
        )
    }

    /// Contracts: advice, apart from the hard deadline.
    pub fn contracts(&self, project: Date) -> Result<Deadline, DeadlineError> {
        self.before("contracts", project, constant::CONTRACT, false, "Contracts are best in place")
    }

    /// The platform's request for change, before the stage that needs it.
    pub fn change_request(&self, stage: Date, new_accounts: u64) -> Result<ChangeLead, DeadlineError> {
        let what = "The request for change is submitted";
        let request = self.before("change-request", stage, constant::CHANGE_REQUEST, true, what)?;
        let over = self.constant(constant::ACCOUNTS_OVER)?.value;
        let accounts = if new_accounts > over {
            let what = format!("{new_accounts} new accounts are more than {over}: they are asked for");
            Some(self.before("change-request-accounts", stage, constant::ACCOUNTS_EXTRA, true, &what)?)
        } else {
            None
        };
        Ok(ChangeLead { request, accounts })
    }

    /// The last day to give out the implementation plan, so that there is time to sign it.
    pub fn plan_for_signature(&self, implementation: Date) -> Result<Deadline, DeadlineError> {
        let what = "The implementation plan is given out for signature";
        self.before("plan-for-signature", implementation, constant::SIGNATURE, true, what)
    }

    /// The signature under a plan that was given out on this day.
    pub fn signature(&self, issued: Date) -> Result<Deadline, DeadlineError> {
        self.after("plan-signature", issued, constant::SIGNATURE, true, "The responsible owner signs the plan")
    }

    /// The last day to submit the pre-requisites, so that there is time to validate them.
    pub fn submission(&self, implementation: Date) -> Result<Deadline, DeadlineError> {
        let what = "All pre-requisites are submitted";
        self.before("submission", implementation, constant::VALIDATION, true, what)
    }

    /// The end of the validation of what was submitted on this day.
    pub fn validation(&self, submitted: Date) -> Result<Deadline, DeadlineError> {
        self.after("validation", submitted, constant::VALIDATION, true, "The provider has validated the pre-requisites")
    }

    /// The end of the old servers.
    pub fn decommission(&self, last_switch: Date) -> Result<Deadline, DeadlineError> {
        self.after("decommission", last_switch, constant::DECOMMISSION, true, "The old servers are decommissioned")
    }

    /// The end of the old addresses.
    pub fn legacy_addresses(&self, last_switch: Date) -> Result<Deadline, DeadlineError> {
        self.after("legacy-addresses", last_switch, constant::LEGACY, true, "Old addresses receive no more")
    }

    /// From when to when benefits are reported.
    pub fn benefits(&self, closed: Date) -> Result<(Deadline, Deadline), DeadlineError> {
        let from = self.after("benefits-from", closed, constant::BENEFITS_FROM, false, "Benefits can be measured")?;
        let to = self.after("benefits-to", closed, constant::BENEFITS_TO, true, "The benefits report is due")?;
        Ok((from, to))
    }

    /// Every deadline that hangs on days which are known, the earliest first.
    pub fn all(&self, milestones: &Milestones) -> Result<Vec<Deadline>, DeadlineError> {
        let mut all = Vec::new();
        if let Some(project) = milestones.project {
            all.push(self.contracts(project)?);
        }
        if let Some(implementation) = milestones.implementation {
            all.push(self.order_form(implementation)?);
            all.push(self.purchase_order(implementation)?);
            all.push(self.plan_for_signature(implementation)?);
            all.push(self.submission(implementation)?);
        }
        if let Some(needed) = milestones.change_needed {
            let lead = self.change_request(needed, milestones.new_accounts)?;
            all.push(lead.request);
            all.extend(lead.accounts);
        }
        if let Some(issued) = milestones.plan_issued {
            all.push(self.signature(issued)?);
        }
        if let Some(submitted) = milestones.submitted {
            all.push(self.validation(submitted)?);
        }
        if let Some(last) = milestones.last_switch {
            all.push(self.decommission(last)?);
            if self.programme.constants.contains_key(constant::LEGACY) {
                all.push(self.legacy_addresses(last)?);
            }
        }
        if let Some(closed) = milestones.closed {
            let (from, to) = self.benefits(closed)?;
            all.extend([from, to]);
        }
        all.sort_by(|one, other| (one.due, &one.name).cmp(&(other.due, &other.name)));
        Ok(all)
    }
}

/// A span as a person says it.
fn spoken(span: &Constant) -> String {
    let unit = span.unit.replace('-', " ");
    if span.value == 1 {
        return format!("1 {}", unit.trim_end_matches('s'));
    }
    format!("{} {unit}", span.value)
}
