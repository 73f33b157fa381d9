//! The pilot in a database, and the pipeline over projects of which one can't be read.

use model::Phase;
use programme::{Outcome, PilotAnswer};

use super::whole::Script;
use super::*;

async fn typed(folder: &Path, code: &str, database: Option<&str>) -> Governed {
    let mut governed = begin(folder, code, database).await;
    let role = governed.role_of(Side::Organisation);
    governed.give("kim", &role).await;
    governed.by("kim");
    let (project_type, by) = ("managed".to_owned(), Some("Kim".to_owned()));
    governed.act(Action::ChooseType { project_type, by, why: Some("asked for".to_owned()) }).await.unwrap();
    governed
}

/// what many people of the pilot checked comes in a file.
#[tokio::test]
async fn answers_of_the_pilot_are_read_from_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = typed(folder.path(), "RX1", None).await;
    let people = vec!["ann@hill.test".to_owned(), "Bob@hill.test".to_owned()];
    governed.name_pilot(people, Vec::new()).await.unwrap();
    let file = folder.path().join("answers.csv");
    let text = "person,item,outcome,text\nann@hill.test,historic mail,passed,\n";
    std::fs::write(&file, text).unwrap();
    let error = governed.check_pilot_file(Path::new("answers.csv")).await.unwrap_err();
    assert!(error.exit == Exit::Refused && error.what.contains("right-role"), "{error}");
    governed.give("pat", "project-manager").await;
    let error = governed.by("pat").check_pilot_file(Path::new("answers.csv")).await.unwrap_err();
    assert!(error.rule == Some("R-146") && error.what.contains("copy-first"), "{error}");
    for decision in ["pilot-copied", "pilot-switched"] {
        let (decision, verdict, outcome) = (decision.to_owned(), programme::Verdict::Yes, "by hand".to_owned());
        let (by, why) = ("The board".to_owned(), "another tool did it".to_owned());
        governed.act(Action::Decide { decision, verdict, outcome, by, why }).await.unwrap();
    }
    let before = governed.record.seq;
    for (text, said) in [
        ("who,item\nann@hill.test,historic mail\n", "its first line is \"who,item\""),
        ("person,item,outcome,text\nann@hill.test,historic mail,fine,\n", "line 2: \"fine\""),
        ("person,item,outcome,text\r\n\r\n\r\nann@hill.test,historic mail,fine,\r\n", "line 4: \"fine\""),
        (
            "person,item,outcome,text\nann@hill.test,historic mail,passed,\ncyd@hill.test,historic mail,passed,\n",
            "cyd@hill.test",
        ),
        ("person,item,outcome,text\nann@hill.test,the weather,passed,\n", "the weather"),
        ("person,item,outcome,text\nann@hill.test,historic mail,failed,\n", "what was seen is missing"),
        ("person,item,outcome,text\n", "no answer"),
        ("person,item,outcome,text\nann@hill.test,historic mail,passed\n", "answers.csv"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = governed.check_pilot_file(Path::new("answers.csv")).await.unwrap_err();
        assert!(error.what.contains(said), "{text}: {error}");
        assert_eq!(governed.record.seq, before, "{text}");
    }
    let text = "person,item,outcome,text\nANN@hill.test,historic mail,passed,\nbob@hill.test,historic mail,failed,\"a year is missing, issue 4\"\n";
    std::fs::write(&file, text).unwrap();
    governed.check_pilot_file(Path::new("answers.csv")).await.unwrap();
    let shown = governed.pilot();
    assert_eq!((shown.pilot.people.len(), shown.complete), (2, 0));
    assert_eq!(shown.pilot.people[0].unanswered.len(), 4);
    assert_eq!(shown.pilot.people[1].failed[0].1, "a year is missing, issue 4");
    assert_eq!(governed.record.pilot["bob@hill.test"].checks["historic mail"][0].outcome, Outcome::Failed);
    // What shows it is kept beside it.
    governed.give_evidence(Subject::Pilot("bob@hill.test".to_owned()), Path::new("answers.csv"), "").await.unwrap();
    let error = governed.name_pilot(Vec::new(), vec!["none".to_owned()]).await.unwrap_err();
    assert!(error.what.contains("no collection \"none\""), "{error}");
}

