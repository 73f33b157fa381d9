//! `[people.confirmation]`: people who are asked by mail whose an account under another organisation's code is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::import::inbox;
use super::{EndpointEntry, MailedEntry, PostEntry, SecretEntry, SmtpEntry};
use crate::Error;

/// Days that a question may be open for, at most: what is known of two people grows old.
const DAYS_MAX: u32 = 90;

/// How people are asked by mail whose an account under another organisation's code is, and the mailbox that their answers
/// come to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmationEntry {
    /// The endpoint of the mailbox that answers come to, of the kind `imap`.
    pub endpoint: String,
    /// Whose mailbox it is. It is nobody's else: messages that were dealt with are marked, and none is ever removed.
    pub account: String,
    /// The password of its own, where the endpoint has no login for everyone.
    #[serde(default)]
    pub password: Option<SecretEntry>,
    /// The folder that answers come to.
    #[serde(default = "inbox")]
    pub folder: String,
    /// The name by which the organisation's own mail server signs Authentication-Results (RFC 8601). It must remove those that come
    /// from elsewhere under this name.
    #[serde(default)]
    pub authserv_id: Option<String>,
    /// In its place, a header field in which that server writes the address of a sender that it has authenticated. It must remove
    /// those that come from elsewhere.
    #[serde(default)]
    pub verified_header: Option<String>,
    /// In the place of both: what stands in From is believed, which anybody can forge. The codes are then all that is asked for.
    #[serde(default)]
    pub trust_from: bool,
    /// Who asks: the address of that mailbox, which answers are sent to.
    pub from: String,
    /// The server that takes the letters. It must deliver the organisation's own addresses by itself.
    pub smtp: SmtpEntry,
    /// Whom people ask who are not sure, as it is to stand in the letters: `"the help desk, 0113 496 0000"`.
    pub contact: String,
    /// What shows that an account is somebody's own: `both`, a code sent to their own address and another one sent to the account's
    /// (the default), or `own`, the first one alone.
    #[serde(default)]
    pub proof: Proof,
    /// Days until an answer is too late.
    #[serde(default = "days")]
    pub days: u32,
    /// Days for which nobody is written to again without a person's word.
    #[serde(default = "again_days")]
    pub again_days: u32,
    /// The subject of the letter to the person.
    #[serde(default)]
    pub subject: Option<String>,
    /// A file with its text, in UTF-8, in place of the one that is built in. In braces: `name`, `organisation`, `other_code`,
    /// `account`, `code`, `deadline`, `contact`.
    #[serde(default)]
    pub text_file: Option<PathBuf>,
    /// The subject of the letter to the account.
    #[serde(default)]
    pub account_subject: Option<String>,
    /// A file with its text.
    #[serde(default)]
    pub account_text_file: Option<PathBuf>,
}

/// What shows that an account is somebody's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// A code that was sent to their own address, and one that was sent to the account's.
    #[default]
    Both,
    /// The one that was sent to their own address.
    Own,
}

fn days() -> u32 {
    14
}

fn again_days() -> u32 {
    7
}

impl ConfirmationEntry {
    /// The mailbox, whose messages count, and who asks.
    pub(crate) fn post(&self) -> PostEntry<'_> {
        PostEntry {
            table: "people.confirmation",
            endpoint: &self.endpoint,
            account: &self.account,
            password: self.password.as_ref(),
            folder: &self.folder,
            authserv_id: self.authserv_id.as_deref(),
            verified_header: self.verified_header.as_deref(),
            trust_from: self.trust_from,
            takes_bulk: false,
            from: &self.from,
            smtp: &self.smtp,
        }
    }

    /// What has to hold of the table, the endpoints, and the mailbox that files are sent to.
    pub(super) fn check(
        &self,
        endpoints: &BTreeMap<String, EndpointEntry>,
        mailed: Option<&MailedEntry>,
    ) -> Result<(), Error> {
        let post = self.post();
        post.check(endpoints)?;
        if mailed.is_some_and(|mailed| mailed.post().is_same(&post)) {
            return Err(post.wrong(
                "account",
                "is the mailbox of people.mailed, too, and each would refuse what is meant for the other",
                "give each a mailbox or a folder of its own",
            ));
        }
        if self.contact.trim().is_empty() {
            return Err(post.wrong("contact", "is empty", "write whom people ask who are not sure"));
        }
        if !(1..=DAYS_MAX).contains(&self.days) {
            let what = format!("= {} is not between 1 and {DAYS_MAX}", self.days);
            return Err(post.wrong("days", &what, "14 is usual"));
        }
        if self.again_days == 0 {
            return Err(post.wrong("again_days", "= 0 lets people be written to at any time", "write 1 or more"));
        }
        Ok(())
    }
}
