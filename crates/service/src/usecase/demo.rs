//! `demo`: a small organisation of the project's own making, moved from the in-memory platform to maildirs, with the
//! verdict. No server, no root, no network.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use connector::memory::{MemoryConnector, MemoryItem, Platform, Traits};
use connector::{Account, Connector, HoldsLimits, SystemClock};
use model::{ItemKind, MailboxKind, Organisation, OrganisationCode, ReceivedAt};
use movement::{Endpoint, Engine, Holder, NoProbe, Person, Progress, Tuning, Verification};
use profile::{Policy, Profile, Settings};
use report::{Document, Form};
use serde::Serialize;
use store::{LeaseTerms, RosterRow, Store};
use tokio::sync::watch;

use crate::Error;
use crate::error::Exit;
use crate::project::random_text;
use crate::usecase::report::{FailedItemsReport, Heading, OverallReport, failed_items, overall};
use crate::usecase::rules::Originals;

/// What the reports call it.
const ORGANISATION: &str = "Example Trust";
const CODE: &str = "RX1";
const PROJECT: &str = "demo";
/// The rules it moves under.
const PROFILE: &str = "nhsmail";
/// The seed of the organisation: the same people and mail every time.
const SEED: u64 = 2017;
/// People, and about how many messages each has.
const PEOPLE: usize = 12;
const MESSAGES: usize = 250;

/// A demo that is ready to run.
pub struct Demo {
    engine: Engine,
    mailboxes: Vec<i64>,
    people: Vec<rehearsal::Person>,
}

/// How a demo ended.
#[derive(Clone, Debug, Serialize)]
pub struct DemoReport {
    /// Where the maildirs are.
    pub folder: String,
    /// People moved.
    pub people: u64,
    /// Items copied.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Items copied when it was run again: none.
    pub copied_again: u64,
    /// Where everybody stands.
    pub overall: OverallReport,
    /// What failed.
    pub failed: FailedItemsReport,
    /// The same two as pages and workbooks.
    pub files: Vec<String>,
    /// The verdict.
    pub sentence: String,
    /// Exact, and nothing left behind.
    pub exact: bool,
    /// What went wrong.
    pub failures: Vec<String>,
}

impl DemoReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if self.exact && self.failures.is_empty() && self.copied_again == 0 { Exit::Done } else { Exit::WithFailures }
    }
}

impl Demo {
    /// Makes the organisation, and an empty place for it in this folder.
    pub async fn prepare(folder: &Path, progress: Arc<Progress>, stop: watch::Receiver<bool>) -> Result<Self, Error> {
        let failed = |error: std::io::Error| {
            Error::usage(format!("{} cannot be written: {error}", folder.display()))
                .advise("name another folder: whimbrel demo --to DIR")
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(Error::usage(format!("{} is not empty; nothing was changed", folder.display()))
                .advise("name an empty folder: whimbrel demo --to DIR"));
        }
        let people = rehearsal::organisation(SEED, PEOPLE, MESSAGES);
        let platform = Platform::new(Traits::default());
        for person in &people {
            fill(&platform, person);
        }
        let store = Store::open(&format!("sqlite:{}", folder.join("whimbrel.db").display())).await?;
        let code = OrganisationCode::try_from(CODE.to_owned()).map_err(|error| Error::usage(error.to_string()))?;
        let organisation = Organisation { name: ORGANISATION.to_owned(), code };
        let key = store.project(&organisation, PROJECT).await?;
        let local = store.endpoint(key, "local", "memory").await?;
        let archive = store.endpoint(key, "archive", "maildir").await?;
        let roster: Vec<RosterRow> = people
            .iter()
            .map(|person| RosterRow {
                source_endpoint: local,
                source_name: person.account.clone(),
                target_endpoint: archive,
                target_name: person.account.clone(),
                name: Some(person.name.clone()),
                kind: MailboxKind::Person,
                collection: Some(person.department.to_owned()),
                target_in_use: false,
                new_account: true,
                activated: None,
                in_books: None,
            })
            .collect();
        store.enroll(key, &roster).await?;
        let unique = random_text()?;
        let maildirs = maildir::MaildirConfig {
            path: "mail/{target}".to_owned(),
            keywords: maildir::Keywords::Dovecot,
            base: folder.to_owned(),
        };
        let clock = Arc::new(SystemClock);
        let from: Arc<dyn Connector> = Arc::new(MemoryConnector::new(&platform));
        let to: Arc<dyn Connector> = Arc::new(maildir::MaildirConnector::new(maildirs, clock.clone(), unique.clone()));
        let rows = store.mailboxes(key).await?;
        let accounts = rows.iter().map(|row| {
            let account = Account::named(&row.roster.source_name);
            let (source, target) = (account.clone(), account);
            let target_endpoint = row.roster.target_endpoint;
            (row.mailbox, Person { source, target, target_endpoint, quota_bytes: None, policy: None, problem: None })
        });
        let (kept, its_key) = (folder.join("quarantine"), folder.join("quarantine.key"));
        let originals = Originals::open(&kept, &its_key).await?;
        let engine = Engine {
            key,
            version: None,
            endpoints: BTreeMap::from([
                (local, Endpoint::new("local", from, None)),
                (archive, Endpoint::new("archive", to, None)),
            ]),
            people: Arc::new(accounts.collect()),
            policy: Arc::new(policy()?),
            quarantine: Some(Arc::new(originals)),
            scanner: None,
            clock,
            holder: Holder::this_process(&unique),
            terms: LeaseTerms { lasts_ms: 60_000, margin_ms: 15_000 },
            people_at_once: 4,
            holds: HoldsLimits::default(),
            tuning: Tuning::default(),
            progress,
            stop,
            probe: Arc::new(NoProbe),
            dry_run: false,
            consent: None,
            turnover: None,
            store,
        };
        Ok(Self { engine, mailboxes: rows.iter().map(|row| row.mailbox).collect(), people })
    }

