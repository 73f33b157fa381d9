//! Who is to be told of alerts is told: by letters, and by webhook.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use mailer::{Letter, Mailer};
use model::Actor;
use serde_json::json;
use store::{AlertRow, ProjectKey, Store, Telling, TellingEvent, Way};

use super::conditions::AlertKind;
use super::webhook::Hook;
use super::{LETTER_ALERTS_MAX, TOLD_MS_MAX, Tellers};
use crate::Error;
use crate::config::Config;
use crate::usecase::telling::{self, kept, try_again_at};

/// Tells whoever is to be told of alerts of a project, which may have no server yet.
pub(crate) struct Tells<'p> {
    pub(crate) config: &'p Config,
    pub(crate) store: &'p Store,
    pub(crate) key: ProjectKey,
    /// Who tells, as the audit log has it.
    pub(crate) actor: &'p Actor,
    /// Only of alerts of this kind.
    pub(crate) kind: Option<&'p str>,
}

impl Tells<'_> {
    /// Tells whoever is to be told and does not know.
    pub(crate) async fn tell_alerts(&self, now: Timestamp, tellers: &Tellers) -> Result<(), Error> {
        let mut rows = self.store.alerts_at_work(self.key, now.as_millisecond() - TOLD_MS_MAX).await?;
        rows.retain(|row| self.kind.is_none_or(|kind| row.of.kind == kind));
        if let Some(mailer) = &tellers.mailer {
            self.mail_alerts(&rows, now, mailer.as_ref()).await?;
        }
        if let Some(hook) = &tellers.hook {
            self.hook_alerts(&rows, now, hook.as_ref()).await?;
        }
        Ok(())
    }

    /// One letter to each person with all that is new for them. What was in a letter that may have left goes in the same letter again.
    async fn mail_alerts(&self, rows: &[AlertRow], now: Timestamp, mailer: &dyn Mailer) -> Result<(), Error> {
        let Some(mail) = &self.config.file.mail else { return Ok(()) };
        let mut letters = BTreeMap::<(&str, Option<&str>), Vec<(&AlertRow, &Telling)>>::new();
        for (row, telling) in ready(rows, Way::Mail, now) {
            letters.entry((&telling.whom, telling.message_id.as_deref())).or_default().push((row, telling));
        }
        for ((whom, known_id), tellings) in letters {
            for tellings in tellings.chunks(LETTER_ALERTS_MAX) {
                let id = known_id.map_or_else(|| telling::message_id(self.config, "alert"), |id| Ok(id.to_owned()))?;
                let mut ours = Vec::new();
                for (row, telling) in tellings {
                    if self.begin_telling(telling, Some(&id), now).await? {
                        ours.push((*row, *telling));
                    }
                }
                if ours.is_empty() {
                    continue;
                }
                let letter = self.alert_letter(&mail.from, (whom, id), &ours, now);
                let sent = mailer.send(&letter).await;
                for (row, telling) in &ours {
                    self.end_telling(row, telling, &sent, now).await?;
                }
                if let Err(error) = sent {
                    tracing::warn!(error = %error, "an alert could not be sent");
                    if !matches!(error.cause, model::Cause::Refused | model::Cause::Unsupported) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn alert_letter(
        &self,
        from: &str,
        (to, message_id): (&str, String),
        tellings: &[(&AlertRow, &Telling)],
        now: Timestamp,
    ) -> Letter {
        let name = format!("{} {}", self.config.code, self.config.file.project);
        let mut text = format!("{name}: what needs a person, and what does no more.\n");
        for (row, telling) in tellings {
            let (word, at) = match telling.event {
                TellingEvent::Raised => ("ALERT", row.raised_at),
                TellingEvent::Over => ("OVER", row.cleared_at.unwrap_or(row.last_seen_at)),
            };
            let (number, kind, what) = (row.alert, &row.of.kind, &row.of.what);
            let _ = write!(text, "\n{word} {number}, {}, {kind}\n{what}\n", telling::local(self.config, at));
        }
        text.push_str("\nAll that is open: whimbrel alert list\n");
        let subject = match tellings {
            [(row, telling)] => format!("{name}: {} {}", telling.event.name(), row.of.kind),
            many => format!("{name}: {} alerts", many.len()),
        };
        Letter {
            from: from.to_owned(),
            to: to.to_owned(),
            subject,
            message_id,
            is_automatic: true,
            in_reply_to: None,
            at: now.as_second(),
            text,
            enclosures: Vec::new(),
        }
    }

    async fn hook_alerts(&self, rows: &[AlertRow], now: Timestamp, hook: &dyn Hook) -> Result<(), Error> {
        for (row, telling) in ready(rows, Way::Webhook, now) {
            if !self.begin_telling(telling, None, now).await? {
                continue;
            }
            let (code, project) = (&self.config.code, &self.config.file.project);
            // A database that is brought back gives numbers again: the moment tells them apart.
            let (place, event) = (telling::plain(project), telling.event.name());
            let id = format!("{code}/{place}/{}/{}/{event}", row.alert, row.raised_at);
            let body = json!({
                "schema": "whimbrel.alert/1",
                "id": id,
                "event": telling.event.name(),
                "organisation": code.as_str(),
                "project": project,
                "alert": row.alert,
                "kind": row.of.kind,
                "about": row.of.about,
                "what": row.of.what,
                "raised": row.raised_at / 1000,
                "over": row.cleared_at.filter(|_| telling.event == TellingEvent::Over).map(|at| at / 1000),
            });
            let told = hook.tell(&id, &body.to_string(), now.as_second()).await;
            self.end_telling(row, telling, &told, now).await?;
            if let Err(error) = told {
                tracing::warn!(error = %error, "an alert could not be told");
                return Ok(());
            }
        }
        Ok(())
    }

    async fn begin_telling(&self, telling: &Telling, id: Option<&str>, now: Timestamp) -> Result<bool, Error> {
        let try_at = try_again_at(now, telling.tries);
        Ok(self.store.begin_telling(self.key, telling, id, now.as_millisecond(), try_at).await?)
    }

    async fn end_telling(
        &self,
        row: &AlertRow,
        telling: &Telling,
        told: &Result<(), connector::Error>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let said = told.as_ref().err().map(|error| kept(&error.to_string()));
        if row.of.kind == AlertKind::DateAtRisk.name() {
            let (about, event, whom) = (&row.of.about, telling.event.name(), &telling.whom);
            let detail = json!({ "about": about, "event": event, "whom": whom, "told": said.is_none(), "said": said });
            self.store.audit(self.key, self.actor, "programme.notified", &detail).await?;
        }
        Ok(self.store.end_telling(self.key, telling, now.as_millisecond(), said.as_deref()).await?)
    }
}

/// Who is to be told this way and may be told now. Nobody is told that something is over before they were told that it is so.
fn ready(rows: &[AlertRow], way: Way, now: Timestamp) -> impl Iterator<Item = (&AlertRow, &Telling)> {
    let at = now.as_millisecond();
    rows.iter().flat_map(move |row| {
        row.tellings
            .iter()
            .filter(move |telling| {
                let knows_not = |other: &Telling| {
                    (other.event, other.way, &other.whom) == (TellingEvent::Raised, telling.way, &telling.whom)
                        && other.told_at.is_none()
                };
                let is_early = telling.event == TellingEvent::Over && row.tellings.iter().any(knows_not);
                telling.way == way && telling.told_at.is_none() && telling.try_at <= at && !is_early
            })
            .map(move |telling| (row, telling))
    })
}
