//! The connector to platforms that speak SCIM 2.0, to read and to write.
//!
//! # What is followed
//!
//! RFC 7643 (schema) and 7644 (protocol), over HTTP/1.1 (RFC 9110, 9112) and TLS; a bearer token (RFC 6750) or a name and
//! password (RFC 7617). What the server says of itself is looked at once. No redirection is followed, no proxy is used. Of
//! the protocol it uses lists by startIndex and count, filters, POST, PATCH or PUT, DELETE, ETags; not bulk, not sorting, not
//! cursors (RFC 9865).
//!
//! # What stands for what
//!
//! `id` is the key, `externalId` the mark. [`config::Config::attributes`] and [`config::Config::group_attributes`] say
//! otherwise for what is below. *ext:* is [`EXTENSION`], *ent:* the extension for enterprises of RFC 7643.
//!
//! | Field | User | Group |
//! |---|---|---|
//! | `account` | userName | – |
//! | `title`, `given`, `surname` | name.honorificPrefix, name.givenName, name.familyName | – |
//! | `initials` | ext:initials | – |
//! | `display` | displayName | displayName |
//! | mail | emails: the primary one, else that of type work, else the first | as `addresses` |
//! | `addresses` | mail in emails, others in ext:addresses | ext:addresses |
//! | `legacy_dn`, `routed_to` | ext:legacyExchangeDN, ext:routedTo | the same |
//! | `organisation` | ent:organization | ext:organisation |
//! | `local_id` | ent:employeeNumber | ext:localId |
//! | `job_title` | title | – |
//! | `department` | ent:department | ext:department |
//! | `telephone` | phoneNumbers of type work | ext:telephone |
//! | `mobile` | phoneNumbers of type mobile | – |
//! | `hides_mobile` | ext:hidesMobile | – |
//! | `hidden` | ext:hidden | ext:hidden |
//! | `last_logon` (never written) | ext:lastLogon | – |
//! | `activated` (never written) | ext:activated | – |
//! | `quota` | ext:quotaBytes | – |
//! | `owners` | ext:owners | ext:owners |
//! | `members` | ext:members | members; addresses elsewhere in ext:members |
//! | `state` | active, and ext:state | – |
//! | `kind` | userType; a person has none | a group is a list |
//!
//! What the platform has no attribute for, by its own schemas, it can't hold: such a change is refused with the fields' names,
//! and nothing of it is sent. Where it does not publish schemas it has what RFC 7643 has, and what the settings name. Security
//! identifiers, places and rights are held by nothing.
//!
//! # Where to look
//!
//! [`config`] is the manual of the settings. `wire` has HTTP, TLS and the words of the protocol, and no policy. `op` has a file for
//! each thing that is done. `map` stands between the protocol and the model: `edit` makes of a resource what it is to be, and
//! `patch` says the difference.
//!
//! # What holds
//!
//! * Every reading is whole. A list that changes while it is read is read again: each page begins with the last one of the page
//!   before, and as many as the server counts must have come. `meta.lastModified` is not used: clocks differ, many servers leave it
//!   as it is when members change, and what is gone would have to be learnt by reading all ids anyway.
//! * An update is made only where all fields that change are as they were, and with If-Match where the server tells forms apart. What
//!   is an element of a list is added or removed by its value; the others are not sent.
//! * The last byte of a request waits for the door; a request without content waits whole, since there are servers that take the
//!   end of a connection for the end of a head.
//! * 429, and 503 with a time, mean that nothing was made; a creation is looked for before it is sent again all the same. At another
//!   5xx what is there says what came of it. 502, 504 and no answer are in doubt.
//! * What a server says it made is compared with what was asked. What it left out is told.
//! * A trouble of the server or of the login, rather than of one change, refuses no change: what follows is left untried.
//!
//! # Known oddities
//!
//! * A server that gives members of groups only when asked for them (`returned: request`) shows none here; then members are no
//!   attribute to write either.
//! * PUT makes of everything what was read. What a server does not show, it is to keep (RFC 7644 section 3.5.1).
//! * Who has no account of its own is called by the mail address (userName is required).
//! * **scim2-server 0.8** ends the connection after each answer.

pub mod config;
mod directory;
mod map;
mod op;
mod wire;

pub use directory::ScimDirectory;
pub use map::fields::EXTENSION;
