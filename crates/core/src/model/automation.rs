//! What brings releases into workloads by itself, and so undoes what is done by hand (P76); and what a progressive delivery
//! makes of the release that it brings in.

use std::sync::Arc;

use super::Manager;

/// Something that writes workloads by itself, with what its own object shows of when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Automation {
    /// An Argo CD application.
    ArgoCd {
        /// Its name, as commands take it.
        application: Arc<str>,
        /// How it syncs by itself; none if a person syncs it.
        automated: Option<AutomatedSync>,
        /// What writes the application, and sets its sync policy back.
        written_by: Option<Manager>,
        /// Whether its status names the workload, and no other one has its name. Else it may be one that is only called so.
        proven: bool,
    },
    /// Argo CD Image Updater, which writes the newest tag into an application.
    ArgoCdImages {
        /// The cluster of the application's object.
        context: Option<Arc<str>>,
        /// The application, as commands take it.
        application: Arc<str>,
        /// The namespace of its object.
        namespace: Option<Arc<str>>,
        /// The name of its object.
        name: Arc<str>,
        /// The annotation that lists the images.
        list: Arc<str>,
    },
    /// An object of Flux that applies what Git names.
    Flux {
        /// The cluster that it is in.
        context: Option<Arc<str>>,
        /// `kustomization` or `helmrelease`.
        kind: &'static str,
        /// Its namespace.
        namespace: Option<Arc<str>>,
        /// Its name.
        name: Arc<str>,
        /// Whether it is suspended.
        suspended: bool,
        /// How often it applies, as it is written there.
        interval: Option<Arc<str>>,
        /// Whether it takes back what others changed: a Helm release does so only where it is told to.
        corrects: bool,
        /// Whether its status names the workload. Else another cluster's Flux may apply it under the same name.
        proven: bool,
    },
    /// Flux's image automation, which commits the newest tag of a repository.
    FluxImages {
        /// The cluster that it is in.
        context: Option<Arc<str>>,
        /// Its namespace.
        namespace: Option<Arc<str>>,
        /// Its name.
        name: Arc<str>,
        /// Whether it is suspended.
        suspended: bool,
        /// How often it looks, as it is written there.
        interval: Option<Arc<str>>,
    },
    /// An object of Argo CD's Image Updater: which applications it writes is not told by a name alone.
    ArgoCdUpdater {
        /// Its namespace.
        namespace: Option<Arc<str>>,
        /// Its name.
        name: Arc<str>,
    },
    /// Everything that commits or writes newest tags beside Git was read here. Without this word nobody looked.
    CommittersRead {
        /// The cluster.
        context: Option<Arc<str>>,
        /// Whether it is Argo CD's, else Flux's.
        argo_cd: bool,
    },
    /// Keel, by an annotation or a label of the workload.
    Keel {
        /// Which newer tags it takes, in its own words.
        policy: Arc<str>,
        /// Whether a label says so.
        by_label: bool,
    },
    /// OpenShift's image trigger: it writes what an image stream names.
    ImageTrigger,
    /// Argo Rollouts or Flagger, with a release in analysis: it promotes that once the analysis succeeds.
    Analysis {
        /// Whose: `Argo Rollouts`, or Flagger's canary by its name.
        canary: Option<Arc<str>>,
    },
}

impl Automation {
    /// Whether it brings what Git names, or commits to it.
    #[must_use]
    pub fn is_of_git(&self) -> bool {
        match self {
            Self::ArgoCd { .. }
            | Self::ArgoCdImages { .. }
            | Self::ArgoCdUpdater { .. }
            | Self::CommittersRead { .. }
            | Self::Flux { .. }
            | Self::FluxImages { .. } => true,
            Self::Keel { .. } | Self::ImageTrigger | Self::Analysis { .. } => false,
        }
    }
}

/// How an Argo CD application syncs by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AutomatedSync {
    /// Whether it takes back at once what others changed.
    pub self_heal: bool,
    /// Whether it deletes what Git does not name any more.
    pub prune: bool,
    /// Whether it may delete everything.
    pub allow_empty: bool,
}

/// What a progressive delivery makes of the release that it brings in, by its own object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery {
    /// How far it came.
    pub stage: Stage,
    /// The last analysis, where one is shown.
    pub analysis: Option<Analysis>,
}

/// How far a progressive delivery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Neither promoted nor given up.
    Underway,
    /// It was aborted, or the canary failed: production stays with what ran.
    GivenUp,
    /// It is degraded in another way, as when its pods do not come up in time.
    Degraded,
    /// It is over, and what was brought in is production.
    Over,
}

/// One analysis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Analysis {
    /// How it stands.
    pub outcome: AnalysisOutcome,
    /// The metric that decided it, where one is named.
    pub metric: Option<Arc<str>>,
}

/// How an analysis stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnalysisOutcome {
    /// It is not over.
    Running,
    /// It went well.
    Successful,
    /// A metric failed.
    Failed,
    /// A metric could not be measured.
    Error,
    /// It could not be told, and waits for a person.
    Inconclusive,
}

impl Analysis {
    /// In a sentence's words: `last analysis failed: error-rate`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let said = match self.outcome {
            AnalysisOutcome::Running => "an analysis is running",
            AnalysisOutcome::Successful => "last analysis succeeded",
            AnalysisOutcome::Failed => "last analysis failed",
            AnalysisOutcome::Error => "last analysis could not measure",
            AnalysisOutcome::Inconclusive => "last analysis was inconclusive, and waits for a person",
        };
        match &self.metric {
            Some(metric) => format!("{said}: {metric}"),
            None => said.to_owned(),
        }
    }
}
