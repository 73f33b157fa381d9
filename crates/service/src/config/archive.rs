//! `[archive]`: where the mail of those goes who don't move and whose mail is kept.

use std::path::{Component, Path};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, EndpointEntry, FILE, alike};
use crate::Error;

/// Where the mail of those goes whom `[[people.archive]]` or `people archive` leave to the archive alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveEntry {
    /// The endpoint of their mail: a folder of files, of the kind `maildir` or `eml`. It is neither a source nor the target.
    pub mail: String,
}

impl Config {
    /// The endpoint that this mailbox goes to.
    pub(crate) fn target_of(&self, row: &crate::people::Row) -> &str {
        match &self.file.archive {
            Some(archive) if row.archive => &archive.mail,
            _ => self.target(),
        }
    }

    /// The endpoint that is the archive.
    pub(crate) fn archive(&self) -> Option<&str> {
        self.file.archive.as_ref().map(|archive| archive.mail.as_str())
    }

    /// What has to hold of the archive.
    pub(super) fn check_archive(&self) -> Result<(), Error> {
        let filters = self.file.people.as_ref().is_some_and(|people| !people.archive.is_empty());
        let Some(archive) = &self.file.archive else {
            if filters {
                return Err(Error::usage(format!("{FILE}: [[people.archive]] needs [archive]"))
                    .advise("say where their mail goes: [archive] with mail, the name of an endpoint"));
            }
            return Ok(());
        };
        let name = &archive.mail;
        let wrong = |what: String, cure: String| Err(Error::usage(format!("{FILE}: archive.mail {what}")).advise(cure));
        let own = match self.endpoints.get(name) {
            Some(EndpointEntry::Maildir(_) | EndpointEntry::Eml(_)) => self.endpoints[name].files(),
            Some(EndpointEntry::Mbox(_)) => {
                return wrong(
                    format!("= {name:?}, but mbox files are only read"),
                    "put the mail into maildirs or eml files: kind = \"maildir\" or \"eml\"".to_owned(),
                );
            }
            Some(EndpointEntry::Imap(_)) => {
                return wrong(
                    format!("= {name:?}, but an archive is files, not an account of a server"),
                    "name an endpoint with kind = \"maildir\" or \"eml\"".to_owned(),
                );
            }
            None => {
                let what = format!("= {name:?}, but there is no [endpoints.{name}]");
                return match alike(name, self.endpoints.keys().map(String::as_str)) {
                    Some(known) => wrong(what, format!("did you mean {known:?}?")),
                    None => wrong(what, "add one with kind = \"maildir\" or \"eml\"".to_owned()),
                };
            }
        };
        if own.is_some_and(|own| Path::new(own).components().any(|part| part == Component::ParentDir)) {
            return wrong(
                format!("= {name:?}, whose path goes upwards (..): where it leads depends on what lies there"),
                "write its path without ..".to_owned(),
            );
        }
        let (sources, target) = (self.sources(), self.target().to_owned());
        for other in sources.iter().chain([&target]).filter(|name| !name.is_empty()) {
            let is_same_place = || {
                let paths = own.zip(self.endpoints.get(other).and_then(EndpointEntry::files));
                paths.is_some_and(|(own, other)| may_meet(&self.path(Path::new(own)), &self.path(Path::new(other))))
            };
            if other == name || is_same_place() {
                return wrong(
                    format!("= {name:?} may be the same place as the endpoint {other:?}"),
                    "give the archive a folder of its own, in which nothing else lies".to_owned(),
                );
            }
        }
        Ok(())
    }
}

/// May a folder of one of these lie in, or be, a folder of the other, for whatever names?
fn may_meet(one: &Path, other: &Path) -> bool {
    let parts = |path: &Path| -> Vec<String> {
        let parts = path.components().filter(|part| !matches!(part, Component::CurDir));
        parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let is_open = |part: &str| part.contains("{source}") || part.contains("{target}");
    parts(one).iter().zip(&parts(other)).all(|(a, b)| a == b || is_open(a) || is_open(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_meet_where_a_name_can_make_them() {
        for (one, other, meet) in [
            ("mail/{target}", "archive/{target}", false),
            ("mail/{target}", "mail/{source}", true),
            ("mail/{target}", "./mail/archive/{target}", true),
            ("mail/{target}/archive", "mail/{target}", true),
            ("mail/{target}/a", "mail/{target}/b", false),
            ("mail/x-{target}", "mail-x/{target}", false),
        ] {
            assert_eq!(may_meet(Path::new(one), Path::new(other)), meet, "{one} {other}");
            assert_eq!(may_meet(Path::new(other), Path::new(one)), meet, "{other} {one}");
        }
    }
}
