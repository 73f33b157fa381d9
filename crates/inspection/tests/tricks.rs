//! Each way to hide an attachment, alone; each way to replace one.

use crate::common::{
    base64, check, places, rules, strict, unseen, uuencode, winmail, with_file, with_part, zip, zip_with,
};
use inspection::{Disposition, Seal, SealedDisposition, Unseen, Verdict, Why};

const PLAIN: &[u8] = b"nothing of note";

fn program() -> Vec<u8> {
    let mut pe = vec![0; 200];
    pe[..2].copy_from_slice(b"MZ");
    pe[0x3c] = 0x80;
    pe[0x80..0x84].copy_from_slice(b"PE\0\0");
    pe
}

#[test]
fn names_are_read_in_every_way() {
    for header in [
        "Content-Type: application/octet-stream; name=a.exe",
        "content-TYPE:application/octet-stream;name=\"A.EXE\"",
        "Content-Type: application/octet-stream;\r\n\tname=\"invoice.pdf.exe\"",
        "Content-Type: application/octet-stream;\r\n name*=utf-8''%61%2Eexe",
        "Content-Type: application/octet-stream;\r\n name*0=\"a.e\";\r\n name*1=\"xe\"",
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"=?utf-8?B?YS5leGU=?=\"",
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"=?utf-8?q?a=2Ee?=\r\n =?utf-8?q?xe?=\"",
        "Content-Type: text/plain; name=a.txt\r\nContent-Disposition: inline; filename=a.exe",
        "Content-Type: text/plain; name=a.exe\r\nContent-Disposition: inline; filename=a.txt",
        "Content-Type: application/octet-stream; name=\"a.exe. \"",
        "Content-Type: application/octet-stream; name=\"annex\u{202e}txt.exe\"",
        "Content-Type: application/octet-stream; name=\"a.e\u{200b}xe\"",
        "Content-Type: application/octet-stream; name=\"a\u{ff0e}\u{ff45}\u{ff58}\u{ff45}\"",
        "Content-Type: application/octet-stream; name=\"C:\\temp\\a.exe\"",
        "Content-Type: application/octet-stream; name=\"a.txt\"; name=\"a.exe\"",
        "Content-Type: application/octet-stream; name=\"a.exe",
        "Content-Disposition: attachment; filename=a.exe",
        "Content-Disposition : attachment; filename=a.exe",
        "X-Other: 1\rContent-Disposition: attachment; filename=a.exe",
        "Content-Type: application/octet-stream\r\nno field at all\r\nContent-Disposition: attachment; filename=a.exe",
        "Content-Type: message/rfc822; name=a.exe",
        "Content-Type: multipart/mixed; name=a.exe; boundary=never",
        "Content-Type: application/octet-stream; name=\"x.{00020900-0000-0000-C000-000000000046}\"",
    ] {
        let (found, rewritten) = check(&with_part(header, PLAIN), &rules());
        assert_eq!(places(&found), ["2"], "{header:?}: {found:?}");
        assert!(
            matches!(found.findings.iter().find(|f| f.rule.is_some()).unwrap().why, Why::Extension(_)),
            "{header:?}"
        );
        let text = String::from_utf8(rewritten).unwrap();
        assert!(text.contains("--b1\r\nContent-Type: text/plain\r\n\r\nDear all,\r\n\r\n--b1\r\n"), "{text}");
        assert!(text.contains("Rule: extension") && text.ends_with("\r\n--b1--\r\n"), "{text}");
    }
}

#[test]
fn a_name_with_a_nul_is_found() {
    let mut message = with_file("a.exe@.txt", PLAIN);
    let at = message.iter().position(|byte| *byte == b'@').unwrap();
    let at = at + 1 + message[at + 1..].iter().position(|byte| *byte == b'@').unwrap();
    message[at] = 0;
    assert_eq!(places(&check(&message, &rules()).0), ["2"]);
}

