//! The rules that a governed project holds, each with a name that refusals carry and the requirement it comes from.

use serde::Serialize;

/// A rule of a governed project. What a gate asks is data and has names of its own: those of its criteria.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A name that the profile or the record doesn't have.
    Unknown,
    /// A mandatory word is missing, or is not what is asked for.
    Incomplete,
    /// The project is not in a state in which this can be.
    NotNow,
    /// A task is done by the sides that answer for it.
    OwnSide,
    /// Nobody stands on both sides of an approval.
    BothSides,
    /// Only who holds the role may say it.
    RightRole,
    /// A task that asks for evidence has some.
    EvidenceNeeded,
    /// A task that asks for results has one of each.
    ResultsNeeded,
    /// The system's own check of a task is met.
    CheckMet,
    /// A workshop ends with an owner and a forecast for each task.
    WorkshopGaps,
    /// A gate is passed when nothing of it is open.
    GateOpen,
    /// Stages follow each other through their gates.
    StageOrder,
    /// A recommendation is overridden by somebody, with a reason.
    OverrideReason,
    /// Tasks and lengths are changed only where the type of the project lets its organisation.
    NotEditable,
    /// A request for change is submitted with all its parts.
    PackageParts,
    /// A live action has its stage.
    StageAllows,
    /// A no stands until there is a yes.
    StandingNo,
    /// Accounts are made within what is approved.
    RegistrationLimit,
    /// An application that isn't resolved stands before a cutover.
    ApplicationsResolved,
    /// So many people of all are of the pilot as is usual, whenever mail of the pilot is copied or its people are switched.
    PilotShare,
    /// Nobody checks what is not there yet.
    CopyFirst,
    /// Who leaves the pilot with something open leaves it by a decision.
    LeaveDecided,
    /// Old servers stay as long as mail goes by them.
    OldServersNeeded,
    /// A change of the plan says which, from where and to where.
    ChangeNotice,
    /// Nobody names themselves, and a side's people are named by that side.
    SelfNaming,
}

impl Rule {
    /// Every rule.
    pub const EVERY: [Self; 25] = [
        Self::Unknown,
        Self::Incomplete,
        Self::NotNow,
        Self::OwnSide,
        Self::BothSides,
        Self::RightRole,
        Self::EvidenceNeeded,
        Self::ResultsNeeded,
        Self::CheckMet,
        Self::WorkshopGaps,
        Self::GateOpen,
        Self::StageOrder,
        Self::OverrideReason,
        Self::NotEditable,
        Self::PackageParts,
        Self::StageAllows,
        Self::StandingNo,
        Self::RegistrationLimit,
        Self::ApplicationsResolved,
        Self::PilotShare,
        Self::CopyFirst,
        Self::LeaveDecided,
        Self::OldServersNeeded,
        Self::ChangeNotice,
        Self::SelfNaming,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Incomplete => "incomplete",
            Self::NotNow => "not-now",
            Self::OwnSide => "own-side",
            Self::BothSides => "both-sides",
            Self::RightRole => "right-role",
            Self::EvidenceNeeded => "evidence-needed",
            Self::ResultsNeeded => "results-needed",
            Self::CheckMet => "check-met",
            Self::WorkshopGaps => "workshop-gaps",
            Self::GateOpen => "gate-open",
            Self::StageOrder => "stage-order",
            Self::OverrideReason => "override-reason",
            Self::NotEditable => "not-editable",
            Self::PackageParts => "package-parts",
            Self::StageAllows => "stage-allows",
            Self::StandingNo => "standing-no",
            Self::RegistrationLimit => "registration-limit",
            Self::ApplicationsResolved => "applications-resolved",
            Self::PilotShare => "pilot-share",
            Self::CopyFirst => "copy-first",
            Self::LeaveDecided => "leave-decided",
            Self::OldServersNeeded => "old-servers-needed",
            Self::ChangeNotice => "change-notice",
            Self::SelfNaming => "self-naming",
        }
    }

    /// The requirement that it comes from, where one says it.
    pub fn requirement(self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::NotNow => None,
            Self::Incomplete => Some("R-011"),
            Self::OwnSide => Some("R-273"),
            Self::BothSides | Self::RightRole | Self::SelfNaming => Some("R-274"),
            Self::EvidenceNeeded => Some("R-087"),
            Self::ResultsNeeded => Some("R-099"),
            Self::CheckMet => Some("R-090"),
            Self::WorkshopGaps => Some("R-095"),
            Self::GateOpen => Some("R-261"),
            Self::StageOrder | Self::StageAllows => Some("R-250"),
            Self::OverrideReason => Some("R-021"),
            Self::NotEditable => Some("R-271"),
            Self::PackageParts => Some("R-124"),
            Self::StandingNo => Some("R-125"),
            Self::RegistrationLimit => Some("R-062"),
            Self::ApplicationsResolved => Some("R-028"),
            Self::PilotShare | Self::CopyFirst | Self::LeaveDecided => Some("R-146"),
            Self::OldServersNeeded => Some("R-247"),
            Self::ChangeNotice => Some("R-128"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Rule::EVERY.into_iter().map(Rule::name).collect();
        assert_eq!(names.len(), Rule::EVERY.len());
        for rule in Rule::EVERY {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
    }
}
