//! Repositories of GitLab's registry in the forecast: what the next runs of the project's cleanup policy take, pinned as the
//! situation says (K57).
//!
//! A run takes tags, and what has none left goes to garbage collection. What goes by age is dated by trying the run after each
//! instant at which a tag comes of age; what goes by count goes once enough tags were pushed that the policy counts.

mod future;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use self::future::Future;
use super::effects::{ArtifactOutlook, Foreseen, Stirred};
use super::gitlab::{CleanupPolicy, ProtectionRules, Rules, Standing};
use super::{Known, Outlook, Situation};
use crate::model::{
    Advice, AdviceKind, ArtifactId, Certainty, Digest, Due, Effect, GitLabRepository, GitLabTag, Pin, Setting, Tag,
    Threat,
};

/// How findings call the policy.
const RULE: &str = "cleanup policy";

const UNREAD: &str = "the cleanup policy of the GitLab project could not be read";

const UNLISTED: &str = "not everything was listed that GitLab's cleanup policy counts";

const UNDATED: &str = "the cleanup policy counts pins among the tags of which it keeps the newest, and GitLab does not say when \
                       each tag was published";

const PAGED: &str = "GitLab counts so many tags by pages of 1,000 in order of name, and a pin moves where these end";

/// What the policy should say.
const CLAIM: &str = "add `prod-pinned-.*` to \"keep tags matching\" (`name_regex_keep`) in the cleanup policy of the project; beside \
                     an expression that contains | never in brackets, since GitLab anchors each side of it at one end alone";

/// How what is unknown becomes known.
pub(crate) const READABLE: &str = "give the source a token with the scope read_api whose user has at least the role Reporter in the \
                                   project, or Maintainer to see its tag rules, and run again";

pub(super) fn outlook(situation: &Situation<'_>, repository: &GitLabRepository) -> Outlook {
    let rules = match rules(repository) {
        Ok(Some(rules)) => rules,
        Ok(None) => return Outlook::NoneSet,
        Err(detail) => return Outlook::Unknown { detail },
    };
    let advice = advice(situation, &rules);
    let future = match Future::of(situation, repository, rules) {
        Ok(future) => future,
        Err(detail) => return Outlook::Unknown { detail },
    };
    let mut known = Known { advice, ..Known::default() };
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
    repository: &GitLabRepository,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    let Some(rules) = rules(repository).ok()? else { return Some(BTreeMap::new()) };
    let future = Future::of(situation, repository, rules).ok()?;
    let taken = future.taken_by(at).into_iter().map(|(digest, certainty)| {
        let Threat { rule, effect, why, .. } = threat(Due::Now, certainty);
        (ArtifactId::Manifest(digest), Foreseen { effect, rule, certainty, why })
    });
    Some(taken.collect())
}

/// Whose outlook a pin can change: where a run counts it, that of everything; where it only passes over it, nobody's, unless with
/// one tag more a run comes to count by pages.
pub(super) fn stirred(situation: &Situation<'_>, repository: &GitLabRepository, artifact: &ArtifactId) -> Stirred {
    let unknown = |detail: &str| Stirred::Unknown { detail: detail.to_owned() };
    let rules = match rules(repository) {
        Ok(Some(rules)) => rules,
        Ok(None) => return Stirred::Nobody,
        Err(detail) => return Stirred::Unknown { detail },
    };
    let (Some(keep), Some(pin)) = (rules.policy().keeps(), artifact.digest().and_then(pin_of)) else {
        return Stirred::Nobody;
    };
    let counts = rules.is_counted(&pin);
    let before = future::with_pins(situation, repository);
    let most = future::most(keep);
    let by_page = !Rules::fit_one_page(before.len() + 1 + most);
    match () {
        () if !counts && !by_page => Stirred::Nobody,
        // Who meets whom in a page depends on every name there is, and a pin is one more.
        () if by_page => unknown(PAGED),
        () if !situation.snapshot.listing_is_complete() => unknown(UNLISTED),
        () if counts && repository.tags.iter().any(|tag| tag.published.is_none()) => unknown(UNDATED),
        () => {
            let all = before.iter().filter_map(|tag| tag.digest.clone());
            Stirred::These(all.map(ArtifactId::Manifest).chain([artifact.clone()]).collect())
        }
    }
}

/// The outlook of each that is asked about.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    repository: &GitLabRepository,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let future = match rules(repository) {
        Ok(Some(rules)) => Future::of(situation, repository, rules).ok(),
        // Nothing is taken.
        Ok(None) => {
            return situation.targets.iter().map(|it| (it.clone(), ArtifactOutlook::Known(Vec::new()))).collect();
        }
        Err(_) => None,
    };
    let outlook = |artifact: &ArtifactId| {
        let threats = future.as_ref().and_then(|future| future.in_full(artifact));
        threats.map_or(ArtifactOutlook::Unknown, ArtifactOutlook::Known)
    };
    situation.targets.iter().map(|artifact| (artifact.clone(), outlook(artifact))).collect()
}

