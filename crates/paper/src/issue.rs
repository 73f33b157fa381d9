//! Issues as documents show them.

use jiff::civil::Date;

/// An issue of the project, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issue {
    /// Its number or id.
    pub id: String,
    /// What went wrong.
    pub title: String,
    /// How far it is, in words: "open", "handed over".
    pub state: String,
    /// Is it resolved?
    pub is_resolved: bool,
    /// Who has it.
    pub owner: Option<String>,
    /// What is done about it.
    pub action: Option<String>,
    /// By when.
    pub due: Option<Date>,
    /// When it was opened.
    pub opened: Option<Date>,
}
