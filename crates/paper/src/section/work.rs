//! What is done: tasks, deliverables, gates, decisions, and the evidence of each.

use std::collections::BTreeMap;

use document::{Cell, Tone};
use programme::{
    Assessment, DeliverableRow, DeliverableState, EvidenceHeld, Gate, Item, MetBy, StatusRow, Subject, TaskState,
    Verdict, Word, deliverables, gaps, response_times, rounds, status,
};

use crate::ground::Ground;
use crate::paper::{Paper, columns, date, number, text, verdict};
use crate::words;

impl Ground<'_> {
    /// Every task as it stands.
    pub(crate) fn status(&self) -> Vec<StatusRow> {
        status(self.scope.programme, self.record(), self.of.facts, self.today())
    }

    /// Tasks in a table.
    pub(crate) fn tasks_table(&self, paper: &mut Paper, caption: &str, tasks: &[&StatusRow], empty: &str) {
        let row = |task: &&StatusRow| {
            vec![
                task.title.as_str().into(),
                words::sides(&task.sides).into(),
                text(task.owner.as_deref().map(|owner| self.person(owner))),
                date(task.forecast),
                verdict(words::task_state(task.state, task.is_late)),
            ]
        };
        let rows = tasks.iter().map(row).collect();
        let columns = columns([("Task", 42), ("Side", 18), ("Owner", 18), ("Forecast", 15), ("State", 13)]);
        paper.table(caption, columns, rows, empty);
    }

    /// Tasks with all that was said of them: who did them, who checked them, with what.
    pub(crate) fn full_tasks_table(&self, paper: &mut Paper, caption: &str, tasks: &[&StatusRow], empty: &str) {
        let row = |task: &&StatusRow| {
            let record = self.record().tasks.get(&task.task);
            let done = |side: &programme::Side| {
                let said = record.and_then(|record| record.done.get(side));
                let by = said.map(|said| format!(": {}", self.said(said))).unwrap_or_default();
                format!("{}{by}", words::side(*side))
            };
            let (tone, word) = words::task_state(task.state, task.is_late);
            let dropped = record.and_then(|record| record.dropped.as_ref());
            let why = dropped.map(|struck| {
                let day = words::day(words::day_of(struck.at));
                format!(": {} ({}, {day})", struck.why, self.person(&struck.who))
            });
            let answer = record.and_then(|record| record.rounds.last()).and_then(|round| round.answer.as_ref());
            vec![
                task.title.as_str().into(),
                task.sides.iter().map(done).collect::<Vec<_>>().join("\n").into(),
                text(task.owner.as_deref().map(|owner| self.person(owner))),
                date(task.forecast),
                Cell::Verdict(tone, format!("{word}{}", why.unwrap_or_default())),
                answer.map(|answer| self.said(&answer.said)).unwrap_or_default().into(),
                task.evidence.join("\n").into(),
            ]
        };
        let rows = tasks.iter().map(row).collect();
        let columns = columns([
            ("Task", 26),
            ("Side, and who did it", 18),
            ("Owner", 13),
            ("Forecast", 11),
            ("State", 10),
            ("Checked by", 12),
            ("Evidence", 12),
        ]);
        paper.table(caption, columns, rows, empty);
    }

    /// Tasks without owner or forecast.
    pub(crate) fn gaps_table(&self, paper: &mut Paper) {
        let gaps = gaps(self.scope.programme, self.record(), self.of.facts);
        let row = |gap: &programme::Gap| {
            let missing = |lacks: bool| {
                if lacks { Cell::Verdict(Tone::Caution, "Missing".to_owned()) } else { "Recorded".into() }
            };
            vec![gap.title.as_str().into(), missing(gap.lacks_owner), missing(gap.lacks_forecast)]
        };
        let rows = gaps.iter().map(row).collect();
        let columns = columns([("Task", 60), ("Owner", 20), ("Forecast", 20)]);
        paper.table("Tasks without owner or forecast", columns, rows, "Every open task has an owner and a forecast.");
    }

    /// Rounds of submission and validation, with the time of each side.
    pub(crate) fn rounds_table(&self, paper: &mut Paper) {
        let times = response_times(self.record());
        let hours = |hours: Option<i64>, most: Option<i64>| match (hours, most) {
            (Some(hours), Some(most)) => format!("{hours} hours on average, {most} at most"),
            _ => String::new(),
        };
        paper.facts(vec![
            ("Rounds", times.rounds.to_string()),
            ("Validation took", hours(times.validated_hours, times.validated_hours_max)),
            ("Correction took", hours(times.corrected_hours, times.corrected_hours_max)),
        ]);
        let titles: BTreeMap<&str, &str> = self.scope.tasks().into_iter().map(|task| (task.id, task.title)).collect();
        let row = |time: &programme::RoundTime| {
            let round = self.record().tasks.get(&time.task);
            let round = round.and_then(|task| task.rounds.iter().find(|round| round.number == time.round));
            let answer = round.and_then(|round| round.answer.as_ref());
            let found = match time.verdict {
                None => (Tone::Neutral, "Waits"),
                Some(Verdict::Yes) => (Tone::Good, "As it should be"),
                Some(Verdict::No) => (Tone::Caution, "Sent back"),
            };
            vec![
                titles.get(time.task.as_str()).copied().unwrap_or(&time.task).into(),
                number(u64::from(time.round)),
                round.map(|round| self.said(&round.submitted)).unwrap_or_default().into(),
                answer.map(|answer| self.said(&answer.said)).unwrap_or_default().into(),
                time.validated_hours.map_or_else(|| Cell::from(""), Cell::Number),
                verdict(found),
                answer.map(|answer| answer.said.note.as_str()).unwrap_or_default().into(),
            ]
        };
        let rows = rounds(self.record()).iter().map(row).collect();
        let columns = columns([
            ("Task", 26),
            ("Round", 8),
            ("Submitted by", 17),
            ("Answered by", 17),
            ("Hours", 8),
            ("Found", 12),
            ("Said", 14),
        ]);
        paper.table("Rounds of validation", columns, rows, "Nothing was submitted for validation yet.");
    }

    /// Results of what tasks ask about, and of what the system looked at itself.
    pub(crate) fn results_table(&self, paper: &mut Paper, caption: &str, is_asked: impl Fn(&str) -> bool) {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for task in self.scope.tasks().into_iter().filter(|task| is_asked(task.stage)) {
            for item in task.items {
                let answer = task.record.and_then(|record| record.items.get(item)).and_then(|answers| answers.last());
                let (found, said, note) = match answer {
                    Some(answer) => {
                        (verdict(words::outcome(answer.outcome)), self.said(&answer.said), answer.said.note.clone())
                    }
                    None => (words::NOT_RECORDED.into(), String::new(), String::new()),
                };
                rows.push(vec![task.title.into(), item.as_str().into(), found, note.into(), said.into()]);
            }
            if let Some(check) = task.record.and_then(|record| record.checks.last()) {
                let found = if check.is_met { (Tone::Good, "Met") } else { (Tone::Alert, "Not met") };
                let mut seen = vec![check.text.clone()];
                seen.extend(check.offenders.iter().cloned());
                let said = format!("The system, {}", words::day(words::day_of(check.at)));
                rows.push(vec![
                    task.title.into(),
                    "Checked by the system".into(),
                    verdict(found),
                    seen.join("\n").into(),
                    said.into(),
                ]);
            }
        }
        let columns = columns([("Task", 26), ("What", 24), ("Result", 13), ("Seen", 20), ("By", 17)]);
        paper.table(caption, columns, rows, "No task asks for a result.");
    }

    /// Every deliverable as it stands.
    pub(crate) fn deliverables(&self) -> Vec<DeliverableRow> {
        deliverables(self.scope.programme, self.record(), self.today())
    }

    /// Deliverables in a table.
    pub(crate) fn deliverables_table(
        &self,
        paper: &mut Paper,
        caption: &str,
        is_asked: impl Fn(&DeliverableRow) -> bool,
        empty: &str,
    ) {
        let row = |row: DeliverableRow| {
            let delivered = row.delivered.as_ref().map(|(day, who)| {
                let version = row.version.map(|version| format!(" (version {version})")).unwrap_or_default();
                format!("{}, {}{version}", self.person(who), words::day(*day))
            });
            let answered = row
                .answered
                .as_ref()
                .map(|(day, who, of)| format!("{} ({}), {}", self.person(who), self.role(of), words::day(*day)));
            let due = row.due.map_or_else(
                || row.stage.as_ref().map_or_else(String::new, |stage| format!("In {}", self.stage(stage))).into(),
                Cell::Date,
            );
            let state = words::deliverable_state(row.state, row.is_late);
            vec![
                row.title.as_str().into(),
                words::side(row.side).into(),
                due,
                delivered.unwrap_or_default().into(),
                answered.unwrap_or_default().into(),
                verdict(state),
            ]
        };
        let rows = self.deliverables().into_iter().filter(is_asked).map(row).collect();
        let columns = columns([
            ("Deliverable", 26),
            ("Handed over by", 15),
            ("Due", 14),
            ("Handed over", 17),
            ("Answered by", 17),
            ("State", 11),
        ]);
        paper.table(caption, columns, rows, empty);
    }

    /// What a gate asks, as it stands.
    pub(crate) fn gate_table(&self, paper: &mut Paper, gate: &Gate) {
        let Some(assessed) = self.assess(gate) else { return };
        self.gate_verdict(paper, &assessed);
        self.items_table(paper, &format!("What is asked: {}", gate.title), &assessed.items);
    }

    /// Whether a gate is open, in a sentence.
    pub(crate) fn gate_verdict(&self, paper: &mut Paper, assessed: &Assessment) {
        let open = assessed.open().count();
        let all = words::count(assessed.items.len(), "criterion", "criteria");
        let passed = self.record().gates.get(&assessed.gate).and_then(|gate| gate.passed.as_ref());
        match passed {
            Some(pass) => {
                let (role, said) = (self.role(&pass.role), self.said(&pass.said));
                paper.note(Tone::Good, format!("{}: passed by {said}, as {role}.", assessed.title));
            }
            None if open == 0 => paper.note(Tone::Good, format!("{}: each of {all} is met.", assessed.title)),
            None => paper.note(Tone::Caution, format!("{}: {open} of {all} still open.", assessed.title)),
        }
    }

    /// Criteria in a table.
    pub(crate) fn items_table(&self, paper: &mut Paper, caption: &str, items: &[Item]) {
        let row = |item: &Item| {
            let state = match (item.is_met, item.is_refused) {
                (true, _) => (Tone::Good, "Met"),
                (false, true) => (Tone::Alert, "Refused"),
                (false, false) => (Tone::Caution, "Open"),
            };
            let holders =
                if item.holders.is_empty() { String::new() } else { format!(": {}", item.holders.join(", ")) };
            let seen = if item.is_met { self.met_by(item) } else { words::capital(&words::with_days(&item.by)) };
            let closes = if item.is_met { String::new() } else { words::capital(&item.closes) };
            vec![
                item.title.as_str().into(),
                verdict(state),
                seen.into(),
                format!("{}{holders}", self.role(&item.owner)).into(),
                closes.into(),
            ]
        };
        let rows = items.iter().map(row).collect();
        let columns =
            columns([("Criterion", 26), ("State", 10), ("By what", 26), ("Answers for it", 20), ("To close it", 18)]);
        paper.table(caption, columns, rows, "Nothing is asked.");
    }

    /// What meets a criterion, with names and days.
    fn met_by(&self, item: &Item) -> String {
        let record = self.record();
        let words_of = |words: BTreeMap<&str, &Word>| {
            let said: Vec<String> =
                words.values().map(|word| format!("{} ({})", self.said(&word.said), self.role(&word.of))).collect();
            said.join("; ")
        };
        let met_by = self.scope.criterion(&item.criterion).map(|criterion| &criterion.met_by);
        let text = match met_by {
            Some(MetBy::SignedBy(_) | MetBy::Sides(_)) => {
                format!("Signed: {}", words_of(record.words_on(&item.criterion)))
            }
            Some(MetBy::Prerequisites(_)) => format!("Signed off: {}", words_of(record.words_on(&item.criterion))),
            Some(MetBy::Deliverable(id)) => {
                let version = record.deliverables.get(id).and_then(|kept| kept.current());
                let answer = version.and_then(|version| version.answer());
                let said = version.zip(answer).map(|(version, word)| {
                    format!(
                        "Version {} by {}; accepted by {} ({})",
                        version.version,
                        self.said(&version.delivered),
                        self.said(&word.said),
                        self.role(&word.of)
                    )
                });
                said.unwrap_or_else(|| words::capital(&words::with_days(&item.by)))
            }
            Some(MetBy::Task(id)) => {
                let done = record.tasks.get(id).into_iter().flat_map(|task| &task.done);
                let done: Vec<String> = done.map(|(_, said)| self.said(said)).collect();
                if done.is_empty() {
                    words::capital(&words::with_days(&item.by))
                } else {
                    format!("Done: {}", done.join("; "))
                }
            }
            Some(MetBy::Filled(roles)) => {
                let holders: Vec<&str> = roles.iter().flat_map(|role| record.holders(role)).collect();
                holders.join(", ")
            }
            Some(MetBy::Decision(name)) => {
                let decision = record.decisions.get(name).and_then(|decisions| decisions.last());
                decision.map_or_else(
                    || words::capital(&words::with_days(&item.by)),
                    |decision| format!("{}, decided by {}", words::capital(&decision.outcome), decision.by),
                )
            }
            _ => words::capital(&words::with_days(&item.by)),
        };
        if text.trim().is_empty() { words::capital(&words::with_days(&item.by)) } else { text }
    }

    /// Gates that were passed.
    pub(crate) fn gates_table(&self, paper: &mut Paper) {
        let rows = self.scope.gates().into_iter().map(|gate| {
            let kept = self.record().gates.get(&gate.id);
            let asked = kept.and_then(|kept| kept.asked.iter().rev().find(|ask| ask.struck.is_none()));
            let passed = kept.and_then(|kept| kept.passed.as_ref());
            let state = if passed.is_some() { (Tone::Good, "Passed") } else { (Tone::Neutral, "To come") };
            vec![
                gate.title.as_str().into(),
                verdict(state),
                asked.map(|ask| self.said(&ask.said)).unwrap_or_default().into(),
                passed
                    .map(|pass| format!("{} ({})", self.said(&pass.said), self.role(&pass.role)))
                    .unwrap_or_default()
                    .into(),
            ]
        });
        let columns = columns([("Gate", 32), ("State", 12), ("Asked for by", 24), ("Passed by", 32)]);
        paper.table("Gates", columns, rows.collect(), "The type has no gates.");
    }

    /// Decisions, the one that counts of each last.
    pub(crate) fn decisions_table(&self, paper: &mut Paper) {
        let mut decisions: Vec<(&str, &programme::Decision)> = Vec::new();
        for (name, made) in &self.record().decisions {
            decisions.extend(made.iter().map(|decision| (name.as_str(), decision)));
        }
        decisions.sort_by_key(|(name, decision)| (decision.said.at, *name));
        let row = |(name, decision): &(&str, &programme::Decision)| {
            let tone = if decision.verdict == Verdict::Yes { Tone::Good } else { Tone::Alert };
            vec![
                words::of_id(name).into(),
                Cell::Verdict(tone, format!("{}: {}", words::verdict(decision.verdict), decision.outcome)),
                decision.by.as_str().into(),
                decision.said.note.as_str().into(),
                self.said(&decision.said).into(),
            ]
        };
        let rows = decisions.iter().map(row).collect();
        let columns =
            columns([("Decision", 24), ("What was decided", 24), ("By", 16), ("Why", 18), ("Recorded by", 18)]);
        paper.table("Decisions", columns, rows, "No decision is recorded.");
    }

    /// What people and sides said yes or no to.
    pub(crate) fn words_table(&self, paper: &mut Paper, caption: &str, is_asked: impl Fn(&str) -> bool, empty: &str) {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for (criterion, said) in self.record().words.iter().filter(|(criterion, _)| is_asked(criterion)) {
            let known = self.scope.criterion(criterion);
            let title = known.map_or_else(|| words::of_id(criterion), |known| known.title.clone());
            for word in said {
                let tone = if word.verdict == Verdict::Yes { Tone::Good } else { Tone::Alert };
                rows.push(vec![
                    title.as_str().into(),
                    Cell::Verdict(tone, words::verdict(word.verdict).to_owned()),
                    self.person(&word.said.who).into(),
                    self.role(&word.of).into(),
                    words::day_of(word.said.at).into(),
                    word.said.note.as_str().into(),
                ]);
            }
        }
        let columns = columns([("What", 30), ("Word", 9), ("By", 19), ("As", 18), ("On", 12), ("Said", 12)]);
        paper.table(caption, columns, rows, empty);
    }

    /// Pieces of evidence that count, with their digests.
    pub(crate) fn evidence_table(&self, paper: &mut Paper, caption: &str, is_asked: impl Fn(&EvidenceHeld) -> bool) {
        let row = |held: &EvidenceHeld| {
            let note = if held.evidence.note.trim().is_empty() { "" } else { "\n" };
            vec![
                format!("{}{note}{}", held.evidence.name, held.evidence.note.trim()).into(),
                self.subject(&held.on).into(),
                held.evidence.digest.as_str().into(),
                number(held.evidence.size_bytes),
                format!("{}, {}", self.person(&held.who), words::day(words::day_of(held.at))).into(),
            ]
        };
        let held = self.record().evidence.iter().filter(|held| held.struck.is_none() && is_asked(held));
        let rows = held.map(row).collect();
        let columns = columns([("Evidence", 22), ("Of", 24), ("SHA-256", 26), ("Bytes", 10), ("Given by", 18)]);
        paper.table(caption, columns, rows, "No evidence is recorded.");
    }

    /// What evidence is about.
    fn subject(&self, on: &Subject) -> String {
        let task = |id: &str| self.scope.task(id).map_or_else(|| words::of_id(id), |task| task.title.to_owned());
        match on {
            Subject::Task(id) => task(id),
            Subject::Deliverable(id) => {
                self.scope.deliverable(id).map_or_else(|| words::of_id(id), |known| known.title.clone())
            }
            Subject::Criterion(id) => {
                self.scope.criterion(id).map_or_else(|| words::of_id(id), |known| known.title.clone())
            }
            Subject::Gate(id) => self.scope.gate(id).map_or_else(|| words::of_id(id), |gate| gate.title.clone()),
            Subject::Decision(name) => format!("Decision: {}", words::of_id(name)),
            Subject::Form(id) => {
                let form = self.scope.programme.forms.iter().find(|form| form.id == *id);
                form.map_or_else(|| words::of_id(id), |form| form.title.clone())
            }
            Subject::Row(id) => {
                let title = self.record().rows.get(id).and_then(|row| row.field("title"));
                title.map_or_else(|| words::of_id(id), |title| format!("{}: {title}", words::of_id(id)))
            }
            Subject::Pilot(person) => format!("Person of the pilot: {person}"),
            Subject::Project => "The project".to_owned(),
        }
    }

    /// Is this task one that still waits for somebody?
    pub(crate) fn is_open(task: &StatusRow) -> bool {
        matches!(task.state, TaskState::Open | TaskState::Returned | TaskState::Submitted)
    }

    /// Is this deliverable done with?
    pub(crate) fn is_accepted(row: &DeliverableRow) -> bool {
        row.state == DeliverableState::Accepted
    }
}

