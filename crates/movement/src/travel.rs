//! What travels: the policy, applied to each item of the source as it is read.
//!
//! Whatever comes after this border knows only what travels. Where attachments are replaced, digests, intents, adoption,
//! moves and the comparison of both sides are all about the message with the notes in it; what the source holds is kept
//! beside it in the ledger, as a [`Treatment`]. The same item and policy give the same bytes every time, but for
//! what the target is seen to change or refuse ([`Travel::learn`]), so that a lost ledger, a second run and `verify` find them
//! again.
//!
//! Rules decide once: what is on the target stays there as it is when they change, and what was left behind is judged anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use connector::{Body, Error, Holds, Item};
use inspection::{Finding, Limits, ReadAt, Repaired, Repairs, Verdict};
use model::{
    Cause, Digest, Examiner, Findings, Flags, FolderPath, ItemId, ItemKind, Loss, LossTable, ReceivedAt, Scope,
    SpecialUse, SystemFlag,
};
use profile::{Placement, Policy};
use serde_json::json;
use store::{How, Treatment};

use crate::dates::{self, Dates};
use crate::reading::Examined;
use crate::traits;

/// The rule by which it is noted that something could not be looked into.
pub(crate) const UNSEEN: &str = "unseen";

/// Keeps the originals of what does not travel as it is. One that is kept already is not kept twice.
#[async_trait]
pub trait Quarantine: std::fmt::Debug + Send + Sync {
    /// Keeps these bytes, whose digest this is; when it returns they are durable.
    async fn keep(&self, original: Digest, body: &Body) -> Result<(), Error>;
}

/// Looks for malware in what is about to travel.
#[async_trait]
pub trait Scanner: std::fmt::Debug + Send + Sync {
    /// The name of what is found; none, if nothing is. An error that ends the session means that nobody can tell now.
    async fn scan(&self, body: &Body) -> Result<Option<String>, Error>;
}

/// What may travel, for a run.
#[derive(Clone, Debug)]
pub(crate) struct Travel {
    policy: Arc<Policy>,
    quarantine: Option<Arc<dyn Quarantine>>,
    scanner: Option<Arc<dyn Scanner>>,
    losses: LossTable,
    dates: Arc<Dates>,
    /// Traits of items that the target is seen to change or refuse: they are repaired from then on, by policy.
    not_kept: Arc<AtomicU8>,
    /// Items that are repaired for more traits, to see whether the target takes or has them then.
    trials: Arc<Mutex<HashMap<ItemId, u8>>>,
}

/// A folder, as far as rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lane {
    /// The rule that leaves everything in it behind.
    pub(crate) left_by: Option<&'static str>,
}

impl Travel {
    /// By this policy; with a quarantine for originals, except where nothing may be written.
    pub(crate) fn new(
        policy: Arc<Policy>,
        quarantine: Option<Arc<dyn Quarantine>>,
        scanner: Option<Arc<dyn Scanner>>,
        losses: LossTable,
        dates: Dates,
        not_kept: u8,
    ) -> Self {
        Self {
            policy,
            quarantine,
            scanner,
            losses,
            dates: Arc::new(dates),
            not_kept: Arc::new(AtomicU8::new(not_kept)),
            trials: Arc::default(),
        }
    }

    /// These traits are seen not to be kept by the target.
    pub(crate) fn learn(&self, not_kept: u8) {
        self.not_kept.fetch_or(not_kept, Ordering::SeqCst);
    }

