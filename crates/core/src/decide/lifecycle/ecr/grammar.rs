//! A policy's text → rules, or everything that is wrong with it (A22–A28).
//!
//! A policy that cannot be read makes protection unknown, never safe (F53). So whatever the guide does not know is
//! refused: unknown keys and values, keys that stand twice, selections of which it is not documented what they match.

use std::collections::BTreeMap;
use std::fmt;

use super::super::json::Json;
use super::pattern::TagPattern;
use super::rule::{Count, Rule, RuleAction, StorageClass, TagRule};

/// The shortest text that ECR takes (A8), in characters.
pub const MIN_TEXT: usize = 100;
/// The longest text that ECR takes (A7), in characters.
pub const MAX_TEXT: usize = 30_720;
/// The most rules that ECR takes (A7).
pub const MAX_RULES: usize = 50;
/// Archived images are kept for at least so many days (A27).
const MIN_ARCHIVED_DAYS: u64 = 90;

/// One thing that is wrong with a lifecycle policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}; {remedy}", Named(*.rule))]
pub struct GrammarProblem {
    /// The rule's priority, if it is one rule's and can be reported.
    pub rule: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

struct Named(Option<u32>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |priority| write!(f, "rule {priority}: "))
    }
}

/// Reads the rules, in ascending priority.
pub(super) fn read(text: &str) -> Result<Vec<Rule>, Vec<GrammarProblem>> {
    let mut problems = Problems::default();
    let length = text.chars().count();
    if length > MAX_TEXT {
        problems.tell(format!("the policy has {length} characters"), format!("shorten it to {MAX_TEXT}, ECR's limit"));
        return Err(problems.all);
    }
    let policy: Json = match serde_json::from_str(text) {
        Ok(policy) => policy,
        Err(error) => {
            problems.tell(format!("the policy is not JSON: {error}"), "correct it at that place");
            return Err(problems.all);
        }
    };
    if length < MIN_TEXT {
        let remedy = format!("ECR takes no policy under {MIN_TEXT}: add a description, or spaces");
        problems.tell(format!("the policy has {length} characters"), remedy);
    }
    let mut rules = problems.policy(&policy);
    problems.across(&rules);
    rules.sort_by_key(|rule| rule.priority);
    if problems.all.is_empty() { Ok(rules) } else { Err(problems.all) }
}

/// Everything wrong so far, and whose rule is being read.
#[derive(Default)]
pub(super) struct Problems {
    all: Vec<GrammarProblem>,
    pub(super) rule: Option<u32>,
    /// How to name a rule that has no readable priority.
    place: Option<usize>,
}

impl Problems {
    pub(super) fn tell(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        let message = match (self.rule, self.place) {
            (None, Some(place)) => format!("rule number {place} in the list: {}", message.into()),
            _ => message.into(),
        };
        self.all.push(GrammarProblem { rule: self.rule, message, remedy: remedy.into() });
    }

    fn policy(&mut self, policy: &Json) -> Vec<Rule> {
        let Some(table) = self.table("the policy", policy, &["rules"]) else { return Vec::new() };
        let Some(rules) = table.get("rules") else {
            self.tell("the policy has no \"rules\"", "write {\"rules\": [\u{2026}]}");
            return Vec::new();
        };
        let Json::List(rules) = rules else {
            self.tell(format!("\"rules\" is {}", rules.kind()), "write a list of rules");
            return Vec::new();
        };
        if rules.is_empty() {
            self.tell("the policy has no rules", "add one, or delete the policy");
        }
        if rules.len() > MAX_RULES {
            let remedy = format!("merge or remove some: ECR takes at most {MAX_RULES}");
            self.tell(format!("the policy has {} rules", rules.len()), remedy);
        }
        let read = rules.iter().enumerate().filter_map(|(index, rule)| self.rule(index + 1, rule)).collect();
        (self.rule, self.place) = (None, None);
        read
    }

    fn rule(&mut self, place: usize, rule: &Json) -> Option<Rule> {
        (self.rule, self.place) = (None, Some(place));
        // Read before anything is told of this rule, so that it can be named.
        if let Json::Table(entries) = rule {
            let mut priorities = entries.iter().filter(|(key, _)| key == "rulePriority");
            if let (Some((_, Json::Number(number))), None) = (priorities.next(), priorities.next()) {
                self.rule = u32::try_from(*number).ok().filter(|priority| *priority > 0);
            }
        }
        let before = self.all.len();
        let table = self.table("the rule", rule, &["rulePriority", "description", "selection", "action"])?;
        if self.rule.is_none() && self.needs(&table, "rulePriority").is_some() {
            self.tell("\"rulePriority\" is no whole number from 1 up", "write a number of its own, such as 1");
        }
        let description = match table.get("description") {
            None => None,
            Some(Json::Text(text)) => Some(text.as_str().into()),
            Some(other) => {
                self.tell(format!("\"description\" is {}", other.kind()), "write a string");
                None
            }
        };
        let action = self.needs(&table, "action").and_then(|action| self.action(action));
        let selection = self.needs(&table, "selection").and_then(|selection| self.selection(selection));
        let (class, tags, count) = selection?;
        if let Some(action) = action {
            self.pairs(class, count, action);
        }
        let rule = Rule { priority: self.rule?, description, class, tags, count, action: action? };
        (self.all.len() == before).then_some(rule)
    }

