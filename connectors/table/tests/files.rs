//! Files as directories: the contract of directories, strict and lenient reading, and what changed.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in which a failure is a panic")]

use std::path::Path;

use connector::{Directory, DirectoryCursor, DirectoryRead, EntryEvent, Error, Topic};
use model::{AccountState, Cause, EntryKind, Reference};
use table::{Action, ColumnMap, Dates, Field, FileConfig, FileDirectory, FileForm, Mistakes, validate, with_results};

/// People of every kind of name: non-Latin, apostrophe, hyphen, double-barrelled, title, namesakes.
const PEOPLE: &str = "\
Local ID,Title,First name,Last name,Email,Aliases,Mobile,Hide mobile,Type,Owner,Ward\n\
00101,Dr,Zoë,O'Neil-Søren,zoe.o'neil@trust.example,SMTP:zoe.o'neil@trust.example;x500:/o=Trust/ou=A/cn=Zoe,+44 7700 900001,no,,,7\n\
00102,,明,李,ming.li@trust.example,,+44 7700 900002,yes,user,,\n\
00103,,John,Smith,john.smith@trust.example,,,,,,\n\
00104,,John,Smith,john.smith2@trust.example,,,,,,\n\
00105,Sister,María José,García Márquez,maria@trust.example,,,,,,\n\
00106,,Олександр,Коваленко-Д’яченко,o.kovalenko@trust.example,,,,,,\n";

async fn told(
    directory: &dyn Directory,
    since: Option<&DirectoryCursor>,
) -> Result<(Vec<EntryEvent>, DirectoryRead), Error> {
    let mut events = Vec::new();
    let read = directory.read(since, &mut events).await?;
    Ok((events, read))
}

fn keys(events: &[EntryEvent]) -> Vec<String> {
    let mut keys: Vec<String> = events
        .iter()
        .map(|event| match event {
            EntryEvent::Seen(entry) => format!("+{}", entry.key),
            EntryEvent::Gone(key) => format!("-{key}"),
            EntryEvent::Faulty { key, .. } => format!("!{}", key.as_deref().unwrap_or("?")),
        })
        .collect();
    keys.sort();
    keys
}

fn directory(path: &Path, strict: bool) -> FileDirectory {
    let mut config = FileConfig::new(path.file_name().unwrap());
    path.parent().unwrap().clone_into(&mut config.base);
    config.strict = strict;
    FileDirectory::new(config)
}

fn mistakes(text: &str, map: &ColumnMap) -> Mistakes {
    validate(text.as_bytes(), &FileForm::default(), map).unwrap_err()
}

#[test]
fn names_of_every_kind_are_kept_to_the_letter() {
    let rows = validate(PEOPLE.as_bytes(), &FileForm::default(), &ColumnMap::default()).unwrap();
    assert_eq!(rows.len(), 6);
    let zoe = &rows[0].entry;
    assert_eq!((zoe.key.as_str(), zoe.local_id.as_deref()), ("00101", Some("00101")));
    assert_eq!(zoe.names.title.as_deref(), Some("Dr"));
    assert_eq!(zoe.names.surname.as_deref(), Some("O'Neil-Søren"));
    assert_eq!(zoe.x500_keys(), ["/o=trust/ou=a/cn=zoe"]);
    assert_eq!(zoe.mail_keys(), ["zoe.o'neil@trust.example"]);
    assert_eq!(zoe.mobile.as_deref(), Some("+44 7700 900001"));
    assert_eq!(zoe.other["Ward"], ["7"]);
    assert_eq!(
        (rows[1].entry.names.given.as_deref(), rows[1].entry.names.surname.as_deref()),
        (Some("明"), Some("李"))
    );
    assert_eq!(rows[5].entry.names.surname.as_deref(), Some("Коваленко-Д’яченко"));
    assert_eq!((rows[0].line, rows[5].line, rows[0].action), (2, 7, None));
}

