//! The plan: what is to be made on the platform, as a list that is approved as it stands and then carried out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{AccountState, Address, AddressKind, Digest, Entry, EntryKind, Reference, x500_key};
use serde::{Deserialize, Serialize};

use crate::naming::Naming;
use crate::scope::{Index, place_parts};
use crate::{Class, Object, ObjectId, PeopleRules, Reconciliation, origin};

/// A member or owner of what is planned, as far as it is known who that is on the platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Member {
    /// This account.
    Account(String),
    /// The account that is made for this object.
    Object(ObjectId),
    /// Somebody outside, by their mail address.
    Outside(String),
}

/// What is to be done for an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Planned {
    /// An account, list or contact is made.
    Create {
        /// What it is to be; its key is not known yet, its members and owners stand apart.
        entry: Box<Entry>,
        /// Who is in it.
        members: Vec<Member>,
        /// Who answers for it.
        owners: Vec<Member>,
    },
    /// An account changes.
    Update {
        /// What it is.
        before: Box<Entry>,
        /// What it is to be; its members and owners stand apart.
        after: Box<Entry>,
        /// Who is to be in it besides who is.
        members: Vec<Member>,
        /// Who is to answer for it besides who does.
        owners: Vec<Member>,
        /// Who is in it and is not to be any more, as it stands there.
        leaving: Vec<Reference>,
        /// What changes, in words.
        fields: Vec<String>,
    },
    /// An account's person has left.
    Leave {
        /// What it is.
        before: Box<Entry>,
        /// What it is to be.
        after: Box<Entry>,
    },
}

/// A line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// For which object.
    pub object: ObjectId,
    /// What is done.
    pub planned: Planned,
}

impl Line {
    /// Does it make an account, a list or a contact?
    fn makes(&self) -> bool {
        matches!(self.planned, Planned::Create { .. })
    }
}

/// An object for which nothing can be planned, with the reason and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Which.
    pub object: ObjectId,
    /// Why.
    pub why: String,
}

/// A member, owner or grantee that is nobody on the platform, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmapped {
    /// Of which object.
    pub object: ObjectId,
    /// What stands there.
    pub reference: Reference,
    /// Why it stands for nobody.
    pub why: String,
}

/// What a plan comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// How many of what are made, by kind.
    pub created: BTreeMap<String, usize>,
    /// Accounts that change.
    pub updated: usize,
    /// Of these: accounts that are switched off, since they are at the source.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disabled: usize,
    /// Accounts whose person has left.
    pub left: usize,
    /// Accounts that the platform counts as registered: people and systems.
    pub registrations: usize,
    /// How many the platform allows; none: no limit.
    pub registrations_max: Option<u32>,
    /// How many of these are used.
    pub registrations_used: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Cost {
    /// What these lines come to, within the same limit.
    fn of(self, lines: &[Line]) -> Self {
        let Self { registrations_max, registrations_used, .. } = self;
        let mut cost = Self { registrations_max, registrations_used, ..Self::default() };
        for line in lines {
            match &line.planned {
                Planned::Create { entry, .. } => {
                    *cost.created.entry(entry.kind.name().to_owned()).or_default() += 1;
                    cost.registrations += usize::from(entry.kind.is_registered());
                }
                Planned::Update { before, after, .. } => {
                    cost.updated += 1;
                    let is_off = before.state != after.state && after.state == AccountState::Disabled;
                    cost.disabled += usize::from(is_off);
                }
                Planned::Leave { .. } => cost.left += 1,
            }
        }
        cost
    }

    /// Does the plan stay within the limit?
    pub fn fits(&self) -> bool {
        self.registrations_max.is_none_or(|max| {
            self.registrations == 0 || self.registrations as u64 + u64::from(self.registrations_used) <= u64::from(max)
        })
    }
}

/// What is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Each change, in the order in which it is made.
    pub lines: Vec<Line>,
    /// What can't be planned.
    pub conflicts: Vec<Conflict>,
    /// What a person has to do on the platform, since it takes it in no other way.
    pub by_hand: Vec<Conflict>,
    /// Who in lists is nobody on the platform.
    pub unmapped: Vec<Unmapped>,
    /// What it comes to.
    pub cost: Cost,
}

