//! What images say of the migrations between them and an earlier commit: the chain from what is to be left to what is gone
//! back to. Each statement must begin at the commit of a release before it, else nothing says what lies between.

use crate::decide::ready::called;
use crate::model::{Commit, Provenance, SchemaChange, SchemaStatement};
use crate::outcome::ready::Step;
use crate::outcome::report::TargetReport;

use super::{Question, is_proven};

/// A release's statement, and whether it begins at the release before it. One that begins further back says nothing of what
/// that release alone did: its migrations may never have come into this one.
pub(super) struct Placed<'q> {
    statement: &'q SchemaStatement,
    joins: bool,
}

impl Placed<'_> {
    /// What it says; behind a hole nobody knows.
    pub(super) fn change(&self) -> SchemaChange {
        match self.joins {
            true => self.statement.change,
            false => self.statement.change.max(SchemaChange::Unknown),
        }
    }

    /// What the hole is.
    pub(super) fn hole(&self) -> Option<String> {
        let from = self.statement.from.short();
        (!self.joins).then(|| {
            format!(
                "its statement begins at {from}, which is not the release before it: what lies between is not known"
            )
        })
    }
}

fn said<'q>(question: &Question<'q>, target: &TargetReport) -> Option<&'q Provenance> {
    question.said.get(&target.artifact)?.as_ref().ok()
}

/// The statement of a release.
pub(super) fn of<'q>(question: &Question<'q>, target: &TargetReport) -> Option<Placed<'q>> {
    let commit = |target: &TargetReport| said(question, target)?.commit.as_ref();
    let statement = said(question, target)?.statement.as_ref()?;
    // The list is the most recent first. What is gone from it stands nowhere, and joins nothing.
    let own = question.targets.iter().position(|known| known.artifact == target.artifact);
    let earlier = own.map_or(&[][..], |own| &question.targets[own + 1..]);
    let proven = question.targets.iter().any(is_proven);
    let ran = |it: &TargetReport| it.running || is_proven(it) || question.was_tried(it) || !proven;
    // The same commit, built again, has the same migrations.
    let again = |it: &TargetReport| commit(it).zip(commit(target)).is_some_and(|(it, own)| it.is(own));
    let before = earlier.iter().find(|it| ran(it) && !again(it));
    let joins = before.and_then(commit).is_some_and(|before| before.is(&statement.from));
    Some(Placed { statement, joins })
}

/// What a person must answer before going back to `to`. A value that the release gone back to, or one before it, made
/// possible may be written by a later one that has no migration at all, so that their cautions are carried forward.
pub(super) fn questions(question: &Question<'_>, to: &TargetReport, place: usize, steps: &[Step]) -> Vec<String> {
    let name = |step: &Step| {
        let target = question.targets.iter().find(|target| target.artifact == step.artifact);
        target.map_or_else(|| step.artifact.short().to_string(), called)
    };
    let old = called(to);
    let mut asked = Vec::new();
    for step in steps {
        let look =
            question.targets.iter().find(|target| target.artifact == step.artifact).and_then(|it| look(question, it));
        let look = look.unwrap_or_default();
        match step.schema {
            Some(SchemaChange::Caution) => asked.push(format!(
                "answer before going back: has {} written values that {old} never met, or relied on a refusal that is gone?{look}",
                name(step)
            )),
            Some(SchemaChange::Data) => asked.push(format!(
                "answer before going back: {} overwrote or removed rows; is what is left enough for {old}, or is there a copy \
                 to restore?{look}",
                name(step)
            )),
            _ => {}
        }
    }
    if !steps.is_empty() {
        let earlier = question.targets.iter().skip(place);
        let cautious = earlier.filter(|target| question.said(target).0 == Some(SchemaChange::Caution));
        asked.extend(cautious.map(|target| {
            format!(
                "answer before going back: has a later release written values that {} made possible and {old} never met?{}",
                called(target),
                look(question, target).unwrap_or_default()
            )
        }));
    }
    asked
}

/// How to see the statements. Commits are hexadecimal digits, so that a command can be made of them.
fn look(question: &Question<'_>, target: &TargetReport) -> Option<String> {
    let said = said(question, target)?;
    let (statement, to): (&SchemaStatement, &Commit) = (said.statement.as_ref()?, said.commit.as_ref()?);
    Some(format!(" See `prodpin schema-change --from {} --to {to}`", statement.from))
}