#[test]
fn other_names_are_let_through() {
    for name in ["a.pdf", "exe", "a.exe.txt", "a.exes", "exe.zip.txt", "scr/a.txt", ""] {
        let message = with_file(name, PLAIN);
        let (found, rewritten) = check(&message, &rules());
        assert!(found.findings.is_empty() && rewritten == message, "{name}: {found:?}");
    }
}

#[test]
fn an_attached_message_is_not_judged_by_its_subject() {
    let message = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822;\n name=\"Re: our page at x.js\"\n\n\
        Subject: our page at x.js\n\nHello\n--b--\n";
    assert!(check(message.as_bytes(), &rules()).0.findings.is_empty());
}

#[test]
fn a_message_stays_one_when_its_first_line_is_replaced() {
    let message = "Content-Type: message/rfc822\nContent-Type: application/octet-stream; name=a.exe\n\n\
        Content-Type: application/octet-stream; name=a.exe\nYS5leGU=\nContent-Type: multipart/mixed; boundary=a\n";
    assert_eq!(places(&check(message.as_bytes(), &rules()).0), ["1"]);
}

#[test]
fn types_and_contents_are_found_whatever_the_name() {
    for (header, content, rule) in [
        ("Content-Type: Application/X-MSDownload; name=a.txt", PLAIN, "type"),
        ("Content-Type: video/mp4; name=a.txt", PLAIN, "type"),
        ("Content-Type: image/png\r\nContent-Type: video/mp4", PLAIN, "type"),
        ("Content-Type: image/png; name=a.png", program().as_slice(), "content"),
        ("Content-Type: text/plain", program().as_slice(), "content"),
        ("Content-Type: application/octet-stream", b"#!/bin/sh\n", "content"),
        ("Content-Type: application/octet-stream", b"\x7fELF\x02\x01", "content"),
        ("Content-Type: image/png; name=a.png", &vec![b'x'; 1_000_001], "size"),
    ] {
        let (found, _) = check(&with_part(header, content), &rules());
        let cited: Vec<_> = found.findings.iter().filter_map(|finding| finding.rule.as_deref()).collect();
        assert_eq!(cited, [rule], "{header}");
    }
    // A text is no script, and exactly the limit passes.
    for (header, content) in [
        ("Content-Type: text/plain", b"#!/bin/sh\n".as_slice()),
        ("Content-Type: image/png; name=a.png", &vec![b'x'; 1_000_000]),
        ("Content-Type: text/plain", &vec![b'x'; 1_000_001]),
    ] {
        assert!(check(&with_part(header, content), &rules()).0.findings.is_empty(), "{header}");
    }
}

#[test]
fn a_finding_says_what_where_and_how_large() {
    let message = with_file("caf\u{e9}.exe", &program());
    let (found, rewritten) = check(&message, &rules());
    let finding = &found.findings[0];
    assert_eq!((finding.file.name.as_str(), finding.file.size_bytes), ("caf\u{e9}.exe", Some(200)));
    assert_eq!(finding.file.sha256, Some(model::Digest::of(&program())));
    let cut = &message[finding.bytes.start as usize..finding.bytes.end as usize];
    assert!(cut.starts_with(b"Content-Type: application/octet-stream") && cut.ends_with(b"="));
    let text = String::from_utf8(rewritten).unwrap();
    let note = text.split("--b1\r\n").nth(2).unwrap();
    let digest = model::Digest::of(&program()).to_string();
    assert_eq!(
        note.replace("\r\n", "\n"),
        format!(
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nContent-Disposition: inline\n\n\
             This attachment was not copied.\n\nName: caf=C3=A9.exe\nType: application/octet-stream\nSize: 200 bytes\n\
             SHA-256: {digest}\nRule: extension: files of the type .exe are not accepted\n--b1--\n"
        )
    );
}

