//! Reports by mail and alerts, on a real Postfix and a real Dovecot: letters are read by Python, and their numbers are those on demand
//! (R-006, R-215, R-218).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use conformance::hook::HookServer;
use conformance::servers::{Dovecot, Postfix, free_port};
use journeys::{
    mail::small,
    project::{Endpoint, Project},
    store::Store,
};
use serde_json::Value;

const BOARD: &str = "board@trust.example";
const OPS: &str = "ops@trust.example";

/// The letters in a Maildir, as JSON, the oldest first: with every enclosed file as text.
const LETTERS: &str = r#"
import email, email.policy, json, pathlib, sys
found = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("[nc][eu][wr]/*"), key=lambda path: path.stat().st_mtime_ns):
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    files = {part.get_filename(): part.get_payload(decode=True).decode("utf-8", "replace") for part in message.iter_attachments()}
    found.append({"id": message["message-id"], "auto": message["auto-submitted"], "subject": message["subject"],
        "text": message.get_body().get_content(), "files": files})
print(json.dumps(found))
"#;

/// Is the signature of a request what its body and this secret make?
const SIGNED: &str = r#"
import hashlib, hmac, sys
field, body, secret = sys.argv[1:4]
at, signature = (part.split("=", 1)[1] for part in field.split(","))
expected = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
print(hmac.compare_digest(expected, signature))
"#;

fn python(script: &str, arguments: &[&str]) -> String {
    let output = Command::new("python3").arg("-c").arg(script).args(arguments).output().expect("Python is here");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What lies in somebody's mailbox, once so many letters do.
fn letters(maildir: &Path, count: usize, postfix: &Postfix) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let found: Vec<Value> = serde_json::from_str(&python(LETTERS, &[&maildir.display().to_string()])).unwrap();
        if found.len() >= count {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no mail\n{}", postfix.log());
        thread::sleep(Duration::from_millis(50));
    }
}

fn mail(port: u16, postfix: &Postfix) -> String {
    format!(
        "[mail]\nfrom = \"whimbrel@trust.example\"\nsmtp = {{ host = \"localhost\", port = {port}, tls = \"starttls\", ca_file = {:?} }}\n\
         [reports]\nto = [\"{BOARD}\", \"{OPS}\"]\nformats = [\"csv\", \"xlsx\"]\n",
        postfix.ca_file().display().to_string()
    )
}

#[test]
fn a_days_three_reports_come_by_mail_with_the_numbers_that_are_had_on_demand() {
    let people = [BOARD, OPS, "whimbrel@trust.example"];
    let Some(dovecot) = Dovecot::builder().users(people.map(|name| (name, "x"))).start() else { return };
    let Some(postfix) = Postfix::start("trust.example", &dovecot, &people) else { return };
    let (source, target) = (Store::maildir(), Store::maildir());
    let project = |port| {
        let rows = "source,target,collection\nann,ann,one\nbob,bob,two\n";
        Project::new(source.endpoint(), target.endpoint()).with(&mail(port, &postfix)).people(rows)
    };
    source.fill("ann", &small("ann"));
    source.fill("bob", &small("bob"));

    // While nobody takes letters that is said, and they wait.
    let closed = project(free_port());
    let (code, report) = closed.json(&["report", "send", "--now", "overall"]);
    assert_eq!((code, &report["reports"][0]["letters"][0]["tries"]), (1, &1.into()), "{report:#}");
    let (code, report) = closed.json(&["report", "sent"]);
    let waiting = &report["reports"][0]["letters"];
    assert_eq!((code, waiting.as_array().unwrap().len(), &waiting[0]["sent"]), (0, 2, &Value::Null), "{report:#}");
    assert!(
        waiting[0]["next"].is_i64() && waiting[0]["said"].to_string().contains("cannot send a letter"),
        "{report:#}"
    );

    let project = project(postfix.submission_port());
    assert_eq!(project.run(&["sync"]).code, 0);
    let kinds = ["overall", "failed", "schedule"];
    for kind in kinds {
        let (code, report) = project.json(&["report", "send", "--now", kind]);
        assert_eq!((code, &report["schema"]), (0, &"whimbrel.report-sent/1".into()), "{report:#}");
    }
    let of_board = letters(&dovecot.maildir(BOARD), 3, &postfix);
    let of_ops = letters(&dovecot.maildir(OPS), 3, &postfix);
    for (place, kind) in kinds.iter().enumerate() {
        let letter =
            of_board.iter().find(|letter| letter["id"].to_string().contains(&format!(".report.{kind}."))).unwrap();
        assert_eq!(letter["auto"], "auto-generated");
        assert!(letter["text"].as_str().unwrap().contains("the whole day (Europe/London)"), "{letter:#}");
        let csv = project.run(&["report", kind, "--format", "csv"]).out;
        let files = letter["files"].as_object().unwrap();
        let (name, enclosed) = files.iter().find(|(name, _)| name.contains(".csv")).unwrap();
        assert!(name.starts_with(&format!("RX1-migration-{kind}-20")), "{name}");
        assert_eq!(enclosed.as_str().unwrap(), csv, "{kind}: the same numbers");
        assert_eq!(files.len(), 2);
        assert_ne!(of_board[place]["id"], of_ops[place]["id"], "each letter is its own");
    }
    let (_, report) = project.json(&["report", "schedule"]);
    assert_eq!((&report["all"]["mailboxes"], &report["all"]["in_step"]), (&2.into(), &2.into()), "{report:#}");
    assert_eq!(report["collections"].as_array().unwrap().len(), 2);
    // Nothing is owed on the first day.
    let (code, report) = project.json(&["report", "send"]);
    assert_eq!((code, report["reports"].as_array().unwrap().len()), (0, 3), "{report:#}");
    assert_eq!(letters(&dovecot.maildir(BOARD), 3, &postfix).len(), 3);
}

