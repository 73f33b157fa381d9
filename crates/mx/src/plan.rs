//! What has to change for a legacy domain, in which order, and what of it may be done now. Pure.

mod facts;
mod mail;
mod senders;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

pub use facts::{Facts, Gap, GapKind, Limits, LocalMail, RecordedRfc};

use crate::Name;
use crate::history::Observation;
use crate::standing::{Standing, Wanted};

/// A step, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The MX records may be kept for a short time only.
    LowerTtl,
    /// Nobody has them for longer any more.
    WaitOldTtl,
    /// The target platform may send for the domain.
    AddSpf,
    /// The target platform's signatures can be checked.
    PublishDkim,
    /// Mail goes to the target platform.
    ChangeMx,
    /// Mail programs find the target platform.
    ChangeAutodiscover,
    /// No mail comes to the local server any more.
    WaitEverywhere,
    /// The redirects of the switch (F3) are taken off.
    ReleaseRedirects,
}

/// What has to change, from what to what, and whether it may now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// What is there.
    pub from: String,
    /// What is to be there.
    pub to: String,
    /// Why, and why at this place.
    pub why: &'static str,
    /// Where that stands.
    pub source: &'static str,
    /// Whether it may be done now.
    pub state: StepState,
}

/// Whether a step may be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It is done, as everyone who was asked says.
    Done,
    /// There is nothing to do, for this reason.
    NotNeeded(String),
    /// It may be done now.
    May,
    /// It has its time still to come.
    Waits {
        /// What for.
        what: Vec<String>,
        /// Until when at least, where that is known.
        until: Option<Timestamp>,
    },
    /// It may not be done until these are gone.
    Refused(Vec<Gap>),
}

impl StepState {
    /// Is nothing left to do?
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done | Self::NotNeeded(_))
    }
}

/// What has to change for a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The domain.
    pub domain: Name,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Everything that keeps the MX records where they are.
    pub gaps: Vec<Gap>,
    /// What is wrong already and has to be looked at now.
    pub alarms: Vec<String>,
}

impl Plan {
    /// The step with this action.
    pub fn step(&self, action: Action) -> Option<&Step> {
        self.steps.iter().find(|step| step.action == action)
    }
}

/// All that a plan is made of.
pub(crate) struct Case<'a> {
    standing: &'a Standing,
    wanted: &'a Wanted,
    facts: &'a Facts,
    limits: Limits,
    /// The earlier looks, and this one.
    looks: Vec<Observation>,
    now: Timestamp,
    /// What keeps any change of the DNS from being made.
    formal: Vec<Gap>,
    /// What keeps people's mail where it is.
    people: Vec<Gap>,
}

/// The steps of a domain: from what the DNS says now, what it is to say, what else is known, and the earlier looks, the oldest first.
pub fn plan(
    standing: &Standing,
    wanted: &Wanted,
    facts: &Facts,
    limits: Limits,
    earlier: &[Observation],
    now: Timestamp,
) -> Plan {
    let mut looks: Vec<Observation> = earlier.iter().filter(|look| look.at < now).cloned().collect();
    looks.sort_by_key(|look| look.at);
    looks.push(Observation::of(standing, now));
    let case =
        Case { standing, wanted, facts, limits, looks, now, formal: facts.formal_gaps(), people: facts.people_gaps() };

    let lower = case.lower_ttl();
    let wait = case.wait_old_ttl(&lower);
    let spf = case.add_spf();
    let dkim = case.publish_dkim();
    let change = case.change_mx(&[&wait, &spf, &dkim]);
    let autodiscover = case.change_autodiscover(&change);
    let everywhere = case.wait_everywhere(&change);
    let release = case.release_redirects(&[&change, &autodiscover, &everywhere]);

    let mut gaps = case.formal.clone();
    gaps.extend(case.people.iter().cloned());
    gaps.extend(case.target_gaps());
    let mut alarms = Vec::new();
    if standing.views().any(|view| view.mail.known().is_some_and(|mail| wanted.is_wanted(mail))) {
        // R-241 the other way round: it was done too early, or somebody came after.
        let what = case.people.iter().chain(case.formal.iter());
        alarms.extend(what.map(|gap| format!("mail already goes to the target platform, although {gap}")));
    }
    let steps = vec![lower, wait, spf, dkim, change, autodiscover, everywhere, release];
    Plan { domain: standing.domain.clone(), steps, gaps, alarms }
}

/// What is waited for: steps that are not over.
pub(crate) fn before(steps: &[&Step]) -> Vec<String> {
    steps.iter().filter(|step| !step.state.is_over()).map(|step| format!("{} comes first", step.action)).collect()
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LowerTtl => "lower the time to live of the MX records",
            Self::WaitOldTtl => "wait until the old time to live has run out",
            Self::AddSpf => "let the target platform send (SPF)",
            Self::PublishDkim => "publish the target platform's keys (DKIM)",
            Self::ChangeMx => "change the MX records",
            Self::ChangeAutodiscover => "change autodiscover",
            Self::WaitEverywhere => "wait until no mail comes to the local server",
            Self::ReleaseRedirects => "take off the redirects of the switch",
        })
    }
}
