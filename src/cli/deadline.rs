//! Durations as people write them: `30s`, `10m`, `1h30m`; and looks into the ledger that end by such a time.

use std::time::Duration;

use jiff::SignedDuration;

use crate::decide::release::LEAST_GRACE;
use crate::policy::LedgerLocation;
use crate::run::{CutOff, Stop};

/// Where a ledger is, for a person.
pub(super) fn location_text(location: &LedgerLocation) -> String {
    match location {
        LedgerLocation::None => "none".to_owned(),
        LedgerLocation::Directory(path) => path.display().to_string(),
        LedgerLocation::Store(url) => url.to_string(),
    }
}

/// Looks into the ledger until the deadline, if there is one: a store that hangs must not hold a person up.
pub(super) async fn in_time<T>(
    deadline: Option<Duration>,
    ledger: &LedgerLocation,
    look: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let stop = Stop::default().with_deadline(deadline);
    stop.in_time(look).await.map_err(|error| match (error.downcast_ref::<CutOff>(), deadline) {
        (Some(CutOff), Some(after)) => anyhow::anyhow!(
            "--deadline: {} s passed while the ledger at {} was read: its store, or what is asked beside it (an anchor, \
             what holds the key), did not answer in time; see whether it answers, or give it more time",
            after.as_secs(),
            location_text(ledger)
        ),
        _ => error,
    })
}

/// Reads a duration of at least one second.
pub(super) fn read_duration(text: &str) -> Result<Duration, String> {
    let fail = || "write a duration such as 30s, 10m or 1h30m".to_owned();
    let mut seconds: u64 = 0;
    let mut rest = text.trim();
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(fail)?;
        let number: u64 = rest[..digits].parse().map_err(|_| fail())?;
        let unit = match rest.as_bytes()[digits] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return Err(fail()),
        };
        // Each unit once, largest first: `10m10m` is more likely a slip than twenty minutes.
        if unit >= smallest {
            return Err(fail());
        }
        smallest = unit;
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(fail)?;
        rest = &rest[digits + 1..];
    }
    match seconds {
        0 => Err(fail()),
        // A week: beyond it a deadline is none, and sums with the present moment stay within range.
        seconds if seconds > 7 * 24 * 3600 => Err("write at most 168h".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// Reads a span of days, hours, minutes and seconds: `7d`, `36h`, `1d12h`. Of at least an hour, in which every run learns what
/// nothing needs any more.
pub(super) fn read_grace(text: &str) -> Result<SignedDuration, String> {
    let fail = || "write a duration such as 7d, 36h or 1d12h".to_owned();
    let (days, rest) = match text.trim().split_once('d') {
        Some((days, rest)) => (days.parse::<u32>().map_err(|_| fail())?, rest),
        None => (0, text.trim()),
    };
    let rest = match rest {
        "" if text.contains('d') => Duration::ZERO,
        rest => read_duration(rest).map_err(|_| fail())?,
    };
    let days = SignedDuration::from_hours(24 * i64::from(days.min(36_500)));
    let rest = SignedDuration::try_from(rest).map_err(|_| fail())?;
    let grace = days.saturating_add(rest);
    if grace < LEAST_GRACE {
        return Err(
            "write at least 1h: a run that began before may still pin what it does not know to be unneeded".to_owned()
        );
    }
    Ok(grace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_waited_for_is_named_i28() {
        let ledger = LedgerLocation::Directory("/mnt/gone".into());
        let hangs = std::future::pending::<anyhow::Result<()>>();
        let error = in_time(Some(Duration::from_secs(1)), &ledger, hangs).await.unwrap_err().to_string();
        assert!(error.starts_with("--deadline: 1 s passed while the ledger at /mnt/gone was read"), "{error}");
        let answers = async { anyhow::Ok(7) };
        assert_eq!(in_time(Some(Duration::from_secs(20)), &ledger, answers).await.unwrap(), 7);
        let fails = async { Err::<(), _>(anyhow::anyhow!("damaged")) };
        assert_eq!(in_time(None, &ledger, fails).await.unwrap_err().to_string(), "damaged");
    }

    #[test]
    fn durations_are_read_whole_or_not_at_all() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h30m", 5400), ("1h1m1s", 3661), ("168h", 604_800)] {
            assert_eq!(read_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "10", "m", "1.5h", "10m10m", "1s1h", "-1s", "1d", "99999999999999999999s", "169h", "1é"]
        {
            assert!(read_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_grace_period_is_read_in_days_too() {
        let hours = |text: &str| read_grace(text).map(|grace| grace.as_secs() as f64 / 3600.0);
        for (text, expected) in [("7d", 168.0), ("36h", 36.0), ("1d12h", 36.0), ("1h", 1.0), ("90m", 1.5)] {
            assert_eq!(hours(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "7", "7 days", "-1d", "1h1d", "1d1d", "xd", "0s", "0d"] {
            assert!(read_grace(text).is_err(), "{text}");
        }
        assert!(read_grace("59m").unwrap_err().contains("at least 1h"));
    }
}
