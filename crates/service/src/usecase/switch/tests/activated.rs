//! Who has logged in on the target before their switch.

use model::Phase;
use store::{NewForwarder, NewRuleWord, RosterRow, RuleScope};
use switch::Rule;

use super::{ANN, Project};

impl Project {
    /// The roster says this of ann from now on.
    async fn enroll(&self, change: impl FnOnce(&mut RosterRow)) {
        let (store, key) = (&self.engine.store, self.engine.key);
        let mut row = store.mailbox(key, self.mailbox).await.unwrap().unwrap().roster;
        change(&mut row);
        store.enroll(key, &[row]).await.unwrap();
    }

    async fn sign(&self, rule: Rule, scope: RuleScope) {
        let word = NewRuleWord {
            rule: rule.name().to_owned(),
            scope,
            said_by: "Sue".to_owned(),
            evidence: "letter".to_owned(),
            digest: None,
            recorded_by: "me".to_owned(),
        };
        self.engine.store.add_rule_word(self.engine.key, &word).await.unwrap();
    }

    /// Why it does not switch.
    async fn waits_for(&self) -> String {
        let outcome = self.turn().await;
        assert_eq!(outcome.state.phase, Phase::InStep, "{outcome:?}");
        outcome.state.condition.reason().unwrap_or_default().to_owned()
    }
}

/// They look at the source until the switch looks there: their forwarder needs nobody's word, is on though they have logged in, and is on
/// again after an undo, so that nothing waits for them where nobody looks.
#[tokio::test]
async fn a_new_account_whose_person_has_logged_in_is_forwarded_before_the_switch_and_after_an_undo() {
    let project = Project::without_forwarder(&[]).await;
    project.enroll(|row| (row.target_in_use, row.activated) = (true, Some(true))).await;
    project.forward().await;
    project.turn().await;
    assert_eq!(project.sites.mail().redirects.get(ANN[1]).map(String::as_str), Some(ANN[0]), "it is on");
    let mut sent: Vec<usize> = ANN.map(|address| project.sites.send(address)).to_vec();
    project.order(false, 0).await;
    sent.extend(project.until_it_ends("over").await);
    project.judge(&sent, "over").await;
    project.order(true, 0).await;
    sent.extend(project.until_it_ends("back").await);
    project.judge(&sent, "back").await;
}

/// All mail in an account that was there before would go elsewhere: not without their guardian's word.
#[tokio::test]
async fn an_account_that_was_there_before_is_not_forwarded() {
    let project = Project::without_forwarder(&[]).await;
    project.enroll(|row| (row.target_in_use, row.new_account) = (true, false)).await;
    project.forward().await;
    project.turn().await;
    assert!(project.sites.mail().redirects.is_empty());
}

/// A guardian's word has an end: from then on all mail of the account is its person's again.
#[tokio::test]
async fn a_forwarder_ends_with_the_word_that_allowed_it() {
    for (ends, is_on) in [("2999-12-31", true), ("2026-01-31", false)] {
        let project = Project::without_forwarder(&[]).await;
        project.enroll(|row| (row.target_in_use, row.new_account) = (true, false)).await;
        let allowed = Some(["Guardian", "2026-01-01", "letter", ends].map(str::to_owned));
        let (mailbox, said_by) = (project.mailbox, "me".to_owned());
        let forwarder = NewForwarder { mailbox, leads_to: ANN[0].to_owned(), allowed, said_by };
        assert!(project.engine.store.add_forwarder(project.engine.key, &forwarder).await.unwrap());
        // As it was put on while the word held.
        project.sites.mail().redirects.insert(ANN[1].to_owned(), ANN[0].to_owned());
        project.turn().await;
        assert_eq!(project.sites.mail().redirects.contains_key(ANN[1]), is_on, "{ends}");
    }
}

#[tokio::test]
async fn who_is_seen_not_to_have_logged_in_is_switched_only_by_name() {
    let project = Project::new(&[Rule::AccountActivated]).await;
    project.enroll(|row| row.activated = Some(false)).await;
    project.sign(Rule::AccountActivated, RuleScope::Everybody).await;
    project.order(false, 0).await;
    let why = project.waits_for().await;
    assert!(why.contains("account-activated: its person has not logged in"), "{why}");
    project.sign(Rule::AccountActivated, RuleScope::Mailbox(project.mailbox)).await;
    project.until_it_ends("named").await;
    assert_eq!(project.phase().await, Phase::Switched);
}

/// What the people's plane knows is read; nobody's word is asked for it.
#[tokio::test]
async fn what_is_known_is_read_and_needs_no_word() {
    let project = Project::new(&[Rule::AccountActivated, Rule::AddressBooks, Rule::SharingInPlace]).await;
    let (store, key) = (&project.engine.store, project.engine.key);
    project.order(false, 0).await;
    let why = project.waits_for().await;
    assert!(why.contains("signoff record"), "{why}");
    project.enroll(|row| (row.activated, row.in_books) = (Some(true), Some(false))).await;
    let why = project.waits_for().await;
    assert!(why.contains("address-books (and 1 more): one of the address books lacks it"), "{why}");
    project.enroll(|row| row.in_books = Some(true)).await;
    store.record_sharing_compared(key, &[(project.mailbox, 2)]).await.unwrap();
    let why = project.waits_for().await;
    assert!(why.contains("sharing-in-place: 2 rights were missing"), "{why}");
    store.record_sharing_compared(key, &[(project.mailbox, 0)]).await.unwrap();
    project.until_it_ends("known").await;
    assert_eq!(project.phase().await, Phase::Switched);
}
