//! Accounts of a portal go live there: what is recorded here is why each may, before it is.

use model::{AccountState, EntryKind};
use people::{ObjectId, Planned, Word};
use serde_json::json;
use store::{AccountRow, ChangeState, WordRow};

use crate::Error;
use crate::usecase::people::account::{AcceptReport, not_theirs};
use crate::usecase::people::{Known, PeopleProject};

impl PeopleProject {
    /// Records why accounts may be live: those that were made, for whoever accepts them in the portal; and those that are live as soon
    /// as it has made them. Without names, all that wait.
    pub(in crate::usecase::people) async fn accept_in_portal(
        &self,
        wanted: &[String],
        exemption: &str,
    ) -> Result<AcceptReport, Error> {
        let known = self.known().await?;
        let made = self.made().await?;
        let mut chosen: Vec<ObjectId> = Vec::new();
        for name in wanted {
            chosen.push(known.find(name)?.id.clone());
        }
        if chosen.is_empty() {
            let waits = |row: &AccountRow| {
                row.live_at.is_none() && EntryKind::from_name(&row.made.kind).is_some_and(EntryKind::holds_mail)
            };
            chosen.extend(made.iter().filter(|(_, row)| waits(row)).map(|(id, _)| id.clone()));
            chosen.extend(self.to_be_live().await?);
            chosen.sort();
            chosen.dedup();
        }
        let reason = format!("{exemption} (recorded by {})", self.actor.name);
        let dry_run = self.is_rehearsed;
        let mut report = AcceptReport { exemption: exemption.to_owned(), dry_run, ..AcceptReport::default() };
        let (mut accounts, mut words) = (Vec::new(), Vec::new());
        for id in chosen {
            match made.get(&id) {
                Some(row) if row.live_at.is_some() => report.were_live += 1,
                Some(row) => accounts.push((id, row)),
                None => words.push(id),
            }
        }
        if self.is_rehearsed {
            for (id, row) in &accounts {
                Self::sort(&known, id, row, &mut report);
            }
            for id in &words {
                if self.may_be_exempted(&known, id, &mut report) {
                    report.to_make.push(id.to_string());
                }
            }
            return Ok(report);
        }
        let lease = self.hold().await?;
        let work = async {
            let ids: Vec<String> = accounts.iter().map(|(id, _)| id).chain(&words).map(ToString::to_string).collect();
            let detail = json!({ "accounts": ids, "exemption": exemption });
            self.store.audit(self.key, &self.actor, "people.accepted", &detail).await?;
            let mut tx = self.store.write_people(&lease).await?;
            for (id, row) in &accounts {
                if let Some(is_live) = Self::sort(&known, id, row, &mut report) {
                    tx.exempt(&id.directory, &id.key, &reason).await?;
                    if is_live {
                        tx.set_live(&id.directory, &id.key).await?;
                    }
                }
            }
            tx.commit().await?;
            self.call_off_forwarders(&known, &accounts.iter().map(|(id, row)| (id, *row)).collect::<Vec<_>>()).await?;
            for id in &words {
                self.exempt_before(&known, id, &reason, &mut report).await?;
            }
            Ok(())
        };
        let work = self.while_held(&lease, work).await;
        self.leave(&lease, work).await.map(|()| report)
    }

    /// Whether an account is live in the portal already; none: it is not its object's to be accepted. Both are told.
    fn sort(known: &Known, id: &ObjectId, row: &AccountRow, report: &mut AcceptReport) -> Option<bool> {
        let why_not = not_theirs(known, id, row).filter(|_| !known.awaited.contains(&row.made.account));
        if let Some(why) = why_not {
            report.refused.push((id.to_string(), why));
            return None;
        }
        let is_live = known.account(&row.made.account).is_some_and(|account| account.state == AccountState::Active);
        if is_live { &mut report.live } else { &mut report.to_accept }.push(id.to_string());
        Some(is_live)
    }

    /// May it be said of an object why its account may be live, before that is made? Else it is told why not.
    fn may_be_exempted(&self, known: &Known, id: &ObjectId, report: &mut AcceptReport) -> bool {
        let why = if !self.portal_entry().is_some_and(crate::config::PortalEntry::makes_live) {
            "it has no account that this program made".to_owned()
        } else if let Some(row) = known.reconciliation.row(id).filter(|row| row.class != people::Class::New) {
            format!("it gets no account: it is {}", row.class.name())
        } else {
            return true;
        };
        report.refused.push((id.to_string(), why));
        false
    }

    /// Records why an account may be live that is not made yet.
    async fn exempt_before(
        &self,
        known: &Known,
        id: &ObjectId,
        reason: &str,
        report: &mut AcceptReport,
    ) -> Result<(), Error> {
        if !self.may_be_exempted(known, id, report) {
            return Ok(());
        }
        let word = Word::Exempted { reason: reason.to_owned() };
        let row = WordRow {
            directory: id.directory.clone(),
            key: id.key.clone(),
            what: serde_json::to_string(&word).map_err(|_| super::super::damaged("a decision"))?,
            evidence: report.exemption.clone(),
            said_by: self.actor.name.clone(),
            at: 0,
        };
        self.store.add_word(self.key, &row).await?;
        report.to_make.push(id.to_string());
        Ok(())
    }

    /// Whose accounts the approved plan makes, where they are live at once.
    async fn to_be_live(&self) -> Result<Vec<ObjectId>, Error> {
        if !self.portal_entry().is_some_and(crate::config::PortalEntry::makes_live) {
            return Ok(Vec::new());
        }
        let Some(plan) = self.open_plan().await? else { return Ok(Vec::new()) };
        let changes = self.store.changes(self.key, plan.plan).await?;
        let mut ids = Vec::new();
        for change in changes.iter().filter(|change| change.state == ChangeState::Todo) {
            let planned: Planned =
                serde_json::from_str(&change.what).map_err(|_| super::super::damaged("a planned change"))?;
            if matches!(&planned, Planned::Create { entry, .. } if entry.kind.holds_mail()) {
                ids.push(ObjectId::new(&change.directory, &change.key));
            }
        }
        Ok(ids)
    }
}
