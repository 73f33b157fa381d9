//! A policy: a profile with a project's settings over it, checked and ready to use.

use std::collections::BTreeSet;

use inspection::{Ban, Banned, Disposition, Kind, Repairs, Rules, SealedDisposition, Unseen};
use model::{Digest, Following};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};

use crate::folders::Folders;
use crate::settings::{Adopted, BannedAttachment, Items, Repair, Settings, SignedMail};
use crate::{About, Error};

/// A share cannot be more.
const PERCENT_MAX: u8 = 100;
/// Lines may always have so many bytes (RFC 5322, 2.1.1).
const LINE_BYTES_MIN: u32 = 78;
const MILLION: u32 = 1_000_000;
const SECONDS_A_DAY: i64 = 86_400;

/// A policy, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The profile's name.
    pub profile: String,
    /// Its edition.
    pub edition: String,
    /// Its version.
    pub profile_version: u32,
    /// What fates and reports cite: profile, edition, version, and a short digest of all settings.
    pub citation: String,
    /// Larger items don't travel.
    pub item_bytes_max: Option<u64>,
    /// A mailbox must stay below.
    pub quota_bytes: Option<u64>,
    /// What messages may hold.
    pub inspection: Rules,
    /// What is repaired where the target forces it.
    pub repairs: Repairs,
    /// Is a date repaired that the target refuses or changes?
    pub repair_date: bool,
    /// Do items of the folder for deleted ones travel?
    pub deleted_items: bool,
    /// Do items travel that are marked as deleted?
    pub marked_deleted: bool,
    /// Only items received at this moment (seconds since 1970) or later travel.
    pub received_from: Option<i64>,
    /// Only items received before this moment travel.
    pub received_before: Option<i64>,
    /// Which folders travel, and where to.
    pub folders: Folders,
    /// So many items of a million are expected to fail.
    pub failures_per_million_expected: u32,
    /// With more, reports warn.
    pub failures_per_million_alert: u32,
    /// How far removals at the source are followed.
    pub following: Following,
}

impl Policy {
    /// Nothing is banned, and everything goes where it was.
    pub fn plain() -> Self {
        Self {
            profile: "plain".to_owned(),
            edition: "current".to_owned(),
            profile_version: 1,
            citation: "plain".to_owned(),
            item_bytes_max: None,
            quota_bytes: None,
            inspection: Rules::default(),
            repairs: Repairs::default(),
            repair_date: false,
            deleted_items: true,
            marked_deleted: true,
            received_from: None,
            received_before: None,
            folders: Folders::default(),
            failures_per_million_expected: 100,
            failures_per_million_alert: 1000,
            following: Following::default(),
        }
    }

    /// Does a mailbox of so many bytes fit? Strictly below the quota passes.
    pub fn fits_quota(&self, size_bytes: u64) -> bool {
        self.quota_bytes.is_none_or(|quota| size_bytes < quota)
    }

    /// Does an item of so many bytes fit? Exactly the limit passes.
    pub fn fits_item(&self, size_bytes: u64) -> bool {
        self.item_bytes_max.is_none_or(|max| size_bytes <= max)
    }

