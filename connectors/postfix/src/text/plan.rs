//! What has to change in our table: pure.

use connector::Error;
use model::{Cause, Scope};

use super::address::Person;
use super::mark::{Row, Whose};

/// One change of our table. Each is about an entry of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// An entry for this address that leads there.
    Insert(String, String),
    /// The entry of this address leads there from now on.
    Update(String, String),
    /// The entry of this address goes.
    Delete(String),
}

/// What makes all of the person's mail go there, or none of it by us. Entries of ours at addresses that the person has no more go in either case: they
/// may be somebody else's by now. What is somebody else's is never overwritten.
pub(crate) fn plan(person: &Person, rows: &[Row], to: Option<&str>) -> Result<Vec<Change>, Error> {
    let refuse = |row: &Row, why: &str| {
        let what = format!("{} holds {} {why}", row.place, row.address);
        Err(Error::new(Cause::Refused, Scope::Mailbox, what))
    };
    for row in rows {
        let is_at_theirs = person.addresses.contains(&row.address);
        match &row.whose {
            Whose::Altered(account) if *account == person.account => {
                return refuse(row, "with our mark, and more than we wrote: put it right by hand");
            }
            Whose::Ours(account) if *account == person.account => {}
            _ if to.is_none() || !is_at_theirs => {}
            Whose::Ours(account) | Whose::Altered(account) => {
                return refuse(row, &format!("for {account}: release that one first"));
            }
            Whose::Foreign => return refuse(row, "and it is not ours: it is left alone, remove it by hand"),
        }
    }
    let ours: Vec<&Row> = rows.iter().filter(|row| row.is_of(&person.account)).collect();
    let mut changes = Vec::new();
    let Some(to) = to else {
        let mut gone: Vec<&str> = Vec::new();
        for row in ours {
            if !gone.contains(&row.address.as_str()) {
                gone.push(&row.address);
                changes.push(Change::Delete(row.address.clone()));
            }
        }
        return Ok(changes);
    };
    if let Some(row) = ours.iter().find(|row| row.address == to.to_lowercase()) {
        let what = format!("{to:?} can't be redirected to: {} leads from there", row.place);
        return Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
    }
    let mut done: Vec<&str> = Vec::new();
    for row in &ours {
        if done.contains(&row.address.as_str()) {
            continue;
        }
        done.push(&row.address);
        // What is somebody else's by now is led nowhere by us.
        if !person.addresses.contains(&row.address) {
            changes.push(Change::Delete(row.address.clone()));
            continue;
        }
        let is_so = ours.iter().filter(|other| other.address == row.address).map(|other| other.to.as_str());
        if is_so.collect::<Vec<_>>() != [to] {
            changes.push(Change::Update(row.address.clone(), to.to_owned()));
        }
    }
    for address in person.addresses.iter().filter(|address| !done.contains(&address.as_str())) {
        changes.push(Change::Insert(address.clone(), to.to_owned()));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person { account: "ann".into(), addresses: vec!["a@s".into(), "b@s".into()] }
    }

    fn row(address: &str, to: &str, whose: Whose) -> Row {
        Row { address: address.into(), to: to.into(), whose, place: "line 1".into() }
    }

    fn ours(address: &str, to: &str) -> Row {
        row(address, to, Whose::Ours("ann".into()))
    }

    #[test]
    fn every_state_comes_to_the_same_end() {
        let (insert, update) =
            (|a: &str| Change::Insert(a.into(), "x@n".into()), |a: &str| Change::Update(a.into(), "x@n".into()));
        let delete = |a: &str| Change::Delete(a.into());
        for (rows, on, off) in [
            (vec![], vec![insert("a@s"), insert("b@s")], vec![]),
            (vec![ours("a@s", "x@n")], vec![insert("b@s")], vec![delete("a@s")]),
            (vec![ours("a@s", "x@n"), ours("b@s", "x@n")], vec![], vec![delete("a@s"), delete("b@s")]),
            (vec![ours("b@s", "y@n")], vec![update("b@s"), insert("a@s")], vec![delete("b@s")]),
            (vec![ours("a@s", "x@n"), ours("a@s", "x@n")], vec![update("a@s"), insert("b@s")], vec![delete("a@s")]),
            (
                vec![ours("old@s", "y@n"), row("c@s", "z@n", Whose::Foreign)],
                vec![delete("old@s"), insert("a@s"), insert("b@s")],
                vec![delete("old@s")],
            ),
        ] {
            assert_eq!(plan(&person(), &rows, Some("x@n")).unwrap(), on, "{rows:?}");
            assert_eq!(plan(&person(), &rows, None).unwrap(), off, "{rows:?}");
        }
    }

    #[test]
    fn what_is_not_the_persons_is_never_overwritten() {
        for whose in [Whose::Foreign, Whose::Ours("bob".into()), Whose::Altered("bob".into())] {
            let rows = [row("b@s", "x@n", whose)];
            assert_eq!(plan(&person(), &rows, Some("x@n")).unwrap_err().cause, Cause::Refused);
            assert_eq!(plan(&person(), &rows, None).unwrap(), []);
        }
        let altered = [row("a@s", "x@n, y@n", Whose::Altered("ann".into()))];
        assert_eq!(plan(&person(), &altered, Some("x@n")).unwrap_err().cause, Cause::Refused);
        assert_eq!(plan(&person(), &altered, None).unwrap_err().cause, Cause::Refused);
        assert_eq!(plan(&person(), &[ours("x@n", "y@n")], Some("x@n")).unwrap_err().cause, Cause::Unsupported);
    }
}
