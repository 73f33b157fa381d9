//! Each fault by example, with what is shown of it.

use std::collections::BTreeSet;

use routing::{
    Domain, DomainRule, Entry, Fault, Followed, ForwarderKind, Mx, Pending, Route, Sender, Step, Taken, Unchecked,
};

use crate::world::{
    SOURCE, TARGET, Words, address, alias, check, coexistence, empty, faults, forward, forward_as, forward_with_copy,
    list, mailbox, person, redirect, relay, relay_as,
};

/// Ann and Bob work at the source, Cid on the target.
fn three() -> routing::Directory {
    let mut directory = empty();
    directory
        .with_ann()
        .follows("bob", Followed::Source)
        .at(SOURCE, "bob@old.example", mailbox("bob"))
        .owned("bob@old.example", "bob")
        .follows("cid", Followed::Target)
        .at(SOURCE, "cid@old.example", redirect("cid@new.example"))
        .at(TARGET, "cid@new.example", mailbox("cid"))
        .owned("cid@old.example", "cid")
        .owned("cid@new.example", "cid");
    directory
}

#[test]
fn all_is_well() {
    assert_eq!(check(&three()), []);
    assert_eq!(check(&empty()), []);
}

#[test]
fn a_loop_is_shown_from_its_entry_to_where_it_closes() {
    let mut directory = three();
    directory.changing(SOURCE, "ann@old.example", mailbox("ann"), redirect("ann@new.example"));
    let findings = check(&directory);
    assert_eq!(directory.found().iter().filter(|(fault, _)| *fault == "loop").count(), 2);
    let finding = findings.iter().find(|finding| finding.address == address("ann@old.example")).unwrap();
    assert_eq!((finding.fault, finding.entry), (Fault::Loop, Entry::Inside(SOURCE)));
    assert_eq!(
        finding.to_string(),
        "Mail for ann@old.example from inside the source goes round without end: \
         source ann@old.example [new]: to ann@new.example (redirect of the switch, F3) → \
         source ann@new.example: to the MX, the target, as a trusted relay → \
         target ann@new.example: to ann@old.example (coexistence forwarder, F1) → \
         target ann@old.example: to the MX, the source, as a trusted relay → \
         source ann@old.example [new]: to ann@new.example (redirect of the switch, F3). \
         Take one of these routes out. Where one of them is new, put it on only after the other was taken off and that was \
         read back."
    );
}

#[test]
fn loops_go_through_lists_copies_and_aliases() {
    let mut directory = three();
    directory
        .at(SOURCE, "all@old.example", list(&["bob@old.example", "all@old.example"]))
        .reaching("all@old.example", &["bob"]);
    assert_eq!(check(&directory), [], "a site resolves each list once");
    directory.at(SOURCE, "all@old.example", list(&["bob@old.example", "back@old.example"]));
    directory.at(SOURCE, "back@old.example", forward("all@old.example", ForwarderKind::OwnRule));
    assert!(directory.found().contains(&("loop", "all@old.example".to_owned())));
    let mut directory = three();
    directory.at(SOURCE, "bob@old.example", forward_with_copy("bob@old.example", "bob"));
    assert!(faults(&directory).contains(&Fault::Loop));
    let mut directory = three();
    directory.at(SOURCE, "x@old.example", alias("y@old.example")).at(SOURCE, "y@old.example", alias("x@old.example"));
    assert_eq!(check(&directory), [], "nobody expects mail there");
    // Two names for each other are no loop, since each is resolved once; but nothing comes of them.
    directory.owned("x@old.example", "bob");
    assert_eq!(directory.found(), [("black-hole", "x@old.example".to_owned())]);
    assert_eq!(
        check(&directory)[0].witness.to_string(),
        "source x@old.example: alias of y@old.example → source y@old.example: alias of x@old.example → \
         source x@old.example: alias of y@old.example"
    );
    // For a list whose others are reached, those behind them are missing.
    directory.expected.remove(&address("x@old.example"));
    directory.at(SOURCE, "all@old.example", list(&["x@old.example", "bob@old.example"]));
    directory.reaching("all@old.example", &["bob", "cid"]);
    assert_eq!(faults(&directory), [Fault::BlackHole, Fault::Missing]);
}

