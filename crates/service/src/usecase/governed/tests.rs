//! A governed project in a database: who may what, what is recorded, and what live actions are told.

use std::collections::{BTreeMap, BTreeSet};

use programme::{Live, Register, Side};

use super::*;

mod consent;
#[allow(dead_code, reason = "the driver of the programme's own tests, of which only a part is needed here")]
#[path = "../../../../programme/tests/engine/driver.rs"]
mod driver;
mod estate;
mod papers_checked;
mod pilot;
#[allow(dead_code, reason = "as above")]
#[path = "../../../../paper/tests/project.rs"]
mod project;
mod risk;
mod whole;
#[allow(dead_code, reason = "as above")]
#[path = "../../../../programme/tests/engine/world.rs"]
mod world;

fn no_environment(_: &str) -> Option<String> {
    None
}

/// A project of this organisation in a database of its own, or in this one.
async fn begin(folder: &Path, code: &str, database: Option<&str>) -> Governed {
    new_project(folder, code, &format!("Trust {code}"), "nhsmail", database).unwrap();
    let mut governed = Governed::open(folder, &no_environment).await.unwrap();
    governed.act(Action::Open { code: code.to_owned(), name: format!("Trust {code}") }).await.unwrap();
    governed
}

impl Governed {
    /// Somebody else runs the program.
    fn by(&mut self, name: &str) -> &mut Self {
        self.actor.name = name.to_owned();
        self
    }

    async fn give(&mut self, person: &str, role: &str) {
        let (person, role) = (person.to_owned(), role.to_owned());
        self.act(Action::GiveRole { title: person.clone(), person, role, contact: None }).await.unwrap();
    }

    fn role_of(&self, side: Side) -> String {
        self.programme.roles.iter().find(|role| role.side == side).unwrap().id.clone()
    }
}

#[tokio::test]
async fn a_project_begins_with_its_intent_and_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    let error = governed.gates(None).await.unwrap_err();
    assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-016")), "{error}");
    governed
        .act(Action::ChooseType {
            project_type: "managed".to_owned(),
            by: Some("Sue".to_owned()),
            why: Some("asked for".to_owned()),
        })
        .await
        .unwrap();
    let gates = governed.gates(None).await.unwrap();
    assert!(gates.is_open && gates.gates.iter().all(|gate| !gate.is_passed), "{gates:?}");
    // Whoever comes next finds it as it was left.
    governed.close().await;
    let again = Governed::open(folder.path(), &no_environment).await.unwrap();
    assert_eq!(again.record, governed.record);
    // What needs a server says which.
    let error = Project::open(folder.path(), &no_environment).await.err().unwrap();
    assert!(error.exit == Exit::Usage && error.what.contains("source"), "{error}");
    let error = new_project(folder.path(), "RX1", "Trust", "nhsmail", None).unwrap_err();
    assert!(error.what.contains("is there already"), "{error}");
    assert!(
        new_project(&folder.path().join("p"), "RX1", "Trust", "plain", None).unwrap_err().what.contains("no programme")
    );
}

/// what is open is told with its owner and what would close it; who asks does not pass.
#[tokio::test]
async fn a_gate_is_refused_with_all_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    let (ours, theirs) = (governed.role_of(Side::Organisation), governed.role_of(Side::Provider));
    governed.give("kim", &ours).await;
    governed.by("kim");
    governed.give("sam", &theirs).await;
    governed
        .act(Action::ChooseType {
            project_type: "managed".to_owned(),
            by: Some("Kim".to_owned()),
            why: Some("asked for".to_owned()),
        })
        .await
        .unwrap();
    let gate = governed.gates(None).await.unwrap().gates.remove(0);
    governed.give("lee", &gate.passed_by[0]).await;
    governed.act(Action::AskGate { gate: gate.gate.clone(), note: String::new() }).await.unwrap();
    let before = governed.record.clone();
    let error = governed.act(Action::PassGate { gate: gate.gate.clone() }).await.unwrap_err();
    assert_eq!(error.exit, Exit::Refused, "who asked: {error}");
    let error = governed.by("lee").act(Action::PassGate { gate: gate.gate.clone() }).await.unwrap_err();
    assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-261")), "{error}");
    assert!(gate.open().count() > 0);
    for item in gate.open() {
        assert!(
            error.what.contains(&item.criterion) && error.what.contains(&item.closes),
            "{}: {error}",
            item.criterion
        );
    }
    assert_eq!(governed.record, before, "nothing is recorded of what was refused");
    assert_eq!(record_of(&governed.store, governed.key).await.unwrap(), before);
}

