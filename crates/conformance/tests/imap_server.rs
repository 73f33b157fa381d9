//! The IMAP server in memory, asked by hand: is what it says what the RFCs say?

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

use std::{
    io::{Read, Write},
    sync::Arc,
    time::Duration,
};

use conformance::{
    imap_server::{
        Act, Date, ImapServer, Impersonation, Mechanism, Oddities, Offer, Offers, Order, Person, Refusal, Refused, Rule,
    },
    talk::Talk,
};

const MAIL: &str = "From: a@x.test\r\nSubject: one\r\n\r\nbody\r\n";
const DATE: Date = Date { unix_seconds: 837_596_665, offset_minutes: -420 };

/// A server with these offers and one person with three messages in INBOX.
fn server(offers: Offers) -> ImapServer {
    let server = ImapServer::builder().offers(offers).user("alice", "secret").start();
    let alice = server.person("alice");
    alice.append("INBOX", MAIL, &["\\Seen"], DATE);
    alice.append("INBOX", "Subject: two\r\n\r\n", &["Work"], DATE);
    alice.append("INBOX", MAIL, &[], DATE);
    server
}

fn talk(server: &ImapServer) -> Talk {
    Talk::login(server.port(), "alice", "secret")
}

#[test]
fn a_bare_server_does_rfc_3501_and_refuses_the_rest() {
    let server = server(Offers::bare());
    let mut talk = Talk::connect(server.port());
    assert!(talk.greeting().contains("[CAPABILITY IMAP4rev1 AUTH=PLAIN]"), "{}", talk.greeting());
    assert_eq!(talk.ok("LOGIN alice {6}\r\nsecret").tagged, "OK [CAPABILITY IMAP4rev1] Welcome");
    let selected = talk.ok("SELECT inbox");
    for line in [
        "3 EXISTS",
        "3 RECENT",
        "OK [UNSEEN 2]",
        "OK [UIDNEXT 4]",
        "FLAGS (\\Answered",
        "OK [PERMANENTFLAGS (\\Answered",
    ] {
        assert!(selected.untagged.iter().any(|said| said.starts_with(line)), "{line} is not in {selected:?}");
    }
    assert!(!selected.text().contains("MODSEQ"));
    let fetched = talk.ok("FETCH 1 (FLAGS UID RFC822.SIZE INTERNALDATE BODY.PEEK[])");
    assert_eq!(
        fetched.untagged,
        [format!(
            "1 FETCH (FLAGS (\\Seen \\Recent) UID 1 RFC822.SIZE {0} INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" BODY[] {{{0}}}\r\n{MAIL})",
            MAIL.len()
        )]
    );
    for refused in
        ["NAMESPACE", "IDLE", "UID EXPUNGE 1", "MOVE 1 INBOX", "FETCH 1 MODSEQ", "ENABLE CONDSTORE", "UNSELECT"]
    {
        assert!(talk.command(refused).tagged.starts_with("BAD"), "{refused}");
    }
    assert_eq!(server.violations().len(), 7);
}

#[test]
fn a_name_without_a_folder_is_listed_and_is_not_there() {
    let odd = Oddities { names_alone: vec!["Ghost".to_owned()], ..Oddities::default() };
    let server = ImapServer::builder().odd(odd).user("alice", "secret").start();
    let mut talk = talk(&server);
    for list in ["LIST \"\" \"*\"", "LIST \"\" \"*\" RETURN (STATUS (MESSAGES))"] {
        let listed = talk.ok(list);
        assert!(
            listed.untagged.iter().any(|said| said.starts_with("LIST (") && said.ends_with("\"Ghost\"")),
            "{listed:?}"
        );
        assert!(!listed.text().contains("NonExistent") && !listed.text().contains("Noselect"), "{listed:?}");
    }
    for asked in ["STATUS Ghost (MESSAGES)", "SELECT Ghost"] {
        assert!(talk.command(asked).tagged.starts_with("NO [NONEXISTENT]"), "{asked}");
    }
}

#[test]
fn one_line_too_many_spaces_is_a_violation() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    for bad in ["SELECT  INBOX", "SELECT INBOX ", "SELECT", "FETCH 1 FLAGS", "LIST \"\" \"caf\u{e9}\"", "APPEND INBOX"]
    {
        assert!(talk.command(bad).tagged.starts_with("BAD"), "{bad}");
    }
    assert_eq!(server.violations().len(), 6);
}

