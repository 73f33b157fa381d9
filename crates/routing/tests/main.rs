//! Tests of the routing check: each fault and each state of a switch by example, random directories beside a reference that
//! tries out every combination, and a directory of full size.

mod against_reference;
mod examples;
mod mailboxes;
mod others;
mod random;
mod reference;
mod saga;
mod size;
mod world;
