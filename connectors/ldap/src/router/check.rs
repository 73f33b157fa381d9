//! `check`: whether the directory is reachable and set up well, a sentence for each topic. It changes nothing.

use connector::{Error, Finding, Recipient, Topic};
use model::{Cause, Scope};

use super::attributes::Attributes;
use super::contact;
use super::person::Person;
use super::put::{Goal, plan};
use super::site::{Endpoint, Site};
use crate::wire::connection::Connection;

/// Where to a redirect would lead that is only thought of.
const SOMEBODY: &str = "somebody@example.invalid";

/// What is found, in the order of topics, up to the first that fails.
pub(crate) async fn check(endpoint: &Endpoint, who: Option<&Recipient>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err((topic, error)) = look(endpoint, who, &mut findings).await {
        findings.push(Finding::wrong(topic, &error));
    }
    findings
}

async fn look(endpoint: &Endpoint, who: Option<&Recipient>, findings: &mut Vec<Finding>) -> Result<(), (Topic, Error)> {
    let config = &endpoint.connection;
    let topic = |error: &Error| if error.cause == Cause::Tls { Topic::Tls } else { Topic::Reach };
    let mut connection = Connection::reach(config).await.map_err(|error| (topic(&error), error))?;
    findings.push(Finding::well(Topic::Reach, format!("{} answers", config.address())));
    findings.push(Finding::well(Topic::Tls, connection.privacy.clone()));
    connection.bind().await.map_err(|error| (Topic::Login, error))?;
    findings.push(Finding::well(Topic::Login, format!("logged in as {}", endpoint.config.user)));
    let mut site = Site::of(endpoint, connection).await.map_err(|error| (Topic::Capabilities, error))?;
    let resolved = site.resolved.clone();
    let names: Vec<&str> = resolved.attributes.fields().into_iter().map(|field| field.name.as_str()).collect();
    let marker = &resolved.marker.name;
    let keeps = matches!(&resolved.attributes, Attributes::Forwarding { .. } if endpoint.config.forwarding.keeps_copy);
    if keeps {
        return Err((Topic::Capabilities, keeps_copy()));
    }
    let sentence = format!("mail is sent on by {}; what was there before is kept in {marker}", names.join(", "));
    findings.push(Finding::well(Topic::Capabilities, sentence));
    let person = match who {
        None => None,
        Some(who) => Some(site.person(who).await.map_err(|error| (Topic::Store, error))?),
    };
    let sentence = match &person {
        None => format!("{}: people are looked for by {}", site.bases.join("; "), resolved.addresses.join(", ")),
        Some(person) => format!("the entry is {:?}", person.dn),
    };
    findings.push(Finding::well(Topic::Store, sentence));
    let sentence = rights(&mut site, person.as_ref()).await.map_err(|error| (Topic::Rights, error))?;
    findings.push(Finding::well(Topic::Rights, sentence));
    Ok(())
}

/// The error of a site whose server keeps copies.
pub(crate) fn keeps_copy() -> Error {
    let what = "nobody is redirected here: the site's server keeps a copy of whatever it sends on (keeps_copy)";
    Error::new(Cause::Unsupported, Scope::Run, what)
}

/// May a redirect be put on, as far as the server tells without one being tried?
async fn rights(site: &mut Site<'_>, person: Option<&Person>) -> Result<String, Error> {
    let config = &site.endpoint.config;
    if let Some(container) = config.exchange.contacts.clone().filter(|_| contact::is_wanted(site)) {
        let classes = "allowedChildClassesEffective";
        let found = site.connection.entry(&container, &["objectClass", classes].map(str::to_owned)).await?;
        let found = found.ok_or_else(|| {
            let what = format!("contacts: there is no {container:?}, or it may not be read");
            Error::new(Cause::Missing, Scope::Run, what)
        })?;
        if !found.has(classes, "contact") {
            let what = format!("contacts: the account may make no contacts in {container:?}");
            return Err(Error::new(Cause::Permission, Scope::Run, what));
        }
    }
    let Some(person) = person else {
        return Ok("whether entries may be changed is looked at for each person".to_owned());
    };
    // What is refused for what the entry holds is told now.
    let stand_in = contact::is_wanted(site).then(|| b"cn=contact".to_vec());
    plan(site, person, &Goal::On(SOMEBODY, stand_in))?;
    let resolved = site.resolved.clone();
    let fields = resolved.attributes.fields();
    let set = resolved.attributes.set(SOMEBODY, contact::is_wanted(site).then(Vec::new));
    // What ours does not set is only written where it has a value.
    let is_written = |name: &str| set.iter().any(|(set, _)| set == name) || !person.now.of(name).is_empty();
    let written = fields.iter().map(|field| field.name.as_str()).filter(|name| is_written(name));
    let written: Vec<&str> = written.chain([resolved.marker.name.as_str()]).collect();
    site.may_write(person, &written.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).await
}
