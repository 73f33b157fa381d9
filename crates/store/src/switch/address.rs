//! Old addresses of people on their accounts in the target's directory: what of it is ours, what was there before, what is missing.

use crate::sql::{Row, values};
use crate::{Error, LedgerTx, ProjectKey, Store};

/// How an old address stands on its person's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OldAddressState {
    /// It is about to be put on by us: it may be there or not.
    Coming,
    /// It is on, by us: it was read back.
    Ours,
    /// It is about to be taken off: it was ours, and may be there or not.
    Going,
    /// It is on, and not by us.
    Theirs,
    /// It is not on.
    Missing,
}

impl OldAddressState {
    /// Every state.
    pub const EVERY: [Self; 5] = [Self::Coming, Self::Ours, Self::Going, Self::Theirs, Self::Missing];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coming => "coming",
            Self::Ours => "ours",
            Self::Going => "going",
            Self::Theirs => "theirs",
            Self::Missing => "missing",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|state| state.name() == name)
    }

    /// Is it, or may it be, on the account by us?
    pub fn may_be_ours(self) -> bool {
        matches!(self, Self::Coming | Self::Ours | Self::Going)
    }
}

/// An old address of a mailbox's person, as it stands on their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldAddressRow {
    /// The mailbox.
    pub mailbox: i64,
    /// The address, in small letters.
    pub address: String,
    /// How it stands.
    pub state: OldAddressState,
    /// The key of the entry that it is to be on.
    pub account: Option<String>,
    /// Why it is missing.
    pub why: Option<String>,
    /// How often it was looked for in vain since.
    pub tries: u32,
    /// When it came to this, or was last looked for (milliseconds since 1970).
    pub at: i64,
}

/// A statement with the columns that [`row`] reads.
macro_rules! addresses {
    ($rest:literal) => {
        concat!(
            "SELECT mailbox, address, state, account, why, tries, at FROM old_address ",
            "WHERE organisation = $1 AND project = $2 ",
            $rest
        )
    };
}

fn row(row: &Row) -> Result<OldAddressRow, Error> {
    Ok(OldAddressRow {
        mailbox: row.int(0),
        address: row.text(1),
        state: OldAddressState::from_name(&row.text(2)).ok_or_else(|| Error::damaged("how an old address stands"))?,
        account: row.text_or_null(3),
        why: row.text_or_null(4),
        tries: row.int(5) as u32,
        at: row.int(6),
    })
}

impl Store {
    /// The old addresses of everybody's that are on record.
    pub async fn every_old_address(&self, key: ProjectKey) -> Result<Vec<OldAddressRow>, Error> {
        let select = addresses!("ORDER BY mailbox, address");
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        rows.iter().map(row).collect()
    }

    /// The old addresses of a mailbox that are on record.
    pub async fn old_addresses(&self, key: ProjectKey, mailbox: i64) -> Result<Vec<OldAddressRow>, Error> {
        let select = addresses!("AND mailbox = $3 ORDER BY address");
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        rows.iter().map(row).collect()
    }
}

impl LedgerTx<'_> {
    /// An old address of the mailbox stands so now: its number of tries counts on while it is missing.
    pub async fn set_old_address(
        &mut self,
        address: &str,
        state: OldAddressState,
        account: Option<&str>,
        why: Option<&str>,
    ) -> Result<(), Error> {
        let key = self.lease.key;
        let upsert = "INSERT INTO old_address (organisation, project, mailbox, address, state, account, why, tries, at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, 0, {now}) ON CONFLICT (organisation, project, mailbox, address) DO UPDATE \
            SET state = excluded.state, account = excluded.account, why = excluded.why, at = excluded.at, \
            tries = CASE WHEN excluded.state = 'missing' THEN old_address.tries + 1 \
            WHEN excluded.state = 'coming' THEN old_address.tries ELSE 0 END";
        let row = values![
            key.organisation,
            key.project,
            self.lease.mailbox,
            address,
            state.name(),
            account.map(str::to_owned),
            why.map(str::to_owned)
        ];
        self.tx.execute(upsert, row).await.map(|_| ())
    }

    /// An old address of the mailbox is on record no more.
    pub async fn forget_old_address(&mut self, address: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let delete =
            "DELETE FROM old_address WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND address = $4";
        let row = values![key.organisation, key.project, self.lease.mailbox, address];
        self.tx.execute(delete, row).await.map(|_| ())
    }
}
