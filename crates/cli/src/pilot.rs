//! `pilot`: who is of a governed project's pilot, and what each of them checked.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use service::{Error, Exit, Outcome, PilotAnswer};

use crate::governed::{At, outcome};
use crate::governed_show as show;

#[derive(Debug, Subcommand)]
pub(crate) enum PilotOf {
    /// Who is of the pilot, and who has still to check what; exit 1 while something is not checked, or
    /// its share of all is neither as is usual nor decided
    List,
    /// Name people for the pilot; those of the collections that the project's file names, when nothing is said
    Name {
        /// Who: what the old mailbox is called, with ENDPOINT: before it where several sources have one of that name; or an address of theirs
        who: Vec<String>,
        /// Everybody of this collection
        #[arg(long, value_name = "NAME")]
        collection: Vec<String>,
    },
    /// Somebody is not of the pilot any more; with something open only by a decision, pilot-leave/WHO
    Leave {
        /// Who
        who: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// What a person of the pilot checked, or what many did, of a file: person,item,outcome,text; refused before the copy, or in another role
    Check {
        /// Who
        #[arg(required_unless_present = "file", requires_all = ["item", "outcome"], conflicts_with = "file")]
        who: Option<String>,
        /// The thing: whimbrel pilot list --json names them all
        #[arg(long, value_name = "TEXT")]
        item: Option<String>,
        /// passed, failed, not-applicable
        #[arg(long, value_parser = outcome)]
        outcome: Option<Outcome>,
        /// What was seen
        #[arg(long, default_value = "", value_name = "TEXT")]
        text: String,
        /// Answers of many
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Give a file as evidence of what a person of the pilot checked
    Evidence {
        /// Who
        who: String,
        /// The file
        file: PathBuf,
        /// What it shows
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
}

pub(crate) async fn pilot(which: PilotOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let at = At { folder, json };
    match which {
        PilotOf::List => {
            let report = at.view("pilot", async |governed| Ok(governed.pilot()), show::pilot).await?;
            Ok(if report.is_open { Exit::WithFailures } else { Exit::Done })
        }
        PilotOf::Name { who, collection } => {
            let work = async |governed: &mut service::Governed| governed.name_pilot(who, collection).await;
            Box::pin(at.work(work)).await
        }
        PilotOf::Leave { who, why } => Box::pin(at.work(async |governed| governed.leave_pilot(&who, why).await)).await,
        PilotOf::Check { file: Some(file), .. } => {
            Box::pin(at.work(async |governed| governed.check_pilot_file(&file).await)).await
        }
        PilotOf::Check { who, item, outcome, text, file: None } => {
            let (Some(person), Some(item), Some(outcome)) = (who, item, outcome) else {
                return Err(Error::usage("who, item and outcome are needed").advise("or give a file: --file"));
            };
            let answers = vec![PilotAnswer { person, item, outcome, text }];
            Box::pin(at.work(async |governed| governed.check_pilot(answers).await)).await
        }
        PilotOf::Evidence { who, file, note } => {
            let work = async |governed: &mut service::Governed| governed.give_pilot_evidence(&who, &file, &note).await;
            Box::pin(at.work(work)).await
        }
    }
}
