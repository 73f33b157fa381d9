//! `check`: whether a platform is reachable and set up well, a sentence for each topic. It changes nothing.

use connector::{Error, Finding, Topic};
use model::Cause;

use super::discover::Server;
use crate::config::Config;
use crate::map::fields::{Field, Map, Type};
use crate::wire::answer::{self, Page};
use crate::wire::client::Client;

/// What is found, in the order of topics, up to the first that fails.
pub(crate) async fn check(config: &Config, map: &Map, client: Result<&Client, Error>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err((topic, error)) = look(config, map, client, &mut findings).await {
        findings.push(Finding::wrong(topic, &error));
    }
    findings
}

async fn look(
    config: &Config,
    map: &Map,
    client: Result<&Client, Error>,
    findings: &mut Vec<Finding>,
) -> Result<(), (Topic, Error)> {
    let client = client.map_err(|error| (Topic::Reach, error))?;
    let topic = |error: Error| {
        let topic = match error.cause {
            Cause::Tls => Topic::Tls,
            Cause::Login => Topic::Login,
            Cause::Permission => Topic::Rights,
            Cause::Connection | Cause::Unavailable | Cause::Throttled => Topic::Reach,
            _ => Topic::Capabilities,
        };
        (topic, error)
    };
    let server = Server::ask(client).await.map_err(topic)?;
    let mut counts = Vec::new();
    for of in Type::EVERY {
        let Some(endpoint) = server.endpoint(of) else { continue };
        if of == Type::Group && !config.groups {
            continue;
        }
        let answer = client.get(&format!("{endpoint}?startIndex=1&count=1")).await.map_err(topic)?;
        if answer.status != 200 {
            let what = format!("cannot read {endpoint} on {}", client.address());
            return Err(topic(answer::refusal(what, &answer, &client.secrets())));
        }
        let page = Page::parse(&answer.content).map_err(|why| {
            (Topic::Capabilities, Error::new(Cause::Protocol, model::Scope::Run, format!("{endpoint}: {why}")))
        })?;
        counts.push(format!("{} {endpoint}", page.total));
    }
    findings.push(Finding::well(Topic::Reach, format!("{} answers", client.address())));
    findings.push(Finding::well(Topic::Tls, client.privacy()));
    let who = match (&config.token, &config.user) {
        (Some(_), _) => "logged in by token".to_owned(),
        (None, Some(user)) => format!("logged in as {user}"),
        (None, None) => "nobody logs in: only what everybody may read is seen".to_owned(),
    };
    findings.push(Finding::well(Topic::Login, who));
    findings.push(Finding::well(Topic::Store, format!("there are {}", counts.join(" and "))));
    findings.push(Finding::well(Topic::Capabilities, capabilities(map, &server)));
    Ok(())
}

fn capabilities(map: &Map, server: &Server) -> String {
    let mut sentences = vec!["it is read whole each time".to_owned()];
    sentences
        .push(if server.patches { "changes go by PATCH" } else { "changes go by PUT, as it has no PATCH" }.to_owned());
    if !server.filters {
        sentences.push("it has no filters, so a mark is looked for among all".to_owned());
    }
    for of in Type::EVERY {
        if server.endpoint(of).is_none() {
            sentences.push(format!("it has no {}", of.name()));
            continue;
        }
        let is_missing = |field: &&Field| {
            let usual = map.holder(of, **field);
            usual.is_some_and(|holder| server.can(of, holder).is_err())
        };
        let missing: Vec<&str> = Field::EVERY.iter().filter(is_missing).map(|field| field.name()).collect();
        if !missing.is_empty() {
            sentences.push(format!("a {} can NOT hold {}", of.name(), missing.join(", ")));
        }
    }
    sentences.join("; ")
}
