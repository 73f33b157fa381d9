//! The prediction and its score as documents.

use std::fmt::Write;

use connector::Usage;
use movement::state::counted;
use movement::{Becomes, Counted, QuotaOf, QuotaVerdict};
use report::{Cell, Column, Document, Kind, Sentence, Table, Weight, bytes, grouped, percentage};

use super::score::{Hits, Pair, PersonScore, ScoreReport};
use super::{Check, KeptItem, PersonForecast, PreflightReport, RatesFrom, Subject, TimeForecast, Verdict};
use crate::usecase::report::shown::{sentence, text, text_if, verb};

impl Subject {
    /// What it is called, and what it looks at.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Reach => ("reach", "Both sides of each mailbox can be opened"),
            Self::Folders => ("folders", "Every folder of the source can be opened"),
            Self::Quota => ("quota", "What is to come fits beside what lies on the target"),
            Self::ItemSize => ("item-size", "No item is larger than the rules and the target allow"),
            Self::Attachments => ("attachments", "No attachment is banned by type, name, content or size"),
            Self::Content => ("content", "The target can hold every item, as it is or repaired"),
            Self::Malware => ("malware", "The scanner finds nothing"),
        }
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

fn becomes(becomes: Becomes) -> &'static str {
    match becomes {
        Becomes::Left => "left behind",
        Becomes::Replaced => "travels with a note",
        Becomes::Repaired => "travels repaired",
        Becomes::Fails => "fails",
    }
}

/// A time span for people.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

fn quota(verdict: &QuotaVerdict) -> String {
    let shown = |number: u64| match verdict.limit.counts {
        Counted::Bytes => bytes(number),
        Counted::Items => counted(number, "item"),
    };
    let of = match verdict.limit.of {
        QuotaOf::Person => "own quota",
        QuotaOf::Policy => "quota",
        QuotaOf::Target => "target's quota",
    };
    let fits = if verdict.fits { "fits" } else { "OVER" };
    format!("{fits}: {} of {of} {}", shown(verdict.then), shown(verdict.limit.max))
}

fn usage(usage: Usage) -> [Cell; 2] {
    [Cell::Number(usage.items), Cell::Number(usage.bytes)]
}

fn seconds(time: Option<&TimeForecast>, which: fn(&TimeForecast) -> u64) -> Cell {
    time.map_or(Cell::Empty, |time| Cell::Number(which(time)))
}

