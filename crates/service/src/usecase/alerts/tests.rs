use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mailer::{Letter, MailerInMemory};
use model::{Cause, Condition, Phase, Side};
use store::{Again, Claim, LeaseTerms, MailboxState};

use super::*;
use crate::usecase::report::daily::tests::project;

const ALERTS: &str = r#"
[mail]
from = "whimbrel@trust.example"
smtp = { host = "localhost" }
[alerts]
to = ["ops@trust.example"]
webhook = { url = "https://hook.trust.example/x", secret = { env = "HOOK" } }
"#;

/// A webhook in memory.
#[derive(Clone, Default)]
struct HookInMemory {
    told: Arc<Mutex<Vec<serde_json::Value>>>,
    refuses: Arc<Mutex<bool>>,
}

#[async_trait]
impl Hook for HookInMemory {
    fn name(&self) -> String {
        "hook.trust.example".to_owned()
    }

    async fn tell(&self, id: &str, body: &str, _: i64) -> Result<(), connector::Error> {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["id"], id);
        self.told.lock().unwrap().push(body);
        if *self.refuses.lock().unwrap() {
            return Err(connector::Error::new(Cause::Unavailable, model::Scope::Run, "it answered 503"));
        }
        Ok(())
    }
}

struct World {
    _folder: tempfile::TempDir,
    project: Project,
    letters: MailerInMemory,
    hook: HookInMemory,
    begin: Timestamp,
}

impl World {
    async fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path(), &format!("{ALERTS}{more}")).await;
        let begin = Timestamp::from_millisecond(project.store.now().await.unwrap()).unwrap();
        Self { _folder: folder, project, letters: MailerInMemory::default(), hook: HookInMemory::default(), begin }
    }

    /// Looks so many minutes after the beginning.
    async fn look(&self, minutes: i64) {
        let mailer: Arc<dyn Mailer> = Arc::new(self.letters.clone());
        let tellers = Tellers { mailer: Some(mailer), hook: Some(Box::new(self.hook.clone())) };
        tend_alerts(&self.project, self.begin + minutes.minutes(), &tellers).await.unwrap();
    }

    /// Makes one of two mailboxes stand so.
    async fn stand(&self, place: usize, state: MailboxState, due_in_minutes: Option<i64>) {
        let key = self.project.key;
        let number = self.project.store.mailboxes(key).await.unwrap()[place].mailbox;
        self.project.store.mark_due(key, &[number]).await.unwrap();
        let terms = LeaseTerms { lasts_ms: 60_000, margin_ms: 0 };
        let claim = Claim {
            among: Some(&[number]),
            holder: "me",
            terms,
            room: &[],
            shut: &[],
            only_turning: false,
            version: None,
        };
        let (lease, _) = self.project.store.claim(key, &claim).await.unwrap().mailbox().unwrap();
        let now = self.project.store.now().await.unwrap();
        let after_ms = due_in_minutes.map(|minutes| (self.begin + minutes.minutes()).as_millisecond() - now);
        self.project.store.release(&lease, &state, Again { after_ms, failed: false, stopped: false }).await.unwrap();
    }

    async fn open(&self) -> Vec<(String, String)> {
        let alerts = self.project.alerts(false).await.unwrap().alerts;
        alerts.into_iter().map(|alert| (alert.kind, alert.about)).collect()
    }

    fn subjects(&self) -> Vec<String> {
        self.letters.letters().into_iter().map(|letter| letter.subject).collect()
    }

    fn events(&self) -> Vec<String> {
        let told = self.hook.told.lock().unwrap();
        told.iter()
            .map(|body| format!("{} {}", body["event"].as_str().unwrap(), body["kind"].as_str().unwrap()))
            .collect()
    }
}

fn running() -> MailboxState {
    MailboxState { phase: Phase::Copying, condition: Condition::Running, cause: None }
}

fn parked() -> MailboxState {
    let cause = Some((Cause::Login, Some(Side::Source)));
    MailboxState { phase: Phase::Copying, condition: Condition::Parked("the login is refused".to_owned()), cause }
}

fn away() -> MailboxState {
    let cause = Some((Cause::Connection, Some(Side::Target)));
    MailboxState { phase: Phase::Copying, condition: Condition::Waiting("no answer".to_owned()), cause }
}

fn pair(kind: &str, about: &str) -> (String, String) {
    (kind.to_owned(), about.to_owned())
}

