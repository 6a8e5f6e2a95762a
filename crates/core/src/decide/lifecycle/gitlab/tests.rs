//! The rules one by one, a second implementation that is GitLab's steps taken literally, and what is not known told as that.

mod golden;
mod literal;

use jiff::{SignedDuration, Timestamp};

use super::{CleanupPolicy, DatedTag, ProtectionRules, Rules, When};

const DAY: i64 = 86_400;

fn now() -> Timestamp {
    Timestamp::from_second(1_796_000_000).unwrap()
}

fn days_ago(days: i64) -> Timestamp {
    now().checked_sub(SignedDuration::from_secs(days * DAY)).unwrap()
}

/// A tag with one date, whatever it is taken for.
fn tag(name: &str, days: i64) -> DatedTag {
    let at = When::At(days_ago(days));
    DatedTag { name: name.parse().unwrap(), pushed: at, built: at }
}

fn rules(policy: &str, protection: &str) -> Rules {
    let policy = CleanupPolicy::parse(policy).unwrap().expect("an enabled policy");
    Rules::new(policy, ProtectionRules::parse(protection).unwrap())
}
