//! What has to change, and what may be done when: as tables, and over random cases (R-236, R-238, R-241, R-328; rulings ).

use jiff::{SignedDuration, Timestamp, civil::date};
use mx::Name;
use mx::history::{Observation, Place, leads, old_gone_at};
use mx::plan::{Action, Facts, GapKind, Limits, LocalMail, Plan, RecordedRfc, StepState, plan};
use mx::standing::{
    Autodiscover, DkimKey, Dmarc, Host, MailRoute, Mx, Observer, Seen, Spf, SpfCost, Standing, View, Wanted,
    WantedAutodiscover, WantedKey,
};
use proptest::prelude::*;

const LIMITS: Limits = Limits { ttl_low_seconds: 300, quiet_days: 14 };
const PLATFORM: &str = "mx.platform.example.org";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn wanted() -> Wanted {
    let mx = vec![Mx { preference: 0, exchange: name(PLATFORM) }];
    Wanted { domain: name("example.test"), mx, spf: vec!["include:spf.example.org".to_owned()], ..Wanted::default() }
}

fn to(host: &str, preference: u16) -> MailRoute {
    MailRoute::Mx(vec![Mx { preference, exchange: name(host) }])
}

fn old() -> MailRoute {
    to("mail.example.test", 10)
}

fn new() -> MailRoute {
    to(PLATFORM, 0)
}

fn spf(text: &str) -> Seen<Spf> {
    let value = Spf::parse(&[text.as_bytes().to_vec()]).unwrap();
    Seen::Known { value, ttl_seconds: 300 }
}

fn view(by: Observer, mail: Option<(MailRoute, u32)>) -> View {
    let mail = match mail {
        Some((value, ttl_seconds)) => Seen::Known { value, ttl_seconds },
        None => Seen::Unknown("silent".to_owned()),
    };
    View {
        by,
        mail,
        spf: spf("v=spf1 include:spf.example.org -all"),
        dkim: Vec::new(),
        dmarc: Seen::Absent { ttl_seconds: None },
        autodiscover: Seen::Absent { ttl_seconds: None },
    }
}

/// What two servers of the zone say, and what two resolvers say. None: silent.
fn standing(zone: [Option<(MailRoute, u32)>; 2], resolvers: [Option<(MailRoute, u32)>; 2]) -> Standing {
    let [one, two] = resolvers;
    let [first, second] = zone;
    let resolver = |address: &str| Observer::Resolver(address.parse().unwrap());
    let server =
        |host: &str, address: &str| Observer::Authoritative { name: name(host), address: address.parse().unwrap() };
    Standing {
        domain: name("example.test"),
        resolvers: vec![view(resolver("192.0.2.53:53"), one), view(resolver("198.51.100.53:53"), two)],
        authoritative: vec![
            view(server("ns1.example.test", "192.0.2.1:53"), first),
            view(server("ns2.example.test", "192.0.2.2:53"), second),
        ],
        authoritative_unknown: Vec::new(),
        wanted_hosts: vec![Host {
            name: name(PLATFORM),
            addresses: Seen::Known { value: vec!["198.51.100.1".parse().unwrap()], ttl_seconds: 60 },
            alias_of: None,
        }],
        spf_costs: vec![SpfCost { domain: name("spf.example.org"), lookups: Ok(4) }],
    }
}

fn all(mail: &MailRoute, ttl: u32) -> Standing {
    let said = || Some((mail.clone(), ttl));
    standing([said(), said()], [said(), said()])
}

