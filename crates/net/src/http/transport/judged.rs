//! Answers to hand on, and those that are worth another try.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};

use super::{Call, Setback, shown};
use crate::http::answer::HttpAnswer;
use crate::http::fault::Fault;
use crate::http::retry_after::{read, retry_after};
use prodpin_core::model::Cause;

/// Tells answers to hand on from those that are worth another try.
pub(super) fn judged(call: &Call, answer: HttpAnswer) -> Result<HttpAnswer, Setback> {
    let wait = || retry_after(&answer.headers, Timestamp::now());
    let said = || Fault::from_answer(&answer, &shown(call));
    let too_many = |wait: Option<Duration>| {
        let status = answer.status.as_u16();
        let fault = Fault::new(Cause::Throttled, format!("{}: too many requests ({status})", shown(call)));
        Err(Setback::Overload(fault, wait))
    };
    match answer.status.as_u16() {
        429 => too_many(wait().or_else(|| reset(&answer.headers))),
        403 if is_throttled(&answer.headers) => too_many(wait().or_else(|| reset(&answer.headers))),
        503 => Err(Setback::Overload(said(), wait())),
        408 | 500 | 502 | 504 => Err(Setback::Fleeting(said())),
        _ => Ok(answer),
    }
}

static REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// GitHub says 403 where others say 429: of a quota that is used up, and of calls that come too fast. A refusal for good names
/// no time and leaves a quota.
fn is_throttled(headers: &HeaderMap) -> bool {
    headers.contains_key(RETRY_AFTER) || headers.get(&REMAINING).is_some_and(|left| left.as_bytes() == b"0")
}

/// How long it takes until a quota is there again, where that is all that is said.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    headers.get(&REMAINING).filter(|left| left.as_bytes() == b"0")?;
    read(headers.get(&RESET)?.to_str().ok()?, Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_403_about_a_quota_is_no_refusal_f32() {
        let used_up = headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4102444800")]);
        assert!(is_throttled(&used_up));
        assert_eq!(reset(&used_up), Some(Duration::from_secs(24 * 3600)), "never longer than a day");
        assert!(is_throttled(&headers(&[("retry-after", "60")])));
        for refusal in [&[][..], &[("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "4102444800")]] {
            assert!(!is_throttled(&headers(refusal)));
            assert_eq!(reset(&headers(refusal)), None);
        }
        let over = headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000000")]);
        assert_eq!(reset(&over), Some(Duration::ZERO));
    }
}
