//! Changes as they are made: looked at, sent several at once where their order does not matter, and told what became of each.
//!
//! * What is there is read right before it is changed, and the change itself names the values that go: where one of them is not
//!   there any more the server refuses all of it, and that is a conflict.
//! * Before something is made its mark is looked for, and again where its name is taken: nothing is made twice, by whomever.
//! * After an answer that did not come nothing more is sent. What was on its way at that time is in doubt, too, unless its own
//!   answer comes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connector::{Change, ChangeOutcome, Door, Effect as Passed, Error, PlannedChange};
use ldap3::LdapResult;
use model::{Cause, Entry, Reference, Scope};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::task::JoinSet;

use super::find::Finder;
use crate::config::{Config, Write};
use crate::map::attributes::Field;
use crate::map::entry::Map;
use crate::map::fields::Places;
use crate::map::written::{Decision, New, Rename, Revision};
use crate::wire::connection::{Begun, Effect, Sent};
use crate::wire::{dn, result};

/// How often a change is sent again that the server has no time for, and for how long is waited before: it was not made.
const BUSY_WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Makes these changes. At this time.
pub(crate) async fn apply(
    config: &Config,
    map: &Map,
    changes: &[PlannedChange],
    door: &dyn Door,
    now: i64,
) -> Result<Vec<ChangeOutcome>, Error> {
    let write = config.write.as_ref().ok_or_else(|| {
        let what = format!("{} is not written: there is no table for it (write)", config.address());
        Error::new(Cause::Unsupported, Scope::Run, what)
    })?;
    if let Some(mistake) = config.mistake() {
        return Err(Error::new(Cause::Unsupported, Scope::Run, mistake));
    }
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut finder = Finder::reach(config, map).await?;
    let places = finder.places(&references(changes)).await?;
    let mut work = Work { finder, write, places, door, now, outcomes: vec![None; changes.len()], stopped: None };
    let mut from = 0;
    while from < changes.len() && work.stopped.is_none() {
        let to = from + alike(&changes[from..]);
        let range: Vec<(usize, &Change)> = (from..to).map(|number| (number, &changes[number].change)).collect();
        match &changes[from].change {
            Change::Create { .. } => work.create(&range).await?,
            Change::Update { .. } => work.update(&range).await?,
            Change::Remove { .. } => work.remove(&range).await?,
        }
        from = to;
    }
    work.finish()
}

/// How many of the next changes may be made at the same time: of one sort, and none of them about the same entry.
fn alike(changes: &[PlannedChange]) -> usize {
    let mut seen = BTreeSet::new();
    let what = |change: &Change| match change {
        Change::Create { entry, .. } => (0, entry.origin.clone().filter(|origin| !origin.is_empty())),
        Change::Update { before, .. } => (1, Some(before.key.clone())),
        Change::Remove { before } => (2, Some(before.key.clone())),
    };
    let sort = changes.first().map(|first| what(&first.change).0);
    let is_alike = |change: &&PlannedChange| {
        let (of, about) = what(&change.change);
        Some(of) == sort && about.is_none_or(|about| seen.insert(about))
    };
    changes.iter().take_while(is_alike).count()
}

/// Everybody whom these changes name.
fn references(changes: &[PlannedChange]) -> Vec<&Reference> {
    let mut references = Vec::new();
    for planned in changes {
        let entries: Vec<&Entry> = match &planned.change {
            Change::Create { entry, .. } => vec![entry],
            Change::Update { before, after } => vec![before, after],
            Change::Remove { .. } => Vec::new(),
        };
        for entry in entries {
            references.extend(entry.members.iter().chain(&entry.owners));
            references.extend(entry.grants.iter().map(|grant| &grant.to));
        }
    }
    references
}

struct Work<'w> {
    finder: Finder<'w>,
    write: &'w Write,
    places: Places,
    door: &'w dyn Door,
    now: i64,
    outcomes: Vec<Option<ChangeOutcome>>,
    /// Why nothing more is sent.
    stopped: Option<Error>,
}