#[test]
fn mail_that_is_refused_or_has_nowhere_to_go_is_a_black_hole() {
    let black_hole = |directory: &routing::Directory| {
        assert_eq!(directory.found(), [("black-hole", "dee@old.example".to_owned())]);
        check(directory)[0].witness.hops.last().unwrap().step.clone()
    };
    let mut directory = three();
    directory.owned("dee@old.example", "dee").follows("dee", Followed::Source);
    assert_eq!(black_hole(&directory), Step::Stopped(routing::Refusal::UnknownRecipient));
    directory.at(SOURCE, "dee@old.example", Route::Refuse);
    assert_eq!(black_hole(&directory), Step::Stopped(routing::Refusal::ByEntry));
    directory.at(SOURCE, "dee@old.example", list(&[]));
    assert_eq!(black_hole(&directory), Step::Stopped(routing::Refusal::NobodyInList));
    directory.at(SOURCE, "dee@old.example", relay());
    assert_eq!(black_hole(&directory), Step::Stopped(routing::Refusal::NotAccepted));
    directory.at(SOURCE, "dee@old.example", mailbox("dee"));
    assert_eq!(check(&directory), []);
    directory.changing(SOURCE, "dee@old.example", mailbox("dee"), Route::Absent);
    assert_eq!(black_hole(&directory), Step::Stopped(routing::Refusal::UnknownRecipient));
    assert_eq!(check(&directory)[0].witness.hops[0].taken, Taken::New);

    let mut directory = empty();
    directory.with_ann().mx.insert(Domain::new("old.example"), Pending::settled(Mx::Nowhere));
    let found = check(&directory);
    let of_old = found.iter().find(|finding| finding.address == address("ann@old.example")).unwrap();
    assert_eq!((of_old.fault, of_old.entry), (Fault::BlackHole, Entry::Inside(TARGET)));
    // The target is the MX and does not know: that it does not send the mail to itself is a refusal, too.
    directory.mx.insert(Domain::new("old.example"), Pending::settled(Mx::Site(TARGET)));
    assert_eq!(faults(&directory), [Fault::BlackHole]);
}

#[test]
fn a_mailbox_of_somebody_else_is_named() {
    let mut directory = three();
    directory.at(SOURCE, "cid@old.example", alias("bob@old.example"));
    let findings = check(&directory);
    assert_eq!(directory.found(), [("reaches-another", "cid@old.example".to_owned())]);
    assert_eq!(findings[0].people, [person("bob")]);
    assert_eq!(findings[0].witness.hops.last().unwrap().step, Step::Delivered(person("bob")));
}

#[test]
fn who_is_not_declared_follows_no_mailbox() {
    let mut directory = three();
    directory.at(SOURCE, "eve@old.example", mailbox("eve")).owned("eve@old.example", "eve");
    assert_eq!(directory.found(), [("not-followed", "eve@old.example".to_owned())]);
}

#[test]
fn a_forwarder_that_keeps_a_copy_is_found() {
    let mut directory = three();
    let kind = ForwarderKind::Redirect;
    let to = vec![address("cid@new.example")];
    let keeps_copy = Some(person("cid"));
    directory.at(SOURCE, "cid@old.example", Route::Forward { to, sender: Sender::TrustedRelay, keeps_copy, kind });
    assert_eq!(
        directory.found(),
        [("twice", "cid@old.example".to_owned()), ("keeps-copy", "cid@old.example".to_owned())]
    );
    // One that keeps it for somebody else gives it to nobody twice.
    directory.at(SOURCE, "cid@old.example", forward_with_copy("cid@new.example", "bob"));
    assert_eq!(faults(&directory), [Fault::ReachesAnother, Fault::KeepsCopy]);
    // Bob's own rule may keep a copy for Bob; what a migration sets may not.
    let mut directory = three();
    directory.policy.secure_domains = BTreeSet::from([Domain::new("home.example")]);
    directory.at(SOURCE, "bob@old.example", forward_with_copy("bob@home.example", "bob"));
    assert_eq!(faults(&directory), [Fault::LeavesUs]);
    directory.owned("bob@old.example", "ann");
    assert_eq!(faults(&directory), [Fault::ReachesAnother, Fault::KeepsCopy, Fault::LeavesUs]);
}

