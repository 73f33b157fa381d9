//! Our redirect is put on, and taken off.

use connector::{Door, Error, Recipient, Rerouted};
use model::{Cause, Scope};

use super::find::Finder;
use super::read::{is_known, ours, person};
use super::setup::Setup;
use super::steps::Steps;
use super::table::Store;
use crate::config::Config;
use crate::text::address::{Person, may_lead};

/// Puts our redirect on.
pub(crate) async fn redirect(config: &Config, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
    may_lead(who, to)?;
    let setup = Setup::read(config).await?;
    let person = person(config, &setup, who).await?;
    may_redirect(config, &setup, &person, to).await?;
    let mut steps = Steps::new(door);
    let done = change(config, &setup, &person, Some(to), &mut steps).await;
    steps.settled(done)
}

/// Takes our redirect off.
pub(crate) async fn release(config: &Config, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
    let person = Person::of(who)?;
    let setup = Setup::read(config).await?;
    let mut steps = Steps::new(door);
    let done = change(config, &setup, &person, None, &mut steps).await;
    steps.settled(done)
}

/// Would all mail of the person go there, if our table said so?
pub(crate) async fn may_redirect(config: &Config, setup: &Setup, person: &Person, to: &str) -> Result<(), Error> {
    setup.fits(config)?;
    let strangers = setup.strangers(config, &person.addresses).await?;
    let found = Store::of(config).look(person).await?;
    let is_ours = |address: &String| found.rows.iter().any(|row| row.address == *address && row.is_of(&person.account));
    if let Some(address) = strangers.iter().find(|address| !is_ours(address)) {
        let what = format!("the site takes no mail for {address}: its maps of recipients do not have it");
        return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
    }
    setup.is_not_rewritten(config, person).await?;
    let store = Store::of(config);
    let mut finder = Finder::new(config, setup, &store, person).await;
    if let Some(place) = finder.leads_on(to).await {
        let what = format!("{to:?} can't be redirected to: it is itself sent on at this site ({place})");
        return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
    }
    if let Some(unread) = finder.unread.first() {
        let what = format!("whether the site sends mail to {to} on can't be known: {unread}");
        return Err(Error::new(Cause::Unavailable, Scope::Run, what));
    }
    Ok(())
}

async fn change(
    config: &Config,
    setup: &Setup,
    person: &Person,
    to: Option<&str>,
    steps: &mut Steps<'_>,
) -> Result<Rerouted, Error> {
    let (store, place) = (Store::of(config), config.place());
    let found = store.look(person).await?;
    is_known(config, setup, person, &found).await?;
    let before = found.evidence(person, &place);
    let changed = store.change(person, to, steps).await?;
    let now = if changed { store.look(person).await? } else { found };
    let mut finder = Finder::new(config, setup, &store, person).await;
    let is = ours(config, setup, person, &now, &mut finder).await?;
    let wrong = match (to, &is) {
        (None, None) => None,
        (None, Some(ours)) => Some(format!("the redirect to {} was taken off, and something of it is there", ours.to)),
        (Some(to), Some(ours)) if ours.to == to => ours.ineffective.clone(),
        (Some(to), _) => Some(format!("the redirect to {to} was put on, and something else is there now")),
    };
    if let Some(what) = wrong {
        return Err(Error::new(Cause::Refused, Scope::Mailbox, what));
    }
    let foreign = now.rows.iter().filter(|row| !row.is_of(&person.account));
    let notes =
        foreign.map(|row| format!("{}: {} is not ours and was left as it is", row.place, row.address)).collect();
    Ok(Rerouted { changed, before, after: now.evidence(person, &place), notes })
}
