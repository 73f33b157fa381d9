//! Our reader beside an independent one (imap-codec): whatever that one accepts, both read the same.
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

use bytes::BytesMut;
use imap::wire::fetch::{self, FetchedBody};
use imap::wire::framer::{Advance, Framed, Framer};
use imap::wire::mailbox::ListEntry;
use imap::wire::response::{Response as Ours, Status};
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::flag::FlagFetch;
use imap_codec::imap_types::mailbox::Mailbox;
use imap_codec::imap_types::response::{Data, Response, Status as TheirStatus, StatusKind};
use model::Flags;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// The first response in these bytes with the body in it, as we cut it out; none when there is no whole one, or more.
fn ours(bytes: &[u8]) -> Option<(Framed, Option<Vec<u8>>)> {
    let mut framer = Framer::default();
    let mut input = BytesMut::from(bytes);
    let mut body = None;
    loop {
        match framer.advance(&mut input).ok()? {
            Advance::Done => return input.is_empty().then(|| (framer.framed().clone(), body)),
            Advance::Body(left) if left as usize <= input.len() => {
                body = Some(input.split_to(left as usize).to_vec());
                framer.body_taken(left);
            }
            Advance::More | Advance::Body(_) => return None,
        }
    }
}

/// Compares the two readings of a response; whether the other one accepted it.
fn compare(bytes: &[u8]) -> bool {
    let Ok((rest, theirs)) = ResponseCodec::default().decode(bytes) else { return false };
    if !rest.is_empty() {
        return false;
    }
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let (framed, body) = ours(bytes).unwrap_or_else(|| panic!("not framed: {shown}"));
    let response = Ours::of(&framed);
    match theirs {
        Response::Data(Data::Fetch { seq, items }) => {
            let (number, rest) = response.numbered("FETCH").unwrap_or_else(|| panic!("no FETCH: {shown}"));
            assert_eq!(number, seq.get(), "{shown}");
            let fetched = fetch::parse(rest);
            let once = |wanted: fn(&MessageDataItem<'_>) -> bool| {
                items.as_ref().iter().filter(|item| wanted(item)).count() == 1
            };
            for item in items.as_ref() {
                match item {
                    MessageDataItem::Uid(uid) if once(|item| matches!(item, MessageDataItem::Uid(_))) => {
                        assert_eq!(fetched.uid, Some(uid.get()), "{shown}");
                    }
                    MessageDataItem::Flags(flags) if once(|item| matches!(item, MessageDataItem::Flags(_))) => {
                        let names: Vec<String> = flags
                            .iter()
                            .map(|flag| match flag {
                                FlagFetch::Flag(flag) => flag.to_string(),
                                FlagFetch::Recent => "\\Recent".to_owned(),
                            })
                            .collect();
                        assert_eq!(fetched.flags, Some(Flags::of(names.iter().map(String::as_str))), "{shown}");
                    }
                    MessageDataItem::InternalDate(date)
                        if once(|item| matches!(item, MessageDataItem::InternalDate(_))) =>
                    {
                        assert_eq!(fetched.internal_date.unwrap().unix_seconds, date.as_ref().timestamp(), "{shown}");
                    }
                    MessageDataItem::Rfc822Size(size)
                        // The other reader cuts sizes down to 32 bits.
                        if *size < u32::MAX && once(|item| matches!(item, MessageDataItem::Rfc822Size(_))) =>
                    {
                        assert_eq!(fetched.size, Some(u64::from(*size)), "{shown}");
                    }
                    MessageDataItem::BodyExt { section: None, origin: None, data }
                        if once(|item| {
                            matches!(item, MessageDataItem::BodyExt { section: None, origin: None, .. })
                        }) =>
                    {
                        let found = match (&fetched.body, &body) {
                            (FetchedBody::Literal(_), Some(body)) => Some(body.clone()),
                            (FetchedBody::Quoted(bytes), _) => Some(bytes.to_vec()),
                            _ => None,
                        };
                        let is_ours = fetched.body != FetchedBody::Several;
                        assert!(!is_ours || found.as_deref() == data.0.as_ref().map(AsRef::as_ref), "{shown}");
                    }
                    _ => {}
                }
            }
        }
        Response::Data(Data::List { delimiter, mailbox, .. }) => {
            let entry = response.data("LIST").and_then(ListEntry::parse).unwrap_or_else(|| panic!("no LIST: {shown}"));
            assert_eq!(entry.separator, delimiter.map(|delimiter| delimiter.inner() as u8), "{shown}");
            match mailbox {
                Mailbox::Inbox => assert!(entry.name.eq_ignore_ascii_case(b"INBOX"), "{shown}"),
                Mailbox::Other(name) => assert_eq!(entry.name, name.as_ref(), "{shown}"),
            }
        }
        Response::Data(Data::Exists(count)) => assert_eq!(response.numbered("EXISTS").unwrap().0, count, "{shown}"),
        Response::Data(Data::Expunge(number)) => {
            assert_eq!(response.numbered("EXPUNGE").unwrap().0, number.get(), "{shown}");
        }
        Response::Status(TheirStatus::Tagged(tagged)) => {
            let Ours::Tagged { tag, status, .. } = response else { panic!("not tagged: {shown}") };
            assert_eq!(tag, tagged.tag.as_ref().as_bytes(), "{shown}");
            let expected = match tagged.body.kind {
                StatusKind::Ok => Status::Ok,
                StatusKind::No => Status::No,
                StatusKind::Bad => Status::Bad,
            };
            assert_eq!(status, expected, "{shown}");
        }
        Response::Status(TheirStatus::Bye(_)) => {
            assert!(matches!(response, Ours::Status { status: Status::Bye, .. }), "{shown}");
        }
        Response::CommandContinuationRequest(_) => assert!(matches!(response, Ours::Continue(_)), "{shown}"),
        _ => assert!(!matches!(response, Ours::Unknown), "{shown}"),
    }
    true
}