#[test]
fn a_list_gives_each_member_one_message() {
    let mut directory = three();
    directory
        .at(
            SOURCE,
            "all@old.example",
            list(&["ann@old.example", "team@old.example", "bob@old.example", "cid@old.example"]),
        )
        .at(SOURCE, "team@old.example", list(&["bob@old.example", "b@old.example", "ann@old.example"]))
        .at(SOURCE, "b@old.example", alias("bob@old.example"))
        .reaching("all@old.example", &["ann", "bob", "cid"])
        .reaching("team@old.example", &["ann", "bob"]);
    // Bob is named three times and comes out of the site's own lists once.
    assert_eq!(check(&directory), []);
    // Cid's two addresses are two recipients for the source.
    directory.at(SOURCE, "team@old.example", list(&["bob@old.example", "ann@old.example", "cid@new.example"]));
    let findings = check(&directory);
    let twice = findings.iter().find(|finding| finding.fault == Fault::Twice).unwrap();
    assert_eq!((&twice.address, &twice.people[..]), (&address("all@old.example"), &[person("cid")][..]));
    assert!(twice.is_certain && twice.witness != twice.again);
    assert!(twice.to_string().contains("; and again: source all@old.example: list of 4"), "{twice}");
}

#[test]
fn two_members_that_exclude_each_other_are_no_second_message() {
    let mut directory = three();
    // Either the one name or the other leads to Cid, never both: they hang on one change.
    directory
        .at(SOURCE, "all@old.example", list(&["name@old.example", "team@old.example"]))
        .at(SOURCE, "team@old.example", alias("name@old.example"))
        .changing(SOURCE, "name@old.example", alias("cid@old.example"), alias("cid@new.example"))
        .reaching("all@old.example", &["cid"]);
    assert_eq!(check(&directory), []);
    // Two changes may be one old, one new.
    directory.changing(SOURCE, "team@old.example", alias("cid@old.example"), alias("cid@new.example"));
    assert_eq!(directory.found(), [("twice", "all@old.example".to_owned())]);
}

#[test]
fn a_list_that_does_not_reach_its_people_names_them() {
    let mut directory = three();
    directory
        .at(SOURCE, "all@old.example", list(&["ann@old.example", "bob@old.example"]))
        .reaching("all@old.example", &["ann", "bob", "cid"]);
    let findings = check(&directory);
    assert_eq!(directory.found(), [("missing", "all@old.example".to_owned())]);
    assert_eq!(findings[0].people, [person("cid")]);
    // A member that is about to be added is missing until that was read back, and so is one about to go.
    let (few, many) = (list(&["ann@old.example"]), list(&["ann@old.example", "bob@old.example", "cid@new.example"]));
    directory.changing(SOURCE, "all@old.example", few, many);
    assert_eq!(check(&directory)[0].people, [person("bob"), person("cid")]);
}

#[test]
fn members_on_both_sides_are_reached_before_during_and_after() {
    let mut directory = three();
    directory
        .at(SOURCE, "all@old.example", list(&["ann@old.example", "bob@old.example", "cid@old.example"]))
        .reaching("all@old.example", &["ann", "bob", "cid"]);
    assert_eq!(check(&directory), []);
    directory.follows("bob", Followed::Either);
    directory.at(TARGET, "bob@new.example", mailbox("bob")).owned("bob@new.example", "bob");
    directory.changing(SOURCE, "bob@old.example", mailbox("bob"), redirect("bob@new.example"));
    assert_eq!(check(&directory), []);
    directory.at(SOURCE, "bob@old.example", redirect("bob@new.example")).follows("bob", Followed::Target);
    assert_eq!(check(&directory), []);
}

