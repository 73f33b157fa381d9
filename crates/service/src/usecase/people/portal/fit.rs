//! What of a plan a portal takes as rows of a file, and what a person has to do there.
//!
//! Of an account that is there a row leaves only where it says something that the portal is not known to have: what its report says,
//! or, where that says nothing, what was last sent and done. What was sent once is not sent again because the portal made
//! something else of it. A cell that would only empty something is not sent: nobody knows what a portal makes of it.

use std::collections::{BTreeSet, HashMap};

use model::{Address, AddressKind, Entry, EntryKind, Reference, x500_key};
use people::{Conflict, Line, Member, ObjectId, Plan, Planned, origin};
use table::portal::{UploadForm, UploadRow as Row, UploadValue};
use table::{Action, Field};

use super::LastDone;
use crate::Error;
use crate::config::PortalEntry;
use crate::usecase::people::{Known, PeopleProject};

impl PeopleProject {
    /// The same plan, as far as the platform's portal takes it.
    pub(in crate::usecase::people) async fn fitted(&self, plan: Plan, known: &Known) -> Result<Plan, Error> {
        let Some(entry) = self.portal_entry() else { return Ok(plan) };
        let last = self.last_done().await?;
        let own = |id: &ObjectId| known.object(id).map(|object| &object.entry);
        let mark = |id: &ObjectId| origin(self.config.code.as_str(), &self.config.file.project, id);
        Ok(Fitting { entry, own: &own, mark: &mark, last: &last, as_of: known.as_of }.fit(plan))
    }
}

/// What a plan is fitted to.
struct Fitting<'f> {
    entry: &'f PortalEntry,
    own: &'f dyn Fn(&ObjectId) -> Option<&'f Entry>,
    mark: &'f dyn Fn(&ObjectId) -> String,
    last: &'f HashMap<ObjectId, LastDone>,
    as_of: Option<i64>,
}

/// What is to become of a line.
enum Fit {
    /// It is a row.
    Row,
    /// The portal has it, as far as is known.
    Known,
    /// A person has to do all of it.
    ByHand,
}