/// Nobody's change is lost, and the audit log has a line for each.
#[tokio::test]
async fn what_two_people_change_at_once_is_changed_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = begin(folder.path(), "RX1", None).await;
    let role = first.role_of(Side::Organisation);
    first.give("kim", &role).await;
    let mut second = Governed::open(folder.path(), &no_environment).await.unwrap();
    first.by("kim");
    second.by("kim");
    for n in 0..5 {
        for one in [&mut first, &mut second] {
            let fields: BTreeMap<String, String> = Register::Barriers
                .fields()
                .iter()
                .filter(|field| field.is_needed)
                .map(|field| (field.name.to_owned(), format!("barrier {n}")))
                .collect();
            let added = one.act(Action::AddRow { register: Register::Barriers, fields }).await;
            assert!(added.is_ok(), "{added:?}");
        }
    }
    let record = record_of(&first.store, first.key).await.unwrap();
    assert_eq!(record.rows_of(Register::Barriers).count(), 10);
    assert_eq!(second.record, record);
    let (log, fault) = first.store.audit_log(first.key).await.unwrap();
    assert_eq!(fault, None);
    assert_eq!(log.iter().filter(|row| row.action.starts_with("programme.")).count() as u64, record.seq);
}

/// what is done live asks first; a project without a record has no gates.
#[tokio::test]
async fn live_actions_wait_for_their_stage() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    governed
        .act(Action::ChooseType {
            project_type: "self".to_owned(),
            by: Some("Kim".to_owned()),
            why: Some("small".to_owned()),
        })
        .await
        .unwrap();
    for live in [Live::SyncPilot, Live::SyncBulk, Live::ForwardersOn, Live::Switch, Live::ChangeMx, Live::Decommission]
    {
        let error = refuse(&governed.config, &governed.store, governed.key, live).await.unwrap_err();
        assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-250")), "{live}: {error}");
    }
    // Its record is in another database, or there is none yet.
    let lost = tempfile::tempdir().unwrap();
    new_project(lost.path(), "RX2", "Trust", "nhsmail", None).unwrap();
    let lost = Governed::open(lost.path(), &no_environment).await.unwrap();
    let error = refuse(&lost.config, &lost.store, lost.key, Live::SyncBulk).await.unwrap_err();
    assert!(error.rule == Some("R-250") && error.what.contains("no record"), "{error}");
    let free = tempfile::tempdir().unwrap();
    crate::init(free.path(), Some("RX3"), "Trust", "nhsmail").unwrap();
    let free = Governed::open(free.path(), &no_environment).await.unwrap();
    for live in [Live::SyncBulk, Live::Switch, Live::ProvisionAccounts { new_already: 0, asked: 9000, others: 9000 }] {
        refuse(&free.config, &free.store, free.key, live).await.unwrap();
    }
}

#[tokio::test]
async fn evidence_is_kept_under_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    std::fs::write(folder.path().join("minutes.txt"), "agreed").unwrap();
    governed.give_evidence(Subject::Project, Path::new("minutes.txt"), "of Monday").await.unwrap();
    let held = governed.record.evidence_on(&Subject::Project).next().unwrap().evidence.clone();
    assert_eq!((held.name.as_str(), held.size_bytes), ("minutes.txt", 6));
    let kept = governed.store.evidence(governed.key, model::Digest::of(b"agreed")).await.unwrap();
    assert_eq!((kept.as_deref(), held.digest), (Some(&b"agreed"[..]), model::Digest::of(b"agreed").to_string()));
    let before = governed.record.seq;
    let error = governed.give_evidence(Subject::Project, Path::new("none.txt"), "").await.unwrap_err();
    assert!(error.what.contains("none.txt") && governed.record.seq == before, "{error}");
}

