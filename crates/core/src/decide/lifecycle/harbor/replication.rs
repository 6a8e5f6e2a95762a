//! Which repositories and tags a replication policy reaches (J34). What cannot be told of a policy counts as reached: it is
//! asked for dangers.

use super::selector::matches;
use crate::model::{HarborReplicationFilter, HarborReplicationPolicy, HarborRepository};

impl HarborReplicationPolicy {
    /// Whether it may copy from this repository, as its source.
    #[must_use]
    pub fn takes_from(&self, repository: &HarborRepository) -> bool {
        self.takes(&full_name(repository))
    }

    /// Whether it may copy into this repository. Which repositories there are at the other end is not known.
    #[must_use]
    pub fn arrives_in(&self, repository: &HarborRepository) -> bool {
        let name = full_name(repository);
        if self.namespace.is_empty() {
            return self.takes(&name);
        }
        let Some(rest) = name.strip_prefix(&*self.namespace).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        match self.flattened {
            // Only the last segment is left of where it comes from.
            ..0 => !rest.contains('/') && self.may_take_one_that_ends_with(rest),
            0 => self.takes(rest),
            1.. => self.may_take_one_that_ends_with(rest),
        }
    }

    /// Whether it lets a tag of this name pass.
    #[must_use]
    pub fn lets_pass(&self, tag: &str) -> bool {
        self.filters.iter().all(|filter| match filter {
            // Without a pattern everything passes, whatever it is to do with what matches.
            HarborReplicationFilter::Tag { pattern, excludes } => {
                pattern.is_empty() || matches(pattern, tag) != Ok(*excludes)
            }
            HarborReplicationFilter::Name(_) | HarborReplicationFilter::Other => true,
        })
    }

    fn takes(&self, name: &str) -> bool {
        self.names().all(|pattern| matches(pattern, name).unwrap_or(true))
    }

    /// Whether a name that ends so may match: where the last segments of a pattern can be told apart, they say so.
    fn may_take_one_that_ends_with(&self, end: &str) -> bool {
        let last = |text: &'_ str| text.rsplit('/').next().map(str::to_owned).unwrap_or_default();
        self.names().all(|pattern| {
            let segment = last(pattern);
            let is_plain = !pattern.contains(['{', '\\', '[']) && !segment.contains("**") && !segment.is_empty();
            !is_plain || matches(&segment, &last(end)).unwrap_or(true)
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().filter_map(|filter| match filter {
            HarborReplicationFilter::Name(pattern) => Some(&**pattern),
            HarborReplicationFilter::Tag { .. } | HarborReplicationFilter::Other => None,
        })
    }
}

fn full_name(repository: &HarborRepository) -> String {
    format!("{}/{}", repository.project, repository.name)
}
