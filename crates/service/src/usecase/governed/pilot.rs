//! The pilot of a governed project: who is of it, and what each of them checked.

use std::collections::BTreeSet;
use std::path::Path;

use programme::{Action, Outcome, PilotAnswer, PilotState};
use serde::Serialize;

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
        let rows = self.store.mailboxes(self.key).await?;
        self.refuse_strangers(&people, &rows).await?;
        let is_meant = |row: &store::CollectionRow| collections.contains(&row.is.name);
        let numbers: BTreeSet<i64> = known.iter().filter(|row| is_meant(row)).map(|row| row.collection).collect();
        let of = self.store.mailbox_facts(self.key).await?;
        let is_in = |row: &&store::MailboxRow| {
            let member_of = of.get(&row.mailbox).and_then(|facts| facts.member_of);
            row.listed && member_of.is_some_and(|number| numbers.contains(&number))
        };
        people.extend(rows.iter().filter(is_in).map(|row| row.roster.source_name.clone()));
        self.act(Action::NamePilot { people }).await
    }

    /// A name that neither the roster nor the directories know would be of the pilot for ever, and would never answer.
    async fn refuse_strangers(&self, people: &[String], rows: &[store::MailboxRow]) -> Result<(), Error> {
        let known = match self.plane()? {
            Some(plane) => Some(plane.known().await?).filter(|known| !known.objects.is_empty()),
            None => None,
        };
        if rows.is_empty() && known.is_none() {
            return Ok(());
        }
        for who in people {
            let is_mailbox = rows.iter().any(|row| row.roster.source_name.eq_ignore_ascii_case(who.trim()));
            if is_mailbox {
                continue;
            }
            match &known {
                Some(known) => known.find(who.trim()).map(|_| ())?,
                None => {
                    return Err(Error::usage(format!("{who:?} is on no roster")).advise("name them as people.csv does"));
                }
            }
        }
        Ok(())
    }

    /// What people of the pilot checked, of a file: `person,item,outcome,text`, with this line first.
    pub async fn check_pilot(&mut self, file: &Path) -> Result<Acted, Error> {
        let answers = self.read_answers(file)?;
        self.act(Action::CheckPilot { answers }).await
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
        let mut reader = csv::ReaderBuilder::new().from_path(&path).map_err(|error| unreadable(error.to_string()))?;
        let head = reader.headers().map_err(|error| unreadable(error.to_string()))?;
        if head.iter().map(str::trim).ne(COLUMNS) {
            return Err(unreadable(format!("its first line is {:?}", head.iter().collect::<Vec<_>>().join(","))));
        }
        let mut answers = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| unreadable(error.to_string()))?;
            let line = row.position().map_or(0, csv::Position::line);
            let [person, item, outcome, text] =
                [0, 1, 2, 3].map(|at| row.get(at).unwrap_or_default().trim().to_owned());
            let outcome: Outcome = serde_json::from_value(serde_json::Value::from(outcome.as_str()))
                .map_err(|_| unreadable(format!("line {line}: {outcome:?} is not passed, failed or not-applicable")))?;
            answers.push(PilotAnswer { person, item, outcome, text });
        }
        Ok(answers)
    }
}
