//! Tests through the public interface: one program, so that it is linked once.

mod common;
mod odd_servers;
mod scim2_server;
mod writing;
