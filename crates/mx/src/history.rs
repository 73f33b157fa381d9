//! What earlier looks saw, and what follows from it: how long an old answer may still be in somebody's cache.
//!
//! Between two looks a zone may have given out what the first of them saw, up to the moment of the second. So what was seen with a
//! time to live of an hour, and is gone at the next look, is gone everywhere an hour after that look.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::standing::{MailRoute, Observer, Seen, Standing, Wanted};

/// How long an answer may be kept whose time to live nobody saw: caches keep none longer than a week (RFC 8767 §4).
const UNSEEN_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a look saw of a domain's mail: to be kept, and handed to later plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// What each server said. None: it could not be asked.
    pub said: Vec<(Observer, Option<Said>)>,
    /// Were there servers of the zone that are not even known by address?
    pub incomplete: bool,
}

/// What a server said of a domain's mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Where it goes.
    pub mail: MailRoute,
    /// How long that may be kept.
    pub ttl_seconds: u32,
}

impl Observation {
    /// What this look saw.
    pub fn of(standing: &Standing, at: Timestamp) -> Self {
        let said = standing.views().map(|view| {
            let said = match &view.mail {
                Seen::Known { value, ttl_seconds } => Some(Said { mail: value.clone(), ttl_seconds: *ttl_seconds }),
                Seen::Absent { .. } | Seen::Unknown(_) => None,
            };
            (view.by.clone(), said)
        });
        Self { at, said: said.collect(), incomplete: !standing.authoritative_unknown.is_empty() }
    }

    fn zone(&self) -> impl Iterator<Item = Option<&Said>> {
        let of_zone = |(by, _): &&(Observer, Option<Said>)| matches!(by, Observer::Authoritative { .. });
        self.said.iter().filter(of_zone).map(|(_, said)| said.as_ref())
    }

    /// Do all servers of the zone say something for which this holds?
    fn holds(&self, is_so: impl Fn(&Said) -> bool) -> bool {
        !self.incomplete && self.zone().next().is_some() && self.zone().all(|said| said.is_some_and(&is_so))
    }
}

/// Where a domain's mail comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// To the local server.
    Local,
    /// To where it is wanted: the target platform.
    Wanted,
    /// Nowhere: the domain takes none.
    Nowhere,
}

/// Where mail comes now, as the last look tells that was answered, and where some of it may come besides: servers that say something else, hosts of
/// both, or caches that may still have an old answer. None where that is not known: nobody was asked, or somebody names hosts of neither.
pub fn leads(looks: &[Observation], wanted: &Wanted, now: Timestamp) -> Option<(Place, Option<Place>)> {
    let said = |look: &Observation| -> Option<Vec<Place>> {
        let said = look.said.iter().filter_map(|(_, said)| said.as_ref());
        let mut places: Vec<Place> =
            said.map(|said| places(&said.mail, wanted)).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
        places.sort_unstable();
        places.dedup();
        Some(places)
    };
    let answered: Vec<&Observation> =
        looks.iter().filter(|look| look.said.iter().any(|(_, said)| said.is_some())).collect();
    match said(answered.last()?)?[..] {
        [one] => {
            let others: Vec<Place> = answered.iter().filter_map(|look| said(look)).flatten().collect();
            let other = others.into_iter().rev().find(|place| *place != one);
            // Where it has been led since the first look it may have been led elsewhere before.
            let other = other.or((one == Place::Wanted).then_some(Place::Local));
            let gone = match one {
                Place::Wanted => old_gone_at(looks, wanted),
                _ => gone_at(looks, |said| places(&said.mail, wanted).is_some_and(|places| places == [one])),
            };
            let is_over = gone.is_some_and(|gone| gone <= now);
            Some((one, other.filter(|_| !is_over)))
        }
        [one, other] => Some((one, Some(other))),
        _ => None,
    }
}

