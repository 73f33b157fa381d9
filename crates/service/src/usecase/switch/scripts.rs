//! `switch script`: scripts that a person runs at a site, from what is asked to what they printed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use exchange::Step;
use model::{Digest, Phase, Side};
use serde::Serialize;
use serde_json::json;
use store::{MailboxRow, ScriptRow, SignOutcome};

use crate::scripts::{Desk, Supplied};
use crate::{Error, Project, Selection, when};

/// So much of a digest names it at least.
const DIGEST_DIGITS: usize = 12;

/// Scripts that a person runs.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptsReport {
    /// Each of them.
    pub scripts: Vec<ScriptLine>,
    /// Who waits to be in one.
    pub to_be_written: Vec<UnwrittenScripts>,
    /// What is not as it was to be, of whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<ScriptNote>,
}

/// A script.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptLine {
    /// Its number.
    pub script: i64,
    /// The router that it is for.
    pub router: String,
    /// What it does: `read`, `redirect`, `release`.
    pub step: String,
    /// How many it is about.
    pub people: i64,
    /// Of how many nothing was supplied yet.
    pub left: i64,
    /// `to be signed`, `to be run`, `lapsed`, `supplied`, `void`, `withdrawn`.
    pub state: String,
    /// The SHA-256 of its text.
    pub digest: String,
    /// When it was written, by whom, for people.
    pub written: String,
    /// Its action is not run after this, for people. None: it changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapses: Option<String>,
    /// Who signed it and when, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
    /// When it was closed, by whom and why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// Its text, line by line, where it is shown to be read. It is not to be run from here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// People who wait to be in a script.
#[derive(Clone, Debug, Serialize)]
pub struct UnwrittenScripts {
    /// The router.
    pub router: String,
    /// What is to be done.
    pub step: String,
    /// How many.
    pub people: i64,
}

/// What a person should know of a mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptNote {
    /// The account.
    pub account: String,
    /// What.
    pub what: String,
}

impl Project {
    /// Every script, and who waits to be in one.
    pub async fn scripts(&self) -> Result<ScriptsReport, Error> {
        let mut report = ScriptsReport { scripts: Vec::new(), to_be_written: Vec::new(), notes: Vec::new() };
        for row in self.store.scripts(self.key).await? {
            report.scripts.push(self.script_line(&row));
        }
        for (endpoint, step, people) in self.store.unwritten_scripts(self.key).await? {
            let router = self
                .script_router(endpoint)
                .map_or_else(|| format!("endpoint {endpoint}"), |(name, _)| name.to_owned());
            report.to_be_written.push(UnwrittenScripts { router, step, people });
        }
        Ok(report)
    }

    /// Writes the scripts that people wait for: one for all who wait at the same step at one router, of those chosen.
    pub async fn write_scripts(&self, selection: &Selection) -> Result<ScriptsReport, Error> {
        self.may_migrate()?;
        let is_chosen = selection.collection.is_some() || !selection.mailboxes.is_empty();
        let chosen = if is_chosen { Some(self.select(selection).await?) } else { None };
        // Of what nobody has signed in time another is written.
        for row in self.store.scripts(self.key).await? {
            if row.signed.is_none() && self.script_line(&row).state == "lapsed" {
                self.store.withdraw_script(self.key, row.script, "", "nobody signed it in time").await?;
            }
        }
        let mut numbers = Vec::new();
        for (endpoint, step, _) in self.store.unwritten_scripts(self.key).await? {
            let Some((router, config)) = self.script_router(endpoint) else { continue };
            let step = Step::from_name(&step).ok_or_else(|| store::Error::damaged("what a script is for"))?;
            if step.is_of_logins() && config.closing.is_none() {
                let what = format!("somebody waits for a script that is to {} their mailbox", step.name());
                let advice = format!("give back routers.{router}.closing as it was; nothing was written");
                return Err(Error::usage(what).advise(advice));
            }
            let accounts: Option<Vec<String>> =
                chosen.as_ref().map(|rows| rows.iter().filter_map(|row| account_at(row, endpoint)).collect());
            let desk = self.desk(endpoint, router, config);
            // As many as are needed, each of no more than it can hold.
            loop {
                let nonce = crate::project::random_text()?;
                let Some(number) = desk.write(step, accounts.as_deref(), &nonce, &self.actor.name).await? else {
                    break;
                };
                numbers.push(number);
            }
        }
        if numbers.is_empty() {
            return Err(Error::usage("nobody waits for a script")
                .advise("whimbrel switch list tells what each mailbox waits for"));
        }
        let mut report = self.scripts().await?;
        report.scripts.retain(|line| numbers.contains(&line.script));
        for line in &report.scripts {
            let detail = json!({ "script": line.script, "router": line.router, "step": line.step, "people": line.people,
                "digest": line.digest });
            self.store.audit(self.key, &self.actor, "script.written", &detail).await?;
        }
        Ok(report)
    }