#[test]
fn a_hidden_mobile_number_is_not_even_read() {
    let rows = validate(PEOPLE.as_bytes(), &FileForm::default(), &ColumnMap::default()).unwrap();
    assert!(rows[1].entry.hides_mobile);
    assert_eq!(rows[1].entry.mobile, None);
    assert!(!format!("{:?}", rows[1]).contains("900002"));
}

#[test]
fn every_mistake_is_listed_with_line_column_and_cure() {
    let text = "\
key,kind,display,surname,mail,addresses,state,quota,last_logon,hides_mobile,owners,action,starts_on,leaves_on,local_id\n\
1,person,,Lee,ann@trust.example,,active,25 GB,2026-04-13,no,,create,2026-05-01,,A1\n\
,person,,,bob@,,asleep,25,soon,perhaps,,destroy,01/05/2026,,A2\n\
3,robot,,Lee,ann@trust.example,x500:nonsense;a@b,,,,,,,,,a1\n\
1,person,,Lee,,,,,,,,leave,2026-05-02,2026-05-01,\n\
5,shared,,,ward@trust.example,,,,,,boss@trust.example,,,,\n\
6,contact,Ann,,,,,,,,,,,,\n\
7,person,,L\u{200b}ee,zoe’s@trust.example,,,,,,,,,,\n\
8,person,,,,,,,,,,leave,,,\n\
9,person,\n\
10,person,,\"Lee\"x,,,,,,,,,,,\n";
    let mistakes = mistakes(text, &ColumnMap::default());
    let expected = [
        "line 3, column A (1) \"key\": it is empty, and tells a row from every other one; fill it in",
        "line 3, column D (4) \"surname\": it is empty, and a person must have a surname or display; fill it in",
        "line 3, column E (5) \"mail\": \"bob@\" is no mail address: nothing stands after the @; write it as name@organisation.example",
        "line 3, column G (7) \"state\": \"asleep\" is not known as state; write active, pending, leaver, inactive, locked, expired or disabled, or say in the map what it means",
        "line 3, column H (8) \"quota\": \"25\" is 25 bytes, which lets nothing travel; write a number of bytes, or 25 GB",
        "line 3, column I (9) \"last_logon\": \"soon\" is no day; write it as 2026-04-13",
        "line 3, column J (10) \"hides_mobile\": \"perhaps\" is not known as hides_mobile; write yes or no, or say in the map what it means",
        "line 3, column L (12) \"action\": \"destroy\" is not known as action; write create, update or leave, or say in the map what it means",
        "line 3, column M (13) \"starts_on\": \"01/05/2026\" may be more than one day; write it as 2026-04-13, or say in the map: dates = \"day-first\"",
        "line 4, column B (2) \"kind\": \"robot\" is not known as kind; write person, shared, room, equipment, system, list or contact, or say in the map what it means",
        "line 4, column F (6) \"addresses\": \"nonsense\" is no name of Exchange; write it as /o=Organisation/ou=…/cn=Recipients/cn=name",
        "line 4, column F (6) \"addresses\": \"a@b\" is no mail address: the domain has no dot; write it as name@organisation.example",
        "line 5, column N (14) \"leaves_on\": 2026-05-01 lies before the day they join, 2026-05-02; correct one of the two",
        "line 6, column C (3) \"display\": it is empty, and a shared must have a display; fill it in",
        "line 7, column E (5) \"mail\": it is empty, and a contact must have a mail; fill it in",
        "line 8, column D (4) \"surname\": an invisible character stands in it (U+200B); type the cell again",
        "line 8, column E (5) \"mail\": \"zoe’s@trust.example\" is no mail address: '’' is no apostrophe of an address; write ' for it",
        "line 10: 3 cells, but there are 15 columns; write every separator, also of empty cells; the last cell is \"\"",
        "line 11, column D (4) \"surname\": text follows the quote that ends this cell; write each quote in a cell twice, and close the cell with one",
    ];
    let told = mistakes.to_string();
    for (told, expected) in told.lines().zip(expected) {
        assert_eq!(told, expected);
    }
    assert_eq!((told.lines().count(), mistakes.count), (expected.len(), expected.len() as u64));
}

