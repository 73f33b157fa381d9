//! One file at a time leaves to the portal: on record first, byte for byte, then written or mailed.

use std::collections::HashMap;

use model::Digest;
use people::{Line, ObjectId, Planned};
use serde_json::json;
use store::{ChangeRow, ChangeState, NewUpload, PeopleLease, UploadRow};
use table::Action;
use table::portal::UploadRow as Row;

use super::{AWAITED, Detail, fit};
use crate::Error;
use crate::portal::Portal;
use crate::usecase::governed::Gates;
use crate::usecase::people::apply::{self, Held};
use crate::usecase::people::{Known, PeopleProject};

/// Names told of those who lack something.
const NAMES_TOLD: usize = 5;

impl PeopleProject {
    /// Lets the next file of a plan leave, or the one that was about to. False: nothing leaves, since one waits for its result or
    /// nothing is left to do.
    pub(in crate::usecase::people) async fn submit(
        &self,
        lease: &PeopleLease,
        portal: &Portal,
        door: &Held,
        plan: i64,
        lines: &[Line],
    ) -> Result<bool, Error> {
        let gates = Box::new(Gates::of(&self.config));
        if let Some(open) = self.open_upload().await? {
            if open.sent_at.is_some() {
                return Ok(false);
            }
            // It was put on record before: a no may have come since, and fewer accounts may be released.
            let of_plan = if open.of.plan == plan {
                lines.to_vec()
            } else {
                self.stored_plan(&self.plan_row(open.of.plan).await?).await?.lines
            };
            let changes = self.store.changes(self.key, open.of.plan).await?;
            let rows: Vec<&ChangeRow> = changes.iter().filter(|row| open.of.changes.contains(&row.change)).collect();
            let called = self.called(&of_plan).await?;
            Box::pin(self.refuse_portion(&gates, &rows, &of_plan, &called)).await?;
            return self.deliver(lease, portal, door, &open).await.map(|()| true);
        }
        self.read_platform(lease).await?;
        self.put_aside_what_changed(lease, plan, lines).await?;
        let changes = self.store.changes(self.key, plan).await?;
        let mut made = self.made().await?;
        made.retain(|_, row| !row.made.account.starts_with(AWAITED));
        let (rows, held) = chosen(&changes, lines, portal.entry.rows_max, &made);
        if rows.is_empty() {
            self.put_aside_ownerless(lease, plan, (&changes, lines), &held).await?;
            self.end_if_done(lease, plan).await?;
            return Ok(false);
        }
        self.refuse_old_report().await?;
        let called = self.called(lines).await?;
        Box::pin(self.refuse_portion(&gates, &rows, lines, &called)).await?;
        self.record(lease, portal, plan, lines, &rows).await?;
        let open = self.open_upload().await?.ok_or_else(|| super::super::damaged("a submission to the portal"))?;
        self.deliver(lease, portal, door, &open).await?;
        Ok(true)
    }

