use super::*;
use crate::facts;
use model::{Address, EntryKind};
use proptest::prelude::*;

fn person(key: &str, given: &str, surname: &str, id: &str) -> Object {
    let mut entry = Entry::new(key, EntryKind::Person);
    (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
    entry.local_id = Some(id.into());
    entry.mail = Some(format!("{}.{}{key}@trust.example", given.to_lowercase(), surname.to_lowercase()));
    entry.legacy_dn = Some(format!("/o=Trust/ou=Exchange/cn=Recipients/cn={key}"));
    Object { id: ObjectId::new("ad", key), entry }
}

fn account(key: &str, given: &str, surname: &str, organisation: &str) -> Entry {
    let mut entry = Entry::new(key, EntryKind::Person);
    (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
    entry.organisation = Some(organisation.into());
    entry.mail = Some(format!("{}.{}{key}@national.example", given.to_lowercase(), surname.to_lowercase()));
    entry
}

struct World<'w> {
    objects: &'w [Object],
    accounts: &'w [Entry],
    gone: &'w [Entry],
    made: &'w HashMap<ObjectId, String>,
    words: &'w Words,
    ours_alone: bool,
}

impl World<'_> {
    fn decide(&self) -> Vec<Match> {
        let World { objects, accounts, gone, made, words, ours_alone } = *self;
        let rules = &MatchRules::default();
        Matching {
            objects,
            accounts,
            gone,
            made,
            switched_off: &HashMap::new(),
            words,
            ours_alone,
            rules,
            organisation: "rx1",
            project: "main",
        }
        .decide()
    }
}

fn one(object: &Object, account: &Entry) -> Standing {
    decide(std::slice::from_ref(object), std::slice::from_ref(account), &Words::default()).remove(0)
}

fn looked(object: &Object, account: &Entry) -> Looked {
    let (objects, accounts) = (std::slice::from_ref(object), std::slice::from_ref(account));
    let world =
        World { objects, accounts, gone: &[], made: &HashMap::new(), words: &Words::default(), ours_alone: false };
    let candidates = world.decide().remove(0).candidates;
    candidates[0].looked()
}

fn made_for(object: &Object, account: &Entry) -> HashMap<ObjectId, String> {
    HashMap::from([(object.id.clone(), account.key.clone())])
}

fn decide(objects: &[Object], accounts: &[Entry], words: &Words) -> Vec<Standing> {
    let world = World { objects, accounts, words, gone: &[], made: &HashMap::new(), ours_alone: false };
    world.decide().into_iter().map(|matched| matched.standing).collect()
}

fn accepted(account: &str, rule: Rule) -> Standing {
    Standing::Accepted { account: account.into(), rule: Some(rule) }
}

#[test]
fn a_legacy_dn_among_the_x500_addresses_is_the_person_whatever_its_case_r_051() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RX1");
    theirs.addresses.push(Address::parse("x500:/O=TRUST/OU=exchange/CN=recipients/cn=1"));
    assert_eq!(decide(&[ann], &[theirs], &Words::default()), [accepted("p1", Rule::LegacyDn)]);
}

#[test]
fn the_rule_that_weighs_most_is_cited() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RX1");
    theirs.addresses =
        vec![Address::smtp("ANN.LEE1@trust.example"), Address::x500("/o=trust/ou=exchange/cn=recipients/cn=1")];
    theirs.local_id = Some("100".into());
    let words = Words::default();
    let world = World {
        objects: &[ann],
        accounts: &[theirs],
        gone: &[],
        made: &HashMap::new(),
        words: &words,
        ours_alone: false,
    };
    let matched = &world.decide()[0];
    assert_eq!(matched.standing, accepted("p1", Rule::LegacyDn));
    let rules: Vec<Rule> = matched.candidates[0].evidence.iter().map(|evidence| evidence.rule).collect();
    assert_eq!(rules, [Rule::LegacyDn, Rule::Mail, Rule::LocalId, Rule::Names]);
}

