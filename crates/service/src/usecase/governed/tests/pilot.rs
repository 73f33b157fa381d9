//! The pilot in a database, and the pipeline over projects of which one can't be read.

use programme::Outcome;

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
    let before = governed.record.seq;
    for (text, said) in [
        ("who,item\nann@hill.test,historic mail\n", "its first line is \"who,item\""),
        ("person,item,outcome,text\nann@hill.test,historic mail,fine,\n", "line 2: \"fine\""),
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
        let error = governed.check_pilot(Path::new("answers.csv")).await.unwrap_err();
        assert!(error.what.contains(said), "{text}: {error}");
        assert_eq!(governed.record.seq, before, "{text}");
    }
    let text = "person,item,outcome,text\nANN@hill.test,historic mail,passed,\nbob@hill.test,historic mail,failed,\"a year is missing, issue 4\"\n";
    std::fs::write(&file, text).unwrap();
    governed.check_pilot(Path::new("answers.csv")).await.unwrap();
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
