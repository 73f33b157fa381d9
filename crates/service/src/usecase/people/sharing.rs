//! `sharing`: who may open, send as, send on behalf and see what; decided by owners, signed off, given on the platform, and
//! compared.
//!
//! What directories say of rights comes with their entries; what mail servers and files say is read by `discover` and kept.
//! Rows are computed of both each time.

mod compare;
mod decide;
mod directory;
mod discover;
mod file;
mod inject;
mod list;
mod mail;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use connector::{Account, Connector};
use model::Digest;
use people::Object;
use people::sharing::{Choice, Found, Parties, Party, PartyNaming, Row, Seat, Sharing, Takes};

pub use self::compare::{GapLine, SharingCompareReport};
pub use self::decide::{SharingDecision, SharingDecisionReport, SharingSignoffReport};
pub use self::discover::SharingDiscoverReport;
pub use self::inject::{InjectLine, SharingInjectReport};
pub use self::list::{MemberLine, SharingLine, SharingListReport};

use super::{Known, PeopleProject, SignoffState};
use crate::config::PeopleEntry;
use crate::registry::{self, Means};
use crate::secret::Environment;
use crate::{Error, Project};

/// The list of rights, among the lists that are signed.
const SHARING: &str = "sharing";

/// The rights of a project, opened.
pub struct SharingProject {
    project: Project,
    people: PeopleProject,
}

/// What has just been read, by where and of which mailbox.
type Fresh = BTreeMap<(String, String), Vec<Found>>;

/// What rows are made of.
struct Basis {
    known: Known,
    found: Vec<Found>,
    seats: Vec<Seat>,
    choices: HashMap<String, Choice>,
    signed: HashMap<String, Digest>,
    /// Matches that are signed, where they have to be.
    signed_matches: Option<HashMap<people::ObjectId, Digest>>,
}

/// Everybody and every row.
struct Rows<'b> {
    parties: Parties<'b>,
    rows: Vec<Row>,
}

impl SharingProject {
    /// Opens the rights of the project in this folder, for whoever runs the program.
    pub async fn open(folder: &Path, environment: Environment<'_>) -> Result<Self, Error> {
        let project = Project::open(folder, environment).await?;
        let entry = project.config.file.people.clone().map_or_else(nobody, Ok)?;
        let (config, store, actor) = (project.config.clone(), project.store.clone(), project.actor.clone());
        let people = PeopleProject::of(config, entry, store, project.key, actor)?;
        Ok(Self { project, people })
    }

    #[cfg(test)]
    pub(crate) fn with(project: Project, people: PeopleProject) -> Self {
        Self { project, people }
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.project.close().await;
    }

    /// Opens the platform's directory, where there is one.
    fn open_platform(&mut self, environment: Environment<'_>) -> Result<(), Error> {
        let config = &self.project.config;
        if let (None, Some(name)) = (&self.people.platform, &self.people.entry.platform) {
            self.people.platform = Some((name.clone(), crate::directories::open(config, name, environment)?));
        }
        Ok(())
    }

    /// What rows are made of: what was last read, and what has just been read in place of it.
    async fn basis(&self, fresh: &Fresh) -> Result<Basis, Error> {
        let known = self.people.known().await?;
        let mut found = people::sharing::granted(&known.objects);
        found.extend(fresh.values().flatten().cloned());
        for row in self.project.store.sharing(self.project.key).await? {
            if fresh.contains_key(&(row.origin, row.mailbox)) {
                continue;
            }
            let read: Vec<Found> = serde_json::from_str(&row.found).map_err(|_| super::damaged("a right"))?;
            found.extend(read);
        }
        let sources = self.project.config.sources();
        let seat = |row: &crate::people::Row| Seat {
            endpoint: row.source_endpoint.clone().unwrap_or_else(|| sources[0].clone()),
            source: row.source.clone(),
            target: row.target.clone(),
            label: row.name.clone(),
        };
        let mut choices = HashMap::new();
        for word in self.project.store.sharing_words(self.project.key).await? {
            let choice = serde_json::from_str(&word.what).map_err(|_| super::damaged("a decision about a right"))?;
            choices.insert(word.row, choice);
        }
        let signed = self.project.store.signed_rows(self.project.key, SHARING).await?;
        let must_be_signed = self.project.config.file.require.signed_match;
        Ok(Basis {
            known,
            found,
            seats: self.project.people.rows.iter().filter(|row| !row.archive).map(seat).collect(),
            choices,
            signed: signed.into_iter().map(|row| (row.key, row.facts)).collect(),
            signed_matches: if must_be_signed { Some(self.people.signed().await?) } else { None },
        })
    }

