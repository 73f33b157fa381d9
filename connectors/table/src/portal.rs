//! The upload files of a platform without an open interface: what is planned, written as the file that its portal
//! takes; what the portal says of each row, read back; and its list of users.
//!
//! Which columns the file has, their order and the words of a result are data ([`UploadForm`]), since platforms change them. Rows
//! stay in order. A file is written only when every row of a result can be told from every other one.
//!
//! **No formula, no character lost.** A text that a spreadsheet would take for a formula gets an apostrophe before it, as does one that
//! has that already, so that taking one off gives back each text as it was. A telephone number is left as it is: it begins with a
//! plus, has no letter, and can't do more harm than to be shown without it.
//!
//! **A hidden mobile number is never written** (R-049).

use std::collections::HashMap;

use model::{AddressKind, Entry, mail_key};
use serde::{Deserialize, Deserializer, Serialize};

use crate::csv::quoted;
use crate::field::Field;
use crate::file::{FileForm, Reading};
use crate::map::{Action, ColumnMap};
use crate::mistake::{Mistake, Mistakes, Unit, alike, shown};
use crate::row::day_text;

mod result;

pub use result::{RowFate, RowResult, read_result};

const LINE_END: &str = "\r\n";
/// What stands between several values in a cell.
const SEPARATOR: &str = "; ";

/// What stands in a column of an upload file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadValue {
    /// `id`: the platform's own number of an account that the row is to be joined with.
    Id,
    /// `connector`: the connector's name.
    Connector,
    /// `legacy_email`: every mail address but the one it sends from.
    LegacyEmail,
    /// A field of the entry, by its name.
    Field(Field),
    /// `other:NAME`: what the entry has of this name in `other`.
    Other(String),
    /// `empty`: nothing.
    Empty,
}

/// A column of an upload file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadColumn {
    /// What stands above it.
    pub heading: String,
    /// What stands in it.
    pub value: UploadValue,
}

/// How a platform's upload and result files look.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadForm {
    /// The columns, in their order.
    pub columns: Vec<UploadColumn>,
    /// Whether the file begins with a byte order mark, by which spreadsheets know UTF-8.
    pub byte_order_mark: bool,
    /// The headings of a result file that the result may stand below.
    pub result_headings: Vec<String>,
    /// What a result begins with that says that the row was done.
    pub done: Vec<String>,
    /// What a result begins with that says that it was not. A result that begins with a word of success and holds one of these
    /// is for a person to read.
    pub failed: Vec<String>,
}

/// A row of an upload file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRow {
    /// What is to be done.
    pub action: Action,
    /// The platform's own number of the account, where there is one.
    pub id: Option<String>,
    /// Its state stays as it is: the column for it is empty.
    #[serde(default)]
    pub keeps_state: bool,
    /// With whom.
    pub entry: Entry,
}

impl<'de> Deserialize<'de> for UploadValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::from_word(&word).ok_or_else(|| {
            let names =
                Field::EVERY.iter().map(|field| field.name()).chain(["id", "connector", "legacy_email", "empty"]);
            let meant = alike(&word, names).map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
            serde::de::Error::custom(format!("{word:?} is nothing that can stand in a column{meant}"))
        })
    }
}

impl UploadValue {
    /// What this word means as the value of a column.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "id" => Self::Id,
            "connector" => Self::Connector,
            "legacy_email" => Self::LegacyEmail,
            "empty" => Self::Empty,
            word => match word.strip_prefix("other:") {
                Some(name) if !name.is_empty() => Self::Other(name.to_owned()),
                _ => Self::Field(Field::from_name(word)?),
            },
        })
    }
}

impl Default for UploadForm {
    /// Our own proposal, to be set right by the platform's sample file: not an official heading.
    fn default() -> Self {
        let other = |name: &str| UploadValue::Other(name.to_owned());
        let columns = [
            ("ID", UploadValue::Id),
            ("ConnectorName", UploadValue::Connector),
            ("OrganisationCode", UploadValue::Field(Field::Organisation)),
            ("OrganisationalUnit", other("OrganisationalUnit")),
            ("LocalUniqueId", UploadValue::Field(Field::LocalId)),
            ("Title", UploadValue::Field(Field::Title)),
            ("FirstName", UploadValue::Field(Field::Given)),
            ("Initials", UploadValue::Field(Field::Initials)),
            ("LastName", UploadValue::Field(Field::Surname)),
            ("DisplayName", UploadValue::Field(Field::Display)),
            ("JobTitle", UploadValue::Field(Field::JobTitle)),
            ("JobRole", other("JobRole")),
            ("WorkArea", other("WorkArea")),
            ("ClinicalSpecialty", other("ClinicalSpecialty")),
            ("Telephone", UploadValue::Field(Field::Telephone)),
            ("Mobile", UploadValue::Field(Field::Mobile)),
            ("HideMobile", UploadValue::Field(Field::HidesMobile)),
            ("Email", UploadValue::Field(Field::Mail)),
            ("LegacyEmail", UploadValue::LegacyEmail),
            ("LegacyExchangeDN", UploadValue::Field(Field::LegacyDn)),
            ("Action", UploadValue::Field(Field::Action)),
        ];
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            columns: columns.map(|(heading, value)| UploadColumn { heading: heading.to_owned(), value }).to_vec(),
            byte_order_mark: false,
            result_headings: words(&["Result", "Results", "Outcome"]),
            done: words(&["success", "succeeded", "done", "ok", "complete", "created", "updated", "left"]),
            failed: words(&[
                "fail",
                "error",
                "rejected",
                "invalid",
                "not ",
                "duplicate",
                "already",
                "unable",
                "cannot",
                "left out",
            ]),
        }
    }
}