/// Pieces of FETCH answers, most of them well formed.
fn fetch_item() -> impl Strategy<Value = String> {
    prop_oneof![
        (1u32..).prop_map(|uid| format!("UID {uid}")),
        proptest::collection::vec(prop_oneof!["\\\\(Seen|Draft|Recent|Flagged)", "\\$?[A-Za-z]{1,6}"], 0..4)
            .prop_map(|flags| format!("FLAGS ({})", flags.join(" "))),
        (1u32..29, 0u32..24, 0u32..60, prop_oneof!["[+-]0[0-9]00", "[+-]1[0-2]30"]).prop_map(
            |(day, hour, minute, zone)| format!("INTERNALDATE \"{day:2}-Mar-2019 {hour:02}:{minute:02}:07 {zone}\"")
        ),
        any::<u32>().prop_map(|size| format!("RFC822.SIZE {size}")),
        "[ -~\r\n]{0,12}".prop_map(|body| format!("BODY[] {{{}}}\r\n{body}", body.len())),
        "[a-z )(]{0,12}".prop_map(|body| format!("BODY[] \"{body}\"")),
        Just("BODY[] NIL".to_owned()),
        "[a-z)\"\r\n]{0,8}".prop_map(|text| format!("BODY[TEXT] {{{}}}\r\n{text}", text.len())),
        (1u64..).prop_map(|modseq| format!("MODSEQ ({modseq})")),
    ]
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (1u32.., proptest::collection::vec(fetch_item(), 1..5))
            .prop_map(|(number, items)| format!("* {number} FETCH ({})\r\n", items.join(" "))),
        1 => ("(\"/\"|\".\"|NIL)", "[A-Za-z&/ .-]{1,12}").prop_map(|(separator, name)| format!("* LIST () {separator} \"{name}\"\r\n")),
        1 => ("(\"/\"|NIL)", "[ -~\r\n]{1,9}")
            .prop_map(|(separator, name)| format!("* LIST (\\HasNoChildren) {separator} {{{}}}\r\n{name}\r\n", name.len())),
        1 => any::<u32>().prop_map(|count| format!("* {count} EXISTS\r\n")),
        1 => ("[A-Z][0-9]{1,4}", "(OK|NO|BAD)", "( \\[(ALERT|UIDNEXT 5|TRYCREATE)\\])? [a-z {}0-9]{1,9}")
            .prop_map(|(tag, status, text)| format!("{tag} {status}{text}\r\n")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn well_formed_responses_are_read_the_same(line in line()) {
        compare(line.as_bytes());
    }

    #[test]
    fn damaged_responses_are_read_the_same_where_both_read_them(
        line in line(),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), Just(b'('), Just(b')'), Just(b' '), Just(b'"'), Just(b'{'), Just(b'}')],
        is_inserted in any::<bool>(),
    ) {
        let mut bytes = line.into_bytes();
        let place = place.index(bytes.len());
        if is_inserted {
            bytes.insert(place, byte);
        } else {
            bytes[place] = byte;
        }
        compare(&bytes);
    }
}

#[test]
fn the_other_reader_accepts_enough_to_mean_something() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let accepted = (0..1000)
        .filter(|_| {
            let line = line().new_tree(&mut runner).unwrap().current();
            compare(line.as_bytes())
        })
        .count();
    assert!(accepted > 500, "{accepted} of 1000");
}
