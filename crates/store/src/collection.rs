//! Collections: who moves at the same time, from when their mailboxes are kept in step, and when they switch.
//!
//! Membership is a row by object, so that nothing is in two collections. A mailbox has its collection's number and name in its own
//! row besides: the number makes it cheap to ask who is to be kept in step, the name is what reports show and select by. All
//! three change in one transaction.

use std::collections::HashMap;

use crate::sql::{Alone, Durability, Row, Tx, values};
use crate::{Error, ProjectKey, Store};

mod facts;
mod vip;

pub use facts::{MailboxFacts, PredictionRow};
pub use vip::VipRow;

/// How the mailboxes of a collection come to switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchHow {
    /// Each as soon as it is in step.
    Auto,
    /// At a date and time, once in step.
    At,
    /// By a person's word.
    ByHand,
}

impl SwitchHow {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::At => "at",
            Self::ByHand => "by-hand",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::At, Self::ByHand].into_iter().find(|how| how.name() == name)
    }
}

/// A collection, as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCollection {
    /// Its name: one of its own in the project.
    pub name: String,
    /// What it is.
    pub description: String,
    /// From when its mailboxes are kept in step (milliseconds since 1970); none: it waits for a start.
    pub start_at: Option<i64>,
    /// How its mailboxes come to switch.
    pub switch: SwitchHow,
    /// Its date: not before it where they switch at a date, the plan else.
    pub switch_at: Option<i64>,
}

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionRow {
    /// Its number.
    pub collection: i64,
    /// What was said of it.
    pub is: NewCollection,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: i64,
}

/// What may be in a collection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// A mailbox of the roster, by its number.
    Mailbox(i64),
    /// A distribution list: its directory and its key there.
    List(String, String),
}

impl Object {
    /// As the database has it. What stands in a directory's name is written so that it can't end it.
    pub fn text(&self) -> String {
        match self {
            Self::Mailbox(number) => format!("mailbox/{number}"),
            Self::List(directory, key) => {
                format!("list/{}/{key}", directory.replace('%', "%25").replace('/', "%2F"))
            }
        }
    }

    fn from_text(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.splitn(3, '/').collect();
        match parts.as_slice() {
            ["mailbox", number] => number.parse().map(Self::Mailbox).ok(),
            ["list", directory, key] => {
                Some(Self::List(directory.replace("%2F", "/").replace("%25", "%"), (*key).to_owned()))
            }
            _ => None,
        }
        .ok_or_else(|| Error::damaged("a member of a collection"))
    }
}

/// Who is in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Who.
    pub object: Object,
    /// In which.
    pub collection: i64,
    /// Its own date; none: the collection's.
    pub switch_at: Option<i64>,
    /// Who put it there.
    pub added_by: String,
    /// When.
    pub added_at: i64,
}

/// That somebody went from one collection to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveRow {
    /// Who.
    pub object: Object,
    /// From which.
    pub from: i64,
    /// To which.
    pub to: i64,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub moved_by: String,
    /// When.
    pub at: i64,
}

/// What came of putting objects into a collection, or of moving them. When `elsewhere` holds any, nothing was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// How many were put there.
    pub placed: u64,
    /// How many were there already.
    pub already: u64,
    /// Those that are not where they would have to be, and where they are: in none, where that is none.
    pub elsewhere: Vec<(Object, Option<i64>)>,
}

/// What the column `collection` of the roster filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Collections that were made.
    pub made: Vec<String>,
    /// Mailboxes that were put into one.
    pub members: u64,
}

const COLLECTIONS: &str = "SELECT collection, name, description, start_at, switch_how, switch_at, made_by, made_at \
    FROM collection WHERE organisation = $1 AND project = $2 ORDER BY collection";

fn collection_row(row: &Row) -> Result<CollectionRow, Error> {
    Ok(CollectionRow {
        collection: row.int(0),
        is: NewCollection {
            name: row.text(1),
            description: row.text(2),
            start_at: row.int_or_null(3),
            switch: SwitchHow::from_name(&row.text(4)).ok_or_else(|| Error::damaged("how a collection switches"))?,
            switch_at: row.int_or_null(5),
        },
        made_by: row.text(6),
        made_at: row.int(7),
    })
}

