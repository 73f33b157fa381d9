//! `issue list` and `issue show`: as one struct each, and as documents.

use std::collections::{HashMap, HashSet};

use model::Condition;
use report::{Cell, Column, Document, Kind, Table, Weight};
use serde::Serialize;
use store::{Disposition, IssueRow, IssueState};

use super::{checked_owner, no_such, tend_issues};
use crate::usecase::collection::timestamp;
use crate::usecase::report::Heading;
use crate::usecase::report::shown::{sentence, text, text_if};
use crate::{Error, Project, Selection, when};

/// Which issues are listed; those that are not closed, when nothing is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueChoice {
    /// In this state: `open`, `in-progress`, `closed` or `all`.
    pub state: Option<String>,
    /// Of mailboxes that stand still until a person acts.
    pub parked: bool,
    /// Left for the mop-up.
    pub mop_up: bool,
    /// For this side to act: `organisation`, `provider` or `both`.
    pub owner: Option<String>,
    /// Of this type.
    pub cause: Option<String>,
}

/// The log of issues, as far as it was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct IssueList {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// The issues.
    pub issues: Vec<IssueLine>,
    /// How many are not closed, of all.
    pub not_closed: u64,
    /// How many are left for the mop-up, of all.
    pub mop_up: u64,
}

/// An issue. Times are seconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub struct IssueLine {
    /// Its number.
    pub issue: i64,
    /// The mailbox it is about, by its name at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// Its person is a VIP.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub vip: bool,
    /// The class of the failure, or a word of whoever opened it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who has to act: `organisation`, `provider` or `both`.
    pub owner: String,
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub action: String,
    /// Where it stands.
    pub state: IssueState,
    /// Its mailbox stands still until a person acts.
    pub is_parked: bool,
    /// The closed issue that has come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<i64>,
    /// Who has taken it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// How often it was seen.
    pub seen: u64,
    /// Who opened it.
    pub opened_by: String,
    /// When.
    pub opened: i64,
    /// That, for people.
    pub opened_text: String,
    /// When it last changed.
    pub changed: i64,
    /// Who closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<i64>,
    /// How it was cured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// What becomes of it, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An issue with all that was said about it.
#[derive(Clone, Debug, Serialize)]
pub struct IssueShow {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// The issue.
    #[serde(flatten)]
    pub issue: IssueLine,
    /// What was said about it, in its order.
    pub notes: Vec<IssueNoteLine>,
}

/// Something said about an issue.
#[derive(Clone, Debug, Serialize)]
pub struct IssueNoteLine {
    /// What.
    pub what: String,
    /// By whom.
    pub by: String,
    /// When (seconds since 1970).
    pub at: i64,
    /// That, for people.
    pub at_text: String,
}

impl Project {
    /// The log of issues; brought to where it should be first, where whoever asks may do more than look.
    pub async fn issues(&self, choice: &IssueChoice) -> Result<IssueList, Error> {
        let state = match choice.state.as_deref().map(str::trim) {
            None if choice.mop_up => Some(Some(IssueState::Closed)),
            None => None,
            Some("all") => Some(None),
            Some(name) => {
                let known = IssueState::from_name(&name.to_lowercase()).ok_or_else(|| {
                    let error = Error::usage(format!("{name:?} is no state of an issue"));
                    error.advise("write open, in-progress, closed or all")
                })?;
                Some(Some(known))
            }
        };
        let owner = choice.owner.as_deref().map(checked_owner).transpose()?;
        if self.actor.role.may_migrate() {
            tend_issues(self, timestamp(self.store.now().await?)).await?;
        }
        let rows = self.store.issues(self.key).await?;
        let lines = self.issue_lines(&rows).await?;
        let is_mop_up = |line: &IssueLine| line.disposition == Some(Disposition::MopUp);
        let is_not_closed = |line: &IssueLine| line.state != IssueState::Closed;
        let (not_closed, mop_up) = (
            lines.iter().filter(|line| is_not_closed(line)).count(),
            lines.iter().filter(|line| is_mop_up(line)).count(),
        );
        let is_chosen = |line: &IssueLine| {
            let in_state = match state {
                None => is_not_closed(line),
                Some(state) => state.is_none_or(|state| line.state == state),
            };
            in_state
                && (!choice.parked || line.is_parked)
                && (!choice.mop_up || is_mop_up(line))
                && owner.is_none_or(|owner| line.owner == owner)
                && choice.cause.as_ref().is_none_or(|cause| line.kind == *cause)
        };
        Ok(IssueList {
            heading: self.report_heading(&Selection::default()),
            issues: lines.into_iter().filter(is_chosen).collect(),
            not_closed: not_closed as u64,
            mop_up: mop_up as u64,
        })
    }

