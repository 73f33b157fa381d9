use std::sync::Arc;

use connector::memory::{MemoryConnector, MemoryItem, Platform, Traits};
use connector::{Account, DirectoryInMemory};
use mailer::{Letter, Mailer, MailerInMemory};
use model::{Address, Entry, FolderPath};
use people::ObjectId;
use store::Store;

use super::super::post::Post;
use super::super::tests::{PROJECT, StopAt, StoppingMailer, account, person};
use super::super::{ListChoice, ObjectLine, Opened, QuestionState};
use super::code::Code;
use super::*;
use crate::config::Config;

const CONFIRMATION: &str = r#"
[endpoints.post]
kind = "imap"
host = "localhost"
[people.confirmation]
endpoint = "post"
account = "confirm"
authserv_id = "mx.trust.example"
from = "confirm@trust.example"
smtp = { host = "localhost" }
contact = "the help desk, 0113 496 0000"
"#;
const DAY: i64 = 86_400;

/// Ann and Ben, each with an account under another organisation's code; and what is written to them.
struct World {
    folder: tempfile::TempDir,
    ad: DirectoryInMemory,
    platform: DirectoryInMemory,
    mail: Platform,
    letters: MailerInMemory,
    text: String,
}

fn elsewhere(key: &str, given: &str, surname: &str, of: &str) -> Entry {
    let mut entry = account(key, given, surname);
    entry.organisation = Some("RY2".into());
    entry.addresses.push(Address::smtp(format!("person{of}@trust.example")));
    entry
}

impl World {
    async fn new() -> Self {
        let people = vec![person("1", "Ann", "Lee"), person("2", "Ben", "Ray")];
        let accounts = vec![elsewhere("p1", "Ann", "Lee", "1"), elsewhere("p2", "Ben", "Ray", "2")];
        Self::of(people, accounts, "").await
    }

    async fn of(people: Vec<Entry>, accounts: Vec<Entry>, more: &str) -> Self {
        let mail = Platform::new(Traits::default());
        mail.add_mailbox("confirm");
        mail.add_folder("confirm", &FolderPath::inbox());
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            ad: DirectoryInMemory::with(people),
            platform: DirectoryInMemory::with(accounts),
            mail,
            letters: MailerInMemory::default(),
            text: format!("{PROJECT}{CONFIRMATION}{more}"),
        };
        world.open().await.sync(false, false, false).await.unwrap();
        world
    }

    async fn open(&self) -> PeopleProject {
        let config = Config::parse(&self.text, self.folder.path()).unwrap();
        let entry = config.file.people.clone().unwrap();
        let store = Store::open(&format!("sqlite:{}/w.db", self.folder.path().display())).await.unwrap();
        let platform = Some(("platform".to_owned(), Opened::Written(Arc::new(self.platform.clone()))));
        let sources = vec![("ad".to_owned(), Opened::Written(Arc::new(self.ad.clone())))];
        Box::pin(PeopleProject::with(config, entry, store, sources, platform)).await.unwrap()
    }

    fn post(&self) -> Post {
        self.post_by(Arc::new(self.letters.clone()))
    }

    fn post_by(&self, mailer: Arc<dyn Mailer>) -> Post {
        Post { connector: Arc::new(MemoryConnector::new(&self.mail)), account: Account::named("confirm"), mailer }
    }

    async fn ask(&self, who: &[&str], again: bool) -> AskReport {
        let who: Vec<String> = who.iter().map(|who| (*who).to_owned()).collect();
        Box::pin(self.open().await.ask_by(&self.post(), &who, again, false)).await.unwrap()
    }

    async fn answers(&self) -> AnswersReport {
        Box::pin(self.open().await.answers_from(&self.post(), false)).await.unwrap()
    }

    /// The code in the last letter to this address.
    fn code(&self, to: &str) -> String {
        code_in(self.letters.letters().iter().rfind(|letter| letter.to == to).unwrap())
    }

    /// Both codes of Ann's last letters.
    fn anns(&self) -> (String, String) {
        (self.code(ANN), self.code("ann.lee@national.example"))
    }

    /// A message comes, on the day so many days from now.
    fn reply_on(&self, day: i64, id: &str, from: &str, more: &str, text: &str) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let message = format!(
            "Authentication-Results: mx.trust.example; dmarc=pass header.from=trust.example\nFrom: Any Name <{from}>\n\
             Subject: Re: Please answer\nMessage-ID: <{id}@x>\n{more}Content-Type: text/plain; charset=utf-8\n\n{text}\n"
        );
        let bytes = message.replace('\n', "\r\n").into_bytes();
        self.mail.deliver("confirm", &FolderPath::inbox(), MemoryItem::message(bytes, now + day * DAY));
    }

    fn reply(&self, id: &str, from: &str, text: &str) {
        self.reply_on(0, id, from, "", text);
    }

    async fn line(&self, key: &str) -> ObjectLine {
        let objects = self.open().await.list(&ListChoice::default()).await.unwrap().objects;
        objects.into_iter().find(|line| line.id == format!("ad:{key}")).unwrap()
    }

    async fn audited(&self, action: &str) -> Vec<String> {
        let people = self.open().await;
        let (log, fault) = people.store.audit_log(people.key).await.unwrap();
        assert_eq!(fault, None);
        log.into_iter().filter(|row| row.action == action).map(|row| row.detail).collect()
    }
}

