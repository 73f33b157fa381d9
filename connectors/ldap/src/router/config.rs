//! How a directory is reached whose entries say where mail goes, and which of their attributes do. The doc comments here are the reference
//! manual.

use std::path::PathBuf;
use std::time::Duration;

use connector::Secret;
use connector::router::SenderMode;
use serde::Deserialize;

use crate::config::{ANSWER_WAIT_MAX, CONNECT_WAIT_MAX, Config, Kind, PAGE_ENTRIES, Tls, UNACKNOWLEDGED_MAX, is_name};
use crate::wire::{dn::Dn, filter};

/// A directory that mail servers read where mail goes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterConfig {
    /// What kind of directory it is: `active-directory` or `ldap`.
    pub kind: Kind,
    /// The server's name. Its certificate must be for this name. All that is read of a person and written about them goes to this one server, so
    /// that what was written is what is read: in Active Directory name one domain controller, not the domain. The mail servers see it once
    /// it has been replicated.
    pub host: String,
    /// The port; 636 with `tls = "implicit"`, else 389, when left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept private; TLS from the first byte when left out.
    #[serde(default)]
    pub tls: Tls,
    /// A file of certificates (PEM) of a private CA that is trusted besides those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Who logs in: a distinguished name, or in Active Directory also `user@domain`. It needs the right to write the attributes below.
    pub user: String,
    /// Its password. Not read from here: whoever reads the project resolves it and puts it in.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Where people are: distinguished names, each with all below it. Left out: the server's own naming context.
    #[serde(default)]
    pub bases: Vec<String>,
    /// Which entries the mail servers look at, as a filter of RFC 4515. Left out: all.
    #[serde(default)]
    pub objects: Option<String>,
    /// By which attributes mail is sent on: `exchange` or `forwarding`. Left out: `exchange` in Active Directory, else `forwarding`.
    #[serde(default)]
    pub scheme: Option<Scheme>,
    /// The attributes of the scheme `exchange`.
    #[serde(default)]
    pub exchange: Exchange,
    /// The attributes of the scheme `forwarding`.
    #[serde(default)]
    pub forwarding: Forwarding,
    /// The attribute in which what was there before is kept: text with an equality rule, in which there is room for some hundred characters
    /// (1000 are plenty). Left out: `adminDescription` in Active Directory, else `description`. Where it may have one value only, it
    /// must be empty. Whoever may read the entry may read it.
    #[serde(default)]
    pub marker: Option<String>,
    /// The attributes that hold the addresses at which an entry gets its mail, with or without `smtp:` before them. Left out: `proxyAddresses`
    /// and `mail`, outside Active Directory also `mailAlternateAddress`, `mailLocalAddress`, `mailAlias` and `mailEquivalentAddress`.
    #[serde(default)]
    pub addresses: Option<Vec<String>>,
    /// The attributes that hold the name of an entry's account. Left out: `sAMAccountName` and `userPrincipalName`, outside Active Directory
    /// `uid`.
    #[serde(default)]
    pub accounts: Option<Vec<String>>,
    /// What becomes of the sender of mail that the site's server sends on: `kept`, `srs` or `trusted-relay`. Only who runs the site knows.
    #[serde(default)]
    pub sender: SenderMode,
    /// Entries of a page of the whole site's list.
    #[serde(default = "page_entries")]
    pub page_entries: usize,
    /// How long bytes written may stay unacknowledged; set by the engine, within its lease margin.
    #[serde(skip, default = "unacknowledged_max")]
    pub unacknowledged_max: Duration,
    /// How long the server may be silent while it owes an answer.
    #[serde(skip, default = "answer_wait_max")]
    pub answer_wait_max: Duration,
    /// How long to wait for a connection.
    #[serde(skip, default = "connect_wait_max")]
    pub connect_wait_max: Duration,
}

/// By which attributes mail is sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Those of Exchange, and of mail servers that follow it.
    Exchange,
    /// An attribute with addresses, as Postfix, qmail-ldap and the servers of Netscape's line read it.
    Forwarding,
}

/// The attributes of Exchange. Those that the schema lacks send nothing on and are left out, but for those that our redirect needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exchange {
    /// How our redirect is put on: `target-address`, or `alternate-recipient` where the site asks for that.
    pub way: Way,
    /// The address that all mail goes to, with `SMTP:` before it.
    pub target_address: String,
    /// The name of another recipient that mail goes to.
    pub alternate_recipient: String,
    /// An address that mail goes to where there is no other recipient.
    pub forwarding_address: String,
    /// `TRUE` where a copy stays of what goes to the other recipient or that address.
    pub deliver_and_redirect: String,
    /// With `alternate-recipient`: where contacts are made that the directory lacks, a distinguished name. Left out: none is made, and a redirect
    /// to an address without a contact is refused. Only in Active Directory.
    pub contacts: Option<String>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            way: Way::default(),
            target_address: "targetAddress".to_owned(),
            alternate_recipient: "altRecipient".to_owned(),
            forwarding_address: "msExchGenericForwardingAddress".to_owned(),
            deliver_and_redirect: "deliverAndRedirect".to_owned(),
            contacts: None,
        }
    }
}

