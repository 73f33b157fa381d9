//! People asked by mail whose an account under another organisation's code is, on a real Postfix and a real Dovecot; read and answered by
//! Python (R-055).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use conformance::servers::{Dovecot, Postfix};
use journeys::project::{Endpoint, Project};
use serde_json::{Value, json};

const PASSWORD: &str = "raspberry";
const CONFIRM: &str = "confirm@trust.example";
const ANN: &str = "ann@trust.example";
const BEN: &str = "ben@trust.example";
const ANNS_ACCOUNT: &str = "ann.lee@national.example";
const BENS_ACCOUNT: &str = "ben.ray@national.example";

/// The letters in a Maildir, as JSON, the oldest first.
const LETTERS: &str = r#"
import email, email.policy, json, pathlib, sys
found = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("[nc][eu][wr]/*"), key=lambda path: path.stat().st_mtime_ns):
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    found.append({"id": message["message-id"], "auto": message["auto-submitted"], "text": message.get_body().get_content()})
print(json.dumps(found))
"#;

/// Answers a letter as mail programs do, quoting it: PORT SENDER MESSAGE-ID TEXT LETTER [FIELD VALUE].
const REPLY: &str = r#"
import smtplib, sys
from email.message import EmailMessage
port, sender, message_id, text, letter = sys.argv[1:6]
message = EmailMessage()
if len(sys.argv) > 6:
    message[sys.argv[6]] = sys.argv[7]
message["From"] = f"Somebody <{sender}>"
message["To"] = "confirm@trust.example"
message["Subject"] = "Re: Please answer"
message["Message-ID"] = message_id
quoted = "".join(f"> {line}\n" for line in letter.splitlines())
message.set_content(f"{text}\n\nKind regards – Zoë\n\nOn Thursday confirm@trust.example wrote:\n{quoted}", cte="quoted-printable")
message.add_alternative("<p>The same, as a page.</p>", subtype="html")
with smtplib.SMTP("127.0.0.1", int(port)) as server:
    server.send_message(message, from_addr=sender, to_addrs=["confirm@trust.example"])
"#;