impl Work<'_> {
    fn set(&mut self, number: usize, outcome: ChangeOutcome) {
        self.outcomes[number] = Some(outcome);
    }

    /// What has no outcome was not tried.
    fn finish(self) -> Result<Vec<ChangeOutcome>, Error> {
        let is_any = self.outcomes.iter().any(Option::is_some);
        if let (Some(error), false) = (&self.stopped, is_any) {
            return Err(error.clone());
        }
        let why = self.stopped.map_or_else(String::new, |error| format!(": {error}"));
        let untried =
            Error::new(Cause::Stopped, Scope::Run, format!("not tried, since one before it is in doubt{why}"));
        Ok(self
            .outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| ChangeOutcome::Refused(untried.clone())))
            .collect())
    }

    /// Sends effects, several at once, and gives what became of each that was sent.
    async fn send(&mut self, effects: Vec<(usize, Passed, Effect)>) -> Result<BTreeMap<usize, Sent>, Error> {
        let mut sent = BTreeMap::new();
        let mut flight: JoinSet<(usize, Sent)> = JoinSet::new();
        let mut effects = effects.into_iter();
        let mut shut = None;
        // After deletions at the same time OpenLDAP may tell whoever follows it of some of them only when something changes again.
        let is_delete = |effect: &(usize, Passed, Effect)| matches!(effect.2, Effect::Delete { .. });
        let at_once = if effects.as_slice().iter().any(is_delete) { 1 } else { self.write.at_once };
        loop {
            while flight.len() < at_once && self.stopped.is_none() && shut.is_none() {
                let Some((number, passed, effect)) = effects.next() else { break };
                if let Err(error) = self.door.before(passed) {
                    shut = Some(error);
                    break;
                }
                let begun: Begun = self.finder.connection.begin(effect).await;
                self.door.after(passed);
                flight.spawn(async move { (number, begun.await) });
            }
            let Some(ended) = flight.join_next().await else { break };
            let (number, what) = ended.map_err(|error| {
                Error::new(Cause::InDoubt, Scope::Run, format!("a change was stopped on its way: {error}"))
            })?;
            if let Sent::InDoubt(error) | Sent::Not(error) = &what {
                self.stopped.get_or_insert_with(|| error.clone());
            }
            sent.insert(number, what);
        }
        match shut {
            Some(error) => Err(error),
            None => Ok(sent),
        }
    }

    /// Sends one effect, again while the server has no time for it.
    async fn send_one(&mut self, passed: Passed, effect: &Effect) -> Result<Sent, Error> {
        let mut waits = BUSY_WAITS.iter();
        loop {
            let mut sent = self.send(vec![(0, passed, effect.clone())]).await?;
            let stopped = || Sent::Not(Error::new(Cause::Stopped, Scope::Run, "nothing more is sent"));
            match sent.remove(&0).unwrap_or_else(stopped) {
                Sent::Refused(answer) if is_busy(&answer) => match waits.next() {
                    Some(wait) => tokio::time::sleep(*wait).await,
                    None => return Ok(Sent::Refused(answer)),
                },
                other => return Ok(other),
            }
        }
    }

    /// Sends effects, several at once, and those for which the server had no time once more, one by one.
    async fn send_all(&mut self, effects: Vec<(usize, Passed, Effect)>) -> Result<BTreeMap<usize, Sent>, Error> {
        let kept: BTreeMap<usize, (Passed, Effect)> =
            effects.iter().map(|(number, passed, effect)| (*number, (*passed, effect.clone()))).collect();
        let mut sent = self.send(effects).await?;
        let busy: Vec<usize> = sent
            .iter()
            .filter(|(_, what)| matches!(what, Sent::Refused(answer) if is_busy(answer)))
            .map(|(number, _)| *number)
            .collect();
        for number in busy {
            if self.stopped.is_none() {
                let (passed, effect) = &kept[&number];
                tokio::time::sleep(BUSY_WAITS[0]).await;
                let again = self.send_one(*passed, effect).await?;
                sent.insert(number, again);
            }
        }
        Ok(sent)
    }

    /// The outcome of what was not made.
    fn not_made(what: String, sent: Sent) -> Option<ChangeOutcome> {
        match sent {
            Sent::Done => None,
            Sent::Refused(answer) => {
                let error = result::refusal(what, &answer).reaching(Scope::Item);
                Some(ChangeOutcome::Refused(error))
            }
            // It is untried, like everything after it.
            Sent::Not(_) => None,
            Sent::InDoubt(error) => {
                Some(ChangeOutcome::InDoubt(Error { what: format!("{what}: {}", error.what), ..error }))
            }
        }
    }

    async fn create(&mut self, range: &[(usize, &Change)]) -> Result<(), Error> {
        let there = self.marked(range).await?;
        let mut new: BTreeMap<usize, (&Entry, New)> = BTreeMap::new();
        let mut secrets: BTreeMap<usize, Vec<(String, Vec<u8>)>> = BTreeMap::new();
        for (number, change) in range {
            let Change::Create { entry, password } = change else { continue };
            if let Some(outcome) = entry.origin.as_deref().and_then(|origin| there.get(origin)) {
                self.set(*number, outcome.clone());
                continue;
            }
            let refused = |what: String| {
                let what = format!("cannot make {}: {what}", entry.label());
                ChangeOutcome::Refused(Error::new(Cause::Refused, Scope::Item, what))
            };
            match self.finder.map.new_entry(self.write, entry, &self.places) {
                Ok(made) => drop(new.insert(*number, (&**entry, made))),
                Err(what) => {
                    self.set(*number, refused(what));
                    continue;
                }
            }
            let Some(password) = password.as_ref().filter(|_| entry.kind.holds_mail()) else { continue };
            let mut salt = [0; 8];
            SystemRandom::new()
                .fill(&mut salt)
                .map_err(|_| Error::new(Cause::Internal, Scope::Run, "the system has no randomness"))?;
            match self.finder.map.password(self.write, self.finder.config.tls, password, salt) {
                Ok(attributes) => drop(secrets.insert(*number, attributes)),
                Err(what) => {
                    new.remove(number);
                    self.set(*number, refused(what));
                }
            }
        }
        let effect = |number: &usize, made: &New, name: usize| {
            let mut effect = made.effect(name);
            if let Effect::Add { attributes, .. } = &mut effect {
                for (name, value) in secrets.get(number).into_iter().flatten() {
                    attributes.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                    attributes.push((name.clone(), vec![value.clone()]));
                }
            }
            effect
        };
        let effects =
            new.iter().map(|(number, (_, made))| (*number, Passed::CreateEntry, effect(number, made, 0))).collect();
        let sent = self.send_all(effects).await?;
        let (mut done, mut taken) = (Vec::new(), Vec::new());
        for (number, sent) in sent {
            let (entry, made) = &new[&number];
            match sent {
                Sent::Done => done.push((number, made.places().swap_remove(0))),
                Sent::Refused(answer) if answer.rc == result::ENTRY_ALREADY_EXISTS => taken.push((number, answer)),
                other => self.outcomes[number] = Self::not_made(format!("cannot make {}", entry.label()), other),
            }
        }
        self.keys(done).await?;
        for (number, answer) in taken {
            let (entry, made) = &new[&number];
            self.taken(number, entry, answer, made.places(), |name| effect(&number, made, name)).await?;
        }
        Ok(())
    }

    /// What bears one of the marks of these new entries already, as outcomes by mark.
    async fn marked(&mut self, range: &[(usize, &Change)]) -> Result<BTreeMap<String, ChangeOutcome>, Error> {
        let origins: BTreeSet<&str> = range
            .iter()
            .filter_map(
                |(_, change)| if let Change::Create { entry, .. } = change { entry.origin.as_deref() } else { None },
            )
            .collect();
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for raw in self.finder.by_origins(&origins).await? {
            let marks = self.finder.map.attributes.of_field(Field::Origin).iter().flat_map(|name| raw.texts(name));
            let marks: Vec<&str> = marks.filter(|mark| origins.contains(mark)).collect();
            for mark in marks {
                keys.entry(mark.to_owned()).or_default().push(self.finder.map.key(&raw).unwrap_or_default());
            }
        }
        let outcome = |(mark, mut keys): (String, Vec<String>)| {
            let outcome = match keys.len() {
                1 => ChangeOutcome::Unchanged { key: keys.swap_remove(0) },
                count => ChangeOutcome::Conflict(format!("{count} entries bear its mark {mark}: remove all but one")),
            };
            (mark, outcome)
        };
        Ok(keys.into_iter().map(outcome).collect())
    }

    /// The name of a new entry is taken: by the same, or by another, then it may have a further name.
    async fn taken(
        &mut self,
        number: usize,
        entry: &Entry,
        answer: LdapResult,
        names: Vec<String>,
        effect: impl Fn(usize) -> Effect,
    ) -> Result<(), Error> {
        if self.stopped.is_some() {
            return Ok(());
        }
        let change = Change::Create { entry: Box::new(entry.clone()), password: None };
        if let Some(outcome) = self.marked(&[(number, &change)]).await?.into_values().next() {
            self.set(number, outcome);
            return Ok(());
        }
        let what = format!("cannot make {} as {}", entry.label(), names.join(", then as "));
        let mut last = answer;
        for (name, place) in names.iter().enumerate().skip(1) {
            match self.send_one(Passed::CreateEntry, &effect(name)).await? {
                Sent::Done => return self.keys(vec![(number, place.clone())]).await,
                Sent::Refused(answer) => last = answer,
                other => {
                    self.outcomes[number] = Self::not_made(what, other);
                    return Ok(());
                }
            }
        }
        self.outcomes[number] = Self::not_made(what, Sent::Refused(last));
        Ok(())
    }

    /// The keys that new entries were given.
    async fn keys(&mut self, made: Vec<(usize, String)>) -> Result<(), Error> {
        let asked = self.finder.map.attributes.of_field(Field::Key).to_vec();
        let mut flight = JoinSet::new();
        let mut made = made.into_iter();
        loop {
            while flight.len() < self.write.at_once {
                let Some((number, place)) = made.next() else { break };
                let (mut connection, asked) = (self.finder.connection.shared(), asked.clone());
                flight.spawn(async move { (number, connection.entry(&place, &asked).await, place) });
            }
            let Some(ended) = flight.join_next().await else { break };
            let Ok((number, read, place)) = ended else { continue };
            let key = read.map(|raw| raw.and_then(|raw| self.finder.map.key(&raw)));
            let outcome = match key {
                Ok(Some(key)) => ChangeOutcome::Done { key },
                Ok(None) => {
                    let what = format!("{place} was made, and its key can't be read");
                    ChangeOutcome::InDoubt(Error::new(Cause::InDoubt, Scope::Item, what))
                }
                Err(error) => {
                    let error = Error { cause: Cause::InDoubt, ..error };
                    self.stopped.get_or_insert_with(|| error.clone());
                    ChangeOutcome::InDoubt(error)
                }
            };
            self.set(number, outcome);
        }
        Ok(())
    }

    async fn update(&mut self, range: &[(usize, &Change)]) -> Result<(), Error> {
        let mut todo: Vec<(usize, &Entry, &Entry)> = Vec::new();
        for (number, change) in range {
            let Change::Update { before, after } = change else { continue };
            todo.push((*number, before, after));
        }
        let keys: BTreeSet<&str> = todo.iter().map(|(_, before, _)| before.key.as_str()).collect();
        let there = self.finder.by_keys(&keys).await?;
        let (mut plain, mut renamed) = (BTreeMap::new(), Vec::new());
        for (number, before, after) in todo {
            match self.decide(there.get(&before.key), before, after) {
                Ok(Revision { parts, rename: None }) => {
                    plain.insert(number, (before, after, there[&before.key].dn.clone(), parts));
                }
                Ok(revision) => renamed.push((number, before, after, revision)),
                Err(outcome) => self.set(number, outcome),
            }
        }
        let effects = plain.iter().map(|(number, (_, _, dn, parts))| {
            (*number, Passed::ChangeEntry, Effect::Modify { dn: dn.clone(), parts: parts.clone() })
        });
        let sent = self.send_all(effects.collect()).await?;
        for (number, sent) in sent {
            let (before, after, ..) = &plain[&number];
            let outcome = self.changed(before, after, sent).await?;
            self.outcomes[number] = outcome;
        }
        for (number, before, after, revision) in renamed {
            if self.stopped.is_none() {
                let dn = there[&before.key].dn.clone();
                self.outcomes[number] = self.rename(before, after, dn, revision).await?;
            }
        }
        Ok(())
    }

    fn decide(
        &self,
        raw: Option<&crate::wire::entry::RawEntry>,
        before: &Entry,
        after: &Entry,
    ) -> Result<Revision, ChangeOutcome> {
        let Some(raw) = raw else {
            return Err(ChangeOutcome::Conflict(format!("{} is not there any more ({})", before.label(), before.key)));
        };
        match self.finder.map.revise(raw, before, after, &self.places, self.now) {
            Decision::Unchanged => Err(ChangeOutcome::Unchanged { key: before.key.clone() }),
            Decision::Conflict(what) => Err(ChangeOutcome::Conflict(what)),
            Decision::Refused(what) => {
                let what = format!("cannot change {}: {what}", after.label());
                Err(ChangeOutcome::Refused(Error::new(Cause::Refused, Scope::Item, what)))
            }
            Decision::Write(revision) => Ok(revision),
        }
    }

    /// What became of a modification. Where it was refused for what was there, it is looked again what is.
    async fn changed(&mut self, before: &Entry, after: &Entry, sent: Sent) -> Result<Option<ChangeOutcome>, Error> {
        let what = format!("cannot change {}", after.label());
        match sent {
            Sent::Done => Ok(Some(ChangeOutcome::Done { key: before.key.clone() })),
            Sent::Refused(answer) if is_of_another_state(&answer) && self.stopped.is_none() => {
                let found = self.finder.by_keys(&BTreeSet::from([before.key.as_str()])).await?;
                match self.decide(found.get(&before.key), before, after) {
                    Err(outcome) => Ok(Some(outcome)),
                    // It is as it was, and the server does not take the change.
                    Ok(_) => Ok(Self::not_made(what, Sent::Refused(answer))),
                }
            }
            other => Ok(Self::not_made(what, other)),
        }
    }

    /// A change that goes with another name: two effects. The one that may be refused for its name goes first where a field
    /// needs it, and is taken back when the other is refused; else it comes last, and the entry may keep its name.
    async fn rename(
        &mut self,
        before: &Entry,
        after: &Entry,
        dn: String,
        revision: Revision,
    ) -> Result<Option<ChangeOutcome>, Error> {
        let Revision { parts, rename } = revision;
        let Some(Rename { relatives, old, is_needed }) = rename else { return Ok(None) };
        let what = format!("cannot rename {dn}");
        let key = before.key.clone();
        if is_needed {
            let Some(relative) = relatives.first() else { return Ok(None) };
            match self
                .send_one(Passed::ChangeEntry, &Effect::Rename { dn: dn.clone(), relative: relative.clone() })
                .await?
            {
                Sent::Done => {}
                Sent::Refused(answer) if answer.rc == result::NO_SUCH_OBJECT => {
                    return self.changed(before, after, Sent::Refused(answer)).await;
                }
                other => return Ok(Self::not_made(what, other)),
            }
            if parts.is_empty() {
                return Ok(Some(ChangeOutcome::Done { key }));
            }
            let new = format!("{relative},{}", dn::above(&dn));
            let sent = self.send_one(Passed::ChangeEntry, &Effect::Modify { dn: new.clone(), parts }).await?;
            let Sent::Refused(answer) = sent else { return self.changed(before, after, sent).await };
            return Ok(Some(
                match self.send_one(Passed::ChangeEntry, &Effect::Rename { dn: new.clone(), relative: old }).await? {
                    Sent::Done => match self.changed(before, after, Sent::Refused(answer)).await? {
                        Some(outcome) => outcome,
                        None => return Ok(None),
                    },
                    _ => {
                        let what = format!(
                            "{new} has its new name, and was not changed otherwise ({})",
                            result::words(&answer)
                        );
                        ChangeOutcome::InDoubt(Error::new(Cause::InDoubt, Scope::Item, what))
                    }
                },
            ));
        }
        if !parts.is_empty() {
            let sent = self.send_one(Passed::ChangeEntry, &Effect::Modify { dn: dn.clone(), parts }).await?;
            match self.changed(before, after, sent).await? {
                Some(ChangeOutcome::Done { .. }) => {}
                other => return Ok(other),
            }
        }
        for relative in relatives {
            match self.send_one(Passed::ChangeEntry, &Effect::Rename { dn: dn.clone(), relative }).await? {
                Sent::Done => break,
                Sent::Refused(answer) => {
                    tracing::warn!(place = %dn, answer = %result::words(&answer), "an entry keeps its name in the directory");
                }
                // What it says is made; the look at it tells that, and tries the name again.
                other => return Ok(Self::not_made(what, other)),
            }
        }
        Ok(Some(ChangeOutcome::Done { key }))
    }

    async fn remove(&mut self, range: &[(usize, &Change)]) -> Result<(), Error> {
        let keys = range.iter().filter_map(|(_, change)| {
            if let Change::Remove { before } = change { Some(before.key.as_str()) } else { None }
        });
        let there = self.finder.by_keys(&keys.collect()).await?;
        let mut effects = Vec::new();
        for (number, change) in range {
            let Change::Remove { before } = change else { continue };
            let Some(raw) = there.get(&before.key) else {
                self.set(*number, ChangeOutcome::Unchanged { key: before.key.clone() });
                continue;
            };
            let mark = before.origin.as_deref().map(str::trim).filter(|mark| !mark.is_empty());
            let mut known = self.finder.map.attributes.of_field(Field::Origin).iter().flat_map(|name| raw.texts(name));
            if mark.is_none_or(|mark| !known.any(|text| text.trim() == mark)) {
                let what =
                    format!("cannot remove {}: it does not bear the mark of what this program made", before.label());
                self.set(*number, ChangeOutcome::Refused(Error::new(Cause::Refused, Scope::Item, what)));
                continue;
            }
            match self.finder.map.differs(raw, before, &self.places, self.now) {
                Some(what) => self.set(*number, ChangeOutcome::Conflict(what)),
                None => effects.push((*number, Passed::RemoveEntry, Effect::Delete { dn: raw.dn.clone() })),
            }
        }
        let of: BTreeMap<usize, &Change> = range.iter().copied().collect();
        for (number, sent) in self.send_all(effects).await? {
            let Change::Remove { before } = of[&number] else { continue };
            let key = before.key.clone();
            self.outcomes[number] = match sent {
                Sent::Done => Some(ChangeOutcome::Done { key }),
                Sent::Refused(answer) if answer.rc == result::NO_SUCH_OBJECT => Some(ChangeOutcome::Unchanged { key }),
                other => Self::not_made(format!("cannot remove {}", before.label()), other),
            };
        }
        Ok(())
    }
}

/// Was it refused for what was there, or was not?
fn is_of_another_state(answer: &LdapResult) -> bool {
    matches!(
        answer.rc,
        result::NO_SUCH_ATTRIBUTE
            | result::ATTRIBUTE_OR_VALUE_EXISTS
            | result::NO_SUCH_OBJECT
            | result::CONSTRAINT_VIOLATION
    )
}

fn is_busy(answer: &LdapResult) -> bool {
    matches!(answer.rc, result::BUSY | result::UNAVAILABLE)
}
