//! `--ago`: days in front of one of Go's durations, as `fmt.Sscanf` finds them in the text.
//!
//! What it makes of a text that was meant otherwise is the longest time or the wrong one, and seldom an error: `7dxyz` is
//! 150 years, `3h5d` three days, `-1d` a day in the future (K49).

use jiff::SignedDuration;

use super::super::golang::{DurationError, parse_duration};

/// 150 years of 365 days: no time is longer than this.
const MOST_DAYS: i64 = 150 * 365;

const NANOSECONDS_OF_A_DAY: i64 = 86_400_000_000_000;

/// How far before now the border lies: what is older goes. Negative: in the future.
pub(super) fn read(ago: &str) -> Result<SignedDuration, AgoError> {
    let (days, rest) = if ago.contains('d') { days(ago) } else { (0, word(ago).ok_or(AgoError::Empty)?) };
    let longest = MOST_DAYS * NANOSECONDS_OF_A_DAY;
    // Days far below nought run over, as they do there.
    let days_long = days.min(MOST_DAYS).wrapping_mul(NANOSECONDS_OF_A_DAY);
    let more = match rest {
        "" => 0,
        rest => match parse_duration(rest) {
            Ok(duration) => i64::try_from(duration.as_nanos()).unwrap_or(longest).min(longest),
            // What is no duration, or too long a one, is the longest.
            Err(DurationError::Invalid(_)) => longest,
            Err(error) => return Err(AgoError::Duration(error)),
        },
    };
    let nanoseconds = days_long.saturating_add(more).min(longest);
    Ok(SignedDuration::from_nanos(nanoseconds))
}

/// Why the command ends with its `--ago`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AgoError {
    #[error("unexpected EOF")]
    Empty,
    #[error(transparent)]
    Duration(DurationError),
}

/// The number in front and what follows its `d`. Where the two do not follow one another, the number is taken alone.
fn days(ago: &str) -> (i64, &str) {
    let Some(text) = without_spaces(ago) else { return (0, "") };
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let end = text.len() - unsigned.len() + digits;
    // More digits than a number has are none.
    let Some(days) = Some(&text[..end]).filter(|_| digits > 0).and_then(|number| number.parse().ok()) else {
        return (0, "");
    };
    let rest = text[end..].strip_prefix('d').and_then(word);
    (days, rest.unwrap_or(""))
}

/// The first word; none if there is none on this line.
fn word(text: &str) -> Option<&str> {
    let text = without_spaces(text)?;
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Some(&text[..end]).filter(|word| !word.is_empty())
}

/// The text from its first character that is no space; none where the line ends before.
fn without_spaces(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
    Some(rest).filter(|rest| !rest.starts_with('\n'))
}

#[cfg(test)]
mod tests {
    use super::super::super::golang::tests::hold;
    use super::*;

    /// Each is what the command itself (acr-cli cfbb835) made of it.
    #[test]
    fn days_are_found_where_scanf_finds_them() {
        const DAY: i64 = 86_400;
        for (ago, seconds) in [
            ("7d", 7 * DAY),
            (" 7d", 7 * DAY),
            ("00007d", 7 * DAY),
            ("+7d", 7 * DAY),
            ("0d", 0),
            ("0s", 0),
            ("7d0h", 7 * DAY),
            ("7d3h", 7 * DAY + 10_800),
            ("7d 3h", 7 * DAY + 10_800),
            ("2d-1h", 2 * DAY - 3_600),
            ("-1d", -DAY),
            ("-2h", -7_200),
            ("1.5d", DAY),
            ("3h5d", 3 * DAY),
            ("5 d", 5 * DAY),
            ("d", 0),
            ("old", 0),
            ("99999999999999999999d", 0),
            ("7dxyz", MOST_DAYS * DAY),
            ("99999d", MOST_DAYS * DAY),
            ("99999999h", MOST_DAYS * DAY),
            ("1000000h", 3_600_000_000),
        ] {
            assert_eq!(read(ago).map(|it| it.as_secs()), Ok(seconds), "{ago:?}");
        }
    }

    #[test]
    fn any_text_is_read_as_the_command_reads_it() {
        hold("ago", 0, |asked| {
            Some(read(&asked.text).map_or_else(|_| "error".to_owned(), |ago| ago.as_nanos().to_string()))
        });
    }

    #[test]
    fn few_texts_are_refused() {
        for (ago, why) in [
            ("7D", "time: unknown unit \"D\" in duration \"7D\""),
            ("30", "time: missing unit in duration \"30\""),
            ("1d30", "time: missing unit in duration \"30\""),
            ("1d1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("", "unexpected EOF"),
            ("  ", "unexpected EOF"),
        ] {
            assert_eq!(read(ago).unwrap_err().to_string(), why, "{ago:?}");
        }
    }
}
