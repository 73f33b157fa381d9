//! The pilot: who was of it, and what its people checked.

use document::{Cell, Tone};
use programme::{Outcome, PilotState, pilot};

use crate::ground::Ground;
use crate::paper::{Paper, columns, verdict};
use crate::words;

impl Ground<'_> {
    /// What people of the pilot checked, by what was checked; and what did not pass.
    pub(crate) fn pilot_tables(&self, paper: &mut Paper) {
        let state = pilot(self.scope.programme, self.record());
        let (people, complete) = (state.people.len(), state.complete());
        let (tone, all) = match people {
            0 => (Tone::Caution, "Nobody is named for the pilot.".to_owned()),
            _ if complete == people => (
                Tone::Good,
                format!("{} of the pilot, and each has checked everything.", words::count(people, "person", "people")),
            ),
            _ => (Tone::Caution, format!("{complete} of {people} people of the pilot have checked everything.")),
        };
        paper.note(tone, all);
        if people == 0 {
            return;
        }
        if let (Some(all), Some((least, most))) = (state.in_scope, state.right) {
            paper.says(format!("{least} to {most} of {all} people are to be of the pilot; {people} are."));
        }
        self.checks_table(paper, &state);
        let row =
            |(person, item, seen): (&str, &str, &str)| vec![person.into(), words::capital(item).into(), seen.into()];
        let failed = state.people.iter().flat_map(|line| {
            line.failed.iter().map(|(item, seen)| (line.person.as_str(), item.as_str(), seen.as_str()))
        });
        let rows: Vec<Vec<Cell>> = failed.map(row).collect();
        let columns = columns([("Person", 34), ("What", 26), ("Seen", 40)]);
        paper.table("What did not pass in the pilot", columns, rows, "Everything that was checked passed.");
    }

    fn checks_table(&self, paper: &mut Paper, state: &PilotState) {
        let people: Vec<_> = self.record().pilot_people().map(|(_, person)| person).collect();
        let row = |item: &String| {
            let last = people.iter().filter_map(|person| person.checks.get(item)?.last());
            let outcomes: Vec<Outcome> = last.map(|answer| answer.outcome).collect();
            let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
            let number = |count: usize| Cell::Number(i64::try_from(count).unwrap_or(i64::MAX));
            let open = people.len() - outcomes.len();
            let all = if open == 0 { (Tone::Good, "Complete") } else { (Tone::Caution, "Open") };
            vec![
                words::capital(item).into(),
                number(count(Outcome::Passed)),
                number(count(Outcome::Failed)),
                number(count(Outcome::NotApplicable)),
                number(open),
                verdict(all),
            ]
        };
        let rows = state.checks.iter().map(row).collect();
        let columns = columns([
            ("What was checked", 32),
            ("Passed", 12),
            ("Failed", 12),
            ("Does not apply", 16),
            ("Not answered", 14),
            ("State", 14),
        ]);
        paper.table("What people of the pilot checked", columns, rows, "The profile asks for no checks.");
    }
}
