//! A file of cases, line by line.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Prints the answer to every line. One that cannot be answered is named and left out, and the rest still printed.
pub(crate) fn answer(
    file: &Path,
    is_header: fn(&Path, usize, &str) -> bool,
    answer: fn(&Path, &str) -> Result<String, String>,
) -> ExitCode {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return refuse(&format!("cannot read {}: {error}", file.display())),
    };
    let mut status = ExitCode::SUCCESS;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if is_header(file, number, line) {
            println!("{line}");
            continue;
        }
        match answer(file, line) {
            Ok(answer) => println!("{answer}"),
            Err(problem) => status = refuse(&format!("{}: line {}: {problem}", file.display(), number + 1)),
        }
    }
    status
}

pub(crate) fn usage() -> ExitCode {
    refuse("usage: simulate ENGINE FILE, where ENGINE is one that main.rs lists")
}

fn refuse(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::FAILURE
}

/// Files of cases have no header, but for some kinds of them.
pub(crate) fn no_header(_: &Path, _: usize, _: &str) -> bool {
    false
}
