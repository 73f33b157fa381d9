//! Files of people that arrive by mail, on a real Postfix and a real Dovecot; sent, and the answers read, by Python (R-032, R-034).

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use conformance::servers::{Dovecot, Postfix};
use journeys::project::{Endpoint, Project};
use serde_json::Value;

const DOMAIN: &str = "trust.example";
const KEY: &str = "wxyzab1f2";
const PASSWORD: &str = "raspberry";
const IMPORT: &str = "import@trust.example";
const HR: &str = "hr@trust.example";

/// Sends a file: PORT SENDER SUBJECT MESSAGE-ID FILE [FIELD VALUE].
const SEND: &str = r#"
import smtplib, sys
from email.message import EmailMessage
port, sender, subject, message_id, path = sys.argv[1:6]
message = EmailMessage()
if len(sys.argv) > 6:
    message[sys.argv[6]] = sys.argv[7]
message["From"] = f"Human Resources <{sender}>"
message["To"] = "import@trust.example"
message["Subject"] = subject
message["Message-ID"] = message_id
message.set_content("Please take this.\n")
message.add_attachment(open(path, "rb").read(), maintype="text", subtype="csv", filename="people.csv")
with smtplib.SMTP("127.0.0.1", int(port)) as server:
    server.send_message(message, from_addr=sender, to_addrs=["import@trust.example"])
"#;

/// The messages in a Maildir, as JSON: subject, id, whether a program wrote it, and what is enclosed.
const ANSWERS: &str = r#"
import email, email.policy, json, pathlib, sys
found = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("[nc][eu][wr]/*")):
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    files = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    found.append({"subject": message["subject"], "id": message["message-id"], "auto": message["auto-submitted"],
        "reply": message["in-reply-to"], "text": message.get_body().get_content(), "files": files})
print(json.dumps(found))
"#;

