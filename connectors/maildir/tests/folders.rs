//! Directories: those that no folder stands for are named, not passed over; those that are made are this user's own.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use connector::{Account, Connector, NewFolder, OpenDoor, SystemClock};
use maildir::{Keywords, MaildirConfig, MaildirConnector};
use model::{FolderPath, ItemKind};

#[tokio::test]
async fn mail_that_no_folder_stands_for_is_not_passed_over() {
    for (there, named) in [
        (&[".Inbox"][..], Some(".Inbox")),
        (&[".a&b", ".a&-b"], Some(".a&b")),
        (&[".a..b"], Some(".a..b")),
        (&["Sent"], Some("Sent")),
        (&[".Sent", ".Sent.2001"], None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for name in [""].iter().chain(there) {
            for part in ["cur", "new", "tmp"] {
                std::fs::create_dir_all(folder.path().join("ann").join(name).join(part)).unwrap();
            }
        }
        let base = folder.path().to_owned();
        let config = MaildirConfig { path: "{source}".to_owned(), keywords: Keywords::Dovecot, base };
        let connector = MaildirConnector::new(config, Arc::new(SystemClock), "test");
        let mut source = connector.source(&Account::named("ann")).await.unwrap();
        let listed = source.folders().await;
        match named {
            Some(named) => {
                let what = listed.unwrap_err().what;
                assert!(what.contains(named) && what.contains("rename"), "{there:?}: {what}");
            }
            None => assert_eq!(listed.unwrap().len(), there.len() + 1),
        }
    }
}

#[tokio::test]
async fn what_is_made_is_this_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_owned();
    let config = MaildirConfig { path: "mail/{target}".to_owned(), keywords: Keywords::Dovecot, base };
    let connector = MaildirConnector::new(config, Arc::new(SystemClock), "test");
    let mut target = connector.target(&Account::named("ann"), Arc::new(OpenDoor)).await.unwrap();
    let new = |names: &[&str]| NewFolder {
        path: FolderPath::new(names.iter().copied()),
        kind: ItemKind::Message,
        special_use: None,
        subscribe: false,
    };
    for made in target.create(&[new(&["INBOX"]), new(&["Letters"])]).await.unwrap() {
        made.unwrap();
    }
    for path in ["mail", "mail/ann", "mail/ann/cur", "mail/ann/.Letters", "mail/ann/.Letters/new"] {
        let mode = std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path}: others of this machine see whose mail is here, and what folders");
    }
}
