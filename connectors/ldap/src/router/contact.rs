//! The contact that stands for an address where our redirect leads by the name of another recipient (`altRecipient`).
//!
//! One that the site has is used as it is. Where the site has none, one of ours is made only where the settings name a place for it. It bears
//! whom it was made for, and goes with that person's redirect. A directory keeps no name of what is gone, so one that went while somebody
//! else's mail goes by it would let that mail stay: nobody else's redirect is led by it, and that no other entry names it is looked up first.

use connector::{Error, Retry};
use ldap3::Scope as Within;
use model::{Cause, Scope};
use ring::digest::{SHA256, digest};

use super::attributes::{Attributes, Field, Keyed, Sort, plain};
use super::config::Way;
use super::marker::{Value, encoded};
use super::person::Person;
use super::put::{Failed, Work};
use super::site::{Site, refused};
use crate::op::pages;
use crate::wire::connection::{Effect, Search, Sent};
use crate::wire::{dn, filter, result};

/// What the marker of a contact of ours begins with.
const PREFIX: &str = "whimbrel-contact:";

/// Is the address to be reached by a contact?
pub(crate) fn is_wanted(site: &Site<'_>) -> bool {
    let is_exchange = matches!(site.resolved.attributes, Attributes::Exchange { .. });
    is_exchange && site.endpoint.config.exchange.way == Way::AlternateRecipient
}

fn alternate<'s>(site: &'s Site<'_>) -> Option<&'s Field> {
    match &site.resolved.attributes {
        Attributes::Exchange { alternate, .. } => alternate.as_ref(),
        Attributes::Forwarding { .. } => None,
    }
}

fn mark(key: &str, to: &str) -> String {
    format!("{PREFIX} key={} to={}", encoded(key.as_bytes()), encoded(to.as_bytes()))
}

/// The contact for this address, as a value that names it; made where the site has none and lets us. None where none is wanted.
pub(crate) async fn find_or_make(work: &mut Work<'_>, person: &Person, to: &str) -> Result<Option<Value>, Failed> {
    if !is_wanted(&work.site) {
        return Ok(None);
    }
    if let Some(found) = find(&mut work.site, person, to).await? {
        return Ok(Some(found));
    }
    let Some(container) = work.site.endpoint.config.exchange.contacts.clone() else {
        let what = format!(
            "the directory has no contact whose address is {to}, and targetAddress SMTP:{to}, for altRecipient to name: have it \
             made, or name a place for it (contacts)"
        );
        return Err(Error::new(Cause::Missing, Scope::Mailbox, what).retry(Retry::AfterPerson).into());
    };
    let effect = new_contact(&work.site, &container, person, to);
    let what = format!("cannot make a contact for {to} in {container:?}");
    match work.send(effect).await? {
        Sent::Done => {}
        Sent::Refused(answer) if answer.rc == result::ENTRY_ALREADY_EXISTS => {}
        Sent::Refused(answer) => return Err(refused(what, &answer).into()),
        Sent::Not(error) => return Err(error.into()),
        Sent::InDoubt(error) => return Err(Error { what: format!("{what}: {}", error.what), ..error }.into()),
    }
    let found = find(&mut work.site, person, to).await?;
    Ok(Some(found.ok_or_else(|| {
        let what = format!(
            "{what}: one of that name is there and leads elsewhere, or is not among the entries that are looked at"
        );
        Error::new(Cause::Refused, Scope::Mailbox, what)
    })?))
}

async fn find(site: &mut Site<'_>, person: &Person, to: &str) -> Result<Option<Value>, Error> {
    let Attributes::Exchange { target, .. } = &site.resolved.attributes else { return Ok(None) };
    let target = target.name.clone();
    let mut conditions = site.with_address(to);
    conditions.extend(["", "SMTP:", "smtp:"].map(|prefix| filter::equals(&target, format!("{prefix}{to}").as_bytes())));
    let asked = site.asked();
    // Wherever it stands, be it outside what mail servers look people up in.
    let bases = everywhere(site);
    let found = site.find(&bases, ("", &conditions), &asked).await?;
    let people: Vec<Person> = found.iter().map(|raw| site.read(raw)).filter(|one| one.dn != person.dn).collect();
    let leads =
        |one: &&Person| {
            let values = one.now.of(&target);
            let is_plain =
                site.resolved.attributes.fields().iter().all(|field| {
                    field.sort == Sort::Word || field.name == target || one.now.of(&field.name).is_empty()
                });
            is_plain && matches!(values, [value] if str::from_utf8(value).is_ok_and(|text| plain(text) == plain(to)))
        };
    let theirs: Vec<&Person> = people.iter().filter(|one| one.is_contact).collect();
    match theirs.iter().copied().filter(leads).collect::<Vec<_>>()[..] {
        [one] if is_made(one) && !is_made_for(one, person) => {
            let what = format!(
                "{:?} was made for the redirect of another person, and goes with it: have the site make a contact for {to}",
                one.dn
            );
            Err(Error::new(Cause::Refused, Scope::Mailbox, what))
        }
        [one] => {
            let key = (site.is_active_directory() && !one.key.is_empty()).then_some(one.key.as_str());
            Ok(Some(Keyed { key, dn: &one.dn }.value()))
        }
        [] => match people.iter().find(|one| one.own.contains(&plain(to))) {
            None => Ok(None),
            Some(other) => {
                let what = format!("{:?} has the address {to}, and is no contact whose {target} leads there", other.dn);
                Err(Error::new(Cause::Refused, Scope::Mailbox, what))
            }
        },
        ref several => {
            let names: Vec<String> = several.iter().map(|one| format!("{:?}", one.dn)).collect();
            let what = format!("several contacts lead to {to}: {}. Leave one", names.join(", "));
            Err(Error::new(Cause::Refused, Scope::Mailbox, what))
        }
    }
}

