//! `Retry-After`, in any of the forms that are met (F32).

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{self, HeaderMap};

/// A longer wait than this is a way to say no.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// How long an answer asks to wait.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    read(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
}

/// Seconds, a date, or, as Docker Hub sends it, a Unix time: in seconds, and from others in milliseconds.
pub(super) fn read(text: &str, now: Timestamp) -> Option<Duration> {
    /// As a wait, 31 years; as a Unix time, 2001.
    const TIMES_FROM: f64 = 1e9;
    /// As seconds, the year 33658.
    const MILLISECONDS_FROM: f64 = 1e12;
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if let Some(number) = text.parse::<f64>().ok().filter(|_| is_number) {
        let now = now.as_millisecond() as f64;
        let wait = match number {
            number if number < TIMES_FROM => number,
            number if number < MILLISECONDS_FROM => number - now / 1e3,
            number => (number - now) / 1e3,
        };
        return Some(Duration::from_secs_f64(wait.clamp(0.0, LONGEST_PAUSE.as_secs_f64())));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
    Some(wait.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_in_every_form_f32() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(read("7"), Some(7));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("1.5"), Some(1));
        assert_eq!(read("Thu, 01 Jan 2026 00:00:30 GMT"), Some(30));
        assert_eq!(read("Wed, 31 Dec 2025 00:00:30 GMT"), Some(0));
        assert_eq!(read("Fri, 01 Jan 2100 00:00:00 GMT"), Some(24 * 3600));
        assert_eq!(read("999999999"), Some(24 * 3600));
        // 2026-01-01T00:00:02Z as Docker Hub writes it, the same in milliseconds, and one that is over.
        assert_eq!(read("1767225602"), Some(2));
        assert_eq!(read("1767225602000"), Some(2));
        assert_eq!(read("1767225000"), Some(0));
        assert_eq!(read("4294967295"), Some(24 * 3600));
        assert_eq!(read("99999999999999999999999999"), Some(24 * 3600));
        for odd in ["-1", "", "nan", "inf", "1e9", ".", "soon"] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }

    proptest::proptest! {
        /// Whatever a server asks for, nobody waits for longer than a day.
        #[test]
        fn any_wait_has_an_end(text in proptest::prop_oneof!["[0-9.eE+-]{0,30}", "[A-Za-z]{3}, [0-9]{1,2} [A-Za-z]{3} [0-9]{1,5} [0-9:]{1,8} GMT", ".{0,40}"]) {
            let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            if let Some(wait) = read(&text, now) {
                proptest::prop_assert!(wait <= LONGEST_PAUSE);
            }
        }
    }
}
