//! A row read as an entry.

use model::{AccountState, Address, AddressKind, Entry, Reference, mail_key, x500_key};

use crate::field::Field;
use crate::map::{Action, Columns, action_of, kind_of, missing, names_of, state_of, yes_or_no};
use crate::mistake::{Mistake, shown};
use crate::value::{self, Wrong};

/// Characters of a cell that is no field: what a cell of a spreadsheet holds.
const OTHER_LENGTH_MAX: usize = 32_767;
const SECONDS_A_DAY: i64 = 86_400;

/// A row that was read without a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, or row in the sheet.
    pub line: u64,
    /// The entry that it tells. Columns that are no field are in `other`.
    pub entry: Entry,
    /// What is to be done with it, if the table says so.
    pub action: Option<Action>,
    /// The day on which its person joins, in days since 1970 ([`day_text`] writes it).
    pub starts_on: Option<i64>,
    /// The day on which its person leaves, in days since 1970.
    pub leaves_on: Option<i64>,
}

impl Row {
    /// The entry as a directory tells it: with action and days among `other`, and as a leaver's where it leaves.
    pub(crate) fn into_told(self) -> Entry {
        let mut entry = self.entry;
        let days = [(Field::StartsOn, self.starts_on), (Field::LeavesOn, self.leaves_on)];
        for (field, day) in days {
            if let Some(day) = day {
                entry.other.insert(field.name().to_owned(), vec![day_text(day)]);
            }
        }
        if let Some(action) = self.action {
            entry.other.insert(Field::Action.name().to_owned(), vec![action.name().to_owned()]);
        }
        if self.action == Some(Action::Leave) && entry.state == AccountState::Active {
            entry.state = AccountState::Leaver;
        }
        entry
    }
}

