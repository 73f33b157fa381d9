//! Who may open what: read on one server, signed off, given on another, read back there and tried (R-204 to R-207, R-212,
//! R-213).

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::servers::{Acl, Dovecot, DovecotBuilder};
use connector::{Account, Connector, Door, Effect, Error, Granted, NewRight, Secret};
use imap::{Config, ImapConnector, Impersonate, Login, Tls};
use journeys::{
    mail::small,
    project::Project,
    store::{MIGRATOR, PASSWORD, Store},
};
use model::{Cause, FolderPath, Letters, Scope};
use serde_json::Value;

pub(super) fn sharing_dovecot() -> DovecotBuilder {
    Dovecot::builder().acl(Acl::OfOwner).shared()
}

fn dovecot(store: &Store) -> &Dovecot {
    let Store::Dovecot(dovecot) = store else { unreachable!("it is one") };
    dovecot
}

/// What `doveadm` says of a folder: who has which rights, the owner's own left out.
pub(super) fn rights(store: &Store, owner: &str, folder: &str) -> BTreeSet<String> {
    let said = dovecot(store).doveadm(&["-f", "tab", "acl", "get", "-u", owner, folder]);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    said.lines().skip(1).map(words).filter(|line| !line.is_empty() && !line.starts_with("owner")).collect()
}

pub(super) fn set(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(|line| (*line).to_owned()).collect()
}

/// Can somebody open what another shares with them?
pub(super) fn opens(store: &Store, who: &str, folder: &str) -> bool {
    store.talk(who).command(&format!("EXAMINE \"shared/{folder}\"")).is_ok()
}

/// The rows of a report: mailbox, folder, grantee, right, and the value of this key.
pub(super) fn lines(report: &Value, key: &str) -> BTreeSet<String> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
    let line = |line: &Value| ["mailbox", "folder", "grantee", "right", key].map(|key| text(line, key)).join(" ");
    report["rights"].as_array().unwrap().iter().map(line).collect()
}

/// Signs the rights as they are listed, by whoever runs the program so.
pub(super) fn sign(json: impl Fn(&[&str]) -> (i32, Value)) -> (i32, Value) {
    let (_, listed) = json(&["sharing", "list"]);
    let digest = listed["digest"].as_str().unwrap();
    json(&["sharing", "signoff", "--digest", digest, "--by", "Ivy Guardian", "--evidence", "letter of 3 May"])
}

