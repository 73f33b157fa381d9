use super::*;
use crate::{MatchRules, Scope, Settings, Words, reconcile};

fn person(key: &str, given: &str, surname: &str) -> Object {
    let mut entry = Entry::new(key, EntryKind::Person);
    (entry.names.given, entry.names.surname) = (Some(given.into()), Some(surname.into()));
    entry.mail = Some(format!("person{key}@trust.example"));
    entry.legacy_dn = Some(format!("/o=Trust/cn={key}"));
    entry.local_id = Some(key.into());
    entry.place = Some(format!("CN={given} {surname},OU=Staff,DC=trust"));
    Object { id: ObjectId::new("ad", key), entry }
}

struct World {
    objects: Vec<Object>,
    accounts: Vec<Entry>,
    gone: Vec<ObjectId>,
    made: HashMap<ObjectId, String>,
    put_in: HashMap<ObjectId, BTreeSet<String>>,
    switched_off: HashMap<ObjectId, AccountState>,
    scope: Scope,
    rules: PeopleRules,
    words: Words,
}

impl World {
    fn of(objects: Vec<Object>, accounts: Vec<Entry>) -> Self {
        Self {
            objects,
            accounts,
            gone: Vec::new(),
            made: HashMap::new(),
            put_in: HashMap::new(),
            switched_off: HashMap::new(),
            scope: Scope::default(),
            rules: PeopleRules::default(),
            words: Words::default(),
        }
    }

    fn plan(&self) -> Plan {
        let rules = MatchRules { certain: self.rules.certain.clone() };
        let settings = Settings {
            organisation: "RX1",
            project: "main",
            gone: &[],
            made: &self.made,
            ours_alone: false,
            scope: &self.scope,
            rules: &rules,
            words: &self.words,
            required: &self.rules.required,
            makes_disabled: false,
            switched_off: &self.switched_off,
            at: 0,
        };
        let reconciliation = reconcile(&self.objects, &self.accounts, settings);
        let planning = Planning {
            objects: &self.objects,
            reconciliation: &reconciliation,
            accounts: &self.accounts,
            gone: &self.gone,
            made: &self.made,
            switched_off: &self.switched_off,
            put_in: &self.put_in,
            joiners: &[],
            rules: &self.rules,
            organisation: "Hill Trust",
            code: "RX1",
            project: "main",
            short_name: "hill",
            domain: "national.example",
            reserved: &[],
            makes_live: false,
            live: &[],
            registrations_used: 0,
        };
        planning.plan()
    }

    /// Makes what is planned.
    fn apply(&mut self, plan: &Plan) {
        let mut made = self.made.clone();
        for (number, line) in plan.lines.iter().enumerate() {
            let resolve = |members: &[Member], made: &HashMap<ObjectId, String>| -> Vec<Reference> {
                let of = |member: &Member| match member {
                    Member::Account(key) => Reference::Key(key.clone()),
                    Member::Object(id) => Reference::Key(made[id].clone()),
                    Member::Outside(mail) => Reference::Mail(mail.clone()),
                };
                members.iter().map(of).collect()
            };
            match &line.planned {
                Planned::Create { entry, members, owners } => {
                    let mut entry = (**entry).clone();
                    entry.key = format!("p{number}{}", line.object.key);
                    made.insert(line.object.clone(), entry.key.clone());
                    entry.members = resolve(members, &made);
                    let put_in = entry.members.iter().map(|member| member.text().to_owned()).collect();
                    self.put_in.insert(line.object.clone(), put_in);
                    entry.owners = resolve(owners, &made);
                    self.accounts.push(entry);
                }
                Planned::Update { after, members, owners, leaving, .. } => {
                    let account = self.accounts.iter_mut().find(|account| account.key == after.key).unwrap();
                    *account = (**after).clone();
                    account.members.retain(|member| !leaving.contains(member));
                    let added = resolve(members, &made);
                    let put_in = self.put_in.entry(line.object.clone()).or_default();
                    put_in.extend(added.iter().map(|member| member.text().to_owned()));
                    account.members.extend(added);
                    account.owners.extend(resolve(owners, &made));
                }
                Planned::Leave { after, .. } => {
                    *self.accounts.iter_mut().find(|account| account.key == after.key).unwrap() = (**after).clone();
                }
            }
        }
        self.made = made;
    }
}

