//! `check`: whether the table can be written, and whether the site's Postfix goes by it. It changes nothing.

use connector::{Error, Finding, Recipient, Topic};
use model::Cause;

use super::reroute::may_redirect;
use super::setup::Setup;
use super::table::Store;
use crate::config::{Config, Table};
use crate::text::address::Person;
use crate::text::plan::plan;
use crate::wire::file::{self, blocking};
use crate::wire::programs::Programs;

/// An address that nobody has (RFC 2606).
const NOBODY: &str = "somebody@example.invalid";

/// What is found, in the order of topics, up to the first that fails.
pub(crate) async fn check(config: &Config, who: Option<&Recipient>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = look(config, who, &mut findings).await {
        let topic = match error.cause {
            Cause::Tls => Topic::Tls,
            Cause::Login => Topic::Login,
            Cause::Connection | Cause::Unavailable | Cause::Missing if findings.is_empty() => Topic::Reach,
            Cause::Permission | Cause::Refused | Cause::OverQuota => Topic::Rights,
            _ => Topic::Capabilities,
        };
        findings.push(Finding::wrong(topic, &error));
    }
    findings
}

async fn look(config: &Config, who: Option<&Recipient>, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let store = Store::of(config);
    match &store {
        Store::File(_) => {
            store.at(&[NOBODY.to_owned()]).await?;
            findings.push(Finding::well(Topic::Reach, format!("{} can be read", config.place())));
        }
        Store::Sql(sql) => sql.check(findings).await?,
    }
    let programs = Programs(config);
    if let Table::File(table) = &config.table {
        if table.map_type.compiled().is_some()
            && let Some(map) = config.map_name()
        {
            programs.look_up(&map, &[NOBODY.to_owned()]).await?;
        }
        let path = table.path.clone();
        blocking(move || file::may_write(&path)).await?;
        findings.push(Finding::well(Topic::Rights, format!("{} can be replaced", config.place())));
    }
    let setup = Setup::read(config).await?;
    setup.fits(config)?;
    findings.push(Finding::well(Topic::Capabilities, first(config, &setup).await?));
    let without = setup.services_without_maps();
    if !without.is_empty() {
        let sentence = format!(
            "mail that comes by these does not ask our table there: {}; whether it does later can't be known from here",
            without.join(", ")
        );
        findings.push(Finding::well(Topic::Capabilities, sentence));
    }
    let Some(who) = who else { return Ok(()) };
    let person = Person::of(who)?;
    may_redirect(config, &setup, &person, NOBODY).await?;
    let found = store.look(&person).await?;
    plan(&person, &found.rows, Some(NOBODY))?;
    let is_asked = setup.is_known || !config.recipient_maps.is_empty();
    let known =
        if is_asked { "the site takes mail for" } else { "whether the site takes mail for them can't be known:" };
    let sentence = format!("{known} {}; a redirect would be taken", person.addresses.join(", "));
    findings.push(Finding::well(Topic::Store, sentence));
    Ok(())
}

/// That Postfix asks our table first and reads it, as far as that can be seen.
async fn first(config: &Config, setup: &Setup) -> Result<String, Error> {
    let (true, Some(map)) = (setup.is_known, config.map_name()) else {
        return Ok("whether Postfix asks our table first can't be known: no config_directory is given".to_owned());
    };
    Programs(config).look_up(&map, &[NOBODY.to_owned()]).await?;
    let login = setup.maps("smtpd_sender_login_maps").contains(&map);
    let more = if login {
        "; smtpd_sender_login_maps asks it as well: redirected people may not send in their own name"
    } else {
        ""
    };
    Ok(format!("Postfix asks {map} first, and can read it{more}"))
}
