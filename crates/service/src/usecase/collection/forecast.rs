//! When a collection will be in step, and whether that is in time. Pure: the clock is passed in.
//!
//! What is left is told in *work*: bytes, and for each item as many bytes as it costs time ([`movement::Pace::cost`]). How fast work
//! is done is not one number but a spread: of days where two or more were seen, so that nights, windows and blackouts count as
//! they are; of hours before that. The expected end is a range: what is left by the fast ones, and by the slow ones.

use serde::Serialize;

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;
const DAY_HOURS: i64 = 24;
/// Rates older than this say little of tomorrow.
pub(crate) const SEEN_HOURS: i64 = 7 * DAY_HOURS;
/// With fewer blocks than this their spread is not known.
const BLOCKS_MIN: usize = 3;
/// Less than this is no measure of anything.
const SEEN_MS_MIN: i64 = 60_000;

/// What was done in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// The hour (hours since 1970).
    pub hour: i64,
    /// How much work.
    pub work: u64,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// Mailboxes that are not in step and that somebody may work on.
    pub mailboxes: u64,
    /// Of these: those of which it is not known how much they hold.
    pub unknown: u64,
    /// How much work the others are.
    pub work: u64,
    /// How much work a mailbox of the project usually is, where that is known.
    pub usual: Option<u64>,
    /// Seconds that a prediction gives for them: in half of all cases, in nine of ten.
    pub predicted: Option<(u64, u64)>,
}

/// How fast work is done: so much in an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Speed {
    pub slow: f64,
    pub fast: f64,
}

/// Where the speed is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// From what was done of the collection.
    Collection,
    /// From what was done of the project.
    Project,
    /// From what preflight predicted.
    Prediction,
}

/// When something will be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Expected {
    /// Nothing is left.
    Done,
    /// Between these moments (milliseconds since 1970).
    Between {
        /// If it goes on as in the fast times.
        earliest_ms: i64,
        /// If it goes on as in the slow ones.
        latest_ms: i64,
        /// Where that is known from.
        basis: Basis,
    },
    /// Nobody can tell.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Whether something is in step before its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outlook {
    /// It is, or will be even if it goes slowly.
    OnTime,
    /// It will be if it goes well, or somebody has to act.
    AtRisk,
    /// It won't be, even if it goes well; or the date is past.
    WillMiss,
    /// Nobody can tell.
    Unknown,
}

impl Outlook {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::OnTime => "on time",
            Self::AtRisk => "at risk",
            Self::WillMiss => "will miss",
            Self::Unknown => "not known",
        }
    }
}

/// How fast work was done, seen from `first_ms` until `now_ms`; none where nothing was done, or too little was seen.
pub(crate) fn speed(done: &[Done], first_ms: i64, now_ms: i64) -> Option<Speed> {
    let hour = now_ms.div_euclid(HOUR_MS);
    let first_ms = first_ms.max((hour - SEEN_HOURS) * HOUR_MS);
    let seen_ms = now_ms - first_ms;
    if seen_ms < SEEN_MS_MIN {
        return None;
    }
    let sum = |from: i64, to: i64| -> u64 {
        done.iter().filter(|done| (from..to).contains(&done.hour)).map(|done| done.work).sum()
    };
    // Whole hours only: a part of one tells of its share.
    let first_whole = (first_ms + HOUR_MS - 1).div_euclid(HOUR_MS);
    let whole_hours = hour - first_whole;
    let block = if whole_hours >= 2 * DAY_HOURS { DAY_HOURS } else { 1 };
    let mut rates: Vec<f64> = (1..=whole_hours / block)
        .map(|back| sum(hour - back * block, hour - (back - 1) * block) as f64 / block as f64)
        .collect();
    let mean = sum(first_ms.div_euclid(HOUR_MS), i64::MAX) as f64 * HOUR_MS as f64 / seen_ms as f64;
    if mean <= 0.0 {
        return None;
    }
    if rates.len() < BLOCKS_MIN {
        return Some(Speed { slow: mean / 2.0, fast: mean * 1.5 });
    }
    rates.sort_by(f64::total_cmp);
    // A fifth of the blocks was slower, a fifth was faster. What stood still for an hour does not stand still for good.
    let fifth = rates.len() / 5;
    let (slow, fast) = (rates[fifth], rates[rates.len() - 1 - fifth]);
    Some(Speed { slow: slow.max(mean / 4.0), fast: fast.max(mean) })
}

