//! Files as tables, and as directories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connector::{
    Directory, DirectoryCursor, DirectoryDeclaration, DirectoryRead, EntryEvent, EntrySink, Error, Finding, Retry,
    Topic,
};
use model::{Cause, Scope};
use serde::Deserialize;

use crate::csv::{self, Delimiter, Encoding};
use crate::grid::Table;
use crate::map::{ColumnMap, Columns};
use crate::mistake::Mistakes;
use crate::row::{self, Row};
use crate::survey::{Before, Digest, Survey, Telling, digest, refused};
use crate::xlsx;

/// Events told at once.
pub(crate) const PORTION: usize = 500;
/// When a file that changed while it was read is read again.
const CHANGED_WAIT: Duration = Duration::from_secs(10);

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A workbook if it begins like an archive, else CSV.
    #[default]
    Auto,
    /// CSV.
    Csv,
    /// A workbook (Office Open XML).
    Xlsx,
}

/// How a file is read as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileForm {
    /// What it is.
    pub format: Format,
    /// CSV: what stands between cells.
    pub delimiter: Delimiter,
    /// CSV: how characters are written.
    pub encoding: Encoding,
    /// Workbooks: the name of the sheet; the first one that is shown when left out.
    pub sheet: Option<String>,
}

/// A file that is a directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file, relative to the project's folder.
    pub path: PathBuf,
    /// How it is read as a table.
    #[serde(default)]
    pub form: FileForm,
    /// Which column is which field.
    #[serde(default)]
    pub map: ColumnMap,
    /// A file with a mistake is not read at all: the error lists them all. Otherwise rows with mistakes are told as faulty and
    /// the others as they are.
    #[serde(default = "yes")]
    pub strict: bool,
    /// A file without any row is what it says. Otherwise it is an error: an export that failed looks the same, and everybody
    /// would be gone.
    #[serde(default)]
    pub may_be_empty: bool,
    /// The project's folder.
    #[serde(skip)]
    pub base: PathBuf,
}

fn yes() -> bool {
    true
}

impl FileConfig {
    /// The file at this path, with everything else as when left out.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            form: FileForm::default(),
            map: ColumnMap::default(),
            strict: true,
            may_be_empty: false,
            base: PathBuf::new(),
        }
    }
}

impl FileForm {
    fn is_workbook(&self, bytes: &[u8]) -> bool {
        match self.format {
            Format::Auto => bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0"),
            Format::Csv => false,
            Format::Xlsx => true,
        }
    }
}

/// Reads the cells of a file, without looking at what they say.
pub fn table(bytes: &[u8], form: &FileForm) -> Result<Table, Mistakes> {
    if form.is_workbook(bytes) {
        return xlsx::read(bytes, form.sheet.as_deref());
    }
    csv::read(bytes, form.delimiter, form.encoding)
}

/// What a file says: its rows that are well, and everything that is wrong with the others.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The rows that are well in themselves, in the file's order. Of rows that share what no two may share all are here.
    pub rows: Vec<Row>,
    /// Everything that is wrong, by line.
    pub mistakes: Mistakes,
}

/// Reads a file and looks at every row of it. An error is about the file or its headings.
pub fn read(bytes: &[u8], form: &FileForm, map: &ColumnMap) -> Result<Reading, Mistakes> {
    let table = table(bytes, form)?;
    let columns = columns(&table, map)?;
    let (mut survey, mut rows) = (Survey::default(), Vec::new());
    survey.take_broken(table.broken());
    for (line, cells) in table.rows() {
        let read = row::read(&columns, line, &cells);
        survey.take(&columns, &read);
        rows.extend(read);
    }
    Ok(Reading { rows, mistakes: survey.finish().mistakes })
}

/// The rows of a file, or everything that is wrong with it: nothing of a file with a mistake is ever used.
pub fn validate(bytes: &[u8], form: &FileForm, map: &ColumnMap) -> Result<Vec<Row>, Mistakes> {
    let reading = read(bytes, form, map)?;
    if reading.mistakes.is_empty() { Ok(reading.rows) } else { Err(reading.mistakes) }
}

