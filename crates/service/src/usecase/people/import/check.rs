//! A file is looked at as a whole before anything of it is used: each row by itself, and beside what is known.

use std::collections::BTreeMap;

use model::Entry;
use people::{Class, Object, ObjectId};
use serde_json::{Map, Value};
use table::{Action, Mistake, Mistakes, Place, Row, Unit};

use super::EXEMPTION;
use crate::Error;
use crate::config::ImportEntry;
use crate::usecase::people::PeopleProject;
use crate::usecase::people::list::reason;

/// A file that is well.
pub(super) struct Checked {
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// The entries of those that do not leave.
    pub(super) entries: Vec<Entry>,
    /// The keys of those that do.
    pub(super) leaving: Vec<String>,
}

impl Checked {
    /// The reasons why accounts may be live without a forwarder, each with how many rows it stands for.
    pub(super) fn exemptions(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        let reasons = self.entries.iter().filter_map(|entry| entry.other.get(EXEMPTION)?.first());
        reasons.for_each(|reason| *counts.entry(reason.as_str()).or_default() += 1);
        counts
    }
}

impl PeopleProject {
    /// The rows of a file, or everything that is wrong with it.
    pub(super) async fn check_file(&self, bytes: &[u8]) -> Result<Result<Checked, Mistakes>, Error> {
        let import = self.import_entry()?;
        let form = table::table(bytes, &import.form).and_then(|table| {
            let reading = table::read(bytes, &import.form, &import.map)?;
            Ok((Columns::of(&table, import), reading))
        });
        let (columns, reading) = match form {
            Ok(read) => read,
            Err(mistakes) => return Ok(Err(mistakes)),
        };
        let (mut rows, mut mistakes) = (reading.rows, reading.mistakes);
        if rows.is_empty() && mistakes.is_empty() {
            return Ok(Err(columns.about(None, "the file has no row", "hand in a file with somebody in it").into()));
        }
        for row in &mut rows {
            mistakes.extend(self.look_at(row, import, &columns));
        }
        let connector = import.connector.as_str();
        let stored = self.handed_in().await?;
        let (mut entries, mut leaving) = (Vec::new(), Vec::new());
        for row in &rows {
            match row.action {
                Some(Action::Leave) => leaving.push(row.entry.key.clone()),
                Some(Action::Update) => {
                    let known = stored.get(&row.entry.key);
                    entries.push(known.map_or_else(|| row.entry.clone(), |known| changed(known, &row.entry)));
                }
                Some(Action::Create) | None => entries.push(row.entry.clone()),
            }
        }
        let told: Vec<Object> = entries
            .iter()
            .map(|entry| Object { id: ObjectId::new(connector, &entry.key), entry: entry.clone() })
            .collect();
        let gone: Vec<ObjectId> = leaving.iter().map(|key| ObjectId::new(connector, key)).collect();
        let known = self.known_with(&told, &gone).await?;
        for row in &rows {
            let key = &row.entry.key;
            let about = |what: &str, cure: &str| columns.about(Some(row), what, cure);
            if row.action == Some(Action::Leave) {
                if !stored.contains_key(key) {
                    mistakes.push(about("nobody of this key was handed in before", "correct it, or leave the row out"));
                }
                continue;
            }
            let Some(class) = known.reconciliation.row(&ObjectId::new(connector, key)) else { continue };
            match (&class.class, row.action) {
                (Class::New, Some(Action::Update)) => {
                    mistakes.push(about("there is no account to update", "write create, if one is to be made"));
                }
                (Class::Incomplete(_), _) => {
                    let (why, _) = reason(&known, class);
                    mistakes.push(about(&why, "correct it here or there: nobody gets a second account"));
                }
                _ => {}
            }
        }
        if mistakes.is_empty() {
            return Ok(Ok(Checked { rows, entries, leaving }));
        }
        mistakes.list.sort_by_key(|mistake| (mistake.line, mistake.column.as_ref().map_or(0, |column| column.number)));
        Ok(Err(mistakes))
    }

