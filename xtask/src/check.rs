//! The checks in their order, each reported in one line; what is wrong follows below its line.

use std::io::Write;
use std::path::Path;

use crate::run::cargo;
use crate::{licences, tidy};

/// How a check ended: in a few words when all is well, else everything that is wrong.
pub(crate) type Outcome = Result<String, Vec<String>>;

/// Runs every check. True when all is well; one that fails keeps none from running.
pub(crate) fn check(root: &Path, out: &mut dyn Write) -> bool {
    type Check = fn(&Path) -> Outcome;
    let checks: [(&str, Check); 5] = [
        ("format", |root| cargo(root, &["fmt", "--all", "--check"], "run: cargo fmt --all")),
        ("lints", |root| {
            // Where clippy's compiler builds everything in any case, building is looking.
            let is_built =
                std::env::var_os("RUSTC_WORKSPACE_WRAPPER").is_some_and(|by| by.to_string_lossy().contains("clippy"));
            let arguments: &[&str] = if is_built {
                &["build", "-q", "--workspace", "--all-targets", "--locked"]
            } else {
                &["clippy", "-q", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]
            };
            cargo(root, arguments, "correct what is named; #[expect(…, reason = …)] where the lint is wrong")
        }),
        ("licences", licences::check),
        ("cargo-deny", licences::cargo_deny),
        ("tidy", tidy::check),
    ];
    let mut is_well = true;
    for (name, check) in checks {
        is_well &= report(out, name, check(root));
    }
    is_well
}

/// Reports a check. True when all is well.
pub(crate) fn report(out: &mut dyn Write, name: &str, outcome: Outcome) -> bool {
    let (is_well, text) = match outcome {
        Ok(words) => (true, format!("ok      {name}: {words}\n")),
        Err(wrong) => {
            let below: String = wrong.iter().flat_map(|what| what.lines()).map(|line| format!("  {line}\n")).collect();
            (false, format!("FAILED  {name}: {}\n{below}", counted(wrong.len(), "complaint")))
        }
    };
    // A reader that has gone away is no reason to complain.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    is_well
}

/// A number and its noun.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_below_its_line() {
        let mut out = Vec::new();
        assert!(report(&mut out, "format", Ok("as configured".to_owned())));
        assert!(!report(&mut out, "tidy", Err(vec!["a.rs:3: one\nand more".to_owned(), "b.rs:1: two".to_owned()])));
        let expected =
            "ok      format: as configured\nFAILED  tidy: 2 complaints\n  a.rs:3: one\n  and more\n  b.rs:1: two\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
