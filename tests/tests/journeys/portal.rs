//! A platform that has only a portal: the portal is a program of its own, which reads the file, keeps its accounts, and writes its
//! result and its report of users (R-033, R-034, R-057, R-073). By hand, and by a real Postfix and a real Dovecot.

use std::{
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use conformance::servers::{Dovecot, Postfix};
use journeys::project::{Endpoint, Project};
use serde_json::Value;

const PEOPLE: usize = 30;
const KEY: &str = "wxyzab1f2";
const PASSWORD: &str = "raspberry";
const SUBMIT: &str = "submit@trust.example";
const RESULTS: &str = "results@trust.example";

/// A portal: FILE ACCOUNTS REPORT RESULT STATE [LOCAL-ID…]. Rows of these local ids fail. It ends with an error where somebody would
/// have two accounts.
const PORTAL: &str = r#"
import csv, json, os, sys
file, accounts, report, result, state, *failing = sys.argv[1:]
known = json.load(open(accounts)) if os.path.exists(accounts) else {}
with open(file, newline="", encoding="utf-8") as stream:
    rows = list(csv.DictReader(stream, strict=True))
for row in rows:
    number = row["LocalUniqueId"]
    assert row["ConnectorName"] == "trust1" and row["Action"] == "create", row
    assert number not in known, f"{number} would have two accounts"
    if number in failing:
        row["Result"] = "Failed: the organisational unit is not known"
        continue
    known[number] = {**row, "ID": str(7000 + len(known))}
    row["ID"], row["Result"] = known[number]["ID"], "Created"
rows.reverse()
with open(result, "w", newline="", encoding="utf-8") as stream:
    writer = csv.DictWriter(stream, rows[0].keys(), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
json.dump(known, open(accounts, "w"))
with open(report, "w", newline="", encoding="utf-8") as stream:
    writer = csv.writer(stream)
    writer.writerow(["ID", "Email Address", "First Name", "Last Name", "ExternalSyncID", "Organisation Code", "Status"])
    for number, row in known.items():
        writer.writerow([row["ID"], row["Email"], row["FirstName"], row["LastName"], number, row["OrganisationCode"], state])
"#;

/// The messages in a Maildir, as JSON: subject, id, whether a program sent it by itself, and what is enclosed.
const MAIL: &str = r#"
import email, email.policy, json, pathlib, sys
found = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("[nc][eu][wr]/*")):
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    files = [part.get_content() for part in message.iter_attachments()]
    found.append({"subject": message["subject"], "id": message["message-id"], "auto": message["auto-submitted"], "files": files})
print(json.dumps(found))
"#;

/// Sends a result: PORT SENDER MESSAGE-ID FILE.
const ANSWER: &str = r#"
import smtplib, sys
from email.message import EmailMessage
port, sender, answers, path = sys.argv[1:]
message = EmailMessage()
message["From"], message["To"], message["Subject"] = sender, "results@trust.example", "Your upload"
message["In-Reply-To"], message["Auto-Submitted"] = answers, "auto-generated"
message.set_content("Please see the file.\n")
message.add_attachment(open(path, "rb").read(), maintype="text", subtype="csv", filename="upload-result.csv")
with smtplib.SMTP("127.0.0.1", int(port)) as server:
    server.send_message(message, from_addr=sender, to_addrs=["results@trust.example"])
"#;

fn python(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("python3").arg("-c").arg(script).args(arguments).output().expect("Python is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An organisation whose platform has only a portal.
struct Office(Project);

impl Office {
    fn open(way: &str) -> Self {
        let lines = format!(
            "[directories.ad]\nkind = \"csv\"\npath = \"ad.csv\"\n\
             [directories.portal]\nkind = \"portal\"\nreport = \"users.csv\"\nmay_be_empty = true\nconnector = \"trust1\"\n{way}\
             [directories.portal.map.columns]\nkey = \"ID\"\n\
             [people]\nsources = [\"ad\"]\nplatform = \"portal\"\ndomain = \"national.example\"\n"
        );
        let project = Project::new(Endpoint::maildir("from/{source}"), Endpoint::maildir("to/{target}")).with(&lines);
        let mut people = "LocalUniqueId,FirstName,LastName,Email,LegacyExchangeDN\n".to_owned();
        for number in 1..=PEOPLE {
            let _ =
                writeln!(people, "{number:05},Zoë,\"O'Neil, {number}\",p{number}@trust.example,/o=Trust/cn={number}");
        }
        let office = Self(project);
        fs::write(office.path("ad.csv"), people).unwrap();
        fs::write(
            office.path("users.csv"),
            "ID,Email Address,First Name,Last Name,ExternalSyncID,Organisation Code,Status\n",
        )
        .unwrap();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Reads the directories, and approves what is to be made.
    fn plan(&self) {
        let (code, synced) = self.0.json(&["people", "sync"]);
        assert_eq!((code, &synced["classes"]["new"]), (0, &PEOPLE.into()), "{synced:#}");
        assert!(synced["directories"][1]["as_of"].is_i64(), "the age of the report is said: {synced:#}");
        let (_, plan) = self.0.json(&["people", "plan"]);
        let (number, digest) = (plan["plan"].to_string(), plan["digest"].as_str().unwrap());
        let (code, approved) =
            self.0.json(&["people", "plan", "--approve", &number, "--digest", digest, "--by", "Ivy Lead"]);
        assert_eq!(code, 0, "{approved:#}");
    }

    /// Applies, killed again and again; then to its end.
    fn apply_killed(&self) -> (i32, Value) {
        for patience in (0..12).map(|number| Duration::from_millis(4 + number * 9)) {
            let mut child =
                self.0.command(&["people", "apply"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(patience);
            let _ = child.kill();
            child.wait().unwrap();
        }
        self.0.json(&["people", "apply"])
    }

    /// The portal deals with a file.
    fn portal(&self, file: &Path, state: &str, failing: &[&str]) -> PathBuf {
        let name = |name: &str| self.path(name).display().to_string();
        let (file, result) = (file.display().to_string(), name("result.csv"));
        let (accounts, report) = (name("accounts.json"), name("users.csv"));
        let mut arguments = vec![file.as_str(), &accounts, &report, &result, state];
        arguments.extend(failing);
        python(PORTAL, &arguments);
        result.into()
    }

    fn uploads(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(self.path("uploads")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = found.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Everybody has one account, their own, and nothing is left to do.
    fn assert_in_step(&self) {
        let (code, synced) = self.0.json(&["people", "sync"]);
        assert_eq!((code, &synced["classes"]["existing"]), (0, &PEOPLE.into()), "{synced:#}");
        let (code, plan) = self.0.json(&["people", "plan"]);
        assert_eq!((code, plan["lines"].as_array().unwrap().len()), (0, 0), "{plan:#}");
        let (_, list) = self.0.json(&["people", "list"]);
        assert!(
            list["objects"].as_array().unwrap().iter().all(|line| line["matched_by"] == "made-for-them"),
            "{list:#}"
        );
    }
}

#[test]
fn a_portal_makes_everybody_once_from_files_that_somebody_uploads() {
    let office = Office::open("folder = \"uploads\"\n");
    office.plan();
    let (code, refused) = office.0.json(&["people", "apply"]);
    assert_eq!((code, &refused["rule"]), (3, &"R-073".into()), "{refused:#}");
    let (code, accepted) = office.0.json(&["people", "accept", "--exemption", "no router before the pilot"]);
    assert_eq!((code, accepted["to_make"].as_array().unwrap().len()), (0, PEOPLE), "{accepted:#}");
    let (_, applied) = office.apply_killed();
    assert_eq!(applied["submission"]["state"], "waits", "{applied:#}");
    let files = office.uploads();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);

    // One fails, and the portal sends its rows back in another order.
    let result = office.portal(&files[0], "Active", &["00007"]);
    let (code, again) = office.0.json(&["people", "apply"]);
    assert_eq!((code, office.uploads().len()), (1, 1), "{again:#}");
    let arguments = ["people", "results", result.to_str().unwrap(), "--by", "Ivy Lead"];
    let (code, read) = office.0.json(&arguments);
    assert_eq!((code, &read["done"], &read["ended"]), (1, &(PEOPLE - 1).into(), &true.into()), "{read:#}");
    assert!(read["failed"][0]["said"].as_str().unwrap().contains("organisational unit"), "{read:#}");
    let (code, read) = office.0.json(&arguments);
    assert_eq!((code, &read["known"]), (0, &true.into()), "{read:#}");

    let (code, applied) = office.0.json(&["people", "apply"]);
    assert_eq!((code, &applied["submission"]["rows"]), (0, &1.into()), "only the row not done: {applied:#}");
    let result = office.portal(&office.uploads()[1], "Active", &[]);
    let (code, read) = office.0.json(&["people", "results", result.to_str().unwrap(), "--by", "Ivy Lead"]);
    assert_eq!((code, &read["ended"]), (0, &true.into()), "{read:#}");
    office.assert_in_step();
    let (_, activation) = office.0.json(&["people", "activation"]);
    assert!(activation["waiting"].as_array().unwrap().iter().all(|line| line["live"].is_i64()), "{activation:#}");
}

#[test]
fn a_portal_is_mailed_one_letter_and_answers_by_mail() {
    let accounts = [SUBMIT, RESULTS, "portal@trust.example", "stranger@trust.example", "it@trust.example"];
    let Some(dovecot) = Dovecot::builder().users(accounts.map(|name| (name, PASSWORD))).start() else { return };
    let Some(postfix) = Postfix::start("trust.example", &dovecot, &accounts) else { return };
    let way = format!(
        "push = {{ to = \"{SUBMIT}\", from = \"it@trust.example\", key = {{ file = \"portal.key\" }}, smtp = {{ host = \"localhost\", \
         port = {smtp}, tls = \"starttls\", ca_file = \"{ca}\" }} }}\n\
         results = {{ endpoint = \"post\", account = \"{RESULTS}\", password = {{ file = \"post.password\" }}, \
         senders = [\"portal@trust.example\"], authserv_id = \"{id}\" }}\n",
        smtp = postfix.submission_port(),
        ca = postfix.ca_file().display(),
        id = postfix.authserv_id(),
    );
    let mut office = Office::open(&way);
    let endpoint =
        format!("[endpoints.post]\nkind = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n", dovecot.port());
    office.0 = office.0.with(&endpoint);
    for (name, text) in [("post.password", PASSWORD), ("portal.key", KEY)] {
        fs::write(office.path(name), text).unwrap();
        fs::set_permissions(office.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mail = |whose: &str| -> Vec<Value> {
        serde_json::from_str(&python(MAIL, &[&dovecot.maildir(whose).display().to_string()])).unwrap()
    };
    let wait = |whose: &str, count: usize| {
        let began = Instant::now();
        while mail(whose).len() < count {
            assert!(began.elapsed() < Duration::from_secs(60), "no mail for {whose}\n{}", postfix.log());
            thread::sleep(Duration::from_millis(100));
        }
    };
    office.plan();
    let (_, applied) = office.apply_killed();
    assert_eq!(applied["submission"]["state"], "waits", "{applied:#}");
    wait(SUBMIT, 1);
    let letters = mail(SUBMIT);
    assert!(letters.iter().all(|letter| letter["files"] == letters[0]["files"] && letter["id"] == letters[0]["id"]));
    assert_eq!((&letters[0]["subject"], &letters[0]["auto"]), (&KEY.into(), &Value::Null));
    let file = office.path("submitted.csv");
    fs::write(&file, letters[0]["files"][0].as_str().unwrap().replace("\r\n", "\n").replace('\n', "\r\n")).unwrap();
    let result = office.portal(&file, "Pending", &[]).display().to_string();

    // Only the portal's own answer counts.
    let (inside, outside) = (postfix.submission_port().to_string(), postfix.port().to_string());
    let id = letters[0]["id"].as_str().unwrap();
    python(ANSWER, &[&inside, "stranger@trust.example", id, &result]);
    python(ANSWER, &[&outside, "portal@trust.example", id, &result]);
    wait(RESULTS, 2);
    let (code, read) = office.0.json(&["people", "results", "--mailed"]);
    assert_eq!((code, read["refused"].as_array().unwrap().len()), (1, 2), "{read:#}");
    python(ANSWER, &[&inside, "portal@trust.example", id, &result]);
    wait(RESULTS, 3);
    let (code, read) = office.0.json(&["people", "results", "--mailed"]);
    assert_eq!((code, &read["results"][0]["done"]), (0, &PEOPLE.into()), "{read:#}");
    office.assert_in_step();

    // Nothing is live before a reason is recorded here and somebody accepts it there (R-033, R-073).
    let (code, accepted) = office.0.json(&["people", "accept", "--exemption", "no router before the pilot"]);
    assert_eq!((code, accepted["to_accept"].as_array().unwrap().len()), (0, PEOPLE), "{accepted:#}");
    let report = fs::read_to_string(office.path("users.csv")).unwrap().replace("Pending", "Active");
    fs::write(office.path("users.csv"), report).unwrap();
    office.assert_in_step();
    let (_, activation) = office.0.json(&["people", "activation"]);
    assert!(activation["waiting"].as_array().unwrap().iter().all(|line| line["live"].is_i64()), "{activation:#}");
}
