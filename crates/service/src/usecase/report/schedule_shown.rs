//! The schedule and run-rate report as a document.

use movement::state::counted;
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight, bytes, grouped, moment};

use super::schedule::{Activation, BehindLine, CollectionSchedule, DayLine, RunRate, ScheduleReport, ScheduleVerdict};
use super::shown::{phase, sentence, text, text_if, verb};

impl ScheduleVerdict {
    fn words(self) -> &'static str {
        match self {
            Self::Done => "in step",
            Self::NoDate => "no date",
            Self::NotPredicted => "not predicted",
            Self::OnTime => "on time",
            Self::AtRisk => "may be late",
            Self::WillBeLate => "will be late",
            Self::Late => "late",
        }
    }
}

impl RunRate {
    fn cells(&self) -> [Cell; 2] {
        [self.items_an_hour(), self.bytes_an_hour()].map(|number| number.map_or(Cell::Empty, Cell::Number))
    }
}

/// A number of items in an hour as one in a second, with a tenth.
fn a_second(an_hour: u64) -> String {
    let tenths = an_hour / 360;
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

impl ScheduleReport {
    /// The report as a document, for every form.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Schedule and run rate");
        document.sentences = self.sentences();
        document.tables = vec![self.by_collection(), by_day(&self.days), behind(&self.behind)];
        document.tables.extend(self.activation.as_ref().map(not_activated));
        document.main = "schedule";
        let notes = [
            ("Date", "The day by which the collection is to be in step. Late is whoever is not once that day is over."),
            (
                "Expected",
                "In half of all cases in step by then, and in nine of ten by the latest, if nothing stands in the way. Only where \
                 something is known of every mailbox that is not in step: whimbrel preflight.",
            ),
            (
                "Items an hour",
                "What one worker copied in an hour of work on mailboxes of the collection; several work at once.",
            ),
            (
                "Changes followed",
                "Flags changed, items moved and removed on the target as they were at the source, apart from new items.",
            ),
            (
                "Into step",
                "Mailboxes that came into step on that day, less those that fell out of it. What fails is counted alike.",
            ),
        ];
        document.notes = notes.map(|(word, note)| (word, note.to_owned())).to_vec();
        document
    }

    fn sentences(&self) -> Vec<Sentence> {
        let all = &self.all;
        let done = all.in_step + all.turned_over;
        let standing = format!(
            "{} of {} {} in step with the source, or turned over.",
            grouped(done),
            counted(all.mailboxes, "mailbox"),
            verb(done, "is", "are")
        );
        let mut sentences = vec![match (all.parked, done == all.mailboxes) {
            (0, true) => sentence(Weight::Well, standing),
            (0, false) => sentence(Weight::Attention, standing),
            (parked, _) => {
                let text = format!("{standing} {} {} a person.", grouped(parked), verb(parked, "needs", "need"));
                sentence(Weight::Alert, text)
            }
        }];
        let of = |wanted: &[ScheduleVerdict]| {
            let lines = self.collections.iter().filter(|line| wanted.contains(&line.verdict));
            lines.map(CollectionSchedule::name).collect::<Vec<_>>()
        };
        for (verdicts, weight, what) in [
            (&[ScheduleVerdict::Late][..], Weight::Alert, "Late"),
            (&[ScheduleVerdict::WillBeLate][..], Weight::Alert, "Will be late unless something is done"),
            (&[ScheduleVerdict::AtRisk][..], Weight::Attention, "May be late"),
            (&[ScheduleVerdict::NoDate][..], Weight::Attention, "Without a date"),
            (&[ScheduleVerdict::NotPredicted][..], Weight::Attention, "With a date, and nothing known of how long"),
        ] {
            let names = of(verdicts);
            if !names.is_empty() {
                sentences.push(sentence(weight, format!("{what}: {}.", names.join(", "))));
            }
        }
        if let (Some(items), Some(size)) = (all.rate.items_an_hour(), all.rate.bytes_an_hour()) {
            let text = format!("A worker copies {} items a second, {} an hour.", a_second(items), bytes(size));
            sentences.push(sentence(Weight::Well, text));
        }
        sentences.extend(self.yesterday());
        if let Some(activation) = &self.activation {
            let waiting = activation.waiting.len() as u64;
            let accounts = counted(waiting + activation.activated, "account");
            sentences.push(match waiting {
                0 => sentence(Weight::Well, format!("All of {accounts} that were made are activated.")),
                some => sentence(
                    Weight::Attention,
                    format!(
                        "{} of {accounts} that were made {} not activated.",
                        grouped(some),
                        verb(some, "is", "are")
                    ),
                ),
            });
        }
        sentences
    }

    /// What the last whole day did.
    fn yesterday(&self) -> Option<Sentence> {
        let day = self.days.iter().rev().find(|day| !day.is_today)?;
        let what = format!(
            "{}: {} copied ({}), {} followed, {:+} in step, {:+} failed.",
            day.day,
            counted(day.items, "item"),
            bytes(day.bytes),
            counted(day.followed, "change"),
            day.came_into_step,
            day.failed
        );
        Some(sentence(if day.failed > 0 { Weight::Attention } else { Weight::Well }, what))
    }

    fn by_collection(&self) -> Table {
        let row = |line: &CollectionSchedule, name: String, verdict: Cell| {
            let numbers = [
                line.mailboxes,
                line.not_begun,
                line.copying,
                line.in_step,
                line.turned_over,
                line.waiting,
                line.parked,
                line.late,
            ];
            let ends = line.expected.map(|expected| [expected.likely, expected.latest].map(Cell::Moment));
            let mut cells = vec![text(name), text_if(line.date.as_ref()), verdict];
            cells.extend(ends.unwrap_or([Cell::Empty, Cell::Empty]));
            cells.extend(numbers.map(Cell::Number));
            cells.extend(line.rate.cells());
            cells
        };
        Table {
            name: "schedule",
            title: "Planned and actual, collection by collection".to_owned(),
            columns: vec![
                Column::new("Collection", Kind::Text),
                Column::if_any("Date", Kind::Text),
                Column::new("Schedule", Kind::Text),
                Column::if_any("Expected", Kind::Moment),
                Column::if_any("Latest", Kind::Moment),
                Column::new("Mailboxes", Kind::Number),
                Column::if_any("Not begun", Kind::Number),
                Column::if_any("Copying", Kind::Number),
                Column::new("In step", Kind::Number),
                Column::if_any("Turned over", Kind::Number),
                Column::if_any("Waiting", Kind::Number),
                Column::if_any("Parked", Kind::Number),
                Column::if_any("Late", Kind::Number),
                Column::if_any("Items an hour", Kind::Number),
                Column::if_any("Size an hour", Kind::Bytes),
            ],
            rows: self.collections.iter().map(|line| row(line, line.name(), text(line.verdict.words()))).collect(),
            total: Some(row(&self.all, "All".to_owned(), Cell::Empty)),
            empty: "Nobody is on the list.",
        }
    }
}

