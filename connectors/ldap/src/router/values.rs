//! The values of the attributes that send mail on: as they are, as they would be without ours, as they are with it, and the one modification
//! that leads from one to the other. Pure.

use std::collections::BTreeMap;

use super::attributes::{Attributes, Field, Keyed, Sort};
use super::marker::{Marker, Value};
use crate::wire::connection::Part;

/// Values by the name of their attribute, in small letters; each once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values(BTreeMap<String, Vec<Value>>);

impl Values {
    /// The values of an attribute.
    pub(crate) fn of(&self, name: &str) -> &[Value] {
        self.0.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// An attribute has these values and no others.
    pub(crate) fn set(&mut self, name: &str, mut values: Vec<Value>) {
        values.sort();
        values.dedup();
        let name = name.to_ascii_lowercase();
        if values.is_empty() { drop(self.0.remove(&name)) } else { drop(self.0.insert(name, values)) }
    }

    /// Values with their attributes.
    fn from_list(list: &[(String, Value)]) -> Self {
        let mut values = Self::default();
        for (name, value) in list {
            let mut of_name = values.of(name).to_vec();
            of_name.push(value.clone());
            values.set(name, of_name);
        }
        values
    }
}

/// Have the two the same values here, in whatever way they are written?
fn are_same(field: &Field, a: &[Value], b: &[Value]) -> bool {
    let all = |a: &[Value], b: &[Value]| a.iter().all(|a| b.iter().any(|b| field.is_same(a, b)));
    all(a, b) && all(b, a)
}

/// The attribute by which ours leads, and its value.
pub(crate) fn lead<'a>(attributes: &'a Attributes, marker: &'a Marker) -> Option<(&'a Field, &'a Value)> {
    let mut set = marker.set.iter().filter_map(|(name, value)| Some((attributes.field(name)?, value)));
    set.find(|(field, _)| field.sort != Sort::Word)
}

/// Does the attribute by which ours leads still have our value?
pub(crate) fn leads(attributes: &Attributes, now: &Values, marker: &Marker) -> bool {
    let lead = lead(attributes, marker);
    lead.is_some_and(|(field, ours)| now.of(&field.name).iter().any(|value| field.is_same(value, ours)))
}

/// What would be there without ours: what was there before, and what somebody has made of it since.
///
/// Attributes that say one thing together come back together. Where our value is gone, somebody has put theirs in its place, and that
/// stays. What was added beside ours stays, too.
pub(crate) fn without(attributes: &Attributes, now: &Values, marker: &Marker) -> Values {
    let (set, was) = (Values::from_list(&marker.set), Values::from_list(&marker.was));
    let mut then = now.clone();
    let lead = lead(attributes, marker);
    let is_untouched = |field: &Field| are_same(field, now.of(&field.name), set.of(&field.name));
    for group in attributes.groups() {
        match lead.filter(|(lead, _)| group.contains(lead)) {
            Some((lead, ours)) => {
                let (mine, theirs): (Vec<Value>, Vec<Value>) =
                    now.of(&lead.name).iter().cloned().partition(|value| lead.is_same(value, ours));
                if !mine.is_empty() {
                    then.set(&lead.name, [&theirs, was.of(&lead.name)].concat());
                }
                let is_another = mine.is_empty() && !theirs.is_empty();
                for field in group.iter().filter(|field| **field != lead && is_untouched(field) && !is_another) {
                    // An address that took the place of ours goes with the words as they are.
                    if !mine.is_empty() || field.sort == Sort::Word {
                        then.set(&field.name, was.of(&field.name).to_vec());
                    }
                }
            }
            None if group.iter().all(|field| is_untouched(field)) => {
                for field in &group {
                    then.set(&field.name, was.of(&field.name).to_vec());
                }
            }
            None => {}
        }
    }
    then
}

/// What is there with ours alone, over what would be there without it, and what that leaves on the entry.
pub(crate) fn with(attributes: &Attributes, set: Vec<(String, Value)>, without: &Values) -> (Values, Marker) {
    let mut marker = Marker { set, ..Marker::default() };
    for field in attributes.fields() {
        marker.was.extend(without.of(&field.name).iter().map(|value| (field.name.clone(), value.clone())));
    }
    (Values::from_list(&marker.set), marker)
}

