//! What releases did that no rollback undoes: mail that was sent, money that was posted. Whether the release before copes with
//! that nobody but a person knows.

use std::collections::BTreeMap;

use crate::model::{ArtifactId, Effects, Provenance};
use crate::outcome::ready::{Irreversible, Step};
use crate::outcome::report::TargetReport;

use super::{Question, names};

/// What each of these releases did, and who says so; and of which of them that is not known, for their images could not be
/// asked. Of one that is gone, what workloads and the policy say counts: where they say nothing of its migrations either, that
/// question leaves the answer open already.
pub(super) fn done(question: &Question<'_>, steps: &[Step], lost: &[TargetReport]) -> (Vec<Irreversible>, Vec<String>) {
    let (mut done, mut unknown) = (Vec::new(), Vec::new());
    let is_lost = |artifact: &ArtifactId| lost.iter().any(|release| release.artifact == *artifact);
    let there = steps.iter().filter(|step| !is_lost(&step.artifact)).filter_map(|step| {
        let target = question.targets.iter().find(|target| target.artifact == step.artifact)?;
        let unread = match question.said.get(&step.artifact) {
            Some(Err(gap)) => Some(format!("could not be asked: {}", gap.detail)),
            Some(Ok(_)) | None => None,
        };
        Some((target, unread))
    });
    let gone = lost.iter().map(|release| (release, None));
    for (target, unread) in there.chain(gone) {
        let said = said(question, target);
        let artifact = &target.artifact;
        if let Some(why) = unread.filter(|_| said.is_empty()) {
            let name = names(target).next().map_or_else(|| artifact.short(), str::to_owned);
            unknown.push(format!("{name}, whose image {why}"));
        }
        done.extend(said.into_iter().map(|(effects, by)| Irreversible { artifact: artifact.clone(), effects, by }));
    }
    (done, unknown)
}

fn said(question: &Question<'_>, target: &TargetReport) -> BTreeMap<Effects, Vec<String>> {
    let mut words: BTreeMap<Effects, Vec<String>> = BTreeMap::new();
    let mut say = |effects: &Effects, by: String| {
        let known = words.entry(effects.clone()).or_default();
        if !known.contains(&by) {
            known.push(by);
        }
    };
    if let Some(Ok(Provenance { irreversible: Some(effects), .. })) = question.said.get(&target.artifact) {
        say(effects, "the image".to_owned());
    }
    for used in question.uses.deployments(&target.artifact) {
        if let Some(effects) = used.control.as_ref().and_then(|control| control.irreversible.as_ref()) {
            say(effects, used.workload.as_ref().map_or_else(|| used.via.to_string(), |workload| workload.to_string()));
        }
    }
    let rules = question.input.database.iter();
    for rule in rules.filter(|rule| rule.repositories.matches(question.input.key.name.as_str())) {
        let named = rule.tags.as_ref().is_none_or(|tags| names(target).any(|tag| tags.matches(tag)));
        if let Some(effects) = rule.irreversible.as_ref().filter(|_| named) {
            say(effects, "the policy".to_owned());
        }
    }
    words
}