/// all of the database, for whoever may see all; their own organisation's for everybody else.
#[tokio::test]
async fn the_pipeline_shows_each_project_to_whom_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("all.db").display());
    let mut governed = Vec::new();
    for code in ["RX1", "RX2", "RX3"] {
        let mut one = begin(&folder.path().join(code), code, Some(&database)).await;
        one.act(Action::PlanMonths { accounts: BTreeMap::from([("2027-01".to_owned(), 100)]) }).await.unwrap();
        governed.push(one);
    }
    let all = governed[0].pipeline().await.unwrap();
    assert_eq!(all.projects.iter().map(|line| line.row.code.as_str()).collect::<Vec<_>>(), ["RX1", "RX2", "RX3"]);
    assert_eq!(all.accounts_by_month, BTreeMap::from([("2027-01".to_owned(), 300)]));
    governed[0].config.file.roles = Some(crate::config::Roles::default());
    let own = governed[0].pipeline().await.unwrap();
    assert_eq!(own.projects.iter().map(|line| line.row.code.as_str()).collect::<Vec<_>>(), ["RX1"]);
}

/// a newer version takes the place of an older one, which says so when it is made again; nothing else of it changes.
#[tokio::test]
async fn a_document_has_versions_and_says_which_is_current() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    let (project_type, by) = ("managed".to_owned(), Some("Sue".to_owned()));
    governed.act(Action::ChooseType { project_type, by, why: Some("asked for".to_owned()) }).await.unwrap();
    let name = "readiness-checklist";
    let to = Path::new("made");
    let first = governed.make_document(name, (&[], false), None, to).await.unwrap();
    assert_eq!((first.version, first.files.len() > 1), (1, true));
    for (file, digest) in &first.files {
        let bytes = std::fs::read(file).unwrap();
        assert_eq!(&model::Digest::of(&bytes).to_string(), digest);
        assert_eq!(governed.store.evidence(governed.key, model::Digest::of(&bytes)).await.unwrap(), Some(bytes));
    }
    // The version that counts is the same bytes again.
    assert_eq!(governed.make_document(name, (&[], false), Some(1), to).await.unwrap().files, first.files);
    assert_eq!(governed.make_document(name, (&[], false), None, to).await.unwrap().version, 2);
    let again = governed.make_document(name, (&[paper::Form::Html], false), Some(1), Path::new("again")).await.unwrap();
    assert_eq!(again.superseded_by, Some(2));
    let page = std::fs::read_to_string(&again.files[0].0).unwrap();
    assert!(page.contains("Superseded"), "its first page says so");
    let line = governed.documents().documents.into_iter().find(|line| line.document == name).unwrap();
    assert_eq!((line.version, line.superseded), (Some(2), vec![1]));
    // What would say what is not so is not made, and nothing is recorded of it.
    let before = governed.record.seq;
    let error = governed.make_document("rfc-package", (&[], false), None, to).await.unwrap_err();
    assert_eq!((error.exit, error.rule, governed.record.seq), (Exit::Refused, Some("R-124"), before), "{error}");
    let error = governed.make_document("shopping-list", (&[], false), None, to).await.unwrap_err();
    assert!(error.exit == Exit::Usage && error.what.contains("implementation-plan"), "{error}");
}

/// Nothing is told as met of which nobody has seen anything, and what no database can know is known by a decision of its name.
#[tokio::test]
async fn what_is_not_known_is_not_met_until_somebody_says_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    governed.give("kim", "project-manager").await;
    governed.by("kim");
    let (project_type, by) = ("managed".to_owned(), Some("Kim".to_owned()));
    governed.act(Action::ChooseType { project_type, by, why: Some("asked for".to_owned()) }).await.unwrap();
    let facts = governed.facts().await.unwrap().facts;
    let met: Vec<&String> = facts.iter().filter(|(_, fact)| fact.is_met).map(|(name, _)| name).collect();
    assert_eq!(met, ["issues-resolved-or-handed-over"], "there is none");
    for name in ["licences-cover-scope", "directory-sync-handed-over", "registration-limit-requested"] {
        assert!(!facts.contains_key(name), "{name}");
        for verdict in [programme::Verdict::Yes, programme::Verdict::No] {
            let (decision, outcome, by) = (name.to_owned(), "seen".to_owned(), "Kim".to_owned());
            governed.act(Action::Decide { decision, verdict, outcome, by, why: "why".to_owned() }).await.unwrap();
            let fact = governed.facts().await.unwrap().facts.remove(name).unwrap();
            assert_eq!(fact.is_met, verdict == programme::Verdict::Yes, "{name}: {fact:?}");
        }
    }
}

