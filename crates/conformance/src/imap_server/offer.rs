//! What a server offers, and how it announces it.

use std::collections::BTreeSet;

/// An extension, or a version of the protocol. A server refuses commands of what it doesn't offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offer {
    /// RFC 3501.
    Imap4Rev1,
    /// RFC 9051.
    Imap4Rev2,
    /// RFC 4959.
    SaslIr,
    /// RFC 2971.
    Id,
    /// RFC 5161.
    Enable,
    /// RFC 2342.
    Namespace,
    /// RFC 3348.
    Children,
    /// RFC 3691.
    Unselect,
    /// RFC 2177.
    Idle,
    /// RFC 7888.
    LiteralPlus,
    /// RFC 7888.
    LiteralMinus,
    /// RFC 3502.
    MultiAppend,
    /// RFC 3516.
    Binary,
    /// RFC 4315.
    UidPlus,
    /// RFC 6851.
    Move,
    /// RFC 7162.
    Condstore,
    /// RFC 7162.
    Qresync,
    /// RFC 4731.
    Esearch,
    /// RFC 5182.
    SearchRes,
    /// RFC 5258.
    ListExtended,
    /// RFC 5819.
    ListStatus,
    /// RFC 8438.
    StatusSize,
    /// RFC 6154.
    SpecialUse,
    /// RFC 6154.
    CreateSpecialUse,
    /// RFC 5464.
    Metadata,
    /// RFC 5464, for the server alone.
    MetadataServer,
    /// RFC 9208.
    Quota,
    /// RFC 7889.
    AppendLimit,
    /// RFC 8474.
    ObjectId,
    /// RFC 8514.
    SaveDate,
    /// RFC 6855.
    Utf8Accept,
    /// RFC 4978.
    CompressDeflate,
    /// What Gmail says of its labels and threads.
    GmExt1,
}

impl Offer {
    /// Every one.
    pub const EVERY: [Self; 33] = [
        Self::Imap4Rev1,
        Self::Imap4Rev2,
        Self::SaslIr,
        Self::Id,
        Self::Enable,
        Self::Namespace,
        Self::Children,
        Self::Unselect,
        Self::Idle,
        Self::LiteralPlus,
        Self::LiteralMinus,
        Self::MultiAppend,
        Self::Binary,
        Self::UidPlus,
        Self::Move,
        Self::Condstore,
        Self::Qresync,
        Self::Esearch,
        Self::SearchRes,
        Self::ListExtended,
        Self::ListStatus,
        Self::StatusSize,
        Self::SpecialUse,
        Self::CreateSpecialUse,
        Self::Metadata,
        Self::MetadataServer,
        Self::Quota,
        Self::AppendLimit,
        Self::ObjectId,
        Self::SaveDate,
        Self::Utf8Accept,
        Self::CompressDeflate,
        Self::GmExt1,
    ];

    /// What IMAP4rev2 brings without naming it (RFC 9051 appendix E).
    const OF_REV2: [Self; 16] = [
        Self::SaslIr,
        Self::Enable,
        Self::Namespace,
        Self::Children,
        Self::Unselect,
        Self::Idle,
        Self::LiteralMinus,
        Self::Binary,
        Self::UidPlus,
        Self::Move,
        Self::Esearch,
        Self::SearchRes,
        Self::ListExtended,
        Self::ListStatus,
        Self::StatusSize,
        Self::SpecialUse,
    ];

    /// The name in CAPABILITY.
    fn name(self) -> &'static str {
        match self {
            Self::Imap4Rev1 => "IMAP4rev1",
            Self::Imap4Rev2 => "IMAP4rev2",
            Self::SaslIr => "SASL-IR",
            Self::Id => "ID",
            Self::Enable => "ENABLE",
            Self::Namespace => "NAMESPACE",
            Self::Children => "CHILDREN",
            Self::Unselect => "UNSELECT",
            Self::Idle => "IDLE",
            Self::LiteralPlus => "LITERAL+",
            Self::LiteralMinus => "LITERAL-",
            Self::MultiAppend => "MULTIAPPEND",
            Self::Binary => "BINARY",
            Self::UidPlus => "UIDPLUS",
            Self::Move => "MOVE",
            Self::Condstore => "CONDSTORE",
            Self::Qresync => "QRESYNC",
            Self::Esearch => "ESEARCH",
            Self::SearchRes => "SEARCHRES",
            Self::ListExtended => "LIST-EXTENDED",
            Self::ListStatus => "LIST-STATUS",
            Self::StatusSize => "STATUS=SIZE",
            Self::SpecialUse => "SPECIAL-USE",
            Self::CreateSpecialUse => "CREATE-SPECIAL-USE",
            Self::Metadata => "METADATA",
            Self::MetadataServer => "METADATA-SERVER",
            Self::Quota => "QUOTA",
            Self::AppendLimit => "APPENDLIMIT",
            Self::ObjectId => "OBJECTID",
            Self::SaveDate => "SAVEDATE",
            Self::Utf8Accept => "UTF8=ACCEPT",
            Self::CompressDeflate => "COMPRESS=DEFLATE",
            Self::GmExt1 => "X-GM-EXT-1",
        }
    }

    /// Announced before login too, unless the builder says otherwise.
    pub(super) fn is_for_all(self) -> bool {
        use Offer::{Enable, Id, Idle, Imap4Rev1, Imap4Rev2, LiteralMinus, LiteralPlus, SaslIr};
        matches!(self, Imap4Rev1 | Imap4Rev2 | SaslIr | Id | Enable | Idle | LiteralPlus | LiteralMinus)
    }
}

/// The offers of a server together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offers(BTreeSet<Offer>);

impl Offers {
    /// RFC 3501 and nothing else.
    pub fn bare() -> Self {
        Self(BTreeSet::from([Offer::Imap4Rev1]))
    }

    /// Everything at once; of the two kinds of literals that don't wait the freer one.
    pub fn everything() -> Self {
        Self(Offer::EVERY.into_iter().filter(|offer| *offer != Offer::LiteralMinus).collect())
    }

    /// These, and what they can't be without.
    #[must_use]
    pub fn with(mut self, offers: &[Offer]) -> Self {
        self.0.extend(offers);
        if self.0.contains(&Offer::Qresync) {
            self.0.insert(Offer::Condstore);
        }
        if self.0.contains(&Offer::Qresync) || self.0.contains(&Offer::Utf8Accept) {
            self.0.insert(Offer::Enable);
        }
        self
    }

    /// Without these.
    #[must_use]
    pub fn without(mut self, offers: &[Offer]) -> Self {
        self.0.retain(|offer| !offers.contains(offer));
        self
    }

    /// Is this among them, named or as a part of IMAP4rev2?
    pub(super) fn has(&self, offer: Offer) -> bool {
        self.0.contains(&offer) || self.0.contains(&Offer::Imap4Rev2) && Offer::OF_REV2.contains(&offer)
    }

    /// The names, in a fixed order.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|offer| offer.name())
    }

    /// Those that are announced before login too.
    pub(super) fn for_all(&self) -> Self {
        Self(self.0.iter().copied().filter(|offer| offer.is_for_all()).collect())
    }
}