impl PreflightReport {
    /// The prediction as a document, for every form.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Preflight");
        let how = if self.read { "every item was read and inspected" } else { "sizes, dates and flags as listed" };
        document.facts.push(("Looked at", how.to_owned()));
        document.sentences = self.sentences();
        document.tables = vec![self.checks_table(), self.people_table(), self.rules_table(), self.items_table()];
        document.main = "people";
        let notes = [
            (
                "Unknown",
                "Only who reads an item knows what is attached to it and whether the target can hold it: `preflight --read`.",
            ),
            (
                "Quota",
                "What lies on the target, of every kind, and what is to be copied, by the sizes that the source lists; what rules \
                 leave behind does not count. The project's quota must not be reached, the target's own may be filled.",
            ),
            (
                "There already",
                "Copied before, or there with the same size and date: taken for copies until the run compares the bytes.",
            ),
            ("Time", "Usual: half of all such mailboxes are copied by then. At most: nine of ten are."),
        ];
        document.notes = notes.map(|(word, note)| (word, note.to_owned())).to_vec();
        document
    }

    fn sentences(&self) -> Vec<Sentence> {
        let people = self.people.len() as u64;
        let (copy, source) = (self.all.to_copy, self.all.source);
        let mut sentences = vec![sentence(
            Weight::Well,
            format!(
                "{} of {} in {} are to be copied: {} of {}.",
                grouped(copy.items),
                counted(source.items, "item"),
                counted(people, "mailbox"),
                bytes(copy.bytes),
                bytes(source.bytes)
            ),
        )];
        for check in &self.checks {
            sentences.push(check.sentence());
        }
        if let Some(time) = &self.time {
            let from = match time.from {
                RatesFrom::Copies => format!("as {} copied so far show", counted(time.measured, "mailbox")),
                RatesFrom::Reading => {
                    format!(
                        "as reading from {} shows; how fast the target writes is not known",
                        counted(time.measured, "mailbox")
                    )
                }
            };
            let text = format!(
                "It usually takes {}, and {} at most in nine of ten cases, {from}.",
                span(time.p50_seconds),
                span(time.p90_seconds)
            );
            sentences.push(sentence(Weight::Well, text));
        }
        sentences
    }

    fn checks_table(&self) -> Table {
        let row = |check: &Check| {
            let (name, what) = check.check.words();
            let numbers = [Cell::Number(check.mailboxes), Cell::Number(check.rows)];
            let mut cells = vec![text(name), text(check.verdict.word())];
            cells.extend(numbers);
            cells.push(text(what));
            cells
        };
        Table {
            name: "checks",
            title: "Checks".to_owned(),
            columns: vec![
                Column::new("Check", Kind::Text),
                Column::new("Verdict", Kind::Text),
                Column::new("Mailboxes", Kind::Number),
                Column::new("Items or folders", Kind::Number),
                Column::new("What it looks at", Kind::Text),
            ],
            rows: self.checks.iter().map(row).collect(),
            total: None,
            empty: "",
        }
    }

    fn people_table(&self) -> Table {
        let columns = vec![
            Column::new("Mailbox", Kind::Text),
            Column::aside("Name", Kind::Text),
            Column::aside("Target", Kind::Text),
            Column::aside("Collection", Kind::Text),
            Column::new("Folders", Kind::Number),
            Column::new("Items", Kind::Number),
            Column::new("Size", Kind::Bytes),
            Column::new("To copy", Kind::Number),
            Column::new("Size to copy", Kind::Bytes),
            Column::if_any("There already", Kind::Number),
            Column::if_any("Left by rule", Kind::Number),
            Column::if_any("With a note", Kind::Number),
            Column::if_any("Repaired", Kind::Number),
            Column::new("Fail", Kind::Number),
            Column::new("Quota", Kind::Text),
            Column::if_any("Usual seconds", Kind::Number),
            Column::if_any("Seconds at most", Kind::Number),
            Column::if_any("What is wrong", Kind::Prose),
        ];
        let numbers = |numbers: &super::Numbers| {
            let mut cells = vec![Cell::Number(numbers.folders)];
            cells.extend(usage(numbers.source));
            cells.extend(usage(numbers.to_copy));
            let rest = [numbers.already, numbers.left, numbers.replaced, numbers.repaired, numbers.fails];
            cells.extend(rest.map(|usage| Cell::Number(usage.items)));
            cells
        };
        let row = |person: &PersonForecast| {
            let mut cells = vec![
                text(&person.source),
                text_if(person.name.as_ref()),
                text(&person.target),
                text_if(person.collection.as_ref()),
            ];
            cells.extend(numbers(&person.numbers));
            cells.push(match &person.quota {
                Some(_) if person.quota_unknown => text("unknown"),
                Some(verdict) => text(quota(verdict)),
                None if person.error.is_some() => text("unknown"),
                None => text("none"),
            });
            cells.push(seconds(person.time.as_ref(), |time| time.p50_seconds));
            cells.push(seconds(person.time.as_ref(), |time| time.p90_seconds));
            let mut wrong = person.error.clone().unwrap_or_default();
            if !person.closed.is_empty() {
                let _ = write!(wrong, "can't be opened: {}", person.closed.join(", "));
            }
            cells.push(text(wrong));
            cells
        };
        let mut total = vec![text("All"), Cell::Empty, Cell::Empty, Cell::Empty];
        total.extend(numbers(&self.all));
        total.push(Cell::Empty);
        total.push(seconds(self.time.as_ref(), |time| time.p50_seconds));
        total.push(seconds(self.time.as_ref(), |time| time.p90_seconds));
        total.push(Cell::Empty);
        Table {
            name: "people",
            title: "Everybody".to_owned(),
            columns,
            rows: self.people.iter().map(row).collect(),
            total: Some(total),
            empty: "Nobody is on the list.",
        }
    }

    fn rules_table(&self) -> Table {
        let rows = self.rules.iter().map(|rule| {
            vec![text(becomes(rule.becomes)), text(&rule.rule), Cell::Number(rule.items), Cell::Number(rule.bytes)]
        });
        Table {
            name: "rules",
            title: "What does not travel as it is".to_owned(),
            columns: vec![
                Column::new("What", Kind::Text),
                Column::new("Rule or cause", Kind::Text),
                Column::new("Items", Kind::Number),
                Column::new("Size", Kind::Bytes),
            ],
            rows: rows.collect(),
            total: None,
            empty: "Nothing, as far as is known.",
        }
    }

    fn items_table(&self) -> Table {
        let row = |item: &KeptItem| {
            let files = item.files.as_array().map(Vec::as_slice).unwrap_or_default();
            let names: Vec<&str> = files.iter().filter_map(|file| file["name"].as_str()).collect();
            vec![
                text(&item.mailbox),
                text(&item.folder),
                item.received.map_or(Cell::Empty, Cell::Moment),
                Cell::Number(item.size_bytes),
                text(becomes(item.becomes)),
                text(&item.rule),
                text(names.join(", ")),
            ]
        };
        Table {
            name: "items",
            title: "Item by item".to_owned(),
            columns: vec![
                Column::new("Mailbox", Kind::Text),
                Column::new("Folder", Kind::Text),
                Column::new("Received", Kind::Moment),
                Column::new("Size", Kind::Bytes),
                Column::new("What", Kind::Text),
                Column::new("Rule or cause", Kind::Text),
                Column::if_any("Files", Kind::Prose),
            ],
            rows: self.items.iter().map(row).collect(),
            total: None,
            empty: "Nothing, as far as is known.",
        }
    }
}