fn at(hours: i64) -> Timestamp {
    "2026-10-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

fn ready() -> Facts {
    Facts {
        mx_rfc: Some(RecordedRfc { reference: "RFC-42".to_owned(), by: "Ann".to_owned(), approved: date(2026, 9, 1) }),
        last_switch: Some(date(2026, 9, 2)),
        local_mail: LocalMail { watched_since: Some(at(-500)), last: None },
        f3_left: vec!["ann@example.test".to_owned()],
        ..Facts::default()
    }
}

fn looked(looks: &[(i64, Standing)]) -> Vec<Observation> {
    looks.iter().map(|(hours, standing)| Observation::of(standing, at(*hours))).collect()
}

fn state(plan: &Plan, action: Action) -> &StepState {
    &plan.step(action).unwrap().state
}

fn refusals(plan: &Plan, action: Action) -> Vec<GapKind> {
    match state(plan, action) {
        StepState::Refused(gaps) => gaps.iter().map(|gap| gap.kind).collect(),
        _ => Vec::new(),
    }
}

/// Where mail comes is what was seen: as long as somebody may still have the old answer, at both.
#[test]
fn where_mail_comes_is_told_by_the_looks_or_not_at_all() {
    let wanted = Wanted { local_hosts: vec![name("mail.example.test")], ..wanted() };
    let lead = |looks: &[(i64, Standing)], now| leads(&looked(looks), &wanted, at(now));
    assert_eq!(lead(&[], 0), None, "nobody has looked");
    assert_eq!(lead(&[(0, all(&old(), 300))], 1), Some((Place::Local, None)));
    let moved = [(0, all(&old(), 7200)), (1, all(&new(), 300))];
    assert_eq!(lead(&moved, 2), Some((Place::Wanted, Some(Place::Local))), "caches keep the old answer");
    assert_eq!(lead(&moved, 24 * 8), Some((Place::Wanted, None)));
    let said = |mail: &MailRoute| Some((mail.clone(), 300));
    let half = standing([said(&new()), said(&new())], [said(&old()), None]);
    assert_eq!(lead(&[(0, half)], 1), Some((Place::Local, Some(Place::Wanted))));
    assert_eq!(lead(&[(0, all(&MailRoute::NullMx, 300))], 1), Some((Place::Nowhere, None)));
    assert_eq!(lead(&[(0, all(&to("filter.example.net", 10), 300))], 1), None, "a host of neither");
    let silent = || standing([None, None], [None, None]);
    assert_eq!(lead(&[(0, silent())], 1), None, "all are silent");
    let late = [(0, all(&old(), 300)), (1, all(&new(), 300)), (24 * 9, silent())];
    assert_eq!(lead(&late, 24 * 9).map(|(place, _)| place), Some(Place::Wanted), "what was seen before counts");
    let both = MailRoute::Mx(
        [(PLATFORM, 0), ("mail.example.test", 10)]
            .map(|(host, preference)| Mx { preference, exchange: name(host) })
            .to_vec(),
    );
    assert_eq!(lead(&[(0, all(&both, 300))], 1), Some((Place::Local, Some(Place::Wanted))), "hosts of both");
    let back = [(0, all(&new(), 7200)), (1, all(&old(), 300))];
    assert_eq!(lead(&back, 2), Some((Place::Local, Some(Place::Wanted))), "it was moved back, and caches keep that");
    assert_eq!(lead(&back, 24), Some((Place::Local, None)));
}

#[test]
fn the_mx_records_change_only_without_any_gap() {
    let one = || vec!["ann@example.test".to_owned()];
    let cases: [(GapKind, Facts); 6] = [
        (GapKind::NoRfc, Facts { mx_rfc: None, ..ready() }),
        (GapKind::NobodySwitched, Facts { last_switch: None, ..ready() }),
        (GapKind::Unswitched, Facts { unswitched: one(), ..ready() }),
        (GapKind::AliasMissing, Facts { aliases_missing: one(), ..ready() }),
        (GapKind::F1Left, Facts { f1_left: one(), ..ready() }),
        (GapKind::F2Left, Facts { f2_left: one(), ..ready() }),
    ];
    let now = all(&old(), 300);
    let free = plan(&now, &wanted(), &ready(), LIMITS, &[], at(0));
    assert_eq!(state(&free, Action::ChangeMx), &StepState::May);
    assert!(free.gaps.is_empty() && free.alarms.is_empty());
    for (kind, facts) in cases {
        let steps = plan(&now, &wanted(), &facts, LIMITS, &[], at(0));
        assert_eq!(refusals(&steps, Action::ChangeMx), [kind]);
        assert_eq!(refusals(&steps, Action::ReleaseRedirects), [kind]);
        assert_eq!(steps.gaps.iter().map(|gap| gap.kind).collect::<Vec<_>>(), [kind]);
        // Changed all the same: that is told, and redirects stay.
        let late = plan(&all(&new(), 300), &wanted(), &facts, LIMITS, &looked(&[(-5000, all(&new(), 300))]), at(0));
        assert_eq!(late.alarms.len(), 1, "{kind:?}");
        assert_eq!(refusals(&late, Action::ReleaseRedirects), [kind]);
    }
    // Nothing is told as a list of five only.
    let many: Vec<String> = (0..9).map(|count| format!("p{count}@example.test")).collect();
    let steps = plan(&now, &wanted(), &Facts { unswitched: many.clone(), ..ready() }, LIMITS, &[], at(0));
    assert_eq!(steps.gaps[0].which, many);
    assert!(steps.gaps[0].to_string().contains("(9): p0@example.test"), "{}", steps.gaps[0]);
}

#[test]
fn only_the_whole_set_of_mx_records_is_what_is_wanted() {
    let mx = |records: &[(u16, &str)]| {
        MailRoute::Mx(
            records.iter().map(|(preference, host)| Mx { preference: *preference, exchange: name(host) }).collect(),
        )
    };
    let second = "mx2.platform.example.org";
    let both = Wanted { mx: vec![wanted().mx[0].clone(), Mx { preference: 5, exchange: name(second) }], ..wanted() };
    assert!(both.is_wanted(&mx(&[(5, second), (0, PLATFORM)])));
    for route in [
        mx(&[(0, PLATFORM)]),
        mx(&[(0, PLATFORM), (5, second), (10, "mail.example.test")]),
        mx(&[(5, PLATFORM), (0, second)]),
        mx(&[]),
        MailRoute::NullMx,
        MailRoute::NoDomain,
    ] {
        assert!(!both.is_wanted(&route), "{route}");
        assert!(!Wanted { mx: Vec::new(), ..wanted() }.is_wanted(&route), "{route}");
    }
}

#[test]
fn nothing_is_changed_in_a_zone_without_the_recorded_request() {
    let facts = Facts { mx_rfc: None, ..ready() };
    let mut now = all(&old(), 3600);
    for view in now.authoritative.iter_mut().chain(&mut now.resolvers) {
        view.spf = spf("v=spf1 mx -all");
    }
    let steps = plan(&now, &wanted(), &facts, LIMITS, &[], at(0));
    for action in [Action::LowerTtl, Action::AddSpf, Action::ChangeMx] {
        assert_eq!(refusals(&steps, action), [GapKind::NoRfc], "{action}");
    }
    let steps = plan(&now, &wanted(), &ready(), LIMITS, &[], at(0));
    for action in [Action::LowerTtl, Action::AddSpf] {
        assert_eq!(state(&steps, action), &StepState::May, "{action}");
    }
    assert!(matches!(state(&steps, Action::ChangeMx), StepState::Waits { what, .. } if what.len() == 2));
    assert_eq!(steps.step(Action::AddSpf).unwrap().to, "v=spf1 mx include:spf.example.org -all");
}

#[test]
fn the_old_time_to_live_is_waited_for_from_the_look_that_no_longer_saw_it() {
    let looks = looked(&[(0, all(&old(), 86_400)), (5, all(&old(), 86_400)), (6, all(&old(), 300))]);
    let now = all(&old(), 300);
    let early = plan(&now, &wanted(), &ready(), LIMITS, &looks, at(29));
    assert_eq!(
        state(&early, Action::WaitOldTtl),
        &StepState::Waits { what: vec!["old answers run out".to_owned()], until: Some(at(30)) }
    );
    assert!(matches!(state(&early, Action::ChangeMx), StepState::Waits { .. }));
    let late = plan(&now, &wanted(), &ready(), LIMITS, &looks, at(30));
    assert_eq!(state(&late, Action::ChangeMx), &StepState::May);
}

#[test]
fn when_old_answers_are_gone() {
    let silent = || standing([None, None], [None, None]);
    let half = || standing([Some((new(), 300)), Some((old(), 7200))], [None, None]);
    let unasked = || standing([Some((new(), 300)), None], [None, None]);
    let stale = || {
        let fresh = || Some((new(), 300));
        standing([fresh(), fresh()], [fresh(), Some((old(), 36_000))])
    };
    // One server is not asked, and the other one's time to live is lowered: the first may still give the longer one out.
    let lowered = || standing([None, Some((old(), 300))], [None, None]);
    let hidden = || Standing { authoritative_unknown: vec!["ns3 has no address".to_owned()], ..all(&new(), 300) };
    let (before, after) = (|| all(&old(), 3600), || all(&new(), 300));
    // From 200 hours on the week from the first look is over and says nothing any more.
    for (looks, gone) in [
        (vec![(0, before()), (200, before()), (210, after())], Some(211)),
        (vec![(0, before()), (200, before())], None),
        (vec![(0, before()), (200, after()), (201, before())], None),
        (vec![(0, before()), (200, half()), (210, after())], Some(212)),
        (vec![(0, before()), (200, half())], None),
        (vec![(0, before()), (200, unasked())], None),
        // A look that could not ask anyone changes nothing: the zone may have said the old until the next one.
        (vec![(0, before()), (200, silent()), (210, after())], Some(211)),
        (vec![(0, before()), (200, after()), (220, silent())], None),
        (vec![(0, before()), (200, after()), (220, silent()), (230, after())], Some(230 + 168)),
        (vec![(0, before()), (200, stale())], Some(210)),
        (vec![(0, before()), (200, unasked()), (210, after())], Some(211)),
        (vec![(0, all(&old(), 36_000)), (200, lowered()), (210, after())], Some(220)),
        (vec![(0, before()), (200, hidden())], None),
        // The old was never seen: a week from the first look.
        (vec![(0, after()), (10, after())], Some(168)),
        (vec![(0, before()), (1, after())], Some(168)),
    ] {
        let hours: Vec<i64> = looks.iter().map(|(hours, _)| *hours).collect();
        assert_eq!(old_gone_at(&looked(&looks), &wanted()), gone.map(at), "{hours:?}");
    }
}

#[test]
fn redirects_stay_until_everything_is_over() {
    let looks = || looked(&[(0, all(&old(), 300)), (300, all(&new(), 300))]);
    let quiet = 300 + 14 * 24;
    let ask = |now: &Standing, facts: &Facts, hours| {
        let steps = plan(now, &wanted(), facts, LIMITS, &looks(), at(hours));
        (state(&steps, Action::WaitEverywhere).clone(), state(&steps, Action::ReleaseRedirects).clone())
    };
    let changed = all(&new(), 300);
    assert_eq!(ask(&changed, &ready(), quiet), (StepState::Done, StepState::May));
    assert_eq!(ask(&changed, &Facts { f3_left: Vec::new(), ..ready() }, quiet).1, StepState::Done);
    let waits = |now: &Standing, facts: &Facts, hours, word: &str| {
        let (everywhere, release) = ask(now, facts, hours);
        let StepState::Waits { what, .. } = everywhere else { panic!("{word}: {everywhere:?}") };
        assert!(what.iter().any(|line| line.contains(word)), "{word}: {what:?}");
        assert!(matches!(release, StepState::Waits { .. }), "{word}: {release:?}");
    };
    waits(&changed, &ready(), quiet - 1, "14 days");
    let unwatched = Facts { local_mail: LocalMail::default(), ..ready() };
    waits(&changed, &unwatched, 9000, "nobody watches");
    let late = Facts { local_mail: LocalMail { watched_since: Some(at(0)), last: Some(at(310)) }, ..ready() };
    waits(&changed, &late, quiet + 9, "14 days");
    assert_eq!(ask(&changed, &late, quiet + 10).1, StepState::May);
    let watched_late = Facts { local_mail: LocalMail { watched_since: Some(at(400)), last: None }, ..ready() };
    waits(&changed, &watched_late, quiet + 99, "14 days");
    let said = || Some((new(), 300));
    waits(&standing([said(), said()], [said(), Some((old(), 9))]), &ready(), 9000, "198.51.100.53");
    waits(&standing([said(), said()], [said(), None]), &ready(), 9000, "could not be asked");
    let nobody = Standing { resolvers: Vec::new(), ..all(&new(), 300) };
    waits(&nobody, &ready(), 9000, "no resolver was asked");
    let hidden = Standing { authoritative_unknown: vec!["ns3 has no address".to_owned()], ..all(&new(), 300) };
    waits(&hidden, &ready(), 9000, "ns3");
}

#[test]
fn spf_comes_before_mx_and_is_needed_only_where_somebody_would_refuse() {
    let with = |seen: &Seen<Spf>, dmarc: &str| {
        let mut now = all(&old(), 300);
        for view in now.authoritative.iter_mut().chain(&mut now.resolvers) {
            view.spf = seen.clone();
            if let Some(value) = Dmarc::parse(&[dmarc.as_bytes().to_vec()], &name("example.test"), false) {
                view.dmarc = Seen::Known { value, ttl_seconds: 60 };
            }
        }
        plan(&now, &wanted(), &ready(), LIMITS, &[], at(0))
    };
    let absent = Seen::Absent { ttl_seconds: Some(60) };
    let steps = with(&absent, "");
    assert!(matches!(state(&steps, Action::AddSpf), StepState::NotNeeded(_)));
    assert_eq!(state(&steps, Action::ChangeMx), &StepState::May);
    assert_eq!(state(&with(&absent, "v=DMARC1; p=reject"), Action::AddSpf), &StepState::May);
    // What is included needs four more: five and the record's own are at most ten.
    assert_eq!(
        state(&with(&spf("v=spf1 mx a ptr exists:x.test ip4:192.0.2.1 a:y.test -all"), ""), Action::AddSpf),
        &StepState::May
    );
    let steps = with(&spf("v=spf1 mx a ptr exists:x.test mx:z.test a:y.test -all"), "");
    assert_eq!(refusals(&steps, Action::AddSpf), [GapKind::SpfTooLong]);
    assert!(matches!(state(&steps, Action::ChangeMx), StepState::Waits { .. }));
    assert_eq!(refusals(&with(&spf("v=spf1 include:other.test -all"), ""), Action::AddSpf), [GapKind::NotKnown]);
    let two = Seen::Known { value: Spf::Several(vec!["v=spf1 mx".to_owned(), "v=spf1 a".to_owned()]), ttl_seconds: 60 };
    let steps = with(&two, "");
    assert!(steps.step(Action::AddSpf).unwrap().to.starts_with("one record"));
    let unknown = Seen::Unknown("silent".to_owned());
    assert_eq!(refusals(&with(&unknown, ""), Action::AddSpf), [GapKind::NotKnown]);
}

#[test]
fn keys_come_before_mx_and_resolvers_catch_up_first() {
    let key = |public: &str| DkimKey::parse(&[format!("v=DKIM1; p={public}").into_bytes()]).unwrap();
    let wanted = Wanted {
        dkim: vec![WantedKey { selector: "new".to_owned(), key: Some("AAAA".to_owned()) }],
        autodiscover: Some(WantedAutodiscover::Alias(name("autodiscover.example.org"))),
        ..wanted()
    };
    let with = |mail: &MailRoute, zone: Option<&str>, resolver: Option<&str>| {
        let mut now = all(mail, 300);
        let seen = |public: Option<&str>| match public {
            Some(public) => Seen::Known { value: key(public), ttl_seconds: 60 },
            None => Seen::Absent { ttl_seconds: None },
        };
        for view in &mut now.authoritative {
            view.dkim = vec![("new".to_owned(), seen(zone))];
        }
        for view in &mut now.resolvers {
            view.dkim = vec![("new".to_owned(), seen(resolver))];
        }
        now
    };
    let ask = |now: &Standing, facts: &Facts| plan(now, &wanted, facts, LIMITS, &[], at(0));
    for (zone, resolver, expected) in [
        (None, None, Some(StepState::May)),
        (Some("BBBB"), Some("BBBB"), Some(StepState::May)),
        (Some(""), Some(""), Some(StepState::May)),
        (Some("AAAA"), Some("AAAA"), Some(StepState::Done)),
        (Some("AAAA"), None, None),
    ] {
        let steps = ask(&with(&old(), zone, resolver), &ready());
        let keys = state(&steps, Action::PublishDkim);
        match &expected {
            Some(expected) => assert_eq!(keys, expected, "{zone:?}"),
            None => assert!(matches!(keys, StepState::Waits { what, .. } if what.len() == 2), "{keys:?}"),
        }
        let may = state(&steps, Action::ChangeMx) == &StepState::May;
        assert_eq!(may, expected == Some(StepState::Done), "{zone:?}");
        assert!(matches!(state(&steps, Action::ChangeAutodiscover), StepState::Waits { .. }));
    }
    // Autodiscover, once the MX records are changed: in the zone, then at the resolvers.
    let mut now = with(&new(), Some("AAAA"), Some("AAAA"));
    let facts = Facts { unswitched: vec!["ann@example.test".to_owned()], ..ready() };
    assert_eq!(refusals(&ask(&now, &facts), Action::ChangeAutodiscover), [GapKind::Unswitched]);
    assert_eq!(state(&ask(&now, &ready()), Action::ChangeAutodiscover), &StepState::May);
    let value = Autodiscover { alias: Some(name("autodiscover.example.org")), ..Autodiscover::default() };
    let there = Seen::Known { value, ttl_seconds: 60 };
    for view in &mut now.authoritative {
        view.autodiscover = there.clone();
    }
    assert!(matches!(state(&ask(&now, &ready()), Action::ChangeAutodiscover), StepState::Waits { .. }));
    for view in &mut now.resolvers {
        view.autodiscover = there.clone();
    }
    assert_eq!(state(&ask(&now, &ready()), Action::ChangeAutodiscover), &StepState::Done);
}

#[test]
fn a_resolver_that_still_has_the_old_spf_record_is_waited_for() {
    let mut now = all(&old(), 300);
    now.resolvers[1].spf = spf("v=spf1 mx -all");
    let steps = plan(&now, &wanted(), &ready(), LIMITS, &[], at(0));
    let StepState::Waits { what, .. } = state(&steps, Action::AddSpf) else { panic!("{steps:?}") };
    assert!(what[0].contains("198.51.100.53"), "{what:?}");
    assert!(matches!(state(&steps, Action::ChangeMx), StepState::Waits { .. }));
}

fn any_said() -> impl Strategy<Value = Option<(MailRoute, u32)>> {
    let route = prop_oneof![
        3 => Just(new()),
        2 => Just(old()),
        1 => Just(MailRoute::NullMx),
        1 => Just(MailRoute::Nothing),
        // The right host beside the old one, and with another preference: not what is wanted.
        1 => Just(to(PLATFORM, 5)),
    ];
    prop::option::weighted(0.9, (route, prop_oneof![Just(60_u32), Just(300), Just(3600), Just(86_400)]))
}

fn any_standing() -> impl Strategy<Value = Standing> {
    let any = || prop::array::uniform2(any_said());
    let mixed = (any(), any()).prop_map(|(zone, resolvers)| standing(zone, resolvers));
    prop_oneof![2 => mixed, 1 => Just(all(&new(), 300)), 1 => Just(all(&old(), 300))]
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let list = || prop_oneof![4 => Just(Vec::new()), 1 => Just(vec!["ann@example.test".to_owned()])];
    let lists = (list(), list(), list(), list(), list());
    let day = || prop::option::weighted(0.8, -500..900_i64);
    (lists, prop::bool::weighted(0.85), prop::bool::weighted(0.9), day(), day()).prop_map(
        |((unswitched, aliases_missing, f1_left, f2_left, f3_left), rfc, switched, watched, last)| {
            let local_mail = LocalMail { watched_since: watched.map(at), last: last.map(at) };
            let full = ready();
            Facts {
                unswitched,
                aliases_missing,
                f1_left,
                f2_left,
                f3_left,
                local_mail,
                mx_rfc: full.mx_rfc.filter(|_| rfc),
                last_switch: full.last_switch.filter(|_| switched),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever was seen and told: nobody's mail is led to where it would be lost.
    #[test]
    fn what_may_be_done_is_safe(
        now in any_standing(), earlier in prop::collection::vec((0..1000_i64, any_standing()), 0..5), facts in any_facts(),
    ) {
        let hours = 1000;
        let steps = plan(&now, &wanted(), &facts, LIMITS, &looked(&earlier), at(hours));
        let is_new = |view: &View| view.mail.known() == Some(&new());
        let lists = [&facts.unswitched, &facts.aliases_missing, &facts.f1_left, &facts.f2_left];
        let clean = facts.mx_rfc.is_some() && facts.last_switch.is_some() && lists.iter().all(|list| list.is_empty());
        let actions: Vec<Action> = steps.steps.iter().map(|step| step.action).collect();
        prop_assert!(actions.is_sorted() && actions.len() == 8);
        if state(&steps, Action::ChangeMx) == &StepState::May {
            prop_assert!(clean && !now.authoritative.iter().all(is_new));
            prop_assert!(now.authoritative.iter().all(|view| view.mail.ttl_seconds().is_some_and(|ttl| ttl <= 300)));
        }
        if clean {
            prop_assert!(!matches!(state(&steps, Action::ChangeMx), StepState::Refused(gaps) if gaps.iter().any(|gap| gap.kind != GapKind::NotKnown)));
            prop_assert!(steps.alarms.is_empty());
        } else {
            prop_assert!(!steps.gaps.is_empty());
            prop_assert_eq!(steps.alarms.is_empty(), !now.views().any(is_new));
        }
        if matches!(state(&steps, Action::ReleaseRedirects), StepState::May | StepState::Done) {
            prop_assert!(clean && now.views().all(is_new));
            let watched = facts.local_mail.watched_since.unwrap();
            let quiet = at(hours - 14 * 24);
            prop_assert!(watched <= quiet && facts.local_mail.last.is_none_or(|last| last <= quiet));
            // Every look of those days found the whole zone changed, and there is one at their beginning.
            let changed = |standing: &Standing| standing.authoritative.iter().all(is_new);
            let mut looks: Vec<_> = earlier.iter().filter(|(when, _)| *when < hours).collect();
            looks.sort_by_key(|(when, _)| *when);
            let since = looks.iter().rev().take_while(|(_, standing)| changed(standing)).last();
            prop_assert!(since.is_some_and(|(when, _)| at(*when) <= quiet));
        }
    }
}
