use std::os::unix::fs::PermissionsExt;

use async_trait::async_trait;
use mailer::MailerInMemory;

use super::*;

const MAIL: &str = r#"
[mail]
from = "whimbrel@trust.example"
smtp = { host = "localhost" }
[reports]
to = ["board@trust.example", "ops@trust.example"]
"#;

/// A project of two people of one collection, with this at the end of its file.
pub(crate) async fn project(folder: &std::path::Path, more: &str) -> Project {
    let text = format!(
        "version = 1\norganisation = {{ name = \"Example Trust\", code = \"RX1\" }}\n\
         [endpoints.old]\nkind = \"maildir\"\npath = \"old/{{source}}\"\n[endpoints.new]\nkind = \"maildir\"\npath = \"new/{{target}}\"\n\
         [source]\nmail = \"old\"\n[target]\nmail = \"new\"\n{more}"
    );
    std::fs::write(folder.join(FILE), text).unwrap();
    let people = folder.join("people.csv");
    std::fs::write(&people, "source,target,collection\nann,ann,first\nbob,bob,first\n").unwrap();
    std::fs::set_permissions(&people, std::fs::Permissions::from_mode(0o600)).unwrap();
    Box::pin(Project::open(folder, &|_: &str| None)).await.unwrap()
}

struct World {
    folder: tempfile::TempDir,
    project: Project,
    letters: MailerInMemory,
}

impl World {
    async fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path(), more).await;
        Self { folder, project, letters: MailerInMemory::default() }
    }

    async fn tend(&self, now: &str) {
        tend_reports(&self.project, now.parse().unwrap(), Some(&self.letters)).await.unwrap();
    }

    /// Subjects and recipients of what was sent since so many letters were.
    fn since(&self, count: usize) -> Vec<(String, String)> {
        self.letters.letters().split_off(count).into_iter().map(|letter| (letter.subject, letter.to)).collect()
    }
}

#[tokio::test]
async fn each_report_is_sent_once_a_day_to_everybody_at_its_hour() {
    let w = World::new(MAIL).await;
    w.tend("2026-10-23T12:00:00Z").await;
    w.tend("2026-10-24T05:29:59Z").await;
    assert_eq!(w.since(0), [], "nothing is owed from before");
    w.tend("2026-10-24T05:30:00Z").await;
    w.tend("2026-10-24T05:31:00Z").await;
    let sent = w.since(0);
    assert_eq!(sent.len(), 6, "{sent:?}");
    let titles = ["Migration report", "Failed items", "Schedule and run rate"];
    for (place, title) in titles.iter().enumerate() {
        let subject = format!("{title}: Example Trust, 2026-10-23");
        assert_eq!(sent[place * 2], (subject.clone(), "board@trust.example".to_owned()));
        assert_eq!(sent[place * 2 + 1], (subject, "ops@trust.example".to_owned()));
    }
    // The clock goes back: half past six is an hour later, and the day before it had 25 hours.
    w.tend("2026-10-25T05:30:00Z").await;
    w.tend("2026-10-25T06:29:00Z").await;
    assert_eq!(w.since(6), []);
    w.tend("2026-10-25T06:30:00Z").await;
    w.tend("2026-10-26T06:30:00Z").await;
    let days: Vec<String> =
        w.since(6).iter().step_by(6).map(|(subject, _)| subject[subject.len() - 10..].to_owned()).collect();
    assert_eq!(days, ["2026-10-24", "2026-10-25"]);
    let ids: std::collections::BTreeSet<_> = w.letters.letters().into_iter().map(|letter| letter.message_id).collect();
    assert_eq!(ids.len(), 18, "each letter is its own");
}

#[tokio::test]
async fn a_letter_says_what_it_is_about_and_encloses_the_report_in_each_form() {
    let w =
        World::new(&format!("{MAIL}which = [\"overall\"]\nformats = [\"csv\", \"xlsx\", \"html\", \"text\"]\n")).await;
    w.tend("2026-11-24T12:00:00Z").await;
    w.tend("2026-11-25T06:30:00Z").await;
    let letter = &w.letters.letters()[0];
    assert!(letter.text.contains("About: 2026-11-24, the whole day (Europe/London)"), "{}", letter.text);
    assert!(
        letter.text.contains("0 of 2 mailboxes are in step") && !letter.text.contains("was due"),
        "{}",
        letter.text
    );
    let names: Vec<&str> = letter.enclosures.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["csv", "xlsx", "html", "txt"].map(|end| format!("RX1-migration-overall-2026-11-24.{end}")));
    assert!(String::from_utf8_lossy(&letter.enclosures[0].bytes).contains("ann"));
    let (audit, _) = w.project.store.audit_log(w.project.key).await.unwrap();
    assert!(audit.iter().any(|row| row.action == "report.made"), "{audit:?}");
}

