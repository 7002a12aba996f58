//! The program. Everything is in the library, so that tests and the lab reach it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    meshwork::cli::main(std::env::args_os())
}
