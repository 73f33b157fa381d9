//! Who and what else stands in the directories of both sides, beside people of the roster: people who are not matched, rooms, contacts.
//!
//! They are not moved, and their mail is to reach them all the same: at the source as long as its mail comes there, at the target where they
//! have always been. What the routers of a site do with their mail is not asked; it stays with them.

use model::{Entry, EntryKind, Side};
use routing::{Directory, Domain, Followed, MailAddress, Owner, Pending, PersonId, Route, Sender};

use super::lists::takes_mail_at;

/// An entry of a directory that is no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownOther {
    pub(crate) side: Side,
    /// Its directory and key.
    pub(crate) id: String,
    /// Its addresses.
    addresses: Vec<String>,
    /// Where its mail goes, where it is a contact.
    leads_to: Option<String>,
    /// Nobody expects its mail to reach it after the move.
    pub(crate) stays_behind: bool,
}

impl KnownOther {
    /// What this entry is; none: nobody writes to it, or it is a list.
    pub(crate) fn of(side: Side, id: String, entry: &Entry) -> Option<Self> {
        let addresses = entry.mail_keys();
        if addresses.is_empty() || entry.kind == EntryKind::List {
            return None;
        }
        let is_contact = entry.kind == EntryKind::Contact;
        let leads_to = is_contact.then(|| takes_mail_at(entry).into_iter().next()).flatten();
        Some(Self { side, id, addresses, leads_to, stays_behind: false })
    }

    /// Does it lead mail elsewhere, to somebody who may be on the roster?
    pub(crate) fn is_contact(&self) -> bool {
        self.leads_to.is_some()
    }
}

