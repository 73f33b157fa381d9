//! The operations of PATCH (RFC 7644 section 3.5.2) that lead from one form of a resource to another: what differs, and
//! nothing else.

use serde_json::{Value, json};

use crate::wire::answer::{get, text};
use crate::wire::url::quoted;

/// What the server keeps by itself, and what follows from the rest.
const NOT_OURS: [&str; 3] = ["schemas", "id", "meta"];

/// The operations that make the one out of the other; removals first.
pub(crate) fn operations(old: &Value, new: &Value) -> Vec<Value> {
    let mut operations = Vec::new();
    for name in names(old, new) {
        if NOT_OURS.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            continue;
        }
        let (from, to) = (get(old, &name), get(new, &name));
        let is_inside = [from, to].into_iter().flatten().all(Value::is_object);
        if !is_inside {
            differ(&name, from, to, &mut operations);
            continue;
        }
        let none = Value::Null;
        let (from, to) = (from.unwrap_or(&none), to.unwrap_or(&none));
        let between = if name.to_ascii_lowercase().starts_with("urn:") { ':' } else { '.' };
        for inner in names(from, to) {
            differ(&format!("{name}{between}{inner}"), get(from, &inner), get(to, &inner), &mut operations);
        }
    }
    operations.sort_by_key(|operation| operation["op"] != "remove");
    operations
}

fn names(old: &Value, new: &Value) -> Vec<String> {
    let all = [old, new].into_iter().filter_map(Value::as_object).flat_map(|object| object.keys().cloned());
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if !names.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    names
}

fn differ(path: &str, old: Option<&Value>, new: Option<&Value>, operations: &mut Vec<Value>) {
    match (old, new) {
        (old, new) if old == new => {}
        (_, None) => operations.push(json!({ "op": "remove", "path": path })),
        (None, Some(new)) => operations.push(json!({ "op": "add", "path": path, "value": new })),
        (Some(Value::Array(old)), Some(Value::Array(new))) => match elements(path, old, new) {
            Some(few) => operations.extend(few),
            None => operations.push(json!({ "op": "replace", "path": path, "value": new })),
        },
        (Some(_), Some(new)) => operations.push(json!({ "op": "replace", "path": path, "value": new })),
    }
}

/// The elements that come and go, each named by its value, so that the others are not touched. None where values do not tell
/// them apart, or one of them changes in itself.
fn elements(path: &str, old: &[Value], new: &[Value]) -> Option<Vec<Value>> {
    let value = |element: &Value| text(element, "value").map(str::to_owned);
    let mut known = std::collections::HashSet::new();
    for element in old {
        if !known.insert(value(element)?) {
            return None;
        }
    }
    let kept: std::collections::HashMap<String, &Value> =
        new.iter().map(|element| Some((value(element)?, element))).collect::<Option<_>>()?;
    let is_changed =
        |element: &&Value| value(element).and_then(|own| kept.get(&own)).is_some_and(|kept| kept != element);
    if old.iter().any(|element| is_changed(&element)) {
        return None;
    }
    let gone = old.iter().filter_map(value).filter(|own| !kept.contains_key(own));
    let mut operations: Vec<Value> =
        gone.map(|own| json!({ "op": "remove", "path": format!("{path}[value eq {}]", quoted(&own)) })).collect();
    let come: Vec<&Value> =
        new.iter().filter(|element| value(element).is_some_and(|own| !known.contains(&own))).collect();
    if !come.is_empty() {
        operations.push(json!({ "op": "add", "path": path, "value": come }));
    }
    Some(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_said() {
        let old = json!({
            "schemas": ["a"], "id": "1", "meta": { "version": "W/1" }, "title": "Nurse", "userType": "x",
            "name": { "givenName": "Ann", "familyName": "Lee" },
            "members": [{ "value": "1" }, { "value": "2\"]" }],
            "urn:x:2.0:User": { "a": 1, "b": ["p"] },
        });
        let new = json!({
            "schemas": ["a", "b"], "title": "Sister",
            "name": { "givenName": "Ann", "familyName": "Lea" },
            "members": [{ "value": "1" }, { "value": "3" }],
            "urn:x:2.0:User": { "a": 1, "b": ["p", "q"] }, "active": false,
        });
        let mut said = operations(&old, &new);
        said.sort_by_key(|operation| operation["path"].to_string());
        assert_eq!(
            Value::from(said),
            json!([
                { "op": "add", "path": "active", "value": false },
                { "op": "add", "path": "members", "value": [{ "value": "3" }] },
                { "op": "remove", "path": "members[value eq \"2\\\"]\"]" },
                { "op": "replace", "path": "name.familyName", "value": "Lea" },
                { "op": "replace", "path": "title", "value": "Sister" },
                { "op": "replace", "path": "urn:x:2.0:User:b", "value": ["p", "q"] },
                { "op": "remove", "path": "userType" },
            ])
        );
        assert_eq!(operations(&old, &old), Vec::<Value>::new());
    }

    #[test]
    fn an_element_that_changes_in_itself_replaces_all() {
        let old = json!({ "emails": [{ "value": "a", "primary": true }, { "value": "b" }] });
        let new = json!({ "emails": [{ "value": "a" }, { "value": "b", "primary": true }] });
        assert_eq!(operations(&old, &new), [json!({ "op": "replace", "path": "emails", "value": new["emails"] })]);
    }
}
