//! The service desk: calls that came against those that were forecast, staff that is planned against staff that is needed, and what to say
//! about what is known.

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

/// Staff that is planned, and what it lacks of what is needed at most.
fn planned(planned: Option<u64>, lacks: Option<u64>) -> Cell {
    match (planned, lacks) {
        (None, None | Some(0)) => words::NOT_RECORDED.into(),
        (None, Some(lacks)) => Cell::Verdict(Tone::Caution, format!("None, {lacks} lack")),
        (Some(planned), None | Some(0)) => number(planned),
        (Some(planned), Some(lacks)) => Cell::Verdict(Tone::Caution, format!("{planned}, {lacks} lack")),
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
            vec![
                Cell::Date(week.monday),
                number(week.people),
                range(week.forecast),
                actual,
                differs(week.difference),
                range(week.staff_needed),
                planned(week.staff_planned, week.staff_lacks),
            ]
        });
        let of_weeks = columns([
            ("Week from", 16),
            ("People who switch", 12),
            ("Forecast", 16),
            ("Came", 13),
            ("Difference", 16),
            ("More staff needed", 13),
            ("More staff planned", 16),
        ]);
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
