//! The page of a programme for people: everything that its profile says, in the order in which a project meets it.
//!
//! It is made of the same rows that the engine reads, so that nobody has to ask which of the two is right.

mod rows;

use std::fmt::{Display, Write};

use crate::data::{Criterion, Gate, Programme, ProjectType, Side, Stage, Whose};
use crate::names::{CHECKS, DECISIONS, DOCUMENTS, FACTS, LIVE, REGISTERS};
use crate::read::Mistakes;

/// The page of all editions of a profile's programme, in Markdown; none where the profile has no programme.
pub fn page(name: &str) -> Option<Result<String, Mistakes>> {
    let editions: Result<Vec<(&str, Programme)>, Mistakes> = Programme::editions(name)
        .filter_map(|edition| Some(Programme::shipped(name, edition)?.map(|programme| (edition, programme))))
        .collect();
    match editions {
        Ok(editions) if editions.is_empty() => None,
        Ok(editions) => Some(Ok(page_of(name, &editions))),
        Err(mistakes) => Some(Err(mistakes)),
    }
}

/// The page of these editions of a programme; all but the numbers is told as the last one has it.
pub fn page_of(name: &str, editions: &[(&str, Programme)]) -> String {
    let Some((current, programme)) = editions.last() else { return String::new() };
    let mut page = Page::default();
    page.line(format_args!("# The programme of `{name}`\n"));
    page.line(format_args!(
        "Generated from `profiles/{name}/programme`; a test compares the two. Numbers are told for each"
    ));
    page.line(format_args!("edition, everything else as in {current}. See also [the profile]({name}.md).\n"));
    page.types(programme);
    for kind in tracks(programme) {
        page.track(programme, kind);
    }
    rows::write(&mut page, programme, editions);
    page.names();
    page.text
}

/// One kind of project of each track: the first that has these stages.
fn tracks(programme: &Programme) -> Vec<&ProjectType> {
    let mut tracks: Vec<&ProjectType> = Vec::new();
    for kind in &programme.types {
        if !tracks.iter().any(|known| known.stages == kind.stages) {
            tracks.push(kind);
        }
    }
    tracks
}