#[test]
fn messages_are_appended_one_by_one_and_many_at_once() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    let answer = talk.append("INBOX", "(\\Flagged $Fwd) \" 1-Feb-2003 04:05:06 +0100\"", b"x: y\r\n\r\n");
    assert!(answer.tagged.starts_with("OK [APPENDUID 1001 4]"), "{answer:?}");
    let answer = talk.ok("APPEND INBOX (\\Seen) {4+}\r\na\r\nb {2+}\r\nc\n ~{3+}\r\n\0\r\n");
    assert!(answer.tagged.starts_with("OK [APPENDUID 1001 5:7]"), "{answer:?}");
    assert!(talk.command("APPEND Nowhere {1+}\r\na").tagged.starts_with("NO [TRYCREATE]"));
    assert!(talk.command("APPEND INBOX {1+}\r\na {0+}\r\n").tagged.starts_with("NO"));
    assert!(talk.command("APPEND INBOX {1+}\r\n\0").tagged.starts_with("BAD"));
    let dump = server.person("alice").dump_folder("INBOX").unwrap();
    let last: Vec<(&str, &[u8])> =
        dump.messages[3..].iter().map(|m| (m.flags.first().map_or("", |f| f.as_str()), m.body.as_ref())).collect();
    assert_eq!(last, [("\\Flagged", &b"x: y\r\n\r\n"[..]), ("\\Seen", b"a\r\nb"), ("", b"c\n"), ("", b"\0\r\n")]);
    assert_eq!(dump.messages[3].date.unix_seconds, 1_044_068_706);
    assert_eq!(dump.uid_next, 8);
}

#[test]
fn literals_wait_or_not_as_offered() {
    let waiting = server(Offers::bare());
    let mut refused = talk(&waiting);
    assert!(refused.try_command("APPEND INBOX {1+}\r\na").is_none());
    assert_eq!(waiting.violations().len(), 1);
    let minus = server(Offers::bare().with(&[Offer::LiteralMinus]));
    assert!(talk(&minus).command(&format!("APPEND INBOX {{4096+}}\r\n{}", "a".repeat(4096))).is_ok());
    assert!(talk(&minus).try_command(&format!("APPEND INBOX {{4097+}}\r\n{}", "a".repeat(4097))).is_none());
}

#[test]
fn too_large_a_message_is_refused_before_it_is_sent() {
    let server = ImapServer::builder().user("alice", "secret").append_limit(10).start();
    let mut talk = talk(&server);
    assert!(talk.ok("CAPABILITY").text().contains("APPENDLIMIT=10"));
    let answer = talk.append("INBOX", "", &[b'a'; 11]);
    assert!(answer.tagged.starts_with("NO [TOOBIG]"), "{answer:?}");
    // The bytes of a literal that didn't wait are read and forgotten, those of the messages after it too.
    let answer = talk.command("APPEND INBOX {11+}\r\naaaaaaaaaaa {2+}\r\nNO");
    assert!(answer.tagged.starts_with("NO [TOOBIG]"), "{answer:?}");
    assert!(talk.append("INBOX", "", &[b'a'; 10]).is_ok());
    server.person("alice").set_quota(Some(15), None);
    assert!(talk.append("INBOX", "", &[b'a'; 6]).tagged.starts_with("NO [OVERQUOTA]"));
    server.person("alice").set_quota(None, Some(2));
    assert!(talk.append("INBOX", "", b"a").is_ok());
    assert!(talk.append("INBOX", "", b"a").tagged.starts_with("NO [OVERQUOTA]"));
    assert_eq!(talk.ok("GETQUOTAROOT INBOX").untagged, ["QUOTAROOT \"INBOX\" \"\"", "QUOTA \"\" (MESSAGE 2 2)"]);
}

#[test]
fn messages_of_kinds_it_does_not_take_are_refused_with_the_whole_batch() {
    let refuse = |of| Refusal { of, answer: "NO [CANNOT] Not that".to_owned() };
    let server = ImapServer::builder()
        .user("alice", "secret")
        .refuses(refuse(Refused::Nul))
        .refuses(refuse(Refused::BareLineEnd))
        .refuses(refuse(Refused::Containing("poison".to_owned())))
        .start();
    let mut talk = talk(&server);
    for (body, taken) in
        [("a\r\n", true), ("a\n", false), ("a\rb", false), ("a\0", false), ("poison", false), ("", false)]
    {
        let answer = talk.command(&format!("APPEND INBOX {{2+}}\r\nok ~{{{}+}}\r\n{body}", body.len()));
        assert_eq!(answer.is_ok(), taken, "{body:?} {answer:?}");
    }
    assert_eq!(server.person("alice").dump_folder("INBOX").unwrap().messages.len(), 2);
}

#[test]
fn flags_are_stored_conditionally_too() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    talk.ok("SELECT INBOX (CONDSTORE)");
    let stored = talk.ok("UID STORE 2 +FLAGS (\\Seen $Done)");
    assert_eq!(stored.untagged, ["2 FETCH (UID 2 FLAGS (\\Seen Work $Done \\Recent) MODSEQ (5))"]);
    let stored = talk.ok("STORE 1:3 (UNCHANGEDSINCE 4) -FLAGS.SILENT (\\Seen)");
    assert_eq!(stored.tagged, "OK [MODIFIED 2] Some were changed since");
    assert_eq!(stored.untagged, ["1 FETCH (UID 1 MODSEQ (6))", "3 FETCH (UID 3 MODSEQ (4))"]);
    let stored = talk.ok("STORE 1 FLAGS \\Draft");
    assert_eq!(stored.untagged, ["1 FETCH (UID 1 FLAGS (\\Draft \\Recent) MODSEQ (7))"]);
    assert_eq!(
        talk.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5)").untagged,
        ["1 FETCH (UID 1 FLAGS (\\Draft \\Recent) MODSEQ (7))"]
    );
    assert_eq!(talk.ok("SEARCH MODSEQ 5").untagged, ["SEARCH 1 2 (MODSEQ 7)"]);
    assert!(talk.command("STORE 4 FLAGS ()").tagged.starts_with("BAD"));
    talk.ok("EXAMINE INBOX");
    assert!(talk.command("STORE 1 FLAGS ()").tagged.starts_with("NO [READ-ONLY]"));
}

