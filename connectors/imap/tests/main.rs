//! Tests through the public interface: one program, so that it is linked once.

mod common;
mod differential;
mod following;
mod oddities;
mod opening;
mod reading;
mod reading_again;
mod rights;
mod sizes;
mod writing;
