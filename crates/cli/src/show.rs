//! Reports as text. Each shows the same struct that `--json` prints.

use std::fmt::Write;

use movement::state::counted;
use service::{
    CheckReport, DemoReport, DoctorReport, ExportReport, FailedReport, HeldReport, InitReport, LossReport,
    ProfileReport, QuarantineReport, RuleOf, RulesReport, StatusReport, SyncReport, VerifyReport, WordReport, rule_of,
};

use crate::text;

/// Differences shown by name; more are in the JSON.
const DIFFERENCES_SHOWN: usize = 20;

/// Lines of cells under headings, each column as wide as its widest cell. Columns whose heading begins with `>` stand to
/// the right.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let title = |heading: &str| heading.trim_start_matches('>').to_owned();
    let mut widths: Vec<usize> = headings.iter().map(|heading| title(heading).chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        let mut line = String::new();
        for ((cell, width), heading) in cells.iter().zip(&widths).zip(headings) {
            let padding = " ".repeat(width - cell.chars().count());
            if heading.starts_with('>') {
                let _ = write!(line, "{padding}{cell}  ");
            } else {
                let _ = write!(line, "{cell}{padding}  ");
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&headings.iter().map(|heading| title(heading)).collect::<Vec<_>>());
    for row in rows {
        line(row);
    }
    text
}

pub(crate) fn init(report: &InitReport) -> String {
    format!(
        "Made {} in {}.\nWrite the servers into whimbrel.toml and the people into people.csv, then run: whimbrel check \
         --project {}",
        report.files.join(" and "),
        report.folder,
        report.folder
    )
}

pub(crate) fn losses(report: &LossReport) -> String {
    if report.losses.is_empty() {
        return format!("From {} to {} nothing is lost.", report.source, report.target);
    }
    let mut text = format!("From {} to {} this can't be carried as it is:\n", report.source, report.target);
    for loss in &report.losses {
        let _ = writeln!(text, "  {:16} {}", loss.loss, loss.what);
    }
    text.trim_end().to_owned()
}

pub(crate) fn doctor(report: &DoctorReport) -> String {
    let mut text = String::new();
    for well in &report.well {
        let _ = writeln!(text, "ok     {well}");
    }
    for complaint in &report.complaints {
        let _ = writeln!(text, "WRONG  {}\n       what to do: {}", complaint.what, complaint.advice);
    }
    text.trim_end().to_owned()
}

pub(crate) fn check(report: &CheckReport) -> String {
    let mut text = String::new();
    for check in &report.endpoints {
        let person = check.person.as_ref().map(|person| format!(", with {person}")).unwrap_or_default();
        let _ = writeln!(text, "{} ({}, {}{person})", check.endpoint, check.kind, check.side);
        for finding in &check.findings {
            match finding.wrong {
                None => {
                    let _ = writeln!(text, "  ok     {}", finding.sentence);
                }
                Some(cause) => {
                    let _ = writeln!(text, "  WRONG  {}\n         what to do: {}", finding.sentence, cause.advice());
                }
            }
        }
    }
    if let Some(scanner) = &report.scanner {
        let _ = match scanner.wrong {
            None => writeln!(text, "malware scanner\n  ok     {}", scanner.sentence),
            Some(cause) => {
                writeln!(
                    text,
                    "malware scanner\n  WRONG  {}\n         what to do: {}",
                    scanner.sentence,
                    cause.advice()
                )
            }
        };
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text.trim_end().to_owned()
}

pub(crate) fn sync(report: &SyncReport) -> String {
    let mut text = String::new();
    for result in &report.mailboxes {
        for would in &result.would {
            let made = if would.make { " (to be made)" } else { "" };
            let _ = writeln!(
                text,
                "{}: {} → {}{made}: copy {}, {}; there already {}; left behind {}; can't travel {}; flags {}; no more at the \
                 source {}",
                result.source,
                would.folder,
                would.target_folder,
                would.copy,
                text::bytes(would.bytes),
                would.adopt,
                would.leave,
                would.fail,
                would.flags,
                would.gone
            );
        }
        if let Some(reason) = &result.reason {
            let side = result.side.map(|side| format!(" ({side})")).unwrap_or_default();
            let _ = writeln!(text, "{} → {}: {}{side}: {reason}", result.source, result.target, result.condition);
            if let Some(advice) = result.advice {
                let _ = writeln!(text, "  what to do: {advice}");
            }
        }
        for (cause, count) in &result.failed_by_cause {
            let _ = writeln!(text, "  {} failed for {cause}: {}", counted(*count, "item"), cause.advice());
        }
        if result.held > 0 {
            let _ = writeln!(text, "  {} held for a word: see `whimbrel held list`", counted(result.held, "item"));
        }
    }
    for (source, why) in report.withheld.iter().take(DIFFERENCES_SHOWN) {
        let _ = writeln!(text, "{}: not copied yet: {why}", report::harmless(source));
    }
    if report.withheld.len() > DIFFERENCES_SHOWN {
        let _ = writeln!(text, "… and {} more that are not copied yet", report.withheld.len() - DIFFERENCES_SHOWN);
    }
    for held in &report.held_elsewhere {
        let _ = writeln!(text, "{held}: another process is working on it");
    }
    for paused in &report.paused {
        let _ = writeln!(text, "{paused}: paused, and left alone; whimbrel processes says by whom and why.");
    }
    if let Some(what) = &report.broken_off {
        let _ = writeln!(text, "broken off: {what}");
        if let Some(advice) = report.advice {
            let _ = writeln!(text, "  what to do: {advice}");
        }
    }
    if report.dry_run {
        text.push_str("Nothing was changed.");
        return text;
    }
    let archives = report.mailboxes.iter().filter(|result| result.archive).count();
    let _ = write!(text, "{}: ", counted((report.mailboxes.len() - archives) as u64, "mailbox"));
    let _ = write!(text, "{} copied, {}", counted(report.copied, "item"), text::bytes(report.bytes));
    if report.adopted > 0 {
        let _ = write!(text, ", {} there already", counted(report.adopted, "item"));
    }
    if report.replaced > 0 {
        let _ = write!(text, " ({} without what a rule bans)", report.replaced);
    }
    if report.repaired > 0 {
        let _ = write!(text, " ({} repaired)", report.repaired);
    }
    for (count, what) in [
        (report.left_behind, "left behind by rules"),
        (report.moved, "moved"),
        (report.removed, "removed"),
        (report.withdrawn, "withdrawn by their people"),
        (report.failed, "failed"),
        (report.held, "held"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {} {what}", counted(count, "item"));
        }
    }
    if report.removals_held > 0 {
        let removals = counted(report.removals_held, "removal");
        let _ = write!(text, "; {removals} held for a word: see `whimbrel held list`");
    }
    if archives > 0 {
        let (mailboxes, items) = (counted(archives as u64, "mailbox"), counted(report.archived, "item"));
        let _ = write!(text, "; {mailboxes} to the archive: {items}, {}", text::bytes(report.archived_bytes));
    }
    if report.mailboxes_failed > 0 {
        let _ = write!(text, "; {} could not be completed", counted(report.mailboxes_failed, "mailbox"));
    }
    text.push_str(if report.stopped { ". Stopped; run again to go on." } else { "." });
    text
}

pub(crate) fn status(report: &StatusReport) -> String {
    let mut rows = Vec::new();
    for mailbox in &report.mailboxes {
        let tally = &mailbox.items;
        let cells = |name: String, state: String, tally: &StatusTally, reason: String| {
            vec![
                name,
                state,
                tally.source.to_string(),
                tally.copied.to_string(),
                tally.adopted.to_string(),
                tally.excluded.to_string(),
                tally.failed.to_string(),
                tally.held.to_string(),
                tally.withdrawn.to_string(),
                text::bytes(tally.bytes),
                reason,
            ]
        };
        let state = format!("{}, {}", mailbox.phase.name(), mailbox.condition);
        let waits = mailbox.waits.as_ref().map(|waits| waits.text.clone());
        let mut reason = waits.or_else(|| mailbox.reason.clone()).unwrap_or_default();
        if mailbox.vip {
            reason = if reason.is_empty() { "VIP".to_owned() } else { format!("VIP; {reason}") };
        }
        if mailbox.removals_held > 0 {
            let held = counted(mailbox.removals_held, "removal");
            reason = if reason.is_empty() { format!("{held} held") } else { format!("{reason}; {held} held") };
        }
        rows.push(cells(mailbox.source.clone(), state, tally, reason));
        if mailbox.folders.len() > 1 {
            for folder in &mailbox.folders {
                let state = if folder.is_complete { "" } else { "not read to its end" };
                rows.push(cells(format!("  {}", folder.path), state.to_owned(), &folder.items, String::new()));
            }
        }
    }
    let headings = [
        "Mailbox",
        "State",
        ">Source",
        ">Copied",
        ">Adopted",
        ">Excluded",
        ">Failed",
        ">Held",
        ">Withdrawn",
        ">Size",
        "",
    ];
    let mut text = format!("{} ({})\n", report.organisation, report.code);
    text.push_str(&table(&headings, &rows));
    let all = &report.all;
    let _ = write!(
        text,
        "{}: {} of {} have a fate: {} copied, {} adopted, {} excluded, {} failed, {} held, {} withdrawn",
        counted(report.mailboxes.iter().filter(|mailbox| !mailbox.archive).count() as u64, "mailbox"),
        all.accounted(),
        counted(all.source, "item"),
        all.copied,
        all.adopted,
        all.excluded,
        all.failed,
        all.held,
        all.withdrawn
    );
    if let Some(archive) = &report.archive {
        let items = counted(archive.source, "item");
        let (done, there) = (archive.accounted(), archive.on_target());
        let _ = write!(text, "\nIn the archive: {done} of {items} have a fate, {there} are there");
    }
    if report.unaccounted > 0 {
        let _ =
            write!(text, "\nTHE SUMS DO NOT HOLD: {} without a fate in folders read to their end", report.unaccounted);
    }
    text
}

pub(crate) fn held(report: &HeldReport) -> String {
    if report.held.is_empty() {
        return "Nothing waits for a word.".to_owned();
    }
    let rows: Vec<Vec<String>> = report
        .held
        .iter()
        .map(|line| {
            vec![
                line.reference.clone(),
                line.mailbox.clone(),
                line.folder.clone().unwrap_or_default(),
                text::waits(line.waits).to_owned(),
                line.rule.clone(),
                line.received.map_or_else(String::new, text::day),
                line.size_bytes.map_or_else(String::new, text::bytes),
                line.word.unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    let mut text = table(&["Reference", "Mailbox", "Folder", "What waits", "Rule", "Received", ">Size", "Word"], &rows);
    for line in report.held.iter().filter(|line| line.what.is_some()) {
        let _ = writeln!(text, "{}: {}", line.reference, line.what.as_deref().unwrap_or_default());
    }
    let _ = write!(
        text,
        "{} for a word. Removals: approve removes them from the target, reject lets them stay. Items: approve copies them, \
         reject takes what is there for them.",
        match report.held.len() {
            1 => "1 waits".to_owned(),
            many => format!("{many} wait"),
        }
    );
    text
}

pub(crate) fn failed(report: &FailedReport) -> String {
    if report.failed.is_empty() {
        return "Nothing failed.".to_owned();
    }
    let mut text = String::new();
    for line in &report.failed {
        let size = text::bytes(line.size_bytes);
        let _ = writeln!(text, "{} {} {} ({size}): {}", line.reference, line.mailbox, line.cause, line.what);
        if let Some(server) = &line.server {
            let _ = writeln!(text, "  the server said: {server}");
        }
        match (&line.accepted_by, &line.accepted_why) {
            (Some(by), why) => {
                let _ = writeln!(text, "  accepted by {by}: {}", why.as_deref().unwrap_or_default());
            }
            _ => {
                let _ = writeln!(text, "  what to do: {}", line.advice);
            }
        }
    }
    let _ = write!(text, "{} failed", counted(report.failed.len() as u64, "item"));
    text
}

pub(crate) fn profile(report: &ProfileReport) -> String {
    let mut text = format!("{} (version {}): {}\n", report.profile, report.version, report.title);
    for rule in &report.rules {
        let value = rule.value.as_deref().unwrap_or("not set");
        let _ = writeln!(text, "{} = {value}\n  {}: {}", rule.setting, rule.id, rule.sentence);
    }
    for source in &report.sources {
        let _ = writeln!(text, "From: {source}");
    }
    text.trim_end().to_owned()
}

pub(crate) fn rules(report: &RulesReport) -> String {
    if report.items.is_empty() {
        return "No rule has made anything special of any item.".to_owned();
    }
    let field = |file: &serde_json::Value, name: &str| file[name].as_str().unwrap_or_default().to_owned();
    let mut rows = Vec::new();
    for item in &report.items {
        let files = item.files.as_array().cloned().unwrap_or_default();
        let day = item.received.map_or_else(String::new, text::day);
        let cells = |of: RuleOf, file: String, size: u64| {
            let (reference, mailbox) = (item.reference.clone(), item.mailbox.clone());
            let (folder, how) = (item.folder.clone(), of.how.to_owned());
            vec![reference, mailbox, folder, how, of.rule, day.clone(), file, text::bytes(size)]
        };
        if files.is_empty() {
            let of = RuleOf { rule: item.rule.clone(), how: item.how };
            rows.push(cells(of, String::new(), item.size_bytes));
        }
        for file in &files {
            let repair = || Some(format!("{} {}", file["count"].as_u64()?, file["how"].as_str()?));
            let date = || Some(format!("now {}", text::day(file["after"].as_i64()?)));
            let size = file["size_bytes"].as_u64().unwrap_or(item.size_bytes);
            let what = repair().or_else(date).unwrap_or_else(|| field(file, "name"));
            rows.push(cells(rule_of(item.how, file), what, size));
        }
    }
    let mut text = table(&["Reference", "Mailbox", "Folder", "What", "Rule", "Received", "File", ">Size"], &rows);
    for count in &report.counts {
        let _ = writeln!(text, "{} {} by rule {}", counted(count.items, "item"), count.how, count.rule);
    }
    text.trim_end().to_owned()
}

pub(crate) fn exported(report: &ExportReport) -> String {
    let size = text::bytes(report.size_bytes);
    format!("The original of {} is in {} ({size}, SHA-256 {}).", report.reference, report.to, report.sha256)
}

pub(crate) fn quarantine(report: &QuarantineReport) -> String {
    let mut text = String::new();
    for (files, what) in [(&report.damaged_files, "can't be read back"), (&report.foreign_files, "is none of ours")] {
        for file in files {
            let _ = writeln!(text, "{file} {what}");
        }
    }
    for reference in &report.missing {
        let _ = writeln!(text, "the original of {reference} is not there");
    }
    let _ = write!(text, "{} whole, {} damaged", counted(report.good, "original"), report.damaged);
    let _ = write!(text, ", {} missing, {} of others.", report.missing.len(), counted(report.foreign, "file"));
    text
}

pub(crate) fn word(report: &WordReport) -> String {
    let mut text = format!("Said of {}: {}. The next sync does it.", counted(report.said_of, "thing"), report.word);
    if report.too_late > 0 {
        let late = counted(report.too_late, "thing");
        let _ = write!(text, "\nToo late for {late}: what was said before is being done, or it waits no more.");
    }
    text
}

type StatusTally = service::Tally;

pub(crate) fn verify(report: &VerifyReport) -> String {
    let mut text = String::new();
    for verdict in &report.mailboxes {
        let is_exact = verdict.verification.as_ref().is_some_and(movement::Verification::is_exact);
        if is_exact {
            continue;
        }
        let _ = writeln!(text, "{} → {}: {}", verdict.source, verdict.target, verdict.sentence);
        if let Some(advice) = verdict.advice {
            let _ = writeln!(text, "  what to do: {advice}");
        }
        let differences = verdict.verification.iter().flat_map(|found| &found.differences);
        for difference in differences.clone().take(DIFFERENCES_SHOWN) {
            let _ = writeln!(text, "  {} in {}: {}", difference.kind.name(), difference.folder, difference.what);
        }
        let more = differences.count().saturating_sub(DIFFERENCES_SHOWN);
        if more > 0 {
            let _ = writeln!(text, "  … and {more} more; --json lists them");
        }
    }
    text.push_str(&report.sentence);
    text
}

pub(crate) fn demo(report: &DemoReport) -> String {
    let mut text = String::new();
    for failure in &report.failures {
        let _ = writeln!(text, "{failure}");
    }
    let _ = writeln!(
        text,
        "{} moved: {} copied, {}.",
        counted(report.people, "mailbox"),
        counted(report.copied, "item"),
        text::bytes(report.bytes)
    );
    let _ = writeln!(text, "Run again: {} copied.", counted(report.copied_again, "item"));
    for document in [report.overall.document(), report.failed.document()] {
        let _ = writeln!(text, "\n{}", document.text());
    }
    let _ = writeln!(text, "Verified: {}", report.sentence);
    let _ = write!(
        text,
        "The maildirs, the ledger, the originals of what was replaced, and {} are in {}.",
        report.files.join(", "),
        report.folder
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["Łucja".to_owned(), "1000".to_owned()]];
        assert_eq!(table(&["Name", ">N"], &rows), "Name      N\na         1\nŁucja  1000\n");
    }
}
