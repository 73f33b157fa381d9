//! The score: what was predicted beside what came of it.

use std::collections::{BTreeMap, BTreeSet};

use model::{Cause, Fate, FolderPath, ItemId, Tally};
use movement::Becomes;
use serde::Serialize;
use store::{ForecastRow, How, MailboxRow};

use super::{Numbers, Recorded, Subject, TimeForecast};
use crate::usecase::report::Heading;
use crate::{Error, Project, Selection};

/// How good the predictions were.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreReport {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// Mailbox by mailbox.
    pub people: Vec<PersonScore>,
    /// Mailboxes of which nothing was predicted.
    pub not_predicted: u64,
    /// Items on the target, of mailboxes that were read to their end.
    pub items: Pair,
    /// Their bytes.
    pub bytes: Pair,
    /// Single items: those that were predicted not to travel as they are, and those that did not.
    pub refusals: ItemScore,
    /// The same by rule.
    pub rules: Vec<RuleScore>,
    /// Quota verdicts that came true, and how many there are.
    pub quota: Hits,
    /// Mailboxes that took no longer than nine of ten should, and how many were timed.
    pub time: Hits,
}

/// What was predicted and what came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Predicted.
    pub predicted: u64,
    /// Came.
    pub actual: u64,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hits {
    /// So many came true.
    pub right: u64,
    /// Of so many.
    pub of: u64,
}

impl Hits {
    fn count(&mut self, is_right: bool) {
        self.right += u64::from(is_right);
        self.of += 1;
    }

    /// In hundredths of a percent, rounded down; none of nothing.
    pub fn share(&self) -> Option<u32> {
        let share = (u128::from(self.right) * 10_000).checked_div(u128::from(self.of));
        share.map(|share| share.min(10_000) as u32)
    }
}

/// How good a prediction about single items was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ItemScore {
    /// So many were predicted.
    pub predicted: u64,
    /// So many there were, of those that could be predicted.
    pub actual: u64,
    /// So many are both.
    pub both: u64,
}

impl ItemScore {
    fn add(&mut self, other: Self) {
        self.predicted += other.predicted;
        self.actual += other.actual;
        self.both += other.both;
    }

    /// How many of those predicted came true.
    pub fn precision(&self) -> Option<u32> {
        Hits { right: self.both, of: self.predicted }.share()
    }

    /// How many of those that there were had been predicted.
    pub fn recall(&self) -> Option<u32> {
        Hits { right: self.both, of: self.actual }.share()
    }
}

/// A rule's score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleScore {
    /// What becomes of the items.
    pub becomes: Becomes,
    /// The rule, or the cause.
    pub rule: String,
    /// How good it was.
    #[serde(flatten)]
    pub score: ItemScore,
}

/// A mailbox's score.
#[derive(Clone, Debug, Serialize)]
pub struct PersonScore {
    /// What people call its person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// When the prediction was made (seconds since 1970).
    pub predicted_at: i64,
    /// By which policy.
    pub policy: String,
    /// Every item had been read for it.
    pub is_read: bool,
    /// It was read to its end since, so that its items are compared.
    pub is_compared: bool,
    /// Items on the target.
    pub items: Pair,
    /// Their bytes.
    pub bytes: Pair,
    /// Items that were predicted not to travel as they are, and those that did not.
    pub refusals: ItemScore,
    /// Was it predicted to fit into its quota?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted_to_fit: Option<bool>,
    /// Did it fit? None as long as nothing shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_fit: Option<bool>,
    /// How long it should take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeForecast>,
    /// How long it took, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_seconds: Option<u64>,
}

/// What tells an item, and what becomes of it.
type Key = (FolderPath, ItemId, Becomes);

/// Can it be told without reading the item?
fn is_listed(becomes: Becomes, rule: &str) -> bool {
    let is_by_size = Subject::of(becomes, rule) == Some(Subject::ItemSize);
    rule == Cause::Unsupported.code()
        || is_by_size
        || (becomes == Becomes::Left && Subject::of(becomes, rule).is_none())
}

