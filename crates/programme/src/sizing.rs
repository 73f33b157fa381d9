//! How many machines a migration needs, from what is to be migrated.
//!
//! It is advice to begin with, on the safe side of what was measured (`bench/README.md`: 5,000 mailboxes in step, eight
//! workers and the database on two cores; a worker takes less than 40 MB). Every part of it grows with mailboxes and
//! with gigabytes, or stays, and never shrinks:
//!
//! - hosts = one for each started [`MAILBOXES_A_HOST`] mailboxes, at least one,
//! - cores = [`CORES_LEAST`] for each host, and one for each started [`MAILBOXES_A_CORE`] mailboxes,
//! - memory = [`MEMORY_LEAST_GIGABYTES`] for each host, and one gigabyte for each started [`MAILBOXES_A_GIGABYTE`]
//!   mailboxes,
//! - disk = [`DISK_LEAST_GIGABYTES`] for each host, one gigabyte for each started [`MAILBOXES_A_DISK_GIGABYTE`]
//!   mailboxes of records, and one for each started [`MAIL_A_DISK_GIGABYTE`] gigabytes of mail for what is kept of items
//!   that were changed or set aside.

use serde::Serialize;

use crate::data::Programme;
use crate::record::Record;

/// The fields of a form that say how much is to be migrated.
const MAILBOXES: &str = "mailboxes";
const GIGABYTES: &str = "gigabytes";

/// Mailboxes of one host: twice what was measured on two cores, with room.
pub const MAILBOXES_A_HOST: u64 = 10_000;
/// Cores of a host without any mailbox: one for the database, one for the service.
pub const CORES_LEAST: u64 = 2;
/// Mailboxes of one more core.
pub const MAILBOXES_A_CORE: u64 = 2_500;
/// Memory of a host without any mailbox, for its system and the database.
pub const MEMORY_LEAST_GIGABYTES: u64 = 4;
/// Mailboxes of one more gigabyte of memory.
pub const MAILBOXES_A_GIGABYTE: u64 = 2_500;
/// Disk of a host without any mailbox, for its system, logs and the journal of the database.
pub const DISK_LEAST_GIGABYTES: u64 = 40;
/// Mailboxes whose records take one gigabyte of disk: we assume 20,000 items each, of a quarter of a kilobyte, twice.
pub const MAILBOXES_A_DISK_GIGABYTE: u64 = 100;
/// Gigabytes of mail for which one gigabyte of disk is kept.
pub const MAIL_A_DISK_GIGABYTE: u64 = 50;

/// What runs at least, on one host or on several: name and what it is for.
pub const TOOL_ROLES: [(&str, &str); 3] = [
    ("database", "holds the record of every item; the only part that has to be backed up"),
    ("service", "the portal, the plan and the reports; one is enough"),
    ("worker", "copies mail; at least one, and one more for each further host"),
];

/// What a migration needs, in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sizing {
    /// Machines.
    pub hosts: u64,
    /// Cores of all machines together.
    pub cores: u64,
    /// Memory of all machines together.
    pub memory_gigabytes: u64,
    /// Disk of all machines together.
    pub disk_gigabytes: u64,
}

/// What a migration of so many mailboxes with so many gigabytes of mail needs.
pub fn sizing(mailboxes: u64, gigabytes: u64) -> Sizing {
    let hosts = mailboxes.div_ceil(MAILBOXES_A_HOST).max(1);
    let of_hosts = |least: u64| hosts.saturating_mul(least);
    Sizing {
        hosts,
        cores: of_hosts(CORES_LEAST).saturating_add(mailboxes.div_ceil(MAILBOXES_A_CORE)),
        memory_gigabytes: of_hosts(MEMORY_LEAST_GIGABYTES).saturating_add(mailboxes.div_ceil(MAILBOXES_A_GIGABYTE)),
        disk_gigabytes: of_hosts(DISK_LEAST_GIGABYTES)
            .saturating_add(mailboxes.div_ceil(MAILBOXES_A_DISK_GIGABYTE))
            .saturating_add(gigabytes.div_ceil(MAIL_A_DISK_GIGABYTE)),
    }
}

/// What a migration needs, with how it was reckoned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Advice {
    /// Mailboxes that it was reckoned from.
    pub mailboxes: u64,
    /// Gigabytes of mail that it was reckoned from.
    pub gigabytes: u64,
    /// What is needed.
    pub needs: Sizing,
    /// How each part of it comes about.
    pub formula: Vec<String>,
    /// What runs at least, and what each is for.
    pub roles: Vec<(&'static str, &'static str)>,
}

/// What a project needs: of the numbers that are given here, else of its forms. What is not known is named, as forms have it.
pub fn advice(
    programme: &Programme,
    record: &Record,
    mailboxes: Option<u64>,
    gigabytes: Option<u64>,
) -> Result<Advice, Vec<String>> {
    let of_form = |name: &str| {
        let form = programme.forms.iter().find(|form| form.fields.iter().any(|field| field.id == name));
        let answer = form.and_then(|form| record.answer(&form.id, name)?.trim().parse::<u64>().ok());
        answer.ok_or_else(|| form.map_or_else(|| name.to_owned(), |form| format!("{}.{name}", form.id)))
    };
    let known =
        [(mailboxes, MAILBOXES), (gigabytes, GIGABYTES)].map(|(given, name)| given.map_or_else(|| of_form(name), Ok));
    let [Ok(mailboxes), Ok(gigabytes)] = known else {
        return Err(known.into_iter().filter_map(Result::err).collect());
    };
    Ok(Advice {
        mailboxes,
        gigabytes,
        needs: sizing(mailboxes, gigabytes),
        formula: formula(),
        roles: TOOL_ROLES.to_vec(),
    })
}

/// How each part comes about, in words.
fn formula() -> Vec<String> {
    vec![
        format!("hosts: one for each started {MAILBOXES_A_HOST} mailboxes, at least one"),
        format!("cores: {CORES_LEAST} for each host, and one for each started {MAILBOXES_A_CORE} mailboxes"),
        format!(
            "memory: {MEMORY_LEAST_GIGABYTES} GB for each host, and one for each started {MAILBOXES_A_GIGABYTE} mailboxes"
        ),
        format!(
            "disk: {DISK_LEAST_GIGABYTES} GB for each host, one for each started {MAILBOXES_A_DISK_GIGABYTE} mailboxes, \
             and one for each started {MAIL_A_DISK_GIGABYTE} GB of mail"
        ),
    ]
}
