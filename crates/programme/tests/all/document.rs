//! The governing document itself, where it is at hand: its tables P1 to P6 and P8 are read here, and `tables.md`, the copy that every other test
//! goes by, has to have what they have.
//!
//! What can be counted is counted: stages, weeks with what each side does, roles, tasks by side, lines of the view, lists. Of the words of each
//! row `document.txt` has a digest, so that a row which says something else is looked at by a person and copied anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::tables::{Wanted, wanted};

/// A digest of each row that `tables.md` was written from.
const COPIED: &str = include_str!("../document.txt");

/// Tables by name, each with the cells of its rows.
type Tables = BTreeMap<String, Vec<Vec<String>>>;

/// The document; says so where it is not at hand.
#[expect(clippy::print_stdout, reason = "what was not looked at is said")]
fn document() -> Option<Tables> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let corpus = std::env::var_os("WHIMBREL_CORPUS").map(PathBuf::from);
    let folder = corpus.and_then(|corpus| corpus.parent().map(Path::to_path_buf)).unwrap_or(beside);
    let path = folder.join("profile-nhsmail.md");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(tables(&text)),
        Err(error) => {
            println!("skipped: {} cannot be read: {error} (WHIMBREL_CORPUS)", path.display());
            None
        }
    }
}

/// The tables of a document, without their headings.
fn tables(text: &str) -> Tables {
    let mut tables = Tables::new();
    let (mut name, mut has_heading) = (None, false);
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let first = heading.split_whitespace().next().unwrap_or_default().to_owned();
            name = Some(first).filter(|name| name.len() == 2 && name.starts_with('P') && name != "P7");
            has_heading = false;
        } else if line.starts_with("# ") {
            name = None;
        }
        let (Some(name), true) = (&name, line.starts_with('|') && !line.starts_with("|---")) else { continue };
        if std::mem::replace(&mut has_heading, true) {
            let cells = line.trim_matches('|').split('|');
            let cells = cells.map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" "));
            tables.entry(name.clone()).or_default().push(cells.collect());
        }
    }
    tables
}

