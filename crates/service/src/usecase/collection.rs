//! `collection`: who moves at the same time, from when they are kept in step, when they switch, and whether that will be in time
//!
//!
//! Everybody is in exactly one collection. People go into one by `add`, out of one only by `move`, which needs a reason. Every
//! change is checked as a whole, is in the audit log before it takes effect, and is made whole or not at all.

mod choose;
mod forecast;
mod shown;
mod standing;
mod vip;
mod wait;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use store::{CollectionRow, NewCollection, Object, Placed, SwitchHow};

pub use self::choose::Choice;
pub use self::forecast::{Basis, Expected, Outlook};
pub use self::shown::{CollectionList, CollectionShow, DifferingLine, MemberLine, MovedLine};
pub use self::standing::{CollectionStatus, Rate};
pub use self::vip::{VipLine, VipList, VipReport};
pub use self::wait::Wait;

pub(crate) use self::choose::Mistakes;
pub(crate) use self::standing::{Standing, timestamp};
use crate::{Error, Project, when};

/// Characters of a name, at most.
const NAME_MAX: usize = 100;
/// Names written out in the audit log, at most; beyond, their number tells.
const NAMES_AUDITED: usize = 1_000;

/// What is said of a collection. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionPlan {
    /// What it is.
    pub description: Option<String>,
    /// From when its mailboxes are kept in step: a moment, `now`, or `none`.
    pub start: Option<String>,
    /// How they switch: `auto`, `by-hand`, or `at=` and a moment.
    pub switch: Option<String>,
    /// The date planned for that, where they switch by themselves or by hand; or `none`.
    pub date: Option<String>,
    /// VIPs may be in the collection that starts first.
    pub even_first: bool,
    /// Why they may.
    pub reason: Option<String>,
}

/// A collection that was made or changed.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionChanged {
    /// What was done: `created`, `changed`.
    pub done: &'static str,
    /// The collection.
    pub collection: CollectionStatus,
    /// When it starts, for people.
    pub start_text: String,
    /// How and when it switches, for people.
    pub switch_text: String,
}

/// What came of putting people and lists into a collection.
#[derive(Clone, Debug, Serialize)]
pub struct PlacedReport {
    /// What was done: `added`, `moved`, `dated`.
    pub done: &'static str,
    /// The collection that they are in now.
    pub collection: String,
    /// How many.
    pub placed: u64,
    /// How many were there already.
    pub already: u64,
    /// Whom a filter fits, and who is not on the roster yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_on_roster: Vec<String>,
}

impl Project {
    /// Makes a collection.
    pub async fn create_collection(&self, name: &str, plan: &CollectionPlan) -> Result<CollectionChanged, Error> {
        self.may_migrate()?;
        let name = checked_name(name)?;
        let standing = self.standing(false).await?;
        if let Some(same) = standing.collections.iter().find(|row| row.is.name.to_lowercase() == name.to_lowercase()) {
            let what = format!("there is a collection {:?} already", same.is.name);
            return Err(Error::usage(what).advise("give another name, or change it with whimbrel collection change"));
        }
        let nothing = NewCollection {
            name: name.clone(),
            description: String::new(),
            start_at: None,
            switch: SwitchHow::ByHand,
            switch_at: None,
        };
        let new = planned(nothing, plan, &standing)?;
        self.audit_collection("collection.created", &new, plan).await?;
        if self.store.add_collection(self.key, &new, &self.actor.name).await?.is_none() {
            return Err(Error::usage(format!("there is a collection {name:?} by now")).advise("give another name"));
        }
        self.changed("created", &name).await
    }

    /// Changes when a collection starts, how and when it switches, or what it is said to be.
    pub async fn change_collection(&self, name: &str, plan: &CollectionPlan) -> Result<CollectionChanged, Error> {
        self.may_migrate()?;
        let standing = self.standing(false).await?;
        let row = standing.named(name)?;
        let is = planned(row.is.clone(), plan, &standing)?;
        let mut after = standing.collections.clone();
        for other in after.iter_mut().filter(|other| other.collection == row.collection) {
            other.is = is.clone();
        }
        // Putting one off may make another one the first.
        for first in first_to_start(&after)
            .filter(|first| !first_to_start(&standing.collections).any(|was| was.collection == first.collection))
        {
            let vips = standing.vip_names(standing.mailboxes_of(Some(first.collection)).map(|row| row.mailbox));
            refuse_vips_first(&first.is.name, &vips, plan.even_first, plan.reason.as_deref())?;
        }
        self.audit_collection("collection.changed", &is, plan).await?;
        self.store.change_collection(self.key, row.collection, &is).await?;
        self.changed("changed", &is.name).await
    }

