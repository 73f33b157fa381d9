//! The key: made once, for its owner only, and never a second one for the same folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use model::{Cause, Digest, Scope};
use quarantine::Quarantine;

use super::{Place, bytes, export, keep, mode};

#[tokio::test]
async fn a_key_is_made_once_for_its_owner_only() {
    let place = Place::new();
    place.open().await;
    let key = fs::read(place.key()).unwrap();
    assert_eq!((key.len(), mode(&place.key())), (32, 0o600));
    assert_ne!(key, [0; 32]);
    place.open().await;
    assert_eq!(fs::read(place.key()).unwrap(), key);
    let other = Place::new();
    other.open().await;
    assert_ne!(fs::read(other.key()).unwrap(), key);
}

#[tokio::test]
async fn a_key_that_others_may_read_is_refused() {
    let place = Place::new();
    place.open().await;
    for others in [0o640, 0o604, 0o620, 0o601, 0o660] {
        fs::set_permissions(place.key(), fs::Permissions::from_mode(others)).unwrap();
        let error = place.refusal().await;
        assert_eq!((error.cause, error.scope), (Cause::LocalFile, Scope::Run));
        assert!(error.what.contains(&format!("chmod 600 {}", place.key().display())), "{others:o}: {error}");
    }
    fs::set_permissions(place.key(), fs::Permissions::from_mode(0o400)).unwrap();
    place.open().await;
}

#[tokio::test]
async fn a_missing_key_is_never_made_anew_where_something_is_kept() {
    let place = Place::new();
    let digest = keep(&place.open().await, b"one").await;
    let key = fs::read(place.key()).unwrap();
    fs::remove_file(place.key()).unwrap();
    // Whether or not the folder says which key it has.
    for _ in 0..2 {
        let error = place.refusal().await;
        assert_eq!((error.cause, error.scope), (Cause::LocalFile, Scope::Run));
        assert!(error.what.contains("is missing") && error.what.contains("No new one was made"), "{error}");
        assert!(!place.key().exists());
        let _ = fs::remove_file(place.folder().join("key-id"));
    }
    fs::write(place.key(), key).unwrap();
    fs::set_permissions(place.key(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(export(&place.open().await, &digest).await, b"one");
}

#[tokio::test]
async fn another_key_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    keep(&place.open().await, &bytes(1000)).await;
    other.open().await;
    fs::copy(other.key(), place.key()).unwrap();
    // By what the folder says, and without that by its items.
    for _ in 0..2 {
        let error = place.refusal().await;
        assert!(error.what.contains("is not the key of the quarantine"), "{error}");
        let _ = fs::remove_file(place.folder().join("key-id"));
    }
    assert!(!place.folder().join("key-id").exists(), "nothing was written");
}

#[tokio::test]
async fn a_folder_brought_back_without_its_key_id_opens_with_the_right_key() {
    let place = Place::new();
    let digest = keep(&place.open().await, b"one").await;
    let id = fs::read(place.folder().join("key-id")).unwrap();
    fs::remove_file(place.folder().join("key-id")).unwrap();
    assert_eq!(export(&place.open().await, &digest).await, b"one");
    assert_eq!(fs::read(place.folder().join("key-id")).unwrap(), id);
}

#[tokio::test]
async fn two_keys_for_an_empty_folder_are_refused() {
    let (place, other) = (Place::new(), Place::new());
    place.open().await;
    other.open().await;
    assert!(Quarantine::open(&place.folder(), &other.key()).await.is_err());
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let place = Place::new();
    for wrong in [&b""[..], &[1; 31], &[1; 33]] {
        fs::write(place.key(), wrong).unwrap();
        fs::set_permissions(place.key(), fs::Permissions::from_mode(0o600)).unwrap();
        let error = place.refusal().await;
        assert!(error.what.contains("is not the key of a quarantine"), "{error}");
        assert_eq!(fs::read(place.key()).unwrap(), wrong, "it stays as it is");
    }
    fs::remove_file(place.key()).unwrap();
    fs::create_dir(place.key()).unwrap();
    fs::set_permissions(place.key(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(place.refusal().await.what.contains("is not the key of a quarantine"));
}

#[tokio::test]
async fn a_key_beside_what_it_locks_is_refused() {
    let place = Place::new();
    let error = Quarantine::open(&place.folder(), &place.folder().join("key")).await.unwrap_err();
    assert!(error.what.contains("put it elsewhere"), "{error}");
    assert!(!place.folder().join("key").exists());
}

#[tokio::test]
async fn a_place_for_the_key_that_is_not_there_is_named() {
    let place = Place::new();
    let key = place.place.path().join("none/key");
    let error = Quarantine::open(&place.folder(), &key).await.unwrap_err();
    assert!(error.what.contains(&key.display().to_string()), "{error}");
}

#[tokio::test]
async fn the_key_is_in_no_text() {
    let place = Place::new();
    let quarantine = place.open().await;
    let key = fs::read(place.key()).unwrap();
    let as_hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let error = quarantine.export(&Digest::of(b"none"), &mut Vec::new()).await.unwrap_err();
    for text in [format!("{quarantine:?}"), format!("{error:?}")] {
        assert!(!text.contains(&as_hex) && !text.contains(&format!("{key:?}")), "{text}");
    }
    assert!(format!("{quarantine:?}").contains("(secret)"));
}
