//! One person's mail in every state of their switch, and while each step is pending: saga, undo and the move of the MX.

use routing::{Directory, Domain, DomainRule, Fault, Followed, Mx, Pending, Route, Sender};

use crate::world::{SOURCE, TARGET, Words, alias, coexistence, empty, faults, mailbox, redirect};

const NEW: &str = "ann@new.example";
const OLD: &str = "ann@old.example";

/// Ann, followed so, with this at the source and that on the target. No change is pending.
fn ann(followed: Followed, at_source: Route, on_target: Route) -> Directory {
    let mut directory = empty();
    directory.with_ann().follows("ann", followed).at(SOURCE, OLD, at_source).at(TARGET, NEW, on_target);
    directory
}

/// The target knows the legacy domain, too, and asks the source about whom it doesn't.
fn target_takes_legacy_mail(directory: &mut Directory) {
    let rule = DomainRule::InternalRelay { sender: Sender::TrustedRelay };
    directory.target.domains.insert(Domain::new("old.example"), Pending::settled(rule));
}

fn mx(directory: &mut Directory, mx: Pending<Mx>) {
    directory.mx.insert(Domain::new("old.example"), mx);
}

#[test]
fn unswitched_with_an_account_in_use_looks_into_both() {
    assert_eq!(faults(&ann(Followed::Either, mailbox("ann"), mailbox("ann"))), []);
}

#[test]
fn unswitched_with_a_new_account_needs_the_coexistence_forwarder() {
    assert_eq!(faults(&ann(Followed::Source, mailbox("ann"), coexistence(OLD))), []);
    let without = ann(Followed::Source, mailbox("ann"), mailbox("ann"));
    assert_eq!(without.found(), [("not-followed", NEW.to_owned())]);
}

#[test]
fn a_coexistence_forwarder_that_is_not_there_yet_counts_as_missing() {
    let mut directory = ann(Followed::Source, mailbox("ann"), coexistence(OLD));
    directory.changing(TARGET, NEW, mailbox("ann"), coexistence(OLD));
    assert_eq!(faults(&directory), [Fault::NotFollowed]);
}

#[test]
fn each_step_of_the_saga_in_its_order_is_without_fault() {
    // Forwarder off, not read back; read back; redirect on, not read back; read back; settled.
    let mut directory = ann(Followed::Either, mailbox("ann"), mailbox("ann"));
    directory.changing(TARGET, NEW, coexistence(OLD), mailbox("ann"));
    assert_eq!(faults(&directory), []);
    directory.at(TARGET, NEW, mailbox("ann"));
    assert_eq!(faults(&directory), []);
    directory.changing(SOURCE, OLD, mailbox("ann"), redirect(NEW));
    assert_eq!(faults(&directory), []);
    directory.at(SOURCE, OLD, redirect(NEW));
    assert_eq!(faults(&directory), []);
    directory.follows("ann", Followed::Target);
    assert_eq!(faults(&directory), []);
}

#[test]
fn forwarder_off_and_redirect_on_in_the_other_order_are_a_loop() {
    let mut directory = ann(Followed::Either, redirect(NEW), coexistence(OLD));
    let both = [("loop", NEW.to_owned()), ("loop", OLD.to_owned())];
    let loops = |directory: &Directory| {
        let found = directory.found();
        both.iter().all(|each| found.contains(each))
    };
    assert!(loops(&directory), "{:?}", directory.found());
    directory.changing(SOURCE, OLD, mailbox("ann"), redirect(NEW));
    assert!(loops(&directory), "{:?}", directory.found());
    // Both at once, none of them read back.
    directory.changing(TARGET, NEW, coexistence(OLD), mailbox("ann"));
    assert!(loops(&directory), "{:?}", directory.found());
    directory.at(TARGET, NEW, mailbox("ann"));
    assert_eq!(faults(&directory), []);
}

