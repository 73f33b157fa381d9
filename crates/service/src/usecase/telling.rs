//! What letters and requests that this program sends by itself have in common: who takes them, how long is waited between tries, and
//! what is kept of a refusal.

use std::sync::Arc;

use connector::{Clock, SystemClock};
use jiff::Timestamp;
use mailer::{Mailer, Smtp};

use crate::config::{Config, FILE};
use crate::secret::Environment;
use crate::{Error, Project};

/// The first wait between two tries: longer than a letter is on its way. Each further one is twice as long.
const WAIT_FIRST_MINUTES: i64 = 5;
/// The longest.
const WAIT_MINUTES_MAX: i64 = 60;
/// So many tries in vain are an alert.
pub(crate) const TRIES_BEFORE_ALERT: u64 = 3;
/// Letters of others' words that are kept.
const KEPT_LENGTH_MAX: usize = 300;

/// When something is tried again that was tried so often and is tried now.
pub(crate) fn try_again_at(now: Timestamp, tries: u64) -> i64 {
    let doubled = 1_i64 << tries.min(10);
    let minutes = (WAIT_FIRST_MINUTES * doubled).min(WAIT_MINUTES_MAX);
    now.as_millisecond() + minutes * 60_000
}

/// What others said, as it is kept: short, and without what no text holds.
pub(crate) fn kept(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(KEPT_LENGTH_MAX).collect()
}

/// A name as it stands in a file's name and in a Message-ID.
pub(crate) fn plain(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    if plain.is_empty() { "project".to_owned() } else { plain }
}

impl Project {
    /// Who takes the letters of this project; none where `[mail]` says nobody does.
    pub(crate) fn mailer(&self, environment: Environment<'_>) -> Result<Option<Arc<dyn Mailer>>, Error> {
        mailer(&self.config, environment)
    }

    /// A Message-ID of this project's, of what is called so.
    pub(crate) fn message_id(&self, of: &str) -> Result<String, Error> {
        message_id(&self.config, of)
    }

    /// A moment as people of the organisation read it.
    pub(crate) fn local(&self, at_ms: i64) -> String {
        local(&self.config, at_ms)
    }
}

/// Who takes the letters of the project of this file; none where `[mail]` says nobody does.
pub(crate) fn mailer(config: &Config, environment: Environment<'_>) -> Result<Option<Arc<dyn Mailer>>, Error> {
    let Some(entry) = &config.file.mail else { return Ok(None) };
    let smtp = crate::directories::smtp(config, &entry.smtp, &format!("{FILE}: mail.smtp"), environment)?;
    Ok(Some(Arc::new(Smtp::new(smtp))))
}

/// A Message-ID of the project of this file, of what is called so.
pub(crate) fn message_id(config: &Config, of: &str) -> Result<String, Error> {
    let from = config.file.mail.as_ref().map_or("", |mail| mail.from.as_str());
    let domain = from.rsplit('@').next().filter(|domain| !domain.is_empty()).unwrap_or("localhost");
    Ok(format!("whimbrel.{of}.{}@{domain}", crate::project::random_text()?))
}

/// A moment as people of this organisation read it.
pub(crate) fn local(config: &Config, at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(config.time_zone());
    at.strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// Now, by the machine's clock: for whoever calls from outside.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(SystemClock.unix_seconds()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_an_hour() {
        let now = Timestamp::UNIX_EPOCH;
        let minutes = [0, 1, 2, 3, 4, 60, u64::MAX].map(|tries| try_again_at(now, tries) / 60_000);
        assert_eq!(minutes, [5, 10, 20, 40, 60, 60, 60]);
    }

    #[test]
    fn what_others_say_is_short_and_names_are_plain() {
        assert_eq!(kept("450 \r\nBusy"), "450   Busy");
        assert_eq!(kept(&"é".repeat(999)).chars().count(), 300);
        assert_eq!((plain("A/b ü.x").as_str(), plain("").as_str()), ("A-b---x", "project"));
    }
}
