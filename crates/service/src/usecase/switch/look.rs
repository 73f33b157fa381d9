//! What sends a mailbox's mail on: what the router of a side tells that changes it, and what all those tell that are only read.
//!
//! A site has more than one place where mail is sent on: people's own scripts, attributes of a directory, aliases. One router puts ours on
//! and takes it off; the others are an inventory. What ours has put on may be seen by another router, too, as an address without our
//! mark: whatever leads where ours leads **while ours is on** is told as ours. Once ours is off, what still leads there is somebody
//! else's, which is why both are looked at again before mail is led the other way.

use std::collections::BTreeMap;
use std::sync::Arc;

use connector::router::{Destination, Force, Forwarder, ForwarderOwner, LocalCopy};
use connector::{Recipient, Retry, Router, Routing};
use model::{Cause, Scope, Side};
use movement::{Failure, Held};
use store::ForwarderRow;
use switch::{Ended, Rule, Task};

use super::driver::{Switcher, failed};
use super::rules::{keep_found, said, word_of};
use super::subject::Subject;
use super::task::is_on;

/// How often a mailbox whose copy has begun is looked at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looks {
    /// After so many milliseconds: what is sent on lies on the target twice until it is found.
    pub(crate) again_ms: i64,
    /// A look that could not be taken holds nothing up as long as the last one was clean and is no older than this.
    pub(crate) missed_ms_max: i64,
}

impl Default for Looks {
    fn default() -> Self {
        Self { again_ms: 3_600_000, missed_ms_max: 24 * 3_600_000 }
    }
}

/// By endpoint: the routers that are only read, each with its name.
pub(crate) type Inventory = BTreeMap<i64, Vec<(String, Arc<dyn Router>)>>;

/// The routers of a side of a mailbox.
#[derive(Clone)]
pub(crate) struct Readers {
    /// The one that is asked to change where mail goes.
    changes: Option<Arc<dyn Router>>,
    /// Those that are only read, by name.
    inventory: Vec<(String, Arc<dyn Router>)>,
    /// There are others, which are not asked.
    is_part: bool,
}

impl Readers {
    /// Is there nobody to ask?
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_none() && self.inventory.is_empty()
    }

    /// Asks each of them. One that waits for a person is told besides what all others say; any other that fails is told at once.
    pub(crate) async fn read(&self, who: &Recipient) -> Result<Told, connector::Error> {
        let mut told = Told::default();
        let mut take = |read: Result<Routing, connector::Error>| match read {
            Err(error) if error.cause == Cause::Awaiting => {
                told.awaited.get_or_insert(error);
                Ok(None)
            }
            read => read.map(Some),
        };
        let mut routing = Routing::default();
        if let Some(router) = &self.changes {
            routing = take(router.read(who).await)?.unwrap_or_default();
        }
        for (name, router) in &self.inventory {
            let read = router.read(who).await.map_err(|error| named(name, error));
            if let Some(told) = take(read)? {
                add(&mut routing, name, told);
            }
        }
        told.routing = routing;
        Ok(told)
    }

    /// Is what stands there told by one of these?
    fn tell(&self, place: &str) -> bool {
        match place.strip_prefix("routers.") {
            Some(rest) => self.inventory.iter().any(|(name, _)| rest.starts_with(&format!("{name}: "))),
            None => self.changes.is_some(),
        }
    }

    /// Those that can be asked without a person who is to do something for it.
    fn by_themselves(mut self) -> Self {
        let count = |readers: &Self| readers.inventory.len() + usize::from(readers.changes.is_some());
        let all = count(&self);
        self.changes = self.changes.filter(|router| !router.offers().asks_people);
        self.inventory.retain(|(_, router)| !router.offers().asks_people);
        self.is_part |= count(&self) < all;
        self
    }
}

/// What the routers of a side told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What those told that answered.
    routing: Routing,
    /// What one of the others waits for.
    awaited: Option<connector::Error>,
}

impl Told {
    /// What all of them told; or what is waited for.
    pub(crate) fn whole(self) -> Result<Routing, connector::Error> {
        self.awaited.map_or(Ok(self.routing), Err)
    }
}

fn named(name: &str, error: connector::Error) -> connector::Error {
    connector::Error { what: format!("routers.{name}: {}", error.what), ..error }
}

