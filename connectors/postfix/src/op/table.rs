//! Our table, wherever it lies, and what it says of one person.

use connector::Error;
use connector::router::{Evidence, OurRedirect};

use super::files::Files;
use super::sql::Sql;
use super::steps::Steps;
use crate::config::{Config, Table};
use crate::text::address::Person;
use crate::text::mark::{Row, Whose};

/// Our table.
pub(crate) enum Store<'c> {
    File(Files<'c>),
    Sql(Sql<'c>),
}

/// What was found of a person: all entries that are for their account, and whatever is at their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// What stands in the table.
    pub(crate) rows: Vec<Row>,
    /// What Postfix goes by, where that may be something else, and why it may.
    pub(crate) loaded: Option<(Vec<Row>, String)>,
}

impl<'c> Store<'c> {
    pub(crate) fn of(config: &'c Config) -> Self {
        match &config.table {
            Table::File(table) => Self::File(Files { config, table }),
            Table::Postgresql(table) | Table::Sqlite(table) => Self::Sql(Sql { config, table }),
        }
    }

    /// What the table says of this person.
    pub(crate) async fn look(&self, person: &Person) -> Result<Found, Error> {
        match self {
            Self::File(files) => files.look(person).await,
            Self::Sql(sql) => sql.look(person).await,
        }
    }

    /// All that stands at these addresses.
    pub(crate) async fn at(&self, addresses: &[String]) -> Result<Vec<Row>, Error> {
        match self {
            Self::File(files) => files.at(addresses).await,
            Self::Sql(sql) => sql.at(addresses).await,
        }
    }

    /// Makes our entries lead there, or go, all in one step. Was anything to be done?
    pub(crate) async fn change(&self, person: &Person, to: Option<&str>, steps: &mut Steps<'_>) -> Result<bool, Error> {
        match self {
            Self::File(files) => files.change(person, to, steps).await,
            Self::Sql(sql) => sql.change(person, to, steps).await,
        }
    }
}

impl Found {
    /// What Postfix goes by.
    fn effective(&self) -> &[Row] {
        self.loaded.as_ref().map_or(&self.rows, |(rows, _)| rows)
    }

    /// Is there anything of ours for this person?
    pub(crate) fn has_ours(&self, person: &Person) -> bool {
        self.rows.iter().chain(self.effective()).any(|row| row.is_of(&person.account))
    }

    /// Our redirect of this person.
    pub(crate) fn ours(&self, person: &Person) -> Option<OurRedirect> {
        if !self.has_ours(person) {
            return None;
        }
        let effective = leads(person, self.effective());
        if let Ok(to) = &effective {
            return Some(OurRedirect { to: to.clone(), ineffective: None });
        }
        let all = || self.rows.iter().chain(self.effective()).filter(|row| row.is_of(&person.account));
        let primary = all().find(|row| person.addresses.first() == Some(&row.address));
        let to = primary.or_else(|| all().next()).map(|row| row.to.clone()).unwrap_or_default();
        let ineffective = match (leads(person, &self.rows), &self.loaded, effective) {
            (Ok(_), Some((_, why)), _) => why.clone(),
            (Err(why), ..) | (_, _, Err(why)) => why,
            // Without something else that Postfix goes by it can't be so.
            (Ok(_), None, Ok(_)) => return None,
        };
        Some(OurRedirect { to, ineffective: Some(ineffective) })
    }

    /// What is there, for the audit.
    pub(crate) fn evidence(&self, person: &Person, place: &str) -> Evidence {
        let line = |begin: &str, row: &Row| {
            let whose = match &row.whose {
                Whose::Ours(account) => format!("leads to {}: ours, for {account}", row.to),
                Whose::Altered(account) => format!("has our mark, for {account}, and was changed"),
                Whose::Foreign => "is not ours".to_owned(),
            };
            format!("{begin}: {} {whose}", row.address)
        };
        let mut lines: Vec<String> = self.rows.iter().map(|row| line(place, row)).collect();
        lines.sort();
        lines.dedup();
        if lines.is_empty() {
            lines.push(format!("{place}: nothing of {}", person.account));
        }
        if let Some((rows, _)) = self.loaded.as_ref().filter(|(rows, _)| !same(rows, &self.rows)) {
            let mut differs: Vec<String> = rows.iter().map(|row| line("Postfix still goes by", row)).collect();
            if differs.is_empty() {
                differs.push("Postfix still goes by a table without them".to_owned());
            }
            lines.append(&mut differs);
        }
        Evidence(lines)
    }
}