#[test]
fn messages_within_messages_are_looked_at() {
    let inner = String::from_utf8(with_file("a.exe", PLAIN)).unwrap().replace("b1", "b2");
    let mut whole = format!(
        "Content-Type: multipart/digest; boundary=b1\r\n\r\n--b1\r\n\r\n{inner}\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\n\
         Subject: x\r\nContent-Type: application/octet-stream; name=b.exe\r\n\r\nbytes\r\n--b1--\r\n"
    );
    let (found, rewritten) = check(whole.as_bytes(), &rules());
    assert_eq!(places(&found), ["1.2", "2.1"]);
    let text = String::from_utf8(rewritten).unwrap();
    assert!(text.contains("Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain"), "{text}");
    // Encoded as a whole, which nobody should: it is replaced as a whole.
    whole = format!(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\nSubject: kept\r\nMIME-Version: 1.0\r\n\r\n{}",
        base64(inner.as_bytes())
    );
    let (found, rewritten) = check(whole.as_bytes(), &rules());
    assert_eq!(places(&found), ["1 > part 2"]);
    assert!(rewritten.starts_with(b"Content-Type: text/plain; charset=utf-8\r\n"));
    assert!(
        String::from_utf8(rewritten).unwrap().contains("Subject: kept\r\nMIME-Version: 1.0\r\n\r\nThis attachment")
    );
}

#[test]
fn a_message_that_is_the_attachment_keeps_its_other_fields() {
    let message = "Received: one\nContent-Description: it\nContent-Type: application/octet-stream;\n name=a.exe\nSubject: s\n\
        MIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\nX-Last: 1\n\nbytes\n";
    let (found, rewritten) = check(message.as_bytes(), &rules());
    assert_eq!(places(&found), ["1"]);
    let text = String::from_utf8(rewritten).unwrap();
    let fields = "Received: one\nSubject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
        Content-Transfer-Encoding: quoted-printable\nContent-Disposition: inline\nX-Last: 1\n\n\
        This attachment was not copied.\n\nName: a.exe\n";
    assert!(text.starts_with(fields) && text.ends_with("accepted\n") && !text.contains('\r'), "{text}");
}

#[test]
fn parts_end_where_they_may() {
    for message in [
        // no end, no line end, an empty body, no header's end, a boundary that begins another's, another's twice
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b; name=a.exe\n\nxx",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b; name=a.exe\n\n--b--",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b; name=a.exe\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b; name=a.exe",
        "Content-Type: multipart/mixed; boundary=b\n--b\nContent-Type: a/b; name=a.exe\n\nxx\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b \t\nContent-Type: a/b; name=a.exe\n\n--bb\nxx\n--b--\n",
        "Content-Type: multipart/mixed; boundary=\"b \"\n\n--b\nContent-Type: a/b; name=a.exe\n\n--b---\nxx\n--b--\n",
    ] {
        for message in [message.to_owned(), message.replace('\n', "\r\n")] {
            let (found, rewritten) = check(message.as_bytes(), &rules());
            assert_eq!(places(&found), ["1"], "{message:?}");
            let text = String::from_utf8(rewritten).unwrap();
            assert_eq!(text.contains("--b--"), message.contains("--b--"), "{text:?}");
            assert_eq!(text.contains('\r'), message.contains('\r'), "{text:?}");
        }
    }
    let nested = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\
        Content-Type: a/b; name=a.exe\n\nxx\n--b\nContent-Type: a/b; name=b.exe\n\nyy\n--bb\nzz\n--b--\n";
    assert_eq!(places(&check(nested.as_bytes(), &rules()).0), ["1.1", "2"]);
    let same = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
        Content-Type: a/b; name=a.exe\n\nxx\n--b--\n";
    assert_eq!(places(&check(same.as_bytes(), &rules()).0), ["2"]);
}