/// A page that is being written.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.text, "{text}");
    }

    /// A heading with its text below.
    fn heading(&mut self, level: usize, title: &str) {
        let _ = writeln!(self.text, "\n{} {title}\n", "#".repeat(level));
    }

    /// A list of points.
    fn points(&mut self, points: impl IntoIterator<Item = impl Display>) {
        for point in points {
            let _ = writeln!(self.text, "- {point}");
        }
    }

    /// A table: its columns, and rows with as many cells.
    fn table<const N: usize>(&mut self, columns: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        let _ = writeln!(self.text, "| {} |\n|{}", columns.join(" | "), "---|".repeat(N));
        for row in rows {
            let _ = writeln!(self.text, "| {} |", row.map(|cell| self::cell(&cell)).join(" | "));
        }
    }

    fn types(&mut self, programme: &Programme) {
        self.heading(2, "Kinds of project");
        self.table(
            ["Id", "Also", "What it is", "Sides", "Says go", "Owns risks"],
            programme.types.iter().map(|kind| {
                let go = sides(&kind.go);
                let risks = side(kind.risks).to_owned();
                [code(&kind.id), kind.aliases.join(", "), kind.title.clone(), sides(&kind.sides), go, risks]
            }),
        );
        self.line("");
        for kind in &programme.types {
            let mut said: Vec<String> = Vec::new();
            for (from, to) in &kind.stands_in {
                said.push(format!("what is of the {} falls to the {}", side(*from), side(*to)));
            }
            if kind.is_editable {
                said.push("the organisation changes tasks and lengths".to_owned());
            }
            if kind.has_vip_service {
                said.push("tasks of the VIPs stay with the provider".to_owned());
            }
            let coexists = if kind.coexists { "calendars are" } else { "no calendars are" };
            said.push(format!("{coexists} shared during the migration"));
            for step in &kind.registrations {
                let whose = match step.whose {
                    Whose::Pilot => "the accounts of the pilot",
                    Whose::Waves => "the accounts of the waves",
                    Whose::All => "all accounts",
                };
                let most = step.at_most.as_ref().map_or_else(String::new, |most| format!(", at most `{most}`"));
                said.push(format!("`{}` releases {whose}{most}", step.after));
            }
            self.line(format_args!("- {}: {}.", code(&kind.id), said.join("; ")));
        }
    }

    /// The stages of a track with the gates before each.
    fn track(&mut self, programme: &Programme, kind: &ProjectType) {
        let same = programme.types.iter().filter(|other| other.stages == kind.stages).map(|other| code(&other.id));
        self.heading(2, &format!("Stages of {}", same.collect::<Vec<_>>().join(" and ")));
        let stages: Vec<&Stage> =
            kind.stages.iter().filter_map(|id| programme.stages.iter().find(|stage| stage.id == *id)).collect();
        self.table(
            ["Stage", "Name", "Length", "Weeks of the deployment"],
            stages.iter().map(|stage| {
                let weeks = stage.deployment_weeks.clone().unwrap_or_default();
                [code(&stage.id), stage.title.clone(), length(stage), weeks]
            }),
        );
        for stage in stages {
            self.stage(programme, kind, stage);
        }
        let of_kind = |gate: &&Gate| gate.types.contains(&kind.id) && gate.enters.is_none();
        for gate in programme.gates.iter().filter(of_kind) {
            self.gate(programme, gate);
        }
    }

    fn stage(&mut self, programme: &Programme, kind: &ProjectType, stage: &Stage) {
        let of_kind = |gate: &&Gate| gate.types.contains(&kind.id) && gate.enters.as_ref() == Some(&stage.id);
        for gate in programme.gates.iter().filter(of_kind) {
            self.gate(programme, gate);
        }
        self.heading(3, &stage.title);
        self.points(&stage.objectives);
        if !stage.allows.is_empty() {
            let allows: Vec<String> = stage.allows.iter().map(|name| code(name)).collect();
            self.line(format_args!("\nAllowed live: {}.", allows.join(", ")));
        }
        rows::of_stage(self, programme, stage);
    }

    fn gate(&mut self, programme: &Programme, gate: &Gate) {
        self.heading(3, &format!("Gate `{}`: {}", gate.id, gate.title));
        let roles: Vec<String> = gate.passed_by.iter().map(|role| title_of_role(programme, role)).collect();
        self.line(format_args!("Passed by one of: {}.\n", roles.join(", ")));
        let asked = asked(programme, gate);
        if asked.is_empty() {
            self.line("Nothing is asked.");
            return;
        }
        self.table(
            ["Criterion", "What must be so", "Met by", "Owner", "What closes it"],
            asked.into_iter().map(|row| {
                let types = if row.types.is_empty() { String::new() } else { format!(" ({})", row.types.join(", ")) };
                let owner = title_of_role(programme, &row.owner);
                [code(&row.id), row.title.clone() + &types, rows::met_by(programme, row), owner, row.closes.clone()]
            }),
        );
    }

    /// Names that a profile may use.
    fn names(&mut self) {
        self.heading(2, "Names that a programme may use");
        for (title, names) in [
            ("Facts, that the system itself knows", &FACTS[..]),
            ("Checks, that it makes by itself", &CHECKS[..]),
            ("What may be decided besides facts and checks", &DECISIONS[..]),
            ("Documents, that it makes of the record", &DOCUMENTS[..]),
            ("Registers, that it keeps", &REGISTERS[..]),
            ("What stages allow", &LIVE[..]),
        ] {
            self.heading(3, title);
            self.table(["Name", "Meaning"], names.iter().map(|(name, what)| [code(name), (*what).to_owned()]));
        }
    }
}

/// What a gate asks, in order: what the stage before has to end with, what the next begins with, and its own.
fn asked<'a>(programme: &'a Programme, gate: &Gate) -> Vec<&'a Criterion> {
    let stage = |id: &Option<String>| programme.stages.iter().find(|stage| Some(&stage.id) == id.as_ref());
    let exit = stage(&gate.leaves).into_iter().flat_map(|stage| &stage.exit);
    let entry = stage(&gate.enters).into_iter().flat_map(|stage| &stage.entry);
    let mut asked: Vec<&Criterion> = Vec::new();
    for id in exit.chain(entry).chain(&gate.criteria) {
        let known = programme.criteria.iter().find(|criterion| criterion.id == *id);
        asked.extend(known.filter(|known| !asked.iter().any(|other| other.id == known.id)));
    }
    asked
}

/// A stage's length in words.
fn length(stage: &Stage) -> String {
    let count = |count: u32, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    let weeks = stage.weeks.map(|weeks| count(weeks, "week"));
    let days = stage.working_days.map(|days| count(days, "working day"));
    let parts: Vec<String> = weeks.into_iter().chain(days).chain(stage.length.clone()).collect();
    parts.join(": ")
}

fn title_of_role(programme: &Programme, id: &str) -> String {
    programme.roles.iter().find(|role| role.id == id).map_or_else(|| id.to_owned(), |role| role.title.clone())
}

fn sides(of: &[Side]) -> String {
    of.iter().map(|of| side(*of)).collect::<Vec<_>>().join(", ")
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Organisation => "organisation",
        Side::Provider => "provider",
        Side::Authority => "authority",
        Side::Supplier => "supplier",
    }
}

/// An id as it stands in files.
fn code(id: &str) -> String {
    format!("`{id}`")
}

/// Text that breaks no table.
fn cell(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { text.replace('|', "\\|") }
}
