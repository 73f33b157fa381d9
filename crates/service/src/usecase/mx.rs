//! `mx`: what the DNS says of legacy domains, what has to change in which order, and until when their addresses receive.
//! Nothing here changes the DNS.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use connector::EntryEvent;
use connector::router::{Force, Forwarder};
use jiff::Timestamp;
use jiff::civil::Date;
use model::{Phase, Side};
use mx::clocks::{Clock, ClockState, NotUsed, Request, receiving};
use mx::history::Observation;
use mx::plan::{Facts, Limits, RecordedRfc, StepState};
use mx::standing::{Agreement, Standing, Subject, Wanted};
use serde::Serialize;
use serde_json::json;
use store::{NewRuleWord, RuleScope, RuleWord};

use super::people::PeopleProject;
use super::switch::addresses::Addressing;
use crate::config::{FILE, MxSettings};
use crate::secret::Environment;
use crate::{Error, Exit, Project, when};

/// A zone that says nothing is given up after this.
const LOOKS_MAX: Duration = Duration::from_secs(20);

/// What is looked at of a domain, and what it is called.
const SUBJECTS: [(Subject, &str); 5] = [
    (Subject::Mail, "mail"),
    (Subject::Spf, "spf"),
    (Subject::Dkim, "dkim"),
    (Subject::Dmarc, "dmarc"),
    (Subject::Autodiscover, "autodiscover"),
];

/// What is known of legacy domains.
#[derive(Clone, Debug, Serialize)]
pub struct MxReport {
    /// Each of them.
    pub domains: Vec<MxDomain>,
}

/// What is known of a legacy domain.
#[derive(Clone, Debug, Serialize)]
pub struct MxDomain {
    /// The domain.
    pub domain: String,
    /// What the DNS says, by subject: one line where all agree.
    pub says: Vec<MxSays>,
    /// The steps, in order; empty where only looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<MxStep>,
    /// What keeps the MX records where they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// What is wrong already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// Until when its addresses receive, for people.
    pub receives: String,
    /// Why nobody can tell what the local server still takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unwatched: Vec<String>,
    /// When people are to be reminded of that: dates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reminders: Vec<String>,
}

/// What the DNS says of one thing.
#[derive(Clone, Debug, Serialize)]
pub struct MxSays {
    /// Of what: `mail`, `spf`, `dkim`, `dmarc`, `autodiscover`.
    pub subject: &'static str,
    /// Do all that were asked say the same?
    pub agrees: bool,
    /// What they say; each for itself where they differ or could not be asked.
    pub lines: Vec<String>,
}