#[test]
fn a_name_alone_is_never_enough_r_052() {
    let (ann, other) = (person("1", "Ann", "Lee", "100"), account("p1", "Ann", "Lee", "RX1"));
    assert_eq!(decide(&[ann], &[other], &Words::default()), [Standing::Waits(Doubt::Weak)]);
}

#[test]
fn namesakes_that_the_organisation_tells_apart_are_two_people() {
    let (ann, mut other) = (person("1", "Ann", "Lee", "100"), account("p1", "Ann", "Lee", "RX1"));
    other.local_id = Some("200".into());
    assert_eq!(decide(&[ann], &[other], &Words::default()), [Standing::NoAccount { said: false }]);
}

#[test]
fn an_account_claimed_twice_is_nobodys_by_rule_r_058() {
    let (ann, bea) = (person("1", "Ann", "Lee", "100"), person("2", "Ann", "Lea", "200"));
    let mut claimed = account("p1", "Ann", "Lee", "RX1");
    claimed.addresses =
        vec![Address::smtp("ann.lee1@trust.example"), Address::x500("/o=trust/ou=exchange/cn=recipients/cn=2")];
    let standings = decide(&[ann.clone(), bea.clone()], &[claimed], &Words::default());
    let others = |object: &Object| Standing::Waits(Doubt::ClaimedByOthers { others: vec![object.id.clone()] });
    assert_eq!(standings, [others(&bea), others(&ann)]);
}

#[test]
fn who_has_two_accounts_waits() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut one = account("p1", "Ann", "Lee", "RX1");
    one.addresses = vec![Address::smtp("ann.lee1@trust.example")];
    let mut two = account("p2", "Ann", "Lee", "RX1");
    two.local_id = Some("100".into());
    assert_eq!(decide(&[ann], &[one, two], &Words::default()), [Standing::Waits(Doubt::SeveralAccounts)]);
}

#[test]
fn an_address_that_was_given_to_somebody_else_does_not_match() {
    let bob = person("1", "Bob", "Ray", "100");
    let mut other = account("p1", "Ann", "Lee", "RX1");
    other.addresses = vec![Address::smtp("bob.ray1@trust.example")];
    let doubt = Doubt::Contradicted { by: vec![Contradiction::Names] };
    assert_eq!(decide(&[bob], &[other], &Words::default()), [Standing::Waits(doubt)]);
}

#[test]
fn who_got_the_address_of_one_with_the_same_last_name_does_not_match() {
    let mut alice = person("1", "Alice", "Lee", "100");
    alice.entry.mail = Some("a.lee@trust.example".into());
    let mut anns = account("p1", "Ann", "Lee", "RX1");
    anns.addresses = vec![Address::smtp("a.lee@trust.example")];
    let doubt = Doubt::Contradicted { by: vec![Contradiction::Names] };
    assert_eq!(decide(&[alice], &[anns], &Words::default()), [Standing::Waits(doubt)]);
}

#[test]
fn an_address_that_two_have_proves_nothing() {
    let (mut ann, mut bob) = (person("1", "Ann", "Lee", "100"), person("2", "Bob", "Ray", "200"));
    for object in [&mut ann, &mut bob] {
        object.entry.addresses.push(Address::smtp("reception@trust.example"));
    }
    let mut desk = account("p1", "Ann", "Lee", "RX1");
    desk.addresses = vec![Address::smtp("reception@trust.example")];
    let standings = decide(&[ann, bob], &[desk], &Words::default());
    assert_eq!(standings[0], Standing::Waits(Doubt::NotTheirsAlone));
    assert_eq!(standings[1], Standing::Waits(Doubt::NotTheirsAlone));
}

