//! Reading: users, then groups, page by page (RFC 7644 section 3.4.2).
//!
//! Pages are cut anew from what is there at each request. Whoever is removed in between moves everybody after by one, and one
//! of them would stand on no page: an account that is there would count as gone. So each page begins with the last one of the
//! page before, and where that is somebody else now, where the count changed, or where not all came, the list is read again
//! from its beginning; who was told is not told again.

use std::collections::HashSet;

use connector::{DirectoryCursor, DirectoryRead, EntryEvent, EntrySink, Error, Retry};
use model::{Cause, Scope};
use serde_json::Value;

use super::discover::Server;
use crate::config::Config;
use crate::map::fields::{Field, Map, Type};
use crate::map::read;
use crate::wire::answer::{self, Page, text};
use crate::wire::client::Client;
use crate::wire::url::{encoded, quoted};

/// How often a list that changes while it is read is read in all.
const PASSES_MAX: usize = 6;
/// Entries told at once.
const PORTION: usize = 500;
/// What every cursor says: a reading is whole.
const CURSOR: &[u8] = b"scim: whole";

/// Reads all that is in scope.
pub(crate) async fn read(
    (config, map): (&Config, &Map),
    client: &Client,
    server: &Server,
    sink: &mut dyn EntrySink,
) -> Result<DirectoryRead, Error> {
    let mut told = HashSet::new();
    let mut received = 0;
    for of in Type::EVERY {
        if of == Type::Group && !config.groups {
            continue;
        }
        let Some(endpoint) = server.endpoint(of) else { continue };
        let filter = filter(config, map, server, of);
        let list = List { client, endpoint, filter: filter.as_deref(), page: page_entries(config, server) };
        let mut is_clean = false;
        let mut why = String::new();
        for _ in 0..PASSES_MAX {
            let mut pass = Pass::default();
            while let Some(resources) = list.next(&mut pass).await? {
                received += resources.len() as u64;
                let mut events = Vec::new();
                for (at, resource) in resources.iter().enumerate() {
                    let id = text(resource, "id").map(str::to_owned);
                    let unnamed = || format!("\u{0}{endpoint} {}", pass.seen.len() + at);
                    if told.insert((of == Type::Group, id.clone().unwrap_or_else(unnamed))) {
                        if of == Type::Group && id.is_some_and(|id| told.contains(&(false, id))) {
                            return Err(twice(client, resource));
                        }
                        events.extend(event(config, map, of, endpoint, resource));
                    }
                }
                for portion in events.chunks(PORTION) {
                    sink.take(portion.to_vec()).await?;
                }
            }
            is_clean = pass.wrong.is_none();
            if is_clean {
                break;
            }
            why = pass.wrong.unwrap_or_default();
            tracing::debug!(server = %client.address(), list = endpoint, why, "it changed while it was read; read again");
        }
        if !is_clean {
            let what = format!(
                "{endpoint} on {} can't be read whole, {PASSES_MAX} times tried: {why}; with larger pages (page_entries) there \
                 is less time for that",
                client.address()
            );
            return Err(Error::new(Cause::Unavailable, Scope::Run, what).retry(Retry::Later(None)));
        }
    }
    Ok(DirectoryRead { cursor: DirectoryCursor(CURSOR.into()), is_whole: true, entries_received: received })
}

/// A key that names two entries names none.
fn twice(client: &Client, resource: &Value) -> Error {
    let id = text(resource, "id").unwrap_or_default();
    let what = format!(
        "{} gives the id {id:?} to a user and to a group, so it tells neither; leave groups out with groups = false",
        client.address()
    );
    Error::new(Cause::Protocol, Scope::Run, what).retry(Retry::AfterPerson)
}

pub(crate) fn page_entries(config: &Config, server: &Server) -> usize {
    server.results_max.map_or(config.page_entries, |max| config.page_entries.min(max))
}

/// What is asked for. Who is told is decided by what comes.
fn filter(config: &Config, map: &Map, server: &Server, of: Type) -> Option<String> {
    let own = match of {
        Type::User => config.filter.clone(),
        Type::Group => config.group_filter.clone(),
    };
    let organisation = config.scope_organisation.as_ref().filter(|_| server.filters).and_then(|code| {
        let path = map.path(of, Field::Organisation)?;
        // Of a default organisation are also those without the attribute.
        let is_default = map.organisation.as_ref() == Some(code);
        let has = map.holder(of, Field::Organisation).is_some_and(|holder| server.can(of, holder).is_ok());
        (has && !is_default).then(|| format!("{path} eq {}", quoted(code)))
    });
    match (own, organisation) {
        (Some(own), Some(organisation)) => Some(format!("({own}) and {organisation}")),
        (own, organisation) => own.or(organisation),
    }
}

