//! Rules about what accompanies the code: requirement ids, the changelog, the toolchain.

use super::at;
use crate::files::File;

/// How many digits a requirement's id has.
const REQUIREMENT_DIGITS: usize = 3;

/// Requirement ids that are none.
pub(super) fn odd_requirements(file: &File) -> Vec<String> {
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for (start, _) in line.match_indices("R-") {
            let digits = line[start + 2..].bytes().take_while(u8::is_ascii_digit).count();
            let is_part = line[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '-');
            if digits > 0 && digits != REQUIREMENT_DIGITS && !is_part {
                let id = &line[start..start + 2 + digits];
                wrong.push(at(
                    file,
                    index + 1,
                    &format!("{id} is no requirement: they have {REQUIREMENT_DIGITS} digits"),
                ));
            }
        }
    }
    wrong
}

/// A changelog without a place for what is not released yet.
pub(super) fn changelog(files: &[File]) -> Option<String> {
    let is_section = |line: &str| line.trim_end() == "## [Unreleased]" || line.trim_end() == "## Unreleased";
    match files.iter().find(|file| file.path == "CHANGELOG.md") {
        None => Some("CHANGELOG.md is missing".to_owned()),
        Some(file) if file.text.lines().any(is_section) => None,
        Some(file) => Some(at(file, 1, "there is no section \"## Unreleased\" for what the next release brings")),
    }
}

/// A toolchain other than the one that the manifest promises is enough.
pub(super) fn toolchain(files: &[File]) -> Option<String> {
    let table = |path: &str| {
        let file = files.iter().find(|file| file.path == path).ok_or_else(|| format!("{path} is missing"))?;
        file.text.parse::<toml::Table>().map_err(|error| format!("{path}: {error}"))
    };
    let text = |table: &toml::Table, keys: &[&str]| -> Option<String> {
        let (last, above) = keys.split_last()?;
        let inner = above.iter().try_fold(table, |table, key| table.get(*key)?.as_table())?;
        inner.get(*last)?.as_str().map(str::to_owned)
    };
    let compare = || -> Result<(), String> {
        let (pinned, manifest) = (table("rust-toolchain.toml")?, table("Cargo.toml")?);
        let pinned = text(&pinned, &["toolchain", "channel"]).ok_or("rust-toolchain.toml names no channel")?;
        let promised = text(&manifest, &["workspace", "package", "rust-version"]);
        let promised = promised.ok_or("Cargo.toml names no workspace.package.rust-version")?;
        // 1.95 and 1.95.0 are one version; no other patch is.
        let whole =
            |version: &str| if version.matches('.').count() == 1 { format!("{version}.0") } else { version.to_owned() };
        if whole(&pinned) == whole(&promised) {
            return Ok(());
        }
        Err(format!("rust-toolchain.toml has {pinned}, rust-version in Cargo.toml is {promised}: make them one"))
    };
    compare().err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_have_three_digits() {
        let found = |text: &str| odd_requirements(&File::new("a.md", text));
        assert!(found("R-002, R-345 to R-348; (R-123) and CR-12, TR-7-R-1, R-ddd").is_empty());
        let wrong = found("fine\nR\u{2d}12 and R\u{2d}0002.\n");
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].starts_with("a.md:2: R\u{2d}12 is"), "{}", wrong[0]);
    }

    #[test]
    fn the_changelog_has_a_place_for_what_comes() {
        let changelog = |text: &str| changelog(&[File::new("CHANGELOG.md", text)]);
        assert_eq!(changelog("# Changelog\n\n## Unreleased\n"), None);
        assert_eq!(changelog("## [Unreleased]\n"), None);
        assert!(changelog("# Changelog\n## 1.0\n").is_some());
        assert!(super::changelog(&[]).is_some());
    }

    #[test]
    fn the_toolchain_is_the_one_promised() {
        let compare = |pinned: &str, promised: &str| {
            toolchain(&[
                File::new("rust-toolchain.toml", &format!("[toolchain]\nchannel = \"{pinned}\"\n")),
                File::new("Cargo.toml", &format!("[workspace.package]\nrust-version = \"{promised}\"\n")),
            ])
        };
        for (pinned, promised) in [("1.95.0", "1.95"), ("1.95", "1.95.0"), ("1.95.1", "1.95.1")] {
            assert_eq!(compare(pinned, promised), None, "{pinned} {promised}");
        }
        for (pinned, promised) in [("1.96.0", "1.95"), ("1.95.1", "1.95"), ("stable", "1.95")] {
            assert!(compare(pinned, promised).is_some(), "{pinned} {promised}");
        }
        assert!(toolchain(&[]).unwrap().contains("missing"));
    }
}
