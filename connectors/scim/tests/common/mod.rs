//! A platform on an independent server, changed by other means than ours; and one that does as it is told, however odd.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "a test, helpers included")]

pub(crate) mod odd;

use std::sync::Arc;

use async_trait::async_trait;
use conformance::directory_suite::DirectoryWorld;
use conformance::servers::Scim;
use connector::{Directory, Secret};
use model::{AddressKind, Entry, EntryKind, Reference};
use scim::ScimDirectory;
use scim::config::{Config, Tls};
use serde_json::{Value, json};

/// The settings for a server without TLS.
pub(crate) fn config(url: &str) -> Config {
    let mut config = Config::new(url);
    config.tls = Tls::None;
    config.token = Some(Secret::new(Scim::TOKEN));
    config
}

/// By what the scope is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeBy {
    /// By an organisation, on a platform with our extension.
    Organisation,
    /// By filters, on one without.
    Filter,
}

/// A platform on a real server.
pub(crate) struct World {
    pub(crate) server: Scim,
    pub(crate) config: Config,
    by: ScopeBy,
}

impl World {
    pub(crate) fn of(by: ScopeBy) -> Option<Self> {
        let server = match by {
            ScopeBy::Organisation => Scim::builder().extension().start()?,
            ScopeBy::Filter => Scim::start()?,
        };
        let mut config = config(&server.url());
        match by {
            ScopeBy::Organisation => config.scope_organisation = Some("RX1".to_owned()),
            ScopeBy::Filter => config.filter = Some("not (userType eq \"elsewhere\")".to_owned()),
        }
        Some(Self { server, config, by })
    }

    pub(crate) fn reader(&self) -> ScimDirectory {
        ScimDirectory::new(self.config.clone())
    }

    fn path(&self, key: &str) -> String {
        let users = self.server.request("GET", &format!("Users?filter=id%20eq%20%22{key}%22"), None);
        let kind = if users["totalResults"] == 1 { "Users" } else { "Groups" };
        format!("{kind}/{key}")
    }

    fn resource(&self, entry: &Entry) -> Value {
        let display = entry.names.display.clone();
        let has_extension = self.by == ScopeBy::Organisation;
        if entry.kind == EntryKind::List {
            let members: Vec<Value> = entry
                .members
                .iter()
                .map(|member| match member {
                    Reference::Key(key) => json!({ "value": key, "type": "User" }),
                    other => panic!("{other:?}"),
                })
                .collect();
            let core = "urn:ietf:params:scim:schemas:core:2.0:Group";
            let mut group = json!({ "schemas": [core], "displayName": display, "members": members });
            if has_extension {
                group[scim::EXTENSION] = json!({ "organisation": "RX1" });
            }
            return group;
        }
        let addresses = entry.addresses.iter().filter(|address| address.kind == AddressKind::Smtp);
        let emails: Vec<Value> = addresses
            .map(|address| json!({ "value": address.text, "type": "work", "primary": address.is_primary }))
            .collect();
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let mut user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
            "userName": entry.account, "displayName": display, "emails": emails, "active": true,
            "name": { "givenName": entry.names.given, "familyName": entry.names.surname },
            "phoneNumbers": [{ "type": "work", "value": entry.telephone }],
            enterprise: { "department": entry.department },
        });
        if has_extension {
            user[enterprise]["organization"] = "RX1".into();
        }
        user
    }

    fn scoped(&self, key: &str, is_in: bool) {
        let path = self.path(key);
        match self.by {
            ScopeBy::Filter => {
                self.server.set(&path, "userType", &json!(if is_in { "Employee" } else { "elsewhere" }));
            }
            ScopeBy::Organisation => {
                self.server.set(&path, &Scim::enterprise("organization"), &json!(if is_in { "RX1" } else { "ZZ9" }));
            }
        }
    }
}

#[async_trait]
impl DirectoryWorld for World {
    fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.reader())
    }

    async fn add(&self, entry: &Entry) -> String {
        let kind = if entry.kind == EntryKind::List { "Groups" } else { "Users" };
        let made = self.server.request("POST", kind, Some(&self.resource(entry)));
        made["id"].as_str().unwrap().to_owned()
    }

    async fn add_many(&self, entries: &[Entry]) -> Vec<String> {
        let mut keys = Vec::new();
        for portion in entries.chunks(500) {
            let operations: Vec<Value> = portion
                .iter()
                .enumerate()
                .map(|(at, entry)| {
                    let data = self.resource(entry);
                    json!({ "method": "POST", "path": "/Users", "bulkId": at.to_string(), "data": data })
                })
                .collect();
            let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
            let bulk = json!({ "schemas": [schema], "Operations": operations });
            let made = self.server.request("POST", "Bulk", Some(&bulk));
            let location = |made: &Value| made["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            keys.extend(made["Operations"].as_array().unwrap().iter().map(location));
        }
        keys
    }

    async fn change(&self, key: &str, department: &str) {
        self.server.set(&self.path(key), &Scim::enterprise("department"), &json!(department));
    }

    async fn rename(&self, key: &str, display: &str) {
        self.server.set(&self.path(key), "displayName", &json!(display));
    }

    async fn remove(&self, key: &str) {
        self.server.request("DELETE", &self.path(key), None);
    }

    async fn take_out_of_scope(&self, key: &str) -> bool {
        self.scoped(key, false);
        true
    }

    async fn bring_into_scope(&self, key: &str) {
        self.scoped(key, true);
    }
}
