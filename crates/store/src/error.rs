//! What can go wrong with the database.

/// A failure of the store. None of the texts holds a password or an item's content.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The address is of no database we know.
    #[error("{0:?} is not the address of a database: write sqlite:FILE or postgres://USER@HOST/NAME")]
    Address(String),
    /// The database can't be reached, opened or has no room.
    #[error("the database {address} cannot be used: {why}")]
    Unavailable {
        /// Its address, without a password.
        address: String,
        /// Why.
        why: String,
    },
    /// The database was written by a newer program.
    #[error(
        "the database has version {found}, this program knows version {known}: use the newer program that wrote it"
    )]
    Newer {
        /// The database's version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Another process is bringing the schema forward.
    #[error("the database is being upgraded by another process: try again in a moment")]
    Upgrading,
    /// The mailbox is not held by this worker any more.
    #[error("this worker no longer holds the mailbox; nothing was written")]
    Fenced,
    /// A commit was held back.
    #[error("{0}")]
    HeldBack(String),
    /// A person whose copy has begun was given another target.
    #[error(
        "{source_name} is being copied to {was}, so the target cannot become {now}: put {was} back in the roster, \
         or add the person under another project"
    )]
    Retargeted {
        /// The person's name on the source.
        source_name: String,
        /// The target so far.
        was: String,
        /// The target asked for.
        now: String,
    },
    /// A statement failed.
    #[error("the database failed: {0}")]
    Statement(String),
    /// Something in the database can't be.
    #[error("the database holds something it can't hold: {0}")]
    Damaged(String),
}

impl Error {
    pub(crate) fn unavailable(url: &str, error: &sqlx::Error) -> Self {
        Self::Unavailable { address: crate::sql::redacted(url), why: plain(error) }
    }

    /// What the database holds is not what was written to it.
    pub fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// May the same thing work a little later?
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Upgrading | Self::Statement(_))
    }
}

fn plain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        sqlx::Error::PoolTimedOut => "no connection to it was to be had in time".to_owned(),
        other => other.to_string(),
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Statement(plain(&error))
    }
}
