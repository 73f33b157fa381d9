//! Documents of driven projects, found again in the record by programs that others wrote.

use std::path::PathBuf;
use std::process::Command;

use conformance::servers::left_out;
use programme::Standing;
use serde_json::json;

use super::whole::Script;
use super::*;

/// Debian's own, which has Debian's openpyxl.
const PYTHON: &str = "/usr/bin/python3";

/// Documents of a self project, each with the stage in which it is made.
const OF_SELF: [(&str, &str); 13] = [
    ("highlight-report", "initiation"),
    ("readiness-checklist", "running"),
    ("implementation-plan", "running"),
    ("board-pack", "running"),
    ("confirmation-of-readiness", "running"),
    ("rfc-package", "readiness-assessment"),
    ("go-no-go-pack", "readiness-assessment"),
    ("go-no-go-confirmation", "readiness-assessment"),
    ("work-off-plan", "roll-out"),
    ("service-readiness", "post-migration"),
    ("post-project-report", "post-migration"),
    ("lessons", "post-migration"),
    ("decommission-plan", "post-migration"),
];

/// Those of them that say something else than the managed project's do: the others are looked through where the long tests do all they can.
const OTHER_IN_SELF: [&str; 4] = ["rfc-package", "go-no-go-pack", "service-readiness", "decommission-plan"];

/// Can the checks be run here?
fn has_its_programs() -> bool {
    if !Path::new("/usr/bin/pdfinfo").exists() {
        left_out("pdfinfo is not here: apt-get install --no-install-recommends poppler-utils");
        return false;
    }
    let has_openpyxl = Command::new(PYTHON).args(["-c", "import openpyxl"]).status().is_ok_and(|it| it.success());
    if !has_openpyxl {
        left_out("openpyxl is not here: apt-get install --no-install-recommends python3-openpyxl");
    }
    has_openpyxl
}

impl Script {
    /// What the documents of a stage are checked by: all that is recorded and shown now.
    async fn exports(&self, folder: &Path, documents: &[(DocumentMade, Option<u32>)]) {
        let governed = &self.governed;
        std::fs::create_dir_all(folder).unwrap();
        let put = |name: &str, value: serde_json::Value| {
            std::fs::write(folder.join(format!("{name}.json")), value.to_string()).unwrap();
        };
        let issues: Vec<serde_json::Value> = governed
            .store
            .issues(governed.key)
            .await
            .unwrap()
            .iter()
            .map(|row| json!({ "id": row.issue, "title": row.is.what, "state": row.state.name(), "owner": row.assigned_to, "action": row.is.action }))
            .collect();
        put("record", json!(governed.record()));
        put("programme", json!(governed.programme));
        let shown = json!({
            "days": [governed.moment().await.unwrap().today.to_string()],
            "project": governed.show().await.unwrap(),
            "gates": governed.gates(None).await.unwrap(),
            "tasks": governed.tasks(None, None, false).await.unwrap(),
            "deliverables": governed.deliverables().unwrap(),
            "registers": governed.registers(None).await.unwrap(),
            "pilot": governed.pilot(),
            "desk": governed.desk().await.unwrap(),
            "facts": governed.facts().await.unwrap(),
            "issues": issues,
        });
        put("shown", shown);
        let line = |(made, by): &(DocumentMade, Option<u32>)| {
            let name = |(file, _): &(String, String)| file.rsplit('/').next().unwrap().to_owned();
            let files: Vec<String> = made.files.iter().map(name).collect();
            json!({ "document": made.document, "version": made.version, "superseded_by": by, "files": files })
        };
        put("documents", json!(documents.iter().map(line).collect::<Vec<_>>()));
    }