/// A step of the change.
#[derive(Clone, Debug, Serialize)]
pub struct MxStep {
    /// What is done.
    pub what: String,
    /// What is there.
    pub from: String,
    /// What is to be there.
    pub to: String,
    /// Why, at this place.
    pub why: &'static str,
    /// Where that stands.
    pub source: &'static str,
    /// `done`, `not-needed`, `may`, `waits` or `refused`.
    pub state: &'static str,
    /// What it waits for, or what refuses it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

impl MxReport {
    /// The exit code: refused, where a step is.
    pub fn exit(&self) -> Exit {
        let is_refused = |domain: &MxDomain| domain.steps.iter().any(|step| step.state == "refused");
        if self.domains.iter().any(is_refused) {
            Exit::Refused
        } else if self.domains.iter().any(|domain| !domain.alarms.is_empty()) {
            Exit::WithFailures
        } else {
            Exit::Done
        }
    }
}

/// What somebody decided about a legacy domain.
#[derive(Clone, Debug)]
pub enum MxWord {
    /// The request for the change of its MX records was approved on this date.
    Rfc(String),
    /// Its addresses receive for so many months in all.
    Longer(u8),
    /// Its addresses are not used from this date on.
    NotUsed(String),
}

impl MxWord {
    fn rule(&self, domain: &str) -> String {
        let what = match self {
            Self::Rfc(_) => "mx-rfc",
            Self::Longer(_) => "mx-request",
            Self::NotUsed(_) => "mx-not-used",
        };
        format!("{what}/{domain}")
    }
}

/// By address: the keys of the entries that have it.
type Holders = HashMap<String, Vec<String>>;

/// Who has which address on the target.
enum OnTarget {
    /// It was not asked for.
    NotRead,
    /// Nobody can tell, for this.
    Unknown(String),
    /// These have them.
    Read(Holders),
}

/// An old address, with why it does not count as there: the entry with the person's new address does not have it, or not alone.
fn not_there(holders: &Holders, new: &str, old: &str) -> Option<String> {
    let of = |address: &str| holders.get(&model::mail_key(address)).map_or(&[][..], Vec::as_slice);
    match (of(new), of(old)) {
        ([account], [holder]) if account == holder => None,
        ([_], []) => Some(old.to_owned()),
        ([_], [_]) => Some(format!("{old} (another entry has it)")),
        ([_], _) => Some(format!("{old} (several entries have it)")),
        ([], _) => Some(format!("{old} (nobody has {new})")),
        _ => Some(format!("{old} (several entries have {new})")),
    }
}

/// The words that count about a domain.
struct Recorded {
    rfc: Option<RecordedRfc>,
    request: Option<Request>,
    not_used: Option<NotUsed>,
}

impl Recorded {
    fn of(words: &[RuleWord], domain: &str) -> Self {
        let last = |what: &str| {
            let rule = format!("{what}/{domain}");
            words.iter().rev().find(|word| word.is.rule == rule && word.withdrawn.is_none())
        };
        // The evidence ends in what was decided.
        let parts = |word: &RuleWord| {
            let (reference, value) = word.is.evidence.rsplit_once(", ").unwrap_or_default();
            (reference.to_owned(), value.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        let date = |word: &RuleWord| parts(word).1.parse::<Date>().ok();
        Self {
            rfc: last("mx-rfc").and_then(|word| {
                let (reference, by) = (parts(word).0, word.is.said_by.clone());
                Some(RecordedRfc { reference, by, approved: date(word)? })
            }),
            request: last("mx-request").and_then(|word| {
                let (reference, months) = parts(word);
                Some(Request { months: months.parse().ok()?, reference })
            }),
            not_used: last("mx-not-used")
                .and_then(|word| Some(NotUsed { on: date(word)?, by: word.is.said_by.clone() })),
        }
    }
}

/// What is known besides what the DNS says now.
#[derive(Clone, Copy)]
struct Besides<'b> {
    /// Earlier looks into it.
    earlier: &'b [Observation],
    now: Timestamp,
    /// Why logs could not be read now, by log.
    problems: &'b BTreeMap<String, String>,
}

impl Project {
    fn mx_settings(&self) -> Result<&MxSettings, Error> {
        self.config.file.mx.as_deref().ok_or_else(|| {
            Error::usage(format!("{FILE} has no [mx]: no legacy domain is named")).advise("docs/mx.md shows how")
        })
    }

    /// What the DNS says of legacy domains, of all or of this one; with `plan`, what has to change in which order, and what may be done now.
    pub async fn mx(&self, domain: Option<&str>, plan: bool, environment: Environment<'_>) -> Result<MxReport, Error> {
        let settings = self.mx_settings()?;
        let mut wanted = settings.wanted()?;
        if let Some(domain) = domain {
            wanted.retain(|wanted| wanted.domain.to_string().eq_ignore_ascii_case(domain));
            if wanted.is_empty() {
                let names: Vec<&str> = settings.domains.keys().map(String::as_str).collect();
                return Err(Error::usage(format!("{FILE} has no [mx.domains.{domain:?}]"))
                    .advise(format!("domains are {}", names.join(", "))));
            }
        }
        let (look, words) = (settings.look()?, self.store.rule_words(self.key).await?);
        let now = Timestamp::now();
        let problems = if self.actor.role.may_migrate() { self.read_logs().await? } else { BTreeMap::new() };
        let mut domains = Vec::new();
        let on_target = if plan { self.addresses_on_target(environment).await? } else { OnTarget::NotRead };
        for wanted in wanted {
            let name = wanted.domain.to_string();
            let standing = mx::look(&look, &wanted).await;
            let earlier = self.store.mx_looks(self.key, &name).await?;
            let earlier = super::switch::exchanges::observations(&earlier)?;
            if self.actor.role.may_migrate() {
                self.keep_look(&name, &standing, now).await?;
            }
            let besides = Besides { earlier: &earlier, now, problems: &problems };
            let plan = plan.then_some(&on_target);
            domains.push(self.mx_domain(settings, &wanted, &standing, besides, &words, plan).await?);
        }
        Ok(MxReport { domains })
    }

