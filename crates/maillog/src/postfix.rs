//! The log of Postfix: what it took for whom.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// So many messages are kept in mind whose recipients may come yet.
const WAITING_MAX: usize = 20_000;

/// A message that was taken for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When it was handed on, or given up.
    pub at: Timestamp,
    /// The address it was sent to, before any alias, in small letters: without a domain where it was written so on the server itself.
    pub to: String,
    /// The address that aliases made of it, in small letters.
    pub became: String,
    /// The sender of its envelope, in small letters; empty for a bounce; none where the log does not tell any more.
    pub from: Option<String>,
}

/// Reads the log of a Postfix (2.3 and later), line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postfix {
    /// The senders of messages in its queue, by the queue's id.
    senders: BTreeMap<String, String>,
}

impl Postfix {
    /// What a line tells of a message that was taken; and when the line was written, if it tells. A line of the usual form of syslog has no
    /// year and no zone: it is taken to be of this zone, and of the last year in which it does not lie ahead.
    pub fn line(&mut self, line: &str, zone: &TimeZone, now: Timestamp) -> (Option<Timestamp>, Option<Taken>) {
        let Some((at, rest)) = time_of(line, zone, now) else { return (None, None) };
        (Some(at), self.record(at, rest))
    }

    fn record(&mut self, at: Timestamp, rest: &str) -> Option<Taken> {
        // "host postfix/smtp[123]: 4F9D195432C: to=<…>, …"
        let (_, rest) = rest.split_once(' ')?;
        let (program, rest) = rest.split_once("]: ")?;
        program.split_once('[').filter(|(name, _)| name.contains('/'))?;
        let (id, rest) = rest.split_once(": ")?;
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        if rest == "removed" {
            self.senders.remove(id);
            return None;
        }
        if let Some(from) = rest.strip_prefix("from=<") {
            if self.senders.len() >= WAITING_MAX {
                self.senders.pop_first();
            }
            let from = from.split_once(">, ")?.0.to_lowercase();
            self.senders.insert(id.to_owned(), from);
            return None;
        }
        let to = rest.strip_prefix("to=<")?;
        let (to, rest) = to.split_once(">, ")?;
        let original = rest.strip_prefix("orig_to=<").and_then(|rest| rest.split_once(">, "));
        let became = to;
        let (to, rest) = original.unwrap_or((to, rest));
        let status = rest.split_once("status=").map(|(_, rest)| rest.split([' ', ',']).next().unwrap_or_default())?;
        // What is tried again comes to one of these in the end.
        let is_over = matches!(status, "sent" | "bounced" | "expired" | "undeliverable" | "deliverable");
        // A question whether an address could be delivered to is no mail.
        let is_mail = !status.ends_with("deliverable");
        (is_over && is_mail).then(|| Taken {
            at,
            to: to.to_lowercase(),
            became: became.to_lowercase(),
            from: self.senders.get(id).cloned(),
        })
    }
}

