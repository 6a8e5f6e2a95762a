//! prodpin: arguments in, exit status out.

use std::process::ExitCode;

fn main() -> ExitCode {
    prodpin::cli::main(std::env::args_os())
}