impl Plan {
    /// Keeps those of its lines that are chosen, and of these those that need nobody whose account is not made by then.
    pub fn keep(&mut self, mut is_chosen: impl FnMut(&Line) -> bool) {
        let planned: HashSet<ObjectId> = self.lines.iter().map(|line| line.object.clone()).collect();
        self.lines.retain(|line| is_chosen(line));
        loop {
            let kept: HashSet<ObjectId> = self.lines.iter().map(|line| line.object.clone()).collect();
            let is_complete = |line: &Line| line.planned.needs().all(|id| kept.contains(id) || !planned.contains(id));
            let before = self.lines.len();
            self.lines.retain(is_complete);
            if self.lines.len() == before {
                break;
            }
        }
        self.cost = std::mem::take(&mut self.cost).of(&self.lines);
    }

    /// Of all its lines and its cost: what is approved.
    pub fn digest(&self) -> Digest {
        let text = serde_json::to_string(&(&self.lines, &self.cost)).unwrap_or_default();
        Digest::of(text.as_bytes())
    }
}

/// What a plan is made of.
pub struct Planning<'p> {
    /// Every object of the organisation.
    pub objects: &'p [Object],
    /// Their classes.
    pub reconciliation: &'p Reconciliation,
    /// Every account of the platform.
    pub accounts: &'p [Entry],
    /// Objects that are gone from their directory, which an account was made for: leavers.
    pub gone: &'p [ObjectId],
    /// Keys of accounts that this program recorded as made, by the object they were made for.
    pub made: &'p HashMap<ObjectId, String>,
    /// Objects whose accounts a plan has switched off and that nobody has switched on since, with what they were before.
    pub switched_off: &'p HashMap<ObjectId, AccountState>,
    /// Keys of accounts that this program put into a list or shared mailbox, by the object that this was made for.
    pub put_in: &'p HashMap<ObjectId, BTreeSet<String>>,
    /// Objects without an account that came after the cut-off date: they have a queue of their own.
    pub joiners: &'p [ObjectId],
    /// The platform's rules.
    pub rules: &'p PeopleRules,
    /// The organisation's name among people.
    pub organisation: &'p str,
    /// Its code.
    pub code: &'p str,
    /// The project's name.
    pub project: &'p str,
    /// What its shared mailboxes and lists begin with.
    pub short_name: &'p str,
    /// The platform's domain.
    pub domain: &'p str,
    /// Further addresses that may not be given: of accounts that are no more.
    pub reserved: &'p [String],
    /// Whether what is made can be used at once.
    pub makes_live: bool,
    /// Objects whose accounts can be used at once wherever they are made: those of files that were handed in, each with its
    /// recorded reason why it may be without a forwarder.
    pub live: &'p [ObjectId],
    /// Accounts that count as registered already.
    pub registrations_used: u32,
}

/// The platform's accounts, by what they are looked up by.
struct Platform<'p> {
    by_key: HashMap<&'p str, &'p Entry>,
    by_mail: HashMap<String, Vec<&'p str>>,
    by_place: HashMap<Vec<String>, &'p str>,
    /// Accounts that are somebody's.
    owned: HashSet<&'p str>,
    /// The marks of objects that are gone.
    marks_of_gone: HashSet<String>,
}

impl<'p> Platform<'p> {
    fn of(planning: &Planning<'p>) -> Self {
        let mut by_mail: HashMap<String, Vec<&str>> = HashMap::new();
        for account in planning.accounts {
            account.mail_keys().into_iter().for_each(|mail| by_mail.entry(mail).or_default().push(&account.key));
        }
        let place = |entry: &'p Entry| Some((place_parts(entry.place.as_deref()?), entry.key.as_str()));
        let rows = || planning.reconciliation.rows.iter();
        Self {
            by_key: planning.accounts.iter().map(|entry| (entry.key.as_str(), entry)).collect(),
            by_mail,
            by_place: planning.accounts.iter().filter_map(place).collect(),
            owned: rows().filter_map(|row| row.matched.account()).collect(),
            marks_of_gone: planning.gone.iter().map(|id| origin(planning.code, planning.project, id)).collect(),
        }
    }

