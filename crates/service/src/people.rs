//! `people.csv`: who moves from where to where.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use connector::Secret;
use model::MailboxKind;

use crate::Error;
use crate::config::alike;
use crate::secret::{self, Environment};

/// The name of the file in a project's folder.
pub const FILE: &str = "people.csv";
/// Its columns; the first two must be there.
pub(crate) const COLUMNS: [&str; 12] = [
    "source",
    "target",
    "name",
    "kind",
    "collection",
    "source_endpoint",
    "target_in_use",
    "new_account",
    "quota",
    "vip",
    "source_password",
    "target_password",
];
/// Mistakes reported at once; more are only counted.
const MISTAKES_MAX: usize = 20;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its line in the file.
    pub line: u64,
    /// The person's name at the source.
    pub source: String,
    /// The person's name at the target.
    pub target: String,
    /// What people call them.
    pub name: Option<String>,
    /// Whose mailbox it is.
    pub kind: MailboxKind,
    /// The collection it moves with.
    pub collection: Option<String>,
    /// The endpoint of the source, where there are several.
    pub source_endpoint: Option<String>,
    /// Does its person work on the target already?
    pub target_in_use: bool,
    /// Was the account at the target made for this move? None where nothing says so: then it was, if nobody works in it yet.
    pub new_account: Option<bool>,
    /// Has its person logged in at the target, where that is known?
    pub activated: Option<bool>,
    /// Are they in both address books, where that is known?
    pub in_books: Option<bool>,
    /// Its mail goes to the archive, not to the target.
    pub archive: bool,
    /// How many bytes their mailbox must stay below; none: what the policy says.
    pub quota_bytes: Option<u64>,
    /// They are a VIP.
    pub vip: bool,
    /// Their own password at the source.
    pub source_password: Option<Password>,
    /// Their own password at the target.
    pub target_password: Option<Password>,
}

/// Where a person's own password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Password {
    /// In this environment variable.
    Environment(String),
    /// In this file, relative to the project's folder.
    File(PathBuf),
    /// In the file of people itself.
    Plain(Secret),
}

impl Password {
    fn of_cell(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Environment(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(PathBuf::from(path))
        } else {
            Self::Plain(Secret::new(text))
        }
    }

    /// The password.
    pub(crate) fn reveal(&self, whose: &str, folder: &Path, environment: Environment<'_>) -> Result<Secret, Error> {
        match self {
            Self::Environment(name) => secret::from_environment(name, whose, environment),
            Self::File(path) => secret::from_file(&folder.join(path), whose),
            Self::Plain(secret) => Ok(secret.clone()),
        }
    }
}

/// The file.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    /// Its rows.
    pub rows: Vec<Row>,
    /// Lines with a password written out.
    pub plain_passwords: Vec<u64>,
}

impl People {
    /// The files that passwords of people are in.
    pub(crate) fn named_files(&self) -> impl Iterator<Item = &Path> {
        let passwords = self.rows.iter().flat_map(|row| [&row.source_password, &row.target_password]);
        passwords.filter_map(|password| match password {
            Some(Password::File(path)) => Some(path.as_path()),
            _ => None,
        })
    }
}

/// Reads the people of a project, whose endpoints of the source are these.
pub(crate) fn read(folder: &Path, sources: &[String]) -> Result<People, Error> {
    let path = folder.join(FILE);
    let bytes = std::fs::read(&path).map_err(|error| {
        Error::usage(format!("{} cannot be read: {error}", path.display()))
            .advise("write it: a line source,target and then one line a person")
    })?;
    let people = parse(&bytes, sources)?;
    if !people.plain_passwords.is_empty() {
        secret::refuse_readable_by_others(&path, FILE)?;
    }
    Ok(people)
}

/// Reads the text of the file.
pub(crate) fn parse(bytes: &[u8], sources: &[String]) -> Result<People, Error> {
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).map_err(|error| {
        let line = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).matches('\n').count() + 1;
        Error::usage(format!("{FILE}, line {line}: not UTF-8")).advise("save the file as CSV UTF-8")
    })?;
    // Spreadsheets of many countries write semicolons.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| Error::usage(format!("{FILE}: {error}")))?.clone();
    let columns = columns(&header)?;
    let mut parser = Parser { columns, sources, people: People::default(), mistakes: Vec::new() };
    for record in reader.records() {
        match record {
            Ok(record) => parser.row(&record, header.len()),
            Err(error) => parser.mistakes.push(format!("{FILE}: {error}")),
        }
    }
    parser.find_duplicates();
    if parser.mistakes.is_empty() {
        return Ok(parser.people);
    }
    let count = parser.mistakes.len();
    parser.mistakes.truncate(MISTAKES_MAX);
    if count > MISTAKES_MAX {
        parser.mistakes.push(format!("… and {} more", count - MISTAKES_MAX));
    }
    Err(Error::usage(parser.mistakes.join("\n")).advise(format!("correct {FILE}; nothing was changed")))
}