#[test]
fn what_two_rows_share_names_both_lines() {
    let text = "\
key,surname,mail,addresses,local_id,account,legacy_dn\n\
1,Lee,ann@trust.example,,A1,leea,/o=T/ou=A/cn=Ann\n\
1,Lee,bob@trust.example,,,,\n\
2,Lee,ANN@trust.example,,,,\n\
3,Lee,,smtp:Bob@Trust.example,a1,LEEA,\n\
4,Lee,,X500:/O=t/OU=a/CN=ann,,,\n";
    let told = mistakes(text, &ColumnMap::default()).to_string();
    let expected = "\
line 3, column A (1) \"key\": the key \"1\" is in line 2 already; correct or remove one of the two
line 4, column C (3) \"mail\": the address \"ann@trust.example\" is in line 2 already; correct or remove one of the two
line 5, column D (4) \"addresses\": the address \"bob@trust.example\" is in line 3 already; correct or remove one of the two
line 5, column E (5) \"local_id\": the local id \"a1\" is in line 2 already; correct or remove one of the two
line 5, column F (6) \"account\": the account \"leea\" is in line 2 already; correct or remove one of the two
line 6, column D (4) \"addresses\": the name of Exchange \"/o=t/ou=a/cn=ann\" is in line 2 already; correct or remove one of the two";
    assert_eq!(told, expected);
    // Each organisation gives local ids of its own.
    let text = "key,surname,local_id,organisation\n1,A,7,RX1\n2,B,7,RX2\n3,C,7,rx1\n";
    assert!(mistakes(text, &ColumnMap::default()).to_string().starts_with("line 4, column C (3) \"local_id\""));
    assert_eq!(mistakes(text, &ColumnMap::default()).count, 1);
    // A local id that is the key as well is one mistake.
    assert_eq!(mistakes("local_id,surname\n1,A\n1,B\n", &ColumnMap::default()).count, 1);
}

#[test]
fn all_mistakes_of_a_long_file_are_listed_up_to_hundreds_and_then_counted() {
    let text: String = (0..700).map(|row| format!("{row},Lee,none\n")).collect();
    let mistakes = mistakes(&format!("key,surname,mail\n{text}"), &ColumnMap::default());
    assert_eq!((mistakes.count, mistakes.list.len()), (700, 700));
    assert!(mistakes.to_string().ends_with("… and 200 more"));
    assert_eq!(mistakes.by_line().len(), 700);
}

#[test]
fn a_map_reads_another_organisations_words() {
    let map: ColumnMap = toml::from_str(
        "dates = 'day-first'\nseparator = '|'\nreferences_are_keys = true\n\
         [columns]\nkey = 'Personnel no'\nmail = 'Mail 1'\nowners = 'Chef'\nstarts_on = 'Eintritt'\naction = 'Was'\n\
         [kinds]\n'Funktion' = 'shared'\n[actions]\n'neu' = 'create'\n[required]\nshared = ['owners']\n",
    )
    .unwrap();
    let text = "Personnel no;Art;Type;Chef;Mail 1;Eintritt;Was\n7;x;funktion;1|2;a@trust.example;1.9.2026;NEU\n";
    let rows = validate(text.as_bytes(), &FileForm::default(), &map).unwrap();
    let row = &rows[0];
    assert_eq!((row.entry.kind, row.action), (EntryKind::Shared, Some(Action::Create)));
    assert_eq!(row.starts_on.map(table::day_text).as_deref(), Some("2026-09-01"));
    assert_eq!(row.entry.owners, [Reference::Key("1".into()), Reference::Key("2".into())]);
    assert_eq!(row.entry.other["Art"], ["x"]);
    assert_eq!(map.dates, Dates::DayFirst);
    let error = validate(b"Personnel no;Mail 2\n", &FileForm::default(), &map).unwrap_err().to_string();
    assert!(error.contains("a column \"Mail 1\" as mail, and there is none; did you mean \"Mail 2\"?"), "{error}");
}

