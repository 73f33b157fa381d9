//! The fields of an entry that a column may be, and the headings that people give them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::mistake::alike;

macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal $length:literal [$($heading:literal)*];)+) => {
        /// A field that a column may be. A map names it as [`Field::name`] does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field { $($(#[doc = $doc])+ $variant,)+ }

        impl Field {
            /// Every field.
            pub const EVERY: &[Self] = &[$(Self::$variant,)+];

            /// Its name in a map.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How many characters it may have, unless the map says otherwise. What directories take: X.520's upper
            /// bounds, and those of Active Directory.
            pub fn length_max(self) -> usize {
                match self { $(Self::$variant => $length,)+ }
            }

            /// The headings by which it is known when the map says nothing of it: in lower case, letters and digits only.
            pub fn headings(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($heading,)*],)+ }
            }
        }
    };
}

fields! {
    /// What tells an entry from every other one and never changes. Where no column is one, the local id is the key.
    Key "key" 256 ["key" "objectguid" "entryuuid" "guid" "uniquekey" "immutableid"];
    /// What it stands for: see [`crate::ColumnMap::kinds`].
    Kind "kind" 64 ["kind" "type" "objecttype" "recipienttype" "recipienttypedetails" "accounttype" "mailboxtype"];
    /// Whether its account can be used: see [`crate::ColumnMap::states`].
    State "state" 64 ["state" "status" "accountstatus" "accountstate"];
    /// Title: Dr, Ms, Sister. Active Directory calls the job title so: then the map says `job_title = "Title"`.
    Title "title" 24 ["title" "personaltitle" "salutation" "honorific"];
    /// First name or names.
    Given "given" 64 ["given" "givenname" "givennames" "firstname" "firstnames" "forename" "forenames"];
    /// Initials.
    Initials "initials" 16 ["initials" "middleinitials"];
    /// Last name.
    Surname "surname" 64 ["surname" "lastname" "familyname" "sn"];
    /// The name that is shown.
    Display "display" 256 ["display" "displayname" "name" "fullname" "cn" "commonname"];
    /// The address that mail is sent from.
    Mail "mail" 254 ["mail" "email" "emailaddress" "primarysmtpaddress" "mailaddress" "primaryemail" "windowsemailaddress"];
    /// Further addresses, of every kind; several in a cell, and in several columns.
    Addresses "addresses" 32000 ["addresses" "proxyaddresses" "emailaddresses" "aliases" "alias" "legacyemail"
        "otheremail" "otheraddresses" "secondaryemail"];
    /// Its legacyExchangeDN.
    LegacyDn "legacy_dn" 512 ["legacydn" "legacyexchangedn"];
    /// Where its mail is sent on to.
    RoutedTo "routed_to" 254 ["routedto" "targetaddress" "forwardto" "forwardingaddress" "externalemailaddress"
        "forwardingsmtpaddress"];
    /// The name it logs in with.
    Account "account" 256 ["account" "accountname" "samaccountname" "username" "userid" "uid" "login" "logonname"];
    /// Where it stands in its directory.
    Place "place" 2048 ["place" "dn" "distinguishedname"];
    /// Its security identifier.
    Sid "sid" 184 ["sid" "objectsid"];
    /// Code of its organisation.
    Organisation "organisation" 64 ["organisation" "organization" "organisationcode" "organizationcode" "odscode"
        "orgcode" "org"];
    /// What the organisation itself tells its people apart by.
    LocalId "local_id" 64 ["localid" "localuniqueid" "localuniqueidentifier" "externalsyncid" "employeeid"
        "employeenumber" "staffnumber" "staffid" "payrollnumber" "assignmentnumber" "esrnumber"];
    /// Job title.
    JobTitle "job_title" 128 ["jobtitle" "position"];
    /// Department.
    Department "department" 64 ["department" "dept" "division"];
    /// Telephone.
    Telephone "telephone" 64 ["telephone" "telephonenumber" "phone" "phonenumber" "officephone" "tel"];
    /// Mobile telephone.
    Mobile "mobile" 64 ["mobile" "mobilenumber" "mobilephone" "cell" "cellphone"];
    /// Its person does not want the mobile number shown.
    HidesMobile "hides_mobile" 16 ["hidesmobile" "hidemobile" "hidemobilenumber" "mobilehidden"];
    /// It is not shown in address books.
    IsHidden "is_hidden" 16 ["ishidden" "hidden" "hiddenfromaddresslists" "hiddenfromaddresslistsenabled"
        "msexchhidefromaddresslists" "hidefromgal"];
    /// It has a mailbox in this directory's mail system.
    HasMailbox "has_mailbox" 16 ["hasmailbox" "mailboxenabled"];
    /// When somebody last logged in.
    LastLogon "last_logon" 64 ["lastlogon" "lastlogin" "lastlogontimestamp" "lastlogondate" "lastlogontime" "lastlogindate"];
    /// Whether its person has activated it.
    Activated "activated" 16 ["activated" "isactivated" "accountactivated"];
    /// The larger quota its person was given: a number of bytes, or with KB, MB, GB, TB.
    Quota "quota" 32 ["quota" "quotabytes" "mailboxquota"];
    /// Who answers for it; several in a cell, and in several columns.
    Owners "owners" 32000 ["owners" "owner" "managedby" "responsible" "sponsor"];
    /// Who is in the list; several in a cell, and in several columns.
    Members "members" 1_000_000 ["members" "member"];
    /// The mark of whoever made it.
    Origin "origin" 512 ["origin"];
    /// What is to be done with it: see [`crate::ColumnMap::actions`].
    Action "action" 64 ["action" "operation" "changetype"];
    /// The day on which somebody joins.
    StartsOn "starts_on" 64 ["startson" "startdate" "joiningdate" "dateofjoining" "hiredate"];
    /// The day on which somebody leaves.
    LeavesOn "leaves_on" 64 ["leaveson" "leavingdate" "leavedate" "enddate" "terminationdate" "leaverdate"];
}

