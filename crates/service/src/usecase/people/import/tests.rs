use connector::memory::{MemoryConnector, MemoryItem, Platform, Traits};
use connector::{Account, DirectoryInMemory};
use mailer::{Letter, MailerInMemory};
use model::{AccountState, FolderPath};

use super::mailed::Desk;
use super::*;
use crate::config::Config;
use crate::usecase::people::Opened;
use crate::usecase::people::post::Post;
use crate::usecase::people::tests::{Meddled, PROJECT, StopAt, StoppingMailer};
use std::fmt::Write as _;
use std::sync::Arc;
use store::Store;

/// What its project has beside that of the other tests.
const IMPORT: &str = r#"
[endpoints.post]
kind = "imap"
host = "localhost"
[people.import]
connector = "payroll"
[people.mailed]
endpoint = "post"
account = "import"
key = { env = "KEY" }
senders = ["clerk@trust.example"]
approved_senders = { "hr@trust.example" = "Ivy Lead" }
authserv_id = "mx.trust.example"
from = "import@trust.example"
smtp = { host = "localhost" }
"#;
const KEY: &str = "wxyzab1f2";
const HR: &str = "hr@trust.example";

struct World {
    folder: tempfile::TempDir,
    ad: DirectoryInMemory,
    platform: DirectoryInMemory,
    mail: Platform,
    letters: MailerInMemory,
}

impl World {
    fn new() -> Self {
        let mail = Platform::new(Traits::default());
        mail.add_mailbox("import");
        mail.add_folder("import", &FolderPath::inbox());
        let (ad, platform) = (DirectoryInMemory::default(), DirectoryInMemory::default());
        Self { folder: tempfile::tempdir().unwrap(), ad, platform, mail, letters: MailerInMemory::default() }
    }

    async fn open(&self) -> PeopleProject {
        let config = Config::parse(&format!("{PROJECT}{IMPORT}"), self.folder.path()).unwrap();
        let entry = config.file.people.clone().unwrap();
        let store = Store::open(&format!("sqlite:{}/w.db", self.folder.path().display())).await.unwrap();
        let platform = Some(("platform".to_owned(), Opened::Written(Arc::new(self.platform.clone()))));
        let sources = vec![("ad".to_owned(), Opened::Written(Arc::new(self.ad.clone())))];
        Box::pin(PeopleProject::with(config, entry, store, sources, platform)).await.unwrap()
    }

    fn desk(&self) -> Desk {
        self.desk_with(Arc::new(self.letters.clone()))
    }

    fn desk_with(&self, mailer: Arc<dyn mailer::Mailer>) -> Desk {
        let (connector, account) = (Arc::new(MemoryConnector::new(&self.mail)), Account::named("import"));
        Desk { post: Post { connector, account, mailer }, key: KEY.to_owned() }
    }

    fn deliver(&self, message: &str) {
        let bytes = message.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        self.mail.deliver("import", &FolderPath::inbox(), MemoryItem::message(bytes, 1_700_000_000));
    }

    async fn poll(&self) -> ImportReport {
        Box::pin(self.open().await.import_from(&self.desk(), false)).await.unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.platform.all().into_iter().filter_map(|entry| entry.mail).collect();
        names.sort();
        names
    }
}

fn message(id: &str, from: &str, subject: &str, csv: &str) -> String {
    format!(
        "Authentication-Results: mx.trust.example; dmarc=pass header.from=trust.example\nFrom: <{from}>\nSubject: {subject}\n\
         Message-ID: <{id}@trust.example>\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n\
         --b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=\"new.csv\"\n\n{csv}\n--b--\n"
    )
}

fn result_of(letter: &Letter) -> String {
    String::from_utf8(letter.enclosures[0].bytes.clone()).unwrap()
}

const TWO: &str = "LocalUniqueId,FirstName,LastName,Email,Action,Exemption\n1,Ann,Lee,ann@trust.example,create,no router yet\n\
    2,Bob,Ray,bob@trust.example,create,no router yet\n";

