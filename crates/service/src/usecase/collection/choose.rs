//! Who is meant: by name, by file, by department or filter of the people's plane, or all that are left.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use model::{AccountState, EntryKind};
use people::{Aside, Filter, Pattern, Scope};
use store::{MailboxRow, Object};

use super::standing::Standing;
use crate::usecase::people::PeopleProject;
use crate::{Error, Project};

/// Mistakes reported at once; more are only counted.
const MISTAKES_MAX: usize = 20;
/// Names of columns that a file of names may have.
const COLUMNS: [&str; 6] = ["mailbox", "source", "address", "mail", "name", "target"];

/// Who is meant. What is given is added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Mailboxes, by name at the source or the target.
    pub mailboxes: Vec<String>,
    /// Distribution lists, by address or name.
    pub lists: Vec<String>,
    /// Everybody of this department; `*` stands for anything.
    pub department: Option<String>,
    /// Everybody whom this filter of the people's plane fits: `field=value`, several joined by `&`, or as LDAP writes it.
    pub filter: Option<String>,
    /// A file of names: one a line, or a table with a column of them.
    pub file: Option<PathBuf>,
    /// Everybody in scope who is in no collection.
    pub rest: bool,
}

/// Who was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    pub objects: BTreeSet<Object>,
    /// Whom a filter fits, and who is not on the roster.
    pub not_on_roster: Vec<String>,
}

/// Mistakes, each with its place.
pub(crate) struct Mistakes(Vec<String>);

impl Mistakes {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, what: String) {
        self.0.push(what);
    }

    /// All of them as one error, if there are any.
    pub(crate) fn refuse(mut self, rule: Option<&'static str>, advice: &str) -> Result<(), Error> {
        let count = self.0.len();
        if count == 0 {
            return Ok(());
        }
        self.0.truncate(MISTAKES_MAX);
        if count > MISTAKES_MAX {
            self.0.push(format!("… and {} more", count - MISTAKES_MAX));
        }
        let what = self.0.join("\n");
        let error = match rule {
            Some(rule) => Error::refused(rule, what),
            None => Error::usage(what),
        };
        Err(error.advise(format!("{advice}; nothing was changed")))
    }
}

/// Finds mailboxes and lists by name.
pub(crate) struct Finder<'s> {
    standing: &'s Standing,
    mailboxes: HashMap<String, Vec<i64>>,
    lists: HashMap<String, Vec<&'s Object>>,
}

impl<'s> Finder<'s> {
    pub(crate) fn of(standing: &'s Standing) -> Self {
        let mut mailboxes: HashMap<String, Vec<i64>> = HashMap::new();
        for row in &standing.mailboxes {
            let names: BTreeSet<String> = [&row.roster.source_name, &row.roster.target_name]
                .into_iter()
                .map(|name| name.to_lowercase())
                .collect();
            for name in names {
                mailboxes.entry(name).or_default().push(row.mailbox);
            }
        }
        let mut lists: HashMap<String, Vec<&Object>> = HashMap::new();
        for (object, facts) in &standing.lists {
            let mut names: BTreeSet<String> = BTreeSet::from([facts.name.to_lowercase()]);
            names.extend(facts.mail.as_deref().map(model::mail_key));
            if let Object::List(directory, key) = object {
                names.insert(format!("{directory}:{key}").to_lowercase());
            }
            for name in names {
                lists.entry(name).or_default().push(object);
            }
        }
        Self { standing, mailboxes, lists }
    }

    /// The mailbox of this name; or why there is none.
    pub(crate) fn mailbox(&self, wanted: &str) -> Result<i64, String> {
        match self.mailboxes.get(&wanted.trim().to_lowercase()).map(Vec::as_slice) {
            Some([one]) => Ok(*one),
            Some(several) => {
                Err(format!("{wanted:?} is the name of {} mailboxes: give another name of it", several.len()))
            }
            None => {
                let rows = self.standing.mailboxes.iter();
                let names = rows.flat_map(|row| [row.roster.source_name.as_str(), row.roster.target_name.as_str()]);
                Err(match crate::config::alike(wanted, names) {
                    Some(meant) => format!("{wanted:?} is nobody on the roster; did you mean {meant:?}?"),
                    None => format!("{wanted:?} is nobody on the roster"),
                })
            }
        }
    }

    /// The distribution list of this address or name; or why there is none.
    pub(crate) fn list(&self, wanted: &str) -> Result<Object, String> {
        let key = model::mail_key(wanted);
        let found = self.lists.get(&key).or_else(|| self.lists.get(&wanted.trim().to_lowercase()));
        match found.map(Vec::as_slice) {
            Some([one]) => Ok((*one).clone()),
            Some(several) => {
                Err(format!("{wanted:?} is the name of {} distribution lists: give the address", several.len()))
            }
            None => Err(format!("{wanted:?} is no distribution list that the directories tell of")),
        }
    }

