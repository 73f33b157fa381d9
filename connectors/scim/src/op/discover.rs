//! What a server says of itself (RFC 7643 sections 5 to 7), looked at once.
//!
//! Where it says nothing, it has what the RFC gives everybody, and nothing of ours.

use std::collections::{BTreeMap, HashSet};

use connector::Error;
use serde_json::Value;

use crate::map::fields::{Holder, Type};
use crate::wire::answer::{self, get, text};
use crate::wire::client::Client;

/// What a server is and can do.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// It has PATCH.
    pub(crate) patches: bool,
    /// It takes filters.
    pub(crate) filters: bool,
    /// The most that it gives at once, if it says so.
    pub(crate) results_max: Option<usize>,
    users: Option<Resources>,
    groups: Option<Resources>,
}

/// A type of resource there.
#[derive(Clone, Debug)]
struct Resources {
    /// Where they are, without the stroke before it.
    endpoint: String,
    /// The attributes that can be read and written, by schema, as far as the server says so.
    schemas: Option<BTreeMap<String, HashSet<String>>>,
    /// It said which extensions it has.
    extensions: Option<HashSet<String>>,
}

impl Server {
    /// Asks the server.
    pub(crate) async fn ask(client: &Client) -> Result<Self, Error> {
        let config = one(client, "ServiceProviderConfig").await?.unwrap_or_default();
        let supports = |what: &str| get(&config, what).and_then(|what| get(what, "supported")).and_then(Value::as_bool);
        let results_max = get(&config, "filter").and_then(|filter| get(filter, "maxResults")).and_then(Value::as_u64);
        let types = all(client, "ResourceTypes").await?;
        let schemas = all(client, "Schemas").await?;
        let schemas: Option<BTreeMap<String, HashSet<String>>> = schemas.map(|schemas| {
            schemas.iter().filter_map(|schema| Some((text(schema, "id")?.to_lowercase(), attributes(schema)))).collect()
        });
        let of = |of: Type| resources(of, types.as_deref(), schemas.as_ref());
        Ok(Self {
            patches: supports("patch").unwrap_or(true),
            filters: supports("filter").unwrap_or(true),
            results_max: results_max.filter(|max| *max > 0).map(|max| max as usize),
            users: of(Type::User),
            groups: of(Type::Group),
        })
    }

    fn resources(&self, of: Type) -> Option<&Resources> {
        match of {
            Type::User => self.users.as_ref(),
            Type::Group => self.groups.as_ref(),
        }
    }

    /// Where resources of a type are; none where the server has none of it.
    pub(crate) fn endpoint(&self, of: Type) -> Option<&str> {
        Some(&self.resources(of)?.endpoint)
    }

    /// Can this be written there? Else why not.
    pub(crate) fn can(&self, of: Type, holder: &Holder) -> Result<(), String> {
        let (urn, name, is_ours) = match holder {
            Holder::Phone(_) => (None, "phonenumbers".to_owned(), false),
            Holder::Attribute { path, is_ours } => {
                let sub = path.sub.iter().map(|sub| format!(".{sub}")).collect::<String>();
                (path.urn.as_deref(), format!("{}{sub}", path.name).to_lowercase(), *is_ours)
            }
        };
        let missing = || {
            let path = match holder {
                Holder::Phone(_) => "phoneNumbers".to_owned(),
                Holder::Attribute { path, .. } => path.to_string(),
            };
            format!("the platform says that its {} has no attribute {path} to read and write", of.name())
        };
        let resources = self.resources(of).ok_or_else(missing)?;
        let schema = urn.unwrap_or(of.schema()).to_lowercase();
        let has_extension = match (urn, &resources.extensions) {
            (Some(_), Some(extensions)) => extensions.contains(&schema),
            // Nobody says so: then only what the settings name, or the RFC, is counted upon.
            (Some(_), None) => !is_ours,
            (None, _) => true,
        };
        let has_attribute = match &resources.schemas {
            Some(schemas) => schemas.get(&schema).is_some_and(|attributes| attributes.contains(&name)),
            None => !is_ours,
        };
        if has_extension && has_attribute { Ok(()) } else { Err(missing()) }
    }
}

