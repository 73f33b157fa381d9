//! `issue`: the log of issues. What fails opens one by itself; what people report is opened by hand; none is
//! closed without a resolution or a disposition, many are with one approval.

mod close;
mod shown;
mod tend;

use model::{Cause, Owner, Side};
use serde::Serialize;
use serde_json::json;
use store::{Disposition, IssueRow, IssueState, MailboxRow, NewIssue};

pub use self::close::{ClosedReport, Closing};
pub use self::shown::{IssueChoice, IssueLine, IssueList, IssueNoteLine, IssueShow};
pub(crate) use self::tend::tend_issues;

use crate::{Error, Project, Selection};

/// In whose name issues are opened and closed that nobody was asked about.
pub(crate) const ITSELF: &str = "whimbrel";

/// An issue that somebody reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// A word for what it is: of a cause, or one of your own.
    pub kind: String,
    /// What happened.
    pub what: String,
    /// The mailbox it is about, by its name at the source or the target.
    pub mailbox: Option<String>,
    /// Who has to act: `organisation`, `provider` or `both`.
    pub owner: Option<String>,
    /// What to do about it.
    pub action: Option<String>,
    /// Who reports it.
    pub by: Option<String>,
}

/// What was done with one issue.
#[derive(Clone, Debug, Serialize)]
pub struct IssueChanged {
    /// Its number; none where it is about a mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<i64>,
    /// What was done, as in `issue 7 was opened`.
    pub done: String,
}

/// Who has to act about a failure of this class on this side.
pub(crate) fn owner(cause: Cause, side: Option<Side>) -> &'static str {
    match (cause.owner(), side) {
        (Owner::Source, _) | (Owner::Project, Some(Side::Source)) => "organisation",
        (Owner::Target, _) | (Owner::Project, Some(Side::Target)) => "provider",
        (Owner::Project, None) => "both",
    }
}

/// A word for a type: short, without spaces.
fn checked_kind(kind: &str) -> Result<String, Error> {
    let kind = kind.trim().to_lowercase();
    let is_word = (1..=40).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_word {
        return Ok(kind);
    }
    let what = format!("{kind:?} is no type of an issue");
    Err(Error::usage(what).advise("write a word of up to 40 letters, digits and hyphens, such as data-quality"))
}

fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

impl Project {
    /// Opens an issue that somebody reports.
    pub async fn open_issue(&self, reported: &Reported) -> Result<IssueChanged, Error> {
        self.may_migrate()?;
        let kind = checked_kind(&reported.kind)?;
        let what = given(Some(&reported.what))
            .ok_or_else(|| Error::usage("an issue says what happened").advise("give --what TEXT"))?;
        let row = match &reported.mailbox {
            None => None,
            Some(name) => Some(self.one_mailbox(name).await?),
        };
        let cause = Cause::from_code(&kind);
        let owner = match reported.owner.as_deref().map(str::trim) {
            None | Some("") => cause.map_or("both", |cause| owner(cause, None)),
            Some(owner) => checked_owner(owner)?,
        };
        let action = given(reported.action.as_deref())
            .or_else(|| cause.map(|cause| cause.advice().to_owned()))
            .unwrap_or_else(|| "Look into it.".to_owned());
        let by = given(reported.by.as_deref()).unwrap_or_else(|| self.actor.name.clone());
        let new = NewIssue {
            mailbox: row.as_ref().map(|row| row.mailbox),
            kind: kind.clone(),
            is_of_items: false,
            owner: owner.to_owned(),
            what: what.clone(),
            action,
            follows: None,
            seen_at: self.store.now().await?,
        };
        let mailbox = row.as_ref().map(|row| row.roster.source_name.as_str());
        let detail = json!({ "type": kind, "mailbox": mailbox, "owner": owner, "what": what, "by": by });
        self.store.audit(self.key, &self.actor, "issue.reported", &detail).await?;
        match self.store.open_issue(self.key, &new, &by).await? {
            Some(number) => Ok(IssueChanged { issue: Some(number), done: format!("issue {number} was opened") }),
            None => {
                let what = format!("there is an issue {kind:?} of {} already", mailbox.unwrap_or_default());
                Err(Error::usage(what).advise("see whimbrel issue list; add to it with whimbrel issue note"))
            }
        }
    }

