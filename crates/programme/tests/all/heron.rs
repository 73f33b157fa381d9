//! The invented programme: other stages, roles and names, the same reader and the same rules.

use programme::{Programme, Source};

/// Its files.
pub(crate) const FILES: [(&str, &str); 3] = [
    ("tracks.toml", include_str!("../profiles/heron/tracks.toml")),
    ("rows.toml", include_str!("../profiles/heron/rows.toml")),
    ("constants.toml", include_str!("../profiles/heron/constants.toml")),
];

/// What was otherwise in an older edition of it.
pub(crate) const EDITION: (&str, &str) = ("edition.toml", include_str!("../profiles/heron/edition.toml"));

fn source<'a>((file, text): (&'a str, &'a str)) -> Source<'a> {
    Source { file, text }
}

/// The invented programme.
pub(crate) fn heron() -> Programme {
    Programme::read(&FILES.map(source), None).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn an_invented_programme_works_like_any_other() {
    let heron = heron();
    assert_eq!(heron.types.iter().map(|kind| kind.id.as_str()).collect::<Vec<_>>(), ["ferry", "raft", "mixed"]);
    assert_eq!(heron.types[0].aliases, ["ferried"]);
    assert_eq!((heron.stages.len(), heron.gates.len(), heron.criteria.len()), (4, 6, 12));
    assert_eq!(heron.catalogue[0].prices[1].millipence, 120_250);
}

#[test]
fn an_edition_replaces_rows_and_constants() {
    let older = Programme::read(&FILES.map(source), Some(source(EDITION))).unwrap();
    let newer = heron();
    assert_eq!((older.constants["people-a-week"].value, newer.constants["people-a-week"].value), (40, 50));
    assert_eq!(
        (older.lessons[0].text.as_str(), newer.lessons[0].text.as_str()),
        ("Sound the horn.", "Wait for it to lift.")
    );
    assert_eq!(older.stages, newer.stages);
}

#[test]
fn rows_may_stand_in_any_file_and_any_order() {
    let mut files = FILES.map(source);
    files.reverse();
    assert_eq!(Programme::read(&files, None).unwrap(), heron());
    let whole = FILES.map(|(_, text)| text).join("\n");
    assert_eq!(Programme::read(&[Source { file: "whole.toml", text: &whole }], None).unwrap(), heron());
}

#[test]
fn a_programme_survives_being_written_and_read() {
    for programme in [heron(), Programme::shipped("nhsmail", "current").unwrap().unwrap()] {
        let text = serde_json::to_string(&programme).unwrap();
        assert_eq!(serde_json::from_str::<Programme>(&text).unwrap(), programme);
    }
}