/// When what is left will be done, if it is begun or gone on with at `begins_ms`. `shared_by`: so many collections are worked on at
/// the same time, where the speed is that of all of them.
pub(crate) fn expected(left: &Left, speed: Option<(Speed, Basis)>, begins_ms: i64, shared_by: u64) -> Expected {
    if left.mailboxes == 0 {
        return Expected::Done;
    }
    let between = |earliest_hours: f64, latest_hours: f64, basis| Expected::Between {
        earliest_ms: after(begins_ms, earliest_hours),
        latest_ms: after(begins_ms, latest_hours),
        basis,
    };
    let Some((speed, basis)) = speed else {
        return match left.predicted {
            Some((half, nine)) => between(half as f64 / 3600.0, nine as f64 / 3600.0, Basis::Prediction),
            None => {
                Expected::Unknown { why: "nothing was copied yet, and nothing predicted: whimbrel preflight".into() }
            }
        };
    };
    let usual = match (left.unknown, left.usual) {
        (0, _) => 0,
        (_, Some(usual)) => usual,
        (unknown, None) => {
            let why = format!(
                "of {} it is not known how much they hold: whimbrel preflight",
                movement::state::counted(unknown, "mailbox")
            );
            return Expected::Unknown { why };
        }
    };
    // What is only guessed may be half or twice as much.
    let guessed = usual.saturating_mul(left.unknown) as f64;
    let (least, most) = (left.work as f64 + guessed / 2.0, left.work as f64 + guessed * 2.0);
    between(least / speed.fast, most * shared_by.max(1) as f64 / speed.slow, basis)
}

fn after(begins_ms: i64, hours: f64) -> i64 {
    /// Beyond ten years nobody plans.
    const HOURS_MAX: f64 = 87_600.0;
    begins_ms.saturating_add((hours.clamp(0.0, HOURS_MAX) * HOUR_MS as f64) as i64)
}