#[tokio::test]
async fn the_file_of_an_approved_sender_is_carried_out_and_answered_and_twice_the_same() {
    let world = World::new();
    world.deliver(&message("a", HR, KEY, TWO));
    let report = world.poll().await;
    assert!(report.is_well(), "{report:#?}");
    assert_eq!(report.submissions[0].approved_by.as_deref(), Some("Ivy Lead"));
    assert_eq!(world.names(), ["ann.lee@national.example", "bob.ray@national.example"]);
    assert!(world.platform.all().iter().all(|entry| entry.state == AccountState::Active), "live at once (R-034)");
    let made = world.open().await.made().await.unwrap();
    let row = &made[&ObjectId::new("payroll", "1")];
    assert!(row.exemption.as_deref().unwrap().starts_with("no router yet") && row.live_at.is_some(), "{row:?}");
    let letters = world.letters.letters();
    assert_eq!((letters.len(), letters[0].to.as_str()), (1, HR));
    assert_eq!(letters[0].in_reply_to.as_deref(), Some("<a@trust.example>"));
    assert!(result_of(&letters[0]).contains("created: ann.lee@national.example"), "{}", result_of(&letters[0]));
    let inbox = &world.mail.dump("import")[&FolderPath::inbox()];
    assert!(inbox.values().all(|item| item.flags.keywords() == ["$WhimbrelDone"]), "marked, and still there");

    // Nothing is new: nothing is done and nobody is answered.
    let again = world.poll().await;
    assert_eq!((again.submissions.len(), again.refused.len(), world.letters.letters().len()), (0, 0, 1));
    // The same message once more: the same result, and nothing twice.
    world.deliver(&message("a", HR, KEY, TWO));
    assert!(world.poll().await.is_well());
    let letters = world.letters.letters();
    assert_eq!((letters.len(), world.names().len()), (2, 2));
    assert_eq!(result_of(&letters[0]), result_of(&letters[1]));
    // The same file in another message: nothing is left to do.
    world.deliver(&message("b", HR, KEY, TWO));
    assert!(world.poll().await.is_well());
    assert!(result_of(&world.letters.letters()[2]).contains("nothing to do: the account is ann.lee@national.example"));
    assert_eq!(world.names().len(), 2);
    let (log, fault) = world.open().await.store.audit_log(world.open().await.key).await.unwrap();
    let approved = log.iter().find(|row| row.action == "people.plan-approved").unwrap();
    assert!(approved.detail.contains("<a@trust.example>") && approved.detail.contains("dmarc=pass"), "{approved:?}");
    assert_eq!(fault, None);
}

#[tokio::test]
async fn a_message_of_anybody_else_or_without_the_key_does_nothing_and_is_not_answered() {
    let world = World::new();
    world.deliver(&message("a", "stranger@trust.example", KEY, TWO));
    world.deliver(&message("b", HR, "wrong", TWO));
    world.deliver(&message("c", HR, KEY, TWO).replace("dmarc=pass", "dmarc=fail"));
    world.deliver(&message("d", HR, KEY, TWO).replace("Subject:", "Auto-Submitted: auto-replied\nSubject:"));
    let report = world.poll().await;
    assert_eq!((report.refused.len(), report.submissions.len(), report.is_well()), (4, 0, false), "{report:#?}");
    assert_eq!((world.names().len(), world.letters.letters().len()), (0, 0));
    let people = world.open().await;
    let (log, _) = people.store.audit_log(people.key).await.unwrap();
    assert_eq!(log.iter().filter(|row| row.action == "people.message-refused").count(), 4);
    let again = world.poll().await;
    assert!(again.is_well() && again.refused.is_empty(), "told once: {again:#?}");
}

#[tokio::test]
async fn a_file_with_a_mistake_in_line_812_of_a_thousand_creates_nobody() {
    let world = World::new();
    let mut csv = "LocalUniqueId,FirstName,LastName,Email,Exemption\n".to_owned();
    for line in 2..=1001 {
        let mail = if line == 812 { "nobody@".to_owned() } else { format!("p{line}@trust.example") };
        let exemption = if line == 500 { "" } else { "no router yet" };
        let _ = writeln!(csv, "{line},Ann,Lee{line},{mail},{exemption}");
    }
    world.deliver(&message("a", HR, KEY, &csv));
    let report = world.poll().await;
    let line = &report.submissions[0];
    assert_eq!((line.state, line.rows, line.mistakes_count, line.answered), ("faulty", 1000, 2, true), "{report:#?}");
    assert!(line.mistakes[0].starts_with("line 500, column E (5) \"Exemption\"") && line.mistakes[0].contains("R-073"));
    assert!(line.mistakes[1].starts_with("line 812, column D (4) \"Email\": \"nobody@\""), "{}", line.mistakes[1]);
    assert_eq!(world.names().len(), 0);
    let result = result_of(&world.letters.letters()[0]);
    assert!(result.lines().nth(811).unwrap().contains("Email: "), "{}", result.lines().nth(811).unwrap());
    assert!(result.lines().next().unwrap().ends_with(",Result"));
    // Corrected in the result file and sent again.
    let corrected = result
        .replace("nobody@,", "p812@trust.example,")
        .replace("p500@trust.example,,", "p500@trust.example,no router yet,");
    world.deliver(&message("b", HR, KEY, &corrected));
    let report = world.poll().await;
    assert!(report.is_well(), "{report:#?}");
    assert_eq!(world.names().len(), 1000);
}

