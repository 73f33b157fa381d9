//! Reading a programme: several files, each with some of the lists, become one [`Programme`].
//!
//! A person writes these files, so each mistake is told with file and line and with what to do, and all of them are
//! told at once. Rows are read one by one: a row that can't be read hides no mistake of another. Only when every row
//! could be read are they compared with each other (`validate.rs`), as a missing row would look like many mistakes.
//!
//! An edition is one more file over the others: its constants and rows replace those of the same name. It adds nothing
//! and takes nothing away, so that what holds in one edition can be compared with what holds in another.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::data::{
    AppraisalRule, CatalogueItem, Constant, Criterion, DecisionOfProfile, DeliverableOfProfile, Form, Gate, Holiday,
    Lesson, List, Package, PilotCheck, Programme, ProjectType, Responsibility, RoleOfProject, Staffing, Stage,
    TaskOfProfile, View, Week,
};
use crate::validate::validate;

/// A file of a programme.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What messages call it.
    pub file: &'a str,
    /// What it holds.
    pub text: &'a str,
}

/// One mistake of a programme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The file it stands in; none where something is missing from all of them.
    pub file: Option<String>,
    /// The line, from 1; 0 where there is none.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}, line {}: ", self.line)?;
        }
        write!(f, "{}; {}", self.message, self.advice)
    }
}

/// Every mistake of a programme, in the order of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl Programme {
    /// Reads these files as one programme, with an edition's file over them, and checks all of it.
    pub fn read(sources: &[Source<'_>], edition: Option<Source<'_>>) -> Result<Self, Mistakes> {
        let mut places = Places::default();
        let mut mistakes = Vec::new();
        let mut programme = Self::default();
        let mut rows = Rows::default();
        for source in sources {
            read_file(source, &mut programme, &mut rows, &mut places, &mut mistakes);
        }
        if let Some(edition) = edition {
            let mut over = Self::default();
            let mut over_rows = Rows::default();
            read_file(&edition, &mut over, &mut over_rows, &mut places, &mut mistakes);
            lay_over(&mut programme, &mut rows, over, &over_rows, &places, &mut mistakes);
        }
        if mistakes.is_empty() {
            validate(&programme, &rows, &places, &mut mistakes);
        }
        if mistakes.is_empty() { Ok(programme) } else { Err(Mistakes(mistakes)) }
    }
}

/// Where a row stands: in which file, and at which byte it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    file: usize,
    start: usize,
}

/// The files that were read, to say where something stands.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Name, text, and where rows begin.
    files: Vec<(String, String, Vec<usize>)>,
}

impl Places {
    /// A mistake of a row, at the line of this word if the row holds it, else at its first.
    pub(crate) fn mistake(&self, place: Option<Place>, word: &str, message: String, advice: &str) -> Mistake {
        let advice = advice.to_owned();
        let Some((place, (file, text, starts))) = place.and_then(|place| Some((place, self.files.get(place.file)?)))
        else {
            return Mistake { file: None, line: 0, message, advice };
        };
        let end = starts.iter().copied().filter(|start| *start > place.start).min().unwrap_or(text.len());
        let row = text.get(place.start..end).unwrap_or_default();
        let within = if word.is_empty() { None } else { row.find(&format!("\"{word}\"")) };
        let at = place.start + within.or_else(|| row.find(word)).unwrap_or(0);
        Mistake { file: Some(file.clone()), line: line_of(text, at), message, advice }
    }
}

/// The line of a byte of a text, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Where each row of each list stands, by list and in the order of the rows.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    lists: BTreeMap<&'static str, Vec<Place>>,
    constants: BTreeMap<String, Place>,
}

impl Rows {
    /// Where this row of this list stands.
    pub(crate) fn place(&self, list: &str, index: usize) -> Option<Place> {
        self.lists.get(list)?.get(index).copied()
    }

    /// Where this constant stands.
    pub(crate) fn constant(&self, name: &str) -> Option<Place> {
        self.constants.get(name).copied()
    }

    fn set(&mut self, list: &'static str, index: usize, place: Place) {
        if let Some(known) = self.lists.get_mut(list).and_then(|places| places.get_mut(index)) {
            *known = place;
        }
    }

    fn push(&mut self, list: &'static str, place: Place) {
        self.lists.entry(list).or_default().push(place);
    }
}

/// A row of a list: what it is called there, if it is called anything.
pub(crate) trait Row {
    /// The list's name in files.
    const LIST: &'static str;
    /// Its id, by which others name it.
    fn id(&self) -> Option<&str>;
}

