//! Tests through the public interface: one program, so that it is linked once.

mod files;
mod suite;