#[test]
fn settled_while_the_source_still_delivers_is_not_followed() {
    let directory = ann(Followed::Target, mailbox("ann"), mailbox("ann"));
    assert_eq!(directory.found(), [("not-followed", OLD.to_owned())]);
}

#[test]
fn undo_takes_the_redirect_off_before_the_forwarder_goes_on() {
    let mut directory = ann(Followed::Either, redirect(NEW), mailbox("ann"));
    directory.changing(SOURCE, OLD, redirect(NEW), mailbox("ann"));
    assert_eq!(faults(&directory), []);
    directory.at(SOURCE, OLD, mailbox("ann")).changing(TARGET, NEW, mailbox("ann"), coexistence(OLD));
    assert_eq!(faults(&directory), []);
    directory.at(TARGET, NEW, coexistence(OLD)).follows("ann", Followed::Source);
    assert_eq!(faults(&directory), []);
    // In the other order.
    directory.follows("ann", Followed::Either).changing(SOURCE, OLD, redirect(NEW), mailbox("ann"));
    assert_eq!(faults(&directory), [Fault::Loop]);
}

#[test]
fn an_address_of_the_target_that_the_source_keeps_to_itself_goes_round_with_the_redirect() {
    let mut directory = ann(Followed::Either, redirect(NEW), mailbox("ann"));
    let rule = DomainRule::InternalRelay { sender: Sender::TrustedRelay };
    directory.source.domains.insert(Domain::new("new.example"), Pending::settled(rule));
    assert_eq!(faults(&directory), []);
    // Mail between those who are not switched used to stay at the source.
    directory.at(SOURCE, NEW, alias(OLD));
    assert_eq!(faults(&directory), [Fault::Loop]);
}

#[test]
fn legacy_addresses_are_on_the_target_before_the_mx_moves() {
    let mut directory = ann(Followed::Target, redirect(NEW), mailbox("ann"));
    let moving = Pending::changing(Mx::Site(SOURCE), Mx::Site(TARGET));
    mx(&mut directory, moving);
    // The target does not take the domain at all, then does not know the address, then does.
    assert_eq!(directory.found(), [("black-hole", OLD.to_owned())]);
    directory.target.domains.insert(Domain::new("old.example"), Pending::settled(DomainRule::Authoritative));
    assert_eq!(directory.found(), [("black-hole", OLD.to_owned())]);
    directory.changing(TARGET, OLD, Route::Absent, alias(NEW));
    assert_eq!(directory.found(), [("black-hole", OLD.to_owned())]);
    directory.at(TARGET, OLD, alias(NEW));
    assert_eq!(faults(&directory), []);
    // Moved, and the redirect is gone with the local mail system.
    mx(&mut directory, Pending::settled(Mx::Site(TARGET)));
    assert_eq!(faults(&directory), []);
}

#[test]
fn the_mx_may_move_early_where_the_target_asks_the_source_about_the_rest() {
    let mut directory = ann(Followed::Source, mailbox("ann"), coexistence(OLD));
    target_takes_legacy_mail(&mut directory);
    mx(&mut directory, Pending::changing(Mx::Site(SOURCE), Mx::Site(TARGET)));
    assert_eq!(faults(&directory), []);
    // But not where the source asks back.
    let rule = DomainRule::InternalRelay { sender: Sender::TrustedRelay };
    directory.source.domains.insert(Domain::new("old.example"), Pending::settled(rule));
    directory.changing(SOURCE, OLD, mailbox("ann"), Route::Absent);
    assert_eq!(faults(&directory), [Fault::Loop]);
}

#[test]
fn a_coexistence_forwarder_to_a_legacy_address_that_the_target_calls_its_own_is_a_loop() {
    let mut directory = ann(Followed::Source, mailbox("ann"), coexistence(OLD));
    target_takes_legacy_mail(&mut directory);
    directory.at(TARGET, OLD, alias(NEW));
    assert_eq!(faults(&directory), [Fault::Loop]);
}
