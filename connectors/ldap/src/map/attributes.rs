//! Which attributes mean what: what is usual for each kind of directory, and what the settings say instead.

use std::collections::BTreeMap;

use crate::config::{Config, Kind};

macro_rules! fields {
    ($($variant:ident $name:literal [$($ad:literal)*] [$($ldap:literal)*];)+) => {
        /// A field of an entry that attributes stand for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Field { $($variant,)+ }

        impl Field {
            /// Every field.
            pub(crate) const EVERY: &[Self] = &[$(Self::$variant,)+];

            /// Its name in the settings.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The attributes that usually stand for it.
            fn usual(self, kind: Kind) -> &'static [&'static str] {
                match (kind, self) {
                    $((Kind::ActiveDirectory, Self::$variant) => &[$($ad),*],
                    (Kind::Ldap, Self::$variant) => &[$($ldap),*],)+
                }
            }
        }
    };
}

fields! {
    Key "key" ["objectGUID"] ["entryUUID"];
    Account "account" ["sAMAccountName"] ["uid"];
    Title "title" ["personalTitle"] ["personalTitle"];
    Given "given" ["givenName"] ["givenName" "gn"];
    Initials "initials" ["initials"] ["initials"];
    Surname "surname" ["sn"] ["sn" "surname"];
    Display "display" ["displayName" "name"] ["displayName" "cn"];
    Mail "mail" ["mail"] ["mail"];
    Addresses "addresses" ["proxyAddresses"]
        ["proxyAddresses" "mailAlternateAddress" "mailLocalAddress" "mailAlias" "mailAliases"];
    LegacyDn "legacy_dn" ["legacyExchangeDN"] ["legacyExchangeDN"];
    RoutedTo "routed_to" ["targetAddress"] ["targetAddress" "mailForwardingAddress" "mailRoutingAddress"];
    Sid "sid" ["objectSid"] [];
    Organisation "organisation" [] [];
    LocalId "local_id" ["employeeID" "employeeNumber"] ["employeeNumber"];
    JobTitle "job_title" ["title"] ["title"];
    Department "department" ["department"] ["departmentNumber" "ou"];
    Telephone "telephone" ["telephoneNumber"] ["telephoneNumber"];
    Mobile "mobile" ["mobile"] ["mobile"];
    HidesMobile "hides_mobile" [] [];
    Hidden "hidden" ["msExchHideFromAddressLists"] [];
    Mailbox "mailbox" ["homeMDB" "msExchMailboxGuid"] ["mailMessageStore" "mailHost" "mail"];
    LastLogon "last_logon" ["lastLogonTimestamp"] ["authTimestamp"];
    Activated "activated" [] [];
    Quota "quota" ["mDBOverHardQuotaLimit"] ["mailQuotaSize"];
    Owners "owners" ["managedBy" "msExchCoManagedByLink"] ["owner"];
    Members "members" ["member"] ["member" "uniqueMember"];
    Delegates "delegates" ["publicDelegates"] [];
    SendAs "send_as" [] [];
    FullAccess "full_access" [] [];
    Origin "origin" ["extensionAttribute15"] ["labeledURI"];
    State "state" ["employeeType"] ["employeeType"];
}

impl Field {
    /// The field of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.iter().copied().find(|field| field.name() == name)
    }
}

/// Which attributes are asked for, for each field.
#[derive(Clone, Debug)]
pub(crate) struct Attributes(BTreeMap<Field, Vec<String>>);

impl Attributes {
    /// As these settings say, and as usual where they say nothing.
    pub(crate) fn of(config: &Config) -> Self {
        let names = |field: Field| match config.attributes.get(field.name()) {
            Some(names) => names.clone(),
            None => field.usual(config.kind).iter().map(|name| (*name).to_owned()).collect(),
        };
        Self(Field::EVERY.iter().map(|field| (*field, names(*field))).collect())
    }

    /// The attributes that stand for a field.
    pub(crate) fn of_field(&self, field: Field) -> &[String] {
        self.0.get(&field).map_or(&[], Vec::as_slice)
    }

    /// Every attribute that some field stands for.
    pub(crate) fn every(&self) -> impl Iterator<Item = &String> {
        self.0.values().flatten()
    }
}
