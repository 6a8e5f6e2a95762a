//! `prodpin forecast`: what is reported before a rule acts, in every format, and what is left untouched by telling it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use prodpin::decide::lifecycle::TriedRules;
use prodpin::model::{Cause, Effect, Gap, Scope, Setting, Severity};
use prodpin::outcome::forecast::{Preview, RepositoryForecast, RulesFound, TargetOutlook};
use prodpin::report::forecast::{ForecastFormat, render};
use prodpin::report::render::Style;
use prodpin::run::{Forecast, ForecastOptions, Wanted};
use prodpin::sources::Rehearsed;
use prodpin::sources::memory::{EcrTerms, index};

use crate::estate::{Estate, REPOSITORY};
use crate::scenarios_ecr::{dateless, lifecycle, rule};
use crate::support::each;

fn claim() -> String {
    rule(1, "prod-pinned-*", "imageCountMoreThan", 9_999)
}

fn shown(estate: &Estate, forecast: &Forecast, format: ForecastFormat) -> String {
    let mut out = Vec::new();
    render(format, &forecast.report, Style { colour: false, width: 120 }, &mut out).unwrap();
    dateless(&estate.named(String::from_utf8(out).unwrap()))
}

fn only(forecast: &Forecast) -> RepositoryForecast {
    forecast.report.rows().next().unwrap().unwrap()
}

/// Seven releases, one of them pinned, some development images and an untagged one, under rules that take most.
fn busy() -> Estate {
    let rules = [
        rule(1, "untagged", "sinceImagePushed", 7),
        rule(2, "dev-*", "imageCountMoreThan", 1),
        rule(3, "v*", "sinceImagePushed", 36_500),
        rule(4, "release-*", "imageCountMoreThan", 3),
    ];
    let mut estate = Estate::in_ecr(3, "2026-01-01", lifecycle(&rules));
    for (day, name) in (3..).zip(["one", "two", "three"]) {
        estate.memory.set_time(format!("2026-01-0{day}T00:00:00Z").parse().unwrap());
        estate.push(&format!("dev-{name}"), name);
    }
    estate.memory.push_untagged(REPOSITORY, "left over");
    estate
}

#[tokio::test]
async fn what_is_lost_is_told_with_date_rule_and_remedy() {
    let estate = busy();
    let at = "2126-01-01T00:00:00Z".parse().unwrap();
    let forecast = estate.forecast(ForecastOptions { as_of: Some(at), ..ForecastOptions::default() }).await;
    let row = only(&forecast);
    assert!(each(row.targets.iter(), |target| target.outlook == Some(TargetOutlook::Gone)));
    assert_eq!(row.others.unwrap().now.deleted, 3, "two development images, and the one without a tag");
    assert_eq!(forecast.report.summary.severities.with_severity(Severity::High), 3);
    insta::assert_snapshot!("forecast_table", shown(&estate, &forecast, ForecastFormat::Table));
    insta::assert_snapshot!("forecast_markdown", shown(&estate, &forecast, ForecastFormat::Markdown));
    insta::assert_snapshot!("forecast_json", shown(&estate, &forecast, ForecastFormat::Json));
}

#[tokio::test]
async fn what_only_a_pin_would_save_is_told_so() {
    let estate = Estate::in_ecr(2, "2020-01-01", lifecycle(&[claim(), rule(2, "v*", "sinceImagePushed", 30)]));
    let at = Some("2126-01-01T00:00:00Z".parse().unwrap());
    let before = estate.forecast(ForecastOptions { as_of: at, ..ForecastOptions::default() }).await;
    assert!(each(only(&before).targets.iter(), |target| target.outlook == Some(TargetOutlook::LostUnlessPinned)));
    assert_eq!(before.report.summary.severities.with_severity(Severity::Critical), 2);
    estate.enforce().await;
    let after = estate.forecast(ForecastOptions { as_of: at, ..ForecastOptions::default() }).await;
    assert!(each(only(&after).targets.iter(), |target| target.outlook == Some(TargetOutlook::Stays)));
    assert_eq!(after.report.summary.threatened, 0);
    let reported = [&before, &after].map(|forecast| shown(&estate, forecast, ForecastFormat::Table));
    insta::assert_snapshot!(reported.join("--- after enforce\n"));
}

/// A forecast must not leave anything behind, and needs no ledger (F63).
#[tokio::test]
async fn nothing_is_recorded_or_changed_f63() {
    let estate = busy();
    estate.forecast(ForecastOptions::default()).await;
    assert!(!estate.ledger_directory().exists());
    assert!(estate.memory.calls().is_empty());
    estate.enforce().await;
    let (events, calls) = (estate.events().await, estate.memory.calls().len());
    estate.forecast(ForecastOptions::default()).await;
    assert_eq!((estate.events().await, estate.memory.calls().len()), (events, calls));
}