impl Store {
    /// Makes every mailbox due that is to be kept in step and that nobody has made due: of collections whose start has come; of
    /// the whole roster, where the project has no collection. Not what a person has set aside. Whose switch has begun is made due in any
    /// case. How many there were.
    ///
    /// Cheap enough for every few seconds: an index holds only what is not due, by collection, and nothing is locked when there is
    /// nothing to do.
    pub async fn make_due(&self, key: ProjectKey) -> Result<u64, Error> {
        let any = "SELECT 1 FROM collection WHERE organisation = $1 AND project = $2 LIMIT 1";
        let of_project = || values![key.organisation, key.project];
        let has_collections = !self.database.query(any, of_project()).await?.is_empty();
        macro_rules! idle {
            ($before:literal, $of:literal, $after:literal) => {
                concat!(
                    $before,
                    " WHERE organisation = $1 AND project = $2 AND due_at IS NULL AND listed = 1",
                    $of,
                    " AND (holder IS NULL OR lease_until < {now}) AND set_aside IS NULL AND phase IN ('planned', 'copying', 'in-step')",
                    $after
                )
            };
            ($before:literal, $after:literal) => {
                if has_collections {
                    idle!(
                        $before,
                        " AND member_of IN (SELECT c.collection FROM collection c WHERE c.organisation = $1 \
                          AND c.project = $2 AND c.start_at <= {now})",
                        $after
                    )
                } else {
                    idle!($before, "", $after)
                }
            };
        }
        // Whose switch has begun is followed whatever else is said of them: their mail is on its way between both sides.
        let turned = "SELECT 1 FROM mailbox WHERE organisation = $1 AND project = $2 AND due_at IS NULL AND listed = 1 \
            AND (holder IS NULL OR lease_until < {now}) AND phase IN ('switching', 'switched') LIMIT 1";
        // Somebody named them, for a time that has come.
        macro_rules! named {
            ($before:literal, $after:literal) => {
                idle!(
                    $before,
                    " AND mailbox IN (SELECT o.mailbox FROM switch_order o WHERE o.organisation = $1 AND o.project = $2 \
                      AND o.way = 'over' AND o.at <= {now})",
                    $after
                )
            };
        }
        if self.database.query(idle!("SELECT 1 FROM mailbox", " LIMIT 1"), of_project()).await?.is_empty()
            && self.database.query(turned, of_project()).await?.is_empty()
            && self.database.query(named!("SELECT 1 FROM mailbox", " LIMIT 1"), of_project()).await?.is_empty()
        {
            return Ok(0);
        }
        let mut tx = self.begin(Durability::Relaxed).await?;
        let mut made = tx.execute(idle!("UPDATE mailbox SET due_at = {now}", ""), of_project()).await?;
        let turned = "UPDATE mailbox SET due_at = {now} WHERE organisation = $1 AND project = $2 AND due_at IS NULL \
            AND listed = 1 AND (holder IS NULL OR lease_until < {now}) AND phase IN ('switching', 'switched')";
        made += tx.execute(turned, of_project()).await?;
        made += tx.execute(named!("UPDATE mailbox SET due_at = {now}", ""), of_project()).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Mailboxes of the roster that are not switched, and that nobody works on or may work on now.
    pub async fn at_rest(&self, key: ProjectKey) -> Result<Vec<i64>, Error> {
        let select = "SELECT mailbox FROM mailbox WHERE organisation = $1 AND project = $2 \
            AND (due_at IS NULL OR withheld = 1) AND listed = 1 AND (holder IS NULL OR lease_until < {now}) \
            AND phase IN ('planned', 'copying', 'in-step') ORDER BY mailbox";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(|row| row.int(0)).collect())
    }

    /// The collections of a project, in the order in which they were made.
    pub async fn collections(&self, key: ProjectKey) -> Result<Vec<CollectionRow>, Error> {
        let rows = self.database.query(COLLECTIONS, values![key.organisation, key.project]).await?;
        rows.iter().map(collection_row).collect()
    }