#[test]
fn another_organisations_code_waits_for_the_persons_own_word_r_055() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RY2");
    theirs.addresses = vec![Address::smtp("ann.lee1@trust.example")];
    let blocked = Standing::Waits(Doubt::OtherOrganisation { organisation: "RY2".into() });
    let of = |words: &Words| decide(std::slice::from_ref(&ann), std::slice::from_ref(&theirs), words);
    assert_eq!(of(&Words::default()), std::slice::from_ref(&blocked));
    let facts = facts(&ann, &theirs);
    let mut words = Words::default();
    // Somebody else's word is not the person's own.
    words.add(ann.id.clone(), Word::Same { account: "p1".into(), facts });
    assert_eq!(of(&words), [blocked]);
    words.add(ann.id.clone(), Word::confirmed(&ann, &theirs, "RX1", Outcome::Stays, None));
    assert_eq!(of(&words), [Standing::Accepted { account: "p1".into(), rule: None }]);
    let seen = Some(looked(&ann, &theirs));
    words.add(ann.id.clone(), Word::confirmed(&ann, &theirs, "RX1", Outcome::SomebodyElse, seen));
    assert_eq!(of(&words), [Standing::NoAccount { said: false }]);
}

#[test]
fn a_decision_ends_when_what_it_was_about_changes() {
    let (mut ann, theirs) = (person("1", "Ann", "Lee", "100"), account("p1", "Ann", "Lee", "RX1"));
    let mut words = Words::default();
    words.add(ann.id.clone(), Word::Same { account: "p1".into(), facts: facts(&ann, &theirs) });
    let of = |ann: &Object, theirs: &Entry| decide(std::slice::from_ref(ann), std::slice::from_ref(theirs), &words);
    assert_eq!(of(&ann, &theirs), [Standing::Accepted { account: "p1".into(), rule: None }]);
    let mut with_more = theirs.clone();
    with_more.addresses.push(Address::x500("/o=trust/cn=1"));
    assert_eq!(of(&ann, &with_more), [Standing::Accepted { account: "p1".into(), rule: None }]);
    ann.entry.names.surname = Some("Ray".into());
    assert_eq!(of(&ann, &theirs), [Standing::Waits(Doubt::ChangedSince)]);
}

#[test]
fn an_account_that_a_person_gave_away_is_taken() {
    let (ann, bob) = (person("1", "Ann", "Lee", "100"), person("2", "Ann", "Ray", "200"));
    let mut theirs = account("p1", "Ann", "Lee", "RX1");
    theirs.addresses = vec![Address::smtp("ann.ray2@trust.example")];
    let mut words = Words::default();
    words.add(ann.id.clone(), Word::Same { account: "p1".into(), facts: facts(&ann, &theirs) });
    let standings = decide(&[ann.clone(), bob], &[theirs], &words);
    assert_eq!(standings[0], Standing::Accepted { account: "p1".into(), rule: None });
    assert_eq!(standings[1], Standing::Waits(Doubt::Taken { by: ann.id }));
}

#[test]
fn a_word_that_there_is_no_account_holds_for_what_was_looked_at() {
    let ann = person("1", "Ann", "Lee", "100");
    let (one, two) = (account("p1", "Ann", "Lee", "RX1"), account("p2", "Ann", "Lee", "RX1"));
    let mut words = Words::default();
    let looked_at = vec![looked(&ann, &one)];
    words.add(ann.id.clone(), Word::NoAccount { looked_at });
    let of = |accounts: &[Entry]| decide(std::slice::from_ref(&ann), accounts, &words);
    assert_eq!(of(std::slice::from_ref(&one)), [Standing::NoAccount { said: true }]);
    assert_eq!(of(&[one, two]), [Standing::Waits(Doubt::Weak)]);
}

#[test]
fn a_disabled_account_and_a_leavers_wait() {
    for state in [AccountState::Disabled, AccountState::Leaver, AccountState::Inactive, AccountState::Expired] {
        let ann = person("1", "Ann", "Lee", "100");
        let mut theirs = account("p1", "Ann", "Lee", "RX1");
        theirs.local_id = Some("100".into());
        theirs.state = state;
        assert_eq!(decide(&[ann], &[theirs], &Words::default()), [Standing::Waits(Doubt::Unusable { state })]);
    }
}

