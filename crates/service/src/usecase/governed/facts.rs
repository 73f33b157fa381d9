//! What the database knows of a governed project: the facts that criteria of its gates ask for.
//!
//! Nothing is asked of a server here: what is told is what was last read. What can't be known yet is not met, and says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use model::{Cause, Phase, Side};
use mx::history::Observation;
use people::Class;
use programme::{FACTS, Fact, Facts, Verdict};
use store::{IssueState, MailboxRow};

use super::Governed;
use crate::Error;
use crate::usecase::people::PeopleProject;

/// So many names are told of what stands against a fact.
const OFFENDERS_MAX: usize = 50;

/// What is gathered.
struct Gathered {
    facts: BTreeMap<String, Fact>,
    at: Timestamp,
}

impl Gathered {
    /// A fact that is so where nothing stands against it.
    fn unless(&mut self, name: &str, offenders: Vec<String>, is_so: &str, is_not: &str) {
        let text = if offenders.is_empty() { is_so.to_owned() } else { format!("{}: {is_not}", offenders.len()) };
        let fact = Fact { is_met: offenders.is_empty(), text, offenders, as_of: self.at };
        self.put(name, fact);
    }

    fn so(&mut self, name: &str, is_met: bool, text: impl Into<String>) {
        let fact = Fact { is_met, text: text.into(), offenders: Vec::new(), as_of: self.at };
        self.put(name, fact);
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

fn names<'r>(rows: impl IntoIterator<Item = &'r MailboxRow>) -> Vec<String> {
    rows.into_iter().map(|row| row.roster.source_name.clone()).collect()
}

impl Governed {
    /// What is known now.
    pub(crate) async fn facts(&self) -> Result<Facts, Error> {
        let (store, key) = (&self.store, self.key);
        let at = Timestamp::from_millisecond(store.now().await?).unwrap_or_default();
        let mut found = Gathered { facts: BTreeMap::new(), at };
        let mut rows = store.mailboxes(key).await?;
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
        let without = self.people(&mut found).await?;
        for (name, counts_aside) in [("all-in-scope-through-switch", true), ("people-switched", false)] {
            if rows.is_empty() {
                found.so(name, false, "nobody is on the roster yet");
                continue;
            }
            let is_left = |row: &&MailboxRow| row.state.phase < Phase::Switched && !(counts_aside && is_aside(row));
            let mut left = names(rows.iter().filter(is_left));
            left.extend(without.iter().cloned());
            let is_so = if counts_aside { "all are switched or have a disposition" } else { "all are switched" };
            found.unless(name, left, is_so, "are not switched");
        }
        self.forwarders(&rows, &mut found).await?;
        self.mailboxes(&rows, &mut found).await?;
        self.issues(&mut found).await?;
        let is_reported = self.config.file.reports.is_some();
        let how = if is_reported { "[reports] says when and to whom" } else { "the project's file has no [reports]" };
        found.so("reports-set-up", is_reported, how);
        self.legacy(&mut found).await?;
        self.decided(&mut found);
        Ok(Facts { facts: found.facts, ..Facts::default() })
    }

    /// Names of the mailboxes of the pilot's collections.
    async fn pilot(&self) -> Result<BTreeSet<i64>, Error> {
        let of = self.store.mailbox_facts(self.key).await?;
        let is_pilot = |name: &str| self.config.file.programme.pilot.iter().any(|known| known == name);
        let collections = self.store.collections(self.key).await?;
        let numbers: BTreeSet<i64> =
            collections.iter().filter(|row| is_pilot(&row.is.name)).map(|row| row.collection).collect();
        let is_in = |facts: &store::MailboxFacts| facts.member_of.is_some_and(|number| numbers.contains(&number));
        Ok(of.iter().filter(|(_, facts)| is_in(facts)).map(|(mailbox, _)| *mailbox).collect())
    }

