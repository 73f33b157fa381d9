//! `collection vip`: who is to be watched closely and never moves first.

use std::collections::HashMap;

use report::{Cell, Column, Document, Kind, Table, Weight};
use serde::Serialize;
use serde_json::json;
use store::Object;

use super::choose::{Choice, Mistakes};
use super::forecast::Outlook;
use super::standing::outlook_text;
use crate::usecase::report::Heading;
use crate::usecase::report::shown::{sentence, text, text_if};
use crate::{Error, Project, Selection};

/// What came of naming VIPs.
#[derive(Clone, Debug, Serialize)]
pub struct VipReport {
    /// What was done: `named`, `taken back`.
    pub done: &'static str,
    /// Of how many.
    pub count: u64,
    /// Those who are in the collection that starts first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
}

/// A VIP. Times are seconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub struct VipLine {
    /// Their mailbox, by its name at the source.
    pub mailbox: String,
    /// What people call them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The collection that they are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// It is the first to start.
    pub is_first: bool,
    /// Their date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<i64>,
    /// That, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_text: Option<String>,
    /// How far their mailbox is.
    pub phase: model::Phase,
    /// Running, waiting or parked.
    pub condition: String,
    /// What it waits for, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<super::Wait>,
    /// Whether it will be in step before its date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlook: Option<Outlook>,
    /// That, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlook_text: Option<String>,
    /// Items that failed without anybody's word.
    pub failed_items: u64,
    /// Who says that they are one.
    pub named_by: String,
    /// Why.
    pub reason: String,
    /// When that was said.
    pub at: i64,
}

/// The VIPs of a project.
#[derive(Clone, Debug, Serialize)]
pub struct VipList {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// Each.
    pub vips: Vec<VipLine>,
}

impl Project {
    /// Names VIPs, in somebody's name and for a reason.
    pub async fn add_vips(&self, mailboxes: &[String], by: Option<&str>, reason: &str) -> Result<VipReport, Error> {
        self.may_migrate()?;
        let reason = reason.trim();
        if reason.is_empty() {
            let error = Error::refused("R-130", "somebody is a VIP for a reason");
            return Err(error.advise("give --reason TEXT; nothing was changed"));
        }
        let by = by.map(str::trim).filter(|by| !by.is_empty()).unwrap_or(&self.actor.name);
        let (numbers, names) = self.named_mailboxes(mailboxes).await?;
        self.audit_names("vip.named", &names, &json!({ "by": by, "reason": reason })).await?;
        let count = self.store.add_vips(self.key, &numbers, by, reason).await?;
        let standing = self.standing(false).await?;
        let first = standing.vips_first();
        let first = numbers.iter().filter(|number| first.contains(number));
        let first = first.map(|number| standing.name_of(&Object::Mailbox(*number))).collect();
        Ok(VipReport { done: "named", count, first })
    }

    /// Takes it back that somebody is a VIP.
    pub async fn remove_vips(
        &self,
        mailboxes: &[String],
        by: Option<&str>,
        reason: Option<&str>,
    ) -> Result<VipReport, Error> {
        self.may_migrate()?;
        let (numbers, names) = self.named_mailboxes(mailboxes).await?;
        let known = self.store.vips(self.key).await?;
        let mut mistakes = Mistakes::new();
        for (number, name) in numbers.iter().zip(&names) {
            match known.iter().find(|row| row.mailbox == *number) {
                None => mistakes.add(format!("{name} is no VIP")),
                Some(row) if row.by_file => {
                    mistakes.add(format!("{name} is a VIP by {}: correct it there", crate::PEOPLE_FILE));
                }
                Some(_) => {}
            }
        }
        mistakes.refuse(None, "see whimbrel collection vip list")?;
        self.audit_names("vip.taken-back", &names, &json!({ "by": by, "reason": reason })).await?;
        let count = self.store.remove_vips(self.key, &numbers).await?;
        Ok(VipReport { done: "taken back", count, first: Vec::new() })
    }

    async fn named_mailboxes(&self, mailboxes: &[String]) -> Result<(Vec<i64>, Vec<String>), Error> {
        let standing = self.standing(false).await?;
        let chosen = self.choose(&standing, &Choice { mailboxes: mailboxes.to_vec(), ..Choice::default() }).await?;
        let numbers = chosen.objects.iter().filter_map(|object| match object {
            Object::Mailbox(number) => Some(*number),
            Object::List(..) => None,
        });
        let numbers: Vec<i64> = numbers.collect();
        let names = numbers.iter().map(|number| standing.name_of(&Object::Mailbox(*number))).collect();
        Ok((numbers, names))
    }