#[test]
fn senders_that_are_kept_are_refused_by_spf_and_rewritten_ones_by_dmarc() {
    let mut directory = three();
    let with = |directory: &mut routing::Directory, sender| {
        directory.at(SOURCE, "cid@old.example", forward_as("cid@new.example", sender));
        faults(directory)
    };
    for sender in [Sender::Kept, Sender::Srs, Sender::TrustedRelay] {
        assert_eq!(with(&mut directory, sender), [], "the target trusts the source");
    }
    directory.target.trusts_other = false;
    assert_eq!(with(&mut directory, Sender::Kept), [Fault::RefusedBySpf]);
    assert_eq!(with(&mut directory, Sender::TrustedRelay), [Fault::RefusedBySpf]);
    assert_eq!(with(&mut directory, Sender::Srs), [Fault::RefusedByDmarc]);
    directory.target.enforces_dmarc = false;
    assert_eq!(with(&mut directory, Sender::Kept), [Fault::RefusedBySpf]);
    assert_eq!(with(&mut directory, Sender::Srs), []);
    (directory.target.enforces_spf, directory.target.enforces_dmarc) = (false, true);
    assert_eq!(with(&mut directory, Sender::Kept), [Fault::RefusedByDmarc], "kept, it is not aligned either");
}

#[test]
fn mail_written_with_the_other_sides_domain_is_refused_where_that_does_not_list_the_site() {
    let mut directory = three();
    directory.source.trusts_other = false;
    directory.at(TARGET, "ann@new.example", Route::Refuse).expected.remove(&address("ann@new.example"));
    assert_eq!(check(&directory), []);
    // Who works on the target and still writes with the old address.
    directory.target.sends_for.remove("old.example");
    assert_eq!(
        directory.found(),
        ["ann@old.example", "bob@old.example", "cid@old.example"].map(|name| ("refused-by-spf", name.to_owned()))
    );
    assert_eq!(check(&directory)[0].entry, Entry::Inside(TARGET));
    directory.target.writes_as = Some(BTreeSet::from([Domain::new("new.example")]));
    assert_eq!(check(&directory), [], "nobody there writes so");
    directory.target.writes_as = Some(BTreeSet::from([Domain::new("old.example")]));
    directory.source.enforces_spf = false;
    assert_eq!(faults(&directory), [Fault::RefusedByDmarc]);
}

#[test]
fn a_list_sends_out_with_the_sites_own_sender() {
    let mut directory = three();
    directory.at(SOURCE, "team@old.example", list(&["cid@new.example"])).reaching("team@old.example", &["cid"]);
    directory.target.trusts_other = false;
    directory.source.sender = Sender::Srs;
    directory.at(SOURCE, "cid@old.example", mailbox("cid")).follows("cid", Followed::Either);
    assert_eq!(directory.found(), [("refused-by-dmarc", "team@old.example".to_owned())]);
}

#[test]
fn directions_are_the_policys() {
    let mut directory = three();
    directory.policy.source_to_target = false;
    assert_eq!(directory.found(), [("forbidden-direction", "cid@old.example".to_owned())]);
    directory.policy.target_to_source = false;
    assert_eq!(
        directory.found(),
        [("forbidden-direction", "ann@new.example".to_owned()), ("forbidden-direction", "cid@old.example".to_owned())]
    );
    // A forwarder to a name that its own site relays goes the same way.
    let rule = DomainRule::InternalRelay { sender: Sender::TrustedRelay };
    directory.target.domains.insert(Domain::new("old.example"), Pending::settled(rule));
    assert_eq!(directory.found()[0], ("forbidden-direction", "ann@new.example".to_owned()));
    directory.at(TARGET, "home@old.example", alias("ann@old.example"));
    directory.at(TARGET, "ann@new.example", coexistence("home@old.example"));
    assert_eq!(directory.found()[0], ("forbidden-direction", "ann@new.example".to_owned()));
    // Lists and their aliases are no forwarders.
    let mut directory = three();
    directory.policy.source_to_target = false;
    directory.at(SOURCE, "cid@old.example", list(&["cid@new.example"])).reaching("cid@old.example", &["cid"]);
    assert_eq!(check(&directory), []);
    directory.at(SOURCE, "cid@old.example", list(&["c@old.example", "cid@new.example"]));
    directory.at(SOURCE, "c@old.example", alias("cid@new.example"));
    assert_eq!(check(&directory), [], "and it is one recipient, whether by the alias or not");
    directory.owned("c@old.example", "cid");
    assert!(directory.found().contains(&("forbidden-direction", "c@old.example".to_owned())));
}

