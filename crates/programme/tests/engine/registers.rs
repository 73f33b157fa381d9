//! Registers: fields, staleness, missed calls and boards, risks to dates, changes, lessons, questions.

use jiff::civil::date;
use programme::{
    Action, Change, Register, Rule, Side, Verdict, export_lessons, missed, questions, state_of, states, without_names,
};

use crate::world::{World, invented, row};

fn add(register: Register, fields: &[(&str, &str)]) -> Action {
    Action::AddRow { register, fields: row(fields) }
}

#[test]
fn a_log_is_stale_after_seven_days() {
    let mut world = World::staffed(invented(), "guided");
    let state = |world: &World| state_of(&world.programme, &world.record, Register::Risks, world.today());
    assert!(state(&world).against().unwrap().contains("nobody looked through it"));
    world.does("lead", add(Register::Risks, &[("title", "Snow"), ("action", "Salt")]));
    for (days, is_stale) in [(6, false), (7, false), (8, true)] {
        let mut later = world.clone();
        later.later(days);
        assert_eq!(state(&later).is_stale, is_stale, "{days} days");
    }
    world.later(8);
    world.does("lead", Action::Review { register: Register::Risks });
    assert!(!state(&world).is_stale);
    assert_eq!(state(&world).against(), None);
}

#[test]
fn rows_have_the_fields_of_their_register() {
    let mut world = World::staffed(invented(), "guided");
    for (register, fields) in [
        (Register::Risks, &[("impact", "high")][..]),
        (Register::Risks, &[("title", "Snow"), ("impact", "cold")]),
        (Register::Risks, &[("title", "Snow"), ("weather", "cold")]),
        (Register::Calls, &[("title", "Call"), ("held", "yesterday")]),
        (Register::Orders, &[("title", "Ten"), ("item", "x"), ("quantity", "ten"), ("what", "order")]),
        (Register::Applications, &[("title", "Scanner"), ("protocol", "SMTP")]),
        (Register::Contacts, &[("title", "Jo"), ("side", "nobody"), ("level", "1"), ("reach", "1")]),
    ] {
        world.is_refused("lead", add(register, fields), Rule::Incomplete.name());
    }
    world.is_refused("lead", add(Register::Risks, &[("title", "x"), ("threatens", "no-date")]), Rule::Unknown.name());
}

#[test]
fn rows_are_changed_settled_and_withdrawn_and_nothing_of_them_is_lost() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", add(Register::TechnicalIssues, &[("title", "Slow disk")]));
    let id = || "technical-issue-1".to_owned();
    world.does("guide", Action::ChangeRow { row: id(), fields: row(&[("action", "Replace it")]) });
    world.does("guide", Action::SettleRow { row: id(), verdict: Verdict::Yes, text: "replaced".into() });
    world.does("lead", Action::WithdrawRow { row: id(), why: "written twice".into() });
    let kept = &world.record.rows["technical-issue-1"];
    assert_eq!(kept.before[0].0, row(&[("title", "Slow disk")]));
    assert_eq!(kept.before[0].1.who, "guide");
    assert_eq!(kept.struck.as_ref().unwrap().why, "written twice");
    world.is_refused("lead", Action::WithdrawRow { row: id(), why: "again".into() }, Rule::NotNow.name());
    world.does("lead", add(Register::TechnicalIssues, &[("title", "Slow disk")]));
    assert!(world.record.rows.contains_key("technical-issue-2"), "numbers are used once");
}

#[test]
fn a_risk_to_a_date_is_told_to_the_provider_at_once() {
    let mut world = World::staffed(invented(), "guided");
    let set = Action::SetDate { name: "live".into(), day: date(2026, 6, 1), is_agreed: true, why: None };
    world.does("lead", set);
    world.does("lead", add(Register::Risks, &[("title", "Snow")]));
    assert!(world.record.told.is_empty());
    assert_eq!(world.record.rows["risk-1"].field("owner"), Some("provider"), "the type says who owns risks");
    world.does("lead", add(Register::Risks, &[("title", "Strike"), ("threatens", "live")]));
    world.does("lead", Action::ChangeRow { row: "risk-1".into(), fields: row(&[("threatens", "live")]) });
    world.does("lead", Action::ChangeRow { row: "risk-1".into(), fields: row(&[("action", "Salt")]) });
    let told: Vec<_> = world.record.told.iter().map(|(side, row, said)| (*side, row.as_str(), &*said.note)).collect();
    let text = |title| format!("A risk to the date live (2026-06-01): {title}");
    assert_eq!(told, [(Side::Provider, "risk-2", &*text("Strike")), (Side::Provider, "risk-1", &*text("Snow"))]);
    let mut world = World::staffed(invented(), "own");
    world.does("lead", add(Register::Risks, &[("title", "Strike"), ("threatens", "go")]));
    assert_eq!(world.record.rows["risk-1"].field("owner"), Some("organisation"));
    assert_eq!(world.record.told[0].0, Side::Authority, "no provider takes part");
}

