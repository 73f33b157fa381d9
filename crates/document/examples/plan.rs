//! Writes an implementation plan in every form and status into a folder, to be looked at.

#![allow(clippy::unwrap_used, reason = "an example stops at what goes wrong")]

#[path = "../tests/sample.rs"]
mod sample;

use std::{fs, path::PathBuf};

use document::Status;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let superseded = Status::Superseded { by_version: "1.3".to_owned() };
    let all = [("draft", Status::Draft), ("for-signature", Status::ForSignature), ("superseded", superseded)];
    for (name, status) in all {
        let plan = sample::plan(status);
        let write = |ending: &str, bytes: &[u8]| fs::write(folder.join(format!("{name}.{ending}")), bytes).unwrap();
        write("pdf", &document::pdf(&plan).unwrap());
        write("html", document::html(&plan).as_bytes());
        write("xlsx", &document::xlsx(&plan));
        write("docx", &document::docx(&plan).unwrap());
    }
}