/// The same file with a column `Result`: what is said of a line (or row) by its number. All else is as it was; see
/// [`crate::csv`] and [`crate::xlsx`]. No result is a formula to a spreadsheet.
pub fn with_results(bytes: &[u8], form: &FileForm, results: &BTreeMap<u64, String>) -> Result<Vec<u8>, Mistakes> {
    if form.is_workbook(bytes) {
        return xlsx::with_results(bytes, form.sheet.as_deref(), results);
    }
    csv::with_results(bytes, form.delimiter, form.encoding, results)
}

fn columns<'m>(table: &Table, map: &'m ColumnMap) -> Result<Columns<'m>, Mistakes> {
    Columns::find(map, table.unit(), table.heading_line(), table.headings()).map_err(|list| {
        let mut mistakes = Mistakes::default();
        mistakes.extend(list);
        mistakes
    })
}

/// A file, read as a directory. It tells what changed by the digests of its rows.
pub struct FileDirectory {
    file: Arc<File>,
}

struct File {
    config: FileConfig,
    settings: Digest,
}

impl FileDirectory {
    /// A directory of this file.
    pub fn new(config: FileConfig) -> Self {
        let settings = digest(format!("{:?}\n{:?}", config.form, config.map).as_bytes());
        Self { file: Arc::new(File { config, settings }) }
    }

    /// Does on a thread of its own what may take seconds.
    async fn apart<T: Send + 'static>(&self, work: impl FnOnce(&File) -> T + Send + 'static) -> Result<T, Error> {
        let file = self.file.clone();
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        done.map_err(|_| Error::new(Cause::Internal, Scope::Run, "the file's reading broke off"))
    }
}

impl File {
    fn path(&self) -> PathBuf {
        self.config.base.join(&self.config.path)
    }

    /// What the file says, all of which is known before any of it is told.
    fn look(&self, since: Option<&DirectoryCursor>) -> Result<Look, Error> {
        let path = self.path();
        let name = path.display().to_string();
        let bytes = whole(&path)?;
        let content = digest(&bytes);
        let before = since.and_then(|cursor| Before::of(cursor, &self.settings));
        if let Some(cursor) = since.filter(|_| before.as_ref().is_some_and(|before| before.is_same(&content))) {
            return Ok(Look::Same(cursor.clone()));
        }
        let failed = |mistakes: Mistakes| refused(&name, &mistakes);
        let table = table(&bytes, &self.config.form).map_err(failed)?;
        drop(bytes);
        let columns = columns(&table, &self.config.map).map_err(failed)?;
        let mut survey = Survey::default();
        survey.take_broken(table.broken());
        for (line, cells) in table.rows() {
            survey.take(&columns, &row::read(&columns, line, &cells));
        }
        let survey = survey.finish();
        if self.config.strict && !survey.mistakes.is_empty() {
            return Err(refused(&name, &survey.mistakes));
        }
        if survey.rows == 0 && !self.config.may_be_empty {
            return Err(empty(&name));
        }
        let received = survey.rows;
        let telling = Box::new(Telling::new(table.unit(), survey, before));
        let cursor = telling.cursor(&self.settings, &content);
        Ok(Look::Changed {
            table,
            telling,
            read: DirectoryRead { is_whole: false, cursor, entries_received: received },
        })
    }
}

enum Look {
    /// It is the file that the cursor was made of.
    Same(DirectoryCursor),
    Changed {
        table: Table,
        telling: Box<Telling>,
        read: DirectoryRead,
    },
}

/// Nothing where there was to be something.
pub(crate) fn empty(name: &str) -> Error {
    let what =
        format!("{name} has no entry: an export that failed looks the same; say may_be_empty = true if it is right");
    Error::new(Cause::Missing, Scope::Run, what)
}

