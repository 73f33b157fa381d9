//! When receiving at legacy addresses ends, when forwarding and automatic answers at the source end, and whom to
//! remind of it when. Each clock runs by itself (ruling A-19).

use jiff::{Span, civil::Date};
use serde::{Deserialize, Serialize};

/// A reminder is due so many days before a clock ends.
pub const REMINDERS_DAYS: [u16; 4] = [30, 14, 7, 1];

/// How long legacy addresses keep receiving: of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivingRule {
    /// Months after the last switch.
    pub months: u8,
    /// Months after the last switch with a recorded request.
    pub months_max: u8,
}

/// A request for more time that was granted, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Months after the last switch, in all.
    pub months: u8,
    /// Where it stands.
    pub reference: String,
}

/// A recorded decision that legacy addresses are not used any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotUsed {
    /// Since when.
    pub on: Date,
    /// Who decided it.
    pub by: String,
}

/// What a clock is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockKind {
    /// Legacy addresses receive.
    Receiving,
    /// The source forwards, and answers by itself.
    Forwarding,
}

/// A clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What it is about.
    pub kind: ClockKind,
    /// How far it is.
    pub state: ClockState,
}

/// How far a clock is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockState {
    /// It does not run yet.
    NotStarted,
    /// It runs.
    Running {
        /// Since when.
        since: Date,
        /// The last day.
        until: Date,
    },
    /// Somebody decided that it is not needed.
    NotUsed(NotUsed),
}

/// A clock that can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// More time than the profile gives.
    #[error(
        "request {reference} asks for {months} months after the last switch; the profile gives {months_max} at most. Record what was granted"
    )]
    TooLong {
        /// Which request.
        reference: String,
        /// What it asks for.
        months: u8,
        /// What there is.
        months_max: u8,
    },
    /// Beyond the calendar.
    #[error("{months} months after {since} is no date")]
    NoDate {
        /// From when.
        since: Date,
        /// How many.
        months: u8,
    },
}

/// How long legacy addresses receive. `last_switch` is the day on which the last mailbox in scope was switched; none while some are
/// not, for then the clock does not run.
pub fn receiving(
    last_switch: Option<Date>,
    rule: ReceivingRule,
    request: Option<&Request>,
    not_used: Option<&NotUsed>,
) -> Result<Clock, ClockError> {
    let kind = ClockKind::Receiving;
    if let Some(decision) = not_used {
        return Ok(Clock { kind, state: ClockState::NotUsed(decision.clone()) });
    }
    let months = match request {
        Some(Request { months, reference }) if *months > rule.months_max => {
            let reference = reference.clone();
            return Err(ClockError::TooLong { reference, months: *months, months_max: rule.months_max });
        }
        // A request never takes time away.
        Some(request) => request.months.max(rule.months),
        None => rule.months,
    };
    let Some(since) = last_switch else { return Ok(Clock { kind, state: ClockState::NotStarted }) };
    Ok(Clock { kind, state: ClockState::Running { since, until: months_after(since, months)? } })
}

/// How long the source forwards a person's mail and answers by itself: so many months after that person was migrated, and never past
/// the day on which the source is taken down.
pub fn forwarding(migrated: Option<Date>, months: u8, decommissioned: Option<Date>) -> Result<Clock, ClockError> {
    let kind = ClockKind::Forwarding;
    let Some(since) = migrated else { return Ok(Clock { kind, state: ClockState::NotStarted }) };
    let until = months_after(since, months)?;
    let until = decommissioned.map_or(until, |day| until.min(day));
    Ok(Clock { kind, state: ClockState::Running { since, until } })
}

/// So many calendar months later: the same day of the month, or the month's last where it has no such day.
pub fn months_after(since: Date, months: u8) -> Result<Date, ClockError> {
    since.checked_add(Span::new().months(i32::from(months))).map_err(|_| ClockError::NoDate { since, months })
}

impl Clock {
    /// The last day, while the clock runs.
    pub fn until(&self) -> Option<Date> {
        match self.state {
            ClockState::Running { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Is it over on this day? It is the day after the last one, or when it was decided.
    pub fn is_over(&self, today: Date) -> bool {
        match &self.state {
            ClockState::NotStarted => false,
            ClockState::Running { until, .. } => today > *until,
            ClockState::NotUsed(decision) => today >= decision.on,
        }
    }

    /// Which reminder is to be sent today: the latest that is due, unless that one or a later one was sent. Those that were missed are not
    /// sent one after the other, and none is sent once the clock is over.
    ///
    /// `sent` has the days of those that were sent for this end; another end, another list.
    pub fn reminder_due(&self, today: Date, sent: &[u16]) -> Option<u16> {
        let ClockState::Running { since, until } = self.state else { return None };
        if today > until || today < since {
            return None;
        }
        let left = today.until(until).ok().map(|span| span.get_days())?;
        let due = REMINDERS_DAYS.into_iter().filter(|days| left <= i32::from(*days)).min()?;
        sent.iter().all(|days| *days > due).then_some(due)
    }

    /// When which reminder falls due, the first first.
    pub fn reminders(&self) -> Vec<(Date, u16)> {
        let ClockState::Running { since, until } = self.state else { return Vec::new() };
        let day = |days: u16| Some((until.checked_sub(Span::new().days(i32::from(days))).ok()?, days));
        REMINDERS_DAYS.into_iter().filter_map(day).filter(|(day, _)| *day >= since).collect()
    }
}