/// Adds what a router tells that is only read.
fn add(routing: &mut Routing, name: &str, told: Routing) {
    let ours = routing.redirected_to().map(str::to_owned);
    let is_ours = |address: &str| ours.as_ref().is_some_and(|ours| ours.eq_ignore_ascii_case(address));
    // A redirect of this program of which the router that changes knows nothing is one that nobody would take off.
    if let Some(to) = told.redirected_to().filter(|to| !is_ours(to)) {
        routing.others.push(Forwarder {
            to: Destination::Address(to.to_owned()),
            copy: LocalCopy::NotKept,
            force: Force::Always,
            owner: ForwarderOwner::Administrator,
            place: format!(
                "routers.{name}: a redirect of this program, which the router that is asked to change does not know"
            ),
        });
    }
    for other in told.others {
        if !matches!(&other.to, Destination::Address(to) if is_ours(to)) {
            routing.others.push(Forwarder { place: format!("routers.{name}: {}", other.place), ..other });
        }
    }
    routing.unread.extend(told.unread.into_iter().map(|what| format!("routers.{name}: {what}")));
    routing.evidence.0.extend(told.evidence.0.into_iter().map(|line| format!("routers.{name}: {line}")));
}

/// Where others send mail on, in force.
fn left(others: &[Forwarder]) -> Vec<&str> {
    others.iter().filter(|other| other.force != Force::Dormant).map(|other| other.place.as_str()).collect()
}

impl Switcher {
    /// Whoever can tell what sends a mailbox's mail on, on a side.
    pub(crate) fn readers(&self, of: Subject<'_>, side: Side) -> Readers {
        let roster = &of.row.roster;
        let endpoint = if side == Side::Source { roster.source_endpoint } else { roster.target_endpoint };
        let inventory = self.inventory.get(&endpoint).cloned().unwrap_or_default();
        Readers { changes: self.router(of, side).cloned(), inventory, is_part: false }
    }

    /// What of both sides sends the mailbox's mail on and is not ours, and what can't be looked into. What was found is kept.
    pub(crate) async fn others(&self, of: Subject<'_>) -> Result<(Vec<String>, Vec<String>), Failure> {
        let (mut found, mut unread, mut awaited) = (Vec::new(), Vec::new(), None);
        for side in [Side::Source, Side::Target] {
            let readers = self.readers(of, side);
            if readers.is_empty() {
                continue;
            }
            let who = self.recipient(of, side).await?;
            let told = readers.read(&who).await.map_err(|error| failed(side, error))?;
            found.extend(left(&told.routing.others).into_iter().map(|place| format!("{side}, {place}")));
            match told.whole() {
                // Both sides are asked, so that one person does both at once.
                Err(error) => drop(awaited.get_or_insert(failed(side, error))),
                Ok(routing) => {
                    keep_found(of.store, of.key, (of.row.mailbox, side), &routing).await?;
                    unread.extend(routing.unread);
                }
            }
        }
        // What was found needs nobody's answer.
        awaited.filter(|_| found.is_empty()).map_or(Ok((found, unread)), Err)
    }

    /// Nothing is copied of somebody whose mail the source sends on already, since what is sent on would lie on the target twice:
    /// looked at each time as long as nothing lies on the target (`is_untouched`), and every hour from then on.
    pub(crate) async fn refuse_forwarded(&self, of: Subject<'_>, is_untouched: bool) -> Result<(), Failure> {
        self.refuse_found(of, self.readers(of, Side::Source), is_untouched).await
    }