    /// Looks at what the DNS says of these domains now, and keeps it. Those of which nobody could be asked.
    pub(crate) async fn look_at_exchanges(&self, wanted: &[Wanted]) -> Result<BTreeSet<routing::Domain>, Error> {
        let Some(settings) = self.config.file.mx.as_deref() else { return Ok(BTreeSet::new()) };
        let (look, now) = (settings.look()?, Timestamp::now());
        let mut unasked = BTreeSet::new();
        for wanted in wanted {
            let name = wanted.domain.to_string();
            // A zone whose servers say nothing keeps no other from being looked at.
            let Ok(standing) = tokio::time::timeout(LOOKS_MAX, mx::look(&look, wanted)).await else {
                unasked.insert(routing::Domain::new(name.trim_end_matches('.')));
                continue;
            };
            let seen = self.keep_look(&name, &standing, now).await?;
            if !seen.said.iter().any(|(_, said)| said.is_some()) {
                unasked.insert(routing::Domain::new(name.trim_end_matches('.')));
            }
        }
        Ok(unasked)
    }

    /// Keeps what was seen of a domain.
    async fn keep_look(&self, domain: &str, standing: &Standing, now: Timestamp) -> Result<Observation, Error> {
        let seen = Observation::of(standing, now);
        let text = serde_json::to_string(&seen).map_err(|_| store::Error::damaged("a look at MX records"))?;
        self.store.add_mx_look(self.key, domain, &text).await?;
        Ok(seen)
    }

    /// Looks at the MX records of all legacy domains, as the service does every hour.
    pub(crate) async fn look_at_every_exchange(&self) -> Result<(), Error> {
        let mut wanted = self.config.file.mx.as_deref().map(MxSettings::wanted).transpose()?.unwrap_or_default();
        // Another one first each time: what is not come to now is the next time.
        if !wanted.is_empty() {
            let first = usize::try_from(Timestamp::now().as_second() / 60).unwrap_or_default() % wanted.len();
            wanted.rotate_left(first);
        }
        self.look_at_exchanges(&wanted).await.map(drop)
    }

    async fn mx_domain(
        &self,
        settings: &MxSettings,
        wanted: &Wanted,
        standing: &Standing,
        Besides { earlier, now, problems }: Besides<'_>,
        words: &[RuleWord],
        plan: Option<&OnTarget>,
    ) -> Result<MxDomain, Error> {
        let name = wanted.domain.to_string();
        let recorded = Recorded::of(words, &name);
        let mut facts = self.mx_facts(&name, plan.unwrap_or(&OnTarget::NotRead)).await?;
        let (local_mail, unwatched) = self.local_mail(settings, &name, problems).await?;
        facts.local_mail = local_mail;
        facts.mx_rfc.clone_from(&recorded.rfc);
        let clock = clock(settings, &facts, &recorded)?;
        let mut report = MxDomain {
            domain: name,
            says: SUBJECTS.iter().map(|(subject, name)| says(standing, *subject, name)).collect(),
            steps: Vec::new(),
            gaps: Vec::new(),
            alarms: Vec::new(),
            receives: receives(&clock),
            unwatched,
            reminders: clock.reminders().iter().map(|(day, _)| day.to_string()).collect(),
        };
        if plan.is_some() {
            let limits = Limits { ttl_low_seconds: settings.ttl_low_seconds, quiet_days: settings.quiet_days() };
            let plan = mx::plan(standing, wanted, &facts, limits, earlier, now);
            report.gaps = plan.gaps.iter().map(ToString::to_string).collect();
            report.alarms = plan.alarms;
            report.steps = plan.steps.into_iter().map(|step| self.mx_step(step)).collect();
        }
        Ok(report)
    }

