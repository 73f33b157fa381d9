//! What the database knows of a governed project: the facts that criteria of its gates ask for.
//!
//! Nothing is asked of a server here: what is told is what was last read. What can't be known yet is not met, and says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use model::{Cause, Phase, Side};
use mx::history::Observation;
use people::{Class, ObjectId};
use programme::{Fact, Facts, Reached};
use store::{Disposition, IssueState, MailboxRow};
use switch::Task;

use super::{Governed, PilotNames, names_of_objects, profile_of};
use crate::Error;
use crate::config::PeopleEntry;
use crate::usecase::people::PeopleProject;

/// So many names are told of what stands against a fact.
const OFFENDERS_MAX: usize = 50;

/// What is gathered.
struct Gathered {
    facts: BTreeMap<String, Fact>,
    /// Those of which this database can't tell in this project: a decision of that name does.
    unseen: BTreeSet<String>,
    /// Now.
    now: Timestamp,
    /// When what is told next was read; none: never.
    at: Option<Timestamp>,
}

impl Gathered {
    /// What is told next was read then, the oldest of it first (milliseconds since 1970); never, where nothing was.
    fn read_at(&mut self, times: impl IntoIterator<Item = i64>) {
        let oldest = times.into_iter().min().and_then(|at| Timestamp::from_millisecond(at).ok());
        self.at = oldest.map(|at| at.min(self.now));
    }

    /// What is told next stands in this database itself, as it is now.
    fn read_now(&mut self) {
        self.at = Some(self.now);
    }

    /// A fact that is so where nothing stands against it.
    fn unless(&mut self, name: &str, offenders: Vec<String>, is_so: &str, is_not: &str) {
        let text = if offenders.is_empty() { is_so.to_owned() } else { format!("{}: {is_not}", offenders.len()) };
        let fact = Fact { is_met: offenders.is_empty(), text, offenders, as_of: self.at, decided: None };
        self.put(name, fact);
    }

    fn so(&mut self, name: &str, is_met: bool, text: impl Into<String>) {
        let fact = Fact { is_met, text: text.into(), offenders: Vec::new(), as_of: self.at, decided: None };
        self.put(name, fact);
    }

    /// What can't be looked up in this project. Somebody may decide it.
    fn unknown(&mut self, names: &[&str], why: &str) {
        self.read_now();
        for name in names {
            self.so(name, false, format!("{why}; or record it: whimbrel project decide {name}"));
            self.unseen.insert((*name).to_owned());
        }
    }

    fn put(&mut self, name: &str, mut fact: Fact) {
        let more = fact.offenders.len().saturating_sub(OFFENDERS_MAX);
        fact.offenders.truncate(OFFENDERS_MAX);
        if more > 0 {
            fact.offenders.push(format!("and {more} more"));
        }
        self.facts.insert(name.to_owned(), fact);
    }
}

/// The name of a mailbox, without the source that is named before it.
fn of_source<'w>(who: &'w str, sources: &[String]) -> &'w str {
    let is_source = |(endpoint, _): &(&str, &str)| sources.iter().any(|source| source.eq_ignore_ascii_case(endpoint));
    who.split_once(':').filter(is_source).map_or(who, |(_, name)| name)
}

fn names<'r>(rows: impl IntoIterator<Item = &'r MailboxRow>) -> Vec<String> {
    rows.into_iter().map(|row| row.roster.source_name.clone()).collect()
}

