//! Rules that cannot mean what they say, or say more than is safe.

use serde::Serialize;

use crate::model::{
    BucketExpiration, BucketLifecycle, BucketRule, Layout, NoncurrentLimit, RuleFilter, Trigger, Versioning,
};

/// Something about a rule that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lint {
    /// The rule's name.
    pub rule: String,
    /// What kind of thing.
    pub kind: LintKind,
    /// What, in one sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Kinds of things to know about S3 lifecycle rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LintKind {
    /// It reaches the whole bucket.
    WholeBucket,
    /// Its prefix is no part of any release's key.
    MatchesNoRelease,
    /// Its prefix is written as a pattern or a path; S3 takes it letter by letter.
    PrefixTakenLiterally,
    /// It is scoped to the mark of pins, which cannot be negated: it reaches pins, and only them (B66).
    ReachesOnlyPins,
    /// Two rules, or one, that hide and then destroy (B72).
    HidesThenDestroys,
    /// Releases must be restored before they can be rolled back to (B73).
    ArchivesReleases,
    /// A number of newer versions without a filter, which S3 does not accept (B70).
    CountWithoutFilter,
    /// Deletes for good what it expires (B69).
    DestroysCurrent,
    /// Another rule does the same sooner, to everything that it reaches.
    Shadowed,
    /// Size bounds between which there is nothing: they are exclusive (B66).
    EmptySizeRange,
    /// It is switched off.
    Disabled,
}

/// The mark of pins where nothing can be held.
const MARK: &str = "prod-pinned";

/// Whether this is the key of the tag that marks pins.
pub(in crate::decide::lifecycle) fn is_mark(tag: &str) -> bool {
    tag == MARK
}

/// The tag that marks pins.
pub(in crate::decide::lifecycle) fn mark() -> (Box<str>, Box<str>) {
    (MARK.into(), "true".into())
}

/// What there is to know about these rules in a bucket whose releases have keys of this layout.
#[must_use]
pub fn lint(lifecycle: &BucketLifecycle, versioning: Option<Versioning>, layout: &Layout) -> Vec<Lint> {
    let mut lints: Vec<Lint> = Vec::new();
    for rule in &lifecycle.rules {
        if !rule.enabled {
            lints.push(tell(
                rule,
                LintKind::Disabled,
                "it is disabled and does nothing".to_owned(),
                "delete it, or enable it on purpose",
            ));
            continue;
        }
        lints.extend(about_filter(rule, layout));
        lints.extend(shadow(rule, lifecycle));
        if layout.can_begin(&rule.filter.prefix) && is_destructive(rule) {
            lints.extend(about_actions(rule, lifecycle, versioning));
        }
    }
    lints.sort();
    lints
}

fn tell(rule: &BucketRule, kind: LintKind, message: String, remedy: &str) -> Lint {
    Lint { rule: rule.name(), kind, message, remedy: remedy.to_owned() }
}

fn is_destructive(rule: &BucketRule) -> bool {
    expires_current(rule)
        || rule.noncurrent_expiration.is_some()
        || !rule.transitions.is_empty()
        || !rule.noncurrent_transitions.is_empty()
}

fn expires_current(rule: &BucketRule) -> bool {
    matches!(rule.expiration, Some(BucketExpiration::Current(_)))
}