    /// The key of the account that a member of a list of the platform is.
    fn key(&self, there: &Reference) -> Option<&'p str> {
        match there {
            Reference::Key(key) => self.by_key.get_key_value(key.as_str()).map(|(key, _)| *key),
            Reference::Place(place) => self.by_place.get(&place_parts(place)).copied(),
            _ => None,
        }
    }

    /// Members that are to be added: those that are not there.
    fn missing(&self, wanted: Vec<Member>, there: &[Reference]) -> Vec<Member> {
        let keys: HashSet<&str> = there
            .iter()
            .filter_map(|there| match there {
                Reference::Key(key) => Some(key.as_str()),
                there => self.key(there),
            })
            .collect();
        // Somebody outside is there by their address, or as the entry that has it.
        let named = |there: &Reference| match there {
            Reference::Mail(mail) => vec![model::mail_key(mail)],
            there => self.key(there).map(|key| self.by_key[key].mail_keys()).unwrap_or_default(),
        };
        let mail: HashSet<String> = there.iter().flat_map(named).collect();
        let is_there = |member: &Member| match member {
            Member::Account(key) => keys.contains(key.as_str()),
            Member::Object(_) => false,
            Member::Outside(outside) => mail.contains(&model::mail_key(outside)),
        };
        wanted.into_iter().filter(|member| !is_there(member)).collect()
    }
}

/// Accounts and shared mailboxes before lists, whose members they are.
fn order(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Person => 0,
        EntryKind::System => 1,
        EntryKind::Shared | EntryKind::Room | EntryKind::Equipment => 2,
        EntryKind::Contact => 3,
        EntryKind::List => 4,
    }
}