/// Is it a contact of ours?
fn is_made(contact: &Person) -> bool {
    contact.marks.iter().any(|mark| mark.starts_with(PREFIX.as_bytes()))
}

/// Is it one that was made for this person?
fn is_made_for(contact: &Person, person: &Person) -> bool {
    let key = format!("{PREFIX} key={} ", encoded(person.key.as_bytes()));
    contact.marks.iter().any(|mark| mark.starts_with(key.as_bytes()))
}

fn new_contact(site: &Site<'_>, container: &str, person: &Person, to: &str) -> Effect {
    let hash = digest(&SHA256, plain(to).as_bytes());
    let hex: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("whimbrel-{hex}");
    let resolved = &site.resolved;
    let smtp = format!("SMTP:{to}");
    let mut attributes = vec![("objectClass", "contact".to_owned()), ("displayName", to.to_owned())];
    if let Attributes::Exchange { target, .. } = &resolved.attributes {
        attributes.push((&target.name, smtp.clone()));
    }
    for address in &resolved.addresses {
        attributes.push((address, if address.eq_ignore_ascii_case("mail") { to.to_owned() } else { smtp.clone() }));
    }
    attributes.extend(resolved.nickname.as_deref().map(|nickname| (nickname, name.clone())));
    attributes.extend(resolved.hidden.as_deref().map(|hidden| (hidden, "TRUE".to_owned())));
    attributes.push((&resolved.marker.name, mark(&person.key, to)));
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), vec![value.into_bytes()])).collect();
    Effect::Add { dn: format!("{},{container}", dn::relative("cn", &name)), attributes }
}

/// Removes contacts of ours that were made for this person and that no redirect leads by any more. What can't be removed leads nobody's mail:
/// that is a note.
pub(crate) async fn clean(work: &mut Work<'_>, person: &Person) -> Result<(), Failed> {
    let Some(container) = work.site.endpoint.config.exchange.contacts.clone() else { return Ok(()) };
    match left(work, &container, person).await {
        Ok(()) => Ok(()),
        Err(Failed::Door(error)) => Err(Failed::Door(error)),
        Err(Failed::Other(error)) => {
            work.notes.push(format!("a contact of ours may be left in {container:?}, by which no mail goes: {error}"));
            Ok(())
        }
    }
}

async fn left(work: &mut Work<'_>, container: &str, person: &Person) -> Result<(), Failed> {
    let site = &mut work.site;
    let Some(alternate) = alternate(site).cloned() else { return Ok(()) };
    let (marker, asked) = (site.resolved.marker.name.clone(), site.asked());
    let filter = format!("({marker}={PREFIX}*)");
    let search = Search { base: container, within: Within::OneLevel, filter: &filter, attributes: &asked };
    let found = pages::all(&mut site.connection, (&site.endpoint.connection, &site.root), search).await?;
    for raw in found {
        let one = work.site.read(&raw);
        if !is_made_for(&one, person) || is_named(&mut work.site, &alternate, &one.dn).await? {
            continue;
        }
        let what = format!("cannot remove {:?}", one.dn);
        match work.send(Effect::Delete { dn: one.dn }).await? {
            Sent::Done => {}
            Sent::Refused(answer) if answer.rc == result::NO_SUCH_OBJECT => {}
            Sent::Refused(answer) => return Err(refused(what, &answer).into()),
            Sent::Not(error) | Sent::InDoubt(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Does any entry name it as its other recipient?
async fn is_named(site: &mut Site<'_>, alternate: &Field, dn: &str) -> Result<bool, Error> {
    let conditions = [filter::equals(&alternate.name, dn.as_bytes())];
    let bases = everywhere(site);
    Ok(!site.find(&bases, ("", &conditions), &["1.1".to_owned()]).await?.is_empty())
}

/// Wherever contacts, and those who name them, may stand.
fn everywhere(site: &Site<'_>) -> Vec<String> {
    let place = site.endpoint.config.exchange.contacts.iter().cloned();
    site.root.own_context().into_iter().chain(site.bases.iter().cloned()).chain(place).collect()
}
