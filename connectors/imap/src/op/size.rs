//! Sizes without bodies: what a FETCH says of messages, and what a quota allows (RFC 9208).

use std::collections::BTreeMap;

use connector::{Allowance, Error, ListedItem, Quota, ReadFolder};
use model::ItemId;

use super::read::{lists_too_few, refused};
use super::select::Mode;
use crate::map::cursor::Place;
use crate::session::Session;
use crate::wire::command::Command;
use crate::wire::fetch;
use crate::wire::mailbox::{QuotaResource, quota};
use crate::wire::response::Response;
use crate::wire::set::UidSet;

/// What is asked of each message.
const ITEMS: &str = "(UID FLAGS INTERNALDATE RFC822.SIZE)";

/// STORAGE of a quota is counted in units of this many bytes (RFC 9208).
const STORAGE_UNIT: u64 = 1024;

impl Session {
    /// The messages that a cursor does not cover, with sizes and dates.
    pub(crate) async fn list_sizes(&mut self, folder: &ReadFolder) -> Result<Vec<ListedItem>, Error> {
        let path = &folder.path;
        let opened = self.select(path, Mode::Read).await?;
        let since = folder.since.as_ref().and_then(Place::of);
        let since = since.filter(|place| place.validity == opened.validity && !place.is_ahead_of(&opened.state()));
        let from = since.map_or(1, |place| u32::try_from(place.next.max(1)).unwrap_or(u32::MAX));
        let exists = opened.exists.unwrap_or(0);
        if exists == 0 || (opened.next != 0 && opened.next <= from) {
            return Ok(Vec::new());
        }
        let mut items: BTreeMap<u32, ListedItem> = BTreeMap::new();
        let mut removed: Vec<UidSet> = Vec::new();
        let mut expunged = 0u64;
        let on = |response: &Response<'_>| {
            expunged += u64::from(response.numbered("EXPUNGE").is_some());
            removed.extend(response.vanished().map(|(uids, _)| uids));
            let Some((_, rest)) = response.numbered("FETCH") else { return };
            let fetched = fetch::parse(rest);
            // News of flags that nobody asked for say no size.
            let (Some(uid), Some(size_bytes)) = (fetched.uid, fetched.size) else { return };
            let (flags, received) = (fetched.flags.unwrap_or_default(), fetched.internal_date);
            items.insert(uid, ListedItem { id: ItemId::from_u32(uid), size_bytes, received, flags });
        };
        let completion = self.run(&Command::new("UID FETCH").words(format!("{from}:* {ITEMS}")), on).await?;
        if !completion.is_ok() {
            return Err(refused(self, path, &completion));
        }
        // `n:*` also gives the last message below n.
        items.retain(|uid, _| *uid >= from);
        let gone = expunged + removed.iter().map(UidSet::len).sum::<u64>();
        if from == 1 && (items.len() as u64).saturating_add(gone) < u64::from(exists) {
            return Err(lists_too_few(&self.place(path)));
        }
        items.retain(|uid, _| !removed.iter().any(|uids| uids.contains(*uid)));
        Ok(items.into_values().collect())
    }

    /// What the quota roots of INBOX allow. A server that refuses to say has none for us.
    pub(crate) async fn ask_quota(&mut self) -> Result<Quota, Error> {
        if !self.capabilities.has("QUOTA") {
            return Ok(Quota::default());
        }
        let mut all = Quota::default();
        let on = |response: &Response<'_>| {
            if let Some((_, resources)) = response.data("QUOTA").and_then(quota) {
                for resource in &resources {
                    allow(&mut all, resource);
                }
            }
        };
        self.run(&Command::new("GETQUOTAROOT INBOX"), on).await?;
        Ok(all)
    }
}

/// What a resource allows, where it is about bytes or messages.
fn allow(all: &mut Quota, resource: &QuotaResource) {
    let allowance = |unit: u64| Allowance {
        used: resource.usage.saturating_mul(unit),
        max: resource.limit.saturating_mul(unit),
        unit,
    };
    match resource.name.to_ascii_uppercase().as_str() {
        "STORAGE" => all.bytes.push(allowance(STORAGE_UNIT)),
        "MESSAGE" => all.items.push(allowance(1)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_root_counts_for_itself() {
        let resource = |name: &str, usage, limit| QuotaResource { name: name.to_owned(), usage, limit };
        let mut all = Quota::default();
        for resource in [
            resource("STORAGE", 10, 100),
            resource("storage", 95, 150),
            resource("MESSAGE", 7, 8),
            resource("MAILBOX", 1, 1),
            resource("STORAGE", u64::MAX, u64::MAX),
        ] {
            allow(&mut all, &resource);
        }
        let kib = |used: u64, max: u64| Allowance { used: used * 1024, max: max * 1024, unit: 1024 };
        let hostile = Allowance { used: u64::MAX, max: u64::MAX, unit: 1024 };
        assert_eq!(all.bytes, [kib(10, 100), kib(95, 150), hostile]);
        assert_eq!(all.items, [Allowance { used: 7, max: 8, unit: 1 }]);
        assert_eq!(kib(200, 100).free(), 0);
    }
}
