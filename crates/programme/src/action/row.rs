//! Rows of registers: written, changed, settled, withdrawn.

use std::collections::BTreeMap;

use super::{Case, Decided, ImportedRow, Refusal};
use crate::data::Side;
use crate::desk::categories;
use crate::readiness::{gaps_in, snapshot};
use crate::record::{Change, Row, Verdict};
use crate::register::{Register, wrong_fields};
use crate::rule::Rule;
use crate::scope::Scope;

/// A file has no more rows: a mistaken one is found here.
const IMPORTED_MAX: usize = 5_000;
/// So many mistakes of a file are told.
const WRONG_MAX: usize = 20;

impl Case<'_> {
    fn row(&self, id: &str) -> Result<&Row, Refusal> {
        let row = self.record.rows.get(id).ok_or_else(|| self.unknown("row", id))?;
        if row.struck.is_some() {
            return Err(self.refuse_at(Rule::NotNow, id, "the row was withdrawn", "Write a new one."));
        }
        Ok(row)
    }

    pub(super) fn add_row(&self, register: Register, mut fields: BTreeMap<String, String>) -> Decided {
        self.right_fields(register, register.name(), &fields)?;
        let scope = Scope::of(self.programme, self.record);
        // A risk that nobody owns is owned by the side that the type says.
        if let (Register::Risks, Some(scope)) = (register, scope) {
            let owner = fields.entry("owner".to_owned()).or_default();
            if owner.trim().is_empty() {
                crate::scope::side_name(scope.answers(scope.project_type.risks)).clone_into(owner);
            }
        }
        let number = self.record.rows.values().filter(|row| row.register == register).count() + 1;
        let row = format!("{}-{number}", register.singular());
        let mut changes = vec![Change::RowAdded { row: row.clone(), register, fields: fields.clone() }];
        changes.extend(self.told_of_risk(register, &row, None, &fields));
        if let (Register::Calls, Some(scope)) = (register, scope) {
            let held = fields.get("held").and_then(|day| day.trim().parse().ok()).unwrap_or(self.now.today);
            changes.push(Change::SnapshotTaken { day: held, call: Some(row), tasks: snapshot(&scope, self.facts) });
        }
        Ok(changes)
    }

    /// Rows of a file: what is wrong with any of them is told by its line, and then none is written.
    pub(super) fn import_rows(&self, register: Register, rows: Vec<ImportedRow>) -> Decided {
        if register != Register::Applications {
            let what = format!("rows of the register of {} are written one by one", register.name());
            return Err(self.refuse_at(Rule::NotNow, register.name(), what, "Applications are read from a file."));
        }
        if rows.is_empty() || rows.len() > IMPORTED_MAX {
            let what = format!("the file has {} rows, and may have 1 to {IMPORTED_MAX}", rows.len());
            return Err(self.refuse_at(Rule::Incomplete, register.name(), what, "Write each application on a line."));
        }
        let first = self.record.rows.values().filter(|row| row.register == register).count() + 1;
        let title_of = |fields: &BTreeMap<String, String>| {
            fields.get("title").map(|title| title.trim().to_lowercase()).unwrap_or_default()
        };
        let mut known: BTreeMap<String, String> =
            self.record.rows_of(register).map(|row| (title_of(&row.fields), row.id.clone())).collect();
        let (mut changes, mut wrong) = (Vec::new(), Vec::new());
        for (at, ImportedRow { line, fields, settled }) in rows.into_iter().enumerate() {
            let row = format!("{}-{}", register.singular(), first + at);
            if let Err(refusal) = self.right_fields(register, register.name(), &fields) {
                wrong.push(format!("line {line}: {}", refusal.what));
            }
            let has_settings = fields.get("settings").is_some_and(|settings| !settings.trim().is_empty());
            if settled.is_some() && !has_settings {
                wrong.push(format!("line {line}: it is resolved, and its settings are missing"));
            }
            if let Some(other) = known.insert(title_of(&fields), format!("line {line}")) {
                let title = fields.get("title").map(|title| title.trim()).unwrap_or_default();
                wrong.push(format!("line {line}: {title:?} is there already: {other}"));
            }
            changes.push(Change::RowAdded { row: row.clone(), register, fields });
            changes.extend(settled.map(|text| Change::RowSettled { row, verdict: Verdict::Yes, text }));
        }
        if wrong.is_empty() {
            return Ok(changes);
        }
        let more = wrong.len().saturating_sub(WRONG_MAX);
        wrong.truncate(WRONG_MAX);
        wrong.extend((more > 0).then(|| format!("and {more} more")));
        let advice = "Correct them; nothing of the file was written.";
        Err(self.refuse_at(Rule::Incomplete, register.name(), wrong.join("; "), advice))
    }

    /// A risk to a date that has been given is told to the provider at once.
    fn told_of_risk(
        &self,
        register: Register,
        row: &str,
        before: Option<&BTreeMap<String, String>>,
        fields: &BTreeMap<String, String>,
    ) -> Option<Change> {
        if register != Register::Risks {
            return None;
        }
        let threatened = |fields: &BTreeMap<String, String>| {
            fields.get("threatens").map(|date| date.trim().to_owned()).filter(|date| !date.is_empty())
        };
        let date = threatened(fields)?;
        if before.and_then(threatened).as_ref() == Some(&date) {
            return None;
        }
        let day = self.record.date(&date).map(|given| format!(" ({})", given.day)).unwrap_or_default();
        let title = fields.get("title").map(String::as_str).unwrap_or_default();
        let text = format!("A risk to the date {date}{day}: {title}");
        Some(Change::Told { side: self.told_side(), row: row.to_owned(), text })
    }

    /// Who is told of risks: the provider where it takes part, else the authority, else who stands in.
    fn told_side(&self) -> Side {
        let Some(scope) = Scope::of(self.programme, self.record) else { return Side::Provider };
        let takes_part = |side: &Side| scope.takes_part(*side);
        let told = [Side::Provider, Side::Authority].into_iter().find(takes_part);
        told.unwrap_or_else(|| scope.answers(Side::Provider))
    }

    fn right_fields(&self, register: Register, at: &str, fields: &BTreeMap<String, String>) -> Result<(), Refusal> {
        if let Some(wrong) = wrong_fields(register, fields) {
            return Err(self.refuse_at(Rule::Incomplete, at, wrong, "Give the fields so."));
        }
        let is_schedule = register == Register::Changes && fields.get("what").is_some_and(|what| what == "schedule");
        let is_empty = |name: &&&str| fields.get(**name).is_none_or(|value| value.trim().is_empty());
        let missing: Vec<&str> = ["users", "from", "to"].iter().filter(is_empty).copied().collect();
        if is_schedule && !missing.is_empty() {
            let what = format!("a change of the schedule says {}", missing.join(", "));
            let advice = "Name the people, the collection they leave and the one they go to.";
            return Err(self.refuse_at(Rule::ChangeNotice, at, what, advice));
        }
        self.right_calls(register, at, fields)?;
        self.right_item(register, at, fields)?;
        let threatened = fields.get("threatens").map(|date| date.trim()).filter(|date| !date.is_empty());
        if let Some(date) = threatened {
            let is_stage = self.programme.stages.iter().any(|stage| stage.id == date);
            if register == Register::Risks && !is_stage && self.record.date(date).is_none() {
                return Err(self.unknown("date", date));
            }
        }
        Ok(())
    }

    /// What is ordered or quoted is of the catalogue.
    fn right_item(&self, register: Register, at: &str, fields: &BTreeMap<String, String>) -> Result<(), Refusal> {
        let item = fields.get("item").map(|item| item.trim()).filter(|_| register == Register::Orders);
        let catalogue = &self.programme.catalogue;
        let Some(item) = item.filter(|item| !catalogue.iter().any(|known| known.id == *item)) else { return Ok(()) };
        let known: Vec<&str> = catalogue.iter().map(|item| item.id.as_str()).collect();
        let advice = format!("It has: {}.", known.join(", "));
        Err(self.refuse_at(Rule::Unknown, at, format!("the catalogue has no item {item:?}"), &advice))
    }

    /// Calls are of a category of the profile; those of an actual week say which.
    fn right_calls(&self, register: Register, at: &str, fields: &BTreeMap<String, String>) -> Result<(), Refusal> {
        if !matches!(register, Register::DeskCalls | Register::KnownIssues) {
            return Ok(());
        }
        let field = |name: &str| fields.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let categories = categories(self.programme);
        if let Some(category) = field("category").filter(|category| !categories.iter().any(|known| known == category)) {
            let what = format!("{category:?} is no category of calls");
            return Err(self.refuse_at(Rule::Unknown, at, what, &format!("They are: {}.", categories.join("; "))));
        }
        if register == Register::DeskCalls && field("what") == Some("actual") && field("week").is_none() {
            return Err(self.refuse_at(
                Rule::Incomplete,
                at,
                "week missing",
                "Say a day of the week that was counted.",
            ));
        }
        Ok(())
    }

    pub(super) fn change_row(&self, row: String, fields: BTreeMap<String, String>) -> Decided {
        let known = self.row(&row)?;
        if fields.is_empty() {
            return Err(self.refuse_at(Rule::Incomplete, &row, "no field is given", "Give what is to be otherwise."));
        }
        let mut after = known.fields.clone();
        after.extend(fields.clone());
        self.right_fields(known.register, &row, &after)?;
        if known.register == Register::Changes && !known.settled.is_empty() {
            return Err(self.refuse_at(Rule::NotNow, &row, "the change was decided as it was", "Ask for another."));
        }
        let told = self.told_of_risk(known.register, &row, Some(&known.fields), &after);
        let changed = Change::RowChanged { row, fields };
        Ok(std::iter::once(changed).chain(told).collect())
    }

    pub(super) fn settle_row(&self, row: String, verdict: Verdict, text: String) -> Decided {
        let known = self.row(&row)?;
        self.needed(&text, "how it is settled")?;
        let missing =
            |fields: &[&str]| fields.iter().copied().find(|field| known.field(field).is_none()).map(str::to_owned);
        let needs: &[&str] = match (known.register, verdict) {
            (Register::Changes, Verdict::Yes) => &["impact"],
            (Register::Policies, Verdict::Yes) => &["owner", "approved-by", "approved"],
            (Register::Applications, Verdict::Yes) => &["settings"],
            (Register::Benefits, Verdict::Yes) => &["baseline", "measured"],
            _ => &[],
        };
        if let Some(field) = missing(needs) {
            let what = format!("{field} is missing");
            return Err(self.refuse_at(Rule::Incomplete, &row, what, "Fill it in first."));
        }
        match known.register {
            Register::Changes => self.is_other(known)?,
            Register::Workshops if verdict == Verdict::Yes => self.has_no_gaps(&row)?,
            _ => {}
        }
        Ok(vec![Change::RowSettled { row, verdict, text }])
    }

    /// A change is approved by somebody who neither asked for it nor worded it.
    fn is_other(&self, row: &Row) -> Result<(), Refusal> {
        let writers = row.before.iter().map(|(_, said)| &said.who).chain([&row.added.who]);
        if writers.into_iter().any(|who| *who == self.doer.name) {
            let what = format!("{} asked for the change or worded it", self.doer.name);
            return Err(self.refuse_at(Rule::BothSides, &row.id, what, "Let somebody else decide it."));
        }
        Ok(())
    }

    fn has_no_gaps(&self, row: &str) -> Result<(), Refusal> {
        let gaps = gaps_in(&self.scope()?, self.facts);
        if gaps.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = gaps.iter().map(|gap| gap.task.as_str()).collect();
        let what = format!("{} tasks have no owner or no forecast: {}", gaps.len(), names.join(", "));
        Err(self.refuse_at(Rule::WorkshopGaps, row, what, "Give each an owner and a forecast."))
    }

    pub(super) fn withdraw_row(&self, row: String, why: String) -> Decided {
        self.row(&row)?;
        self.needed(&why, "why")?;
        Ok(vec![Change::RowWithdrawn { row, why }])
    }
}
