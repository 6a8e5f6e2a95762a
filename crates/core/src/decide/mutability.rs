//! Whether tags that must not move can be overwritten: judged by what the setting does to these tags, not by its name.
//! In `MUTABLE_WITH_EXCLUSION` the filters name what is immutable, in `IMMUTABLE_WITH_EXCLUSION` what is not (A18).

use std::fmt;

use crate::model::{
    Code, EcrRepository, Finding, Mutability, ObservedTag, Pin, ProductionRule, RepositoryName, Severity, Tag,
};

use super::commands::{self, PIN_PATTERN};
use super::draft::Draft;
use super::mutation::DEPLOY_BY_DIGEST;
use super::rules::{Rules, is_watched};
use super::wildcard;

/// ECR takes no more filters than this (A18).
const FILTERS: usize = 5;

/// Tags of production that can be overwritten where they live: one finding for the repository.
pub(super) fn finding(
    draft: Draft<'_>,
    ecr: &EcrRepository,
    rules: &Rules,
    listed: &[&ObservedTag],
    has_targets: bool,
    has_gaps: bool,
) -> Option<Finding> {
    let releases: Vec<&Tag> = listed.iter().filter(|tag| must_stay(rules, tag)).map(|tag| &tag.name).collect();
    let has_pins = has_targets || listed.iter().any(|tag| Pin::read(&tag.name).is_some());
    if releases.is_empty() && !has_pins {
        return None;
    }
    let Some(mutability) = &ecr.mutability else {
        // A gap tells it already where it could not be read.
        return (!has_gaps).then(|| {
            let message = "which tags can be overwritten here could not be told";
            let remedy = "unknown is not immutable: look at the repository's tag mutability";
            draft.finding(Code::TagsMutable, Severity::Medium, message, remedy)
        });
    };
    let pins = has_pins && mutability.frees_pins();
    let movable: Vec<&Tag> = releases.into_iter().filter(|tag| mutability.frees(tag.as_str())).collect();
    let what = overwritten(pins, &movable)?;
    if let Some(upstream) = &ecr.cached_from {
        let message = format!("{what}; this repository caches {upstream}, and its tags move when upstream's do");
        return Some(draft.finding(Code::TagsMutable, Severity::Low, message, DEPLOY_BY_DIGEST));
    }
    // Whoever set filters meant to hold tags, and holds others. Where nothing was set up nobody relies on it, and a pin
    // that is moved is a critical finding of its own.
    let severity = if pins && *mutability != Mutability::Mutable { Severity::High } else { Severity::Medium };
    let message = format!("{what} (tags are {mutability})");
    let remedy = remedy(draft.repository(), ecr, mutability, rules, listed);
    Some(draft.finding(Code::TagsMutable, severity, message, remedy))
}

/// What can be overwritten, of pins and release tags; none if nothing can.
pub(super) fn overwritten(pins: bool, releases: &[&Tag]) -> Option<String> {
    match (pins, releases) {
        (false, []) => None,
        (true, []) => Some("pins can be overwritten".to_owned()),
        (false, tags) => Some(format!("release tags can be overwritten: {}", examples(tags))),
        (true, tags) => Some(format!("pins can be overwritten, and so can release tags: {}", examples(tags))),
    }
}

/// Whether the tag is a release that nothing in the policy lets move.
pub(super) fn must_stay(rules: &Rules, tag: &ObservedTag) -> bool {
    is_watched(&tag.name) && rules.is_release(tag.label()) && !rules.may_move(&tag.name, tag.label())
}

