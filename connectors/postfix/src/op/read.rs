//! Where a person's mail goes now.

use connector::router::OurRedirect;
use connector::{Error, Recipient, Routing};
use model::{Cause, Scope};

use super::find::Finder;
use super::setup::Setup;
use super::table::{Found, Store};
use crate::config::{Config, Table};
use crate::text::address::Person;
use crate::wire::programs::Programs;

/// Whoever this is, with those of their further addresses at which the site takes mail for them, or ours is on.
pub(crate) async fn person(config: &Config, setup: &Setup, who: &Recipient) -> Result<Person, Error> {
    let (own, mut person) = (Person::of(who)?, Person::with_further(who)?);
    let further = &person.addresses[own.addresses.len()..];
    if further.is_empty() {
        return Ok(own);
    }
    let strangers = setup.strangers(config, further).await?;
    let rewritten = setup.rewritten(config, further, &person).await?;
    let found = Store::of(config).look(&person).await?;
    let has = |address: &String, is_ours: bool| {
        found.rows.iter().any(|row| row.address == *address && row.is_of(&own.account) == is_ours)
    };
    // Nothing is refused for one of these that is another's here, or unknown.
    let is_theirs = |address: &String| {
        (!strangers.contains(address) || has(address, true)) && !rewritten.contains(address) && !has(address, false)
    };
    person.addresses.retain(|address| own.addresses.contains(address) || is_theirs(address));
    Ok(person)
}

/// Everything that sends the person's mail on.
pub(crate) async fn read(config: &Config, who: &Recipient) -> Result<Routing, Error> {
    let setup = Setup::read(config).await?;
    let person = &person(config, &setup, who).await?;
    let store = Store::of(config);
    let found = store.look(person).await?;
    is_known(config, &setup, person, &found).await?;
    let mut finder = Finder::new(config, &setup, &store, person).await;
    let others = finder.forwarders().await;
    let ours = ours(config, &setup, person, &found, &mut finder).await?;
    let evidence = found.evidence(person, &config.place());
    Ok(Routing { ours, others, unread: finder.unread, evidence })
}

/// Refuses somebody whom the site does not know at any of their addresses, and for whom there is nothing of ours.
pub(crate) async fn is_known(config: &Config, setup: &Setup, person: &Person, found: &Found) -> Result<(), Error> {
    if found.has_ours(person) || setup.strangers(config, &person.addresses).await?.len() < person.addresses.len() {
        return Ok(());
    }
    let what =
        format!("the site takes no mail for {}: its maps of recipients do not have it", person.addresses.join(", "));
    Err(Error::new(Cause::Missing, Scope::Mailbox, what))
}

/// Our redirect, in force only if the site's Postfix goes by it.
pub(crate) async fn ours(
    config: &Config,
    setup: &Setup,
    person: &Person,
    found: &Found,
    finder: &mut Finder<'_>,
) -> Result<Option<OurRedirect>, Error> {
    let Some(mut ours) = found.ours(person) else { return Ok(None) };
    if ours.ineffective.is_none() {
        ours.ineffective = why_not(config, setup, person, &ours.to, finder).await?;
    }
    Ok(Some(ours))
}

async fn why_not(
    config: &Config,
    setup: &Setup,
    person: &Person,
    to: &str,
    finder: &mut Finder<'_>,
) -> Result<Option<String>, Error> {
    if let Err(error) = setup.fits(config) {
        return Ok(Some(error.what));
    }
    if let (true, false, Some(map)) = (setup.is_known, matches!(config.table, Table::File(_)), config.map_name()) {
        let answers = Programs(config).look_up(&map, &person.addresses).await?;
        let leads = |address: &&String| answers.iter().any(|(key, value)| key == *address && value.trim() == to);
        if let Some(address) = person.addresses.iter().find(|address| !leads(address)) {
            return Ok(Some(format!("Postfix does not find it: {map} does not lead from {address} to {to}")));
        }
    }
    Ok(finder.leads_on(to).await.map(|place| format!("{to} is itself sent on at this site: {place}")))
}