    /// The rule that leaves behind what was received at this moment (seconds since 1970), if one does.
    pub fn leaves_received(&self, unix_seconds: i64) -> Option<&'static str> {
        if self.received_from.is_some_and(|from| unix_seconds < from) {
            Some("received-from")
        } else if self.received_before.is_some_and(|before| unix_seconds >= before) {
            Some("received-before")
        } else {
            None
        }
    }

    /// Checks settings and makes a policy of them.
    pub(crate) fn resolve(about: &About, settings: &Settings) -> Result<Self, Error> {
        let received_from = settings.received_from.as_deref().map(|day| moment("received_from", day)).transpose()?;
        let received_before =
            settings.received_before.as_deref().map(|day| moment("received_before", day)).transpose()?;
        if let (Some(from), Some(before)) = (received_from, received_before)
            && from >= before
        {
            return Err(Error::new(
                "policy.received_from is not before policy.received_before, so nothing travels",
                "correct one of the two days",
            ));
        }
        for (setting, value) in [
            ("item_bytes_max", settings.item_bytes_max),
            ("attachment_bytes_max", settings.attachment_bytes_max),
            ("quota_bytes", settings.quota_bytes),
        ] {
            if value == Some(0) {
                return Err(Error::new(format!("policy.{setting} = 0 lets nothing travel"), "give a size in bytes"));
            }
        }
        let share = needed("removals_share_max", settings.removals_share_max)?;
        if share > PERCENT_MAX {
            return Err(Error::new(
                format!("policy.removals_share_max = {share} is more than everything"),
                "give a percentage, from 0 to 100",
            ));
        }
        let expected = needed("failures_per_million_expected", settings.failures_per_million_expected)?;
        let alert = needed("failures_per_million_alert", settings.failures_per_million_alert)?;
        for (setting, value) in [("failures_per_million_expected", expected), ("failures_per_million_alert", alert)] {
            if value > MILLION {
                let message = format!("policy.{setting} = {value} is more than everything");
                return Err(Error::new(message, "give a number from 0 to 1000000"));
            }
        }
        if alert < expected {
            return Err(Error::new(
                format!(
                    "policy.failures_per_million_alert = {alert} warns of less than the {expected} that are expected"
                ),
                "give at least as many",
            ));
        }
        Ok(Self {
            profile: about.name.clone(),
            edition: about.edition.clone(),
            profile_version: about.version,
            citation: citation(about, settings)?,
            item_bytes_max: settings.item_bytes_max,
            quota_bytes: settings.quota_bytes,
            inspection: rules(settings)?,
            repairs: repairs(settings)?,
            repair_date: needed("repair_date", settings.repair_date)? == Repair::Make,
            deleted_items: needed("deleted_items", settings.deleted_items)? == Items::Migrate,
            marked_deleted: needed("marked_deleted", settings.marked_deleted)? == Items::Migrate,
            received_from,
            received_before,
            folders: Folders::resolve(settings)?,
            failures_per_million_expected: expected,
            failures_per_million_alert: alert,
            following: Following {
                deletion_settle_hours: needed("deletion_settle_hours", settings.deletion_settle_hours)?,
                removals_free: needed("removals_free", settings.removals_free)?,
                removals_max: needed("removals_max", settings.removals_max)?,
                removals_share_max: share,
                removals_a_day_max: needed("removals_a_day_max", settings.removals_a_day_max)?,
                adopted_follow: needed("adopted", settings.adopted)? == Adopted::Follow,
            },
        })
    }
}

/// What is cited of a policy: another one is cited in other words.
fn citation(about: &About, settings: &Settings) -> Result<String, Error> {
    let text = toml::to_string(settings).map_err(|error| Error::new(error.to_string(), "correct the policy"))?;
    let digest = Digest::of(text.as_bytes()).to_string();
    Ok(format!("{} {} v{} {}", about.name, about.edition, about.version, &digest[..8]))
}

/// A setting that every profile has.
fn needed<T>(setting: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| Error::new(format!("policy.{setting} is missing"), "set it in the profile"))
}

/// Midnight (UTC) at which a day begins, in seconds since 1970.
pub fn moment(setting: &str, day: &str) -> Result<i64, Error> {
    let wrong = || {
        let message = format!("policy.{setting} = {day:?} is no day");
        Error::new(message, "write year, month and day, as in \"2015-01-31\"")
    };
    let is_form = day.len() == 10
        && day
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !is_form {
        return Err(wrong());
    }
    let number = |from: usize, to: usize| day[from..to].parse::<i64>().map_err(|_| wrong());
    let (year, month, date) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    if !(1..=days).contains(&date) {
        return Err(wrong());
    }
    // Years that begin in March have their odd day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let since_march_of_year_0 = of_years + (153 * month + 2) / 5 + date - 1;
    Ok((since_march_of_year_0 - 719_468) * SECONDS_A_DAY)
}

/// What messages may hold.
fn rules(settings: &Settings) -> Result<Rules, Error> {
    let mut bans = Vec::new();
    let mut add = |id: &str, what: Banned| bans.push(Ban { id: id.to_owned(), what });
    let extensions = extensions(settings)?;
    if !extensions.is_empty() {
        add("banned-extension", Banned::Extensions(extensions));
    }
    let types = list("banned_types", settings.banned_types.as_ref())?;
    if let Some(odd) = types.iter().find(|mime| mime.starts_with('*')) {
        let message = format!("policy.banned_types holds {odd:?}, which bans everything");
        return Err(Error::new(message, "name types, such as \"video/*\" or \"application/hta\""));
    }
    if !types.is_empty() {
        add("banned-type", Banned::Types(types));
    }
    let kinds: BTreeSet<Kind> = known("banned_contents", settings.banned_contents.as_ref())?;
    if !kinds.is_empty() {
        add("banned-content", Banned::Kinds(kinds));
    }
    if let Some(max) = settings.attachment_bytes_max {
        add("attachment-size", Banned::LargerThan(max));
    }
    let unseen: BTreeSet<Unseen> = known("banned_unseen", settings.banned_unseen.as_ref())?;
    if !unseen.is_empty() {
        add("banned-unseen", Banned::Unseen(unseen));
    }
    let disposition = needed("banned_attachment", settings.banned_attachment)?;
    let note = needed("attachment_note", settings.attachment_note.clone())?.trim().to_owned();
    if note.is_empty() {
        return Err(Error::new("policy.attachment_note is empty", "say in it why an attachment is not there"));
    }
    Ok(Rules {
        bans,
        disposition: match disposition {
            BannedAttachment::Replace => Disposition::Replace,
            BannedAttachment::Skip => Disposition::Skip,
        },
        sealed: match needed("signed_mail", settings.signed_mail)? {
            SignedMail::Travel => SealedDisposition::Travel,
            SignedMail::Skip => SealedDisposition::Skip,
            SignedMail::Replace => SealedDisposition::Replace,
        },
        note,
    })
}