/// A file's bytes, none of which changed meanwhile.
fn whole(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| {
        let what = format!("{} cannot be read: {error}", path.display());
        let cause = if error.kind() == std::io::ErrorKind::NotFound { Cause::Missing } else { Cause::LocalFile };
        Error::new(cause, Scope::Run, what)
    };
    let state = || std::fs::metadata(path).and_then(|data| Ok((data.len(), data.modified()?))).map_err(failed);
    let before = state()?;
    let limit = csv::BYTES_MAX.max(xlsx::BYTES_MAX) as u64;
    if before.0 > limit {
        let what = format!("{} has {}, {} at most", path.display(), report::bytes(before.0), report::bytes(limit));
        return Err(Error::new(Cause::TooLarge, Scope::Run, what));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    if state()? != before || bytes.len() as u64 != before.0 {
        let what = format!("{} changed while it was read", path.display());
        return Err(Error::new(Cause::Unavailable, Scope::Run, what).retry(Retry::Later(Some(CHANGED_WAIT))));
    }
    Ok(bytes)
}

/// Tells events in portions.
pub(crate) struct Portions<'s> {
    sink: &'s mut dyn EntrySink,
    events: Vec<EntryEvent>,
}

impl<'s> Portions<'s> {
    pub(crate) fn new(sink: &'s mut dyn EntrySink) -> Self {
        Self { sink, events: Vec::new() }
    }

    pub(crate) async fn tell(&mut self, events: impl IntoIterator<Item = EntryEvent>) -> Result<(), Error> {
        for event in events {
            self.events.push(event);
            if self.events.len() == PORTION {
                self.sink.take(std::mem::take(&mut self.events)).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        if self.events.is_empty() { Ok(()) } else { self.sink.take(std::mem::take(&mut self.events)).await }
    }
}

#[async_trait]
impl Directory for FileDirectory {
    fn declaration(&self) -> DirectoryDeclaration {
        DirectoryDeclaration {
            platform: "file",
            writes: false,
            tells_changes: true,
            makes_live: false,
            changes_first_passwords: false,
        }
    }

    async fn read(&self, since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        let since = since.cloned();
        let looked = self.apart(move |file| file.look(since.as_ref())).await??;
        let (table, telling, mut read) = match looked {
            Look::Same(cursor) => return Ok(DirectoryRead { cursor, is_whole: false, entries_received: 0 }),
            Look::Changed { table, telling, read } => (table, telling, read),
        };
        let columns = columns(&table, &self.file.config.map).map_err(|mistakes| refused("the file", &mistakes))?;
        let mut portions = Portions::new(sink);
        for (line, cells) in table.rows() {
            let event = telling.of_row(row::read(&columns, line, &cells));
            portions.tell(event).await?;
        }
        portions.tell(telling.of_the_rest(table.broken())).await?;
        portions.finish().await?;
        read.is_whole = telling.is_whole();
        Ok(read)
    }

    async fn check(&self) -> Vec<Finding> {
        self.apart(File::check).await.unwrap_or_else(|error| vec![Finding::wrong(Topic::Reach, &error)])
    }
}

impl File {
    fn check(&self) -> Vec<Finding> {
        let name = self.path().display().to_string();
        let bytes = match whole(&self.path()) {
            Ok(bytes) => bytes,
            Err(error) => return vec![Finding::wrong(Topic::Reach, &error)],
        };
        let mut findings = vec![Finding::well(Topic::Reach, format!("{name} can be read"))];
        let said = read(&bytes, &self.config.form, &self.config.map);
        findings.push(match said {
            Ok(reading) if reading.mistakes.is_empty() && reading.rows.is_empty() && !self.config.may_be_empty => {
                Finding::wrong(Topic::Capabilities, &empty(&name))
            }
            Ok(reading) if reading.mistakes.is_empty() => {
                Finding::well(Topic::Capabilities, format!("{} entries, all well", reading.rows.len()))
            }
            Ok(Reading { mistakes, .. }) | Err(mistakes) => {
                Finding::wrong(Topic::Capabilities, &refused(&name, &mistakes))
            }
        });
        findings
    }
}
