use super::*;
use crate::Exit;

const WHOLE: &str = r#"
version = 1
organisation = { name = "Example Trust", code = "RX1" }
profile  = "plain"
database = "sqlite:whimbrel.db"
people_at_once = 4

[endpoints.local]
kind = "imap"
host = "127.0.0.1"
port = 10143
tls  = "none"
ca_file = "ca.pem"
connections_max = 8
[endpoints.local.login]
user        = "migrator"
password    = { env = "LOCAL_PASSWORD" }
impersonate = "authzid"

[endpoints.archive]
kind = "maildir"
path = "archive/{target}"

[source]
mail = "local"
[target]
mail = "archive"
"#;

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("/project"))
}

fn complaint(from: &str, to: &str) -> Error {
    assert!(WHOLE.contains(from));
    parse(&WHOLE.replacen(from, to, 1)).unwrap_err()
}

#[test]
fn one_server_on_both_sides_needs_two_connections() {
    let both = WHOLE.replace("mail = \"archive\"", "mail = \"local\"");
    parse(&both).unwrap();
    let error = parse(&both.replace("connections_max = 8", "connections_max = 1")).unwrap_err();
    assert!(error.what.contains("endpoints.local.connections_max = 1"), "{error}");
}

#[test]
fn a_mailbox_is_told_from_others() {
    let config = parse(&WHOLE.replace("mail = \"archive\"", "mail = \"local\"")).unwrap();
    assert!(config.is_one_mailbox(("local", "Ann"), ("local", "ann")));
    assert!(!config.is_one_mailbox(("local", "ann"), ("local", "ben")));
    assert!(config.is_one_mailbox(("archive", "a"), ("archive", "a")));
    assert!(!config.is_one_mailbox(("archive", "a"), ("local", "a")));
}

#[test]
fn a_whole_file_is_read() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(config.code.as_str(), "RX1");
    let EndpointEntry::Imap(local) = &config.endpoints["local"] else { panic!("not IMAP") };
    assert_eq!((local.port, local.tls), (Some(10143), Some(TlsEntry::None)));
    assert!(matches!(local.login.as_ref().unwrap().password, Some(SecretEntry::Env(_))));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_one_meant() {
    let error = complaint("people_at_once", "poeple_at_once");
    assert!(error.what.contains("line 6") && error.what.contains("poeple_at_once"), "{error}");
    assert_eq!(error.advice.as_deref(), Some("did you mean \"people_at_once\"?"));
    let error = complaint("connections_max", "conections_max");
    assert!(error.what.contains("[endpoints.local]") && error.what.contains("line 14"), "{error}");
    assert_eq!(error.advice.as_deref(), Some("did you mean \"connections_max\"?"));
    let error = complaint("impersonate", "impersonat");
    assert_eq!(error.advice.as_deref(), Some("did you mean \"impersonate\"?"));
    assert_eq!(error.exit, Exit::Usage);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (from, to, expected) in [
        ("port = 10143", "port = \"x\"", "[endpoints.local]"),
        ("kind = \"imap\"", "kind = \"imp\"", "kind = \"imp\""),
        ("mail = \"local\"", "mail = \"locl\"", "source.mail"),
        ("version = 1", "version = 2", "version = 2"),
        ("people_at_once = 4", "people_at_once = 0", "people_at_once"),
        ("[source]", "[source", "line"),
        ("host = \"127.0.0.1\"", "", "host"),
        ("profile  = \"plain\"", "profile = \"nhs\"", "profile"),
        ("kind = \"maildir\"", "kind = \"mbox\"", "only read"),
        ("path = \"archive/{target}\"", "path = \"archive\"", "for everybody"),
        ("kind = \"maildir\"", "kind = \"mbox\"\ninbox = \"x\"", "inbox"),
    ] {
        let error = complaint(from, to);
        assert!(error.what.contains(expected), "{error}");
        assert_eq!(error.exit, Exit::Usage);
    }
}