impl UploadForm {
    /// Is there a column of this?
    pub fn has(&self, value: &UploadValue) -> bool {
        self.columns.iter().any(|column| column.value == *value)
    }

    fn has_field(&self, field: Field) -> bool {
        self.has(&UploadValue::Field(field))
    }

    /// What a form has to have, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if ![Field::LocalId, Field::Mail, Field::Display].into_iter().any(|field| self.has_field(field)) {
            return Err("no column tells a row from others: add one of local_id, mail or display".to_owned());
        }
        let mut seen = std::collections::HashSet::new();
        let twice = self.columns.iter().find(|column| !seen.insert(column.heading.trim().to_lowercase()));
        if let Some(column) = twice {
            return Err(format!("the heading {:?} stands above two columns", column.heading));
        }
        if self.result_headings.is_empty() || self.done.is_empty() {
            return Err("result_headings and done name nothing: no result could be read".to_owned());
        }
        Ok(())
    }
}

impl UploadColumn {
    /// What stands in it of a row, as it is meant.
    pub fn text(&self, connector: &str, row: &UploadRow) -> String {
        let entry = &row.entry;
        match &self.value {
            UploadValue::Id => row.id.clone().unwrap_or_default(),
            UploadValue::Connector => connector.to_owned(),
            UploadValue::Empty => String::new(),
            UploadValue::Other(name) => entry.other.get(name).map(|values| values.join(SEPARATOR)).unwrap_or_default(),
            UploadValue::LegacyEmail => legacy(entry),
            UploadValue::Field(Field::Action) => row.action.name().to_owned(),
            UploadValue::Field(Field::State) if row.keeps_state => String::new(),
            UploadValue::Field(field) if row.action != Action::Create && is_unsaid(entry, *field) => String::new(),
            UploadValue::Field(field) => field_text(entry, *field),
        }
    }
}

/// Is this a mark that is not set? Of an account that is there nobody has said that it is to be taken off: a number that is hidden
/// there would be shown.
fn is_unsaid(entry: &Entry, field: Field) -> bool {
    match field {
        Field::HidesMobile => !entry.hides_mobile,
        Field::IsHidden => !entry.is_hidden,
        Field::HasMailbox => !entry.has_mailbox,
        _ => false,
    }
}

/// Every mail address of an entry but the one it sends from, as written.
fn legacy(entry: &Entry) -> String {
    let own = entry.mail.as_deref().map(mail_key);
    let mut seen = std::collections::HashSet::new();
    let smtp = entry.addresses.iter().filter(|address| address.kind == AddressKind::Smtp);
    let others = smtp.filter(|address| Some(mail_key(&address.text)) != own && seen.insert(mail_key(&address.text)));
    others.map(|address| address.text.as_str()).collect::<Vec<_>>().join(SEPARATOR)
}

