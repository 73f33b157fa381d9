//! Hours of a week in an organisation's time zone: when work may be done, and when it may not.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Hours of a week: spans of minutes since Monday 00:00, the end left out. A span may go on into the next week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hours(Vec<(u32, u32)>);

impl Hours {
    /// Reads spans as people write them: days (`mon-fri`, `sat`, `mon,wed`), hours (`19:00-07:00`), or both. An end that is not after
    /// the beginning is on the next day. The error says what is wrong with which.
    pub(crate) fn parse(spans: &[String]) -> Result<Self, String> {
        let mut all = Vec::new();
        for span in spans {
            let mut words = span.split_whitespace();
            let wrong = |what: &str| format!("{span:?}: {what}");
            let (days, hours) = match (words.next(), words.next(), words.next()) {
                (Some(only), None, None) if only.contains(':') => ("mon-sun", Some(only)),
                (Some(days), hours, None) => (days, hours),
                _ => return Err(wrong("days and hours are at most two words")),
            };
            let (from, length) = match hours {
                None => (0, DAY),
                Some(hours) => {
                    let (from, to) = hours.split_once('-').ok_or_else(|| wrong("hours are FROM-TO, as 19:00-07:00"))?;
                    let from =
                        minute(from).filter(|from| *from < DAY).ok_or_else(|| wrong("no such hour to begin at"))?;
                    let to = minute(to).ok_or_else(|| wrong("no such hour to end at"))?;
                    (from, if to > from { to - from } else { to + DAY - from })
                }
            };
            for day in days_of(days).ok_or_else(|| wrong("no such day: mon, tue, wed, thu, fri, sat or sun"))? {
                let begin = day * DAY + from;
                all.push((begin, begin + length));
            }
        }
        Ok(Self(all))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contain(&self, minute: u32) -> bool {
        self.0.iter().any(|(from, to)| (*from..*to).contains(&minute) || (*from..*to).contains(&(minute + WEEK)))
    }
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
    (minute < 60 && (hour < 24 || (hour == 24 && minute == 0))).then_some(hour * 60 + minute)
}

fn days_of(text: &str) -> Option<Vec<u32>> {
    let number = |day: &str| DAYS.iter().position(|known| day.eq_ignore_ascii_case(known)).map(|day| day as u32);
    let mut days = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => days.push(number(part)?),
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                days.extend((from..=if to < from { to + 7 } else { to }).map(|day| day % 7));
            }
        }
    }
    Some(days)
}

/// When work may be done somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    of: String,
    windows: Hours,
    blackout: Hours,
    zone: TimeZone,
}

/// May work be done?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Yes.
    Open,
    /// No, for this reason; not before then, if ever.
    Closed(String, Option<Timestamp>),
}

impl Gate {
    /// Of this, in words, with these hours; windows without any are always.
    pub(crate) fn new(of: String, windows: Hours, blackout: Hours, zone: TimeZone) -> Self {
        Self { of, windows, blackout, zone }
    }

    /// Always open.
    pub(crate) fn open(of: &str) -> Self {
        Self::new(of.to_owned(), Hours::default(), Hours::default(), TimeZone::UTC)
    }

    fn is_open(&self, minute: u32) -> bool {
        (self.windows.is_empty() || self.windows.contain(minute)) && !self.blackout.contain(minute)
    }

    /// Is it open at this moment?
    pub(crate) fn at(&self, now: Timestamp) -> Opening {
        let local = self.zone.to_datetime(now);
        let minute = minute_of_week(local);
        if self.is_open(minute) {
            return Opening::Open;
        }
        let why = if self.blackout.contain(minute) { "blackout hours" } else { "hours outside of the run windows" };
        let opens = (1..=WEEK).find(|ahead| self.is_open((minute + ahead) % WEEK)).and_then(|ahead| {
            let begin = local.date().at(local.hour(), local.minute(), 0, 0);
            // A clock that is put forward or back in between moves the hour with it.
            self.zone.to_timestamp(begin.checked_add(i64::from(ahead).minutes()).ok()?).ok()
        });
        let until = match opens {
            None => "no hours are left in which work may begin".to_owned(),
            Some(opens) => format!("until {}", self.zone.to_datetime(opens).strftime("%a %d %b %H:%M")),
        };
        Opening::Closed(format!("{why} of {}, {until}", self.of), opens)
    }
}

