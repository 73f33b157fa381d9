//! The router of sites with Exchange where nobody lets Whimbrel in: a person runs the scripts that it writes, and hands back what they
//! print (R-082, R-181, R-184; ruling A-05).
//!
//! # What is followed
//!
//! The documents of `Get-Mailbox`, `Set-Mailbox`, `Get-Recipient`, `Get-InboxRule`, `Get-OrganizationConfig`, `Get-AcceptedDomain`,
//! `Get-RemoteDomain`, `Get-HostedOutboundSpamFilterPolicy`, `Get-CASMailbox` and `Set-CASMailbox` of Exchange 2016 to Subscription Edition and of Exchange Online, and those of
//! Windows PowerShell 5.1 and PowerShell 7 about the language.
//!
//! # What is done at a site
//!
//! Of a mailbox `ForwardingSmtpAddress`, `ForwardingAddress`, `DeliverToMailboxAndForward` and one custom attribute, the marker, change
//! together, by one `Set-Mailbox`. The marker says that the redirect is ours, and what was there before. Where the settings say so the ways into
//! the mailbox are closed by `Set-CASMailbox` once its person works elsewhere, with a marker in another attribute.
//!
//! # How it waits
//!
//! The router asks nothing of the site. It keeps what is to be asked on a [`Board`], and fails with [`Cause::Awaiting`] until somebody has
//! supplied what a script printed. [`script`] writes scripts, [`read_back`] reads what they print; who signs, and what is believed, is
//! decided by whoever keeps the board.
//!
//! # What holds
//!
//! * [`Router::read`] tells what a script has read, not longer ago than the settings say, and never what was read before a change that may have
//!   been made since: while a signed script may change the mailbox, it tells nothing.
//! * A change names what has to be there before. What is not so is left alone by the script, and decided anew.
//! * A script is the same text for the same asks, printable ASCII, and no name can be anything in it but a string.
//!
//! # Known limits
//!
//! * No real Exchange and no real PowerShell is in the tests: the scripts are parsed by an independent grammar, and run by an interpreter of
//!   the few cmdlets against an emulated organisation.
//! * What is read of a mailbox's rules is where they send mail on, not under which conditions.

mod access;
pub mod board;
pub mod config;
mod logins;
pub mod read_back;
pub mod script;
mod state;
mod text;

use std::sync::Arc;

use async_trait::async_trait;
use connector::router::{Destination, Force, Forwarder, ForwarderOwner, LocalCopy};
use connector::{Door, Effect, Error, Finding, Recipient, Rerouted, Router, RouterOffers, Routing, Topic};
use model::{Cause, Scope};

pub use access::ExchangeAccess;
pub use board::{Ask, Board, InboxRule, Known, Open, Outcome, Reading, Step, Told};
pub use config::{Closing, Config, Platform, Way};
pub use logins::{Logins, WayIn};
pub use state::State;

use state::Mark;

const HOUR_MS: i64 = 3_600_000;

/// Routes people's mail by scripts that somebody runs.
pub struct ExchangeRouter {
    config: Config,
    board: Arc<dyn Board>,
}

impl ExchangeRouter {
    /// The router of this site. Fails on settings that no site could make right.
    pub fn new(config: Config, board: Arc<dyn Board>) -> Result<Self, Error> {
        match config.mistake() {
            Some(mistake) => Err(Error::new(Cause::Unsupported, Scope::Run, mistake)),
            None => Ok(Self { config, board }),
        }
    }

