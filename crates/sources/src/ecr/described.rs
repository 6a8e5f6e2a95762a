//! A repository's settings as `DescribeRepositories` tells them, and how they get from the list to whoever looks closely.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_ecr::types::Repository;

use prodpin_core::model::{Mutability, RepositoryName};

use super::failure::short;

/// What the list says about one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    /// The account that owns it.
    pub(super) registry: Option<Box<str>>,
    /// Which tags may be overwritten, or why that is not known (F53).
    pub(super) mutability: Result<Mutability, Box<str>>,
}

impl Described {
    pub(super) fn read(repository: &Repository) -> Self {
        Self {
            registry: repository.registry_id().map(Box::from),
            mutability: mutability(repository).map_err(|reason| short(&reason).into()),
        }
    }
}

/// Modes and kinds of filters are compared as text, and one that is not known leaves all of it unknown: a mode may turn
/// the meaning of its filters round, as these four do (A18).
fn mutability(repository: &Repository) -> Result<Mutability, String> {
    let Some(mode) = repository.image_tag_mutability() else { return Err("no mutability was told".to_owned()) };
    let filters = || {
        let filters = repository.image_tag_mutability_exclusion_filters().iter().map(|filter| {
            match filter.filter_type().as_str() {
                "WILDCARD" => Ok(filter.filter().to_owned()),
                other => Err(format!("the exclusion filter's kind {other:?} is not known")),
            }
        });
        filters.collect::<Result<Vec<String>, String>>()
    };
    match mode.as_str() {
        "MUTABLE" => Ok(Mutability::Mutable),
        "IMMUTABLE" => Ok(Mutability::Immutable),
        "MUTABLE_WITH_EXCLUSION" => filters().map(Mutability::MutableExcept),
        "IMMUTABLE_WITH_EXCLUSION" => filters().map(Mutability::ImmutableExcept),
        other => Err(format!("the mutability {other:?} is not known")),
    }
}

/// How many are kept at most. Whoever lists and never looks loses them, and then each is asked for once more: memory
/// does not grow with the estate (I20).
const KEPT: usize = 4_096;

/// From the list of repositories to `observe`, each once.
#[derive(Debug, Default)]
pub(super) struct Handover(Mutex<HashMap<RepositoryName, Described>>);

impl Handover {
    pub(super) fn put(&self, name: RepositoryName, described: Described) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(name, described);
    }

    pub(super) fn take(&self, name: &RepositoryName) -> Option<Described> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecr::types::ImageTagMutabilityExclusionFilter;

    fn repository(mode: &str, kind: &str) -> Repository {
        let filter = ImageTagMutabilityExclusionFilter::builder().filter_type(kind.into()).filter("dev-*");
        Repository::builder()
            .image_tag_mutability(mode.into())
            .image_tag_mutability_exclusion_filters(filter.build().unwrap())
            .build()
    }

    #[test]
    fn four_modes_are_known_and_any_other_is_unknown_f53() {
        let filters = || vec!["dev-*".to_owned()];
        for (mode, kind, expected) in [
            ("MUTABLE", "WILDCARD", Some(Mutability::Mutable)),
            ("IMMUTABLE", "WILDCARD", Some(Mutability::Immutable)),
            ("MUTABLE_WITH_EXCLUSION", "WILDCARD", Some(Mutability::MutableExcept(filters()))),
            ("IMMUTABLE_WITH_EXCLUSION", "WILDCARD", Some(Mutability::ImmutableExcept(filters()))),
            ("IMMUTABLE_WITH_EXCLUSION", "REGEX", None),
            ("IMMUTABLE_ON_TUESDAYS", "WILDCARD", None),
        ] {
            assert_eq!(Described::read(&repository(mode, kind)).mutability.ok(), expected, "{mode} {kind}");
        }
        assert!(Described::read(&Repository::builder().build()).mutability.is_err());
    }

    #[test]
    fn what_is_handed_over_is_bounded_i20() {
        let handover = Handover::default();
        let described = Described { registry: None, mutability: Ok(Mutability::Mutable) };
        for number in 0..3 * KEPT {
            handover.put(format!("r{number}").parse().unwrap(), described.clone());
        }
        assert!(handover.0.lock().unwrap().len() <= KEPT);
        let last: RepositoryName = format!("r{}", 3 * KEPT - 1).parse().unwrap();
        assert_eq!(handover.take(&last), Some(described));
        assert_eq!(handover.take(&last), None);
    }
}
