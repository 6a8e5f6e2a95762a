//! The walls of the house, checked where a compiler does not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prodpin::model::Code;

/// What a pure fold must not name: I/O, clocks, environment, randomness, logging.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "aws_",
    "object_store",
    "axum",
    "hyper",
    "oci_distribution",
    "rand::",
    "fastrand",
    "tracing",
    "log::",
    "println!",
    "eprintln!",
    "async fn",
    "async_trait",
    ".await",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
    "env::var",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "static mut",
    "Mutex",
    "RwLock",
    "OnceLock",
    "LazyLock",
    "AtomicU",
    "RandomState",
    "HashMap",
    "HashSet",
];

#[test]
fn model_and_decide_do_no_io_and_read_no_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut read = 0;
    let mut found = Vec::new();
    for folder in ["model", "decide"] {
        for path in rust_files(&root.join(folder)) {
            read += 1;
            let text = fs::read_to_string(&path).expect("a source file");
            for (number, line) in code_lines(&text) {
                for word in IMPURE.iter().filter(|word| names(line, word)) {
                    found.push(format!("{}:{number}: {word}", path.display()));
                }
                if let Some(module) = shell_module(line) {
                    found.push(format!("{}:{number}: crate::{module}", path.display()));
                }
            }
        }
    }
    assert!(read > 10, "only {read} files read: the folders have moved");
    assert!(found.is_empty(), "the pure part names what it must not:\n{}", found.join("\n"));
}

/// The check itself must be able to fail.
#[test]
fn the_purity_check_sees_what_it_looks_for() {
    for line in
        ["use std::time::Instant;", "let now = jiff::Timestamp::now();", "pub async fn x() {}", "use tokio::fs;"]
    {
        assert!(IMPURE.iter().any(|word| names(line, word)), "{line}");
    }
    for line in ["let catalog: &str = x;", "fn instantly() {}", "let operand = 1;"] {
        assert!(!IMPURE.iter().any(|word| names(line, word)), "{line}");
    }
    assert_eq!(shell_module("use crate::sources::Source;"), Some("sources"));
    assert_eq!(shell_module("use crate::model::Tag;"), None);
    let lines = code_lines("//! tokio\nlet a = 1; // tokio\n#[cfg(test)]\nmod tests { use std::fs; }\n");
    assert_eq!(lines.map(|(_, line)| line.trim_end()).collect::<Vec<_>>(), ["", "let a = 1;"]);
}

/// Modules of the shell, by which the pure part would do I/O through the back door. `outcome::report` is data.
fn shell_module(line: &str) -> Option<&'static str> {
    ["sources", "signals", "ledger", "run", "cli"].into_iter().find(|module| names(line, &format!("crate::{module}")))
}

/// Whether the word stands in the line where a name begins.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let whole = word.ends_with(|last: char| !last.is_alphanumeric()) || {
            let after = line[at + word.len()..].chars().next();
            !after.is_some_and(|after| after.is_alphanumeric()) || word.starts_with("Atomic")
        };
        let begins = !before.is_some_and(|before| before.is_alphanumeric() || before == '_') || word.starts_with('.');
        begins && whole
    })
}

/// Numbered lines of code: comments left out, and the tests at a file's end.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    code.map(|line| line.split("//").next().unwrap_or_default()).enumerate().map(|(index, line)| (index + 1, line))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Codes are part of the contract: a renamed or dropped one breaks whoever filters by it.
#[test]
fn finding_codes_are_stable_unique_and_kebab_case() {
    let mut seen = BTreeMap::new();
    for code in Code::ALL {
        let text = code.as_str();
        assert!(
            text.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase())),
            "{text}"
        );
        assert!(code.meaning().ends_with('.'), "{text}: {:?}", code.meaning());
        assert_eq!(serde_json::to_string(code).expect("a code"), format!("{text:?}"));
        assert_eq!(seen.insert(text, code.meaning()), None, "{text} stands twice");
    }
    let lines: Vec<String> = seen.iter().map(|(code, meaning)| format!("{code}: {meaning}")).collect();
    insta::assert_snapshot!("finding_codes", lines.join("\n"));
}
