//! New accounts go live with a forwarder to the source, so that what comes to them lies where their person reads until they are switched
//!
//!
//! An account that waits to be accepted has its forwarder put on and read back first; one of which the target knows nothing as long as it
//! waits, right after. One that the platform makes live at once has it put on right after, too: what is on record is that it is live
//! without a reason, so whoever comes next finishes that, after whatever end.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::EntryKind;
use people::ObjectId;
use serde::Serialize;
use serde_json::json;
use store::{AccountRow, MailboxRow, PeopleLease};

use super::account::{AcceptReport, PORTION, not_theirs};
use super::{Known, PeopleProject};
use crate::secret::Environment;
use crate::usecase::switch::forward::{Forwarded, HELD_WAIT};
use crate::usecase::switch::live::{Accounts, BareAccount, why_missing};
use crate::{Error, MissingForwarder, Project};

/// What came of the forwarders of live new accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ForwardedReport {
    /// Live new accounts with neither a forwarder that is on nor a recorded reason.
    pub missing: Vec<MissingForwarder>,
}

/// Accounts that were made, each with the object that it was made for.
type Rows<'m> = Vec<(&'m ObjectId, &'m AccountRow)>;

/// An account that waits to be accepted, with its mailbox.
type Waiting<'w> = (&'w ObjectId, &'w AccountRow, i64);

impl PeopleProject {
    /// Makes accounts live that wait to be accepted, these or all, each with its forwarder to the source on and read back.
    pub async fn accept_forwarding(
        &self,
        wanted: &[String],
        environment: Environment<'_>,
    ) -> Result<AcceptReport, Error> {
        self.may_change()?;
        self.refuse_ungated().await?;
        crate::usecase::governed::refuse(&self.config, &self.store, self.key, programme::Live::ForwardersOn).await?;
        if let Some(lacks) = self.config.lacks_forwarding() {
            let what =
                format!("an account goes live with a forwarder to the source, or with a recorded reason: {lacks}");
            return Err(Error::refused("R-073", what)
                .advise("cure that: docs/switch.md shows how; or give the reason: --exemption TEXT"));
        }
        let known = self.known().await?;
        let made = self.made().await?;
        let (mut rows, mut report) = self.waiting(&known, &made, wanted, &BTreeMap::new())?;
        if self.portal().is_some() {
            rows.retain(|(_, row)| holds_mail(row));
        }
        if self.is_rehearsed {
            report.live = rows.iter().map(|(id, _)| id.to_string()).collect();
            return Ok(report);
        }
        let lease = self.hold().await?;
        let done = async {
            // Whoever was made since is on the roster from here on.
            let project = Box::pin(Project::open_in(self.store.clone(), self.config.clone())).await?;
            for portion in rows.chunks(PORTION) {
                self.accept_forwarded(&lease, (&project, &known), portion, environment, &mut report).await?;
            }
            if !rows.is_empty() {
                self.read_platform(&lease).await?;
            }
            // What broke off before is finished, too.
            for missing in project.forward_missing(environment).await? {
                if report.without.iter().all(|(id, _)| *id != missing.id) {
                    report.without.push((missing.id, missing.why));
                }
            }
            Ok(())
        };
        let done = self.while_held(&lease, done).await;
        self.leave(&lease, done).await.map(|()| report)
    }

    async fn accept_forwarded(
        &self,
        lease: &PeopleLease,
        (project, known): (&Project, &Known),
        portion: &[(&ObjectId, &AccountRow)],
        environment: Environment<'_>,
        report: &mut AcceptReport,
    ) -> Result<(), Error> {
        let mailboxes = self.store.mailboxes(self.key).await?;
        let (mut ready, mut waiting): (Rows<'_>, Vec<Waiting<'_>>) = (Vec::new(), Vec::new());
        let mut rows: Vec<MailboxRow> = Vec::new();
        for &(id, row) in portion {
            // Nobody's mail lies in a list.
            if !holds_mail(row) {
                ready.push((id, row));
                continue;
            }
            match mailbox_of(project, known, row, &mailboxes) {
                Ok(mailbox) => {
                    waiting.push((id, row, mailbox.mailbox));
                    rows.push(mailbox.clone());
                }
                Err(why) => report.refused.push((id.to_string(), why)),
            }
        }
        let mut done = project.forward_accounts(&rows, environment).await?;
        let mut absent = Vec::new();
        for (id, row, mailbox) in waiting {
            match done.remove(&mailbox) {
                Some(Forwarded::On) => {
                    report.forwarded.push(id.to_string());
                    ready.push((id, row));
                }
                Some(Forwarded::Not { is_absent: true, why, .. }) if self.portal().is_none() => {
                    absent.push(((id, row, mailbox), why));
                }
                Some(Forwarded::Not { why, .. }) => {
                    report.refused.push((id.to_string(), format!("its forwarder is not on: {why}")));
                }
                None => report.refused.push((id.to_string(), "its forwarder is not on".to_owned())),
            }
        }
        let forwarded: Vec<String> = ready.iter().map(|(id, _)| id.to_string()).collect();
        self.accept_ready(lease, &ready, &json!({ "accounts": forwarded, "forwarded": true }), report).await?;
        self.accept_absent(lease, (project, environment), absent, report).await
    }