/// How our redirect is put on in the scheme `exchange`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By the address that all mail goes to.
    #[default]
    TargetAddress,
    /// By another recipient, a contact with that address, without a copy.
    AlternateRecipient,
}

/// The attributes of the scheme `forwarding`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarding {
    /// The attribute with the addresses that mail goes to: `mailForwardingAddress` when left out; `mailRoutingAddress`, `maildrop`,
    /// `mgrpRFC822MailMember` and others are usual.
    pub address: String,
    /// The attribute that says whether a copy stays. Left out: one stays where an address of the person's own is among those that mail
    /// goes to.
    pub copy: Option<CopyAttribute>,
    /// The site's server keeps a copy of whatever it sends on, whatever the directory says. Then nobody is redirected.
    pub keeps_copy: bool,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self { address: "mailForwardingAddress".to_owned(), copy: None, keeps_copy: false }
    }
}

/// An attribute that says whether a copy stays. Our redirect writes `forwards_with` and `not_kept_with`, as far as they are given, and
/// nothing else; where neither is, it empties the attribute.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyAttribute {
    /// Its name, such as `mailDeliveryOption` or `deliveryMode`.
    pub attribute: String,
    /// The value with which a copy stays, such as `mailbox` or `TRUE`.
    #[serde(default)]
    pub kept_with: Option<String>,
    /// The value with which none stays, such as `nolocal` or `FALSE`. Without either of the two values none stays where only `kept_with`
    /// is given, and one stays where only this is.
    #[serde(default)]
    pub not_kept_with: Option<String>,
    /// The value with which mail is sent on at all, such as `forward`. Left out: it is wherever there is an address.
    #[serde(default)]
    pub forwards_with: Option<String>,
}

fn page_entries() -> usize {
    PAGE_ENTRIES
}

fn unacknowledged_max() -> Duration {
    UNACKNOWLEDGED_MAX
}

fn answer_wait_max() -> Duration {
    ANSWER_WAIT_MAX
}

fn connect_wait_max() -> Duration {
    CONNECT_WAIT_MAX
}

impl RouterConfig {
    /// A directory of this kind at this host with everything else as when left out of the project.
    pub fn new(kind: Kind, host: impl Into<String>, user: impl Into<String>, password: Secret) -> Self {
        Self {
            kind,
            host: host.into(),
            port: None,
            tls: Tls::default(),
            ca_file: None,
            user: user.into(),
            password: Some(password),
            bases: Vec::new(),
            objects: None,
            scheme: None,
            exchange: Exchange::default(),
            forwarding: Forwarding::default(),
            marker: None,
            addresses: None,
            accounts: None,
            sender: SenderMode::default(),
            page_entries: PAGE_ENTRIES,
            unacknowledged_max: UNACKNOWLEDGED_MAX,
            answer_wait_max: ANSWER_WAIT_MAX,
            connect_wait_max: CONNECT_WAIT_MAX,
        }
    }

    /// What the connection is made by.
    pub(crate) fn connection(&self) -> Config {
        let mut config = Config::new(self.kind, &self.host);
        config.port = self.port;
        config.tls = self.tls;
        config.ca_file.clone_from(&self.ca_file);
        config.user = Some(self.user.clone());
        config.password.clone_from(&self.password);
        config.bases.clone_from(&self.bases);
        config.objects.clone_from(&self.objects);
        config.page_entries = self.page_entries;
        config.unacknowledged_max = self.unacknowledged_max;
        config.answer_wait_max = self.answer_wait_max;
        config.connect_wait_max = self.connect_wait_max;
        config
    }

    /// The scheme, said or usual.
    pub fn scheme(&self) -> Scheme {
        self.scheme.unwrap_or(match self.kind {
            Kind::ActiveDirectory => Scheme::Exchange,
            Kind::Ldap => Scheme::Forwarding,
        })
    }

    /// The marker's attribute, said or usual.
    pub fn marker(&self) -> &str {
        self.marker.as_deref().unwrap_or(match self.kind {
            Kind::ActiveDirectory => "adminDescription",
            Kind::Ldap => "description",
        })
    }

