//! The walls of the house, checked where a compiler does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::each;
use prodpin::model::Code;
use serde_json::Value;

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
fn the_core_does_no_io_and_reads_no_clock() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut found = Vec::new();
    let mut files = rust_files(&crates.join("core/src"));
    files.extend(rust_files(&crates.join("schema/src")));
    files.retain(|path| !path.ends_with("tests.rs"));
    for path in &files {
        let text = fs::read_to_string(path).expect("a source file");
        for (number, line) in code_lines(&text) {
            for word in IMPURE.iter().filter(|word| names(line, word)) {
                found.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    assert!(files.len() > 100, "only {} files read: the folder has moved", files.len());
    assert!(found.is_empty(), "the pure part names what it must not:\n{}", found.join("\n"));
}

/// What the core is built with, all that its dependencies bring included. Whoever adds to this says what it is for.
#[test]
fn the_core_is_built_with_nothing_that_does_io() {
    let mut brought = dependencies("prodpin-core");
    assert!(brought.contains("serde") && brought.contains("jiff"), "{brought:?}");
    brought.extend(dependencies("prodpin-schema"));
    let reaching = |name: &&String| {
        ["aws-", "hyper", "http", "kube", "prodpin-", "object_store"].iter().any(|start| name.starts_with(start))
            || ["tokio", "reqwest", "rustls", "mio", "socket2", "async-io", "tracing", "rand", "getrandom", "tempfile"]
                .contains(&name.as_str())
    };
    let found: Vec<&String> = brought.iter().filter(reaching).collect();
    assert!(found.is_empty(), "the core is built with {found:?}");
    // And what this looks for is found where it is.
    assert!(dependencies("prodpin-net").iter().any(|name| name == "reqwest"));
}

/// Which crate may use which: data flows one way.
#[test]
fn crates_use_only_what_stands_below_them() {
    for (name, below) in [
        ("prodpin-core", &[][..]),
        ("prodpin-schema", &[]),
        ("prodpin-policy", &["prodpin-core"]),
        ("prodpin-report", &["prodpin-core"]),
        ("prodpin-net", &["prodpin-core"]),
        ("prodpin-ledger", &["prodpin-core", "prodpin-net", "prodpin-policy"]),
        ("prodpin-sources", &["prodpin-core", "prodpin-net", "prodpin-policy"]),
        ("prodpin-vault", &["prodpin-core", "prodpin-net", "prodpin-policy", "prodpin-sources"]),
        ("prodpin-signals", &["prodpin-core", "prodpin-net", "prodpin-policy"]),
    ] {
        let used: Vec<String> = dependencies(name).into_iter().filter(|other| other.starts_with("prodpin-")).collect();
        assert_eq!(used, below, "{name}");
    }
}

/// The platform that is built for, by what Cargo says.
fn host() -> String {
    let told = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs").stdout;
    let told = String::from_utf8(told).expect("text");
    told.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

/// Every package that a package of ours is built with, at whatever distance, by what Cargo says.
fn dependencies(of: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--locked", "--offline"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What other platforms need was never fetched on a machine that only built this.
    cargo.args(["--filter-platform", &host()]);
    let reported = cargo.output().expect("cargo runs");
    assert!(reported.status.success(), "{}", String::from_utf8_lossy(&reported.stderr));
    let metadata: Value = serde_json::from_slice(&reported.stdout).expect("metadata");
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let packages = list(&metadata["packages"]);
    let names: BTreeMap<String, String> = packages.iter().map(|it| (text(&it["id"]), text(&it["name"]))).collect();
    // What a macro is built with runs in the compiler.
    let is_macro = |package: &Value| list(&package["targets"]).iter().any(|it| it["kind"][0] == "proc-macro");
    let macros: BTreeSet<String> = packages.iter().filter(|it| is_macro(it)).map(|it| text(&it["id"])).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let mut found = BTreeSet::new();
    let mut next: Vec<String> = names.iter().filter(|(_, name)| *name == of).map(|(id, _)| id.clone()).collect();
    assert_eq!(next.len(), 1, "{of} is one package");
    while let Some(id) = next.pop() {
        for dependency in list(&nodes[&id]["deps"]) {
            let is_normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let id = text(&dependency["pkg"]);
            if is_normal && !macros.contains(&id) && found.insert(names[&id].clone()) {
                next.push(id);
            }
        }
    }
    found
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
    let lines = code_lines("//! tokio\nlet a = 1; // tokio\n#[cfg(test)]\nmod tests { use std::fs; }\n");
    assert_eq!(lines.map(|(_, line)| line.trim_end()).collect::<Vec<_>>(), ["", "let a = 1;"]);
    let mut lines = code_lines("#[cfg(test)]\nmod tests;\n\nuse std::fs;\n");
    assert!(lines.any(|(_, line)| line == "use std::fs;"), "code goes on below tests that stand in another file");
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
    let code = before_tests(text).into_iter().map(|line| line.split("//").next().unwrap_or_default());
    code.enumerate().map(|(index, line)| (index + 1, line))
}

/// The lines of a source up to the tests at its end. What is only declared for tests stands in another file, and the code
/// goes on below it.
pub(crate) fn before_tests(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && !pair[1].trim_end().ends_with(';');
    let end = lines.windows(2).position(begins).unwrap_or(lines.len());
    lines[..end].to_vec()
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
            each(text.split('-'), |part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase())),
            "{text}"
        );
        assert!(code.meaning().ends_with('.'), "{text}: {:?}", code.meaning());
        assert_eq!(serde_json::to_string(code).expect("a code"), format!("{text:?}"));
        assert_eq!(seen.insert(text, code.meaning()), None, "{text} stands twice");
    }
    let lines: Vec<String> = seen.iter().map(|(code, meaning)| format!("{code}: {meaning}")).collect();
    insta::assert_snapshot!("finding_codes", lines.join("\n"));
}
