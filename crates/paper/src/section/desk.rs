//! The service desk: calls that came against those that were forecast, and what to say about what is known.

use document::{Cell, Tone};
use programme::{DeskSeen, Register, desk_seen};

use crate::ground::Ground;
use crate::paper::{Paper, columns, number, verdict};
use crate::words;

/// So few and so many.
fn range(forecast: Option<(u64, u64)>) -> Cell {
    match forecast {
        None => words::NOT_RECORDED.into(),
        Some((least, most)) if least == most => number(least),
        Some((least, most)) => format!("{least} to {most}").into(),
    }
}

/// How what came differs from what was forecast.
fn differs(difference: Option<i64>) -> Cell {
    match difference {
        None => "".into(),
        Some(0) => verdict((Tone::Good, "As forecast")),
        Some(more @ 1..) => Cell::Verdict(Tone::Caution, format!("{more} more")),
        Some(fewer) => Cell::Verdict(Tone::Neutral, format!("{} fewer", fewer.unsigned_abs())),
    }
}

impl Ground<'_> {
    /// The desk as it stands.
    pub(crate) fn desk(&self) -> DeskSeen {
        desk_seen(self.scope.programme, self.record(), self.of.switches)
    }

    /// Calls by week and by category, and what to say.
    pub(crate) fn desk_tables(&self, paper: &mut Paper) {
        let seen = self.desk();
        if let Some(why) = &seen.no_forecast {
            paper.note(Tone::Neutral, format!("There is no forecast of calls: {why}."));
        }
        let rows = seen.weeks.iter().map(|week| {
            let actual = week.actual.map_or_else(|| words::NOT_RECORDED.into(), number);
            vec![Cell::Date(week.monday), number(week.people), range(week.forecast), actual, differs(week.difference)]
        });
        let of_weeks =
            columns([("Week from", 18), ("People who switch", 16), ("Forecast", 20), ("Came", 16), ("Difference", 20)]);
        paper.table("Calls by week", of_weeks, rows.collect(), "No week was forecast or counted.");
        let rows = seen.categories.iter().map(|one| {
            let category = words::capital(&one.category).into();
            let actual = one.actual.map_or_else(|| words::NOT_RECORDED.into(), number);
            vec![category, range(one.forecast), actual, differs(one.difference)]
        });
        let of_categories = columns([("Category", 36), ("Forecast", 22), ("Came", 18), ("Difference", 24)]);
        let none = "No call is recorded.";
        paper.table("Calls by category, in the weeks that were counted", of_categories, rows.collect(), none);
        self.register_table(paper, Register::KnownIssues, |_| true);
    }
}