/// Where mail comes by this; none: to hosts of neither side.
fn places(mail: &MailRoute, wanted: &Wanted) -> Option<Vec<Place>> {
    let place = |exchange: &crate::Name| {
        let is_wanted = wanted.mx.iter().any(|mx| mx.exchange == *exchange);
        let is_local = wanted.local_hosts.contains(exchange);
        if is_wanted { Some(Place::Wanted) } else { is_local.then_some(Place::Local) }
    };
    match mail {
        MailRoute::Mx(all) => all.iter().map(|mx| place(&mx.exchange)).collect(),
        MailRoute::NullMx => Some(vec![Place::Nowhere]),
        MailRoute::OwnAddress(_) | MailRoute::Nothing | MailRoute::NoDomain => None,
    }
}

/// Since when the zone's servers all lead mail to where it is wanted: since the first look that saw them all do so, unless one has said
/// otherwise since. A look at which some could not be asked proves nothing. None while they do not.
pub fn changed_at(looks: &[Observation], wanted: &Wanted) -> Option<Timestamp> {
    let is_wanted = |said: &Said| wanted.is_wanted(&said.mail);
    let not_otherwise = |look: &&Observation| look.zone().flatten().all(is_wanted);
    looks.iter().rev().take_while(not_otherwise).filter(|look| look.holds(is_wanted)).last().map(|look| look.at)
}

/// Do the zone's servers all lead mail to where it is wanted, as the last look has it?
pub fn is_changed(looks: &[Observation], wanted: &Wanted) -> bool {
    looks.last().is_some_and(|look| look.holds(|said| wanted.is_wanted(&said.mail)))
}

/// When nobody can have an old answer any more. None while the zone's servers still give one.
///
/// What was in caches before the first look is not known: a week from that look is waited for at least.
pub fn old_gone_at(looks: &[Observation], wanted: &Wanted) -> Option<Timestamp> {
    let gone = gone_at(looks, |said| wanted.is_wanted(&said.mail))?;
    let first = looks.first()?.at.checked_add(UNSEEN_TTL).ok()?;
    Some(gone.max(first))
}

/// When nobody can have an answer with a longer time to live than this any more, as far as the looks tell. None while the zone's
/// servers give one.
pub fn lowered_at(looks: &[Observation], low_seconds: u32) -> Option<Timestamp> {
    gone_at(looks, |said| said.ttl_seconds <= low_seconds)
}

/// When all answers for which this does not hold have run out. None while the zone gives one, or can't be asked.
fn gone_at(looks: &[Observation], is_so: impl Fn(&Said) -> bool) -> Option<Timestamp> {
    let last = looks.last()?;
    if !last.holds(&is_so) {
        return None;
    }
    let mut gone = looks.first()?.at;
    // The longest time that what was not so could be kept, as last known: a look that could not ask the zone adds nothing to it.
    let mut kept: Option<SignedDuration> = None;
    for look in looks {
        if let Some(kept) = kept {
            gone = gone.max(look.at.checked_add(kept).ok()?);
        }
        // A resolver keeps what it has for the rest of its time.
        for (_, said) in look.said.iter().filter(|(by, _)| matches!(by, Observer::Resolver(_))) {
            if let Some(said) = said.as_ref().filter(|said| !is_so(said)) {
                gone = gone.max(look.at.checked_add(SignedDuration::from_secs(said.ttl_seconds.into())).ok()?);
            }
        }
        let seen = look.zone().flatten().filter(|said| !is_so(said)).map(|said| said.ttl_seconds).max();
        if look.holds(&is_so) {
            kept = None;
        } else if let Some(seconds) = seen {
            let seen = SignedDuration::from_secs(seconds.into());
            // Beside a server that was not asked, what it said before still counts.
            let is_whole = !look.incomplete && look.zone().all(|said| said.is_some());
            kept = Some(if is_whole { seen } else { kept.map_or(seen, |kept| kept.max(seen)) });
        } else if kept.is_none() {
            kept = Some(UNSEEN_TTL);
        }
    }
    Some(gone)
}