#[test]
fn an_agreed_date_is_not_moved_without_a_reason() {
    let mut world = World::staffed(invented(), "guided");
    let set = |day, why: Option<&str>| Action::SetDate {
        name: "live".into(),
        day,
        is_agreed: true,
        why: why.map(str::to_owned),
    };
    world.does("lead", set(date(2026, 6, 1), None));
    world.is_refused("lead", set(date(2026, 6, 8), None), Rule::Incomplete.name());
    world.does("lead", set(date(2026, 6, 8), Some("snow")));
    assert_eq!(world.record.dates["live"].len(), 2);
}

#[test]
fn missed_calls_and_boards_are_named_by_the_day_they_were_due() {
    let mut world = World::staffed(invented(), "guided");
    let calls = |world: &World| missed(&world.programme, &world.record, Register::Calls, world.today());
    let boards = |world: &World| missed(&world.programme, &world.record, Register::Boards, world.today());
    world.later(30);
    assert!(calls(&world).is_empty(), "none is due before the second stage");
    world.reaches("prepare");
    let began = world.today();
    assert_eq!(began, date(2026, 3, 4));
    world.later(7);
    assert!(calls(&world).is_empty(), "the last day is not over");
    world.later(1);
    assert_eq!(calls(&world), [date(2026, 3, 11)]);
    world.does("lead", add(Register::Calls, &[("title", "Call"), ("held", "2026-03-10")]));
    assert!(calls(&world).is_empty());
    world.later(6);
    assert_eq!(world.today(), date(2026, 3, 18));
    assert_eq!(calls(&world), [date(2026, 3, 17)]);
    world.later(14);
    assert_eq!(calls(&world), [date(2026, 3, 17), date(2026, 3, 24), date(2026, 3, 31)]);
    assert!(boards(&world).is_empty());
    world.later(4);
    assert_eq!(boards(&world), [date(2026, 4, 4)]);
}

#[test]
fn a_change_is_decided_by_another_and_says_what_moves() {
    let mut world = World::staffed(invented(), "guided");
    let fields = [("title", "Move Ann"), ("what", "schedule"), ("users", "ann"), ("from", "w1")];
    world.is_refused("lead", add(Register::Changes, &fields), Rule::ChangeNotice.name());
    let whole: Vec<_> = fields.iter().copied().chain([("to", "w2")]).collect();
    world.does("lead", add(Register::Changes, &whole));
    let settle = || Action::SettleRow { row: "change-1".into(), verdict: Verdict::Yes, text: "agreed".into() };
    world.is_refused("guide", settle(), Rule::Incomplete.name());
    world.does("helper", Action::ChangeRow { row: "change-1".into(), fields: row(&[("impact", "small")]) });
    world.is_refused("lead", settle(), Rule::BothSides.name());
    world.is_refused("helper", settle(), Rule::BothSides.name());
    world.does("guide", settle());
    let change = Action::ChangeRow { row: "change-1".into(), fields: row(&[("to", "w3")]) };
    world.is_refused("lead", change, Rule::NotNow.name());
}

#[test]
fn lessons_leave_without_the_organisations_name_in_any_field() {
    let mut world = World::staffed(invented(), "guided");
    for field in ["title", "text", "stage", "of", "note"] {
        let mut fields = row(&[("title", "t"), ("text", "x")]);
        fields.insert(field.into(), "Little  MARSH trust (lm7) told The boss of it".into());
        world.does("lead", Action::AddRow { register: Register::Lessons, fields });
    }
    let exported = export_lessons(&world.record);
    assert_eq!(exported.len(), 5);
    for value in exported.iter().flat_map(|lesson| lesson.fields.values()) {
        let small = value.to_lowercase();
        assert!(!small.contains("marsh") && !small.contains("lm7") && !small.contains("boss"), "{value}");
    }
    assert_eq!(without_names("Straße", &["STRASSE"], "x"), "Straße", "letters are compared one by one");
}

