//! Which tags Harbor holds immutable.
//!
//! It is asked twice, in two ways: by the retention job, with all tags of an artifact at once, and by the core when an
//! artifact is to be deleted, with one tag at a time. An error while matching counts as "not immutable" both times (J25).

use super::failure::Failure;
use super::policy::{ImmutableRule, of_repositories};
use super::selector::{Candidate, Selector};

/// How the retention job names a repository to the immutability rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NestedNames {
    /// Without its first segment, if it has several: every release up to 2.15.2 (J26).
    Stripped,
    /// As it is.
    Whole,
}

impl NestedNames {
    fn of(self, repository: &str) -> &str {
        let trimmed = repository.trim_matches('/');
        match self {
            Self::Whole => repository,
            Self::Stripped => trimmed.split_once('/').map_or(trimmed, |(_, rest)| rest),
        }
    }
}

/// Whether the job leaves the artifact with these tags alone.
pub(super) fn in_the_job(rules: &[ImmutableRule], names: NestedNames, repository: &str, tags: &[&str]) -> bool {
    is_immutable(rules, names.of(repository), tags).unwrap_or(false)
}

/// Whether the core refuses to delete the tag.
pub(super) fn in_the_core(rules: &[ImmutableRule], repository: &str, tag: &str) -> bool {
    is_immutable(rules, repository, &[tag]).unwrap_or(false)
}

/// Whether a rule takes the tags. Rules are tried in order, the first selector of each kind alone, and the first error
/// ends it (J25, J27). Harbor names no project here, so a selector of projects takes nothing.
pub(super) fn is_immutable(rules: &[ImmutableRule], repository: &str, tags: &[&str]) -> Result<bool, Failure> {
    let candidate = Candidate { project: "", repository, tags };
    for rule in rules.iter().filter(|rule| !rule.disabled) {
        let Some(scope) = of_repositories(&rule.scope_selectors).first() else { continue };
        if !Selector::build_without_extras(scope)?.takes(&candidate)? {
            continue;
        }
        let Some(tag) = rule.tag_selectors.first() else { continue };
        if Selector::build_for_tagged(tag)?.takes(&candidate)? {
            return Ok(true);
        }
    }
    Ok(false)
}
