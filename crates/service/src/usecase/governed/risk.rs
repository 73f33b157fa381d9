//! A risk to a date of the project is told at once to whom it concerns: the provider, or who stands in for it.
//!
//! What is told is an alert like any other: of one risk one is open, it is on record before anybody is told, whoever can't be told is tried
//! again, and hears when it is over. Who is told is data of the project: contacts of the side in its register, the first level of those who
//! have an address, and people of its key roles who have one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use programme::{Change, Programme, Record, Register, Side, side_name};
use serde::Serialize;
use store::{AlertRow, NewAlert, ProjectKey, Store, Way};

use super::{Governed, programme_of, record_of};
use crate::Error;
use crate::config::Config;
use crate::usecase::alerts::{AlertKind, Tellers, Tells, whom_to_tell};

/// Alerts that were over before this are of no matter.
const OVER_MS_MAX: i64 = 3 * 86_400_000;

/// Who was told of a risk to a date, or was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The risk, and the date.
    pub about: String,
    /// The side that is to be told.
    pub side: &'static str,
    /// Who knows.
    pub told: Vec<String>,
    /// Who does not know yet, each with why.
    pub not_told: Vec<(String, String)>,
}

/// A risk to a date that stands.
pub(crate) struct Risk {
    pub(crate) alert: NewAlert,
    side: Side,
    tell: Vec<String>,
}

/// Risks to dates of a project, for whoever tells of them.
pub(crate) struct Risks<'p> {
    pub(crate) config: &'p Config,
    pub(crate) store: &'p Store,
    pub(crate) key: ProjectKey,
}

impl Risks<'_> {
    /// Those that stand are on record as alerts, with whom to tell, besides those who are told of all alerts. None where the project is not
    /// governed.
    pub(crate) async fn see(&self, besides: &[(Way, String)], now: Timestamp) -> Result<Vec<Risk>, Error> {
        if self.store.programme_end(self.key).await? == 0 {
            return Ok(Vec::new());
        }
        let record = record_of(self.store, self.key).await?;
        self.see_of(&programme_of(self.config)?, &record, besides, now).await
    }

    async fn see_of(
        &self,
        programme: &Programme,
        record: &Record,
        besides: &[(Way, String)],
        now: Timestamp,
    ) -> Result<Vec<Risk>, Error> {
        let at = now.as_millisecond();
        let risks = standing(programme, record);
        for risk in &risks {
            let mut tell: Vec<(Way, String)> = besides.to_vec();
            for whom in &risk.tell {
                if !tell.iter().any(|(way, known)| *way == Way::Mail && known.eq_ignore_ascii_case(whom)) {
                    tell.push((Way::Mail, whom.clone()));
                }
            }
            if self.store.see_alert(self.key, &risk.alert, &tell, at).await? {
                tracing::warn!(kind = %risk.alert.kind, about = %risk.alert.about, "an alert was raised");
            }
            // Whoever has come since is told as well.
            self.store.also_tell(self.key, &risk.alert, &tell, at).await?;
        }
        Ok(risks)
    }
}

/// Risks to dates that were told of, and that nobody has settled or withdrawn.
fn standing(programme: &Programme, record: &Record) -> Vec<Risk> {
    let mut told: BTreeMap<&str, (Side, &str)> = BTreeMap::new();
    for (side, row, said) in &record.told {
        told.insert(row, (*side, &said.note));
    }
    let risk = |(id, (side, text)): (&str, (Side, &str))| {
        let row = record.rows.get(id).filter(|row| row.is_open())?;
        let about = format!("{id}: {}", row.field("threatens")?);
        Some(Risk { alert: AlertKind::DateAtRisk.about(about, text), side, tell: whom(programme, record, side) })
    };
    told.into_iter().filter_map(risk).collect()
}

/// Who of a side is told, by address.
fn whom(programme: &Programme, record: &Record, side: Side) -> Vec<String> {
    let address = |text: &str| Some(text.trim().to_owned()).filter(|text| mailer::is_address(text));
    let contacts = record.rows_of(Register::Contacts).filter(|row| row.field("side") == Some(side_name(side)));
    let contacts: Vec<(u64, String)> = contacts
        .filter_map(|row| {
            let level = row.field("level").and_then(|level| level.parse().ok()).unwrap_or(u64::MAX);
            Some((level, address(row.field("reach")?)?))
        })
        .collect();
    let first = contacts.iter().map(|(level, _)| *level).min();
    let of_first = contacts.into_iter().filter(|(level, _)| Some(*level) == first).map(|(_, address)| address);
    let keys: BTreeSet<&str> =
        programme.roles.iter().filter(|role| role.is_key && role.side == side).map(|role| role.id.as_str()).collect();
    let holds = |person: &&programme::Person| person.roles.iter().any(|role| keys.contains(role.as_str()));
    let people = record.people.values().filter(holds).filter_map(|person| address(person.contact.as_deref()?));
    let mut known: Vec<String> = Vec::new();
    for one in of_first.chain(people) {
        if !known.iter().any(|other| other.eq_ignore_ascii_case(&one)) {
            known.push(one);
        }
    }
    known
}

