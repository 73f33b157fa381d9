//! The programme of one profile, as its files in `profiles/NAME/programme/` hold it.
//!
//! Every list is a table of rows with an `id`; rows name each other by it. What can't be said so is a mistake of the
//! profile that is told with file and line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which side of a project somebody stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Whose mailboxes move.
    Organisation,
    /// Who runs the migration, or helps with it.
    Provider,
    /// Who answers for the platform and says whether something may happen there.
    Authority,
    /// A supplier of the organisation, who runs the project in its place.
    Supplier,
}

/// Everything that a profile says of a programme.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Programme {
    /// Numbers: days, shares, limits, by name. Each is documented where it stands.
    pub constants: BTreeMap<String, Constant>,
    /// The kinds of project.
    pub types: Vec<ProjectType>,
    /// The stages of all tracks, in the order of each track.
    pub stages: Vec<Stage>,
    /// What the sides do in each week of a stage.
    pub weeks: Vec<Week>,
    /// The roles that people of a project hold.
    pub roles: Vec<RoleOfProject>,
    /// Which roles a stage should have filled.
    pub staffing: Vec<Staffing>,
    /// Who answers for what.
    pub responsibilities: Vec<Responsibility>,
    /// Tasks of the checklist.
    pub tasks: Vec<TaskOfProfile>,
    /// What is handed over, signed, agreed or made.
    pub deliverables: Vec<DeliverableOfProfile>,
    /// The gates between stages.
    pub gates: Vec<Gate>,
    /// What a gate asks.
    pub criteria: Vec<Criterion>,
    /// Other ways of looking at the same items.
    pub views: Vec<View>,
    /// Agendas, topics, categories and other lists.
    pub lists: Vec<List>,
    /// What people of the pilot check, in the order of the list `pilot-checks`.
    pub pilot_checks: Vec<PilotCheck>,
    /// What may be decided where the system sees something else or nothing, and by whom.
    pub decisions: Vec<DecisionOfProfile>,
    /// Lessons of earlier projects, each offered at its stage.
    pub lessons: Vec<Lesson>,
    /// What can be ordered, with dated prices.
    pub catalogue: Vec<CatalogueItem>,
    /// The rules of the options appraisal.
    pub appraisal: Vec<AppraisalRule>,
    /// The forms that are filled in: intent, discovery questionnaire.
    pub forms: Vec<Form>,
    /// What is submitted as a whole, with all its parts or not at all.
    pub packages: Vec<Package>,
    /// Days on which nobody works, besides Saturday and Sunday.
    pub holidays: Vec<Holiday>,
}

/// A number of the profile, with its unit and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The number.
    pub value: u64,
    /// Its unit: one of [`crate::UNITS`].
    pub unit: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// Where it comes from: a requirement, a ruling, a document.
    pub from: String,
}

/// A kind of project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProjectType {
    /// Its id, for example `managed`.
    pub id: String,
    /// Other names that mean the same.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its name for people.
    pub title: String,
    /// Its stages, in order.
    pub stages: Vec<String>,
    /// The sides that take part in it.
    pub sides: Vec<Side>,
    /// Which side does what a row of this profile says another does: in a project that the organisation runs itself,
    /// what is the provider's falls to the organisation. Of a side that takes part only its tasks fall to another: it still
    /// speaks, hands over and validates itself.
    #[serde(default)]
    pub stands_in: BTreeMap<Side, Side>,
    /// Who has to say go.
    pub go: Vec<Side>,
    /// Who owns a risk that nobody else does.
    pub risks: Side,
    /// May tasks and lengths be changed by the organisation?
    #[serde(default)]
    pub is_editable: bool,
    /// Is there a subset of people whose tasks are the provider's?
    #[serde(default)]
    pub has_vip_service: bool,
    /// Are calendars and free/busy shared while people are on both sides?
    #[serde(default)]
    pub coexists: bool,
    /// How many accounts may be made and when, the steps in order: one counts when its criterion and those before it are met,
    /// now or when a gate was passed with them. Where there are none, all that the project needs.
    #[serde(default)]
    pub registrations: Vec<Registration>,
}

/// A step of the number of accounts that may be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registration {
    /// The criterion that releases it.
    pub after: String,
    /// Whose accounts it releases.
    pub whose: Whose,
    /// The constant that it never exceeds.
    #[serde(default)]
    pub at_most: Option<String>,
}