#[test]
fn a_person_is_not_a_room() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut room = account("p1", "Ann", "Lee", "RX1");
    room.kind = EntryKind::Room;
    room.addresses = vec![Address::smtp("ann.lee1@trust.example")];
    let doubt = Doubt::Contradicted { by: vec![Contradiction::Kind] };
    assert_eq!(
        decide(std::slice::from_ref(&ann), std::slice::from_ref(&room), &Words::default()),
        [Standing::Waits(doubt)]
    );
    // The mailbox of whoever has left may have been made one of many: no second account is made beside it.
    let mut left = ann;
    left.entry.state = AccountState::Disabled;
    room.kind = EntryKind::Shared;
    let standing = decide(&[left], &[room], &Words::default());
    assert!(matches!(standing[..], [Standing::Waits(_)]), "{standing:?}");
}

#[test]
fn a_mark_is_certain_only_on_the_account_that_was_recorded() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RX1");
    theirs.origin = Some("whimbrel:RX1:main:ad:1".into());
    // Copied, of another project, or with the record lost: a person decides.
    assert_eq!(one(&ann, &theirs), Standing::Waits(Doubt::Weak));
    let (objects, accounts, words) = ([ann.clone()], [theirs.clone()], Words::default());
    let made = made_for(&ann, &theirs);
    let world =
        World { objects: &objects, accounts: &accounts, gone: &[], made: &made, words: &words, ours_alone: false };
    assert_eq!(world.decide()[0].standing, accepted("p1", Rule::MadeForThem));
    // Recorded, but without the mark.
    let unmarked = [Entry { origin: None, ..theirs }];
    assert_eq!(World { accounts: &unmarked, ..world }.decide()[0].standing, Standing::Waits(Doubt::Weak));
}

#[test]
fn a_key_that_is_given_again_does_not_give_the_account_of_the_one_before() {
    for (given, surname) in [("Bob", "Ray"), ("Bob", "Lee")] {
        let bob = person("1001", given, surname, "1001");
        let mut anns = account("p1", "Ann", "Lee", "RX1");
        (anns.origin, anns.local_id) = (Some("whimbrel:RX1:main:ad:1001".into()), Some("1001".into()));
        let made = made_for(&bob, &anns);
        let (objects, accounts, words) = ([bob], [anns], Words::default());
        let world =
            World { objects: &objects, accounts: &accounts, gone: &[], made: &made, words: &words, ours_alone: false };
        let doubt = Doubt::Contradicted { by: vec![Contradiction::Names] };
        assert_eq!(world.decide()[0].standing, Standing::Waits(doubt));
    }
}

#[test]
fn who_married_keeps_the_account_that_was_made_for_them() {
    let ann = person("1", "Ann", "Ray", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RX1");
    theirs.origin = Some("whimbrel:RX1:main:ad:1".into());
    let made = made_for(&ann, &theirs);
    let (objects, accounts, words) = ([ann], [theirs], Words::default());
    let world =
        World { objects: &objects, accounts: &accounts, gone: &[], made: &made, words: &words, ours_alone: false };
    assert_eq!(world.decide()[0].standing, accepted("p1", Rule::MadeForThem));
}

#[test]
fn what_was_made_waits_when_its_code_state_number_or_kind_speaks_against_it() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RX1");
    (theirs.origin, theirs.local_id) = (Some("whimbrel:RX1:main:ad:1".into()), Some("100".into()));
    let made = made_for(&ann, &theirs);
    let changes: [fn(&mut Entry); 4] = [
        |entry| entry.organisation = Some("RY2".into()),
        |entry| entry.state = AccountState::Leaver,
        |entry| entry.local_id = Some("77".into()),
        |entry| entry.kind = EntryKind::Room,
    ];
    for change in changes {
        let mut other = theirs.clone();
        change(&mut other);
        let (objects, accounts, words) = ([ann.clone()], [other], Words::default());
        let world =
            World { objects: &objects, accounts: &accounts, gone: &[], made: &made, words: &words, ours_alone: false };
        assert!(matches!(world.decide()[0].standing, Standing::Waits(_)), "{:?}", world.accounts);
    }
}

