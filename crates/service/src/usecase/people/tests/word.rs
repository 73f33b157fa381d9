//! What a person may say of whom.

use super::*;

#[tokio::test]
async fn a_person_is_given_a_persons_account_and_no_list_contact_or_shared_mailbox() {
    let of_kind = |key: &str, kind: EntryKind, code: &str| {
        let mut entry = account(key, "Ann", key);
        (entry.kind, entry.organisation) = (kind, Some(code.to_owned()));
        entry
    };
    let mut accounts = Vec::new();
    for (key, kind) in [("s", EntryKind::Shared), ("l", EntryKind::List), ("c", EntryKind::Contact)] {
        accounts.extend([of_kind(key, kind, "RX1"), of_kind(&format!("{key}2"), kind, "RY2")]);
    }
    accounts.push(of_kind("p", EntryKind::Person, "RX1"));
    let world = World::of(vec![person("1", "Ann", "Lee")], accounts);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    for key in ["s", "l", "c"] {
        let error = people.decide("1", Decision::Same(key.into()), None, "asked her").await.unwrap_err();
        assert!(error.what.contains("is a person and"), "{error}");
        for outcome in [Confirmed::Stays, Confirmed::Transferred] {
            let confirmed = Decision::Confirmed(format!("{key}2"), outcome);
            assert!(people.decide("1", confirmed, None, "asked her").await.is_err());
        }
    }
    let decided = people.decide("1", Decision::Same("p".into()), None, "asked her").await.unwrap();
    assert_eq!(decided.now, "existing");
}

#[tokio::test]
async fn an_address_that_several_accounts_have_names_none_of_them() {
    let (mut one, mut other) = (account("p1", "Ann", "Lee"), account("p2", "Ann", "Lee"));
    for account in [&mut one, &mut other] {
        account.addresses.push(Address::smtp("team@national.example"));
    }
    let world = World::of(vec![person("1", "Ann", "Lee")], vec![one, other]);
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    let same = |key: &str| Decision::Same(key.to_owned());
    let error = people.decide("1", same("Team@national.example"), None, "asked her").await.unwrap_err();
    assert!(error.what.contains("p1, p2"), "{error}");
    assert_eq!(people.decide("1", same("p2"), None, "asked her").await.unwrap().now, "existing");
}

#[tokio::test]
async fn who_was_left_out_by_a_word_is_let_in_by_a_word() {
    let mut world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    world.text.push_str("[[people.exclude]]\nname = \"bobs\"\nmail = [\"person2@*\"]\n");
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    assert!(people.decide("1", Decision::Include, None, "x").await.is_err(), "nobody left her out");
    let error = people.decide("2", Decision::Include, None, "x").await.unwrap_err();
    assert!(error.advice.unwrap().contains("bobs"), "a filter is no word");
    for _ in 0..2 {
        assert_eq!(people.decide("1", Decision::Exclude, None, "leaves").await.unwrap().now, "excluded");
        assert_eq!(people.decide("1", Decision::Include, None, "stays after all").await.unwrap().now, "new");
    }
    let words = people.show("1").await.unwrap().decisions;
    assert_eq!(words.len(), 4, "every word is kept");
}
