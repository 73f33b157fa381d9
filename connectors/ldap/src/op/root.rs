//! The root of a server (rootDSE, RFC 4512 section 5.1): what it holds and offers.

use std::collections::BTreeSet;

use connector::Error;
use ldap3::Scope as Within;
use model::{Cause, Scope};

use crate::wire::connection::{Connection, Search};
use crate::wire::dn::Dn;
use crate::wire::entry::RawEntry;
use crate::wire::result;

const ASKED: [&str; 10] = [
    "namingContexts",
    "defaultNamingContext",
    "configurationNamingContext",
    "schemaNamingContext",
    "dnsHostName",
    "dsServiceName",
    "highestCommittedUSN",
    "currentTime",
    "supportedControl",
    "vendorName",
];

/// Where 389 Directory Server keeps its changes: nobody stands there, though it may name that as its default.
const CHANGELOG: &str = "cn=changelog";

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Root {
    entry: RawEntry,
    controls: BTreeSet<String>,
    /// Its contexts that hold people, longest names first.
    pub(crate) contexts: Vec<(String, Dn)>,
}

impl Root {
    /// Asks the server.
    pub(crate) async fn read(connection: &mut Connection) -> Result<Self, Error> {
        let attributes = ASKED.map(str::to_owned);
        let search = Search { base: "", within: Within::Base, filter: "(objectClass=*)", attributes: &attributes };
        let (entries, answer) = connection.entries(search, Vec::new()).await?;
        if answer.rc != 0 {
            return Err(result::refusal("cannot read what the server offers (its rootDSE)", &answer));
        }
        let entry = entries.into_iter().next().unwrap_or_default();
        let controls = entry.texts("supportedControl").map(str::to_owned).collect();
        let apart = ["configurationNamingContext", "schemaNamingContext"];
        let is_apart = |name: &str| {
            name.eq_ignore_ascii_case(CHANGELOG) || apart.iter().any(|attribute| entry.has(attribute, name))
        };
        let names = entry.texts("namingContexts").filter(|name| !is_apart(name));
        let mut contexts: Vec<(String, Dn)> =
            names.filter_map(|name| Some((name.to_owned(), Dn::parse(name)?))).collect();
        contexts.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Ok(Self { entry, controls, contexts })
    }

    /// Does it know this control?
    pub(crate) fn has_control(&self, oid: &str) -> bool {
        self.controls.contains(oid)
    }

    /// What it says for one of its attributes.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.entry.text(name)
    }

    /// The context that is read when the settings name none.
    pub(crate) fn own_context(&self) -> Result<String, Error> {
        if let Some(name) = self.text("defaultNamingContext").filter(|name| !name.eq_ignore_ascii_case(CHANGELOG)) {
            return Ok(name.to_owned());
        }
        match &self.contexts[..] {
            [(name, _)] => Ok(name.clone()),
            contexts => {
                let names: Vec<&str> = contexts.iter().map(|(name, _)| name.as_str()).collect();
                let what = format!(
                    "the server holds {} contexts ({}): name the one to read as bases",
                    names.len(),
                    names.join("; ")
                );
                Err(Error::new(Cause::Missing, Scope::Run, what))
            }
        }
    }

    /// The context in which this name stands, if it is one of the server's.
    pub(crate) fn context_of(&self, dn: &Dn) -> Option<&str> {
        self.contexts.iter().find(|(_, context)| dn.is_within(context)).map(|(name, _)| name.as_str())
    }
}
