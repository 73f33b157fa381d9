//! The program under test. It is `whimbrel` itself, built with the tests so that they never run an older one.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