    fn selection(&mut self, selection: &Json) -> Option<(StorageClass, TagRule, Count)> {
        let keys =
            ["tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber"];
        let table = self.table("\"selection\"", selection, &keys)?;
        let class = match table.get("storageClass") {
            None => Some(StorageClass::Standard),
            Some(class) => self.choice(
                "storageClass",
                class,
                &[("standard", StorageClass::Standard), ("archive", StorageClass::Archive)],
            ),
        };
        let tags = self.tags(&table);
        let count = self.count(&table);
        Some((class?, tags?, count?))
    }

    fn tags(&mut self, table: &BTreeMap<&str, &Json>) -> Option<TagRule> {
        let status = self.needs(table, "tagStatus")?;
        let tagged = self.choice(
            "tagStatus",
            status,
            &[("tagged", None), ("untagged", Some(TagRule::Untagged)), ("any", Some(TagRule::Any))],
        )?;
        let lists = (table.get("tagPatternList"), table.get("tagPrefixList"));
        match (tagged, lists) {
            (Some(other), (None, None)) => Some(other),
            (Some(_), _) => {
                self.tell("a tag list stands beside a \"tagStatus\" that is not \"tagged\"", "remove the list");
                None
            }
            (None, (Some(patterns), None)) => {
                let texts = self.texts("tagPatternList", patterns)?;
                let patterns: Vec<_> = texts.into_iter().filter_map(|text| self.pattern(text)).collect();
                (!patterns.is_empty()).then(|| TagRule::Patterns(patterns.into()))
            }
            (None, (None, Some(prefixes))) => {
                let texts = self.texts("tagPrefixList", prefixes)?;
                let prefixes: Vec<_> = texts.into_iter().filter_map(|text| self.prefix(text)).collect();
                (!prefixes.is_empty()).then(|| TagRule::Prefixes(prefixes.into()))
            }
            (None, (None, None)) => {
                self.tell("\"tagged\" without a tag list", "add a \"tagPatternList\"");
                None
            }
            (None, (Some(_), Some(_))) => {
                self.tell("both \"tagPatternList\" and \"tagPrefixList\"", "keep one of them");
                None
            }
        }
    }

    fn pattern(&mut self, text: &str) -> Option<TagPattern> {
        TagPattern::new(text)
            .map_err(|(wrong, remedy)| self.tell(format!("the tag pattern {} {wrong}", quote(text)), remedy))
            .ok()
    }

    /// Whether ECR reads a `*` in a prefix as a wildcard or as itself is not documented, and the two readings shield
    /// different images; an empty prefix is as doubtful.
    fn prefix(&mut self, text: &str) -> Option<Box<str>> {
        if text.is_empty() {
            self.tell("a tag prefix is empty", "name a prefix, or use \"tagPatternList\": [\"*\"]");
            return None;
        }
        if text.contains('*') {
            self.tell(format!("the tag prefix {} has a wildcard", quote(text)), "use \"tagPatternList\" for patterns");
            return None;
        }
        Some(text.into())
    }