    /// Looks at a row by itself, and writes its reason why its account may be live to where it is looked for.
    fn look_at(&self, row: &mut Row, import: &ImportEntry, columns: &Columns) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let code = self.config.code.as_str();
        if row.entry.organisation.as_deref().is_some_and(|other| !other.eq_ignore_ascii_case(code)) {
            let what = format!("it is under another organisation's code than {code}");
            mistakes.push(columns.about(Some(row), &what, "leave it out: each organisation hands in its own people"));
        }
        let heading = columns.exemption.as_ref().map(|place| place.heading.clone());
        let said =
            heading.and_then(|heading| row.entry.other.remove(&heading)).and_then(|values| values.into_iter().next());
        let said = said.filter(|text| !text.trim().is_empty()).or_else(|| import.exemption.clone());
        match said {
            Some(reason) => {
                row.entry.other.insert(EXEMPTION.to_owned(), vec![reason.trim().to_owned()]);
            }
            None if matches!(row.action, None | Some(Action::Create))
                && row.entry.kind.holds_mail()
                && self.config.lacks_forwarding().is_some() =>
            {
                let what = "nothing says why its account may be live without a forwarder to the source (R-073)";
                let cure = format!(
                    "write the reason into a column {}, or give the project a way to put forwarders on (docs/switch.md)",
                    import.exemption_column
                );
                let mut mistake = columns.about(Some(row), what, &cure);
                mistake.column.clone_from(&columns.exemption);
                mistakes.push(mistake);
            }
            None => {}
        }
        mistakes
    }
}

/// What a file's mistakes refer to.
struct Columns {
    unit: Unit,
    heading_line: u64,
    exemption: Option<Place>,
}

impl Columns {
    fn of(table: &table::Table, import: &ImportEntry) -> Self {
        let is_meant = |heading: &String| heading.trim().eq_ignore_ascii_case(import.exemption_column.trim());
        let at = table.headings().iter().position(is_meant);
        let exemption = at.map(|at| Place { number: at + 1, heading: table.headings()[at].trim().to_owned() });
        Self { unit: table.unit(), heading_line: table.heading_line(), exemption }
    }

    fn about(&self, row: Option<&Row>, what: &str, cure: &str) -> Mistake {
        let line = row.map_or(self.heading_line, |row| row.line);
        Mistake { unit: self.unit, line, column: None, what: what.to_owned(), cure: cure.to_owned() }
    }
}

/// An entry with what a row changes of it. What the row leaves empty stays; a mark that hides something is never taken off.
fn changed(known: &Entry, row: &Entry) -> Entry {
    let of = |entry: &Entry| match serde_json::to_value(entry) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut fields = of(known);
    merge(&mut fields, &of(row));
    serde_json::from_value(Value::Object(fields)).unwrap_or_else(|_| row.clone())
}

fn merge(known: &mut Map<String, Value>, row: &Map<String, Value>) {
    for (name, value) in row {
        match (known.get_mut(name), value) {
            (_, Value::Null | Value::Bool(false)) => {}
            (Some(Value::Object(known)), Value::Object(row)) => merge(known, row),
            (_, value) => drop(known.insert(name.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::EntryKind;

    use super::*;

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let mut known = Entry::new("1", EntryKind::Person);
        (known.names.given, known.names.surname) = (Some("Ann".into()), Some("Lee".into()));
        (known.job_title, known.hides_mobile) = (Some("Nurse".into()), true);
        known.other.insert("Ward".into(), vec!["7".into()]);
        let mut row = Entry::new("1", EntryKind::Person);
        (row.names.surname, row.department) = (Some("Ray".into()), Some("A&E".into()));
        row.other.insert("Site".into(), vec!["North".into()]);
        let after = changed(&known, &row);
        assert_eq!((after.names.given.as_deref(), after.names.surname.as_deref()), (Some("Ann"), Some("Ray")));
        assert_eq!((after.job_title.as_deref(), after.department.as_deref()), (Some("Nurse"), Some("A&E")));
        assert!(after.hides_mobile && after.other.len() == 2);
    }
}