#[test]
fn a_new_account_waits_carries_the_old_name_and_not_yet_the_old_address() {
    let mut ann = person("1", "Ann", "Lee");
    (ann.entry.mobile, ann.entry.hides_mobile) = (Some("07".into()), true);
    let plan = World::of(vec![ann], Vec::new()).plan();
    let Planned::Create { entry, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!(entry.state, AccountState::Pending);
    let addresses: Vec<String> = entry.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["SMTP:ann.lee@national.example", "X500:/o=Trust/cn=1"]);
    assert_eq!(entry.names.display.as_deref(), Some("Lee, Ann (Hill Trust)"));
    assert_eq!(entry.mobile, None, "a hidden number never leaves (R-049)");
    assert_eq!(plan.cost.registrations, 1);
}

#[test]
fn what_was_made_is_not_made_again_and_follows_its_object() {
    let mut world = World::of(vec![person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    let plan = world.plan();
    assert_eq!(plan.lines.len(), 2);
    assert_eq!(world.plan(), plan, "the same each time");
    world.apply(&plan);
    assert_eq!(world.plan().lines, []);
    world.objects[0].entry.job_title = Some("Nurse".into());
    let plan = world.plan();
    let Planned::Update { fields, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!((plan.lines.len(), fields.as_slice()), (1, &["job_title".to_owned()][..]));
}

#[test]
fn an_account_that_was_there_gains_the_old_name_and_nothing_else() {
    let mut theirs = Entry::new("p1", EntryKind::Person);
    theirs.organisation = Some("RX1".into());
    theirs.local_id = Some("1".into());
    theirs.job_title = Some("Matron".into());
    theirs.names.display = Some("Lee, Ann".into());
    let mut ann = person("1", "Ann", "Lee");
    ann.entry.job_title = Some("Nurse".into());
    let mut world = World::of(vec![ann], vec![theirs.clone()]);
    let plan = world.plan();
    let Planned::Update { after, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    theirs.addresses.push(Address::x500("/o=Trust/cn=1"));
    assert_eq!(**after, theirs);
    assert_eq!(plan.cost.registrations, 0);
    world.apply(&plan);
    assert_eq!(world.plan().lines, []);
}

#[test]
fn lists_come_after_their_members_and_hold_them_as_they_are_on_the_platform() {
    let ann = person("1", "Ann", "Lee");
    let mut list = Object { id: ObjectId::new("ad", "g"), entry: Entry::new("g", EntryKind::List) };
    list.entry.names.display = Some("Ward 7".into());
    list.entry.members = vec![
        Reference::Place("cn=ann lee, ou=Staff,dc=trust".into()),
        Reference::Mail("gp@elsewhere.example".into()),
        Reference::Place("CN=Nobody,DC=trust".into()),
        Reference::Place("CN=Bob Ray,OU=Staff,DC=trust".into()),
    ];
    let mut world = World::of(vec![list, ann], Vec::new());
    let plan = world.plan();
    assert_eq!(
        plan.unmapped.iter().map(|unmapped| unmapped.reference.text()).collect::<Vec<_>>(),
        ["CN=Nobody,DC=trust", "CN=Bob Ray,OU=Staff,DC=trust"]
    );
    let Planned::Create { entry, members, .. } = &plan.lines[1].planned else { panic!("{plan:?}") };
    assert_eq!(entry.mail.as_deref(), Some("hill.ward7@national.example"));
    assert_eq!(members, &[Member::Object(ObjectId::new("ad", "1")), Member::Outside("gp@elsewhere.example".into())]);
    world.apply(&plan);
    assert_eq!(world.plan().lines, []);
    // Who arrives later is put in then.
    world.objects.push(person("2", "Bob", "Ray"));
    let plan = world.plan();
    let Planned::Update { members, .. } = &plan.lines[1].planned else { panic!("{plan:?}") };
    assert_eq!(members, &[Member::Object(ObjectId::new("ad", "2"))]);
    world.apply(&plan);
    assert_eq!(world.plan().lines, []);
}

#[test]
fn somebody_outside_is_in_the_list_as_the_contact_that_has_the_address() {
    let mut list = Object { id: ObjectId::new("ad", "g"), entry: Entry::new("g", EntryKind::List) };
    list.entry.names.display = Some("Ward 7".into());
    list.entry.members = vec![Reference::Mail("gp@elsewhere.example".into())];
    let mut world = World::of(vec![list], Vec::new());
    world.apply(&world.plan());
    // A directory whose lists hold names alone has put its contact there.
    let mut contact = Entry::new("c", EntryKind::Contact);
    (contact.mail, contact.place) = (Some("GP@elsewhere.example".into()), Some("CN=GP,OU=Others,DC=x".into()));
    world.accounts.push(contact);
    world.accounts[0].members = vec![Reference::Place("cn=gp, ou=Others,dc=x".into())];
    assert_eq!(world.plan().lines, []);
}

#[test]
fn who_left_a_list_leaves_it_there_and_whom_others_put_there_stays() {
    let (ann, bob) = (person("1", "Ann", "Lee"), person("2", "Bob", "Ray"));
    let mut list = Object { id: ObjectId::new("ad", "g"), entry: Entry::new("g", EntryKind::List) };
    list.entry.names.display = Some("Ward 7".into());
    list.entry.members = vec![Reference::Key("1".into()), Reference::Key("2".into())];
    let mut world = World::of(vec![list, ann, bob], Vec::new());
    world.apply(&world.plan());
    world.accounts[2].members.push(Reference::Key("stranger".into()));
    world.objects[0].entry.members.pop();
    let plan = world.plan();
    let Planned::Update { leaving, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!(leaving, &[Reference::Key("p12".into())]);
    world.apply(&plan);
    assert_eq!(world.accounts[2].members, [Reference::Key("p01".into()), Reference::Key("stranger".into())]);
    assert_eq!(world.plan().lines, []);
}

/// Where a member of the organisation's list can't be found – it was renamed, moved or is not read – it may be whoever seems to
/// be in it no more: nobody is taken out of the platform's list, and each is told.
#[test]
fn nobody_leaves_a_list_while_one_of_its_members_is_not_known() {
    let (ann, mut bob) = (person("1", "Ann", "Lee"), person("2", "Bob", "Ray"));
    let mut list = Object { id: ObjectId::new("ad", "g"), entry: Entry::new("g", EntryKind::List) };
    list.entry.names.display = Some("Ward 7".into());
    list.entry.members = [&ann, &bob].map(|of| Reference::Place(of.entry.place.clone().unwrap())).to_vec();
    bob.entry.mail = Some("ward@trust.example".into());
    let mut world = World::of(vec![list, ann, bob, person("3", "Cyd", "Orr")], Vec::new());
    world.apply(&world.plan());
    assert_eq!(world.plan().lines, []);
    let unknown = [Reference::Place("CN=Bob Ray,OU=Elsewhere,DC=trust".into()), Reference::Name("nobody".into())];
    for unknown in unknown.into_iter().chain([Reference::Mail("ward@trust.example".into())]) {
        world.objects[0].entry.members[1] = unknown.clone();
        // Two have this address.
        world.objects[3].entry.addresses = vec![Address::smtp("ward@trust.example")];
        let plan = world.plan();
        assert_eq!(plan.lines, [], "{unknown:?}");
        let told: Vec<&Reference> = plan.unmapped.iter().map(|unmapped| &unmapped.reference).collect();
        let bobs = Reference::Key(world.made[&ObjectId::new("ad", "2")].clone());
        assert_eq!(told, [&unknown, &bobs]);
        assert!(plan.unmapped[1].why.contains(unknown.text()), "{:?}", plan.unmapped);
    }
    world.objects[0].entry.members[1] = Reference::Mail("gp@elsewhere.example".into());
    let plan = world.plan();
    let Planned::Update { leaving, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!(leaving.len(), 1, "somebody outside is known to be nobody here");
}

#[test]
fn clashes_get_numbers_and_over_the_limit_it_says_so() {
    let mut world = World::of((1..=3).map(|n| person(&n.to_string(), "Ann", "Lee")).collect(), Vec::new());
    world.rules.registrations = Some(2);
    let plan = world.plan();
    let addresses: Vec<&str> = plan
        .lines
        .iter()
        .filter_map(|line| match &line.planned {
            Planned::Create { entry, .. } => entry.mail.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(addresses, ["ann.lee@national.example", "ann.lee2@national.example", "ann.lee3@national.example"]);
    assert!(!plan.cost.fits());
}

#[test]
fn more_owners_than_the_platform_takes_are_told_before() {
    let mut shared = Object { id: ObjectId::new("ad", "s"), entry: Entry::new("s", EntryKind::Shared) };
    shared.entry.names.display = Some("Ward 7".into());
    shared.entry.owners = vec![Reference::Key("1".into()), Reference::Key("2".into())];
    let mut world = World::of(vec![shared, person("1", "Ann", "Lee"), person("2", "Bob", "Ray")], Vec::new());
    world.rules.owners_max = 1;
    let plan = world.plan();
    assert_eq!((plan.lines.len(), plan.conflicts.len()), (2, 1));
    assert!(plan.conflicts[0].why.contains("2 owners"), "{plan:?}");
}

#[test]
fn a_leaver_is_marked_once() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    world.apply(&world.plan());
    let ann = world.objects.remove(0);
    world.gone.push(ann.id);
    let plan = world.plan();
    assert_eq!((plan.lines.len(), plan.cost.left), (1, 1));
    world.apply(&plan);
    assert_eq!(world.accounts[0].state, AccountState::Leaver);
    assert_eq!(world.plan().lines, []);
}

#[test]
fn whom_an_owner_added_on_the_platform_stays_and_is_told() {
    let (ann, bob) = (person("1", "Ann", "Lee"), person("2", "Bob", "Ray"));
    let mut list = Object { id: ObjectId::new("ad", "g"), entry: Entry::new("g", EntryKind::List) };
    list.entry.names.display = Some("Ward 7".into());
    list.entry.members = vec![Reference::Key("1".into())];
    let mut world = World::of(vec![list, ann, bob], Vec::new());
    world.apply(&world.plan());
    world.accounts[2].members.push(Reference::Key("p12".into()));
    let plan = world.plan();
    assert_eq!((plan.lines, plan.unmapped.len()), (vec![], 1));
    assert!(plan.unmapped[0].why.contains("it stays"), "{:?}", plan.unmapped);
}

#[test]
fn an_address_that_several_have_is_nobody_in_a_list() {
    let (ann, mut bob) = (person("1", "Ann", "Lee"), person("2", "Bob", "Ray"));
    bob.entry.addresses.push(Address::smtp("person1@trust.example"));
    let mut list = Object { id: ObjectId::new("ad", "g"), entry: Entry::new("g", EntryKind::List) };
    list.entry.names.display = Some("Ward 7".into());
    list.entry.members = vec![Reference::Mail("person1@trust.example".into())];
    let plan = World::of(vec![ann, bob, list], Vec::new()).plan();
    let Planned::Create { members, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!((members.len(), plan.unmapped.len()), (0, 1));
}

/// Ann's account was made for an object that is gone; she is there again under another key.
fn made_again() -> World {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    world.apply(&world.plan());
    let old = std::mem::replace(&mut world.objects[0], person("2", "Ann", "Lee"));
    world.objects[0].entry.legacy_dn = old.entry.legacy_dn;
    world.gone.push(old.id);
    world
}

#[test]
fn an_account_that_may_be_a_living_persons_is_not_marked_as_a_leavers() {
    assert_eq!(made_again().plan().lines, []);
}

#[test]
fn an_account_that_a_person_gave_to_the_object_made_again_bears_its_mark_from_then_on() {
    let mut world = made_again();
    let (ann, account) = (world.objects[0].clone(), world.accounts[0].clone());
    let facts = crate::facts(&ann, &account);
    world.words.add(ann.id.clone(), crate::Word::Same { account: account.key.clone(), facts });
    let plan = world.plan();
    let Planned::Update { after, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!((plan.lines.len(), after.origin.as_deref()), (1, Some("whimbrel:RX1:main:ad:2")));
    world.apply(&plan);
    assert!(world.plan().lines.iter().all(|line| !matches!(line.planned, Planned::Leave { .. })));
}

#[test]
fn a_copied_mark_makes_nobody_a_leaver() {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    world.apply(&world.plan());
    let mut other = Entry::new("p9", EntryKind::Person);
    (other.origin, other.organisation) = (world.accounts[0].origin.clone(), Some("RX1".into()));
    world.accounts.push(other);
    let ann = world.objects.remove(0);
    world.gone.push(ann.id);
    let plan = world.plan();
    let Planned::Leave { before, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!((plan.lines.len(), before.key.as_str()), (1, "p01"));
}

#[test]
fn a_contact_for_somebody_who_has_an_account_is_not_made_and_stands_in_lists_as_the_account() {
    let mut contact = Object { id: ObjectId::new("ad", "c"), entry: Entry::new("c", EntryKind::Contact) };
    contact.entry.names.display = Some("Cyd Ray".into());
    contact.entry.mail = Some("Cyd.Ray@national.example".into());
    let mut list = Object { id: ObjectId::new("ad", "g"), entry: Entry::new("g", EntryKind::List) };
    list.entry.names.display = Some("Ward 7".into());
    list.entry.members = vec![Reference::Key("c".into())];
    let mut cyd = Entry::new("p1", EntryKind::Person);
    (cyd.mail, cyd.organisation) = (Some("cyd.ray@national.example".into()), Some("RY2".into()));
    let plan = World::of(vec![contact, list], vec![cyd]).plan();
    let Planned::Create { entry, members, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!((plan.lines.len(), entry.kind), (1, EntryKind::List));
    assert_eq!(members, &[Member::Account("p1".into())]);
}

#[test]
fn one_of_the_same_name_in_another_directory_waits() {
    let (ann, mut other) = (person("1", "Ann", "Lee"), person("00009", "Annie", "Lee-Ray"));
    other.id = ObjectId::new("hr", "00009");
    let mut namesake = person("2", "Bob", "Ray");
    namesake.id = ObjectId::new("hr", "2");
    let world = World::of(vec![ann, other, namesake], Vec::new());
    let plan = world.plan();
    assert_eq!(plan.lines.iter().map(|line| line.object.key.as_str()).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn a_number_with_zeros_in_front_is_the_same_number() {
    let (ann, mut other) = (person("1", "Ann", "Lee"), person("2", "Bea", "Ray"));
    other.entry.local_id = Some("0001".into());
    assert_eq!(World::of(vec![ann, other], Vec::new()).plan().lines, []);
}

/// Ann with an account that was made for her.
fn made_for_ann() -> World {
    let mut world = World::of(vec![person("1", "Ann", "Lee")], Vec::new());
    let plan = world.plan();
    world.apply(&plan);
    world.accounts[0].state = AccountState::Active;
    world
}

#[test]
fn whoever_is_switched_off_at_the_source_gets_no_account_and_one_that_was_made_is_switched_off_r_043() {
    let mut world = made_for_ann();
    world.objects.push(person("2", "Bob", "Ray"));
    for object in &mut world.objects {
        object.entry.state = AccountState::Disabled;
    }
    let plan = world.plan();
    let [line] = &plan.lines[..] else { panic!("{plan:?}") };
    let Planned::Update { after, fields, .. } = &line.planned else { panic!("{plan:?}") };
    assert_eq!((after.state, fields.as_slice()), (AccountState::Disabled, &["state".to_owned()][..]));
    assert_eq!((plan.cost.disabled, plan.cost.registrations), (1, 0));
    world.apply(&plan);
    assert_eq!(world.plan().lines, [], "once");
    world.objects[0].entry.state = AccountState::Active;
    assert_eq!(world.plan().lines, [], "others may have switched it off as well");
    world.switched_off.insert(ObjectId::new("ad", "1"), AccountState::Active);
    let plan = world.plan();
    let Planned::Update { after, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!(after.state, AccountState::Active, "on again when they are back");
    world.switched_off.insert(ObjectId::new("ad", "1"), AccountState::Pending);
    let plan = world.plan();
    let Planned::Update { after, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!(after.state, AccountState::Pending, "and no more than it was: nobody has accepted it (R-073)");
}

#[test]
fn a_locked_or_pending_account_of_whoever_has_left_is_switched_off_too() {
    for state in [AccountState::Locked, AccountState::Pending] {
        let mut world = made_for_ann();
        world.accounts[0].state = state;
        world.objects[0].entry.state = AccountState::Disabled;
        let plan = world.plan();
        let Planned::Update { after, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
        assert_eq!(after.state, AccountState::Disabled, "{state:?}");
    }
}

#[test]
fn a_member_who_gets_no_account_is_told_and_changes_nothing() {
    let mut list = Entry::new("g", EntryKind::List);
    list.names.display = Some("All staff".into());
    list.members = vec![Reference::Key("1".into())];
    let mut world =
        World::of(vec![person("1", "Ann", "Lee"), Object { id: ObjectId::new("ad", "g"), entry: list }], Vec::new());
    let plan = world.plan();
    world.apply(&plan);
    world.objects.push(person("2", "", "…"));
    world.objects[2].entry.names.given = Some("…".into());
    world.objects[1].entry.members.push(Reference::Key("2".into()));
    let plan = world.plan();
    assert!(plan.lines.is_empty() && plan.conflicts.len() == 1, "{plan:?}");
    assert!(plan.unmapped[0].why.contains("nothing can be planned"), "{plan:?}");
}

#[test]
fn whoever_was_switched_off_and_put_among_the_leavers_is_marked_r_046() {
    let mut world = made_for_ann();
    world.scope.exclude = vec![crate::Filter {
        name: "leavers-ou".into(),
        places: vec!["OU=Leavers,DC=trust".into()],
        ..crate::Filter::default()
    }];
    world.objects[0].entry.place = Some("CN=Ann Lee,OU=Leavers,DC=trust".into());
    assert_eq!(world.plan().lines, [], "left out alone is not left: a filter may be wrong");
    world.objects[0].entry.state = AccountState::Disabled;
    let plan = world.plan();
    let Planned::Leave { after, .. } = &plan.lines[0].planned else { panic!("{plan:?}") };
    assert_eq!((after.state, plan.cost.left), (AccountState::Leaver, 1));
    world.apply(&plan);
    assert_eq!(world.plan().lines, [], "once");
}

#[test]
fn a_mailbox_of_many_is_not_made_without_somebody_who_answers_for_it_r_074() {
    let mut ward = person("7", "x", "x");
    ward.entry.kind = EntryKind::Shared;
    ward.entry.names.display = Some("Ward".into());
    ward.entry.owners = vec![Reference::Key("nobody".into())];
    let plan = World::of(vec![ward.clone()], Vec::new()).plan();
    assert!(plan.lines.is_empty() && plan.conflicts[0].why.contains("nobody who answers for it"), "{plan:?}");
    ward.entry.owners = vec![Reference::Key("1".into())];
    let plan = World::of(vec![ward, person("1", "Ann", "Lee")], Vec::new()).plan();
    assert_eq!((plan.lines.len(), plan.conflicts.len()), (2, 0), "{plan:?}");
}

#[test]
fn what_was_bought_for_an_account_is_never_taken_back_r_075() {
    let mut world = made_for_ann();
    world.accounts[0].quota_bytes = Some(25 << 30);
    world.objects[0].entry.quota_bytes = Some(5 << 30);
    assert_eq!(world.plan().lines, []);
}

#[test]
fn lists_come_after_the_lists_in_them() {
    let list = |key: &str, members: &[&str]| {
        let mut entry = Entry::new(key, EntryKind::List);
        entry.names.display = Some(format!("List {key}"));
        entry.members = members.iter().map(|key| Reference::Key((*key).into())).collect();
        Object { id: ObjectId::new("ad", key), entry }
    };
    let objects =
        vec![list("a", &["b", "c"]), list("b", &["d"]), list("c", &["a"]), list("d", &["1"]), person("1", "A", "B")];
    let plan = World::of(objects, Vec::new()).plan();
    let order: Vec<&str> = plan.lines.iter().map(|line| line.object.key.as_str()).collect();
    assert_eq!(order, ["1", "d", "b", "c", "a"]);
}
