use model::{AccountState, Address, EntryKind};

use super::*;

fn person(local_id: &str, given: &str, surname: &str) -> UploadRow {
    let mut entry = Entry::new(local_id, EntryKind::Person);
    entry.local_id = Some(local_id.to_owned());
    entry.names.given = Some(given.to_owned());
    entry.names.surname = Some(surname.to_owned());
    entry.organisation = Some("RX1".to_owned());
    UploadRow { action: Action::Create, id: None, keeps_state: false, entry }
}

fn rows() -> Vec<UploadRow> {
    let mut zoe = person("00101", "Zoë", "O'Neil-Søren");
    zoe.entry.names.title = Some("Dr".to_owned());
    zoe.entry.mail = Some("zoe.o'neil@trust.example".to_owned());
    zoe.entry.addresses =
        ["SMTP:Zoe.O'Neil@trust.example", "smtp:old@trust.example", "X500:/o=A/cn=Z", "smtp:older@trust.example"]
            .map(Address::parse)
            .to_vec();
    zoe.entry.legacy_dn = Some("/o=Trust/ou=A/cn=Recipients/cn=Zoe".to_owned());
    zoe.entry.telephone = Some("+44 20 7946 0000".to_owned());
    zoe.entry.other.insert("WorkArea".to_owned(), vec!["Ward 7, \"East\"".to_owned()]);
    let mut ming = person("00102", "明", "李");
    ming.action = Action::Update;
    ming.id = Some("9001".to_owned());
    ming.entry.hides_mobile = true;
    ming.entry.mobile = Some("07700 900002".to_owned());
    let mut leaver = person("00103", "John", "=cmd|'/C calc'!A0");
    leaver.action = Action::Leave;
    vec![zoe, ming, leaver]
}

const FILE: &str = "ID,ConnectorName,OrganisationCode,OrganisationalUnit,LocalUniqueId,Title,FirstName,Initials,LastName,DisplayName,\
JobTitle,JobRole,WorkArea,ClinicalSpecialty,Telephone,Mobile,HideMobile,Email,LegacyEmail,LegacyExchangeDN,Action\r\n\
,trust1,RX1,,00101,Dr,Zoë,,\"O'Neil-Søren\",,,,\"Ward 7, \"\"East\"\"\",,\"+44 20 7946 0000\",,no,\"zoe.o'neil@trust.example\",\
\"old@trust.example; older@trust.example\",/o=Trust/ou=A/cn=Recipients/cn=Zoe,create\r\n\
9001,trust1,RX1,,00102,,明,,李,,,,,,,,yes,,,,update\r\n\
,trust1,RX1,,00103,,John,,\"'=cmd|'/C calc'!A0\",,,,,,,,,,,,leave\r\n";

#[test]
fn what_is_planned_is_the_platforms_file() {
    let file = write(&UploadForm::default(), "trust1", &rows()).unwrap();
    assert_eq!(String::from_utf8(file).unwrap(), FILE);
    let form = UploadForm { byte_order_mark: true, ..UploadForm::default() };
    assert!(write(&form, "trust1", &rows()).unwrap().starts_with("\u{feff}ID,".as_bytes()));
}

#[test]
fn rows_that_no_result_could_tell_apart_are_not_sent() {
    let twice = [person("1", "A", "B"), person("2", "A", "B"), person("1", "C", "D"), person(" ", "E", "F")];
    let told = write(&UploadForm::default(), "c", &twice).unwrap_err().to_string();
    let expected = "line 4: \"1\" stands in line 2 with the same action; give each a local id of its own, or leave one out\n\
        line 5: nothing tells this row from others: no local id, no mail address, no display name; give it a local id";
    assert_eq!(told, expected);
}

fn with_results(results: &[&str]) -> String {
    let mut results = results.iter();
    FILE.lines().map(|line| format!("{line},{}\r\n", results.next().unwrap_or(&""))).collect()
}

fn read(file: &str) -> Result<Vec<RowResult>, Mistakes> {
    read_result(&UploadForm::default(), "trust1", &rows(), file.as_bytes(), &FileForm::default())
}

#[test]
fn a_result_file_says_what_became_of_each_row() {
    let file = with_results(&["Result", "Created", "Failed: no such unit", ""]);
    let results = read(&file).unwrap();
    assert_eq!(
        results.iter().map(|r| r.fate).collect::<Vec<_>>(),
        [RowFate::Done, RowFate::Failed, RowFate::Unreported]
    );
    assert_eq!((results[1].text.as_str(), results[1].id.as_deref()), ("Failed: no such unit", Some("9001")));
    assert!(results.iter().all(|result| result.altered.is_empty()), "{results:?}");
    // In another order, one of them missing, with a number that the platform gave and a name that it made.
    let mut lines: Vec<&str> = file.lines().collect();
    let first = lines[1].replacen(',', "777,", 1).replace("O'Neil-Søren\",", "O'Neil-Søren\",\"O'NEIL-SØREN, Zoë\"");
    lines[1] = lines[3];
    lines[3] = &first;
    lines.remove(2);
    let results = read(&lines.join("\n")).unwrap();
    assert_eq!(
        results.iter().map(|r| r.fate).collect::<Vec<_>>(),
        [RowFate::Done, RowFate::Unreported, RowFate::Unreported]
    );
    assert_eq!((results[0].id.as_deref(), &results[0].altered[..]), (Some("777"), &["DisplayName".to_owned()][..]));
}

#[test]
fn words_that_say_two_things_are_for_a_person() {
    let form = UploadForm::default();
    for (text, expected) in [
        ("SUCCESS", RowFate::Done),
        ("Updated account 17", RowFate::Done),
        ("Created with errors", RowFate::Unclear),
        ("Not created", RowFate::Failed),
        ("Already exists", RowFate::Failed),
        ("Pending", RowFate::Unclear),
        ("", RowFate::Unreported),
    ] {
        assert_eq!(result::fate_of(&form, text), expected, "{text}");
    }
}

