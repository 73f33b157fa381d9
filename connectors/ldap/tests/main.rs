//! Tests through the public interface: one program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by what goes wrong in it")]

mod access;
mod active_directory;
mod active_directory_details;
mod common;
mod directory_389;
mod doubt;
mod openldap;
mod openldap_details;
mod router;
mod router_between;
mod router_contacts;
mod router_refusals;
mod writing_details;