/// Whose accounts may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// Those of the pilot.
    Pilot,
    /// Those of the waves that are released.
    Waves,
    /// All that the project needs.
    All,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stage {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// How long it is, in calendar weeks; neither this nor `working_days` where it is open.
    #[serde(default)]
    pub weeks: Option<u32>,
    /// How long it is, in working days.
    #[serde(default)]
    pub working_days: Option<u32>,
    /// Said of its length: "by users and approach".
    #[serde(default)]
    pub length: Option<String>,
    /// The weeks of the deployment that it is, as a person counts them: `1-2`.
    #[serde(default)]
    pub deployment_weeks: Option<String>,
    /// What it is for.
    pub objectives: Vec<String>,
    /// Criteria without which it is not entered.
    #[serde(default)]
    pub entry: Vec<String>,
    /// Criteria without which it is not left.
    #[serde(default)]
    pub exit: Vec<String>,
    /// What may be done live while the project is in it, by the names of [`crate::Live`].
    #[serde(default)]
    pub allows: Vec<String>,
}

/// A week of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Week {
    /// The stage.
    pub stage: String,
    /// Which week of it, from 1; 0 is every week.
    pub week: u32,
    /// What the organisation does.
    pub organisation: Vec<String>,
    /// What the provider does.
    pub provider: Vec<String>,
    /// What there is at its end: ids of deliverables.
    #[serde(default)]
    pub deliverables: Vec<String>,
}

/// A role of the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RoleOfProject {
    /// Its id, for example `project-manager`.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Whose it is.
    pub side: Side,
    /// Must it be filled?
    #[serde(default)]
    pub is_key: bool,
}

/// The roles that a stage should have filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Staffing {
    /// The stages.
    pub stages: Vec<String>,
    /// The roles.
    pub roles: Vec<String>,
}

/// A row of the responsibility matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Responsibility {
    /// The part it stands under.
    pub part: String,
    /// The task of the profile that it is.
    pub task: String,
    /// Who answers for it: with more than one, each has to say that it is done.
    pub sides: Vec<Side>,
}

/// A task of the checklist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TaskOfProfile {
    /// Its id.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// The kinds of project that have it; all where it is empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// The stages it belongs to, the one of the project's track counts.
    pub stages: Vec<String>,
    /// The workstream: a line of the list `workstreams`.
    pub workstream: String,
    /// Who answers for it: with more than one, each has to say that it is done. The responsibility matrix says the same.
    pub sides: Vec<Side>,
    /// The role that usually has it.
    #[serde(default)]
    pub role: Option<String>,
    /// The check of the system that does it and writes its result as evidence.
    #[serde(default)]
    pub check: Option<String>,
    /// Is it part of the pre-requisites, all of which are signed off before deployment?
    #[serde(default)]
    pub is_prerequisite: bool,
    /// Can a project do without it, with a reason?
    #[serde(default)]
    pub is_optional: bool,
    /// Is a piece of evidence needed before it counts as done?
    #[serde(default)]
    pub needs_evidence: bool,
    /// Results that are asked for, one each: topics, tests.
    #[serde(default)]
    pub items: Vec<String>,
    /// Is it for the subset of people whom the provider serves itself? Only kinds of project with such a subset
    /// have it, and there it stays the provider's.
    #[serde(default)]
    pub is_for_vips: bool,
    /// Days from the beginning of the stage until it is due; the end of the stage where it says nothing.
    #[serde(default)]
    pub due_days: Option<i32>,
    /// Requirements that it meets.
    #[serde(default)]
    pub requirements: Vec<String>,
}

/// What is handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeliverableOfProfile {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// The kinds of project that have it; all where it is empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// The stage in which it is due.
    pub stages: Vec<String>,
    /// Who hands it over.
    pub side: Side,
    /// The roles of which one accepts it; nobody of the side that hands it over, where more sides than one take part.
    pub accepted_by: Vec<String>,
    /// Is it part of the contract, and so listed in the service readiness document?
    #[serde(default)]
    pub is_contractual: bool,
    /// The package that is submitted, with all its parts, before it is handed over.
    #[serde(default)]
    pub package: Option<String>,
    /// The document that this program makes of the record, if it is one.
    #[serde(default)]
    pub document: Option<String>,
    /// Requirements that it meets.
    #[serde(default)]
    pub requirements: Vec<String>,
}

/// A gate between two stages of a track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gate {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// The kinds of project that have it.
    pub types: Vec<String>,
    /// The stage that is left, none at the beginning.
    #[serde(default)]
    pub leaves: Option<String>,
    /// The stage that is entered, none at the end.
    #[serde(default)]
    pub enters: Option<String>,
    /// Criteria besides the exit criteria of the one stage and the entry criteria of the other.
    #[serde(default)]
    pub criteria: Vec<String>,
    /// The roles of which one passes it. Who asked for it can't.
    pub passed_by: Vec<String>,
}

/// What a gate asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Criterion {
    /// Its id, named by refusals.
    pub id: String,
    /// What must be so.
    pub title: String,
    /// What makes it so.
    #[serde(flatten)]
    pub met_by: MetBy,
    /// The kinds of project in which it counts; all where it is empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// The role that answers for it.
    pub owner: String,
    /// What would close it, said to its owner.
    pub closes: String,
    /// Requirements that it meets.
    #[serde(default)]
    pub requirements: Vec<String>,
}

