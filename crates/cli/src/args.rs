//! Arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use service::Selection;

/// Moves whole organisations from one mail platform to another: non-stop, losing nothing, and proving it.
#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The project's folder, with whimbrel.toml and people.csv
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
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
    /// List what there is to move
    Discover {
        #[command(flatten)]
        selection: Chosen,
    },
    /// Say what a pair of endpoints (or kinds of endpoints) can't carry
    Losses {
        /// An endpoint of the project, or a kind: imap, maildir
        source: String,
        /// An endpoint of the project, or a kind: imap, maildir
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
    /// Say where every mailbox stands
    Status {
        #[command(flatten)]
        selection: Chosen,
    },
    /// Read both sides in full and say in one sentence whether the copy is exact
    Verify {
        #[command(flatten)]
        selection: Chosen,
        /// Compare only this many items of each mailbox
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        sample: Option<u64>,
    },
    /// Move a small invented organisation to maildirs: no server, no root, no network
    Demo {
        /// Where to put it: an empty folder, or one to make
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Look whether this machine and the project are fit for the work
    Doctor,
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