const ANN: &str = "person1@trust.example";

fn code_in(letter: &Letter) -> String {
    let codes = Code::all_in(&letter.text);
    assert_eq!(codes.len(), 1, "{}", letter.text);
    codes[0].shown()
}

#[tokio::test]
async fn a_person_with_both_codes_gives_the_account_and_no_code_is_kept_r_055() {
    let world = World::new().await;
    assert!(world.line("1").await.next.unwrap().contains("people confirm --ask ad:1"));
    let dry = world.open().await.ask_by(&world.post(), &[], false, true).await.unwrap();
    assert_eq!((dry.asked.len(), world.letters.letters().len()), (2, 0));
    let asked = world.ask(&[], false).await;
    assert_eq!((asked.asked.len(), asked.not_asked.len()), (2, 0), "{asked:#?}");
    let letters = world.letters.letters();
    let to: Vec<&str> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert_eq!(to, ["ann.lee@national.example", ANN, "ben.ray@national.example", "person2@trust.example"]);
    // The account may be a stranger's: its letter names neither the person nor their address.
    assert!(!letters[0].text.contains("person1@") && !letters[0].text.contains("Ann Lee"), "{}", letters[0].text);
    assert!(
        letters[1].text.contains("Dear Ann Lee") && letters[1].text.contains("0113 496 0000"),
        "{}",
        letters[1].text
    );
    assert!(letters.iter().all(|letter| letter.from == "confirm@trust.example" && letter.in_reply_to.is_none()));
    let line = world.line("1").await;
    assert_eq!((line.class, line.asked.unwrap().state), ("unresolved", QuestionState::Asked));

    let (own, second) = world.anns();
    world.reply("a", ANN, &format!("moved {second}\n\n> OTHER\n> {own}"));
    let report = world.answers().await;
    assert!(report.is_well(), "{report:#?}");
    let answer = &report.answered[0];
    assert_eq!((answer.id.as_str(), answer.outcome, answer.now), ("ad:1", "transferred", "existing"));
    let line = world.line("1").await;
    assert_eq!((line.class, line.account.as_deref(), line.matched_by), ("existing", Some("p1"), Some("person")));
    assert_eq!(line.asked.unwrap().state, QuestionState::Answered);
    let decision = &world.open().await.show("1").await.unwrap().decisions[0];
    assert!(decision.1.starts_with("Ann Lee <person1@") && decision.3.contains("<a@x>"), "{decision:?}");
    let inbox = &world.mail.dump("confirm")[&FolderPath::inbox()];
    assert!(inbox.values().all(|item| item.flags.keywords() == ["$WhimbrelDone"]), "marked, and still there");
    // Ben is not answered for.
    assert_eq!(world.line("2").await.class, "unresolved");

    let (asked, answered) = (world.audited("people.asked").await, world.audited("people.answered").await);
    assert_eq!((asked.len(), answered.len()), (2, 1));
    let database = std::fs::read(world.folder.path().join("w.db")).unwrap();
    let wal = std::fs::read(world.folder.path().join("w.db-wal")).unwrap_or_default();
    for code in [&own, &second] {
        let plain = code.replace('-', "");
        for text in [code.as_str(), plain.as_str()] {
            let has = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
            assert!(!has(&database) && !has(&wal), "a code is kept");
            assert!(!asked.iter().chain(&answered).any(|row| row.contains(text)));
        }
    }
    let asked_before = world.ask(&[], false).await;
    assert!(asked_before.asked.is_empty() && asked_before.not_asked[0].has_time && asked_before.is_well());
    // Nothing is new, and who has answered is asked no more.
    assert!(world.answers().await.answered.is_empty());
    assert_eq!((world.ask(&[], true).await.asked.len(), world.ask(&["1"], true).await.not_asked.len()), (1, 1));
}

