//! Which column is which field, and what the words in cells mean.

use std::collections::{BTreeMap, BTreeSet};

use model::{AccountState, EntryKind};
use serde::{Deserialize, Serialize};

use crate::field::{Field, plain};
use crate::mistake::{Mistake, Place, Unit, alike, shown};

/// The heading of the column that a result file adds. A column of this name is no part of a table, so that a result file can be
/// corrected and sent again.
pub const RESULT: &str = "Result";

/// What is to be done with a row's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is new.
    Create,
    /// It is there, and something of it changes.
    Update,
    /// Its person leaves.
    Leave,
}

impl Action {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Leave => "leave",
        }
    }
}

/// How a table writes a day that is not written as 2026-04-13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    /// Not at all: 03/04/2026 is a mistake, since it may be two days.
    #[default]
    Iso,
    /// 13/04/2026, 13.4.2026, 13-04-2026.
    DayFirst,
    /// 04/13/2026.
    MonthFirst,
}

/// The columns of a field: one heading, or several where a field may stand in several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Headings {
    /// One column.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Headings {
    fn each(&self) -> &[String] {
        match self {
            Self::One(heading) => std::slice::from_ref(heading),
            Self::Several(headings) => headings,
        }
    }
}

impl From<&str> for Headings {
    fn from(heading: &str) -> Self {
        Self::One(heading.to_owned())
    }
}

/// How a table is read as entries.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnMap {
    /// Which column is which field: `local_id = "Payroll no."`. Headings are compared without case and spaces around them. A
    /// heading that the table does not have is an error.
    pub columns: BTreeMap<Field, Headings>,
    /// Whether a field that the map does not name is found by the heading that people usually give it
    /// ([`Field::headings`]).
    pub usual_headings: bool,
    /// Columns that are not read at all.
    pub leave_out: Vec<String>,
    /// Words of the kind column and the kinds that they mean, besides the usual ones.
    pub kinds: BTreeMap<String, EntryKind>,
    /// The kind of a row that says none.
    pub kind: EntryKind,
    /// Words of the state column and the states that they mean, besides the usual ones.
    pub states: BTreeMap<String, AccountState>,
    /// Words of the action column and the actions that they mean, besides the usual ones.
    pub actions: BTreeMap<String, Action>,
    /// Words that mean yes, besides yes, y, true, t and 1.
    pub yes: Vec<String>,
    /// Words that mean no, besides no, n, false, f, 0 and an empty cell.
    pub no: Vec<String>,
    /// What stands between several values in a cell. A line break always does.
    pub separator: char,
    /// How days are written.
    pub dates: Dates,
    /// What stands in `owners` and `members` are keys of this table. Otherwise each value is what it looks like: a mail
    /// address, a distinguished name, a security identifier, else a name.
    pub references_are_keys: bool,
    /// The fields that a row of each kind must have; left out for a row whose action is leave. A kind that is not named keeps
    /// its own: a person a surname or a display name, a contact a mail address, any other a display name.
    pub required: BTreeMap<EntryKind, Vec<Field>>,
    /// How many characters a field may have, where that is not [`Field::length_max`].
    pub lengths: BTreeMap<Field, usize>,
}

impl Default for ColumnMap {
    fn default() -> Self {
        Self {
            columns: BTreeMap::new(),
            usual_headings: true,
            leave_out: Vec::new(),
            kinds: BTreeMap::new(),
            kind: EntryKind::Person,
            states: BTreeMap::new(),
            actions: BTreeMap::new(),
            yes: Vec::new(),
            no: Vec::new(),
            separator: ';',
            dates: Dates::Iso,
            references_are_keys: false,
            required: BTreeMap::new(),
            lengths: BTreeMap::new(),
        }
    }
}

impl ColumnMap {
    /// The same, with this column as this field.
    #[must_use]
    pub fn with(mut self, field: Field, heading: &str) -> Self {
        self.columns.insert(field, heading.into());
        self
    }

    /// What a row of a kind must have: one field of each group.
    pub(crate) fn needs(&self, kind: EntryKind) -> Vec<Vec<Field>> {
        match (self.required.get(&kind), kind) {
            (Some(fields), _) => fields.iter().map(|field| vec![*field]).collect(),
            (None, EntryKind::Contact) => vec![vec![Field::Mail]],
            (None, EntryKind::Person) => vec![vec![Field::Surname, Field::Display]],
            (None, _) => vec![vec![Field::Display]],
        }
    }
}

