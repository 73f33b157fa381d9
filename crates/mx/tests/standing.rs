//! A legacy domain looked at through real servers: what they say, and whether they agree.

use jiff::{SignedDuration, Timestamp};
use mx::history::Observation;
use mx::plan::{Action, Facts, Limits, LocalMail, RecordedRfc, StepState};
use mx::standing::{
    Agreement, Autodiscover, MailRoute, Mx, Observer, Seen, Spf, SpfCost, Subject, Wanted, WantedAutodiscover,
    WantedKey,
};
use mx::{Look, Name, look, plan};

use conformance::servers::Knot;

use crate::dns::PATIENCE;

const OLD: &str = "\
$ORIGIN example.test.
$TTL 3600
@ SOA ns1 host 1 3600 600 86400 600
@ NS ns1
@ NS ns2
ns1 A 127.0.0.1
ns2 A 127.0.0.2
@ MX 10 mail
mail A 192.0.2.1
@ TXT \"v=spf1 mx -all\"
@ TXT \"something-else=1\"
_dmarc TXT \"v=DMARC1; p=reject; sp=quarantine; adkim=s\"
autodiscover A 192.0.2.1
new._domainkey CNAME new.keys.example.org.
";

const ELSEWHERE: &str = "\
$ORIGIN example.org.
$TTL 600
@ SOA ns host 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
mx.platform A 198.51.100.1
alias.platform CNAME mx.platform
spf.platform TXT \"v=spf1 include:one.platform.example.org a:mx.platform.example.org ip4:198.51.100.0/24 -all\"
one.platform TXT \"v=spf1 mx exists:%{i}.example.org ~all\"
round.platform TXT \"v=spf1 include:round.platform.example.org -all\"
new.keys TXT \"v=DKIM1; k=rsa; p=MIGfMA0G\"
";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn wanted() -> Wanted {
    Wanted {
        domain: name("example.test"),
        mx: vec![Mx { preference: 0, exchange: name("mx.platform.example.org") }],
        spf: vec!["include:spf.platform.example.org".to_owned()],
        dkim: vec![WantedKey { selector: "new".to_owned(), key: Some("MIGfMA0G".to_owned()) }],
        autodiscover: Some(WantedAutodiscover::Alias(name("autodiscover.platform.example.org"))),
        local_hosts: vec![name("mail.example.test")],
    }
}

/// Two servers of the zone that are asked as resolvers, too; one of each zone's texts.
fn two(first: &str, second: &str) -> Option<([Knot; 2], Look)> {
    let other = ("example.org", ELSEWHERE);
    let servers = Knot::start_two([&[("example.test", first), other], &[("example.test", second), other]])?;
    let mut asked = Look::with(servers.iter().map(Knot::address).collect());
    asked.patience = PATIENCE;
    asked.authoritative_port = servers[0].address().port();
    Some((servers, asked))
}

fn route(host: &str) -> MailRoute {
    MailRoute::Mx(vec![Mx { preference: 10, exchange: name(host) }])
}

#[tokio::test]
async fn everything_is_read_from_every_server() {
    let Some((_servers, asked)) = two(OLD, OLD) else { return };
    let standing = look(&asked, &wanted()).await;
    assert_eq!((standing.resolvers.len(), standing.authoritative.len()), (2, 2), "{standing:?}");
    assert!(standing.authoritative_unknown.is_empty());
    for view in standing.views() {
        assert_eq!(view.mail, Seen::Known { value: route("mail.example.test"), ttl_seconds: 3600 });
        assert!(matches!(view.spf.known(), Some(Spf::One { text, .. }) if text == "v=spf1 mx -all"));
        // The key stands in another zone, to which the selector is an alias.
        assert!(view.dkim[0].1.known().unwrap().is(&wanted().dkim[0]), "{:?}", view.dkim);
        let dmarc = view.dmarc.known().unwrap();
        assert!(dmarc.enforces() && dmarc.found_at == name("example.test"));
        let found = Autodiscover { addresses: vec!["192.0.2.1".parse().unwrap()], ..Autodiscover::default() };
        assert_eq!(view.autodiscover.known(), Some(&found));
    }
    for subject in Subject::EVERY {
        assert!(matches!(standing.agreement(subject), Agreement::Same(_)), "{subject:?}");
    }
    assert!(matches!(standing.wanted_hosts[0].addresses, Seen::Known { .. }));
    let cost = |of: &str, lookups| SpfCost { domain: name(of), lookups: Ok(lookups) };
    assert_eq!(standing.spf_costs, [cost("spf.platform.example.org", 4)]);
    let circle = Wanted { spf: vec!["include:round.platform.example.org".to_owned()], ..wanted() };
    assert_eq!(look(&asked, &circle).await.spf_costs, [cost("round.platform.example.org", 11)]);
    assert_eq!(standing.leads_to(&wanted().local_hosts).len(), 4);
    let text = serde_json::to_string(&standing).unwrap();
    assert_eq!(serde_json::from_str::<mx::Standing>(&text).unwrap(), standing);
}

