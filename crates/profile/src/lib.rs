//! What a platform takes and what it refuses, as data.
//!
//! Everything that is particular to one platform is a value of its profile: a TOML file of `profiles/`, one for
//! each edition, as platforms change their rules over the years. A project's `[policy]` overrides it by the same names,
//! since both are [`Settings`]. [`Policy`] is what comes out, checked and ready to use. No value of a platform stands in
//! the code, and another profile needs no change of it.

mod folders;
mod page;
mod policy;
mod settings;
mod switching;

pub use folders::{Folders, Placement};
pub use page::page;
pub use policy::{Policy, moment};
pub use settings::{Adopted, BannedAttachment, Items, MergedBelow, RuleLine, Settings, SignedMail};
pub use switching::{Forwarding, Switching, response_mistake};

use serde::Deserialize;

/// The profiles that come with the program: name, edition, text. The last edition of a name is its current one.
const SHIPPED: [(&str, &str, &str); 3] = [
    ("plain", "current", include_str!("../../../profiles/plain/current.toml")),
    ("nhsmail", "2017", include_str!("../../../profiles/nhsmail/2017.toml")),
    ("nhsmail", "current", include_str!("../../../profiles/nhsmail/current.toml")),
];

/// Between a profile's name and its edition, as in `nhsmail@2017`.
const AT: char = '@';

/// Why a profile or a `[policy]` can't be used: what is wrong and where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl Error {
    fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { message: message.into(), advice: advice.into() }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.message, self.advice)
    }
}

impl std::error::Error for Error {}

/// A platform's rules in one edition.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Which it is.
    pub profile: About,
    /// Its rules.
    pub policy: Settings,
    /// What it asks of accounts, lists and their names; [`people::PeopleRules`] reads it.
    #[serde(default)]
    pub people: toml::Table,
    /// Where mail may be forwarded, and when what belongs to a switch ends.
    #[serde(default)]
    pub switch: Switching,
}

/// Which profile it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its edition: a year, or `current`.
    pub edition: String,
    /// Its version, recorded with each item's fate; raised with each change of the file.
    pub version: u32,
    /// The platform's name for people.
    pub title: String,
    /// Where its values come from.
    pub sources: Vec<String>,
}

impl Profile {
    /// The shipped profile of this name: `plain`, `nhsmail` for the current edition, `nhsmail@2017` for another one.
    pub fn shipped(wanted: &str) -> Result<Self, Error> {
        let (name, edition) = wanted.split_once(AT).map_or((wanted, None), |(name, edition)| (name, Some(edition)));
        let matches =
            |(known, of, _): &&(&str, &str, &str)| *known == name && edition.is_none_or(|edition| *of == edition);
        let Some((_, _, text)) = SHIPPED.iter().rev().find(matches) else {
            let known: Vec<String> = Self::names().collect();
            return Err(Error::new(
                format!("profile = {wanted:?} is not there"),
                format!("write one of {}", known.join(", ")),
            ));
        };
        Self::parse(text, wanted)
    }

    /// The names under which shipped profiles are found.
    pub fn names() -> impl Iterator<Item = String> {
        SHIPPED.iter().map(|(name, edition, _)| match *edition {
            "current" => (*name).to_owned(),
            edition => format!("{name}{AT}{edition}"),
        })
    }

    /// Reads a profile's text; `place` is what messages call it.
    pub fn parse(text: &str, place: &str) -> Result<Self, Error> {
        let profile: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let at = line.map_or_else(String::new, |line| format!(", line {line}"));
            let message = format!("profile {place}{at}: {}", error.message().trim());
            Error::new(message, "correct it; the profiles that come with the program show every setting")
        })?;
        profile
            .policy(&Settings::default())
            .map_err(|error| Error { message: format!("profile {place}: {}", error.message), advice: error.advice })?;
        if let Some((what, advice)) = profile.switch.mistake() {
            return Err(Error::new(format!("profile {place}: [switch]: {what}"), advice));
        }
        if let Err(error) = profile.people.clone().try_into::<people::PeopleRules>() {
            let message = format!("profile {place}: [people]: {}", error.message().trim());
            return Err(Error::new(message, "correct it; the profiles that come with the program show every setting"));
        }
        Ok(profile)
    }

    /// The policy of this profile with a project's own settings over it.
    pub fn policy(&self, own: &Settings) -> Result<Policy, Error> {
        Policy::resolve(&self.profile, &own.over(&self.policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_is_well() {
        for (name, edition, _) in SHIPPED {
            let profile = Profile::shipped(&format!("{name}{AT}{edition}")).unwrap();
            assert_eq!((profile.profile.name.as_str(), profile.profile.edition.as_str()), (name, edition));
        }
        assert_eq!(Profile::names().collect::<Vec<_>>(), ["plain", "nhsmail@2017", "nhsmail"]);
        assert_eq!(Profile::shipped("nhsmail").unwrap().profile.edition, "current");
    }

    #[test]
    fn an_unknown_profile_is_automaticed_with_the_known_ones() {
        for wanted in ["nhs", "nhsmail@2001", ""] {
            let error = Profile::shipped(wanted).unwrap_err();
            assert_eq!(error.advice, "write one of plain, nhsmail@2017, nhsmail");
            assert!(error.message.contains(wanted));
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let text = SHIPPED[0].2;
        for (from, to, expected) in [
            ("removals_max = 1000", "removals_maxi = 1000", "line 29: unknown field `removals_maxi`"),
            ("removals_max = 1000", "removals_max = \"x\"", "line 29: invalid type"),
            ("version = 1", "version = -1", "line 6: "),
            ("\"travel\"", "\"fly\"", "line 12: unknown variant `fly`"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Profile::parse(&text.replacen(from, to, 1), "own").unwrap_err();
            assert!(error.message.starts_with("profile own, ") && error.message.contains(expected), "{error}");
        }
        let error = Profile::parse(&text.replace("removals_share_max = 20", ""), "own").unwrap_err();
        assert_eq!(error.message, "profile own: policy.removals_share_max is missing");
    }
}