    /// The time, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.dates.now()
    }

    /// These items of the folder that is read next are repaired for these traits, too.
    pub(crate) fn try_repairs(&self, trials: HashMap<ItemId, u8>) {
        *self.trials.lock().unwrap_or_else(PoisonError::into_inner) = trials;
    }

    /// Traits of an item for which a repair can be tried that was not made when it was read.
    pub(crate) fn may_try(&self, kind: ItemKind, found: &Findings, received: Option<i64>, knew: u8) -> u8 {
        let of = |is: bool, of: u8| if is { of } else { 0 };
        let is = of(found.broken_header, traits::BROKEN_HEADER)
            | of(found.eight_bit_header, traits::EIGHT_BIT_HEADER)
            | self.dates.traits(received);
        of(kind == ItemKind::Message, is & self.repairable() & !knew)
    }

    /// The first of them; none: 0. What is refused most surely comes first.
    pub(crate) fn to_try(&self, kind: ItemKind, found: &Findings, received: Option<i64>, knew: u8) -> u8 {
        let may_be = self.may_try(kind, found, received, knew);
        let order = [traits::DATE_OUT_OF_RANGE, traits::DATE_ZERO, traits::BROKEN_HEADER, traits::EIGHT_BIT_HEADER];
        order.into_iter().chain([traits::FUTURE_DATE]).find(|of| may_be & of != 0).unwrap_or_default()
    }

    /// Traits for which items are repaired, once the target is seen not to keep them.
    pub(crate) fn repairable(&self) -> u8 {
        let repairs = &self.policy.repairs;
        let of = |is_repaired: bool, of: u8| if is_repaired { of } else { 0 };
        of(repairs.eight_bit_header, traits::EIGHT_BIT_HEADER)
            | of(repairs.broken_header, traits::BROKEN_HEADER)
            | of(self.policy.repair_date, traits::DATES)
    }

    /// What this target forces to be repaired in an item with these findings.
    fn forced(&self, found: &Findings, not_kept: u8) -> Repairs {
        let wanted = &self.policy.repairs;
        Repairs {
            nul: wanted.nul && found.nul && self.losses.has(Loss::Nul),
            bare_cr: wanted.bare_cr && found.bare_cr && self.losses.has(Loss::BareCr),
            bare_lf: wanted.bare_lf && found.bare_lf && self.losses.has(Loss::MixedLineEnds),
            eight_bit_header: wanted.eight_bit_header
                && found.eight_bit_header
                && not_kept & traits::EIGHT_BIT_HEADER != 0,
            broken_header: wanted.broken_header && found.broken_header && not_kept & traits::BROKEN_HEADER != 0,
            line_bytes_max: wanted.line_bytes_max,
        }
    }

    /// What is cited of the policy.
    pub(crate) fn citation(&self) -> &str {
        &self.policy.citation
    }

    /// Where the items of a folder go.
    pub(crate) fn place(&self, path: &FolderPath) -> FolderPath {
        match self.policy.folders.place(path) {
            Placement::To(place) => place,
            Placement::Left(_) => path.clone(),
        }
    }

    /// Do all folders that go to this place come together there?
    pub(crate) fn merges(&self, place: &FolderPath) -> bool {
        self.policy.folders.merges(place)
    }

    /// What rules say of a folder as a whole. `trash` are the folders for deleted items.
    pub(crate) fn lane(&self, path: &FolderPath, trash: &[FolderPath]) -> Lane {
        let left_by = match self.policy.folders.place(path) {
            Placement::Left(rule) => Some(rule),
            _ if !self.policy.deleted_items && trash.iter().any(|top| path.names().starts_with(top.names())) => {
                Some("deleted-items")
            }
            _ => None,
        };
        Lane { left_by }
    }

    /// Are items of the folder for deleted ones left behind?
    pub(crate) fn leaves_deleted_items(&self) -> bool {
        !self.policy.deleted_items
    }

    /// The folders for deleted items among these.
    pub(crate) fn trash<'f>(folders: impl Iterator<Item = &'f connector::Folder>) -> Vec<FolderPath> {
        let is_trash = |folder: &&connector::Folder| folder.special_use == Some(SpecialUse::Trash);
        folders.filter(is_trash).map(|folder| folder.path.clone()).collect()
    }

    /// The rule that leaves an item behind, if one does: by its folder, its date, its mark or its size as it travels.
    pub(crate) fn left_by(
        &self,
        lane: &Lane,
        received: Option<i64>,
        flags: &Flags,
        size_bytes: u64,
    ) -> Option<&'static str> {
        let by_date = received.and_then(|received| self.policy.leaves_received(received));
        let is_marked = !self.policy.marked_deleted && flags.has(SystemFlag::Deleted);
        let is_large = !self.policy.fits_item(size_bytes);
        lane.left_by.or(by_date).or(is_marked.then_some("marked-deleted")).or(is_large.then_some("item-size"))
    }

    /// What a treatment by one of these rules says.
    pub(crate) fn left(&self, rule: &str, id: &ItemId, original: Digest, original_size_bytes: u64) -> Treatment {
        Treatment {
            source_id: id.clone(),
            how: How::Left,
            rule: rule.to_owned(),
            policy: self.policy.citation.clone(),
            original: Some(original),
            original_size_bytes,
            detail: "[]".to_owned(),
            source_received: None,
        }
    }

    /// Makes of an item what travels.
    pub(crate) async fn make(&self, item: Item, holds: &Holds) -> Result<Examined, (Item, Error)> {
        let trial = self.trials.lock().unwrap_or_else(PoisonError::into_inner).get(&item.id).copied();
        let knew = self.not_kept.load(Ordering::SeqCst) | trial.unwrap_or_default();
        let source_received = item.received.map(|at| at.unix_seconds);
        match self.try_make(&item, holds, knew).await {
            Ok((made, treatment)) => {
                let found = made.found;
                let received = made.received.or(item.received);
                let item = Item { body: made.body.unwrap_or(item.body.clone()), received, ..item };
                // What stays behind harms nobody.
                let is_left = treatment.as_ref().is_some_and(|treatment| treatment.how == How::Left);
                let malware = match self.scanner.as_ref().filter(|_| !is_left) {
                    None => None,
                    Some(scanner) => match scanner.scan(&item.body).await {
                        Ok(malware) => malware,
                        Err(error) => return Err((item, error)),
                    },
                };
                Ok(Examined { item, found, treatment, malware, knew, source_received })
            }
            Err(error) => Err((item, error)),
        }
    }

    async fn try_make(&self, item: &Item, holds: &Holds, knew: u8) -> Result<(Made, Option<Treatment>), Error> {
        let original = examine(item.kind, &item.body).await?;
        let mut made = Made::nothing(original.clone());
        if item.kind != ItemKind::Message {
            return Ok((made, None));
        }
        self.repair(item, holds, self.forced(&original, knew), &mut made).await?;
        self.replace(item, holds, &mut made).await?;
        self.repair_date(item, knew, &mut made).await?;
        let Some(how) = made.how else { return Ok((made, None)) };
        let source_received = item.received.map(|at| at.unix_seconds);
        let treatment = Treatment {
            source_id: item.id.clone(),
            how,
            rule: std::mem::take(&mut made.rule),
            policy: self.policy.citation.clone(),
            original: Some(original.exact),
            original_size_bytes: original.size_bytes,
            detail: json!(made.detail).to_string(),
            source_received: made.received.and(source_received),
        };
        if (how == How::Left || made.body.is_some())
            && let Some(quarantine) = &self.quarantine
        {
            quarantine.keep(original.exact, &item.body).await?;
        }
        // What is left behind is known by what the source holds.
        Ok((if how == How::Left { Made::nothing(original) } else { made }, Some(treatment)))
    }

    /// Writes a message so that the target can hold it.
    async fn repair(&self, item: &Item, holds: &Holds, wanted: Repairs, made: &mut Made) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        let body = item.body.clone();
        let repaired = apart(move || inspection::repair(&At(&body), &wanted, &Limits::default())).await;
        let Some(repaired) = repaired.map_err(|error| cannot("repair", &error))? else { return Ok(()) };
        if repaired.is_unchanged() {
            made.how = Some(How::Noted);
            made.rule = repaired.impossible.first().map(|not| not.rule.code().to_owned()).unwrap_or_default();
            made.detail.extend(repairs_made(&repaired));
            return Ok(());
        }
        made.how = Some(How::Repaired);
        made.rule = repaired.done.first().map(|done| done.rule.code().to_owned()).unwrap_or_default();
        made.detail.extend(repairs_made(&repaired));
        let (from, size_bytes) = (item.body.clone(), repaired.size_bytes);
        let body = holds.rewritten(&item.body, size_bytes, move |out| repaired.write(&At(&from), out)).await?;
        made.found = examine(item.kind, &body).await?;
        made.body = Some(body);
        Ok(())
    }

    /// Gives a message a date that the target can hold.
    async fn repair_date(&self, item: &Item, knew: u8, made: &mut Made) -> Result<(), Error> {
        let Some(source) = item.received.filter(|_| made.how != Some(How::Left)) else { return Ok(()) };
        let before = source.unix_seconds;
        let is_forced = self.policy.repair_date && self.dates.traits(Some(before)) & knew != 0;
        let given = match self.dates.given(made.found.exact, before) {
            Some(given) => given,
            None if is_forced => {
                let (dates, body) = (self.dates.clone(), item.body.clone());
                apart(move || dates.find(&body)).await.map_err(|error| cannot("read", &error))?
            }
            None => return Ok(()),
        };
        let after = given.date.unix_seconds;
        made.detail.push(json!({ "rule": dates::RULE, "how": given.from, "before": before, "after": after }));
        if made.how.is_none_or(|how| how == How::Noted) {
            made.how = Some(How::Repaired);
            dates::RULE.clone_into(&mut made.rule);
        }
        made.received = Some(given.date);
        Ok(())
    }

    /// Takes out of a message what is banned in it as it would travel.
    async fn replace(&self, item: &Item, holds: &Holds, made: &mut Made) -> Result<(), Error> {
        if self.policy.inspection.bans_nothing() {
            return Ok(());
        }
        let from = made.body.clone().unwrap_or_else(|| item.body.clone());
        let (policy, body) = (self.policy.clone(), from.clone());
        let inspected = apart(move || {
            let body = At(&body);
            let found = inspection::inspect(&body, &policy.inspection, &Limits::default())?;
            let verdict = found.verdict(&policy.inspection);
            let edits = match verdict {
                Verdict::Replace => inspection::edits(&body, &found, &policy.inspection)?,
                Verdict::Travels | Verdict::Skip => Vec::new(),
            };
            Ok((found, verdict, edits))
        });
        let (found, verdict, edits) = inspected.await.map_err(|error| cannot("inspect", &error))?;
        if found.findings.is_empty() {
            return Ok(());
        }
        made.detail.splice(0..0, found.findings.iter().map(file));
        let how = match verdict {
            Verdict::Travels => How::Noted,
            Verdict::Replace => How::Replaced,
            Verdict::Skip => How::Left,
        };
        if how == How::Noted && made.how == Some(How::Repaired) {
            return Ok(());
        }
        let rule = found.binding(&self.policy.inspection).find_map(|finding| finding.rule.clone());
        made.how = Some(how);
        made.rule = rule
            .or_else(|| found.findings.iter().find_map(|finding| finding.rule.clone()))
            .unwrap_or_else(|| UNSEEN.to_owned());
        if verdict == Verdict::Replace {
            let size_bytes = inspection::size_with(from.size_bytes(), &edits);
            let body = from.clone();
            let body =
                holds.rewritten(&from, size_bytes, move |out| inspection::apply(&At(&body), &edits, out)).await?;
            made.found = examine(item.kind, &body).await?;
            made.body = Some(body);
        }
        Ok(())
    }
}

