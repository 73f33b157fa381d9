//! An implementation plan as a project would have it: every kind of block, over several pages.

use document::{Block, Cell, Chart, Column, Document, SignatureLine, Status, Table, Tone};
use jiff::{ToSpan, civil::date};

fn heading(level: u8, text: &str) -> Block {
    Block::Heading { level, text: text.to_owned() }
}

fn paragraph(text: &str) -> Block {
    Block::Paragraph(text.to_owned())
}

fn list(ordered: bool, items: &[&str]) -> Block {
    Block::List { ordered, items: items.iter().map(|item| (*item).to_owned()).collect() }
}

fn words<const N: usize>(cells: [&str; N]) -> Vec<Cell> {
    cells.map(Cell::from).into()
}

fn table(caption: &str, columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Block {
    let (caption, empty) = (caption.to_owned(), "There are none.".to_owned());
    Block::Table(Table { caption, columns, has_row_headings: true, rows, empty })
}

/// The plan.
pub(crate) fn plan(status: Status) -> Document {
    let blocks = [summary(), stages(), collections(), people(), risks(), end()].concat();
    Document {
        title: "Moving 3,000 mailboxes to the national platform".to_owned(),
        kind: "Implementation plan".to_owned(),
        organisation: "Northmoor Teaching Hospitals NHS Foundation Trust".to_owned(),
        reference: "RX9-MIG-004".to_owned(),
        version: "1.2".to_owned(),
        status,
        made_on: date(2026, 11, 27),
        language: "en-GB".to_owned(),
        blocks,
    }
}

fn summary() -> Vec<Block> {
    let facts = [
        ("Type of migration", "Managed: the provider moves the mail, the Trust prepares its people and its estate"),
        ("Mailboxes", "3,012, of which 2,704 are people, 241 are shared, 67 are rooms and equipment"),
        ("Mail", "4.1 TB in 38.6 million messages; the largest mailbox has 74 GB"),
        ("First collection", "18 January 2027"),
        ("Last collection", "12 March 2027"),
        ("Senior responsible owner", "Dr Aoife Ní Bhraonáin, Chief Clinical Information Officer"),
    ];
    vec![
        heading(1, "1. What this plan is for"),
        paragraph(
            "This plan says how the Trust's mail moves from its own servers to the national platform: what is done in which \
             week, by whom, what has to be true before each step, and what happens when it is not. It is made from the \
             record of the migration, and every number in it can be followed down to the mailboxes behind it.",
        ),
        Block::Facts(facts.map(|(word, fact)| (word.to_owned(), fact.to_owned())).into()),
        Block::Callout {
            tone: Tone::Caution,
            text: "The schedule below holds if the readiness checklist is confirmed by 18 December 2026. Twenty-eight days \
                   lie between the request for change and the first collection; a day later moves all of them."
                .to_owned(),
        },
        heading(2, "1.1 In scope"),
        list(
            false,
            &[
                "All mailboxes of people on the Trust's payroll and of honorary contract holders.",
                "Shared mailboxes with a named owner, and the rooms and equipment of both sites.",
                "Calendars, contacts and delegations as far as the platform holds them; what it can't hold is listed person \
                 by person before the pilot.",
            ],
        ),
        heading(2, "1.2 Out of scope"),
        list(
            false,
            &[
                "Archives kept outside the mail system, which their owners close by 31 March 2027.",
                "Mail of leavers of more than 400 days ago.",
            ],
        ),
    ]
}

fn stages() -> Vec<Block> {
    let row = |week: i64, what: &str, side: &str, owner: &str, tone: Tone, state: &str| {
        let cells = [Cell::Number(week), what.into(), side.into(), owner.into(), Cell::Verdict(tone, state.to_owned())];
        cells.to_vec()
    };
    let rows = vec![
        row(1, "Kick-off; the project board meets for the first time", "Both", "Priya Raghunathan", Tone::Good, "Done"),
        row(
            1,
            "Discovery of directories, mail servers and what sends mail",
            "Organisation",
            "Tom Ashworth",
            Tone::Good,
            "Done",
        ),
        row(2, "Discovery questionnaire returned and checked", "Organisation", "Tom Ashworth", Tone::Good, "Done"),
        row(
            3,
            "Matching list: every mailbox has one owner on the platform",
            "Both",
            "Zoë Łukasiewicz",
            Tone::Good,
            "Done",
        ),
        row(
            4,
            "Firewalls and proxies let clients reach the platform from all 14 sites",
            "Organisation",
            "Network team",
            Tone::Caution,
            "At risk",
        ),
        row(
            5,
            "Technical tests: clients, multi-function devices, clinical systems that send mail",
            "Organisation",
            "Samir Haddad",
            Tone::Caution,
            "At risk",
        ),
        row(
            6,
            "Readiness checklist submitted, validated and corrected",
            "Both",
            "Priya Raghunathan",
            Tone::Neutral,
            "Planned",
        ),
        row(
            7,
            "Beta: ten people of the IT department for five working days",
            "Provider",
            "Migration desk",
            Tone::Neutral,
            "Planned",
        ),
        row(
            8,
            "Pilot: fifty people of every profession; five checks each",
            "Provider",
            "Migration desk",
            Tone::Neutral,
            "Planned",
        ),
        row(
            9,
            "Go or no-go, by organisation, provider and authority",
            "All three",
            "Project board",
            Tone::Neutral,
            "Planned",
        ),
        row(10, "Collections 1 to 4", "Provider", "Migration desk", Tone::Neutral, "Planned"),
        row(
            14,
            "Collections 5 to 8, mop-up of those who were on leave",
            "Provider",
            "Migration desk",
            Tone::Neutral,
            "Planned",
        ),
        row(
            17,
            "MX records changed; the old servers receive no more mail",
            "Both",
            "Tom Ashworth",
            Tone::Alert,
            "Blocked",
        ),
    ];
    let columns = vec![
        Column::number("Week"),
        Column::share("What is done", 46),
        Column::share("Side", 17),
        Column::share("Owner", 22),
        Column::share("State", 13),
    ];
    let first = date(2027, 1, 18);
    let week = |number: i64| {
        let day = first.checked_add((number * 7).days()).unwrap();
        let counts = [60, 180, 420, 510, 520, 505, 480, 337];
        let count = counts[usize::try_from(number).unwrap()];
        (document_day(day), count)
    };
    let bars = (0..8).map(week).collect();
    vec![
        heading(1, "2. What is done when"),
        paragraph(
            "Weeks are counted from the kick-off on 2 November 2026. Each line is a task of the record with one owner; the \
             side says who answers for it.",
        ),
        table("Tasks by week", columns, rows),
        Block::Chart(Chart {
            caption: "Mailboxes by week of collection".to_owned(),
            alternative:
                "Bars for eight weeks from 18 January 2027: 60 mailboxes in the first week, rising to between 480 and \
                          520 a week from the fourth to the seventh, and 337 in the last."
                    .to_owned(),
            label_heading: "Week beginning".to_owned(),
            value_heading: "Mailboxes".to_owned(),
            bars,
        }),
    ]
}

fn document_day(day: jiff::civil::Date) -> String {
    format!("{:02}/{:02}/{}", day.day(), day.month(), day.year())
}

fn collections() -> Vec<Block> {
    let departments = [
        "Information technology",
        "Finance",
        "Human resources",
        "Emergency department",
        "Cardiology",
        "Radiology",
        "Pathology",
        "Maternity",
        "Paediatrics",
        "Oncology",
        "Orthopaedics",
        "Pharmacy",
        "Theatres and anaesthetics",
        "Estates and facilities",
        "Community nursing, east",
        "Community nursing, west",
        "Therapies",
        "Research and development",
        "Medical records",
        "Outpatients",
        "Executive office",
    ];
    let row = |(number, name): (usize, &&str)| {
        let day = date(2027, 1, 18).checked_add(i64::try_from(number * 2).unwrap().days()).unwrap();
        let (mailboxes, size) = (40 + (number * 37) % 190, 61 + (number * 89) % 310);
        vec![
            Cell::Text(format!("C{:02}", number + 1)),
            (*name).into(),
            Cell::Date(day),
            Cell::Number(i64::try_from(mailboxes).unwrap()),
            Cell::Number(i64::try_from(size).unwrap()),
            if number % 6 == 4 {
                "Shared mailboxes move with their owners, so that nobody loses access between two collections.".into()
            } else {
                "".into()
            },
        ]
    };
    let columns = vec![
        Column::new("No."),
        Column::new("Department"),
        Column::new("Date"),
        Column::number("Mailboxes"),
        Column::number("GB"),
        Column::new("Remarks"),
    ];
    vec![
        heading(1, "3. Collections"),
        paragraph(
            "People who work together move together: whose mailboxes are shared or delegated are in one collection.",
        ),
        table("Collections by date", columns, departments.iter().enumerate().map(row).collect()),
        heading(2, "3.1 The evening of a collection"),
        list(
            true,
            &[
                "Everyone of the collection gets the reminder at noon, with what changes and whom to call.",
                "The last changes are copied from 18:00 on; who is not in step at 21:00 is put off, and told.",
                "Mail is turned over to the platform at 22:00, person by person, each seen to work.",
                "The desk is staffed from 07:00 on the next day, with two people in the emergency department.",
            ],
        ),
    ]
}

fn people() -> Vec<Block> {
    let roles = [
        "Task",
        "Project manager",
        "Technical lead",
        "Training lead",
        "Service desk",
        "Information governance",
        "Clinical safety officer",
        "Provider",
        "Authority",
    ];
    let rows = [
        ["Schedule of collections", "A", "R", "C", "C", "I", "C", "R", "I"],
        ["Readiness checklist", "A", "R", "R", "C", "C", "C", "C", "I"],
        ["Letters to people", "A", "I", "R", "C", "C", "I", "C", ""],
        ["Go or no-go", "R", "C", "C", "C", "C", "R", "R", "A"],
        ["Data protection impact assessment", "I", "C", "", "", "A", "C", "C", ""],
        ["Hazard log", "I", "C", "", "I", "C", "A", "C", ""],
    ];
    let mut columns: Vec<Column> = roles.iter().map(|role| Column::new(role)).collect();
    columns.iter_mut().skip(1).for_each(|column| column.align = document::Align::Middle);
    vec![
        heading(1, "4. Who does what"),
        paragraph("R does it, A answers for it, C is asked before, I is told after."),
        table("Responsibilities", columns, rows.into_iter().map(words).collect()),
    ]
}

fn risks() -> Vec<Block> {
    let row = |id: &str, what: &str, tone: Tone, rating: &str, done: &str, owner: &str, due: jiff::civil::Date| {
        vec![id.into(), what.into(), Cell::Verdict(tone, rating.to_owned()), done.into(), owner.into(), Cell::Date(due)]
    };
    let rows = vec![
        row(
            "R01",
            "Clinical systems send results by an old relay that ends with the servers",
            Tone::Alert,
            "High",
            "Every sender is found in the logs of four weeks and gets a new relay; pathology first",
            "Tom Ashworth",
            date(2027, 1, 8),
        ),
        row(
            "R02",
            "Winter pressure: wards release nobody for training in January",
            Tone::Caution,
            "Medium",
            "Twenty minutes on the ward, three times a shift; leaflets; floor-walkers",
            "Grace Okonkwo",
            date(2027, 1, 11),
        ),
        row(
            "R03",
            "Three sites have a line of 100 Mbit/s, which new clients fill on their first day",
            Tone::Caution,
            "Medium",
            "Caches are filled over the weekend; collections of these sites are split",
            "Network team",
            date(2026, 12, 18),
        ),
        row(
            "R04",
            "Delegations of consultants' secretaries are not all known",
            Tone::Neutral,
            "Low",
            "The list is checked by each secretary; the pilot has six of them",
            "Zoë Łukasiewicz",
            date(2026, 12, 11),
        ),
    ];
    let columns = vec![
        Column::new("No."),
        Column::share("Risk", 30),
        Column::share("Rating", 12),
        Column::share("What is done", 34),
        Column::share("Owner", 16),
        Column::new("Due"),
    ];
    vec![
        heading(1, "5. Risks"),
        table("Open risks", columns, rows),
        Block::Callout {
            tone: Tone::Alert,
            text: "R01 endangers the date of the MX change. The provider was told on 26 November 2026.".to_owned(),
        },
        heading(2, "5.1 What ends the migration early"),
        paragraph(
            "The project board stops a collection when more than one in fifty people of the collection before it could not \
             work on the morning after; when a clinical system does not deliver; or when the provider's desk is not staffed. \
             What has been moved stays moved, and mail goes on to arrive: nobody is moved back for the sake of order.",
        ),
        table(
            "Decisions that are still open",
            vec![Column::new("No."), Column::new("Decision"), Column::new("Asked by")],
            Vec::new(),
        ),
    ]
}

fn end() -> Vec<Block> {
    let line = |role: &str, name: &str, date| SignatureLine { role: role.to_owned(), name: name.to_owned(), date };
    vec![
        heading(1, "6. Agreement"),
        paragraph("Whoever signs has read the plan and provides what it asks of their side."),
        Block::Signature {
            lines: vec![
                line("Senior responsible owner", "Dr Aoife Ní Bhraonáin", Some(date(2026, 11, 26))),
                line("Project manager of the Trust", "Priya Raghunathan", None),
                line("Caldicott guardian", "", None),
                line("Migration manager of the provider", "", None),
            ],
        },
    ]
}
