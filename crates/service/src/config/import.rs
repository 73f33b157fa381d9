//! `[people.import]` and `[people.mailed]`: files of people that are handed in, by hand or by mail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use table::{ColumnMap, FileForm};

use super::{EndpointEntry, SecretEntry, TlsEntry, alike};
use crate::Error;
use crate::config::FILE;

/// Files of people that are handed in: accounts made of their rows are live at once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportEntry {
    /// The connector's name: the rows of its files are the entries of a directory of this name.
    pub connector: String,
    /// Which column is which field, as for a directory that is a file.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub map: ColumnMap,
    /// How a file is read as a table, as for a directory that is a file.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub form: FileForm,
    /// Why every account may be live without a forwarder to the source, where its row does not say.
    #[serde(default)]
    pub exemption: Option<String>,
    /// The heading of the column that says so row by row.
    #[serde(default = "exemption_column")]
    pub exemption_column: String,
}

fn exemption_column() -> String {
    "Exemption".to_owned()
}

/// The mailbox that such files are sent to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailedEntry {
    /// The endpoint of the mailbox, of the kind `imap`.
    pub endpoint: String,
    /// Whose mailbox it is. It is nobody's else: messages that were dealt with are marked, and none is ever removed.
    pub account: String,
    /// The password of its own, where the endpoint has no login for everyone.
    #[serde(default)]
    pub password: Option<SecretEntry>,
    /// The folder that messages come to.
    #[serde(default = "inbox")]
    pub folder: String,
    /// The connector's key: the whole subject of a message that hands in a file.
    pub key: SecretEntry,
    /// Who may hand in files. What comes of one waits for `people plan --approve`.
    #[serde(default)]
    pub senders: Vec<String>,
    /// Who may, and whose file is its own approval by the person named: `"hr@trust.example" = "Ivy Lead"`.
    #[serde(default)]
    pub approved_senders: BTreeMap<String, String>,
    /// The name by which the organisation's own mail server signs Authentication-Results (RFC 8601). It must remove those that come
    /// from elsewhere under this name.
    #[serde(default)]
    pub authserv_id: Option<String>,
    /// In its place, a header field in which that server writes the address of a sender that it has authenticated. It must remove
    /// those that come from elsewhere.
    #[serde(default)]
    pub verified_header: Option<String>,
    /// In the place of both: what stands in From is believed, which anybody can forge.
    #[serde(default)]
    pub trust_from: bool,
    /// Who answers.
    pub from: String,
    /// The server that takes the answers.
    pub smtp: SmtpEntry,
}

pub(super) fn inbox() -> String {
    model::INBOX.to_owned()
}

/// What every mailbox that messages to this program come to has in common: which it is, how the sender of one is known, and who
/// answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PostEntry<'e> {
    /// Its table in the project's file.
    pub(crate) table: &'static str,
    pub(crate) endpoint: &'e str,
    pub(crate) account: &'e str,
    pub(crate) password: Option<&'e SecretEntry>,
    pub(crate) folder: &'e str,
    pub(crate) authserv_id: Option<&'e str>,
    pub(crate) verified_header: Option<&'e str>,
    pub(crate) trust_from: bool,
    /// Programs may send to it, such as a personnel system, as long as they don't say that it is by themselves.
    pub(crate) takes_bulk: bool,
    pub(crate) from: &'e str,
    pub(crate) smtp: &'e SmtpEntry,
}

impl PostEntry<'_> {
    /// Is it the same folder of the same mailbox?
    pub(super) fn is_same(&self, other: &PostEntry<'_>) -> bool {
        (self.endpoint, self.folder) == (other.endpoint, other.folder)
            && self.account.eq_ignore_ascii_case(other.account)
    }

    /// How it is known whose a message is.
    pub(crate) fn trust(&self) -> Trust<'_> {
        Trust {
            authserv_id: self.authserv_id,
            verified_header: self.verified_header,
            believes_from: self.trust_from,
            takes_bulk: self.takes_bulk,
            takes_automatic: false,
        }
    }

    pub(super) fn wrong(&self, key: &str, what: &str, cure: &str) -> Error {
        Error::usage(format!("{FILE}: {}.{key} {what}", self.table)).advise(cure)
    }

    /// What has to hold of the endpoint, of how senders are known, and of who answers.
    pub(super) fn check(&self, endpoints: &BTreeMap<String, EndpointEntry>) -> Result<(), Error> {
        match endpoints.get(self.endpoint) {
            Some(EndpointEntry::Imap(_)) => {}
            Some(_) => {
                return Err(self.wrong("endpoint", &format!("= {:?} is no IMAP server", self.endpoint), "name one"));
            }
            None => {
                let what = format!("= {:?}, but there is no [endpoints.{}]", self.endpoint, self.endpoint);
                return Err(match alike(self.endpoint, endpoints.keys().map(String::as_str)) {
                    Some(known) => self.wrong("endpoint", &what, &format!("did you mean {known:?}?")),
                    None => self.wrong("endpoint", &what, "add one with kind = \"imap\""),
                });
            }
        }
        if !self.trust().is_one() {
            return Err(self.wrong(
                "authserv_id",
                "or one of verified_header and trust_from has to say how a sender is known",
                "write the name by which your mail server signs Authentication-Results; From alone is easily forged",
            ));
        }
        if !mailer::is_address(self.from) {
            return Err(self.wrong("from", &format!("= {:?} is no mail address", self.from), "write name@domain"));
        }
        if self.smtp.user.is_some() != self.smtp.password.is_some() {
            return Err(self.wrong("smtp", "has one of user and password", "write both or neither"));
        }
        Ok(())
    }
}