#[test]
fn a_mailbox_that_needs_a_person_is_told_of_by_mail_and_webhook_once() {
    let people = [OPS, "whimbrel@trust.example"];
    let Some(dovecot) = Dovecot::builder().users(people.map(|name| (name, "x"))).start() else { return };
    let Some(postfix) = Postfix::start("trust.example", &dovecot, &people) else { return };
    let hook = HookServer::start(None, &[]);
    let source = Store::maildir();
    source.fill(OPS, &small("ops"));
    let lines = format!(
        "{}[alerts]\nto = [\"{OPS}\"]\nwebhook = {{ url = \"http://127.0.0.1:{}/x\", secret = {{ file = \"hook.secret\" }}, \
         unencrypted = true }}\nquiet_again_minutes = 0\n",
        mail(postfix.submission_port(), &postfix),
        hook.port()
    );
    let target = Endpoint::imap(dovecot.port());
    let wrong = format!("source,target,target_password\n{OPS},{OPS},wrong\n");
    let project = Project::new(source.endpoint(), target).with(&lines).people(&wrong);
    let secret = project.path().join("hook.secret");
    fs::write(&secret, "sesame\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();

    let (code, report) = project.json(&["alert", "check"]);
    assert_eq!((code, report["alerts"].as_array().unwrap().len()), (0, 0), "{report:#}");
    assert_ne!(project.run(&["sync"]).code, 0);
    for _ in 0..2 {
        let (code, report) = project.json(&["alert", "check"]);
        assert_eq!((code, &report["alerts"][0]["kind"]), (0, &"mailbox-parked".into()), "{report:#}");
    }
    let [told] = &hook.told()[..] else { panic!("{:?}", hook.told()) };
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(
        (&body["event"], &body["about"], &body["schema"]),
        (&"raised".into(), &OPS.into(), &"whimbrel.alert/1".into())
    );
    assert!(!told.body.contains("wrong"), "no password: {}", told.body);
    let signed = python(SIGNED, &[told.field("whimbrel-signature"), &told.body, "sesame"]);
    assert_eq!(signed.trim(), "True");

    // The password is corrected.
    let project = project.people(&format!("source,target,target_password\n{OPS},{OPS},x\n"));
    assert_eq!(project.run(&["sync"]).code, 0);
    let (_, report) = project.json(&["alert", "check"]);
    assert_eq!(report["alerts"].as_array().unwrap().len(), 0, "{report:#}");
    let listed = project.run(&["alert", "list", "--all"]);
    assert!(listed.out.contains("Nothing needs a person.") && listed.out.contains("mailbox-parked"), "{listed:?}");
    let told = hook.told();
    assert!(told.len() == 2 && told[1].body.contains("\"event\":\"over\""), "{told:?}");
    // What was copied lies in the same mailbox as the letters.
    let subjects = |letter: &Value| letter["subject"].as_str().unwrap_or_default().to_owned();
    let began = Instant::now();
    loop {
        let found = letters(&dovecot.maildir(OPS), 2, &postfix);
        let of_alerts: Vec<String> =
            found.iter().map(subjects).filter(|subject| subject.starts_with("RX1 migration")).collect();
        if of_alerts.len() == 2 {
            assert_eq!(of_alerts, ["RX1 migration: raised mailbox-parked", "RX1 migration: over mailbox-parked"]);
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{of_alerts:?}\n{}", postfix.log());
        thread::sleep(Duration::from_millis(50));
    }
}