#[test]
fn a_relay_may_change_the_address_and_is_a_forwarder_on_a_persons_entry() {
    let mut directory = three();
    // A targetAddress: mail for Cid goes to the other site, under the address that it knows.
    directory.at(SOURCE, "cid@old.example", relay());
    assert_eq!(directory.found(), [("black-hole", "cid@old.example".to_owned())], "the target does not know that name");
    directory.at(SOURCE, "cid@old.example", relay_as("cid@new.example"));
    assert_eq!(check(&directory), []);
    directory.at(TARGET, "cid@new.example", relay_as("cid@old.example"));
    assert_eq!(faults(&directory), [Fault::Loop]);
    // It takes a person's mail to the other side, so it is judged as whatever else does.
    directory.at(TARGET, "cid@new.example", mailbox("cid")).policy.source_to_target = false;
    assert_eq!(directory.found(), [("forbidden-direction", "cid@old.example".to_owned())]);
    // That of a list is a transport, unless it is called a forwarder.
    directory.at(TARGET, "team@new.example", list(&["cid@new.example"])).reaching("team@old.example", &["cid"]);
    directory.at(SOURCE, "cid@old.example", mailbox("cid")).follows("cid", Followed::Either);
    directory.at(SOURCE, "team@old.example", relay_as("team@new.example"));
    assert_eq!(check(&directory), []);
    let kind = Some(ForwarderKind::PreExisting);
    let to = Some(address("team@new.example"));
    directory.at(SOURCE, "team@old.example", Route::Relay { to, sender: Sender::TrustedRelay, kind });
    assert_eq!(directory.found(), [("forbidden-direction", "team@old.example".to_owned())]);
    let shown = check(&directory)[0].to_string();
    assert!(
        shown.contains("to the other site, as team@new.example (forwarder from before, F2), as a trusted relay"),
        "{shown}"
    );
}

#[test]
fn mail_leaves_to_secure_domains_only() {
    let mut directory = three();
    directory.at(SOURCE, "bob@old.example", forward("bob@home.example", ForwarderKind::OwnRule));
    assert_eq!(directory.found(), [("insecure-domain", "bob@old.example".to_owned())]);
    // A secure one is allowed, but Bob's mail is still not with us.
    directory.policy.secure_domains = BTreeSet::from([Domain::new("home.example")]);
    assert_eq!(directory.found(), [("leaves-us", "bob@old.example".to_owned())]);
    // Below a domain is not the domain.
    for (listed, is_secure) in [("*.example", true), ("*.home.example", false), ("*e.example", false)] {
        directory.policy.secure_domains = BTreeSet::from([Domain::new(listed)]);
        let fault = if is_secure { "leaves-us" } else { "insecure-domain" };
        assert_eq!(directory.found(), [(fault, "bob@old.example".to_owned())], "{listed}");
    }
    // A list may have members elsewhere.
    let mut directory = three();
    directory.at(SOURCE, "team@old.example", list(&["bob@old.example", "guest@home.example"]));
    directory.reaching("team@old.example", &["bob"]);
    assert_eq!(directory.found(), [("insecure-domain", "team@old.example".to_owned())]);
    directory.policy.secure_domains = BTreeSet::from([Domain::new("home.example")]);
    assert_eq!(check(&directory), []);
    // So may an alias that only lists lead to; by itself it is a forwarder.
    directory.at(SOURCE, "guest@old.example", alias("guest@home.example"));
    directory.at(SOURCE, "team@old.example", list(&["bob@old.example", "guest@home.example", "guest@old.example"]));
    assert_eq!(check(&directory), []);
    directory.owned("guest@old.example", "bob");
    assert_eq!(
        directory.found(),
        [("leaves-us", "guest@old.example".to_owned()), ("leaves-us", "team@old.example".to_owned())]
    );
    // The MX of our own domain is somebody else.
    directory.mx.insert(Domain::new("old.example"), Pending::changing(Mx::Site(SOURCE), Mx::Elsewhere));
    assert!(faults(&directory).contains(&Fault::LeavesUs));
}