    /// Either of them.
    pub(crate) fn any(&self, wanted: &str) -> Result<Object, String> {
        match (self.mailbox(wanted), self.list(wanted)) {
            (Ok(mailbox), _) => Ok(Object::Mailbox(mailbox)),
            (Err(_), Ok(list)) => Ok(list),
            (Err(why), Err(_)) => Err(why),
        }
    }
}

/// The line of a record; a reader of CSV tells where the empty lines before it begin.
fn line_of(at: &csv::Position, text: &str) -> u64 {
    let rest = usize::try_from(at.byte()).ok().and_then(|byte| text.as_bytes().get(byte..)).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n').count();
    at.line() + empty as u64
}

/// The names of a file, each with its line: the first column, or the one whose heading says what it is.
fn names_of_file(path: &Path) -> Result<Vec<(u64, String)>, Error> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Error::usage(format!("{shown} cannot be read: {error}")).advise("give the path of a file"))?;
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes))
        .map_err(|_| Error::usage(format!("{shown} is not UTF-8")).advise("save the file as CSV UTF-8"))?;
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let (mut names, mut column) = (Vec::new(), 0);
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(|error| Error::usage(format!("{shown}: {error}")).advise("correct the file"))?;
        if number == 0 {
            let heading = |name: &&str| record.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
            if let Some(place) = COLUMNS.iter().find_map(heading) {
                column = place;
                continue;
            }
        }
        let name = record.get(column).unwrap_or_default().trim();
        if !name.is_empty() {
            names.push((record.position().map_or(0, |at| line_of(at, text)), name.to_owned()));
        }
    }
    if names.is_empty() {
        return Err(Error::usage(format!("{shown} names nobody")).advise("write one name a line"));
    }
    Ok(names)
}

/// Reads a filter: `department=Ward*`, several conditions joined by `&`, or as LDAP writes it: `(&(kind=shared)(department=Ward*))`.
pub(crate) fn filter(text: &str) -> Result<Filter, Error> {
    const FORM: &str = "write field=value, several joined by &; fields are kind, state, place, group, department, mail, \
        idle_days, or an attribute's own name";
    let bad = |why: String| Error::usage(format!("{text:?} is no filter: {why}")).advise(FORM);
    let inner = text.trim();
    if inner.contains("(|") || inner.contains("(!") || inner.contains('|') {
        return Err(bad("only conditions that all have to be so can be joined".to_owned()));
    }
    let conditions: Vec<&str> =
        inner.split(['(', ')', '&']).map(str::trim).filter(|condition| !condition.is_empty()).collect();
    if conditions.is_empty() {
        return Err(bad("it has no condition".to_owned()));
    }
    let mut filter = Filter { name: "chosen".to_owned(), ..Filter::default() };
    for condition in conditions {
        let Some((field, value)) = condition.split_once('=') else {
            return Err(bad(format!("{condition:?} has no =")));
        };
        let (field, value) = (field.trim(), value.trim());
        if field.is_empty() || value.is_empty() {
            return Err(bad(format!("{condition:?} lacks a field or a value")));
        }
        match field.to_lowercase().as_str() {
            "kind" => filter
                .kinds
                .push(EntryKind::from_name(&value.to_lowercase()).ok_or_else(|| bad(format!("{value:?} is no kind")))?),
            "state" => filter.states.push(
                AccountState::from_name(&value.to_lowercase()).ok_or_else(|| bad(format!("{value:?} is no state")))?,
            ),
            "place" => filter.places.push(value.to_owned()),
            "group" => filter.groups.push(value.to_owned()),
            "department" => filter.departments.push(Pattern(value.to_owned())),
            "mail" => filter.mail.push(Pattern(value.to_owned())),
            "idle_days" => {
                filter.idle_days = Some(value.parse().map_err(|_| bad(format!("{value:?} is no number of days")))?);
            }
            _ => filter.attributes.entry(field.to_owned()).or_default().push(Pattern(value.to_owned())),
        }
    }
    Ok(filter)
}