    /// The attributes of addresses, said or usual.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let usual: &[&str] = match self.kind {
            Kind::ActiveDirectory => &["proxyAddresses", "mail"],
            Kind::Ldap => &[
                "proxyAddresses",
                "mail",
                "mailAlternateAddress",
                "mailLocalAddress",
                "mailAlias",
                "mailEquivalentAddress",
            ],
        };
        self.addresses.clone().unwrap_or_else(|| usual.iter().map(|name| (*name).to_owned()).collect())
    }

    /// The attributes of accounts' names, said or usual.
    pub(crate) fn accounts(&self) -> Vec<String> {
        let usual: &[&str] = match self.kind {
            Kind::ActiveDirectory => &["sAMAccountName", "userPrincipalName"],
            Kind::Ldap => &["uid"],
        };
        self.accounts.clone().unwrap_or_else(|| usual.iter().map(|name| (*name).to_owned()).collect())
    }

    /// What is wrong with these settings, if anything: what no server could make right.
    pub fn mistake(&self) -> Option<String> {
        self.connection().mistake().or_else(|| self.mistake_of_names()).or_else(|| self.mistake_of_copy())
    }

    fn mistake_of_names(&self) -> Option<String> {
        let exchange = &self.exchange;
        let names = match self.scheme() {
            Scheme::Exchange => vec![
                &exchange.target_address,
                &exchange.alternate_recipient,
                &exchange.forwarding_address,
                &exchange.deliver_and_redirect,
            ],
            Scheme::Forwarding => {
                let copy = self.forwarding.copy.as_ref().map(|copy| &copy.attribute);
                std::iter::once(&self.forwarding.address).chain(copy).collect()
            }
        };
        let (addresses, accounts, marker) = (self.addresses(), self.accounts(), self.marker().to_owned());
        if let Some(odd) =
            names.iter().copied().chain(&addresses).chain(&accounts).chain([&marker]).find(|name| !is_name(name))
        {
            return Some(format!("{odd:?} is no name of an attribute"));
        }
        if addresses.is_empty() {
            return Some("addresses is empty: name an attribute by which people are found".to_owned());
        }
        let mut seen = Vec::new();
        for name in names.iter().map(|name| name.to_lowercase()).chain([marker.to_lowercase()]) {
            if seen.contains(&name) {
                return Some(format!(
                    "{name} is named twice: what sends mail on and the marker are different attributes"
                ));
            }
            seen.push(name);
        }
        if let Some(twice) = addresses.iter().chain(&accounts).find(|name| seen.contains(&name.to_lowercase())) {
            return Some(format!("{twice} is named twice: it can't hold a person's own addresses or account, too"));
        }
        if let Some(name) = &exchange.contacts {
            if name.is_empty() || Dn::parse(name).is_none() {
                return Some(format!(
                    "contacts: {name:?} is no distinguished name, such as ou=contacts,dc=trust,dc=example"
                ));
            }
            if self.kind != Kind::ActiveDirectory {
                return Some("contacts: they are made in Active Directory only; elsewhere have them made".to_owned());
            }
        }
        let odd = self.objects.as_ref().filter(|text| !filter::is_valid(text));
        odd.map(|odd| format!("objects: {odd:?} is no filter, such as (objectClass=inetOrgPerson)"))
    }

    fn mistake_of_copy(&self) -> Option<String> {
        let copy = self.forwarding.copy.as_ref()?;
        if copy.kept_with.is_none() && copy.not_kept_with.is_none() {
            return Some(format!(
                "copy: {} does not tell whether a copy stays: give kept_with or not_kept_with",
                copy.attribute
            ));
        }
        let values = [&copy.kept_with, &copy.not_kept_with, &copy.forwards_with];
        let given: Vec<String> = values.into_iter().flatten().map(|value| value.to_lowercase()).collect();
        let is_odd = given.iter().enumerate().any(|(at, value)| value.is_empty() || given[..at].contains(value));
        is_odd.then(|| format!("copy: the values of {} are to be different, and none of them empty", copy.attribute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = RouterConfig::new(Kind::Ldap, "ldap.example", "cn=router,dc=example", Secret::new("x"));
        assert_eq!((good.mistake(), good.scheme(), good.marker()), (None, Scheme::Forwarding, "description"));
        let exchange = RouterConfig { kind: Kind::ActiveDirectory, ..good.clone() };
        assert_eq!((exchange.mistake(), exchange.scheme()), (None, Scheme::Exchange));
        let wrong = |change: &dyn Fn(&mut RouterConfig), words: &str| {
            let mut config = good.clone();
            change(&mut config);
            let mistake = config.mistake().unwrap();
            assert!(mistake.contains(words), "{mistake}");
        };
        wrong(&|c| c.host.clear(), "host is empty");
        wrong(&|c| c.password = None, "no password");
        wrong(&|c| c.bases = vec!["people".into()], "no distinguished name");
        wrong(&|c| c.objects = Some("(a=b".into()), "no filter");
        wrong(&|c| c.marker = Some("a b".into()), "no name of an attribute");
        wrong(&|c| c.marker = Some("MAILforwardingADDRESS".into()), "named twice");
        wrong(&|c| c.forwarding.address = "mail".into(), "named twice");
        wrong(&|c| c.addresses = Some(Vec::new()), "addresses is empty");
        wrong(&|c| c.exchange.contacts = Some("contacts".into()), "no distinguished name");
        wrong(&|c| c.exchange.contacts = Some("ou=contacts,dc=x".into()), "Active Directory only");
        let copy = |kept: Option<&str>, forwards: Option<&str>| CopyAttribute {
            attribute: "mailDeliveryOption".into(),
            kept_with: kept.map(str::to_owned),
            not_kept_with: None,
            forwards_with: forwards.map(str::to_owned),
        };
        wrong(&|c| c.forwarding.copy = Some(copy(None, Some("forward"))), "does not tell");
        wrong(&|c| c.forwarding.copy = Some(copy(Some("forward"), Some("Forward"))), "to be different");
    }
}