/// what is missing of the usual share is nothing to be done where it was decided.
#[tokio::test]
async fn a_share_that_was_decided_leaves_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = typed(folder.path(), "RX1", None).await;
    let sureness = programme::Sureness::Draft;
    governed.act(Action::GiveNumbers { sureness, existing: 100, new: 0 }).await.unwrap();
    assert!(governed.pilot().is_open, "nobody is named");
    let (decision, outcome, by) = ("pilot-share".to_owned(), "none".to_owned(), "The board".to_owned());
    let (verdict, why) = (programme::Verdict::Yes, "all at once".to_owned());
    governed.give("pat", "project-manager").await;
    governed.by("pat").act(Action::Decide { decision, verdict, outcome, by, why }).await.unwrap();
    let shown = governed.pilot();
    assert!(!shown.is_open && !shown.has_its_share, "{shown:?}");
    assert_eq!(shown.pilot.decided.as_deref(), Some("none, decided by The board"));
}

/// one record that can't be read hides none of the others, and what is known of each is what was last seen of it.
#[tokio::test]
async fn a_project_that_cannot_be_read_is_listed_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("all.db").display());
    let mut governed = Vec::new();
    for code in ["RX1", "RX2", "RX3"] {
        governed.push(typed(&folder.path().join(code), code, Some(&database)).await);
    }
    let unseen = governed[0].pipeline().await.unwrap();
    assert!(unseen.projects.iter().all(|line| line.known_at.is_none()), "nobody has looked yet");
    governed[2].gates(None).await.unwrap();
    let (store, key) = (governed[1].store.clone(), governed[1].key);
    let seq = i64::try_from(governed[1].record.seq).unwrap();
    let later = "{\"version\":99,\"change\":{\"kind\":\"unheard-of\"}}".to_owned();
    let actor = governed[1].actor.clone();
    assert!(store.append_programme(key, &actor, (seq, 5), &[later], &[]).await.unwrap());
    let all = governed[0].pipeline().await.unwrap();
    let codes: Vec<&str> = all.projects.iter().map(|line| line.row.code.as_str()).collect();
    assert_eq!(codes, ["RX1", "RX3"]);
    let [broken] = all.broken.as_slice() else { panic!("{:?}", all.broken) };
    assert_eq!((broken.code.as_str(), broken.project.as_str()), ("RX2", "migration"));
    assert!(broken.what.contains("version 99") && broken.what.contains("newer"), "{}", broken.what);
    let seen = &all.projects[1];
    assert!(seen.known_at.is_some() && all.projects[0].known_at.is_none());
    let own = governed[2].gates(None).await.unwrap().gates;
    let shown: Vec<(&str, usize, usize)> =
        seen.gates.iter().map(|gate| (gate.gate.as_str(), gate.open, gate.criteria)).collect();
    let own: Vec<(&str, usize, usize)> =
        own.iter().map(|gate| (gate.gate.as_str(), gate.open().count(), gate.items.len())).collect();
    assert_eq!(shown, own, "its gates are those that its own people see");
}

/// what was decided counts as it is recorded now, and each project is read by its own profile, whoever looks.
#[tokio::test]
async fn the_pipeline_tells_decisions_as_they_are_and_reads_each_by_its_own_profile() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("all.db").display());
    let viewer = typed(&folder.path().join("RX1"), "RX1", Some(&database)).await;
    let mut other = typed(&folder.path().join("RX2"), "RX2", Some(&database)).await;
    other.give("pat", "project-manager").await;
    let open_of = async |code: &str| {
        let all = viewer.pipeline().await.unwrap();
        let found = all.projects.iter().find(|line| line.row.code == code).map(|line| {
            let gate = line.gates.iter().find(|gate| gate.gate == "begin-implementation").unwrap();
            (gate.open, line.known_at.is_some())
        });
        (found, all.broken.into_iter().map(|line| line.what).collect::<Vec<_>>())
    };
    other.gates(None).await.unwrap();
    let (Some((before, true)), _) = open_of("RX2").await else { panic!("it was looked at") };
    let decide = |verdict| Action::Decide {
        decision: "licences-cover-scope".to_owned(),
        verdict,
        outcome: "ordered".to_owned(),
        by: "The board".to_owned(),
        why: "the order was seen".to_owned(),
    };
    for (verdict, open) in [(programme::Verdict::Yes, before - 1), (programme::Verdict::No, before)] {
        other.by("pat").act(decide(verdict)).await.unwrap();
        assert_eq!(open_of("RX2").await.0, Some((open, true)), "{verdict:?}");
    }
    // Another edition is told by whoever works in it, without anybody having looked at a gate.
    other.config.policy.edition = "1999".to_owned();
    other.act(decide(programme::Verdict::Yes)).await.unwrap();
    let (found, broken) = open_of("RX2").await;
    assert!(found.is_none() && broken[0].contains("nhsmail@1999"), "{broken:?}");
    other.config.policy.edition = "2017".to_owned();
    other.act(decide(programme::Verdict::Yes)).await.unwrap();
    assert_eq!(open_of("RX2").await, (Some((before - 1, true)), Vec::new()));
    // Of a record that nobody has worked in since names its profile nobody can say by what it is read.
    let config = Config { code: "RX3".to_owned().try_into().unwrap(), ..viewer.config.clone() };
    let key = Project::key_of(&viewer.store, &config).await.unwrap();
    let opened = Change::Opened { code: "RX3".into(), name: "Trust RX3".into(), is_adopted: false };
    let actor = viewer.actor.clone();
    let opened = [opened.to_stored().unwrap()];
    assert!(viewer.store.append_programme(key, &actor, (0, 5), &opened, &[]).await.unwrap());
    let (found, broken) = open_of("RX3").await;
    assert!(found.is_none() && broken[0].contains("by which profile"), "{broken:?}");
}