    /// What nobody can answer for any more is a conflict: all who were to are refused, or are nobody.
    async fn put_aside_ownerless(
        &self,
        lease: &PeopleLease,
        plan: i64,
        (changes, lines): (&[ChangeRow], &[Line]),
        held: &[&ChangeRow],
    ) -> Result<(), Error> {
        let made = self.made().await?;
        let is_open = |state| matches!(state, ChangeState::Todo | ChangeState::Doing | ChangeState::Submitted);
        let to_come: std::collections::HashSet<ObjectId> = changes
            .iter()
            .filter(|change| is_open(change.state))
            .map(|change| ObjectId::new(&change.directory, &change.key))
            .collect();
        let mut states = Vec::new();
        for change in held {
            let needed: Vec<&ObjectId> = lines[change.change as usize - 1].planned.needs().collect();
            if needed.iter().all(|id| !made.contains_key(*id) && !to_come.contains(*id)) {
                let names: Vec<String> = needed.iter().map(ToString::to_string).collect();
                let why = format!("nobody who answers for it has an account: {}; make a new plan", names.join(", "));
                states.push((change.change, ChangeState::Conflict, None, Some(why)));
            }
        }
        let mut tx = self.store.write_people(lease).await?;
        tx.set_changes(plan, &states).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What a person said to be lost may have been taken all the same: only a report that is younger shows that it was not.
    async fn refuse_old_report(&self) -> Result<(), Error> {
        let uploads = self.store.uploads(self.key).await?;
        let lost = uploads.iter().rev().find(|row| row.lost_by.is_some());
        let Some((lost, since)) = lost.and_then(|row| Some((row.of.upload, row.ended_at?))) else { return Ok(()) };
        let name = self.entry.platform.as_deref().unwrap_or_default();
        let directories = self.store.directories(self.key).await?;
        let as_of = directories.iter().find(|row| row.name == name).and_then(|row| row.as_of);
        if as_of.is_some_and(|as_of| as_of > since) {
            return Ok(());
        }
        let what = format!(
            "submission {lost} was said to be lost, and the report of users is older than that: what of it was taken is not known"
        );
        Err(Error::refused("R-057", what).advise("fetch the report from the portal again, then people apply"))
    }

    /// Puts a file on record, with all that its result will need.
    async fn record(
        &self,
        lease: &PeopleLease,
        portal: &Portal,
        plan: i64,
        lines: &[Line],
        chosen: &[&ChangeRow],
    ) -> Result<(), Error> {
        // Of an account whose own key nobody has told yet there is nothing to put into a list.
        let mut made = self.made().await?;
        made.retain(|_, row| !row.made.account.starts_with(AWAITED));
        let mut detail = Detail { live: portal.entry.makes_live(), ..Detail::default() };
        let mut states = Vec::new();
        let number = self.store.uploads(self.key).await?.last().map_or(1, |row| row.of.upload + 1);
        for change in chosen {
            let (row, missing) = row_of(&lines[change.change as usize - 1], &made);
            detail.rows.push(row);
            let without = if missing.is_empty() { String::new() } else { format!("; without {}", missing.join(", ")) };
            let said = Some(format!("submission {number}{without}"));
            states.push((change.change, ChangeState::Submitted, None, said));
        }
        if detail.live {
            detail.exemptions = self.exemptions(lines, chosen).await?;
        }
        let file =
            table::portal::write(&portal.entry.upload, &portal.entry.connector, &detail.rows).map_err(|mistakes| {
                Error::refused(
                    "R-040",
                    format!("the file for the portal can't be written, and nothing of it left:\n{mistakes}"),
                )
                .advise("correct it in the directories, withdraw the plan and make a new one")
            })?;
        let digest = Digest::of(&file);
        let (sent_to, message_id) = portal.destination(number, digest);
        let changes: Vec<i64> = chosen.iter().map(|change| change.change).collect();
        let reasons = detail.reasons();
        let new = NewUpload {
            upload: number,
            directory: self.entry.platform.clone().unwrap_or_default(),
            plan,
            changes,
            sent_to,
            message_id,
            digest,
            detail: serde_json::to_string(&detail).map_err(|_| super::super::damaged("a submission to the portal"))?,
            made_by: self.actor.name.clone(),
        };
        // Why accounts may be live is on record before any of them is.
        let audited = json!({ "submission": number, "plan": plan, "rows": new.changes.len(), "digest": digest.to_string(),
            "sent_to": new.sent_to, "message_id": new.message_id, "live": detail.live, "exemptions": reasons });
        self.store.audit(self.key, &self.actor, "people.submitted", &audited).await?;
        let mut tx = self.store.write_people(lease).await?;
        if !tx.add_upload(&new, &file).await? {
            return Err(super::super::damaged("the submissions to the portal"));
        }
        tx.set_changes(plan, &states).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets a file leave that is on record, and records that it has.
    async fn deliver(&self, lease: &PeopleLease, portal: &Portal, door: &Held, row: &UploadRow) -> Result<(), Error> {
        let file = self.store.uploaded_file(self.key, row.of.upload).await?;
        if Digest::of(&file) != row.of.digest {
            return Err(super::super::damaged("a submission to the portal"));
        }
        portal.deliver(&row.of, file, row.made_at, door).await.map_err(|error| {
            let mut failed = apply::platform_error(&error);
            failed.what = format!("submission {}: {}", row.of.upload, error);
            failed.advise(
                "cure it and run people apply again: the same file leaves; if it can't, people results --lost NUMBER",
            )
        })?;
        let mut tx = self.store.write_people(lease).await?;
        tx.upload_sent(row.of.upload).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Why each account of these may be live once it is made. Nothing leaves while one of them has no reason on record.
    async fn exemptions(&self, lines: &[Line], chosen: &[&ChangeRow]) -> Result<HashMap<i64, String>, Error> {
        let known = self.known().await?;
        let (mut reasons, mut lacking) = (HashMap::new(), Vec::new());
        for change in chosen {
            let line = &lines[change.change as usize - 1];
            let Planned::Create { entry, .. } = &line.planned else { continue };
            if !entry.kind.holds_mail() {
                continue;
            }
            match self.exemption_of(&known, &line.object) {
                Some(reason) => drop(reasons.insert(change.change, reason)),
                None => lacking.push(entry.label().to_owned()),
            }
        }
        if lacking.is_empty() {
            return Ok(reasons);
        }
        let count = movement::state::counted(lacking.len() as u64, "account");
        let more = if lacking.len() > NAMES_TOLD { "; …" } else { "" };
        let names = lacking.into_iter().take(NAMES_TOLD).collect::<Vec<_>>().join("; ") + more;
        let what =
            format!("{count} would be live at once without a forwarder to the source or a recorded reason: {names}");
        Err(Error::refused("R-073", what).advise(
            "record it: people accept WHO --exemption TEXT; or exemption = \"…\" in the platform's table, for all",
        ))
    }

    /// Why an account may be live once it is made: by what was handed in, by a person's word, by the project's file for all.
    fn exemption_of(&self, known: &Known, id: &ObjectId) -> Option<String> {
        let handed_in = || {
            let connector = self.entry.connector().filter(|connector| *connector == id.directory)?;
            let reason = known.object(id)?.entry.other.get(super::super::import::EXEMPTION)?.first()?;
            Some(format!("{reason} (handed in by {connector})"))
        };
        let for_all = || Some(format!("{} (of all, by the project's file)", self.portal_entry()?.exemption.as_ref()?));
        known.words.exempted(id).map(str::to_owned).or_else(handed_in).or_else(for_all)
    }
}

impl Detail {
    /// The reasons why accounts may be live, each with how many it stands for.
    fn reasons(&self) -> std::collections::BTreeMap<&str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        self.exemptions.values().for_each(|reason| *counts.entry(reason.as_str()).or_default() += 1);
        counts
    }
}

/// What goes into the next file: what is left to do, lists only once those who are in them are known, and no more than the portal
/// takes; and what is held back until somebody who answers for it has an account.
fn chosen<'c>(
    changes: &'c [ChangeRow],
    lines: &[Line],
    rows_max: Option<usize>,
    made: &HashMap<ObjectId, store::AccountRow>,
) -> (Vec<&'c ChangeRow>, Vec<&'c ChangeRow>) {
    let todo = changes.iter().filter(|change| change.state == ChangeState::Todo);
    let line = |change: &ChangeRow| &lines[change.change as usize - 1];
    let (held, todo): (Vec<&ChangeRow>, Vec<&ChangeRow>) = todo.partition(|change| is_ownerless(line(change), made));
    let (lists, mut rows): (Vec<&ChangeRow>, Vec<&ChangeRow>) =
        todo.into_iter().partition(|change| apply::is_list(line(change)));
    if rows.is_empty() && held.is_empty() {
        rows = lists;
    }
    rows.truncate(rows_max.unwrap_or(usize::MAX));
    (rows, held)
}

/// Is it a mailbox of nobody in particular, for which nobody with an account answers?
fn is_ownerless(line: &Line, made: &HashMap<ObjectId, store::AccountRow>) -> bool {
    let Planned::Create { entry, owners, .. } = &line.planned else { return false };
    let is_there = |owner: &people::Member| match owner {
        people::Member::Object(id) => made.contains_key(id),
        people::Member::Account(_) | people::Member::Outside(_) => true,
    };
    entry.kind.needs_owner() && !owners.iter().any(is_there)
}

/// The row of a change, and who in it is nobody there.
fn row_of(line: &Line, made: &HashMap<ObjectId, store::AccountRow>) -> (Row, Vec<String>) {
    let (change, missing) = apply::change(line, None, made);
    let row = match (&line.planned, change) {
        (_, connector::Change::Create { entry, .. }) => fit::new_row(&entry),
        (Planned::Leave { .. }, connector::Change::Update { before, after }) => {
            fit::row(Action::Leave, &before, &after)
        }
        (_, connector::Change::Update { before, after }) => fit::row(Action::Update, &before, &after),
        (_, connector::Change::Remove { before }) => fit::row(Action::Leave, &before, &before),
    };
    (row, missing)
}
