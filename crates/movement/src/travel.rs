//! What travels: the policy, applied to each item of the source as it is read.
//!
//! Whatever comes after this border knows only what travels. Where attachments are replaced, digests, intents, adoption,
//! moves and the comparison of both sides are all about the message with the notes in it; what the source holds is kept
//! beside it in the ledger, as a [`Treatment`]. The same item and policy give the same bytes every time, so that a lost
//! ledger, a second run and `verify` find them again.
//!
//! Rules decide once: what is on the target stays there as it is when they change, and what was left behind is judged anew.

use std::sync::Arc;

use async_trait::async_trait;
use connector::{Body, Error, Holds, Item};
use inspection::{Finding, Limits, ReadAt, Verdict};
use model::{
    Cause, Digest, Examiner, Findings, Flags, FolderPath, ItemId, ItemKind, LossTable, Scope, SpecialUse, SystemFlag,
};
use profile::{Placement, Policy};
use serde_json::json;
use store::{How, Treatment};

use crate::reading::Examined;

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
    ) -> Self {
        Self { policy, quarantine, scanner }
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
        }
    }

    /// Makes of an item what travels.
    pub(crate) async fn make(&self, item: Item, holds: &Holds) -> Result<Examined, (Item, Error)> {
        match self.try_make(&item, holds).await {
            Ok((body, found, treatment)) => {
                let item = Item { body: body.unwrap_or(item.body.clone()), ..item };
                // What stays behind harms nobody.
                let is_left = treatment.as_ref().is_some_and(|treatment| treatment.how == How::Left);
                let malware = match self.scanner.as_ref().filter(|_| !is_left) {
                    None => None,
                    Some(scanner) => match scanner.scan(&item.body).await {
                        Ok(malware) => malware,
                        Err(error) => return Err((item, error)),
                    },
                };
                Ok(Examined { item, found, treatment, malware })
            }
            Err(error) => Err((item, error)),
        }
    }

    async fn try_make(&self, item: &Item, holds: &Holds) -> Result<(Option<Body>, Findings, Option<Treatment>), Error> {
        let original = examine(item.kind, &item.body).await?;
        if item.kind != ItemKind::Message || self.policy.inspection.bans_nothing() {
            return Ok((None, original, None));
        }
        let (policy, body) = (self.policy.clone(), item.body.clone());
        let inspect = move || {
            let body = At(&body);
            let found = inspection::inspect(&body, &policy.inspection, &Limits::default())?;
            let verdict = found.verdict(&policy.inspection);
            let edits = match verdict {
                Verdict::Replace => inspection::edits(&body, &found, &policy.inspection)?,
                Verdict::Travels | Verdict::Skip => Vec::new(),
            };
            Ok::<_, std::io::Error>((found, verdict, edits))
        };
        // Apart from the other tasks: a small archive may unpack to much.
        let inspected = tokio::task::spawn_blocking(inspect).await;
        let (found, verdict, edits) = inspected
            .unwrap_or_else(|_| Err(std::io::Error::other("it was stopped")))
            .map_err(|error| cannot("inspect", &error))?;
        if found.findings.is_empty() {
            return Ok((None, original, None));
        }
        let how = match verdict {
            Verdict::Travels => How::Noted,
            Verdict::Replace => How::Replaced,
            Verdict::Skip => How::Left,
        };
        let rule = found.binding(&self.policy.inspection).find_map(|finding| finding.rule.clone());
        let treatment = Treatment {
            source_id: item.id.clone(),
            how,
            rule: rule
                .or_else(|| found.findings.iter().find_map(|finding| finding.rule.clone()))
                .unwrap_or_else(|| "unseen".to_owned()),
            policy: self.policy.citation.clone(),
            original: Some(original.exact),
            original_size_bytes: original.size_bytes,
            detail: detail(&found.findings),
        };
        if verdict != Verdict::Travels
            && let Some(quarantine) = &self.quarantine
        {
            quarantine.keep(original.exact, &item.body).await?;
        }
        if verdict != Verdict::Replace {
            return Ok((None, original, Some(treatment)));
        }
        let from = item.body.clone();
        let size_bytes = inspection::size_with(from.size_bytes(), &edits);
        let body =
            holds.rewritten(&item.body, size_bytes, move |out| inspection::apply(&At(&from), &edits, out)).await?;
        let found = examine(item.kind, &body).await?;
        Ok((Some(body), found, Some(treatment)))
    }
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

/// The files that a treatment is about, as the ledger keeps them.
fn detail(findings: &[Finding]) -> String {
    let files: Vec<_> = findings
        .iter()
        .map(|finding| {
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
        })
        .collect();
    json!(files).to_string()
}
