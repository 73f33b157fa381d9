//! Forwarders that hang on mailboxes, several redirects at once, and rules with conditions.

use routing::{Directory, Fault, Followed, ForwarderKind, MailboxRule, Pending, Place, Route, Step, Taken};

use crate::world::{SOURCE, TARGET, Words, alias, check, empty, faults, list, mailbox, person, sends_on};

/// Ann has two addresses at the source and one on the target.
fn ann(followed: Followed) -> Directory {
    let mut directory = empty();
    directory
        .follows("ann", followed)
        .at(SOURCE, "ann@old.example", mailbox("ann"))
        .at(SOURCE, "a@old.example", mailbox("ann"))
        .at(TARGET, "ann@new.example", mailbox("ann"))
        .owned("ann@old.example", "ann")
        .owned("a@old.example", "ann")
        .owned("ann@new.example", "ann");
    directory
}

fn at_source(directory: &mut Directory, rule: Pending<MailboxRule>) {
    directory.source.mailboxes.insert(person("ann"), rule);
}

fn redirects() -> MailboxRule {
    sends_on(&["ann@new.example"], false, ForwarderKind::Redirect)
}

#[test]
fn one_change_of_a_mailbox_is_one_change_for_all_its_addresses() {
    let mut directory = ann(Followed::Either);
    directory.source.resolves_to_mailbox = true;
    // Either address is redirected or both are: so whoever gets both names of a list gets one message.
    directory.at(SOURCE, "all@old.example", list(&["ann@old.example", "a@old.example"]));
    directory.reaching("all@old.example", &["ann"]);
    at_source(&mut directory, Pending::changing(MailboxRule::Deliver, redirects()));
    assert_eq!(check(&directory), []);
    at_source(&mut directory, Pending::settled(redirects()));
    directory.follows("ann", Followed::Target);
    assert_eq!(check(&directory), []);
    // The other one's forwarder back, also on the mailbox.
    let back = sends_on(&["a@old.example"], false, ForwarderKind::Coexistence);
    directory.target.mailboxes.insert(person("ann"), Pending::changing(MailboxRule::Deliver, back));
    assert!(faults(&directory).contains(&Fault::Loop));
    let findings = check(&directory);
    let shown = findings.iter().find(|finding| finding.fault == Fault::Loop).unwrap().to_string();
    assert!(shown.contains("target mailbox of ann [new]: to a@old.example (coexistence forwarder, F1)"), "{shown}");
}

#[test]
fn two_addresses_of_one_mailbox_are_one_recipient_where_the_site_resolves_to_the_mailbox() {
    let mut directory = ann(Followed::Source);
    directory.at(TARGET, "ann@new.example", alias("ann@old.example"));
    directory.at(SOURCE, "all@old.example", list(&["ann@old.example", "a@old.example"]));
    directory.reaching("all@old.example", &["ann"]);
    assert_eq!(directory.found(), [("twice", "all@old.example".to_owned())]);
    directory.source.resolves_to_mailbox = true;
    assert_eq!(check(&directory), []);
}

#[test]
fn several_redirects_are_several_messages() {
    let mut directory = ann(Followed::Either);
    at_source(
        &mut directory,
        Pending::settled(sends_on(&["ann@new.example", "a@new.example"], false, ForwarderKind::OwnRule)),
    );
    directory.at(TARGET, "a@new.example", Route::Refuse);
    assert_eq!(
        directory.found(),
        [("black-hole", "a@old.example".to_owned()), ("black-hole", "ann@old.example".to_owned())]
    );
    directory.at(TARGET, "a@new.example", alias("ann@new.example"));
    assert_eq!(faults(&directory), [Fault::Twice]);
    at_source(
        &mut directory,
        Pending::settled(sends_on(&["ann@new.example", "ann@new.example"], false, ForwarderKind::OwnRule)),
    );
    assert_eq!(check(&directory), [], "the same one twice is one");
    at_source(&mut directory, Pending::settled(sends_on(&[], false, ForwarderKind::OwnRule)));
    assert_eq!(faults(&directory), [Fault::BlackHole]);
    assert!(check(&directory)[0].to_string().contains("mailbox of ann: thrown away"), "{}", check(&directory)[0]);
}

#[test]
fn a_rule_with_conditions_may_do_either_for_good() {
    let mut directory = ann(Followed::Target);
    at_source(&mut directory, Pending::settled(MailboxRule::Either(vec![redirects(), MailboxRule::Deliver])));
    let finding = &check(&directory)[0];
    assert_eq!(faults(&directory), [Fault::NotFollowed]);
    let last = finding.witness.hops.last().unwrap();
    assert_eq!((&last.place, last.taken, last.is_conditional), (&Place::Mailbox(person("ann")), Taken::Settled, true));
    assert_eq!(last.step, Step::Delivered(person("ann")));
    assert!(finding.to_string().contains("source mailbox of ann [some messages]: stays there"), "{finding}");
    // What is about to come on top of that is old or new as well.
    directory.follows("ann", Followed::Either);
    let rule =
        MailboxRule::Either(vec![MailboxRule::Deliver, sends_on(&["a@old.example"], false, ForwarderKind::OwnRule)]);
    at_source(&mut directory, Pending::changing(redirects(), rule));
    assert_eq!(faults(&directory), [Fault::Loop]);
    let shown = check(&directory)[0].to_string();
    assert!(shown.contains("source mailbox of ann [new] [some messages]: to a@old.example (own rule)"), "{shown}");
    // An address may hang on the message, too; of nothing comes nothing.
    let mut directory = ann(Followed::Either);
    directory.at(SOURCE, "a@old.example", Route::Either(vec![mailbox("ann"), Route::Refuse]));
    assert_eq!(directory.found(), [("black-hole", "a@old.example".to_owned())]);
    directory.at(SOURCE, "a@old.example", Route::Either(Vec::new()));
    assert_eq!(directory.found(), [("black-hole", "a@old.example".to_owned())]);
}
