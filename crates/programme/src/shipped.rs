//! The programmes that come with the program, as its profiles do.

use crate::data::Programme;
use crate::read::{Mistakes, Source};

/// A file of a programme: its name and its text.
type File = (&'static str, &'static str);

macro_rules! file {
    ($path:literal) => {
        (concat!("profiles/", $path), include_str!(concat!("../../../profiles/", $path)))
    };
}

/// The files of the programme of `nhsmail`.
const NHSMAIL: [File; 22] = [
    file!("nhsmail/programme/tracks.toml"),
    file!("nhsmail/programme/people.toml"),
    file!("nhsmail/programme/weeks.toml"),
    file!("nhsmail/programme/responsibilities.toml"),
    file!("nhsmail/programme/tasks-readiness.toml"),
    file!("nhsmail/programme/tasks-matrix.toml"),
    file!("nhsmail/programme/tasks-self.toml"),
    file!("nhsmail/programme/tasks-vips.toml"),
    file!("nhsmail/programme/deliverables.toml"),
    file!("nhsmail/programme/criteria.toml"),
    file!("nhsmail/programme/criteria-managed.toml"),
    file!("nhsmail/programme/criteria-self.toml"),
    file!("nhsmail/programme/view.toml"),
    file!("nhsmail/programme/lists.toml"),
    file!("nhsmail/programme/pilot.toml"),
    file!("nhsmail/programme/decisions.toml"),
    file!("nhsmail/programme/lessons.toml"),
    file!("nhsmail/programme/catalogue.toml"),
    file!("nhsmail/programme/appraisal.toml"),
    file!("nhsmail/programme/forms.toml"),
    file!("nhsmail/programme/holidays.toml"),
    file!("nhsmail/programme/constants.toml"),
];

/// Its editions: name, and the file that lies over the others; none where they stand for themselves.
const NHSMAIL_EDITIONS: [(&str, Option<File>); 2] =
    [("2017", Some(file!("nhsmail/programme/editions/2017.toml"))), ("current", None)];

impl Programme {
    /// The programme of a profile in one of its editions, none where the profile has none: its projects have no gates.
    pub fn shipped(name: &str, edition: &str) -> Option<Result<Self, Mistakes>> {
        if name != "nhsmail" {
            return None;
        }
        let (_, over) = NHSMAIL_EDITIONS.iter().find(|(known, _)| *known == edition)?;
        let source = |(file, text): &File| Source { file, text };
        let sources: Vec<Source<'_>> = NHSMAIL.iter().map(source).collect();
        Some(Self::read(&sources, over.as_ref().map(source)))
    }

    /// The editions of a profile that have a programme, the oldest first.
    pub fn editions(name: &str) -> impl Iterator<Item = &'static str> {
        let editions: &[(&str, Option<File>)] = if name == "nhsmail" { &NHSMAIL_EDITIONS } else { &[] };
        editions.iter().map(|(edition, _)| *edition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_programme_is_well() {
        for edition in Programme::editions("nhsmail") {
            if let Err(mistakes) = Programme::shipped("nhsmail", edition).unwrap() {
                panic!("{edition}: {} mistakes\n{mistakes}", mistakes.0.len());
            }
        }
        assert_eq!(Programme::editions("nhsmail").collect::<Vec<_>>(), ["2017", "current"]);
    }

    #[test]
    fn a_profile_may_have_no_programme() {
        for (name, edition) in [("plain", "current"), ("nhsmail", "1999"), ("", "")] {
            assert!(Programme::shipped(name, edition).is_none(), "{name} {edition}");
        }
        assert_eq!(Programme::editions("plain").count(), 0);
    }

    #[test]
    fn editions_differ_in_what_changed() {
        let attachment =
            |edition: &str| Programme::shipped("nhsmail", edition).unwrap().unwrap().constants["attachment-most"].value;
        assert_eq!((attachment("2017"), attachment("current")), (20 << 20, 35 << 20));
    }
}
