//! Our redirect is put on and taken off: each by one modification of the person's entry, which a server makes whole or not at all (RFC 4511
//! section 4.6).
//!
//! The modification names every value that goes, and where the server has assertions (RFC 4528) it holds only for the entry as it was
//! read. What somebody has changed in between makes it fail, or is seen when the entry is read again: then it is decided afresh, of what is
//! there. The end is what a reading shows, never what an answer says.

use connector::router::Evidence;
use connector::{Door, Effect as Passed, Error, Recipient, Rerouted, Retry};
use ldap3::LdapResult;
use model::{Cause, Scope};

use super::attributes::{is_plain_address, plain};
use super::contact;
use super::marker::{Marker, Value};
use super::person::{Ours, Person};
use super::site::{Endpoint, Site, refused};
use super::values::{difference, with};
use crate::wire::connection::{Effect, Part, Sent};
use crate::wire::result;

/// How often it is decided afresh, since somebody else changes the entry, too.
const TRIES_MAX: usize = 6;

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) enum Goal<'g> {
    /// All mail goes to this address, by the contact of this name if one is given.
    On(&'g str, Option<Value>),
    /// Nothing of ours is there.
    Off,
}

/// May this person's mail be sent there? Not to what is no address, and not to one of their own: it would come back.
pub(crate) fn may_lead(who: &Recipient, to: &str) -> Result<(), Error> {
    if !is_plain_address(to) {
        let what =
            format!("{to:?} can't be redirected to: it is no address that every mail server reads in the same way");
        return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
    }
    let mut own = who.addresses.iter().chain([&who.account.name]);
    if own.any(|own| plain(own) == plain(to)) { Err(is_own(to)) } else { Ok(()) }
}

fn is_own(to: &str) -> Error {
    let what = format!("{to:?} can't be redirected to: it is the person's own, so mail would go in a circle");
    Error::new(Cause::Unsupported, Scope::Mailbox, what)
}

/// What is to be changed of an entry as it was read, if anything; or why that can't be.
pub(crate) type Planned = Result<Option<Plan>, Error>;

/// The changes of one call.
pub(crate) struct Work<'w> {
    pub(crate) site: Site<'w>,
    pub(crate) door: &'w dyn Door,
    /// What each of them is to whoever watches the door.
    pub(crate) effect: Passed,
    /// Something has taken effect, or may have.
    pub(crate) changed: bool,
    pub(crate) notes: Vec<String>,
}

/// Puts our redirect to this address on.
pub(crate) async fn redirect(
    endpoint: &Endpoint,
    who: &Recipient,
    to: &str,
    door: &dyn Door,
) -> Result<Rerouted, Error> {
    let mut work = Work::begin(endpoint, door, Passed::Route).await?;
    let rerouted = work.redirect(who, to).await;
    work.settled(rerouted)
}

/// Takes our redirect off.
pub(crate) async fn release(endpoint: &Endpoint, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
    let mut work = Work::begin(endpoint, door, Passed::Route).await?;
    let rerouted = work.release(who).await;
    work.settled(rerouted)
}

impl<'w> Work<'w> {
    /// Connects and logs in, for one call.
    pub(crate) async fn begin(endpoint: &'w Endpoint, door: &'w dyn Door, effect: Passed) -> Result<Self, Error> {
        Ok(Self { site: Site::open(endpoint).await?, door, effect, changed: false, notes: Vec::new() })
    }

    /// What a call came to: after something has taken effect every error is in doubt, but for that of a shut door.
    pub(crate) fn settled(&mut self, rerouted: Result<(Evidence, Evidence), Failed>) -> Result<Rerouted, Error> {
        match rerouted {
            Ok((before, after)) => {
                let changed = self.changed || before != after;
                Ok(Rerouted { changed, before, after, notes: std::mem::take(&mut self.notes) })
            }
            Err(Failed::Door(error)) => Err(error),
            Err(Failed::Other(error)) if self.changed => Err(in_doubt(error)),
            Err(Failed::Other(error)) => Err(error),
        }
    }

    async fn redirect(&mut self, who: &Recipient, to: &str) -> Result<(Evidence, Evidence), Failed> {
        let person = self.site.person(who).await?;
        let before = person.evidence(&self.site.resolved);
        // What can't be done is refused before a contact is made for it.
        let stand_in = contact::is_wanted(&self.site).then(|| b"cn=contact".to_vec());
        if plan(&self.site, &person, &Goal::On(to, stand_in))?.is_none() {
            // A call that was cut may have left a contact behind.
            contact::clean(self, &person).await?;
            return Ok((before.clone(), before));
        }
        let contact = contact::find_or_make(self, &person, to).await?;
        let goal = Goal::On(to, contact);
        let person = self.reach(who, person, &|site, person| plan(site, person, &goal)).await?;
        contact::clean(self, &person).await?;
        Ok((before, person.evidence(&self.site.resolved)))
    }

