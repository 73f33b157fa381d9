//! Tests through the public interface: one program, so that it is linked once.

mod active_directory;
mod active_directory_details;
mod common;
mod directory_389;
mod doubt;
mod openldap;
mod openldap_details;
mod writing_details;
