//! Files opened again, by the little that their formats ask of a reader.

use std::{collections::BTreeMap, io::Read};

use flate2::read::{DeflateDecoder, ZlibDecoder};
use quick_xml::{Reader, events::Event};

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    bytes[at..at + length].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// The files of a zip archive, in the order of their names. Each is XML that is well formed.
pub(crate) fn unzipped(archive: &[u8]) -> BTreeMap<String, String> {
    let (mut files, mut at) = (BTreeMap::new(), 0);
    while archive[at..].starts_with(b"PK\x03\x04") {
        let (packed, name) = (number(archive, at + 18, 4), number(archive, at + 26, 2));
        let start = at + 30 + name + number(archive, at + 28, 2);
        assert_eq!(number(archive, at + 10, 4), 0x21 << 16, "the time is that of the format's first day");
        let mut text = String::new();
        DeflateDecoder::new(&archive[start..start + packed]).read_to_string(&mut text).unwrap();
        files.insert(String::from_utf8(archive[at + 30..at + 30 + name].to_vec()).unwrap(), text);
        at = start + packed;
    }
    for xml in files.values() {
        texts(xml);
    }
    files
}

/// The texts of an XML file, which must be well formed.
pub(crate) fn texts(xml: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    let (mut all, mut text, mut depth) = (Vec::new(), String::new(), 0_usize);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error} at {}: {xml}", reader.buffer_position())) {
            Event::Start(start) => {
                depth += 1;
                start.attributes().for_each(|attribute| drop(attribute.unwrap()));
            }
            Event::Empty(start) => start.attributes().for_each(|attribute| drop(attribute.unwrap())),
            Event::End(_) => {
                depth -= 1;
                all.push(std::mem::take(&mut text));
            }
            Event::Text(words) => text.push_str(&words.into_inner()),
            Event::GeneralRef(name) => text.push_str(match &*name {
                "amp" => "&",
                "lt" => "<",
                "gt" => ">",
                "quot" => "\"",
                "#39" => "'",
                other => panic!("{other}"),
            }),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    all.retain(|text| !text.is_empty());
    all
}

/// A PDF with all its streams unpacked after it.
pub(crate) fn unpacked(pdf: &[u8]) -> String {
    let mut all = pdf.to_vec();
    let mut rest = pdf;
    while let Some(start) = rest.windows(8).position(|part| part == b"\nstream\n") {
        rest = &rest[start + 8..];
        let mut plain = Vec::new();
        if ZlibDecoder::new(rest).read_to_end(&mut plain).is_ok() {
            all.extend(plain);
            all.push(b'\n');
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}