/// The modification that leads from one to the other: it names every value that goes, so that a server refuses all of it where one is not
/// there any more.
pub(crate) fn difference(attributes: &Attributes, from: &Values, to: &Values) -> Vec<Part> {
    let mut parts = Vec::new();
    for field in attributes.fields() {
        let (old, new) = (from.of(&field.name), to.of(&field.name));
        let stays = |a: &Value, others: &[Value]| match field.sort {
            Sort::Entry => others.iter().any(|b| field.is_same(a, b)),
            _ => others.contains(a),
        };
        let sent = |values: &[Value], others: &[Value]| -> Vec<Value> {
            values.iter().filter(|value| !stays(value, others)).map(|value| sent_as(field, value)).collect()
        };
        let (gone, come) = (sent(old, new), sent(new, old));
        parts.extend((!gone.is_empty()).then(|| Part::Delete(field.name.clone(), gone)));
        parts.extend((!come.is_empty()).then(|| Part::Add(field.name.clone(), come)));
    }
    parts
}

fn sent_as(field: &Field, value: &Value) -> Value {
    match str::from_utf8(value) {
        Ok(text) if field.sort == Sort::Entry => Keyed::of(text).dn.as_bytes().to_vec(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::config::CopyAttribute;
    use super::*;

    fn field(name: &str, sort: Sort) -> Field {
        Field { name: name.to_owned(), sort }
    }

    fn exchange() -> Attributes {
        Attributes::Exchange {
            target: field("targetAddress", Sort::Address),
            alternate: Some(field("altRecipient", Sort::Entry)),
            address: Some(field("generic", Sort::Address)),
            keeps: Some(field("deliverAndRedirect", Sort::Word)),
        }
    }

    fn forwarding(copy: bool) -> Attributes {
        let attribute = CopyAttribute {
            attribute: "option".into(),
            kept_with: Some("mailbox".into()),
            not_kept_with: None,
            forwards_with: Some("forward".into()),
        };
        Attributes::Forwarding {
            address: field("address", Sort::Address),
            copy: copy.then(|| (field("option", Sort::Word), attribute)),
        }
    }

    fn values(list: &[(&str, &str)]) -> Values {
        let list: Vec<(String, Value)> =
            list.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        Values::from_list(&list)
    }

    /// Ours to `new@x` over these values, by a contact or without one.
    fn on(attributes: &Attributes, contact: bool, before: &Values) -> (Values, Marker) {
        let set = attributes.set("new@x", contact.then(|| b"<GUID=9>;cn=new".to_vec()));
        let (now, mut marker) = with(attributes, set, before);
        marker.to = "new@x".into();
        (now, Marker::read(marker.text().as_bytes()).unwrap().0)
    }

    #[test]
    fn what_somebody_has_changed_since_stays() {
        type Case<'c> =
            ((Attributes, bool), &'c [(&'c str, &'c str)], &'c [(&'c str, &'c str)], &'c [(&'c str, &'c str)]);
        let target = || (exchange(), false);
        let alternate = || (exchange(), true);
        let forwarding = |copy| (forwarding(copy), false);
        let cases: &[Case<'_>] = &[
            // What was there, what is there now, what is there without ours.
            (
                target(),
                &[("targetAddress", "SMTP:a@x")],
                &[("targetAddress", "smtp:NEW@x")],
                &[("targetAddress", "SMTP:a@x")],
            ),
            (
                target(),
                &[("targetAddress", "SMTP:a@x")],
                &[("targetAddress", "SMTP:b@x")],
                &[("targetAddress", "SMTP:b@x")],
            ),
            (target(), &[("targetAddress", "SMTP:a@x")], &[], &[]),
            (
                target(),
                &[("altRecipient", "cn=a"), ("deliverAndRedirect", "TRUE")],
                &[("targetAddress", "SMTP:new@x")],
                &[("altRecipient", "cn=a"), ("deliverAndRedirect", "TRUE")],
            ),
            // Another recipient, as somebody has set it: their words are not mixed with those from before.
            (
                target(),
                &[("altRecipient", "cn=a"), ("deliverAndRedirect", "TRUE")],
                &[("targetAddress", "SMTP:new@x"), ("altRecipient", "cn=b")],
                &[("altRecipient", "cn=b")],
            ),
            // Our recipient goes under whatever name, the word that somebody has changed stays.
            (
                alternate(),
                &[("targetAddress", "SMTP:a@x")],
                &[("altRecipient", "<GUID=9>;cn=renamed"), ("deliverAndRedirect", "TRUE")],
                &[("targetAddress", "SMTP:a@x"), ("deliverAndRedirect", "TRUE")],
            ),
            (
                forwarding(false),
                &[("address", "a@x")],
                &[("address", "new@x"), ("address", "b@x")],
                &[("address", "a@x"), ("address", "b@x")],
            ),
            (
                forwarding(false),
                &[("address", "new@x"), ("address", "a@x")],
                &[("address", "new@x")],
                &[("address", "new@x"), ("address", "a@x")],
            ),
            (
                forwarding(true),
                &[("option", "mailbox")],
                &[("address", "new@x"), ("option", "forward")],
                &[("option", "mailbox")],
            ),
            // Their address in place of ours goes on being sent to; without any the words from before come back.
            (
                forwarding(true),
                &[("option", "mailbox")],
                &[("address", "b@x"), ("option", "forward")],
                &[("address", "b@x"), ("option", "forward")],
            ),
            (forwarding(true), &[("option", "mailbox")], &[("option", "forward")], &[("option", "mailbox")]),
            (
                forwarding(true),
                &[("option", "mailbox")],
                &[("address", "new@x"), ("option", "hold")],
                &[("option", "hold")],
            ),
        ];
        for ((attributes, contact), before, now, expected) in cases {
            let (_, marker) = on(attributes, *contact, &values(before));
            assert_eq!(without(attributes, &values(now), &marker), values(expected), "{before:?} {now:?}");
        }
    }

    #[test]
    fn values_that_go_are_named() {
        let attributes = exchange();
        let before = values(&[("targetAddress", "SMTP:a@x"), ("altRecipient", "<GUID=1>;cn=a")]);
        let (now, _) = on(&attributes, false, &before);
        let value = |text: &str| vec![text.as_bytes().to_vec()];
        assert_eq!(
            difference(&attributes, &before, &now),
            [
                Part::Delete("targetAddress".into(), value("SMTP:a@x")),
                Part::Add("targetAddress".into(), value("SMTP:new@x")),
                Part::Delete("altRecipient".into(), value("cn=a")),
            ]
        );
        let renamed = values(&[("altRecipient", "<GUID=1>;cn=b")]);
        assert_eq!(difference(&attributes, &values(&[("altRecipient", "<GUID=1>;cn=a")]), &renamed), []);
    }

    #[test]
    fn ours_is_in_force_only_alone() {
        let own = vec!["ann@site".to_owned()];
        for (attributes, contact, beside) in [
            (exchange(), false, vec![("altRecipient", "cn=b"), ("generic", "b@x"), ("deliverAndRedirect", "TRUE")]),
            (exchange(), true, vec![("targetAddress", "SMTP:b@x"), ("altRecipient", "cn=b")]),
            (forwarding(false), false, vec![("address", "b@x"), ("address", "ann@site")]),
            (forwarding(true), false, vec![("address", "b@x"), ("option", "mailbox")]),
        ] {
            let (now, marker) = on(&attributes, contact, &Values::default());
            let (lead, _) = lead(&attributes, &marker).unwrap();
            assert_eq!(attributes.obstacle(&now, lead, &own), None);
            for (name, value) in beside {
                let mut other = now.clone();
                other.set(name, [other.of(name), &[value.as_bytes().to_vec()]].concat());
                assert!(leads(&attributes, &other, &marker));
                assert!(attributes.obstacle(&other, lead, &own).is_some(), "{name} {value}");
            }
        }
        let (mut now, marker) = on(&forwarding(true), false, &Values::default());
        now.set("option", Vec::new());
        let attributes = forwarding(true);
        assert!(attributes.obstacle(&now, lead(&attributes, &marker).unwrap().0, &own).unwrap().contains("sent on"));
    }

    fn any_values(names: &'static [&'static str]) -> impl Strategy<Value = Values> {
        let one = (proptest::sample::select(names), proptest::collection::vec(any::<u8>(), 0..6));
        proptest::collection::vec(one, 0..6).prop_map(|list| {
            let list: Vec<(String, Value)> = list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            Values::from_list(&list)
        })
    }

    proptest! {
        #[test]
        fn whatever_was_there_comes_back(
            before in any_values(&["targetAddress", "altRecipient", "generic", "deliverAndRedirect"]),
            other in any_values(&["address", "option"]),
            contact in any::<bool>(),
            copy in any::<bool>(),
        ) {
            let other = if copy { other } else {
                let mut only = Values::default();
                only.set("address", other.of("address").to_vec());
                only
            };
            for (attributes, before) in [(exchange(), before), (forwarding(copy), other)] {
                let (now, marker) = on(&attributes, contact, &before);
                prop_assert_eq!(&without(&attributes, &now, &marker), &before);
                // Put on once more it is the same, and leads to the same.
                prop_assert_eq!(on(&attributes, contact, &without(&attributes, &now, &marker)).0, now);
            }
        }
    }
}
