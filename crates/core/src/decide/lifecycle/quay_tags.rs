//! Quay repositories in the forecast: what the next runs of its worker take, pinned as the situation says (K53).
//!
//! Rules look at tags, and a pin that is not immutable is a tag like others. What a run takes now, the simulator of the worker
//! says, in both ways in which releases of Quay treat signatures (K53a). What goes by age or by its own expiry goes at a date
//! that nothing else changes; what goes by number, once enough tags came that the policy looks at: of each policy the first
//! date and the fewest pushes are told, whatever other policies take meanwhile.

mod future;
mod rules;

use std::collections::BTreeMap;

use jiff::Timestamp;

use self::future::{Future, is_born_immutable};
use self::rules::readable;
use super::effects::{ArtifactOutlook, Foreseen, Stirred};
use super::{Known, Outlook, Situation};
use crate::model::{ArtifactId, Digest, Due, Pin, QuayRepository, Tag, Threat};

pub(super) fn outlook(situation: &Situation<'_>, repository: &QuayRepository) -> Outlook {
    let future = match Future::of(situation, repository) {
        Ok(future) => future,
        Err(detail) => return Outlook::Unknown { detail },
    };
    if future.rules.is_empty() && future.rows.iter().all(|row| row.end.is_none()) {
        return Outlook::NoneSet;
    }
    let mut known = Known { advice: future.advice(), ..Known::default() };
    for target in situation.targets {
        match future.threats(target) {
            None => {
                known.unseen.insert(target.clone());
            }
            Some(threats) if threats.is_empty() => {}
            Some(threats) => {
                known.threats.insert(target.clone(), threats);
            }
        }
    }
    Outlook::Known(known)
}

pub(super) fn foreseen(
    situation: &Situation<'_>,
    repository: &QuayRepository,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    let future = Future::of(situation, repository).ok()?;
    let taken = future.digests().filter_map(|digest| {
        let artifact = ArtifactId::Manifest(digest.clone());
        let due = future.threats(&artifact)?.into_iter().find(|threat| {
            !matches!(threat.due, Due::AfterPushes { .. }) && super::is_due(threat, situation.now, at)
        })?;
        let Threat { rule, effect, certainty, why, .. } = due;
        Some((artifact, Foreseen { effect, rule, certainty, why }))
    });
    Some(taken.collect())
}

/// Whose outlook a pin can change: where it is immutable from its push on no rule counts it, and it changes nobody's; else,
/// where a policy by number looks at it, everybody's, if only until it is made immutable.
pub(super) fn stirred(situation: &Situation<'_>, repository: &QuayRepository, artifact: &ArtifactId) -> Stirred {
    let Some(pin) = artifact.digest().map(|digest| Pin::for_digest(digest).to_string()) else { return Stirred::Nobody };
    let living = repository.living(situation.now);
    let names = living.iter().map(|row| row.name.as_str()).chain([pin.as_str()]);
    let rules = match readable(situation, repository, names) {
        Ok(rules) => rules,
        Err(detail) => return Stirred::Unknown { detail },
    };
    if is_born_immutable(repository, &pin) || !rules.iter().any(|rule| rule.counts() && rule.looks_at(&pin)) {
        return Stirred::Nobody;
    }
    Stirred::These(living.iter().map(|row| ArtifactId::Manifest(row.digest.clone())).collect())
}

/// The outlook of each that is asked about.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    repository: &QuayRepository,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let future = Future::of(situation, repository).ok();
    let outlook = |artifact: &ArtifactId| {
        let threats = future.as_ref().and_then(|future| future.threats(artifact));
        threats.map_or(ArtifactOutlook::Unknown, ArtifactOutlook::Known)
    };
    situation.targets.iter().map(|artifact| (artifact.clone(), outlook(artifact))).collect()
}

/// The repository without these tags; none if it has none of them.
pub(super) fn without(repository: &QuayRepository, goes: &dyn Fn(&Digest, &Tag) -> bool) -> Option<QuayRepository> {
    let any = repository.rows.iter().any(|row| goes(&row.digest, &row.name));
    any.then(|| {
        let mut then = repository.clone();
        then.rows.retain(|row| !goes(&row.digest, &row.name));
        then
    })
}

/// What should be set so that pins hold.
pub(crate) const CLAIM: &str = "have the operator set FEATURE_IMMUTABLE_TAGS (Quay 3.17 or later), so that pins are made \
                                immutable, or leave prod-pinned-.* out of every auto-prune policy that counts tags";

#[cfg(test)]
mod tests;
