//! What people read in the repository is true: commands are accepted as they are printed, policies are valid, and what is
//! named is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::left_out::left_out;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that is tracked, by its path in the repository. None where this is no clone, or there is no git: then nobody
/// knows what belongs here, which is said, and fails in CI.
fn tracked() -> Option<Vec<String>> {
    let without = |why: &str| {
        assert!(std::env::var_os("CI").is_none(), "documents are checked in a clone, with git: {why}");
        left_out("checks of documents", why);
        None
    };
    if !root().join(".git").exists() {
        return without("this is no clone of the repository");
    }
    // Whoever runs this need not be who cloned it.
    let arguments = ["-c", "safe.directory=*", "ls-files", "-z"];
    let listed = match Command::new("git").current_dir(root()).args(arguments).output() {
        Ok(listed) => listed,
        Err(error) => return without(&format!("git: {error}")),
    };
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = listed.stdout.split(|byte| *byte == 0).map(|name| String::from_utf8(name.to_vec()).expect("UTF-8"));
    // What is deleted and not yet committed is still listed.
    let found: Vec<String> = names.filter(|name| !name.is_empty() && root().join(name).is_file()).collect();
    assert!(found.len() > 800, "only {} files are tracked", found.len());
    Some(found)
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The documents: README, CONTRIBUTING, everything below `docs/`, and the folders' own.
fn documents() -> Option<Vec<(String, String)>> {
    let of_people = |name: &String| name.ends_with(".md") && name != "CHANGELOG.md" && !name.starts_with("tests/");
    let found: Vec<(String, String)> =
        tracked()?.into_iter().filter(of_people).map(|name| (name.clone(), read(&name))).collect();
    assert!(found.len() > 50, "{} documents", found.len());
    Some(found)
}

/// The blocks of a document that are in this language, each with the line on which it begins.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<(usize, Vec<&'a str>)> {
    let mut found = Vec::new();
    let mut open: Option<(bool, usize, Vec<&str>)> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(named), None) => open = Some((named == language, index + 2, Vec::new())),
            (Some(_), Some(_)) => {
                if let Some((true, began, lines)) = open.take() {
                    found.push((began, lines));
                }
            }
            (None, Some((_, _, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    found
}

/// The words of a line of a shell, up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut quoted = None;
    for letter in line.chars() {
        match (letter, quoted) {
            (mark, Some(began)) if mark == began => quoted = None,
            ('\'' | '"', None) => quoted = Some(letter),
            ('#' | '|' | '>' | ';' | '&', None) => break,
            (' ', None) => found.push(String::new()),
            _ => found.last_mut().expect("a word").push(letter),
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

/// Why the program would not take these words, if it would not.
fn refusal(words: &[String]) -> Option<String> {
    prodpin::cli::command().try_get_matches_from(words).err().map(|error| error.render().to_string())
}

#[test]
fn commands_are_accepted_as_documents_print_them() {
    let Some(documents) = documents() else { return };
    let (mut seen, mut wrong) = (0, Vec::new());
    // The field guide speaks of commands that are planned as well.
    for (name, text) in documents.into_iter().filter(|(name, _)| name != "docs/field-guide.md") {
        for (began, lines) in blocks(&text, "sh") {
            for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("prodpin ")) {
                seen += 1;
                if let Some(refused) = refusal(&words(line)) {
                    wrong.push(format!("{name}:{}: {line}\n{refused}", began + index));
                }
            }
        }
        // Within sentences a command may be cut short; what is there must exist.
        for code in text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("prodpin ")) {
            let said = words(code);
            let Some(command) = said.get(1).filter(|word| word.chars().all(|letter| letter.is_ascii_lowercase()))
            else {
                continue;
            };
            seen += 1;
            let program = prodpin::cli::command();
            let Some(command) = program.find_subcommand(command) else {
                wrong.push(format!("{name}: {code}: there is no such command"));
                continue;
            };
            let flags: BTreeSet<&str> =
                command.get_arguments().chain(program.get_arguments()).filter_map(clap::Arg::get_long).collect();
            for flag in said.iter().filter_map(|word| word.strip_prefix("--")) {
                let flag = flag.split('=').next().unwrap_or(flag);
                if !flags.contains(flag) {
                    wrong.push(format!("{name}: {code}: there is no flag --{flag}"));
                }
            }
        }
    }
    assert!(seen > 100, "{seen} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A part of a policy is tried in a policy that has what else is needed.
const PARTS: &[(&str, &str)] = &[
    ("version", "1\n"),
    ("sources", "{ shop: { oci: \"https://registry.example.com\", repositories: [\"shop/*\"] } }\n"),
    ("production", "[{ tags: [\"v*\"] }]\n"),
];

#[test]
fn policies_are_valid_as_documents_print_them() {
    let Some(documents) = documents() else { return };
    let (mut seen, mut wrong) = (0, Vec::new());
    for (name, text) in documents {
        for (began, lines) in blocks(&text, "yaml") {
            // Of Kubernetes, not of prodpin.
            if lines.iter().any(|line| line.starts_with("resources:") || line.starts_with("apiVersion:")) {
                continue;
            }
            let mut policy = format!("{}\n", lines.join("\n"));
            for (key, value) in PARTS {
                if !lines.iter().any(|line| line.starts_with(&format!("{key}:"))) {
                    policy.push_str(&format!("{key}: {value}"));
                }
            }
            let environment = |_: &str| Some("https://hooks.example.com/0123456789abcdef0123456789".to_owned());
            seen += 1;
            if let Err(error) = prodpin::policy::parse(&policy, &format!("{name}:{began}"), &environment) {
                wrong.push(error.to_string());
            }
        }
    }
    assert!(seen > 40, "{seen} policies");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_lead_to_files_that_are_there() {
    let Some(documents) = documents() else { return };
    let (mut seen, mut wrong) = (0, Vec::new());
    for (name, text) in documents {
        let folder = Path::new(&name).parent().unwrap_or(Path::new("")).to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or(target);
            if path.is_empty() || path.contains("://") || path.contains('\n') {
                continue;
            }
            seen += 1;
            if !root().join(&folder).join(path).exists() {
                wrong.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(seen > 60, "{seen} links");
    assert!(wrong.is_empty(), "these lead nowhere:\n{}", wrong.join("\n"));
}

/// Folders below which a name in backticks is a path.
const FOLDERS: &[&str] =
    &["crates/", "src/", "tests/", "docs/", "policies/", "kubernetes/", "terraform/", "benches/", "examples/", ".ci/"];

/// The paths that a text names in backticks. A name with a placeholder or a pattern is none.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let codes = text.split('`').skip(1).step_by(2);
    let paths = codes.map(|code| code.split(['(', ' ']).next().unwrap_or(code));
    paths.filter(|path| {
        FOLDERS.iter().any(|folder| path.starts_with(folder)) && !path.contains(['*', '<', '…', '{', '$', ':'])
    })
}

#[test]
fn files_that_documents_and_comments_name_are_there() {
    let (Some(paths), Some(documents)) = (tracked(), documents()) else { return };
    let (mut seen, mut wrong) = (0, Vec::new());
    let exists = |path: &str| root().join(path).exists();
    for name in paths.iter().filter(|name| name.ends_with(".rs") || name.ends_with(".sh") || name.ends_with(".toml")) {
        let mark = if name.ends_with(".rs") { "//" } else { "#" };
        for (index, line) in read(name).lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(mark)) {
            for path in named(line) {
                seen += 1;
                // A crate's own files by the path in it.
                let own = name.split("/src/").next().map(|start| format!("{start}/{path}"));
                if !exists(path) && !own.is_some_and(|own| exists(&own)) {
                    wrong.push(format!("{name}:{}: {path}", index + 1));
                }
            }
        }
    }
    // The field guide names files of other projects too.
    for (name, text) in documents.into_iter().filter(|(name, _)| name != "docs/field-guide.md") {
        // In a folder's own document a path may begin there.
        let folder = Path::new(&name).parent().unwrap_or(Path::new("")).to_owned();
        // Blocks are no text, and their fences are of the marks that names stand between.
        let mut is_block = false;
        for line in text.lines() {
            if line.starts_with("```") {
                is_block = !is_block;
            } else if !is_block {
                for path in named(line).filter(|path| !path.contains("CODE")) {
                    seen += 1;
                    if !exists(path) && !root().join(&folder).join(path).exists() {
                        wrong.push(format!("{name}: {path}"));
                    }
                }
            }
        }
    }
    assert!(seen > 80, "{seen} paths");
    assert!(wrong.is_empty(), "these are not there:\n{}", wrong.join("\n"));
}

/// Where bytes that are no text are meant: recordings, and ledgers as earlier releases wrote them.
const MEANT: &[&str] = &[
    "crates/core/fixtures/",
    "crates/schema/tests/corpus/",
    "tests/suite/engines/recorded/",
    "tests/suite/ledger/earlier/",
];

fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

#[test]
fn nothing_but_text_is_tracked() {
    let Some(tracked) = tracked() else { return };
    let mut found = Vec::new();
    for name in tracked.iter().filter(|name| !MEANT.iter().any(|folder| name.starts_with(folder))) {
        if !is_text(&fs::read(root().join(name)).expect("a file")) {
            found.push(name.clone());
        }
    }
    assert!(found.is_empty(), "binary files do not belong here:\n{}", found.join("\n"));
    for folder in MEANT {
        let there =
            tracked.iter().any(|name| name.starts_with(folder) && !is_text(&fs::read(root().join(name)).unwrap()));
        assert!(there, "{folder} holds text alone: take it off the list");
    }
}

/// The checks themselves must be able to fail.
#[test]
fn the_document_checks_see_what_they_look_for() {
    assert_eq!(words("prodpin audit 'a b' --x \"c#d\" # no | more"), ["prodpin", "audit", "a b", "--x", "c#d"]);
    let refused = |line| refusal(&words(line)).is_some();
    assert!(!refused("prodpin ready shop/api --format json"));
    assert!(refused("prodpin ready shop/api --no-such-flag"));
    assert!(refused("prodpin nothing"));
    let text = "a\n```sh\nprodpin audit\n```\n```yaml\nversion: 1\n```\n";
    assert_eq!(blocks(text, "sh"), [(3, vec!["prodpin audit"])]);
    assert_eq!(blocks(text, "yaml"), [(6, vec!["version: 1"])]);
    let names: Vec<&str> =
        named("see `src/run.rs` (`open`), `crates/<kind>/`, `tests/run.sh --kube`, `run.rs`").collect();
    assert_eq!(names, ["src/run.rs", "tests/run.sh"]);
    assert!(is_text("ü\n".as_bytes()) && !is_text(b"PK\0") && !is_text(b"\xff\xfe"));
}

#[test]
fn the_page_of_controls_says_what_reports_say() {
    let page = std::fs::read_to_string(root().join("docs/compliance.md")).unwrap();
    for area in prodpin::model::ControlArea::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", area.as_str()))).expect("a row");
        let said: Vec<&str> = row.split(['|', ',']).map(str::trim).filter(|cell| !cell.is_empty()).skip(1).collect();
        let numbers: Vec<&str> = area.controls().iter().map(|control| control.number).collect();
        assert_eq!(said, numbers, "{area:?}");
        assert!(page.contains(&format!("- **{}**", area.as_str())), "{area:?}");
    }
}