/// however somebody is called they are one person, and what is asked of them is what was done with their mailbox.
#[tokio::test]
async fn one_person_is_named_once_and_checks_what_is_there() {
    let mut script = Box::pin(Script::of("managed", 20, 2)).await;
    script.estate.sync(&script.governed).await;
    let governed = &mut script.governed;
    governed.by("project-manager");
    let (first, second) = (estate::address(3), estate::address(4));
    // By the name of the mailbox, by that of the account, and by the key of the entry.
    let names = [first.as_str(), &first.replace("hill.test", "nation.test"), "3", "4"];
    Box::pin(governed.name_pilot(names.map(str::to_owned).to_vec(), Vec::new())).await.unwrap();
    let people: Vec<&str> = governed.record.pilot_people().map(|(who, _)| who).collect();
    let expected: BTreeSet<&str> = [first.as_str(), second.as_str()].into();
    assert_eq!(people.into_iter().collect::<BTreeSet<_>>(), expected);
    let error = Box::pin(governed.name_pilot(vec!["3".to_owned()], Vec::new())).await.unwrap_err();
    assert!(error.what.contains("of the pilot already"), "{error}");
    let error = Box::pin(governed.name_pilot(vec!["nobody@hill.test".to_owned()], Vec::new())).await.unwrap_err();
    assert!(error.exit == Exit::Usage && error.what.contains("nobody@hill.test"), "{error}");
    let answer = |person: &str, item: &str, outcome| {
        let text = "as was seen".to_owned();
        vec![PilotAnswer { person: person.to_owned(), item: item.to_owned(), outcome, text }]
    };
    let error = Box::pin(governed.check_pilot(answer("3", "historic mail", Outcome::Passed))).await.unwrap_err();
    assert!(error.what.contains("copy-first"), "{error}");
    let rows = governed.store.mailboxes(governed.key).await.unwrap();
    let number = rows.iter().find(|row| row.roster.source_name == first).unwrap().mailbox;
    let comes_to = async |script: &Script, phase| {
        script.estate.comes_to(&script.governed, phase, |mailbox| mailbox == number).await;
    };
    comes_to(&script, Phase::InStep).await;
    let governed = &mut script.governed;
    Box::pin(governed.check_pilot(answer("3", "historic mail", Outcome::Failed))).await.unwrap();
    let error = Box::pin(governed.check_pilot(answer("3", "special permissions", Outcome::Passed))).await.unwrap_err();
    assert!(error.what.contains("not switched"), "{error}");
    comes_to(&script, Phase::Switched).await;
    let governed = &mut script.governed;
    Box::pin(governed.check_pilot(answer("3", "special permissions", Outcome::Passed))).await.unwrap();
    // Who has said no stays until somebody decides; of whom nothing was copied goes.
    let error = Box::pin(governed.leave_pilot("3", "away".to_owned())).await.unwrap_err();
    assert!(error.what.contains("leave-decided") && error.what.contains(&first), "{error}");
    Box::pin(governed.leave_pilot("4", "away".to_owned())).await.unwrap();
    let (decision, verdict) = ("pilot-leave/3".to_owned(), programme::Verdict::Yes);
    let (outcome, by, why) = ("without her".to_owned(), "The board".to_owned(), "she left the trust".to_owned());
    Box::pin(governed.decide(Action::Decide { decision, verdict, outcome, by, why })).await.unwrap();
    assert!(governed.record.is_decided(&format!("pilot-leave/{first}")), "by whatever they are called");
    Box::pin(governed.leave_pilot("3", "left".to_owned())).await.unwrap();
    assert_eq!(governed.record.pilot_people().count(), 0);
}