    /// One issue with all that was said about it.
    pub async fn issue(&self, number: i64) -> Result<IssueShow, Error> {
        let rows = self.store.issues(self.key).await?;
        let row = rows.iter().find(|row| row.issue == number).ok_or_else(|| no_such(number))?;
        let issue = self.issue_lines(std::slice::from_ref(row)).await?.remove(0);
        let zone = self.config.time_zone();
        let notes = self.store.issue_notes(self.key, number).await?.into_iter().map(|note| IssueNoteLine {
            what: note.what,
            by: note.said_by,
            at: note.at / 1000,
            at_text: when::shown(note.at, &zone),
        });
        Ok(IssueShow { heading: self.report_heading(&Selection::default()), issue, notes: notes.collect() })
    }

    async fn issue_lines(&self, rows: &[IssueRow]) -> Result<Vec<IssueLine>, Error> {
        let zone = self.config.time_zone();
        let facts = self.store.mailbox_facts(self.key).await?;
        let vips: HashSet<i64> = self.store.vips(self.key).await?.into_iter().map(|row| row.mailbox).collect();
        let mut mailboxes: HashMap<i64, (String, bool)> = HashMap::new();
        for row in self.store.mailboxes(self.key).await? {
            let is_aside = facts.get(&row.mailbox).is_some_and(|facts| facts.set_aside.is_some());
            let is_parked = is_aside || matches!(row.state.condition, Condition::Parked(_));
            mailboxes.insert(row.mailbox, (row.roster.source_name, is_parked));
        }
        let line = |row: &IssueRow| {
            let mailbox = row.is.mailbox.and_then(|number| mailboxes.get(&number));
            let (end, closed) = row.end.clone().unzip();
            IssueLine {
                issue: row.issue,
                mailbox: mailbox.map(|(name, _)| name.clone()),
                vip: row.is.mailbox.is_some_and(|number| vips.contains(&number)),
                kind: row.is.kind.clone(),
                owner: row.is.owner.clone(),
                what: row.is.what.clone(),
                action: row.is.action.clone(),
                state: row.state,
                is_parked: mailbox.is_some_and(|(_, is_parked)| *is_parked) && !row.is.is_of_items,
                follows: row.is.follows,
                assigned_to: row.assigned_to.clone(),
                seen: row.seen,
                opened_by: row.opened_by.clone(),
                opened: row.opened_at / 1000,
                opened_text: when::shown(row.opened_at, &zone),
                changed: row.changed_at / 1000,
                closed_by: end.as_ref().map(|end| end.by.clone()),
                closed: closed.map(|ms| ms / 1000),
                resolution: end.as_ref().and_then(|end| end.resolution.clone()),
                disposition: end.as_ref().and_then(|end| end.disposition),
                reason: end.and_then(|end| end.reason),
            }
        };
        Ok(rows.iter().map(line).collect())
    }
}

impl IssueLine {
    fn ended(&self) -> Option<String> {
        let by = self.closed_by.as_deref().unwrap_or_default();
        match (&self.resolution, self.disposition, &self.reason) {
            (Some(resolution), _, _) => Some(format!("{resolution} ({by})")),
            (None, Some(disposition), Some(reason)) => Some(format!("{}: {reason} ({by})", disposition.name())),
            (None, Some(disposition), None) => Some(format!("{} ({by})", disposition.name())),
            (None, None, _) => None,
        }
    }
}

