//! Who signs a document, who has, and what was said of it.

use document::{Cell, Tone};
use programme::Verdict;

use crate::ground::Ground;
use crate::paper::{Paper, columns, number, verdict};
use crate::words;

impl Ground<'_> {
    /// Room for signatures, or who has signed; a draft is not signed.
    pub(crate) fn signing(&self, paper: &mut Paper) {
        paper.part("Signatures");
        if self.of.is_draft {
            paper.says("A draft is not signed.");
            return;
        }
        let signed = self.signed();
        paper.signatures(self.signature_lines());
        let row = |signed: &crate::ground::Signed<'_>| {
            let version = self.version_at(signed.said.at);
            let file = version.and_then(|version| version.files.first());
            vec![
                signed.role.as_str().into(),
                self.person(&signed.said.who).into(),
                words::day_of(signed.said.at).into(),
                version.map_or_else(|| Cell::from(words::NOT_RECORDED), |version| number(u64::from(version.version))),
                file.map_or(words::NOT_RECORDED, |file| file.digest.as_str()).into(),
                signed.said.note.as_str().into(),
            ]
        };
        let rows: Vec<Vec<Cell>> = signed.iter().map(row).collect();
        if !rows.is_empty() {
            let columns = columns([
                ("Role", 20),
                ("Name", 18),
                ("Signed on", 14),
                ("Version then", 10),
                ("SHA-256 of that version", 24),
                ("Said", 14),
            ]);
            paper.table("What was signed", columns, rows, "");
        }
    }

    /// Every time that the document was handed over, and what was said of it.
    pub(crate) fn handed_over(&self, paper: &mut Paper) {
        let Some(known) = self.deliverable() else { return };
        let versions = self.record().deliverables.get(&known.id).map(|kept| kept.versions.as_slice());
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for version in versions.unwrap_or_default() {
            let handed = vec![
                number(u64::from(version.version)),
                "Handed over".into(),
                self.person(&version.delivered.who).into(),
                words::side(version.side).into(),
                words::day_of(version.delivered.at).into(),
                version.delivered.note.as_str().into(),
            ];
            rows.push(handed);
            rows.extend(version.answers.iter().map(|word| {
                let said = match word.verdict {
                    Verdict::Yes => (Tone::Good, "Accepted"),
                    Verdict::No => (Tone::Alert, "Not accepted"),
                };
                vec![
                    number(u64::from(version.version)),
                    verdict(said),
                    self.person(&word.said.who).into(),
                    self.role(&word.of).into(),
                    words::day_of(word.said.at).into(),
                    word.said.note.as_str().into(),
                ]
            }));
        }
        let columns =
            columns([("Handed over as", 12), ("What happened", 17), ("By", 20), ("As", 20), ("On", 14), ("Said", 17)]);
        paper.table("Versions that were handed over", columns, rows, "None yet.");
    }

    /// Earlier versions of this document.
    pub(crate) fn history(&self, paper: &mut Paper) {
        let row = |version: &programme::DocumentVersion| {
            let files: Vec<String> =
                version.files.iter().map(|file| format!("{}: {}", file.name, file.digest)).collect();
            vec![
                number(u64::from(version.version)),
                if version.is_draft { "Draft" } else { "Complete" }.into(),
                words::day_of(version.made.at).into(),
                self.person(&version.made.who).into(),
                files.join("\n").into(),
            ]
        };
        let rows: Vec<Vec<Cell>> = self.versions().map(row).collect();
        if !rows.is_empty() {
            paper.part("Earlier versions");
            let columns =
                columns([("Version", 10), ("Kind", 12), ("Made on", 16), ("By", 22), ("Files and their SHA-256", 40)]);
            paper.table("Versions of this document", columns, rows, "");
        }
    }
}