/// A day in days since 1970, as 2026-04-13.
pub fn day_text(days: i64) -> String {
    report::day(days * SECONDS_A_DAY)
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its key, where that could be read.
    pub(crate) key: Option<String>,
    /// What is wrong.
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads a row of as many cells as there are headings.
pub(crate) fn read(columns: &Columns<'_>, line: u64, cells: &[&str]) -> Result<Row, Fault> {
    let mut reader = Reader { columns, line, cells, mistakes: Vec::new() };
    let row = reader.row();
    let mut mistakes = reader.mistakes;
    if mistakes.is_empty() {
        return Ok(row);
    }
    mistakes.sort_by_key(|mistake| mistake.column.as_ref().map_or(0, |column| column.number));
    let key_place = columns.place_of(Field::Key);
    let is_key_well = !row.entry.key.is_empty() && mistakes.iter().all(|m| m.column.is_none() || m.column != key_place);
    Err(Fault { key: is_key_well.then_some(row.entry.key), mistakes })
}

struct Reader<'r> {
    columns: &'r Columns<'r>,
    line: u64,
    cells: &'r [&'r str],
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn wrong(&mut self, column: usize, (what, cure): Wrong) {
        let mistake =
            Mistake { unit: self.columns.unit, line: self.line, column: Some(self.columns.place(column)), what, cure };
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    fn cell(&self, column: usize) -> &str {
        self.cells.get(column).copied().unwrap_or_default().trim()
    }

    fn places(&self, field: Field) -> Vec<usize> {
        self.columns.of.get(&field).cloned().unwrap_or_default()
    }

    /// The text of a field of one column, looked at; none when it is empty.
    fn text(&mut self, field: Field) -> Option<(usize, String)> {
        let column = *self.columns.of.get(&field)?.first()?;
        let text = self.cell(column).to_owned();
        if text.is_empty() {
            return None;
        }
        self.look(column, &text, self.length_max(field), false);
        Some((column, text))
    }

    fn length_max(&self, field: Field) -> usize {
        self.columns.map.lengths.get(&field).copied().unwrap_or_else(|| field.length_max())
    }

    fn look(&mut self, column: usize, text: &str, length_max: usize, may_break: bool) {
        if let Some(wrong) = value::odd_character(text, may_break) {
            self.wrong(column, wrong);
        }
        let length = text.chars().count();
        if length > length_max {
            let what = format!("{} has {length} characters", shown(text));
            self.wrong(column, (what, format!("{length_max} at most; shorten it")));
        }
    }

    fn plain(&mut self, field: Field) -> Option<String> {
        self.text(field).map(|(_, text)| text)
    }

    /// A field that is read by `read`.
    fn parsed<T>(&mut self, field: Field, read: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let (column, text) = self.text(field)?;
        read(&text).map_err(|wrong| self.wrong(column, wrong)).ok()
    }

    /// A field whose cell holds one of some words.
    fn word<T>(&mut self, field: Field, known: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.parsed(field, |text| {
            read(text).ok_or_else(|| {
                let what = format!("{} is not known as {}", shown(text), field.name());
                (what, format!("write {known}, or say in the map what it means"))
            })
        })
    }

    fn yes(&mut self, field: Field) -> bool {
        let columns = self.columns;
        self.word(field, "yes or no", |text| yes_or_no(columns.map, text)).unwrap_or_default()
    }

    /// The values of a field that may hold several, with their columns.
    fn several(&mut self, field: Field) -> Vec<(usize, String)> {
        let mut values = Vec::new();
        for column in self.places(field) {
            let cell = self.cell(column).to_owned();
            self.look(column, &cell, self.length_max(field), true);
            let parts = cell.split([self.columns.map.separator, '\n', '\r']).map(str::trim);
            values.extend(parts.filter(|part| !part.is_empty()).map(|part| (column, part.to_owned())));
        }
        values
    }

    fn address(&mut self, field: Field) -> Option<String> {
        self.parsed(field, |text| {
            let bare =
                text.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("smtp:")).map_or(text, |_| text[5..].trim());
            value::mail(bare).map(|()| bare.to_owned())
        })
    }

    fn addresses(&mut self) -> Vec<Address> {
        let mut addresses: Vec<Address> = Vec::new();
        for (column, text) in self.several(Field::Addresses) {
            let address = Address::parse(&text);
            let looked = match address.kind {
                AddressKind::Smtp => value::mail(&address.text),
                AddressKind::X500 => value::legacy_dn(&address.text),
                AddressKind::Other(_) => Ok(()),
            };
            match looked {
                Ok(()) if addresses.contains(&address) => {}
                Ok(()) => addresses.push(address),
                Err(wrong) => self.wrong(column, wrong),
            }
        }
        addresses
    }

    fn references(&mut self, field: Field) -> Vec<Reference> {
        let is_key = self.columns.map.references_are_keys;
        let mut references = Vec::new();
        for (_, text) in self.several(field) {
            let reference = value::reference(&text, is_key);
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
        references
    }

    fn row(&mut self) -> Row {
        let (columns, dates) = (self.columns, self.columns.map.dates);
        let map = columns.map;
        let kinds = "person, shared, room, equipment, system, list or contact";
        let kind = self.word(Field::Kind, kinds, |text| kind_of(map, text)).unwrap_or(map.kind);
        let mut entry = Entry::new(self.plain(Field::Key).unwrap_or_default(), kind);
        let states = "active, pending, leaver, inactive, locked, expired or disabled";
        entry.state = self.word(Field::State, states, |text| state_of(map, text)).unwrap_or_default();
        entry.names.title = self.plain(Field::Title);
        entry.names.given = self.plain(Field::Given);
        entry.names.initials = self.plain(Field::Initials);
        entry.names.surname = self.plain(Field::Surname);
        entry.names.display = self.plain(Field::Display);
        entry.mail = self.address(Field::Mail);
        entry.addresses = self.addresses();
        entry.legacy_dn = self.parsed(Field::LegacyDn, |text| value::legacy_dn(text).map(|()| text.to_owned()));
        entry.routed_to = self.address(Field::RoutedTo);
        entry.account = self.plain(Field::Account);
        entry.place = self.plain(Field::Place);
        entry.sid = self.plain(Field::Sid);
        entry.organisation = self.plain(Field::Organisation);
        entry.local_id = self.plain(Field::LocalId);
        entry.job_title = self.plain(Field::JobTitle);
        entry.department = self.plain(Field::Department);
        entry.telephone = self.plain(Field::Telephone);
        entry.hides_mobile = self.yes(Field::HidesMobile);
        let mobile = self.plain(Field::Mobile);
        // A hidden number never leaves its directory: nobody behind this line knows it.
        entry.mobile = mobile.filter(|_| !entry.hides_mobile);
        entry.is_hidden = self.yes(Field::IsHidden);
        entry.has_mailbox = self.yes(Field::HasMailbox);
        entry.last_logon = self.parsed(Field::LastLogon, |text| value::moment(text, dates)).flatten();
        entry.is_activated = self.plain(Field::Activated).map(|_| self.yes(Field::Activated));
        entry.quota_bytes = self.parsed(Field::Quota, value::quota);
        entry.owners = self.references(Field::Owners);
        entry.members = self.references(Field::Members);
        entry.origin = self.plain(Field::Origin);
        self.other(&mut entry);
        let action = self.word(Field::Action, "create, update or leave", |text| action_of(map, text));
        let starts_on = self.parsed(Field::StartsOn, |text| value::day(text, dates));
        let leaves_on = self.parsed(Field::LeavesOn, |text| value::day(text, dates));
        self.needed(&entry, action);
        if let (Some(starts), Some(leaves)) = (starts_on, leaves_on)
            && let Some(column) = self.places(Field::LeavesOn).first()
            && leaves < starts
        {
            let what = format!("{} lies before the day they join, {}", day_text(leaves), day_text(starts));
            self.wrong(*column, (what, "correct one of the two".to_owned()));
        }
        Row { line: self.line, entry, action, starts_on, leaves_on }
    }

    fn other(&mut self, entry: &mut Entry) {
        for column in &self.columns.other {
            let text = self.cell(*column).to_owned();
            if text.is_empty() {
                continue;
            }
            let heading = &self.columns.headings[*column];
            if heading.is_empty() {
                let what = format!("{} stands in a column without a heading", shown(&text));
                self.wrong(*column, (what, "write a heading above it, or empty it".to_owned()));
                continue;
            }
            self.look(*column, &text, OTHER_LENGTH_MAX, true);
            entry.other.insert(heading.clone(), vec![text]);
        }
    }

    /// Looks whether everything is there that a row of its kind must have.
    fn needed(&mut self, entry: &Entry, action: Option<Action>) {
        let columns = self.columns;
        let mut groups = vec![vec![Field::Key]];
        if action != Some(Action::Leave) {
            groups.extend(columns.map.needs(entry.kind));
        }
        for group in groups {
            let places: Vec<usize> = group.iter().flat_map(|field| self.places(*field)).collect();
            if places.iter().any(|column| !self.cell(*column).is_empty()) {
                continue;
            }
            let Some(column) = places.first() else {
                let (what, cure) = missing(entry.kind, &group);
                self.mistakes.push(Mistake { unit: columns.unit, line: self.line, column: None, what, cure });
                continue;
            };
            let what = match group[0] {
                Field::Key => "it is empty, and tells a row from every other one".to_owned(),
                _ => format!("it is empty, and a {} must have a {}", entry.kind.name(), names_of(&group)),
            };
            self.wrong(*column, (what, "fill it in".to_owned()));
        }
    }
}

