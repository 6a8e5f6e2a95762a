//! Policies that are broken or hostile: what is no YAML, bombs, secrets, patterns that run away, any text at all.

use std::fmt::Write as _;

use prodpin::policy::load;
use proptest::prelude::*;

use super::{SECRET, good, oci, read, reported, with_lines, with_production, with_source};
use crate::support::each;

#[test]
fn a_variable_cannot_add_structure() {
    let policy = good(&with_source(
        "{ oci: https://r.example, repositories: [a], username: u, password: \"${PASSWORD}$$x$y\" }",
    ));
    let password = oci(&policy).password.as_ref().unwrap();
    assert_eq!(password.expose(), format!("{SECRET}\"], injected: [\"$x$y"));
    assert!(!format!("{policy:?}").contains(SECRET), "a secret is not printed by accident (I18)");
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused_f67() {
    let mut bomb = "version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        writeln!(bomb, "{name}: &{name} [{}]", vec![format!("*{before}"); 10].join(", ")).unwrap();
    }
    let deep = format!("version: 1\na: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    let deep_blocks = (0..10_000).fold(String::new(), |text, depth| text + &" ".repeat(depth.min(50)) + "- ") + "x";
    let wide = format!("version: 1\nsources: {{{}}}\n", "a: 1, ".repeat(150_000));
    let started = std::time::Instant::now();
    for text in [&bomb, &deep, &deep_blocks, &wide] {
        let errors = read(text).expect_err("a bomb was taken for a policy").to_string();
        assert!(errors.len() < 60_000, "{}", errors.len());
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    insta::assert_snapshot!(reported([&bomb, &deep]));
}

#[test]
fn what_is_no_yaml_is_told_where_it_stops_being_yaml_f66() {
    insta::assert_snapshot!(reported([
        "version: 1\n\tkeep: 5\n",
        "version: 1\nsources: { a: \n",
        "version: 1\nproduction: [{ tags: [*-prod] }]\n",
        "version: 1\nbase: &b { keep: 3 }\n<<: *b\n",
        "version: 1\n---\nversion: 1\n",
        "version: 1\nkeep: \"5\n",
    ]));
}

#[test]
fn patterns_are_capped_and_never_run_away_f70() {
    let hostile = format!("\"{}\"", "*a".repeat(255));
    let policy = good(&with_source(&format!("{{ oci: https://r.example, repositories: [{hostile}] }}")));
    let started = std::time::Instant::now();
    assert!(!oci(&policy).repositories.matches(&("a".repeat(100_000) + "b")));
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());

    let many = vec!["x"; 1001].join(", ");
    for (list, reason) in [
        (format!("\"{}\"", "x*".repeat(300)), "longer than 512 bytes"),
        (many, "1000 is the most"),
        ("\"[z-a]\"".to_owned(), "[z-a]"),
        ("\"{a,b\"".to_owned(), "pattern"),
    ] {
        let errors = read(&with_source(&format!("{{ oci: https://r.example, repositories: [{list}] }}"))).unwrap_err();
        assert!(errors.to_string().contains(reason), "{errors}");
        assert!(errors.to_string().contains(":3:"), "{errors}");
    }
}

#[test]
fn secrets_in_urls_are_refused_and_redacted_f71() {
    let cases = [
        with_source("{ oci: \"https://bot:hunter2@r.example\", repositories: [a] }"),
        with_source("{ oci: \"https://hunter2@r.example\", repositories: [a] }"),
        with_source("{ oci: \"https://bot:hun/ter@hunter2@r.example\", repositories: [a] }"),
        with_source("{ s3: acme, layout: \"{repository}/{version}\", endpoint: \"https://bot:hunter2@s3.example\" }"),
        with_lines("production: [{ tags: [v*] }]\nledger: s3://bot:hunter2@bucket/x"),
        // Other mistakes on a line with a secret, or inside one.
        with_source("{ oci: https://r.example, repositories: [a], username: u, password: hunter2, kep: 5 }"),
        with_source("{ oci: https://r.example, repositories: [a], \"password\" : 'hunter2', username: u, kep: 5 }"),
        with_source(
            "\n    oci: https://r.example\n    repositories: [a]\n    username: u\n    password: |\n      hunter2\n     hunter2: [\n",
        ),
        with_source("{ oci: https://r.example, repositories: [a], password hunter2"),
        with_source(
            "{ oci: https://r.example, repositories: [a], order: \"x password: hunter2\", \"password hunter2\": 1 }",
        ),
    ];
    let page = reported(&cases);
    let shown: String = page
        .split("=".repeat(72).as_str())
        .filter_map(|case| case.split_once("\n\n"))
        .map(|(_, reported)| reported)
        .collect();
    assert!(!shown.contains(SECRET) && !shown.contains("hun/ter"), "{shown}");
    insta::assert_snapshot!(shown);

    let policy = good(&with_source("{ oci: \"http://r.example\", repositories: [a], username: u, password: hunter2 }"));
    assert_eq!(policy.warnings.len(), 2, "{:?}", policy.warnings);
    assert!(!policy.warnings.concat().contains(SECRET));
}

#[test]
fn a_hostile_source_line_cannot_steer_the_terminal_f74_f78() {
    let errors =
        read(&with_lines("production: [{ tags: [v*] }]\n\"k\\e[2J\u{202e}\": \u{200b}x")).unwrap_err().to_string();
    assert!(
        !errors.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}' || c == '\u{200b}'),
        "{errors:?}"
    );
    let long =
        read(&with_source(&format!("{{ oci: https://r.example, repositories: [{}], kep: 1 }}", "a,".repeat(900))))
            .unwrap_err();
    assert!(each(long.to_string().lines(), |line| line.chars().count() < 160), "{long}");
}

