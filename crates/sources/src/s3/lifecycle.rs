//! A bucket's lifecycle configuration, from the SDK's types. What it does is decided in `decide::lifecycle::s3`.

use aws_sdk_s3::types::{
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionTransition,
    TransitionDefaultMinimumObjectSize,
};

use prodpin_core::model::{
    BucketExpiration, BucketLifecycle, BucketRule, BucketTransition, NoncurrentLimit, RuleFilter, StorageClass,
    TransitionMinimum, Trigger,
};

use super::observe::timestamp;

/// The configuration as plain data. What cannot be read is taken for what frightens (F53): a status that is not known
/// acts, a number that cannot be one is none.
pub(super) fn read(rules: &[LifecycleRule], minimum: Option<&TransitionDefaultMinimumObjectSize>) -> BucketLifecycle {
    let minimum = match minimum.map(TransitionDefaultMinimumObjectSize::as_str) {
        Some("all_storage_classes_128K") => TransitionMinimum::AllClasses,
        Some("varies_by_storage_class") => TransitionMinimum::VariesByClass,
        _ => TransitionMinimum::Unknown,
    };
    BucketLifecycle { rules: rules.iter().map(rule).collect(), minimum }
}

fn rule(rule: &LifecycleRule) -> BucketRule {
    BucketRule {
        id: rule.id().unwrap_or_default().into(),
        enabled: rule.status().as_str() != "Disabled",
        filter: filter(rule),
        expiration: rule.expiration().map(expiration),
        noncurrent_expiration: rule
            .noncurrent_version_expiration()
            .map(|limit| noncurrent(limit.noncurrent_days(), limit.newer_noncurrent_versions())),
        transitions: rule
            .transitions()
            .iter()
            .map(|transition| BucketTransition {
                class: StorageClass::new(transition.storage_class().map_or("", |class| class.as_str())),
                when: trigger(transition.days(), timestamp(transition.date())),
            })
            .collect(),
        noncurrent_transitions: rule.noncurrent_version_transitions().iter().map(noncurrent_transition).collect(),
        abort_uploads_after: rule
            .abort_incomplete_multipart_upload()
            .and_then(|abort| abort.days_after_initiation())
            .map(days),
    }
}

fn noncurrent_transition(transition: &NoncurrentVersionTransition) -> BucketTransition<NoncurrentLimit> {
    BucketTransition {
        class: StorageClass::new(transition.storage_class().map_or("", |class| class.as_str())),
        when: noncurrent(transition.noncurrent_days(), transition.newer_noncurrent_versions()),
    }
}

fn expiration(expiration: &LifecycleExpiration) -> BucketExpiration {
    let date = timestamp(expiration.date());
    match (expiration.days(), date, expiration.expired_object_delete_marker()) {
        (None, None, Some(true)) => BucketExpiration::LoneMarkers,
        (days, date, _) => BucketExpiration::Current(trigger(days, date)),
    }
}

fn trigger(after: Option<i32>, date: Option<jiff::Timestamp>) -> Trigger {
    match (after, date) {
        (Some(after), _) => Trigger::Days(days(after)),
        (None, Some(date)) => Trigger::Date(date),
        (None, None) => Trigger::Unknown,
    }
}

fn noncurrent(after: Option<i32>, keep_newer: Option<i32>) -> NoncurrentLimit {
    NoncurrentLimit { days: after.map_or(0, days), keep_newer: keep_newer.map_or(0, days) }
}

fn days(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn filter(rule: &LifecycleRule) -> RuleFilter {
    let mut filter = rule.filter().map(of_filter).unwrap_or_default();
    filter.written = rule.filter().is_some();
    // The older form has the prefix beside the filter, and no filter. Deprecated is not gone (B66).
    #[expect(deprecated, reason = "rules written in the older form are still in force")]
    let prefix = rule.prefix();
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        filter.prefix = prefix.into();
    }
    filter
}

fn of_filter(given: &LifecycleRuleFilter) -> RuleFilter {
    let and = given.and();
    let bytes = |bound: Option<i64>| bound.map(|bound| u64::try_from(bound).unwrap_or(0));
    let tags = given.tag().into_iter().chain(and.into_iter().flat_map(|and| and.tags()));
    RuleFilter {
        written: true,
        prefix: given.prefix().or(and.and_then(|and| and.prefix())).unwrap_or_default().into(),
        tags: tags.map(|tag| (tag.key().into(), tag.value().into())).collect(),
        larger_than: bytes(given.object_size_greater_than().or(and.and_then(|and| and.object_size_greater_than()))),
        smaller_than: bytes(given.object_size_less_than().or(and.and_then(|and| and.object_size_less_than()))),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{
        ExpirationStatus, LifecycleRuleAndOperator, NoncurrentVersionExpiration, Tag, Transition,
        TransitionStorageClass,
    };

    use super::*;

    fn written(status: &str) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
        LifecycleRule::builder().id("r").status(ExpirationStatus::from(status))
    }

    #[test]
    fn unknown_states_act_and_unknown_classes_keep_their_names_f53() {
        for (status, acts) in [("Disabled", false), ("Enabled", true), ("Paused", true)] {
            assert_eq!(read(&[written(status).build().unwrap()], None).rules[0].enabled, acts, "{status}");
        }
        let transition = Transition::builder().days(1).storage_class(TransitionStorageClass::from("PERMAFROST"));
        let rules = read(&[written("Enabled").transitions(transition.build()).build().unwrap()], None);
        assert_eq!(rules.rules[0].transitions[0].class.as_str(), "PERMAFROST");
        assert_eq!(rules.minimum, TransitionMinimum::Unknown);
    }

    #[test]
    fn every_form_of_filter_is_read_b66() {
        let tag = Tag::builder().key("kind").value("release").build().unwrap();
        let and = LifecycleRuleAndOperator::builder().prefix("api/").tags(tag.clone()).object_size_less_than(9);
        let given = LifecycleRuleFilter::builder().and(and.build()).build();
        let read_of = |rule: LifecycleRule| read(&[rule], None).rules.remove(0).filter;
        let filter = read_of(written("Enabled").filter(given).build().unwrap());
        assert_eq!((&*filter.prefix, filter.smaller_than, filter.tags.len()), ("api/", Some(9), 1));
        #[expect(deprecated, reason = "rules written in the older form are still in force")]
        let older = read_of(written("Enabled").prefix("web/").build().unwrap());
        assert_eq!((&*older.prefix, older.written), ("web/", false));
        let everything = read_of(written("Enabled").filter(LifecycleRuleFilter::builder().build()).build().unwrap());
        assert_eq!((&*everything.prefix, everything.written), ("", true));
    }

    #[test]
    fn a_number_that_cannot_be_one_acts_at_once_f53() {
        let limit = NoncurrentVersionExpiration::builder().noncurrent_days(-3).newer_noncurrent_versions(-1).build();
        let rules = read(&[written("Enabled").noncurrent_version_expiration(limit).build().unwrap()], None);
        assert_eq!(rules.rules[0].noncurrent_expiration, Some(NoncurrentLimit { days: 0, keep_newer: 0 }));
        let empty =
            read(&[written("Enabled").expiration(LifecycleExpiration::builder().build()).build().unwrap()], None);
        assert_eq!(empty.rules[0].expiration, Some(BucketExpiration::Current(Trigger::Unknown)));
        let markers = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
        let markers = read(&[written("Enabled").expiration(markers).build().unwrap()], None);
        assert_eq!(markers.rules[0].expiration, Some(BucketExpiration::LoneMarkers));
    }
}
