//! Comparing which entries there are, and where they stand, with those that were told: how it is found out what is gone, what
//! came into scope, and what stands elsewhere since something above it moved, where nothing tells. It costs an entry with its
//! key alone for each that is in scope.

use std::collections::{BTreeMap, BTreeSet};

use connector::Error;
use ldap3::Scope as Within;

use super::tell::{Pages, Reading};
use crate::map::attributes::Field;
use crate::wire::connection::Search;
use crate::wire::dn::Dn;

impl Reading<'_> {
    /// Tells what is there and was not told, or was told of another place. Gives what was told and is not there.
    pub(crate) async fn compare_keys(&mut self) -> Result<BTreeSet<String>, Error> {
        let attributes = self.map.attributes.of_field(Field::Key).to_vec();
        let filter = self.scope.filter.clone();
        let mut there = BTreeMap::new();
        for base in 0..self.scope.bases.len() {
            let name = self.scope.bases[base].0.clone();
            let search = Search { base: &name, within: Within::Subtree, filter: &filter, attributes: &attributes };
            let mut pages = Pages::default();
            while let Some(entries) = self.page(search, &mut pages).await? {
                for entry in entries {
                    let place = Dn::parse(&entry.dn).map_or(0, |dn| dn.digest());
                    if self.scope.has_member(place) {
                        there.extend(self.map.key(&entry).map(|key| (key, place)));
                    }
                }
            }
        }
        let is_fresh = |(key, place): &(&String, &u64)| self.told.get(*key).is_none_or(|told| told.place != **place);
        let fresh: BTreeSet<String> = there.iter().filter(is_fresh).map(|(key, _)| key.clone()).collect();
        let missing = self.told.keys().filter(|key| !there.contains_key(*key)).cloned().collect();
        self.take_by_keys(&fresh).await?;
        Ok(missing)
    }
}
