//! What must hold between the parts of one rule of a lifecycle configuration. S3 refuses a document where it does not.
//!
//! Only what S3 is known to refuse is refused: a document that S3 takes must be tried and not turned away.

use crate::model::{BucketExpiration, BucketRule, RuleFilter, StorageClass, Trigger};

/// The least age at which S3 moves a version into an infrequent-access class (B66).
const LEAST_BEFORE_INFREQUENT: u32 = 30;
/// The least stay in an infrequent-access class before an archive.
const LEAST_IN_INFREQUENT: u32 = 30;

/// Bounds of keys and tags, as the documentation of objects has them.
const LONGEST_KEY: usize = 1024;
const MOST_TAGS: usize = 10;
const LONGEST_TAG_KEY: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;

/// Everything that S3 refuses about the rule as a whole.
pub(super) fn check(rule: &BucketRule) -> Vec<String> {
    let mut problems = Vec::new();
    actions(rule, &mut problems);
    scope(rule, &mut problems);
    current(rule, &mut problems);
    noncurrent(rule, &mut problems);
    problems
}

fn actions(rule: &BucketRule, problems: &mut Vec<String>) {
    let acts = rule.expiration.is_some()
        || rule.noncurrent_expiration.is_some()
        || !rule.transitions.is_empty()
        || !rule.noncurrent_transitions.is_empty()
        || rule.abort_uploads_after.is_some();
    if !acts {
        problems.push("it does nothing; a rule needs at least one action".to_owned());
    }
    let counts = rule.noncurrent_expiration.is_some_and(|limit| limit.keep_newer > 0)
        || rule.noncurrent_transitions.iter().any(|transition| transition.when.keep_newer > 0);
    if counts && !rule.filter.written {
        problems.push("NewerNoncurrentVersions needs a Filter in place of the older Prefix".to_owned());
    }
}

/// Delete markers and unfinished uploads have neither tags nor sizes.
fn scope(rule: &BucketRule, problems: &mut Vec<String>) {
    let filter = &rule.filter;
    words(filter, problems);
    let sized = filter.larger_than.is_some() || filter.smaller_than.is_some();
    if rule.expiration == Some(BucketExpiration::LoneMarkers) && (!filter.tags.is_empty() || sized) {
        problems.push("ExpiredObjectDeleteMarker cannot go with tags or sizes: delete markers have none".to_owned());
    }
    if rule.abort_uploads_after.is_some() && (!filter.tags.is_empty() || sized) {
        problems.push("AbortIncompleteMultipartUpload cannot go with tags or sizes: uploads have none yet".to_owned());
    }
    if let (Some(larger), Some(smaller)) = (filter.larger_than, filter.smaller_than)
        && smaller <= larger
    {
        problems.push(format!("ObjectSizeLessThan {smaller} must be greater than ObjectSizeGreaterThan {larger}"));
    }
}

/// What a filter may say: keys and tags of objects have these bounds.
fn words(filter: &RuleFilter, problems: &mut Vec<String>) {
    if filter.prefix.len() > LONGEST_KEY {
        problems.push(format!("its prefix has {} bytes, and no key has more than {LONGEST_KEY}", filter.prefix.len()));
    }
    if filter.tags.len() > MOST_TAGS {
        problems.push(format!("it asks for {} tags, and no object has more than {MOST_TAGS}", filter.tags.len()));
    }
    for (place, (key, value)) in filter.tags.iter().enumerate() {
        if filter.tags[..place].iter().any(|(other, _)| other == key) {
            problems.push(format!("it asks for the tag {key:.80?} twice, and an object has each tag once"));
        }
        let (key, value) = (key.chars().count(), value.chars().count());
        if key > LONGEST_TAG_KEY || value > LONGEST_TAG_VALUE {
            problems.push(format!(
                "a tag has a key of {key} and a value of {value} characters; S3 takes {LONGEST_TAG_KEY} and \
                 {LONGEST_TAG_VALUE}"
            ));
        }
    }
}

/// What becomes of current versions: one kind of time, moves before the end.
fn current(rule: &BucketRule, problems: &mut Vec<String>) {
    let end = match rule.expiration {
        Some(BucketExpiration::Current(trigger)) => Some(trigger),
        _ => None,
    };
    let triggers = || end.into_iter().chain(rule.transitions.iter().map(|transition| transition.when));
    let by_days = triggers().any(|trigger| matches!(trigger, Trigger::Days(_)));
    let by_date = triggers().any(|trigger| matches!(trigger, Trigger::Date(_)));
    if by_days && by_date {
        problems.push("it mixes Days and Date; its Expiration and Transitions must all use one of them".to_owned());
    }
    for transition in &rule.transitions {
        let class = transition.class.as_str();
        match (end, transition.when) {
            (Some(Trigger::Days(end)), Trigger::Days(days)) if end <= days => problems.push(format!(
                "Expiration after {end} days must come later than the transition to {class} after {days}"
            )),
            (Some(Trigger::Date(end)), Trigger::Date(date)) if end <= date => {
                problems.push(format!("Expiration on {end} must come later than the transition to {class} on {date}"))
            }
            _ => {}
        }
    }
    let days = |trigger: Trigger| match trigger {
        Trigger::Days(days) => Some(days),
        Trigger::Date(_) | Trigger::Unknown => None,
    };
    let moves: Vec<Move<'_>> =
        rule.transitions.iter().map(|transition| (&transition.class, days(transition.when))).collect();
    classes(&moves, "transition", problems);
}

fn noncurrent(rule: &BucketRule, problems: &mut Vec<String>) {
    let moves: Vec<Move<'_>> =
        rule.noncurrent_transitions.iter().map(|transition| (&transition.class, Some(transition.when.days))).collect();
    if let Some(end) = rule.noncurrent_expiration {
        for (class, days) in moves.iter().filter_map(|(class, days)| Some((class, (*days)?))) {
            if end.days <= days {
                problems.push(format!(
                    "NoncurrentVersionExpiration after {} days must come later than the noncurrent transition to {} after {days}",
                    end.days,
                    class.as_str()
                ));
            }
        }
    }
    classes(&moves, "noncurrent transition", problems);
}

/// Where to, and after how many days, if it is reported in days.
type Move<'r> = (&'r StorageClass, Option<u32>);

fn classes(moves: &[Move<'_>], what: &str, problems: &mut Vec<String>) {
    for (place, (class, days)) in moves.iter().enumerate() {
        if moves[..place].iter().any(|(other, _)| other == class) {
            problems.push(format!("two {what}s go to {}", class.as_str()));
        }
        let Some(days) = *days else { continue };
        if is_infrequent(class) && days < LEAST_BEFORE_INFREQUENT {
            problems.push(format!(
                "a {what} to {} needs at least {LEAST_BEFORE_INFREQUENT} days, and this one has {days}",
                class.as_str()
            ));
        }
        if !is_archive(class) {
            continue;
        }
        for (warmer, since) in moves.iter().filter(|(other, _)| is_infrequent(other)) {
            if since.is_some_and(|since| days < since.saturating_add(LEAST_IN_INFREQUENT)) {
                problems.push(format!(
                    "the {what} to {} must come at least {LEAST_IN_INFREQUENT} days after that to {}",
                    class.as_str(),
                    warmer.as_str()
                ));
            }
        }
    }
}

fn is_infrequent(class: &StorageClass) -> bool {
    matches!(class.as_str(), "STANDARD_IA" | "ONEZONE_IA")
}

fn is_archive(class: &StorageClass) -> bool {
    matches!(class.as_str(), "GLACIER" | "DEEP_ARCHIVE")
}
