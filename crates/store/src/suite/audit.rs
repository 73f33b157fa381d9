//! The audit log.

use model::{Actor, Role};
use serde_json::json;

use super::world;

pub async fn audit_rows_are_chained_and_cannot_be_changed(url: &str) {
    let w = world(url).await;
    let actor = Actor {
        name: "eve".to_owned(),
        role: Role::Engineer,
        organisation: "RX1".to_owned(),
        known_by: "os-user".to_owned(),
    };
    for n in 1..=3 {
        assert_eq!(w.store.audit(w.key, &actor, "sync", &json!({ "run": n })).await.unwrap(), n);
    }
    let (log, fault) = w.store.audit_log(w.key).await.unwrap();
    assert_eq!((log.len(), fault), (3, None));
    assert_eq!(log[1].detail, r#"{"run":2}"#);
    for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
        let mut tx = w.store.begin(crate::sql::Durability::Full).await.unwrap();
        let error = tx.execute(statement, Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    // Somebody with the database in their hands can take the guard off; the chain shows it.
    let mut tx = w.store.begin(crate::sql::Durability::Full).await.unwrap();
    let unguard = if tx.is_postgres() {
        "ALTER TABLE audit DISABLE TRIGGER audit_is_not_changed"
    } else {
        "DROP TRIGGER audit_is_not_changed"
    };
    tx.execute(unguard, Vec::new()).await.unwrap();
    tx.execute("UPDATE audit SET actor = 'mallory' WHERE number = 2", Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    let (_, fault) = w.store.audit_log(w.key).await.unwrap();
    assert_eq!(fault.map(|fault| fault.number), Some(2));
}
