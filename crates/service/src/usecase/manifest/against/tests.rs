//! Pairs of what is to be there with what is.

use model::Flags;

use super::*;

fn expected(id: u32, bytes: &str, received: i64) -> Expected {
    Expected {
        source_folder: Vec::new(),
        source_id: ItemId::from_u32(id),
        validity: 1,
        id: Some(ItemId::from_u32(id)),
        sha256: Some(Digest::of(bytes.as_bytes())),
        canonical: Some(Digest::of(bytes.trim().as_bytes())),
        received: Some(received),
        flags: None,
    }
}

fn now(id: u32, bytes: &str, received: i64) -> ItemNow {
    let (exact, canonical) = (Digest::of(bytes.as_bytes()), Digest::of(bytes.trim().as_bytes()));
    ItemNow { id: ItemId::from_u32(id), exact, canonical, received: Some(received), flags: Flags::NONE }
}

#[test]
fn a_file_that_was_written_to_or_exchanged_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("file"), folder.path().join("other"));
    std::fs::write(&file, "a").unwrap();
    std::fs::write(&other, "b").unwrap();
    let before = stamp(&file).unwrap();
    assert_eq!(stamp(&file).unwrap(), before);
    std::fs::write(&file, "ab").unwrap();
    let written = stamp(&file).unwrap();
    assert_ne!(written, before);
    std::fs::rename(&other, &file).unwrap();
    assert_ne!(stamp(&file).unwrap(), written);
}

#[test]
fn items_are_paired_each_once_by_what_they_are_and_then_by_their_ids() {
    let there = vec![now(7, "a", 1), now(8, "a", 2), now(3, "changed", 3), now(9, "b ", 4), now(10, "new", 5)];
    let manifest = vec![
        expected(1, "a", 1),
        expected(2, "a", 1),
        expected(3, "c", 3),
        expected(4, "b", 4),
        expected(5, "gone", 5),
    ];
    let mut pairing = Pairing::new(manifest, there);
    let ids = |pairs: Pairs| -> Vec<String> {
        pairs.iter().map(|(it, now)| format!("{}={}", it.source_id, now.id)).collect()
    };
    let exact = |it: &Expected| Some((it.sha256?, it.received));
    assert_eq!(ids(pairing.pair(exact, |now| Some((now.exact, now.received)))), ["1=7"]);
    let canonical = |it: &Expected| Some((it.canonical?, it.received));
    assert_eq!(ids(pairing.pair(canonical, |now| Some((now.canonical, now.received)))), ["4=9"]);
    assert_eq!(ids(pairing.pair(|it| it.sha256, |now| Some(now.exact))), ["2=8"]);
    assert_eq!(ids(pairing.by_id(2)), Vec::<String>::new(), "ids of another validity mean nothing");
    assert_eq!(ids(pairing.by_id(1)), ["3=3"]);
    let (missing, extra) = pairing.left();
    assert_eq!((missing.len(), extra.len()), (1, 1));
    assert_eq!((missing[0].source_id.clone(), extra[0].id.clone()), (ItemId::from_u32(5), ItemId::from_u32(10)));
}
