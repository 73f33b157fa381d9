//! Every use case, once: who may, what happens, what is written down. The command line (and later the portal and the
//! API) call here and nowhere else.

mod access;
mod config;
mod directories;
mod engine;
mod error;
mod people;
mod portal;
mod project;
mod registry;
mod rehearsed;
mod roster;
mod routers;
mod scripts;
mod secret;
mod serve;
mod usecase;
mod when;

pub use config::{Config, FILE as PROJECT_FILE, ReportKind, schema};
pub use error::{Error, Exit};
pub use jiff::civil::Date as GovernedDate;
pub use model::Tally;
pub use paper::Form as DocumentForm;
pub use people::FILE as PEOPLE_FILE;
pub use programme::{
    Action as GovernedAction, Advice as GovernedAdvice, CategorySeen as GovernedDeskCategory,
    Charged as GovernedCharged, DeskSeen as GovernedDesk, Item as GovernedItem, OrderLine as GovernedOrder,
    Orders as GovernedOrders, Outcome, OwnTask, PilotAnswer, PilotLine as GovernedPilotLine,
    PriceLine as GovernedPrice, Quote as GovernedQuote, QuoteLine as GovernedQuoteLine, Record as GovernedRecord,
    Register, RegisterState, Side as GovernedSide, Subject as GovernedSubject, Sureness, Verdict as GovernedVerdict,
    WeekSeen as GovernedDeskWeek, Wish as GovernedWish, side_name,
};
pub use project::{Project, Selection};
pub use secret::Environment;
pub use serve::{ServeOptions, WorkerOptions, serve, work};
pub use store::{Disposition, IssueState, SwitchHow};
pub use usecase::alerts::{AlertLine, AlertsReport, ToldLine};
pub use usecase::check::{CheckReport, EndpointCheck, ScannerCheck};
pub use usecase::collection::{
    Basis, Choice, CollectionChanged, CollectionList, CollectionPlan, CollectionShow, CollectionStatus, DifferingLine,
    Expected, MemberLine as CollectionMember, MovedLine, Outlook, PlacedReport, Rate, VipLine, VipList, VipReport,
    Wait,
};
pub use usecase::demo::{Demo, DemoReport};
pub use usecase::discover::{DiscoverReport, FolderFound, Found, MailboxFound};
pub use usecase::doctor::{Complaint, DoctorReport, doctor};
pub use usecase::governed::{
    Acted, BrokenLine, CatalogueShow, DeadlineLine, DeliverableLine, DeliverablesShow, DocumentLine, DocumentMade,
    DocumentsShow, DueLine, GateShow, GivenNumbers, Governed, GovernedTask, Notice, NumbersLine, PilotShow,
    PipelineGate, PipelineLine, PipelineReport, ProjectShow, RegisterShow, RegistersShow, TasksShow, ViewLine,
    ViewPart, ViewShow, ViewsShow, new_project,
};
pub use usecase::init::{InitReport, init};
pub use usecase::issue::{
    ClosedReport, Closing, IssueChanged, IssueChoice, IssueLine, IssueList, IssueNoteLine, IssueShow, Reported,
};
pub use usecase::legacy::{LegacyLog, LegacyReport, LegacySender};
pub use usecase::losses::{LossLine, LossReport, losses};
pub use usecase::manifest::{
    AgainstDifference, AgainstReport, DifferenceIs, ItemChoice, MailboxAgainst, ManifestExport, ManifestKey,
    ManifestReport, ManifestRule, MessageIs, ProvedItem, RevealReport, check_manifest, reveal_item,
};
pub use usecase::mx::{MxDomain, MxReport, MxSays, MxStep, MxWord};
pub use usecase::pause::{PauseReport, PauseScope, Paused, Process, ProcessesReport};
pub use usecase::people::{
    AcceptReport, ActivationLine, ActivationReport, AddressBookReport, AnswerLine, AnswersReport, ApplyReport,
    AskReport, AskedLine, BookReport, CandidateLine, ChangeLine, Confirmed, Decision, DecisionReport, Details,
    DirectoryReport, ForwardedReport, GapLine, ImportReport, InjectLine, ListChoice, ListReport, LostReport,
    MailedResultsReport, MatchingList, MemberLine, NotAskedLine, ObjectLine, PeopleProject, PeopleSyncReport, PlanLine,
    PlanOf, PlanReport, QuestionLine, QuestionState, Raised, RefusedAnswer, RefusedLine, RegistrationsReport,
    ResultLine, ResultsReport, SharingCompareReport, SharingDecision, SharingDecisionReport, SharingDiscoverReport,
    SharingInjectReport, SharingLine, SharingListReport, SharingProject, SharingSignoffReport, ShowReport, SignedList,
    SignoffReport, SignoffState, SubmissionLine, TaskLine, TasksReport, UnlockReport, UploadLine, UploadsReport,
    WithdrawReport, classes_in_words,
};
pub use usecase::preflight::{
    Check, ItemScore, KeptItem, Numbers, PersonForecast, PersonScore, PreflightReport, RatesFrom, RuleForecast,
    RuleScore, ScoreReport, Subject, TimeForecast, Verdict,
};
pub use usecase::report::{
    Activation, ArchiveLine, BehindLine, ClassLine, CollectionLine, CollectionSchedule, Counts, DayLine, ExceptionLine,
    Expected as ExpectedEnd, FailedItem, FailedItemsReport, FailureRate, Heading, Letter, LetterItem, OverallReport,
    PersonLine, RateVerdict, RunRate, ScheduleReport, ScheduleVerdict, SentLetter, SentReport, SentReports,
};
pub use usecase::rules::{
    ExportReport, ProfileReport, QuarantineReport, Rule, RuleCount, RuleOf, RuledItem, RulesReport, profile, rule_of,
    validate_profile,
};
pub use usecase::status::{FolderStatus, Glance, MailboxGlance, MailboxStatus, StatusReport};
pub use usecase::switch::{
    AutoAnswer, AutoAnswersReport, ForwardedAccount, ForwarderForm, ForwardersReport, GuardianWord, MarkLine,
    MarksReport, MissingForwarder, OldAddressLine, OtherForwarder, OurForwarder, RoutingFault, RoutingReport,
    RuleSignoff, RuleSignoffs, RulesOfMailbox, ScriptLine, ScriptNote, ScriptsReport, SwitchLine, SwitchReport,
    SwitchRules, SwitchTaskLine, UnreadForwarders, UnwrittenScripts,
};
pub use usecase::sync::{MailboxResult, SyncReport};
pub use usecase::verify::{MailboxVerdict, VerifyReport};
pub use usecase::words::{About, FailedLine, FailedReport, HeldLine, HeldReport, Said, Waits, WordReport};