impl Check {
    fn sentence(&self) -> Sentence {
        let (name, what) = self.check.words();
        match self.verdict {
            Verdict::Pass => sentence(Weight::Well, format!("{name}: {what}.")),
            Verdict::Unknown => sentence(Weight::Attention, format!("{name}: not known yet: {what}.")),
            Verdict::Fail => {
                let mailboxes = counted(self.mailboxes, "mailbox");
                let rows = match (self.check, self.rows) {
                    (_, 0) => String::new(),
                    (Subject::Folders, rows) => format!(" with {}", counted(rows, "folder")),
                    (_, rows) => format!(" with {}", counted(rows, "item")),
                };
                let weight = match self.check {
                    Subject::Reach | Subject::Folders | Subject::Quota => Weight::Alert,
                    Subject::ItemSize | Subject::Attachments | Subject::Content | Subject::Malware => Weight::Attention,
                };
                sentence(weight, format!("{name}: NOT so in {mailboxes}{rows}: {what}."))
            }
        }
    }
}

/// How far what came is off what was predicted, in words.
fn off(pair: Pair) -> String {
    let Pair { predicted, actual } = pair;
    if predicted == actual {
        return "exactly as predicted".to_owned();
    }
    let share = (u128::from(actual.abs_diff(predicted)) * 10_000).div_ceil(u128::from(predicted.max(1)));
    let share = percentage(u32::try_from(share).unwrap_or(u32::MAX));
    format!("{share} {} than predicted", if actual > predicted { "more" } else { "less" })
}

fn share(hits: Hits) -> Cell {
    hits.share().map_or(Cell::Empty, Cell::Share)
}

