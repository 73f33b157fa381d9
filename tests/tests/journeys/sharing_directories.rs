//! Rights of Active Directory and Cyrus on Dovecot and OpenLDAP: full access, send as, send on behalf and rights to folders,
//! of people and of lists, signed, given, read back and tried.

use std::collections::BTreeSet;

use conformance::servers::{Ldif, Record, SambaAd};
use journeys::{
    mail::small,
    organisation::{Organisation, PLATFORM, Size},
    store::Store,
};

use super::sharing::{lines, opens, rights, set, sharing_dovecot, sign};

const SIZE: Size = Size { people: 0, groups: 0, shared: 0, rooms: 0, strangers: 0 };

/// Of each person the name at the source, and first and last name.
const PEOPLE: [(&str, &str, &str); 5] = [
    ("ann", "Ann", "Lee"),
    ("bob", "Bob", "Ray"),
    ("carl", "Carl", "May"),
    ("dora", "Dora", "Fox"),
    ("eve", "Eve", "Orr"),
];

const WARD: &str = "extrust.ward@national.test";

fn dn(name: &str) -> String {
    format!("CN={name},{}", SambaAd::STAFF)
}

fn entry(ldif: Ldif, name: &str, class: &str, more: &[(&str, &str)]) -> Ldif {
    let mail = format!("{name}@example.test");
    let first = format!("SMTP:{mail}");
    let texts = [("objectClass", class), ("sAMAccountName", name), ("mail", &mail), ("proxyAddresses", &first)];
    let texts = texts.iter().chain(more);
    let values: Vec<(&str, &[u8])> = texts.map(|(name, value)| (*name, value.as_bytes())).collect();
    ldif.add(&dn(name), &values)
}

fn directory() -> Ldif {
    let mut ldif = PEOPLE.iter().enumerate().fold(Ldif::new(), |ldif, (number, (name, given, surname))| {
        let (number, legacy) = (format!("{number:06}"), format!("/o=Trust/cn={name}"));
        let more = [
            ("userAccountControl", "544"),
            ("givenName", given),
            ("sn", surname),
            ("displayName", given),
            ("employeeID", &number),
            ("legacyExchangeDN", &legacy),
        ];
        entry(ldif, name, "user", &more)
    });
    let (ann, bob, carl, dora) = (dn("ann"), dn("bob"), dn("carl"), dn("dora"));
    let ward = [
        ("displayName", "Ward"),
        ("msExchRecipientTypeDetails", "4"),
        ("msExchCoManagedByLink", ann.as_str()),
        ("publicDelegates", dora.as_str()),
        // For whom it opens by itself.
        ("msExchDelegateListLink", ann.as_str()),
    ];
    ldif = entry(ldif, "ward", "user", &ward);
    let team = [("groupType", "8"), ("displayName", "Team"), ("managedBy", &ann), ("member", &bob), ("member", &carl)];
    ldif = entry(ldif, "team", "group", &team);
    let inner = dn("team");
    let all = [("groupType", "8"), ("displayName", "All"), ("managedBy", &ann), ("member", &inner), ("member", &dora)];
    ldif = entry(ldif, "all", "group", &all);
    ldif.replace(&ann, "publicDelegates", &[bob.as_bytes()])
}