    /// A script's text, to be read before it is signed.
    pub async fn show_script(&self, number: i64) -> Result<ScriptsReport, Error> {
        let row = self.script_row(number).await?;
        let lines = row.text.lines().map(str::to_owned).collect();
        Ok(only(ScriptLine { lines, ..self.script_line(&row) }))
    }

    /// Records that somebody has signed a script's exact text, which its digest names. From then on it may be run.
    pub async fn sign_script(&self, number: i64, digest: &str, by: &str) -> Result<ScriptsReport, Error> {
        self.may_migrate()?;
        let row = self.script_row(number).await?;
        let (by, digest) = (by.trim(), digest.trim().to_ascii_lowercase());
        if by.is_empty() {
            return Err(Error::usage("a script is signed in somebody's name").advise("give --by NAME"));
        }
        if digest.len() < DIGEST_DIGITS || !digest_of(&row)?.starts_with(&digest) {
            let what =
                format!("{digest:?} is not the digest of script {number}: what was read is not what would be signed");
            return Err(Error::refused("R-181", what).advise(format!("read it: whimbrel switch script show {number}")));
        }
        let detail = json!({ "script": number, "by": by, "digest": digest_of(&row)?, "people": row.people });
        self.store.audit(self.key, &self.actor, "script.signed", &detail).await?;
        if self.store.sign_script(self.key, number, by, &self.actor.name).await? == SignOutcome::Not {
            let state = self.script_line(&self.script_row(number).await?).state;
            let what = format!("script {number} can't be signed: it is {state}");
            return Err(
                Error::refused("R-181", what).advise("whimbrel switch script list shows which are to be signed")
            );
        }
        Ok(only(self.script_line(&self.script_row(number).await?)))
    }

