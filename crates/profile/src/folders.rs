//! Which folders travel, where they go, and which of them come together.

use std::collections::{BTreeMap, BTreeSet};

use model::FolderPath;

use crate::Error;
use crate::settings::{MergedBelow, Settings};

/// Which folders travel, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    only: Vec<FolderPath>,
    left: Vec<FolderPath>,
    /// Where folders go, with all below them.
    moved: BTreeMap<FolderPath, FolderPath>,
    /// Where folders come together; a folder of that name is one of them, whatever the rules for those above it say.
    merged: BTreeSet<FolderPath>,
    /// Those below them that go to one place come together, too.
    merges_below: bool,
}

/// Where a folder goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// To this place.
    To(FolderPath),
    /// Nowhere, by this rule.
    Left(&'static str),
}

impl Folders {
    /// Where this folder goes.
    pub fn place(&self, path: &FolderPath) -> Placement {
        let within = |list: &[FolderPath]| list.iter().any(|top| is_within(path, top));
        if within(&self.left) {
            return Placement::Left("folder-left");
        }
        if !self.only.is_empty() && !within(&self.only) {
            return Placement::Left("folder-only");
        }
        // The rule for the nearest folder above counts; into which others come takes part in whatever case it is written.
        let rules = self.moved.iter().filter(|(from, _)| is_within(path, from));
        let by_name = self.merged.iter().filter(|to| is_named_within(path, to)).map(|to| (to, to));
        let Some((from, to)) = by_name.chain(rules).max_by_key(|(from, _)| from.names().len()) else {
            return Placement::To(path.clone());
        };
        let below = &path.names()[from.names().len()..];
        Placement::To(below.iter().fold(to.clone(), |path, name| path.child(name.clone())))
    }

    /// Do all folders that go to this place come together there?
    pub fn merges(&self, place: &FolderPath) -> bool {
        self.merged.contains(place) || (self.merges_below && self.merged.iter().any(|top| is_within(place, top)))
    }

    pub(crate) fn resolve(settings: &Settings) -> Result<Self, Error> {
        let paths = |setting: &str, entries: Option<&Vec<String>>| -> Result<Vec<FolderPath>, Error> {
            entries.into_iter().flatten().map(|entry| path(setting, entry)).collect()
        };
        let mut folders = Self {
            only: paths("folders_only", settings.folders_only.as_ref())?,
            left: paths("folders_left", settings.folders_left.as_ref())?,
            moved: renamed(settings)?,
            merged: BTreeSet::new(),
            merges_below: settings.folders_merged_below == Some(MergedBelow::Merge),
        };
        if let Some(both) = folders.only.iter().find(|path| folders.left.iter().any(|left| is_within(path, left))) {
            let message = format!("{both} is in policy.folders_only, and policy.folders_left leaves it behind");
            return Err(Error::new(message, "take it out of one of them"));
        }
        folders.merge(settings)?;
        Ok(folders)
    }

    /// Takes in which folders come together.
    fn merge(&mut self, settings: &Settings) -> Result<(), Error> {
        let wrong = |what: String, advice| Err(Error::new(format!("policy.folders_merged: {what}"), advice));
        let mut goes: BTreeMap<FolderPath, FolderPath> = BTreeMap::new();
        for (to, all) in settings.folders_merged.iter().flatten() {
            let to = path("folders_merged", to)?;
            if !self.merged.insert(to.clone()) {
                return wrong(format!("{to} is named twice"), "make one list of both");
            }
            if all.is_empty() {
                return wrong(format!("nothing goes to {to}"), "name the folders that come together there");
            }
            for from in all {
                let from = path("folders_merged", from)?;
                if from.is_inbox() && !to.is_inbox() {
                    let advice = "let the others go to it, as in INBOX = [\"Old mail\"]";
                    return wrong(format!("new mail lands in {from}, so it can't go to {to}"), advice);
                }
                if self.moved.contains_key(&from) {
                    let what = format!("{from} goes to {to}, and policy.folders_renamed gives it another name");
                    return wrong(what, "take it out of one of them");
                }
                if let Placement::Left(rule) = self.place(&from) {
                    let setting = if rule == "folder-only" { "folders_only" } else { "folders_left" };
                    let what = format!("{from} goes to {to}, and policy.{setting} leaves it behind");
                    return wrong(what, "take it out here, or let it travel there");
                }
                match goes.insert(from.clone(), to.clone()) {
                    Some(other) if other == to => {
                        return wrong(format!("{from} goes to {to} twice"), "take one out");
                    }
                    Some(other) => {
                        return wrong(format!("{from} goes to {other} and to {to}"), "take it out of one of them");
                    }
                    None => {}
                }
            }
        }
        for (from, to) in &goes {
            if let Some(other) = goes.get(to).or_else(|| self.moved.get(to)).filter(|other| *other != to) {
                let what = format!("{from} goes to {to}, and {to} itself goes to {other}");
                return wrong(what, "let both go to one place");
            }
        }
        self.moved.extend(goes);
        Ok(())
    }
}

