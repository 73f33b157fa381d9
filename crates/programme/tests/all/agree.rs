//! Where the programme of a platform and its other rules say the same thing, they say the same.

use programme::Programme;
use toml::{Table, Value};

/// Where the profiles of the program stand.
const PROFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../profiles");

/// The rules of a profile in one edition, as they stand in its file.
fn rules(name: &str, edition: &str) -> Table {
    std::fs::read_to_string(format!("{PROFILES}/{name}/{edition}.toml")).unwrap().parse().unwrap()
}

#[test]
fn numbers_of_the_programme_are_those_of_the_rules() {
    for edition in Programme::editions("nhsmail") {
        let programme = Programme::shipped("nhsmail", edition).unwrap().unwrap();
        let rules = rules("nhsmail", edition);
        for (constant, table, rule) in [
            ("quota", "policy", "quota_bytes"),
            ("attachment-most", "policy", "attachment_bytes_max"),
            ("failures-expected", "policy", "failures_per_million_expected"),
            ("accounts-over", "people", "registrations"),
            ("accounts-over", "people", "bulk_over"),
            ("accounts-extra", "people", "bulk_days"),
            ("activation", "people", "activation_days"),
        ] {
            let number = rules[table].get(rule).and_then(Value::as_integer);
            let number = number.unwrap_or_else(|| panic!("{edition} has no {table}.{rule}"));
            assert_eq!(i64::try_from(programme.constants[constant].value), Ok(number), "{constant} in {edition}");
        }
    }
}

#[test]
fn every_edition_of_a_profile_has_its_programme() {
    let mut editions: Vec<String> = std::fs::read_dir(format!("{PROFILES}/nhsmail"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    editions.sort();
    assert_eq!(editions, Programme::editions("nhsmail").collect::<Vec<_>>());
}

#[test]
fn every_file_of_a_programme_is_shipped() {
    let programme = Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let mut tasks = 0;
    for entry in std::fs::read_dir(format!("{PROFILES}/nhsmail/programme")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let table: Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            tasks += table.get("tasks").and_then(Value::as_array).map_or(0, Vec::len);
        }
    }
    assert_eq!(programme.tasks.len(), tasks);
}

#[test]
fn bank_holidays_are_those_of_the_years() {
    let programme = Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let days: Vec<String> = programme.holidays.iter().map(|holiday| holiday.day.to_string()).collect();
    assert!(days.is_sorted(), "in the order of the days");
    for (year, count) in
        (2017..=2028).map(|year| (year, if matches!(year, 2022) { 10 } else { 8 + usize::from(year == 2023) }))
    {
        let of_year = days.iter().filter(|day| day.starts_with(&format!("{year}-"))).count();
        assert_eq!(of_year, count, "{year}");
    }
    // Days that a rule alone would get wrong.
    for day in [
        "2017-01-02",
        "2020-05-08",
        "2020-12-28",
        "2021-12-27",
        "2021-12-28",
        "2022-01-03",
        "2022-06-02",
        "2022-06-03",
        "2022-09-19",
        "2022-12-27",
        "2023-01-02",
        "2023-05-08",
        "2024-04-01",
        "2026-12-28",
        "2027-12-28",
        "2028-01-03",
    ] {
        assert!(days.iter().any(|known| known == day), "{day} is missing");
    }
    for day in ["2020-05-04", "2022-05-30", "2021-12-25", "2022-12-25"] {
        assert!(!days.iter().any(|known| known == day), "{day} is none");
    }
}