    /// Somebody takes an issue.
    pub async fn assign_issue(&self, number: i64, to: &str) -> Result<IssueChanged, Error> {
        self.may_migrate()?;
        let row = self.issue_row(number).await?;
        let to = given(Some(to)).ok_or_else(|| Error::usage("nobody is named").advise("give --to NAME"))?;
        refuse_closed(&row)?;
        self.store.audit(self.key, &self.actor, "issue.assigned", &json!({ "issue": number, "to": to })).await?;
        if !self.store.assign_issue(self.key, number, &to).await? {
            refuse_closed(&self.issue_row(number).await?)?;
        }
        Ok(IssueChanged { issue: Some(number), done: format!("issue {number} is in the hands of {to}") })
    }

    /// Somebody says something about an issue.
    pub async fn note_issue(&self, number: i64, what: &str, by: Option<&str>) -> Result<IssueChanged, Error> {
        self.may_migrate()?;
        self.issue_row(number).await?;
        let what = given(Some(what)).ok_or_else(|| Error::usage("the note is empty").advise("give a text"))?;
        let by = given(by).unwrap_or_else(|| self.actor.name.clone());
        self.store.audit(self.key, &self.actor, "issue.noted", &json!({ "issue": number, "by": by })).await?;
        self.store.note_issue(self.key, number, &what, &by).await?;
        Ok(IssueChanged { issue: Some(number), done: format!("noted of issue {number}") })
    }

    /// Takes a mailbox up again that was left for the mop-up or said not to move.
    pub async fn take_up(&self, mailbox: &str, by: Option<&str>, reason: &str) -> Result<IssueChanged, Error> {
        self.may_migrate()?;
        let row = self.one_mailbox(mailbox).await?;
        let name = row.roster.source_name;
        let reason = given(Some(reason)).ok_or_else(|| {
            Error::refused("R-231", "what was set aside is taken up again for a reason").advise("give --reason TEXT")
        })?;
        let facts = self.store.mailbox_facts(self.key).await?;
        if facts.get(&row.mailbox).is_none_or(|facts| facts.set_aside.is_none()) {
            let what = format!("{name} is not set aside");
            return Err(Error::usage(what).advise("see whimbrel issue list --mop-up"));
        }
        let by = given(by).unwrap_or_else(|| self.actor.name.clone());
        let detail = json!({ "mailbox": name, "by": by, "reason": reason });
        self.store.audit(self.key, &self.actor, "issue.taken-up", &detail).await?;
        self.store.take_up(self.key, row.mailbox).await?;
        Ok(IssueChanged { issue: None, done: format!("{name} is taken up again") })
    }

    async fn one_mailbox(&self, name: &str) -> Result<MailboxRow, Error> {
        let selection = Selection { mailboxes: vec![name.to_owned()], collection: None };
        let mut rows = self.select(&selection).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => {
                let what = format!("{name:?} is the name of several mailboxes");
                Err(Error::usage(what).advise("give the name at the source"))
            }
        }
    }

    async fn issue_row(&self, number: i64) -> Result<IssueRow, Error> {
        let rows = self.store.issues(self.key).await?;
        rows.into_iter().find(|row| row.issue == number).ok_or_else(|| no_such(number))
    }
}

fn no_such(number: i64) -> Error {
    Error::usage(format!("there is no issue {number}")).advise("see whimbrel issue list --state all")
}

pub(crate) fn refuse_closed(row: &IssueRow) -> Result<(), Error> {
    if row.state != IssueState::Closed {
        return Ok(());
    }
    let what = format!("issue {} is closed", row.issue);
    Err(Error::usage(what).advise("what comes back is a new issue; nothing was changed"))
}

pub(crate) fn checked_owner(owner: &str) -> Result<&'static str, Error> {
    let known = ["organisation", "provider", "both"];
    known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(owner))
        .ok_or_else(|| Error::usage(format!("{owner:?} owns no issue")).advise("write organisation, provider or both"))
}

pub(crate) fn checked_disposition(name: &str) -> Result<Disposition, Error> {
    Disposition::from_name(&name.trim().to_lowercase()).ok_or_else(|| {
        Error::usage(format!("{name:?} is no disposition")).advise("write accepted, mop-up or not-moving")
    })
}

#[cfg(test)]
mod tests;
