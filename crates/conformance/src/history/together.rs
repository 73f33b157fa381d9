//! Folders of the source that come together on the target: how the policy is told so, and where the judge expects what lies
//! in each. The two share nothing, so that one checks the other.

use std::collections::BTreeMap;

use model::FolderPath;
use profile::{MergedBelow, Policy, Profile, Settings};

use super::client::View;
use super::step::path;

/// The merge target and what comes to it.
const TOGETHER: [(&str, &[&str]); 2] = [("INBOX", &["Sent"]), ("Archive", &["Work", "Größe/Work"])];

/// The policy of histories in which folders come together, those below them too.
pub fn policy(other: &Policy) -> Policy {
    let lists = TOGETHER.iter().map(|(to, from)| ((*to).to_owned(), from.iter().map(|f| (*f).to_owned()).collect()));
    let own = Settings {
        folders_merged: Some(lists.collect()),
        folders_merged_below: Some(MergedBelow::Merge),
        ..Settings::default()
    };
    let policy = Profile::shipped("plain").unwrap().policy(&own).unwrap();
    Policy { following: other.following, ..policy }
}

/// Where what lies in a folder of the source is to lie.
pub fn on_target(folder: &FolderPath) -> FolderPath {
    for (to, all) in TOGETHER {
        // Whatever its case.
        if folder.names()[0].eq_ignore_ascii_case(to) {
            return FolderPath::new([to].into_iter().chain(folder.names()[1..].iter().map(String::as_str)));
        }
        for from in all {
            let from = path(from);
            if let Some(below) = folder.names().strip_prefix(from.names()) {
                return FolderPath::new(path(to).names().iter().chain(below).cloned());
            }
        }
    }
    folder.clone()
}

/// The source as it is to be on the target.
pub fn view(source: &View) -> View {
    let mut all = BTreeMap::new();
    for (folder, shelf) in source {
        let together: &mut super::client::Shelf = all.entry(on_target(folder)).or_default();
        together.items.extend(shelf.items.iter().cloned());
        together.subscribed |= shelf.subscribed;
    }
    all
}
