//! What changed between two reports.

use prodpin::report::diff::{Change, Diff};

use super::*;
use crate::reports::report;

fn with(number: usize, findings: &[(Code, &str)], complete: bool) -> Row {
    let mut row = estate_row(number);
    let repository = row.repository.as_mut().unwrap();
    repository.complete = complete;
    row.findings = findings
        .iter()
        .map(|(code, reference)| Finding {
            reference: Some((*reference).to_owned()),
            ..finding(Severity::High, *code, Some(repository), "found", "look")
        })
        .collect();
    row
}

fn reported(since: &[Row], now: &[Row]) -> Vec<(Change, String)> {
    let of = |rows: &[Row]| report(run(Mode::Audit, true, true), rows.to_vec());
    let (since, now) = (of(since), of(now));
    Diff::new(&since, &now)
        .changes()
        .map(|changed| changed.map(|each| (each.change, each.finding.reference.unwrap())))
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn new_open_and_resolved_are_told_apart() {
    let (pin, depth) = (Code::PinMissing, Code::RollbackDepthShort);
    let since = [with(0, &[(pin, "a"), (pin, "b")], true), with(2, &[(depth, "c")], true)];
    let now = [with(0, &[(pin, "b"), (pin, "d")], true), with(2, &[], true), with(4, &[(pin, "e")], true)];
    let mut reported = reported(&since, &now);
    reported.sort_by(|a, b| a.1.cmp(&b.1));
    let expected =
        [("a", Change::Resolved), ("b", Change::Open), ("c", Change::Resolved), ("d", Change::New), ("e", Change::New)];
    assert_eq!(reported, expected.map(|(name, change)| (change, name.to_owned())));
}

/// A move is not taken back by time, whatever it moved: a tag, an object, a chart.
#[test]
fn what_happened_is_past_and_what_was_the_case_is_resolved() {
    for code in Code::ALL {
        let expected = if code.is_event() { Change::Past } else { Change::Resolved };
        let reported = reported(&[with(0, &[(*code, "a")], true)], &[with(0, &[], true)]);
        assert_eq!(reported, [(expected, "a".to_owned())], "{code}");
    }
    assert!(Code::ChartRepublished.is_event() && !Code::ChartDigestMismatch.is_event());
}

#[test]
fn what_was_not_seen_whole_or_not_looked_at_is_not_resolved_i4() {
    let pin = Code::PinMissing;
    let since = [with(0, &[(pin, "a")], true), with(2, &[(pin, "b")], true)];
    assert_eq!(
        reported(&since, &[with(0, &[], false)]),
        [(Change::Unsettled, "a".to_owned()), (Change::Unsettled, "b".to_owned())]
    );
}

#[test]
fn what_happened_once_is_not_called_resolved() {
    assert_eq!(
        reported(&[with(0, &[(Code::TagMoved, "v1")], true)], &[with(0, &[], true)]),
        [(Change::Past, "v1".to_owned())]
    );
    assert_eq!(
        reported(&[with(0, &[], true)], &[with(0, &[(Code::TagMoved, "v1")], true)]),
        [(Change::New, "v1".to_owned())]
    );
}

#[test]
fn every_form_of_it_can_be_written_and_hostile_names_stay_inert_i19() {
    for text in crate::hostile_output::names() {
        let hostile = crate::hostile_output::hostile(&text);
        let empty = report(run(Mode::Audit, true, true), []);
        for format in Diff::FORMATS {
            let mut out = Vec::new();
            Diff::new(&empty, &hostile).write(format, &mut out).unwrap();
            let page = String::from_utf8(out).unwrap();
            assert!(
                each(page.chars(), |shown| matches!(shown, ' '..='~' | '\n') || "·…→×".contains(shown)),
                "{text:?}: {page}"
            );
            assert!(format != Format::Json || serde_json::from_str::<Value>(&page).is_ok());
        }
    }
}