impl Fitting<'_> {
    fn fit(&self, mut plan: Plan) -> Plan {
        let mut by_hand = Vec::new();
        plan.lines.retain_mut(|line| {
            self.complete(line);
            let (fit, told) = match &mut line.planned {
                Planned::Create { entry, members, owners } => {
                    self.create(entry, !members.is_empty(), !owners.is_empty())
                }
                Planned::Update { .. } => self.update(line),
                Planned::Leave { before, .. } => self.leave(&line.object, before),
            };
            by_hand.extend(told.into_iter().map(|why| Conflict { object: line.object.clone(), why }));
            matches!(fit, Fit::Row)
        });
        plan.by_hand.extend(by_hand);
        plan
    }

    fn form(&self) -> &UploadForm {
        &self.entry.upload
    }

    fn has(&self, field: Field) -> bool {
        self.form().has(&UploadValue::Field(field))
    }

    /// Adds what only a portal asks for: whatever its columns take from the object's own directory. An account that was there before
    /// gains its X500 address, and nothing else.
    fn complete(&self, line: &mut Line) {
        let Some(own) = (self.own)(&line.object) else { return };
        let mark = (self.mark)(&line.object);
        let entry = match &mut line.planned {
            Planned::Create { entry, .. } => entry,
            Planned::Update { before, after, .. } if before.origin.as_ref() == Some(&mark) => after,
            Planned::Update { after, .. } => {
                // Not even as the portal has it.
                after.mobile = after.mobile.take().filter(|_| !own.hides_mobile);
                return;
            }
            Planned::Leave { .. } => return,
        };
        entry.hides_mobile = own.hides_mobile;
        for column in &self.form().columns {
            if let UploadValue::Other(name) = &column.value
                && let Some(values) = own.other.get(name)
            {
                entry.other.insert(name.clone(), values.clone());
            }
        }
    }

    fn create(&self, entry: &Entry, has_members: bool, has_owners: bool) -> (Fit, Vec<String>) {
        let name = format!("{} {}", entry.names.display.as_deref().unwrap_or_default(), mail_of(entry));
        let kind = entry.kind.name();
        if entry.kind != EntryKind::Person && !self.has(Field::Kind) {
            let why =
                format!("the portal's file has no column for what a row is: make the {kind} {} there", name.trim());
            return (Fit::ByHand, vec![why]);
        }
        for (is_needed, field, what) in
            [(has_owners, Field::Owners, "owners"), (has_members, Field::Members, "members")]
        {
            if is_needed && !self.has(field) {
                let why = format!("the portal's file has no column for {what}: make the {kind} {} there", name.trim());
                return (Fit::ByHand, vec![why]);
            }
        }
        let mut told = Vec::new();
        if let Some(bytes) = entry.quota_bytes.filter(|_| !self.has(Field::Quota)) {
            told.push(format!("set the quota of {} to {}", name.trim(), report::bytes(bytes)));
        }
        if entry.is_hidden && !self.has(Field::IsHidden) {
            told.push(format!("hide {} from address books", name.trim()));
        }
        told.extend(self.addresses_by_hand(&x500(entry), legacy_dn(entry).as_deref(), name.trim()));
        (Fit::Row, told)
    }

    /// X500 addresses that no column bears: old replies would not arrive.
    fn addresses_by_hand(&self, new: &[&Address], borne: Option<&str>, name: &str) -> Vec<String> {
        if self.has(Field::Addresses) {
            return Vec::new();
        }
        let borne = borne.filter(|_| self.has(Field::LegacyDn)).map(x500_key);
        let left = new.iter().filter(|address| Some(x500_key(&address.text)) != borne);
        left.map(|address| format!("give {name} the address {address}")).collect()
    }

    fn update(&self, line: &mut Line) -> (Fit, Vec<String>) {
        let last = self.last.get(&line.object);
        let id = line.object.clone();
        let Planned::Update { before, after, members, owners, leaving, fields } = &mut line.planned else {
            return (Fit::Row, Vec::new());
        };
        let last = last.filter(|last| last.account == before.key);
        let sent_dn = last.and_then(|last| last.row.entry.legacy_dn.clone());
        let name = format!("{} {}", after.label(), mail_of(after)).trim().to_owned();
        let mut told = Vec::new();
        // The portal has one legacyExchangeDN of an account. What was sent stays in that column: whatever comes besides is by hand.
        let sent_dn = sent_dn.filter(|dn| after.x500_keys().contains(&x500_key(dn)));
        let known: BTreeSet<String> = before.x500_keys().into_iter().chain(sent_dn.as_deref().map(x500_key)).collect();
        let new: Vec<Address> =
            x500(after).into_iter().filter(|address| !known.contains(&x500_key(&address.text))).cloned().collect();
        let borne = sent_dn.or_else(|| new.first().map(|address| address.text.clone()));
        told.extend(self.addresses_by_hand(&new.iter().collect::<Vec<_>>(), borne.as_deref(), &name));
        after.legacy_dn = borne.or_else(|| before.legacy_dn.clone());
        let (wanted, there) = (row(Action::Update, before, after), row(Action::Update, before, before));
        let mut differing = Vec::new();
        for column in &self.form().columns {
            if matches!(column.value, UploadValue::Id | UploadValue::Connector | UploadValue::Empty)
                || matches!(
                    column.value,
                    UploadValue::Field(Field::Action | Field::State | Field::Members | Field::Owners)
                )
            {
                continue;
            }
            let text = |row: &Row| column.text(&self.entry.connector, row).trim().to_owned();
            let (wanted, there) = (text(&wanted), text(&there));
            let is_known = wanted == there || last.is_some_and(|last| text(&last.row) == wanted);
            if !wanted.is_empty() && !is_known {
                differing.push(column.heading.clone());
            }
        }
        // An account of somebody who has left is never passed over.
        let is_on_its_way = last.is_some_and(|last| {
            let is_it = self.has(Field::State) && !last.row.keeps_state && last.row.entry.state == after.state;
            is_it && self.as_of.is_none_or(|as_of| as_of <= last.at)
        });
        if before.state != after.state && !is_on_its_way {
            if self.has(Field::State) {
                differing.push("state".to_owned());
            } else {
                told.push(format!(
                    "make the account of {name} {}: it is {} there",
                    after.state.name(),
                    before.state.name()
                ));
                after.state = before.state;
            }
        }
        let new_members = unsent(members, last.map(|last| last.row.entry.members.as_slice())) + leaving.len();
        let new_owners = unsent(owners, last.map(|last| last.row.entry.owners.as_slice()));
        for (count, field, what) in [(new_members, Field::Members, "members"), (new_owners, Field::Owners, "owners")] {
            if count > 0 && self.has(field) {
                differing.push(what.to_owned());
            } else if count > 0 {
                told.push(format!("bring the {what} of {name} into step: people show {id}"));
            }
        }
        *fields = differing;
        (if fields.is_empty() { Fit::Known } else { Fit::Row }, told)
    }

    fn leave(&self, id: &ObjectId, before: &Entry) -> (Fit, Vec<String>) {
        let last = self.last.get(id).filter(|last| last.leaves && last.account == before.key);
        // The report is older than the portal's word that it was done.
        if last.is_some_and(|last| self.as_of.is_none_or(|as_of| as_of <= last.at)) {
            return (Fit::Known, Vec::new());
        }
        if self.has(Field::Action) {
            return (Fit::Row, Vec::new());
        }
        let why = format!(
            "the portal's file has no column for what is to be done: mark {} as a leaver there",
            before.label()
        );
        (Fit::ByHand, vec![why])
    }
}

/// How many of these the last row did not have: a report seldom tells who is in a list. Whose account is not made yet comes later.
fn unsent(wanted: &[Member], sent: Option<&[Reference]>) -> usize {
    let sent: BTreeSet<&str> = sent.into_iter().flatten().map(Reference::text).collect();
    let is_new = |member: &&Member| match member {
        Member::Account(text) | Member::Outside(text) => !sent.contains(text.as_str()),
        Member::Object(_) => false,
    };
    wanted.iter().filter(is_new).count()
}

fn mail_of(entry: &Entry) -> String {
    entry.mail.as_deref().map(|mail| format!("({mail})")).unwrap_or_default()
}

fn x500(entry: &Entry) -> Vec<&Address> {
    entry.addresses.iter().filter(|address| address.kind == AddressKind::X500).collect()
}

/// What stands in the column for the legacyExchangeDN.
fn legacy_dn(entry: &Entry) -> Option<String> {
    entry.legacy_dn.clone().or_else(|| x500(entry).first().map(|address| address.text.clone()))
}

/// The row of an account that is there: what it is to be, and the portal's number of it.
pub(super) fn row(action: Action, before: &Entry, after: &Entry) -> Row {
    // A report without a column of keys is by local ids: these are no numbers of the portal's.
    let id = (before.local_id.as_ref() != Some(&before.key)).then(|| before.key.clone());
    // What the report says of its state may be old by now.
    let keeps_state = before.state == after.state;
    Row { action, id, keeps_state, entry: Entry { legacy_dn: legacy_dn(after), ..after.clone() } }
}

/// The row of an account that is to be made.
pub(super) fn new_row(entry: &Entry) -> Row {
    Row {
        action: Action::Create,
        id: None,
        keeps_state: false,
        entry: Entry { legacy_dn: legacy_dn(entry), ..entry.clone() },
    }
}
