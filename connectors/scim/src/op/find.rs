//! Entries by their mark, and by their keys.

use connector::{Error, Retry};
use model::{Cause, Entry, Scope};
use serde_json::Value;

use super::discover::Server;
use super::read::{List, Pass, page_entries};
use crate::config::Config;
use crate::map::fields::{Map, Type};
use crate::map::read;
use crate::wire::answer::{self, text};
use crate::wire::client::Client;
use crate::wire::url::{encoded, quoted};

/// How often a list that changes while it is searched is searched in all.
const PASSES_MAX: usize = 6;

/// A resource as it is there.
#[derive(Clone, Debug)]
pub(crate) struct There {
    pub(crate) resource: Value,
    /// Its form, for If-Match, where the server tells forms apart.
    pub(crate) etag: Option<String>,
}

/// The resource of this id; none where there is none.
pub(crate) async fn resource(client: &Client, server: &Server, of: Type, id: &str) -> Result<Option<There>, Error> {
    let Some(endpoint) = server.endpoint(of) else { return Ok(None) };
    let path = format!("{endpoint}/{}", encoded(id));
    let answer = client.get(&path).await?;
    match answer.status {
        404 => return Ok(None),
        200 => {}
        _ => return Err(answer::refusal(format!("cannot read {path}"), &answer, &client.secrets())),
    }
    let odd = |why: String| {
        let what = format!("cannot read {path} on {}: {why}", client.address());
        Error::new(Cause::Protocol, Scope::Item, what).retry(Retry::AfterPerson)
    };
    let resource: Value =
        serde_json::from_slice(&answer.content).map_err(|error| odd(format!("it is no JSON ({error})")))?;
    if text(&resource, "id") != Some(id) {
        return Err(odd("what came has another id".to_owned()));
    }
    let version = answer::get(&resource, "meta").and_then(|meta| text(meta, "version"));
    let etag = answer.field("etag").or(version).filter(|etag| {
        let is_plain = etag.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        is_plain && (etag.starts_with('"') || etag.starts_with("W/\""))
    });
    let etag = etag.map(str::to_owned);
    Ok(Some(There { resource, etag }))
}

/// The resources that bear this mark.
pub(crate) async fn marked(
    (config, client): (&Config, &Client),
    server: &Server,
    origin: &str,
) -> Result<Vec<(Type, Value)>, Error> {
    let filter = server.filters.then(|| format!("externalId eq {}", quoted(origin)));
    match search((config, client), server, filter.as_deref(), origin).await {
        // A server that takes no such filter is read whole; a mark must be found if it is there.
        Err(error) if filter.is_some() && matches!(error.cause, Cause::Refused | Cause::Unsupported) => {
            search((config, client), server, None, origin).await
        }
        found => found,
    }
}

async fn search(
    (config, client): (&Config, &Client),
    server: &Server,
    filter: Option<&str>,
    origin: &str,
) -> Result<Vec<(Type, Value)>, Error> {
    let mut found = Vec::new();
    for of in Type::EVERY {
        let Some(endpoint) = server.endpoint(of) else { continue };
        let list = List { client, endpoint, filter, page: page_entries(config, server) };
        let mut wrong = None;
        for _ in 0..PASSES_MAX {
            let (mut pass, mut of_pass) = (Pass::default(), Vec::new());
            while let Some(resources) = list.next(&mut pass).await? {
                // A server may take the filter for another one, or for none.
                let is_marked = |resource: &Value| text(resource, "externalId") == Some(origin);
                of_pass.extend(resources.into_iter().filter(is_marked).map(|resource| (of, resource)));
            }
            wrong = pass.wrong;
            if wrong.is_none() {
                found.append(&mut of_pass);
                break;
            }
        }
        if let Some(why) = wrong {
            let what = format!("cannot look for a mark among {endpoint} on {}: {why}", client.address());
            return Err(Error::new(Cause::Unavailable, Scope::Run, what).retry(Retry::Later(None)));
        }
    }
    Ok(found)
}

/// The entries of these resources.
pub(crate) fn entries(map: &Map, client: &Client, found: &[(Type, Value)]) -> Result<Vec<Entry>, Error> {
    found.iter().map(|(of, resource)| entry(map, client, *of, resource)).collect()
}

/// The entry that a resource is.
pub(crate) fn entry(map: &Map, client: &Client, of: Type, resource: &Value) -> Result<Entry, Error> {
    read::entry(map, of, resource).map_err(|why| {
        let id = text(resource, "id").unwrap_or("?");
        let what = format!("{} {id} on {} can't be read: {why}", of.name(), client.address());
        Error::new(Cause::Unreadable, Scope::Item, what)
    })
}
