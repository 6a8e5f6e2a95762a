//! The user's policy with the pins claimed, so that no rule reaches them (A51).

use std::collections::BTreeMap;

use serde_json::ser::PrettyFormatter;
use serde_json::{Value, json};

use super::claim::{Claim, LASTING_DAYS, SPARE_FACTOR, is_ample, is_claim};
use super::rule::{Count, Rule, RuleAction, StorageClass};
use super::{GrammarProblem, Lifecycle, MAX_RULES, MAX_TEXT};
use crate::model::Pin;

/// So many pins no repository comes to have.
const CLAIMED: u64 = 9_999;
/// A hundred years: a rule of the archive cannot count images, but it claims whatever it looks at all the same (A32).
const ARCHIVED_DAYS: u64 = 36_500;

const CLASSES: [StorageClass; 2] = [StorageClass::Standard, StorageClass::Archive];

/// A policy in which nothing reaches a pinned image: the live one with a claim rule in front, as it is otherwise.
/// Given such a policy, the answer is the same text. Rules are renumbered only to make room. A rule that claims the pins
/// and keeps too few keeps more; one that takes them by their age gives way where ECR takes no two of its selection.
pub fn recommend(live: Option<&str>) -> Result<String, Vec<GrammarProblem>> {
    recommend_for(live, 0)
}

/// The same where so many images carry pins already: the claim rule has room for many times as many.
pub fn recommend_for(live: Option<&str>, pins: u64) -> Result<String, Vec<GrammarProblem>> {
    let Some(live) = live else {
        return render(&json!({ "rules": [claim(StorageClass::Standard, pins)] }), "\n  ");
    };
    let lifecycle = Lifecycle::parse(live)?;
    let lacking: Vec<StorageClass> = CLASSES.into_iter().filter(|class| lacks(&lifecycle, *class, pins)).collect();
    if lacking.is_empty() {
        return Ok(live.to_owned());
    }
    let mut policy: Value = serde_json::from_str(live).map_err(|error| vec![unreadable(&error)])?;
    let Some(rules) = policy.get_mut("rules").and_then(Value::as_array_mut) else { return Ok(live.to_owned()) };
    let mut front: Vec<Value> = lacking.into_iter().map(|class| to_front(&lifecycle, class, pins, rules)).collect();
    renumber(&mut front, rules);
    front.append(rules);
    *rules = front;
    if rules.len() > MAX_RULES {
        return Err(vec![too_many(&lifecycle)]);
    }
    render(&policy, live)
}

/// The rule that is to stand in front of the class, taken from among the others where one of them can.
fn to_front(lifecycle: &Lifecycle, class: StorageClass, pins: u64, rules: &mut Vec<Value>) -> Value {
    let own = || lifecycle.rules().iter().filter(|rule| rule.class == class && is_claim(rule));
    let chosen = own().find(|rule| holds(rule, pins)).or_else(|| own().find(|rule| may_keep_more(rule)));
    let place =
        |wanted: &Rule, rules: &[Value]| rules.iter().position(|rule| priority(rule) == u64::from(wanted.priority));
    if let Some(chosen) = chosen
        && let Some(place) = place(chosen, rules)
    {
        let mut rule = rules.remove(place);
        if !holds(chosen, pins)
            && let Some(keep) = rule.pointer_mut("/selection/countNumber")
        {
            *keep = json!(room_for(pins));
        }
        return rule;
    }
    // Whatever else is there for the pins' sake never acts behind it. Only one with the same selection must go (A28).
    if let Some(twin) = own().find(|rule| rule.entries() == [pins_pattern()])
        && let Some(place) = place(twin, rules)
    {
        rules.remove(place);
    }
    claim(class, pins)
}

/// What each rule of the second policy was called in the first, by what it says: where room was needed, only its number
/// changed.
#[must_use]
pub fn renumbered(before: &Lifecycle, after: &Lifecycle) -> BTreeMap<String, String> {
    // No two rules of a class select alike (A28), so what a rule says is a name of its own.
    let same = |a: &Rule, b: &Rule| Rule { priority: b.priority, ..a.clone() } == *b;
    let name = |rule: &Rule| {
        let was = before.rules().iter().find(|was| same(was, rule))?;
        Some((rule.priority.to_string(), was.priority.to_string()))
    };
    after.rules().iter().filter_map(name).collect()
}

/// Whether the pins lack a claim in this class: no rule claims them for good, or another one can act on them first. A
/// class without rules acts on nothing; but a claim of the standard class is always there, for rules to come.
fn lacks(lifecycle: &Lifecycle, class: StorageClass, pins: u64) -> bool {
    match Claim::find(lifecycle.rules(), class) {
        Claim { rival: Some(_), .. } => true,
        Claim { rule: Some(rule), .. } => !holds(rule, pins),
        Claim { rule: None, .. } => class == StorageClass::Standard,
    }
}

