//! Directories that hold mail and that no folder stands for are named, not passed over.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;

use connector::{Account, Connector, SystemClock};
use maildir::{Keywords, MaildirConfig, MaildirConnector};

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