fn python(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("python3").arg("-c").arg(script).args(arguments).output().expect("Python is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An organisation's mail, and a project that takes files from it.
struct Office {
    dovecot: Dovecot,
    postfix: Postfix,
    project: Project,
}

impl Office {
    fn open() -> Option<Self> {
        let people = [IMPORT, HR, "stranger@trust.example"];
        let dovecot = Dovecot::builder().users(people.map(|name| (name, PASSWORD))).start()?;
        let postfix = Postfix::start(DOMAIN, &dovecot, &people)?;
        let lines = format!(
            "[endpoints.post]\nkind = \"imap\"\nhost = \"127.0.0.1\"\nport = {imap}\ntls = \"none\"\n\
             [directories.nobody]\nkind = \"rehearsal\"\npath = \"nobody.json\"\n\
             [directories.platform]\nkind = \"rehearsal\"\npath = \"platform.json\"\n\
             [people]\nsources = [\"nobody\"]\nplatform = \"platform\"\ndomain = \"national.example\"\n\
             [people.import]\nconnector = \"payroll\"\nexemption = \"no router before the pilot\"\n\
             [people.mailed]\nendpoint = \"post\"\naccount = \"{IMPORT}\"\npassword = {{ file = \"post.password\" }}\n\
             key = {{ file = \"post.key\" }}\napproved_senders = {{ \"{HR}\" = \"Ivy Lead\" }}\n\
             authserv_id = \"{id}\"\nfrom = \"{IMPORT}\"\n\
             [people.mailed.smtp]\nhost = \"localhost\"\nport = {smtp}\ntls = \"starttls\"\nca_file = \"{ca}\"\n",
            imap = dovecot.port(),
            id = postfix.authserv_id(),
            smtp = postfix.submission_port(),
            ca = postfix.ca_file().display(),
        );
        let project = Project::new(Endpoint::maildir("from/{source}"), Endpoint::maildir("to/{target}")).with(&lines);
        for (name, text) in [("post.password", PASSWORD), ("post.key", KEY)] {
            let path = project.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Some(Self { dovecot, postfix, project })
    }

    /// Sends a file, and waits until it has come.
    fn send(&self, port: u16, sender: &str, subject: &str, id: &str, csv: &str, more: &[&str]) {
        let before = self.answers(IMPORT).len();
        let path = self.project.path().join("sent.csv");
        fs::write(&path, csv).unwrap();
        let (port, path) = (port.to_string(), path.display().to_string());
        let mut arguments = vec![port.as_str(), sender, subject, id, &path];
        arguments.extend(more);
        python(SEND, &arguments);
        self.wait(IMPORT, before + 1);
    }

    fn wait(&self, whose: &str, count: usize) {
        let began = Instant::now();
        while self.answers(whose).len() < count {
            assert!(began.elapsed() < Duration::from_secs(60), "no mail for {whose}\n{}", self.postfix.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// What lies in somebody's mailbox.
    fn answers(&self, whose: &str) -> Vec<Value> {
        let maildir = self.dovecot.maildir(whose).display().to_string();
        serde_json::from_str(&python(ANSWERS, &[&maildir])).unwrap()
    }

    /// The accounts of the platform.
    fn accounts(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.project.path().join("platform.json")).unwrap_or_else(|_| "[]".to_owned());
        serde_json::from_str(&text).unwrap()
    }
}

fn rows(count: usize) -> String {
    let mut csv = "LocalUniqueId,FirstName,LastName,Email,Action\n".to_owned();
    for line in 2..count + 2 {
        let _ = writeln!(csv, "{line},Ann,Lee{line},p{line}@trust.example,create");
    }
    csv
}

#[test]
fn only_who_may_and_with_the_key_hands_in_a_file() {
    let Some(office) = Office::open() else { return };
    let (inside, outside) = (office.postfix.submission_port(), office.postfix.port());
    office.send(inside, "stranger@trust.example", KEY, "<1@x>", &rows(2), &[]);
    office.send(inside, HR, "another key", "<2@x>", &rows(2), &[]);
    let forged = format!("{}; auth=pass smtp.auth={HR}", office.postfix.authserv_id());
    office.send(outside, HR, KEY, "<3@x>", &rows(2), &["Authentication-Results", &forged]);
    let (code, report) = office.project.json(&["people", "import", "--mailed"]);
    assert_eq!((code, report["refused"].as_array().unwrap().len()), (1, 3), "{report:#}");
    let why = report["refused"].to_string();
    assert!(why.contains("not authorised") && why.contains("key") && why.contains("easily forged"), "{why}");
    assert_eq!(office.accounts().len(), 0);

    // What is handed in well is taken, and its sender answered; the others never are.
    office.send(inside, HR, KEY, "<4@x>", &rows(2), &[]);
    let (code, report) = office.project.json(&["people", "import", "--mailed"]);
    assert_eq!((code, &report["submissions"][0]["approved_by"]), (0, &"Ivy Lead".into()), "{report:#}");
    office.wait(HR, 1);
    let accounts = office.accounts();
    assert_eq!(accounts.len(), 2);
    assert!(accounts.iter().all(|account| account["state"] == "active"), "{accounts:#?}");
    let answer = &office.answers(HR)[0];
    assert_eq!((&answer["auto"], &answer["reply"]), (&"auto-replied".into(), &"<4@x>".into()), "{answer:#}");
    let result = answer["files"]["people.result.csv"].as_str().unwrap();
    assert!(result.contains("created: ann.lee2@national.example"), "{result}");

    // The same once more: the same result, and nothing twice.
    office.send(inside, HR, KEY, "<4@x>", &rows(2), &[]);
    let (code, _) = office.project.json(&["people", "import", "--mailed"]);
    assert_eq!(code, 0);
    office.wait(HR, 2);
    assert_eq!(office.answers(HR)[1]["files"], answer["files"]);
    assert_eq!(office.accounts().len(), 2);
    let (_, report) = office.project.json(&["people", "import", "--mailed"]);
    assert_eq!((&report["submissions"], &report["refused"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    assert_eq!(office.answers("stranger@trust.example").len(), 0);
    // All that came is there still, and marked.
    let flags = office.dovecot.doveadm(&["-f", "tab", "fetch", "-u", IMPORT, "flags", "mailbox", "INBOX"]);
    assert_eq!(flags.matches("$WhimbrelRefused").count(), 3, "{flags}");
    assert_eq!(flags.matches("$WhimbrelDone").count(), 2, "{flags}");
}

#[test]
fn line_812_of_a_thousand_is_named_and_nobody_is_created() {
    let Some(office) = Office::open() else { return };
    let csv = rows(1000).replace("p812@trust.example", "p812@@trust.example");
    office.send(office.postfix.submission_port(), HR, KEY, "<1@x>", &csv, &[]);
    let (code, report) = office.project.json(&["people", "import", "--mailed"]);
    let line = &report["submissions"][0];
    assert_eq!((code, &line["mistakes_count"], &line["rows"]), (1, &1.into(), &1000.into()), "{report:#}");
    let mistake = line["mistakes"][0].as_str().unwrap();
    assert!(mistake.starts_with("line 812, column D (4) \"Email\""), "{mistake}");
    assert_eq!(office.accounts().len(), 0);
    office.wait(HR, 1);
    let answer = &office.answers(HR)[0];
    assert!(answer["text"].as_str().unwrap().contains(mistake), "{answer:#}");
    let result = answer["files"]["people.result.csv"].as_str().unwrap();
    let lines: Vec<&str> = result.lines().collect();
    assert_eq!(lines.len(), 1001);
    assert!(lines[811].contains("p812@@trust.example") && lines[811].contains("Email: "), "{}", lines[811]);
    assert!(lines[810].ends_with("other rows have mistakes\"") || lines[810].ends_with("other rows have mistakes"));
}

#[test]
fn killed_again_and_again_everybody_is_made_once() {
    let Some(office) = Office::open() else { return };
    const PEOPLE: usize = 120;
    office.send(office.postfix.submission_port(), HR, KEY, "<1@x>", &rows(PEOPLE), &[]);
    let mut kills = 0;
    for patience in (0..80).map(|number| Duration::from_millis(20 + number * 20)) {
        let mut command = office.project.command(&["people", "import", "--mailed"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(patience);
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    let (code, report) = office.project.json(&["people", "import", "--mailed"]);
    assert_eq!(code, 0, "{report:#}");
    let accounts = office.accounts();
    let origins: BTreeSet<&str> = accounts.iter().map(|account| account["origin"].as_str().unwrap()).collect();
    assert_eq!((accounts.len(), origins.len()), (PEOPLE, PEOPLE), "after {kills} kills");
    office.wait(HR, 1);
    let ids: BTreeSet<String> = office.answers(HR).iter().map(|answer| answer["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "after {kills} kills");
    let result = office.answers(HR)[0]["files"]["people.result.csv"].as_str().unwrap().to_owned();
    assert_eq!(result.matches("created: ").count(), PEOPLE, "{result}");
    assert!(kills > 2, "{kills} kills");
}
