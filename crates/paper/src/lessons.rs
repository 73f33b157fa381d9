//! Lessons for everybody: nothing in them says of whom they are.

use document::{Block, Cell};
use programme::{ExportedLesson, export_lessons};

use crate::Papers;
use crate::paper::{Paper, columns, text};
use crate::words;

pub(crate) fn blocks(of: &Papers<'_>) -> Vec<Block> {
    let mut paper = Paper::default();
    let lessons = export_lessons(of.record);
    paper.part("What these lessons are");
    paper.says(
        "One migration learned this, for those that come after it. The organisation and its people are not named; \
         whatever named them in a text is replaced.",
    );
    paper.facts(vec![("Lessons", lessons.len().to_string())]);
    paper.part("Lessons");
    let row = |lesson: &ExportedLesson| -> Vec<Cell> {
        let field = |name: &str| lesson.fields.get(name).map(String::as_str);
        let stage = field("stage").map(|id| {
            let stage = of.programme.stages.iter().find(|stage| stage.id == id);
            stage.map_or_else(|| words::of_id(id), |stage| stage.title.clone())
        });
        let more = [field("of"), field("note")].into_iter().flatten().filter(|more| !more.trim().is_empty());
        vec![
            text(field("title").map(words::capital)),
            text(field("text").map(words::capital)),
            text(stage),
            more.collect::<Vec<_>>().join("\n").into(),
        ]
    };
    let rows = lessons.iter().map(row).collect();
    let columns = columns([("Lesson", 24), ("What was learned", 40), ("Stage", 16), ("More", 20)]);
    paper.table("Lessons learned", columns, rows, "No lesson is recorded.");
    paper.blocks()
}
