//! Whatever is written of an entry is read back, on both ways: as a new resource, and as a change of one.

use std::collections::BTreeSet;

use model::{AccountState, Address, AddressKind, Entry, EntryKind, Reference};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::edit::{created, differences, edited};
use super::fields::{EXTENSION, Field, Holder, Map, Type};
use super::{patch, read};
use crate::config::Config;
use crate::wire::answer::text;

fn map() -> Map {
    Map::of(&Config::new("https://scim.example"))
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of several that say what can be held")]
fn all(_: &Holder) -> Result<(), String> {
    Ok(())
}

fn word() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[A-Za-zÀ-ž'\" ,\\\\]{0,9}[A-Za-zÀ-ž]")
}

fn references() -> impl Strategy<Value = Vec<Reference>> {
    let one = prop_oneof!["[0-9a-f]{1,2}".prop_map(Reference::Key), "[a-c]@x\\.example".prop_map(Reference::Mail),];
    proptest::collection::vec(one, 0..5)
}

prop_compose! {
    fn entry()(
        words in proptest::collection::vec(word(), 14),
        mails in proptest::collection::vec("[a-d]{1,2}@[x-y]\\.example", 0..4),
        dns in proptest::collection::vec("/o=[A-C]/cn=[a-c]", 0..3),
        (owners, members) in (references(), references()),
        (state, kind, sip) in (0..7usize, 0..7usize, any::<bool>()),
        (hides_mobile, is_hidden) in (any::<bool>(), any::<bool>()),
        quota_bytes in proptest::option::of(0..u64::from(u32::MAX)),
    ) -> Entry {
        let kind = EntryKind::EVERY[kind];
        let mut words = words.into_iter();
        let mut word = || words.next().flatten();
        let mut entry = Entry::new("7", kind);
        entry.origin = Some("whimbrel:RX1:ad/1".to_owned());
        entry.names.display = Some(word().unwrap_or("Somebody".to_owned()));
        for (at, text) in mails.iter().enumerate() {
            entry.addresses.push(Address { kind: AddressKind::Smtp, is_primary: at == 0, text: text.clone() });
        }
        entry.mail = mails.first().cloned();
        entry.addresses.extend(dns.into_iter().map(Address::x500));
        if sip {
            entry.addresses.push(Address::parse("sip:a@x.example"));
        }
        (entry.owners, entry.members) = (owners, members);
        (entry.is_hidden, entry.organisation, entry.local_id) = (is_hidden, word(), word());
        (entry.legacy_dn, entry.routed_to, entry.department, entry.telephone) = (word(), word(), word(), word());
        entry.has_mailbox = kind.holds_mail() && entry.mail.is_some();
        if kind != EntryKind::List {
            (entry.account, entry.names.title, entry.names.given) = (Some("ann".to_owned()), word(), word());
            (entry.names.initials, entry.names.surname) = (word(), word());
            (entry.job_title, entry.mobile) = (word(), word());
            (entry.state, entry.quota_bytes) = (AccountState::EVERY[state], quota_bytes);
            entry.hides_mobile = hides_mobile;
        }
        entry
    }
}

/// What a platform does with the operations of PATCH, as far as we send them.
fn patched(old: &Value, operations: &[Value]) -> Value {
    let mut new = old.clone();
    for operation in operations {
        let path = operation["path"].as_str().unwrap();
        let value = &operation["value"];
        let (outer, inner) = match path.split_once('[') {
            Some((outer, condition)) => {
                let wanted: String =
                    serde_json::from_str(condition.strip_prefix("value eq ").unwrap().strip_suffix(']').unwrap())
                        .unwrap();
                (outer, Some(wanted))
            }
            None => (path, None),
        };
        let place = super::fields::Path::parse(outer).unwrap();
        match (operation["op"].as_str().unwrap(), inner) {
            ("remove", Some(wanted)) => {
                let mut list = place.get(&new).unwrap().as_array().unwrap().clone();
                let length = list.len();
                list.retain(|own| text(own, "value") != Some(&wanted));
                assert_eq!(list.len() + 1, length, "one element is meant");
                place.set(&mut new, Some(list.into()));
            }
            ("remove", None) => place.set(&mut new, None),
            ("add", None) if place.get(&new).is_some_and(Value::is_array) => {
                let mut list = place.get(&new).unwrap().as_array().unwrap().clone();
                list.extend(value.as_array().unwrap().clone());
                place.set(&mut new, Some(list.into()));
            }
            ("add" | "replace", None) => place.set(&mut new, Some(value.clone())),
            other => panic!("{other:?}"),
        }
    }
    new
}

fn assert_reads(resource: &Value, entry: &Entry) {
    let there = read::entry(&map(), Type::of(entry.kind), resource).unwrap();
    let differ = differences(entry, &there);
    assert!(differ.is_empty(), "{differ:?}: {entry:?} {there:?} {resource}");
    assert_eq!((there.kind, there.mail.is_some()), (entry.kind, entry.mail.is_some()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_made_is_read_back(entry in entry()) {
        let mut resource = created(&map(), &entry, &all).unwrap();
        resource["id"] = "7".into();
        assert_reads(&resource, &entry);
    }

    #[test]
    fn what_is_changed_is_read_back_and_the_rest_stays(before in entry(), after in entry()) {
        let (mut after, of) = (after, Type::of(before.kind));
        if Type::of(after.kind) != of {
            after.kind = before.kind;
        }
        let before_has = before.has_mailbox;
        after.has_mailbox = after.kind.holds_mail() && after.mail.is_some();
        prop_assert!(before_has == (before.kind.holds_mail() && before.mail.is_some()));
        if of == Type::Group && after.account.is_some() {
            let (display, members) = (after.names.display.clone(), after.members.clone());
            after = Entry { names: before.names.clone(), members, ..before.clone() };
            after.names.display = display;
        } else if of == Type::User {
            after.account = Some("ann".to_owned());
        }
        let mut old = created(&map(), &before, &all).unwrap();
        old["id"] = "7".into();
        old["locale"] = "cy-GB".into();
        old["emails"].as_array_mut().into_iter().flatten().for_each(|email| email["display"] = "theirs".into());
        let mut new = old.clone();
        edited(&map(), &mut new, &before, &after, &all).unwrap();
        assert_reads(&new, &after);
        prop_assert_eq!(&new["locale"], "cy-GB");
        // PUT sends that; PATCH leads to the same.
        let by_patch = patched(&old, &patch::operations(&old, &new));
        assert_reads(&by_patch, &after);
        let mut same = new.clone();
        edited(&map(), &mut same, &after, &after, &all).unwrap();
        prop_assert_eq!(same, new);
    }

    #[test]
    fn no_resource_makes_it_stop(name in "[a-zA-Z]{1,12}", odd in "[\\[\\]{}\",:a-z0-9 ]{0,20}", at in 0..8usize) {
        let odd: Value = serde_json::from_str(&odd).unwrap_or_else(|_| json!([{ "value": odd }, 1, null, { "type": [] }]));
        let names = ["emails", "phoneNumbers", "members", "name", "active", "id", EXTENSION, &name];
        let mut resource = json!({ "id": "1", "userName": "a" });
        resource[names[at]] = odd;
        for of in Type::EVERY {
            let _ = read::entry(&map(), of, &resource);
        }
    }
}

#[test]
fn what_nothing_holds_is_named_and_nothing_is_made() {
    let only_core = |holder: &Holder| match holder {
        Holder::Attribute { is_ours: true, path } => Err(format!("there is no {path}")),
        _ => Ok(()),
    };
    let mut ann = Entry::new("", EntryKind::Person);
    ann.names.display = Some("Ann Lee".into());
    ann.mail = Some("ann@x.example".into());
    assert!(created(&map(), &ann, &only_core).is_ok());
    ann.addresses = vec![Address::x500("/o=A/cn=Ann")];
    ann.state = AccountState::Pending;
    ann.grants = vec![];
    ann.sid = Some("S-1-5-21".into());
    let cannot = created(&map(), &ann, &only_core).unwrap_err().join("; ");
    for words in ["addresses (", "state (", "sid ("] {
        assert!(cannot.contains(words), "{cannot}");
    }
}

#[test]
fn an_organisation_that_everybody_has_need_not_be_held() {
    let mut config = Config::new("https://x");
    config.organisation = Some("RX1".into());
    let map = Map::of(&config);
    let none = |_: &Holder| Err("nothing".to_owned());
    let mut list = Entry::new("", EntryKind::List);
    list.organisation = Some("RX1".into());
    assert!(created(&map, &list, &none).is_ok());
    list.organisation = Some("RX2".into());
    assert!(created(&map, &list, &none).is_err());
}

#[test]
fn the_published_schema_has_every_attribute_of_ours() {
    let schema: Value = serde_json::from_str(include_str!("../../../../docs/scim-schema.json")).unwrap();
    assert_eq!(schema["id"], EXTENSION);
    let has = |name: &str| schema["attributes"].as_array().unwrap().iter().any(|own| own["name"] == name);
    let map = map();
    let mut named = BTreeSet::new();
    for of in Type::EVERY {
        for field in Field::EVERY {
            if let Some(Holder::Attribute { path, is_ours: true }) = map.holder(of, *field) {
                assert!(has(&path.name), "{path}");
                named.insert(path.name.clone());
            }
        }
    }
    assert_eq!(named.len(), schema["attributes"].as_array().unwrap().len(), "and no other");
}