impl Governed {
    /// What is known now.
    pub(crate) async fn facts(&self) -> Result<Facts, Error> {
        let (store, key) = (&self.store, self.key);
        let at = Timestamp::from_millisecond(store.now().await?).unwrap_or_default();
        let mut found = Gathered { facts: BTreeMap::new(), unseen: BTreeSet::new(), now: at, at: Some(at) };
        let names_of_pilot = PilotNames::of(store, key, &self.config).await?;
        let every = store.mailboxes(key).await?;
        let mut rows = every.clone();
        rows.retain(|row| row.listed);
        // What goes to the archive is switched nowhere.
        if let Some(archive) = &self.config.file.archive {
            let endpoints = store.endpoints(key).await?;
            let number = endpoints.iter().find(|(_, name, _)| *name == archive.mail).map(|(number, ..)| *number);
            rows.retain(|row| Some(row.roster.target_endpoint) != number);
        }
        let of = store.mailbox_facts(key).await?;
        let is_aside = |row: &&MailboxRow| of.get(&row.mailbox).is_some_and(|facts| facts.set_aside.is_some());
        // Who has no account yet, or of whom that is not decided, is in scope and on no roster.
        let (without, accounts) = self.people(&mut found).await?;
        // Who is switched is known here; who has no account yet, since the directories were read.
        let directories = self.directories_read().await?;
        match self.config.file.people {
            Some(_) => found.read_at(directories.iter().copied()),
            None => found.read_now(),
        }
        // At the end nothing is left for the mop-up: who is not switched stays behind by somebody's decision.
        let is_left_for_good = |row: &&MailboxRow| {
            let aside = of.get(&row.mailbox).and_then(|facts| facts.set_aside.as_deref());
            aside.is_some_and(|disposition| disposition != Disposition::MopUp.name())
        };
        for (name, is_in_between) in [("all-in-scope-through-switch", true), ("people-switched", false)] {
            if rows.is_empty() {
                found.so(name, false, "nobody is on the roster yet");
                continue;
            }
            let is_through = |row: &&MailboxRow| if is_in_between { is_aside(row) } else { is_left_for_good(row) };
            let is_left = |row: &&MailboxRow| row.state.phase < Phase::Switched && !is_through(row);
            let mut left = names(rows.iter().filter(is_left));
            left.extend(without.iter().cloned());
            let so = ["all are switched, or stay behind by a decision", "all are switched or have a disposition"];
            let is_so = so[usize::from(is_in_between)];
            found.unless(name, left, is_so, "are not switched");
        }
        self.forwarders(&rows, &mut found).await?;
        self.mailboxes(&rows, &mut found).await?;
        self.issues(&rows, &names_of_pilot, &mut found).await?;
        found.read_now();
        let is_reported = self.config.file.reports.is_some();
        let how = if is_reported { "[reports] says when and to whom" } else { "the project's file has no [reports]" };
        found.so("reports-set-up", is_reported, how);
        self.legacy(&rows, &mut found).await?;
        // Whoever is on no roster any more was copied all the same.
        let (pilot, pilot_once) = self.pilot_reached(&every, &names_of_pilot).await?;
        let (pilot_accounts, accounts_of_others) = (accounts.map(|all| all.0), accounts.map(|all| all.1));
        let facts = Facts {
            facts: found.facts,
            unseen: found.unseen,
            pilot,
            pilot_once,
            pilot_accounts,
            accounts_of_others,
            ..Facts::default()
        };
        // Whoever looks at many projects at once looks at this: each project's own file says where its facts come from. What was decided
        // stands in the record, and counts as it stands there now.
        let kept = serde_json::to_string(&facts).unwrap_or_default();
        store.keep_programme_facts(key, &profile_of(&self.config), &kept).await?;
        Ok(facts.with_decisions(&self.record))
    }