#[test]
fn questions_keep_how_long_their_answer_took() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", add(Register::Questions, &[("title", "Which port?")]));
    world.does("lead", add(Register::Questions, &[("title", "Which day?")]));
    world.later(2);
    world.does("guide", Action::SettleRow { row: "question-1".into(), verdict: Verdict::Yes, text: "993".into() });
    world.later(1);
    let times: Vec<_> =
        questions(&world.record, world.at).iter().map(|time| (time.answered.is_some(), time.hours)).collect();
    assert_eq!(times, [(true, 48), (false, 72)]);
}

#[test]
fn what_is_undecided_is_named() {
    let mut world = World::staffed(invented(), "guided");
    world.does("lead", add(Register::Benefits, &[("title", "Less paper")]));
    world.does("lead", add(Register::Policies, &[("title", "Acceptable use")]));
    let material = [("title", "Slides"), ("audience", "users"), ("what", "material"), ("due", "2026-02-01")];
    world.does("lead", add(Register::Training, &material));
    let undecided: Vec<String> =
        states(&world.programme, &world.record, world.today()).into_iter().flat_map(|state| state.undecided).collect();
    assert_eq!(undecided, ["policy-1 is not approved", "benefit-1 has no baseline", "training-1 is late"]);
    let settle = || Action::SettleRow { row: "policy-1".into(), verdict: Verdict::Yes, text: "approved".into() };
    world.is_refused("lead", settle(), Rule::Incomplete.name());
    let fields = row(&[("owner", "Ida"), ("approved-by", "The board"), ("approved", "2026-02-02")]);
    world.does("lead", Action::ChangeRow { row: "policy-1".into(), fields });
    world.does("lead", settle());
    world.does("lead", Action::ChangeRow { row: "benefit-1".into(), fields: row(&[("baseline", "9 reams")]) });
    assert_eq!(
        states(&world.programme, &world.record, world.today()).iter().map(|state| state.undecided.len()).sum::<usize>(),
        1
    );
}

#[test]
fn a_call_leaves_a_snapshot_of_the_checklist() {
    let mut world = World::staffed(invented(), "guided");
    world.does(
        "lead",
        Action::Assign { task: "gather".into(), owner: Some("Ida".into()), forecast: Some(date(2026, 3, 1)) },
    );
    let changes = world.does("lead", add(Register::Calls, &[("title", "Call"), ("held", "2026-02-02")]));
    assert!(matches!(&changes[1], Change::SnapshotTaken { call: Some(call), .. } if call == "call-1"));
    let snapshot = &world.record.snapshots[0];
    let line = snapshot.tasks.iter().find(|line| line.task == "gather").unwrap();
    assert_eq!((snapshot.day, line.owner.as_deref(), line.state.as_str()), (date(2026, 2, 2), Some("Ida"), "open"));
}