#[tokio::test]
async fn each_answer_ends_as_it_says() {
    for (word, second, class, account) in [
        ("STAYS", true, "existing", Some("p1")),
        ("MOVED", true, "existing", Some("p1")),
        ("OTHER", false, "new", None),
    ] {
        let world = World::new().await;
        world.ask(&["1"], false).await;
        let (own, of_account) = world.anns();
        let with = if second { of_account } else { String::new() };
        world.reply("a", ANN, &format!("{word} {with}\n{own}"));
        let report = world.answers().await;
        assert_eq!((report.is_well(), report.answered.len()), (true, 1), "{word}: {report:#?}");
        let line = world.line("1").await;
        assert_eq!((line.class, line.account.as_deref()), (class, account), "{word}: {line:#?}");
        // A transfer that then happens changes nothing.
        if word == "MOVED" {
            let mut moved = elsewhere("p1", "Ann", "Lee", "1");
            moved.organisation = Some("RX1".into());
            world.platform.put(moved);
            world.open().await.sync(false, false, false).await.unwrap();
            assert_eq!(world.line("1").await.class, "existing");
        }
    }
}

#[tokio::test]
async fn only_the_right_codes_from_the_right_address_say_that_an_account_is_theirs() {
    let world = World::new().await;
    world.ask(&[], false).await;
    let (own, second) = world.anns();
    let bens = world.code("person2@trust.example");
    let bens_second = world.code("ben.ray@national.example");
    for (id, from, text, expected) in [
        ("a", ANN, format!("STAYS\n{own}"), "lacks the code"),
        ("b", ANN, format!("STAYS {bens_second}\n{own}"), "lacks the code"),
        ("c", ANN, format!("STAYS {second}"), "not the one of the last letter"),
        ("d", ANN, format!("OTHER\n{bens}"), "not the one of the last letter"),
        ("e", ANN, "OTHER".to_owned(), "holds no code"),
        ("f", ANN, format!("it is mine {second}\n{own}"), "no line of it"),
        ("g", ANN, format!("STAYS {second}\nOTHER\n{own}"), "several answers"),
        ("h", "person2@trust.example", format!("OTHER {own}"), "not the one of the last letter"),
        ("i", "ann.lee@national.example", format!("STAYS {second}\n{own}"), "easily forged"),
        ("j", "stranger@trust.example", format!("STAYS {second}\n{own}"), "nobody of this address"),
    ] {
        world.reply(id, from, &text);
        let report = world.answers().await;
        assert_eq!((report.answered.len(), report.refused.len()), (0, 1), "{id}: {report:#?}");
        assert!(report.refused[0].why.contains(expected), "{id}: {report:#?}");
        assert_eq!(world.line("1").await.class, "unresolved", "{id}");
    }
    assert!(world.line("1").await.next.unwrap().contains("several answers"), "a person sees why");
    let refused = world.audited("people.answer-refused").await;
    assert_eq!(refused.len(), 10);
    assert!(!refused.iter().any(|row| row.contains(&own) || row.contains(&second) || row.contains("it is mine")));
    // None of these kept Ann from answering well.
    world.reply("k", ANN, &format!("STAYS {second}\n{own}"));
    assert_eq!(world.answers().await.answered.len(), 1);
}