    async fn forwarders(&self, rows: &[MailboxRow], found: &mut Gathered) -> Result<(), Error> {
        let called: HashMap<i64, &str> =
            rows.iter().map(|row| (row.mailbox, row.roster.source_name.as_str())).collect();
        let ours = self.store.forwarders(self.key).await?;
        let theirs = self.store.found_forwarders(self.key).await?;
        let name =
            |mailbox: i64| called.get(&mailbox).map_or_else(|| format!("mailbox {mailbox}"), |name| (*name).to_owned());
        // Of whom nobody has looked, or not all could be read, it is not known.
        let mut looks = self.store.found_routings(self.key).await?;
        looks.retain(|look| look.side == Side::Source && called.contains_key(&look.mailbox));
        let seen: BTreeSet<i64> = looks.iter().filter(|look| look.unread.is_empty()).map(|look| look.mailbox).collect();
        let left: BTreeSet<String> = ours
            .iter()
            .filter(|row| row.off_at.is_none())
            .map(|row| name(row.is.mailbox))
            .chain(theirs.iter().filter(|row| row.side == Side::Source).map(|row| name(row.mailbox)))
            .chain(rows.iter().filter(|row| !seen.contains(&row.mailbox)).map(|row| name(row.mailbox)))
            .collect();
        let left: Vec<String> = left.into_iter().collect();
        found.read_at(looks.iter().map(|look| look.seen_at).filter(|at| *at > 0));
        if rows.is_empty() {
            found.so("forwarders-f1-f2-gone", false, "nobody is on the roster yet");
        } else {
            found.unless(
                "forwarders-f1-f2-gone",
                left,
                "none is left, as they were last read",
                "still forward, or were not looked into: whimbrel forwarder find",
            );
        }
        Ok(())
    }

    async fn mailboxes(&self, rows: &[MailboxRow], found: &mut Gathered) -> Result<(), Error> {
        let predicted = self.store.predictions(self.key).await?;
        let is_unseen = |row: &&MailboxRow| !predicted.contains_key(&row.mailbox) && row.pass.is_none();
        let unseen = names(rows.iter().filter(is_unseen));
        let is_over = |row: &&MailboxRow| row.state.cause.is_some_and(|(cause, _)| cause == Cause::OverQuota);
        let fits = |row: &MailboxRow| {
            let detail = predicted.get(&row.mailbox).and_then(|row| serde_json::from_str(&row.detail).ok());
            detail.and_then(|detail: serde_json::Value| detail.get("fits")?.as_bool())
        };
        let over = names(
            rows.iter()
                .filter(|row| is_unseen(row) || is_over(row) || (fits(row) == Some(false) && row.pass.is_none())),
        );
        let is_unread = |row: &&MailboxRow| {
            row.pass.is_none() && predicted.get(&row.mailbox).is_none_or(|predicted| !predicted.is_read)
        };
        let unread = names(rows.iter().filter(is_unread));
        let endpoints = self.store.endpoints(self.key).await?;
        let reached: BTreeSet<i64> = rows
            .iter()
            .filter(|row| row.pass.is_some() || predicted.contains_key(&row.mailbox))
            .flat_map(|row| [row.roster.source_endpoint, row.roster.target_endpoint])
            .collect();
        let away = |is_source: bool| -> Vec<String> {
            let used: BTreeSet<i64> = rows
                .iter()
                .map(|row| if is_source { row.roster.source_endpoint } else { row.roster.target_endpoint })
                .collect();
            let is_away = |(number, ..): &&(i64, String, String)| used.contains(number) && !reached.contains(number);
            endpoints.iter().filter(is_away).map(|(_, name, _)| name.clone()).collect()
        };
        // Each mailbox by its last look or pass; an endpoint by the last of any mailbox there.
        let read = |row: &MailboxRow| {
            let looked = predicted.get(&row.mailbox).map(|predicted| predicted.at);
            looked.into_iter().chain(row.pass.map(|(_, ended)| ended)).max()
        };
        let reached_at = |number: i64| {
            let here = |row: &&MailboxRow| [row.roster.source_endpoint, row.roster.target_endpoint].contains(&number);
            rows.iter().filter(here).filter_map(read).max()
        };
        for (name, offenders, is_so, is_not) in [
            ("quota-checked", over, "every mailbox was looked at, and fits", "were not looked at, or do not fit"),
            (
                "sizes-checked",
                unseen,
                "every mailbox was looked through",
                "were not looked through: whimbrel preflight",
            ),
            (
                "attachments-checked",
                unread,
                "every mailbox was looked through",
                "were not looked through: whimbrel preflight --read",
            ),
            ("source-reachable", away(true), "each was reached", "were not reached: whimbrel check"),
            ("target-reachable", away(false), "each was reached", "were not reached: whimbrel check"),
        ] {
            if rows.is_empty() {
                found.so(name, false, "nobody is on the roster yet");
            } else {
                let of_endpoints = |is_source: bool| {
                    let of = |row: &MailboxRow| {
                        if is_source { row.roster.source_endpoint } else { row.roster.target_endpoint }
                    };
                    let numbers: BTreeSet<i64> = rows.iter().map(of).collect();
                    numbers.into_iter().filter_map(reached_at).collect::<Vec<_>>()
                };
                match name {
                    "source-reachable" => found.read_at(of_endpoints(true)),
                    "target-reachable" => found.read_at(of_endpoints(false)),
                    _ => found.read_at(rows.iter().filter_map(read)),
                }
                found.unless(name, offenders, is_so, is_not);
            }
        }
        found.read_now();
        Ok(())
    }

