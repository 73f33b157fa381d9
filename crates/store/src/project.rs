//! Organisations, projects, endpoints and the mailboxes of a project's roster.

use std::collections::HashMap;

use model::{Cause, Condition, MailboxKind, Organisation, Phase, Side};

use crate::sql::{Alone, Durability, Row, Tx, values};
use crate::{Error, Store};

/// A project of an organisation, by the numbers every key begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProjectKey {
    /// The organisation's number.
    pub organisation: i64,
    /// The project's number within it.
    pub project: i64,
}

/// A line of the roster: who moves from where to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterRow {
    /// The endpoint of the source, by number.
    pub source_endpoint: i64,
    /// The person's name there.
    pub source_name: String,
    /// The endpoint of the target, by number.
    pub target_endpoint: i64,
    /// The person's name there.
    pub target_name: String,
    /// What people call them.
    pub name: Option<String>,
    /// Whose mailbox it is.
    pub kind: MailboxKind,
    /// The collection it moves with.
    pub collection: Option<String>,
    /// Does its person work on the target already?
    pub target_in_use: bool,
    /// Was the account at the target made for this move? Its person had none there before.
    pub new_account: bool,
    /// Has its person logged in at the target, where that is known?
    pub activated: Option<bool>,
    /// Do the address books of both sides have them, where that is known?
    pub in_books: Option<bool>,
}

/// Where a mailbox stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxState {
    /// How far it has come.
    pub phase: Phase,
    /// Whether work goes on.
    pub condition: Condition,
    /// The class of what stands in the way, and the side it is on.
    pub cause: Option<(Cause, Option<Side>)>,
}

/// Whether the source of a mailbox is being left, as far as the engine has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freeze {
    /// It never was.
    #[default]
    Never,
    /// It is, or it was and is not followed anew yet.
    Frozen,
    /// It was, and is followed again.
    Thawed,
}

/// A mailbox as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxRow {
    /// Its number.
    pub mailbox: i64,
    /// Who moves from where to where.
    pub roster: RosterRow,
    /// Still on the roster?
    pub listed: bool,
    /// Where it stands.
    pub state: MailboxState,
    /// Since when (milliseconds since 1970).
    pub since: i64,
    /// Which store its name reaches on the source, where known.
    pub source_store: Option<String>,
    /// Which store its name reaches on the target, where known.
    pub target_store: Option<String>,
    /// Traits (as bits) of items that the target was seen to keep as they are.
    pub bytes_proved: u8,
    /// Traits (as bits) of items that the target was seen to change.
    pub bytes_not_kept: u8,
    /// When the last complete pass began and ended.
    pub pass: Option<(i64, i64)>,
    /// Is its source being left, or was it?
    pub freeze: Freeze,
    /// Held by a worker right now?
    pub is_held: bool,
    /// A worker took it and has not given it back: it is held, or its worker came to a sudden end.
    pub is_taken: bool,
    /// When its rights, and those of its person, were last compared with the target's, and how many were missing there.
    pub sharing: Option<(i64, u64)>,
}

impl MailboxRow {
    /// Is its source being left? Then only what is new there is followed.
    pub fn is_frozen(&self) -> bool {
        self.state.phase >= Phase::Switching
    }

    /// Does its person work on the target? Since the roster says so, or since its switch has begun once.
    pub fn is_in_use(&self) -> bool {
        self.roster.target_in_use || self.is_frozen() || self.freeze != Freeze::Never
    }
}

/// A statement with the columns that [`mailbox_row`] reads between its two parts.
macro_rules! concat_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "mailbox, source_endpoint, source_name, target_endpoint, target_name, name, kind, collection, ",
            "target_in_use, listed, phase, condition, reason, cause, side, since, source_store, target_store, ",
            "bytes_proved, bytes_not_kept, pass_began_at, pass_ended_at, CASE WHEN lease_until > {now} THEN 1 ELSE 0 END, ",
            "CASE WHEN holder IS NULL THEN 0 ELSE 1 END, frozen, new_account, activated, in_books, sharing_compared_at, ",
            "sharing_missing",
            $after
        )
    };
}
pub(crate) use concat_columns;

