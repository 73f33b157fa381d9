//! Reports that were sent, and alerts, as text.

use std::fmt::Write;

use movement::state::counted;
use report::moment;
use service::{AlertsReport, SentReports};

use crate::show::table;

/// Which reports were sent to whom.
pub(crate) fn sent(report: &SentReports) -> String {
    let mut rows = Vec::new();
    for report in &report.reports {
        let asked = if report.due.is_some() { "daily" } else { "asked for" };
        for letter in &report.letters {
            let state = match (letter.sent, letter.next) {
                (Some(at), _) => format!("sent {}", moment(at)),
                (None, Some(next)) if letter.tries > 0 => format!("waits, again {}", moment(next)),
                (None, Some(_)) => "waits".to_owned(),
                (None, None) => "NOT SENT, given up".to_owned(),
            };
            let said = letter.said.clone().unwrap_or_default();
            let (kind, day, to) = (report.kind.clone(), report.day.clone(), letter.to.clone());
            rows.push(vec![kind, day, asked.to_owned(), to, state, letter.tries.to_string(), said]);
        }
    }
    if rows.is_empty() {
        return "No report was sent, and none waits.".to_owned();
    }
    table(&["report", "about", "why", "to", "state (UTC)", ">tries", "what was said"], &rows)
}

/// What needs a person.
pub(crate) fn alerts(found: &AlertsReport) -> String {
    let open = found.alerts.iter().filter(|alert| alert.over.is_none()).count() as u64;
    let mut text = match open {
        0 => "Nothing needs a person.\n".to_owned(),
        some => format!("{} open.\n", counted(some, "alert")),
    };
    for alert in &found.alerts {
        let over = alert.over.map(|at| format!(", over {}", moment(at))).unwrap_or_default();
        let _ = writeln!(text, "\n{}  {}  since {} UTC{over}", alert.alert, alert.kind, moment(alert.raised));
        let _ = writeln!(text, "    {}", report::harmless(&alert.what));
        for told in &alert.told {
            let state = match told.told {
                Some(at) => format!("told {}", moment(at)),
                None => format!("NOT TOLD YET, tried {}", counted(told.tries, "time")),
            };
            let said = told.said.as_ref().map(|said| format!(": {}", report::harmless(said))).unwrap_or_default();
            let _ = writeln!(text, "    {} by {} to {}: {state}{said}", told.event, told.way, told.whom);
        }
    }
    text
}