/// what came is told against what was forecast, by week and by category, with the difference.
#[test]
fn calls_of_the_service_desk_are_told_against_their_forecast() {
    let nhsmail = programme::Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let mut world = World::staffed(nhsmail, "managed");
    let by = "help-desk-lead";
    let seen = |world: &World, switches: &[(jiff::civil::Date, u64)]| {
        programme::desk_seen(&world.programme, &world.record, switches)
    };
    world.does("project-manager", Action::GiveNumbers { sureness: programme::Sureness::Draft, existing: 900, new: 0 });
    let day = |text: &str| -> jiff::civil::Date { text.parse().unwrap() };
    // Two Mondays; everybody in the first week.
    let switches = [(day("2026-03-04"), 900)];
    assert!(seen(&world, &switches).no_forecast.is_some_and(|why| why.contains("ordinary week")));
    let calls = |fields: &[(&str, &str)]| Action::AddRow { register: Register::DeskCalls, fields: row(fields) };
    let ordinary = |category, calls_of| calls(&[("what", "ordinary"), ("category", category), ("calls", calls_of)]);
    let actual = |category, week, calls_of| {
        calls(&[("what", "actual"), ("category", category), ("week", week), ("calls", calls_of)])
    };
    world.does(by, ordinary("calendar", "100"));
    world.does(by, ordinary("mobile devices", "40"));
    // Of some categories alone nothing is known of the week.
    assert!(seen(&world, &switches).no_forecast.is_some_and(|why| why.contains("every category")));
    let list = world.programme.lists.iter().find(|list| list.id == "call-categories").unwrap().lines.clone();
    for category in list.iter().filter(|category| !["calendar", "mobile devices"].contains(&category.as_str())) {
        world.does(by, ordinary(category.as_str(), "0"));
    }
    // The first count of a week was wrong: the last one counts.
    world.does(by, actual("calendar", "2026-03-03", "900"));
    world.does(by, actual("calendar", "2026-03-05", "150"));
    world.does(by, actual("mobile devices", "2026-03-02", "50"));
    world.does(by, actual("login and activation", "2026-03-06", "7"));
    world.does(by, actual("calendar", "2026-05-11", "90"));
    let desk = seen(&world, &switches);
    assert_eq!((desk.ordinary_calls, desk.no_forecast), (Some(140), None));
    let weeks: Vec<_> =
        desk.weeks.iter().map(|week| (week.monday, week.forecast, week.actual, week.difference)).collect();
    // 30 to 40 in a hundred more while people migrate and for four weeks after; then as always.
    assert_eq!(weeks[0], (day("2026-03-02"), Some((182, 196)), Some(207), Some(11)));
    assert_eq!(weeks[1], (day("2026-03-09"), Some((182, 196)), None, None));
    assert_eq!(weeks[5], (day("2026-05-11"), Some((140, 140)), Some(90), None), "not all were counted");
    assert_eq!(weeks.len(), 6);
    let of = |name: &str| desk.categories.iter().find(|one| one.category == name).unwrap();
    assert_eq!(
        (of("calendar").forecast, of("calendar").actual, of("calendar").difference),
        (Some((230, 240)), Some(240), Some(0))
    );
    // Of the weeks in which it was counted.
    assert_eq!((of("mobile devices").forecast, of("mobile devices").difference), (Some((52, 56)), Some(-2)));
    assert_eq!((of("login and activation").actual, of("login and activation").difference), (Some(7), Some(7)));
    assert_eq!((of("shared mailboxes").actual, of("shared mailboxes").difference), (None, None));
    world.is_refused(by, ordinary("the weather", "1"), "unknown");
    let without = calls(&[("what", "actual"), ("category", "calendar"), ("calls", "1")]);
    world.is_refused(by, without, Rule::Incomplete.name());
}

/// the desk knows what to say about what is known, until it is over.
#[test]
fn what_is_known_stands_with_what_to_say_until_it_is_over() {
    let nhsmail = programme::Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let mut world = World::staffed(nhsmail, "self");
    let add = |fields: &[(&str, &str)]| Action::AddRow { register: Register::KnownIssues, fields: row(fields) };
    world.is_refused("help-desk-lead", add(&[("title", "Rooms")]), Rule::Incomplete.name());
    world.does(
        "help-desk-lead",
        add(&[("title", "Rooms are empty"), ("say", "They fill by noon."), ("category", "calendar")]),
    );
    let seen = programme::desk_seen(&world.programme, &world.record, &[]);
    assert_eq!((seen.known_issues.len(), seen.known_issues[0].say.as_str()), (1, "They fill by noon."));
    assert!(seen.answers.iter().any(|answer| answer.contains("two to three hours")), "{:?}", seen.answers);
    let over = Action::SettleRow { row: "known-issue-1".into(), verdict: Verdict::Yes, text: "they are full".into() };
    world.does("help-desk-lead", over);
    assert!(programme::desk_seen(&world.programme, &world.record, &[]).known_issues.is_empty());
}

/// staff that is planned stands beside staff that is needed, week by week.
#[test]
fn staff_of_the_desk_is_planned_against_what_is_needed() {
    let nhsmail = programme::Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let mut world = World::staffed(nhsmail, "managed");
    let by = "help-desk-lead";
    world.does("project-manager", Action::GiveNumbers { sureness: programme::Sureness::Draft, existing: 900, new: 0 });
    let answers = row(&[("help-desk-calls", "1000")]);
    world.does("project-manager", Action::Answer { form: "discovery".into(), answers });
    let weeks = |world: &World| -> Vec<_> {
        let switches = [(date(2026, 3, 4), 900)];
        let seen = programme::desk_seen(&world.programme, &world.record, &switches);
        seen.weeks.iter().map(|week| (week.staff_needed, week.staff_planned, week.staff_lacks)).collect()
    };
    // A thousand calls, 300 to 400 more, a hundred each.
    assert_eq!(weeks(&world), [(Some((3, 4)), None, Some(4)); 5]);
    world.is_refused(by, add(Register::DeskStaff, &[("staff", "3")]), Rule::Incomplete.name());
    world.is_refused(by, add(Register::DeskStaff, &[("from", "2026-03-02"), ("staff", "few")]), "incomplete");
    // From the Monday of the second week on, since of the first a part is over; the last word of a day counts.
    for (from, staff) in [("2026-03-03", "9"), ("2026-03-03", "3"), ("2026-03-16", "5")] {
        world.does(by, add(Register::DeskStaff, &[("from", from), ("staff", staff)]));
    }
    let needed = Some((3, 4));
    assert_eq!(weeks(&world)[..3], [(needed, None, Some(4)), (needed, Some(3), Some(1)), (needed, Some(5), Some(0))]);
    let own = [("from", "2026-03-16"), ("staff", "5"), ("calls-an-agent", "80")];
    world.does(by, add(Register::DeskStaff, &own));
    assert_eq!(weeks(&world)[2], (Some((4, 5)), Some(5), Some(0)), "the number of the desk itself counts");
}

