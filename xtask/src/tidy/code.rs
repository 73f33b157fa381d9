//! Rules about Rust files.

use super::at;
use crate::files::File;

/// Beyond this a file deals with more than one subject.
const LINES_MAX: usize = 800;

/// Words that promise something for later: a promise belongs where promises are kept, not in the code.
const LATER: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Macros of code that is not finished.
const UNFINISHED: [&str; 3] = ["unimplemented!", "todo!", "dbg!"];

/// Macros that write to the terminal.
const PRINTS: [&str; 4] = ["println!", "eprintln!", "print!", "eprint!"];

/// Code that tests and tools are made of.
fn is_for_tests(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.starts_with("crates/conformance/")
}

fn is_tool(path: &str) -> bool {
    path.starts_with("xtask/")
}

/// Lines of a file up to its tests, counted from 1.
fn product_lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let lines = file.text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines.enumerate().map(|(index, line)| (index + 1, line))
}

/// Does a line hold this word, not as a part of a longer one?
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + word.len()..]);
        !before.chars().next_back().is_some_and(is_part) && !after.chars().next().is_some_and(is_part)
    })
}

/// A file that is too long.
pub(super) fn too_long(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (file.has_extension("rs") && lines > LINES_MAX)
        .then(|| at(file, lines, &format!("{lines} lines, {LINES_MAX} at most: split it by subject")))
}

/// Promises, and code that is not finished.
pub(super) fn left_to_do(file: &File) -> Vec<String> {
    if !file.has_extension("rs") || is_tool(&file.path) || is_for_tests(&file.path) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (number, line) in product_lines(file) {
        for word in LATER.into_iter().chain(UNFINISHED) {
            if has_word(line, word) {
                wrong.push(at(file, number, &format!("{word}: do it now, or open an issue and take the word out")));
            }
        }
    }
    wrong
}

/// Text written to the terminal by code that is not the command line.
pub(super) fn prints(file: &File) -> Vec<String> {
    let may_print = is_tool(&file.path)
        || is_for_tests(&file.path)
        || file.path.starts_with("crates/cli/")
        || file.path.starts_with("bench/");
    if !file.has_extension("rs") || may_print {
        return Vec::new();
    }
    let printing = |line: &str| PRINTS.into_iter().find(|print| has_word(line, print));
    product_lines(file)
        .filter_map(|(number, line)| {
            let print = printing(line)?;
            Some(at(file, number, &format!("{print} writes to the terminal: return a value, or log with tracing")))
        })
        .collect()
}

/// A crate that does not say what it is for.
pub(super) fn without_purpose(file: &File) -> Option<String> {
    let is_root = file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
    let has_purpose = file.text.lines().next().is_some_and(|line| line.starts_with("//! "));
    (is_root && !has_purpose).then(|| at(file, 1, "the crate does not say what it is for: begin with //!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_800_lines_long() {
        let file = |lines: usize| File::new("crates/a/src/b.rs", &"x\n".repeat(lines));
        assert_eq!(too_long(&file(800)), None);
        assert!(too_long(&file(801)).unwrap().starts_with("crates/a/src/b.rs:801: 801 lines"));
        assert_eq!(too_long(&File::new("Cargo.lock", &"x\n".repeat(9000))), None);
    }

    #[test]
    fn promises_are_found_as_words_outside_tests() {
        let count = |path: &str, text: &str| left_to_do(&File::new(path, text)).len();
        let product = "crates/a/src/b.rs";
        assert_eq!(count(product, "// TODO: later\nlet x = todo!();\ndbg!(x); // FIXME XXX\n"), 5);
        assert_eq!(count(product, "/// iCalendar VTODO\nfn xxx() {}\nlet a = \"XXXX\";\n"), 0);
        assert_eq!(count(product, "fn a() {}\n#[cfg(test)]\nmod tests { todo!() }\n"), 0);
        assert_eq!(count("crates/a/tests/b.rs", "// TODO\n"), 0);
    }

    #[test]
    fn only_the_command_line_and_tests_print() {
        let count = |path: &str, text: &str| prints(&File::new(path, text)).len();
        let text = "fn a() {\n    println!(\"a\");\n    eprint!(\"b\");\n    my_println!();\n}\n";
        assert_eq!(count("crates/service/src/a.rs", text), 2);
        for path in ["crates/cli/src/a.rs", "xtask/src/a.rs", "tests/src/a.rs", "connectors/x/tests/a.rs", "notes.md"] {
            assert_eq!(count(path, text), 0, "{path}");
        }
    }

    #[test]
    fn a_crate_says_what_it_is_for() {
        assert_eq!(without_purpose(&File::new("crates/a/src/lib.rs", "//! It sings.\n")), None);
        assert!(without_purpose(&File::new("crates/a/src/lib.rs", "mod a;\n//! It sings.\n")).is_some());
        assert!(without_purpose(&File::new("crates/a/src/main.rs", "")).is_some());
        assert_eq!(without_purpose(&File::new("crates/a/src/other.rs", "mod a;\n")), None);
    }
}
