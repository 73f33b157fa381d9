//! The connector to the in-memory platform.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use model::{Cause, Flags, FolderPath, ItemId, Loss, Scope};

use super::platform::{MemoryItem, Platform, Traits};
use super::wire::{Dial, PutItem, Request, Response, Wire};
use crate::{
    Account, Batch, Connector, Cursor, Declaration, Door, Effect, Error, Event, Finding, FlagChange, Folder,
    FolderState, Holds, Item, ItemOutcome, Known, ListedItem, Moved, NewFolder, Offers, OpenDoor, Outcome, Quota,
    ReadFolder, Reading, Removal, Source, StoreProof, Target, Topic,
};

/// Items are fetched in windows of this many.
const WINDOW: usize = 50;

/// Opens mailboxes of an in-memory platform.
#[derive(Clone)]
pub struct MemoryConnector {
    dial: Arc<dyn Dial>,
    traits: Traits,
}

impl MemoryConnector {
    /// To a platform in this process.
    pub fn new(platform: &Platform) -> Self {
        Self { dial: Arc::new(platform.clone()), traits: platform.traits().clone() }
    }

    /// To a platform with these traits that is reached by dialling.
    pub fn dialling(dial: Arc<dyn Dial>, traits: Traits) -> Self {
        Self { dial, traits }
    }

    async fn open(&self, account: &Account, door: Arc<dyn Door>) -> Result<Opened, Error> {
        let mut wire = self.dial.dial().await?;
        match ask(wire.as_mut(), Request::Open(account.name.clone())).await? {
            Response::Opened(offers) => Ok(Opened {
                wire,
                door,
                offers,
                kinds_whole: self.traits.batches_whole,
                proof: StoreProof {
                    evidence: format!("the platform opened the mailbox of {} itself", account.name),
                    store_id: Some(account.name.clone()),
                },
                outcomes: VecDeque::new(),
            }),
            other => Err(unexpected(&other)),
        }
    }
}

#[async_trait]
impl Connector for MemoryConnector {
    fn declaration(&self) -> Declaration {
        let mut losses = self.traits.refuses.clone();
        if !self.traits.special_use {
            losses.push(Loss::SpecialUse);
        }
        Declaration { platform: "in memory", kinds: self.traits.kinds.clone(), writes: true, losses }
    }

    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error> {
        Ok(Box::new(self.open(account, Arc::new(OpenDoor)).await?))
    }

    async fn target(&self, account: &Account, door: Arc<dyn Door>) -> Result<Box<dyn Target>, Error> {
        Ok(Box::new(self.open(account, door).await?))
    }

    async fn check(&self, account: Option<&Account>) -> Vec<Finding> {
        let mut findings = vec![Finding::well(Topic::Reach, "the in-memory platform is in this process")];
        if let Some(account) = account {
            findings.push(match self.open(account, Arc::new(OpenDoor)).await {
                Ok(opened) => Finding::well(Topic::Store, opened.proof.evidence),
                Err(error) => Finding::wrong(Topic::Login, &error),
            });
        }
        findings
    }
}

struct Opened {
    wire: Box<dyn Wire>,
    door: Arc<dyn Door>,
    offers: Offers,
    kinds_whole: bool,
    proof: StoreProof,
    outcomes: VecDeque<Outcome>,
}

fn unexpected(response: &Response) -> Error {
    match response {
        Response::Failed(error) => error.clone(),
        _ => Error::new(Cause::Protocol, Scope::Connection, "the platform gave an answer of another kind"),
    }
}

async fn ask(wire: &mut dyn Wire, request: Request) -> Result<Response, Error> {
    wire.send(request).await?;
    match wire.receive().await? {
        Response::Failed(error) => Err(error),
        response => Ok(response),
    }
}

macro_rules! expect {
    ($answer:expr, $pattern:pat => $value:expr) => {
        match $answer {
            $pattern => Ok($value),
            other => Err(unexpected(&other)),
        }
    };
}

impl Opened {
    /// Asks for something that has an effect.
    async fn effect(&mut self, effect: Effect, request: Request) -> Result<Response, Error> {
        self.door.before(effect)?;
        self.wire.send(request).await?;
        self.door.after(effect);
        match self.wire.receive().await.map_err(|error| Error { cause: Cause::InDoubt, ..error })? {
            Response::Failed(error) => Err(error),
            response => Ok(response),
        }
    }
}

fn numbered<T>(list: Vec<(u32, T)>) -> Vec<(ItemId, T)> {
    list.into_iter().map(|(id, value)| (ItemId::from_u32(id), value)).collect()
}