fn field_text(entry: &Entry, field: Field) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let names = |references: &[model::Reference]| {
        references.iter().map(model::Reference::text).collect::<Vec<_>>().join(SEPARATOR)
    };
    let other = |field: Field| entry.other.get(field.name()).map(|values| values.join(SEPARATOR)).unwrap_or_default();
    match field {
        Field::Key => entry.key.clone(),
        Field::Kind => entry.kind.name().to_owned(),
        Field::State => entry.state.name().to_owned(),
        Field::Title => text(&entry.names.title),
        Field::Given => text(&entry.names.given),
        Field::Initials => text(&entry.names.initials),
        Field::Surname => text(&entry.names.surname),
        Field::Display => text(&entry.names.display),
        Field::Mail => text(&entry.mail),
        Field::Addresses => entry.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(SEPARATOR),
        Field::LegacyDn => text(&entry.legacy_dn),
        Field::RoutedTo => text(&entry.routed_to),
        Field::Account => text(&entry.account),
        Field::Place => text(&entry.place),
        Field::Sid => text(&entry.sid),
        Field::Organisation => text(&entry.organisation),
        Field::LocalId => text(&entry.local_id),
        Field::JobTitle => text(&entry.job_title),
        Field::Department => text(&entry.department),
        Field::Telephone => text(&entry.telephone),
        Field::Mobile if entry.hides_mobile => String::new(),
        Field::Mobile => text(&entry.mobile),
        Field::HidesMobile => yes(entry.hides_mobile),
        Field::IsHidden => yes(entry.is_hidden),
        Field::HasMailbox => yes(entry.has_mailbox),
        Field::LastLogon => entry.last_logon.map(|at| day_text(at.div_euclid(86_400))).unwrap_or_default(),
        Field::Activated => entry.is_activated.map(yes).unwrap_or_default(),
        Field::Quota => entry.quota_bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
        Field::Owners => names(&entry.owners),
        Field::Members => names(&entry.members),
        Field::Origin => text(&entry.origin),
        Field::Action | Field::StartsOn | Field::LeavesOn => other(field),
    }
}

/// What tells a row from the others of its file: what is to be done, and with whom.
fn identity(action: &str, local_id: &str, mail: &str, display: &str) -> String {
    let who = [local_id, mail, display].into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default();
    format!("{}\0{}", action.trim().to_lowercase(), who.trim().to_lowercase())
}

/// The same of a row that is sent: by what has a column, since nothing else comes back.
fn identity_of(form: &UploadForm, row: &UploadRow) -> String {
    let text = |field| if form.has_field(field) { field_text(&row.entry, field) } else { String::new() };
    let action = if form.has_field(Field::Action) { row.action.name() } else { "" };
    identity(action, &text(Field::LocalId), &text(Field::Mail), &text(Field::Display))
}

/// The identities of rows and their places; or what is wrong with rows that can't be told apart, by line of the file.
fn identities(form: &UploadForm, rows: &[UploadRow]) -> Result<HashMap<String, usize>, Mistakes> {
    let (mut places, mut mistakes) = (HashMap::new(), Mistakes::default());
    for (at, row) in rows.iter().enumerate() {
        let line = at as u64 + 2;
        let identity = identity_of(form, row);
        let (what, cure) = if identity.ends_with('\0') {
            let what = "nothing tells this row from others: no local id, no mail address, no display name".to_owned();
            (what, "give it a local id")
        } else if let Some(first) = places.insert(identity, at) {
            let what = format!("{} stands in line {} with the same action", shown(row.entry.label()), first + 2);
            (what, "give each a local id of its own, or leave one out")
        } else {
            continue;
        };
        mistakes.push(Mistake { unit: Unit::Line, line, column: None, what, cure: cure.to_owned() });
    }
    if mistakes.is_empty() { Ok(places) } else { Err(mistakes) }
}

/// The upload file of these rows, in their order.
pub fn write(form: &UploadForm, connector: &str, rows: &[UploadRow]) -> Result<Vec<u8>, Mistakes> {
    identities(form, rows)?;
    let mut text = String::new();
    if form.byte_order_mark {
        text.push('\u{feff}');
    }
    let headings: Vec<String> = form.columns.iter().map(|column| cell(&column.heading)).collect();
    text.push_str(&headings.join(","));
    text.push_str(LINE_END);
    for row in rows {
        let cells: Vec<String> =
            form.columns.iter().map(|column| cell(&guarded(&column.text(connector, row)))).collect();
        text.push_str(&cells.join(","));
        text.push_str(LINE_END);
    }
    Ok(text.into_bytes())
}

/// A cell, in quotes unless nothing in it could be read otherwise.
fn cell(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '/' | '='));
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// Would a spreadsheet take this, without apostrophes before it, for a formula that is no telephone number?
fn is_formula(text: &str) -> bool {
    let bare = text.trim_start_matches('\'');
    let is_telephone = bare.starts_with('+') && bare.chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c));
    report::begins_formula(bare) && !is_telephone
}

/// A text that no spreadsheet takes for a formula.
fn guarded(text: &str) -> String {
    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// The text that was guarded.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|_| is_formula(text)).unwrap_or(text)
}

/// The platform's list of its users, as entries with their states. `map` says which column is which; without one the usual headings
/// are known, of which ExternalSyncID is the local id. Rows with mistakes are named and left out.
pub fn user_report(bytes: &[u8], form: &FileForm, map: &ColumnMap) -> Result<Reading, Mistakes> {
    crate::file::read(bytes, form, map)
}

#[cfg(test)]
mod tests;
