//! Whatever is done to a file is found, and nothing of it comes out.

use std::path::PathBuf;

use super::{Place, bytes, export, keep, no_export};

const HEADER: usize = 41;
const FRAME: usize = 64 * 1024;
const SEALED: usize = FRAME + 16;

#[tokio::test]
async fn every_altered_byte_is_found() {
    let place = Place::new();
    let quarantine = place.open().await;
    let digest = keep(&quarantine, b"a small original").await;
    let file = place.only_file();
    let whole = std::fs::read(&file).unwrap();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80] {
            let mut altered = whole.clone();
            altered[at] ^= flip;
            std::fs::write(&file, altered).unwrap();
            let error = no_export(&quarantine, &digest).await;
            assert!(error.what.contains(&file.display().to_string()), "byte {at}: {error}");
            let checked = quarantine.check().await.unwrap();
            assert_eq!((checked.good, checked.damaged.count), (0, 1), "byte {at}");
            assert_eq!(checked.damaged.first, std::slice::from_ref(&file));
            assert!(!quarantine.holds(&digest).await.unwrap(), "byte {at}");
        }
    }
}

#[tokio::test]
async fn a_file_of_another_length_is_found() {
    let place = Place::new();
    let quarantine = place.open().await;
    let original = bytes(3 * FRAME + 100);
    let digest = keep(&quarantine, &original).await;
    let file = place.only_file();
    let whole = std::fs::read(&file).unwrap();
    let borders = (0..=3).map(|frame| HEADER + frame * SEALED);
    let lengths = borders.flat_map(|border| [border - 1, border, border + 1, border + 15, border + 16, border + 17]);
    for length in lengths.chain([0, 1, 8, 9, whole.len() - 1]) {
        std::fs::write(&file, &whole[..length]).unwrap();
        no_export(&quarantine, &digest).await;
        assert!(!quarantine.holds(&digest).await.unwrap(), "{length}");
    }
    for more in [1, 16, 17, SEALED] {
        std::fs::write(&file, [whole.as_slice(), &vec![0; more]].concat()).unwrap();
        no_export(&quarantine, &digest).await;
    }
    std::fs::write(&file, &whole).unwrap();
    assert!(export(&quarantine, &digest).await == original);
}

#[tokio::test]
async fn frames_in_another_order_are_found() {
    let place = Place::new();
    let quarantine = place.open().await;
    // Equal frames: not even those may change places.
    let digest = keep(&quarantine, &vec![b'a'; 4 * FRAME]).await;
    let file = place.only_file();
    let whole = std::fs::read(&file).unwrap();
    let frames: Vec<&[u8]> = whole[HEADER..].chunks(SEALED).collect();
    for order in [[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3, 2], [0, 0, 2, 3], [3, 1, 2, 0]] {
        let moved: Vec<u8> = order.iter().flat_map(|&frame| frames[frame]).copied().collect();
        std::fs::write(&file, [&whole[..HEADER], &moved].concat()).unwrap();
        no_export(&quarantine, &digest).await;
        assert_eq!(quarantine.check().await.unwrap().damaged.count, 1, "{order:?}");
    }
    // One taken out of the middle, and of the end.
    for left in [[0, 1, 3], [0, 1, 2]] {
        let fewer: Vec<u8> = left.iter().flat_map(|&frame| frames[frame]).copied().collect();
        std::fs::write(&file, [&whole[..HEADER], &fewer].concat()).unwrap();
        no_export(&quarantine, &digest).await;
    }
}

#[tokio::test]
async fn files_that_were_swapped_are_found() {
    let place = Place::new();
    let quarantine = place.open().await;
    let (one, other) = (keep(&quarantine, b"one").await, keep(&quarantine, b"two").await);
    let [a, b]: [PathBuf; 2] = place.files().try_into().unwrap();
    let (in_a, in_b) = (std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    std::fs::write(&a, &in_b).unwrap();
    std::fs::write(&b, &in_a).unwrap();
    for digest in [one, other] {
        no_export(&quarantine, &digest).await;
        assert!(!quarantine.holds(&digest).await.unwrap());
    }
    assert_eq!(quarantine.check().await.unwrap().damaged.count, 2);
    // A frame of one in the file of the other.
    std::fs::write(&a, [&in_a[..HEADER], &in_b[HEADER..]].concat()).unwrap();
    std::fs::write(&b, &in_b).unwrap();
    assert_eq!(quarantine.check().await.unwrap().damaged.count, 1);
}

#[tokio::test]
async fn damage_in_the_middle_of_a_large_one_is_found_by_the_check() {
    let place = Place::new();
    let quarantine = place.open().await;
    let digest = keep(&quarantine, &bytes(5 * FRAME)).await;
    let file = place.only_file();
    let mut altered = std::fs::read(&file).unwrap();
    altered[HEADER + 2 * SEALED + 5] ^= 1;
    std::fs::write(&file, altered).unwrap();
    let checked = quarantine.check().await.unwrap();
    assert_eq!((checked.good, checked.damaged.count), (0, 1));
    let error = no_export(&quarantine, &digest).await;
    assert!(error.what.contains("block 2 is not what was written there"), "{error}");
}

#[tokio::test]
async fn what_is_not_ours_is_counted_apart() {
    let place = Place::new();
    let quarantine = place.open().await;
    keep(&quarantine, b"one").await;
    let subfolder = place.only_file().parent().unwrap().to_owned();
    std::fs::write(place.folder().join("notes.txt"), "x").unwrap();
    std::fs::write(subfolder.join("notes.txt"), "x").unwrap();
    std::fs::create_dir_all(place.folder().join("a folder/ab")).unwrap();
    std::os::unix::fs::symlink("/etc", place.folder().join("ac")).unwrap();
    let checked = quarantine.check().await.unwrap();
    assert_eq!((checked.good, checked.damaged.count, checked.foreign.count), (1, 0, 4), "{checked:?}");
    assert!(checked.foreign.first.contains(&place.folder().join("notes.txt")));
}

#[tokio::test]
async fn a_form_of_another_version_is_named() {
    let place = Place::new();
    let quarantine = place.open().await;
    let digest = keep(&quarantine, b"one").await;
    let mut newer = std::fs::read(place.only_file()).unwrap();
    newer[8] = 2;
    std::fs::write(place.only_file(), newer).unwrap();
    assert!(no_export(&quarantine, &digest).await.what.contains("version 2"));
}