fn minute_of_week(local: DateTime) -> u32 {
    let number = |part: i8| u32::from(part.unsigned_abs());
    number(local.weekday().to_monday_zero_offset()) * DAY + number(local.hour()) * 60 + number(local.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(spans: &[&str]) -> Result<Hours, String> {
        Hours::parse(&spans.iter().map(|span| (*span).to_owned()).collect::<Vec<_>>())
    }

    fn gate(windows: &[&str], blackout: &[&str]) -> Gate {
        let zone = TimeZone::get("Europe/London").unwrap();
        Gate::new("the project".to_owned(), hours(windows).unwrap(), hours(blackout).unwrap(), zone)
    }

    fn is_open(gate: &Gate, local: &str) -> bool {
        let at = local.parse::<DateTime>().unwrap().in_tz("Europe/London").unwrap();
        gate.at(at.timestamp()) == Opening::Open
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        // 2026-11-23 is a Monday.
        for (spans, open, closed) in [
            (&["mon-fri 19:00-07:00"][..], "2026-11-23T19:00", "2026-11-23T18:59"),
            (&["mon-fri 19:00-07:00"], "2026-11-28T06:59", "2026-11-28T07:00"),
            (&["mon-fri 19:00-07:00"], "2026-11-24T03:00", "2026-11-23T03:00"),
            (&["sat-sun"], "2026-11-29T23:59", "2026-11-30T00:00"),
            (&["sun 22:00-06:00"], "2026-11-30T05:59", "2026-11-30T06:00"),
            (&["22:00-06:00"], "2026-11-25T23:00", "2026-11-25T12:00"),
            (&["Mon,Wed 08:00-24:00"], "2026-11-25T23:59", "2026-11-26T00:00"),
            (&["fri-mon"], "2026-11-29T12:00", "2026-11-24T12:00"),
            (&["tue 10:00-10:00"], "2026-11-25T09:59", "2026-11-25T10:00"),
        ] {
            let gate = gate(spans, &[]);
            assert!(is_open(&gate, open), "{spans:?} at {open}");
            assert!(!is_open(&gate, closed), "{spans:?} at {closed}");
        }
        for wrong in ["mo", "mon 19:00", "mon 25:00-26:00", "mon 19:00-07:60", "mon 1-2 3", "", "24:00-25:00"] {
            let error = hours(&[wrong]).unwrap_err();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }

    #[test]
    fn blackout_hours_count_whatever_the_windows_say() {
        let gate = gate(&["mon-sun"], &["mon-fri 08:00-18:00"]);
        assert!(is_open(&gate, "2026-11-25T18:00") && !is_open(&gate, "2026-11-25T08:00"));
        let at = "2026-11-25T09:30".parse::<DateTime>().unwrap().in_tz("Europe/London").unwrap();
        let Opening::Closed(why, opens) = gate.at(at.timestamp()) else { panic!("it is closed") };
        assert_eq!(why, "blackout hours of the project, until Wed 25 Nov 18:00");
        assert_eq!(opens.unwrap().to_string(), "2026-11-25T18:00:00Z");
    }

    #[test]
    fn hours_follow_the_clock_when_it_is_changed() {
        let gate = gate(&["22:00-06:00"], &[]);
        // The clock goes forward on 2027-03-28 at 01:00 and back on 2026-10-25 at 02:00.
        for (utc, open) in [
            ("2027-03-28T04:59:00Z", true),
            ("2027-03-28T05:00:00Z", false),
            ("2026-10-25T05:59:00Z", true),
            ("2026-10-25T06:00:00Z", false),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:30:00Z", true),
        ] {
            assert_eq!(gate.at(utc.parse().unwrap()) == Opening::Open, open, "{utc}");
        }
        let night = self::gate(&["sun 03:00-06:00"], &[]);
        let Opening::Closed(_, opens) = night.at("2027-03-27T23:00:00Z".parse().unwrap()) else {
            panic!("it is closed")
        };
        assert_eq!(
            opens.unwrap().to_string(),
            "2027-03-28T02:00:00Z",
            "03:00 is an hour earlier than the night before"
        );
    }

    #[test]
    fn what_is_never_open_says_so() {
        let Opening::Closed(why, None) = gate(&[], &["mon-sun"]).at(Timestamp::UNIX_EPOCH) else {
            panic!("it is closed")
        };
        assert!(why.contains("no hours are left"), "{why}");
    }
}