#[test]
fn archives_are_looked_into() {
    let inner = zip(&[("b.exe", PLAIN)], true);
    let deeper = zip(&[("c.zip", &inner)], true);
    for (name, archive, expected) in [
        ("a.zip", zip(&[("x.txt", PLAIN), ("dir/a.exe", PLAIN)], true), vec!["2 > a.zip"]),
        ("a.bin", zip(&[("x.txt", PLAIN), ("dir/a.exe", PLAIN)], false), vec!["2 > a.bin"]),
        ("a.zip", zip(&[("x.txt", &program())], true), vec!["2 > a.zip"]),
        ("a.zip", zip(&[("c.zip", &inner)], true), vec!["2 > a.zip > c.zip"]),
        ("a.zip", zip(&[("c.dat", &deeper)], false), vec!["2 > a.zip > c.dat > c.zip"]),
        ("a.docx", zip(&[("word/vbaProject.bin", PLAIN)], true), vec!["2 > a.docx"]),
        ("a.zip", zip(&[("dir.exe/", b""), ("x.txt", PLAIN)], false), vec![]),
        ("a.epub", zip(&[("mimetype", b"application/epub+zip"), ("OPS/book.js", PLAIN)], false), vec![]),
        ("a.docx", zip(&[("[Content_Types].xml", PLAIN), ("word/a.dat", &program())], true), vec!["2 > a.docx"]),
        ("a.zip", zip(&[("mimetype", PLAIN), ("a.js", PLAIN)], false), vec!["2 > a.zip"]),
        ("a.zip", zip_with(&[("a.txt", PLAIN)], true, 0, |_| "a.exe".to_owned()), vec!["2 > a.zip"]),
        ("a.zip", zip_with(&[("a.exe", PLAIN)], true, 0, |_| "a.txt".to_owned()), vec!["2 > a.zip"]),
        ("a.zip", [b"before".as_slice(), &zip(&[("a.exe", PLAIN)], true)].concat(), vec!["2 > a.zip"]),
        ("a.zip", zip_with(&[("a.exe", PLAIN)], true, 1, str::to_owned), vec!["2 > a.zip"]),
    ] {
        let (found, rewritten) = check(&with_file(name, &archive), &rules());
        assert_eq!(places(&found), expected, "{name} {found:?}");
        assert!(!expected.is_empty() || rewritten == with_file(name, &archive));
        for finding in found.findings.iter().filter(|finding| finding.rule.is_some()) {
            let attachment = finding.attachment.as_ref().unwrap();
            assert_eq!((attachment.name.as_str(), attachment.sha256), (name, Some(model::Digest::of(&archive))));
        }
    }
}

#[test]
fn files_that_an_archive_does_not_list_are_found() {
    let hidden = zip(&[("a.exe", PLAIN)], true);
    let hidden = &hidden[..hidden.windows(4).position(|four| four == b"PK\x01\x02").unwrap()];
    let listed = zip(&[("a.txt", PLAIN)], true);
    let (found, _) = check(&with_file("a.zip", &[hidden, &listed].concat()), &rules());
    assert_eq!(places(&found), ["2 > a.zip"]);
    assert_eq!(unseen(&found), [Unseen::DamagedArchive]);
}

#[test]
fn what_can_not_be_seen_is_said_and_may_be_banned() {
    let deflated = zip(&[("a.txt", &[7; 5000])], true);
    let mut damaged = deflated.clone();
    damaged[37..42].fill(0xff);
    let deep = (0..6).fold(zip(&[("a.txt", PLAIN)], false), |inner, _| zip(&[("a.zip", &inner)], false));
    let bomb = zip(&[("inner.zip", &vec![0; 300 << 20])], true);
    for (content, expected) in [
        (zip_with(&[("a.txt", PLAIN)], true, 1, str::to_owned), Unseen::EncryptedArchive),
        (deflated[..40].to_vec(), Unseen::DamagedArchive),
        (damaged, Unseen::DamagedArchive),
        (deep, Unseen::DeepArchive),
        (bomb, Unseen::LargeArchive),
        (b"Rar!\x1a\x07\x01\0...".to_vec(), Unseen::UnknownArchive),
    ] {
        let message = with_file("a.zip", &content);
        let (found, _) = check(&message, &rules());
        assert_eq!(found.verdict(&rules()), Verdict::Travels);
        assert!(unseen(&found).contains(&expected), "{expected:?}: {found:?}");
        let (found, _) = check(&message, &strict());
        assert_eq!(found.verdict(&strict()), Verdict::Replace, "{expected:?}");
        let rules = strict();
        let finding = found.binding(&rules).next().unwrap();
        let attachment = finding.attachment.as_ref().unwrap_or(&finding.file);
        assert_eq!(attachment.sha256, Some(model::Digest::of(&content)), "{expected:?}");
    }
}

