//! The same rules read word by word and carried out day by day: slow, plain, and independent of the simulator. It knows
//! everything: what is not known is for the laws to try out both ways.

use prodpin::model::{BucketExpiration, BucketLifecycle, BucketRule, TransitionMinimum, Trigger, Versioning};

pub(crate) const DAY: i64 = 86_400;

/// One version or marker, all of it known. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Its place at the start; none for a marker that a rule put there.
    pub(crate) place: Option<usize>,
    pub(crate) is_marker: bool,
    pub(crate) is_null: bool,
    pub(crate) written: i64,
    pub(crate) size: u64,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) class: String,
    pub(crate) held: bool,
    pub(crate) retained_until: Option<i64>,
    /// When its successor was written.
    pub(crate) since: Option<i64>,
}

/// What happened: when, to which object, what, and the rules that each would have done it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Happened {
    pub(crate) at: i64,
    pub(crate) place: usize,
    pub(crate) what: String,
    pub(crate) rules: Vec<String>,
}

pub(crate) struct World<'a> {
    pub(crate) key: &'a str,
    pub(crate) rules: &'a BucketLifecycle,
    pub(crate) versioning: Versioning,
    pub(crate) markers_count: bool,
    /// Newest first.
    pub(crate) objects: Vec<Object>,
}