/// who was copied owes an answer, also when they are on no roster any more.
#[tokio::test]
async fn who_is_off_the_roster_leaves_the_pilot_by_a_decision_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = typed(folder.path(), "RX1", None).await;
    let path = folder.path().join(crate::PROJECT_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let servers = "[endpoints.local]\nkind = \"maildir\"\npath = \"from/{source}\"\n\
        [endpoints.national]\nkind = \"maildir\"\npath = \"to/{target}\"\n\
        [source]\nmail = \"local\"\n[target]\nmail = \"national\"\n";
    std::fs::write(&path, text + servers).unwrap();
    governed.config = Config::read(folder.path()).unwrap();
    let lists = async |people: &str| {
        std::fs::write(folder.path().join("people.csv"), people).unwrap();
        let (store, config) = (governed.store.clone(), governed.config.clone());
        drop(Box::pin(Project::open_in(store, config)).await.unwrap());
    };
    lists("source,target\nann,ann\nbob,bob\n").await;
    let rows = governed.store.mailboxes(governed.key).await.unwrap();
    let number = rows.iter().find(|row| row.roster.source_name == "ann").unwrap().mailbox;
    estate::come_to(&governed, Phase::InStep, |mailbox| mailbox == number).await;
    lists("source,target\nbob,bob\n").await;
    let rows = governed.store.mailboxes(governed.key).await.unwrap();
    assert!(rows.iter().any(|row| row.mailbox == number && !row.listed), "nobody copies it any more");
    let people = vec!["ann".to_owned()];
    governed.act(Action::NamePilot { people }).await.unwrap();
    let error = Box::pin(governed.leave_pilot("ann", "left".to_owned())).await.unwrap_err();
    assert!(error.what.contains("leave-decided") && error.what.contains("historic mail"), "{error}");
}

/// Two mailboxes of one name at two sources are two people: who is of the pilot at the one is not at the other.
#[tokio::test]
async fn a_name_at_another_source_is_another_person() {
    let folder = tempfile::tempdir().unwrap();
    let mut governed = typed(folder.path(), "RX1", None).await;
    let path = folder.path().join(crate::PROJECT_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let servers = "[endpoints.local]\nkind = \"maildir\"\npath = \"from/{source}\"\n\
        [endpoints.other]\nkind = \"maildir\"\npath = \"other/{source}\"\n\
        [endpoints.national]\nkind = \"maildir\"\npath = \"to/{target}\"\n\
        [source]\nmail = [\"local\", \"other\"]\n[target]\nmail = \"national\"\n";
    std::fs::write(&path, text + servers).unwrap();
    let people = "source,target,source_endpoint\nann,ann.one,local\nann,ann.two,other\nbob,bob,other\n";
    std::fs::write(folder.path().join("people.csv"), people).unwrap();
    governed.config = Config::read(folder.path()).unwrap();
    let (store, config) = (governed.store.clone(), governed.config.clone());
    let project = Box::pin(Project::open_in(store, config)).await.unwrap();
    let error = Box::pin(governed.name_pilot(vec!["ann".to_owned()], Vec::new())).await.unwrap_err();
    let advice = error.advice.clone().unwrap_or_default();
    assert!(advice.contains("local:ann") && advice.contains("other:ann"), "{error}");
    let names = ["other:ann", "ann.two", "bob"].map(str::to_owned).to_vec();
    Box::pin(governed.name_pilot(names, Vec::new())).await.unwrap();
    let people: Vec<&str> = governed.record.pilot_people().map(|(who, _)| who).collect();
    assert_eq!(people, ["other:ann", "other:bob"]);
    let names = PilotNames::of(&governed.store, governed.key, &governed.config).await.unwrap();
    let rows = governed.store.mailboxes(governed.key).await.unwrap();
    let pilot: BTreeSet<&str> = rows
        .iter()
        .filter(|row| governed.record.is_pilot(&names.of_row(row)))
        .map(|row| row.roster.target_name.as_str())
        .collect();
    assert_eq!(pilot, ["ann.two", "bob"].into());
    Box::pin(governed.name_pilot(vec!["local:ann".to_owned()], Vec::new())).await.unwrap();
    assert!(governed.record.is_pilot("ann") && governed.record.pilot_people().count() == 3);
    drop(project);
}
