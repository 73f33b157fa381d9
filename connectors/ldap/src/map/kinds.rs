//! What an entry stands for: by the settings' rules, by what Exchange calls it, by its object classes.

use model::EntryKind;

use crate::config::{Config, Kind};
use crate::wire::entry::RawEntry;

/// What Exchange calls a recipient, a bit each.
pub(crate) const RECIPIENT_TYPE: &str = "msExchRecipientTypeDetails";

/// The attribute by which a kind is told in other directories, unless the settings say otherwise: inetOrgPerson, person's kin
/// and groups all may have it.
pub(crate) const CATEGORY: &str = "businessCategory";

/// A rule: an attribute with a value means a kind.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) attribute: String,
    pub(crate) value: String,
    pub(crate) kind: EntryKind,
}

/// The rules of these settings.
pub(crate) fn rules(config: &Config) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (kind, texts) in &config.kinds {
        for text in texts {
            if let Some((attribute, value)) = text.split_once('=') {
                rules.push(Rule { attribute: attribute.to_owned(), value: value.to_owned(), kind: *kind });
            }
        }
    }
    if config.kind == Kind::Ldap {
        for kind in EntryKind::EVERY {
            if !config.kinds.contains_key(&kind) {
                rules.push(Rule { attribute: CATEGORY.to_owned(), value: kind.name().to_owned(), kind });
            }
        }
    }
    rules
}

/// What an entry stands for; none when nothing tells.
pub(crate) fn kind(raw: &RawEntry, rules: &[Rule]) -> Option<EntryKind> {
    let by_rule = rules.iter().find(|rule| raw.has(&rule.attribute, &rule.value)).map(|rule| rule.kind);
    by_rule.or_else(|| by_recipient_type(raw)).or_else(|| by_class(raw))
}

/// By msExchRecipientTypeDetails.
fn by_recipient_type(raw: &RawEntry) -> Option<EntryKind> {
    let value: u64 = raw.text(RECIPIENT_TYPE)?.trim().parse().ok()?;
    Some(match value {
        // Mailboxes of users, linked and legacy ones, mail users, users without mail, disabled ones; remote mailboxes.
        0x1 | 0x2 | 0x8 | 0x80 | 0x1_0000 | 0x20_0000 | 0x200_0000 | 0x8000_0000 => EntryKind::Person,
        // Shared mailboxes, public folders with mail, team mailboxes and those of groups, here and remote.
        0x4 | 0x1000 | 0x8_0000_0000 | 0x10_0000_0000 | 0x20_0000_0000 | 0x40_0000_0000 | 0x100_0000_0000 => {
            EntryKind::Shared
        }
        0x10 | 0x2_0000_0000 | 0x200_0000_0000 => EntryKind::Room,
        0x20 | 0x4_0000_0000 => EntryKind::Equipment,
        0x40 | 0x8000 | 0x2_0000 => EntryKind::Contact,
        // Groups of every kind, dynamic ones and lists of rooms.
        0x100 | 0x200 | 0x400 | 0x800 | 0x4_0000 | 0x8_0000 | 0x10_0000 | 0x1000_0000 | 0x4000_0000 => EntryKind::List,
        // Exchange's own: attendants, system, arbitration, discovery, monitoring and audit mailboxes.
        0x2000 | 0x4000 | 0x40_0000 | 0x80_0000 | 0x100_0000 | 0x2000_0000 | 0x80_0000_0000 | 0x400_0000_0000 => {
            EntryKind::System
        }
        _ => return None,
    })
}

/// By object class: classes of lists first, since some directories make a group a person, too.
fn by_class(raw: &RawEntry) -> Option<EntryKind> {
    let is = |class: &str| raw.has("objectClass", class);
    let lists = ["group", "groupOfNames", "groupOfUniqueNames", "groupOfMembers", "groupOfURLs", "mailGroup"];
    if lists.into_iter().chain(["inetMailGroup", "nisMailAlias", "posixGroup"]).any(is) {
        return Some(EntryKind::List);
    }
    if is("contact") {
        return Some(EntryKind::Contact);
    }
    if ["user", "person", "inetOrgPerson", "organizationalPerson", "inetLocalMailRecipient"].into_iter().any(is) {
        return Some(EntryKind::Person);
    }
    match ["room", "device"].into_iter().find(|class| is(class)) {
        Some("room") => Some(EntryKind::Room),
        Some(_) => Some(EntryKind::Equipment),
        None => is("account").then_some(EntryKind::System),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &str)]) -> RawEntry {
        let mut entry = RawEntry::default();
        for (name, value) in attributes {
            entry.add(name, vec![value.as_bytes().to_vec()]);
        }
        entry
    }

    #[test]
    fn what_exchange_calls_it_comes_before_its_class_and_the_settings_before_both() {
        let mut config = Config::new(Kind::ActiveDirectory, "x");
        let user = ("objectClass", "user");
        for (value, kind) in [
            ("1", EntryKind::Person),
            ("4", EntryKind::Shared),
            ("16", EntryKind::Room),
            ("32", EntryKind::Equipment),
            ("34359738368", EntryKind::Shared),
            ("8388608", EntryKind::System),
            ("99", EntryKind::Person),
            ("x", EntryKind::Person),
        ] {
            assert_eq!(kind_of(&config, &[user, (RECIPIENT_TYPE, value)]), Some(kind), "{value}");
        }
        config.kinds.insert(EntryKind::System, vec!["title=Robot".into()]);
        assert_eq!(kind_of(&config, &[user, (RECIPIENT_TYPE, "4"), ("title", "robot")]), Some(EntryKind::System));
        assert_eq!(kind_of(&config, &[("objectClass", "group")]), Some(EntryKind::List));
        assert_eq!(kind_of(&config, &[("objectClass", "organizationalUnit")]), None);
        let config = Config::new(Kind::Ldap, "x");
        let person = ("objectClass", "inetOrgPerson");
        assert_eq!(kind_of(&config, &[person, (CATEGORY, "shared")]), Some(EntryKind::Shared));
        assert_eq!(kind_of(&config, &[person, (CATEGORY, "nursing")]), Some(EntryKind::Person));
    }

    fn kind_of(config: &Config, attributes: &[(&str, &str)]) -> Option<EntryKind> {
        kind(&entry(attributes), &rules(config))
    }
}
