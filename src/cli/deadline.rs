//! Durations as people write them: `30s`, `10m`, `1h30m`.

use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