#[test]
fn sharing_of_cyrus_is_the_same_on_dovecot_and_a_grantee_who_comes_later_gets_theirs() {
    let Some(source) = Store::cyrus(&["ward", "bob", "carl", "dora", "eve"]) else { return };
    let names = ["hill.ward", "bob.ray", "carl.lee", "dora.may", "eve.fox"];
    let Some(target) = Store::dovecot_with(sharing_dovecot(), &names) else { return };
    for name in ["ward", "bob", "carl", "dora", "eve"] {
        source.fill(name, &small(name));
    }
    let mut owner = source.talk("ward");
    for command in [
        "CREATE Clinic",
        "CREATE \"Clinic/Letters &AOk-\"",
        "SETACL INBOX bob@example.test lrswipkxtecdan",
        "SETACL Clinic bob@example.test lrs",
        "SETACL Clinic carl@example.test lrswit",
        "SETACL Clinic -carl@example.test w",
        "SETACL \"Clinic/Letters &AOk-\" carl@example.test lr",
        "SETACL Clinic dora@example.test lr",
        "SETACL Clinic anyone l",
        "SETACL Clinic group:staff lr",
        "SETACL Clinic migrator@example.test lra",
    ] {
        owner.ok(command);
    }
    let before = owner.ok("GETACL Clinic").text();
    let project = Project::new(source.endpoint(), target.endpoint())
        .row("ward@example.test,hill.ward")
        .row("bob@example.test,bob.ray")
        // Dovecot takes a login in either case, and a right only by the name in small letters.
        .row("carl@example.test,Carl.Lee")
        .row("eve@example.test,eve.fox");
    assert_eq!(project.run(&["sync"]).code, 0);

    let (code, found) = project.json(&["sharing", "discover"]);
    assert_eq!((code, &found["mailboxes"], &found["found"]["local"]), (0, &4.into(), &8.into()), "{found:#}");
    let (_, list) = project.json(&["sharing", "list"]);
    let carl = "carl@example.test";
    assert_eq!(
        lines(&list, "state"),
        set(&[
            "ward@example.test INBOX bob@example.test lrswipkxtean ready",
            "ward@example.test Clinic bob@example.test lrs ready",
            // What is denied is left out of what is given.
            &format!("ward@example.test Clinic {carl} lrsit ready"),
            &format!("ward@example.test Clinic {carl} w listed"),
            &format!("ward@example.test Clinic/Letters é {carl} lr ready"),
            "ward@example.test Clinic dora@example.test lr waits",
            "ward@example.test Clinic anyone l listed",
            "ward@example.test Clinic staff lr waits",
        ])
    );

    // Not before somebody has signed.
    let refused = project.run(&["sharing", "inject"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("not signed off"), "{refused:?}");
    assert_eq!(rights(&target, "hill.ward", "Clinic"), set(&[]));
    let (code, compared) = project.json(&["sharing", "compare"]);
    assert_eq!((code, compared["missing"].as_array().unwrap().len()), (1, 4), "{compared:#}");

    let (code, signed) = sign(|arguments| project.json(arguments));
    assert_eq!((code, &signed["rights"], &signed["waiting"]), (0, &8.into(), &2.into()), "{signed:#}");
    let (code, dry) = project.json(&["sharing", "inject", "--dry-run"]);
    assert_eq!((code, &dry["added"], &dry["dry_run"]), (1, &4.into(), &true.into()), "{dry:#}");
    assert_eq!(rights(&target, "hill.ward", "Clinic"), set(&[]), "a dry run gives nothing");

    let (code, given) = project.json(&["sharing", "inject"]);
    assert_eq!((code, &given["added"]), (1, &4.into()), "{given:#}");
    assert_eq!((&given["outcomes"]["given"], &given["outcomes"]["waits"]), (&4.into(), &2.into()), "{given:#}");
    let clinic = ["user=bob.ray lookup read write-seen", "user=carl.lee insert lookup read write-deleted write-seen"];
    assert_eq!(rights(&target, "hill.ward", "Clinic"), set(&clinic));
    let all = "user=bob.ray admin create delete expunge insert lookup post read write write-deleted write-seen";
    assert_eq!(rights(&target, "hill.ward", "INBOX"), set(&[all]));
    assert_eq!(rights(&target, "hill.ward", "Clinic/Letters é"), set(&["user=carl.lee lookup read"]));

    // Equal after mapping; what Dovecot has no letter for is told.
    let (code, compared) = project.json(&["sharing", "compare"]);
    assert_eq!((code, &compared["equal"], &compared["cells"]), (0, &true.into(), &4.into()), "{compared:#}");
    assert_eq!(compared["lost"][0]["right"], "n", "{compared:#}");

    // And tried.
    assert!(opens(&target, "bob.ray", "hill.ward/Clinic") && opens(&target, "carl.lee", "hill.ward/Clinic"));
    assert!(opens(&target, "bob.ray", "hill.ward") && !opens(&target, "carl.lee", "hill.ward"));
    for stranger in ["dora.may", "eve.fox"] {
        assert!(!opens(&target, stranger, "hill.ward/Clinic"), "{stranger}");
    }

    // Again: nothing is added.
    let (code, again) = project.json(&["sharing", "inject"]);
    assert_eq!((code, &again["added"], &again["outcomes"]["was-there"]), (1, &0.into(), &4.into()), "{again:#}");

    // Dora's account is known: what was signed while it waited is given, and nothing else.
    let project = project.row("dora@example.test,dora.may");
    let (code, given) = project.json(&["sharing", "inject"]);
    assert_eq!((code, &given["added"], &given["outcomes"]["given"]), (1, &1.into(), &1.into()), "{given:#}");
    assert!(opens(&target, "dora.may", "hill.ward/Clinic") && !opens(&target, "eve.fox", "hill.ward/Clinic"));
    let with_dora = [clinic[0], clinic[1], "user=dora.may lookup read"];
    assert_eq!(rights(&target, "hill.ward", "Clinic"), set(&with_dora));
    assert_eq!(project.run(&["sharing", "compare"]).code, 0);

    // The source is as it was.
    assert_eq!(source.talk("ward").ok("GETACL Clinic").text(), before);
}

#[test]
fn sharing_between_dovecots_is_cleaned_up_first_and_takes_nothing_away() {
    let people = ["ward", "rota", "bob", "carl", "dora", "eve"];
    let Some(source) = Store::dovecot_with(sharing_dovecot(), &people) else { return };
    let Some(target) = Store::dovecot_with(sharing_dovecot(), &people) else { return };
    for name in people {
        source.fill(name, &small(name));
    }
    let mut owner = source.talk("ward");
    for command in
        ["CREATE Clinic", "CREATE Rota", "SETACL Clinic bob lrswi", "SETACL Clinic carl lrs", "SETACL Clinic dora lrs"]
    {
        owner.ok(command);
    }
    owner.ok("SETACL Rota bob l");
    let project = people.iter().fold(Project::new(source.endpoint(), target.endpoint()), |p, name| p.person(name));
    assert_eq!(project.run(&["sync"]).code, 0);
    // What is there by now: a right of somebody's own, more than the source gives, and everybody's.
    let doveadm = |folder: &str, who: &str, rights: &[&str]| {
        dovecot(&target).doveadm(&[&["acl", "set", "-u", "ward", folder, who], rights].concat());
    };
    doveadm("Clinic", "user=eve", &["lookup", "read"]);
    doveadm("Clinic", "user=dora", &["lookup", "read", "write-seen", "insert"]);
    doveadm("Rota", "anyone", &["lookup", "read"]);

    let file = project.path().join("rights.csv");
    fs::write(
        &file,
        "mailbox,grantee,right,folder\nward,bob,send-as,\nward,zed,full-access,\nward,carl,full access,\nrota,bob,full-access,\nrota,carl,send-on-behalf,\n",
    )
    .unwrap();
    assert_eq!(project.run(&["sharing", "discover"]).code, 0);
    assert_eq!(project.run(&["sharing", "discover", "--file", file.to_str().unwrap()]).code, 0);

    // The owner sees their own, in a form that can be written into, and what is decided is in force.
    let (code, own) = project.json(&["sharing", "list", "--owner", "ward"]);
    assert_eq!((code, own["rights"].as_array().unwrap().len()), (0, 7), "{own:#}");
    let (_, strangers) = project.json(&["sharing", "list", "--owner", "eve"]);
    assert_eq!(strangers["rights"].as_array().unwrap().len(), 0, "{strangers:#}");
    let sheet = project.path().join("mine.csv");
    let arguments = ["sharing", "list", "--owner", "ward", "--format", "csv", "--to", sheet.to_str().unwrap()];
    assert_eq!(project.run(&arguments).code, 0);
    let text = fs::read_to_string(&sheet).unwrap().replace('"', "");
    let column = text.lines().next().unwrap().split(',').position(|name| name == "decision").unwrap();
    let decide = |line: &str| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if line.contains(",carl,") {
            cells[column] = if line.contains("full-access") { "remove" } else { "lr" }.to_owned();
        }
        cells.join(",")
    };
    fs::write(&sheet, text.lines().map(decide).collect::<Vec<_>>().join("\n")).unwrap();
    let sheet = sheet.to_str().unwrap().to_owned();
    let decided = ["sharing", "decide", "--file", &sheet, "--by", "Ward Manager", "--evidence", "their sheet"];
    let (code, decisions) = project.json(&decided);
    assert_eq!((code, decisions["decided"].as_array().unwrap().len()), (0, 2), "{decisions:#}");
    assert_eq!(sign(|arguments| project.json(arguments)).0, 0);

    let (code, given) = project.json(&["sharing", "inject"]);
    assert_eq!(code, 1, "{given:#}");
    assert_eq!(
        lines(&given, "outcome"),
        set(&[
            "ward Clinic bob lrswi given",
            "ward Clinic carl lr given",
            "ward Clinic dora lrs was-there",
            // An entry of bob's own would take what everybody may do away from him.
            "ward Rota bob l failed",
            "rota - bob full-access given",
            "rota - carl send-on-behalf by-hand",
            "ward - bob send-as by-hand",
            "ward - zed full-access waits",
            "ward - carl full-access removed",
        ])
    );
    let clinic = [
        "user=bob insert lookup read write write-seen",
        "user=carl lookup read",
        "user=dora insert lookup read write-seen",
        "user=eve lookup read",
    ];
    assert_eq!(rights(&target, "ward", "Clinic"), set(&clinic), "what was there is there");
    assert_eq!(rights(&target, "ward", "Rota"), set(&["anyone lookup read"]));
    assert!(opens(&target, "carl", "ward/Clinic") && opens(&target, "eve", "ward/Clinic"));
    assert!(!opens(&target, "carl", "ward"), "the full access was not wanted");
    let all = "user=bob admin create delete expunge insert lookup post read write write-deleted write-seen";
    for folder in ["INBOX", "Sent", "Projekte/2019"] {
        assert_eq!(rights(&target, "rota", folder), set(&[all]), "{folder}");
    }
    assert!(opens(&target, "bob", "rota") && !opens(&target, "eve", "rota"));

    // Every difference by name.
    let (code, compared) = project.json(&["sharing", "compare"]);
    assert_eq!((code, &compared["equal"]), (1, &false.into()));
    let gaps = |which: &str| {
        let text = |gap: &Value, key: &str| gap[key].as_str().unwrap().to_owned();
        let gap = |gap: &Value| ["mailbox", "folder", "grantee", "right"].map(|key| text(gap, key)).join(" ");
        compared[which].as_array().unwrap().iter().map(gap).collect::<BTreeSet<_>>()
    };
    assert_eq!(gaps("missing"), set(&["ward Rota bob l"]));
    assert_eq!(gaps("more"), set(&["ward Clinic dora i", "ward Clinic eve lr", "ward Rota anyone lr"]));
    assert_eq!(project.json(&["sharing", "inject"]).1["added"], 0);

    // A right that changes at the source is void until it is signed again, also where nobody looked in between.
    owner.ok("SETACL Clinic bob +t");
    let (_, dry) = project.json(&["sharing", "inject", "--dry-run"]);
    assert!(lines(&dry, "outcome").contains("ward Clinic bob lrswit unsigned"), "{dry:#}");
    let (_, given) = project.json(&["sharing", "inject"]);
    assert!(lines(&given, "outcome").contains("ward Clinic bob lrswit unsigned"), "{given:#}");
    assert_eq!(rights(&target, "ward", "Clinic"), set(&clinic));
    assert_eq!(sign(|arguments| project.json(arguments)).0, 0);
    assert_eq!(project.json(&["sharing", "inject"]).1["added"], 1);
}

