//! Repositories of an Azure container registry in the forecast: what the `acr purge` commands that the policy names take,
//! pinned as the situation says (K46–K49).
//!
//! A command is run by a task, a pipeline or a person, at any time, so that what it would take now is taken for lost now.
//! What goes by age is dated by trying the commands at every instant at which something comes of age. What goes by count goes
//! once enough tags were pushed that the command counts: each takes a place of `--keep`.

mod future;

use std::collections::BTreeMap;

use jiff::Timestamp;

use self::future::{Future, UNLISTED, reaches_pins};
use super::effects::{ArtifactOutlook, Foreseen, Stirred};
use super::{Known, Outlook, Situation};
use crate::model::{
    AcrCommand, AcrManifest, AcrPurges, AcrRetention, Advice, AdviceKind, ArtifactId, Digest, Due, Effect, Tag, Threat,
};

pub(super) fn outlook(situation: &Situation<'_>, acr: &AcrRetention) -> Outlook {
    if let AcrPurges::Stated { others: true, .. } = acr.purges {
        let detail = "the policy says that acr purge commands are run on this registry which it does not name; one with \
                      --include-locked unlocks what is pinned, and deletes it";
        return Outlook::Unknown { detail: detail.to_owned() };
    }
    let future = match Future::of(situation, acr) {
        Ok(future) => future,
        Err(detail) => return Outlook::Unknown { detail },
    };
    let mut known = Known { advice: advice(acr), ..Known::default() };
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
    acr: &AcrRetention,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    if let AcrPurges::Stated { others: true, .. } = acr.purges {
        return None;
    }
    let future = Future::of(situation, acr).ok()?;
    let fates = future.fates_at(at)?;
    let taken = fates.iter().map(|(digest, (certainty, command))| {
        let Threat { rule, why, .. } = future.threat(digest, *command, Due::Now, *certainty);
        let foreseen = Foreseen { effect: Effect::Deletes, rule, certainty: *certainty, why };
        (ArtifactId::Manifest(digest.clone()), foreseen)
    });
    Some(taken.collect())
}

/// Whose outlook a pin can change. A pin is locked at once, and what is locked is neither counted nor taken: nobody's, unless
/// a command unlocks, and its filter matches pins. Then they take places of `--keep` from everything else (K48, K49).
pub(super) fn stirred(situation: &Situation<'_>, acr: &AcrRetention) -> Stirred {
    let unknown = |detail: &str| Stirred::Unknown { detail: detail.to_owned() };
    let commands = match &acr.purges {
        AcrPurges::Unknown => return unknown(UNSTATED),
        AcrPurges::Stated { commands, .. } => commands,
    };
    let reached = commands.iter().map(|command| reaches_pins(command, &acr.repository));
    match reached.collect::<Result<Vec<bool>, _>>() {
        Err(unclear) => unknown(&unclear),
        Ok(reached) if !reached.contains(&true) => Stirred::Nobody,
        Ok(_) if !situation.snapshot.listing_is_complete() => unknown(UNLISTED),
        Ok(_) if acr.repository.manifests.len() > MOST_STIRRED => {
            unknown("acr purge commands unlock pins here, and what a pin does to so many manifests is not worked out")
        }
        Ok(_) => {
            let all = acr.repository.manifests.iter().map(|manifest| ArtifactId::Manifest(manifest.digest.clone()));
            Stirred::These(all.collect())
        }
    }
}

/// The outlook of each that is asked about.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    acr: &AcrRetention,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let future = Future::of(situation, acr).ok();
    let outlook = |artifact: &ArtifactId| {
        let threats = future.as_ref().and_then(|future| future.in_full(artifact));
        threats.map_or(ArtifactOutlook::Unknown, ArtifactOutlook::Known)
    };
    situation.targets.iter().map(|artifact| (artifact.clone(), outlook(artifact))).collect()
}

/// The repository without these tags; none if it has none of them, or no command is known that goes by them.
pub(super) fn without(acr: &AcrRetention, goes: &dyn Fn(&Digest, &Tag) -> bool) -> Option<AcrRetention> {
    let has = |manifest: &AcrManifest| manifest.tags.iter().any(|tag| goes(&manifest.digest, &tag.name));
    if acr.purges.commands().is_empty() || !acr.repository.manifests.iter().any(has) {
        return None;
    }
    let mut then = acr.clone();
    for manifest in &mut then.repository.manifests {
        let digest = manifest.digest.clone();
        manifest.tags.retain(|tag| !goes(&digest, &tag.name));
    }
    Some(then)
}

/// More than these are not asked about one by one.
const MOST_STIRRED: usize = 2_000;

const UNSTATED: &str = "which acr purge commands are run on this registry is not known";

/// What the commands should say; prodpin reads them in its policy and does not write them where they are run.
pub(crate) const CLAIM: &str = "begin the tag part of every --filter of an acr purge command that has --include-locked with \
                                `^(?!prod-pinned-)`, or leave --include-locked out";

/// How that which is not known becomes known.
pub(crate) fn readable(acr: &AcrRetention) -> String {
    match &acr.purges {
        AcrPurges::Unknown => "name every acr purge command that is run on this registry under `purge:` of the source, or \
                               write `purge: []` if none is, and run again; `az acr task list --registry NAME` lists the \
                               tasks of the registry"
            .to_owned(),
        AcrPurges::Stated { .. } => {
            "grant metadata/read and content/read on the repository to the identity that prodpin runs as, write expressions \
             of --filter in a plain form, and run again"
                .to_owned()
        }
    }
}

/// A command with `--include-locked` that matches pins is told wherever it stands: for it no lock is one (K48).
fn advice(acr: &AcrRetention) -> Vec<Advice> {
    let reaches = |command: &&AcrCommand| reaches_pins(command, &acr.repository) == Ok(true);
    let say = |command: &AcrCommand| Advice {
        rule: Some(command.line.to_string()),
        kind: AdviceKind::PinsIneffective,
        message: "--include-locked unlocks pins and deletes them, and its --filter matches them".to_owned(),
        remedy: CLAIM.to_owned(),
    };
    acr.purges.commands().iter().filter(reaches).map(say).collect()
}

#[cfg(test)]
mod tests;
