//! The `gateway` binary. Everything is in the library, so that tests reach it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::cli::main()
}