    async fn refuse_found(&self, of: Subject<'_>, readers: Readers, is_untouched: bool) -> Result<(), Failure> {
        if readers.is_empty() {
            return Ok(());
        }
        let its = (of.row.mailbox, Side::Source);
        let clean_for = if is_untouched { None } else { self.clean_for(of).await? };
        if clean_for.is_some_and(|age| age < self.looks.again_ms) {
            return Ok(());
        }
        let who = self.recipient(of, Side::Source).await?;
        let told = match readers.read(&who).await {
            Ok(told) => told,
            Err(error) if clean_for.is_some_and(|age| age < self.looks.missed_ms_max) => {
                tracing::warn!(mailbox = of.row.mailbox, %error, "whether something sends its mail on could not be looked at again");
                return Ok(());
            }
            Err(error) => return Err(failed(Side::Source, error)),
        };
        let more = if is_untouched { "" } else { " more" };
        let Told { routing, awaited } = told;
        let left: Vec<String> = left(&routing.others).into_iter().map(str::to_owned).collect();
        if awaited.is_none() || !left.is_empty() {
            // What one of them told before that waits for a person now stays.
            let asked = if awaited.is_some() { readers.by_themselves() } else { readers };
            keep_told(of, its, &asked, &routing).await?;
        }
        if !left.is_empty() {
            let what = format!("nothing{more} is copied while its mail is sent on by {}", left.join("; "));
            return Err(failed(Side::Source, connector::Error::new(Cause::Forwarded, Scope::Mailbox, what)));
        }
        match awaited {
            // It waits for whoever is to do it, and needs no issue for that.
            Some(error) if is_untouched => return Err(failed(Side::Source, error.retry(Retry::Later(None)))),
            Some(_) => return self.refuse_recorded(of).await,
            None => {}
        }
        let Some(first) = routing.unread.first() else { return Ok(()) };
        if self.word_about_unread(of).await?.is_some() {
            return Ok(());
        }
        let sign = sign_about_unread(&of.row.roster.source_name);
        let what = format!(
            "nothing{more} is copied while it is not known what sends its mail on: {first}; look there, then: {sign}"
        );
        Err(failed(Side::Source, connector::Error::new(Cause::Forwarded, Scope::Mailbox, what)))
    }

    /// What was found before holds as long as nobody has told anything else.
    async fn refuse_recorded(&self, of: Subject<'_>) -> Result<(), Failure> {
        let others = found_others(of, Side::Source).await?;
        let left = left(&others);
        if left.is_empty() {
            return Ok(());
        }
        let what =
            format!("nothing more is copied while its mail is sent on, as was found before, by {}", left.join("; "));
        Err(failed(Side::Source, connector::Error::new(Cause::Forwarded, Scope::Mailbox, what)))
    }

    /// For how many milliseconds it has been known that nothing at the source sends the mailbox's mail on; none: it is not known, or something
    /// does.
    async fn clean_for(&self, of: Subject<'_>) -> Result<Option<i64>, Failure> {
        let Some((found, others)) = of.store.found_routing(of.key, (of.row.mailbox, Side::Source)).await? else {
            return Ok(None);
        };
        let is_in_force = |text: &String| {
            serde_json::from_str::<Forwarder>(text).map_or(true, |forwarder| forwarder.force != Force::Dormant)
        };
        if others.iter().any(is_in_force) || (!found.unread.is_empty() && self.word_about_unread(of).await?.is_none()) {
            return Ok(None);
        }
        Ok(Some(of.store.now().await?.saturating_sub(found.seen_at)))
    }

    /// Somebody's word about what can't be looked into. It is different for everybody: a word about all is none about it.
    pub(crate) async fn word_about_unread(&self, of: Subject<'_>) -> Result<Option<String>, Failure> {
        let words = of.store.rule_words(of.key).await?;
        let word = word_of(&words, Rule::ForwardersAbsent, of.row.mailbox, of.row.roster.collection.as_deref());
        Ok(word.filter(|word| matches!(word.is.scope, store::RuleScope::Mailbox(_))).map(said))
    }

    /// What would lead mail in a circle if a side sent it to the other: ours that is on there, or what is not ours and leads back. What
    /// looked like ours as long as ours was on is somebody else's.
    pub(crate) async fn leads_back(&self, of: Subject<'_>, side: Side, other: Side) -> Result<Option<Back>, Failure> {
        let readers = self.readers(of, other);
        if readers.is_empty() {
            return Ok(None);
        }
        let who = self.recipient(of, other).await?;
        let told = readers.read(&who).await.map_err(|error| failed(other, error))?;
        let routing = told.whole().map_err(|error| failed(other, error))?;
        if routing.ours.as_ref().is_some_and(|ours| ours.ineffective.is_none()) {
            return Ok(Some(Back { what: format!("the {other} sends its mail on by ours"), is_ours: true }));
        }
        let own = self.every_address(of, side).await?;
        let back = routing.others.iter().find(|forwarder| leads_to(forwarder, &own));
        let what = back.map(|forwarder| format!("the {other} sends its mail back by {}", forwarder.place));
        Ok(what.map(|what| Back { what, is_ours: false }))
    }

