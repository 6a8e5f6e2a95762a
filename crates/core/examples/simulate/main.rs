//! What a simulator of cleanup rules makes of a file of cases: one line of JSON for each, with the case's `id` and what the
//! simulator expects, in the shape of the file's own `expect`.
//!
//! `cargo run --release --example simulate -- zot cases.jsonl`

mod acr;
mod harbor;
mod lines;
mod quay;
mod zot;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, file] = arguments.as_slice() else { return lines::usage() };
    match engine.as_str() {
        "acr" => lines::answer(Path::new(file), lines::no_header, |_, line| acr::answer(line).map(|it| it.to_string())),
        "harbor" => lines::answer(Path::new(file), harbor::header, harbor::answer),
        "quay" => lines::answer(Path::new(file), lines::no_header, |file, line| {
            quay::answer(file, line).map(|it| it.to_string())
        }),
        "zot" => lines::answer(Path::new(file), lines::no_header, |_, line| zot::answer(line).map(|it| it.to_string())),
        _ => lines::usage(),
    }
}