/// What is repaired.
fn repairs(settings: &Settings) -> Result<Repairs, Error> {
    let is_made = |setting, value| Ok::<_, Error>(needed(setting, value)? == Repair::Make);
    if let Some(max) = settings.line_bytes_max.filter(|max| *max < LINE_BYTES_MIN) {
        let message = format!("policy.line_bytes_max = {max} is less than {LINE_BYTES_MIN}, which every line may have");
        return Err(Error::new(message, "give the most bytes that the target takes in a line, such as 998"));
    }
    Ok(Repairs {
        nul: is_made("repair_nul", settings.repair_nul)?,
        bare_cr: is_made("repair_bare_cr", settings.repair_bare_cr)?,
        bare_lf: is_made("repair_line_ends", settings.repair_line_ends)?,
        eight_bit_header: is_made("repair_eight_bit_header", settings.repair_eight_bit_header)?,
        broken_header: is_made("repair_broken_header", settings.repair_broken_header)?,
        line_bytes_max: settings.line_bytes_max,
    })
}

/// Banned extensions: the list, with what is added to it, without what is taken from it.
fn extensions(settings: &Settings) -> Result<BTreeSet<String>, Error> {
    let mut all = list("banned_extensions", settings.banned_extensions.as_ref())?;
    let also = list("banned_extensions_also", settings.banned_extensions_also.as_ref())?;
    let not = list("banned_extensions_not", settings.banned_extensions_not.as_ref())?;
    if let Some(both) = also.intersection(&not).next() {
        let message = format!("{both:?} is in policy.banned_extensions_also and in policy.banned_extensions_not");
        return Err(Error::new(message, "take it out of one of them"));
    }
    all.extend(also);
    if let Some(other) = not.iter().find(|extension| !all.contains(*extension)) {
        let message = format!("policy.banned_extensions_not holds {other:?}, which is not banned");
        return Err(Error::new(message, "take it out, or correct it"));
    }
    all.retain(|extension| !not.contains(extension));
    for extension in &all {
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/\\:*?\"".contains(c);
        if extension.starts_with('.') || extension.contains(is_odd) {
            let message = format!("policy.banned_extensions holds {extension:?}, which no name ends in");
            return Err(Error::new(message, "write what follows the last dot, such as \"exe\""));
        }
    }
    Ok(all)
}

/// A list in small letters.
fn list(setting: &str, entries: Option<&Vec<String>>) -> Result<BTreeSet<String>, Error> {
    let mut all = BTreeSet::new();
    for entry in entries.into_iter().flatten() {
        if entry.trim().is_empty() {
            return Err(Error::new(format!("policy.{setting} holds an empty entry"), "take it out"));
        }
        if !all.insert(entry.to_lowercase()) {
            return Err(Error::new(format!("policy.{setting} holds {entry:?} twice"), "take one out"));
        }
    }
    Ok(all)
}