#[test]
fn an_account_that_was_made_for_another_waits() {
    let alan = person("2", "Alan", "Lee", "200");
    for mark in ["whimbrel:RX1:main:ad:9", "whimbrel:RY2:main:ad:2", "whimbrel:RX1:other:ad:2"] {
        let mut other = account("p1", "Alan", "Lee", "RX1");
        (other.origin, other.addresses) = (Some(mark.into()), vec![Address::smtp("alan.lee2@trust.example")]);
        let whom = mark.strip_prefix("whimbrel:").unwrap().to_owned();
        let doubt = Doubt::Contradicted { by: vec![Contradiction::MadeFor { whom }] };
        assert_eq!(one(&alan, &other), Standing::Waits(doubt));
    }
}

#[test]
fn a_namesake_of_somebody_whose_account_was_made_gets_one_of_their_own() {
    let (ann, mut other) = (person("1", "Ann", "Lee", "100"), person("2", "Ann", "Lee", "200"));
    other.entry.local_id = None;
    let mut anns = account("p1", "Ann", "Lee", "RX1");
    anns.origin = Some("whimbrel:RX1:main:ad:1".into());
    let made = made_for(&ann, &anns);
    let (objects, accounts, words) = ([ann, other], [anns], Words::default());
    let world =
        World { objects: &objects, accounts: &accounts, gone: &[], made: &made, words: &words, ours_alone: false };
    let standings: Vec<Standing> = world.decide().into_iter().map(|matched| matched.standing).collect();
    assert_eq!(standings, [accepted("p1", Rule::MadeForThem), Standing::NoAccount { said: false }]);
}

#[test]
fn where_only_an_address_speaks_names_that_are_missing_or_hardly_agree_wait() {
    let doubt = Standing::Waits(Doubt::Contradicted { by: vec![Contradiction::Names] });
    for (own, theirs) in [
        (("Ann", "Lee"), (None, "Leeson")),
        (("Ann", "Lee"), (None, "Lee")),
        (("Ann B", "Lee"), (Some("Bob"), "Ray")),
        (("A", "Lee"), (Some("Alan"), "Ray")),
        (("A", "Lee"), (Some("Alan"), "Lee")),
        (("Sarah", "Lee"), (Some("Sarah"), "Okafor")),
    ] {
        let object = person("1", own.0, own.1, "100");
        let mut account = account("p1", "", theirs.1, "RX1");
        account.names.given = theirs.0.map(str::to_owned);
        account.addresses = vec![Address::smtp(object.entry.mail.clone().unwrap())];
        assert_eq!(one(&object, &account), doubt, "{own:?} {theirs:?}");
    }
}

#[test]
fn a_shared_mailbox_with_the_address_alone_needs_the_same_name() {
    for (display, is_theirs) in [("Ward 7 (Hill Trust)", true), ("ward 7", true), ("Ward 8", false), ("", false)] {
        let mut ward = Object { id: ObjectId::new("ad", "s"), entry: Entry::new("s", EntryKind::Shared) };
        (ward.entry.names.display, ward.entry.mail) = (Some("Ward 7".into()), Some("ward@trust.example".into()));
        let mut theirs = Entry::new("p1", EntryKind::Shared);
        (theirs.names.display, theirs.organisation) = (Some(display.into()), Some("RX1".into()));
        theirs.addresses = vec![Address::smtp("ward@trust.example")];
        assert_eq!(matches!(one(&ward, &theirs), Standing::Accepted { .. }), is_theirs, "{display}");
    }
}