/// The predicted and the actual items beside each other, by rule.
fn compare(
    predicted: &BTreeMap<Key, String>,
    actual: &BTreeMap<Key, String>,
) -> BTreeMap<(Becomes, String), ItemScore> {
    let mut rules: BTreeMap<(Becomes, String), ItemScore> = BTreeMap::new();
    for (key, rule) in predicted {
        let score = rules.entry((key.2, rule.clone())).or_default();
        score.predicted += 1;
        score.both += u64::from(actual.contains_key(key));
    }
    for (key, rule) in actual {
        // What came by another rule than predicted counts with the one that was predicted.
        let rule = predicted.get(key).unwrap_or(rule);
        rules.entry((key.2, rule.clone())).or_default().actual += 1;
    }
    rules
}

impl Project {
    /// Compares what was predicted of the mailboxes chosen with what came of it.
    pub async fn score(&self, selection: &Selection) -> Result<ScoreReport, Error> {
        let mut report = ScoreReport {
            heading: self.report_heading(selection),
            people: Vec::new(),
            not_predicted: 0,
            items: Pair::default(),
            bytes: Pair::default(),
            refusals: ItemScore::default(),
            rules: Vec::new(),
            quota: Hits::default(),
            time: Hits::default(),
        };
        let worked = self.store.worked(self.key).await?;
        let mut rules: BTreeMap<(Becomes, String), ItemScore> = BTreeMap::new();
        // The archive takes what comes as it is: of it nothing is predicted.
        for row in self.select(selection).await?.into_iter().filter(|row| !self.is_archived(row)) {
            let Some(forecast) = self.store.forecast(self.key, row.mailbox).await? else {
                report.not_predicted += 1;
                continue;
            };
            let took =
                worked.iter().find(|worked| worked.mailbox == row.mailbox).map(|worked| worked.ms.div_ceil(1000));
            let (person, by_rule) = self.score_of(&row, forecast, took).await?;
            if person.is_compared {
                report.items.predicted += person.items.predicted;
                report.items.actual += person.items.actual;
                report.bytes.predicted += person.bytes.predicted;
                report.bytes.actual += person.bytes.actual;
                report.refusals.add(person.refusals);
                if let Some((time, took)) = person.time.zip(person.took_seconds) {
                    report.time.count(took <= time.p90_seconds);
                }
            }
            for (key, score) in by_rule {
                rules.entry(key).or_default().add(score);
            }
            if let Some((predicted, did)) = person.predicted_to_fit.zip(person.did_fit) {
                report.quota.count(predicted == did);
            }
            report.people.push(person);
        }
        let rule = |((becomes, rule), score)| RuleScore { becomes, rule, score };
        report.rules = rules.into_iter().map(rule).collect();
        Ok(report)
    }

    async fn score_of(
        &self,
        row: &MailboxRow,
        forecast: ForecastRow,
        took_seconds: Option<u64>,
    ) -> Result<(PersonScore, BTreeMap<(Becomes, String), ItemScore>), Error> {
        let recorded: Recorded = serde_json::from_str(&forecast.detail).unwrap_or(Recorded {
            numbers: Numbers::default(),
            rules: Vec::new(),
            fits: None,
            time: None,
        });
        let (mut tally, mut paths, mut is_compared) = (Tally::default(), BTreeSet::new(), true);
        for (folder, of) in self.store.tallies(self.key, row.mailbox).await? {
            if !folder.is_gone() {
                is_compared &= folder.source.is_some();
                paths.insert(folder.path);
                tally += of;
            }
        }
        is_compared &= !paths.is_empty() && tally.source == tally.accounted();
        let by_rule = if is_compared {
            compare(&predicted(&forecast), &self.actual(row, forecast.is_read).await?)
        } else {
            BTreeMap::new()
        };
        let mut refusals = ItemScore::default();
        for score in by_rule.values() {
            refusals.add(*score);
        }
        let is_full = row.state.cause.is_some_and(|(cause, _)| cause == Cause::OverQuota);
        let did_fit = (is_full || is_compared).then_some(!is_full);
        let person = PersonScore {
            name: row.roster.name.clone(),
            source: row.roster.source_name.clone(),
            target: row.roster.target_name.clone(),
            predicted_at: forecast.at / 1000,
            policy: forecast.policy,
            is_read: forecast.is_read,
            is_compared,
            items: Pair { predicted: recorded.numbers.travels.items, actual: tally.on_target() },
            bytes: Pair { predicted: recorded.numbers.travels.bytes, actual: tally.bytes },
            refusals,
            predicted_to_fit: recorded.fits,
            did_fit,
            // Of a mailbox that had been begun only the rest was predicted.
            time: recorded.time.filter(|_| !forecast.is_begun),
            took_seconds,
        };
        Ok((person, by_rule))
    }

