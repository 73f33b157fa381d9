//! `check`: whether an endpoint is reachable and set up well, a sentence for each topic. It changes nothing.

use std::sync::Arc;

use connector::{Account, Error, Finding, Topic};

use super::connect::{Line, NOT_ENCRYPTED};
use super::identity::{RIGHTS_TO_WRITE, Reached, missing_rights};
use super::login::Who;
use crate::config::Tls;
use crate::endpoint::Endpoint;
use crate::wire::command::Role;

/// Capabilities that we make use of.
const USED: &[&str] = &[
    "UIDPLUS",
    "MULTIAPPEND",
    "LITERAL+",
    "LITERAL-",
    "CONDSTORE",
    "QRESYNC",
    "ESEARCH",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "NAMESPACE",
    "COMPRESS=DEFLATE",
    "OBJECTID",
    "METADATA",
    "QUOTA",
    "ACL",
    "UTF8=ACCEPT",
];

impl Endpoint {
    /// What is found, in the order of topics, up to the first that fails.
    pub(crate) async fn check(self: &Arc<Self>, account: Option<&Account>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Err((topic, error)) = self.look(account, &mut findings).await {
            findings.push(Finding::wrong(topic, &error));
        }
        findings
    }

    async fn look(
        self: &Arc<Self>,
        account: Option<&Account>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), (Topic, Error)> {
        let mut line = self.connect(Role::Reads).await.map_err(|error| (topic_of_connecting(&error), error))?;
        findings.push(Finding::well(Topic::Reach, format!("{} answers: {}", self.config.address(), line.greeting)));
        findings.push(Finding::well(Topic::Tls, self.tls_sentence(&line)));
        let Some(account) = account else {
            findings.push(Finding::well(Topic::Capabilities, capabilities_sentence(&line, None)));
            line.connection.log_out().await;
            return Ok(());
        };
        self.log_in_as(&mut line, Who::Person(account)).await.map_err(|error| (Topic::Login, error))?;
        let how = match (&self.config.login, self.impersonates(account)) {
            (Some(login), true) => format!("{} logs in for {}", login.user, account.name),
            _ => format!("{} logs in", account.name),
        };
        findings.push(Finding::well(Topic::Login, how));
        // The proof takes connections of its own; this one goes first, as there may be a place for one only.
        line.connection.log_out().await;
        drop(line);
        let reached = self.reach(Role::Reads, account).await.map_err(|error| (topic_of_reaching(&error), error))?;
        let Reached { mut line, introduction, proof } = reached;
        self.claim(account, &proof).map_err(|error| (Topic::Store, error))?;
        findings.push(Finding::well(Topic::Store, proof.evidence));
        findings.push(Finding::well(Topic::Capabilities, capabilities_sentence(&line, introduction.server.as_deref())));
        findings.push(Finding::well(
            Topic::Rights,
            match &introduction.rights {
                Some(rights) => match missing_rights(rights, RIGHTS_TO_WRITE).as_str() {
                    "" => format!("has the rights {rights} to INBOX"),
                    missing => format!("has the rights {rights} to INBOX, not {missing}: enough for a source only"),
                },
                None => {
                    "the server does not tell rights; whether it takes messages shows when the first is sent".to_owned()
                }
            },
        ));
        line.connection.log_out().await;
        Ok(())
    }

    fn tls_sentence(&self, line: &Line) -> String {
        match (&line.tls, self.config.tls) {
            (Some(tls), Tls::Starttls) => format!("{tls} (begun with STARTTLS)"),
            (Some(tls), _) => tls.clone(),
            (None, _) if line.is_local => {
                "tls = \"none\": the connection is not encrypted; fine on this machine only".to_owned()
            }
            (None, _) => NOT_ENCRYPTED.to_owned(),
        }
    }
}

fn topic_of_connecting(error: &Error) -> Topic {
    match error.cause {
        model::Cause::Tls | model::Cause::LocalFile => Topic::Tls,
        model::Cause::NotTheirStore => Topic::Store,
        _ => Topic::Reach,
    }
}

fn topic_of_reaching(error: &Error) -> Topic {
    match error.cause {
        model::Cause::Permission => Topic::Rights,
        model::Cause::Login => Topic::Login,
        _ => Topic::Store,
    }
}

fn capabilities_sentence(line: &Line, server: Option<&str>) -> String {
    let has = |capability: &str| line.capabilities.has(capability);
    let offers = line.capabilities.among(USED);
    let who = server.map_or_else(|| "offers ".to_owned(), |server| format!("{server} offers "));
    if offers.is_empty() && server.is_none() {
        return "says what it can do after the login only".to_owned();
    }
    let mut sentence =
        if offers.is_empty() { format!("{who}nothing beyond the basic protocol") } else { who + &offers.join(", ") };
    if server.is_none() && !has("UIDPLUS") {
        // Before the login most servers hold back.
        return sentence;
    }
    let mut notes = Vec::new();
    if !has("MULTIAPPEND") {
        notes.push("without MULTIAPPEND messages are sent one by one");
    }
    if !has("LITERAL+") && !has("LITERAL-") {
        notes.push("without LITERAL+ each message waits for a round trip");
    }
    if !has("UIDPLUS") {
        notes.push("without UIDPLUS new messages must be looked for, and single ones can't be removed");
    }
    if !has("CONDSTORE") && !has("QRESYNC") {
        notes.push("without CONDSTORE all flags are compared each time");
    }
    if !notes.is_empty() {
        sentence.push_str("; ");
        sentence.push_str(&notes.join("; "));
    }
    sentence
}