#[tokio::test]
async fn where_an_alias_leads_out_of_the_zone_a_resolver_says_what_is_there() {
    let only: &[(&str, &str)] = &[("example.test", OLD)];
    let Some(servers) = Knot::start_two([&[("example.test", OLD), ("example.org", ELSEWHERE)], only]) else { return };
    let mut asked = Look::with(vec![servers[0].address()]);
    asked.patience = PATIENCE;
    asked.authoritative_port = servers[0].address().port();
    let standing = look(&asked, &wanted()).await;
    assert_eq!(standing.authoritative.len(), 2);
    for view in standing.views() {
        assert!(view.dkim[0].1.known().is_some_and(|key| key.is(&wanted().dkim[0])), "{view:?}");
    }
}

#[tokio::test]
async fn servers_that_disagree_are_told_with_what_each_says() {
    let other = OLD.replace("@ MX 10 mail", "@ 300 MX 0 mx.platform.example.org.");
    let Some((servers, asked)) = two(OLD, &other) else { return };
    let standing = look(&asked, &wanted()).await;
    let Agreement::Differ(said) = standing.agreement(Subject::Mail) else { panic!("{standing:?}") };
    assert_eq!(said.len(), 4);
    let text = |by: &Observer| said.iter().find(|(who, _)| who == by).unwrap().1.clone();
    assert_eq!(text(&Observer::Resolver(servers[0].address())), "MX 10 mail.example.test");
    assert_eq!(text(&Observer::Resolver(servers[1].address())), "MX 0 mx.platform.example.org");
    assert!(matches!(standing.agreement(Subject::Spf), Agreement::Same(_)));
    assert_eq!(standing.leads_to(&wanted().local_hosts).len(), 2);
}

