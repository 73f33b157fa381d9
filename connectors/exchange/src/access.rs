//! Who may log in to a mailbox of Exchange, by scripts that a person runs.

use std::sync::Arc;

use async_trait::async_trait;
use connector::{Access, AccessChanged, Door, Error, Finding, LoginState, Recipient, Router};

use crate::board::{Ask, Board, Known, Step};
use crate::config::{Closing, Config};
use crate::logins::{Closed, Logins};
use crate::state::State;
use crate::{ExchangeRouter, refused};

/// Closes mailboxes to their people, by scripts that somebody runs. It asks by the board of the site's router.
pub struct ExchangeAccess {
    site: ExchangeRouter,
    closing: Closing,
}

impl ExchangeAccess {
    /// That of this site, where its settings close anything. Fails on settings that no site could make right.
    pub fn new(config: Config, board: Arc<dyn Board>) -> Result<Option<Self>, Error> {
        let Some(closing) = config.closing.clone() else { return Ok(None) };
        Ok(Some(Self { site: ExchangeRouter::new(config, board)?, closing }))
    }

    /// What is known of who may log in. Asks for a reading where that was not read, as before these settings were there.
    async fn current(&self, who: &Recipient) -> Result<(Known, State, Logins), Error> {
        let account = who.account.name.as_str();
        let (known, _, state) = self.site.current(who).await?;
        match state.logins.clone() {
            Some(logins) => Ok((known, state, logins)),
            None => Err(self.site.ask_to_read(account, address(who)?, &known).await?),
        }
    }

    /// Asks for a change of who may log in.
    async fn change(&self, who: &Recipient, step: Step, door: &dyn Door) -> Result<AccessChanged, Error> {
        let account = who.account.name.as_str();
        let (known, state, logins) = self.current(who).await?;
        let told = self.site.told(account, &known, step, &state).await?;
        let wanted = match (step, logins.closed(&state.guid)) {
            (_, Closed::Odd(why)) => {
                let what = format!("{} can't be used: {why}. Put it right by hand", self.closing.marker);
                return Err(refused(account, &what));
            }
            (Step::Close, _) => logins.with(&state.guid, &self.closing.ways),
            (_, Closed::No) => Some(logins.clone()),
            (_, Closed::ByUs) => logins.without(&state.guid),
        };
        let Some(wanted) = wanted else { return Err(refused(account, "there is no room for the marker")) };
        if wanted == logins {
            self.site.ask_no_more(account, &known, true, door).await?;
            return Ok(AccessChanged { changed: told.is_some(), notes: Vec::new() });
        }
        let address = address(who)?.to_owned();
        let before = step.part(&state);
        let after = State { logins: Some(wanted), ..before.clone() };
        let ask = Ask { step, address, change: Some((before, after)) };
        Err(self.site.ask_to_change(account, &known, ask, door).await?)
    }
}

fn address(who: &Recipient) -> Result<&str, Error> {
    let first = who.addresses.first().map(String::as_str);
    first.ok_or_else(|| refused(&who.account.name, "no address of it is known"))
}

#[async_trait]
impl Access for ExchangeAccess {
    fn platform(&self) -> &'static str {
        "exchange-script"
    }

    async fn read(&self, who: &Recipient) -> Result<LoginState, Error> {
        let (_, state, logins) = self.current(who).await?;
        let left = logins.open(&self.closing.ways);
        let closed = logins.closed(&state.guid);
        let closed_by_us = closed == Closed::ByUs;
        let ineffective = match &closed {
            Closed::ByUs if !left.is_empty() => Some(format!("{} is open again", left.join(", "))),
            Closed::Odd(why) => Some(format!("{}: {why}", self.closing.marker)),
            Closed::ByUs | Closed::No => None,
        };
        let closed_by_others =
            (!closed_by_us && left.is_empty()).then(|| "every way in is closed, and not by us".to_owned());
        Ok(LoginState { closed_by_us, ineffective, closed_by_others, evidence: logins.evidence() })
    }

    async fn close(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        self.change(who, Step::Close, door).await
    }

    async fn open(&self, who: &Recipient, door: &dyn Door) -> Result<AccessChanged, Error> {
        self.change(who, Step::Open, door).await
    }

    async fn check(&self, who: Option<&Recipient>) -> Vec<Finding> {
        self.site.check(who).await
    }
}
