//! The members of the scope group, those of groups within it too, whatever circles they go in.

use std::collections::{BTreeSet, HashMap, HashSet};

use connector::Error;
use ldap3::Scope as Within;
use model::{Cause, Scope};

use super::ranges;
use super::root::Root;
use super::scope::Members;
use super::tell::{Reading, place_attribute};
use crate::config::{Config, Kind};
use crate::map::attributes::Field;
use crate::map::entry::Map;
use crate::wire::connection::{Connection, Search};
use crate::wire::dn::Dn;
use crate::wire::{filter, result};

/// Names asked about at once.
const AT_ONCE: usize = 50;

/// Classes of groups that have members by their names.
const GROUPS: [&str; 4] = ["group", "groupOfNames", "groupOfUniqueNames", "groupOfMembers"];

/// Everyone in this group, directly or by a group within it. The group itself is not.
pub(crate) async fn members(
    connection: &mut Connection,
    (config, map, root): (&Config, &Map, &Root),
    group: &str,
) -> Result<Members, Error> {
    let attributes: Vec<String> = map.attributes.of_field(Field::Members).to_vec();
    let mut asked: Vec<String> = vec!["objectGUID".to_owned()];
    let is_ad = config.kind == Kind::ActiveDirectory;
    asked.extend(attributes.iter().map(|name| match config.range_values {
        Some(_) if is_ad => ranges::asked(name, 0, config.range_values),
        _ => name.clone(),
    }));
    let mut members: Members = HashMap::new();
    let mut to_read = vec![group.to_owned()];
    let mut read = HashSet::new();
    while let Some(name) = to_read.pop() {
        let digest = Dn::parse(&name).map(|dn| dn.digest());
        if !read.insert(digest) {
            continue;
        }
        let Some(mut entry) = connection.entry(&name, &asked).await? else {
            if name == group {
                let what = format!("scope_group: there is no {group:?}, or it may not be read");
                return Err(Error::new(Cause::Missing, Scope::Run, what));
            }
            continue;
        };
        connection.complete(&mut entry, config.kind, &attributes, config.range_values).await?;
        let mut new = Vec::new();
        for value in attributes.iter().flat_map(|name| entry.texts(name)) {
            let Some(dn) = Dn::parse(value) else { continue };
            if members.insert(dn.digest(), value.to_owned()).is_none() {
                new.push((value.to_owned(), dn));
            }
        }
        to_read.extend(groups_among(connection, config.kind, root, &new).await?);
    }
    if let Some(dn) = Dn::parse(group) {
        members.remove(&dn.digest());
    }
    Ok(members)
}

/// Which of these are groups.
async fn groups_among(
    connection: &mut Connection,
    kind: Kind,
    root: &Root,
    names: &[(String, Dn)],
) -> Result<Vec<String>, Error> {
    let is_group = filter::any(GROUPS.map(|class| filter::equals("objectClass", class.as_bytes())));
    let mut groups = Vec::new();
    for (context, _) in &root.contexts {
        let here: Vec<&String> = names
            .iter()
            .filter(|(_, dn)| root.context_of(dn).is_some_and(|of| of == context))
            .map(|(name, _)| name)
            .collect();
        for names in here.chunks(AT_ONCE) {
            let places = names.iter().map(|name| filter::equals(place_attribute(kind), name.as_bytes()));
            let filter = filter::all([is_group.clone(), filter::any(places)]);
            let attributes = ["1.1".to_owned()];
            let search = Search { base: context, within: Within::Subtree, filter: &filter, attributes: &attributes };
            let (entries, answer) = connection.entries(search, Vec::new()).await?;
            if answer.rc != 0 {
                return Err(result::refusal("cannot tell which members of scope_group are groups", &answer));
            }
            groups.extend(entries.into_iter().map(|entry| entry.dn));
        }
    }
    Ok(groups)
}

impl Reading<'_> {
    /// Tells who came into the scope group, and gives who may have left it. Those did not change themselves, so no feed
    /// tells of them.
    pub(crate) async fn follow_group(&mut self) -> Result<BTreeSet<String>, Error> {
        let Some(members) = &self.scope.members else { return Ok(BTreeSet::new()) };
        let known: HashSet<u64> = self.told.values().map(|told| told.place).collect();
        let joined: Vec<String> =
            members.iter().filter(|(place, _)| !known.contains(place)).map(|(_, name)| name.clone()).collect();
        let left = self.told.iter().filter(|(_, told)| !members.contains_key(&told.place));
        let left: BTreeSet<String> = left.map(|(key, _)| key.clone()).collect();
        self.take_by_places(&joined).await?;
        Ok(left)
    }
}
