//! Addresses that nobody expects, and entries in domains that a site does not accept.

use routing::{Domain, DomainRule, Fault, Followed, MailAddress, Pending, Route, Sender};

use crate::world::{SOURCE, TARGET, Words, address, alias, check, empty, faults, mailbox, person, redirect, relay};

fn any_other(domain: &str) -> MailAddress {
    MailAddress::any_other(&Domain::new(domain))
}

#[test]
fn addresses_without_an_entry_may_be_refused_but_must_not_go_round() {
    let mut directory = empty();
    directory.with_ann();
    let relay = DomainRule::InternalRelay { sender: Sender::TrustedRelay };
    directory.target.domains.insert(Domain::new("old.example"), Pending::settled(relay.clone()));
    assert_eq!(check(&directory), [], "the source refuses what the target does not know");
    directory.source.domains.insert(Domain::new("old.example"), Pending::settled(relay));
    assert_eq!(directory.found(), [("loop", "(any other)@old.example".to_owned())]);
    let finding = &check(&directory)[0];
    assert!(finding.address.is_any_other() && finding.address == any_other("old.example"));
    assert!(MailAddress::parse(finding.address.as_str()).is_err(), "nobody has it");
}

#[test]
fn entries_are_asked_first_in_domains_that_the_site_does_not_accept() {
    // Ann is switched; the source redirects to her new address, but an old map leads that back to the old one.
    let mut directory = empty();
    directory.with_ann().follows("ann", Followed::Target).at(TARGET, "ann@new.example", mailbox("ann"));
    directory.at(SOURCE, "ann@old.example", redirect("ann@new.example"));
    assert_eq!(check(&directory), []);
    directory.at(SOURCE, "ann@new.example", alias("ann@old.example"));
    assert_eq!(faults(&directory), [Fault::Loop]);
    directory.changing(SOURCE, "ann@new.example", Route::Absent, alias("ann@old.example"));
    assert_eq!(faults(&directory), [Fault::Loop]);
    directory.source.asks_entries_everywhere = false;
    assert_eq!(check(&directory), [], "that map is for accepted domains only");
}

#[test]
fn entries_do_not_open_a_site_for_domains_that_it_does_not_accept() {
    // Mail that comes from another server is refused, entry or not.
    let mut directory = empty();
    directory.follows("bob", Followed::Source).at(SOURCE, "bob@new.example", mailbox("bob"));
    directory.at(TARGET, "bob@new.example", relay()).owned("bob@new.example", "bob");
    assert_eq!(directory.found(), [("black-hole", "bob@new.example".to_owned())]);
    assert_eq!(check(&directory)[0].entry, routing::Entry::Inside(TARGET));
}

#[test]
fn a_contact_that_is_about_to_go_lets_mail_out_as_it_came() {
    let mut directory = empty();
    directory.follows("cid", Followed::Target).at(TARGET, "cid@new.example", mailbox("cid"));
    directory.owned("cid@new.example", "cid").owned("cid@old.example", "cid");
    directory.at(SOURCE, "cid@old.example", redirect("cid@new.example"));
    directory
        .source
        .entries
        .insert(address("cid@new.example"), Pending::changing(Route::Mailbox(person("cid")), Route::Absent));
    assert_eq!(faults(&directory), [Fault::NotFollowed]);
    directory.policy.source_to_target = false;
    assert_eq!(faults(&directory), [Fault::NotFollowed, Fault::ForbiddenDirection]);
}

#[test]
fn a_catch_all_leads_what_nobody_has_into_somebodys_mailbox() {
    let mut directory = empty();
    directory.with_ann();
    let rule = DomainRule::CatchAll(address("ann@old.example"));
    directory.source.domains.insert(Domain::new("old.example"), Pending::changing(DomainRule::Authoritative, rule));
    let finding = &check(&directory)[0];
    assert_eq!(directory.found(), [("reaches-another", "(any other)@old.example".to_owned())]);
    assert_eq!(finding.people, [person("ann")]);
    assert!(
        finding.to_string().contains(
            "source (any other)@old.example [new]: taken for ann@old.example by the rule of the domain → source \
             ann@old.example: mailbox of ann"
        ),
        "{finding}"
    );
}

#[test]
fn a_domain_map_leads_each_name_to_its_own_in_another_domain() {
    let mut directory = empty();
    directory.with_ann().follows("ann", Followed::Target).at(TARGET, "ann@new.example", mailbox("ann"));
    directory.source.entries.clear();
    let to_new = DomainRule::MapTo(Domain::new("new.example"));
    directory.source.domains.insert(Domain::new("old.example"), Pending::settled(to_new.clone()));
    assert_eq!(check(&directory), []);
    // Both sites may have the map; a map each way at one site leaves names that hold each other, which are refused.
    directory.target.domains.insert(Domain::new("old.example"), Pending::settled(to_new));
    assert_eq!(check(&directory), []);
    let to_old = DomainRule::MapTo(Domain::new("old.example"));
    let rule = Pending::changing(DomainRule::Authoritative, to_old);
    directory.target.domains.insert(Domain::new("new.example"), rule);
    assert_eq!(check(&directory), [], "nobody has them");
    let relay = DomainRule::InternalRelay { sender: Sender::TrustedRelay };
    directory
        .target
        .domains
        .insert(Domain::new("new.example"), Pending::changing(DomainRule::Authoritative, relay.clone()));
    directory.source.domains.insert(Domain::new("new.example"), Pending::settled(relay));
    assert_eq!(
        directory.found(),
        [("loop", "(any other)@new.example".to_owned()), ("loop", "(any other)@old.example".to_owned())]
    );
}
