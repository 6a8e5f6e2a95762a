//! Immutability policies (`data/model/immutability.py`, K52–52a): which tags they make immutable, and when.

use super::pattern::TagPattern;
use super::world::{Features, Millis, Repository};

/// The most characters of a pattern.
const LONGEST: usize = 256;

/// A policy that Quay accepted.
#[derive(Debug, Clone)]
pub struct ImmutabilityPolicy {
    /// A name unlike that of every other.
    pub id: String,
    /// As it was written.
    text: String,
    pattern: TagPattern,
    /// Whether the tags that fit become immutable, and not those that do not.
    matches: bool,
}

/// Why Quay refuses a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImmutabilityRefused {
    /// Its pattern is empty, too long or no expression.
    Invalid,
    /// There is one with the pattern already.
    Duplicate,
}

impl ImmutabilityPolicy {
    /// Reads a policy.
    pub fn read(id: &str, pattern: &str, matches: bool) -> Result<Self, ImmutabilityRefused> {
        if pattern.is_empty() || pattern.chars().count() > LONGEST {
            return Err(ImmutabilityRefused::Invalid);
        }
        let read = TagPattern::python(pattern).map_err(|_| ImmutabilityRefused::Invalid)?;
        Ok(Self { id: id.to_owned(), text: pattern.to_owned(), pattern: read, matches })
    }

    /// Adds it to those of its scope.
    pub fn add_to(self, scope: &mut Vec<Self>) -> Result<(), ImmutabilityRefused> {
        if scope.iter().any(|policy| policy.text == self.text) {
            return Err(ImmutabilityRefused::Duplicate);
        }
        scope.push(self);
        Ok(())
    }

    /// Whether it makes a tag of the name immutable, and whether that is certain.
    #[must_use]
    pub fn covers(&self, name: &str) -> (bool, bool) {
        let fit = self.pattern.fits(name);
        (fit.matches == self.matches, fit.certain)
    }

    /// Makes the tags immutable that are there when the policy is made, whether the feature is on or not. They stay so
    /// when the policy goes.
    pub fn apply(&self, features: Features, repository: &mut Repository, now: Millis) {
        for row in repository.tags.iter_mut().filter(|row| row.is_shown(now) && !row.immutable) {
            if self.covers(&row.name).0 {
                row.immutable = true;
                if !features.immutable_tags_can_expire {
                    row.end = None;
                }
            }
        }
    }
}

/// Whether one of the policies of the repository or of its namespace covers a new tag of the name.
#[must_use]
pub fn is_covered(repository: &[ImmutabilityPolicy], namespace: &[ImmutabilityPolicy], name: &str) -> bool {
    repository.iter().chain(namespace).any(|policy| policy.covers(name).0)
}
