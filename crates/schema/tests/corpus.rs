//! Scores the classifier by migrations that were run on real databases (`corpus/README.md`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use prodpin_schema::{Dialect, Release, Report, Source, Verdict, chain, classify};
use serde_json::Value;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("a gzip of UTF-8");
    text
}

struct Case {
    id: String,
    dialect: Dialect,
    base: String,
    migration: String,
    expected: Verdict,
    needs: String,
}

fn verdict(text: &str) -> Verdict {
    text.trim_start_matches("expand-").parse().expect("a verdict")
}

fn cases() -> Vec<Case> {
    let mut bases = BTreeMap::new();
    let field = |case: &Value, name: &str| case[name].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
    let read = |line: &str| {
        let case: Value = serde_json::from_str(line).expect("a case");
        let base = field(&case, "base_schema_ref");
        let base = base.rsplit('/').next().expect("a name").to_owned();
        Case {
            id: field(&case, "id"),
            dialect: field(&case, "dialect").parse().expect("a dialect"),
            base: bases.entry(base.clone()).or_insert_with(|| fixture(&format!("{base}.gz"))).clone(),
            migration: field(&case, "migration"),
            expected: verdict(&field(&case, "expected")),
            needs: field(&case, "needs"),
        }
    };
    fixture("cases.jsonl.gz").lines().map(read).collect()
}

fn judge(case: &Case) -> Report {
    let base = Source { file: "base.sql", text: &case.base };
    let change = Source { file: "change.sql", text: &case.migration };
    classify(case.dialect, &[base], &[change])
}

/// Gravity, where `unknown` for a contract is counted apart: it is milder by name, and safe.
fn is_sound(answer: Verdict, expected: Verdict) -> bool {
    answer >= expected || answer == Verdict::Unknown
}

#[test]
fn every_answer_is_sound_most_are_exact_and_few_are_unknown() {
    let cases = cases();
    assert_eq!(cases.len(), 422);
    let (mut unsound, mut inexact, mut unknown) = (Vec::new(), Vec::new(), 0);
    let mut told = 0;
    for case in &cases {
        let report = judge(case);
        let answer = report.verdict;
        let line = || {
            format!(
                "{} expected {} answered {answer}\n{}\n  {:?}\n",
                case.id,
                case.expected,
                case.migration.trim(),
                report
                    .findings
                    .iter()
                    .map(|it| format!("{} {}: {}", it.verdict, it.object, it.why))
                    .collect::<Vec<_>>()
            )
        };
        if !is_sound(answer, case.expected) {
            unsound.push(line());
        }
        unknown += usize::from(answer == Verdict::Unknown);
        if matches!(case.needs.as_str(), "text" | "schema") {
            told += 1;
            if answer != case.expected {
                inexact.push(line());
            }
        }
    }
    assert!(unsound.is_empty(), "milder than the truth:\n{}", unsound.join("\n"));
    let exact = told - inexact.len();
    let score = format!("{exact} of {told} exact, {unknown} of {} unknown", cases.len());
    println!("{score}\n{}", inexact.join("\n"));
    assert!(exact * 100 >= told * 85, "{score}:\n{}", inexact.join("\n"));
    assert!(unknown * 100 <= cases.len() * 8, "{score}");
}

/// A base that the reader does not understand would leave every case without its schema.
#[test]
fn the_earlier_files_are_understood() {
    for (base, dialect) in
        [("pg_base", Dialect::Postgres), ("my_base", Dialect::Mariadb), ("lite_base", Dialect::Sqlite)]
    {
        let text = fixture(&format!("{base}.sql.gz"));
        let report = classify(dialect, &[], &[Source { file: "base.sql", text: &text }]);
        let unknown: Vec<_> = report
            .findings
            .iter()
            .filter(|it| it.why.contains("not understood") && !it.why.contains("trigger"))
            .collect();
        assert!(unknown.is_empty(), "{base}: {unknown:#?}");
    }
}

#[test]
fn every_chain_is_right() {
    let chains: Value = serde_json::from_str(&fixture("chains.json.gz")).expect("chains");
    let mut wrong = Vec::new();
    for it in chains.as_array().expect("a list") {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let base = text(&it["base"]);
        let releases: Vec<(String, String)> = it["releases"]
            .as_array()
            .expect("releases")
            .iter()
            .map(|release| (text(&release["n"]), text(&release["migration"])))
            .collect();
        for cell in it["matrix"].as_array().expect("a matrix") {
            let at =
                |name: &str| releases.iter().position(|(known, _)| *known == text(&cell[name])).expect("a release");
            let (schema, code) = (at("schema"), at("code"));
            let made = |(name, migration)| Release { name, migrations: vec![Source { file: name, text: migration }] };
            let chain_of: Vec<Release<'_>> =
                releases[..=schema].iter().map(|(name, text)| made((name.as_str(), text.as_str()))).collect();
            let base = [Source { file: "base.sql", text: &base }];
            let report = chain(Dialect::Postgres, &base, &chain_of, code);
            let works = cell["works"] == true;
            let right = if works { true } else { report.verdict >= Verdict::Caution };
            let mild = schema != code || report.verdict == Verdict::None;
            println!("{} {schema}->{code} works {works} {}", text(&it["id"]), report.verdict);
            if !right || !mild {
                wrong.push(format!(
                    "{} schema {schema} code {code}: works {works}, answered {}",
                    text(&it["id"]),
                    report.verdict
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
