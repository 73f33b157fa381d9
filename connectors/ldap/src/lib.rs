//! The connector to directories that speak LDAP, to read and to write: Active Directory (and Samba as one), OpenLDAP, 389 Directory Server
//! and their kin.
//!
//! # What is followed
//!
//! LDAP v3: RFC 4511 (protocol), 4512 (rootDSE), 4514 (names), 4515 (filters), 4517 (times), with paged results (2696), entryUUID
//! (4530), entryDN (5020) and content synchronisation (4533). Of Active Directory: MS-ADTS for DirSync, uSNChanged, parts
//! of attributes, and descriptors without their owners (SD_FLAGS); MS-DTYP for GUID, SID, FILETIME and security
//! descriptors. Login is simple bind over TLS. References to other servers are not followed.
//!
//! # How it is learnt what changed
//!
//! | | |
//! |---|---|
//! | DirSync | each changed object is told by its key, and read again within the scope: two entries a change |
//! | uSNChanged | the same by numbers of one domain controller, for accounts without the right to replicate; what is gone or stands elsewhere by comparing |
//! | RFC 4533 | each changed entry is told whole: one entry a change |
//! | whenChanged, modifyTimestamp | changed entries since the last reading began, with ten minutes of overlap; what is gone or stands elsewhere by comparing |
//!
//! Comparing costs a key and a name for each entry in scope, each time; whatever names somebody outside the scope is read again
//! with it.
//!
//! What stands below a container that was renamed or moved does not change, and no server tells of it: DirSync and RFC 4533 ask
//! for containers, too, and what is below a changed one is read again. In Active Directory names of members, owners and delegates
//! follow whoever is called otherwise, without a word, and so they do in OpenLDAP with slapo-refint, a little later: whatever has
//! the name of one that moved, is gone, or came into the scope is read again, outside Active Directory in the next reading, too. Another name of somebody outside the scope is seen with the list's next change, or in a whole reading.
//!
//! A cursor holds the server, a digest of the scope and of what is read, and of what was told the keys and digests of the names. Where
//! one of these is another, or the server refuses its part, the directory is read whole.
//!
//! # What stands for what
//!
//! For each field the attributes that are asked, in their order; [`config::Config::attributes`] says otherwise.
//!
//! | Field | Active Directory | others |
//! |---|---|---|
//! | `key` | objectGUID | entryUUID |
//! | `account` | sAMAccountName | uid |
//! | `title` | personalTitle | personalTitle |
//! | `given`, `initials`, `surname` | givenName, initials, sn | the same |
//! | `display` | displayName, name | displayName, cn |
//! | `mail` | mail | mail, the first value |
//! | `addresses` | proxyAddresses | proxyAddresses, mailAlternateAddress, mailLocalAddress, mailAlias, mailAliases; all values of mail |
//! | `legacy_dn` | legacyExchangeDN | legacyExchangeDN |
//! | `routed_to` | targetAddress | targetAddress, mailForwardingAddress, mailRoutingAddress |
//! | `sid` | objectSid | – |
//! | `organisation` | – | – |
//! | `local_id` | employeeID, employeeNumber | employeeNumber |
//! | `job_title`, `telephone`, `mobile` | title, telephoneNumber, mobile | the same |
//! | `department` | department | departmentNumber, ou |
//! | `hides_mobile` | – | – |
//! | `hidden` | msExchHideFromAddressLists | – |
//! | `mailbox` (any value) | homeMDB, msExchMailboxGuid | mailMessageStore, mailHost, mail |
//! | `last_logon` | lastLogonTimestamp | authTimestamp |
//! | `activated` | – | – |
//! | `quota` | mDBOverHardQuotaLimit, in KiB | mailQuotaSize |
//! | `owners` | managedBy, msExchCoManagedByLink | owner |
//! | `members` | member | member, uniqueMember |
//! | `delegates` (send on behalf) | publicDelegates | – |
//! | `send_as`, `full_access` | – | – |
//! | `origin` | extensionAttribute15 | labeledURI |
//! | `state` | employeeType | employeeType |
//!
//! A kind is told by the settings' rules, then by msExchRecipientTypeDetails, then by object class; outside Active Directory
//! businessCategory with a kind's name is a rule, too. A state is told by the attribute `state`, then by userAccountControl; of
//! mailboxes that are nobody's own, whose accounts are switched off by nature, that says nothing. accountExpires is told as the
//! moment that it is: nothing tells when it has passed.
//! Rights are read from nTSecurityDescriptor (Send-As, by name or with all extended rights), msExchMailboxSecurityDescriptor
//! (full access) and publicDelegates, or from the attributes that the settings name; in Active Directory these two are only read, since
//! descriptors decide there. msExchDelegateListLink says for whom Outlook opens a mailbox by itself, not who may: it counts as full
//! access where the settings name it. The system's and administrators' own rights are left out. Exchange's extension attributes,
//! mailNickname and userPrincipalName go to `other`, with whatever the settings name.
//!
//! # How it is written
//!
//! For each field the attribute that has a value, else the first. New entries are made of the settings' templates, each by one
//! operation, its password with it. Before it is sent every change is read as any reading would read it: what does not come
//! back as it was wanted is refused ([`config::Write`]). Not written are `key`, `place`, `sid`, `mailbox`, `last_logon` and `activated`.
//!
//! * A modification names the old values, so that the server refuses it where they are not there any more. Of attributes with
//!   several values only those that differ are named.
//! * Changes of one sort go several at once, and never two of one entry. A new entry is read by its name for its key.
//! * Another name is another operation. Where a field needs it, it goes first and is taken back when the rest is refused; else it
//!   comes last, and where the name is taken the entry keeps the one it has.
//! * A name that is taken by what bears the same mark is not made again; by another, the address is put after the shown name.
//! * Where a class of lists must have a member, the empty name stands for none; where people must have a last name, `-`.
//!
//! # Where mail goes
//!
//! Where the site's mail servers read that in the directory, [`router`] puts redirects there, with the same connections; and where
//! they read there who may log in, [`access`] closes mailboxes.
//!
//! # Where to look
//!
//! [`config`] is the manual of the settings. `wire` has bytes and words of the protocol and no policy. `op` has a file for each
//! thing that is done: `read` decides how, `tell` is a reading as it goes, `write` makes changes. `map` stands between the protocol and the model.
//!
//! # What holds
//!
//! * Only an answer that says success is complete: a limit, a missing base or group, a lost connection is an error, never a
//!   smaller directory.
//! * Nothing is told as gone that is found in scope when it is looked for, and nothing that was never told.
//! * The place to go on from is taken before the first entry is read.
//! * A descriptor, an identifier or a control that can't be read is said; no bytes make the program stop.
//!
//! # Known oddities
//!
//! * DirSync shows only what changed of the attributes that are asked for, and objects without regard to scope. Rights that come
//!   from a container above reach an object without its being told: by DirSync what is below that container is read again; by
//!   uSNChanged and whenChanged they are seen in a whole reading.
//! * A member by primary group (Domain Users) is not in `member`, so not in a scope group.
//! * **Samba 4.17** takes a DirSync cookie of zeros for the beginning; no cookie goes there but the one it gave. It gives all
//!   members at once unless parts are asked for. With linked attributes it tells a group by what was added alone.
//! * **OpenLDAP** keeps what was deleted in memory (syncprov-sessionlog): started anew it tells what is there instead, and what is
//!   not told is looked for before it is gone. It lists the control where the module is loaded, though the database may lack
//!   the overlay: then times are used.
//!   After changes at the same time its contextCSN may stay behind what it holds until the next change (seen in 2.5.13), and a
//!   refresh leaves out what is newer: that is asked for by entryCSN. What was deleted last is told after the next change.
//! * **389 Directory Server** tells what is gone by its nsUniqueIds, not by entryUUID: it is followed by times.
//! * Texts of Active Directory end in NUL.

pub mod access;
pub mod config;
mod directory;
mod map;
mod op;
pub mod router;
mod wire;

pub use access::LdapAccess;
pub use directory::LdapDirectory;
pub use router::LdapRouter;