#[test]
fn messages_are_removed_by_uid_or_all_that_are_marked() {
    let server = server(Offers::bare().with(&[Offer::UidPlus]));
    let mut talk = talk(&server);
    talk.ok("SELECT INBOX");
    talk.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(talk.ok("UID EXPUNGE 3:4").untagged, ["3 EXPUNGE"]);
    server.person("alice").deliver("INBOX", MAIL);
    server.person("alice").flag("INBOX", 4, &["\\Deleted"]);
    // A message that this session was not told of is not removed; it hears of it now.
    assert_eq!(talk.ok("EXPUNGE").untagged, ["1 EXPUNGE", "2 EXISTS", "2 RECENT"]);
    assert_eq!(talk.ok("EXPUNGE").untagged, ["2 EXPUNGE"]);
    talk.ok("STORE 1 +FLAGS (\\Deleted)");
    talk.ok("CLOSE");
    assert_eq!(server.person("alice").dump_folder("INBOX").unwrap().messages, []);
}

#[test]
fn copies_and_moves_tell_the_new_uids() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    talk.ok("CREATE Work");
    talk.ok("SELECT INBOX");
    assert!(talk.ok("UID COPY 1:2 Work").tagged.starts_with("OK [COPYUID 1002 1:2 1:2]"));
    assert!(talk.command("COPY 1 Nowhere").tagged.starts_with("NO [TRYCREATE]"));
    assert_eq!(talk.ok("MOVE 2:3 Work").untagged, ["OK [COPYUID 1002 2:3 3:4] Moved", "2 EXPUNGE", "2 EXPUNGE"]);
    let work = server.person("alice").dump_folder("Work").unwrap();
    assert_eq!(work.messages[1].email_id, work.messages[2].email_id);
    assert_eq!(work.messages[0].date, DATE);
    assert!(talk.ok("UID MOVE 77 Work").untagged.is_empty(), "what is not there is not moved");
    assert!(talk.command("UID MOVE 1 Nowhere").tagged.starts_with("NO [TRYCREATE]"));
    let odd = Oddities { copy_uid_last: true, ..Oddities::default() };
    let server = ImapServer::builder().odd(odd).user("alice", "secret").start();
    server.person("alice").create("Work");
    server.person("alice").deliver("INBOX", MAIL);
    let mut talk = Talk::login(server.port(), "alice", "secret");
    talk.ok("SELECT INBOX");
    let moved = talk.ok("UID MOVE 1 Work");
    assert!(moved.tagged.starts_with("OK [COPYUID 1002 1 1]") && moved.untagged == ["1 EXPUNGE"], "{moved:?}");
}

#[test]
fn deleted_folders_leave_their_subscription_and_those_below() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    for command in ["CREATE a", "CREATE a/b", "SUBSCRIBE a", "DELETE a"] {
        talk.ok(command);
    }
    assert_eq!(
        talk.ok("LIST \"\" a* RETURN (SUBSCRIBED)").untagged,
        [
            "LIST (\\NonExistent \\Noselect \\HasChildren \\Subscribed) \"/\" \"a\"",
            "LIST (\\HasNoChildren) \"/\" \"a/b\""
        ]
    );
    assert!(talk.command("DELETE a").tagged.starts_with("NO [HASCHILDREN]"));
    assert!(talk.command("DELETE INBOX").tagged.starts_with("NO [CANNOT]"));
    for command in ["DELETE a/b", "UNSUBSCRIBE a", "UNSUBSCRIBE a"] {
        talk.ok(command);
    }
    assert!(talk.ok("LIST (SUBSCRIBED) \"\" a*").untagged.is_empty());
    assert!(talk.command("DELETE a").tagged.starts_with("NO [NONEXISTENT]"));
}