/// A cursor: validity, the first id not covered, and the change up to which flags are known.
#[derive(Clone, Copy)]
struct Place {
    validity: u64,
    next: u32,
    change: u64,
}

impl Place {
    fn cursor(self) -> Cursor {
        let mut bytes = self.validity.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.next.to_be_bytes());
        bytes.extend_from_slice(&self.change.to_be_bytes());
        Cursor(bytes.into())
    }

    fn of(cursor: &Cursor) -> Option<Self> {
        let (validity, rest) = cursor.0.split_first_chunk::<8>()?;
        let (next, rest) = rest.split_first_chunk::<4>()?;
        let change: &[u8; 8] = rest.try_into().ok()?;
        Some(Self {
            validity: u64::from_be_bytes(*validity),
            next: u32::from_be_bytes(*next),
            change: u64::from_be_bytes(*change),
        })
    }
}

#[async_trait]
impl Source for Opened {
    fn offers(&self) -> &Offers {
        &self.offers
    }

    fn proof(&self) -> &StoreProof {
        &self.proof
    }

    async fn folders(&mut self) -> Result<Vec<Folder>, Error> {
        expect!(ask(self.wire.as_mut(), Request::Folders).await?, Response::Folders(folders) => folders)
    }

    async fn read<'s>(&'s mut self, plan: Vec<ReadFolder>, holds: &Holds) -> Result<Box<dyn Reading + 's>, Error> {
        let plan = plan.into_iter().enumerate().collect();
        Ok(Box::new(FolderReading { opened: self, holds: holds.clone(), plan, current: None }))
    }

    async fn items<'s>(
        &'s mut self,
        folder: &FolderPath,
        ids: &[ItemId],
        holds: &Holds,
    ) -> Result<Box<dyn Reading + 's>, Error> {
        let ids = ids.iter().filter_map(ItemId::as_u32).collect();
        Ok(Box::new(ItemReading { opened: self, holds: holds.clone(), folder: folder.clone(), ids }))
    }

    async fn state(&mut self, folder: &FolderPath) -> Result<FolderState, Error> {
        expect!(ask(self.wire.as_mut(), Request::State(folder.clone())).await?, Response::State(state) => state)
    }

    async fn list(&mut self, folder: &FolderPath) -> Result<Vec<(ItemId, Flags)>, Error> {
        expect!(ask(self.wire.as_mut(), Request::List(folder.clone())).await?, Response::List(list) => numbered(list))
    }

    async fn sizes(&mut self, folder: &ReadFolder) -> Result<Vec<ListedItem>, Error> {
        let since = folder.since.as_ref().and_then(Place::of).map(|place| (place.validity, place.next));
        let request = Request::Sizes(folder.path.clone(), since);
        expect!(ask(self.wire.as_mut(), request).await?, Response::Sizes(items) => items)
    }

    async fn quota(&mut self) -> Result<Quota, Error> {
        expect!(ask(self.wire.as_mut(), Request::Quota).await?, Response::Quota(quota) => quota)
    }

    async fn close(&mut self) {}
}

async fn hold(holds: &Holds, id: u32, item: MemoryItem, then: Option<Cursor>) -> Event {
    let body = async {
        let mut holding = holds.reserve(item.bytes.len() as u64).await?;
        holding.write(&item.bytes).await?;
        holding.finish().await
    };
    let id = ItemId::from_u32(id);
    match body.await {
        Ok(body) => {
            let received = Some(item.received);
            Event::Item(Item { id, kind: item.kind, flags: item.flags, received, body, then })
        }
        Err(error) => Event::Unreadable { id, error },
    }
}

struct Current {
    path: FolderPath,
    state: FolderState,
    place: Place,
    listed_all: bool,
}

struct FolderReading<'s> {
    opened: &'s mut Opened,
    holds: Holds,
    plan: VecDeque<(usize, ReadFolder)>,
    current: Option<Current>,
}

