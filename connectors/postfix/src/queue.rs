//! What of a person's mail is still in the queue of the site's Postfix, for the end of a switch: what came before the redirect was on, and has
//! not been delivered or sent on yet.

use std::collections::BTreeSet;

use connector::{Error, Recipient};
use model::{Cause, Scope};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::config::Config;
use crate::op::find::Finder;
use crate::op::setup::Setup;
use crate::op::table::Store;
use crate::text::address::{Person, folded};
use crate::wire::command::{complaint, late, start};

/// The longest line, which is one message with all its recipients and why each waits.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Messages in the queue for a person, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// On their way in, or being delivered.
    pub active: u64,
    /// Waiting for another try.
    pub deferred: u64,
    /// Held by who runs the site, until they say otherwise.
    pub hold: u64,
}

impl Queued {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.active + self.deferred + self.hold
    }
}

/// The queue of the site's Postfix.
#[derive(Clone, Copy, Debug)]
pub struct QueueOf<'c> {
    config: &'c Config,
}

/// A line of `postqueue -j`.
#[derive(Deserialize)]
struct Message {
    queue_name: String,
    #[serde(default)]
    recipients: Vec<QueuedRecipient>,
}

#[derive(Deserialize)]
struct QueuedRecipient {
    address: String,
}

impl<'c> QueueOf<'c> {
    /// The queue of this site.
    pub fn new(config: &'c Config) -> Self {
        Self { config }
    }

    /// The messages for this person: at one of their addresses, at what the site makes of those, or at where our redirect leads. None where no
    /// `config_directory` is given, so that it can't be told.
    pub async fn count(&self, who: &Recipient) -> Result<Option<Queued>, Error> {
        if self.config.config_directory.is_none() {
            return Ok(None);
        }
        let wanted = self.addresses(&Person::with_further(who)?).await?;
        self.counted(&wanted).await.map(Some)
    }

    /// What stands in the queue for the person's mail.
    async fn addresses(&self, person: &Person) -> Result<BTreeSet<String>, Error> {
        let setup = Setup::read(self.config).await?;
        let store = Store::of(self.config);
        let mut finder = Finder::new(self.config, &setup, &store, person).await;
        finder.forwarders().await;
        // An address that was not looked up may be what a message waits under.
        if let Some(unread) = finder.unread.first() {
            let what = format!("what the site makes of their addresses is not known: {unread}");
            return Err(Error::new(Cause::Unavailable, Scope::Mailbox, what));
        }
        let mut wanted = finder.reached;
        wanted.extend(person.addresses.iter().cloned());
        let found = store.look(person).await?;
        let rows = found.rows.iter().chain(found.loaded.iter().flat_map(|(rows, _)| rows));
        wanted.extend(rows.filter(|row| row.is_of(&person.account)).map(|row| folded(&row.to)));
        Ok(wanted)
    }

    async fn counted(&self, wanted: &BTreeSet<String>) -> Result<Queued, Error> {
        let words = &self.config.programs.postqueue;
        let program = words.first().map_or("", String::as_str);
        let folder = self.config.config_directory.as_ref().map(|folder| folder.to_string_lossy().into_owned());
        let arguments: Vec<&str> = folder.iter().flat_map(|folder| ["-c", folder]).chain(["-j"]).collect();
        let mut child = start(words, &arguments)?;
        drop(child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let hear = async {
            let mut queued = Queued::default();
            let Some(stdout) = stdout else { return Ok(queued) };
            let mut lines = BufReader::new(stdout);
            let mut line = Vec::new();
            loop {
                line.clear();
                let length = (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
                let length = length.map_err(|error| unclear(program, &error.to_string()))?;
                if length == 0 {
                    return Ok(queued);
                }
                if line.last() != Some(&b'\n') {
                    return Err(unclear(program, "a line does not end"));
                }
                queued.add(&line, wanted).map_err(|error| unclear(program, &error))?;
            }
        };
        let all = async {
            let (queued, complaint) = tokio::join!(hear, complaint(stderr));
            let queued = queued?;
            let status = child.wait().await.map_err(|error| unclear(program, &error.to_string()))?;
            if status.success() {
                return Ok(queued);
            }
            let what = format!("{program} does not tell the queue: it ended with {status}");
            Err(Error::new(Cause::Unavailable, Scope::Run, what).said(complaint.lines().next().unwrap_or_default()))
        };
        let told = tokio::time::timeout(self.config.command_wait_max, all).await;
        told.unwrap_or_else(|_| Err(late(program, self.config.command_wait_max)))
    }
}

impl Queued {
    fn add(&mut self, line: &[u8], wanted: &BTreeSet<String>) -> Result<(), String> {
        // What the parser says may quote the line.
        let message: Message = serde_json::from_slice(line).map_err(|error| format!("{:?}", error.classify()))?;
        if !message.recipients.iter().any(|recipient| is_wanted(&folded(&recipient.address), wanted)) {
            return Ok(());
        }
        match message.queue_name.as_str() {
            "deferred" => self.deferred += 1,
            "hold" => self.hold += 1,
            // incoming, active, maildrop: and what later versions may have.
            _ => self.active += 1,
        }
        Ok(())
    }
}

/// Is this one of them, perhaps with an extension?
fn is_wanted(address: &str, wanted: &BTreeSet<String>) -> bool {
    if wanted.contains(address) {
        return true;
    }
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    local.match_indices(['+', '-']).any(|(at, _)| at > 0 && wanted.contains(&format!("{}@{domain}", &local[..at])))
}

fn unclear(program: &str, why: &str) -> Error {
    Error::new(Cause::Protocol, Scope::Run, format!("what {program} tells of the queue is not clear: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_counts_once() {
        let wanted: BTreeSet<String> = ["ann@site.test", "ann@new.test"].map(str::to_owned).into();
        let mut queued = Queued::default();
        let line = |queue: &str, recipients: &[&str]| {
            let all: Vec<String> =
                recipients.iter().map(|r| format!("{{\"address\": \"{r}\", \"delay_reason\": \"x\"}}")).collect();
            format!(
                "{{\"queue_name\": \"{queue}\", \"queue_id\": \"A\", \"sender\": \"s@x\", \"recipients\": [{}]}}\n",
                all.join(", ")
            )
        };
        for text in [
            line("deferred", &["bob@site.test", "ANN@site.test", "ann@new.test"]),
            line("deferred", &["bob@site.test"]),
            line("active", &["ann+list@site.test"]),
            line("incoming", &["ann@new.test"]),
            line("maildrop", &[]),
            line("hold", &["ann@new.test"]),
            line("active", &["ann2@site.test", "joann@site.test"]),
        ] {
            queued.add(text.as_bytes(), &wanted).unwrap();
        }
        assert_eq!((queued, queued.all()), (Queued { active: 2, deferred: 1, hold: 1 }, 4));
        assert!(queued.add(b"{\"queue_name\": \"a\", secret\n", &wanted).is_err_and(|error| !error.contains("secret")));
    }
}
