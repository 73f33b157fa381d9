//! What is found in a message.

use std::ops::Range;

use model::Digest;
use serde::Serialize;

use crate::rules::{Disposition, Rules, Seal, SealedDisposition, Why};

/// Something that a rule bans, or that could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that bans it; none for what could not be looked into and is let through.
    pub rule: Option<String>,
    /// Why.
    pub why: Why,
    /// What it is about.
    pub file: File,
    /// The part it lies in, by its number (as in IMAP), such as `2.1`; empty for the message as a whole.
    pub part: String,
    /// The archives, winmail.dats or encoded messages that it lies in within that part, from outside to inside.
    pub inside: Vec<String>,
    /// The attachment that it lies in, when it is not the attachment itself: the one that is replaced.
    pub attachment: Option<File>,
    /// The signature or encryption that it lies under.
    pub sealed: Option<Seal>,
    /// Where in the message the attachment stands, its header included.
    pub bytes: Range<u64>,
    /// What is to be replaced.
    #[serde(skip)]
    pub(crate) extent: Extent,
}

/// A file: an attachment, or one in an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name; empty when it has none. Characters that hide or move text are written out.
    pub name: String,
    /// Its media type, as its sender wrote it.
    pub mime: String,
    /// Its size, decoded. None where it can't be told within the limits.
    pub size_bytes: Option<u64>,
    /// SHA-256 of its decoded content. None where it can't be told within the limits.
    pub sha256: Option<Digest>,
}

/// What a replacement takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A part.
    Part(crate::walk::Place),
    /// Some of a part's text; `before` and `behind` are decoded bytes around it that share its encoded groups.
    Text {
        bytes: Range<u64>,
        decoded: Range<u64>,
        encoding: crate::decode::Encoding,
        before: Vec<u8>,
        behind: Vec<u8>,
        is_crlf: bool,
    },
    /// Nothing less than the whole message.
    Message,
}

impl Extent {
    pub(crate) fn bytes(&self) -> Range<u64> {
        match self {
            Self::Part(place) => place.header.start..place.body.end,
            Self::Text { bytes, .. } => bytes.clone(),
            Self::Message => 0..u64::MAX,
        }
    }
}

/// What a message holds, as far as the rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// What was found, in the order of the message.
    pub findings: Vec<Finding>,
    /// Parts that are signed or encrypted, by their numbers.
    pub seals: Vec<(String, Seal)>,
}

/// What the rules say of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It travels as it is.
    Travels,
    /// It travels with notes in place of what is banned.
    Replace,
    /// It is not copied.
    Skip,
}

impl Inspection {
    /// The findings that keep the message from travelling as it is.
    pub fn binding<'i>(&'i self, rules: &'i Rules) -> impl Iterator<Item = &'i Finding> {
        let travels = |finding: &Finding| finding.sealed.is_some() && rules.sealed == SealedDisposition::Travel;
        self.findings.iter().filter(move |finding| finding.rule.is_some() && !travels(finding))
    }

    /// What the rules say.
    pub fn verdict(&self, rules: &Rules) -> Verdict {
        let must_skip = |finding: &Finding| {
            rules.disposition == Disposition::Skip
                || finding.extent == Extent::Message
                || (finding.sealed.is_some() && rules.sealed == SealedDisposition::Skip)
        };
        let mut verdict = Verdict::Travels;
        for finding in self.binding(rules) {
            if must_skip(finding) {
                return Verdict::Skip;
            }
            verdict = Verdict::Replace;
        }
        verdict
    }
}
