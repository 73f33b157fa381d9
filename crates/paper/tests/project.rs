//! An organisation's project as it would be: people with names, dates, risks, orders, issues.

use jiff::civil::{Date, date};
use paper::{Issue, Papers, Why, make};
use programme::{Action, Programme, Register, Side, Subject, Verdict};

use super::world::{World, give, row};

/// The programme that ships.
pub(crate) fn programme() -> Programme {
    Programme::shipped("nhsmail", "current").expect("it ships").unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Names of people, each of whom gets a role.
pub(crate) const NAMES: [&str; 12] = [
    "Dr Aoife Ní Bhraonáin",
    "Priya Raghunathan",
    "Tom Ashworth",
    "Zoë Łukasiewicz",
    "Samir Haddad",
    "Marjorie Okonkwo",
    "Henrik Sørensen",
    "Grace Adeyemi",
    "Colin Whitworth",
    "Beatriz Fonseca",
    "Oluwaseun Bakare",
    "Niamh Gallagher",
];

/// The issues of the project.
pub(crate) fn issues() -> Vec<Issue> {
    let issue = |id: &str, title: &str, owner: &str, due: Date| Issue {
        id: id.to_owned(),
        title: title.to_owned(),
        state: "open".to_owned(),
        is_resolved: false,
        owner: Some(owner.to_owned()),
        action: Some("Ask the supplier for a newer version".to_owned()),
        due: Some(due),
        opened: Some(date(2026, 2, 11)),
    };
    vec![
        issue("41", "The scanner of Ward 7 still sends by the old server", "Tom Ashworth", date(2026, 8, 14)),
        Issue { owner: None, due: None, ..issue("44", "Two rooms are booked twice", "", date(2026, 8, 21)) },
        Issue {
            state: "resolved".to_owned(),
            is_resolved: true,
            ..issue("17", "A shared mailbox was not seen for three hours", "Grace Adeyemi", date(2026, 3, 2))
        },
    ]
}

/// A project of this type whose people have names, and what a project writes down at its beginning.
pub(crate) fn begun(project_type: &str) -> World {
    let mut world = World::staffed(programme(), project_type);
    let roles = world.programme.roles.clone();
    for (at, role) in roles.iter().enumerate() {
        let other = roles.iter().find(|other| other.side == role.side && other.id != role.id).expect("another role");
        let title = NAMES.get(at % NAMES.len()).copied().unwrap_or_default().to_owned();
        let title = if at < NAMES.len() { title } else { format!("{title} ({at})") };
        let contact = Some(format!("person{at}@lm7.example"));
        let action = Action::GiveRole { person: role.id.clone(), title, role: role.id.clone(), contact };
        world.does(&format!("{}-2", other.id), action);
    }
    let by = world.worker(Side::Organisation);
    let days = [
        ("project", date(2026, 2, 2)),
        ("implementation", date(2026, 6, 1)),
        ("pilot", date(2026, 6, 15)),
        ("readiness-assessment", date(2026, 6, 1)),
        ("last-switch", date(2026, 8, 3)),
    ];
    for (name, day) in days {
        let why = Some("agreed in the workshop".to_owned());
        let _ = world.tries(&by, Action::SetDate { name: name.to_owned(), day, is_agreed: true, why });
    }
    let risk = [
        ("title", "The firewall of the north site is not opened in time"),
        ("probability", "high"),
        ("impact", "high"),
        ("owner", "Samir Haddad"),
        ("action", "The network team opens it with the supplier"),
        ("threatens", "implementation"),
        ("due", "2026-05-11"),
    ];
    writes(&mut world, Register::Risks, &risk);
    let order = [
        ("title", "Larger mailboxes for the board"),
        ("item", "larger-mailbox"),
        ("quantity", "25"),
        ("what", "order"),
        ("ordered", "2026-02-20"),
        ("price-millipence", "3100000"),
        ("priced", "2026-02-18"),
    ];
    writes(&mut world, Register::Orders, &order);
    let board = [("title", "First board"), ("held", "2026-02-04"), ("attendees", "All three sides")];
    writes(&mut world, Register::Boards, &board);
    let benefit =
        [("title", "One directory for everybody"), ("baseline", "4 directories"), ("owner", "Niamh Gallagher")];
    writes(&mut world, Register::Benefits, &benefit);
    world
}

/// Somebody of the organisation writes a row.
pub(crate) fn writes(world: &mut World, register: Register, fields: &[(&str, &str)]) {
    let by = world.worker(Side::Organisation);
    world.does(&by, Action::AddRow { register, fields: row(fields) });
}

/// What a project has to say once it is under way: owners, forecasts, evidence, a question, lessons.
pub(crate) fn goes_on(world: &mut World) {
    let by = world.worker(Side::Organisation);
    let tasks: Vec<String> = {
        let scope = programme::Scope::of(&world.programme, &world.record).expect("a type");
        scope.tasks().into_iter().map(|task| task.id.to_owned()).collect()
    };
    for (at, task) in tasks.into_iter().enumerate() {
        let owner = NAMES.get(at % NAMES.len()).map(|name| (*name).to_owned());
        let day = i64::try_from(at % 40).unwrap_or(0) + 30;
        let forecast = world.today().checked_add(jiff::Span::new().days(day)).ok();
        let _ = world.tries(&by, Action::Assign { task, owner, forecast });
    }
    world.does(&by, give(Subject::Project, "business-case.pdf"));
    let question = [("title", "May rooms be moved last?"), ("asked-by", "Priya Raghunathan"), ("side", "organisation")];
    writes(world, Register::Questions, &question);
    let lesson = [
        ("title", "Begin with the network"),
        ("text", "Little Marsh Trust lost two weeks over a firewall; Priya Raghunathan of LM7 found it."),
        ("stage", "readiness"),
    ];
    writes(world, Register::Lessons, &lesson);
}

/// A managed project that has reached a stage.
pub(crate) fn at(stage: &str) -> World {
    let mut world = begun("managed");
    world.reaches("readiness");
    goes_on(&mut world);
    world.reaches(stage);
    world
}

/// The papers of a project, version 1 of today.
pub(crate) fn papers<'a>(world: &'a World, issues: &'a [Issue]) -> Papers<'a> {
    Papers {
        programme: &world.programme,
        record: &world.record,
        facts: &world.facts,
        issues: Some(issues),
        switches: &[],
        today: world.today(),
        version: 1,
        superseded_by: None,
        is_draft: false,
    }
}

/// A document of a project.
pub(crate) fn makes(world: &World, name: &str) -> Result<document::Document, Why> {
    make(name, &papers(world, &issues()))
}

/// What has to be there before each document: the stage it is made in, and which criteria are closed there.
pub(crate) const FITTING: [(&str, &str, &[&str]); 14] = [
    ("implementation-plan", "readiness", &[]),
    ("readiness-checklist", "readiness", &[]),
    (
        "rfc-package",
        "readiness",
        &["discovery-returned", "months-planned", "help-desk-reviewed", "prerequisites-submitted"],
    ),
    ("confirmation-of-readiness", "readiness", &["prerequisites-signed-off"]),
    ("board-pack", "readiness", &[]),
    ("highlight-report", "readiness", &[]),
    ("beta-notice", "implementation", &[]),
    ("go-no-go-pack", "pilot", &[]),
    ("go-no-go-confirmation", "pilot", &["go-of-all"]),
    ("work-off-plan", "mop-up", &[]),
    ("service-readiness", "close", &[]),
    ("post-project-report", "close", &[]),
    ("lessons", "close", &[]),
    ("decommission-plan", "close", &[]),
];

/// A project that has come so far that this document can be made.
pub(crate) fn fitting(name: &str) -> World {
    let (_, stage, _) = FITTING.iter().find(|(known, ..)| *known == name).expect("a document");
    prepared(name, at(stage))
}

/// The same project for every document, as far as it can be made.
pub(crate) fn every() -> Vec<(&'static str, World)> {
    let mut world = at("readiness");
    let mut all = Vec::new();
    for (name, stage, _) in FITTING {
        world.reaches(stage);
        all.push((name, prepared(name, world.clone())));
    }
    all
}

fn prepared(name: &str, mut world: World) -> World {
    let (.., criteria) = FITTING.iter().find(|(known, ..)| *known == name).expect("a document");
    closes(&mut world, criteria);
    if name == "beta-notice" {
        world.close_task("beta-migration");
    }
    world
}

/// Closes those of these criteria that are open.
pub(crate) fn closes(world: &mut World, criteria: &[&str]) {
    for criterion in criteria {
        if world.open().iter().any(|open| open == criterion) {
            world.close(criterion);
        }
    }
}

/// Somebody says no.
pub(crate) fn says_no(world: &mut World, side: Side, criterion: &str) {
    world.says(side, criterion, Verdict::No);
}
