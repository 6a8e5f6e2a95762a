//! Whatever a registry calls its tags, no format lets it speak to a terminal, a spreadsheet, a browser or a chat (I19).

#![expect(clippy::unwrap_used, reason = "a test that cannot build its input should fail")]

use prodpin::model::{ArtifactId, Cause, Code, Finding, Gap, Mode, Obstacle, Scope, Severity, Tag};
use prodpin::outcome::report::{Document, LedgerSection, PinReport, Reason, RepositoryReport, Row, TargetReport};
use prodpin::report::body::Report;
use prodpin::report::escape;
use prodpin::report::render::{Format, Style};
use proptest::prelude::*;

use crate::reports::{WIDE, finding, manifest, report, run, service, shown, target};

/// What attackers, and careless people, put into names.
const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}[1;1Hall is well",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;https://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{9b}31m\u{9d}0;x\u{9c}",
    "v1\rv2",
    "v1\nREADY\r\n✓ ready  shop/checkout",
    "a\u{8}\u{7f}\0b",
    "\u{202e}gpj.exe\u{2066}\u{2069}\u{200f}",
    "zero\u{200b}\u{200d}\u{2060}\u{feff}width",
    "p\u{430}yments-\u{3bf}\u{ff41}",
    "line\u{2028}para\u{2029}\u{85}",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1,2)",
    "\t=1+1",
    "a;=1+1; @x",
    "\"quoted\",cell",
    "<script>alert(1)</script>",
    "</script><!--",
    "&lt;img src=x onerror=alert(1)&gt;",
    "|x|\n|---|\n|y|",
    "`code` ``and`` ```more",
    "[link](https://evil.example \"t\") ![i](//evil.example/i.png)",
    "https://evil.example www.evil.example a@evil.example",
    "@everyone @org/team #1 GH-1 !1 :tada: deadbeefcafe",
    "\\`\\|\\u{1b}",
    "# heading\n1. list\n- item\n> quote\n***\n~~x~~ $x$",
    " padded   5 of 5 protected ",
    "\u{a0}\u{3000}\u{2003}",
    "e\u{301}\u{20dd}\u{1f468}\u{200d}\u{1f469}",
    "%0d%0aSet-Cookie: x",
    "{\"a\":1}",
];

fn long() -> String {
    "\u{202e}x".repeat(250)
}

pub(crate) fn names() -> Vec<String> {
    HOSTILE.iter().map(|text| (*text).to_owned()).chain([long(), "x".repeat(1_000), "v".repeat(300)]).collect()
}

/// A report in which this text stands wherever text from outside can stand.
pub(crate) fn hostile(text: &str) -> Report {
    let tag: Tag = text.parse().unwrap();
    let name = text
        .replace("//", "/ /")
        .split('/')
        .map(|part| if part.is_empty() { "_" } else { part })
        .collect::<Vec<_>>()
        .join("/");
    let object = ArtifactId::ObjectVersion { key: tag.clone(), version: text.into() };
    let details = || text.to_owned();
    let reasons = vec![
        Reason::ReleaseTag { tag: tag.clone() },
        Reason::ReleasedAs { tag: tag.clone() },
        Reason::MovedIn { tag: tag.clone() },
        Reason::MovingTagNow { tag: tag.clone() },
        Reason::MovingTagBefore { tag: tag.clone() },
        Reason::Running { via: details() },
        Reason::RanBefore { via: details() },
    ];
    let obstacles = vec![
        Obstacle::WrongBytes { detail: details() },
        Obstacle::Archived { class: details() },
        Obstacle::Hidden { marker: details() },
        Obstacle::Lifecycle { rule: details(), effect: details(), due: None },
        Obstacle::PinMoved { to: details() },
        Obstacle::Unproven { detail: details() },
    ];
    let bad = |restorable| TargetReport {
        references: vec![tag.clone(), tag.clone()],
        reasons: reasons.clone(),
        pin: PinReport::Failed,
        restorable,
        protected: restorable,
        obstacles: obstacles.clone(),
        vault: None,
        ..target(2, object.clone(), "x")
    };
    let rows = [Some(false), None, Some(true)].into_iter().enumerate().map(|(place, restorable)| {
        let targets = vec![target(1, manifest(text), text), bad(restorable), bad(None)];
        let mut repository: RepositoryReport = service("shop", &format!("{name}{place}"), targets);
        repository.gaps = [Scope::Tag(tag.clone()), Scope::Artifact(object.clone()), Scope::Signal(details())]
            .map(|scope| Gap::new(scope, Cause::Malformed, text))
            .to_vec();
        let findings = vec![
            Finding {
                reference: Some(details()),
                artifact: Some(details()),
                previous: Some(details()),
                ..finding(Severity::Critical, Code::TagMoved, Some(&repository), text, text)
            },
            finding(
                Severity::High,
                Code::PinMissing,
                Some(&repository),
                &format!("tag {text} moved"),
                &format!("see {text}."),
            ),
        ];
        Row { repository: Some(repository), findings }
    });
    let loose =
        Row { repository: None, findings: vec![finding(Severity::Low, Code::InventoryIncomplete, None, text, text)] };
    let mut run = run(Mode::Audit, false, true);
    run.ledger =
        Some(LedgerSection { unanchored: Some(details()), ..LedgerSection::new(1, details(), Some(details())) });
    report(run, rows.chain([loose]))
}

