//! mbox files pass what the suite asks of a source. They are filled by a target that only these tests have: it writes whole
//! files of mboxrd in Dovecot's layout, as programs do that write a file anew at each change.
//!
//! Left out are the behaviours of a target (intents, doors, moves, removed folders), and those that want items back in the
//! order they were put in whatever their dates: here they come in the order of their dates. `files.rs` has these two.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::writer::{Written, mboxrd};
use async_trait::async_trait;
use conformance::suite::Fixture;
use connector::{
    Account, Batch, Connector, Declaration, Door, Error, Finding, FlagChange, Folder, Holds, ItemOutcome, Known,
    ListedItem, Moved, NewFolder, Offers, Outcome, Quota, ReadFolder, Reading, Removal, Source, StoreProof,
    SystemClock, Target, mutf7,
};
use mbox::{Dialect, Layout, MboxConfig, MboxConnector};
use model::{Cause, Flags, FolderPath, FolderState, ItemId, Scope};

type Kept = Arc<Mutex<BTreeMap<FolderPath, Vec<Written>>>>;

struct Files {
    folder: tempfile::TempDir,
    people: AtomicUsize,
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), people: AtomicUsize::new(0), kept: Arc::default() }
    }
}

struct Writing {
    reads: MboxConnector,
    folder: PathBuf,
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
}

#[async_trait]
impl Fixture for Files {
    fn connector(&self) -> Arc<dyn Connector> {
        let config = MboxConfig {
            path: "{source}/mail".to_owned(),
            dialect: Dialect::Mboxrd,
            layout: Layout::Dovecot,
            base: self.folder.path().to_owned(),
            ..MboxConfig::default()
        };
        let reads = MboxConnector::new(config, Arc::new(SystemClock));
        Arc::new(Writing { reads, folder: self.folder.path().to_owned(), kept: self.kept.clone() })
    }

    async fn mailbox(&self) -> Account {
        let account = Account::named(format!("person {}", self.people.fetch_add(1, Ordering::SeqCst)));
        let mail = self.folder.path().join(&account.name).join("mail");
        std::fs::create_dir_all(&mail).unwrap();
        std::fs::write(mail.join("INBOX"), "").unwrap();
        account
    }
}

#[async_trait]
impl Connector for Writing {
    fn declaration(&self) -> Declaration {
        self.reads.declaration()
    }

    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error> {
        self.reads.source(account).await
    }

    async fn target(&self, account: &Account, _: Arc<dyn Door>) -> Result<Box<dyn Target>, Error> {
        let source = self.reads.source(account).await?;
        let kept = self.kept.lock().unwrap().entry(account.name.clone()).or_default().clone();
        let root = self.folder.join(&account.name).join("mail");
        Ok(Box::new(Writer { source, root, kept, outcomes: Vec::new() }))
    }

    async fn check(&self, account: Option<&Account>) -> Vec<Finding> {
        self.reads.check(account).await
    }
}

struct Writer {
    source: Box<dyn Source>,
    root: PathBuf,
    kept: Kept,
    outcomes: Vec<Outcome>,
}

impl Writer {
    fn place(&self, path: &FolderPath) -> PathBuf {
        path.names().iter().fold(self.root.clone(), |place, name| place.join(mutf7::encode(name, |c| "./".contains(c))))
    }

    /// Writes a folder's file anew.
    fn write(&self, path: &FolderPath) {
        let kept = self.kept.lock().unwrap();
        std::fs::write(self.place(path), mboxrd(&kept[path])).unwrap();
    }

    /// Which id each message has that was put into a folder.
    async fn ids(&mut self, path: &FolderPath) -> Vec<ItemId> {
        let holds = Holds::new(connector::HoldsLimits::default());
        let plan = vec![ReadFolder { path: path.clone(), since: None }];
        let mut there = Vec::new();
        let mut reading = self.source.read(plan, &holds).await.unwrap();
        loop {
            let events = reading.next().await.unwrap();
            if events.is_empty() {
                break;
            }
            for event in events {
                if let connector::Event::Item(item) = event {
                    let bytes = item.body.to_vec().await.unwrap();
                    there.push((item.id, bytes, item.received.unwrap().unix_seconds));
                }
            }
        }
        let kept = self.kept.lock().unwrap();
        let mut ids = Vec::new();
        for written in &kept[path] {
            let place = there.iter().position(|(_, bytes, at)| *bytes == written.bytes && *at == written.received);
            ids.push(there.remove(place.unwrap()).0);
        }
        ids
    }
}

#[async_trait]
impl Source for Writer {
    fn offers(&self) -> &Offers {
        self.source.offers()
    }
    fn proof(&self) -> &StoreProof {
        self.source.proof()
    }
    async fn folders(&mut self) -> Result<Vec<Folder>, Error> {
        self.source.folders().await
    }
    async fn read<'s>(&'s mut self, plan: Vec<ReadFolder>, holds: &Holds) -> Result<Box<dyn Reading + 's>, Error> {
        self.source.read(plan, holds).await
    }
    async fn items<'s>(
        &'s mut self,
        folder: &FolderPath,
        ids: &[ItemId],
        holds: &Holds,
    ) -> Result<Box<dyn Reading + 's>, Error> {
        self.source.items(folder, ids, holds).await
    }
    async fn state(&mut self, folder: &FolderPath) -> Result<FolderState, Error> {
        self.source.state(folder).await
    }
    async fn list(&mut self, folder: &FolderPath) -> Result<Vec<(ItemId, Flags)>, Error> {
        self.source.list(folder).await
    }
    async fn sizes(&mut self, folder: &ReadFolder) -> Result<Vec<ListedItem>, Error> {
        self.source.sizes(folder).await
    }
    async fn quota(&mut self) -> Result<Quota, Error> {
        self.source.quota().await
    }
    async fn close(&mut self) {}
}