#[tokio::test]
async fn a_strict_file_with_a_mistake_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    std::fs::write(&path, format!("{PEOPLE}00107,,A,B,none,,,,,,\n00108,,A,B,C@,,,,,,\n")).unwrap();
    let mut events = Vec::new();
    let error = directory(&path, true).read(None, &mut events).await.unwrap_err();
    assert_eq!((events.len(), error.cause), (0, Cause::Unreadable));
    assert!(error.what.contains("people.csv has 2 mistakes; nothing of it was used:\nline 8, column E"), "{error}");
    assert!(error.what.contains("line 9, column E"), "{error}");
    let findings = directory(&path, true).check().await;
    assert_eq!((findings[0].topic, findings[0].wrong), (Topic::Reach, None));
    assert_eq!(findings[1].wrong, Some(Cause::Unreadable));
}

#[tokio::test]
async fn a_lenient_file_tells_what_is_well_and_names_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    std::fs::write(&path, format!("{PEOPLE}00107,,A,B,none,,,,,,\n00103,,A,B,,,,,,,\n")).unwrap();
    let (events, read) = told(&directory(&path, false), None).await.unwrap();
    // Of two rows of one key nobody knows which is right.
    assert_eq!(keys(&events), ["!00103", "!00103", "!00107", "+00101", "+00102", "+00104", "+00105", "+00106"]);
    assert!(read.is_whole);
    assert_eq!(read.entries_received, 8);
    let faulty = events.iter().find_map(|event| match event {
        EntryEvent::Faulty { key, place, what } if key.as_deref() == Some("00107") => Some((place, what)),
        _ => None,
    });
    let (place, what) = faulty.unwrap();
    assert_eq!(place, "line 8, column E (5) \"Email\"");
    assert!(what.contains("it has no @"), "{what}");
}

#[tokio::test]
async fn from_a_cursor_only_changes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    std::fs::write(&path, PEOPLE).unwrap();
    let directory = directory(&path, false);
    let (events, first) = told(&directory, None).await.unwrap();
    assert_eq!((events.len(), first.is_whole), (6, true));
    let (events, same) = told(&directory, Some(&first.cursor)).await.unwrap();
    assert_eq!((events.len(), same.is_whole, same.entries_received), (0, false, 0));
    assert_eq!(same.cursor, first.cursor);
    // Other order, one changed, one gone, one new.
    let mut lines: Vec<String> = PEOPLE.lines().map(str::to_owned).collect();
    lines.swap(1, 6);
    lines[3] = lines[3].replace("Smith", "Smith-Jones");
    lines.remove(5);
    lines.push("00107,,A,B,,,,,,,".to_owned());
    std::fs::write(&path, lines.join("\n")).unwrap();
    let (events, second) = told(&directory, Some(&first.cursor)).await.unwrap();
    assert_eq!(keys(&events), ["+00103", "+00107", "-00105"]);
    assert!(!second.is_whole);
    let (events, _) = told(&directory, Some(&second.cursor)).await.unwrap();
    assert!(events.is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_not_gone_and_is_told_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    let write = |rows: &[&str]| std::fs::write(&path, format!("key,surname,mail\n{}\n", rows.join("\n"))).unwrap();
    let directory = directory(&path, false);
    write(&["1,A,", "2,B,", "3,C,"]);
    let (_, first) = told(&directory, None).await.unwrap();
    write(&["1,A,", "2,B,none"]);
    let (events, second) = told(&directory, Some(&first.cursor)).await.unwrap();
    assert_eq!(keys(&events), ["!2", "-3"]);
    write(&["1,A,", "2,B,"]);
    let (events, third) = told(&directory, Some(&second.cursor)).await.unwrap();
    assert_eq!(keys(&events), ["+2"], "as it was before it was faulty");
    // A row whose key is not known may be any of those that are missing.
    write(&["1,A,", ",B,"]);
    let (events, fourth) = told(&directory, Some(&third.cursor)).await.unwrap();
    assert_eq!(keys(&events), ["!?"]);
    write(&["1,A,", "\"2,B,"]);
    let (events, fifth) = told(&directory, Some(&fourth.cursor)).await.unwrap();
    assert_eq!(keys(&events), ["!?"]);
    write(&["1,A,"]);
    let (events, _) = told(&directory, Some(&fifth.cursor)).await.unwrap();
    assert_eq!(keys(&events), ["-2"]);
    // Nor is a first reading whole with such a row.
    write(&["1,A,", ",B,"]);
    assert!(!told(&directory, None).await.unwrap().1.is_whole);
}