    fn texts<'j>(&mut self, key: &str, list: &'j Json) -> Option<Vec<&'j str>> {
        let Json::List(entries) = list else {
            self.tell(format!("\"{key}\" is {}", list.kind()), "write a list of strings");
            return None;
        };
        if entries.is_empty() {
            self.tell(format!("\"{key}\" is empty"), "name at least one tag");
            return None;
        }
        let mut texts = Vec::new();
        for entry in entries {
            match entry {
                Json::Text(text) if texts.contains(&text.as_str()) => {
                    self.tell(format!("{} stands twice in \"{key}\"", quote(text)), "keep one of them");
                }
                Json::Text(text) => texts.push(text),
                other => self.tell(format!("\"{key}\" holds {}", other.kind()), "write strings only"),
            }
        }
        Some(texts)
    }

    fn count(&mut self, table: &BTreeMap<&str, &Json>) -> Option<Count> {
        let kind = self.needs(table, "countType");
        let kind: Option<fn(u64) -> Count> = kind.and_then(|kind| {
            self.choice(
                "countType",
                kind,
                &[
                    ("imageCountMoreThan", Count::MoreThan as fn(u64) -> Count),
                    ("sinceImagePushed", Count::SincePushed),
                    ("sinceImagePulled", Count::SincePulled),
                    ("sinceImageTransitioned", Count::SinceTransitioned),
                ],
            )
        });
        let number = match self.needs(table, "countNumber")? {
            Json::Number(number) if *number > 0 => *number,
            _ => {
                self.tell("\"countNumber\" is no whole number from 1 up", "write such a number");
                return None;
            }
        };
        let count = kind?(number);
        match (count, table.get("countUnit")) {
            (Count::MoreThan(_), Some(_)) => {
                self.tell("\"imageCountMoreThan\" with a \"countUnit\"", "remove \"countUnit\"");
            }
            (Count::MoreThan(_), None) => {}
            (_, Some(unit)) => drop(self.choice("countUnit", unit, &[("days", ())])),
            (_, None) => {
                self.tell(format!("\"{}\" without a \"countUnit\"", count.name()), "add \"countUnit\": \"days\"")
            }
        }
        Some(count)
    }

    fn action(&mut self, action: &Json) -> Option<RuleAction> {
        let table = self.table("\"action\"", action, &["type", "targetStorageClass"])?;
        let kind = self.needs(&table, "type")?;
        let kind =
            self.choice("type", kind, &[("expire", RuleAction::Expire), ("transition", RuleAction::Transition)])?;
        match (kind, table.get("targetStorageClass")) {
            (RuleAction::Expire, None) => {}
            (RuleAction::Expire, Some(_)) => self.tell("\"expire\" with a \"targetStorageClass\"", "remove it"),
            (RuleAction::Transition, Some(class)) => {
                self.choice("targetStorageClass", class, &[("archive", ())]);
            }
            (RuleAction::Transition, None) => {
                self.tell("\"transition\" without a \"targetStorageClass\"", "add \"targetStorageClass\": \"archive\"");
            }
        }
        Some(kind)
    }

    /// What may stand together (A27).
    fn pairs(&mut self, class: StorageClass, count: Count, action: RuleAction) {
        let archive = class == StorageClass::Archive;
        match count {
            Count::SinceTransitioned(days) => {
                if !archive {
                    self.tell("\"sinceImageTransitioned\" outside the archive", "add \"storageClass\": \"archive\"");
                }
                if action != RuleAction::Expire {
                    self.tell("\"sinceImageTransitioned\" cannot archive again", "use the action \"expire\"");
                }
                if days < MIN_ARCHIVED_DAYS {
                    let remedy =
                        format!("wait for {MIN_ARCHIVED_DAYS} days at least: ECR keeps archived images so long");
                    self.tell(format!("archived images would expire after {days} days"), remedy);
                }
            }
            _ if archive => {
                let remedy = "use \"sinceImageTransitioned\", the only count type of the archive";
                self.tell(format!("\"{}\" on archived images", count.name()), remedy);
            }
            Count::SincePulled(_) if action == RuleAction::Expire => {
                self.tell(
                    "\"sinceImagePulled\" cannot expire",
                    "use the action \"transition\", or \"sinceImagePushed\"",
                );
            }
            _ => {}
        }
    }

    /// The entries of an object, each key once, none but these.
    fn table<'j>(&mut self, what: &str, value: &'j Json, keys: &[&str]) -> Option<BTreeMap<&'j str, &'j Json>> {
        let Json::Table(entries) = value else {
            self.tell(format!("{what} is {}", value.kind()), "write an object");
            return None;
        };
        let mut table = BTreeMap::new();
        for (key, value) in entries {
            if !keys.contains(&key.as_str()) {
                let remedy = format!("remove it; the keys here are {}", keys.join(", "));
                self.tell(format!("{what} has an unknown key {}", quote(key)), remedy);
            } else if table.insert(key.as_str(), value).is_some() {
                self.tell(format!("{what} has the key {} twice", quote(key)), "keep one of them");
            }
        }
        Some(table)
    }

    fn needs<'j>(&mut self, table: &BTreeMap<&str, &'j Json>, key: &str) -> Option<&'j Json> {
        let value = table.get(key).copied();
        if value.is_none() {
            self.tell(format!("\"{key}\" is missing"), "add it");
        }
        value
    }

    fn choice<T: Clone>(&mut self, key: &str, value: &Json, choices: &[(&str, T)]) -> Option<T> {
        let Json::Text(text) = value else {
            self.tell(format!("\"{key}\" is {}", value.kind()), "write a string");
            return None;
        };
        let chosen = choices.iter().find(|(name, _)| name == text).map(|(_, chosen)| chosen.clone());
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.tell(format!("\"{key}\" is {}", quote(text)), format!("use {}", names.join(" or ")));
        }
        chosen
    }
}

/// Text from a policy, short and without control characters (I19).
fn quote(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}{}", if short.len() < text.len() { "\u{2026}" } else { "" })
}
