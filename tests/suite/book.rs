//! The book in the repository: what comments and test names cite exists, what users read cites nothing, and every code of a
//! finding has its page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use prodpin::model::Code;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The letters of the chapters, and of invariants and faults.
const CHAPTERS: &str = "ABCDEFGHIJKLNP";

/// Whether a word is a code of the book, such as `A15`, `I22` or `K53b`.
fn is_code(word: &str) -> bool {
    let mut letters = word.chars();
    if !letters.next().is_some_and(|first| CHAPTERS.contains(first)) {
        return false;
    }
    let rest = letters.as_str();
    let digits = rest.trim_end_matches(|last: char| last.is_ascii_lowercase());
    let appendix = rest.len() - digits.len();
    (1..=3).contains(&digits.len()) && digits.chars().all(|digit| digit.is_ascii_digit()) && appendix <= 1
}

/// The codes in a comment, `A15` as well as `(F48, I4)`; not those that are part of a path, a version or a longer name.
fn cited(comment: &str) -> Vec<String> {
    let joins = |letter: char| letter.is_alphanumeric() || "_/.#`\"'-".contains(letter);
    let words = comment.split(|letter: char| !joins(letter)).map(|word| word.trim_end_matches('.'));
    words.filter(|word| is_code(word)).map(str::to_owned).collect()
}

/// The comment on a line of source, if it has one.
fn comment(line: &str) -> Option<&str> {
    let mut starts = line.match_indices("//").map(|(at, _)| at);
    let at = starts.find(|at| !line[..*at].ends_with(':'))?;
    Some(&line[at..])
}

/// The codes in the name of a test, as in `a_pin_is_refused_i22_f116`.
fn in_name(line: &str) -> Vec<String> {
    let Some((_, declared)) = line.split_once("fn ") else { return Vec::new() };
    let name: String = declared.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let parts = name.split('_').skip(1).filter(|part| part.starts_with(|first: char| first.is_ascii_lowercase()));
    let raised = parts.map(|part| part[..1].to_uppercase() + &part[1..]);
    raised.filter(|part| is_code(part)).collect()
}

/// Every code that a file cites, with the line.
fn citations(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_test = false;
    for (index, line) in text.lines().enumerate() {
        let mut codes = comment(line).map(cited).unwrap_or_default();
        let code = line.trim_start();
        if code.starts_with("#[") {
            is_test |= code.contains("test");
        } else if !code.starts_with("//") {
            if is_test {
                codes.extend(in_name(code));
            }
            is_test = false;
        }
        found.extend(codes.into_iter().map(|code| (index + 1, code)));
    }
    found
}

/// The entries of the two documents: each stands once, as a list item that begins with its code.
fn entries() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for document in ["docs/field-guide.md", "docs/invariants.md"] {
        for line in read(&root(document)).lines() {
            let Some(rest) = line.strip_prefix("- **") else { continue };
            let Some((code, _)) = rest.split_once("**") else { continue };
            if is_code(code) {
                assert!(found.insert(code.to_owned()), "{code} stands twice; the second time in {document}");
            }
        }
    }
    found
}

#[test]
fn every_code_that_is_cited_is_in_the_book() {
    let entries = entries();
    assert!(entries.len() > 400, "only {} entries: the documents have another form", entries.len());
    let (mut read_files, mut seen, mut missing) = (0, BTreeSet::new(), Vec::new());
    for folder in ["crates", "src", "tests"] {
        for path in files(&root(folder), ".rs") {
            read_files += 1;
            for (line, code) in citations(&read(&path)) {
                if !entries.contains(&code) {
                    missing.push(format!("{}:{line}: {code}", path.display()));
                }
                seen.insert(code);
            }
        }
    }
    assert!(read_files > 300 && seen.len() > 200, "{read_files} files cite {} codes: too few", seen.len());
    assert!(missing.is_empty(), "neither docs/field-guide.md nor docs/invariants.md has:\n{}", missing.join("\n"));
}

/// Every text between quotes in a source, with the line on which it begins; comments are left out.
fn literals(text: &str) -> Vec<(usize, String)> {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let (mut found, mut index, mut line) = (Vec::new(), 0, 1);
    while index < letters.len() {
        let began = line;
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < letters.len() && at(index) != '\n' {
                    index += 1;
                }
                continue;
            }
            // A character, and not a lifetime.
            '\'' if at(index + 1) == '\\' => {
                index += 3;
                while index < letters.len() && at(index) != '\'' {
                    index += 1;
                }
            }
            '\'' if at(index + 2) == '\'' => index += 2,
            '"' => {
                // What stands before a raw text: r, and perhaps marks.
                let mut marks = 0;
                while marks < index && at(index - marks - 1) == '#' {
                    marks += 1;
                }
                let is_raw = index > marks && at(index - marks - 1) == 'r';
                let marks = if is_raw { marks } else { 0 };
                let mut literal = String::new();
                index += 1;
                while index < letters.len() {
                    let letter = at(index);
                    if letter == '"' && (1..=marks).all(|mark| at(index + mark) == '#') {
                        index += marks;
                        break;
                    }
                    if letter == '\n' {
                        line += 1;
                    }
                    literal.push(letter);
                    if letter == '\\' && !is_raw {
                        index += 1;
                        literal.push(at(index));
                        if at(index) == '\n' {
                            line += 1;
                        }
                    }
                    index += 1;
                }
                found.push((began, literal));
            }
            '\n' => line += 1,
            _ => {}
        }
        index += 1;
    }
    found
}

/// The first code, or list of codes, in parentheses.
fn code_in_parentheses(text: &str) -> Option<&str> {
    text.match_indices('(').find_map(|(at, _)| {
        let inner = text[at + 1..].split_once(')')?.0;
        inner.split(',').all(|part| is_code(part.trim())).then_some(inner)
    })
}