#[tokio::test]
async fn a_forged_sender_and_what_programs_send_decide_nothing() {
    let world = World::new().await;
    world.ask(&["1"], false).await;
    let (own, second) = world.anns();
    let text = format!("STAYS {second}\n{own}");
    let forged = format!("From: <{ANN}>\nMessage-ID: <f@x>\n\n{text}\n").replace('\n', "\r\n").into_bytes();
    world.mail.deliver("confirm", &FolderPath::inbox(), MemoryItem::message(forged, 1_795_000_000));
    world.reply_on(0, "o", ANN, "Auto-Submitted: auto-replied\n", &text);
    world.reply_on(0, "p", ANN, "Return-Path: <>\n", &text);
    world.reply_on(0, "q", ANN, "Sender: it@x.example\n", &text);
    let report = world.answers().await;
    assert_eq!((report.answered.len(), report.refused.len(), report.automatic), (0, 2, 2), "{report:#?}");
    assert_eq!(world.line("1").await.asked.unwrap().state, QuestionState::Asked);
    assert!(world.answers().await.is_well(), "told once");
}

#[tokio::test]
async fn a_code_is_used_once_and_the_same_message_again_is_the_same_answer() {
    let world = World::new().await;
    world.ask(&["1"], false).await;
    let own = world.code(ANN);
    world.reply("a", ANN, &format!("OTHER\n{own}"));
    assert_eq!(world.answers().await.answered.len(), 1);
    world.reply("a", ANN, &format!("OTHER\n{own}"));
    let again = world.answers().await;
    assert!(again.is_well() && again.answered.is_empty(), "{again:#?}");
    world.reply("b", ANN, &format!("OTHER\n{own}"));
    assert!(world.answers().await.refused[0].why.contains("answered already"));
    assert_eq!(world.open().await.show("1").await.unwrap().decisions.len(), 1);
}

#[tokio::test]
async fn five_wrong_codes_void_the_right_one_until_it_is_asked_again() {
    let world = World::new().await;
    world.ask(&["1"], false).await;
    let (own, second) = world.anns();
    for n in 0..5 {
        world.reply(&n.to_string(), ANN, &format!("OTHER {}", Code::random().unwrap().shown()));
    }
    assert_eq!(world.answers().await.refused.len(), 5);
    world.reply("right", ANN, &format!("STAYS {second}\n{own}"));
    assert!(world.answers().await.refused[0].why.contains("too many"));
    assert_eq!(world.line("1").await.asked.unwrap().state, QuestionState::Void);
    let not = world.ask(&[], false).await;
    assert!(not.not_asked.iter().any(|line| line.id == "ad:1" && line.why.contains("--again")), "{not:#?}");
    assert_eq!(world.ask(&["1"], true).await.asked.len(), 1);
    let (new_own, new_second) = world.anns();
    assert!(own != new_own && second != new_second);
    world.reply("old", ANN, &format!("STAYS {second}\n{own}"));
    assert!(world.answers().await.refused[0].why.contains("the last letter"), "the codes before hold no more");
    world.reply("new", ANN, &format!("STAYS {new_second}\n{new_own}"));
    assert_eq!(world.answers().await.answered.len(), 1);
}

