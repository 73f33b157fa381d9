//! Steps about where mail goes: the MX records, autodiscover, and what has to be waited for.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Case, Gap, GapKind, Step, StepState, before};
use crate::history::{changed_at, is_changed, lowered_at, old_gone_at};
use crate::standing::{MailRoute, Seen, Subject, View};

impl Case<'_> {
    /// Do all servers of the zone lead mail to where it is wanted?
    fn is_changed(&self) -> bool {
        is_changed(&self.looks, self.wanted)
    }

    pub(super) fn lower_ttl(&self) -> Step {
        let low = self.limits.ttl_low_seconds;
        let zone = &self.standing.authoritative;
        let highest = zone.iter().filter_map(|view| view.mail.ttl_seconds()).max();
        let no_mx =
            zone.iter().any(|view| !matches!(view.mail.known(), Some(MailRoute::Mx(_) | MailRoute::NullMx) | None));
        let what = if no_mx { "the zone's time for what is not there (SOA minimum)" } else { "MX time to live" };
        let state = if self.is_changed() {
            StepState::Done
        } else if let Some(gap) = self.zone_not_known() {
            StepState::Refused(vec![gap])
        } else if highest.is_some_and(|ttl| ttl <= low) {
            StepState::Done
        } else if self.formal.is_empty() {
            StepState::May
        } else {
            StepState::Refused(self.formal.clone())
        };
        Step {
            action: Action::LowerTtl,
            from: highest.map_or("not known".to_owned(), |ttl| format!("{what} {ttl} s")),
            to: format!("{what} {low} s or less"),
            why: "as long as an old answer may be kept, mail goes the old way, and a mistake lasts as long",
            source: "RFC 1035 §3.2.1; RFC 2308 §5; R-236",
            state,
        }
    }

    pub(super) fn wait_old_ttl(&self, lower: &Step) -> Step {
        let state = if self.is_changed() {
            StepState::Done
        } else if lower.state.is_over() {
            match lowered_at(&self.looks, self.limits.ttl_low_seconds) {
                Some(at) if at <= self.now => StepState::Done,
                until => StepState::Waits { what: vec!["old answers run out".to_owned()], until },
            }
        } else {
            StepState::Waits { what: before(&[lower]), until: None }
        };
        Step {
            action: Action::WaitOldTtl,
            from: "answers with the old time to live in caches".to_owned(),
            to: "none of them left".to_owned(),
            why: "an answer keeps the time to live that it was given out with",
            source: "RFC 1035 §7.4",
            state,
        }
    }

    pub(super) fn change_mx(&self, earlier: &[&Step]) -> Step {
        let mut gaps: Vec<Gap> = self.formal.iter().chain(&self.people).cloned().collect();
        gaps.extend(self.target_gaps());
        gaps.extend(self.zone_not_known());
        let waits = before(earlier);
        let state = if self.is_changed() {
            StepState::Done
        } else if !gaps.is_empty() {
            StepState::Refused(gaps)
        } else if !waits.is_empty() {
            StepState::Waits { what: waits, until: None }
        } else {
            StepState::May
        };
        Step {
            action: Action::ChangeMx,
            from: self.said(Subject::Mail),
            to: MailRoute::Mx(self.wanted.mx.clone()).to_string(),
            why: "mail from outside reaches everyone where they are now, without the local server; it comes after everyone is \
                  switched, since the target platform sends nothing back",
            source: "RFC 5321 §5.1; R-236, R-238, R-241",
            state,
        }
    }

    pub(super) fn change_autodiscover(&self, change: &Step) -> Step {
        let is_there = |view: &View| {
            self.wanted
                .autodiscover
                .as_ref()
                .is_some_and(|wanted| view.autodiscover.known().is_some_and(|found| found.is(wanted)))
        };
        let gaps: Vec<Gap> = self.formal.iter().chain(&self.people).cloned().collect();
        let state = if self.wanted.autodiscover.is_none() {
            StepState::NotNeeded("the settings name no place where mail programs are to look".to_owned())
        } else if let Some(gap) = self.not_known(|view| view.autodiscover.is_told()) {
            StepState::Refused(vec![gap])
        } else if self.standing.views().all(is_there) {
            StepState::Done
        } else if !gaps.is_empty() {
            StepState::Refused(gaps)
        } else if !change.state.is_over() {
            StepState::Waits { what: before(&[change]), until: None }
        } else if self.standing.authoritative.iter().all(is_there) {
            StepState::Waits { what: vec!["resolvers still have the old answer".to_owned()], until: None }
        } else {
            StepState::May
        };
        Step {
            action: Action::ChangeAutodiscover,
            from: self.said(Subject::Autodiscover),
            to: self.wanted.autodiscover.as_ref().map(ToString::to_string).unwrap_or_default(),
            why: "mail programs set themselves up by it: while somebody's mailbox is at the source, theirs would be led away from it",
            source: "MS-OXDISCO §3.1.5, RFC 2782; R-241",
            state,
        }
    }

    pub(super) fn wait_everywhere(&self, change: &Step) -> Step {
        let mut what = before(&[change]);
        let mut until: Option<Timestamp> = None;
        if self.standing.resolvers.is_empty() {
            what.push("no resolver was asked".to_owned());
        }
        what.extend(self.standing.authoritative_unknown.iter().cloned());
        for view in self.standing.views() {
            match &view.mail {
                Seen::Known { value, .. } if self.wanted.is_wanted(value) => {}
                Seen::Known { value, .. } => what.push(format!("{} says {value}", view.by)),
                Seen::Absent { .. } => what.push(format!("{} says that there is nothing", view.by)),
                Seen::Unknown(why) => what.push(format!("{} could not be asked: {why}", view.by)),
            }
        }
        if let Some(at) = old_gone_at(&self.looks, self.wanted).filter(|at| *at > self.now) {
            what.push(format!("old answers may be kept until {at}"));
            until = Some(at);
        }
        let days = self.limits.quiet_days;
        match self.quiet_since() {
            None if change.state.is_over() => {
                what.push("nobody watches what the local server takes for the domain".to_owned());
            }
            None => {}
            Some(since) => {
                match since.checked_add(SignedDuration::from_hours(24 * i64::from(days))) {
                    Ok(at) if at <= self.now => {}
                    Ok(at) => {
                        what.push(format!("the local server has to take no mail for the domain for {days} days; it is quiet since {since}"));
                        until = Some(until.map_or(at, |until| until.max(at)));
                    }
                    Err(_) => what.push(format!("{days} days from {since} are beyond the calendar")),
                }
            }
        }
        let state = if what.is_empty() { StepState::Done } else { StepState::Waits { what, until } };
        Step {
            action: Action::WaitEverywhere,
            from: self.said(Subject::Mail),
            to: format!(
                "every resolver says the same, nothing old is in caches, and {days} days without mail at the local server"
            ),
            why: "senders go by what their own resolver has, and some keep it longer than they may",
            source: "RFC 1035 §7.4, RFC 8767; ruling A-19",
            state,
        }
    }

    pub(super) fn release_redirects(&self, earlier: &[&Step]) -> Step {
        let gaps: Vec<Gap> = self.formal.iter().chain(&self.people).cloned().collect();
        let waits = before(earlier);
        let state = if !gaps.is_empty() {
            StepState::Refused(gaps)
        } else if !waits.is_empty() {
            StepState::Waits { what: waits, until: None }
        } else if self.facts.f3_left.is_empty() {
            StepState::Done
        } else {
            StepState::May
        };
        Step {
            action: Action::ReleaseRedirects,
            from: format!("{} redirects from source to target (F3)", self.facts.f3_left.len()),
            to: "none".to_owned(),
            why: "they carry whatever still comes to the local server; without them it would stay there unread",
            source: "ruling A-05; R-241",
            state,
        }
    }

    /// What keeps mail from arriving where it is to go.
    pub(super) fn target_gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        if self.wanted.mx.is_empty() || self.wanted.mx.iter().any(|mx| mx.exchange.is_root()) {
            gaps.push(Gap::of(GapKind::NoWantedMx, Vec::new()));
        }
        let mut unusable = Vec::new();
        for mx in &self.wanted.mx {
            match self.standing.wanted_hosts.iter().find(|host| host.name == mx.exchange) {
                None => unusable.push(format!("{} was not looked for", mx.exchange)),
                Some(host) => {
                    if let Some(alias) = &host.alias_of {
                        unusable.push(format!("{} is an alias of {alias} (RFC 2181 §10.3)", host.name));
                    }
                    match &host.addresses {
                        Seen::Known { .. } => {}
                        Seen::Absent { .. } => unusable.push(format!("{} has no address", host.name)),
                        Seen::Unknown(why) => {
                            unusable.push(format!("the address of {} is not known: {why}", host.name));
                        }
                    }
                }
            }
        }
        if !unusable.is_empty() {
            gaps.push(Gap::of(GapKind::HostUnusable, unusable));
        }
        gaps
    }

    /// The zone's servers that could not be asked.
    fn zone_not_known(&self) -> Option<Gap> {
        let mut which = self.standing.authoritative_unknown.clone();
        let silent = self.standing.authoritative.iter().filter(|view| view.mail.known().is_none());
        which.extend(silent.map(|view| view.by.to_string()));
        if self.standing.authoritative.is_empty() && which.is_empty() {
            which.push("no server of the zone".to_owned());
        }
        (!which.is_empty()).then(|| Gap::of(GapKind::NotKnown, which))
    }

    /// Since when the local server takes no mail for the domain: not before it was watched, and not before mail was to go elsewhere.
    fn quiet_since(&self) -> Option<Timestamp> {
        let watched = self.facts.local_mail.watched_since?;
        let changed = changed_at(&self.looks, self.wanted)?;
        Some(watched.max(changed).max(self.facts.local_mail.last.unwrap_or(watched)))
    }
}