#[tokio::test]
async fn what_was_missed_is_sent_once_and_says_so() {
    let w = World::new(&format!("{MAIL}which = [\"failed\"]\n")).await;
    w.tend("2026-11-01T12:00:00Z").await;
    // Nobody was at work for two weeks.
    w.tend("2026-11-15T12:00:00Z").await;
    w.tend("2026-11-15T12:05:00Z").await;
    let days: Vec<String> =
        w.since(0).iter().step_by(2).map(|(subject, _)| subject[subject.len() - 10..].to_owned()).collect();
    assert_eq!(days, ["2026-11-11", "2026-11-12", "2026-11-13", "2026-11-14"]);
    let text = &w.letters.letters()[0].text;
    assert!(text.contains("LOOK  This report was due at 2026-11-12 06:30 GMT and could not be sent then."), "{text}");
}

#[tokio::test]
async fn reports_that_are_switched_on_owe_nothing_from_before() {
    let w = World::new("").await;
    w.tend("2026-11-01T12:00:00Z").await;
    let with = World { project: project(w.folder.path(), MAIL).await, ..w };
    with.tend("2026-11-03T12:00:00Z").await;
    assert_eq!(with.since(0), []);
    with.tend("2026-11-04T12:00:00Z").await;
    assert_eq!(with.since(0).len(), 6);
    // Off and on again.
    let without = World { project: project(with.folder.path(), "").await, ..with };
    without.tend("2026-11-05T12:00:00Z").await;
    let with = World { project: project(without.folder.path(), MAIL).await, ..without };
    with.tend("2026-11-06T12:00:00Z").await;
    assert_eq!(with.since(6), []);
}

#[tokio::test]
async fn while_nobody_takes_letters_they_wait_longer_each_time() {
    let w = World::new(&format!("{MAIL}which = [\"overall\"]\n")).await;
    w.tend("2026-11-24T12:00:00Z").await;
    w.letters.set_away(true);
    let begin: Timestamp = "2026-11-25T06:30:00Z".parse().unwrap();
    let mut tries = Vec::new();
    for minute in 0..120 {
        let now = begin + minute.minutes();
        w.tend(&now.to_string()).await;
        let report = w.project.reports_sent().await.unwrap().reports.remove(0);
        let count: u64 = report.letters.iter().map(|letter| letter.tries).sum();
        if tries.last().is_none_or(|(_, last)| *last != count) {
            tries.push((minute, count));
        }
    }
    assert!(tries.len() < 12, "{tries:?}");
    let nobody = crate::usecase::alerts::Tellers::default();
    crate::usecase::alerts::tend_alerts(&w.project, begin, &nobody).await.unwrap();
    let alerts = w.project.alerts(false).await.unwrap().alerts;
    assert_eq!((alerts.len(), alerts[0].kind.as_str(), alerts[0].about.as_str()), (1, "report-unsent", "overall"));
    assert!(alerts[0].what.contains("the post office is closed"), "{alerts:?}");
    w.letters.set_away(false);
    let later = begin + 4.hours();
    w.tend(&later.to_string()).await;
    w.tend(&(later + 1.minute()).to_string()).await;
    assert_eq!(w.since(0).len(), 2);
    crate::usecase::alerts::tend_alerts(&w.project, later, &nobody).await.unwrap();
    assert!(w.project.alerts(false).await.unwrap().alerts.is_empty());
    // After three days nobody tries any more.
    w.letters.set_away(true);
    w.tend("2026-11-26T06:30:00Z").await;
    w.letters.set_away(false);
    let other = World { project: project(w.folder.path(), &format!("{MAIL}which = [\"failed\"]\n")).await, ..w };
    other.tend("2026-11-30T06:29:00Z").await;
    assert_eq!(other.since(2), []);
}

/// Takes a letter, and its sender comes to a sudden end before it knows.
struct Killing(MailerInMemory);

#[async_trait]
impl Mailer for Killing {
    async fn send(&self, letter: &Letter) -> Result<(), connector::Error> {
        self.0.send(letter).await?;
        std::future::pending().await
    }
}