#[async_trait]
impl Target for Writer {
    async fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<(), Error>>, Error> {
        let mut results = Vec::new();
        for folder in folders {
            let place = self.place(&folder.path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            let made = std::fs::OpenOptions::new().append(true).create(true).open(&place);
            if let Err(error) = made {
                results.push(Err(Error::new(Cause::FolderRefused, Scope::Folder, error.to_string())));
                continue;
            }
            self.kept.lock().unwrap().entry(folder.path.clone()).or_default();
            self.subscribe(&folder.path, folder.subscribe).await?;
            results.push(Ok(()));
        }
        Ok(results)
    }

    async fn submit(&mut self, mut batch: Batch) -> Result<(), Error> {
        batch.ready.wait().await?;
        let mut items = Vec::new();
        if !self.kept.lock().unwrap().contains_key(&batch.folder) {
            let error = Error::new(Cause::Missing, Scope::Folder, "no such folder");
            items = vec![ItemOutcome::Refused(error); batch.items.len()];
        }
        for item in batch.items.iter().take(batch.items.len() - items.len()) {
            let bytes = item.body.to_vec().await.unwrap();
            let received = item.received.unwrap().unix_seconds;
            let written = Written { bytes, flags: item.flags.clone(), received };
            self.kept.lock().unwrap().get_mut(&batch.folder).unwrap().push(written);
        }
        if items.is_empty() {
            self.write(&batch.folder);
            items = vec![ItemOutcome::Stored(None); batch.items.len()];
        }
        self.outcomes.push(Outcome { items, validity: None });
        Ok(())
    }

    async fn outcome(&mut self) -> Result<Outcome, Error> {
        Ok(self.outcomes.remove(0))
    }

    fn batches_in_flight_max(&self) -> usize {
        1
    }

    async fn since(&mut self, folder: &FolderPath, _: &FolderState) -> Result<Vec<(ItemId, Flags)>, Error> {
        self.source.list(folder).await
    }

    async fn change_flags(&mut self, folder: Known<'_>, changes: &[FlagChange]) -> Result<Vec<Option<Flags>>, Error> {
        let ids = self.ids(folder.path).await;
        let mut results = Vec::new();
        for change in changes {
            let place = ids.iter().position(|id| *id == change.id);
            let mut kept = self.kept.lock().unwrap();
            results.push(place.map(|place| {
                let written = &mut kept.get_mut(folder.path).unwrap()[place];
                written.flags = written.flags.without(&change.take).union(&change.add);
                written.flags.clone()
            }));
        }
        self.write(folder.path);
        Ok(results)
    }

    async fn flags(&mut self, folder: Known<'_>, ids: &[ItemId]) -> Result<Vec<Option<Flags>>, Error> {
        let listed: BTreeMap<ItemId, Flags> = self.source.list(folder.path).await?.into_iter().collect();
        Ok(ids.iter().map(|id| listed.get(id).cloned()).collect())
    }

    async fn move_items(&mut self, _: Known<'_>, _: &FolderPath, _: &[ItemId]) -> Result<Vec<Moved>, Error> {
        Err(Error::new(Cause::Unsupported, Scope::Folder, "not here"))
    }

    async fn subscribe(&mut self, folder: &FolderPath, subscribed: bool) -> Result<(), Error> {
        let (file, name) = (self.root.join(".subscriptions"), self.place(folder));
        let name = name.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut names: BTreeSet<&str> = text.lines().collect();
        if subscribed {
            names.insert(&name)
        } else {
            names.remove(name.as_str())
        };
        std::fs::write(file, names.into_iter().map(|name| format!("{name}\n")).collect::<String>()).unwrap();
        Ok(())
    }

    async fn remove_folder(&mut self, _: &FolderPath) -> Result<bool, Error> {
        Ok(false)
    }

    async fn remove(&mut self, folder: Known<'_>, ids: &[ItemId], _: Option<u64>) -> Result<Vec<Removal>, Error> {
        let known = self.ids(folder.path).await;
        let mut kept = self.kept.lock().unwrap();
        let messages = std::mem::take(kept.get_mut(folder.path).unwrap());
        let left = messages.into_iter().zip(known).filter(|(_, id)| !ids.contains(id)).map(|(message, _)| message);
        *kept.get_mut(folder.path).unwrap() = left.collect();
        drop(kept);
        self.write(folder.path);
        Ok(vec![Removal::Gone; ids.len()])
    }
}

conformance::connector_tests!(
    Some(Files::new());
    duplicates_stay_as_many_as_they_are,
    odd_folder_names_are_kept_or_refused,
    folders_are_made_once_and_can_be_empty_and_deep,
    special_use_and_subscription_are_kept_where_offered,
    reading_changes_nothing,
    an_unchanged_folder_shows_it_and_a_changed_one_too,
    a_cursor_leads_to_what_came_after,
    the_cursor_of_each_item_leads_on_from_there,
    changed_flags_and_removed_items_are_told,
    a_cursor_of_another_validity_reads_everything,
    items_are_read_by_their_ids,
    a_missing_folder_does_not_hold_up_the_others,
    many_items_stay_in_order,
    sizes_are_those_of_what_is_read,
    sizes_after_a_cursor_are_those_of_what_came_after,
    what_a_mailbox_uses_grows_by_what_is_put_into_it,
    an_account_that_is_not_there_is_an_error_of_one_mailbox,
    the_check_finds_it_well,
    every_declared_kind_is_held,
    a_folder_is_followed_and_no_longer,
);