#[tokio::test]
async fn what_is_not_known_is_never_spared_a54() {
    let unread = Estate::in_ecr(2, "2026-01-01", EcrTerms { lifecycle: Setting::Unknown, ..EcrTerms::default() });
    let plain = Estate::with_releases(2);
    let unset = Estate::in_ecr(2, "2026-01-01", EcrTerms::default());
    let mut reported = Vec::new();
    for (estate, complete) in [(&unread, false), (&plain, true), (&unset, true)] {
        let forecast = estate.forecast(ForecastOptions::default()).await;
        assert_eq!(forecast.report.section.complete, complete);
        reported.push(shown(estate, &forecast, ForecastFormat::Table));
        if !std::ptr::eq(estate, &raw const unset) {
            let page = reported.last().unwrap();
            assert!(!page.to_lowercase().contains("spared") && !page.contains("safe.\n\nSPARED"), "{page}");
        }
    }
    insta::assert_snapshot!(reported.join("--- another estate\n"));
}

#[tokio::test]
async fn rules_can_be_tried_before_they_are_applied() {
    let estate = Estate::in_ecr(3, "2020-01-01", lifecycle(&[claim()]));
    estate.enforce().await;
    let text = format!(r#"{{"rules": [{}]}}"#, rule(1, "v*", "imageCountMoreThan", 1));
    let tried = Some(TriedRules::read(&text).unwrap());
    let forecast = estate.forecast(ForecastOptions { tried, ..ForecastOptions::default() }).await;
    let row = only(&forecast);
    assert_eq!(row.rules, RulesFound::Tried);
    assert_eq!(row.targets.iter().filter(|target| target.severity == Some(Severity::Critical)).count(), 2);
    let live = estate.forecast(ForecastOptions::default()).await;
    assert_eq!((only(&live).rules, live.report.summary.threatened), (RulesFound::Live, 0));
}

#[tokio::test]
async fn the_source_s_own_preview_is_compared_both_ways() {
    let mut estate = Estate::in_ecr(3, "2020-01-01", lifecycle(&[rule(1, "v1.0*", "sinceImagePushed", 30)]));
    let other = estate.push_content("v2.0.0", "index", index("two platforms"));
    let lost = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    let rehearsed = |artifact, rule: &str| Rehearsed { artifact, effect: Effect::Deletes, rule: Some(rule.to_owned()) };
    let confirm = || ForecastOptions { confirm: true, ..ForecastOptions::default() };
    estate.memory.set_preview(REPOSITORY, vec![rehearsed(lost.clone(), "1")]);
    let agreed = only(&estate.forecast(confirm()).await).preview.unwrap();
    assert!(
        matches!(&agreed, Preview::Compared { agreed: 1, differences, .. } if differences.is_empty()),
        "{agreed:?}"
    );
    estate.memory.set_preview(REPOSITORY, vec![rehearsed(other, "1")]);
    let forecast = estate.forecast(confirm()).await;
    insta::assert_snapshot!(shown(&estate, &forecast, ForecastFormat::Table));
    let denied = Estate::in_ecr(1, "2020-01-01", lifecycle(&[claim()])).forecast(confirm()).await;
    assert!(matches!(only(&denied).preview, Some(Preview::Failed { .. })));
    assert!(!denied.report.section.complete);
}

#[tokio::test]
async fn only_what_was_asked_for_is_looked_at_and_what_is_not_there_is_told_f73() {
    let estate = Estate::in_ecr(1, "2026-01-01", EcrTerms::default());
    estate.memory.push("shop/web", "v1", "web");
    let wanted = ["shop/web", "shop/wbe", "shop/shop/*"].map(|text| Wanted::new(text).unwrap()).to_vec();
    let forecast = estate.forecast(ForecastOptions { repositories: wanted, ..ForecastOptions::default() }).await;
    let names: Vec<String> = forecast.report.rows().map(|row| row.unwrap().name.to_string()).collect();
    assert_eq!(names, ["shop/api", "shop/web"]);
    assert_eq!(forecast.unmatched.len(), 1);
    assert_eq!(forecast.unmatched[0].asked, "shop/wbe");
    assert_eq!(forecast.unmatched[0].near, ["shop/web"], "what was perhaps meant");
}

/// Rules that no repository takes were not judged, and no totals say that they spare anything.
#[tokio::test]
async fn rules_that_no_repository_takes_are_not_judged() {
    let estate = Estate::with_releases(3);
    let text = format!(r#"{{"rules": [{}]}}"#, rule(1, "v*", "imageCountMoreThan", 1));
    let tried = Some(TriedRules::read(&text).unwrap());
    let forecast = estate.forecast(ForecastOptions { tried: tried.clone(), ..ForecastOptions::default() }).await;
    assert_eq!((forecast.tried, only(&forecast).rules), (0, RulesFound::NoneReadable));
    for format in [ForecastFormat::Table, ForecastFormat::Markdown] {
        let page = shown(&estate, &forecast, format);
        assert!(page.contains("was not judged") && !page.contains("rules reach 0"), "{page}");
    }
    let estate = Estate::in_ecr(3, "2020-01-01", lifecycle(&[claim()]));
    assert_eq!(estate.forecast(ForecastOptions { tried, ..ForecastOptions::default() }).await.tried, 1);
}

#[tokio::test]
async fn what_is_recommended_makes_pins_hold() {
    let rules = [rule(1, "v*", "sinceImagePushed", 30), rule(2, "any", "imageCountMoreThan", 1)];
    let estate = Estate::in_ecr(5, "2020-01-01", lifecycle(&rules));
    let recommended = estate.recommended().await;
    let text = recommended.policies.into_values().next().unwrap().unwrap();
    let tried = Some(TriedRules::read(&text).unwrap());
    estate.enforce().await;
    let forecast = estate.forecast(ForecastOptions { tried, ..ForecastOptions::default() }).await;
    assert_eq!(forecast.report.summary.threatened, 0, "{}", shown(&estate, &forecast, ForecastFormat::Table));
    assert_eq!(estate.forecast(ForecastOptions::default()).await.report.summary.threatened, 5);
}

/// Whatever stands in a rule, a tag or an answer, the terminal is reported nothing by it (I19, F74).
#[tokio::test]
async fn hostile_text_reaches_no_terminal_i19() {
    let text = lifecycle(&[rule(1, "v*", "sinceImagePushed", 30).replace("\"expire\"", "\"\\u001b[2Jgone\\u202e\"")]);
    let mut estate = Estate::in_ecr(1, "2026-01-01", text);
    estate.push("v9\u{1b}[2J", "hostile");
    let mut forecast = estate.forecast(ForecastOptions { confirm: true, ..ForecastOptions::default() }).await;
    forecast.report.section.gaps.push(Gap::new(Scope::Source, Cause::Denied, "no\u{1b}]0;x\u{7}\n✓ SPARED"));
    for format in [ForecastFormat::Table, ForecastFormat::Markdown, ForecastFormat::Json] {
        let page = shown(&estate, &forecast, format);
        assert!(!page.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{page}");
        assert!(!page.lines().any(|line| line.starts_with("✓ SPARED")), "{page}");
    }
}

#[tokio::test]
async fn json_forecasts_follow_their_schema() {
    let schema = serde_json::to_value(prodpin::report::schema::forecast_schema()).unwrap();
    let at = Some("2126-01-01T00:00:00Z".parse().unwrap());
    for estate in [busy(), Estate::with_releases(2), Estate::in_ecr(1, "2026-01-01", EcrTerms::default())] {
        let options = ForecastOptions { as_of: at, confirm: true, ..ForecastOptions::default() };
        for options in [options, ForecastOptions::default()] {
            let forecast = estate.forecast(options).await;
            let mut out = Vec::new();
            render(ForecastFormat::Json, &forecast.report, Style::UNBOUNDED, &mut out).unwrap();
            let document = serde_json::from_slice(&out).unwrap();
            crate::reports::check(&document, &schema, &schema, "forecast").unwrap();
        }
    }
}

/// The published schema is the one of this program. `UPDATE_SCHEMAS=1` writes it anew.
#[test]
fn the_published_forecast_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/forecast.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(path, prodpin::report::schema::forecast_text()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    assert_eq!(published, prodpin::report::schema::forecast_text(), "write it anew with UPDATE_SCHEMAS=1");
}

fn prodpin(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_command_s_exit_statuses_and_streams() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let closed = "version: 1\nsources: { shop: { oci: \"http://127.0.0.1:9\", repositories: [shop/api] } }\nproduction: [{ tags: [v*] }]\n";
    write("prodpin.yaml", closed);
    write("good.json", &format!(r#"{{"rules": [{}]}}"#, rule(7, "v*", "imageCountMoreThan", 3)));
    write("bad.json", &format!(r#"{{"rules": [{}]}}"#, rule(7, "v*", "imageCountMoreThan", 0)));
    let run = |arguments: &[&str]| {
        let output = prodpin(directory.path(), &[&["forecast"], arguments].concat());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, stdout, stderr) = run(&["--lifecycle", "bad.json"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("bad.json") && stderr.contains("rule 7"), "{stderr}");
    let (code, stdout, stderr) = run(&["--recommend", "--lifecycle", "good.json"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let policy: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(policy["rules"][0]["selection"]["tagPatternList"], serde_json::json!(["prod-pinned-*"]));
    assert_eq!(policy["rules"].as_array().unwrap().len(), 2);
    for arguments in [
        &["--as-of", "yesterday"][..],
        &["--as-of", "2020-01-01"],
        &["--lifecycle", "missing.json"],
        &["--recommend", "--confirm"],
        &["--source", "other"],
        &["!"],
        &["--format", "csv"],
    ] {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
    }
    let (code, stdout, _) = run(&["--ledger", "none", "--quiet"]);
    assert_eq!(code, 1, "what cannot be reached is incomplete: {stdout}");
    assert!(stdout.contains("INCOMPLETE"), "{stdout}");
    assert_eq!(run(&["--recommend", "--quiet"]).0, 1);
}
