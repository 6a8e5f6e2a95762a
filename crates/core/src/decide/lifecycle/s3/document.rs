//! A lifecycle configuration as people write it, in S3's XML or in the AWS command line's JSON (B66).
//!
//! What is read here was written by hand and is to be tried before S3 sees it. So whatever S3 would refuse is refused,
//! all of it at once; what a bucket has set is another matter, and is read in `sources::s3::lifecycle`.

use jiff::Timestamp;

use super::super::json::Json;
use super::check::check;
use super::xml;
use crate::model::{
    BucketExpiration, BucketLifecycle, BucketRule, BucketTransition, NoncurrentLimit, RuleFilter, StorageClass, TagSet,
    TransitionMinimum, Trigger,
};

/// The most rules that S3 takes (B66).
const MAX_RULES: usize = 1000;
/// The most newer noncurrent versions that a rule can keep (B70).
const MAX_NEWER: u64 = 100;
/// Where a rule can move versions. What S3 adds later is refused here until it is known what it does.
const CLASSES: [&str; 6] =
    ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

/// Whether a text means to be such a configuration, and not a policy of another service.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let names_rules = |table: &[(String, Json)]| table.iter().any(|(key, _)| key == "Rules");
    text.starts_with('<') || matches!(&serde_json::from_str(text), Ok(Json::Table(table)) if names_rules(table))
}

/// Reads a configuration, or tells everything that is wrong with it.
pub fn read(text: &str) -> Result<BucketLifecycle, Vec<String>> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let document = match text.starts_with('<') {
        true => xml::read(text).map_err(|problem| vec![problem])?,
        false => serde_json::from_str(text).map_err(|error| vec![format!("it is not JSON: {error}")])?,
    };
    let mut reading = Reading::default();
    let lifecycle = reading.configuration(&document);
    if reading.problems.is_empty() { Ok(lifecycle) } else { Err(reading.problems) }
}

/// What is wrong so far, and whose rule is being read.
#[derive(Default)]
struct Reading {
    problems: Vec<String>,
    rule: Option<String>,
}

/// The members of an object, each known and there once.
struct Table<'j>(Vec<(&'j str, &'j Json)>);

impl<'j> Table<'j> {
    fn get(&self, key: &str) -> Option<&'j Json> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

impl Reading {
    fn tell(&mut self, what: impl AsRef<str>) {
        let rule = self.rule.as_ref().map_or_else(String::new, |rule| format!("rule {rule}: "));
        self.problems.push(format!("{rule}{}", what.as_ref()));
    }

    fn configuration(&mut self, document: &Json) -> BucketLifecycle {
        let known = ["Rules", "TransitionDefaultMinimumObjectSize"];
        let Some(table) = self.table(document, "the configuration", &known) else { return BucketLifecycle::default() };
        let minimum = match table.get(known[1]).and_then(|json| self.text(json, known[1])) {
            None => TransitionMinimum::Unknown,
            Some("all_storage_classes_128K") => TransitionMinimum::AllClasses,
            Some("varies_by_storage_class") => TransitionMinimum::VariesByClass,
            Some(other) => {
                self.tell(format!("{} {other:?} is none that S3 knows", known[1]));
                TransitionMinimum::Unknown
            }
        };
        let rules = self.list(table.get("Rules"), "Rules");
        match rules.len() {
            0 => self.tell("it has no rules; to have none, delete the bucket's configuration"),
            count if count > MAX_RULES => self.tell(format!("it has {count} rules, and S3 takes {MAX_RULES}")),
            _ => {}
        }
        let rules: Vec<BucketRule> =
            rules.iter().enumerate().map(|(place, rule)| self.whole_rule(place + 1, rule)).collect();
        self.rule = None;
        for (place, rule) in rules.iter().enumerate() {
            if !rule.id.is_empty() && rules[..place].iter().any(|other| other.id == rule.id) {
                self.tell(format!("two rules have the ID {:?}", rule.id));
            }
        }
        BucketLifecycle { rules, minimum }
    }

