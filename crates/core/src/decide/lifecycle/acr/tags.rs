//! Which tags the command takes: those of its filters that are old enough and not locked, but for the newest of them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::regexp2::{Regexp, RegexpError};
use crate::model::{AcrPurge, AcrRepository, AcrTag, Tag};

/// The tags that go, and those of which that is open.
#[derive(Debug, Default)]
pub(super) struct TagPurge<'r> {
    pub(super) taken: Vec<&'r AcrTag>,
    pub(super) open: BTreeSet<&'r Tag>,
}

/// What is taken. `--keep` counts among those that would go, newest first, so that what is too young, locked or not
/// matched takes no place (K49).
pub(super) fn purge_tags<'r>(
    repository: &'r AcrRepository,
    command: &AcrPurge,
    expression: &Regexp,
    border: Timestamp,
) -> Result<TagPurge<'r>, RegexpError> {
    let mut eligible = Vec::new();
    for tag in repository.manifests.iter().flat_map(|manifest| &manifest.tags) {
        let matches = expression.is_match(tag.name.as_str())?;
        if matches && tag.updated < border && (command.include_locked || !tag.locks.are_on()) {
            eligible.push(tag);
        }
    }
    eligible.sort_by_key(|tag| Reverse(tag.updated));
    let keep = usize::try_from(command.keep).unwrap_or(0).min(eligible.len());
    let mut open = BTreeSet::new();
    if let (Some(kept), Some(taken)) = (keep.checked_sub(1).map(|last| eligible[last]), eligible.get(keep))
        && kept.updated == taken.updated
    {
        // Which of them the registry lists first, it does not say.
        open.extend(eligible.iter().filter(|tag| tag.updated == kept.updated).map(|tag| &tag.name));
    }
    Ok(TagPurge { taken: eligible.split_off(keep), open })
}
