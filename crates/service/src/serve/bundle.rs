//! All that a worker needs to know of a project, as the service that answers for it found it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::{Account, Secret};
use model::{Cause, Scope, Side};
use movement::{Failure, Person};
use serde::{Deserialize, Serialize};

use crate::config::{Config, SecretEntry};
use crate::secret::{Environment, Files};
use crate::{Error, Project, engine};

/// The form of a bundle that this program writes and reads.
const FORM: u32 = 1;

/// A project, to be sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Bundle {
    form: u32,
    /// `whimbrel.toml`.
    toml: String,
    /// The project's folder on the service's machine.
    folder: PathBuf,
    people: Vec<Carried>,
    /// The environment variables that the file names.
    environment: BTreeMap<String, String>,
    /// The files that it names, in base64.
    files: BTreeMap<PathBuf, String>,
    /// The folder of the quarantine and its key, in base64, where originals are kept.
    quarantine: Option<(PathBuf, String)>,
    folders: Folders,
}

/// The folders that endpoints of files lie in, by endpoint, each with its number on its file system: the same from every machine that
/// has mounted it. None: it is not there yet.
pub(crate) type Folders = BTreeMap<String, Option<(PathBuf, u64)>>;

/// A person, with what logs them in.
#[derive(Serialize, Deserialize)]
struct Carried {
    mailbox: i64,
    source: String,
    target: String,
    target_endpoint: i64,
    source_password: Option<String>,
    target_password: Option<String>,
    quota_bytes: Option<u64>,
    is_archived: bool,
    /// What keeps them from being worked on.
    problem: Option<(Option<Side>, String)>,
}

impl Bundle {
    /// What this project is now.
    pub(crate) async fn of(project: &Project, environment: Environment<'_>) -> Result<Self, Error> {
        let config = &project.config;
        let mut bundle = Self {
            form: FORM,
            toml: config.text.clone(),
            folder: config.folder.clone(),
            people: project
                .rows
                .iter()
                .map(|(mailbox, place)| carried(project, *mailbox, *place, environment))
                .collect(),
            environment: BTreeMap::new(),
            files: BTreeMap::new(),
            quarantine: None,
            folders: config.file_folders().into_iter().map(|(name, folder)| (name, numbered(folder))).collect(),
        };
        for (whose, path) in config.ca_files() {
            bundle.add_file(config.path(path), &whose)?;
        }
        for (whose, secret) in config.secrets() {
            match secret {
                SecretEntry::Env(variable) => {
                    bundle.environment.extend(environment(variable).map(|value| (variable.clone(), value)));
                }
                SecretEntry::File(path) => bundle.add_file(config.path(path), &whose)?,
            }
        }
        // Makes the folder and the key, where they are needed and not there.
        if project.originals().await?.is_some() {
            let entry = &config.file.quarantine;
            let key = read(&config.path(&entry.key_file), "quarantine.key_file")?;
            bundle.quarantine = Some((config.path(&entry.folder), STANDARD.encode(key)));
        }
        Ok(bundle)
    }

    fn add_file(&mut self, path: PathBuf, whose: &str) -> Result<(), Error> {
        let bytes = read(&path, whose)?;
        self.files.insert(path, STANDARD.encode(bytes));
        Ok(())
    }