impl Planning<'_> {
    /// The plan. The same each time it is made of the same.
    pub fn plan(&self) -> Plan {
        let known = Platform::of(self);
        let taken = self.accounts.iter().flat_map(Entry::mail_keys).chain(self.reserved.iter().cloned());
        let mut naming = Naming::new(self.rules, self.organisation, self.short_name, self.domain, taken);
        let mut plan = Plan {
            lines: Vec::new(),
            conflicts: Vec::new(),
            by_hand: Vec::new(),
            unmapped: Vec::new(),
            cost: Cost::default(),
        };
        let mut objects: Vec<&Object> = self.objects.iter().collect();
        objects.sort_by(|a, b| (order(a.entry.kind), &a.id).cmp(&(order(b.entry.kind), &b.id)));
        let index = Index::of(self.objects);
        let joiners: HashSet<&ObjectId> = self.joiners.iter().collect();
        for object in objects {
            let Some(row) = self.reconciliation.row(&object.id) else { continue };
            let line = match &row.class {
                Class::New if joiners.contains(&object.id) => continue,
                Class::New => self.create(object, &mut naming),
                Class::Existing { account } => Ok(self.update(object, known.by_key[account.as_str()], &naming, &known)),
                // Whose account was switched off and who was put among the leavers, as directories do it.
                Class::Excluded { .. } | Class::Archived { .. } if has_left(&object.entry) => {
                    self.leave(&object.id, &known, &mut plan);
                    continue;
                }
                Class::Excluded { .. } | Class::Archived { .. } | Class::Unresolved(_) | Class::Incomplete(_) => {
                    continue;
                }
            };
            match line {
                Err(why) => plan.conflicts.push(Conflict { object: object.id.clone(), why }),
                Ok(planned) => self.add(object, planned, &index, &known, &mut plan),
            }
        }
        for gone in self.gone {
            self.leave(gone, &known, &mut plan);
        }
        self.drop_unplanned(&mut plan);
        plan.lines = members_first(plan.lines);
        plan.cost = self.cost(&plan.lines);
        plan
    }

    /// Takes out members and owners who get no account by this plan, and says so; then what has nobody to answer for it, and what
    /// changes nothing.
    fn drop_unplanned(&self, plan: &mut Plan) {
        loop {
            let made: HashSet<ObjectId> =
                plan.lines.iter().filter(|line| line.makes()).map(|line| line.object.clone()).collect();
            let (mut unmapped, mut ownerless) = (Vec::new(), Vec::new());
            for Line { object, planned } in &mut plan.lines {
                let (Planned::Create { members, owners, .. } | Planned::Update { members, owners, .. }) = planned
                else {
                    continue;
                };
                for all in [&mut *members, &mut *owners] {
                    all.retain(|member| match member {
                        Member::Object(id) if !made.contains(id) => {
                            let why = if self.joiners.contains(id) {
                                "it came after the cut-off date: people tasks".to_owned()
                            } else {
                                "nothing can be planned for it: see the conflicts".to_owned()
                            };
                            let reference = Reference::Key(id.key.clone());
                            unmapped.push(Unmapped { object: object.clone(), reference, why });
                            false
                        }
                        _ => true,
                    });
                }
                if owners.is_empty() && matches!(planned, Planned::Create { entry, .. } if entry.kind.needs_owner()) {
                    ownerless.push(object.clone());
                }
            }
            plan.unmapped.extend(unmapped);
            plan.lines.retain(|line| !ownerless.contains(&line.object));
            if ownerless.is_empty() {
                break;
            }
            let why = "nobody who answers for it is on the platform, or is planned to be".to_owned();
            plan.conflicts.extend(ownerless.into_iter().map(|object| Conflict { object, why: why.clone() }));
        }
        plan.lines.retain_mut(|line| {
            let Planned::Update { members, owners, leaving, fields, .. } = &mut line.planned else { return true };
            for (count, what) in [(leaving.len(), "members less"), (members.len(), "members"), (owners.len(), "owners")]
            {
                fields.extend((count > 0).then(|| format!("{count} {what}")));
            }
            !fields.is_empty()
        });
    }

    /// Of a plan, what these are about: the same lines, and what they come to.
    pub fn part(&self, mut plan: Plan, is_part: impl Fn(&Line) -> bool, of: &dyn Fn(&ObjectId) -> bool) -> Plan {
        plan.lines.retain(|line| of(&line.object) && is_part(line));
        plan.conflicts.retain(|conflict| of(&conflict.object));
        plan.by_hand.retain(|by_hand| of(&by_hand.object));
        plan.unmapped.retain(|unmapped| of(&unmapped.object));
        plan.cost = self.cost(&plan.lines);
        plan
    }

    fn create(&self, object: &Object, naming: &mut Naming<'_>) -> Result<Planned, String> {
        let own = &object.entry;
        let mut entry = Entry::new("", own.kind);
        entry.names = own.names.clone();
        entry.names.display = Some(naming.display(own).map_err(|error| error.0)?);
        if own.kind == EntryKind::Contact {
            let outside = own.routed_to.as_deref().or(own.mail.as_deref()).map(mail_of);
            entry.mail = Some(outside.ok_or("a contact without a mail address")?);
            entry.routed_to.clone_from(&entry.mail);
        } else {
            let address = naming.address(own).map_err(|error| error.0)?;
            entry.addresses.push(Address { kind: AddressKind::Smtp, is_primary: true, text: address.clone() });
            entry.mail = Some(address);
            entry.has_mailbox = own.kind.holds_mail();
        }
        entry.addresses.extend(old_names(own));
        entry.organisation = Some(self.code.to_owned());
        entry.origin = Some(origin(self.code, self.project, &object.id));
        entry.local_id.clone_from(&own.local_id);
        entry.quota_bytes = own.quota_bytes;
        entry.is_hidden = own.is_hidden;
        let is_account = own.kind.holds_mail();
        if self.makes_live && is_account && has_left(own) {
            return Err("it is switched off at the source, and the platform makes accounts live at once".to_owned());
        }
        let is_live = (self.makes_live || self.live.contains(&object.id)) && !has_left(own);
        entry.state = if is_account && !is_live { AccountState::Pending } else { AccountState::Active };
        follow(&mut entry, own);
        Ok(Planned::Create { entry: Box::new(entry), members: Vec::new(), owners: Vec::new() })
    }

    /// An account that is there gains what old replies are sent to; one that was made by us follows its object, too. One that
    /// was made for an object that is gone, and is this one's now, bears its mark from then on.
    fn update(&self, object: &Object, account: &Entry, naming: &Naming<'_>, known: &Platform<'_>) -> Planned {
        let mut after = account.clone();
        let old: Vec<String> = account.x500_keys();
        after
            .addresses
            .extend(old_names(&object.entry).into_iter().filter(|name| !old.contains(&x500_key(&name.text))));
        if account.origin.as_deref() == Some(&origin(self.code, self.project, &object.id)) {
            let display = naming.display(&object.entry).ok();
            after.names = object.entry.names.clone();
            after.names.display = display.or_else(|| account.names.display.clone());
            after.local_id.clone_from(&object.entry.local_id);
            after.is_hidden = object.entry.is_hidden;
            // What was bought for an account stays.
            after.quota_bytes = object.entry.quota_bytes.max(account.quota_bytes);
            after.state = self.state(object, account);
            follow(&mut after, &object.entry);
        } else if account.origin.as_deref().is_some_and(|mark| known.marks_of_gone.contains(mark)) {
            after.origin = Some(origin(self.code, self.project, &object.id));
        }
        let fields = differences(account, &after);
        Planned::Update {
            before: Box::new(account.clone()),
            after: Box::new(after),
            members: Vec::new(),
            owners: Vec::new(),
            leaving: Vec::new(),
            fields,
        }
    }

    /// Whether an account that was made can be used: it is switched off when it is at the source, and on again when a plan had
    /// switched it off.
    fn state(&self, object: &Object, account: &Entry) -> AccountState {
        let (has_left, was) = (has_left(&object.entry), self.switched_off.get(&object.id));
        match (account.state, was) {
            (AccountState::Active | AccountState::Pending | AccountState::Locked, _) if has_left => {
                AccountState::Disabled
            }
            (AccountState::Disabled, Some(was)) if !has_left => *was,
            (state, _) => state,
        }
    }

    /// Adds a line with its members and owners.
    fn add(&self, object: &Object, mut planned: Planned, index: &Index<'_>, known: &Platform<'_>, plan: &mut Plan) {
        let is_ours = match &planned {
            Planned::Create { .. } => true,
            Planned::Update { before, .. } => {
                before.origin.as_deref() == Some(&origin(self.code, self.project, &object.id))
            }
            Planned::Leave { .. } => false,
        };
        if is_ours {
            let wanted_members = self.members(object, &object.entry.members, index, known, plan);
            let wanted_owners = self.members(object, &object.entry.owners, index, known, plan);
            let (is_list, max) = (object.entry.kind == EntryKind::List, self.rules);
            for (count, max, what) in [
                (wanted_owners.len(), max.owners_max, "owners"),
                (if is_list { 0 } else { wanted_members.len() }, max.members_max, "members"),
            ] {
                if count > max {
                    let why = format!("it has {count} {what}, and the platform takes {max}");
                    plan.conflicts.push(Conflict { object: object.id.clone(), why });
                    return;
                }
            }
            match &mut planned {
                Planned::Create { members, owners, .. } => (*members, *owners) = (wanted_members, wanted_owners),
                Planned::Update { before, members, owners, leaving, .. } => {
                    let unknown = object.entry.members.iter().find(|member| is_unknown(object, member, index));
                    *leaving = self.leaving(object, (&wanted_members, unknown), &before.members, known, plan);
                    *members = known.missing(wanted_members, &before.members);
                    *owners = known.missing(wanted_owners, &before.owners);
                }
                Planned::Leave { .. } => {}
            }
        }
        plan.lines.push(Line { object: object.id.clone(), planned });
    }

    /// Members that are not to be there any more: those that this program put there, and that are somebody's of the
    /// organisation who is not in the list any more. Whom others have put there stays, and is told where it is one of ours. Where
    /// it is not known who a member of the organisation's list is, it may be any of them: nobody leaves, and each is told.
    fn leaving(
        &self,
        object: &Object,
        (wanted, unknown): (&[Member], Option<&Reference>),
        there: &[Reference],
        known: &Platform<'_>,
        plan: &mut Plan,
    ) -> Vec<Reference> {
        let wanted: HashSet<&str> = wanted
            .iter()
            .filter_map(|member| match member {
                Member::Account(key) => Some(key.as_str()),
                Member::Object(_) | Member::Outside(_) => None,
            })
            .collect();
        let put_in = self.put_in.get(&object.id);
        let mut leaving = Vec::new();
        for reference in there {
            let Some(key) = known.key(reference).filter(|key| known.owned.contains(key) && !wanted.contains(key))
            else {
                continue;
            };
            let is_put_in = put_in.is_some_and(|put_in| put_in.contains(key));
            let why = match unknown {
                None if is_put_in => {
                    leaving.push(reference.clone());
                    continue;
                }
                Some(unknown) if is_put_in => {
                    let unknown = unknown.text();
                    format!(
                        "it may be {unknown} of the organisation's own list, whom nobody knows: it stays until that is corrected"
                    )
                }
                _ => "it is not in the organisation's own list, and others put it there: it stays".to_owned(),
            };
            plan.unmapped.push(Unmapped { object: object.id.clone(), reference: reference.clone(), why });
        }
        leaving
    }

    /// Who these are on the platform.
    fn members(
        &self,
        object: &Object,
        references: &[Reference],
        index: &Index<'_>,
        known: &Platform<'_>,
        plan: &mut Plan,
    ) -> Vec<Member> {
        let mut members = Vec::new();
        for reference in references {
            let found = index.find(&object.id.directory, reference);
            let member = match (found, reference) {
                (Some(found), _) => self.member(found, known),
                (None, Reference::Mail(mail)) if index.is_of_several(mail) => {
                    Err("several have this address".to_owned())
                }
                (None, Reference::Mail(mail)) => Ok(Member::Outside(mail.clone())),
                (None, _) => Err("it is not in the directories that were read".to_owned()),
            };
            match member {
                Ok(member) => members.push(member),
                Err(why) => {
                    plan.unmapped.push(Unmapped { object: object.id.clone(), reference: reference.clone(), why });
                }
            }
        }
        members.sort();
        members.dedup();
        members
    }

    fn member(&self, object: &Object, known: &Platform<'_>) -> Result<Member, String> {
        match self.reconciliation.row(&object.id).map(|row| &row.class) {
            Some(Class::Existing { account }) => Ok(Member::Account(account.clone())),
            Some(Class::New) => Ok(Member::Object(object.id.clone())),
            Some(Class::Excluded { .. }) => match (object.entry.kind, &object.entry.mail) {
                (EntryKind::Contact, Some(mail)) => {
                    let there = known.by_mail.get(&model::mail_key(mail)).map(Vec::as_slice);
                    Ok(match there {
                        Some([key]) => Member::Account((*key).to_owned()),
                        _ => Member::Outside(mail.clone()),
                    })
                }
                _ => Err(format!("{} does not move", object.entry.label())),
            },
            Some(Class::Archived { .. }) => Err(format!("{} does not move", object.entry.label())),
            _ => Err(format!("it is not known who {} is on the platform", object.entry.label())),
        }
    }

    /// The account that was made for somebody who is gone, or has left and was left out, unless it is, or may be, somebody else's by
    /// now.
    fn leave(&self, gone: &ObjectId, known: &Platform<'_>, plan: &mut Plan) {
        let Some(account) = self.made.get(gone).and_then(|key| known.by_key.get(key.as_str())) else { return };
        let is_marked = account.origin.as_deref() == Some(&origin(self.code, self.project, gone));
        let others = self.reconciliation.rows.iter().filter(|row| row.matched.object != *gone);
        let is_anothers = others.map(|row| &row.matched).any(|matched| {
            matched.account() == Some(&account.key)
                || matched.candidates.iter().any(|candidate| candidate.account == account.key)
        });
        // What a plan has switched off is marked, too, once its person is known to have left.
        let is_off = account.state == AccountState::Disabled && !self.switched_off.contains_key(gone);
        if !is_marked || is_anothers || is_off || account.state == AccountState::Leaver {
            return;
        }
        let after = Entry { state: AccountState::Leaver, ..(*account).clone() };
        let planned = Planned::Leave { before: Box::new((*account).clone()), after: Box::new(after) };
        plan.lines.push(Line { object: gone.clone(), planned });
    }

    fn cost(&self, lines: &[Line]) -> Cost {
        Cost {
            registrations_max: self.rules.registrations,
            registrations_used: self.registrations_used,
            ..Cost::default()
        }
        .of(lines)
    }
}

