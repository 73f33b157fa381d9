//! What may be done live: the registry that people, movement and switch ask in a governed project.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use super::{Facts, Item, assess_in, item};
use crate::action::Refusal;
use crate::data::{Criterion, Gate, MetBy, Programme, Stage, Whose};
use crate::pilot::pilot;
use crate::record::{Record, Standing};
use crate::register::{Register, unresolved};
use crate::rule::Rule;
use crate::scope::Scope;

/// Something that changes what people have or where their mail goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Live {
    /// Accounts are made.
    ProvisionAccounts {
        /// New accounts that are there already.
        new_already: u64,
        /// New accounts that are asked for now.
        asked: u64,
        /// So many of those that are asked for now are for nobody of the pilot.
        others: u64,
    },
    /// Mail of the pilot's people is copied.
    SyncPilot,
    /// Mail of everybody is copied.
    SyncBulk,
    /// Forwarders are set.
    ForwardersOn,
    /// People of the pilot are switched.
    SwitchPilot,
    /// People are switched.
    Switch,
    /// The mail exchanger of a domain is changed.
    ChangeMx,
    /// Old servers are taken away.
    Decommission,
}

impl Live {
    /// Every name, as stages of a profile give them.
    pub const NAMES: [&'static str; 8] = [
        "provision-accounts",
        "sync-pilot",
        "sync-bulk",
        "forwarders-on",
        "switch-pilot",
        "switch",
        "change-mx",
        "decommission",
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProvisionAccounts { .. } => "provision-accounts",
            Self::SyncPilot => "sync-pilot",
            Self::SyncBulk => "sync-bulk",
            Self::ForwardersOn => "forwarders-on",
            Self::SwitchPilot => "switch-pilot",
            Self::Switch => "switch",
            Self::ChangeMx => "change-mx",
            Self::Decommission => "decommission",
        }
    }

    /// Does it end the old way of somebody's mail, so that programs which still use it would fall silent?
    pub fn is_cutover(self) -> bool {
        matches!(self, Self::SwitchPilot | Self::Switch | Self::ChangeMx | Self::Decommission)
    }

    /// What everybody is asked where this asks the same of the pilot alone.
    fn of_everybody(self) -> Option<Self> {
        match self {
            Self::SyncPilot => Some(Self::SyncBulk),
            Self::SwitchPilot => Some(Self::Switch),
            _ => None,
        }
    }
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProvisionAccounts { asked, .. } => write!(f, "make {asked} accounts"),
            Self::SyncPilot => f.write_str("copy mail of the pilot"),
            Self::SyncBulk => f.write_str("copy mail of everybody"),
            Self::ForwardersOn => f.write_str("set forwarders"),
            Self::SwitchPilot => f.write_str("switch people of the pilot"),
            Self::Switch => f.write_str("switch people"),
            Self::ChangeMx => f.write_str("change a mail exchanger"),
            Self::Decommission => f.write_str("take old servers away"),
        }
    }
}

/// The fact that no mail exchanger points to the old servers any more.
const MX_CHANGED: &str = "mx-changed";

/// The fact that so many people of all are of the pilot as is usual.
const PILOT_SHARE: &str = "pilot-share";

/// What is done where the pilot has not its share.
const SHARE_ADVICE: &str = "Name others or let some leave it, or decide on another share.";

