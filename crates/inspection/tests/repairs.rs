//! Each repair alone and together: what a target refuses is gone, and what a reader sees is the same.

use crate::common::repairs::{ALL, all, check, how, impossible, repaired};
use base64::{Engine, engine::general_purpose::STANDARD};
use inspection::{How, Limits, RepairRule, Repairs, WhyNot, repair};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn written(message: &str, wanted: &Repairs) -> String {
    text(&repaired(message.as_bytes(), wanted))
}

#[test]
fn what_is_as_a_target_wants_it_stays() {
    for message in [
        &b""[..],
        b"\r\n",
        b"A: b\r\n\r\nbody\r\n",
        b"From me\r\nA: b\r\n c\r\n\r\nbody without an end",
        b"A: b\r\n\r\n\xff\xfe no header\r\n",
    ] {
        assert!(repair(&message, &ALL, &Limits::default()).unwrap().is_none(), "{}", text(message));
    }
    let odd = b"A\0: \xe9\rb\nno field\n\n\0\r".as_slice();
    assert!(repair(&odd, &Repairs::default(), &Limits::default()).unwrap().is_none());
}

#[test]
fn each_repair_is_made_where_it_is_wanted() {
    let nul = Repairs { nul: true, ..Repairs::default() };
    let cr = Repairs { bare_cr: true, ..Repairs::default() };
    let lf = Repairs { bare_lf: true, ..Repairs::default() };
    let broken = Repairs { broken_header: true, ..Repairs::default() };
    let eight = Repairs { eight_bit_header: true, ..Repairs::default() };
    let long = Repairs { line_bytes_max: Some(78), ..Repairs::default() };
    let words = "word ".repeat(20);
    let cases: Vec<(Repairs, Vec<u8>, Vec<u8>)> = [
        (nul, "A: b\0c\r\n\r\nbo\0dy\0\n", "A: b c\r\n\r\nbo dy \n"),
        (nul, "A: b\n\nbo\0dy\r\r\n", "A: b\n\nbo dy\r\r\n"),
        (cr, "A: b\rC: d\r\r\n\r\nbo\r\r\r\ndy\rx\ny\r", "A: b\r\nC: d\r\n\r\nbo\r\ndy\r\nx\ny\r\n"),
        (cr, "A: b\n\nx\r\ry", "A: b\n\nx\r\n\r\ny"),
        (lf, "A: b\nC: d\n\nbo\ndy\r\n\r", "A: b\r\nC: d\r\n\r\nbo\r\ndy\r\n\r"),
        (broken, ">From a@b\r\nA: b\r\n\r\nx\r\n", "X-Broken-Header: >From a@b\r\nA: b\r\n\r\nx\r\n"),
        (
            broken,
            ">From a@b\r\nSubject: b\r\nstray\r\n more\r\nX-A: b\r\n\r\nx\r\n",
            "X-Broken-Header: >From a@b\r\nSubject: b\r\nX-Broken-Header: stray\r\n more\r\nX-A: b\r\n\r\nx\r\n",
        ),
        (broken, "Subject : b\r\n: no name\r\nX-A\t: b\r\n\r\n", "Subject: b\r\nX-Broken-Header: : no name\r\nX-A: b\r\n\r\n"),
        (broken, "Subject: b", "Subject: b\r\n"),
        (broken, "Subject: b\nDear all,\nyours: me\n\nx\n", "Subject: b\n\nDear all,\nyours: me\n\nx\n"),
        (broken, "no header at all", "\r\nno header at all"),
        (
            broken,
            "Subject: b\r\nContent-Type: multipart/mixed; boundary=b\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
            "Subject: b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
        ),
        (
            broken,
            "Content-Transfer-Encoding: base64\r\nstray\r\n\r\neA==\r\n",
            "Content-Transfer-Encoding: base64\r\nX-Broken-Header: stray\r\n\r\neA==\r\n",
        ),
        (eight, "Subject: caf\u{e9} au lait\r\n\r\n\u{e9}\r\n", "Subject: =?utf-8?q?caf=C3=A9?= au lait\r\n\r\n\u{e9}\r\n"),
        (eight, "Subject: a \u{e9} \u{e8} b\n\n", "Subject: a =?utf-8?b?w6kgw6g=?= b\n\n"),
        (
            eight,
            "Subject: =?utf-8?q?a?= \u{e9} =?utf-8?q?b?= c\r\n\r\n",
            "Subject: =?utf-8?q?a?= =?utf-8?q?_=C3=A9_?= =?utf-8?q?b?= c\r\n\r\n",
        ),
        (
            eight,
            "From: \"M\u{fc}ller, J\" <m@x>, Bj\u{f6}rn <b@x> (\u{e9}), \"plain, one\" <p@x>\r\n\r\n",
            "From: =?utf-8?q?M=C3=BCller=2C_J?= <m@x>, =?utf-8?q?Bj=C3=B6rn?= <b@x>\r\n (=?utf-8?b?w6k=?=), \"plain, one\" <p@x>\r\n\r\n",
        ),
        (
            eight,
            "To: j\u{f6}rg@x, J\u{f6}rg <j\u{f6}@x>, g: \u{e9} <a@x>;\r\n\r\n",
            "To: =?utf-8?q?j=C3=B6rg=40x?= :;, =?utf-8?q?J=C3=B6rg_=3Cj=C3=B6=40x=3E?=\r\n :;, g: =?utf-8?b?w6k=?= <a@x>;\r\n\r\n",
        ),
        (
            eight,
            "Content-Type: application/pdf; name=\"b\u{e9}.pdf\"; x=y\r\n\r\nx\r\n",
            "Content-Type: application/pdf; name*=utf-8''b%C3%A9.pdf; x=y\r\n\r\nx\r\n",
        ),
        (
            eight,
            "Content-Disposition: attachment; filename*0=\"b\u{e9}\"; filename*1=\".pdf\"\r\n\r\nx\r\n",
            "Content-Disposition: attachment; filename*=utf-8''b%C3%A9.pdf\r\n\r\nx\r\n",
        ),
        (eight, "Received: from x (h\u{e9} y) by z\r\n\r\n", "Received: from x (=?utf-8?q?h=C3=A9_y?=) by z\r\n\r\n"),
        (eight, "S\u{fc}bject: x\r\n y\r\nA: b\r\n\r\n", "X-Broken-Header: =?utf-8?q?S=C3=BCbject=3A?= x y\r\nA: b\r\n\r\n"),
        (eight, "Subject: x\r\n\u{17d}e\u{148}a\r\n\r\n", "Subject: x\r\n\r\n\u{17d}e\u{148}a\r\n\r\n"),
        (
            long,
            &format!("Subject: {words}\r\n\r\nx\r\n"),
            &format!("Subject: {}word\r\n {}\r\n\r\nx\r\n", "word ".repeat(12), "word ".repeat(7)),
        ),
        (
            long,
            &format!("Subject: x\r\n\r\n{words}\r\n=.\r\n"),
            &format!(
                "Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}=\r\n{}word=20\r\n=3D.\r\n",
                "word ".repeat(15),
                "word ".repeat(4)
            ),
        ),
    ]
    .into_iter()
    .map(|(wanted, before, after): (Repairs, &str, &str)| (wanted, before.into(), after.into()))
    .chain([
        (eight, b"Subject: \xe9t\xe9\r\n\r\n".to_vec(), b"Subject: =?unknown-8bit?b?6XTp?=\r\n\r\n".to_vec()),
        (
            eight,
            b"Subject: \xe9t\xe9\r\nContent-Type: text/plain; charset=ISO-8859-15\r\n\r\n".to_vec(),
            b"Subject: =?ISO-8859-15?b?6XTp?=\r\nContent-Type: text/plain; charset=ISO-8859-15\r\n\r\n".to_vec(),
        ),
    ])
    .collect();
    let mut wrong = Vec::new();
    for (wanted, before, after) in cases {
        let found = check(&before, &wanted);
        assert!(impossible(&found).is_empty(), "{found:?}");
        let result = repaired(&before, &wanted);
        if result != after {
            wrong.push(format!("{:?}\n{:?}, not\n{:?}", text(&before), text(&result), text(&after)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn files_keep_all_their_bytes() {
    let file = b"%PDF\0\r\n\r \n\xff\r\r\n--\n";
    for (fields, wanted) in [
        ("Content-Type: application/pdf", all()),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: binary", all()),
        ("Content-Type: text/plain; charset=utf-16le\r\ncontent-transfer-encoding:\r\n 8bit", all()),
        ("Content-Type: application/pdf", Repairs { bare_cr: true, ..Repairs::default() }),
        ("Content-Type: application/pdf", Repairs { nul: true, ..Repairs::default() }),
    ] {
        let begin = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nDear all\r\n--b\r\n";
        let message = [begin, fields.as_bytes(), b"\r\n\r\n", file, b"\r\n--b--\r\n"].concat();
        let found = check(&message, &wanted);
        assert!(how(&found).iter().all(|(_, how)| *how == How::Base64), "{found:?}");
        let fields = fields.split("\r\n").next().unwrap();
        let expected = format!(
            "{}{fields}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
            text(begin),
            STANDARD.encode(file)
        );
        assert_eq!(text(&repaired(&message, &wanted)), expected);
    }
}

#[test]
fn files_of_a_message_in_lf_have_its_line_ends() {
    let message = b"Content-Type: application/json\n\n{\n}\n";
    assert_eq!(text(&repaired(message, &all())), "Content-Type: application/json\r\n\r\n{\r\n}\r\n");
    let message = b"Content-Type: application/json\n\n{\r\n}\n";
    assert_eq!(how(&check(message, &all())).last(), Some(&(RepairRule::LineEnds, How::Base64)));
}

#[test]
fn what_is_signed_is_never_changed() {
    let message = |signed: &str| {
        format!(
            "Subject: \u{e9}\r\nContent-Type: multipart/signed; boundary=s; protocol=\"application/pgp-signature\"\r\n\r\n\
             --s\r\nContent-Type: text/plain\r\n\r\n{signed}\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n\
             -----BEGIN PGP SIGNATURE-----\n\r\n--s--\r\nfooter\0\n"
        )
        .into_bytes()
    };
    let found = check(&message("fine"), &all()).unwrap();
    assert_eq!(impossible(&Some(found)), []);
    for (signed, rule) in [
        ("a\0b".to_owned(), RepairRule::Nul),
        ("a\rb".to_owned(), RepairRule::BareCr),
        ("a\nb".to_owned(), RepairRule::LineEnds),
        ("a".repeat(999), RepairRule::LongLine),
    ] {
        let found = check(&message(&signed), &all());
        assert_eq!(impossible(&found), [(rule, WhyNot::Signed)]);
        assert!(how(&found).contains(&(RepairRule::EightBitHeader, How::EncodedWords)));
        assert!(how(&found).iter().all(|(done, _)| *done != rule));
        assert_eq!(found.unwrap().impossible[0].part, "1");
    }
    let inline = b"A: b\r\n\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n\0\r\n";
    assert_eq!(impossible(&check(inline, &all())), [(RepairRule::Nul, WhyNot::Signed)]);
}

#[test]
fn what_can_not_be_repaired_is_said() {
    let long = "x".repeat(2_000);
    let nested = |fields: &str, body: &str| {
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{fields}\r\n\r\n{body}\r\n--b--\r\n")
    };
    for (message, expected) in [
        (format!("X-A: {long}\r\n\r\n"), (RepairRule::LongLine, WhyNot::NoPlaceToBreak)),
        (format!("From {long}\r\n\r\n"), (RepairRule::LongLine, WhyNot::NoPlaceToBreak)),
        (nested("Content-Type: message/delivery-status", &long), (RepairRule::LongLine, WhyNot::Structure)),
        (nested("Content-Type: text/plain\r\n\r\nx\r\n--b--", &long), (RepairRule::LongLine, WhyNot::BetweenParts)),
        (nested("Content-Transfer-Encoding: x-uuencode", &long), (RepairRule::LongLine, WhyNot::UnknownEncoding)),
        (
            nested("Content-Type: a/b\r\nContent-Transfer-Encoding: x-own", "a\0"),
            (RepairRule::Nul, WhyNot::UnknownEncoding),
        ),
        (
            "Content-Type: multipart/mixed; boundary=\"\u{e9}\"\r\n\r\n".to_owned(),
            (RepairRule::EightBitHeader, WhyNot::Boundary),
        ),
    ] {
        let found = check(message.as_bytes(), &all());
        assert_eq!(impossible(&found), [expected], "{message}");
        assert!(found.unwrap().is_unchanged());
    }
}

#[test]
fn long_lines_are_broken_in_every_encoding() {
    let bytes: Vec<u8> = (0..5_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let one_line = STANDARD.encode(&bytes);
    let quoted: String = bytes.iter().map(|byte| format!("={byte:02x}")).collect();
    for (fields, body, ways) in [
        ("Content-Transfer-Encoding: base64", one_line.as_str(), How::Broken),
        ("Content-Transfer-Encoding: quoted-printable", &quoted, How::Broken),
        ("Content-Type: a/b", &one_line, How::Base64),
        ("Content-Type: text/html\r\nContent-Transfer-Encoding: 7bit", &one_line, How::QuotedPrintable),
    ] {
        let message = format!("Subject: a\r\n{fields}\r\n\r\n{body}\r\n");
        let found = check(message.as_bytes(), &all());
        assert_eq!(how(&found), [(RepairRule::LongLine, ways)]);
        let result = text(&repaired(message.as_bytes(), &all()));
        assert!(result.lines().all(|line| line.len() <= 76));
    }
    for (field, folded) in [
        (format!("To: {}", vec!["a@example.org"; 100].join(",")), "example.org,\r\n a@"),
        (format!("References: {}", "<0123456789@example.org>".repeat(60)), ">\r\n <"),
        (format!("Subject: {}", "=?utf-8?q?=C3=A9?=".repeat(80)), "?=\r\n =?"),
        (format!("Subject: {}", "x".repeat(1_500)), "Subject: =?us-ascii?q?xxx"),
        (format!("Content-Type: a/b;x={};y=z", "\"a b\";w=".repeat(150)), ";\r\n w="),
        (format!("X-A: {}", "y".repeat(995)), "X-A:\r\n yyy"),
    ] {
        let result = text(&repaired(format!("{field}\r\n\r\n").as_bytes(), &all()));
        assert!(result.contains(folded), "{result}");
        check(format!("{field}\r\n\r\n").as_bytes(), &all());
    }
}

#[test]
fn records_say_where_and_how_often_and_nothing_else() {
    let message = b"Subject: x\0\r\nstray \xe9\r\nX-A: \xe9\r\n\r\n\0\0\r";
    let found = check(message, &all()).unwrap();
    let shown: Vec<(&str, &str, u64, u64)> =
        found.done.iter().map(|done| (done.rule.code(), done.how.code(), done.count, done.first_byte)).collect();
    assert_eq!(
        shown,
        [
            ("repair-nul", "space", 3, 10),
            ("repair-bare-cr", "line-end", 1, 34),
            ("repair-eight-bit-header", "encoded-words", 2, 13),
            ("repair-broken-header", "broken-field", 1, 13),
        ]
    );
    let json = serde_json::to_string(&found.done).unwrap();
    assert!(!json.contains("stray") && json.contains("repair-nul"), "{json}");
    for rule in RepairRule::EVERY {
        assert!(rule.sentence().ends_with('.') && rule.code().starts_with("repair-"));
    }
}

#[test]
fn every_cut_of_a_message_is_dealt_with() {
    let message =
        b">From x\nSubject : \xe9 a\r\nContent-Type: multipart/mixed; boundary=b\r\r\n\r\n--b\nContent-Type: a/b; \
        name=\"\xe9\"\r\n\r\n\0\r\n--b\r\nContent-Type: message/rfc822\n\nSubject: \xff\n\nx\r--b--\r\n";
    for end in 0..=message.len() {
        for start in [0, end / 3] {
            check(&message[start..end], &all());
        }
    }
}

#[test]
fn no_text_is_hidden_in_the_header() {
    let broken = Repairs { broken_header: true, ..Repairs::default() };
    let people = "From: Dr A <a@x.example>\r\nTo: Dr B <b@x.example>\r\nSubject: plan\r\nDate: Tue, 3 Mar 2026 10:00:00 +0000\r\n";
    for text in [
        "Please see the plan\r\nFollow-up: 2 weeks\r\n",
        "Dear Dr B\r\nX-ray: clear\r\nDelivery-date: 3 March\r\n",
        "Dear Dr B\r\nStatus: stable\r\nPriority : urgent\r\nPath: no more of it\r\nLines: PICC\r\nReferences: see below\r\n",
        "Dear Dr B\r\nReceived: 2 units of blood\r\nCc: the ward\r\n",
        "Dear Dr B\r\nDate: 12:30 tomorrow\r\nSubject: the knee\r\n",
        "Please read what he wrote\r\nFrom: Dr C <c@x.example>\r\nSent: today\r\nMessage-ID: <c@x.example>\r\n",
        "Please read what he wrote\r\nReturn-Path: <c@x.example>\r\nX-Mailer: c\r\nFrom: c@x.example\r\nContent-Type: text/plain\r\n",
        "From the look of it he is well\r\nDear Dr B\r\n",
        "He is well\r\nX-clamp: 45 min\r\nCc: gp@x.example\r\nReply-To: a@x.example;\r\n",
        "Patient: A\r\n B\r\nFollow-up: 2 weeks\r\nHe is well\r\n",
    ] {
        for fields in ["", "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n"] {
            let message = format!("{people}{fields}{text}\r\nMore\r\n");
            let found = check(message.as_bytes(), &broken);
            assert_eq!(how(&found), [(RepairRule::BrokenHeader, How::EmptyLine)], "{message}");
            let expected = format!("{people}{fields}\r\n{text}\r\nMore\r\n");
            assert_eq!(written(&message, &broken), expected);
        }
    }
    // Encoded text, too, but nothing that would spoil it.
    let base64 = STANDARD.encode([b'a'; 57]);
    let fields = format!("{people}Content-Transfer-Encoding: base64\r\n");
    let message = format!("{fields}{base64}\r\nYQ==\r\n\r\n");
    assert_eq!(written(&message, &broken), format!("{fields}\r\n{base64}\r\nYQ==\r\n\r\n"));
    let message = format!("{fields}stray line\r\n\r\n{base64}\r\n");
    assert_eq!(written(&message, &broken), format!("{fields}X-Broken-Header: stray line\r\n\r\n{base64}\r\n"));
}

#[test]
fn a_header_goes_on_where_known_fields_follow() {
    let broken = Repairs { broken_header: true, ..Repairs::default() };
    for rest in [
        "From: a@x.example\r\nSubject: b\r\n",
        "Received: from a.example by b.example; today\r\n",
        "References: <a@x.example>\r\nStatus: RO\r\n",
        "content-type: text/html\r\n",
        "List-Unsubscribe: <mailto:a@x.example>\r\n",
        "X-Mailer: a\r\n",
        "DKIM-Signature: v=1\r\n",
        "Message-Id : <a>\r\nResent-To: me\r\n",
    ] {
        let message = format!("Return-Path: <a@x.example>\r\nstray\r\n{rest}Dear all\r\n\r\nMore\r\n");
        let expected =
            format!("Return-Path: <a@x.example>\r\nX-Broken-Header: stray\r\n{rest}\r\nDear all\r\n\r\nMore\r\n");
        assert_eq!(written(&message, &broken), expected.replace("Id :", "Id:"));
    }
}

#[test]
fn files_of_text_keep_all_their_bytes() {
    let file = b"MSH|^~\\&|A\rPID|1\0\r\nOBX\n\rend";
    let begin =
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nDear all\r\n--b\r\n";
    for fields in [
        "Content-Type: text/plain; name=adt.hl7",
        "Content-Type: text/plain\r\nContent-Disposition: attachment",
        "Content-Type: text/csv\r\nContent-Disposition: inline; filename=\"a b.csv\"",
    ] {
        for encoding in ["", "\r\nContent-Transfer-Encoding: quoted-printable"] {
            for wanted in [all(), Repairs { bare_cr: true, ..Repairs::default() }] {
                let message =
                    [begin, fields.as_bytes(), encoding.as_bytes(), b"\r\n\r\n", file, b"\r\n--b--\r\n"].concat();
                let found = check(&message, &wanted);
                assert!(how(&found).iter().all(|(_, how)| *how == How::Base64), "{found:?}");
                let expected = format!(
                    "{}{fields}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
                    text(begin),
                    STANDARD.encode(file)
                );
                assert_eq!(text(&repaired(&message, &wanted)), expected);
            }
        }
    }
    // One that only has long lines stays a text.
    let message = format!("Content-Type: text/plain; name=a.txt\r\n\r\n{}\r\n", "word ".repeat(300));
    assert_eq!(how(&check(message.as_bytes(), &all())), [(RepairRule::LongLine, How::QuotedPrintable)]);
    // As with other files, a message's own line ends are theirs.
    let message = "Content-Type: text/plain; name=a.txt\n\na\nb\n";
    assert_eq!(written(message, &all()), message.replace('\n', "\r\n"));
    // A text in UTF-16 that does not say so.
    let message = b"Content-Type: text/plain\r\n\r\n\xff\xfea\0b\0".to_vec();
    assert_eq!(how(&check(&message, &all())), [(RepairRule::Nul, How::Base64)]);
}

#[test]
fn files_in_another_encoding_keep_their_bytes() {
    let nested = |fields: &str, body: &str| {
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{fields}\r\n\r\n{body}\r\n--b--\r\n")
    };
    let message = nested("Content-Type: a/b\r\nContent-Transfer-Encoding: quoted-printable", "=FF\0a=\nb\rc\nd=3D");
    let expected =
        nested("Content-Type: a/b\r\nContent-Transfer-Encoding: base64", &STANDARD.encode(b"\xff\0ab\rc\nd="));
    assert_eq!(written(&message, &all()), expected);
    check(message.as_bytes(), &all());
    // What may stand in base64 is not content.
    let message = nested("Content-Type: a/b\r\nContent-Transfer-Encoding: base64", "YQ\0=\n=");
    assert_eq!(how(&check(message.as_bytes(), &all())).len(), 2);
    assert!(written(&message, &all()).contains("YQ =\r\n="));
    // In a message in LF, so are its line ends.
    let message = "Content-Type: text/plain\nContent-Transfer-Encoding: x-own\n\na\nb\n";
    assert_eq!(written(message, &all()), message.replace('\n', "\r\n"));
    for (fields, body, rule) in [
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: x-own", "a\0", RepairRule::Nul),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: x-own", "a\rb", RepairRule::BareCr),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: x-own", "a\nb", RepairRule::LineEnds),
        ("Content-Type: a/b\r\nContent-Transfer-Encoding: uuencode", "begin 644 a\r\n$\0   \r\nend", RepairRule::Nul),
    ] {
        let found = check(nested(fields, body).as_bytes(), &all());
        assert_eq!(impossible(&found), [(rule, WhyNot::UnknownEncoding)], "{body:?}");
        assert!(found.unwrap().is_unchanged());
    }
}

#[test]
fn a_signed_text_in_quoted_printable_is_never_changed() {
    for begin in ["-----BEGIN PGP SIGNED MESSAGE-----", "=2D----BEGIN PGP SIGNED=\r\n MESSAGE-----"] {
        for (body, rule) in [("a\0b", RepairRule::Nul), ("a\rb", RepairRule::BareCr), ("a\nb", RepairRule::LineEnds)] {
            let message = format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{begin}\r\n{body}\r\n");
            let found = check(message.as_bytes(), &all());
            assert_eq!(impossible(&found), [(rule, WhyNot::Signed)], "{message}");
            assert!(found.unwrap().is_unchanged());
        }
    }
}

#[test]
fn the_charset_of_the_text_names_that_of_the_header() {
    let eight = Repairs { eight_bit_header: true, ..Repairs::default() };
    let subject = |parts: &str| {
        let begin = b"Subject: \xe9t\xe9\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
        let message = [begin, parts.as_bytes(), b"\r\n--b--\r\n"].concat();
        check(&message, &eight);
        text(&repaired(&message, &eight)).lines().next().unwrap().to_owned()
    };
    let named = |kind: &str| format!("--b\r\nContent-Type: {kind}\r\n\r\nx\r\n");
    let latin = named("text/plain; charset=iso-8859-1");
    let within = |kind: &str, part: &str| format!("--b\r\nContent-Type: {kind}\r\n\r\n{part}");
    let nested = latin.replace("--b", "--c") + "\r\n--c--\r\n";
    for parts in [
        latin.clone(),
        within("multipart/alternative; boundary=c", &nested),
        named("text/plain; charset=us-ascii") + &latin,
        named("text/plain; charset=koi8-r; name=a") + &latin,
        named("image/png; charset=koi8-r") + &latin,
        within("message/rfc822", "Content-Type: text/plain; charset=koi8-r\r\n\r\nx\r\n") + &latin,
    ] {
        assert_eq!(subject(&parts), "Subject: =?iso-8859-1?b?6XTp?=", "{parts}");
    }
    for parts in [
        named("text/plain; charset=utf-8") + &latin,
        named("text/plain; charset=big5"),
        named("text/plain"),
        format!("--b\r\n\r\n{}{latin}", "x\r\n".repeat(100_000)),
    ] {
        assert_eq!(subject(&parts), "Subject: =?unknown-8bit?b?6XTp?=", "{}", &parts[..80.min(parts.len())]);
    }
}

#[test]
fn only_lines_with_such_bytes_are_rewritten_for_them() {
    let eight = Repairs { eight_bit_header: true, ..Repairs::default() };
    let message = "Subject: b\r\nstray\r\nstr\u{e4}y\r\nmore : x\r\nX-A: b\r\n\r\nx\r\n";
    let found = check(message.as_bytes(), &eight).unwrap();
    let ways = [How::EncodedWords, How::BrokenField].map(|how| (RepairRule::EightBitHeader, how));
    assert_eq!(how(&found), ways);
    assert!(found.done.iter().all(|done| done.count == 1));
    assert_eq!(written(message, &eight), message.replace("str\u{e4}y", "X-Broken-Header: =?utf-8?q?str=C3=A4y?="));
    // A text without an empty line before it is one whole.
    let message = "Subject: b\r\nDear all\r\nGr\u{fc}\u{df}e\r\n\r\n";
    assert_eq!(written(message, &eight), message.replace("Dear", "\r\nDear"));
    assert_eq!(how(&check(message.as_bytes(), &eight)), [(RepairRule::EightBitHeader, How::EmptyLine)]);
    let message = "Subject: \u{fc}\r\nDear all\r\n\r\n";
    assert_eq!(written(message, &eight), message.replace('\u{fc}', "=?utf-8?b?w7w=?="));
}