/// What is neither printable ASCII, nor a line's end, nor one of the marks that prodpin itself makes.
fn foreign(text: &str, ours: &str) -> String {
    text.chars().filter(|shown| !matches!(shown, ' '..='~' | '\n') && !ours.contains(*shown)).collect()
}

#[test]
fn tables_hold_printable_ascii_and_our_own_marks_f74_f78() {
    for text in names() {
        for width in [24, 40, 80, usize::MAX] {
            let table = shown(Format::Table, &hostile(&text), Style { colour: false, width });
            assert_eq!(foreign(&table, "·…→×✗✓‼"), "", "{text:?} in\n{table}");
            let wide = table.lines().find(|line| unicode_width::UnicodeWidthStr::width(*line) > width);
            assert_eq!(wide, None, "{text:?} at {width}");
        }
        let coloured = shown(Format::Table, &hostile(&text), Style { colour: true, width: 80 });
        for sequence in coloured.split('\u{1b}').skip(1) {
            assert!(
                ["[0m", "[1m", "[2m", "[32m", "[1;31m", "[1;33m"].iter().any(|ours| sequence.starts_with(ours)),
                "{sequence:?}"
            );
        }
    }
}

#[test]
fn a_name_cannot_pass_for_a_line_of_the_table_f74() {
    let table = shown(Format::Table, &hostile("v1\n✓ ready  shop/checkout"), Style::UNBOUNDED);
    assert!(table.contains(r"v1\n\u{2713} ready\u{20}\u{20}shop/checkout"), "{table}");
    assert!(!table.lines().any(|line| line.starts_with("✓ ready")), "{table}");
}

#[test]
fn cells_are_text_f75() {
    for text in names() {
        let file = shown(Format::Csv, &hostile(&text), WIDE);
        assert_eq!(foreign(&file.replace("\r\n", "\n"), ""), "", "{text:?}");
        let mut reader = csv::Reader::from_reader(file.as_bytes());
        let columns = reader.headers().unwrap().len();
        let mut seen = 0;
        for line in reader.records() {
            let line = line.unwrap();
            assert_eq!(line.len(), columns);
            seen += 1;
            for cell in line.iter().flat_map(|cell| cell.split(';')) {
                assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            }
        }
        // The run, the loose finding, and for each of three repositories itself, 3 targets, 3 gaps and 2 findings.
        assert_eq!(seen, 2 + 3 * 9, "{text:?}");
    }
}

#[test]
fn json_is_inert_text_and_exact_f76() {
    for text in names() {
        let printed = shown(Format::Json, &hostile(&text), WIDE);
        assert_eq!(foreign(&printed, ""), "", "{text:?}");
        assert!(!printed.contains(['<', '>', '&']), "{text:?}");
        let document: Document = serde_json::from_str(&printed).unwrap();
        let original = hostile(&text);
        let rows: Vec<Row> = original.body.rows().collect::<Result<_, _>>().unwrap();
        let repositories: Vec<_> = rows.iter().filter_map(|row| row.repository.clone()).collect();
        assert_eq!(document.repositories, repositories);
        assert_eq!(document.run, original.run);
        let moved = document.findings.iter().find(|finding| finding.code == Code::TagMoved).unwrap();
        assert_eq!((&*moved.message, moved.reference.as_deref()), (&*text, Some(&*text)));
    }
}

