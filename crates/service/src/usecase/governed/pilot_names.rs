//! Whom a name of the pilot means: one mailbox at one source, however its person is called.
//!
//! The record has each person once, as their old mailbox is called: where a project has several sources, those of the others than the
//! first with their endpoint before it, `NAME` and `ENDPOINT:NAME`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use people::{Object, ObjectId};
use store::{MailboxRow, ProjectKey, Store};

use super::Governed;
use crate::Error;
use crate::config::{Config, PeopleEntry};
use crate::usecase::people::Known;

/// How the record names mailboxes.
#[derive(Clone, Debug, Default)]
pub(crate) struct PilotNames {
    /// Endpoints by their number; none where there is but one source: then no name has to be told from another.
    others: BTreeMap<i64, String>,
}

impl PilotNames {
    /// Of this project.
    pub(crate) async fn of(store: &Store, key: ProjectKey, config: &Config) -> Result<Self, store::Error> {
        let sources = config.sources();
        if sources.len() < 2 {
            return Ok(Self::default());
        }
        let endpoints = store.endpoints(key).await?.into_iter();
        let others = endpoints.filter(|(_, name, _)| sources[1..].contains(name));
        Ok(Self { others: others.map(|(number, name, _)| (number, name)).collect() })
    }

    /// What the record calls this mailbox.
    pub(crate) fn of_row(&self, row: &MailboxRow) -> String {
        let name = &row.roster.source_name;
        match self.others.get(&row.roster.source_endpoint) {
            Some(endpoint) => named_at(endpoint, name),
            None => name.clone(),
        }
    }

    /// Can the name of a mailbox be that of another one at another source?
    pub(crate) fn are_several(&self) -> bool {
        !self.others.is_empty()
    }
}

fn named_at(endpoint: &str, name: &str) -> String {
    format!("{endpoint}:{name}")
}

/// What the record calls the mailbox of this object; none where its entry has no name of one.
fn of_object(entry: &PeopleEntry, sources: &[String], object: &Object) -> Option<String> {
    let name = entry.source_name.of(&object.entry)?;
    let at = entry.mail_endpoint(&object.id.directory, sources);
    Some(match at.filter(|at| sources.iter().skip(1).any(|source| source == at)) {
        Some(at) => named_at(&at, name),
        None => name.to_owned(),
    })
}

/// What the record calls the mailbox of each object that the directories tell of.
pub(crate) fn names_of_objects(config: &Config, known: &Known) -> HashMap<ObjectId, String> {
    let Some(entry) = config.file.people.as_ref() else { return HashMap::new() };
    let sources = config.sources();
    let name = |object: &Object| Some((object.id.clone(), of_object(entry, &sources, object)?));
    known.objects.iter().filter_map(name).collect()
}

/// What is known of people by whatever they are called.
pub(super) struct Called {
    rows: Vec<MailboxRow>,
    names: PilotNames,
    endpoints: BTreeMap<i64, String>,
    known: Option<Known>,
}

impl Called {
    pub(super) async fn of(governed: &Governed) -> Result<Self, Error> {
        let (store, key) = (&governed.store, governed.key);
        let known = match governed.plane()? {
            Some(plane) => Some(plane.known().await?).filter(|known| !known.objects.is_empty()),
            None => None,
        };
        let names = PilotNames::of(store, key, &governed.config).await?;
        let endpoints = store.endpoints(key).await?.into_iter().map(|(number, name, _)| (number, name)).collect();
        let mut rows = store.mailboxes(key).await?;
        rows.retain(|row| row.listed);
        Ok(Self { rows, names, endpoints, known })
    }

    /// Mailboxes of the roster.
    pub(super) fn rows(&self) -> &[MailboxRow] {
        &self.rows
    }

    /// What the record calls this mailbox.
    pub(super) fn name(&self, row: &MailboxRow) -> String {
        self.names.of_row(row)
    }

    /// What the record calls whoever is meant: by the name of their mailbox on either side, by an address, an account or an id of their entry.
    /// A name that nobody knows would be of the pilot for ever, and would never answer.
    pub(super) fn find(&self, config: &Config, who: &str) -> Result<String, Error> {
        let who = who.trim();
        let sources = config.sources();
        let split = who.split_once(':').filter(|(endpoint, _)| sources.iter().any(|source| source == endpoint));
        let (endpoint, name) = split.map_or((None, who), |(endpoint, name)| (Some(endpoint), name));
        let at = |row: &MailboxRow| self.endpoints.get(&row.roster.source_endpoint).map(String::as_str);
        let here = self.rows.iter().filter(|row| endpoint.is_none() || at(row) == endpoint);
        let is = |text: &str| text.eq_ignore_ascii_case(name);
        let by_source: Vec<&MailboxRow> = here.clone().filter(|row| is(&row.roster.source_name)).collect();
        let found =
            if by_source.is_empty() { here.filter(|row| is(&row.roster.target_name)).collect() } else { by_source };
        match found.as_slice() {
            [one] => return Ok(self.name(one)),
            [] => {}
            several => {
                let each: BTreeSet<String> =
                    several.iter().map(|row| named_at(at(row).unwrap_or("?"), &row.roster.source_name)).collect();
                let each: Vec<String> = each.into_iter().collect();
                return Err(Error::usage(format!("{who:?} are {} mailboxes", several.len()))
                    .advise(format!("say which: {}", each.join(", "))));
            }
        }
        match (&self.known, config.file.people.as_ref()) {
            (Some(known), Some(entry)) => {
                let object = known.find(name)?;
                let Some(called) = of_object(entry, &sources, object) else {
                    return Err(Error::usage(format!("the entry of {who:?} has no name of a mailbox"))
                        .advise("correct it at its source, then whimbrel people sync"));
                };
                let at = entry.mail_endpoint(&object.id.directory, &sources);
                if let (Some(wanted), Some(at)) = (endpoint, &at)
                    && wanted != at
                {
                    return Err(Error::usage(format!("{name:?} has no mailbox at {wanted}"))
                        .advise(format!("its directory's mailboxes are at {at}")));
                }
                Ok(called)
            }
            // Before there is a roster or a directory nobody can say that there is no such person.
            _ if self.rows.is_empty() => Ok(who.to_owned()),
            _ => Err(Error::usage(format!("{who:?} is on no roster")).advise("name them as people.csv does")),
        }
    }
}

impl Governed {
    /// What the record calls this person, who is or was of the pilot; the name as it is where nobody is called so.
    pub(super) fn ever_of_pilot(&self, called: &Called, who: &str) -> String {
        let was = |name: &str| self.record.pilot.contains_key(&name.trim().to_lowercase());
        if was(who) {
            return who.to_owned();
        }
        called.find(&self.config, who).ok().filter(|name| was(name)).unwrap_or_else(|| who.to_owned())
    }

    /// What the record calls this person of the pilot; the name as it is where nobody is called so.
    pub(super) fn of_pilot(&self, called: &Called, who: &str) -> String {
        if self.record.is_pilot(who) {
            return who.to_owned();
        }
        let found = called.find(&self.config, who);
        found.ok().filter(|name| self.record.is_pilot(name)).unwrap_or_else(|| who.to_owned())
    }
}
