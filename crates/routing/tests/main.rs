//! Tests of the routing check: each fault and each state of a switch by example.

mod examples;
mod saga;
mod world;