pub(crate) fn mailbox_row(row: &Row) -> Result<MailboxRow, Error> {
    let bad = |what: &str| Error::damaged(format!("a mailbox's {what}"));
    let reason = row.text(12);
    let condition = match row.text(11).as_str() {
        "running" => Condition::Running,
        "waiting" => Condition::Waiting(reason),
        "parked" => Condition::Parked(reason),
        _ => return Err(bad("condition")),
    };
    let side = match row.text_or_null(14).as_deref() {
        Some("source") => Some(Side::Source),
        Some("target") => Some(Side::Target),
        _ => None,
    };
    let cause = row.text_or_null(13).and_then(|code| Cause::from_code(&code)).map(|cause| (cause, side));
    Ok(MailboxRow {
        mailbox: row.int(0),
        roster: RosterRow {
            source_endpoint: row.int(1),
            source_name: row.text(2),
            target_endpoint: row.int(3),
            target_name: row.text(4),
            name: row.text_or_null(5),
            kind: MailboxKind::from_name(&row.text(6)).ok_or_else(|| bad("kind"))?,
            collection: row.text_or_null(7),
            target_in_use: row.bool(8),
            new_account: row.bool(25),
            activated: row.int_or_null(26).map(|is_so| is_so != 0),
            in_books: row.int_or_null(27).map(|is_so| is_so != 0),
        },
        listed: row.bool(9),
        state: MailboxState { phase: Phase::from_name(&row.text(10)).ok_or_else(|| bad("phase"))?, condition, cause },
        since: row.int(15),
        source_store: row.text_or_null(16),
        target_store: row.text_or_null(17),
        bytes_proved: row.int(18) as u8,
        bytes_not_kept: row.int(19) as u8,
        pass: row.int_or_null(20).zip(row.int_or_null(21)),
        is_held: row.bool(22),
        is_taken: row.bool(23),
        sharing: row.int_or_null(28).zip(row.int_or_null(29).map(|missing| missing as u64)),
        freeze: match row.int(24) {
            0 => Freeze::Never,
            1 => Freeze::Frozen,
            _ => Freeze::Thawed,
        },
    })
}

/// What the roster had and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// Rows that are new.
    pub added: u64,
    /// Rows that were there.
    pub kept: u64,
    /// Rows that are no longer on the roster.
    pub dropped: u64,
}

