//! The record of a governed project: appended once, never altered, with its lines in the audit log.

use model::Role;

use super::{Digest, Organisation, OrganisationCode, ProjectKey, Store};
use crate::FactsRow;

fn actor(name: &str) -> model::Actor {
    model::Actor { name: name.into(), role: Role::Engineer, organisation: "RX1".into(), known_by: "process".into() }
}

fn change(number: usize) -> String {
    format!("{{\"version\":1,\"change\":{{\"kind\":\"stages-ended\",\"number\":{number}}}}}")
}

async fn of(store: &Store, code: &str) -> ProjectKey {
    let code = OrganisationCode::try_from(code.to_owned()).unwrap();
    store.project(&Organisation { name: format!("Trust {}", code.as_str()), code }, "migration").await.unwrap()
}

pub async fn a_programme_is_appended_to_by_whoever_knows_its_end(url: &str) {
    let store = Store::open(url).await.unwrap();
    let key = of(&store, "RX1").await;
    let detail = serde_json::json!({ "kind": "stages-ended" });
    let audited = [("programme.stages-ended", detail.clone()), ("programme.stages-ended", detail)];
    let two = [change(1), change(2)];
    assert!(store.append_programme(key, &actor("kim"), (0, 5), &two, &audited).await.unwrap());
    // Who decided by what was there before appends nothing, and nothing is audited of it.
    assert!(!store.append_programme(key, &actor("sam"), (0, 6), &two, &audited).await.unwrap());
    assert!(!store.append_programme(key, &actor("sam"), (1, 6), &two[..1], &audited[..1]).await.unwrap());
    assert!(store.append_programme(key, &actor("sam"), (2, 6), &[change(3)], &audited[..1]).await.unwrap());
    let changes = store.programme_changes(key).await.unwrap();
    let shown: Vec<(i64, i64, &str, &str)> =
        changes.iter().map(|row| (row.seq, row.at, row.who.as_str(), row.change.as_str())).collect();
    assert_eq!(shown, [(1, 5, "kim", &*change(1)), (2, 5, "kim", &*change(2)), (3, 6, "sam", &*change(3))]);
    let (log, fault) = store.audit_log(key).await.unwrap();
    assert_eq!((log.len(), fault), (3, None));
    let digest = Digest::of(b"minutes");
    for _ in 0..2 {
        store.keep_evidence(key, digest, b"minutes").await.unwrap();
    }
    assert_eq!(store.evidence(key, digest).await.unwrap().as_deref(), Some(&b"minutes"[..]));
    assert_eq!(store.evidence(key, Digest::of(b"other")).await.unwrap(), None);
}

pub async fn the_programmes_of_a_database_are_told_apart(url: &str) {
    let store = Store::open(url).await.unwrap();
    let mut keys = Vec::new();
    // The second has no record: it is not governed.
    for (code, changes) in [("RX1", 2), ("RX2", 0), ("RX3", 1), ("RX4", 3)] {
        let key = of(&store, code).await;
        let rows: Vec<String> = (0..changes).map(change).collect();
        assert!(store.append_programme(key, &actor("kim"), (0, 5), &rows, &[]).await.unwrap());
        keys.push(key);
    }
    store.keep_programme_facts(keys[2], "nhsmail@2017", "{}").await.unwrap();
    store.keep_programme_facts(keys[2], "nhsmail@current", "{\"facts\":{}}").await.unwrap();
    let read = async |codes: Option<&[&str]>| {
        let codes: Option<Vec<String>> = codes.map(|codes| codes.iter().map(|code| (*code).to_owned()).collect());
        let projects = store.governed_projects(codes.as_deref()).await.unwrap();
        let line = |project: &crate::GovernedProject| {
            (project.code.clone(), project.changes.iter().map(|row| row.seq).collect::<Vec<_>>(), project.facts.clone())
        };
        projects.iter().map(line).collect::<Vec<_>>()
    };
    let all = read(None).await;
    let seen: Vec<(&str, usize)> = all.iter().map(|(code, changes, _)| (code.as_str(), changes.len())).collect();
    assert_eq!(seen, [("RX1", 2), ("RX3", 1), ("RX4", 3)]);
    assert_eq!(all[2].1, [1, 2, 3]);
    assert_eq!(all[0].2, None);
    let FactsRow { profile, at, facts } = all[1].2.clone().unwrap();
    assert_eq!((profile.as_str(), facts.as_str(), at > 0), ("nhsmail@current", "{\"facts\":{}}", true));
    assert_eq!(read(Some(&["RX4"])).await, all[2..]);
    assert_eq!(read(Some(&["RX4", "RX1", "RX9"])).await, [all[0].clone(), all[2].clone()]);
    assert_eq!(read(Some(&["RX2"])).await, []);
}