    /// What did not simply travel of a mailbox: as far as it could have been predicted without reading, or all.
    async fn actual(&self, row: &MailboxRow, is_read: bool) -> Result<BTreeMap<Key, String>, Error> {
        let mut actual = BTreeMap::new();
        let mut add = |path: FolderPath, id: ItemId, becomes: Becomes, rule: String| {
            if is_read || is_listed(becomes, &rule) {
                actual.insert((path, id, becomes), rule);
            }
        };
        for made in self.store.treatments(self.key, row.mailbox).await? {
            let becomes = match made.treatment.how {
                How::Left if made.fate == Fate::Excluded => Becomes::Left,
                How::Replaced => Becomes::Replaced,
                How::Repaired => Becomes::Repaired,
                How::Left | How::Noted => continue,
            };
            add(made.path, made.treatment.source_id, becomes, made.treatment.rule);
        }
        for failure in self.store.failures(self.key, Some(row.mailbox)).await? {
            add(failure.path, failure.source_id, Becomes::Fails, failure.cause.code().to_owned());
        }
        Ok(actual)
    }
}

/// The items of a prediction.
fn predicted(forecast: &ForecastRow) -> BTreeMap<Key, String> {
    let every = [Becomes::Left, Becomes::Replaced, Becomes::Repaired, Becomes::Fails];
    let items = forecast.items.iter().filter_map(|item| {
        let becomes = every.into_iter().find(|becomes| becomes.name() == item.how)?;
        Some(((item.path.clone(), item.source_id.clone(), becomes), item.rule.clone()))
    });
    items.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32, becomes: Becomes) -> Key {
        (FolderPath::inbox(), ItemId::from_u32(number), becomes)
    }

    #[test]
    fn precision_and_recall_are_of_single_items() {
        let predicted: BTreeMap<Key, String> = [(1, "a"), (2, "a"), (3, "b")]
            .into_iter()
            .map(|(number, rule)| (key(number, Becomes::Left), rule.to_owned()))
            .collect();
        let actual = [(key(1, Becomes::Left), "a"), (key(3, Becomes::Fails), "nul"), (key(4, Becomes::Left), "a")];
        let actual: BTreeMap<Key, String> = actual.map(|(key, rule)| (key, rule.to_owned())).into_iter().collect();
        let rules = compare(&predicted, &actual);
        let mut all = ItemScore::default();
        for score in rules.values() {
            all.add(*score);
        }
        assert_eq!(all, ItemScore { predicted: 3, actual: 3, both: 1 });
        assert_eq!((all.precision(), all.recall()), (Some(3_333), Some(3_333)));
        assert_eq!(rules[&(Becomes::Left, "a".to_owned())], ItemScore { predicted: 2, actual: 2, both: 1 });
        assert_eq!(ItemScore::default().precision(), None);
    }

    #[test]
    fn only_what_a_listing_shows_is_expected_of_a_prediction_without_reading() {
        for (becomes, rule, is) in [
            (Becomes::Left, "item-size", true),
            (Becomes::Fails, "too-large", true),
            (Becomes::Left, "received-before", true),
            (Becomes::Fails, "unsupported", true),
            (Becomes::Fails, "nul", false),
            (Becomes::Replaced, "banned-extension", false),
            (Becomes::Left, "banned-extension", false),
        ] {
            assert_eq!(is_listed(becomes, rule), is, "{rule}");
        }
    }
}