#[tokio::test]
async fn who_is_killed_before_it_knows_sends_the_same_letter_again() {
    let w = World::new(&format!("{MAIL}which = [\"overall\"]\n")).await;
    w.tend("2026-11-24T12:00:00Z").await;
    let killing = Killing(w.letters.clone());
    let mut sending = Box::pin(tend_reports(&w.project, "2026-11-25T06:30:00Z".parse().unwrap(), Some(&killing)));
    loop {
        tokio::select! {
            biased;
            done = &mut sending => panic!("{done:?}"),
            () = tokio::task::yield_now() => if !w.letters.letters().is_empty() { break },
        }
    }
    drop(sending);
    w.tend("2026-11-25T06:31:00Z").await;
    assert_eq!(w.letters.letters().len(), 2, "the other one alone: the first may be on its way still");
    w.tend("2026-11-25T06:36:00Z").await;
    w.tend("2026-11-25T06:37:00Z").await;
    let letters = w.letters.letters();
    let [first, other, again] = letters.as_slice() else { panic!("{}", letters.len()) };
    assert_eq!((&first.message_id, &first.to), (&again.message_id, &again.to));
    assert_ne!(first.message_id, other.message_id);
}

#[tokio::test]
async fn one_that_is_asked_for_is_sent_at_once_and_takes_nothing_from_the_daily_one() {
    let w = World::new(MAIL).await;
    let now = |text: &str| text.parse::<Timestamp>().unwrap();
    w.tend("2026-11-24T12:00:00Z").await;
    for _ in 0..2 {
        let kind = Some(ReportKind::Schedule);
        let report = w.project.send_reports_by(kind, now("2026-11-25T05:00:00Z"), Some(&w.letters)).await.unwrap();
        assert_eq!((report.exit(), report.reports.len(), report.reports[0].letters.len()), (Exit::Done, 1, 2));
        assert_eq!((report.reports[0].day.as_str(), report.reports[0].due), ("2026-11-24", None));
    }
    w.tend("2026-11-25T06:30:00Z").await;
    assert_eq!(w.since(0).len(), 4 + 6);
    w.letters.set_away(true);
    let failed =
        w.project.send_reports_by(Some(ReportKind::Failed), now("2026-11-25T07:00:00Z"), Some(&w.letters)).await;
    let failed = failed.unwrap();
    assert_eq!((failed.exit(), failed.reports[0].letters[0].tries), (Exit::WithFailures, 1));
    let bare = World::new("").await;
    let error = bare.project.send_reports_by(None, now("2026-11-25T07:00:00Z"), Some(&w.letters)).await.unwrap_err();
    assert!(error.what.contains("no [reports]"), "{error}");
}

#[tokio::test]
async fn what_each_day_did_adds_up() {
    let w = World::new("").await;
    let key = w.project.key;
    let ids: Vec<i64> = w.project.store.mailboxes(key).await.unwrap().iter().map(|row| row.mailbox).collect();
    let terms = store::LeaseTerms { lasts_ms: 60_000, margin_ms: 0 };
    let mut copied = 0;
    for (day, items) in [("24", 5), ("25", 0), ("26", 7), ("27", 11)] {
        w.tend(&format!("2026-11-{day}T00:00:30Z")).await;
        w.tend(&format!("2026-11-{day}T09:00:00Z")).await;
        w.project.store.mark_due(key, &ids[..1]).await.unwrap();
        let claim = store::Claim {
            among: Some(&ids),
            holder: "me",
            terms,
            room: &[],
            shut: &[],
            only_turning: false,
            version: None,
        };
        let (lease, row) = w.project.store.claim(key, &claim).await.unwrap().mailbox().unwrap();
        let mut tx = w.project.store.write(&lease).await.unwrap();
        tx.add_work(1_000, items, items * 10).await.unwrap();
        tx.add_followed(2).await.unwrap();
        tx.commit().await.unwrap();
        w.project.store.release(&lease, &row.state, store::Again::default()).await.unwrap();
        copied += items;
    }
    let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
    let report = w.project.report_schedule_at(&Selection::default(), now).await.unwrap();
    let days: Vec<_> =
        report.days.iter().map(|day| (day.day.as_str(), day.items, day.followed, day.is_today)).collect();
    assert_eq!(
        days,
        [
            ("2026-11-23", 0, 0, false),
            ("2026-11-24", 5, 2, false),
            ("2026-11-25", 0, 2, false),
            ("2026-11-26", 7, 2, false),
            ("2026-11-27", 11, 2, true)
        ]
    );
    assert_eq!(report.days.iter().map(|day| day.items).sum::<u64>(), copied);
    let (all, first) = (&report.all, &report.collections[0]);
    assert_eq!((all.mailboxes, all.not_begun, all.rate.items), (2, 2, copied));
    assert_eq!((first.collection.as_deref(), first.rate.items_an_hour()), (Some("first"), Some(copied * 900)));
}