/// Do they say the same?
pub(crate) fn same(some: &[Row], others: &[Row]) -> bool {
    let key = |row: &Row| (row.address.clone(), row.to.clone(), format!("{:?}", row.whose));
    let keys = |rows: &[Row]| {
        let mut keys: Vec<_> = rows.iter().map(key).collect();
        keys.sort();
        keys.dedup();
        keys
    };
    keys(some) == keys(others)
}

/// The one address that all mail of the person leads to, or why there is none.
fn leads(person: &Person, rows: &[Row]) -> Result<String, String> {
    let ours = |row: &&Row| row.whose == Whose::Ours(person.account.clone());
    let (mut on, mut off, mut to): (Vec<&str>, Vec<&str>, Vec<&str>) = Default::default();
    for address in &person.addresses {
        let at: Vec<&Row> = rows.iter().filter(|row| row.address == *address).collect();
        if at.is_empty() || !at.iter().all(ours) {
            off.push(address);
            continue;
        }
        on.push(address);
        for row in at {
            if !to.contains(&row.to.as_str()) {
                to.push(&row.to);
            }
        }
    }
    // An address that is the person's no more may be somebody else's by now.
    let elsewhere = rows.iter().filter(ours).find(|row| !person.addresses.contains(&row.address));
    match (on.is_empty(), off.is_empty(), to.as_slice()) {
        (_, true, [to]) => match elsewhere {
            None => Ok((*to).to_owned()),
            Some(row) => Err(format!("it is at {} as well, which is none of their addresses now", row.address)),
        },
        (true, ..) => Err(format!("it is at no address of the person's now, so not at {}", off.join(", "))),
        (false, false, _) => Err(format!("it is only at {}, not at {}", on.join(", "), off.join(", "))),
        (false, true, _) => Err("their addresses lead to different ones".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person { account: "ann".into(), addresses: vec!["a@s".into(), "b@s".into()] }
    }

    fn rows(pairs: &[(&str, &str)]) -> Vec<Row> {
        let ours = |(address, to): &(&str, &str)| Row {
            address: (*address).into(),
            to: (*to).into(),
            whose: Whose::Ours("ann".into()),
            place: String::new(),
        };
        pairs.iter().map(ours).collect()
    }

    fn told(rows: Vec<Row>, loaded: Option<Vec<Row>>) -> Option<(String, String)> {
        let found = Found { rows, loaded: loaded.map(|rows| (rows, "not told".to_owned())) };
        found.ours(&person()).map(|ours| (ours.to, ours.ineffective.unwrap_or_default()))
    }

    #[test]
    fn ours_is_in_force_only_at_every_address() {
        let both = || rows(&[("a@s", "x@n"), ("b@s", "x@n")]);
        let some = |to: &str, why: &str| Some((to.to_owned(), why.to_owned()));
        assert_eq!(told(vec![], None), None);
        assert_eq!(told(both(), None), some("x@n", ""));
        assert_eq!(told(rows(&[("b@s", "x@n")]), None), some("x@n", "it is only at b@s, not at a@s"));
        let differ = rows(&[("a@s", "x@n"), ("b@s", "y@n")]);
        assert_eq!(told(differ, None), some("x@n", "their addresses lead to different ones"));
        let old = told(rows(&[("old@s", "x@n")]), None);
        assert_eq!(old, some("x@n", "it is at no address of the person's now, so not at a@s, b@s"));
        let mut with_foreign = both();
        with_foreign.push(Row { whose: Whose::Foreign, ..with_foreign[1].clone() });
        assert_eq!(told(with_foreign, None), some("x@n", "it is only at a@s, not at b@s"));
        let mut with_old = both();
        with_old.extend(rows(&[("old@s", "x@n")]));
        let why = "it is at old@s as well, which is none of their addresses now";
        assert_eq!(told(with_old, None), some("x@n", why), "it may be somebody else's by now");
        let mut altered = both();
        altered[0].whose = Whose::Altered("ann".into());
        assert_eq!(told(altered, None), some("x@n", "it is only at b@s, not at a@s"));
    }

    #[test]
    fn what_postfix_goes_by_decides() {
        let both = || rows(&[("a@s", "x@n"), ("b@s", "x@n")]);
        let other = || rows(&[("a@s", "y@n"), ("b@s", "y@n")]);
        let some = |to: &str, why: &str| Some((to.to_owned(), why.to_owned()));
        assert_eq!(told(both(), Some(vec![])), some("x@n", "not told"));
        assert_eq!(told(vec![], Some(both())), some("x@n", ""));
        assert_eq!(told(both(), Some(other())), some("y@n", ""));
        assert_eq!(told(vec![], Some(vec![])), None);
    }
}