/// A descriptor with these entries: whether it denies, what, to whom (MS-DTYP section 2.4.6).
fn descriptor(entries: &[(bool, u32, &[u8])]) -> Vec<u8> {
    let mut list = Vec::new();
    for (denies, mask, sid) in entries {
        list.extend([u8::from(*denies), 0]);
        list.extend((8 + sid.len() as u16).to_le_bytes());
        list.extend(mask.to_le_bytes());
        list.extend_from_slice(sid);
    }
    let mut bytes = vec![1, 0, 0x04, 0x80];
    for offset in [0u32, 0, 0, 20] {
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend([2, 0]);
    bytes.extend((8 + list.len() as u16).to_le_bytes());
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(list);
    bytes
}

fn sid_text(sid: &[u8]) -> String {
    let parts = sid[8..].chunks(4).map(|part| u32::from_le_bytes(part.try_into().unwrap()).to_string());
    format!("S-1-{}-{}", sid[7], parts.collect::<Vec<_>>().join("-"))
}

/// Everything that only a descriptor says.
fn descriptors(ad: &SambaAd) {
    let sid = |name: &str| {
        let found = ad.search(SambaAd::STAFF, &format!("(sAMAccountName={name})"), &["objectSid"]);
        found[0].values("objectSid")[0].to_vec()
    };
    // 1: opens the mailbox and all in it. 0x20000 only reads its permissions.
    let of_ward = descriptor(&[(false, 1, &sid("bob")), (false, 0x20000, &sid("eve")), (true, 1, &sid("eve"))]);
    let of_bob = descriptor(&[(false, 1, &sid("all"))]);
    let name = "msExchMailboxSecurityDescriptor";
    ad.apply(&Ldif::new().replace(&dn("ward"), name, &[&of_ward]).replace(&dn("bob"), name, &[&of_bob]));
    let send_as = |name: &str| format!("(OA;;CR;ab721a54-1e2f-11d0-9819-00aa0040529b;;{})", sid_text(&sid(name)));
    ad.grant(&dn("ward"), &format!("{}{}", send_as("carl"), send_as("team")));
}

fn account(name: &str) -> String {
    let (_, given, surname) = PEOPLE.iter().find(|(of, ..)| *of == name).unwrap();
    format!("{given}.{surname}@national.test").to_lowercase()
}

/// The entry on the platform with this address.
fn there(organisation: &Organisation, mail: &str) -> Record {
    let mut found = organisation.on_platform(&format!("(mail={mail})"), &["*"]);
    assert_eq!(found.len(), 1, "{mail}");
    found.remove(0)
}

fn dns(organisation: &Organisation, mails: &[&str]) -> BTreeSet<String> {
    mails.iter().map(|mail| there(organisation, mail).dn).collect()
}

fn values(record: &Record, name: &str) -> BTreeSet<String> {
    record.texts(name).into_iter().collect()
}

/// Plans and carries out until nothing is left to do, and everything is live.
fn provisioned(organisation: &Organisation) {
    assert_eq!(organisation.json(&["people", "sync"]).0, 0);
    while let Some(plan) = organisation.plan() {
        let (code, applied) = organisation.json(&["people", "apply"]);
        assert_eq!(code, 0, "{plan:#}\n{applied:#}");
    }
    let (code, accepted) = organisation.json(&["people", "accept", "--exemption", "the pilot"]);
    assert_eq!(code, 0, "{accepted:#}");
    assert_eq!(organisation.json(&["people", "sync"]).0, 0);
}

#[test]
fn rights_of_active_directory_and_cyrus_are_the_same_on_openldap_and_dovecot() {
    let names: Vec<&str> = PEOPLE.iter().map(|(name, ..)| *name).chain(["ward"]).collect();
    let accounts: Vec<String> = PEOPLE.iter().map(|(name, ..)| account(name)).chain([WARD.to_owned()]).collect();
    let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let Some(organisation) = Organisation::start(SIZE) else { return };
    let Some(source) = Store::cyrus(&names) else { return };
    let Some(target) = Store::dovecot_with(sharing_dovecot(), &accounts) else { return };
    organisation.ad.apply(&directory());
    descriptors(&organisation.ad);
    organisation.with_mail(&source.endpoint(), &target.endpoint());
    for name in &names {
        source.fill(name, &small(name));
    }
    let mut ward = source.talk("ward");
    for command in [
        "CREATE Clinic",
        "SETACL Clinic carl@example.test lrs",
        "SETACL Clinic dora@example.test lrswi",
        "SETACL Clinic -dora@example.test w",
    ] {
        ward.ok(command);
    }
    let mut ann = source.talk("ann");
    ann.ok("CREATE Plans");
    ann.ok("SETACL Plans bob@example.test lr");

    provisioned(&organisation);
    let (code, synced) = organisation.json(&["sync"]);
    assert_eq!(code, 0, "{synced:#}");
    let (code, found) = organisation.json(&["sharing", "discover"]);
    assert_eq!((code, &found["found"]["local"]), (0, &4.into()), "{found:#}");
    let (code, signed) = sign(|arguments| organisation.json(arguments));
    assert_eq!((code, &signed["waiting"]), (0, &0.into()), "{signed:#}");
    let (code, given) = organisation.json(&["sharing", "inject"]);
    let said = lines(&given, "outcome");
    assert_eq!((code, said.iter().filter(|line| line.ends_with(" given")).count()), (0, 10), "{said:#?}");

    // The matrix is the same after mapping: of both mail servers and both directories.
    let (code, compared) = organisation.json(&["sharing", "compare"]);
    assert_eq!(
        (code, &compared["equal"], &compared["missing"]),
        (0, &true.into(), &serde_json::json!([])),
        "{compared:#}"
    );
    assert_eq!(compared["lost"], serde_json::json!([]), "{compared:#}");
    let folders = target.talk(WARD).ok("LIST \"\" \"*\"").of("LIST").filter(|line| !line.contains("shared")).count();
    assert_eq!(compared["cells"], 2 * folders + 3 + 5, "{compared:#}");

    // What Dovecot's own tool says.
    let all = "admin create delete expunge insert lookup post read write write-deleted write-seen";
    let user = |name: &str, rights: &str| format!("user={} {rights}", account(name));
    let whole = [user("ann", all), user("bob", all)];
    let clinic = [&whole[..], &[user("carl", "lookup read write-seen"), user("dora", "insert lookup read write-seen")]];
    let text = |lines: &[String]| set(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(rights(&target, WARD, "Clinic"), text(&clinic.concat()));
    assert_eq!(rights(&target, WARD, "INBOX"), text(&whole));
    assert_eq!(rights(&target, &account("ann"), "Plans"), text(&[user("bob", "lookup read")]));
    assert_eq!(rights(&target, &account("bob"), "INBOX"), set(&[]), "a list is no account of a mail server");

    // What OpenLDAP's own tool says: lists with their members, and who may what, by the names they have there.
    let (bob, carl, dora) = (account("bob"), account("carl"), account("dora"));
    let [team, everybody] = ["extrust.team@national.test", "extrust.all@national.test"];
    let members = |list: &str| values(&there(&organisation, list), "member");
    assert_eq!(members(team), dns(&organisation, &[&bob, &carl]));
    assert_eq!(members(everybody), dns(&organisation, &[team, &dora]));
    let ward = there(&organisation, WARD);
    assert_eq!(values(&ward, "maySendAs"), dns(&organisation, &[&carl, team]));
    assert_eq!(values(&ward, "publicDelegates"), dns(&organisation, &[&dora]));
    assert_eq!(values(&ward, "mayOpen"), set(&[]), "that is the mail server's to know");
    assert_eq!(values(&there(&organisation, &account("ann")), "publicDelegates"), dns(&organisation, &[&bob]));
    assert_eq!(values(&there(&organisation, &bob), "mayOpen"), dns(&organisation, &[everybody]));
    let any = organisation.platform.search(PLATFORM, "(|(maySendAs=*)(mayOpen=*)(publicDelegates=*))", &["1.1"]);
    assert_eq!(any.len(), 3, "nobody else has anything");

    // And tried.
    let shared = |folder: &str| format!("{WARD}/{folder}");
    for name in ["ann", "bob"] {
        assert!(opens(&target, &account(name), WARD) && opens(&target, &account(name), &shared("Clinic")), "{name}");
    }
    for name in ["carl", "dora"] {
        assert!(opens(&target, &account(name), &shared("Clinic")) && !opens(&target, &account(name), WARD), "{name}");
    }
    assert!(!opens(&target, &account("eve"), WARD) && !opens(&target, &account("eve"), &shared("Clinic")));
    assert!(opens(&target, &bob, &format!("{}/Plans", account("ann"))));
    assert!(!opens(&target, &carl, &format!("{}/Plans", account("ann"))));

    // Once more: nothing is given, and the platform is as it was.
    let (code, again) = organisation.json(&["sharing", "inject"]);
    assert_eq!((code, &again["added"]), (0, &0.into()), "{again:#}");
}
