//! Durable state: what a project knows, who works on what, what became of each item, and who decided what.
//!
//! One room for two databases: SQLite (one file beside the project) and PostgreSQL (many workers). The same suite runs on
//! both. Rules of the domain are not here; what is here is *when something is written for good*:
//! * Every write of a worker happens in a transaction that first checks the worker's fence and locks the mailbox's row, so
//!   a worker that has lost its mailbox writes nothing ([`Store::write`]).
//! * Lease ends are told by the database's clock only.
//! * The ledger's commits may be relaxed (a power cut may take the last ones), because the engine looks at the target
//!   before it trusts them; decisions and the audit log are written to the disk for good.
//! * The schema's version is checked on opening: a newer database is refused, an older one is brought forward.

mod alert;
mod audit;
mod collection;
mod error;
mod forecast;
mod issue;
mod lease;
mod ledger;
mod legacy;
mod people;
mod programme;
mod project;
mod rate;
mod report;
mod schema;
mod service;
mod sql;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod switch;

use std::sync::Arc;

pub use alert::{AlertRow, NewAlert, ProgressRow, Telling, TellingEvent, Way};
pub use audit::{AuditFault, AuditRow};
pub use collection::{
    CollectionRow, Filled, MailboxFacts, MemberRow, MoveRow, NewCollection, Object, Placed, PredictionRow, SwitchHow,
    VipRow,
};
pub use error::Error;
pub use forecast::{ForecastItem, ForecastRow, Worked};
pub use issue::{Disposition, FailedCause, IssueEnd, IssueNote, IssueRow, IssueState, NewIssue};
pub use lease::{Again, Claim, Claimed, Lease, LeaseTerms};
pub use ledger::{
    BackIntent, BackMove, DateGiven, ExceptionRow, Fact, FailureRow, FlagFact, FlagIntent, FolderRow, FormerReplaced,
    HeldItem, HeldRemoval, How, Intent, IntentItem, IntentState, ItemThere, LedgerItem, LedgerTx, MailboxCounts,
    NewException, NewFailure, NewFolder, RemovalState, Treatment, TreatmentRow,
};
pub use legacy::{LegacyArrival, LogRead};
pub use people::{
    AccountRow, ChangeRow, ChangeState, ConfirmationRow, ConfirmationState, DirectoryRole, DirectoryRow, EntryRow,
    FaultRow, MadeAccount, NewChange, NewConfirmation, NewEntry, NewSubmission, NewUpload, PeopleLease, PeopleTx,
    PlanRow, ReplyRow, SharingRow, SharingWord, SignedRow, SignoffRow, SubmissionRow, SubmissionState, UploadResultRow,
    UploadRow, WordRow,
};
pub use programme::{FactsRow, GovernedProject, ProgrammeChange};
pub use project::{Enrolled, Freeze, MailboxRow, MailboxState, ProjectKey, RosterRow};
pub use rate::RateRow;
pub use report::{DayRow, Figures, LetterRow, NewReport, ReportRow};
pub use service::{Paced, PauseRow, ProcessRow, Served, StandingRow};
pub use switch::{
    Answer, AskOutcome, ClosingRow, ForwarderRow, FoundForwarder, FoundRouting, MarkRow, NewForwarder, NewRuleWord,
    NewScript, OldAddressRow, OldAddressState, RuleScope, RuleWord, ScriptPerson, ScriptRow, SignOutcome, SwitchOrder,
    SwitchRow, SwitchTask,
};

/// Is told of every commit: lets a lease or a test hold one back.
pub trait Watch: Send + Sync {
    /// Right before a commit. An error keeps it from happening.
    fn before_commit(&self) -> Result<(), Error>;
    /// Right after it.
    fn after_commit(&self);
}

/// Holds nothing back.
struct Unwatched;

impl Watch for Unwatched {
    fn before_commit(&self) -> Result<(), Error> {
        Ok(())
    }

    fn after_commit(&self) {}
}

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Store {
    database: Arc<sql::Database>,
    watch: Arc<dyn Watch>,
}

/// The address of a database without its password.
pub fn shown_address(address: &str) -> String {
    sql::redacted(address)
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens a database by its address, `sqlite:PATH` or `postgres://…`, and brings its schema forward.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let store = Self { database: Arc::new(sql::Database::open(url).await?), watch: Arc::new(Unwatched) };
        if let Err(error) = schema::bring_forward(&store).await {
            // So that nothing is left beside the file.
            store.close().await;
            return Err(error);
        }
        Ok(store)
    }

    /// Opens a database with the schema that an earlier program made.
    #[cfg(any(test, feature = "suite"))]
    pub(crate) async fn open_at_step(url: &str, step: usize) -> Result<Self, Error> {
        let store = Self { database: Arc::new(sql::Database::open(url).await?), watch: Arc::new(Unwatched) };
        schema::bring_to(&store, step).await?;
        Ok(store)
    }

    /// Sets the clock of a database in a file so much ahead of the machine's: what its clock would show then.
    #[cfg(any(test, feature = "suite"))]
    pub fn set_clock_ahead(&self, ms: i64) {
        self.database.set_clock_ahead(ms);
    }

    /// The same database, with this watch told of every commit.
    #[must_use]
    pub fn watched(&self, watch: Arc<dyn Watch>) -> Self {
        Self { database: self.database.clone(), watch }
    }

    /// Milliseconds since 1970 on the database's clock.
    pub async fn now(&self) -> Result<i64, Error> {
        Ok(self.database.query("SELECT {now}", Vec::new()).await?[0].int(0))
    }

    /// Ends every connection, after what is under way.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn begin(&self, durability: sql::Durability) -> Result<sql::Tx<'_>, Error> {
        self.database.begin(durability, self.watch.clone()).await
    }
}

/// Names of a path as the database keeps them.
fn path_text(path: &model::FolderPath) -> String {
    serde_json::Value::from(path.names()).to_string()
}

fn path_from(text: &str) -> Result<model::FolderPath, Error> {
    let names: Vec<String> = serde_json::from_str(text).map_err(|_| Error::damaged("a folder's path"))?;
    if names.is_empty() { Err(Error::damaged("a folder's path")) } else { Ok(model::FolderPath::new(names)) }
}
