//! What is left behind by a switch: old addresses come to the account on the target, and the mailbox at the source is closed to its person;
//! an undo takes both back.

use conformance::{
    servers::{Ldif, Slapd},
    talk::Talk,
};
use journeys::{
    project::Project,
    service::{until, until_or},
    sites::{Sites, at_source, at_target},
    store::PASSWORD,
};
use rehearsal::Chance;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

const PEOPLE: [&str; 2] = ["ann", "ben"];
const PLATFORM: &str = "ou=people,dc=example,dc=test";

struct World {
    sites: Sites,
    platform: Slapd,
    project: Project,
    closed: PathBuf,
    _folder: tempfile::TempDir,
}

fn dn(name: &str) -> String {
    format!("mail={},{PLATFORM}", at_target(name))
}

fn account(ldif: Ldif, name: &str) -> Ldif {
    let mail = at_target(name);
    let texts = [
        ("objectClass", "inetOrgPerson".to_owned()),
        ("objectClass", "mailRecipientOfTests".to_owned()),
        ("cn", name.to_owned()),
        ("sn", name.to_owned()),
        ("mail", mail.clone()),
        ("proxyAddresses", format!("SMTP:{mail}")),
    ];
    let values: Vec<(&str, &[u8])> = texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    ldif.add(&dn(name), &values)
}

impl World {
    /// Two sites, the target's directory, and ann's further address in that of the source.
    fn start(switch: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let closed = folder.path().join("closed");
        let sites = Sites::start_denying(&PEOPLE, Some(&closed))?;
        let platform = Slapd::start()?;
        platform.apply(&PEOPLE.iter().fold(Ldif::new(), |ldif, name| account(ldif, name)));
        let top = format!(
            "[directories.staff]\nkind = \"csv\"\npath = \"staff.csv\"\n\
             [directories.platform]\nkind = \"ldap\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nuser = \"{}\"\n\
             password = {{ file = \"platform.password\" }}\nbases = [\"{PLATFORM}\"]\n\
             [directories.platform.attributes]\norigin = [\"migrationOrigin\"]\n\
             [directories.platform.write]\nbase = \"{PLATFORM}\"\n\
             [people]\nsources = [\"staff\"]\nplatform = \"platform\"\ndomain = \"nation.test\"\n\
             [access.local]\nkind = \"dovecot\"\nendpoint = \"local\"\npath = \"{}\"",
            platform.port(),
            Slapd::ADMIN,
            closed.display(),
        );
        let project = sites.project(&PEOPLE, &top, &format!("drain_quiet_seconds = 1\nretry_seconds = 1\n{switch}"));
        let at = |name: &str| project.path().join(name);
        fs::write(at("platform.password"), Slapd::ADMIN_PASSWORD).unwrap();
        fs::set_permissions(at("platform.password"), fs::Permissions::from_mode(0o600)).unwrap();
        let staff =
            "local_id,surname,mail,addresses\n1,Ann,ann@hill.test,smtp:a.smith@hill.test\n2,Ben,ben@hill.test,\n";
        fs::write(at("staff.csv"), staff).unwrap();
        let world = Self { sites, platform, project, closed, _folder: folder };
        done(&world.project, &["people", "sync"]);
        Some(world)
    }

