//! `check`: whether the server is reachable and set up well, a sentence for each topic. It changes nothing.

use connector::{Error, Finding, Recipient, Topic};
use model::{Cause, Scope};

use super::connect::NOT_ENCRYPTED;
use super::script::Session;
use crate::config::Tls;
use crate::endpoint::Endpoint;
use crate::text::block::{Block, digest, put};

/// What is found, in the order of topics, up to the first that fails.
pub(crate) async fn check(endpoint: &Endpoint, who: Option<&Recipient>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = look(endpoint, who, &mut findings).await {
        let topic = match error.cause {
            Cause::Tls => Topic::Tls,
            Cause::Login => Topic::Login,
            Cause::NotTheirStore => Topic::Store,
            Cause::Connection | Cause::Unavailable => Topic::Reach,
            Cause::Permission | Cause::Refused | Cause::OverQuota => Topic::Rights,
            _ => Topic::Capabilities,
        };
        findings.push(Finding::wrong(topic, &error));
    }
    findings
}

async fn look(endpoint: &Endpoint, who: Option<&Recipient>, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let line = endpoint.connect().await?;
    let server = line.capabilities.value("IMPLEMENTATION").unwrap_or_default().to_owned();
    drop(line);
    findings.push(Finding::well(Topic::Reach, format!("{} answers: {server}", endpoint.config.address())));
    findings.push(Finding::well(
        Topic::Tls,
        match endpoint.config.tls {
            Tls::Starttls => "TLS after STARTTLS, certificate verified",
            Tls::Implicit => "TLS from the first byte, certificate verified",
            Tls::None => NOT_ENCRYPTED,
        },
    ));
    let Some(who) = who else { return Ok(()) };
    let mut session = Session::open(endpoint, &who.account).await?;
    let name = &who.account.name;
    findings.push(Finding::well(Topic::Login, format!("logged in for {name}")));
    let owner = match session.capability("OWNER") {
        Some(owner) => format!("the server says that they are the scripts of {owner}"),
        None if who.account.password.is_some() => "the login was with the person's own password".to_owned(),
        None => "a name that nobody has is refused, so the name asked for counts".to_owned(),
    };
    findings.push(Finding::well(Topic::Store, owner));
    let site = session.site().await?;
    if !session.may_redirect() {
        return Err(Error::new(Cause::Unsupported, Scope::Run, session.no_redirects()));
    }
    let active = site.active();
    let rules = active.map_or_else(|| "none is active".to_owned(), |active| format!("{:?} is active", active.name));
    let redirects = session
        .capability("MAXREDIRECTS")
        .map_or_else(String::new, |max| format!("; a script may redirect {max} times"));
    let sentence = format!("{name} has {} scripts; {rules}{redirects}", site.scripts.len());
    findings.push(Finding::well(Topic::Capabilities, sentence));
    let text = active.and_then(|active| active.text.as_deref()).unwrap_or_default();
    let former = active.map(|active| active.name.clone());
    let whole = put(text, &Block { to: "somebody@example.invalid".to_owned(), former, digest: digest(text) });
    session.has_space(&endpoint.config.script, whole.len()).await?;
    // VERSION tells a server of RFC 5804 from older ones, which can't check.
    let sentence = if session.capability("VERSION").is_some() {
        session.check(&whole).await?;
        "a redirect would be taken"
    } else {
        "whether a redirect would be taken can't be asked of this server"
    };
    findings.push(Finding::well(Topic::Rights, sentence));
    session.log_out().await;
    Ok(())
}
