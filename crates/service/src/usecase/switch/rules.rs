//! Looks at the rules of a mailbox that is about to be switched.

use connector::Routing;
use model::{Cause, Side};
use movement::{Failure, waits_for_a_word};
use store::{FoundRouting, IssueState, MailboxRow, ProjectKey, RuleScope, RuleWord, Store};
use switch::{Rule, Task, Verdict};

use super::driver::{DAY_MS, Switcher};
use super::look::sign_about_unread;
use super::subject::Subject;
use crate::usecase::governed::Governs;
use crate::when;

/// What was compared longer ago tells nothing of today: people give and take rights every day.
const SHARING_DAYS: i64 = 7;

impl Switcher {
    /// What came of looking at every rule that is asked for. The last ones ask servers, and only where all others are met.
    pub(crate) async fn verdicts(&self, of: Subject<'_>) -> Result<Vec<Verdict>, Failure> {
        let words = of.store.rule_words(of.key).await?;
        let governs = match &self.gates {
            Some(gates) => Box::pin(gates.governs(of.store, of.key)).await,
            None => Ok(None),
        };
        let governs = governs.map_err(|error| Failure::internal(&error.what))?;
        let asked = self.entry.rules();
        // A governed project's type says whether calendars are shared during the migration.
        let needs_calendars = governs.as_ref().is_some_and(|governs| governs.coexists);
        let is_asked = |rule: &Rule| asked.contains(rule) || (needs_calendars && *rule == Rule::CalendarCoexistence);
        let mut verdicts: Vec<Verdict> = Vec::new();
        for rule in Rule::EVERY.into_iter().filter(is_asked) {
            let asks_servers = matches!(rule, Rule::AddressesFree | Rule::ForwardersAbsent | Rule::RoutingClean);
            if asks_servers && verdicts.iter().any(|verdict| !verdict.is_met) {
                break;
            }
            verdicts.push(self.verdict(of, rule, &words, governs.as_ref()).await?);
        }
        Ok(verdicts)
    }

    async fn verdict(
        &self,
        of: Subject<'_>,
        rule: Rule,
        words: &[RuleWord],
        governs: Option<&Governs>,
    ) -> Result<Verdict, Failure> {
        let row = of.row;
        let met = |evidence: String| Verdict { rule, is_met: true, evidence };
        let unmet = |evidence: String| Verdict { rule, is_met: false, evidence };
        let word = word_of(words, rule, row.mailbox, row.roster.collection.as_deref());
        // Who is seen not to have logged in is switched only where somebody names them.
        let is_by_name = |word: &&RuleWord| {
            rule != Rule::AccountActivated
                || row.roster.activated != Some(false)
                || matches!(word.is.scope, RuleScope::Mailbox(_))
        };
        // The go of a governed project is its programme's.
        let may_be_signed = rule.may_be_signed() && !(rule == Rule::Go && governs.is_some());
        if let Some(word) = word.filter(|_| may_be_signed).filter(is_by_name) {
            return Ok(met(said(word)));
        }
        let sign = || {
            let name = rule.name();
            unmet(format!("nobody has signed for it: whimbrel signoff record {name} --by NAME --evidence FILE"))
        };
        Ok(match rule {
            Rule::InStep => match (row.pass, waits_for_a_word(of.store, of.key, row.mailbox).await?) {
                (Some(_), Some(why)) => unmet(why),
                (Some((_, ended)), None) => {
                    met(format!("its last complete pass ended {}", when::shown(ended, &self.zone)))
                }
                (None, _) => unmet("no pass over it was complete yet".to_owned()),
            },
            Rule::MatchSignedOff if self.is_match_signed => {
                met("it is on the roster, by a signed match or named by hand, and not withheld".to_owned())
            }
            Rule::AccountActivated if row.roster.activated == Some(true) => {
                met("its person has logged in on the target".to_owned())
            }
            Rule::AccountActivated if row.roster.activated == Some(false) => unmet(
                "its person has not logged in on the target yet; whoever switches it all the same signs for it by name"
                    .to_owned(),
            ),
            // What has been there before is in use where nothing tells more.
            Rule::AccountActivated if row.roster.target_in_use && !row.roster.new_account => {
                met("its person had the account before".to_owned())
            }
            Rule::AddressBooks if row.roster.in_books == Some(true) => {
                met("both address books have it, as they were last read".to_owned())
            }
            Rule::AddressBooks if row.roster.in_books == Some(false) => {
                unmet("one of the address books lacks it: whimbrel addressbook compare tells which".to_owned())
            }
            Rule::SharingInPlace if row.sharing.is_some() => self.sharing_in_place(row, of.store.now().await?),
            Rule::ProgrammeAllows => Box::pin(self.programme_allows(of)).await?,
            Rule::Go if governs.is_some() => Verdict { rule, ..Box::pin(self.programme_allows(of)).await? },
            Rule::CalendarCoexistence if governs.is_some_and(|governs| !governs.coexists) => {
                met("a project of this type shares no calendars during the migration".to_owned())
            }
            Rule::NoOpenIssue => {
                let issues = of.store.issues(of.key).await?;
                let is_open = |issue: &&store::IssueRow| {
                    issue.is.mailbox == Some(row.mailbox) && issue.state != IssueState::Closed
                };
                let open: Vec<String> = issues.iter().filter(is_open).map(|issue| issue.issue.to_string()).collect();
                if open.is_empty() {
                    met("none is open".to_owned())
                } else {
                    unmet(format!("open are {}: whimbrel issue show tells more", open.join(", ")))
                }
            }
            Rule::TargetOpens => met(format!("the pass that ended {} opened it", self.passed_at(row))),
            Rule::QuotaRoom => {
                met(format!("all that was there has found room, in the pass that ended {}", self.passed_at(row)))
            }
            Rule::AddressesFree => {
                let (is_met, evidence) = self.addresses_free(of).await?;
                Verdict { rule, is_met, evidence }
            }
            Rule::ForwardersAbsent => self.forwarders_absent(of).await?,
            Rule::RoutingClean => {
                let mut faults = self.faults(of, Task::ForwarderOff).await?;
                faults.extend(self.faults(of, Task::RedirectOn).await?);
                match faults.first() {
                    None => met("every address reaches one followed mailbox, before, during and after".to_owned()),
                    Some(first) => unmet(format!("{} in all; the first: {first}", faults.len())),
                }
            }
            Rule::AccountActivated
            | Rule::MatchSignedOff
            | Rule::AddressBooks
            | Rule::SharingInPlace
            | Rule::CalendarCoexistence
            | Rule::ForwardingDecided
            | Rule::Go => sign(),
        })
    }