impl Store {
    /// The project of this name of this organisation; made if it is not there.
    pub async fn project(&self, organisation: &Organisation, name: &str) -> Result<ProjectKey, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Numbering).await?;
        let code = organisation.code.as_str();
        let rows = tx.query("SELECT organisation FROM organisation WHERE code = $1", values![code]).await?;
        let organisation_number = if let Some(row) = rows.first() {
            let number = row.int(0);
            let rename = "UPDATE organisation SET name = $1 WHERE organisation = $2 AND name <> $1";
            tx.execute(rename, values![organisation.name.as_str(), number]).await?;
            number
        } else {
            let number = next(&mut tx, "SELECT max(organisation) FROM organisation", Vec::new()).await?;
            let insert = "INSERT INTO organisation (organisation, code, name) VALUES ($1, $2, $3)";
            tx.execute(insert, values![number, code, organisation.name.as_str()]).await?;
            number
        };
        let find = "SELECT project FROM project WHERE organisation = $1 AND name = $2";
        let rows = tx.query(find, values![organisation_number, name]).await?;
        let project = if let Some(row) = rows.first() {
            row.int(0)
        } else {
            let max = "SELECT max(project) FROM project WHERE organisation = $1";
            let number = next(&mut tx, max, values![organisation_number]).await?;
            let insert = "INSERT INTO project (organisation, project, name, created_at) VALUES ($1, $2, $3, {now})";
            tx.execute(insert, values![organisation_number, number, name]).await?;
            number
        };
        tx.commit().await?;
        Ok(ProjectKey { organisation: organisation_number, project })
    }

    /// The endpoint of this name; made if it is not there.
    pub async fn endpoint(&self, key: ProjectKey, name: &str, kind: &str) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Numbering).await?;
        let find = "SELECT endpoint FROM endpoint WHERE organisation = $1 AND project = $2 AND name = $3";
        let rows = tx.query(find, values![key.organisation, key.project, name]).await?;
        if let Some(row) = rows.first() {
            return Ok(row.int(0));
        }
        let max = "SELECT max(endpoint) FROM endpoint WHERE organisation = $1 AND project = $2";
        let number = next(&mut tx, max, values![key.organisation, key.project]).await?;
        let insert = "INSERT INTO endpoint (organisation, project, endpoint, name, kind) VALUES ($1, $2, $3, $4, $5)";
        tx.execute(insert, values![key.organisation, key.project, number, name, kind]).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Makes the project's mailboxes those of the roster. What is known of a mailbox stays when it leaves the roster.
    ///
    /// A person whose copy has begun can't be given another target: that would be another copy.
    pub async fn enroll(&self, key: ProjectKey, roster: &[RosterRow]) -> Result<Enrolled, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Numbering).await?;
        let select = "SELECT mailbox, source_endpoint, source_name, target_endpoint, target_name, phase, listed, \
            coalesce(name, ''), kind, coalesce(collection, ''), target_in_use, \
            (SELECT c.name FROM collection c WHERE c.organisation = mailbox.organisation AND c.project = mailbox.project \
                AND c.collection = mailbox.member_of), new_account, activated, in_books \
            FROM mailbox WHERE organisation = $1 AND project = $2";
        let rows = tx.query(select, values![key.organisation, key.project]).await?;
        let mut known: HashMap<(i64, String), Row> =
            rows.into_iter().map(|row| ((row.int(1), row.text(2)), row)).collect();
        let max = "SELECT max(mailbox) FROM mailbox WHERE organisation = $1 AND project = $2";
        let mut number = next(&mut tx, max, values![key.organisation, key.project]).await?;
        let mut enrolled = Enrolled::default();
        for row in roster {
            let (name, collection) = (row.name.as_deref(), row.collection.as_deref());
            if let Some(old) = known.remove(&(row.source_endpoint, row.source_name.clone())) {
                enrolled.kept += 1;
                // Who is in a collection stays there, whatever the roster says.
                let own = old.text_or_null(11);
                let collection = own.as_deref().or(collection);
                let same_target = old.int(3) == row.target_endpoint && old.text(4) == row.target_name;
                if !same_target && old.text(5) != Phase::Planned.name() {
                    let (source, was, now) = (row.source_name.clone(), old.text(4), row.target_name.clone());
                    return Err(Error::Retargeted { source_name: source, was, now });
                }
                let same = same_target
                    && old.bool(6)
                    && old.text(7) == name.unwrap_or_default()
                    && old.text(8) == row.kind.name()
                    && old.text(9) == collection.unwrap_or_default()
                    && old.bool(10) == row.target_in_use
                    && old.bool(12) == row.new_account
                    && old.int_or_null(13) == row.activated.map(i64::from)
                    && old.int_or_null(14) == row.in_books.map(i64::from);
                if !same {
                    let update = "UPDATE mailbox SET target_endpoint = $4, target_name = $5, name = $6, kind = $7, \
                        collection = $8, target_in_use = $9, new_account = $10, activated = $11, in_books = $12, listed = 1 \
                        WHERE organisation = $1 AND project = $2 AND mailbox = $3";
                    let values = values![
                        key.organisation,
                        key.project,
                        old.int(0),
                        row.target_endpoint,
                        row.target_name.as_str(),
                        name,
                        row.kind.name(),
                        collection,
                        row.target_in_use,
                        row.new_account,
                        row.activated.map(i64::from),
                        row.in_books.map(i64::from),
                    ];
                    tx.execute(update, values).await?;
                }
                continue;
            }
            enrolled.added += 1;
            let insert = "INSERT INTO mailbox (organisation, project, mailbox, source_endpoint, source_name, \
                target_endpoint, target_name, name, kind, collection, listed, target_in_use, phase, condition, since, \
                fence, bytes_proved, bytes_not_kept, new_account, activated, in_books) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, 'planned', 'running', {now}, 0, 0, 0, $12, $13, $14)";
            let values = values![
                key.organisation,
                key.project,
                number,
                row.source_endpoint,
                row.source_name.as_str(),
                row.target_endpoint,
                row.target_name.as_str(),
                name,
                row.kind.name(),
                collection,
                row.target_in_use,
                row.new_account,
                row.activated.map(i64::from),
                row.in_books.map(i64::from),
            ];
            tx.execute(insert, values).await?;
            number += 1;
        }
        // Whose switch has begun stays, whatever the roster says: their mail is on its way, and has to come to them.
        let is_turned = |row: &Row| Phase::from_name(&row.text(5)).is_some_and(|phase| phase >= Phase::Switching);
        for row in known.values().filter(|row| row.bool(6) && !is_turned(row)) {
            // It may have begun since it was looked at.
            let update = "UPDATE mailbox SET listed = 0, due_at = NULL WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
                AND phase NOT IN ('switching', 'switched', 'settled')";
            enrolled.dropped += tx.execute(update, values![key.organisation, key.project, row.int(0)]).await?;
        }
        let again = "UPDATE mailbox SET listed = 1, due_at = {now} WHERE organisation = $1 AND project = $2 AND listed = 0 \
            AND phase IN ('switching', 'switched', 'settled')";
        enrolled.added += tx.execute(again, values![key.organisation, key.project]).await?;
        tx.commit().await?;
        Ok(enrolled)
    }

    /// Every mailbox that is or was on the roster, in the order they came.
    pub async fn mailboxes(&self, key: ProjectKey) -> Result<Vec<MailboxRow>, Error> {
        let select =
            concat_columns!("SELECT ", " FROM mailbox WHERE organisation = $1 AND project = $2 ORDER BY mailbox");
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        rows.iter().map(mailbox_row).collect()
    }

    /// Records that rights were compared: for each mailbox how many are missing at the target, of it and of its person.
    pub async fn record_sharing_compared(&self, key: ProjectKey, missing: &[(i64, u64)]) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE mailbox SET sharing_compared_at = {now}, sharing_missing = $4 \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        for (mailbox, missing) in missing {
            let values = values![key.organisation, key.project, *mailbox, *missing as i64];
            tx.execute(update, values).await?;
        }
        tx.commit().await
    }

    /// One of them.
    pub async fn mailbox(&self, key: ProjectKey, mailbox: i64) -> Result<Option<MailboxRow>, Error> {
        let select =
            concat_columns!("SELECT ", " FROM mailbox WHERE organisation = $1 AND project = $2 AND mailbox = $3");
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.first().map(mailbox_row).transpose()
    }

    /// The endpoints, by number.
    pub async fn endpoints(&self, key: ProjectKey) -> Result<Vec<(i64, String, String)>, Error> {
        let select = "SELECT endpoint, name, kind FROM endpoint WHERE organisation = $1 AND project = $2";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(|row| (row.int(0), row.text(1), row.text(2))).collect())
    }
}

/// The highest number so far and one more; under [`Alone`] no one else gets the same.
pub(crate) async fn next(tx: &mut Tx<'_>, max: &'static str, values: Vec<crate::sql::Value>) -> Result<i64, Error> {
    Ok(tx.query(max, values).await?[0].int(0) + 1)
}
