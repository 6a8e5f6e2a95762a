//! Waivers applied: which findings do not count, which waivers have run out, which cover nothing.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{Code, Finding, Severity, Waiver};

/// Marks the findings that a waiver covers, and says which waivers those were. One that has run out covers nothing;
/// of several, the one that holds longest is named.
pub fn waive(waivers: &[Waiver], findings: &mut [Finding], now: Timestamp) -> Vec<usize> {
    let mut used = Vec::new();
    for finding in findings {
        let covering = waivers.iter().enumerate().filter(|(_, waiver)| holds(waiver, now) && waiver.covers(finding));
        let covering: Vec<_> = covering.collect();
        used.extend(covering.iter().map(|(place, _)| *place));
        let longest =
            covering.into_iter().max_by_key(|(place, waiver)| (waiver.waived.expires, std::cmp::Reverse(*place)));
        finding.waived = longest.map(|(_, waiver)| waiver.waived.clone());
    }
    used.sort_unstable();
    used.dedup();
    used
}

/// A finding for each waiver that has run out: nobody answers any more for what it covered.
#[must_use]
pub fn expired(waivers: &[Waiver], now: Timestamp) -> Vec<Finding> {
    let reported = |waiver: &Waiver| {
        let message = format!(
            "the waiver of {} by {} ran out on {}; what it covered counts again",
            waiver.title(),
            waiver.waived.owner,
            waiver.waived.expires
        );
        let remedy = "mend what it covered and remove it, or have its owner renew it";
        Finding::new(Code::WaiverExpired, Severity::Medium, message, remedy, now).naming(waiver.title())
    };
    waivers.iter().filter(|waiver| !holds(waiver, now)).map(reported).collect()
}

/// What to call the waivers that hold and covered nothing, of which these were used: what they accepted is gone, and
/// they would hide its return.
#[must_use]
pub fn idle(waivers: &[Waiver], used: &[usize], now: Timestamp) -> Vec<String> {
    let idle = waivers.iter().enumerate().filter(|(place, waiver)| holds(waiver, now) && !used.contains(place));
    idle.map(|(_, waiver)| format!("waiver {}", waiver.title())).collect()
}

/// To the end of its last day, in UTC.
fn holds(waiver: &Waiver, now: Timestamp) -> bool {
    now.to_zoned(TimeZone::UTC).date() <= waiver.waived.expires
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NamePatterns, Waived};

    fn waiver(repositories: Option<&str>, references: Option<&str>, expires: &str) -> Waiver {
        let patterns = |text: &str| NamePatterns::new([text]).unwrap();
        Waiver {
            code: Code::TagMoved,
            source: None,
            repositories: repositories.map(patterns),
            references: references.map(patterns),
            waived: Waived { reason: "known".into(), owner: "shop team".into(), expires: expires.parse().unwrap() },
        }
    }

    fn finding(code: Code, repository: Option<&str>, reference: Option<&str>) -> Finding {
        Finding {
            code,
            severity: Severity::High,
            source: Some("shop".parse().unwrap()),
            repository: repository.map(|name| name.parse().unwrap()),
            reference: reference.map(str::to_owned),
            artifact: None,
            previous: None,
            moved_by: None,
            first_seen: Timestamp::UNIX_EPOCH,
            ledger_sequence: None,
            message: "moved".into(),
            remedy: "look".into(),
            waived: None,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_waiver_covers_what_it_names_and_nothing_else() {
        let covered = |waiver: &Waiver, finding: Finding| {
            let mut findings = [finding];
            waive(std::slice::from_ref(waiver), &mut findings, at("2026-11-23T00:00:00Z"));
            findings[0].waived.is_some()
        };
        let narrow = waiver(Some("shop/*"), Some("v1.*"), "2027-01-31");
        assert!(covered(&narrow, finding(Code::TagMoved, Some("shop/api"), Some("v1.2"))));
        assert!(!covered(&narrow, finding(Code::TagMoved, Some("shop/api"), Some("v2.0"))));
        assert!(!covered(&narrow, finding(Code::TagMoved, Some("web/api"), Some("v1.2"))));
        assert!(!covered(&narrow, finding(Code::TagDeleted, Some("shop/api"), Some("v1.2"))));
        assert!(!covered(&narrow, finding(Code::TagMoved, None, Some("v1.2"))), "a pattern matches no absent name");
        assert!(!covered(&narrow, finding(Code::TagMoved, Some("shop/api"), None)));
        let other = Waiver { source: Some("other".parse().unwrap()), ..waiver(None, None, "2027-01-31") };
        assert!(!covered(&other, finding(Code::TagMoved, Some("shop/api"), Some("v1.2"))));
        assert!(covered(&waiver(None, None, "2027-01-31"), finding(Code::TagMoved, None, None)));
    }

    #[test]
    fn it_holds_to_the_end_of_its_last_day_and_is_then_a_finding() {
        let waivers = [waiver(None, None, "2026-11-23")];
        let mut findings = [finding(Code::TagMoved, None, None)];
        assert_eq!(waive(&waivers, &mut findings, at("2026-11-23T23:59:59Z")), [0]);
        assert!(findings[0].waived.is_some() && expired(&waivers, at("2026-11-23T23:59:59Z")).is_empty());
        assert_eq!(waive(&waivers, &mut findings, at("2026-11-24T00:00:00Z")), [0; 0]);
        assert!(findings[0].waived.is_none(), "a mark of an earlier look is taken away");
        let reported = expired(&waivers, at("2026-11-24T00:00:00Z"));
        assert_eq!((reported[0].code, reported[0].severity), (Code::WaiverExpired, Severity::Medium));
        assert!(idle(&waivers, &[], at("2026-11-24T00:00:00Z")).is_empty(), "told once, as expired");
    }

    #[test]
    fn of_several_the_longest_is_named_and_all_count_as_used() {
        let waivers =
            [waiver(None, None, "2026-12-01"), waiver(None, None, "2027-12-01"), waiver(Some("x"), None, "2027-12-01")];
        let mut findings = [finding(Code::TagMoved, Some("shop/api"), None)];
        let now = at("2026-11-23T00:00:00Z");
        assert_eq!(waive(&waivers, &mut findings, now), [0, 1]);
        assert_eq!(findings[0].waived.as_ref().unwrap().expires.to_string(), "2027-12-01");
        assert_eq!(idle(&waivers, &[0, 1], now), ["waiver tag-moved: x"]);
    }
}