/// Folders that get another place.
fn renamed(settings: &Settings) -> Result<BTreeMap<FolderPath, FolderPath>, Error> {
    let wrong = |what: String, advice| Err(Error::new(format!("policy.folders_renamed: {what}"), advice));
    let (mut all, mut targets) = (BTreeMap::new(), BTreeMap::new());
    for (from, to) in settings.folders_renamed.iter().flatten() {
        let (from, to) = (path("folders_renamed", from)?, path("folders_renamed", to)?);
        if from == to {
            return wrong(format!("{from} would stay where it is"), "take it out, or correct it");
        }
        if to.is_inbox() {
            let advice = "give it another place, or let it come together with INBOX by policy.folders_merged";
            return wrong(format!("new mail lands in {to}, so {from} can't take its name"), advice);
        }
        if from.is_inbox() {
            return wrong(format!("new mail lands in {from}, so it keeps its name"), "take it out");
        }
        if let Some(other) = targets.insert(to.clone(), from.clone()) {
            let advice = "give one of them another place, or let them come together by policy.folders_merged";
            return wrong(format!("{other} and {from} would both become {to}"), advice);
        }
        all.insert(from, to);
    }
    Ok(all)
}

fn is_within(path: &FolderPath, top: &FolderPath) -> bool {
    path.names().starts_with(top.names())
}

/// The same, without regard to case.
fn is_named_within(path: &FolderPath, top: &FolderPath) -> bool {
    let is_same = |(one, other): (&String, &String)| one.to_lowercase() == other.to_lowercase();
    path.names().len() >= top.names().len() && path.names().iter().zip(top.names()).all(is_same)
}