fn about_filter(rule: &BucketRule, layout: &Layout) -> Vec<Lint> {
    let filter = &rule.filter;
    let mut lints = Vec::new();
    if let (Some(larger), Some(smaller)) = (filter.larger_than, filter.smaller_than)
        && smaller.saturating_sub(larger) < 2
    {
        let message = format!("no object is larger than {larger} and smaller than {smaller} bytes: both are exclusive");
        lints.push(tell(rule, LintKind::EmptySizeRange, message, "widen the bounds, or delete the rule"));
    }
    let begins = layout.can_begin(&filter.prefix);
    if let Some((meant, odd)) = meant_otherwise(&filter.prefix, begins) {
        // A version may hold an asterisk. In practice none does, and whoever writes one means a pattern.
        let unless = if begins { format!(", unless its name holds `{odd}`") } else { String::new() };
        let consequence = format!("; no release of layout {layout} has a key that starts with it{unless}");
        let message = format!("S3 compares its prefix {:?} letter by letter: {meant}{consequence}", filter.prefix);
        lints.push(tell(
            rule,
            LintKind::PrefixTakenLiterally,
            message,
            "write the prefix as keys begin, such as \"api/\"",
        ));
        return lints;
    }
    if !begins {
        let message = format!("no release of layout {layout} has a key that starts with {:?}", filter.prefix);
        let remedy = "nothing, if it is meant for something else; if not, correct the prefix";
        lints.push(tell(rule, LintKind::MatchesNoRelease, message, remedy));
        return lints;
    }
    let is_whole = filter.prefix.is_empty()
        && filter.tags.is_empty()
        && filter.larger_than.is_none()
        && filter.smaller_than.is_none();
    if is_whole && is_destructive(rule) {
        let message = "it has no filter that narrows it, and so reaches the whole bucket".to_owned();
        let remedy = "scope it to a prefix without releases, or to a tag that only disposable objects carry";
        lints.push(tell(rule, LintKind::WholeBucket, message, remedy));
    }
    if is_destructive(rule) && filter.tags.iter().any(|(key, _)| is_mark(key)) {
        let message = format!("it is scoped to the tag {MARK}, and a filter cannot negate: it reaches the pins alone");
        let remedy = "scope it to a tag that disposable objects carry and releases do not";
        lints.push(tell(rule, LintKind::ReachesOnlyPins, message, remedy));
    }
    let counts = rule.noncurrent_expiration.is_some_and(|limit| limit.keep_newer > 0)
        || rule.noncurrent_transitions.iter().any(|transition| transition.when.keep_newer > 0);
    if counts && !filter.written {
        let message = "it keeps a number of newer noncurrent versions, for which S3 asks for a filter".to_owned();
        lints.push(tell(rule, LintKind::CountWithoutFilter, message, "give it a filter in place of the older prefix"));
    }
    lints
}

/// What a prefix is written as that S3 takes for the beginning of a key, and what in it shows that.
fn meant_otherwise(prefix: &str, begins: bool) -> Option<(&'static str, &'static str)> {
    const PATTERN: &str = "`*` is no wildcard, and a `/` in front must be in the key";
    const REGEX: &str = "it is no regular expression";
    let is_blank = |c: Option<char>| c.is_some_and(char::is_whitespace);
    if prefix.contains('*') {
        return Some((PATTERN, "*"));
    }
    if prefix.starts_with('^') {
        return Some((REGEX, "^"));
    }
    if prefix.starts_with('/') {
        return (!begins).then_some((PATTERN, "/"));
    }
    if prefix.contains('?') {
        return Some(("`?` is no wildcard", "?"));
    }
    if prefix.starts_with("./") || prefix.starts_with("../") {
        return Some(("keys are no paths, and `.` in front must be in the key", "./"));
    }
    if prefix.contains("://") || prefix.starts_with("arn:") {
        return Some(("an address is no part of a key", "://"));
    }
    if prefix.contains('\\') {
        return Some(("keys are parted by `/`, and `\\` must be in the key", "\\"));
    }
    if is_blank(prefix.chars().next()) || is_blank(prefix.chars().last()) {
        return Some(("a blank in front or behind must be in the key", " "));
    }
    if prefix.starts_with(['"', '\'']) {
        return Some(("quotes must be in the key", "quotes"));
    }
    None
}

fn about_actions(rule: &BucketRule, lifecycle: &BucketLifecycle, versioning: Option<Versioning>) -> Vec<Lint> {
    let mut lints = Vec::new();
    if expires_current(rule) {
        let destroys = match versioning {
            Some(Versioning::Off) => Some("the bucket keeps no versions, so what expires is gone for good"),
            Some(Versioning::Suspended) => {
                Some("versioning is suspended, so what has no version id is gone for good when it expires")
            }
            Some(Versioning::Enabled) | None => None,
        };
        if let Some(message) = destroys {
            let remedy = "enable versioning, or narrow the rule so that it spares releases";
            lints.push(tell(rule, LintKind::DestroysCurrent, message.to_owned(), remedy));
        }
        let follows = lifecycle.rules.iter().filter(|other| other.enabled && other.noncurrent_expiration.is_some());
        if let Some(other) = follows.into_iter().find(|other| may_meet(rule, other))
            && versioning != Some(Versioning::Off)
        {
            let limit = other.noncurrent_expiration.unwrap_or_default();
            let message = format!(
                "it puts delete markers in front, and {} days later rule {:?} deletes what is behind them for good",
                limit.days,
                other.name()
            );
            let remedy = "narrow either rule so that it spares releases";
            lints.push(tell(rule, LintKind::HidesThenDestroys, message, remedy));
        }
    }
    let moves = rule.transitions.iter().map(|transition| &transition.class);
    let classes = moves.chain(rule.noncurrent_transitions.iter().map(|transition| &transition.class));
    if let Some(class) = classes.into_iter().find(|class| class.is_archive()) {
        let message = format!("it moves releases to {class}, from which they must be restored before they can be used");
        let remedy = "use GLACIER_IR, which is read at once, or narrow the rule so that it spares releases";
        lints.push(tell(rule, LintKind::ArchivesReleases, message, remedy));
    }
    lints
}

