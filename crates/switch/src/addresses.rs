//! Which of a person's old addresses come to their account in the target's directory, and which of them go again: pure.
//!
//! An address is never taken from another entry, and one that was there before us is never taken off.

use std::collections::BTreeMap;

use model::{Address, AddressKind, Entry, mail_key};
use serde::Serialize;

/// What is to become of an old address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "what")]
pub enum OldAddress {
    /// The account has it.
    There,
    /// It is to be put on.
    ToCome,
    /// Another entry of the directory has it, or it is another mailbox's: whose.
    Taken(String),
    /// The platform takes no addresses of its domain.
    OtherDomain,
}

/// What is to become of each old address of a person, by its form in which addresses are compared.
///
/// `holders` are all entries that have one of them; `takes` says whether the platform takes addresses of a domain, `others` which
/// addresses are those of other mailboxes, and whose.
pub fn old_addresses(
    wanted: &[String],
    account: &Entry,
    holders: &[Entry],
    takes: impl Fn(&str) -> bool,
    others: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, OldAddress> {
    let own = account.mail_keys();
    let fate = |key: &String| {
        let domain = key.rsplit_once('@').map_or("", |(_, domain)| domain);
        let holder = holders.iter().find(|entry| entry.key != account.key && entry.mail_keys().contains(key));
        match holder {
            // Two entries that have it are a fault of the directory's, whoever is one of them.
            Some(holder) => OldAddress::Taken(format!("{} has it", holder.place.as_deref().unwrap_or(holder.label()))),
            None if own.contains(key) => OldAddress::There,
            None => match others(key) {
                Some(name) => OldAddress::Taken(format!("it is an address of {name}")),
                None if takes(domain) => OldAddress::ToCome,
                None => OldAddress::OtherDomain,
            },
        }
    };
    wanted.iter().map(|text| mail_key(text)).map(|key| (key.clone(), fate(&key))).collect()
}

/// The account with these addresses besides. Which of its addresses is written from stays.
pub fn with_addresses(account: &Entry, come: &[String]) -> Entry {
    let mut after = account.clone();
    let own = account.mail_keys();
    after.addresses.extend(come.iter().filter(|text| !own.contains(&mail_key(text))).map(Address::smtp));
    after
}

/// The account without these addresses, and those of them that it keeps: somebody writes from one by now, so it is not ours any more.
pub fn without_addresses(account: &Entry, go: &[String]) -> (Entry, Vec<String>) {
    let mut after = account.clone();
    let own = account.mail.as_deref().map(mail_key);
    let is_written_from = |key: &String| {
        let mut primary =
            account.addresses.iter().filter(|address| address.kind == AddressKind::Smtp && address.is_primary);
        own.as_ref() == Some(key) || primary.any(|address| mail_key(&address.text) == *key)
    };
    let (kept, gone): (Vec<String>, Vec<String>) = go.iter().map(|text| mail_key(text)).partition(is_written_from);
    after.addresses.retain(|address| address.kind != AddressKind::Smtp || !gone.contains(&mail_key(&address.text)));
    (after, kept)
}

#[cfg(test)]
mod tests {
    use model::EntryKind;

    use super::*;

    fn entry(key: &str, mail: &str, more: &[&str]) -> Entry {
        let mut entry = Entry::new(key, EntryKind::Person);
        entry.mail = Some(mail.to_owned());
        entry.addresses = more.iter().map(|text| Address::parse(text)).collect();
        entry
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn an_address_of_another_is_never_taken_and_one_that_is_there_is_left() {
        let ann = entry("1", "ann@new.test", &["SMTP:ann@new.test", "smtp:Ann@Old.test"]);
        let ben = entry("2", "ben@new.test", &["smtp:a.smith@old.test", "smtp:both@old.test"]);
        let both = entry("1", "ann@new.test", &["smtp:both@old.test"]);
        let wanted =
            texts(&["ANN@old.test", "a.smith@old.test", "ann.smith@old.test", "ann@older.test", "cyd@old.test"]);
        let others = |key: &str| (key == "cyd@old.test").then(|| "cyd".to_owned());
        let fates = old_addresses(&wanted, &ann, &[ann.clone(), ben.clone()], |domain| domain == "old.test", others);
        assert_eq!(fates["ann@old.test"], OldAddress::There);
        assert!(matches!(&fates["a.smith@old.test"], OldAddress::Taken(by) if by.contains("ben@new.test")));
        assert_eq!(fates["ann.smith@old.test"], OldAddress::ToCome);
        assert_eq!(fates["ann@older.test"], OldAddress::OtherDomain);
        assert!(matches!(&fates["cyd@old.test"], OldAddress::Taken(by) if by.contains("cyd")));
        let fates = old_addresses(&texts(&["both@old.test"]), &both, &[both.clone(), ben], |_| true, |_| None);
        assert!(matches!(fates["both@old.test"], OldAddress::Taken(_)), "two that have it are told");
    }

    #[test]
    fn what_comes_goes_again_and_nothing_else_changes() {
        let ann = entry("1", "ann@new.test", &["SMTP:ann@new.test", "X500:/o=x/cn=ann@old.test", "smtp:a@old.test"]);
        let with = with_addresses(&ann, &texts(&["ann@old.test", "A@old.test"]));
        assert_eq!(with.mail_keys(), ["ann@new.test", "a@old.test", "ann@old.test"]);
        assert_eq!(without_addresses(&with, &texts(&["ANN@OLD.test"])), (ann.clone(), vec![]));
        assert_eq!(without_addresses(&ann, &texts(&["ann@old.test"])), (ann.clone(), vec![]), "it is gone already");
        // Somebody writes from it by now: it stays, and is theirs.
        let mut primary = with.clone();
        primary.mail = Some("Ann@old.test".to_owned());
        assert_eq!(without_addresses(&primary, &texts(&["ann@old.test"])), (primary.clone(), texts(&["ann@old.test"])));
        let marked = entry("1", "ann@new.test", &["SMTP:ann@old.test"]);
        assert_eq!(without_addresses(&marked, &texts(&["ann@old.test"])), (marked.clone(), texts(&["ann@old.test"])));
    }
}