#[tokio::test]
async fn routes_without_an_mx_record_are_told_apart() {
    for (zone, expected) in [
        (OLD.replace("@ MX 10 mail", "@ MX 0 ."), MailRoute::NullMx),
        (OLD.replace("@ MX 10 mail", "@ A 192.0.2.9\n@ AAAA 2001:db8::9"), {
            MailRoute::OwnAddress(vec!["192.0.2.9".parse().unwrap(), "2001:db8::9".parse().unwrap()])
        }),
        (OLD.replace("@ MX 10 mail", ""), MailRoute::Nothing),
    ] {
        let Some(knot) = Knot::start(&[("example.test", &zone)]) else { return };
        let mut asked = Look::with(vec![knot.address()]);
        asked.patience = PATIENCE;
        asked.authoritative_port = knot.address().port();
        let standing = look(&asked, &Wanted { dkim: Vec::new(), ..wanted() }).await;
        assert_eq!(standing.resolvers[0].mail.known(), Some(&expected));
        let ttl = if expected == MailRoute::NullMx { 3600 } else { 600 };
        assert_eq!(standing.resolvers[0].mail.ttl_seconds(), Some(ttl));
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_unknown_and_never_absent() {
    let Some((servers, asked)) = two(OLD, OLD) else { return };
    servers[1].stop();
    let standing = look(&asked, &wanted()).await;
    let away = &standing.resolvers[1];
    assert!(matches!(away.mail, Seen::Unknown(_)) && matches!(away.spf, Seen::Unknown(_)), "{away:?}");
    let Agreement::Unknown(unknown) = standing.agreement(Subject::Mail) else { panic!("{standing:?}") };
    assert_eq!(unknown.len(), 2);
    let steps = plan(&standing, &wanted(), &ready(), Limits::default(), &[], Timestamp::UNIX_EPOCH);
    assert!(matches!(steps.step(Action::LowerTtl).unwrap().state, StepState::Refused(_)), "{steps:?}");
}

#[tokio::test]
async fn a_wanted_host_that_is_an_alias_or_not_there_is_a_gap() {
    let Some((_servers, asked)) = two(OLD, OLD) else { return };
    for host in ["alias.platform.example.org", "nobody.example.org"] {
        let wanted = Wanted { mx: vec![Mx { preference: 0, exchange: name(host) }], ..wanted() };
        let standing = look(&asked, &wanted).await;
        let steps = plan(&standing, &wanted, &ready(), Limits::default(), &[], Timestamp::UNIX_EPOCH);
        assert!(steps.gaps.iter().any(|gap| gap.to_string().contains(host)), "{:?}", steps.gaps);
        assert!(matches!(steps.step(Action::ChangeMx).unwrap().state, StepState::Refused(_)));
    }
}

#[tokio::test]
async fn a_dmarc_record_above_the_domain_counts() {
    let Some(knot) = Knot::start(&[("example.test", OLD)]) else { return };
    let mut asked = Look::with(vec![knot.address()]);
    asked.patience = PATIENCE;
    asked.authoritative_port = knot.address().port();
    let wanted = Wanted { domain: name("mail.example.test"), dkim: Vec::new(), mx: Vec::new(), ..wanted() };
    let standing = look(&asked, &wanted).await;
    // The servers of a name inside a zone are the zone's; only the one that runs can be asked.
    assert_eq!(standing.authoritative.len(), 2);
    let dmarc = standing.resolvers[0].dmarc.known().unwrap();
    assert_eq!(dmarc.to_string(), "quarantine (100 %, SPF relaxed, DKIM strict, at example.test)");
}

fn ready() -> Facts {
    Facts {
        mx_rfc: Some(RecordedRfc {
            reference: "RFC-42".to_owned(),
            by: "Ann Example".to_owned(),
            approved: jiff::civil::date(2026, 9, 1),
        }),
        last_switch: Some(jiff::civil::date(2026, 9, 2)),
        f3_left: vec!["ann@example.test".to_owned()],
        ..Facts::default()
    }
}

/// The whole way with real servers and a clock of the test's own: after each look exactly one step may be done, it is done in the
/// zone, and only at the end may redirects go.
#[tokio::test]
async fn a_domain_is_led_step_by_step_to_the_target_platform() {
    let Some((servers, asked)) = two(OLD, OLD) else { return };
    let (limits, wanted) = (Limits { ttl_low_seconds: 300, quiet_days: 14 }, wanted());
    let mut now: Timestamp = "2026-10-01T08:00:00Z".parse().unwrap();
    let mut facts = ready();
    let (mut looks, mut zone): (Vec<Observation>, String) = (Vec::new(), OLD.to_owned());
    let mut done = Vec::new();
    for _ in 0..60 {
        let standing = look(&asked, &wanted).await;
        facts.local_mail = LocalMail { watched_since: Some("2026-09-01T00:00:00Z".parse().unwrap()), last: None };
        let steps = plan(&standing, &wanted, &facts, limits, &looks, now);
        assert!(steps.alarms.is_empty() && steps.gaps.is_empty(), "{steps:?}");
        looks.push(Observation::of(&standing, now));
        let may: Vec<Action> =
            steps.steps.iter().filter(|step| step.state == StepState::May).map(|step| step.action).collect();
        let change = |from: &str, to: &str| {
            assert!(zone.contains(from), "{zone}");
            zone.replace(from, to)
        };
        // The first that may is done; those beside it wait for the next look.
        let next = match may.first() {
            Some(Action::LowerTtl) => change("@ MX 10 mail", "@ 300 MX 10 mail"),
            Some(Action::AddSpf) => change("v=spf1 mx -all", &steps.step(Action::AddSpf).unwrap().to),
            Some(Action::ChangeMx) => change("@ 300 MX 10 mail", "@ 300 MX 0 mx.platform.example.org."),
            Some(Action::ChangeAutodiscover) => {
                change("autodiscover A 192.0.2.1", "autodiscover CNAME autodiscover.platform.example.org.")
            }
            Some(Action::ReleaseRedirects) => {
                done.push((Action::ReleaseRedirects, now));
                break;
            }
            Some(other) => panic!("{other:?} is nothing to do in a zone"),
            None => {
                now += SignedDuration::from_hours(12);
                continue;
            }
        };
        done.push((may[0], now));
        zone = next;
        for server in &servers {
            server.replace("example.test", &zone);
        }
        now += SignedDuration::from_mins(10);
    }
    let order: Vec<Action> = done.iter().map(|(action, _)| *action).collect();
    let expected =
        [Action::LowerTtl, Action::AddSpf, Action::ChangeMx, Action::ChangeAutodiscover, Action::ReleaseRedirects];
    assert_eq!(order, expected);
    // The old time to live before the MX records, and two weeks behind them.
    assert!(done[2].1.duration_since(done[0].1) >= SignedDuration::from_secs(3600), "{done:?}");
    assert!(done[4].1.duration_since(done[2].1) >= SignedDuration::from_hours(14 * 24), "{done:?}");
}