/// Whether calendars must be in step before anybody switches goes by the project's type; where that is not known, they must.
#[tokio::test]
async fn the_type_says_whether_calendars_are_shared() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX9", None).await;
    let gates = Gates::of(&governed.config);
    let coexists = async |governed: &Governed| {
        let governs = gates.governs(&governed.store, governed.key).await.unwrap();
        governs.map(|governs| governs.coexists)
    };
    assert_eq!(coexists(&governed).await, Some(true), "of no type yet");
    for (project_type, shares) in [("managed", true), ("self", false), ("partial", true)] {
        governed
            .act(Action::ChooseType {
                project_type: project_type.to_owned(),
                by: Some("Sue".to_owned()),
                why: Some("asked for".to_owned()),
            })
            .await
            .unwrap();
        assert_eq!(coexists(&governed).await, Some(shares), "{project_type}");
    }
    governed.close().await;
}

/// bad rows are named by line, and then nothing of the file is written.
#[tokio::test]
async fn applications_are_read_from_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    let before = governed.record.seq;
    for (text, said) in [
        ("title,owner,protocol\nScanner,Ida,SMTP\n", "its first line has no \"state\""),
        ("title,owner,protocol,state,hue\nScanner,Ida,SMTP,open,red\n", "\"hue\", which is no column"),
        ("title,owner,protocol,state,state\nScanner,Ida,SMTP,open,open\n", "\"state\" twice"),
        ("title,owner,protocol,state\nScanner,Ida,SMTP,open\nPager,Ida,SMTP,maybe\n", "line 3: the state is \"maybe\""),
        ("title,owner,protocol,state\nScanner,Ida,SMTP,open\nPager,,SMTP,open\n", "line 3: owner missing"),
        ("title,owner,protocol,state\nScanner,Ida,SMTP,open\nPager,Ida,SMTP,resolved\n", "line 3: it is resolved"),
        (
            "title,owner,protocol,state\nScanner,Ida,SMTP,open\n\nScanner,Bob,IMAP,open\n",
            "line 4: \"Scanner\" is there",
        ),
        ("title,owner,protocol,state\nScanner,Ida,SMTP,open\nPager,Ida\n", "line: 3"),
        ("title,owner,protocol,state\n", "has 0 rows"),
    ] {
        std::fs::write(folder.path().join("apps.csv"), text).unwrap();
        let error = governed.import_rows(Register::Applications, Path::new("apps.csv")).await.unwrap_err();
        assert!(error.what.contains(said), "{text}: {error}");
        assert_eq!(governed.record.seq, before, "{text}");
    }
    let text = "\u{feff}State,title,owner,protocol,settings\nopen,Scanner,Ida,SMTP,\nResolved,\"Pager, old\",Bob,SMTP,smtp.example:587\n";
    std::fs::write(folder.path().join("apps.csv"), text).unwrap();
    governed.import_rows(Register::Applications, Path::new("apps.csv")).await.unwrap();
    let shown = governed.registers(Some(Register::Applications)).await.unwrap().registers.remove(0);
    assert_eq!(
        (shown.rows.len(), shown.state.undecided.as_slice()),
        (2, &["application-1 is unresolved".to_owned()][..])
    );
    assert_eq!((shown.rows[1].field("title"), shown.rows[1].field("owner")), (Some("Pager, old"), Some("Bob")));
    assert_eq!(shown.rows[1].settled[0].1.note, "resolved, as apps.csv says");
}

/// what is reckoned says from what.
#[tokio::test]
async fn machines_and_prices_are_told_with_what_they_rest_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    let error = governed.sizing(None, None).unwrap_err();
    assert!(error.exit == Exit::Usage && error.what.contains("discovery.mailboxes, discovery.gigabytes"), "{error}");
    assert_eq!(governed.sizing(Some(900), Some(1_000)).unwrap().needs, programme::sizing::sizing(900, 1_000));
    let wish = |item: &str| programme::Wish { item: item.to_owned(), quantity: 900, months: 12 };
    let day = Some(jiff::civil::date(2018, 4, 1));
    assert_eq!(governed.quote(&[wish("conferencing")], day).await.unwrap().pence, 1_706_400);
    let error = governed.quote(&[wish("hat")], day).await.unwrap_err();
    assert!(error.exit == Exit::Usage && error.what.contains("conferencing-share"), "{error}");
    let today = governed.moment().await.unwrap().today;
    assert_eq!(governed.catalogue(None).await.unwrap().day, today);
    let fields = [("title", "Talk"), ("item", "conferencing"), ("quantity", "10"), ("months", "2"), ("what", "order")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    governed.act(Action::AddRow { register: Register::Orders, fields }).await.unwrap();
    assert_eq!(governed.orders().ordered_pence, 3_160);
}