    async fn changed(&self, done: &'static str, name: &str) -> Result<CollectionChanged, Error> {
        let standing = self.standing(false).await?;
        let row = standing.named(name)?;
        Ok(CollectionChanged {
            done,
            start_text: standing.start_text(row),
            switch_text: standing.switch_text(row),
            collection: standing.status(row),
        })
    }

    /// Puts people and lists that are in no collection into one: all of them or none.
    pub async fn add_to_collection(
        &self,
        name: &str,
        choice: &Choice,
        even_first: bool,
        reason: Option<&str>,
    ) -> Result<PlacedReport, Error> {
        self.may_migrate()?;
        let standing = self.standing(true).await?;
        let collection = standing.named(name)?;
        let chosen = self.choose(&standing, choice).await?;
        let mut elsewhere = Mistakes::new();
        for object in &chosen.objects {
            if let Some(member) =
                standing.members.get(object).filter(|member| member.collection != collection.collection)
            {
                elsewhere.add(standing.elsewhere(object, Some(member.collection)));
            }
        }
        elsewhere.refuse(Some("R-155"), "use whimbrel collection move, which asks for a reason")?;
        let new: Vec<Object> =
            chosen.objects.iter().filter(|object| !standing.members.contains_key(object)).cloned().collect();
        standing.refuse_first(collection, &new, even_first, reason)?;
        let names: Vec<String> = new.iter().map(|object| standing.name_of(object)).collect();
        self.audit_names("collection.filled", &names, &json!({ "collection": collection.is.name, "reason": reason }))
            .await?;
        let objects: Vec<Object> = chosen.objects.into_iter().collect();
        let placed = self.store.add_members(self.key, collection, &objects, &self.actor.name).await?;
        standing.refuse_elsewhere(&placed)?;
        Ok(PlacedReport {
            done: "added",
            collection: collection.is.name.clone(),
            placed: placed.placed,
            already: placed.already,
            not_on_roster: chosen.not_on_roster,
        })
    }

    /// Moves people and lists from one collection to another, for a reason: all of them or none.
    pub async fn move_collection(
        &self,
        choice: &Choice,
        (from, to): (&str, &str),
        (by, reason): (Option<&str>, &str),
        even_first: bool,
    ) -> Result<PlacedReport, Error> {
        self.may_migrate()?;
        let reason = reason.trim();
        if reason.is_empty() {
            let error = Error::refused("R-155", "somebody moves to another collection for a reason");
            return Err(error.advise("give --reason TEXT; nothing was changed"));
        }
        let standing = self.standing(true).await?;
        let (from, to) = (standing.named(from)?, standing.named(to)?);
        if from.collection == to.collection {
            return Err(Error::usage("--from and --to are the same collection").advise("name two"));
        }
        let chosen = self.choose(&standing, choice).await?;
        let mut elsewhere = Mistakes::new();
        for object in &chosen.objects {
            let is_in = standing.members.get(object).map(|member| member.collection);
            if is_in != Some(from.collection) {
                elsewhere.add(standing.elsewhere(object, is_in));
            }
        }
        elsewhere.refuse(Some("R-155"), "name who is in the collection of --from")?;
        let objects: Vec<Object> = chosen.objects.into_iter().collect();
        standing.refuse_first(to, &objects, even_first, Some(reason))?;
        let by = by.map(str::trim).filter(|by| !by.is_empty()).unwrap_or(&self.actor.name);
        let names: Vec<String> = objects.iter().map(|object| standing.name_of(object)).collect();
        let detail = json!({ "from": from.is.name, "to": to.is.name, "by": by, "reason": reason });
        self.audit_names("collection.moved", &names, &detail).await?;
        let placed = self.store.move_members(self.key, &objects, (from, to), reason, by).await?;
        standing.refuse_elsewhere(&placed)?;
        Ok(PlacedReport {
            done: "moved",
            collection: to.is.name.clone(),
            placed: placed.placed,
            already: placed.already,
            not_on_roster: chosen.not_on_roster,
        })
    }

    /// Gives people and lists of a collection a date of their own; `none`: their collection's again.
    pub async fn date_members(&self, name: &str, choice: &Choice, at: &str) -> Result<PlacedReport, Error> {
        self.may_migrate()?;
        let standing = self.standing(true).await?;
        let collection = standing.named(name)?;
        let chosen = self.choose(&standing, choice).await?;
        let mut elsewhere = Mistakes::new();
        for object in &chosen.objects {
            let is_in = standing.members.get(object).map(|member| member.collection);
            if is_in != Some(collection.collection) {
                elsewhere.add(standing.elsewhere(object, is_in));
            }
        }
        elsewhere.refuse(None, &format!("name who is in {}", collection.is.name))?;
        let date = moment_or_none(at, &standing)?;
        let objects: Vec<Object> = chosen.objects.into_iter().collect();
        let names: Vec<String> = objects.iter().map(|object| standing.name_of(object)).collect();
        let detail = json!({ "collection": collection.is.name, "date": date });
        self.audit_names("collection.dated", &names, &detail).await?;
        let placed = self.store.date_members(self.key, &objects, date).await?;
        let collection = collection.is.name.clone();
        Ok(PlacedReport { done: "dated", collection, placed, already: 0, not_on_roster: Vec::new() })
    }