/// A list of words that stand for something.
fn known<'a, T: Deserialize<'a> + Ord>(setting: &str, entries: Option<&'a Vec<String>>) -> Result<BTreeSet<T>, Error> {
    let read = |entry: &'a String| {
        let word: StrDeserializer<'a, WordError> = entry.as_str().into_deserializer();
        T::deserialize(word).map_err(|error| {
            let error = error.to_string();
            let (message, advice) = error.split_once(", expected ").unwrap_or((&error, "a known word"));
            Error::new(format!("policy.{setting}: {message}"), format!("write {advice}"))
        })
    };
    entries.into_iter().flatten().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    fn own(text: &str) -> Result<Policy, Error> {
        Profile::shipped("nhsmail").unwrap().policy(&toml::from_str(text).unwrap())
    }

    #[test]
    fn a_project_overrides_by_the_same_names() {
        let shipped = own("").unwrap();
        assert_eq!((shipped.quota_bytes, shipped.profile_version), (Some(4 << 30), 3));
        let policy = own("quota_bytes = 25\nbanned_attachment = \"skip\"\nremovals_free = 3\n").unwrap();
        assert_eq!((policy.quota_bytes, policy.following.removals_free), (Some(25), 3));
        assert_eq!(policy.inspection.disposition, Disposition::Skip);
        assert_eq!(policy.inspection.bans, shipped.inspection.bans);
        let policy = own("banned_extensions_also = [\"ZIP\"]\nbanned_extensions_not = [\"exe\"]\n").unwrap();
        let Banned::Extensions(list) = &policy.inspection.bans[0].what else { panic!("extensions come first") };
        assert!(list.contains("zip") && !list.contains("exe") && list.contains("com"));
    }

    #[test]
    fn limits_are_met_to_the_byte() {
        let policy = own("item_bytes_max = 10\nquota_bytes = 10").unwrap();
        assert!(policy.fits_item(10) && !policy.fits_item(11));
        assert!(policy.fits_quota(9) && !policy.fits_quota(10));
        let plain = Profile::shipped("plain").unwrap().policy(&Settings::default()).unwrap();
        assert!(plain.fits_quota(u64::MAX) && plain.fits_item(u64::MAX) && plain.inspection.bans_nothing());
        assert_eq!(plain.following, Following::default());
    }

    #[test]
    fn days_are_counted_to_the_second() {
        for (day, seconds) in
            [("1970-01-01", 0), ("2000-02-29", 951_782_400), ("2015-12-31", 1_451_520_000), ("1969-12-31", -86_400)]
        {
            assert_eq!(moment("received_from", day).unwrap(), seconds, "{day}");
        }
        let policy = own("received_from = \"2015-01-01\"\nreceived_before = \"2016-01-01\"").unwrap();
        let edge = moment("received_from", "2016-01-01").unwrap();
        assert_eq!(policy.leaves_received(edge), Some("received-before"));
        assert_eq!(policy.leaves_received(edge - 1), None);
        assert_eq!(policy.leaves_received(0), Some("received-from"));
    }

    #[test]
    fn mistakes_are_named_with_what_to_do() {
        for (text, message, advice) in [
            ("quota_bytes = 0", "policy.quota_bytes = 0 lets nothing travel", "give a size"),
            ("removals_share_max = 101", "policy.removals_share_max = 101 is more than everything", "from 0 to 100"),
            ("failures_per_million_alert = 5", "warns of less than the 100 that are expected", "at least as many"),
            ("received_from = \"2015-02-29\"", "policy.received_from = \"2015-02-29\" is no day", "2015-01-31"),
            ("received_from = \"1/2/2015\"", "is no day", "2015-01-31"),
            (
                "received_from = \"2016-01-01\"\nreceived_before = \"2016-01-01\"",
                "so nothing travels",
                "one of the two",
            ),
            ("banned_extensions = [\".exe\"]", "holds \".exe\", which no name ends in", "such as \"exe\""),
            ("banned_extensions = [\"exe\", \"EXE\"]", "holds \"EXE\" twice", "take one out"),
            ("banned_extensions_not = [\"pdf\"]", "holds \"pdf\", which is not banned", "take it out"),
            (
                "banned_contents = [\"program\"]",
                "policy.banned_contents: unknown variant `program`",
                "`windows-program`",
            ),
            ("banned_unseen = [\"all\"]", "policy.banned_unseen: unknown variant `all`", "`encrypted-archive`"),
            ("banned_types = [\"*/*\"]", "bans everything", "video/*"),
            ("attachment_note = \" \"", "policy.attachment_note is empty", "say in it"),
            ("folders_left = [\"a//b\"]", "in which a name is empty", "Archive/2015"),
            ("folders_renamed = { inbox = \"In\" }", "new mail lands in INBOX", "take it out"),
            ("folders_renamed = { a = \"x\", b = \"x\" }", "a and b would both become x", "another place"),
            ("folders_renamed = { a = \"a\" }", "a would stay where it is", "take it out"),
        ] {
            let error = own(text).unwrap_err();
            assert!(error.message.contains(message) && error.advice.contains(advice), "{text}: {error}");
        }
    }
}