/// A server that takes letters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpEntry {
    /// The server's name or address. Its certificate must be for this name.
    pub host: String,
    /// The port; 465 with `tls = "implicit"`, 587 with `starttls`, else 25, when left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept private: `implicit` (the default), `starttls`, or `none`.
    #[serde(default)]
    pub tls: Option<TlsEntry>,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The account that sends.
    #[serde(default)]
    pub user: Option<String>,
    /// Its password: `{ env = "NAME" }` or `{ file = "PATH" }`.
    #[serde(default)]
    pub password: Option<SecretEntry>,
}

/// How it is known whose a message is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trust<'t> {
    /// Under which name the organisation's own mail server writes Authentication-Results.
    pub(crate) authserv_id: Option<&'t str>,
    /// The field in which it writes the address of a sender that it has authenticated.
    pub(crate) verified_header: Option<&'t str>,
    /// From is believed.
    pub(crate) believes_from: bool,
    /// Programs may send, such as a personnel system, as long as they don't say that it is by themselves.
    pub(crate) takes_bulk: bool,
    /// And as well where they say so.
    pub(crate) takes_automatic: bool,
}

impl Trust<'_> {
    /// Is it known in exactly one way?
    pub(crate) fn is_one(&self) -> bool {
        let ways = [self.authserv_id.is_some(), self.verified_header.is_some(), self.believes_from];
        ways.iter().filter(|is_said| **is_said).count() == 1
    }
}

impl ImportEntry {
    /// What has to hold of the table alone.
    pub(super) fn check(&self, directories: &[&str]) -> Result<(), Error> {
        let key = "people.import.connector";
        if self.connector.trim().is_empty() {
            return Err(Error::usage(format!("{FILE}: {key} is empty")).advise("give the connector's name"));
        }
        if directories.contains(&self.connector.as_str()) {
            return Err(Error::usage(format!("{FILE}: {key} = {:?} is a directory that is read, too", self.connector))
                .advise("give it a name of its own: its entries are what was handed in"));
        }
        if self.exemption.as_deref().is_some_and(|text| text.trim().is_empty()) {
            return Err(Error::usage(format!("{FILE}: people.import.exemption is empty"))
                .advise("write why accounts may be live without a forwarder, or leave it out"));
        }
        Ok(())
    }
}

impl MailedEntry {
    /// The name of the person whose approval a file of this sender is; none: it has to be approved.
    pub(crate) fn approver(&self, sender: &str) -> Option<&str> {
        let mut approved = self.approved_senders.iter();
        approved.find(|(address, _)| address.eq_ignore_ascii_case(sender)).map(|(_, name)| name.as_str())
    }

    /// May this sender hand in files?
    pub(crate) fn is_authorised(&self, sender: &str) -> bool {
        self.senders.iter().any(|address| address.eq_ignore_ascii_case(sender)) || self.approver(sender).is_some()
    }

    /// The mailbox, whose messages count, and who answers.
    pub(crate) fn post(&self) -> PostEntry<'_> {
        PostEntry {
            table: "people.mailed",
            endpoint: &self.endpoint,
            account: &self.account,
            password: self.password.as_ref(),
            folder: &self.folder,
            authserv_id: self.authserv_id.as_deref(),
            verified_header: self.verified_header.as_deref(),
            trust_from: self.trust_from,
            takes_bulk: true,
            from: &self.from,
            smtp: &self.smtp,
        }
    }

    /// What has to hold of the table and the endpoints.
    pub(super) fn check(&self, endpoints: &BTreeMap<String, EndpointEntry>) -> Result<(), Error> {
        let wrong = |key: &str, what: String, cure: &str| {
            Err(Error::usage(format!("{FILE}: people.mailed.{key} {what}")).advise(cure))
        };
        self.post().check(endpoints)?;
        if self.senders.is_empty() && self.approved_senders.is_empty() {
            return wrong("senders", "names nobody".to_owned(), "write who may hand in files");
        }
        let mut seen = BTreeSet::new();
        for sender in self.senders.iter().chain(self.approved_senders.keys()) {
            if !mailer::is_address(sender) {
                return wrong("senders", format!("has {sender:?}, which is no mail address"), "write name@domain");
            }
            if !seen.insert(sender.to_lowercase()) {
                return wrong("senders", format!("has {sender:?} twice"), "write each once, with a name or without");
            }
        }
        if let Some((sender, _)) = self.approved_senders.iter().find(|(_, name)| name.trim().is_empty()) {
            return wrong("approved_senders", format!("has no name for {sender:?}"), "name the person who approves");
        }
        Ok(())
    }
}