    /// How far each person of the pilot is of whom something is on the target, and how far each ever was.
    async fn pilot_reached(
        &self,
        rows: &[MailboxRow],
        called: &PilotNames,
    ) -> Result<(BTreeMap<String, Reached>, BTreeMap<String, Reached>), Error> {
        let once_switched = self.store.ever_ended(self.key, Task::RecordOver.name()).await?;
        let (mut now, mut once) = (BTreeMap::new(), BTreeMap::new());
        for row in rows {
            let phase = row.state.phase;
            let is_copied = row.pass.is_some() || phase >= Phase::InStep;
            let copied = is_copied.then_some(Reached::Copy);
            let reached = if phase >= Phase::Switched { Some(Reached::Switch) } else { copied };
            let ever = if once_switched.contains(&row.mailbox) { Some(Reached::Switch) } else { reached };
            let name = called.of_row(row);
            if !self.record.is_pilot(&name) {
                continue;
            }
            for (reached, all) in [(reached, &mut now), (ever.max(reached), &mut once)] {
                if let Some(reached) = reached {
                    let known = all.entry(name.trim().to_lowercase()).or_insert(reached);
                    *known = reached.max(*known);
                }
            }
        }
        Ok((now, once))
    }

    async fn issues(&self, rows: &[MailboxRow], called: &PilotNames, found: &mut Gathered) -> Result<(), Error> {
        let of_pilot = rows.iter().filter(|row| self.record.is_pilot(&called.of_row(row)));
        let pilot: BTreeSet<i64> = of_pilot.map(|row| row.mailbox).collect();
        let issues = self.store.issues(self.key).await?;
        let open: Vec<_> = issues.iter().filter(|row| row.state != IssueState::Closed).collect();
        let number = |row: &&store::IssueRow| format!("issue {}", row.issue);
        // Whoever has taken it has an action.
        let without: Vec<String> = open
            .iter()
            .copied()
            .filter(|row| row.is.mailbox.is_none_or(|mailbox| pilot.contains(&mailbox)) && row.assigned_to.is_none())
            .map(|row| number(&row))
            .collect();
        if pilot.is_empty() {
            found.so("pilot-issues-have-actions", false, "nobody on the roster is of the pilot: whimbrel pilot name");
        } else {
            found.unless(
                "pilot-issues-have-actions",
                without,
                "each open issue has somebody at work",
                "have nobody at work: whimbrel issue assign",
            );
        }
        let undecided: Vec<String> = open.iter().map(number).collect();
        found.unless("issues-resolved-or-handed-over", undecided, "none is open", "are open");
        Ok(())
    }

