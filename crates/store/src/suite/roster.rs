//! The roster: who is added, kept and dropped.

use model::Phase;

use super::{TERMS, state, world};
use crate::{Again, Error, RosterRow};

pub async fn roster_adds_keeps_and_drops(url: &str) {
    let w = world(url).await;
    let (a, b, c) = (w.person("a", "A"), w.person("b", "B"), w.person("c", "C"));
    let enrolled = w.store.enroll(w.key, &[a.clone(), b.clone()]).await.unwrap();
    assert_eq!((enrolled.added, enrolled.kept, enrolled.dropped), (2, 0, 0));
    let renamed = RosterRow { name: Some("Ann".to_owned()), target_name: "A2".to_owned(), ..a };
    let enrolled = w.store.enroll(w.key, &[renamed.clone(), c]).await.unwrap();
    assert_eq!((enrolled.added, enrolled.kept, enrolled.dropped), (1, 1, 1));
    let rows = w.store.mailboxes(w.key).await.unwrap();
    assert_eq!(rows[0].roster, renamed);
    assert_eq!(rows.iter().map(|row| row.listed).collect::<Vec<_>>(), [true, false, true]);
    let enrolled = w.store.enroll(w.key, &[b]).await.unwrap();
    assert_eq!((enrolled.added, enrolled.kept, enrolled.dropped), (0, 1, 2));
    assert!(w.store.mailboxes(w.key).await.unwrap()[1].listed, "one that comes back is listed again");
}

pub async fn a_person_whose_copy_has_begun_keeps_the_target(url: &str) {
    let w = world(url).await;
    let lease = w.claim_one(TERMS).await;
    w.store.release(&lease, &state(Phase::Copying), Again::default()).await.unwrap();
    let other = w.person("p0@old", "else@new");
    assert!(matches!(w.store.enroll(w.key, &[other]).await, Err(Error::Retargeted { .. })));
    assert_eq!(w.store.mailboxes(w.key).await.unwrap()[0].roster.target_name, "p0@new");
}
