//! Images of Google Artifact Registry in the forecast: what the cleanup policies of their repository take, pinned as the situation
//! says (K41–K44).
//!
//! Policies are carried out about once a day, so that what they would take now is taken for lost now. A policy looks at one
//! version's own age and tags, and at how many versions of its package are newer: digests, tagged or not. So a pin changes the
//! outlook of what it names and of the indexes above that, and of nothing else.
//!
//! Whether the service spares a manifest that an index lists is not documented. What has an immutable tag cannot be deleted, say the
//! vendor's pages of repositories (K44), and those of policies do not say that they pass over it. What goes in one of the readings is
//! possible.

mod future;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::future::Future;
use super::effects::{ArtifactOutlook, Foreseen, Stirred};
use super::gar::{Policies, Policy};
use super::{Known, Outlook, Situation};
use crate::model::{Advice, AdviceKind, ArtifactId, Digest, GarImage, GarRepository, Pin, Setting, Tag};

pub(super) fn outlook(situation: &Situation<'_>, repository: &GarRepository) -> Outlook {
    let future = match Future::of(situation, repository) {
        Ok(Some(future)) => future,
        Ok(None) => return Outlook::NoneSet,
        // Whatever they say, they delete nothing.
        Err(_) if repository.on_trial => return Outlook::NoneSet,
        Err(detail) => return Outlook::Unknown { detail },
    };
    let (mut known, mut on_trial) = (Known::default(), 0);
    for target in situation.targets {
        match future.threats(target) {
            None if repository.on_trial => {}
            None => {
                known.unseen.insert(target.clone());
            }
            Some(threats) if threats.is_empty() => {}
            Some(_) if repository.on_trial => on_trial += 1,
            Some(threats) => {
                known.threats.insert(target.clone(), threats);
            }
        }
    }
    known.advice = match repository.on_trial {
        true => advice_on_trial(on_trial).into_iter().collect(),
        false => advice(&future.policies, &repository.package),
    };
    Outlook::Known(known)
}

pub(super) fn foreseen(
    situation: &Situation<'_>,
    repository: &GarRepository,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    if repository.on_trial {
        return Some(BTreeMap::new());
    }
    let future = Future::of(situation, repository).ok()?;
    Some(future.map_or_else(BTreeMap::new, |future| future.taken_by(at)))
}

/// Whose outlook the pin of this artifact can change: its own, and that of each index above it.
pub(super) fn stirred(situation: &Situation<'_>, repository: &GarRepository, artifact: &ArtifactId) -> Stirred {
    if repository.on_trial {
        return Stirred::Nobody;
    }
    match Future::of(situation, repository) {
        Err(detail) => Stirred::Unknown { detail },
        Ok(None) => Stirred::Nobody,
        Ok(Some(future)) => match artifact.digest().and_then(|digest| future.above(digest)) {
            Some(these) => Stirred::These(these),
            None => Stirred::Unknown { detail: "it was not listed with what cleanup policies look at".to_owned() },
        },
    }
}

/// The outlook of each that is asked about.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    repository: &GarRepository,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let future = match repository.on_trial {
        true => Ok(None),
        false => Future::of(situation, repository),
    };
    let outlook = |artifact: &ArtifactId| match &future {
        Err(_) => ArtifactOutlook::Unknown,
        Ok(None) => ArtifactOutlook::Known(Vec::new()),
        Ok(Some(future)) => future.in_full(artifact).map_or(ArtifactOutlook::Unknown, ArtifactOutlook::Known),
    };
    situation.targets.iter().map(|artifact| (artifact.clone(), outlook(artifact))).collect()
}

/// The repository without these tags; none if it has none of them, or no policies.
pub(super) fn without(repository: &GarRepository, goes: &dyn Fn(&Digest, &Tag) -> bool) -> Option<GarRepository> {
    let has = |image: &GarImage| image.tags.iter().any(|tag| goes(&image.digest, tag));
    if repository.policies == Setting::Unset || !repository.images.iter().any(has) {
        return None;
    }
    let mut then = repository.clone();
    for image in &mut then.images {
        let digest = image.digest.clone();
        image.tags.retain(|tag| !goes(&digest, tag));
    }
    Some(then)
}

/// The most policies that a repository can have.
const MOST_POLICIES: usize = 10;

/// What the policy that keeps pins is called.
const KEEPS_PINS: &str = "keep-prod-pinned";