/// A map that was found to fit the headings of a table.
#[derive(Clone, Debug)]
pub(crate) struct Columns<'m> {
    pub(crate) map: &'m ColumnMap,
    pub(crate) unit: Unit,
    pub(crate) headings: Vec<String>,
    /// Places of each field's columns, from 0.
    pub(crate) of: BTreeMap<Field, Vec<usize>>,
    /// Columns that are no field.
    pub(crate) other: Vec<usize>,
}

impl<'m> Columns<'m> {
    /// Looks which of these headings is which field. `line` is where they stand.
    pub(crate) fn find(map: &'m ColumnMap, unit: Unit, line: u64, headings: &[String]) -> Result<Self, Vec<Mistake>> {
        let headings: Vec<String> = headings.iter().map(|heading| heading.trim().to_owned()).collect();
        let mut finder = Finder { line, mistakes: Vec::new(), used: BTreeSet::new() };
        let mut columns = Self { map, unit, headings, of: BTreeMap::new(), other: Vec::new() };
        finder.twice(&columns);
        for heading in &map.leave_out {
            let place = finder.named(&columns, heading, "to be left out");
            finder.used.extend(place);
        }
        for (field, headings) in &map.columns {
            let named = headings.each();
            if named.len() > 1 && !field.holds_several() {
                let what = format!("the map names {} columns as {}", named.len(), field.name());
                finder.mistake(&columns, None, what, "name one".to_owned());
            }
            for heading in named {
                let place = finder.named(&columns, heading, field.name());
                if let Some(place) = place {
                    columns.of.entry(*field).or_default().push(place);
                    finder.used.insert(place);
                }
            }
        }
        for place in 0..columns.headings.len() {
            finder.usual(&mut columns, place);
        }
        if !columns.of.contains_key(&Field::Key) {
            match columns.of.get(&Field::LocalId).cloned() {
                Some(places) => drop(columns.of.insert(Field::Key, places)),
                None if map.columns.contains_key(&Field::Key) => {} // Told above.
                None => finder.mistake(
                    &columns,
                    None,
                    "no column tells a row from every other one for good".to_owned(),
                    "say in the map which is the key or the local id: key = \"…\"".to_owned(),
                ),
            }
        }
        // Where every row is of one kind, a missing column is said once.
        if !columns.of.contains_key(&Field::Kind) && !columns.of.contains_key(&Field::Action) {
            for group in map.needs(map.kind) {
                if !group.iter().any(|field| columns.of.contains_key(field) || map.columns.contains_key(field)) {
                    let (what, cure) = missing(map.kind, &group);
                    finder.mistake(&columns, None, what, cure);
                }
            }
        }
        if finder.mistakes.is_empty() { Ok(columns) } else { Err(finder.mistakes) }
    }

    /// A column, for people.
    pub(crate) fn place(&self, column: usize) -> Place {
        Place { number: column + 1, heading: self.headings.get(column).cloned().unwrap_or_default() }
    }

    /// The first column of a field, for people.
    pub(crate) fn place_of(&self, field: Field) -> Option<Place> {
        Some(self.place(*self.of.get(&field)?.first()?))
    }
}

/// Fields of which one is enough, for people.
pub(crate) fn names_of(group: &[Field]) -> String {
    group.iter().map(|field| field.name()).collect::<Vec<_>>().join(" or ")
}

/// What to say when no column is one of these fields.
pub(crate) fn missing(kind: EntryKind, group: &[Field]) -> (String, String) {
    let what = format!("a {} must have a {}, and no column is one", kind.name(), names_of(group));
    (what, format!("add a column {}, or say in the map which it is", group[0].name()))
}

struct Finder {
    line: u64,
    mistakes: Vec<Mistake>,
    used: BTreeSet<usize>,
}

impl Finder {
    fn mistake(&mut self, columns: &Columns<'_>, column: Option<usize>, what: String, cure: String) {
        let column = column.map(|column| columns.place(column));
        self.mistakes.push(Mistake { unit: columns.unit, line: self.line, column, what, cure });
    }