#[test]
fn an_account_without_a_code_is_the_organisations_own_only_where_the_platform_is() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RX1");
    (theirs.organisation, theirs.local_id) = (None, Some("100".into()));
    assert_eq!(one(&ann, &theirs), Standing::Waits(Doubt::Weak), "numbers of others are no evidence");
    theirs.addresses = vec![Address::x500("/o=trust/ou=exchange/cn=recipients/cn=1")];
    assert_eq!(one(&ann, &theirs), Standing::Waits(Doubt::NoOrganisation));
    let (objects, words) = ([ann], Words::default());
    theirs.addresses.clear();
    let accounts = [theirs];
    let world = World {
        objects: &objects,
        accounts: &accounts,
        gone: &[],
        made: &HashMap::new(),
        words: &words,
        ours_alone: true,
    };
    assert_eq!(world.decide()[0].standing, accepted("p1", Rule::LocalId));
}

#[test]
fn whose_account_is_gone_from_the_platform_is_not_new() {
    let ann = person("1", "Ann", "Lee", "100");
    let (mut certain, weak) = (account("p1", "Ann", "Lee", "RX1"), account("p2", "Ann", "Lee", "RX1"));
    certain.local_id = Some("100".into());
    let waits = |key: &str| Standing::Waits(Doubt::GoneFromPlatform { account: key.into() });
    let (objects, made, mut words) = ([ann.clone()], HashMap::new(), Words::default());
    for account in [&certain, &weak] {
        let gone = std::slice::from_ref(account);
        let world = World { objects: &objects, accounts: &[], gone, made: &made, words: &words, ours_alone: false };
        assert_eq!(world.decide()[0].standing, waits(&account.key));
    }
    // One that was made and never seen since.
    let recorded = made_for(&ann, &weak);
    let world =
        World { objects: &objects, accounts: &[], gone: &[], made: &recorded, words: &words, ours_alone: false };
    assert_eq!(world.decide()[0].standing, waits("p2"));
    // Another that is there is not taken instead.
    let mut there = account("p3", "Ann", "Lee", "RX1");
    there.addresses = vec![Address::smtp("ann.lee1@trust.example")];
    let (there, gone) = ([there], [certain]);
    let world =
        World { objects: &objects, accounts: &there, gone: &gone, made: &made, words: &words, ours_alone: false };
    assert_eq!(world.decide()[0].standing, Standing::Waits(Doubt::SeveralAccounts));
    // Only a person says that there is none any more.
    let world = World { accounts: &[], ..world };
    let looked_at = world.decide()[0].candidates.iter().map(Candidate::looked).collect();
    words.add(ann.id, Word::NoAccount { looked_at });
    let world = World { objects: &objects, accounts: &[], gone: &gone, made: &made, words: &words, ours_alone: false };
    assert_eq!(world.decide()[0].standing, Standing::NoAccount { said: true });
}

#[test]
fn new_certain_evidence_ends_a_word_against_an_account() {
    let (ann, mut theirs) = (person("1", "Ann", "Lee", "100"), account("p1", "Ann", "Lee", "RX1"));
    let (mut different, mut none) = (Words::default(), Words::default());
    different.add(ann.id.clone(), Word::Different(looked(&ann, &theirs)));
    none.add(ann.id.clone(), Word::NoAccount { looked_at: vec![looked(&ann, &theirs)] });
    let of = |words: &Words, theirs: &Entry| {
        decide(std::slice::from_ref(&ann), std::slice::from_ref(theirs), words).remove(0)
    };
    assert_eq!(of(&different, &theirs), Standing::NoAccount { said: false });
    assert_eq!(of(&none, &theirs), Standing::NoAccount { said: true });
    theirs.addresses.push(Address::x500("/o=Trust/ou=Exchange/cn=Recipients/cn=1"));
    for words in [&different, &none] {
        assert_eq!(of(words, &theirs), accepted("p1", Rule::LegacyDn));
    }
}