#[tokio::test]
async fn an_answer_counts_until_the_day_that_the_letter_names() {
    let world = World::new().await;
    let asked = world.ask(&[], false).await;
    let (own, bens) = (world.code(ANN), world.code("person2@trust.example"));
    world.reply_on(14, "a", ANN, "", &format!("OTHER\n{own}"));
    world.reply_on(16, "b", "person2@trust.example", "", &format!("OTHER\n{bens}"));
    let report = world.answers().await;
    assert_eq!((report.answered.len(), report.refused.len()), (1, 1), "{report:#?}");
    assert!(report.refused[0].why.contains("too late"));
    let until = report::day(asked.asked[0].until);
    let day = until.rsplit('-').next().unwrap().trim_start_matches('0');
    assert!(world.letters.letters()[1].text.contains(&format!("by {day} ")), "{until}");
    // Whose time is over is named as overdue.
    let people = world.open().await;
    let mut known = people.known().await.unwrap();
    known.at += 16 * DAY * 1000;
    let row = known.reconciliation.row(&ObjectId::new("ad", "2")).unwrap();
    let line = super::super::list::line(&known, row, &std::collections::HashMap::new());
    assert_eq!(line.asked.unwrap().state, QuestionState::Overdue);
    assert!(line.next.unwrap().contains("no answer came until"));
}

#[tokio::test]
async fn a_question_lapses_when_what_it_is_about_changes() {
    for change in ["name", "address", "account", "routed"] {
        let world = World::new().await;
        world.ask(&["1"], false).await;
        let (own, second) = world.anns();
        let (mut ann, mut p1) = (person("1", "Ann", "Lee"), elsewhere("p1", "Ann", "Lee", "1"));
        match change {
            "name" => ann.names.given = Some("Anne".into()),
            "address" => ann.addresses.push(Address::smtp("ann@trust.example")),
            "account" => p1.mail = Some("a.lee@national.example".into()),
            _ => ann.routed_to = Some("smtp:ann.lee@national.example".into()),
        }
        world.ad.put(ann);
        world.platform.put(p1);
        world.open().await.sync(false, false, false).await.unwrap();
        assert_eq!(world.line("1").await.asked.unwrap().state, QuestionState::Changed, "{change}");
        if change != "routed" {
            let again = world.ask(&["1"], false).await;
            assert!(again.not_asked[0].why.contains("written to on") && !again.is_well(), "{change}: {again:#?}");
        }
        world.reply("a", ANN, &format!("STAYS {second}\n{own}"));
        let report = world.answers().await;
        assert!(report.refused[0].why.contains("changed since"), "{change}: {report:#?}");
        assert_eq!(world.line("1").await.class, "unresolved");
    }
}

#[tokio::test]
async fn nobody_is_written_to_where_it_is_not_certain_who_reads_it() {
    let ann = || person("1", "Ann", "Lee");
    let p1 = || elsewhere("p1", "Ann", "Lee", "1");
    let mut cases: Vec<(&str, Vec<Entry>, Entry)> = Vec::new();
    let mut other = ann();
    other.state = model::AccountState::Disabled;
    cases.push(("disabled", vec![other], p1()));
    let mut other = ann();
    other.routed_to = Some("SMTP:ann.lee@national.example".into());
    cases.push(("sent on", vec![other], p1()));
    let mut other = person("9", "Zoe", "Fox");
    other.mail = Some("PERSON1@trust.example".into());
    other.local_id = None;
    cases.push(("others have", vec![ann(), other], p1()));
    let mut other = ann();
    other.has_mailbox = false;
    cases.push(("no mailbox", vec![other, person("9", "Zoe", "Fox")], p1()));
    let mut other = p1();
    other.mail = Some(ANN.to_owned());
    cases.push(("its alone", vec![ann()], other));
    let mut other = p1();
    other.mail = None;
    cases.push(("no address that can be written to", vec![ann()], other));
    let mut other = p1();
    other.routed_to = Some("smtp:person1@trust.example".into());
    cases.push(("sends its mail on", vec![ann()], other));
    let mut other = p1();
    other.state = model::AccountState::Disabled;
    cases.push(("is disabled", vec![ann()], other));
    for (expected, mut people, mut account) in cases {
        // The certain evidence is one that none of this touches.
        account.addresses.push(Address::parse("x500:/o=Trust/cn=1"));
        people[0].legacy_dn = Some("/o=Trust/cn=1".into());
        let world = World::of(people, vec![account], "").await;
        let report = world.ask(&["ad:1"], false).await;
        assert_eq!((report.asked.len(), report.not_asked.len()), (0, 1), "{expected}: {report:#?}");
        assert!(report.not_asked[0].why.contains(expected), "{expected}: {report:#?}");
        assert_eq!(world.letters.letters().len(), 0, "{expected}");
    }
}