/// Lets so many rights pass, and then breaks the connection.
struct Passing(AtomicUsize);

impl Door for Passing {
    fn before(&self, effect: Effect) -> Result<(), Error> {
        assert_eq!(effect, Effect::Grant);
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| Error::new(Cause::Stopped, Scope::Run, "the test says so"))
    }

    fn after(&self, _: Effect) {}
}

fn connector_to(store: &Store) -> ImapConnector {
    let mut config = Config::new("127.0.0.1");
    config.port = Some(store.port());
    config.tls = Tls::None;
    let password = Some(Secret::new(PASSWORD));
    let user = store.name(MIGRATOR);
    config.login = Some(Login { user, password, token: None, impersonate: Impersonate::Authzid });
    ImapConnector::new(config).unwrap()
}

/// Stopped at each right in turn, the next run finishes the rest; what a source is opened with gives nothing.
#[tokio::test]
async fn sharing_that_is_stopped_at_any_right_is_finished_by_the_next_run() {
    let people = ["ward", "bob", "carl"];
    let (Some(dovecot), Some(cyrus)) = (Store::dovecot_with(sharing_dovecot(), &people), Store::cyrus(&people)) else {
        return;
    };
    for store in [&dovecot, &cyrus] {
        let mut owner = store.talk("ward");
        for folder in ["A", "B", "C"] {
            owner.ok(&format!("CREATE {folder}"));
        }
        let (connector, account) = (connector_to(store), Account::named(store.name("ward")));
        let right = |folder: &str, who: &str| NewRight {
            folder: FolderPath::new([folder]),
            account: store.name(who),
            letters: Letters::known("lrs"),
        };
        let all: Vec<NewRight> = ["A", "B", "C"].iter().flat_map(|f| [right(f, "bob"), right(f, "carl")]).collect();
        let mut reader = connector.rights(&account, None).await.unwrap().unwrap();
        assert_eq!(reader.add(&all).await.unwrap_err().cause, Cause::Internal);
        assert!(reader.rights().await.unwrap().rights.is_empty(), "and nothing came of it");
        let mut before = 0;
        for passes in 0..all.len() {
            let door = Arc::new(Passing(AtomicUsize::new(passes)));
            let mut opened = connector.rights(&account, Some(door)).await.unwrap().unwrap();
            // Once all that is missing fits through the door the run ends well.
            let is_over = opened.add(&all).await.is_ok();
            let now = reader.rights().await.unwrap().rights.len();
            assert!(now >= before && now <= all.len(), "{passes}: {now} after {before}");
            assert!(!is_over || now == all.len(), "{passes}: {now}");
            before = now;
        }
        let door = Arc::new(Passing(AtomicUsize::new(all.len())));
        let mut opened = connector.rights(&account, Some(door)).await.unwrap().unwrap();
        let outcomes = opened.add(&all).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let read = reader.rights().await.unwrap();
        assert_eq!(read.rights.len(), all.len(), "each once: {read:?}");
        let again = opened.add(&all).await.unwrap();
        assert!(again.into_iter().all(|outcome| outcome == Ok(Granted::WasThere)));
        // Names that would be somebody else's are refused, and so is a folder that is not there.
        let door = Arc::new(Passing(AtomicUsize::new(0)));
        let mut opened = connector.rights(&account, Some(door)).await.unwrap().unwrap();
        for who in ["anyone", "-bob", "$staff", "group:staff", "owner"] {
            let right = NewRight { account: who.to_owned(), ..right("A", "bob") };
            assert!(opened.add(&[right]).await.unwrap()[0].is_err(), "{who}");
        }
        assert!(opened.add(&[right("Nowhere", "bob")]).await.unwrap()[0].is_err());
    }
}