/// FNV-1a.
fn digest(row: &[String]) -> String {
    let text = row.join("|");
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// How many entries a cell has: parts between these letters, outside of brackets; nothing where it is a dash.
fn count(cell: &str, between: &[char]) -> usize {
    if cell == "-" || cell.is_empty() {
        return 0;
    }
    let mut depth = 0_i32;
    1 + cell
        .chars()
        .filter(|letter| {
            depth += i32::from(*letter == '(') - i32::from(*letter == ')');
            depth == 0 && between.contains(letter)
        })
        .count()
}

fn slug(text: &str) -> String {
    let words = text.to_lowercase().replace('&', "and").replace('/', " ");
    words.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Everything in which the copy has more or less than the document.
fn differences(document: &Tables, copy: &[Wanted]) -> Vec<String> {
    let mut wrong = Vec::new();
    let list = |name: &str| copy.iter().filter(|row| row.list == name).collect::<Vec<_>>();
    let entries = |row: &Wanted, field: &str| count(row.fields.get(field).map_or("-", String::as_str), &[';']);
    let mut same = |what: String, document: usize, copy: usize| {
        if document != copy {
            wrong.push(format!("{what}: {document} in the document, {copy} in tables.md"));
        }
    };
    let of = |name: &str| document.get(name).map(Vec::as_slice).unwrap_or_default();
    // Stages of the managed kind come first, in their order.
    let stages = list("stages");
    for (at, row) in of("P1").iter().enumerate() {
        let name = slug(row[0].split_once(' ').map_or("", |(_, name)| name));
        let copied = stages.get(at);
        same(format!("P1, {name}"), 1, usize::from(copied.is_some_and(|copied| copied.keys["id"] == name)));
        let Some(copied) = copied else { continue };
        let weeks = copied.fields["deployment-weeks"] == row[2];
        same(format!("P1, {name}: deployment weeks are {:?}", row[2]), 1, usize::from(weeks));
        same(format!("P1, {name}: objectives"), count(&row[5], &[';', ',']), entries(copied, "objectives"));
    }
    // Each week is that of a stage by its number, and says what each side does.
    let weeks = list("weeks");
    same("P2".to_owned(), of("P2").len(), weeks.len());
    for (row, copied) in of("P2").iter().zip(&weeks) {
        let (stage, week) = row[0].split_once('.').expect("a stage and a week");
        let stage =
            stages.get(stage.parse::<usize>().expect("a stage's number")).map(|stage| stage.keys["id"].as_str());
        let week = if week == "all" { "0" } else { week };
        let is_its = stage == Some(copied.keys["stage"].as_str()) && copied.keys["week"] == week;
        same(format!("P2, {}", row[0]), 1, usize::from(is_its));
        for (cell, field, between) in
            [(1, "organisation", &[';'][..]), (2, "provider", &[';']), (3, "deliverables", &[';', ','])]
        {
            same(format!("P2, {}: {field}", row[0]), count(&row[cell], between), entries(copied, field));
        }
    }
    let staffing = list("staffing");
    same("P3".to_owned(), of("P3").len(), staffing.len());
    for (row, copied) in of("P3").iter().zip(&staffing) {
        // What stands in brackets after one name are roles of their own.
        let more: usize =
            row[1].split(';').filter(|role| role.contains('(')).map(|role| role.matches(',').count()).sum();
        same(format!("P3, {}", row[0]), count(&row[1], &[';']) + more, entries(copied, "roles"));
    }
    // Tasks of each part, by the sides that have them.
    let mut tasks: BTreeMap<(String, usize, char), (usize, usize)> = BTreeMap::new();
    let mut part = String::new();
    for row in of("P4") {
        if !row[0].is_empty() {
            part = slug(&row[0].replace("Pre-reqs", "pre-requisites"));
        }
        let (sides, first) = (row[2].split_whitespace().count(), row[2].chars().next().unwrap_or('?'));
        tasks.entry((part.clone(), sides, first)).or_default().0 += count(&row[1], &[';']);
    }
    for row in list("responsibilities") {
        let sides = &row.fields["sides"];
        let first = sides.chars().next().unwrap_or('?').to_ascii_uppercase();
        tasks.entry((row.fields["part"].clone(), count(sides, &[';']), first)).or_default().1 += 1;
    }
    for ((part, sides, first), (document, copy)) in tasks {
        same(format!("P4, {part}: tasks of {sides} sides, {first} first"), document, copy);
    }
    let gates = of("P5").iter().map(|row| slug(row[0].split('(').next().unwrap_or_default()));
    let gates: Vec<String> = gates.collect();
    same(format!("P5, gates {gates:?}"), gates.len(), stages.len() - of("P1").len());
    for (gate, stage) in gates.iter().zip(stages.iter().skip(of("P1").len())) {
        let is_its = gate == "end" || gate.ends_with(&stage.keys["id"]);
        same(format!("P5, {gate} is {}", stage.keys["id"]), 1, usize::from(is_its));
    }
    let mut lines: Vec<(String, usize)> = Vec::new();
    for row in list("views.lines") {
        match lines.last_mut().filter(|(part, _)| *part == row.fields["part"]) {
            Some((_, count)) => *count += 1,
            None => lines.push((row.fields["part"].clone(), 1)),
        }
    }
    same("P6".to_owned(), of("P6").len(), lines.len());
    for (row, (part, copied)) in of("P6").iter().zip(&lines) {
        same(format!("P6, {} as {part}", row[0]), count(&row[1], &[';']), *copied);
    }
    for row in of("P8") {
        let copied = match row[0].as_str() {
            "Not migrated by new profile" => "not-migrated",
            "Pilot check items" => "pilot-checks",
            "Go/no-go agenda" => "go-no-go-agenda",
            "Workshop agenda" => "workshop-agenda",
            "VIP categories" => "vip-categories",
            "IG topics" => "governance-topics",
            "Call trends" => "call-trends",
            "Self data paths" => "self-data-paths",
            "Top lessons" => {
                same("P8, lessons".to_owned(), count(&row[1], &[';']), list("lessons").len());
                continue;
            }
            "Intent fields" => {
                let fields = list("forms.fields")
                    .into_iter()
                    .filter(|field| field.keys.get("form").is_some_and(|form| form == "intent"));
                same("P8, fields of the intent".to_owned(), count(&row[1], &[';']), fields.count());
                continue;
            }
            // What is several numbers in one entry is several constants: its digest below tells when it changes.
            "Constants" => continue,
            other => {
                same(format!("P8, {other}"), 1, 0);
                continue;
            }
        };
        let found = list("lists").into_iter().find(|list| list.keys["id"] == copied);
        same(format!("P8, {copied}"), count(&row[1], &[';']), found.map_or(0, |found| entries(found, "lines")));
    }
    let digests = document.iter().flat_map(|(name, rows)| rows.iter().map(move |row| (name, row)));
    let mut copied = COPIED.lines();
    for (name, row) in digests {
        let now = format!("{name} {}", digest(row));
        if copied.next() != Some(now.as_str()) {
            wrong.push(format!(
                "{name}, the row of {:?} is not the one that tables.md was written from: bring tables.md and the profile up to it, then write {now:?} into document.txt",
                row[0]
            ));
        }
    }
    wrong.extend(copied.map(|line| format!("the document has no row {line} any more")));
    wrong
}

#[test]
fn the_copy_of_the_tables_has_what_the_document_has() {
    let Some(document) = document() else { return };
    let rows: BTreeMap<&str, usize> = document.iter().map(|(name, rows)| (name.as_str(), rows.len())).collect();
    assert_eq!(rows, [("P1", 7), ("P2", 16), ("P3", 5), ("P4", 18), ("P5", 6), ("P6", 6), ("P8", 11)].into());
    let wrong = differences(&document, &wanted());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_row_that_the_document_has_no_more_or_the_copy_has_no_more_is_missed() {
    let Some(document) = document() else { return };
    for (name, rows) in &document {
        for (at, row) in rows.iter().enumerate() {
            let mut fewer = document.clone();
            fewer.get_mut(name).unwrap().remove(at);
            assert!(!differences(&fewer, &wanted()).is_empty(), "{name}: nobody misses {row:?}");
            let mut other = document.clone();
            other.get_mut(name).unwrap()[at].last_mut().unwrap().push('!');
            assert!(!differences(&other, &wanted()).is_empty(), "{name}: nobody sees what {row:?} says now");
        }
    }
    for list in ["stages", "weeks", "staffing", "responsibilities", "views.lines", "lessons"] {
        let count = wanted().iter().filter(|row| row.list == list).count();
        for gone in 0..count {
            let mut at = 0..;
            let mut copy = wanted();
            copy.retain(|row| row.list != list || at.next() != Some(gone));
            assert!(!differences(&document, &copy).is_empty(), "nobody misses row {gone} of {list}");
        }
    }
}