    /// The mailboxes by number: a name for people, and the collection.
    pub fn overview(&self) -> BTreeMap<i64, (String, String)> {
        let named = |(person, mailbox): (&rehearsal::Person, &i64)| {
            (*mailbox, (person.name.clone(), person.department.to_owned()))
        };
        self.people.iter().zip(&self.mailboxes).map(named).collect()
    }

    /// Where everybody stands, and what failed.
    async fn reports(&self) -> Result<(OverallReport, FailedItemsReport), Error> {
        let Engine { store, key, policy, clock, .. } = &self.engine;
        let heading = Heading {
            organisation: ORGANISATION.to_owned(),
            code: CODE.to_owned(),
            project: PROJECT.to_owned(),
            at: clock.unix_seconds(),
            policy: policy.citation.clone(),
            only: None,
        };
        let rows = store.mailboxes(*key).await?;
        let mut items = Vec::new();
        for row in &rows {
            items.extend(failed_items(store, *key, row).await?.into_iter().map(|(_, item)| item));
        }
        let overall = overall(store, *key, rows, heading.clone(), policy).await?;
        let failed = FailedItemsReport::of(heading, &overall.all.items, items, policy);
        Ok((overall, failed))
    }

    /// Copies, compares, and copies again to show that nothing is left to do.
    pub async fn run(&self, folder: &Path) -> Result<DemoReport, Error> {
        let end = self.engine.run(&self.mailboxes).await;
        let mut failures: Vec<String> = end.failure.iter().map(ToString::to_string).collect();
        failures.extend(end.outcomes.iter().filter_map(|outcome| outcome.failure.as_ref()).map(ToString::to_string));
        if end.stopped {
            let what = "stopped on request".to_owned();
            return Err(Error { exit: Exit::Stopped, rule: None, what, advice: None });
        }
        let mut all = Verification::default();
        for row in self.engine.store.mailboxes(self.engine.key).await? {
            match self.engine.verify(&row, None).await {
                Ok(found) => all.add(found),
                Err(failure) => failures.push(failure.to_string()),
            }
        }
        let again = self.engine.run(&self.mailboxes).await;
        let sum = |outcomes: &[movement::MailboxOutcome], what: fn(&movement::Report) -> u64| {
            outcomes.iter().map(|outcome| what(&outcome.report)).sum()
        };
        let (overall, failed) = self.reports().await?;
        self.engine.store.close().await;
        let mut files = Vec::new();
        for (name, document) in [("report-overall", overall.document()), ("report-failed", failed.document())] {
            for (form, ending) in [(Form::Html, "html"), (Form::Xlsx, "xlsx")] {
                files.push(format!("{name}.{ending}"));
                write(&folder.join(format!("{name}.{ending}")), &document, form)?;
            }
        }
        Ok(DemoReport {
            folder: folder.display().to_string(),
            people: self.people.len() as u64,
            overall,
            failed,
            files,
            copied: sum(&end.outcomes, |report| report.copied),
            bytes: sum(&end.outcomes, |report| report.bytes),
            copied_again: sum(&again.outcomes, |report| report.copied),
            sentence: all.sentence(),
            exact: all.is_exact(),
            failures,
        })
    }
}

/// The rules of the demo.
fn policy() -> Result<Policy, Error> {
    let policy = Profile::shipped(PROFILE).and_then(|profile| profile.policy(&Settings::default()));
    policy.map_err(|error| Error::usage(error.to_string()))
}

fn write(path: &Path, document: &Document, form: Form) -> Result<(), Error> {
    let written = std::fs::File::create_new(path).and_then(|mut file| document.write(form, None, &mut file));
    written.map_err(|error| Error::usage(format!("{} cannot be written: {error}", path.display())))
}

fn fill(platform: &Platform, person: &rehearsal::Person) {
    platform.add_mailbox(&person.account);
    for folder in &person.folders {
        let (path, special_use) = (&folder.path, folder.special_use);
        platform.add_folder_of(&person.account, path, ItemKind::Message, special_use, folder.subscribed);
        for item in &folder.items {
            let item = MemoryItem {
                kind: ItemKind::Message,
                bytes: item.bytes.clone(),
                flags: item.flags.clone(),
                received: ReceivedAt::utc(item.received),
            };
            platform.deliver(&person.account, path, item);
        }
    }
}
