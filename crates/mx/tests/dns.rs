//! Names looked up at real servers (RFC 1035, RFC 2308, RFC 7766).

use std::time::Duration;

use conformance::servers::Knot;
use mx::dns::{Answer, Data, Failure, Name, Outcome, Patience, RecordType, Resolver, from_resolv_conf, server};

/// Long enough for a busy machine: nothing that is tested with it lets it run out.
pub(crate) const PATIENCE: Patience = Patience { wait: Duration::from_secs(20), tries: 3 };

const ZONE: &str = "\
$ORIGIN example.test.
$TTL 3600
@ 7200 SOA ns1 host 7 3600 600 86400 900
@ NS ns1
ns1 A 127.0.0.1
@ 1800 MX 20 mx2
@ 1800 MX 10 Mx1
mx1 A 192.0.2.1
mx1 AAAA 2001:db8::1
mx2 A 192.0.2.2
@ TXT \"v=spf1 \" \"include:spf.example.org -all\"
_sip._tcp 60 SRV 1 2 5060 mx1
alias 120 CNAME middle
middle 30 CNAME mx1
away CNAME host.example.org.
circle CNAME round
round CNAME circle
self CNAME self
big 5 TXT \"{long}\"
below NS ns.below
ns.below A 127.0.0.1
";

