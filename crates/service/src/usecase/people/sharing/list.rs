//! `sharing list`: every right with what is known of it; of one owner, those to their own mailboxes and lists.

use std::collections::BTreeMap;

use model::EntryKind;
use people::sharing::{Choice, Origin, Row, RowState, Way, place_text, right_text};
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight};
use serde::Serialize;

use super::{Basis, Fresh, Rows, SharingProject, SignoffState, file};
use crate::Error;

/// A right.
#[derive(Clone, Debug, Serialize)]
pub struct SharingLine {
    /// What to call it in other commands.
    pub id: String,
    /// The mailbox or list.
    pub mailbox: String,
    /// Its name on the platform, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox_there: Option<String>,
    /// Who.
    pub grantee: String,
    /// What stood there, where it says more than the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grantee_as: Option<String>,
    /// Their name on the platform, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grantee_there: Option<String>,
    /// It is a list or another group.
    pub group: bool,
    /// The right: `full-access`, `send-as`, `send-on-behalf`, or letters of RFC 4314.
    pub right: String,
    /// The folder it is to; none: the whole mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Where it was found.
    pub origin: String,
    /// `ready`, `waits`, `listed`, `removed` or `by-hand`.
    pub state: &'static str,
    /// Why, where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What its owner decided: `keep`, `remove`, or another right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Whether it is signed off as it is.
    pub signed: SignoffState,
}

/// Somebody in a list, or who answers for it.
#[derive(Clone, Debug, Serialize)]
pub struct MemberLine {
    /// The list or mailbox.
    pub of: String,
    /// `member` or `owner`.
    pub is: &'static str,
    /// Who.
    pub who: String,
    /// Their name on the platform, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub there: Option<String>,
}

/// Every right, or those of one owner.
#[derive(Clone, Debug, Serialize)]
pub struct SharingListReport {
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How many rights are in which state.
    pub states: BTreeMap<&'static str, usize>,
    /// Rights that are not signed off as they are.
    pub unsigned: usize,
    /// Of all of them: what they are signed by.
    pub digest: String,
    /// The rights.
    pub rights: Vec<SharingLine>,
    /// Who is in lists, and who answers for lists and mailboxes that are nobody's own.
    pub members: Vec<MemberLine>,
}

impl SharingListReport {
    /// The report as a document.
    pub fn document(&self) -> Document {
        let states: Vec<String> = self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let states = if states.is_empty() { "none".to_owned() } else { states.join(", ") };
        let mut sentences = vec![Sentence { weight: Weight::Well, text: format!("Rights: {states}.") }];
        if self.unsigned > 0 {
            let text = format!(
                "{} are not signed off as they are: whimbrel sharing signoff --digest {}",
                self.unsigned, self.digest
            );
            sentences.push(Sentence { weight: Weight::Attention, text });
        }
        let whose = self.owner.as_ref().map_or_else(String::new, |owner| format!(" of {owner}"));
        Document {
            title: format!("Rights to mailboxes and lists{whose}"),
            sentences,
            tables: vec![rights_table(&self.rights), self.members_table()],
            main: "rights",
            notes: vec![
                ("letters", "l see, r read, s seen, w flags, i add, p post, k make folders, x remove folders, t mark as deleted, e expunge, a give rights (RFC 4314)".to_owned()),
                ("waits", "looked at again each time: given once it is known to whom".to_owned()),
                ("listed", "told, never given: inherited, denied, everybody's".to_owned()),
                ("by-hand", "the platform takes it from no program".to_owned()),
            ],
            ..Document::default()
        }
    }