impl IssueList {
    /// As a document.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Issues");
        let count = |number, what| movement::state::counted(number, what);
        if self.not_closed > 0 {
            let what = format!("{} not closed.", count(self.not_closed, "issue"));
            document.sentences.push(sentence(Weight::Attention, what));
        } else {
            document.sentences.push(sentence(Weight::Well, "No issue is open."));
        }
        if self.mop_up > 0 {
            let what = format!("{} left for the mop-up.", count(self.mop_up, "issue"));
            document.sentences.push(sentence(Weight::Attention, what));
        }
        let of_vips: Vec<&str> = self
            .issues
            .iter()
            .filter(|line| line.vip && line.state != IssueState::Closed)
            .filter_map(|line| line.mailbox.as_deref())
            .collect();
        if !of_vips.is_empty() {
            document.sentences.push(sentence(Weight::Alert, format!("Of VIPs: {}.", of_vips.join(", "))));
        }
        let row = |line: &IssueLine| {
            vec![
                text(line.issue.to_string()),
                text_if(line.mailbox.as_ref()),
                text(if line.vip { "VIP" } else { "" }),
                text(&line.kind),
                text(&line.owner),
                text(line.state.name()),
                text_if(line.assigned_to.as_ref()),
                text(&line.what),
                text(&line.action),
                Cell::Number(line.seen),
                line.follows.map_or(Cell::Empty, |number| text(number.to_string())),
                text(&line.opened_text),
                text_if(line.ended().as_ref()),
            ]
        };
        document.tables.push(Table {
            name: "issues",
            title: "Issues".to_owned(),
            columns: vec![
                Column::new("No.", Kind::Text),
                Column::if_any("Mailbox", Kind::Text),
                Column::if_any("VIP", Kind::Text),
                Column::new("Type", Kind::Text),
                Column::new("To act", Kind::Text),
                Column::new("State", Kind::Text),
                Column::if_any("In the hands of", Kind::Text),
                Column::new("What", Kind::Prose),
                Column::new("What to do", Kind::Prose),
                Column::new("Seen", Kind::Number),
                Column::if_any("After", Kind::Text),
                Column::new("Opened", Kind::Text),
                Column::if_any("Ended", Kind::Prose),
            ],
            rows: self.issues.iter().map(row).collect(),
            total: None,
            empty: "There is none like that.",
        });
        document.main = "issues";
        document
    }
}

impl IssueShow {
    /// As a document.
    pub fn document(&self) -> Document {
        let line = &self.issue;
        let mut document = self.heading.document(&format!("Issue {}", line.issue));
        document.facts.push(("Type", line.kind.clone()));
        document.facts.extend(line.mailbox.iter().map(|name| ("Mailbox", name.clone())));
        document.facts.push(("State", line.state.name().to_owned()));
        document.facts.push(("To act", line.owner.clone()));
        document.facts.extend(line.assigned_to.iter().map(|name| ("In the hands of", name.clone())));
        document.facts.push(("Opened", format!("{} by {}", line.opened_text, line.opened_by)));
        document.facts.push(("Seen", movement::state::counted(line.seen, "time")));
        document.facts.extend(line.follows.iter().map(|number| ("Comes after", format!("issue {number}"))));
        document.facts.extend(line.ended().map(|ended| ("Ended", ended)));
        let weight = if line.state == IssueState::Closed { Weight::Well } else { Weight::Attention };
        document.sentences.push(sentence(weight, line.what.clone()));
        document.sentences.push(sentence(Weight::Plain, line.action.clone()));
        let row = |note: &IssueNoteLine| vec![text(&note.at_text), text(&note.by), text(&note.what)];
        document.tables.push(Table {
            name: "notes",
            title: "What was said about it".to_owned(),
            columns: vec![
                Column::new("When", Kind::Text),
                Column::new("By", Kind::Text),
                Column::new("What", Kind::Prose),
            ],
            rows: self.notes.iter().map(row).collect(),
            total: None,
            empty: "Nothing yet.",
        });
        document.main = "notes";
        document
    }
}