/// Whether one object can match both. Tags and sizes may differ and still overlap, so only prefixes tell them apart.
fn may_meet(one: &BucketRule, other: &BucketRule) -> bool {
    one.filter.prefix.starts_with(&*other.filter.prefix) || other.filter.prefix.starts_with(&*one.filter.prefix)
}

/// A rule all of whose actions another one has carried out before it can. What is equal shadows only what comes later.
fn shadow(rule: &BucketRule, lifecycle: &BucketLifecycle) -> Option<Lint> {
    let place = lifecycle.rules.iter().position(|other| std::ptr::eq(other, rule))?;
    let other = lifecycle.rules.iter().enumerate().find(|(other_place, other)| {
        let sooner = does_all_of(other, rule);
        *other_place != place
            && other.enabled
            && covers(&other.filter, &rule.filter)
            && sooner
            && (*other_place < place || !(covers(&rule.filter, &other.filter) && does_all_of(rule, other)))
    });
    let (_, other) = other?;
    let message =
        format!("it never acts: rule {:?} does the same, no later, to everything that it reaches", other.name());
    Some(tell(rule, LintKind::Shadowed, message, "delete it, or make it act sooner if that is what was meant"))
}

/// Whether everything that matches one filter matches the other (B66).
fn covers(wide: &RuleFilter, narrow: &RuleFilter) -> bool {
    narrow.prefix.starts_with(&*wide.prefix)
        && wide.tags.iter().all(|tag| narrow.tags.contains(tag))
        && wide.larger_than.is_none_or(|wide| narrow.larger_than.is_some_and(|narrow| narrow >= wide))
        && wide.smaller_than.is_none_or(|wide| narrow.smaller_than.is_some_and(|narrow| narrow <= wide))
}

/// Whether one rule does all that the other does, each no later. What is compared in other ways than by days, and what
/// moves to other classes, is never taken for the same.
fn does_all_of(one: &BucketRule, other: &BucketRule) -> bool {
    let expires = match (&one.expiration, &other.expiration) {
        (_, None) => true,
        (
            Some(BucketExpiration::Current(Trigger::Days(one))),
            Some(BucketExpiration::Current(Trigger::Days(other))),
        ) => one <= other,
        (one, other) => one == other,
    };
    let within =
        |one: &NoncurrentLimit, other: &NoncurrentLimit| one.days <= other.days && one.keep_newer <= other.keep_newer;
    let cleans = match (&one.noncurrent_expiration, &other.noncurrent_expiration) {
        (_, None) => true,
        (Some(one), Some(other)) => within(one, other),
        (None, Some(_)) => false,
    };
    let moves = other.transitions.iter().all(|wanted| {
        one.transitions.iter().any(|own| match (own.when, wanted.when) {
            (Trigger::Days(own_days), Trigger::Days(days)) => own.class == wanted.class && own_days <= days,
            _ => own == wanted,
        })
    });
    let moves_behind = other.noncurrent_transitions.iter().all(|wanted| {
        one.noncurrent_transitions.iter().any(|own| own.class == wanted.class && within(&own.when, &wanted.when))
    });
    let aborts = match (one.abort_uploads_after, other.abort_uploads_after) {
        (_, None) => true,
        (Some(one), Some(other)) => one <= other,
        (None, Some(_)) => false,
    };
    expires && cleans && moves && moves_behind && aborts
}