impl ScoreReport {
    /// What the score says in one sentence.
    pub fn sentence(&self) -> String {
        let compared = self.people.iter().filter(|person| person.is_compared).count() as u64;
        if compared == 0 && self.quota.of == 0 {
            return "No mailbox was both predicted and copied to its end yet: there is nothing to compare.".to_owned();
        }
        let mut text = format!(
            "Of {} copied to the end {} are on the target: {}. Their size is {}: {}.",
            counted(compared, "mailbox"),
            counted(self.items.actual, "item"),
            off(self.items),
            bytes(self.bytes.actual),
            off(self.bytes)
        );
        let refusals = &self.refusals;
        let _ = match (refusals.precision(), refusals.recall()) {
            (None, None) => write!(text, " No item was predicted to stay or to change, and none did."),
            (precision, recall) => {
                let shown = |share: Option<u32>| share.map_or("–".to_owned(), percentage);
                write!(
                    text,
                    " {} of {} that were predicted to stay or to change did ({}), and {} of {} that did were predicted ({}).",
                    grouped(refusals.both),
                    counted(refusals.predicted, "item"),
                    shown(precision),
                    grouped(refusals.both),
                    grouped(refusals.actual),
                    shown(recall)
                )
            }
        };
        for (hits, what) in [
            (self.quota, "of the verdicts about quotas came true"),
            (self.time, "took no longer than the time at most"),
        ] {
            if hits.of > 0 {
                let _ = write!(text, " {} of {} {what}.", grouped(hits.right), grouped(hits.of));
            }
        }
        text
    }