    /// Does what the file of people says of collections and VIPs: whoever is in no collection yet goes into the one that it names,
    /// and nobody is moved.
    pub(crate) async fn follow_file(&self) -> Result<(), Error> {
        let filled = self.store.fill_collections(self.key, crate::PEOPLE_FILE).await?;
        if filled.members > 0 {
            let detail = json!({ "by": crate::PEOPLE_FILE, "made": filled.made, "members": filled.members });
            self.store.audit(self.key, &self.actor, "collection.filled-by-file", &detail).await?;
        }
        let vips: Vec<i64> =
            self.rows.iter().filter(|(_, place)| self.people.rows[**place].vip).map(|(mailbox, _)| *mailbox).collect();
        let (added, removed) = self.store.vips_of_file(self.key, &vips, crate::PEOPLE_FILE).await?;
        if added + removed > 0 {
            let detail = json!({ "by": crate::PEOPLE_FILE, "added": added, "removed": removed });
            self.store.audit(self.key, &self.actor, "vip.by-file", &detail).await?;
        }
        Ok(())
    }

    async fn audit_collection(&self, action: &str, is: &NewCollection, plan: &CollectionPlan) -> Result<(), Error> {
        let detail = json!({
            "collection": is.name, "start": is.start_at, "switch": is.switch.name(), "date": is.switch_at,
            "description": is.description, "vips_even_first": plan.even_first, "reason": plan.reason,
        });
        self.store.audit(self.key, &self.actor, action, &detail).await?;
        Ok(())
    }

    /// Writes a decision about so many into the audit log; about nobody nothing is decided.
    pub(crate) async fn audit_names(
        &self,
        action: &str,
        names: &[String],
        detail: &serde_json::Value,
    ) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        let mut detail = detail.clone();
        detail["count"] = names.len().into();
        detail["names"] = names[..names.len().min(NAMES_AUDITED)].into();
        self.store.audit(self.key, &self.actor, action, &detail).await?;
        Ok(())
    }
}

fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
    if is_name {
        return Ok(name.to_owned());
    }
    let what = format!("{name:?} is no name of a collection");
    Err(Error::usage(what).advise(format!("give 1 to {NAME_MAX} characters, none of them a control character")))
}

fn moment_or_none(text: &str, standing: &Standing) -> Result<Option<i64>, Error> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    when::read(text, &standing.zone, standing.now).map(Some)
}

/// A collection with what is said of it.
fn planned(is: NewCollection, plan: &CollectionPlan, standing: &Standing) -> Result<NewCollection, Error> {
    let mut is = is;
    if let Some(description) = &plan.description {
        description.trim().clone_into(&mut is.description);
    }
    if let Some(start) = &plan.start {
        is.start_at = moment_or_none(start, standing)?;
    }
    if let Some(switch) = &plan.switch {
        let switch = switch.trim();
        match (switch.to_lowercase().as_str(), switch.split_once('=')) {
            ("auto", _) => is.switch = SwitchHow::Auto,
            ("by-hand", _) => is.switch = SwitchHow::ByHand,
            (_, Some((at, moment))) if at.trim().eq_ignore_ascii_case("at") => {
                is.switch = SwitchHow::At;
                is.switch_at = Some(when::read(moment, &standing.zone, standing.now)?);
            }
            _ => {
                let what = format!("--switch {switch:?} is not known");
                return Err(Error::usage(what).advise("write auto, by-hand, or at=\"2026-12-05 19:00\""));
            }
        }
    }
    if let Some(date) = &plan.date {
        is.switch_at = moment_or_none(date, standing)?;
    }
    if is.switch == SwitchHow::At && is.switch_at.is_none() {
        return Err(Error::usage("a collection that switches at a date needs one").advise("give --switch at=WHEN"));
    }
    if let (Some(start), Some(date)) = (is.start_at, is.switch_at)
        && date <= start
    {
        let (start, date) = (standing.shown(start), standing.shown(date));
        let what = format!("{} would switch at {date} and start at {start}", is.name);
        return Err(Error::usage(what).advise("give a date after the start; nothing was changed"));
    }
    Ok(is)
}

/// The collections that start before all others.
fn first_to_start(collections: &[CollectionRow]) -> impl Iterator<Item = &CollectionRow> {
    let first = collections.iter().filter_map(|row| row.is.start_at).min();
    collections.iter().filter(move |row| first.is_some() && row.is.start_at == first)
}