/// Something that no two rows of a table may share.
pub(crate) struct Claim {
    /// What it is called.
    pub(crate) what: &'static str,
    /// The field that it stands in.
    pub(crate) field: Field,
    /// The text that is compared, and shown.
    pub(crate) text: String,
    /// Within what it is compared: the organisation that gives local ids.
    pub(crate) within: String,
}

/// What no two rows of a table may share.
pub(crate) fn claims(entry: &Entry) -> Vec<Claim> {
    let claim = |what, field, text| Claim { what, field, text, within: String::new() };
    let mut claims = vec![claim("key", Field::Key, entry.key.clone())];
    let within = entry.organisation.as_deref().unwrap_or_default().to_lowercase();
    let local_id = entry.local_id.iter().map(|id| claim("local id", Field::LocalId, id.to_lowercase()));
    claims.extend(local_id.map(|claim| Claim { within: within.clone(), ..claim }));
    claims.extend(entry.account.iter().map(|account| claim("account", Field::Account, account.to_lowercase())));
    let own = entry.mail.as_deref().map(mail_key);
    claims.extend(entry.mail_keys().into_iter().map(|mail| {
        let field = if Some(&mail) == own.as_ref() { Field::Mail } else { Field::Addresses };
        claim("address", field, mail)
    }));
    let own = entry.legacy_dn.as_deref().map(x500_key);
    let others = entry.x500_keys().into_iter().filter(|key| Some(key) != own.as_ref());
    claims.extend(others.map(|key| claim("name of Exchange", Field::Addresses, key)));
    claims.extend(own.into_iter().map(|key| claim("name of Exchange", Field::LegacyDn, key)));
    claims
}