/// What is being made of an item.
struct Made {
    /// What travels, where it is not what the source holds.
    body: Option<Body>,
    /// What its bytes show.
    found: Findings,
    how: Option<How>,
    rule: String,
    detail: Vec<serde_json::Value>,
    /// The date with which it travels, where that is not the source's.
    received: Option<ReceivedAt>,
}

impl Made {
    fn nothing(found: Findings) -> Self {
        Self { body: None, found, how: None, rule: String::new(), detail: Vec::new(), received: None }
    }
}

/// Apart from the other tasks: a small archive may unpack to much, and what panics about an item stops nothing but that item.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(std::io::Error::other("it was stopped")))
}

/// A body that can be read from any place.
pub(crate) struct At<'b>(pub(crate) &'b Body);

impl ReadAt for At<'_> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(at, into)
    }

    fn size_bytes(&self) -> std::io::Result<u64> {
        Ok(self.0.size_bytes())
    }
}

fn cannot(what: &str, error: &std::io::Error) -> Error {
    Error::new(Cause::LocalFile, Scope::Item, format!("cannot {what} a held item: {error}"))
}

/// What an item's bytes show.
pub(crate) async fn examine(kind: ItemKind, body: &Body) -> Result<Findings, Error> {
    let mut examiner = Examiner::new(kind);
    let mut reader = body.reader();
    while let Some(piece) = reader.next().await? {
        examiner.feed(&piece);
    }
    Ok(examiner.finish())
}