/// What makes a criterion so: exactly one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetBy {
    /// A fact that the system itself knows, by its name.
    Fact(String),
    /// A deliverable that was accepted.
    Deliverable(String),
    /// A task that is done.
    Task(String),
    /// All pre-requisites of the project are done, and a person in this role signed them off.
    Prerequisites(String),
    /// Each of these roles has a named holder.
    Filled(Vec<String>),
    /// A sign-off in one of these roles, of each of which one person signs.
    SignedBy(Vec<String>),
    /// A field of a form or of the project that is filled in: `form.field`.
    Field(String),
    /// A form that is complete.
    Form(String),
    /// A decision of this name that was recorded.
    Decision(String),
    /// A register that is kept: not stale, none of its rows undecided.
    Register(String),
    /// Every one of these sides said yes.
    Sides(Vec<Side>),
}

/// What is submitted as a whole: each of its parts is a criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Package {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// The kinds of project that have it; all where it is empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// Its parts: criteria, each of which is met before it is submitted.
    pub parts: Vec<String>,
}

/// Another way of looking at the same items: rows in parts, each row one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct View {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// A part of a view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Part {
    /// Its name for people.
    pub title: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A line of a view: one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Line {
    /// What it says.
    pub title: String,
    /// The criterion that it is.
    pub criterion: String,
}

/// A list: an agenda, topics, categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct List {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
}

/// What has to be there of a person before they can check something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// Their mailbox is copied.
    Copy,
    /// They are switched.
    Switch,
}

/// One of the things that people of the pilot check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PilotCheck {
    /// Its id.
    pub id: String,
    /// What is checked: a line of the list `pilot-checks`.
    pub title: String,
    /// What has to be there of a person before.
    pub after: Reached,
    /// The roles of which one says how it came out.
    pub answered_by: Vec<String>,
}

/// A decision that stands in place of what the system could see, or allows what else would not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DecisionOfProfile {
    /// Its name: of a fact, a check, or of [`crate::DECISIONS`].
    pub id: String,
    /// What it says.
    pub title: String,
    /// The kinds of project in which it may be taken; all where it is empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// The roles of which one records it.
    pub decided_by: Vec<String>,
    /// Requirements that it meets.
    #[serde(default)]
    pub requirements: Vec<String>,
}

/// A lesson of an earlier project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lesson {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// What was learned.
    pub text: String,
    /// The stages at which it is offered.
    pub stages: Vec<String>,
}

/// What can be ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CatalogueItem {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// What one of it is: `account`, `account-month`, `day`, `gigabyte`, `minute`.
    pub unit: String,
    /// Is it charged by accounts that are enabled, or by use?
    pub charged: Charged,
    /// Its prices, the oldest first; none where the price is asked for.
    #[serde(default)]
    pub prices: Vec<Price>,
}

/// How something is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Charged {
    /// By accounts enabled at a time.
    Accounts,
    /// By what was used.
    Use,
}

/// A price from a day on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Price {
    /// The first day.
    pub from: jiff::civil::Date,
    /// In thousandths of a penny, so that 1.6 p is exact.
    pub millipence: u64,
}

/// A rule of the options appraisal: if every condition holds, it speaks for a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AppraisalRule {
    /// Its id, shown with the recommendation.
    pub id: String,
    /// The type it speaks for.
    pub recommends: String,
    /// Why, for people.
    pub why: String,
    /// All of these hold.
    pub when: Vec<Condition>,
    /// Requirements that it meets.
    #[serde(default)]
    pub requirements: Vec<String>,
}

/// A condition on a field of a form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Condition {
    /// The field: `form.field`.
    pub field: String,
    /// A number above this.
    #[serde(default)]
    pub above: Option<u64>,
    /// A number of at most this.
    #[serde(default)]
    pub at_most: Option<u64>,
    /// One of these words.
    #[serde(default)]
    pub is: Option<Vec<String>>,
}

/// A form that is filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Form {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Its fields, in order.
    pub fields: Vec<Field>,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Field {
    /// Its id.
    pub id: String,
    /// What is asked.
    pub title: String,
    /// What it holds.
    pub kind: FieldKind,
    /// The words it may hold, for a choice.
    #[serde(default)]
    pub choices: Vec<String>,
    /// May it stay empty?
    #[serde(default)]
    pub is_optional: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// Words.
    Text,
    /// A whole number.
    Number,
    /// A day.
    Date,
    /// `yes` or `no`.
    YesNo,
    /// One of its choices.
    Choice,
}

/// A day on which nobody works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Holiday {
    /// The day.
    pub day: jiff::civil::Date,
    /// Its name.
    pub title: String,
}
