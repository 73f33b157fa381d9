//! The programme of a migration: what each stage needs, who owns which task, which evidence closes it, and which gate
//! stands before what.
//!
//! All of it is data of a profile ([`Programme`], R-001, R-250): this crate knows stages, tasks, evidence, gates, roles
//! and deadlines, and not one word of any platform. It is pure: what happened stands in a record, the day and the facts
//! that the system knows are passed in, and what comes out is a decision with its reasons.
//!
//! ```text
//! Action ──► decide ──► Changes ──► Record        Record + Facts ──► assess: what a gate still lacks
//!             or Refusal            (appended)                    ──► allows: may this be done live?
//! ```

mod action;
mod appraisal;
mod calendar;
mod catalogue;
mod data;
mod deliverables;
mod desk;
mod gate;
mod names;
mod page;
mod pilot;
mod pipeline;
mod read;
mod readiness;
mod record;
mod register;
mod rule;
mod scope;
mod shipped;
pub mod sizing;
mod validate;

pub use action::{Action, Doer, ImportedRow, Moment, PilotAnswer, Refusal, decide};
pub use appraisal::{Appraisal, Silent, Spoke, appraise};
pub use calendar::{Calendar, ChangeLead, Deadline, DeadlineError, Deadlines, Milestones, constant, days_between};
pub use catalogue::{
    OrderLine, Orders, PriceLine, Quote, QuoteError, QuoteLine, Wish, orders, price_on, prices, quote,
};
pub use data::*;
pub use deliverables::{DeliverableRow, DeliverableState, deliverables, lessons_offered};
pub use desk::{CategorySeen, DeskError, DeskPlan, DeskSeen, DeskWeek, KnownIssue, WeekSeen, desk_seen, forecast};
pub use gate::{
    Allowance, Assessment, BUILT_IN, Fact, Facts, Item, Live, allows, allows_books, allows_update, assess, assess_next,
    registrations,
};
pub use names::*;
pub use page::{page, page_of};
pub use pilot::{PilotLine, PilotState, leave_of, leaver_of, pilot};
pub use pipeline::{PipelineRow, demand, pipeline, pipeline_row};
pub use read::{Mistake, Mistakes, Source};
pub use readiness::{
    Gap, OpenTask, ResponseTimes, RoundTime, StatusRow, gaps, missing_parts, pre_requisites_open, response_times,
    rounds, status, unfilled_roles,
};
pub use record::*;
pub use register::{
    ExportedLesson, Holds, QuestionTime, Register, RegisterState, RowField, export_lessons, missed, questions,
    state_of, states, unresolved, without_names,
};
pub use rule::Rule;
pub use scope::{Scope, Task, TaskState, side_name, type_named};
pub use sizing::{Advice, Sizing, advice, sizing};
