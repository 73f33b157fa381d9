//! Steps about who may send for the domain: SPF and DKIM. Both add, and take nothing away, so they come before the MX records.

use super::{Action, Case, Gap, GapKind, Step, StepState};
use crate::standing::{DkimKey, SPF_LOOKUPS_MAX, Seen, Spf, Standing, Subject, View};

impl Case<'_> {
    pub(super) fn add_spf(&self) -> Step {
        let wanted = &self.wanted.spf;
        let from = self.said(Subject::Spf);
        let is_there = |view: &View| view.spf.known().is_some_and(|spf| spf.missing(wanted).is_empty());
        let zone: Option<&Seen<Spf>> =
            self.standing.authoritative.iter().find(|view| !is_there(view)).map(|view| &view.spf);
        let (to, state) = if wanted.is_empty() {
            (String::new(), StepState::NotNeeded("the settings name nothing that is to send for the domain".to_owned()))
        } else {
            let (to, change) = match zone {
                Some(Seen::Known { value: spf @ Spf::One { .. }, .. }) => spf_changed(self.standing, spf, wanted),
                Some(Seen::Known { value: Spf::Several(_), .. }) => (
                    format!(
                        "one record, made of these and with {}; several are none (RFC 7208 §4.5)",
                        wanted.join(" ")
                    ),
                    None,
                ),
                Some(Seen::Absent { .. }) if !self.dmarc_enforces() => {
                    let why = "the domain has no SPF record and asks nobody to refuse its mail: nothing refuses the target platform";
                    (String::new(), Some(StepState::NotNeeded(why.to_owned())))
                }
                Some(Seen::Absent { .. }) => {
                    (format!("v=spf1 {} …, with all that sends for the domain today", wanted.join(" ")), None)
                }
                Some(Seen::Unknown(_)) | None => (format!("a record with {}", wanted.join(" ")), None),
            };
            let state = match change {
                Some(state @ StepState::NotNeeded(_)) if self.not_known(|view| view.spf.is_told()).is_none() => state,
                Some(state @ StepState::Refused(_)) => state,
                _ => self.added(is_there, |view| view.spf.is_told()),
            };
            (to, state)
        };
        Step {
            action: Action::AddSpf,
            from,
            to,
            why: "people who are switched send from the target platform with the domain's addresses; receivers refuse that \
                  unless the domain allows it. The local server stays allowed until it is taken down",
            source: "RFC 7208 §4.6, §5; R-328",
            state,
        }
    }

    pub(super) fn publish_dkim(&self) -> Step {
        let wanted = &self.wanted.dkim;
        let is_there = |view: &View| {
            wanted.iter().all(|key| {
                let seen = view.dkim.iter().find(|(name, _)| *name == key.selector).and_then(|(_, seen)| seen.known());
                seen.is_some_and(|seen: &DkimKey| seen.is(key))
            })
        };
        let known = |view: &View| view.dkim.iter().all(|(_, seen)| seen.is_told());
        let state = if wanted.is_empty() {
            StepState::NotNeeded("the settings name no keys of the target platform".to_owned())
        } else {
            self.added(is_there, known)
        };
        let names: Vec<String> =
            wanted.iter().map(|key| format!("{}._domainkey.{}", key.selector, self.wanted.domain)).collect();
        Step {
            action: Action::PublishDkim,
            from: self.said(Subject::Dkim),
            to: if names.is_empty() {
                String::new()
            } else {
                format!("the target platform's keys at {}", names.join(", "))
            },
            why: "what the target platform signs has to be found right by receivers before it sends for the domain",
            source: "RFC 6376 §3.6; RFC 7489 §3.1",
            state,
        }
    }

    /// Whether something that only adds to the zone is there.
    fn added(&self, is_there: impl Fn(&View) -> bool, known: impl Fn(&View) -> bool) -> StepState {
        if let Some(gap) = self.not_known(&known) {
            return StepState::Refused(vec![gap]);
        }
        if self.standing.views().all(&is_there) {
            return StepState::Done;
        }
        if self.standing.authoritative.iter().all(&is_there) {
            let behind = self.standing.resolvers.iter().filter(|view| !is_there(view));
            let what = behind.map(|view| format!("{} still has the old answer", view.by)).collect();
            return StepState::Waits { what, until: None };
        }
        if self.formal.is_empty() { StepState::May } else { StepState::Refused(self.formal.clone()) }
    }

    fn dmarc_enforces(&self) -> bool {
        let enforces = |view: &View| match &view.dmarc {
            Seen::Known { value, .. } => value.enforces(),
            Seen::Absent { .. } => false,
            // What is not known may be so.
            Seen::Unknown(_) => true,
        };
        self.standing.views().any(enforces)
    }

    /// The servers of which something is not known. None when all were asked.
    pub(super) fn not_known(&self, known: impl Fn(&View) -> bool) -> Option<Gap> {
        let mut which: Vec<String> = self.standing.authoritative_unknown.clone();
        which.extend(self.standing.views().filter(|view| !known(view)).map(|view| view.by.to_string()));
        if self.standing.authoritative.is_empty() && which.is_empty() {
            which.push("no server of the zone".to_owned());
        }
        (!which.is_empty()).then(|| Gap::of(GapKind::NotKnown, which))
    }

    /// What the servers say of a subject, as a line.
    pub(super) fn said(&self, subject: Subject) -> String {
        let mut texts: Vec<String> = Vec::new();
        // The zone's own servers first: a resolver may have what was.
        for view in self.standing.authoritative.iter().chain(&self.standing.resolvers) {
            let text = view.says(subject).unwrap_or_else(|_| "not known".to_owned());
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts.join(" / ")
    }
}

/// What the record is to become, and why it may not.
fn spf_changed(standing: &Standing, spf: &Spf, wanted: &[String]) -> (String, Option<StepState>) {
    let to = spf.with(wanted).unwrap_or_default();
    let (mut lookups, mut unknown) = (0, Vec::new());
    for term in Spf::parse(&[to.clone().into_bytes()]).iter().flat_map(Spf::terms).filter(|term| term.looks_up()) {
        lookups += 1;
        let Some(domain) = term.leads_to() else { continue };
        match standing.spf_costs.iter().find(|cost| cost.domain == domain).map(|cost| &cost.lookups) {
            Some(Ok(more)) => lookups += more,
            Some(Err(why)) => unknown.push(format!("the SPF record of {domain}: {why}")),
            None => unknown.push(format!("the SPF record of {domain} was not looked at")),
        }
    }
    let gap = if lookups > SPF_LOOKUPS_MAX {
        Some(Gap::of(GapKind::SpfTooLong, vec![format!("{lookups} or more")]))
    } else {
        (!unknown.is_empty()).then(|| Gap::of(GapKind::NotKnown, unknown))
    };
    (to, gap.map(|gap| StepState::Refused(vec![gap])))
}