#[tokio::test]
async fn an_organisation_may_take_the_own_code_for_enough() {
    let people = vec![person("1", "Ann", "Lee")];
    let world = World::of(people, vec![elsewhere("p1", "Ann", "Lee", "1")], "proof = \"own\"\nagain_days = 3\n").await;
    world.ask(&[], false).await;
    assert_eq!(world.letters.letters().len(), 1);
    let own = world.code(ANN);
    world.reply("a", ANN, &format!("STAYS\n{own}"));
    assert_eq!(world.answers().await.answered[0].now, "existing");
}

#[tokio::test]
async fn what_is_read_out_counts_as_what_is_mailed_does() {
    let world = World::new().await;
    world.ask(&[], false).await;
    let (own, second) = world.anns();
    let people = world.open().await;
    let say = async |codes: &[&str], by: &str| {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        people.confirm_by_code("1", &codes, Confirmed::Stays, Some(by), "call 4711").await
    };
    assert_eq!(say(&[&own, &second], " ").await.unwrap_err().exit, crate::Exit::Usage);
    for codes in [vec![own.as_str()], vec![second.as_str()], vec!["7KQF-2M9D-XH4T-P0RW", &second]] {
        assert_eq!(say(&codes, "Help Desk").await.unwrap_err().rule, Some("R-055"));
    }
    let report = say(&[&own.to_lowercase().replace('-', " "), &second], "Help Desk").await.unwrap();
    assert_eq!((report.before, report.now, report.by.as_str()), ("unresolved", "existing", "Help Desk"));
    assert_eq!(say(&[&own, &second], "Help Desk").await.unwrap_err().rule, Some("R-055"), "once");
    assert_eq!(
        (world.audited("people.answered").await.len(), world.audited("people.answer-refused").await.len()),
        (1, 4)
    );
}

#[tokio::test]
async fn letters_of_the_organisations_own_are_sent_and_what_is_wrong_with_them_is_told_first() {
    let world = World::of(
        vec![person("1", "Ann\r\nBcc: x", "Lee")],
        vec![elsewhere("p1", "Ann", "Lee", "1")],
        "text_file = \"own.txt\"\nsubject = \"{organisation} asks\"\n",
    )
    .await;
    let write = |text: &str| std::fs::write(world.folder.path().join("own.txt"), text).unwrap();
    for (text, expected) in [
        ("{code} {deadline} {contact}", "{account}"),
        ("{code} {account} {deadline} {contact} {password}", "{password} is not known"),
    ] {
        write(text);
        let error = world.open().await.ask_by(&world.post(), &[], false, false).await.unwrap_err();
        assert!(error.what.contains(expected) && error.what.contains("text_file"), "{error}");
    }
    assert_eq!(world.letters.letters().len(), 0);
    write("Hello {name}, {account}? {deadline} {contact}\n{code}\n");
    world.ask(&[], false).await;
    let letter = world.letters.letters().into_iter().find(|letter| letter.to == ANN).unwrap();
    assert_eq!((letter.subject.as_str(), letter.text.lines().count()), ("Hill Trust asks", 2), "{}", letter.text);
}