    fn addresses(&self, name: &str) -> BTreeSet<String> {
        let found = self.platform.search(PLATFORM, &format!("(mail={})", at_target(name)), &["proxyAddresses"]);
        let values = found[0].values("proxyAddresses");
        values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    fn may_log_in(&self, name: &str) -> bool {
        let mut talk = Talk::connect(self.sites.local.port());
        talk.command(&format!("LOGIN \"{}\" \"{PASSWORD}\"", at_source(name))).is_ok()
    }

    /// Waits until this is so: Dovecot looks at its list once a second.
    fn lets_in(&self, name: &str, expected: bool) {
        until_or(
            &format!("{name} is let in: {expected}"),
            || self.may_log_in(name) == expected,
            || format!("{}\n{}", fs::read_to_string(&self.closed).unwrap_or_default(), self.sites.local.log()),
        );
    }

    fn at_source(&self, name: &str) -> String {
        let shown = done(&self.project, &["switch", "show", "--mailbox", &at_source(name)]);
        shown["mailboxes"][0]["at_source"].as_str().unwrap_or_default().to_owned()
    }
}

fn done(project: &Project, arguments: &[&str]) -> Value {
    let (code, report) = project.json(arguments);
    assert_eq!(code, 0, "{arguments:?}: {report:#}");
    report
}

fn sign(project: &Project) {
    for rule in ["go", "sharing-in-place", "address-books", "account-activated", "match-signed-off"] {
        done(project, &["signoff", "record", rule, "--by", "Sue Roe", "--evidence", "the minutes of Monday"]);
    }
}

fn texts(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn old_addresses_come_to_the_account_and_the_mailbox_is_closed_and_an_undo_takes_both_back() {
    let Some(world) = World::start("") else { return };
    let project = &world.project;
    let to_ann = [at_source("ann"), at_target("ann")];
    done(project, &["forwarder", "add"]);
    done(project, &["sync"]);
    sign(project);
    let checked = done(project, &["switch", "check", "--mailbox", &to_ann[0]]);
    let rules = checked["mailboxes"][0]["rules"].to_string();
    assert!(rules.contains("to come: a.smith@hill.test, ann@hill.test"), "{rules}");
    done(project, &["switch", "now", "--mailbox", &to_ann[0], "--by", "Sue Roe"]);
    let on = texts(&["SMTP:ann@nation.test", "smtp:a.smith@hill.test", "smtp:ann@hill.test"]);
    assert_eq!(world.addresses("ann"), on, "{}", project.run(&["switch", "show"]).out);
    assert_eq!(world.addresses("ben"), texts(&["SMTP:ben@nation.test"]), "nobody else's");
    done(project, &["routing", "check"]);
    // Nothing is closed before their client was led to the target.
    done(project, &["sync"]);
    world.lets_in("ann", true);
    assert!(world.at_source("ann").contains("open until"), "{}", world.at_source("ann"));
    done(project, &["switch", "mark", "clear", "--mailbox", &to_ann[0], "--by", "the helper"]);
    done(project, &["sync"]);
    world.lets_in("ann", false);
    world.lets_in("ben", true);
    assert!(world.at_source("ann").contains("closed to its person since"), "{}", world.at_source("ann"));
    // What still comes to the source is followed: delivered there by another way than the redirect.
    let late = world.sites.deliver_at_source("ann");
    done(project, &["sync"]);
    assert_eq!(world.sites.copies("ann", &late), [1, 1]);
    let old = world.sites.send(&to_ann[0]);
    world.sites.settle();
    assert_eq!(world.sites.copies("ann", &old), [0, 1]);

    let text = fs::read_to_string(&world.closed).unwrap();
    assert_eq!(text, "ann@hill.test::::whimbrel\n");
    done(project, &["switch", "undo", "--mailbox", &to_ann[0], "--reason", "she can't open it"]);
    world.lets_in("ann", true);
    assert_eq!(fs::read_to_string(&world.closed).unwrap(), "");
    assert_eq!(world.addresses("ann"), texts(&["SMTP:ann@nation.test"]));
    let [back, new] = [world.sites.send(&to_ann[0]), world.sites.send(&to_ann[1])];
    world.sites.settle();
    assert_eq!([world.sites.copies("ann", &back), world.sites.copies("ann", &new)], [[1, 0], [1, 0]]);
    assert_eq!(world.sites.astray(), []);
    done(project, &["routing", "check"]);
}

/// An address of somebody else's is named before, and never taken; once it is free it comes by itself. Days close a mailbox, too.
#[test]
fn an_address_of_another_is_told_before_and_stays_theirs() {
    let Some(world) = World::start("close_after_days = 0") else { return };
    let project = &world.project;
    let ann = at_source("ann");
    let taken = "smtp:A.Smith@hill.test";
    world.platform.apply(&Ldif::new().add_values(&dn("ben"), "proxyAddresses", &[taken.as_bytes()]));
    done(project, &["sync"]);
    sign(project);
    let (code, checked) = project.json(&["switch", "check", "--mailbox", &ann]);
    let rules = checked["mailboxes"][0]["rules"].to_string();
    assert!(code == 3 && rules.contains("a.smith@hill.test") && rules.contains(&dn("ben")), "{rules}");
    let refused = project.run(&["switch", "now", "--mailbox", &ann]);
    assert_eq!(refused.code, 3, "{refused:?}");
    done(
        project,
        &[
            "switch",
            "allow",
            "--mailbox",
            &ann,
            "--rule",
            "addresses-free",
            "--by",
            "Sue Roe",
            "--reason",
            "he is A. Smith",
        ],
    );
    done(project, &["switch", "now", "--mailbox", &ann]);
    assert_eq!(world.addresses("ann"), texts(&["SMTP:ann@nation.test", "smtp:ann@hill.test"]));
    assert!(world.addresses("ben").contains(taken));
    let shown = project.run(&["switch", "show", "--mailbox", &ann]).out;
    assert!(shown.contains("missing") && shown.contains("NOT COVERED"), "{shown}");
    world.platform.apply(&Ldif::new().delete_values(&dn("ben"), "proxyAddresses", &[taken.as_bytes()]));
    until("it comes by itself", || {
        done(project, &["sync"]);
        world.addresses("ann").contains("smtp:a.smith@hill.test")
    });
    world.lets_in("ann", false);
    world.lets_in("ben", true);
    done(project, &["switch", "undo", "--mailbox", &ann, "--reason", "why"]);
    assert_eq!(world.addresses("ann"), texts(&["SMTP:ann@nation.test"]));
    world.lets_in("ann", true);
}

/// Killed at any moment on either way: what is ours on the account and in the list is there or not as the mailbox stands, and nothing else.
#[test]
fn whatever_is_killed_addresses_and_list_are_as_the_mailbox_stands() {
    let Some(world) = World::start("close_after_days = 0") else { return };
    let project = &world.project;
    let ann = at_source("ann");
    fs::write(&world.closed, "# whom we deny\nmallory@hill.test\n").unwrap();
    done(project, &["sync"]);
    sign(project);
    let mut chance = Chance::new(5);
    for round in 0..2 {
        for way in
            [&["switch", "now", "--mailbox", &ann][..], &["switch", "undo", "--mailbox", &ann, "--reason", "why"]]
        {
            let is_back = way[1] == "undo";
            for kill in 0..40 {
                let mut child = project.command(way).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                let (patience, begun) = (Duration::from_millis(30 + chance.below(900) + 400 * kill), Instant::now());
                while child.try_wait().unwrap().is_none() {
                    if begun.elapsed() > patience {
                        child.kill().unwrap();
                        child.wait().unwrap();
                        break;
                    }
                    thread::sleep(Duration::from_millis(5));
                }
                project.run(&["sync"]);
                let phase = done(project, &["switch", "list"])["mailboxes"][0]["phase"].as_str().unwrap().to_owned();
                // Whoever is not switched is never closed out.
                if phase != "switched" && phase != "switching" {
                    world.lets_in("ann", true);
                }
                let is_there = if is_back { phase == "copying" || phase == "in-step" } else { phase == "switched" };
                if is_there {
                    break;
                }
                assert!(kill < 39, "{round}, {way:?}: {phase}: {}", project.run(&["switch", "show"]).out);
            }
            until("it is at rest", || project.run(&["sync"]).code == 0);
            let (on, off) =
                (["SMTP:ann@nation.test", "smtp:a.smith@hill.test", "smtp:ann@hill.test"], ["SMTP:ann@nation.test"]);
            let expected = if is_back { texts(&off) } else { texts(&on) };
            assert_eq!(world.addresses("ann"), expected, "{round}, {way:?}");
            if !is_back {
                until("it is closed", || {
                    project.run(&["sync"]);
                    !world.may_log_in("ann")
                });
            }
            let list = fs::read_to_string(&world.closed).unwrap();
            let ours = if is_back { "" } else { "ann@hill.test::::whimbrel\n" };
            assert_eq!(list, format!("# whom we deny\nmallory@hill.test\n{ours}"), "{round}, {way:?}");
            world.lets_in("ann", is_back);
        }
    }
    world.lets_in("ben", true);
}
