//! What a server's schema says of the attributes that are needed: are they there, how are they called, may they have several values, and
//! which classes of entries may have them.

use std::collections::{BTreeMap, BTreeSet};

use connector::{Error, Retry};
use ldap3::Scope as Within;
use model::{Cause, Scope};

use super::attributes::{Attributes, Field, Sort};
use super::config::{RouterConfig, Scheme, Way};
use crate::config::Kind;
use crate::op::root::Root;
use crate::wire::connection::{Connection, Search};
use crate::wire::{filter, result};

/// An attribute of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its first name, by which the server calls it.
    pub(crate) name: String,
    /// It has one value only.
    pub(crate) single: bool,
    /// Values of it can be told apart, so that one can be named that goes.
    compares: bool,
}

/// A class of the schema: the classes that it is made from, and the attributes that it may or must have, in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Class {
    above: Vec<String>,
    attributes: BTreeSet<String>,
}

/// A schema, as far as it is needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    attributes: BTreeMap<String, Known>,
    classes: BTreeMap<String, Class>,
}

/// The attributes of the settings, as the server has them.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) attributes: Attributes,
    pub(crate) marker: Known,
    pub(crate) addresses: Vec<String>,
    pub(crate) accounts: Vec<String>,
    /// What a contact of ours gets where the schema has it.
    pub(crate) nickname: Option<String>,
    pub(crate) hidden: Option<String>,
    schema: Schema,
}

impl Resolved {
    /// Asks the server. Fails where it lacks an attribute that is needed, with its name.
    pub(crate) async fn read(connection: &mut Connection, root: &Root, config: &RouterConfig) -> Result<Self, Error> {
        let exchange = &config.exchange;
        let extra = ["mailNickname", "msExchHideFromAddressLists"].map(str::to_owned);
        let schema = match config.kind {
            Kind::ActiveDirectory => {
                let mut names = vec![config.marker().to_owned()];
                names.extend(config.addresses());
                names.extend(config.accounts());
                names.extend(extra.clone());
                names.extend([&exchange.target_address, &exchange.alternate_recipient].map(String::clone));
                names.extend([&exchange.forwarding_address, &exchange.deliver_and_redirect].map(String::clone));
                names.push(config.forwarding.address.clone());
                names.extend(config.forwarding.copy.as_ref().map(|copy| copy.attribute.clone()));
                of_active_directory(connection, root, &names).await?
            }
            Kind::Ldap => of_ldap(connection, root).await?,
        };
        let host = config.connection().address();
        let needed = |name: &str| schema.needed(name, &host);
        let field = |name: &str, sort| needed(name).map(|known| Field { name: known.name.clone(), sort });
        let perhaps = |name: &str, sort, is_needed: bool| {
            if is_needed || schema.known(name).is_some() { field(name, sort).map(Some) } else { Ok(None) }
        };
        let attributes = match config.scheme() {
            Scheme::Exchange => {
                let is_alternate = exchange.way == Way::AlternateRecipient;
                Attributes::Exchange {
                    target: field(&exchange.target_address, Sort::Address)?,
                    alternate: perhaps(&exchange.alternate_recipient, Sort::Entry, is_alternate)?,
                    address: perhaps(&exchange.forwarding_address, Sort::Address, false)?,
                    keeps: perhaps(&exchange.deliver_and_redirect, Sort::Word, is_alternate)?,
                }
            }
            Scheme::Forwarding => {
                let copy = config.forwarding.copy.as_ref();
                let copy = copy.map(|copy| Ok::<_, Error>((field(&copy.attribute, Sort::Word)?, copy.clone())));
                Attributes::Forwarding {
                    address: field(&config.forwarding.address, Sort::Address)?,
                    copy: copy.transpose()?,
                }
            }
        };
        let there = |names: Vec<String>| -> Vec<String> {
            names.iter().filter_map(|name| schema.known(name)).map(|known| known.name.clone()).collect()
        };
        let addresses = there(config.addresses());
        if addresses.is_empty() {
            let what = format!("the schema of {host} has none of the attributes {}", config.addresses().join(", "));
            return Err(missing(what));
        }
        let [nickname, hidden] = extra.map(|name| schema.known(&name).map(|known| known.name.clone()));
        let (marker, accounts) = (needed(config.marker())?.clone(), there(config.accounts()));
        Ok(Self { attributes, marker, addresses, accounts, nickname, hidden, schema })
    }

