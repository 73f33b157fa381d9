//! Who may open, send as, send on behalf and see what, and what of it is given on the platform.
//!
//! Every right that was found is a row. A row is given only when it is known, by an accepted match, which mailbox and which
//! person there are meant: what is not known waits, with the reason. What is inherited, denied or everybody's is listed and
//! never given. Where something is denied, nothing that this may take away is given either, unless the owner says so. Nothing
//! is ever taken away on the platform.

use std::collections::{BTreeMap, HashMap};

use model::{Digest, Letters, Reference, Right};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Object, ObjectId};

mod denial;
mod matrix;
mod party;

pub use matrix::{Cell, Gap, Matrix, What};
pub use party::{Naming as PartyNaming, Parties, Party, Seat, There};

use denial::Denials;

/// Where a right was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// In this directory.
    Directory(String),
    /// On the mail server of this endpoint.
    Mail(String),
    /// In a file that somebody wrote.
    File,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(name) | Self::Mail(name) => f.write_str(name),
            Self::File => f.write_str("file"),
        }
    }
}

/// The mailbox or list a right is to, as it was named where the right was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// This object of a directory.
    Object(ObjectId),
    /// The mailbox of this name, on the server where the right was found.
    Mailbox(String),
    /// What a person called it.
    Named(String),
}

/// Whose a right is, as it was named where the right was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trustee {
    /// An entry of the directory where the right was found.
    Entry(Reference),
    /// Who logs in with this name, on the server where the right was found.
    Account(String),
    /// A group of that server.
    Group(String),
    /// Everybody, in the server's word for it.
    Everybody(String),
    /// What a person called them.
    Named(String),
}

impl Trustee {
    /// What stood there.
    pub fn text(&self) -> &str {
        match self {
            Self::Entry(reference) => reference.text(),
            Self::Account(name) | Self::Group(name) | Self::Everybody(name) | Self::Named(name) => name,
        }
    }
}

/// A right as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Where.
    pub origin: Origin,
    /// To what.
    pub place: Place,
    /// Whose.
    pub trustee: Trustee,
    /// Which.
    pub right: Right,
    /// It comes from something above.
    #[serde(default)]
    pub is_inherited: bool,
    /// It is denied, not given.
    #[serde(default)]
    pub is_denied: bool,
    /// What of it is no right that is known.
    #[serde(default)]
    pub unknown: String,
}

impl Found {
    /// What tells the row from every other, also when its letters change.
    fn id(&self) -> String {
        let right = match &self.right {
            Right::Folder(path, _) => json!(["folder", path]),
            right => json!(right),
        };
        let key = json!([self.origin, self.place, self.trustee, right, self.is_inherited, self.is_denied]);
        let mut id = Digest::of(key.to_string().as_bytes()).to_string();
        id.truncate(ID_LENGTH);
        id
    }
}

/// Hexadecimal digits of a row's id: enough that no two of a project's rows share one.
const ID_LENGTH: usize = 16;

/// The rights that the directories tell of these objects.
pub fn granted(objects: &[Object]) -> Vec<Found> {
    let of = |object: &Object| {
        let (id, origin) = (object.id.clone(), Origin::Directory(object.id.directory.clone()));
        let grants = object.entry.grants.clone().into_iter();
        grants.map(move |grant| Found {
            origin: origin.clone(),
            place: Place::Object(id.clone()),
            trustee: Trustee::Entry(grant.to),
            right: grant.right,
            is_inherited: grant.is_inherited,
            is_denied: grant.is_denied,
            unknown: String::new(),
        })
    };
    objects.iter().flat_map(of).collect()
}

/// What an owner decided about a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// It is given as it was found.
    Keep,
    /// It is not given.
    Remove,
    /// This is given in its place.
    Instead(Right),
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowState {
    /// It is known what is to be given to whom.
    Ready,
    /// It is not known yet, and looked at again each time; why.
    Waits(String),
    /// It is told and not given; why.
    Listed(String),
    /// Its owner does not want it given.
    Removed,
}

impl RowState {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waits(_) => "waits",
            Self::Listed(_) => "listed",
            Self::Removed => "removed",
        }
    }
}

/// A right with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What to call it.
    pub id: String,
    /// As it was found.
    pub found: Found,
    /// The mailbox or list, where known: its number among the parties.
    pub mailbox: Option<usize>,
    /// Whose it is, where known.
    pub grantee: Option<usize>,
    /// Whose it is, is a list or another group.
    pub is_group: bool,
    /// What was decided about it.
    pub choice: Option<Choice>,
    /// What is to be given.
    pub right: Right,
    /// Where it stands.
    pub state: RowState,
    /// What it is: what a sign-off is about.
    pub facts: Digest,
    /// What it was as long as mailbox, grantee or both were not known on the platform. A sign-off of that holds when they arrive.
    pub facts_waiting: [Digest; 3],
}

impl Row {
    /// Is a signature about this still about the row as it is?
    pub fn is_signed(&self, signed: &Digest) -> bool {
        *signed == self.facts || self.facts_waiting.contains(signed)
    }
}