    fn mx_step(&self, step: mx::plan::Step) -> MxStep {
        let zone = self.config.time_zone();
        let (state, because) = match step.state {
            StepState::Done => ("done", Vec::new()),
            StepState::NotNeeded(why) => ("not-needed", vec![why]),
            StepState::May => ("may", Vec::new()),
            StepState::Waits { mut what, until } => {
                what.extend(until.map(|until| format!("until {}", when::shown(until.as_millisecond(), &zone))));
                ("waits", what)
            }
            StepState::Refused(gaps) => ("refused", gaps.iter().map(ToString::to_string).collect()),
        };
        let (from, to, why, source) = (step.from, step.to, step.why, step.source);
        MxStep { what: step.action.to_string(), from, to, why, source, state, because }
    }

    /// The legacy domains of which somebody is to be reminded on this day that their addresses receive for a few days more only: how many
    /// days before the end that is told, and the last day.
    pub(crate) async fn receiving_ends(&self, today: Date) -> Result<Vec<(String, u16, Date)>, Error> {
        let Some(settings) = self.config.file.mx.as_deref() else { return Ok(Vec::new()) };
        let Some(routing) = &self.config.file.routing else { return Ok(Vec::new()) };
        let (words, mut ends) = (self.store.rule_words(self.key).await?, Vec::new());
        let rows = self.store.mailboxes(self.key).await?;
        for domain in settings.domains.keys() {
            // Its time has not begun as long as somebody is not switched, which is told without reading directories.
            let ending = format!("@{}", domain.to_lowercase());
            let is_of_domain = |row: &store::MailboxRow| {
                let addresses =
                    routing.source.addresses(Side::Source, &row.roster.source_name, &row.roster.target_name);
                addresses.iter().any(|address| address.to_lowercase().ends_with(&ending))
            };
            let is_left =
                |row: &&store::MailboxRow| row.listed && row.state.phase < Phase::Switched && !self.is_archived(row);
            if rows.iter().filter(is_left).any(is_of_domain) {
                continue;
            }
            let facts = self.mx_facts(domain, &OnTarget::NotRead).await?;
            // A request for too long is told by `mx plan`, and is no reason to be silent about all else.
            let Ok(clock) = clock(settings, &facts, &Recorded::of(&words, domain)) else { continue };
            if let (Some(left), Some(until)) = (clock.reminder_due(today, &[]), clock.until()) {
                ends.push((domain.clone(), left, until));
            }
        }
        Ok(ends)
    }

    /// Legacy domains whose MX records were seen to lead to the target, wholly or in part, with who of them is not switched.
    pub(crate) async fn led_too_early(&self) -> Result<Vec<(String, Vec<String>)>, Error> {
        let (Some(settings), Some(routing)) = (self.config.file.mx.as_deref(), &self.config.file.routing) else {
            return Ok(Vec::new());
        };
        let seen = self.exchanges.seen(&self.store, self.key).await?;
        let leads = |place: routing::Mx| place == routing::Mx::Site(Side::Target);
        let is_moved = |domain: &&String| {
            let place = seen.get(&routing::Domain::new(domain));
            place.is_some_and(|place| leads(place.now) || place.then.is_some_and(leads))
        };
        let moved: Vec<&String> = settings.domains.keys().filter(is_moved).collect();
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let orders = self.store.switch_orders(self.key).await?;
        let back: HashSet<i64> = orders.iter().filter(|order| order.is_back).map(|order| order.mailbox).collect();
        let further = self.addressing.further(&self.store, self.key).await?;
        let mut early: BTreeMap<&String, Vec<String>> = BTreeMap::new();
        for row in self.store.mailboxes(self.key).await? {
            let is_over = row.state.phase >= Phase::Switched && !back.contains(&row.mailbox);
            if is_over || !(row.listed || row.state.phase >= Phase::Switching) || self.is_archived(&row) {
                continue;
            }
            let (source, target) = (&row.roster.source_name, &row.roster.target_name);
            let mut addresses = routing.source.addresses(Side::Source, source, target);
            addresses.extend(further.get(&self.addressing.whose(&row.roster)).into_iter().flatten().cloned());
            for domain in &moved {
                let ending = format!("@{}", domain.to_lowercase());
                if addresses.iter().any(|address| address.to_lowercase().ends_with(&ending)) {
                    early.entry(*domain).or_default().push(source.clone());
                }
            }
        }
        Ok(early.into_iter().map(|(domain, names)| (domain.clone(), names)).collect())
    }