#[test]
fn a_result_of_something_else_is_refused() {
    let told = read(&with_results(&["Result", "ok", "ok", "ok"]).replace("00102", "102")).unwrap_err().to_string();
    assert!(
        told.starts_with("line 3, column E (5) \"LocalUniqueId\": no row was sent for \"102\" with this action"),
        "{told}"
    );
    let file = with_results(&["Result", "ok", "ok", "ok"]);
    let twice = format!("{file}{}\r\n", file.lines().nth(1).unwrap());
    assert!(read(&twice).unwrap_err().to_string().contains("line 5"), "{twice}");
    let told = read(FILE).unwrap_err().to_string();
    assert!(told.contains("line 1: there is no column \"Result\""), "{told}");
    let told = read(&file.replace("LocalUniqueId", "LocalUniqeId")).unwrap_err().to_string();
    assert!(told.contains("there is no column \"LocalUniqueId\"; did you mean \"LocalUniqeId\"?"), "{told}");
}

#[test]
fn the_platforms_users_are_entries_with_states() {
    let text = "ID,Email Address,First Name,Last Name,ExternalSyncID,Organisation Code,Status,Last Logon\n\
        1,zoe.o'neil@platform.example,Zoë,O'Neil,00101,RX1,Active,2026-04-13 09:30\n\
        2,li@platform.example,明,李,,RX2,Locked Out,\n\
        3,x@platform.example,X,Y,00103,RX1,Dreaming,\n";
    let map = ColumnMap::default().with(Field::Key, "ID");
    let reading = user_report(text.as_bytes(), &FileForm::default(), &map).unwrap();
    let states: Vec<_> = reading.rows.iter().map(|row| (row.entry.key.as_str(), row.entry.state)).collect();
    assert_eq!(states, [("1", AccountState::Active), ("2", AccountState::Locked)]);
    assert_eq!(reading.rows[0].entry.local_id.as_deref(), Some("00101"));
    assert!(reading.mistakes.to_string().starts_with("line 4, column G (7) \"Status\": \"Dreaming\""));
}

#[test]
fn a_form_is_data_and_a_slip_in_it_is_named() {
    let text = "columns = [{ heading = 'Nr', value = 'local_id' }, { heading = 'Ward', value = 'other:Ward' }, { heading = 'X', value = 'empty' }]\n";
    let form: UploadForm = toml::from_str(text).unwrap();
    let file = write(&form, "c", &[person("7", "A", "B")]).unwrap();
    assert_eq!(file, b"Nr,Ward,X\r\n7,,\r\n");
    let error =
        toml::from_str::<UploadForm>("columns = [{ heading = 'Nr', value = 'surnam' }]").unwrap_err().to_string();
    assert!(error.contains("\"surnam\" is nothing that can stand in a column; did you mean \"surname\"?"), "{error}");
}

#[test]
fn a_row_is_told_by_the_columns_that_the_form_has() {
    let form = |columns: &str| toml::from_str::<UploadForm>(&format!("columns = [{columns}]")).unwrap();
    let short = form("{ heading = 'Nr', value = 'local_id' }, { heading = 'Name', value = 'surname' }");
    assert_eq!(short.check(), Ok(()));
    let sent = [person("7", "A", "B"), person("8", "C", "D")];
    let results = read_result(&short, "c", &sent, b"Nr,Name,Result\r\n8,D,ok\r\n", &FileForm::default()).unwrap();
    assert_eq!(results.iter().map(|row| row.fate).collect::<Vec<_>>(), [RowFate::Unreported, RowFate::Done]);
    let leaver = UploadRow { action: Action::Leave, ..person("7", "A", "B") };
    assert!(write(&short, "c", &[person("7", "A", "B"), leaver]).is_err(), "no column says what is to be done");
    assert!(form("{ heading = 'Name', value = 'surname' }").check().unwrap_err().contains("tells a row from others"));
    assert!(form("{ heading = 'A', value = 'mail' }, { heading = 'a ', value = 'empty' }").check().is_err());
}

proptest::proptest! {
    /// Whatever stands in an entry comes back from the file to the letter, in the same row, and is no formula in it.
    #[test]
    fn no_character_is_lost(texts in proptest::collection::vec("['=+@\\-\"',;\n\r\t a-zé李\u{ff1d}]{0,8}|\\PC{0,6}|[+][0-9 ()-]{1,9}", 1..12)) {
        let sent: Vec<UploadRow> = texts.iter().enumerate().map(|(at, text)| person(&at.to_string(), text, "x")).collect();
        let form = UploadForm::default();
        let file = write(&form, "c", &sent).unwrap();
        let table = crate::file::table(&file, &FileForm { format: crate::Format::Csv, ..FileForm::default() }).unwrap();
        proptest::prop_assert!(table.broken().is_empty(), "{}", table.broken());
        let read: Vec<String> = table.rows().map(|(_, cells)| unguarded(cells[6]).to_owned()).collect();
        proptest::prop_assert_eq!(&read, &texts);
        for (_, cells) in table.rows() {
            let is_number = cells[6].chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c));
            proptest::prop_assert!(is_number || !report::begins_formula(cells[6]), "{:?}", cells[6]);
        }
        // And the csv package reads it the same.
        let mut reader = ::csv::Reader::from_reader(file.as_slice());
        let read: Vec<String> = reader.records().map(|record| unguarded(&record.unwrap()[6]).to_owned()).collect();
        proptest::prop_assert_eq!(&read, &texts);
    }
}