/// Puts them into the model, beside the people that are there already, whose entries and addresses count first.
pub(crate) fn add(directory: &mut Directory, others: &[KnownOther]) {
    let (contacts, mailboxes): (Vec<&KnownOther>, Vec<&KnownOther>) =
        others.iter().partition(|other| other.is_contact());
    for other in mailboxes {
        let site = directory.site(other.side);
        let parsed = other.addresses.iter().filter_map(|text| MailAddress::parse(text).ok());
        let own: Vec<MailAddress> =
            parsed.filter(|address| site.domains.contains_key(&Domain::new(address.domain()))).collect();
        // Whose entry it is is told by the address that it writes from.
        let first = own.first().and_then(|address| Some((address, site.entries.get(address)?)));
        let of_roster = first.and_then(|(address, route)| match &route.now {
            Route::Mailbox(person) => Some((person.clone(), directory.expected.contains_key(address))),
            _ => None,
        });
        let is_of_roster = of_roster.is_some();
        // What the source's directories give to people of the roster is known; at the target more of their accounts' addresses may be.
        if is_of_roster && other.side == Side::Source {
            continue;
        }
        let (person, is_expected) = of_roster.unwrap_or_else(|| (PersonId::new(&other.id), !other.stays_behind));
        for address in own {
            if directory.site(other.side).entries.contains_key(&address) {
                continue;
            }
            let route = Pending::settled(Route::Mailbox(person.clone()));
            directory.site_mut(other.side).entries.insert(address.clone(), route);
            // One address at both sides, and nothing that says that both are one: the first is expected, and the other told.
            if is_expected {
                directory.expected.entry(address).or_insert_with(|| Owner::Person(person.clone()));
            }
            if !is_of_roster {
                let followed = if other.side == Side::Source { Followed::Source } else { Followed::Target };
                directory.people.insert(person.clone(), followed);
            }
        }
    }
    for contact in contacts {
        let Some(to) = contact.leads_to.as_deref().and_then(|to| MailAddress::parse(to).ok()) else { continue };
        let (site, other) = match contact.side {
            Side::Source => (&directory.source, &directory.target),
            Side::Target => (&directory.target, &directory.source),
        };
        let takes = |domain: &str| site.domains.contains_key(&Domain::new(domain));
        let is_free = |address: &MailAddress| takes(address.domain()) && !site.entries.contains_key(address);
        let own: Vec<MailAddress> =
            contact.addresses.iter().filter_map(|text| MailAddress::parse(text).ok()).filter(is_free).collect();
        let goes_over = other.domains.contains_key(&Domain::new(to.domain()));
        // One that leads to itself says nothing about where its mail goes.
        let is_plain = takes(to.domain()) && own.contains(&to);
        if is_plain && !goes_over {
            continue;
        }
        let owner = directory.expected.get(&to).cloned();
        for address in own {
            let route = if goes_over {
                let to = (address != to).then(|| to.clone());
                Route::Relay { to, sender: Sender::Kept, kind: None }
            } else {
                Route::Alias(to.clone())
            };
            directory.site_mut(contact.side).entries.insert(address.clone(), Pending::settled(route));
            if let Some(owner) = &owner {
                directory.expected.entry(address).or_insert_with(|| owner.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use routing::{DomainRule, ForwarderKind, MailboxRule, Mx, Policy, Site};

    use super::*;

    fn address(text: &str) -> MailAddress {
        MailAddress::parse(text).unwrap()
    }

    fn entry(side: Side, key: &str, kind: EntryKind, mail: &str) -> KnownOther {
        let entry = Entry { mail: Some(mail.to_owned()), ..Entry::new(key, kind) };
        KnownOther::of(side, format!("ad:{key}"), &entry).unwrap()
    }

    fn contact(side: Side, key: &str, mail: &str, to: &str) -> KnownOther {
        let entry = Entry {
            mail: Some(mail.to_owned()),
            routed_to: Some(format!("SMTP:{to}")),
            ..Entry::new(key, EntryKind::Contact)
        };
        KnownOther::of(side, format!("ad:{key}"), &entry).unwrap()
    }

    /// Ann is switched: her mail goes from the source to the target.
    fn directory(mx: Side) -> Directory {
        let site = |domain: &str| Site {
            trusts_other: true,
            domains: [(Domain::new(domain), Pending::settled(DomainRule::Authoritative))].into(),
            ..Site::default()
        };
        let mut directory =
            Directory { source: site("hill.test"), target: site("nation.test"), ..Directory::default() };
        directory.target.domains.insert(Domain::new("hill.test"), Pending::settled(DomainRule::Authoritative));
        directory.policy = Policy { source_to_target: true, target_to_source: true, ..Policy::default() };
        directory.mx.insert(Domain::new("hill.test"), Pending::settled(Mx::Site(mx)));
        directory.mx.insert(Domain::new("nation.test"), Pending::settled(Mx::Site(Side::Target)));
        let ann = PersonId::new("1");
        for (side, names) in
            [(Side::Source, &["ann@hill.test"][..]), (Side::Target, &["ann@nation.test", "ann@hill.test"])]
        {
            for name in names {
                let route = Pending::settled(Route::Mailbox(ann.clone()));
                directory.site_mut(side).entries.insert(address(name), route);
                directory.expected.insert(address(name), Owner::Person(ann.clone()));
            }
        }
        let (to, sender) = (vec![address("ann@nation.test")], Sender::TrustedRelay);
        let rule = MailboxRule::Forward { to, sender, keeps_copy: false, kind: ForwarderKind::Redirect };
        directory.source.mailboxes.insert(ann.clone(), Pending::settled(rule));
        directory.people.insert(ann, Followed::Target);
        directory
    }

    fn found(directory: &Directory, text: &str) -> Vec<String> {
        let all = routing::check(directory).findings;
        all.iter().filter(|one| one.address == address(text)).map(|one| one.fault.name().to_owned()).collect()
    }

    #[test]
    fn whoever_is_not_matched_is_reached_until_the_domain_leads_to_a_target_that_does_not_know_them() {
        let bo = entry(Side::Source, "2", EntryKind::Person, "bo@hill.test");
        let room = entry(Side::Source, "3", EntryKind::Room, "theatre@hill.test");
        for address in ["bo@hill.test", "theatre@hill.test"] {
            let mut before = directory(Side::Source);
            // The target asks the source, as long as people are there.
            let relays = DomainRule::InternalRelay { sender: Sender::Kept };
            before.target.domains.insert(Domain::new("hill.test"), Pending::settled(relays));
            before.source.sends_for.extend([Domain::new("hill.test"), Domain::new("nation.test")]);
            before.target.sends_for.extend([Domain::new("hill.test"), Domain::new("nation.test")]);
            before.source.trusts_other = true;
            add(&mut before, &[bo.clone(), room.clone()]);
            assert_eq!(found(&before, address), Vec::<String>::new(), "{address}");
            let mut after = directory(Side::Target);
            add(&mut after, &[bo.clone(), room.clone()]);
            assert_ne!(found(&after, address), Vec::<String>::new(), "{address}");
        }
    }

    #[test]
    fn who_stays_behind_is_expected_nowhere() {
        let mut leaver = entry(Side::Source, "2", EntryKind::Person, "leaver@hill.test");
        leaver.stays_behind = true;
        let mut after = directory(Side::Target);
        add(&mut after, &[leaver]);
        assert_eq!(found(&after, "leaver@hill.test"), Vec::<String>::new());
    }

    #[test]
    fn a_contact_is_followed_to_whom_it_leads() {
        // Its mail is ann's: a second name of hers at the source.
        let mut well = directory(Side::Source);
        add(&mut well, &[contact(Side::Source, "4", "a.smith@hill.test", "ann@nation.test")]);
        assert_eq!(well.expected.get(&address("a.smith@hill.test")), well.expected.get(&address("ann@nation.test")));
        let relayed = well.source.entries.get(&address("a.smith@hill.test")).map(|route| &route.now);
        assert!(matches!(relayed, Some(Route::Relay { .. })), "{relayed:?}");
        // Two of them that lead to each other reach nobody.
        let mut round = directory(Side::Source);
        round.source.entries.remove(&address("ann@hill.test"));
        let back = contact(Side::Source, "5", "ann@hill.test", "b@hill.test");
        add(&mut round, &[back, contact(Side::Source, "6", "b@hill.test", "ann@hill.test")]);
        assert_ne!(found(&round, "ann@hill.test"), Vec::<String>::new());
        // One that only names itself, as an address book has everybody, says nothing.
        let mut plain = directory(Side::Source);
        let before = plain.clone();
        add(&mut plain, &[contact(Side::Source, "7", "guest@else.test", "guest@else.test")]);
        assert_eq!(plain, before);
    }

    #[test]
    fn more_addresses_of_an_account_at_the_target_are_its_persons() {
        let entry = Entry {
            mail: Some("ann@nation.test".to_owned()),
            addresses: vec![model::Address::parse("smtp:a.jones@nation.test")],
            ..Entry::new("8", EntryKind::Person)
        };
        let mut all = directory(Side::Source);
        add(&mut all, &[KnownOther::of(Side::Target, "national:8".to_owned(), &entry).unwrap()]);
        let owner = all.expected.get(&address("a.jones@nation.test"));
        assert_eq!(owner, Some(&Owner::Person(PersonId::new("1"))));
        assert_eq!(all.people.len(), 1);
    }
}