    fn whole_rule(&mut self, place: usize, json: &Json) -> BucketRule {
        self.rule = Some(format!("number {place}"));
        let known = [
            "ID",
            "Status",
            "Filter",
            "Prefix",
            "Expiration",
            "NoncurrentVersionExpiration",
            "Transitions",
            "NoncurrentVersionTransitions",
            "AbortIncompleteMultipartUpload",
        ];
        let Some(table) = self.table(json, "the rule", &known) else { return BucketRule::default() };
        let id = table.get("ID").and_then(|json| self.text(json, "ID")).unwrap_or_default();
        if !id.is_empty() {
            self.rule = Some(format!("{id:?}"));
        }
        if id.chars().count() > 255 {
            self.tell("its ID is longer than 255 characters");
        }
        let enabled = match table.get("Status").and_then(|json| self.text(json, "Status")) {
            Some("Disabled") => false,
            Some("Enabled") => true,
            _ => {
                self.tell("its Status must be Enabled or Disabled");
                true
            }
        };
        let rule = BucketRule {
            id: id.into(),
            enabled,
            filter: self.scope(&table),
            expiration: table.get("Expiration").and_then(|json| self.expiration(json)),
            noncurrent_expiration: table.get("NoncurrentVersionExpiration").and_then(|json| {
                let table = self.table(json, "NoncurrentVersionExpiration", &NONCURRENT[..2])?;
                Some(self.noncurrent(&table, "NoncurrentVersionExpiration"))
            }),
            transitions: self.transitions(&table),
            noncurrent_transitions: self.noncurrent_transitions(&table),
            abort_uploads_after: table.get("AbortIncompleteMultipartUpload").and_then(|json| {
                let what = "AbortIncompleteMultipartUpload";
                let table = self.table(json, what, &["DaysAfterInitiation"])?;
                self.days(&table, "DaysAfterInitiation", 1).or_else(|| {
                    self.tell(format!("its {what} lacks DaysAfterInitiation"));
                    None
                })
            }),
        };
        for problem in check(&rule) {
            self.tell(problem);
        }
        rule
    }

    fn scope(&mut self, table: &Table<'_>) -> RuleFilter {
        let prefix = table.get("Prefix").and_then(|json| self.text(json, "Prefix"));
        let Some(filter) = table.get("Filter") else {
            if prefix.is_none() {
                self.tell("it has neither a Filter nor a Prefix; an empty Filter reaches the whole bucket");
            }
            return RuleFilter { prefix: prefix.unwrap_or_default().into(), ..RuleFilter::default() };
        };
        if prefix.is_some() {
            self.tell("it has both a Filter and the older Prefix");
        }
        let known = ["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And"];
        let Some(filter) = self.table(filter, "Filter", &known) else { return RuleFilter::default() };
        if filter.0.len() > 1 {
            self.tell("its Filter holds more than one condition; put them into And");
        }
        let known = ["Prefix", "Tags", "ObjectSizeGreaterThan", "ObjectSizeLessThan"];
        let Some(and) = filter.get("And") else { return self.filter(&filter) };
        let Some(and) = self.table(and, "And", &known) else { return RuleFilter::default() };
        if and.0.len() < 2 && self.list(and.get("Tags"), "Tags").len() < 2 {
            self.tell("its And holds less than two conditions; write the one into Filter itself");
        }
        self.filter(&and)
    }

    fn filter(&mut self, table: &Table<'_>) -> RuleFilter {
        let mut tags: TagSet = Vec::new();
        for json in self.list(table.get("Tags"), "Tags").iter().chain(table.get("Tag")) {
            let Some(tag) = self.table(json, "Tag", &["Key", "Value"]) else { continue };
            let mut part = |name| tag.get(name).and_then(|json| self.text(json, name)).map(Box::<str>::from);
            match (part("Key"), part("Value")) {
                (Some(key), Some(value)) if !key.is_empty() => tags.push((key, value)),
                _ => self.tell("a Tag lacks its Key or its Value"),
            }
        }
        RuleFilter {
            written: true,
            prefix: table.get("Prefix").and_then(|json| self.text(json, "Prefix")).unwrap_or_default().into(),
            tags,
            larger_than: self.number(table, "ObjectSizeGreaterThan"),
            smaller_than: self.number(table, "ObjectSizeLessThan"),
        }
    }

    fn expiration(&mut self, json: &Json) -> Option<BucketExpiration> {
        let table = self.table(json, "Expiration", &["Days", "Date", "ExpiredObjectDeleteMarker"])?;
        let markers = match table.get("ExpiredObjectDeleteMarker") {
            None => None,
            Some(Json::Flag(flag)) => Some(*flag),
            Some(Json::Text(text)) if text == "true" || text == "false" => Some(text == "true"),
            Some(_) => {
                self.tell("ExpiredObjectDeleteMarker must be true or false");
                None
            }
        };
        let timed = table.has("Days") || table.has("Date");
        match (timed, markers) {
            (true, None) => Some(BucketExpiration::Current(self.trigger(&table, "Expiration", 1))),
            (false, Some(true)) => Some(BucketExpiration::LoneMarkers),
            (true, Some(_)) => {
                self.tell("its Expiration holds ExpiredObjectDeleteMarker beside a time");
                None
            }
            (false, _) => {
                self.tell("its Expiration says neither Days nor Date");
                None
            }
        }
    }

    fn transitions(&mut self, table: &Table<'_>) -> Vec<BucketTransition<Trigger>> {
        let what = "a transition";
        let list = self.list(table.get("Transitions"), "Transitions");
        let read = |json| {
            let table = self.table(json, what, &["Days", "Date", "StorageClass"])?;
            Some(BucketTransition { class: self.class(&table)?, when: self.trigger(&table, what, 0) })
        };
        list.iter().filter_map(read).collect()
    }