/// the checklist of six stages is a view of the same criteria, and tells what they tell.
#[tokio::test]
async fn the_checklist_of_six_stages_tells_what_its_gates_tell() {
    let mut script = Box::pin(whole::Script::of("self", 90, 70)).await;
    let before = script.governed.views().await.unwrap();
    let webinar = |show: &ViewsShow| show.views.iter().find(|view| view.view == "webinar").unwrap().clone();
    let lines: Vec<usize> = webinar(&before).parts.iter().map(|part| part.lines.len()).collect();
    assert_eq!(lines, [5, 6, 6, 5, 3, 2]);
    assert!(webinar(&before).parts.iter().flat_map(|part| &part.lines).all(|line| line.state != "not-asked"));
    while script.governed.record.stage().is_none_or(|entry| entry.stage != "initiation") {
        script.closes_all().await;
        script.passes().await;
    }
    let shown = webinar(&script.governed.views().await.unwrap());
    assert_eq!((shown.parts[0].met, shown.parts[5].met), (5, 0), "{shown:?}");
    let gates = script.governed.gates(None).await.unwrap().gates;
    for line in shown.parts.iter().flat_map(|part| &part.lines) {
        let item = gates.iter().flat_map(|gate| &gate.items).find(|item| item.criterion == line.criterion).unwrap();
        assert_eq!((line.state == "met", &line.by), (item.is_met, &item.by), "{}", line.criterion);
    }
}

/// What no longer counts is found by how its digest begins, and stays on record.
#[tokio::test]
async fn evidence_is_withdrawn_by_its_digest_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    std::fs::write(folder.path().join("minutes.txt"), "agreed").unwrap();
    governed.give_evidence(Subject::Project, Path::new("minutes.txt"), "of Monday").await.unwrap();
    let digest = model::Digest::of(b"agreed").to_string();
    for wrong in ["", "zz"] {
        let error = governed.withdraw_evidence(wrong, "old".to_owned()).await.unwrap_err();
        assert!(error.exit == Exit::Usage && error.what.contains("no evidence"), "{error}");
    }
    let error = governed.withdraw_evidence(&digest[..8], " ".to_owned()).await.unwrap_err();
    assert_eq!(error.exit, Exit::Refused, "{error}");
    governed.withdraw_evidence(&digest[..8].to_uppercase(), "another week's".to_owned()).await.unwrap();
    assert_eq!(governed.record.evidence_on(&Subject::Project).count(), 0);
    assert_eq!(governed.record.evidence[0].struck.as_ref().unwrap().why, "another week's");
    assert!(governed.store.evidence(governed.key, model::Digest::of(b"agreed")).await.unwrap().is_some());
}

/// questions tell how long their answers took.
#[tokio::test]
async fn questions_are_listed_with_the_time_that_their_answers_took() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = begin(folder.path(), "RX1", None).await;
    for title in ["Which port?", "Which day?"] {
        let fields = BTreeMap::from([("title".to_owned(), title.to_owned())]);
        governed.act(Action::AddRow { register: Register::Questions, fields }).await.unwrap();
    }
    governed.store.set_clock_ahead(48 * 3_600_000 + 60_000);
    let settle = Action::SettleRow { row: "question-1".into(), verdict: programme::Verdict::Yes, text: "993".into() };
    governed.act(settle).await.unwrap();
    governed.store.set_clock_ahead(72 * 3_600_000 + 60_000);
    let shown = governed.registers(Some(Register::Questions)).await.unwrap().registers.remove(0).questions;
    let times: Vec<_> = shown.iter().map(|time| (time.answered.is_some(), time.hours)).collect();
    assert_eq!(times, [(true, 48), (false, 72)]);
    assert!(governed.registers(Some(Register::Risks)).await.unwrap().registers[0].questions.is_empty());
}
