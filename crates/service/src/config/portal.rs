//! A platform that has a portal and nothing else: its report of users, the file that it takes, and how it gets it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use table::portal::UploadForm;
use table::{ColumnMap, FileForm};

use super::import::Trust;
use super::{EndpointEntry, SecretEntry, SmtpEntry, alike};

/// A platform that has only a portal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortalEntry {
    #[serde(rename = "kind")]
    _kind: String,
    /// The platform's report of its users, relative to the project's folder.
    pub(crate) report: PathBuf,
    /// How the report is read as a table.
    #[serde(default)]
    pub(crate) form: FileForm,
    /// Which column of the report is which field.
    #[serde(default)]
    pub(crate) map: ColumnMap,
    /// A report with a mistake is not read at all.
    #[serde(default = "yes")]
    pub(crate) strict: bool,
    /// A report without a row is what it says.
    #[serde(default)]
    pub(crate) may_be_empty: bool,
    /// The connector's name, as the portal knows it.
    pub(crate) connector: String,
    /// The columns of the file that the portal takes, and the words of its results.
    #[serde(default)]
    pub(crate) upload: UploadForm,
    /// Rows that the portal takes in one file; none: any number.
    #[serde(default)]
    pub(crate) rows_max: Option<usize>,
    /// What is made can be used at once. Left out: so it is where somebody uploads the file, and where it is mailed it
    /// waits to be accepted.
    #[serde(default)]
    makes_live: Option<bool>,
    /// Why every account that is live at once may be, without a forwarder to the source.
    #[serde(default)]
    pub(crate) exemption: Option<String>,
    /// The folder that files for somebody to upload are written to.
    #[serde(default)]
    pub(crate) folder: Option<PathBuf>,
    /// In its place, where files are mailed to.
    #[serde(default)]
    pub(crate) push: Option<PushEntry>,
    /// The mailbox that result files come to.
    #[serde(default)]
    pub(crate) results: Option<ResultsEntry>,
}

/// Where files are mailed to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PushEntry {
    /// The platform's address for them.
    pub(crate) to: String,
    /// Who sends them.
    pub(crate) from: String,
    /// The connector's key: the whole subject.
    pub(crate) key: SecretEntry,
    /// The server that takes them.
    pub(crate) smtp: SmtpEntry,
}

/// The mailbox that result files come to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultsEntry {
    /// Its endpoint, of the kind `imap`.
    pub(crate) endpoint: String,
    /// Whose mailbox it is.
    pub(crate) account: String,
    /// The password of its own, where the endpoint has no login for everyone.
    #[serde(default)]
    pub(crate) password: Option<SecretEntry>,
    /// The folder that they come to.
    #[serde(default = "super::import::inbox")]
    pub(crate) folder: String,
    /// Who sends them.
    pub(crate) senders: Vec<String>,
    /// How it is known that a message is theirs, as of `[people.mailed]`.
    #[serde(default)]
    authserv_id: Option<String>,
    #[serde(default)]
    verified_header: Option<String>,
    #[serde(default)]
    pub(crate) trust_from: bool,
}

fn yes() -> bool {
    true
}

impl PortalEntry {
    /// Can be used at once what is made?
    pub(crate) fn makes_live(&self) -> bool {
        self.makes_live.unwrap_or(self.push.is_none())
    }

    /// What has to hold of the table alone, in a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.upload.check().map_err(|what| format!("upload: {what}"))?;
        if self.connector.trim().is_empty() {
            return Err("connector is empty: give the name that the portal knows it by".to_owned());
        }
        if self.rows_max == Some(0) {
            return Err("rows_max = 0 lets nothing be sent".to_owned());
        }
        if self.exemption.as_deref().is_some_and(|text| text.trim().is_empty()) {
            return Err("exemption is empty: write why accounts may be live without a forwarder".to_owned());
        }
        match (&self.folder, &self.push) {
            (Some(_), Some(_)) => return Err("a file is uploaded or mailed: write folder or push, not both".to_owned()),
            (None, None) => {
                return Err("nothing says how files leave: write folder = \"uploads\", or a table push".to_owned());
            }
            (Some(_), None) => {}
            (None, Some(push)) => push.check()?,
        }
        self.results.as_ref().map_or(Ok(()), ResultsEntry::check)
    }

    /// The same with the endpoints.
    pub(crate) fn check_results(&self, endpoints: &BTreeMap<String, EndpointEntry>) -> Result<(), String> {
        let Some(ResultsEntry { endpoint, .. }) = &self.results else { return Ok(()) };
        match endpoints.get(endpoint) {
            Some(EndpointEntry::Imap(_)) => Ok(()),
            Some(_) => Err(format!("results.endpoint = {endpoint:?} is no IMAP server")),
            None => {
                let meant = alike(endpoint, endpoints.keys().map(String::as_str));
                let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
                Err(format!("results.endpoint = {endpoint:?}, but there is no [endpoints.{endpoint}]{meant}"))
            }
        }
    }
}

impl PushEntry {
    fn check(&self) -> Result<(), String> {
        for (key, address) in [("to", &self.to), ("from", &self.from)] {
            if !mailer::is_address(address) {
                return Err(format!("push.{key} = {address:?} is no mail address"));
            }
        }
        if self.smtp.user.is_some() != self.smtp.password.is_some() {
            return Err("push.smtp has one of user and password: write both or neither".to_owned());
        }
        Ok(())
    }
}

impl ResultsEntry {
    fn check(&self) -> Result<(), String> {
        if self.senders.is_empty() {
            return Err("results.senders names nobody".to_owned());
        }
        if let Some(sender) = self.senders.iter().find(|sender| !mailer::is_address(sender)) {
            return Err(format!("results.senders has {sender:?}, which is no mail address"));
        }
        if !self.trust().is_one() {
            return Err(
                "results: one of authserv_id, verified_header and trust_from has to say how a sender is known; \
                From alone is easily forged"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// How it is known whose a message is.
    pub(crate) fn trust(&self) -> Trust<'_> {
        Trust {
            authserv_id: self.authserv_id.as_deref(),
            verified_header: self.verified_header.as_deref(),
            believes_from: self.trust_from,
            // A portal is a program.
            takes_bulk: true,
            takes_automatic: true,
        }
    }

    /// Do results come from this sender?
    pub(crate) fn is_authorised(&self, sender: &str) -> bool {
        self.senders.iter().any(|address| address.eq_ignore_ascii_case(sender))
    }
}
