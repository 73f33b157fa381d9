//! Every use case, once: who may, what happens, what is written down. The command line (and later the portal and the
//! API) call here and nowhere else.

mod config;
mod error;
mod people;
mod project;
mod registry;
mod secret;
mod usecase;

pub use config::{Config, FILE as PROJECT_FILE, schema};
pub use error::{Error, Exit};
pub use model::Tally;
pub use people::FILE as PEOPLE_FILE;
pub use project::{Project, Selection};
pub use secret::Environment;
pub use usecase::check::{CheckReport, EndpointCheck, ScannerCheck};
pub use usecase::demo::{Demo, DemoReport};
pub use usecase::discover::{DiscoverReport, FolderFound, Found, MailboxFound};
pub use usecase::doctor::{Complaint, DoctorReport, doctor};
pub use usecase::init::{InitReport, init};
pub use usecase::losses::{LossLine, LossReport, losses};
pub use usecase::manifest::{
    AgainstDifference, AgainstReport, DifferenceIs, ItemChoice, MailboxAgainst, ManifestExport, ManifestKey,
    ManifestReport, ManifestRule, MessageIs, ProvedItem, RevealReport, check_manifest, reveal_item,
};
pub use usecase::preflight::{
    Check, ItemScore, KeptItem, Numbers, PersonForecast, PersonScore, PreflightReport, RatesFrom, RuleForecast,
    RuleScore, ScoreReport, Subject, TimeForecast, Verdict,
};
pub use usecase::report::{
    ClassLine, CollectionLine, Counts, ExceptionLine, FailedItem, FailedItemsReport, FailureRate, Heading, Letter,
    LetterItem, OverallReport, PersonLine, RateVerdict,
};
pub use usecase::rules::{
    ExportReport, ProfileReport, QuarantineReport, Rule, RuleCount, RuledItem, RulesReport, profile, validate_profile,
};
pub use usecase::status::{FolderStatus, MailboxStatus, StatusReport};
pub use usecase::sync::{MailboxResult, SyncReport};
pub use usecase::verify::{MailboxVerdict, VerifyReport};
pub use usecase::words::{About, FailedLine, FailedReport, HeldLine, HeldReport, Said, Waits, WordReport};