#[test]
fn what_was_confirmed_outlives_the_transfer_that_was_confirmed_and_nothing_else() {
    let ann = person("1", "Ann", "Lee", "100");
    let mut theirs = account("p1", "Ann", "Lee", "RY2");
    (theirs.state, theirs.addresses) = (AccountState::Leaver, vec![Address::smtp("ann.lee1@trust.example")]);
    let mut words = Words::default();
    words.add(ann.id.clone(), Word::confirmed(&ann, &theirs, "RX1", Outcome::Transferred, None));
    let of = |theirs: &Entry| decide(std::slice::from_ref(&ann), std::slice::from_ref(theirs), &words).remove(0);
    let given = Standing::Accepted { account: "p1".into(), rule: None };
    assert_eq!(of(&theirs), given);
    (theirs.state, theirs.organisation) = (AccountState::Active, Some("RX1".into()));
    assert_eq!(of(&theirs), given);
    theirs.organisation = Some("RZ3".into());
    assert_eq!(of(&theirs), Standing::Waits(Doubt::ChangedSince));
}

#[test]
fn facts_outlive_what_this_program_does_and_not_another_name_to_log_in_with() {
    let (mut ann, mut theirs) = (person("1", "Ann", "Lee", "100"), account("p1", "Ann", "Lee", "RX1"));
    theirs.state = AccountState::Pending;
    let then = facts(&ann, &theirs);
    theirs.state = AccountState::Active;
    assert_eq!(facts(&ann, &theirs), then);
    theirs.state = AccountState::Disabled;
    assert_ne!(facts(&ann, &theirs), then);
    theirs.state = AccountState::Active;
    theirs.account = Some("ann".into());
    assert_ne!(facts(&ann, &theirs), then);
    theirs.account = None;
    ann.entry.account = Some("ann".into());
    assert_ne!(facts(&ann, &theirs), then);
}

#[test]
fn names_that_are_written_otherwise_and_numbers_without_zeros_wait_and_are_never_new() {
    for (own, theirs) in [
        (("Robert", "Ray"), ("Bob", "Ray")),
        (("Наталья", "Петрова"), ("Natalya", "Petrova")),
        (("Catherine", "O'Neill"), ("Kate", "O'Neill")),
        (("Anne Marie", "Lee"), ("Annemarie", "Lee")),
        (("Ann", "Smith-Jones"), ("Ann", "Smith")),
        (("A", "Lee"), ("Ann", "Lee")),
        (("Ann", "Lee"), ("", "Lee")),
    ] {
        let (object, account) = (person("1", own.0, own.1, "100"), account("p1", theirs.0, theirs.1, "RX1"));
        assert_eq!(one(&object, &account), Standing::Waits(Doubt::Weak), "{own:?} {theirs:?}");
    }
    let (ann, mut theirs) = (person("1", "Ann", "Lee", "00100"), account("p1", "Ann", "Lee", "RX1"));
    theirs.local_id = Some("100".into());
    assert_eq!(one(&ann, &theirs), Standing::Waits(Doubt::Weak));
}

#[test]
fn names_are_never_certain_whatever_is_written() {
    let (ann, other) = (person("1", "Ann", "Lee", "100"), account("p1", "Ann", "Lee", "RX1"));
    let (words, made) = (Words::default(), HashMap::new());
    let rules = MatchRules { certain: vec![Rule::Names] };
    let matching = Matching {
        objects: &[ann],
        accounts: &[other],
        gone: &[],
        made: &made,
        switched_off: &HashMap::new(),
        words: &words,
        ours_alone: false,
        rules: &rules,
        organisation: "RX1",
        project: "main",
    };
    assert_eq!(matching.decide()[0].standing, Standing::Waits(Doubt::Weak));
}

/// A roster with its truth: which account is whose. What is said of an account may be wrong in ways that happen.
#[derive(Clone, Debug)]
struct Person {
    given: usize,
    surname: usize,
    has_account: bool,
    marks: u8,
    elsewhere: bool,
    id_given_twice: bool,
    address_reused: bool,
}