    /// What is known of the mailbox now, and believed. Else a reading is asked for, unless it is already or comes with a change.
    async fn current(&self, who: &Recipient) -> Result<(Known, Reading, State), Error> {
        let account = who.account.name.as_str();
        let address = who.addresses.first().ok_or_else(|| refused(account, "no address of it is known"))?;
        let known = self.board.known(account).await?;
        if let Some(open) = &known.open
            && open.is_signed
            && open.ask.step.changes()
        {
            return Err(awaiting(account, open));
        }
        let believed_ms = i64::from(self.config.believed_hours) * HOUR_MS;
        // What a change that nobody has signed was decided by is not read again for its age: the script looks itself what is there.
        let is_decided_by = |state: &State| {
            let ask = known.open.as_ref().map(|open| &open.ask);
            let change = ask.and_then(|ask| Some((ask.step, ask.change.as_ref()?)));
            change.is_some_and(|(step, (before, _))| before.is_like(&step.part(state)))
        };
        let is_believed = |reading: &&Reading| {
            reading.not_before >= known.doubt
                && (known.now.saturating_sub(reading.at) <= believed_ms
                    || reading.state.as_ref().is_some_and(is_decided_by))
        };
        if let Some(reading) = known.reading.as_ref().filter(is_believed) {
            let reading = reading.clone();
            return match (&reading.state, &reading.failed) {
                (Some(state), _) => Ok((known, reading.clone(), state.clone())),
                // It is told once; then it is waited for that it is read again, so that what was cured counts.
                (None, _) if known.open.is_some() => Err(self.ask_to_read(account, address, &known).await?),
                (None, failed) => {
                    let (why, is_missing) = failed.clone().unwrap_or_default();
                    let cause = if is_missing { Cause::Missing } else { Cause::Refused };
                    let what = format!("script {} could not read the mailbox {account}", reading.script);
                    let _ = self.ask_to_read(account, address, &known).await?;
                    Err(Error::new(cause, Scope::Mailbox, what).said(why))
                }
            };
        }
        Err(self.ask_to_read(account, address, &known).await?)
    }

    /// Asks for a reading. What to say of that.
    async fn ask_to_read(&self, account: &str, address: &str, known: &Known) -> Result<Error, Error> {
        let ask = Ask { step: Step::Read, address: address.to_owned(), change: None };
        if let Some(open) = known.open.as_ref().filter(|open| open.ask == ask) {
            return Ok(awaiting(account, open));
        }
        self.board.ask(account, Some(&ask)).await?;
        Ok(awaiting(account, &Open { ask, script: None, is_signed: false }))
    }

    /// Asks for a change. What to say of that.
    async fn ask_to_change(&self, account: &str, known: &Known, ask: Ask, door: &dyn Door) -> Result<Error, Error> {
        if let Some(open) = known.open.as_ref().filter(|open| open.ask == ask) {
            return Ok(awaiting(account, open));
        }
        door.before(Effect::Route)?;
        self.board.ask(account, Some(&ask)).await?;
        door.after(Effect::Route);
        Ok(awaiting(account, &Open { ask, script: None, is_signed: false }))
    }

    /// What was not begun by anybody is asked no more.
    async fn ask_no_more(&self, account: &str, known: &Known, of_logins: bool, door: &dyn Door) -> Result<(), Error> {
        let is_of = |open: &Open| open.ask.step.changes() && open.ask.step.is_of_logins() == of_logins;
        if known.open.as_ref().is_some_and(is_of) {
            door.before(Effect::Route)?;
            let is_gone = self.board.ask(account, None).await?;
            door.after(Effect::Route);
            if !is_gone {
                let what = format!("{account}: a script that changes the mailbox was signed just now");
                return Err(Error::new(Cause::Awaiting, Scope::Mailbox, what));
            }
        }
        Ok(())
    }

    /// What a script did for this, if that was not told yet; an error, if Exchange refused it.
    async fn told(&self, account: &str, known: &Known, step: Step, state: &State) -> Result<Option<Told>, Error> {
        let Some(told) = known.told.clone() else { return Ok(None) };
        self.board.was_told(account, &told).await?;
        if told.step != step {
            return Ok(None);
        }
        match told.outcome {
            Outcome::Failed if told.before.is_like(&step.part(state)) => {
                let what = format!("script {} could not {} the mailbox {account}", told.script, step.name());
                Err(Error::new(Cause::Refused, Scope::Mailbox, what).said(told.why))
            }
            // What is not as it was before was changed by somebody, and most likely by this.
            _ => Ok((!told.before.is_like(&step.part(state))).then_some(told)),
        }
    }

    fn routing(reading: &Reading, state: &State, who: &Recipient) -> Routing {
        let mut ours = state.ours();
        if let Some(ours) = ours.as_mut().filter(|ours| ours.ineffective.is_none()) {
            let lacks = who.addresses.iter().find(|address| !has(reading, address));
            ours.ineffective = lacks.map(|address| format!("{address} is no address of the mailbox"));
        }
        let mut others = state.others();
        others.extend(reading.rules.iter().filter(|rule| rule.enabled).flat_map(of_rule));
        let mut unread = Vec::new();
        if let Some(why) = &reading.rules_unread {
            unread.push(format!("the rules of the mailbox could not be read: {why}"));
        }
        Routing { ours, others, unread, evidence: state.evidence() }
    }
}

/// Does the mailbox have this address?
fn has(reading: &Reading, address: &str) -> bool {
    reading.addresses.iter().any(|own| own.eq_ignore_ascii_case(address))
}

