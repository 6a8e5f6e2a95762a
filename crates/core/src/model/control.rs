//! What decides how a workload can be changed by hand, as its own object shows: commands that go back depend on it.

use std::collections::BTreeSet;
use std::sync::Arc;

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