fn event(config: &Config, map: &Map, of: Type, endpoint: &str, resource: &Value) -> Option<EntryEvent> {
    match read::entry(map, of, resource) {
        Ok(entry) => {
            let is_in = config.scope_organisation.as_ref().is_none_or(|code| entry.organisation.as_ref() == Some(code));
            is_in.then(|| EntryEvent::Seen(Box::new(entry)))
        }
        Err(what) => {
            let key = text(resource, "id").filter(|id| !id.is_empty()).map(str::to_owned);
            let name = text(resource, "userName").or_else(|| text(resource, "displayName"));
            let place = format!("{endpoint}/{}", key.as_deref().or(name).unwrap_or("?"));
            Some(EntryEvent::Faulty { key, place, what: format!("{what}: correct it on the platform") })
        }
    }
}

/// A list to be read.
pub(crate) struct List<'l> {
    pub(crate) client: &'l Client,
    pub(crate) endpoint: &'l str,
    pub(crate) filter: Option<&'l str>,
    pub(crate) page: usize,
}

/// How far a list has been read.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// What came so far, by id, or by place where it has none.
    seen: HashSet<String>,
    total: Option<usize>,
    last: Option<String>,
    /// The server gives one at a time, so that pages can't overlap.
    gives_one: bool,
    /// What shows that it is not whole.
    pub(crate) wrong: Option<String>,
}

impl List<'_> {
    /// The next page, without what the page before had. None at the end, whether it is whole or not.
    pub(crate) async fn next(&self, pass: &mut Pass) -> Result<Option<Vec<Value>>, Error> {
        loop {
            if pass.wrong.is_some() || pass.total.is_some_and(|total| pass.seen.len() >= total) {
                return Ok(None);
            }
            let overlaps = !pass.seen.is_empty() && !pass.gives_one && self.page > 1;
            let start = pass.seen.len() + usize::from(!overlaps);
            let mut page = self.page(start).await?;
            if page.start.is_some_and(|own| own != start) && page.total > 0 {
                pass.wrong = Some(format!("asked from {start} on, it gives what begins elsewhere"));
                return Ok(None);
            }
            if pass.total.is_some_and(|total| total != page.total) {
                pass.wrong = Some("the number of all changes".to_owned());
                return Ok(None);
            }
            pass.total = Some(page.total);
            if overlaps {
                let first = page.resources.first().map(|first| id_or(first, start));
                if first.is_none() || first != pass.last {
                    pass.wrong = Some("what stands where changes".to_owned());
                    return Ok(None);
                }
                page.resources.remove(0);
                if page.resources.is_empty() {
                    pass.gives_one = true;
                    continue;
                }
            }
            if page.resources.is_empty() && page.total > pass.seen.len() {
                pass.wrong = Some(format!("of {} it gives {}", page.total, pass.seen.len()));
                return Ok(None);
            }
            for resource in &page.resources {
                let id = id_or(resource, pass.seen.len() + 1);
                if !pass.seen.insert(id.clone()) {
                    pass.wrong = Some("it gives the same entry twice".to_owned());
                }
                pass.last = Some(id);
            }
            if pass.seen.len() > page.total {
                pass.wrong = Some(format!("of {} it gives {}", page.total, pass.seen.len()));
            }
            return Ok(Some(page.resources));
        }
    }

    async fn page(&self, start: usize) -> Result<Page, Error> {
        let mut path = format!("{}?startIndex={start}&count={}", self.endpoint, self.page);
        if let Some(filter) = self.filter {
            path.push_str("&filter=");
            path.push_str(&encoded(filter));
        }
        let what = || format!("cannot read {} from {start} on at {}", self.endpoint, self.client.address());
        let answer = self.client.get(&path).await?;
        if answer.status != 200 {
            let error = answer::refusal(what(), &answer, &self.client.secrets());
            return Err(error.reaching(Scope::Run));
        }
        Page::parse(&answer.content).map_err(|why| {
            let what = format!("{}: {why}", what());
            Error::new(Cause::Protocol, Scope::Run, what).retry(Retry::AfterPerson)
        })
    }
}

fn id_or(resource: &Value, place: usize) -> String {
    text(resource, "id").map_or_else(|| format!("\u{0}{place}"), str::to_owned)
}
