//! What happens in a project, one change each: appended to its record, never altered, never taken away.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::data::Side;
use crate::register::Register;

/// The version in which changes are written. One that is higher can't be read by this program.
pub const VERSION: u32 = 1;

/// A change as it is stored: with the version it is written in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The version it is written in.
    pub version: u32,
    /// The change. It stands apart, since changes have fields called `version` too.
    pub change: Change,
}

impl Change {
    /// As it is stored.
    pub fn to_stored(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Stored { version: VERSION, change: self.clone() })
    }

    /// As it was stored. One of a later version is refused: it would be understood wrongly.
    pub fn from_stored(text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        // What a later version writes may not be readable as anything else.
        let read = match serde_json::from_str::<Stored>(text) {
            Ok(stored) if stored.version <= VERSION => return Ok(stored.change),
            Ok(stored) => Ok(stored.version),
            Err(error) => Err(error),
        };
        let version = serde_json::from_str::<Versioned>(text)?.version;
        if version > VERSION {
            return Err(serde::de::Error::custom(format!(
                "a change of version {version} can't be read by this program, which knows version {VERSION}: use a newer one"
            )));
        }
        Err(read.err().unwrap_or_else(|| serde::de::Error::custom("the change can't be read")))
    }

    /// Its name, as it is stored.
    pub fn kind(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned()
    }
}

/// A change with its place in the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number in the record, from 1.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// What it was.
    pub change: Change,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Yes: go, approved, accepted.
    Yes,
    /// No; it stands until there is a yes.
    No,
}

/// How sure a number of accounts is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sureness {
    /// Given at intake.
    Draft,
    /// Confirmed after reconciliation.
    Confirmed,
}

/// What a piece of evidence is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A task, by its id.
    Task(String),
    /// A deliverable, by its id.
    Deliverable(String),
    /// A criterion, by its id.
    Criterion(String),
    /// A gate, by its id.
    Gate(String),
    /// A decision, by its name.
    Decision(String),
    /// A form, by its id.
    Form(String),
    /// A row of a register, by its id.
    Row(String),
    /// A person of the pilot, by address.
    Pilot(String),
    /// The project as a whole.
    Project,
}

/// A piece of evidence. Its bytes are kept elsewhere, under their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evidence {
    /// What it is called, for example the file's name.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// What it shows.
    pub note: String,
}

/// A task that a project adds to those of the profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OwnTask {
    /// What is to be done.
    pub title: String,
    /// The stage it belongs to.
    pub stage: String,
    /// The workstream.
    pub workstream: String,
    /// Who answers for it.
    pub sides: Vec<Side>,
    /// Is a piece of evidence needed before it counts as done?
    pub needs_evidence: bool,
}

/// How one thing that a task asks about came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It passed, or was decided.
    Passed,
    /// It did not pass.
    Failed,
    /// It doesn't apply here, for a reason that is said.
    NotApplicable,
}