    fn twice(&mut self, columns: &Columns<'_>) {
        for (place, heading) in columns.headings.iter().enumerate() {
            let first = columns.headings[..place].iter().position(|other| is_same(other, heading));
            if let Some(first) = first.filter(|_| !heading.is_empty()) {
                let what = format!("column {} has this heading, too", columns.place(first).letters());
                self.mistake(columns, Some(place), what, "remove or rename one of them".to_owned());
            }
        }
    }

    /// The column that a map names.
    fn named(&mut self, columns: &Columns<'_>, heading: &str, as_what: &str) -> Option<usize> {
        let found = columns.headings.iter().position(|other| is_same(other, heading));
        if found.is_none() {
            let what = format!("the map names a column {} as {as_what}, and there is none", shown(heading));
            let cure = match alike(heading.trim(), columns.headings.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("columns are {}", columns.headings.join(", ")),
            };
            self.mistake(columns, None, what, cure);
        }
        found
    }

    fn usual(&mut self, columns: &mut Columns<'_>, place: usize) {
        let heading = columns.headings[place].clone();
        if self.used.contains(&place) || is_same(&heading, RESULT) {
            return;
        }
        let field = Field::from_heading(&heading).filter(|_| columns.map.usual_headings);
        match field.filter(|field| !columns.map.columns.contains_key(field)) {
            None => columns.other.push(place),
            Some(field) => {
                let places = columns.of.entry(field).or_default();
                if let (Some(first), false) = (places.first().copied(), field.holds_several()) {
                    let first = columns.place(first);
                    let what = format!(
                        "it may be the {} as well as column {} {}",
                        field.name(),
                        first.letters(),
                        shown(&first.heading)
                    );
                    let cure = format!("say in the map which is meant: {} = {}", field.name(), shown(&heading));
                    self.mistake(columns, Some(place), what, cure);
                } else {
                    places.push(place);
                }
            }
        }
    }
}

fn is_same(heading: &str, other: &str) -> bool {
    heading.trim().to_lowercase() == other.trim().to_lowercase()
}

/// The kind that a word means.
pub(crate) fn kind_of(map: &ColumnMap, word: &str) -> Option<EntryKind> {
    own(&map.kinds, word).or_else(|| {
        Some(match plain(word).as_str() {
            "person" | "user" | "staff" | "employee" | "usermailbox" | "personmailbox" => EntryKind::Person,
            "shared" | "sharedmailbox" | "generic" | "genericmailbox" => EntryKind::Shared,
            "room" | "roommailbox" | "meetingroom" => EntryKind::Room,
            "equipment" | "equipmentmailbox" | "resource" => EntryKind::Equipment,
            "system" | "application" | "applicationaccount" | "serviceaccount" => EntryKind::System,
            "list" | "distributionlist" | "distributiongroup" | "group" | "maillist" => EntryKind::List,
            "contact" | "mailcontact" | "external" => EntryKind::Contact,
            _ => return None,
        })
    })
}

/// The state that a word means.
pub(crate) fn state_of(map: &ColumnMap, word: &str) -> Option<AccountState> {
    own(&map.states, word).or_else(|| {
        Some(match plain(word).as_str() {
            "active" | "enabled" | "live" | "current" => AccountState::Active,
            "pending" | "awaitingacceptance" => AccountState::Pending,
            "leaver" | "left" => AccountState::Leaver,
            "inactive" | "dormant" => AccountState::Inactive,
            "locked" | "lockedout" => AccountState::Locked,
            "expired" => AccountState::Expired,
            "disabled" | "suspended" => AccountState::Disabled,
            _ => return None,
        })
    })
}

/// The action that a word means.
pub(crate) fn action_of(map: &ColumnMap, word: &str) -> Option<Action> {
    own(&map.actions, word).or_else(|| {
        Some(match plain(word).as_str() {
            "create" | "new" | "add" | "joiner" | "join" | "starter" => Action::Create,
            "update" | "change" | "amend" | "modify" | "mover" => Action::Update,
            "leave" | "leaver" => Action::Leave,
            _ => return None,
        })
    })
}