#[test]
fn winmail_is_looked_into() {
    let inner = winmail(&[("deep.exe", None, PLAIN)]);
    for (content, expected) in [
        (winmail(&[("a.txt", None, PLAIN), ("a.exe", None, PLAIN)]), vec!["2 > winmail.dat"]),
        (winmail(&[("A~1.TXT", Some("annex.exe"), PLAIN)]), vec!["2 > winmail.dat"]),
        (winmail(&[("a.txt", None, &program())]), vec!["2 > winmail.dat"]),
        (winmail(&[("a.zip", None, &zip(&[("b.exe", PLAIN)], true))]), vec!["2 > winmail.dat > a.zip"]),
        (winmail(&[("a.msg", None, &inner)]), vec!["2 > winmail.dat > a.msg"]),
        (winmail(&[("a.txt", None, PLAIN)]), vec![]),
    ] {
        let message = with_part("Content-Type: application/ms-tnef; name=winmail.dat", &content);
        assert_eq!(places(&check(&message, &rules()).0), expected);
    }
    let cut = &winmail(&[("a.txt", None, PLAIN)])[..60];
    let (found, _) = check(&with_file("winmail.dat", cut), &rules());
    assert_eq!(unseen(&found), [Unseen::DamagedWinmail]);
    let (found, _) = check(&with_part("Content-Type: application/ms-tnef", b"other"), &rules());
    assert_eq!(unseen(&found), [Unseen::DamagedWinmail]);
}

#[test]
fn files_among_the_lines_of_a_text_go_and_the_text_stays() {
    let file = uuencode("a.exe", &program());
    let kept = uuencode("a.txt", PLAIN);
    let text = format!("Dear all,\r\n\r\n{file}{file}between =3D\r\n{kept}\r\nYours\r\n");
    let encoded = format!(
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\nSubject: s\r\n\r\n{}",
        base64(text.as_bytes())
    );
    let quoted = text.replace('=', "=3D");
    let quoted = format!("Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain\r\n\r\n{quoted}");
    for (message, decoding) in [(format!("Subject: s\r\n\r\n{text}"), 0), (encoded, 1), (quoted, 2)] {
        let (found, rewritten) = check(message.as_bytes(), &rules());
        assert_eq!(places(&found), ["1", "1"], "{message}");
        assert_eq!(found.findings[0].file.sha256, Some(model::Digest::of(&program())));
        let body = String::from_utf8(rewritten).unwrap();
        let (header, body) = body.split_once("\r\n\r\n").unwrap();
        assert_eq!(header, message.split_once("\r\n\r\n").unwrap().0);
        let body = match decoding {
            0 => body.to_owned(),
            1 => {
                let letters: String = body.split_whitespace().collect();
                let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, letters).unwrap();
                String::from_utf8(bytes).unwrap()
            }
            _ => body.replace("=\r\n", "").replace("=3D", "="),
        };
        let (before, rest) = body.split_once("This attachment was not copied.\r\n").unwrap();
        assert_eq!(before, "Dear all,\r\n\r\n");
        let (_, rest) = rest.split_once("accepted\r\nThis attachment was not copied.\r\n").unwrap();
        let (_, behind) = rest.split_once("accepted\r\n").unwrap();
        assert_eq!(behind, format!("between =3D\r\n{kept}\r\nYours\r\n"), "{decoding}");
    }
}