/// The repository without these tags; none if it has none of them, or no policy is run that goes by them.
pub(super) fn without(repository: &GitLabRepository, goes: &dyn Fn(&Digest, &Tag) -> bool) -> Option<GitLabRepository> {
    let is_going = |tag: &GitLabTag| tag.digest.as_ref().is_some_and(|digest| goes(digest, &tag.name));
    if matches!(rules(repository), Ok(None)) || !repository.tags.iter().any(is_going) {
        return None;
    }
    let mut then = repository.clone();
    then.tags.retain(|tag| !is_going(tag));
    let left: BTreeSet<Digest> = then.tags.iter().filter_map(|tag| tag.digest.clone()).collect();
    let bare = repository.tags.iter().filter_map(|tag| tag.digest.clone()).filter(|digest| !left.contains(digest));
    let bare: BTreeSet<Digest> = bare.chain(repository.untagged.iter().cloned()).collect();
    then.untagged = bare.into_iter().collect();
    Some(then)
}

/// Whether runs count pins among what they keep the newest of, or may: then each takes a place.
pub(crate) fn counts_pins(repository: &GitLabRepository) -> bool {
    match rules(repository) {
        Ok(None) => false,
        Ok(Some(rules)) => rules.policy().keeps().is_some() && gitlab_pin().is_none_or(|pin| rules.is_counted(&pin)),
        Err(_) => true,
    }
}

/// The project's tag rules, those that nobody passes in front; none where it may have some that were not read.
pub(crate) fn protection(repository: &GitLabRepository) -> Option<ProtectionRules> {
    let [protected, immutable] = [&repository.protected, &repository.immutable].map(|setting| match setting {
        Setting::Unset => Some(ProtectionRules::default()),
        Setting::Text(text) => ProtectionRules::parse(text).ok(),
        Setting::Unknown => None,
    });
    Some(immutable?.and(protected?.of_roles()))
}

/// The rules; none inside where no cleanup is run. Tag rules that were not read protect nothing here: that way nothing is
/// called safe by them.
fn rules(repository: &GitLabRepository) -> Result<Option<Rules>, String> {
    let policy = match &repository.policy {
        Setting::Unset => return Ok(None),
        Setting::Unknown => return Err(UNREAD.to_owned()),
        Setting::Text(text) => CleanupPolicy::parse(text),
    };
    let policy = policy.map_err(|problem| format!("the cleanup policy of the GitLab project: {problem}"))?;
    let read = |setting: &Setting| match setting {
        Setting::Text(text) => ProtectionRules::parse(text).unwrap_or_default(),
        Setting::Unset | Setting::Unknown => ProtectionRules::default(),
    };
    let protection = read(&repository.immutable).and(read(&repository.protected).of_roles());
    Ok(policy.map(|policy| Rules::new(policy, protection)))
}

fn pin_of(digest: &Digest) -> Option<Tag> {
    Pin::for_digest(digest).to_string().parse().ok()
}

/// A pin like any other.
fn gitlab_pin() -> Option<Tag> {
    pin_of(&Digest::sha256(b""))
}

fn threat(due: Due, certainty: Certainty) -> Threat {
    let why = "every tag of it goes, and garbage collection deletes what has none";
    Threat { rule: RULE.to_owned(), effect: Effect::Deletes, due, certainty, why: why.to_owned() }
}

/// Against these rules pins do not hold, or cost somebody a place.
fn advice(situation: &Situation<'_>, rules: &Rules) -> Vec<Advice> {
    let of_targets = situation.targets.iter().chain(situation.pinned).filter_map(|artifact| pin_of(artifact.digest()?));
    let standings: Vec<(Standing, bool)> =
        of_targets.chain(gitlab_pin()).map(|pin| (rules.standing(&pin), rules.is_counted(&pin))).collect();
    let any = |standing| standings.iter().any(|(other, _)| *other == standing);
    let (kind, message) = match rules.policy().keeps() {
        _ if any(Standing::Counted) => (
            AdviceKind::PinsIneffective,
            "the cleanup policy deletes pins as any other tag: name_regex matches them, and name_regex_keep does not"
                .to_owned(),
        ),
        _ if any(Standing::Perhaps) => (
            AdviceKind::PinsIneffective,
            "the cleanup policy may delete pins: this GitLab does not tell name_regex_keep".to_owned(),
        ),
        Some(keep) if standings.contains(&(Standing::Protected, true)) => (
            AdviceKind::DoubtfulRule,
            format!(
                "a tag rule protects pins, and each takes a place among the newest {keep} tags that the cleanup policy keeps"
            ),
        ),
        _ => return Vec::new(),
    };
    vec![Advice { rule: None, kind, message, remedy: CLAIM.to_owned() }]
}

#[cfg(test)]
mod tests;