/// what is ordered is of the catalogue.
#[test]
fn what_the_catalogue_has_not_is_not_ordered() {
    let nhsmail = programme::Programme::shipped("nhsmail", "current").unwrap().unwrap();
    let mut world = World::staffed(nhsmail, "managed");
    let order =
        |item| add(Register::Orders, &[("title", "Ten"), ("item", item), ("quantity", "10"), ("what", "order")]);
    let refusal = world.is_refused("project-manager", order("hat"), Rule::Unknown.name());
    assert!(refusal.what.contains("hat") && refusal.advice.contains("conferencing"), "{refusal}");
    world.does("project-manager", order("conferencing"));
}

/// an inventory is read whole or not at all, and what of it is unresolved stands before the cutover.
#[test]
fn applications_of_a_file_are_all_written_or_none() {
    use programme::{ImportedRow, Live};
    let mut world = World::staffed(invented(), "guided");
    let line = |line, fields: &[(&str, &str)], settled: Option<&str>| ImportedRow {
        line,
        fields: row(fields),
        settled: settled.map(str::to_owned),
    };
    let import = |rows: &[ImportedRow]| Action::ImportRows { register: Register::Applications, rows: rows.to_vec() };
    let scanner = line(2, &[("title", "Scanner"), ("owner", "Ida"), ("protocol", "SMTP")], None);
    for (wrong, said) in [
        (line(3, &[("title", "Pager"), ("protocol", "SMTP")], None), "line 3: owner missing"),
        (
            line(3, &[("title", "Pager"), ("owner", "Ida"), ("protocol", "SMTP"), ("hue", "red")], None),
            "line 3: \"hue\"",
        ),
        (
            line(3, &[("title", " scanner"), ("owner", "Ida"), ("protocol", "SMTP")], None),
            "line 3: \"scanner\" is there",
        ),
        (
            line(3, &[("title", "Pager"), ("owner", "Ida"), ("protocol", "SMTP")], Some("done")),
            "line 3: it is resolved",
        ),
    ] {
        let refusal = world.is_refused("lead", import(&[scanner.clone(), wrong]), Rule::Incomplete.name());
        assert!(refusal.what.contains(said), "{refusal}");
    }
    world.is_refused("lead", import(&[]), Rule::Incomplete.name());
    let other = Action::ImportRows { register: Register::Risks, rows: vec![scanner.clone()] };
    world.is_refused("lead", other, Rule::NotNow.name());
    let done = [("title", "Pager"), ("owner", "Ida"), ("protocol", "SMTP"), ("settings", "smtp.example:587")];
    world.does("lead", import(&[scanner.clone(), line(3, &done, Some("resolved, as it says"))]));
    let refusal = world.is_refused("lead", import(&[scanner]), Rule::Incomplete.name());
    assert!(refusal.what.contains("is there already: application-1"), "{refusal}");
    // The gate before live asks for them, and so does each cutover after it.
    world.reaches("try");
    while let Some(id) = world.open().into_iter().find(|id| id != "programs-settled") {
        world.close(&id);
    }
    assert_eq!(world.open(), ["programs-settled"]);
    assert!(world.may(Live::SwitchPilot).unwrap_err().what.contains("1 applications are unresolved: application-1"));
    let fields = row(&[("settings", "smtp.example:587")]);
    world.does("lead", Action::ChangeRow { row: "application-1".into(), fields });
    let settle = Action::SettleRow { row: "application-1".into(), verdict: Verdict::Yes, text: "reconfigured".into() };
    world.does("lead", settle);
    assert!(world.open().is_empty() && world.may(Live::SwitchPilot).is_ok());
}