/// Whether a word means yes or no.
pub(crate) fn yes_or_no(map: &ColumnMap, word: &str) -> Option<bool> {
    let is_in = |words: &[String]| words.iter().any(|other| is_same(other, word));
    match word.to_lowercase().as_str() {
        _ if is_in(&map.yes) => Some(true),
        _ if is_in(&map.no) => Some(false),
        "yes" | "y" | "true" | "t" | "1" => Some(true),
        "no" | "n" | "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

fn own<T: Copy>(words: &BTreeMap<String, T>, word: &str) -> Option<T> {
    words.iter().find(|(own, _)| is_same(own, word)).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(line: &str) -> Vec<String> {
        line.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn usual_headings_are_found_and_the_rest_is_kept() {
        let map = ColumnMap::default();
        let line = headings("ID,Local Unique ID, First Name ,last name,EMAIL,Legacy email,Aliases,Ward,Result");
        let columns = Columns::find(&map, Unit::Line, 1, &line).unwrap();
        assert_eq!(columns.of[&Field::LocalId], [1]);
        assert_eq!(columns.of[&Field::Key], [1], "without a key of its own the local id is the key");
        assert_eq!((&columns.of[&Field::Given], &columns.of[&Field::Surname]), (&vec![2], &vec![3]));
        assert_eq!(columns.of[&Field::Addresses], [5, 6]);
        assert_eq!(columns.other, [0, 7]);
    }

    #[test]
    fn a_map_goes_before_what_is_usual_and_one_column_may_be_two_fields() {
        let map =
            ColumnMap::default().with(Field::Key, "e-MAIL ").with(Field::Mail, "E-Mail").with(Field::Surname, "Nom");
        let columns = Columns::find(&map, Unit::Line, 1, &headings("E-mail,Surname,Nom")).unwrap();
        assert_eq!((&columns.of[&Field::Key], &columns.of[&Field::Mail]), (&vec![0], &vec![0]));
        assert_eq!((&columns.of[&Field::Surname], &columns.other), (&vec![2], &vec![1]));
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_was_meant() {
        let map = ColumnMap::default().with(Field::Surname, "Last Nmae");
        let told = |map: &ColumnMap, line: &str| {
            let mistakes = Columns::find(map, Unit::Line, 1, &headings(line)).unwrap_err();
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let text = told(&map, "key,Last Name");
        assert_eq!(
            text,
            "line 1: the map names a column \"Last Nmae\" as surname, and there is none; did you mean \"Last Name\"?"
        );
        let map = ColumnMap::default();
        assert!(told(&map, "Ward,Name").contains("no column tells a row from every other one for good"));
        let text = told(&map, "key,Name,Email,Mail,KEY");
        assert!(text.contains("column E (5) \"KEY\": column A has this heading, too"), "{text}");
        let expected = "column D (4) \"Mail\": it may be the mail as well as column C \"Email\"; say in the map which is meant: mail = \"Mail\"";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_map_is_read_from_settings_and_a_slip_is_named() {
        let text = "kind = 'shared'\nseparator = '|'\ndates = 'day-first'\nyes = ['ja']\n\
            [columns]\nlocal_id = 'Payroll no.'\naddresses = ['Alias 1', 'Alias 2']\n\
            [kinds]\n'Gemeinsam' = 'shared'\n[required]\nperson = ['local_id', 'organisation']\n[lengths]\nlocal_id = 9\n";
        let map: ColumnMap = toml::from_str(text).unwrap();
        assert_eq!(map.kind, EntryKind::Shared);
        assert_eq!(map.needs(EntryKind::Person), [[Field::LocalId], [Field::Organisation]]);
        assert_eq!(map.needs(EntryKind::Room), [[Field::Display]]);
        assert_eq!(kind_of(&map, "GEMEINSAM"), Some(EntryKind::Shared));
        assert_eq!(
            (yes_or_no(&map, "Ja"), yes_or_no(&map, "No"), yes_or_no(&map, "x")),
            (Some(true), Some(false), None)
        );
        let error = toml::from_str::<ColumnMap>("[columns]\nsurnam = 'Name'\n").unwrap_err().to_string();
        assert!(error.contains("\"surnam\" is no field of an entry; did you mean \"surname\"?"), "{error}");
        let error = toml::from_str::<ColumnMap>("[columns]\nlast_name = 'Name'\n").unwrap_err().to_string();
        assert!(error.contains("did you mean \"surname\"?"), "{error}");
    }
}