/// When a line was written, and the rest of it.
fn time_of<'l>(line: &'l str, zone: &TimeZone, now: Timestamp) -> Option<(Timestamp, &'l str)> {
    // "2026-11-27T20:01:02.123456+00:00 host …"
    if line.as_bytes().first()?.is_ascii_digit() {
        let (time, rest) = line.split_once(' ')?;
        return Some((time.parse().ok()?, rest));
    }
    // "Nov 27 20:01:02 host …", "Nov  7 …"
    let (time, rest) = (line.get(..15)?, line.get(16..)?);
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = i8::try_from(month.iter().position(|name| time.starts_with(name))?).ok()? + 1;
    let day: i8 = time.get(4..6)?.trim().parse().ok()?;
    let clock: jiff::civil::Time = time.get(7..15)?.parse().ok()?;
    let latest = now.checked_add(SignedDuration::from_hours(24)).ok()?;
    let this_year = now.to_zoned(zone.clone()).year();
    let at = (0..5).find_map(|back| {
        let date = Date::new(this_year + 1 - back, month, day).ok()?;
        let at = zone.to_timestamp(DateTime::from_parts(date, clock)).ok()?;
        (at <= latest).then_some(at)
    })?;
    Some((at, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> Vec<Taken> {
        let mut postfix = Postfix::default();
        let now = "2026-01-03T12:00:00Z".parse().unwrap();
        log.lines().filter_map(|line| postfix.line(line, &TimeZone::UTC, now).1).collect()
    }

    #[test]
    fn what_was_taken_for_whom_is_told_once() {
        let log = "\
            Dec 31 23:59:58 mx postfix/smtpd[11]: 4XyZ01: client=mail.outside.test[192.0.2.1]\n\
            Dec 31 23:59:58 mx postfix/cleanup[12]: 4XyZ01: message-id=<1@outside.test>\n\
            Dec 31 23:59:58 mx postfix/qmgr[13]: 4XyZ01: from=<Bea@Outside.test>, size=512, nrcpt=2 (queue active)\n\
            Dec 31 23:59:59 mx postfix/smtp[14]: 4XyZ01: to=<ann@nation.test>, orig_to=<Ann@Hill.test>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to nation.test: Connection timed out)\n\
            Jan  1 00:04:59 mx postfix/lmtp[15]: 4XyZ01: to=<ben@hill.test>, relay=mx[/run/lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 <ben@hill.test> Saved)\n\
            Jan  1 00:09:59 mx postfix/smtp[14]: 4XyZ01: to=<ann@nation.test>, orig_to=<Ann@Hill.test>, relay=nation.test[192.0.2.9]:25, delay=600, delays=0/0/30/0, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n\
            Jan  1 00:09:59 mx postfix/qmgr[13]: 4XyZ01: removed\n\
            2026-01-02T10:00:00.123456+01:00 mx postfix/qmgr[13]: 5AbC02: from=<>, size=12, nrcpt=1 (queue active)\n\
            2026-01-02T10:00:01.123456+01:00 mx postfix/local[16]: 5AbC02: to=<root@hill.test>, orig_to=<root>, relay=local, delay=0, dsn=5.1.1, status=bounced (unknown user)\n\
            Jan  3 10:00:00 mx postfix/smtp[14]: 6Gone: to=<cyd@hill.test>, relay=x, status=sent (250)\n\
            Jan  3 10:00:00 mx dovecot: lmtp(1): to=<cyd@hill.test>, status=sent\n\
            Jan  3 10:00:00 mx postfix/verify[14]: 7Probe: to=<cyd@hill.test>, relay=x, status=deliverable (250)\n\
            nothing like a log\n";
        let taken = read(log);
        let shown: Vec<String> = taken
            .iter()
            .map(|taken| {
                format!("{} {} as {} {}", taken.at, taken.to, taken.became, taken.from.as_deref().unwrap_or("?"))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "2026-01-01T00:04:59Z ben@hill.test as ben@hill.test bea@outside.test",
                "2026-01-01T00:09:59Z ann@hill.test as ann@nation.test bea@outside.test",
                "2026-01-02T09:00:01.123456Z root as root@hill.test ",
                "2026-01-03T10:00:00Z cyd@hill.test as cyd@hill.test ?",
            ]
        );
    }

    #[test]
    fn hostile_lines_are_passed_over() {
        for line in [
            "Nov",
            "Nov 27 20:01:02",
            "é27 20:01:02.1 host x/y[1]: A: to=<",
            "Feb 30 00:00:00 h p/q[1]: A: to=<a>, status=sent",
        ] {
            assert_eq!(read(line), [], "{line}");
        }
        let long = format!("Jan  1 00:00:00 h p/q[1]: {}: from=<a>, x", "A".repeat(60_000));
        assert_eq!(read(&long), []);
    }
}
