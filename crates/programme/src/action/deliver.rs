//! Deliverables: one side hands over, another accepts; and documents, packages.

use jiff::civil::Date;

use super::{Case, Decided, Refusal};
use crate::data::{DeliverableOfProfile, Side};
use crate::readiness::{package_of, parts};
use crate::record::{Change, Evidence, Verdict};
use crate::rule::Rule;
use crate::scope::side_name;

impl Case<'_> {
    fn deliverable(&self, id: &str) -> Result<(&DeliverableOfProfile, Side), Refusal> {
        let scope = self.scope()?;
        let known = scope.deliverable(id).ok_or_else(|| self.unknown("deliverable", id))?;
        Ok((known, scope.answers(known.side)))
    }

    pub(super) fn set_due(&self, deliverable: String, due: Date) -> Decided {
        self.deliverable(&deliverable)?;
        Ok(vec![Change::DeliverableDue { deliverable, due }])
    }

    pub(super) fn deliver(&self, deliverable: String, note: String) -> Decided {
        let (known, side) = self.deliverable(&deliverable)?;
        if !self.stands_on(side) {
            let what = format!("{} is handed over by the {}", known.title, side_name(side));
            return Err(self.refuse_at(Rule::OwnSide, &deliverable, what, "Let somebody of that side do it."));
        }
        if let Some(id) = &known.package {
            let scope = self.scope()?;
            let Some(package) = package_of(&scope, id) else { return Err(self.unknown("package", id)) };
            // Each time: what was complete once may not be by now.
            let parts = parts(&scope, self.facts, package, self.now.today);
            let missing: Vec<_> = parts.into_iter().filter(|part| !part.is_met).collect();
            let is_submitted = self.record.packages.contains_key(id);
            if !is_submitted || !missing.is_empty() {
                let what = if is_submitted { "is not complete any more" } else { "is not submitted" };
                let what = format!("{} {what}", package.title);
                let refusal = self.refuse_at(Rule::PackageParts, &deliverable, what, "Submit it, with all its parts.");
                return Err(refusal.with_open(missing));
            }
        }
        let record = self.record.deliverables.get(&deliverable);
        let versions = record.map(|record| record.versions.as_slice()).unwrap_or_default();
        let accepted = versions.iter().flat_map(|version| &version.answers);
        if accepted.into_iter().any(|word| word.said.who == self.doer.name) {
            let what = format!("{} said whether a version of it is accepted", self.doer.name);
            return Err(self.refuse_at(Rule::BothSides, &deliverable, what, "Let somebody else hand it over."));
        }
        let version = u32::try_from(versions.len()).unwrap_or(u32::MAX).saturating_add(1);
        Ok(vec![Change::Delivered { deliverable, version, side, note }])
    }

    pub(super) fn accept(&self, deliverable: String, verdict: Verdict, note: String) -> Decided {
        let scope = self.scope()?;
        let (known, _) = self.deliverable(&deliverable)?;
        let record = self.record.deliverables.get(&deliverable);
        let Some((record, version)) = record.and_then(|record| Some((record, record.current()?))) else {
            return Err(self.refuse_at(Rule::NotNow, &deliverable, "it is not handed over yet", "Hand it over first."));
        };
        let held: Vec<&String> = known.accepted_by.iter().filter(|role| self.doer.roles.contains(*role)).collect();
        if held.is_empty() {
            let what = format!("{} holds no role that accepts it", self.doer.name);
            let advice = format!("It is accepted by: {}.", known.accepted_by.join(", "));
            return Err(self.refuse_at(Rule::RightRole, &deliverable, what, &advice));
        }
        self.stands_on_one_side(&deliverable)?;
        if record.deliverers().any(|deliverer| deliverer == self.doer.name) {
            let what = format!("{} handed a version of it over", self.doer.name);
            return Err(self.refuse_at(Rule::BothSides, &deliverable, what, "Let somebody else accept it."));
        }
        let is_other = |role: &str| scope.side_of_role(role).is_some_and(|side| side != version.side);
        let several = scope.parties().len() > 1;
        let role = held.iter().find(|role| is_other(role)).or(held.first().filter(|_| !several));
        let Some(role) = role else {
            let what =
                format!("{} stands on the side that handed it over, the {}", self.doer.name, side_name(version.side));
            return Err(self.refuse_at(Rule::BothSides, &deliverable, what, "Let somebody of another side accept it."));
        };
        if verdict == Verdict::No {
            self.needed(&note, "why it is not accepted")?;
        }
        let (version, role) = (version.version, (*role).clone());
        Ok(vec![Change::Accepted { deliverable, version, role, verdict, note }])
    }

    pub(super) fn record_document(&self, document: String, is_draft: bool, files: Vec<Evidence>) -> Decided {
        self.needed(&document, "which document")?;
        if files.is_empty() {
            return Err(self.refuse_at(Rule::Incomplete, &document, "the document has no file", "Make it first."));
        }
        for file in &files {
            self.right_evidence(file)?;
        }
        let before = self.record.documents.get(&document).map_or(0, Vec::len);
        let version = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
        Ok(vec![Change::DocumentMade { document, version, is_draft, files }])
    }

    pub(super) fn submit_package(&self, package: &str) -> Decided {
        let scope = self.scope()?;
        let Some(known) = package_of(&scope, package) else { return Err(self.unknown("package", package)) };
        let parts = parts(&scope, self.facts, known, self.now.today);
        let (met, missing): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.is_met);
        if !missing.is_empty() {
            let titles: Vec<_> = missing.iter().map(|part| part.title.as_str()).collect();
            let what = format!("{} is not complete; missing: {}", known.title, titles.join("; "));
            let refusal = self.refuse_at(Rule::PackageParts, package, what, "Complete it first.");
            return Err(refusal.with_open(missing));
        }
        let parts = met.into_iter().map(|part| (part.criterion, part.by)).collect();
        Ok(vec![Change::PackageSubmitted { package: package.to_owned(), parts }])
    }
}