/// From dearest to cheapest.
const LADDER: [&str; 5] = ["STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

impl World<'_> {
    /// Today, and then every midnight.
    pub(crate) fn live(mut self, now: i64, horizon: i64) -> Vec<Happened> {
        for (older, newer) in (1..self.objects.len()).zip(0..) {
            self.objects[older].since = Some(self.objects[newer].written);
        }
        let mut log = self.one_day(now);
        let mut midnight = now - now.rem_euclid(DAY);
        loop {
            midnight += DAY;
            if midnight > horizon {
                log.sort();
                return log;
            }
            log.extend(self.one_day(midnight));
        }
    }

    fn one_day(&mut self, today: i64) -> Vec<Happened> {
        let mut log = Vec::new();
        let (mut survivors, mut put_marker) = (Vec::new(), false);
        for index in 0..self.objects.len() {
            let object = &self.objects[index];
            let acting: Vec<&BucketRule> =
                self.rules.rules.iter().filter(|rule| rule.enabled && self.matches(rule, object)).collect();
            let names = |which: &dyn Fn(&BucketRule) -> bool| -> Vec<String> {
                acting.iter().filter(|rule| which(rule)).map(|rule| rule.id.to_string()).collect()
            };
            let deleting = names(&|rule| self.deletes(rule, index, today));
            let classes = LADDER.iter().rev().take_while(|class| **class != object.class);
            let moving = classes
                .map(|class| (*class, names(&|rule| self.moves(rule, index, class, today))))
                .find(|(_, rules)| !rules.is_empty());
            let marking = names(&|rule| self.marks(rule, index, today));
            let mut note = |what: &str, rules: Vec<String>| {
                if let Some(place) = object.place {
                    log.push(Happened { at: today, place, what: what.to_owned(), rules });
                }
            };
            // Deletion before a move, a move before a marker.
            let mut kept = object.clone();
            if !deleting.is_empty() {
                note(if object.is_marker { "removes" } else { "deletes" }, deleting);
                continue;
            } else if let Some((class, rules)) = moving {
                note(class, rules);
                kept.class = class.to_owned();
            } else if !marking.is_empty() {
                put_marker = true;
                if self.versioning == Versioning::Suspended && object.is_null && !self.is_locked(object, today) {
                    note("deletes", marking);
                    continue;
                }
                note("hides", marking);
            }
            survivors.push(kept);
        }
        if put_marker {
            self.mark(today, &mut survivors, &mut log);
        }
        self.objects = survivors;
        log
    }

    fn mark(&self, today: i64, survivors: &mut Vec<Object>, log: &mut Vec<Happened>) {
        if self.versioning == Versioning::Suspended {
            let rules: Vec<String> =
                log.iter().filter(|what| what.place == 0).flat_map(|what| what.rules.clone()).collect();
            survivors.retain(|object| {
                let replaced = object.is_null && (object.is_marker || !self.is_locked(object, today));
                if let Some(place) = object.place.filter(|_| replaced) {
                    let what = if object.is_marker { "removes" } else { "deletes" };
                    log.push(Happened { at: today, place, what: what.to_owned(), rules: rules.clone() });
                }
                !replaced
            });
        }
        // What was in front is behind the marker now. It may be gone already, and then nothing else moved back.
        if let Some(front) = survivors.first_mut().filter(|object| object.since.is_none()) {
            front.since = Some(today);
        }
        let is_null = self.versioning == Versioning::Suspended;
        survivors.insert(
            0,
            Object {
                place: None,
                is_marker: true,
                is_null,
                written: today,
                size: 0,
                tags: Vec::new(),
                class: "STANDARD".to_owned(),
                held: false,
                retained_until: None,
                since: None,
            },
        );
    }

    fn matches(&self, rule: &BucketRule, object: &Object) -> bool {
        let filter = &rule.filter;
        let has = |key: &str, value: &str| object.tags.iter().any(|(k, v)| k == key && v == value);
        self.key.starts_with(&*filter.prefix)
            && filter.tags.iter().all(|(key, value)| has(key, value))
            && (object.is_marker
                || (filter.larger_than.is_none_or(|bound| bound < object.size)
                    && filter.smaller_than.is_none_or(|bound| bound > object.size)))
    }

    fn is_locked(&self, object: &Object, today: i64) -> bool {
        object.held || object.retained_until.is_some_and(|until| until > today)
    }

    fn deletes(&self, rule: &BucketRule, index: usize, today: i64) -> bool {
        let object = &self.objects[index];
        if self.is_locked(object, today) {
            return false;
        }
        if index > 0 {
            return rule
                .noncurrent_expiration
                .is_some_and(|limit| self.is_over(limit.days, limit.keep_newer, index, today));
        }
        let is_due = match rule.expiration {
            Some(BucketExpiration::Current(trigger)) => has_come(trigger, object.written, today),
            Some(BucketExpiration::LoneMarkers) => {
                object.is_marker && has_come(Trigger::Days(0), object.written, today)
            }
            None => false,
        };
        is_due && if object.is_marker { self.objects.len() == 1 } else { self.versioning == Versioning::Off }
    }

    fn marks(&self, rule: &BucketRule, index: usize, today: i64) -> bool {
        let object = &self.objects[index];
        index == 0
            && !object.is_marker
            && self.versioning != Versioning::Off
            && matches!(rule.expiration, Some(BucketExpiration::Current(trigger)) if has_come(trigger, object.written, today))
    }

    fn moves(&self, rule: &BucketRule, index: usize, class: &str, today: i64) -> bool {
        let object = &self.objects[index];
        if object.is_marker || !self.is_large_enough(rule, object, class) {
            return false;
        }
        if index == 0 {
            let mut wanted = rule.transitions.iter().filter(|transition| transition.class.as_str() == class);
            return wanted.any(|transition| has_come(transition.when, object.written, today));
        }
        let mut wanted = rule.noncurrent_transitions.iter().filter(|transition| transition.class.as_str() == class);
        wanted.any(|transition| self.is_over(transition.when.days, transition.when.keep_newer, index, today))
    }

    fn is_large_enough(&self, rule: &BucketRule, object: &Object, class: &str) -> bool {
        let says_a_size = rule.filter.larger_than.is_some() || rule.filter.smaller_than.is_some();
        let is_small = object.size < 131_072;
        let goes_to_an_archive = class == "GLACIER" || class == "DEEP_ARCHIVE";
        match self.rules.minimum {
            _ if says_a_size || !is_small => true,
            TransitionMinimum::AllClasses => false,
            TransitionMinimum::VariesByClass => goes_to_an_archive,
            TransitionMinimum::Unknown => panic!("the literal reading knows everything"),
        }
    }

    fn is_over(&self, days: u32, keep: u32, index: usize, today: i64) -> bool {
        let newer = self.objects[1..index].iter().filter(|object| self.markers_count || !object.is_marker).count();
        let since = self.objects[index].since.expect("something stands in front of it");
        newer >= keep as usize && has_come(Trigger::Days(days), since, today)
    }
}

/// Whether a day has come, found by walking from midnight to midnight.
fn has_come(trigger: Trigger, base: i64, today: i64) -> bool {
    let first_midnight_from = |moment: i64| {
        let mut midnight = moment - moment.rem_euclid(DAY);
        while midnight < moment {
            midnight += DAY;
        }
        midnight
    };
    match trigger {
        Trigger::Days(days) => today >= first_midnight_from(base + i64::from(days) * DAY),
        Trigger::Date(date) => today >= first_midnight_from(base) && today >= first_midnight_from(date.as_second()),
        Trigger::Unknown => panic!("the literal reading knows everything"),
    }
}