/// Two directories, each with its own mail server, and on both somebody is called `bob`: each keeps what is theirs.
#[test]
fn of_several_sources_each_directory_has_its_own() {
    let stores = [(); 2].map(|()| Store::dovecot_with(sharing_dovecot(), &["ward", "bob"]));
    let ([Some(local), Some(annex)], Some(target)) =
        (stores, Store::dovecot_with(sharing_dovecot(), &["hill.ward", "hill.bob", "dale.ward", "dale.bob"]))
    else {
        return;
    };
    let directories = r#"[directories.hill]
kind = "csv"
path = "hill.csv"
[directories.dale]
kind = "csv"
path = "dale.csv"
[directories.platform]
kind = "csv"
path = "platform.csv"
[people]
sources = ["hill", "dale"]
platform = "platform"
domain = "national.test"
source_name = "account"
target_name = "account"
mail = { hill = "local", dale = "annex" }
"#;
    let sources = vec![("local".to_owned(), local.endpoint()), ("annex".to_owned(), annex.endpoint())];
    let project = Project::of_several(sources, target.endpoint()).with(directories);
    let header = "LocalUniqueId,FirstName,LastName,Email,Account";
    let mut platform = format!("{header},Organisation\n");
    for (place, first) in [("hill", 1), ("dale", 3)] {
        let rows = [("ward", "Ward", first), ("bob", "Bob", first + 1)].map(|(account, given, number)| {
            let own = format!("{number},{given},Of{place}{number},{number}@");
            platform += &[&own, "national.test,", place, ".", account, ",RX1\n"].concat();
            [&own, "trust.test,", account, "\n"].concat()
        });
        fs::write(project.path().join(format!("{place}.csv")), format!("{header}\n{}", rows.concat())).unwrap();
    }
    fs::write(project.path().join("platform.csv"), platform).unwrap();
    for (source, letters) in [(&local, "lrs"), (&annex, "lr")] {
        let mut owner = source.talk("ward");
        owner.ok("CREATE Clinic");
        owner.ok(&format!("SETACL Clinic bob {letters}"));
    }
    let (code, read) = project.json(&["people", "sync"]);
    assert_eq!((code, &read["classes"]["existing"]), (0, &4.into()), "{read:#}");
    assert_eq!(project.run(&["sync"]).code, 0);
    let (code, found) = project.json(&["sharing", "discover"]);
    assert_eq!((code, &found["mailboxes"]), (0, &4.into()), "{found:#}");
    assert_eq!((&found["found"]["local"], &found["found"]["annex"]), (&1.into(), &1.into()), "{found:#}");
    assert_eq!(sign(|arguments| project.json(arguments)).0, 0);
    let (code, given) = project.json(&["sharing", "inject"]);
    assert_eq!((code, &given["added"]), (0, &2.into()), "{given:#}");
    assert_eq!(rights(&target, "hill.ward", "Clinic"), set(&["user=hill.bob lookup read write-seen"]));
    assert_eq!(rights(&target, "dale.ward", "Clinic"), set(&["user=dale.bob lookup read"]));
    assert!(opens(&target, "dale.bob", "dale.ward/Clinic") && !opens(&target, "dale.bob", "hill.ward/Clinic"));
    assert_eq!(project.run(&["sharing", "compare"]).code, 0);
}
