//! What keeps somebody out, how it is told from what the site does, and how it is taken back. Pure.

use std::fmt::{self, Write as _};

use connector::access::LoginState;
use connector::router::Evidence;
use connector::{Error, Retry};
use model::{Cause, Scope};

use super::AccessConfig;
use crate::router::attributes::Attributes;
use crate::router::marker::{self, Value, decoded, encoded};
use crate::router::person::Person;
use crate::router::put::{Plan, Planned};
use crate::router::schema::Resolved;
use crate::wire::connection::Part;

/// What our marker begins with: plain text on one line, as the router's.
const PREFIX: &str = "whimbrel-closed:";

/// The attribute and the value that keep somebody out.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    attribute: String,
    closed_with: String,
    beside: bool,
}

/// Our marker, as far as there is one.
enum Marking {
    Nothing,
    Ours(Mark),
    /// It can't be read: what was there before is not known.
    Unreadable,
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
    fn marking(person: &Person) -> Marking {
        let mut marking = Marking::Nothing;
        for raw in &person.marks {
            let Some(text) = str::from_utf8(raw).ok().and_then(|text| text.trim().strip_prefix(PREFIX)) else {
                continue;
            };
            match Self::read(raw, text, person) {
                Some((mark, true)) => return Marking::Ours(mark),
                Some((_, false)) => {}
                None => marking = Marking::Unreadable,
            }
        }
        marking
    }

    /// A marker, and whether it is of this entry.
    fn read(raw: &Value, text: &str, person: &Person) -> Option<(Mark, bool)> {
        let (mut mark, mut is_of, mut names_one) = (Mark { raw: raw.clone(), was: Vec::new() }, false, false);
        for token in text.split_whitespace() {
            let (name, value) = token.split_once('=')?;
            let value = decoded(value)?;
            let is =
                |own: &str| str::from_utf8(&value).is_ok_and(|text| !own.is_empty() && text.eq_ignore_ascii_case(own));
            match name {
                "key" => (is_of, names_one) = (is_of || is(&person.key), true),
                "of" => is_of |= person.own.iter().any(|own| is(own)) || is(&person.primary),
                "was" => mark.was.push(value),
                _ => return None,
            }
        }
        names_one.then_some((mark, is_of))
    }

    /// The attribute, as the server calls it.
    fn field<'r>(&'r self, resolved: &'r Resolved) -> &'r str {
        match &resolved.attributes {
            Attributes::Forwarding { address, .. } => &address.name,
            Attributes::Exchange { .. } => &self.attribute,
        }
    }

    /// The attributes that are written.
    pub(super) fn written(&self, resolved: &Resolved) -> [String; 2] {
        [self.field(resolved), &resolved.marker.name].map(str::to_owned)
    }

    /// Whether the person may log in.
    pub(super) fn state(&self, resolved: &Resolved, person: &Person) -> LoginState {
        let field = self.field(resolved);
        let values = person.now.of(field);
        let is_closed = values.iter().any(|value| self.keeps_out(value));
        let place = format!("{field} of {:?}", person.dn);
        let evidence = values.iter().map(|value| format!("{place}: {}", encoded(value)));
        let mut state = LoginState { evidence: Evidence(evidence.collect()), ..LoginState::default() };
        match (is_closed, Self::marking(person)) {
            (true, Marking::Nothing) => state.closed_by_others = Some(format!("{place}, by whoever runs the site")),
            (true, Marking::Ours(_) | Marking::Unreadable) => state.closed_by_us = true,
            (false, Marking::Ours(_)) => {
                state.closed_by_us = true;
                state.ineffective = Some(format!("{place} was changed since by somebody else"));
            }
            (false, Marking::Nothing | Marking::Unreadable) => {}
        }
        state
    }

    /// What is to be changed so that they may, or may not.
    pub(super) fn plan(&self, resolved: &Resolved, person: &Person, is_closed: bool) -> Planned {
        let (field, place) = (self.field(resolved), &resolved.marker.name);
        let values = person.now.of(field);
        // A marker of ours is no value of the site's, whatever attribute it stands in.
        let is_marker = |value: &&Value| marker::is_ours(value) || value.starts_with(PREFIX.as_bytes());
        let (ours, others): (Vec<Value>, Vec<Value>) =
            values.iter().filter(|value| !is_marker(value)).cloned().partition(|value| self.keeps_out(value));
        let mark = match Self::marking(person) {
            Marking::Nothing => None,
            Marking::Ours(mark) => Some(mark),
            Marking::Unreadable if ours.is_empty() => None,
            Marking::Unreadable => {
                let what = format!(
                    "what was there before ours is not known: {place} of {:?} can't be read: put {field} right by hand, and remove it",
                    person.dn
                );
                return Err(Error::new(Cause::Refused, Scope::Mailbox, what).retry(Retry::AfterPerson));
            }
        };
        let (mut parts, mut notes) = (Vec::new(), Vec::new());
        let name = || field.to_owned();
        if is_closed {
            // Whom the site keeps out stays out by the site, and whom we do needs nothing more.
            if !ours.is_empty() {
                return Ok(None);
            }
            if !self.beside && !others.is_empty() {
                parts.push(Part::Delete(name(), others.clone()));
            }
            parts.push(Part::Add(name(), vec![self.closed_with.clone().into_bytes()]));
            parts.extend(mark.map(|mark| Part::Delete(place.clone(), vec![mark.raw])));
            let (key, of) = (encoded(person.key.as_bytes()), encoded(person.primary.as_bytes()));
            let mut text = format!("{PREFIX} key={key} of={of}");
            for was in others.iter().filter(|_| !self.beside) {
                let _ = write!(text, " was={}", encoded(was));
            }
            parts.push(Part::Add(place.clone(), vec![text.into_bytes()]));
        } else {
            let Some(mark) = mark else { return Ok(None) };
            parts.push(Part::Delete(place.clone(), vec![mark.raw]));
            if !ours.is_empty() {
                parts.push(Part::Delete(name(), ours));
            }
            if others.is_empty() || self.beside {
                let missing: Vec<Value> = mark.was.into_iter().filter(|was| !others.contains(was)).collect();
                if !missing.is_empty() {
                    parts.push(Part::Add(name(), missing));
                }
            } else {
                notes
                    .push(format!("{field} of {:?} was changed since by somebody else, and stays as it is", person.dn));
            }
        }
        Ok(Some(Plan { parts, notes }))
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.beside { "beside what is there" } else { "in place of what is there" };
        write!(f, "{} = {:?}, {how}, keeps somebody out", self.attribute, self.closed_with)
    }
}