impl Field {
    /// The field of this name, written as a map or a person writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.iter().copied().find(|field| field.name() == name)
    }

    /// The field that a heading means when the map says nothing of it.
    pub fn from_heading(heading: &str) -> Option<Self> {
        let plain = plain(heading);
        Self::EVERY.iter().copied().find(|field| field.headings().contains(&plain.as_str()))
    }

    /// May a cell hold several, and several columns be this field?
    pub fn holds_several(self) -> bool {
        matches!(self, Self::Addresses | Self::Owners | Self::Members)
    }
}

/// A heading's letters and digits, in lower case.
pub(crate) fn plain(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| {
            let names = || Self::EVERY.iter().map(|field| field.name());
            let meant = Self::from_heading(&name).map(Self::name).or_else(|| alike(&name, names()));
            match meant {
                Some(meant) => D::Error::custom(format!("{name:?} is no field of an entry; did you mean {meant:?}?")),
                None => {
                    let known = names().collect::<Vec<_>>().join(", ");
                    D::Error::custom(format!("{name:?} is no field of an entry; fields are {known}"))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_heading_means_two_fields() {
        let mut seen = std::collections::HashMap::new();
        for field in Field::EVERY {
            for heading in field.headings() {
                assert_eq!(plain(heading), *heading);
                assert_eq!(seen.insert(heading, field), None, "{heading}");
            }
            assert!(field.headings().contains(&plain(field.name()).as_str()), "{}", field.name());
        }
    }

    #[test]
    fn headings_are_known_as_people_write_them() {
        for (heading, field) in [
            ("First Name", Field::Given),
            ("LAST_NAME", Field::Surname),
            ("E-mail", Field::Mail),
            ("Local Unique Identifier", Field::LocalId),
            ("ExternalSyncID", Field::LocalId),
            ("legacyExchangeDN", Field::LegacyDn),
            ("Hide Mobile", Field::HidesMobile),
        ] {
            assert_eq!(Field::from_heading(heading), Some(field), "{heading}");
        }
        assert_eq!(Field::from_heading("Ward"), None);
    }
}
