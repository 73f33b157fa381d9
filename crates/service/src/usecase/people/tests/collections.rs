//! Collections of those whom the directories tell of: by department, by filter, and distribution lists.

use super::*;
use crate::project::Project;
use crate::{Choice, CollectionPlan};

fn theirs(key: &str, given: &str) -> Entry {
    let mut account = account(&format!("p{key}"), given, "Lee");
    account.local_id = Some(key.into());
    account
}

#[tokio::test]
async fn people_of_a_department_or_a_filter_and_lists_are_put_into_a_collection() {
    let with_department = |key: &str, given: &str, department: &str| {
        let mut person = person(key, given, "Lee");
        person.department = Some(department.into());
        person
    };
    let mut list = Entry::new("g", EntryKind::List);
    list.names.display = Some("Ward 7".into());
    list.mail = Some("Ward7@trust.example".into());
    list.members = vec![Reference::Key("1".into())];
    let world = World::of(
        vec![
            with_department("1", "Ann", "Ward 7"),
            with_department("2", "Bob", "Ward 8"),
            with_department("3", "Cyd", "Finance"),
            with_department("4", "Dee", "Ward 9"),
            list,
        ],
        vec![theirs("1", "Ann"), theirs("2", "Bob"), theirs("3", "Cyd")],
    );
    std::fs::write(world.folder.path().join(crate::PROJECT_FILE), &world.text).unwrap();
    let people = world.open().await;
    people.sync(false, true, false).await.unwrap();
    people.close().await;
    let project = Box::pin(Project::open(world.folder.path(), &|_: &str| None)).await.unwrap();
    for name in ["wards", "rest"] {
        project.create_collection(name, &CollectionPlan::default()).await.unwrap();
    }
    let wards = Choice { department: Some("ward*".into()), ..Choice::default() };
    let placed = project.add_to_collection("wards", &wards, false, None).await.unwrap();
    assert_eq!((placed.placed, placed.not_on_roster.as_slice()), (2, ["Dee Lee".to_owned()].as_slice()));
    let by_list = Choice { lists: vec!["ward7@TRUST.example".into()], ..Choice::default() };
    assert_eq!(project.add_to_collection("wards", &by_list, false, None).await.unwrap().placed, 1);
    let members = Choice { filter: Some("group=Ward7@trust.example".into()), ..Choice::default() };
    let error = project.add_to_collection("rest", &members, false, None).await.unwrap_err();
    assert!(error.what.contains("person1@trust.example is in the collection \"wards\""), "{error}");
    let unknown = Choice { lists: vec!["ward9@trust.example".into()], ..Choice::default() };
    assert!(
        project
            .add_to_collection("rest", &unknown, false, None)
            .await
            .unwrap_err()
            .what
            .contains("is no distribution list")
    );
    let finance = Choice { filter: Some("(&(kind=person)(department=finance))".into()), ..Choice::default() };
    assert_eq!(project.add_to_collection("rest", &finance, false, None).await.unwrap().placed, 1);
    let shown = project.collection("wards").await.unwrap();
    let of: Vec<_> = shown.members.iter().map(|line| (line.member.as_str(), line.kind)).collect();
    assert_eq!(
        of,
        [("person1@trust.example", "person"), ("person2@trust.example", "person"), ("Ward7@trust.example", "list")]
    );
    let to_rest = ("wards", "rest");
    project.move_collection(&by_list, to_rest, (None, "its owner moves later"), false).await.unwrap();
    let list = project.collections().await.unwrap();
    assert_eq!(list.collections.iter().map(|row| (row.mailboxes, row.lists)).collect::<Vec<_>>(), [(2, 0), (1, 1)]);
    assert!(list.in_none.is_empty(), "{:?}", list.in_none);
    project.close().await;
}
