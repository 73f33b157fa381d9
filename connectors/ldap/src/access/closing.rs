//! What keeps somebody out, how it is told from what the site does, and how it is taken back. Pure.

use std::fmt::{self, Write as _};

use connector::access::LoginState;
use connector::router::Evidence;

use super::AccessConfig;
use crate::router::marker::{Value, decoded, encoded};
use crate::router::person::Person;
use crate::router::put::Plan;
use crate::router::schema::Known;
use crate::wire::connection::Part;

/// What our marker begins with: plain text on one line, as the router's.
const PREFIX: &str = "whimbrel-closed:";

/// The attribute and the value that keep somebody out.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    pub(super) attribute: String,
    closed_with: String,
    beside: bool,
}

/// Our marker on an entry.
struct Mark {
    raw: Value,
    /// What was there before.
    was: Vec<Value>,
}

impl Closing {
    pub(super) fn of(config: &AccessConfig) -> Self {
        let (attribute, closed_with) = (config.attribute.clone(), config.closed_with.clone());
        Self { attribute, closed_with, beside: config.beside }
    }

    fn keeps_out(&self, value: &Value) -> bool {
        str::from_utf8(value).is_ok_and(|text| text.trim().eq_ignore_ascii_case(&self.closed_with))
    }

    /// Our marker, if it was put on this entry: one that was copied with another entry is none.
    fn mark(person: &Person) -> Option<Mark> {
        person.marks.iter().find_map(|raw| {
            let text = str::from_utf8(raw).ok()?.trim();
            let mut mark = Mark { raw: raw.clone(), was: Vec::new() };
            let mut is_of = false;
            for token in text.strip_prefix(PREFIX)?.split_whitespace() {
                let (name, value) = token.split_once('=')?;
                let value = decoded(value)?;
                let is = |own: &str| {
                    str::from_utf8(&value).is_ok_and(|text| !own.is_empty() && text.eq_ignore_ascii_case(own))
                };
                match name {
                    "key" => is_of |= is(&person.key),
                    "of" => is_of |= person.own.iter().any(|own| is(own)) || is(&person.primary),
                    "was" => mark.was.push(value),
                    _ => return None,
                }
            }
            is_of.then_some(mark)
        })
    }

    /// Whether the person may log in.
    pub(super) fn state(&self, person: &Person) -> LoginState {
        let values = person.now.of(&self.attribute);
        let is_closed = values.iter().any(|value| self.keeps_out(value));
        let place = format!("{} of {:?}", self.attribute, person.dn);
        let evidence = values.iter().map(|value| format!("{place}: {}", encoded(value)));
        let mut state = LoginState { evidence: Evidence(evidence.collect()), ..LoginState::default() };
        match (is_closed, Self::mark(person)) {
            (true, None) => state.closed_by_others = Some(format!("{place}, by whoever runs the site")),
            (true, Some(_)) => state.closed_by_us = true,
            (false, Some(_)) => {
                state.closed_by_us = true;
                state.ineffective = Some(format!("{place} was changed since by somebody else"));
            }
            (false, None) => {}
        }
        state
    }

    /// What is to be changed so that they may, or may not.
    pub(super) fn plan(&self, marker: &Known, person: &Person, is_closed: bool) -> Option<Plan> {
        let values = person.now.of(&self.attribute);
        let (ours, others): (Vec<Value>, Vec<Value>) = values.iter().cloned().partition(|value| self.keeps_out(value));
        let (mark, mut parts, mut notes) = (Self::mark(person), Vec::new(), Vec::new());
        let name = || self.attribute.clone();
        if is_closed {
            // Whom the site keeps out stays out by the site, and whom we do needs nothing more.
            if !ours.is_empty() {
                return None;
            }
            if !self.beside && !others.is_empty() {
                parts.push(Part::Delete(name(), others.clone()));
            }
            parts.push(Part::Add(name(), vec![self.closed_with.clone().into_bytes()]));
            parts.extend(mark.map(|mark| Part::Delete(marker.name.clone(), vec![mark.raw])));
            let mut text =
                format!("{PREFIX} key={} of={}", encoded(person.key.as_bytes()), encoded(person.primary.as_bytes()));
            for was in others.iter().filter(|_| !self.beside) {
                let _ = write!(text, " was={}", encoded(was));
            }
            parts.push(Part::Add(marker.name.clone(), vec![text.into_bytes()]));
        } else {
            let mark = mark?;
            parts.push(Part::Delete(marker.name.clone(), vec![mark.raw]));
            if !ours.is_empty() {
                parts.push(Part::Delete(name(), ours));
            }
            if others.is_empty() || self.beside {
                let missing: Vec<Value> = mark.was.into_iter().filter(|was| !others.contains(was)).collect();
                if !missing.is_empty() {
                    parts.push(Part::Add(name(), missing));
                }
            } else {
                notes.push(format!(
                    "{} of {:?} was changed since by somebody else, and stays as it is",
                    self.attribute, person.dn
                ));
            }
        }
        Some(Plan { parts, notes })
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.beside { "beside what is there" } else { "in place of what is there" };
        write!(f, "{} = {:?}, {how}, keeps somebody out", self.attribute, self.closed_with)
    }
}