/// Whether it will be in time, and by how many milliseconds it misses its date at least (or is early at least). `stuck`: so many
/// mailboxes stand still until a person acts.
pub(crate) fn outlook(expected: &Expected, date_ms: i64, now_ms: i64, stuck: u64) -> (Outlook, i64) {
    let is_past = now_ms > date_ms;
    match expected {
        Expected::Done if stuck == 0 => (Outlook::OnTime, date_ms - now_ms),
        _ if is_past => (Outlook::WillMiss, now_ms - date_ms),
        Expected::Done => (Outlook::AtRisk, 0),
        Expected::Unknown { .. } => (Outlook::Unknown, 0),
        Expected::Between { earliest_ms, .. } if *earliest_ms > date_ms => (Outlook::WillMiss, earliest_ms - date_ms),
        Expected::Between { latest_ms, .. } if *latest_ms > date_ms => (Outlook::AtRisk, latest_ms - date_ms),
        Expected::Between { .. } if stuck > 0 => (Outlook::AtRisk, 0),
        Expected::Between { latest_ms, .. } => (Outlook::OnTime, date_ms - latest_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any hour.
    const BEGIN: i64 = 500_000 * HOUR_MS;

    fn series(rates: &[u64]) -> Vec<Done> {
        (0..).zip(rates).map(|(hour, work)| Done { hour: 500_000 + hour, work: *work }).collect()
    }

    fn left(work: u64) -> Left {
        Left { mailboxes: 1, work, ..Left::default() }
    }

    #[test]
    fn the_speed_is_a_spread_of_what_was_seen() {
        let of = |rates: &[u64], seen_hours: i64| {
            speed(&series(rates), BEGIN, BEGIN + seen_hours * HOUR_MS).map(|speed| (speed.slow, speed.fast))
        };
        assert_eq!(of(&[], 5), None, "nothing was done");
        assert_eq!(of(&[0, 0], 2), None);
        assert_eq!(speed(&series(&[100]), BEGIN, BEGIN + 1_000), None, "a second is no measure");
        assert_eq!(of(&[100], 1), Some((50.0, 150.0)), "one hour has no spread");
        assert_eq!(of(&[100, 100, 100, 100], 4), Some((100.0, 100.0)));
        assert_eq!(
            of(&[50, 100, 100, 150, 100], 5),
            Some((100.0, 100.0)),
            "one hour of five is passed over on each side"
        );
        assert_eq!(of(&[60, 60, 100, 140, 140], 5), Some((60.0, 140.0)));
        assert_eq!(
            of(&[100, 0, 0, 100, 100], 5),
            Some((15.0, 100.0)),
            "what stood still does not stand still for good"
        );
        // Work by night only: days are alike.
        let nights: Vec<u64> = (0..96).map(|hour| if hour % 24 < 8 { 300 } else { 0 }).collect();
        assert_eq!(of(&nights, 96), Some((100.0, 100.0)));
        // Half an hour was seen.
        let half = speed(&series(&[100]), BEGIN, BEGIN + HOUR_MS / 2).unwrap();
        assert_eq!((half.slow, half.fast), (100.0, 300.0));
        // What was done weeks ago says nothing.
        assert_eq!(of(&[1_000_000], 400), None);
    }

    #[test]
    fn the_end_is_a_range_or_it_is_said_why_nobody_can_tell() {
        let speed = Some((Speed { slow: 50.0, fast: 100.0 }, Basis::Collection));
        let hours = |expected: Expected| match expected {
            Expected::Between { earliest_ms, latest_ms, .. } => {
                ((earliest_ms - BEGIN) / HOUR_MS, (latest_ms - BEGIN) / HOUR_MS)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(expected(&Left::default(), speed, BEGIN, 1), Expected::Done);
        assert_eq!(hours(expected(&left(1_000), speed, BEGIN, 1)), (10, 20));
        assert_eq!(hours(expected(&left(1_000), speed, BEGIN, 3)), (10, 60), "others want their share");
        let guessed = Left { mailboxes: 3, unknown: 2, work: 0, usual: Some(100), predicted: None };
        assert_eq!(hours(expected(&guessed, speed, BEGIN, 1)), (1, 8));
        let predicted = Left { predicted: Some((7_200, 36_000)), ..left(1_000) };
        assert_eq!(hours(expected(&predicted, None, BEGIN, 1)), (2, 10));
        for (left, speed) in [(left(1), None), (Left { usual: None, ..guessed }, speed)] {
            let Expected::Unknown { why } = expected(&left, speed, BEGIN, 1) else { panic!() };
            assert!(why.contains("whimbrel preflight"), "{why}");
        }
    }

    #[test]
    fn an_outlook_says_by_how_much() {
        let between = |earliest_ms, latest_ms| Expected::Between { earliest_ms, latest_ms, basis: Basis::Collection };
        let unknown = Expected::Unknown { why: String::new() };
        for (expected, now, stuck, outcome) in [
            (between(50, 90), 0, 0, (Outlook::OnTime, 10)),
            (between(50, 130), 0, 0, (Outlook::AtRisk, 30)),
            (between(120, 130), 0, 0, (Outlook::WillMiss, 20)),
            (between(50, 90), 0, 1, (Outlook::AtRisk, 0)),
            (between(120, 130), 101, 0, (Outlook::WillMiss, 1)),
            (Expected::Done, 40, 0, (Outlook::OnTime, 60)),
            (Expected::Done, 140, 0, (Outlook::OnTime, -40)),
            (Expected::Done, 40, 2, (Outlook::AtRisk, 0)),
            (Expected::Done, 140, 2, (Outlook::WillMiss, 40)),
            (unknown.clone(), 40, 0, (Outlook::Unknown, 0)),
            (unknown, 140, 0, (Outlook::WillMiss, 40)),
        ] {
            assert_eq!(outlook(&expected, 100, now, stuck), outcome, "{expected:?} at {now}");
        }
    }

    /// Chance from a seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }
    }

    /// Whole migrations, hour by hour: so much work, a rate that goes up and down, nights or whole days. What is flagged, when.
    fn simulate(dice: &mut Dice, work: u64, mean: u64, is_by_night: bool, date_hours: i64) -> (i64, Vec<Outlook>) {
        let (mut done, mut remains, mut outlooks) = (Vec::new(), work, Vec::new());
        for hour in 0.. {
            let now = BEGIN + hour * HOUR_MS;
            let known = speed(&done, BEGIN, now).map(|speed| (speed, Basis::Collection));
            let left = if remains > 0 { left(remains) } else { Left::default() };
            if hour > 0 && hour <= date_hours {
                let expected = expected(&left, known, now, 1);
                outlooks.push(outlook(&expected, BEGIN + date_hours * HOUR_MS, now, 0).0);
            }
            if remains == 0 {
                return (hour, outlooks);
            }
            let works = !is_by_night || hour % 24 < 8;
            let rate = if works { mean / 2 + dice.below(mean) } else { 0 };
            done.push(Done { hour: 500_000 + hour, work: rate.min(remains) });
            remains -= rate.min(remains);
        }
        unreachable!("the work ends")
    }

    #[test]
    fn a_collection_that_will_miss_its_date_is_flagged_long_before_and_one_in_time_is_not() {
        for seed in 0..200 {
            let mut dice = Dice(seed);
            let is_by_night = seed % 2 == 0;
            let mean = 1_000;
            let days = 5 + dice.below(10);
            let work = mean * if is_by_night { 8 } else { 24 } * days;
            let whole = days as i64 * 24;
            // It needs twice the time that it has.
            let (ended, outlooks) = simulate(&mut dice, work, mean, is_by_night, whole / 2);
            assert!(ended > whole / 2, "seed {seed}");
            let (half, third) = (outlooks.len() / 2, outlooks.len() * 2 / 3);
            assert!(!outlooks[half..].contains(&Outlook::OnTime), "seed {seed}: {outlooks:?}");
            let is_flagged = outlooks[third..].iter().all(|outlook| *outlook == Outlook::WillMiss);
            assert!(is_flagged, "seed {seed}: {outlooks:?}");
            // It has twice the time that it needs.
            let (ended, outlooks) = simulate(&mut dice, work, mean, is_by_night, whole * 2);
            assert!(ended < whole * 2, "seed {seed}");
            assert!(!outlooks[24..].contains(&Outlook::WillMiss), "seed {seed}: {outlooks:?}");
            assert_eq!(outlooks.last(), Some(&Outlook::OnTime), "seed {seed}");
        }
    }
}
