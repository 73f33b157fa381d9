//! What an address book may lose by itself.

use super::*;

#[tokio::test]
async fn many_contacts_are_removed_only_with_a_persons_word() {
    let people = (0..30).map(|n| person(&n.to_string(), "Ann", &format!("Lee{n}")));
    let mut world = World::of(people.collect(), Vec::new());
    let people = world.open().await;
    assert!(people.book_sync(false).await.unwrap().is_in_step());
    people.close().await;
    let count = || world.platform.all().iter().filter(|entry| entry.kind == EntryKind::Contact).count();
    assert_eq!(count(), 30);
    world.text.push_str("[[people.exclude]]\nname = \"all\"\nmail = [\"person*@*\"]\n");
    let people = world.open().await;
    let error = people.book_sync(false).await.unwrap_err();
    assert_eq!(error.rule, Some("R-036"));
    assert!(error.what.contains("30 of 30 contacts"), "{error}");
    assert_eq!(world.platform.all().len(), 30);
    let report = people.book_sync(true).await.unwrap();
    assert_eq!((report.is_in_step(), world.platform.all().len()), (true, 0));
}

#[tokio::test]
async fn contacts_of_those_who_have_an_account_now_go_by_themselves() {
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    let people = world.open().await;
    people.book_sync(false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    let report = people.book_sync(false).await.unwrap();
    assert!(report.is_in_step(), "{report:?}");
    assert!(world.platform.all().iter().all(|entry| entry.kind == EntryKind::Person));
}

#[tokio::test]
async fn a_contact_whose_end_was_never_told_is_read_to_be_gone() {
    let world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    let people = world.open().await;
    people.book_sync(false).await.unwrap();
    let contact = world.platform.all().remove(0);
    world.platform.lose(&contact.key);
    approve(&people).await;
    people.apply(None).await.unwrap();
    let report = people.book_sync(false).await.unwrap();
    assert!(report.is_in_step(), "{report:?}");
    assert!(people.book_difference().await.unwrap().is_in_step());
}