#[test]
fn sealed_mail_has_a_rule_of_its_own() {
    let signed = format!(
        "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\r\n\r\n--s\r\n{}\r\n--s\r\n\
         Content-Type: application/pgp-signature\r\n\r\nsig\r\n--s--\r\n",
        String::from_utf8(with_file("a.exe", PLAIN)).unwrap()
    );
    let mut rules = rules();
    for (sealed, verdict) in [
        (SealedDisposition::Travel, Verdict::Travels),
        (SealedDisposition::Skip, Verdict::Skip),
        (SealedDisposition::Replace, Verdict::Replace),
    ] {
        rules.sealed = sealed;
        let (found, _) = check(signed.as_bytes(), &rules);
        assert_eq!(found.verdict(&rules), verdict);
        assert_eq!(places(&found), ["1.2"]);
        assert_eq!(found.seals, [(String::new(), Seal::PgpSigned)]);
        assert_eq!(found.findings[0].sealed, Some(Seal::PgpSigned));
    }
    // What is beside the signed part is not under it.
    rules.sealed = SealedDisposition::Travel;
    let beside = format!(
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n{signed}\r\n--o\r\nContent-Type: a/b; name=b.exe\r\n\r\nx\r\n--o--\r\n"
    );
    let (found, rewritten) = check(beside.as_bytes(), &rules);
    assert_eq!((found.verdict(&rules), places(&found).len()), (Verdict::Replace, 2));
    assert!(String::from_utf8(rewritten).unwrap().contains(&signed));
}

#[test]
fn what_is_encrypted_is_said_and_never_replaced() {
    for (message, seal, what) in [
        (
            "Content-Type: application/pkcs7-mime; name=smime.p7m; smime-type=enveloped-data\n\nx\n",
            Seal::SmimeEncrypted,
            Unseen::Encrypted,
        ),
        (
            "Content-Type: application/pkcs7-mime; smime-type=signed-data\n\nx\n",
            Seal::SmimeOpaque,
            Unseen::OpaqueSigned,
        ),
        (
            "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nVersion: 1\n--b--\n",
            Seal::PgpEncrypted,
            Unseen::Encrypted,
        ),
        ("Subject: s\n\n-----BEGIN PGP MESSAGE-----\n\nx\n", Seal::PgpInlineEncrypted, Unseen::Encrypted),
    ] {
        let (found, _) = check(message.as_bytes(), &rules());
        assert_eq!(found.seals.iter().map(|(_, seal)| *seal).collect::<Vec<_>>(), [seal]);
        assert_eq!((unseen(&found), found.verdict(&rules())), (vec![what], Verdict::Travels));
        assert_eq!(check(message.as_bytes(), &strict()).0.verdict(&strict()), Verdict::Skip);
    }
}

#[test]
fn structures_that_readers_differ_about_are_said() {
    for (message, what) in [
        ("Content-Type: text/plain\nContent-Type: text/html\n\nx\n".to_owned(), Unseen::Ambiguous),
        (
            "Content-Type: text/plain\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nx\n"
                .to_owned(),
            Unseen::Ambiguous,
        ),
        ("Content-Type: text/plain\nodd line\nContent-Type: text/plain\n\nx\n".to_owned(), Unseen::Ambiguous),
        ("Content-Transfer-Encoding: x-own\n\nx\n".to_owned(), Unseen::UnknownEncoding),
        ("Content-Type: message/partial; number=1; total=2; id=x\n\nx\n".to_owned(), Unseen::Fragment),
        (format!("Content-Type: text/plain; name={}\n\nx\n", "a".repeat(100_000)), Unseen::LongHeader),
    ] {
        let (found, _) = check(message.as_bytes(), &rules());
        assert_eq!(unseen(&found), [what], "{message:.100}");
    }
}

#[test]
fn skipping_leaves_the_message_alone() {
    let mut rules = rules();
    rules.disposition = Disposition::Skip;
    let found = check(&with_file("a.exe", PLAIN), &rules).0;
    assert_eq!(found.verdict(&rules), Verdict::Skip);
}