#[tokio::test]
async fn a_collection_that_stands_still_is_told_of_once_and_once_when_it_moves_again() {
    let w = World::new("").await;
    w.stand(0, running(), Some(-1)).await;
    for minutes in [0, 10, 20, 29] {
        w.look(minutes).await;
        assert_eq!(w.open().await, [], "after {minutes} minutes");
    }
    for minutes in [30, 31, 45] {
        w.look(minutes).await;
        assert_eq!(w.open().await, [pair("collection-stalled", "first")]);
    }
    assert_eq!(
        (w.subjects(), w.events()),
        (vec!["RX1 migration: raised collection-stalled".to_owned()], vec!["raised collection-stalled".to_owned()])
    );
    let text = w.letters.letters().remove(0).text;
    assert!(text.contains("1 mailbox of the collection first is due, and for 30 minutes"), "{text}");
    // It is read to its end, and due no more.
    w.stand(0, running(), Some(600)).await;
    w.look(46).await;
    assert_eq!(w.open().await.len(), 1, "it may begin again at once");
    w.look(50).await;
    w.look(51).await;
    assert_eq!((w.open().await, w.events().len()), (vec![], 2));
    assert_eq!(w.subjects()[1], "RX1 migration: over collection-stalled");
}

#[tokio::test]
async fn a_service_that_was_away_gives_itself_time() {
    let w = World::new("").await;
    w.stand(0, running(), Some(-1)).await;
    w.look(0).await;
    w.look(600).await;
    w.look(620).await;
    assert_eq!(w.open().await, []);
    w.look(631).await;
    assert_eq!(w.open().await.len(), 1);
}

