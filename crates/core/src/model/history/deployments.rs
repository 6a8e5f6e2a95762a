//! What signals named as running or wanted, and what their tags meant.

use std::sync::Arc;

use super::{FORMER_KEPT, Mark, RepositoryState, Span};
use crate::model::{ArtifactId, DeploymentState, Event, Tag};

impl RepositoryState {
    pub(super) fn apply_to_deployment(&mut self, mark: Mark, event: &Event) {
        match event {
            Event::DeploymentStarted { artifact, via, tag, state } => {
                self.span(artifact, via, mark).start(*state, mark);
                if let Some(tag) = tag {
                    self.claims.entry(via.clone()).or_default().insert(tag.clone(), artifact.clone());
                }
            }
            Event::DeploymentEnded { artifact, via, state } => {
                self.disclaim(artifact, via, mark);
                if let Some(span) = self.deployments.get_mut(artifact).and_then(|spans| spans.get_mut(via)) {
                    span.end(*state, mark);
                }
            }
            Event::DeploymentRecalled { artifact, via, tag, last, finished } => {
                self.span(artifact, via, mark).report(*last, *finished, mark);
                if let Some(tag) = tag {
                    self.remember(via, tag, artifact, mark);
                }
            }
            _ => {}
        }
    }

    /// When a signal named an artifact, first and last.
    fn span(&mut self, artifact: &ArtifactId, via: &Arc<str>, mark: Mark) -> &mut Span {
        let spans = self.deployments.entry(artifact.clone()).or_default();
        spans.entry(via.clone()).or_insert_with(|| Span::recalled(mark))
    }

    /// What a workload's tags meant is kept when it no longer names them.
    fn disclaim(&mut self, artifact: &ArtifactId, via: &Arc<str>, mark: Mark) {
        let Some(claims) = self.claims.get_mut(via) else { return };
        let gone: Vec<Tag> = claims.extract_if(.., |_, claimed| claimed == artifact).map(|(tag, _)| tag).collect();
        for tag in gone {
            self.remember(via, &tag, artifact, mark);
        }
    }

    fn remember(&mut self, via: &Arc<str>, tag: &Tag, artifact: &ArtifactId, mark: Mark) {
        let former = self.former.entry(via.clone()).or_default();
        former.insert(tag.clone(), (mark, artifact.clone()));
        if former.len() > FORMER_KEPT
            && let Some(oldest) = former.iter().min_by_key(|(_, (mark, _))| *mark).map(|(tag, _)| tag.clone())
        {
            former.remove(&oldest);
        }
    }

    /// What a signal's tag pointed at when the signal first named it.
    #[must_use]
    pub fn claimed(&self, via: &str, tag: &Tag) -> Option<&ArtifactId> {
        self.claims.get(via)?.get(tag)
    }

    /// What a tag meant to someone who names it as a thing of the past.
    #[must_use]
    pub fn formerly(&self, via: &str, tag: &Tag) -> Option<&ArtifactId> {
        self.former.get(via)?.get(tag).map(|(_, artifact)| artifact)
    }

    /// Whether some signal names the artifact as wanted, and not as running.
    #[must_use]
    pub fn wants(&self, artifact: &ArtifactId, via: &str) -> bool {
        self.deployments.get(artifact).and_then(|spans| spans.get(via)).is_some_and(Span::is_wanted)
    }

    pub(in crate::model) fn is_named(&self, artifact: &ArtifactId, via: &str, state: DeploymentState) -> bool {
        match state {
            DeploymentState::Running => self.runs(artifact, via),
            DeploymentState::Wanted => self.wants(artifact, via),
        }
    }

    /// Whether some signal still names the artifact as running.
    #[must_use]
    pub fn runs(&self, artifact: &ArtifactId, via: &str) -> bool {
        self.deployments.get(artifact).and_then(|spans| spans.get(via)).is_some_and(|span| span.until.is_none())
    }
}