const GIVEN: [&str; 4] = ["Ann", "Bob", "Zoë", "Наталья"];
const SURNAMES: [&str; 4] = ["Lee", "O'Neill", "Smith-Jones", "Петрова"];

fn people() -> impl Strategy<Value = Vec<Person>> {
    let one =
        (
            0..4usize,
            0..4usize,
            any::<bool>(),
            0..8u8,
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.05),
            prop::bool::weighted(0.1),
        )
            .prop_map(|(given, surname, has_account, marks, elsewhere, id_given_twice, address_reused)| {
                Person { given, surname, has_account, marks, elsewhere, id_given_twice, address_reused }
            });
    prop::collection::vec(one, 1..40)
}

proptest! {
    /// Over random rosters: no account goes to two, none to a stranger, and nobody who certainly has one gets a second (R-057,
    ///
    #[test]
    fn nobody_gets_a_strangers_account(people in people()) {
        let (mut objects, mut accounts) = (Vec::new(), Vec::new());
        for (number, one) in people.iter().enumerate() {
            let id = if one.id_given_twice { 0 } else { number };
            let mut object = person(&number.to_string(), GIVEN[one.given], SURNAMES[one.surname], &id.to_string());
            object.entry.mail = Some(format!("person{number}@trust.example"));
            if one.has_account {
                let organisation = if one.elsewhere { "RY2" } else { "RX1" };
                let mut theirs = account(&format!("p{number}"), GIVEN[one.given], SURNAMES[one.surname], organisation);
                if one.marks & 1 != 0 {
                    theirs.addresses.push(Address::x500(object.entry.legacy_dn.clone().unwrap().to_uppercase()));
                }
                if one.marks & 2 != 0 {
                    theirs.addresses.push(Address::smtp(format!("Person{number}@Trust.example")));
                }
                if one.marks & 4 != 0 {
                    theirs.local_id = Some(number.to_string());
                }
                accounts.push(theirs);
            }
            objects.push(object);
        }
        // Addresses of people who left, given to others since: the account still has them.
        for (number, _) in people.iter().enumerate().filter(|(_, one)| one.address_reused) {
            let next = (number + 1) % people.len();
            let reused = objects[next].entry.mail.clone().unwrap();
            if let Some(account) = accounts.iter_mut().find(|account| account.key == format!("p{number}")) {
                account.addresses.push(Address::smtp(reused));
            }
        }
        let words = Words::default();
        let made = HashMap::new();
        let world = World { objects: &objects, accounts: &accounts, gone: &[], made: &made, words: &words, ours_alone: false };
        let matches = world.decide();
        let mut given = HashSet::new();
        for (number, matched) in matches.iter().enumerate() {
            if let Some(account) = matched.account() {
                prop_assert!(given.insert(account.to_owned()), "{account} went to two");
                let is_theirs = account == format!("p{number}");
                // Only somebody of the same name who got the address of the one before can be taken for them, and only where
                // nothing else speaks for the one before.
                let before = (number + people.len() - 1) % people.len();
                let (own, other) = (&people[number], &people[before]);
                let reused = other.address_reused && account == format!("p{before}")
                    && share(own, other) && (other.marks == 0 || other.elsewhere);
                prop_assert!(is_theirs || reused, "{number} got {account}");
            }
            let certain = people[number].has_account && people[number].marks != 0;
            if certain && !people[number].id_given_twice {
                prop_assert!(!matches!(matched.standing, Standing::NoAccount { .. }), "{number} would get a second account");
            }
        }
        let reversed: Vec<Object> = objects.iter().rev().cloned().collect();
        let again = World { objects: &reversed, ..world }.decide();
        prop_assert_eq!(matches, again.into_iter().rev().collect::<Vec<_>>(), "the order matters");
    }
}

fn share(one: &Person, other: &Person) -> bool {
    one.given == other.given
}
