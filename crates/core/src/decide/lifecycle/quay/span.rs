//! Spans of time as Quay writes them, `30d` or `12h`: of policies and of the label `quay.expires-after`
//! (`util/timedeltastring.py`).

/// Why a text is no span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSpan {
    /// It is not a whole number and a unit.
    Malformed,
    /// It is longer than Python can count.
    TooLong,
}

/// The most days that Python's `timedelta` holds.
const MOST_DAYS: i128 = 999_999_999;

/// The span in seconds, negative ones included. `m` is minutes; a year has 365 days.
pub fn seconds(text: &str) -> Result<i64, NoSpan> {
    let unit = text.chars().next_back().ok_or(NoSpan::Malformed)?;
    let number = text.strip_suffix(unit).and_then(whole_number).ok_or(NoSpan::Malformed)?;
    let each: i128 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'y' => 365 * 86_400,
        _ => return Err(NoSpan::Malformed),
    };
    let seconds = number.checked_mul(each).ok_or(NoSpan::TooLong)?;
    if (-MOST_DAYS..=MOST_DAYS).contains(&seconds.div_euclid(86_400)) {
        i64::try_from(seconds).map_err(|_| NoSpan::TooLong)
    } else {
        Err(NoSpan::TooLong)
    }
}

/// A whole number as Python's `int` reads it: blanks around, a sign, underscores between digits.
fn whole_number(text: &str) -> Option<i128> {
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut number = 0i128;
    let mut after_digit = false;
    for letter in digits.chars() {
        match letter.to_digit(10) {
            Some(digit) => {
                number = number.saturating_mul(10).saturating_add(digit.into());
                after_digit = true;
            }
            None if letter == '_' && after_digit => after_digit = false,
            None => return None,
        }
    }
    // The most digits that Python turns into a number.
    (after_digit && digits.len() <= 4_300).then_some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k53d_quay_spans_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("7d", Ok(604_800)),
            ("0d", Ok(0)),
            ("-5d", Ok(-432_000)),
            ("1m", Ok(60)),
            ("1y", Ok(31_536_000)),
            ("52w", Ok(31_449_600)),
            (" 7d", Ok(604_800)),
            ("7 d", Ok(604_800)),
            ("+7d", Ok(604_800)),
            ("1_0d", Ok(864_000)),
            ("1__0d", Err(NoSpan::Malformed)),
            ("_1d", Err(NoSpan::Malformed)),
            ("1_d", Err(NoSpan::Malformed)),
            ("7D", Err(NoSpan::Malformed)),
            ("1.5d", Err(NoSpan::Malformed)),
            ("d", Err(NoSpan::Malformed)),
            ("", Err(NoSpan::Malformed)),
            ("7", Err(NoSpan::Malformed)),
            ("7dd", Err(NoSpan::Malformed)),
            ("999999999d", Ok(86_399_999_913_600)),
            ("1000000000d", Err(NoSpan::TooLong)),
            ("99999999999999999999999999999999999999999999s", Err(NoSpan::TooLong)),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
