//! The kit that the tests share. Nothing of it is in the product.
//!
//! * [`suite`]: what every connector must do, one test a behaviour.
//! * [`directory_suite`]: what every directory must do, likewise.
//! * [`router_suite`]: what every router must do, likewise.
//! * [`world`]: an organisation on two in-memory platforms, with the engine between them.
//! * [`stop`]: runs a scenario, counts its effects, then runs it again stopping after each of them.
//! * [`remote`]: the in-memory platform served over a socket, so that it outlives whoever is stopped.
//! * [`servers`]: real servers (Dovecot, Cyrus, Postfix, PostgreSQL, Samba as Active Directory, OpenLDAP), each in a temporary folder
//!   of its own on loopback.
//! * [`hook`]: a web server that is told things, answers as it is told to, and keeps what came.
//! * [`imap_server`]: an IMAP server that answers from memory, written from the RFCs alone, with every extension that can
//!   be switched off and every oddity that can be switched on.
//! * [`ldap_relay`]: what stands between a client and a directory and counts the entries that it sends.
//! * [`meddling`]: a line to the in-memory platform on which a test meddles.
//! * [`proxy`]: what stands between a client and a server and delays, cuts or withholds what passes.
//! * [`certificates`]: certificates of an authority of the tests' own.
//! * [`talk`]: IMAP spoken by hand, and [`sieve_talk`]: ManageSieve.
//! * [`post`]: mail handed in by LMTP, and a server that keeps what leaves by SMTP.
//! * [`whole`]: how long the longest tests are.
//! * [`history`]: random histories of a person on both sides, and their judge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "test code")]

pub mod access_suite;
mod base64;
pub mod certificates;
pub mod directory_suite;
pub mod exchange;
pub mod history;
pub mod hook;
pub mod imap_server;
pub mod ldap_relay;
pub mod meddling;
pub mod post;
pub mod proxy;
pub mod remote;
pub mod router_suite;
pub mod servers;
pub mod sieve_talk;
pub mod stop;
pub mod suite;
pub mod talk;
pub mod turns;
pub mod whole;
pub mod world;