/// Where a rule sends mail on. Under which conditions is not known.
fn of_rule(rule: &InboxRule) -> impl Iterator<Item = Forwarder> + '_ {
    rule.to.iter().map(|to| {
        // Exchange shows a recipient as "Ann" [SMTP:ann@home.example], or [EX:/o=…].
        let inner = to.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(to);
        let to = match inner.split_once(':') {
            Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => Destination::Address(address.to_owned()),
            None if inner.contains('@') => Destination::Address(inner.to_owned()),
            _ => Destination::Unknown("a recipient that is known by no address".to_owned()),
        };
        let copy = if rule.deletes { LocalCopy::NotKept } else { LocalCopy::Kept };
        let place = format!("the rule {:?} of the mailbox", rule.name);
        Forwarder { to, copy, force: Force::Sometimes, owner: ForwarderOwner::Person, place }
    })
}

fn refused(account: &str, what: &str) -> Error {
    Error::new(Cause::Refused, Scope::Mailbox, format!("{account}: {what}"))
}

/// What an ask waits for, and what to do.
fn awaiting(account: &str, open: &Open) -> Error {
    let what = match open.ask.step {
        Step::Read => "what it says is to be read by a script",
        Step::Redirect => "its redirect is to be put on by a script",
        Step::Release => "its redirect is to be taken off by a script",
        Step::Close => "it is to be closed to its person by a script",
        Step::Open => "it is to be opened to its person by a script",
    };
    let then = match (open.script, open.is_signed) {
        (None, _) => "whimbrel switch script write".to_owned(),
        (Some(number), false) => format!("whimbrel switch script sign {number}"),
        (Some(number), true) => format!("run it, then: whimbrel switch script supply {number}"),
    };
    let script = open.script.map(|number| format!(" {number}")).unwrap_or_default();
    Error::new(Cause::Awaiting, Scope::Mailbox, format!("{account}: {what}{script}: {then}"))
}

/// Is this an address that a redirect may name?
fn is_address(text: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"(),:;<>[\\]".contains(c);
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_domain = |label: &str| {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(is_inner)
    };
    text.len() <= 320
        && !local.is_empty()
        && !local.contains('@')
        && local.is_ascii()
        && local.chars().all(is_plain)
        && domain.split('.').all(is_domain)
}

#[async_trait]
impl Router for ExchangeRouter {
    fn offers(&self) -> RouterOffers {
        let platform = "exchange-script";
        RouterOffers {
            platform,
            sender: self.config.sender,
            keeps_no_copy: true,
            lists_all: false,
            asks_people: true,
            by_address: false,
        }
    }

    async fn read(&self, who: &Recipient) -> Result<Routing, Error> {
        let (_, reading, state) = self.current(who).await?;
        Ok(Self::routing(&reading, &state, who))
    }

    async fn redirect(&self, who: &Recipient, to: &str, door: &dyn Door) -> Result<Rerouted, Error> {
        let account = who.account.name.as_str();
        let unsupported = |what: String| Err(Error::new(Cause::Unsupported, Scope::Mailbox, what));
        if !is_address(to) {
            return unsupported(format!("{account}: {to:?} is no address that mail could be sent on to"));
        }
        let is_own = |own: &str| own.eq_ignore_ascii_case(to);
        if is_own(account) || who.addresses.iter().any(|own| is_own(own)) {
            return unsupported(format!("{account}: {to} is an address of theirs here: mail would come back"));
        }
        let (known, reading, state) = self.current(who).await?;
        let routing = Self::routing(&reading, &state, who);
        if routing.redirected_to().is_some_and(|leads| leads.eq_ignore_ascii_case(to)) {
            let told = self.told(account, &known, Step::Redirect, &state).await?;
            self.ask_no_more(account, &known, false, door).await?;
            return Ok(rerouted(told.as_ref(), &state, Vec::new()));
        }
        self.told(account, &known, Step::Redirect, &state).await?;
        if has(&reading, to) {
            return unsupported(format!("{account}: {to} is an address of that mailbox: mail would come back"));
        }
        if let Some(lacks) = who.addresses.iter().find(|address| !has(&reading, address)) {
            let what = format!(
                "{lacks} is no address of the mailbox, so its mail would go on as it went: put it there, or leave it out"
            );
            return Err(refused(account, &what));
        }
        let without = match state.mark() {
            Mark::None => state.clone(),
            Mark::Ours(marker) if marker.of == state.guid => state.without(&marker).0,
            Mark::Ours(_) => {
                return Err(refused(account, "the marker is that of another mailbox: put it right by hand"));
            }
            Mark::Broken => return Err(refused(account, "the marker can't be read: put it right by hand")),
            Mark::Foreign => {
                let what = format!("{} is in use: empty it, or name another as marker", self.config.marker);
                return Err(refused(account, &what));
            }
        };
        let Some(with) = without.with(to) else {
            return unsupported(format!("{account}: what was there before is too long for the marker"));
        };
        let address = who.addresses[0].clone();
        let ask = Ask { step: Step::Redirect, address, change: Some((Step::Redirect.part(&state), with)) };
        Err(self.ask_to_change(account, &known, ask, door).await?)
    }