    /// What of a side was last found to lead to the other side's addresses.
    async fn found_back(&self, of: Subject<'_>, side: Side, other: Side) -> Result<Option<String>, Failure> {
        let own = self.every_address(of, side).await?;
        let others = found_others(of, other).await?;
        Ok(others.into_iter().find(|forwarder| leads_to(forwarder, &own)).map(|forwarder| forwarder.place))
    }

    /// The addresses of a mailbox on a side, with those that the source's directories give it there.
    pub(super) async fn every_address(&self, of: Subject<'_>, side: Side) -> Result<Vec<String>, Failure> {
        let mut own = self.addresses(of, side);
        if side == Side::Source {
            let further = self.addressing.further(of.store, of.key).await?;
            own.extend(self.old_addresses_of(&of.row.roster, &further));
        }
        Ok(own)
    }

    /// Takes the forwarder to the source off where what was found there leads back: mail would go round between both. It is to
    /// come again, once that is gone. Told, if it was taken off.
    pub(crate) async fn break_circle(&self, held: &mut Held<'_>) -> Result<Option<String>, Failure> {
        let of = Subject::of(held);
        let row = of.store.forwarder(of.key, of.row.mailbox).await?.filter(|row| row.off_at.is_none());
        let (Some(row), Some(router)) = (row, self.router(of, Side::Target)) else { return Ok(None) };
        let Some(place) = self.found_back(of, Side::Target, Side::Source).await? else { return Ok(None) };
        let router = router.clone();
        let is_off =
            self.take_forwarder_off(held, &row, &*router, &format!("the source sends it back by {place}")).await?;
        Ok(is_off.then(|| {
            format!(
                "the forwarder from the target was taken off, since {place} leads back to it; it comes again once that is gone"
            )
        }))
    }

    /// Takes the forwarder off whose guardian's word has ended. What to say of that.
    pub(crate) async fn end_forwarder(
        &self,
        held: &mut Held<'_>,
        row: &ForwarderRow,
        why: String,
    ) -> Result<Option<String>, Failure> {
        let Some(router) = self.router(Subject::of(held), Side::Target).cloned() else { return Ok(Some(why)) };
        self.take_forwarder_off(held, row, &*router, &why).await?;
        Ok(Some(why))
    }

    /// Takes the forwarder to the source off for this reason, if it is there. Was it?
    async fn take_forwarder_off(
        &self,
        held: &mut Held<'_>,
        row: &ForwarderRow,
        router: &dyn Router,
        why: &str,
    ) -> Result<bool, Failure> {
        let who = self.recipient(Subject::of(held), Side::Target).await?;
        let its = (held.row().mailbox, Side::Target);
        let alone = Readers {
            changes: self.router(Subject::of(held), Side::Target).cloned(),
            inventory: Vec::new(),
            is_part: true,
        };
        let seen = router.read(&who).await.map_err(|error| failed(Side::Target, error))?;
        if seen.ours.is_none() {
            keep_told(Subject::of(held), its, &alone, &seen).await?;
            return Ok(false);
        }
        // On record first: who looks meanwhile takes it for on and for off.
        if row.on_at.is_some() {
            let mut tx = held.write().await?;
            tx.forwarder_waits().await?;
            tx.commit().await?;
        }
        router.release(&who, &*held.door()).await.map_err(|error| failed(Side::Target, error))?;
        let seen = router.read(&who).await.map_err(|error| failed(Side::Target, error))?;
        if let Some(to) = seen.redirected_to() {
            let what = format!("the target still sends mail on to {to}, though {why}");
            return Err(failed(Side::Target, connector::Error::new(Cause::Forwarded, Scope::Mailbox, what)));
        }
        keep_told(Subject::of(held), its, &alone, &seen).await?;
        Ok(true)
    }

    /// Was it seen within the hour that nothing of ours is on on this side?
    pub(super) async fn was_seen_off(&self, of: Subject<'_>, side: Side) -> Result<bool, Failure> {
        let its = (of.row.mailbox, side);
        let found = of.store.found_routing(of.key, its).await?;
        Ok(found.is_some_and(|(found, _)| found.redirected_to.is_none()) && self.was_looked_at(of, its).await?)
    }

