//! What a project is: its type, stages, dates, accounts, people and answers.

use document::{Cell, Chart, Column, Tone};
use jiff::civil::Date;
use programme::{Deadlines, FieldKind, Milestones, Register, StageEntry, Sureness, days_between, unfilled_roles};

use crate::ground::Ground;
use crate::paper::{Paper, columns, date, number, text, verdict};
use crate::words;

impl Ground<'_> {
    /// What kind of project it is, and where it stands.
    pub(crate) fn project_facts(&self, paper: &mut Paper) {
        let record = self.record();
        let begun = record.standings.first().map(|(_, said)| self.said(said)).unwrap_or_default();
        let mut facts = vec![
            ("Type of project", self.scope.project_type.title.clone()),
            ("Sides", words::sides(&self.scope.project_type.sides)),
            ("Opened by", begun),
            ("Standing", words::standing(record.standing).to_owned()),
            ("Stage", record.stage().map(|entry| self.entered(entry)).unwrap_or_default()),
            ("Next gate", self.scope.next_gate().map(|gate| gate.title.clone()).unwrap_or_default()),
        ];
        if let Some(choice) = record.types.last() {
            let by = choice.by.clone().unwrap_or_else(|| self.person(&choice.said.who));
            facts.push(("Type decided by", format!("{by}, {}", words::day(words::day_of(choice.said.at)))));
            if !choice.said.note.trim().is_empty() {
                facts.push(("Why this type", choice.said.note.clone()));
            }
        }
        let numbers = |paper: &mut Vec<(&'static str, String)>| {
            let Some((sureness, numbers)) = record.numbers() else {
                return paper.push(("Accounts", String::new()));
            };
            let sure = match sureness {
                Sureness::Draft => "as drafted by",
                Sureness::Confirmed => "confirmed by",
            };
            let said = self.said(&numbers.said);
            paper.push(("Accounts", format!("{} existing, {} new; {sure} {said}", numbers.existing, numbers.new)));
        };
        numbers(&mut facts);
        paper.facts(facts);
    }

    /// The same on a few lines.
    pub(crate) fn project_lines(&self, paper: &mut Paper) {
        let record = self.record();
        let numbers =
            record.numbers().map(|(_, numbers)| format!("{} existing, {} new", numbers.existing, numbers.new));
        paper.facts(vec![
            ("Type of project", self.scope.project_type.title.clone()),
            ("Stage", record.stage().map(|entry| self.entered(entry)).unwrap_or_default()),
            ("Next gate", self.scope.next_gate().map(|gate| gate.title.clone()).unwrap_or_default()),
            ("Accounts", numbers.unwrap_or_default()),
        ]);
    }

    fn entered(&self, entry: &StageEntry) -> String {
        format!("{}, since {}", self.stage(&entry.stage), words::day(words::day_of(entry.said.at)))
    }

    /// Stages with their lengths and days.
    pub(crate) fn stages_table(&self, paper: &mut Paper) {
        let row = |stage: &programme::Stage| {
            let own = self.record().lengths.get(&stage.id).and_then(|lengths| lengths.last());
            let weeks = stage.weeks.and_then(|weeks| usize::try_from(weeks).ok());
            let days = own.map(|(days, _)| *days).or(stage.working_days).and_then(|days| usize::try_from(days).ok());
            let length = match (own, weeks, days) {
                (None, Some(weeks), _) => words::count(weeks, "week", "weeks"),
                (_, _, Some(days)) => words::count(days, "working day", "working days"),
                _ => stage.length.clone().map_or_else(|| "Open".to_owned(), |length| words::capital(&length)),
            };
            let given = self.record().date(&stage.id);
            let entry = self.record().stages.iter().find(|entry| entry.stage == stage.id);
            let is_here = self.record().stage().is_some_and(|entry| entry.stage == stage.id);
            let state = match entry {
                Some(_) if is_here && self.record().is_under_way() => (Tone::Neutral, "Under way"),
                Some(_) => (Tone::Good, "Complete"),
                None => (Tone::Neutral, "To come"),
            };
            let agreed = given.map(|given| if given.is_agreed { "Agreed" } else { "Proposed" });
            vec![
                stage.title.as_str().into(),
                length.into(),
                if given.is_none() && entry.is_some() { Cell::from("") } else { date(given.map(|given| given.day)) },
                agreed.unwrap_or_default().into(),
                entry.map_or_else(|| Cell::from(""), |entry| words::day_of(entry.said.at).into()),
                verdict(state),
            ]
        };
        let rows = self.stages().map(row).collect();
        let columns = columns([
            ("Stage", 22),
            ("Length", 22),
            ("Begins", 16),
            ("Date is", 13),
            ("Entered on", 14),
            ("State", 13),
        ]);
        paper.table("Stages and their dates", columns, rows, "The type has no stages.");
    }

    /// Every date of the project.
    pub(crate) fn dates_table(&self, paper: &mut Paper) {
        let rows = self.record().dates.iter().filter_map(|(name, given)| {
            let last = given.last()?;
            let before: Vec<String> = given.iter().rev().skip(1).rev().map(|earlier| words::day(earlier.day)).collect();
            Some(vec![
                self.date_name(name).into(),
                last.day.into(),
                if last.is_agreed { "Agreed" } else { "Proposed" }.into(),
                self.said(&last.said).into(),
                last.said.note.as_str().into(),
                before.join(", ").into(),
            ])
        });
        let columns =
            columns([("Date", 20), ("Day", 14), ("Is", 12), ("Given by", 22), ("Why", 20), ("Was before", 16)]);
        paper.table("Dates of the project", columns, rows.collect(), "No date is recorded.");
    }

    /// What has to be done by when.
    pub(crate) fn deadlines_table(&self, paper: &mut Paper) {
        self.deadlines_until(paper, "Deadlines", Date::MAX);
    }

    /// What has to be done by this day; what is over stands in it too.
    pub(crate) fn deadlines_until(&self, paper: &mut Paper, caption: &str, until: Date) {
        let programme = self.scope.programme;
        let today = self.today();
        let milestones = Milestones::of(programme, self.record());
        match Deadlines::of(programme).all(&milestones) {
            Err(why) => paper.note(Tone::Caution, words::capital(&why.to_string())),
            Ok(deadlines) => {
                let row = |deadline: &programme::Deadline| {
                    let slack = deadline.slack(today);
                    let left = match usize::try_from(slack) {
                        Ok(0) => "The day has come".to_owned(),
                        Ok(left) => format!("{} left", words::count(left, "day", "days")),
                        Err(_) => format!("{} ago", words::count(slack.unsigned_abs() as usize, "day", "days")),
                    };
                    let kind = if deadline.is_hard { "Deadline" } else { "Advice" };
                    vec![
                        words::of_id(&deadline.name).into(),
                        deadline.due.into(),
                        kind.into(),
                        left.into(),
                        words::with_days(&deadline.text).into(),
                    ]
                };
                let near = deadlines.iter().filter(|deadline| deadline.due <= until);
                let rows = near.map(row).collect();
                let columns = columns([("What", 20), ("Due", 14), ("Kind", 11), ("From today", 15), ("Rule", 40)]);
                paper.table(caption, columns, rows, "None follows from the dates that are recorded.");
            }
        }
    }

    /// New accounts by month.
    pub(crate) fn months(&self, paper: &mut Paper) {
        let record = self.record();
        if record.months.is_empty() {
            paper.says("New accounts by month: not recorded.");
            return;
        }
        let all = record.months.values().fold(0u64, |sum, accounts| sum.saturating_add(*accounts));
        let bars: Vec<(String, u64)> = record.months.iter().map(|(month, new)| (month_name(month), *new)).collect();
        let by = record.months_before.last().map(|(_, said)| self.said(said)).unwrap_or_default();
        paper.says(format!("{all} new accounts in all, as planned by {by}."));
        let told: Vec<String> = bars.iter().map(|(month, new)| format!("{month} {new}")).collect();
        paper.chart(Chart {
            caption: "New accounts by month".to_owned(),
            alternative: format!("New accounts that are planned: {}.", told.join(", ")),
            label_heading: "Month".to_owned(),
            value_heading: "New accounts".to_owned(),
            bars,
        });
    }

    /// Who has which role.
    pub(crate) fn people_table(&self, paper: &mut Paper) {
        let record = self.record();
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for role in &self.scope.programme.roles {
            if !self.scope.takes_part(role.side) {
                continue;
            }
            let mut people = record.people.values().filter(|person| person.roles.contains(&role.id)).peekable();
            if people.peek().is_none() && role.is_key {
                let none = Cell::Verdict(Tone::Caution, "Nobody is recorded".to_owned());
                rows.push(vec![role.title.as_str().into(), none, words::side(role.side).into(), "".into()]);
            }
            for person in people {
                rows.push(vec![
                    role.title.as_str().into(),
                    person.title.as_str().into(),
                    words::side(role.side).into(),
                    text(person.contact.as_deref()),
                ]);
            }
        }
        let columns = columns([("Role", 32), ("Name", 26), ("Side", 16), ("How to reach them", 26)]);
        paper.table("People and roles", columns, rows, "Nobody is recorded.");
    }

    /// Roles that nobody holds, by stage.
    pub(crate) fn unfilled_table(&self, paper: &mut Paper) {
        let unfilled = unfilled_roles(self.scope.programme, self.record());
        let rows = unfilled.iter().map(|(stage, roles)| vec![self.stage(stage).into(), self.roles(roles).into()]);
        let columns = columns([("Stage", 30), ("Roles that nobody holds", 70)]);
        paper.table("Roles to be filled", columns, rows.collect(), "Every role that a stage asks for is filled.");
    }

    /// The answers to a form, each with who gave it.
    pub(crate) fn form_table(&self, paper: &mut Paper, form: &programme::Form) {
        let row = |field: &programme::Field| {
            let (answer, said) = self.answer(form, field);
            vec![field.title.as_str().into(), answer, said.map(|said| self.said(said)).unwrap_or_default().into()]
        };
        let rows = form.fields.iter().map(row).collect();
        let columns = columns([("Question", 42), ("Answer", 30), ("Answered by", 28)]);
        paper.table(&form.title, columns, rows, "The form asks nothing.");
    }

    /// The answers to a form to be read, those fields that are asked for.
    pub(crate) fn answers_table(&self, paper: &mut Paper, form: &programme::Form, is_asked: impl Fn(&str) -> bool) {
        let fields = form.fields.iter().filter(|field| is_asked(&field.id));
        let rows = fields.map(|field| vec![field.title.as_str().into(), self.answer(form, field).0]);
        let rows: Vec<Vec<Cell>> = rows.collect();
        paper.table(&form.title, columns([("Question", 60), ("Answer", 40)]), rows, "");
    }

    /// The answer to a field that counts, and who gave it.
    fn answer(&self, form: &programme::Form, field: &programme::Field) -> (Cell, Option<&programme::Said>) {
        let answers = self.record().forms.get(&form.id).and_then(|fields| fields.get(&field.id));
        let last = answers.and_then(|answers| answers.last()).filter(|answer| !answer.value.trim().is_empty());
        let Some(last) = last else { return (words::NOT_RECORDED.into(), None) };
        let value = last.value.trim();
        let cell = match field.kind {
            FieldKind::Date => value.parse().map_or_else(|_| value.into(), Cell::Date),
            FieldKind::Number => value.parse().map_or_else(|_| value.into(), Cell::Number),
            FieldKind::YesNo | FieldKind::Choice => words::capital(value).into(),
            FieldKind::Text => value.into(),
        };
        (cell, Some(&last.said))
    }

    /// What each side does in each week of a stage.
    pub(crate) fn weeks_table(&self, paper: &mut Paper, stage: &programme::Stage) {
        let weeks = self.scope.programme.weeks.iter().filter(|week| week.stage == stage.id);
        let lines = |lines: &[String]| lines.join("\n");
        let row = |week: &programme::Week| {
            let which = if week.week == 0 { "Every week".to_owned() } else { week.week.to_string() };
            let delivered = week.deliverables.iter().filter_map(|id| self.scope.deliverable(id));
            let delivered: Vec<String> = delivered.map(|known| known.title.clone()).collect();
            vec![which.into(), lines(&week.organisation).into(), lines(&week.provider).into(), lines(&delivered).into()]
        };
        let rows: Vec<Vec<Cell>> = weeks.map(row).collect();
        if !rows.is_empty() {
            let provider = words::side(self.scope.works(programme::Side::Provider));
            let heading = if provider == "Organisation" { "And with the tools" } else { provider.as_str() };
            let columns = vec![
                Column::share("Week", 10),
                Column::share("Organisation", 32),
                Column::share(heading, 32),
                Column::share("At its end", 26),
            ];
            paper.table(&format!("{}: what is done in which week", stage.title), columns, rows, "");
        }
    }

    /// How to reach somebody when something goes wrong, in order.
    pub(crate) fn escalation_table(&self, paper: &mut Paper) {
        let mut rows: Vec<_> = self.record().rows_of(Register::Contacts).collect();
        rows.sort_by_key(|row| {
            let level = row.field("level").and_then(|level| level.parse::<u64>().ok()).unwrap_or(u64::MAX);
            (row.field("side").unwrap_or_default().to_owned(), level, row.id.clone())
        });
        let row = |row: &&programme::Row| {
            let level = row.field("level").and_then(|level| level.parse::<u64>().ok());
            vec![
                text(row.field("title")),
                words::capital(row.field("side").unwrap_or_default()).into(),
                level.map_or_else(|| text(row.field("level")), number),
                text(row.field("reach")),
                row.field("note").unwrap_or_default().into(),
            ]
        };
        let rows = rows.iter().map(row).collect();
        let columns = columns([("Contact", 28), ("Side", 18), ("Level", 10), ("How to reach them", 24), ("Note", 20)]);
        paper.table("Escalation: whom to turn to, and to whom next", columns, rows, "No contact is recorded.");
    }

    /// Days that a project was in a stage, up to the next or to today.
    pub(crate) fn days_in(&self, place: usize) -> i64 {
        let record = self.record();
        let Some(entry) = record.stages.get(place) else { return 0 };
        let over = record.standings.iter().find(|(standing, _)| *standing == programme::Standing::Ended);
        let next = record.stages.get(place + 1).map(|entry| entry.said.at).or(over.map(|(_, said)| said.at));
        let until = next.map_or(self.today(), words::day_of);
        days_between(words::day_of(entry.said.at), until).max(0)
    }
}

/// "2026-11" as "November 2026".
fn month_name(month: &str) -> String {
    let first = format!("{month}-01").parse::<Date>();
    first.map_or_else(|_| month.to_owned(), |day| day.strftime("%B %Y").to_string())
}