#[tokio::test]
async fn a_cursor_of_another_map_or_of_nothing_leads_to_a_whole_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    std::fs::write(&path, PEOPLE).unwrap();
    let first = told(&directory(&path, true), None).await.unwrap().1;
    let mut config = FileConfig::new(&path);
    config.map = ColumnMap::default().with(Field::Department, "Ward");
    let other = FileDirectory::new(config);
    for cursor in
        [first.cursor.clone(), DirectoryCursor(Box::from(*b"nonsense")), DirectoryCursor(first.cursor.0[..40].into())]
    {
        let (events, read) = told(&other, Some(&cursor)).await.unwrap();
        assert_eq!((events.len(), read.is_whole), (6, true));
    }
}

#[tokio::test]
async fn an_empty_export_is_not_everybody_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    std::fs::write(&path, PEOPLE).unwrap();
    let first = told(&directory(&path, false), None).await.unwrap().1;
    std::fs::write(&path, PEOPLE.lines().next().unwrap()).unwrap();
    let error = told(&directory(&path, false), Some(&first.cursor)).await.unwrap_err();
    assert!(error.what.contains("may_be_empty"), "{error}");
    let mut config = FileConfig::new(&path);
    config.may_be_empty = true;
    let (events, _) = told(&FileDirectory::new(config), Some(&first.cursor)).await.unwrap();
    assert_eq!(events.len(), 6);
    std::fs::remove_file(&path).unwrap();
    let error = told(&directory(&path, false), Some(&first.cursor)).await.unwrap_err();
    assert_eq!(error.cause, Cause::Missing);
}

#[tokio::test]
async fn a_leaver_and_days_are_told_with_the_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hr.csv");
    std::fs::write(
        &path,
        "key\tsurname\taction\tstart date\tend date\n1\tLee\tLeaver\t\t2026-12-31\n2\tLi\tnew\t2026-12-01\t\n",
    )
    .unwrap();
    let (events, _) = told(&directory(&path, true), None).await.unwrap();
    let EntryEvent::Seen(leaver) = &events[0] else { panic!("{events:?}") };
    assert_eq!((leaver.state, leaver.other["leaves_on"][0].as_str()), (AccountState::Leaver, "2026-12-31"));
    let EntryEvent::Seen(joiner) = &events[1] else { panic!("{events:?}") };
    assert_eq!((joiner.state, joiner.other["action"][0].as_str()), (AccountState::Active, "create"));
    assert_eq!(joiner.other["starts_on"], ["2026-12-01"]);
}