    /// Makes a collection; none when there is one of that name.
    pub async fn add_collection(&self, key: ProjectKey, new: &NewCollection, by: &str) -> Result<Option<i64>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Collections).await?;
        let names = "SELECT name FROM collection WHERE organisation = $1 AND project = $2";
        let names = tx.query(names, values![key.organisation, key.project]).await?;
        if names.iter().any(|row| row.text(0).to_lowercase() == new.name.to_lowercase()) {
            return Ok(None);
        }
        let number = insert(&mut tx, key, new, by).await?;
        tx.commit().await?;
        Ok(Some(number))
    }

    /// Makes a collection another one, but for its name. What is put off rests until its start. False when there is none of that
    /// number.
    pub async fn change_collection(&self, key: ProjectKey, number: i64, is: &NewCollection) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE collection SET description = $4, start_at = $5, switch_how = $6, switch_at = $7 \
            WHERE organisation = $1 AND project = $2 AND collection = $3";
        let (how, at) = (is.switch.name(), is.switch_at);
        let row = values![key.organisation, key.project, number, is.description.as_str(), is.start_at, how, at];
        let touched = tx.execute(update, row).await?;
        rest(&mut tx, key, number).await?;
        tx.commit().await?;
        Ok(touched == 1)
    }

    /// Everybody who is in a collection.
    pub async fn collection_members(&self, key: ProjectKey) -> Result<Vec<MemberRow>, Error> {
        let select = "SELECT object, collection, switch_at, added_by, added_at FROM collection_member \
            WHERE organisation = $1 AND project = $2 ORDER BY object";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            Ok(MemberRow {
                object: Object::from_text(&row.text(0))?,
                collection: row.int(1),
                switch_at: row.int_or_null(2),
                added_by: row.text(3),
                added_at: row.int(4),
            })
        };
        rows.iter().map(row).collect()
    }

    /// Puts objects that are in no collection into this one: all of them or none.
    pub async fn add_members(
        &self,
        key: ProjectKey,
        collection: &CollectionRow,
        objects: &[Object],
        by: &str,
    ) -> Result<Placed, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Collections).await?;
        let is_in = places(&mut tx, key).await?;
        let (mut placed, mut new) = (Placed::default(), Vec::new());
        for object in objects {
            match is_in.get(&object.text()) {
                None => new.push(object),
                Some(number) if *number == collection.collection => placed.already += 1,
                Some(number) => placed.elsewhere.push((object.clone(), Some(*number))),
            }
        }
        if !placed.elsewhere.is_empty() {
            return Ok(placed);
        }
        new.sort();
        new.dedup();
        placed.placed = new.len() as u64;
        put(&mut tx, key, (collection.collection, &collection.is.name), &new, by).await?;
        rest(&mut tx, key, collection.collection).await?;
        tx.commit().await?;
        Ok(placed)
    }

    /// Moves objects from one collection to another: all of them or none. An own date goes with its object.
    pub async fn move_members(
        &self,
        key: ProjectKey,
        objects: &[Object],
        (from, to): (&CollectionRow, &CollectionRow),
        reason: &str,
        by: &str,
    ) -> Result<Placed, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Collections).await?;
        let is_in = places(&mut tx, key).await?;
        let mut placed = Placed::default();
        for object in objects {
            let place = is_in.get(&object.text()).copied();
            if place != Some(from.collection) {
                placed.elsewhere.push((object.clone(), place));
            }
        }
        if !placed.elsewhere.is_empty() {
            return Ok(placed);
        }
        let mut objects: Vec<&Object> = objects.iter().collect();
        objects.sort();
        objects.dedup();
        let now = tx.query("SELECT {now}", Vec::new()).await?[0].int(0);
        let max = "SELECT max(move) FROM collection_move WHERE organisation = $1 AND project = $2";
        let first = crate::project::next(&mut tx, max, values![key.organisation, key.project]).await?;
        let update = "UPDATE collection_member SET collection = $4, added_by = $5, added_at = $6 \
            WHERE organisation = $1 AND project = $2 AND object = $3";
        let mut moves = Vec::new();
        for (number, object) in (first..).zip(&objects) {
            let text = object.text();
            let row = values![key.organisation, key.project, text.as_str(), to.collection, by, now];
            tx.execute(update, row).await?;
            moves.push(values![
                key.organisation,
                key.project,
                number,
                text,
                from.collection,
                to.collection,
                reason,
                by,
                now
            ]);
        }
        let insert = "INSERT INTO collection_move (organisation, project, move, object, from_collection, to_collection, \
            reason, moved_by, at) VALUES";
        tx.insert_many(insert, "", moves).await?;
        mirror(&mut tx, key, (to.collection, &to.is.name), &objects).await?;
        rest(&mut tx, key, to.collection).await?;
        placed.placed = objects.len() as u64;
        tx.commit().await?;
        Ok(placed)
    }

    /// Every move, the oldest first.
    pub async fn collection_moves(&self, key: ProjectKey) -> Result<Vec<MoveRow>, Error> {
        let select = "SELECT object, from_collection, to_collection, reason, moved_by, at FROM collection_move \
            WHERE organisation = $1 AND project = $2 ORDER BY move";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| {
            Ok(MoveRow {
                object: Object::from_text(&row.text(0))?,
                from: row.int(1),
                to: row.int(2),
                reason: row.text(3),
                moved_by: row.text(4),
                at: row.int(5),
            })
        };
        rows.iter().map(row).collect()
    }

    /// Gives members a date of their own, or with none the collection's again. Only those that are in a collection; how many.
    pub async fn date_members(&self, key: ProjectKey, objects: &[Object], at: Option<i64>) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update =
            "UPDATE collection_member SET switch_at = $4 WHERE organisation = $1 AND project = $2 AND object = $3";
        let mut dated = 0;
        for object in objects {
            dated += tx.execute(update, values![key.organisation, key.project, object.text(), at]).await?;
        }
        tx.commit().await?;
        Ok(dated)
    }

    /// Puts the mailboxes of the roster that are in no collection into the one that the roster names for them; made, by hand and
    /// without a start, where there is none of that name. Whoever is in one stays there.
    pub async fn fill_collections(&self, key: ProjectKey, by: &str) -> Result<Filled, Error> {
        let select = "SELECT mailbox, collection FROM mailbox WHERE organisation = $1 AND project = $2 AND listed = 1 \
            AND member_of IS NULL AND collection IS NOT NULL ORDER BY mailbox";
        let of_project = || values![key.organisation, key.project];
        if self.database.query(select, of_project()).await?.is_empty() {
            return Ok(Filled::default());
        }
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Collections).await?;
        // Names are the same whatever the case of their letters, as for who makes a collection by hand.
        let mut members: HashMap<String, Vec<Object>> = HashMap::new();
        let mut names = Vec::new();
        for row in tx.query(select, of_project()).await? {
            let of = members.entry(row.text(1).to_lowercase()).or_default();
            if of.is_empty() {
                names.push(row.text(1));
            }
            of.push(Object::Mailbox(row.int(0)));
        }
        let known: Vec<CollectionRow> =
            tx.query(COLLECTIONS, of_project()).await?.iter().map(collection_row).collect::<Result<_, _>>()?;
        let mut filled = Filled::default();
        for name in names {
            let lower = name.to_lowercase();
            let (number, name) = match known.iter().find(|row| row.is.name.to_lowercase() == lower) {
                Some(row) => (row.collection, row.is.name.clone()),
                None => {
                    let new = NewCollection {
                        name: name.clone(),
                        description: String::new(),
                        start_at: None,
                        switch: SwitchHow::ByHand,
                        switch_at: None,
                    };
                    filled.made.push(name.clone());
                    (insert(&mut tx, key, &new, by).await?, name)
                }
            };
            let members: Vec<&Object> = members[&lower].iter().collect();
            filled.members += members.len() as u64;
            put(&mut tx, key, (number, &name), &members, by).await?;
            rest(&mut tx, key, number).await?;
        }
        tx.commit().await?;
        Ok(filled)
    }
}

