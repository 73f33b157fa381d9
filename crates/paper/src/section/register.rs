//! Registers and issues, in tables.

use document::{Cell, Column, Tone};
use jiff::civil::Date;
use programme::{Holds, Register, Row, Verdict, questions, states};

use crate::Issue;
use crate::ground::Ground;
use crate::paper::{Paper, columns, date, number, text, verdict};
use crate::words;

/// The title of a register for people.
fn title(register: Register) -> &'static str {
    match register {
        Register::Risks => "Risks",
        Register::TechnicalIssues => "Technical issues",
        Register::Changes => "Changes that were asked for",
        Register::Lessons => "Lessons",
        Register::Policies => "Policies",
        Register::Applications => "Applications that use mail",
        Register::Calls => "Calls",
        Register::Boards => "Meetings of the board",
        Register::Workshops => "Workshops",
        Register::Contacts => "Contacts",
        Register::Benefits => "Benefits",
        Register::Training => "Training",
        Register::Orders => "Orders and quotes",
        Register::Questions => "Questions",
        Register::OnSite => "Days on site",
        Register::Barriers => "Barriers",
        Register::DeskCalls => "Calls to the service desk",
        Register::KnownIssues => "Known issues, and what to say",
        Register::DeskStaff => "Staff of the service desk that is planned",
    }
}

/// Fields that have a column of their own; all others share one.
fn own_columns(register: Register) -> &'static [&'static str] {
    match register {
        Register::Risks => &["title", "probability", "impact", "owner", "action", "due"],
        Register::TechnicalIssues => &["title", "side", "owner", "action", "due"],
        Register::Changes => &["title", "what", "from", "to"],
        Register::Lessons => &["title", "text"],
        Register::Policies => &["title", "owner", "approved-by", "approved"],
        Register::Applications => &["title", "owner", "protocol", "settings"],
        Register::Calls | Register::Boards | Register::Workshops => &["title", "held", "attendees"],
        Register::Contacts => &["title", "side", "level", "reach"],
        Register::Benefits => &["title", "baseline", "measured", "measured-on", "owner"],
        Register::Training => &["title", "audience", "what", "due", "owner"],
        Register::Orders => &["title", "item", "quantity", "what", "ordered", "price-millipence"],
        Register::Questions => &["title", "asked-by", "side"],
        Register::OnSite => &["title", "day", "attendee"],
        Register::Barriers => &["title", "date", "owner", "action"],
        Register::DeskCalls => &["week", "category", "what", "calls"],
        Register::KnownIssues => &["title", "say", "category", "since"],
        Register::DeskStaff => &["from", "staff", "calls-an-agent"],
    }
}

/// What stands above a field.
fn heading(field: &str) -> String {
    match field {
        "title" => "What".to_owned(),
        "what" => "Kind".to_owned(),
        "price-millipence" => "Price of one".to_owned(),
        "text" => "What was learned".to_owned(),
        "reach" => "How to reach them".to_owned(),
        "say" => "What to say".to_owned(),
        other => words::of_id(other),
    }
}