    /// Writes a signed script into a file, to be run.
    pub async fn save_script(&self, number: i64, to: &Path) -> Result<ScriptsReport, Error> {
        self.may_migrate()?;
        let row = self.script_row(number).await?;
        let line = self.script_line(&row);
        if line.state != "to be run" {
            let what = format!("script {number} is {}: it is not handed out", line.state);
            return Err(
                Error::refused("R-181", what).advise("only what was signed, and is still awaited, is to be run")
            );
        }
        digest_of(&row)?;
        if to.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("ps1")) {
            return Err(Error::usage(format!("{}: PowerShell runs only files that end in .ps1", to.display()))
                .advise(format!("write --to whimbrel-{number}.ps1")));
        }
        let detail = json!({ "script": number, "digest": line.digest });
        self.store.audit(self.key, &self.actor, "script.saved", &detail).await?;
        let cannot = |error: std::io::Error| {
            Error::usage(format!("cannot write {}: {error}", to.display())).advise("name a file that is not there yet")
        };
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        file.and_then(|mut file| file.write_all(row.text.as_bytes()).and_then(|()| file.sync_all())).map_err(cannot)?;
        Ok(only(line))
    }

    /// Takes in what a script printed. Whoever waited for it goes on.
    pub async fn supply_script(&self, number: i64, file: &Path) -> Result<ScriptsReport, Error> {
        self.may_migrate()?;
        let row = self.script_row(number).await?;
        let shown = file.display().to_string();
        let cannot =
            |error| Error::usage(format!("cannot read {shown}: {error}")).advise("check the path; nothing was changed");
        if fs::metadata(file).map_err(cannot)?.len() > exchange::read_back::BYTES_MAX as u64 {
            return Err(
                Error::usage(format!("{shown} is far too large to be what a script printed")).advise("check the path")
            );
        }
        let bytes = fs::read(file).map_err(cannot)?;
        let Some((router, config)) = self.script_router(row.endpoint) else {
            let what = format!("script {number} is of the router {}, which is not in the configuration", row.router);
            return Err(Error::usage(what).advise("give it back under [routers]; nothing was changed"));
        };
        let desk = self.desk(row.endpoint, router, config);
        let detail = json!({ "script": number, "sha256": Digest::of(&bytes).to_string() });
        let supplied: Supplied = desk.supply(&row, &shown, &bytes, &self.actor.name).await?;
        self.store.audit(self.key, &self.actor, "script.supplied", &detail).await?;
        let rows = self.store.mailboxes(self.key).await?;
        let is_told = |row: &&MailboxRow| {
            account_at(row, desk.endpoint).is_some_and(|account| supplied.changed.contains(&account))
        };
        self.go_on_with(rows.iter().filter(is_told)).await?;
        let notes = supplied.notes.into_iter().map(|(account, what)| ScriptNote { account, what }).collect();
        Ok(ScriptsReport { notes, ..only(self.script_line(&self.script_row(number).await?)) })
    }

    /// Closes a script that is not to be run, by somebody's word that nobody will.
    pub async fn withdraw_script(&self, number: i64, by: &str, reason: &str) -> Result<ScriptsReport, Error> {
        self.may_migrate()?;
        let row = self.script_row(number).await?;
        let (by, reason) = (by.trim(), reason.trim());
        if by.is_empty() || reason.is_empty() {
            return Err(Error::usage("a script is withdrawn in somebody's name and for a reason")
                .advise("give --by NAME and --reason TEXT"));
        }
        let detail = json!({ "script": number, "by": by, "reason": reason });
        self.store.audit(self.key, &self.actor, "script.withdrawn", &detail).await?;
        if !self.store.withdraw_script(self.key, number, by, reason).await? {
            let what = format!("script {number} is {} already", self.script_line(&row).state);
            return Err(Error::refused("R-181", what).advise("whimbrel switch script list shows which are open"));
        }
        let accounts: Vec<String> = serde_json::from_str(&row.accounts).unwrap_or_default();
        let rows = self.store.mailboxes(self.key).await?;
        let is_in =
            |one: &&MailboxRow| account_at(one, row.endpoint).is_some_and(|account| accounts.contains(&account));
        self.go_on_with(rows.iter().filter(is_in)).await?;
        Ok(only(self.script_line(&self.script_row(number).await?)))
    }

    /// What waited for a script goes on at once; nobody's copy begins before its time for that.
    async fn go_on_with(&self, rows: impl Iterator<Item = &MailboxRow>) -> Result<(), Error> {
        let (turned, others): (Vec<&MailboxRow>, _) = rows.partition(|row| row.state.phase >= Phase::Switching);
        let numbers = |rows: Vec<&MailboxRow>| rows.into_iter().map(|row| row.mailbox).collect::<Vec<_>>();
        self.store.mark_due(self.key, &numbers(turned)).await?;
        self.store.hasten(self.key, &numbers(others)).await?;
        Ok(())
    }

    async fn script_row(&self, number: i64) -> Result<ScriptRow, Error> {
        let row = self.store.script(self.key, number).await?;
        row.ok_or_else(|| {
            Error::usage(format!("there is no script {number}")).advise("whimbrel switch script list shows each")
        })
    }

    /// The router of an endpoint, if it is one whose scripts a person runs.
    fn script_router(&self, endpoint: i64) -> Option<(&str, &exchange::Config)> {
        let (name, _) = self.endpoints.get(&endpoint)?;
        self.config
            .routers
            .iter()
            .filter(|(_, entry)| entry.endpoint == *name)
            .find_map(|(name, entry)| Some((name.as_str(), entry.exchange()?)))
    }

    fn desk<'d>(&'d self, endpoint: i64, router: &'d str, config: &'d exchange::Config) -> Desk<'d> {
        Desk { store: &self.store, key: self.key, endpoint, router, project: self.config.code.as_str(), config }
    }

    fn script_line(&self, row: &ScriptRow) -> ScriptLine {
        let zone = self.config.time_zone();
        let changes = row.step != Step::Read.name();
        let state = match (&row.closed, &row.signed) {
            (Some((_, how, ..)), _) => how.as_str(),
            (None, _) if changes && row.now > row.lapses_at => "lapsed",
            (None, None) => "to be signed",
            (None, Some(_)) => "to be run",
        };
        let by = |at: i64, by: &str| format!("{} by {by}", when::shown(at, &zone));
        ScriptLine {
            script: row.script,
            router: row.router.clone(),
            step: row.step.clone(),
            people: row.people,
            left: row.left,
            state: state.to_owned(),
            digest: row.digest.map(|digest| digest.to_string()).unwrap_or_default(),
            written: by(row.written_at, &row.written_by),
            lapses: changes.then(|| when::shown(row.lapses_at, &zone)),
            signed: row.signed.as_ref().map(|(at, name, _)| by(*at, name)),
            closed: row.closed.as_ref().map(|(at, _, name, reason)| {
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                if name.is_empty() {
                    format!("{}{reason}", when::shown(*at, &zone))
                } else {
                    format!("{}{reason}", by(*at, name))
                }
            }),
            lines: Vec::new(),
        }
    }
}

