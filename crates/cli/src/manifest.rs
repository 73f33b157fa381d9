//! `manifest`: its commands, and what they say.

use std::fmt::Write;
use std::path::Path;

use movement::state::counted;
use report::harmless;
use serde::Serialize;
use service::{
    AgainstReport, Error, Exit, ItemChoice, ManifestExport, ManifestKey, ManifestReport, Project, RevealReport,
    Selection, check_manifest, reveal_item,
};

use crate::args::ManifestOf;
use crate::{print, print_json, stop_on_interrupt, text, using};

/// Adds a line, without what would move a terminal's cursor or forge another line: names are as whoever wrote the file has them.
macro_rules! put {
    ($text:expr, $($what:tt)*) => {{
        $text.push_str(&harmless(&format!($($what)*)));
        $text.push('\n');
    }};
}

/// Differences and problems shown by name; more are in the JSON.
const SHOWN: usize = 20;

pub(crate) async fn run(which: ManifestOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let made_harmless = |error: Error| Error { what: harmless(&error.what), ..error };
    work(which, folder, json).await.map_err(made_harmless)
}

async fn work(which: ManifestOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    match which {
        ManifestOf::Export { to, roots, new_key, selection } => {
            let (stop, selection) = (stop_on_interrupt(), selection.into());
            let project = Project::open(folder, &environment).await;
            let work = async |p: &Project| p.export_manifest(&selection, &to, roots.as_deref(), new_key, stop).await;
            let report = using(project, work).await?;
            give(json, "manifest-export", &report, exported);
            Ok(report.exit())
        }
        ManifestOf::Check { file, key, against: Some(endpoint), flags, selection, .. } => {
            let (stop, selection) = (stop_on_interrupt(), selection.into());
            let work = async |p: &Project| {
                let key = key.as_deref();
                p.check_manifest_against(&file, key, &endpoint, flags, &selection, &environment, stop).await
            };
            let report = using(Project::open_to_work(folder, &environment).await, work).await?;
            give(json, "manifest-against", &report, against);
            Ok(report.exit())
        }
        ManifestOf::Check { file, key, item, message, selection, .. } => {
            if Selection::from(selection) != Selection::default() {
                return Err(Error::usage("a manifest is checked whole: nobody can be chosen")
                    .advise("leave --mailbox and --collection out, or add --against"));
            }
            let report = check_manifest(&file, key.as_deref(), item.as_deref(), message.as_deref())?;
            give(json, "manifest-check", &report, checked);
            Ok(report.exit())
        }
        ManifestOf::Reveal { file, to, mailbox, folder, id, message } => {
            let choice = ItemChoice { mailbox, folder, id };
            let report = reveal_item(&file, &choice, message.as_deref(), &to)?;
            give(json, "manifest-reveal", &report, revealed);
            Ok(Exit::Done)
        }
        ManifestOf::Key { new_key } => {
            let report =
                using(Project::open(folder, &environment).await, async |p| p.manifest_key(new_key).await).await?;
            give(json, "manifest-key", &report, key);
            Ok(Exit::Done)
        }
    }
}

fn give<R: Serialize>(json: bool, name: &str, report: &R, shown: impl FnOnce(&R) -> String) {
    if json {
        print_json(name, report);
    } else {
        print(&shown(report));
    }
}

fn key(report: &ManifestKey) -> String {
    report.key.clone()
}

fn exported(report: &ManifestExport) -> String {
    let mut text = format!("The manifest is in {}.\n", report.to);
    if let Some(roots) = &report.roots {
        put!(text, "Roots and numbers only are in {roots}; that file names nobody and may be handed out.");
    }
    let counts = &report.counts;
    put!(text, "{}: {}", counted(report.mailboxes, "mailbox"), fates(counts));
    if report.not_read > 0 {
        let which = counted(report.not_read, "mailbox");
        put!(text, "{which} not read to the end yet: of what is left there the manifest says nothing.");
    }
    if report.unaccounted > 0 {
        put!(
            text,
            "THE SUMS DO NOT HOLD: {} without a fate, or too many, where the last reading came to its end.",
            counted(report.unaccounted, "item")
        );
    }
    let made = if report.is_key_new { ", which is new: keep a copy of it" } else { "" };
    let _ = write!(text, "Signed by the key{made}. Public key, to be handed over by another way:\n{}", report.key);
    text
}