fn python(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("python3").arg("-c").arg(script).args(arguments).output().expect("Python is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An organisation's mail, that of the platform, and a project that asks.
struct Office {
    dovecot: Dovecot,
    postfix: Postfix,
    project: Project,
}

impl Office {
    fn open() -> Option<Self> {
        let people = [CONFIRM, ANN, BEN, ANNS_ACCOUNT, BENS_ACCOUNT];
        let dovecot = Dovecot::builder().users(people.map(|name| (name, PASSWORD))).start()?;
        let postfix = Postfix::start("trust.example", &dovecot, &people)?;
        let lines = format!(
            "[endpoints.post]\nkind = \"imap\"\nhost = \"127.0.0.1\"\nport = {imap}\ntls = \"none\"\n\
             [directories.ad]\nkind = \"rehearsal\"\npath = \"ad.json\"\n\
             [directories.platform]\nkind = \"rehearsal\"\npath = \"platform.json\"\n\
             [people]\nsources = [\"ad\"]\nplatform = \"platform\"\ndomain = \"national.example\"\n\
             [people.confirmation]\nendpoint = \"post\"\naccount = \"{CONFIRM}\"\npassword = {{ file = \"post.password\" }}\n\
             authserv_id = \"{id}\"\nfrom = \"{CONFIRM}\"\ncontact = \"the help desk\"\n\
             [people.confirmation.smtp]\nhost = \"localhost\"\nport = {smtp}\ntls = \"starttls\"\nca_file = \"{ca}\"\n",
            imap = dovecot.port(),
            id = postfix.authserv_id(),
            smtp = postfix.submission_port(),
            ca = postfix.ca_file().display(),
        );
        let project = Project::new(Endpoint::maildir("from/{source}"), Endpoint::maildir("to/{target}")).with(&lines);
        let path = project.path().join("post.password");
        fs::write(&path, PASSWORD).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let names = |given: &str, surname: &str| json!({ "given": given, "surname": surname, "display": format!("{given} {surname}") });
        let person = |key: &str, given: &str, surname: &str, mail: &str| {
            json!({ "key": key, "kind": "person", "names": names(given, surname), "mail": mail, "local_id": key, "has_mailbox": true,
                "legacy_dn": format!("/o=Trust/cn={key}") })
        };
        let account = |key: &str, given: &str, surname: &str, mail: &str, of: &str| {
            json!({ "key": key, "kind": "person", "names": names(given, surname), "mail": mail, "organisation": "RY2",
                "addresses": [{ "kind": "x500", "text": format!("/o=Trust/cn={of}") }] })
        };
        let write = |name: &str, entries: Value| fs::write(project.path().join(name), entries.to_string()).unwrap();
        write("ad.json", json!([person("1", "Ann", "Lee", ANN), person("2", "Ben", "Ray", BEN)]));
        let accounts = [account("p1", "Ann", "Lee", ANNS_ACCOUNT, "1"), account("p2", "Ben", "Ray", BENS_ACCOUNT, "2")];
        write("platform.json", json!(accounts));
        Some(Self { dovecot, postfix, project })
    }

    /// What lies in somebody's mailbox, once so many letters do.
    fn letters(&self, whose: &str, count: usize) -> Vec<Value> {
        let maildir = self.dovecot.maildir(whose).display().to_string();
        let began = Instant::now();
        loop {
            let found: Vec<Value> = serde_json::from_str(&python(LETTERS, &[&maildir])).unwrap();
            if found.len() >= count {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no mail for {whose}\n{}", self.postfix.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn reply(&self, port: u16, (sender, id): (&str, &str), text: &str, letter: &str, more: &[&str]) {
        let before = self.letters(CONFIRM, 0).len();
        let port = port.to_string();
        let mut arguments = vec![port.as_str(), sender, id, text, letter];
        arguments.extend(more);
        python(REPLY, &arguments);
        self.letters(CONFIRM, before + 1);
    }

    fn line(&self, key: &str) -> Value {
        let (code, report) = self.project.json(&["people", "list"]);
        assert_eq!(code, 0, "{report:#}");
        let objects = report["objects"].as_array().unwrap();
        objects.iter().find(|line| line["id"] == format!("ad:{key}")).unwrap().clone()
    }
}

fn text(letter: &Value) -> &str {
    letter["text"].as_str().unwrap()
}

/// The code that stands alone in a line of a letter.
fn code(letter: &Value) -> String {
    let line = text(letter).lines().map(str::trim).find(|line| line.len() == 19 && line.matches('-').count() == 3);
    line.unwrap_or_else(|| panic!("{letter:#}")).to_owned()
}

#[test]
fn people_are_asked_and_their_own_answers_decide_whose_an_account_is() {
    let Some(office) = Office::open() else { return };
    let (inside, outside) = (office.postfix.submission_port(), office.postfix.port());
    let (code_of, report) = office.project.json(&["people", "sync"]);
    assert_eq!(code_of, 0, "{report:#}");
    let (code_of, report) = office.project.json(&["people", "confirm", "--ask"]);
    assert_eq!((code_of, report["asked"].as_array().unwrap().len()), (0, 2), "{report:#}");
    let anns = &office.letters(ANN, 1)[0];
    let anns_second = code(&office.letters(ANNS_ACCOUNT, 1)[0]);
    let bens = &office.letters(BEN, 1)[0];
    assert_eq!(anns["auto"], "auto-generated");
    assert!(text(anns).contains(ANNS_ACCOUNT) && text(anns).contains("the help desk"), "{anns:#}");
    assert!(!text(&office.letters(BENS_ACCOUNT, 1)[0]).contains(BEN));

    // Somebody who forges Ann's address, with all she has; an absence notice; and Ben, who only says yes.
    let moved = format!("MOVED {anns_second}");
    let forged = format!("{}; auth=pass smtp.auth={ANN}", office.postfix.authserv_id());
    office.reply(outside, (ANN, "<1@x>"), &moved, text(anns), &["Authentication-Results", &forged]);
    office.reply(inside, (ANN, "<2@x>"), &moved, text(anns), &["Auto-Submitted", "auto-replied"]);
    office.reply(inside, (BEN, "<3@x>"), "STAYS", text(bens), &[]);
    let (code_of, report) = office.project.json(&["people", "confirm", "--mailed"]);
    assert_eq!((code_of, report["automatic"].as_u64(), report["answered"].as_array().unwrap().len()), (1, Some(1), 0));
    let why = report["refused"].to_string();
    assert!(why.contains("easily forged") && why.contains("lacks the code that was sent to the account"), "{why}");
    assert_eq!((&office.line("1")["class"], &office.line("2")["class"]), (&"unresolved".into(), &"unresolved".into()));

    // Ann with both codes, and Ben, who looked again: the account is a namesake's.
    office.reply(inside, (ANN, "<4@x>"), &moved, text(anns), &[]);
    office.reply(inside, (BEN, "<5@x>"), "Other", text(bens), &[]);
    let (code_of, report) = office.project.json(&["people", "confirm", "--mailed"]);
    assert_eq!((code_of, report["answered"].as_array().unwrap().len()), (0, 2), "{report:#}");
    let (ann, ben) = (office.line("1"), office.line("2"));
    assert_eq!(
        (&ann["class"], &ann["account"], &ann["asked"]["state"]),
        (&"existing".into(), &"p1".into(), &"answered".into())
    );
    assert_eq!((&ben["class"], &ben["account"]), (&"new".into(), &Value::Null), "{ben:#}");

    // Nothing comes twice, and all that came is there still, and marked.
    let (code_of, report) = office.project.json(&["people", "confirm", "--mailed"]);
    assert_eq!((code_of, report["answered"].as_array().unwrap().len()), (0, 0), "{report:#}");
    let flags = office.dovecot.doveadm(&["-f", "tab", "fetch", "-u", CONFIRM, "flags", "mailbox", "INBOX"]);
    assert_eq!((flags.matches("$WhimbrelRefused").count(), flags.matches("$WhimbrelDone").count()), (2, 3), "{flags}");
    // No code is kept.
    let database = fs::read(office.project.path().join("whimbrel.db")).unwrap();
    let wal = fs::read(office.project.path().join("whimbrel.db-wal")).unwrap_or_default();
    for code in [code(anns), anns_second] {
        let has = |bytes: &[u8]| bytes.windows(code.len()).any(|part| part.eq_ignore_ascii_case(code.as_bytes()));
        assert!(!has(&database) && !has(&wal));
    }
}