    /// Its bytes: the same for the same project.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads them; why not, if they can't be.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let bundle: Self = serde_json::from_slice(bytes).map_err(|error| format!("it is of another form: {error}"))?;
        if bundle.form == FORM { Ok(bundle) } else { Err(format!("it has form {}, not {FORM}", bundle.form)) }
    }

    /// The project's settings.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        let mut config = Config::parse(&self.toml, &self.folder)?;
        let decoded = |(path, text): (&PathBuf, &String)| Some((path.clone(), STANDARD.decode(text).ok()?));
        config.files = Files::given(self.files.iter().filter_map(decoded).collect());
        Ok(config)
    }

    /// The value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    /// The folder of the quarantine, and its key.
    pub(crate) fn quarantine(&self) -> Option<(&Path, Vec<u8>)> {
        let (folder, key) = self.quarantine.as_ref()?;
        Some((folder, STANDARD.decode(key).unwrap_or_default()))
    }

    /// Refuses a reading of the project that finds another folder where an endpoint of files lay than the one before did: what was
    /// mounted there has gone, and mail would be written where nobody looks for it, and missed where it was.
    pub(crate) fn refuse_moved_folders(&self, before: &Folders, config: &Config) -> Result<(), Error> {
        for (name, path) in config.file_folders() {
            let is_moved = |known: &(PathBuf, u64)| known.0 == path && self.folders[&name].as_ref() != Some(known);
            if before.get(&name).and_then(Option::as_ref).is_some_and(is_moved) {
                let shown = path.display();
                let what = format!("the endpoint {name} lies in {shown}, which is not the folder any more that it was");
                let advice = "mount it there again; if it was made anew, stop the service and begin it again";
                return Err(Error::usage(what).advise(advice));
            }
        }
        Ok(())
    }

    /// The folders that its endpoints of files lie in.
    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Refuses to work where the endpoints of files are not those of the service: mail would be written to a folder of this machine
    /// alone.
    pub(crate) fn refuse_other_folders(&self, config: &Config) -> Result<(), String> {
        for (name, folder) in config.file_folders() {
            let shown = folder.display().to_string();
            let what = match self.folders.get(&name).and_then(Option::as_ref) {
                Some(known) if numbered(folder).as_ref() == Some(known) => continue,
                Some(_) => "is not the one that whimbrel serve has there: mount it at this path",
                None => "was not there when whimbrel serve read the project: make it, where all can reach it",
            };
            return Err(format!("the endpoint {name} lies in {shown}, which {what}"));
        }
        Ok(())
    }

    /// The people, by the numbers of their mailboxes.
    pub(crate) fn people(&self) -> BTreeMap<i64, Person> {
        self.people.iter().map(|carried| (carried.mailbox, carried.person())).collect()
    }
}

impl Carried {
    fn person(&self) -> Person {
        let account = |name: &String, password: &Option<String>| Account {
            name: name.clone(),
            source_name: self.source.clone(),
            target_name: self.target.clone(),
            password: password.as_ref().map(Secret::new),
        };
        let problem = self.problem.as_ref().map(|(side, what)| Failure {
            side: *side,
            error: connector::Error::new(Cause::Login, Scope::Mailbox, what.clone()),
        });
        Person {
            source: account(&self.source, &self.source_password),
            target: account(&self.target, &self.target_password),
            target_endpoint: self.target_endpoint,
            quota_bytes: self.quota_bytes,
            policy: self.is_archived.then(|| Arc::new(engine::archive_policy())),
            problem,
        }
    }
}

fn carried(project: &Project, mailbox: i64, place: usize, environment: Environment<'_>) -> Carried {
    let person = project.person(place, environment);
    let text = |password: &Option<Secret>| password.as_ref().map(|secret| secret.reveal().to_owned());
    Carried {
        mailbox,
        source: person.source.name,
        target: person.target.name,
        target_endpoint: person.target_endpoint,
        source_password: text(&person.source.password),
        target_password: text(&person.target.password),
        quota_bytes: person.quota_bytes,
        is_archived: person.policy.is_some(),
        problem: person.problem.map(|problem| (problem.side, problem.error.what)),
    }
}

/// A folder with its number on its file system; none where it is not there.
fn numbered(folder: PathBuf) -> Option<(PathBuf, u64)> {
    let facts = std::fs::metadata(&folder).ok().filter(std::fs::Metadata::is_dir)?;
    Some((folder, facts.ino()))
}

fn read(path: &Path, whose: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| {
        Error::usage(format!("{whose}: the file {} cannot be read: {error}", path.display()))
            .advise("check the path; it is relative to the project's folder")
    })
}
