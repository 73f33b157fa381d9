//! Writes every document of a driven project into a folder, in each of its forms, to be looked at.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an example stops at what goes wrong")]

#[allow(dead_code, reason = "the driver of the programme's own tests, of which only a part is needed here")]
#[path = "../../programme/tests/engine/driver.rs"]
mod driver;
#[allow(dead_code, reason = "as above")]
#[path = "../tests/project.rs"]
mod project;
#[allow(dead_code, reason = "as above")]
#[path = "../../programme/tests/engine/world.rs"]
mod world;

use std::{fs, path::PathBuf};

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    for (name, world) in project::every() {
        let document = project::makes(&world, name).unwrap();
        for form in paper::forms(name) {
            let bytes = paper::write(*form, &document).unwrap();
            fs::write(folder.join(format!("{name}.{}", form.name())), bytes).unwrap();
        }
    }
}