    /// What is on record of everybody who has an address in this domain.
    async fn mx_facts(&self, domain: &str, on_target: &OnTarget) -> Result<Facts, Error> {
        let mut facts = Facts::default();
        let Some(routing) = &self.config.file.routing else {
            facts
                .unswitched
                .push("not known: the project has no [routing], which says what addresses there are".to_owned());
            return Ok(facts);
        };
        let addressing = Addressing::new(&self.config, &self.endpoints);
        let further = addressing.further(&self.store, self.key).await?;
        let forwarders = self.store.forwarders(self.key).await?;
        let forwarders: HashSet<i64> =
            forwarders.iter().filter(|one| one.off_at.is_none()).map(|one| one.is.mailbox).collect();
        let found = self.store.found_forwarders(self.key).await?;
        // A script that is not in force sends nothing on.
        let is_in_force = |what: &str| {
            serde_json::from_str::<Forwarder>(what).map_or(true, |forwarder| forwarder.force != Force::Dormant)
        };
        let at_source = found.iter().filter(|one| one.side == Side::Source && is_in_force(&one.what));
        let found: HashSet<i64> = at_source.map(|one| one.mailbox).collect();
        let orders = self.store.switch_orders(self.key).await?;
        let back: HashSet<i64> = orders.iter().filter(|order| order.is_back).map(|order| order.mailbox).collect();
        let rows = self.store.mailboxes(self.key).await?;
        let unlooked = self.unlooked_at(&rows).await?;
        let switches = self.store.switches(self.key).await?;
        let switches: HashMap<i64, _> = switches.iter().map(|switch| (switch.mailbox, switch)).collect();
        let zone = self.config.time_zone();
        let ending = format!("@{}", domain.to_lowercase());
        let mut of_roster: HashSet<String> = HashSet::new();
        for row in rows.into_iter().filter(|row| row.listed) {
            let (source, target) = (&row.roster.source_name, &row.roster.target_name);
            let addresses = routing.source.addresses(Side::Source, source, target);
            let more = further.get(&addressing.whose(&row.roster)).into_iter().flatten();
            let mut own: Vec<String> = addresses.iter().chain(more).map(|address| model::mail_key(address)).collect();
            let mut seen = HashSet::new();
            own.retain(|address| address.ends_with(&ending) && seen.insert(address.clone()));
            if own.is_empty() || self.is_archived(&row) {
                continue;
            }
            of_roster.extend(own.iter().cloned());
            if row.state.phase < Phase::Switched {
                facts.unswitched.push(source.clone());
            } else if back.contains(&row.mailbox) {
                facts.unswitched.push(format!("{source} (it is to be taken back)"));
            } else if let OnTarget::Read(holders) = on_target {
                let new = routing.target.addresses(Side::Target, source, target).swap_remove(0);
                facts.aliases_missing.extend(own.iter().filter_map(|address| not_there(holders, &new, address)));
            }
            facts.f1_left.extend(forwarders.contains(&row.mailbox).then(|| source.clone()));
            facts.f2_left.extend(found.contains(&row.mailbox).then(|| source.clone()));
            facts.f2_left.extend(unlooked.get(&row.mailbox).map(|why| format!("{source} ({why})")));
            facts.f3_left.extend((row.state.phase >= Phase::Switched).then(|| source.clone()));
            if let Some((at, true)) = switches.get(&row.mailbox).and_then(|switch| switch.ended) {
                let day = Timestamp::from_millisecond(at).ok().map(|at| at.to_zoned(zone.clone()).date());
                facts.last_switch = facts.last_switch.max(day);
            }
        }
        match on_target {
            OnTarget::Unknown(why) => facts.aliases_missing.push(format!("not known: {why}")),
            OnTarget::NotRead => {}
            OnTarget::Read(holders) => {
                let is_missing = |address: &String| {
                    address.ends_with(&ending) && !of_roster.contains(address) && !holders.contains_key(address)
                };
                facts.aliases_missing.extend(self.others_at_source(is_missing).await?);
            }
        }
        Ok(facts)
    }