    /// The VIPs, where each stands, and whether they will be in time.
    pub async fn vips(&self) -> Result<VipList, Error> {
        let standing = self.standing(false).await?;
        let first = standing.vips_first();
        let (mut vips, mut expected) = (Vec::new(), HashMap::new());
        for row in standing.mailboxes.iter().filter(|row| standing.vips.contains_key(&row.mailbox)) {
            let named = &standing.vips[&row.mailbox];
            let collection = standing.facts(row.mailbox).member_of.and_then(|number| standing.collection(number));
            let outlook = collection.and_then(|collection| {
                let number = collection.collection;
                let of = || (standing.status(collection).expected, standing.left_of(number));
                let (expected, left) = expected.entry(number).or_insert_with(of);
                standing.outlook_of(row, expected, *left)
            });
            let date = standing.date(row.mailbox);
            vips.push(VipLine {
                mailbox: row.roster.source_name.clone(),
                name: row.roster.name.clone(),
                collection: collection.map(|row| row.is.name.clone()),
                is_first: first.contains(&row.mailbox),
                date: date.map(|ms| ms / 1000),
                date_text: date.map(|ms| standing.shown(ms)),
                phase: row.state.phase,
                condition: row.state.condition.name().to_owned(),
                waits: standing.wait(row),
                outlook: outlook.map(|(outlook, _)| outlook),
                outlook_text: outlook.map(|(outlook, by)| outlook_text(outlook, by, false)),
                failed_items: standing.failed.get(&row.mailbox).copied().unwrap_or_default(),
                named_by: named.named_by.clone(),
                reason: named.reason.clone(),
                at: named.at / 1000,
            });
        }
        Ok(VipList { heading: self.report_heading(&Selection::default()), vips })
    }
}

impl VipList {
    /// As a document.
    pub fn document(&self) -> Document {
        let mut document = self.heading.document("VIPs");
        let first: Vec<&str> = self
            .vips
            .iter()
            .filter(|vip| vip.is_first)
            .map(|vip| vip.name.as_ref().unwrap_or(&vip.mailbox).as_str())
            .collect();
        if !first.is_empty() {
            let what = format!("In the collection that starts first: {}.", first.join(", "));
            document.sentences.push(sentence(Weight::Attention, what));
        }
        let stuck = self.vips.iter().filter(|vip| vip.condition == "parked" || vip.outlook == Some(Outlook::WillMiss));
        for vip in stuck {
            let why = vip.waits.as_ref().map(|waits| waits.text.as_str()).or(vip.outlook_text.as_deref());
            let what = format!("{}: {}.", vip.name.as_ref().unwrap_or(&vip.mailbox), why.unwrap_or("needs a person"));
            document.sentences.push(sentence(Weight::Alert, what));
        }
        let columns = vec![
            Column::new("Name", Kind::Text),
            Column::new("Mailbox", Kind::Text),
            Column::new("Collection", Kind::Text),
            Column::if_any("Date", Kind::Text),
            Column::new("State", Kind::Text),
            Column::if_any("Waits for", Kind::Prose),
            Column::if_any("In time", Kind::Text),
            Column::if_any("Failed items", Kind::Number),
            Column::new("Named by", Kind::Text),
            Column::new("Because", Kind::Prose),
        ];
        let row = |vip: &VipLine| {
            vec![
                text_if(vip.name.as_ref()),
                text(&vip.mailbox),
                text_if(vip.collection.as_ref()),
                text_if(vip.date_text.as_ref()),
                text(vip.phase.name()),
                text_if(vip.waits.as_ref().map(|waits| &waits.text)),
                text_if(vip.outlook_text.as_ref()),
                Cell::Number(vip.failed_items),
                text(&vip.named_by),
                text(&vip.reason),
            ]
        };
        document.tables.push(Table {
            name: "vips",
            title: "VIPs".to_owned(),
            columns,
            rows: self.vips.iter().map(row).collect(),
            total: None,
            empty: "Nobody is a VIP.",
        });
        document.main = "vips";
        document
    }
}