#[tokio::test]
async fn the_file_of_another_sender_waits_for_approval_and_what_comes_after_it_waits_too() {
    let world = World::new();
    world.deliver(&message("a", "clerk@trust.example", KEY, TWO));
    world.deliver(&message("b", HR, KEY, "LocalUniqueId,FirstName,LastName,Exemption\n3,Cyd,Poe,x\n"));
    let report = world.poll().await;
    assert_eq!((report.submissions[0].state, report.waiting), ("waits", 1), "{report:#?}");
    assert_eq!(world.names().len(), 0);
    assert!(world.letters.letters()[0].subject.contains("waits for approval"));
    assert_eq!(world.poll().await.waiting, 1);
    assert_eq!(world.letters.letters().len(), 1, "told once that it waits");
    let people = world.open().await;
    let (plan, digest) = (report.submissions[0].plan.unwrap(), report.submissions[0].digest.clone().unwrap());
    people.approve(plan, &digest, "Approver").await.unwrap();
    let report = world.poll().await;
    assert!(report.is_well(), "{report:#?}");
    assert_eq!(world.names().len(), 3);
    let to: Vec<String> = world.letters.letters().into_iter().map(|letter| letter.to).collect();
    assert_eq!(to, ["clerk@trust.example", "clerk@trust.example", HR]);
}

#[tokio::test]
async fn an_approved_sender_approves_their_own_rows_and_nobody_elses() {
    let world = World::new();
    let mut stranger = model::Entry::new("9", model::EntryKind::Person);
    (stranger.names.given, stranger.names.surname) = (Some("Dee".into()), Some("Fox".into()));
    stranger.local_id = Some("9".into());
    world.ad.put(stranger);
    world.open().await.sync(false, false, false).await.unwrap();
    world.deliver(&message("a", HR, KEY, TWO));
    assert!(world.poll().await.is_well());
    assert_eq!(world.names(), ["ann.lee@national.example", "bob.ray@national.example"]);
}

#[tokio::test]
async fn nobody_gets_a_second_account_by_a_file() {
    let world = World::new();
    let mut known = model::Entry::new("x", model::EntryKind::Person);
    (known.names.given, known.names.surname) = (Some("Ann".into()), Some("Lee".into()));
    known.local_id = Some("1".into());
    world.ad.put(known);
    world.open().await.sync(false, false, false).await.unwrap();
    world.deliver(&message("a", HR, KEY, TWO));
    let report = world.poll().await;
    let line = &report.submissions[0];
    assert_eq!((line.state, line.mistakes_count), ("faulty", 1), "{report:#?}");
    assert!(line.mistakes[0].contains("same local id") && line.mistakes[0].starts_with("line 2"), "{line:#?}");
    assert_eq!(world.names().len(), 0);
    // Nor by a row that changes or ends what is not there, nor one of somebody else's people.
    let csv = "LocalUniqueId,FirstName,LastName,Action,Org Code\n5,Eve,May,update,\n6,,,leave,\n7,Fay,Kay,update,RY2\n";
    world.deliver(&message("b", HR, KEY, csv));
    let report = world.poll().await;
    let told = report.submissions[0].mistakes.join("\n");
    assert!(
        told.contains("no account to update") && told.contains("handed in before") && told.contains("code than RX1"),
        "{told}"
    );
}

#[tokio::test]
async fn rows_change_and_end_what_they_name_and_leave_the_rest() {
    let world = World::new();
    world.deliver(&message("a", HR, KEY, TWO));
    assert!(world.poll().await.is_well());
    let csv = "LocalUniqueId,FirstName,LastName,Job title,Action\n1,,Lee,Nurse,update\n2,,,,leave\n";
    world.deliver(&message("b", HR, KEY, csv));
    let report = world.poll().await;
    assert!(report.is_well(), "{report:#?}");
    let accounts = world.platform.all();
    let of = |local_id: &str| accounts.iter().find(|entry| entry.local_id.as_deref() == Some(local_id)).unwrap();
    assert_eq!((of("1").job_title.as_deref(), of("1").names.given.as_deref()), (Some("Nurse"), Some("Ann")));
    assert_eq!((of("1").state, of("2").state), (AccountState::Active, AccountState::Leaver));
    let result = result_of(&world.letters.letters()[1]);
    assert!(result.contains("updated: ") && result.contains("left: "), "{result}");
}

#[tokio::test]
async fn while_nobody_takes_the_answer_it_is_kept_and_sent_later() {
    let world = World::new();
    world.letters.set_away(true);
    world.deliver(&message("a", HR, KEY, TWO));
    let report = world.poll().await;
    assert!(report.notes[0].contains("not answered yet"), "{report:#?}");
    assert_eq!(world.names().len(), 2);
    world.letters.set_away(false);
    assert!(world.poll().await.submissions[0].answered);
    assert_eq!((world.letters.letters().len(), world.names().len()), (1, 2));
    assert!(world.poll().await.submissions.is_empty());
}