/// Is this the entry of somebody who can't use it any more? The entries of mailboxes of many are switched off as a rule.
pub fn has_left(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Person | EntryKind::System)
        && matches!(entry.state, AccountState::Disabled | AccountState::Expired | AccountState::Leaver)
}

impl Planned {
    /// The objects that it needs the accounts of.
    pub fn needs(&self) -> impl Iterator<Item = &ObjectId> {
        let (members, owners): (&[Member], &[Member]) = match self {
            Self::Create { members, owners, .. } | Self::Update { members, owners, .. } => (members, owners),
            Self::Leave { .. } => (&[], &[]),
        };
        members.iter().chain(owners).filter_map(|member| match member {
            Member::Object(id) => Some(id),
            Member::Account(_) | Member::Outside(_) => None,
        })
    }
}

/// The lines in an order in which whoever is a member or an owner comes first, and else as they were. Only lists that hold each
/// other have no such order.
fn members_first(lines: Vec<Line>) -> Vec<Line> {
    let at: HashMap<ObjectId, usize> = lines.iter().enumerate().map(|(at, line)| (line.object.clone(), at)).collect();
    let needs: Vec<Vec<usize>> =
        lines.iter().map(|line| line.planned.needs().filter_map(|id| at.get(id).copied()).collect()).collect();
    let (mut order, mut is_seen) = (Vec::with_capacity(lines.len()), vec![false; lines.len()]);
    for first in 0..lines.len() {
        // Without recursion: lists may stand in each other as deep as they like.
        let mut path = vec![(first, 0)];
        if std::mem::replace(&mut is_seen[first], true) {
            continue;
        }
        while let Some((line, next)) = path.last_mut() {
            if let Some(need) = needs[*line].get(*next).copied() {
                *next += 1;
                if !std::mem::replace(&mut is_seen[need], true) {
                    path.push((need, 0));
                }
            } else {
                order.push(*line);
                path.pop();
            }
        }
    }
    let mut lines: Vec<Option<Line>> = lines.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| lines[at].take()).collect()
}