    async fn release(&mut self, who: &Recipient) -> Result<(Evidence, Evidence), Failed> {
        let person = self.site.person(who).await?;
        let before = person.evidence(&self.site.resolved);
        let person = self.reach(who, person, &|site, person| plan(site, person, &Goal::Off)).await?;
        contact::clean(self, &person).await?;
        Ok((before, person.evidence(&self.site.resolved)))
    }

    /// Changes the entry until a reading shows what is wanted.
    pub(crate) async fn reach(
        &mut self,
        who: &Recipient,
        mut person: Person,
        plan: &(dyn Fn(&Site<'_>, &Person) -> Planned + Sync),
    ) -> Result<Person, Failed> {
        let mut asserts = true;
        for _ in 0..TRIES_MAX {
            let Some(plan) = plan(&self.site, &person)? else { return Ok(person) };
            let assertion = self.site.assertion(&person).filter(|_| asserts);
            let (dn, parts) = (person.dn.clone(), plan.parts);
            let effect = match assertion {
                Some(filter) => Effect::ModifyIf { dn, parts, filter },
                None => Effect::Modify { dn, parts },
            };
            let what = format!("cannot change {:?} on {}", person.dn, self.site.endpoint.connection.address());
            match self.send(effect).await? {
                Sent::Done => self.notes.extend(plan.notes),
                Sent::Refused(answer) if is_of_another_state(&answer) => {
                    let now = self.site.person(who).await?;
                    if is_as_it_was(&now, &person) {
                        // A server that knows assertions may not let this account make one about that attribute.
                        if !(asserts && answer.rc == result::ASSERTION_FAILED) {
                            return Err(refused(what, &answer).into());
                        }
                        asserts = false;
                    }
                    person = now;
                    continue;
                }
                Sent::Refused(answer) => return Err(refused(what, &answer).into()),
                Sent::Not(error) => return Err(error.into()),
                Sent::InDoubt(error) => return Err(Error { what: format!("{what}: {}", error.what), ..error }.into()),
            }
            person = self.site.person(who).await?;
        }
        if plan(&self.site, &person)?.is_none() {
            return Ok(person);
        }
        let what = format!("{:?} is changed by somebody else again and again: find out by whom", person.dn);
        Err(Error::new(Cause::Unavailable, Scope::Mailbox, what).into())
    }

    /// Sends one change, if the door lets it pass.
    pub(crate) async fn send(&mut self, effect: Effect) -> Result<Sent, Failed> {
        self.door.before(self.effect).map_err(Failed::Door)?;
        let begun = self.site.connection.begin(effect).await;
        self.door.after(self.effect);
        let sent = begun.await;
        self.changed |= matches!(sent, Sent::Done | Sent::InDoubt(_));
        Ok(sent)
    }
}

/// Why a call has ended.
pub(crate) enum Failed {
    /// The door was shut.
    Door(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// An error after something was sent that has an effect: nobody knows whether it took place.
fn in_doubt(error: Error) -> Error {
    let what = format!("{}: whether it took effect is not known; the same again settles it", error.what);
    let is_lost = matches!(error.cause, Cause::Connection | Cause::Protocol | Cause::Unavailable | Cause::InDoubt);
    let retry = if is_lost { Retry::Now } else { error.retry };
    Error { cause: Cause::InDoubt, scope: Scope::Mailbox, retry, what, server: error.server }
}

/// What is to be sent.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    pub(crate) notes: Vec<String>,
}

/// What is to be changed of an entry as it was read, if anything; or why that can't be.
pub(crate) fn plan(site: &Site<'_>, person: &Person, goal: &Goal<'_>) -> Planned {
    let attributes = &site.resolved.attributes;
    let place = &site.resolved.marker;
    let refuse = |cause, what: String| Err(Error::new(cause, Scope::Mailbox, what).retry(Retry::AfterPerson));
    let (name, dn) = (&place.name, &person.dn);
    if let Ours::Unreadable(why) = &person.ours {
        return refuse(Cause::Refused, format!("what was there before ours is not known: {name} of {dn:?}: {why}"));
    }
    let marked = person.marked();
    if let Some(why) = marked.and_then(|marked| marked.broken.as_ref()) {
        return refuse(Cause::Refused, format!("what was there before ours is not known: {name} of {dn:?}: {why}"));
    }
    if let Some(marked) = marked.filter(|marked| marked.is_anothers && person.is_led(attributes)) {
        let of = &marked.marker.of;
        return refuse(
            Cause::Refused,
            format!(
                "{name} of {dn:?} was put on the entry of {of}, from which this one seems to be copied with where its mail goes: \
                 remove both by hand, or where it is the same person write of={} into it",
                person.primary
            ),
        );
    }
    let (to, contact) = match goal {
        Goal::Off => {
            let Some(marked) = marked else { return Ok(None) };
            let (values, mut notes) = person.refreshed(attributes, person.without(attributes));
            let mut parts = difference(attributes, &person.now, &values);
            parts.push(Part::Delete(name.clone(), vec![marked.raw.clone()]));
            if !person.is_led(attributes) {
                let field = super::values::lead(attributes, &marked.marker).map_or("", |(field, _)| &field.name);
                notes.push(format!("{field} of {dn:?} was changed since by somebody else, and stays as it is"));
            }
            return Ok(Some(Plan { parts, notes }));
        }
        Goal::On(to, contact) => (*to, contact.clone()),
    };
    if person.own.contains(&plain(to)) {
        return Err(is_own(to));
    }
    if let Some(address) = person.elsewhere.first() {
        let what = format!(
            "{dn:?} does not have the address {address}, so its mail would go where it went: put it there, or name the \
             attribute that has it (addresses)"
        );
        return refuse(Cause::Missing, what);
    }
    if person.is_contact {
        return refuse(Cause::Unsupported, format!("{dn:?} is no mailbox, but a contact or a list"));
    }
    if let Some(odd) = person.odd.first() {
        return refuse(
            Cause::Unsupported,
            format!("{odd} of {dn:?} has an option: what mail servers make of it is not known"),
        );
    }
    if marked.is_some_and(|marked| marked.marker.to == to) && person.obstacle(attributes).is_none() {
        return Ok(None);
    }
    let others = person.marks.len() - usize::from(marked.is_some());
    if place.single && others > 0 {
        let what = format!(
            "{name} of {dn:?} holds a value of the site's and can have no other: name another attribute (marker)"
        );
        return refuse(Cause::Refused, what);
    }
    let without = person.without(attributes);
    let (values, new) = with(attributes, attributes.set(to, contact), &without);
    let new =
        Marker { to: to.to_owned(), key: person.key.clone(), of: person.primary.clone(), ..new }.text().into_bytes();
    let mut parts = difference(attributes, &person.now, &values);
    if let Some(marked) = marked.filter(|marked| marked.raw != new) {
        parts.push(Part::Delete(name.clone(), vec![marked.raw.clone()]));
    }
    if marked.is_none_or(|marked| marked.raw != new) {
        parts.push(Part::Add(name.clone(), vec![new]));
    }
    Ok(Some(Plan { parts, notes: Vec::new() }))
}

/// Was it refused for what was there, or was not?
fn is_of_another_state(answer: &LdapResult) -> bool {
    matches!(
        answer.rc,
        result::NO_SUCH_ATTRIBUTE
            | result::ATTRIBUTE_OR_VALUE_EXISTS
            | result::CONSTRAINT_VIOLATION
            | result::NO_SUCH_OBJECT
            | result::ASSERTION_FAILED
    )
}

fn is_as_it_was(now: &Person, then: &Person) -> bool {
    (&now.dn, &now.now, &now.marks, &now.csn) == (&then.dn, &then.now, &then.marks, &then.csn)
}

#[cfg(test)]
mod tests {
    use connector::Account;

    use super::*;

    #[test]
    fn mail_is_not_sent_to_the_person_it_comes_from() {
        let who = Recipient {
            addresses: vec!["ann@site.test".into(), "SMTP:A.Smith@site.test".into()],
            ..Recipient::new(Account::named("ann@in.test"), "x")
        };
        assert!(may_lead(&who, "ann@new.test").is_ok());
        for to in ["ann@site.test", "ANN@Site.test", "a.smith@site.test", "Ann@in.test", "no address", "SMTP:a@b.test"]
        {
            assert_eq!(may_lead(&who, to).unwrap_err().cause, Cause::Unsupported, "{to}");
        }
    }
}
