//! Whose account goes live, and whose first password is handed over.

use super::*;

#[tokio::test]
async fn only_accounts_of_those_whose_account_they_are_go_live_or_are_handed_over() {
    let all = [("1", "Ann"), ("2", "Bob"), ("3", "Cyd"), ("4", "Dee"), ("5", "Eve"), ("6", "Fay"), ("7", "Gus")];
    let world = World::of(all.iter().map(|(key, name)| person(key, name, "Lee")).collect(), Vec::new());
    let people = world.open().await;
    people.sync(false, false, false).await.unwrap();
    approve(&people).await;
    people.apply(None).await.unwrap();
    people.decide("2", Decision::Exclude, Some("Ivy"), "leaves").await.unwrap();
    world.ad.remove("3");
    let account = people.made().await.unwrap()[&ObjectId::new("ad", "4")].made.account.clone();
    world.platform.remove(&account);
    people.sync(false, false, false).await.unwrap();
    let details = people.details().await.unwrap();
    let withheld: Vec<&str> = details.withheld.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!((details.accounts, withheld), (4, vec!["ad:2", "ad:3", "ad:4"]));
    people.hand_over(&details).await.unwrap();
    let kept = people.made().await.unwrap().into_values().filter(|row| row.made.password.is_some()).count();
    assert_eq!(kept, 3, "what was not handed over is kept");

    let accepted = people.accept(&[], "no router yet").await.unwrap();
    let refused: Vec<&str> = accepted.refused.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!((accepted.live.len(), refused), (4, vec!["ad:2", "ad:3", "ad:4"]));
    let error = people.accept(&["2".into()], "no router yet").await.unwrap();
    assert!(error.refused[0].1.contains("it is excluded"), "{error:?}");
}