    /// The first of these attributes that an entry of these classes may not have. In Active Directory the entry itself tells.
    pub(crate) fn forbidden<'n>(
        &self,
        classes: &[String],
        mut names: impl Iterator<Item = &'n str>,
    ) -> Option<&'n str> {
        let allowed = self.schema.allowed(classes)?;
        names.find(|name| !allowed.contains(&name.to_lowercase()))
    }
}

fn missing(what: String) -> Error {
    Error::new(Cause::Unsupported, Scope::Run, what).retry(Retry::AfterPerson)
}

impl Schema {
    fn known(&self, name: &str) -> Option<&Known> {
        self.attributes.get(&name.to_lowercase())
    }

    fn needed(&self, name: &str, host: &str) -> Result<&Known, Error> {
        let Some(known) = self.known(name) else {
            return Err(missing(format!(
                "the schema of {host} has no attribute {name}: name the one that the site has for it, or have it added"
            )));
        };
        if !known.compares {
            return Err(missing(format!(
                "the attribute {name} on {host} has no rule by which values are compared (EQUALITY): name another"
            )));
        }
        Ok(known)
    }

    /// What entries of these classes may have. None: that is not known.
    fn allowed(&self, classes: &[String]) -> Option<BTreeSet<String>> {
        let (mut allowed, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut open: Vec<String> = classes.iter().map(|class| class.to_lowercase()).collect();
        while let Some(name) = open.pop() {
            if name == "extensibleobject" {
                return None;
            }
            let class = self.classes.get(&name)?;
            if seen.insert(name) {
                // An attribute may be listed by any of its names.
                for name in &class.attributes {
                    allowed.insert(self.known(name).map_or_else(|| name.clone(), |known| known.name.to_lowercase()));
                }
                open.extend(class.above.iter().cloned());
            }
        }
        Some(allowed)
    }

    fn add_attribute(&mut self, definition: &str) {
        let Some(words) = words(definition) else { return };
        let names = after(&words, "NAME");
        let Some(name) = names.first().cloned() else { return };
        let has = |word: &str| words.iter().any(|known| *known == Word::Plain(word.to_owned()));
        let known = Known { name, single: has("SINGLE-VALUE"), compares: has("EQUALITY") || has("SUP") };
        for name in names {
            self.attributes.insert(name.to_lowercase(), known.clone());
        }
    }

    fn add_class(&mut self, definition: &str) {
        let Some(words) = words(definition) else { return };
        let small = |words: Vec<String>| words.into_iter().map(|word| word.to_lowercase());
        let class = Class {
            above: small(after(&words, "SUP")).collect(),
            attributes: small(after(&words, "MUST")).chain(small(after(&words, "MAY"))).collect(),
        };
        for name in after(&words, "NAME") {
            self.classes.insert(name.to_lowercase(), class.clone());
        }
    }
}

async fn of_active_directory(connection: &mut Connection, root: &Root, names: &[String]) -> Result<Schema, Error> {
    let what = "cannot read the schema";
    let base = root.text("schemaNamingContext").ok_or_else(|| missing(format!("{what}: the server names none")))?;
    let filter = filter::any(names.iter().map(|name| filter::equals("lDAPDisplayName", name.as_bytes())));
    let filter = filter::all(["(objectClass=attributeSchema)", &filter]);
    let attributes = ["lDAPDisplayName", "isSingleValued"].map(str::to_owned);
    let search = Search { base, within: Within::OneLevel, filter: &filter, attributes: &attributes };
    let (entries, answer) = connection.entries(search, Vec::new()).await?;
    if answer.rc != 0 {
        return Err(result::refusal(what, &answer));
    }
    let mut schema = Schema::default();
    for entry in entries {
        let Some(name) = entry.text("lDAPDisplayName") else { continue };
        let single = entry.has("isSingleValued", "TRUE");
        schema.attributes.insert(name.to_lowercase(), Known { name: name.to_owned(), single, compares: true });
    }
    Ok(schema)
}

async fn of_ldap(connection: &mut Connection, root: &Root) -> Result<Schema, Error> {
    let what = "cannot read the schema (subschemaSubentry)";
    let asked = ["subschemaSubentry".to_owned()];
    let own = connection.entry("", &asked).await?;
    let place = own.as_ref().and_then(|own| own.text("subschemaSubentry")).map(str::to_owned);
    let place = place.ok_or_else(|| missing(format!("{what}: the server names none")))?;
    let attributes = ["attributeTypes", "objectClasses"].map(str::to_owned);
    let search =
        Search { base: &place, within: Within::Base, filter: "(objectClass=subschema)", attributes: &attributes };
    let (entries, answer) = connection.entries(search, Vec::new()).await?;
    if answer.rc != 0 {
        return Err(result::refusal(what, &answer));
    }
    let entry = entries.first().ok_or_else(|| missing(format!("{what}: it may not be read")))?;
    let mut schema = Schema::default();
    entry.texts("attributeTypes").for_each(|definition| schema.add_attribute(definition));
    entry.texts("objectClasses").for_each(|definition| schema.add_class(definition));
    // 389 Directory Server compares values by their syntax where the schema has no rule, as that of most of its attributes for mail.
    if root.text("vendorName").is_some_and(|name| name.starts_with("389 ")) {
        schema.attributes.values_mut().for_each(|known| known.compares = true);
    }
    Ok(schema)
}

/// A word of a definition (RFC 4512 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Plain(String),
    Quoted(String),
    Open,
    Close,
}

fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => {
                words.push(if first == '(' { Word::Open } else { Word::Close });
                1
            }
            '\'' => {
                let end = rest[1..].find('\'')?;
                words.push(Word::Quoted(rest[1..=end].to_owned()));
                end + 2
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()'".contains(c)).unwrap_or(rest.len());
                words.push(Word::Plain(rest[..end].to_owned()));
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    Some(words)
}

/// The names that stand behind this word: one, or several in parentheses.
fn after(words: &[Word], word: &str) -> Vec<String> {
    let at = words.iter().position(|known| *known == Word::Plain(word.to_owned()));
    let Some(rest) = at.and_then(|at| words.get(at + 1..)) else { return Vec::new() };
    let text = |word: &Word| match word {
        Word::Plain(text) | Word::Quoted(text) if text != "$" => Some(text.clone()),
        _ => None,
    };
    match rest.first() {
        Some(Word::Open) => rest[1..].iter().take_while(|word| **word != Word::Close).filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let mut schema = Schema::default();
        for definition in [
            "( 0.9.2342.19200300.100.1.3 NAME ( 'mail' 'rfc822Mailbox' ) DESC 'RFC1274: a SINGLE-VALUE (not)' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{256} )",
            "( 1.2.3 NAME 'mailForwardingAddress' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )",
            "(1.2.4 NAME 'anyBytes' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40)",
            "( 1.2.5 NAME 'likeMail' SUP mail )",
            "no definition ' at all",
        ] {
            schema.add_attribute(definition);
        }
        for definition in [
            "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
            "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( description $ userPassword ) )",
            "( 1.2.6 NAME ( 'forwards' 'f' ) SUP ( top ) AUXILIARY MAY ( rfc822Mailbox $ mailForwardingAddress ) )",
        ] {
            schema.add_class(definition);
        }
        schema
    }

    #[test]
    fn definitions_are_read() {
        let schema = schema();
        let known = schema.needed("RFC822mailbox", "h").unwrap();
        assert_eq!((known.name.as_str(), known.single), ("mail", false));
        assert!(schema.needed("mailForwardingAddress", "h").unwrap().single);
        assert!(schema.needed("likeMail", "h").is_ok());
        assert!(schema.needed("anyBytes", "h").unwrap_err().what.contains("EQUALITY"));
        let error = schema.needed("maildrop", "h").unwrap_err();
        assert!(error.what.contains("no attribute maildrop") && error.cause == Cause::Unsupported);
    }

    #[test]
    fn classes_say_what_an_entry_may_have() {
        let schema = schema();
        let allowed =
            |classes: &[&str]| schema.allowed(&classes.iter().map(|class| (*class).to_owned()).collect::<Vec<_>>());
        assert!(!allowed(&["person"]).unwrap().contains("mailforwardingaddress"));
        let both = allowed(&["Person", "F"]).unwrap();
        assert!(
            ["mailforwardingaddress", "mail", "description", "objectclass"].iter().all(|name| both.contains(*name))
        );
        assert_eq!(allowed(&["person", "extensibleObject"]), None);
        assert_eq!(allowed(&["unknown"]), None);
    }
}