#[tokio::test]
async fn what_can_not_be_one_file_is_automaticed_with_the_reason() {
    let world = World::new();
    world.deliver(&format!(
        "Authentication-Results: mx.trust.example; dmarc=pass header.from=trust.example\nFrom: <{HR}>\nSubject: {KEY}\n\nhello\n"
    ));
    let two = message("b", HR, KEY, TWO).replace("--b--", "--b\nContent-Type: text/csv\n\nx\n--b--");
    world.deliver(&two);
    let report = world.poll().await;
    let said: Vec<&str> = report.submissions.iter().filter_map(|line| line.said.as_deref()).collect();
    assert_eq!(said, ["No CSV or XLSX file is attached", "2 files are attached: send each in a message of its own"]);
    assert!(world.letters.letters().iter().all(|letter| letter.enclosures.is_empty()));
    assert_eq!(world.names().len(), 0);
}

#[tokio::test]
async fn a_file_by_hand_waits_for_approval_and_goes_on_when_it_is_given_again() {
    let world = World::new();
    let people = world.open().await;
    let path = world.folder.path().join("new.csv");
    std::fs::write(&path, TWO).unwrap();
    let dry = people.import_file(&path, None, true).await.unwrap();
    assert_eq!((dry.submissions[0].state, dry.submissions[0].rows), ("checked", 2));
    let report = people.import_file(&path, None, false).await.unwrap();
    let line = &report.submissions[0];
    assert_eq!((line.state, line.outcomes["waits"]), ("waits", 2), "{line:#?}");
    // Another one has to wait.
    let other = world.folder.path().join("other.csv");
    std::fs::write(&other, "LocalUniqueId,FirstName,LastName,Exemption\n3,Cyd,Poe,x\n").unwrap();
    assert_eq!(people.import_file(&other, None, false).await.unwrap_err().rule, Some("R-032"));
    people.approve(line.plan.unwrap(), line.digest.as_deref().unwrap(), "Approver").await.unwrap();
    people.apply(None).await.unwrap();
    let report = people.import_file(&path, None, false).await.unwrap();
    assert_eq!(report.submissions[0].outcomes["created"], 2, "{report:#?}");
    let result = std::fs::read_to_string(report.submissions[0].result.as_ref().unwrap()).unwrap();
    assert!(result.contains("created: ann.lee@national.example"), "{result}");
    assert!(world.platform.all().iter().all(|entry| entry.state == AccountState::Active));
    assert_eq!(people.import_file(&other, None, false).await.unwrap().submissions[0].state, "waits");
}

#[tokio::test]
async fn stopped_at_any_moment_nobody_is_made_twice_or_left_out_and_the_sender_is_automaticed() {
    let mut moments = 0;
    loop {
        let world = World::new();
        world.deliver(&message("a", HR, KEY, TWO));
        let stop = StopAt::new(moments);
        {
            let mut people = world.open().await;
            people.store = people.store.watched(stop.clone());
            people.platform = Some(Meddled::opened(&world.platform, stop.clone()));
            let desk = world.desk_with(Arc::new(StoppingMailer(world.letters.clone(), stop.clone())));
            let _ = people.import_from(&desk, false).await;
            people.close().await;
        }
        let mut people = world.open().await;
        people.settle = std::time::Duration::ZERO;
        people.store.void_people_holds(|_| true).await.unwrap();
        let report = people.import_from(&world.desk(), false).await.unwrap();
        assert!(report.is_well(), "moment {moments}: {report:#?}");
        assert_eq!(world.names(), ["ann.lee@national.example", "bob.ray@national.example"], "moment {moments}");
        assert!(world.platform.all().iter().all(|entry| entry.state == AccountState::Active), "moment {moments}");
        let made = people.made().await.unwrap();
        assert!(made.len() == 2 && made.values().all(|row| row.exemption.is_some() && row.live_at.is_some()));
        // A letter whose sending was not recorded is sent again, and is the same to whoever receives it.
        let letters = world.letters.letters();
        let ids: std::collections::HashSet<&str> = letters.iter().map(|letter| letter.message_id.as_str()).collect();
        assert_eq!(ids.len(), 1, "moment {moments}");
        assert!(letters.iter().all(|letter| result_of(letter) == result_of(&letters[0])), "moment {moments}");
        assert!(result_of(&letters[0]).contains("created: ann.lee@national.example"), "moment {moments}");
        assert_eq!(people.store.submissions(people.key).await.unwrap().len(), 1);
        people.close().await;
        if !stop.was_reached() {
            break;
        }
        moments += 1;
    }
    assert!(moments > 15, "{moments} moments");
}
