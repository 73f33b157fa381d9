//! What the source says of items without giving their bytes: flags of those that are known, and items that can't be read.

use model::{Fate, Flags, ItemId};
use store::{Fact, LedgerItem};

use crate::decide::{AtSource, InLedger, Intent, OnTarget, decide};
use crate::failure::Failure;
use crate::flags::FlagWork;
use crate::pass::Pass;

/// How many items of a list are compared with the ledger at a time.
const LISTED_AT_ONCE: usize = 2_000;

impl Pass<'_> {
    pub(crate) async fn unreadable(
        &mut self,
        index: usize,
        id: ItemId,
        error: &connector::Error,
    ) -> Result<(), Failure> {
        self.folders[index].read_ids.insert(id.clone());
        let ledger = self.ledger(index, &id, &id).await?;
        self.report.arrived += u64::from(ledger.is_empty());
        let known = ledger
            .get(&id)
            .map_or(InLedger::Nothing, |known| InLedger::Known { fate: known.fate, source_flags: &known.source_flags });
        let source = AtSource::Unreadable { cause: error.cause };
        if let Intent::Fail(cause) = decide(&source, &known, OnTarget::Unknown, self.work.setting) {
            let fact = Fact {
                source_id: id,
                fate: Fate::Failed,
                size_bytes: 0,
                received: None,
                exact: None,
                canonical: None,
                source_flags: Flags::NONE,
                target_id: None,
                target_flags: None,
                read_back: None,
            };
            self.fail(index, fact, cause, error.what.clone(), error.server.clone(), None);
        }
        Ok(())
    }

    /// Flags of items that the cursor covers, as they are now.
    /// A list may be as long as the folder; what the ledger knows of it is looked up piece by piece.
    pub(crate) async fn take_flags(&mut self, index: usize, listed: Vec<(ItemId, Flags)>) -> Result<(), Failure> {
        for listed in listed.chunks(LISTED_AT_ONCE) {
            self.take_listed(index, listed).await?;
        }
        Ok(())
    }

    async fn take_listed(&mut self, index: usize, listed: &[(ItemId, Flags)]) -> Result<(), Failure> {
        let (Some((first, _)), Some((last, _))) = (listed.first(), listed.last()) else { return Ok(()) };
        let ledger = self.ledger(index, first, last).await?;
        for (id, flags) in listed {
            let work = &mut self.folders[index];
            if !work.seen.insert(id.clone()) {
                continue; // told twice: what came first has been dealt with
            }
            let known = ledger.get(id);
            let in_ledger = known.map_or(InLedger::Nothing, |known| InLedger::Known {
                fate: known.fate,
                source_flags: &known.source_flags,
            });
            let source = AtSource::Listed { flags };
            match decide(&source, &in_ledger, OnTarget::Unknown, self.work.setting) {
                // Covered by the cursor, yet without a fate, or failed and to be tried again.
                Intent::Copy => work.read_again.push(id.clone()),
                Intent::ChangeFlags { add, take } => {
                    if let Some(known) = known {
                        self.change_flags(index, known, flags.clone(), add, take);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn change_flags(&mut self, index: usize, known: &LedgerItem, now: Flags, add: Flags, take: Flags) {
        let work = &mut self.folders[index];
        work.would.flags += 1;
        let source_id = known.source_id.clone();
        let Some(target_id) = known.target_id.clone() else {
            work.without_id += 1;
            work.flags_later.push((source_id, now));
            return;
        };
        let base = known.target_flags.clone();
        work.flag_changes.push(FlagWork { source_id, source_flags: now, target_id, base, add, take });
    }
}
