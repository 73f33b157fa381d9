//! The documents of driven projects: what they say, when they are refused, and that they are the same each time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at what goes wrong")]

#[allow(dead_code, reason = "the driver of the programme's own tests, of which only a part is needed here")]
#[path = "../../programme/tests/engine/driver.rs"]
mod driver;
mod hostile;
mod made;
mod project;
mod refused;
mod said;
mod signed;
mod text;
#[allow(dead_code, reason = "as above")]
#[path = "../../programme/tests/engine/world.rs"]
mod world;
