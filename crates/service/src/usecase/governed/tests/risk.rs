//! A risk to a date is told at once, to people whom the record names.

use std::sync::Arc;

use jiff::civil::date;
use mailer::MailerInMemory;

use super::*;
use crate::usecase::alerts::{Tellers, tend_alerts};

const MAIL: &str = "\n[mail]\nfrom = \"whimbrel@hill.test\"\nsmtp = { host = \"127.0.0.1\", tls = \"none\" }\n";

fn fields(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn add(register: Register, given: &[(&str, &str)]) -> Action {
    Action::AddRow { register, fields: fields(given) }
}

/// A managed project with a date that is agreed.
async fn dated(folder: &Path) -> Governed {
    let mut governed = begin(folder, "RX1", None).await;
    governed.give("kim", "project-manager").await;
    governed.by("kim");
    let (project_type, by) = ("managed".to_owned(), Some("Kim".to_owned()));
    governed.act(Action::ChooseType { project_type, by, why: Some("asked for".to_owned()) }).await.unwrap();
    let name = "implementation".to_owned();
    governed.act(Action::SetDate { name, day: date(2027, 3, 1), is_agreed: true, why: None }).await.unwrap();
    governed
}

fn contact(title: &str, side: &str, level: &str, reach: &str) -> Action {
    add(Register::Contacts, &[("title", title), ("side", side), ("level", level), ("reach", reach)])
}

async fn audited(governed: &Governed) -> Vec<(String, bool)> {
    let (log, fault) = governed.store.audit_log(governed.key).await.unwrap();
    assert_eq!(fault, None);
    let told = log.iter().filter(|row| row.action == "programme.notified").map(|row| {
        let detail: serde_json::Value = serde_json::from_str(&row.detail).unwrap();
        (detail["whom"].as_str().unwrap().to_owned(), detail["told"].as_bool().unwrap())
    });
    told.collect()
}

#[tokio::test]
async fn a_risk_to_a_date_is_told_to_the_provider_and_so_is_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = dated(folder.path()).await;
    for (title, side, level, reach) in [
        ("Duty desk", "provider", "1", "desk@provider.test"),
        ("Duty phone", "provider", "1", "0113 496 0000"),
        ("Director", "provider", "2", "director@provider.test"),
        ("Board", "organisation", "1", "board@hill.test"),
    ] {
        governed.act(contact(title, side, level, reach)).await.unwrap();
    }
    let (person, title, role) = ("sam".to_owned(), "Sam Lowe".to_owned(), "provider-manager".to_owned());
    let contact = Some("sam@provider.test".to_owned());
    governed.act(Action::GiveRole { person, title, role, contact }).await.unwrap();
    let letters = MailerInMemory::default();
    let path = folder.path().join(crate::PROJECT_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + MAIL).unwrap();
    governed.config = Config::read(folder.path()).unwrap();
    governed.post = Ok(Some(Arc::new(letters.clone())));
    let plain = governed.act(add(Register::Risks, &[("title", "Snow")])).await.unwrap();
    assert!(plain.notices.is_empty() && letters.letters().is_empty(), "no date is at risk");
    let acted =
        governed.act(add(Register::Risks, &[("title", "Strike"), ("threatens", "implementation")])).await.unwrap();
    let whom = ["desk@provider.test", "sam@provider.test"];
    assert_eq!((acted.notices[0].side, acted.notices[0].told.as_slice()), ("provider", &whom.map(str::to_owned)[..]));
    assert!(acted.notices[0].not_told.is_empty());
    let sent: Vec<_> = letters.letters().into_iter().map(|letter| (letter.to, letter.subject, letter.text)).collect();
    let of_letters: BTreeSet<&str> = sent.iter().map(|(to, ..)| to.as_str()).collect();
    assert_eq!((of_letters, sent.len()), (whom.into(), 2));
    assert!(
        sent[0].1.contains("date-at-risk") && sent[0].2.contains("implementation (2027-03-01): Strike"),
        "{sent:?}"
    );
    assert_eq!(audited(&governed).await, whom.map(|whom| (whom.to_owned(), true)));
    // Nobody is told twice; whoever becomes a contact later is.
    governed.act(Action::ChangeRow { row: "risk-2".into(), fields: fields(&[("action", "Talk")]) }).await.unwrap();
    assert_eq!(letters.letters().len(), 2);
    governed.act(self::contact("Second desk", "provider", "1", "second@provider.test")).await.unwrap();
    assert_eq!(letters.letters()[2].to, "second@provider.test");
    // That it is over is told to those who know of it.
    let settle = Action::SettleRow { row: "risk-2".into(), verdict: programme::Verdict::Yes, text: "averted".into() };
    governed.act(settle).await.unwrap();
    let over = letters.letters().split_off(3);
    assert!(over.len() == 3 && over.iter().all(|letter| letter.text.contains("OVER")), "{over:?}");
}