/// The first, and how many more: a repository may have thousands.
fn examples(tags: &[&Tag]) -> String {
    let shown: Vec<&str> = tags.iter().take(3).map(|tag| tag.as_str()).collect();
    match tags.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn remedy(
    repository: &RepositoryName,
    ecr: &EcrRepository,
    mutability: &Mutability,
    rules: &Rules,
    listed: &[&ObservedTag],
) -> String {
    let better = match mutability {
        Mutability::ImmutableExcept(filters) => {
            let frees_release = |filter: &str| {
                listed.iter().any(|tag| must_stay(rules, tag) && wildcard::matches(filter, tag.name.as_str()))
            };
            let kept: Vec<String> = filters
                .iter()
                .filter(|filter| !wildcard::reaches_a_pin(filter) && !frees_release(filter))
                .cloned()
                .collect();
            if kept.is_empty() { Mutability::Immutable } else { Mutability::ImmutableExcept(kept) }
        }
        Mutability::MutableExcept(filters) => Mutability::MutableExcept(held(filters, rules, listed)),
        Mutability::Mutable | Mutability::Immutable => Mutability::MutableExcept(held(&[], rules, listed)),
    };
    format!("`{}`", commands::tag_mutability(repository, ecr, &better))
}

/// Filters that hold pins and, where ECR can say it, release tags; and what was held before, as far as there is room.
fn held(before: &[String], rules: &Rules, listed: &[&ObservedTag]) -> Vec<String> {
    let mut filters = vec![PIN_PATTERN.to_owned()];
    let kept = before.iter().filter(|filter| filter.as_str() != PIN_PATTERN);
    filters.extend(kept.cloned());
    let patterns = rules.production.iter().filter_map(|rule| match rule {
        ProductionRule::Tags { patterns, .. } => Some(patterns),
        ProductionRule::MovingTag(_) | ProductionRule::InUse => None,
    });
    for pattern in patterns.flat_map(|patterns| patterns.entries()) {
        let holds_a_mover = listed
            .iter()
            .any(|tag| rules.may_move(&tag.name, tag.label()) && wildcard::matches(pattern, tag.name.as_str()));
        if is_filter(pattern) && !holds_a_mover && !filters.contains(pattern) && filters.len() < FILTERS {
            filters.push(pattern.clone());
        }
    }
    filters
}

/// Whether a glob of the policy means the same as an ECR filter.
fn is_filter(pattern: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'*' | b'-');
    (1..=128).contains(&pattern.len())
        && pattern.bytes().all(letters)
        && pattern.matches('*').count() <= 2
        && !pattern.contains("**")
}

impl Mutability {
    /// Whether this tag may be overwritten.
    fn frees(&self, tag: &str) -> bool {
        let named = |filters: &[String]| filters.iter().any(|filter| wildcard::matches(filter, tag));
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::ImmutableExcept(filters) => named(filters),
            Self::MutableExcept(filters) => !named(filters),
        }
    }

    /// Whether some pin may be overwritten, whatever it names.
    fn frees_pins(&self) -> bool {
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::ImmutableExcept(filters) => filters.iter().any(|filter| wildcard::reaches_a_pin(filter)),
            Self::MutableExcept(filters) => !filters.iter().any(|filter| wildcard::covers_every_pin(filter)),
        }
    }
}

impl fmt::Display for Mutability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mutable => f.write_str("mutable"),
            Self::Immutable => f.write_str("immutable"),
            Self::ImmutableExcept(filters) => write!(f, "immutable except {}", filters.join(", ")),
            Self::MutableExcept(filters) => write!(f, "mutable except {}", filters.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(filters: &[&str]) -> Vec<String> {
        filters.iter().map(|filter| (*filter).to_owned()).collect()
    }

    #[test]
    fn the_filters_decide_and_not_the_name_a18() {
        for (mutability, release, pins) in [
            (Mutability::Mutable, true, true),
            (Mutability::Immutable, false, false),
            (Mutability::ImmutableExcept(filters(&["dev-*"])), false, false),
            (Mutability::ImmutableExcept(filters(&["v*"])), true, false),
            (Mutability::ImmutableExcept(filters(&["*-pinned-*"])), false, true),
            (Mutability::MutableExcept(filters(&["prod-pinned-*"])), true, false),
            (Mutability::MutableExcept(filters(&["v*", "prod-*"])), false, false),
            (Mutability::MutableExcept(filters(&["v*", "prod-pinned-0*"])), false, true),
        ] {
            assert_eq!((mutability.frees("v1.2.0"), mutability.frees_pins()), (release, pins), "{mutability:?}");
        }
    }

    #[test]
    fn only_globs_that_mean_the_same_become_filters() {
        for (pattern, expected) in
            [("v*", true), ("v*-*", true), ("v*.*.*", false), ("v**", false), ("!v0*", false), ("v[0-9]", false)]
        {
            assert_eq!(is_filter(pattern), expected, "{pattern}");
        }
    }
}
