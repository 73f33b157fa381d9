//! Tests through the public interface: one program, so that it is linked once.

mod common;
mod corpus;
mod hostile;
mod random;
mod repairs;
mod repairs_corpus;
mod tricks;