#[test]
fn qresync_tells_what_has_happened_meanwhile() {
    let server = server(Offers::everything());
    let alice = server.person("alice");
    let known = alice.dump_folder("INBOX").unwrap();
    alice.remove("INBOX", 2);
    alice.flag("INBOX", 1, &["\\Flagged"]);
    alice.deliver("INBOX", MAIL);
    let mut talk = talk(&server);
    assert!(talk.command("SELECT INBOX (QRESYNC (1001 4))").tagged.starts_with("BAD"));
    assert_eq!(talk.ok("ENABLE QRESYNC").untagged, ["ENABLED QRESYNC"]);
    let select = format!("SELECT INBOX (QRESYNC ({} {} 1:3 (1 1)))", known.uid_validity, known.highest_modseq);
    let selected = talk.ok(&select);
    assert_eq!(selected.of("VANISHED").collect::<Vec<_>>(), ["VANISHED (EARLIER) 2"]);
    assert_eq!(selected.of("FETCH").collect::<Vec<_>>(), ["1 FETCH (UID 1 FLAGS (\\Flagged \\Seen) MODSEQ (6))"]);
    assert_eq!(
        talk.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 4 VANISHED)").untagged,
        [
            "VANISHED (EARLIER) 2",
            "1 FETCH (UID 1 FLAGS (\\Flagged \\Seen \\Recent) MODSEQ (6))",
            "3 FETCH (UID 4 FLAGS (\\Recent) MODSEQ (7))"
        ]
    );
    alice.remove("INBOX", 1);
    assert_eq!(talk.ok("NOOP").untagged, ["VANISHED 1"]);
    // Once removals are forgotten, whatever is not there has vanished; with another UIDVALIDITY nothing is told.
    alice.set_uid_next("INBOX", 9);
    alice.forget_removals("INBOX");
    let selected = talk.ok("SELECT INBOX (QRESYNC (1001 4))");
    assert_eq!(selected.of("VANISHED").collect::<Vec<_>>(), ["VANISHED (EARLIER) 1:2,5:8"]);
    assert!(selected.untagged[0].starts_with("OK [CLOSED]"));
    alice.renumber("INBOX");
    assert_eq!(talk.ok("SELECT INBOX (QRESYNC (1001 4))").of("VANISHED").count(), 0);
    alice.stop_counting_changes("INBOX");
    assert!(talk.ok("SELECT INBOX").text().contains("[NOMODSEQ]"));
}

#[test]
fn a_second_session_hears_of_changes_when_it_may() {
    let server = server(Offers::bare());
    let (mut one, mut two) = (talk(&server), talk(&server));
    one.ok("SELECT INBOX");
    two.ok("SELECT INBOX");
    one.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    one.ok("EXPUNGE");
    assert!(one.append("INBOX", "", b"new").is_ok());
    // FETCH by number mustn't change what numbers mean.
    let fetched = two.command("FETCH 1:3 UID");
    assert_eq!(fetched.tagged, "NO [EXPUNGEISSUED] Some of the messages are gone");
    assert_eq!(fetched.untagged, ["3 FETCH (UID 3)"]);
    assert_eq!(two.ok("NOOP").untagged, ["1 EXPUNGE", "1 EXPUNGE", "2 EXISTS", "0 RECENT"]);
    assert_eq!(two.ok("UID FETCH 1:* UID").untagged, ["1 FETCH (UID 3)", "2 FETCH (UID 4)"]);
}

#[test]
fn idle_tells_at_once() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    talk.ok("SELECT INBOX");
    let tag = talk.next_tag();
    talk.send(format!("{tag} IDLE\r\n").as_bytes());
    assert_eq!(talk.response().unwrap(), "+ Idling");
    server.person("alice").deliver("INBOX", MAIL);
    assert_eq!(talk.response().unwrap(), "* 4 EXISTS");
    assert_eq!(talk.response().unwrap(), "* 4 RECENT");
    server.person("alice").flag("INBOX", 1, &["\\Draft"]);
    assert_eq!(talk.response().unwrap(), "* 1 FETCH (UID 1 FLAGS (\\Seen \\Draft \\Recent))");
    talk.send(b"DONE\r\n");
    assert!(talk.answer(&tag).unwrap().is_ok());
}

#[test]
fn search_finds_by_every_key() {
    let server = server(Offers::everything());
    let alice = server.person("alice");
    alice.append("INBOX", "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nX-A: Caf\u{e9}\r\n\r\nlarge", &[], Date::utc(0));
    let mut talk = talk(&server);
    talk.ok("SELECT INBOX");
    for (keys, found) in [
        ("ALL", " 1 2 3 4"),
        ("SEEN", " 1"),
        ("UNSEEN KEYWORD work", " 2"),
        ("UNKEYWORD Work", " 1 3 4"),
        ("NOT (OR SEEN KEYWORD WORK)", " 3 4"),
        ("SUBJECT TWO", " 2"),
        ("FROM x.test", " 1 3"),
        ("HEADER X-A \"\"", " 4"),
        ("CHARSET UTF-8 HEADER X-A {5+}\r\ncaf\u{e9}", " 4"),
        ("BODY body", " 1 3"),
        ("TEXT large", " 4"),
        ("LARGER 20 SMALLER 41", " 1 3"),
        ("ON 17-Jul-1996", " 1 2 3"),
        ("BEFORE 17-Jul-1996", " 4"),
        ("SINCE 17-Jul-1996", " 1 2 3"),
        ("SENTON 21-Nov-1997", " 4"),
        ("UID 2:*", " 2 3 4"),
        ("2,4:*", " 2 4"),
        ("EMAILID M999", ""),
        ("RECENT", " 1 2 3 4"),
    ] {
        assert_eq!(talk.ok(&format!("SEARCH {keys}")).untagged, [format!("SEARCH{found}")], "{keys}");
    }
    let tag = format!("t{}", 1 + talk.next_tag()[1..].parse::<u32>().unwrap());
    assert_eq!(
        talk.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN").untagged,
        [format!("ESEARCH (TAG \"{tag}\") UID MIN 2 MAX 4 COUNT 3 ALL 2:4")]
    );
    assert_eq!(talk.ok("SEARCH RETURN (SAVE) FROM x.test").untagged, Vec::<String>::new());
    assert_eq!(talk.ok("FETCH $ UID").untagged, ["1 FETCH (UID 1)", "3 FETCH (UID 3)"]);
    assert!(talk.command("SEARCH CHARSET KOI8-R ALL").tagged.starts_with("NO [BADCHARSET"));
    assert!(talk.command("SEARCH NONSENSE").tagged.starts_with("BAD"));
}