    /// Is a governed project at a stage that allows the switch?
    async fn programme_allows(&self, of: Subject<'_>) -> Result<Verdict, Failure> {
        let rule = Rule::ProgrammeAllows;
        let Some(gates) = &self.gates else {
            return Ok(Verdict { rule, is_met: true, evidence: "the project is not governed".to_owned() });
        };
        let against = Box::pin(gates.against_switch(of.store, of.key, &of.row.roster.source_name)).await;
        let against = against.map_err(|error| Failure::internal(&error.what))?;
        Ok(match against {
            None => Verdict {
                rule,
                is_met: true,
                evidence: "the programme allows it, or the project is not governed".to_owned(),
            },
            Some(refusal) => {
                let what = refusal.what.lines().next().unwrap_or_default();
                let advice = refusal.advice.unwrap_or_default();
                Verdict { rule, is_met: false, evidence: format!("{what}. {advice}") }
            }
        })
    }

    /// When the last complete pass over a mailbox ended, for people.
    fn passed_at(&self, row: &MailboxRow) -> String {
        row.pass.map_or_else(|| "just now".to_owned(), |(_, ended)| when::shown(ended, &self.zone))
    }

    /// Are the rights of the mailbox and of its person there? As they were last compared.
    fn sharing_in_place(&self, row: &MailboxRow, now: i64) -> Verdict {
        let (at_ms, missing) = row.sharing.unwrap_or_default();
        let at = when::shown(at_ms, &self.zone);
        let is_old = now.saturating_sub(at_ms) > SHARING_DAYS * DAY_MS;
        let evidence = match missing {
            0 if is_old => {
                format!("it was read last {at}, more than {SHARING_DAYS} days ago: sharing compare looks again")
            }
            0 => format!("nothing was missing when sharing compare read it {at}"),
            _ => format!("{missing} rights were missing {at}: sharing inject gives them, sharing compare looks again"),
        };
        Verdict { rule: Rule::SharingInPlace, is_met: missing == 0 && !is_old, evidence }
    }