/// How far the tasks of each workstream are.
pub(crate) fn workstreams_table(paper: &mut Paper, tasks: &[StatusRow]) {
    let mut streams: Vec<(&str, [u64; 3])> = Vec::new();
    for task in tasks.iter().filter(|task| task.state != TaskState::Dropped) {
        let place = streams.iter().position(|(name, _)| *name == task.workstream).unwrap_or_else(|| {
            streams.push((&task.workstream, [0; 3]));
            streams.len() - 1
        });
        let counts = &mut streams[place].1;
        counts[0] += 1;
        counts[1] += u64::from(!Ground::is_open(task));
        counts[2] += u64::from(task.is_late);
    }
    let row = |(name, [all, done, late]): &(&str, [u64; 3])| {
        let state = match (late, all == done) {
            (0, true) => (Tone::Good, "Complete"),
            (0, false) => (Tone::Neutral, "Open"),
            _ => (Tone::Alert, "Late"),
        };
        vec![(*name).into(), number(*all), number(*done), number(*late), verdict(state)]
    };
    let rows = streams.iter().map(row).collect();
    let columns = columns([("Workstream", 44), ("Tasks", 12), ("Complete", 14), ("Late", 12), ("State", 18)]);
    paper.table("Tasks by workstream", columns, rows, "The project has no tasks.");
}