impl Choice {
    /// Is nobody meant?
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Project {
    /// Who is meant; every name that is nobody's is a mistake.
    pub(crate) async fn choose(&self, standing: &Standing, choice: &Choice) -> Result<Chosen, Error> {
        if choice.is_empty() {
            return Err(Error::usage("nobody is named")
                .advise("give --mailbox, --list, --department, --filter, --file or --rest"));
        }
        let (mut chosen, mut mistakes) = (Chosen::default(), Mistakes::new());
        let finder = Finder::of(standing);
        for wanted in &choice.mailboxes {
            match finder.mailbox(wanted) {
                Ok(mailbox) => drop(chosen.objects.insert(Object::Mailbox(mailbox))),
                Err(why) => mistakes.add(why),
            }
        }
        for wanted in &choice.lists {
            match finder.list(wanted) {
                Ok(list) => drop(chosen.objects.insert(list)),
                Err(why) => mistakes.add(why),
            }
        }
        if let Some(file) = &choice.file {
            for (line, name) in names_of_file(file)? {
                match finder.any(&name) {
                    Ok(object) => drop(chosen.objects.insert(object)),
                    Err(why) => mistakes.add(format!("{}, line {line}: {why}", file.display())),
                }
            }
        }
        mistakes.refuse(None, "correct the names")?;
        let mut filters = Vec::new();
        if let Some(department) = &choice.department {
            let departments = vec![Pattern(department.clone())];
            filters.push(Filter { name: "chosen".to_owned(), departments, ..Filter::default() });
        }
        if let Some(text) = &choice.filter {
            filters.push(filter(text)?);
        }
        for filter in filters {
            self.choose_by(standing, filter, &mut chosen).await?;
        }
        if choice.rest {
            let mailboxes = standing.mailboxes.iter().map(|row| Object::Mailbox(row.mailbox));
            let lists = standing.lists.iter().filter(|(_, facts)| facts.moves).map(|(object, _)| object.clone());
            chosen.objects.extend(mailboxes.chain(lists).filter(|object| !standing.members.contains_key(object)));
        }
        if chosen.objects.is_empty() {
            let what = match chosen.not_on_roster.len() {
                0 => "nobody is like that".to_owned(),
                _ => format!("nobody like that is on the roster yet: {}", chosen.not_on_roster.join(", ")),
            };
            return Err(Error::usage(what).advise("see whimbrel people list; nothing was changed"));
        }
        Ok(chosen)
    }

    /// Everybody of the people's plane whom a filter fits: mailboxes of the roster, and lists.
    async fn choose_by(&self, standing: &Standing, filter: Filter, chosen: &mut Chosen) -> Result<(), Error> {
        let Some(entry) = &self.config.file.people else {
            let what = format!("{} has no [people]: nobody's department or attributes are known", crate::PROJECT_FILE);
            return Err(Error::usage(what).advise("name mailboxes, or give a --file of them"));
        };
        let (config, store, actor) = (self.config.clone(), self.store.clone(), self.actor.clone());
        let known = PeopleProject::of(config, entry.clone(), store, self.key, actor)?.known().await?;
        let by_name: HashMap<(&str, String), &MailboxRow> = standing
            .mailboxes
            .iter()
            .map(|row| ((self.endpoint_name(row.roster.source_endpoint), row.roster.source_name.to_lowercase()), row))
            .collect();
        let sources = self.config.sources();
        // Whoever the filter fits is set aside by it.
        let scope = Scope { exclude: vec![filter], ..Scope::default() };
        let fits = scope.set_aside(&known.objects, known.at / 1000);
        for object in known.objects.iter().filter(|object| fits.contains_key(&object.id)) {
            debug_assert!(matches!(fits[&object.id], (Aside::Excluded, _)));
            let is_list = Object::List(object.id.directory.clone(), object.id.key.clone());
            if object.entry.kind == EntryKind::List {
                if standing.lists.get(&is_list).is_some_and(|facts| facts.moves) {
                    chosen.objects.insert(is_list);
                }
                continue;
            }
            if !object.entry.kind.holds_mail() {
                continue;
            }
            let endpoint = entry.mail_endpoint(&object.id.directory, &sources);
            let name = entry.source_name.of(&object.entry).map(str::to_lowercase);
            let row = endpoint.as_deref().zip(name).and_then(|place| by_name.get(&place));
            match row {
                Some(row) => drop(chosen.objects.insert(Object::Mailbox(row.mailbox))),
                None => chosen.not_on_roster.push(object.entry.label().to_owned()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_in_both_forms_and_what_is_none_is_refused() {
        for text in [
            "kind=shared&department=Ward*",
            "(&(kind=shared)(department=Ward*))",
            " kind = Shared & department = Ward* ",
        ] {
            let filter = filter(text).unwrap();
            assert_eq!((filter.kinds, filter.departments), (vec![EntryKind::Shared], vec![Pattern("Ward*".into())]));
        }
        let other = filter("(extensionAttribute1=band 9)").unwrap();
        assert_eq!(other.attributes["extensionAttribute1"], [Pattern("band 9".into())]);
        assert_eq!(filter("idle_days=90").unwrap().idle_days, Some(90));
        for text in
            ["", "()", "department", "=x", "kind=robot", "(|(kind=room)(kind=shared))", "(!(kind=room))", "idle_days=x"]
        {
            let error = filter(text).unwrap_err();
            assert!(error.what.contains("is no filter") && error.advice.is_some(), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_of_names_is_a_list_or_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = folder.path().join("names.csv");
            std::fs::write(&path, text).unwrap();
            names_of_file(&path)
        };
        assert_eq!(read("ann\n\n ben \n").unwrap(), [(1, "ann".to_owned()), (3, "ben".to_owned())]);
        assert_eq!(
            read("\u{feff}ward;Mailbox\n7;ann\n8;ben\n").unwrap(),
            [(2, "ann".to_owned()), (3, "ben".to_owned())]
        );
        assert!(read("mailbox\n").unwrap_err().what.contains("names nobody"));
        assert!(names_of_file(&folder.path().join("none")).unwrap_err().what.contains("cannot be read"));
    }
}