#[test]
fn a_result_file_says_what_is_wrong_beside_each_row_and_can_be_sent_again() {
    let text = "key,surname,mail\r\n1,Lee,ann@\r\n2,Lee,bob@trust.example\r\n";
    let wrong = mistakes(text, &ColumnMap::default());
    let form = FileForm::default();
    let result = with_results(text.as_bytes(), &form, &wrong.by_line()).unwrap();
    let expected = "key,surname,mail,Result\r\n1,Lee,ann@,\"mail: \"\"ann@\"\" is no mail address: nothing stands after the @; write it as name@organisation.example\"\r\n2,Lee,bob@trust.example,\r\n";
    assert_eq!(String::from_utf8(result.clone()).unwrap(), expected);
    let corrected = String::from_utf8(result).unwrap().replace("ann@,", "ann@trust.example,");
    let rows = validate(corrected.as_bytes(), &form, &ColumnMap::default()).unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].entry.other.is_empty());
}

/// A workbook that LibreOffice wrote: a sheet of notes; people with a staff number shown as 00123, a day, booleans, a formula,
/// merged cells and a cell of two lines.
const LIBREOFFICE: &[u8] = include_bytes!("libreoffice.xlsx");

fn sheet(name: &str) -> FileForm {
    FileForm { sheet: Some(name.to_owned()), ..FileForm::default() }
}

#[test]
fn a_workbook_of_a_spreadsheet_is_read_as_people_see_it() {
    let rows = validate(LIBREOFFICE, &sheet("people"), &ColumnMap::default()).unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.line, row.entry.key.as_str(), row.entry.mail.as_deref())).collect();
    assert_eq!(told, [(3, "00123", Some("zoë@trust.example")), (5, "00124", Some("ming@trust.example"))]);
    assert_eq!(rows[0].entry.names.surname.as_deref(), Some("O'Neil-Søren"));
    assert_eq!(rows[0].leaves_on.map(table::day_text).as_deref(), Some("2026-12-31"));
    assert_eq!((rows[0].entry.hides_mobile, rows[1].entry.hides_mobile), (true, false));
    assert_eq!(
        (&rows[0].entry.other["Ward"][0], &rows[1].entry.other["Ward"][0]),
        (&"7".to_owned(), &"=7\nEast".to_owned())
    );
    let error = validate(LIBREOFFICE, &FileForm::default(), &ColumnMap::default()).unwrap_err().to_string();
    assert!(error.contains("no column tells a row from every other one for good"), "{error}");
}

#[test]
fn a_workbook_comes_back_with_results_and_can_be_sent_again() {
    let results = [(3, "created".to_owned()), (5, "=no".to_owned())].into();
    let form = sheet("People");
    let with = with_results(LIBREOFFICE, &form, &results).unwrap();
    let table = table::table(&with, &form).unwrap();
    let last: Vec<(u64, &str)> = table.rows().map(|(row, cells)| (row, cells[7])).collect();
    assert_eq!((table.headings()[7].as_str(), last), ("Result", vec![(3, "created"), (5, "'=no")]));
    let again = validate(&with, &form, &ColumnMap::default()).unwrap();
    assert_eq!(again, validate(LIBREOFFICE, &form, &ColumnMap::default()).unwrap());
}

#[tokio::test]
async fn a_workbook_and_a_file_of_the_same_cells_tell_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("people.xlsx"), LIBREOFFICE).unwrap();
    let csv = "Staff number;First name;Last name;Leaving date;Hide mobile;Email;Ward\n\
        00123;Zoë;O'Neil-Søren;2026-12-31;1;zoë@trust.example;7\n00124;明;李;;0;ming@trust.example;\"=7\nEast\"\n";
    std::fs::write(folder.path().join("people.csv"), csv).unwrap();
    let mut workbook = FileConfig::new(folder.path().join("people.xlsx"));
    workbook.form = sheet("People");
    let from_workbook = told(&FileDirectory::new(workbook), None).await.unwrap().0;
    let from_csv = told(&FileDirectory::new(FileConfig::new(folder.path().join("people.csv"))), None).await.unwrap().0;
    assert_eq!((from_workbook.len(), &from_workbook), (2, &from_csv));
}
