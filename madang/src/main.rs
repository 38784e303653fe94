//! The program; what it does is the library's.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    madang::command_line::main()
}