impl CollectionSchedule {
    fn name(&self) -> String {
        self.collection.clone().unwrap_or_else(|| "(in none)".to_owned())
    }
}

fn by_day(days: &[DayLine]) -> Table {
    // A cell's number is not less than nothing, and a text that begins with a sign is made harmless, as formulas are.
    let more = |number: i64| match (number, grouped(number.unsigned_abs())) {
        (0, _) => text("none"),
        (1.., many) => text(format!("{many} more")),
        (_, many) => text(format!("{many} fewer")),
    };
    let row = |day: &DayLine| {
        let name = if day.is_today { format!("{}, so far", day.day) } else { day.day.clone() };
        vec![
            text(name),
            day.from.map_or(Cell::Empty, Cell::Moment),
            Cell::Moment(day.until),
            Cell::Number(day.items),
            Cell::Number(day.bytes),
            Cell::Number(day.followed),
            more(day.came_into_step),
            more(day.turned_over),
            more(day.failed),
            Cell::Number(day.in_step_at_end),
            Cell::Number(day.mailboxes_at_end),
            Cell::Number(day.failed_at_end),
        ]
    };
    Table {
        name: "days",
        title: "Day by day".to_owned(),
        columns: vec![
            Column::new("Day", Kind::Text),
            Column::new("Counted from", Kind::Moment),
            Column::new("Until", Kind::Moment),
            Column::new("Items copied", Kind::Number),
            Column::new("Size", Kind::Bytes),
            Column::new("Changes followed", Kind::Number),
            Column::new("Into step", Kind::Text),
            Column::new("Turned over", Kind::Text),
            Column::new("Failed", Kind::Text),
            Column::new("In step then", Kind::Number),
            Column::new("Mailboxes then", Kind::Number),
            Column::new("Failed then", Kind::Number),
        ],
        rows: days.iter().map(row).collect(),
        total: None,
        empty: "No day was counted yet.",
    }
}

fn behind(lines: &[BehindLine]) -> Table {
    let row = |line: &BehindLine| {
        let late = if line.is_late { "late" } else { "" };
        vec![
            text(&line.mailbox),
            text_if(line.name.as_ref()),
            text_if(line.collection.as_ref()),
            text_if(line.date.as_ref()),
            text(late),
            text(phase(line.phase)),
            text(&line.condition),
            Cell::Moment(line.since),
            text_if(line.reason.as_ref()),
        ]
    };
    Table {
        name: "behind",
        title: "Who is late, waits, or needs a person".to_owned(),
        columns: vec![
            Column::new("Mailbox", Kind::Text),
            Column::aside("Name", Kind::Text),
            Column::aside("Collection", Kind::Text),
            Column::if_any("Date", Kind::Text),
            Column::if_any("Late", Kind::Text),
            Column::new("Stands", Kind::Text),
            Column::new("It is", Kind::Text),
            Column::new("Since", Kind::Moment),
            Column::new("What for", Kind::Prose),
        ],
        rows: lines.iter().map(row).collect(),
        total: None,
        empty: "Nobody.",
    }
}

fn not_activated(activation: &Activation) -> Table {
    let rows = activation.waiting.iter().map(|line| {
        let days = line.days_left.map_or(Cell::Empty, |days| match u64::try_from(days) {
            Ok(days) => Cell::Text(grouped(days)),
            Err(_) => text("locked"),
        });
        vec![
            text(&line.name),
            text_if(line.mail.as_ref()),
            text(line.state),
            text(moment(line.made).split(' ').next().unwrap_or_default()),
            days,
            line.next.map_or(Cell::Empty, text),
        ]
    });
    Table {
        name: "activation",
        title: "Accounts that are not activated".to_owned(),
        columns: vec![
            Column::new("Name", Kind::Text),
            Column::new("Address", Kind::Text),
            Column::new("State", Kind::Text),
            Column::new("Made", Kind::Text),
            Column::if_any("Days left", Kind::Text),
            Column::new("What to do", Kind::Prose),
        ],
        rows: rows.collect(),
        total: None,
        empty: "None.",
    }
}
