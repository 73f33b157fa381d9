//! What is denied at the source must not be given on the target by leaving the denial behind.

use std::collections::HashMap;

use model::{Letters, Right};

use super::{Found, Parties, Place, Row, RowState, Trustee};

/// The rows that deny something, by the mailbox they are about.
pub(super) struct Denials<'p> {
    parties: &'p Parties<'p>,
    by_place: HashMap<PlaceKey, Vec<Denial>>,
}

#[derive(PartialEq, Eq, Hash)]
enum PlaceKey {
    Party(usize),
    Text(Place),
}

struct Denial {
    found: Found,
    grantee: Option<usize>,
    is_group: bool,
}

/// What a denial does to a row.
enum Does {
    Nothing,
    /// These letters are not given.
    Takes(Letters),
    /// It is not known what is left of the row.
    Doubts,
}

impl<'p> Denials<'p> {
    pub(super) fn among(rows: &[Row], parties: &'p Parties<'p>) -> Self {
        let mut by_place: HashMap<PlaceKey, Vec<Denial>> = HashMap::new();
        for row in rows.iter().filter(|row| row.found.is_denied) {
            let denial = Denial { found: row.found.clone(), grantee: row.grantee, is_group: row.is_group };
            by_place.entry(place_key(row)).or_default().push(denial);
        }
        Self { parties, by_place }
    }

    /// Takes from a row that would be given what is denied, or all of it where that can't be told.
    pub(super) fn hold_back(&self, row: &mut Row) {
        for denial in self.by_place.get(&place_key(row)).into_iter().flatten() {
            match self.does(denial, row) {
                Does::Nothing => {}
                Does::Takes(denied) => {
                    let Right::Folder(_, letters) = &mut row.right else { continue };
                    let left = Letters::parse(letters).0.without(denied);
                    *letters = left.to_string();
                    if left.is_empty() {
                        row.state = RowState::Listed("all of it is denied to them as well".to_owned());
                        return;
                    }
                }
                Does::Doubts => {
                    let why = format!(
                        "{} is denied something there, so it is not known what of it counts: the owner has to say what is to be given",
                        denial.found.trustee.text()
                    );
                    row.state = RowState::Listed(why);
                    return;
                }
            }
        }
    }

    fn does(&self, denial: &Denial, row: &Row) -> Does {
        let overlap = match (&denial.found.right, &row.right) {
            (Right::Folder(one, denied), Right::Folder(other, letters)) => {
                let both = Letters::parse(denied).0.both(Letters::parse(letters).0);
                if one != other || both.is_empty() {
                    return Does::Nothing;
                }
                Does::Takes(both)
            }
            (Right::FullAccess | Right::Folder(..), Right::FullAccess | Right::Folder(..)) => Does::Doubts,
            (one, other) if one == other => Does::Doubts,
            _ => return Does::Nothing,
        };
        let is_same =
            denial.found.trustee == row.found.trustee || (denial.grantee.is_some() && denial.grantee == row.grantee);
        if is_same {
            return overlap;
        }
        let holds = match (&denial.found.trustee, denial.grantee, row.grantee) {
            (Trustee::Everybody(_), ..) => None,
            // Who denies one of a list, or a list with one in it.
            (_, Some(denied), Some(given)) if denial.is_group && !row.is_group => self.parties.holds(denied, given),
            (_, Some(denied), Some(given)) if row.is_group && !denial.is_group => self.parties.holds(given, denied),
            (_, Some(_), Some(_)) if !row.is_group && !denial.is_group => Some(false),
            _ => None,
        };
        if holds == Some(false) { Does::Nothing } else { Does::Doubts }
    }
}

fn place_key(row: &Row) -> PlaceKey {
    row.mailbox.map_or_else(|| PlaceKey::Text(row.found.place.clone()), PlaceKey::Party)
}
