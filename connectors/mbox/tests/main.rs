//! Tests through the public interface: one program, so that it is linked once.

mod corpus;
mod files;
mod suite;
mod writer;