/// What of a piece of Markdown lies outside its code spans.
fn active(markdown: &str) -> String {
    let pieces: Vec<&str> = markdown.split('`').collect();
    assert!(pieces.len() % 2 == 1, "a code span is left open: {markdown}");
    pieces.iter().step_by(2).copied().collect()
}

fn assert_inert(markdown: &str, of: &str) {
    let active = active(markdown);
    let own = ["INCOMPLETE.", "UNSIGNED.", "NOT COMPARED WITH THE ANCHOR:", "NOT THE LEDGER THAT IS REMEMBERED:"]
        .iter()
        .fold(active.clone(), |own, word| own.replace(&format!("> **{word}**"), ""));
    assert!(!own.contains(['<', '>', '@', '[', ']', '&', '~', '$', '_', '=']), "{of:?}: {active}");
    assert!(!own.contains("://") && !own.contains("www.") && !own.contains("!["), "{of:?}: {active}");
}

#[test]
fn markdown_outside_code_spans_says_only_words_f76() {
    for text in names() {
        let page = shown(Format::Markdown, &hostile(&text), WIDE);
        assert_eq!(foreign(&page, "·…→❌❔⚠\u{fe0f}✅‼"), "", "{text:?}");
        for line in page.lines() {
            assert_inert(line, &text);
            let heading = line.starts_with('#');
            assert!(
                !heading
                    || line.starts_with("## prodpin ")
                    || ["### Not read", "### Services", "### Weakest link", "### Findings"].contains(&line),
                "{line}"
            );
            assert!(!line.starts_with('|') || line.matches('|').count() == 7, "{text:?}: {line}");
        }
    }
}

/// Reads an escaped name back.
fn unescaped(shown: &str) -> String {
    let mut text = String::new();
    let mut rest = shown.chars();
    while let Some(character) = rest.next() {
        match (character, character == '\\') {
            (other, false) => text.push(other),
            (_, true) => match rest.next().unwrap() {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                '\\' => text.push('\\'),
                'u' => {
                    let digits: String = rest.by_ref().skip(1).take_while(|digit| *digit != '}').collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                }
                other => panic!("\\{other} is no escape"),
            },
        }
    }
    text
}

proptest! {
    #[test]
    fn a_name_is_shown_in_printable_ascii_and_can_be_read_back_f74_f78(text in any::<String>()) {
        let shown = escape::terminal_name(&text, usize::MAX);
        prop_assert_eq!(foreign(&shown, ""), "");
        prop_assert!(!shown.contains('\n'));
        prop_assert_eq!(unescaped(&shown), text);
    }

    #[test]
    fn a_name_keeps_to_its_columns(text in any::<String>(), columns in 1..60_usize) {
        let shown = escape::terminal_name(&text, columns);
        prop_assert!(unicode_width::UnicodeWidthStr::width(&*shown) <= columns, "{}", shown);
    }

    #[test]
    fn a_log_value_is_one_record_f77(text in any::<String>()) {
        let shown = escape::log(&text);
        prop_assert_eq!(foreign(&shown, "…→·"), "");
        prop_assert!(!shown.contains('\n'));
    }

    #[test]
    fn no_cell_starts_a_formula_f75(text in "[=+@;\t\r\n a-]{0,12}") {
        let cell = escape::csv(&text);
        prop_assert!(cell.split(';').all(|part| !part.trim_start().starts_with(['=', '+', '-', '@'])), "{}", cell);
        prop_assert_eq!(foreign(&cell, ""), "");
    }

    #[test]
    fn markdown_says_only_words(text in any::<String>(), name in "[`|<>@#:/\\\\a-c \\[\\]()!*_~.-]{0,30}") {
        for shown in [escape::markdown(&text), escape::markdown(&name), escape::markdown_name(&name, 99)] {
            prop_assert_eq!(foreign(&shown, "…→·"), "");
            prop_assert!(!shown.contains(['\n', '|', '<']), "{}", shown);
            assert_inert(&shown, &text);
            prop_assert!(!active(&shown).contains(['*', '#', '/', '!']), "{}", shown);
        }
    }
}
