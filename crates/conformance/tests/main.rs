//! Tests through the public interface: one program, so that it is linked once.

mod directory_suite;
mod faults;
mod imap_server;
mod memory_suite;
mod proxy;
mod stop_everywhere;
