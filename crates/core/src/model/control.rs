//! What decides how a workload can be changed by hand, as its own object shows: commands that go back depend on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Automation, Delivery, Effects};

/// How a Kubernetes workload is controlled.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Control {
    /// Whether its rollout is paused: `kubectl rollout undo` is refused then.
    pub paused: bool,
    /// Whether it is to have no pods.
    pub scaled_to_zero: bool,
    /// How its pods follow its template.
    pub updates: Updates,
    /// The labels by which its pods are found, as a client takes them: `app=api,tier=web`.
    pub selector: Option<Arc<str>>,
    /// What its pods of the template as it is now are labelled with, of a StatefulSet.
    pub update_revision: Option<Arc<str>>,
    /// Whether fewer of its pods are ready than it is to have, of a StatefulSet: it changes none until they are.
    pub lacks_ready_pods: bool,
    /// What wrote its template, and may write it again.
    pub managers: BTreeSet<Manager>,
    /// Its label `app.kubernetes.io/instance`: Helm's charts set it, and Argo CD tracks by it where nothing else is chosen.
    pub instance: Option<Arc<str>>,
    /// What brings other images into it by itself, as its own object shows or that of what looks after it.
    pub automations: BTreeSet<Automation>,
    /// Whether an autoscaler sets the number of its pods.
    pub autoscaled: bool,
    /// How many old states its platform keeps of it, and by which setting, where that is said.
    pub history: Option<(u32, &'static str)>,
    /// What a progressive delivery makes of what it brings in.
    pub delivery: Option<Delivery>,
    /// What it does that no rollback undoes, by its own annotation or that of its pods.
    pub irreversible: Option<Effects>,
    /// Who last wrote the images of its template.
    pub writer: Option<Writer>,
}

/// Who wrote a part of an object, by its managed fields (L67). It is the name that a client gives itself, and nobody's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer {
    /// The field manager: `kubectl-set`, `argocd-controller`.
    pub manager: Arc<str>,
    /// When it last wrote any of the fields that are its own.
    pub at: Timestamp,
}

impl Control {
    /// Who brought in what runs since this moment, where that is certain: who last wrote the images, before it was started, in a
    /// workload whose pods all follow its template.
    #[must_use]
    pub fn brought_by(&self, since: Option<Timestamp>) -> Option<&Writer> {
        let follows = !self.paused && self.updates == Updates::Rolling;
        self.writer.as_ref().filter(|writer| follows && since.is_some_and(|since| writer.at <= since))
    }
}

/// How pods follow their workload's template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Updates {
    /// One after the other, by themselves.
    #[default]
    Rolling,
    /// From this ordinal of a StatefulSet on; those below stay as they are.
    Partition(u32),
    /// Each when it is deleted.
    OnDelete,
}

/// What looks after a workload, and would bring its own template again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manager {
    /// A Helm release: its next upgrade brings what its values name.
    Helm {
        /// Its namespace.
        namespace: Option<Arc<str>>,
        /// Its name.
        release: Arc<str>,
    },
    /// An Argo CD application, by the name that its commands take.
    ArgoCd {
        /// Its name.
        application: Arc<str>,
    },
    /// An object of Flux.
    Flux {
        /// `kustomization` or `helmrelease`.
        kind: &'static str,
        /// Its namespace.
        namespace: Option<Arc<str>>,
        /// Its name.
        name: Arc<str>,
    },
    /// Another object, whose controller looks after this one.
    Owner {
        /// Its kind, as Kubernetes writes it.
        kind: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wrote_the_images_brought_in_what_was_started_after_and_nothing_else_l67() {
        let at = |second| Timestamp::from_second(second).ok();
        let writer = Writer { manager: "kubectl-set".into(), at: Timestamp::from_second(100).unwrap() };
        let usual = Control { writer: Some(writer.clone()), ..Control::default() };
        for (control, since, expected) in [
            (usual.clone(), at(101), true),
            (usual.clone(), at(100), true),
            // Written since, by whatever: what runs may be from before.
            (usual.clone(), at(99), false),
            (usual.clone(), None, false),
            (Control { paused: true, ..usual.clone() }, at(101), false),
            (Control { updates: Updates::OnDelete, ..usual.clone() }, at(101), false),
            (Control { updates: Updates::Partition(1), ..usual.clone() }, at(101), false),
            (Control::default(), at(101), false),
        ] {
            assert_eq!(control.brought_by(since), expected.then_some(&writer), "{control:?} {since:?}");
        }
    }
}
