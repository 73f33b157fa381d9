//! Records read, as tables (RFC 7208, RFC 6376, RFC 7489).

use mx::standing::{Alignment, DkimKey, Dmarc, DmarcPolicy, Spf, WantedKey};

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_an_spf_record_misses_and_what_it_is_to_become() {
    let wanted = owned(&["include:spf.new.example", "ip4:192.0.2.1"]);
    for (record, missing, becomes) in [
        (
            "v=spf1 mx -all",
            &["include:spf.new.example", "ip4:192.0.2.1"][..],
            "v=spf1 mx include:spf.new.example ip4:192.0.2.1 -all",
        ),
        (
            "v=spf1 include:SPF.new.example ip4:192.0.2.1/32 ~all",
            &[],
            "v=spf1 include:SPF.new.example ip4:192.0.2.1/32 ~all",
        ),
        ("V=SPF1 +include:spf.new.example. ip4:192.0.2.1", &[], "V=SPF1 +include:spf.new.example. ip4:192.0.2.1"),
        // Not as a pass, and behind `all`: neither counts.
        (
            "v=spf1 ~include:spf.new.example -all ip4:192.0.2.1",
            &["include:spf.new.example", "ip4:192.0.2.1"],
            "v=spf1 ~include:spf.new.example include:spf.new.example ip4:192.0.2.1 -all ip4:192.0.2.1",
        ),
        (
            "v=spf1 a redirect=_spf.example",
            &["include:spf.new.example", "ip4:192.0.2.1"],
            "v=spf1 a include:spf.new.example ip4:192.0.2.1 redirect=_spf.example",
        ),
        ("v=spf1", &["include:spf.new.example", "ip4:192.0.2.1"], "v=spf1 include:spf.new.example ip4:192.0.2.1"),
        // Another network, another name.
        (
            "v=spf1 ip4:192.0.2.10 include:spf.new.example.org ?all",
            &["include:spf.new.example", "ip4:192.0.2.1"],
            "v=spf1 ip4:192.0.2.10 include:spf.new.example.org include:spf.new.example ip4:192.0.2.1 ?all",
        ),
    ] {
        let spf = Spf::parse(&texts(&["google-site-verification=x", record])).unwrap();
        assert_eq!(spf.missing(&wanted), missing, "{record}");
        assert_eq!(spf.with(&wanted).as_deref(), Some(becomes), "{record}");
    }
}

#[test]
fn what_is_no_spf_record_and_what_is_two() {
    for text in ["v=spf10 -all", "spf1 -all", " v=spf1 -all", "v=spf1;-all", ""] {
        assert_eq!(Spf::parse(&texts(&[text])), None, "{text:?}");
    }
    let two = Spf::parse(&texts(&["v=spf1 mx -all", "v=spf1 a -all"])).unwrap();
    assert!(matches!(&two, Spf::Several(all) if all.len() == 2));
    assert_eq!(two.missing(&owned(&["mx"])), ["mx"]);
    assert_eq!(two.with(&owned(&["mx"])), None);
}

#[test]
fn keys_are_read_with_their_kind_and_whether_they_hold() {
    let wanted = WantedKey { selector: "s1".to_owned(), key: Some("MIGf MA0G".to_owned()) };
    let any = WantedKey { key: None, ..wanted.clone() };
    for (text, is, is_any) in [
        ("v=DKIM1; k=rsa; p=MIGfMA0G", true, true),
        ("p=MIGf MA0G", true, true),
        ("v=DKIM1; k=ed25519; t=s:y; p=11qYAYKx", false, true),
        ("v=DKIM1; p=", false, false),
        ("k=rsa; v=DKIM1; p=MIGfMA0G", false, false),
        ("v=DKIM2; p=MIGfMA0G", false, false),
        ("hello", false, false),
    ] {
        let key = DkimKey::parse(&texts(&[text])).unwrap();
        assert_eq!((key.is(&wanted), key.is(&any)), (is, is_any), "{text}");
    }
    assert_eq!(DkimKey::parse(&texts(&["v=DKIM1; p="])), Some(DkimKey::Revoked));
    assert_eq!(DkimKey::parse(&[]), None);
    assert!(matches!(DkimKey::parse(&texts(&["p=A", "p=B"])), Some(DkimKey::NotAKey(_))));
    let odd = DkimKey::parse(&texts(&["p=ääääääääääääääääääää"])).unwrap();
    assert!(odd.to_string().contains("characters"));
}

#[test]
fn dmarc_says_what_is_asked_of_this_domain() {
    let at = "example.test".parse().unwrap();
    let read = |text: &str, above| Dmarc::parse(&texts(&[text]), &at, above);
    let own = read("v=DMARC1; p=Reject; sp=quarantine; aspf=s; pct=50", false).unwrap();
    assert_eq!((own.policy, own.percent), (DmarcPolicy::Reject, 50));
    assert_eq!((own.spf_alignment, own.dkim_alignment), (Alignment::Strict, Alignment::Relaxed));
    assert_eq!(read("v=DMARC1; p=reject; sp=quarantine", true).unwrap().policy, DmarcPolicy::Quarantine);
    assert_eq!(read("v=DMARC1; p=reject", true).unwrap().policy, DmarcPolicy::Reject);
    assert_eq!(read("v=DMARC1; p=nonsense; rua=mailto:x@example.test", false).unwrap().policy, DmarcPolicy::None);
    for text in ["v=DMARC1; p=nonsense", "p=reject; v=DMARC1", "v=DMARC2; p=reject", "reject"] {
        assert_eq!(read(text, false), None, "{text}");
    }
    // Two records are none (§6.6.3).
    assert_eq!(Dmarc::parse(&texts(&["v=DMARC1; p=reject", "v=DMARC1; p=none"]), &at, false), None);
    assert!(!read("v=DMARC1; p=reject; pct=0", false).unwrap().enforces());
}