/// The policies, with one that keeps pins: the body of a PATCH of the repository with `updateMask=cleanupPolicies`.
pub(super) fn recommend(repository: &GarRepository) -> Result<String, String> {
    let text = match &repository.policies {
        Setting::Unset => return Err("the repository has no cleanup policies: nothing there deletes pins".to_owned()),
        Setting::Unknown => return Err(UNREAD.to_owned()),
        Setting::Text(text) => text,
    };
    let policies = Policies::parse(text).map_err(|problem| problem.to_string())?;
    let mut map: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !policies.keep_all_with(Pin::PREFIX, &repository.package) {
        if map.len() >= MOST_POLICIES {
            return Err(format!(
                "the repository has {MOST_POLICIES} cleanup policies, which is the most that it can have; add the tag prefix \
                 {} to one that keeps",
                Pin::PREFIX
            ));
        }
        let condition = json!({ "tagState": "TAGGED", "tagPrefixes": [Pin::PREFIX] });
        // What has that name already stays as it is.
        let numbered = (2..).map(|number: usize| format!("{KEEPS_PINS}-{number}"));
        let free = std::iter::once(KEEPS_PINS.to_owned()).chain(numbered).find(|name| !map.contains_key(name));
        let name = free.unwrap_or_else(|| KEEPS_PINS.to_owned());
        let policy = json!({ "id": name, "action": "KEEP", "condition": condition });
        map.insert(name, policy);
    }
    serde_json::to_string_pretty(&json!({ "cleanupPolicies": map })).map_err(|error| error.to_string())
}

/// The image under policies as they are recommended.
pub(super) fn under(repository: &GarRepository, body: &str) -> Option<GarRepository> {
    let body: Value = serde_json::from_str(body).ok()?;
    let policies = Setting::Text(body.get("cleanupPolicies")?.to_string().into());
    Some(GarRepository { policies, ..repository.clone() })
}

pub(super) const UNREAD: &str = "the cleanup policies of the repository could not be read";

/// What keeps pins; prodpin reads policies and does not write them.
pub(crate) const CLAIM: &str = "add a cleanup policy that keeps the tag prefix prod-pinned- to the repository (`gcloud artifacts repositories \
                                set-cleanup-policies`)";

/// How that which is not known becomes known.
pub(crate) fn readable(repository: &GarRepository) -> String {
    match (&repository.policies, &repository.unread) {
        (Setting::Text(_), None) => {
            "write the cleanup policies in the form that Artifact Registry's API documents, or take a prodpin that knows theirs, \
             and run again"
                .to_owned()
        }
        _ => format!(
            "grant roles/artifactregistry.reader on {} to the identity that prodpin asks Google's API with, and run again",
            repository.place
        ),
    }
}

/// A policy to delete that pins have nothing to set against is told wherever it stands: what is too young today is not tomorrow.
/// So is one that may delete more than its prefixes say.
fn advice(policies: &Policies, package: &str) -> Vec<Advice> {
    let is_kept = policies.keep_all_with(Pin::PREFIX, package);
    let ineffective = |policy: &Policy| Advice {
        rule: Some(policy.id.clone()),
        kind: AdviceKind::PinsIneffective,
        message: format!(
            "it {} what is pinned as well, and no policy keeps all that has a tag prod-pinned-",
            if policy.has_idle_prefixes() { "may delete" } else { "deletes" }
        ),
        remedy: CLAIM.to_owned(),
    };
    let doubtful = |policy: &Policy| {
        Advice {
        rule: Some(policy.id.clone()),
        kind: AdviceKind::DoubtfulRule,
        message: "it has tag prefixes without tagState TAGGED, and Google uses them beside that alone: it may delete whatever else \
                  of it fits, with any tag or none"
            .to_owned(),
        remedy: "set tagState TAGGED in it".to_owned(),
    }
    };
    let of = |policy: &Policy| {
        let is_reached = !is_kept && policy.may_fit_tagged(Pin::PREFIX, package);
        let told = is_reached.then(|| ineffective(policy));
        told.into_iter().chain(policy.has_idle_prefixes().then(|| doubtful(policy)))
    };
    policies.deleting().flat_map(of).collect()
}

fn advice_on_trial(reached: usize) -> Option<Advice> {
    let what = match reached {
        0 => return None,
        1 => "1 rollback target".to_owned(),
        reached => format!("{reached} rollback targets"),
    };
    Some(Advice {
        rule: None,
        kind: AdviceKind::DoubtfulRule,
        message: format!(
            "the cleanup policies are on trial (cleanupPolicyDryRun) and delete nothing; once they are live, they take {what}, \
             pinned or not"
        ),
        remedy: format!("before they go live, {CLAIM}"),
    })
}

#[cfg(test)]
mod tests;