/// May this be done now?
pub fn allows(programme: &Programme, record: &Record, facts: &Facts, today: Date, live: Live) -> Result<(), Refusal> {
    let refusal = |rule: Rule, what: String, advice: &str, open: Vec<Item>| {
        Refusal::new(rule, what, place(record), advice).with_open(open)
    };
    if matches!(record.standing, Standing::Unopened | Standing::Cancelled) {
        let what = format!("cannot {live}: the project is not under way");
        return Err(refusal(Rule::NotNow, what, "Open a project for it.", Vec::new()));
    }
    let Some(scope) = Scope::of(programme, record) else {
        let what = format!("cannot {live}: the project has no type yet");
        return Err(refusal(Rule::StageAllows, what, "Choose its type and pass its gates.", Vec::new()));
    };
    if !stage_of(&scope).is_some_and(|stage| stage.allows.iter().any(|name| name == live.name())) {
        return Err(not_in_this_stage(&scope, facts, today, live));
    }
    refuse_against_noes(&scope, facts, today, &live.to_string())?;
    if is_of_pilot_alone(&scope, live)
        && let Some(share) = pilot_share_open(&scope, facts, today)
    {
        let what = format!("cannot {live}: {}", share.by);
        return Err(refusal(Rule::PilotShare, what, SHARE_ADVICE, vec![share]));
    }
    if live.is_cutover() {
        let open: Vec<_> = unresolved(record, Register::Applications).map(|row| row.id.clone()).collect();
        if !open.is_empty() {
            let what = format!("cannot {live}: {} applications are unresolved: {}", open.len(), open.join(", "));
            let advice = "Give each its new settings and settle its row, or withdraw the row with a reason.";
            return Err(refusal(Rule::ApplicationsResolved, what, advice, Vec::new()));
        }
    }
    if live == Live::Decommission && !facts.facts.get(MX_CHANGED).is_some_and(|fact| fact.is_met) {
        let what = format!("cannot {live}: mail is not known to go past them");
        let advice = "Change the mail exchanger of every domain first, or record the decision not to.";
        return Err(refusal(Rule::OldServersNeeded, what, advice, Vec::new()));
    }
    if let Live::ProvisionAccounts { new_already, asked, others } = live {
        let allowance = registrations(programme, record, facts, today);
        let wanted = new_already.saturating_add(asked);
        if allowance.whose == Some(Whose::Pilot) && asked > 0 {
            refuse_wrong_share(&scope, facts, today, live)?;
        }
        if allowance.whose == Some(Whose::Pilot) && others > 0 {
            let what = format!("cannot {live}: {others} of them are for nobody of the pilot, and {}", allowance.why);
            let advice = allowance.next.as_ref().map_or_else(
                || "Make those of the pilot.".to_owned(),
                |next| format!("Make those of the pilot; more are released by: {}", next.closes),
            );
            return Err(refusal(Rule::RegistrationLimit, what, &advice, allowance.next.into_iter().collect()));
        }
        if wanted > allowance.limit {
            let what = format!(
                "cannot {live}: the limit is {}, {new_already} are there and {asked} are asked for; {}",
                allowance.limit, allowance.why
            );
            let advice = match &allowance.next {
                Some(next) => format!("More are released by: {}", next.closes),
                None if allowance.is_signed_for_fewer => {
                    "Have it signed again for the numbers as they are now: gate sign.".to_owned()
                }
                None => "Confirm the number of accounts that the project needs.".to_owned(),
            };
            return Err(refusal(Rule::RegistrationLimit, what, &advice, allowance.next.into_iter().collect()));
        }
    }
    Ok(())
}

/// Refused while a no stands against what a gate was passed with.
fn refuse_against_noes(scope: &Scope<'_>, facts: &Facts, today: Date, what: &str) -> Result<(), Refusal> {
    let refused = standing_noes(scope, facts, today);
    if refused.is_empty() {
        return Ok(());
    }
    let what = format!("cannot {what}: what a gate was passed with was answered with a no since");
    let advice = "It stands until whoever may says yes to each of these.";
    Err(Refusal::new(Rule::StandingNo, what, place(scope.record), advice).with_open(refused))
}

/// May accounts that are there be changed now? From the first stage that makes accounts on, and after the last one and the close too: whoever leaves,
/// leaves then as well, and identities go on being kept in step. In no project that was given up, and against no no.
pub fn allows_update(programme: &Programme, record: &Record, facts: &Facts, today: Date) -> Result<(), Refusal> {
    const WHAT: &str = "change accounts";
    let accounts = Live::ProvisionAccounts { new_already: 0, asked: 0, others: 0 };
    let makes = |id: &str| {
        let stage = programme.stages.iter().find(|stage| stage.id == id);
        stage.is_some_and(|stage| stage.allows.iter().any(|name| name == accounts.name()))
    };
    let is_over = record.stages.iter().any(|entry| makes(&entry.stage))
        && record.stage().is_some_and(|entry| !makes(&entry.stage))
        && matches!(record.standing, Standing::Open | Standing::Ended | Standing::Closed);
    match Scope::of(programme, record).filter(|_| is_over) {
        Some(scope) => refuse_against_noes(&scope, facts, today, WHAT),
        None => allows(programme, record, facts, today, accounts),
    }
}

/// May contacts be written to the address books now? Before all else, as soon as the project is at a stage, and after its end. In no project
/// that was given up, and against no no.
pub fn allows_books(programme: &Programme, record: &Record, facts: &Facts, today: Date) -> Result<(), Refusal> {
    const WHAT: &str = "write to the address books";
    let is_under_way = !matches!(record.standing, Standing::Unopened | Standing::Cancelled) && record.stage().is_some();
    match Scope::of(programme, record).filter(|_| is_under_way) {
        Some(scope) => refuse_against_noes(&scope, facts, today, WHAT),
        None => {
            let what = format!("cannot {WHAT}: the project is at no stage yet, or was given up");
            Err(Refusal::new(Rule::NotNow, what, place(record), "Pass its first gate."))
        }
    }
}