fn resources(
    of: Type,
    types: Option<&[Value]>,
    schemas: Option<&BTreeMap<String, HashSet<String>>>,
) -> Option<Resources> {
    let usual = || Resources { endpoint: format!("{}s", of.name()), schemas: schemas.cloned(), extensions: None };
    let Some(types) = types else { return Some(usual()) };
    let is_it = |own: &&Value| text(own, "schema").is_some_and(|schema| schema.eq_ignore_ascii_case(of.schema()));
    let own = types.iter().find(is_it)?;
    let endpoint = text(own, "endpoint").and_then(|endpoint| endpoint.rsplit('/').find(|part| !part.is_empty()));
    let names = get(own, "schemaExtensions").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(|extension| text(extension, "schema"));
    let extensions = Some(names.map(str::to_lowercase).collect());
    let usual = usual();
    Some(Resources { endpoint: endpoint.map_or(usual.endpoint, str::to_owned), extensions, ..usual })
}

/// The attributes of a schema that can be read and written, in lower case, with those within them.
fn attributes(schema: &Value) -> HashSet<String> {
    let mut all = HashSet::new();
    let mut add = |attribute: &Value, before: &str| {
        let is_usable = !matches!(text(attribute, "mutability"), Some("readOnly" | "writeOnly"))
            && !matches!(text(attribute, "returned"), Some("never" | "request"));
        let name = text(attribute, "name").filter(|_| is_usable)?.to_lowercase();
        let name = format!("{before}{name}");
        all.insert(name.clone());
        Some(name)
    };
    for attribute in get(schema, "attributes").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = add(attribute, "") else { continue };
        for sub in get(attribute, "subAttributes").and_then(Value::as_array).into_iter().flatten() {
            add(sub, &format!("{name}."));
        }
    }
    all
}

/// The resource at this place, where there is one that may be seen.
async fn one(client: &Client, path: &str) -> Result<Option<Value>, Error> {
    let answer = client.get(path).await?;
    match answer.status {
        200 => {
            let value: Option<Value> = serde_json::from_slice(&answer.content).ok();
            // One that can't be read says nothing, as one that is not there.
            Ok(value.filter(Value::is_object))
        }
        403..=405 | 501 => Ok(None),
        _ => {
            let what = format!("cannot read {path} on {}", client.address());
            Err(answer::refusal(what, &answer, &client.secrets()))
        }
    }
}

/// The resources of a list: in a list's form, or bare as some servers give them.
async fn all(client: &Client, path: &str) -> Result<Option<Vec<Value>>, Error> {
    let answer = client.get(path).await?;
    if matches!(answer.status, 403..=405 | 501) {
        return Ok(None);
    }
    if answer.status != 200 {
        let what = format!("cannot read {path} on {}", client.address());
        return Err(answer::refusal(what, &answer, &client.secrets()));
    }
    let value: Value = serde_json::from_slice(&answer.content).unwrap_or_default();
    let list = if value.is_array() { Some(&value) } else { get(&value, "Resources") };
    Ok(list.and_then(Value::as_array).filter(|list| !list.is_empty()).cloned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::map::fields::{EXTENSION, Field, Map};

    fn server(types: Option<&[Value]>, schemas: Option<&BTreeMap<String, HashSet<String>>>) -> Server {
        let of = |of| resources(of, types, schemas);
        Server { patches: true, filters: true, results_max: None, users: of(Type::User), groups: of(Type::Group) }
    }

    #[test]
    fn nothing_of_ours_is_counted_upon_where_nobody_says_so() {
        let map = Map::of(&Config::new("https://x"));
        let silent = server(None, None);
        let can = |server: &Server, field| server.can(Type::User, map.holder(Type::User, field).unwrap());
        assert!(can(&silent, Field::Addresses).unwrap_err().contains(EXTENSION));
        assert_eq!(can(&silent, Field::Department), Ok(()));
        assert_eq!(can(&silent, Field::Mobile), Ok(()));
        assert_eq!(silent.endpoint(Type::Group), Some("Groups"));
    }

    #[test]
    fn what_can_only_be_read_or_is_never_shown_holds_nothing() {
        let attribute = |name: &str, mutability: &str, returned: &str| json!({ "name": name, "mutability": mutability, "returned": returned });
        let schema = json!({ "attributes": [
            attribute("title", "readWrite", "default"), attribute("department", "readOnly", "default"),
            attribute("password", "writeOnly", "never"),
            { "name": "name", "subAttributes": [{ "name": "givenName" }, { "name": "familyName", "mutability": "readOnly" }] },
        ]});
        let mut all: Vec<String> = attributes(&schema).into_iter().collect();
        all.sort();
        assert_eq!(all, ["name", "name.givenname", "title"]);
    }
}