#[test]
fn what_is_not_checked_is_told() {
    let mut directory = three();
    directory.at(SOURCE, "spare@old.example", mailbox("bob")).at(
        TARGET,
        "spare@old.example",
        coexistence("bob@old.example"),
    );
    assert_eq!(
        directory.unchecked(),
        [
            (SOURCE, address("spare@old.example"), Unchecked::NotExpected),
            (TARGET, address("spare@old.example"), Unchecked::NotExpected),
        ]
    );
    directory.target.asks_entries_everywhere = false;
    assert_eq!(directory.unchecked()[1], (TARGET, address("spare@old.example"), Unchecked::NeverAsked));
}

#[test]
fn a_report_says_what_was_looked_at() {
    let nothing = routing::check(&empty());
    assert!(nothing.findings.is_empty() && !nothing.is_clean());
    assert!(nothing.to_string().contains("no address is expected to work"), "{nothing}");
    let mut directory = three();
    directory.at(SOURCE, "spare@old.example", mailbox("bob"));
    directory.at(SOURCE, "none@old.example", list(&["bob@old.example"])).reaching("none@old.example", &[]);
    directory.at(SOURCE, "none@old.example", list(&["guest@home.example"]));
    directory.policy.secure_domains = BTreeSet::from([Domain::new("home.example")]);
    let report = routing::check(&directory);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.addresses_checked, report.domains_checked), (6, 2));
    assert_eq!(report.expecting_nobody, [address("none@old.example")]);
    assert_eq!(report.unchecked, directory.unchecked());
    assert_eq!(
        report.to_string(),
        "faults: 0; addresses looked at: 6; domains whose addresses without an entry were looked at: 2; lists expected to \
         reach nobody: 1; entries not looked at by themselves: 1."
    );
}

#[test]
fn a_site_that_says_nothing_is_taken_to_refuse() {
    let mut directory = three();
    (directory.target.enforces_spf, directory.target.enforces_dmarc, directory.target.trusts_other) = {
        let said_nothing = routing::Site::default();
        (said_nothing.enforces_spf, said_nothing.enforces_dmarc, said_nothing.trusts_other)
    };
    assert_eq!(directory.found(), [("refused-by-spf", "cid@old.example".to_owned())]);
}

#[test]
fn long_ways_are_shown_in_part() {
    let mut directory = three();
    for number in 0..1000 {
        directory.at(SOURCE, &format!("a{number}@old.example"), alias(&format!("a{}@old.example", number + 1)));
    }
    directory.owned("a0@old.example", "bob");
    let findings = check(&directory);
    assert_eq!(directory.found(), [("black-hole", "a0@old.example".to_owned())]);
    assert!(findings[0].witness.is_cut && findings[0].witness.hops.len() == routing::Witness::HOPS_MAX);
    directory.at(SOURCE, "a1000@old.example", alias("bob@old.example"));
    assert_eq!(check(&directory), []);
    directory.at(SOURCE, "a1000@old.example", forward("a0@old.example", ForwarderKind::OwnRule));
    assert_eq!(directory.found(), [("loop", "a0@old.example".to_owned())]);
}

#[test]
fn more_changes_than_can_be_tried_out_are_taken_as_possible() {
    let mut directory = three();
    // A chain of names, each about to lead past the next, to one name of Cid or the other. All hang on what comes last, so
    // Cid gets one message; but nobody can see that without trying out every combination.
    for number in 0..12 {
        let name = |number: usize| format!("a{number}@old.example");
        directory.changing(SOURCE, &name(number), alias(&name(number + 1)), alias(&name(number + 2)));
    }
    directory.at(SOURCE, "a12@old.example", alias("a14@old.example")).at(
        SOURCE,
        "a13@old.example",
        alias("a14@old.example"),
    );
    directory.changing(SOURCE, "a14@old.example", alias("cid@old.example"), alias("cid@new.example"));
    directory
        .at(SOURCE, "all@old.example", list(&["a0@old.example", "a1@old.example"]))
        .reaching("all@old.example", &["cid"]);
    let findings = check(&directory);
    assert_eq!(directory.found(), [("twice", "all@old.example".to_owned())]);
    assert!(!findings[0].is_certain);
    assert!(findings[0].to_string().contains("may come to cid more than once; too much is pending"), "{}", findings[0]);
}