    /// Addresses of whoever and whatever else stands in the source's directories, as last read, and does not stay behind by a person's word:
    /// people who are not matched, lists, rooms, contacts. Each that is so, with whose it is.
    async fn others_at_source(&self, is_so: impl Fn(&String) -> bool) -> Result<Vec<String>, Error> {
        let Some(entry) = &self.config.file.people else { return Ok(Vec::new()) };
        let (config, store) = (self.config.clone(), self.store.clone());
        let plane = PeopleProject::of(config, entry.clone(), store, self.key, self.actor.clone())?;
        let known = plane.known().await?;
        let mut all = Vec::new();
        for row in known.reconciliation.rows.iter().filter(|row| !row.class.stays_behind()) {
            let Some(object) = known.object(&row.matched.object) else { continue };
            let whose = object.entry.names.display.as_deref().unwrap_or_else(|| object.entry.label());
            let (kind, id) = (object.entry.kind.name(), &object.id);
            let told = |address: String| {
                format!("{address} (the {kind} {whose:?}, {id}: make it there, or people exclude it)")
            };
            all.extend(object.entry.mail_keys().into_iter().filter(|address| is_so(address)).map(told));
        }
        Ok(all)
    }

    /// Mailboxes of which it is not known what sends their mail on at the source, though a router could tell: each with why. Somebody's word about what
    /// can't be read counts.
    async fn unlooked_at(&self, rows: &[store::MailboxRow]) -> Result<HashMap<i64, &'static str>, Error> {
        let looks = self.store.found_routings(self.key).await?;
        let looks: HashMap<i64, bool> = looks
            .into_iter()
            .filter(|look| look.side == Side::Source)
            .map(|look| (look.mailbox, look.unread.is_empty()))
            .collect();
        let words = self.store.rule_words(self.key).await?;
        let is_signed = |mailbox: i64| {
            let rule = switch::Rule::ForwardersAbsent.name();
            let of = |word: &RuleWord| word.withdrawn.is_none() && word.is.rule == rule;
            words.iter().any(|word| of(word) && word.is.scope == RuleScope::Mailbox(mailbox))
        };
        let has_router = |row: &&store::MailboxRow| {
            let endpoint = self.endpoint_name(row.roster.source_endpoint);
            self.config.routers.values().any(|router| router.endpoint == endpoint)
        };
        let why = |row: &store::MailboxRow| match looks.get(&row.mailbox) {
            None => Some((row.mailbox, "nobody has looked: forwarder find")),
            Some(false) if !is_signed(row.mailbox) => Some((row.mailbox, "not all could be read: forwarder list")),
            Some(_) => None,
        };
        Ok(rows.iter().filter(has_router).filter_map(why).collect())
    }

    /// Who has which address on the target, by its directory as it is now.
    async fn addresses_on_target(&self, environment: Environment<'_>) -> Result<OnTarget, Error> {
        let Some(platform) = self.config.platform() else {
            let why = "the project reads no directory of the target, so nobody can tell which addresses are there";
            return Ok(OnTarget::Unknown(why.to_owned()));
        };
        let opened = crate::directories::open(&self.config, platform, environment)?;
        let mut events = Vec::new();
        if let Err(error) = opened.directory().read(None, &mut events).await {
            return Ok(OnTarget::Unknown(format!("the target's directory can't be read now: {error}")));
        }
        let mut holders: Holders = HashMap::new();
        for event in events {
            if let EntryEvent::Seen(entry) = event {
                for address in entry.mail_keys() {
                    holders.entry(address).or_default().push(entry.key.clone());
                }
            }
        }
        Ok(OnTarget::Read(holders))
    }