/// A task as a snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskLine {
    /// The task.
    pub task: String,
    /// Its state then.
    pub state: String,
    /// Its owner then.
    pub owner: Option<String>,
    /// Its forecast then.
    pub forecast: Option<Date>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Change {
    /// The project began.
    Opened {
        /// The organisation's code.
        code: String,
        /// Its name.
        name: String,
        /// Was it under way before, without a record?
        is_adopted: bool,
    },
    /// By which profile and edition the record is read from here on: where nobody had said it, or it is another.
    ProfileNamed {
        /// Which, as `NAME@EDITION`.
        profile: String,
    },
    /// The options appraisal spoke.
    Appraised {
        /// The type it recommends, if it recommends one.
        recommends: Option<String>,
        /// The rules that spoke.
        rules: Vec<String>,
    },
    /// The type of the project was chosen.
    TypeChosen {
        /// The type.
        project_type: String,
        /// What was recommended.
        recommended: Option<String>,
        /// Is it another than what was recommended, or than before?
        is_override: bool,
        /// Who decided it.
        by: Option<String>,
        /// Why.
        why: Option<String>,
    },
    /// A field of a form was filled in. An empty value takes the answer back.
    Answered {
        /// The form.
        form: String,
        /// The field.
        field: String,
        /// The answer.
        value: String,
    },
    /// The number of accounts was given.
    NumbersGiven {
        /// How sure it is.
        sureness: Sureness,
        /// People who have an account on the target.
        existing: u64,
        /// People who need one.
        new: u64,
    },
    /// New accounts per month, as the organisation plans them.
    MonthsPlanned {
        /// By month, `2026-11`.
        accounts: BTreeMap<String, u64>,
    },
    /// A date was given.
    DateSet {
        /// Which, by name or by the id of the stage that begins on it.
        name: String,
        /// The day.
        day: Date,
        /// Was it agreed by both sides?
        is_agreed: bool,
        /// Why.
        why: Option<String>,
    },
    /// Another side was told of something at once.
    Told {
        /// The side.
        side: Side,
        /// The row that it is about.
        row: String,
        /// What it was told.
        text: String,
    },
    /// The length of a stage was changed.
    StageLengthSet {
        /// The stage.
        stage: String,
        /// Its length.
        working_days: u32,
        /// Why.
        why: String,
    },
    /// The project was given up.
    Cancelled {
        /// Why.
        why: String,
    },
    /// The project is over: its last gate was passed.
    Closed {
        /// What is to be said of it.
        note: String,
    },
    /// Somebody was given a role.
    RoleGiven {
        /// Who, as sign-ins know them.
        person: String,
        /// Their name.
        title: String,
        /// The role.
        role: String,
        /// How to reach them.
        contact: Option<String>,
    },
    /// A role was taken from somebody.
    RoleTaken {
        /// Who.
        person: String,
        /// The role.
        role: String,
        /// Why.
        why: String,
    },
    /// A task was given an owner, a forecast or both.
    TaskAssigned {
        /// The task.
        task: String,
        /// Its owner from now on.
        owner: Option<String>,
        /// When it will be done.
        forecast: Option<Date>,
    },
    /// A task was added to those of the profile.
    TaskAdded {
        /// Its id.
        task: String,
        /// What it is.
        own: OwnTask,
    },
    /// A task was given other words or another day.
    TaskEdited {
        /// The task.
        task: String,
        /// What is to be done, from now on.
        title: Option<String>,
        /// When it is due, from now on.
        due: Option<Date>,
        /// Why.
        why: String,
    },
    /// The project does without a task.
    TaskDropped {
        /// The task.
        task: String,
        /// Why.
        why: String,
    },
    /// One thing that a task asks about has a result.
    ItemAnswered {
        /// The task.
        task: String,
        /// The thing.
        item: String,
        /// How it came out.
        outcome: Outcome,
        /// What was seen.
        text: String,
    },
    /// The system looked for itself.
    TaskChecked {
        /// The task.
        task: String,
        /// Is it met?
        is_met: bool,
        /// What was seen.
        text: String,
        /// What offends.
        offenders: Vec<String>,
    },
    /// A task was submitted for validation.
    TaskSubmitted {
        /// The task.
        task: String,
        /// Which round, from 1.
        round: u32,
        /// What is to be said of it.
        note: String,
    },
    /// A submission was validated, or sent back.
    TaskValidated {
        /// The task.
        task: String,
        /// Which round.
        round: u32,
        /// Is it as it should be?
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// People were named for the pilot, by address.
    PilotNamed {
        /// Who.
        people: Vec<String>,
    },
    /// Somebody is not of the pilot any more; what they checked stays.
    PilotLeft {
        /// Who.
        person: String,
        /// Why.
        why: String,
    },
    /// A person of the pilot checked one of the things that the profile asks about.
    PilotChecked {
        /// Who.
        person: String,
        /// The thing.
        item: String,
        /// How it came out.
        outcome: Outcome,
        /// What was seen.
        text: String,
    },
    /// A side said that a task is done.
    TaskDone {
        /// The task.
        task: String,
        /// The side.
        side: Side,
    },
    /// A task is to be done again.
    TaskReopened {
        /// The task.
        task: String,
        /// Why.
        why: String,
    },
    /// A piece of evidence was given.
    EvidenceGiven {
        /// What it is about.
        on: Subject,
        /// What it is.
        evidence: Evidence,
    },
    /// A piece of evidence no longer counts; it stays.
    EvidenceWithdrawn {
        /// What it was about.
        on: Subject,
        /// Its digest.
        digest: String,
        /// Why.
        why: String,
    },
    /// A deliverable was given a day.
    DeliverableDue {
        /// The deliverable.
        deliverable: String,
        /// The day.
        due: Date,
    },
    /// A deliverable was handed over.
    Delivered {
        /// The deliverable.
        deliverable: String,
        /// Which version of it, from 1.
        version: u32,
        /// The side that handed it over.
        side: Side,
        /// What is to be said of it.
        note: String,
    },
    /// A deliverable was accepted, or not.
    Accepted {
        /// The deliverable.
        deliverable: String,
        /// Which version of it.
        version: u32,
        /// The role in which it was.
        role: String,
        /// Accepted?
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// Somebody signed, in a role.
    SignedOff {
        /// The criterion it is for.
        criterion: String,
        /// The role.
        role: String,
        /// Yes or no.
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// A side said yes or no.
    SideSaid {
        /// The criterion it is for.
        criterion: String,
        /// The side.
        side: Side,
        /// Yes or no.
        verdict: Verdict,
        /// What is to be said of it.
        note: String,
    },
    /// Something was decided.
    Decided {
        /// What, by name.
        decision: String,
        /// Yes, or no.
        verdict: Verdict,
        /// What was decided.
        outcome: String,
        /// Who decided it: a person, a board, a letter's writer.
        by: String,
        /// Why.
        why: String,
        /// The role in which it was recorded, where the profile says who may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
    },
    /// Somebody asked for a gate.
    GateAsked {
        /// The gate.
        gate: String,
        /// What is to be said of it.
        note: String,
    },
    /// What was asked for is no longer wanted.
    GateUnasked {
        /// The gate.
        gate: String,
        /// Why.
        why: String,
    },
    /// A gate was passed.
    GatePassed {
        /// The gate.
        gate: String,
        /// The role in which it was.
        role: String,
        /// What each criterion was met by.
        met_by: BTreeMap<String, String>,
    },
    /// A stage was entered.
    StageEntered {
        /// The stage.
        stage: String,
    },
    /// The last stage was left.
    StagesEnded {},
    /// A row was written into a register.
    RowAdded {
        /// Its id.
        row: String,
        /// The register.
        register: Register,
        /// Its fields.
        fields: BTreeMap<String, String>,
    },
    /// Fields of a row were changed.
    RowChanged {
        /// The row.
        row: String,
        /// The fields, each as it is from now on.
        fields: BTreeMap<String, String>,
    },
    /// A row is settled: resolved, approved, answered, held.
    RowSettled {
        /// The row.
        row: String,
        /// Approved, resolved; or not.
        verdict: Verdict,
        /// How.
        text: String,
    },
    /// A row no longer counts; it stays.
    RowWithdrawn {
        /// The row.
        row: String,
        /// Why.
        why: String,
    },
    /// Somebody looked through a register and found it as it should be.
    RegisterReviewed {
        /// The register.
        register: Register,
    },
    /// The checklist as it was after a call.
    SnapshotTaken {
        /// The day.
        day: Date,
        /// The row of the call, if there was one.
        call: Option<String>,
        /// Every task.
        tasks: Vec<TaskLine>,
    },
    /// A document was made of the record. Earlier versions of it are superseded.
    DocumentMade {
        /// Which document.
        document: String,
        /// Which version of it, from 1.
        version: u32,
        /// Is it a draft?
        is_draft: bool,
        /// Its files.
        files: Vec<Evidence>,
    },
    /// A package, as that of the request for change, was submitted with all its parts.
    PackageSubmitted {
        /// Which package.
        package: String,
        /// Its parts, each with what it is.
        parts: BTreeMap<String, String>,
    },
}
