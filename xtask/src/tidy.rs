//! Tidy: rules about the files themselves that neither the compiler nor the linter looks after.
//!
//! Each rule takes files and gives complaints; it opens nothing itself, so that its tests are a few lines of text.

mod code;
mod links;
mod papers;

use std::path::Path;

use crate::check::{Outcome, counted};
use crate::files::{self, File};

/// Looks at every file of the repository.
pub(crate) fn check(root: &Path) -> Outcome {
    let files = files::texts(root).map_err(|error| vec![error])?;
    let paths = files::paths(root).map_err(|error| vec![error])?;
    let mut wrong = Vec::new();
    for file in &files {
        wrong.extend(code::too_long(file));
        wrong.extend(code::left_to_do(file));
        wrong.extend(code::prints(file));
        wrong.extend(code::without_purpose(file));
        wrong.extend(papers::odd_requirements(file));
    }
    wrong.extend(links::broken(&files, &paths));
    wrong.extend(papers::changelog(&files));
    wrong.extend(papers::toolchain(&files));
    if wrong.is_empty() { Ok(counted(files.len(), "file")) } else { Err(wrong) }
}

/// A complaint about a line, counted from 1.
fn at(file: &File, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", file.path)
}