#[tokio::test]
async fn a_letter_that_nobody_takes_is_sent_later_and_a_refused_address_is_looked_at() {
    let world = World::new().await;
    world.letters.set_away(true);
    let report = world.ask(&[], false).await;
    assert_eq!((report.asked.len(), report.not_asked.len()), (0, 1), "nobody else is tried: {report:#?}");
    world.letters.set_away(false);
    assert_eq!(world.ask(&[], false).await.asked.len(), 2);
}

#[tokio::test]
async fn stopped_at_any_moment_one_code_holds_and_one_answer_counts() {
    let mut moments = 0;
    loop {
        let world = World::of(vec![person("1", "Ann", "Lee")], vec![elsewhere("p1", "Ann", "Lee", "1")], "").await;
        let stop = StopAt::new(moments);
        let stopped = async || {
            let mut people = world.open().await;
            people.store = people.store.watched(stop.clone());
            people
        };
        let mailer = Arc::new(StoppingMailer(world.letters.clone(), stop.clone()));
        let _ = stopped().await.ask_by(&world.post_by(mailer), &[], false, false).await;
        let freed = async || {
            let people = world.open().await;
            people.store.void_people_holds(|_| true).await.unwrap();
            people
        };
        // Asked anew, unless it is on record that it was.
        freed().await.ask_by(&world.post(), &[], false, false).await.unwrap();
        let people = world.open().await;
        let open = people.store.confirmations(people.key).await.unwrap();
        assert_eq!(open.iter().filter(|row| row.state.is_open()).count(), 1, "moment {moments}: {open:?}");
        let letters = world.letters.letters();
        let ids: std::collections::HashSet<&str> = letters.iter().map(|letter| letter.message_id.as_str()).collect();
        assert_eq!(ids.len(), letters.len(), "moment {moments}: two letters with different codes are two letters");
        let own: Vec<String> = letters.iter().filter(|letter| letter.to == ANN).map(code_in).collect();
        let (last, before) = own.split_last().unwrap();
        for (n, code) in before.iter().enumerate() {
            world.reply(&format!("old{n}"), ANN, &format!("OTHER\n{code}"));
        }
        let second = world.code("ann.lee@national.example");
        world.reply("new", ANN, &format!("STAYS {second}\n{last}"));
        let _ = stopped().await.answers_from(&world.post(), false).await;
        let _ = freed().await.answers_from(&world.post(), false).await.unwrap();
        assert_eq!(world.line("1").await.account.as_deref(), Some("p1"), "moment {moments}");
        let people = world.open().await;
        assert_eq!(people.show("1").await.unwrap().decisions.len(), 1, "moment {moments}");
        let replies = people.store.replies(people.key).await.unwrap();
        assert_eq!((replies.len(), replies.iter().filter(|row| row.is_taken).count()), (own.len(), 1));
        if !stop.was_reached() {
            break;
        }
        moments += 1;
    }
    assert!(moments > 10, "{moments} moments");
}

#[test]
fn a_mailbox_of_its_own_and_times_that_make_sense() {
    let parse = |more: &str| Config::parse(&format!("{PROJECT}{CONFIRMATION}{more}"), std::path::Path::new("/x"));
    assert!(parse("").is_ok());
    let mailed = "[people.import]\nconnector = \"payroll\"\n[people.mailed]\nendpoint = \"post\"\naccount = \"Confirm\"\n\
        key = { env = \"KEY\" }\nsenders = [\"hr@trust.example\"]\nauthserv_id = \"mx\"\nfrom = \"i@trust.example\"\n\
        smtp = { host = \"localhost\" }\n";
    for (more, expected) in [
        (mailed, "people.confirmation.account"),
        ("days = 0\n", "people.confirmation.days"),
        ("again_days = 0\n", "people.confirmation.again_days"),
        ("trust_from = true\n", "people.confirmation.authserv_id"),
    ] {
        let error = parse(more).unwrap_err();
        assert!(error.what.contains(expected), "{error}");
    }
    assert!(parse(&mailed.replace("account = \"Confirm\"\n", "account = \"Confirm\"\nfolder = \"Files\"\n")).is_ok());
}
