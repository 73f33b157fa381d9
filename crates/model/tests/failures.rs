//! The page of failure classes says what the code says. To write it anew: `WHIMBREL_WRITE_PAGES=1 cargo nextest run -p model failures`.

#![allow(clippy::unwrap_used, reason = "a test fails by what goes wrong in it")]

use std::fmt::Write;
use std::path::Path;

use model::Cause;

fn page() -> String {
    let mut page = "# Failure classes\n\n\
        Generated from `crates/model/src/cause.rs`; a test compares the two.\n\n\
        Every failure of an item, a folder, a mailbox or a run is of one of these classes. Its code stands in `failed list`, in \
        reports, in `status` and in JSON. *To act* is who can do something about it: whoever runs the source (or the item's \
        person there), whoever runs the target, or whoever runs the project. The last column is the exit code by which imapsync \
        tells the same, for those who come from there; by side it is 101 and 102 for connections, 161 and 162 for logins.\n\n\
        | Class | What it is | What to do | To act | imapsync |\n|---|---|---|---|---|\n"
        .to_owned();
    for cause in Cause::EVERY {
        let imapsync = cause.imapsync().map_or_else(|| "–".to_owned(), |code| code.to_string());
        let (meaning, advice, owner) = (cause.meaning(), cause.advice(), cause.owner().name());
        writeln!(page, "| `{cause}` | {meaning} | {advice} | {owner} | {imapsync} |").unwrap();
    }
    page.push_str(
        "\n## How often something is tried\n\n\
        A run tries a mailbox up to five times when what was in the way may pass, with growing waits. A server's own wish how long to \
        wait is obeyed up to ten minutes within a run; a longer one ends the mailbox's turn, and it waits for the next. An item \
        that failed is tried once more by each run, unless it would fail in the same way (what the target cannot hold, what a rule \
        forbids): then it waits until the rules change, or until somebody says `failed retry`.\n",
    );
    page
}

#[test]
fn failures_are_as_the_page_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/failures.md");
    if std::env::var_os("WHIMBREL_WRITE_PAGES").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page());
}
