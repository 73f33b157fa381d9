//! Losses: what a pair of platforms can't carry, known and shown before anything moves.

use serde::{Deserialize, Serialize};

use crate::{Cause, Findings};

/// Something that a target can't hold, or a source does not give, as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// An item with a NUL byte.
    Nul,
    /// An item with a CR that no LF follows.
    BareCr,
    /// An item whose lines end in more than one way, or in LF alone on the wire.
    MixedLineEnds,
    /// An item with bytes above 127 in its header, on servers that change them.
    EightBitHeader,
    /// An item received at a time that is still to come, on servers that put their own time in its place.
    FutureDate,
    /// An item received before 1970 or after February 2106 by its date, on servers that refuse or change such dates.
    DateOutOfRange,
    /// An item whose header holds a line that is no header field, on servers that refuse it.
    BrokenHeader,
    /// A folder name with a character that the target does not take.
    FolderName,
    /// What a folder is for (Sent, Trash, …), where the target does not let it be set.
    SpecialUse,
    /// Which folders the person follows.
    Subscription,
    /// Keywords beyond those the target takes.
    Keyword,
    /// Items of kinds other than mail.
    OtherKinds,
    /// Lines of a source's files that begin with `>From `, where files do not tell whether they did before.
    FromQuoting,
    /// Messages that a source's files still hold although their program has removed them.
    Expunged,
}

impl Loss {
    /// Every loss.
    pub const EVERY: [Self; 14] = [
        Self::Nul,
        Self::BareCr,
        Self::MixedLineEnds,
        Self::EightBitHeader,
        Self::FutureDate,
        Self::DateOutOfRange,
        Self::BrokenHeader,
        Self::FolderName,
        Self::SpecialUse,
        Self::Subscription,
        Self::Keyword,
        Self::OtherKinds,
        Self::FromQuoting,
        Self::Expunged,
    ];

    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Nul => "nul",
            Self::BareCr => "bare-cr",
            Self::MixedLineEnds => "mixed-line-ends",
            Self::EightBitHeader => "eight-bit-header",
            Self::FutureDate => "future-date",
            Self::DateOutOfRange => "date-out-of-range",
            Self::BrokenHeader => "broken-header",
            Self::FolderName => "folder-name",
            Self::SpecialUse => "special-use",
            Self::Subscription => "subscription",
            Self::Keyword => "keyword",
            Self::OtherKinds => "other-kinds",
            Self::FromQuoting => "from-quoting",
            Self::Expunged => "expunged",
        }
    }

    /// What it means and what happens, in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Nul => "An item with a NUL byte is not copied; it is listed as failed.",
            Self::BareCr => "An item with a CR that no LF follows is not copied; it is listed as failed.",
            Self::MixedLineEnds => {
                "An item whose lines end in more than one way is not copied; it is listed as failed."
            }
            Self::EightBitHeader => {
                "Where the server changes bytes above 127 in a header (Cyrus does so by default), an item that has some is \
                 not copied; it is listed as failed."
            }
            Self::FutureDate => {
                "Where the server puts its own time in place of one that is still to come (Dovecot does), an item received \
                 at such a time is not copied until then; it is listed as failed."
            }
            Self::DateOutOfRange => {
                "Where the server refuses or changes a date before 1970 or after February 2106 (Cyrus and Dovecot do), an item \
                 received then is not copied; it is listed as failed."
            }
            Self::BrokenHeader => {
                "Where the server refuses a header with a line that is no header field (Cyrus does), such an item is not \
                 copied; it is listed as failed."
            }
            Self::FolderName => {
                "A folder whose name the target refuses is made under a name it takes, and listed with both names."
            }
            Self::SpecialUse => {
                "What a folder is for (Sent, Trash and so on) is kept only where the target has set it itself."
            }
            Self::Subscription => "Which folders the person follows is not kept.",
            Self::Keyword => "Keywords that the target does not take are left off, and the item is listed.",
            Self::OtherKinds => "Only items that both platforms hold are copied; the others stay on the source.",
            Self::FromQuoting => {
                "In files whose programs write > before lines that begin with From, such lines are copied as they stand: \
                 which of them had the > before can't be told. Where it can (mboxrd), set the dialect."
            }
            Self::Expunged => {
                "Messages that a mail program has removed but not yet taken out of its file are not copied, nor counted."
            }
        }
    }
}

/// The losses of a pair of platforms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LossTable(Vec<Loss>);

impl LossTable {
    /// The table of these losses.
    pub fn new(losses: impl IntoIterator<Item = Loss>) -> Self {
        let mut losses: Vec<Loss> = losses.into_iter().collect();
        losses.sort_unstable();
        losses.dedup();
        Self(losses)
    }

    /// Its losses, in a fixed order.
    pub fn losses(&self) -> &[Loss] {
        &self.0
    }

    /// Is this one of them?
    pub fn has(&self, loss: Loss) -> bool {
        self.0.contains(&loss)
    }

    /// The cause for which an item with these findings can't travel, if any.
    pub fn bars(&self, found: &Findings) -> Option<Cause> {
        if found.nul && self.has(Loss::Nul) {
            Some(Cause::Nul)
        } else if found.bare_cr && self.has(Loss::BareCr) {
            Some(Cause::BareCr)
        } else if found.bare_lf && self.has(Loss::MixedLineEnds) {
            Some(Cause::MixedLineEnds)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Examiner, ItemKind};

    #[test]
    fn only_what_the_pair_loses_bars_an_item() {
        let nul_and_cr = Examiner::examine(ItemKind::Message, b"a\0b\rc\r\n");
        assert_eq!(LossTable::default().bars(&nul_and_cr), None);
        assert_eq!(LossTable::new([Loss::BareCr]).bars(&nul_and_cr), Some(Cause::BareCr));
        assert_eq!(LossTable::new([Loss::BareCr, Loss::Nul]).bars(&nul_and_cr), Some(Cause::Nul));
    }
}
