//! Bytes and what they are read as: the right ones, cut ones, and those that someone made up.

use proptest::prelude::*;

use super::*;

const ID: u16 = 0x1234;

fn question() -> Question {
    Question { name: "example.test".parse().unwrap(), kind: RecordType::Mx }
}

/// An answer with these bytes behind the question.
fn answer(flags: u16, answers: u16, rest: &[u8]) -> Vec<u8> {
    let mut bytes = encode(&question(), ID, true, false);
    bytes[2..4].copy_from_slice(&flags.to_be_bytes());
    bytes[6..8].copy_from_slice(&answers.to_be_bytes());
    bytes.extend(rest);
    bytes
}

/// The owner of the question (at byte 12), a type, IN, a time to live, and the data.
fn record(code: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 12];
    bytes.extend(code.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 0x0e, 0x10]);
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn an_mx_record_with_a_compressed_name_is_read() {
    let bytes = answer(0x8180, 1, &record(15, &[0, 10, 2, b'M', b'x', 0xc0, 12]));
    let message = decode(&bytes, &question(), ID).unwrap();
    let data = Data::Mx { preference: 10, exchange: "mx.example.test".parse().unwrap() };
    assert_eq!(message.answers, vec![Record { owner: "example.test".parse().unwrap(), ttl_seconds: 3600, data }]);
}

#[test]
fn strings_of_a_text_are_put_together_without_a_space() {
    let bytes = answer(0x8180, 1, &record(16, b"\x05v=spf\x031 -"));
    assert_eq!(decode(&bytes, &question(), ID).unwrap().answers[0].data, Data::Txt(b"v=spf1 -".to_vec()));
}

#[test]
fn names_that_lead_in_a_circle_or_forward_are_refused() {
    // The owner at byte 30 (12 + 14 + 4): a jump to itself, forward, and two that lead to each other.
    for owner in [&[0xc0, 30][..], &[0xc0, 60], &[1, b'a', 0xc0, 30], &[0xc0, 32, 0xc0, 30]] {
        let mut rest = owner.to_vec();
        rest.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
        let flaw = decode(&answer(0x8180, 1, &rest), &question(), ID).unwrap_err();
        assert_eq!(flaw, Flaw::Malformed("a compressed name leads nowhere"), "{owner:?}");
    }
}

#[test]
fn what_is_not_an_answer_to_the_question_is_told_apart_from_what_is_malformed() {
    let right = answer(0x8180, 0, &[]);
    assert_eq!(decode(&right, &question(), ID + 1).unwrap_err(), Flaw::NotOurs("another id"));
    let other = Question { name: "example.org".parse().unwrap(), kind: RecordType::Mx };
    assert_eq!(decode(&right, &other, ID).unwrap_err(), Flaw::NotOurs("another question"));
    let other = Question { kind: RecordType::A, ..question() };
    assert_eq!(decode(&right, &other, ID).unwrap_err(), Flaw::NotOurs("another question"));
    assert!(matches!(decode(&answer(0x0100, 0, &[]), &question(), ID).unwrap_err(), Flaw::NotOurs(_)));
    for (code, data) in
        [(1, &[1, 2, 3][..]), (28, &[0; 4]), (15, &[0]), (15, &[0, 1, 0, 0]), (16, &[9, b'a']), (6, &[0, 0, 1])]
    {
        let bytes = answer(0x8180, 1, &record(code, data));
        assert!(matches!(decode(&bytes, &question(), ID).unwrap_err(), Flaw::Malformed(_)), "{code} {data:?}");
    }
}

#[test]
fn a_time_to_live_with_its_first_bit_set_is_zero() {
    let mut rest = record(1, &[192, 0, 2, 1]);
    rest[6] = 0x80;
    assert_eq!(decode(&answer(0x8180, 1, &rest), &question(), ID).unwrap().answers[0].ttl_seconds, 0);
}

#[test]
fn every_cut_of_an_answer_is_refused() {
    let bytes = answer(0x8180, 1, &record(33, &[0, 1, 0, 2, 1, 187, 2, b'm', b'x', 0xc0, 12]));
    assert!(decode(&bytes, &question(), ID).is_ok());
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end], &question(), ID).is_err(), "cut at {end}");
    }
}

#[test]
fn a_name_of_255_bytes_is_the_longest() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert!(longest.parse::<Name>().is_ok());
    assert!(format!("{longest}a").parse::<Name>().is_err());
    assert!("a".repeat(64).parse::<Name>().is_err());
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(rest in prop::collection::vec(any::<u8>(), 0..400), answers in 0..9_u16) {
        let _ = decode(&answer(0x8180, answers, &rest), &question(), ID);
    }

    #[test]
    fn names_are_written_and_read_as_the_same(text in "[a-z0-9_-]{1,20}(\\.[a-z0-9_-]{1,20}){0,5}") {
        let name: Name = text.parse().unwrap();
        prop_assert_eq!(name.to_string(), text);
    }
}