#[test]
fn fetch_gives_every_item() {
    let server = server(Offers::everything());
    let alice = server.person("alice");
    let uid = alice.append(
        "INBOX",
        "Subject: m\r\nContent-Transfer-Encoding: base64\r\nContent-Type: image/png; name=\"a b\"\r\n\r\naGVs\r\nbG8=\r\n",
        &[],
        DATE,
    );
    let mut talk = talk(&server);
    talk.ok("SELECT INBOX");
    let get = |talk: &mut Talk, item: &str| {
        let text = talk.ok(&format!("UID FETCH {uid} {item}")).untagged[0].clone();
        text.strip_prefix("4 FETCH (UID 4 ").and_then(|text| text.strip_suffix(')')).expect("it is FETCH").to_owned()
    };
    for (item, value) in [
        ("BODY.PEEK[HEADER]<0.7>", "BODY[HEADER]<0> {7}\r\nSubject"),
        ("BODY.PEEK[TEXT]", "BODY[TEXT] {12}\r\naGVs\r\nbG8=\r\n"),
        ("BODY.PEEK[1]", "BODY[1] {12}\r\naGVs\r\nbG8=\r\n"),
        ("BODY.PEEK[2]", "BODY[2] NIL"),
        ("BODY.PEEK[HEADER.FIELDS (SUBJECT X)]", "BODY[HEADER.FIELDS (SUBJECT X)] {14}\r\nSubject: m\r\n\r\n"),
        ("BINARY.PEEK[1]", "BINARY[1] {5}\r\nhello"),
        ("BINARY.SIZE[1]", "BINARY.SIZE[1] 5"),
        ("BODY", "BODY (\"image\" \"png\" (\"name\" \"a b\") NIL NIL \"base64\" 12)"),
        ("EMAILID", "EMAILID (M6)"),
        ("X-GM-LABELS", "X-GM-LABELS (\\Inbox)"),
        ("MODSEQ", "MODSEQ (5)"),
        ("FLAGS", "FLAGS (\\Recent)"),
        (
            "RFC822.HEADER",
            "RFC822.HEADER {86}\r\nSubject: m\r\nContent-Transfer-Encoding: base64\r\nContent-Type: image/png; name=\"a b\"\r\n\r\n",
        ),
    ] {
        assert_eq!(get(&mut talk, item), value, "{item}");
    }
    assert!(get(&mut talk, "ENVELOPE").starts_with("ENVELOPE (NIL \"m\" NIL NIL"));
    // Only reading without PEEK marks a message as read, and tells so.
    assert!(get(&mut talk, "BODY[TEXT]").ends_with(" FLAGS (\\Seen \\Recent) MODSEQ (6)"));
    talk.ok("EXAMINE INBOX");
    talk.ok("FETCH 2 BODY[]");
    assert_eq!(alice.dump_folder("INBOX").unwrap().messages[1].flags, ["Work"]);
}

