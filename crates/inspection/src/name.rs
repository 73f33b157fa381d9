//! Names of files: what a name really ends in, whatever it looks like.
//!
//! Systems drop dots and spaces at a name's end, some stop at a NUL, and characters without a width or with another
//! direction make `exe` look like `txt`. All of that is undone before a name is compared.

use std::collections::BTreeSet;
use std::fmt::Write;

use unicode_normalization::UnicodeNormalization;

/// A name longer than this is cut at its beginning, since the type stands at its end.
const CHARS_MAX: usize = 2_000;
/// Stands in a list for any class id, as in `report.{00020900-0000-0000-C000-000000000046}`.
const CLASS_ID: &str = "{clsid}";

/// The entry of this list that the name ends in, after a dot.
pub(crate) fn banned_extension<'l>(name: &str, list: &'l BTreeSet<String>) -> Option<&'l str> {
    endings(name).iter().find_map(|ending| list.get(ending.as_str()).map(String::as_str)).or_else(|| {
        let class_id = list.get(CLASS_ID)?;
        endings(name).iter().any(|ending| is_class_id(ending)).then_some(class_id.as_str())
    })
}

fn is_class_id(ending: &str) -> bool {
    let inner = ending.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.len() == 36 && inner.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'))
}

/// What may count as the name's type: behind its last dot, and behind the one before.
fn endings(name: &str) -> Vec<String> {
    let mut endings = Vec::new();
    let mut add = |text: &str| {
        let last = text.rsplit(['/', '\\']).map(trimmed).find(|piece| !piece.is_empty()).unwrap_or_default();
        // Behind a colon stands a stream of the same file, or a drive is before it.
        for piece in last.split(':').chain([last]).map(trimmed) {
            let mut dots = piece.rmatch_indices('.').map(|(at, _)| &piece[at + 1..]);
            endings.extend(dots.by_ref().take(2).map(str::to_owned));
        }
    };
    let plain = plain(name);
    add(&plain.replace('\0', ""));
    if let Some((before, _)) = plain.split_once('\0') {
        add(before);
    }
    endings.dedup();
    endings
}

/// In one form, in small letters, without what can't be seen.
fn plain(name: &str) -> String {
    let skip = name.chars().count().saturating_sub(CHARS_MAX);
    let visible = name.chars().skip(skip).filter(|c| !is_invisible(*c));
    visible.nfkc().flat_map(char::to_lowercase).filter(|c| !is_invisible(*c)).collect()
}

fn trimmed(piece: &str) -> &str {
    piece.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\u{fffd}')).trim_end_matches(
        |c: char| {
            c.is_whitespace() || matches!(c, '.' | '"' | '\'' | '`' | '\u{fffd}') || (c.is_control() && c != '\0')
        },
    )
}

/// Characters that show nothing: controls (but NUL), those that set a direction, joiners, variations, tags.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{1}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The name as a person may be shown it: nothing in it moves the text around or hides.
pub(crate) fn shown(name: &str) -> String {
    let cut: String = name.chars().skip(name.chars().count().saturating_sub(CHARS_MAX)).collect();
    let mut shown = String::with_capacity(cut.len());
    for c in cut.trim().chars() {
        if c == '\n' || c == '\r' || c == '\t' {
            shown.push(' ');
        } else if c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') {
            let _ = write!(shown, "<U+{:04X}>", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_in_what_a_system_takes_it_to() {
        let list: BTreeSet<String> = ["exe", "tar.gz", "{clsid}"].map(str::to_owned).into();
        for name in [
            "a.exe",
            "A.EXE",
            ".exe",
            "a.pdf.exe",
            "a.pdf          .exe",
            "a.exe.",
            "a.exe . .",
            "a.exe\0",
            "a.exe\0.txt",
            "a.ex\0e",
            "dir/a.exe",
            "C:\\dir\\a.exe",
            "a.exe/",
            "a.exe::$DATA",
            "a.txt:b.exe",
            "\"a.exe\"",
            "'a.exe'",
            "annex\u{202e}txt.exe",
            "a.\u{202e}e\u{202c}xe",
            "a.e\u{200b}xe",
            "a.exe\u{200f}",
            "a.e\u{ad}xe",
            "a.exe\u{fe0f}",
            "a\u{ff0e}\u{ff45}\u{ff58}\u{ff45}",
            "a\u{2024}exe",
            "a.exe\u{a0}",
            "a.exe\u{3000}",
            "a.\u{1d41e}xe",
            "a.exe\t",
            "a.exe\r\n",
            "a.exe\u{feff}",
            "b.tar.gz",
            "x.{00020900-0000-0000-C000-000000000046}",
            "a.exe\u{1}",
        ] {
            assert!(banned_extension(name, &list).is_some(), "{name:?}");
        }
        assert!(banned_extension(&format!("{}.exe", "a".repeat(100_000)), &list).is_some());
        for name in
            ["", "exe", "a.exe.txt", "a.exe.pdf", "aexe", "a.exec", "a.gz", "dir.exe/a.txt", "{x}", "a.{x}", "..."]
        {
            assert!(banned_extension(name, &list).is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_person_sees_what_a_name_is_made_of() {
        assert_eq!(shown("annex\u{202e}txt.exe"), "annex<U+202E>txt.exe");
        assert_eq!(shown(" a\r\nb\0.exe "), "a  b<U+0000>.exe");
        assert_eq!(shown("llythyr \u{177}.exe"), "llythyr \u{177}.exe");
    }
}