    /// Through every gate; before each the documents of the stage are made, twice. Where they are, by stage.
    async fn makes_documents(
        &mut self,
        of_stage: &[(&str, &str)],
        is_looked_through: impl Fn(&str) -> bool,
    ) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        let mut made_at: Vec<(String, PathBuf)> = Vec::new();
        while self.governed.record.standing == Standing::Open {
            self.closes_all().await;
            let stage = self.governed.record.stage().map_or_else(|| "before".to_owned(), |entry| entry.stage.clone());
            let folder = self.estate.path().join("checked").join(&stage);
            let mut documents = Vec::new();
            let by = self.world.worker(Side::Organisation);
            for (name, _) in of_stage.iter().filter(|(_, at)| *at == stage) {
                self.governed.by(&by);
                let made = self.governed.make_document(name, (&[], false), None, &folder).await;
                let made = made.unwrap_or_else(|error| panic!("{name} in {stage}: {error}"));
                let again = self.governed.make_document(name, (&[], false), Some(1), Path::new("again")).await.unwrap();
                let digests =
                    |made: &DocumentMade| made.files.iter().map(|(_, digest)| digest.clone()).collect::<Vec<_>>();
                assert_eq!(digests(&again), digests(&made), "{name}: the same record gives the same bytes");
                let got = self.governed.get_document(name, Some(1), Path::new("got")).await.unwrap();
                assert_eq!(digests(&got), digests(&made), "{name}: what was issued is given out again");
                if is_looked_through(name) {
                    documents.push((made, None));
                }
                made_at.push(((*name).to_owned(), folder.clone()));
            }
            self.world.record = self.governed.record.clone();
            self.exports(&folder, &documents).await;
            folders.push(folder);
            self.passes().await;
            self.world.later(6);
            self.plays().await;
            if stage == "readiness" || stage == "running" {
                project::goes_on(&mut self.world);
                self.plays().await;
            }
        }
        assert_eq!(made_at.len(), of_stage.len(), "{made_at:?}");
        folders
    }
}

/// What is made is kept in the folder of this name, where it is set, to be looked at.
const KEPT: &str = "WHIMBREL_DOCUMENTS";

fn run_check(folders: &[PathBuf]) -> std::process::Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programme_check.py");
    Command::new(PYTHON).arg(script).args(folders).output().unwrap()
}

fn check(folders: &[PathBuf]) {
    if let Some(kept) = std::env::var_os(KEPT) {
        for folder in folders {
            let to = Path::new(&kept).join(folder.file_name().unwrap());
            std::fs::create_dir_all(&to).unwrap();
            for file in std::fs::read_dir(folder).unwrap().flatten() {
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    }
    let found = run_check(folders);
    assert!(
        found.status.success(),
        "{}{}",
        String::from_utf8_lossy(&found.stdout),
        String::from_utf8_lossy(&found.stderr)
    );
}

#[tokio::test]
async fn documents_of_a_managed_project_are_found_again_in_its_record() {
    if !has_its_programs() {
        return;
    }
    let of_stage = project::FITTING.map(|(name, stage, _)| (name, stage));
    let mut script = Box::pin(Script::of("managed", 300, 40)).await;
    let folders = Box::pin(script.makes_documents(&of_stage, |_| true)).await;
    // A version that has been superseded says so, and by which.
    let folder = script.estate.path().join("checked/superseded");
    let by = script.world.worker(Side::Organisation);
    script.governed.by(&by);
    let second = script.governed.make_document("lessons", (&[], false), None, &folder).await.unwrap();
    let first = script.governed.make_document("lessons", (&[], false), Some(1), &folder).await.unwrap();
    assert_eq!((first.superseded_by, second.superseded_by), (Some(2), None));
    script.exports(&folder, &[(first, Some(2)), (second, None)]).await;
    check(&folders.iter().chain([&folder]).cloned().collect::<Vec<_>>());
    // And it is no check that finds everything: not in the record of somebody else, or of another day.
    let plan = script.estate.path().join("checked/readiness");
    let record = std::fs::read_to_string(plan.join("record.json")).unwrap();
    for (one, other) in [("Raghunathan", "Somebody"), ("2026-05-11", "2026-05-12"), ("2026-02-20", "2026-02-26")] {
        assert!(record.contains(one), "{one}");
        std::fs::write(plan.join("record.json"), record.replace(one, other)).unwrap();
        let shown = std::fs::read_to_string(plan.join("shown.json")).unwrap();
        std::fs::write(plan.join("shown.json"), shown.replace(one, other)).unwrap();
        assert!(!run_check(std::slice::from_ref(&plan)).status.success(), "{one} is not missed");
        std::fs::write(plan.join("shown.json"), shown).unwrap();
    }
}

#[tokio::test]
async fn documents_of_a_self_project_are_found_again_in_its_record() {
    if !has_its_programs() {
        return;
    }
    let mut script = Box::pin(Script::of("self", 90, 70)).await;
    let is_whole = whole::is_whole();
    let is_looked_through = |name: &str| is_whole || OTHER_IN_SELF.contains(&name);
    let folders = Box::pin(script.makes_documents(&OF_SELF, is_looked_through)).await;
    check(&folders);
}