fn fates(counts: &impl Serialize) -> String {
    let counts = serde_json::to_value(counts).unwrap_or_default();
    let number = |name: &str| counts[name].as_u64().unwrap_or_default();
    let names = ["copied", "adopted", "excluded", "failed", "held", "withdrawn"];
    let each: Vec<String> = names.iter().map(|name| format!("{} {name}", number(name))).collect();
    let mut text = format!("{} of the source: {}", counted(number("source"), "item"), each.join(", "));
    if number("leftover") > 0 {
        let _ = write!(text, "; besides, {} no more at the source and still on the target", number("leftover"));
    }
    text
}

fn revealed(report: &RevealReport) -> String {
    let (id, folder, mailbox, to) = (&report.id, &report.folder, &report.mailbox, &report.to);
    let mut text = String::new();
    put!(text, "The proof of item {id} of {folder:?} of {mailbox} ({}) is in {to}.", report.fate);
    text + &harmless(&format!("It is checked with: whimbrel manifest check {to} --key {}", report.key))
}

fn checked(report: &ManifestReport) -> String {
    let mut text = String::new();
    if let (Some(name), Some(code), Some(project)) = (&report.organisation, &report.code, &report.project) {
        let what = match report.form {
            "whole" => "Manifest",
            "roots" => "Manifest (roots and numbers only)",
            _ => "Proof of one item of the manifest",
        };
        let day = |seconds: Option<i64>| seconds.map_or_else(|| "?".to_owned(), text::day);
        put!(text, "{what} of {name} ({code}), project {project}, {}", day(report.ended.or(report.begun)));
    }
    if !report.only.is_empty() {
        put!(text, "NOT OF EVERYBODY: {}", report.only.join(", "));
    }
    if report.root.is_some() {
        let in_collections = counted(report.collections, "collection");
        put!(text, "{} in {in_collections}: {}", counted(report.mailboxes, "mailbox"), fates(&report.counts));
    }
    if report.not_read > 0 {
        let which = counted(report.not_read, "mailbox");
        put!(text, "{which} not read to the end: of what was left there the manifest says nothing");
    }
    for rule in &report.rules {
        let by = if rule.rule.is_empty() { String::new() } else { format!(" by rule {}", rule.rule) };
        put!(text, "  {} {}{by}", counted(rule.items, "item"), rule.how);
    }
    item(report, &mut text);
    for problem in report.problems.iter().take(SHOWN) {
        put!(text, "WRONG  {problem}");
    }
    let more = report.problem_count.saturating_sub(SHOWN as u64);
    if more > 0 {
        put!(text, "… and {more} more");
    }
    for sum in report.sums.iter().take(SHOWN) {
        put!(text, "SUM    {sum}");
    }
    let is_by = match (&report.key, report.is_key_known) {
        (Some(key), true) if report.is_key_ours => format!("by the key of this project, {key}"),
        (Some(key), true) => format!("by the key that you gave, {key}"),
        (Some(key), false) => format!(
            "by a key that THE FILE ITSELF BRINGS, {key}: anyone can make such a file. Compare the key with the one that \
             {} has told you, or give that with --key",
            report.organisation.as_deref().unwrap_or("its maker")
        ),
        (None, _) => "by nobody".to_owned(),
    };
    let is_by = harmless(&is_by);
    match (report.is_sound, report.form) {
        (false, _) => text.push_str("NOT SOUND: this is not what was signed."),
        (true, _) if report.sum_count > 0 => {
            let _ = write!(
                text,
                "THE SUMS DO NOT HOLD in {}, and it was signed so {is_by}. Nothing was altered.",
                counted(report.sum_count, "mailbox")
            );
        }
        (true, "whole") => {
            let _ = write!(text, "Sound: items, roots and counts agree, and are signed {is_by}.");
        }
        (true, "roots") => {
            let _ = write!(text, "Sound: roots and counts agree, and are signed {is_by}. Items are not in it.");
        }
        (true, _) => {
            let _ = write!(text, "Proved: the item is in the manifest, which is signed {is_by}.");
        }
    }
    text
}