async fn insert(tx: &mut Tx<'_>, key: ProjectKey, new: &NewCollection, by: &str) -> Result<i64, Error> {
    let max = "SELECT max(collection) FROM collection WHERE organisation = $1 AND project = $2";
    let number = crate::project::next(tx, max, values![key.organisation, key.project]).await?;
    let insert = "INSERT INTO collection (organisation, project, collection, name, description, start_at, switch_how, \
        switch_at, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now})";
    let row = values![
        key.organisation,
        key.project,
        number,
        new.name.as_str(),
        new.description.as_str(),
        new.start_at,
        new.switch.name(),
        new.switch_at,
        by
    ];
    tx.execute(insert, row).await?;
    // Once there are collections, who is in none is kept in step no more.
    let update = "UPDATE mailbox SET due_at = NULL WHERE organisation = $1 AND project = $2 AND member_of IS NULL \
        AND due_at IS NOT NULL AND phase IN ('planned', 'copying', 'in-step')";
    tx.execute(update, values![key.organisation, key.project]).await?;
    Ok(number)
}

/// Leaves the mailboxes of a collection alone that has not started: until then nobody is to work on them.
async fn rest(tx: &mut Tx<'_>, key: ProjectKey, collection: i64) -> Result<(), Error> {
    let update = "UPDATE mailbox SET due_at = NULL WHERE organisation = $1 AND project = $2 AND member_of = $3 \
        AND due_at IS NOT NULL AND phase IN ('planned', 'copying', 'in-step') AND EXISTS (\
            SELECT 1 FROM collection c WHERE c.organisation = $1 AND c.project = $2 AND c.collection = $3 \
            AND (c.start_at IS NULL OR c.start_at > {now}))";
    tx.execute(update, values![key.organisation, key.project, collection]).await.map(|_| ())
}

