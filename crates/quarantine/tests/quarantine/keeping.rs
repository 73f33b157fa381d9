//! What is kept comes out again, once, and only with the key.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use connector::Retry;
use model::{Cause, Digest, Scope};
use quarantine::Checked;

use super::{Place, body, bytes, export, keep, mode, no_export};

const FRAME: usize = 64 * 1024;

#[tokio::test]
async fn originals_of_every_size_come_out_as_they_were() {
    let place = Place::new();
    let quarantine = place.open().await;
    let sizes = [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 17, 10 << 20];
    let mut kept = Vec::new();
    for size in sizes {
        kept.push(keep(&quarantine, &bytes(size)).await);
    }
    // By another process, as it were.
    let quarantine = place.open().await;
    for (size, digest) in sizes.into_iter().zip(&kept) {
        assert!(quarantine.holds(digest).await.unwrap(), "{size}");
        assert!(export(&quarantine, digest).await == bytes(size), "{size}");
    }
    assert_eq!(quarantine.check().await.unwrap(), Checked { good: sizes.len() as u64, ..Checked::default() });
    assert!(place.files().iter().all(|file| mode(file) == 0o600));
}

#[tokio::test]
async fn what_is_there_is_not_written_again() {
    let place = Place::new();
    let quarantine = place.open().await;
    let digest = keep(&quarantine, b"once").await;
    let before = std::fs::read(place.only_file()).unwrap();
    assert!(!quarantine.keep(digest, &body(b"once").await).await.unwrap());
    assert_eq!(std::fs::read(place.only_file()).unwrap(), before);
}

#[tokio::test]
async fn what_is_there_and_damaged_is_written_again() {
    let (place, original) = (Place::new(), bytes(3 * FRAME));
    let quarantine = place.open().await;
    let digest = keep(&quarantine, &original).await;
    let file = place.only_file();
    let whole = std::fs::read(&file).unwrap();
    let flip = |at: usize| {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        damaged
    };
    for damaged in [Vec::new(), whole[..FRAME].to_vec(), flip(0), flip(8), flip(20), flip(whole.len() - 1)] {
        std::fs::write(&file, damaged).unwrap();
        assert!(!quarantine.holds(&digest).await.unwrap());
        assert!(quarantine.keep(digest, &body(&original).await).await.unwrap());
        assert!(export(&quarantine, &digest).await == original);
    }
}

