//! The rights that a mail server keeps, as they are found and as they are to be.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use connector::{Account, Connector, FolderRight, Granted, Holder, NewRight, Rights, RightsRead};
use model::{FolderPath, Letters, Right};
use people::sharing::{Found, Origin, Place, Trustee};

/// The rights of a mailbox, as they are kept.
pub(super) fn found(endpoint: &str, mailbox: &str, read: &RightsRead) -> Vec<Found> {
    let found = |right: &FolderRight| Found {
        origin: Origin::Mail(endpoint.to_owned()),
        place: Place::Mailbox(mailbox.to_owned()),
        trustee: match &right.to {
            Holder::Account(name) => Trustee::Account(name.clone()),
            Holder::Group(name) => Trustee::Group(name.clone()),
            Holder::Everybody(word) => Trustee::Everybody(word.clone()),
        },
        right: Right::Folder(right.folder.names().to_vec(), right.letters.to_string()),
        is_inherited: right.is_inherited,
        is_denied: right.is_denied,
        unknown: right.unknown.clone(),
    };
    read.rights.iter().map(found).collect()
}

/// Reads the rights of a mailbox and closes it; none where its server keeps none.
pub(super) async fn read(
    connector: Arc<dyn Connector>,
    account: Account,
) -> Result<Option<(RightsRead, Letters)>, connector::Error> {
    let Some(mut opened) = connector.rights(&account, None).await? else { return Ok(None) };
    let (read, letters) = (opened.rights().await, opened.letters());
    opened.close().await;
    Ok(Some((read?, letters)))
}

/// What an account may do in each folder, less what is denied to it there.
pub(super) fn held(read: &RightsRead) -> HashMap<(FolderPath, String), Letters> {
    let mut held: HashMap<(FolderPath, String), Letters> = HashMap::new();
    let mut denied: Vec<((FolderPath, String), Letters)> = Vec::new();
    for right in &read.rights {
        let Holder::Account(name) = &right.to else { continue };
        let key = (right.folder.clone(), name.to_lowercase());
        if right.is_denied {
            denied.push((key, right.letters));
        } else {
            let all = held.entry(key).or_default();
            *all = all.and(right.letters);
        }
    }
    for (key, letters) in denied {
        if let Some(all) = held.get_mut(&key) {
            *all = all.without(letters);
        }
    }
    held
}

/// What one row needs in a mailbox.
#[derive(Clone, Debug)]
pub(super) struct Need {
    /// The number of the row.
    pub row: usize,
    /// The folder at the source; none: every folder.
    pub folder: Option<FolderPath>,
    /// Which rights.
    pub letters: Letters,
    /// Whose, by the name they log in with on the target.
    pub account: String,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// Rights were given, or would be.
    Given,
    /// They were there.
    WasThere,
    /// Not yet; why.
    Waits(String),
    /// To be done by hand; why.
    ByHand(String),
    /// The platform refuses it; or it could not be tried.
    Failed(String),
}

/// What a row needs, folder by folder on the target, and what of it the target can't tell apart.
pub(super) struct Needed {
    /// Row and right.
    pub rights: Vec<(usize, NewRight)>,
    /// Rows that are not tried, and why.
    pub not_tried: Vec<(usize, Became)>,
    /// Rights that the target does not know, by row.
    pub lost: Vec<(usize, Letters)>,
}

/// What these rows need of a mailbox of the target.
pub(super) fn needed(
    needs: &[Need],
    folders: &HashMap<FolderPath, FolderPath>,
    read: &RightsRead,
    letters: Letters,
) -> Needed {
    let mut needed = Needed { rights: Vec::new(), not_tried: Vec::new(), lost: Vec::new() };
    for need in needs {
        let lost = need.letters.without(letters);
        if !lost.is_empty() {
            needed.lost.push((need.row, lost));
        }
        let wanted = need.letters.both(letters);
        if wanted.is_empty() {
            let why = format!("the target's mail server does not know the rights {:?}", need.letters.to_string());
            needed.not_tried.push((need.row, Became::ByHand(why)));
            continue;
        }
        let right = |folder: &FolderPath| {
            let (folder, account) = (folder.clone(), need.account.clone());
            (need.row, NewRight { folder, account, letters: wanted })
        };
        match &need.folder {
            None => needed.rights.extend(read.folders.iter().map(right)),
            Some(folder) => {
                let there = folders.get(folder).unwrap_or(folder);
                if read.folders.contains(there) {
                    needed.rights.push(right(there));
                } else {
                    let why = format!("the folder {there} is not on the target yet: sync");
                    needed.not_tried.push((need.row, Became::Waits(why)));
                }
            }
        }
    }
    needed
}

/// Gives what is missing, and reads it back. What became of each row, and how many rights were added.
///
/// What several rows want of a folder for one account is asked for at once: alone, one of them might be refused.
pub(super) async fn give(
    opened: &mut dyn Rights,
    rights: &[(usize, NewRight)],
) -> Result<(HashMap<usize, Became>, usize), connector::Error> {
    let key = |right: &NewRight| (right.folder.clone(), right.account.to_lowercase());
    let mut together: BTreeMap<(FolderPath, String), NewRight> = BTreeMap::new();
    for (_, right) in rights {
        let all = together.entry(key(right)).or_insert_with(|| right.clone());
        all.letters = all.letters.and(right.letters);
    }
    let new: Vec<NewRight> = together.values().cloned().collect();
    let outcomes = opened.add(&new).await?;
    let after = held(&opened.rights().await?);
    let outcomes: BTreeMap<_, _> = together.into_keys().zip(outcomes).collect();
    let added = outcomes.values().filter(|outcome| matches!(outcome, Ok(Granted::Added))).count();
    let mut became: HashMap<usize, Became> = HashMap::new();
    for (row, right) in rights {
        let key = key(right);
        let has = after.get(&key).copied().unwrap_or_default();
        let one = match &outcomes[&key] {
            Err(error) => Became::Failed(error.to_string()),
            Ok(_) if !has.has(right.letters) => {
                let lacks = right.letters.without(has).to_string();
                Became::Failed(format!("the server took the right to {} and does not show {lacks:?}", right.folder))
            }
            Ok(Granted::Added) => Became::Given,
            Ok(Granted::WasThere) => Became::WasThere,
        };
        worse(&mut became, *row, one);
    }
    Ok((became, added))
}

/// Of several folders of a row, what became of the worst counts; given goes before was there.
pub(super) fn worse(became: &mut HashMap<usize, Became>, row: usize, one: Became) {
    let weight = |became: &Became| match became {
        Became::WasThere => 0,
        Became::Given => 1,
        Became::ByHand(_) => 2,
        Became::Waits(_) => 3,
        Became::Failed(_) => 4,
    };
    match became.get(&row) {
        Some(there) if weight(there) >= weight(&one) => {}
        _ => drop(became.insert(row, one)),
    }
}