/// What the rows rest on.
#[derive(Clone, Copy)]
pub struct Sharing<'s> {
    /// What was found.
    pub found: &'s [Found],
    /// Who is who on both sides.
    pub parties: &'s Parties<'s>,
    /// What owners decided, by the ids of rows.
    pub choices: &'s HashMap<String, Choice>,
}

impl Sharing<'_> {
    /// Every row, in the order of mailboxes. The same each time it is made of the same.
    pub fn rows(&self) -> Vec<Row> {
        let mut by_id: BTreeMap<String, Found> = BTreeMap::new();
        for found in self.found {
            let id = found.id();
            match by_id.get_mut(&id) {
                None => drop(by_id.insert(id, found.clone())),
                Some(first) => join(first, found),
            }
        }
        let mut rows: Vec<Row> = by_id.into_iter().map(|(id, found)| self.row(id, found)).collect();
        let denials = Denials::among(&rows, self.parties);
        for row in &mut rows {
            if row.state == RowState::Ready && !matches!(row.choice, Some(Choice::Instead(_))) {
                denials.hold_back(row);
            }
            row.facts = self.facts(row, (true, true));
            row.facts_waiting = [(true, false), (false, true), (false, false)].map(|known| self.facts(row, known));
        }
        let order = |row: &Row| (self.label(row.mailbox, &place_text(&row.found.place)), row.found.place.clone());
        rows.sort_by_cached_key(|row| (order(row), row.found.right.clone(), row.found.trustee.clone(), row.id.clone()));
        rows
    }

    fn label(&self, party: Option<usize>, text: &str) -> String {
        party.map_or_else(|| text.to_owned(), |party| self.parties.all()[party].label.clone())
    }

    fn row(&self, id: String, found: Found) -> Row {
        let choice = self.choices.get(&id).cloned();
        let right = match &choice {
            Some(Choice::Instead(right)) => right.clone(),
            _ => found.right.clone(),
        };
        let mailbox = self.parties.place(&found.origin, &found.place);
        let grantee = self.parties.trustee(&found.origin, &found.trustee);
        let is_list = |party: &usize| self.parties.all()[*party].kind == model::EntryKind::List;
        let is_group = matches!(found.trustee, Trustee::Group(_)) || grantee.as_ref().is_ok_and(is_list);
        let state = self.state(&found, &right, choice.as_ref(), &mailbox, &grantee);
        let (facts, facts_waiting) = (Digest::of(b""), [Digest::of(b""); 3]);
        let (mailbox, grantee) = (mailbox.ok(), grantee.ok());
        Row { id, found, mailbox, grantee, is_group, choice, right, state, facts, facts_waiting }
    }

    fn state(
        &self,
        found: &Found,
        right: &Right,
        choice: Option<&Choice>,
        mailbox: &Result<usize, String>,
        grantee: &Result<usize, String>,
    ) -> RowState {
        let listed = |why: &str| RowState::Listed(why.to_owned());
        if choice == Some(&Choice::Remove) {
            return RowState::Removed;
        }
        if found.is_denied {
            return listed("it is denied, not given");
        }
        if found.is_inherited {
            return listed("it comes from something above, not from this mailbox");
        }
        if let Some(why) = nobody(&found.trustee) {
            return RowState::Listed(why);
        }
        if matches!(right, Right::Folder(_, letters) if Letters::parse(letters).0.is_empty()) {
            return listed("it is no right that is known");
        }
        let there = |who: &Result<usize, String>, what: &str| -> Result<usize, String> {
            let party = *who.as_ref().map_err(|why| format!("{what}: {why}"))?;
            self.parties.all()[party].there.as_ref().map_err(|why| format!("{what}: {why}"))?;
            Ok(party)
        };
        match (there(mailbox, "the mailbox"), there(grantee, "who has it")) {
            (Ok(mailbox), Ok(grantee)) if mailbox == grantee => listed("it is the owner's own"),
            (Ok(_), Ok(_)) => RowState::Ready,
            (Err(why), Ok(_)) | (Ok(_), Err(why)) => RowState::Waits(why),
            (Err(one), Err(other)) => RowState::Waits(format!("{one}; {other}")),
        }
    }

    /// What a sign-off of the row is about: which right of whom to what, as decided; and what mailbox and grantee are on the
    /// platform, where that is known and counts.
    fn facts(&self, row: &Row, (mailbox_counts, grantee_counts): (bool, bool)) -> Digest {
        let who = |party: Option<usize>, text: serde_json::Value, counts: bool| {
            let Some(party) = party.map(|party| &self.parties.all()[party]) else {
                return (json!([text]), json!(null));
            };
            let there = party.there.as_ref().ok().filter(|_| counts);
            (party.identity(), json!(there.map(|there| (&there.mailbox, &there.account))))
        };
        let mailbox = who(row.mailbox, json!(row.found.place), mailbox_counts);
        let mut grantee = who(row.grantee, json!(row.found.trustee), grantee_counts);
        // Who logs in with a name is known by it, before and after they arrive.
        if let (Origin::Mail(endpoint), Trustee::Account(name)) = (&row.found.origin, &row.found.trustee) {
            grantee.0 = json!([endpoint, name.to_lowercase()]);
        }
        let is_given = matches!(row.state, RowState::Ready | RowState::Waits(_));
        let right = is_given.then_some(&row.right);
        Digest::of(json!([row.id, mailbox, grantee, right]).to_string().as_bytes())
    }
}