#[test]
fn folders_are_listed_with_all_that_was_asked_for() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    for command in ["CREATE A/B/C", "CREATE \"Entw&APw-rfe\" (USE (\\Drafts))", "SUBSCRIBE A/B/C", "CREATE &AOk-/"] {
        talk.ok(command);
    }
    assert_eq!(talk.ok("LIST \"\" \"\"").untagged, ["LIST (\\Noselect) \"/\" \"\""]);
    assert_eq!(
        talk.ok("LIST \"\" *").untagged,
        [
            "LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" \"A\"",
            "LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" \"A/B\"",
            "LIST (\\HasNoChildren) \"/\" \"A/B/C\"",
            "LIST (\\HasNoChildren \\Drafts) \"/\" \"Entw&APw-rfe\"",
            "LIST (\\HasNoChildren) \"/\" \"INBOX\"",
            "LIST (\\HasNoChildren) \"/\" \"&AOk-\"",
        ]
    );
    assert_eq!(
        talk.ok("LIST (SPECIAL-USE) \"\" * RETURN (STATUS (MESSAGES UIDNEXT))").untagged,
        ["LIST (\\HasNoChildren \\Drafts) \"/\" \"Entw&APw-rfe\"", "STATUS \"Entw&APw-rfe\" (MESSAGES 0 UIDNEXT 1)",]
    );
    assert_eq!(
        talk.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% INBOX)").untagged,
        ["LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" \"A\" (CHILDINFO (\"SUBSCRIBED\"))"]
    );
    assert_eq!(talk.ok("LSUB \"\" A/%").untagged, ["LSUB (\\Noselect) \"/\" \"A/B\""]);
    assert_eq!(
        talk.ok(
            "STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ MAILBOXID DELETED APPENDLIMIT)"
        )
        .untagged,
        [format!(
            "STATUS \"INBOX\" (MESSAGES 3 RECENT 3 UIDNEXT 4 UIDVALIDITY 1001 UNSEEN 2 SIZE {} HIGHESTMODSEQ 4 \
             MAILBOXID (F616c696365-2) DELETED 0 APPENDLIMIT NIL)",
            2 * MAIL.len() + 16
        )]
    );
    talk.ok("RENAME A B");
    assert!(talk.command("DELETE B").tagged.starts_with("NO [HASCHILDREN]"));
    talk.ok("DELETE B/B/C");
    assert!(talk.command("DELETE B").tagged.starts_with("NO [NONEXISTENT]"));
    talk.ok("RENAME INBOX Old");
    assert_eq!(server.person("alice").dump_folder("Old").unwrap().messages.len(), 3);
    assert_eq!(server.person("alice").dump_folder("INBOX").unwrap().messages.len(), 0);
    assert_eq!(talk.ok("ENABLE UTF8=ACCEPT").untagged, ["ENABLED UTF8=ACCEPT"]);
    assert_eq!(talk.ok("LIST \"\" \"é\"").untagged, ["LIST (\\HasNoChildren) \"/\" \"é\""]);
}

#[test]
fn names_lie_where_the_namespace_says() {
    let server = ImapServer::builder()
        .user("alice", "secret")
        .namespace(Some('.'), "INBOX.")
        .others_namespace("user.")
        .shared_namespace("shared.")
        .start();
    server.person("alice").create("shared.Team");
    let mut talk = talk(&server);
    assert_eq!(
        talk.ok("NAMESPACE").untagged,
        ["NAMESPACE ((\"INBOX.\" \".\")) ((\"user.\" \".\")) ((\"shared.\" \".\"))"]
    );
    assert!(talk.command("CREATE Work").tagged.starts_with("NO [CANNOT]"));
    talk.ok("CREATE inbox.Work");
    assert_eq!(talk.ok("LIST \"\" INBOX.%").untagged, ["LIST (\\HasNoChildren) \".\" \"INBOX.Work\""]);
    assert!(talk.ok("LIST \"\" *").text().contains("shared.Team"));
    let flat = ImapServer::builder().user("alice", "secret").namespace(None, "").start();
    assert_eq!(self::talk(&flat).ok("LIST \"\" \"\"").untagged, ["LIST (\\Noselect) NIL \"\""]);
}

#[test]
fn annotations_are_kept() {
    let server = server(Offers::everything());
    let mut talk = talk(&server);
    talk.ok("SETMETADATA INBOX (/private/comment \"mine\" /shared/x {3+}\r\na\r\n)");
    assert_eq!(
        talk.ok("GETMETADATA INBOX (/private/comment /private/none)").untagged,
        ["METADATA \"INBOX\" (/private/comment \"mine\" /private/none NIL)"]
    );
    assert!(talk.command("GETMETADATA INBOX /comment").tagged.starts_with("BAD"));
    talk.ok("SETMETADATA \"\" (/private/owner/id \"7\")");
    assert_eq!(
        talk.ok("GETMETADATA (DEPTH 1) \"\" /private/owner").untagged,
        ["METADATA \"\" (/private/owner/id \"7\")"]
    );
    talk.ok("SETMETADATA INBOX (/private/comment NIL)");
    assert_eq!(server.person("alice").annotations("INBOX").len(), 1);
}

