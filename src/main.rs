//! The command `postwatch`; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    postwatch::cli::run(std::env::args_os()).into()
}