fn place(record: &Record) -> String {
    match record.stage() {
        Some(entry) => format!("{}, stage {}", record.code, entry.stage),
        None => record.code.clone(),
    }
}

fn stage_of<'a>(scope: &Scope<'a>) -> Option<&'a Stage> {
    let entry = scope.record.stage()?;
    scope.programme.stages.iter().find(|stage| stage.id == entry.stage)
}

/// Is this done for the pilot alone? In a stage in which the same is done for everybody, whoever is of the pilot is one of them.
fn is_of_pilot_alone(scope: &Scope<'_>, live: Live) -> bool {
    let Some((everybody, stage)) = live.of_everybody().zip(stage_of(scope)) else { return false };
    !stage.allows.iter().any(|name| name == everybody.name())
}

/// The criterion that asks for the share of the pilot.
fn pilot_share<'a>(scope: &Scope<'a>) -> Option<&'a Criterion> {
    let asks = |criterion: &&Criterion| {
        matches!(&criterion.met_by, MetBy::Fact(fact) if fact == PILOT_SHARE) && scope.counts(&criterion.types)
    };
    scope.programme.criteria.iter().find(asks)
}

/// The same, where it is not met.
fn pilot_share_open(scope: &Scope<'_>, facts: &Facts, today: Date) -> Option<Item> {
    Some(item(scope, facts, pilot_share(scope)?, 0, today)).filter(|item| !item.is_met)
}

/// Accounts that are released for the pilot alone are asked its share, and those who had one made and left it count in it: else everybody
/// could be of the pilot for a while, one after the other.
fn refuse_wrong_share(scope: &Scope<'_>, facts: &Facts, today: Date, live: Live) -> Result<(), Refusal> {
    if let Some(share) = pilot_share_open(scope, facts, today) {
        let what = format!("cannot {live}: {}", share.by);
        return Err(Refusal::new(Rule::PilotShare, what, place(scope.record), SHARE_ADVICE).with_open(vec![share]));
    }
    let pilot = pilot(scope.programme, scope.record);
    let (Some(criterion), Some((_, most)), None) = (pilot_share(scope), pilot.right, &pilot.decided) else {
        return Ok(());
    };
    let (others, people) = (facts.accounts_of_others.unwrap_or(0), pilot.people.len() as u64);
    if people.saturating_add(others) <= most {
        return Ok(());
    }
    let what = format!(
        "cannot {live}: {people} people are of the pilot, {others} others who left it had accounts made, and {most} are to be at most"
    );
    let item = item(scope, facts, criterion, 0, today);
    let advice = "Keep to those who were named first, or decide on another share.";
    Err(Refusal::new(Rule::PilotShare, what, place(scope.record), advice).with_open(vec![item]))
}

fn not_in_this_stage(scope: &Scope<'_>, facts: &Facts, today: Date, live: Live) -> Refusal {
    let names = |stage: &&Stage| stage.allows.iter().any(|name| name == live.name());
    let here = scope.record.stage().and_then(|entry| scope.place_of(&entry.stage)).map_or(0, |at| at + 1);
    let later = scope.project_type.stages.get(here..).unwrap_or_default().iter();
    let later = later.filter_map(|id| scope.programme.stages.iter().find(|stage| stage.id == *id)).find(names);
    let next = scope.next_gate().map(|gate| assess_in(scope, facts, gate, today));
    let open = next.iter().flat_map(|assessed| assessed.open().cloned()).collect();
    let advice = match (later, &next) {
        (Some(stage), Some(gate)) => {
            format!(
                "It is allowed from the stage {:?} on; the gate before this project is {:?}.",
                stage.title, gate.title
            )
        }
        _ => "No stage that is to come allows it.".to_owned(),
    };
    let what = format!("cannot {live}: the stage doesn't allow it");
    Refusal::new(Rule::StageAllows, what, place(scope.record), &advice).with_open(open)
}