#[test]
fn logins_of_every_kind() {
    let server = ImapServer::builder()
        .user("alice", "secret")
        .admin("migrator", "m")
        .mechanisms(&[Mechanism::Plain, Mechanism::Xoauth2, Mechanism::OauthBearer])
        .token("alice", "good", 2)
        .master_separator('*')
        .start();
    server.person("alice").deliver("INBOX", MAIL);
    let in_alices = |talk: &mut Talk| talk.ok("EXAMINE INBOX").text().contains("1 EXISTS");
    let (mut admin, answer) = Talk::login_for(server.port(), "alice", "migrator", "m");
    assert!(answer.is_ok() && in_alices(&mut admin));
    assert!(in_alices(&mut Talk::login(server.port(), "alice*migrator", "m")));
    for (person, login, password) in
        [("alice", "migrator", "x"), ("nobody", "migrator", "m"), ("migrator", "alice", "secret")]
    {
        assert!(Talk::login_for(server.port(), person, login, password).1.tagged.starts_with("NO [A"), "{person}");
    }
    let authenticate = |what: &str| {
        let mut talk = Talk::connect(server.port());
        let tag = talk.next_tag();
        talk.send(format!("{tag} AUTHENTICATE {what}\r\n").as_bytes());
        let response = talk.response().unwrap();
        if response.starts_with('+') {
            talk.send(if what.starts_with('X') { b"\r\n" } else { b"AQ==\r\n" });
            return talk.answer(&tag).unwrap().tagged;
        }
        response
    };
    // user=alice^Aauth=Bearer good^A^A and n,a=alice,^Aauth=Bearer good^A^A
    assert!(authenticate("XOAUTH2 dXNlcj1hbGljZQFhdXRoPUJlYXJlciBnb29kAQE=").contains("OK"));
    assert!(authenticate("OAUTHBEARER bixhPWFsaWNlLAFhdXRoPUJlYXJlciBnb29kAQE=").contains("OK"));
    // Both uses are gone.
    assert!(authenticate("XOAUTH2 dXNlcj1hbGljZQFhdXRoPUJlYXJlciBnb29kAQE=").starts_with("NO"));
    assert!(authenticate("OAUTHBEARER bixhPWFsaWNlLAFhdXRoPUJlYXJlciBnb29kAQE=").starts_with("NO"));
    assert_eq!(server.violations(), Vec::<String>::new());
    server.person("alice").lock(Some("[UNAVAILABLE] Account is being moved"));
    assert!(Talk::connect(server.port()).command("LOGIN alice secret").tagged.starts_with("NO [UNAVAILABLE]"));
}

#[test]
fn a_login_in_anothers_name_may_be_ignored() {
    for (how, alice, nobody) in [
        (Impersonation::Ignored, true, true),
        (Impersonation::IgnoredIfKnown, true, false),
        (Impersonation::Refused, false, false),
    ] {
        let server = ImapServer::builder().user("alice", "a").admin("migrator", "m").impersonation(how).start();
        server.person("migrator").deliver("INBOX", MAIL);
        for (person, gets_in) in [("alice", alice), ("nobody", nobody)] {
            let (mut talk, answer) = Talk::login_for(server.port(), person, "migrator", "m");
            assert_eq!(answer.is_ok(), gets_in, "{how:?} {person}");
            assert!(!gets_in || talk.ok("EXAMINE INBOX").text().contains("1 EXISTS"), "{how:?} {person}");
        }
    }
}

#[test]
fn rules_strike_once_where_they_should() {
    let server = server(Offers::everything());
    let alice = server.person("alice");
    let mut first = talk(&server);
    server.add_rule(Rule::on("APPEND", Act::LoseAnswer).nth(2));
    server.add_rule(Rule::on("CREATE", Act::Answer("NO [LIMIT] Enough".to_owned())));
    server.add_rule(Rule::on("SELECT", Act::Bye("Maintenance".to_owned())).containing("Archive"));
    server.add_rule(Rule::on("NOOP", Act::Say(b"* OK [ALERT] Hear!\r\n".to_vec())));
    server.add_rule(Rule::on("STATUS", Act::Delay(Duration::from_millis(30))));
    let deliver = |person: &Person, _: u32| {
        person.deliver("INBOX", MAIL);
    };
    server.add_rule(Rule::on("CHECK", Act::Meanwhile(Arc::new(deliver))));
    server.add_rule(Rule::on("DELETE", Act::AnswerAtLiteral("NO [INUSE] Later".to_owned())));
    assert!(first.append("INBOX", "", b"one").is_ok());
    let tag = first.next_tag();
    first.send(format!("{tag} APPEND INBOX {{3+}}\r\ntwo\r\n").as_bytes());
    assert!(first.answer(&tag).is_none());
    assert_eq!(alice.dump_folder("INBOX").unwrap().messages.len(), 5);
    let mut second = talk(&server);
    assert!(second.append("INBOX", "", b"three").is_ok());
    assert_eq!(second.command("CREATE x").tagged, "NO [LIMIT] Enough");
    second.ok("CREATE x");
    assert_eq!(second.command("DELETE {1+}\r\nx").tagged, "NO [INUSE] Later");
    assert_eq!(second.ok("NOOP").untagged, ["OK [ALERT] Hear!"]);
    second.ok("SELECT INBOX");
    second.ok("STATUS x (MESSAGES)");
    assert_eq!(second.ok("CHECK").untagged, ["7 EXISTS", "7 RECENT"]);
    let tag = second.next_tag();
    second.send(format!("{tag} SELECT Archive\r\n").as_bytes());
    assert_eq!(second.response().unwrap(), "* BYE Maintenance");
    assert!(second.response().is_none());
    assert_eq!(server.connections(), 2);
    assert!(server.log().iter().any(|received| received.line.ends_with("APPEND INBOX {3+}")));
    let mut third = talk(&server);
    server.cut_connections();
    assert!(third.try_command("NOOP").is_none());
}

