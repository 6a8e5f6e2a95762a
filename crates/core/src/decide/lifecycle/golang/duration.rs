//! Go's `time.ParseDuration`: `72h`, `1h30m`, `-1.5h`.

use jiff::SignedDuration;

/// Why a text is no duration, as Go tells it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::decide::lifecycle) enum DurationError {
    /// Not of the form, or longer than 292 years.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that Go does not know, days among them.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// What stands where the unit should.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// Go counts nanoseconds in 63 bits, and one more on the negative side.
const LONGEST: u64 = 1 << 63;

/// Reads a duration as `time.ParseDuration` does.
pub(in crate::decide::lifecycle) fn parse_duration(text: &str) -> Result<SignedDuration, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if unsigned == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    let mut rest = unsigned;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (length, left) = term(rest, text)?;
        rest = left;
        total = total.checked_add(length).filter(|total| *total <= LONGEST).ok_or_else(invalid)?;
    }
    let nanoseconds = if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    nanoseconds.map(SignedDuration::from_nanos).ok_or_else(invalid)
}

/// One number with its unit, in nanoseconds, and what follows.
fn term<'t>(rest: &'t str, text: &str) -> Result<(u64, &'t str), DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (digits, after) = digits_of(rest);
    let whole = digits.bytes().try_fold(0_u64, |value, digit| {
        if value > LONGEST / 10 {
            return None;
        }
        Some(value * 10 + u64::from(digit - b'0')).filter(|value| *value <= LONGEST)
    });
    let whole = whole.ok_or_else(invalid)?;
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => digits_of(after),
        None => ("", after),
    };
    if digits.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
    let (unit, after) = after.split_at(end);
    let unit = match unit {
        "" => return Err(DurationError::MissingUnit(text.to_owned())),
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        other => return Err(DurationError::UnknownUnit { unit: other.to_owned(), text: text.to_owned() }),
    };
    let length = whole.checked_mul(unit).filter(|length| *length <= LONGEST).ok_or_else(invalid)?;
    let length = length.saturating_add(part_of(fraction, unit));
    if length > LONGEST { Err(invalid()) } else { Ok((length, after)) }
}

fn digits_of(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// What stands behind the point, in nanoseconds; digits that no longer fit are passed over.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the same arithmetic in floating point that Go does, on a value below one unit"
)]
fn part_of(fraction: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        if value > (LONGEST - 1) / 10 {
            break;
        }
        let next = value * 10 + u64::from(digit - b'0');
        if next > LONGEST {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each answer is that of Go 1.26.
    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("-0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("+.5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("3\u{b5}s2us1ns", 5_001),
            ("2m1h", 3_720_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("2562047h47m16.854775807s", i64::MAX),
            ("-2562047h47m16.854775808s", i64::MIN),
        ] {
            assert_eq!(parse_duration(text).unwrap(), SignedDuration::from_nanos(nanoseconds), "{text:?}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_with_its_words() {
        for (text, why) in [
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            ("h", "time: invalid duration \"h\""),
            (".s", "time: invalid duration \".s\""),
            ("1h m", "time: unknown unit \"h m\" in duration \"1h m\""),
            ("30", "time: missing unit in duration \"30\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("1H", "time: unknown unit \"H\" in duration \"1H\""),
            ("2562048h", "time: invalid duration \"2562048h\""),
            ("2562047h47m16.854775808s", "time: invalid duration \"2562047h47m16.854775808s\""),
            ("99999999999999999999h", "time: invalid duration \"99999999999999999999h\""),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), why);
        }
    }
}
