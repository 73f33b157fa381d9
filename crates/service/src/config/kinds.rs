//! Tables that are of one of several kinds: directories, routers, accesses.

use super::{FILE, alike, line_with};
use crate::Error;

/// Where a table stands, for messages: its heading, with the line.
pub(crate) fn place(text: &str, heading: &str) -> String {
    match line_with(text, heading) {
        Some(line) => format!("{FILE}: {heading}, line {line}"),
        None => format!("{FILE}: {heading}"),
    }
}

/// A table of a kind that is none of these.
pub(crate) fn not_known(place: &str, kind: &str, known: &[&'static str]) -> Error {
    let error = Error::usage(format!("{place}: kind = {kind:?} is not known; known are {}", known.join(", ")));
    match alike(kind, known.iter().copied()) {
        Some(known) => error.advise(format!("did you mean {known:?}?")),
        None => error.advise("write one of these"),
    }
}