    fn noncurrent_transitions(&mut self, table: &Table<'_>) -> Vec<BucketTransition<NoncurrentLimit>> {
        let what = "a noncurrent transition";
        let list = self.list(table.get("NoncurrentVersionTransitions"), "NoncurrentVersionTransitions");
        let read = |json| {
            let table = self.table(json, what, &NONCURRENT)?;
            Some(BucketTransition { class: self.class(&table)?, when: self.noncurrent(&table, what) })
        };
        list.iter().filter_map(read).collect()
    }

    fn noncurrent(&mut self, table: &Table<'_>, what: &str) -> NoncurrentLimit {
        let least = if table.has("StorageClass") { 0 } else { 1 };
        let days = self.days(table, "NoncurrentDays", least);
        if !table.has("NoncurrentDays") {
            self.tell(format!("{what} lacks NoncurrentDays"));
        }
        let newer = self.number(table, "NewerNoncurrentVersions");
        if newer.is_some_and(|newer| !(1..=MAX_NEWER).contains(&newer)) {
            self.tell(format!("NewerNoncurrentVersions must be 1 to {MAX_NEWER}"));
        }
        let keep_newer = newer.unwrap_or(0).min(MAX_NEWER).try_into().unwrap_or(0);
        NoncurrentLimit { days: days.unwrap_or(0), keep_newer }
    }

    fn trigger(&mut self, table: &Table<'_>, what: &str, least: u64) -> Trigger {
        match (table.has("Days"), table.get("Date")) {
            (true, None) => self.days(table, "Days", least).map_or(Trigger::Unknown, Trigger::Days),
            (false, Some(date)) => self.date(date),
            _ => {
                self.tell(format!("{what} must say Days or Date, and not both"));
                Trigger::Unknown
            }
        }
    }

    /// Midnight UTC, as S3 wants it; a day alone is its midnight.
    fn date(&mut self, json: &Json) -> Trigger {
        let Some(text) = self.text(json, "Date") else { return Trigger::Unknown };
        let of_day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
        let at = match of_day {
            Some(day) => day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
            None => text.parse::<Timestamp>().ok(),
        };
        match at {
            Some(at) if at.as_second() % 86_400 == 0 && at.subsec_nanosecond() == 0 => Trigger::Date(at),
            Some(_) => {
                self.tell(format!("Date {text:?} must be midnight UTC"));
                Trigger::Unknown
            }
            None => {
                self.tell(format!("Date {text:?} is no date; write such as 2027-01-31T00:00:00Z"));
                Trigger::Unknown
            }
        }
    }

    fn class(&mut self, table: &Table<'_>) -> Option<StorageClass> {
        let class = table.get("StorageClass").and_then(|json| self.text(json, "StorageClass"));
        match class {
            Some(class) if CLASSES.contains(&class) => Some(StorageClass::new(class)),
            other => {
                self.tell(format!("StorageClass {:?} is none of {}", other.unwrap_or(""), CLASSES.join(", ")));
                None
            }
        }
    }

    fn days(&mut self, table: &Table<'_>, name: &str, least: u64) -> Option<u32> {
        let days = self.number(table, name)?;
        match u32::try_from(days) {
            Ok(within) if days >= least && i32::try_from(within).is_ok() => Some(within),
            _ => {
                self.tell(format!("{name} {days} must be {least} to {}", i32::MAX));
                None
            }
        }
    }

    fn number(&mut self, table: &Table<'_>, name: &str) -> Option<u64> {
        // XML knows text only.
        let number = match table.get(name)? {
            Json::Number(number) => Some(*number),
            Json::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.tell(format!("{name} must be a whole number from 0 up"));
        }
        number
    }

    fn text<'j>(&mut self, json: &'j Json, name: &str) -> Option<&'j str> {
        match json {
            Json::Text(text) => Some(text),
            other => {
                self.tell(format!("{name} is {}, and must be a string", other.kind()));
                None
            }
        }
    }

    fn list<'j>(&mut self, json: Option<&'j Json>, name: &str) -> &'j [Json] {
        match json {
            None => &[],
            Some(Json::List(list)) => list,
            Some(other) => {
                self.tell(format!("{name} is {}, and must be a list", other.kind()));
                &[]
            }
        }
    }

    fn table<'j>(&mut self, json: &'j Json, what: &str, known: &[&str]) -> Option<Table<'j>> {
        let Json::Table(members) = json else {
            self.tell(format!("{what} is {}, and must be an object", json.kind()));
            return None;
        };
        for (place, (key, _)) in members.iter().enumerate() {
            if !known.contains(&key.as_str()) {
                self.tell(format!("{what} has a member {key:?}, which S3 does not know there"));
            } else if members[..place].iter().any(|(other, _)| other == key) {
                self.tell(format!("{what} has {key:?} twice"));
            }
        }
        Some(Table(members.iter().map(|(key, value)| (key.as_str(), value)).collect()))
    }
}

const NONCURRENT: [&str; 3] = ["NoncurrentDays", "NewerNoncurrentVersions", "StorageClass"];