/// What a mailbox or list was called where a right was found.
pub fn place_text(place: &Place) -> String {
    match place {
        Place::Object(id) => id.to_string(),
        Place::Mailbox(name) | Place::Named(name) => name.clone(),
    }
}

/// Two findings of one row: letters of both.
fn join(first: &mut Found, other: &Found) {
    if let (Right::Folder(_, letters), Right::Folder(_, more)) = (&mut first.right, &other.right) {
        *letters = Letters::parse(letters).0.and(Letters::parse(more).0).to_string();
    }
    first.unknown.push_str(&other.unknown);
}

/// Why this is nobody in particular.
fn nobody(trustee: &Trustee) -> Option<String> {
    match trustee {
        Trustee::Everybody(word) => Some(format!("it is everybody's ({word}): name those who need it")),
        Trustee::Entry(Reference::Sid(sid)) => {
            let why = match sid.as_str() {
                "S-1-5-10" => "it is the owner's own",
                "S-1-1-0" | "S-1-5-7" | "S-1-5-11" => "it is everybody's: name those who need it",
                sid if sid == "S-1-5-18" || sid.starts_with("S-1-5-32-") => "it is the directory's own",
                _ => return None,
            };
            Some(why.to_owned())
        }
        _ => None,
    }
}

/// What the platform takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Its mail server keeps rights of folders.
    pub folders: bool,
    /// Its directory is written.
    pub directory: bool,
}

/// How a row is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To this folder; none: to every folder.
    Folder(Option<Vec<String>>, Letters),
    /// In the directory.
    Directory(Right),
    /// By a person; why.
    ByHand(&'static str),
}

impl Row {
    /// How the row is given on such a platform.
    pub fn way(&self, parties: &Parties<'_>, takes: Takes) -> Way {
        let there = |party: Option<usize>| party.and_then(|party| parties.all()[party].there.as_ref().ok());
        let (mailbox, grantee) = (there(self.mailbox), there(self.grantee));
        let both = |of: fn(&There) -> bool| mailbox.is_some_and(of) && grantee.is_some_and(of);
        let by_mail = takes.folders && !self.is_group && both(|there| there.mailbox.is_some());
        let by_directory = takes.directory && both(|there| there.account.is_some());
        match &self.right {
            Right::Folder(path, letters) if by_mail => Way::Folder(Some(path.clone()), Letters::parse(letters).0),
            Right::FullAccess if by_mail => Way::Folder(None, Letters::ALL),
            Right::FullAccess | Right::SendAs | Right::SendOnBehalf if by_directory => {
                Way::Directory(self.right.clone())
            }
            Right::Folder(..) if self.is_group => {
                Way::ByHand("a mail server can't be told of a list: name its members")
            }
            Right::Folder(..) => Way::ByHand("the platform's mail server keeps no rights of folders"),
            Right::FullAccess => Way::ByHand("neither the platform's mail server nor its directory takes it"),
            Right::SendAs | Right::SendOnBehalf => Way::ByHand("the platform's directory does not take it"),
        }
    }
}

/// A right in words that can be written back: `full-access`, `send-as`, `send-on-behalf`, or letters.
pub fn right_text(right: &Right) -> String {
    match right {
        Right::FullAccess => "full-access".to_owned(),
        Right::SendAs => "send-as".to_owned(),
        Right::SendOnBehalf => "send-on-behalf".to_owned(),
        Right::Folder(_, letters) => letters.clone(),
    }
}

/// A right of these words; letters need a folder.
pub fn read_right(text: &str, folder: Option<Vec<String>>) -> Result<Right, String> {
    let text = text.trim();
    let bare: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let right = match bare.as_str() {
        "fullaccess" | "full" => Right::FullAccess,
        "sendas" => Right::SendAs,
        "sendonbehalf" | "sendonbehalfof" => Right::SendOnBehalf,
        _ => {
            let (letters, unknown) = Letters::parse(text);
            if letters.is_empty() || !unknown.is_empty() {
                return Err(format!(
                    "{text:?} is no right: write full-access, send-as, send-on-behalf, or letters of RFC 4314 such as lrs"
                ));
            }
            let folder = folder.ok_or_else(|| format!("{text:?} are rights to a folder: name the folder"))?;
            return Ok(Right::Folder(folder, letters.to_string()));
        }
    };
    if folder.is_some() {
        return Err(format!("{text:?} is a right to a whole mailbox: leave the folder empty"));
    }
    Ok(right)
}

#[cfg(test)]
mod tests;