#[test]
fn oddities_show() {
    let odd = |odd: Oddities| {
        let server = ImapServer::builder().user("alice", "secret").odd(odd).start();
        server.person("alice").append("INBOX", MAIL, &[], Date::utc(0));
        server.person("alice").append("INBOX", MAIL, &[], DATE);
        server
    };
    let server = odd(Oddities {
        order: Order::Reversed,
        extra_spaces: true,
        size_error: -5,
        nil_bodies: vec![1],
        missing_items: vec!["flags".to_owned()],
        unpadded_days: true,
        unsolicited_flags: true,
        ..Oddities::default()
    });
    let mut one = talk(&server);
    one.ok("SELECT INBOX");
    assert_eq!(
        one.ok("UID FETCH 1 (RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[])").untagged,
        [
            "1 FETCH (BODY[] NIL  INTERNALDATE \"1-Jan-1970 00:00:00 +0000\"  RFC822.SIZE 33  UID 1 )",
            "1 FETCH (UID 1  FLAGS (\\Recent ) )"
        ]
    );
    let server = odd(Oddities {
        quoted_bodies: true,
        unknown_responses: true,
        no_text: true,
        piece_bytes: Some(3),
        ..Oddities::default()
    });
    server.person("alice").append("INBOX", "a\"b", &[], DATE);
    let mut two = Talk::connect(server.port());
    two.ok("LOGIN alice secret");
    two.ok("SELECT INBOX");
    let fetched = two.ok("FETCH 3 BODY.PEEK[]");
    assert_eq!(fetched.untagged[0], "3 FETCH (BODY[] \"a\\\"b\")");
    assert!(fetched.untagged.len() == 4 && fetched.tagged == "OK", "{fetched:?}");
    let server = odd(Oddities {
        unencoded_names: true,
        strange_flags: vec!["[Gmail]".to_owned(), "\\*".to_owned()],
        bare_line_ends: true,
        ..Oddities::default()
    });
    server.person("alice").create("é");
    let mut raw = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    raw.write_all(
        b"a LOGIN alice secret\r\nb LIST \"\" %\r\nc SELECT INBOX\r\nd FETCH 1 (FLAGS BODY[TEXT])\r\ne LOGOUT\r\n",
    )
    .unwrap();
    let mut said = String::new();
    raw.read_to_string(&mut said).unwrap();
    assert!(said.contains("\"/\" \"é\"\n"), "{said}");
    assert!(said.contains("FETCH (FLAGS (\\Seen \\Recent [Gmail] \\*) BODY[TEXT] {6}\nbody\r\n)\n"), "{said}");
    let server = odd(Oddities {
        meanwhile: Some(Arc::new(|person, uid| {
            if uid == 1 {
                person.remove("INBOX", 2);
            }
        })),
        updates_during_fetch: true,
        ..Oddities::default()
    });
    let mut three = talk(&server);
    three.ok("SELECT INBOX");
    assert_eq!(three.ok("UID FETCH 1:* UID").untagged, ["1 FETCH (UID 1)", "2 EXPUNGE"]);
}

#[test]
fn gmail_looks_like_gmail() {
    let server = ImapServer::builder().gmail().user("alice", "secret").start();
    let alice = server.person("alice");
    let uid = alice.deliver("[Gmail]/All Mail", MAIL);
    alice.copy("[Gmail]/All Mail", uid, "INBOX");
    alice.create("Töchter");
    alice.copy("[Gmail]/All Mail", uid, "Töchter");
    let mut talk = talk(&server);
    assert!(
        talk.ok("LIST \"\" %")
            .untagged
            .contains(&"LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" \"[Gmail]\"".to_owned())
    );
    talk.ok("EXAMINE \"[Gmail]/All Mail\"");
    let fetched = talk.ok("FETCH 1 (X-GM-MSGID X-GM-LABELS)").untagged[0].clone();
    assert!(
        fetched.starts_with("1 FETCH (X-GM-MSGID 12784553")
            && fetched.contains("X-GM-LABELS (\\Inbox \"T&APY-chter\")"),
        "{fetched}"
    );
}

#[test]
fn imap4rev2_alone_speaks_it_from_the_start() {
    let server = server(Offers::everything().without(&[Offer::Imap4Rev1]));
    let mut talk = talk(&server);
    talk.ok("CREATE \"é\"");
    let selected = talk.ok("SELECT INBOX");
    assert!(selected.of("RECENT").next().is_none() && selected.of("LIST").next().is_some(), "{selected:?}");
    assert!(talk.ok("SEARCH ALL").untagged[0].starts_with("ESEARCH (TAG "));
    assert!(talk.ok("LIST \"\" \"é\"").untagged[0].ends_with("\"é\""));
    assert!(talk.command("FETCH 1 RFC822").tagged.starts_with("BAD"));
    assert!(talk.command("LSUB \"\" *").tagged.starts_with("BAD"));
}

#[test]
fn a_backup_can_be_put_back() {
    let server = server(Offers::everything());
    let alice = server.person("alice");
    let backup = alice.snapshot();
    alice.deliver("INBOX", MAIL);
    alice.create("New");
    alice.restore(&backup);
    assert_eq!(alice.dump().len(), 1);
    assert_eq!(alice.dump()[0].uid_next, 4);
}