    /// Looks for what sends the mailbox's mail on and is not ours, on both sides, and keeps what was found.
    async fn forwarders_absent(&self, of: Subject<'_>) -> Result<Verdict, Failure> {
        let rule = Rule::ForwardersAbsent;
        if self.router(of, Side::Source).is_none() {
            let evidence = "the source has no router: add one under [routers]".to_owned();
            return Ok(Verdict { rule, is_met: false, evidence });
        }
        if self.router(of, Side::Target).is_none() && of.store.forwarder(of.key, of.row.mailbox).await?.is_some() {
            let evidence =
                "the target forwards to the source, on record, and has no router: give it back the one it had";
            return Ok(Verdict { rule, is_met: false, evidence: evidence.to_owned() });
        }
        let (left, unread) = match self.others(of).await {
            Err(failure) if failure.error.cause == Cause::Awaiting => {
                return Ok(Verdict { rule, is_met: false, evidence: failure.to_string() });
            }
            found => found?,
        };
        let (is_met, evidence) = match (left.first(), unread.first(), self.word_about_unread(of).await?) {
            (None, None, _) => (true, "none was found".to_owned()),
            (None, Some(_), Some(word)) => (true, format!("none was found; of what can't be read: {word}")),
            (None, Some(first), None) => {
                (false, format!("{first}; look there, then: {}", sign_about_unread(&of.row.roster.source_name)))
            }
            (Some(_), _, _) => (false, format!("its mail is sent on by {}: have it removed", left.join("; "))),
        };
        Ok(Verdict { rule, is_met, evidence })
    }
}

/// Keeps what was found of where a mailbox's mail goes on a side.
pub(crate) async fn keep_found(
    store: &Store,
    key: ProjectKey,
    (mailbox, side): (i64, Side),
    routing: &Routing,
) -> Result<(), store::Error> {
    let redirected_to = routing.redirected_to().map(str::to_owned);
    let found = FoundRouting { mailbox, side, redirected_to, unread: routing.unread.clone(), seen_at: 0 };
    let texts = routing.others.iter().map(|other| serde_json::json!(other).to_string());
    store.set_found_routing(key, &found, &texts.collect::<Vec<_>>()).await
}

/// The word about a rule that counts for a mailbox: the one that is most its own, the last one of these.
pub(crate) fn word_of<'w>(
    words: &'w [RuleWord],
    rule: Rule,
    mailbox: i64,
    collection: Option<&str>,
) -> Option<&'w RuleWord> {
    let own = |word: &&RuleWord| match &word.is.scope {
        RuleScope::Mailbox(number) => (*number == mailbox).then_some(2),
        RuleScope::Collection(name) => (collection == Some(name)).then_some(1),
        RuleScope::Everybody => Some(0),
    };
    let counts = |word: &&RuleWord| word.withdrawn.is_none() && word.is.rule == rule.name() && own(word).is_some();
    words.iter().filter(counts).max_by_key(|word| (own(word), word.word))
}

pub(crate) fn said(word: &RuleWord) -> String {
    format!("signed by {} ({}; sign-off {})", word.is.said_by, word.is.evidence, word.word)
}

#[cfg(test)]
mod tests {
    use store::NewRuleWord;

    use super::*;

    fn word(number: i64, scope: RuleScope, withdrawn: bool) -> RuleWord {
        RuleWord {
            word: number,
            is: NewRuleWord {
                rule: "go".to_owned(),
                scope,
                said_by: format!("signer {number}"),
                evidence: "letter".to_owned(),
                digest: None,
                recorded_by: "me".to_owned(),
            },
            recorded_at: 0,
            withdrawn: withdrawn.then(|| ("me".to_owned(), 1)),
        }
    }

    #[test]
    fn the_word_that_is_most_its_own_counts() {
        let words = [
            word(1, RuleScope::Everybody, false),
            word(2, RuleScope::Collection("A".to_owned()), false),
            word(3, RuleScope::Mailbox(7), true),
            word(4, RuleScope::Mailbox(8), false),
        ];
        let number = |mailbox, collection| word_of(&words, Rule::Go, mailbox, collection).map(|word| word.word);
        assert_eq!(number(7, Some("A")), Some(2), "what was taken back does not count");
        assert_eq!(number(8, Some("A")), Some(4));
        assert_eq!(number(9, Some("B")), Some(1));
        assert_eq!(word_of(&words, Rule::SharingInPlace, 7, None), None);
    }
}