    async fn forwarders(&self, rows: &[MailboxRow], found: &mut Gathered) -> Result<(), Error> {
        let called: HashMap<i64, &str> =
            rows.iter().map(|row| (row.mailbox, row.roster.source_name.as_str())).collect();
        let ours = self.store.forwarders(self.key).await?;
        let theirs = self.store.found_forwarders(self.key).await?;
        let name =
            |mailbox: i64| called.get(&mailbox).map_or_else(|| format!("mailbox {mailbox}"), |name| (*name).to_owned());
        // Of whom nobody has looked, or not all could be read, it is not known.
        let seen: BTreeSet<i64> = self
            .store
            .found_routings(self.key)
            .await?
            .into_iter()
            .filter(|look| look.side == Side::Source && look.unread.is_empty())
            .map(|look| look.mailbox)
            .collect();
        let left: BTreeSet<String> = ours
            .iter()
            .filter(|row| row.off_at.is_none())
            .map(|row| name(row.is.mailbox))
            .chain(theirs.iter().filter(|row| row.side == Side::Source).map(|row| name(row.mailbox)))
            .chain(rows.iter().filter(|row| !seen.contains(&row.mailbox)).map(|row| name(row.mailbox)))
            .collect();
        let left: Vec<String> = left.into_iter().collect();
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
                found.unless(name, offenders, is_so, is_not);
            }
        }
        Ok(())
    }

    async fn issues(&self, found: &mut Gathered) -> Result<(), Error> {
        let pilot = self.pilot().await?;
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
            found.so("pilot-issues-have-actions", false, "no collection is the pilot's: [programme] pilot names them");
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

    /// Whose account is whose, and which are to be made. Who has none yet, or of whom that is not decided.
    async fn people(&self, found: &mut Gathered) -> Result<Vec<String>, Error> {
        let Some(entry) = self.config.file.people.clone() else {
            for name in ["addresses-matched", "new-accounts-provisioned", "pilot-accounts-provisioned"] {
                found.so(name, false, "the project's file has no [people]: nobody knows who has which account");
            }
            return Ok(Vec::new());
        };
        let plane = PeopleProject::of(self.config.clone(), entry, self.store.clone(), self.key, self.actor.clone())?;
        let known = plane.known().await?;
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
            return Ok(Vec::new());
        }
        let without = missing.iter().chain(&open).cloned().collect();
        found.unless("addresses-matched", open, "everybody is matched, or known to be new", "are not decided");
        found.unless("new-accounts-provisioned", missing.clone(), "every new account is there", "have no account yet");
        found.unless("pilot-accounts-provisioned", missing, "every new account is there", "have no account yet");
        Ok(without)
    }

    /// What can't be looked up is known by a decision of that name: somebody says it, with why.
    fn decided(&self, found: &mut Gathered) {
        for (name, _) in FACTS {
            let decision = self.record.decisions.get(name).and_then(|decisions| decisions.last());
            if let (Some(decision), false) = (decision, found.facts.contains_key(name)) {
                let text = format!("decided by {}: {}", decision.by, decision.outcome);
                let (is_met, as_of) = (decision.verdict == Verdict::Yes, decision.said.at);
                found.put(name, Fact { is_met, text, offenders: Vec::new(), as_of });
            }
        }
    }

    /// Legacy domains: as the last look at the DNS found them.
    async fn legacy(&self, found: &mut Gathered) -> Result<(), Error> {
        let Some(settings) = self.config.file.mx.as_deref() else {
            found.so("mx-changed", false, "the project's file has no [mx]");
            return Ok(());
        };
        let mut left = Vec::new();
        let words = self.store.rule_words(self.key).await?;
        for (domain, wanted) in settings.domains.keys().zip(settings.wanted()?) {
            let is_unused =
                words.iter().any(|word| word.withdrawn.is_none() && word.is.rule == format!("mx-not-used/{domain}"));
            let looks = self.store.mx_looks(self.key, domain).await?;
            let looks: Vec<Observation> = looks.iter().filter_map(|what| serde_json::from_str(what).ok()).collect();
            let is_moved = mx::history::changed_at(&looks, &wanted).is_some();
            if !is_unused && !is_moved {
                left.push(domain.clone());
            }
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
