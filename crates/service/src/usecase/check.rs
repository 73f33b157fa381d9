//! `check`: is every endpoint reachable, private, open to us, and whose store do we reach? Changes nothing.

use std::sync::Arc;

use connector::{Account, Finding};
use model::{Cause, Side};
use movement::Progress;
use serde::Serialize;
use tokio::sync::watch;

use crate::error::{Exit, exit_of};
use crate::secret::Environment;
use crate::{Error, Project, Selection, people};

/// What was found of all endpoints.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The endpoints.
    pub endpoints: Vec<EndpointCheck>,
    /// The malware scanner, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanner: Option<ScannerCheck>,
    /// What to look at besides.
    pub warnings: Vec<String>,
}

/// What was found of an endpoint, with one person.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointCheck {
    /// Its name.
    pub endpoint: String,
    /// Its kind.
    pub kind: String,
    /// Source or target.
    pub side: Side,
    /// The person it was tried with.
    pub person: Option<String>,
    /// The findings, in the order they were made.
    pub findings: Vec<Finding>,
}

/// What was found of the malware scanner.
#[derive(Clone, Debug, Serialize)]
pub struct ScannerCheck {
    /// What it says of itself and its signatures, or why it can't be asked.
    pub sentence: String,
    /// The class of what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Cause>,
}

impl CheckReport {
    /// What was found wrong first.
    pub fn wrong(&self) -> Option<(Side, Cause)> {
        self.endpoints.iter().find_map(|check| {
            let wrong = check.findings.iter().find_map(|finding| finding.wrong);
            wrong.map(|cause| (check.side, cause))
        })
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        let of_scanner = self.scanner.as_ref().and_then(|scanner| scanner.wrong);
        self.wrong().map(|(_, cause)| cause).or(of_scanner).map_or(Exit::Done, exit_of)
    }
}

impl Project {
    /// Checks each endpoint with the first person that needs it, or with every person chosen.
    pub async fn check(&self, selection: &Selection, environment: Environment<'_>) -> Result<CheckReport, Error> {
        let (_, never) = watch::channel(false);
        let engine = self.engine(environment, Arc::new(Progress::default()), never, true)?;
        let chosen = self.select(selection).await?;
        let all = !selection.mailboxes.is_empty() || selection.collection.is_some();
        let mut endpoints: Vec<EndpointCheck> = Vec::new();
        let mut used = std::collections::BTreeSet::new();
        for row in &chosen {
            let Some(person) = engine.people.get(&row.mailbox) else { continue };
            let sides = [
                (Side::Source, row.roster.source_endpoint, &person.source),
                (Side::Target, row.roster.target_endpoint, &person.target),
            ];
            for (side, number, account) in sides {
                if !used.insert((side, number)) && !all {
                    continue;
                }
                let problem = person.problem.as_ref().filter(|problem| problem.side == Some(side));
                let findings = match problem {
                    Some(problem) => vec![Finding::wrong(connector::Topic::Login, &problem.error)],
                    None => engine.endpoints[&number].connector.check(Some(account)).await,
                };
                endpoints.push(self.endpoint_check(number, side, Some(account), findings));
            }
        }
        // Endpoints that nobody needs yet.
        for (number, endpoint) in &engine.endpoints {
            let is_archive = self.config.file.archive.as_ref().is_some_and(|archive| archive.mail == endpoint.name);
            let is_target = self.config.target() == endpoint.name || is_archive;
            let is_source = self.config.sources().contains(&endpoint.name);
            for (side, is) in [(Side::Source, is_source), (Side::Target, is_target)] {
                if is && used.insert((side, *number)) {
                    let findings = endpoint.connector.check(None).await;
                    endpoints.push(self.endpoint_check(*number, side, None, findings));
                }
            }
        }
        let mut warnings = Vec::new();
        if !self.people.plain_passwords.is_empty() {
            let lines: Vec<String> = self.people.plain_passwords.iter().take(10).map(u64::to_string).collect();
            warnings.push(format!(
                "{}: passwords are written out in line {}; write env:NAME or file:PATH in their place",
                people::FILE,
                lines.join(", ")
            ));
        }
        if chosen.is_empty() {
            warnings.push(format!("{} has no people yet", people::FILE));
        }
        let scanner = match self.config.clamd() {
            None => None,
            Some(clamd) => Some(match clamd.version().await {
                Ok(version) => ScannerCheck { sentence: version, wrong: None },
                Err(error) => ScannerCheck { sentence: error.to_string(), wrong: Some(error.cause) },
            }),
        };
        Ok(CheckReport { endpoints, scanner, warnings })
    }

    fn endpoint_check(
        &self,
        number: i64,
        side: Side,
        account: Option<&Account>,
        findings: Vec<Finding>,
    ) -> EndpointCheck {
        let (endpoint, kind) = self.endpoints[&number].clone();
        EndpointCheck { endpoint, kind: kind.to_owned(), side, person: account.map(|a| a.name.clone()), findings }
    }
}
