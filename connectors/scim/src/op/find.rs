//! Entries by their mark, and by their keys.

use connector::{Error, Retry};
use model::{Address, Cause, Entry, EntryKind, Scope, mail_key};
use serde_json::Value;

use super::discover::Server;
use super::read::{List, Pass, page_entries};
use crate::config::Config;
use crate::map::fields::{Field, Map, Type};
use crate::map::read;
use crate::wire::answer::{self, text};
use crate::wire::client::Client;
use crate::wire::url::{encoded, quoted};

/// How often a list that changes while it is searched is searched in all.
const PASSES_MAX: usize = 6;
/// So many addresses are asked for in one request.
const ADDRESSES_AT_ONCE: usize = 8;

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
    let filter = format!("externalId eq {}", quoted(origin));
    // A server may take the filter for another one, or for none.
    let is_marked = |resource: &Value| text(resource, "externalId") == Some(origin);
    let mut found = Vec::new();
    for of in Type::EVERY {
        let wanted = Wanted { what: "a mark", filter: filter.clone(), is_it: &|_, resource| is_marked(resource) };
        found.extend(wanted.find((config, client), server, of).await?);
    }
    Ok(found)
}

/// The entries that have one of these mail addresses. What has one and can't be read as an entry is told by its id and its addresses.
pub(crate) async fn holders(
    (config, map): (&Config, &Map),
    client: &Client,
    server: &Server,
    addresses: &[String],
) -> Result<Vec<Entry>, Error> {
    let keys: Vec<String> = addresses.iter().map(|address| mail_key(address)).collect();
    let holder = |of: Type, resource: &Value| -> Option<Entry> {
        let entry = read::entry(map, of, resource).unwrap_or_else(|_| {
            let mut entry = Entry::new(text(resource, "id").unwrap_or("?"), EntryKind::System);
            entry.addresses = read::mails(map, of, resource).into_iter().map(Address::smtp).collect();
            entry
        });
        entry.mail_keys().iter().any(|key| keys.contains(key)).then_some(entry)
    };
    let mut found = Vec::new();
    for of in Type::EVERY {
        let own = map.holder(of, Field::Addresses).filter(|holder| server.can(of, holder).is_ok());
        let own = own.and_then(|_| map.path(of, Field::Addresses)).map(ToString::to_string);
        let mails = (of == Type::User).then(|| "emails.value".to_owned());
        // Few addresses a request: servers limit how long one may be.
        for portion in keys.chunks(ADDRESSES_AT_ONCE) {
            let each = |key: &String| {
                let plain = mails.iter().chain(&own).map(|path| format!("{path} eq {}", quoted(key)));
                let marked = own.iter().map(|path| format!("{path} eq {}", quoted(&format!("smtp:{key}"))));
                plain.chain(marked).collect::<Vec<_>>()
            };
            let conditions: Vec<String> = portion.iter().flat_map(each).collect();
            if conditions.is_empty() {
                continue;
            }
            let filter = conditions.join(" or ");
            let wanted = Wanted { what: "an address", filter, is_it: &|of, resource| holder(of, resource).is_some() };
            let resources = wanted.find((config, client), server, of).await?;
            for entry in resources.iter().filter_map(|(of, resource)| holder(*of, resource)) {
                if !found.iter().any(|known: &Entry| known.key == entry.key) {
                    found.push(entry);
                }
            }
        }
    }
    Ok(found)
}

/// What is looked for among resources.
struct Wanted<'w> {
    what: &'static str,
    filter: String,
    is_it: &'w (dyn Fn(Type, &Value) -> bool + Sync),
}

impl Wanted<'_> {
    async fn find(
        &self,
        connection: (&Config, &Client),
        server: &Server,
        of: Type,
    ) -> Result<Vec<(Type, Value)>, Error> {
        let filter = server.filters.then_some(self.filter.as_str());
        match self.search(connection, server, of, filter).await {
            // A server that takes no such filter is read whole: what is there must be found.
            Err(error) if filter.is_some() && matches!(error.cause, Cause::Refused | Cause::Unsupported) => {
                self.search(connection, server, of, None).await
            }
            found => found,
        }
    }

    async fn search(
        &self,
        (config, client): (&Config, &Client),
        server: &Server,
        of: Type,
        filter: Option<&str>,
    ) -> Result<Vec<(Type, Value)>, Error> {
        let Some(endpoint) = server.endpoint(of) else { return Ok(Vec::new()) };
        let list = List { client, endpoint, filter, page: page_entries(config, server) };
        let mut wrong = None;
        for _ in 0..PASSES_MAX {
            let (mut pass, mut found) = (Pass::default(), Vec::new());
            while let Some(resources) = list.next(&mut pass).await? {
                let wanted = resources.into_iter().filter(|resource| (self.is_it)(of, resource));
                found.extend(wanted.map(|resource| (of, resource)));
            }
            wrong = pass.wrong;
            if wrong.is_none() {
                return Ok(found);
            }
        }
        let why = wrong.unwrap_or_default();
        let what = format!("cannot look for {} among {endpoint} on {}: {why}", self.what, client.address());
        Err(Error::new(Cause::Unavailable, Scope::Run, what).retry(Retry::Later(None)))
    }
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