impl FolderReading<'_> {
    /// Opens the next folder of the plan: its beginning and what changed among the items known.
    async fn begin(&mut self, index: usize, folder: ReadFolder) -> Result<Vec<Event>, Error> {
        let wire = self.opened.wire.as_mut();
        let path = folder.path;
        let answer = ask(wire, Request::State(path.clone())).await;
        let state = match answer {
            Ok(answer) => expect!(answer, Response::State(state) => state)?,
            Err(error) if error.ends_session() => return Err(error),
            Err(error) => {
                let begin = Event::Begin { folder: index, state: FolderState::default() };
                return Ok(vec![begin, Event::Skipped { error }]);
            }
        };
        let mut events = vec![Event::Begin { folder: index, state }];
        let since = folder.since.as_ref().and_then(Place::of).filter(|place| place.validity == state.validity);
        let mut listed_all = false;
        if let Some(place) = since {
            let mut tells_gone = false;
            // A restored backup has forgotten changes that we know.
            let is_behind = state.next < u64::from(place.next) || state.change < place.change;
            if place.change != 0 && state.change != 0 && !is_behind {
                let answer = ask(wire, Request::Changes(path.clone(), place.change)).await?;
                let (flags, gone) = expect!(answer, Response::Changes(flags, gone) => (flags, gone))?;
                let known = flags.into_iter().filter(|(id, _)| *id < place.next).collect();
                events.push(Event::Flags(numbered(known)));
                tells_gone = gone.is_some();
                events.push(Event::Gone(gone.into_iter().flatten().map(ItemId::from_u32).collect()));
            }
            if !tells_gone {
                let list = expect!(ask(wire, Request::List(path.clone())).await?, Response::List(list) => list)?;
                let known = list.into_iter().filter(|(id, _)| *id < place.next).collect();
                events.push(Event::Flags(numbered(known)));
                listed_all = true;
            }
        }
        let next = since.map_or(1, |place| place.next);
        let place = Place { validity: state.validity, next, change: state.change };
        self.current = Some(Current { path, state, place, listed_all });
        Ok(events)
    }

    /// The next window of new items, or the folder's end.
    async fn go_on(&mut self, mut current: Current) -> Result<Vec<Event>, Error> {
        let request = Request::Items(current.path.clone(), current.place.next, WINDOW);
        let items = match ask(self.opened.wire.as_mut(), request).await {
            Ok(answer) => expect!(answer, Response::Items(items) => items)?,
            Err(error) if error.ends_session() => return Err(error),
            Err(error) => return Ok(vec![Event::Skipped { error }]),
        };
        if items.is_empty() {
            let Current { place, state, listed_all, .. } = current;
            return Ok(vec![Event::End { cursor: place.cursor(), state, listed_all }]);
        }
        let mut events = Vec::new();
        for (id, item) in items {
            current.place.next = id + 1;
            events.push(hold(&self.holds, id, item, Some(current.place.cursor())).await);
        }
        self.current = Some(current);
        Ok(events)
    }
}

#[async_trait]
impl Reading for FolderReading<'_> {
    async fn next(&mut self) -> Result<Vec<Event>, Error> {
        if let Some(current) = self.current.take() {
            return self.go_on(current).await;
        }
        match self.plan.pop_front() {
            Some((index, folder)) => self.begin(index, folder).await,
            None => Ok(Vec::new()),
        }
    }
}

/// Reads items of one folder.
struct ItemReading<'s> {
    opened: &'s mut Opened,
    holds: Holds,
    folder: FolderPath,
    ids: VecDeque<u32>,
}

#[async_trait]
impl Reading for ItemReading<'_> {
    async fn next(&mut self) -> Result<Vec<Event>, Error> {
        while let Some(wanted) = self.ids.pop_front() {
            let request = Request::Items(self.folder.clone(), wanted, 1);
            let items = expect!(ask(self.opened.wire.as_mut(), request).await?, Response::Items(items) => items)?;
            if let Some((id, item)) = items.into_iter().find(|(id, _)| *id == wanted) {
                return Ok(vec![hold(&self.holds, id, item, None).await]);
            }
        }
        Ok(Vec::new())
    }
}

#[async_trait]
impl Target for Opened {
    async fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<(), Error>>, Error> {
        let mut results = Vec::new();
        for folder in folders {
            match self.effect(Effect::Create, Request::Create(folder.clone())).await {
                Ok(_) => results.push(Ok(())),
                Err(error) if error.ends_session() => return Err(error),
                Err(error) => results.push(Err(error)),
            }
        }
        Ok(results)
    }

