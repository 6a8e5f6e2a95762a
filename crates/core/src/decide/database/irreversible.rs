//! What releases did that no rollback undoes: mail that was sent, money that was posted. Whether the release before copes with
//! that nobody but a person knows.

use std::collections::BTreeMap;

use crate::model::{Effects, Provenance};
use crate::outcome::ready::{Irreversible, Step};
use crate::outcome::report::TargetReport;

use super::{Question, names};

/// What each of these releases did, and who says so.
pub(super) fn done(question: &Question<'_>, steps: &[Step]) -> Vec<Irreversible> {
    let told = steps.iter().flat_map(|step| {
        let target = question.targets.iter().find(|target| target.artifact == step.artifact);
        let said = target.map(|target| said(question, target)).unwrap_or_default();
        said.into_iter().map(|(effects, by)| Irreversible { artifact: step.artifact.clone(), effects, by })
    });
    told.collect()
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