#[tokio::test]
async fn bytes_of_another_digest_are_not_kept() {
    let place = Place::new();
    let quarantine = place.open().await;
    let error = quarantine.keep(Digest::of(b"one"), &body(b"other").await).await.unwrap_err();
    assert_eq!((error.cause, error.scope, error.retry), (Cause::Internal, Scope::Item, Retry::Never));
    assert_eq!(place.files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_keep_the_same_at_once() {
    let place = Place::new();
    let original = bytes(5 * FRAME);
    let digest = Digest::of(&original);
    let mut writers = Vec::new();
    for _ in 0..8 {
        // Each opens it for itself: also the key and the folder are made by all at once.
        let (folder, key, body) = (place.folder(), place.key(), body(&original).await);
        writers.push(tokio::spawn(async move {
            let quarantine = quarantine::Quarantine::open(&folder, &key).await.unwrap();
            quarantine.keep(digest, &body).await.unwrap()
        }));
    }
    let mut written = 0;
    for writer in writers {
        written += u32::from(writer.await.unwrap());
    }
    assert!(written >= 1);
    place.only_file();
    assert!(export(&place.open().await, &digest).await == original);
}

#[tokio::test]
async fn a_writer_that_was_killed_leaves_nothing_that_counts() {
    let place = Place::new();
    let quarantine = place.open().await;
    let digest = keep(&quarantine, b"whole").await;
    let (old, new) = (place.folder().join(".keeping-old"), place.folder().join(".keeping-new"));
    let half = &std::fs::read(place.only_file()).unwrap()[..40];
    std::fs::write(&old, half).unwrap();
    std::fs::write(&new, half).unwrap();
    let two_days_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    File::options().write(true).open(&old).unwrap().set_modified(two_days_ago).unwrap();
    assert_eq!(quarantine.check().await.unwrap(), Checked { good: 1, ..Checked::default() });
    let quarantine = place.open().await;
    assert!(!old.exists(), "no one writes to it any more");
    assert!(new.exists(), "somebody may be writing to it");
    assert_eq!(export(&quarantine, &digest).await, b"whole");
}

#[tokio::test]
async fn keeping_that_is_given_up_leaves_nothing() {
    let place = Place::new();
    let quarantine = place.open().await;
    let original = bytes(4 << 20);
    let (digest, body) = (Digest::of(&original), body(&original).await);
    for steps in 0..12 {
        let keeping = quarantine.keep(digest, &body);
        tokio::pin!(keeping);
        for _ in 0..steps {
            if let Ok(kept) = tokio::time::timeout(Duration::from_millis(2), &mut keeping).await {
                kept.unwrap();
                break;
            }
        }
    }
    // What was being done when it was given up ends first.
    let is_left = || place.files().iter().any(|file| file.to_string_lossy().contains(".keeping-"));
    for _ in 0..100 {
        if !is_left() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!is_left());
    assert_eq!(quarantine.check().await.unwrap().damaged.count, 0);
}

#[tokio::test]
async fn nothing_of_the_original_is_on_the_disk() {
    let place = Place::new();
    let quarantine = place.open().await;
    let original = [bytes(FRAME - 20), b"Subject: what nobody else may read".repeat(4)].concat();
    let digest = keep(&quarantine, &original).await;
    let kept = std::fs::read(place.only_file()).unwrap();
    let on_disk: HashSet<&[u8]> = kept.windows(16).collect();
    assert!(original.windows(16).all(|piece| !on_disk.contains(piece)));
    assert!(!on_disk.contains(&digest.as_bytes()[..16]) && !on_disk.contains(&digest.to_string().as_bytes()[..16]));
    let names: String = place.files().iter().map(|file| file.to_string_lossy().replace('/', "")).collect();
    assert!(!names.contains(&digest.to_string()), "the digest is no name");
}

#[tokio::test]
async fn the_same_original_looks_different_each_time() {
    let (a, b) = (Place::new(), Place::new());
    let quarantine = a.open().await;
    let digest = keep(&quarantine, b"the same").await;
    let first = std::fs::read(a.only_file()).unwrap();
    assert!(quarantine.forget(&digest).await.unwrap());
    keep(&quarantine, b"the same").await;
    assert_ne!(std::fs::read(a.only_file()).unwrap()[41..], first[41..]);
    keep(&b.open().await, b"the same").await;
    assert_ne!(a.only_file().file_name(), b.only_file().file_name());
}

#[tokio::test]
async fn what_is_forgotten_is_gone() {
    let place = Place::new();
    let quarantine = place.open().await;
    let (digest, other) = (keep(&quarantine, b"one").await, keep(&quarantine, b"two").await);
    assert!(quarantine.forget(&digest).await.unwrap());
    assert!(!quarantine.forget(&digest).await.unwrap());
    assert!(!quarantine.holds(&digest).await.unwrap());
    assert!(quarantine.holds(&other).await.unwrap());
    let error = no_export(&quarantine, &digest).await;
    assert_eq!((error.cause, error.scope), (Cause::LocalFile, Scope::Item));
    assert!(error.what.contains("is not in the quarantine") && error.what.contains(&digest.to_string()), "{error}");
}

#[tokio::test]
async fn an_export_that_cannot_be_written_says_so() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let place = Place::new();
    let quarantine = place.open().await;
    let digest = keep(&quarantine, b"one").await;
    let error = quarantine.export(&digest, &mut Full).await.unwrap_err();
    assert_eq!(error.cause, Cause::LocalFile);
    assert!(error.what.contains("not whole"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_named() {
    let place = Place::new();
    let quarantine = place.open().await;
    std::fs::remove_dir_all(place.folder()).unwrap();
    let error = quarantine.keep(Digest::of(b"one"), &body(b"one").await).await.unwrap_err();
    assert_eq!((error.cause, error.scope), (Cause::LocalFile, Scope::Item));
    assert!(error.what.contains(&place.folder().display().to_string()), "{error}");
}