/// Does this name somebody, of whom it is not known who that is? An address that nobody has is somebody outside.
fn is_unknown(object: &Object, member: &Reference, index: &Index<'_>) -> bool {
    let is_outside = matches!(member, Reference::Mail(mail) if !index.is_of_several(mail));
    !is_outside && index.find(&object.id.directory, member).is_none()
}

/// What old replies to an object are sent to. Its mail addresses are not among these: they follow at the switch.
fn old_names(entry: &Entry) -> Vec<Address> {
    let mut seen = HashSet::new();
    let own = entry.legacy_dn.iter().cloned();
    let others = entry.addresses.iter().filter(|address| address.kind == AddressKind::X500);
    own.chain(others.map(|address| address.text.clone()))
        .filter(|text| !text.trim().is_empty() && seen.insert(x500_key(text)))
        .map(Address::x500)
        .collect()
}

/// What an entry takes over from its object each time. A hidden mobile number stays where it is.
fn follow(entry: &mut Entry, own: &Entry) {
    entry.job_title.clone_from(&own.job_title);
    entry.department.clone_from(&own.department);
    entry.telephone.clone_from(&own.telephone);
    entry.mobile = own.mobile.clone().filter(|_| !own.hides_mobile);
}

fn mail_of(text: &str) -> String {
    Address::parse(text).text
}

/// The fields in which two forms of an entry differ, in words.
fn differences(before: &Entry, after: &Entry) -> Vec<String> {
    let of = |entry: &Entry| match serde_json::to_value(entry) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (of(before), of(after));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name));
    names
}

#[cfg(test)]
mod tests;