macro_rules! row {
    ($($list:literal $row:ty),+; $($plain:literal $other:ty),+) => {
        $(impl Row for $row {
            const LIST: &'static str = $list;
            fn id(&self) -> Option<&str> { Some(&self.id) }
        })+
        $(impl Row for $other {
            const LIST: &'static str = $plain;
            fn id(&self) -> Option<&str> { None }
        })+
    };
}

row! {
    "types" ProjectType, "stages" Stage, "roles" RoleOfProject, "tasks" TaskOfProfile,
    "deliverables" DeliverableOfProfile, "gates" Gate, "criteria" Criterion, "views" View, "lists" List,
    "lessons" Lesson, "catalogue" CatalogueItem, "appraisal" AppraisalRule, "forms" Form, "packages" Package,
    "pilot-checks" PilotCheck, "decisions" DecisionOfProfile;
    "weeks" Week, "staffing" Staffing, "responsibilities" Responsibility, "holidays" Holiday
}

/// Names of all lists of rows, in the order of [`Programme`].
const LISTS: &str = "types, stages, weeks, roles, staffing, responsibilities, tasks, deliverables, gates, criteria, \
    views, lists, pilot-checks, decisions, lessons, catalogue, appraisal, forms, packages, holidays";

/// What to do with a row that can't be read.
const CORRECT: &str = "correct it; the programmes that come with the program show every setting";

/// Reads one file into the programme.
fn read_file(
    source: &Source<'_>,
    programme: &mut Programme,
    rows: &mut Rows,
    places: &mut Places,
    mistakes: &mut Vec<Mistake>,
) {
    let file = places.files.len();
    places.files.push((source.file.to_owned(), source.text.to_owned(), Vec::new()));
    let table = match DeTable::parse(source.text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            mistakes.push(unreadable(source, 0, &error));
            return;
        }
    };
    let mut reader = Reader { source, file, rows, mistakes, starts: Vec::new() };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "constants" => reader.constants(value, &mut programme.constants),
            "types" => reader.rows(value, &mut programme.types),
            "stages" => reader.rows(value, &mut programme.stages),
            "weeks" => reader.rows(value, &mut programme.weeks),
            "roles" => reader.rows(value, &mut programme.roles),
            "staffing" => reader.rows(value, &mut programme.staffing),
            "responsibilities" => reader.rows(value, &mut programme.responsibilities),
            "tasks" => reader.rows(value, &mut programme.tasks),
            "deliverables" => reader.rows(value, &mut programme.deliverables),
            "gates" => reader.rows(value, &mut programme.gates),
            "criteria" => reader.rows(value, &mut programme.criteria),
            "views" => reader.rows(value, &mut programme.views),
            "lists" => reader.rows(value, &mut programme.lists),
            "pilot-checks" => reader.rows(value, &mut programme.pilot_checks),
            "decisions" => reader.rows(value, &mut programme.decisions),
            "lessons" => reader.rows(value, &mut programme.lessons),
            "catalogue" => reader.rows(value, &mut programme.catalogue),
            "appraisal" => reader.rows(value, &mut programme.appraisal),
            "forms" => reader.rows(value, &mut programme.forms),
            "packages" => reader.rows(value, &mut programme.packages),
            "holidays" => reader.rows(value, &mut programme.holidays),
            other => {
                let message = format!("unknown list `{other}`");
                reader.wrong(key.span().start, message, &format!("write one of constants, {LISTS}"));
            }
        }
    }
    let starts = reader.starts;
    places.files[file].2 = starts;
}

/// What reads the lists of one file.
struct Reader<'a> {
    source: &'a Source<'a>,
    file: usize,
    rows: &'a mut Rows,
    mistakes: &'a mut Vec<Mistake>,
    starts: Vec<usize>,
}