#[tokio::test]
async fn who_could_not_be_told_is_named_and_told_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = dated(folder.path()).await;
    let risk = |title: &str| add(Register::Risks, &[("title", title), ("threatens", "implementation")]);
    let acted = governed.act(risk("Strike")).await.unwrap();
    let [(whom, why)] = acted.notices[0].not_told.as_slice() else { panic!("{:?}", acted.notices) };
    assert!(whom == "the provider" && why.contains("no contact"), "{why}");
    governed.act(contact("Duty desk", "provider", "1", "desk@provider.test")).await.unwrap();
    let acted = governed.act(risk("Flood")).await.unwrap();
    let [(whom, why)] = acted.notices[0].not_told.as_slice() else { panic!("{:?}", acted.notices) };
    assert!(whom == "desk@provider.test" && why.contains("[mail]"), "{why}");
    // With a post office both are told, by whatever changes next; one that is closed is tried again.
    let letters = MailerInMemory::default();
    let path = folder.path().join(crate::PROJECT_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + MAIL).unwrap();
    governed.config = Config::read(folder.path()).unwrap();
    governed.post = Ok(Some(Arc::new(letters.clone())));
    letters.set_away(true);
    let acted = governed.act(risk("Fire")).await.unwrap();
    assert!(acted.notices[0].not_told[0].1.contains("the post office is closed"), "{:?}", acted.notices);
    assert!(audited(&governed).await.iter().all(|(_, told)| !told));
    letters.set_away(false);
    governed.store.set_clock_ahead(6 * 60_000);
    governed.act(Action::Review { register: Register::Risks }).await.unwrap();
    let text: String = letters.letters().into_iter().map(|letter| letter.text).collect();
    assert!(["Strike", "Flood", "Fire"].iter().all(|title| text.contains(title)), "{text}");
    assert!(audited(&governed).await.iter().any(|(whom, told)| whom == "desk@provider.test" && *told));
}

/// The service tells of it, too, and does not take it for over.
#[tokio::test]
async fn the_service_tells_what_nobody_could_tell_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = dated(folder.path()).await;
    governed.act(contact("Duty desk", "provider", "1", "desk@provider.test")).await.unwrap();
    governed.act(add(Register::Risks, &[("title", "Strike"), ("threatens", "implementation")])).await.unwrap();
    let path = folder.path().join(crate::PROJECT_FILE);
    let servers = "[endpoints.local]\nkind = \"maildir\"\npath = \"from/{source}\"\n\
        [endpoints.national]\nkind = \"maildir\"\npath = \"to/{target}\"\n\
        [source]\nmail = \"local\"\n[target]\nmail = \"national\"\n";
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{servers}{MAIL}")).unwrap();
    std::fs::write(folder.path().join("people.csv"), "source,target\nann,ann\n").unwrap();
    let config = Config::read(folder.path()).unwrap();
    let project = Box::pin(Project::open_in(governed.store.clone(), config)).await.unwrap();
    let letters = MailerInMemory::default();
    let now = governed.moment().await.unwrap().at;
    for minutes in [0_i64, 20] {
        let mailer: Arc<dyn Mailer> = Arc::new(letters.clone());
        let tellers = Tellers { mailer: Some(mailer), hook: None };
        let now = now.checked_add(jiff::Span::new().minutes(minutes)).unwrap();
        Box::pin(tend_alerts(&project, now, &tellers)).await.unwrap();
        let sent: Vec<String> = letters.letters().into_iter().map(|letter| letter.to).collect();
        assert_eq!(sent, ["desk@provider.test"], "after {minutes} minutes");
    }
}