fn only(line: ScriptLine) -> ScriptsReport {
    ScriptsReport { scripts: vec![line], to_be_written: Vec::new(), notes: Vec::new() }
}

/// The digest of a script, once it is sure that its text still has it.
fn digest_of(row: &ScriptRow) -> Result<String, Error> {
    let digest = Digest::of(row.text.as_bytes());
    if row.digest == Some(digest) {
        Ok(digest.to_string())
    } else {
        Err(store::Error::damaged("the text of a script").into())
    }
}

/// What a mailbox is called at an endpoint, where it is on one of its sides.
fn account_at(row: &MailboxRow, endpoint: i64) -> Option<String> {
    let side = side_of(row, endpoint)?;
    let name = if side == Side::Source { &row.roster.source_name } else { &row.roster.target_name };
    Some(name.clone())
}

/// The side of a mailbox that an endpoint is.
fn side_of(row: &MailboxRow, endpoint: i64) -> Option<Side> {
    match endpoint {
        _ if row.roster.source_endpoint == endpoint => Some(Side::Source),
        _ if row.roster.target_endpoint == endpoint => Some(Side::Target),
        _ => None,
    }
}

/// Who is in a script that may change where their mail goes, and on which side.
pub(crate) fn awaited(rows: &[MailboxRow], asked: &[(i64, String)]) -> Vec<(i64, Side)> {
    let asked: std::collections::HashSet<(i64, &str)> =
        asked.iter().map(|(endpoint, account)| (*endpoint, account.as_str())).collect();
    let of = |row: &MailboxRow, endpoint: i64, name: &str, side: Side| {
        asked.contains(&(endpoint, name)).then_some((row.mailbox, side))
    };
    rows.iter()
        .flat_map(|row| {
            let roster = &row.roster;
            [
                of(row, roster.source_endpoint, &roster.source_name, Side::Source),
                of(row, roster.target_endpoint, &roster.target_name, Side::Target),
            ]
        })
        .flatten()
        .collect()
}