/// May an item with these findings be held by a target with these losses that takes items of at most so many bytes? Else why
/// not.
pub(crate) fn barred(found: &Findings, losses: &LossTable, size_bytes_max: Option<u64>) -> Option<Cause> {
    let is_large = size_bytes_max.is_some_and(|max| found.size_bytes > max);
    losses.bars(found).or(is_large.then_some(Cause::TooLarge))
}

/// A file that a treatment is about, as the ledger keeps it.
fn file(finding: &Finding) -> serde_json::Value {
    json!({
        "rule": finding.rule,
        "why": finding.why.to_string(),
        "name": finding.file.name,
        "type": finding.file.mime,
        "size_bytes": finding.file.size_bytes,
        "sha256": finding.file.sha256.map(|digest| digest.to_string()),
        "part": finding.part,
        "inside": finding.inside,
    })
}

/// What was repaired and what could not be, as the ledger keeps it; nothing of what the message says.
fn repairs_made(repaired: &Repaired) -> impl Iterator<Item = serde_json::Value> {
    let done = repaired.done.iter().map(|done| {
        json!({
            "rule": done.rule.code(),
            "how": done.how.code(),
            "count": done.count,
            "first_byte": done.first_byte,
            "part": done.part,
        })
    });
    let impossible = repaired.impossible.iter().map(|not| {
        json!({
            "rule": not.rule.code(),
            "impossible": not.why.code(),
            "first_byte": not.first_byte,
            "part": not.part,
        })
    });
    done.chain(impossible)
}
