//! The options appraisal as a table of cases.

use std::collections::BTreeMap;

use programme::{Appraisal, Programme, appraise};

use crate::heron::heron;

fn nhsmail() -> Programme {
    Programme::shipped("nhsmail", "current").unwrap().unwrap()
}

/// What a small organisation answers that could do it all by itself.
const SIMPLE: [(&str, &str); 9] = [
    ("mailboxes", "900"),
    ("sources", "1"),
    ("environment", "simple"),
    ("coexistence", "little"),
    ("team", "experienced"),
    ("own-management", "yes"),
    ("gap", "nothing"),
    ("vip-subset", "no"),
    ("supplier", "no"),
];

/// Answers, the recommendation, the rules that spoke.
type Case = (&'static [(&'static str, &'static str)], Option<&'static str>, &'static [&'static str]);

/// The appraisal of these answers with some of them exchanged.
fn appraised(programme: &Programme, others: &[(&str, &str)]) -> Appraisal {
    let mut answers: BTreeMap<&str, &str> = SIMPLE.into();
    for (field, answer) in others {
        answers.insert(field, answer);
    }
    appraise(programme, |form, field| if form == "discovery" { answers.get(field).copied() } else { None })
}

#[test]
fn each_rule_yields_its_recommendation_and_is_shown() {
    let nhsmail = nhsmail();
    let cases: [Case; 19] = [
        (&[], Some("self"), &["simple"]),
        (&[("coexistence", "none")], Some("self"), &["simple"]),
        (&[("mailboxes", "2000")], Some("self"), &["simple"]),
        (&[("mailboxes", "2001")], Some("managed"), &["many-mailboxes", "simple"]),
        (&[("mailboxes", "2001"), ("team", "none")], Some("managed"), &["many-mailboxes"]),
        (&[("environment", "complex")], Some("managed"), &["challenging-environment"]),
        (&[("sources", "2")], Some("managed"), &["several-sources"]),
        (&[("coexistence", "full")], Some("managed"), &["coexistence-needed"]),
        (&[("gap", "people")], Some("partial"), &["gap", "simple"]),
        (&[("gap", "capability")], Some("partial"), &["gap", "simple"]),
        (&[("gap", "tools")], Some("partial"), &["gap", "simple"]),
        (&[("gap", "expertise"), ("team", "some")], Some("partial"), &["gap"]),
        (&[("gap", "people"), ("own-management", "no"), ("team", "some")], None, &[]),
        (&[("vip-subset", "yes")], Some("partial"), &["vip-subset", "simple"]),
        (&[("vip-subset", "yes"), ("own-management", "no")], Some("self"), &["simple"]),
        (&[("supplier", "yes")], Some("third-party"), &["supplier-runs", "simple"]),
        (&[("team", "some")], None, &[]),
        (&[("mailboxes", ""), ("team", " ")], None, &[]),
        (
            &[("supplier", "yes"), ("mailboxes", "65000"), ("sources", "3"), ("gap", "tools")],
            Some("third-party"),
            &["supplier-runs", "many-mailboxes", "several-sources", "gap"],
        ),
    ];
    let mut spoken = std::collections::BTreeSet::new();
    for (others, recommends, rules) in cases {
        let appraisal = appraised(&nhsmail, others);
        assert_eq!(appraisal.recommends.as_deref(), recommends, "{others:?}");
        assert_eq!(appraisal.spoke.iter().map(|rule| rule.rule.as_str()).collect::<Vec<_>>(), rules, "{others:?}");
        assert_eq!(appraisal.spoke.len() + appraisal.silent.len(), nhsmail.appraisal.len());
        assert!(appraisal.spoke.iter().all(|rule| !rule.why.is_empty() && !rule.held.is_empty()));
        assert!(appraisal.silent.iter().all(|rule| !rule.lacked.is_empty()));
        spoken.extend(rules.iter().copied());
    }
    assert_eq!(spoken.len(), nhsmail.appraisal.len(), "a case for each rule");
}

#[test]
fn what_held_and_what_did_not_is_said() {
    let appraisal = appraised(&nhsmail(), &[("mailboxes", "2001"), ("team", "")]);
    assert_eq!(appraisal.spoke[0].held, ["discovery.mailboxes is 2001: above 2000"]);
    let silent = |rule: &str| &appraisal.silent.iter().find(|silent| silent.rule == rule).unwrap().lacked;
    assert_eq!(silent("simple"), &["discovery.team is not answered"]);
    assert_eq!(silent("several-sources"), &["discovery.sources is 1, not above 1"]);
    assert_eq!(silent("coexistence-needed"), &["discovery.coexistence is little, not full"]);
    let appraisal = appraised(&nhsmail(), &[("mailboxes", "about 2,500")]);
    let many = appraisal.silent.iter().find(|silent| silent.rule == "many-mailboxes").unwrap();
    assert_eq!(many.lacked, ["discovery.mailboxes is \"about 2,500\", which is no number"]);
}

#[test]
fn the_first_rule_of_the_profile_decides_where_they_contradict() {
    let nhsmail = nhsmail();
    let appraisal = appraised(&nhsmail, &[("mailboxes", "2001")]);
    assert!(appraisal.is_contradictory() && !appraised(&nhsmail, &[]).is_contradictory());
    let mut turned = nhsmail.clone();
    turned.appraisal.reverse();
    assert_eq!(appraised(&turned, &[("mailboxes", "2001")]).recommends.as_deref(), Some("self"));
}

#[test]
fn the_rule_of_size_is_the_constant() {
    let nhsmail = nhsmail();
    let rule = nhsmail.appraisal.iter().find(|rule| rule.id == "many-mailboxes").unwrap();
    assert_eq!(rule.when[0].above, Some(nhsmail.constants["managed-over"].value));
}

#[test]
fn another_profile_has_other_rules() {
    let heron = heron();
    let appraised = |depth: &str, shy: &str, wind: &str| {
        let answers: BTreeMap<&str, &str> = [("depth", depth), ("shy", shy), ("wind", wind)].into();
        appraise(&heron, |_, field| answers.get(field).copied()).recommends
    };
    assert_eq!(appraised("4", "yes", "none").as_deref(), Some("ferry"));
    assert_eq!(appraised("3", "yes", "storm").as_deref(), Some("mixed"));
    assert_eq!(appraised("1", "yes", "none").as_deref(), Some("raft"));
    assert_eq!(appraised("1", "yes", "storm"), None);
}