fn columns(header: &csv::StringRecord) -> Result<HashMap<&'static str, usize>, Error> {
    let mut columns = HashMap::new();
    for (index, name) in header.iter().enumerate() {
        let Some(known) = COLUMNS.into_iter().find(|known| known.eq_ignore_ascii_case(name)) else {
            let error = Error::usage(format!("{FILE}, line 1: the column {name:?} is not known"));
            return Err(match alike(name, COLUMNS.into_iter()) {
                Some(meant) => error.advise(format!("did you mean {meant:?}?")),
                None => error.advise(format!("known columns are {}", COLUMNS.join(", "))),
            });
        };
        if columns.insert(known, index).is_some() {
            return Err(Error::usage(format!("{FILE}, line 1: the column {known:?} is there twice"))
                .advise("remove one of them"));
        }
    }
    for needed in ["source", "target"] {
        if !columns.contains_key(needed) {
            return Err(Error::usage(format!("{FILE}, line 1: the column {needed:?} is missing"))
                .advise("the first line names the columns: source,target"));
        }
    }
    Ok(columns)
}

struct Parser<'p> {
    columns: HashMap<&'static str, usize>,
    sources: &'p [String],
    people: People,
    mistakes: Vec<String>,
}

impl Parser<'_> {
    fn row(&mut self, record: &csv::StringRecord, width: usize) {
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(|cell| cell.trim().is_empty()) {
            return;
        }
        if record.len() > width {
            self.mistakes.push(format!("{FILE}, line {line}: {} cells, but there are {width} columns", record.len()));
            return;
        }
        let written = |column: &str| self.columns.get(column).and_then(|index| record.get(*index)).unwrap_or_default();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let cell = |column: &str| some(written(column).trim());
        let mut mistakes = Vec::new();
        let mut mistake = |what: String| mistakes.push(format!("{FILE}, line {line}: {what}"));
        let (source, target) = (cell("source").unwrap_or_default(), cell("target").unwrap_or_default());
        for (column, name) in [("source", &source), ("target", &target)] {
            if name.is_empty() {
                mistake(format!("{column} is empty"));
            } else if name.chars().any(char::is_control) {
                mistake(format!("{column} holds a control character"));
            }
        }
        let kind = match cell("kind").map(|kind| MailboxKind::from_name(&kind).ok_or(kind)) {
            None => MailboxKind::Person,
            Some(Ok(kind)) => kind,
            Some(Err(kind)) => {
                mistake(format!("kind {kind:?} is not known: write person, shared, room or equipment"));
                MailboxKind::Person
            }
        };
        let says_new = cell("new_account").is_some();
        let mut yes = |column: &str| match cell(column).map(|text| text.to_ascii_lowercase()).as_deref() {
            None | Some("no" | "false" | "0") => false,
            Some("yes" | "true" | "1") => true,
            Some(other) => {
                mistake(format!("{column} {other:?} is neither yes nor no"));
                false
            }
        };
        let (target_in_use, is_new, vip) = (yes("target_in_use"), yes("new_account"), yes("vip"));
        let quota_bytes = match cell("quota").map(|quota| quota.parse::<u64>().map_err(|_| quota)) {
            None => None,
            Some(Ok(0)) => {
                mistake("quota 0 lets nothing travel".to_owned());
                None
            }
            Some(Ok(quota)) => Some(quota),
            Some(Err(quota)) => {
                mistake(format!("quota {quota:?} is not a number of bytes"));
                None
            }
        };
        let source_endpoint = cell("source_endpoint");
        match &source_endpoint {
            None if self.sources.len() > 1 => {
                mistake(format!(
                    "source_endpoint is empty, and there are several sources: {}",
                    self.sources.join(", ")
                ));
            }
            Some(name) if !self.sources.contains(name) => {
                let meant = alike(name, self.sources.iter().map(String::as_str));
                let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
                mistake(format!("source_endpoint {name:?} is none of source.mail{meant}"));
            }
            _ => {}
        }
        // A password may begin or end with a space.
        let password = |column: &str| some(written(column)).map(|text| Password::of_cell(&text));
        let (source_password, target_password) = (password("source_password"), password("target_password"));
        if [&source_password, &target_password].into_iter().any(|p| matches!(p, Some(Password::Plain(_)))) {
            self.people.plain_passwords.push(line);
        }
        if mistakes.is_empty() {
            let (name, collection) = (cell("name"), cell("collection"));
            self.people.rows.push(Row {
                line,
                source,
                target,
                name,
                kind,
                collection,
                source_endpoint,
                target_in_use,
                new_account: says_new.then_some(is_new),
                activated: None,
                in_books: None,
                archive: false,
                quota_bytes,
                vip,
                source_password,
                target_password,
            });
        }
        self.mistakes.extend(mistakes);
    }

    /// One mailbox can't be moved twice, nor two to one place. Names that differ in case only are one.
    fn find_duplicates(&mut self) {
        let (mut sources, mut targets) = (HashMap::new(), HashMap::new());
        for row in &self.people.rows {
            let endpoint = row.source_endpoint.as_ref().or(self.sources.first());
            let source = (endpoint, row.source.to_lowercase());
            if let Some(line) = sources.insert(source, row.line) {
                let what = format!("{FILE}, line {}: the source {:?} is in line {line} already", row.line, row.source);
                self.mistakes.push(what);
            }
            if let Some(line) = targets.insert(row.target.to_lowercase(), row.line) {
                let what = format!("{FILE}, line {}: the target {:?} is in line {line} already", row.line, row.target);
                self.mistakes.push(what);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_with(text: &str, sources: &[&str]) -> Result<People, Error> {
        let sources: Vec<String> = sources.iter().map(|name| (*name).to_owned()).collect();
        parse(text.as_bytes(), &sources)
    }

    #[test]
    fn columns_in_any_order_with_a_mark_of_bytes_and_semicolons() {
        let people = parse_with("\u{feff}Target;Source;name\r\nA@new;a@old;\"O'Brien; Ann\"\r\n\r\n", &["local"]);
        let rows = people.unwrap().rows;
        assert_eq!((rows.len(), rows[0].source.as_str(), rows[0].target.as_str()), (1, "a@old", "A@new"));
        assert_eq!(rows[0].name.as_deref(), Some("O'Brien; Ann"));
    }

    #[test]
    fn nobody_is_passed_over_and_passwords_are_kept_to_the_last_space() {
        let text = "source,target,source_password\n#1,one , pass word \n b ,B,\n";
        let rows = parse_with(text, &["local"]).unwrap().rows;
        assert_eq!((rows[0].source.as_str(), rows[0].target.as_str()), ("#1", "one"));
        assert_eq!((rows[1].source.as_str(), &rows[1].source_password), ("b", &None));
        let Some(Password::Plain(password)) = &rows[0].source_password else { panic!("{rows:?}") };
        assert_eq!(password.reveal(), " pass word ");
    }

    #[test]
    fn the_only_source_is_the_same_whether_written_or_not() {
        let error = parse_with("source,target,source_endpoint\na,A,\na,B,local\n", &["local"]).unwrap_err();
        assert!(error.what.contains("line 3: the source \"a\" is in line 2 already"), "{}", error.what);
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let text = "source,target,kind,target_in_use,quota\n\
            a,A,person,no,5\n\
            ,B,,,\n\
            c,C,robot,,\n\
            d,D,,perhaps,x\n\
            A,E,,,\n\
            f,a,,,\n\
            g,G,,,,too many\n\
            h,H,,,0\n";
        let error = parse_with(text, &["local"]).unwrap_err();
        for expected in [
            "line 3: source is empty",
            "line 4: kind \"robot\"",
            "line 5: target_in_use \"perhaps\"",
            "line 5: quota \"x\"",
            "line 6: the source \"A\" is in line 2 already",
            "line 7: the target \"a\" is in line 2 already",
            "line 8: 6 cells",
            "line 9: quota 0",
        ] {
            assert!(error.what.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn a_persons_own_quota_is_read() {
        let rows = parse_with("source,target,quota\na,A,26843545600\nb,B,\n", &["local"]).unwrap().rows;
        assert_eq!((rows[0].quota_bytes, rows[1].quota_bytes), (Some(25 << 30), None));
    }

    #[test]
    fn unknown_and_missing_columns_are_named() {
        let error = parse_with("source,taget\n", &["local"]).unwrap_err();
        assert_eq!(error.advice.as_deref(), Some("did you mean \"target\"?"));
        assert!(parse_with("source\n", &["local"]).unwrap_err().what.contains("\"target\" is missing"));
        assert!(parse_with("", &["local"]).unwrap_err().what.contains("\"source\" is missing"));
    }

    #[test]
    fn with_several_sources_each_row_says_which() {
        let error = parse_with("source,target,source_endpoint\na,A,\nb,B,anex\nc,C,annex\n", &["local", "annex"]);
        let error = error.unwrap_err();
        assert!(error.what.contains("line 2: source_endpoint is empty"), "{error}");
        assert!(error.what.contains("did you mean \"annex\""), "{error}");
    }

    #[test]
    fn passwords_come_from_elsewhere_and_plain_ones_are_noted() {
        let people = parse_with("source,target,source_password\na,A,env:PW\nb,B,plain\n", &["local"]).unwrap();
        assert_eq!(people.plain_passwords, [3]);
        let environment = |name: &str| (name == "PW").then(|| "from the environment".to_owned());
        let reveal = |row: &Row| {
            let password = row.source_password.clone().unwrap();
            password.reveal("a", Path::new("/nonexistent"), &environment)
        };
        assert_eq!(reveal(&people.rows[0]).unwrap().reveal(), "from the environment");
        assert_eq!(reveal(&people.rows[1]).unwrap().reveal(), "plain");
        let people = parse_with("source,target,source_password\na,A,env:NOT_SET\n", &["local"]).unwrap();
        assert!(reveal(&people.rows[0]).unwrap_err().what.contains("NOT_SET"));
    }
}