    /// Whose account is whose, and which are to be made. Who has none yet, or of whom that is not decided; and how many accounts were or are to
    /// be made for people of the pilot, and how many were for others, where that is known.
    async fn people(&self, found: &mut Gathered) -> Result<(Vec<String>, Option<(u64, u64)>), Error> {
        let Some(entry) = self.config.file.people.clone() else {
            let names = ["addresses-matched", "new-accounts-provisioned", "pilot-accounts-provisioned"];
            found.unknown(&names, "the project's file has no [people]: nobody knows who has which account");
            match crate::roster::read_file(&self.config.folder, &self.config) {
                Ok(people) if people.rows.is_empty() => found.unknown(&["formats"], "people.csv names nobody"),
                Ok(people) => {
                    found.so("formats", true, format!("people.csv can be read: {} people", people.rows.len()));
                }
                Err(error) => found.so("formats", false, error.what),
            }
            return Ok((Vec::new(), None));
        };
        self.formats(&entry, found).await?;
        let Some(plane) = self.plane()? else { return Ok((Vec::new(), None)) };
        let known = plane.known().await?;
        found.read_at(self.directories_read().await?);
        let told = |is_so: &dyn Fn(&Class) -> bool| -> Vec<String> {
            let rows = known.reconciliation.rows.iter().filter(|row| is_so(&row.class));
            rows.map(|row| row.matched.object.to_string()).collect()
        };
        let missing = told(&|class| matches!(class, Class::New));
        let open = told(&|class| matches!(class, Class::Unresolved(_) | Class::Incomplete(_)));
        if known.reconciliation.rows.is_empty() {
            for name in ["addresses-matched", "new-accounts-provisioned", "pilot-accounts-provisioned"] {
                found.so(name, false, "no directory was read yet: whimbrel people sync");
            }
            return Ok((Vec::new(), None));
        }
        let without = missing.iter().chain(&open).cloned().collect();
        found.unless("addresses-matched", open, "everybody is matched, or known to be new", "are not decided");
        found.unless("new-accounts-provisioned", missing, "every new account is there", "have no account yet");
        // What was made counts whosever it is now; of the pilot whatever is still to be made.
        let made = plane.made().await?;
        let sources = self.config.sources();
        let called = names_of_objects(&self.config, &known);
        let by_name: HashMap<String, &ObjectId> = called.iter().map(|(id, name)| (name.to_lowercase(), id)).collect();
        let all_made = plane.accounts_made().await?;
        let (mut to_make, mut made_of_pilot, mut left, mut count) = (0, 0, Vec::new(), 0);
        for (who, _) in self.record.pilot_people() {
            count += 1;
            let found = || known.find(of_source(who, &sources)).ok().map(|object| &object.id);
            let Some(id) = by_name.get(who).copied().or_else(found) else {
                left.push(format!("{who} (nobody is called so)"));
                continue;
            };
            let is_existing =
                known.reconciliation.row(id).is_some_and(|row| matches!(row.class, Class::Existing { .. }));
            if !is_existing {
                left.push(who.to_owned());
            }
            let is_made = made.contains_key(id);
            to_make += u64::from(!is_existing && !is_made);
            made_of_pilot += u64::from(is_made);
        }
        let accounts = (all_made + to_make, all_made.saturating_sub(made_of_pilot));
        if count == 0 {
            found.so("pilot-accounts-provisioned", false, "nobody is of the pilot yet: whimbrel pilot name");
            return Ok((without, Some(accounts)));
        }
        found.unless(
            "pilot-accounts-provisioned",
            left,
            "everybody of the pilot has an account",
            "have no account yet",
        );
        Ok((without, Some(accounts)))
    }

    /// When each directory of people was last read, the platform's among them.
    async fn directories_read(&self) -> Result<Vec<i64>, Error> {
        let Some(entry) = &self.config.file.people else { return Ok(Vec::new()) };
        let mut read = self.store.directories(self.key).await?;
        read.retain(|row| {
            entry.sources.iter().chain(&entry.staff).chain(&entry.platform).any(|name| *name == row.name)
        });
        Ok(read.into_iter().filter_map(|row| row.read_at).collect())
    }

    /// The people of the project as they were last read, where its file says where they come from.
    pub(super) fn plane(&self) -> Result<Option<PeopleProject>, Error> {
        let Some(entry) = self.config.file.people.clone() else { return Ok(None) };
        let (config, store, actor) = (self.config.clone(), self.store.clone(), self.actor.clone());
        PeopleProject::of(config, entry, store, self.key, actor).map(Some)
    }

