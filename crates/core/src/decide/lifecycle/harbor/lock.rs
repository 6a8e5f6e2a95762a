//! Whether Harbor refuses to delete an artifact, whoever asks: one immutable tag keeps it whole (J24).

use super::immutability::is_immutable;
use super::policy::ImmutableRule;
use crate::model::{HarborRepository, Setting};

/// What stands in the way of a deletion by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// This tag is immutable: the answer is 412, until the rule goes (J28).
    By(String),
    /// Nothing.
    Open,
    /// Nothing, because a malformed rule ends the matching before it comes to one that may cover a tag (J25).
    FailedOpen,
    /// Not known.
    Unknown(String),
}

/// Whether the core refuses to delete an artifact with these tags. It looks at one tag after the other.
#[must_use]
pub fn lock<'t>(repository: &HarborRepository, tags: impl IntoIterator<Item = &'t str>) -> Lock {
    let rules = match &repository.immutable {
        Setting::Unset => return Lock::Open,
        Setting::Unknown => return Lock::Unknown("the project's immutability rules could not be read".to_owned()),
        Setting::Text(text) => match ImmutableRule::parse_all(text) {
            Ok(rules) => rules,
            Err(detail) => return Lock::Unknown(detail),
        },
    };
    let mut found = Lock::Open;
    for tag in tags {
        match is_immutable(&rules, &repository.name, &[tag]) {
            Ok(true) => return Lock::By(tag.to_owned()),
            Ok(false) => {}
            Err(_) => found = Lock::FailedOpen,
        }
    }
    found
}