/// In which collection each object is.
async fn places(tx: &mut Tx<'_>, key: ProjectKey) -> Result<HashMap<String, i64>, Error> {
    let select = "SELECT object, collection FROM collection_member WHERE organisation = $1 AND project = $2";
    let rows = tx.query(select, values![key.organisation, key.project]).await?;
    Ok(rows.iter().map(|row| (row.text(0), row.int(1))).collect())
}

async fn put(
    tx: &mut Tx<'_>,
    key: ProjectKey,
    collection: (i64, &str),
    objects: &[&Object],
    by: &str,
) -> Result<(), Error> {
    let now = tx.query("SELECT {now}", Vec::new()).await?[0].int(0);
    let row = |object: &&Object| values![key.organisation, key.project, object.text(), collection.0, by, now];
    let insert = "INSERT INTO collection_member (organisation, project, object, collection, added_by, added_at) VALUES";
    // A member that an earlier program has lost sight of is where its row says.
    let conflict = "ON CONFLICT (organisation, project, object) DO NOTHING";
    tx.insert_many(insert, conflict, objects.iter().map(row).collect()).await?;
    mirror(tx, key, collection, objects).await
}

/// Writes into the mailboxes' own rows which collection they are in.
async fn mirror(tx: &mut Tx<'_>, key: ProjectKey, (number, name): (i64, &str), of: &[&Object]) -> Result<(), Error> {
    let numbers: Vec<i64> = of
        .iter()
        .filter_map(|object| match object {
            Object::Mailbox(number) => Some(*number),
            Object::List(..) => None,
        })
        .collect();
    let update = if tx.is_postgres() {
        "UPDATE mailbox SET member_of = $3, collection = $4 WHERE organisation = $1 AND project = $2 \
         AND mailbox IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($5 AS JSON)))"
    } else {
        "UPDATE mailbox SET member_of = $3, collection = $4 WHERE organisation = $1 AND project = $2 \
         AND mailbox IN (SELECT value FROM json_each($5))"
    };
    let numbers = serde_json::Value::from(numbers).to_string();
    tx.execute(update, values![key.organisation, key.project, number, name, numbers]).await.map(|_| ())
}