fn item(report: &ManifestReport, text: &mut String) {
    let Some(item) = &report.item else { return };
    let says = &item.says;
    put!(
        *text,
        "Item {} of {:?} of {} (at the target {}): {}",
        says.id,
        item.folder,
        item.mailbox,
        item.target_mailbox,
        says.fate.name()
    );
    if let Some(rule) = &says.rule {
        let how = says.how.as_deref().unwrap_or(says.fate.name());
        let policy = says.policy.as_ref().map(|policy| format!(" of {policy}")).unwrap_or_default();
        put!(*text, "  {how} by rule {rule}{policy}");
    }
    let bytes = [("the source holds", Some(&says.source)), ("travelled", says.sent.as_ref())];
    for (what, held) in bytes {
        if let Some(sha256) = held.and_then(|held| held.sha256) {
            let size = held.and_then(|held| held.size).map(text::bytes).unwrap_or_default();
            put!(*text, "  {what}: SHA-256 {sha256}, {size}");
        }
    }
    if let Some(received) = says.received {
        let given = says.target.as_ref().and_then(|there| there.received);
        let given = given.map(|given| format!("; there since it could not keep that: {}", text::day(given)));
        put!(*text, "  received {}{}", text::day(received), given.unwrap_or_default());
    }
    if let Some(message) = &item.message {
        match (message.source, message.sent) {
            (source, sent) if source == sent && message.target.is_none() => {
                put!(*text, "  {} is {source}", message.file);
            }
            (source, sent) => {
                put!(
                    *text,
                    "  {}: beside what the source holds {source}, beside what travelled {sent}{}",
                    message.file,
                    message.target.map(|is| format!(", beside what the target holds {is}")).unwrap_or_default()
                );
            }
        }
    }
}

fn against(report: &AgainstReport) -> String {
    let mut text = checked(&report.manifest);
    text.push('\n');
    if !report.manifest.is_sound {
        let _ = write!(text, "{:?} was not read: what was altered proves nothing of it.", report.endpoint);
        return text;
    }
    for mailbox in &report.mailboxes {
        if let Some(error) = &mailbox.error {
            put!(text, "{} → {} could not be compared: {error}", mailbox.source, mailbox.target);
            if let Some(advice) = mailbox.advice {
                put!(text, "  what to do: {advice}");
            }
        }
        if mailbox.unknown > 0 {
            let which = counted(mailbox.unknown, "item");
            put!(
                text,
                "{} → {}: {which} there by id alone: the manifest has no digest",
                mailbox.source,
                mailbox.target
            );
        }
        if mailbox.counts.is_empty() {
            continue;
        }
        let each: Vec<String> = mailbox.counts.iter().map(|(is, count)| format!("{count} {}", is.name())).collect();
        put!(text, "{} → {}: {}", mailbox.source, mailbox.target, each.join(", "));
        for difference in mailbox.differences.iter().take(SHOWN) {
            put!(text, "  {} in {}: {}", difference.is.name(), difference.folder, difference.what);
        }
        let more = mailbox.counts.values().sum::<u64>().saturating_sub(SHOWN as u64);
        if more > 0 {
            put!(text, "  … and {more} more; --json lists them");
        }
    }
    let _ = write!(
        text,
        "Read at {:?}: {} of {} that are to be there are; {} different.",
        report.endpoint,
        report.same,
        counted(report.expected, "item"),
        report.different
    );
    if report.unknown > 0 {
        let _ = write!(text, " {} could not be told from others: no digest.", counted(report.unknown, "item"));
    }
    if report.elsewhere > 0 {
        let _ = write!(text, " {} went elsewhere and were not looked for here.", counted(report.elsewhere, "mailbox"));
    }
    if report.expected == 0 {
        text.push_str(" NOTHING WAS COMPARED.");
    }
    if report.others > 0 {
        let _ = write!(text, " {} there of people who worked there already.", counted(report.others, "other item"));
    }
    if report.failed > 0 {
        let _ = write!(text, " {} could not be compared.", counted(report.failed, "mailbox"));
    }
    text
}