/// A folder's names with `/` between them; `\/` is a `/` within a name, `\\` a backslash.
fn path(setting: &str, text: &str) -> Result<FolderPath, Error> {
    let mut names = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '/' => names.push(String::new()),
            '\\' => names.last_mut().into_iter().for_each(|name| name.extend(chars.next())),
            c => names.last_mut().into_iter().for_each(|name| name.push(c)),
        }
    }
    if names.iter().any(String::is_empty) {
        let message = format!("policy.{setting} holds {text:?}, in which a name is empty");
        return Err(Error::new(message, "write the names from the top down with / between, such as \"Archive/2015\""));
    }
    Ok(FolderPath::new(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, Profile};

    fn own(text: &str) -> Result<Policy, Error> {
        Profile::shipped("plain").unwrap().policy(&toml::from_str(text).unwrap())
    }

    fn named(text: &str) -> FolderPath {
        FolderPath::new(text.split('/'))
    }

    #[test]
    fn folders_go_where_the_rules_say() {
        let policy = own(
            "folders_left = [\"Sync Issues\"]\nfolders_only = [\"INBOX\", \"Sync Issues/Kept\", \"A\", \"C\\\\/D\"]\n\
             [folders_renamed]\nA = \"Archive/Old\"\n\"A/B\" = \"B\"\n",
        );
        let error = policy.unwrap_err();
        assert!(error.message.starts_with("Sync Issues/Kept is in policy.folders_only"), "{error}");
        let policy = own("folders_left = [\"A/Sync Issues\"]\nfolders_only = [\"inbox\", \"A\", \"C\\\\/D\"]\n\
             [folders_renamed]\nA = \"Archive/Old\"\n\"A/B\" = \"B\"\n")
        .unwrap();
        let to = |names: &[&str]| Placement::To(FolderPath::new(names.iter().copied()));
        for (path, expected) in [
            (vec!["INBOX", "x"], to(&["INBOX", "x"])),
            (vec!["A"], to(&["Archive", "Old"])),
            (vec!["A", "x"], to(&["Archive", "Old", "x"])),
            (vec!["A", "B", "x"], to(&["B", "x"])),
            (vec!["A", "Sync Issues", "x"], Placement::Left("folder-left")),
            (vec!["C/D"], to(&["C/D"])),
            (vec!["AB"], Placement::Left("folder-only")),
        ] {
            assert_eq!(policy.folders.place(&FolderPath::new(path.clone())), expected, "{path:?}");
        }
    }

    #[test]
    fn folders_come_together_where_the_policy_says_so() {
        let text = "[folders_merged]\nArchive = [\"Old\", \"INBOX/Kept\", \"Never there\"]\ninbox = [\"Inbox/Old\"]\n\
             \"Old/Own\" = [\"Old/Other\"]\n[folders_renamed]\n\"Old/Far\" = \"Far\"\nThird = \"Archive\"\n";
        let policy = own(text).unwrap();
        for (path, place, merges) in [
            ("Archive", "Archive", true),
            ("ARCHIVE", "Archive", true),
            ("Old", "Archive", true),
            ("Third", "Archive", true),
            ("INBOX/Kept/x", "Archive/x", false),
            ("Old/2019", "Archive/2019", false),
            ("Archive/2019", "Archive/2019", false),
            ("INBOX/Old", "INBOX", true),
            ("INBOX", "INBOX", true),
            ("INBOX/Old/y", "INBOX/y", false),
            ("Old/Far/z", "Far/z", false),
            // A folder that others come to stays, though the one above it goes elsewhere.
            ("Old/Own", "Old/Own", true),
            ("Old/Other", "Old/Own", true),
            ("Work", "Work", false),
        ] {
            assert_eq!(policy.folders.place(&named(path)), Placement::To(named(place)), "{path}");
            assert_eq!(policy.folders.merges(&named(place)), merges, "{place}");
        }
        let policy = own(&format!("folders_merged_below = \"merge\"\n{text}")).unwrap();
        assert!(policy.folders.merges(&named("Archive/2019/a")) && !policy.folders.merges(&named("Work")));
    }

    #[test]
    fn merges_that_cannot_be_are_named_with_what_to_do() {
        for (text, message, advice) in [
            ("folders_merged = { a = [] }", "policy.folders_merged: nothing goes to a", "name the folders"),
            ("folders_merged = { a = [\"b\", \"b\"] }", "b goes to a twice", "take one out"),
            ("folders_merged = { a = [\"c\"], b = [\"c\"] }", "c goes to a and to b", "out of one of them"),
            ("folders_merged = { a = [\"b\"], b = [\"c\"] }", "c goes to b, and b itself goes to a", "to one place"),
            ("folders_merged = { a = [\"inbox\"] }", "new mail lands in INBOX, so it can't go to a", "INBOX = ["),
            ("folders_merged = { inbox = [\"a\"], INBOX = [\"b\"] }", "INBOX is named twice", "one list"),
            ("folders_merged = { a = [\"b//c\"] }", "in which a name is empty", "Archive/2015"),
            (
                "folders_left = [\"b\"]\nfolders_merged = { a = [\"b/c\"] }",
                "b/c goes to a, and policy.folders_left leaves it behind",
                "let it travel",
            ),
            (
                "folders_only = [\"a\"]\nfolders_merged = { a = [\"b\"] }",
                "b goes to a, and policy.folders_only leaves it behind",
                "let it travel",
            ),
            (
                "folders_renamed = { b = \"c\" }\nfolders_merged = { a = [\"b\"] }",
                "b goes to a, and policy.folders_renamed gives it another name",
                "out of one of them",
            ),
            (
                "folders_renamed = { a = \"c\" }\nfolders_merged = { a = [\"b\"] }",
                "b goes to a, and a itself goes to c",
                "to one place",
            ),
        ] {
            let error = own(text).unwrap_err();
            assert!(error.message.contains(message) && error.advice.contains(advice), "{text}: {error}");
        }
        assert!(own("folders_merged = { a = [\"a\", \"b\"] }").is_ok(), "a folder may be named among its own");
    }
}