/// Mail for whoever is not switched would come back to its senders (R-241).
#[tokio::test]
async fn mx_records_that_move_while_somebody_is_not_switched_are_told_of() {
    let more = "[routing]\nsource = { domains = [\"old.example\"], address = \"{source}@old.example\" }\ntarget = { domains = [\"nation.example\"], address = \"{target}@nation.example\" }\n\
        [mx.domains.\"old.example\"]\nmx = [\"10 mx.nation.example\"]\nlocal_hosts = [\"mail.old.example\"]\n";
    let seen = async |world: &World, host: &str| {
        let mail =
            mx::standing::MailRoute::Mx(vec![mx::standing::Mx { preference: 10, exchange: host.parse().unwrap() }]);
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 53));
        let by = mx::standing::Observer::Authoritative { name: "ns.old.example".parse().unwrap(), address };
        let said = Some(mx::history::Said { mail, ttl_seconds: 300 });
        let look = mx::history::Observation { at: Timestamp::now(), said: vec![(by, said)], incomplete: false };
        let (store, key) = (&world.project.store, world.project.key);
        store.add_mx_look(key, "old.example", &serde_json::to_string(&look).unwrap()).await.unwrap();
    };
    let early = pair("mx-too-early", "old.example");
    for (host, is_told) in [("mail.old.example", false), ("mx.nation.example", true)] {
        let world = World::new(more).await;
        seen(&world, host).await;
        world.look(1).await;
        assert_eq!(world.open().await.contains(&early), is_told, "{host}: {:?}", world.open().await);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told_of_when_it_stays_so() {
    let w = World::new("").await;
    w.look(0).await;
    w.stand(0, away(), None).await;
    w.stand(1, away(), None).await;
    w.look(10).await;
    assert_eq!(w.open().await, []);
    w.look(16).await;
    assert_eq!(w.open().await, [pair("endpoint-away", "new")]);
    assert!(w.letters.letters()[0].text.contains("new could not be reached for 16 minutes: 2 mailboxes wait."));
    w.stand(0, running(), None).await;
    w.stand(1, running(), None).await;
    w.look(30).await;
    assert_eq!(w.open().await, []);
}

#[tokio::test]
async fn what_is_refused_is_told_again_with_the_same_id_and_nobody_hears_of_the_end_first() {
    let w = World::new("quiet_again_minutes = 0\n").await;
    *w.hook.refuses.lock().unwrap() = true;
    w.letters.set_away(true);
    w.stand(0, parked(), None).await;
    w.look(0).await;
    assert_eq!((w.open().await, w.events().len()), (vec![pair("mailbox-parked", "ann")], 1));
    w.look(1).await;
    assert_eq!(w.events().len(), 1, "it waits");
    w.stand(0, running(), None).await;
    w.look(2).await;
    assert_eq!((w.open().await.len(), w.events().len()), (0, 1), "not of the end before the beginning");
    *w.hook.refuses.lock().unwrap() = false;
    w.letters.set_away(false);
    w.look(6).await;
    w.look(7).await;
    assert_eq!(w.events(), ["raised mailbox-parked", "raised mailbox-parked", "over mailbox-parked"]);
    {
        let told = w.hook.told.lock().unwrap();
        assert_eq!(told[0]["id"], told[1]["id"]);
        assert!(told[0]["what"].as_str().unwrap().contains("the login is refused"));
    }
    assert_eq!(w.subjects(), ["RX1 migration: raised mailbox-parked", "RX1 migration: over mailbox-parked"]);
    let told = w.project.alerts(true).await.unwrap().alerts.remove(0).told;
    assert!(told.len() == 4 && told.iter().all(|line| line.told.is_some()), "{told:?}");
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
async fn who_is_killed_before_it_knows_tells_in_the_same_letter_again() {
    let w = World::new("").await;
    w.stand(0, parked(), None).await;
    w.stand(1, parked(), None).await;
    let mailer: Arc<dyn Mailer> = Arc::new(Killing(w.letters.clone()));
    let tellers = Tellers { mailer: Some(mailer), hook: None };
    let mut telling = Box::pin(tend_alerts(&w.project, w.begin, &tellers));
    loop {
        tokio::select! {
            biased;
            done = &mut telling => panic!("{done:?}"),
            () = tokio::task::yield_now() => if !w.letters.letters().is_empty() { break },
        }
    }
    drop(telling);
    w.look(5).await;
    w.look(6).await;
    let letters = w.letters.letters();
    assert_eq!((letters.len(), letters[0].subject.as_str()), (2, "RX1 migration: 2 alerts"));
    assert_eq!((&letters[0].message_id, &letters[0].text), (&letters[1].message_id, &letters[1].text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_that_refuses_first_is_told_again_over_tls_that_is_verified() {
    let certificates = conformance::certificates::Certificates::new(conformance::certificates::Flaw::None);
    let server = conformance::hook::HookServer::start(Some(certificates.server_config()), &[503, 302]);
    let url = format!("https://localhost:{}/alerts?key=1", server.port());
    let hook = |ca_file| Webhook::new(&url, connector::Secret::new("sesame"), ca_file).unwrap();
    let w = World::new("").await;
    w.stand(0, parked(), None).await;
    let look = async |minutes: i64, ca_file| {
        let tellers = Tellers { mailer: None, hook: Some(Box::new(hook(ca_file))) };
        tend_alerts(&w.project, w.begin + minutes.minutes(), &tellers).await.unwrap();
        let alert = w.project.alerts(false).await.unwrap().alerts.remove(0);
        alert.told.into_iter().find(|line| line.way == "webhook").unwrap()
    };
    let told = look(0, None).await;
    assert!(
        told.said.as_ref().is_some_and(|said| said.contains("not trusted") || said.contains("certificate")),
        "{told:?}"
    );
    assert!(server.told().is_empty(), "nothing is told to whom nobody vouches for");
    let ca_file = Some(certificates.ca_file());
    for (minutes, said) in [(6, "it answered 503"), (20, "it answered 302")] {
        let told = look(minutes, ca_file.clone()).await;
        assert!(told.told.is_none() && told.said.as_ref().is_some_and(|text| text.contains(said)), "{told:?}");
    }
    let told = look(60, ca_file.clone()).await;
    assert!(told.told.is_some() && told.said.is_none() && told.tries == 4, "{told:?}");
    look(200, ca_file).await;
    let requests = server.told();
    assert_eq!(requests.len(), 3);
    let ids: Vec<&str> = requests.iter().map(|told| told.field("whimbrel-id")).collect();
    assert_eq!(ids, [ids[0]; 3], "so that it is told once to whoever keeps ids");
    assert!(ids[0].starts_with("RX1/migration/1/") && ids[0].ends_with("/raised"), "{ids:?}");
    let last = &requests[2];
    assert_eq!(last.line, "POST /alerts?key=1 HTTP/1.1");
    let at = last.field("whimbrel-signature").split([',', '=']).nth(1).unwrap().parse().unwrap();
    let signed = webhook::signature(&connector::Secret::new("sesame"), &last.body, at);
    assert_eq!(last.field("whimbrel-signature"), format!("t={at},sha256={signed}"));
}