/// VIPs are not the ones on whom it is tried.
fn refuse_vips_first(name: &str, vips: &[String], even_first: bool, reason: Option<&str>) -> Result<(), Error> {
    let has_reason = reason.is_some_and(|reason| !reason.trim().is_empty());
    if vips.is_empty() || (even_first && has_reason) {
        return Ok(());
    }
    let mut mistakes = Mistakes::new();
    for vip in vips {
        mistakes.add(format!("{vip} is a VIP, and {name} is the first collection to start"));
    }
    mistakes.refuse(Some("R-130"), "put them into a later one; or give --even-first with --reason")
}

impl Standing {
    /// The collection of this name.
    pub(crate) fn named(&self, name: &str) -> Result<&CollectionRow, Error> {
        let wanted = name.trim().to_lowercase();
        if let Some(row) = self.collections.iter().find(|row| row.is.name.to_lowercase() == wanted) {
            return Ok(row);
        }
        let names = self.collections.iter().map(|row| row.is.name.as_str());
        let error = Error::usage(format!("there is no collection {name:?}"));
        Err(match crate::config::alike(name, names) {
            Some(meant) => error.advise(format!("did you mean {meant:?}?")),
            None => error.advise("see whimbrel collection list, or make it with whimbrel collection create"),
        })
    }

    /// What people know somebody or something by.
    pub(crate) fn name_of(&self, object: &Object) -> String {
        match object {
            Object::Mailbox(number) => {
                let row = self.mailboxes.binary_search_by_key(number, |row| row.mailbox);
                row.map_or_else(|_| object.text(), |place| self.mailboxes[place].roster.source_name.clone())
            }
            Object::List(directory, key) => self.lists.get(object).map_or_else(
                || format!("{directory}:{key}"),
                |facts| facts.mail.clone().unwrap_or_else(|| facts.name.clone()),
            ),
        }
    }

    fn elsewhere(&self, object: &Object, is_in: Option<i64>) -> String {
        let name = self.name_of(object);
        match is_in.and_then(|number| self.collection(number)) {
            Some(collection) => format!("{name} is in the collection {:?}", collection.is.name),
            None => format!("{name} is in no collection"),
        }
    }

    /// Somebody else was quicker.
    fn refuse_elsewhere(&self, placed: &Placed) -> Result<(), Error> {
        let mut mistakes = Mistakes::new();
        for (object, is_in) in &placed.elsewhere {
            mistakes.add(self.elsewhere(object, *is_in));
        }
        mistakes.refuse(Some("R-155"), "look again: somebody has changed it just now")
    }

    fn vip_names(&self, mailboxes: impl Iterator<Item = i64>) -> Vec<String> {
        let vips = mailboxes.filter(|mailbox| self.vips.contains_key(mailbox));
        vips.map(|mailbox| self.name_of(&Object::Mailbox(mailbox))).collect()
    }

    fn refuse_first(
        &self,
        collection: &CollectionRow,
        objects: &[Object],
        even_first: bool,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        if !first_to_start(&self.collections).any(|first| first.collection == collection.collection) {
            return Ok(());
        }
        let mailboxes = objects.iter().filter_map(|object| match object {
            Object::Mailbox(number) => Some(*number),
            Object::List(..) => None,
        });
        refuse_vips_first(&collection.is.name, &self.vip_names(mailboxes), even_first, reason)
    }

    /// VIPs who are in the collection that starts first.
    pub(crate) fn vips_first(&self) -> BTreeSet<i64> {
        let first = first_to_start(&self.collections);
        let mailboxes = first.flat_map(|row| self.mailboxes_of(Some(row.collection))).map(|row| row.mailbox);
        mailboxes.filter(|mailbox| self.vips.contains_key(mailbox)).collect()
    }

    /// When a collection starts, for people.
    pub(crate) fn start_text(&self, row: &CollectionRow) -> String {
        match row.is.start_at {
            None => "waits for a start".to_owned(),
            Some(start) if start <= self.now_ms() => format!("started {}", self.shown(start)),
            Some(start) => format!("starts {}", self.shown(start)),
        }
    }

    /// How and when a collection switches, for people.
    pub(crate) fn switch_text(&self, row: &CollectionRow) -> String {
        let planned = row.is.switch_at.map(|date| format!(", planned for {}", self.shown(date))).unwrap_or_default();
        match row.is.switch {
            SwitchHow::Auto => format!("by itself, when in step{planned}"),
            SwitchHow::ByHand => format!("by hand{planned}"),
            SwitchHow::At => row.is.switch_at.map_or("at a date".to_owned(), |date| format!("at {}", self.shown(date))),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