    /// Lists that people come from: each was read, and everything in it is an entry.
    async fn formats(&self, entry: &PeopleEntry, found: &mut Gathered) -> Result<(), Error> {
        let read = self.store.directories(self.key).await?;
        let (mut wrong, mut unread) = (Vec::new(), Vec::new());
        for name in entry.sources.iter().chain(&entry.staff) {
            let Some(row) = read.iter().find(|row| row.name == *name && row.read_at.is_some()) else {
                unread.push(name.clone());
                continue;
            };
            let faults = self.store.directory_faults(self.key, row.directory).await?;
            wrong.extend(faults.into_iter().map(|fault| format!("{name}, {}: {}", fault.place, fault.what)));
        }
        found.read_at(read.iter().filter_map(|row| row.read_at));
        if unread.is_empty() {
            found.unless("formats", wrong, "every list was read, and each entry of it", "entries can't be read");
        } else {
            found.so("formats", false, format!("not read yet: {}: whimbrel people sync", unread.join(", ")));
        }
        Ok(())
    }

    /// What forwards from whoever is switched: it is to be on as long as mail comes to the old servers.
    async fn redirects(&self, rows: &[MailboxRow], is_changed: bool, found: &mut Gathered) -> Result<(), Error> {
        const NAME: &str = "forwarders-only-after-mx";
        let is_switched = |row: &&MailboxRow| row.state.phase >= Phase::Switched;
        if !rows.iter().any(|row| is_switched(&row)) {
            found.so(NAME, false, "nobody is switched yet");
            return Ok(());
        }
        let looks = self.store.found_routings(self.key).await?;
        let on: BTreeSet<i64> = looks
            .iter()
            .filter(|look| look.side == Side::Source && look.redirected_to.is_some())
            .map(|look| look.mailbox)
            .collect();
        let switched: BTreeSet<i64> = rows.iter().filter(is_switched).map(|row| row.mailbox).collect();
        let of_switched = looks.iter().filter(|look| look.side == Side::Source && switched.contains(&look.mailbox));
        found.read_at(of_switched.map(|look| look.seen_at).filter(|at| *at > 0));
        let is_off = |row: &&MailboxRow| is_switched(row) && !is_changed && !on.contains(&row.mailbox);
        let is_so =
            if is_changed { "mail goes to the target by itself" } else { "each forwards until mail goes there" };
        found.unless(
            NAME,
            names(rows.iter().filter(is_off)),
            is_so,
            "do not forward, or were not looked into, and mail still comes to the old servers",
        );
        Ok(())
    }

    /// Legacy domains: as the last look at the DNS found them.
    async fn legacy(&self, rows: &[MailboxRow], found: &mut Gathered) -> Result<(), Error> {
        let Some(settings) = self.config.file.mx.as_deref() else {
            let names = ["mx-changed", "forwarders-only-after-mx"];
            found.unknown(&names, "the project's file has no [mx]: no legacy domain is named");
            return Ok(());
        };
        let (mut left, mut read) = (Vec::new(), Vec::new());
        let words = self.store.rule_words(self.key).await?;
        for (domain, wanted) in settings.domains.keys().zip(settings.wanted()?) {
            let is_unused =
                words.iter().any(|word| word.withdrawn.is_none() && word.is.rule == format!("mx-not-used/{domain}"));
            let looks = self.store.mx_looks(self.key, domain).await?;
            let looks: Vec<Observation> = looks.iter().filter_map(|what| serde_json::from_str(what).ok()).collect();
            read.extend(looks.iter().map(|look| look.at.as_millisecond()).max());
            let is_moved = mx::history::changed_at(&looks, &wanted).is_some();
            if !is_unused && !is_moved {
                left.push(domain.clone());
            }
        }
        self.redirects(rows, left.is_empty(), found).await?;
        // Of domains that are not used nothing has to be read.
        if left.is_empty() && read.is_empty() {
            found.read_now();
        } else {
            found.read_at(read);
        }
        found.unless(
            "mx-changed",
            left,
            "each domain's mail goes to the target, as the DNS was last read",
            "do not point to the target yet",
        );
        Ok(())
    }
}