    fn rows<'b>(&self, basis: &'b Basis) -> Rows<'b> {
        let sources = self.project.config.sources();
        let entry = &self.people.entry;
        let naming = PartyNaming {
            endpoint: &|object| entry.mail_endpoint(&object.directory, &sources),
            source: &|own| entry.source_name.of(own).map(str::to_owned),
            target: &|account| entry.target_name.of(account).map(str::to_owned),
            may_use: &|row| match &basis.signed_matches {
                None => Ok(()),
                Some(signed) => {
                    match SignoffState::of(signed.get(&row.matched.object), basis.known.to_be_signed(row)) {
                        SignoffState::Signed => Ok(()),
                        _ => Err(format!("the match of {} is not signed off", row.matched.object)),
                    }
                }
            },
        };
        let Known { objects, reconciliation, accounts, .. } = &basis.known;
        let parties = Parties::of(objects, reconciliation, accounts, &basis.seats, &naming);
        let rows = Sharing { found: &basis.found, parties: &parties, choices: &basis.choices }.rows();
        Rows { parties, rows }
    }

    /// What the platform takes, as far as that is known without asking it.
    fn takes(&self) -> Takes {
        let target = &self.project.config.endpoints[self.project.config.target()];
        Takes { folders: registry::kind(target) == "imap", directory: self.people.entry.platform.is_some() }
    }

    /// The connector of this endpoint.
    fn connector(&self, name: &str, environment: Environment<'_>) -> Result<Arc<dyn Connector>, Error> {
        let means = Means {
            clock: Arc::new(connector::SystemClock),
            environment,
            unique: String::new(),
            // Well within the margin of the hold.
            unacknowledged_max: std::time::Duration::from_secs(10),
            pace: None,
        };
        registry::connector(&self.project.config, name, &self.project.config.endpoints[name], &means)
    }

    /// How the mailbox of a party is opened, at the source and on the target, and its number among the project's mailboxes.
    fn accounts(
        &self,
        party: &Party,
        environment: Environment<'_>,
    ) -> Result<(Account, Account, Option<i64>), connector::Error> {
        let sources = self.project.config.sources();
        let source = party.source.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
        let is_theirs = |row: &crate::people::Row| {
            let endpoint = row.source_endpoint.as_ref().unwrap_or(&sources[0]);
            party.source.as_ref().is_some_and(|(at, name)| at == endpoint && row.source.eq_ignore_ascii_case(name))
        };
        if let Some(place) = self.project.people.rows.iter().position(is_theirs) {
            let person = self.project.person(place, environment);
            if let Some(problem) = person.problem {
                return Err(problem.error);
            }
            let mailbox = self.project.rows.iter().find(|(_, row)| **row == place).map(|(mailbox, _)| *mailbox);
            return Ok((person.source, person.target, mailbox));
        }
        let target = party.there.as_ref().ok().and_then(|there| there.mailbox.clone()).unwrap_or_default();
        let account = |name: &str| Account {
            name: name.to_owned(),
            source_name: source.clone(),
            target_name: target.clone(),
            password: None,
        };
        Ok((account(&source), account(&target), None))
    }
}

impl Basis {
    fn signed(&self, row: &Row) -> SignoffState {
        match self.signed.get(&row.id) {
            Some(signed) if row.is_signed(signed) => SignoffState::Signed,
            Some(_) => SignoffState::Changed,
            None => SignoffState::Unsigned,
        }
    }
}

impl Rows<'_> {
    fn label(&self, party: Option<usize>, text: &str) -> String {
        party.map_or_else(|| text.to_owned(), |party| self.parties.all()[party].label.clone())
    }

    /// What a party is called on the platform.
    fn there(&self, party: Option<usize>) -> Option<String> {
        let there = self.parties.all()[party?].there.as_ref().ok()?;
        there.mailbox.clone().or_else(|| there.account.clone())
    }

    /// The party that somebody names.
    fn called(&self, who: &str) -> Result<usize, Error> {
        self.parties.called(who).map_err(|why| Error::usage(why).advise("give a mail address, an account or an id"))
    }

    /// Does this party answer for the mailbox of the row?
    fn is_owner(&self, row: &Row, owner: usize) -> bool {
        let Some(mailbox) = row.mailbox else { return false };
        let object = self.parties.all()[owner].object.as_ref();
        mailbox == owner || object.is_some_and(|object| self.parties.all()[mailbox].owners.contains(object))
    }
}

/// A project whose people are only those of people.csv.
fn nobody() -> Result<PeopleEntry, Error> {
    toml::from_str("sources = []").map_err(|error| Error::usage(error.to_string()))
}

/// The platform's entries, as objects among which names of others are found.
fn platform_objects(known: &Known) -> Vec<Object> {
    let object = |entry: &model::Entry| Object {
        id: people::ObjectId::new(directory::PLATFORM, &entry.key),
        entry: entry.clone(),
    };
    known.accounts.iter().map(object).collect()
}

#[cfg(test)]
mod tests;