impl Reader<'_> {
    /// Reads the rows of one list.
    fn rows<T: Row + DeserializeOwned>(&mut self, value: Spanned<DeValue<'_>>, into: &mut Vec<T>) {
        let start = value.span().start;
        let DeValue::Array(list) = value.into_inner() else {
            let message = format!("`{}` is no list", T::LIST);
            return self.wrong(start, message, &format!("begin each row with [[{}]]", T::LIST));
        };
        for row in list {
            let start = row.span().start;
            self.starts.push(start);
            match T::deserialize(ValueDeserializer::from(row)) {
                Ok(row) => {
                    self.rows.push(T::LIST, Place { file: self.file, start });
                    into.push(row);
                }
                Err(error) => self.mistakes.push(unreadable(self.source, start, &error)),
            }
        }
    }

    /// Reads constants, each a table under its name.
    fn constants(&mut self, value: Spanned<DeValue<'_>>, into: &mut BTreeMap<String, Constant>) {
        let start = value.span().start;
        let DeValue::Table(table) = value.into_inner() else {
            return self.wrong(start, "`constants` is no table".to_owned(), "begin each with [constants.NAME]");
        };
        for (name, value) in table {
            let start = name.span().start;
            self.starts.push(start);
            match Constant::deserialize(ValueDeserializer::from(value)) {
                Ok(constant) => {
                    let name = name.into_inner().into_owned();
                    self.rows.constants.insert(name.clone(), Place { file: self.file, start });
                    if into.insert(name.clone(), constant).is_some() {
                        let message = format!("the constant `{name}` is there twice");
                        self.wrong(start, message, "keep one of the two");
                    }
                }
                Err(error) => self.mistakes.push(unreadable(self.source, start, &error)),
            }
        }
    }

    fn wrong(&mut self, at: usize, message: String, advice: &str) {
        let line = line_of(self.source.text, at);
        let (file, advice) = (Some(self.source.file.to_owned()), advice.to_owned());
        self.mistakes.push(Mistake { file, line, message, advice });
    }
}

/// The mistake of a row that can't be read.
fn unreadable(source: &Source<'_>, start: usize, error: &toml::de::Error) -> Mistake {
    let line = line_of(source.text, error.span().map_or(start, |span| span.start));
    let message = error.message().trim().replace('\n', ", ");
    Mistake { file: Some(source.file.to_owned()), line, message, advice: CORRECT.to_owned() }
}

/// Lays an edition over a programme.
fn lay_over(
    programme: &mut Programme,
    rows: &mut Rows,
    over: Programme,
    over_rows: &Rows,
    places: &Places,
    mistakes: &mut Vec<Mistake>,
) {
    for (name, constant) in over.constants {
        let place = over_rows.constant(&name);
        if programme.constants.insert(name.clone(), constant).is_none() {
            let message = format!("an edition changes the constant `{name}`, which is not there");
            mistakes.push(places.mistake(place, &name, message, "add it to the programme's own constants first"));
        }
        if let Some(place) = place {
            rows.constants.insert(name, place);
        }
    }
    let mut edition = Edition { rows, over_rows, places, mistakes };
    edition.replace(&mut programme.types, over.types);
    edition.replace(&mut programme.stages, over.stages);
    edition.replace(&mut programme.weeks, over.weeks);
    edition.replace(&mut programme.roles, over.roles);
    edition.replace(&mut programme.staffing, over.staffing);
    edition.replace(&mut programme.responsibilities, over.responsibilities);
    edition.replace(&mut programme.tasks, over.tasks);
    edition.replace(&mut programme.deliverables, over.deliverables);
    edition.replace(&mut programme.gates, over.gates);
    edition.replace(&mut programme.criteria, over.criteria);
    edition.replace(&mut programme.views, over.views);
    edition.replace(&mut programme.lists, over.lists);
    edition.replace(&mut programme.pilot_checks, over.pilot_checks);
    edition.replace(&mut programme.decisions, over.decisions);
    edition.replace(&mut programme.lessons, over.lessons);
    edition.replace(&mut programme.catalogue, over.catalogue);
    edition.replace(&mut programme.appraisal, over.appraisal);
    edition.replace(&mut programme.forms, over.forms);
    edition.replace(&mut programme.packages, over.packages);
    edition.replace(&mut programme.holidays, over.holidays);
}

/// What lays the rows of an edition over those of a programme.
struct Edition<'a> {
    rows: &'a mut Rows,
    over_rows: &'a Rows,
    places: &'a Places,
    mistakes: &'a mut Vec<Mistake>,
}

impl Edition<'_> {
    fn replace<T: Row>(&mut self, base: &mut [T], over: Vec<T>) {
        for (index, row) in over.into_iter().enumerate() {
            let place = self.over_rows.place(T::LIST, index);
            let known = row.id().and_then(|id| base.iter().position(|known| known.id() == Some(id)));
            if let (Some(known), Some(place)) = (known, place) {
                base[known] = row;
                self.rows.set(T::LIST, known, place);
                continue;
            }
            let message = match row.id() {
                Some(id) => format!("an edition changes the row \"{id}\" of {}, which is not there", T::LIST),
                None => format!("rows of {} have no id by which an edition could change them", T::LIST),
            };
            let mistake = self.places.mistake(place, "", message, "write it into the programme's own files");
            self.mistakes.push(mistake);
        }
    }
}