    /// The score as a document, for every form.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("Prediction and outcome");
        let refusals = &self.refusals;
        let is_right = self.items.predicted == self.items.actual
            && self.bytes.predicted == self.bytes.actual
            && refusals.both == refusals.predicted
            && refusals.both == refusals.actual
            && self.quota.right == self.quota.of;
        let weight = if is_right && !self.people.is_empty() { Weight::Well } else { Weight::Attention };
        document.sentences.push(sentence(weight, self.sentence()));
        if self.not_predicted > 0 {
            let mailboxes = counted(self.not_predicted, "mailbox");
            let what = format!(
                "Of {mailboxes} nothing {} predicted: run `whimbrel preflight` before `sync`.",
                verb(1, "was", "were")
            );
            document.sentences.push(sentence(Weight::Attention, what));
        }
        document.tables = vec![self.people_table(), self.rules_table()];
        document.main = "people";
        let notes = [
            (
                "Predicted",
                "By the last `whimbrel preflight` before anything of the mailbox was copied; by the last one of all where there \
                 was none.",
            ),
            (
                "Came true",
                "Of the items predicted to stay, to fail or to travel with a note: so many did. Without `--read` only those that a \
                 list of sizes, dates, flags and folders shows are predicted, and compared.",
            ),
            ("Found", "Of the items that did so: so many were predicted."),
            ("Seconds", "Of the runs that copied something, first to last byte."),
        ];
        document.notes = notes.map(|(word, note)| (word, note.to_owned())).to_vec();
        document
    }

    fn people_table(&self) -> Table {
        let fits = |fits: Option<bool>| match fits {
            Some(true) => text("fits"),
            Some(false) => text("over"),
            None => Cell::Empty,
        };
        let row = |person: &PersonScore| {
            let pair = |pair: Pair| [Cell::Number(pair.predicted), Cell::Number(pair.actual)];
            let score = &person.refusals;
            let mut cells = vec![
                text(&person.source),
                text_if(person.name.as_ref()),
                text(&person.target),
                Cell::Moment(person.predicted_at),
                text(match (person.is_compared, person.is_read) {
                    (false, _) => "not copied to its end",
                    (true, true) => "by reading",
                    (true, false) => "by listing",
                }),
            ];
            cells.extend(pair(person.items));
            cells.extend(pair(person.bytes));
            cells.extend([score.predicted, score.actual, score.both].map(Cell::Number));
            cells.extend([fits(person.predicted_to_fit), fits(person.did_fit)]);
            cells.push(seconds(person.time.as_ref(), |time| time.p50_seconds));
            cells.push(seconds(person.time.as_ref(), |time| time.p90_seconds));
            cells.push(person.took_seconds.map_or(Cell::Empty, Cell::Number));
            cells
        };
        Table {
            name: "people",
            title: "Everybody".to_owned(),
            columns: vec![
                Column::new("Mailbox", Kind::Text),
                Column::aside("Name", Kind::Text),
                Column::aside("Target", Kind::Text),
                Column::aside("Predicted on", Kind::Moment),
                Column::new("Compared", Kind::Text),
                Column::new("Items predicted", Kind::Number),
                Column::new("Items", Kind::Number),
                Column::new("Size predicted", Kind::Bytes),
                Column::new("Size", Kind::Bytes),
                Column::new("Refusals predicted", Kind::Number),
                Column::new("Refusals", Kind::Number),
                Column::new("Both", Kind::Number),
                Column::if_any("Quota predicted", Kind::Text),
                Column::if_any("Quota", Kind::Text),
                Column::if_any("Usual seconds", Kind::Number),
                Column::if_any("Seconds at most", Kind::Number),
                Column::if_any("Seconds", Kind::Number),
            ],
            rows: self.people.iter().map(row).collect(),
            total: None,
            empty: "Nothing was predicted.",
        }
    }

    fn rules_table(&self) -> Table {
        let rows = self.rules.iter().map(|rule| {
            let score = &rule.score;
            let mut cells = vec![text(becomes(rule.becomes)), text(&rule.rule)];
            cells.extend([score.predicted, score.actual, score.both].map(Cell::Number));
            cells.push(share(Hits { right: score.both, of: score.predicted }));
            cells.push(share(Hits { right: score.both, of: score.actual }));
            cells
        });
        Table {
            name: "rules",
            title: "Rule by rule".to_owned(),
            columns: vec![
                Column::new("What", Kind::Text),
                Column::new("Rule or cause", Kind::Text),
                Column::new("Predicted", Kind::Number),
                Column::new("Happened", Kind::Number),
                Column::new("Both", Kind::Number),
                Column::new("Came true", Kind::Share),
                Column::new("Found", Kind::Share),
            ],
            rows: rows.collect(),
            total: None,
            empty: "No item stayed or changed, and none was predicted to.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usecase::preflight::ItemScore;
    use crate::usecase::report::Heading;

    fn report(items: Pair, refusals: ItemScore, is_compared: bool) -> ScoreReport {
        let heading = Heading {
            organisation: "Example Trust".to_owned(),
            code: "RX1".to_owned(),
            project: "migration".to_owned(),
            at: 0,
            policy: "plain".to_owned(),
            only: None,
        };
        let person = PersonScore {
            name: None,
            source: "ann".to_owned(),
            target: "ann".to_owned(),
            predicted_at: 0,
            policy: "plain".to_owned(),
            is_read: true,
            is_compared,
            items,
            bytes: items,
            refusals,
            predicted_to_fit: None,
            did_fit: None,
            time: None,
            took_seconds: None,
        };
        ScoreReport {
            heading,
            people: vec![person],
            not_predicted: 0,
            items,
            bytes: items,
            refusals,
            rules: Vec::new(),
            quota: Hits::default(),
            time: Hits { right: 1, of: 1 },
        }
    }

    #[test]
    fn the_score_is_a_sentence_for_whoever_runs_the_project() {
        let exact =
            report(Pair { predicted: 2_000, actual: 2_000 }, ItemScore { predicted: 3, actual: 4, both: 3 }, true);
        assert_eq!(
            exact.sentence(),
            "Of 1 mailbox copied to the end 2,000 items are on the target: exactly as predicted. Their size is 2.0 KiB: exactly \
             as predicted. 3 of 3 items that were predicted to stay or to change did (100 %), and 3 of 4 that did were predicted \
             (75 %). 1 of 1 took no longer than the time at most."
        );
        assert_eq!(exact.document().sentences[0].weight, Weight::Attention);
        let off = report(Pair { predicted: 1_000, actual: 1_001 }, ItemScore::default(), true).sentence();
        assert!(off.contains("0.1 % more than predicted"), "{off}");
        assert!(off.contains("No item was predicted to stay or to change, and none did."), "{off}");
        let none = report(Pair::default(), ItemScore::default(), false).sentence();
        assert!(none.contains("nothing to compare"), "{none}");
    }
}