#[test]
fn a_code_is_mandatory_and_of_the_right_form() {
    for to in ["code = \"\"", "code = \"R X\"", "code = \"TOOLONG1234\""] {
        let error = complaint("code = \"RX1\"", to);
        assert_eq!((error.exit, error.rule), (Exit::Refused, Some("R-002")), "{error}");
    }
    let error = complaint(", code = \"RX1\"", "");
    assert_eq!(error.rule, Some("R-002"));
}

#[test]
fn the_schema_describes_every_key() {
    let text = schema().to_string();
    for key in ["people_at_once", "connections_max", "impersonate", "spool_bytes_max"] {
        assert!(text.contains(key), "{key}");
    }
}

#[test]
fn what_is_sent_is_checked_before_anything_is() {
    const SENT: &str = r#"
[mail]
from = "whimbrel@trust.example"
smtp = { host = "localhost" }
[reports]
at = "06:30"
to = ["board@trust.example"]
days = ["mon", "fri"]
which = ["failed"]
formats = ["csv"]
[alerts]
to = ["ops@trust.example"]
webhook = { url = "https://hook.example/x?key=1", secret = { env = "HOOK" } }
stalled_minutes = 10
"#;
    let whole = format!("{WHOLE}{SENT}");
    let config = parse(&whole).unwrap();
    let reports = config.file.reports.as_ref().unwrap();
    assert_eq!((reports.which.as_slice(), reports.days.len()), (&[ReportKind::Failed][..], 2));
    assert_eq!(config.time_zone(), jiff::tz::TimeZone::get("Europe/London").unwrap());
    for (from, to, expected, cure) in [
        (
            "code = \"RX1\"",
            "code = \"RX1\", time_zone = \"Europe/Lodnon\"",
            "time_zone",
            "did you mean \"Europe/London\"?",
        ),
        ("code = \"RX1\"", "code = \"RX1\", time_zone = \"+01:00\"", "time_zone", "IANA"),
        ("at = \"06:30\"", "at = \"6.30\"", "reports.at", "06:30"),
        ("to = [\"board@trust.example\"]", "to = []", "reports.to", "who gets"),
        ("to = [\"board@trust.example\"]", "to = [\"board\"]", "reports.to", "name@domain"),
        ("to = [\"ops@trust.example\"]", "to = [\"a@b\", \"A@b\"]", "alerts.to", "each once"),
        ("\"failed\"", "", "reports.which", "overall"),
        ("\"csv\"", "", "reports.formats", "xlsx"),
        ("from = \"whimbrel@trust.example\"", "from = \"whimbrel\"", "mail.from", "name@domain"),
        ("{ host = \"localhost\" }", "{ host = \"localhost\", user = \"x\" }", "mail.smtp", "both or neither"),
        ("stalled_minutes = 10", "stalled_minutes = 0", "alerts.stalled_minutes", "1 or more"),
        ("https://hook", "http://hook", "alerts.webhook.url", "unencrypted"),
        ("https://hook", "hook", "alerts.webhook.url", "https://"),
        ("\"fri\"", "\"friday\"", "friday", ""),
    ] {
        assert!(whole.contains(from), "{from}");
        let error = parse(&whole.replacen(from, to, 1)).unwrap_err();
        let advice = error.advice.clone().unwrap_or_default();
        assert!(
            error.what.contains(expected) && advice.contains(cure) && error.exit == Exit::Usage,
            "{error} {advice}"
        );
    }
    let without = |table: &str| {
        let (before, rest) = whole.split_once(table).unwrap();
        let after = rest.find("\n[").map_or("", |at| &rest[at..]);
        parse(&format!("{before}{after}")).unwrap_err().what
    };
    assert!(without("[mail]").contains("there is no [mail]"));
    let nobody = parse(&whole.replace("to = [\"ops@trust.example\"]\nwebhook", "# webhook")).unwrap_err();
    assert!(nobody.what.contains("alerts.to names nobody"), "{nobody}");
}