    /// Records what somebody decided about a legacy domain.
    pub async fn record_mx(&self, domain: &str, word: &MxWord, by: &str, reference: &str) -> Result<RuleWord, Error> {
        self.may_migrate()?;
        let settings = self.mx_settings()?;
        let known = settings.domains.keys().find(|known| known.eq_ignore_ascii_case(domain));
        let known = known.ok_or_else(|| {
            Error::usage(format!("{FILE} has no [mx.domains.{domain:?}]")).advise("name one of its domains")
        })?;
        if matches!(word, MxWord::Rfc(_)) {
            super::governed::refuse(&self.config, &self.store, self.key, programme::Live::ChangeMx).await?;
        }
        if by.trim().is_empty() || reference.trim().is_empty() {
            return Err(
                Error::usage("a decision needs a name and where it stands").advise("give --by NAME --reference TEXT")
            );
        }
        let value = match word {
            MxWord::Rfc(date) | MxWord::NotUsed(date) => {
                let date: Date = date
                    .trim()
                    .parse()
                    .map_err(|_| Error::usage(format!("{date:?} is no date")).advise("write it as 2026-12-05"))?;
                format!("on {date}")
            }
            MxWord::Longer(months) if *months > settings.receiving().months_max => {
                let max = settings.receiving().months_max;
                return Err(Error::refused(
                    "R-237",
                    format!("{months} months are more than the {max} that may be asked for"),
                )
                .advise("see mx.receiving_months_max"));
            }
            MxWord::Longer(months) => format!("months {months}"),
        };
        let new = NewRuleWord {
            rule: word.rule(known),
            scope: RuleScope::Everybody,
            said_by: by.trim().to_owned(),
            evidence: format!("{}, {value}", reference.trim()),
            digest: None,
            recorded_by: self.actor.name.clone(),
        };
        let detail = json!({ "rule": new.rule, "by": new.said_by, "evidence": new.evidence });
        self.store.audit(self.key, &self.actor, "mx.recorded", &detail).await?;
        let number = self.store.add_rule_word(self.key, &new).await?;
        Ok(RuleWord { word: number, is: new, recorded_at: self.store.now().await?, withdrawn: None })
    }
}

/// Until when the addresses of a domain receive: its time begins with the last switch of all.
fn clock(settings: &MxSettings, facts: &Facts, recorded: &Recorded) -> Result<Clock, Error> {
    let last = facts.last_switch.filter(|_| facts.unswitched.is_empty());
    let clock = receiving(last, settings.receiving(), recorded.request.as_ref(), recorded.not_used.as_ref());
    clock.map_err(|error| Error::refused("R-237", error.to_string()))
}

fn says(standing: &Standing, subject: Subject, name: &'static str) -> MxSays {
    if let Agreement::Same(text) = standing.agreement(subject) {
        return MxSays { subject: name, agrees: true, lines: vec![text] };
    }
    let line = |view: &mx::standing::View| match view.says(subject) {
        Ok(text) => format!("{}: {text}", view.by),
        Err(why) => format!("{}: not known: {why}", view.by),
    };
    MxSays { subject: name, agrees: false, lines: standing.views().map(line).collect() }
}

fn receives(clock: &Clock) -> String {
    match &clock.state {
        ClockState::NotStarted => "its time begins with the last switch".to_owned(),
        ClockState::Running { since, until } => {
            format!("its addresses receive until {until}, since the last switch on {since}")
        }
        ClockState::NotUsed(decision) => {
            format!("its addresses are not used from {} on, by {}", decision.on, decision.by)
        }
    }
}