fn zone() -> String {
    let long: Vec<String> = (0..30).map(|piece| format!("{piece:03}{}", "x".repeat(200))).collect();
    ZONE.replace("{long}", &long.join("\" \""))
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn found(answer: Answer) -> (Vec<Data>, u32) {
    match answer.outcome {
        Outcome::Found { records, ttl_seconds } => (records, ttl_seconds),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_type_is_read_with_its_time_to_live() {
    let Some(knot) = Knot::start(&[("example.test", &zone())]) else { return };
    let resolver = Resolver::at(knot.address(), PATIENCE);
    let ask = async |text: &str, kind| found(resolver.lookup(&name(text), kind).await.unwrap());
    let (mut mx, ttl) = ask("EXAMPLE.test.", RecordType::Mx).await;
    mx.sort_by_key(|data| if let Data::Mx { preference, .. } = data { *preference } else { 0 });
    assert_eq!(ttl, 1800);
    let expected = [(10, "mx1.example.test"), (20, "mx2.example.test")];
    assert_eq!(mx, expected.map(|(preference, host)| Data::Mx { preference, exchange: name(host) }));
    let text = b"v=spf1 include:spf.example.org -all".to_vec();
    assert_eq!(ask("example.test", RecordType::Txt).await, (vec![Data::Txt(text)], 3600));
    assert_eq!(ask("mx1.example.test", RecordType::A).await, (vec![Data::A([192, 0, 2, 1].into())], 3600));
    let six = "2001:db8::1".parse().unwrap();
    assert_eq!(ask("mx1.example.test", RecordType::Aaaa).await, (vec![Data::Aaaa(six)], 3600));
    let srv = Data::Srv { priority: 1, weight: 2, port: 5060, target: name("mx1.example.test") };
    assert_eq!(ask("_sip._tcp.example.test", RecordType::Srv).await, (vec![srv], 60));
    assert_eq!(ask("example.test", RecordType::Ns).await, (vec![Data::Ns(name("ns1.example.test"))], 3600));
    let soa = Data::Soa { primary: name("ns1.example.test"), serial: 7, minimum_seconds: 900 };
    assert_eq!(ask("example.test", RecordType::Soa).await, (vec![soa], 7200));
    let cname = Data::Cname(name("middle.example.test"));
    assert_eq!(ask("alias.example.test", RecordType::Cname).await, (vec![cname], 120));
}

#[tokio::test]
async fn no_name_no_data_and_no_answer_are_three_things() {
    let Some(knot) = Knot::start(&[("example.test", &zone())]) else { return };
    for resolver in [Resolver::at(knot.address(), PATIENCE), Resolver::authoritative(knot.address(), PATIENCE)] {
        let ask = async |text: &str, kind| resolver.lookup(&name(text), kind).await;
        let absent = ask("nobody.example.test", RecordType::Mx).await.unwrap().outcome;
        assert_eq!(absent, Outcome::NoName { ttl_seconds: Some(900) });
        let absent = ask("mx1.example.test", RecordType::Mx).await.unwrap().outcome;
        assert_eq!(absent, Outcome::NoData { ttl_seconds: Some(900) });
        let refused = ask("example.org", RecordType::Mx).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused { code: 5, .. }), "{refused}");
        let referral = ask("www.below.example.test", RecordType::A).await.unwrap_err();
        assert!(matches!(referral, Failure::Referral { .. }), "{referral}");
    }
}

#[tokio::test]
async fn aliases_are_followed_with_the_shortest_time_to_live_and_a_bound() {
    let Some(knot) = Knot::start(&[("example.test", &zone())]) else { return };
    let own = Resolver::authoritative(knot.address(), PATIENCE);
    let answer = own.lookup(&name("alias.example.test"), RecordType::A).await.unwrap();
    assert_eq!(answer.aliases, [name("middle.example.test"), name("mx1.example.test")]);
    assert_eq!(found(answer), (vec![Data::A([192, 0, 2, 1].into())], 30));
    let absent = own.lookup(&name("alias.example.test"), RecordType::Mx).await.unwrap();
    assert_eq!(absent.outcome, Outcome::NoData { ttl_seconds: Some(30) });
    let away = own.lookup(&name("away.example.test"), RecordType::A).await.unwrap();
    assert_eq!(away.outcome, Outcome::Elsewhere(name("host.example.org")));
    for text in ["circle.example.test", "self.example.test"] {
        for resolver in [own, Resolver::at(knot.address(), PATIENCE)] {
            let failure = resolver.lookup(&name(text), RecordType::A).await.unwrap_err();
            assert!(matches!(failure, Failure::Aliases { .. }), "{failure}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_comes_whole_over_tcp() {
    let Some(knot) = Knot::start(&[("example.test", &zone())]) else { return };
    let resolver = Resolver::at(knot.address(), PATIENCE);
    let (records, ttl) = found(resolver.lookup(&name("big.example.test"), RecordType::Txt).await.unwrap());
    let [Data::Txt(text)] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((text.len(), ttl), (30 * 203, 5));
    assert!(text.starts_with(b"000x") && text[29 * 203..].starts_with(b"029x"));
}

#[test]
fn servers_are_addresses_with_a_port_or_without() {
    for (text, address) in [
        ("192.0.2.1", "192.0.2.1:53"),
        ("192.0.2.1:5353", "192.0.2.1:5353"),
        ("2001:db8::1", "[2001:db8::1]:53"),
        ("[2001:db8::1]", "[2001:db8::1]:53"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
    ] {
        assert_eq!(server(text), Ok(address.parse().unwrap()), "{text}");
    }
    for text in ["", "dns.example", "192.0.2.1:", "192.0.2.1:99999", "fe80::1%eth0"] {
        assert!(server(text).is_err(), "{text}");
    }
}

#[test]
fn the_systems_servers_are_read_from_its_file() {
    let folder = std::env::temp_dir().join(format!("mx-resolv-{}", std::process::id()));
    std::fs::write(&folder, "# ours\nsearch example.test\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n nameserver 2001:db8::2\nnameserver 192.0.2.1\n")
        .unwrap();
    let servers = from_resolv_conf(&folder).unwrap();
    std::fs::write(&folder, "search example.test\n").unwrap();
    let none = from_resolv_conf(&folder).unwrap_err();
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(servers, ["192.0.2.1:53".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap()]);
    assert!(none.to_string().contains("give the addresses of some"), "{none}");
    assert!(from_resolv_conf(&folder).is_err());
}

#[test]
fn names_are_refused_with_the_reason() {
    for text in ["", "a..b", ".a", "bücher.example", "a b.example", "exa*mple.test"] {
        assert!(text.parse::<Name>().is_err(), "{text}");
    }
    assert!(name(".").is_root());
    assert_eq!(name("Example.TEST."), name("example.test"));
    assert_eq!(name("example.test").below("_dmarc").unwrap().to_string(), "_dmarc.example.test");
}