    /// Accounts that the target does not know until they are live: one at a time, so that of many only the first is live for a moment without its
    /// forwarder where none can be put on at all.
    async fn accept_absent(
        &self,
        lease: &PeopleLease,
        (project, environment): (&Project, Environment<'_>),
        absent: Vec<(Waiting<'_>, String)>,
        report: &mut AcceptReport,
    ) -> Result<(), Error> {
        let mut broken = false;
        for ((id, row, mailbox), why) in absent {
            if broken {
                report.refused.push((id.to_string(), format!("its forwarder is not on: {why}")));
                continue;
            }
            let before = report.live.len();
            let detail = json!({ "accounts": [id.to_string()], "forwarded": "right after" });
            self.accept_ready(lease, &[(id, row)], &detail, report).await?;
            if report.live.len() == before {
                continue;
            }
            match project.forward_now(&[mailbox], HELD_WAIT, environment).await?.remove(&mailbox) {
                Some(Forwarded::On) => report.forwarded.push(id.to_string()),
                Some(Forwarded::Not { why, .. }) => {
                    broken = true;
                    report.without.push((id.to_string(), why));
                }
                None => broken = true,
            }
        }
        Ok(())
    }

    /// Makes these live; those of a portal are accepted there.
    async fn accept_ready(
        &self,
        lease: &PeopleLease,
        ready: &[(&ObjectId, &AccountRow)],
        detail: &serde_json::Value,
        report: &mut AcceptReport,
    ) -> Result<(), Error> {
        if ready.is_empty() {
            return Ok(());
        }
        self.store.audit(self.key, &self.actor, "people.accepted", detail).await?;
        if self.portal().is_some() {
            report.to_accept.extend(ready.iter().map(|(id, _)| id.to_string()));
            return Ok(());
        }
        self.activate(lease, self.platform_to_write()?.as_ref(), ready, report).await
    }

    /// The accounts that wait to be accepted, of those wanted or all, in order, and those that are live and lack what these need (`bare`);
    /// and what is told of the others.
    pub(super) fn waiting<'m>(
        &self,
        known: &Known,
        made: &'m HashMap<ObjectId, AccountRow>,
        wanted: &[String],
        bare: &BTreeMap<String, String>,
    ) -> Result<(Rows<'m>, AcceptReport), Error> {
        let mut chosen: HashSet<ObjectId> = HashSet::new();
        for name in wanted {
            let id = known.find(name)?.id.clone();
            if !made.contains_key(&id) {
                return Err(Error::usage(format!("{id} has no account that this program made"))
                    .advise("people activation lists those that it made"));
            }
            chosen.insert(id);
        }
        let is_chosen = |id: &&ObjectId| chosen.is_empty() || chosen.contains(*id);
        let mut rows: Vec<(&ObjectId, &AccountRow)> = made.iter().filter(|(id, _)| is_chosen(id)).collect();
        rows.sort_by_key(|(id, _)| *id);
        let all = rows.len();
        rows.retain(|(id, row)| row.live_at.is_none() || bare.contains_key(&id.to_string()));
        let were_live = all - rows.len();
        let mut report = AcceptReport { were_live, dry_run: self.is_rehearsed, ..AcceptReport::default() };
        rows.retain(|(id, row)| match not_theirs(known, id, row) {
            None => true,
            Some(why) => {
                report.refused.push((id.to_string(), why));
                false
            }
        });
        Ok((rows, report))
    }

    /// Puts the forwarders of live new accounts on that lack theirs: after what makes accounts live at once, and whatever broke off before.
    /// Without a way to, they are only told.
    pub async fn forward_new(&self, environment: Environment<'_>) -> Result<ForwardedReport, Error> {
        if self.is_rehearsed || self.config.file.source.is_none() {
            return Ok(ForwardedReport::default());
        }
        let bare = match Accounts::of(&self.config) {
            Some(accounts) => accounts.bare(&self.store, self.key, 0, &[]).await?,
            None => Vec::new(),
        };
        if bare.is_empty() {
            return Ok(ForwardedReport::default());
        }
        let project = Box::pin(Project::open_in(self.store.clone(), self.config.clone())).await?;
        Ok(ForwardedReport { missing: project.forward_missing(environment).await? })
    }

    /// The number of the target's endpoint.
    async fn target_endpoint(&self) -> Result<i64, Error> {
        let endpoints = self.store.endpoints(self.key).await?;
        let target = endpoints.iter().find(|(_, name, _)| name == self.config.target());
        Ok(target.map_or(0, |(number, ..)| *number))
    }

    /// Forwarders that were asked for of accounts that may be without one come no more.
    pub(super) async fn call_off_forwarders(
        &self,
        known: &Known,
        portion: &[(&ObjectId, &AccountRow)],
    ) -> Result<(), Error> {
        let Some(accounts) = Accounts::of(&self.config) else { return Ok(()) };
        let rows = self.store.mailboxes(self.key).await?;
        let target = self.target_endpoint().await?;
        for (_, row) in portion {
            let account = known.account(&row.made.account);
            if let Some(mailbox) = account.and_then(|account| accounts.mailbox(account, target, &rows)) {
                self.store.call_off_forwarder(self.key, mailbox.mailbox).await?;
            }
        }
        Ok(())
    }

    /// Objects whose account is live with neither a forwarder that is on nor a recorded reason, each with why.
    pub(super) async fn without_forwarder(&self) -> Result<BTreeMap<String, String>, Error> {
        let Some(accounts) = Accounts::of(&self.config) else { return Ok(BTreeMap::new()) };
        let rows = self.store.mailboxes(self.key).await?;
        let target = self.target_endpoint().await?;
        let bare = accounts.bare(&self.store, self.key, target, &rows).await?;
        let by_number: BTreeMap<i64, &MailboxRow> = rows.iter().map(|row| (row.mailbox, row)).collect();
        let forwarders = self.store.forwarders(self.key).await?.into_iter().map(|row| (row.is.mailbox, row)).collect();
        let why = |account: BareAccount| Some((account.id.clone(), why_missing(&account, &by_number, &forwarders)?));
        Ok(bare.into_iter().filter_map(why).collect())
    }
}

fn holds_mail(row: &AccountRow) -> bool {
    EntryKind::from_name(&row.made.kind).is_some_and(EntryKind::holds_mail)
}

/// The mailbox of an account, on the roster; or why there is none.
fn mailbox_of<'m>(
    project: &Project,
    known: &Known,
    row: &AccountRow,
    mailboxes: &'m [MailboxRow],
) -> Result<&'m MailboxRow, String> {
    let other = "give the reason why it may be without a forwarder: --exemption TEXT";
    let account = known.account(&row.made.account).ok_or_else(|| "its account is gone from the platform".to_owned())?;
    let target = project.endpoints.iter().find(|(_, (name, _))| name == project.config.target());
    let target = target.map_or(0, |(number, _)| *number);
    let accounts = project.accounts.as_ref();
    match accounts.and_then(|accounts| accounts.mailbox(account, target, mailboxes)) {
        Some(mailbox) if mailbox.listed => Ok(mailbox),
        _ => {
            let is_it =
                |object: &&people::Object| object.id.directory == row.made.directory && object.id.key == row.made.key;
            let object = known.objects.iter().find(is_it);
            let source = object.and_then(|object| project.config.file.people.as_ref()?.source_name.of(&object.entry));
            let withheld = project
                .withheld
                .iter()
                .find(|one| source.is_some_and(|source| one.source.eq_ignore_ascii_case(source)));
            let why = withheld.map_or_else(|| "its mailbox is not on the roster".to_owned(), |one| one.why.clone());
            Err(format!("its forwarder can't be put on: {why}; cure that, or {other}"))
        }
    }
}