impl Governed {
    /// Tells whoever is to be told of risks to dates and does not know. What could not be told is tried again with the next change, and by the
    /// service.
    pub(super) async fn tells_of_risks(&self, changes: &[Change], now: Timestamp) -> Vec<Notice> {
        if self.record.told.is_empty() {
            return Vec::new();
        }
        let told: BTreeSet<&str> = changes
            .iter()
            .filter_map(|change| if let Change::Told { row, .. } = change { Some(row.as_str()) } else { None })
            .collect();
        match self.tell_of_risks(&told, now).await {
            Ok(notices) => notices,
            // What was recorded stays so.
            Err(error) => {
                tracing::warn!(error = %error.what, "nobody could be told of a risk to a date");
                let side = self.record.told.last().map_or("", |(side, ..)| side_name(*side));
                let notice = |row: &&str| Notice {
                    about: (*row).to_owned(),
                    side,
                    told: Vec::new(),
                    not_told: vec![(format!("the {side}"), error.what.clone())],
                };
                told.iter().map(notice).collect()
            }
        }
    }

    async fn tell_of_risks(&self, new: &BTreeSet<&str>, now: Timestamp) -> Result<Vec<Notice>, Error> {
        let (config, store, key) = (&self.config, &self.store, self.key);
        let entry = config.file.alerts.clone().unwrap_or_default();
        let nobody = Tellers::default();
        let risks = Risks { config, store, key };
        let risks = risks.see_of(&self.programme, &self.record, &whom_to_tell(&entry, &nobody), now).await?;
        let kind = AlertKind::DateAtRisk.name();
        let at = now.as_millisecond();
        let known = store.alerts_at_work(key, at - OVER_MS_MAX).await?;
        let is_over = |row: &&AlertRow| {
            row.of.kind == kind
                && row.cleared_at.is_none()
                && !risks.iter().any(|risk| risk.alert.about == row.of.about)
        };
        for row in known.iter().filter(is_over) {
            let mut tell: Vec<(Way, String)> =
                row.tellings.iter().map(|telling| (telling.way, telling.whom.clone())).collect();
            tell.dedup();
            store.end_alert(key, row.alert, &tell, at).await?;
        }
        let (mailer, why) = match &self.post {
            Ok(mailer) => (mailer.clone(), "the project's file has no [mail]".to_owned()),
            Err(why) => (None, why.clone()),
        };
        let has_mailer = mailer.is_some();
        let tells = Tells { config, store, key, actor: &self.actor, kind: Some(kind) };
        tells.tell_alerts(now, &Tellers { mailer, hook: None }).await?;
        let known = store.alerts_at_work(key, at - OVER_MS_MAX).await?;
        let is_new = |risk: &&Risk| risk.alert.about.split(':').next().is_some_and(|row| new.contains(row));
        let notice = |risk: &Risk| {
            let row = known.iter().find(|row| row.of.kind == kind && row.of.about == risk.alert.about);
            let tellings = row.map(|row| row.tellings.as_slice()).unwrap_or_default();
            let of = |whom: &String| tellings.iter().find(|telling| telling.way == Way::Mail && telling.whom == *whom);
            let (told, not): (Vec<&String>, Vec<&String>) =
                risk.tell.iter().partition(|whom| of(whom).is_some_and(|telling| telling.told_at.is_some()));
            let why = |whom: &String| match of(whom).and_then(|telling| telling.said.clone()) {
                Some(said) => said,
                None if has_mailer => "it is tried again".to_owned(),
                None => why.clone(),
            };
            let mut not_told: Vec<(String, String)> = not.into_iter().map(|whom| (whom.clone(), why(whom))).collect();
            if risk.tell.is_empty() {
                let side = side_name(risk.side);
                let lacks = format!(
                    "no contact of theirs has a mail address; whimbrel register add contact side={side} level=1 title=… reach=ADDRESS"
                );
                not_told.push((format!("the {side}"), lacks));
            }
            let (about, side) = (risk.alert.about.clone(), side_name(risk.side));
            Notice { about, side, told: told.into_iter().cloned().collect(), not_told }
        };
        Ok(risks.iter().filter(is_new).map(notice).collect())
    }
}