    async fn release(&self, who: &Recipient, door: &dyn Door) -> Result<Rerouted, Error> {
        let account = who.account.name.as_str();
        let (known, _, state) = self.current(who).await?;
        let marker = match state.mark() {
            Mark::None | Mark::Foreign => {
                let told = self.told(account, &known, Step::Release, &state).await?;
                let notes = match told.as_ref().map(|told| (told.before.mark(), &told.before)) {
                    Some((Mark::Ours(marker), before)) => before.without(&marker).1,
                    _ => Vec::new(),
                };
                self.ask_no_more(account, &known, false, door).await?;
                return Ok(rerouted(told.as_ref(), &state, notes));
            }
            Mark::Broken => return Err(refused(account, "the marker can't be read: put both right by hand")),
            Mark::Ours(marker) if marker.of != state.guid => {
                return Err(refused(account, "the marker is that of another mailbox: put both right by hand"));
            }
            Mark::Ours(marker) => marker,
        };
        self.told(account, &known, Step::Release, &state).await?;
        let address = who.addresses[0].clone();
        let [before, without] = [&state, &state.without(&marker).0].map(|state| Step::Release.part(state));
        let ask = Ask { step: Step::Release, address, change: Some((before, without)) };
        Err(self.ask_to_change(account, &known, ask, door).await?)
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        let name = &self.config.organisation;
        let sentence = format!("nothing is asked of {name}: a person runs scripts there, and supplies what they print");
        let mut findings = vec![Finding::well(Topic::Reach, sentence)];
        let Some(who) = who else { return findings };
        let account = who.account.name.as_str();
        findings.push(match self.board.known(account).await {
            Ok(Known { reading: Some(Reading { state: Some(_), script, .. }), .. }) => {
                Finding::well(Topic::Rights, format!("the mailbox {account} was read by script {script}"))
            }
            Ok(Known { reading: Some(Reading { failed: Some((why, _)), script, .. }), .. }) => {
                let what = format!("script {script} could not read the mailbox {account}");
                Finding::wrong(Topic::Rights, &Error::new(Cause::Refused, Scope::Mailbox, what).said(why))
            }
            Ok(_) => Finding::well(Topic::Rights, format!("the mailbox {account} was not read yet")),
            Err(error) => Finding::wrong(Topic::Rights, &error),
        });
        findings
    }
}

fn rerouted(told: Option<&Told>, state: &State, notes: Vec<String>) -> Rerouted {
    let before = told.map_or_else(|| state.evidence(), |told| told.before.evidence());
    Rerouted { changed: told.is_some(), before, after: state.evidence(), notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_led_to() {
        for good in ["ann@new.test", "a.b+c@x-y.test", "o'brien@new.test"] {
            assert!(is_address(good), "{good}");
        }
        for odd in [
            "",
            "ann",
            "@x.test",
            "ann@",
            "a b@x.test",
            "a@b@c.test",
            "a@x..test",
            "a@x.test\r\n",
            "\"a@x.test",
            "\u{e9}@x.test",
        ] {
            assert!(!is_address(odd), "{odd:?}");
        }
    }

    #[test]
    fn where_a_rule_sends_mail_is_told_without_names() {
        let rule =
            |to: &str| InboxRule { name: "r".to_owned(), enabled: true, to: vec![to.to_owned()], deletes: false };
        for (shown, to) in [
            ("\"Ann [x]\" [SMTP:ann@home.test]", Destination::Address("ann@home.test".to_owned())),
            ("ann@home.test", Destination::Address("ann@home.test".to_owned())),
            ("\"Ann\" [EX:/o=x/cn=y]", Destination::Unknown("a recipient that is known by no address".to_owned())),
        ] {
            assert_eq!(of_rule(&rule(shown)).next().unwrap().to, to);
        }
    }
}
