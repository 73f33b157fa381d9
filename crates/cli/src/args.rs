//! Arguments.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use service::{About, PauseScope, Said, Selection};

/// Moves whole organisations from one mail platform to another: non-stop, losing nothing, and proving it.
#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The project's folder, with whimbrel.toml and people.csv; this one when left out. `serve` takes several
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Write the log as JSON, a line each, for programs that gather logs
    #[arg(long, global = true)]
    pub(crate) log_json: bool,
    /// Say more; twice for much more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project: a folder with whimbrel.toml and people.csv
    Init {
        /// The folder to make
        dir: PathBuf,
        /// The organisation's code, for example its ODS code
        #[arg(long)]
        code: Option<String>,
        /// The organisation's name
        #[arg(long, default_value = "")]
        name: String,
        /// The rules of the platform moved to
        #[arg(long, default_value = "plain")]
        profile: String,
    },
    /// Look whether each endpoint is reachable, private, open to us, and whose store we reach
    Check {
        #[command(flatten)]
        selection: Chosen,
    },
    /// List what there is to move: folders, items, bytes, the largest item, the oldest and the newest. Reads no body
    Discover {
        /// Folder by folder
        #[arg(long)]
        folders: bool,
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Predict what a sync would make of each mailbox: bytes, items, refusals by rule, quota, time. Writes nothing on either
    /// side; keeps the prediction, so that it can be scored afterwards
    Preflight {
        /// Read every item and inspect it as a sync does: what is attached is not known otherwise
        #[arg(long, conflicts_with = "score")]
        read: bool,
        /// Compare the last prediction with what came of it
        #[arg(long)]
        score: bool,
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Say what a pair of endpoints (or kinds of endpoints) can't carry
    Losses {
        /// An endpoint of the project, or a kind: imap, maildir, mbox, eml
        source: String,
        /// An endpoint of the project, or a kind: imap, maildir, mbox, eml
        target: String,
    },
    /// Copy until nothing is left to copy; run again at any time, after anything
    Sync {
        #[command(flatten)]
        selection: Chosen,
        /// Decide and say what would be done; change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Keep projects in step by itself, until it is stopped
    Serve {
        /// Folders of further projects, in the same database
        #[arg(value_name = "DIR")]
        projects: Vec<PathBuf>,
        /// The file of the key that keeps what workers are told; made where it is not there: service.key in the first project's folder
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Mailboxes to work on at once; 0 leaves all of it to workers
        #[arg(long, value_name = "N", default_value_t = 16)]
        at_once: usize,
        /// Answer /metrics, /healthz and /readyz here, as 127.0.0.1:9464
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Work for the services of a database: more hands, on any machine
    Worker {
        /// The database's address; better in WHIMBREL_DATABASE, where other users can't see it
        #[arg(long, value_name = "ADDRESS")]
        database: Option<String>,
        /// The file with the service's key; or its 64 hexadecimal digits in WHIMBREL_KEY
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Mailboxes to work on at once
        #[arg(long, value_name = "N", default_value_t = 16)]
        at_once: usize,
        /// Answer /metrics, /healthz and /readyz here, as 127.0.0.1:9464
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Turn people over to the target once they are in step, and back if need be
    #[command(subcommand)]
    Switch(crate::switching::SwitchOf),
    /// Record who has signed for what the program can't look at
    #[command(subcommand)]
    Signoff(crate::switching::SignoffOf),
    /// What sends people's mail on: ours, and others'
    #[command(subcommand)]
    Forwarder(crate::switching::ForwarderOf),
    /// A governed project as a whole: its intent, type, people, dates, decisions
    #[command(subcommand)]
    Project(crate::governed::ProjectOf),
    /// Gates between the stages of a governed project: what each still lacks, and who passes it
    #[command(subcommand)]
    Gate(crate::governed::GateOf),
    /// Tasks of a governed project: owner, forecast, evidence, validation
    #[command(subcommand)]
    Task(crate::governed::TaskOf),
    /// What is handed over in a governed project, and accepted
    #[command(subcommand)]
    Deliverable(crate::governed::DeliverableOf),
    /// Registers of a governed project: risks, lessons, applications, calls and others
    #[command(subcommand)]
    Register(crate::governed::RegisterOf),
    /// The pilot of a governed project: who is of it, and what each of them checked
    #[command(subcommand)]
    Pilot(crate::pilot::PilotOf),
    /// The service desk of a governed project: calls against their forecast, and what to say
    #[command(subcommand)]
    Desk(crate::desk::DeskOf),
    /// The catalogue of a governed project: prices of a day, quotes, orders
    #[command(subcommand)]
    Catalogue(crate::catalogue::CatalogueOf),
    /// Documents of a governed project, made of its record
    #[command(subcommand)]
    Document(crate::document::DocumentOf),
    /// Every governed project of the database: who is where, and what waits for whom
    Pipeline,
    /// Legacy domains: what the DNS says, and what has to change at the end
    #[command(subcommand)]
    Mx(crate::switching::MxOf),
    /// Where mail goes on both sides
    #[command(subcommand)]
    Routing(crate::switching::RoutingOf),
    /// Begin nothing more there; what is under way stops where it is safe
    Pause {
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        said: SaidBy,
    },
    /// Begin nothing more there; what is under way goes on to its end. With --process: have processes finish and end
    Drain {
        #[command(flatten)]
        scope: Scope,
        /// This process, by its name from `whimbrel processes`; or all
        #[arg(long = "process", value_name = "ID", conflicts_with_all = ["mailboxes", "collection", "endpoints"])]
        processes: Vec<String>,
        #[command(flatten)]
        said: SaidBy,
    },
    /// Let what was paused go on
    Resume {
        #[command(flatten)]
        scope: Scope,
    },
    /// Say which processes work, and what is paused
    Processes,
    /// Say where every mailbox stands, and what it waits for
    Status {
        /// A line for each collection, told anew every two seconds until Ctrl-C; with -v one for each mailbox, too. Not on a
        /// terminal: once
        #[arg(long)]
        watch: bool,
        /// Only the VIPs: where they stand, and whether they will be in time
        #[arg(long, conflicts_with = "watch")]
        vip: bool,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Read both sides in full and say in one sentence whether the copy is exact
    Verify {
        #[command(flatten)]
        selection: Chosen,
        /// Compare only this many items of each mailbox, spread over its folders and ages; in full a folder where one of
        /// them is not as it should be
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        sample: Option<u64>,
    },
    /// What waits for a person's word: removals that were not simply followed, items that may be there already
    #[command(subcommand)]
    Held(Held),
    /// What could not be copied: list it, try it again, accept its loss
    #[command(subcommand)]
    Failed(Failed),
    /// Reports to hand on: as text, CSV, workbook, page or JSON, the same numbers in each
    #[command(subcommand)]
    Report(ReportOf),
    /// What needs a person: list it, look now and tell whoever is to be told
    #[command(subcommand)]
    Alert(AlertOf),
    /// The rules of a platform: show them, check a file of them
    #[command(subcommand)]
    Profile(ProfileOf),
    /// What rules made of items: attachments replaced, items left behind, what could not be looked into
    Rules {
        /// Only what this rule decided
        #[arg(long)]
        rule: Option<String>,
        #[command(flatten)]
        selection: Chosen,
    },
    /// The originals of what does not travel as it is: write one out again, check them all
    #[command(subcommand)]
    Quarantine(QuarantineOf),
    /// What became of every item, as a signed file that others can check without this program and without any mail
    #[command(subcommand)]
    Manifest(ManifestOf),
    /// Who there is, who that is on the platform, and what is made there: read, match, plan, apply
    #[command(subcommand)]
    People(crate::people::PeopleOf),
    /// The two address books: bring them into step, say how they differ
    #[command(subcommand, name = "addressbook")]
    AddressBook(crate::people::BookOf),
    /// Who moves at the same time, from when they are kept in step, when they switch, and whether that is in time
    #[command(subcommand)]
    Collection(crate::collection::CollectionOf),
    /// What failed or was reported: who has to act, and how it ended; none ends without a resolution or a disposition
    #[command(subcommand)]
    Issue(crate::issue::IssueOf),
    /// Who may open, send as, send on behalf and see what: read, sign off, give on the platform, compare
    #[command(subcommand)]
    Sharing(crate::sharing::SharingOf),
    /// Move a small invented organisation to maildirs: no server, no root, no network
    Demo {
        /// Where to put it: an empty folder, or one to make
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Look whether this machine and the project are fit for the work
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReportOf {
    /// Who stands where: every mailbox with its state, progress and what became of each item; whether the sums hold; failures
    /// against what is expected; exceptions
    Overall {
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Each item that failed: whose, where, when received, why, what to do, who has to act
    Failed {
        /// With their subjects, read at the source now: for those who may see them; the audit log says who asked
        #[arg(long)]
        subjects: bool,
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        selection: Chosen,
    },
    /// What was planned and what came: each collection with its date and its run rate, what each day did, who is late, waits or needs
    /// a person, who has not activated their account
    Schedule {
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Send the daily reports by mail that are owed and were not sent, as the service does; or one of them now
    Send {
        /// This one, now: overall, failed or schedule
        #[arg(long, value_name = "KIND", value_parser = ["overall", "failed", "schedule"])]
        now: Option<String>,
    },
    /// Which reports were sent to whom, and which wait
    Sent,
    /// A letter to one person: which of their own items could not be copied, why, and what they can do, in their words
    Letter {
        /// Their mailbox, by its name at the source or the target
        mailbox: String,
        /// Whom they can ask, as the letter is to say it: "the help desk, 0123 456"
        #[arg(long, value_name = "TEXT")]
        contact: Option<String>,
        /// With the subjects, read at the source now: for those who may see them; the audit log says who asked
        #[arg(long)]
        subjects: bool,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertOf {
    /// What is so now: since when, and who was told
    List {
        /// And what is over
        #[arg(long)]
        all: bool,
    },
    /// Look now, and tell whoever is to be told: for machines where no service is at work
    Check,
}

/// In which form a report is given, and where to.
#[derive(Debug, Args)]
pub(crate) struct Shown {
    /// The form
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Write it to this file, which is not there yet and which nobody else may read
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Which table as CSV, by the name that the workbook has for its sheet; the one with the most in it when left out
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a terminal
    Text,
    /// One table for other programs; no cell is a formula
    Csv,
    /// A workbook with a sheet for each table
    Xlsx,
    /// One page that needs nothing else
    Html,
    /// Everything, for other programs; --json is the same
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileOf {
    /// Print every rule with its value: of a shipped profile, or of this project
    Show {
        /// The profile, such as nhsmail or nhsmail@2017; this project's rules when left out
        name: Option<String>,
    },
    /// Check a file with a profile, and say what is wrong with it
    Validate {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineOf {
    /// Write an original out again
    Export {
        /// Its reference from `whimbrel rules`
        reference: String,
        /// The file to write: one that is not there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Read all that is kept, and say whether it is whole
    Check,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ManifestOf {
    /// Write what became of every item, signed by this project's key
    Export {
        /// The file to write: one that is not there yet. It tells whose mail lies where: keep it
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Write roots and numbers only to this file, too, under the same signature. It names nobody and may be handed out
        #[arg(long, value_name = "FILE")]
        roots: Option<PathBuf>,
        /// Make a key though manifests were signed with another one, which is lost
        #[arg(long)]
        new_key: bool,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Check signature, roots and counts of a manifest, or the proof of one item. Needs no project and no mail
    Check {
        /// A manifest, one with roots only, or the proof of one item
        file: PathBuf,
        /// The public key that must have signed it, as whoever signed it has told you
        #[arg(long, value_name = "PUBLICKEY")]
        key: Option<String>,
        /// Read this endpoint of the project and compare every item with it: what is missing, changed or extra there
        #[arg(long, value_name = "ENDPOINT", conflicts_with_all = ["item", "message"])]
        against: Option<String>,
        /// Compare flags too, which people change
        #[arg(long, requires = "against")]
        flags: bool,
        /// Check the proof of one item of this manifest, from `manifest reveal`
        #[arg(long, value_name = "PROOF")]
        item: Option<PathBuf>,
        /// Compare this file, a message, with the item that is proved
        #[arg(long, value_name = "FILE")]
        message: Option<PathBuf>,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Write the proof of one item of a manifest, for somebody who is not to see the rest
    Reveal {
        /// The manifest
        file: PathBuf,
        /// The file to write: one that is not there yet
        #[arg(long, value_name = "PROOF")]
        to: PathBuf,
        /// The item is of this mailbox, by its name at the source or the target
        #[arg(long, value_name = "NAME")]
        mailbox: Option<String>,
        /// It is in this folder of the source
        #[arg(long, value_name = "PATH")]
        folder: Option<String>,
        /// The source's folder calls it this
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// It is this message
        #[arg(long, value_name = "FILE")]
        message: Option<PathBuf>,
    },
    /// Print the public key that this project's manifests are signed with; hand it over by another way than the manifests
    Key {
        /// Make a key though manifests were signed with another one, which is lost
        #[arg(long)]
        new_key: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Held {
    /// List what waits, each with its reference and the rule by which it waits
    List {
        #[command(flatten)]
        selection: Chosen,
    },
    /// Say yes: the removal is made, the item copied, the disappearance followed, by the next sync
    Approve(HeldWord),
    /// Say no: the item stays on the target, or what is there counts as the item
    Reject(HeldWord),
}

/// A word about what is held.
#[derive(Debug, Args)]
pub(crate) struct HeldWord {
    /// References from the list
    references: Vec<String>,
    /// All that wait by this rule
    #[arg(long)]
    rule: Option<String>,
    /// All that wait
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selection: Chosen,
    #[command(flatten)]
    said: SaidBy,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Failed {
    /// List what failed, each with its reference and why
    List {
        /// Only what failed for this cause
        #[arg(long)]
        cause: Option<String>,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Have it tried again by the next sync, whatever its cause
    Retry {
        #[command(flatten)]
        about: FailedAbout,
    },
    /// Accept the loss, in a named person's name and for a reason
    Accept {
        #[command(flatten)]
        about: FailedAbout,
        #[command(flatten)]
        said: SaidBy,
    },
}

/// About which failures.
#[derive(Debug, Args)]
pub(crate) struct FailedAbout {
    /// References from the list
    references: Vec<String>,
    /// All that failed for this cause
    #[arg(long)]
    cause: Option<String>,
    /// All that failed
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selection: Chosen,
}

/// What is paused; the whole project when nothing is given.
#[derive(Debug, Args)]
pub(crate) struct Scope {
    #[command(flatten)]
    selection: Chosen,
    /// This endpoint; may be given several times
    #[arg(long = "endpoint", value_name = "NAME")]
    endpoints: Vec<String>,
}

impl From<Scope> for PauseScope {
    fn from(scope: Scope) -> Self {
        Self { selection: scope.selection.into(), endpoints: scope.endpoints }
    }
}

/// Who says it, and why.
#[derive(Debug, Args)]
pub(crate) struct SaidBy {
    /// In whose name
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl From<SaidBy> for Said {
    fn from(said: SaidBy) -> Self {
        Self { by: said.by, reason: said.reason }
    }
}

impl HeldWord {
    pub(crate) fn split(self) -> (Selection, About, Said) {
        let about = About { references: self.references, class: self.rule, all: self.all };
        (self.selection.into(), about, self.said.into())
    }
}

impl FailedAbout {
    pub(crate) fn split(self) -> (Selection, About) {
        (self.selection.into(), About { references: self.references, class: self.cause, all: self.all })
    }
}

/// Which mailboxes; all of people.csv when nothing is given.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Only this mailbox, by its name at the source or the target; may be given several times
    #[arg(long = "mailbox", value_name = "NAME")]
    mailboxes: Vec<String>,
    /// Only the people of this collection
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
}

impl From<Chosen> for Selection {
    fn from(chosen: Chosen) -> Self {
        Self { mailboxes: chosen.mailboxes, collection: chosen.collection }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