/// Criteria of the gates that were passed against which a no stands now.
fn standing_noes(scope: &Scope<'_>, facts: &Facts, today: Date) -> Vec<Item> {
    let is_passed = |gate: &&Gate| scope.record.gates.get(&gate.id).is_some_and(|record| record.passed.is_some());
    let criteria = scope.gates().into_iter().filter(is_passed).flat_map(|gate| scope.criteria(gate));
    let mut refused: Vec<Item> = Vec::new();
    for criterion in criteria {
        let item = item(scope, facts, criterion, 0, today);
        if item.is_refused && !refused.iter().any(|known| known.criterion == item.criterion) {
            refused.push(item);
        }
    }
    refused
}

/// How many new accounts may be made, and what would release more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Allowance {
    /// So many in all.
    pub limit: u64,
    /// Whose: none where none is released, or where the kind of project has no steps.
    pub whose: Option<Whose>,
    /// Why so many.
    pub why: String,
    /// What would release more.
    pub next: Option<Item>,
    /// What released them was signed when fewer were needed than are now.
    #[serde(skip)]
    pub is_signed_for_fewer: bool,
}

/// New accounts that are planned for this month and those before it.
fn planned_until(record: &Record, today: Date) -> u64 {
    let month = format!("{:04}-{:02}", today.year(), today.month());
    let due = record.months.iter().filter(|(planned, _)| **planned <= month);
    due.fold(0, |sum: u64, (_, accounts)| sum.saturating_add(*accounts))
}

/// How many new accounts may be made now.
pub fn registrations(programme: &Programme, record: &Record, facts: &Facts, today: Date) -> Allowance {
    let Some(scope) = Scope::of(programme, record) else {
        return Allowance {
            limit: 0,
            whose: None,
            why: "the project has no type yet".to_owned(),
            next: None,
            is_signed_for_fewer: false,
        };
    };
    let latest = record.numbers().map_or(0, |(_, numbers)| numbers.new);
    let steps = &scope.project_type.registrations;
    if steps.is_empty() {
        return Allowance {
            limit: latest,
            whose: None,
            why: format!("the project needs {latest}"),
            next: None,
            is_signed_for_fewer: false,
        };
    }
    let mut allowance = Allowance {
        limit: 0,
        whose: None,
        why: "none is released yet".to_owned(),
        next: None,
        is_signed_for_fewer: false,
    };
    for step in steps {
        let Some(criterion) = scope.criterion(&step.after) else { continue };
        let item = item(&scope, facts, criterion, 0, today);
        // What a gate was passed with stays released, unless it was answered with a no since.
        let mut passed = record.gates.values().filter_map(|gate| gate.passed.as_ref());
        let was_met = !item.is_refused && passed.any(|passed| passed.met_by.contains_key(&criterion.id));
        if !item.is_met && !was_met {
            allowance.next = Some(item);
            break;
        }
        // What was signed, and passed with, was so for the numbers as they stood then: more of them need a signature again.
        let through = record.gates.values().filter_map(|gate| gate.passed.as_ref());
        let through = through.filter(|pass| pass.met_by.contains_key(&criterion.id)).map(|pass| pass.said.at).max();
        let signed = record.words_on(&criterion.id).values().map(|word| word.said.at).max();
        let needed = match signed.max(through).filter(|_| signed.is_some()) {
            Some(at) => record.numbers_at(at).map_or(0, |numbers| numbers.new).min(latest),
            None => latest,
        };
        let (count, whose) = match step.whose {
            Whose::Pilot => (facts.pilot_accounts.unwrap_or(needed), "the pilot"),
            // A wave is a month of the plan of registrations; what the pilot may have stays.
            Whose::Waves => {
                let planned = planned_until(record, today).max(allowance.limit);
                (facts.wave_accounts.unwrap_or(planned), "what is planned until this month")
            }
            Whose::All => (needed, "the whole project"),
        };
        let most = step.at_most.as_ref().and_then(|name| programme.constants.get(name)).map(|most| most.value);
        // A constant that the profile lacks releases nothing: to guess would be to allow.
        let most = if step.at_most.is_some() { Some(most.unwrap_or(0)) } else { None };
        allowance.whose = Some(step.whose);
        allowance.limit = count.min(most.unwrap_or(u64::MAX)).min(needed);
        allowance.why = match most {
            Some(most) if most < count => format!("{item} releases {whose}, at most {most}", item = item.title),
            _ => format!("{item} releases {whose}: {count}", item = item.title),
        };
        allowance.is_signed_for_fewer = needed < latest;
        if needed < latest {
            allowance.why = format!(
                "{}; {latest} are needed by now, and more than {needed} need its signature again",
                allowance.why
            );
        }
    }
    allowance
}
