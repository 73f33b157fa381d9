//! What a service does at times for a project, besides keeping mailboxes in step: issues, reports, alerts. Each is done by one process
//! at a time, brings things to where they should be by what the database says, and may be stopped anywhere.

use std::time::Duration;

use jiff::Timestamp;

use crate::secret::Environment;
use crate::usecase::alerts::tend_alerts;
use crate::usecase::issue::tend_issues;
use crate::usecase::report::daily::tend_reports;
use crate::{Error, Exit, Project};

/// How long a chore is held without being ended: what a process that was killed had begun is done by another after that.
const LASTS: Duration = Duration::from_secs(120);
/// How long one may take: a server that says nothing must not keep the others from being done. It goes on where it was the next time.
const TAKES_MAX: Duration = Duration::from_secs(90);
/// How soon one that failed is done again.
const FAILED_AGAIN: Duration = Duration::from_secs(30);

/// The chores, each with how often it is done.
const CHORES: [(&str, Duration); 6] = [
    ("issues", Duration::from_secs(10)),
    ("reports", Duration::from_secs(20)),
    ("alerts", Duration::from_secs(10)),
    ("forwarders", Duration::from_secs(30)),
    ("logs", Duration::from_secs(600)),
    ("mx", Duration::from_secs(3600)),
];

/// Does what is due.
pub(crate) async fn tend(project: &Project, holder: &str, environment: Environment<'_>) -> Result<(), store::Error> {
    for (name, every) in CHORES {
        let (store, key) = (&project.store, project.key);
        if store.claim_chore(key, name, holder, LASTS.as_millis() as i64).await?.is_none() {
            continue;
        }
        let doing = async {
            match name {
                "issues" => tend_issues(project, Timestamp::now()).await.map(drop),
                "reports" => reports(project, environment).await,
                "logs" => logs(project).await,
                "mx" => project.look_at_every_exchange().await,
                "forwarders" => forwarders(project, environment).await,
                _ => alerts(project, environment).await,
            }
        };
        let took_too_long = || Error::usage(format!("it took longer than {} s", TAKES_MAX.as_secs()));
        let done = tokio::time::timeout(TAKES_MAX, Box::pin(doing)).await.unwrap_or_else(|_| Err(took_too_long()));
        let again = if done.is_ok() { every } else { FAILED_AGAIN };
        if let Err(error) = &done {
            tracing::warn!(organisation = %project.config.code, chore = name, error = error.what, "a chore failed; it is done again");
        }
        let said = done.err().map(|error| error.what);
        store.end_chore(key, name, holder, again.as_millis() as i64, said.as_deref()).await?;
    }
    Ok(())
}

/// What local servers still take is read before their logs are rotated away.
async fn logs(project: &Project) -> Result<(), Error> {
    match project.read_logs().await?.into_iter().next() {
        Some((_, problem)) => Err(Error::usage(problem)),
        None => Ok(()),
    }
}

/// Where the programme allows none yet there is nothing to do.
async fn forwarders(project: &Project, environment: Environment<'_>) -> Result<(), Error> {
    match Box::pin(project.tend_forwarders(environment)).await {
        Err(error) if error.exit == Exit::Refused => Ok(()),
        tended => tended,
    }
}

async fn reports(project: &Project, environment: Environment<'_>) -> Result<(), Error> {
    let mailer = project.mailer(environment)?;
    tend_reports(project, Timestamp::now(), mailer.as_deref()).await
}

async fn alerts(project: &Project, environment: Environment<'_>) -> Result<(), Error> {
    let tellers = project.tellers(environment)?;
    tend_alerts(project, Timestamp::now(), &tellers).await
}
