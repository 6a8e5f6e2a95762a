//! Keys with very many versions.

use prodpin::decide::lifecycle::s3::{Key, Lifecycle, threats_to};
use prodpin::model::Versioning::Enabled;
use prodpin::model::{Due, Threat};

use crate::forecast_s3::world::*;

/// A key that was overwritten every hour for three years.
fn hourly(versions: i64) -> Key<'static> {
    let newest = at("2026-03-01T11:00:00Z");
    let written = |hours: i64| (newest - jiff::SignedDuration::from_hours(hours)).to_string();
    key((0..versions).map(|age| version(&format!("v{age}"), &written(age))))
}

/// Each of its days is worth a look at what is due on it, and no more.
#[test]
fn a_key_with_many_versions_is_judged_to_its_end_i20() {
    let many = hourly(26_280);
    let place = many.entries.len() - 1;
    for (days, keep_newer) in [(3650, 0), (3650, 100), (1, 30_000)] {
        let lifecycle = Lifecycle::new(&configuration([cleaning("clean", days, keep_newer)]));
        let threats = threats_to(&lifecycle, Some(Enabled), &many, place, now()).unwrap();
        let dated: Vec<&Threat> = threats.iter().filter(|threat| matches!(threat.due, Due::On(_) | Due::Now)).collect();
        let expected = (keep_newer < 30_000).then_some("2033-02-28T00:00:00Z");
        let due: Vec<Due> = dated.iter().map(|threat| threat.due.clone()).collect();
        assert_eq!(due, expected.map(|due| Due::On(at(due))).into_iter().collect::<Vec<_>>(), "{days} {keep_newer}");
    }
}

/// Nothing can stop the evaluation once it runs, and what it could not finish is unknown and never safe.
#[test]
fn a_key_that_would_take_too_long_to_judge_is_unknown_i20() {
    let many = hourly(5_000);
    let rules = (0..1000).map(|n| cleaning(&format!("clean {n}"), 3650, 0));
    let lifecycle = Lifecycle::new(&configuration(rules));
    assert_eq!(threats_to(&lifecycle, Some(Enabled), &many, 4_999, now()), None);
    assert!(threats_to(&lifecycle, Some(Enabled), &hourly(100), 99, now()).is_some());
}