    /// Puts the forwarder on that is on record, or looks after the one that is on. Why it is not on, if so.
    pub(crate) async fn tend_forwarder(&self, held: &mut Held<'_>) -> Result<Option<String>, Failure> {
        let of = Subject::of(held);
        let is_on = of.store.forwarder(of.key, of.row.mailbox).await?.is_some_and(|row| row.is_on());
        if !is_on {
            return self.forward_or_break(held).await;
        }
        let readers = self.readers(of, Side::Source).by_themselves();
        match Box::pin(self.refuse_found(of, readers, false)).await {
            Err(failure) if failure.error.cause == Cause::Forwarded => self.break_circle(held).await,
            looked => {
                looked?;
                self.forward_or_break(held).await
            }
        }
    }

    async fn forward_or_break(&self, held: &mut Held<'_>) -> Result<Option<String>, Failure> {
        let forwarded = Box::pin(self.forward(held)).await;
        if matches!(forwarded, Ok(None)) {
            return Ok(None);
        }
        // One that was to be taken off, and could not be then, may still be on.
        let told = Box::pin(self.break_circle(held)).await?;
        if told.is_some() { Ok(told) } else { forwarded }
    }

    /// Looks every hour whether the forwarder that is on record as on is: one that somebody has taken off comes again. Is it to be put on?
    pub(crate) async fn is_forwarder_gone(&self, held: &mut Held<'_>) -> Result<bool, Failure> {
        let of = Subject::of(held);
        let its = (of.row.mailbox, Side::Target);
        let router = self.router(of, Side::Target).filter(|router| !router.offers().asks_people);
        let to = self.addresses(of, Side::Source).into_iter().next();
        let (Some(router), Some(to)) = (router, to) else { return Ok(false) };
        let on_at = of.store.forwarder(of.key, of.row.mailbox).await?.and_then(|row| row.on_at);
        let seen = of.store.found_routing(of.key, its).await?;
        // Whoever has looked since may have seen it gone.
        let was_seen_gone = seen.is_some_and(|(seen, _)| {
            on_at.is_some_and(|on_at| seen.seen_at > on_at) && !is_on(&**router, seen.redirected_to.as_deref(), &to)
        });
        if !was_seen_gone && self.was_looked_at(of, its).await? {
            return Ok(false);
        }
        let (router, who) = (router.clone(), self.recipient(of, Side::Target).await?);
        let readers = self.readers(of, Side::Target).by_themselves();
        let told = readers.read(&who).await.map_err(|error| failed(Side::Target, error))?;
        let routing = told.whole().map_err(|error| failed(Side::Target, error))?;
        keep_told(of, its, &readers, &routing).await?;
        if is_on(&*router, routing.redirected_to(), &to) {
            return Ok(false);
        }
        tracing::warn!(mailbox = of.row.mailbox, "its forwarder is not there any more, and is put on again");
        let mut tx = held.write().await?;
        tx.forwarder_waits().await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Was it looked at within the hour?
    async fn was_looked_at(&self, of: Subject<'_>, its: (i64, Side)) -> Result<bool, Failure> {
        let found = of.store.found_routing(of.key, its).await?;
        let now = of.store.now().await?;
        Ok(found.is_some_and(|(found, _)| now.saturating_sub(found.seen_at) < self.looks.again_ms))
    }

    /// Looks every hour at what sends a switched mailbox's mail on at the target: what leads back to the source would go round with the
    /// redirect, and whoever set it can't know that. What is found is kept; an alert tells it.
    pub(crate) async fn look_at_switched(&self, of: Subject<'_>) -> Result<(), Failure> {
        let its = (of.row.mailbox, Side::Target);
        let readers = self.readers(of, Side::Target).by_themselves();
        if readers.is_empty() || self.was_looked_at(of, its).await? {
            return Ok(());
        }
        let who = self.recipient(of, Side::Target).await?;
        let told = readers.read(&who).await.map_err(|error| failed(Side::Target, error))?;
        let routing = told.whole().map_err(|error| failed(Side::Target, error))?;
        keep_told(of, its, &readers, &routing).await
    }
}

impl Switcher {
    /// Looks every hour whether the redirect of a switched mailbox is still on, since its person may have put another script in its place:
    /// mail would lie at the source, where they do not look any more. One that is gone is put on again, and told.
    pub(super) async fn look_at_redirect(&self, held: &Held<'_>) -> Result<(), Failure> {
        let of = Subject::of(held);
        let its = (of.row.mailbox, Side::Source);
        let router = self.router(of, Side::Source).filter(|router| !router.offers().asks_people);
        let to = self.addresses(of, Side::Target).into_iter().next();
        let (Some(router), Some(to)) = (router.cloned(), to) else { return Ok(()) };
        // Whoever else has looked may have seen it gone.
        let seen = of.store.found_routing(of.key, its).await?;
        let is_known_on = seen.is_some_and(|(seen, _)| is_on(&*router, seen.redirected_to.as_deref(), &to));
        if is_known_on && self.was_looked_at(of, its).await? {
            return Ok(());
        }
        let readers = self.readers(of, Side::Source).by_themselves();
        let who = self.recipient(of, Side::Source).await?;
        let told = readers.read(&who).await.map_err(|error| failed(Side::Source, error))?;
        let routing = told.whole().map_err(|error| failed(Side::Source, error))?;
        keep_told(of, its, &readers, &routing).await?;
        if is_on(&*router, routing.redirected_to(), &to) {
            return Ok(());
        }
        let attempt = self.put_on(Task::RedirectOn, held, Side::Source).await?;
        if attempt.ended == Ended::Done {
            tracing::warn!(mailbox = of.row.mailbox, "its redirect was not there any more, and was put on again");
            let told = readers.read(&who).await.map_err(|error| failed(Side::Source, error))?;
            let routing = told.whole().map_err(|error| failed(Side::Source, error))?;
            return keep_told(of, its, &readers, &routing).await;
        }
        let what = format!("its redirect is not there any more: {}", attempt.evidence);
        Err(failed(Side::Source, connector::Error::new(Cause::Forwarded, Scope::Mailbox, what)))
    }
}

/// What was last found to send a mailbox's mail on at a side, and is not ours.
async fn found_others(of: Subject<'_>, side: Side) -> Result<Vec<Forwarder>, Failure> {
    let found = of.store.found_routing(of.key, (of.row.mailbox, side)).await?;
    let others = found.into_iter().flat_map(|(_, others)| others);
    let read =
        |text: String| serde_json::from_str(&text).map_err(|_| store::Error::damaged("a forwarder that was found"));
    Ok(others.map(read).collect::<Result<_, _>>()?)
}

/// Keeps what these routers told of a side, beside what others told before that were not asked.
async fn keep_told(of: Subject<'_>, its: (i64, Side), readers: &Readers, routing: &Routing) -> Result<(), Failure> {
    let earlier = if readers.is_part { of.store.found_routing(of.key, its).await? } else { None };
    let Some((earlier, others)) = earlier else {
        keep_found(of.store, of.key, its, routing).await?;
        return Ok(());
    };
    let is_kept =
        |text: &String| serde_json::from_str::<Forwarder>(text).is_ok_and(|forwarder| !readers.tell(&forwarder.place));
    let mut kept: Vec<String> = others.into_iter().filter(is_kept).collect();
    kept.extend(routing.others.iter().map(|other| serde_json::json!(other).to_string()));
    let mut unread: Vec<String> = earlier.unread.into_iter().filter(|place| !readers.tell(place)).collect();
    unread.extend(routing.unread.iter().cloned());
    let ours =
        if readers.changes.is_some() { routing.redirected_to().map(str::to_owned) } else { earlier.redirected_to };
    let (mailbox, side) = its;
    let found = store::FoundRouting { mailbox, side, redirected_to: ours, unread, seen_at: 0 };
    of.store.set_found_routing(of.key, &found, &kept).await?;
    Ok(())
}

/// What would lead mail in a circle.
pub(crate) struct Back {
    pub(crate) what: String,
    /// It is this program's.
    pub(crate) is_ours: bool,
}

/// Does it send mail on to one of these, in force?
pub(super) fn leads_to(forwarder: &Forwarder, own: &[String]) -> bool {
    let Destination::Address(to) = &forwarder.to else { return false };
    forwarder.force != Force::Dormant && own.iter().any(|address| address.eq_ignore_ascii_case(to))
}

/// How somebody signs for what can't be looked into.
pub(crate) fn sign_about_unread(mailbox: &str) -> String {
    format!("whimbrel signoff record forwarders-absent --mailbox {mailbox} --by NAME --evidence FILE")
}