#[test]
fn what_users_read_holds_no_code_of_the_book() {
    let (mut count, mut found) = (0, Vec::new());
    for folder in ["crates", "src"] {
        let sources = files(&root(folder), ".rs").into_iter();
        let is_test =
            |path: &Path| path.ends_with("tests.rs") || path.parent().is_some_and(|folder| folder.ends_with("tests"));
        for path in sources.filter(|path| !is_test(path.as_path())) {
            let text = read(&path);
            for (line, literal) in literals(&crate::purity::before_tests(&text).join("\n")) {
                count += 1;
                if let Some(code) = code_in_parentheses(&literal) {
                    found.push(format!("{}:{line}: ({code})", path.display()));
                }
            }
        }
    }
    // Documents for users: help texts, schemas, descriptions of variables, pages.
    let mut documents = files(&root("policies"), ".json");
    documents.extend([root("src/cli/arguments.rs"), root("README.md"), root("policies/s3/README.md")]);
    let of_builders = ["field-guide.md", "invariants.md", "architecture.md", "design-notes.md"];
    documents.extend(
        files(&root("docs"), ".md").into_iter().filter(|path| !of_builders.iter().any(|of| path.ends_with(of))),
    );
    for path in documents {
        for (index, line) in read(&path).lines().enumerate() {
            if let Some(code) = code_in_parentheses(line) {
                found.push(format!("{}:{}: ({code})", path.display(), index + 1));
            }
        }
    }
    for path in files(&root("terraform"), ".tf") {
        for (index, line) in read(&path).lines().enumerate() {
            let reported = line.trim_start();
            let is_reported = reported.starts_with("description") || reported.starts_with("error_message");
            if let Some(code) = code_in_parentheses(line).filter(|_| is_reported) {
                found.push(format!("{}:{}: ({code})", path.display(), index + 1));
            }
        }
    }
    assert!(count > 2000, "only {count} texts were found in the sources");
    assert!(found.is_empty(), "codes belong in comments and documents, not in what users read:\n{}", found.join("\n"));
}

const HEADINGS: [&str; 5] =
    ["What it means", "Why it matters at a rollback", "How to confirm", "How to fix", "How to waive"];

/// The page about a code.
fn page(code: Code) -> String {
    read(&root(&format!("docs/findings/{code}.md")))
}

#[test]
fn every_finding_has_its_page_and_no_page_is_left_over() {
    let pages: BTreeSet<String> = files(&root("docs/findings"), "")
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(pages, codes);
    for code in Code::ALL {
        let text = page(*code);
        assert_eq!(text.lines().next(), Some(format!("# {code}").as_str()));
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{code}");
        for part in text.split("\n## ").skip(1) {
            let words = part.split_whitespace().count();
            assert!(words >= 10, "{code}: {part}");
        }
        let words = text.split_whitespace().count();
        assert!((80..=280).contains(&words), "{code}: {words} words");
    }
}

#[test]
fn pages_name_commands_that_exist() {
    let program = prodpin::cli::command();
    let commands: BTreeSet<String> = program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut count = 0;
    for code in Code::ALL {
        let text = page(*code);
        for part in text.split("`prodpin ").skip(1) {
            let name: String = part.chars().take_while(|letter| letter.is_ascii_lowercase()).collect();
            assert!(commands.contains(&name), "{code}: prodpin {name}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

/// What a page says to add to the policy is taken as it stands.
#[test]
fn the_waivers_that_pages_show_are_accepted() {
    let mut policy = read(&root("policies/prodpin.yaml"));
    policy.push_str("\nwaivers:\n");
    let mut count = 0;
    for code in Code::ALL {
        let text = page(*code);
        let entry = text.lines().find(|line| line.starts_with("  - { code: "));
        if *code == Code::WaiverExpired {
            assert_eq!(entry, None, "it cannot be waived");
            continue;
        }
        let entry = entry.unwrap_or_else(|| panic!("{code} shows no waiver"));
        assert!(entry.starts_with(&format!("  - {{ code: {code}, ")), "{entry}");
        policy.push_str(entry);
        policy.push('\n');
        count += 1;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prodpin.yaml");
    fs::write(&path, policy).unwrap();
    let policy = prodpin::policy::load(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(policy.waivers.len(), count);
}

/// The checks themselves must be able to fail.
#[test]
fn the_book_checks_see_what_they_look_for() {
    for (comment, expected) in [
        ("// moved (F48, I4)", &["F48", "I4"][..]),
        ("/// See K53b.", &["K53b"]),
        ("// `A15` and E2E, v1.A2, crates/A1, H.265, I, P7777", &[]),
    ] {
        assert_eq!(cited(comment), expected, "{comment}");
    }
    assert_eq!(comment("let a = \"https://x\"; // I22"), Some("// I22"));
    assert_eq!(comment("let a = \"https://x\";"), None);
    let text = "#[test]\nfn a_pin_is_refused_i22_f116() {}\nfn not_i7() {}\n";
    assert_eq!(citations(text), [(2, "I22".to_owned()), (2, "F116".to_owned())]);
    let text = "let a = 'x'; // \"no\"\nfn f<'a>(b: &'a str) { g(\"one \\\" (I9)\", '\"', r#\"two \"x\" (F1)\"#) }";
    assert_eq!(literals(text), [(2, "one \\\" (I9)".to_owned()), (2, "two \"x\" (F1)".to_owned())]);
    assert_eq!(code_in_parentheses("it is gone (I12)"), Some("I12"));
    assert_eq!(code_in_parentheses("of (those) two (F1, K53b) told"), Some("F1, K53b"));
    assert_eq!(code_in_parentheses("exit (S3), f(), (A)"), None);
}