    fn members_table(&self) -> Table {
        let row = |line: &MemberLine| vec![text(&line.of), text(line.is), text(&line.who), cell(line.there.as_deref())];
        Table {
            name: "members",
            title: "Members and owners".to_owned(),
            columns: vec![
                Column::new("of", Kind::Text),
                Column::new("is", Kind::Text),
                Column::new("who", Kind::Text),
                Column::if_any("on the platform", Kind::Text),
            ],
            rows: self.members.iter().map(row).collect(),
            total: None,
            empty: "no list and no shared mailbox",
        }
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn cell(text: Option<&str>) -> Cell {
    text.map_or(Cell::Empty, |text| Cell::Text(text.to_owned()))
}

/// The rights as a table; its CSV, with `decision` filled in, is what `sharing decide --file` reads.
fn rights_table(lines: &[SharingLine]) -> Table {
    let row = |line: &SharingLine| {
        let signed = match line.signed {
            SignoffState::Signed => "signed",
            SignoffState::Changed => "changed since",
            SignoffState::Unsigned => "unsigned",
        };
        vec![
            text(&line.mailbox),
            cell(line.folder.as_deref()),
            text(&line.grantee),
            text(&line.right),
            cell(line.decision.as_deref()),
            text(line.state),
            cell(line.why.as_deref()),
            cell(line.mailbox_there.as_deref()),
            cell(line.grantee_there.as_deref()),
            cell(line.grantee_as.as_deref()),
            text(signed),
            text(&line.origin),
            text(&line.id),
        ]
    };
    Table {
        name: "rights",
        title: "Who may do what".to_owned(),
        columns: vec![
            Column::new("mailbox", Kind::Text),
            Column::if_any("folder", Kind::Text),
            Column::new("grantee", Kind::Text),
            Column::new("right", Kind::Text),
            Column::if_any("decision", Kind::Text),
            Column::new("state", Kind::Text),
            Column::if_any("why", Kind::Prose),
            Column::if_any("mailbox there", Kind::Text),
            Column::if_any("grantee there", Kind::Text),
            Column::if_any("found as", Kind::Text),
            Column::new("signed", Kind::Text),
            Column::new("origin", Kind::Text),
            // Not aside: whoever decides about a row needs it in every form.
            Column::new("id", Kind::Text),
        ],
        rows: lines.iter().map(row).collect(),
        total: None,
        empty: "no right was found",
    }
}

impl SharingProject {
    /// Every right, or those to what one owner answers for.
    pub async fn list(&self, owner: Option<&str>) -> Result<SharingListReport, Error> {
        let basis = self.basis(&Fresh::new()).await?;
        let rows = self.rows(&basis);
        let party = owner.map(|owner| rows.called(owner)).transpose()?;
        let mine = |row: &&Row| party.is_none_or(|party| rows.is_owner(row, party));
        let own: Vec<&Row> = rows.rows.iter().filter(mine).collect();
        let digest = super::decide::digest_of(&own).to_string();
        let rights: Vec<SharingLine> = own.into_iter().map(|row| self.line(&basis, &rows, row)).collect();
        let mut states: BTreeMap<&'static str, usize> = BTreeMap::new();
        for line in &rights {
            *states.entry(line.state).or_default() += 1;
        }
        let unsigned = rights.iter().filter(|line| line.signed != SignoffState::Signed).count();
        let members = members(&basis, &rows, party);
        let owner = party.map(|party| rows.parties.all()[party].label.clone());
        Ok(SharingListReport { owner, states, unsigned, digest, rights, members })
    }

    pub(super) fn line(&self, basis: &Basis, rows: &Rows<'_>, row: &Row) -> SharingLine {
        let (state, why) = match &row.state {
            RowState::Ready => match row.way(&rows.parties, self.takes()) {
                Way::ByHand(why) => ("by-hand", Some(why.to_owned())),
                _ => ("ready", None),
            },
            RowState::Waits(why) | RowState::Listed(why) => (row.state.name(), Some(why.clone())),
            RowState::Removed => (row.state.name(), None),
        };
        let stood = row.found.trustee.text();
        let grantee = rows.label(row.grantee, stood);
        SharingLine {
            id: row.id.clone(),
            mailbox: rows.label(row.mailbox, &place_text(&row.found.place)),
            mailbox_there: rows.there(row.mailbox),
            grantee_as: (stood != grantee).then(|| stood.to_owned()),
            grantee,
            grantee_there: rows.there(row.grantee),
            group: row.is_group,
            right: right_text(&row.right),
            folder: file::folder_text(&row.right),
            origin: match &row.found.origin {
                Origin::Directory(name) => format!("directory {name}"),
                Origin::Mail(name) => format!("mail {name}"),
                Origin::File => "file".to_owned(),
            },
            state,
            why,
            decision: row.choice.as_ref().map(choice_text),
            signed: basis.signed(row),
        }
    }
}

/// A decision in words that can be written back.
pub(super) fn choice_text(choice: &Choice) -> String {
    match choice {
        Choice::Keep => "keep".to_owned(),
        Choice::Remove => "remove".to_owned(),
        Choice::Instead(right) => right_text(right),
    }
}

/// Members and owners of lists, and owners of what is nobody's own.
fn members(basis: &Basis, rows: &Rows<'_>, owner: Option<usize>) -> Vec<MemberLine> {
    let mut lines = Vec::new();
    for object in &basis.known.objects {
        let Some(party) = rows.parties.object(&object.id) else { continue };
        let is_list = object.entry.kind == EntryKind::List;
        let id = owner.and_then(|owner| rows.parties.all()[owner].object.as_ref());
        let is_theirs = id.is_some_and(|id| rows.parties.all()[party].owners.contains(id));
        if !(is_list || object.entry.kind.needs_owner()) || (owner.is_some() && !is_theirs) {
            continue;
        }
        let all = object.entry.owners.iter().map(|owner| ("owner", owner));
        for (is, reference) in all.chain(object.entry.members.iter().map(|member| ("member", member))) {
            let found = rows.parties.referred(&object.id.directory, reference);
            lines.push(MemberLine {
                of: object.entry.label().to_owned(),
                is,
                who: rows.label(found, reference.text()),
                there: rows.there(found),
            });
        }
    }
    lines
}
