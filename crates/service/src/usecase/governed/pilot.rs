//! The pilot of a governed project: who is of it, and what each of them checked.

use std::collections::BTreeSet;
use std::path::Path;

use programme::{Action, Outcome, PilotAnswer, PilotState, Subject};
use serde::Serialize;

use super::import::line_of;
use super::pilot_names::Called;
use super::{Acted, Governed};
use crate::Error;

/// The file of answers has no more bytes.
const ANSWERS_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The pilot of a project.
#[derive(Clone, Debug, Serialize)]
pub struct PilotShow {
    /// As it stands.
    #[serde(flatten)]
    pub pilot: PilotState,
    /// Has it its share of all people?
    pub has_its_share: bool,
    /// How many of its people have answered everything.
    pub complete: usize,
    /// Is something not checked, or its share neither as is usual nor decided?
    pub is_open: bool,
}

impl Governed {
    /// The pilot, with who has still to answer what.
    pub fn pilot(&self) -> PilotShow {
        let pilot = programme::pilot(&self.programme, &self.record);
        let (has_its_share, complete) = (pilot.has_its_share(), pilot.complete());
        let is_open = complete < pilot.people.len() || !pilot.is_right();
        PilotShow { pilot, has_its_share, complete, is_open }
    }

    /// Names people for the pilot: these, and those of these collections; those of the collections that the project's file names where
    /// nobody is.
    pub async fn name_pilot(&mut self, mut people: Vec<String>, mut collections: Vec<String>) -> Result<Acted, Error> {
        if people.is_empty() && collections.is_empty() {
            collections.clone_from(&self.config.file.programme.pilot);
        }
        let known = self.store.collections(self.key).await?;
        let names: Vec<&str> = known.iter().map(|row| row.is.name.as_str()).collect();
        if let Some(unknown) = collections.iter().find(|name| !names.contains(&name.as_str())) {
            return Err(Error::usage(format!("there is no collection {unknown:?}"))
                .advise(format!("there are {}", names.join(", "))));
        }
        let called = Called::of(self).await?;
        for who in &mut people {
            *who = called.find(&self.config, who)?;
        }
        let is_meant = |row: &store::CollectionRow| collections.contains(&row.is.name);
        let numbers: BTreeSet<i64> = known.iter().filter(|row| is_meant(row)).map(|row| row.collection).collect();
        let of = self.store.mailbox_facts(self.key).await?;
        let is_in = |row: &&store::MailboxRow| {
            let member_of = of.get(&row.mailbox).and_then(|facts| facts.member_of);
            member_of.is_some_and(|number| numbers.contains(&number))
        };
        people.extend(called.rows().iter().filter(is_in).map(|row| called.name(row)));
        self.act(Action::NamePilot { people }).await
    }

    /// Somebody is not of the pilot any more.
    pub async fn leave_pilot(&mut self, who: &str, why: String) -> Result<Acted, Error> {
        let person = self.of_pilot(&Called::of(self).await?, who);
        self.act(Action::LeavePilot { person, why }).await
    }

    /// Records a decision. Whoever it is about is found by whatever they are called.
    pub async fn decide(&mut self, action: Action) -> Result<Acted, Error> {
        let Action::Decide { decision, verdict, outcome, by, why } = action else { return self.act(action).await };
        let decision = match programme::leaver_of(&decision) {
            Some(who) => programme::leave_of(&self.ever_of_pilot(&Called::of(self).await?, who)),
            None => decision,
        };
        self.act(Action::Decide { decision, verdict, outcome, by, why }).await
    }

    /// What people of the pilot checked.
    pub async fn check_pilot(&mut self, mut answers: Vec<PilotAnswer>) -> Result<Acted, Error> {
        let called = Called::of(self).await?;
        for answer in &mut answers {
            answer.person = self.of_pilot(&called, &answer.person);
        }
        self.act(Action::CheckPilot { answers }).await
    }

    /// Gives a file as evidence of what a person of the pilot checked.
    pub async fn give_pilot_evidence(&mut self, who: &str, file: &Path, note: &str) -> Result<Acted, Error> {
        let person = self.of_pilot(&Called::of(self).await?, who);
        self.give_evidence(Subject::Pilot(person.trim().to_lowercase()), file, note).await
    }

    /// What people of the pilot checked, of a file: `person,item,outcome,text`, with this line first.
    pub async fn check_pilot_file(&mut self, file: &Path) -> Result<Acted, Error> {
        let answers = self.read_answers(file)?;
        self.check_pilot(answers).await
    }

    fn read_answers(&self, file: &Path) -> Result<Vec<PilotAnswer>, Error> {
        const COLUMNS: [&str; 4] = ["person", "item", "outcome", "text"];
        let path = self.config.folder.join(file);
        let unreadable = |why: String| {
            Error::usage(format!("{} cannot be read: {why}", path.display()))
                .advise(format!("it is a CSV file whose first line is {}", COLUMNS.join(",")))
        };
        let size_bytes = std::fs::metadata(&path).map_err(|error| unreadable(error.to_string()))?.len();
        if size_bytes > ANSWERS_BYTES_MAX {
            return Err(unreadable(format!("it has {size_bytes} bytes, and {ANSWERS_BYTES_MAX} at most are read")));
        }
        let bytes = std::fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
        let mut reader = csv::ReaderBuilder::new().from_reader(bytes.as_slice());
        let head = reader.headers().map_err(|error| unreadable(error.to_string()))?;
        if head.iter().map(str::trim).ne(COLUMNS) {
            return Err(unreadable(format!("its first line is {:?}", head.iter().collect::<Vec<_>>().join(","))));
        }
        let mut answers = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| unreadable(error.to_string()))?;
            let line = line_of(&bytes, row.position());
            let [person, item, outcome, text] =
                [0, 1, 2, 3].map(|at| row.get(at).unwrap_or_default().trim().to_owned());
            let outcome: Outcome = serde_json::from_value(serde_json::Value::from(outcome.as_str()))
                .map_err(|_| unreadable(format!("line {line}: {outcome:?} is not passed, failed or not-applicable")))?;
            answers.push(PilotAnswer { person, item, outcome, text });
        }
        Ok(answers)
    }
}