#[test]
fn files_that_are_no_policy_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("latin1.yaml"), b"version: 1 # \xe9").unwrap();
    std::fs::File::create(path("huge.yaml")).unwrap().set_len(2 << 20).unwrap();
    let mut page = String::new();
    for name in ["missing.yaml", "", "latin1.yaml", "huge.yaml"] {
        let error = load(&path(name)).unwrap_err().to_string();
        writeln!(page, "{}", error.replace(&*directory.path().to_string_lossy(), "DIRECTORY")).unwrap();
    }
    insta::assert_snapshot!(page);
    std::fs::write(path("bom.yaml"), format!("\u{feff}{}", with_production("[{ tags: [v*] }]").replace('\n', "\r\n")))
        .unwrap();
    load(&path("bom.yaml")).unwrap();
}

/// Lines to put things between; the secret's own lines stay as they are.
const LINES: [&str; 9] = [
    "version: 1",
    "sources:",
    "  shop:",
    "    oci: https://bot:hunter2@r.example",
    "    repositories: [a, \"b/*\"]",
    "    username: u",
    "    password: hunter2",
    "production:",
    "  - { tags: [v*], order: semver }",
];

proptest! {
    #[test]
    fn no_text_panics_and_errors_stay_short(text in "\\PC{0,200}") {
        if let Err(errors) = read(&text) {
            prop_assert!(errors.to_string().len() < 60_000);
        }
    }

    #[test]
    fn no_slip_shows_a_secret_f71(slips in prop::collection::vec((0..LINES.len(), "[ \\[\\]{}:\"'|>&*!?,#\na-z-]{0,6}"), 1..4)) {
        let mut lines: Vec<String> = LINES.map(str::to_owned).to_vec();
        for (at, slip) in slips {
            lines[at] = format!("{slip}\n{}", lines[at]);
        }
        match read(&lines.join("\n")) {
            Ok(policy) => {
                let shown = format!("{policy:?}");
                prop_assert!(!shown.contains(SECRET));
            }
            Err(errors) => prop_assert!(!errors.to_string().contains(SECRET), "{}", errors),
        }
    }
}