impl Ground<'_> {
    /// Rows of a register.
    pub(crate) fn register_table(&self, paper: &mut Paper, register: Register, is_asked: impl Fn(&Row) -> bool) {
        let own = own_columns(register);
        let share = |field: &str| match field {
            "title" => 26,
            "action" | "text" | "attendees" | "say" => 22,
            "probability" | "impact" | "quantity" | "level" => 11,
            _ => 14,
        };
        let mut columns = vec![Column::share("No.", 12)];
        columns.extend(own.iter().map(|field| Column::share(&heading(field), share(field))));
        columns.push(Column::share("More", 18));
        columns.push(Column::share("State", 16));
        let mut kept: Vec<&Row> = self.record().rows_of(register).filter(|row| is_asked(row)).collect();
        kept.sort_by_key(|row| (row.added.at, row.id.len(), row.id.clone()));
        let rows = kept.into_iter().map(|row| self.register_row(register, own, row)).collect();
        paper.table(title(register), columns, rows, "None is recorded.");
    }

    fn register_row(&self, register: Register, own: &[&str], row: &Row) -> Vec<Cell> {
        let mut cells = vec![row.id.as_str().into()];
        cells.extend(own.iter().map(|field| self.field(register, field, row)));
        let others = register.fields().iter().filter(|field| !own.contains(&field.name));
        let others = others.filter_map(|field| {
            let value = row.field(field.name)?;
            let value = value.parse::<Date>().map_or_else(|_| value.to_owned(), words::day);
            Some(match field.name {
                "note" => value,
                "threatens" => format!("Threatens: {}", self.date_name(&value)),
                name => format!("{}: {value}", heading(name)),
            })
        });
        let mut more: Vec<String> = others.collect();
        more.push(format!("Written by {}", self.said(&row.added)));
        cells.push(more.join("\n").into());
        cells.push(self.settled(register, row));
        cells
    }

    fn field(&self, register: Register, name: &str, row: &Row) -> Cell {
        let holds = register.fields().iter().find(|field| field.name == name).map(|field| field.holds);
        let value = row.field(name);
        match (holds, value) {
            (_, None) => words::NOT_RECORDED.into(),
            (Some(Holds::Day), Some(day)) => day.parse::<Date>().map_or_else(|_| day.into(), Cell::Date),
            (Some(Holds::Number), Some(value)) => match value.parse::<u64>() {
                Ok(price) if name == "price-millipence" => words::money(price).into(),
                Ok(value) => number(value),
                Err(_) => value.into(),
            },
            (Some(Holds::OneOf(_)), Some(word)) => match (name, word) {
                ("probability" | "impact", "high") => Cell::Verdict(Tone::Alert, "High".to_owned()),
                ("probability" | "impact", "medium") => Cell::Verdict(Tone::Caution, "Medium".to_owned()),
                (_, word) => words::of_id(word).into(),
            },
            (_, Some(value)) => match name {
                "owner" | "asked-by" | "approved-by" => self.person(value).into(),
                "item" => {
                    let item = self.scope.programme.catalogue.iter().find(|item| item.id == value);
                    item.map_or(value, |item| item.title.as_str()).into()
                }
                "date" => self.date_name(value).into(),
                _ => value.into(),
            },
        }
    }

    /// How a row stands: undecided for a reason, or settled by somebody.
    fn settled(&self, register: Register, row: &Row) -> Cell {
        let undecided = register.undecided(row, self.today());
        match (row.settled.last(), undecided) {
            (Some((Verdict::Yes, said)), _) => Cell::Verdict(Tone::Good, self.how("Settled", said)),
            (Some((Verdict::No, said)), _) => Cell::Verdict(Tone::Caution, self.how("Answered with no", said)),
            (None, Some(why)) => {
                let why = why.strip_prefix(&row.id).unwrap_or(&why).trim().to_owned();
                Cell::Verdict(Tone::Caution, words::capital(&why))
            }
            (None, None) => "Open".into(),
        }
    }

    fn how(&self, word: &str, said: &programme::Said) -> String {
        let note = said.note.trim();
        let by = self.said(said);
        if note.is_empty() { format!("{word}: {by}") } else { format!("{word}: {note} ({by})") }
    }

    /// How well the registers are kept.
    pub(crate) fn registers_table(&self, paper: &mut Paper) {
        let states = states(self.scope.programme, self.record(), self.today());
        let row = |state: &programme::RegisterState| {
            let missed: Vec<String> = state.missed.iter().map(|day| words::day(*day)).collect();
            let found = match (state.is_stale, state.undecided.is_empty() && state.missed.is_empty()) {
                (true, _) => (Tone::Alert, "Stale"),
                (false, false) => (Tone::Caution, "To be looked at"),
                (false, true) => (Tone::Good, "Kept"),
            };
            let nothing = state.rows == 0 && state.touched.is_none();
            let found = if nothing && state.missed.is_empty() { (Tone::Neutral, "Empty") } else { found };
            let mut against = state.undecided.clone();
            if !missed.is_empty() {
                against.push(format!("Missed by {}", missed.join(", ")));
            }
            vec![
                title(state.register).into(),
                number(state.rows as u64),
                date(state.touched),
                verdict(found),
                against.join("\n").into(),
            ]
        };
        let rows = states.iter().map(row).collect();
        let columns =
            columns([("Register", 26), ("Rows", 10), ("Last touched", 16), ("State", 16), ("What is open", 32)]);
        paper.table("How well the registers are kept", columns, rows, "");
    }

    /// Questions, with how long their answers took.
    pub(crate) fn questions_table(&self, paper: &mut Paper) {
        let end =
            self.today().to_zoned(jiff::tz::TimeZone::UTC).map_or(jiff::Timestamp::UNIX_EPOCH, |day| day.timestamp());
        let row = |question: &programme::QuestionTime| {
            let kept = self.record().rows.get(&question.row);
            let answer = kept.and_then(|row| row.settled.first()).map(|(_, said)| said);
            vec![
                question.title.as_str().into(),
                text(kept.and_then(|row| row.field("asked-by")).map(|who| self.person(who))),
                words::day_of(question.asked).into(),
                answer.map(|said| said.note.as_str()).unwrap_or_default().into(),
                answer.map(|said| self.said(said)).unwrap_or_default().into(),
                Cell::Number(question.hours),
            ]
        };
        let rows = questions(self.record(), end).iter().map(row).collect();
        let columns = columns([
            ("Question", 28),
            ("Asked by", 16),
            ("Asked on", 13),
            ("Answer", 20),
            ("Answered by", 14),
            ("Hours", 9),
        ]);
        paper.table("Questions and how long their answers took", columns, rows, "No question is recorded.");
    }

    /// Issues that the question asks for.
    pub(crate) fn issues_table(&self, paper: &mut Paper, caption: &str, is_asked: impl Fn(&Issue) -> bool) {
        let Some(issues) = self.of.issues else {
            paper.says(format!("{caption}: not recorded here."));
            return;
        };
        let today = self.today();
        let row = |issue: &&Issue| {
            let is_late = !issue.is_resolved && issue.due.is_some_and(|due| due < today);
            let tone = match (issue.is_resolved, is_late) {
                (true, _) => Tone::Good,
                (false, true) => Tone::Alert,
                (false, false) => Tone::Neutral,
            };
            vec![
                issue.id.as_str().into(),
                issue.title.as_str().into(),
                text(issue.owner.as_deref().map(|owner| self.person(owner))),
                text(issue.action.as_deref()),
                date(issue.opened),
                date(issue.due),
                Cell::Verdict(tone, words::capital(&issue.state)),
            ]
        };
        let rows = issues.iter().filter(|issue| is_asked(issue)).collect::<Vec<_>>().iter().map(row).collect();
        let columns = columns([
            ("No.", 9),
            ("Issue", 28),
            ("Owner", 16),
            ("What is done", 21),
            ("Opened", 12),
            ("By", 12),
            ("State", 13),
        ]);
        paper.table(caption, columns, rows, "There are none.");
    }
}

/// Is a risk one that management must know of: likely and grave?
pub(crate) fn is_critical(row: &Row) -> bool {
    let is = |field: &str, words: &[&str]| row.field(field).is_some_and(|word| words.contains(&word));
    row.settled.is_empty()
        && ((is("probability", &["high"]) && is("impact", &["medium", "high"]))
            || (is("probability", &["medium"]) && is("impact", &["high"])))
}
