//! Templates: what a rule retains of the artifacts that its selectors leave.

use jiff::Timestamp;

use super::failure::Failure;
use super::order;
use super::policy::RetentionRule;
use super::ties::{self, Open};
use super::times::Times;

/// A template with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Template {
    Always,
    /// The first so many, the latest first.
    Latest(By, i64),
    /// What was pushed after the moment so many days ago, to the nanosecond (J17).
    LastDays(i64),
    /// What happened in the second so many days ago, or since (J17).
    Since(By, i64),
}

/// Which of an artifact's times counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Pushed,
    Pulled,
    /// The later of both.
    Active,
}

impl By {
    pub(super) fn of(self, times: Times) -> i64 {
        match self {
            Self::Pushed => times.pushed,
            Self::Pulled => times.pulled,
            Self::Active => times.pushed.max(times.pulled),
        }
    }
}

impl Template {
    pub(super) fn build(rule: &RetentionRule) -> Result<Self, Failure> {
        let number = |default| number(rule, default);
        match rule.template.as_str() {
            "" => Err(Failure::TemplateEmpty),
            "always" => Ok(Self::Always),
            "latestPushedK" => Ok(Self::Latest(By::Pushed, number(10)?)),
            "latestPulledN" => Ok(Self::Latest(By::Pulled, number(10)?)),
            "latestActiveK" => Ok(Self::Latest(By::Active, number(10)?)),
            "lastXDays" => Ok(Self::LastDays(number(10)?)),
            "nDaysSinceLastPush" => Ok(Self::Since(By::Pushed, number(30)?)),
            "nDaysSinceLastPull" => Ok(Self::Since(By::Pulled, number(30)?)),
            _ => Err(Failure::TemplateNotRegistered),
        }
    }

    /// The rows that it retains of the selected ones, and which of them hang on the order among equals.
    pub(super) fn keep(self, mut selected: Vec<usize>, times: &[Times], now: Timestamp) -> (Vec<usize>, Open) {
        match self {
            Self::Always => {}
            Self::Latest(by, count) => {
                let key = |row: &usize| by.of(times[*row]);
                order::sort(&mut selected, &|a, b| key(a) > key(b));
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(selected.len());
                let open = ties::at_the_edge(&selected, count, &key);
                selected.truncate(count);
                return (selected, open);
            }
            Self::LastDays(days) => {
                let after = days_before(now, days);
                selected.retain(|row| i128::from(times[*row].pushed) * SECOND > after);
            }
            Self::Since(by, days) => {
                let from = days_before(now, days).div_euclid(SECOND);
                selected.retain(|row| i128::from(by.of(times[*row])) >= from);
            }
        }
        (selected, Open::default())
    }

    /// Whether a pin of one artifact can cost another its place.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::Latest(..))
    }
}

const SECOND: i128 = 1_000_000_000;

/// Nanoseconds since 1970 of the moment so many days before; Harbor's count of them wraps around at 64 bits, so that from
/// 106,752 days on the moment lies in the future and nothing is retained (J17).
fn days_before(now: Timestamp, days: i64) -> i128 {
    now.as_nanosecond() + offset_of(days)
}

/// How far that lies from now.
pub(super) fn offset_of(days: i64) -> i128 {
    i128::from(days.wrapping_mul(-24).wrapping_mul(3_600_000_000_000))
}

/// The parameter of the template's own name. Absent it is an error; of another type, or less than nothing, it is the
/// default; a fraction is cut off (J.0).
fn number(rule: &RetentionRule, default: i64) -> Result<i64, Failure> {
    let given = rule.parameters.get(&rule.template).ok_or(Failure::ParameterMissing)?;
    let given = given.as_f64().map(whole);
    Ok(given.filter(|number| *number >= 0).unwrap_or(default))
}

/// As Go converts on amd64: what is too large for 64 bits is the least number.
fn whole(number: f64) -> i64 {
    const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;
    if (-TOO_LARGE..TOO_LARGE).contains(&number) { number as i64 } else { i64::MIN }
}