/// Whether a claim rule keeps so many pins, and all that may come.
pub(super) fn holds(rule: &Rule, pins: u64) -> bool {
    match rule.count {
        Count::MoreThan(keep) => is_ample(keep, pins) && rule.action == RuleAction::Expire,
        Count::SinceTransitioned(days) => days >= LASTING_DAYS,
        Count::SincePushed(_) | Count::SincePulled(_) => false,
    }
}

/// Whether a claim rule holds once it keeps more: it counts, and does what a claim rule does.
pub(super) fn may_keep_more(rule: &Rule) -> bool {
    matches!(rule.count, Count::MoreThan(_)) && rule.action == RuleAction::Expire
}

/// Twice what is ample, so that the number grows seldom.
fn room_for(pins: u64) -> u64 {
    CLAIMED.max(pins.saturating_mul(2 * SPARE_FACTOR))
}

fn pins_pattern() -> String {
    format!("{}*", Pin::PREFIX)
}

/// The rule that prodpin adds.
pub(super) fn claim(class: StorageClass, pins: u64) -> Value {
    let pattern = pins_pattern();
    match class {
        StorageClass::Standard => json!({
            "rulePriority": 1,
            "description": "Claim prodpin's pins so that no rule below expires them",
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": [pattern],
                "countType": "imageCountMoreThan",
                "countNumber": room_for(pins),
            },
            "action": { "type": "expire" },
        }),
        StorageClass::Archive => json!({
            "rulePriority": 1,
            "description": "Claim prodpin's pins in the archive too",
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": [pattern],
                "storageClass": "archive",
                "countType": "sinceImageTransitioned",
                "countUnit": "days",
                "countNumber": ARCHIVED_DAYS,
            },
            "action": { "type": "expire" },
        }),
    }
}

/// Numbers the rules in front from 1, and moves the others up as far as they are in the way; their order stays.
fn renumber(front: &mut [Value], others: &mut [Value]) {
    let mut taken = 0;
    for rule in front {
        taken += 1;
        set(rule, taken);
    }
    let mut order: Vec<usize> = (0..others.len()).collect();
    order.sort_by_key(|index| priority(&others[*index]));
    let close = order.iter().try_fold(taken, |taken, index| {
        let next = priority(&others[*index]).max(taken + 1);
        (next <= u64::from(u32::MAX)).then_some(next)
    });
    for index in order {
        taken = if close.is_some() { priority(&others[index]).max(taken + 1) } else { taken + 1 };
        set(&mut others[index], taken);
    }
}

pub(super) fn priority(rule: &Value) -> u64 {
    rule.get("rulePriority").and_then(Value::as_u64).unwrap_or_default()
}

fn set(rule: &mut Value, priority: u64) {
    if let Some(rule) = rule.as_object_mut() {
        rule.insert("rulePriority".to_owned(), json!(priority));
    }
}

/// The text, written as the given one is: on lines with the same indentation, or without any space; without if it would
/// be too long otherwise.
fn render(policy: &Value, like: &str) -> Result<String, Vec<GrammarProblem>> {
    let mut text = policy.to_string();
    if let Some(indent) = indentation(like)
        && let Some(pretty) = indented(policy, &indent)
        && pretty.chars().count() <= MAX_TEXT
    {
        text = pretty;
    }
    Lifecycle::parse(&text)?;
    Ok(text)
}

fn indented(policy: &Value, indent: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(policy, &mut serializer).ok()?;
    String::from_utf8(bytes).ok()
}

/// What the first indented line begins with; none for a text on one line.
fn indentation(text: &str) -> Option<String> {
    let spaces = |line: &str| line.chars().take_while(|first| matches!(first, ' ' | '\t')).collect::<String>();
    text.lines().skip(1).map(spaces).find(|indent| !indent.is_empty())
}

fn unreadable(error: &serde_json::Error) -> GrammarProblem {
    let remedy = "correct it at that place".to_owned();
    GrammarProblem { rule: None, message: format!("the policy is not JSON: {error}"), remedy }
}

/// Says which rules could go, since there is no room for one more.
fn too_many(lifecycle: &Lifecycle) -> GrammarProblem {
    let rules = lifecycle.rules();
    let idle = rules.iter().enumerate().find_map(|(index, rule)| {
        let above = rules[..index].iter().find(|above| above.implies(rule))?;
        Some(format!(
            "remove rule {}, which never acts: rule {} claims whatever it looks at",
            rule.priority, above.priority
        ))
    });
    let remedy =
        idle.unwrap_or_else(|| "remove a rule, or merge two that do the same under one tag pattern".to_owned());
    let message = format!("the policy has {} rules, and ECR takes no more than {MAX_RULES}", rules.len());
    GrammarProblem { rule: None, message, remedy }
}