    async fn submit(&mut self, mut batch: Batch) -> Result<(), Error> {
        let mut puts = VecDeque::new();
        for item in &batch.items {
            let bytes = item.body.to_vec().await?;
            puts.push_back(PutItem { kind: item.kind, bytes, flags: item.flags.clone(), received: item.received });
        }
        let together = if self.kinds_whole { puts.len() } else { 1 };
        let mut outcome = Outcome { items: Vec::new(), validity: None };
        let mut doubt: Option<Error> = None;
        while !puts.is_empty() {
            let part: Vec<PutItem> = puts.drain(..together.min(puts.len())).collect();
            let count = part.len();
            if let Some(error) = &doubt {
                outcome.items.extend(vec![ItemOutcome::InDoubt(error.clone()); count]);
                continue;
            }
            for put in part {
                self.door.before(Effect::Literal)?;
                ask(self.wire.as_mut(), Request::Stage(put)).await?;
                self.door.after(Effect::Literal);
            }
            batch.ready.wait().await?;
            match self.effect(Effect::Append, Request::Append(batch.folder.clone())).await {
                Ok(Response::Appended(validity, results)) => {
                    outcome.validity = Some(validity);
                    let told = self.offers.ids_on_append;
                    outcome.items.extend(results.into_iter().map(|result| match result {
                        Ok(id) => ItemOutcome::Stored(told.then(|| ItemId::from_u32(id))),
                        Err(error) => ItemOutcome::Refused(error),
                    }));
                }
                Ok(other) => return Err(unexpected(&other)),
                Err(error) if error.cause == Cause::LeaseLapsed => return Err(error),
                Err(error) if error.ends_session() => {
                    outcome.items.extend(vec![ItemOutcome::InDoubt(error.clone()); count]);
                    doubt = Some(error);
                }
                Err(error) => outcome.items.extend(vec![ItemOutcome::Refused(error); count]),
            }
        }
        self.outcomes.push_back(outcome);
        Ok(())
    }

    async fn outcome(&mut self) -> Result<Outcome, Error> {
        self.outcomes.pop_front().ok_or_else(|| Error::new(Cause::Internal, Scope::Mailbox, "no batch is on its way"))
    }

    fn batches_in_flight_max(&self) -> usize {
        2
    }

    async fn since(&mut self, folder: &FolderPath, mark: &FolderState) -> Result<Vec<(ItemId, Flags)>, Error> {
        let validity = self.state(folder).await?.validity;
        let list = self.list(folder).await?;
        let may_be_new = |id: &ItemId| validity != mark.validity || u64::from(id.as_u32().unwrap_or(0)) >= mark.next;
        Ok(list.into_iter().filter(|(id, _)| may_be_new(id)).collect())
    }

    async fn change_flags(&mut self, folder: Known<'_>, changes: &[FlagChange]) -> Result<Vec<Option<Flags>>, Error> {
        let request = Request::ChangeFlags(folder.path.clone(), folder.validity, changes.to_vec());
        expect!(self.effect(Effect::Flags, request).await?, Response::Flags(flags) => flags)
    }

    async fn flags(&mut self, folder: Known<'_>, ids: &[ItemId]) -> Result<Vec<Option<Flags>>, Error> {
        let list: HashMap<ItemId, Flags> = self.list(folder.path).await?.into_iter().collect();
        folder.require(self.state(folder.path).await?.validity)?;
        Ok(ids.iter().map(|id| list.get(id).cloned()).collect())
    }

    async fn move_items(&mut self, from: Known<'_>, to: &FolderPath, ids: &[ItemId]) -> Result<Vec<Moved>, Error> {
        let request = Request::Move(from.path.clone(), from.validity, to.clone(), ids.to_vec());
        let moved = expect!(self.effect(Effect::Move, request).await?, Response::Moved(moved) => moved)?;
        let told = self.offers.ids_on_append;
        let one = |id: Option<u32>| id.map_or(Moved::Gone, |id| Moved::There(told.then(|| ItemId::from_u32(id))));
        Ok(moved.into_iter().map(one).collect())
    }

    async fn subscribe(&mut self, folder: &FolderPath, subscribed: bool) -> Result<(), Error> {
        let request = Request::Subscribe(folder.clone(), subscribed);
        expect!(self.effect(Effect::Subscribe, request).await?, Response::Done => ())
    }

    async fn remove_folder(&mut self, folder: &FolderPath) -> Result<bool, Error> {
        let request = Request::RemoveFolder(folder.clone());
        expect!(self.effect(Effect::RemoveFolder, request).await?, Response::FolderRemoved(removed) => removed)
    }

    async fn remove(
        &mut self,
        folder: Known<'_>,
        ids: &[ItemId],
        unchanged_since: Option<u64>,
    ) -> Result<Vec<Removal>, Error> {
        let request = Request::Remove(folder.path.clone(), folder.validity, ids.to_vec(), unchanged_since);
        expect!(self.effect(Effect::Remove, request).await?, Response::Removed(removals) => removals)
    }
}
